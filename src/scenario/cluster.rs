//! Clusters of a plan: how they are set up, what breaks in them, what administrators do, what must hold.
//!
//! A cluster is lowered to what its nodes are started with ([`ClusterConfig`]); numbers of nodes, networks,
//! disks, groups and resources are those of that configuration. What is said in words about whoever holds
//! something at that moment (the owner of the quorum, of a group) is left to the run: see
//! [`Choose`](super::Choose).

use super::plan::{Changed, DurationRange, HostRef, SubnetRef, WinsPlan, index_type};
use super::story::HostTarget;
use crate::base::SimDuration;
use crate::cluster::{
    ClusterConfig, Control, DiskId, GroupId, NetworkId, NodeId, ResourceConfig, ResourceId,
    ResourceKind, ResourceState, StartSwitches,
};
use crate::sim::disk::DiskParams;
use crate::wire::{NetbiosName, Suffix};
use std::net::Ipv4Addr;

index_type!(
    /// An index into [`Plan::clusters`](super::Plan::clusters).
    ClusterRef
);

/// A cluster.
#[derive(Clone, PartialEq, Debug)]
pub struct ClusterPlan {
    /// What the file calls it.
    pub name: String,
    /// Its nodes, networks, disks, groups, resources, and what its version does.
    pub config: ClusterConfig,
    /// The hosts that are its nodes, by number less one.
    pub hosts: Vec<HostRef>,
    /// The subnets that are its networks, by number.
    pub subnets: Vec<SubnetRef>,
    /// Its disks, by number: what the configuration does not say of them.
    pub disks: Vec<SharedDiskPlan>,
    /// From the end of a node's boot to the start of its cluster service.
    pub starts_after: DurationRange,
    /// What the service is started with at every boot.
    pub switches: StartSwitches,
    /// The WINS server behind its WINS resource. Its partners, profile and mappings; the addresses and the
    /// database are those of the resource.
    pub wins: Option<WinsPlan>,
    /// Parameters of the profile that the file changes, in the order of the file.
    pub changed: Vec<Changed>,
}

impl ClusterPlan {
    /// The WINS resource, if there is one; a cluster has one at most.
    pub fn wins_resource(&self) -> Option<ResourceId> {
        let is_wins = |r: &ResourceConfig| matches!(r.kind, ResourceKind::Wins { .. });
        let place = self.config.resources.iter().position(is_wins);
        place.map(|place| ResourceId(place as u16))
    }

    /// A resource and all it depends on, in the order of the configuration.
    pub fn below(&self, resource: ResourceId) -> Vec<ResourceId> {
        let (mut below, mut next) = (Vec::new(), vec![resource]);
        while let Some(id) = next.pop() {
            let Some(config) = self.config.resources.get(usize::from(id.0)) else { continue };
            if !below.contains(&id) {
                below.push(id);
                next.extend(&config.depends_on);
            }
        }
        below.sort_unstable();
        below
    }

    /// Where its WINS server answers: the first IP Address that the resource depends on.
    pub fn wins_address(&self) -> Option<Ipv4Addr> {
        self.address_below(self.wins_resource()?)
    }

    /// The first IP Address that a resource depends on.
    pub fn address_below(&self, resource: ResourceId) -> Option<Ipv4Addr> {
        self.below(resource).into_iter().find_map(|id| match self.kind(id) {
            ResourceKind::IpAddress { address, .. } => Some(*address),
            _ => None,
        })
    }

    /// What its WINS server is called: by the network name it depends on, else as the resource.
    pub fn wins_name(&self) -> String {
        let Some(resource) = self.wins_resource() else { return self.name.clone() };
        let name = self.name_below(resource).map(str::to_lowercase);
        name.unwrap_or_else(|| self.config.resources[usize::from(resource.0)].name.clone())
    }

    /// The first Network Name that a resource depends on.
    pub fn name_below(&self, resource: ResourceId) -> Option<&str> {
        self.below(resource).into_iter().find_map(|id| match self.kind(id) {
            ResourceKind::NetworkName { name } => Some(name.as_str()),
            _ => None,
        })
    }

    /// Its network names: each with its resource and the address that goes with it.
    pub fn network_names(&self) -> impl Iterator<Item = (NetbiosName, ResourceId, Ipv4Addr)> + '_ {
        let numbered = (0u16..).map(ResourceId).zip(&self.config.resources);
        numbered.filter_map(|(id, config)| {
            let ResourceKind::NetworkName { name } = &config.kind else { return None };
            let name = NetbiosName::new(name, Suffix::SERVER).ok()?;
            Some((name, id, self.address_below(id)?))
        })
    }

    /// What a resource of the configuration is.
    pub fn kind(&self, resource: ResourceId) -> &ResourceKind {
        &self.config.resources[usize::from(resource.0)].kind
    }
}

/// A disk of a shared bus, beyond its name, signature and letter.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub struct SharedDiskPlan {
    /// What it costs and holds.
    pub platter: DiskParams,
    /// How long a check of its volume takes; `None` for a time that follows from its size.
    pub chkdsk: Option<SimDuration>,
    /// Whether its volume is dirty when the run begins.
    pub dirty: bool,
}

/// What breaks in a cluster.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ClusterFault {
    /// The adapters of these nodes on a network carry nothing.
    CutNetwork {
        /// The network.
        network: NetworkId,
        /// Whose adapters.
        nodes: HostTarget,
        /// Which way.
        way: CutWay,
    },
    /// Every reservation on the bus is broken. Over at once.
    BusReset,
    /// These nodes are cut off from the shared disks.
    CablePulled(HostTarget),
    /// These disks answer nobody.
    DiskFailed(Vec<DiskId>),
    /// These disks accept no further write.
    DiskFull(Vec<DiskId>),
    /// Operations on these disks take longer.
    DiskSlow {
        /// Which.
        disks: Vec<DiskId>,
        /// How many times as long, at least 2.
        factor: u32,
    },
    /// The volumes of these disks are marked dirty: the next mount checks them. Over at once.
    DirtyVolume(Vec<DiskId>),
    /// The resource monitor of a resource on its owner dies. Over at once.
    MonitorDies(ResourceId),
}

/// Which way a cut adapter is silent.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub enum CutWay {
    /// It neither sends nor hears.
    #[default]
    Both,
    /// It hears, and is not heard.
    Out,
    /// It is heard, and does not hear.
    In,
}

/// What an administrator does to a cluster.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ClusterAction {
    /// Asks the cluster service for something, through this node; `None` for the first that is up.
    Ask {
        /// Through which node.
        through: Option<NodeId>,
        /// What for.
        control: Control,
    },
    /// Creates resources, one after the other, and brings them online if their group is.
    CreateResources(Vec<ResourceConfig>),
    /// Sets a property.
    SetProperty {
        /// Of what.
        object: ClusterObject,
        /// Its name, as the SDK writes it: `RestartThreshold`.
        property: String,
        /// Its value.
        value: PropertyValue,
    },
    /// Stops the cluster service of these nodes in order.
    StopService(HostTarget),
    /// Starts it with these switches.
    StartService {
        /// On which nodes.
        nodes: HostTarget,
        /// With what.
        switches: StartSwitches,
    },
    /// Ends the process of the cluster service.
    KillService(HostTarget),
    /// The cluster service stands still for this long; the host goes on. `None` until it is killed.
    HangService {
        /// On which nodes.
        nodes: HostTarget,
        /// How long.
        lasts: Option<DurationRange>,
    },
    /// Does something to a file of the cluster.
    File {
        /// Which.
        file: ClusterFile,
        /// What.
        change: FileChange,
    },
    /// The account of the cluster services gets a new password (Q317232).
    ChangePassword,
    /// Puts a new, empty disk with another signature in the place of this one.
    ReplaceDisk(DiskId),
    /// Writes or changes the signature of a disk to this one.
    SetSignature {
        /// Of which disk.
        disk: DiskId,
        /// The signature.
        signature: u32,
    },
}

/// Something in a cluster that has properties.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum ClusterObject {
    /// A group.
    Group(GroupId),
    /// A resource.
    Resource(ResourceId),
}

/// The value of a property.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PropertyValue {
    /// A number, times in the property's own unit.
    Number(u32),
    /// A text.
    Text(String),
    /// Texts.
    Texts(Vec<String>),
}

/// A file of a cluster.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ClusterFile {
    /// The quorum log, `MSCS\quolog.log`.
    QuorumLog,
    /// The newest checkpoint of the cluster hive, `MSCS\chkNNN.tmp`.
    HiveCheckpoint,
    /// The file of a registry checkpoint on the quorum resource.
    Checkpoint {
        /// The resource.
        resource: ResourceId,
        /// The checkpointed key, relative to HKLM; `None` for all of the resource's.
        key: Option<String>,
    },
    /// The copy of the database on these nodes, `%SystemRoot%\Cluster\CLUSDB`.
    Clusdb(HostTarget),
    /// Any file of a disk, by its path from the root.
    OnDisk {
        /// The disk.
        disk: DiskId,
        /// The path, with backslashes.
        path: String,
    },
}

/// What is done to a file.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum FileChange {
    /// It is deleted.
    Delete,
    /// Bytes in its middle are overwritten.
    Damage,
    /// Its second half is cut off.
    Truncate,
    /// It has no bytes any more (Q216064).
    Empty,
}

/// What must hold of a cluster, or must not.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ClusterCondition {
    /// These groups are online, each on one node.
    GroupsOnline {
        /// Which.
        groups: Vec<GroupId>,
        /// On this node; `None` for any.
        on: Option<NodeId>,
    },
    /// A node owns a group, whatever the state of its resources.
    GroupOwner {
        /// The group.
        group: GroupId,
        /// The node.
        node: NodeId,
    },
    /// A resource is in a state, as its owner sees it.
    ResourceState {
        /// The resource.
        resource: ResourceId,
        /// The state.
        state: ResourceState,
    },
    /// So many resources of a group are online at its owner, those made while the cluster runs included.
    ResourcesOnline {
        /// The group.
        group: GroupId,
        /// Not fewer.
        at_least: Option<u64>,
        /// Not more.
        at_most: Option<u64>,
    },
    /// No group is owned by two nodes at once.
    OneOwner,
    /// A cluster is formed: a node is up in it.
    Formed,
    /// So many nodes, or these nodes, are up in the cluster, as those that are see it.
    NodesUp {
        /// These at least.
        nodes: Vec<NodeId>,
        /// Not fewer.
        at_least: Option<u64>,
        /// Not more.
        at_most: Option<u64>,
    },
    /// The checkpoint on the quorum resource is equal to the key in the registry of its resource's owner.
    CheckpointEquals {
        /// The resource.
        resource: ResourceId,
        /// The checkpointed key, relative to HKLM; `None` for all of the resource's.
        key: Option<String>,
    },
    /// Changes of checkpointed keys that no node has any more after a failover: so many at most.
    LostChanges {
        /// Of this resource; `None` for all.
        resource: Option<ResourceId>,
        /// Not fewer.
        at_least: Option<u64>,
        /// Not more.
        at_most: Option<u64>,
    },
    /// The longest time a group was not online without a break, within the period.
    Downtime {
        /// The group.
        group: GroupId,
        /// Not less.
        at_least: Option<SimDuration>,
        /// Not more.
        at_most: Option<SimDuration>,
    },
    /// No rule of the cluster was broken, but for the documented faults with these names.
    NoViolation {
        /// `Q289863`.
        except: Vec<String>,
    },
    /// The documented fault with this name has broken a rule.
    ViolationSeen {
        /// `Q289863`.
        name: String,
    },
}
