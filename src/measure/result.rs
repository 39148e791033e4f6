//! What a run leaves behind: plain data for the summary, the charts and the exports.

use crate::base::{SimDuration, SimTime};
use serde::Serialize;

/// Everything a finished run has to say.
#[derive(Clone, Default, Debug)]
pub struct RunResult {
    /// The scenario file as it was named on the command line.
    pub scenario: String,
    /// Its title.
    pub title: String,
    /// The seed.
    pub seed: u64,
    /// The overrides of the scenario (`--set`), as `path=value`: without them the seed says little.
    pub overrides: Vec<String>,
    /// The digest over every dispatched event.
    pub digest: u64,
    /// How many events were dispatched.
    pub events: u64,
    /// How much simulated time passed.
    pub sim_time: SimDuration,
    /// One per expectation of the scenario, in file order.
    pub expectations: Vec<ExpectationResult>,
    /// Distributions and counts, in a fixed order.
    pub measures: Vec<Measure>,
    /// What the charts draw.
    pub series: Vec<Series>,
    /// What the charts draw as distributions.
    pub histograms: Vec<Histogram>,
    /// Faults as they really happened, for shading.
    pub faults: Vec<FaultSpan>,
    /// The few moments a reader of the timeline wants to see, in order of time.
    pub notable: Vec<NotableEvent>,
    /// Digest of every actor by name, to find where two runs part.
    pub host_digests: Vec<(String, u64)>,
}

/// How an expectation, or a whole run, came out.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It held.
    Pass,
    /// The run never got to where it could be judged.
    NotJudged,
    /// It did not hold.
    Fail,
}

/// One expectation, judged.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct ExpectationResult {
    /// Its name in the scenario.
    pub name: String,
    /// How it came out.
    pub verdict: Verdict,
    /// What was seen, with figures; for a failure also when first.
    pub detail: String,
}

/// A distribution in short: for a plain count, `n` is 1 and all figures are equal.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Measure {
    /// Dotted name, such as `lookup.time` or `fault.power-cut-of-wins-a.detect_time` (see
    /// [`FaultSpan::slug`]).
    pub name: String,
    /// `s`, `ms`, `1` (a count), `%`, `names`...
    pub unit: String,
    /// How many values.
    pub n: u64,
    /// Smallest value.
    pub min: f64,
    /// Median.
    pub p50: f64,
    /// 90th percentile.
    pub p90: f64,
    /// 99th percentile.
    pub p99: f64,
    /// Largest value.
    pub max: f64,
}

/// A value over time.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Series {
    /// Which chart it belongs to: `resolution`, `names-known`, `queue`...
    pub chart: String,
    /// The line's name in the legend: a server, a site, a kind of answer.
    pub line: String,
    /// Unit of the vertical axis.
    pub unit: String,
    /// Whether the value holds until the next point (true), or belongs to a window ending there (false).
    pub steps: bool,
    /// Seconds since the start of the run, and the value.
    pub points: Vec<(f64, f64)>,
}

/// Values to be drawn as a distribution.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Histogram {
    /// Which chart: `replication-lag`, `resolve-time`...
    pub chart: String,
    /// The line's name, such as `wins-a to wins-b`.
    pub line: String,
    /// Unit of the values.
    pub unit: String,
    /// The values, ascending.
    pub values: Vec<f64>,
}

/// A fault as it happened.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct FaultSpan {
    /// What the scenario calls it, such as `power cut of wins-a`.
    pub name: String,
    /// When it began.
    pub from: SimTimeSecs,
    /// When it ended; the end of the run if it never did.
    pub until: SimTimeSecs,
}

/// Seconds since the start of the run.
pub type SimTimeSecs = f64;

/// A moment worth showing.
#[derive(Clone, PartialEq, Debug)]
pub struct NotableEvent {
    /// When.
    pub at: SimTime,
    /// Which host, link or fault.
    pub who: String,
    /// What happened, in a few words.
    pub what: String,
}

impl FaultSpan {
    /// The name as a part of a measure's name, such as `power-cut-of-wins-a`: lower case, with a dash for
    /// everything but letters and digits. Measures of a fault are called `fault.SLUG.WHAT`.
    pub fn slug(&self) -> String {
        let lower = self.name.to_lowercase();
        let parts = lower.split(|c: char| !c.is_alphanumeric()).filter(|part| !part.is_empty());
        parts.collect::<Vec<_>>().join("-")
    }
}

impl RunResult {
    /// Fail if one expectation failed, else not judged if one was not, else pass.
    pub fn verdict(&self) -> Verdict {
        self.expectations.iter().map(|e| e.verdict).max().unwrap_or(Verdict::Pass)
    }
}
