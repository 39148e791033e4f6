//! Asking partners: the three pulls (MS-WINSRA 3.2.5.1 to 3.2.5.3), one after another.
//!
//! - **Standard**: the maps of the partners in turn, then for each owner the records that the best informed
//!   partner has and we have not.
//! - **Notified**: the same with the map inside the notification, from the notifier alone.
//! - **Verification**: all records of one owner, to see which of its replicas here are still true
//!   (`verify`), on an association of its own.
//!
//! Version ranges may have holes; a hole is no error. A partner that fails is left out for the rest of the
//! pull. An association that had worked before and is lost at its next use is opened once more, since its
//! peer may only have been restarted.

use super::apply::{Applied, apply, drop_unwanted_members, from_wire};
use super::serve::{RESPONSE_RECORDS_MAX, in_scope};
use super::verify::compare;
use super::{Ctx, Purpose, REQUEST_TIMEOUT, REST_INTERVALS, Replication};
use crate::wins::io::{Observation, StreamId, WinsEvent};
use crate::wins::partners::owner_wanted;
use crate::wins::record::{NameRecord, Owner, VersionId};
use crate::wire::replication::{Message, Notification, OwnerRecord, ReplicaRecord};
use std::collections::{BTreeMap, VecDeque};
use std::net::Ipv4Addr;

/// The longest name field, final zero included, that Windows 2000 and later take (MS-WINSRA <8>).
pub const NAME_LEN_MAX: usize = 255;

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
    pub(super) kind: JobKind,
    /// Partners whose map is still to be asked for.
    pub(super) to_ask: VecDeque<Ipv4Addr>,
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
    /// Replicas compared, of a verification.
    compared: usize,
}

#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) struct Fetch {
    pub(super) from: Ipv4Addr,
    pub(super) owner: Owner,
    pub(super) min: VersionId,
    pub(super) max: VersionId,
    /// Our own records, into an empty database.
    pub(super) refill: bool,
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
            compared: 0,
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

    /// Whether it is a verification.
    pub(super) fn verifies(&self) -> bool {
        matches!(self.kind, JobKind::Verify { .. })
    }

    /// Asks this partner for nothing any more.
    pub(super) fn drop_partner(&mut self, partner: Ipv4Addr) {
        self.waiting = None;
        self.to_ask.retain(|&asked| asked != partner);
        self.offers.retain(|_, offer| offer.1 != partner || self.plan.is_some());
        if let Some(plan) = &mut self.plan {
            plan.retain(|fetch| fetch.from != partner);
        }
    }
}

impl Replication {
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
        let purpose = match self.current.as_ref().is_some_and(Job::verifies) {
            true => Purpose::Verify,
            false => Purpose::Pull,
        };
        let found = match turned {
            Some(stream) => self.associations.get(&stream),
            None => {
                let ours = |a: &&super::Association| a.peer == partner && a.purpose == purpose;
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
            None => (self.connect(partner, purpose, ctx), false),
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
            if owner_wanted(&ctx.core.profile, owner) {
                plan.extend(self.plan_verification(owner, ctx));
            }
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
            if version <= known || !owner_wanted(&ctx.core.profile, owner) {
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
        let verifies = job.verifies();
        // MS-WINSRA <8>: one name field that is too long, and the whole response is thrown away.
        let too_long = |record: &ReplicaRecord| record.name_len() > NAME_LEN_MAX;
        if ctx.core.profile.long_names_refused && records.iter().any(too_long) {
            if let Some(association) = self.associations.get_mut(&stream) {
                association.proven = false;
            }
            return self.abort(stream, ctx);
        }
        let Some(fetch) = job.plan.as_mut().and_then(|plan| plan.pop_front()) else { return };
        self.answered(stream, fetch.from);
        if verifies {
            self.take_verification(fetch, records, ctx);
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
        let scope = ctx.scope(partner);
        if records.is_empty() {
            ctx.core.log(WinsEvent::NoRecordsInRange, ctx.out);
        } else {
            ctx.core.log_detail(WinsEvent::RecordsPulled, ctx.out);
        }
        if partner.is_some() {
            self.sources.insert(fetch.owner, fetch.from);
        }
        let (from, count) = (fetch.from, records.len() as u32);
        ctx.core.observe(Observation::Pulled { from, owner: fetch.owner, records: count }, ctx.out);
        let mut stored = 0;
        let mut stopped = false;
        for wire in records {
            let record = from_wire(wire, fetch.owner, &ctx.core.profile, ctx.now.wall);
            let Some(mut record) = record.filter(|record| in_scope(scope, record)) else {
                continue;
            };
            if !drop_unwanted_members(ctx.core, &mut record) {
                continue;
            }
            let again = record.clone();
            match apply(ctx.core, record, fetch.refill, ctx.now, ctx.out) {
                Applied::Stored => stored += 1,
                Applied::Later => self.defer(again),
                Applied::Refused if ctx.core.profile.bad_replica_stops_pull => {
                    ctx.core.log(WinsEvent::GroupReplicaFailed, ctx.out);
                    stopped = true;
                    break;
                }
                Applied::Not | Applied::Refused => {}
            }
        }
        if let Some(job) = &mut self.current {
            job.stored += stored;
        }
        if stopped || self.fetch_rest(fetch, records).is_some() {
            return;
        }
        if !fetch.refill {
            ctx.core.note_maximum(fetch.owner, fetch.max, ctx.out);
            let (owner, version) = (fetch.owner, fetch.max);
            ctx.core.observe(Observation::CaughtUp { owner, version }, ctx.out);
        }
    }

    /// A response as long as responses get may have left records out: asks for the rest. Returns the last
    /// version
    /// it held then.
    fn fetch_rest(&mut self, fetch: Fetch, records: &[ReplicaRecord]) -> Option<VersionId> {
        let last = records.iter().map(|record| record.version).max().unwrap_or(0);
        let partial = records.len() >= RESPONSE_RECORDS_MAX && last < fetch.max.0;
        let plan = self.current.as_mut().and_then(|job| job.plan.as_mut())?;
        if !partial || last < fetch.min.0 {
            return None;
        }
        plan.push_front(Fetch { min: VersionId(last + 1), ..fetch });
        Some(VersionId(last))
    }

    /// What an owner holds came: compares it with its replicas here.
    fn take_verification(&mut self, fetch: Fetch, records: &[ReplicaRecord], ctx: &mut Ctx<'_>) {
        let held: Vec<NameRecord> = records
            .iter()
            .filter_map(|wire| from_wire(wire, fetch.owner, &ctx.core.profile, ctx.now.wall))
            .collect();
        let upto = self.fetch_rest(fetch, records).unwrap_or(fetch.max);
        let statics = self.verification.is_check();
        let compared = compare(fetch.owner, fetch.min..=upto, &held, statics, ctx);
        if let Some(job) = &mut self.current {
            job.compared += compared;
        }
    }

    /// The pull is through: closes what is not kept open, passes the news on.
    fn finish_job(&mut self, ctx: &mut Ctx<'_>) {
        let Some(job) = self.current.take() else { return };
        match job.turned {
            Some(stream) => self.finish(stream, ctx),
            None => self.close_unless_kept(ctx),
        }
        if matches!(job.kind, JobKind::Notified { .. }) {
            ctx.core.counters.last.replication_network = Some(ctx.now.wall);
        }
        match job.kind {
            JobKind::Standard => {
                self.reschedule_drifting(ctx);
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
                self.owner_verified(owner, job.compared, ctx);
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
            .filter(|a| a.is_open())
            .filter(|a| match a.purpose {
                Purpose::Pull => !keeps(a),
                Purpose::Verify => true,
                Purpose::Notify | Purpose::Serve => false,
            })
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
}
