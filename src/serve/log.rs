//! The log: one line an event, as text or JSON, on standard error, and never so many that the log is the
//! flood.

use super::counters::{Counters, Standing};
use crate::base::{SimDuration, SimTime};
use crate::wins::{WinsEvent, WinsVersion};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

/// Lines about one kind of event come at most this often; the next one says how many were left out.
const EVERY: SimDuration = SimDuration::from_secs(1);
/// Counters are shown whatever the level: somebody asked for them.
const COUNTERS: &str = "counters";

/// How the log is written.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub enum LogFormat {
    /// A line for people.
    #[default]
    Text,
    /// A JSON object a line.
    Json,
}

/// How much is logged.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub enum LogLevel {
    /// Warnings and errors.
    Quiet,
    /// What an administrator wants to know.
    #[default]
    Normal,
    /// Every change of a record as well.
    Verbose,
}

/// Sends the log to standard error. Later calls in one program change nothing.
pub fn start(format: LogFormat, level: LogLevel) {
    let level = match level {
        LogLevel::Quiet => LevelFilter::WARN,
        LogLevel::Normal => LevelFilter::INFO,
        LogLevel::Verbose => LevelFilter::DEBUG,
    };
    let wanted = Targets::new().with_default(level).with_target(COUNTERS, LevelFilter::INFO);
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let registry = tracing_subscriber::registry();
    let _ = match format {
        LogFormat::Text => {
            let lines = lines.with_ansi(false).with_target(false);
            registry.with(lines.with_filter(wanted)).try_init()
        }
        LogFormat::Json => {
            let lines = lines.json().flatten_event(true).with_target(false);
            registry.with(lines.with_filter(wanted)).try_init()
        }
    };
}

/// Lets one line a second through.
#[derive(Copy, Clone, Debug, Default)]
pub(super) struct Limited {
    next: SimTime,
    left_out: u64,
}

impl Limited {
    /// Whether a line may be written now, and how many were left out before it.
    pub(super) fn line(&mut self, now: SimTime) -> Option<u64> {
        if now < self.next {
            self.left_out += 1;
            return None;
        }
        self.next = now + EVERY;
        Some(std::mem::take(&mut self.left_out))
    }
}

/// The event log of the server, each kind of event limited by itself.
#[derive(Debug)]
pub(super) struct EventLog {
    version: WinsVersion,
    limits: BTreeMap<WinsEvent, Limited>,
}

impl EventLog {
    pub(super) fn new(version: WinsVersion) -> EventLog {
        EventLog { version, limits: BTreeMap::new() }
    }

    /// Writes an entry under the number of this version.
    pub(super) fn write(&mut self, event: WinsEvent, peer: Option<Ipv4Addr>, now: SimTime) {
        let Some(left_out) = self.limits.entry(event).or_default().line(now) else { return };
        let id = event.number(self.version);
        let peer = peer.map(tracing::field::display);
        match event {
            WinsEvent::DatabaseError => {
                tracing::error!(id, peer, left_out, "event {event:?}");
            }
            WinsEvent::NotificationAccepted
            | WinsEvent::ConfigurationChanged
            | WinsEvent::RangeEmpty
            | WinsEvent::OwnScavenged
            | WinsEvent::TombstonesScavenged
            | WinsEvent::OwnerRemoved
            | WinsEvent::ShuttingDown => tracing::info!(id, peer, left_out, "event {event:?}"),
            _ => tracing::warn!(id, peer, left_out, "event {event:?}"),
        }
    }
}

/// One line with everything counted so far.
pub(super) fn counters(c: &Counters, s: &Standing) {
    let lag = c.replication_lag_s(s.now);
    tracing::info!(
        target: "counters",
        uptime_s = s.now.since(SimTime::ZERO).secs(),
        records = s.records,
        registrations = c.registrations.ok,
        registrations_failed = c.registrations.failed,
        registrations_dropped = c.registrations.dropped,
        refreshes = c.refreshes.ok,
        refreshes_failed = c.refreshes.failed,
        releases = c.releases.ok,
        releases_failed = c.releases.failed,
        queries_ok = c.queries.ok,
        queries_failed = c.queries.failed,
        host_answers = c.host_answers,
        host_defended = c.defended,
        burst = c.burst,
        challenges = c.challenges,
        challenges_held = c.challenges_held,
        challenging = s.challenging,
        conflicts = c.conflicts,
        replicas = c.replicas,
        replication_lag_s = lag,
        scavenged = c.scavenged,
        streams = s.streams,
        associations = s.associations,
        streams_accepted = c.accepted,
        streams_opened = c.opened,
        streams_turned_away = c.turned_away,
        streams_stalled = c.stalled,
        received = c.received,
        sent = c.sent,
        send_failures = c.send_failures,
        malformed = c.malformed,
        flood_drops = c.flood_drops,
        answers_waiting = s.waiting,
        commits = c.commits,
        hooks_lost = c.hooks_lost,
        "counters"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_events_gives_one_line_a_second_with_their_number() {
        let mut limited = Limited::default();
        let second = |n: u64| SimTime::ZERO + SimDuration::from_millis(n * 10);
        let lines: Vec<u64> = (0..250).filter_map(|n| limited.line(second(n))).collect();
        assert_eq!(lines, [0, 99, 99]);
    }
}
