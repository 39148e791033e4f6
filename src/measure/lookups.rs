//! Look-ups as clients see them: right, stale, failed; how long; and for how long names stayed unresolved.

use super::distribution::{Distribution, count};
use super::result::{Histogram, Measure, Series};
use crate::base::{SimDuration, SimTime};
use std::collections::BTreeMap;

/// How a look-up came out, held against what was true at that moment.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum Answer {
    /// The address at which the name's holder really is.
    Right,
    /// An address the name's holder once had.
    Stale,
    /// An address the name's holder never had.
    Wrong,
    /// No answer, or "no such name", although the holder is up.
    Failed,
    /// An address for a name whose holder is down.
    Ghost,
    /// No address for a name whose holder is down: true, and no use to anybody.
    RightlyAbsent,
    /// Nobody knows the truth about this name (a group, a static name without a host).
    Unjudged,
}

/// Number of kinds of answers.
pub const ANSWERS: usize = 7;

/// One finished look-up.
#[derive(Copy, Clone, Debug)]
pub struct Lookup {
    /// Who asked.
    pub client: u32,
    /// The asker's site, an index into the names given at the start.
    pub site: u32,
    /// Whom it wanted; `None` for a name without a host.
    pub target: Option<u32>,
    /// When it began.
    pub started: SimTime,
    /// When it ended.
    pub ended: SimTime,
    /// How it came out.
    pub answer: Answer,
}

/// Counts of one window of time at one site.
#[derive(Copy, Clone, Default, Debug)]
struct Window {
    answers: [u32; ANSWERS],
    slow: u32,
}

/// Collects look-ups.
#[derive(Clone, Debug)]
pub struct Lookups {
    window: SimDuration,
    slow_after: SimDuration,
    sites: Vec<String>,
    /// By window, then site.
    windows: Vec<Window>,
    totals: [u64; ANSWERS],
    slow: u64,
    time: Distribution,
    /// (client, target) pairs that cannot resolve at the moment, and since when.
    unresolved: BTreeMap<(u32, u32), SimTime>,
    outages: Distribution,
}

impl Lookups {
    /// Counts in windows of this length; a right answer later than `slow_after` is called slow.
    pub fn new(sites: Vec<String>, window: SimDuration, slow_after: SimDuration) -> Lookups {
        Lookups {
            window,
            slow_after,
            sites,
            windows: Vec::new(),
            totals: [0; ANSWERS],
            slow: 0,
            time: Distribution::of_durations(),
            unresolved: BTreeMap::new(),
            outages: Distribution::of_durations(),
        }
    }

    /// Takes a finished look-up; returns the span for which the client could not resolve the name, if
    /// this answer ended one.
    pub fn record(&mut self, lookup: &Lookup) -> Option<(SimTime, SimDuration)> {
        let took = lookup.ended.since(lookup.started);
        let slow = lookup.answer == Answer::Right && took > self.slow_after;
        let slot = (lookup.ended.0 / self.window.0) as usize * self.sites.len();
        if self.windows.len() <= slot {
            self.windows.resize(slot + self.sites.len(), Window::default());
        }
        let window = &mut self.windows[slot + lookup.site as usize];
        window.answers[lookup.answer as usize] += 1;
        window.slow += u32::from(slow);
        self.totals[lookup.answer as usize] += 1;
        self.slow += u64::from(slow);
        self.time.record_duration(took);
        let pair = (lookup.client, lookup.target?);
        match lookup.answer {
            Answer::Failed | Answer::Stale | Answer::Wrong => {
                self.unresolved.entry(pair).or_insert(lookup.started);
                None
            }
            Answer::Right => {
                let since = match self.unresolved.remove(&pair) {
                    Some(since) => since,
                    None if slow => lookup.started,
                    None => return None,
                };
                let lasted = lookup.ended.since(since);
                self.outages.record_duration(lasted);
                Some((since, lasted))
            }
            Answer::Ghost | Answer::RightlyAbsent | Answer::Unjudged => {
                self.unresolved.remove(&pair);
                None
            }
        }
    }

    /// How many look-ups came out so.
    pub fn total(&self, answer: Answer) -> u64 {
        self.totals[answer as usize]
    }

    /// How many there were.
    pub fn count(&self) -> u64 {
        self.totals.iter().sum()
    }

    /// Right answers, slow ones included, among all that were judged and could have succeeded.
    pub fn success(&self) -> (u64, u64) {
        let right = self.total(Answer::Right);
        (
            right,
            [Answer::Stale, Answer::Wrong, Answer::Failed]
                .iter()
                .fold(right, |n, &a| n + self.total(a)),
        )
    }

    /// Pairs of client and target that still cannot resolve.
    pub fn unresolved(&self) -> usize {
        self.unresolved.len()
    }

    /// The measures.
    pub fn measures(&self, out: &mut Vec<Measure>) {
        let (right, judged) = self.success();
        if judged > 0 {
            out.push(count("lookup.success", "%", percent(right, judged)));
            out.push(count("lookup.prompt", "%", percent(right - self.slow, judged)));
        }
        let all = self.count();
        if all > 0 {
            out.push(count("lookup.count", "look-ups", all as f64));
            out.push(count("lookup.failed", "look-ups", self.total(Answer::Failed) as f64));
            out.push(count("lookup.stale", "look-ups", self.total(Answer::Stale) as f64));
            out.push(count("lookup.wrong", "look-ups", self.total(Answer::Wrong) as f64));
            out.push(count("lookup.ghost", "look-ups", self.total(Answer::Ghost) as f64));
            out.push(count("lookup.slow", "look-ups", self.slow as f64));
            out.push(count("name.still_unresolved", "pairs", self.unresolved.len() as f64));
        }
        out.extend(self.time.measure("lookup.time"));
        out.extend(self.outages.measure("name.unresolved_time"));
    }

    /// Success over time by site, and the distributions.
    pub fn charts(&self, series: &mut Vec<Series>, histograms: &mut Vec<Histogram>) {
        for (site, name) in self.sites.iter().enumerate() {
            self.line(name, &mut |s| s == site, &mut |w| w.answers[Answer::Right as usize], series);
        }
        self.line(
            "all sites, prompt",
            &mut |_| true,
            &mut |w| w.answers[Answer::Right as usize] - w.slow,
            series,
        );
        for (chart, line, values) in [
            ("resolve-time", "all look-ups", &self.time),
            ("unresolved-time", "client and name", &self.outages),
        ] {
            if !values.is_empty() {
                histograms.push(Histogram {
                    chart: chart.into(),
                    line: line.into(),
                    unit: "s".into(),
                    values: values.chart_values(),
                });
            }
        }
    }

    fn line(
        &self,
        name: &str,
        wanted: &mut dyn FnMut(usize) -> bool,
        good: &mut dyn FnMut(&Window) -> u32,
        series: &mut Vec<Series>,
    ) {
        let mut points = Vec::new();
        for (index, row) in self.windows.chunks(self.sites.len().max(1)).enumerate() {
            let (mut right, mut judged) = (0u64, 0u64);
            for (_, w) in row.iter().enumerate().filter(|(site, _)| wanted(*site)) {
                right += u64::from(good(w));
                judged += [Answer::Right, Answer::Stale, Answer::Wrong, Answer::Failed]
                    .iter()
                    .map(|&a| u64::from(w.answers[a as usize]))
                    .sum::<u64>();
            }
            if judged > 0 {
                let end = (index as u64 + 1) * self.window.0;
                points.push((SimTime(end).as_secs_f64(), percent(right, judged)));
            }
        }
        if !points.is_empty() {
            series.push(Series {
                chart: "resolution".into(),
                line: name.into(),
                unit: "%".into(),
                steps: false,
                points,
            });
        }
    }
}

fn percent(part: u64, whole: u64) -> f64 {
    part as f64 * 100.0 / whole as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: u64) -> SimTime {
        SimTime::ZERO + SimDuration::from_secs(secs)
    }

    fn lookups() -> Lookups {
        Lookups::new(
            vec!["north".into(), "south".into()],
            SimDuration::from_mins(5),
            SimDuration::from_secs(1),
        )
    }

    fn lookup(from: u64, to: u64, answer: Answer) -> Lookup {
        Lookup { client: 1, site: 1, target: Some(7), started: at(from), ended: at(to), answer }
    }

    #[test]
    fn an_outage_lasts_from_the_first_failure_to_the_first_right_answer() {
        let mut l = lookups();
        assert_eq!(l.record(&lookup(0, 1, Answer::Right)), None);
        assert_eq!(l.record(&lookup(10, 21, Answer::Failed)), None);
        assert_eq!(l.record(&lookup(70, 71, Answer::Stale)), None);
        assert_eq!(l.unresolved(), 1);
        let ended = l.record(&lookup(300, 300, Answer::Right));
        assert_eq!(ended, Some((at(10), SimDuration::from_secs(290))));
        assert_eq!(l.success(), (2, 4));
    }

    #[test]
    fn a_slow_right_answer_is_an_outage_of_its_own_length() {
        let mut l = lookups();
        let ended = l.record(&lookup(100, 105, Answer::Right));
        assert_eq!(ended, Some((at(100), SimDuration::from_secs(5))));
        let (mut m, mut s, mut h) = (Vec::new(), Vec::new(), Vec::new());
        l.measures(&mut m);
        l.charts(&mut s, &mut h);
        assert_eq!(m.iter().find(|m| m.name == "lookup.prompt").unwrap().max, 0.0);
        assert_eq!(m.iter().find(|m| m.name == "lookup.success").unwrap().max, 100.0);
        assert_eq!(s[0].line, "south");
        assert_eq!(s[0].points, [(300.0, 100.0)]);
    }
}
