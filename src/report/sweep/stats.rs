//! Figures over the seeds of a combination.

use crate::measure::sweep::{Figures, Sweep};
use crate::report::format::words;

/// Beginnings of names in the order in which they matter; what is not named here comes before the last ones.
const FIRST: [&str; 12] = [
    "loss.",
    "fault.",
    "failover.",
    "group.",
    "checkpoint.",
    "cluster.",
    "lookup.",
    "name.",
    "replication.",
    "databases.",
    "browse.",
    "client.",
];
/// What is of use to who looks into a machine, not to who compares settings.
const LAST: [&str; 5] = ["wins.", "events.", "server.", "host.", "net."];

/// A figure of every run that settings are compared by.
#[derive(Clone, Debug)]
pub struct Subject {
    /// Index of the measure.
    pub measure: u32,
    /// Which of its figures.
    pub of: Of,
    /// What it is called: `lookup time, worst in the run`.
    pub name: String,
    /// Its unit.
    pub unit: String,
    /// Whether more is better; then the worst is the smallest.
    pub more_is_better: bool,
}

/// Which figure of a measure.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Of {
    /// The one there is.
    Value,
    /// The median within a run.
    Median,
    /// The worst within a run.
    Worst,
}

/// A figure over the seeds of a combination.
#[derive(Copy, Clone, PartialEq, Debug)]
pub struct Spread {
    /// In how many runs it was measured.
    pub n: u64,
    pub median: f64,
    pub p10: f64,
    pub p90: f64,
    pub worst: f64,
}

/// Everything that can be compared, what matters most first.
pub fn subjects(sweep: &Sweep) -> Vec<Subject> {
    let better: Vec<bool> = sweep.measures.iter().map(|(name, _)| more_is_better(name)).collect();
    // Where the median is the worst in every run, one of them says it all.
    let mut single = vec![true; sweep.measures.len()];
    for (id, f) in sweep.rows.iter().flat_map(|row| &row.figures) {
        let worst = if better[*id as usize] { f.min } else { f.max };
        single[*id as usize] &= f.p50 == worst;
    }
    let mut order: Vec<usize> = (0..sweep.measures.len()).collect();
    order.sort_by_key(|&i| (rank(&sweep.measures[i].0), i));
    let mut all = Vec::new();
    for i in order {
        let (name, unit) = &sweep.measures[i];
        let name = called(name);
        let mut add = |of, name: String| {
            let unit = unit.clone();
            all.push(Subject { measure: i as u32, of, name, unit, more_is_better: better[i] });
        };
        if single[i] {
            add(Of::Value, name);
        } else {
            add(Of::Median, format!("{name}, median of a run"));
            add(Of::Worst, format!("{name}, worst of a run"));
        }
    }
    all
}

/// A measure as a person calls it: `lookup time`, and of a fault `outage: recover time`.
fn called(name: &str) -> String {
    match name.strip_prefix("fault.").and_then(|rest| rest.split_once('.')) {
        Some((fault, what)) => format!("{}: {}", words(fault), words(what)),
        None => words(name),
    }
}

/// How far down a measure stands.
fn rank(name: &str) -> usize {
    let among = |list: &[&str]| list.iter().position(|start| name.starts_with(start));
    match (among(&FIRST), among(&LAST)) {
        (Some(i), _) => i,
        (_, Some(i)) => FIRST.len() + 1 + i,
        _ => FIRST.len(),
    }
}

/// Whether a measure is of use to who looks into a machine only.
pub fn is_detail(name: &str) -> bool {
    LAST.iter().any(|start| name.starts_with(start))
}

/// Whether more of it is better, which its name says.
fn more_is_better(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or(name);
    ["success", "prompt", "registered", "completeness", "availability", "survived"]
        .iter()
        .any(|word| last.contains(word))
}

impl Subject {
    /// The figure of a run.
    pub fn value(&self, figures: &Figures) -> f64 {
        match (self.of, self.more_is_better) {
            (Of::Value | Of::Median, _) => figures.p50,
            (Of::Worst, false) => figures.max,
            (Of::Worst, true) => figures.min,
        }
    }

    /// The figures of a combination's runs by seed, in the order of the seeds.
    pub fn by_seed(&self, sweep: &Sweep, combination: usize) -> Vec<(u64, f64)> {
        let rows = sweep.rows_of(combination).iter();
        rows.filter_map(|row| {
            let i = row.figures.binary_search_by_key(&self.measure, |(id, _)| *id).ok()?;
            let value = self.value(&row.figures[i].1);
            value.is_finite().then_some((row.seed, value))
        })
        .collect()
    }

    /// The figures of a combination's runs, ascending.
    pub fn values(&self, sweep: &Sweep, combination: usize) -> Vec<f64> {
        let mut values: Vec<f64> =
            self.by_seed(sweep, combination).into_iter().map(|(_, v)| v).collect();
        values.sort_by(f64::total_cmp);
        values
    }

    /// What they are like; `None` if no run measured it.
    pub fn spread(&self, sweep: &Sweep, combination: usize) -> Option<Spread> {
        let values = self.values(sweep, combination);
        let (first, last) = (*values.first()?, *values.last()?);
        Some(Spread {
            n: values.len() as u64,
            median: quantile(&values, 500),
            p10: quantile(&values, 100),
            p90: quantile(&values, 900),
            worst: if self.more_is_better { first } else { last },
        })
    }

    /// On how many of the seeds that both combinations have the second is better, and on how many worse.
    pub fn against(&self, sweep: &Sweep, first: usize, second: usize) -> (u64, u64, u64) {
        let (a, b) = (self.by_seed(sweep, first), self.by_seed(sweep, second));
        let (mut better, mut worse, mut both, mut i) = (0, 0, 0, 0);
        for (seed, value) in b {
            while a.get(i).is_some_and(|(s, _)| *s < seed) {
                i += 1;
            }
            let Some((_, old)) = a.get(i).filter(|(s, _)| *s == seed) else { continue };
            both += 1;
            let less = value < *old;
            if value != *old {
                if less == self.more_is_better { worse += 1 } else { better += 1 }
            }
        }
        (better, worse, both)
    }

    /// Whether all runs have the same figure.
    pub fn is_constant(&self, sweep: &Sweep) -> bool {
        let mut all = (0..sweep.combinations.len()).flat_map(|c| self.by_seed(sweep, c));
        let first = all.next().map(|(_, value)| value);
        all.all(|(_, value)| Some(value) == first)
    }
}

/// The value that so many thousandths of ascending values do not exceed.
pub fn quantile(values: &[f64], per_mille: usize) -> f64 {
    let place = (values.len() * per_mille).div_ceil(1000).max(1) - 1;
    values.get(place).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_values_that_occurred() {
        let values: Vec<f64> = (1..=10).map(f64::from).collect();
        assert_eq!(
            [quantile(&values, 100), quantile(&values, 500), quantile(&values, 900)],
            [1.0, 5.0, 9.0]
        );
        assert_eq!(quantile(&[7.0], 100), 7.0);
        assert!(quantile(&[], 500).is_nan());
    }

    #[test]
    fn faults_and_look_ups_come_before_a_server_s_counters() {
        assert!(rank("fault.outage.recover_time") < rank("lookup.time"));
        assert!(rank("something.new") < rank("net.packets"));
        assert!(more_is_better("lookup.success") && !more_is_better("lookup.failed"));
    }
}
