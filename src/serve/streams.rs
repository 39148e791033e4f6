//! Replication streams on TCP: accepting, reading, writing, and giving up on peers that stall.
//!
//! A stream has one buffer of bytes that its socket has not taken yet. It is closed when that grows beyond
//! [`OUT_BYTES_MAX`], when nothing of it moves for [`STALL_MAX`], when a message stays half for as
//! long, and when a message takes longer than [`MESSAGE_MAX`] in all. Streams of strangers also end when
//! idle. What was refused or ended is reported to the node like any other end of a stream.

use super::sockets;
use crate::base::{SimDuration, SimTime};
use crate::wins::StreamId;
use mio::net::{TcpListener, TcpStream};
use mio::{Interest, Registry, Token};
use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, SocketAddrV4};

/// Streams at a time; the server itself keeps fewer associations.
pub(super) const STREAMS_MAX: usize = 320;
/// Accepted streams of one peer. Partners use a handful.
const STREAMS_PER_PEER_MAX: usize = 32;
/// Bytes that wait for one peer. The answer to a pull of a million records is some 60 MB.
const OUT_BYTES_MAX: usize = 256 << 20;
/// How long a peer may take none of what waits for it, or leave a message half.
const STALL_MAX: SimDuration = SimDuration::from_secs(60);
/// How long one message may take to arrive.
const MESSAGE_MAX: SimDuration = SimDuration::from_mins(10);
/// How long a stranger's stream may be silent. Partners keep associations open (MS-WINSRA 3.1.5.1).
const STRANGER_IDLE_MAX: SimDuration = SimDuration::from_mins(5);
/// Messages are preceded by their length.
const LENGTH_LEN: usize = 4;

/// What became of a stream without the node's doing.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) enum StreamNews {
    Connected(StreamId),
    Refused(StreamId),
    Closed(StreamId),
}

/// What a read brought.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) enum ReadOutcome {
    /// So many bytes for this stream.
    Bytes(StreamId, usize),
    /// Nothing more for now.
    Nothing,
}

/// Why a peer's connection was not taken.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) enum Turned {
    TooManyOfPeer,
    TooMany,
}

/// A stream that was accepted, or the reason why it was not.
pub(super) type Accepted = (Ipv4Addr, Result<StreamId, Turned>);

#[derive(Debug)]
struct Stream {
    id: StreamId,
    socket: TcpStream,
    peer: Ipv4Addr,
    partner: bool,
    connected: bool,
    /// Closed by the node; what waits still goes out.
    closing: bool,
    out: Vec<u8>,
    /// Where in `out` the rest begins.
    out_at: usize,
    inbound: Inbound,
    /// When the socket last took something, or had nothing to take.
    wrote: SimTime,
    /// When bytes last came.
    read: SimTime,
}

/// How much of the current message is still to come.
#[derive(Debug, Default)]
struct Inbound {
    length: [u8; LENGTH_LEN],
    got: usize,
    left: u64,
    /// When the message began.
    began: SimTime,
}

/// Every stream of the server.
#[derive(Debug)]
pub(super) struct StreamTable {
    registry: Registry,
    first_token: usize,
    slots: Vec<Option<Stream>>,
    by_id: BTreeMap<StreamId, usize>,
    accepted: u32,
    /// What happened to streams since the loop last looked.
    pub(super) news: Vec<StreamNews>,
}

impl StreamTable {
    pub(super) fn new(registry: Registry, first_token: usize) -> StreamTable {
        StreamTable {
            registry,
            first_token,
            slots: Vec::new(),
            by_id: BTreeMap::new(),
            accepted: 0,
            news: Vec::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whether no stream is open, not even one that is only being closed.
    pub(super) fn is_empty(&self) -> bool {
        self.slots.iter().all(Option::is_none)
    }

    /// Who is at the other end.
    pub(super) fn peer(&self, slot: usize) -> Option<Ipv4Addr> {
        self.slots[slot].as_ref().map(|stream| stream.peer)
    }

    /// The slot of a token, if it is one of a stream.
    pub(super) fn slot_of(&self, token: Token) -> Option<usize> {
        token.0.checked_sub(self.first_token).filter(|&slot| slot < self.slots.len())
    }

    /// Accepts one connection; `None` when there is none, or the system cannot give it now.
    pub(super) fn accept(
        &mut self,
        listener: &TcpListener,
        is_partner: impl FnOnce(Ipv4Addr) -> bool,
        now: SimTime,
    ) -> Option<Accepted> {
        let (socket, from) = loop {
            match listener.accept() {
                Ok(accepted) => break accepted,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::ConnectionAborted => {}
                Err(_) => return None,
            }
        };
        let SocketAddr::V4(from) = from else { return None };
        let peer = *from.ip();
        let of_peer = |stream: &&Stream| stream.peer == peer && !stream.id.is_outgoing();
        if self.by_id.len() >= STREAMS_MAX {
            return Some((peer, Err(Turned::TooMany)));
        }
        if self.slots.iter().flatten().filter(of_peer).count() >= STREAMS_PER_PEER_MAX {
            return Some((peer, Err(Turned::TooManyOfPeer)));
        }
        sockets::prepare(&socket);
        let id = StreamId(self.accepted & (StreamId::OUTGOING.0 - 1));
        self.accepted = self.accepted.wrapping_add(1);
        let added = self.add(id, socket, peer, is_partner(peer), true, now);
        Some((peer, added.map(|()| id).map_err(|_| Turned::TooMany)))
    }

    /// Begins a connection. A refusal is news.
    pub(super) fn connect(&mut self, id: StreamId, own: Ipv4Addr, to: SocketAddrV4, now: SimTime) {
        let begun = sockets::connect(own, to)
            .and_then(|socket| self.add(id, socket, *to.ip(), true, false, now));
        if begun.is_err() {
            self.news.push(StreamNews::Refused(id));
        }
    }

    fn add(
        &mut self,
        id: StreamId,
        mut socket: TcpStream,
        peer: Ipv4Addr,
        partner: bool,
        connected: bool,
        now: SimTime,
    ) -> io::Result<()> {
        let slot = self.slots.iter().position(Option::is_none).unwrap_or(self.slots.len());
        let token = Token(self.first_token + slot);
        self.registry.register(&mut socket, token, Interest::READABLE | Interest::WRITABLE)?;
        let stream = Stream {
            id,
            socket,
            peer,
            partner,
            connected,
            closing: false,
            out: Vec::new(),
            out_at: 0,
            inbound: Inbound::default(),
            wrote: now,
            read: now,
        };
        if slot == self.slots.len() {
            self.slots.push(None);
        }
        self.slots[slot] = Some(stream);
        self.by_id.insert(id, slot);
        Ok(())
    }

    /// The socket may take bytes: finishes a connection, sends what waits.
    pub(super) fn writable(&mut self, slot: usize, now: SimTime) {
        let Some(stream) = self.slots[slot].as_mut() else { return };
        if !stream.connected {
            let failed = stream.socket.take_error().is_ok_and(|error| error.is_some());
            if failed {
                return self.end(slot);
            }
            if stream.socket.peer_addr().is_err() {
                return;
            }
            stream.connected = true;
            stream.wrote = now;
            self.news.push(StreamNews::Connected(stream.id));
        }
        self.flush(slot, now);
    }

    /// Reads once.
    pub(super) fn read(&mut self, slot: usize, buffer: &mut [u8], now: SimTime) -> ReadOutcome {
        loop {
            let Some(stream) = self.slots[slot].as_mut() else { return ReadOutcome::Nothing };
            if !stream.connected {
                return ReadOutcome::Nothing;
            }
            match stream.socket.read(buffer) {
                Ok(0) => self.end(slot),
                Ok(count) => {
                    stream.read = now;
                    stream.inbound.take(&buffer[..count], now);
                    if stream.closing {
                        continue;
                    }
                    return ReadOutcome::Bytes(stream.id, count);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    return ReadOutcome::Nothing;
                }
                Err(_) => self.end(slot),
            }
        }
    }

    /// Sends bytes, or keeps them until the socket takes them.
    pub(super) fn send(&mut self, id: StreamId, bytes: &[u8], now: SimTime) {
        let Some(&slot) = self.by_id.get(&id) else { return };
        let Some(stream) = self.slots[slot].as_mut() else { return };
        if stream.out_at == stream.out.len() {
            stream.wrote = now;
        }
        stream.out.extend_from_slice(bytes);
        if stream.out.len() - stream.out_at > OUT_BYTES_MAX {
            return self.end(slot);
        }
        self.flush(slot, now);
    }

    fn flush(&mut self, slot: usize, now: SimTime) {
        let Some(stream) = self.slots[slot].as_mut() else { return };
        if !stream.connected {
            return;
        }
        while stream.out_at < stream.out.len() {
            match stream.socket.write(&stream.out[stream.out_at..]) {
                Ok(count) => {
                    stream.out_at += count;
                    stream.wrote = now;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(_) => return self.end(slot),
            }
        }
        stream.out.clear();
        stream.out_at = 0;
        if stream.closing {
            self.remove(slot);
        }
    }

    /// The node closes a stream: what waits for the peer still goes out.
    pub(super) fn close(&mut self, id: StreamId, now: SimTime) {
        let Some(&slot) = self.by_id.get(&id) else { return };
        self.by_id.remove(&id);
        if let Some(stream) = self.slots[slot].as_mut() {
            stream.closing = true;
        }
        self.flush(slot, now);
        // Without a connection there is nobody to send to.
        if self.slots[slot].as_ref().is_some_and(|stream| !stream.connected) {
            self.remove(slot);
        }
    }

    /// A stream ended by itself or was given up.
    fn end(&mut self, slot: usize) {
        if let Some(stream) = self.remove(slot)
            && !stream.closing
        {
            self.news.push(match stream.connected {
                true => StreamNews::Closed(stream.id),
                false => StreamNews::Refused(stream.id),
            });
        }
    }

    fn remove(&mut self, slot: usize) -> Option<Stream> {
        let mut stream = self.slots[slot].take()?;
        let _ = self.registry.deregister(&mut stream.socket);
        let _ = stream.socket.shutdown(Shutdown::Both);
        if self.by_id.get(&stream.id) == Some(&slot) {
            self.by_id.remove(&stream.id);
        }
        Some(stream)
    }

    /// Ends the streams of peers that stall. Returns who they were and what they left undone.
    pub(super) fn give_up_on_stalled(&mut self, now: SimTime) -> Vec<(Ipv4Addr, &'static str)> {
        let mut given_up = Vec::new();
        for slot in 0..self.slots.len() {
            let Some(stream) = self.slots[slot].as_ref() else { continue };
            if let Some(why) = stream.stalled(now) {
                given_up.push((stream.peer, why));
                self.end(slot);
            }
        }
        given_up
    }
}

impl Stream {
    fn stalled(&self, now: SimTime) -> Option<&'static str> {
        let since = |at: SimTime| now.since(at);
        let waiting = self.out_at < self.out.len() || self.closing || !self.connected;
        if waiting && since(self.wrote) > STALL_MAX {
            return Some("takes nothing of what waits for it");
        }
        if self.inbound.is_half() {
            if since(self.read) > STALL_MAX {
                return Some("left a message half");
            }
            if since(self.inbound.began) > MESSAGE_MAX {
                return Some("takes too long over a message");
            }
        }
        let idle = !self.partner && since(self.read.max(self.wrote)) > STRANGER_IDLE_MAX;
        idle.then_some("is no partner and has been silent")
    }
}

impl Inbound {
    /// Follows the borders of messages in what came.
    fn take(&mut self, mut bytes: &[u8], now: SimTime) {
        while !bytes.is_empty() {
            if self.left > 0 {
                let taken = self.left.min(bytes.len() as u64);
                self.left -= taken;
                bytes = &bytes[taken as usize..];
                continue;
            }
            if self.got == 0 {
                self.began = now;
            }
            self.length[self.got] = bytes[0];
            self.got += 1;
            bytes = &bytes[1..];
            if self.got == LENGTH_LEN {
                self.got = 0;
                self.left = u64::from(u32::from_be_bytes(self.length));
            }
        }
    }

    fn is_half(&self) -> bool {
        self.got > 0 || self.left > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use mio::Poll;
    use std::net::TcpStream as Peer;

    const PEER: Ipv4Addr = Ipv4Addr::LOCALHOST;

    /// A table with one accepted stream, and its other end.
    fn accepted(partner: bool) -> (Poll, StreamTable, Peer) {
        let poll = Poll::new().expect("a queue");
        let listener = sockets::replication_socket(SocketAddrV4::new(PEER, 0)).expect("a port");
        let at = listener.local_addr().expect("bound");
        let mut table = StreamTable::new(poll.registry().try_clone().expect("a copy"), 4);
        let peer = Peer::connect(at).expect("connected");
        let mut taken = None;
        while taken.is_none() {
            taken = table.accept(&listener, |_| partner, SimTime(1));
        }
        assert_eq!(taken, Some((PEER, Ok(StreamId(0)))));
        (poll, table, peer)
    }

    /// Reads until bytes have come.
    fn read(table: &mut StreamTable, now: SimTime) {
        while table.read(0, &mut [0; 64], now) == ReadOutcome::Nothing && table.news.is_empty() {}
    }

    #[test]
    fn half_a_message_is_not_waited_for() {
        let (_poll, mut table, mut peer) = accepted(true);
        peer.write_all(&[0, 0, 0, 9, 1]).expect("sent");
        read(&mut table, SimTime(2));
        assert!(table.give_up_on_stalled(SimTime(2) + STALL_MAX).is_empty());
        let given_up = table.give_up_on_stalled(SimTime(3) + STALL_MAX);
        assert_eq!(given_up, [(PEER, "left a message half")]);
        assert_eq!(table.news, [StreamNews::Closed(StreamId(0))]);
    }

    #[test]
    fn a_message_that_drips_in_is_not_waited_for_either() {
        let (_poll, mut table, mut peer) = accepted(true);
        peer.write_all(&[0, 0, 1, 0]).expect("sent");
        let mut now = SimTime(2);
        read(&mut table, now);
        while now <= SimTime(2) + MESSAGE_MAX {
            now += SimDuration::from_secs(50);
            peer.write_all(&[7]).expect("sent");
            read(&mut table, now);
        }
        let given_up = table.give_up_on_stalled(now);
        assert_eq!(given_up, [(PEER, "takes too long over a message")]);
    }

    #[test]
    fn partners_may_be_silent_and_strangers_may_not() {
        for partner in [true, false] {
            let (_poll, mut table, _peer) = accepted(partner);
            let given_up = table.give_up_on_stalled(SimTime(2) + STRANGER_IDLE_MAX);
            assert_eq!(given_up.is_empty(), partner);
        }
    }

    #[test]
    fn a_peer_that_takes_nothing_is_given_up() {
        let (_poll, mut table, _peer) = accepted(true);
        let much = vec![7; 1 << 20];
        for _ in 0..64 {
            table.send(StreamId(0), &much, SimTime(5));
        }
        assert!(table.give_up_on_stalled(SimTime(5) + STALL_MAX).is_empty());
        let given_up = table.give_up_on_stalled(SimTime(6) + STALL_MAX);
        assert_eq!(given_up, [(PEER, "takes nothing of what waits for it")]);
    }

    #[test]
    fn a_message_is_half_until_its_last_byte_has_come() {
        let mut inbound = Inbound::default();
        let message = [0, 0, 0, 3, 7, 7, 7];
        for cut in 1..message.len() {
            inbound.take(&message[..cut], SimTime(1));
            assert!(inbound.is_half(), "{cut} bytes");
            inbound.take(&message[cut..], SimTime(2));
            assert!(!inbound.is_half(), "{cut} bytes and the rest");
        }
        inbound.take(&[0, 0, 0, 1, 9, 0xFF, 0xFF, 0xFF, 0xFF, 1], SimTime(5));
        assert!(inbound.is_half());
        assert_eq!(inbound.began, SimTime(5));
    }
}
