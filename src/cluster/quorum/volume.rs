//! Where the quorum's files are, and the operations on them that are under way.

use crate::cluster::io::{FileOperation, FileResult, Part, Place, Ticket};
use crate::cluster::step::Step;
use std::collections::BTreeMap;

/// The quorum's files, and what is being done with them for purposes of type `P`.
#[derive(Debug)]
pub(super) struct Volume<P> {
    place: Option<Place>,
    /// Operations begun: the number of the latest.
    count: u32,
    open: BTreeMap<u32, P>,
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

impl<P> Default for Volume<P> {
    fn default() -> Volume<P> {
        Volume { place: None, count: 0, open: BTreeMap::new() }
    }
}

impl<P> Volume<P> {
    /// Whether the files can be reached from here.
    pub fn is_open(&self) -> bool {
        self.place.is_some()
    }

    /// The files are there from now on.
    pub fn open(&mut self, place: Place) {
        self.place = Some(place);
    }

    /// The files cannot be reached any more; what was being done with them ends in nothing. Returns what
    /// that was for.
    pub fn close(&mut self) -> Vec<P> {
        self.place = None;
        std::mem::take(&mut self.open).into_values().collect()
    }

    /// Begins something. Returns the purpose if it cannot be begun.
    pub fn begin(&mut self, purpose: P, path: &str, work: &Work, step: &mut Step<'_>) -> Option<P> {
        let Some(place) = self.place else { return Some(purpose) };
        self.count = self.count.wrapping_add(1);
        let ticket = Ticket { part: Part::Quorum, number: self.count };
        self.open.insert(self.count, purpose);
        let path = path.to_owned();
        match work {
            Work::Read => step.file(ticket, place, path, FileOperation::Read),
            Work::Delete => step.file(ticket, place, path, FileOperation::Delete),
            Work::DeleteTree => step.file(ticket, place, path, FileOperation::DeleteTree),
            Work::List => step.file(ticket, place, path, FileOperation::List),
            Work::Append(bytes) => {
                step.write_file(ticket, place, path, bytes, FileOperation::Append);
            }
            Work::Put { bytes, atomic: true } => {
                step.write_file(ticket, place, path, bytes, FileOperation::Replace);
            }
            Work::Put { bytes, atomic: false } => {
                step.write_file(ticket, place, path, bytes, FileOperation::Overwrite);
            }
        }
        None
    }

    /// An operation has ended: what it was for, and how it ended. Nothing if nobody waits for it.
    pub fn ended(&mut self, ticket: Ticket, result: FileResult<'_>) -> Option<(P, Outcome)> {
        let purpose = self.open.remove(&ticket.number)?;
        let outcome = match result {
            FileResult::Done => Outcome::Done,
            FileResult::Content(bytes) => Outcome::Content(bytes.map(<[u8]>::to_vec)),
            FileResult::Names(names) => Outcome::Names(names.to_vec()),
            FileResult::Full => Outcome::Full,
            FileResult::Failed | FileResult::Locked => Outcome::Failed,
        };
        Some((purpose, outcome))
    }
}
