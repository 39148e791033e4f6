//! One TCP connection: sequence numbers, what is buffered, and when to act next.
//!
//! Sending goes back to the first unacknowledged byte on a timeout and leaves it by acknowledgements, so
//! that one timeout repairs a whole lost window. Our stacks take what comes at once and so always offer
//! their full window; a peer's window of zero is taken as one byte.

use super::{StreamEvent, StreamId, StreamOutput, TcpConfig, TcpSegment};
use crate::base::{Outbox, SimDuration, SimTime};
use crate::net::packet::PacketHeader;
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddrV4;

const FIN: u8 = TcpSegment::FIN;
const SYN: u8 = TcpSegment::SYN;
const RST: u8 = TcpSegment::RST;
const PSH: u8 = TcpSegment::PSH;
const ACK: u8 = TcpSegment::ACK;

#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) enum State {
    /// Our SYN is out.
    SynSent,
    /// Our SYN was refused; it is repeated soon.
    Refused,
    /// Their SYN is answered. The port they connected to is our local one.
    SynReceived,
    /// Bytes flow, or the last of them and a FIN are on their way.
    Open,
    /// All is said; late segments are still answered.
    TimeWait,
}

/// Whether a connection lives on.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
#[must_use]
pub(super) enum Fate {
    Alive,
    Gone,
}

#[derive(Clone, Debug)]
pub(super) struct Connection {
    pub(super) id: StreamId,
    pub(super) local: SocketAddrV4,
    pub(super) remote: SocketAddrV4,
    pub(super) state: State,
    /// Our user closed it: nothing more is told.
    pub(super) user_closed: bool,
    /// Bytes from `send_unacked` on.
    buffer: VecDeque<u8>,
    send_unacked: u32,
    /// Next to send; falls back on a timeout.
    send_next: u32,
    /// The furthest ever sent.
    send_max: u32,
    peer_window: u32,
    /// A FIN follows the buffer.
    closing: bool,
    fin_acked: bool,
    duplicate_acks: u32,
    receive_next: u32,
    /// Bytes received in order, ever: the key of `early`.
    received: u64,
    /// Bytes that came too early, by position.
    early: BTreeMap<u64, Vec<u8>>,
    /// Position of the peer's FIN.
    fin_at: Option<u64>,
    peer_closed: bool,
    unacked_segments: u32,
    ack_now: bool,
    round_trip: Option<(SimDuration, SimDuration)>,
    /// The segment whose round trip is being measured: acknowledged by this number, sent then.
    timing: Option<(u32, SimTime)>,
    rto: SimDuration,
    retries: u32,
    retransmit_at: Option<SimTime>,
    ack_at: Option<SimTime>,
    /// End of `Refused`, `TimeWait`, or of waiting for the peer's FIN.
    wait_until: Option<SimTime>,
}

/// Whether `a` comes before `b` in sequence space.
fn before(a: u32, b: u32) -> bool {
    (a.wrapping_sub(b) as i32) < 0
}

impl Connection {
    pub(super) fn new(
        id: StreamId,
        local: SocketAddrV4,
        remote: SocketAddrV4,
        first_sequence: u32,
        config: &TcpConfig,
    ) -> Connection {
        Connection {
            id,
            local,
            remote,
            state: State::SynSent,
            user_closed: false,
            buffer: VecDeque::new(),
            send_unacked: first_sequence,
            send_next: first_sequence,
            send_max: first_sequence,
            peer_window: u32::from(config.window),
            closing: false,
            fin_acked: false,
            duplicate_acks: 0,
            receive_next: 0,
            received: 0,
            early: BTreeMap::new(),
            fin_at: None,
            peer_closed: false,
            unacked_segments: 0,
            ack_now: false,
            round_trip: None,
            timing: None,
            rto: config.initial_rto,
            retries: 0,
            retransmit_at: None,
            ack_at: None,
            wait_until: None,
        }
    }

    /// Opens it with a SYN.
    pub(super) fn connect(&mut self, c: &TcpConfig, now: SimTime, out: &mut Outbox<StreamOutput>) {
        self.state = State::SynSent;
        self.send_syn(c, now, out);
    }

    /// Answers a SYN.
    pub(super) fn accept(
        &mut self,
        syn: &TcpSegment,
        c: &TcpConfig,
        now: SimTime,
        out: &mut Outbox<StreamOutput>,
    ) {
        self.state = State::SynReceived;
        self.receive_next = syn.sequence.wrapping_add(1);
        self.peer_window = u32::from(syn.window).max(1);
        self.send_syn(c, now, out);
    }

    pub(super) fn is_open(&self) -> bool {
        !self.closing && !self.user_closed && self.state != State::TimeWait
    }

    pub(super) fn buffered(&self) -> usize {
        self.buffer.len()
    }

    /// Takes bytes to send; before the connection is open they wait.
    pub(super) fn send(
        &mut self,
        bytes: &[u8],
        c: &TcpConfig,
        now: SimTime,
        out: &mut Outbox<StreamOutput>,
    ) {
        self.buffer.extend(bytes);
        self.flush(c, now, out);
    }

    /// Sends what is buffered, then a FIN.
    pub(super) fn close(
        &mut self,
        c: &TcpConfig,
        now: SimTime,
        out: &mut Outbox<StreamOutput>,
    ) -> Fate {
        if self.peer_closed {
            return Fate::Alive; // Our side is closing already.
        }
        self.user_closed = true;
        if matches!(self.state, State::SynSent | State::Refused) {
            return Fate::Gone;
        }
        self.closing = true;
        self.flush(c, now, out);
        Fate::Alive
    }

    /// Tells the peer that all is off.
    pub(super) fn abort(&mut self, c: &TcpConfig, out: &mut Outbox<StreamOutput>) {
        if matches!(self.state, State::Open | State::SynReceived) {
            self.emit(RST | ACK, self.send_next, 0, c, out);
        }
    }

    pub(super) fn next_deadline(&self) -> Option<SimTime> {
        [self.retransmit_at, self.ack_at, self.wait_until].into_iter().flatten().min()
    }

    pub(super) fn on_deadline(
        &mut self,
        c: &TcpConfig,
        now: SimTime,
        out: &mut Outbox<StreamOutput>,
    ) -> Fate {
        if self.wait_until.is_some_and(|at| at <= now) {
            self.wait_until = None;
            if self.state != State::Refused {
                return Fate::Gone;
            }
            self.state = State::SynSent;
            self.send_syn(c, now, out);
        }
        if self.ack_at.is_some_and(|at| at <= now) {
            self.emit(ACK, self.send_next, 0, c, out);
        }
        if self.retransmit_at.is_some_and(|at| at <= now) {
            return self.retransmit(c, now, out);
        }
        Fate::Alive
    }

    /// Takes a segment that belongs to this connection.
    pub(super) fn handle(
        &mut self,
        segment: &TcpSegment,
        payload: &[u8],
        c: &TcpConfig,
        now: SimTime,
        out: &mut Outbox<StreamOutput>,
    ) -> Fate {
        match self.state {
            State::SynSent => return self.handle_syn_sent(segment, c, now, out),
            State::Refused => return Fate::Alive,
            State::SynReceived if segment.has(SYN) && !segment.has(ACK) => {
                if segment.sequence.wrapping_add(1) == self.receive_next {
                    // Our answer was lost.
                    self.emit(SYN | ACK, self.send_unacked, 0, c, out);
                }
                return Fate::Alive;
            }
            _ => {}
        }
        let ahead = segment.sequence.wrapping_sub(self.receive_next) as i32;
        if segment.has(RST) {
            // Only a reset inside the window counts (RFC 793 page 37).
            if !(0..=i32::from(c.window.min(i16::MAX as u16))).contains(&ahead) {
                return Fate::Alive;
            }
            if self.state == State::Open {
                self.tell(StreamEvent::Reset { stream: self.id }, out);
            }
            return Fate::Gone;
        }
        if segment.has(SYN) || !segment.has(ACK) {
            // Somebody starts anew under the same ports: our answer makes him reset this connection.
            self.emit(ACK, self.send_next, 0, c, out);
            return Fate::Alive;
        }
        if self.state == State::SynReceived {
            if segment.acknowledgement != self.send_max {
                return Fate::Alive;
            }
            self.opened(segment, c, now);
            let (stream, port, peer) = (self.id, self.local.port(), self.remote);
            self.tell(StreamEvent::Opened { stream, port, peer }, out);
        } else {
            self.take_ack(segment, payload.is_empty(), c, now, out);
        }
        self.take_bytes(segment, payload, ahead, c, now, out);
        self.flush(c, now, out);
        if self.ack_now {
            self.emit(ACK, self.send_next, 0, c, out);
        }
        self.finish(c, now)
    }

    fn handle_syn_sent(
        &mut self,
        segment: &TcpSegment,
        c: &TcpConfig,
        now: SimTime,
        out: &mut Outbox<StreamOutput>,
    ) -> Fate {
        if segment.has(ACK) && segment.acknowledgement != self.send_max {
            // The peer still holds an old connection under these ports: make it forget.
            if !segment.has(RST) {
                self.emit(RST, segment.acknowledgement, 0, c, out);
            }
            return Fate::Alive;
        }
        if segment.has(RST) && segment.has(ACK) {
            if self.retries >= c.connect_retransmissions {
                self.tell(StreamEvent::Refused { stream: self.id }, out);
                return Fate::Gone;
            }
            self.retries += 1;
            self.state = State::Refused;
            self.retransmit_at = None;
            self.timing = None;
            self.wait_until = Some(now + c.refused_retry);
        } else if segment.has(SYN) && segment.has(ACK) {
            self.receive_next = segment.sequence.wrapping_add(1);
            self.opened(segment, c, now);
            self.tell(StreamEvent::Connected { stream: self.id }, out);
            self.ack_now = true;
            self.flush(c, now, out);
            if self.ack_now {
                self.emit(ACK, self.send_next, 0, c, out);
            }
        }
        Fate::Alive
    }

    /// Our SYN is acknowledged.
    fn opened(&mut self, segment: &TcpSegment, c: &TcpConfig, now: SimTime) {
        self.state = State::Open;
        self.measure(segment.acknowledgement, c, now);
        self.send_unacked = self.send_max;
        self.send_next = self.send_max;
        self.peer_window = u32::from(segment.window).max(1);
        self.retries = 0;
        self.retransmit_at = None;
    }

    fn take_ack(
        &mut self,
        segment: &TcpSegment,
        is_pure: bool,
        c: &TcpConfig,
        now: SimTime,
        out: &mut Outbox<StreamOutput>,
    ) {
        let ack = segment.acknowledgement;
        if before(self.send_max, ack) {
            self.ack_now = true; // It acknowledges what we never sent.
            return;
        }
        self.peer_window = u32::from(segment.window).max(1);
        if before(self.send_unacked, ack) {
            self.measure(ack, c, now);
            let acked = ack.wrapping_sub(self.send_unacked) as usize;
            let bytes = acked.min(self.buffer.len());
            self.buffer.drain(..bytes);
            self.fin_acked |= acked > bytes;
            self.send_unacked = ack;
            if before(self.send_next, ack) {
                self.send_next = ack;
            }
            self.duplicate_acks = 0;
            self.retries = 0;
            self.rto = self.estimate(c);
            let outstanding = self.send_unacked != self.send_max;
            self.retransmit_at = outstanding.then(|| now + self.rto);
        } else if ack == self.send_unacked && is_pure && self.send_unacked != self.send_max {
            self.duplicate_acks += 1;
            if self.duplicate_acks == c.duplicate_acks {
                self.timing = None;
                self.send_first(c, out);
            }
        }
    }

    fn take_bytes(
        &mut self,
        segment: &TcpSegment,
        payload: &[u8],
        ahead: i32,
        c: &TcpConfig,
        now: SimTime,
        out: &mut Outbox<StreamOutput>,
    ) {
        if payload.is_empty() && !segment.has(FIN) {
            return;
        }
        let end = ahead as i64 + payload.len() as i64;
        if end > i64::from(c.window) || (ahead != 0 && end + i64::from(segment.has(FIN)) <= 0) {
            self.ack_now = true; // Beyond the window, or all of it is old.
            return;
        }
        let position = (self.received as i64 + i64::from(ahead)).max(self.received as i64) as u64;
        let old = (-ahead).max(0) as usize;
        if segment.has(FIN) && !self.peer_closed {
            self.fin_at = Some((self.received as i64 + end) as u64);
        }
        if ahead > 0 {
            self.ack_now = true; // A duplicate acknowledgement tells the sender of the hole.
            if !payload.is_empty() {
                let stored = self.early.entry(position).or_default();
                if stored.len() < payload.len() {
                    *stored = payload.to_vec();
                }
            }
        } else if old < payload.len() {
            self.take_in_order(&payload[old..], out);
            while let Some((at, bytes)) = self.early.pop_first() {
                if at > self.received {
                    self.early.insert(at, bytes);
                    break;
                }
                let old = (self.received - at) as usize;
                if old < bytes.len() {
                    self.take_in_order(&bytes[old..], out);
                }
                self.ack_now = true;
            }
            self.unacked_segments += 1;
            if self.unacked_segments >= 2 || old > 0 {
                self.ack_now = true;
            } else {
                self.ack_at.get_or_insert(now + c.delayed_ack);
            }
        }
        if self.fin_at == Some(self.received) && !self.peer_closed {
            self.tell(StreamEvent::Closed { stream: self.id }, out);
            self.peer_closed = true;
            self.receive_next = self.receive_next.wrapping_add(1);
            self.ack_now = true;
            // No half-closed streams: our side follows.
            if !self.closing {
                self.closing = true;
                self.wait_until = None;
            }
        } else if self.peer_closed && segment.has(FIN) {
            self.ack_now = true;
        }
    }

    fn take_in_order(&mut self, bytes: &[u8], out: &mut Outbox<StreamOutput>) {
        self.received += bytes.len() as u64;
        self.receive_next = self.receive_next.wrapping_add(bytes.len() as u32);
        if !self.user_closed {
            let bytes = out.write(|buffer| buffer.extend_from_slice(bytes));
            self.tell(StreamEvent::Data { stream: self.id, bytes }, out);
        }
    }

    /// Both sides closed: whoever closed first waits for late segments, the other is gone.
    fn finish(&mut self, c: &TcpConfig, now: SimTime) -> Fate {
        if self.state == State::Open && self.fin_acked {
            if self.peer_closed && !self.user_closed {
                return Fate::Gone;
            }
            if self.peer_closed {
                self.state = State::TimeWait;
                self.wait_until = Some(now + c.time_wait);
            } else {
                // The peer may never close: NT forgets such a connection after the same time.
                self.wait_until.get_or_insert(now + c.time_wait);
            }
        }
        Fate::Alive
    }

    fn send_syn(&mut self, c: &TcpConfig, now: SimTime, out: &mut Outbox<StreamOutput>) {
        let flags = if self.state == State::SynReceived { SYN | ACK } else { SYN };
        self.emit(flags, self.send_unacked, 0, c, out);
        self.send_next = self.send_unacked.wrapping_add(1);
        self.send_max = self.send_next;
        self.timing = (self.retries == 0).then_some((self.send_max, now));
        self.retransmit_at = Some(now + self.rto);
    }

    /// Sends what the window allows, then the FIN.
    fn flush(&mut self, c: &TcpConfig, now: SimTime, out: &mut Outbox<StreamOutput>) {
        if self.state != State::Open {
            return;
        }
        let window = self.peer_window.min(u32::from(c.window)) as usize;
        loop {
            let sent = self.send_next.wrapping_sub(self.send_unacked) as usize;
            let unsent = self.buffer.len().saturating_sub(sent);
            let room = window.saturating_sub(sent);
            let count = unsent.min(c.segment_bytes_max).min(room);
            let is_fin = self.closing && unsent == count && sent <= self.buffer.len();
            // A sliver of a window waits, unless nothing else would bring an acknowledgement.
            let sliver = count < unsent.min(c.segment_bytes_max) && sent > 0;
            let has_fin = is_fin && !self.fin_acked;
            if sliver || (count == 0 && !has_fin) {
                return;
            }
            let mut flags = ACK;
            flags |= if count > 0 && count == unsent { PSH } else { 0 };
            flags |= if is_fin { FIN } else { 0 };
            let sequence = self.send_next;
            self.emit(flags, sequence, count, c, out);
            self.send_next = sequence.wrapping_add(count as u32 + u32::from(is_fin));
            if before(self.send_max, self.send_next) {
                self.send_max = self.send_next;
                if self.retries == 0 {
                    self.timing.get_or_insert((self.send_next, now));
                }
            }
            self.retransmit_at.get_or_insert(now + self.rto);
            if is_fin {
                return;
            }
        }
    }

    fn retransmit(&mut self, c: &TcpConfig, now: SimTime, out: &mut Outbox<StreamOutput>) -> Fate {
        let is_opening = matches!(self.state, State::SynSent | State::SynReceived);
        let limit = if is_opening { c.connect_retransmissions } else { c.data_retransmissions };
        if self.retries >= limit {
            if self.state != State::SynReceived {
                self.tell(StreamEvent::TimedOut { stream: self.id }, out);
            }
            return Fate::Gone;
        }
        self.retries += 1;
        self.rto = (self.rto * 2).min(c.rto_max);
        self.timing = None;
        if is_opening {
            self.send_syn(c, now, out);
        } else {
            self.send_next = self.send_unacked;
            self.duplicate_acks = 0;
            self.send_first(c, out);
            self.retransmit_at = Some(now + self.rto);
        }
        Fate::Alive
    }

    /// Repeats the first unacknowledged segment.
    fn send_first(&mut self, c: &TcpConfig, out: &mut Outbox<StreamOutput>) {
        let outstanding = self.send_max.wrapping_sub(self.send_unacked) as usize;
        let count = outstanding.min(self.buffer.len()).min(c.segment_bytes_max);
        // What was sent beyond the buffer's end is the FIN.
        let is_fin = self.closing && count == self.buffer.len() && outstanding > count;
        let flags = ACK | if is_fin { FIN } else { PSH };
        self.emit(flags, self.send_unacked, count, c, out);
        let end = self.send_unacked.wrapping_add(count as u32 + u32::from(is_fin));
        if before(self.send_next, end) {
            self.send_next = end;
        }
    }

    /// Sends a segment with the first `count` buffered bytes from `sequence` on.
    fn emit(
        &mut self,
        flags: u8,
        sequence: u32,
        count: usize,
        c: &TcpConfig,
        out: &mut Outbox<StreamOutput>,
    ) {
        let offset = sequence.wrapping_sub(self.send_unacked) as usize;
        let buffer = &self.buffer;
        let payload = out.write(|bytes| {
            if count > 0 {
                let (a, b) = buffer.as_slices();
                let (from, to) = (offset, offset + count);
                bytes.extend_from_slice(&a[from.min(a.len())..to.min(a.len())]);
                let skip = |n: usize| n.saturating_sub(a.len());
                bytes.extend_from_slice(&b[skip(from)..skip(to)]);
            }
        });
        let mut acknowledgement = 0;
        if flags & ACK != 0 {
            acknowledgement = self.receive_next;
            (self.ack_now, self.ack_at, self.unacked_segments) = (false, None, 0);
        }
        let segment = TcpSegment { sequence, acknowledgement, flags, window: c.window };
        let header = PacketHeader::tcp(self.local, self.remote, segment);
        out.push(StreamOutput::Segment { header, payload });
    }

    fn tell(&self, event: StreamEvent, out: &mut Outbox<StreamOutput>) {
        if !self.user_closed && !self.peer_closed {
            out.push(StreamOutput::Event(event));
        }
    }

    /// Takes the round trip of the segment being timed, if `ack` covers it (Jacobson's estimate).
    fn measure(&mut self, ack: u32, c: &TcpConfig, now: SimTime) {
        let Some((covered, sent)) = self.timing.filter(|&(covered, _)| !before(ack, covered))
        else {
            return;
        };
        debug_assert!(!before(ack, covered));
        self.timing = None;
        let sample = now.since(sent);
        self.round_trip = Some(match self.round_trip {
            None => (sample, sample / 2),
            Some((smooth, spread)) => {
                let off = sample.saturating_sub(smooth).max(smooth.saturating_sub(sample));
                ((smooth * 7 + sample) / 8, (spread * 3 + off) / 4)
            }
        });
        self.rto = self.estimate(c);
    }

    fn estimate(&self, c: &TcpConfig) -> SimDuration {
        match self.round_trip {
            None => c.initial_rto,
            Some((smooth, spread)) => (smooth + spread * 4).max(c.rto_min).min(c.rto_max),
        }
    }
}
