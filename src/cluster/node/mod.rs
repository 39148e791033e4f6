//! The cluster service of one node: start, join, form, stop, and the way of notices between its parts.
//!
//! ```text
//! stopped ── start ──▶ joining ── sponsor ─────────────────▶ member ── stop ──▶ leaving ──▶ stopped
//!                         │                                     ▲
//!                         └─ nobody ──▶ arbitrating ──▶ forming ┘      any: halt ──▶ halted
//! ```
//!
//! A join is always tried before a form, and a form needs nothing but the quorum (Q217147). A service that
//! halts ends at once: its resources are terminated, its disks given up. It starts again only when somebody
//! starts it.

mod control;
mod custody;
mod entering;
mod snapshot;

use super::ClusterEvent;
use super::checkpoint::Checkpoints;
use super::config::ClusterConfig;
use super::database::{Database, is_about_setup};
use super::disks::DiskDriver;
use super::failover::Failover;
use super::global_update::GlobalUpdates;
use super::ids::{DiskId, NodeId, NodeSet};
use super::io::{
    ClusterError, ClusterInput, ClusterOutput, FileOperation, HaltReason, Part, Place,
    RegistryAction, StartSwitches, Ticket,
};
use super::membership::Membership;
use super::quorum::Quorum;
use super::step::{Asker, Notice, Step};
use super::update::{DbChange, Update};
use crate::base::{Machine, Now, Outbox, SimTime};
use crate::wire::cluster::RpcKind;
use snapshot::Snapshot;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// The UDP port between nodes (cluster network driver).
pub const PORT: u16 = 3343;

/// The node's own copy of the cluster database, below `%SystemRoot%\Cluster`.
pub const CLUSDB: &str = "CLUSDB";

/// Notices one input may cause. Far above what any does; parts that answer each other for ever are a fault
/// of the program.
const NOTICES_MAX: u32 = 1 << 20;

/// What the service is doing.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
enum Phase {
    Stopped,
    Joining,
    Arbitrating,
    Forming,
    Member,
    Leaving,
}

/// The cluster service of one node.
#[derive(Debug)]
pub struct ClusterNode {
    config: Arc<ClusterConfig>,
    me: NodeId,
    phase: Phase,
    switches: StartSwitches,
    /// How often it has tried to join or form since it was started.
    starts: u32,
    parts: Parts,
    notices: VecDeque<Notice>,
    /// When the node's own copy of the database is written next.
    flush: Option<SimTime>,
    /// What a sponsor sent, until this node is a member.
    snapshot: Option<Snapshot>,
    /// Joiners this node has proposed.
    sponsored: BTreeMap<u32, NodeId>,
    /// Changes for the quorum log, which this node holds but has not opened yet.
    held_logs: VecDeque<(u64, Vec<DbChange>)>,
    /// The quorum's files are closed, and its disk is being given back: the last step of an orderly stop.
    giving_quorum: bool,
    /// The service's threads stand still; its drivers go on.
    hung: bool,
    /// This node is the owner of the quorum and has given its disk back: the update that names another owner
    /// is on its way.
    quorum_given: bool,
    /// The quorum's disk is to be given up as soon as no regroup runs; whether in order.
    quorum_give: Option<bool>,
}

/// The parts of a running service.
#[derive(Debug)]
struct Parts {
    membership: Membership,
    disks: DiskDriver,
    quorum: Quorum,
    updates: GlobalUpdates,
    failover: Failover,
    checkpoints: Checkpoints,
    database: Database,
}

impl Parts {
    fn new(start: u32) -> Parts {
        Parts {
            membership: Membership::new(),
            disks: DiskDriver::default(),
            quorum: Quorum::default(),
            updates: GlobalUpdates::new(start),
            failover: Failover::default(),
            checkpoints: Checkpoints::default(),
            database: Database::default(),
        }
    }
}

/// What a part is handed; borrows nothing that a part is.
macro_rules! step {
    ($node:expr, $now:expr, $out:expr) => {
        &mut Step {
            now: $now,
            config: &$node.config,
            me: $node.me,
            out: $out,
            notices: &mut $node.notices,
        }
    };
}
use step;

/// Looking.
impl ClusterNode {
    /// The service, not started.
    pub fn new(config: Arc<ClusterConfig>, me: NodeId) -> ClusterNode {
        ClusterNode {
            config,
            me,
            phase: Phase::Stopped,
            switches: StartSwitches::default(),
            starts: 0,
            parts: Parts::new(0),
            notices: VecDeque::new(),
            flush: None,
            snapshot: None,
            sponsored: BTreeMap::new(),
            held_logs: VecDeque::new(),
            giving_quorum: false,
            hung: false,
            quorum_given: false,
            quorum_give: None,
        }
    }

    /// This node.
    pub fn id(&self) -> NodeId {
        self.me
    }

    /// The cluster as set up.
    pub fn config(&self) -> &ClusterConfig {
        &self.config
    }

    /// The threads of the service stand still from now on, or go on. Its drivers do not stop meanwhile: the
    /// network driver sends heartbeats and takes those of others, the disk driver renews reservations, so
    /// nobody misses the node (Q257901).
    pub fn hang(&mut self, hung: bool) {
        self.hung = hung;
    }

    /// Whether the service runs, maybe not yet as a member.
    pub fn runs(&self) -> bool {
        self.phase != Phase::Stopped
    }

    /// Whether it is a member of a cluster.
    pub fn is_member(&self) -> bool {
        matches!(self.phase, Phase::Member | Phase::Leaving)
    }

    /// The members as it sees them.
    pub fn members(&self) -> NodeSet {
        self.parts.membership.members()
    }

    /// Its copy of the cluster database.
    pub fn database(&self) -> &Database {
        &self.parts.database
    }

    /// The state of a resource as this node knows it.
    pub fn resource_state(&self, resource: super::ResourceId) -> Option<super::ResourceState> {
        self.parts.failover.state(resource)
    }

    /// The owner of a resource's group as this node knows it.
    pub fn owner_of(&self, resource: super::ResourceId) -> Option<NodeId> {
        self.parts.failover.owner_of_resource(resource)
    }

    /// The node that holds the quorum resource, as far as this one knows.
    pub fn quorum_owner(&self) -> Option<NodeId> {
        self.parts.quorum.owner()
    }

    fn quorum_disk(&self) -> Option<DiskId> {
        self.config.quorum_disk()
    }
}

impl Machine for ClusterNode {
    type Input<'a> = ClusterInput<'a>;
    type Output = ClusterOutput;

    fn handle(&mut self, input: ClusterInput<'_>, now: Now, out: &mut Outbox<ClusterOutput>) {
        if let ClusterInput::Start { hive, switches } = input {
            self.start(hive, switches, now, out);
        } else if self.hung {
            return self.driver_input(input, now, out);
        } else if self.phase != Phase::Stopped {
            self.input(input, now, out);
        } else if let ClusterInput::Control { request, .. } = input {
            control::refuse(request, control::SERVICE_NOT_ACTIVE, out);
        }
        self.pass_on(now, out);
    }

    fn on_deadline(&mut self, now: Now, out: &mut Outbox<ClusterOutput>) {
        if self.phase == Phase::Stopped {
            return;
        }
        if self.hung {
            return self.driver_deadline(now, out);
        }
        let due = |at: Option<SimTime>| at.is_some_and(|at| at <= now.time);
        let parts = &mut self.parts;
        if due(parts.membership.next_deadline()) {
            parts.membership.on_deadline(step!(self, now, out));
        }
        if due(parts.disks.next_deadline()) {
            parts.disks.on_deadline(step!(self, now, out));
        }
        if due(parts.quorum.next_deadline()) {
            let (database, disks) = (&parts.database, &mut parts.disks);
            parts.quorum.on_deadline(database, disks, step!(self, now, out));
        }
        self.pass_on(now, out);
        let parts = &mut self.parts;
        if due(parts.failover.next_deadline()) {
            parts.failover.on_deadline(step!(self, now, out));
        }
        if due(parts.checkpoints.next_deadline()) {
            parts.checkpoints.on_deadline(step!(self, now, out));
        }
        if due(self.flush) && self.is_member() {
            self.write_database(now, out);
        }
        self.pass_on(now, out);
    }

    fn next_deadline(&self) -> Option<SimTime> {
        if self.phase == Phase::Stopped {
            return None;
        }
        let parts = &self.parts;
        if self.hung {
            let drivers = [parts.membership.driver_deadline(), parts.disks.next_deadline()];
            return drivers.into_iter().flatten().min();
        }
        let all = [
            parts.membership.next_deadline(),
            parts.disks.next_deadline(),
            parts.quorum.next_deadline(),
            parts.failover.next_deadline(),
            parts.checkpoints.next_deadline(),
            self.flush,
        ];
        all.into_iter().flatten().min()
    }
}

/// Inputs.
impl ClusterNode {
    fn start(
        &mut self,
        hive: Option<&[u8]>,
        switches: StartSwitches,
        now: Now,
        out: &mut Outbox<ClusterOutput>,
    ) {
        if self.phase != Phase::Stopped {
            return;
        }
        // Two starts of a service are never within the same hundredth of a second.
        self.parts = Parts::new((now.time.0 / 10_000_000) as u32);
        self.notices.clear();
        (self.flush, self.snapshot) = (None, None);
        (self.giving_quorum, self.quorum_given, self.quorum_give) = (false, false, None);
        self.sponsored.clear();
        self.held_logs.clear();
        self.switches = switches;
        self.starts = 1;
        let database = match hive {
            None => Ok(Database::initial(&self.config)),
            Some(bytes) => Database::load(bytes),
        };
        let Ok(database) = database else {
            out.push(ClusterOutput::Log(ClusterEvent::DatabaseNotOpened));
            out.push(ClusterOutput::Log(ClusterEvent::Fatal { error: 1017 }));
            return out.push(ClusterOutput::Halted(HaltReason::CannotStart));
        };
        self.parts.database = database;
        self.parts.quorum.start(switches);
        self.phase = Phase::Joining;
        self.parts.membership.set_account(switches.account);
        self.parts.membership.set_voters(switches.force_quorum);
        self.parts.membership.join(step!(self, now, out));
    }

    fn input(&mut self, input: ClusterInput<'_>, now: Now, out: &mut Outbox<ClusterOutput>) {
        match input {
            ClusterInput::Start { .. } => {}
            ClusterInput::Stop { shutting_down } => self.stop(shutting_down, now, out),
            ClusterInput::Datagram { network, from, bytes } => {
                self.parts.membership.datagram(network, from, bytes, step!(self, now, out));
            }
            ClusterInput::Interface { network, works } => {
                self.parts.quorum.interface(network, works);
                self.parts.membership.interface(network, works, step!(self, now, out));
            }
            ClusterInput::Scsi { ticket, result } => match ticket.part {
                Part::Disks => self.parts.disks.scsi(ticket, result, step!(self, now, out)),
                Part::Quorum => {
                    let disks = &mut self.parts.disks;
                    self.parts.quorum.scsi(ticket, result, disks, step!(self, now, out));
                }
                _ => {}
            },
            ClusterInput::File { ticket, result } => {
                if ticket.part == Part::Quorum {
                    let database = &self.parts.database;
                    self.parts.quorum.file(ticket, result, database, step!(self, now, out));
                }
            }
            ClusterInput::Registry { ticket, reply } => {
                if ticket.part == Part::Checkpoints {
                    self.parts.checkpoints.registry(ticket, reply, step!(self, now, out));
                }
            }
            ClusterInput::Resource { resource, event } => {
                self.parts.failover.resource(resource, event, step!(self, now, out));
            }
            ClusterInput::Control { request, control } => {
                self.control(request, control, now, out);
            }
        }
    }

    fn stop(&mut self, shutting_down: bool, now: Now, out: &mut Outbox<ClusterOutput>) {
        match self.phase {
            Phase::Stopped | Phase::Leaving => {}
            Phase::Joining | Phase::Arbitrating | Phase::Forming => {
                self.parts.disks.halt(step!(self, now, out));
                self.stopped(out);
            }
            Phase::Member => {
                self.phase = Phase::Leaving;
                if shutting_down && self.config.profile.trusts_announced_shutdown {
                    self.parts.membership.announce_shutdown(step!(self, now, out));
                }
                if shutting_down {
                    self.parts.membership.stop_heartbeats();
                }
                self.parts.failover.stop(shutting_down, step!(self, now, out));
            }
        }
    }

    fn stopped(&mut self, out: &mut Outbox<ClusterOutput>) {
        self.phase = Phase::Stopped;
        self.notices.clear();
        out.push(ClusterOutput::Log(ClusterEvent::ServiceStopped));
        out.push(ClusterOutput::Stopped);
    }

    /// The service ends at once.
    fn halt(&mut self, reason: HaltReason, now: Now, out: &mut Outbox<ClusterOutput>) {
        self.parts.failover.halt(step!(self, now, out));
        self.parts.disks.halt(step!(self, now, out));
        if reason == HaltReason::CannotStart {
            out.push(ClusterOutput::Log(ClusterEvent::CannotJoinOrForm));
        }
        out.push(ClusterOutput::Log(ClusterEvent::HadToStop));
        self.phase = Phase::Stopped;
        self.notices.clear();
        out.push(ClusterOutput::Halted(reason));
    }
}

/// The drivers of a service that hangs.
impl ClusterNode {
    fn driver_input(&mut self, input: ClusterInput<'_>, now: Now, out: &mut Outbox<ClusterOutput>) {
        let parts = &mut self.parts;
        match input {
            ClusterInput::Datagram { network, from, bytes } => {
                parts.membership.driver_datagram(network, from, bytes, step!(self, now, out));
            }
            ClusterInput::Scsi { ticket, result } if ticket.part == Part::Disks => {
                parts.disks.scsi(ticket, result, step!(self, now, out));
            }
            _ => {}
        }
    }

    fn driver_deadline(&mut self, now: Now, out: &mut Outbox<ClusterOutput>) {
        let due = |at: Option<SimTime>| at.is_some_and(|at| at <= now.time);
        let parts = &mut self.parts;
        if due(parts.membership.driver_deadline()) {
            parts.membership.send_heartbeats(step!(self, now, out));
        }
        if due(parts.disks.next_deadline()) {
            parts.disks.on_deadline(step!(self, now, out));
        }
    }
}

/// Notices.
impl ClusterNode {
    /// Passes on what the parts have told, and what that makes others tell, until nobody tells anything.
    fn pass_on(&mut self, now: Now, out: &mut Outbox<ClusterOutput>) {
        for _ in 0..NOTICES_MAX {
            if self.notices.is_empty() && self.quorum_give.is_some() {
                self.give_quorum_at_last(now, out);
            }
            let Some(notice) = self.notices.pop_front() else { return };
            if self.phase == Phase::Stopped {
                self.notices.clear();
                return;
            }
            self.notice(notice, now, out);
        }
        panic!("parts of the cluster service tell each other things for ever");
    }

    fn notice(&mut self, notice: Notice, now: Now, out: &mut Outbox<ClusterOutput>) {
        let quorum_disk = self.quorum_disk();
        let parts = &mut self.parts;
        match notice {
            Notice::Rpc { to, kind, body } => {
                parts.membership.send(to, kind, body, step!(self, now, out));
            }
            Notice::RpcArrived { from, kind, body } => self.rpc(from, kind, &body, now, out),
            Notice::Arbitrate => {
                let all = (parts.membership.partition(), parts.membership.epoch());
                parts.quorum.arbitrate(all, &mut parts.disks, step!(self, now, out));
            }
            Notice::MembersChanged { members, left, quorum_owner, epoch } => {
                parts.updates.members_changed(members, epoch, step!(self, now, out));
                self.members_changed((members, epoch), left, quorum_owner, now, out);
            }
            Notice::ShutdownAnnounced { node } => parts.quorum.announced_shutdown(node),
            Notice::NoSponsor => self.form(now, out),
            Notice::JoinRefused { error } => {
                out.push(ClusterOutput::Log(ClusterEvent::Fatal { error }));
                self.halt(HaltReason::CannotStart, now, out);
            }
            Notice::SnapshotWanted { joiner } => {
                let sequence = parts.updates.sequence();
                let bytes = Snapshot::of(parts).encode();
                parts.membership.send_snapshot(joiner, sequence, bytes, step!(self, now, out));
            }
            Notice::SnapshotArrived { members, sequence, bytes } => {
                self.load_snapshot(members, sequence, &bytes, now, out);
            }
            Notice::Arbitrated { won } => self.arbitrated(won, now, out),
            Notice::DiskOnline { disk, ok } => {
                if ok {
                    self.quorum_given &= Some(disk) != quorum_disk;
                    parts.quorum.disk_online(disk, &parts.database, step!(self, now, out));
                    self.write_held_logs(now, out);
                } else {
                    parts.quorum.disk_failed(disk, step!(self, now, out));
                }
                let parts = &mut self.parts;
                if self.phase != Phase::Forming {
                    parts.failover.disk_online(disk, ok, step!(self, now, out));
                }
            }
            Notice::DiskOffline { disk } => self.disk_offline(disk, now, out),
            Notice::ReservationLost { disk } => match Some(disk) == self.quorum_disk() {
                true => self.halt(HaltReason::LostQuorum, now, out),
                false => self.parts.failover.disk_lost(disk, step!(self, now, out)),
            },
            Notice::DatabaseReady { epoch, sequence, hive } => {
                self.formed(epoch, sequence, &hive, now, out);
            }
            Notice::CannotForm { error } => {
                out.push(ClusterOutput::Log(ClusterEvent::Fatal { error }));
                self.halt(HaltReason::CannotStart, now, out);
            }
            Notice::Logged { sequence, ok } => {
                let logged = match ok {
                    true => Ok(()),
                    false => Err(ClusterError(parts.quorum.last_error())),
                };
                parts.updates.logged(sequence, logged, step!(self, now, out));
            }
            Notice::QuorumClosed => self.quorum_closed(now, out),
            Notice::QuorumFile { ticket, path, operation } => {
                parts.quorum.file_request(ticket, path, operation, step!(self, now, out));
            }
            Notice::QuorumFileDone { ticket, result } => {
                parts.checkpoints.file_done(ticket, result, step!(self, now, out));
            }
            Notice::Apply { sequence, update } => self.apply(sequence, update, now, out),
            Notice::WriteLog { sequence, changes } => {
                self.held_logs.push_back((sequence, changes));
                self.write_held_logs(now, out);
            }
            Notice::Proposed { asker, result } => self.proposed(asker, result, now, out),
            Notice::Propose { asker, update } => {
                if let (Asker::Node(number), Update::NodeUp { node, .. }) = (asker, &update) {
                    self.sponsored.insert(number, *node);
                }
                parts.updates.propose(asker, update, step!(self, now, out));
            }
            Notice::RestoreKeys { resource } => {
                parts.checkpoints.restore(resource, step!(self, now, out));
            }
            Notice::Restored { resource } => {
                parts.failover.restored(resource, step!(self, now, out));
            }
            Notice::WatchKeys { resource } => {
                parts.checkpoints.watch(resource, step!(self, now, out));
            }
            Notice::SaveKeys { resource, save } => {
                parts.checkpoints.close(resource, save, step!(self, now, out));
            }
            Notice::Saved { resource } => parts.failover.saved(resource, step!(self, now, out)),
            Notice::TakeDisk { disk, skip_chkdsk, conditional_mount } => {
                parts.disks.take(disk, skip_chkdsk, conditional_mount, step!(self, now, out));
            }
            Notice::GiveDisk { disk, orderly } => self.give_disk(disk, orderly, now, out),
            Notice::AllOffline => {
                let database = &parts.database;
                parts.quorum.close(database, step!(self, now, out));
            }
            Notice::GroupMoved { group, to } => self.group_moved(group, to, now, out),
            Notice::Halt(reason) => self.halt(reason, now, out),
        }
    }

    fn rpc(
        &mut self,
        from: NodeId,
        kind: RpcKind,
        body: &[u8],
        now: Now,
        out: &mut Outbox<ClusterOutput>,
    ) {
        let parts = &mut self.parts;
        match kind {
            RpcKind::GlobalUpdate => parts.updates.rpc(from, body, step!(self, now, out)),
            RpcKind::Failover | RpcKind::Control => {
                parts.failover.rpc(from, body, step!(self, now, out));
            }
            RpcKind::QuorumFile => parts.quorum.rpc(from, body, step!(self, now, out)),
            RpcKind::Checkpoint => self.checkpoint_rpc(from, body, now, out),
        }
    }
}

/// The database.
impl ClusterNode {
    /// Applies a global update: every member does, in the same order.
    fn apply(&mut self, sequence: u64, update: Update, now: Now, out: &mut Outbox<ClusterOutput>) {
        self.parts.database.sequence = sequence;
        match update {
            Update::Database(changes) => {
                if self.parts.database.apply(&changes).is_err() {
                    return self.halt(HaltReason::UpdateFailed, now, out);
                }
                let reload = changes.iter().any(is_about_setup);
                step!(self, now, out).cluster_hive(changes);
                let flush = now.time + self.config.profile.database_flush;
                self.flush.get_or_insert(flush);
                if reload {
                    self.reload(now, out);
                }
            }
            Update::NodeUp { node, .. } => self.node_up(node, now, out),
            other => self.parts.failover.apply(&other, step!(self, now, out)),
        }
    }

    /// The parts read the database anew.
    fn reload(&mut self, now: Now, out: &mut Outbox<ClusterOutput>) {
        if let Some(bytes) = self.parts.database.quorum_log_max() {
            self.parts.quorum.set_log_max(bytes);
        }
        let nodes = self.parts.database.nodes();
        for node in self.config.node_ids().filter(|&node| !nodes.contains(node)) {
            self.parts.membership.evict(node);
        }
        let listed = self.listed();
        let holds_quorum = self.parts.quorum.owner() == Some(self.me);
        let parts = &mut self.parts;
        parts.failover.load(&parts.database, step!(self, now, out));
        parts.checkpoints.load(listed, holds_quorum, step!(self, now, out));
        if !nodes.contains(self.me) {
            self.halt(HaltReason::Evicted, now, out);
        }
    }

    /// `HKLM\Cluster` on this node is another one, and so is its copy on the disk.
    fn load_hive(&mut self, now: Now, out: &mut Outbox<ClusterOutput>) {
        let hive = self.parts.database.save();
        let range = out.write(|bytes| bytes.extend_from_slice(&hive));
        let ticket = Ticket { part: Part::Database, number: 0 };
        let action = RegistryAction::LoadClusterHive(range);
        out.push(ClusterOutput::Registry { ticket, action });
        self.write_database(now, out);
    }

    fn write_database(&mut self, now: Now, out: &mut Outbox<ClusterOutput>) {
        self.flush = None;
        let hive = self.parts.database.save();
        let ticket = Ticket { part: Part::Database, number: 0 };
        let how = match self.config.profile.database_atomic {
            true => FileOperation::Replace,
            false => FileOperation::Overwrite,
        };
        step!(self, now, out).write_file(ticket, Place::Own, CLUSDB.into(), &hive, how);
    }
}
