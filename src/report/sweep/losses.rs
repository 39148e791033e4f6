//! What settings cost those who look names up, side by side: one table and one chart of the three losses
//! (see [`crate::measure::losses`]), drawn for every sweep that compares settings and measured them.

use super::stats::{Of, Subject};
use crate::measure::sweep::Sweep;
use crate::report::Chart;
use crate::report::chart::{Line, Panel};
use crate::report::format::value;
use crate::report::panels::BARS_MAX;

/// The measures: name, what it is called, and what stands under that in the chart.
const LOSSES: [(&str, &str, &str); 3] = [
    ("loss.unresolved_time", "unresolved time", "of all clients together"),
    ("loss.stale_answers", "stale answers", "with an address the holder has no more"),
    ("loss.lost_registrations", "lost registrations", "of live hosts, known to no server"),
];

/// Whether a measure is one of the losses.
pub fn is_loss(name: &str) -> bool {
    LOSSES.iter().any(|(loss, ..)| *loss == name)
}

/// The losses that were measured, if settings are compared.
fn subjects(sweep: &Sweep) -> Vec<(Subject, &'static str)> {
    if sweep.combinations.len() < 2 {
        return Vec::new();
    }
    let measured = LOSSES.iter().filter_map(|(name, called, what)| {
        let measure = sweep.measures.iter().position(|(own, _)| own == name)?;
        let unit = sweep.measures[measure].1.clone();
        let (measure, name) = (measure as u32, (*called).to_string());
        Some((Subject { measure, of: Of::Value, name, unit, more_is_better: false }, *what))
    });
    measured.collect()
}

/// The head and the rows of the table: a setting, then each loss as its median and where most runs lie.
pub fn table(sweep: &Sweep) -> Option<(Vec<String>, Vec<Vec<String>>)> {
    let subjects = subjects(sweep);
    if subjects.is_empty() {
        return None;
    }
    let first = match sweep.axes.as_slice() {
        [axis] => axis.rsplit('.').next().unwrap_or(axis).to_string(),
        _ => "setting".to_string(),
    };
    let head = [first].into_iter().chain(subjects.iter().map(|(s, _)| s.name.clone()));
    let row = |c: usize| {
        let cells = subjects.iter().map(|(subject, _)| match subject.spread(sweep, c) {
            None => "-".to_string(),
            Some(s) => {
                let [low, middle, high] = [s.p10, s.median, s.p90].map(|v| value(v, &subject.unit));
                let bare = |text: &str| text.trim_end_matches(&subject.unit).trim_end().to_string();
                match subject.unit.as_str() {
                    "s" => format!("{middle} ({low} to {high})"),
                    _ => format!("{} ({} to {})", bare(&middle), bare(&low), bare(&high)),
                }
            }
        });
        [sweep.combinations[c].label(&sweep.axes)].into_iter().chain(cells).collect()
    };
    Some((head.collect(), (0..sweep.combinations.len()).map(row).collect()))
}

/// The chart.
pub fn chart(sweep: &Sweep, subtitle: String) -> Option<Chart> {
    let subjects = subjects(sweep);
    let count = sweep.combinations.len();
    if subjects.is_empty() || count > BARS_MAX {
        return None;
    }
    let panel = |(subject, what): (Subject, &str)| {
        let line = |c: usize| {
            let points = subject.by_seed(sweep, c).into_iter().map(|(_, v)| (v, 0.0)).collect();
            Line::new(sweep.combinations[c].label(&sweep.axes), true, points)
        };
        let mut letters = subject.name.chars();
        let title = letters.next().map(|c| c.to_uppercase().chain(letters).collect::<String>());
        Panel {
            title: title.unwrap_or_default(),
            what: what.to_string(),
            unit: subject.unit.clone(),
            lines: (0..count).map(line).collect(),
        }
    };
    let panels = subjects.into_iter().map(panel).collect();
    let mut chart = Chart::panels("losses", "What the failure costs".into(), panels);
    chart.subtitle = subtitle + " · bar and figure: the median · a dot: a run";
    Some(chart)
}
