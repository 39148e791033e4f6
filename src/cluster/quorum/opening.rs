//! What a node finds on the quorum: the node that forms replays it (Q217147, steps 5 to 9), a node that takes
//! the quorum over in a running cluster goes on with it.
//!
//! The log always wins over the node's own copy of the database, even over a newer one (Q216064): changes
//! made while every node was up are on the quorum only from the next checkpoint on. What happens to a log or
//! checkpoint that is missing or damaged differs most between versions: see [`BadLog`].

use super::journal::{LOG, LOG_NOT_USABLE, TOMBSTONE, Told, Why};
use super::log::{self, Checkpoint, Log, LogError, Replay};
use super::volume::{Outcome, Work};
use super::{Purpose, Quorum};
use crate::cluster::database::Database;
use crate::cluster::io::{
    FileOperation, HaltReason, Observation, Part, Place, StartSwitches, Ticket,
};
use crate::cluster::profile::{BadLog, ClusterProfile};
use crate::cluster::step::{Notice, Step};
use crate::cluster::update::{Update, decode_changes};
use crate::cluster::{ClusterError, ClusterEvent};
use crate::registry::Checks;

/// Service error: the process ended unexpectedly.
pub(super) const TERMINATED: u32 = 1067;

/// How files of registry checkpoints end.
const CHECKPOINT_FILE: &str = ".CPT";

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
        self.newest().is_none() && !self.names.iter().any(|n| n.eq_ignore_ascii_case(LOG))
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

/// What this node's part of the quorum does about it.
impl Quorum {
    pub(super) fn opened_more(
        &mut self,
        outcome: Outcome,
        database: &Database,
        step: &mut Step<'_>,
    ) {
        let Some(mut opening) = self.opening.take() else { return };
        match (std::mem::replace(&mut opening.stage, Stage::Mounting), outcome) {
            (Stage::Listing, Outcome::Names(names)) => {
                opening.names = names;
                opening.stage = Stage::ReadingLog;
                self.opening = Some(opening);
                self.volume.begin(Purpose::Opening, LOG, &Work::Read, step);
            }
            (Stage::ReadingLog, Outcome::Content(bytes)) => {
                let found = opening.found(bytes.as_deref());
                if opening.forms {
                    self.judge(opening, found, database, step);
                } else {
                    self.take_over(&opening, found, database, step);
                }
            }
            (Stage::ReadingCheckpoint { replay, named }, Outcome::Content(bytes)) => {
                let profile = &step.config.profile;
                let (mut events, mut seen) = (Vec::new(), Vec::new());
                let bytes = bytes.as_deref();
                let told = (&mut events, &mut seen);
                let loaded = load(bytes, &replay, named, self.switches, profile, told);
                events.into_iter().for_each(|event| step.log(event));
                seen.into_iter().for_each(|seen| step.observe(seen));
                self.loaded(opening, bytes, loaded, database, step);
            }
            (Stage::NewLog { database: own }, Outcome::Done) => {
                self.write_first(opening, own, step);
            }
            (Stage::NewLog { .. }, Outcome::Full) => self.cannot_form_full(step),
            _ => {
                step.log(ClusterEvent::HaltedToStayConsistent { error: LOG_NOT_USABLE });
                if opening.forms {
                    step.notice(Notice::CannotForm { error: LOG_NOT_USABLE });
                } else {
                    step.notice(Notice::Halt(HaltReason::Inconsistent));
                }
            }
        }
    }

    fn judge(
        &mut self,
        mut opening: Opening,
        found: Found,
        database: &Database,
        step: &mut Step<'_>,
    ) {
        let mut events = Vec::new();
        let is_empty = found == Found::Empty;
        // The cluster that begins here comes after every one that has written there.
        if let Found::Good(log) = &found {
            let last = log.records.iter().map(|entry| entry.epoch).max().unwrap_or(0);
            self.journal.epoch = self.journal.epoch.max(last);
        }
        self.journal.epoch += 1;
        let profile = &step.config.profile;
        let verdict = opening.judge(found, database.sequence, self.switches, profile, &mut events);
        events.into_iter().for_each(|event| step.log(event));
        match verdict {
            Verdict::Refuse(error) => step.notice(Notice::CannotForm { error: error.0 }),
            Verdict::Own if is_empty => {
                // A log that says so first: a power cut before the first checkpoint is done leaves no
                // checkpoint without a log.
                let mut bytes = log::header();
                log::put(self.journal.epoch, database.sequence, &log::Record::New, &mut bytes);
                opening.stage = Stage::NewLog { database: Box::new(database.clone()) };
                self.opening = Some(opening);
                let work = Work::Put { bytes, atomic: profile.quorum_files_atomic };
                self.volume.begin(Purpose::Opening, LOG, &work, step);
            }
            Verdict::Own => self.write_first(opening, Box::new(database.clone()), step),
            Verdict::Load { replay, number, named } => {
                opening.stage = Stage::ReadingCheckpoint { replay, named };
                self.opening = Some(opening);
                let path = log::checkpoint_name(number);
                self.volume.begin(Purpose::Opening, &path, &Work::Read, step);
            }
        }
    }

    fn loaded(
        &mut self,
        opening: Opening,
        bytes: Option<&[u8]>,
        loaded: Replayed,
        database: &Database,
        step: &mut Step<'_>,
    ) {
        match loaded {
            Replayed::Database(database) => {
                self.delete_unlisted(&opening, &database, step);
                self.write_first(opening, database, step);
            }
            Replayed::Own => self.write_first(opening, Box::new(database.clone()), step),
            Replayed::Refuse(error) => step.notice(Notice::CannotForm { error: error.0 }),
            Replayed::Destroyed => {
                let ticket = Ticket { part: Part::Quorum, number: 0 };
                let replace = FileOperation::Replace;
                step.write_file(ticket, Place::Own, "CLUSDB".into(), bytes.unwrap_or(&[]), replace);
                step.log(ClusterEvent::DatabaseNotOpened);
                step.log(ClusterEvent::Fatal { error: DATABASE_DAMAGED });
                step.notice(Notice::CannotForm { error: DATABASE_DAMAGED });
            }
        }
    }

    /// The forming node makes a checkpoint of what it has; then the database is ready.
    fn write_first(&mut self, mut opening: Opening, database: Box<Database>, step: &mut Step<'_>) {
        let number = opening.newest().unwrap_or(0);
        self.journal.open(number, 0, false, opening.others(number), step);
        self.journal.checkpoint_first(Why::Form);
        let told = self.journal.work(&mut self.volume, &database, step);
        opening.stage = Stage::Writing { database };
        self.opening = Some(opening);
        self.formed(told, step);
    }

    pub(super) fn formed(&mut self, told: Option<Told>, step: &mut Step<'_>) {
        let Some(Told::Formed(result)) = told else { return };
        let Some(opening) = self.opening.take() else { return };
        let Stage::Writing { database } = opening.stage else { return };
        match result {
            Ok(()) => {
                self.ready(&database, step);
            }
            Err(112) => self.cannot_form_full(step),
            Err(error) => {
                step.log(ClusterEvent::HaltedToStayConsistent { error });
                step.notice(Notice::CannotForm { error });
            }
        }
    }

    pub(super) fn ready(&self, database: &Database, step: &mut Step<'_>) {
        let (sequence, hive) = (database.sequence, database.save());
        step.notice(Notice::DatabaseReady { epoch: self.journal.epoch, sequence, hive });
    }

    /// Q251284: nobody holds the disk, so nobody can free space on it.
    fn cannot_form_full(&mut self, step: &mut Step<'_>) {
        step.log(ClusterEvent::Fatal { error: 112 });
        step.log(ClusterEvent::QuorumFull);
        step.notice(Notice::CannotForm { error: 112 });
    }

    /// This node has taken the quorum over in a running cluster; its own database is that of all members.
    /// It goes on with the log if that tells everything, and begins a new one otherwise.
    fn take_over(
        &mut self,
        opening: &Opening,
        found: Found,
        database: &Database,
        step: &mut Step<'_>,
    ) {
        let newest = opening.newest().unwrap_or(0);
        let (mut goes_on, mut length, mut number) = (false, 0, newest);
        if let Found::Good(log) = found {
            length = log.length;
            let is_whole = !log.torn;
            let replay = log::replay(log, step.config.profile.planted.keeps_earlier_record);
            // Others went on without this node, and what they have confirmed must not be lost: if the log
            // tells of a later membership than its own, or of more than the one update that can be on its
            // way.
            if replay.epoch > self.held_in || replay.tail > database.sequence + 1 {
                step.log(ClusterEvent::HaltedToStayConsistent { error: LOG_NOT_USABLE });
                return step.notice(Notice::Halt(HaltReason::Inconsistent));
            }
            if let Some((_, checkpoint)) = replay.checkpoint {
                number = number.max(checkpoint.number);
                goes_on = is_whole
                    && self.journal.is_settled(database)
                    && checkpoint.number == newest
                    && (replay.logging && replay.tail >= database.sequence || !self.journal.wanted);
                self.journal.open(number, length, replay.logging, opening.others(number), step);
                self.journal.count = replay.applied(database.sequence);
            }
        } else if let Found::Damaged(_) = found {
            step.log(ClusterEvent::LogCorrupt);
        }
        if !self.journal.is_open() {
            self.journal.open(number, length, false, opening.others(number), step);
        }
        if goes_on {
            self.journal.owner_first();
        } else {
            self.journal.checkpoint_first(Why::Opened);
        }
        self.delete_unlisted(opening, database, step);
        self.work(database, step);
    }

    /// Deletes files of registry checkpoints that are in no list: whoever held the quorum when they were
    /// removed has died before it could. A new one is written only when every member has its entry.
    fn delete_unlisted(&mut self, opening: &Opening, database: &Database, step: &mut Step<'_>) {
        let is_file = |name: &&String| name.to_ascii_uppercase().ends_with(CHECKPOINT_FILE);
        let mut files = opening.names.iter().filter(is_file).peekable();
        // Before SP5 nobody knows whether the database is whole.
        if files.peek().is_none() || !step.config.profile.checkpoint_checksum {
            return;
        }
        let all = database.all_checkpoints().into_iter();
        let file = |(resource, number, _)| database.checkpoint_file(resource, number);
        let listed: Vec<String> = all.map(file).collect();
        for name in files.filter(|name| !listed.iter().any(|it| it.eq_ignore_ascii_case(name))) {
            self.volume.begin(Purpose::Nothing, name, &Work::Delete, step);
        }
    }
}
