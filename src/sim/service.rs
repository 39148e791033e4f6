//! What only servers have: processor queues, a disk, streams, and the WINS service with its database.

use super::cpu::{Cpu, CpuConfig};
use super::disk::{Disk, DiskFile, DiskLease, DiskParams};
use crate::base::{Machine, RestingStream, SimDuration, SimTime, TimerId};
use crate::cluster::ResourceId;
use crate::net::{InterfaceId, PacketHandle, StreamId as TcpStreamId, TcpConfig, TcpStack};
use crate::wins::{BurstGate, OperatorAction, StreamId, WinsConfig, WinsServer, WinsStore};
use std::collections::{BTreeMap, VecDeque};
use std::net::{Ipv4Addr, SocketAddrV4};

/// The database's file on the host's disk, named as Windows names it.
pub const DATABASE_FILE: &str = "wins/wins.mdb";

/// How long changes gather in memory before a lazy commit writes them. Not documented for Jet; chosen so
/// that a storm costs two commits a second, and a power cut loses half a second at most.
pub const LAZY_COMMIT_INTERVAL: SimDuration = SimDuration::from_millis(500);

/// The WINS service as installed on a host.
#[derive(Clone, Debug)]
pub struct WinsInstall {
    /// Address, profile and partners; the profile says whether commits are lazy or strict.
    pub config: WinsConfig,
    /// Done at the first start, when the database is empty: static mappings and LMHOSTS files.
    pub first_start: Vec<OperatorAction>,
    /// How long after the host's other services it starts (Q177256).
    pub starts_after: SimDuration,
    /// Service times and queues.
    pub cpu: CpuConfig,
    /// The disk the database is on.
    pub disk: DiskParams,
    /// Timers of the streams that replication uses.
    pub tcp: TcpConfig,
    /// Whether it is a cluster's: it starts as a resource, with the database on a shared disk, never by
    /// itself.
    pub clustered: bool,
}

/// Where a cluster's WINS server runs: what it has instead of the host's address and disk.
#[derive(Debug)]
pub(super) struct Seat {
    pub(super) resource: ResourceId,
    pub(super) interface: InterfaceId,
    pub(super) address: Ipv4Addr,
    pub(super) lease: DiskLease,
    pub(super) file: String,
}

/// An answer that waits for the disk (strict commit).
#[derive(Debug)]
pub(super) struct HeldAnswer {
    pub(super) ticket: u64,
    pub(super) to: SocketAddrV4,
    pub(super) bytes: Box<[u8]>,
}

/// Why the WINS service is not running on a host that is up.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ServiceStop {
    /// The database could not be opened or written.
    Database(String),
    /// The service failed by itself (Q155701).
    Fault,
}

/// What only servers have.
#[derive(Debug)]
pub struct ServerPart {
    pub(super) install: WinsInstall,
    pub(super) cpu: Cpu<PacketHandle>,
    pub(super) cpu_timer: TimerId,
    pub(super) disk: Disk,
    pub(super) disk_timer: TimerId,
    /// When the disk is done with the commit in flight.
    pub(super) disk_done: SimTime,
    pub(super) disk_chance: RestingStream,
    pub(super) commit_timer: TimerId,
    pub(super) commit_armed: bool,
    pub(super) tcp: TcpStack,
    pub(super) wins: Option<WinsServer>,
    pub(super) store: Option<WinsStore>,
    pub(super) stopped: Option<ServiceStop>,
    /// Where it runs, if it is a cluster's and this is its owner.
    pub(super) seat: Option<Seat>,
    pub(super) burst: BurstGate,
    /// Store operations handed over since the service started, and how many of them are durable.
    pub(super) handed: u64,
    pub(super) durable: u64,
    /// The commit the disk is busy with: durable up to this ticket when done.
    pub(super) in_flight: Option<u64>,
    pub(super) held: VecDeque<HeldAnswer>,
    /// Outgoing streams by the server's number; accepted ones share theirs with the stack.
    pub(super) outgoing: BTreeMap<StreamId, TcpStreamId>,
}

impl ServerPart {
    pub(super) fn new(
        install: WinsInstall,
        timers: [TimerId; 3],
        disk_chance: RestingStream,
    ) -> ServerPart {
        ServerPart {
            cpu: Cpu::new(install.cpu),
            cpu_timer: timers[0],
            disk: Disk::new(install.disk),
            disk_timer: timers[1],
            disk_done: SimTime::ZERO,
            disk_chance,
            commit_timer: timers[2],
            commit_armed: false,
            tcp: TcpStack::new(install.tcp),
            wins: None,
            store: None,
            stopped: None,
            seat: None,
            burst: BurstGate::new(),
            handed: 0,
            durable: 0,
            in_flight: None,
            held: VecDeque::new(),
            outgoing: BTreeMap::new(),
            install,
        }
    }

    /// The running WINS service.
    pub fn wins(&self) -> Option<&WinsServer> {
        self.wins.as_ref()
    }

    /// Why it is not running, if the host is up and it is not.
    pub fn stopped(&self) -> Option<&ServiceStop> {
        self.stopped.as_ref()
    }

    /// The processor and its queues.
    pub fn cpu(&self) -> &Cpu<PacketHandle> {
        &self.cpu
    }

    /// The disk.
    pub fn disk(&self) -> &Disk {
        &self.disk
    }

    /// The database's file.
    pub(super) fn open_file(&self) -> DiskFile {
        match &self.seat {
            Some(seat) => seat.lease.open(&seat.file),
            None => self.disk.open(DATABASE_FILE),
        }
    }

    /// Hands what was written to the device: when it will be done, if there was anything.
    pub(super) fn submit(&self, now: SimTime) -> Option<SimTime> {
        match &self.seat {
            Some(seat) => seat.lease.submit(now),
            None => self.disk.submit(now),
        }
    }

    /// Forgets what a fault could no longer touch.
    pub(super) fn settle(&self, now: SimTime) {
        match &self.seat {
            Some(seat) => seat.lease.settle(now),
            None => self.disk.settle(now),
        }
    }

    /// The service has stopped: its files are closed, what it wrote stays.
    pub(super) fn close_files(&self) {
        match &self.seat {
            Some(seat) => seat.lease.give_up(),
            None => self.disk.program_stopped(),
        }
    }

    pub(super) fn next_deadline(&self) -> Option<SimTime> {
        let wins = self.wins.as_ref().and_then(WinsServer::next_deadline);
        wins.into_iter().chain(self.tcp.next_deadline()).min()
    }

    /// The server's number of a stream of the stack.
    pub(super) fn stream_number(&self, tcp: TcpStreamId) -> StreamId {
        let outgoing = self.outgoing.iter().find(|&(_, &t)| t == tcp);
        outgoing.map_or(StreamId(tcp.0), |(&number, _)| number)
    }

    /// The stack's number of a stream of the server.
    pub(super) fn tcp_number(&self, stream: StreamId) -> Option<TcpStreamId> {
        if stream.is_outgoing() {
            self.outgoing.get(&stream).copied()
        } else {
            Some(TcpStreamId(stream.0))
        }
    }

    /// Whether operations were handed over that no commit has begun to write.
    pub(super) fn is_dirty(&self) -> bool {
        self.handed > self.in_flight.unwrap_or(self.durable)
    }
}
