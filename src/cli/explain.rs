//! `winstorm explain`: the expanded plan, for a person.

use super::exit::{Exit, print};
use crate::scenario::{explain, load_file};
use clap::Args;
use std::path::PathBuf;

#[derive(Args, Debug)]
pub(super) struct ExplainArguments {
    /// The scenario file.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Set a value of the file: `host.wins-a.wins.pull_interval=15min`.
    #[arg(long, value_name = "PATH=VALUE")]
    set: Vec<String>,
}

pub(super) fn main(arguments: &ExplainArguments) -> Exit {
    match load_file(&arguments.file, &arguments.set) {
        Ok(plan) => print(&explain(&plan)).err().unwrap_or(Exit::Success),
        Err(mistakes) => {
            eprintln!("{mistakes}");
            Exit::Mistake
        }
    }
}
