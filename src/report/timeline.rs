//! The story of a run as text: faults and notable moments, one a line, in order of time.

use super::format::clock;
use crate::measure::RunResult;

/// One entry of the timeline.
pub(super) struct Entry {
    /// Seconds since the start of the run.
    pub(super) at: f64,
    /// Which host, link or fault.
    pub(super) who: String,
    /// What happened.
    pub(super) what: String,
    /// Whether it is the beginning or end of a fault.
    pub(super) fault: bool,
}

/// Faults and notable moments in order of time; what happens at the same time keeps the order of the run,
/// faults first.
pub(super) fn entries(result: &RunResult) -> Vec<Entry> {
    let end = result.sim_time.as_secs_f64();
    let mut all = Vec::with_capacity(result.faults.len() * 2 + result.notable.len());
    for fault in &result.faults {
        let entry = |at, what: &str| Entry {
            at,
            who: "fault".to_string(),
            what: format!("{}{what}", fault.name),
            fault: true,
        };
        if fault.until <= fault.from {
            all.push(entry(fault.from, ""));
            continue;
        }
        all.push(entry(fault.from, ": begins"));
        if fault.until < end {
            all.push(entry(fault.until, ": over"));
        }
    }
    all.extend(result.notable.iter().map(|e| Entry {
        at: e.at.as_secs_f64(),
        who: e.who.clone(),
        what: e.what.clone(),
        fault: false,
    }));
    all.sort_by(|a, b| a.at.total_cmp(&b.at));
    all
}

/// The timeline as text: time, who, what, in columns.
pub fn timeline(result: &RunResult) -> String {
    let all = entries(result);
    let times: Vec<String> = all.iter().map(|e| clock(e.at)).collect();
    let time_column = times.iter().map(|t| t.chars().count()).max().unwrap_or(0);
    let who_column = all.iter().map(|e| e.who.chars().count()).max().unwrap_or(0).min(24);
    let mut out = String::new();
    for (entry, time) in all.iter().zip(&times) {
        let line = format!("{time:<time_column$}  {:<who_column$}  {}", entry.who, entry.what);
        let clean: String = line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        out.push_str(clean.trim_end());
        out.push('\n');
    }
    out
}
