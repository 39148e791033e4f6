//! The text a sweep ends with on the terminal: the verdict, how each setting came out, what failed and how to
//! repeat it, the measures that differ, and where the files are.

use super::again;
use super::json::tally;
use super::losses;
use super::page::facts;
use super::stats::{Subject, is_detail, subjects};
use crate::measure::sweep::Sweep;
use crate::report::format::{duration, grouped, value};
use crate::report::summary::{
    Extras, Paint, Style, WIDTH_MIN, columns, file_lines, heading, one_line, verdict_paint,
    verdict_word, wrap,
};

/// More kinds of failures than this are in the files.
const FAILURES_MAX: usize = 12;
/// More lines of measures than this are in the files, as long as a few measures are shown.
const LINES_MAX: usize = 42;
const MEASURES_MIN: usize = 4;
/// More settings than this are compared in the files only.
const SETTINGS_MAX: usize = 24;
/// A longer name of a setting is cut.
const NAME_MAX: usize = 40;

/// The text of a sweep, ending in a line end.
pub fn sweep_text(sweep: &Sweep, extras: &Extras, style: Style) -> String {
    let style = Style { width: style.width.max(WIDTH_MIN), ..style };
    let mut out = String::new();
    let verdict = sweep.verdict();
    let word = style.paint(verdict_paint(verdict), verdict_word(verdict));
    let title = style.paint(Paint::Strong, &one_line(&sweep.title));
    out.push_str(&format!("{word}  {title}\n"));
    let wall = extras.wall_s.map(|s| format!(" in {}", duration(s))).unwrap_or_default();
    for line in wrap(&(one_line(&facts(sweep)) + &wall), style.width - 6) {
        out.push_str(&format!("      {line}\n"));
    }
    settings(&mut out, sweep, style);
    failures(&mut out, sweep, style);
    compared(&mut out, sweep, style);
    measures(&mut out, sweep, style);
    if !extras.files.is_empty() {
        out.push('\n');
    }
    for (i, line) in file_lines(&extras.files).iter().enumerate() {
        let label = if i == 0 { "files" } else { "" };
        out.push_str(&format!("{}  {line}\n", style.paint(Paint::Dim, &format!("{label:5}"))));
    }
    out
}

fn name(sweep: &Sweep, combination: usize) -> String {
    let name = one_line(&sweep.combinations[combination].label(&sweep.axes));
    match columns(&name) > NAME_MAX {
        true => name.chars().take(NAME_MAX - 1).chain(['…']).collect(),
        false => name,
    }
}

/// Rows under a heading with their columns aligned, the first to the left, the others to the right.
fn table(out: &mut String, head: &[&str], rows: &[Vec<String>], style: Style) {
    let head: Vec<String> = head.iter().map(|h| (*h).to_string()).collect();
    let wide: Vec<usize> = (0..head.len())
        .map(|i| rows.iter().chain([&head]).map(|r| columns(&r[i])).max().unwrap_or(0))
        .collect();
    out.push('\n');
    for (n, row) in [&head].into_iter().chain(rows).enumerate() {
        // The heading begins where the names do, less the indent.
        let first = if n == 0 { wide[0] + 2 } else { wide[0] };
        let mut line = format!("{:first$}", row[0]);
        for (cell, wide) in row.iter().zip(&wide).skip(1) {
            line.push_str(&format!("  {cell:>wide$}"));
        }
        match n {
            0 => out.push_str(&style.paint(Paint::Dim, line.trim_end())),
            _ => out.push_str(&format!("  {}", line.trim_end())),
        }
        out.push('\n');
    }
}

fn settings(out: &mut String, sweep: &Sweep, style: Style) {
    let rows: Vec<Vec<String>> = (0..sweep.combinations.len())
        .take(SETTINGS_MAX)
        .map(|c| {
            let (passed, failed, not_judged) = tally(sweep, c);
            let counts = [passed + failed + not_judged, passed, failed, not_judged].map(grouped);
            [name(sweep, c)].into_iter().chain(counts).collect()
        })
        .collect();
    table(out, &["settings", "runs", "passed", "failed", "not judged"], &rows, style);
    if sweep.combinations.len() > SETTINGS_MAX {
        out.push_str(&format!("  and {} more\n", sweep.combinations.len() - SETTINGS_MAX));
    }
}

fn failures(out: &mut String, sweep: &Sweep, style: Style) {
    let groups = sweep.failure_groups();
    if groups.is_empty() {
        return;
    }
    heading(out, "failures", style);
    for g in groups.iter().take(FAILURES_MAX) {
        let label = name(sweep, g.combination as usize);
        let of = if sweep.axes.is_empty() { String::new() } else { format!("{label}: ") };
        let what = format!(
            "{of}{} · {} of {} runs, a hit every {} seeds",
            one_line(&g.expectation),
            grouped(g.count),
            grouped(g.runs),
            grouped(g.seeds_to_hit)
        );
        let lines = wrap(&what, style.width - 8);
        out.push_str(&format!("  {}  ", style.paint(Paint::Bad, "FAIL")));
        out.push_str(&lines.join("\n        "));
        out.push('\n');
        for line in wrap(&one_line(&g.detail), style.width - 8) {
            out.push_str(&format!("        {line}\n"));
        }
        let command = again(sweep, g.combination as usize, g.first_seed);
        out.push_str(&format!("        {command}\n"));
    }
    if groups.len() > FAILURES_MAX {
        out.push_str(&format!("  and {} more kinds\n", groups.len() - FAILURES_MAX));
    }
}

/// What the settings cost, side by side.
fn compared(out: &mut String, sweep: &Sweep, style: Style) {
    let Some((head, rows)) = losses::table(sweep) else { return };
    if rows.len() > SETTINGS_MAX {
        return;
    }
    let head: Vec<&str> = head.iter().map(String::as_str).collect();
    table(out, &head, &rows, style);
    out.push_str("  median of the runs (10 % to 90 % of them); time: of all clients together\n");
}

fn measures(out: &mut String, sweep: &Sweep, style: Style) {
    let matters =
        |s: &Subject| !is_detail(&sweep.measures[s.measure as usize].0) && !s.is_constant(sweep);
    let compared = sweep.combinations.len() > 1;
    let beside = |s: &Subject| compared && losses::is_loss(&sweep.measures[s.measure as usize].0);
    let all: Vec<Subject> =
        subjects(sweep).into_iter().filter(|s| matters(s) && !beside(s)).collect();
    let each = if compared { sweep.combinations.len() + 1 } else { 1 };
    let most = (LINES_MAX / each).max(MEASURES_MIN).min(all.len());
    if sweep.combinations.len() > SETTINGS_MAX || all.is_empty() {
        return;
    }
    let head = ["over the seeds", "median", "10 %", "90 %", "worst"];
    let mut rows: Vec<Vec<String>> = Vec::new();
    for subject in all.iter().take(most) {
        if compared {
            rows.push([subject.name.as_str(), "", "", "", ""].map(String::from).to_vec());
        }
        for c in 0..sweep.combinations.len() {
            let figures = match subject.spread(sweep, c) {
                None => ["-"; 4].map(String::from),
                Some(s) => [s.median, s.p10, s.p90, s.worst].map(|v| value(v, &subject.unit)),
            };
            let label = match compared {
                true => format!("  {}", name(sweep, c)),
                false => subject.name.clone(),
            };
            rows.push([label].into_iter().chain(figures).collect());
        }
    }
    table(out, &head, &rows, style);
    if all.len() > most {
        out.push_str(&format!("  and {} more in the files\n", all.len() - most));
    }
}
