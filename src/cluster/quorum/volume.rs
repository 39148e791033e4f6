//! Where the quorum's files are, and the operations on them that are under way.
//!
//! On a disk that is one place. On a majority node set every node keeps a replica, and the node that
//! coordinates them writes to all and reads the newest of a majority: any two majorities have a node in
//! common. Each replica of a file carries an epoch, one more for each coordinator, and a version within it;
//! the highest version of the highest epoch is the newest (US6401120).
//!
//! ```text
//! replica = "WSQR" epoch:u64 version:u64 crc32:u32 content      (little endian)
//! ```
//!
//! Not done: a replica that missed the deletion of a file still has it, and it can be read again if that
//! replica is among the majority asked: files of registry checkpoints are then deleted once more.

use super::journal::LOG;
use crate::cluster::ids::NodeSet;
use crate::cluster::io::{FileOperation, FileResult, Part, Place, Ticket};
use crate::cluster::step::Step;
use std::collections::{BTreeMap, BTreeSet};

/// Path of the file that holds the epoch of a majority node set.
const EPOCH: &str = r"MSCS\epoch";

/// Tickets up to this number are those of the volume; the others are those of [`super::votes`].
pub(super) const TICKETS_MAX: u32 = 0x7FFF_FFFF;

const MAGIC: [u8; 4] = *b"WSQR";
const HEADER: usize = 24;

/// The quorum's files, and what is being done with them for purposes of type `P`.
#[derive(Debug)]
pub(super) struct Volume<P> {
    places: Vec<Place>,
    replicas: Option<Replicas<P>>,
    /// Requests sent: the number of the latest.
    count: u32,
    /// Which operation a request belongs to.
    tickets: BTreeMap<u32, u32>,
    operations: BTreeMap<u32, Operation<P>>,
}

/// What the coordinator of a majority node set keeps in mind.
#[derive(Debug)]
struct Replicas<P> {
    /// Nothing until it is known to a majority.
    epoch: Option<u64>,
    version: u64,
    /// The log as it was last read or written: a replica is written as a whole.
    log: Vec<u8>,
    /// What waits for the epoch.
    waiting: Vec<(P, String, Work)>,
}

/// What is done with a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Work {
    Read,
    /// Put bytes in its place: all or nothing if `atomic`.
    Put {
        bytes: Vec<u8>,
        atomic: bool,
    },
    Append(Vec<u8>),
    Delete,
    DeleteTree,
    List,
}

/// How it ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Outcome {
    Done,
    Content(Option<Vec<u8>>),
    Names(Vec<String>),
    Full,
    Failed,
}

#[derive(Debug)]
struct Operation<P> {
    purpose: Purpose<P>,
    is_log: bool,
    /// Answers still to come, and good ones that are enough.
    left: usize,
    need: usize,
    good: usize,
    full: bool,
    answer: Answer,
}

/// What the good answers say together.
#[derive(Debug)]
enum Answer {
    Done,
    /// The newest content with its epoch and version.
    Content(Option<(u64, u64, Vec<u8>)>),
    Names(BTreeSet<String>),
}

#[derive(Debug)]
enum Purpose<P> {
    ReadEpoch,
    WriteEpoch(u64),
    Of(P),
}

impl<P> Default for Volume<P> {
    fn default() -> Volume<P> {
        let (tickets, operations) = (BTreeMap::new(), BTreeMap::new());
        Volume { places: Vec::new(), replicas: None, count: 0, tickets, operations }
    }
}

impl<P> Volume<P> {
    /// Whether the files can be reached from here.
    pub fn is_open(&self) -> bool {
        !self.places.is_empty()
    }

    /// The files are there from now on.
    pub fn open(&mut self, place: Place) {
        self.places = vec![place];
    }

    /// This node coordinates the replicas of these nodes from now on.
    pub fn open_replicas(&mut self, nodes: NodeSet, step: &mut Step<'_>) {
        self.places = nodes.iter().map(Place::Replica).collect();
        let (log, waiting) = (Vec::new(), Vec::new());
        self.replicas = Some(Replicas { epoch: None, version: 0, log, waiting });
        self.send(Purpose::ReadEpoch, EPOCH, &Work::Read, step);
    }

    /// The files cannot be reached any more; what was being done with them ends in nothing. Returns what
    /// that was for.
    pub fn close(&mut self) -> Vec<P> {
        self.places.clear();
        self.tickets.clear();
        let waiting = self.replicas.take().map_or(Vec::new(), |replicas| replicas.waiting);
        let waiting = waiting.into_iter().map(|(purpose, ..)| purpose);
        let operations = std::mem::take(&mut self.operations).into_values();
        let open = operations.filter_map(|operation| match operation.purpose {
            Purpose::Of(purpose) => Some(purpose),
            Purpose::ReadEpoch | Purpose::WriteEpoch(_) => None,
        });
        open.chain(waiting).collect()
    }

    /// Begins something. Nothing comes of it if the volume is not open.
    pub fn begin(&mut self, purpose: P, path: &str, work: &Work, step: &mut Step<'_>) {
        match &mut self.replicas {
            Some(replicas) if replicas.epoch.is_none() => {
                replicas.waiting.push((purpose, path.to_owned(), work.clone()));
            }
            _ if self.places.is_empty() => {}
            _ => self.send(Purpose::Of(purpose), path, work, step),
        }
    }

    fn send(&mut self, purpose: Purpose<P>, path: &str, work: &Work, step: &mut Step<'_>) {
        let is_log = path.eq_ignore_ascii_case(LOG);
        let replica = self.replicas.as_mut().and_then(|replicas| replicas.write(is_log, work));
        let work = match &replica {
            Some(bytes) => &Work::Put { bytes: bytes.clone(), atomic: true },
            None => work,
        };
        let answer = match work {
            Work::Read => Answer::Content(None),
            Work::List => Answer::Names(BTreeSet::new()),
            _ => Answer::Done,
        };
        let places = self.places.clone();
        let (left, need) = (places.len(), places.len() / 2 + 1);
        let number = self.count.wrapping_add(1) & TICKETS_MAX;
        let operation = Operation { purpose, is_log, left, need, good: 0, full: false, answer };
        self.operations.insert(number, operation);
        for place in places {
            self.count = self.count.wrapping_add(1) & TICKETS_MAX;
            self.tickets.insert(self.count, number);
            request(Ticket { part: Part::Quorum, number: self.count }, place, path, work, step);
        }
    }

    /// A request has ended. Returns what is thereby finished, and how it ended.
    pub fn ended(
        &mut self,
        ticket: Ticket,
        result: FileResult<'_>,
        step: &mut Step<'_>,
    ) -> Vec<(P, Outcome)> {
        let Some(number) = self.tickets.remove(&ticket.number) else { return Vec::new() };
        let is_set = self.replicas.is_some();
        let Some(operation) = self.operations.get_mut(&number) else { return Vec::new() };
        operation.answered(result, is_set);
        if operation.good < operation.need && operation.good + operation.left >= operation.need {
            return Vec::new();
        }
        let Some(operation) = self.operations.remove(&number) else { return Vec::new() };
        let outcome = if operation.good >= operation.need {
            match operation.answer {
                Answer::Done => Outcome::Done,
                Answer::Content(newest) => Outcome::Content(newest.map(|(.., bytes)| bytes)),
                Answer::Names(names) => Outcome::Names(names.into_iter().collect()),
            }
        } else if operation.full {
            Outcome::Full
        } else {
            Outcome::Failed
        };
        if let (Some(replicas), true) = (&mut self.replicas, operation.is_log)
            && let Outcome::Content(Some(bytes)) = &outcome
        {
            replicas.log.clone_from(bytes);
        }
        match operation.purpose {
            Purpose::Of(purpose) => vec![(purpose, outcome)],
            internal => self.epoch_ended(&internal, outcome, step),
        }
    }

    /// The epoch is read, then written one higher; what waited for that begins, or fails.
    fn epoch_ended(
        &mut self,
        purpose: &Purpose<P>,
        outcome: Outcome,
        step: &mut Step<'_>,
    ) -> Vec<(P, Outcome)> {
        let Some(replicas) = &mut self.replicas else { return Vec::new() };
        match (purpose, outcome) {
            (Purpose::ReadEpoch, Outcome::Content(bytes)) => {
                let known = bytes.and_then(|bytes| bytes.try_into().ok()).map(u64::from_le_bytes);
                let epoch = known.unwrap_or(0).saturating_add(1);
                let work = Work::Put { bytes: epoch.to_le_bytes().to_vec(), atomic: true };
                self.send(Purpose::WriteEpoch(epoch), EPOCH, &work, step);
                Vec::new()
            }
            (Purpose::WriteEpoch(epoch), Outcome::Done) => {
                replicas.epoch = Some(*epoch);
                for (purpose, path, work) in std::mem::take(&mut replicas.waiting) {
                    self.begin(purpose, &path, &work, step);
                }
                Vec::new()
            }
            (_, outcome) => {
                let waiting = std::mem::take(&mut replicas.waiting);
                waiting.into_iter().map(|(purpose, ..)| (purpose, outcome.clone())).collect()
            }
        }
    }
}

impl<P> Replicas<P> {
    /// The bytes of a replica that a write makes; nothing if it is no write.
    fn write(&mut self, is_log: bool, work: &Work) -> Option<Vec<u8>> {
        let content = match work {
            Work::Put { bytes, .. } => bytes.clone(),
            Work::Append(bytes) => [&self.log[..], bytes].concat(),
            Work::Read | Work::Delete | Work::DeleteTree | Work::List => return None,
        };
        if is_log {
            self.log.clone_from(&content);
        }
        self.version += 1;
        // Whoever writes the epoch itself has none yet: its content is what is compared.
        let epoch =
            self.epoch.unwrap_or_else(|| content[..].try_into().map_or(0, u64::from_le_bytes));
        let mut out = MAGIC.to_vec();
        out.extend_from_slice(&epoch.to_le_bytes());
        out.extend_from_slice(&self.version.to_le_bytes());
        out.extend_from_slice(&checksum(epoch, self.version, &content).to_le_bytes());
        out.extend_from_slice(&content);
        Some(out)
    }
}

impl<P> Operation<P> {
    /// One place has answered.
    fn answered(&mut self, result: FileResult<'_>, is_replica: bool) {
        self.left -= 1;
        let is_good = match (&mut self.answer, result) {
            (Answer::Done, FileResult::Done) => true,
            (Answer::Content(_), FileResult::Content(None)) => true,
            (Answer::Content(newest), FileResult::Content(Some(bytes))) => {
                let read = match is_replica {
                    true => read_replica(bytes),
                    false => Some((0, 0, bytes.to_vec())),
                };
                let is_readable = read.is_some();
                let is_newer = |(epoch, version, _): &(u64, u64, Vec<u8>)| {
                    newest.as_ref().is_none_or(|(e, v, _)| (*epoch, *version) > (*e, *v))
                };
                if let Some(read) = read.filter(is_newer) {
                    *newest = Some(read);
                }
                is_readable
            }
            (Answer::Names(all), FileResult::Names(names)) => {
                all.extend(names.iter().cloned());
                true
            }
            (_, FileResult::Full) => {
                self.full = true;
                false
            }
            _ => false,
        };
        self.good += usize::from(is_good);
    }
}

fn request(ticket: Ticket, place: Place, path: &str, work: &Work, step: &mut Step<'_>) {
    let path = path.to_owned();
    match work {
        Work::Read => step.file(ticket, place, path, FileOperation::Read),
        Work::Delete => step.file(ticket, place, path, FileOperation::Delete),
        Work::DeleteTree => step.file(ticket, place, path, FileOperation::DeleteTree),
        Work::List => step.file(ticket, place, path, FileOperation::List),
        Work::Append(bytes) => step.write_file(ticket, place, path, bytes, FileOperation::Append),
        Work::Put { bytes, atomic: true } => {
            step.write_file(ticket, place, path, bytes, FileOperation::Replace);
        }
        Work::Put { bytes, atomic: false } => {
            step.write_file(ticket, place, path, bytes, FileOperation::Overwrite);
        }
    }
}

fn checksum(epoch: u64, version: u64, content: &[u8]) -> u32 {
    let mut sum = crc32fast::Hasher::new();
    sum.update(&epoch.to_le_bytes());
    sum.update(&version.to_le_bytes());
    sum.update(content);
    sum.finalize()
}

/// The epoch, version and content of a replica, if it is a good one.
fn read_replica(bytes: &[u8]) -> Option<(u64, u64, Vec<u8>)> {
    let (head, content) = bytes.split_at_checked(HEADER)?;
    let epoch = u64::from_le_bytes(head[4..12].try_into().ok()?);
    let version = u64::from_le_bytes(head[12..20].try_into().ok()?);
    let is_good =
        head[..4] == MAGIC && head[20..24] == checksum(epoch, version, content).to_le_bytes();
    is_good.then(|| (epoch, version, content.to_vec()))
}
