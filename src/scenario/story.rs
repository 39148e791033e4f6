//! The moving part of a plan: what clients do, what breaks, what operators do, what must hold.
//!
//! Rules as for the rest of the plan: indices instead of names, defaults filled in. Sets of hosts are
//! lists in plan order; where a fault says "one of" or "half of", the drawing is left to the run.

use super::cluster::{ClusterAction, ClusterFault, ClusterRef};
use super::expectation::RecordStateWord;
use super::plan::{
    DurationRange, HostRef, LinkRef, OwnName, PullPlan, PushPlan, RouterRef, StaticFile,
    StaticKind, StaticPlan, SubnetRef, index_type,
};
use super::program::RegistryEdit;
use crate::base::{Odds, SimDuration, SimTime};
use crate::cluster::{GroupId, ResourceId};
use crate::wire::NetbiosName;
use std::net::Ipv4Addr;

index_type!(
    /// An index into [`Plan::workloads`](super::Plan::workloads).
    WorkloadRef
);
index_type!(
    /// An index into [`Plan::faults`](super::Plan::faults).
    FaultRef
);
index_type!(
    /// An index into [`Plan::steps`](super::Plan::steps).
    StepRef
);

/// Something clients do.
#[derive(Clone, PartialEq, Debug)]
pub struct WorkloadPlan {
    /// Its name.
    pub name: String,
    /// What is done.
    pub kind: WorkloadKind,
}

/// What clients do.
#[derive(Clone, PartialEq, Debug)]
pub enum WorkloadKind {
    /// Many hosts are switched on within a short time.
    BootStorm {
        /// Which; each of them has [`Boot::ByWorkload`](super::Boot::ByWorkload) with this workload.
        hosts: Vec<HostRef>,
        /// When the first may start.
        at: SimTime,
        /// In how much time all have started.
        within: SimDuration,
        /// How they spread over that time.
        law: ArrivalLaw,
    },
    /// Hosts look names up.
    Lookups(LookupsPlan),
    /// Hosts are switched off and on again.
    Churn {
        /// Which.
        hosts: Vec<HostRef>,
        /// Mean time a host is on between two outages, exponentially distributed.
        every: SimDuration,
        /// How long it stays off.
        off_for: DurationRange,
        /// Whether it shuts down cleanly and releases its names, or loses power.
        clean: bool,
        /// When this begins.
        from: SimTime,
        /// When it ends; hosts that are off then come back.
        until: SimTime,
    },
    /// Hosts move to another subnet, with a new address there.
    Roaming {
        /// Which.
        hosts: Vec<HostRef>,
        /// Where to; one of them is drawn, never the subnet it is on. The first address nobody uses is taken.
        to: Vec<SubnetRef>,
        /// Mean time a host stays in one place, exponentially distributed.
        every: SimDuration,
        /// When this begins.
        from: SimTime,
        /// When it ends.
        until: SimTime,
    },
}

/// Look-ups by many hosts.
#[derive(Clone, PartialEq, Debug)]
pub struct LookupsPlan {
    /// Who asks.
    pub hosts: Vec<HostRef>,
    /// What they ask for; one is drawn each time, never the asker itself.
    pub targets: Vec<LookupTarget>,
    /// Mean time between two look-ups of one host.
    pub every: SimDuration,
    /// How the gaps are distributed.
    pub law: GapLaw,
    /// When this begins.
    pub from: SimTime,
    /// When it ends.
    pub until: SimTime,
    /// Whether a look-up may be answered from the client's own name cache.
    pub use_cache: bool,
}

/// A name to look up.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct LookupTarget {
    /// The name.
    pub name: NetbiosName,
    /// The host that should hold it, if it is a host's name: its address is the right answer.
    pub host: Option<HostRef>,
    /// The Network Name resource that should hold it, if it is a cluster's: the address that goes with it
    /// is the right answer.
    pub resource: Option<(ClusterRef, ResourceId)>,
}

/// How arrivals spread over a stretch of time.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub enum ArrivalLaw {
    /// Evenly at random.
    #[default]
    Uniform,
    /// Many at first, ever fewer later (mean a third of the stretch, cut off at its end).
    Exponential,
    /// Half of all in the first tenth, the rest evenly.
    BurstFront,
}

/// How gaps between repeated actions are distributed.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub enum GapLaw {
    /// Exponentially (independent users).
    #[default]
    Exponential,
    /// Evenly from zero to twice the mean.
    Uniform,
    /// Always the mean, each host with a random start.
    Fixed,
}

/// How many of a set.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Choose {
    /// Every one.
    All,
    /// One of them, drawn.
    One,
    /// Half of them (rounded up), drawn.
    Half,
    /// This many, drawn; at most all.
    Count(u32),
    /// The one that owns the quorum resource of this cluster at that moment; none if no node does.
    QuorumOwner(ClusterRef),
    /// All but that one.
    NotQuorumOwner(ClusterRef),
    /// The one that owns this group of this cluster at that moment.
    GroupOwner(ClusterRef, GroupId),
    /// All but that one.
    NotGroupOwner(ClusterRef, GroupId),
}

/// Hosts something happens to, drawn anew at each occurrence.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HostTarget {
    /// From which hosts.
    pub hosts: Vec<HostRef>,
    /// How many of them.
    pub choose: Choose,
}

/// A fault.
#[derive(Clone, PartialEq, Debug)]
pub struct FaultPlan {
    /// Its label: given by the file, or made from what it does (`power_cut wins-a`). Unique.
    pub label: String,
    /// What breaks.
    pub kind: FaultKind,
    /// When.
    pub schedule: FaultSchedule,
    /// How long, drawn each time; `None` for the rest of the run, and for faults that are over at once.
    pub lasts: Option<DurationRange>,
}

/// When a fault happens.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum FaultSchedule {
    /// Once.
    At(SimTime),
    /// Once, at a time drawn from a window, both ends included.
    Between(SimTime, SimTime),
    /// At `first`, then again and again until `until`; the gap runs from start to start.
    Every {
        /// The first time.
        first: SimTime,
        /// From one start to the next, drawn each time.
        every: DurationRange,
        /// Nothing starts at or after this.
        until: SimTime,
    },
}

/// What breaks.
#[derive(Clone, PartialEq, Debug)]
pub enum FaultKind {
    /// The operating system stops without a word; the disk keeps what it was given. Restarts when over.
    Crash(HostTarget),
    /// Power goes; unflushed writes suffer as the disk says. Restarts when over.
    PowerCut(HostTarget),
    /// The host stands still and goes on where it was.
    Pause(HostTarget),
    /// A clean shutdown, then a restart when over.
    Reboot(HostTarget),
    /// As a power cut, but the disk is empty afterwards.
    Wipe(HostTarget),
    /// Links carry nothing.
    LinkDown(Vec<LinkRef>),
    /// Routers forward nothing.
    RouterDown(Vec<RouterRef>),
    /// Nothing passes from one side to the other (and back, unless one way).
    Partition {
        /// One side: the sender, if one way.
        from: Side,
        /// The other side.
        to: Side,
        /// Whether only that direction is cut.
        one_way: bool,
    },
    /// Datagrams are lost, on top of what the network loses anyway.
    Loss {
        /// Where.
        on: PacketScope,
        /// How often.
        odds: Odds,
    },
    /// Datagrams take longer.
    Delay {
        /// Where.
        on: PacketScope,
        /// By how much, drawn for each.
        by: DurationRange,
    },
    /// Datagrams arrive twice.
    Duplicate {
        /// Where.
        on: PacketScope,
        /// How often.
        odds: Odds,
    },
    /// Clocks jump (Q246568). Over at once; with `lasts`, they jump back.
    ClockJump {
        /// Whose.
        hosts: HostTarget,
        /// How far ahead, in nanoseconds; negative for back.
        by_ns: i64,
    },
    /// Clocks run fast or slow.
    ClockDrift {
        /// Whose.
        hosts: HostTarget,
        /// How much they gain, in parts per billion.
        ppb: i64,
    },
    /// Disk operations take longer.
    SlowDisk {
        /// Whose.
        hosts: HostTarget,
        /// How many times as long, at least 2.
        factor: u32,
    },
    /// Disks accept no further write.
    FullDisk(HostTarget),
    /// A service or program ends without a word. Over at once.
    ProgramCrash {
        /// Where.
        hosts: HostTarget,
        /// Which.
        program: String,
    },
    /// Something of a cluster.
    Cluster {
        /// Which.
        cluster: ClusterRef,
        /// What.
        fault: ClusterFault,
    },
}

/// One side of a partition.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Side {
    /// Whoever stands on these subnets at that moment.
    pub subnets: Vec<SubnetRef>,
    /// These hosts, wherever they are.
    pub hosts: Vec<HostRef>,
}

/// Which datagrams a fault touches.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PacketScope {
    /// Those that cross these links.
    Links(Vec<LinkRef>),
    /// Those sent inside these subnets.
    Subnets(Vec<SubnetRef>),
    /// Those sent or received by these hosts.
    Hosts(Vec<HostRef>),
}

/// Something an operator or user does.
#[derive(Clone, PartialEq, Debug)]
pub struct StepPlan {
    /// Its label: given by the file, or made from what it does. Unique.
    pub label: String,
    /// When.
    pub at: SimTime,
    /// What.
    pub kind: StepKind,
}

/// Which way a forced replication goes.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum ReplicateDirection {
    /// The server pulls now.
    Pull,
    /// The server notifies its partners now.
    Push,
}

/// What an operator or user does.
#[derive(Clone, PartialEq, Debug)]
pub enum StepKind {
    /// Types a static mapping in.
    AddStatic {
        /// At this server.
        server: HostRef,
        /// The mapping.
        mapping: StaticPlan,
    },
    /// Imports an LMHOSTS file.
    ImportLmhosts {
        /// At this server.
        server: HostRef,
        /// The file.
        file: StaticFile,
    },
    /// Forces replication.
    Replicate {
        /// At this server.
        server: HostRef,
        /// Which way.
        direction: ReplicateDirection,
        /// With this partner only.
        partner: Option<HostRef>,
        /// Whether those notified tell their own partners too (push only).
        propagate: bool,
    },
    /// Sends what is no packet of the name service to port 137.
    MalformedPacket {
        /// The sender.
        host: HostRef,
        /// The receiver.
        to: Ipv4Addr,
    },
    /// Replaces the partners of a server.
    SetPartners {
        /// At this server.
        server: HostRef,
        /// All it pulls from afterwards.
        pull_from: Vec<PullPlan>,
        /// All it notifies afterwards.
        push_to: Vec<PushPlan>,
    },
    /// Starts a scavenging pass.
    Scavenge {
        /// At this server.
        server: HostRef,
        /// Whether the three days of uptime before deleting replica tombstones are waived.
        force: bool,
    },
    /// Deletes a record on one server; nothing replicates (Q184693).
    DeleteRecord {
        /// At this server.
        server: HostRef,
        /// The name.
        name: NetbiosName,
    },
    /// Makes a record a tombstone owned here, so that every partner forgets it (Q184693).
    TombstoneRecord {
        /// At this server.
        server: HostRef,
        /// The name.
        name: NetbiosName,
    },
    /// Deletes an owner and all its records on one server; nothing replicates.
    DeleteOwner {
        /// At this server.
        server: HostRef,
        /// The owner.
        owner: Ipv4Addr,
    },
    /// Puts a record into a database, as repair tools do.
    PutRecord {
        /// At this server.
        server: HostRef,
        /// The record.
        record: RecordPlan,
    },
    /// Starts a consistency check: all replicas are verified with their owners (Q154410).
    CheckConsistency {
        /// At this server.
        server: HostRef,
    },
    /// Stops the WINS service; the host stays on.
    StopWins(Vec<HostRef>),
    /// Starts the WINS service.
    StartWins(Vec<HostRef>),
    /// Moves hosts to another subnet.
    Roam {
        /// Which.
        hosts: Vec<HostRef>,
        /// Where to.
        to: SubnetRef,
        /// Their addresses there, one for each host.
        addresses: Vec<Ipv4Addr>,
    },
    /// Shuts hosts down cleanly.
    ShutDown(Vec<HostRef>),
    /// Switches hosts on.
    Boot(Vec<HostRef>),
    /// A service on a host registers a name.
    Register {
        /// The host.
        host: HostRef,
        /// The name.
        name: OwnName,
    },
    /// A service on a host gives a name up.
    Release {
        /// The host.
        host: HostRef,
        /// The name.
        name: NetbiosName,
    },
    /// A host sends a bare registration or release to a server, as other software does; nobody waits for
    /// the answer.
    Claim {
        /// Who sends it.
        host: HostRef,
        /// To which address.
        server: Ipv4Addr,
        /// The name.
        name: NetbiosName,
        /// As what it is claimed.
        kind: ClaimKind,
        /// The address claimed.
        address: Ipv4Addr,
        /// Whether the name is given up instead.
        release: bool,
    },
    /// `nbtstat -RR`: all names of these hosts are released and registered again.
    ReleaseRefresh(Vec<HostRef>),
    /// A user logs on: the name is registered with suffix 03.
    LogOn {
        /// Where.
        host: HostRef,
        /// Who.
        user: NetbiosName,
    },
    /// Hosts look a name up.
    Lookup {
        /// Who asks.
        hosts: Vec<HostRef>,
        /// What for.
        target: LookupTarget,
    },
    /// Somebody edits the registry of hosts, as `regedit` does.
    Registry {
        /// Where.
        hosts: HostTarget,
        /// What.
        edit: RegistryEdit,
    },
    /// An administrator does something to a cluster.
    Cluster {
        /// Which.
        cluster: ClusterRef,
        /// What.
        action: ClusterAction,
    },
}

/// As what a bare claim claims a name.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum ClaimKind {
    /// Unique.
    Unique,
    /// A group.
    Group,
    /// Unique, by a host with several addresses.
    Multihomed,
}

/// A record that is put into a database.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RecordPlan {
    /// The name.
    pub name: NetbiosName,
    /// Its kind, as static mappings name it; never a domain name.
    pub kind: StaticKind,
    /// Its state; active if `None`.
    pub state: Option<RecordStateWord>,
    /// Whether it is static.
    pub is_static: bool,
    /// Who owns it; `None` for the server itself.
    pub owner: Option<Ipv4Addr>,
    /// Its version; `None` for the next one of the server.
    pub version: Option<u64>,
    /// Its addresses.
    pub addresses: Vec<Ipv4Addr>,
    /// Who registered them; `None` for the owner.
    pub member_owner: Option<Ipv4Addr>,
}

/// Something measured at intervals, beyond the standard measures.
#[derive(Clone, PartialEq, Debug)]
pub struct ProbePlan {
    /// Its name: the line in the chart.
    pub name: String,
    /// How often.
    pub every: SimDuration,
    /// What.
    pub kind: ProbeKind,
}

/// What a probe measures.
#[derive(Clone, PartialEq, Debug)]
pub enum ProbeKind {
    /// Active records in the databases of these servers, one line each.
    Records(Vec<HostRef>),
    /// Work waiting for the processors of these hosts, one line each.
    Queue(Vec<HostRef>),
    /// Share of successful look-ups by these hosts in each interval.
    Success(Vec<HostRef>),
    /// Share of these hosts that have all their names registered.
    Registered(Vec<HostRef>),
    /// One host looks one name up each time, past its cache; the line is the time it took.
    Lookup {
        /// Who asks.
        host: HostRef,
        /// What for.
        target: LookupTarget,
    },
}

/// Something a sweep may vary.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VaryPlan {
    /// Which value of the file, `link.wan.delay`, or the name of the alternatives.
    pub name: String,
    /// What it can be.
    pub values: Vec<VaryValue>,
}

/// A value that a sweep tries, or a named alternative.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VaryValue {
    /// The value as it would stand in an override, a long one by its place in the list; or the
    /// alternative's name.
    pub name: String,
    /// The override `path=value` that chooses it.
    pub pick: String,
    /// What it sets and removes, one text each.
    pub changes: Vec<String>,
}
