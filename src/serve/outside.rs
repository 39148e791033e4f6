//! The world of a live node: datagrams leave, streams open and close, changes gather for the disk, and
//! whatever happens is counted and logged.

use super::commit::Committer;
use super::counters::Counters;
use super::hook::{Change, Hook};
use super::log::{EventLog, Limited};
use super::node::{Effects, Turned};
use super::streams::StreamTable;
use crate::base::{Now, Outbox};
use crate::wins::{
    BackupReason, NameRecord, Observation, StoreOp, StreamId, WinsEvent, WinsOutput,
};
use crate::wire::NetbiosName;
use mio::net::UdpSocket;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

/// What a node acts on.
#[derive(Debug)]
pub(super) struct Outside {
    pub(super) socket: UdpSocket,
    pub(super) address: Ipv4Addr,
    pub(super) streams: StreamTable,
    pub(super) committer: Committer,
    pub(super) counters: Counters,
    pub(super) events: EventLog,
    /// A backup is due, as soon as everything stored so far is durable.
    pub(super) backup_due: bool,
    /// The program run for every change.
    pub(super) hook: Option<Hook>,
    pub(super) hook_log: Limited,
    /// The time of the input at hand, and whose it is.
    pub(super) now: Now,
    pub(super) peer: Option<Ipv4Addr>,
}

impl Outside {
    /// Queues a change for the program, if it is one.
    fn tell_hook(&mut self, op: &StoreOp, out: &Outbox<WinsOutput>, turned: Option<Turned>) {
        let change = match *op {
            StoreOp::Put { record } => NameRecord::decode(out.bytes(record))
                .ok()
                .and_then(|record| Change::stored(&record, turned, self.now.wall)),
            StoreOp::Delete { key } => {
                let name = out.bytes(key).first_chunk::<16>();
                name.and_then(|&name| Change::deleted(&NetbiosName::from_bytes(name), turned))
            }
            _ => None,
        };
        if let (Some(change), Some(hook)) = (change, &self.hook)
            && !hook.tell(change)
        {
            self.counters.hooks_lost += 1;
            if let Some(left_out) = self.hook_log.line(self.now.time) {
                tracing::warn!(left_out, "--on-change is too slow: changes are lost");
            }
        }
    }
}

impl Effects for Outside {
    fn send(&mut self, to: SocketAddrV4, bytes: &[u8]) {
        // A full buffer or an unreachable client loses an answer, as the network may; clients repeat.
        match self.socket.send_to(bytes, SocketAddr::V4(to)) {
            Ok(_) => self.counters.sent += 1,
            Err(_) => self.counters.send_failures += 1,
        }
    }

    fn connect(&mut self, stream: StreamId, to: SocketAddrV4) {
        self.counters.opened += 1;
        self.streams.connect(stream, self.address, to, self.now.time);
    }

    fn stream_send(&mut self, stream: StreamId, bytes: &[u8]) {
        self.streams.send(stream, bytes, self.now.time);
    }

    fn stream_close(&mut self, stream: StreamId) {
        self.streams.close(stream, self.now.time);
    }

    fn store(&mut self, op: &StoreOp, out: &Outbox<WinsOutput>, turned: Option<Turned>) {
        self.committer.gather(op, out);
        if self.hook.is_some() {
            self.tell_hook(op, out, turned);
        }
    }

    fn observe(&mut self, observation: &Observation) {
        self.counters.observe(observation, self.now.time);
        match observation {
            Observation::Logged(event) => {
                if *event == WinsEvent::MalformedPacket {
                    self.counters.malformed += 1;
                }
                self.events.write(*event, self.peer, self.now.time);
            }
            Observation::StaticRefused { error } => tracing::warn!("static mapping: {error}"),
            Observation::LmhostsLine { line, fatal } => {
                tracing::warn!(line, fatal, "LMHOSTS line skipped");
            }
            Observation::State { name, kind, before, after } => {
                tracing::debug!(%name, ?kind, ?before, ?after, "record");
            }
            _ => {}
        }
    }

    fn backup(&mut self, _reason: BackupReason) {
        self.backup_due = true;
    }

    fn host_answered(&mut self) {
        self.counters.host_answers += 1;
    }

    fn host_defended(&mut self) {
        self.counters.defended += 1;
    }
}
