//! The simulated disk of a host: what programs wrote, what the platter holds, and how long it takes.
//!
//! Programs read back what they wrote at once (the operating system's cache); a write is *durable* only when
//! a sync of its file, issued after it, has been completed. Until then it stands in the journal with what
//! it overwrote, so that a fault can take it back. Only a few dozen operations are ever in the journal, and
//! a file costs memory only where it holds bytes.
//!
//! Calls are synchronous, simulated time is not: operations gather until [`Disk::submit`] puts them in the
//! device's queue, which answers when the last of them will be done. The caller that asked for the commit is
//! blocked until then, so what it issued after a sync does not exist while that sync is still open.
//!
//! | fault | what becomes of operations not yet durable |
//! | --- | --- |
//! | [`DiskLoss::Crash`] (the operating system stops) | each write kept or dropped, whole |
//! | [`DiskLoss::PowerCut`] | each write kept, dropped, or torn at a sector boundary, in any order |
//! | [`DiskLoss::Wipe`] | every file is gone, durable or not |
//!
//! An open sync is a barrier: nothing issued after it is kept unless everything before it is. After a fault
//! every handle opened before is dead: its calls fail.
//!
//! Not modelled: seeks, head scheduling, bad sectors, and damage to what was durable.

use crate::base::{SimDuration, SimTime, Stream};
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

mod lease;

pub use lease::DiskLease;

/// The smallest unit a disk writes as a whole; a power cut tears writes at its multiples.
pub const SECTOR_BYTES: usize = 512;
/// Files are held in pages of this size, and a page nobody wrote takes no memory.
const PAGE_BYTES: usize = 4096;

/// What a disk costs and holds.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct DiskParams {
    /// Time of one write, whatever its size (half a turn and a short seek).
    pub write: SimDuration,
    /// Time of one read, whatever its size.
    pub read: SimDuration,
    /// Time per 4096 bytes moved.
    pub per_page: SimDuration,
    /// Time of one sync on top of the writes it waits for.
    pub sync: SimDuration,
    /// Bytes all files together may reach; more is "disk full".
    pub capacity: u64,
}

/// How a disk loses its pending part.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum DiskLoss {
    /// The operating system stops; the disk finishes the sectors it has begun.
    Crash,
    /// Power fails; writes may be torn.
    PowerCut,
    /// The disk is replaced by an empty one.
    Wipe,
}

/// What one fault did to the pending operations, for the trace.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub struct DiskLossReport {
    /// Writes that survived whole.
    pub kept: u32,
    /// Writes that vanished.
    pub dropped: u32,
    /// Writes of which only a part survived.
    pub torn: u32,
}

/// What a disk has done since it was made.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub struct DiskCounters {
    /// Writes and changes of length.
    pub writes: u64,
    /// Bytes written.
    pub bytes_written: u64,
    /// Syncs.
    pub syncs: u64,
    /// Reads that reached the disk.
    pub reads: u64,
    /// Calls refused: full, failed, stopped or dead handle.
    pub refused: u64,
}

/// A disk. Clones share it.
#[derive(Clone)]
pub struct Disk(Arc<Mutex<State>>);

/// An open file of a [`Disk`]; what the WINS database writes through. Clones share it.
#[derive(Clone)]
pub struct DiskFile {
    disk: Disk,
    file: usize,
    /// Faults the disk had seen when the file was opened; another fault kills the handle.
    generation: u32,
    /// The lease it was opened under, of a disk on a shared bus; none on a host's own disk.
    lease: Option<u32>,
}

struct State {
    params: DiskParams,
    slow_factor: u64,
    full: bool,
    failed: bool,
    generation: u32,
    /// Leases that are valid, and how many there have been.
    leases: (Vec<u32>, u32),
    /// Whether the bus between the holder of the leases and the disk works.
    unreachable: bool,
    /// Writes and syncs that may still happen; a hook of tests.
    operations_left: Option<u64>,
    files: Vec<Image>,
    names: BTreeMap<String, usize>,
    journal: VecDeque<Operation>,
    /// When the device's queue is empty.
    busy_until: SimTime,
    /// Cost of reads since the last `submit`.
    read_cost: SimDuration,
    counters: DiskCounters,
}

struct Operation {
    file: usize,
    change: Change,
    cost: SimDuration,
    /// When the device began and finished it; none until submitted.
    times: Option<(SimTime, SimTime)>,
}

enum Change {
    Write {
        offset: u64,
        old: Box<[u8]>,
        new: Box<[u8]>,
    },
    SetLen {
        old: u64,
        new: u64,
        cut: Box<[u8]>,
    },
    Replace {
        old: Image,
        new: Box<[u8]>,
    },
    /// Takes the place of a file, whose old content is kept here.
    Rename {
        from: usize,
        old: Image,
    },
    Sync,
}

/// A file's bytes, sparse.
#[derive(Default, Clone)]
struct Image {
    len: u64,
    pages: Vec<Option<Box<[u8; PAGE_BYTES]>>>,
}

impl Default for DiskParams {
    /// A disk of the middle nineties: 1 ms a write, 10 ms a sync, about 4 MB a second, 2 GB.
    fn default() -> Self {
        DiskParams {
            write: SimDuration::from_millis(1),
            read: SimDuration::from_micros(200),
            per_page: SimDuration::from_millis(1),
            sync: SimDuration::from_millis(10),
            capacity: 2 << 30,
        }
    }
}

impl Disk {
    /// An empty disk.
    pub fn new(params: DiskParams) -> Disk {
        Disk(Arc::new(Mutex::new(State {
            params,
            slow_factor: 1,
            full: false,
            failed: false,
            generation: 0,
            leases: (Vec::new(), 0),
            unreachable: false,
            operations_left: None,
            files: Vec::new(),
            names: BTreeMap::new(),
            journal: VecDeque::new(),
            busy_until: SimTime::ZERO,
            read_cost: SimDuration::ZERO,
            counters: DiskCounters::default(),
        })))
    }

    /// Opens the file, creating it empty if there is none of that name.
    pub fn open(&self, name: &str) -> DiskFile {
        let mut state = self.state();
        let file = state.file(name);
        DiskFile { disk: self.clone(), file, generation: state.generation, lease: None }
    }

    /// Whether a file of that name exists and is not empty.
    pub fn exists(&self, name: &str) -> bool {
        let state = self.state();
        state.names.get(name).is_some_and(|&file| state.files[file].len > 0)
    }

    /// The content of a small file, if it exists and is not empty.
    ///
    /// # Errors
    /// The disk has failed.
    pub fn read_file(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        let mut state = self.state();
        state.alive()?;
        let Some(&file) = state.names.get(name) else { return Ok(None) };
        let len = state.files[file].len;
        let mut bytes = vec![0; len as usize];
        state.files[file].read(0, &mut bytes);
        state.count_read(bytes.len());
        Ok((len > 0).then_some(bytes))
    }

    /// Replaces a small file as a whole: written under another name, synced, renamed, synced. Whatever
    /// happens, the file is afterwards the old one or the new one.
    ///
    /// # Errors
    /// The disk is full, has failed or has stopped; the file is then the old one.
    pub fn replace_file(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.state();
        let file = state.file(name);
        state.alive()?;
        state.grow(file, bytes.len() as u64)?;
        state.take_operation()?;
        let old = std::mem::replace(&mut state.files[file], Image::of(bytes));
        let cost = state.write_cost(bytes.len()) + state.params.sync;
        state.counters.bytes_written += bytes.len() as u64;
        state.note(file, Change::Replace { old, new: bytes.into() }, cost);
        state.sync(file)
    }

    /// Gives a synced file another name, in place of the file that had it before. Whatever happens, that is
    /// afterwards the old one or the new one, and which of them is durable when this has been submitted.
    ///
    /// # Errors
    /// The disk has failed or has stopped; nothing is renamed.
    pub fn rename_file(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.state();
        let (from, to) = (state.file(from), state.file(to));
        state.alive()?;
        state.take_operation()?;
        let new = std::mem::take(&mut state.files[from]);
        let old = std::mem::replace(&mut state.files[to], new);
        let cost = state.write_cost(0);
        state.note(to, Change::Rename { from, old }, cost);
        state.sync(to)
    }

    /// Removes a file at once and for good.
    pub fn remove_file(&self, name: &str) {
        let mut state = self.state();
        if let Some(file) = state.names.remove(name) {
            state.files[file] = Image::default();
            state.journal.retain(|op| op.file != file);
        }
    }

    /// Puts what was done since the last call into the device's queue. Returns when the device will be done
    /// with it, or `None` if nothing was done.
    pub fn submit(&self, now: SimTime) -> Option<SimTime> {
        let mut state = self.state();
        state.settle(now);
        let first = state.journal.iter().position(|op| op.times.is_none());
        if first.is_none() && state.read_cost.is_zero() {
            return None;
        }
        let mut at = state.busy_until.max(now) + std::mem::take(&mut state.read_cost);
        for op in state.journal.iter_mut().skip(first.unwrap_or(usize::MAX)) {
            let begin = at;
            at += op.cost;
            op.times = Some((begin, at));
        }
        state.busy_until = at;
        Some(at)
    }

    /// Ends everything open on this disk: pending operations are lost as `how` says, handles die, the
    /// queue is empty. What was durable at `now` stays (except for a wipe).
    pub fn lose(&self, how: DiskLoss, now: SimTime, chance: &mut Stream) -> DiskLossReport {
        let mut state = self.state();
        state.settle(now);
        let report = state.take_back(how, now, chance);
        if how == DiskLoss::Wipe {
            state.files.iter_mut().for_each(|image| *image = Image::default());
        }
        state.generation += 1;
        state.operations_left = None;
        state.busy_until = now;
        state.read_cost = SimDuration::ZERO;
        report
    }

    /// Ends the handles of a program that stopped by itself: what it wrote stays in the cache and reaches
    /// the disk.
    pub fn program_stopped(&self) {
        let mut state = self.state();
        state.generation += 1;
    }

    /// From now on writes that need more room fail with "disk full" (or no longer).
    pub fn set_full(&self, full: bool) {
        self.state().full = full;
    }

    /// From now on every call fails (or no longer).
    pub fn set_failed(&self, failed: bool) {
        self.state().failed = failed;
    }

    /// From now on operations take `factor` times as long; 1 is normal.
    pub fn set_slow(&self, factor: u32) {
        self.state().slow_factor = u64::from(factor.max(1));
    }

    /// Lets exactly `operations` more writes and syncs happen; all later calls fail, as if the machine had
    /// stopped there. Ended by [`Disk::lose`].
    pub fn stop_after(&self, operations: u64) {
        self.state().operations_left = Some(operations);
    }

    /// Forgets what a fault at `now` could no longer touch. Changes nothing but the memory the disk takes.
    pub fn settle(&self, now: SimTime) {
        self.state().settle(now);
    }

    /// What it has done so far.
    pub fn counters(&self) -> DiskCounters {
        self.state().counters
    }

    /// Operations that a fault at `now` could still touch.
    pub fn pending(&self, now: SimTime) -> usize {
        let mut state = self.state();
        state.settle(now);
        state.journal.len()
    }

    /// Memory held by files and journal, in bytes.
    pub fn memory(&self) -> usize {
        let state = self.state();
        let pages =
            state.files.iter().map(|image| image.pages.iter().flatten().count()).sum::<usize>();
        let slots = state.files.iter().map(|image| image.pages.capacity()).sum::<usize>();
        pages * PAGE_BYTES + slots * size_of::<usize>() + state.journal.len() * PAGE_BYTES
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere leaves no half-made state here: every change is a few assignments.
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl State {
    fn file(&mut self, name: &str) -> usize {
        if let Some(&file) = self.names.get(name) {
            return file;
        }
        self.files.push(Image::default());
        self.names.insert(name.to_owned(), self.files.len() - 1);
        self.files.len() - 1
    }

    fn refuse<T>(&mut self, kind: io::ErrorKind, text: &'static str) -> io::Result<T> {
        self.counters.refused += 1;
        Err(io::Error::new(kind, text))
    }

    /// Whether a call through this handle may go on.
    fn alive_for(&mut self, handle: &DiskFile) -> io::Result<()> {
        if handle.generation != self.generation {
            return self
                .refuse(io::ErrorKind::BrokenPipe, "the machine stopped while this was open");
        }
        self.leased(handle.lease)?;
        self.alive()
    }

    /// Whether a call may go on.
    fn alive(&mut self) -> io::Result<()> {
        if self.failed {
            return self.refuse(io::ErrorKind::Other, "the disk has failed");
        }
        if self.operations_left == Some(0) {
            return self.refuse(io::ErrorKind::Other, "the machine has stopped");
        }
        Ok(())
    }

    fn take_operation(&mut self) -> io::Result<()> {
        match &mut self.operations_left {
            None => Ok(()),
            Some(0) => self.refuse(io::ErrorKind::Other, "the machine has stopped"),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
        }
    }

    /// Whether the file may reach this length.
    fn grow(&mut self, file: usize, len: u64) -> io::Result<()> {
        let old = self.files[file].len;
        if len <= old {
            return Ok(());
        }
        let used: u64 = self.files.iter().map(|image| image.len).sum();
        if self.full || used - old + len > self.params.capacity {
            return self.refuse(io::ErrorKind::StorageFull, "the disk is full");
        }
        Ok(())
    }

    fn write_cost(&self, bytes: usize) -> SimDuration {
        self.params.write + self.params.per_page * bytes as u64 / PAGE_BYTES as u64
    }

    fn count_read(&mut self, bytes: usize) {
        self.counters.reads += 1;
        let cost = self.params.read + self.params.per_page * bytes as u64 / PAGE_BYTES as u64;
        self.read_cost += cost * self.slow_factor;
    }

    fn note(&mut self, file: usize, change: Change, cost: SimDuration) {
        match change {
            Change::Sync => self.counters.syncs += 1,
            _ => self.counters.writes += 1,
        }
        self.journal.push_back(Operation {
            file,
            change,
            cost: cost * self.slow_factor,
            times: None,
        });
    }

    fn write(&mut self, file: usize, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let end = offset + bytes.len() as u64;
        self.grow(file, end)?;
        self.take_operation()?;
        let image = &mut self.files[file];
        if end > image.len {
            let old = image.len;
            image.set_len(end);
            self.note(file, Change::SetLen { old, new: end, cut: [].into() }, SimDuration::ZERO);
        }
        let mut old = vec![0; bytes.len()].into_boxed_slice();
        let image = &mut self.files[file];
        image.read(offset, &mut old);
        image.write(offset, bytes);
        self.counters.bytes_written += bytes.len() as u64;
        let cost = self.write_cost(bytes.len());
        self.note(file, Change::Write { offset, old, new: bytes.into() }, cost);
        Ok(())
    }

    fn set_len(&mut self, file: usize, new: u64) -> io::Result<()> {
        self.grow(file, new)?;
        self.take_operation()?;
        let image = &mut self.files[file];
        let old = image.len;
        let mut cut = vec![0; old.saturating_sub(new) as usize].into_boxed_slice();
        image.read(new.min(old), &mut cut);
        image.set_len(new);
        let cost = self.write_cost(0);
        self.note(file, Change::SetLen { old, new, cut }, cost);
        Ok(())
    }

    fn sync(&mut self, file: usize) -> io::Result<()> {
        self.take_operation()?;
        let cost = self.params.sync;
        self.note(file, Change::Sync, cost);
        Ok(())
    }

    /// Forgets what has become durable by `now`: everything that a completed sync of its file follows.
    fn settle(&mut self, now: SimTime) {
        let done = |op: &Operation| op.times.is_some_and(|(_, end)| end <= now);
        while let Some(sync) =
            self.journal.iter().rposition(|op| matches!(op.change, Change::Sync) && done(op))
        {
            let file = self.journal[sync].file;
            let mut index = 0;
            self.journal.retain(|op| {
                index += 1;
                index - 1 > sync || op.file != file
            });
        }
    }

    /// Takes every pending operation back, then repeats those that survive.
    fn take_back(&mut self, how: DiskLoss, now: SimTime, chance: &mut Stream) -> DiskLossReport {
        for op in self.journal.iter_mut().rev() {
            op.undo(&mut self.files);
        }
        let mut report = DiskLossReport::default();
        let journal: Vec<Operation> = self.journal.drain(..).collect();
        let mut segments = journal.split(|op| matches!(op.change, Change::Sync)).peekable();
        let mut reached = how != DiskLoss::Wipe;
        while let Some(segment) = segments.next() {
            // Whether the sync behind this segment had been done, though nobody was told.
            let synced = reached && segments.peek().is_some() && chance.below(2) == 0;
            for op in segment {
                let issued = op.times.is_none_or(|(begin, _)| begin <= now);
                let fate = match how {
                    _ if !reached || !issued => Fate::Dropped,
                    _ if synced => Fate::Kept,
                    DiskLoss::Crash => [Fate::Kept, Fate::Dropped][chance.below(2) as usize],
                    _ => [Fate::Kept, Fate::Dropped, Fate::Torn][chance.below(3) as usize],
                };
                if let Change::Rename { from, .. } = op.change {
                    // A rename is one entry of a directory: done or not.
                    if fate == Fate::Kept {
                        self.files[op.file] = std::mem::take(&mut self.files[from]);
                    }
                    continue;
                }
                op.redo(fate, &mut self.files[op.file], chance, &mut report);
            }
            reached = synced;
        }
        report
    }
}

#[derive(Copy, Clone, PartialEq, Eq)]
enum Fate {
    Kept,
    Dropped,
    Torn,
}

impl Operation {
    fn undo(&mut self, files: &mut [Image]) {
        if let Change::Rename { from, old } = &mut self.change {
            let new = std::mem::replace(&mut files[self.file], std::mem::take(old));
            files[*from] = new;
            return;
        }
        let image = &mut files[self.file];
        match &mut self.change {
            Change::Write { offset, old, .. } => image.write(*offset, old),
            Change::SetLen { old, new, cut } => {
                image.set_len(*old);
                image.write((*new).min(*old), cut);
            }
            Change::Replace { old, .. } => *image = std::mem::take(old),
            Change::Rename { .. } | Change::Sync => {}
        }
    }

    fn redo(
        &self,
        fate: Fate,
        image: &mut Image,
        chance: &mut Stream,
        report: &mut DiskLossReport,
    ) {
        let mut kept_whole = fate == Fate::Kept;
        match &self.change {
            Change::Write { offset, new, .. } => {
                if fate == Fate::Torn && new.len() > SECTOR_BYTES {
                    let sectors = new.len().div_ceil(SECTOR_BYTES) as u64;
                    let cut = chance.between(1, sectors - 1) as usize * SECTOR_BYTES;
                    report.torn += 1;
                    match chance.below(2) {
                        0 => image.write(*offset, &new[..cut]),
                        _ => image.write(*offset + cut as u64, &new[cut..]),
                    }
                    return;
                }
                // A write inside one sector cannot be torn.
                kept_whole |= fate == Fate::Torn && chance.below(2) == 0;
                if kept_whole {
                    image.write(*offset, new);
                }
            }
            Change::SetLen { new, .. } if kept_whole => image.set_len(*new),
            Change::Replace { new, .. } if kept_whole => *image = Image::of(new),
            _ => {}
        }
        *(if kept_whole { &mut report.kept } else { &mut report.dropped }) += 1;
    }
}

impl Image {
    fn of(bytes: &[u8]) -> Image {
        let mut image = Image::default();
        image.set_len(bytes.len() as u64);
        image.write(0, bytes);
        image
    }

    fn set_len(&mut self, len: u64) {
        if len < self.len {
            self.pages.truncate((len as usize).div_ceil(PAGE_BYTES));
            let tail = len as usize % PAGE_BYTES;
            if tail > 0
                && let Some(Some(page)) = self.pages.get_mut(len as usize / PAGE_BYTES)
            {
                page[tail..].fill(0);
            }
        }
        self.len = len;
    }

    /// Copies bytes out; beyond the end they are zero.
    fn read(&self, offset: u64, mut out: &mut [u8]) {
        let mut at = offset as usize;
        while !out.is_empty() {
            let (page, start) = (at / PAGE_BYTES, at % PAGE_BYTES);
            let (part, rest) = out.split_at_mut((PAGE_BYTES - start).min(out.len()));
            match self.pages.get(page) {
                Some(Some(page)) => part.copy_from_slice(&page[start..start + part.len()]),
                _ => part.fill(0),
            }
            at += part.len();
            out = rest;
        }
    }

    /// Copies bytes in; what lies beyond the end of the file is dropped.
    fn write(&mut self, offset: u64, bytes: &[u8]) {
        let room = self.len.saturating_sub(offset).min(bytes.len() as u64) as usize;
        let (mut at, mut bytes) = (offset as usize, &bytes[..room]);
        while !bytes.is_empty() {
            let (page, start) = (at / PAGE_BYTES, at % PAGE_BYTES);
            let (part, rest) = bytes.split_at((PAGE_BYTES - start).min(bytes.len()));
            if self.pages.len() <= page {
                self.pages.resize_with(page + 1, || None);
            }
            if self.pages[page].is_some() || part.iter().any(|&byte| byte != 0) {
                let page = self.pages[page].get_or_insert_with(|| Box::new([0; PAGE_BYTES]));
                page[start..start + part.len()].copy_from_slice(part);
            }
            at += part.len();
            bytes = rest;
        }
    }
}

impl redb::StorageBackend for DiskFile {
    fn len(&self) -> io::Result<u64> {
        let mut state = self.disk.state();
        state.alive_for(self)?;
        Ok(state.files[self.file].len)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let mut state = self.disk.state();
        state.alive_for(self)?;
        if offset + out.len() as u64 > state.files[self.file].len {
            return state.refuse(io::ErrorKind::UnexpectedEof, "read beyond the end of the file");
        }
        state.files[self.file].read(offset, out);
        state.count_read(out.len());
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.disk.state();
        state.alive_for(self)?;
        state.set_len(self.file, len)
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.disk.state();
        state.alive_for(self)?;
        state.sync(self.file)
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut state = self.disk.state();
        state.alive_for(self)?;
        state.write(self.file, offset, data)
    }
}

impl fmt::Debug for DiskFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DiskFile({})", self.file)
    }
}

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Disk({:?})", self.state().counters)
    }
}

#[cfg(test)]
#[path = "disk_tests.rs"]
mod tests;
