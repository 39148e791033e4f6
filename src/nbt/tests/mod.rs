//! The client driven by hand: deadlines are stepped, packets are caught, servers answer at once.

mod defence;
mod registration;
mod resolution;
mod rest;

use super::*;
use crate::base::{Machine, Now, Outbox, SimDuration, SimTime, WallTime};
use crate::wire::name_service::compose::{self, Responder};
use crate::wire::name_service::{Flags, NamePacket, NbEntry, NbFlags, NodeType, Opcode, Rcode};
use crate::wire::{NetbiosName, ScopeId};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;

const ME: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 7);
const OTHER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 9);
const PRIMARY: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const SECONDARY: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
const THIRD: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 3);
const DAYS_6: u32 = 6 * 86_400;

/// What a server does.
#[derive(Copy, Clone, PartialEq, Debug)]
enum Does {
    Nothing,
    /// Grants this time to live; takes releases; knows no names.
    Grants(u32),
    /// Grants, and knows every name at this address.
    Knows(Ipv4Addr),
    /// Refuses claims.
    Refuses,
    /// Asks for patience, this many seconds.
    Wacks(u32),
}

#[derive(Copy, Clone, Debug)]
struct Sent {
    at: SimTime,
    /// `None` is a broadcast.
    to: Option<Ipv4Addr>,
    opcode: Opcode,
    flags: Flags,
    id: u16,
    name: NetbiosName,
}

struct Rig {
    client: NbtClient,
    now: SimTime,
    servers: Vec<(Ipv4Addr, Does)>,
    sent: Vec<Sent>,
    told: Vec<(SimTime, NbtOutput)>,
}

fn name(text: &str) -> NetbiosName {
    text.parse().expect("a name")
}

fn ms(n: u64) -> SimDuration {
    SimDuration::from_millis(n)
}

fn at(millis: u64) -> SimTime {
    SimTime::ZERO + ms(millis)
}

fn config(profile: NbtProfile, node_type: NodeType) -> Arc<NbtConfig> {
    Arc::new(NbtConfig { profile, node_type: Some(node_type), scope: ScopeId::none() })
}

fn workstation() -> Identity {
    Identity::new("DESK-1", "CORP", Role::Workstation).expect("names")
}

impl Rig {
    /// A workstation.
    fn new(profile: NbtProfile, node_type: NodeType, servers: &[(Ipv4Addr, Does)]) -> Rig {
        Rig::with(&workstation(), &[ME], profile, node_type, servers)
    }

    /// A host without start-up names that is up.
    fn bare(profile: NbtProfile, node_type: NodeType, servers: &[(Ipv4Addr, Does)]) -> Rig {
        let mut rig = Rig::new(profile, node_type, servers);
        rig.client.names.clear();
        rig.input(NbtInput::Boot);
        rig
    }

    fn with(
        identity: &Identity,
        addresses: &[Ipv4Addr],
        profile: NbtProfile,
        node_type: NodeType,
        servers: &[(Ipv4Addr, Does)],
    ) -> Rig {
        let list: Vec<Ipv4Addr> = servers.iter().map(|&(server, _)| server).collect();
        let config = config(profile, node_type);
        Rig {
            client: NbtClient::new(config, identity, addresses, list.into(), 1),
            now: SimTime::ZERO,
            servers: servers.to_vec(),
            sent: Vec::new(),
            told: Vec::new(),
        }
    }

    fn input(&mut self, input: NbtInput<'_>) {
        let mut out = Outbox::default();
        let now = Now { time: self.now, wall: WallTime::default() };
        self.client.handle(input, now, &mut out);
        self.take(out);
    }

    fn datagram(&mut self, from: Ipv4Addr, broadcast: bool, write: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = Vec::new();
        write(&mut bytes);
        let from = SocketAddrV4::new(from, 137);
        self.input(NbtInput::Datagram { from, broadcast, bytes: &bytes });
    }

    fn take(&mut self, out: Outbox<NbtOutput>) {
        let mut replies = Vec::new();
        for item in &out.items {
            let (to, bytes) = match *item {
                NbtOutput::Send { to, bytes } => (Some(*to.ip()), out.bytes(bytes)),
                NbtOutput::Broadcast { bytes } => (None, out.bytes(bytes)),
                other => {
                    self.told.push((self.now, other));
                    continue;
                }
            };
            let packet = NamePacket::decode(bytes).expect("own packets decode");
            let name = *packet.name().expect("a name").0;
            let (opcode, flags, id) = (packet.opcode(), packet.flags, packet.id);
            self.sent.push(Sent { at: self.now, to, opcode, flags, id, name });
            if let Some(to) = to
                && !flags.is_response()
                && let Some(&(_, does)) = self.servers.iter().find(|(server, _)| *server == to)
                && let Some(reply) = reply(does, &packet)
            {
                replies.push((to, reply));
            }
        }
        for (from, bytes) in replies {
            let from = SocketAddrV4::new(from, 137);
            self.input(NbtInput::Datagram { from, broadcast: false, bytes: &bytes });
        }
    }

    /// Steps all deadlines up to and including `until`.
    fn run(&mut self, until: SimTime) {
        while let Some(deadline) = self.client.next_deadline().filter(|&due| due <= until) {
            assert!(deadline >= self.now, "a deadline stayed behind");
            self.now = deadline;
            let mut out = Outbox::default();
            let now = Now { time: deadline, wall: WallTime::default() };
            self.client.on_deadline(now, &mut out);
            assert!(self.client.next_deadline().is_none_or(|next| next > deadline));
            self.take(out);
        }
        self.now = until;
    }

    fn set(&mut self, server: Ipv4Addr, does: Does) {
        self.servers.iter_mut().find(|(held, _)| *held == server).expect("a server").1 = does;
    }

    /// Times and targets of what was sent about `name` with this opcode, in milliseconds.
    fn about(&self, name: NetbiosName, opcode: Opcode) -> Vec<(u64, Option<Ipv4Addr>)> {
        let about = self.sent.iter().filter(|sent| sent.name == name && sent.opcode == opcode);
        about.map(|sent| (sent.at.nanos() / 1_000_000, sent.to)).collect()
    }

    fn state(&self, name: NetbiosName) -> Option<NameState> {
        self.client.owned_names().find(|held| held.name == name).map(|held| held.state)
    }

    fn events(&self) -> Vec<(u16, NetbiosName)> {
        let events = self.told.iter().filter_map(|(_, told)| match told {
            NbtOutput::Event { id, name, .. } => Some((*id, *name)),
            _ => None,
        });
        events.collect()
    }

    fn switches(&self) -> Vec<(u64, Ipv4Addr)> {
        let switches = self.told.iter().filter_map(|(at, told)| match told {
            NbtOutput::ServerSwitched { to, .. } => Some((at.nanos() / 1_000_000, *to)),
            _ => None,
        });
        switches.collect()
    }

    /// Asks for a name and runs until the answer: milliseconds taken, address, source.
    fn resolve(&mut self, name: NetbiosName) -> (u64, Option<Ipv4Addr>, Answered) {
        let begun = self.now;
        self.told.clear();
        self.input(NbtInput::Resolve { request: 5, name });
        for _ in 0..100 {
            for (at, told) in &self.told {
                if let NbtOutput::Resolved { request: 5, resolution, source, started, .. } = told {
                    assert_eq!(*started, begun);
                    let first = match resolution {
                        Resolution::Found { first, .. } => Some(*first),
                        Resolution::NotFound => None,
                    };
                    return (at.since(begun).nanos() / 1_000_000, first, *source);
                }
            }
            let next = self.client.next_deadline().expect("a look-up ends");
            self.run(next);
        }
        panic!("no answer to a look-up");
    }
}

fn reply(does: Does, packet: &NamePacket<'_>) -> Option<Vec<u8>> {
    let (name, scope) = packet.name().expect("a name");
    let entry = NbEntry { flags: NbFlags::new(false, NodeType::H), address: OTHER };
    let mut bytes = Vec::new();
    let (id, out) = (packet.id, &mut bytes);
    let rcode = if does == Does::Refuses { Rcode::Active } else { Rcode::Ok };
    let ttl = if let Does::Grants(ttl) = does { ttl } else { DAYS_6 };
    match (does, packet.opcode()) {
        (Does::Nothing, _) => return None,
        (Does::Wacks(seconds), _) => compose::wack(id, name, scope, seconds, packet.flags, out),
        (Does::Knows(address), Opcode::Query) => {
            let entries = [NbEntry { address, ..entry }];
            let who = Responder::Server;
            compose::positive_query_response(id, who, name, scope, 0, &entries, out);
        }
        (_, Opcode::Query) => {
            let (who, rcode) = (Responder::Server, Rcode::NameError);
            compose::negative_query_response(id, who, rcode, name, scope, packet.flags, out);
        }
        (_, Opcode::Release) => compose::release_response(id, rcode, name, scope, entry, out),
        _ => compose::registration_response(id, rcode, name, scope, ttl, entry, out),
    }
    Some(bytes)
}
