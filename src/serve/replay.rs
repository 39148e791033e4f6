//! Replaying a recording: the simulator's event loop gives each input its time, the same node takes it, and
//! what the node does is held against what it did then.
//!
//! The database is rebuilt as well, commit by commit, in memory: `redb` writes the same bytes for the same
//! commits, so that the file at the end has to be the same file.

use super::node::{Effects, Node, NodeInput, Turned};
use super::record::{End, Entry, Recording, RecordingError, config_digest};
use super::store_file::{chunks, digest_of};
use crate::base::{Event, Outbox, Scheduler, SimTime};
use crate::sim::kernel::{Kernel, World};
use crate::wins::{Observation, StoreError, StoreOp, StreamId, WinsOutput, WinsStore};
use redb::StorageBackend;
use std::fmt;
use std::io::{self, ErrorKind};
use std::net::SocketAddrV4;
use std::sync::{Arc, Mutex, MutexGuard};
use thiserror::Error;

/// What a replay came to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Replayed {
    /// Inputs replayed.
    pub inputs: u64,
    /// Datagrams answered or sent.
    pub sent: u64,
    /// Time from the first input to the last.
    pub time: SimTime,
    /// Digest of everything the node did.
    pub digest: u64,
    /// The database file at the end; empty when the replay ended early.
    pub store: Vec<u8>,
    /// How it compares with the recording.
    pub verdict: ReplayVerdict,
    /// Whether the program would configure the server differently today.
    pub other_config: bool,
}

/// How a replay compares with its recording.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ReplayVerdict {
    /// The same answers and the same database.
    Same,
    /// The same answers as far as it goes: the recording was cut off, nothing is known of the database.
    CutOff,
    /// What the node did differs.
    Differs(Difference),
    /// Every answer is the same, the database is not.
    OtherStore {
        /// Its digest when it was recorded.
        recorded: u64,
        /// Its digest now.
        replayed: u64,
    },
}

/// The first input after which the node did something else.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Difference {
    /// Which, counted from 1.
    pub input: u64,
    /// When.
    pub time: SimTime,
    /// What it was.
    pub what: String,
}

/// Why a recording cannot be replayed.
#[derive(Debug, Error)]
pub enum ReplayError {
    /// It cannot be read.
    #[error(transparent)]
    Recording(#[from] RecordingError),
    /// Its database cannot be opened.
    #[error("the recording's database: {0}")]
    Store(#[from] StoreError),
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "input {} at {}, {}", self.input, self.time, self.what)
    }
}

/// Replays a recording.
///
/// # Errors
/// See [`ReplayError`]; a difference is no error.
pub fn replay(recording: Recording) -> Result<Replayed, ReplayError> {
    let settings = recording.header.settings.clone();
    let config = settings.config().map_err(|errors| {
        let text: Vec<String> = errors.iter().map(ToString::to_string).collect();
        RecordingError::Settings(text.join("; "))
    })?;
    let other_config = config_digest(&config) != recording.header.config;
    let file = MemoryFile::new(recording.store());
    let journal = MemoryFile::new(recording.journal());
    let store = WinsStore::open_journaled(file.clone(), journal, &settings.store_options())?;
    let loaded = store.load()?;
    let mut node = Node::new(&settings, config, loaded)
        .map_err(|error| RecordingError::Settings(error.to_string()))?;
    node.keep_digest();
    let mut world = Replay {
        recording,
        node,
        outside: Outside { store: Some(store), sent: 0 },
        end: None,
        error: None,
        inputs: 0,
    };
    let mut kernel = Kernel::new();
    let actor = kernel.add_actor();
    if let Some(first) = world.recording.next_time() {
        kernel.schedule(first, actor, 0);
        kernel.run_until(SimTime::MAX, &mut world);
    }
    if world.end.is_none() && world.error.is_none() {
        world.take_end();
    }
    world.finish(kernel.now(), file, other_config)
}

/// The replay as a world of one actor, whose events are the recorded inputs.
struct Replay {
    recording: Recording,
    node: Node,
    outside: Outside,
    end: Option<Result<Option<End>, Difference>>,
    error: Option<ReplayError>,
    inputs: u64,
}

impl World for Replay {
    fn dispatch(&mut self, event: Event, kernel: &mut Kernel) {
        self.step();
        if self.end.is_none()
            && self.error.is_none()
            && let Some(next) = self.recording.next_time()
        {
            kernel.schedule(next, event.target, 0);
        }
    }
}

impl Replay {
    fn step(&mut self) {
        let entry = match self.recording.next_entry() {
            Ok(entry) => entry,
            Err(error) => return self.error = Some(error.into()),
        };
        match entry {
            Entry::End(end) => self.end = Some(Ok(Some(end))),
            Entry::CutOff => self.end = Some(Ok(None)),
            Entry::Input { number, now, input, digest } => {
                // What the database's thread did before the node heard of it.
                let steps = match input {
                    NodeInput::Commit => [None, Some(DiskStep::Commit)],
                    NodeInput::Durable { checkpoint, next } => [
                        checkpoint.then_some(DiskStep::Checkpoint),
                        next.then_some(DiskStep::Commit),
                    ],
                    _ => [None, None],
                };
                for step in steps.into_iter().flatten() {
                    if let Err(error) = self.outside.disk(step) {
                        return self.error = Some(error.into());
                    }
                }
                let what = describe(&input);
                self.node.handle(input, now, &mut self.outside);
                self.inputs = number;
                if self.node.digest() as u32 != digest {
                    let difference =
                        Difference { input: number, time: now.time, what: what.into() };
                    self.end = Some(Err(difference));
                }
            }
        }
    }

    /// What stands after the last input.
    fn take_end(&mut self) {
        self.step();
    }

    fn finish(
        mut self,
        time: SimTime,
        file: MemoryFile,
        other_config: bool,
    ) -> Result<Replayed, ReplayError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        // Closing the database writes its last bytes.
        if let Some(store) = self.outside.store.take() {
            store.close()?;
        }
        let bytes = file.take();
        let stored = digest_of(chunks(&bytes));
        let verdict = match self.end {
            Some(Err(difference)) => ReplayVerdict::Differs(difference),
            None | Some(Ok(None)) => ReplayVerdict::CutOff,
            Some(Ok(Some(end))) if end.digest != self.node.digest() => {
                let what = "everything done until the end".to_string();
                ReplayVerdict::Differs(Difference { input: end.inputs, time, what })
            }
            Some(Ok(Some(end))) if end.store != stored => {
                ReplayVerdict::OtherStore { recorded: end.store, replayed: stored }
            }
            Some(Ok(Some(_))) => ReplayVerdict::Same,
        };
        Ok(Replayed {
            inputs: self.inputs,
            sent: self.outside.sent,
            time,
            digest: self.node.digest(),
            store: bytes,
            verdict,
            other_config,
        })
    }
}

/// An input in a few words.
fn describe(input: &NodeInput<'_>) -> &'static str {
    match input {
        NodeInput::Start => "the start",
        NodeInput::Stop => "the stop",
        NodeInput::Datagram { .. } => "a datagram",
        NodeInput::StreamOpened { .. } => "a peer's connection",
        NodeInput::StreamConnected { .. } => "a connection to a partner",
        NodeInput::StreamRefused { .. } => "a refused connection",
        NodeInput::StreamData { .. } => "bytes on a stream",
        NodeInput::StreamClosed { .. } => "the end of a stream",
        NodeInput::Deadline => "a deadline",
        NodeInput::Commit => "the begin of a commit",
        NodeInput::Durable { .. } => "the end of a commit",
        NodeInput::BackupDone { .. } => "the end of a backup",
        NodeInput::Statics { .. } => "an import of static mappings",
    }
}

/// The world of a replayed node: answers are counted, changes gather until the recorded commit.
#[derive(Debug)]
struct Outside {
    store: Option<WinsStore>,
    sent: u64,
}

/// What the database's thread did.
#[derive(Copy, Clone, Debug)]
enum DiskStep {
    Commit,
    Checkpoint,
}

impl Outside {
    fn disk(&mut self, step: DiskStep) -> Result<(), StoreError> {
        let Some(store) = &mut self.store else { return Ok(()) };
        match step {
            DiskStep::Commit => store.commit().map(drop),
            DiskStep::Checkpoint => {
                if let Some(checkpoint) = store.begin_checkpoint() {
                    checkpoint.run()?;
                    store.end_checkpoint(checkpoint);
                }
                Ok(())
            }
        }
    }
}

impl Effects for Outside {
    fn send(&mut self, _: SocketAddrV4, _: &[u8]) {
        self.sent += 1;
    }
    fn connect(&mut self, _: StreamId, _: SocketAddrV4) {}
    fn stream_send(&mut self, _: StreamId, _: &[u8]) {}
    fn stream_close(&mut self, _: StreamId) {}
    fn store(&mut self, op: &StoreOp, out: &Outbox<WinsOutput>, _: Option<Turned>) {
        if let Some(store) = &mut self.store {
            store.apply(op, out);
        }
    }
    fn observe(&mut self, _: &Observation) {}
}

/// A database file in memory.
#[derive(Clone, Debug)]
struct MemoryFile(Arc<Mutex<Vec<u8>>>);

impl MemoryFile {
    fn new(bytes: &[u8]) -> MemoryFile {
        MemoryFile(Arc::new(Mutex::new(bytes.to_vec())))
    }

    fn bytes(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *self.bytes())
    }

    fn range(&self, offset: u64, length: usize) -> io::Result<std::ops::Range<usize>> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let end = start.saturating_add(length);
        match end <= self.bytes().len() {
            true => Ok(start..end),
            false => Err(io::Error::new(ErrorKind::UnexpectedEof, "beyond the end of the file")),
        }
    }
}

impl StorageBackend for MemoryFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.bytes().len() as u64)
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let range = self.range(offset, out.len())?;
        out.copy_from_slice(&self.bytes()[range]);
        Ok(())
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        let len = usize::try_from(len).map_err(|_| io::Error::from(ErrorKind::FileTooLarge))?;
        self.bytes().resize(len, 0);
        Ok(())
    }
    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let range = self.range(offset, data.len())?;
        self.bytes()[range].copy_from_slice(data);
        Ok(())
    }
}
