//! Clusters, registries and invented programs in words.

use super::words::{Words, drawn, plural, time};
use crate::cluster::{Control, DiskId, GroupId, NodeId, ResourceId, ResourceState, StartSwitches};
use crate::registry::Value;
use crate::scenario::cluster::{
    ClusterAction, ClusterCondition, ClusterFault, ClusterFile, ClusterObject, ClusterPlan,
    ClusterRef, CutWay, FileChange, PropertyValue,
};
use crate::scenario::expectation::{Condition, RegistryData};
use crate::scenario::program::{RegistryEdit, RegistryFile};
use crate::scenario::story::HostTarget;

impl Words<'_> {
    fn cluster(&self, cluster: ClusterRef) -> &ClusterPlan {
        &self.plan.clusters[cluster.index()]
    }

    /// The host that is this node.
    pub(super) fn node(&self, cluster: &ClusterPlan, node: NodeId) -> &str {
        let place = usize::from(node.0).wrapping_sub(1);
        cluster.hosts.get(place).map_or("?", |host| self.host(*host))
    }

    pub(super) fn quorum_of(&self, cluster: ClusterRef) -> String {
        match self.plan.clusters.len() {
            1 => "the quorum".to_string(),
            _ => format!("the quorum of {}", self.cluster(cluster).name),
        }
    }

    pub(super) fn group(&self, cluster: ClusterRef, group: GroupId) -> String {
        let groups = &self.cluster(cluster).config.groups;
        let name = groups.get(usize::from(group.0)).map_or("?", |g| g.name.as_str());
        match name {
            "Cluster Group" => "the Cluster Group".to_string(),
            _ => format!("group {name}"),
        }
    }

    fn resource(&self, cluster: ClusterRef, resource: ResourceId) -> String {
        let resources = &self.cluster(cluster).config.resources;
        let name = resources.get(usize::from(resource.0)).map_or("?", |r| r.name.as_str());
        format!("resource {name}")
    }

    fn disks(&self, cluster: ClusterRef, disks: &[DiskId]) -> String {
        let all = &self.cluster(cluster).config.disks;
        let name = |d: &DiskId| all.get(usize::from(d.0)).map_or("?", |d| d.name.as_str());
        let names: Vec<&str> = disks.iter().map(name).collect();
        format!("disk {}", names.join(", "))
    }

    pub(super) fn cluster_fault(&self, cluster: ClusterRef, fault: &ClusterFault) -> String {
        match fault {
            ClusterFault::CutNetwork { network, nodes, way } => {
                let networks = &self.cluster(cluster).config.networks;
                let name =
                    networks.get(usize::from(network.0)).map_or("?", |network| &network.name);
                let way = match way {
                    CutWay::Both => "neither sends nor hears",
                    CutWay::Out => "is not heard, but hears",
                    CutWay::In => "does not hear, but is heard",
                };
                format!("{} {way} on network {name}", self.target(nodes))
            }
            ClusterFault::BusReset => {
                format!("the bus of {} is reset", self.cluster(cluster).name)
            }
            ClusterFault::CablePulled(nodes) => {
                format!("{} is cut off from the shared disks", self.target(nodes))
            }
            ClusterFault::DiskFailed(disks) => format!("{} fails", self.disks(cluster, disks)),
            ClusterFault::DiskFull(disks) => format!("{} is full", self.disks(cluster, disks)),
            ClusterFault::DiskSlow { disks, factor } => {
                format!("{} takes {factor} times as long", self.disks(cluster, disks))
            }
            ClusterFault::DirtyVolume(disks) => {
                format!("the volume of {} is marked dirty", self.disks(cluster, disks))
            }
            ClusterFault::MonitorDies(resource) => {
                format!("the resource monitor of {} dies", self.resource(cluster, *resource))
            }
        }
    }

    pub(super) fn cluster_action(&self, cluster: ClusterRef, action: &ClusterAction) -> String {
        match action {
            ClusterAction::Ask { through, control } => {
                let what = self.control(cluster, control);
                let node = through.map(|node| self.node(self.cluster(cluster), node));
                let node = node.map_or(String::new(), |name| format!(", through {name}"));
                format!("{what}{node}")
            }
            ClusterAction::CreateResources(list) => {
                let first = list.first().map_or("?", |r| r.name.as_str());
                let group = list.first().map_or(GroupId(0), |r| r.group);
                let count = plural(list.len(), "resource");
                format!("{count} created in {}: {first}...", self.group(cluster, group))
            }
            ClusterAction::SetProperty { object, property, value } => {
                let object = match object {
                    ClusterObject::Group(group) => self.group(cluster, *group),
                    ClusterObject::Resource(resource) => self.resource(cluster, *resource),
                };
                let value = match value {
                    PropertyValue::Number(n) => n.to_string(),
                    PropertyValue::Text(text) => format!("{text:?}"),
                    PropertyValue::Texts(list) => format!("{list:?}"),
                };
                format!("{property} of {object} set to {value}")
            }
            ClusterAction::StopService(nodes) => {
                format!("the cluster service of {} is stopped", self.target(nodes))
            }
            ClusterAction::StartService { nodes, switches } => {
                let with = start_switches(switches);
                let with = if with.is_empty() { with } else { format!(" with {with}") };
                format!("the cluster service of {} is started{with}", self.target(nodes))
            }
            ClusterAction::KillService(nodes) => {
                format!("the cluster service of {} is killed", self.target(nodes))
            }
            ClusterAction::HangService { nodes, lasts } => {
                let lasts = lasts.map_or("for good".to_string(), |l| format!("for {}", drawn(l)));
                format!("the cluster service of {} hangs {lasts}", self.target(nodes))
            }
            ClusterAction::File { file, change } => {
                let change = match change {
                    FileChange::Delete => "is deleted",
                    FileChange::Damage => "is damaged",
                    FileChange::Truncate => "is cut in half",
                    FileChange::Empty => "is emptied",
                };
                format!("{} {change}", self.file(cluster, file))
            }
            ClusterAction::ChangePassword => {
                format!(
                    "the account of the services of {} gets a new password",
                    self.cluster(cluster).name
                )
            }
            ClusterAction::ReplaceDisk(disk) => {
                format!("{} is replaced by a new one", self.disks(cluster, &[*disk]))
            }
            ClusterAction::SetSignature { disk, signature } => {
                format!("{} gets the signature {signature:08X}", self.disks(cluster, &[*disk]))
            }
        }
    }

    fn control(&self, cluster: ClusterRef, control: &Control) -> String {
        let group = |g: GroupId| self.group(cluster, g);
        let resource = |r: ResourceId| self.resource(cluster, r);
        let node = |n| self.node(self.cluster(cluster), n);
        match control {
            Control::OnlineResource(r) => format!("{} is brought online", resource(*r)),
            Control::OfflineResource(r) => format!("{} is taken offline", resource(*r)),
            Control::FailResource(r) => format!("{} is made to fail", resource(*r)),
            Control::OnlineGroup(g) => format!("{} is brought online", group(*g)),
            Control::OfflineGroup(g) => format!("{} is taken offline", group(*g)),
            Control::MoveGroup { group: g, to: Some(to) } => {
                format!("{} is moved to {}", group(*g), node(*to))
            }
            Control::MoveGroup { group: g, to: None } => {
                format!("{} is moved to the best other node", group(*g))
            }
            Control::PauseNode(n) => format!("{} is paused", node(*n)),
            Control::ResumeNode(n) => format!("{} is resumed", node(*n)),
            Control::EvictNode(n) => format!("{} is evicted", node(*n)),
            Control::AddCheckpoint { resource: r, key } => {
                format!("{} gets a checkpoint of {key}", resource(*r))
            }
            Control::DeleteCheckpoint { resource: r, key } => {
                format!("{} loses its checkpoint of {key}", resource(*r))
            }
            Control::CreateResource(_) => "a resource is created".to_string(),
            Control::DeleteResource(r) => format!("{} is deleted", resource(*r)),
            Control::ChangeDatabase(changes) => {
                format!("the cluster registry is changed: {changes:?}")
            }
            Control::SetQuorumLogMax(bytes) => {
                format!("the quorum log may have {}", super::words::size(u64::from(*bytes)))
            }
            Control::RecoverCheckpoints => {
                "every checkpoint is made anew from its owner's registry".to_string()
            }
        }
    }

    fn file(&self, cluster: ClusterRef, file: &ClusterFile) -> String {
        match file {
            ClusterFile::QuorumLog => format!("the quorum log of {}", self.cluster(cluster).name),
            ClusterFile::HiveCheckpoint => {
                format!("the newest hive checkpoint of {}", self.cluster(cluster).name)
            }
            ClusterFile::Checkpoint { resource, key } => {
                let of = key.as_ref().map_or("every key".to_string(), |key| format!("`{key}`"));
                format!("the checkpoint of {of} of {}", self.resource(cluster, *resource))
            }
            ClusterFile::Clusdb(hosts) => format!("CLUSDB of {}", self.target(hosts)),
            ClusterFile::OnDisk { disk, path } => {
                format!("{path} of {}", self.disks(cluster, &[*disk]))
            }
        }
    }

    pub(super) fn registry_edit(&self, hosts: &HostTarget, edit: &RegistryEdit) -> String {
        let hosts = self.target(hosts);
        match edit {
            RegistryEdit::Set { key, value, data } => {
                format!("{} of {key} set to {} on {hosts}", value_name(value), data_of(data))
            }
            RegistryEdit::DeleteValue { key, value } => {
                format!("{} of {key} deleted on {hosts}", value_name(value))
            }
            RegistryEdit::Protect { key, accounts } => {
                format!("rights on {key} on {hosts}: {} alone", accounts.join(", "))
            }
            RegistryEdit::DeleteKey { key } => format!("{key} deleted on {hosts}"),
            RegistryEdit::Import(file) => format!("{} imported on {hosts}", registry_file(file)),
        }
    }

    /// A condition about registries, programs or clusters.
    pub(super) fn host_condition(&self, condition: &Condition) -> String {
        match condition {
            Condition::RegistryValue { hosts, key, value, data } => {
                let hosts = self.target(hosts);
                let what = match value {
                    Some(value) => format!("{} of {key}", value_name(value)),
                    None => key.to_string(),
                };
                match data {
                    None => format!("{what} is not there on {hosts}"),
                    Some(RegistryData::Present) => format!("{what} is there on {hosts}"),
                    Some(RegistryData::Equals(data)) => {
                        format!("{what} is {} on {hosts}", data_of(data))
                    }
                }
            }
            Condition::ProgramRuns { hosts, program } => {
                format!("{program} runs on {}", self.target(hosts))
            }
            Condition::Cluster { cluster, condition } => {
                self.cluster_condition(*cluster, condition)
            }
            _ => String::new(),
        }
    }

    fn cluster_condition(&self, cluster: ClusterRef, condition: &ClusterCondition) -> String {
        let name = &self.cluster(cluster).name;
        let node = |n| self.node(self.cluster(cluster), n);
        match condition {
            ClusterCondition::GroupsOnline { groups, on } => {
                let names: Vec<String> = groups.iter().map(|g| self.group(cluster, *g)).collect();
                let on = on.map_or(String::new(), |on| format!(" on {}", node(on)));
                let is = if names.len() == 1 { "is" } else { "are" };
                format!("{} {is} online{on}", names.join(", "))
            }
            ClusterCondition::GroupOwner { group, node: owner } => {
                format!("{} owns {}", node(*owner), self.group(cluster, *group))
            }
            ClusterCondition::ResourceState { resource, state } => {
                format!("{} is {}", self.resource(cluster, *resource), state_word(*state))
            }
            ClusterCondition::ResourcesOnline { group, at_least, at_most } => {
                let group = self.group(cluster, *group);
                format!("{} of {group} online", limits(*at_least, *at_most, "resource"))
            }
            ClusterCondition::OneOwner => format!("no group of {name} has two owners"),
            ClusterCondition::Formed => format!("cluster {name} is formed"),
            ClusterCondition::NodesUp { nodes, at_least, at_most } => {
                if !nodes.is_empty() {
                    let names: Vec<&str> = nodes.iter().map(|n| node(*n)).collect();
                    return format!("{} up in cluster {name}", names.join(", "));
                }
                format!("{} up in cluster {name}", limits(*at_least, *at_most, "node"))
            }
            ClusterCondition::CheckpointEquals { resource, key } => {
                let what = key.as_ref().map_or("every checkpoint".into(), |k| format!("`{k}`"));
                let resource = self.resource(cluster, *resource);
                format!("{what} of {resource} is saved as its owner has it")
            }
            ClusterCondition::LostChanges { resource, at_least, at_most } => {
                let of = resource.map_or(name.clone(), |r| self.resource(cluster, r));
                let of = format!("of checkpointed keys of {of} are lost");
                format!("{} {of}", limits(*at_least, *at_most, "change"))
            }
            ClusterCondition::Downtime { group, at_least, at_most } => {
                let low = at_least.map(|low| format!("at least {}", time(low)));
                let high = at_most.map(|high| format!("at most {}", time(high)));
                let both: Vec<String> = [low, high].into_iter().flatten().collect();
                format!("{} is away for {}", self.group(cluster, *group), both.join(", "))
            }
            ClusterCondition::NoViolation { except } if except.is_empty() => {
                format!("no rule of cluster {name} is broken")
            }
            ClusterCondition::NoViolation { except } => {
                format!("no rule of cluster {name} is broken but by {}", except.join(", "))
            }
            ClusterCondition::ViolationSeen { name: fault } => {
                format!("{fault} breaks a rule of cluster {name}")
            }
        }
    }
}

/// `at least 2 nodes`.
fn limits(low: Option<u64>, high: Option<u64>, what: &str) -> String {
    match (low, high) {
        (Some(low), Some(high)) if low == high => format!("exactly {}", plural(low as usize, what)),
        (Some(low), Some(high)) => format!("{low} to {}", plural(high as usize, what)),
        (Some(low), None) => format!("at least {}", plural(low as usize, what)),
        (None, Some(0)) => format!("no {what}"),
        (None, Some(high)) => format!("at most {}", plural(high as usize, what)),
        (None, None) => format!("any number of {what}s"),
    }
}

fn state_word(state: ResourceState) -> &'static str {
    match state {
        ResourceState::Offline => "offline",
        ResourceState::OnlinePending => "on its way online",
        ResourceState::Online => "online",
        ResourceState::OfflinePending => "on its way offline",
        ResourceState::Failed => "failed",
    }
}

pub(super) fn start_switches(switches: &StartSwitches) -> String {
    let words = [
        (switches.fix_quorum, "fixquorum"),
        (switches.no_quorum_logging, "noquorumlogging"),
        (switches.reset_quorum_log, "resetquorumlog"),
        (switches.force_quorum.is_some(), "forcequorum"),
    ];
    words.iter().filter(|(on, _)| *on).map(|(_, word)| *word).collect::<Vec<_>>().join(", ")
}

fn value_name(name: &str) -> &str {
    if name.is_empty() { "the default value" } else { name }
}

fn registry_file(file: &RegistryFile) -> &str {
    if file.path.is_empty() { "a text" } else { &file.path }
}

/// The data of a value as a scenario writes them.
pub(super) fn data_of(data: &Value) -> String {
    match data {
        Value::Dword(n) => n.to_string(),
        Value::Sz(text) | Value::ExpandSz(text) => format!("{text:?}"),
        Value::MultiSz(list) => format!("{list:?}"),
        Value::None(bytes) | Value::Binary(bytes) => {
            let hex: Vec<String> = bytes.iter().map(|b| format!("{b:02x}")).collect();
            format!("hex {}", hex.join(" "))
        }
        Value::Other { kind, data } => format!("{} bytes of kind {kind}", data.len()),
    }
}
