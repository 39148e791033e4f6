//! The whole event loop beside a bare `BinaryHeap` loop and two crates, on the same models in the same run.
//!
//! PHOLD: every event moves to a uniformly chosen actor after an exponential delay of mean 1 s plus 0.1 s.
//! Churn: a timer fires, is armed again, and another one is cancelled and armed again.
//! Contenders take turns in short rounds over the same simulated spans, so that their hashes can be
//! compared and a busy machine disturbs all of them alike; figures are medians of processor time.
//!
//! `cargo bench --bench kernel` measures; without `--bench` (as `cargo test --benches` runs it) the sizes are
//! small and only the hashes matter. `--no-criterion` leaves out criterion's own pass after each table.
//!
//! nexosim holds all actors in one model here (a slab), which costs it least: a million models with a
//! million mailboxes would be slower and larger. simulacra cannot cancel: it gets tombstones, as the heap.

#![allow(clippy::disallowed_types)] // a benchmark measures real time; no run sees it

mod clock;

use clock::median;
use criterion::{Criterion, Throughput};
use nexosim::model::{Context, Model, schedulable};
use nexosim::simulation::{EventKey, Mailbox, SimInit, Simulation};
use nexosim::time::MonotonicTime;
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use winstorm::base::{ActorId, Digest, Event, Scheduler, SimDuration, SimTime, TimerId, prefetch};
use winstorm::sim::kernel::{Engine, Memory, World};
use winstorm::sim::queue::Merged;

const DELAY_MIN_NS: u64 = 100_000_000;
const DELAY_MEAN_NS: f64 = 1e9;

/// The state of an actor or a timer: a generator and a counter.
#[derive(Copy, Clone)]
struct Cell {
    rng: u64,
    count: u64,
}

impl Cell {
    #[inline(always)]
    fn next(&mut self) -> u64 {
        self.rng ^= self.rng << 13;
        self.rng ^= self.rng >> 7;
        self.rng ^= self.rng << 17;
        self.rng.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    #[inline(always)]
    fn delay(&mut self) -> u64 {
        let unit = ((self.next() >> 11) as f64 + 0.5) * (1.0 / (1u64 << 53) as f64);
        DELAY_MIN_NS + (-unit.ln() * DELAY_MEAN_NS) as u64
    }

    #[inline(always)]
    fn below(&mut self, bound: usize) -> u32 {
        (((self.next() >> 32) * bound as u64) >> 32) as u32
    }
}

fn cells(count: usize) -> Vec<Cell> {
    let seed = |i: usize| (i as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (0..count).map(|i| Cell { rng: seed(i), count: 0 }).collect()
}

/// What was computed: how many events, and a hash of every generator and every counter.
fn outcome(cells: &[Cell]) -> (u64, u64) {
    let mut digest = Digest::default();
    for cell in cells {
        digest.fold(cell.rng);
        digest.fold(cell.count);
    }
    (cells.iter().map(|cell| cell.count).sum(), digest.value())
}

/// What a timer does when it fires: its own delay, another timer, that one's delay.
#[inline(always)]
fn churn_draws(cells: &mut [Cell], at: u32) -> (u64, u32, u64) {
    let count = cells.len();
    let cell = &mut cells[at as usize];
    cell.count += 1;
    let own = cell.delay();
    let other = cell.below(count);
    (own, other, cell.delay())
}

trait Contender {
    fn name(&self) -> &'static str;
    /// Runs every event up to and including this time.
    fn run_until(&mut self, end_ns: u64);
    fn outcome(&self) -> (u64, u64);
    fn memory(&self) -> Option<Memory> {
        None
    }
}

// ---- a bare heap ----

struct BareHold {
    cells: Vec<Cell>,
    heap: BinaryHeap<Reverse<(u64, u32)>>,
}

fn bare_hold(count: usize) -> BareHold {
    let mut cells = cells(count);
    let start = |(i, cell): (usize, &mut Cell)| Reverse((cell.delay(), i as u32));
    let heap = cells.iter_mut().enumerate().map(start).collect();
    BareHold { cells, heap }
}

impl Contender for BareHold {
    fn name(&self) -> &'static str {
        "bare BinaryHeap"
    }
    fn run_until(&mut self, end_ns: u64) {
        let count = self.cells.len();
        while let Some(&Reverse((time, at))) = self.heap.peek() {
            if time > end_ns {
                break;
            }
            self.heap.pop();
            let cell = &mut self.cells[at as usize];
            cell.count += 1;
            let delay = cell.delay();
            let target = cell.below(count);
            self.heap.push(Reverse((time + delay, target)));
        }
    }
    fn outcome(&self) -> (u64, u64) {
        outcome(&self.cells)
    }
}

/// One entry per arming; the generation says whether it still counts.
struct BareChurn {
    cells: Vec<Cell>,
    generations: Vec<u32>,
    heap: BinaryHeap<Reverse<(u64, u32, u32)>>,
}

fn bare_churn(count: usize) -> BareChurn {
    let mut cells = cells(count);
    let start = |(i, cell): (usize, &mut Cell)| Reverse((cell.delay(), i as u32, 0));
    let heap = cells.iter_mut().enumerate().map(start).collect();
    BareChurn { cells, generations: vec![0; count], heap }
}

impl BareChurn {
    #[inline(always)]
    fn arm(&mut self, timer: u32, at: u64) {
        let generation = &mut self.generations[timer as usize];
        *generation += 1;
        self.heap.push(Reverse((at, timer, *generation)));
    }
}

impl Contender for BareChurn {
    fn name(&self) -> &'static str {
        "bare BinaryHeap"
    }
    fn run_until(&mut self, end_ns: u64) {
        while let Some(&Reverse((time, at, generation))) = self.heap.peek() {
            if time > end_ns {
                break;
            }
            self.heap.pop();
            if self.generations[at as usize] != generation {
                continue;
            }
            let (own, other, others) = churn_draws(&mut self.cells, at);
            self.arm(at, time + own);
            self.arm(other, time + others);
        }
    }
    fn outcome(&self) -> (u64, u64) {
        outcome(&self.cells)
    }
}

// ---- winstorm ----

struct Ours<W, const DIGEST: bool> {
    kernel: Engine<Merged, DIGEST>,
    world: W,
}

struct Hold(Vec<Cell>);
struct Churn(Vec<Cell>);

impl<K: Scheduler> World<K> for Hold {
    #[inline(always)]
    fn dispatch(&mut self, event: Event, kernel: &mut K) {
        let count = self.0.len();
        let cell = &mut self.0[event.target.0 as usize];
        cell.count += 1;
        let delay = cell.delay();
        let target = cell.below(count);
        kernel.schedule(event.time + SimDuration(delay), ActorId(target), 0);
    }
    #[inline(always)]
    fn prefetch(&self, upcoming: &Event) {
        prefetch(&self.0[upcoming.target.0 as usize]);
    }
}

impl<K: Scheduler> World<K> for Churn {
    #[inline(always)]
    fn dispatch(&mut self, event: Event, kernel: &mut K) {
        let (own, other, others) = churn_draws(&mut self.0, event.payload);
        kernel.arm(TimerId(event.payload), event.time + SimDuration(own));
        kernel.cancel(TimerId(other));
        kernel.arm(TimerId(other), event.time + SimDuration(others));
    }
    #[inline(always)]
    fn prefetch(&self, upcoming: &Event) {
        prefetch(&self.0[upcoming.payload as usize]);
    }
}

fn our_hold<const DIGEST: bool>(count: usize) -> Ours<Hold, DIGEST> {
    let (mut kernel, mut cells) = (Engine::new(), cells(count));
    for cell in &mut cells {
        let actor = kernel.add_actor();
        kernel.set_lane(actor);
        kernel.schedule(SimTime(cell.delay()), actor, 0);
    }
    Ours { kernel, world: Hold(cells) }
}

fn our_churn(count: usize) -> Ours<Churn, true> {
    let (mut kernel, mut cells) = (Engine::new(), cells(count));
    for (i, cell) in cells.iter_mut().enumerate() {
        let actor = kernel.add_actor();
        kernel.set_lane(actor);
        let timer = kernel.new_timer(actor, i as u32);
        kernel.arm(timer, SimTime(cell.delay()));
    }
    Ours { kernel, world: Churn(cells) }
}

impl<const DIGEST: bool> Contender for Ours<Hold, DIGEST> {
    fn name(&self) -> &'static str {
        if DIGEST { "winstorm" } else { "winstorm, no digest" }
    }
    fn run_until(&mut self, end_ns: u64) {
        self.kernel.run_until(SimTime(end_ns), &mut self.world);
    }
    fn outcome(&self) -> (u64, u64) {
        outcome(&self.world.0)
    }
    fn memory(&self) -> Option<Memory> {
        Some(self.kernel.memory())
    }
}

impl Contender for Ours<Churn, true> {
    fn name(&self) -> &'static str {
        "winstorm"
    }
    fn run_until(&mut self, end_ns: u64) {
        self.kernel.run_until(SimTime(end_ns), &mut self.world);
    }
    fn outcome(&self) -> (u64, u64) {
        outcome(&self.world.0)
    }
    fn memory(&self) -> Option<Memory> {
        Some(self.kernel.memory())
    }
}

// ---- simulacra ----

struct SimulacraHold {
    cells: Vec<Cell>,
    sim: simulacra::Simulation<u32>,
}
struct SimulacraChurn {
    cells: Vec<Cell>,
    generations: Vec<u32>,
    sim: simulacra::Simulation<(u32, u32)>,
}

fn simulacra_hold(count: usize) -> SimulacraHold {
    let (mut cells, mut sim) = (cells(count), simulacra::Simulation::with_capacity(count));
    for (i, cell) in cells.iter_mut().enumerate() {
        sim.schedule(simulacra::Time::from_nanos(cell.delay()), i as u32);
    }
    SimulacraHold { cells, sim }
}

fn simulacra_churn(count: usize) -> SimulacraChurn {
    let (mut cells, mut sim) = (cells(count), simulacra::Simulation::with_capacity(2 * count));
    for (i, cell) in cells.iter_mut().enumerate() {
        sim.schedule(simulacra::Time::from_nanos(cell.delay()), (i as u32, 0));
    }
    SimulacraChurn { cells, generations: vec![0; count], sim }
}

impl Contender for SimulacraHold {
    fn name(&self) -> &'static str {
        "simulacra"
    }
    fn run_until(&mut self, end_ns: u64) {
        let (end, count) = (simulacra::Time::from_nanos(end_ns), self.cells.len());
        while self.sim.peek().is_some_and(|next| next.time <= end) {
            let Some(scheduled) = self.sim.step() else { break };
            let cell = &mut self.cells[scheduled.event as usize];
            cell.count += 1;
            let delay = simulacra::Duration::from_nanos(cell.delay());
            let target = cell.below(count);
            self.sim.schedule_in(delay, target);
        }
    }
    fn outcome(&self) -> (u64, u64) {
        outcome(&self.cells)
    }
}

impl Contender for SimulacraChurn {
    fn name(&self) -> &'static str {
        "simulacra"
    }
    fn run_until(&mut self, end_ns: u64) {
        let end = simulacra::Time::from_nanos(end_ns);
        while self.sim.peek().is_some_and(|next| next.time <= end) {
            let Some(scheduled) = self.sim.step() else { break };
            let (at, generation) = scheduled.event;
            if self.generations[at as usize] != generation {
                continue;
            }
            let (own, other, others) = churn_draws(&mut self.cells, at);
            for (timer, delay) in [(at, own), (other, others)] {
                let generation = &mut self.generations[timer as usize];
                *generation += 1;
                let delay = simulacra::Duration::from_nanos(delay);
                self.sim.schedule_in(delay, (timer, *generation));
            }
        }
    }
    fn outcome(&self) -> (u64, u64) {
        outcome(&self.cells)
    }
}

// ---- nexosim ----

#[derive(Serialize, Deserialize)]
struct NexosimHold {
    #[serde(skip)]
    cells: Arc<Mutex<Vec<Cell>>>,
}

#[Model]
impl NexosimHold {
    #[nexosim(init)]
    async fn init(&mut self, cx: &Context<Self>) {
        let mut cells = self.cells.lock().expect("one thread");
        for (i, cell) in cells.iter_mut().enumerate() {
            let delay = Duration::from_nanos(cell.delay());
            cx.schedule_event(delay, schedulable!(Self::hit), i as u32).expect("in the future");
        }
    }

    #[nexosim(schedulable)]
    fn hit(&mut self, at: u32, cx: &Context<Self>) {
        let mut cells = self.cells.lock().expect("one thread");
        let count = cells.len();
        let cell = &mut cells[at as usize];
        cell.count += 1;
        let delay = Duration::from_nanos(cell.delay());
        let target = cell.below(count);
        cx.schedule_event(delay, schedulable!(Self::hit), target).expect("in the future");
    }
}

#[derive(Serialize, Deserialize)]
struct NexosimChurn {
    #[serde(skip)]
    cells: Arc<Mutex<Vec<Cell>>>,
    keys: Vec<Option<EventKey>>,
}

#[Model]
impl NexosimChurn {
    #[nexosim(init)]
    async fn init(&mut self, cx: &Context<Self>) {
        let mut cells = self.cells.lock().expect("one thread");
        for (i, cell) in cells.iter_mut().enumerate() {
            let delay = Duration::from_nanos(cell.delay());
            let key = cx.schedule_keyed_event(delay, schedulable!(Self::fire), i as u32);
            self.keys.push(Some(key.expect("in the future")));
        }
    }

    #[nexosim(schedulable)]
    fn fire(&mut self, at: u32, cx: &Context<Self>) {
        self.keys[at as usize] = None;
        let (own, other, others) = churn_draws(&mut self.cells.lock().expect("one thread"), at);
        for (timer, delay) in [(at, own), (other, others)] {
            if let Some(key) = self.keys[timer as usize].take() {
                key.cancel();
            }
            let delay = Duration::from_nanos(delay);
            let key = cx.schedule_keyed_event(delay, schedulable!(Self::fire), timer);
            self.keys[timer as usize] = Some(key.expect("in the future"));
        }
    }
}

struct Nexosim {
    cells: Arc<Mutex<Vec<Cell>>>,
    simulation: Simulation,
}

fn nexosim_hold(count: usize) -> Nexosim {
    let cells = Arc::new(Mutex::new(cells(count)));
    let model = NexosimHold { cells: cells.clone() };
    let init = SimInit::with_num_threads(1).add_model(model, Mailbox::new(), "hold");
    Nexosim { cells, simulation: init.init(MonotonicTime::EPOCH).expect("it starts") }
}

fn nexosim_churn(count: usize) -> Nexosim {
    let cells = Arc::new(Mutex::new(cells(count)));
    let model = NexosimChurn { cells: cells.clone(), keys: Vec::new() };
    let init = SimInit::with_num_threads(1).add_model(model, Mailbox::new(), "churn");
    Nexosim { cells, simulation: init.init(MonotonicTime::EPOCH).expect("it starts") }
}

impl Contender for Nexosim {
    fn name(&self) -> &'static str {
        "nexosim"
    }
    fn run_until(&mut self, end_ns: u64) {
        let end = MonotonicTime::EPOCH + Duration::from_nanos(end_ns);
        self.simulation.step_until(end).expect("it runs");
    }
    fn outcome(&self) -> (u64, u64) {
        outcome(&self.cells.lock().expect("one thread"))
    }
}

// ---- measuring ----

struct Plan {
    rounds: usize,
    /// Events of a round.
    events: u64,
    criterion: bool,
}

/// Runs the contenders in turn, prints the table, and lets criterion have them afterwards.
fn compare(title: &str, count: usize, plan: &Plan, mut contenders: Vec<Box<dyn Contender>>) {
    let per_event_ns = (DELAY_MEAN_NS as u64 + DELAY_MIN_NS) / count as u64;
    let mut end_ns = 2_200_000_000u64.max(per_event_ns * plan.events);
    for contender in &mut contenders {
        contender.run_until(end_ns); // into the steady state
    }
    let mut samples = vec![Vec::new(); contenders.len()];
    for round in 0..plan.rounds {
        end_ns += per_event_ns * plan.events;
        for turn in 0..contenders.len() {
            let at = (turn + round) % contenders.len();
            let before = contenders[at].outcome().0;
            let from = clock::nanos();
            contenders[at].run_until(end_ns);
            let spent = clock::nanos() - from;
            let events = (contenders[at].outcome().0 - before).max(1);
            samples[at].push(spent as f64 / events as f64);
        }
    }
    let ours = contenders.iter().position(|c| c.name() == "winstorm").expect("we take part");
    let (events, hash) = contenders[ours].outcome();
    println!("\n{title}, {count} pending: {events} events each, hash {hash:016x}");
    for (at, contender) in contenders.iter().enumerate() {
        let same = contender.outcome() == (events, hash);
        assert!(same, "{} computed something else: {:?}", contender.name(), contender.outcome());
        let each = median(samples[at].iter().copied());
        // The median of each round's own ratio: what slows a whole round cancels out.
        let ratio = median(samples[at].iter().zip(&samples[ours]).map(|(a, b)| a / b));
        let (name, rate) = (contender.name(), 1e3 / each);
        println!("  {name:<20} {each:>8.1} ns/event {rate:>7.2} M/s   winstorm x {ratio:.2}");
    }
    if let Some(memory) = contenders[ours].memory() {
        print_memory(&memory);
    }
    if plan.criterion {
        with_criterion(title, count, per_event_ns, end_ns, &mut contenders);
    }
}

fn print_memory(memory: &Memory) {
    let queue = &memory.queue;
    let print = |bytes: usize, count: usize, what: &str| {
        if count > 0 {
            println!("  {:.1} B {what} ({count})", bytes as f64 / count as f64);
        }
    };
    print(queue.event_bytes, queue.events, "a pending event");
    print(queue.timer_bytes, queue.timers, "a timer");
    print(memory.actor_bytes, memory.actors, "an actor");
    println!("  {} B whatever the number", queue.fixed_bytes);
}

/// Wall times with criterion's statistics. Contenders follow each other here: trust the table above.
fn with_criterion(
    title: &str,
    count: usize,
    per_event_ns: u64,
    end_ns: u64,
    contenders: &mut [Box<dyn Contender>],
) {
    const EVENTS: u64 = 20_000;
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(800))
        .without_plots();
    let mut group = criterion.benchmark_group(format!("{title}/{count}"));
    group.throughput(Throughput::Elements(EVENTS));
    for contender in contenders {
        let mut until_ns = end_ns;
        group.bench_function(contender.name(), |bencher| {
            bencher.iter(|| {
                until_ns += per_event_ns * EVENTS;
                contender.run_until(until_ns);
            });
        });
    }
    group.finish();
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    let (sizes, churn, plan) = if has("--bench") {
        let criterion = !has("--no-criterion");
        (vec![1024, 65_536, 1_000_000], 1_000_000, Plan { rounds: 9, events: 300_000, criterion })
    } else {
        (vec![256, 3_000], 2_000, Plan { rounds: 3, events: 2_000, criterion: false })
    };
    for &count in &sizes {
        let contenders: Vec<Box<dyn Contender>> = vec![
            Box::new(bare_hold(count)),
            Box::new(our_hold::<true>(count)),
            Box::new(our_hold::<false>(count)),
            Box::new(simulacra_hold(count)),
            Box::new(nexosim_hold(count)),
        ];
        compare("phold", count, &plan, contenders);
    }
    let contenders: Vec<Box<dyn Contender>> = vec![
        Box::new(bare_churn(churn)),
        Box::new(our_churn(churn)),
        Box::new(simulacra_churn(churn)),
        Box::new(nexosim_churn(churn)),
    ];
    compare("timer churn", churn, &plan, contenders);
}
