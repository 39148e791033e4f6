//! Clusters to play with.

use crate::base::SimDuration;
use crate::cluster::{
    ClusterConfig, ClusterProfile, DiskConfig, DiskId, Failback, GroupConfig, GroupId,
    NetworkConfig, NetworkRole, NodeConfig, NodeId, QuorumKind, ResourceConfig, ResourceId,
    ResourceKind, RestartAction,
};

pub fn resource(name: &str, group: u16, depends_on: &[u16]) -> ResourceConfig {
    ResourceConfig {
        name: name.into(),
        kind: ResourceKind::GenericService { service: name.into(), use_network_name: false },
        group: GroupId(group),
        depends_on: depends_on.iter().copied().map(ResourceId).collect(),
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

pub fn disk(number: u16, group: u16) -> ResourceConfig {
    let disk = DiskId(number);
    let kind = ResourceKind::PhysicalDisk { disk, skip_chkdsk: false, conditional_mount: false };
    ResourceConfig { kind, ..resource("disk", group, &[]) }
}

pub fn group(name: &str) -> GroupConfig {
    GroupConfig {
        name: name.into(),
        preferred_owners: Vec::new(),
        failover_threshold: Some(10),
        failover_period: SimDuration::from_hours(6),
        failback: Failback::Prevent,
        online_at_start: true,
    }
}

/// A Cluster Group with the quorum disk and one service, and a group with a disk (2), a service on it (3)
/// and another on that (4).
pub fn config(nodes: u8, profile: ClusterProfile) -> ClusterConfig {
    ClusterConfig {
        name: "lab".into(),
        profile,
        nodes: (1..=nodes)
            .map(|n| NodeConfig { name: format!("N{n}"), addresses: Vec::new() })
            .collect(),
        networks: vec![NetworkConfig { name: "net".into(), role: NetworkRole::All }],
        disks: (0..4)
            .map(|n| DiskConfig { name: format!("d{n}"), signature: 100 + n, letter: 'Q' })
            .collect(),
        quorum: QuorumKind::Disk(ResourceId(0)),
        groups: vec![group("Cluster Group"), group("Files")],
        resources: vec![
            disk(0, 0),
            resource("name", 0, &[]),
            disk(1, 1),
            resource("middle", 1, &[2]),
            resource("top", 1, &[3]),
        ],
    }
}

pub const G: GroupId = GroupId(1);
pub const DISK: ResourceId = ResourceId(2);
pub const MIDDLE: ResourceId = ResourceId(3);
pub const TOP: ResourceId = ResourceId(4);
pub const A: NodeId = NodeId(1);
pub const B: NodeId = NodeId(2);
pub const C: NodeId = NodeId(3);
