//! Recordings: every input of a node with its time, and enough to tell whether a replay did the same.
//!
//! ```text
//! file     "WINSTORM-SERVE\n" format(1)  length(4) header as JSON
//!          length(8) database file at the start  length(8) journal file at the start
//! input    kind(1) time since the last input(varint)  [change of wall - time(zigzag varint)]  payload
//!          check(4)  digest(4)
//! payload  datagram: address(4) port(2) length(varint) bytes    stream opened: stream(4) address(4)
//!          stream data: stream(4) length(varint) bytes          other stream events: stream(4)
//!          static mappings: length(varint) text                 durable: 1 checkpoint | 2 next(1)
//!          others: none
//! end      0xFF inputs(8) digest(8) length(8) and digest(8) of the database file at the end, check(4)
//! ```
//! Numbers are little-endian. `check` is a running digest of everything before it from the first input on,
//! so that a changed byte is found where it stands; `digest` that of everything the node did. Bit 7 of
//! `kind` says that the wall clock was changed. A recording that ends in the middle was cut off: what is
//! whole counts.

use super::node::NodeInput;
use super::settings::Settings;
use super::store_file::{StoreFile, chunks, digest_of};
use crate::base::{Digest, Now, SimTime, WallTime};
use crate::wins::{StreamId, WinsConfig};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::ops::Range;
use std::path::{Path, PathBuf};
use thiserror::Error;

const MAGIC: &[u8; 15] = b"WINSTORM-SERVE\n";
/// The format written; others are refused.
const FORMAT: u8 = 1;
/// Inputs gathered in memory before they are written.
const BUFFER_BYTES: usize = 256 << 10;
/// The longest header and the longest input a recording may claim to have.
const HEADER_MAX: u32 = 1 << 20;
const INPUT_MAX: u64 = 16 << 20;

const WALL_CHANGED: u8 = 0x80;
const START: u8 = 1;
const STOP: u8 = 2;
const DATAGRAM: u8 = 3;
const STREAM_OPENED: u8 = 4;
const STREAM_CONNECTED: u8 = 5;
const STREAM_REFUSED: u8 = 6;
const STREAM_DATA: u8 = 7;
const STREAM_CLOSED: u8 = 8;
const DEADLINE: u8 = 9;
const COMMIT: u8 = 10;
const DURABLE: u8 = 11;
const STATICS: u8 = 12;
const BACKUP_DONE: u8 = 13;
const BACKUP_FAILED: u8 = 14;
const END: u8 = 0xFF;

/// What a recording begins with.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Header {
    /// The program's version.
    pub program: String,
    /// How the machines behave.
    pub settings: Settings,
    /// A digest of the configuration that this program makes of the settings.
    pub config: u64,
    /// Digest of the database file at the start.
    pub store: u64,
    /// Digest of its journal.
    pub journal: u64,
}

/// How a recording ends.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct End {
    /// Inputs recorded.
    pub inputs: u64,
    /// Digest of everything the node did.
    pub digest: u64,
    /// Length of the database file.
    pub store_len: u64,
    /// Its digest.
    pub store: u64,
}

/// Why a recording cannot be read.
#[derive(Debug, Error)]
pub enum RecordingError {
    /// Reading failed.
    #[error("{0}: {1}")]
    Io(PathBuf, io::Error),
    /// Something else.
    #[error("{0} is no recording of `winstorm serve`")]
    Foreign(PathBuf),
    /// Another format.
    #[error("the recording has format {0}, this program reads format {FORMAT}")]
    OtherFormat(u8),
    /// A byte was changed.
    #[error("the recording is damaged at input {input} (byte {at} of the file): {why}")]
    Damaged {
        /// Which input, counted from 1; 0 is the header.
        input: u64,
        /// Where in the file.
        at: u64,
        /// What is wrong.
        why: &'static str,
    },
    /// The settings in it are refused.
    #[error("the recording's settings: {0}")]
    Settings(String),
}

/// A digest of a configuration: another program may make another one of the same settings.
pub fn config_digest(config: &WinsConfig) -> u64 {
    let mut digest = Digest::default();
    digest.fold_bytes(format!("{config:?}").as_bytes());
    digest.value()
}

/// Writes a recording.
#[derive(Debug)]
pub struct Recorder {
    file: File,
    buffer: Vec<u8>,
    check: Digest,
    inputs: u64,
    time: SimTime,
    /// Wall time minus time.
    offset: i64,
    failed: Option<io::Error>,
}

impl Recorder {
    /// Begins a recording with the database as it is now.
    ///
    /// # Errors
    /// The file cannot be written, or the database cannot be read.
    pub fn create(
        path: &Path,
        settings: &Settings,
        config: &WinsConfig,
        store: &StoreFile,
        journal: &StoreFile,
    ) -> io::Result<Recorder> {
        let mut file = File::create(path)?;
        let (stored, journaled) = (store.digest()?, journal.digest()?);
        let header = Header {
            program: env!("CARGO_PKG_VERSION").to_string(),
            settings: settings.clone(),
            config: config_digest(config),
            store: stored.1,
            journal: journaled.1,
        };
        let header = serde_json::to_vec(&header)?;
        file.write_all(MAGIC)?;
        file.write_all(&[FORMAT])?;
        file.write_all(&(header.len() as u32).to_le_bytes())?;
        file.write_all(&header)?;
        for (content, (length, _)) in [(store, stored), (journal, journaled)] {
            file.write_all(&length.to_le_bytes())?;
            content.read_all(|bytes| file.write_all(bytes))?;
        }
        Ok(Recorder {
            file,
            buffer: Vec::with_capacity(BUFFER_BYTES + 4096),
            check: Digest::default(),
            inputs: 0,
            time: SimTime::ZERO,
            offset: 0,
            failed: None,
        })
    }

    /// Writes an input down; [`Recorder::done`] must follow when the node has taken it.
    pub fn input(&mut self, input: &NodeInput<'_>, now: Now) {
        let begin = self.buffer.len();
        let offset = now.wall.0.wrapping_sub(now.time.0) as i64;
        let changed = if offset == self.offset { 0 } else { WALL_CHANGED };
        self.buffer.push(kind(input) | changed);
        push_varint(now.time.since(self.time).0, &mut self.buffer);
        if changed != 0 {
            push_varint(zigzag(offset.wrapping_sub(self.offset)), &mut self.buffer);
        }
        push_payload(input, &mut self.buffer);
        (self.time, self.offset) = (now.time, offset);
        self.inputs += 1;
        self.check.fold_bytes(&self.buffer[begin..]);
        self.buffer.extend_from_slice(&(self.check.value() as u32).to_le_bytes());
    }

    /// The node has taken the input, and everything it did so far has this digest.
    pub fn done(&mut self, digest: u64) {
        self.buffer.extend_from_slice(&(digest as u32).to_le_bytes());
        if self.buffer.len() >= BUFFER_BYTES {
            self.flush();
        }
    }

    fn flush(&mut self) {
        if self.failed.is_none() {
            self.failed = self.file.write_all(&self.buffer).err();
        }
        self.buffer.clear();
    }

    /// The error that ended the recording: what comes after it is not written.
    pub fn error(&self) -> Option<&io::Error> {
        self.failed.as_ref()
    }

    /// Ends the recording with the database as it was left.
    ///
    /// # Errors
    /// The recording could not be written.
    pub fn finish(mut self, digest: u64, store_len: u64, store: u64) -> io::Result<u64> {
        let begin = self.buffer.len();
        self.buffer.push(END);
        for number in [self.inputs, digest, store_len, store] {
            self.buffer.extend_from_slice(&number.to_le_bytes());
        }
        self.check.fold_bytes(&self.buffer[begin..]);
        self.buffer.extend_from_slice(&(self.check.value() as u32).to_le_bytes());
        self.flush();
        match self.failed {
            Some(error) => Err(error),
            None => self.file.sync_all().map(|()| self.inputs),
        }
    }
}

fn kind(input: &NodeInput<'_>) -> u8 {
    match input {
        NodeInput::Start => START,
        NodeInput::Stop => STOP,
        NodeInput::Datagram { .. } => DATAGRAM,
        NodeInput::StreamOpened { .. } => STREAM_OPENED,
        NodeInput::StreamConnected { .. } => STREAM_CONNECTED,
        NodeInput::StreamRefused { .. } => STREAM_REFUSED,
        NodeInput::StreamData { .. } => STREAM_DATA,
        NodeInput::StreamClosed { .. } => STREAM_CLOSED,
        NodeInput::Deadline => DEADLINE,
        NodeInput::Commit => COMMIT,
        NodeInput::Durable { .. } => DURABLE,
        NodeInput::Statics { .. } => STATICS,
        NodeInput::BackupDone { ok: true } => BACKUP_DONE,
        NodeInput::BackupDone { ok: false } => BACKUP_FAILED,
    }
}

fn push_payload(input: &NodeInput<'_>, out: &mut Vec<u8>) {
    let push_bytes = |bytes: &[u8], out: &mut Vec<u8>| {
        push_varint(bytes.len() as u64, out);
        out.extend_from_slice(bytes);
    };
    match *input {
        NodeInput::Datagram { from, bytes } => {
            out.extend_from_slice(&from.ip().octets());
            out.extend_from_slice(&from.port().to_le_bytes());
            push_bytes(bytes, out);
        }
        NodeInput::StreamOpened { stream, peer } => {
            out.extend_from_slice(&stream.0.to_le_bytes());
            out.extend_from_slice(&peer.octets());
        }
        NodeInput::StreamData { stream, bytes } => {
            out.extend_from_slice(&stream.0.to_le_bytes());
            push_bytes(bytes, out);
        }
        NodeInput::StreamConnected { stream }
        | NodeInput::StreamRefused { stream }
        | NodeInput::StreamClosed { stream } => out.extend_from_slice(&stream.0.to_le_bytes()),
        NodeInput::Statics { text } => push_bytes(text, out),
        NodeInput::Durable { checkpoint, next } => {
            out.push(u8::from(checkpoint) | u8::from(next) << 1);
        }
        NodeInput::Start
        | NodeInput::Stop
        | NodeInput::Deadline
        | NodeInput::Commit
        | NodeInput::BackupDone { .. } => {}
    }
}

fn push_varint(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)) as u64
}

fn unzigzag(number: u64) -> i64 {
    (number >> 1) as i64 ^ -((number & 1) as i64)
}

/// One entry of a recording.
#[derive(Debug)]
pub enum Entry<'a> {
    /// An input.
    Input {
        /// Counted from 1.
        number: u64,
        /// Its time.
        now: Now,
        /// What happened.
        input: NodeInput<'a>,
        /// The low half of the digest of everything the node had done after it.
        digest: u32,
    },
    /// The end, reached in order.
    End(End),
    /// The recording stops in the middle.
    CutOff,
}

/// A recording in memory.
#[derive(Debug)]
pub struct Recording {
    /// What it begins with.
    pub header: Header,
    bytes: Vec<u8>,
    store: Range<usize>,
    journal: Range<usize>,
    at: usize,
    check: Digest,
    inputs: u64,
    time: SimTime,
    offset: i64,
}

/// The recording ends before what was asked for.
struct Short;

impl Recording {
    /// Reads a recording.
    ///
    /// # Errors
    /// See [`RecordingError`].
    pub fn read(path: &Path) -> Result<Recording, RecordingError> {
        let mut bytes = Vec::new();
        File::open(path)
            .and_then(|mut file| file.read_to_end(&mut bytes))
            .map_err(|error| RecordingError::Io(path.to_owned(), error))?;
        let foreign = || RecordingError::Foreign(path.to_owned());
        let rest = bytes.strip_prefix(MAGIC).ok_or_else(foreign)?;
        match rest.first() {
            Some(&FORMAT) => {}
            Some(&other) => return Err(RecordingError::OtherFormat(other)),
            None => return Err(foreign()),
        }
        let mut at = MAGIC.len() + 1;
        let damaged = |at: usize, why| RecordingError::Damaged { input: 0, at: at as u64, why };
        let short = |_: Short| damaged(bytes.len(), "its beginning is cut off");
        let length = u32::from_le_bytes(take(&bytes, &mut at).map_err(short)?);
        if length > HEADER_MAX {
            return Err(damaged(at, "its header claims a megabyte"));
        }
        let json = take_slice(&bytes, &mut at, length.into()).map_err(short)?;
        let header: Header =
            serde_json::from_slice(json).map_err(|_| damaged(at, "its header does not read"))?;
        let mut content = |digest: u64| {
            let length = u64::from_le_bytes(take(&bytes, &mut at).map_err(short)?);
            let start = at;
            let content = take_slice(&bytes, &mut at, length).map_err(short)?;
            match digest_of(chunks(content)) == digest {
                true => Ok(start..at),
                false => Err(damaged(start, "the database at its beginning was changed")),
            }
        };
        let (store, journal) = (content(header.store)?, content(header.journal)?);
        Ok(Recording {
            header,
            store,
            journal,
            bytes,
            at,
            check: Digest::default(),
            inputs: 0,
            time: SimTime::ZERO,
            offset: 0,
        })
    }

    /// The database file as it was at the start.
    pub fn store(&self) -> &[u8] {
        &self.bytes[self.store.clone()]
    }

    /// Its journal.
    pub fn journal(&self) -> &[u8] {
        &self.bytes[self.journal.clone()]
    }

    /// Bytes of inputs not yet read.
    #[cfg(test)]
    pub(super) fn bytes_left(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// The time of the entry that comes next, as far as there is one.
    pub fn next_time(&self) -> Option<SimTime> {
        let mut at = self.at + 1;
        if *self.bytes.get(self.at)? == END {
            return None;
        }
        let delta = take_varint(&self.bytes, &mut at).ok()?;
        Some(SimTime(self.time.0.saturating_add(delta)))
    }

    /// The next entry.
    ///
    /// # Errors
    /// A byte of it, or of an entry before it, was changed.
    pub fn next_entry(&mut self) -> Result<Entry<'_>, RecordingError> {
        let begin = self.at;
        let number = self.inputs + 1;
        let damaged = |why| RecordingError::Damaged { input: number, at: begin as u64, why };
        let whole = match frame(&self.bytes, begin) {
            Ok(Some(whole)) => whole,
            Ok(None) => return Err(damaged("no such kind of input")),
            Err(Short) => return Ok(Entry::CutOff),
        };
        self.check.fold_bytes(&self.bytes[begin..whole.check]);
        let mut at = whole.check;
        let check = u32::from_le_bytes(whole_number(&self.bytes, &mut at));
        if check != self.check.value() as u32 {
            return Err(damaged("it is not what was written"));
        }
        if self.bytes[begin] == END {
            let mut at = begin + 1;
            let mut number = || u64::from_le_bytes(whole_number(&self.bytes, &mut at));
            let end =
                End { inputs: number(), digest: number(), store_len: number(), store: number() };
            return Ok(Entry::End(end));
        }
        let digest = u32::from_le_bytes(whole_number(&self.bytes, &mut at));
        self.at = at;
        self.inputs = number;
        self.time = SimTime(self.time.0.saturating_add(whole.delta));
        self.offset = self.offset.wrapping_add(whole.wall);
        let wall = WallTime(self.time.0.wrapping_add(self.offset as u64));
        let now = Now { time: self.time, wall };
        let payload = &self.bytes[whole.payload..whole.check];
        let input = input(self.bytes[begin] & !WALL_CHANGED, payload).map_err(|_| {
            RecordingError::Damaged { input: number, at: begin as u64, why: "it ends early" }
        })?;
        Ok(Entry::Input { number, now, input, digest })
    }
}

/// Where the parts of an entry stand.
struct Frame {
    delta: u64,
    wall: i64,
    payload: usize,
    check: usize,
}

/// The parts of the entry that begins here; `None` for an unknown kind.
fn frame(bytes: &[u8], begin: usize) -> Result<Option<Frame>, Short> {
    let mut at = begin;
    let [first] = take(bytes, &mut at)?;
    if first == END {
        at += 32;
        let check = at;
        let _: [u8; 4] = take(bytes, &mut at)?;
        return Ok(Some(Frame { delta: 0, wall: 0, payload: at, check }));
    }
    let delta = take_varint(bytes, &mut at)?;
    let wall = match first & WALL_CHANGED {
        0 => 0,
        _ => unzigzag(take_varint(bytes, &mut at)?),
    };
    let payload = at;
    match first & !WALL_CHANGED {
        START | STOP | DEADLINE | COMMIT | BACKUP_DONE | BACKUP_FAILED => {}
        DURABLE => at += 1,
        DATAGRAM => {
            at += 6;
            skip_bytes(bytes, &mut at)?;
        }
        STREAM_OPENED => at += 8,
        STREAM_CONNECTED | STREAM_REFUSED | STREAM_CLOSED => at += 4,
        STREAM_DATA => {
            at += 4;
            skip_bytes(bytes, &mut at)?;
        }
        STATICS => skip_bytes(bytes, &mut at)?,
        _ => return Ok(None),
    }
    let check = at;
    let _: [u8; 8] = take(bytes, &mut at)?;
    Ok(Some(Frame { delta, wall, payload, check }))
}

fn input(kind: u8, payload: &[u8]) -> Result<NodeInput<'_>, Short> {
    let mut at = 0;
    let stream = |at: &mut usize| -> Result<StreamId, Short> {
        Ok(StreamId(u32::from_le_bytes(take(payload, at)?)))
    };
    let rest = |at: &mut usize| -> Result<&[u8], Short> {
        let length = take_varint(payload, at)?;
        take_slice(payload, at, length)
    };
    Ok(match kind {
        START => NodeInput::Start,
        STOP => NodeInput::Stop,
        DEADLINE => NodeInput::Deadline,
        COMMIT => NodeInput::Commit,
        DURABLE => {
            let [flags] = take(payload, &mut at)?;
            NodeInput::Durable { checkpoint: flags & 1 != 0, next: flags & 2 != 0 }
        }
        DATAGRAM => {
            let address = Ipv4Addr::from(take::<4>(payload, &mut at)?);
            let port = u16::from_le_bytes(take(payload, &mut at)?);
            let from = SocketAddrV4::new(address, port);
            NodeInput::Datagram { from, bytes: rest(&mut at)? }
        }
        STREAM_OPENED => {
            let stream = stream(&mut at)?;
            NodeInput::StreamOpened { stream, peer: take::<4>(payload, &mut at)?.into() }
        }
        STREAM_CONNECTED => NodeInput::StreamConnected { stream: stream(&mut at)? },
        STREAM_REFUSED => NodeInput::StreamRefused { stream: stream(&mut at)? },
        STREAM_CLOSED => NodeInput::StreamClosed { stream: stream(&mut at)? },
        STREAM_DATA => {
            let stream = stream(&mut at)?;
            NodeInput::StreamData { stream, bytes: rest(&mut at)? }
        }
        BACKUP_DONE => NodeInput::BackupDone { ok: true },
        BACKUP_FAILED => NodeInput::BackupDone { ok: false },
        STATICS => NodeInput::Statics { text: rest(&mut at)? },
        _ => return Err(Short),
    })
}

fn take<const N: usize>(bytes: &[u8], at: &mut usize) -> Result<[u8; N], Short> {
    let taken = bytes.get(*at..).and_then(|rest| rest.first_chunk::<N>()).ok_or(Short)?;
    *at += N;
    Ok(*taken)
}

/// Bytes that are known to be there.
fn whole_number<const N: usize>(bytes: &[u8], at: &mut usize) -> [u8; N] {
    take(bytes, at).unwrap_or([0; N])
}

fn take_slice<'a>(bytes: &'a [u8], at: &mut usize, length: u64) -> Result<&'a [u8], Short> {
    let length = usize::try_from(length).map_err(|_| Short)?;
    let end = at.checked_add(length).ok_or(Short)?;
    let taken = bytes.get(*at..end).ok_or(Short)?;
    *at = end;
    Ok(taken)
}

fn take_varint(bytes: &[u8], at: &mut usize) -> Result<u64, Short> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let [byte] = take(bytes, at)?;
        number |= u64::from(byte & 0x7F) << shift;
        if byte & 0x80 == 0 {
            break;
        }
    }
    Ok(number)
}

fn skip_bytes(bytes: &[u8], at: &mut usize) -> Result<(), Short> {
    let length = take_varint(bytes, at)?;
    if length > INPUT_MAX {
        return Err(Short);
    }
    *at += length as usize;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_survive() {
        for number in [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX] {
            let mut bytes = Vec::new();
            push_varint(number, &mut bytes);
            assert_eq!(take_varint(&bytes, &mut 0).ok(), Some(number));
        }
        for number in [0, 1, -1, i64::MAX, i64::MIN] {
            assert_eq!(unzigzag(zigzag(number)), number);
        }
    }

    #[test]
    fn every_input_survives() {
        let stream = StreamId(7 | 1 << 31);
        let from = SocketAddrV4::new(Ipv4Addr::new(10, 1, 2, 3), 1137);
        let inputs = [
            NodeInput::Start,
            NodeInput::Stop,
            NodeInput::Datagram { from, bytes: &[1, 2, 3] },
            NodeInput::StreamOpened { stream, peer: *from.ip() },
            NodeInput::StreamConnected { stream },
            NodeInput::StreamRefused { stream },
            NodeInput::StreamData { stream, bytes: &[] },
            NodeInput::StreamClosed { stream },
            NodeInput::Deadline,
            NodeInput::Commit,
            NodeInput::Durable { checkpoint: false, next: true },
            NodeInput::Durable { checkpoint: true, next: false },
            NodeInput::BackupDone { ok: true },
            NodeInput::BackupDone { ok: false },
            NodeInput::Statics { text: b"10.0.0.1 A" },
        ];
        for before in inputs {
            let mut payload = Vec::new();
            push_payload(&before, &mut payload);
            let Ok(after) = input(kind(&before), &payload) else { panic!("{before:?} is lost") };
            assert_eq!(format!("{before:?}"), format!("{after:?}"));
        }
    }
}
