//! What a live server counts, and the line that shows it.

use crate::base::SimTime;
use crate::wins::{Observation, Owner, RequestKind};
use std::collections::BTreeMap;

/// Requests of one kind.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub struct Requests {
    /// Answered with yes.
    pub ok: u64,
    /// Answered with no.
    pub failed: u64,
    /// Let fall; the client repeats them.
    pub dropped: u64,
}

/// Everything counted since the start.
#[derive(Clone, Debug, Default)]
pub struct Counters {
    /// Registrations.
    pub registrations: Requests,
    /// Refreshes.
    pub refreshes: Requests,
    /// Releases.
    pub releases: Requests,
    /// Queries.
    pub queries: Requests,
    /// Requests about the host's own names that the host answered.
    pub host_answers: u64,
    /// Claims to the host's own names that were refused.
    pub defended: u64,
    /// Registrations answered early.
    pub burst: u64,
    /// Challenges begun, and how many found the holder alive.
    pub challenges: u64,
    /// See `challenges`.
    pub challenges_held: u64,
    /// Replicas that met a stored record.
    pub conflicts: u64,
    /// Replicas stored.
    pub replicas: u64,
    /// Records made, released, made tombstones and deleted by scavenging.
    pub scavenged: u64,
    /// Datagrams received, sent, and sent in vain.
    pub received: u64,
    /// See `received`.
    pub sent: u64,
    /// See `received`.
    pub send_failures: u64,
    /// Datagrams that are no name service packets.
    pub malformed: u64,
    /// Datagrams refused because their source sent too many.
    pub flood_drops: u64,
    /// Streams accepted, opened, turned away, and given up because the peer stalled.
    pub accepted: u64,
    /// See `accepted`.
    pub opened: u64,
    /// See `accepted`.
    pub turned_away: u64,
    /// See `accepted`.
    pub stalled: u64,
    /// Commits.
    pub commits: u64,
    /// Changes that the program given with `--on-change` was not told.
    pub hooks_lost: u64,
    /// When this server last knew that it holds everything of an owner.
    pub caught_up: BTreeMap<Owner, SimTime>,
}

impl Counters {
    /// Counts what the server observed.
    pub fn observe(&mut self, observation: &Observation, now: SimTime) {
        match *observation {
            Observation::Answered { request, positive, .. } => {
                let requests = self.of(request);
                if positive {
                    requests.ok += 1;
                } else {
                    requests.failed += 1;
                }
            }
            Observation::Dropped { request, .. } => self.of(request).dropped += 1,
            Observation::BurstAnswered { .. } => self.burst += 1,
            Observation::ChallengeBegan { .. } => self.challenges += 1,
            Observation::ChallengeEnded { held, .. } => self.challenges_held += u64::from(held),
            Observation::Conflict { .. } => self.conflicts += 1,
            Observation::ReplicaApplied { .. } => self.replicas += 1,
            Observation::CaughtUp { owner, .. } => {
                self.caught_up.insert(owner, now);
            }
            Observation::Scavenged { released, tombstoned, deleted, .. } => {
                self.scavenged += u64::from(released) + u64::from(tombstoned) + u64::from(deleted);
            }
            _ => {}
        }
    }

    fn of(&mut self, request: RequestKind) -> &mut Requests {
        match request {
            RequestKind::Registration => &mut self.registrations,
            RequestKind::Refresh => &mut self.refreshes,
            RequestKind::Release => &mut self.releases,
            RequestKind::Query => &mut self.queries,
        }
    }

    /// Seconds since the partner that was longest not heard of was caught up with, `None` without any.
    pub fn replication_lag_s(&self, now: SimTime) -> Option<u64> {
        self.caught_up.values().map(|&at| now.since(at).secs()).max()
    }
}

/// What stands beside the counters in the line that shows them.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Standing {
    /// Time since the start.
    pub now: SimTime,
    /// Records of all states.
    pub records: usize,
    /// Streams open.
    pub streams: usize,
    /// Associations with partners.
    pub associations: usize,
    /// Challenges under way.
    pub challenging: usize,
    /// Answers that wait for the disk.
    pub waiting: usize,
}
