//! What goes into a node's cluster service and what comes out of it.
//!
//! The service is one machine ([`super::ClusterNode`]). It asks the world for datagrams, SCSI commands,
//! files, registry work and calls of resource DLLs; every request that has an answer carries a [`Ticket`],
//! and the answer comes back, at once or later, as an input with the same ticket. An answer to a ticket that
//! is no longer known (the service was restarted meanwhile) is ignored.

use super::events::ClusterEvent;
use super::ids::{DiskId, GroupId, NetworkId, NodeId, NodeSet, ResourceId};
use super::update::DbChange;
use crate::base::ByteRange;
use crate::registry::{KeyPath, RegistryError};
use std::net::Ipv4Addr;

/// Which part of the service asked, and its own number of the request.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Ticket {
    /// Who asked.
    pub part: Part,
    /// The part's number.
    pub number: u32,
}

/// A part of the cluster service.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Part {
    /// Start, join, form.
    Node,
    /// The cluster disk driver: reservations, mounts.
    Disks,
    /// Arbitration and the quorum log.
    Quorum,
    /// The database's file on the node itself.
    Database,
    /// Registry checkpoints.
    Checkpoints,
    /// The failover manager.
    Failover,
}

/// What the service is started with (KB 258078).
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub struct StartSwitches {
    /// Without the quorum resource.
    pub fix_quorum: bool,
    /// Without logging changes of the database.
    pub no_quorum_logging: bool,
    /// Make a new quorum log if it is missing or damaged.
    pub reset_quorum_log: bool,
    /// A majority node set consists of these nodes.
    pub force_quorum: Option<NodeSet>,
    /// Stands for the token of the service's account at its start: another one after each new password.
    pub account: u32,
}

/// What can happen to the service.
#[derive(Debug)]
pub enum ClusterInput<'a> {
    /// The service control manager starts the service. The world has read the node's own copy of the
    /// database (CLUSDB): its bytes, or nothing if there is none.
    Start {
        /// CLUSDB.
        hive: Option<&'a [u8]>,
        /// Switches of this start.
        switches: StartSwitches,
    },
    /// The service is to stop in order.
    Stop {
        /// Because the system shuts down: heartbeats end first, and resources have a budget (Q252974).
        shutting_down: bool,
    },
    /// A datagram to the cluster's port.
    Datagram {
        /// The network it came by.
        network: NetworkId,
        /// Who sent it.
        from: Ipv4Addr,
        /// What it says.
        bytes: &'a [u8],
    },
    /// The adapter on a network works, or does not any more, as far as this version can see.
    Interface {
        /// The network.
        network: NetworkId,
        /// Whether it works.
        works: bool,
    },
    /// The end of a SCSI command.
    Scsi {
        /// The command's ticket.
        ticket: Ticket,
        /// How it ended.
        result: ScsiResult,
    },
    /// The end of a file operation.
    File {
        /// The operation's ticket.
        ticket: Ticket,
        /// How it ended.
        result: FileResult<'a>,
    },
    /// An answer of the registry.
    Registry {
        /// The request's ticket.
        ticket: Ticket,
        /// The answer.
        reply: RegistryReply<'a>,
    },
    /// Something happened to a resource on this node.
    Resource {
        /// Which.
        resource: ResourceId,
        /// What.
        event: ResourceEvent,
    },
    /// An administrator, or a program that knows the cluster, asks for something.
    Control {
        /// The asker's number: the answer carries it.
        request: u32,
        /// What for.
        control: &'a Control,
    },
}

/// What the service asks of the world. Byte ranges are in the same outbox.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ClusterOutput {
    /// Send a datagram from the node's adapter on a network to the cluster's port.
    Send {
        /// The network.
        network: NetworkId,
        /// To whom.
        to: Ipv4Addr,
        /// What.
        bytes: ByteRange,
    },
    /// A SCSI command.
    Scsi {
        /// For the answer.
        ticket: Ticket,
        /// The disk.
        disk: DiskId,
        /// The command.
        command: ScsiCommand,
    },
    /// A file operation.
    File {
        /// For the answer.
        ticket: Ticket,
        /// Where.
        place: Place,
        /// Path below it, with backslashes: `MSCS\quolog.log`.
        path: String,
        /// What.
        operation: FileOperation,
    },
    /// Something with the node's registry.
    Registry {
        /// For the answer.
        ticket: Ticket,
        /// What.
        action: RegistryAction,
    },
    /// A call of a resource DLL.
    Resource {
        /// Which resource.
        resource: ResourceId,
        /// Which call.
        call: ResourceCall,
    },
    /// An entry of the event log.
    Log(ClusterEvent),
    /// The answer to a [`ClusterInput::Control`].
    Answer {
        /// The asker's number.
        request: u32,
        /// Nothing, or the error's Windows number.
        result: Result<(), ClusterError>,
    },
    /// The service ends by itself: resources left on the node are to be terminated at once, their disks and
    /// addresses taken away.
    Halted(HaltReason),
    /// The service has stopped in order.
    Stopped,
    /// Something to measure or to judge; no effect.
    Observe(Observation),
}

/// A SCSI command, or a step of the file system above it.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum ScsiCommand {
    /// Take or keep the disk.
    Reserve,
    /// Take the disk, unless another node has reset the bus since this one did last: then the answer is
    /// [`ScsiResult::Disturbed`]. (A target tells each initiator of a reset by a unit attention, SCSI-2 7.9.)
    ReserveUndisturbed,
    /// Give it back.
    Release,
    /// Break every reservation on the bus.
    Reset,
    /// Break the reservation of this disk only (a bus device reset, SCSI-2 6.6.3).
    ResetDisk,
    /// Ask whether this node may use the disk (test unit ready): nothing is reserved.
    Test,
    /// Mount the volume, checking it as the resource's properties say.
    Mount {
        /// Do not check a dirty volume.
        skip_chkdsk: bool,
        /// Mount only what the check found clean.
        conditional_mount: bool,
    },
    /// Flush and dismount the volume.
    Dismount,
}

/// How a SCSI command ended.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum ScsiResult {
    /// Well.
    Done,
    /// Another node holds the disk.
    Conflict,
    /// Another node has reset the bus meanwhile; nothing was done.
    Disturbed,
    /// No disk with the expected signature answers (event 1034).
    Missing,
    /// The disk or the bus does not work.
    Failed,
    /// The volume is damaged (event 1066).
    Corrupt,
}

/// Where a file is.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Place {
    /// On the node's own system disk, below `%SystemRoot%\Cluster`.
    Own,
    /// On a disk of the shared bus that this node has mounted.
    Disk(DiskId),
    /// In the folder that a node's host shares for the quorum of a majority node set (KB 258750), this
    /// node's own included. It is reached while that host runs and a network of the cluster leads there,
    /// whether its cluster service runs or not; otherwise operations fail.
    Replica(NodeId),
}

/// What is done with a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum FileOperation {
    /// Read it whole.
    Read,
    /// Put these bytes in its place, all or nothing.
    Replace(ByteRange),
    /// Overwrite it in place; a power cut can leave a mixture.
    Overwrite(ByteRange),
    /// Add these bytes to its end, durable when answered.
    Append(ByteRange),
    /// Remove it, if it is there.
    Delete,
    /// Remove every file below this path.
    DeleteTree,
    /// Name the files whose path begins with this path.
    List,
    /// Open the file for this node alone, making it if need be. It stays so until `Unlock`, or until this
    /// node's service ends, its host stops or cannot be reached from the host of the file any more.
    Lock,
    /// Let others open it.
    Unlock,
}

/// How a file operation ended.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum FileResult<'a> {
    /// Well.
    Done,
    /// What it holds; `None` if there is no such file.
    Content(Option<&'a [u8]>),
    /// Names, sorted.
    Names(&'a [String]),
    /// Another node has opened the file for itself alone (error 32).
    Locked,
    /// The disk is full (error 112).
    Full,
    /// The disk does not work, or is not this node's any more.
    Failed,
}

/// What is asked of the node's registry.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RegistryAction {
    /// Save a subtree; answered with its bytes.
    Save(KeyPath),
    /// Put a saved subtree in the place of a key.
    Restore {
        /// The key.
        key: KeyPath,
        /// The saved bytes.
        bytes: ByteRange,
        /// Whether a file whose checksum is wrong is refused; NT 4.0 loads what it can read.
        checked: bool,
    },
    /// Watch a subtree: the next change is told once. Arming anew replaces the watch of this ticket.
    Watch(KeyPath),
    /// Watch no longer.
    Unwatch,
    /// The cluster hive (`HKLM\Cluster`) has changed so: for those who look at it there.
    ClusterHive(Vec<DbChange>),
    /// The cluster hive is another one altogether: these bytes.
    LoadClusterHive(ByteRange),
}

/// An answer of the node's registry.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RegistryReply<'a> {
    /// The saved subtree, or why it cannot be saved.
    Saved(Result<&'a [u8], RegistryError>),
    /// Whether the subtree was restored.
    Restored(Result<(), RegistryError>),
    /// The watched subtree has changed; the watch has to be armed again.
    Changed,
}

/// An entry point of a resource DLL.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum ResourceCall {
    /// Start it. Answered by [`ResourceEvent::Online`] or [`ResourceEvent::Failed`].
    Online,
    /// Stop it in order. Answered by [`ResourceEvent::Offline`].
    Offline,
    /// Stop it at once; not answered.
    Terminate,
}

/// What happens to a resource.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum ResourceEvent {
    /// It is online.
    Online,
    /// It is offline.
    Offline,
    /// It could not be brought online, or an event it watches told that it failed.
    Failed,
    /// The same, with an entry for the event log that says why.
    FailedFor(FailureCause),
    /// It is still busy going online or offline.
    StillPending,
    /// What the next polls will find, told when it changes: polls in between would find the same. Each call
    /// of Online begins with a healthy resource.
    Health {
        /// The cheap poll.
        looks_alive: bool,
        /// The thorough poll.
        is_alive: bool,
    },
    /// The resource monitor it ran in has died.
    MonitorDied,
}

/// Why a resource failed, where the event log has an entry of its own for it.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum FailureCause {
    /// 1044: no NetBIOS interface could be made for an address (Q248605).
    NetbiosInterface,
    /// 1045: no TCP/IP interface could be made (Q240271).
    TcpIpInterface,
    /// 1048: the adapter's parameters are not those of the network (Q228480).
    AdapterParameter,
    /// 1052: the name could not be registered, or is somebody else's (Q217199).
    NameNotRegistered,
    /// 1058: the resource DLL could not be loaded (Q218922).
    DllNotLoaded,
    /// 1068: the share could not be made (Q250274).
    ShareNotMade,
}

/// What an administrator, or a program that knows the cluster, asks for (the cluster API).
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Control {
    /// OnlineClusterResource.
    OnlineResource(ResourceId),
    /// OfflineClusterResource.
    OfflineResource(ResourceId),
    /// FailClusterResource ("initiate failure").
    FailResource(ResourceId),
    /// OnlineClusterGroup.
    OnlineGroup(GroupId),
    /// OfflineClusterGroup.
    OfflineGroup(GroupId),
    /// MoveClusterGroup; `None` lets the cluster choose.
    MoveGroup {
        /// The group.
        group: GroupId,
        /// Where to.
        to: Option<NodeId>,
    },
    /// PauseClusterNode.
    PauseNode(NodeId),
    /// ResumeClusterNode.
    ResumeNode(NodeId),
    /// EvictClusterNode.
    EvictNode(NodeId),
    /// CLUSCTL_RESOURCE_ADD_REGISTRY_CHECKPOINT, or the page "Registry Replication".
    AddCheckpoint {
        /// The resource.
        resource: ResourceId,
        /// The key, relative to HKLM.
        key: KeyPath,
    },
    /// CLUSCTL_RESOURCE_DELETE_REGISTRY_CHECKPOINT.
    DeleteCheckpoint {
        /// The resource.
        resource: ResourceId,
        /// The key, relative to HKLM.
        key: KeyPath,
    },
    /// CreateClusterResource with these keys of the database.
    CreateResource(Vec<DbChange>),
    /// DeleteClusterResource.
    DeleteResource(ResourceId),
    /// ClusterRegSetValue and its kin, or a property: changes of the cluster hive, paths below HKLM\Cluster.
    ChangeDatabase(Vec<DbChange>),
    /// SetClusterQuorumResource: the largest size of the quorum log, in bytes.
    SetQuorumLogMax(u32),
    /// Make every checkpoint file anew from the registry of its resource's owner (ClusterRecovery).
    RecoverCheckpoints,
}

/// Why a request was refused, under its Windows number.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct ClusterError(pub u32);

/// Why the service ended by itself.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum HaltReason {
    /// Its partition does not survive the regroup.
    LostRegroup,
    /// It was pruned: others cannot talk with it.
    Pruned,
    /// It lost the arbitration for the quorum.
    LostArbitration,
    /// Its reservation of the quorum disk was broken.
    LostQuorum,
    /// A member told it that it is none (error 5907).
    Poisoned,
    /// It could not apply a global update.
    UpdateFailed,
    /// It could neither join nor form (event 1009).
    CannotStart,
    /// It could not read or write the quorum log (event 1073).
    Inconsistent,
    /// It was evicted.
    Evicted,
}

/// What those who measure and judge are told.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Observation {
    /// The node has formed a cluster.
    Formed,
    /// The node has joined one.
    Joined,
    /// A node that forms has loaded a checkpoint of the hive, and applies the changes after this number from
    /// the quorum log.
    ReplayBegan {
        /// The number of the last update in the checkpoint.
        sequence: u64,
    },
    /// Such a change; `digest` is that of the update's bytes.
    Replayed {
        /// Its number.
        sequence: u64,
        /// Of its bytes.
        digest: u64,
    },
    /// The members as this node now sees them.
    Members(NodeSet),
    /// A regroup has begun.
    RegroupBegan,
    /// Global update number `sequence` was applied here; `digest` is that of its bytes.
    Applied {
        /// Its number.
        sequence: u64,
        /// Of its bytes.
        digest: u64,
    },
    /// A change of the database that this node asked for is applied by every member.
    Committed {
        /// Its number.
        sequence: u64,
        /// Of its bytes.
        digest: u64,
    },
    /// This node owns a group from now on.
    GroupTaken(GroupId),
    /// This node does not own it any more.
    GroupGiven(GroupId),
    /// A resource changed its state on this node.
    Resource {
        /// Which.
        resource: ResourceId,
        /// Its state.
        state: super::ResourceState,
    },
    /// A checkpoint file is being written: until `CheckpointSaved` it may hold this or what it held before.
    CheckpointSaving {
        /// The resource.
        resource: ResourceId,
        /// The number of the checkpoint.
        number: u32,
        /// Of the bytes that are written.
        digest: u64,
    },
    /// A checkpoint file was written: the subtree's digest.
    CheckpointSaved {
        /// The resource.
        resource: ResourceId,
        /// The number of the checkpoint.
        number: u32,
        /// Of the saved bytes.
        digest: u64,
    },
    /// A checkpoint was restored into the registry.
    CheckpointRestored {
        /// The resource.
        resource: ResourceId,
        /// The number of the checkpoint.
        number: u32,
        /// Of the restored bytes; `None` if the restore failed (event 1024).
        digest: Option<u64>,
    },
    /// A checkpoint is watched, or is not any more.
    CheckpointWatched {
        /// The resource.
        resource: ResourceId,
        /// The number of the checkpoint.
        number: u32,
        /// Whether it is.
        watched: bool,
    },
    /// A disk is reserved by this node, or is not any more.
    DiskHeld {
        /// Which.
        disk: DiskId,
        /// Whether it is.
        held: bool,
    },
    /// An arbitration for the quorum has begun.
    ArbitrationBegan {
        /// Whether this node challenges a holder; otherwise it defends.
        challenge: bool,
    },
    /// It has ended.
    ArbitrationEnded {
        /// Whether this node won.
        won: bool,
    },
}
