//! The database's own thread: it writes one group of changes at a time while the next one gathers.
//!
//! A group is the server's own list of store operations, filled and emptied without allocating: two lists
//! go back and forth. A commit that fails is reported, and no further one is tried. When the journal has
//! grown long, its changes move into the database on a third thread, while commits go on; which commit
//! that began after is reported, because it decides which bytes the database's file ends up with.

use super::store_file::StoreFile;
use crate::base::Outbox;
use crate::wins::{Backup, Checkpoint, StoreError, StoreOp, WinsOutput, WinsStore};
use mio::Waker;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread::{Builder, JoinHandle};

/// Store operations of one commit, with their bytes.
pub(super) type Group = Outbox<WinsOutput>;

/// What one commit came to; whether it was followed by the beginning of a checkpoint.
pub(super) type Outcome = Result<bool, StoreError>;

/// Operations that may be committed while a checkpoint runs: their changes stay in memory until the next
/// one. A disk that cannot keep up slows the server down here.
const OPERATIONS_MAX: usize = 2_000_000;

/// What the thread is asked for.
#[derive(Debug)]
enum Order {
    Commit(Group),
    /// Copy what is committed into this file.
    Backup(PathBuf),
}

/// What one backup came to: how many records are in it.
pub(super) type BackedUp = Result<usize, String>;

/// The thread, and the groups on their way.
#[derive(Debug)]
pub(super) struct Committer {
    work: Option<SyncSender<Order>>,
    done: Receiver<(Group, Outcome)>,
    backed_up: Receiver<BackedUp>,
    thread: Option<JoinHandle<Result<(), StoreError>>>,
    /// Gathers the next commit.
    gathering: Group,
    /// Empty, to be filled next.
    spare: Option<Group>,
}

/// The thread's half.
#[derive(Debug)]
struct Writer {
    store: WinsStore,
    moving: Option<Receiver<(Checkpoint, Result<(), StoreError>)>>,
    /// Operations committed since the checkpoint began.
    operations: usize,
}

impl Committer {
    /// Starts the thread. `waker` is called after each commit.
    ///
    /// # Errors
    /// The machine starts no more threads.
    pub(super) fn start(store: WinsStore, waker: Arc<Waker>) -> io::Result<Committer> {
        let (work, orders) = sync_channel(2);
        let (report, done) = sync_channel(1);
        let (told, backed_up) = sync_channel(1);
        let thread = Builder::new().name("store".into()).spawn(move || {
            let mut writer = Writer { store, moving: None, operations: 0 };
            while let Ok(order) = orders.recv() {
                match order {
                    Order::Backup(path) => writer.backup(path, told.clone(), waker.clone()),
                    Order::Commit(mut group) => {
                        let outcome = writer.commit(&group);
                        group.clear();
                        if report.send((group, outcome)).is_err() {
                            break;
                        }
                        // A loop that cannot be woken finds the report at its next deadline.
                        let _ = waker.wake();
                    }
                }
            }
            writer.close()
        })?;
        let (work, thread) = (Some(work), Some(thread));
        let (gathering, spare) = (Group::default(), Some(Group::default()));
        Ok(Committer { work, done, backed_up, thread, gathering, spare })
    }

    /// Adds a change to the next commit.
    pub(super) fn gather(&mut self, op: &StoreOp, out: &Outbox<WinsOutput>) {
        let group = &mut self.gathering;
        let mut copy = |range| group.write(|buf| buf.extend_from_slice(out.bytes(range)));
        let op = match *op {
            StoreOp::Put { record } => StoreOp::Put { record: copy(record) },
            StoreOp::Delete { key } => StoreOp::Delete { key: copy(key) },
            StoreOp::OwnerMaximum { .. }
            | StoreOp::ForgetOwner { .. }
            | StoreOp::ReserveVersions { .. } => *op,
        };
        group.push(WinsOutput::Store(op));
    }

    /// Hands the gathered changes over. Only when no commit is under way.
    pub(super) fn begin(&mut self) {
        let next = self.spare.take().unwrap_or_default();
        let group = std::mem::replace(&mut self.gathering, next);
        if let Some(work) = &self.work {
            // Never full: the caller waits for the report before it hands over again.
            let _ = work.try_send(Order::Commit(group));
        }
    }

    /// Asks for a copy of everything committed so far. False when one cannot be begun now.
    pub(super) fn back_up(&mut self, path: PathBuf) -> bool {
        self.work.as_ref().is_some_and(|work| work.try_send(Order::Backup(path)).is_ok())
    }

    /// What the backup came to, if it has ended; waits for it if asked to.
    pub(super) fn backed_up(&mut self, wait: bool) -> Option<BackedUp> {
        match wait {
            true => self.backed_up.recv().ok(),
            false => self.backed_up.try_recv().ok(),
        }
    }

    /// The outcome of the commit under way, if it is there.
    pub(super) fn finished(&mut self) -> Option<Outcome> {
        match self.done.try_recv() {
            Ok((group, outcome)) => {
                self.spare = Some(group);
                Some(outcome)
            }
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => Some(Err(gone())),
        }
    }

    /// Waits for the outcome of the commit under way.
    pub(super) fn wait(&mut self) -> Outcome {
        let (group, outcome) = self.done.recv().map_err(|_| gone())?;
        self.spare = Some(group);
        outcome
    }

    /// Ends the thread and closes the database: its file is then complete by itself.
    ///
    /// # Errors
    /// The disk is full or failed; nothing that was durable is lost.
    pub(super) fn close(mut self) -> Result<(), StoreError> {
        self.work = None;
        match self.thread.take() {
            Some(thread) => thread.join().unwrap_or_else(|_| Err(gone())),
            None => Ok(()),
        }
    }
}

impl Writer {
    fn commit(&mut self, group: &Group) -> Outcome {
        self.store.apply_all(group);
        self.store.commit()?;
        self.operations += group.items.len();
        self.settle(self.operations > OPERATIONS_MAX)?;
        if self.moving.is_some() || !self.store.checkpoint_due() {
            return Ok(false);
        }
        let Some(checkpoint) = self.store.begin_checkpoint() else { return Ok(false) };
        let (tell, moving) = sync_channel(1);
        let run = move || {
            let outcome = checkpoint.run();
            let _ = tell.send((checkpoint, outcome));
        };
        let started = Builder::new().name("checkpoint".into()).spawn(run);
        started.map_err(|error| StoreError::Io(error.to_string()))?;
        self.moving = Some(moving);
        self.operations = 0;
        Ok(true)
    }

    /// Begins a copy, which a thread of its own writes.
    fn backup(&mut self, path: PathBuf, told: SyncSender<BackedUp>, waker: Arc<Waker>) {
        let tell = told.clone();
        let begun = self.store.begin_backup().map_err(|error| error.to_string());
        let started = begun.and_then(|backup| {
            let write = move || {
                let _ = tell.try_send(write_backup(backup, &path));
                let _ = waker.wake();
            };
            Builder::new().name("backup".into()).spawn(write).map_err(|error| error.to_string())
        });
        if let Err(why) = started {
            let _ = told.try_send(Err(why));
        }
    }

    /// Takes note of a checkpoint that is done, waiting for it if need be.
    fn settle(&mut self, wait: bool) -> Result<(), StoreError> {
        let Some(moving) = &self.moving else { return Ok(()) };
        let received = match wait {
            true => moving.recv().map_err(|_| gone())?,
            false => match moving.try_recv() {
                Ok(received) => received,
                Err(TryRecvError::Empty) => return Ok(()),
                Err(TryRecvError::Disconnected) => return Err(gone()),
            },
        };
        self.moving = None;
        let (checkpoint, outcome) = received;
        outcome?;
        self.store.end_checkpoint(checkpoint);
        Ok(())
    }

    fn close(mut self) -> Result<(), StoreError> {
        self.settle(true)?;
        self.store.close()
    }
}

/// Writes a copy beside its place and moves it there when it is complete.
fn write_backup(backup: Backup, path: &Path) -> BackedUp {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    let written = StoreFile::replace(&beside)
        .map_err(|error| error.to_string())
        .and_then(|file| backup.write(file).map_err(|error| error.to_string()))?;
    std::fs::rename(&beside, path).map_err(|error| error.to_string())?;
    Ok(written)
}

fn gone() -> StoreError {
    StoreError::Io("the thread that writes it has ended".into())
}
