//! Streams: TCP as Windows NT 4.0 and 2000 spoke it, as far as replication can tell.
//!
//! A [`TcpStack`] is a machine without clock or network: segments in, segments and events out. Kept:
//! three-way connect, refusal by reset, in-order bytes within a window, retransmission with doubling
//! timeouts and give-up, delayed acknowledgement, orderly close, reset of half-open connections. Left out:
//! congestion control, urgent data, options, half-closed streams (when the peer closes, what is still
//! buffered is sent and our side closes too), and keep-alive, which NT had off by default.
//!
//! A crash of a host is the loss of its stack: the peer learns it by the reset that answers its next
//! segment, or, while the host is away, by giving up.

mod connection;

use super::packet::{PacketHeader, Transport};
use crate::base::{ByteRange, Machine, Now, Outbox, SimDuration, SimTime};
use connection::{Connection, Fate};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddrV4};
use thiserror::Error;

/// A TCP header without ports and options.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct TcpSegment {
    /// Number of the first byte.
    pub sequence: u32,
    /// The next byte expected, if [`TcpSegment::ACK`] is set.
    pub acknowledgement: u32,
    /// FIN, SYN, RST, PSH, ACK.
    pub flags: u8,
    /// Bytes the sender of this segment can take.
    pub window: u16,
}

/// A stream of one stack. Numbers are not used again.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct StreamId(pub u32);

/// The parameters of a stack. Names in the registry below `Tcpip\Parameters` (Q120642, Q170359).
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct TcpConfig {
    /// The first retransmission timeout, doubled each time: `TcpInitialRTT`, 3 s.
    pub initial_rto: SimDuration,
    /// The least retransmission timeout once the round trip is known.
    pub rto_min: SimDuration,
    /// The longest retransmission timeout.
    pub rto_max: SimDuration,
    /// How often a SYN is repeated: `TcpMaxConnectRetransmissions`. 3 in NT 4.0 (gives up after
    /// 3 + 6 + 12 + 24 = 45 s), 2 in Windows 2000 (21 s).
    pub connect_retransmissions: u32,
    /// How often data are repeated before the stream is given up: `TcpMaxDataRetransmissions`, 5.
    pub data_retransmissions: u32,
    /// After so many equal acknowledgements the first segment is repeated at once: `TcpMaxDupAcks`.
    pub duplicate_acks: u32,
    /// A refused SYN is tried again after this, as often as `connect_retransmissions` (Q175523).
    pub refused_retry: SimDuration,
    /// How long an acknowledgement may wait for data to ride on; every second segment has one at once.
    pub delayed_ack: SimDuration,
    /// How long a closed stream's ports stay taken: `TcpTimedWaitDelay`, 240 s.
    pub time_wait: SimDuration,
    /// Bytes a segment holds.
    pub segment_bytes_max: usize,
    /// Bytes in flight: `TcpWindowSize`, 8,760 on Ethernet.
    pub window: u16,
    /// Bytes a stream buffers for sending. Beyond it, [`TcpStack::send`] refuses.
    pub send_buffer_max: usize,
    /// Streams a stack holds. Beyond it, connects fail and are refused.
    pub streams_max: usize,
}

/// What a stack asks for.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum StreamOutput {
    /// Send this segment.
    Segment {
        /// Its headers.
        header: PacketHeader,
        /// Its bytes, in the same outbox.
        payload: ByteRange,
    },
    /// Tell the stream's user this.
    Event(StreamEvent),
}

/// What happens to a stream. After `Refused`, `Closed`, `Reset` and `TimedOut` its number means nothing.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum StreamEvent {
    /// Our connect succeeded.
    Connected {
        /// The stream.
        stream: StreamId,
    },
    /// Nobody listens there.
    Refused {
        /// The stream.
        stream: StreamId,
    },
    /// A peer connected to a port we listen on.
    Opened {
        /// The stream.
        stream: StreamId,
        /// Our port.
        port: u16,
        /// The peer.
        peer: SocketAddrV4,
    },
    /// Bytes have come, in order.
    Data {
        /// The stream.
        stream: StreamId,
        /// The bytes, in the same outbox.
        bytes: ByteRange,
    },
    /// The peer closed: all its bytes have come. What we had buffered is still sent.
    Closed {
        /// The stream.
        stream: StreamId,
    },
    /// The peer, or the machine that now has its address, does not know the stream.
    Reset {
        /// The stream.
        stream: StreamId,
    },
    /// No answer to a SYN or to data, as often as configured.
    TimedOut {
        /// The stream.
        stream: StreamId,
    },
}

/// Why a call on a stack fails.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Error)]
pub enum StreamError {
    /// The stream was closed, reset or given up.
    #[error("stream {0} is not open")]
    NotOpen(u32),
    /// The send buffer is full.
    #[error("{wanted} more bytes do not fit a send buffer of {limit}")]
    BufferFull {
        /// Bytes that were to be sent.
        wanted: usize,
        /// The limit.
        limit: usize,
    },
    /// Too many streams.
    #[error("more than {0} streams")]
    TooManyStreams(usize),
}

/// The TCP of one host.
#[derive(Clone, Debug)]
pub struct TcpStack {
    config: TcpConfig,
    listening: BTreeSet<u16>,
    /// By number; few enough that looking for one by its addresses is a walk.
    connections: BTreeMap<StreamId, Connection>,
    /// The earliest deadline of all, looked up once after each change: the host asks after every packet.
    earliest: Option<SimTime>,
    next_id: u32,
    next_port: u16,
}

/// Ports for our own connects: 1025 to 5000 (`MaxUserPort`).
const USER_PORTS: std::ops::RangeInclusive<u16> = 1025..=5000;

impl TcpSegment {
    /// No more bytes from the sender.
    pub const FIN: u8 = 0x01;
    /// Opens a stream.
    pub const SYN: u8 = 0x02;
    /// There is no such stream.
    pub const RST: u8 = 0x04;
    /// Pass on what has come.
    pub const PSH: u8 = 0x08;
    /// The acknowledgement counts.
    pub const ACK: u8 = 0x10;

    /// Whether a flag is set.
    pub const fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}

impl TcpConfig {
    /// Windows NT 4.0.
    pub const NT40: TcpConfig = TcpConfig {
        initial_rto: SimDuration::from_secs(3),
        rto_min: SimDuration::from_millis(300),
        rto_max: SimDuration::from_secs(240),
        connect_retransmissions: 3,
        data_retransmissions: 5,
        duplicate_acks: 3,
        refused_retry: SimDuration::from_millis(500),
        delayed_ack: SimDuration::from_millis(200),
        time_wait: SimDuration::from_secs(240),
        segment_bytes_max: 1460,
        window: 8760,
        send_buffer_max: 4 << 20,
        streams_max: 1024,
    };
    /// Windows 2000.
    pub const W2K: TcpConfig =
        TcpConfig { connect_retransmissions: 2, duplicate_acks: 2, ..TcpConfig::NT40 };
}

/// The answer of a live host to a segment of a stream it does not know: a reset, except to resets. Hosts
/// without a stack answer by this too.
pub fn refuse(header: &PacketHeader, payload_len: usize) -> Option<PacketHeader> {
    let Transport::Tcp(segment) = header.transport else { return None };
    if segment.has(TcpSegment::RST) {
        return None;
    }
    let length = payload_len as u32
        + u32::from(segment.has(TcpSegment::SYN))
        + u32::from(segment.has(TcpSegment::FIN));
    let reset = if segment.has(TcpSegment::ACK) {
        let sequence = segment.acknowledgement;
        TcpSegment { sequence, acknowledgement: 0, flags: TcpSegment::RST, window: 0 }
    } else {
        let acknowledgement = segment.sequence.wrapping_add(length);
        let flags = TcpSegment::RST | TcpSegment::ACK;
        TcpSegment { sequence: 0, acknowledgement, flags, window: 0 }
    };
    Some(PacketHeader::tcp(header.destination, header.source, reset))
}

impl TcpStack {
    /// A stack without streams.
    pub fn new(config: TcpConfig) -> TcpStack {
        TcpStack {
            config,
            listening: BTreeSet::new(),
            connections: BTreeMap::new(),
            earliest: None,
            next_id: 0,
            next_port: *USER_PORTS.start(),
        }
    }

    /// Accepts streams to this port from now on.
    pub fn listen(&mut self, port: u16) {
        self.listening.insert(port);
    }

    /// Accepts no more streams to this port; those that are open stay.
    pub fn stop_listening(&mut self, port: u16) {
        self.listening.remove(&port);
    }

    /// Opens a stream. `Connected`, `Refused` or `TimedOut` will follow.
    ///
    /// # Errors
    /// Fails if the stack has `streams_max` streams.
    pub fn connect(
        &mut self,
        local: Ipv4Addr,
        remote: SocketAddrV4,
        now: SimTime,
        out: &mut Outbox<StreamOutput>,
    ) -> Result<StreamId, StreamError> {
        if self.connections.len() >= self.config.streams_max {
            return Err(StreamError::TooManyStreams(self.config.streams_max));
        }
        let mut port = self.next_port;
        // `streams_max` is less than there are ports, so one is free.
        while self.connections.values().any(|c| c.local.port() == port) {
            port = if port == *USER_PORTS.end() { *USER_PORTS.start() } else { port + 1 };
        }
        self.next_port = if port == *USER_PORTS.end() { *USER_PORTS.start() } else { port + 1 };
        let mut connection = self.make(SocketAddrV4::new(local, port), remote, now);
        connection.connect(&self.config, now, out);
        let id = connection.id;
        self.connections.insert(id, connection);
        self.look_ahead();
        Ok(id)
    }

    /// Sends bytes, all of them or none.
    ///
    /// # Errors
    /// Fails if the stream is not open or its buffer is full.
    pub fn send(
        &mut self,
        stream: StreamId,
        bytes: &[u8],
        now: SimTime,
        out: &mut Outbox<StreamOutput>,
    ) -> Result<(), StreamError> {
        let limit = self.config.send_buffer_max;
        let open = self.connections.get_mut(&stream).filter(|c| c.is_open());
        let connection = open.ok_or(StreamError::NotOpen(stream.0))?;
        if connection.buffered() + bytes.len() > limit {
            return Err(StreamError::BufferFull { wanted: bytes.len(), limit });
        }
        connection.send(bytes, &self.config, now, out);
        self.look_ahead();
        Ok(())
    }

    /// Closes a stream after what is buffered. Nothing more is told about it.
    pub fn close(&mut self, stream: StreamId, now: SimTime, out: &mut Outbox<StreamOutput>) {
        if let Some(connection) = self.connections.get_mut(&stream)
            && connection.close(&self.config, now, out) == Fate::Gone
        {
            self.connections.remove(&stream);
        }
        self.look_ahead();
    }

    /// Resets a stream: the peer is told, buffered bytes are lost.
    pub fn abort(&mut self, stream: StreamId, out: &mut Outbox<StreamOutput>) {
        if let Some(mut connection) = self.connections.remove(&stream) {
            connection.abort(&self.config, out);
        }
        self.look_ahead();
    }

    fn look_ahead(&mut self) {
        self.earliest = self.connections.values().filter_map(Connection::next_deadline).min();
    }

    /// Streams it holds, those included that only wait for late segments.
    pub fn streams(&self) -> usize {
        self.connections.len()
    }

    /// Takes a segment that reached the host.
    pub fn handle_segment(
        &mut self,
        header: &PacketHeader,
        payload: &[u8],
        now: SimTime,
        out: &mut Outbox<StreamOutput>,
    ) {
        self.take_segment(header, payload, now, out);
        self.look_ahead();
    }

    fn take_segment(
        &mut self,
        header: &PacketHeader,
        payload: &[u8],
        now: SimTime,
        out: &mut Outbox<StreamOutput>,
    ) {
        let Transport::Tcp(segment) = header.transport else { return };
        let is_syn = segment.has(TcpSegment::SYN) && !segment.has(TcpSegment::ACK);
        let found = self
            .connections
            .values_mut()
            .find(|c| c.local == header.destination && c.remote == header.source);
        if let Some(connection) = found {
            let id = connection.id;
            let reborn = connection.state == connection::State::TimeWait && is_syn;
            if !reborn {
                let fate = connection.handle(&segment, payload, &self.config, now, out);
                if fate == Fate::Gone {
                    self.connections.remove(&id);
                }
                return;
            }
            // The ports of a stream that is over may be used again at once (RFC 1122 4.2.2.13).
            self.connections.remove(&id);
        }
        let is_welcome = is_syn
            && self.listening.contains(&header.destination.port())
            && self.connections.len() < self.config.streams_max;
        if is_welcome {
            let mut connection = self.make(header.destination, header.source, now);
            connection.accept(&segment, &self.config, now, out);
            self.connections.insert(connection.id, connection);
        } else if let Some(header) = refuse(header, payload.len()) {
            let payload = out.write(|_| ());
            out.push(StreamOutput::Segment { header, payload });
        }
    }

    fn make(&mut self, local: SocketAddrV4, remote: SocketAddrV4, now: SimTime) -> Connection {
        let id = StreamId(self.next_id);
        self.next_id += 1;
        // RFC 793: a clock of four microseconds, so that a restarted host does not repeat numbers.
        let sequence = (now.nanos() / 4_000) as u32;
        let sequence = sequence.wrapping_add(id.0.wrapping_mul(64_000));
        Connection::new(id, local, remote, sequence, &self.config)
    }
}

impl Machine for TcpStack {
    type Input<'a> = (&'a PacketHeader, &'a [u8]);
    type Output = StreamOutput;

    fn handle(&mut self, input: Self::Input<'_>, now: Now, out: &mut Outbox<StreamOutput>) {
        self.handle_segment(input.0, input.1, now.time, out);
    }

    fn on_deadline(&mut self, now: Now, out: &mut Outbox<StreamOutput>) {
        let config = self.config;
        self.connections.retain(|_, connection| {
            let is_due = connection.next_deadline().is_some_and(|at| at <= now.time);
            !is_due || connection.on_deadline(&config, now.time, out) == Fate::Alive
        });
        self.look_ahead();
    }

    fn next_deadline(&self) -> Option<SimTime> {
        self.earliest
    }
}

#[cfg(test)]
mod tests;
