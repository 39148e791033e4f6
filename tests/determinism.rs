//! A run is a function of scenario, overrides and seed: a hundred seeds of the main job run twice, watched
//! and not watched, and as every other build runs them. And should it ever not be so, the first event that
//! differs is named.

mod lab;

use lab::digests::{compare, on_two_threads};
use lab::{ONE_SERVER, plan};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use winstorm::base::{ActorId, Event, Scheduler, SimDuration, SimTime};
use winstorm::explore::{RunOptions, TraceLine, first_difference, run};
use winstorm::measure::RunResult;
use winstorm::net::{Capture, Frame};
use winstorm::scenario::{Plan, load_file, parse_moment};
use winstorm::sim::kernel::{self, Kernel};
use winstorm::sim::trace::{Observer, Recording};

const MAIN_JOB: &str = "scenarios/wins/primary-failover.toml";

/// Where the hundred seeds stop, to save time: the outage from 09:00 to 09:30 and the way back are in it.
const STOP: &str = "10:00";

fn main_job() -> Arc<Plan> {
    let loaded = load_file(Path::new(MAIN_JOB), &[]);
    Arc::new(loaded.unwrap_or_else(|mistakes| panic!("\n{mistakes}\n")))
}

fn at_stop() -> SimTime {
    parse_moment(STOP).expect("a time of day")
}

fn once(plan: &Arc<Plan>, seed: u64, until: Option<SimTime>) -> RunResult {
    let options = RunOptions { seed: Some(seed), until, ..RunOptions::default() };
    run(MAIN_JOB, plan, options).expect("a world")
}

/// That two runs were the same in everything that can be seen of them.
fn assert_same(first: &RunResult, second: &RunResult, what: &str) {
    let seed = first.seed;
    assert_eq!(first.digest, second.digest, "{what}, seed {seed}");
    assert_eq!(first.host_digests, second.host_digests, "{what}, seed {seed}");
    assert_eq!(first.events, second.events, "{what}, seed {seed}");
    assert_eq!(first.measures, second.measures, "{what}, seed {seed}");
    assert_eq!(first.expectations, second.expectations, "{what}, seed {seed}");
    assert_eq!(first.notable, second.notable, "{what}, seed {seed}");
}

#[test]
fn a_hundred_seeds_of_the_main_job_run_the_same_twice() {
    let plan = main_job();
    let seeds: Vec<u64> = (1..=100).collect();
    let runs = on_two_threads(&seeds, |&seed| {
        let first = once(&plan, seed, Some(at_stop()));
        assert_same(&first, &once(&plan, seed, Some(at_stop())), "a second run");
        first
    });
    let digests: BTreeSet<u64> = runs.iter().map(|run| run.digest).collect();
    assert_eq!(digests.len(), runs.len(), "each seed has a history of its own");
    let outcomes: BTreeMap<_, _> = runs
        .iter()
        .map(|run| ((MAIN_JOB.to_string(), STOP.to_string(), run.seed), (run.events, run.digest)))
        .collect();
    let wrong = compare(&outcomes, |(_, until, _)| until == STOP);
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[test]
fn whole_days_run_the_same_twice_and_on_two_threads_at_once() {
    let plan = main_job();
    let runs = on_two_threads(&[7, 7, 8, 8], |&seed| once(&plan, seed, None));
    assert_same(&runs[0], &runs[1], "a whole day");
    assert_same(&runs[2], &runs[3], "a whole day");
    assert_ne!(runs[0].digest, runs[2].digest);
}

/// Counts what it is shown.
struct Counting(Arc<AtomicU64>);

impl Capture for Counting {
    fn frame(&mut self, _frame: &Frame<'_>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn watching_changes_nothing() {
    let plan = main_job();
    on_two_threads(&[1, 2, 3, 4], |&seed| {
        let alone = once(&plan, seed, Some(at_stop()));
        let frames = Arc::new(AtomicU64::new(0));
        let (mut lines, mut calls) = (0u64, 0u64);
        let mut count = |_: &TraceLine<'_>| lines += 1;
        let mut progress = |_: SimTime| {
            calls += 1;
            true
        };
        let options = RunOptions {
            seed: Some(seed),
            until: Some(at_stop()),
            capture: Some(Box::new(Counting(frames.clone()))),
            trace: Some(&mut count),
            progress: Some(&mut progress),
        };
        let watched = run(MAIN_JOB, &plan, options).expect("a world");
        assert_same(&alone, &watched, "capture, trace and progress");
        assert_eq!(lines, watched.events, "each event is shown once");
        assert!(frames.load(Ordering::Relaxed) > 10_000, "the capture saw {frames:?} frames");
        assert!(calls > 100, "{calls} reports of progress");
    });
}

#[test]
fn a_run_that_stops_early_is_the_beginning_of_the_whole() {
    let plan = main_job();
    let stop = parse_moment("02:00").expect("a time of day");
    let short = recorded(&plan, 5, stop);
    let long = recorded(&plan, 5, parse_moment("02:30").expect("a time of day"));
    let common = short.events().len();
    assert!(common > 1_000 && long.events().len() > common);
    assert_eq!(short.events(), &long.events()[..common]);
}

// Should a run ever not be deterministic.

/// A run's events, kept.
fn recorded(plan: &Arc<Plan>, seed: u64, until: SimTime) -> Recording {
    let mut recording = Recording::default();
    let mut keep = |line: &TraceLine<'_>| recording.dispatched(line.dispatched);
    let options = RunOptions {
        seed: Some(seed),
        until: Some(until),
        trace: Some(&mut keep),
        ..RunOptions::default()
    };
    run("laboratory", plan, options).expect("a world");
    recording
}

#[test]
fn no_difference_is_found_where_there_is_none() {
    let found = first_difference(MAIN_JOB, &main_job(), Some(3), Some(at_stop()));
    assert_eq!(found.expect("a world"), None);
}

#[test]
fn a_host_that_is_a_moment_late_is_named() {
    // As if the desk had read a real clock: everything else is the same.
    let late = ONE_SERVER.replace(
        "host.desk = { on = \"office\", boot = \"1min\"",
        "host.desk = { on = \"office\", boot = \"60001ms\"",
    );
    assert_ne!(late, ONE_SERVER);
    let until = parse_moment("01:00").expect("a time of day");
    let (punctual, late) = (plan(ONE_SERVER), plan(&late));
    let (first, second) = (recorded(&punctual, 1, until), recorded(&late, 1, until));
    assert_eq!(first.difference(&recorded(&punctual, 1, until)), None);
    let difference = first.difference(&second).expect("they differ");
    let (first, second) =
        (difference.first.expect("an event"), difference.second.expect("another"));
    let desk = ActorId(punctual.host("desk").expect("it is there").0);
    let minute = SimTime::ZERO + SimDuration::from_mins(1);
    assert_eq!((first.dispatched.event.target, first.dispatched.event.time), (desk, minute));
    assert_eq!(first.cause, None, "a boot that the scenario asks for has no cause in the run");
    // In the other run somebody else comes first.
    assert_ne!(second.dispatched.event.target, desk);
    assert_eq!(first.dispatched.ordinal, second.dispatched.ordinal);
    assert_eq!(difference.ordinal, first.dispatched.ordinal);
}

/// Two actors that pass a ball to each other; `drift` makes the tenth pass late by what is in it.
struct PassingTheBall<'a> {
    passes: u64,
    drift: &'a AtomicU64,
}

impl kernel::World for PassingTheBall<'_> {
    fn dispatch(&mut self, event: Event, kernel: &mut Kernel) {
        self.passes += 1;
        // The planted fault: something that is not the same in every run.
        let late = if self.passes == 10 { self.drift.fetch_add(1, Ordering::Relaxed) } else { 0 };
        let at = kernel.now() + SimDuration::from_secs(1) + SimDuration(late);
        kernel.schedule(at, ActorId(1 - event.target.0), 0);
    }
}

#[test]
fn planted_state_from_outside_is_found_with_its_cause() {
    let drift = AtomicU64::new(0);
    let run = || {
        let mut kernel = Kernel::new();
        let (a, _) = (kernel.add_actor(), kernel.add_actor());
        kernel.schedule(SimTime::ZERO, a, 0);
        let (mut world, mut seen) =
            (PassingTheBall { passes: 0, drift: &drift }, Recording::default());
        let end = SimTime::ZERO + SimDuration::from_mins(1);
        kernel.run_observed(end, &mut world, &mut seen);
        (kernel.digest(), seen)
    };
    let ((first_digest, first), (second_digest, second)) = (run(), run());
    assert_ne!(first_digest, second_digest);
    let difference = first.difference(&second).expect("they differ");
    assert_eq!(difference.ordinal, 10, "what the tenth dispatch scheduled");
    let cause = difference.second.and_then(|happening| happening.cause).expect("a cause");
    assert_eq!(cause.ordinal, 9, "the tenth dispatch, counted from 0");
    assert_eq!(cause.event.target, ActorId(1));
}
