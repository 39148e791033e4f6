//! The tables of a sweep, and reading them again.
//!
//! `runs.csv` has a row for each run: combination, what was varied, seed, verdict, digest, events, what
//! failed, the verdict of each expectation and the figures of each measure, one column for a plain number
//! and six for a distribution. Numbers are written so that they are read as the same number. `failures.csv`
//! has a row for each expectation that failed in a run, `series.csv` values over time of the first seeds.

use super::csv;
use super::json::Header;
use crate::measure::failures::what_failed;
use crate::measure::sweep::{
    CELLS, Combination, Faults, Figures, Finished, PROGRAM, Row, Sampled, Sweep, distinct, sample,
};
use crate::measure::{ExpectationResult, Measure, RunResult, Verdict};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write;

/// Why a folder holds no sweep.
#[derive(Debug, thiserror::Error)]
#[error("{file}: {why}")]
pub struct ReadError {
    /// Which file.
    pub file: &'static str,
    /// What is wrong with it.
    pub why: String,
}

/// The six figures of a distribution, as columns are called.
const FIGURES: [&str; 6] = ["n", "min", "p50", "p90", "p99", "max"];

/// Which measures are a plain number in all runs.
pub fn singles(sweep: &Sweep) -> Vec<bool> {
    let mut single = vec![true; sweep.measures.len()];
    for (id, figures) in sweep.rows.iter().flat_map(|row| &row.figures) {
        single[*id as usize] &= figures.is_single();
    }
    single
}

/// The columns of the measures.
pub fn measure_columns(sweep: &Sweep) -> Vec<String> {
    let columns = |((name, _), single): (&(String, String), bool)| match single {
        true => vec![name.clone()],
        false => FIGURES.iter().map(|figure| format!("{name}.{figure}")).collect(),
    };
    sweep.measures.iter().zip(singles(sweep)).flat_map(columns).collect()
}

/// The figures of a row in those columns; nothing where the run did not measure it.
pub fn measure_cells(row: &Row, singles: &[bool]) -> Vec<Option<f64>> {
    let mut cells = Vec::new();
    for (id, single) in singles.iter().enumerate() {
        let found = row.figures.binary_search_by_key(&(id as u32), |(id, _)| *id);
        let figures = found.ok().map(|i| row.figures[i].1);
        match single {
            true => cells.push(figures.map(|f| f.max)),
            false => {
                cells.extend(figures.map_or([None; 6], |f| {
                    [f.n as f64, f.min, f.p50, f.p90, f.p99, f.max].map(Some)
                }))
            }
        }
    }
    cells
}

/// How a run came out, in a word.
pub fn verdict_of(row: &Row) -> &'static str {
    match row.verdict {
        _ if row.failures.iter().any(|(expectation, _)| expectation.is_none()) => "panic",
        Verdict::Pass => "pass",
        Verdict::Fail => "fail",
        Verdict::NotJudged => "not-judged",
    }
}

/// What failed in a run, in words: each expectation with what was seen.
pub fn failed_in(sweep: &Sweep, row: &Row) -> String {
    let one = |(expectation, detail): &(Option<u32>, String)| {
        format!("{}: {}", sweep.expectation_name(*expectation), what_failed(detail))
    };
    row.failures.iter().map(one).collect::<Vec<_>>().join("; ")
}

/// `runs.csv`.
pub fn runs_csv(sweep: &Sweep) -> String {
    let mut out = String::new();
    let fixed = ["combination"].map(String::from).into_iter();
    let axes = sweep.axes.iter().map(|axis| format!("vary.{axis}"));
    let run = ["seed", "verdict", "digest", "events", "failed"].map(String::from);
    let expectations = sweep.expectations.iter().map(|name| format!("expect.{name}"));
    csv::row(
        &mut out,
        fixed.chain(axes).chain(run).chain(expectations).chain(measure_columns(sweep)),
    );
    let singles = singles(sweep);
    for row in &sweep.rows {
        let combination = &sweep.combinations[row.combination as usize];
        let mut cells = vec![(row.combination + 1).to_string()];
        cells.extend(combination.values.iter().cloned());
        cells.extend([
            row.seed.to_string(),
            verdict_of(row).to_string(),
            format!("{:016x}", row.digest),
            row.events.to_string(),
            failed_in(sweep, row),
        ]);
        let mut judged = vec![String::new(); sweep.expectations.len()];
        for (id, verdict) in &row.judged {
            judged[*id as usize] = word(*verdict).to_string();
        }
        cells.extend(judged);
        let figure = |v: Option<f64>| v.map_or(String::new(), |v| v.to_string());
        cells.extend(measure_cells(row, &singles).into_iter().map(figure));
        csv::row(&mut out, cells);
    }
    out
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "pass",
        Verdict::Fail => "fail",
        Verdict::NotJudged => "not-judged",
    }
}

fn verdict(word: &str) -> Option<Verdict> {
    Some(match word {
        "pass" => Verdict::Pass,
        "fail" | "panic" => Verdict::Fail,
        "not-judged" => Verdict::NotJudged,
        _ => return None,
    })
}

/// `failures.csv`.
pub fn failures_csv(sweep: &Sweep) -> String {
    let mut out = String::new();
    let head = ["combination", "seed", "expectation", "what", "detail", "again"];
    csv::row(&mut out, head.map(String::from));
    for row in &sweep.rows {
        for (expectation, detail) in &row.failures {
            csv::row(
                &mut out,
                [
                    (row.combination + 1).to_string(),
                    row.seed.to_string(),
                    sweep.expectation_name(*expectation).to_string(),
                    what_failed(detail),
                    detail.clone(),
                    super::again(sweep, row.combination as usize, row.seed),
                ],
            );
        }
    }
    out
}

/// `series.csv`: values at equally distant moments from the start to the end, parted by spaces; `v*n` is n
/// times v, `-` is no value.
pub fn series_csv(sweep: &Sweep) -> String {
    let mut out = String::new();
    csv::row(
        &mut out,
        ["combination", "seed", "chart", "line", "unit", "values"].map(String::from),
    );
    for row in &sweep.rows {
        for s in &row.lines {
            let (combination, seed) = ((row.combination + 1).to_string(), row.seed.to_string());
            let named = [s.chart.clone(), s.line.clone(), s.unit.clone(), packed(&s.values)];
            csv::row(&mut out, [combination, seed].into_iter().chain(named));
        }
    }
    out
}

/// What a run's folder needs beyond its summary to be compared: what it was, and its series.
pub fn run_files(result: &RunResult) -> [(String, Vec<u8>); 2] {
    let sweep = whole_run(result);
    [
        ("run.json".to_string(), Header::text(&sweep).into_bytes()),
        ("series.csv".to_string(), series_csv(&sweep).into_bytes()),
    ]
}

/// A run as the sweep of its seed.
fn whole_run(result: &RunResult) -> Sweep {
    let combination = Combination {
        scenario: result.scenario.clone(),
        values: Vec::new(),
        overrides: result.overrides.clone(),
        changes: Vec::new(),
        duration: result.sim_time,
        faults: Faults::Unknown,
    };
    let expectations = distinct(result.expectations.iter().map(|e| e.name.as_str()));
    let seeds = result.seed..=result.seed;
    let title = result.title.clone();
    let mut sweep = Sweep::new(title, seeds, Vec::new(), vec![combination], expectations);
    let lines = sample(&result.series, result.sim_time);
    sweep.add(0, result.seed, Finished::Result(Box::new(result.clone()), lines));
    sweep.finish();
    sweep
}

/// Adds the run that `summary.json` tells of to a sweep without runs.
fn add_run(sweep: &mut Sweep, summary: &Value) -> Option<()> {
    let text = |v: &Value| v.as_str().map(str::to_string);
    let seed = summary["seed"].as_u64()?;
    let mut result = RunResult {
        seed,
        digest: u64::from_str_radix(summary["digest"].as_str()?, 16).ok()?,
        events: summary["events"].as_u64()?,
        ..RunResult::default()
    };
    for e in summary["expectations"].as_array()? {
        let (name, detail) = (text(&e["name"])?, text(&e["detail"])?);
        let verdict = verdict(e["verdict"].as_str()?)?;
        result.expectations.push(ExpectationResult { name, verdict, detail });
    }
    for (name, m) in summary["measures"].as_object()? {
        let figure = |key: &str| m[key].as_f64().unwrap_or(f64::NAN);
        result.measures.push(Measure {
            name: name.clone(),
            unit: text(&m["unit"])?,
            n: m["n"].as_u64()?,
            min: figure("min"),
            p50: figure("p50"),
            p90: figure("p90"),
            p99: figure("p99"),
            max: figure("max"),
        });
    }
    if let Some(Faults::Same(spans)) = sweep.combinations.first().map(|c| c.faults.clone()) {
        result.faults = spans;
    }
    (sweep.combinations.len() == 1).then(|| {
        sweep.add(0, seed, Finished::Result(Box::new(result), Vec::new()));
    })
}

fn packed(values: &[f32]) -> String {
    let mut out = String::new();
    for same in values.chunk_by(|a, b| a.to_bits() == b.to_bits()) {
        if !out.is_empty() {
            out.push(' ');
        }
        let _ = match same[0].is_finite() {
            true => write!(out, "{}", same[0]),
            false => write!(out, "-"),
        };
        if same.len() > 1 {
            let _ = write!(out, "*{}", same.len());
        }
    }
    out
}

fn unpacked(text: &str) -> Option<Vec<f32>> {
    let mut values = Vec::new();
    for part in text.split(' ') {
        let (value, times) = part.split_once('*').unwrap_or((part, "1"));
        let value = if value == "-" { f32::NAN } else { value.parse().ok()? };
        let times: usize = times.parse().ok()?;
        if times > CELLS + 1 {
            return None;
        }
        values.extend(std::iter::repeat_n(value, times));
    }
    (values.len() == CELLS + 1).then_some(values)
}

/// Reads a sweep from its folder, or the run that is there; `read` gives the text of a file in it.
///
/// # Errors
/// Which file is missing or is not what it should be.
pub fn read_sweep(
    read: &dyn Fn(&'static str) -> Result<String, String>,
) -> Result<Sweep, ReadError> {
    let text = |file| read(file).map_err(|why| ReadError { file, why });
    let summary = text("summary.json")?;
    let bad = |file, e: serde_json::Error| ReadError { file, why: format!("no summary: {e}") };
    let json: Value = serde_json::from_str(&summary).map_err(|e| bad("summary.json", e))?;
    let single = json["seed"].is_u64();
    let header: Header = match single {
        true => serde_json::from_str(&text("run.json")?).map_err(|e| bad("run.json", e))?,
        false => serde_json::from_value(json.clone()).map_err(|e| bad("summary.json", e))?,
    };
    let units = header.units.clone();
    let mut sweep = header.sweep();
    if sweep.combinations.iter().any(|c| c.values.len() != sweep.axes.len()) {
        return Err(ReadError { file: "summary.json", why: "not one value an axis".to_string() });
    }
    for (name, unit) in &units {
        sweep.measure_id(name, unit);
    }
    if single {
        let why = "it is no summary of a run".to_string();
        add_run(&mut sweep, &json).ok_or(ReadError { file: "summary.json", why })?;
        let places = Places::from([((0, sweep.rows[0].seed), 0)]);
        read_series(&mut sweep, &places, &csv::read(&text("series.csv")?))?;
        sweep.finish();
        return Ok(sweep);
    }
    let runs = csv::read(&text("runs.csv")?);
    let places = read_runs(&mut sweep, &runs)?;
    read_failures(&mut sweep, &places, &csv::read(&text("failures.csv")?))?;
    read_series(&mut sweep, &places, &csv::read(&text("series.csv")?))?;
    sweep.finish();
    Ok(sweep)
}

/// Where the row of a combination and seed is.
type Places = BTreeMap<(u32, u64), usize>;

fn read_runs(sweep: &mut Sweep, table: &[Vec<String>]) -> Result<Places, ReadError> {
    let bad = |why: String| ReadError { file: "runs.csv", why };
    let head = table.first().ok_or_else(|| bad("it is empty".to_string()))?;
    let column: BTreeMap<&str, usize> =
        head.iter().enumerate().map(|(i, name)| (name.as_str(), i)).collect();
    let place = |name: &str| {
        column.get(name).copied().ok_or_else(|| bad(format!("the column `{name}` is missing")))
    };
    let [combination, seed, verdict_at, digest, events] = [
        place("combination")?,
        place("seed")?,
        place("verdict")?,
        place("digest")?,
        place("events")?,
    ];
    let judged: Vec<usize> = sweep
        .expectations
        .iter()
        .map(|name| place(&format!("expect.{name}")))
        .collect::<Result<_, _>>()?;
    // The figures of a distribution begin at its number of values.
    let measures: Vec<(usize, bool)> = sweep
        .measures
        .iter()
        .map(|(name, _)| match column.get(name.as_str()) {
            Some(&i) => Ok((i, true)),
            None => place(&format!("{name}.n")).map(|i| (i, false)),
        })
        .collect::<Result<_, _>>()?;
    let mut places = Places::new();
    for (line, cells) in table.iter().enumerate().skip(1) {
        let row = (cells.len() == head.len())
            .then(|| {
                let id = cells[combination].parse::<u32>().ok()?.checked_sub(1)?;
                let row = Row {
                    combination: id,
                    seed: cells[seed].parse().ok()?,
                    verdict: verdict(&cells[verdict_at])?,
                    digest: u64::from_str_radix(&cells[digest], 16).ok()?,
                    events: cells[events].parse().ok()?,
                    judged: judged
                        .iter()
                        .enumerate()
                        .filter_map(|(id, &i)| Some((id as u32, verdict(&cells[i])?)))
                        .collect(),
                    failures: Vec::new(),
                    figures: read_figures(cells, &measures)?,
                    lines: Vec::new(),
                };
                ((id as usize) < sweep.combinations.len()).then_some(row)
            })
            .flatten()
            .ok_or_else(|| bad(format!("line {} is no run", line + 1)))?;
        places.insert((row.combination, row.seed), sweep.rows.len());
        sweep.rows.push(row);
    }
    Ok(places)
}

fn read_figures(cells: &[String], measures: &[(usize, bool)]) -> Option<Vec<(u32, Figures)>> {
    let mut figures = Vec::new();
    for (id, &(at, single)) in measures.iter().enumerate() {
        let number = |i: usize| cells.get(at + i)?.parse::<f64>().ok();
        if cells.get(at)?.is_empty() {
            continue;
        }
        let read = match single {
            true => Figures::single(number(0)?),
            false => Figures {
                n: cells[at].parse().ok()?,
                min: number(1)?,
                p50: number(2)?,
                p90: number(3)?,
                p99: number(4)?,
                max: number(5)?,
            },
        };
        figures.push((id as u32, read));
    }
    Some(figures)
}

fn read_failures(
    sweep: &mut Sweep,
    places: &Places,
    table: &[Vec<String>],
) -> Result<(), ReadError> {
    for (line, cells) in table.iter().enumerate().skip(1) {
        let read = || {
            let row = place_of(places, cells)?;
            let name = cells.get(2)?;
            let id = sweep.expectations.iter().position(|n| n == name).map(|i| i as u32);
            (id.is_some() || name == PROGRAM).then_some(())?;
            Some((row, id, cells.get(4)?.clone()))
        };
        let (row, id, detail) = read().ok_or_else(|| ReadError {
            file: "failures.csv",
            why: format!("line {} is no failure of a run in runs.csv", line + 1),
        })?;
        sweep.rows[row].failures.push((id, detail));
    }
    Ok(())
}

fn read_series(sweep: &mut Sweep, places: &Places, table: &[Vec<String>]) -> Result<(), ReadError> {
    for (line, cells) in table.iter().enumerate().skip(1) {
        let read = || {
            let row = place_of(places, cells)?;
            let [chart, line, unit] =
                [cells.get(2)?, cells.get(3)?, cells.get(4)?].map(String::clone);
            Some((row, Sampled { chart, line, unit, values: unpacked(cells.get(5)?)? }))
        };
        let (row, sampled) = read().ok_or_else(|| ReadError {
            file: "series.csv",
            why: format!("line {} is no series of a run in runs.csv", line + 1),
        })?;
        sweep.rows[row].lines.push(sampled);
    }
    Ok(())
}

fn place_of(places: &Places, cells: &[String]) -> Option<usize> {
    let combination = cells.first()?.parse::<u32>().ok()?.checked_sub(1)?;
    places.get(&(combination, cells.get(1)?.parse().ok()?)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_packed_without_loss() {
        let mut values = vec![f32::NAN; 5];
        values.resize(CELLS, 99.7);
        values.push(0.1);
        assert_eq!(packed(&values), "-*5 99.7*235 0.1");
        let back = unpacked(&packed(&values)).unwrap();
        assert!(back.iter().zip(&values).all(|(a, b)| a.to_bits() == b.to_bits()));
        assert!(unpacked("1*99999999999").is_none() && unpacked("").is_none());
    }
}
