//! `winstorm replay`: a recording of `winstorm serve`, run again.

use super::exit::{Exit, fault, print};
use crate::serve::{Recording, ReplayError, ReplayVerdict, Replayed, replay};
use clap::Args;
use std::path::PathBuf;

#[derive(Args, Debug)]
pub(super) struct ReplayArguments {
    /// The recording, as `winstorm serve wins --record` wrote it.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Write the database as it is at the end into this file.
    #[arg(long, value_name = "FILE")]
    store: Option<PathBuf>,
}

pub(super) fn main(arguments: &ReplayArguments) -> Exit {
    execute(arguments).unwrap_or_else(|exit| exit)
}

fn execute(arguments: &ReplayArguments) -> Result<Exit, Exit> {
    let replayed = Recording::read(&arguments.file)
        .map_err(ReplayError::from)
        .and_then(replay)
        .map_err(|error| {
            eprintln!("error: {}: {error}", arguments.file.display());
            Exit::Mistake
        })?;
    if let Some(path) = &arguments.store {
        std::fs::write(path, &replayed.store)
            .map_err(|error| fault(&format_args!("{}: {error}", path.display())))?;
    }
    if replayed.other_config {
        eprintln!("note: this program makes another configuration of the recorded settings");
    }
    print(&said(&replayed))?;
    Ok(match replayed.verdict {
        ReplayVerdict::Same | ReplayVerdict::CutOff => Exit::Success,
        ReplayVerdict::Differs(_) | ReplayVerdict::OtherStore { .. } => Exit::NotDeterministic,
    })
}

fn said(replayed: &Replayed) -> String {
    let Replayed { inputs, sent, time, digest, .. } = replayed;
    let what = format!("{inputs} inputs over {time}, {sent} datagrams sent, digest {digest:016x}");
    match &replayed.verdict {
        ReplayVerdict::Same => format!("the same answers and the same database: {what}\n"),
        ReplayVerdict::CutOff => {
            format!("the same answers as far as the recording goes, which has no end: {what}\n")
        }
        ReplayVerdict::Differs(difference) => {
            format!("NOT THE SAME: the first difference is after {difference}\n  {what}\n")
        }
        ReplayVerdict::OtherStore { recorded, replayed } => format!(
            "NOT THE SAME DATABASE: {recorded:016x} was recorded, {replayed:016x} came out\n  {what}\n"
        ),
    }
}
