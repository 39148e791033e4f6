//! What a WINS server costs: processor time of a request, memory of a record.
//!
//! `storm` registers names through the whole simulation: composed by a client, carried over a subnet, two
//! routers and a link, queued for the server's processor, decoded, decided, entered in the table, gathered
//! for the store, answered, and the answer carried back. Commits (redb on the simulated disk) are counted too
//! and shown apart. `machine` feeds the sans-IO server with datagrams and takes the answers from its outbox:
//! what
//! `winstorm serve` pays besides its sockets. `bare` is what the least conceivable program would pay for a
//! registration: a `BTreeMap` of names to addresses, and the two datagrams copied. All three take turns in
//! one run, and every figure is the median of the turns, in nanoseconds on the processor; the ratios are the
//! ones to trust.
//!
//! `cargo bench --bench wins` measures 1,000, 100,000 and 1,000,000 records; `-- --records N` one size.
//! `cargo test --bench wins` runs all of it small.

#![allow(clippy::disallowed_types, reason = "a benchmark measures time")]

mod clock;
#[path = "../tests/lab/counting.rs"]
mod counting;
#[path = "../tests/lab/storm.rs"]
mod storm;

use clock::seconds;
use std::collections::BTreeMap;
use std::hint::black_box;
use std::net::{Ipv4Addr, SocketAddrV4};
use storm::{Ask, Storm, compose_request, name_of};
use winstorm::base::{Machine, Now, Outbox, SimTime, Streams, WallTime};
use winstorm::wins::{
    CommitMode, OperatorAction, WinsConfig, WinsInput, WinsOutput, WinsProfile, WinsServer,
    WinsVersion,
};
use winstorm::wire::ScopeId;

#[global_allocator]
static ALLOCATOR: counting::Counting = counting::Counting;

/// Turns each contender gets.
const TURNS: usize = 5;
/// Requests of a turn.
const TURN: u32 = 6_000;
/// What the simulated client and the machine's client are called.
const CLIENT: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(10, 2, 0, 5), 137);

/// Nanoseconds of processor time per request, and allocations per request.
#[derive(Copy, Clone, Default)]
struct Cost {
    nanos: f64,
    allocations: f64,
}

fn cost_of(requests: u32, work: impl FnOnce()) -> Cost {
    let (allocated, begin) = (counting::allocations(), seconds());
    work();
    let spent = seconds() - begin;
    Cost {
        nanos: spent * 1e9 / f64::from(requests),
        allocations: (counting::allocations() - allocated) as f64 / f64::from(requests),
    }
}

/// The WINS machine without a world: every store operation is durable at once.
struct Alone {
    server: WinsServer,
    out: Outbox<WinsOutput>,
    now: Now,
    stored: u64,
    request: Vec<u8>,
    answers: Vec<u8>,
}

impl Alone {
    fn new() -> Alone {
        let mut profile = WinsProfile::new(WinsVersion::W2k3, 0);
        profile.commit = CommitMode::Lazy;
        let address = Ipv4Addr::new(10, 1, 0, 5);
        let config = WinsConfig { address, profile, partners: Vec::new() };
        let server = WinsServer::new(config, Streams::new(1).stream("wins"));
        let now = Now { time: SimTime(1), wall: WallTime(1_000_000) };
        let (request, answers) = (Vec::new(), Vec::new());
        let mut alone = Alone { server, out: Outbox::default(), now, stored: 0, request, answers };
        alone.server.handle(WinsInput::Start, now, &mut alone.out);
        alone.settle();
        alone
    }

    /// Takes the outputs as a world would.
    fn settle(&mut self) {
        let before = self.stored;
        for item in &self.out.items {
            match item {
                WinsOutput::Send { bytes, .. } => {
                    self.answers.clear();
                    self.answers.extend_from_slice(self.out.bytes(*bytes));
                }
                WinsOutput::Store(_) => self.stored += 1,
                _ => {}
            }
        }
        self.out.clear();
        if self.stored > before {
            let ticket = self.stored;
            self.server.handle(WinsInput::Durable { ticket }, self.now, &mut self.out);
            self.settle();
        }
    }

    fn ask(&mut self, what: Ask, from: u32, to: u32) {
        for n in from..to {
            self.request.clear();
            compose_request(what, n, n as u16, *CLIENT.ip(), &mut self.request);
            self.now.time = SimTime(self.now.time.0 + 5_000);
            self.now.wall = WallTime(self.now.wall.0 + 5_000);
            let input = WinsInput::Datagram { from: CLIENT, bytes: &self.request };
            self.server.handle(input, self.now, &mut self.out);
            self.answers.clear();
            self.settle();
            assert!(self.answers.len() > 50 && self.answers[3] & 0x0F == 0, "{what:?} {n}");
        }
    }

    fn delete(&mut self, from: u32, to: u32) {
        for n in from..to {
            let (name, scope) = (name_of(n), ScopeId::none());
            let action = OperatorAction::DeleteRecord { name, scope };
            self.server.handle(WinsInput::Operator(action), self.now, &mut self.out);
            self.settle();
        }
    }
}

/// The least: a map, and two datagrams copied.
#[derive(Default)]
struct Bare {
    names: BTreeMap<[u8; 16], [u8; 24]>,
    wire: Vec<u8>,
    answer: Vec<u8>,
}

impl Bare {
    fn register(&mut self, from: u32, to: u32) {
        for n in from..to {
            let request = [n as u8; 68];
            self.wire.clear();
            self.wire.extend_from_slice(black_box(&request));
            self.names.insert(*name_of(n).as_bytes(), black_box([7; 24]));
            self.answer.clear();
            self.answer.extend_from_slice(black_box(&self.wire[..62]));
        }
    }

    fn delete(&mut self, from: u32, to: u32) {
        for n in from..to {
            self.names.remove(name_of(n).as_bytes());
        }
    }
}

fn median(mut costs: Vec<Cost>) -> Cost {
    costs.sort_by(|a, b| a.nanos.total_cmp(&b.nanos));
    costs[costs.len() / 2]
}

/// Measures all contenders with so many records in the table. `say` prints.
fn measure(records: u32, say: bool) {
    let turn = TURN.min(records);
    let live = counting::live();
    let mut storm = Storm::new();
    storm.send(Ask::Register, 0, records);
    storm.rest();
    let names = storm.rig.wins().core().names.len();
    assert_eq!((names, storm.rig.positive), (records as usize, u64::from(records)));
    let bytes = (counting::live() - live) as f64 / f64::from(records);
    let disk = storm.rig.disk_bytes() as f64 / f64::from(records);
    let mut alone = Alone::new();
    alone.ask(Ask::Register, 0, records);
    let mut bare = Bare::default();
    bare.register(0, records);
    let mut rows: BTreeMap<&str, Vec<Cost>> = BTreeMap::new();
    let mut note = |row, cost| rows.entry(row).or_default().push(cost);
    let (from, to) = (records, records + turn);
    for _ in 0..TURNS {
        note("bare registration", cost_of(turn, || bare.register(from, to)));
        bare.delete(from, to);
        note("machine registration", cost_of(turn, || alone.ask(Ask::Register, from, to)));
        note("machine refresh", cost_of(turn, || alone.ask(Ask::Refresh, 0, turn)));
        note("machine query", cost_of(turn, || alone.ask(Ask::Query, 0, turn)));
        note("machine release", cost_of(turn, || alone.ask(Ask::Release, from, to)));
        alone.delete(from, to);
        // The first commit of a turn comes half a second later in the simulation, when all has been sent.
        note("storm registration", cost_of(turn, || storm.send(Ask::Register, from, to)));
        note("storm commit", cost_of(turn, || storm.rest()));
        note("storm query", cost_of(turn, || storm.send(Ask::Query, 0, turn)));
        storm.delete(from, to);
        storm.rest();
    }
    let rows: BTreeMap<&str, Cost> = rows.into_iter().map(|(r, c)| (r, median(c))).collect();
    if !say {
        return;
    }
    let base = rows["bare registration"].nanos;
    println!(
        "{records} records: {bytes:.0} bytes a record all in, of which {disk:.0} on the simulated disk"
    );
    for (row, cost) in rows {
        println!(
            "  {row:22} {:8.0} ns  {:6.2} x bare  {:6.2} allocations",
            cost.nanos,
            cost.nanos / base,
            cost.allocations
        );
    }
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    if !args.iter().any(|a| a == "--bench") {
        measure(500, false);
        println!("wins: 500 records, every request answered");
        return;
    }
    let at = args.iter().position(|a| a == "--records");
    let one = at.and_then(|at| args.get(at + 1)?.parse().ok());
    for records in one.map_or(vec![1_000, 100_000, 1_000_000], |one| vec![one]) {
        measure(records, true);
    }
}
