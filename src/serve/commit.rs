//! The database's own thread: it writes one group of changes at a time while the next one gathers.
//!
//! A group is the server's own list of store operations, filled and emptied without allocating: two lists
//! go back and forth. The thread sorts nothing out: a commit that fails is reported, and no further one
//! is tried.

use crate::base::Outbox;
use crate::wins::{StoreError, StoreOp, WinsOutput, WinsStore};
use mio::Waker;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread::{Builder, JoinHandle};

/// Store operations of one commit, with their bytes.
pub(super) type Group = Outbox<WinsOutput>;

/// What one commit came to.
pub(super) type Outcome = Result<(), StoreError>;

/// The thread, and the groups on their way.
#[derive(Debug)]
pub(super) struct Committer {
    work: Option<SyncSender<Group>>,
    done: Receiver<(Group, Outcome)>,
    thread: Option<JoinHandle<WinsStore>>,
    /// Gathers the next commit.
    pub(super) gathering: Group,
    /// Empty, to be filled next.
    spare: Option<Group>,
}

impl Committer {
    /// Starts the thread. `waker` is called after each commit.
    ///
    /// # Errors
    /// The machine starts no more threads.
    pub(super) fn start(mut store: WinsStore, waker: Arc<Waker>) -> std::io::Result<Committer> {
        let (work, orders) = sync_channel::<Group>(1);
        let (report, done) = sync_channel(1);
        let thread = Builder::new().name("store".into()).spawn(move || {
            while let Ok(mut group) = orders.recv() {
                store.apply_all(&group);
                let outcome = store.commit().map(|_| ());
                group.clear();
                if report.send((group, outcome)).is_err() {
                    break;
                }
                // A loop that cannot be woken finds the report at its next deadline.
                let _ = waker.wake();
            }
            store
        })?;
        let (work, thread) = (Some(work), Some(thread));
        let (gathering, spare) = (Group::default(), Some(Group::default()));
        Ok(Committer { work, done, thread, gathering, spare })
    }

    /// Adds a change to the next commit.
    pub(super) fn gather(&mut self, op: &StoreOp, out: &Outbox<WinsOutput>) {
        let group = &mut self.gathering;
        let mut copy = |range| group.write(|buf| buf.extend_from_slice(out.bytes(range)));
        let op = match *op {
            StoreOp::Put { record } => StoreOp::Put { record: copy(record) },
            StoreOp::Delete { key } => StoreOp::Delete { key: copy(key) },
            other => other,
        };
        group.push(WinsOutput::Store(op));
    }

    /// Hands the gathered changes over. Only when no commit is under way.
    pub(super) fn begin(&mut self) {
        let next = self.spare.take().unwrap_or_default();
        let group = std::mem::replace(&mut self.gathering, next);
        if let Some(work) = &self.work {
            // Never full: the caller waits for the report before it hands over again.
            let _ = work.try_send(group);
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

    /// Ends the thread and closes the database.
    pub(super) fn close(mut self) {
        self.work = None;
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

fn gone() -> StoreError {
    StoreError::Io("the thread that writes it has ended".into())
}
