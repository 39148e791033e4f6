//! What a sweep leaves behind: a row for every run, small enough that ten thousand of them fit in memory.
//!
//! A row keeps verdicts, figures and what failed; of what changes over time it keeps values at
//! [`CELLS`] + 1 moments, and that only for the first [`LINES_SEEDS_MAX`] seeds. Rows stand in the order of
//! combination and seed, whoever ran them: shards of a sweep, merged, are the whole sweep.

use super::result::{FaultSpan, RunResult, Series, Verdict};
use crate::base::SimDuration;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;

/// In how many cells a run's duration is divided for what changes over time.
pub const CELLS: usize = 240;
/// Of so many seeds of a sweep the lines over time are kept: enough for a steady median.
pub const LINES_SEEDS_MAX: u64 = 100;
/// No more lines than this are kept of a run: a scenario may have a series a host.
const LINES_MAX: usize = 24;
/// What an assertion of the program that failed counts as.
pub const PROGRAM: &str = "the program keeps its own invariants";

/// Many runs of a scenario.
#[derive(Clone, PartialEq, Debug)]
pub struct Sweep {
    /// The scenario's title.
    pub title: String,
    /// The seeds, both ends included.
    pub seeds: RangeInclusive<u64>,
    /// Which part of how many this is, if it is a part.
    pub shard: Option<(u32, u32)>,
    /// What varies.
    pub axes: Vec<String>,
    /// What was tried, in order.
    pub combinations: Vec<Combination>,
    /// Every expectation of any combination, in the order of the file.
    pub expectations: Vec<String>,
    /// Name and unit of everything measured, by name once [`Sweep::finish`] was called.
    pub measures: Vec<(String, String)>,
    /// The runs.
    pub rows: Vec<Row>,
    ids: BTreeMap<String, u32>,
}

/// One of the settings that are compared.
#[derive(Clone, PartialEq, Debug)]
pub struct Combination {
    /// The scenario file.
    pub scenario: String,
    /// The value on each axis.
    pub values: Vec<String>,
    /// Everything that is set, as `path=value`.
    pub overrides: Vec<String>,
    /// What named alternatives among that set and remove, in words.
    pub changes: Vec<String>,
    /// How long a run is.
    pub duration: SimDuration,
    /// When which fault was, if it was the same in all runs.
    pub faults: Faults,
}

/// The faults of many runs.
#[derive(Clone, PartialEq, Debug)]
pub enum Faults {
    /// No run yet.
    Unknown,
    /// The same in each.
    Same(Vec<FaultSpan>),
    /// Not the same.
    Different,
}

/// One run.
#[derive(Clone, PartialEq, Debug)]
pub struct Row {
    /// Index of its combination.
    pub combination: u32,
    /// Its seed.
    pub seed: u64,
    /// How it came out.
    pub verdict: Verdict,
    /// The digest over every event.
    pub digest: u64,
    /// How many events.
    pub events: u64,
    /// Verdicts by expectation.
    pub judged: Vec<(u32, Verdict)>,
    /// What failed: the expectation, `None` for the program itself, and what was seen.
    pub failures: Vec<(Option<u32>, String)>,
    /// Figures by measure.
    pub figures: Vec<(u32, Figures)>,
    /// Values over time, of the first seeds only.
    pub lines: Vec<Sampled>,
}

/// A measure of one run.
#[derive(Copy, Clone, PartialEq, Debug)]
pub struct Figures {
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

impl Figures {
    /// One plain number.
    pub fn single(value: f64) -> Figures {
        Figures { n: 1, min: value, p50: value, p90: value, p99: value, max: value }
    }

    /// Whether it is one plain number.
    pub fn is_single(&self) -> bool {
        self.n == 1 && self.min == self.max
    }
}

/// A value over time at equally distant moments; not a number where there was none.
#[derive(Clone, Debug)]
pub struct Sampled {
    /// The chart it belongs to.
    pub chart: String,
    /// Its name there.
    pub line: String,
    /// Its unit.
    pub unit: String,
    /// [`CELLS`] + 1 values, from the start to the end of the run.
    pub values: Vec<f32>,
}

impl PartialEq for Sampled {
    fn eq(&self, other: &Sampled) -> bool {
        let bits = |s: &Sampled| s.values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        (&self.chart, &self.line, &self.unit) == (&other.chart, &other.line, &other.unit)
            && bits(self) == bits(other)
    }
}

/// What a worker hands over of a run.
pub enum Finished {
    /// The run came to its end. The result needs no host digests and histograms.
    Result(Box<RunResult>, Vec<Sampled>),
    /// The program found a mistake of its own: the message.
    Panicked(String),
}

impl Sweep {
    /// A sweep without runs.
    pub fn new(
        title: String,
        seeds: RangeInclusive<u64>,
        axes: Vec<String>,
        combinations: Vec<Combination>,
        expectations: Vec<String>,
    ) -> Sweep {
        Sweep {
            title,
            seeds,
            shard: None,
            axes,
            combinations,
            expectations,
            measures: Vec::new(),
            rows: Vec::new(),
            ids: BTreeMap::new(),
        }
    }

    /// How many runs the whole sweep has, or its part if it is one.
    pub fn planned(&self) -> u64 {
        let seeds = (self.seeds.end() - self.seeds.start()).saturating_add(1);
        let all = seeds.saturating_mul(self.combinations.len() as u64);
        match self.shard {
            None => all,
            Some((i, n)) => (all + u64::from(n) - u64::from(i)) / u64::from(n),
        }
    }

    /// Takes a finished run.
    pub fn add(&mut self, combination: usize, seed: u64, finished: Finished) {
        let mut row = Row {
            combination: combination as u32,
            seed,
            verdict: Verdict::Fail,
            digest: 0,
            events: 0,
            judged: Vec::new(),
            failures: Vec::new(),
            figures: Vec::new(),
            lines: Vec::new(),
        };
        match finished {
            Finished::Panicked(message) => row.failures.push((None, message)),
            Finished::Result(result, lines) => {
                row.verdict = result.verdict();
                (row.digest, row.events, row.lines) = (result.digest, result.events, lines);
                self.combinations[combination].faults.add(&result.faults);
                let names = distinct(result.expectations.iter().map(|e| e.name.as_str()));
                for (name, e) in names.iter().zip(&result.expectations) {
                    let Some(id) = self.expectations.iter().position(|n| n == name) else {
                        continue;
                    };
                    row.judged.push((id as u32, e.verdict));
                    if e.verdict == Verdict::Fail {
                        row.failures.push((Some(id as u32), e.detail.clone()));
                    }
                }
                for m in result.measures.iter().filter(|m| m.n > 0) {
                    let id = self.measure_id(&m.name, &m.unit);
                    let (n, min, p50) = (m.n, m.min, m.p50);
                    let figures = Figures { n, min, p50, p90: m.p90, p99: m.p99, max: m.max };
                    row.figures.push((id, figures));
                }
            }
        }
        self.rows.push(row);
    }

    /// The number of a measure, new if need be.
    pub fn measure_id(&mut self, name: &str, unit: &str) -> u32 {
        if let Some(&id) = self.ids.get(name) {
            return id;
        }
        let id = self.measures.len() as u32;
        self.measures.push((name.to_string(), unit.to_string()));
        self.ids.insert(name.to_string(), id);
        id
    }

    /// Brings rows and measures into their order, which does not depend on who ran what when.
    pub fn finish(&mut self) {
        let places: BTreeMap<u32, u32> =
            self.ids.values().enumerate().map(|(place, &id)| (id, place as u32)).collect();
        self.measures.sort();
        for (place, id) in self.ids.values_mut().enumerate() {
            *id = place as u32;
        }
        for row in &mut self.rows {
            row.figures.iter_mut().for_each(|(id, _)| *id = places[id]);
            row.figures.sort_by_key(|(id, _)| *id);
            row.judged.sort_by_key(|(id, _)| *id);
        }
        self.rows.sort_by_key(|row| (row.combination, row.seed));
    }

    /// The rows of a combination.
    pub fn rows_of(&self, combination: usize) -> &[Row] {
        let from = self.rows.partition_point(|r| (r.combination as usize) < combination);
        let until = self.rows.partition_point(|r| r.combination as usize <= combination);
        &self.rows[from..until]
    }

    /// Fail if a run failed; else pass, unless no run could be judged: the table says how many could not.
    pub fn verdict(&self) -> Verdict {
        let any = |verdict| self.rows.iter().any(|r| r.verdict == verdict);
        match (any(Verdict::Fail), any(Verdict::Pass)) {
            (true, _) => Verdict::Fail,
            (false, true) => Verdict::Pass,
            (false, false) => Verdict::NotJudged,
        }
    }

    /// Whether the program failed in a run.
    pub fn panicked(&self) -> bool {
        self.rows.iter().any(|r| r.failures.iter().any(|(expectation, _)| expectation.is_none()))
    }

    /// Puts the parts of one sweep together.
    ///
    /// # Errors
    /// Why they are no parts of one sweep, in a few words.
    pub fn merge(parts: Vec<Sweep>) -> Result<Sweep, String> {
        let mut parts = parts.into_iter();
        let mut whole = parts.next().ok_or("there is nothing to merge")?;
        for part in parts {
            whole.take_in(part)?;
        }
        whole.finish();
        let twice = whole
            .rows
            .windows(2)
            .find(|w| (w[0].combination, w[0].seed) == (w[1].combination, w[1].seed));
        if let Some([row, _]) = twice {
            return Err(format!("seed {} is in two of them", row.seed));
        }
        whole.shard = None;
        Ok(whole)
    }

    fn take_in(&mut self, part: Sweep) -> Result<(), String> {
        let same = |a: &Combination, b: &Combination| {
            (&a.scenario, &a.values, &a.overrides, a.duration)
                == (&b.scenario, &b.values, &b.overrides, b.duration)
        };
        let combinations = self.combinations.len() == part.combinations.len()
            && self.combinations.iter().zip(&part.combinations).all(|(a, b)| same(a, b));
        if self.title != part.title || self.axes != part.axes || !combinations {
            return Err("they are of different scenarios or settings".to_string());
        }
        if self.seeds != part.seeds || self.expectations != part.expectations {
            return Err("they have different seeds or expectations".to_string());
        }
        if self.shard.map(|s| s.1) != part.shard.map(|s| s.1) || self.shard == part.shard {
            return Err("they are not different parts of one whole".to_string());
        }
        for (mine, theirs) in self.combinations.iter_mut().zip(part.combinations) {
            match theirs.faults {
                Faults::Unknown => {}
                Faults::Same(spans) => mine.faults.add(&spans),
                Faults::Different => mine.faults = Faults::Different,
            }
        }
        self.append(part.measures, part.rows, 0);
        Ok(())
    }

    /// Takes rows in, whose measures are numbered as in this list and whose combinations from `first` on.
    pub fn append(&mut self, measures: Vec<(String, String)>, rows: Vec<Row>, first: u32) {
        let ids: Vec<u32> = measures.iter().map(|(n, u)| self.measure_id(n, u)).collect();
        for mut row in rows {
            row.combination += first;
            row.figures.iter_mut().for_each(|(id, _)| *id = ids[*id as usize]);
            self.rows.push(row);
        }
    }
}

impl Combination {
    /// What it is called: its values, each with the last part of its axis, or the scenario.
    pub fn label(&self, axes: &[String]) -> String {
        if self.values.is_empty() {
            return "as the file stands".to_string();
        }
        let one = |(axis, value): (&String, &String)| {
            let words = value.starts_with(|c: char| c.is_alphabetic())
                && value != "true"
                && value != "false";
            if words {
                return value.clone(); // it speaks for itself
            }
            let last = axis.rsplit('.').next().unwrap_or(axis).replace('_', " ");
            format!("{last} {value}")
        };
        let present = axes.iter().zip(&self.values).filter(|(_, value)| !value.is_empty());
        present.map(one).collect::<Vec<_>>().join(", ")
    }
}

impl Faults {
    /// Takes in the faults of one more run.
    pub fn add(&mut self, spans: &[FaultSpan]) {
        match self {
            Faults::Unknown => *self = Faults::Same(spans.to_vec()),
            Faults::Same(known) if known == spans => {}
            _ => *self = Faults::Different,
        }
    }
}

/// Names told apart: a second one of the same text gets a number.
pub fn distinct<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    names
        .map(|name| {
            let count = seen.entry(name).or_default();
            *count += 1;
            if *count == 1 { name.to_string() } else { format!("{name} ({count})") }
        })
        .collect()
}

/// What a run's series are at [`CELLS`] + 1 moments of a run of this length.
pub fn sample(series: &[Series], duration: SimDuration) -> Vec<Sampled> {
    let finite = |s: &&Series| s.points.iter().any(|p| p.1.is_finite());
    let one = |s: &Series| {
        let end = duration.as_secs_f64();
        let at = |i: usize| end * i as f64 / CELLS as f64;
        let values = match s.steps {
            true => (0..=CELLS).map(|i| held(&s.points, at(i))).collect(),
            false => windows(&s.points, at),
        };
        Sampled { chart: s.chart.clone(), line: s.line.clone(), unit: s.unit.clone(), values }
    };
    series.iter().filter(finite).take(LINES_MAX).map(one).collect()
}

/// The value that holds at a moment.
fn held(points: &[(f64, f64)], at: f64) -> f32 {
    match points.partition_point(|p| p.0 <= at) {
        0 => f32::NAN,
        n => points[n - 1].1 as f32,
    }
}

/// The value of the window that each moment lies in; none where a window is missing.
fn windows(points: &[(f64, f64)], at: impl Fn(usize) -> f64) -> Vec<f32> {
    let mut gaps: Vec<f64> = points.windows(2).map(|w| w[1].0 - w[0].0).collect();
    gaps.sort_by(f64::total_cmp);
    let usual = gaps.get(gaps.len().saturating_sub(1) / 2).copied().unwrap_or(f64::INFINITY);
    (0..=CELLS)
        .map(|i| match points.get(points.partition_point(|p| p.0 < at(i))) {
            Some(&(end, value)) if end - at(i) <= usual * 1.000_001 => value as f32,
            _ => f32::NAN,
        })
        .collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::measure::{ExpectationResult, Measure};

    fn combination(value: &str) -> Combination {
        Combination {
            scenario: "a.toml".into(),
            values: vec![value.into()],
            overrides: vec![format!("vary.design={value}")],
            changes: vec!["without host.a".into()],
            duration: SimDuration::from_secs(240),
            faults: Faults::Unknown,
        }
    }

    pub(in crate::measure) fn empty() -> Sweep {
        let combinations = vec![combination("one"), combination("two")];
        Sweep::new("t".into(), 1..=10, vec!["design".into()], combinations, vec!["it holds".into()])
    }

    pub(in crate::measure) fn result(seed: u64, fails: bool, extra: &str) -> Finished {
        let verdict = if fails { Verdict::Fail } else { Verdict::Pass };
        let detail = format!("{seed} of 812 at 09:0{seed}:00.100");
        let measure = |name: &str, v| Measure {
            name: name.into(),
            unit: "s".into(),
            n: 1,
            min: v,
            p50: v,
            p90: v,
            p99: v,
            max: v,
        };
        let expectations = vec![ExpectationResult { name: "it holds".into(), verdict, detail }];
        let measures = vec![measure("time", seed as f64), measure(extra, 1.0)];
        let result = RunResult { seed, expectations, measures, ..RunResult::default() };
        Finished::Result(Box::new(result), Vec::new())
    }

    #[test]
    fn parts_put_together_are_the_whole_in_whatever_order() {
        let mut whole = empty();
        let mut parts = [empty(), empty(), empty()];
        for job in 0..20u64 {
            let (combination, seed) = ((job / 10) as usize, 1 + job % 10);
            let extra = if job % 2 == 0 { "even" } else { "odd" };
            whole.add(combination, seed, result(seed, seed == 4, extra));
            let part = (job % 3) as usize;
            parts[part].shard = Some((part as u32 + 1, 3));
            parts[part].add(combination, seed, result(seed, seed == 4, extra));
        }
        whole.finish();
        let [a, b, c] = parts;
        assert_eq!([a.planned(), b.planned(), c.planned()], [7, 7, 6]);
        let merged = Sweep::merge(vec![c, a, b.clone()]).unwrap();
        assert_eq!(merged, whole);
        for row in &whole.rows {
            let named = |id: u32| whole.measures[id as usize].0.as_str();
            let time = row.figures.iter().find(|(id, _)| named(*id) == "time");
            assert_eq!(time.map(|(_, f)| f.max), Some(row.seed as f64), "each under its name");
        }
        assert!(Sweep::merge(vec![b.clone(), b]).is_err(), "a part twice");
    }

    #[test]
    fn what_holds_is_sampled_and_a_missing_window_stays_missing() {
        let series = |steps, points| Series {
            chart: "c".into(),
            line: "l".into(),
            unit: "%".into(),
            steps,
            points,
        };
        let duration = SimDuration::from_secs(240);
        let held = &sample(&[series(true, vec![(10.0, 1.0), (20.5, 2.0)])], duration)[0];
        assert!(held.values[9].is_nan() && held.values.len() == CELLS + 1);
        assert_eq!((held.values[10], held.values[20], held.values[21]), (1.0, 1.0, 2.0));
        let points = vec![(60.0, 5.0), (120.0, 6.0), (240.0, 7.0)];
        let windows = &sample(&[series(false, points)], duration)[0];
        assert_eq!((windows.values[1], windows.values[61], windows.values[200]), (5.0, 6.0, 7.0));
        assert!(windows.values[150].is_nan(), "no window ended at 180");
    }

    #[test]
    fn names_are_told_apart() {
        assert_eq!(distinct(["a", "b", "a"].into_iter()), ["a", "b", "a (2)"]);
    }
}
