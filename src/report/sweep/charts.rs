//! The charts of a sweep: how each measure that matters spreads over the seeds, setting by setting, and how
//! what changes over time goes in the middle of all runs.

use super::losses;
use super::stats::{Subject, is_detail, quantile, subjects};
use crate::measure::sweep::{CELLS, Faults, Sampled, Sweep};
use crate::report::Chart;
use crate::report::chart::{Line, finish};
use crate::report::format::{duration, grouped, value};
use std::collections::BTreeMap;

/// No more charts of measures than this, unless they were asked for.
const MEASURES_MAX: usize = 10;
/// No more charts over time than this.
const LINES_MAX: usize = 10;
/// With more lines than this in a chart their bands would cover each other.
const BANDS_MAX: usize = 4;

/// All charts of a sweep.
pub fn charts(sweep: &Sweep, chosen: &[String]) -> Vec<Chart> {
    let beside = losses::chart(sweep, subtitle(sweep));
    let mut all: Vec<Chart> = beside.into_iter().collect();
    all.extend(strips(sweep, chosen));
    all.extend(over_time(sweep));
    all
}

fn subtitle(sweep: &Sweep) -> String {
    let seeds = grouped(sweep.seeds.end() - sweep.seeds.start() + 1);
    let settings = match sweep.combinations.len() {
        1 => String::new(),
        n => format!(" · {n} settings on the same seeds"),
    };
    format!("{} · {seeds} seeds{settings}", sweep.title)
}

/// One chart for each measure wanted: what the seeds gave, by combination.
fn strips(sweep: &Sweep, chosen: &[String]) -> Vec<Chart> {
    let wanted = |s: &&Subject| {
        let name = &sweep.measures[s.measure as usize].0;
        if chosen.is_empty() {
            // Losses have a chart of their own.
            let beside = sweep.combinations.len() > 1 && losses::is_loss(name);
            return !is_detail(name) && !s.is_constant(sweep) && !beside;
        }
        chosen.iter().any(|wanted| is_wanted(name, wanted))
    };
    let all = subjects(sweep);
    let most = if chosen.is_empty() { MEASURES_MAX } else { usize::MAX };
    all.iter().filter(wanted).take(most).map(|s| strip(sweep, s)).collect()
}

/// Whether a measure is meant: by its name, or by a beginning of it that ends in `*`.
pub fn is_wanted(name: &str, wanted: &str) -> bool {
    wanted.strip_suffix('*').map_or(name == wanted, |start| name.starts_with(start))
}

fn strip(sweep: &Sweep, subject: &Subject) -> Chart {
    let mut letters = subject.name.chars();
    let title: String =
        letters.next().map(|c| c.to_uppercase().chain(letters).collect()).unwrap_or_default();
    let what = subject.name.clone();
    let mut chart = Chart::strips(&subject.name, title, what, &subject.unit);
    let dots = " · a dot: a run, or one per cent of them; bar: 10 % to 90 %; line: the median";
    chart.subtitle = subtitle(sweep) + dots;
    for (c, combination) in sweep.combinations.iter().enumerate() {
        let values = subject.values(sweep, c);
        let points = values.iter().map(|&v| (v, 0.0)).collect();
        let name = match sweep.axes.is_empty() {
            true => format!("{} runs", grouped(sweep.rows_of(c).len() as u64)),
            false => combination.label(&sweep.axes),
        };
        let mut line = Line::new(name, true, points);
        line.note = match subject.spread(sweep, c) {
            None => "never measured".to_string(),
            Some(s) => {
                let [median, worst] = [s.median, s.worst].map(|v| value(v, &subject.unit));
                let end = if subject.more_is_better { "lowest" } else { "highest" };
                format!("median {median}, {end} {worst}")
            }
        };
        chart.lines.push(line);
    }
    chart
}

/// The median over the runs at every moment: a chart for each line if settings are compared, else one for
/// all lines of a chart.
fn over_time(sweep: &Sweep) -> Vec<Chart> {
    let mut keys: Vec<(&str, &str, &str)> = Vec::new();
    for s in sweep.rows.iter().flat_map(|row| &row.lines) {
        let key = (s.chart.as_str(), s.line.as_str(), s.unit.as_str());
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    // Rows of one combination may lack what others have: by name, so that the order is that of no row.
    keys.sort_unstable();
    let compared = sweep.combinations.len() > 1;
    let until = sweep.combinations.iter().map(|c| c.duration.as_secs_f64()).fold(0.0, f64::max);
    let faults = common_faults(sweep);
    let mut all: Vec<(&str, Chart)> = Vec::new();
    for (chart, line, unit) in keys {
        let named = if compared { line } else { "" };
        let place =
            match all.iter().position(|(c, made)| !compared && *c == chart && made.unit == unit) {
                Some(i) => i,
                None => {
                    let mut made = Chart::over_time(chart, named, unit, until);
                    made.title.push_str(", median of the runs");
                    made.subtitle = subtitle(sweep);
                    made.faults = faults.clone();
                    all.push((chart, made));
                    all.len() - 1
                }
            };
        for c in 0..sweep.combinations.len() {
            let mut drawn = median_line(sweep, c, (chart, line, unit));
            if drawn.points.iter().all(|p| !p.1.is_finite()) {
                drawn = Line::new(String::new(), true, Vec::new()); // keeps the others' colours
            } else {
                drawn.name = match compared {
                    true => sweep.combinations[c].label(&sweep.axes),
                    false => line.to_string(),
                };
            }
            all[place].1.lines.push(drawn);
        }
    }
    all.retain(|(_, chart)| !is_flat(chart));
    // What is about all comes before what is about one site or server.
    all.sort_by_key(|(chart, made)| (*chart != "resolution", !made.title.contains("all sites")));
    all.truncate(LINES_MAX);
    for (_, chart) in &mut all {
        let note = match chart.lines.len() > BANDS_MAX {
            true => {
                chart.lines.iter_mut().for_each(|line| line.band.clear());
                String::new()
            }
            false => " · shade: 10 % to 90 % of the runs".to_string(),
        };
        chart.subtitle.push_str(&note);
        if sweep.combinations.iter().any(|c| c.faults == Faults::Different) {
            chart.subtitle.push_str(" · faults at other times in each run");
        }
    }
    finish(all.into_iter().map(|(_, chart)| chart).collect(), until)
}

/// Whether nothing is to be seen: one value, in all settings, all the time.
fn is_flat(chart: &Chart) -> bool {
    let lines = chart.lines.iter();
    let points = lines.flat_map(|l| l.points.iter().map(|p| p.1).chain(l.band.iter().map(|b| b.1)));
    let tops = chart.lines.iter().flat_map(|l| l.band.iter().map(|b| b.2));
    let mut values = points.chain(tops).filter(|v| v.is_finite());
    let first = values.next();
    values.all(|v| Some(v) == first)
}

/// The faults, if all runs had the same.
fn common_faults(sweep: &Sweep) -> Vec<crate::measure::FaultSpan> {
    let mut known = Faults::Unknown;
    for combination in &sweep.combinations {
        match &combination.faults {
            Faults::Unknown => {}
            Faults::Same(spans) => known.add(spans),
            Faults::Different => known = Faults::Different,
        }
    }
    if let Faults::Same(spans) = known { spans } else { Vec::new() }
}

fn median_line(sweep: &Sweep, combination: usize, key: (&str, &str, &str)) -> Line {
    let same = |s: &&Sampled| (s.chart.as_str(), s.line.as_str(), s.unit.as_str()) == key;
    let rows = sweep.rows_of(combination).iter();
    let runs: Vec<&[f32]> =
        rows.filter_map(|row| row.lines.iter().find(same)).map(|s| s.values.as_slice()).collect();
    let end = sweep.combinations[combination].duration.as_secs_f64();
    let mut line = Line::new(String::new(), true, Vec::new());
    for cell in 0..CELLS {
        let at = end * cell as f64 / CELLS as f64;
        let mut values: Vec<f64> =
            runs.iter().map(|run| f64::from(run[cell])).filter(|v| v.is_finite()).collect();
        values.sort_by(f64::total_cmp);
        // What fewer than half of the runs have is no middle of them.
        let [low, middle, high] = match values.len() * 2 >= runs.len() && !values.is_empty() {
            true => [100, 500, 900].map(|q| quantile(&values, q)),
            false => [f64::NAN; 3],
        };
        line.points.push((at, middle));
        if runs.len() > 1 {
            line.band.push((at, low, high));
        }
    }
    line
}

/// How long each run is, if all are the same.
pub fn run_length(sweep: &Sweep) -> String {
    let mut lengths: BTreeMap<u64, String> = BTreeMap::new();
    for c in &sweep.combinations {
        lengths.insert(c.duration.nanos(), duration(c.duration.as_secs_f64()));
    }
    lengths.into_values().collect::<Vec<_>>().join(" or ")
}
