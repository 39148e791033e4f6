//! The shape of a protocol machine: input and time in, outputs as data out, named deadlines.

use super::time::{SimTime, WallTime};
use std::ops::Range;

/// What a machine is told about time.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Now {
    /// Monotonic time: retries, intervals and deadlines are reckoned in it.
    pub time: SimTime,
    /// What the host's clock says: stamps that outlive a restart are reckoned in it.
    pub wall: WallTime,
}

/// A sans-IO state machine.
///
/// The world calls `handle` for each input and `on_deadline` when `next_deadline` has come. Outputs are
/// pushed in order. A machine holds no clock, socket, thread, file or global generator.
pub trait Machine {
    /// What can happen to it.
    type Input<'a>;
    /// What it asks of the world.
    type Output;

    /// Takes one input.
    fn handle(&mut self, input: Self::Input<'_>, now: Now, out: &mut Outbox<Self::Output>);
    /// Acts on every deadline that has come by `now`. Calling it early is harmless.
    fn on_deadline(&mut self, now: Now, out: &mut Outbox<Self::Output>);
    /// The earliest deadline, if any.
    fn next_deadline(&self) -> Option<SimTime>;
}

/// Bytes inside an [`Outbox`].
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct ByteRange {
    start: u32,
    end: u32,
}

/// Where a machine leaves its outputs: a list, and one arena for the bytes they name.
///
/// The caller clears and reuses it, so that steady running allocates nothing.
#[derive(Clone, Debug)]
pub struct Outbox<T> {
    /// The outputs in order.
    pub items: Vec<T>,
    bytes: Vec<u8>,
}

impl<T> Default for Outbox<T> {
    fn default() -> Self {
        Outbox { items: Vec::new(), bytes: Vec::new() }
    }
}

impl<T> Outbox<T> {
    /// Adds an output.
    pub fn push(&mut self, item: T) {
        self.items.push(item);
    }

    /// Lets `write` append bytes to the arena and names what it appended.
    pub fn write(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> ByteRange {
        let start = self.bytes.len();
        write(&mut self.bytes);
        ByteRange { start: start as u32, end: self.bytes.len() as u32 }
    }

    /// The bytes that `write` named.
    pub fn bytes(&self, range: ByteRange) -> &[u8] {
        &self.bytes[Range { start: range.start as usize, end: range.end as usize }]
    }

    /// Forgets outputs and bytes, keeps the memory.
    pub fn clear(&mut self) {
        self.items.clear();
        self.bytes.clear();
    }
}
