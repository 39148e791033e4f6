//! `summary.json` of a sweep: what it was, how it came out, and figures over the seeds. What is read back
//! from it ([`Header`]) is a part of it; times are whole nanoseconds there, which survive any reader.

use super::again;
use super::stats::{Of, subjects};
use crate::base::{SimDuration, SimTime};
use crate::measure::sweep::{Combination, Faults, Sweep};
use crate::measure::{FaultSpan, Verdict};
use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Serialize};

#[derive(Serialize)]
struct Summary<'a> {
    #[serde(flatten)]
    header: Header,
    verdict: Verdict,
    runs: u64,
    planned: u64,
    events: u64,
    results: Vec<Outcome>,
    failures: Vec<Failure>,
    measures: Measures<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    wall_s: Option<f64>,
}

/// What a sweep was.
#[derive(Serialize, Deserialize)]
pub struct Header {
    pub scenario: String,
    pub title: String,
    pub seeds: (u64, u64),
    pub shard: Option<(u32, u32)>,
    pub vary: Vec<String>,
    pub combinations: Vec<Tried>,
    pub expectations: Vec<String>,
    pub units: Vec<(String, String)>,
}

/// A combination.
#[derive(Serialize, Deserialize)]
pub struct Tried {
    scenario: String,
    values: Vec<String>,
    overrides: Vec<String>,
    changes: Vec<String>,
    duration_ns: u64,
    faults: Known,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Known {
    /// The same in all runs.
    Spans(Vec<Fault>),
    /// Why they are not told: `different` in the runs, or there was `no run`.
    Word(String),
}

#[derive(Serialize, Deserialize)]
struct Fault {
    name: String,
    from_ns: u64,
    until_ns: u64,
}

#[derive(Serialize)]
struct Outcome {
    combination: String,
    runs: u64,
    passed: u64,
    failed: u64,
    not_judged: u64,
}

#[derive(Serialize)]
struct Failure {
    combination: String,
    expectation: String,
    what: String,
    detail: String,
    count: u64,
    of: u64,
    first_seed: u64,
    median_seeds_to_hit: u64,
    again: String,
}

/// Measures by name, each with a list of figures by combination.
struct Measures<'a>(&'a Sweep);

#[derive(Serialize)]
struct Figures<'a> {
    unit: &'a str,
    combinations: Vec<Option<Over>>,
}

#[derive(Serialize)]
struct Over {
    n: u64,
    median: f64,
    p10: f64,
    p90: f64,
    worst: f64,
}

impl Serialize for Measures<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let subjects = subjects(self.0);
        let mut map = serializer.serialize_map(Some(subjects.len()))?;
        for s in &subjects {
            let name = &self.0.measures[s.measure as usize].0;
            let name = match s.of {
                Of::Value => name.clone(),
                Of::Median => format!("{name}.median"),
                Of::Worst => format!("{name}.worst"),
            };
            let over = |c: usize| {
                s.spread(self.0, c).map(|s| Over {
                    n: s.n,
                    median: s.median,
                    p10: s.p10,
                    p90: s.p90,
                    worst: s.worst,
                })
            };
            let combinations = (0..self.0.combinations.len()).map(over).collect();
            map.serialize_entry(&name, &Figures { unit: &s.unit, combinations })?;
        }
        map.end()
    }
}

/// How many runs of a combination passed, failed, and were not judged.
pub fn tally(sweep: &Sweep, combination: usize) -> (u64, u64, u64) {
    let count = |verdict| {
        let rows = sweep.rows_of(combination).iter();
        rows.filter(|row| row.verdict == verdict).count() as u64
    };
    (count(Verdict::Pass), count(Verdict::Fail), count(Verdict::NotJudged))
}

/// The summary as one line of JSON; `wall_s` is how many seconds the sweep took.
pub fn sweep_json(sweep: &Sweep, wall_s: Option<f64>) -> String {
    serde_json::to_string(&summary(sweep, wall_s)).expect("plain data with string keys")
}

/// What `summary.json` holds: nothing that depends on the machine.
pub fn pretty(sweep: &Sweep) -> String {
    let mut text =
        serde_json::to_string_pretty(&summary(sweep, None)).expect("plain data with string keys");
    text.push('\n');
    text
}

fn summary(sweep: &Sweep, wall_s: Option<f64>) -> Summary<'_> {
    let label = |c: usize| sweep.combinations[c].label(&sweep.axes);
    let outcome = |c: usize| {
        let (passed, failed, not_judged) = tally(sweep, c);
        let runs = passed + failed + not_judged;
        Outcome { combination: label(c), runs, passed, failed, not_judged }
    };
    let failures = sweep.failure_groups().into_iter().map(|g| Failure {
        combination: label(g.combination as usize),
        again: again(sweep, g.combination as usize, g.first_seed),
        expectation: g.expectation,
        what: g.what,
        detail: g.detail,
        count: g.count,
        of: g.runs,
        first_seed: g.first_seed,
        median_seeds_to_hit: g.seeds_to_hit,
    });
    Summary {
        header: Header::of(sweep),
        verdict: sweep.verdict(),
        runs: sweep.rows.len() as u64,
        planned: sweep.planned(),
        events: sweep.rows.iter().map(|row| row.events).sum(),
        results: (0..sweep.combinations.len()).map(outcome).collect(),
        failures: failures.collect(),
        measures: Measures(sweep),
        wall_s,
    }
}

impl Header {
    fn of(sweep: &Sweep) -> Header {
        Header {
            scenario: sweep.combinations.first().map_or(String::new(), |c| c.scenario.clone()),
            title: sweep.title.clone(),
            seeds: (*sweep.seeds.start(), *sweep.seeds.end()),
            shard: sweep.shard,
            vary: sweep.axes.clone(),
            combinations: sweep.combinations.iter().map(Tried::of).collect(),
            expectations: sweep.expectations.clone(),
            units: sweep.measures.clone(),
        }
    }

    /// It alone, as a file.
    pub fn text(sweep: &Sweep) -> String {
        let mut text =
            serde_json::to_string_pretty(&Header::of(sweep)).expect("plain data with string keys");
        text.push('\n');
        text
    }

    /// A sweep of this kind without runs.
    pub fn sweep(self) -> Sweep {
        let combinations = self.combinations.into_iter().map(Tried::combination).collect();
        let seeds = self.seeds.0..=self.seeds.1;
        let mut sweep = Sweep::new(self.title, seeds, self.vary, combinations, self.expectations);
        sweep.shard = self.shard;
        sweep
    }
}

impl Tried {
    fn of(c: &Combination) -> Tried {
        let ns = |seconds: f64| (seconds * 1e9).round() as u64;
        let fault = |f: &FaultSpan| Fault {
            name: f.name.clone(),
            from_ns: ns(f.from),
            until_ns: ns(f.until),
        };
        Tried {
            scenario: c.scenario.clone(),
            values: c.values.clone(),
            overrides: c.overrides.clone(),
            changes: c.changes.clone(),
            duration_ns: c.duration.nanos(),
            faults: match &c.faults {
                Faults::Unknown => Known::Word("no run".into()),
                Faults::Same(spans) => Known::Spans(spans.iter().map(fault).collect()),
                Faults::Different => Known::Word("different".into()),
            },
        }
    }

    fn combination(self) -> Combination {
        let span = |f: Fault| FaultSpan {
            name: f.name,
            from: SimTime(f.from_ns).as_secs_f64(),
            until: SimTime(f.until_ns).as_secs_f64(),
        };
        Combination {
            scenario: self.scenario,
            values: self.values,
            overrides: self.overrides,
            changes: self.changes,
            duration: SimDuration(self.duration_ns),
            faults: match self.faults {
                Known::Word(word) if word == "no run" => Faults::Unknown,
                Known::Word(_) => Faults::Different,
                Known::Spans(faults) => Faults::Same(faults.into_iter().map(span).collect()),
            },
        }
    }
}
