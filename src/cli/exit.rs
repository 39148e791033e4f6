//! How the program ends, and what it says before.

use std::fmt::Display;
use std::io::Write;
use std::process::ExitCode;

/// How the program ends.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) enum Exit {
    /// Every expectation holds.
    Success,
    /// An expectation failed.
    Failed,
    /// A mistake in usage or scenario.
    Mistake,
    /// The run was not deterministic.
    NotDeterministic,
    /// A fault of the program or machine.
    Fault,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(match exit {
            Exit::Success => 0,
            Exit::Failed => 1,
            Exit::Mistake => 2,
            Exit::NotDeterministic => 3,
            Exit::Fault => 4,
        })
    }
}

/// Says what went wrong with machine or program.
pub(super) fn fault(error: &dyn Display) -> Exit {
    eprintln!("error: {error}");
    Exit::Fault
}

/// Prints to standard output. A reader that has gone (`| head`) is no error; a full disk is.
pub(super) fn print(text: &str) -> Result<(), Exit> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(fault(&format_args!("cannot write to standard output: {error}"))),
    }
}
