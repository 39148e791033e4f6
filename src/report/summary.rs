//! The text a run ends with on the terminal: the verdict first, then each expectation, the faults, the few
//! numbers that matter, where the files are and how to run it again.
//!
//! Lines keep within the width of [`Style`]; columns align; without colour the text has no control
//! characters, so it reads the same in a pipe, a file and a test.

use super::format::{clock, duration, value, words};
use crate::measure::{FaultSpan, Measure, RunResult, Verdict};
use std::path::PathBuf;

/// Narrower than this no table stays readable, so a narrower terminal breaks the lines itself.
pub(super) const WIDTH_MIN: usize = 60;
/// A longer name of an expectation or measure pushes its figures to the next line instead of all columns.
const NAME_COLUMN_MAX: usize = 44;
/// More numbers than this are in the files; the terminal shows the first and says how many there are.
const ROWS_MAX: usize = 24;
/// More faults than this are in the files.
const FAULTS_MAX: usize = 12;

/// How the text may look.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Style {
    /// Whether to colour verdicts and dim headings (only for a terminal).
    pub colour: bool,
    /// Columns to keep within; 80 to 100 reads best.
    pub width: usize,
}

impl Style {
    /// For a pipe, a file and tests: no colour, 100 columns.
    pub const PLAIN: Style = Style { colour: false, width: 100 };

    /// For standard output: colour if `is_terminal`, which the caller asks of
    /// [`std::io::IsTerminal`], and 100 columns.
    pub fn for_terminal(is_terminal: bool) -> Style {
        Style { colour: is_terminal, ..Style::PLAIN }
    }

    pub(super) fn paint(self, paint: Paint, text: &str) -> String {
        if !self.colour {
            return text.to_string();
        }
        let code = match paint {
            Paint::Good => "1;32",
            Paint::Bad => "1;31",
            Paint::Open => "1;33",
            Paint::Dim => "2",
            Paint::Strong => "1",
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }
}

#[derive(Copy, Clone)]
pub(super) enum Paint {
    Good,
    Bad,
    Open,
    Dim,
    Strong,
}

/// What the summary says beyond the result itself.
#[derive(Clone, Default, Debug)]
pub struct Extras {
    /// Seconds the run took on this machine.
    pub wall_s: Option<f64>,
    /// The files that were written, if any.
    pub files: Vec<PathBuf>,
}

/// The summary of a run, ending in a line end.
pub fn text(result: &RunResult, extras: &Extras, style: Style) -> String {
    let style = Style { width: style.width.max(WIDTH_MIN), ..style };
    let mut out = String::new();
    out.push_str(&headline(result, extras, style));
    expectations(&mut out, result, style);
    faults(&mut out, result, style);
    numbers(&mut out, result, style);
    footer(&mut out, result, extras, style);
    out
}

fn headline(result: &RunResult, extras: &Extras, style: Style) -> String {
    let verdict = result.verdict();
    let wall = extras.wall_s.map(|s| format!(" in {}", duration(s))).unwrap_or_default();
    let facts = [
        format!("seed {}", result.seed),
        format!("{} simulated{wall}", duration(result.sim_time.as_secs_f64())),
        format!("digest {:016x}", result.digest),
    ];
    let title = if result.title.is_empty() { &result.scenario } else { &result.title };
    let title = one_line(title);
    let word = verdict_word(verdict);
    let mut line = format!(
        "{}  {}",
        style.paint(verdict_paint(verdict), word),
        style.paint(Paint::Strong, &title)
    );
    let mut used = columns(word) + 2 + columns(&title);
    for fact in facts {
        let wide = columns(&fact) + 3;
        if used + wide > style.width {
            line.push_str("\n      ");
            used = 6;
        } else {
            line.push_str(" · ");
        }
        line.push_str(&fact);
        used += wide;
    }
    line.push('\n');
    line
}

/// The word of a verdict: in capitals where it heads the summary and wherever it must not be overlooked.
pub(super) fn verdict_word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "PASS",
        Verdict::Fail => "FAIL",
        Verdict::NotJudged => "NOT JUDGED",
    }
}

pub(super) fn verdict_paint(verdict: Verdict) -> Paint {
    match verdict {
        Verdict::Pass => Paint::Good,
        Verdict::Fail => Paint::Bad,
        Verdict::NotJudged => Paint::Open,
    }
}

pub(super) fn heading(out: &mut String, title: &str, style: Style) {
    out.push('\n');
    out.push_str(&style.paint(Paint::Dim, title));
    out.push('\n');
}

fn expectations(out: &mut String, result: &RunResult, style: Style) {
    if result.expectations.is_empty() {
        heading(out, "expectations", style);
        out.push_str("  none in this scenario: the verdict says only that it ran\n");
        return;
    }
    heading(out, "expectations", style);
    let names = result.expectations.iter().map(|e| one_line(&e.name));
    let name_column =
        names.map(|n| columns(&n)).filter(|&n| n <= NAME_COLUMN_MAX).max().unwrap_or(0);
    let verdict_column = result
        .expectations
        .iter()
        .map(|e| columns(mark(e.verdict)))
        .max()
        .expect("there is an expectation");
    let indent = 2 + verdict_column + 2;
    for e in &result.expectations {
        let name = one_line(&e.name);
        let gap = " ".repeat(verdict_column - columns(mark(e.verdict)) + 2);
        out.push_str("  ");
        out.push_str(&style.paint(verdict_paint(e.verdict), mark(e.verdict)));
        out.push_str(&gap);
        let detail = one_line(&e.detail);
        let (hang, room) = if columns(&name) <= name_column {
            (indent + name_column + 2, style.width.saturating_sub(indent + name_column + 2))
        } else {
            (indent + 2, 0)
        };
        let name_lines = wrap(&name, style.width - indent);
        out.push_str(&name_lines.join(&format!("\n{}", " ".repeat(indent))));
        if detail.is_empty() {
            out.push('\n');
            continue;
        }
        if room >= 30 {
            out.push_str(&" ".repeat(hang - indent - columns(&name)));
        } else {
            out.push('\n');
            out.push_str(&" ".repeat(indent + 2));
        }
        let hang = if room >= 30 { hang } else { indent + 2 };
        let lines = wrap(&detail, style.width - hang);
        out.push_str(&lines.join(&format!("\n{}", " ".repeat(hang))));
        out.push('\n');
    }
}

fn mark(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "pass",
        Verdict::Fail => "FAIL",
        Verdict::NotJudged => "not judged",
    }
}

fn faults(out: &mut String, result: &RunResult, style: Style) {
    if result.faults.is_empty() {
        return;
    }
    heading(out, "faults", style);
    let shown = &result.faults[..result.faults.len().min(FAULTS_MAX)];
    let times: Vec<String> = shown.iter().map(|f| fault_time(f, result)).collect();
    let column = times.iter().map(|t| columns(t)).max().unwrap_or(0);
    let slugs: Vec<String> = result.faults.iter().map(FaultSpan::slug).collect();
    for (i, (fault, time)) in shown.iter().zip(&times).enumerate() {
        let lines = wrap(&one_line(&fault.name), style.width - column - 4);
        let hang = format!("\n{}", " ".repeat(column + 4));
        out.push_str(&format!("  {time:column$}  {}\n", lines.join(&hang)));
        if slugs[..i].contains(&slugs[i]) {
            continue; // the same fault again: its figures cover all times
        }
        let figures: Vec<String> = result
            .measures
            .iter()
            .filter_map(|m| Some((m, fault_measure(&m.name, &slugs[i])?)))
            .map(|(m, what)| format!("{} {}", words(what), brief(m)))
            .collect();
        if !figures.is_empty() {
            for line in wrap_items(&figures, style.width - column - 4) {
                out.push_str(&format!("  {:column$}  {line}\n", ""));
            }
        }
    }
    if result.faults.len() > shown.len() {
        out.push_str(&format!("  and {} more\n", result.faults.len() - shown.len()));
    }
}

/// `09:00:00 to 09:30:00`, `09:00:00 to the end`, or one time for what happened in an instant.
pub(super) fn fault_time(fault: &FaultSpan, result: &RunResult) -> String {
    let until = if fault.until >= result.sim_time.as_secs_f64() {
        "the end".to_string()
    } else {
        clock(fault.until)
    };
    if fault.until <= fault.from {
        clock(fault.from)
    } else {
        format!("{} to {until}", clock(fault.from))
    }
}

/// The last part of a measure that belongs to this fault: `fault.SLUG.detect_time` gives `detect_time`.
fn fault_measure<'a>(measure: &'a str, slug: &str) -> Option<&'a str> {
    measure.strip_prefix("fault.")?.strip_prefix(slug)?.strip_prefix('.')
}

/// A distribution in few words: one value, or median and worst.
fn brief(m: &Measure) -> String {
    if m.n == 0 {
        return "never".to_string();
    }
    if is_single(m) {
        return value(m.max, &m.unit);
    }
    format!("{} (at most {})", value(m.p50, &m.unit), value(m.max, &m.unit))
}

/// Whether one figure says everything about a measure.
pub(super) fn is_single(m: &Measure) -> bool {
    m.n <= 1 || (m.n > 0 && m.min == m.max && seconds(m).is_none())
}

fn seconds(m: &Measure) -> Option<f64> {
    super::format::seconds_per(&m.unit)
}

fn numbers(out: &mut String, result: &RunResult, style: Style) {
    let slugs: Vec<String> = result.faults.iter().take(FAULTS_MAX).map(FaultSpan::slug).collect();
    let free = |m: &&Measure| !slugs.iter().any(|s| fault_measure(&m.name, s).is_some());
    let rows: Vec<&Measure> = result.measures.iter().filter(free).collect();
    let (shown, more) = rows.split_at(rows.len().min(ROWS_MAX));
    let (single, spread): (Vec<&Measure>, Vec<&Measure>) =
        shown.iter().copied().partition(|m| is_single(m));
    let name_column = shown.iter().map(|m| columns(&words(&m.name))).max().unwrap_or(0);
    let name_column = name_column.clamp(12, NAME_COLUMN_MAX);
    if !single.is_empty() {
        heading(out, "numbers", style);
        let figures: Vec<String> = single
            .iter()
            .map(|m| if m.n == 0 { "-".into() } else { value(m.max, &m.unit) })
            .collect();
        let column = figures.iter().map(|f| columns(f)).max().unwrap_or(0);
        for (m, figure) in single.iter().zip(&figures) {
            out.push_str(&format!("  {}  {figure:>column$}\n", name_cell(&m.name, name_column)));
        }
    }
    if !spread.is_empty() {
        distributions(out, &spread, name_column, style);
    }
    if !more.is_empty() {
        out.push_str(&format!("  and {} more in the files of --out\n", more.len()));
    }
}

fn distributions(out: &mut String, rows: &[&Measure], name_column: usize, style: Style) {
    let mut table = vec![["median", "p90", "p99", "max", "of"].map(String::from)];
    table.extend(rows.iter().map(|m| {
        let [p50, p90, p99, max] = [m.p50, m.p90, m.p99, m.max].map(|v| value(v, &m.unit));
        [p50, p90, p99, max, super::format::grouped(m.n)]
    }));
    let mut shown: Vec<(usize, usize)> =
        (0..5).map(|c| (c, table.iter().map(|row| columns(&row[c])).max().unwrap_or(0))).collect();
    let wide: usize = 2 + name_column + shown.iter().map(|(_, wide)| wide + 2).sum::<usize>();
    if wide > style.width {
        shown.remove(1); // of all figures the 90th percentile is missed least
    }
    out.push('\n');
    for (i, row) in table.iter().enumerate() {
        let mut line = match i {
            0 => format!("{:1$}", "distributions", name_column + 2),
            _ => format!("  {}", name_cell(&rows[i - 1].name, name_column)),
        };
        for &(column, wide) in &shown {
            line.push_str(&format!("  {:>wide$}", row[column]));
        }
        if i == 0 {
            line = style.paint(Paint::Dim, &line);
        }
        out.push_str(&line);
        out.push('\n');
    }
}

/// The name padded to its column; a longer one takes a line of its own.
fn name_cell(name: &str, column: usize) -> String {
    let name = words(&one_line(name));
    if columns(&name) > column {
        format!("{name}\n  {:column$}", "")
    } else {
        format!("{name:column$}")
    }
}

fn footer(out: &mut String, result: &RunResult, extras: &Extras, style: Style) {
    out.push('\n');
    for (i, line) in file_lines(&extras.files).iter().enumerate() {
        let label = if i == 0 { "files" } else { "" };
        out.push_str(&format!("{}  {line}\n", style.paint(Paint::Dim, &format!("{label:5}"))));
    }
    out.push_str(&format!("{}  {}\n", style.paint(Paint::Dim, "again"), again(result)));
}

/// One line per folder: `out/  report.html, summary.json, measures.parquet`.
pub(super) fn file_lines(files: &[PathBuf]) -> Vec<String> {
    let mut folders: Vec<(String, Vec<String>)> = Vec::new();
    for file in files {
        let folder = file.parent().map(|p| p.display().to_string()).unwrap_or_default();
        let folder = if folder.is_empty() { ".".to_string() } else { folder };
        let name = file.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        match folders.iter_mut().find(|(f, _)| *f == folder) {
            Some((_, names)) => names.push(name),
            None => folders.push((folder, vec![name])),
        }
    }
    let line = |(folder, names): (String, Vec<String>)| {
        if names.len() > 6 {
            format!("{folder}/  {} files", names.len())
        } else {
            format!("{folder}/  {}", names.join(", "))
        }
    };
    folders.into_iter().map(line).collect()
}

/// The command that runs the very same history again.
pub(super) fn again(result: &RunResult) -> String {
    command(&result.scenario, result.seed, &result.overrides)
}

/// The command that runs a scenario with a seed and overrides.
pub(super) fn command(scenario: &str, seed: u64, overrides: &[String]) -> String {
    let mut line = format!("winstorm run {} --seed {seed}", shell(scenario));
    for set in overrides {
        line.push_str(&format!(" --set {}", shell(set)));
    }
    line
}

/// Quotes an argument for a POSIX shell where it needs it.
pub(super) fn shell(argument: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c);
    if !argument.is_empty() && argument.chars().all(plain) {
        argument.to_string()
    } else {
        format!("'{}'", argument.replace('\'', "'\\''"))
    }
}

/// A name from a scenario may hold anything; on the terminal it is one line without control characters.
pub(super) fn one_line(text: &str) -> String {
    let clean: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    clean.split_whitespace().collect::<Vec<_>>().join(" ")
}

pub(super) fn columns(text: &str) -> usize {
    text.chars().count()
}

/// Breaks at spaces; a word longer than the width stays whole, so it can be copied.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if columns(line) + 1 + columns(word) <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_string()),
        }
    }
    if lines.is_empty() {
        lines.push(String::new());
    }
    lines
}

/// Joins items with a middle dot, breaking lines only between items.
pub(super) fn wrap_items(items: &[String], width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for item in items {
        match lines.last_mut() {
            Some(line) if columns(line) + 3 + columns(item) <= width => {
                line.push_str(" · ");
                line.push_str(item);
            }
            _ => lines.push(item.clone()),
        }
    }
    lines
}
