//! Faults written out: every occurrence of a run, with its targets and its end, decided before it starts.
//!
//! Each fault draws from streams of its own (`fault/LABEL/...`), so adding one leaves the others as they
//! were. What is decided here is also what the charts shade and the expectations refer to.

use crate::base::{SimDuration, SimTime, Stream, Streams};
use crate::scenario::{
    Choose, ClusterFault, DurationRange, FaultKind, FaultPlan, FaultRef, FaultSchedule, HostRef,
    HostTarget, Moment, Period, Plan,
};

/// Occurrences of one fault at most; a schedule with more is cut off there. A fault every second of a
/// whole day stays below.
const OCCURRENCES_MAX: usize = 100_000;

/// How long a reboot keeps a host down when the scenario does not say: power-on self test and loading,
/// on top of the boot time.
const REBOOT_TAKES: SimDuration = SimDuration::from_secs(60);

/// One occurrence of a fault.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Occurrence {
    /// Which fault.
    pub fault: FaultRef,
    /// When it begins.
    pub from: SimTime,
    /// When it ends; `None` if it lasts as long as the run, or is over at once.
    pub until: Option<SimTime>,
    /// The hosts it hits, drawn.
    pub hosts: Vec<HostRef>,
}

/// All occurrences of a run, by begin.
pub(super) fn occurrences(plan: &Plan, streams: Streams) -> Vec<Occurrence> {
    let mut all = Vec::new();
    for (index, fault) in plan.faults.iter().enumerate() {
        let mut when = streams.stream(&format!("fault/{}/when", fault.label));
        let mut target = streams.stream(&format!("fault/{}/target", fault.label));
        let mut lasts = streams.stream(&format!("fault/{}/lasts", fault.label));
        for from in begins(fault, plan.duration, &mut when) {
            let length = fault.lasts.map(|range| draw(range, &mut lasts));
            let reboots = matches!(fault.kind, FaultKind::Reboot(_));
            let length = length.or(reboots.then_some(REBOOT_TAKES));
            let hosts = target_of(&fault.kind).map_or(Vec::new(), |t| choose(t, &mut target));
            let until = length.map(|length| from + length);
            all.push(Occurrence { fault: FaultRef(index as u32), from, until, hosts });
        }
    }
    all.sort_by_key(|occurrence| (occurrence.from, occurrence.fault));
    all
}

/// A duration from the range.
pub(super) fn draw(range: DurationRange, stream: &mut Stream) -> SimDuration {
    stream.duration(range.low, range.high)
}

fn begins(fault: &FaultPlan, duration: SimDuration, stream: &mut Stream) -> Vec<SimTime> {
    let end = SimTime::ZERO + duration;
    match fault.schedule {
        FaultSchedule::At(at) => vec![at],
        FaultSchedule::Between(low, high) => vec![SimTime(stream.between(low.0, high.0))],
        FaultSchedule::Every { first, every, until } => {
            let mut times = Vec::new();
            let mut at = first;
            while at < until.min(end) && times.len() < OCCURRENCES_MAX {
                times.push(at);
                // A gap of zero would never get anywhere.
                at += draw(every, stream).max(SimDuration(1));
            }
            times
        }
    }
}

pub(super) fn target_of(kind: &FaultKind) -> Option<&HostTarget> {
    match kind {
        FaultKind::Crash(hosts)
        | FaultKind::PowerCut(hosts)
        | FaultKind::Pause(hosts)
        | FaultKind::Reboot(hosts)
        | FaultKind::Wipe(hosts)
        | FaultKind::FullDisk(hosts)
        | FaultKind::ProgramCrash { hosts, .. }
        | FaultKind::ClockJump { hosts, .. }
        | FaultKind::ClockDrift { hosts, .. }
        | FaultKind::SlowDisk { hosts, .. } => Some(hosts),
        FaultKind::LinkDown(_)
        | FaultKind::RouterDown(_)
        | FaultKind::Partition { .. }
        | FaultKind::Loss { .. }
        | FaultKind::Delay { .. }
        | FaultKind::Duplicate { .. } => None,
        FaultKind::Cluster { fault, .. } => match fault {
            ClusterFault::CutNetwork { nodes, .. } | ClusterFault::CablePulled(nodes) => {
                Some(nodes)
            }
            _ => None,
        },
    }
}

pub(super) fn choose(target: &HostTarget, stream: &mut Stream) -> Vec<HostRef> {
    let count = match target.choose {
        Choose::All => return target.hosts.clone(),
        Choose::One => 1,
        Choose::Half => target.hosts.len().div_ceil(2),
        Choose::Count(n) => target.hosts.len().min(n as usize),
        // Nobody owns anything yet.
        Choose::QuorumOwner(_)
        | Choose::NotQuorumOwner(_)
        | Choose::GroupOwner(..)
        | Choose::NotGroupOwner(..) => 0,
    };
    let mut hosts = target.hosts.clone();
    stream.shuffle(&mut hosts);
    hosts.truncate(count);
    hosts.sort();
    hosts
}

/// The times a moment stands for; several for a fault that repeats, none for one that never comes.
pub(super) fn times_of(moment: Moment, plan: &Plan, occurrences: &[Occurrence]) -> Vec<SimTime> {
    let of = |fault| occurrences.iter().filter(move |o| o.fault == fault);
    match moment {
        Moment::At(at) => vec![at],
        Moment::FaultBegins(fault) => of(fault).map(|o| o.from).collect(),
        Moment::FaultHeals(fault) => of(fault).filter_map(|o| o.until).collect(),
        Moment::LastHeal => {
            occurrences.iter().map(|o| o.until.unwrap_or(o.from)).max().into_iter().collect()
        }
        Moment::Step(step) => vec![plan.steps[step.index()].at],
    }
}

/// The stretches of time a period stands for, in order: each beginning with the first end after it.
pub(super) fn stretches_of(
    period: &Period,
    plan: &Plan,
    occurrences: &[Occurrence],
) -> Vec<(SimTime, SimTime)> {
    let end = SimTime::ZERO + plan.duration;
    let ends = times_of(period.until, plan, occurrences);
    times_of(period.from, plan, occurrences)
        .into_iter()
        .filter(|&from| from <= end)
        .map(|from| {
            let until = ends.iter().copied().filter(|&until| until > from).min();
            (from, until.unwrap_or(end).min(end))
        })
        .collect()
}
