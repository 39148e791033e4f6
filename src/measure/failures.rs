//! Failures of a sweep, grouped: runs that failed the same expectation and saw the same, figures aside, have
//! found one thing. How many seeds that takes says how good a sweep is at finding it.

use super::sweep::{PROGRAM, Sweep};
use std::collections::BTreeMap;

/// The longest text that tells failures apart, in characters.
const WHAT_MAX: usize = 160;

/// What tells failures apart: what was seen, without its figures.
pub fn what_failed(detail: &str) -> String {
    let mut out = String::new();
    let mut number = false;
    for c in detail.chars().filter(|c| !c.is_control()).take(4 * WHAT_MAX) {
        let digit = c.is_ascii_digit() || number && (c == '.' || c == ':' || c == ',');
        match (digit, number) {
            (true, false) => out.push('#'),
            (true, true) => {}
            (false, _) => out.push(c),
        }
        number = digit;
    }
    out.chars().take(WHAT_MAX).collect()
}

/// A failure that many runs may share.
#[derive(Clone, PartialEq, Debug)]
pub struct FailureGroup {
    /// Index of the combination.
    pub combination: u32,
    /// The expectation's name, or [`PROGRAM`].
    pub expectation: String,
    /// What was seen, without figures.
    pub what: String,
    /// What was seen first, with them.
    pub detail: String,
    /// In how many runs.
    pub count: u64,
    /// Of how many.
    pub runs: u64,
    /// In which first.
    pub first_seed: u64,
    /// How many seeds it takes to hit it: the median of the distances between hits, the first one
    /// counted from the beginning.
    pub seeds_to_hit: u64,
}

impl Sweep {
    /// The name of an expectation, or of the program's own.
    pub fn expectation_name(&self, id: Option<u32>) -> &str {
        id.map_or(PROGRAM, |id| self.expectations[id as usize].as_str())
    }

    /// Failures by fingerprint (combination, expectation and what was seen), the most frequent first
    /// within a combination.
    pub fn failure_groups(&self) -> Vec<FailureGroup> {
        let mut groups = Vec::new();
        for combination in 0..self.combinations.len() {
            let rows = self.rows_of(combination);
            let mut hits: BTreeMap<(Option<u32>, String), Vec<usize>> = BTreeMap::new();
            for (place, row) in rows.iter().enumerate() {
                for (expectation, detail) in &row.failures {
                    let places = hits.entry((*expectation, what_failed(detail))).or_default();
                    if places.last() != Some(&place) {
                        places.push(place);
                    }
                }
            }
            let first = groups.len();
            for ((expectation, what), places) in hits {
                let row = &rows[places[0]];
                let same =
                    |(e, d): &&(Option<u32>, String)| *e == expectation && what_failed(d) == what;
                let detail = row.failures.iter().find(same).map_or("", |(_, d)| d.as_str());
                groups.push(FailureGroup {
                    combination: combination as u32,
                    expectation: self.expectation_name(expectation).to_string(),
                    detail: detail.to_string(),
                    what,
                    count: places.len() as u64,
                    runs: rows.len() as u64,
                    first_seed: row.seed,
                    seeds_to_hit: median_distance(&places),
                });
            }
            groups[first..].sort_by_key(|g| std::cmp::Reverse(g.count)); // stable: else in file order
        }
        groups
    }
}

/// The median distance from one hit to the next, the first counted from before the beginning.
fn median_distance(places: &[usize]) -> u64 {
    let mut before = None;
    let mut distances: Vec<u64> = places
        .iter()
        .map(|&place| {
            let distance = before.map_or(place + 1, |b| place - b);
            before = Some(place);
            distance as u64
        })
        .collect();
    distances.sort_unstable();
    distances[(distances.len() - 1) / 2]
}

#[cfg(test)]
mod tests {
    use super::super::sweep::Finished;
    use super::super::sweep::tests::{empty, result};
    use super::*;
    use crate::measure::Verdict;

    #[test]
    fn failures_are_told_apart_by_what_was_seen_and_not_by_its_figures() {
        let mut sweep = empty();
        for seed in 1..=10 {
            sweep.add(0, seed, result(seed, [3, 4, 9].contains(&seed), "x"));
        }
        sweep.add(1, 1, Finished::Panicked("index 7 of 3".into()));
        sweep.finish();
        let groups = sweep.failure_groups();
        assert_eq!(groups.len(), 2, "{groups:?}");
        assert_eq!((groups[0].count, groups[0].runs, groups[0].first_seed), (3, 10, 3));
        // Distances: 3 from the start, 1, 5.
        assert_eq!(groups[0].seeds_to_hit, 3);
        assert_eq!(groups[0].what, "# of # at #");
        assert_eq!(groups[1].expectation, PROGRAM);
        assert!(sweep.panicked() && sweep.verdict() == Verdict::Fail);
    }
}
