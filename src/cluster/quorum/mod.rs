//! The quorum: arbitration, the quorum log and its checkpoints, replay by the node that forms, and files of
//! the quorum resource wherever it is mounted.
//!
//! | part | does |
//! | --- | --- |
//! | [`arbitration`] | challenge and defence for the quorum disk |
//! | [`log`] | the quorum log as bytes |
//! | [`journal`] | appends, checkpoints, on and off, on the node that holds the quorum |
//! | [`opening`] | what a node finds on the quorum, and what it makes of it |
//! | [`files`] | files of the quorum for every node |
//! | [`volume`] | operations on files under way; replicas of a majority node set |
//! | [`votes`] | who may form a majority node set |
//!
//! Promised: while the quorum survives, a change that was logged before it was applied is found again by the
//! node that forms, whenever power fails, unless the profile names the rule by which its version loses it.

mod arbitration;
mod files;
mod journal;
mod log;
mod opening;
#[cfg(test)]
mod tests;
mod volume;
mod votes;

use super::config::{NetworkRole, QuorumKind};
use super::database::Database;
use super::disks::{DiskDriver, quorum_mount};
use super::ids::{DiskId, NetworkId, NodeId, NodeSet};
use super::io::{FileResult, Place, ScsiResult, StartSwitches, Ticket};
use super::step::{Notice, QuorumFileOperation, Step};
use super::update::{DbChange, encode_changes};
use crate::base::{SimDuration, SimTime};
use arbitration::{Arbitration, Manner};
use files::{Files, For};
use journal::Journal;
use opening::{Opening, Stage};
use volume::{Outcome, TICKETS_MAX, Volume, Work};
use votes::Votes;

/// The quorum resource could not be brought online (ERROR_QUORUM_RESOURCE_ONLINE_FAILED).
const ONLINE_FAILED: u32 = 5027;

/// ERROR_RESOURCE_NOT_ONLINE.
pub(super) const NOT_ONLINE: u32 = 5004;

/// The quorum as one node deals with it.
#[derive(Debug, Default)]
pub(super) struct Quorum {
    switches: StartSwitches,
    members: NodeSet,
    /// Members that announced their shutdown.
    announced: NodeSet,
    /// Whether this node is in a cluster: it has formed or joined one.
    in_cluster: bool,
    owner: Option<NodeId>,
    /// The epoch of the last membership of which this node knows all that was written there: the one in which
    /// it came to hold it, or gave it up.
    held_in: u64,
    /// The epoch that was installed when it arbitrated last: this part is told of it later.
    arbitrated_in: u64,
    /// This node has closed the log and holds the disk still.
    is_closed: bool,
    arbitration: Arbitration,
    votes: Votes,
    opening: Option<Opening>,
    volume: Volume<Purpose>,
    journal: Journal,
    files: Files,
    /// The disk is being given up: what fails on it now is no surprise.
    is_leaving: bool,
    /// Networks whose adapter of this node does not work.
    dead: Vec<NetworkId>,
}

/// What an operation on a file is for.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
enum Purpose {
    Journal,
    Opening,
    File(For),
    Nothing,
}

impl Quorum {
    /// The service starts with these switches.
    pub fn start(&mut self, switches: StartSwitches) {
        self.switches = switches;
    }

    /// Challenges or defends; ends in `Arbitrated`. `members` are the nodes of this partition; one of them
    /// is asked, the owner of the quorum if it is among them. `epoch` is that of the membership before.
    pub fn arbitrate(
        &mut self,
        (members, epoch): (NodeSet, u64),
        disks: &mut DiskDriver,
        step: &mut Step<'_>,
    ) {
        self.arbitrated_in = epoch;
        let disk = match step.config.quorum {
            _ if self.switches.fix_quorum => None,
            QuorumKind::Disk(_) => step.config.quorum_disk(),
            QuorumKind::Local | QuorumKind::MajorityNodeSet => None,
        };
        let Some(disk) = disk else {
            if step.config.quorum == QuorumKind::MajorityNodeSet && !self.switches.fix_quorum {
                return self.votes.begin(self.voters(step), step);
            }
            return step.notice(Notice::Arbitrated { won: true });
        };
        let manner = if disks.is_held(disk) {
            self.defence(members, step)
        } else {
            Manner::Challenge { wait: self.challenge_wait(step) }
        };
        self.arbitration.begin(manner, disk, disks, step);
    }

    /// The nodes that a majority node set is made of.
    fn voters(&self, step: &Step<'_>) -> NodeSet {
        self.switches.force_quorum.unwrap_or_else(|| step.config.node_ids().collect())
    }

    fn challenge_wait(&self, step: &Step<'_>) -> SimDuration {
        let profile = &step.config.profile;
        if profile.planted.hasty_challenger {
            profile.reservation_renewal / 3
        } else if !self.in_cluster && profile.booting_node_takes_quorum {
            SimDuration::ZERO
        } else {
            profile.challenge_wait
        }
    }

    fn defence(&self, members: NodeSet, step: &Step<'_>) -> Manner {
        let profile = &step.config.profile;
        let gone = self.members.without(members);
        if profile.trusts_announced_shutdown && self.announced.covers(gone) && !gone.is_empty() {
            Manner::Keep
        } else if profile.isolated_owner_yields && self.in_cluster && self.is_isolated(step) {
            Manner::Yield
        } else {
            Manner::Defend
        }
    }

    /// Whether no network for clients works on this node.
    fn is_isolated(&self, step: &Step<'_>) -> bool {
        let Some(node) = step.config.node(step.me) else { return false };
        let for_clients = (0u8..).zip(&step.config.networks).filter(|(i, network)| {
            matches!(network.role, NetworkRole::Client | NetworkRole::All)
                && node.addresses.get(usize::from(*i)).is_some_and(Option::is_some)
        });
        let mut works = for_clients.map(|(i, _)| !self.dead.contains(&NetworkId(i))).peekable();
        works.peek().is_some() && works.all(|works| !works)
    }

    /// An adapter works, or does not any more, as far as this version can see.
    pub fn interface(&mut self, network: NetworkId, works: bool) {
        self.dead.retain(|dead| *dead != network);
        if !works {
            self.dead.push(network);
        }
    }

    /// A member announced that its system shuts down.
    pub fn announced_shutdown(&mut self, node: NodeId) {
        self.announced.insert(node);
    }

    /// This node has won while forming: mounts the quorum, replays its log over `database`. Ends in
    /// `DatabaseReady` or `CannotForm`.
    pub fn form(&mut self, database: &Database, disks: &mut DiskDriver, step: &mut Step<'_>) {
        self.members = NodeSet::only(step.me);
        self.in_cluster = true;
        if self.switches.fix_quorum {
            return self.ready(database, step);
        }
        self.owner = Some(step.me);
        self.journal.wanted = self.wants_logging(database, step);
        self.opening = Some(Opening::new(true));
        match quorum_mount(step.config) {
            Some((disk, skip, conditional)) => disks.take(disk, skip, conditional, step),
            None => {
                self.open_volume(step);
                self.mounted(database, step);
            }
        }
    }

    /// The node that holds the quorum resource, as far as this one knows.
    pub fn owner(&self) -> Option<NodeId> {
        self.owner
    }

    /// Why the last change was not logged: a Windows error.
    pub fn last_error(&self) -> u32 {
        self.journal.error
    }

    /// The largest size of the quorum log from now on, in bytes (SetClusterQuorumResource).
    pub fn set_log_max(&mut self, bytes: u32) {
        self.journal.set_max(bytes);
    }

    /// The registry of this node does not answer, or does again: no hive can be saved (Q238173).
    #[cfg_attr(not(test), expect(dead_code, reason = "no fault makes the registry fail yet"))]
    pub fn set_registry_fails(&mut self, fails: bool) {
        self.journal.registry_fails = fails;
    }

    /// Another node holds it from now on, or this one.
    pub fn set_owner(&mut self, owner: Option<NodeId>, step: &mut Step<'_>) {
        if self.owner == owner {
            return;
        }
        if owner == Some(step.me) {
            self.comes_to_hold();
        }
        let before = std::mem::replace(&mut self.owner, owner);
        if let Some(before) = before {
            self.files.owner_gone(before);
        }
        if owner != Some(step.me) {
            self.close_volume(step);
        }
        self.serve(step);
    }

    fn comes_to_hold(&mut self) {
        self.held_in = self.journal.epoch.max(self.arbitrated_in);
    }

    /// A disk has gone online on this node; if it is the quorum, its log is opened.
    pub fn disk_online(&mut self, disk: DiskId, database: &Database, step: &mut Step<'_>) {
        if step.config.quorum_disk() != Some(disk)
            || self.switches.fix_quorum
            || self.volume.is_open()
        {
            return;
        }
        if self.owner.replace(step.me) != Some(step.me) {
            self.comes_to_hold();
        }
        self.opening.get_or_insert_with(|| Opening::new(false));
        self.volume.open(Place::Disk(disk));
        self.mounted(database, step);
    }

    /// A disk could not be brought online on this node.
    pub fn disk_failed(&mut self, disk: DiskId, step: &mut Step<'_>) {
        let is_quorum = step.config.quorum_disk() == Some(disk);
        if is_quorum && let Some(opening) = self.opening.take() {
            if opening.forms {
                step.notice(Notice::CannotForm { error: ONLINE_FAILED });
            } else {
                self.close_volume(step);
            }
        }
    }

    /// A disk is about to be given up. True if that can be done now; otherwise the log is closed first and
    /// the notice `GiveDisk` comes again.
    pub fn before_give(
        &mut self,
        disk: DiskId,
        orderly: bool,
        database: &Database,
        step: &mut Step<'_>,
    ) -> bool {
        let is_quorum = step.config.quorum_disk() == Some(disk);
        if !is_quorum || !self.volume.is_open() {
            return true;
        }
        if !orderly || !self.journal.is_open() {
            self.close_volume(step);
            return true;
        }
        if !self.is_leaving {
            (self.is_leaving, self.is_closed) = (true, true);
            self.journal.release(disk, orderly, self.is_alone(step));
            self.work(database, step);
        }
        false
    }

    /// Which nodes are up decides whether changes are logged (Q217147).
    /// The members are these, since the regroup or the start that has this epoch.
    pub fn members_changed(
        &mut self,
        (members, epoch): (NodeSet, u64),
        database: &Database,
        step: &mut Step<'_>,
    ) {
        self.journal.epoch = epoch;
        let gone = self.members.without(members);
        self.members = members;
        self.in_cluster = true;
        self.announced = self.announced.and(members);
        for node in gone.iter() {
            self.files.forget_node(node);
            self.files.owner_gone(node);
            if self.owner == Some(node) {
                self.owner = None;
            }
        }
        self.take_set_over(database, step);
        let wanted = self.wants_logging(database, step);
        self.journal.nodes_changed(wanted, !gone.is_empty(), step);
        self.work(database, step);
    }

    /// The coordinator of a majority node set begins as soon as the regroup has chosen it, and asks again for
    /// every vote when members change.
    fn take_set_over(&mut self, database: &Database, step: &mut Step<'_>) {
        if step.config.quorum != QuorumKind::MajorityNodeSet
            || self.owner != Some(step.me)
            || self.switches.fix_quorum
        {
            return;
        }
        if self.volume.is_open() {
            return self.votes.hold(self.voters(step), step);
        }
        self.journal.wanted = self.wants_logging(database, step);
        self.opening = Some(Opening::new(false));
        self.open_volume(step);
        self.mounted(database, step);
    }

    fn is_alone(&self, step: &Step<'_>) -> bool {
        self.members == NodeSet::only(step.me)
    }

    /// Logging is on while a node that was not evicted is down.
    fn wants_logging(&self, database: &Database, step: &Step<'_>) -> bool {
        let nodes = Some(database.nodes()).filter(|nodes| !nodes.is_empty());
        !self.members.covers(nodes.unwrap_or_else(|| step.config.node_ids().collect()))
    }

    /// Puts a change into the log if this node holds the quorum and logging is on; ends in `Logged`.
    pub fn log(
        &mut self,
        sequence: u64,
        changes: &[DbChange],
        database: &Database,
        step: &mut Step<'_>,
    ) {
        let mut body = Vec::new();
        encode_changes(changes, &mut body);
        let is_here = self.journal.is_open() || self.opening.is_some();
        let is_off = self.switches.fix_quorum || self.switches.no_quorum_logging;
        if is_here && !is_off && !self.is_closed {
            self.journal.change(sequence, body, step);
            return self.work(database, step);
        }
        // Whoever takes the quorum next has the change too, unless nobody is there.
        if self.is_closed && self.is_alone(step) && !is_off {
            self.journal.error = NOT_ONLINE;
            return step.notice(Notice::Logged { sequence, ok: false });
        }
        self.journal.pass(sequence, body, database);
        step.notice(Notice::Logged { sequence, ok: true });
    }

    /// Does something with a file of the quorum resource, through its owner if that is another node.
    pub fn file_request(
        &mut self,
        ticket: Ticket,
        path: String,
        operation: QuorumFileOperation,
        step: &mut Step<'_>,
    ) {
        self.files.ask(ticket, path, operation, step);
        self.serve(step);
    }

    /// A message of another node about files of the quorum resource.
    pub fn rpc(&mut self, from: NodeId, body: &[u8], step: &mut Step<'_>) {
        self.files.rpc(from, body, step);
        self.serve(step);
    }

    /// The service stops: a last checkpoint, the files closed; ends in `QuorumClosed`.
    pub fn close(&mut self, database: &Database, step: &mut Step<'_>) {
        self.is_closed = true;
        if self.journal.is_open() {
            self.journal.close();
            self.work(database, step);
        } else {
            step.notice(Notice::QuorumClosed);
        }
    }

    /// A SCSI command of its own has ended.
    pub fn scsi(
        &mut self,
        ticket: Ticket,
        result: ScsiResult,
        disks: &mut DiskDriver,
        step: &mut Step<'_>,
    ) {
        if let Some((disk, skip, conditional)) = quorum_mount(step.config) {
            let was_running = self.arbitration.is_running();
            self.arbitration.scsi(ticket, result, disk, disks, step);
            self.arbitrated(was_running, (disk, skip, conditional), disks, step);
        }
    }

    /// A challenger in a running cluster that has won mounts the disk at once: what is to be logged waits.
    fn arbitrated(
        &mut self,
        was_running: bool,
        (disk, skip, conditional): (DiskId, bool, bool),
        disks: &mut DiskDriver,
        step: &mut Step<'_>,
    ) {
        let won = was_running && !self.arbitration.is_running() && disks.is_held(disk);
        if won && self.in_cluster && self.opening.is_none() && !self.volume.is_open() {
            self.set_owner(Some(step.me), step);
            self.opening = Some(Opening::new(false));
            disks.take(disk, skip, conditional, step);
        }
    }

    /// A file operation of its own has ended.
    pub fn file(
        &mut self,
        ticket: Ticket,
        result: FileResult<'_>,
        database: &Database,
        step: &mut Step<'_>,
    ) {
        if ticket.number > TICKETS_MAX {
            return self.votes.ended(ticket, result, self.members, step);
        }
        if result == FileResult::Failed {
            self.votes.doubt(step);
        }
        for (purpose, outcome) in self.volume.ended(ticket, result, step) {
            if outcome == Outcome::Failed && self.in_cluster {
                self.votes.failed(self.members, step);
            }
            self.file_done(purpose, outcome, database, step);
        }
    }

    fn file_done(
        &mut self,
        purpose: Purpose,
        outcome: Outcome,
        database: &Database,
        step: &mut Step<'_>,
    ) {
        match purpose {
            Purpose::Nothing => {}
            Purpose::Opening => self.opened_more(outcome, database, step),
            Purpose::File(whom) => {
                self.files.ended(whom, outcome, self.is_leaving, step);
                self.serve(step);
            }
            Purpose::Journal => {
                let told = self.journal.ended(&outcome, &mut self.volume, database, step);
                self.formed(told, step);
                self.work(database, step);
            }
        }
    }

    /// Acts on what is due.
    pub fn on_deadline(
        &mut self,
        database: &Database,
        disks: &mut DiskDriver,
        step: &mut Step<'_>,
    ) {
        if let Some((disk, skip, conditional)) = quorum_mount(step.config) {
            let was_running = self.arbitration.is_running();
            self.arbitration.on_deadline(disk, disks, step);
            self.arbitrated(was_running, (disk, skip, conditional), disks, step);
        }
        self.votes.on_deadline(step);
        self.journal.on_deadline(step);
        self.files.on_deadline(step);
        self.serve(step);
        self.work(database, step);
    }

    /// When it next wants to act.
    pub fn next_deadline(&self) -> Option<SimTime> {
        let deadlines = [
            self.arbitration.next_deadline(),
            self.votes.next_deadline(),
            self.journal.next_deadline(),
            self.files.next_deadline(),
        ];
        deadlines.into_iter().flatten().min()
    }

    /// A quorum that is no disk is there at once.
    fn open_volume(&mut self, step: &mut Step<'_>) {
        match step.config.quorum {
            QuorumKind::MajorityNodeSet => {
                let voters = self.voters(step);
                self.votes.hold(voters, step);
                self.volume.open_replicas(voters, step);
            }
            QuorumKind::Local | QuorumKind::Disk(_) => self.volume.open(Place::Own),
        }
    }

    /// The volume can be used from now on: what is on it?
    fn mounted(&mut self, database: &Database, step: &mut Step<'_>) {
        (self.is_leaving, self.is_closed) = (false, false);
        self.serve(step);
        if self.switches.no_quorum_logging {
            if self.opening.take().is_some_and(|opening| opening.forms) {
                self.ready(database, step);
            }
            return;
        }
        if let Some(opening) = &mut self.opening {
            opening.stage = Stage::Listing;
            self.volume.begin(Purpose::Opening, r"MSCS\", &Work::List, step);
        }
    }

    /// The files cannot be reached from here any more.
    fn close_volume(&mut self, step: &mut Step<'_>) {
        for purpose in self.volume.close() {
            if let Purpose::File(whom) = purpose {
                self.files.ended(whom, Outcome::Failed, true, step);
            }
        }
        if self.owner == Some(step.me) {
            // Until now all that was written was its own.
            self.held_in = self.held_in.max(self.journal.epoch);
        }
        self.journal.forget(step);
        self.votes.release(step);
        self.opening = None;
        self.is_leaving = false;
        self.files.owner_gone(step.me);
    }

    fn work(&mut self, database: &Database, step: &mut Step<'_>) {
        if matches!(&self.opening, Some(Opening { stage: Stage::Writing { .. }, .. })) {
            return;
        }
        let told = self.journal.work(&mut self.volume, database, step);
        self.formed(told, step);
        if self.is_leaving && !self.journal.is_open() {
            self.close_volume(step);
        }
    }

    /// Sends requests for files on their way.
    fn serve(&mut self, step: &mut Step<'_>) {
        let is_here = self.volume.is_open() && !self.is_leaving;
        if self.owner.is_some_and(|owner| owner != step.me) {
            self.files.send_back(step);
        }
        for task in self.files.send(is_here, self.owner, step) {
            let purpose = Purpose::File(task.purpose);
            self.volume.begin(purpose, &task.path, &task.work, step);
        }
    }
}
