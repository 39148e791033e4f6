//! The object that `--format json` prints and that `summary.json` holds; its keys are a contract.
//!
//! Keys stand in a fixed order and measures in that of the run. The digest is sixteen hex digits, because a
//! number of 64 bits does not survive programs that read numbers as floats. A figure that was never
//! measured is `null`.

use crate::measure::{ExpectationResult, Measure, RunResult, Verdict};
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

#[derive(Serialize)]
struct Summary<'a> {
    scenario: &'a str,
    seed: u64,
    digest: String,
    verdict: Verdict,
    events: u64,
    sim_time_ns: u64,
    wall_s: Option<f64>,
    expectations: &'a [ExpectationResult],
    measures: Measures<'a>,
}

struct Measures<'a>(&'a [Measure]);

#[derive(Serialize)]
struct Figures<'a> {
    unit: &'a str,
    n: u64,
    min: f64,
    p50: f64,
    p90: f64,
    p99: f64,
    max: f64,
}

impl Serialize for Measures<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for m in self.0 {
            let figures = Figures {
                unit: &m.unit,
                n: m.n,
                min: m.min,
                p50: m.p50,
                p90: m.p90,
                p99: m.p99,
                max: m.max,
            };
            map.serialize_entry(&m.name, &figures)?;
        }
        map.end()
    }
}

/// The summary as one line of JSON without a line end; `wall_s` is how many seconds the run took, `null`
/// when unknown.
pub fn json(result: &RunResult, wall_s: Option<f64>) -> String {
    serde_json::to_string(&summary(result, wall_s)).expect("plain data with string keys")
}

/// The same, indented for people, ending in a line end: what `summary.json` holds.
pub fn json_pretty(result: &RunResult, wall_s: Option<f64>) -> String {
    let mut text = serde_json::to_string_pretty(&summary(result, wall_s))
        .expect("plain data with string keys");
    text.push('\n');
    text
}

fn summary(result: &RunResult, wall_s: Option<f64>) -> Summary<'_> {
    Summary {
        scenario: &result.scenario,
        seed: result.seed,
        digest: format!("{:016x}", result.digest),
        verdict: result.verdict(),
        events: result.events,
        sim_time_ns: result.sim_time.nanos(),
        wall_s,
        expectations: &result.expectations,
        measures: Measures(&result.measures),
    }
}
