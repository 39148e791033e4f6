//! A cluster as set up: what the setup program and the administrator wrote into the cluster database before
//! the scenario begins. The running cluster reads the database, not this: see [`super::database`].

use super::ids::{DiskId, GroupId, NetworkId, NodeId, ResourceId};
use super::profile::ClusterProfile;
use crate::base::SimDuration;
use std::net::Ipv4Addr;

/// A cluster.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClusterConfig {
    /// Its name, 1 to 15 characters.
    pub name: String,
    /// What its version does.
    pub profile: ClusterProfile,
    /// Its nodes; the place in the list is the number less one.
    pub nodes: Vec<NodeConfig>,
    /// Its networks; the place in the list is the number.
    pub networks: Vec<NetworkConfig>,
    /// Disks of the shared bus; the place in the list is the number.
    pub disks: Vec<DiskConfig>,
    /// What decides who is the cluster.
    pub quorum: QuorumKind,
    /// Groups; the place in the list is the number. The first is the Cluster Group.
    pub groups: Vec<GroupConfig>,
    /// Resources; the place in the list is the number.
    pub resources: Vec<ResourceConfig>,
}

/// A node.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NodeConfig {
    /// Its computer name.
    pub name: String,
    /// Its address on each network of the cluster, in their order; `None` where it has no adapter.
    pub addresses: Vec<Option<Ipv4Addr>>,
}

/// What a network may carry.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum NetworkRole {
    /// Nothing of the cluster's.
    None,
    /// Traffic between nodes.
    Internal,
    /// Clients only: never heartbeats, even if it is the last one that works (Q176320).
    Client,
    /// Both.
    All,
}

/// A network.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NetworkConfig {
    /// Its name.
    pub name: String,
    /// What it may carry.
    pub role: NetworkRole,
}

/// A disk of the shared bus.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DiskConfig {
    /// Its name.
    pub name: String,
    /// Its signature: disks are found by it, never by their place (Q243195).
    pub signature: u32,
    /// The drive letter of its volume, in capitals.
    pub letter: char,
}

/// What decides who is the cluster.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum QuorumKind {
    /// The node that holds this physical disk resource.
    Disk(ResourceId),
    /// One node alone (development: Q245626).
    Local,
    /// More than half of the nodes (Windows Server 2003).
    MajorityNodeSet,
}

/// A group.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GroupConfig {
    /// Its name.
    pub name: String,
    /// Nodes it prefers, the best first.
    pub preferred_owners: Vec<NodeId>,
    /// Failovers in a period before it is left where it is; `None` for no limit.
    pub failover_threshold: Option<u32>,
    /// That period.
    pub failover_period: SimDuration,
    /// Whether it goes back to its preferred owner, and when.
    pub failback: Failback,
    /// Whether it goes online when the cluster forms.
    pub online_at_start: bool,
}

/// Whether and when a group goes back to its preferred owner.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Failback {
    /// Never.
    Prevent,
    /// As soon as that node is up.
    Immediate,
    /// Between two hours of the day, 0 to 23, of the cluster's local time.
    Window {
        /// From this hour.
        start: u8,
        /// To this hour.
        end: u8,
    },
}

/// What a resource is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ResourceKind {
    /// A disk of the shared bus.
    PhysicalDisk {
        /// Which.
        disk: DiskId,
        /// Do not check a dirty volume.
        skip_chkdsk: bool,
        /// Mount only what the check found clean.
        conditional_mount: bool,
    },
    /// An address that moves with its group.
    IpAddress {
        /// The address.
        address: Ipv4Addr,
        /// The network it belongs to.
        network: NetworkId,
        /// Whether NetBT uses it (EnableNetBIOS).
        netbios: bool,
    },
    /// A name that moves with its group, registered through the node's NetBT.
    NetworkName {
        /// The name, 1 to 15 characters.
        name: String,
    },
    /// A service of the service control manager.
    GenericService {
        /// Its name there.
        service: String,
        /// Whether it is told the virtual name.
        use_network_name: bool,
    },
    /// A program.
    GenericApplication {
        /// What is started.
        command_line: String,
        /// Whether it is told the virtual name.
        use_network_name: bool,
    },
    /// A share.
    FileShare {
        /// Its name.
        share: String,
        /// The folder.
        path: String,
    },
    /// Keeps the clocks of the nodes together (NT 4.0).
    TimeService,
    /// The WINS service (Windows 2000 and later).
    Wins {
        /// Where its database is, with a drive letter.
        database_path: String,
        /// Where its backups go.
        backup_path: String,
    },
    /// The DHCP service (Windows 2000 and later).
    Dhcp {
        /// Where its database is, with a drive letter.
        database_path: String,
        /// Where its backups go.
        backup_path: String,
    },
}

/// What follows when a resource fails.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum RestartAction {
    /// It stays failed.
    None,
    /// It is restarted, and never takes its group along.
    Restart,
    /// It is restarted up to its threshold, then its group fails over.
    AffectGroup,
}

/// A resource.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ResourceConfig {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: ResourceKind,
    /// Its group.
    pub group: GroupId,
    /// Resources of the same group that must be online before it.
    pub depends_on: Vec<ResourceId>,
    /// Nodes that can run it; empty for all.
    pub possible_owners: Vec<NodeId>,
    /// Its timers and thresholds; `None` for its profile's.
    pub looks_alive: Option<SimDuration>,
    /// As above.
    pub is_alive: Option<SimDuration>,
    /// Longest silence while it goes online or offline.
    pub pending_timeout: Option<SimDuration>,
    /// What follows when it fails.
    pub restart_action: RestartAction,
    /// Restarts in a period; `None` for its profile's.
    pub restart_threshold: Option<u32>,
    /// That period; `None` for its profile's.
    pub restart_period: Option<SimDuration>,
    /// A resource monitor of its own.
    pub separate_monitor: bool,
    /// Registry keys checkpointed for it, relative to HKLM.
    pub checkpoints: Vec<String>,
}

/// Failovers in a period before a group is left where it is: what the administrator's program offered for
/// NT 4.0 to Server 2003. Not published as a default of the service.
pub const FAILOVER_THRESHOLD: u32 = 10;
/// That period (SDK, FailoverPeriod).
pub const FAILOVER_PERIOD: SimDuration = SimDuration::from_hours(6);

impl GroupConfig {
    /// A group as the administrator's program makes it: no preferred owners, no failback, online at once.
    pub fn new(name: impl Into<String>) -> GroupConfig {
        GroupConfig {
            name: name.into(),
            preferred_owners: Vec::new(),
            failover_threshold: Some(FAILOVER_THRESHOLD),
            failover_period: FAILOVER_PERIOD,
            failback: Failback::Prevent,
            online_at_start: true,
        }
    }
}

impl ResourceConfig {
    /// A resource as the administrator's program makes it: every node can run it, its failure affects the
    /// group, timers and thresholds are its profile's, nothing is checkpointed.
    pub fn new(
        name: impl Into<String>,
        kind: ResourceKind,
        group: GroupId,
        depends_on: Vec<ResourceId>,
    ) -> ResourceConfig {
        ResourceConfig {
            name: name.into(),
            kind,
            group,
            depends_on,
            possible_owners: Vec::new(),
            looks_alive: None,
            is_alive: None,
            pending_timeout: None,
            restart_action: RestartAction::AffectGroup,
            restart_threshold: None,
            restart_period: None,
            separate_monitor: false,
            checkpoints: Vec::new(),
        }
    }
}

impl ClusterConfig {
    /// The resource whose disk the quorum is on, if it is on one.
    pub fn quorum_resource(&self) -> Option<&ResourceConfig> {
        let QuorumKind::Disk(resource) = self.quorum else { return None };
        self.resources.get(usize::from(resource.0))
    }

    /// The disk the quorum is on, if it is on one.
    pub fn quorum_disk(&self) -> Option<DiskId> {
        match self.quorum_resource()?.kind {
            ResourceKind::PhysicalDisk { disk, .. } => Some(disk),
            _ => None,
        }
    }

    /// The shared disk that a path such as `F:\data` is on, and what comes after the colon.
    pub fn disk_of_path<'a>(&self, path: &'a str) -> Option<(DiskId, &'a str)> {
        let (letter, rest) = path.split_once(':')?;
        let has_letter =
            |disk: &DiskConfig| letter.eq_ignore_ascii_case(disk.letter.encode_utf8(&mut [0; 4]));
        let place = self.disks.iter().position(has_letter)?;
        Some((DiskId(place as u16), rest))
    }

    /// A node by its number.
    pub fn node(&self, id: NodeId) -> Option<&NodeConfig> {
        self.nodes.get((id.0 as usize).checked_sub(1)?)
    }

    /// The numbers of all nodes.
    pub fn node_ids(&self) -> impl Iterator<Item = NodeId> + use<> {
        (1..=self.nodes.len() as u8).map(NodeId)
    }

    /// The node with this address on a network.
    pub fn node_at(&self, network: NetworkId, address: Ipv4Addr) -> Option<NodeId> {
        let there = |node: &NodeConfig| {
            node.addresses.get(network.0 as usize).copied().flatten() == Some(address)
        };
        self.nodes.iter().position(there).map(|place| NodeId(place as u8 + 1))
    }

    /// Networks that carry traffic between nodes, the first with the highest priority.
    pub fn internal_networks(&self) -> impl Iterator<Item = NetworkId> + '_ {
        let carries =
            |n: &NetworkConfig| matches!(n.role, NetworkRole::Internal | NetworkRole::All);
        let numbered = (0u8..).zip(&self.networks);
        numbered.filter(move |(_, n)| carries(n)).map(|(i, _)| NetworkId(i))
    }
}
