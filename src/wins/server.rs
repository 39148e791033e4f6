//! The WINS server as a machine: every input goes to the file that knows its rules.

use super::backup::Backups;
use super::challenge::Challenges;
use super::core::Core;
use super::counters::Counters;
use super::io::{BackupReason, Observation, OperatorAction, WinsEvent, WinsInput, WinsOutput};
use super::masters::DomainMasters;
use super::names::NameTable;
use super::partners::{Partner, list_prevents_start};
use super::profile::WinsProfile;
use super::record::{NameRecord, Owner, VersionId};
use super::replication::Replication;
use super::reply::{Request, too_many_addresses};
use super::scavenge::Scavenger;
use super::statics::StaticMapping;
use crate::base::{Machine, Now, Outbox, SimTime, Stream};
use crate::wire::name_service::{NamePacket, Opcode};
use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddrV4};

/// What makes one WINS server different from another.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WinsConfig {
    /// Its own address: the owner of what is registered here.
    pub address: Ipv4Addr,
    /// Timers, limits and switches.
    pub profile: WinsProfile,
    /// Replication partners.
    pub partners: Vec<Partner>,
}

/// What the store held when it was opened.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Loaded {
    /// All records.
    pub records: Vec<NameRecord>,
    /// Maxima of other owners ([`super::StoreOp::OwnerMaximum`]).
    pub maxima: Vec<(Owner, VersionId)>,
    /// The end of the last reserve ([`super::StoreOp::ReserveVersions`]).
    pub reserve: VersionId,
}

/// A WINS server.
///
/// Its deadlines: the next scavenging pass or chunk, the next challenge or release demand wait, the next
/// backup, and whatever replication waits for.
#[derive(Clone, Debug)]
pub struct WinsServer {
    pub(super) core: Core,
    pub(super) replication: Replication,
    pub(super) challenges: Challenges,
    pub(super) scavenger: Scavenger,
    pub(super) masters: DomainMasters,
    backups: Backups,
    /// Static mappings that wait for versions, in order.
    pub(super) statics: VecDeque<StaticMapping>,
    pub(super) chance: Stream,
    running: bool,
}

impl WinsServer {
    /// A stopped server with an empty database. `chance` is its own stream (`host/NAME/wins`).
    pub fn new(config: WinsConfig, chance: Stream) -> WinsServer {
        let mut core = Core::new(config.address, config.profile);
        // A draw of its own, so that the key is as unknown as the seed and the stream goes on as it was.
        core.names = NameTable::keyed(chance.clone().next_u64());
        WinsServer {
            core,
            replication: Replication::new(config.partners),
            challenges: Challenges::default(),
            scavenger: Scavenger::default(),
            masters: DomainMasters::default(),
            backups: Backups::default(),
            statics: VecDeque::new(),
            chance,
            running: false,
        }
    }

    /// Fills the name table with what the store held. Once, before [`WinsInput::Start`].
    ///
    /// The version counter starts above the reserve, so that no version lost to a power cut is used
    /// again.
    pub fn load(&mut self, loaded: Loaded) {
        for record in loaded.records {
            self.core.names.put(record);
        }
        // What was pulled is what the store says, not what the records suggest: a power cut in the middle of
        // a pull leaves records whose predecessors never came, and they must be asked for again.
        let own = self.core.own;
        self.core.names.set_maxima(own, &loaded.maxima);
        let own = self.core.names.maximum(self.core.own);
        let start = VersionId(self.core.profile.version_start);
        self.core.start_versions_after(loaded.reserve.max(own).max(start));
    }

    /// The shared state, for those who watch.
    pub fn core(&self) -> &Core {
        &self.core
    }

    /// The replication half, for those who watch.
    pub fn replication(&self) -> &Replication {
        &self.replication
    }

    /// Challenges under way.
    pub fn challenges_under_way(&self) -> usize {
        self.challenges.len()
    }

    /// Whether the service is started.
    pub fn is_running(&self) -> bool {
        self.running
    }

    /// What happened since the start, for those who watch.
    pub fn counters(&self) -> &Counters {
        &self.core.counters
    }

    fn start(&mut self, now: Now, out: &mut Outbox<WinsOutput>) {
        if list_prevents_start(&self.core.profile) {
            return self.core.log(WinsEvent::ShuttingDown, out);
        }
        self.running = true;
        self.core.started = now.time;
        self.core.counters = Counters::default();
        self.core.counters.last.initialisation = Some(now.wall);
        self.fit_intervals(out);
        let pulls = self.replication.partners().iter().any(|partner| partner.pull.is_some());
        self.core.paused = self.core.profile.pause_until_replicated && pulls;
        self.core.start_store();
        let profile = &self.core.profile;
        let (pass, cleaning) = (profile.scavenge_period(), profile.verification_interval);
        self.scavenger.start(now.time + pass, now.time + cleaning);
        self.backups.start(&self.core, now);
        self.check_own_address(out);
        self.replication.start(&mut self.core, now, out);
    }

    /// The intervals are fitted to those of the partners (events 4150, 4151).
    fn fit_intervals(&mut self, out: &mut Outbox<WinsOutput>) {
        let pulls = self.replication.partners().iter().filter_map(|p| p.pull.as_ref());
        let longest = pulls.filter_map(|pull| pull.interval).max().unwrap_or_default();
        let (profile, events) = self.core.profile.clone().fitted(longest);
        self.core.profile = profile;
        events.into_iter().for_each(|event| self.core.log(event, out));
        if self.core.profile.fit_check_maximum() {
            self.core.log(WinsEvent::CheckMaximumAdjusted, out);
        }
    }

    /// An adapter without an address, or that of a RAS wrapper, makes an owner nobody can reach (Q156204).
    fn check_own_address(&self, out: &mut Outbox<WinsOutput>) {
        let address = self.core.own.address();
        if address.is_unspecified() || address.is_broadcast() || address.is_multicast() {
            self.core.log(WinsEvent::WrongOwnAddress, out);
        }
    }

    fn stop(&mut self, at_stop: bool, now: Now, out: &mut Outbox<WinsOutput>) {
        self.replication.stop(&mut self.core, now, out);
        self.backups.stop(&self.core, at_stop, out);
        self.challenges.clear();
        self.scavenger.stop();
        self.statics.clear();
        self.core.challenges_wanted.clear();
        self.core.demands_wanted.clear();
        self.core.verifications_wanted.clear();
        self.core.log(WinsEvent::ShuttingDown, out);
        self.running = false;
    }

    /// A datagram to port 137. Broadcasts are not for a name server (NG40 "Microsoft WINS Proxy").
    fn datagram(
        &mut self,
        from: SocketAddrV4,
        bytes: &[u8],
        queued: Option<u32>,
        now: Now,
        out: &mut Outbox<WinsOutput>,
    ) {
        let Ok(packet) = NamePacket::decode(bytes) else { return self.malformed(out) };
        if packet.flags.is_response() {
            return self.response(&packet, from, now, out);
        }
        if packet.flags.broadcast() || self.core.paused {
            return;
        }
        let opcode = packet.flags.opcode();
        match (opcode, &packet.question) {
            (Opcode::Query, Some(question)) => self.query(&packet, question, from, now, out),
            (Opcode::Unknown(_) | Opcode::Wack, _) => {}
            _ if too_many_addresses(&packet) => self.core.log(WinsEvent::TooManyAddresses, out),
            _ => match Request::from_packet(&packet, from) {
                None => self.malformed(out),
                Some(request) if opcode == Opcode::Release => self.release(request, now, out),
                Some(request) => match queued {
                    Some(queued) => self.overflow(request, queued, out),
                    None => self.register(request, now, out),
                },
            },
        }
    }

    /// What cannot be read is logged and falls; before 4.0 SP4 it ends the service (Q155701).
    fn malformed(&mut self, out: &mut Outbox<WinsOutput>) {
        self.core.log(WinsEvent::MalformedPacket, out);
        if self.core.profile.malformed_stops {
            out.push(WinsOutput::Failed);
            self.running = false;
        }
    }

    fn operator(&mut self, action: OperatorAction, now: Now, out: &mut Outbox<WinsOutput>) {
        let (core, replication) = (&mut self.core, &mut self.replication);
        match action {
            OperatorAction::AddStatic(mapping) => self.statics.push_back(mapping),
            OperatorAction::DeleteRecord { name, scope } => {
                core.delete(&name, &scope, out);
            }
            OperatorAction::TombstoneRecord { name, scope } => {
                self.tombstone(&name, &scope, now, out);
            }
            OperatorAction::DeleteOwner { owner } => self.delete_owner(Owner(owner), out),
            OperatorAction::PutRecord(record) => self.put_record(record, now, out),
            OperatorAction::ImportLmhosts { text } => self.import_lmhosts(&text, out),
            OperatorAction::PullNow { partner } => replication.pull_now(core, partner, now, out),
            OperatorAction::PushNow { partner, propagate } => {
                replication.push_now(core, partner, propagate, now, out);
            }
            OperatorAction::Scavenge { force } => self.scavenge_now(force, now, out),
            OperatorAction::VerifyNow => self.verify_now(now, out),
            OperatorAction::Backup => {
                self.backups.begin(&self.core, BackupReason::Operator, now, out);
            }
            OperatorAction::DeleteStaticMember { name, scope, address } => {
                if let Err(error) = self.delete_static_member(&name, &scope, address, out) {
                    self.core.observe(Observation::StaticRefused { error }, out);
                }
            }
            OperatorAction::CheckConsistency => replication.check_now(core, now, out),
            OperatorAction::SetPartners(partners) => {
                core.log(WinsEvent::ConfigurationChanged, out);
                core.counters.last.initialisation = Some(now.wall);
                replication.set_partners(core, partners, now, out);
                self.fit_intervals(out);
            }
        }
    }

    /// What the parts left for each other, and the next block of versions.
    fn settle(&mut self, now: Now, out: &mut Outbox<WinsOutput>) {
        self.core.reserve_versions(out);
        self.enter_statics(now, out);
        self.begin_wanted(now, out);
        self.replication.after_input(&mut self.core, now, out);
        self.core.reserve_versions(out);
    }
}

impl Machine for WinsServer {
    type Input<'a> = WinsInput<'a>;
    type Output = WinsOutput;

    fn handle(&mut self, input: WinsInput<'_>, now: Now, out: &mut Outbox<WinsOutput>) {
        if !self.running && !matches!(input, WinsInput::Start) {
            return;
        }
        let (core, replication) = (&mut self.core, &mut self.replication);
        match input {
            WinsInput::Start if self.running => {}
            WinsInput::Start => self.start(now, out),
            WinsInput::Stop => return self.stop(true, now, out),
            WinsInput::ShutDown => return self.stop(false, now, out),
            WinsInput::Datagram { from, bytes } => self.datagram(from, bytes, None, now, out),
            WinsInput::Overflow { from, bytes, queued } => {
                self.datagram(from, bytes, Some(queued), now, out);
            }
            WinsInput::StreamOpened { stream, peer } => {
                replication.stream_opened(core, stream, peer, now, out);
            }
            WinsInput::StreamConnected { stream } => {
                replication.stream_connected(core, stream, now, out);
            }
            WinsInput::StreamRefused { stream } => {
                replication.stream_refused(core, stream, now, out);
            }
            WinsInput::StreamData { stream, bytes } => {
                replication.stream_data(core, stream, bytes, now, out);
            }
            WinsInput::StreamClosed { stream } => {
                replication.stream_closed(core, stream, now, out);
            }
            WinsInput::Discovery { bytes, .. } => replication.discovered(core, bytes, now, out),
            WinsInput::Durable { ticket } => core.durable(ticket),
            WinsInput::BackupDone { ok } => self.backups.done(core, ok, now, out),
            WinsInput::Operator(action) => self.operator(action, now, out),
        }
        if self.running {
            self.settle(now, out);
        }
    }

    fn on_deadline(&mut self, now: Now, out: &mut Outbox<WinsOutput>) {
        if !self.running {
            return;
        }
        self.challenge_deadlines(now, out);
        self.scavenge_deadlines(now, out);
        self.backups.on_deadline(&self.core, now, out);
        if self.replication.next_deadline().is_some_and(|at| at <= now.time) {
            self.replication.on_deadline(&mut self.core, now, out);
        }
        self.settle(now, out);
    }

    fn next_deadline(&self) -> Option<SimTime> {
        if !self.running {
            return None;
        }
        let parts = [
            self.challenges.next_deadline(),
            self.scavenger.next_deadline(),
            self.backups.next_deadline(),
            self.replication.next_deadline(),
        ];
        parts.into_iter().flatten().min()
    }
}
