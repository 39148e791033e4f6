//! Watching a run: what the loop shows of each dispatched event, and how two runs are compared.
//!
//! An event's cause needs no bookkeeping while a run goes: the id of an event is `(lane, sequence)`, and
//! every dispatch on an actor hands out a contiguous range of that actor's sequences, so the cause is the
//! dispatch on the lane's actor whose range holds the sequence. Ids outside every range were scheduled
//! from outside the loop.

use crate::base::{Event, EventId};

/// One dispatched event, as an observer sees it after the fact.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Dispatched {
    /// How many events were dispatched before it.
    pub ordinal: u64,
    /// The event.
    pub event: Event,
    /// The target's next sequence when the event came.
    pub first_sequence: u64,
    /// The target's next sequence when it had been dealt with: what it caused are the sequences from
    /// `first_sequence` up to this one, not included.
    pub next_sequence: u64,
    /// The run's digest afterwards, content included.
    pub digest: u64,
}

/// Something that watches a run without changing it.
pub trait Observer {
    /// Whether it looks at all; the loop is compiled without the call if not.
    const ACTIVE: bool = true;
    /// Called after each dispatch.
    fn dispatched(&mut self, dispatched: &Dispatched);
}

/// Nobody watches.
impl Observer for () {
    const ACTIVE: bool = false;
    fn dispatched(&mut self, _dispatched: &Dispatched) {}
}

impl Dispatched {
    /// Whether this dispatch caused the event with this id.
    pub fn caused(&self, id: EventId) -> bool {
        id.lane() == self.event.target
            && (self.first_sequence..self.next_sequence).contains(&id.sequence())
    }
}

/// What a run did, event by event, to be compared with another run of the same scenario.
///
/// Keeps 48 bytes an event up to a limit, and beyond it only counts: the first difference is then still
/// noticed by the digests, but not named.
#[derive(Clone, Debug)]
pub struct Recording {
    dispatched: Vec<Dispatched>,
    events_max: usize,
    seen: u64,
    digest: u64,
}

/// The first place where two runs part.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Difference {
    /// How many events both runs have in common.
    pub ordinal: u64,
    /// What the first run did there, and what caused it.
    pub first: Option<Happening>,
    /// What the second run did there, and what caused it.
    pub second: Option<Happening>,
}

/// An event with its cause.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Happening {
    /// The dispatch.
    pub dispatched: Dispatched,
    /// The dispatch that caused it; `None` if it was scheduled from outside the loop.
    pub cause: Option<Dispatched>,
}

/// Events a [`Recording`] keeps by default: 8 million of them take under 500 MB.
pub const RECORDING_EVENTS_MAX: usize = 8_000_000;

impl Default for Recording {
    fn default() -> Self {
        Recording::new(RECORDING_EVENTS_MAX)
    }
}

impl Observer for Recording {
    fn dispatched(&mut self, dispatched: &Dispatched) {
        self.seen += 1;
        self.digest = dispatched.digest;
        if self.dispatched.len() < self.events_max {
            self.dispatched.push(*dispatched);
        }
    }
}

impl Recording {
    /// A recording that names differences among the first `events_max` events.
    pub fn new(events_max: usize) -> Recording {
        Recording { dispatched: Vec::new(), events_max, seen: 0, digest: 0 }
    }

    /// The events kept, in order.
    pub fn events(&self) -> &[Dispatched] {
        &self.dispatched
    }

    /// The dispatch that caused the event at this place in the recording.
    pub fn cause(&self, ordinal: usize) -> Option<Dispatched> {
        let id = self.dispatched.get(ordinal)?.event.id;
        self.dispatched[..ordinal].iter().rev().find(|earlier| earlier.caused(id)).copied()
    }

    /// The first difference between two runs, `None` if they were the same.
    pub fn difference(&self, other: &Recording) -> Option<Difference> {
        let pairs = self.dispatched.iter().zip(&other.dispatched);
        let common = pairs.take_while(|(a, b)| a == b).count();
        let shorter = self.dispatched.len().min(other.dispatched.len());
        let same_end = self.seen == other.seen && self.digest == other.digest;
        if common == shorter && same_end && self.dispatched.len() == other.dispatched.len() {
            return None;
        }
        Some(Difference {
            ordinal: common as u64,
            first: self.happening(common),
            second: other.happening(common),
        })
    }

    fn happening(&self, ordinal: usize) -> Option<Happening> {
        let dispatched = *self.dispatched.get(ordinal)?;
        Some(Happening { dispatched, cause: self.cause(ordinal) })
    }
}
