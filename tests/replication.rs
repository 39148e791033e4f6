//! Two and more WINS servers joined by lossless streams in memory: what one learns, the others learn.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddrV4};
use winstorm::base::{Machine, Now, Outbox, SimDuration, SimTime, Stream, Streams, WallTime};
use winstorm::wins::{
    NameKind, NameRecord, Observation, OperatorAction, Owner, Partner, RecordState, StreamId,
    VersionId, WinsConfig, WinsInput, WinsOutput, WinsProfile, WinsServer, WinsVersion,
};
use winstorm::wire::name_service::compose::{self, Claim};
use winstorm::wire::name_service::{NamePacket, NbFlags, NodeType, Opcode};
use winstorm::wire::{NetbiosName, ScopeId, Suffix};

const DELAY: SimDuration = SimDuration::from_millis(10);
const START_APART: SimDuration = SimDuration::from_secs(7);
const INTERVAL: SimDuration = SimDuration::from_mins(30);

/// Something on its way to a server.
#[derive(Clone, Debug)]
enum Carried {
    Opened(StreamId, Ipv4Addr),
    Connected(StreamId),
    Refused(StreamId),
    Data(StreamId, Vec<u8>),
    Closed(StreamId),
    Datagram(SocketAddrV4, Vec<u8>),
}

/// Servers, wires of a fixed delay, and clients that answer challenges for the names they hold.
struct Lan {
    now: SimTime,
    servers: Vec<WinsServer>,
    down: Vec<bool>,
    durable: Vec<u64>,
    /// By due time and order of sending.
    carried: BTreeMap<(SimTime, u64), (usize, Carried)>,
    sent: u64,
    /// Either end of a stream: (server, id) to (server, id).
    ends: BTreeMap<(usize, StreamId), (usize, StreamId)>,
    accepted: u32,
    /// Addresses at which each name is held.
    holders: BTreeMap<NetbiosName, Vec<Ipv4Addr>>,
    observed: RefCell<Vec<(usize, Observation)>>,
}

fn address(server: usize) -> Ipv4Addr {
    Ipv4Addr::new(10, 0, server as u8, 1)
}

fn name(text: &str) -> NetbiosName {
    NetbiosName::new(text, Suffix::SERVER).unwrap()
}

impl Lan {
    /// Servers whose partners are the pairs, both ways.
    fn new(count: usize, pairs: &[(usize, usize)], profile: &WinsProfile) -> Lan {
        Lan::with(count, pairs, profile, |_| {})
    }

    fn with(
        count: usize,
        pairs: &[(usize, usize)],
        profile: &WinsProfile,
        adjust: impl Fn(&mut Partner),
    ) -> Lan {
        let mut lan = Lan {
            now: SimTime::ZERO,
            servers: Vec::new(),
            down: vec![false; count],
            durable: vec![0; count],
            carried: BTreeMap::new(),
            sent: 0,
            ends: BTreeMap::new(),
            accepted: 0,
            holders: BTreeMap::new(),
            observed: RefCell::default(),
        };
        for server in 0..count {
            let ends = pairs.iter().flat_map(|&(a, b)| [(a, b), (b, a)]);
            let partners = ends.filter(|&(a, _)| a == server).map(|(_, b)| {
                let mut partner = Partner::both_ways(address(b), INTERVAL);
                adjust(&mut partner);
                partner
            });
            let config = WinsConfig {
                address: address(server),
                profile: profile.clone(),
                partners: partners.collect(),
            };
            let chance = Streams::new(1).stream(&format!("host/{server}/wins"));
            lan.servers.push(WinsServer::new(config, chance));
        }
        // Services never start at the same instant; pulls in lockstep would exchange lists for ever.
        for server in 0..count {
            lan.input(server, WinsInput::Start);
            lan.run_for(START_APART);
        }
        lan
    }

    fn clock(&self) -> Now {
        Now { time: self.now, wall: WallTime(self.now.0 + 1_000_000_000) }
    }

    fn input(&mut self, server: usize, input: WinsInput<'_>) {
        let mut out = Outbox::default();
        let now = self.clock();
        self.servers[server].handle(input, now, &mut out);
        self.outputs(server, out);
    }

    fn send(&mut self, to: usize, what: Carried) {
        self.sent += 1;
        self.carried.insert((self.now + DELAY, self.sent), (to, what));
    }

    fn outputs(&mut self, server: usize, out: Outbox<WinsOutput>) {
        let mut stored = 0;
        for item in &out.items {
            match *item {
                WinsOutput::Store(_) => stored += 1,
                WinsOutput::Backup(_) | WinsOutput::Failed => {}
                WinsOutput::Observe(what) => self.observed.borrow_mut().push((server, what)),
                WinsOutput::Send { to, bytes, .. } => self.client(server, to, out.bytes(bytes)),
                WinsOutput::Connect { stream, to } => {
                    let peer = (0..self.servers.len()).find(|&s| address(s) == *to.ip());
                    match peer.filter(|&peer| !self.down[peer]) {
                        None => self.send(server, Carried::Refused(stream)),
                        Some(peer) => {
                            self.accepted += 1;
                            let accepted = StreamId(self.accepted);
                            self.ends.insert((server, stream), (peer, accepted));
                            self.ends.insert((peer, accepted), (server, stream));
                            self.send(peer, Carried::Opened(accepted, address(server)));
                            self.send(server, Carried::Connected(stream));
                        }
                    }
                }
                WinsOutput::StreamSend { stream, bytes } => {
                    if let Some(&(peer, end)) = self.ends.get(&(server, stream)) {
                        // Cut anywhere: the receiver must join the pieces.
                        for piece in out.bytes(bytes).chunks(1000) {
                            self.send(peer, Carried::Data(end, piece.to_vec()));
                        }
                    }
                }
                WinsOutput::Multicast { .. } => {}
                WinsOutput::StreamClose { stream } => {
                    if let Some((peer, end)) = self.ends.remove(&(server, stream)) {
                        self.ends.remove(&(peer, end));
                        self.send(peer, Carried::Closed(end));
                    }
                }
            }
        }
        if stored > 0 {
            self.durable[server] += stored;
            let ticket = self.durable[server];
            self.input(server, WinsInput::Durable { ticket });
        }
    }

    /// A datagram of a server: holders of a name answer queries about it.
    fn client(&mut self, server: usize, to: SocketAddrV4, bytes: &[u8]) {
        let Ok(packet) = NamePacket::decode(bytes) else { return };
        let Some(question) = packet.question.filter(|_| !packet.flags.is_response()) else {
            return;
        };
        let held = self.holders.get(&question.name).cloned().unwrap_or_default();
        if packet.flags.opcode() == Opcode::Query && held.contains(to.ip()) {
            let mut answer = Vec::new();
            let entries: Vec<_> = held.iter().map(|&a| entry(a)).collect();
            compose::positive_query_response(
                packet.id,
                compose::Responder::EndNode,
                &question.name,
                &question.scope,
                0,
                &entries,
                &mut answer,
            );
            self.send(server, Carried::Datagram(to, answer));
        }
    }

    fn run_until(&mut self, end: SimTime) {
        loop {
            let carried = self.carried.keys().next().map(|&(at, _)| at);
            let deadlines = (0..self.servers.len()).filter(|&s| !self.down[s]);
            let deadline = deadlines.filter_map(|s| self.servers[s].next_deadline()).min();
            let next = carried.into_iter().chain(deadline).min();
            let Some(next) = next.filter(|&next| next <= end) else { break };
            self.now = next.max(self.now);
            if carried == Some(next) {
                let (_, (server, what)) = self.carried.pop_first().unwrap();
                if !self.down[server] {
                    self.deliver(server, what);
                }
                continue;
            }
            for server in 0..self.servers.len() {
                if !self.down[server] && self.servers[server].next_deadline() <= Some(next) {
                    let mut out = Outbox::default();
                    let now = self.clock();
                    self.servers[server].on_deadline(now, &mut out);
                    self.outputs(server, out);
                }
            }
        }
        self.now = end;
    }

    fn deliver(&mut self, server: usize, what: Carried) {
        match what {
            Carried::Opened(stream, peer) => {
                self.input(server, WinsInput::StreamOpened { stream, peer });
            }
            Carried::Connected(stream) => self.input(server, WinsInput::StreamConnected { stream }),
            Carried::Refused(stream) => self.input(server, WinsInput::StreamRefused { stream }),
            Carried::Data(stream, bytes) => {
                self.input(server, WinsInput::StreamData { stream, bytes: &bytes });
            }
            Carried::Closed(stream) => self.input(server, WinsInput::StreamClosed { stream }),
            Carried::Datagram(from, bytes) => {
                self.input(server, WinsInput::Datagram { from, bytes: &bytes });
            }
        }
    }

    fn run_for(&mut self, time: SimDuration) {
        self.run_until(self.now + time);
    }

    fn claim(
        &mut self,
        server: usize,
        name: NetbiosName,
        from: Ipv4Addr,
        group: bool,
        write: fn(&Claim<'_>, &mut Vec<u8>),
    ) {
        let scope = ScopeId::none();
        let nb_flags = NbFlags::new(group, NodeType::H);
        let claim = Claim {
            id: 1,
            name: &name,
            scope: &scope,
            nb_flags,
            address: from,
            ttl: 0,
            broadcast: false,
        };
        let mut bytes = Vec::new();
        write(&claim, &mut bytes);
        self.input(
            server,
            WinsInput::Datagram { from: SocketAddrV4::new(from, 137), bytes: &bytes },
        );
    }

    fn register(&mut self, server: usize, name: NetbiosName, host: u8) {
        let group = name.suffix() == Suffix::DOMAIN_CONTROLLERS;
        self.claim(server, name, client(host), group, compose::registration);
        if !group {
            self.holders.insert(name, vec![client(host)]);
        }
    }

    fn release(&mut self, server: usize, name: NetbiosName, host: u8) {
        let group = name.suffix() == Suffix::DOMAIN_CONTROLLERS;
        self.claim(server, name, client(host), group, compose::release);
        if !group {
            self.holders.remove(&name);
        }
    }

    fn record(&self, server: usize, name: NetbiosName) -> Option<&NameRecord> {
        self.servers[server].core().names.get(&name, &ScopeId::none())
    }

    /// Addresses of an active record, sorted.
    fn holds(&self, server: usize, name: NetbiosName) -> Vec<Ipv4Addr> {
        let record = self.record(server, name).filter(|r| r.state == RecordState::Active);
        let mut held: Vec<_> = record.map_or(Vec::new(), |record| record.addresses().collect());
        held.sort();
        held
    }

    fn maxima(&self, server: usize) -> BTreeMap<Owner, VersionId> {
        self.servers[server].core().owner_versions().filter(|e| e.1 > VersionId::ZERO).collect()
    }

    fn everywhere(&self, name: NetbiosName) -> bool {
        (0..self.servers.len()).all(|server| !self.holds(server, name).is_empty())
    }
}

fn client(host: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 9, 0, host)
}

fn entry(address: Ipv4Addr) -> winstorm::wire::name_service::NbEntry {
    winstorm::wire::name_service::NbEntry { flags: NbFlags::new(false, NodeType::H), address }
}

fn w2k() -> WinsProfile {
    WinsProfile::new(WinsVersion::W2k, 4)
}

fn nt40() -> WinsProfile {
    WinsProfile::new(WinsVersion::Nt40, 6)
}

// rule: trigger/interval, pull/range, pull/maximum-after, pull/closed, assoc/order
// rule: replica/active-stamp
// rule: partner/persistence
#[test]
fn a_name_reaches_the_partner_within_the_interval_and_not_before() {
    for profile in [w2k(), nt40()] {
        let mut lan = Lan::new(2, &[(0, 1)], &profile);
        lan.run_for(SimDuration::from_mins(1));
        lan.register(0, name("ALPHA"), 7);
        lan.run_for(SimDuration::from_mins(28));
        assert!(lan.holds(1, name("ALPHA")).is_empty());
        lan.run_for(SimDuration::from_mins(2));
        assert_eq!(lan.holds(1, name("ALPHA")), [client(7)]);
        let record = lan.record(1, name("ALPHA")).unwrap();
        assert_eq!(record.owner, Owner(address(0)));
        assert_eq!(lan.maxima(0), lan.maxima(1));
        let open = lan.servers[0].replication().associations();
        assert_eq!(open, if profile.persistent_associations { 2 } else { 0 });
    }
}

// rule: trigger/update-count, partner/update-count, assoc/turned, pull/notified
#[test]
fn twenty_changes_notify_at_once() {
    for profile in [w2k(), nt40()] {
        let mut lan = Lan::new(2, &[(0, 1)], &profile);
        lan.run_for(SimDuration::from_mins(1));
        for host in 0..19 {
            lan.register(0, name(&format!("HOST-{host}")), host);
        }
        lan.run_for(SimDuration::from_secs(10));
        assert!(!lan.everywhere(name("HOST-0")));
        lan.register(0, name("HOST-19"), 19);
        lan.run_for(SimDuration::from_secs(10));
        assert!(lan.everywhere(name("HOST-0")) && lan.everywhere(name("HOST-19")));
        let last = lan.servers[1].counters().last;
        assert!(last.replication_network.is_some() && last.replication_periodic.is_none());
    }
}

// rule: pull/merge-maps, pull/maps, trigger/start-pull
#[test]
fn names_travel_through_a_chain_and_a_hub() {
    let chain: Vec<_> = (0..4).map(|n| (n, n + 1)).collect();
    let hub: Vec<_> = (1..5).map(|n| (0, n)).collect();
    for (pairs, hops) in [(chain, 4), (hub, 2)] {
        let mut lan = Lan::new(5, &pairs, &w2k());
        lan.run_for(SimDuration::from_mins(1));
        lan.register(4, name("FAR"), 1);
        lan.run_for(INTERVAL * hops);
        assert!(lan.everywhere(name("FAR")));
    }
}

// rule: trigger/propagate, trigger/loop-stops, trigger/admin
#[test]
fn a_propagated_notification_runs_through_a_ring_and_stops() {
    let ring = [(0, 1), (1, 2), (2, 3), (3, 0)];
    let mut lan = Lan::new(4, &ring, &w2k());
    lan.run_for(SimDuration::from_mins(1));
    lan.register(0, name("RUSH"), 1);
    lan.input(0, WinsInput::Operator(OperatorAction::PushNow { partner: None, propagate: true }));
    lan.run_for(SimDuration::from_secs(20));
    assert!(lan.everywhere(name("RUSH")));
    let sent = lan.sent;
    lan.run_for(SimDuration::from_mins(5));
    assert_eq!(lan.sent, sent, "nothing goes round any more");
}

// rule: pull/states-sent
#[test]
fn a_release_is_seen_by_partners_only_when_it_has_become_a_tombstone() {
    let mut profile = w2k();
    profile.extinction_interval = SimDuration::from_hours(2);
    profile.scavenge_every = Some(SimDuration::from_hours(1));
    let mut lan = Lan::new(2, &[(0, 1)], &profile);
    lan.run_for(SimDuration::from_mins(1));
    lan.register(0, name("GONE"), 7);
    lan.run_for(INTERVAL);
    lan.release(0, name("GONE"), 7);
    lan.run_for(INTERVAL * 2);
    assert_eq!(lan.record(0, name("GONE")).unwrap().state, RecordState::Released);
    assert_eq!(lan.holds(1, name("GONE")), [client(7)], "a released record is invisible");
    lan.run_for(SimDuration::from_hours(4));
    assert_eq!(lan.record(0, name("GONE")).unwrap().state, RecordState::Tombstone);
    assert_eq!(lan.record(1, name("GONE")).unwrap().state, RecordState::Tombstone);
}

#[test]
fn a_name_claimed_twice_stays_with_the_living_holder() {
    let mut lan = Lan::new(2, &[(0, 1)], &w2k());
    lan.run_for(SimDuration::from_mins(1));
    lan.register(0, name("TWICE"), 1);
    lan.register(1, name("TWICE"), 2);
    // The second registration replaced the first holder in the harness: only host 2 answers.
    lan.run_for(INTERVAL * 3);
    assert_eq!(lan.holds(0, name("TWICE")), [client(2)]);
    assert_eq!(lan.holds(1, name("TWICE")), [client(2)]);
}

// rule: conflict/merge/sp4, conflict/merge/only-additions
#[test]
fn domain_controllers_of_all_sites_are_joined() {
    let controllers = NetbiosName::new("DOM", Suffix::DOMAIN_CONTROLLERS).unwrap();
    let mut lan = Lan::new(3, &[(0, 1), (1, 2), (0, 2)], &w2k());
    lan.run_for(SimDuration::from_mins(1));
    for server in 0..3u8 {
        lan.register(usize::from(server), controllers, server + 1);
    }
    lan.run_for(INTERVAL * 4);
    for server in 0..3 {
        let record = lan.record(server, controllers).unwrap();
        assert_eq!(record.kind, NameKind::InternetGroup);
        assert_eq!(lan.holds(server, controllers), [client(1), client(2), client(3)]);
    }
    let versions = lan.maxima(0);
    lan.run_for(INTERVAL * 4);
    assert_eq!(lan.maxima(0), versions, "no ping-pong of ownership");
}

/// Three servers in a chain, a controller at the middle one, later another at the first: what the third
/// lists, and how often the middle one's version moved in the hours after.
fn chain_of_controllers(profile: &WinsProfile) -> (Vec<Ipv4Addr>, u64) {
    let controllers = NetbiosName::new("DOM", Suffix::DOMAIN_CONTROLLERS).unwrap();
    let mut lan = Lan::new(3, &[(0, 1), (1, 2)], profile);
    lan.run_for(SimDuration::from_mins(1));
    lan.register(1, controllers, 2);
    lan.run_for(INTERVAL * 2);
    lan.register(0, controllers, 1);
    lan.run_for(INTERVAL * 4);
    assert_eq!(lan.holds(1, controllers), [client(1), client(2)]);
    let middle = |lan: &Lan| lan.maxima(1)[&Owner(address(1))].0;
    let before = middle(&lan);
    lan.run_for(INTERVAL * 8);
    (lan.holds(2, controllers), middle(&lan) - before)
}

// rule: conflict/merge/before-sp4
#[test]
fn a_list_that_grows_by_a_replica_travels_on_from_nt351_sp4() {
    let nt351 = |service_pack| WinsProfile::new(WinsVersion::Nt351, service_pack);
    assert_eq!(chain_of_controllers(&nt351(3)).0, [client(2)], "Q140978");
    assert_eq!(chain_of_controllers(&nt351(4)).0, [client(1), client(2)]);
}

#[test]
fn a_list_is_taken_over_for_ever_only_with_the_fault() {
    let sound = WinsProfile::new(WinsVersion::Nt40, 4);
    let faulty = WinsProfile { merge_always_takes_ownership: true, ..sound.clone() };
    assert_eq!(chain_of_controllers(&sound).1, 0);
    let moved = chain_of_controllers(&faulty).1;
    assert!(moved >= 4, "Q190506: the middle one's version moved {moved} times");
}

// rule: peer/stranger-pull, partner/only-configured, partner/one-sided, assoc/reopen
#[test]
fn strangers_are_refused_and_a_dead_partner_is_retried() {
    let mut lan = Lan::new(2, &[(0, 1)], &w2k());
    lan.input(1, WinsInput::Operator(OperatorAction::SetPartners(Vec::new())));
    lan.run_for(SimDuration::from_mins(1));
    lan.register(1, name("SECRET"), 1);
    lan.run_for(INTERVAL * 2);
    assert!(lan.holds(0, name("SECRET")).is_empty(), "server 1 does not know server 0");

    let mut lan = Lan::new(2, &[(0, 1)], &w2k());
    lan.run_for(SimDuration::from_mins(1));
    lan.down[1] = true;
    lan.register(0, name("LATE"), 1);
    lan.run_for(INTERVAL * 2);
    lan.down[1] = false;
    let ends: Vec<_> = lan.ends.keys().copied().collect();
    for (server, stream) in ends {
        lan.ends.remove(&(server, stream));
        lan.send(server, Carried::Closed(stream));
    }
    lan.run_for(INTERVAL * 2);
    assert_eq!(lan.holds(1, name("LATE")), [client(1)]);
}

// rule: pull/own-records, pull/self-higher, backup/own-records, conflict/order/never-own
#[test]
fn an_emptied_server_gets_its_own_records_back_and_counts_on() {
    let mut lan = Lan::new(2, &[(0, 1)], &w2k());
    lan.run_for(SimDuration::from_mins(1));
    lan.register(0, name("OLD"), 1);
    lan.run_for(INTERVAL);
    let version = lan.record(1, name("OLD")).unwrap().version;
    let partners = lan.servers[0].replication().partners().to_vec();
    let config = WinsConfig { address: address(0), profile: w2k(), partners };
    lan.servers[0] = WinsServer::new(config, Streams::new(2).stream("again"));
    lan.durable[0] = 0;
    lan.input(0, WinsInput::Start);
    lan.run_for(SimDuration::from_mins(2));
    assert_eq!(lan.holds(0, name("OLD")), [client(1)]);
    lan.register(0, name("NEW"), 2);
    assert!(lan.record(0, name("NEW")).unwrap().version > version, "no version is used twice");
}

/// After random work on three servers and then quiet, maps agree, and so do active records.
#[test]
fn databases_converge() {
    for seed in 0..40 {
        let mut chance = Streams::new(seed).stream("work");
        // A controller that leaves raises no version, so nobody promises that lists agree then.
        let leavers = seed % 4 < 2;
        let profile = if seed % 2 == 0 { w2k() } else { nt40() };
        let mut lan = Lan::new(3, &[(0, 1), (1, 2), (0, 2)], &profile);
        lan.run_for(SimDuration::from_mins(1));
        let controllers = NetbiosName::new("DOM", Suffix::DOMAIN_CONTROLLERS).unwrap();
        for _ in 0..60 {
            work(&mut lan, controllers, leavers, &mut chance);
            lan.run_for(chance.duration(SimDuration::from_secs(1), INTERVAL));
        }
        // Nothing is released now: a released record is invisible, so every name is claimed once more.
        for n in 0..6 {
            let server = chance.below(3) as usize;
            lan.register(server, name(&format!("N{n}")), n);
        }
        lan.run_for(INTERVAL * 8);
        for server in 1..3 {
            let list = lan.holds(server, controllers);
            assert!(leavers || lan.holds(0, controllers) == list, "seed {seed}: members");
            assert_eq!(lan.maxima(0), lan.maxima(server), "seed {seed}: maps of 0 and {server}");
            for n in 0..6 {
                let name = name(&format!("N{n}"));
                assert_eq!(lan.holds(0, name), [client(n)], "seed {seed}: {name:?} at 0");
                assert_eq!(lan.holds(server, name), [client(n)], "seed {seed}: {name:?}");
            }
        }
    }
}

fn work(lan: &mut Lan, controllers: NetbiosName, leavers: bool, chance: &mut Stream) {
    let (server, n) = (chance.below(3) as usize, chance.below(6) as u8);
    match chance.below(6) {
        0..=2 => lan.register(server, name(&format!("N{n}")), n),
        3 => lan.release(server, name(&format!("N{n}")), n),
        4 => lan.register(server, controllers, n + 50),
        _ if leavers => lan.release(server, controllers, n + 50),
        _ => lan.register(server, controllers, n + 50),
    }
}
