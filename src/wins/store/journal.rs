//! The journal beside the database: what was committed since the database itself was last written.
//!
//! A commit is one frame, written and synced once, wherever the records lie in the database's tree; that is
//! what makes a strict commit cheap. A frame begins at a multiple of 512 bytes, so that it never shares a
//! sector with an older one:
//!
//! ```text
//! 0   4 magic   4 length of the changes   8 sequence   8 last reserved version   4 checksum (CRC-32)
//! 28  the changes, as `changes` encodes them
//! ```
//!
//! The checksum covers everything but itself. Sequence numbers rise by one from commit to commit and are
//! never used twice, so a frame says by itself whether it is old or new, and its place in the file means
//! nothing: space is used again once the database holds what stood there. The file grows in large steps of
//! zeros, because a sync that need not also write the file's length is much cheaper.
//!
//! Promised: a frame missing between two others is noticed. A damaged *last* frame cannot be told from one
//! that a power cut tore before it was acknowledged.

use super::super::record::VersionId;
use super::changes::Changes;
use super::error::{StoreError, damaged, from_io};
use redb::StorageBackend;
use std::collections::{BTreeMap, VecDeque};

/// Frames begin at its multiples: the unit in which disks write.
const SECTOR: usize = 512;
const HEADER: usize = 28;
const MAGIC: [u8; 4] = *b"WSJ2";
/// The file grows by this much at once.
const STEP: u64 = 1 << 19;
/// The longest payload believed: more than any commit gathers.
const PAYLOAD_MAX: usize = 1 << 28;

/// A valid frame.
#[derive(Copy, Clone, Debug)]
struct Frame {
    at: u64,
    /// With header, without padding.
    len: usize,
    reserved: VersionId,
}

/// Everything found in a journal.
#[derive(Debug, Default)]
pub(super) struct Found {
    bytes: Vec<u8>,
    frames: BTreeMap<u64, Frame>,
}

/// A stretch of the file that holds frames not yet in the database.
#[derive(Debug)]
struct Piece {
    start: u64,
    end: u64,
    last: u64,
}

/// An open journal.
#[derive(Debug)]
pub(super) struct Journal {
    backend: Box<dyn StorageBackend>,
    len: u64,
    /// The sequence of the last frame written.
    last: u64,
    pieces: VecDeque<Piece>,
    /// The next frame begins a new piece.
    cut: bool,
    /// Where the last frame stands. It stays until a later one is durable: a journal in use is never empty.
    last_frame: std::ops::Range<u64>,
    buf: Vec<u8>,
}

impl Found {
    /// Reads the whole journal and changes nothing.
    pub(super) fn read(backend: &impl StorageBackend) -> Result<Found, StoreError> {
        let len = backend.len().map_err(from_io)?;
        let mut found = Found { bytes: vec![0; len as usize], frames: BTreeMap::new() };
        backend.read(0, &mut found.bytes).map_err(from_io)?;
        let mut at = 0;
        while at + HEADER <= found.bytes.len() {
            let Some((sequence, frame)) = parse(&found.bytes, at) else {
                at += SECTOR;
                continue;
            };
            found.frames.insert(sequence, frame);
            at += frame.len.next_multiple_of(SECTOR);
        }
        Ok(found)
    }

    /// The highest sequence.
    pub(super) fn last(&self) -> Option<u64> {
        self.frames.last_key_value().map(|(&sequence, _)| sequence)
    }

    /// The highest reserve that any frame, however old, tells of.
    pub(super) fn reserved(&self) -> VersionId {
        self.frames.values().map(|frame| frame.reserved).max().unwrap_or_default()
    }

    /// The changes after `base`, in order, and the sequence they end with.
    ///
    /// # Errors
    /// One of the frames is missing.
    pub(super) fn after(&self, base: u64) -> Result<(Changes, u64), StoreError> {
        let (mut changes, mut last) = (Changes::default(), base);
        for (&sequence, frame) in self.frames.range(base.saturating_add(1)..) {
            if sequence != last + 1 {
                return Err(damaged(format!(
                    "its journal lacks commits {} to {}",
                    last + 1,
                    sequence - 1
                )));
            }
            self.decode(frame, &mut changes)?;
            last = sequence;
        }
        Ok((changes, last))
    }

    /// Every commit after `base` that is there, oldest first, and how many are missing.
    pub(super) fn salvage(&self, base: u64) -> (Vec<(u64, Changes)>, u64) {
        let (mut commits, mut last, mut missing) = (Vec::new(), base, 0);
        for (&sequence, frame) in self.frames.range(base.saturating_add(1)..) {
            missing += sequence - last - 1;
            last = sequence;
            let mut changes = Changes::default();
            match self.decode(frame, &mut changes) {
                Ok(()) => commits.push((sequence, changes)),
                Err(_) => missing += 1,
            }
        }
        (commits, missing)
    }

    /// Every commit up to `base` that still stands there, oldest first: the database holds them, but it
    /// may be damaged.
    pub(super) fn upto(&self, base: u64) -> impl Iterator<Item = (u64, Changes)> + '_ {
        self.frames.range(..=base).filter_map(|(&sequence, frame)| {
            let mut changes = Changes::default();
            self.decode(frame, &mut changes).ok()?;
            Some((sequence, changes))
        })
    }

    fn decode(&self, frame: &Frame, changes: &mut Changes) -> Result<(), StoreError> {
        let start = frame.at as usize;
        let payload = &self.bytes[start + HEADER..start + frame.len];
        changes.decode(payload).ok_or_else(|| damaged("its journal holds an unknown change"))
    }
}

fn parse(bytes: &[u8], at: usize) -> Option<(u64, Frame)> {
    let bytes = &bytes[at..];
    if bytes[..4] != MAGIC {
        return None;
    }
    let payload = u32::from_be_bytes(*bytes[4..].first_chunk()?) as usize;
    let len = HEADER + payload;
    if payload > PAYLOAD_MAX || len > bytes.len() {
        return None;
    }
    let sequence = u64::from_be_bytes(*bytes[8..].first_chunk()?);
    let reserved = VersionId(u64::from_be_bytes(*bytes[16..].first_chunk()?));
    let crc = u32::from_be_bytes(*bytes[24..].first_chunk()?);
    (crc == checksum(&bytes[..len])).then_some((sequence, Frame { at: at as u64, len, reserved }))
}

fn checksum(frame: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&frame[..HEADER - 4]);
    hasher.update(&frame[HEADER..]);
    hasher.finalize()
}

impl Journal {
    /// Takes the journal into use after `last`, with everything it held already in the database: writes an
    /// empty frame, durable when this returns.
    pub(super) fn begin(
        backend: Box<dyn StorageBackend>,
        found: &Found,
        last: u64,
        reserved: VersionId,
    ) -> Result<Journal, StoreError> {
        let len = backend.len().map_err(from_io)?;
        // The last frame stays until the new one is durable.
        let kept = found.frames.last_key_value().map(|(_, frame)| frame);
        let last_frame = kept.map_or(0..0, |frame| frame.at..frame.at + frame.len as u64);
        let mut journal = Journal {
            backend,
            len,
            last,
            pieces: VecDeque::new(),
            cut: false,
            last_frame,
            buf: Vec::new(),
        };
        journal.append(&Changes::default(), reserved)?;
        journal.free(journal.last);
        Ok(journal)
    }

    /// The sequence of the last frame.
    pub(super) fn last(&self) -> u64 {
        self.last
    }

    /// Bytes of frames that the database does not hold yet.
    pub(super) fn used(&self) -> u64 {
        self.pieces.iter().map(|piece| piece.end - piece.start).sum()
    }

    /// Writes one frame, durable when this returns.
    pub(super) fn append(
        &mut self,
        changes: &Changes,
        reserved: VersionId,
    ) -> Result<(), StoreError> {
        let mut buf = std::mem::take(&mut self.buf);
        buf.clear();
        buf.resize(HEADER, 0);
        changes.encode(&mut buf);
        let (len, sequence) = (buf.len(), self.last + 1);
        buf[..4].copy_from_slice(&MAGIC);
        buf[4..8].copy_from_slice(&((len - HEADER) as u32).to_be_bytes());
        buf[8..16].copy_from_slice(&sequence.to_be_bytes());
        buf[16..24].copy_from_slice(&reserved.0.to_be_bytes());
        let crc = checksum(&buf);
        buf[24..28].copy_from_slice(&crc.to_be_bytes());
        buf.resize(len.next_multiple_of(SECTOR), 0);
        let at = self.place(buf.len() as u64);
        let written = self.write(at, &buf);
        self.buf = buf;
        written.map_err(from_io)?;
        self.last = sequence;
        self.last_frame = at..at + len.next_multiple_of(SECTOR) as u64;
        match self.pieces.back_mut() {
            Some(piece) if piece.end == at && !self.cut => {
                (piece.end, piece.last) = (self.last_frame.end, sequence)
            }
            _ => {
                let piece = Piece { start: at, end: self.last_frame.end, last: sequence };
                self.pieces.push_back(piece);
                self.cut = false;
            }
        }
        Ok(())
    }

    fn write(&mut self, at: u64, frame: &[u8]) -> std::io::Result<()> {
        let end = at + frame.len() as u64;
        if end > self.len {
            let len = end.next_multiple_of(STEP);
            // Zeros, not a hole: the blocks must be there before the first frame needs them.
            let zeros = vec![0; (len - self.len) as usize];
            self.backend.set_len(len)?;
            self.backend.write(self.len, &zeros)?;
            self.len = len;
        }
        self.backend.write(at, frame)?;
        self.backend.sync_data()
    }

    /// Where a frame of this size goes: behind the last one, or at the start if that is free again.
    fn place(&self, size: u64) -> u64 {
        let behind = self.last_frame.end;
        let in_use = self.pieces.iter().map(|piece| piece.start..piece.end);
        let in_use: Vec<_> = in_use.chain([self.last_frame.clone()]).collect();
        let free = |at: u64| in_use.iter().all(|used| at + size <= used.start || at >= used.end);
        // Back to the start only when nothing is kept and a worthwhile part has been filled, or when the
        // file would have to grow.
        let candidates = match self.pieces.is_empty() || behind + size > self.len {
            true => [0, behind],
            false => [behind, 0],
        };
        let end = in_use.iter().map(|used| used.end).max().unwrap_or(0);
        candidates.into_iter().find(|&at| free(at)).unwrap_or(end)
    }

    /// The database holds everything up to `sequence`.
    pub(super) fn free(&mut self, sequence: u64) {
        self.pieces.retain(|piece| piece.last > sequence);
    }

    /// Begins a new piece, so that what is there now can be freed before what follows. Returns the last
    /// sequence of the old one.
    pub(super) fn cut(&mut self) -> u64 {
        self.cut = true;
        self.last
    }

    /// Empties the file: the database holds everything.
    pub(super) fn clear(&mut self) -> Result<(), StoreError> {
        self.backend.set_len(0).and_then(|()| self.backend.sync_data()).map_err(from_io)?;
        (self.len, self.last_frame) = (0, 0..0);
        self.pieces.clear();
        Ok(())
    }
}
