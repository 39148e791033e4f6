//! Global updates: one order of changes for all members (US6163855; FTCS-28 1998).
//!
//! One member is the *locker*: it grants the right to update to one *sender* at a time, with the number of
//! the update. The sender brings the update to the locker first, applies it itself, then brings it to every
//! other member in the order of their numbers, one after the other, and gives the right back. A change of
//! the database is sent by the node that holds the quorum, whoever asks for it: it is in the quorum log
//! before anyone applies it (US6449734), and a log that cannot be written refuses the change.
//!
//! When members leave, every survivor reports to the locker (the lowest numbered one if the old locker is
//! gone) its last update and the one it is sending. What any of them has, all get; then the right is free
//! again and senders whose update is not among those ask anew. So an update that one survivor has applied
//! reaches all of them, in the same order, whoever died: sender, locker or both.
//!
//! Rests on three promises of the messages: in order, none lost between members, none delivered from a node
//! that has left.
//!
//! | message | bytes after its code |
//! | --- | --- |
//! | ask (to the quorum's holder) | origin, update |
//! | answer (to who asked) | origin number u32, error u32 |
//! | request (to the locker) | |
//! | grant (from the locker) | sequence u64 |
//! | apply | sequence u64, origin, update |
//! | applied | sequence u64 |
//! | unlock | number u32 |
//! | report (to the locker) | epoch u64, last sequence u64, two optional updates |
//! | repaired (from the locker) | epoch u64 |

use super::ids::{NodeId, NodeSet};
use super::io::{ClusterError, HaltReason, Observation};
use super::step::{Asker, Notice, Step};
use super::update::{Reader, Update, UpdateError};
use crate::wire::cluster::RpcKind;
use std::collections::{BTreeMap, VecDeque};

/// Updates a node may have waiting. Beyond it new ones are refused (error 170, busy): an administrator's
/// script, not the service, fills it.
const PROPOSALS_MAX: usize = 4096;
/// Windows error "the requested resource is in use".
const ERROR_BUSY: u32 = 170;
/// Windows error "the database sequence number has changed" (5083).
const ERROR_SEQUENCE: u32 = 5083;

/// Who first asked for an update, so that one that is asked for twice is applied once.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Origin {
    node: NodeId,
    /// Of the service's starts on that node.
    start: u32,
    number: u32,
}

/// An update with its place in the order.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Numbered {
    sequence: u64,
    origin: Origin,
    update: Update,
}

/// An update this node wants.
#[derive(Clone, Debug)]
struct Proposal {
    number: u32,
    asker: Asker,
    update: Update,
}

/// What this node is doing as a sender.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Sending {
    No,
    /// It has asked the locker.
    Requested {
        origin: Origin,
        update: Update,
    },
    /// The change is being written into the quorum log.
    Logging(Numbered),
    /// These have still to apply it, the locker first.
    Spreading {
        what: Numbered,
        left: VecDeque<NodeId>,
        waiting_for: NodeId,
    },
}

/// The locker's side.
#[derive(Clone, Debug, Default)]
struct Lock {
    /// The sender, and its number of the request that was granted.
    holder: Option<(NodeId, u32)>,
    queue: VecDeque<(NodeId, u32)>,
}

#[derive(Clone, Debug)]
struct Report {
    /// The epoch of the regroup it is about.
    epoch: u64,
    sequence: u64,
    /// The last applied one, and the one being sent.
    known: Vec<Numbered>,
}

/// A node's part in the global updates.
#[derive(Debug)]
pub(super) struct GlobalUpdates {
    start: u32,
    members: NodeSet,
    locker: Option<NodeId>,
    sequence: u64,
    last: Option<Numbered>,
    /// The newest update of each node, by its start and number.
    seen: BTreeMap<NodeId, (u32, u32)>,
    proposals: VecDeque<Proposal>,
    next_number: u32,
    /// The first proposal is with the quorum's holder.
    asked: Option<NodeId>,
    /// Changes of the database that others want, on the node that holds the quorum.
    guests: VecDeque<(Origin, Update)>,
    sending: Sending,
    /// The number of its newest request to the locker: what is granted to an older one is void.
    request: u32,
    lock: Lock,
    /// Reports to this node as the locker, by who sent them.
    reports: BTreeMap<NodeId, Report>,
    repairing: bool,
    /// The epoch of the regroup that ended last.
    epoch: u64,
    /// Members that have still to say that they have what the repair brought them.
    catching_up: NodeSet,
    /// Answers of the quorum log that are still to come and concern nobody any more.
    stale_logs: u32,
    quorum_owner: Option<NodeId>,
}

impl GlobalUpdates {
    /// Of a service that starts for the `start`th time.
    pub fn new(start: u32) -> GlobalUpdates {
        GlobalUpdates {
            start,
            members: NodeSet::EMPTY,
            locker: None,
            sequence: 0,
            last: None,
            seen: BTreeMap::new(),
            proposals: VecDeque::new(),
            next_number: 0,
            asked: None,
            guests: VecDeque::new(),
            sending: Sending::No,
            request: 0,
            lock: Lock::default(),
            reports: BTreeMap::new(),
            repairing: false,
            epoch: 0,
            catching_up: NodeSet::EMPTY,
            stale_logs: 0,
            quorum_owner: None,
        }
    }

    /// The number of the last update applied here.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// This node has formed a cluster whose last update has this number.
    pub fn formed(&mut self, sequence: u64, step: &mut Step<'_>) {
        self.members = NodeSet::only(step.me);
        self.locker = Some(step.me);
        self.sequence = sequence;
        self.next_proposal(step);
    }

    /// What a joiner has to know: the locker, the last number, and whose updates are in it.
    pub fn snapshot(&self) -> Vec<u8> {
        let mut bytes = vec![self.locker.map_or(0, |node| node.0)];
        bytes.extend_from_slice(&self.sequence.to_le_bytes());
        bytes.extend_from_slice(&(self.seen.len() as u32).to_le_bytes());
        for (node, (start, number)) in &self.seen {
            bytes.push(node.0);
            bytes.extend_from_slice(&start.to_le_bytes());
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        bytes
    }

    /// Takes a sponsor's snapshot.
    ///
    /// # Errors
    /// The bytes are none.
    pub fn load(&mut self, members: NodeSet, snapshot: &[u8]) -> Result<(), UpdateError> {
        let mut reader = Reader::new(snapshot);
        let locker = reader.u8()?;
        let sequence = reader.u64()?;
        let count = reader.u32()?;
        let mut seen = BTreeMap::new();
        for _ in 0..count {
            let node = NodeId(reader.u8()?);
            seen.insert(node, (reader.u32()?, reader.u32()?));
        }
        reader.end()?;
        self.members = members;
        self.locker = Some(NodeId(locker));
        self.sequence = sequence;
        self.seen = seen;
        Ok(())
    }

    /// The node that holds the quorum: changes of the database go through it.
    pub fn set_quorum_owner(&mut self, owner: Option<NodeId>, step: &mut Step<'_>) {
        if self.quorum_owner != owner {
            self.quorum_owner = owner;
            if owner.is_some_and(|owner| owner != step.me) {
                self.guests.clear();
            }
            // Who asked the former holder asks again: what it had applied is recognised by its origin.
            self.asked = None;
            self.next_proposal(step);
        }
    }

    /// Wants an update. Ends in `Proposed`.
    pub fn propose(&mut self, asker: Asker, update: Update, step: &mut Step<'_>) {
        if self.proposals.len() >= PROPOSALS_MAX {
            let result = Err(ClusterError(ERROR_BUSY));
            return step.notice(Notice::Proposed { asker, result });
        }
        self.next_number += 1;
        self.proposals.push_back(Proposal { number: self.next_number, asker, update });
        self.next_proposal(step);
    }

    /// Whether this node waits for something it proposed.
    #[cfg(test)]
    pub fn is_idle(&self) -> bool {
        self.proposals.is_empty() && self.sending == Sending::No
    }

    fn origin(&self, number: u32, me: NodeId) -> Origin {
        Origin { node: me, start: self.start, number }
    }

    /// Begins with the next update, if nothing is on its way.
    fn next_proposal(&mut self, step: &mut Step<'_>) {
        if self.repairing || self.sending != Sending::No || !self.members.contains(step.me) {
            return;
        }
        if let Some((origin, update)) = self.guests.front().cloned()
            && self.quorum_owner == Some(step.me)
        {
            return self.request(origin, update, step);
        }
        let Some(first) = self.proposals.front().cloned() else { return };
        let origin = self.origin(first.number, step.me);
        let through = match first.update {
            Update::Database(_) => self.quorum_owner,
            _ => Some(step.me),
        };
        match through {
            Some(node) if node == step.me => self.request(origin, first.update, step),
            Some(node) if self.asked.is_none() => {
                self.asked = Some(node);
                let mut body = vec![code::ASK];
                put_origin(origin, &mut body);
                first.update.encode(&mut body);
                send(node, body, step);
            }
            // Nobody holds the quorum now, or the holder was asked already.
            _ => {}
        }
    }

    fn request(&mut self, origin: Origin, update: Update, step: &mut Step<'_>) {
        let Some(locker) = self.locker else { return };
        self.sending = Sending::Requested { origin, update };
        self.request += 1;
        if locker == step.me {
            self.requested(step.me, self.request, step);
        } else {
            send(locker, with_number(code::REQUEST, self.request), step);
        }
    }

    /// The locker's side: a member wants to update.
    fn requested(&mut self, by: NodeId, number: u32, step: &mut Step<'_>) {
        // Who asks anew has no use for what it asked for before.
        if self.lock.holder.is_some_and(|(holder, _)| holder == by) {
            self.lock.holder = None;
        }
        self.lock.queue.retain(|&(waiting, _)| waiting != by);
        self.lock.queue.push_back((by, number));
        self.grant(step);
    }

    fn grant(&mut self, step: &mut Step<'_>) {
        if self.repairing || self.lock.holder.is_some() || self.locker != Some(step.me) {
            return;
        }
        let Some((next, number)) = self.lock.queue.pop_front() else { return };
        self.lock.holder = Some((next, number));
        let sequence = self.sequence + 1;
        if next == step.me {
            self.granted(number, sequence, step);
        } else {
            let mut body = with_number(code::GRANT, number);
            body.extend_from_slice(&sequence.to_le_bytes());
            send(next, body, step);
        }
    }

    fn unlocked(&mut self, by: NodeId, number: u32, step: &mut Step<'_>) {
        if self.lock.holder == Some((by, number)) {
            self.lock.holder = None;
            self.grant(step);
        }
    }

    /// The sender's side: it is this node's turn.
    fn granted(&mut self, number: u32, sequence: u64, step: &mut Step<'_>) {
        if self.repairing || number != self.request {
            // Granted before the locker learned that members have left: void.
            return;
        }
        let Sending::Requested { origin, update } = self.sending.clone() else { return };
        if self.is_seen(origin) {
            return self.sent(origin, Ok(()), step);
        }
        if let Update::NodeUp { after, .. } = update
            && after + 1 != sequence
        {
            return self.sent(origin, Err(ClusterError(ERROR_SEQUENCE)), step);
        }
        let what = Numbered { sequence, origin, update };
        match &what.update {
            Update::Database(changes) => {
                step.notice(Notice::WriteLog { sequence, changes: changes.clone() });
                self.sending = Sending::Logging(what);
            }
            _ => self.spread(what, step),
        }
    }

    /// The quorum log has the change, or cannot take it.
    pub fn logged(&mut self, sequence: u64, logged: Result<(), ClusterError>, step: &mut Step<'_>) {
        if self.stale_logs > 0 {
            self.stale_logs -= 1;
            return;
        }
        let Sending::Logging(what) = self.sending.clone() else { return };
        if what.sequence != sequence {
            return;
        }
        match logged {
            Ok(()) => self.spread(what, step),
            Err(error) => self.sent(what.origin, Err(error), step),
        }
    }

    fn spread(&mut self, what: Numbered, step: &mut Step<'_>) {
        let mut order: VecDeque<NodeId> = VecDeque::new();
        order.extend(self.locker);
        order.push_back(step.me);
        order.extend(self.members.iter());
        if let Update::NodeUp { node, .. } = what.update {
            order.push_back(node);
        }
        let mut left = VecDeque::new();
        for node in order {
            if !left.contains(&node) {
                left.push_back(node);
            }
        }
        self.sending = Sending::Spreading { what, left, waiting_for: NodeId(0) };
        self.spread_on(step);
    }

    /// Brings the update to the next node.
    fn spread_on(&mut self, step: &mut Step<'_>) {
        loop {
            let Sending::Spreading { what, left, waiting_for } = &mut self.sending else { return };
            let Some(next) = left.pop_front() else { break };
            if next != step.me {
                *waiting_for = next;
                let body = apply_body(what);
                return send(next, body, step);
            }
            let what = what.clone();
            self.apply(what, step);
        }
        if let Sending::Spreading { what, .. } = &self.sending {
            let what = what.clone();
            if let Update::Database(_) = what.update {
                let digest = what.update.digest();
                step.observe(Observation::Committed { sequence: what.sequence, digest });
            }
            self.sent(what.origin, Ok(()), step);
        }
    }

    /// This node's turn as a sender is over.
    fn sent(&mut self, origin: Origin, result: Result<(), ClusterError>, step: &mut Step<'_>) {
        self.sending = Sending::No;
        self.unlock(step);
        self.finish(origin, result, step);
        self.next_proposal(step);
    }

    fn unlock(&mut self, step: &mut Step<'_>) {
        match self.locker {
            Some(locker) if locker == step.me => self.unlocked(step.me, self.request, step),
            Some(locker) => send(locker, with_number(code::UNLOCK, self.request), step),
            None => {}
        }
    }

    /// Tells whoever wanted the update.
    fn finish(&mut self, origin: Origin, result: Result<(), ClusterError>, step: &mut Step<'_>) {
        self.guests.retain(|(guest, _)| *guest != origin);
        if origin.node == step.me {
            if origin.start == self.start
                && self.proposals.front().is_some_and(|p| p.number == origin.number)
                && let Some(first) = self.proposals.pop_front()
            {
                self.asked = None;
                step.notice(Notice::Proposed { asker: first.asker, result });
            }
        } else if self.members.contains(origin.node) {
            let mut body = vec![code::ANSWER];
            body.extend_from_slice(&origin.start.to_le_bytes());
            body.extend_from_slice(&origin.number.to_le_bytes());
            body.extend_from_slice(&result.map_or_else(|e| e.0, |()| 0).to_le_bytes());
            send(origin.node, body, step);
        }
    }

    fn is_sending(&self, origin: Origin) -> bool {
        match &self.sending {
            Sending::No => false,
            Sending::Requested { origin: sending, .. } => *sending == origin,
            Sending::Logging(what) | Sending::Spreading { what, .. } => what.origin == origin,
        }
    }

    fn is_seen(&self, origin: Origin) -> bool {
        self.seen.get(&origin.node).is_some_and(|&seen| seen >= (origin.start, origin.number))
    }

    /// Applies an update unless it has been: every member does, in this order.
    fn apply(&mut self, what: Numbered, step: &mut Step<'_>) {
        if what.sequence <= self.sequence {
            return;
        }
        if what.sequence != self.sequence + 1 {
            // A gap cannot be: one update is on its way at a time, and a repair closes what was open.
            return step.notice(Notice::Halt(HaltReason::UpdateFailed));
        }
        self.sequence = what.sequence;
        let newest = (what.origin.start, what.origin.number);
        let seen = self.seen.entry(what.origin.node).or_insert(newest);
        *seen = newest.max(*seen);
        if let Update::NodeUp { node, .. } = what.update {
            self.members.insert(node);
        }
        let digest = what.update.digest();
        step.observe(Observation::Applied { sequence: what.sequence, digest });
        step.notice(Notice::Apply { sequence: what.sequence, update: what.update.clone() });
        self.last = Some(what);
    }

    /// A message of another node's global updates. Anything that is none is ignored.
    pub fn rpc(&mut self, from: NodeId, body: &[u8], step: &mut Step<'_>) {
        let mut reader = Reader::new(body);
        // Nobody but a damaged or foreign node sends what cannot be read.
        let _ = self.message(from, &mut reader, step);
    }

    fn message(
        &mut self,
        from: NodeId,
        reader: &mut Reader<'_>,
        step: &mut Step<'_>,
    ) -> Result<(), UpdateError> {
        match reader.u8()? {
            code::ASK => {
                let origin = origin_of(reader)?;
                let update = Update::decode(reader.rest())?;
                if self.is_sending(origin) {
                    // Applied here, but not yet everywhere: the answer comes when it is.
                } else if self.is_seen(origin) && !self.repairing {
                    self.finish(origin, Ok(()), step);
                } else if !self.guests.iter().any(|(guest, _)| *guest == origin) {
                    self.guests.push_back((origin, update));
                    self.next_proposal(step);
                }
            }
            code::ANSWER => {
                let (start, number, error) = (reader.u32()?, reader.u32()?, reader.u32()?);
                let result = if error == 0 { Ok(()) } else { Err(ClusterError(error)) };
                self.finish(Origin { node: step.me, start, number }, result, step);
                self.next_proposal(step);
            }
            code::REQUEST => {
                let number = reader.u32()?;
                self.requested(from, number, step);
            }
            code::GRANT => {
                let (number, sequence) = (reader.u32()?, reader.u64()?);
                self.granted(number, sequence, step);
            }
            code::APPLY => {
                let what = numbered(reader)?;
                let sequence = what.sequence;
                self.apply(what, step);
                let mut body = vec![code::APPLIED];
                body.extend_from_slice(&sequence.to_le_bytes());
                send(from, body, step);
            }
            code::APPLIED => {
                let sequence = reader.u64()?;
                if let Sending::Spreading { what, waiting_for, .. } = &self.sending
                    && what.sequence == sequence
                    && *waiting_for == from
                    && !self.repairing
                {
                    self.spread_on(step);
                }
                if sequence == self.sequence && self.catching_up.contains(from) {
                    self.catching_up.remove(from);
                    self.caught_up(step);
                }
            }
            code::UNLOCK => {
                let number = reader.u32()?;
                self.unlocked(from, number, step);
            }
            code::REPORT => {
                let report = report_of(reader)?;
                self.reports.insert(from, report);
                self.repair(step);
            }
            code::REPAIRED => {
                let epoch = reader.u64()?;
                if epoch == self.epoch && self.locker == Some(from) {
                    self.repaired(step);
                }
            }
            other => return Err(UpdateError::Unknown(other)),
        }
        Ok(())
    }
}

/// Repair after members have left.
impl GlobalUpdates {
    /// A regroup has ended: what was on its way is brought to its end, or begun anew. Its `epoch` tells its
    /// repair from that of the one before, which may have had the same members.
    pub fn members_changed(&mut self, members: NodeSet, epoch: u64, step: &mut Step<'_>) {
        let was_locker = self.locker;
        self.members = members;
        self.epoch = epoch;
        self.seen.retain(|node, _| step.config.node(*node).is_some());
        self.guests.retain(|(origin, _)| members.contains(origin.node));
        if !self.locker.is_some_and(|locker| members.contains(locker)) {
            self.locker = members.lowest();
        }
        self.lock = Lock::default();
        self.repairing = true;
        self.catching_up = NodeSet::EMPTY;
        self.asked = None;
        let skips = step.config.profile.planted.no_locker_succession && was_locker != self.locker;
        let mut known: Vec<Numbered> = self.last.clone().into_iter().collect();
        match std::mem::replace(&mut self.sending, Sending::No) {
            Sending::Logging(Numbered { origin, update, .. }) => {
                // Maybe in the log, and nowhere else: it is asked for anew, and replay takes the later of
                // two records with one number.
                self.stale_logs += 1;
                self.sending = Sending::Requested { origin, update };
            }
            Sending::Spreading { what, left, waiting_for } => {
                known.push(what.clone());
                self.sending = Sending::Spreading { what, left, waiting_for };
            }
            other => self.sending = other,
        }
        if skips {
            known.clear();
        }
        let report = Report { epoch, sequence: self.sequence, known };
        match self.locker {
            Some(locker) if locker == step.me => {
                self.reports.insert(step.me, report);
                self.repair(step);
            }
            Some(locker) => send(locker, report_body(&report), step),
            None => {}
        }
    }

    /// The locker's side: once every member has reported, all get what any of them has.
    fn repair(&mut self, step: &mut Step<'_>) {
        let reported =
            |node| self.reports.get(&node).is_some_and(|report| report.epoch == self.epoch);
        let all = self.members.iter().all(reported);
        if !self.repairing || self.locker != Some(step.me) || !all {
            return;
        }
        let reports = std::mem::take(&mut self.reports);
        let mut known: Vec<Numbered> = Vec::new();
        for what in reports.values().flat_map(|report| &report.known) {
            if !known.contains(what) {
                known.push(what.clone());
            }
        }
        known.sort_by_key(|what| what.sequence);
        for node in self.members.iter() {
            let has = reports.get(&node).map_or(0, |report| report.sequence);
            for what in known.iter().filter(|what| what.sequence > has) {
                if node == step.me {
                    self.apply(what.clone(), step);
                } else {
                    self.catching_up.insert(node);
                    send(node, apply_body(what), step);
                }
            }
        }
        self.caught_up(step);
    }

    /// The locker's side: nobody is told that an update is done before all have it.
    fn caught_up(&mut self, step: &mut Step<'_>) {
        if !self.catching_up.is_empty() {
            return;
        }
        let me = step.me;
        for node in self.members.iter().filter(|&node| node != me) {
            let mut body = vec![code::REPAIRED];
            body.extend_from_slice(&self.epoch.to_le_bytes());
            send(node, body, step);
        }
        self.repaired(step);
    }

    /// The right to update is free again: what this node wanted, and nobody has, is asked for anew.
    fn repaired(&mut self, step: &mut Step<'_>) {
        self.repairing = false;
        let was = std::mem::replace(&mut self.sending, Sending::No);
        let origin = match was {
            Sending::Spreading { what, .. } => {
                if let Update::Database(_) = what.update
                    && self.is_seen(what.origin)
                {
                    let digest = what.update.digest();
                    step.observe(Observation::Committed { sequence: what.sequence, digest });
                }
                Some(what.origin)
            }
            Sending::Requested { origin, .. } => Some(origin),
            Sending::Logging(_) | Sending::No => None,
        };
        if let Some(origin) = origin
            && self.is_seen(origin)
        {
            self.finish(origin, Ok(()), step);
        }
        self.grant(step);
        self.next_proposal(step);
    }
}

mod code {
    pub const ASK: u8 = 1;
    pub const ANSWER: u8 = 2;
    pub const REQUEST: u8 = 3;
    pub const GRANT: u8 = 4;
    pub const APPLY: u8 = 5;
    pub const APPLIED: u8 = 6;
    pub const UNLOCK: u8 = 7;
    pub const REPORT: u8 = 8;
    pub const REPAIRED: u8 = 9;
}

fn send(to: NodeId, body: Vec<u8>, step: &mut Step<'_>) {
    step.notice(Notice::Rpc { to, kind: RpcKind::GlobalUpdate, body });
}

fn with_number(code: u8, number: u32) -> Vec<u8> {
    let mut body = vec![code];
    body.extend_from_slice(&number.to_le_bytes());
    body
}

fn put_origin(origin: Origin, body: &mut Vec<u8>) {
    body.push(origin.node.0);
    body.extend_from_slice(&origin.start.to_le_bytes());
    body.extend_from_slice(&origin.number.to_le_bytes());
}

fn origin_of(reader: &mut Reader<'_>) -> Result<Origin, UpdateError> {
    Ok(Origin { node: NodeId(reader.u8()?), start: reader.u32()?, number: reader.u32()? })
}

fn put_numbered(what: &Numbered, body: &mut Vec<u8>) {
    body.extend_from_slice(&what.sequence.to_le_bytes());
    put_origin(what.origin, body);
    let mut update = Vec::new();
    what.update.encode(&mut update);
    body.extend_from_slice(&(update.len() as u32).to_le_bytes());
    body.extend_from_slice(&update);
}

fn numbered(reader: &mut Reader<'_>) -> Result<Numbered, UpdateError> {
    let (sequence, origin) = (reader.u64()?, origin_of(reader)?);
    Ok(Numbered { sequence, origin, update: Update::decode(reader.bytes()?)? })
}

fn apply_body(what: &Numbered) -> Vec<u8> {
    let mut body = vec![code::APPLY];
    put_numbered(what, &mut body);
    body
}

fn report_body(report: &Report) -> Vec<u8> {
    let mut body = vec![code::REPORT];
    body.extend_from_slice(&report.epoch.to_le_bytes());
    body.extend_from_slice(&report.sequence.to_le_bytes());
    body.push(report.known.len() as u8);
    report.known.iter().for_each(|what| put_numbered(what, &mut body));
    body
}

fn report_of(reader: &mut Reader<'_>) -> Result<Report, UpdateError> {
    let epoch = reader.u64()?;
    let sequence = reader.u64()?;
    let count = reader.u8()?;
    let known = (0..count).map(|_| numbered(reader)).collect::<Result<_, _>>()?;
    Ok(Report { epoch, sequence, known })
}

#[cfg(test)]
#[path = "global_update_tests.rs"]
mod tests;
