//! The typed view: what the keys of the hive mean. A value of the wrong kind counts as missing, a thing
//! whose key's name is no GUID of this cluster does not exist.

use super::super::config::{
    ClusterConfig, Failback, GroupConfig, ResourceConfig, ResourceKind, RestartAction,
};
use super::super::ids::{DiskId, GroupId, NetworkId, NodeId, NodeSet, ResourceId};
use super::Database;
use super::guid::{self, Kind};
use super::layout::NONE;
use crate::base::SimDuration;
use crate::registry::{Key, KeyPath, Value};
use std::net::Ipv4Addr;

impl Database {
    /// The cluster's identity, from which its GUIDs are made.
    pub(super) fn instance(&self) -> &str {
        text(self.root(), "ClusterInstanceID").unwrap_or_default()
    }

    /// The GUID of a group.
    pub fn group_guid(&self, group: GroupId) -> String {
        guid::guid(self.instance(), Kind::Group, group.0)
    }

    /// The GUID of a resource: its key below `Resources`, and its folder on the quorum resource.
    pub fn resource_guid(&self, resource: ResourceId) -> String {
        guid::guid(self.instance(), Kind::Resource, resource.0)
    }

    /// The nodes of the cluster: those that were not evicted.
    pub fn nodes(&self) -> NodeSet {
        let nodes = self.key("Nodes").into_iter().flat_map(Key::keys);
        nodes.filter_map(|(name, _)| node(name)).collect()
    }

    /// The groups by number.
    pub fn groups(&self) -> Vec<(GroupId, GroupConfig)> {
        let keys = self.key("Groups").into_iter().flat_map(Key::keys);
        let named = keys.filter_map(|(name, key)| Some((guid::group(self.instance(), name)?, key)));
        let mut groups: Vec<_> = named.map(|(id, key)| (id, group(key))).collect();
        groups.sort_by_key(|(id, _)| *id);
        groups
    }

    /// The resources by number: those that belong to a group. Disks and networks are those of `config`.
    pub fn resources(&self, config: &ClusterConfig) -> Vec<(ResourceId, ResourceConfig)> {
        let mut resources = Vec::new();
        for (name, group) in self.key("Groups").into_iter().flat_map(Key::keys) {
            let Some(id) = guid::group(self.instance(), name) else { continue };
            for name in list(group, "Contains") {
                let Some(resource) = guid::resource(self.instance(), name) else { continue };
                let key = self.key("Resources").and_then(|resources| resources.key(name));
                let read = key.and_then(|key| self.resource(key, id, config));
                resources.extend(read.map(|read| (resource, read)));
            }
        }
        resources.sort_by_key(|(id, _)| *id);
        resources.dedup_by_key(|(id, _)| *id);
        resources
    }

    /// One resource, if it belongs to a group. Disks and networks are those of `config`.
    pub fn resource_config(
        &self,
        resource: ResourceId,
        config: &ClusterConfig,
    ) -> Option<ResourceConfig> {
        let guid = self.resource_guid(resource);
        let key = self.key("Resources")?.key(&guid)?;
        let holds = |group: &Key| list(group, "Contains").any(|g| g.eq_ignore_ascii_case(&guid));
        let mut groups = self.key("Groups")?.keys();
        let group = groups.find_map(|(name, group)| {
            holds(group).then(|| guid::group(self.instance(), name)).flatten()
        });
        self.resource(key, group?, config)
    }

    /// The file of a registry checkpoint of a resource: its path on the quorum resource.
    pub fn checkpoint_file(&self, resource: ResourceId, number: u32) -> String {
        format!("MSCS\\{}\\{number:08}.CPT", self.resource_guid(resource))
    }

    /// The file of the DLL of a resource type, as its key says.
    pub fn dll_of_type(&self, kind: &ResourceKind) -> Option<&str> {
        let key = self.key("ResourceTypes")?.key(super::layout::type_name(kind))?;
        text(key, "DllName")
    }

    /// Every checkpoint of every resource: the resource, the number of the file, the key.
    pub fn all_checkpoints(&self) -> Vec<(ResourceId, u32, KeyPath)> {
        let names = self.key("Resources").into_iter().flat_map(Key::keys).map(|(name, _)| name);
        let mut resources: Vec<ResourceId> =
            names.filter_map(|name| guid::resource(self.instance(), name)).collect();
        resources.sort_unstable();
        let of =
            |resource| self.checkpoints(resource).into_iter().map(move |(n, k)| (resource, n, k));
        resources.into_iter().flat_map(of).collect()
    }

    /// Whether somebody wished this resource online (or offline) of its own; `None` if it goes with its
    /// group.
    pub fn wished(&self, resource: ResourceId) -> Option<bool> {
        let key = self.resource_key(resource)?;
        number(key, "PersistentState").map(|state| state != 0)
    }

    /// The checkpointed keys of a resource, by the number of their file.
    pub fn checkpoints(&self, resource: ResourceId) -> Vec<(u32, KeyPath)> {
        let values = self.resource_key(resource).and_then(|key| key.key("RegSync"));
        let values = values.into_iter().flat_map(Key::values);
        let keys = values.filter_map(|(name, value)| {
            let number = name.parse::<u32>().ok().filter(|_| name.len() == 8)?;
            Some((number, KeyPath::parse(value.as_text()?).ok()?))
        });
        keys.collect()
    }

    /// The largest size of the quorum log, in bytes.
    pub fn quorum_log_max(&self) -> Option<u32> {
        number(self.key("Quorum")?, "MaxQuorumLogSize")
    }

    /// The quorum resource, if a resource is the quorum.
    pub fn quorum_resource(&self) -> Option<ResourceId> {
        guid::resource(self.instance(), text(self.key("Quorum")?, "Resource")?)
    }

    pub(super) fn resource_key(&self, resource: ResourceId) -> Option<&Key> {
        self.key("Resources")?.key(&self.resource_guid(resource))
    }

    pub(super) fn group_key(&self, group: GroupId) -> Option<&Key> {
        self.key("Groups")?.key(&self.group_guid(group))
    }

    fn resource(
        &self,
        key: &Key,
        group: GroupId,
        config: &ClusterConfig,
    ) -> Option<ResourceConfig> {
        let depends_on =
            list(key, "Dependencies").filter_map(|on| guid::resource(self.instance(), on));
        let restart_action = match number(key, "RestartAction") {
            Some(0) => RestartAction::None,
            Some(1) => RestartAction::Restart,
            _ => RestartAction::AffectGroup,
        };
        let reg_sync = key.key("RegSync").into_iter().flat_map(Key::values);
        Some(ResourceConfig {
            name: text(key, "Name").unwrap_or_default().into(),
            kind: self.kind(key, config)?,
            group,
            depends_on: depends_on.collect(),
            possible_owners: list(key, "PossibleOwners").filter_map(node).collect(),
            looks_alive: millis(key, "LooksAlivePollInterval"),
            is_alive: millis(key, "IsAlivePollInterval"),
            pending_timeout: millis(key, "PendingTimeout"),
            restart_action,
            restart_threshold: number(key, "RestartThreshold"),
            restart_period: millis(key, "RestartPeriod"),
            separate_monitor: number(key, "SeparateMonitor").is_some_and(|flag| flag != 0),
            checkpoints: reg_sync.filter_map(|(_, path)| path.as_text().map(Into::into)).collect(),
        })
    }

    fn kind(&self, key: &Key, config: &ClusterConfig) -> Option<ResourceKind> {
        let empty = Key::default();
        let parameters = key.key("Parameters").unwrap_or(&empty);
        let string = |name| text(parameters, name).unwrap_or_default().to_string();
        let flag = |name| number(parameters, name).is_some_and(|flag| flag != 0);
        Some(match text(key, "Type")?.to_ascii_lowercase().as_str() {
            "physical disk" => ResourceKind::PhysicalDisk {
                disk: disk(parameters, config),
                skip_chkdsk: flag("SkipChkdsk"),
                conditional_mount: flag("ConditionalMount"),
            },
            "ip address" => {
                let network = text(parameters, "Network");
                let network = network.and_then(|name| guid::network(self.instance(), name));
                ResourceKind::IpAddress {
                    address: string("Address").parse().unwrap_or(Ipv4Addr::UNSPECIFIED),
                    network: network.unwrap_or(NetworkId(u8::MAX)),
                    // On by default (NT 4.0 SP4 and later).
                    netbios: number(parameters, "EnableNetBIOS") != Some(0),
                }
            }
            "network name" => ResourceKind::NetworkName { name: string("Name") },
            "generic service" => ResourceKind::GenericService {
                service: string("ServiceName"),
                use_network_name: flag("UseNetworkName"),
            },
            "generic application" => ResourceKind::GenericApplication {
                command_line: string("CommandLine"),
                use_network_name: flag("UseNetworkName"),
            },
            "file share" => {
                ResourceKind::FileShare { share: string("ShareName"), path: string("Path") }
            }
            "time service" => ResourceKind::TimeService,
            "wins service" => ResourceKind::Wins {
                database_path: string("DatabasePath"),
                backup_path: string("BackupPath"),
            },
            "dhcp service" => ResourceKind::Dhcp {
                database_path: string("DatabasePath"),
                backup_path: string("BackupPath"),
            },
            _ => return None,
        })
    }
}

/// The disk with the signature of the parameters; a number that no disk has if there is none (event 1034).
fn disk(parameters: &Key, config: &ClusterConfig) -> DiskId {
    let signature = number(parameters, "Signature");
    let place = config.disks.iter().position(|disk| Some(disk.signature) == signature);
    DiskId(place.map_or(u16::MAX, |place| place as u16))
}

fn group(key: &Key) -> GroupConfig {
    let hour =
        |name| number(key, name).and_then(|hour| u8::try_from(hour).ok()).filter(|&h| h < 24);
    let failback = match (number(key, "AutoFailbackType"), hour("FailbackWindowStart")) {
        (Some(1), Some(start)) => match hour("FailbackWindowEnd") {
            Some(end) => Failback::Window { start, end },
            None => Failback::Immediate,
        },
        (Some(1), None) => Failback::Immediate,
        _ => Failback::Prevent,
    };
    let exact = match key.value("FailoverPeriodMs") {
        Some(Value::Binary(bytes)) => <[u8; 8]>::try_from(&bytes[..]).ok(),
        _ => None,
    };
    let failover_period = match exact {
        Some(bytes) => SimDuration::from_millis(u64::from_le_bytes(bytes)),
        None => SimDuration::from_hours(u64::from(number(key, "FailoverPeriod").unwrap_or(6))),
    };
    GroupConfig {
        name: text(key, "Name").unwrap_or_default().into(),
        preferred_owners: list(key, "PreferredOwners").filter_map(node).collect(),
        failover_threshold: number(key, "FailoverThreshold").filter(|&count| count != NONE),
        failover_period,
        failback,
        online_at_start: number(key, "PersistentState").is_some_and(|state| state != 0),
    }
}

fn text<'a>(key: &'a Key, name: &str) -> Option<&'a str> {
    key.value(name)?.as_text()
}

fn number(key: &Key, name: &str) -> Option<u32> {
    key.value(name)?.as_dword()
}

/// A time in milliseconds; the largest number means that of the resource's type.
fn millis(key: &Key, name: &str) -> Option<SimDuration> {
    let millis = number(key, name).filter(|&millis| millis != NONE)?;
    Some(SimDuration::from_millis(u64::from(millis)))
}

pub(super) fn list<'a>(key: &'a Key, name: &str) -> impl Iterator<Item = &'a str> + use<'a> {
    let list = key.value(name).and_then(Value::as_list).unwrap_or_default();
    list.iter().map(|text| &**text)
}

pub(super) fn node(text: &str) -> Option<NodeId> {
    text.parse().ok().filter(|number| (1..=NodeId::MAX.0).contains(number)).map(NodeId)
}
