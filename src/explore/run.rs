//! One run: a plan and a seed in, a result out.

use super::build::{BuildError, Built, build};
use super::director::Director;
use super::faults::occurrences;
use super::judge::Judge;
use super::watch::Watch;
use crate::base::{ActorId, Event, SimDuration, SimTime, Streams};
use crate::measure::RunResult;
use crate::net::{Capture, NETWORK_EVENT};
use crate::scenario::{HostRef, Plan};
use crate::sim::kernel::{self, Kernel};
use crate::sim::trace::{self, Dispatched, Observer, Recording};
use crate::sim::{What, World};
use std::sync::Arc;

/// What a run is asked to do beyond running.
#[derive(Default)]
pub struct RunOptions<'a> {
    /// The seed; the scenario's own if `None`.
    pub seed: Option<u64>,
    /// Stop here instead of at the scenario's end.
    pub until: Option<SimTime>,
    /// Watches every frame.
    pub capture: Option<Box<dyn Capture>>,
    /// Is shown every dispatched event in words.
    pub trace: Option<&'a mut dyn FnMut(&TraceLine<'_>)>,
    /// Is told from time to time how far the run is; ends it early by returning false.
    pub progress: Option<&'a mut dyn FnMut(SimTime) -> bool>,
}

/// A dispatched event with names instead of numbers.
pub struct TraceLine<'a> {
    /// The event and what it caused.
    pub dispatched: &'a Dispatched,
    /// Whose event it is.
    pub target: &'a str,
    /// Who caused it.
    pub cause: &'a str,
}

/// Everything a run consists of, as the event loop's world.
struct Running {
    world: World,
    director: Director,
    watch: Watch,
    judge: Judge,
}

impl kernel::World for Running {
    fn dispatch(&mut self, event: Event, kernel: &mut Kernel) {
        if event.time > self.watch.next_probe {
            self.watch.probe(event.time, &self.world);
        }
        if let Some(event) = self.world.on_event(event, kernel) {
            self.director.on_event(event, &mut self.world, kernel);
        }
        if !self.world.happenings.is_empty() {
            self.take_note();
        }
    }
}

impl Running {
    /// Passes what happened on to those who watch. They cannot change anything.
    fn take_note(&mut self) {
        let happenings = std::mem::take(&mut self.world.happenings);
        for happening in &happenings {
            let mut answer = None;
            match &happening.what {
                What::LookedUp(looked) => {
                    if let Some(asked) = self.director.asked(looked.request) {
                        let judged = self.watch.looked_up(
                            HostRef(happening.host.0),
                            looked,
                            &asked,
                            happening.at,
                            &self.world,
                            self.director.occurrences(),
                        );
                        answer = Some((judged, looked.name));
                    }
                }
                _ => {
                    let occurrences = self.director.occurrences();
                    self.watch.happened(happening, &self.world, occurrences);
                    if let What::Down(_) = happening.what {
                        self.director.forget(HostRef(happening.host.0));
                    }
                }
            }
            self.judge.happened(happening, answer, &self.watch, &self.world);
        }
        self.world.happenings = happenings;
        self.world.happenings.clear();
        self.world.addresses.clear();
    }
}

/// How much simulated time passes between two reports of progress.
const PROGRESS_STEPS: u64 = 200;

/// Runs a plan once.
///
/// # Errors
/// The plan does not hold together, which the loader should have found.
pub fn run(
    name: &str,
    plan: &Arc<Plan>,
    mut options: RunOptions<'_>,
) -> Result<RunResult, BuildError> {
    let trace = options.trace.take();
    match trace {
        None => run_observed(name, plan, options, |_| ()).map(|(result, ())| result),
        Some(trace) => {
            let (result, _) = run_observed(name, plan, options, |names| Words { names, trace })?;
            Ok(result)
        }
    }
}

/// Runs a plan twice more, recording every event, and tells in words where the runs first differ; `None`
/// if they do not.
///
/// # Errors
/// As [`run`].
pub fn first_difference(
    name: &str,
    plan: &Arc<Plan>,
    seed: Option<u64>,
    until: Option<SimTime>,
) -> Result<Option<String>, BuildError> {
    let options = || RunOptions { seed, until, ..RunOptions::default() };
    let (result, first) = run_observed(name, plan, options(), |_| Recording::default())?;
    let (_, second) = run_observed(name, plan, options(), |_| Recording::default())?;
    let names: Vec<&str> = result.host_digests.iter().map(|(name, _)| name.as_str()).collect();
    Ok(first.difference(&second).map(|difference| in_words(&difference, &names)))
}

/// What an event's payload means: its kind in words, and the index in it.
pub fn kind_of(payload: u32) -> (&'static str, u32) {
    if payload & NETWORK_EVENT != 0 {
        return ("packet", payload & !NETWORK_EVENT);
    }
    let kind = match payload >> 24 {
        1 => "timer",
        2 => "processor",
        3 => "disk",
        4 => "commit due",
        5 => "service starts",
        6 => "step of a program, resource or disk",
        7 => "shared bus",
        64 => "boot",
        65 => "fault begins",
        66 => "fault ends",
        67 => "step",
        68 => "workload",
        69 => "back from outage",
        70 => "probe",
        71 => "hung service goes on",
        _ => "unknown",
    };
    (kind, payload & 0x00FF_FFFF)
}

fn in_words(difference: &trace::Difference, names: &[&str]) -> String {
    let who = |actor: ActorId| names.get(actor.0 as usize).copied().unwrap_or("nobody");
    let one = |happening: &Option<trace::Happening>| match happening {
        None => "nothing: that run was over".to_string(),
        Some(h) => {
            let event = h.dispatched.event;
            let cause = h.cause.map_or("the start of the run".to_string(), |c| {
                format!("{} at {} on {}", c.event.id, c.event.time, who(c.event.target))
            });
            format!(
                "{} at {} on {} ({}), caused by {cause}",
                event.id,
                event.time,
                who(event.target),
                kind_of(event.payload).0
            )
        }
    };
    format!(
        "event {} is the first that differs\n  first run   {}\n  second run  {}",
        difference.ordinal,
        one(&difference.first),
        one(&difference.second)
    )
}

fn run_observed<O: Observer>(
    name: &str,
    plan: &Arc<Plan>,
    mut options: RunOptions<'_>,
    observer: impl FnOnce(Vec<String>) -> O,
) -> Result<(RunResult, O), BuildError> {
    let seed = options.seed.unwrap_or(plan.seed);
    let streams = Streams::new(seed);
    let Built { mut kernel, mut world, places, actor_names } = build(plan, streams)?;
    let occurrences = occurrences(plan, streams);
    world.net.set_capture(options.capture.take());
    let sites = plan.subnets.iter().map(|s| s.name.clone()).collect();
    let watch = Watch::new(plan.clone(), &occurrences, sites);
    let judge = Judge::new(plan.clone(), &occurrences);
    let mut director = Director::new(plan.clone(), streams, places, occurrences);
    director.schedule(&mut kernel, Kernel::set_lane);
    let mut running = Running { world, director, watch, judge };
    running.judge.begin(&running.watch, &running.world);
    let mut observer = observer(actor_names.clone());
    let planned = SimTime::ZERO + plan.duration;
    let end = options.until.unwrap_or(planned).min(planned);
    let step = match options.progress {
        Some(_) => SimDuration((end.0 / PROGRESS_STEPS).max(1)),
        None => SimDuration(end.0.max(1)),
    };
    let mut at = SimTime::ZERO;
    while at < end {
        at = (at + step).min(end);
        kernel.run_observed(at, &mut running, &mut observer);
        if let Some(progress) = &mut options.progress
            && !progress(at)
        {
            break;
        }
    }
    // Whoever keeps the frames learns that there will be no more of them.
    drop(running.world.net.set_capture(None));
    Ok((result(name, plan, seed, at, &kernel, running, actor_names), observer))
}

fn result(
    name: &str,
    plan: &Plan,
    seed: u64,
    end: SimTime,
    kernel: &Kernel,
    running: Running,
    actor_names: Vec<String>,
) -> RunResult {
    let Running { world, director, mut watch, judge } = running;
    watch.probe(end, &world);
    watch.cluster.end(end, &world);
    let occurrences = director.occurrences();
    let measures = watch.measures(end, occurrences, &director.packets, &world);
    let mut expectations = judge.judge(end, &measures, &watch);
    expectations.extend(watch.cluster.breaches());
    let (series, histograms) = watch.charts(end);
    let faults = watch.spans(end, occurrences);
    let digests = (0..kernel.actors() as u32).map(|a| kernel.actor_digest(ActorId(a)));
    RunResult {
        scenario: name.to_string(),
        title: plan.title.clone(),
        seed,
        overrides: Vec::new(),
        digest: kernel.digest(),
        events: kernel.events_dispatched(),
        sim_time: end.since(SimTime::ZERO),
        expectations,
        measures,
        series,
        histograms,
        faults,
        notable: watch.notable(),
        host_digests: actor_names.into_iter().zip(digests).collect(),
    }
}

/// Shows events with the names of their actors.
struct Words<'a> {
    names: Vec<String>,
    trace: &'a mut dyn FnMut(&TraceLine<'_>),
}

impl Observer for Words<'_> {
    fn dispatched(&mut self, dispatched: &Dispatched) {
        let name = |actor: ActorId| self.names.get(actor.0 as usize).map_or("", String::as_str);
        (self.trace)(&TraceLine {
            dispatched,
            target: name(dispatched.event.target),
            cause: name(dispatched.event.id.lane()),
        });
    }
}
