//! The quorum log as bytes: what changed since a checkpoint of the cluster hive.
//!
//! The file begins with a mark; records follow, each with its length, sequence number and checksum. A record
//! is on the disk before its change is applied anywhere, so a power cut can spoil only the last one, which
//! nobody has been told of: it is cut off. A spoilt record with good ones behind it is damage.
//!
//! ```text
//! file    = "WSQL" version:u32 record*
//! record  = mark:u16 kind:u8 length:u32 sequence:u64 crc32:u32 body[length]     (little endian)
//! ```
//!
//! The layout is our own: that of the product was never published. Q217147 tells what is in it; US6449734
//! that two records can have one number, and that the later counts.

use crate::cluster::ids::NodeId;
use thiserror::Error;

/// Bytes before the first record.
pub(super) const HEADER: usize = 8;

/// Bytes of a record before its body.
pub(super) const RECORD_HEADER: usize = 19;

const MAGIC: [u8; 4] = *b"WSQL";
const VERSION: u32 = 1;
const MARK: u16 = 0xA55C;

/// What a record tells.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Record {
    /// Changes of the database, as `encode_changes` writes them.
    Change(Vec<u8>),
    /// The hive was saved as it was after this record's number.
    Checkpoint(Checkpoint),
    /// From here on changes are not logged: every node is up.
    Off,
    /// Another node holds the quorum from here on, and had applied everything up to this record's number:
    /// higher numbers before this place were never applied.
    Owner(NodeId),
    /// A new quorum resource: its first checkpoint is still being made.
    New,
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
    /// Its records with their numbers.
    pub records: Vec<(u64, Record)>,
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
    /// The record at this place is spoilt, and there are good ones behind it.
    #[error("the record at {0} is damaged")]
    Damaged(usize),
}

/// What a log leaves to apply.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Replay {
    /// The last checkpoint and the number of the last change in it.
    pub checkpoint: Option<(u64, Checkpoint)>,
    /// Changes after it in their order, one for each number.
    pub changes: Vec<(u64, Vec<u8>)>,
    /// Whether changes were still logged at its end.
    pub logging: bool,
    /// The number up to which the log is known to tell everything.
    pub tail: u64,
}

/// The beginning of a log.
pub(super) fn header() -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&VERSION.to_le_bytes());
    out
}

/// Adds a record.
pub(super) fn put(sequence: u64, record: &Record, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(&MARK.to_le_bytes());
    out.push(kind(record));
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&sequence.to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    match record {
        Record::Change(bytes) => out.extend_from_slice(bytes),
        Record::Checkpoint(checkpoint) => {
            out.extend_from_slice(&checkpoint.number.to_le_bytes());
            out.push(u8::from(checkpoint.logging) | u8::from(checkpoint.checksum.is_some()) << 1);
            out.extend_from_slice(&checkpoint.checksum.unwrap_or(0).to_le_bytes());
        }
        Record::Owner(node) => out.push(node.0),
        Record::Off | Record::New => {}
    }
    let length = (out.len() - start - RECORD_HEADER) as u32;
    out[start + 3..start + 7].copy_from_slice(&length.to_le_bytes());
    let sum = checksum(&out[start..]);
    out[start + 15..start + 19].copy_from_slice(&sum.to_le_bytes());
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
        let Some((sequence, record, length)) = read_record(&bytes[log.length..]) else {
            let behind = log.length + 1..bytes.len();
            if behind.into_iter().any(|at| read_record(&bytes[at..]).is_some()) {
                return Err(LogError::Damaged(log.length));
            }
            log.torn = true;
            break;
        };
        log.records.push((sequence, record));
        log.length += length;
    }
    Ok(log)
}

/// What a log leaves to apply. `keeps_earlier` is a mistake to plant: of two records with one number the
/// earlier is kept.
pub(super) fn replay(log: Log, keeps_earlier: bool) -> Replay {
    let mut replay = Replay::default();
    for (sequence, record) in log.records {
        match record {
            Record::Checkpoint(checkpoint) => {
                replay.changes.clear();
                replay.checkpoint = Some((sequence, checkpoint));
                replay.logging = checkpoint.logging;
                replay.tail = sequence;
            }
            Record::Change(_) if keeps_earlier && replay.has(sequence) => {}
            Record::Change(bytes) => {
                if !keeps_earlier {
                    replay.undo_from(sequence);
                }
                replay.changes.push((sequence, bytes));
                replay.tail = sequence;
            }
            Record::Owner(_) => {
                if !keeps_earlier {
                    replay.undo_from(sequence.saturating_add(1));
                }
                replay.tail = sequence;
            }
            Record::Off => replay.logging = false,
            Record::New => {}
        }
    }
    replay
}

impl Replay {
    fn has(&self, sequence: u64) -> bool {
        self.changes.iter().any(|(s, _)| *s == sequence)
    }

    /// Changes with this number and higher were logged, but never applied.
    fn undo_from(&mut self, sequence: u64) {
        while self.changes.last().is_some_and(|(s, _)| *s >= sequence) {
            self.changes.pop();
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
        Record::Change(_) => 1,
        Record::Checkpoint(_) => 2,
        Record::Off => 3,
        Record::Owner(_) => 4,
        Record::New => 5,
    }
}

/// Of a whole record, with its own field taken as zero.
fn checksum(record: &[u8]) -> u32 {
    let mut sum = crc32fast::Hasher::new();
    sum.update(&record[..15]);
    sum.update(&record[RECORD_HEADER..]);
    sum.finalize()
}

/// The record at the beginning of these bytes, and its length, if it is a good one.
fn read_record(bytes: &[u8]) -> Option<(u64, Record, usize)> {
    let head = bytes.get(..RECORD_HEADER)?;
    if head[..2] != MARK.to_le_bytes() {
        return None;
    }
    let length = u32::from_le_bytes(head[3..7].try_into().ok()?) as usize;
    let whole = bytes.get(..RECORD_HEADER.checked_add(length)?)?;
    if checksum(whole).to_le_bytes() != head[15..19] {
        return None;
    }
    let sequence = u64::from_le_bytes(head[7..15].try_into().ok()?);
    let body = &whole[RECORD_HEADER..];
    let record = match (head[2], body) {
        (1, _) => Record::Change(body.to_vec()),
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
        _ => return None,
    };
    Some((sequence, record, whole.len()))
}
