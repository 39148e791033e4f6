//! What a WINS server is told, and what it asks of the world.

pub use super::events::WinsEvent;
use super::partners::Partner;
use super::record::{NameKind, Owner, RecordState, VersionId};
use super::statics::{StaticError, StaticMapping};
use crate::base::ByteRange;
use crate::wire::{NetbiosName, ScopeId};
use std::net::{Ipv4Addr, SocketAddrV4};

/// A stream of bytes to or from a partner (TCP 42).
///
/// Streams the server opens are numbered by it, from [`StreamId::OUTGOING`] on; accepted ones by the
/// world, below.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct StreamId(pub u32);

/// What can happen to a WINS server.
#[derive(Debug)]
pub enum WinsInput<'a> {
    /// The service starts. What the store held was given to `WinsServer::load` before.
    Start,
    /// The service stops in an orderly way.
    Stop,
    /// The system shuts down: the same without the backup at stop (Q167806).
    ShutDown,
    /// A datagram came to port 137.
    Datagram {
        /// Its source.
        from: SocketAddrV4,
        /// Its payload.
        bytes: &'a [u8],
    },
    /// A registration or refresh found `queued` others waiting, at or above the burst threshold
    /// ([`super::WinsProfile::burst_queue_size`]). It may be answered early; whether the world queues
    /// it as well is for the world to say.
    Overflow {
        /// Its source.
        from: SocketAddrV4,
        /// Its payload.
        bytes: &'a [u8],
        /// Registrations waiting before it.
        queued: u32,
    },
    /// A peer connected to our port 42.
    StreamOpened {
        /// The new stream.
        stream: StreamId,
        /// The peer's source address.
        peer: Ipv4Addr,
    },
    /// A stream we opened is connected.
    StreamConnected {
        /// Which.
        stream: StreamId,
    },
    /// A stream we opened could not be connected.
    StreamRefused {
        /// Which.
        stream: StreamId,
    },
    /// Bytes arrived, in order, cut anywhere.
    StreamData {
        /// On which stream.
        stream: StreamId,
        /// The bytes.
        bytes: &'a [u8],
    },
    /// The peer closed the stream, or it was reset or given up.
    StreamClosed {
        /// Which.
        stream: StreamId,
    },
    /// A datagram came to UDP port 42: another server's announcement (MS-WINSRA 2.2.1).
    Discovery {
        /// Its source.
        from: SocketAddrV4,
        /// Its payload.
        bytes: &'a [u8],
    },
    /// The store made the first `ticket` operations handed to it since the start durable.
    Durable {
        /// How many, counted from 1.
        ticket: u64,
    },
    /// The backup that [`WinsOutput::Backup`] asked for has ended.
    BackupDone {
        /// Whether it is complete.
        ok: bool,
    },
    /// An administrator did something.
    Operator(OperatorAction),
}

/// What an administrator can do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum OperatorAction {
    /// Enter a static mapping.
    AddStatic(StaticMapping),
    /// Delete a record here; nothing replicates (Q184693).
    DeleteRecord {
        /// The name.
        name: NetbiosName,
        /// Its scope.
        scope: ScopeId,
    },
    /// Make a record a tombstone, owned here, so that every partner forgets it (Q184693).
    TombstoneRecord {
        /// The name.
        name: NetbiosName,
        /// Its scope.
        scope: ScopeId,
    },
    /// Delete an owner and all its records here; nothing replicates (RAIW, `R_WinsDeleteWins`).
    DeleteOwner {
        /// Whose records.
        owner: Ipv4Addr,
    },
    /// Put a record into the database as it is (RAIW, `R_WinsRecordAction` with insert).
    PutRecord(PutRecord),
    /// Import static mappings from an LMHOSTS file.
    ImportLmhosts {
        /// The file's text.
        text: Vec<u8>,
    },
    /// Pull now, from one partner or from all.
    PullNow {
        /// From whom; `None` is everybody.
        partner: Option<Ipv4Addr>,
    },
    /// Notify now, one partner or all.
    PushNow {
        /// Whom; `None` is everybody.
        partner: Option<Ipv4Addr>,
        /// Whether they pass it on.
        propagate: bool,
    },
    /// Run a scavenging pass now.
    Scavenge {
        /// Also delete replica tombstones before three days of uptime (event 4164).
        force: bool,
    },
    /// Compare the replicas of every owner with what it holds, now and without a limit (Q154410).
    CheckConsistency,
    /// Verify the active replicas whose stamp has come, and do nothing else (RAIW 2.2.2.12).
    VerifyNow,
    /// Make a backup now.
    Backup,
    /// Take one address out of a static list (Q146052, Q150731).
    DeleteStaticMember {
        /// The name.
        name: NetbiosName,
        /// Its scope.
        scope: ScopeId,
        /// The address.
        address: Ipv4Addr,
    },
    /// Replace the partners.
    SetPartners(Vec<Partner>),
}

/// A record that an administrator puts into the database, past all rules.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PutRecord {
    /// The name.
    pub name: NetbiosName,
    /// Its scope.
    pub scope: ScopeId,
    /// Its kind.
    pub kind: NameKind,
    /// Its state.
    pub state: RecordState,
    /// Whether it is static.
    pub is_static: bool,
    /// Who owns it; `None` for this server.
    pub owner: Option<Ipv4Addr>,
    /// Its version; `None` for the next one of this server. A version of our own raises the counter.
    pub version: Option<VersionId>,
    /// Its addresses, 25 at most.
    pub addresses: Vec<Ipv4Addr>,
    /// Who registered them; `None` for the owner.
    pub member_owner: Option<Ipv4Addr>,
}

/// Why a backup is made.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum BackupReason {
    /// Its time has come.
    Periodic,
    /// An administrator wants it.
    Operator,
    /// The service stops (`DoBackupOnTerm`).
    AtStop,
}

/// What a WINS server asks of the world, in order.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum WinsOutput {
    /// Send a datagram from port 137.
    Send {
        /// Where to.
        to: SocketAddrV4,
        /// The payload.
        bytes: ByteRange,
        /// Hold it until every store operation before it in this list is durable (strict commit).
        after_commit: bool,
    },
    /// Open a stream.
    Connect {
        /// Its number.
        stream: StreamId,
        /// The partner's address and port.
        to: SocketAddrV4,
    },
    /// Send bytes on a stream.
    StreamSend {
        /// Which.
        stream: StreamId,
        /// The bytes.
        bytes: ByteRange,
    },
    /// Close a stream.
    StreamClose {
        /// Which.
        stream: StreamId,
    },
    /// Send an announcement from UDP port 42 to the multicast group of WINS servers. A world without
    /// multicast leaves it out.
    Multicast {
        /// The group and the port.
        to: SocketAddrV4,
        /// How many routers it may cross.
        ttl: u8,
        /// The payload.
        bytes: ByteRange,
    },
    /// Write to the database. Each one counts as one ticket.
    Store(StoreOp),
    /// Copy the database, with everything stored so far, to the backup folder; answered by
    /// [`WinsInput::BackupDone`], except at stop.
    Backup(BackupReason),
    /// The service has failed and answers no more (Q155701); the world may start it again.
    Failed,
    /// Tell whoever watches.
    Observe(Observation),
}

/// A write to the database.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum StoreOp {
    /// Store a record under its key: bytes of [`super::NameRecord::encode`].
    Put {
        /// The encoded record, key first.
        record: ByteRange,
    },
    /// Delete the record with this key: bytes of [`super::NameRecord::encode_key`].
    Delete {
        /// The key.
        key: ByteRange,
    },
    /// The highest version seen of another owner.
    OwnerMaximum {
        /// The owner.
        owner: Owner,
        /// Its maximum.
        version: VersionId,
    },
    /// An owner without records left is forgotten.
    ForgetOwner {
        /// The owner.
        owner: Owner,
    },
    /// Own versions up to this one may be in use: a restart must begin above.
    ReserveVersions {
        /// The last version of the reserve.
        upto: VersionId,
    },
}

/// The kinds of request a server counts.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum RequestKind {
    /// Registration, multihomed or not.
    Registration,
    /// Refresh, either opcode.
    Refresh,
    /// Release.
    Release,
    /// Query.
    Query,
}

/// Something worth measuring. Observing never changes a run.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Observation {
    /// A request was answered.
    Answered {
        /// What was asked.
        request: RequestKind,
        /// About which name.
        name: NetbiosName,
        /// Whether the answer was positive.
        positive: bool,
    },
    /// A request was dropped without an answer; the client repeats it.
    Dropped {
        /// What was asked.
        request: RequestKind,
        /// About which name.
        name: NetbiosName,
    },
    /// A registration beyond the burst threshold was answered early.
    BurstAnswered {
        /// The name.
        name: NetbiosName,
        /// The TTL given, seconds.
        ttl: u32,
    },
    /// A holder is being asked whether it still holds its name.
    ChallengeBegan {
        /// The name.
        name: NetbiosName,
    },
    /// The holder answered, or did not.
    ChallengeEnded {
        /// The name.
        name: NetbiosName,
        /// Whether it still holds the name.
        held: bool,
    },
    /// A record entered a state, by whatever cause; `None` before means it is new here.
    State {
        /// The name.
        name: NetbiosName,
        /// What kind of record.
        kind: NameKind,
        /// The state before.
        before: Option<RecordState>,
        /// The state now; `None` means deleted.
        after: Option<RecordState>,
    },
    /// The addresses of a group or multihomed record changed, with or without a new version.
    MembersChanged {
        /// The name.
        name: NetbiosName,
    },
    /// This server gave a record a version id: it must reach every partner.
    VersionAssigned {
        /// The name.
        name: NetbiosName,
        /// This server.
        owner: Owner,
        /// The version.
        version: VersionId,
    },
    /// A record of another owner was stored here.
    ReplicaApplied {
        /// The name.
        name: NetbiosName,
        /// Its owner.
        owner: Owner,
        /// Its version there.
        version: VersionId,
    },
    /// A partner was told that something is new.
    Notified {
        /// Whom.
        partner: Ipv4Addr,
        /// Whether it is to tell its own partners.
        propagate: bool,
    },
    /// An answer to a pull came.
    Pulled {
        /// From whom.
        from: Ipv4Addr,
        /// Whose records.
        owner: Owner,
        /// How many.
        records: u32,
    },
    /// A replica clashed with the stored record.
    Conflict {
        /// The name.
        name: NetbiosName,
        /// The incoming record's owner.
        incoming: Owner,
        /// Whether the stored record stayed.
        kept: bool,
    },
    /// This server learned that `owner` has versions up to this one and holds all of them it was given.
    CaughtUp {
        /// The owner.
        owner: Owner,
        /// The maximum now known here.
        version: VersionId,
    },
    /// A holder was told to give its name up.
    ReleaseDemanded {
        /// The name.
        name: NetbiosName,
        /// The holder.
        address: Ipv4Addr,
    },
    /// A chunk of own records was scavenged (events 5001, 5002).
    RangeScavenged {
        /// The lowest version looked at.
        first: VersionId,
        /// The highest.
        last: VersionId,
    },
    /// A static mapping was refused.
    StaticRefused {
        /// Why.
        error: StaticError,
    },
    /// A line of an LMHOSTS file was skipped, or (when `fatal`) the import given up because of it.
    LmhostsLine {
        /// The line, counted from 1.
        line: u32,
        /// Whether nothing was imported.
        fatal: bool,
    },
    /// A scavenging pass ended.
    Scavenged {
        /// Records released.
        released: u32,
        /// Records made tombstones.
        tombstoned: u32,
        /// Records deleted.
        deleted: u32,
        /// Replicas handed to verification.
        verified: u32,
    },
    /// The event log got an entry.
    Logged(WinsEvent),
}

impl StreamId {
    /// Streams opened by the server are numbered from here on.
    pub const OUTGOING: StreamId = StreamId(1 << 31);

    /// Whether the server opened it.
    pub const fn is_outgoing(self) -> bool {
        self.0 >= StreamId::OUTGOING.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_stay_small() {
        assert!(size_of::<Observation>() <= 40, "{} bytes", size_of::<Observation>());
        assert!(size_of::<WinsOutput>() <= 48, "{} bytes", size_of::<WinsOutput>());
    }
}
