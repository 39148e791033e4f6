//! What a node finds on the quorum: the node that forms replays it (Q217147, steps 5 to 9), a node that takes
//! the quorum over in a running cluster goes on with it.
//!
//! The log always wins over the node's own copy of the database, even over a newer one (Q216064): changes
//! made while every node was up are on the quorum only from the next checkpoint on. What happens to a log or
//! checkpoint that is missing or damaged differs most between versions: see [`BadLog`].

use super::log::{self, Checkpoint, Log, LogError, Replay};
use super::{journal, journal::TOMBSTONE};
use crate::cluster::database::Database;
use crate::cluster::io::{Observation, StartSwitches};
use crate::cluster::profile::{BadLog, ClusterProfile};
use crate::cluster::update::{Update, decode_changes};
use crate::cluster::{ClusterError, ClusterEvent};
use crate::registry::Checks;

/// Service error: the process ended unexpectedly.
pub(super) const TERMINATED: u32 = 1067;

/// The database of the node is damaged.
pub(super) const DATABASE_DAMAGED: u32 = 1009;

/// A quorum being opened.
#[derive(Debug)]
pub(super) struct Opening {
    /// Whether the node forms a cluster.
    pub forms: bool,
    pub stage: Stage,
    /// Names of the files.
    pub names: Vec<String>,
}

/// How far it is.
#[derive(Debug)]
pub(super) enum Stage {
    /// The disk is being mounted.
    Mounting,
    /// The files are being listed.
    Listing,
    /// The log is being read.
    ReadingLog,
    /// A checkpoint is being read.
    ReadingCheckpoint { replay: Replay, named: Option<Checkpoint> },
    /// A log is being made that says that the quorum is new.
    NewLog { database: Box<Database> },
    /// The forming node's own checkpoint is being made.
    Writing { database: Box<Database> },
}

/// What is to be done about a log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    /// The node's own copy of the database is used.
    Own,
    /// This checkpoint is read, and the log applied to it.
    Load { replay: Replay, number: u32, named: Option<Checkpoint> },
    /// No cluster can be formed.
    Refuse(ClusterError),
}

/// The state of the log as a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Found {
    /// There is no file of the cluster at all.
    Empty,
    /// There is no log, or it counts as none.
    Missing,
    /// It cannot be read.
    Damaged(LogError),
    /// It can.
    Good(Log),
}

impl Opening {
    /// Of a quorum whose disk is still to be mounted.
    pub fn new(forms: bool) -> Opening {
        Opening { forms, stage: Stage::Mounting, names: Vec::new() }
    }

    /// The highest number of a checkpoint's file.
    pub fn newest(&self) -> Option<u32> {
        self.names.iter().filter_map(|name| log::checkpoint_number(name)).max()
    }

    /// Numbers of all checkpoint files but this one.
    pub fn others(&self, number: u32) -> Vec<u32> {
        let numbers = self.names.iter().filter_map(|name| log::checkpoint_number(name));
        numbers.filter(|n| *n != number).collect()
    }

    /// The log as it was found.
    pub fn found(&self, bytes: Option<&[u8]>) -> Found {
        let has = |path: &str| self.names.iter().any(|name| name.eq_ignore_ascii_case(path));
        if has(TOMBSTONE) {
            return Found::Missing;
        }
        match bytes {
            None if self.is_new() => Found::Empty,
            None => Found::Missing,
            Some(bytes) => match log::read(bytes) {
                Ok(log) => Found::Good(log),
                Err(error) => Found::Damaged(error),
            },
        }
    }

    /// Whether no file of the log is there: neither it nor a checkpoint.
    fn is_new(&self) -> bool {
        self.newest().is_none() && !self.names.iter().any(|n| n.eq_ignore_ascii_case(journal::LOG))
    }

    /// What the node that forms does about the log.
    pub fn judge(
        &self,
        found: Found,
        own_sequence: u64,
        switches: StartSwitches,
        profile: &ClusterProfile,
        events: &mut Vec<ClusterEvent>,
    ) -> Verdict {
        let tombstone = self.names.iter().any(|n| n.eq_ignore_ascii_case(TOMBSTONE));
        let log = match found {
            Found::Empty if profile.empty_quorum_is_new => return Verdict::Own,
            // A tombstone says that the quorum is another one: the log is not missing, it is no longer valid.
            Found::Missing if tombstone => return Verdict::Own,
            Found::Empty | Found::Missing => return bad_log(true, switches, profile, events),
            Found::Damaged(_) => return bad_log(false, switches, profile, events),
            Found::Good(log) => log,
        };
        let replay = log::replay(log, profile.planted.keeps_earlier_record);
        if !profile.log_always_wins && own_sequence > replay.tail {
            return Verdict::Own;
        }
        let named = replay.checkpoint.map(|(_, checkpoint)| checkpoint);
        // Before the checksum, the newest file was taken whatever the log said.
        let number = match named {
            // The quorum was new, and its first checkpoint was not finished.
            None => return Verdict::Own,
            Some(checkpoint) if profile.checkpoint_checksum => Some(checkpoint.number),
            Some(_) => self.newest(),
        };
        match number {
            Some(number) => Verdict::Load { replay, number, named },
            None => Verdict::Own,
        }
    }
}

/// A log that is missing or damaged.
fn bad_log(
    is_missing: bool,
    switches: StartSwitches,
    profile: &ClusterProfile,
    events: &mut Vec<ClusterEvent>,
) -> Verdict {
    match profile.bad_log {
        BadLog::Rebuild => {
            if !is_missing {
                events.push(ClusterEvent::LogCorrupt);
            }
            Verdict::Own
        }
        BadLog::Refuse if switches.reset_quorum_log => {
            events.push(ClusterEvent::LogCorrupt);
            Verdict::Own
        }
        BadLog::Refuse => {
            events.extend([ClusterEvent::LogCorrupt, ClusterEvent::LogFatal]);
            Verdict::Refuse(ClusterError(TERMINATED))
        }
    }
}

/// What comes of a checkpoint and the log after it.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Replayed {
    /// The database.
    Database(Box<Database>),
    /// The node's own copy is used.
    Own,
    /// A damaged checkpoint was put in the place of the node's own copy, and cannot be loaded (Q216064).
    Destroyed,
    /// No cluster can be formed.
    Refuse(ClusterError),
}

/// Loads a checkpoint and applies the log to it. `bytes` are what is in its file.
pub(super) fn load(
    bytes: Option<&[u8]>,
    replay: &Replay,
    named: Option<Checkpoint>,
    switches: StartSwitches,
    profile: &ClusterProfile,
    (events, seen): (&mut Vec<ClusterEvent>, &mut Vec<Observation>),
) -> Replayed {
    let sum = named.and_then(|checkpoint| checkpoint.checksum);
    let is_checked = profile.checkpoint_checksum;
    let sound = |bytes: &&[u8]| !is_checked || sum.is_none_or(|s| s == crc32fast::hash(bytes));
    let checks = if is_checked { Checks::All } else { Checks::None };
    let loaded = bytes.filter(sound).map(|bytes| Database::load_with(bytes, checks));
    let mut database = match loaded {
        Some(Ok(database)) => database,
        None | Some(Err(_)) if is_checked => {
            events.push(if bytes.is_none() {
                ClusterEvent::CheckpointRecordMissing
            } else {
                ClusterEvent::CheckpointNotObtained
            });
            return match profile.bad_checkpoint {
                BadLog::Rebuild => Replayed::Own,
                BadLog::Refuse if switches.reset_quorum_log => Replayed::Own,
                BadLog::Refuse => {
                    events.push(ClusterEvent::LogFatal);
                    Replayed::Refuse(ClusterError(TERMINATED))
                }
            };
        }
        None => return Replayed::Own,
        Some(Err(_)) => return Replayed::Destroyed,
    };
    // Before the checksum the file may be newer than the log's record of it; its own number counts then.
    if let Some((sequence, _)) = replay.checkpoint.filter(|_| is_checked) {
        database.sequence = sequence;
    }
    seen.push(Observation::ReplayBegan { sequence: database.sequence });
    for (sequence, body) in &replay.changes {
        if *sequence <= database.sequence {
            continue;
        }
        // A change that could not be applied when it was made changed nothing then either.
        if let Ok(changes) = decode_changes(body) {
            let _ = database.apply(&changes);
            let digest = Update::Database(changes).digest();
            seen.push(Observation::Replayed { sequence: *sequence, digest });
        }
        database.sequence = *sequence;
    }
    Replayed::Database(Box::new(database))
}
