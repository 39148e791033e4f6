//! `report.html`: the whole run on one page that opens offline, without script, light or dark as the reader's
//! system is.

use super::Chart;
use super::format::{duration, escape, grouped, value, words};
use super::summary::{again, fault_time, verdict_word};
use super::timeline;
use crate::measure::{Measure, RunResult, Verdict};
use std::fmt::Write;

/// More rows of the timeline than this are in `timeline.txt`.
const ENTRIES_MAX: usize = 500;

const CSS: &str = "
:root{color-scheme:light dark;--ink:#1c222b;--soft:#5a6472;--paper:#fff;--line:#e3e6ea;--card:#f6f7f9;
--good:#0b6b4f;--bad:#b02a1c;--open:#8a5a00}
@media(prefers-color-scheme:dark){:root{--ink:#e6e9ee;--soft:#9aa3af;--paper:#14181e;--line:#2b323c;
--card:#1b2129;--good:#4fd1a5;--bad:#ff8a7a;--open:#f0b95a}.chart svg{filter:invert(.92) hue-rotate(180deg)}}
*{box-sizing:border-box}
body{margin:0 auto;padding:2rem 1.25rem 4rem;max-width:1100px;background:var(--paper);color:var(--ink);
font:16px/1.5 system-ui,sans-serif}
h1{font-size:1.6rem;line-height:1.25;margin:0 0 .25rem}h2{font-size:1.15rem;margin:2.25rem 0 .5rem}
.soft{color:var(--soft)}.pass{color:var(--good)}.fail{color:var(--bad)}.not-judged{color:var(--open)}
.verdict{font-weight:700;letter-spacing:.03em}
.wide{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:.94rem}
th,td{text-align:left;vertical-align:top;padding:.35rem .9rem .35rem 0;border-bottom:1px solid var(--line)}
th{color:var(--soft);font-weight:500}td.n,th.n{text-align:right;white-space:nowrap;
font-variant-numeric:tabular-nums}td.t{white-space:nowrap;font-variant-numeric:tabular-nums}
.chart{margin:1rem 0;border:1px solid var(--line);border-radius:6px;overflow:hidden;background:var(--paper)}
.chart svg{display:block;width:100%;height:auto}
pre{background:var(--card);padding:.75rem 1rem;border-radius:6px;overflow-x:auto}
";

/// The page. `charts` are drawn into it.
pub fn page(result: &RunResult, charts: &[Chart]) -> String {
    let mut out = String::new();
    let title = if result.title.is_empty() { &result.scenario } else { &result.title };
    let title = escape(title);
    open(&mut out, verdict_word(result.verdict()), &title);
    head(&mut out, result, &title);
    expectations(&mut out, result);
    faults(&mut out, result);
    if !charts.is_empty() {
        out.push_str("<h2>Charts</h2>\n");
    }
    for chart in charts {
        let _ = write!(out, "<figure class=\"chart\">\n{}</figure>\n", chart.svg());
    }
    measures(&mut out, result);
    story(&mut out, result);
    let _ = write!(
        out,
        "<h2>Run it again</h2>\n<p>The same scenario, overrides and seed give the same history on any \
         machine: the digest must read <code>{:016x}</code>.</p>\n<pre>{}</pre>\n</body>\n</html>\n",
        result.digest,
        escape(&again(result))
    );
    out
}

/// The page up to its first heading. `title` is escaped already.
pub(super) fn open(out: &mut String, verdict: &str, title: &str) {
    let _ = write!(
        out,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{verdict} {title}</title>\n<style>{CSS}</style>\n</head>\n<body>\n"
    );
}

pub(super) fn class(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "pass",
        Verdict::Fail => "fail",
        Verdict::NotJudged => "not-judged",
    }
}

fn head(out: &mut String, result: &RunResult, title: &str) {
    let verdict = result.verdict();
    let _ = write!(
        out,
        "<h1><span class=\"verdict {}\">{}</span> {title}</h1>\n<p class=\"soft\">{} · seed {} · {} simulated \
         · {} events · digest {:016x}</p>\n",
        class(verdict),
        verdict_word(verdict),
        escape(&result.scenario),
        result.seed,
        duration(result.sim_time.as_secs_f64()),
        grouped(result.events),
        result.digest
    );
}

fn expectations(out: &mut String, result: &RunResult) {
    out.push_str("<h2>Expectations</h2>\n");
    if result.expectations.is_empty() {
        out.push_str("<p>None in this scenario: the verdict says only that it ran.</p>\n");
        return;
    }
    out.push_str("<div class=\"wide\"><table>\n");
    for e in &result.expectations {
        let _ = writeln!(
            out,
            "<tr><td class=\"t verdict {}\">{}</td><td>{}</td><td>{}</td></tr>",
            class(e.verdict),
            verdict_word(e.verdict),
            escape(&e.name),
            escape(&e.detail)
        );
    }
    out.push_str("</table></div>\n");
}

fn faults(out: &mut String, result: &RunResult) {
    if result.faults.is_empty() {
        return;
    }
    out.push_str("<h2>Faults</h2>\n<div class=\"wide\"><table>\n");
    for fault in result.faults.iter().take(ENTRIES_MAX) {
        let time = fault_time(fault, result);
        let _ =
            writeln!(out, "<tr><td class=\"t\">{time}</td><td>{}</td></tr>", escape(&fault.name));
    }
    out.push_str("</table></div>\n");
    left_out(out, result.faults.len());
}

fn left_out(out: &mut String, entries: usize) {
    if entries > ENTRIES_MAX {
        let more = grouped((entries - ENTRIES_MAX) as u64);
        let _ = writeln!(out, "<p class=\"soft\">and {more} more in timeline.txt</p>");
    }
}

fn measures(out: &mut String, result: &RunResult) {
    if result.measures.is_empty() {
        return;
    }
    out.push_str(
        "<h2>Measures</h2>\n<div class=\"wide\"><table>\n<tr><th>measure</th><th class=\"n\">values</th>\
         <th class=\"n\">min</th><th class=\"n\">median</th><th class=\"n\">p90</th><th class=\"n\">p99</th>\
         <th class=\"n\">max</th></tr>\n",
    );
    for m in &result.measures {
        let _ = write!(out, "<tr><td>{}</td>", escape(&words(&m.name)));
        for cell in cells(m) {
            let _ = write!(out, "<td class=\"n\">{}</td>", escape(&cell));
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</table></div>\n");
}

fn cells(m: &Measure) -> [String; 6] {
    let figure = |v: f64| if m.n == 0 { "-".to_string() } else { value(v, &m.unit) };
    let [min, p50, p90, p99] = if m.n == 1 {
        [const { String::new() }; 4] // one value has no distribution
    } else {
        [m.min, m.p50, m.p90, m.p99].map(figure)
    };
    [grouped(m.n), min, p50, p90, p99, figure(m.max)]
}

fn story(out: &mut String, result: &RunResult) {
    let entries = timeline::entries(result);
    if entries.is_empty() {
        return;
    }
    out.push_str("<h2>What happened</h2>\n<div class=\"wide\"><table>\n");
    for e in entries.iter().take(ENTRIES_MAX) {
        let class = if e.fault { " class=\"fail\"" } else { "" };
        let _ = writeln!(
            out,
            "<tr><td class=\"t\">{}</td><td{class}>{}</td><td>{}</td></tr>",
            super::format::clock(e.at),
            escape(&e.who),
            escape(&e.what)
        );
    }
    out.push_str("</table></div>\n");
    left_out(out, entries.len());
}
