//! A host: what it is made of, and whether it is alive.
//!
//! A client is its NetBT machine and little else. What only servers have (processor queues, disk, streams,
//! the WINS service) hangs on one pointer that is empty elsewhere.

use super::clock::Clock;
use super::cluster_part::ClusterPart;
use super::service::ServerPart;
use super::system::SystemPart;
use crate::base::{SimDuration, SimTime, TimerId};
use crate::nbt::{Identity, NbtClient, NbtConfig};
use crate::net::{InterfaceId, PacketHandle, SubnetId};
use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::sync::Arc;

/// Datagrams a paused host's sockets hold; more are dropped, as a full socket buffer does.
pub const PARKED_MAX: usize = 512;

/// A host, by its place in the world's list; also its actor's number.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct HostId(pub u32);

/// Whether a host is alive.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Life {
    /// No power, or the system has stopped.
    Off,
    /// Starting: silent until its services run.
    Booting,
    /// Running.
    On,
    /// Standing still: hears nothing, says nothing, forgets nothing.
    Paused,
    /// Shutting down in order: its names are being released.
    ShuttingDown,
}

/// How a host's life ends.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Death {
    /// In order: names released, files closed.
    ShutDown,
    /// The system stops; the disk finishes what it was writing.
    Crash,
    /// The power goes; what was being written may be torn.
    PowerCut,
    /// As a power cut, and the disk is replaced by an empty one.
    Wipe,
}

/// NetBIOS over TCP/IP as installed on a host.
#[derive(Clone, Debug)]
pub struct NbtInstall {
    /// Version, node type and scope: shared by many hosts.
    pub config: Arc<NbtConfig>,
    /// Who the host is.
    pub identity: Identity,
    /// Its name servers, the primary first.
    pub servers: Arc<[Ipv4Addr]>,
}

/// A host.
#[derive(Debug)]
pub struct Host {
    pub(super) life: Life,
    pub(super) interface: InterfaceId,
    pub(super) subnet: SubnetId,
    pub(super) address: Ipv4Addr,
    pub(super) clock: Clock,
    pub(super) timer: TimerId,
    /// What the timer is set to; `SimTime::MAX` when it is not.
    pub(super) armed: SimTime,
    pub(super) boots: u32,
    pub(super) install: Option<Box<NbtInstall>>,
    pub(super) nbt: Option<Box<NbtClient>>,
    pub(super) server: Option<Box<ServerPart>>,
    pub(super) system: Option<Box<SystemPart>>,
    pub(super) cluster: Option<Box<ClusterPart>>,
    /// What waits in the sockets of a paused host; empty, and without memory, otherwise.
    pub(super) parked: VecDeque<PacketHandle>,
}

impl Host {
    /// Whether it runs.
    pub fn is_up(&self) -> bool {
        matches!(self.life, Life::On | Life::Paused | Life::ShuttingDown)
    }

    /// Whether it is alive, and how.
    pub fn life(&self) -> Life {
        self.life
    }

    /// Its address now.
    pub fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// The subnet it stands on now.
    pub fn subnet(&self) -> SubnetId {
        self.subnet
    }

    /// Its NetBT client, while it runs.
    pub fn nbt(&self) -> Option<&NbtClient> {
        self.nbt.as_deref()
    }

    /// What only servers have.
    pub fn server(&self) -> Option<&ServerPart> {
        self.server.as_deref()
    }

    /// What only hosts have on which something is installed: a registry, programs.
    pub fn system(&self) -> Option<&SystemPart> {
        self.system.as_deref()
    }

    /// What only nodes of clusters have.
    pub fn cluster(&self) -> Option<&ClusterPart> {
        self.cluster.as_deref()
    }

    /// When one of its machines next wants to act.
    pub(super) fn next_deadline(&self) -> SimTime {
        use crate::base::Machine;
        let nbt = self.nbt.as_ref().and_then(|m| m.next_deadline());
        let server = self.server.as_ref().and_then(|s| s.next_deadline());
        let system = self.system.as_ref().map(|system| system.hives.flush_at);
        let cluster = self.cluster.as_ref().and_then(|cluster| cluster.next_deadline());
        let all = nbt.into_iter().chain(server).chain(system).chain(cluster);
        all.min().unwrap_or(SimTime::MAX)
    }
}

/// How long a host takes from power-on to its first packet.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub struct BootTime {
    /// The shortest.
    pub low: SimDuration,
    /// The longest.
    pub high: SimDuration,
}
