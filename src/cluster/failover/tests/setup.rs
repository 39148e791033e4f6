//! Clusters to play with.

use crate::cluster::{
    ClusterConfig, ClusterProfile, DiskConfig, DiskId, GroupConfig, GroupId, NetworkConfig,
    NetworkRole, NodeConfig, NodeId, QuorumKind, ResourceConfig, ResourceId, ResourceKind,
};

pub fn resource(name: &str, group: u16, depends_on: &[u16]) -> ResourceConfig {
    let kind = ResourceKind::GenericService { service: name.into(), use_network_name: false };
    let depends_on = depends_on.iter().copied().map(ResourceId).collect();
    ResourceConfig::new(name, kind, GroupId(group), depends_on)
}

pub fn disk(number: u16, group: u16) -> ResourceConfig {
    let disk = DiskId(number);
    let kind = ResourceKind::PhysicalDisk { disk, skip_chkdsk: false, conditional_mount: false };
    ResourceConfig { kind, ..resource("disk", group, &[]) }
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
        groups: vec![GroupConfig::new("Cluster Group"), GroupConfig::new("Files")],
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
