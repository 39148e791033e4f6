//! `winstorm check`: every mistake in the files, nothing run.

use super::exit::{Exit, print};
use crate::scenario::{closing_line, load_file};
use clap::Args;
use std::path::PathBuf;

#[derive(Args, Debug)]
pub(super) struct CheckArguments {
    /// Scenario files.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

pub(super) fn main(arguments: &CheckArguments) -> Exit {
    let (mut mistakes, mut bad_files) = (0, 0);
    for file in &arguments.files {
        match load_file(file, &[]) {
            Ok(plan) => {
                let settings: usize = plan.vary.iter().map(|axis| axis.values.len()).product();
                let varies = match plan.vary.is_empty() {
                    true => String::new(),
                    false => format!(", {settings} settings to sweep"),
                };
                let counts = format!(
                    "{} hosts, {} faults, {} expectations{varies}",
                    plan.hosts.len(),
                    plan.faults.len(),
                    plan.expects.len()
                );
                if let Err(exit) = print(&format!("ok  {}  ({counts})\n", file.display())) {
                    return exit;
                }
            }
            Err(found) => {
                eprint!("{}", found.body());
                mistakes += found.len();
                bad_files += 1;
            }
        }
    }
    if mistakes == 0 {
        return Exit::Success;
    }
    eprintln!("{}", closing_line(mistakes, bad_files));
    Exit::Mistake
}
