//! Asking partners: the three pulls (MS-WINSRA 3.2.5.1 to 3.2.5.3), one after another.
//!
//! - **Standard**: the maps of the partners in turn, then for each owner the records that the best informed
//!   partner has and we have not.
//! - **Notified**: the same with the map inside the notification, from the notifier alone.
//! - **Verification**: all records of one owner, to see which of its replicas here are still true.
//!
//! Version ranges may have holes; a hole is no error. A partner that fails is left out for the rest of the
//! pull. An association that had worked before and is lost at its next use is opened once more, since its
//! peer may only have been restarted.

use super::apply::{Applied, apply, from_wire};
use super::serve::{RESPONSE_RECORDS_MAX, in_scope};
use super::{Ctx, Purpose, REQUEST_TIMEOUT, REST_INTERVALS, Replication};
use crate::base::{SimDuration, SimTime};
use crate::wins::io::{Observation, StreamId, WinsEvent};
use crate::wins::partners::ReplicationScope;
use crate::wins::record::{NameRecord, Owner, RecordState, VersionId};
use crate::wire::replication::{Message, Notification, OwnerRecord, ReplicaRecord};
use std::collections::{BTreeMap, VecDeque};
use std::net::Ipv4Addr;

/// Why a pull happens.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum JobKind {
    /// At start, by interval, or by the administrator.
    Standard,
    /// A partner said that it has news.
    Notified { from: Ipv4Addr, propagate: bool, initiator: Ipv4Addr },
    /// Replicas of this owner are due for verification.
    Verify { owner: Owner },
}

/// A pull, waiting or under way.
#[derive(Clone, Debug)]
pub(super) struct Job {
    kind: JobKind,
    /// Partners whose map is still to be asked for.
    to_ask: VecDeque<Ipv4Addr>,
    /// The best offer for each owner: version, and who has it.
    offers: BTreeMap<Owner, (VersionId, Ipv4Addr)>,
    /// Requests to be made; none before all maps are there.
    plan: Option<VecDeque<Fetch>>,
    waiting: Option<Waiting>,
    /// The notifier's own connection, when its roles are turned.
    pub(super) turned: Option<StreamId>,
    /// Whether a lost association was opened once more already.
    reopened: bool,
    answered: u32,
    stored: u32,
}

#[derive(Copy, Clone, PartialEq, Eq, Debug)]
struct Fetch {
    from: Ipv4Addr,
    owner: Owner,
    min: VersionId,
    max: VersionId,
    /// Our own records, into an empty database.
    refill: bool,
}

#[derive(Copy, Clone, PartialEq, Eq, Debug)]
struct Waiting {
    stream: StreamId,
    partner: Ipv4Addr,
    /// Whether for the association to open; otherwise for the answer to a request.
    opening: bool,
}

impl Job {
    pub(super) fn new(kind: JobKind, to_ask: Vec<Ipv4Addr>) -> Job {
        Job {
            kind,
            to_ask: to_ask.into(),
            offers: BTreeMap::new(),
            plan: None,
            waiting: None,
            turned: None,
            reopened: false,
            answered: 0,
            stored: 0,
        }
    }

    /// Whether this waiting pull can take the notification in: one on our own association, from the same
    /// partner, that says the same about propagation.
    pub(super) fn replaces(&self, sender: Ipv4Addr, notification: &Notification) -> bool {
        let kind = JobKind::Notified {
            from: sender,
            propagate: notification.propagate,
            initiator: notification.initiator,
        };
        notification.persistent && self.turned.is_none() && self.kind == kind
    }

    /// Takes a map: the highest maximum of each owner counts. Among equals the owner itself is asked, since
    /// others hold only what won its conflict there; else the first that announced it.
    pub(super) fn offer(&mut self, from: Ipv4Addr, owners: &[OwnerRecord]) {
        for record in owners {
            let best = self.offers.entry(Owner(record.owner)).or_insert((VersionId::ZERO, from));
            let itself = record.version_max == best.0.0 && record.owner == from;
            if record.version_max > best.0.0 || itself {
                *best = (VersionId(record.version_max), from);
            }
        }
    }

    /// Whether it waited for this association to open.
    pub(super) fn opened(&mut self, stream: StreamId) -> bool {
        let waited = self.waiting.is_some_and(|w| w.opening && w.stream == stream);
        if waited {
            self.waiting = None;
        }
        waited
    }

    /// Whether it waits for anything on this stream.
    pub(super) fn waits_for(&self, stream: StreamId) -> bool {
        self.waiting.is_some_and(|w| w.stream == stream)
    }

    /// Whether it waits for an answer on this stream.
    fn awaits(&self, stream: StreamId) -> bool {
        self.waiting.is_some_and(|w| !w.opening && w.stream == stream)
    }

    fn drop_partner(&mut self, partner: Ipv4Addr) {
        self.waiting = None;
        self.to_ask.retain(|&asked| asked != partner);
        self.offers.retain(|_, offer| offer.1 != partner || self.plan.is_some());
        if let Some(plan) = &mut self.plan {
            plan.retain(|fetch| fetch.from != partner);
        }
    }
}

impl Replication {
    /// Sets when each partner is first pulled from, and queues the pulls at start.
    pub(super) fn schedule_pulls(&mut self, ctx: &mut Ctx<'_>) {
        let mut at_start = Vec::new();
        for (partner, state) in self.partners.iter().zip(&mut self.states) {
            let Some(pull) = &partner.pull else { continue };
            if pull.at_start {
                at_start.push(partner.address);
            }
            let time_of_day = SimDuration(ctx.now.wall.0 % SimDuration::from_days(1).0);
            // SpTime counts only while it is still ahead today (Q135922).
            let first = pull.first_at.filter(|&first| first > time_of_day);
            let wait = first.map(|first| first - time_of_day).or(pull.interval);
            state.next_pull = wait.map(|wait| ctx.now.time + wait);
        }
        self.enqueue_standard(at_start);
    }

    /// Queues the pulls whose interval has passed. The next one counts from when this one was due.
    pub(super) fn pulls_by_interval(&mut self, ctx: &mut Ctx<'_>) {
        let mut due = Vec::new();
        for (partner, state) in self.partners.iter().zip(&mut self.states) {
            let Some(at) = state.next_pull.filter(|&at| at <= ctx.now.time) else { continue };
            let interval = partner.pull.as_ref().and_then(|pull| pull.interval);
            state.next_pull = interval.filter(|every| !every.is_zero()).map(|every| {
                let missed = ctx.now.time.since(at).nanos() / every.nanos();
                at + every * (missed + 1)
            });
            match state.rest {
                0 => due.push(partner.address),
                _ => state.rest -= 1,
            }
        }
        self.enqueue_standard(due);
    }

    /// Queues a standard pull, or adds to the one that waits.
    pub(super) fn enqueue_standard(&mut self, from: Vec<Ipv4Addr>) {
        if from.is_empty() {
            return;
        }
        let waiting = self.jobs.iter_mut().find(|job| job.kind == JobKind::Standard);
        match waiting {
            None => self.jobs.push_back(Job::new(JobKind::Standard, from)),
            Some(job) => {
                for partner in from {
                    if !job.to_ask.contains(&partner) {
                        job.to_ask.push_back(partner);
                    }
                }
            }
        }
    }

    /// Queues a verification, unless one of the same owner waits.
    pub(super) fn enqueue_verification(&mut self, owner: Owner) {
        let kind = JobKind::Verify { owner };
        let known = self.jobs.iter().chain(&self.current).any(|job| job.kind == kind);
        if !known && self.jobs.len() < super::JOBS_MAX {
            self.jobs.push_back(Job::new(kind, Vec::new()));
        }
    }

    /// Goes on with the pull under way, or begins the next, until one has to wait.
    pub(super) fn advance(&mut self, ctx: &mut Ctx<'_>) {
        loop {
            if self.current.is_none() {
                self.current = self.jobs.pop_front();
            }
            let Some(job) = &mut self.current else { return };
            if job.waiting.is_some() {
                return;
            }
            if let Some(&partner) = job.to_ask.front() {
                self.ask(partner, None, ctx);
            } else if let Some(plan) = &job.plan {
                match plan.front().copied() {
                    Some(fetch) => self.ask(fetch.from, Some(fetch), ctx),
                    None => self.finish_job(ctx),
                }
            } else {
                self.make_plan(ctx);
            }
        }
    }

    /// Sends the next request to this partner, for its map or for records, or begins to open an
    /// association for it. Leaves the job waiting, or rid of a partner that cannot be asked.
    fn ask(&mut self, partner: Ipv4Addr, fetch: Option<Fetch>, ctx: &mut Ctx<'_>) {
        let turned = self.current.as_ref().and_then(|job| job.turned);
        let found = match turned {
            Some(stream) => self.associations.get(&stream),
            None => {
                let ours =
                    |a: &&super::Association| a.peer == partner && a.purpose == Purpose::Pull;
                self.associations.values().find(ours)
            }
        };
        let (stream, open) = match found {
            Some(association) => (association.stream, association.is_open()),
            None if turned.is_some() => {
                if let Some(job) = &mut self.current {
                    job.drop_partner(partner);
                }
                return;
            }
            None => (self.connect(partner, Purpose::Pull, ctx), false),
        };
        if open && let Some(association) = self.associations.get_mut(&stream) {
            let handle = association.peer_handle;
            association.deadline = Some(ctx.now.time + REQUEST_TIMEOUT);
            let request = match fetch {
                None => Message::map_request(handle),
                Some(Fetch { owner, min, max, .. }) => {
                    let wanted = OwnerRecord::new(owner.address(), min.0, max.0);
                    Message::records_request(handle, wanted)
                }
            };
            ctx.send(stream, &request);
        }
        if let Some(job) = &mut self.current {
            job.waiting = Some(Waiting { stream, partner, opening: !open });
        }
    }

    /// All maps are there: decides what to ask of whom.
    fn make_plan(&mut self, ctx: &mut Ctx<'_>) {
        let Some(job) = &mut self.current else { return };
        let mut plan = VecDeque::new();
        if let JobKind::Verify { owner } = job.kind {
            plan.extend(self.plan_verification(owner, ctx));
            if let Some(job) = &mut self.current {
                job.plan = Some(plan);
            }
            return;
        }
        let empty = ctx.core.names.is_empty();
        let mut owners = ctx.core.owner_versions().count();
        for (&owner, &(version, from)) in &job.offers {
            if owner == ctx.core.own {
                ctx.core.repair_counter(version, ctx.out);
                if empty && version > VersionId::ZERO {
                    let (min, max) = (VersionId::FIRST, version);
                    plan.push_back(Fetch { from, owner, min, max, refill: true });
                }
                continue;
            }
            let known = ctx.core.names.maximum(owner);
            if version <= known {
                continue;
            }
            if known == VersionId::ZERO {
                owners += 1;
                if owners > ctx.core.profile.owners_max {
                    continue;
                }
            }
            plan.push_back(Fetch { from, owner, min: known.next(), max: version, refill: false });
        }
        job.plan = Some(plan);
    }

    /// Whom to ask about the replicas of this owner, and for which versions.
    fn plan_verification(&self, owner: Owner, ctx: &mut Ctx<'_>) -> Option<Fetch> {
        let all = VersionId::ZERO..=VersionId(u64::MAX);
        let newest = ctx.core.names.of_owner(owner, all).rev().find(|record| record.is_active());
        let max = newest?.version;
        let pulls = |address: Ipv4Addr| {
            self.partner(address).is_some_and(|index| self.partners[index].pull.is_some())
        };
        let mut from = owner.address();
        if ctx.core.profile.verify_with_partners && !pulls(from) {
            let partner = self.partners.iter().find(|partner| partner.pull.is_some())?;
            from = partner.address;
        }
        Some(Fetch { from, owner, min: VersionId::FIRST, max, refill: false })
    }

    /// A map came.
    pub(super) fn take_map(&mut self, stream: StreamId, owners: &[OwnerRecord], ctx: &mut Ctx<'_>) {
        let Some(job) = self.current.as_mut().filter(|job| job.awaits(stream)) else { return };
        if let Some(partner) = job.to_ask.pop_front() {
            job.offer(partner, owners);
            self.answered(stream, partner);
        }
        self.advance(ctx);
    }

    /// Records came.
    pub(super) fn take_records(
        &mut self,
        stream: StreamId,
        records: &[ReplicaRecord],
        ctx: &mut Ctx<'_>,
    ) {
        let Some(job) = self.current.as_mut().filter(|job| job.awaits(stream)) else { return };
        let verifies = matches!(job.kind, JobKind::Verify { .. });
        let Some(fetch) = job.plan.as_mut().and_then(|plan| plan.pop_front()) else { return };
        self.answered(stream, fetch.from);
        if verifies {
            self.verify(fetch, records, ctx);
        } else {
            self.apply_records(fetch, records, ctx);
        }
        self.advance(ctx);
    }

    fn answered(&mut self, stream: StreamId, partner: Ipv4Addr) {
        if let Some(association) = self.associations.get_mut(&stream) {
            association.proven = true;
            association.deadline = None;
        }
        if let Some(index) = self.partner(partner) {
            self.states[index].failures = 0;
            self.states[index].rest = 0;
        }
        if let Some(job) = &mut self.current {
            job.waiting = None;
            job.reopened = false;
            job.answered += 1;
        }
    }

    fn apply_records(&mut self, fetch: Fetch, records: &[ReplicaRecord], ctx: &mut Ctx<'_>) {
        let partner = self.partner(fetch.from).map(|index| &self.partners[index]);
        let scope = partner.map_or(ReplicationScope::All, |partner| partner.replicates);
        if records.is_empty() {
            ctx.core.log(WinsEvent::RangeEmpty, ctx.out);
        }
        let mut stored = 0;
        for wire in records {
            let record = from_wire(wire, fetch.owner, ctx.core, ctx.now.wall);
            let Some(record) = record.filter(|record| in_scope(scope, record)) else { continue };
            let again = record.clone();
            match apply(ctx.core, record, fetch.refill, ctx.now, ctx.out) {
                Applied::Stored => stored += 1,
                Applied::Later => self.defer(again),
                Applied::Not => {}
            }
        }
        let last = records.iter().map(|record| record.version).max().unwrap_or(0);
        let partial = records.len() >= RESPONSE_RECORDS_MAX && last < fetch.max.0;
        if let Some(job) = &mut self.current {
            job.stored += stored;
            if partial
                && last >= fetch.min.0
                && let Some(plan) = &mut job.plan
            {
                plan.push_front(Fetch { min: VersionId(last + 1), ..fetch });
                return;
            }
        }
        if !fetch.refill {
            ctx.core.note_maximum(fetch.owner, fetch.max, ctx.out);
            let (owner, version) = (fetch.owner, fetch.max);
            ctx.core.observe(Observation::CaughtUp { owner, version }, ctx.out);
        }
    }

    /// Compares the active replicas of an owner with what it holds (MS-WINSRA 3.2.5.3, Q167704).
    fn verify(&mut self, fetch: Fetch, records: &[ReplicaRecord], ctx: &mut Ctx<'_>) {
        let pulled: Vec<NameRecord> = records
            .iter()
            .filter_map(|wire| from_wire(wire, fetch.owner, ctx.core, ctx.now.wall))
            .collect();
        let by_name: BTreeMap<_, _> =
            pulled.iter().map(|record| ((record.name, &record.scope), record)).collect();
        let by_version: BTreeMap<_, _> =
            pulled.iter().map(|record| (record.version, record)).collect();
        let range = VersionId::FIRST..=fetch.max;
        let limit = ctx.core.profile.verify_records_max as usize;
        let due = |record: &&NameRecord| record.state == RecordState::Active && !record.is_static();
        let local = ctx.core.names.of_owner(fetch.owner, range).filter(due).take(limit);
        for record in local.cloned().collect::<Vec<_>>() {
            match by_name.get(&(record.name, &record.scope)) {
                Some(found) if found.version == record.version => {
                    ctx.core.put(NameRecord { stamp: found.stamp, ..record }, ctx.out);
                }
                Some(found) => ctx.core.put((*found).clone(), ctx.out),
                None => {
                    ctx.core.delete(&record.name, &record.scope, ctx.out);
                    if let Some(other) = by_version.get(&record.version) {
                        ctx.core.log(WinsEvent::SameVersionOtherName, ctx.out);
                        apply(ctx.core, (*other).clone(), false, ctx.now, ctx.out);
                    }
                }
            }
        }
    }

    /// The pull is through: closes what is not kept open, passes the news on.
    fn finish_job(&mut self, ctx: &mut Ctx<'_>) {
        let Some(job) = self.current.take() else { return };
        match job.turned {
            Some(stream) => self.finish(stream, ctx),
            None => self.close_unless_kept(ctx),
        }
        match job.kind {
            JobKind::Standard => {
                let retries = ctx.core.profile.pull_retries;
                let mut pulled_from =
                    self.partners.iter().zip(&self.states).filter(|(p, _)| p.pull.is_some());
                let gave_up = pulled_from.all(|(_, s)| s.failures > retries || s.rest > 0);
                if job.answered > 0 || gave_up {
                    ctx.core.paused = false;
                }
            }
            JobKind::Notified { from, propagate: true, initiator } if job.stored > 0 => {
                self.pass_on(initiator, from, ctx);
            }
            JobKind::Notified { .. } => {}
            JobKind::Verify { owner } => {
                if job.answered == 0 && ctx.core.names.maximum(owner) > VersionId::ZERO {
                    ctx.core.log(WinsEvent::NotVerified, ctx.out);
                }
            }
        }
    }

    /// Ends our open associations with partners that do not keep them.
    pub(super) fn close_unless_kept(&mut self, ctx: &mut Ctx<'_>) {
        let keeps = |association: &super::Association| {
            let partner = self.partner(association.peer).map(|index| &self.partners[index]);
            association.is_persistent()
                && ctx.core.profile.persistent_associations
                && partner.is_some_and(|partner| partner.persistent)
        };
        let done: Vec<StreamId> = self
            .associations
            .values()
            .filter(|a| a.purpose == Purpose::Pull && a.is_open() && !keeps(a))
            .map(|a| a.stream)
            .collect();
        for stream in done {
            self.finish(stream, ctx);
        }
    }

    /// An association is gone; `proven` says whether it had worked before.
    pub(super) fn job_lost(&mut self, stream: StreamId, proven: bool, ctx: &mut Ctx<'_>) {
        let Some(job) = &mut self.current else { return };
        let Some(waiting) = job.waiting.filter(|waiting| waiting.stream == stream) else { return };
        if proven && !job.reopened && job.turned.is_none() {
            job.reopened = true;
            job.waiting = None;
            return;
        }
        job.drop_partner(waiting.partner);
        let standard = job.kind == JobKind::Standard;
        self.pull_failed(waiting.partner, standard, ctx);
    }

    /// Counts a failed pull; after the retries the partner is left alone for some intervals.
    fn pull_failed(&mut self, partner: Ipv4Addr, standard: bool, ctx: &mut Ctx<'_>) {
        let Some(index) = self.partner(partner).filter(|_| standard) else { return };
        let state = &mut self.states[index];
        state.failures += 1;
        if state.failures > ctx.core.profile.pull_retries {
            state.failures = 0;
            state.rest = REST_INTERVALS;
            ctx.core.log(WinsEvent::PullFailed, ctx.out);
        }
    }

    /// When the next pull by interval from this partner is due.
    pub fn next_pull(&self, partner: Ipv4Addr) -> Option<SimTime> {
        self.partner(partner).and_then(|index| self.states[index].next_pull)
    }
}
