//! The quorum log as bytes: what changed since a checkpoint of the cluster hive.
//!
//! The file begins with a mark; records follow, each with its length, sequence number and checksum. A record
//! is on the disk before its change is applied anywhere, so a power cut can spoil only the last one, which
//! nobody has been told of: it is cut off. A spoilt record with good ones behind it is damage, and so is one
//! that has all its bytes, only others than were written.
//!
//! ```text
//! file    = "WSQL" version:u32 record*
//! record  = mark:u16 kind:u8 length:u32 epoch:u64 sequence:u64 crc32:u32 body[length]     (little endian)
//! ```
//!
//! The epoch is that of the membership in which the record was written. The first thing that is written after
//! a regroup tells the new one, so that a node that has missed it sees that others went on without it.
//!
//! The layout is our own: that of the product was never published. Q217147 tells what is in it; US6449734
//! that two records can have one number, and that the later counts.

use crate::cluster::ids::NodeId;
use thiserror::Error;

/// Bytes before the first record.
pub(super) const HEADER: usize = 8;

/// Bytes of a record before its body.
const RECORD_HEADER: usize = 27;

/// Bytes of a record of a change before the change.
pub(super) const CHANGE_HEADER: usize = RECORD_HEADER + 8;

/// What a disk writes as a whole.
const SECTOR: usize = 512;

const MAGIC: [u8; 4] = *b"WSQL";
const VERSION: u32 = 2;
const MARK: u16 = 0xA55C;

/// What a record tells.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Record {
    /// Changes of the database.
    Change {
        /// Its number since the checkpoint. A change that was logged and never applied leaves its number to
        /// the next.
        number: u64,
        /// The changes, as `encode_changes` writes them.
        body: Vec<u8>,
    },
    /// The hive was saved as it was after this record's number.
    Checkpoint(Checkpoint),
    /// From here on changes are not logged: every node is up.
    Off,
    /// Another node holds the quorum from here on, and had applied everything up to this record's number:
    /// higher numbers before this place were never applied.
    Owner(NodeId),
    /// A new quorum resource: its first checkpoint is still being made.
    New,
    /// A regroup has put nodes out of the membership.
    Regroup,
}

/// A record with when it was written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Entry {
    /// The epoch of the membership of the node that wrote it.
    pub epoch: u64,
    /// The number of the global update it belongs to, or comes after.
    pub sequence: u64,
    /// What it tells.
    pub record: Record,
}

/// The record of a checkpoint.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) struct Checkpoint {
    /// The number of its file.
    pub number: u32,
    /// Whether changes are logged from here on.
    pub logging: bool,
    /// The checksum of its file, in versions that have one (from NT 4.0 SP5 on).
    pub checksum: Option<u32>,
}

/// A log that was read.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Log {
    /// Its records.
    pub records: Vec<Entry>,
    /// Bytes up to the end of the last good record.
    pub length: usize,
    /// Whether a spoilt record was cut off at the end.
    pub torn: bool,
}

/// Why bytes are no quorum log.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Error)]
pub(super) enum LogError {
    /// The file does not begin like one.
    #[error("no quorum log")]
    NoLog,
    /// The record at this place is spoilt, and that is not what a power cut leaves.
    #[error("the record at {0} is damaged")]
    Damaged(usize),
}

/// What a log leaves to apply.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Replay {
    /// The last checkpoint and the number of the last change in it.
    pub checkpoint: Option<(u64, Checkpoint)>,
    /// Changes after it in their order, with their sequence numbers.
    pub changes: Vec<(u64, Vec<u8>)>,
    /// Their numbers since the checkpoint.
    numbers: Vec<u64>,
    /// Whether changes were still logged at its end.
    pub logging: bool,
    /// The number up to which the log is known to tell everything.
    pub tail: u64,
    /// The latest epoch in which something was written.
    pub epoch: u64,
}

/// The beginning of a log.
pub(super) fn header() -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&VERSION.to_le_bytes());
    out
}

/// Adds a record.
pub(super) fn put(epoch: u64, sequence: u64, record: &Record, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(&MARK.to_le_bytes());
    out.push(kind(record));
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&epoch.to_le_bytes());
    out.extend_from_slice(&sequence.to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    match record {
        Record::Change { number, body } => {
            out.extend_from_slice(&number.to_le_bytes());
            out.extend_from_slice(body);
        }
        Record::Checkpoint(checkpoint) => {
            out.extend_from_slice(&checkpoint.number.to_le_bytes());
            out.push(u8::from(checkpoint.logging) | u8::from(checkpoint.checksum.is_some()) << 1);
            out.extend_from_slice(&checkpoint.checksum.unwrap_or(0).to_le_bytes());
        }
        Record::Owner(node) => out.push(node.0),
        Record::Off | Record::New | Record::Regroup => {}
    }
    let length = (out.len() - start - RECORD_HEADER) as u32;
    out[start + 3..start + 7].copy_from_slice(&length.to_le_bytes());
    let sum = checksum(&out[start..]);
    out[start + 23..start + 27].copy_from_slice(&sum.to_le_bytes());
}

/// Reads a log.
///
/// # Errors
/// The file is none, or is damaged before its last record.
pub(super) fn read(bytes: &[u8]) -> Result<Log, LogError> {
    let begins = bytes
        .get(..HEADER)
        .is_some_and(|head| head[..4] == MAGIC && head[4..8] == VERSION.to_le_bytes());
    if !begins {
        return Err(LogError::NoLog);
    }
    let mut log = Log { length: HEADER, ..Log::default() };
    while log.length < bytes.len() {
        let Some((entry, length)) = read_record(&bytes[log.length..]) else {
            let behind = log.length + 1..bytes.len();
            let more = behind.into_iter().any(|at| read_record(&bytes[at..]).is_some());
            if more || !is_torn(bytes, log.length) {
                return Err(LogError::Damaged(log.length));
            }
            log.torn = true;
            break;
        };
        log.records.push(entry);
        log.length += length;
    }
    // A log is made with its first record.
    if log.records.is_empty() { Err(LogError::Damaged(HEADER)) } else { Ok(log) }
}

/// Whether the last record, which begins there, is one that a power cut let nobody finish: some of its bytes
/// are missing at the end, or a sector of it was never written. Otherwise what was written has changed since.
fn is_torn(bytes: &[u8], start: usize) -> bool {
    let record = &bytes[start..];
    let Some(head) = record.get(..RECORD_HEADER) else { return true };
    let length = u32::from_le_bytes([head[3], head[4], head[5], head[6]]) as usize;
    let is_short = head[..2] == MARK.to_le_bytes() && record.len() < RECORD_HEADER + length;
    let sectors = (start / SECTOR)..=(bytes.len() - 1) / SECTOR;
    let unwritten = |sector: usize| {
        let end = bytes.len().min((sector + 1) * SECTOR);
        bytes[start.max(sector * SECTOR)..end].iter().all(|byte| *byte == 0)
    };
    is_short || sectors.into_iter().any(unwritten)
}

/// What a log leaves to apply. `keeps_earlier` is a mistake to plant: of two records with one number the
/// earlier is kept.
pub(super) fn replay(log: Log, keeps_earlier: bool) -> Replay {
    let mut replay = Replay::default();
    for Entry { epoch, sequence, record } in log.records {
        replay.epoch = replay.epoch.max(epoch);
        match record {
            Record::Checkpoint(checkpoint) => {
                (replay.changes, replay.numbers) = (Vec::new(), Vec::new());
                replay.checkpoint = Some((sequence, checkpoint));
                replay.logging = checkpoint.logging;
                replay.tail = sequence;
            }
            Record::Change { number, .. } if keeps_earlier && replay.numbers.contains(&number) => {}
            Record::Change { number, body } => {
                replay.undo(|earlier, other| other >= number || earlier >= sequence);
                replay.changes.push((sequence, body));
                replay.numbers.push(number);
                replay.tail = sequence;
            }
            Record::Owner(_) => {
                if !keeps_earlier {
                    replay.undo(|other, _| other > sequence);
                }
                replay.tail = sequence;
            }
            Record::Off => replay.logging = false,
            Record::New | Record::Regroup => {}
        }
    }
    replay
}

impl Replay {
    /// The number since the checkpoint of the last change up to this sequence number.
    pub fn applied(&self, sequence: u64) -> u64 {
        let both = self.changes.iter().zip(&self.numbers);
        both.filter(|((s, _), _)| *s <= sequence).map(|(_, number)| *number).max().unwrap_or(0)
    }

    /// The last changes, as far as they are so, were logged but never applied.
    fn undo(&mut self, is_so: impl Fn(u64, u64) -> bool) {
        while let (Some((sequence, _)), Some(number)) = (self.changes.last(), self.numbers.last())
            && is_so(*sequence, *number)
        {
            self.changes.pop();
            self.numbers.pop();
        }
    }
}

/// The name of a checkpoint's file, with a hexadecimal number: the one that was published is chkBC1.tmp.
pub(super) fn checkpoint_name(number: u32) -> String {
    format!(r"MSCS\chk{number:03X}.tmp")
}

/// The number in a checkpoint's name.
pub(super) fn checkpoint_number(path: &str) -> Option<u32> {
    let name = path.rsplit('\\').next()?.to_ascii_lowercase();
    let digits = name.strip_prefix("chk")?.strip_suffix(".tmp")?;
    let is_hex = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_hexdigit());
    is_hex.then(|| u32::from_str_radix(digits, 16).ok()).flatten()
}

fn kind(record: &Record) -> u8 {
    match record {
        Record::Change { .. } => 1,
        Record::Checkpoint(_) => 2,
        Record::Off => 3,
        Record::Owner(_) => 4,
        Record::New => 5,
        Record::Regroup => 6,
    }
}

/// Of a whole record, with its own field taken as zero.
fn checksum(record: &[u8]) -> u32 {
    let mut sum = crc32fast::Hasher::new();
    sum.update(&record[..23]);
    sum.update(&record[RECORD_HEADER..]);
    sum.finalize()
}

/// The record at the beginning of these bytes, and its length, if it is a good one.
fn read_record(bytes: &[u8]) -> Option<(Entry, usize)> {
    let head = bytes.get(..RECORD_HEADER)?;
    if head[..2] != MARK.to_le_bytes() {
        return None;
    }
    let length = u32::from_le_bytes(head[3..7].try_into().ok()?) as usize;
    let whole = bytes.get(..RECORD_HEADER.checked_add(length)?)?;
    if checksum(whole).to_le_bytes() != head[23..27] {
        return None;
    }
    let epoch = u64::from_le_bytes(head[7..15].try_into().ok()?);
    let sequence = u64::from_le_bytes(head[15..23].try_into().ok()?);
    let body = &whole[RECORD_HEADER..];
    let record = match (head[2], body) {
        (1, _) => {
            let (number, body) = body.split_at_checked(8)?;
            let number = u64::from_le_bytes(number.try_into().ok()?);
            Record::Change { number, body: body.to_vec() }
        }
        (2, [a, b, c, d, flags @ 0..=3, sum @ ..]) if sum.len() == 4 => {
            let sum = u32::from_le_bytes(sum.try_into().ok()?);
            Record::Checkpoint(Checkpoint {
                number: u32::from_le_bytes([*a, *b, *c, *d]),
                logging: flags & 1 != 0,
                checksum: (flags & 2 != 0).then_some(sum),
            })
        }
        (3, []) => Record::Off,
        (4, [node]) => Record::Owner(NodeId(*node)),
        (5, []) => Record::New,
        (6, []) => Record::Regroup,
        _ => return None,
    };
    Some((Entry { epoch, sequence, record }, whole.len()))
}
