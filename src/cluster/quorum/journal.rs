//! The quorum log at work on the node that holds the quorum: appends, checkpoints, on and off.
//!
//! Q217147: while every node is up nothing is logged, since a global update reaches them all; when one goes
//! down a checkpoint of the hive is made and changes are logged from then on, each on the disk before it is
//! applied anywhere. A checkpoint is three steps, and a power cut between them leaves either the old
//! checkpoint with the old log or the new one with the new log: the new file, the log in its place with the
//! record of it, the old file's end.
//!
//! Jobs are done one at a time in their order.

use super::Purpose;
use super::log::{self, Checkpoint, Record};
use super::volume::{Outcome, Volume, Work};
use crate::base::SimTime;
use crate::cluster::database::Database;
use crate::cluster::io::HaltReason;
use crate::cluster::step::{Notice, Step};
use crate::cluster::{ClusterEvent, DiskId};
use std::collections::VecDeque;

/// Path of the log.
pub(super) const LOG: &str = r"MSCS\quolog.log";

/// Path whose presence makes the log invalid.
pub(super) const TOMBSTONE: &str = r"MSCS\tombstone";

/// Jobs that may wait. One global update is under way at a time, so a few wait at most; a peer that sends
/// more is refused.
const JOBS_MAX: usize = 256;

/// Errors of winerror.h.
pub(super) const RECORD_EXCEEDS_MAX: u32 = 5030;
pub(super) const LOG_EXCEEDS_MAX: u32 = 5031;
pub(super) const NOT_ENOUGH_SPACE: u32 = 5033;
pub(super) const LOG_NOT_USABLE: u32 = 5028;

/// The quorum log of the node that holds the quorum.
#[derive(Debug, Default)]
pub(super) struct Journal {
    /// Whether the log is there to be written.
    is_open: bool,
    /// The number of the last checkpoint.
    number: u32,
    /// Bytes of the log.
    length: usize,
    /// Whether the log on the disk tells everything since its checkpoint.
    logging: bool,
    /// Whether it should: a node is down.
    pub wanted: bool,
    /// An append failed half way: nothing may follow it in this log.
    is_spoilt: bool,
    /// Files of older checkpoints.
    old: Vec<u32>,
    /// The number of the last change since the checkpoint.
    pub count: u64,
    jobs: VecDeque<Job>,
    doing: Option<Doing>,
    /// Changes that are logged, or needed not be, and perhaps not yet applied: a checkpoint made meanwhile
    /// does not hold them. A few: one global update is under way at a time.
    recent: Vec<(u64, Vec<u8>)>,
    /// The largest size, if the cluster was told one.
    max: Option<u32>,
    timer: Option<SimTime>,
    /// The last checkpoint of this service is made, or could not be.
    is_closing: bool,
    /// Why the last change was not logged.
    pub error: u32,
    /// The epoch of the membership this node is in.
    pub epoch: u64,
    /// The registry does not answer (to be injected: Q238173).
    pub registry_fails: bool,
}

/// Why a checkpoint is made.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) enum Why {
    Form,
    NodeDown,
    Opened,
    LogFull,
    Timer,
    Shutdown,
}

/// Something to do.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Job {
    Change { sequence: u64, body: Vec<u8> },
    Checkpoint(Why),
    Off,
    Owner,
    Regroup,
    Close,
    Release { disk: DiskId, orderly: bool, last: bool },
}

/// What is being done.
#[derive(Debug)]
enum Doing {
    Append { record: Appended, length: usize },
    Save(Saving),
    Reset { saving: Saving, length: usize },
}

#[derive(Debug)]
enum Appended {
    Change { sequence: u64, body: Vec<u8> },
    Off,
    Owner,
    Regroup,
}

/// A checkpoint on its way.
#[derive(Debug)]
struct Saving {
    why: Why,
    sequence: u64,
    checkpoint: Checkpoint,
    /// A change that waits for it.
    then: Option<(u64, Vec<u8>)>,
}

/// What the journal has to tell the quorum.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) enum Told {
    /// The checkpoint of the node that forms is made, or could not be (a Windows error).
    Formed(Result<(), u32>),
}

impl Journal {
    /// Whether the log is open.
    pub fn is_open(&self) -> bool {
        self.is_open
    }

    /// The log is this node's from now on. `number` is that of the last checkpoint, `old` are those of files
    /// no longer wanted, `logging` whether the log tells everything up to its end.
    pub fn open(
        &mut self,
        number: u32,
        length: usize,
        logging: bool,
        old: Vec<u32>,
        step: &Step<'_>,
    ) {
        let interval = step.config.profile.hive_checkpoint_interval;
        self.is_open = true;
        (self.number, self.length, self.logging, self.old) = (number, length, logging, old);
        (self.is_spoilt, self.is_closing) = (false, false);
        self.timer = (!interval.is_zero()).then_some(step.now.time + interval);
    }

    /// The largest size of the log from now on.
    pub fn set_max(&mut self, bytes: u32) {
        self.max = Some(bytes);
    }

    fn max(&self, step: &Step<'_>) -> usize {
        self.max.unwrap_or(step.config.profile.quorum_log_max) as usize
    }

    /// Asks for a checkpoint, before what was asked already if the log is only being opened.
    pub fn checkpoint_first(&mut self, why: Why) {
        self.jobs.push_front(Job::Checkpoint(why));
    }

    /// Asks for a record of the new owner, before what was asked already.
    pub fn owner_first(&mut self) {
        self.jobs.push_front(Job::Owner);
    }

    /// Asks for a change to be logged.
    pub fn change(&mut self, sequence: u64, body: Vec<u8>, step: &mut Step<'_>) {
        if self.jobs.len() >= JOBS_MAX {
            self.error = NOT_ENOUGH_SPACE;
            return step.notice(Notice::Logged { sequence, ok: false });
        }
        self.jobs.push_back(Job::Change { sequence, body });
    }

    /// A change that needs not be logged here. It is remembered until it is applied: a checkpoint made in
    /// between does not hold it.
    pub fn pass(&mut self, sequence: u64, body: Vec<u8>, database: &Database) {
        self.forget_saved(database);
        self.recent.retain(|(other, _)| *other < sequence);
        self.recent.push((sequence, body));
    }

    /// Changes are remembered until they are applied, and until a checkpoint that was begun before is done.
    fn forget_saved(&mut self, database: &Database) {
        let saved = match &self.doing {
            Some(Doing::Save(saving) | Doing::Reset { saving, .. }) => saving.sequence,
            Some(Doing::Append { .. }) | None => database.sequence,
        };
        self.recent.retain(|(sequence, _)| *sequence > saved);
    }

    /// Whether every change that was passed or logged is applied.
    pub fn is_settled(&self, database: &Database) -> bool {
        self.recent.iter().all(|(sequence, _)| *sequence <= database.sequence)
    }

    /// Nodes came or went.
    pub fn nodes_changed(&mut self, wanted: bool, gone: bool, step: &Step<'_>) {
        self.wanted = wanted;
        if !self.is_open {
            return;
        }
        let again = gone && step.config.profile.checkpoint_at_every_node_down;
        if wanted && (!self.logging || again) {
            self.jobs.push_back(Job::Checkpoint(Why::NodeDown));
        } else if wanted && gone {
            // Before anything is confirmed in the new membership.
            self.jobs.push_front(Job::Regroup);
        } else if !wanted && self.logging {
            self.jobs.push_back(Job::Off);
        }
    }

    /// The service stops.
    pub fn close(&mut self) {
        self.jobs.push_back(Job::Close);
    }

    /// The disk is to be given up, `last` if no other node is there to take it.
    pub fn release(&mut self, disk: DiskId, orderly: bool, last: bool) {
        self.jobs.push_back(Job::Release { disk, orderly, last });
    }

    /// The quorum is not this node's any more: what waits needs not be logged here.
    pub fn forget(&mut self, step: &mut Step<'_>) {
        let done = self.doing.take();
        let jobs = std::mem::take(&mut self.jobs);
        if let Some(
            Doing::Append { record: Appended::Change { sequence, .. }, .. }
            | Doing::Save(Saving { then: Some((sequence, _)), .. })
            | Doing::Reset { saving: Saving { then: Some((sequence, _)), .. }, .. },
        ) = done
        {
            step.notice(Notice::Logged { sequence, ok: true });
        }
        for job in jobs {
            self.forget_job(job, step);
        }
        *self = Journal {
            wanted: self.wanted,
            recent: std::mem::take(&mut self.recent),
            error: self.error,
            epoch: self.epoch,
            max: self.max,
            registry_fails: self.registry_fails,
            ..Journal::default()
        };
    }

    fn forget_job(&mut self, job: Job, step: &mut Step<'_>) {
        match job {
            Job::Change { sequence, .. } => step.notice(Notice::Logged { sequence, ok: true }),
            Job::Close => step.notice(Notice::QuorumClosed),
            Job::Release { disk, orderly, .. } => step.notice(Notice::GiveDisk { disk, orderly }),
            Job::Checkpoint(_) | Job::Off | Job::Owner | Job::Regroup => {}
        }
    }

    /// When the next periodic checkpoint is due.
    pub fn next_deadline(&self) -> Option<SimTime> {
        self.timer
    }

    /// The periodic checkpoint.
    pub fn on_deadline(&mut self, step: &mut Step<'_>) {
        let profile = &step.config.profile;
        if self.timer.is_some_and(|at| at <= step.now.time) {
            self.timer = Some(step.now.time + profile.hive_checkpoint_interval);
            if profile.false_checkpoint_report {
                step.log(ClusterEvent::CheckpointRecordMissing);
            }
            self.jobs.push_back(Job::Checkpoint(Why::Timer));
        }
    }

    /// Does the next jobs, as far as they need not wait for the disk.
    pub fn work(
        &mut self,
        volume: &mut Volume<Purpose>,
        database: &Database,
        step: &mut Step<'_>,
    ) -> Option<Told> {
        self.forget_saved(database);
        let mut told = None;
        while self.is_open && self.doing.is_none() {
            let Some(job) = self.jobs.pop_front() else { break };
            let now = self.do_job(job, volume, database, step);
            told = told.or(now);
        }
        told
    }

    fn do_job(
        &mut self,
        job: Job,
        volume: &mut Volume<Purpose>,
        database: &Database,
        step: &mut Step<'_>,
    ) -> Option<Told> {
        match job {
            Job::Change { sequence, body } => {
                self.do_change(sequence, body, volume, database, step)
            }
            Job::Checkpoint(why) => return self.save(why, None, volume, database, step),
            Job::Off if self.wanted || !self.logging => {}
            Job::Off => self.append(Appended::Off, database.sequence, &Record::Off, volume, step),
            Job::Owner => {
                let record = Record::Owner(step.me);
                self.append(Appended::Owner, database.sequence, &record, volume, step);
            }
            Job::Regroup => {
                let record = Record::Regroup;
                self.append(Appended::Regroup, database.sequence, &record, volume, step);
            }
            Job::Close | Job::Release { .. } => return self.do_close(job, volume, database, step),
        }
        None
    }

    fn do_change(
        &mut self,
        sequence: u64,
        body: Vec<u8>,
        volume: &mut Volume<Purpose>,
        database: &Database,
        step: &mut Step<'_>,
    ) {
        let max = self.max(step);
        let length = log::CHANGE_HEADER + body.len();
        if !self.wanted && !self.logging {
            self.pass(sequence, body, database);
            step.notice(Notice::Logged { sequence, ok: true });
        } else if length > max {
            self.error = RECORD_EXCEEDS_MAX;
            step.notice(Notice::Logged { sequence, ok: false });
        } else if !self.logging || self.is_spoilt {
            self.save(Why::NodeDown, Some((sequence, body)), volume, database, step);
        } else if self.length + length > max {
            self.save(Why::LogFull, Some((sequence, body)), volume, database, step);
        } else {
            let mut bytes = Vec::new();
            self.put_change(sequence, self.count + 1, &body, &mut bytes);
            let record = Appended::Change { sequence, body };
            self.doing = Some(Doing::Append { record, length: bytes.len() });
            self.begin(LOG, &Work::Append(bytes), volume, step);
        }
    }

    fn put_change(&self, sequence: u64, number: u64, body: &[u8], out: &mut Vec<u8>) {
        let record = Record::Change { number, body: body.to_vec() };
        log::put(self.epoch, sequence, &record, out);
    }

    fn append(
        &mut self,
        appended: Appended,
        sequence: u64,
        record: &Record,
        volume: &mut Volume<Purpose>,
        step: &mut Step<'_>,
    ) {
        let mut bytes = Vec::new();
        log::put(self.epoch, sequence, record, &mut bytes);
        self.doing = Some(Doing::Append { record: appended, length: bytes.len() });
        self.begin(LOG, &Work::Append(bytes), volume, step);
    }

    /// Begins a checkpoint: the hive into a new file.
    fn save(
        &mut self,
        why: Why,
        then: Option<(u64, Vec<u8>)>,
        volume: &mut Volume<Purpose>,
        database: &Database,
        step: &mut Step<'_>,
    ) -> Option<Told> {
        let profile = &step.config.profile;
        let mut bytes = database.save();
        let checksum = profile.checkpoint_checksum.then(|| crc32fast::hash(&bytes));
        if self.registry_fails {
            if why == Why::Shutdown && profile.shutdown_checkpoint_unchecked {
                bytes.truncate(bytes.len() / 2);
            } else {
                step.log(ClusterEvent::CheckpointNotObtained);
                self.refuse(then, NOT_ENOUGH_SPACE, step);
                return (why == Why::Form).then_some(Told::Formed(Err(LOG_NOT_USABLE)));
            }
        }
        let number = self.number.wrapping_add(1);
        let checkpoint = Checkpoint { number, logging: self.wanted, checksum };
        self.doing =
            Some(Doing::Save(Saving { why, sequence: database.sequence, checkpoint, then }));
        let work = Work::Put { bytes, atomic: profile.quorum_files_atomic };
        self.begin(&log::checkpoint_name(number), &work, volume, step);
        None
    }

    fn begin(
        &mut self,
        path: &str,
        work: &Work,
        volume: &mut Volume<Purpose>,
        step: &mut Step<'_>,
    ) {
        // A volume that is gone ends the journal: see `forget`.
        volume.begin(Purpose::Journal, path, work, step);
    }

    /// What was being done with the files has ended.
    pub fn ended(
        &mut self,
        outcome: &Outcome,
        volume: &mut Volume<Purpose>,
        database: &Database,
        step: &mut Step<'_>,
    ) -> Option<Told> {
        self.forget_saved(database);
        match (self.doing.take()?, outcome) {
            (Doing::Append { record, length }, Outcome::Done) => {
                self.length += length;
                self.appended(record, step);
                None
            }
            (Doing::Append { record, .. }, Outcome::Full) => {
                // A new log may be smaller.
                self.is_spoilt = true;
                match record {
                    Appended::Change { sequence, body } => {
                        self.save(Why::LogFull, Some((sequence, body)), volume, database, step)
                    }
                    Appended::Off | Appended::Owner | Appended::Regroup => {
                        self.save(Why::LogFull, None, volume, database, step)
                    }
                }
            }
            (Doing::Save(saving), Outcome::Done) => {
                self.reset(saving, volume, step);
                None
            }
            (Doing::Reset { saving, length }, Outcome::Done) => {
                self.checkpoint_made(saving, length, volume, step)
            }
            (Doing::Save(saving) | Doing::Reset { saving, .. }, Outcome::Full) => {
                step.log(ClusterEvent::QuorumNearlyFull);
                step.log(ClusterEvent::QuorumWriteFailed { error: 112 });
                step.log(ClusterEvent::CheckpointNotObtained);
                self.old.push(saving.checkpoint.number);
                self.delete_old(volume, step);
                let is_form = saving.why == Why::Form;
                self.refuse(saving.then, NOT_ENOUGH_SPACE, step);
                is_form.then_some(Told::Formed(Err(112)))
            }
            (doing, _) => self.failed(doing, step),
        }
    }

    /// The disk does not work: the service cannot keep its word any more.
    fn failed(&mut self, doing: Doing, step: &mut Step<'_>) -> Option<Told> {
        let (is_form, then) = match doing {
            Doing::Save(saving) | Doing::Reset { saving, .. } => {
                (saving.why == Why::Form, saving.then)
            }
            Doing::Append { record: Appended::Change { sequence, body }, .. } => {
                (false, Some((sequence, body)))
            }
            Doing::Append { .. } => (false, None),
        };
        step.log(ClusterEvent::QuorumWriteFailed { error: 21 });
        if is_form {
            return Some(Told::Formed(Err(LOG_NOT_USABLE)));
        }
        step.log(ClusterEvent::HaltedToStayConsistent { error: LOG_NOT_USABLE });
        self.refuse(then, LOG_NOT_USABLE, step);
        step.notice(Notice::Halt(HaltReason::Inconsistent));
        None
    }

    fn appended(&mut self, record: Appended, step: &mut Step<'_>) {
        match record {
            Appended::Change { sequence, body } => {
                self.count += 1;
                self.recent.retain(|(other, _)| *other < sequence);
                self.recent.push((sequence, body));
                step.notice(Notice::Logged { sequence, ok: true });
            }
            Appended::Off => self.logging = false,
            Appended::Owner | Appended::Regroup => {}
        }
    }

    /// The new checkpoint is on the disk: a log that begins with it takes the place of the old one.
    fn reset(&mut self, mut saving: Saving, volume: &mut Volume<Purpose>, step: &mut Step<'_>) {
        let profile = &step.config.profile;
        let max = self.max(step);
        let mut bytes = log::header();
        let first = Record::Checkpoint(saving.checkpoint);
        log::put(self.epoch, saving.sequence, &first, &mut bytes);
        // A change that is being made just now was logged, and is not in the checkpoint.
        self.count = 0;
        for (sequence, body) in self.recent.iter().filter(|(s, _)| *s > saving.sequence) {
            self.count += 1;
            self.put_change(*sequence, self.count, body, &mut bytes);
        }
        if let Some((sequence, body)) = &saving.then {
            let drops = saving.why == Why::LogFull && profile.full_log_drops_change;
            if bytes.len() + log::CHANGE_HEADER + body.len() > max {
                self.refuse(saving.then.take(), LOG_EXCEEDS_MAX, step);
            } else if !drops {
                self.put_change(*sequence, self.count + 1, body, &mut bytes);
            }
        }
        let length = bytes.len();
        let work = Work::Put { bytes, atomic: profile.quorum_files_atomic };
        self.doing = Some(Doing::Reset { saving, length });
        self.begin(LOG, &work, volume, step);
    }

    fn checkpoint_made(
        &mut self,
        saving: Saving,
        length: usize,
        volume: &mut Volume<Purpose>,
        step: &mut Step<'_>,
    ) -> Option<Told> {
        if self.number != 0 {
            self.old.push(self.number);
        }
        self.number = saving.checkpoint.number;
        (self.length, self.logging) = (length, saving.checkpoint.logging);
        self.is_spoilt = false;
        self.delete_old(volume, step);
        if let Some((sequence, body)) = saving.then {
            self.appended(Appended::Change { sequence, body }, step);
        }
        (saving.why == Why::Form).then_some(Told::Formed(Ok(())))
    }

    fn delete_old(&mut self, volume: &mut Volume<Purpose>, step: &mut Step<'_>) {
        for number in std::mem::take(&mut self.old) {
            let name = log::checkpoint_name(number);
            volume.begin(Purpose::Nothing, &name, &Work::Delete, step);
        }
    }

    fn refuse(&mut self, change: Option<(u64, Vec<u8>)>, error: u32, step: &mut Step<'_>) {
        if let Some((sequence, _)) = change {
            self.error = error;
            step.notice(Notice::Logged { sequence, ok: false });
        }
    }

    /// Closes the log, after a last checkpoint if the version makes one and nobody else will.
    fn do_close(
        &mut self,
        job: Job,
        volume: &mut Volume<Purpose>,
        database: &Database,
        step: &mut Step<'_>,
    ) -> Option<Told> {
        let last = matches!(job, Job::Close | Job::Release { last: true, .. });
        if last && step.config.profile.checkpoint_at_shutdown && !self.is_closing {
            self.is_closing = true;
            self.jobs.push_front(job);
            return self.save(Why::Shutdown, None, volume, database, step);
        }
        self.is_open = false;
        self.forget_job(job, step);
        None
    }
}
