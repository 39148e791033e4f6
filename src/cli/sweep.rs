//! `winstorm sweep`: every combination of what varies, times every seed.

use super::exit::{Exit, fault, print};
use super::run::{Format, interrupted_flag};
use crate::explore::{SweepError, SweepOptions, sweep, threads};
use crate::measure::Verdict;
use crate::measure::sweep::Sweep;
use crate::report::{self, Extras, Style};
use crate::scenario::load_sweep;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

/// More runs than this are refused: their rows would not fit in memory, and nobody would wait.
const RUNS_MAX: u64 = 10_000_000;
/// More parts than this are refused.
const SHARDS_MAX: u32 = 100_000;

#[derive(Args, Debug)]
pub(super) struct SweepArguments {
    /// The scenario file.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The seeds, both ends included: `1..1000`, or one seed.
    #[arg(long, value_name = "A..B")]
    seeds: String,
    /// Try these values, instead of those the file gives: `link.wan.delay=5ms,50ms`; or of its named
    /// alternatives only these: `design=pair,both`.
    #[arg(long, value_name = "PATH=V1,V2")]
    vary: Vec<String>,
    /// Set a value of the file in every run: `host.wins-a.wins.pull_interval=15min`.
    #[arg(long, value_name = "PATH=VALUE")]
    set: Vec<String>,
    /// How many runs at a time; as many as the machine has processors if not given.
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
    /// Only the I-th of N equal parts; `winstorm chart` puts the folders of all parts together.
    #[arg(long, value_name = "I/N")]
    shard: Option<String>,
    /// Draw these measures instead of those that matter most: a name, or its beginning and `*`.
    #[arg(long, value_name = "NAME")]
    measure: Vec<String>,
    /// The folder for tables, report and charts.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// What to print.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

pub(super) fn main(arguments: &SweepArguments) -> Exit {
    execute(arguments).unwrap_or_else(|exit| exit)
}

fn execute(arguments: &SweepArguments) -> Result<Exit, Exit> {
    let seeds = seeds(&arguments.seeds).map_err(|why| usage("--seeds", &arguments.seeds, &why))?;
    let shard = arguments.shard.as_deref();
    let shard = shard.map(|text| part(text).map_err(|why| usage("--shard", text, &why)));
    let shard = shard.transpose()?;
    let jobs = arguments.jobs.unwrap_or_else(threads);
    if jobs == 0 {
        return Err(usage("--jobs", "0", "somebody has to run them"));
    }
    let plan =
        load_sweep(&arguments.file, &arguments.set, &arguments.vary).map_err(|mistakes| {
            eprintln!("{mistakes}");
            Exit::Mistake
        })?;
    let count = (seeds.end() - seeds.start()).saturating_add(1);
    if count.saturating_mul(plan.combinations.len() as u64) > RUNS_MAX {
        let why = format!("with {} settings more than {RUNS_MAX} runs", plan.combinations.len());
        return Err(usage("--seeds", &arguments.seeds, &why));
    }
    report::prepare(&arguments.out).map_err(|e| fault(&e))?;
    let name = arguments.file.display().to_string();
    let interrupted = interrupted_flag();
    let stopped = || interrupted.load(Ordering::Relaxed);
    let options = SweepOptions {
        scenario: &name,
        overrides: &arguments.set,
        seeds,
        shard,
        threads: jobs,
        stopped: &stopped,
    };
    #[expect(clippy::disallowed_types, reason = "how long it took here, shown and never used")]
    let started = std::time::Instant::now();
    let bar = progress_bar();
    let mut failed = 0u64;
    let swept = sweep(&plan, &options, |planned, held| {
        bar.set_length(planned);
        bar.inc(1);
        failed += u64::from(!held);
        if failed > 0 {
            bar.set_message(format!("{failed} failed, "));
        }
    });
    bar.finish_and_clear();
    let swept = swept.map_err(|error| match error {
        SweepError::Changed(mistakes) => {
            eprintln!("{mistakes}");
            Exit::Mistake
        }
        SweepError::Build(why) => fault(&why),
    })?;
    let wall_s = started.elapsed().as_secs_f64();
    if stopped() {
        let (done, planned) = (swept.rows.len(), swept.planned());
        eprintln!("interrupted after {done} of {planned} runs: what follows is about those");
    }
    let extras = Extras { wall_s: Some(wall_s), files: Vec::new() };
    write_and_show(&swept, &arguments.measure, &arguments.out, arguments.format, extras)?;
    Ok(match swept.verdict() {
        _ if swept.panicked() => Exit::Fault,
        Verdict::Fail => Exit::Failed,
        Verdict::Pass | Verdict::NotJudged => Exit::Success,
    })
}

/// Writes a sweep's files and prints what they say.
pub(super) fn write_and_show(
    sweep: &Sweep,
    measures: &[String],
    out: &Path,
    format: Format,
    extras: Extras,
) -> Result<(), Exit> {
    for wanted in measures.iter().filter(|wanted| !measured(sweep, wanted)) {
        eprintln!("warning: --measure {wanted}: no run measured that; runs.csv has the names");
    }
    let files = report::sweep_files(sweep, measures);
    let files = report::write_files(out, &files).map_err(|e| fault(&e))?;
    match format {
        Format::Json => print(&(report::sweep_json(sweep, extras.wall_s) + "\n")),
        Format::Text => {
            let style = Style::for_terminal(std::io::stdout().is_terminal());
            print(&report::sweep_text(sweep, &Extras { files, ..extras }, style))
        }
    }
}

fn measured(sweep: &Sweep, wanted: &str) -> bool {
    sweep.measures.iter().any(|(name, _)| report::is_wanted(name, wanted))
}

/// Says what is wrong with an option's value.
fn usage(option: &str, text: &str, why: &str) -> Exit {
    eprintln!("error: {option} {text}: {why}");
    Exit::Mistake
}

fn seeds(text: &str) -> Result<RangeInclusive<u64>, String> {
    let number = |text: &str| {
        let number = text.trim().parse::<u64>();
        number.map_err(|_| format!("`{}` is no seed; write 1..1000, or one seed", text.trim()))
    };
    let Some((from, until)) = text.split_once("..") else {
        let seed = number(text)?;
        return Ok(seed..=seed);
    };
    let (from, until) = (number(from)?, number(until.strip_prefix('=').unwrap_or(until))?);
    if from > until {
        return Err(format!("the range runs backwards; did you mean {until}..{from}?"));
    }
    Ok(from..=until)
}

fn part(text: &str) -> Result<(u32, u32), String> {
    let parts = text.split_once('/').map(|(i, n)| (i.trim().parse(), n.trim().parse()));
    match parts {
        Some((Ok(i), Ok(n))) if (1..=n).contains(&i) && n <= SHARDS_MAX => Ok((i, n)),
        Some((Ok(_), Ok(n))) if n > SHARDS_MAX => Err(format!("more than {SHARDS_MAX} parts")),
        Some((Ok::<u32, _>(_), Ok::<u32, _>(n))) => Err(format!("the parts are 1/{n} to {n}/{n}")),
        _ => Err("write 2/5 for the second of five parts".to_string()),
    }
}

fn progress_bar() -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(1);
    let template = "{wide_bar} {pos} of {len} runs, {msg}{eta} to go";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_and_parts_are_read_with_both_ends() {
        assert_eq!(seeds("3..7"), Ok(3..=7));
        assert_eq!(seeds("9"), Ok(9..=9));
        assert!(seeds("7..3").unwrap_err().contains("3..7"));
        assert!(seeds("1..many").is_err() && seeds("..").is_err() && seeds("-1..4").is_err());
        assert_eq!(part("2/5"), Ok((2, 5)));
        for bad in ["0/5", "6/5", "2", "a/b", "1/0", "1/999999"] {
            assert!(part(bad).is_err(), "{bad} passed");
        }
    }
}
