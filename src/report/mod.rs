//! What people read of a finished run: summary, charts, page and tables.
//!
//! Everything here is a pure function of [`crate::measure::RunResult`]: the same result gives the same bytes
//! (the wall time of a run, which is handed in, appears in the summary only). Only `output` touches files,
//! and it leaves either a whole file or none.

mod canvas;
mod chart;
mod draw;
mod format;
mod json;
mod output;
mod page;
mod panels;
mod parquet;
// Captures of simulated packets.
pub mod pcapng;
mod strips;
mod summary;
mod sweep;
mod ticks;
mod timeline;

pub use chart::{Chart, charts, compare};
pub use json::{json, json_pretty};
pub use output::{OutputError, PendingFile, prepare, render_all, write_all, write_files};
pub use page::page;
pub use parquet::measures_parquet;
pub use summary::{Extras, Style, text};
pub use sweep::{
    ReadError, compare_sweeps, is_wanted, read_sweep, sweep_files, sweep_json, sweep_text,
};
pub use timeline::timeline;
