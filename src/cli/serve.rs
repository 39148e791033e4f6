//! `winstorm serve wins`: a WINS server for real clients.

use super::exit::{Exit, fault, print};
use crate::base::SimDuration;
use crate::scenario::parse_duration;
use crate::serve::{
    BURST_QUEUE, FLOOD_RATE, LiveOptions, LogFormat, LogLevel, PULL_INTERVAL, PUSH_AFTER, Settings,
    StoreFile, journal_path, serve, start_log,
};
use crate::wins::{Salvaged, salvage};
use clap::{Args, Subcommand, ValueEnum};
use std::fmt::Display;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

#[derive(Args, Debug)]
pub(super) struct ServeArguments {
    #[command(subcommand)]
    service: Service,
}

#[derive(Subcommand, Debug)]
enum Service {
    /// Serve NetBIOS names over UDP port 137 and replicate over TCP port 42.
    Wins(Box<WinsArguments>),
}

#[derive(Args, Debug)]
struct WinsArguments {
    /// The one address to serve; it is also this server's identity at its partners.
    #[arg(long, value_name = "IP", default_value = "127.0.0.1")]
    listen: Ipv4Addr,
    /// The database's file; made if there is none.
    #[arg(long, value_name = "FILE")]
    store: PathBuf,
    /// This host's own NetBIOS name; the machine's name if not given.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// The workgroup or domain of this host.
    #[arg(long, value_name = "NAME", default_value = "WORKGROUP")]
    workgroup: String,
    /// The version to behave as: nt35, nt351, nt40, nt40-sp0 to nt40-sp6, w2k, w2k3.
    #[arg(long, value_name = "VERSION", default_value = "w2k3")]
    profile: String,
    /// A push and pull partner; may be given several times.
    #[arg(long, value_name = "IP")]
    partner: Vec<Ipv4Addr>,
    /// Let peers that are no partners pull as well.
    #[arg(long)]
    any_partner: bool,
    /// An LMHOSTS file with static mappings; may be given several times.
    #[arg(long = "static", value_name = "LMHOSTS")]
    statics: Vec<PathBuf>,
    /// UDP port of the name service, here and at the clients that are challenged.
    #[arg(long, value_name = "PORT", default_value_t = 137)]
    name_port: u16,
    /// TCP port of replication, here and at partners.
    #[arg(long, value_name = "PORT", default_value_t = 42)]
    replication_port: u16,
    /// Whether an answer waits until its record is durable.
    #[arg(long, value_enum, default_value_t = Commit::Strict)]
    commit: Commit,
    /// Take over a database that belongs to a server with another address.
    #[arg(long)]
    adopt: bool,
    /// The database is a restored backup: the version counter jumps, so that nothing is given out twice.
    #[arg(long)]
    restored: bool,
    /// Copy the database into this file, every so often and at the end.
    #[arg(long, value_name = "FILE", conflicts_with = "record")]
    backup: Option<PathBuf>,
    /// How often.
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "1d")]
    backup_every: SimDuration,
    /// Do not serve: copy what is intact in a damaged database into this new file.
    #[arg(long, value_name = "NEWFILE")]
    salvage: Option<PathBuf>,
    /// A program to run for every name added, refreshed or deleted: PROGRAM OPERATION NAME TYPE TTL IP..
    #[arg(long, value_name = "PROGRAM")]
    on_change: Option<PathBuf>,
    /// Write every input to this file, for `winstorm replay`.
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    #[command(flatten)]
    timers: Timers,
    #[command(flatten)]
    watching: Watching,
}

/// Timers and limits, as in scenario files: `10min`, `6d`.
#[derive(Args, Debug)]
struct Timers {
    /// Renewal interval: how long a name lives without a refresh. The version's own if not given.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    renewal: Option<SimDuration>,
    /// Extinction interval: from released to tombstone.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    extinction: Option<SimDuration>,
    /// Extinction timeout: from tombstone to deleted.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    extinction_timeout: Option<SimDuration>,
    /// Verification interval of replicas.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    verification: Option<SimDuration>,
    /// Time between two pulls from a partner.
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value_t = PULL_INTERVAL)]
    pull_interval: SimDuration,
    /// Own changes until partners are notified, or `never`.
    #[arg(long, value_name = "N", value_parser = count_or_never, default_value_t = CountOrNever(Some(PUSH_AFTER)))]
    push_after: CountOrNever,
    /// Registrations waiting from which on answers come early with a short time to live.
    #[arg(long, value_name = "N", default_value_t = BURST_QUEUE)]
    burst_queue: u32,
    /// Time to live in query answers, seconds.
    #[arg(long, value_name = "SECONDS")]
    query_ttl: Option<u32>,
    /// Let dynamic registrations replace static mappings.
    #[arg(long)]
    migrate_on: bool,
    /// The seed of this server's random choices.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Requests a second that one address may send; 0 is no limit. Programs on this machine are limited
    /// only when this is given.
    #[arg(long, value_name = "N", help = flood_help())]
    flood_limit: Option<u32>,
}

/// What is shown while it runs.
#[derive(Args, Debug)]
struct Watching {
    /// How the log is written to standard error.
    #[arg(long, value_enum, default_value_t = Log::Text)]
    log: Log,
    /// Log warnings and errors only.
    #[arg(long, conflicts_with = "verbose")]
    quiet: bool,
    /// Log every change of a record.
    #[arg(long)]
    verbose: bool,
    /// Show counters this often; SIGUSR1 shows them at once.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    counters_every: Option<SimDuration>,
}

#[derive(Copy, Clone, PartialEq, Eq, Debug, ValueEnum)]
enum Commit {
    /// It waits: what was answered survives a power cut.
    Strict,
    /// It leaves at once, as the original's did; a power cut may take the last half second.
    Lazy,
}

#[derive(Copy, Clone, PartialEq, Eq, Debug, ValueEnum)]
enum Log {
    /// Lines for people.
    Text,
    /// One JSON object a line.
    Json,
}

/// A count, or `never`.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
struct CountOrNever(Option<u32>);

impl std::fmt::Display for CountOrNever {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(count) => write!(f, "{count}"),
            None => f.write_str("never"),
        }
    }
}

fn duration(text: &str) -> Result<SimDuration, String> {
    parse_duration(text)
}

fn count_or_never(text: &str) -> Result<CountOrNever, String> {
    match text {
        "never" => Ok(CountOrNever(None)),
        _ => match text.parse() {
            Ok(count) => Ok(CountOrNever(Some(count))),
            Err(_) => Err("give a number of changes, or `never`".to_string()),
        },
    }
}

fn flood_help() -> String {
    format!(
        "Requests a second that one address may send, 0 for no limit [default: {FLOOD_RATE}, and no \
         limit for programs on this machine]"
    )
}

pub(super) fn main(arguments: &ServeArguments) -> Exit {
    let Service::Wins(arguments) = &arguments.service;
    let level = match (arguments.watching.quiet, arguments.watching.verbose) {
        (true, _) => LogLevel::Quiet,
        (_, true) => LogLevel::Verbose,
        _ => LogLevel::Normal,
    };
    start_log(
        match arguments.watching.log {
            Log::Text => LogFormat::Text,
            Log::Json => LogFormat::Json,
        },
        level,
    );
    if let Some(target) = &arguments.salvage {
        return rescue(&arguments.store, target, arguments.adopt.then_some(arguments.listen));
    }
    match serve(&options(arguments)) {
        Ok(()) => Exit::Success,
        Err(error) if error.is_mistake() => {
            eprintln!("error: {error}");
            Exit::Mistake
        }
        Err(error) => fault(&error),
    }
}

fn options(arguments: &WinsArguments) -> LiveOptions {
    let timers = &arguments.timers;
    let nanos = |duration: Option<SimDuration>| duration.map(SimDuration::nanos);
    let settings = Settings {
        listen: arguments.listen,
        name: arguments.name.clone().unwrap_or_else(machine_name),
        workgroup: arguments.workgroup.clone(),
        profile: arguments.profile.clone(),
        partners: arguments.partner.clone(),
        strict: arguments.commit == Commit::Strict,
        name_port: arguments.name_port,
        replication_port: arguments.replication_port,
        push_after: timers.push_after.0,
        pull_interval_ns: timers.pull_interval.nanos(),
        burst_queue: timers.burst_queue,
        migrate_on: timers.migrate_on,
        any_partner: arguments.any_partner,
        renewal_ns: nanos(timers.renewal),
        extinction_ns: nanos(timers.extinction),
        extinction_timeout_ns: nanos(timers.extinction_timeout),
        verification_ns: nanos(timers.verification),
        query_ttl: timers.query_ttl,
        backup_every_ns: arguments.backup.as_ref().map(|_| arguments.backup_every.nanos()),
        seed: timers.seed,
        adopt: arguments.adopt,
        restored: arguments.restored,
    };
    LiveOptions {
        settings,
        store: arguments.store.clone(),
        backup: arguments.backup.clone(),
        statics: arguments.statics.clone(),
        on_change: arguments.on_change.clone(),
        record: arguments.record.clone(),
        counters_every: arguments.watching.counters_every,
        flood_limit: timers.flood_limit,
    }
}

/// Copies what is intact in a damaged database; the original stays as it is.
fn rescue(store: &Path, target: &Path, address: Option<Ipv4Addr>) -> Exit {
    let at = |path: &Path, error: &dyn Display| fault(&format_args!("{}: {error}", path.display()));
    let file = match StoreFile::open_existing(store) {
        Ok(file) => file,
        Err(error) => return at(store, &error),
    };
    let beside = journal_path(store);
    let (journal, new) = match (StoreFile::read_or_empty(&beside), StoreFile::create_new(target)) {
        (Ok(journal), Ok(new)) => (journal, new),
        (Err(error), _) => return at(&beside, &error),
        (_, Err(error)) => return at(target, &error),
    };
    match salvage(&file, &journal, new, address) {
        Err(error) => at(store, &error),
        Ok(saved) => {
            let Salvaged { recovered, from_old_pages, lost, lost_commits, .. } = saved;
            let text = format!(
                "{recovered} records are in {}; {lost} are lost, {from_old_pages} may be older than what was \
                 lost, {lost_commits} commits are missing{}\n",
                target.display(),
                if saved.counter_jumped { "; the version counter was raised far" } else { "" },
            );
            print(&text).map_or_else(|exit| exit, |()| Exit::Success)
        }
    }
}

/// The machine's name as far as it is a NetBIOS name, as Windows makes one of a longer host name.
fn machine_name() -> String {
    let text = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let first = text.trim().split('.').next().unwrap_or_default();
    let usable = |c: &char| c.is_ascii_alphanumeric() || *c == '-' || *c == '_';
    let name: String = first.chars().filter(usable).take(15).collect();
    if name.is_empty() { "WINSTORM".to_string() } else { name.to_uppercase() }
}
