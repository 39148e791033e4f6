//! What a host waits for beyond its machines' deadlines: ends of disk commands, steps of programs and
//! resource DLLs. Each is an event of its own; what a crash takes away is found missing when its event
//! comes.

use crate::cluster::{DiskId, ResourceId, ScsiResult, Ticket};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// Something that is to happen.
#[derive(Clone, Debug)]
pub(super) enum Waiting {
    /// A program's next step.
    Program {
        /// Which.
        program: u16,
        /// Of which of its lives.
        life: u32,
        /// What.
        step: ProgramStep,
    },
    /// A resource DLL's next step.
    Resource {
        /// Which.
        resource: ResourceId,
        /// Since which of its calls.
        call: u32,
        /// What.
        step: ResourceStep,
    },
    /// A SCSI command ends.
    Scsi {
        /// Its ticket.
        ticket: Ticket,
        /// In which life of the service.
        life: u32,
        /// How, unless a mount is still to be completed.
        result: Result<ScsiResult, DiskId>,
    },
    /// A file operation ends.
    File {
        /// Its ticket.
        ticket: Ticket,
        /// In which life of the service.
        life: u32,
        /// How.
        result: FileOutcome,
    },
}

/// How a file operation ended, with what it found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum FileOutcome {
    /// Well.
    Done,
    /// What it holds; `None` if there is no such file.
    Content(Option<Vec<u8>>),
    /// Names, sorted.
    Names(Vec<String>),
    /// Another node has opened the file for itself alone.
    Locked,
    /// The disk is full.
    Full,
    /// The disk does not work, or is not this node's any more.
    Failed,
}

/// What a program does next.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) enum ProgramStep {
    /// It is ready, or its start has failed.
    Started {
        /// Whether it is ready.
        well: bool,
    },
    /// It has ended, as it was told to.
    Stopped,
    /// It ends without having been told to.
    Crash,
    /// It writes one of its values.
    Write(u16),
}

/// What a resource DLL does next.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) enum ResourceStep {
    /// The work of bringing it online is done.
    Online,
    /// The work of bringing it offline is done.
    Offline,
}

/// What a host waits for. Bounded by what its machines have asked for.
#[derive(Debug, Default)]
pub(super) struct WaitingList {
    next: u32,
    list: BTreeMap<u32, Waiting>,
    /// Came due while the host stood still.
    overdue: Vec<u32>,
}

impl WaitingList {
    /// Numbers are handed out in the low 24 bits of an event.
    const NUMBERS: u32 = 1 << 24;

    /// Adds something; its number goes into its event.
    pub(super) fn add(&mut self, what: Waiting) -> u32 {
        loop {
            let number = self.next;
            self.next = (self.next + 1) % WaitingList::NUMBERS;
            if let Entry::Vacant(free) = self.list.entry(number) {
                free.insert(what);
                return number;
            }
        }
    }

    /// Its event has come: takes it out, unless it was forgotten.
    pub(super) fn take(&mut self, number: u32) -> Option<Waiting> {
        self.list.remove(&number)
    }

    /// Its event has come while the host stands still.
    pub(super) fn keep_for_later(&mut self, number: u32) {
        if self.list.contains_key(&number) {
            self.overdue.push(number);
        }
    }

    /// What came due while the host stood still, in order.
    pub(super) fn overdue(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.overdue)
    }

    /// The host is gone, and what it waited for.
    pub(super) fn clear(&mut self) {
        self.list.clear();
        self.overdue.clear();
    }
}
