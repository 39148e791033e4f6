//! The command line: one file per command.
//!
//! Exit codes: 0 every expectation holds (or could not be judged), 1 one failed, 2 a mistake in usage or
//! scenario, 3 the run was not deterministic, 4 a fault of the program or the machine.

mod asking;
mod capture;
mod chart;
mod check;
mod exit;
mod explain;
mod pull;
mod query;
mod register;
mod release;
mod replay;
mod run;
mod schema;
mod serve;
mod status;
mod sweep;
mod trace;

use clap::{Parser, Subcommand};
use exit::Exit;
use std::process::ExitCode;

/// A deterministic discrete-event simulator for Windows-style naming and failover.
#[derive(Parser, Debug)]
#[command(
    name = "winstorm",
    version,
    about,
    after_help = "Exit codes: 0 all expectations hold, 1 one failed, 2 a mistake in usage or scenario,\n\
                  3 the run was not deterministic, 4 a fault of the program or machine.\n\n\
                  Start with:  winstorm run scenarios/wins/primary-failover.toml --out out/primary-failover"
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Run a scenario, judge it, and show what was measured.
    Run(run::RunArguments),
    /// Run a scenario with many seeds and settings, and compare.
    Sweep(sweep::SweepArguments),
    /// Put folders of sweeps and runs together, in one table and one set of charts.
    Chart(chart::ChartArguments),
    /// Find every mistake in scenario files; nothing runs.
    Check(check::CheckArguments),
    /// Show the expanded plan of a scenario; nothing runs.
    Explain(explain::ExplainArguments),
    /// Ask a WINS server who holds a name.
    Query(query::QueryArguments),
    /// Register a name with a WINS server, or refresh it.
    Register(register::RegisterArguments),
    /// Give a name up at a WINS server.
    Release(release::ReleaseArguments),
    /// Show the name table of a machine, as nbtstat -A does.
    Status(status::StatusArguments),
    /// Read a WINS server's database by replication.
    Pull(pull::PullArguments),
    /// Be a WINS server for real clients and partners.
    Serve(serve::ServeArguments),
    /// Run a recording of `serve --record` again and compare answers and database.
    Replay(replay::ReplayArguments),
    /// Print the JSON schema of scenario files, for editors.
    Schema,
}

/// Runs the program and gives its exit code.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version come this way too; they are no mistake.
            let exit = if error.use_stderr() { Exit::Mistake } else { Exit::Success };
            let _ = error.print();
            return exit.into();
        }
    };
    let exit = match arguments.command {
        Command::Run(arguments) => run::main(&arguments),
        Command::Sweep(arguments) => sweep::main(&arguments),
        Command::Chart(arguments) => chart::main(&arguments),
        Command::Check(arguments) => check::main(&arguments),
        Command::Explain(arguments) => explain::main(&arguments),
        Command::Query(arguments) => query::main(&arguments),
        Command::Register(arguments) => register::main(&arguments),
        Command::Release(arguments) => release::main(&arguments),
        Command::Status(arguments) => status::main(&arguments),
        Command::Pull(arguments) => pull::main(&arguments),
        Command::Serve(arguments) => serve::main(&arguments),
        Command::Replay(arguments) => replay::main(&arguments),
        Command::Schema => schema::main(),
    };
    exit.into()
}
