//! Replication with partners (MS-WINSRA 3, Q135922).
//!
//! | file | does |
//! | --- | --- |
//! | `association` | one connection: start, handles, frames |
//! | `serve` | answers what partners ask: maps, records, notifications |
//! | `pull` | asks partners: standard, notified and verification pulls, one after another |
//! | `schedule` | when partners are pulled from |
//! | `verify` | compares replicas with what their owner holds, on its own and as a consistency check |
//! | `push` | tells partners that something is new: by count, address change, propagation |
//! | `conflict`, `merge` | the decisions about a replica, as pure functions |
//! | `apply` | does what is decided |
//! | `discovery` | finds partners by multicast |
//!
//! Pulls wait in one queue: a partner that does not answer delays the others by its time-out, as in
//! Windows, and two pulls never interleave. Everything is driven by the inputs of the server; the
//! deadlines are those of pulls by interval and of unanswered requests.
//!
//! Not done: the "raise your version" request of NT 3.5, whose layout is not public (it is logged).

// Conflict rules: what becomes of a replica that meets a stored record.
pub mod conflict;

mod apply;
mod association;
mod discovery;
mod merge;
mod pull;
mod push;
mod schedule;
mod serve;
mod verify;

pub use self::apply::from_wire;
pub use self::discovery::FOUND_MAX;
pub use self::pull::NAME_LEN_MAX;

use self::association::{Association, AssociationState, Purpose, Started};
use self::pull::{Job, JobKind};
use self::push::Pending;
use self::verify::Verification;
use super::challenge::ChallengeOutcome;
use super::core::{Core, ReplicaChallenge};
use super::io::{StreamId, WinsEvent, WinsOutput};
use super::partners::{Partner, ReplicationScope};
use super::record::{NameRecord, Owner};
use crate::base::{Now, Outbox, SimDuration, SimTime};
use crate::wire::discovery::Announcement;
use crate::wire::replication::{
    Body, Message, PORT, Start, StopReason, VERSION_MINOR_NT4, VERSION_MINOR_W2K,
};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{Ipv4Addr, SocketAddrV4};

/// How long a request, a start or a connection may stay unanswered. Windows' own values are not known;
/// Samba waits as long for a request.
pub const REQUEST_TIMEOUT: SimDuration = SimDuration::from_secs(60);
/// How long a peer that was notified may take between two requests on the same connection.
pub const TURNED_TIMEOUT: SimDuration = SimDuration::from_mins(10);
/// Associations at a time; more connections are closed at once (events 4265 and 4266 of 3.5).
pub const ASSOCIATIONS_MAX: usize = 256;
/// Pulls waiting; further notifications are dropped, the next pull by interval makes up for them.
pub const JOBS_MAX: usize = 256;
/// Replicas waiting for a version id of ours; more are dropped until their next change.
const DEFERRED_MAX: usize = 10_000;
/// Intervals that a partner is left alone after the retries are used up. Windows' number is not known.
pub const REST_INTERVALS: u32 = 3;

/// What is remembered of a configured partner.
#[derive(Clone, Debug, Default)]
struct PartnerState {
    next_pull: Option<SimTime>,
    /// Pulls that failed in a row.
    failures: u32,
    /// Intervals still to be let pass.
    rest: u32,
    /// The next pull counts from the end of the one under way.
    drifts: bool,
    /// When communication failed lately, oldest first.
    failed_at: VecDeque<SimTime>,
    /// Own version increments since the last notification.
    increments: u32,
    pending: Option<Pending>,
}

/// The replication half of a WINS server.
#[derive(Clone, Debug, Default)]
pub struct Replication {
    partners: Vec<Partner>,
    /// Beside `partners`.
    states: Vec<PartnerState>,
    associations: BTreeMap<StreamId, Association>,
    jobs: VecDeque<Job>,
    current: Option<Job>,
    deferred: Vec<NameRecord>,
    verification: Verification,
    /// Which partner each owner's records came from last.
    sources: BTreeMap<Owner, Ipv4Addr>,
    /// Partners that announced themselves.
    found: BTreeSet<Ipv4Addr>,
    next_announcement: Option<SimTime>,
    /// When owners without records are forgotten next.
    next_cleaning: Option<SimTime>,
    streams_opened: u32,
    handles_given: u32,
}

/// What every step needs.
struct Ctx<'a> {
    core: &'a mut Core,
    now: Now,
    out: &'a mut Outbox<WinsOutput>,
}

impl Ctx<'_> {
    fn send(&mut self, stream: StreamId, message: &Message) {
        let bytes = self.out.write(|buf| message.encode(buf));
        self.out.push(WinsOutput::StreamSend { stream, bytes });
    }

    /// What our clock shows.
    fn time_of_day(&self) -> SimDuration {
        SimDuration(self.now.wall.0 % SimDuration::from_days(1).0)
    }

    /// Which records travel between us and this partner (`ReplicationType`, 4.0 on).
    fn scope(&self, partner: Option<&Partner>) -> ReplicationScope {
        match partner {
            _ if !self.core.profile.knows_replication_type => ReplicationScope::All,
            _ if self.core.profile.only_domain_names => ReplicationScope::DomainNames,
            Some(partner) => partner.replicates,
            None => ReplicationScope::All,
        }
    }

    /// Our minor version.
    fn minor(&self) -> u16 {
        match self.core.profile.persistent_associations {
            true => VERSION_MINOR_W2K,
            false => VERSION_MINOR_NT4,
        }
    }
}

impl Replication {
    /// With these partners and nothing under way.
    pub fn new(partners: Vec<Partner>) -> Replication {
        let states = partners.iter().map(|_| PartnerState::default()).collect();
        Replication { partners, states, ..Replication::default() }
    }

    /// The configured partners.
    pub fn partners(&self) -> &[Partner] {
        &self.partners
    }

    /// Associations open or being opened.
    pub fn associations(&self) -> usize {
        self.associations.len()
    }

    /// Pulls under way and waiting.
    pub fn pulls_waiting(&self) -> usize {
        self.jobs.len() + usize::from(self.current.is_some())
    }

    /// The service starts: pulls and notifications at start, periodic deadlines.
    pub fn start(&mut self, core: &mut Core, now: Now, out: &mut Outbox<WinsOutput>) {
        let ctx = &mut Ctx { core, now, out };
        self.announce(true, ctx);
        self.schedule_check(ctx);
        self.next_cleaning = Some(now.time + ctx.core.profile.verification_interval);
        self.schedule_pulls(ctx);
        for index in 0..self.used(ctx) {
            if self.partners[index].push.as_ref().is_some_and(|push| push.at_start) {
                self.notify(index, Pending::whole(ctx), ctx);
            }
        }
        self.advance(ctx);
    }

    /// The service stops: connections are closed without further words, as Windows does.
    pub fn stop(&mut self, core: &mut Core, now: Now, out: &mut Outbox<WinsOutput>) {
        self.announce(false, &mut Ctx { core, now, out });
        for &stream in self.associations.keys() {
            out.push(WinsOutput::StreamClose { stream });
        }
        let mut partners = std::mem::take(&mut self.partners);
        partners.retain(|partner| !self.found.contains(&partner.address));
        let (streams_opened, handles_given) = (self.streams_opened, self.handles_given);
        *self = Replication { streams_opened, handles_given, ..Replication::new(partners) };
    }

    /// A peer connected.
    pub fn stream_opened(
        &mut self,
        core: &mut Core,
        stream: StreamId,
        peer: Ipv4Addr,
        now: Now,
        out: &mut Outbox<WinsOutput>,
    ) {
        if self.associations.len() >= ASSOCIATIONS_MAX {
            core.log(WinsEvent::ConnectionAborted, out);
            return out.push(WinsOutput::StreamClose { stream });
        }
        let (handle, deadline) = (self.new_handle(), now.time + REQUEST_TIMEOUT);
        let served = Association::new(stream, peer, Purpose::Serve, handle, deadline);
        self.associations.insert(stream, served);
    }

    /// A stream we opened is connected.
    pub fn stream_connected(
        &mut self,
        core: &mut Core,
        stream: StreamId,
        now: Now,
        out: &mut Outbox<WinsOutput>,
    ) {
        let ctx = &mut Ctx { core, now, out };
        let Some(association) = self.associations.get_mut(&stream) else {
            return ctx.out.push(WinsOutput::StreamClose { stream });
        };
        association.state = AssociationState::Starting;
        association.deadline = Some(now.time + REQUEST_TIMEOUT);
        let request = Message::start_request(association.handle, ctx.minor());
        ctx.send(stream, &request);
    }

    /// A stream we opened could not be connected.
    pub fn stream_refused(
        &mut self,
        core: &mut Core,
        stream: StreamId,
        now: Now,
        out: &mut Outbox<WinsOutput>,
    ) {
        self.lose(stream, &mut Ctx { core, now, out });
    }

    /// A stream ended.
    pub fn stream_closed(
        &mut self,
        core: &mut Core,
        stream: StreamId,
        now: Now,
        out: &mut Outbox<WinsOutput>,
    ) {
        self.lose(stream, &mut Ctx { core, now, out });
    }

    /// Bytes arrived.
    pub fn stream_data(
        &mut self,
        core: &mut Core,
        stream: StreamId,
        bytes: &[u8],
        now: Now,
        out: &mut Outbox<WinsOutput>,
    ) {
        let ctx = &mut Ctx { core, now, out };
        if let Some(association) = self.associations.get_mut(&stream) {
            association.reader.feed(bytes);
        }
        // The association may end while its messages are taken.
        while let Some(association) = self.associations.get_mut(&stream) {
            match association.reader.next_frame() {
                Ok(None) => return,
                Ok(Some(frame)) => match Message::decode(frame) {
                    Ok(message) => self.message(stream, message, ctx),
                    Err(_) => return self.abort(stream, ctx),
                },
                Err(_) => {
                    ctx.core.log(WinsEvent::MessageTooLong, ctx.out);
                    return self.abort(stream, ctx);
                }
            }
        }
    }

    /// The administrator wants a pull, from one partner or all.
    pub fn pull_now(
        &mut self,
        core: &mut Core,
        partner: Option<Ipv4Addr>,
        now: Now,
        out: &mut Outbox<WinsOutput>,
    ) {
        let ctx = &mut Ctx { core, now, out };
        ctx.core.counters.last.replication_admin = Some(now.wall);
        let wanted = |p: &&Partner| p.pull.is_some() && partner.is_none_or(|one| one == p.address);
        let from = self.partners.iter().filter(wanted).map(|p| p.address).collect();
        self.enqueue_standard(from);
        self.advance(ctx);
    }

    /// The administrator wants a notification, to one partner or all. With propagation only our own
    /// versions are announced (MS-WINSRA 3.3.5.1).
    pub fn push_now(
        &mut self,
        core: &mut Core,
        partner: Option<Ipv4Addr>,
        propagate: bool,
        now: Now,
        out: &mut Outbox<WinsOutput>,
    ) {
        let ctx = &mut Ctx { core, now, out };
        for index in 0..self.used(ctx) {
            let address = self.partners[index].address;
            if self.partners[index].push.is_some() && partner.is_none_or(|one| one == address) {
                let pending = match propagate {
                    true => Pending::own_only(ctx),
                    false => Pending::whole(ctx),
                };
                self.notify(index, pending, ctx);
            }
        }
    }

    /// The partners were changed. Associations with those who are no partners any more end; a pull follows
    /// from those that ask for one at start (Q135922).
    pub fn set_partners(
        &mut self,
        core: &mut Core,
        partners: Vec<Partner>,
        now: Now,
        out: &mut Outbox<WinsOutput>,
    ) {
        let ctx = &mut Ctx { core, now, out };
        self.states = partners.iter().map(|_| PartnerState::default()).collect();
        self.partners = partners;
        self.found.clear();
        let known = |peer| self.partners.iter().any(|partner| partner.address == peer);
        let strangers = self.associations.values().filter(|a| !known(a.peer)).map(|a| a.stream);
        for stream in strangers.collect::<Vec<_>>() {
            self.abort(stream, ctx);
        }
        self.schedule_pulls(ctx);
        self.advance(ctx);
    }

    /// A challenge asked for by way of [`Core::challenges_wanted`] ended.
    pub fn challenge_ended(
        &mut self,
        core: &mut Core,
        challenge: ReplicaChallenge,
        outcome: ChallengeOutcome,
        now: Now,
        out: &mut Outbox<WinsOutput>,
    ) {
        let incoming = challenge.incoming.clone();
        if apply::challenged(core, challenge, outcome, now, out) == apply::Applied::Later {
            self.defer(incoming);
        }
    }

    /// Called after every input of the server: looks at [`Core::changes`] for push triggers and takes
    /// [`Core::verifications_wanted`].
    pub fn after_input(&mut self, core: &mut Core, now: Now, out: &mut Outbox<WinsOutput>) {
        let changes = std::mem::take(&mut core.changes);
        let idle = changes == Default::default() && self.deferred.is_empty();
        if idle && core.verifications_wanted.is_empty() {
            return;
        }
        let ctx = &mut Ctx { core, now, out };
        self.push_triggers(changes, ctx);
        if !self.deferred.is_empty() && ctx.core.versions_available() > 0 {
            for record in std::mem::take(&mut self.deferred) {
                let again = record.clone();
                if apply::apply(ctx.core, record, false, now, ctx.out) == apply::Applied::Later {
                    self.defer(again);
                }
            }
        }
        let owners = std::mem::take(&mut ctx.core.verifications_wanted);
        self.begin_verification(owners.into_iter().map(|request| request.owner).collect(), ctx);
        self.advance(ctx);
    }

    /// Acts on every deadline that has come.
    pub fn on_deadline(&mut self, core: &mut Core, now: Now, out: &mut Outbox<WinsOutput>) {
        let ctx = &mut Ctx { core, now, out };
        let due = |a: &&Association| a.deadline.is_some_and(|at| at <= now.time);
        let silent: Vec<StreamId> =
            self.associations.values().filter(due).map(|a| a.stream).collect();
        for stream in silent {
            self.abort(stream, ctx);
        }
        self.pulls_by_interval(ctx);
        self.check_by_schedule(ctx);
        if self.next_announcement.is_some_and(|at| at <= now.time) {
            self.announce(true, ctx);
        }
        if self.next_cleaning.is_some_and(|at| at <= now.time) {
            self.forget_unused_owners(ctx);
        }
        self.advance(ctx);
    }

    /// The earliest deadline.
    pub fn next_deadline(&self) -> Option<SimTime> {
        let own = [self.verification.next_check(), self.next_announcement, self.next_cleaning];
        let pulls = self.states.iter().filter_map(|state| state.next_pull);
        let associations = self.associations.values().filter_map(|a| a.deadline);
        pulls.chain(associations).chain(own.into_iter().flatten()).min()
    }

    /// Owners of which no record is left are forgotten, once a verification interval (event 4288). Partners
    /// are not: their next map would only bring them back.
    fn forget_unused_owners(&mut self, ctx: &mut Ctx<'_>) {
        self.next_cleaning = Some(ctx.now.time + ctx.core.profile.verification_interval);
        let keep = |owner: Owner| owner == ctx.core.own || self.partner(owner.address()).is_some();
        let owners = ctx.core.names.owners().map(|(owner, _)| owner);
        let unused: Vec<Owner> = owners.filter(|&owner| !keep(owner)).collect();
        for owner in unused {
            if ctx.core.forget_owner(owner, ctx.out) {
                self.sources.remove(&owner);
                ctx.core.log(WinsEvent::OwnerRemoved, ctx.out);
            }
        }
    }

    /// How many of the partners replicate at all (Q191428).
    fn used(&self, ctx: &Ctx<'_>) -> usize {
        self.partners.len().min(ctx.core.profile.partners_max)
    }

    /// An administrator wants a consistency check of all owners, without a limit.
    pub fn check_now(&mut self, core: &mut Core, now: Now, out: &mut Outbox<WinsOutput>) {
        let ctx = &mut Ctx { core, now, out };
        self.begin_check(None, ctx);
        self.advance(ctx);
    }

    /// A datagram came to UDP port 42. What is no announcement is ignored.
    pub fn discovered(
        &mut self,
        core: &mut Core,
        bytes: &[u8],
        now: Now,
        out: &mut Outbox<WinsOutput>,
    ) {
        if let Ok(announcement) = Announcement::decode(bytes) {
            self.announced(&announcement, &mut Ctx { core, now, out });
        }
    }

    /// Whether members of a 1C list that `owner` registered go before those of other owners: `MemberPrec` of
    /// the partner that its records came from (Q135922).
    pub fn members_first(&self, owner: Ipv4Addr) -> bool {
        let from = self.sources.get(&Owner(owner)).copied().unwrap_or(owner);
        let partner = self.partner(from).map(|index| &self.partners[index]);
        partner.and_then(|partner| partner.pull.as_ref()).is_some_and(|pull| pull.members_first)
    }

    fn partner(&self, address: Ipv4Addr) -> Option<usize> {
        self.partners.iter().position(|partner| partner.address == address)
    }

    fn new_handle(&mut self) -> u32 {
        self.handles_given = self.handles_given.wrapping_add(1);
        self.handles_given
    }

    /// Opens an association.
    fn connect(&mut self, peer: Ipv4Addr, purpose: Purpose, ctx: &mut Ctx<'_>) -> StreamId {
        let stream = StreamId(StreamId::OUTGOING.0 | (self.streams_opened & 0x7FFF_FFFF));
        self.streams_opened = self.streams_opened.wrapping_add(1);
        let (handle, deadline) = (self.new_handle(), ctx.now.time + REQUEST_TIMEOUT);
        let association = Association::new(stream, peer, purpose, handle, deadline);
        self.associations.insert(stream, association);
        ctx.out.push(WinsOutput::Connect { stream, to: SocketAddrV4::new(peer, PORT) });
        stream
    }

    fn message(&mut self, stream: StreamId, message: Message, ctx: &mut Ctx<'_>) {
        let Some(association) = self.associations.get_mut(&stream) else { return };
        if !message.is_wins() {
            // Windows 2000 takes it for a name query about nothing.
            return match ctx.core.profile.answers_strange_messages {
                true => ctx.send(stream, &strange_answer()),
                false => ctx.core.log(WinsEvent::NotWinsMessage, ctx.out),
            };
        }
        match association.start(&message, ctx.minor()) {
            Started::Answer(answer) => return ctx.send(stream, &answer),
            Started::Open => return self.opened(stream, ctx),
            Started::No => {}
        }
        if !association.accepts(&message) {
            return self.wrong_handle(stream, &message, ctx);
        }
        if association.purpose == Purpose::Notify {
            association.deadline = Some(ctx.now.time + TURNED_TIMEOUT);
        }
        match message.body {
            Body::Stop(reason) => {
                if reason != StopReason::Normal {
                    ctx.core.log(WinsEvent::ConnectionAborted, ctx.out);
                }
                ctx.out.push(WinsOutput::StreamClose { stream });
                self.lose(stream, ctx);
            }
            Body::MapRequest => self.serve_map(stream, ctx),
            Body::RecordsRequest(wanted) => self.serve_records(stream, wanted, ctx),
            Body::Notification(notification) => self.notified(stream, notification, ctx),
            Body::MapResponse { owners, .. } => self.take_map(stream, &owners, ctx),
            Body::RecordsResponse(records) => self.take_records(stream, &records, ctx),
            Body::StartRequest(_)
            | Body::StartResponse(_)
            | Body::UnknownOpcode { .. }
            | Body::UnknownType { .. } => {}
        }
    }

    /// A message with another handle is ignored, but for a map request with that of another association of
    /// the
    /// same peer: it is answered there, as Windows Server 2003 was seen to do.
    fn wrong_handle(&mut self, stream: StreamId, message: &Message, ctx: &mut Ctx<'_>) {
        let Some(peer) = self.associations.get(&stream).map(|a| a.peer) else { return };
        let meant = self.associations.values().find(|other| {
            other.purpose == Purpose::Serve
                && other.is_open()
                && (other.handle, other.peer) == (message.handle, peer)
        });
        if let (Some(meant), Body::MapRequest) = (meant.map(|other| other.stream), &message.body) {
            self.serve_map(meant, ctx);
        }
    }

    /// Our start request was accepted.
    fn opened(&mut self, stream: StreamId, ctx: &mut Ctx<'_>) {
        let Some(association) = self.associations.get(&stream) else { return };
        let peer = association.peer;
        self.flush_notification(peer, ctx);
        if self.current.as_mut().is_some_and(|job| job.opened(stream)) {
            self.advance(ctx);
        } else if self.current.is_none() {
            // Opened for a notification only; a peer of NT 4.0 was told on another one.
            self.close_unless_kept(ctx);
        }
    }

    /// Ends an association from our side because of an error.
    fn abort(&mut self, stream: StreamId, ctx: &mut Ctx<'_>) {
        if let Some(association) = self.associations.get(&stream) {
            if association.is_open() {
                let stop = Message::stop(association.peer_handle, StopReason::Error);
                ctx.send(stream, &stop);
            }
            ctx.out.push(WinsOutput::StreamClose { stream });
        }
        self.lose(stream, ctx);
    }

    /// Ends an association in good order.
    fn finish(&mut self, stream: StreamId, ctx: &mut Ctx<'_>) {
        if let Some(association) = self.associations.remove(&stream) {
            let stop = Message::stop(association.peer_handle, StopReason::Normal);
            ctx.send(stream, &stop);
            ctx.out.push(WinsOutput::StreamClose { stream });
        }
    }

    /// An association is gone: whoever waited for it learns of it.
    fn lose(&mut self, stream: StreamId, ctx: &mut Ctx<'_>) {
        let Some(lost) = self.associations.remove(&stream) else { return };
        let waited = self.current.as_ref().is_some_and(|job| job.waits_for(stream));
        if lost.purpose != Purpose::Serve && (waited || !lost.is_open()) {
            self.communication_failed(lost.peer, ctx.now.time);
        }
        if lost.purpose != Purpose::Serve
            && !lost.is_open()
            && let Some(index) = self.partner(lost.peer)
        {
            self.states[index].pending = None;
        }
        if lost.purpose == Purpose::Notify && lost.is_open() {
            self.flush_notification(lost.peer, ctx);
        }
        self.job_lost(stream, lost.proven, ctx);
        self.advance(ctx);
    }

    fn communication_failed(&mut self, peer: Ipv4Addr, now: SimTime) {
        if let Some(index) = self.partner(peer) {
            let failed_at = &mut self.states[index].failed_at;
            failed_at.push_back(now);
            while failed_at.len() > push::FAILURES_MAX + 1 {
                failed_at.pop_front();
            }
        }
    }

    fn defer(&mut self, record: NameRecord) {
        if self.deferred.len() < DEFERRED_MAX {
            self.deferred.push(record);
        }
    }
}

/// What Windows 2000 answers to a message whose reserved word lacks the bits of WINS: a negative answer of
/// the
/// name service, with a header and a length in front.
fn strange_answer() -> Message {
    Message {
        reserved: 0x8583,
        handle: 0,
        body: Body::StartRequest(Start { sender_handle: 0x0A, major: 1, minor: 0 }),
        padding: vec![0; 4],
    }
}
