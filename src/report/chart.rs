//! Which charts a run gets, and what each of them shows.
//!
//! Series and distributions that name the same chart and unit share one. A fault that takes only a sliver of
//! a long run gets the charts that tell its story a second time, drawn close to it. How a chart looks is
//! decided in `draw`.

use super::canvas::{png, svg};
use super::draw;
use super::format::words;
use super::strips;
use crate::measure::{FaultSpan, RunResult};

/// Width and height of a chart in pixels; one of few strips is less high.
pub(super) const SIZE: (u32, u32) = (1200, 600);
/// No more charts than this are drawn: a scenario with a series a host must not fill the disk.
const CHARTS_MAX: usize = 24;
/// A fault shorter than this part of the run cannot be seen in a chart of the whole.
const SLIVER: f64 = 1.0 / 5.0;

/// A chart, ready to be drawn; the same chart gives the same bytes.
#[derive(Clone, Debug)]
pub struct Chart {
    name: String,
    pub(super) title: String,
    pub(super) subtitle: String,
    pub(super) kind: Kind,
    pub(super) lines: Vec<Line>,
    /// Unit of the measured values: of the vertical axis over time, of the horizontal one of a distribution.
    pub(super) unit: String,
    /// What the measured values are, for the axis.
    pub(super) what: String,
    pub(super) faults: Vec<FaultSpan>,
    /// Of a chart of panels only; it has no lines of its own.
    pub(super) panels: Vec<Panel>,
}

#[derive(Copy, Clone, PartialEq, Debug)]
pub(super) enum Kind {
    /// Values over time, between two moments in seconds.
    Time { from: f64, until: f64 },
    /// Which part of the values is at most so large.
    Distribution,
    /// A strip for each line: its values as dots along the horizontal axis.
    Strips,
    /// Several measures beside each other, each with a bar for each line.
    Panels,
}

/// One measure of a chart of panels.
#[derive(Clone, Debug)]
pub(super) struct Panel {
    pub(super) title: String,
    /// What stands under the title.
    pub(super) what: String,
    pub(super) unit: String,
    /// Its settings; the points are the values of the runs by seed, and nothing.
    pub(super) lines: Vec<Line>,
}

/// One line of a chart.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) name: String,
    /// See [`crate::measure::Series::steps`].
    pub(super) steps: bool,
    /// Time and value; for a distribution the value and how many are at most so large; for a strip the
    /// values, ascending, and nothing.
    pub(super) points: Vec<(f64, f64)>,
    /// Time, and between which values most lie from then on.
    pub(super) band: Vec<(f64, f64, f64)>,
    /// What stands right of a strip.
    pub(super) note: String,
}

impl Line {
    pub(super) fn new(name: String, steps: bool, points: Vec<(f64, f64)>) -> Line {
        Line { name, steps, points, band: Vec::new(), note: String::new() }
    }
}

impl Chart {
    /// A chart without lines, of the values of a chart of runs.
    pub(super) fn over_time(chart: &str, line: &str, unit: &str, until: f64) -> Chart {
        let kind = Kind::Time { from: 0.0, until };
        let (title, what) = describe(chart, unit, kind);
        let named = if line.is_empty() { chart.to_string() } else { format!("{chart}-{line}") };
        Chart {
            name: file_name(&named),
            title: if line.is_empty() { title } else { format!("{title}: {line}") },
            subtitle: String::new(),
            kind,
            lines: Vec::new(),
            unit: unit.to_string(),
            what,
            faults: Vec::new(),
            panels: Vec::new(),
        }
    }

    /// A chart of strips without any yet. `what` the values are stands at their axis.
    pub(super) fn strips(name: &str, title: String, what: String, unit: &str) -> Chart {
        Chart {
            name: file_name(name),
            title,
            subtitle: String::new(),
            kind: Kind::Strips,
            lines: Vec::new(),
            unit: unit.to_string(),
            what,
            faults: Vec::new(),
            panels: Vec::new(),
        }
    }

    /// A chart of panels.
    pub(super) fn panels(name: &str, title: String, panels: Vec<Panel>) -> Chart {
        Chart { kind: Kind::Panels, panels, ..Chart::strips(name, title, String::new(), "") }
    }

    /// A name for files: letters, digits and dashes.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What stands over it.
    pub fn title(&self) -> &str {
        &self.title
    }

    pub(super) fn height(&self) -> u32 {
        if self.kind == Kind::Strips { strips::height(self) } else { SIZE.1 }
    }

    /// The chart as an SVG document, 1200 wide and 600 high or less.
    pub fn svg(&self) -> String {
        svg(
            &draw::shapes(self),
            (SIZE.0, self.height()),
            &format!("{}: {}", self.title, self.subtitle),
        )
    }

    /// The chart as a PNG file of the same size.
    pub fn png(&self) -> Vec<u8> {
        png(&draw::shapes(self), (SIZE.0, self.height()))
    }

    /// The same chart drawn close to a fault.
    fn close_to(&self, fault: &FaultSpan, from: f64, until: f64) -> Chart {
        Chart {
            name: format!("{}-fault", self.name),
            title: format!("{}, close to: {}", self.title, fault.name),
            kind: Kind::Time { from, until },
            ..self.clone()
        }
    }
}

/// The charts of a run: look-ups, names known, replication lag, then all others in the order of the run.
pub fn charts(result: &RunResult) -> Vec<Chart> {
    let mut all = Vec::new();
    collect(&mut all, result, &subtitle(result), None);
    finish(all, result.sim_time.as_secs_f64())
}

/// Several runs in one set of charts: series of the same name beside each other, each line with its run.
///
/// Faults are shaded only if all runs had the same.
pub fn compare(runs: &[RunResult]) -> Vec<Chart> {
    let Some(first) = runs.first() else { return Vec::new() };
    let same_scenario = runs.iter().all(|r| r.scenario == first.scenario);
    let subtitle = format!(
        "{} runs{}",
        runs.len(),
        if same_scenario { format!(" of {}", heading(first)) } else { String::new() }
    );
    let mut all = Vec::new();
    for run in runs {
        let mut label = format!("seed {}", run.seed);
        if !same_scenario {
            label = format!("{}, {label}", heading(run));
        }
        for set in &run.overrides {
            label = format!("{label}, {set}");
        }
        collect(&mut all, run, &subtitle, Some(&label));
    }
    if runs.iter().any(|r| r.faults != first.faults) {
        all.iter_mut().for_each(|c| c.faults.clear());
    }
    finish(all, runs.iter().map(|r| r.sim_time.as_secs_f64()).fold(0.0, f64::max))
}

fn heading(result: &RunResult) -> &str {
    if result.title.is_empty() { &result.scenario } else { &result.title }
}

fn subtitle(result: &RunResult) -> String {
    let mut text = format!("{} · seed {}", heading(result), result.seed);
    for set in &result.overrides {
        text.push_str(" · ");
        text.push_str(set);
    }
    text
}

fn collect(all: &mut Vec<Chart>, result: &RunResult, subtitle: &str, run: Option<&str>) {
    let until = result.sim_time.as_secs_f64().max(1e-9);
    let named = |line: &str| match run {
        Some(run) if line.is_empty() => run.to_string(),
        Some(run) => format!("{line}, {run}"),
        None => line.to_string(),
    };
    for s in result.series.iter().filter(|s| s.points.iter().any(|p| p.1.is_finite())) {
        let kind = Kind::Time { from: 0.0, until };
        let line = Line::new(named(&s.line), s.steps, s.points.clone());
        place(all, (&s.chart, &s.unit, kind), result, subtitle).lines.push(line);
    }
    for h in &result.histograms {
        let mut values: Vec<f64> = h.values.iter().copied().filter(|v| v.is_finite()).collect();
        if values.is_empty() {
            continue;
        }
        values.sort_by(f64::total_cmp);
        let points = values.iter().enumerate().map(|(i, &v)| (v, (i + 1) as f64)).collect();
        let line = Line::new(named(&h.line), true, points);
        place(all, (&h.chart, &h.unit, Kind::Distribution), result, subtitle).lines.push(line);
    }
}

/// The chart that takes a line of this chart name, unit and kind, made if there is none yet.
fn place<'a>(
    all: &'a mut Vec<Chart>,
    (chart, unit, kind): (&str, &str, Kind),
    result: &RunResult,
    subtitle: &str,
) -> &'a mut Chart {
    let same_kind =
        |c: &Chart| matches!(c.kind, Kind::Distribution) == matches!(kind, Kind::Distribution);
    let name = file_name(chart);
    let base = |c: &Chart| c.name == name || c.name.starts_with(&format!("{name}-in-"));
    if let Some(i) = all.iter().position(|c| base(c) && c.unit == unit && same_kind(c)) {
        if let (Kind::Time { until: old, .. }, Kind::Time { until, .. }) = (all[i].kind, kind) {
            all[i].kind = Kind::Time { from: 0.0, until: old.max(until) };
        }
        return &mut all[i];
    }
    let taken = all.iter().any(|c| c.name == name);
    let mut own = if taken { format!("{name}-in-{}", file_name(unit)) } else { name.clone() };
    while all.iter().any(|c| c.name == own) {
        own.push_str("-distribution");
    }
    let (title, what) = describe(chart, unit, kind);
    all.push(Chart {
        name: own,
        title,
        subtitle: subtitle.to_string(),
        kind,
        lines: Vec::new(),
        unit: unit.to_string(),
        what,
        faults: if kind == Kind::Distribution { Vec::new() } else { result.faults.clone() },
        panels: Vec::new(),
    });
    all.last_mut().expect("just pushed")
}

/// Title and axis text of a chart; unknown ones are called what they are named.
fn describe(chart: &str, unit: &str, kind: Kind) -> (String, String) {
    let (title, what) = match chart {
        "resolution" => ("Look-ups over time", "of look-ups"),
        "names-known" => ("Name records known", "records in the database"),
        "replication-lag" => ("Replication lag", "from a change to its replica"),
        "resolve-time" => ("Time a look-up takes", "from question to answer"),
        "queue" => ("Queue length", "requests waiting"),
        _ => ("", ""),
    };
    if !title.is_empty() {
        return (title.to_string(), what.to_string());
    }
    let words = words(chart);
    let mut letters = words.chars();
    let capital: String =
        letters.next().map(|c| c.to_uppercase().chain(letters).collect()).unwrap_or_default();
    let what = if unit == "1" || kind == Kind::Distribution { words } else { unit.to_string() };
    (capital, what)
}

/// Orders the charts, adds those close to a fault, and keeps to the limit.
pub(super) fn finish(mut all: Vec<Chart>, until: f64) -> Vec<Chart> {
    const ORDER: [&str; 3] = ["resolution", "names-known", "replication-lag"];
    let rank = |c: &Chart| ORDER.iter().position(|o| *o == c.name).unwrap_or(ORDER.len());
    all.sort_by_key(rank); // stable: others keep their order
    let mut out: Vec<Chart> = Vec::new();
    for chart in all {
        let close = close_window(&chart, until);
        out.push(chart);
        if let Some((fault, from, until)) = close {
            let chart = out.last().expect("just pushed");
            let close = chart.close_to(&fault, from, until);
            out.push(close);
        }
    }
    out.truncate(CHARTS_MAX);
    out
}

/// Where to draw a chart a second time: from a little before the first fault to a while after its end.
fn close_window(chart: &Chart, until: f64) -> Option<(FaultSpan, f64, f64)> {
    if !["resolution", "names-known"].iter().any(|name| chart.name.starts_with(name)) {
        return None;
    }
    let fault = chart.faults.first()?;
    let long = (fault.until - fault.from).max(until / 400.0);
    let (from, to) = ((fault.from - long / 3.0).max(0.0), (fault.until + long).min(until));
    if to - from > until * SLIVER {
        return None;
    }
    Some((fault.clone(), from, to))
}

/// A chart's name as a file name: lower case, dashes for everything but letters and digits.
fn file_name(chart: &str) -> String {
    let lower = chart.to_ascii_lowercase();
    let parts = lower.split(|c: char| !c.is_ascii_alphanumeric()).filter(|part| !part.is_empty());
    let name = parts.collect::<Vec<_>>().join("-");
    let name: String = name.chars().take(80).collect();
    if name.is_empty() { "chart".to_string() } else { name }
}
