//! A WINS server against a small reference model of its name table.
//!
//! The model is written from the rules, not from the code: names map to a kind, a state, a stamp and a
//! list of addresses; nothing is indexed, nothing is a packet. Random registrations, refreshes,
//! releases, queries and steps of time must bring the same answers and the same states. Whenever the
//! server sends a WACK, the test answers for the holder.

use proptest::prelude::*;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddrV4};
use winstorm::base::{Machine, Now, Outbox, SimDuration, SimTime, Streams, WallTime};
use winstorm::wins::*;
use winstorm::wire::name_service::compose::{self, Claim, Responder};
use winstorm::wire::name_service::{
    Flags, NamePacket, NbEntry, NbFlags, NodeType, Opcode, PORT, Rcode, peek,
};
use winstorm::wire::{NetbiosName, ScopeId};

const OWN: Ipv4Addr = Ipv4Addr::new(10, 9, 9, 1);
const NAMES: [&str; 6] = ["A", "B", "W#1E", "D#1C", "D#1B", "M#1D"];

fn host(n: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 0, 0, n)
}

/// What a client may do.
#[derive(Clone, Debug)]
enum Action {
    /// Claim a name: which, from where, as a group, as a multihomed host, by refresh; and whether a
    /// challenged holder still answers.
    Claim {
        name: usize,
        from: u8,
        group: bool,
        multihomed: bool,
        refresh: bool,
        alive: bool,
    },
    Release {
        name: usize,
        from: u8,
        group: bool,
    },
    Query {
        name: usize,
    },
    Wait {
        hours: u64,
    },
}

fn actions() -> impl Strategy<Value = Vec<Action>> {
    let claim = (0..NAMES.len(), 1u8..30, any::<[bool; 4]>()).prop_map(|(name, from, bits)| {
        let [group, multihomed, refresh, alive] = bits;
        Action::Claim { name, from, group, multihomed, refresh, alive }
    });
    let release = (0..NAMES.len(), 1u8..30, any::<bool>())
        .prop_map(|(name, from, group)| Action::Release { name, from, group });
    let one = prop_oneof![
        6 => claim,
        2 => release,
        3 => (0..NAMES.len()).prop_map(|name| Action::Query { name }),
        2 => (1u64..120).prop_map(|hours| Action::Wait { hours }),
    ];
    prop::collection::vec(one, 1..80)
}

// ---- the model -------------------------------------------------------------------------------------

#[derive(Clone, PartialEq, Debug)]
struct Entry {
    kind: NameKind,
    state: RecordState,
    /// Hour at which the state ends.
    until: u64,
    /// Address and the hour until which it counts.
    holders: Vec<(u8, u64)>,
    /// How many versions the server had given when this one was given.
    version: u64,
}

#[derive(Default)]
struct Model {
    hour: u64,
    versions: u64,
    names: BTreeMap<usize, Entry>,
}

/// What the model expects of a claim.
#[derive(PartialEq, Debug)]
enum Verdict {
    Yes,
    No(Rcode),
    /// The server has to ask these holders first.
    Ask(Vec<u8>),
}

const RENEWAL: u64 = 144;

impl Model {
    fn lists(kind: NameKind) -> bool {
        matches!(kind, NameKind::InternetGroup | NameKind::Multihomed)
    }

    fn live(&self, entry: &Entry) -> Vec<u8> {
        let hidden = |until: u64| Model::lists(entry.kind) && until <= self.hour;
        entry.holders.iter().filter(|h| !hidden(h.1)).map(|h| h.0).collect()
    }

    fn active(&self, entry: &Entry) -> bool {
        entry.state == RecordState::Active && !self.live(entry).is_empty()
    }

    fn store(&mut self, name: usize, kind: NameKind, from: u8) {
        self.versions += 1;
        let until = self.hour + RENEWAL;
        let address = if kind == NameKind::Group { 255 } else { from };
        let (state, version) = (RecordState::Active, self.versions);
        let holders = vec![(address, until)];
        self.names.insert(name, Entry { kind, state, until, holders, version });
    }

    fn claim(&mut self, name: usize, from: u8, group: bool, multihomed: bool) -> Verdict {
        let kind = match (NAMES[name], group) {
            ("M#1D", false) => return Verdict::Yes,
            ("D#1B", true) | ("D#1C" | "W#1E", false) => return Verdict::No(Rcode::Refused),
            ("D#1C", _) => NameKind::InternetGroup,
            (_, true) => NameKind::Group,
            _ if multihomed => NameKind::Multihomed,
            _ => NameKind::Unique,
        };
        let Some(entry) = self.names.get(&name).cloned() else {
            self.store(name, kind, from);
            return Verdict::Yes;
        };
        let live = self.live(&entry);
        if entry.kind == NameKind::Group && kind != NameKind::Group {
            return Verdict::No(Rcode::Active);
        }
        if !self.active(&entry) {
            self.store(name, kind, from);
            return Verdict::Yes;
        }
        let until = self.hour + RENEWAL;
        let mut entry = entry;
        entry.holders.retain(|holder| live.contains(&holder.0));
        match entry.kind {
            NameKind::Group => entry.holders = vec![(255, until)],
            NameKind::InternetGroup if kind != NameKind::InternetGroup => {
                return Verdict::No(Rcode::Active);
            }
            NameKind::InternetGroup if !live.contains(&from) => {
                if entry.holders.len() == 25 {
                    let oldest = (0..25).min_by_key(|&i| entry.holders[i].1).unwrap();
                    entry.holders.remove(oldest);
                }
                entry.holders.push((from, until));
                self.versions += 1;
                entry.version = self.versions;
            }
            _ if entry.kind == NameKind::InternetGroup || live.contains(&from) && !group => {
                entry.holders.iter_mut().filter(|h| h.0 == from).for_each(|h| h.1 = until);
            }
            _ => return Verdict::Ask(live),
        }
        entry.until = until;
        self.names.insert(name, entry);
        Verdict::Yes
    }

    fn release(&mut self, name: usize, from: u8, group: bool) {
        let hour = self.hour;
        let Some(entry) = self.names.get(&name).cloned() else { return };
        let live = self.live(&entry);
        let is_group = matches!(entry.kind, NameKind::Group | NameKind::InternetGroup);
        let member = entry.kind == NameKind::Group || live.contains(&from);
        if NAMES[name] == "M#1D" || !self.active(&entry) || is_group != group || !member {
            return;
        }
        let entry = self.names.get_mut(&name).unwrap();
        entry.holders.retain(|holder| entry.kind == NameKind::Group || live.contains(&holder.0));
        entry.until = hour + RENEWAL; // extinction and renewal interval are both 144 h
        if live.len() > 1 {
            entry.holders.retain(|holder| holder.0 != from);
        } else {
            entry.state = RecordState::Released;
        }
    }

    fn query(&self, name: usize) -> Option<Vec<u8>> {
        let entry = self.names.get(&name)?;
        if NAMES[name] == "M#1D" {
            return None;
        }
        if entry.kind == NameKind::Group {
            return Some(vec![255]);
        }
        if !self.active(entry) {
            return None;
        }
        let mut list = self.live(entry);
        if NAMES[name] == "D#1C"
            && let Some(primary) = self.names.get(&4).filter(|primary| self.active(primary))
        {
            let first = self.live(primary)[0];
            list.retain(|&address| address != first);
            list.insert(0, first);
            list.truncate(25);
        }
        Some(list)
    }

    fn wait_one_hour(&mut self) {
        self.hour += 1;
        if !self.hour.is_multiple_of(72) {
            return;
        }
        let hour = self.hour;
        let mut due: Vec<(u64, usize)> = Vec::new();
        for (&name, entry) in &self.names {
            if entry.until <= hour {
                due.push((entry.until, name));
            }
        }
        for (_, name) in due {
            let entry = self.names.get_mut(&name).unwrap();
            entry.until = hour + 144;
            match entry.state {
                RecordState::Active => entry.state = RecordState::Released,
                RecordState::Released => {
                    entry.state = RecordState::Tombstone;
                    self.versions += 1;
                    entry.version = 0; // which of several gets which is not the model's business
                }
                RecordState::Tombstone => {
                    self.names.remove(&name);
                }
            }
        }
    }
}

// ---- the server ------------------------------------------------------------------------------------

struct Driver {
    server: WinsServer,
    now: Now,
    out: Outbox<WinsOutput>,
    sent: Vec<(Ipv4Addr, Vec<u8>)>,
    tickets: u64,
    id: u16,
}

impl Driver {
    fn new() -> Driver {
        let profile = WinsProfile::new(WinsVersion::Nt40, 6);
        let config = WinsConfig { address: OWN, profile, partners: vec![] };
        let mut driver = Driver {
            server: WinsServer::new(config, Streams::new(3).stream("wins")),
            now: Now { time: SimTime::ZERO, wall: WallTime(77) },
            out: Outbox::default(),
            sent: vec![],
            tickets: 0,
            id: 0,
        };
        driver.give(WinsInput::Start);
        driver
    }

    fn give(&mut self, input: WinsInput<'_>) {
        self.server.handle(input, self.now, &mut self.out);
        self.collect();
    }

    fn collect(&mut self) {
        let before = self.tickets;
        for item in &self.out.items {
            match item {
                WinsOutput::Send { to, bytes, .. } => {
                    self.sent.push((*to.ip(), self.out.bytes(*bytes).to_vec()));
                }
                WinsOutput::Store(_) => self.tickets += 1,
                _ => {}
            }
        }
        self.out.clear();
        if self.tickets > before {
            let ticket = self.tickets;
            self.give(WinsInput::Durable { ticket });
        }
    }

    fn wait(&mut self, duration: SimDuration) {
        let end = self.now.time + duration;
        while let Some(at) = self.server.next_deadline()
            && at <= end
        {
            self.step_to(at);
            self.server.on_deadline(self.now, &mut self.out);
            self.collect();
        }
        self.step_to(end);
    }

    fn step_to(&mut self, time: SimTime) {
        let step = time.since(self.now.time);
        self.now = Now { time: self.now.time + step, wall: self.now.wall + step };
    }

    /// Sends a message and returns what was sent because of it.
    fn send(&mut self, from: Ipv4Addr, bytes: &[u8]) -> Vec<(Ipv4Addr, Vec<u8>)> {
        self.sent.clear();
        self.give(WinsInput::Datagram { from: SocketAddrV4::new(from, PORT), bytes });
        std::mem::take(&mut self.sent)
    }

    fn claim_bytes(&mut self, name: usize, from: u8, group: bool) -> (u16, NetbiosName, NbFlags) {
        self.id = self.id.wrapping_add(1);
        let _ = from;
        (self.id, NAMES[name].parse().unwrap(), NbFlags::new(group, NodeType::H))
    }

    /// A claim, with the holder's answer if one is asked for: `alive` holders answer with exactly
    /// their stored addresses. Returns the first verdict and the final code.
    fn claim(&mut self, action: &Action) -> (Verdict, Rcode) {
        let &Action::Claim { name, from, group, multihomed, refresh, alive } = action else {
            unreachable!()
        };
        let (id, netbios, nb_flags) = self.claim_bytes(name, from, group);
        let (scope, address) = (ScopeId::none(), host(from));
        let claim = Claim {
            id,
            name: &netbios,
            scope: &scope,
            nb_flags,
            address,
            ttl: 0,
            broadcast: false,
        };
        let mut bytes = vec![];
        match (multihomed && !group, refresh) {
            (true, _) => compose::multihomed_registration(&claim, &mut bytes),
            (false, true) => compose::refresh(&claim, &mut bytes),
            (false, false) => compose::registration(&claim, &mut bytes),
        }
        let sent = self.send(address, &bytes);
        let (_, flags) = peek(&sent[0].1).unwrap();
        if flags.opcode() != Opcode::Wack {
            let verdict = match flags.rcode() {
                Rcode::Ok => Verdict::Yes,
                code => Verdict::No(code),
            };
            return (verdict, flags.rcode());
        }
        let stored = self.server.core().names.get(&netbios, &scope).unwrap();
        let (own, wall) = (self.server.core().own, self.now.wall);
        let live: Vec<Ipv4Addr> = stored.live_members(own, wall).map(|m| m.address).collect();
        let (holder, query) = &sent[1];
        assert_eq!(*holder, live[0]);
        let (query_id, _) = peek(query).unwrap();
        let mut answer = vec![];
        let node = Responder::EndNode;
        if alive {
            let flags = NbFlags::new(false, NodeType::H);
            let entries: Vec<NbEntry> =
                live.iter().map(|&address| NbEntry { flags, address }).collect();
            compose::positive_query_response(
                query_id,
                node,
                &netbios,
                &scope,
                0,
                &entries,
                &mut answer,
            );
        } else {
            let request = Flags::request(Opcode::Query);
            compose::negative_query_response(
                query_id,
                node,
                Rcode::NameError,
                &netbios,
                &scope,
                request,
                &mut answer,
            );
        }
        let sent = self.send(*holder, &answer);
        let (_, flags) = peek(&sent[0].1).unwrap();
        (Verdict::Ask(live.iter().map(|a| a.octets()[3]).collect()), flags.rcode())
    }

    fn release(&mut self, name: usize, from: u8, group: bool) -> Rcode {
        let (id, netbios, nb_flags) = self.claim_bytes(name, from, group);
        let (scope, address) = (ScopeId::none(), host(from));
        let (name, scope) = (&netbios, &scope);
        let mut bytes = vec![];
        let claim = Claim { id, name, scope, nb_flags, address, ttl: 0, broadcast: false };
        compose::release(&claim, &mut bytes);
        peek(&self.send(address, &bytes)[0].1).unwrap().1.rcode()
    }

    fn query(&mut self, name: usize) -> Option<Vec<u8>> {
        let (id, netbios, _) = self.claim_bytes(name, 0, false);
        let mut bytes = vec![];
        compose::query(id, &netbios, &ScopeId::none(), false, &mut bytes);
        let sent = self.send(host(99), &bytes);
        let packet = NamePacket::decode(&sent[0].1).unwrap();
        let found = packet.flags.rcode() == Rcode::Ok;
        found.then(|| packet.answer.unwrap().entries().map(|e| e.address.octets()[3]).collect())
    }

    /// The indexes of the table against the table itself.
    fn check_table(&self) {
        let names = &self.server.core().names;
        let own = self.server.core().own;
        let mut by_version: Vec<&NameRecord> =
            names.of_owner(own, VersionId::FIRST..=VersionId(u64::MAX)).collect();
        assert_eq!(by_version.len(), names.len());
        assert!(by_version.windows(2).all(|pair| pair[0].version < pair[1].version));
        by_version.sort_by_key(|record| (record.name, record.scope.clone()));
        assert!(by_version.into_iter().eq(names.iter()));
        assert_eq!(names.expired(None, WallTime(u64::MAX - 1)).count(), names.len());
        let last = names.iter().map(|record| record.version).max();
        assert!(last <= Some(self.server.core().own_maximum()) || last.is_none());
    }

    fn table(&self) -> BTreeMap<usize, (NameKind, RecordState, Vec<u8>)> {
        let of = |(index, text): (usize, &&str)| {
            let record = self.server.core().names.get(&text.parse().unwrap(), &ScopeId::none())?;
            let addresses = record.addresses().map(|a| a.octets()[3]).collect();
            Some((index, (record.kind, record.state, addresses)))
        };
        NAMES.iter().enumerate().filter_map(of).collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn the_server_agrees_with_the_model(actions in actions()) {
        let (mut driver, mut model) = (Driver::new(), Model::default());
        for action in &actions {
            match *action {
                Action::Claim { name, from, group, multihomed, alive, .. } => {
                    let expected = model.claim(name, from, group, multihomed);
                    let (verdict, code) = driver.claim(action);
                    prop_assert_eq!(&verdict, &expected, "{:?}", action);
                    if let Verdict::Ask(live) = expected {
                        // A holder that answers keeps the name, unless it is asked about an address
                        // that is its own (a group wants it then, and is refused as well).
                        prop_assert_eq!(code, if alive { Rcode::Active } else { Rcode::Ok });
                        if !alive {
                            let kind = match (group, multihomed) {
                                (true, _) => NameKind::Group,
                                (_, true) => NameKind::Multihomed,
                                _ => NameKind::Unique,
                            };
                            model.store(name, kind, from);
                        }
                        prop_assert!(group || !live.contains(&from));
                    }
                }
                Action::Release { name, from, group } => {
                    model.release(name, from, group);
                    prop_assert_eq!(driver.release(name, from, group), Rcode::Ok);
                }
                Action::Query { name } => {
                    prop_assert_eq!(driver.query(name), model.query(name), "{:?}", NAMES[name]);
                }
                Action::Wait { hours } => {
                    for _ in 0..hours {
                        model.wait_one_hour();
                    }
                    driver.wait(SimDuration::from_hours(hours));
                }
            }
            let expected: BTreeMap<_, _> = model
                .names
                .iter()
                .map(|(&name, entry)| {
                    let addresses = entry.holders.iter().map(|holder| holder.0).collect();
                    (name, (entry.kind, entry.state, addresses))
                })
                .collect();
            prop_assert_eq!(driver.table(), expected, "after {:?}", action);
            prop_assert_eq!(driver.server.core().own_maximum(), VersionId(model.versions));
            driver.check_table();
        }
    }
}
