//! `winstorm chart`: folders of sweeps put together, in one table and one set of charts.

use super::exit::{Exit, fault};
use super::run::Format;
use super::sweep::write_and_show;
use crate::report::{self, Extras, compare_sweeps, read_sweep};
use clap::Args;
use std::path::{Path, PathBuf};

#[derive(Args, Debug)]
pub(super) struct ChartArguments {
    /// Folders that `winstorm sweep` or `winstorm run` wrote. The parts of one sweep become the whole;
    /// different ones are compared.
    #[arg(required = true, value_name = "DIR")]
    folders: Vec<PathBuf>,
    /// Draw these measures instead of those that matter most: a name, or its beginning and `*`.
    #[arg(long, value_name = "NAME")]
    measure: Vec<String>,
    /// The folder for tables, report and charts.
    #[arg(long, value_name = "DIR", default_value = "comparison")]
    out: PathBuf,
    /// What to print.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

pub(super) fn main(arguments: &ChartArguments) -> Exit {
    execute(arguments).map_or_else(|exit| exit, |()| Exit::Success)
}

fn execute(arguments: &ChartArguments) -> Result<(), Exit> {
    let mut sweeps = Vec::new();
    for folder in &arguments.folders {
        let read = |file: &'static str| read_text(&folder.join(file));
        let sweep = read_sweep(&read).map_err(|error| {
            eprintln!("error: `{}` is no folder of a sweep or run: {error}", folder.display());
            Exit::Mistake
        })?;
        sweeps.push((name_of(folder), sweep));
    }
    let whole = compare_sweeps(sweeps).map_err(|why| {
        eprintln!("error: these folders do not belong together: {why}");
        Exit::Mistake
    })?;
    report::prepare(&arguments.out).map_err(|e| fault(&e))?;
    let extras = Extras::default();
    write_and_show(&whole, &arguments.measure, &arguments.out, arguments.format, extras)
}

/// What a folder is called: its own name.
fn name_of(folder: &Path) -> String {
    let name = folder.file_name().map(|name| name.to_string_lossy().into_owned());
    name.unwrap_or_else(|| folder.display().to_string())
}

fn read_text(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| error.to_string())
}
