//! `winstorm run`: one scenario, one seed, judged and shown.

use super::capture::CaptureFile;
use super::exit::{Exit, fault, print};
use super::trace::TraceFile;
use crate::base::{SimDuration, SimTime};
use crate::explore::{RunOptions, TraceLine, first_difference, run};
use crate::measure::{RunResult, Verdict};
use crate::report::{self, Extras, OutputError, PendingFile, Style};
use crate::scenario::{Plan, load_file, parse_moment};
use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

#[derive(Args, Debug)]
pub(super) struct RunArguments {
    /// The scenario file.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The seed; the scenario's own, or 1, if not given.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Set a value of the file: `host.wins-a.wins.pull_interval=15min`.
    #[arg(long, value_name = "PATH=VALUE")]
    set: Vec<String>,
    /// Stop at this simulated time: `9h 30min` or `09:30`.
    #[arg(long, value_name = "T")]
    until: Option<String>,
    /// Run twice and compare; exit with 3 and the first difference if the runs are not the same.
    #[arg(long)]
    twice: bool,
    /// Write report, charts, measures and summary into this folder.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Write every event to events.jsonl in the output folder.
    #[arg(long, requires = "out")]
    trace: bool,
    /// Write every packet to packets.pcapng in the output folder, for Wireshark.
    #[arg(long, requires = "out")]
    pcap: bool,
    /// What to print.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Copy, Clone, PartialEq, Eq, Debug, ValueEnum)]
pub(super) enum Format {
    /// A summary for people.
    Text,
    /// One JSON object.
    Json,
}

pub(super) fn main(arguments: &RunArguments) -> Exit {
    execute(arguments).unwrap_or_else(|exit| exit)
}

fn execute(arguments: &RunArguments) -> Result<Exit, Exit> {
    let plan = load_file(&arguments.file, &arguments.set).map_err(|mistakes| {
        eprintln!("{mistakes}");
        Exit::Mistake
    })?;
    let until = arguments.until.as_deref().map(|text| until(text, &plan)).transpose()?;
    let plan = Arc::new(plan);
    if let Some(dir) = &arguments.out {
        report::prepare(dir).map_err(|e| fault(&e))?;
    }
    let name = arguments.file.display().to_string();
    #[expect(clippy::disallowed_types, reason = "how long the run took here, shown and never used")]
    let started = std::time::Instant::now();
    let (result, pending) = run_once(&name, &plan, arguments, until)?;
    let wall_s = started.elapsed().as_secs_f64();
    let mut files = Vec::new();
    if let Some(dir) = &arguments.out {
        let written = report::write_all(dir, &result, Some(wall_s)).map_err(|e| fault(&e))?;
        // Whole on the disk already, and named last: a folder never holds files of two runs.
        for file in pending {
            files.push(file.commit().map_err(|e| fault(&e))?);
        }
        files.extend(written);
    }
    show(arguments, &result, wall_s, files)?;
    if arguments.twice {
        twice(arguments, &name, &plan, until, &result)?;
    }
    Ok(match result.verdict() {
        Verdict::Fail => Exit::Failed,
        Verdict::Pass | Verdict::NotJudged => Exit::Success,
    })
}

fn until(text: &str, plan: &Plan) -> Result<SimTime, Exit> {
    let parsed = parse_moment(text).map_err(|why| {
        eprintln!("error: --until {text}: {why}");
        Exit::Mistake
    })?;
    if parsed == SimTime::ZERO || parsed > SimTime::ZERO + plan.duration {
        let duration = plan.duration;
        eprintln!("error: --until {text}: the run goes from 00:00 to {duration} after it");
        return Err(Exit::Mistake);
    }
    Ok(parsed)
}

fn run_once(
    name: &str,
    plan: &Arc<Plan>,
    arguments: &RunArguments,
    until: Option<SimTime>,
) -> Result<(RunResult, Vec<PendingFile>), Exit> {
    let mut files = Vec::new();
    let out = |wanted: bool| arguments.out.as_deref().filter(|_| wanted);
    let capture = created(out(arguments.pcap), |dir| CaptureFile::create(dir, plan))?;
    let mut trace = created(out(arguments.trace), TraceFile::create)?;
    let interrupted = interrupted_flag();
    let bar = progress_bar(plan, until);
    let mut progress = |at: SimTime| {
        bar.set_position(at.0 / 1_000_000_000);
        !interrupted.load(Ordering::Relaxed)
    };
    let mut line = trace.as_mut().map(|trace| |line: &TraceLine<'_>| trace.line(line));
    let options = RunOptions {
        seed: arguments.seed,
        until,
        capture: capture.as_ref().map(CaptureFile::tap),
        trace: line.as_mut().map(|line| line as &mut dyn FnMut(&TraceLine<'_>)),
        progress: Some(&mut progress),
    };
    let mut result = run(name, plan, options).map_err(|e| fault(&e))?;
    result.overrides = arguments.set.clone();
    bar.finish_and_clear();
    if interrupted.load(Ordering::Relaxed) {
        eprintln!("interrupted at {}: what follows is about the time until then", result.sim_time);
    }
    if let (Some(capture), Some(dir)) = (capture, &arguments.out) {
        files.push(capture.finish(dir).map_err(|e| fault(&e))?);
    }
    if let Some(trace) = trace {
        files.push(trace.finish().map_err(|e| fault(&e))?);
    }
    Ok((result, files))
}

fn created<T>(
    dir: Option<&Path>,
    create: impl FnOnce(&Path) -> Result<T, OutputError>,
) -> Result<Option<T>, Exit> {
    dir.map(create).transpose().map_err(|e| fault(&e))
}

fn show(
    arguments: &RunArguments,
    result: &RunResult,
    wall_s: f64,
    files: Vec<PathBuf>,
) -> Result<(), Exit> {
    match arguments.format {
        Format::Json => print(&(report::json(result, Some(wall_s)) + "\n")),
        Format::Text => {
            let style = Style::for_terminal(std::io::stdout().is_terminal());
            let extras = Extras { wall_s: Some(wall_s), files };
            print(&report::text(result, &extras, style))
        }
    }
}

/// Runs again, with nothing watching: the same history must come out.
fn twice(
    arguments: &RunArguments,
    name: &str,
    plan: &Arc<Plan>,
    until: Option<SimTime>,
    first: &RunResult,
) -> Result<(), Exit> {
    let end = SimTime::ZERO + first.sim_time;
    let until = until.or((first.sim_time < plan.duration).then_some(end));
    let options = RunOptions { seed: arguments.seed, until, ..RunOptions::default() };
    let second = run(name, plan, options).map_err(|e| fault(&e))?;
    if second.digest == first.digest && second.host_digests == first.host_digests {
        eprintln!("twice: the same {} events, digest {:016x}", first.events, first.digest);
        return Ok(());
    }
    eprintln!("NOT DETERMINISTIC: digests {:016x} and {:016x}", first.digest, second.digest);
    match first_difference(name, plan, arguments.seed, until).map_err(|e| fault(&e))? {
        Some(difference) => eprintln!("{difference}"),
        None => eprintln!(
            "two further runs did not differ; actors that did: {}",
            differing(first, &second).join(", ")
        ),
    }
    Err(Exit::NotDeterministic)
}

fn differing(first: &RunResult, second: &RunResult) -> Vec<String> {
    let pairs = first.host_digests.iter().zip(&second.host_digests);
    pairs.filter(|(a, b)| a != b).map(|(a, _)| a.0.clone()).take(8).collect()
}

fn progress_bar(plan: &Plan, until: Option<SimTime>) -> ProgressBar {
    let end = until.map_or(plan.duration, |at| at.since(SimTime::ZERO));
    if !std::io::stderr().is_terminal() || end < SimDuration::from_secs(1) {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(end.secs());
    let template = "{wide_bar} {percent} % of simulated time, {eta} to go";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}

/// Set by Ctrl-C. The run then ends at its next step and shows what it has.
pub(super) fn interrupted_flag() -> Arc<AtomicBool> {
    let flag = Arc::new(AtomicBool::new(false));
    let set = flag.clone();
    // Without a handler, Ctrl-C ends the program at once: worse, but no reason not to run.
    let _ = ctrlc::set_handler(move || set.store(true, Ordering::Relaxed));
    flag
}
