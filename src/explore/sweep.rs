//! A sweep: every combination of what varies, times every seed, each run as if it were the only one.

use super::pool::in_order;
use super::run::{RunOptions, run};
use crate::measure::sweep::{
    Combination, Faults, Finished, LINES_SEEDS_MAX, Sweep, distinct, sample,
};
use crate::scenario::{Mistakes, Plan, SweepPlan};
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, PoisonError};

/// Which runs of a sweep are wanted, and how.
pub struct SweepOptions<'a> {
    /// The scenario file as the reader names it.
    pub scenario: &'a str,
    /// What is set in every run.
    pub overrides: &'a [String],
    /// The seeds, both ends included.
    pub seeds: RangeInclusive<u64>,
    /// Only every n-th run, from the i-th on: `(i, n)`, counted from 1.
    pub shard: Option<(u32, u32)>,
    /// How many threads.
    pub threads: usize,
    /// Whether to stop; runs under way are dropped then, those done are kept.
    pub stopped: &'a (dyn Fn() -> bool + Sync),
}

/// Why a sweep could not begin or go on.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// A scenario file, or a file it names, is not any more what it was when it was checked.
    #[error("{0}")]
    Changed(Mistakes),
    /// The plan does not hold together, which the loader should have found.
    #[error("{0}")]
    Build(String),
}

/// Runs a sweep. `done` is told, when a run is done, how many there will be and whether all its
/// expectations held.
///
/// # Errors
/// [`SweepError`]; a run that fails its expectations, or in which the program does, is no error.
pub fn sweep(
    plan: &SweepPlan,
    options: &SweepOptions<'_>,
    mut done: impl FnMut(u64, bool),
) -> Result<Sweep, SweepError> {
    let mut sweep = empty(plan, options)?;
    let count = sweep.planned();
    let seeds = (options.seeds.end() - options.seeds.start()).saturating_add(1);
    let (first, step) = options.shard.map_or((0, 1), |(i, n)| (u64::from(i) - 1, u64::from(n)));
    let job_of = |job: u64| {
        let job = first + job * step;
        ((job / seeds) as usize, options.seeds.start() + job % seeds)
    };
    let plans = Plans { plan, current: Mutex::new(None) };
    let failed = Mutex::new(None);
    let work = |job: u64| {
        let (combination, seed) = job_of(job);
        match one(&plans, options, combination, seed) {
            Ok(finished) => finished,
            Err(error) => {
                failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                None
            }
        }
    };
    in_order(options.threads, count, work, |job, outcome| {
        let (combination, seed) = job_of(job);
        sweep.add(combination, seed, outcome.unwrap_or_else(Finished::Panicked));
        let failed = |row: &crate::measure::sweep::Row| !row.failures.is_empty();
        done(count, !sweep.rows.last().is_some_and(failed));
    });
    if let Some(error) = failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
        return Err(error);
    }
    sweep.finish();
    Ok(sweep)
}

fn empty(plan: &SweepPlan, options: &SweepOptions<'_>) -> Result<Sweep, SweepError> {
    let mut combinations = Vec::new();
    let mut expectations: Vec<String> = Vec::new();
    for (index, choice) in plan.combinations.iter().enumerate() {
        let combined = plan.combination(index).map_err(SweepError::Changed)?;
        for name in distinct(combined.expects.iter().map(|e| e.name.as_str())) {
            if !expectations.contains(&name) {
                expectations.push(name);
            }
        }
        let values = choice.iter().zip(&plan.plan.vary);
        let alternatives = values.clone().map(|(&i, axis)| &axis.values[i]);
        let named = alternatives.filter(|value| value.pick.starts_with("vary."));
        combinations.push(Combination {
            changes: named.flat_map(|value| value.changes.iter().cloned()).collect(),
            scenario: options.scenario.to_string(),
            values: values.map(|(&i, axis)| axis.values[i].name.clone()).collect(),
            overrides: [options.overrides, &plan.picks(index)].concat(),
            duration: combined.duration,
            faults: Faults::Unknown,
        });
    }
    let axes = plan.plan.vary.iter().map(|axis| axis.name.clone()).collect();
    let title = plan.plan.title.clone();
    let mut sweep = Sweep::new(title, options.seeds.clone(), axes, combinations, expectations);
    sweep.shard = options.shard;
    Ok(sweep)
}

/// The plans of the combinations. Only the latest one is kept: jobs come combination by combination.
struct Plans<'a> {
    plan: &'a SweepPlan,
    current: Mutex<Option<(usize, Arc<Plan>)>>,
}

impl Plans<'_> {
    fn get(&self, combination: usize) -> Result<Arc<Plan>, SweepError> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, plan)) = current.as_ref().filter(|(index, _)| *index == combination) {
            return Ok(plan.clone());
        }
        let plan = Arc::new(self.plan.combination(combination).map_err(SweepError::Changed)?);
        *current = Some((combination, plan.clone()));
        Ok(plan)
    }
}

/// One run; `None` if it was stopped.
fn one(
    plans: &Plans<'_>,
    options: &SweepOptions<'_>,
    combination: usize,
    seed: u64,
) -> Result<Option<Finished>, SweepError> {
    if (options.stopped)() {
        return Ok(None);
    }
    let plan = plans.get(combination)?;
    let mut on = true;
    let mut progress = |_| {
        on = !(options.stopped)();
        on
    };
    let run_options =
        RunOptions { seed: Some(seed), progress: Some(&mut progress), ..RunOptions::default() };
    let mut result = run(options.scenario, &plan, run_options)
        .map_err(|error| SweepError::Build(error.to_string()))?;
    if !on {
        return Ok(None);
    }
    let kept = seed - options.seeds.start() < LINES_SEEDS_MAX;
    let lines = if kept { sample(&result.series, plan.duration) } else { Vec::new() };
    // What waits for its turn to become a row is as small as one.
    (result.series, result.histograms) = (Vec::new(), Vec::new());
    (result.host_digests, result.notable) = (Vec::new(), Vec::new());
    Ok(Some(Finished::Result(Box::new(result), lines)))
}
