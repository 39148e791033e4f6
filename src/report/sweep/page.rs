//! `report.html` of a sweep: verdict, settings, failures with the commands that repeat them, charts, and the
//! table that compares the settings on the same seeds.

use super::again;
use super::charts::run_length;
use super::json::tally;
use super::losses;
use super::stats::{Subject, subjects};
use super::tables::failed_in;
use crate::measure::Verdict;
use crate::measure::sweep::{Combination, Sweep};
use crate::report::Chart;
use crate::report::format::{escape, grouped, value};
use crate::report::page::{class, open};
use crate::report::summary::verdict_word;
use std::fmt::Write;

/// More failed runs than this are in `failures.csv`.
const FAILED_MAX: usize = 200;

/// The page. `charts` are drawn into it.
pub fn page(sweep: &Sweep, charts: &[Chart]) -> String {
    let mut out = String::new();
    let title = escape(&sweep.title);
    let verdict = sweep.verdict();
    open(&mut out, verdict_word(verdict), &title);
    let _ = write!(
        out,
        "<h1><span class=\"verdict {}\">{}</span> {title}</h1>\n<p class=\"soft\">{}</p>\n",
        class(verdict),
        verdict_word(verdict),
        escape(&facts(sweep))
    );
    settings(&mut out, sweep);
    failures(&mut out, sweep);
    side_by_side(&mut out, sweep);
    if !charts.is_empty() {
        out.push_str("<h2>Charts</h2>\n");
    }
    for chart in charts {
        let _ = write!(out, "<figure class=\"chart\">\n{}</figure>\n", chart.svg());
    }
    comparison(&mut out, sweep);
    expectations(&mut out, sweep);
    failed_runs(&mut out, sweep);
    out.push_str(
        "<h2>The files</h2>\n<p><code>runs.csv</code> and <code>runs.parquet</code> have a row for each run, \
         <code>failures.csv</code> a row for each expectation that failed in a run, <code>series.csv</code> \
         values over time of the first seeds, <code>summary.json</code> what stands here.</p>\n\
         </body>\n</html>\n",
    );
    out
}

/// What the settings cost, in one table.
fn side_by_side(out: &mut String, sweep: &Sweep) {
    let Some((titles, rows)) = losses::table(sweep) else { return };
    out.push_str("<h2>What the failure costs</h2>\n");
    let columns: Vec<String> = titles.iter().skip(1).map(|title| format!("#{title}")).collect();
    let columns = titles.iter().take(1).chain(&columns).map(String::as_str);
    head(out, &columns.collect::<Vec<_>>());
    for row in rows {
        out.push_str("<tr>");
        for (i, text) in row.iter().enumerate() {
            cell(out, if i == 0 { "" } else { "n" }, text);
        }
        out.push_str("</tr>\n");
    }
    out.push_str(
        "</table></div>\n<p class=\"soft\">Median of the runs (10 % to 90 % of them). Unresolved time: \
         client-seconds in which look-ups of live names got no answer or a failure; stale answers: with an \
         address that is not the holder's; lost registrations: names of live hosts that no server that \
         runs knew for over a minute.</p>\n",
    );
}

/// What was run, in a line.
pub fn facts(sweep: &Sweep) -> String {
    let mut scenarios: Vec<&str> = Vec::new();
    for c in &sweep.combinations {
        if !scenarios.contains(&c.scenario.as_str()) {
            scenarios.push(&c.scenario);
        }
    }
    let runs = sweep.rows.len() as u64;
    let compared = sweep.axes.first().is_some_and(|axis| axis == "folder");
    let of = if compared || runs == sweep.planned() {
        String::new()
    } else {
        format!(" of {}", grouped(sweep.planned()))
    };
    let shard = sweep.shard.map_or(String::new(), |(i, n)| format!(" · part {i} of {n}"));
    let settings = match sweep.combinations.len() {
        1 => String::new(),
        n => format!(" · {n} settings"),
    };
    format!(
        "{} · seeds {} to {}{settings} · {}{of} runs of {} each{shard}",
        scenarios.join(", "),
        sweep.seeds.start(),
        sweep.seeds.end(),
        grouped(runs),
        run_length(sweep),
    )
}

fn cell(out: &mut String, class: &str, text: &str) {
    let class = if class.is_empty() { String::new() } else { format!(" class=\"{class}\"") };
    let _ = write!(out, "<td{class}>{}</td>", escape(text));
}

fn head(out: &mut String, columns: &[&str]) {
    out.push_str("<div class=\"wide\"><table>\n<tr>");
    for column in columns {
        let (class, name) = match column.strip_prefix('#') {
            Some(name) => (" class=\"n\"", name),
            None => ("", *column),
        };
        let _ = write!(out, "<th{class}>{}</th>", escape(name));
    }
    out.push_str("</tr>\n");
}

fn settings(out: &mut String, sweep: &Sweep) {
    out.push_str("<h2>Settings</h2>\n");
    head(out, &["setting", "#runs", "#passed", "#failed", "#not judged", "what it sets"]);
    for (c, combination) in sweep.combinations.iter().enumerate() {
        let (passed, failed, not_judged) = tally(sweep, c);
        out.push_str("<tr>");
        cell(out, "", &combination.label(&sweep.axes));
        cell(out, "n", &grouped(passed + failed + not_judged));
        cell(out, "n", &grouped(passed));
        cell(out, if failed > 0 { "n fail" } else { "n" }, &grouped(failed));
        cell(out, "n", &grouped(not_judged));
        cell(out, "soft", &what_is_set(combination));
        out.push_str("</tr>\n");
    }
    out.push_str("</table></div>\n");
}

/// What is set, with what an alternative's name stands for.
fn what_is_set(combination: &Combination) -> String {
    let set = combination.overrides.join(" · ");
    match combination.changes.is_empty() {
        true => set,
        false => format!("{set}: {}", combination.changes.join("; ")),
    }
}

fn failures(out: &mut String, sweep: &Sweep) {
    let groups = sweep.failure_groups();
    out.push_str("<h2>Failures</h2>\n");
    if groups.is_empty() {
        out.push_str("<p>None.</p>\n");
        return;
    }
    out.push_str(
        "<p class=\"soft\">Runs that failed the same expectation and saw the same, figures aside. Seeds to a \
         hit: the median distance from one hit to the next.</p>\n",
    );
    head(
        out,
        &["setting", "expectation", "seen first", "#runs", "#of", "#seeds to a hit", "again"],
    );
    for g in &groups {
        out.push_str("<tr>");
        cell(out, "", &sweep.combinations[g.combination as usize].label(&sweep.axes));
        cell(out, "fail", &g.expectation);
        cell(out, "", &g.detail);
        cell(out, "n", &grouped(g.count));
        cell(out, "n", &grouped(g.runs));
        cell(out, "n", &grouped(g.seeds_to_hit));
        let command = escape(&again(sweep, g.combination as usize, g.first_seed));
        let _ = writeln!(out, "<td><code>{command}</code></td></tr>");
    }
    out.push_str("</table></div>\n");
}

/// Per measure and setting: median over the seeds, where most lie, the worst, and how often it was better
/// than the first setting on the same seed.
fn comparison(out: &mut String, sweep: &Sweep) {
    let compared = sweep.combinations.len() > 1;
    out.push_str(match compared {
        true => {
            "<h2>Compared on the same seeds</h2>\n<p class=\"soft\">Less is better, but of what a name \
             calls success, prompt or registered.</p>\n"
        }
        false => "<h2>Measures</h2>\n",
    });
    let mut columns = vec!["measure", "setting", "#runs", "#median", "#10 %", "#90 %", "#worst"];
    if compared {
        columns.push("#better / worse than the first");
    } else {
        columns.remove(1);
    }
    head(out, &columns);
    let (constant, differing): (Vec<Subject>, Vec<Subject>) =
        subjects(sweep).into_iter().partition(|s| s.is_constant(sweep));
    for subject in &differing {
        subject_rows(out, sweep, subject, compared);
    }
    out.push_str("</table></div>\n");
    let figure = |s: &Subject| {
        let spread = (0..sweep.combinations.len()).find_map(|c| s.spread(sweep, c))?;
        Some(format!("{} {}", s.name, value(spread.median, &s.unit)))
    };
    let same: Vec<String> = constant.iter().filter_map(figure).collect();
    if !same.is_empty() {
        let same = escape(&same.join(" · "));
        let _ = writeln!(out, "<p class=\"soft\">The same wherever it was measured: {same}</p>");
    }
}

fn subject_rows(out: &mut String, sweep: &Sweep, subject: &Subject, compared: bool) {
    let count = sweep.combinations.len();
    for c in 0..count {
        out.push_str("<tr>");
        if c == 0 {
            let _ = write!(out, "<td rowspan=\"{count}\">{}</td>", escape(&subject.name));
        }
        if compared {
            cell(out, "", &sweep.combinations[c].label(&sweep.axes));
        }
        match subject.spread(sweep, c) {
            None => out.push_str("<td class=\"n\">0</td><td></td><td></td><td></td><td></td>"),
            Some(s) => {
                cell(out, "n", &grouped(s.n));
                for figure in [s.median, s.p10, s.p90, s.worst] {
                    cell(out, "n", &value(figure, &subject.unit));
                }
            }
        }
        if compared {
            let text = match (c, subject.against(sweep, 0, c)) {
                (0, _) | (_, (_, _, 0)) => String::new(),
                (_, (0, 0, both)) => format!("the same on {both}"),
                (_, (better, worse, both)) => format!("{better} / {worse} of {both}"),
            };
            cell(out, "n", &text);
        }
        out.push_str("</tr>\n");
    }
}

fn expectations(out: &mut String, sweep: &Sweep) {
    if sweep.expectations.is_empty() {
        return;
    }
    out.push_str("<h2>Expectations</h2>\n");
    head(out, &["expectation", "setting", "#held", "#failed", "#not judged"]);
    for (id, name) in sweep.expectations.iter().enumerate() {
        for (c, combination) in sweep.combinations.iter().enumerate() {
            let count = |wanted: Verdict| {
                let rows = sweep.rows_of(c).iter().flat_map(|row| &row.judged);
                rows.filter(|(e, verdict)| *e as usize == id && *verdict == wanted).count() as u64
            };
            let [held, failed, open] =
                [Verdict::Pass, Verdict::Fail, Verdict::NotJudged].map(count);
            if held + failed + open == 0 {
                continue; // this setting has no such expectation
            }
            out.push_str("<tr>");
            cell(out, "", name);
            cell(out, "", &combination.label(&sweep.axes));
            cell(out, "n", &grouped(held));
            cell(out, if failed > 0 { "n fail" } else { "n" }, &grouped(failed));
            cell(out, "n", &grouped(open));
            out.push_str("</tr>\n");
        }
    }
    out.push_str("</table></div>\n");
}

fn failed_runs(out: &mut String, sweep: &Sweep) {
    let failed: Vec<_> = sweep.rows.iter().filter(|row| !row.failures.is_empty()).collect();
    if failed.is_empty() {
        return;
    }
    out.push_str("<h2>Failed runs</h2>\n");
    head(out, &["setting", "#seed", "what failed", "again"]);
    for row in failed.iter().take(FAILED_MAX) {
        out.push_str("<tr>");
        cell(out, "", &sweep.combinations[row.combination as usize].label(&sweep.axes));
        cell(out, "n", &row.seed.to_string());
        cell(out, "", &failed_in(sweep, row));
        let command = escape(&again(sweep, row.combination as usize, row.seed));
        let _ = writeln!(out, "<td><code>{command}</code></td></tr>");
    }
    out.push_str("</table></div>\n");
    if failed.len() > FAILED_MAX {
        let more = grouped((failed.len() - FAILED_MAX) as u64);
        let _ = writeln!(out, "<p class=\"soft\">and {more} more in failures.csv</p>");
    }
}
