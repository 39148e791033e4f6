//! What a simulated host costs: at most 2 KB at rest, its client machine included, and nothing that grows
//! while it rests.
//!
//! The allocator of this test program counts live bytes, and a run reports them at given moments. Two runs
//! that differ in nothing but the number of hosts give the cost of a host. The tests take turns, because
//! the count is the whole program's.

mod lab;

use lab::plan;
use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};
use winstorm::base::{SimDuration, SimTime};
use winstorm::explore::{self, RunOptions};

/// The system's allocator, counting.
struct Counting;

static LIVE: AtomicI64 = AtomicI64::new(0);

fn count(bytes: usize, sign: i64) {
    LIVE.fetch_add(sign * bytes as i64, Ordering::Relaxed);
}

// A global allocator cannot be written without `unsafe`. It only counts and hands every call on unchanged,
// so what the system's allocator promises still holds.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 1);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(layout.size(), -1);
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(layout.size(), -1);
        count(size, 1);
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

static TURN: Mutex<()> = Mutex::new(());

/// Most bytes a host may cost at rest.
const HOST_BYTES_MAX: i64 = 2048;

/// Hosts that boot within ten minutes and then do nothing for the rest of the day. They find their names by
/// broadcast: nobody else keeps anything for them.
fn idle(hosts: usize) -> String {
    format!(
        r#"
title = "{hosts} idle hosts"
duration = "1d"
subnet.office = "10.1.0.0/16"
host.first = {{ on = "office" }}
[host."desk-{{1..{hosts}}}"]
on = "office"
boot = "00:00..00:10"
nbt = {{ node_type = "B" }}
"#
    )
}

/// The same with a WINS server that knows them.
fn registered(hosts: usize) -> String {
    let text = idle(hosts).replace(
        "host.first = { on = \"office\" }",
        "host.wins = { on = \"office\", wins = true }",
    );
    text.replace("{ node_type = \"B\" }", "{ servers = [\"wins\"] }")
}

/// Live bytes of a run, the plan included, at each of its 200 steps.
fn live_bytes(text: &str) -> BTreeMap<SimTime, i64> {
    let before = LIVE.load(Ordering::Relaxed);
    let plan = plan(text);
    let mut seen = BTreeMap::new();
    let mut look = |at: SimTime| {
        seen.insert(at, LIVE.load(Ordering::Relaxed) - before);
        true
    };
    let options = RunOptions { progress: Some(&mut look), ..RunOptions::default() };
    explore::run("laboratory", &plan, options).expect("a world");
    // What the looking itself cost: entries of the map, a few dozen bytes a step.
    seen
}

fn at(hours: u64) -> SimTime {
    SimTime::ZERO + SimDuration::from_hours(hours)
}

/// Live bytes at the first step from this time on.
fn bytes_at(seen: &BTreeMap<SimTime, i64>, time: SimTime) -> i64 {
    *seen.range(time..).next().expect("the run goes on until then").1
}

/// What one more host costs, between runs of 500 and of 2,000, at these hours of the run. Lists that double
/// have nearly no room left at both numbers. More hosts would tell the same and take longer: each claim of
/// their workgroup's name is heard by all who hold it.
fn cost_of_a_host(text: fn(usize) -> String, hours: [u64; 2]) -> [i64; 2] {
    let (few, many) = (live_bytes(&text(500)), live_bytes(&text(2_000)));
    hours.map(|hour| (bytes_at(&many, at(hour)) - bytes_at(&few, at(hour))) / 1_500)
}

#[test]
fn a_host_at_rest_costs_at_most_2_kb_and_no_more_tomorrow() {
    let _turn = TURN.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let [soon, later] = cost_of_a_host(idle, [1, 23]);
    println!("a host at rest: {soon} bytes after an hour, {later} after a day");
    assert!(soon > 200, "{soon} bytes: what is measured here?");
    assert!(soon <= HOST_BYTES_MAX, "{soon} bytes a host");
    assert!(later <= soon + 8, "{soon} bytes a host after an hour, {later} after a day");
}

#[test]
fn a_registered_host_costs_at_most_2_kb_and_its_records() {
    let _turn = TURN.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let [soon, later] = cost_of_a_host(registered, [1, 23]);
    println!(
        "a registered host: {soon} bytes after an hour, {later} after a day, its records included"
    );
    // The server's records in memory, on the simulated disk and in the measures are not the host's.
    assert!(soon <= 2 * HOST_BYTES_MAX, "{soon} bytes a host");
    assert!(later <= soon + 64, "{soon} bytes a host after an hour, {later} after a day");
}
