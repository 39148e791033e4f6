//! What people read of a sweep: tables, one page, charts, and the text on the terminal.
//!
//! Everything is a function of [`crate::measure::sweep::Sweep`] alone, and `summary.json`, `runs.csv`,
//! `failures.csv` and `series.csv` hold all of it: what is read back from them gives the same files again,
//! byte for byte.

mod charts;
mod compare;
mod csv;
mod json;
mod losses;
mod page;
mod stats;
mod tables;
mod text;

pub use charts::is_wanted;
pub use compare::compare_sweeps;
pub use json::sweep_json;
pub use tables::{ReadError, read_sweep};
pub(super) use tables::{measure_cells, measure_columns, run_files, singles, verdict_of};
pub use text::sweep_text;

use crate::measure::sweep::Sweep;

/// The files of a sweep as names relative to its folder, and their bytes. `chosen` are the measures that
/// get a chart: names, or beginnings of names that end in `*`; those that matter most if there are none.
pub fn sweep_files(sweep: &Sweep, chosen: &[String]) -> Vec<(String, Vec<u8>)> {
    let charts = charts::charts(sweep, chosen);
    let mut files = vec![
        ("report.html".to_string(), page::page(sweep, &charts).into_bytes()),
        ("summary.json".to_string(), json::pretty(sweep).into_bytes()),
        ("runs.csv".to_string(), tables::runs_csv(sweep).into_bytes()),
        ("failures.csv".to_string(), tables::failures_csv(sweep).into_bytes()),
        ("series.csv".to_string(), tables::series_csv(sweep).into_bytes()),
        ("runs.parquet".to_string(), super::parquet::runs_parquet(sweep)),
    ];
    for chart in &charts {
        files.push((format!("charts/{}.svg", chart.name()), chart.svg().into_bytes()));
        files.push((format!("charts/{}.png", chart.name()), chart.png()));
    }
    files
}

/// The command that repeats a run.
fn again(sweep: &Sweep, combination: usize, seed: u64) -> String {
    let combination = &sweep.combinations[combination];
    super::summary::command(&combination.scenario, seed, &combination.overrides)
}
