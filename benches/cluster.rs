//! What a simulated day of a cluster costs, and how much of it its resources at rest have a part in.
//!
//! `quiet day` is `scenarios/cluster/quiet-day.toml`: four nodes, a hundred resources, nothing happens. `bare
//! day` is the same cluster with its Cluster Group alone: heartbeats and quorum, which both days have. Polls
//! and renewals that would find what the last one found cost nothing, so the ratio of both must be near one.
//! `heap` is a binary heap of as many timers as the quiet day has events, one popped and one pushed an event:
//! the least that any event loop pays. All take turns in one run; every figure is the median of the turns, in
//! seconds on the processor. `bad luck` is one run of `swarm-two-nodes.toml`, the sweep's unit.
//!
//! `cargo bench --bench cluster` measures; `cargo test --bench cluster` runs twenty minutes of each, twice,
//! and compares digests.

#![allow(clippy::disallowed_types, reason = "a benchmark measures time")]

mod clock;

use clock::{median, seconds};
use std::collections::BinaryHeap;
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use winstorm::explore::{RunOptions, run};
use winstorm::measure::RunResult;
use winstorm::scenario::{Plan, load, load_file, parse_moment};

/// Turns each contender gets.
const TURNS: usize = 5;
/// Timers that are pending at once in the heap: about as many as the cluster's.
const PENDING: u64 = 64;
/// Seeds of the swarm that one turn runs.
const SEEDS: u64 = 20;

const BARE: &str = r#"
title = "a cluster with nothing on it"
duration = "24h"
subnet.office = "10.1.0.0/24"
subnet.heart = "10.9.0.0/24"
[host."node-{1..4}"]
on = "office"
also_on = { heart = "10.9.0.1" }
profile = "w2k"
boot = "00:00..00:00:30"
[cluster.mars]
nodes = ["node-1", "node-2", "node-3", "node-4"]
networks = { office = "all", heart = "internal" }
quorum = "quorum"
address = "10.1.0.40"
disk.quorum = { letter = "Q" }
"#;

fn shipped(name: &str) -> Arc<Plan> {
    let path = format!("scenarios/cluster/{name}.toml");
    Arc::new(load_file(Path::new(&path), &[]).unwrap_or_else(|mistakes| panic!("\n{mistakes}\n")))
}

fn bare() -> Arc<Plan> {
    let plan = load("bare.toml", BARE, &[], &|name| Err(format!("no file {name}")));
    Arc::new(plan.unwrap_or_else(|mistakes| panic!("\n{mistakes}\n")))
}

fn day(plan: &Arc<Plan>, seed: u64, until: Option<&str>) -> RunResult {
    let until = until.map(|text| parse_moment(text).expect("a time of day"));
    let options = RunOptions { seed: Some(seed), until, ..RunOptions::default() };
    run("day", plan, options).expect("a world")
}

/// As many events as a day has, through a bare heap.
fn heap(events: u64) {
    let mut heap: BinaryHeap<std::cmp::Reverse<(u64, u64)>> =
        (0..PENDING).map(|n| std::cmp::Reverse((n, n))).collect();
    let mut chance = 1u64;
    for n in 0..events {
        let std::cmp::Reverse((time, _)) = heap.pop().expect("each pop is followed by a push");
        chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        heap.push(std::cmp::Reverse((time + 1 + (chance >> 44), n)));
    }
    black_box(heap.len());
}

fn timed(work: impl FnOnce()) -> f64 {
    let begin = seconds();
    work();
    seconds() - begin
}

fn main() {
    let (quiet, bare, swarm) = (shipped("quiet-day"), bare(), shipped("swarm-two-nodes"));
    if !std::env::args().any(|arg| arg == "--bench") {
        for plan in [&quiet, &bare, &swarm] {
            let first = day(plan, 1, Some("00:20"));
            let second = day(plan, 1, Some("00:20"));
            assert_eq!(first.digest, second.digest, "two runs, one digest");
            println!("cluster: {} events, digest {:016x}", first.events, first.digest);
        }
        return;
    }
    let events = day(&quiet, 1, None).events;
    let mut turns: [Vec<f64>; 4] = Default::default();
    for _ in 0..TURNS {
        turns[0].push(timed(|| drop(day(&quiet, 1, None))));
        turns[1].push(timed(|| drop(day(&bare, 1, None))));
        turns[2].push(timed(|| heap(events)));
        turns[3].push(timed(|| (1..=SEEDS).for_each(|seed| drop(day(&swarm, seed, None)))));
    }
    let [quiet, bare, heap, swarm] = turns.map(|turns| median(turns.into_iter()));
    println!(
        "quiet day  {quiet:6.3} s  {events} events, {:.0} ns an event",
        quiet * 1e9 / events as f64
    );
    println!("bare day   {bare:6.3} s  quiet day / bare day {:.2}", quiet / bare);
    println!("heap       {heap:6.3} s  quiet day / heap {:.1}", quiet / heap);
    println!("bad luck   {:6.3} s  a run of forty minutes", swarm / SEEDS as f64);
}
