//! What goes into the client and what comes out of it.

use super::profile::NbtProfile;
use crate::base::{ByteRange, SimTime};
use crate::wire::name_service::NodeType;
use crate::wire::{NetbiosName, ScopeId};
use std::net::{Ipv4Addr, SocketAddrV4};

/// Whether a name belongs to one host or to many.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum NameKind {
    /// One holder.
    Unique,
    /// Any number of members.
    Group,
}

/// What many hosts of one scenario share.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NbtConfig {
    /// The version.
    pub profile: NbtProfile,
    /// B, P, M or H; `None` is the default: H with at least one server, else B (MS-NBTE 3.1.3).
    pub node_type: Option<NodeType>,
    /// The NetBIOS scope; names in other scopes do not exist.
    pub scope: ScopeId,
}

/// What can happen to the client.
#[derive(Clone, Debug)]
pub enum NbtInput<'a> {
    /// The host starts: claim the start-up names.
    Boot,
    /// The host shuts down in order: release what the version releases, then say `Stopped`.
    ShutDown,
    /// Something arrived on UDP port 137.
    Datagram {
        /// Who sent it.
        from: SocketAddrV4,
        /// Whether it came by broadcast.
        broadcast: bool,
        /// The payload.
        bytes: &'a [u8],
    },
    /// A program looks a name up.
    Resolve {
        /// Comes back in the answer.
        request: u32,
        /// The name.
        name: NetbiosName,
    },
    /// A service claims a name. Claiming one again only counts.
    AddName {
        /// The name.
        name: NetbiosName,
        /// Unique or group.
        kind: NameKind,
    },
    /// A service gives a name up; the last of its users releases it.
    RemoveName {
        /// The name.
        name: NetbiosName,
    },
    /// A user logs on: claims the user's name with suffix 03.
    LogOn {
        /// The user; the suffix does not matter.
        user: NetbiosName,
    },
    /// All users log off: their names are released.
    LogOff,
    /// The interface has a new address (DHCP, roaming).
    AddressChanged {
        /// The address.
        address: Ipv4Addr,
        /// The name servers from now on, in order.
        servers: &'a [Ipv4Addr],
    },
    /// The configured name servers change.
    SetServers {
        /// The name servers from now on, in order.
        servers: &'a [Ipv4Addr],
    },
    /// `nbtstat -R`: forget cached names.
    Purge,
    /// `nbtstat -RR`: release every name and register it again with the configured primary.
    ReleaseRefresh,
}

/// With whom a name is registered.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Registrar {
    /// This server.
    Wins(Ipv4Addr),
    /// Nobody objected to the broadcast.
    Broadcast,
}

/// The state of a local name, as `nbtstat -n` shows it (Q120752).
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum NameState {
    /// Claimed, not yet granted.
    Registering,
    /// Held.
    Registered {
        /// Who granted it.
        by: Registrar,
    },
    /// Refused or taken away: neither used nor defended.
    Conflict,
    /// Given up, and gone from the table.
    Released,
}

/// Who answered a look-up, or who was asked last.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Answered {
    /// The table of local names.
    Local,
    /// The cache of remote names.
    Cache,
    /// This server.
    Wins(Ipv4Addr),
    /// The subnet.
    Broadcast,
    /// Nobody could be asked: no server was usable and the node does not broadcast, or the client was
    /// not running or full.
    Nobody,
}

/// What a look-up came to.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Resolution {
    /// The name exists.
    Found {
        /// The first address of the answer; 255.255.255.255 for a group known only as such.
        first: Ipv4Addr,
        /// How many addresses `addresses` names.
        count: u8,
        /// All addresses, four bytes each in network order, in the order of the answer.
        addresses: ByteRange,
        /// Whether it is a group.
        group: bool,
    },
    /// Nobody knows it.
    NotFound,
}

/// What the client asks of the world, or tells it.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum NbtOutput {
    /// Send a datagram from UDP port 137.
    Send {
        /// To whom.
        to: SocketAddrV4,
        /// The payload.
        bytes: ByteRange,
    },
    /// Send a datagram from UDP port 137 to port 137 of the subnet's broadcast address.
    Broadcast {
        /// The payload.
        bytes: ByteRange,
    },
    /// A look-up ended.
    Resolved {
        /// As it was asked.
        request: u32,
        /// The name.
        name: NetbiosName,
        /// The outcome.
        resolution: Resolution,
        /// Who answered, or was asked last.
        source: Answered,
        /// When the look-up began.
        started: SimTime,
    },
    /// A local name changed its state.
    NameState {
        /// The name.
        name: NetbiosName,
        /// The state from now on.
        state: NameState,
    },
    /// Another server is in use.
    ServerSwitched {
        /// The server until now.
        from: Ipv4Addr,
        /// The server from now on.
        to: Ipv4Addr,
    },
    /// An entry in the host's event log (Q120752): 4319, a duplicate name was seen while claiming it;
    /// 4320, somebody demanded that the name be given up.
    Event {
        /// 4319 or 4320.
        id: u16,
        /// The name.
        name: NetbiosName,
        /// Who caused it.
        from: Ipv4Addr,
    },
    /// The shutdown is complete: nothing more will be sent.
    Stopped,
}

/// A local name and its state.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct OwnedName {
    /// The name.
    pub name: NetbiosName,
    /// Unique or group.
    pub kind: NameKind,
    /// Its state.
    pub state: NameState,
}

/// What the client has counted since its start.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub struct Counters {
    /// Registration requests sent to servers, retries included.
    pub registrations_sent: u32,
    /// Refresh requests sent, retries included.
    pub refreshes_sent: u32,
    /// Release requests sent to servers, retries included.
    pub releases_sent: u32,
    /// Queries sent to servers, retries included.
    pub queries_sent: u32,
    /// Broadcasts sent: claims, demands and queries.
    pub broadcasts_sent: u32,
    /// Answers given to others: queries, node status, refusals of claims.
    pub answers_sent: u32,
    /// Requests to a server that went unanswered in their time.
    pub timeouts: u32,
    /// Look-ups answered from the cache.
    pub cache_hits: u32,
    /// Datagrams that are no name service packets.
    pub malformed: u32,
    /// Answers that belong to no outstanding request.
    pub stray: u32,
    /// Look-ups and names turned away because a table was full.
    pub turned_away: u32,
}
