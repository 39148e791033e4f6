//! Entries of the event log, under their documented numbers.

use super::ids::{DiskId, NetworkId, NodeId, ResourceId};
use crate::registry::KeyPath;

/// An entry of the event log (source ClusSvc).
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ClusterEvent {
    /// 1000: a fatal error.
    Fatal {
        /// The Windows error.
        error: u32,
    },
    /// 1006: the service had to stop.
    HadToStop,
    /// 1009: could neither join nor form.
    CannotJoinOrForm,
    /// 1024: a registry checkpoint could not be restored.
    CheckpointNotRestored {
        /// The resource.
        resource: ResourceId,
        /// The key.
        key: KeyPath,
    },
    /// 1034: no disk has the expected signature.
    DiskMissing {
        /// The disk.
        disk: DiskId,
    },
    /// 1069: a resource failed.
    ResourceFailed {
        /// The resource.
        resource: ResourceId,
    },
    /// 1122: an interface is heard again.
    InterfaceHeard {
        /// Of this node.
        node: NodeId,
        /// On this network.
        network: NetworkId,
    },
    /// 1123: an interface is not heard any more.
    InterfaceLost {
        /// Of this node.
        node: NodeId,
        /// On this network.
        network: NetworkId,
    },
    /// 1135: a node was removed from the membership.
    NodeRemoved {
        /// The node.
        node: NodeId,
    },
}

impl ClusterEvent {
    /// The event's number.
    pub fn id(&self) -> u16 {
        match self {
            ClusterEvent::Fatal { .. } => 1000,
            ClusterEvent::HadToStop => 1006,
            ClusterEvent::CannotJoinOrForm => 1009,
            ClusterEvent::CheckpointNotRestored { .. } => 1024,
            ClusterEvent::DiskMissing { .. } => 1034,
            ClusterEvent::ResourceFailed { .. } => 1069,
            ClusterEvent::InterfaceHeard { .. } => 1122,
            ClusterEvent::InterfaceLost { .. } => 1123,
            ClusterEvent::NodeRemoved { .. } => 1135,
        }
    }
}
