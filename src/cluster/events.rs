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
    /// 1015: the quorum log has no record of a checkpoint.
    CheckpointRecordMissing,
    /// 1016: no checkpoint of the cluster hive could be made or read.
    CheckpointNotObtained,
    /// 1019: the quorum log is damaged or missing.
    LogCorrupt,
    /// 1021: the quorum disk is nearly full.
    QuorumNearlyFull,
    /// 1022: the quorum disk is full, and the service cannot start.
    QuorumFull,
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
    /// 1035: a disk could not be mounted.
    DiskNotMounted {
        /// The disk.
        disk: DiskId,
    },
    /// 1036: a disk did not respond to a SCSI maintenance command: a renewal that was not answered.
    DiskSilent {
        /// The disk.
        disk: DiskId,
    },
    /// 1038: the reservation of a disk is lost.
    ReservationLost {
        /// The disk.
        disk: DiskId,
    },
    /// 1066: the volume of a disk is damaged.
    VolumeCorrupt {
        /// The disk.
        disk: DiskId,
    },
    /// 1042: a generic service failed.
    GenericServiceFailed {
        /// The resource.
        resource: ResourceId,
    },
    /// 1044: no NetBIOS interface for an IP Address.
    NetbiosInterfaceFailed {
        /// The resource.
        resource: ResourceId,
    },
    /// 1045: no TCP/IP interface for an IP Address.
    TcpIpInterfaceFailed {
        /// The resource.
        resource: ResourceId,
    },
    /// 1048: an adapter's parameters are not those of the IP Address's network.
    AdapterParameterInvalid {
        /// The resource.
        resource: ResourceId,
    },
    /// 1052: a network name cannot come online.
    NetworkNameFailed {
        /// The resource.
        resource: ResourceId,
    },
    /// 1057: the node's copy of the cluster database could not be read.
    DatabaseNotOpened,
    /// 1058: a resource DLL could not be loaded.
    ResourceDllNotLoaded {
        /// The resource.
        resource: ResourceId,
    },
    /// 1063: the service stopped as it was asked to.
    ServiceStopped,
    /// 1068: a share could not be made.
    FileShareFailed {
        /// The resource.
        resource: ResourceId,
    },
    /// 1069: a resource failed.
    ResourceFailed {
        /// The resource.
        resource: ResourceId,
    },
    /// 1073: the service was halted to prevent an inconsistency.
    HaltedToStayConsistent {
        /// The Windows error.
        error: u32,
    },
    /// 1080: a file of the quorum could not be written.
    QuorumWriteFailed {
        /// The Windows error.
        error: u32,
    },
    /// 1079: a joiner cannot communicate with the cluster over any network.
    JoinNoNetwork,
    /// 1107: a joiner's connection to the cluster failed on a network.
    JoinConnectionFailed {
        /// The network.
        network: NetworkId,
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
    /// 1146: a resource monitor died, and another is started.
    ResourceMonitorDied {
        /// A resource that ran in it.
        resource: ResourceId,
    },
    /// 1126: an interface of a node that is lost cannot be reached.
    InterfaceUnreachable {
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
    /// 1148: the quorum log is damaged or missing, and the service does not start without.
    LogFatal,
}

impl ClusterEvent {
    /// Every number there is, in order. Of those that the articles name only 1012 is missing, a node with the
    /// wrong version of the system: the nodes of a cluster have one version here.
    pub const IDS: [u16; 34] = [
        1000, 1006, 1009, 1015, 1016, 1019, 1021, 1022, 1024, 1034, 1035, 1036, 1038, 1042, 1044,
        1045, 1048, 1052, 1057, 1058, 1063, 1066, 1068, 1069, 1073, 1079, 1080, 1107, 1122, 1123,
        1126, 1135, 1146, 1148,
    ];

    /// The event's number.
    pub fn id(&self) -> u16 {
        match self {
            ClusterEvent::Fatal { .. } => 1000,
            ClusterEvent::HadToStop => 1006,
            ClusterEvent::CannotJoinOrForm => 1009,
            ClusterEvent::CheckpointRecordMissing => 1015,
            ClusterEvent::CheckpointNotObtained => 1016,
            ClusterEvent::LogCorrupt => 1019,
            ClusterEvent::QuorumNearlyFull => 1021,
            ClusterEvent::QuorumFull => 1022,
            ClusterEvent::CheckpointNotRestored { .. } => 1024,
            ClusterEvent::DiskMissing { .. } => 1034,
            ClusterEvent::DiskNotMounted { .. } => 1035,
            ClusterEvent::DiskSilent { .. } => 1036,
            ClusterEvent::ReservationLost { .. } => 1038,
            ClusterEvent::VolumeCorrupt { .. } => 1066,
            ClusterEvent::HaltedToStayConsistent { .. } => 1073,
            ClusterEvent::QuorumWriteFailed { .. } => 1080,
            ClusterEvent::GenericServiceFailed { .. } => 1042,
            ClusterEvent::NetbiosInterfaceFailed { .. } => 1044,
            ClusterEvent::TcpIpInterfaceFailed { .. } => 1045,
            ClusterEvent::AdapterParameterInvalid { .. } => 1048,
            ClusterEvent::NetworkNameFailed { .. } => 1052,
            ClusterEvent::DatabaseNotOpened => 1057,
            ClusterEvent::ResourceDllNotLoaded { .. } => 1058,
            ClusterEvent::ServiceStopped => 1063,
            ClusterEvent::FileShareFailed { .. } => 1068,
            ClusterEvent::ResourceFailed { .. } => 1069,
            ClusterEvent::ResourceMonitorDied { .. } => 1146,
            ClusterEvent::JoinNoNetwork => 1079,
            ClusterEvent::JoinConnectionFailed { .. } => 1107,
            ClusterEvent::InterfaceHeard { .. } => 1122,
            ClusterEvent::InterfaceLost { .. } => 1123,
            ClusterEvent::InterfaceUnreachable { .. } => 1126,
            ClusterEvent::NodeRemoved { .. } => 1135,
            ClusterEvent::LogFatal => 1148,
        }
    }
}
