//! Judging a condition over time: what was true when, held against when it must be.
//!
//! A condition is either a *level* (true or false at every moment: "the databases agree") or a series of
//! *pulses* (each look-up is right or not). Both are collected while the run goes and judged at its end.

use crate::base::{SimDuration, SimTime};
use crate::measure::Verdict;

/// When a condition must hold.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) enum Mode {
    Never,
    Always,
    /// By the end of the stretch, then for so long.
    Goal {
        stays: SimDuration,
    },
    Reach,
}

/// A condition's truth over time.
#[derive(Clone, Debug)]
pub(super) enum Truth {
    /// Changes, from false at the start.
    Level(Vec<(SimTime, bool)>),
    /// Per stretch (see [`Signal::stretches`]): what the pulses in it were.
    Pulses(Vec<Pulses>),
}

/// Pulses within one stretch.
#[derive(Copy, Clone, PartialEq, Eq, Default, Debug)]
pub(super) struct Pulses {
    pub good: u64,
    pub bad: u64,
    pub first_good: Option<SimTime>,
    pub first_bad: Option<SimTime>,
    pub last_bad: Option<SimTime>,
    /// The first good pulse after the last bad one.
    pub good_since: Option<SimTime>,
}

/// A condition, when it must hold, and what was seen.
#[derive(Clone, Debug)]
pub(super) struct Signal {
    pub mode: Mode,
    pub stretches: Vec<(SimTime, SimTime)>,
    pub truth: Truth,
    /// Whether pulses that do not come say something: an event that is not logged did not happen, but a
    /// look-up that nobody makes might have gone either way.
    silence_counts: bool,
}

/// A verdict with its reason.
pub(super) type Judged = (Verdict, String);

impl Signal {
    pub(super) fn level(mode: Mode, stretches: Vec<(SimTime, SimTime)>) -> Signal {
        Signal { mode, stretches, truth: Truth::Level(Vec::new()), silence_counts: false }
    }

    pub(super) fn pulses(mode: Mode, stretches: Vec<(SimTime, SimTime)>) -> Signal {
        let truth = Truth::Pulses(vec![Pulses::default(); stretches.len()]);
        Signal { mode, stretches, truth, silence_counts: false }
    }

    /// Pulses of which none is news too.
    pub(super) fn events(mode: Mode, stretches: Vec<(SimTime, SimTime)>) -> Signal {
        Signal { silence_counts: true, ..Signal::pulses(mode, stretches) }
    }

    /// The truth at `now`, and until the next call.
    pub(super) fn set(&mut self, now: SimTime, value: bool) {
        if let Truth::Level(changes) = &mut self.truth
            && changes.last().is_some_and(|&(_, last)| last) != value
        {
            match changes.last_mut() {
                // Several changes at one moment are one: what counts is what it came to.
                Some(last) if last.0 == now => {
                    changes.pop();
                    if changes.last().is_some_and(|&(_, last)| last) != value {
                        changes.push((now, value));
                    }
                }
                _ => changes.push((now, value)),
            }
        }
    }

    /// One pulse.
    pub(super) fn pulse(&mut self, now: SimTime, good: bool) {
        let stays = match self.mode {
            Mode::Goal { stays } => stays,
            _ => SimDuration::ZERO,
        };
        let Truth::Pulses(pulses) = &mut self.truth else { return };
        for (pulses, &(from, until)) in pulses.iter_mut().zip(&self.stretches) {
            if now < from || now > until + stays {
                continue;
            }
            if good {
                pulses.good += 1;
                pulses.first_good.get_or_insert(now);
                pulses.good_since.get_or_insert(now);
            } else {
                pulses.bad += 1;
                pulses.first_bad.get_or_insert(now);
                pulses.last_bad = Some(now);
                pulses.good_since = None;
            }
        }
    }

    /// The verdict at the end of the run: the worst of its stretches.
    pub(super) fn judge(&self, end: SimTime) -> Judged {
        if self.stretches.is_empty() {
            return (Verdict::NotJudged, "the moment it refers to never came".into());
        }
        let each = self.stretches.iter().enumerate().map(|(i, &(from, until))| {
            if from > end {
                return (Verdict::NotJudged, format!("the run ended before {from}"));
            }
            let judged = match &self.truth {
                Truth::Level(changes) => judge_level(self.mode, changes, from, until, end),
                Truth::Pulses(pulses) if self.silence_counts && pulses[i] == Pulses::default() => {
                    match self.mode {
                        Mode::Never => (Verdict::Pass, "not once".into()),
                        Mode::Goal { .. } if until > end => {
                            (Verdict::NotJudged, format!("the run ended before {until}"))
                        }
                        _ => (Verdict::Fail, "not once".into()),
                    }
                }
                Truth::Pulses(pulses) => judge_pulses(self.mode, &pulses[i], until, end),
            };
            let open = match self.mode {
                Mode::Always | Mode::Never => judged.0 == Verdict::Pass,
                Mode::Reach => judged.0 == Verdict::Fail,
                Mode::Goal { .. } => false,
            };
            match open && until > end {
                true => (Verdict::NotJudged, format!("the run ended at {end}, before {until}")),
                false => judged,
            }
        });
        let worst = each.reduce(|a, b| if b.0 > a.0 { b } else { a });
        worst.unwrap_or((Verdict::NotJudged, String::new()))
    }
}

/// Runs of truth within a stretch: (from, until), clipped to it.
fn held(
    changes: &[(SimTime, bool)],
    value: bool,
    from: SimTime,
    until: SimTime,
) -> impl Iterator<Item = (SimTime, SimTime)> {
    let edges = std::iter::once((SimTime::ZERO, false)).chain(changes.iter().copied());
    let nexts = changes.iter().map(|&(at, _)| at).chain(std::iter::once(SimTime::MAX));
    edges
        .zip(nexts)
        .filter(move |((_, v), _)| *v == value)
        .map(move |((at, _), next)| (at.max(from), next.min(until)))
        // A run that ends where the stretch begins does not reach into it.
        .filter(move |&(a, b)| a < b || (a == b && a == until && from <= a))
        .collect::<Vec<_>>()
        .into_iter()
}

fn judge_level(
    mode: Mode,
    changes: &[(SimTime, bool)],
    from: SimTime,
    until: SimTime,
    end: SimTime,
) -> Judged {
    match mode {
        Mode::Always | Mode::Never => {
            let wanted = mode == Mode::Always;
            match held(changes, !wanted, from, until.min(end)).next() {
                None => (Verdict::Pass, format!("from {from} to {until}")),
                Some((at, back)) => {
                    let lasted = back.since(at);
                    (Verdict::Fail, format!("broken at {at}, for {lasted}"))
                }
            }
        }
        Mode::Reach => match held(changes, true, from, until.min(end)).next() {
            Some((at, _)) => (Verdict::Pass, format!("reached at {at}")),
            None => (Verdict::Fail, format!("not once from {from} to {until}")),
        },
        Mode::Goal { stays } => {
            let reached = held(changes, true, from, SimTime::MAX)
                .find(|&(at, back)| at <= until && back.since(at) >= stays);
            match reached {
                Some((at, _)) if at + stays <= end => {
                    let took = at.since(from);
                    (Verdict::Pass, format!("reached at {at}, {took} after {from}"))
                }
                Some((at, _)) => {
                    (Verdict::NotJudged, format!("reached at {at}, but the run ended too soon"))
                }
                None if until > end => {
                    (Verdict::NotJudged, format!("the run ended before the deadline {until}"))
                }
                None => {
                    let first = held(changes, true, from, end).next();
                    let seen = first.map_or("never".into(), |(at, _)| format!("first at {at}"));
                    (Verdict::Fail, format!("not reached by {until} ({seen})"))
                }
            }
        }
    }
}

fn judge_pulses(mode: Mode, p: &Pulses, until: SimTime, end: SimTime) -> Judged {
    let all = p.good + p.bad;
    if all == 0 && mode != Mode::Reach {
        return (Verdict::NotJudged, "no look-up happened in that time".into());
    }
    match mode {
        Mode::Always => match p.first_bad {
            None => (Verdict::Pass, format!("all {all} of them")),
            Some(at) => (Verdict::Fail, format!("{} of {all} not; the first at {at}", p.bad)),
        },
        Mode::Never => match p.first_good {
            None => (Verdict::Pass, format!("none of {all}")),
            Some(at) => (Verdict::Fail, format!("{} of {all}; the first at {at}", p.good)),
        },
        Mode::Reach => match p.first_good {
            Some(at) => (Verdict::Pass, format!("reached at {at}")),
            None => (Verdict::Fail, format!("not once ({} seen)", p.bad)),
        },
        Mode::Goal { .. } => match (p.good_since, p.last_bad) {
            (Some(at), _) if at <= until => (Verdict::Pass, format!("from {at} on")),
            _ if until > end => {
                (Verdict::NotJudged, format!("the run ended before the deadline {until}"))
            }
            (_, Some(at)) => (Verdict::Fail, format!("still not at {at}")),
            (Some(at), None) => (Verdict::Fail, format!("not before {at}")),
            (None, None) => (Verdict::NotJudged, String::new()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: u64) -> SimTime {
        SimTime::ZERO + SimDuration::from_secs(secs)
    }

    fn level(mode: Mode, from: u64, until: u64, changes: &[(u64, bool)]) -> Verdict {
        let mut signal = Signal::level(mode, vec![(at(from), at(until))]);
        changes.iter().for_each(|&(t, v)| signal.set(at(t), v));
        signal.judge(at(1000)).0
    }

    #[test]
    fn levels_count_between_their_changes() {
        use Verdict::{Fail, NotJudged, Pass};
        let up = [(10, true), (50, false), (60, true)];
        assert_eq!(level(Mode::Always, 20, 40, &up), Pass);
        assert_eq!(level(Mode::Always, 20, 55, &up), Fail);
        assert_eq!(level(Mode::Always, 0, 20, &up), Fail, "false before the first change");
        assert_eq!(level(Mode::Always, 60, 900, &up), Pass);
        assert_eq!(level(Mode::Never, 50, 59, &up), Pass);
        assert_eq!(level(Mode::Never, 0, 11, &up), Fail);
        assert_eq!(level(Mode::Reach, 0, 9, &up), Fail);
        assert_eq!(level(Mode::Reach, 0, 10, &up), Pass, "both ends count");
        let goal = |stays| Mode::Goal { stays: SimDuration::from_secs(stays) };
        assert_eq!(level(goal(0), 0, 30, &up), Pass);
        assert_eq!(level(goal(100), 0, 30, &up), Fail, "it broke at 50");
        assert_eq!(level(goal(100), 0, 60, &up), Pass);
        assert_eq!(level(goal(0), 0, 5, &up), Fail);
        assert_eq!(level(goal(0), 0, 2000, &[]), NotJudged);
        assert_eq!(level(goal(990), 0, 60, &up), NotJudged, "the run ended meanwhile");
    }

    #[test]
    fn a_change_taken_back_at_once_never_was() {
        let mut signal = Signal::level(Mode::Never, vec![(at(0), at(100))]);
        signal.set(at(5), true);
        signal.set(at(5), false);
        assert_eq!(signal.judge(at(100)).0, Verdict::Pass);
    }

    #[test]
    fn an_event_that_never_comes_did_not_happen() {
        let run = |mode, pulses: &[u64]| {
            let mut signal = Signal::events(mode, vec![(at(10), at(20))]);
            pulses.iter().for_each(|&t| signal.pulse(at(t), true));
            signal.judge(at(1000)).0
        };
        let goal = Mode::Goal { stays: SimDuration::ZERO };
        assert_eq!(run(Mode::Never, &[5, 25]), Verdict::Pass);
        assert_eq!(run(Mode::Never, &[15]), Verdict::Fail);
        assert_eq!(run(Mode::Reach, &[]), Verdict::Fail);
        assert_eq!(run(goal, &[25]), Verdict::Fail);
        assert_eq!(run(goal, &[15]), Verdict::Pass);
    }

    #[test]
    fn pulses_count_within_their_stretch() {
        let run = |mode, pulses: &[(u64, bool)]| {
            let mut signal = Signal::pulses(mode, vec![(at(10), at(20))]);
            pulses.iter().for_each(|&(t, v)| signal.pulse(at(t), v));
            signal.judge(at(1000)).0
        };
        let goal = Mode::Goal { stays: SimDuration::from_secs(10) };
        assert_eq!(run(Mode::Always, &[(5, false), (15, true), (21, false)]), Verdict::Pass);
        assert_eq!(run(Mode::Always, &[(15, true), (16, false)]), Verdict::Fail);
        assert_eq!(run(Mode::Always, &[(5, false)]), Verdict::NotJudged);
        assert_eq!(run(Mode::Reach, &[(5, true)]), Verdict::Fail);
        assert_eq!(run(goal, &[(12, false), (18, true), (25, true)]), Verdict::Pass);
        assert_eq!(run(goal, &[(18, true), (25, false)]), Verdict::Fail);
        assert_eq!(run(goal, &[(12, false), (25, true)]), Verdict::Fail);
    }
}
