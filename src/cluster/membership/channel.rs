//! Reliable messages to one node, in order: what the cluster's datagram protocol does under RPC (KB 258750).
//!
//! A message is cut into segments, which are numbered from 1. The receiver acknowledges all up to a number,
//! and single ones beyond it, on the back of its own segments or after a short while alone. What is not
//! acknowledged is sent again, after a time that doubles each time, for ever: whether a node is dead is the
//! heartbeats' business. A channel lives as long as the two incarnations it joins are members together.

use super::super::profile::ClusterProfile;
use crate::base::SimTime;
use crate::wire::cluster::{FRAGMENT_MAX, Segment};
use std::collections::{BTreeMap, VecDeque};

/// Segments on their way at once: as many as one acknowledgement can tell apart.
const WINDOW: u64 = 64;
/// Bytes that may wait for one node. Database snapshots are some 200 KB, so beyond it the node has not
/// answered for long: it counts as lost.
pub(super) const QUEUE_MAX: usize = 64 << 20;
/// Longest message taken from a node. A longer one is dropped.
const MESSAGE_MAX: usize = 64 << 20;

/// Reliable messages to and from one node.
#[derive(Debug, Default)]
pub(super) struct Channel {
    /// The number of the next new segment less one.
    sent: u64,
    unacked: VecDeque<Piece>,
    queue: VecDeque<Message>,
    queued: usize,
    received: u64,
    early: BTreeMap<u64, Piece>,
    partial: Vec<u8>,
    /// The message that comes is too long: the rest of it is dropped too.
    too_long: bool,
    ack_due: Option<SimTime>,
}

#[derive(Debug)]
struct Message {
    kind: u8,
    body: Vec<u8>,
    /// What is cut off already.
    offset: usize,
}

#[derive(Debug)]
struct Piece {
    sequence: u64,
    kind: u8,
    flags: u8,
    bytes: Vec<u8>,
    attempts: u32,
    due: SimTime,
    acked: bool,
}

impl Channel {
    /// Queues a message. False if too much is waiting: it is not taken.
    pub fn push(&mut self, kind: u8, body: Vec<u8>) -> bool {
        if self.queued + body.len() > QUEUE_MAX {
            return false;
        }
        self.queued += body.len();
        self.queue.push_back(Message { kind, body, offset: 0 });
        true
    }

    /// When something is to be sent again, or acknowledged.
    pub fn next_deadline(&self) -> Option<SimTime> {
        let unacked = self.unacked.iter().filter(|piece| !piece.acked).map(|piece| piece.due);
        unacked.chain(self.ack_due).min()
    }

    /// Sends what is due.
    pub fn poll(
        &mut self,
        now: SimTime,
        profile: &ClusterProfile,
        mut send: impl FnMut(Segment<'_>),
    ) {
        self.fill(now);
        let (ack, also) = (self.received, self.also());
        let mut told = false;
        for piece in self.unacked.iter_mut().filter(|piece| !piece.acked && piece.due <= now) {
            let doubled = profile.rpc_retransmit * (1 << piece.attempts.min(10));
            piece.due = now + doubled.min(profile.rpc_retransmit_max);
            piece.attempts += 1;
            let Piece { sequence, kind, flags, .. } = *piece;
            send(Segment { sequence, ack, also, kind, flags, bytes: &piece.bytes });
            told = true;
        }
        if !told && self.ack_due.is_some_and(|due| due <= now) {
            send(Segment { sequence: 0, ack, also, kind: 0, flags: 0, bytes: &[] });
            told = true;
        }
        if told {
            self.ack_due = None;
        }
    }

    /// Takes a segment from the node, and leaves the messages that are complete by it.
    pub fn receive(
        &mut self,
        segment: &Segment<'_>,
        now: SimTime,
        profile: &ClusterProfile,
        complete: &mut Vec<(u8, Vec<u8>)>,
    ) {
        self.acknowledged(segment, now);
        let Segment { sequence, kind, flags, bytes, .. } = *segment;
        if sequence == 0 || sequence > self.received.saturating_add(WINDOW) {
            return;
        }
        let in_order = sequence == self.received + 1;
        // The second of two acknowledges at once; so does what shows the sender a loss.
        let at_once = !in_order || self.ack_due.is_some() || !self.early.is_empty();
        self.ack_due = Some(if at_once { now } else { now + profile.rpc_ack_delay });
        if sequence <= self.received {
            return;
        }
        if in_order {
            self.take(kind, flags, bytes, complete);
            while let Some(piece) = self.early.remove(&(self.received + 1)) {
                self.take(piece.kind, piece.flags, &piece.bytes, complete);
            }
        } else {
            self.early.entry(sequence).or_insert_with(|| Piece {
                sequence,
                kind,
                flags,
                bytes: bytes.to_vec(),
                attempts: 0,
                due: now,
                acked: false,
            });
        }
    }

    fn take(&mut self, kind: u8, flags: u8, bytes: &[u8], complete: &mut Vec<(u8, Vec<u8>)>) {
        self.received += 1;
        self.too_long |= self.partial.len() + bytes.len() > MESSAGE_MAX;
        if !self.too_long {
            self.partial.extend_from_slice(bytes);
        }
        if flags & 1 != 0 {
            let message = std::mem::take(&mut self.partial);
            if !std::mem::take(&mut self.too_long) {
                complete.push((kind, message));
            }
        }
    }

    fn acknowledged(&mut self, segment: &Segment<'_>, now: SimTime) {
        if segment.ack > self.sent {
            return;
        }
        while self.unacked.front().is_some_and(|piece| piece.sequence <= segment.ack) {
            self.queued -= self.unacked.pop_front().map_or(0, |piece| piece.bytes.len());
        }
        let Some(highest) = segment.also.checked_ilog2() else { return };
        let highest = segment.ack + 2 + u64::from(highest);
        for piece in &mut self.unacked {
            let place = piece.sequence.wrapping_sub(segment.ack + 2);
            if place < 64 && segment.also >> place & 1 != 0 {
                piece.acked = true;
            } else if piece.sequence < highest && piece.attempts == 1 {
                // Later ones have come: this one is lost.
                piece.due = now;
            }
        }
    }

    /// Cuts segments from the queue while there is room for them.
    fn fill(&mut self, now: SimTime) {
        let first = self.unacked.front().map_or(self.sent + 1, |piece| piece.sequence);
        while self.sent + 1 < first + WINDOW {
            let Some(message) = self.queue.front_mut() else { return };
            let end = message.body.len().min(message.offset + FRAGMENT_MAX);
            let bytes = message.body[message.offset..end].to_vec();
            let (kind, last) = (message.kind, end == message.body.len());
            message.offset = end;
            if last {
                self.queue.pop_front();
            }
            self.sent += 1;
            self.unacked.push_back(Piece {
                sequence: self.sent,
                kind,
                flags: u8::from(last),
                bytes,
                attempts: 0,
                due: now,
                acked: false,
            });
        }
    }

    fn also(&self) -> u64 {
        let bit = |sequence: &u64| 1u64 << (sequence - self.received - 2);
        self.early.keys().map(bit).fold(0, |sum, bit| sum | bit)
    }
}
