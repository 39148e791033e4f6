//! What a part of the cluster service is handed while it acts: the time, the outbox, and a place for what
//! the other parts are to hear.
//!
//! The parts do not know each other. A part leaves a [`Notice`]; the node's machine passes each on, in
//! order, until there is none.

use super::config::ClusterConfig;
use super::ids::{DiskId, GroupId, NodeId, NodeSet, ResourceId};
use super::io::{
    ClusterError, ClusterOutput, FileOperation, HaltReason, Observation, Part, Place,
    RegistryAction, ScsiCommand, Ticket,
};
use super::update::{DbChange, Update};
use super::{ClusterEvent, ResourceState};
use crate::base::{Now, Outbox};
use crate::wire::cluster::RpcKind;
use std::collections::VecDeque;

/// What a part is handed while it acts.
pub(super) struct Step<'a> {
    /// Now.
    pub now: Now,
    /// The cluster as set up.
    pub config: &'a ClusterConfig,
    /// This node.
    pub me: NodeId,
    /// Outputs to the world.
    pub out: &'a mut Outbox<ClusterOutput>,
    /// Notices to other parts.
    pub notices: &'a mut VecDeque<Notice>,
}

/// What one part tells the others.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Notice {
    // From the membership.
    /// Send this to a node, reliably and in order. Answered by `RpcFailed` if it leaves the membership.
    Rpc { to: NodeId, kind: RpcKind, body: Vec<u8> },
    /// A message of another part of the service on another node.
    RpcArrived { from: NodeId, kind: RpcKind, body: Vec<u8> },
    /// The regroup needs to know who holds the quorum: arbitrate, and answer `Arbitrated`.
    Arbitrate,
    /// The membership is decided. `left` were members before. `quorum_owner` is the member that won the
    /// arbitration on the way, as every survivor knows from the regroup, else the owner until now if it is
    /// still a member.
    MembersChanged { members: NodeSet, left: NodeSet, quorum_owner: Option<NodeId>, epoch: u64 },
    /// A member has announced that its system shuts down.
    ShutdownAnnounced { node: NodeId },
    /// Nobody who is in a cluster answers: form one.
    NoSponsor,
    /// A sponsor refuses for good (error 5075, 5, ...), or the join failed too often.
    JoinRefused { error: u32 },
    /// A node joins through this one: it needs the database and what the parts remember.
    SnapshotWanted { joiner: NodeId },
    /// The sponsor's snapshot has come: load it, then call `Membership::loaded`.
    SnapshotArrived { members: NodeSet, sequence: u64, bytes: Vec<u8> },

    // From the disk driver and the quorum.
    /// The arbitration has ended.
    Arbitrated { won: bool },
    /// A disk was reserved and mounted for its resource, or could not be.
    DiskOnline { disk: DiskId, ok: bool },
    /// A disk was dismounted and released.
    DiskOffline { disk: DiskId },
    /// A renewal was refused: the disk is not this node's any more.
    ReservationLost { disk: DiskId },
    /// The forming node has the newest database: the quorum log was replayed onto it.
    DatabaseReady { epoch: u64, sequence: u64, hive: Vec<u8> },
    /// The forming node cannot have it.
    CannotForm { error: u32 },
    /// The change of the database with this number is in the quorum log, or needs not be; or could not be
    /// written there.
    Logged { sequence: u64, ok: bool },
    /// The quorum's files are closed: the service may give up the quorum resource and stop.
    QuorumClosed,
    /// Do something with a file of the quorum resource, wherever that is mounted now; answered by
    /// `QuorumFileDone`. Paths are relative to its root: `MSCS\{resource}\00000001.CPT`.
    QuorumFile { ticket: Ticket, path: String, operation: QuorumFileOperation },
    /// How it ended.
    QuorumFileDone { ticket: Ticket, result: QuorumFileResult },

    // From the global updates.
    /// Apply this now; every member does, in this order.
    Apply { sequence: u64, update: Update },
    /// Put this change into the quorum log, if this node holds the quorum and logging is on; answered by
    /// `Logged`.
    WriteLog { sequence: u64, changes: Vec<DbChange> },
    /// What this node proposed is applied everywhere, or will never be.
    Proposed { asker: Asker, result: Result<(), ClusterError> },

    // From the failover manager.
    /// Propose a global update.
    Propose { asker: Asker, update: Update },
    /// Restore the resource's keys, then answer `Restored`.
    RestoreKeys { resource: ResourceId },
    /// The keys are restored, or could not be (event 1024): the resource may start.
    Restored { resource: ResourceId },
    /// The resource is online: watch its keys.
    WatchKeys { resource: ResourceId },
    /// The resource is offline, or failed: save its keys if `save`, watch them no longer, then answer
    /// `Saved`.
    SaveKeys { resource: ResourceId, save: bool },
    /// The keys are saved, or could not be.
    Saved { resource: ResourceId },
    /// Reserve and mount the disk of a Physical Disk resource.
    TakeDisk { disk: DiskId, skip_chkdsk: bool, conditional_mount: bool },
    /// Dismount and release it. `orderly` false: give it up as it is.
    GiveDisk { disk: DiskId, orderly: bool },
    /// All resources of this node are offline.
    AllOffline,
    /// This node owns a group, or does not any more.
    GroupMoved { group: GroupId, to: NodeId },

    // From anyone.
    /// The service must end at once.
    Halt(HaltReason),
}

/// What is done with a file of the quorum resource.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum QuorumFileOperation {
    /// Read it whole.
    Read,
    /// Put these bytes in its place, all or nothing.
    Replace(Vec<u8>),
    /// Overwrite it in place; a power cut can leave a mixture.
    Overwrite(Vec<u8>),
    /// Remove it.
    Delete,
    /// Remove every file below this path.
    DeleteTree,
}

/// How that ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum QuorumFileResult {
    /// Well.
    Done,
    /// What it holds; `None` if there is no such file.
    Content(Option<Vec<u8>>),
    /// The disk is full.
    Full,
    /// The quorum cannot be reached.
    Failed,
}

/// Who proposed a global update, so that the result finds its way back.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Asker {
    /// The failover manager, with a number of its own.
    Failover(u32),
    /// The registry checkpoints, with a number of their own.
    Checkpoints(u32),
    /// Join and form.
    Node(u32),
    /// A control request, by its number.
    Control(u32),
}

impl Step<'_> {
    /// Tells the other parts.
    pub fn notice(&mut self, notice: Notice) {
        self.notices.push_back(notice);
    }

    /// Tells those who watch.
    pub fn observe(&mut self, observation: Observation) {
        self.out.push(ClusterOutput::Observe(observation));
    }

    /// Writes an entry into the event log.
    pub fn log(&mut self, event: ClusterEvent) {
        self.out.push(ClusterOutput::Log(event));
    }

    /// Tells those who watch that a resource has another state.
    pub fn resource_state(&mut self, resource: ResourceId, state: ResourceState) {
        self.observe(Observation::Resource { resource, state });
    }

    /// Asks for a SCSI command.
    pub fn scsi(&mut self, ticket: Ticket, disk: DiskId, command: ScsiCommand) {
        self.out.push(ClusterOutput::Scsi { ticket, disk, command });
    }

    /// Asks for a file operation that carries no bytes.
    pub fn file(&mut self, ticket: Ticket, place: Place, path: String, operation: FileOperation) {
        self.out.push(ClusterOutput::File { ticket, place, path, operation });
    }

    /// Asks for a file to be written: `how` is one of the operations that carry bytes.
    pub fn write_file(
        &mut self,
        ticket: Ticket,
        place: Place,
        path: String,
        bytes: &[u8],
        how: fn(crate::base::ByteRange) -> FileOperation,
    ) {
        let range = self.out.write(|out| out.extend_from_slice(bytes));
        self.out.push(ClusterOutput::File { ticket, place, path, operation: how(range) });
    }

    /// Asks the node's registry.
    pub fn registry(&mut self, ticket: Ticket, action: RegistryAction) {
        self.out.push(ClusterOutput::Registry { ticket, action });
    }

    /// Changes of the database for the node's `HKLM\Cluster`.
    pub fn cluster_hive(&mut self, changes: Vec<DbChange>) {
        let ticket = Ticket { part: Part::Database, number: 0 };
        self.registry(ticket, RegistryAction::ClusterHive(changes));
    }
}
