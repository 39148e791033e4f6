//! A WINS server on the bench: real packets in, decoded answers and stored records out.
//!
//! The comment `rule:` above a test names the documented rules it shows (`tests/wins_rules.txt`).

mod challenges;
mod documented_bugs;
mod operators;
mod peers;
mod queries;
mod registrations;
mod releases;
mod scavenging;
mod service;
mod service_life;
mod static_mappings;
mod suffixes;

use super::record::{Member, NameKind, NameRecord, Origin, Owner, RecordState, VersionId};
use super::*;
use crate::base::{Machine, Now, Outbox, SimDuration, SimTime, Streams, WallTime};
use crate::wire::name_service::compose::{self, Claim, Responder};
use crate::wire::name_service::{
    NamePacket, NbEntry, NbFlags, NodeType, Opcode, PORT, Rcode, peek,
};
use crate::wire::{NetbiosName, ScopeId};
use std::net::{Ipv4Addr, SocketAddrV4};

/// This server.
const OWN: Ipv4Addr = Ipv4Addr::new(10, 9, 9, 1);
/// Another server.
const OTHER: Ipv4Addr = Ipv4Addr::new(10, 9, 9, 2);

/// A client's address.
fn host(n: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 0, 0, n)
}

fn name(text: &str) -> NetbiosName {
    text.parse().unwrap()
}

fn nt40() -> WinsProfile {
    WinsProfile::new(WinsVersion::Nt40, 6)
}

/// What came back.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Reply {
    Positive,
    Negative(Rcode),
    Wack,
    Silence,
}

struct Sent {
    time: SimTime,
    to: SocketAddrV4,
    bytes: Vec<u8>,
    after_commit: bool,
}

struct Bench {
    server: WinsServer,
    now: Now,
    out: Outbox<WinsOutput>,
    sent: Vec<Sent>,
    seen: Vec<Observation>,
    stored: Vec<StoreOp>,
    backups: Vec<(SimTime, BackupReason)>,
    connects: Vec<(SimTime, StreamId, Ipv4Addr)>,
    streamed: Vec<(StreamId, Vec<u8>)>,
    closed: Vec<StreamId>,
    tickets: u64,
    /// Whether the disk makes everything durable at once.
    disk_works: bool,
    last_id: u16,
}

impl Bench {
    /// A started server whose disk works.
    fn new(profile: WinsProfile) -> Bench {
        let mut bench = Bench::stopped(profile);
        bench.give(WinsInput::Start);
        bench
    }

    fn stopped(profile: WinsProfile) -> Bench {
        let config = WinsConfig { address: OWN, profile, partners: Vec::new() };
        Bench {
            server: WinsServer::new(config, Streams::new(1).stream("host/wins/wins")),
            // The host's clock is not the run's clock.
            now: Now { time: SimTime(0), wall: WallTime(1_000_000_000_000_000) },
            out: Outbox::default(),
            sent: Vec::new(),
            seen: Vec::new(),
            stored: Vec::new(),
            backups: Vec::new(),
            connects: Vec::new(),
            streamed: Vec::new(),
            closed: Vec::new(),
            tickets: 0,
            disk_works: true,
            last_id: 0,
        }
    }

    fn give(&mut self, input: WinsInput<'_>) {
        self.server.handle(input, self.now, &mut self.out);
        self.collect();
    }

    fn collect(&mut self) {
        let mut out = std::mem::take(&mut self.out);
        let before = self.tickets;
        for item in out.items.drain(..).collect::<Vec<_>>() {
            match item {
                WinsOutput::Send { to, bytes, after_commit } => {
                    let bytes = out.bytes(bytes).to_vec();
                    self.sent.push(Sent { time: self.now.time, to, bytes, after_commit });
                }
                WinsOutput::StreamSend { stream, bytes } => {
                    self.streamed.push((stream, out.bytes(bytes).to_vec()));
                }
                WinsOutput::StreamClose { stream } => self.closed.push(stream),
                WinsOutput::Connect { stream, to } => {
                    self.connects.push((self.now.time, stream, *to.ip()));
                }
                WinsOutput::Backup(reason) => self.backups.push((self.now.time, reason)),
                WinsOutput::Observe(observation) => self.seen.push(observation),
                WinsOutput::Store(op) => {
                    self.tickets += 1;
                    self.stored.push(op);
                    if let StoreOp::Put { record } = op {
                        // What is stored is what the table holds.
                        let stored = NameRecord::decode(out.bytes(record)).unwrap();
                        assert_eq!(NameRecord::key_len(out.bytes(record)), Some(17));
                        assert!(stored.members.len() <= MEMBERS_MAX);
                    }
                }
                _ => {}
            }
        }
        out.clear();
        self.out = out;
        if self.tickets > before && self.disk_works {
            self.durable();
        }
    }

    /// The disk has done all it was given.
    fn durable(&mut self) {
        let ticket = self.tickets;
        self.give(WinsInput::Durable { ticket });
    }

    /// Lets time pass, with every deadline on its way.
    fn wait(&mut self, duration: SimDuration) {
        let end = self.now.time + duration;
        while let Some(at) = self.server.next_deadline()
            && at <= end
        {
            let step = at.since(self.now.time);
            self.now = Now { time: self.now.time + step, wall: self.now.wall + step };
            self.server.on_deadline(self.now, &mut self.out);
            self.collect();
        }
        let step = end.since(self.now.time);
        self.now = Now { time: end, wall: self.now.wall + step };
    }

    /// Sends a request from a client and returns what came back to it at once.
    fn request(&mut self, from: Ipv4Addr, bytes: &[u8]) -> Reply {
        let before = self.sent.len();
        self.give(WinsInput::Datagram { from: SocketAddrV4::new(from, PORT), bytes });
        self.reply_since(before, from)
    }

    fn reply_since(&self, before: usize, to: Ipv4Addr) -> Reply {
        let answers: Vec<&Sent> =
            self.sent[before..].iter().filter(|sent| *sent.to.ip() == to).collect();
        let Some((_, flags)) = answers.first().and_then(|sent| peek(&sent.bytes)) else {
            return Reply::Silence;
        };
        match (flags.is_response(), flags.opcode(), flags.rcode()) {
            (false, _, _) => Reply::Silence,
            (true, Opcode::Wack, _) => Reply::Wack,
            (true, _, Rcode::Ok) => Reply::Positive,
            (true, _, code) => Reply::Negative(code),
        }
    }

    fn next_id(&mut self) -> u16 {
        self.last_id += 1;
        self.last_id
    }

    fn register(&mut self, from: u8, text: &str, kind: NameKind) -> Reply {
        let bytes = self.claim(from, &name(text), kind, false);
        self.request(host(from), &bytes)
    }

    fn refresh(&mut self, from: u8, text: &str, kind: NameKind) -> Reply {
        let bytes = self.claim(from, &name(text), kind, true);
        self.request(host(from), &bytes)
    }

    fn claim(&mut self, from: u8, name: &NetbiosName, kind: NameKind, refresh: bool) -> Vec<u8> {
        let scope = ScopeId::none();
        let claim = Claim {
            id: self.next_id(),
            name,
            scope: &scope,
            nb_flags: NbFlags::new(kind.is_group(), NodeType::H),
            address: host(from),
            ttl: 300_000,
            broadcast: false,
        };
        let mut bytes = Vec::new();
        match (kind, refresh) {
            (_, true) => compose::refresh(&claim, &mut bytes),
            (NameKind::Multihomed, _) => compose::multihomed_registration(&claim, &mut bytes),
            _ => compose::registration(&claim, &mut bytes),
        }
        bytes
    }

    fn release(&mut self, from: u8, text: &str, group: bool) -> Reply {
        let (id, name, scope) = (self.next_id(), name(text), ScopeId::none());
        let nb_flags = NbFlags::new(group, NodeType::H);
        let (address, name, scope) = (host(from), &name, &scope);
        let mut bytes = Vec::new();
        let claim = Claim { id, name, scope, nb_flags, address, ttl: 0, broadcast: false };
        compose::release(&claim, &mut bytes);
        self.request(host(from), &bytes)
    }

    /// The addresses a query brings, with the group bit; `None` for a negative answer.
    fn query(&mut self, text: &str) -> Option<(bool, Vec<Ipv4Addr>)> {
        let mut bytes = Vec::new();
        compose::query(self.next_id(), &name(text), &ScopeId::none(), false, &mut bytes);
        let before = self.sent.len();
        let reply = self.request(host(200), &bytes);
        if reply != Reply::Positive {
            assert_eq!(reply, Reply::Negative(Rcode::NameError));
            return None;
        }
        let packet = NamePacket::decode(&self.sent[before].bytes).unwrap();
        let entries: Vec<NbEntry> = packet.answer.unwrap().entries().collect();
        assert!(entries.iter().all(|entry| entry.flags.node_type() == NodeType::B));
        let group = entries.iter().all(|entry| entry.flags.is_group());
        assert!(group || !entries.iter().any(|entry| entry.flags.is_group()));
        Some((group, entries.iter().map(|entry| entry.address).collect()))
    }

    fn get(&self, text: &str) -> Option<&NameRecord> {
        self.server.core().names.get(&name(text), &ScopeId::none())
    }

    /// Puts a record where it should be, without asking for permission; version 7 if it is another
    /// owner's.
    fn seed(
        &mut self,
        text: &str,
        (kind, state, origin): (NameKind, RecordState, Origin),
        owner: Ipv4Addr,
        addresses: &[Ipv4Addr],
    ) {
        let core = &mut self.server.core;
        let version = if owner == OWN {
            core.assign_version(name(text), &mut self.out).unwrap()
        } else {
            VersionId(7)
        };
        let stamp = match origin {
            Origin::Static => WallTime::NEVER,
            Origin::Dynamic => self.now.wall + SimDuration::from_hours(10),
        };
        let member = |&address: &Ipv4Addr| Member { address, owner: Owner(owner), stamp };
        let record = NameRecord {
            name: name(text),
            scope: ScopeId::none(),
            kind,
            state,
            origin,
            node_type: NodeType::H,
            owner: Owner(owner),
            version,
            stamp,
            members: addresses.iter().map(member).collect(),
        };
        core.put(record, &mut self.out);
        self.collect();
    }

    /// The queries sent to a holder since `before`, with their times and ids.
    fn challenges(&self, before: usize) -> Vec<(SimTime, Ipv4Addr, u16)> {
        let is_query = |sent: &&Sent| {
            peek(&sent.bytes).is_some_and(|(_, f)| !f.is_response() && f.opcode() == Opcode::Query)
        };
        let queries = self.sent[before..].iter().filter(is_query);
        queries.map(|sent| (sent.time, *sent.to.ip(), peek(&sent.bytes).unwrap().0)).collect()
    }

    /// A holder answers the last challenge: with its addresses, or that it does not hold the name.
    fn holder_answers(&mut self, text: &str, addresses: Option<&[Ipv4Addr]>) {
        let &(_, holder, id) = self.challenges(0).last().expect("a challenge is under way");
        let (mut bytes, name, scope) = (Vec::new(), name(text), ScopeId::none());
        match addresses {
            None => {
                let request = crate::wire::name_service::Flags::request(Opcode::Query);
                let code = Rcode::NameError;
                let node = Responder::EndNode;
                compose::negative_query_response(
                    id, node, code, &name, &scope, request, &mut bytes,
                );
            }
            Some(addresses) => {
                let flags = NbFlags::new(false, NodeType::H);
                let entries: Vec<NbEntry> =
                    addresses.iter().map(|&address| NbEntry { flags, address }).collect();
                let node = Responder::EndNode;
                compose::positive_query_response(id, node, &name, &scope, 0, &entries, &mut bytes);
            }
        }
        self.give(WinsInput::Datagram { from: SocketAddrV4::new(holder, PORT), bytes: &bytes });
    }

    /// What the table holds about a name, in words, compared with the version counter before.
    fn describe(&self, text: &str, before: VersionId) -> String {
        let Some(record) = self.get(text) else { return "nothing".to_string() };
        let owner = if record.owner == Owner(OWN) { "own" } else { "other" };
        let new = record.owner == Owner(OWN) && record.version > before;
        let version = if new { "new" } else { "kept" };
        let fixed = if record.is_static() { "static " } else { "" };
        let renewed = record.stamp == self.now.wall + self.server.core().profile.renewal_interval;
        let stamp = if renewed { " renewed" } else { "" };
        let addresses: Vec<u8> = record.addresses().map(|a| a.octets()[3]).collect();
        let (kind, state) = (record.kind, record.state);
        format!("{fixed}{kind:?} {state:?} {owner} {version}{stamp} {addresses:?}")
    }

    fn own_maximum(&self) -> VersionId {
        self.server.core().own_maximum()
    }

    fn saw(&self, event: WinsEvent) -> bool {
        self.seen.contains(&Observation::Logged(event))
    }
}
