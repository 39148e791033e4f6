//! Join: a node looks for a member of its cluster on all internal networks, and is taken in through it.
//!
//! | joiner | sponsor | members |
//! | --- | --- | --- |
//! | probe, to every node | offer: ready or busy | |
//! | join | checks; announces it | know its incarnation; one join at a time (5041) |
//! | loads the snapshot | sends the snapshot | |
//! | loaded | proposes the update `NodeUp` | apply it |
//! | applies it: a member | | |
//!
//! A join is always tried before a cluster is formed (Q217147). Who gets no offer in time may form one; one
//! that only paused or unreachable nodes know of does not hold it up. Members that fail meanwhile, or a
//! sponsor that dies, end the attempt, and the joiner begins anew with another incarnation.

use super::super::events::ClusterEvent;
use super::super::ids::{NetworkId, NodeId, NodeSet};
use super::super::io::Observation;
use super::super::step::{Asker, Notice, Step};
use super::super::update::Update;
use super::{Membership, Mode, index};
use crate::base::SimTime;
use crate::wire::cluster::{
    Applicant, Body, Header, JoinMessage, KIND_JOIN, OFFER_BUSY, OFFER_READY,
};

/// Access denied: another token of the service account (Q317232).
const ERROR_ACCESS: u32 = 5;
/// Another join is in progress.
const ERROR_IN_PROGRESS: u32 = 5041;
/// The node is no member of the cluster's definition.
const ERROR_NODE_UNKNOWN: u32 = 5042;
/// No such join is in progress.
const ERROR_NOT_IN_PROGRESS: u32 = 5053;
/// The join was aborted.
pub(super) const ERROR_ABORTED: u32 = 5074;
/// Versions that cannot be in one cluster.
const ERROR_VERSION: u32 = 5075;
/// Another cluster.
pub(super) const ERROR_OTHER_CLUSTER: u32 = 5893;
/// RPC error "the call failed": all that comes of a connection which the sponsor thinks is still there
/// (Q238009).
const ERROR_CALL_FAILED: u32 = 1726;

/// What a joiner is doing.
#[derive(Debug)]
pub(super) struct Joining {
    stage: JoinStage,
    /// When this stage has lasted too long.
    until: SimTime,
    /// When the next probe or request is sent.
    next: SimTime,
    /// A cluster is there, but it cannot take this node yet: until when it is asked.
    busy_until: Option<SimTime>,
    /// Attempts that have failed.
    failed: u32,
    /// Members of the snapshot.
    members: NodeSet,
}

#[derive(Copy, Clone, PartialEq, Eq, Debug)]
enum JoinStage {
    Seeking,
    Asked(NodeId),
    Loading {
        sponsor: NodeId,
        sequence: u64,
    },
    Loaded(NodeId),
    /// Before the next attempt.
    Resting,
}

/// What a sponsor is doing.
#[derive(Debug)]
pub(super) struct Sponsoring {
    pub joiner: NodeId,
    incarnation: u64,
    /// Members that have not answered the announcement.
    waiting: NodeSet,
    stage: SponsorStage,
    until: SimTime,
}

#[derive(Copy, Clone, PartialEq, Eq, Debug)]
enum SponsorStage {
    Announced,
    Snapshot,
    Proposed,
}

/// A join through another member.
#[derive(Copy, Clone, Debug)]
pub(super) struct Pending {
    joiner: NodeId,
    incarnation: u64,
    sponsor: NodeId,
    until: SimTime,
}

impl Joining {
    /// The sponsor, once there is one.
    pub fn sponsor(&self) -> Option<NodeId> {
        match self.stage {
            JoinStage::Asked(sponsor)
            | JoinStage::Loading { sponsor, .. }
            | JoinStage::Loaded(sponsor) => Some(sponsor),
            JoinStage::Seeking | JoinStage::Resting => None,
        }
    }
}

// The joiner.
impl Membership {
    /// Looks for a sponsor. Ends in `SnapshotArrived`, `NoSponsor` or `JoinRefused`. `SnapshotArrived` comes
    /// again if the attempt fails later.
    pub fn join(&mut self, step: &mut Step<'_>) {
        self.seek(0, step);
    }

    fn seek(&mut self, failed: u32, step: &mut Step<'_>) {
        self.begin(step);
        self.mode = Mode::Joining;
        let now = step.now.time;
        self.joining = Some(Joining {
            stage: JoinStage::Seeking,
            until: now + step.config.profile.join_wait,
            next: now,
            busy_until: None,
            failed,
            members: NodeSet::EMPTY,
        });
        self.join_deadline(step);
    }

    /// The snapshot is loaded: the sponsor may admit this node (it proposes `NodeUp`).
    pub fn loaded(&mut self, sequence: u64, step: &mut Step<'_>) {
        let Some(joining) = &mut self.joining else { return };
        let JoinStage::Loading { sponsor, sequence: arrived } = joining.stage else { return };
        if arrived == sequence {
            joining.stage = JoinStage::Loaded(sponsor);
            joining.until = step.now.time + step.config.profile.join_timeout;
            self.send_join(sponsor, &JoinMessage::Loaded { sequence }, step);
        }
    }

    pub(super) fn on_offer(
        &mut self,
        header: &Header,
        network: NetworkId,
        state: u8,
        step: &mut Step<'_>,
    ) {
        let now = step.now.time;
        let profile = &step.config.profile;
        let mine = header.to_incarnation == self.incarnation;
        let Some(joining) = self.joining.as_mut().filter(|_| mine) else { return };
        if joining.stage != JoinStage::Seeking {
            return;
        }
        if state == OFFER_BUSY {
            // Rather wait for a cluster that is there than form another.
            let busy_until = *joining.busy_until.get_or_insert(now + profile.join_timeout);
            joining.until = (now + profile.join_wait).min(busy_until);
        } else if state == OFFER_READY {
            let sponsor = NodeId(header.from);
            joining.stage = JoinStage::Asked(sponsor);
            joining.until = now + profile.join_timeout;
            joining.next = now;
            self.know(sponsor, header.incarnation);
            self.hear(sponsor, network, step);
            self.join_deadline(step);
        }
    }

    pub(super) fn on_refusal(&mut self, header: &Header, error: u32, step: &mut Step<'_>) {
        if header.to_incarnation != self.incarnation {
            return;
        }
        let Some(joining) = &self.joining else { return };
        // Before a sponsor is chosen anyone may refuse; then only he.
        if joining.sponsor().is_none_or(|sponsor| sponsor.0 == header.from) {
            self.attempt_failed(error, step);
        }
    }

    /// An attempt to join has failed.
    fn attempt_failed(&mut self, error: u32, step: &mut Step<'_>) {
        let Some(joining) = &self.joining else { return };
        if joining.stage == JoinStage::Resting {
            return;
        }
        let failed = joining.failed + 1;
        let for_good = [
            ERROR_ACCESS,
            ERROR_VERSION,
            ERROR_NODE_UNKNOWN,
            ERROR_OTHER_CLUSTER,
            ERROR_CALL_FAILED,
        ]
        .contains(&error);
        if error == ERROR_ACCESS {
            for network in step.config.internal_networks() {
                step.log(ClusterEvent::JoinConnectionFailed { network });
            }
            step.log(ClusterEvent::JoinNoNetwork);
        }
        if for_good || failed >= step.config.profile.join_tries {
            self.reset();
            return step.notice(Notice::JoinRefused { error });
        }
        // Joiners that got in each other's way come back one after the other.
        let rest = step.config.profile.join_probe * (1 + index(step.me) as u64);
        let until = step.now.time + rest;
        self.begin(step);
        self.mode = Mode::Joining;
        let stage = JoinStage::Resting;
        let members = NodeSet::EMPTY;
        self.joining =
            Some(Joining { stage, until, next: until, busy_until: None, failed, members });
    }

    pub(super) fn join_due(&self) -> Option<SimTime> {
        let joining = self.joining.as_ref().map(|joining| match joining.stage {
            JoinStage::Seeking | JoinStage::Asked(_) => joining.next.min(joining.until),
            _ => joining.until,
        });
        let sponsoring = self.sponsoring.as_ref().map(|join| join.until);
        joining.into_iter().chain(sponsoring).min()
    }

    pub(super) fn join_deadline(&mut self, step: &mut Step<'_>) {
        let now = step.now.time;
        if self.sponsoring.as_ref().is_some_and(|join| join.until <= now) {
            self.abort_join(ERROR_ABORTED, step);
        }
        let Some(joining) = &mut self.joining else { return };
        if joining.until <= now {
            let (stage, failed, busy) = (joining.stage, joining.failed, joining.busy_until);
            return match (stage, busy) {
                (JoinStage::Resting, _) => self.seek(failed, step),
                (JoinStage::Seeking, Some(busy)) if busy <= now => {
                    self.attempt_failed(ERROR_IN_PROGRESS, step);
                }
                (JoinStage::Seeking, _) => {
                    self.reset();
                    step.notice(Notice::NoSponsor);
                }
                _ => self.attempt_failed(ERROR_ABORTED, step),
            };
        }
        if joining.next > now {
            return;
        }
        joining.next = now + step.config.profile.join_probe;
        match joining.stage {
            JoinStage::Seeking => {
                let applicant = self.applicant(step);
                let me = step.me;
                for node in step.config.node_ids().filter(|&node| node != me) {
                    self.send_everywhere(node, Body::Probe(applicant), step);
                }
            }
            JoinStage::Asked(sponsor) => {
                let applicant = self.applicant(step);
                self.send_everywhere(sponsor, Body::Join(applicant), step);
            }
            _ => {}
        }
    }

    fn applicant(&self, step: &Step<'_>) -> Applicant {
        let version = step.config.profile.version as u32 + 1;
        // A version works with itself and the one before it (rolling upgrades).
        let version_lowest = version.saturating_sub(1).max(1);
        Applicant { version_highest: version, version_lowest, account: self.account }
    }

    fn snapshot_arrived(
        &mut self,
        sponsor: NodeId,
        message: (u64, u64, Vec<(u8, u64)>),
        bytes: &[u8],
        step: &mut Step<'_>,
    ) {
        let (epoch, sequence, members) = message;
        let Some(joining) = self.joining.as_mut() else { return };
        if joining.stage != JoinStage::Asked(sponsor) {
            return;
        }
        joining.stage = JoinStage::Loading { sponsor, sequence };
        joining.until = step.now.time + step.config.profile.join_timeout;
        joining.members = members.iter().map(|&(node, _)| NodeId(node)).collect();
        let members_now = joining.members;
        for (node, incarnation) in members {
            self.know(NodeId(node), incarnation);
        }
        self.epoch = epoch;
        let bytes = bytes.to_vec();
        step.notice(Notice::SnapshotArrived { members: members_now, sequence, bytes });
    }
}

// The sponsor, and the other members.
impl Membership {
    pub(super) fn on_probe(
        &mut self,
        header: &Header,
        network: NetworkId,
        applicant: Applicant,
        step: &mut Step<'_>,
    ) {
        let node = NodeId(header.from);
        if self.mode != Mode::Member || self.silenced {
            return;
        }
        if self.stale.contains(node) {
            return self.refuse(header, ERROR_CALL_FAILED, step);
        }
        if self.evicted.contains(node) {
            return self.refuse(header, ERROR_NODE_UNKNOWN, step);
        }
        let _ = applicant;
        self.notice_restart(header, step);
        let state =
            if self.is_busy(node, header.incarnation, step) { OFFER_BUSY } else { OFFER_READY };
        let mut answer = self.header(node, step);
        answer.to_incarnation = header.incarnation;
        let body = Body::Offer { state, members: self.members.bits() };
        self.send_packet(network, &crate::wire::cluster::Packet { header: answer, body }, step);
    }

    pub(super) fn on_join(
        &mut self,
        header: &Header,
        network: NetworkId,
        applicant: Applicant,
        step: &mut Step<'_>,
    ) {
        let (node, incarnation) = (NodeId(header.from), header.incarnation);
        let mine = header.to_incarnation == self.incarnation;
        if self.mode != Mode::Member || !mine || self.silenced || self.stale.contains(node) {
            return;
        }
        let same = |join: &Sponsoring| join.joiner == node && join.incarnation == incarnation;
        if self.sponsoring.as_ref().is_some_and(same) || self.is_current(header) {
            return;
        }
        self.notice_restart(header, step);
        let own = self.applicant(step);
        let apart = applicant.version_highest < own.version_lowest
            || applicant.version_lowest > own.version_highest;
        let error = if self.evicted.contains(node) {
            ERROR_NODE_UNKNOWN
        } else if apart {
            ERROR_VERSION
        } else if applicant.account != self.account && step.config.profile.sponsor_keeps_token {
            ERROR_ACCESS
        } else if self.is_busy(node, incarnation, step) {
            ERROR_IN_PROGRESS
        } else {
            return self.sponsor(node, incarnation, network, step);
        };
        self.refuse(header, error, step);
    }

    /// Takes a joiner on: the members hear of it before it is told anything.
    fn sponsor(
        &mut self,
        joiner: NodeId,
        incarnation: u64,
        network: NetworkId,
        step: &mut Step<'_>,
    ) {
        self.know(joiner, incarnation);
        self.hear(joiner, network, step);
        let waiting = self.members.without(NodeSet::only(step.me));
        let until = step.now.time + step.config.profile.join_timeout;
        let stage = SponsorStage::Announced;
        self.sponsoring = Some(Sponsoring { joiner, incarnation, waiting, stage, until });
        let message = JoinMessage::Announcement { joiner: joiner.0, incarnation };
        for member in waiting.iter() {
            self.send_join(member, &message, step);
        }
        self.announced(step);
    }

    /// All members know of the joiner: on with it.
    fn announced(&mut self, step: &mut Step<'_>) {
        let Some(join) = &mut self.sponsoring else { return };
        if join.stage == SponsorStage::Announced && join.waiting.is_empty() {
            join.stage = SponsorStage::Snapshot;
            join.until = step.now.time + step.config.profile.join_timeout;
            step.notice(Notice::SnapshotWanted { joiner: join.joiner });
        }
    }

    /// What the joiner asked for.
    pub fn send_snapshot(
        &mut self,
        joiner: NodeId,
        sequence: u64,
        bytes: Vec<u8>,
        step: &mut Step<'_>,
    ) {
        if self.sponsoring.as_ref().is_none_or(|join| join.joiner != joiner) {
            return;
        }
        let incarnation = |node: NodeId| match node == step.me {
            true => self.incarnation,
            false => self.peers[index(node)].incarnation,
        };
        let members = self.members.iter().map(|node| (node.0, incarnation(node))).collect();
        let message = JoinMessage::Snapshot { epoch: self.epoch, sequence, members, bytes: &bytes };
        self.send_join(joiner, &message, step);
    }

    /// The join through this node failed (error 5083): the joiner is to begin again.
    pub fn join_failed(&mut self, joiner: NodeId, error: u32, step: &mut Step<'_>) {
        if self.sponsoring.as_ref().is_some_and(|join| join.joiner == joiner) {
            self.end_join(error, step);
        }
    }

    /// Ends a join that is not proposed yet.
    pub(super) fn abort_join(&mut self, error: u32, step: &mut Step<'_>) {
        if self.sponsoring.as_ref().is_some_and(|join| join.stage != SponsorStage::Proposed) {
            self.end_join(error, step);
        }
    }

    fn end_join(&mut self, error: u32, step: &mut Step<'_>) {
        let Some(Sponsoring { joiner, incarnation, .. }) = self.sponsoring.take() else { return };
        self.send_everywhere(joiner, Body::Refusal { error }, step);
        let message = JoinMessage::End { joiner: joiner.0, incarnation };
        for member in self.members.without(NodeSet::only(step.me)).iter() {
            self.send_join(member, &message, step);
        }
        self.forget_attempt(joiner, incarnation);
        if step.config.profile.stale_sponsor {
            self.stale.insert(joiner);
        }
    }

    /// The update `NodeUp` was applied: `node` is a member (maybe this node itself, which then hears from
    /// the members of the snapshot). A join that a regroup has ended meanwhile is void.
    pub fn admit(&mut self, node: NodeId, step: &mut Step<'_>) {
        if node == step.me {
            let Some(joining) = self.joining.take() else { return };
            self.mode = Mode::Member;
            self.members = joining.members;
            for member in joining.members.iter() {
                self.expect(member, step);
            }
        } else if self.mode != Mode::Member
            || self.peers.get(index(node)).is_none_or(|peer| peer.incarnation == 0)
        {
            return;
        } else {
            self.sponsoring.take_if(|join| join.joiner == node);
            self.pending.take_if(|join| join.joiner == node);
            self.expect(node, step);
        }
        self.members.insert(node);
        self.noticed = self.members;
        if self.heartbeat_due.is_none() {
            self.schedule_heartbeat(step);
        }
        step.observe(Observation::Members(self.members));
    }

    pub(super) fn on_join_message(&mut self, from: NodeId, bytes: &[u8], step: &mut Step<'_>) {
        let Ok(message) = JoinMessage::decode(bytes) else { return };
        match message {
            JoinMessage::Snapshot { epoch, sequence, members, bytes } => {
                self.snapshot_arrived(from, (epoch, sequence, members), bytes, step);
            }
            JoinMessage::Loaded { sequence } => {
                let Some(join) = &mut self.sponsoring else { return };
                if join.joiner == from && join.stage == SponsorStage::Snapshot {
                    join.stage = SponsorStage::Proposed;
                    // The update ends, one way or the other.
                    join.until = SimTime::MAX;
                    let update = Update::NodeUp { node: from, after: sequence };
                    step.notice(Notice::Propose { asker: Asker::Node(u32::from(from.0)), update });
                }
            }
            JoinMessage::Announcement { joiner, incarnation } => {
                let node = NodeId(joiner);
                let error = self.announcement(node, incarnation, from, step);
                self.send_join(from, &JoinMessage::Answer { joiner, incarnation, error }, step);
            }
            JoinMessage::Answer { joiner, incarnation, error } => {
                let Some(join) = &mut self.sponsoring else { return };
                if join.joiner.0 != joiner || join.incarnation != incarnation {
                    return;
                }
                if error != 0 {
                    return self.abort_join(error, step);
                }
                join.waiting.remove(from);
                self.announced(step);
            }
            JoinMessage::End { joiner, incarnation } => {
                let joiner = NodeId(joiner);
                self.pending
                    .take_if(|join| join.joiner == joiner && join.incarnation == incarnation);
                self.forget_attempt(joiner, incarnation);
            }
            JoinMessage::Unknown { .. } => {}
        }
    }

    /// A member announces a joiner: zero, or why it cannot be.
    fn announcement(
        &mut self,
        joiner: NodeId,
        incarnation: u64,
        sponsor: NodeId,
        step: &mut Step<'_>,
    ) -> u32 {
        let now = step.now.time;
        let other = |join: &Pending| {
            join.joiner != joiner && self.members.contains(join.sponsor) && join.until > now
        };
        let busy = self.regroup.is_some()
            || self.members.contains(joiner)
            || self.sponsoring.is_some()
            || self.pending.as_ref().is_some_and(other);
        if busy || index(joiner) >= self.peers.len() || self.mode != Mode::Member {
            return ERROR_IN_PROGRESS;
        }
        if let Some(former) = self.pending.take() {
            self.forget_attempt(former.joiner, former.incarnation);
        }
        self.know(joiner, incarnation);
        let until = now + step.config.profile.join_timeout * 4;
        self.pending = Some(Pending { joiner, incarnation, sponsor, until });
        0
    }

    /// A regroup has ended: a joiner that is no member by it is none.
    pub(super) fn forget_joiner(&mut self, step: &mut Step<'_>) {
        if let Some(join) = self.pending.take() {
            self.forget_attempt(join.joiner, join.incarnation);
        }
        match &self.sponsoring {
            Some(join) if self.members.contains(join.joiner) => self.sponsoring = None,
            _ => self.end_join(ERROR_ABORTED, step),
        }
    }

    /// This attempt to join is over; a later one of the same node may be under way.
    fn forget_attempt(&mut self, joiner: NodeId, incarnation: u64) {
        let known = self.peers.get(index(joiner)).is_some_and(|p| p.incarnation == incarnation);
        if known && !self.members.contains(joiner) {
            self.forget(joiner);
        }
    }

    /// A member that probes with a new incarnation has died and started again: no need to wait until its
    /// old one is missed. A joiner that does has given up its former attempt.
    fn notice_restart(&mut self, header: &Header, step: &mut Step<'_>) {
        let node = NodeId(header.from);
        let former =
            |join: &Sponsoring| join.joiner == node && join.incarnation < header.incarnation;
        if self.sponsoring.as_ref().is_some_and(former) {
            self.abort_join(ERROR_ABORTED, step);
        }
        let known = self.peers[index(node)].incarnation;
        if self.members.contains(node) && header.incarnation > known && !self.dead.contains(node) {
            self.dead.insert(node);
            self.start_regroup(self.epoch_now() + 1, step);
        }
    }

    fn is_busy(&self, node: NodeId, incarnation: u64, step: &Step<'_>) -> bool {
        let now = step.now.time;
        let other = |join: &Pending| join.joiner != node && join.until > now;
        let stuck = |join: &Sponsoring| join.joiner != node || join.incarnation != incarnation;
        self.regroup.is_some()
            || self.members.contains(node)
            || self.sponsoring.as_ref().is_some_and(stuck)
            || self.pending.as_ref().is_some_and(other)
    }

    pub(super) fn refuse(&self, header: &Header, error: u32, step: &mut Step<'_>) {
        let to = NodeId(header.from);
        let mut answer = self.header(to, step);
        answer.to_incarnation = header.incarnation;
        // The answer to another cluster must be one that it reads.
        answer.instance = header.instance;
        let packet = crate::wire::cluster::Packet { header: answer, body: Body::Refusal { error } };
        for network in step.config.internal_networks() {
            self.send_packet(network, &packet, step);
        }
    }

    /// A reliable message of a node that is not known: a joiner whose join has ended is told so.
    pub(super) fn on_stray_segment(&mut self, header: &Header, step: &mut Step<'_>) {
        let known = self.peers[index(NodeId(header.from))].incarnation;
        if self.mode == Mode::Member && known == 0 && header.to_incarnation == self.incarnation {
            self.refuse(header, ERROR_NOT_IN_PROGRESS, step);
        }
    }

    fn send_join(&mut self, to: NodeId, message: &JoinMessage<'_>, step: &mut Step<'_>) {
        let mut body = Vec::new();
        message.encode(&mut body);
        self.send_kind(to, KIND_JOIN, body, step);
    }
}
