//! How a cluster, its groups and its resources stand in the hive.

use super::super::config::{
    ClusterConfig, Failback, GroupConfig, NetworkRole, QuorumKind, ResourceConfig, ResourceKind,
    RestartAction,
};
use super::super::ids::{GroupId, NetworkId, NodeId, ResourceId};
use super::super::update::{DbChange, DbData};
use super::guid::{Kind, guid};
use crate::base::SimDuration;
use crate::registry::is_name;

/// A number that means "none" or "for ever" in the database.
pub(super) const NONE: u32 = u32::MAX;
const HOUR_MS: u64 = 3_600_000;

/// Every resource type, with the name under which the database knows it.
const TYPES: [&str; 9] = [
    "Physical Disk",
    "IP Address",
    "Network Name",
    "Generic Service",
    "Generic Application",
    "File Share",
    "Time Service",
    "WINS Service",
    "DHCP Service",
];

/// The name of a resource's type.
pub(super) fn type_name(kind: &ResourceKind) -> &'static str {
    TYPES[match kind {
        ResourceKind::PhysicalDisk { .. } => 0,
        ResourceKind::IpAddress { .. } => 1,
        ResourceKind::NetworkName { .. } => 2,
        ResourceKind::GenericService { .. } => 3,
        ResourceKind::GenericApplication { .. } => 4,
        ResourceKind::FileShare { .. } => 5,
        ResourceKind::TimeService => 6,
        ResourceKind::Wins { .. } => 7,
        ResourceKind::Dhcp { .. } => 8,
    }]
}

/// Changes of one key.
pub(super) struct Writer {
    key: String,
    changes: Vec<DbChange>,
}

impl Writer {
    pub fn new(key: String) -> Writer {
        Writer { changes: vec![DbChange::CreateKey(key.clone())], key }
    }

    pub fn set(&mut self, name: &str, data: DbData) {
        self.changes.push(DbChange::SetValue { key: self.key.clone(), name: name.into(), data });
    }

    pub fn text(&mut self, name: &str, text: &str) {
        self.set(name, DbData::Text(text.into()));
    }

    pub fn number(&mut self, name: &str, number: u32) {
        self.set(name, DbData::Number(number));
    }

    pub fn millis(&mut self, name: &str, duration: SimDuration) {
        let millis = duration.nanos() / 1_000_000;
        self.number(name, u32::try_from(millis).unwrap_or(NONE));
    }

    pub fn texts(&mut self, name: &str, texts: Vec<String>) {
        self.set(name, DbData::Texts(texts));
    }

    pub fn done(self) -> Vec<DbChange> {
        self.changes
    }
}

/// The keys of the hive that belong to the cluster itself; beside them programs that know the cluster keep
/// what they like.
const SETUP_KEYS: [&str; 7] =
    ["Nodes", "Groups", "Resources", "ResourceTypes", "Networks", "NetworkInterfaces", "Quorum"];

/// Whether a change may alter what the typed view says: those of programs' own keys do not.
pub(in super::super) fn is_about_setup(change: &DbChange) -> bool {
    let (DbChange::CreateKey(key)
    | DbChange::DeleteKey(key)
    | DbChange::SetValue { key, .. }
    | DbChange::DeleteValue { key, .. }) = change;
    let top = key.split('\\').next().unwrap_or_default();
    top.is_empty() || SETUP_KEYS.iter().any(|name| is_name(name, top))
}

/// The hive as setup leaves it.
pub(super) fn initial(config: &ClusterConfig) -> Vec<DbChange> {
    let instance = guid(&config.name, Kind::Cluster, 0);
    let value = |key: &str, name: &str, text: &str| DbChange::SetValue {
        key: key.into(),
        name: name.into(),
        data: DbData::Text(text.into()),
    };
    let mut changes =
        vec![value("", "ClusterName", &config.name), value("", "ClusterInstanceID", &instance)];
    changes.extend(SETUP_KEYS.map(|key| DbChange::CreateKey(key.into())));
    for id in config.node_ids() {
        let name = config.node(id).map_or("", |node| &node.name);
        changes.push(value(&format!("Nodes\\{}", id.0), "NodeName", name));
    }
    for (number, network) in (0..).zip(&config.networks) {
        changes.extend(network_keys(config, &instance, NetworkId(number), network.role));
    }
    for name in TYPES {
        let mut key = Writer::new(format!("ResourceTypes\\{name}"));
        key.text("DllName", "clusres.dll");
        key.millis("LooksAlivePollInterval", config.profile.looks_alive);
        key.millis("IsAlivePollInterval", config.profile.is_alive);
        changes.extend(key.done());
    }
    for (number, group) in (0..).zip(&config.groups) {
        changes.extend(group_keys(&instance, GroupId(number), group));
        let mut inside = Writer::new(format!("Groups\\{}", guid(&instance, Kind::Group, number)));
        let resources = (0..).zip(&config.resources).filter(|(_, r)| r.group.0 == number);
        inside.texts(
            "Contains",
            resources.map(|(i, _)| guid(&instance, Kind::Resource, i)).collect(),
        );
        changes.extend(inside.done());
    }
    for (number, resource) in (0..).zip(&config.resources) {
        changes.extend(resource_keys(config, &instance, ResourceId(number), resource));
    }
    changes.extend(quorum_key(config, &instance));
    changes
}

fn network_keys(
    config: &ClusterConfig,
    instance: &str,
    id: NetworkId,
    role: NetworkRole,
) -> Vec<DbChange> {
    let network = guid(instance, Kind::Network, u16::from(id.0));
    let mut key = Writer::new(format!("Networks\\{network}"));
    key.text("Name", &config.networks[usize::from(id.0)].name);
    key.number(
        "Role",
        match role {
            NetworkRole::None => 0,
            NetworkRole::Internal => 1,
            NetworkRole::Client => 2,
            NetworkRole::All => 3,
        },
    );
    let mut changes = key.done();
    for node in config.node_ids() {
        let addresses = config.node(node).map_or(&[][..], |node| &node.addresses);
        let Some(Some(address)) = addresses.get(usize::from(id.0)) else { continue };
        let number = u16::from(id.0) << 8 | u16::from(node.0);
        let guid = guid(instance, Kind::Interface, number);
        let mut key = Writer::new(format!("NetworkInterfaces\\{guid}"));
        key.text("Node", &node.0.to_string());
        key.text("Network", &network);
        key.text("Address", &address.to_string());
        changes.extend(key.done());
    }
    changes
}

/// The keys of a group, without the list of what it contains.
pub(super) fn group_keys(instance: &str, id: GroupId, group: &GroupConfig) -> Vec<DbChange> {
    let mut key = Writer::new(format!("Groups\\{}", guid(instance, Kind::Group, id.0)));
    key.text("Name", &group.name);
    key.number("PersistentState", u32::from(group.online_at_start));
    if !group.preferred_owners.is_empty() {
        key.texts("PreferredOwners", nodes(&group.preferred_owners));
    }
    key.number("FailoverThreshold", group.failover_threshold.unwrap_or(NONE));
    let millis = group.failover_period.nanos() / 1_000_000;
    key.number("FailoverPeriod", u32::try_from(millis.div_ceil(HOUR_MS)).unwrap_or(NONE));
    if !millis.is_multiple_of(HOUR_MS) {
        // Finer than the property can say, for studies.
        key.set("FailoverPeriodMs", DbData::Bytes(millis.to_le_bytes().to_vec()));
    }
    let (kind, start, end) = match group.failback {
        Failback::Prevent => (0, NONE, NONE),
        Failback::Immediate => (1, NONE, NONE),
        Failback::Window { start, end } => (1, u32::from(start), u32::from(end)),
    };
    key.number("AutoFailbackType", kind);
    key.number("FailbackWindowStart", start);
    key.number("FailbackWindowEnd", end);
    key.done()
}

/// The keys of a resource.
pub(super) fn resource_keys(
    config: &ClusterConfig,
    instance: &str,
    id: ResourceId,
    resource: &ResourceConfig,
) -> Vec<DbChange> {
    let path = format!("Resources\\{}", guid(instance, Kind::Resource, id.0));
    let mut key = Writer::new(path.clone());
    key.text("Name", &resource.name);
    key.text("Type", type_name(&resource.kind));
    if !resource.depends_on.is_empty() {
        let guids = resource.depends_on.iter().map(|on| guid(instance, Kind::Resource, on.0));
        key.texts("Dependencies", guids.collect());
    }
    if !resource.possible_owners.is_empty() {
        key.texts("PossibleOwners", nodes(&resource.possible_owners));
    }
    let timers = [
        ("LooksAlivePollInterval", resource.looks_alive),
        ("IsAlivePollInterval", resource.is_alive),
        ("PendingTimeout", resource.pending_timeout),
        ("RestartPeriod", resource.restart_period),
    ];
    for (name, duration) in timers {
        if let Some(duration) = duration {
            key.millis(name, duration);
        }
    }
    key.number(
        "RestartAction",
        match resource.restart_action {
            RestartAction::None => 0,
            RestartAction::Restart => 1,
            RestartAction::AffectGroup => 2,
        },
    );
    if let Some(threshold) = resource.restart_threshold {
        key.number("RestartThreshold", threshold);
    }
    key.number("SeparateMonitor", u32::from(resource.separate_monitor));
    let mut changes = key.done();
    changes.extend(parameters(config, instance, &path, &resource.kind));
    if !resource.checkpoints.is_empty() {
        let mut key = Writer::new(format!("{path}\\RegSync"));
        for (number, checkpoint) in (1..).zip(&resource.checkpoints) {
            key.text(&checkpoint_name(number), checkpoint);
        }
        changes.extend(key.done());
    }
    changes
}

fn parameters(
    config: &ClusterConfig,
    instance: &str,
    path: &str,
    kind: &ResourceKind,
) -> Vec<DbChange> {
    let mut key = Writer::new(format!("{path}\\Parameters"));
    match kind {
        ResourceKind::PhysicalDisk { disk, skip_chkdsk, conditional_mount } => {
            if let Some(disk) = config.disks.get(usize::from(disk.0)) {
                key.number("Signature", disk.signature);
                key.text("Drive", &format!("{}:", disk.letter));
            }
            key.number("SkipChkdsk", u32::from(*skip_chkdsk));
            key.number("ConditionalMount", u32::from(*conditional_mount));
        }
        ResourceKind::IpAddress { address, network, netbios } => {
            key.text("Address", &address.to_string());
            key.text("Network", &guid(instance, Kind::Network, u16::from(network.0)));
            key.number("EnableNetBIOS", u32::from(*netbios));
        }
        ResourceKind::NetworkName { name } => key.text("Name", name),
        ResourceKind::GenericService { service, use_network_name } => {
            key.text("ServiceName", service);
            key.number("UseNetworkName", u32::from(*use_network_name));
        }
        ResourceKind::GenericApplication { command_line, use_network_name } => {
            key.text("CommandLine", command_line);
            key.number("UseNetworkName", u32::from(*use_network_name));
        }
        ResourceKind::FileShare { share, path } => {
            key.text("ShareName", share);
            key.text("Path", path);
        }
        ResourceKind::TimeService => {}
        ResourceKind::Wins { database_path, backup_path }
        | ResourceKind::Dhcp { database_path, backup_path } => {
            key.text("DatabasePath", database_path);
            key.text("BackupPath", backup_path);
        }
    }
    key.done()
}

fn quorum_key(config: &ClusterConfig, instance: &str) -> Vec<DbChange> {
    let mut key = Writer::new("Quorum".into());
    key.number("MaxQuorumLogSize", config.profile.quorum_log_max);
    match config.quorum {
        QuorumKind::Disk(resource) => {
            key.text("Type", "Physical Disk");
            key.text("Resource", &guid(instance, Kind::Resource, resource.0));
            let at = usize::from(resource.0);
            if let Some(ResourceKind::PhysicalDisk { disk, .. }) =
                config.resources.get(at).map(|resource| &resource.kind)
                && let Some(disk) = config.disks.get(usize::from(disk.0))
            {
                key.text("Path", &format!("{}:\\MSCS\\", disk.letter));
            }
        }
        QuorumKind::Local => key.text("Type", "Local Quorum"),
        QuorumKind::MajorityNodeSet => key.text("Type", "Majority Node Set"),
    }
    key.done()
}

/// The name of the value in `RegSync` that holds the key with this number.
pub(super) fn checkpoint_name(number: u32) -> String {
    format!("{number:08}")
}

fn nodes(nodes: &[NodeId]) -> Vec<String> {
    nodes.iter().map(|node| node.0.to_string()).collect()
}
