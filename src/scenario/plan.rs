//! The plan: a scenario with everything decided, as plain data.
//!
//! Rules: no text that still has to be interpreted, indices instead of names, every default filled in.
//! An index always points into the list of its own plan. The order of every list is the order of the
//! file, so the same file gives the same plan.
//!
//! What hosts of one entry of the file share sits once in a [`GroupPlan`]; a [`HostPlan`] holds only
//! what is its own, so that a hundred thousand hosts stay affordable.

use super::cluster::ClusterPlan;
use super::expectation::ExpectPlan;
use super::kb::KbPlan;
use super::program::{ProgramPlan, RegistryFile};
use super::story::{FaultPlan, ProbePlan, StepPlan, VaryPlan, WorkloadPlan, WorkloadRef};
use crate::base::{Odds, SimDuration, SimTime};
use crate::nbt::NbtProfile;
use crate::sim::cpu::CpuConfig;
use crate::sim::disk::DiskParams;
use crate::wins::WinsProfile;
use crate::wire::NetbiosName;
use crate::wire::name_service::NodeType;
use std::net::Ipv4Addr;

macro_rules! index_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub struct $name(pub u32);

        impl $name {
            /// The index as a `usize`, for slices.
            pub const fn index(self) -> usize {
                self.0 as usize
            }
        }
    };
}
pub(super) use index_type;

index_type!(
    /// An index into [`Plan::subnets`].
    SubnetRef
);
index_type!(
    /// An index into [`Plan::routers`].
    RouterRef
);
index_type!(
    /// An index into [`Plan::links`].
    LinkRef
);
index_type!(
    /// An index into [`Plan::hosts`].
    HostRef
);
index_type!(
    /// An index into [`Plan::groups`].
    GroupRef
);
index_type!(
    /// An index into [`Plan::domains`].
    DomainRef
);

/// A scenario, fully expanded and checked.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Plan {
    /// The scenario's title.
    pub title: String,
    /// The comment at the top of the file, without `#`, line by line.
    pub story: Vec<String>,
    /// How much simulated time the run takes.
    pub duration: SimDuration,
    /// The seed when the command line names none.
    pub seed: u64,
    /// The calendar time of 00:00 of the first day, in seconds since 1970 (for captures and logs only).
    pub epoch_unix_s: u64,
    /// Broadcast domains.
    pub subnets: Vec<SubnetPlan>,
    /// Routers, the ones implied by links included.
    pub routers: Vec<RouterPlan>,
    /// Point-to-point links between routers.
    pub links: Vec<LinkPlan>,
    /// Domains and workgroups.
    pub domains: Vec<DomainPlan>,
    /// One per `[host.…]` entry of the file: what its hosts share. Hosts that run WINS have one each.
    pub groups: Vec<GroupPlan>,
    /// Every host.
    pub hosts: Vec<HostPlan>,
    /// Clusters.
    pub clusters: Vec<ClusterPlan>,
    /// What clients do.
    pub workloads: Vec<WorkloadPlan>,
    /// What breaks.
    pub faults: Vec<FaultPlan>,
    /// What operators and users do.
    pub steps: Vec<StepPlan>,
    /// What is measured beyond the standard measures.
    pub probes: Vec<ProbePlan>,
    /// What must hold.
    pub expects: Vec<ExpectPlan>,
    /// What a sweep may vary.
    pub vary: Vec<VaryPlan>,
    /// The documented failure that the scenario reproduces.
    pub kb: Option<KbPlan>,
}

/// A duration drawn anew each time, from `low` to `high`, both included; equal for a fixed one.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub struct DurationRange {
    /// The shortest.
    pub low: SimDuration,
    /// The longest.
    pub high: SimDuration,
}

/// How a subnet, or each direction of a link, carries datagrams.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct MediumPlan {
    /// Delay of each datagram.
    pub delay: DurationRange,
    /// Added on top: zero up to this much, drawn for each datagram, without overtaking.
    pub jitter: SimDuration,
    /// How often a datagram is lost.
    pub loss: Odds,
    /// How often one arrives twice.
    pub duplicate: Odds,
    /// How often one is held back, so that others overtake it.
    pub reorder: Odds,
    /// How long it is held back.
    pub reorder_by: SimDuration,
    /// Bits a second; `None` means that sending takes no time.
    pub bandwidth_bits: Option<u64>,
    /// Bytes that may wait for a slow medium; more are dropped.
    pub queue_bytes: u64,
}

/// A broadcast domain.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SubnetPlan {
    /// Its name.
    pub name: String,
    /// The network address.
    pub network: Ipv4Addr,
    /// Length of the network prefix, 8 to 30 bits.
    pub prefix: u8,
    /// How datagrams fare inside it.
    pub medium: MediumPlan,
}

/// A router.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RouterPlan {
    /// Its name.
    pub name: String,
    /// The subnets it stands on, and its address there. Links are listed in [`Plan::links`].
    pub attached: Vec<(SubnetRef, Ipv4Addr)>,
    /// Whether it forwards broadcasts between its subnets (no router does unless told so).
    pub forward_broadcasts: bool,
    /// Whether it delivers packets to another subnet's broadcast address as broadcasts there.
    pub directed_broadcasts: bool,
    /// Whether the file names it, or a link between two subnets implied it.
    pub implied: bool,
}

/// A point-to-point link between two routers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LinkPlan {
    /// Its name.
    pub name: String,
    /// The routers at its two ends, in the order of the file.
    pub ends: [RouterRef; 2],
    /// How datagrams fare in each direction.
    pub medium: MediumPlan,
}

/// A domain or workgroup.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DomainPlan {
    /// What the file calls it.
    pub name: String,
    /// Its NetBIOS name without suffix, in capitals, 1 to 15 bytes.
    pub netbios: String,
    /// A workgroup has no controllers.
    pub workgroup: bool,
}

/// Which Windows a host behaves like.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum HostProfile {
    /// Windows NT 3.5 with this service pack (0 to 3).
    Nt35 {
        /// Number of the service pack.
        sp: u8,
    },
    /// Windows NT 3.51 with this service pack (0 to 5).
    Nt351 {
        /// Number of the service pack.
        sp: u8,
    },
    /// Windows NT 4.0 with this service pack (0 to 6; 6 stands for 6a).
    Nt40 {
        /// Number of the service pack.
        sp: u8,
    },
    /// Windows 2000.
    W2k,
    /// Windows Server 2003.
    W2k3,
    /// Windows 95.
    W95,
}

/// What the hosts of one entry of the file share.
#[derive(Clone, PartialEq, Debug)]
pub struct GroupPlan {
    /// The entry's name as written: `desk-{1..200}`.
    pub template: String,
    /// The name without its numbers, for legends: `desk`.
    pub label: String,
    /// The version they behave like.
    pub profile: HostProfile,
    /// Their clocks.
    pub clock: ClockPlan,
    /// Their processors.
    pub cpu: CpuConfig,
    /// Their disks.
    pub disk: DiskParams,
    /// How long a restart takes from power-on to the first packet.
    pub boot_takes: DurationRange,
    /// NetBIOS over TCP/IP; `None` for a host without it.
    pub nbt: Option<NbtPlan>,
    /// The WINS service; `None` for a host without it.
    pub wins: Option<WinsPlan>,
    /// What is in their registries before the first boot, in this order.
    pub registry: Vec<RegistryFile>,
    /// Services and programs that a scenario invents.
    pub programs: Vec<ProgramPlan>,
}

/// One host.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HostPlan {
    /// Its name in the scenario.
    pub name: String,
    /// Its NetBIOS computer name without suffix, in capitals, 1 to 15 bytes.
    pub computer: String,
    /// The entry it comes from.
    pub group: GroupRef,
    /// Where it stands.
    pub subnet: SubnetRef,
    /// Its address there.
    pub address: Ipv4Addr,
    /// Its other adapters, such as one on the interconnect of a cluster.
    pub interfaces: Vec<InterfacePlan>,
    /// When it is switched on first.
    pub boot: Boot,
    /// Who logs on at boot: the name registered with suffix 03.
    pub user: Option<NetbiosName>,
    /// Names it registers beside the usual ones.
    pub extra_names: Vec<OwnName>,
}

/// An adapter of a host beside the first.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct InterfacePlan {
    /// Where it is connected.
    pub subnet: SubnetRef,
    /// Its address there.
    pub address: Ipv4Addr,
}

/// A name a host registers by configuration or by a step.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct OwnName {
    /// The name.
    pub name: NetbiosName,
    /// Whether it is a group name.
    pub group: bool,
}

/// When a host is switched on first.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Boot {
    /// At a time drawn from `low` to `high`, both included.
    Between {
        /// The earliest.
        low: SimTime,
        /// The latest.
        high: SimTime,
    },
    /// By this boot storm.
    ByWorkload(WorkloadRef),
    /// Not before a step switches it on.
    Off,
}

/// A host's own clock.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub struct ClockPlan {
    /// How far it is ahead of true time at the start, in nanoseconds: drawn from the first to the second.
    pub offset_ns: (i64, i64),
    /// How much it gains, in parts per billion: drawn from the first to the second.
    pub drift_ppb: (i64, i64),
}

/// A parameter of a profile that the file sets to another value than the version has.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Changed {
    /// Its key: `renewal_interval`.
    pub key: String,
    /// Its value, as the file writes it.
    pub value: String,
}

/// What a host does in its domain, which decides the names it registers.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub enum NbtRole {
    /// A workstation.
    #[default]
    Workstation,
    /// A member server.
    Server,
    /// A backup domain controller: also domain 1C.
    Bdc,
    /// The primary domain controller: also domain 1C and 1B.
    Pdc,
}

/// NetBIOS over TCP/IP on a host.
#[derive(Clone, PartialEq, Debug)]
pub struct NbtPlan {
    /// How it registers and resolves.
    pub node_type: NodeType,
    /// Addresses of its WINS servers, the primary first. A host that runs WINS and names no other uses
    /// itself (Q150737).
    pub server_addresses: Vec<Ipv4Addr>,
    /// The hosts with these addresses, in the same order; `None` for an address nobody has.
    pub server_hosts: Vec<Option<HostRef>>,
    /// Its domain or workgroup.
    pub domain: Option<DomainRef>,
    /// Its role there.
    pub role: NbtRole,
    /// Whether it is the master browser of its subnet (domain 1D and MSBROWSE).
    pub local_master: bool,
    /// Its timers, tries and switches: those of the version, with what the file changes.
    pub profile: NbtProfile,
    /// Which of them the file changes, in the order of the file.
    pub changed: Vec<Changed>,
}

/// The WINS service on a host.
#[derive(Clone, PartialEq, Debug)]
pub struct WinsPlan {
    /// Servers it pulls from (its push partners).
    pub pull_from: Vec<PullPlan>,
    /// Servers it notifies, which then pull from it (its pull partners).
    pub push_to: Vec<PushPlan>,
    /// How long after its host's other services it starts.
    pub starts_after: SimDuration,
    /// Its timers, limits and switches: those of the version, with what the file changes.
    pub profile: WinsProfile,
    /// Which of them the file changes, in the order of the file.
    pub changed: Vec<Changed>,
    /// Static mappings present from the start.
    pub statics: Vec<StaticPlan>,
    /// LMHOSTS files imported at service start.
    pub static_files: Vec<StaticFile>,
}

/// A server this one pulls from.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct PullPlan {
    /// The other server (see [`Plan::wins_servers`]).
    pub host: HostRef,
    /// Time between pulls (TimeInterval); `None` for pulls at start and on notification only.
    pub interval: Option<SimDuration>,
    /// Time of day of the first pull (SpTime), from midnight.
    pub at: Option<SimDuration>,
    /// Whether it pulls at service start (InitTimeReplication).
    pub on_start: bool,
    /// Whether 1C members pulled from there come before those of other partners (MemberPrec).
    pub high_precedence: bool,
}

/// A server this one notifies of changes.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct PushPlan {
    /// The other server (see [`Plan::wins_servers`]).
    pub host: HostRef,
    /// Changes of own records before a notification (UpdateCount, at least 20); `None` for never.
    pub after_changes: Option<u32>,
    /// Whether it notifies at service start (InitTimeReplication).
    pub on_start: bool,
    /// Whether it notifies when an own name changes its address (RplOnAddressChg).
    pub on_address_change: bool,
    /// Whether that partner gets no static records (OnlyDynRecs).
    pub only_dynamic: bool,
}

/// The static mappings an administrator can type in (Q140064, NT 4.0's list).
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum StaticKind {
    /// Unique: records 00, 03 and 20.
    Unique,
    /// Normal group: one record.
    Group,
    /// Domain name: one 1C record with up to 25 addresses.
    DomainName,
    /// Internet group: up to 25 addresses.
    InternetGroup,
    /// Multihomed: records 00, 03 and 20 with up to 25 addresses.
    Multihomed,
}

/// A static mapping.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StaticPlan {
    /// The name; when `suffix_given` is false the kind decides which suffixes are made.
    pub name: NetbiosName,
    /// Whether the file names one suffix (`FILES#20`), so that only this record is made.
    pub suffix_given: bool,
    /// Its kind.
    pub kind: StaticKind,
    /// 1 to 25 addresses; a normal group has one placeholder at most.
    pub addresses: Vec<Ipv4Addr>,
}

/// An LMHOSTS file, read when the scenario was loaded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StaticFile {
    /// As the scenario names it.
    pub path: String,
    /// Its text.
    pub text: String,
}

impl Plan {
    /// The host with this name.
    pub fn host(&self, name: &str) -> Option<HostRef> {
        self.hosts.iter().position(|h| h.name == name).map(|i| HostRef(i as u32))
    }

    /// What a host shares with the others of its entry.
    pub fn group_of(&self, host: HostRef) -> &GroupPlan {
        &self.groups[self.hosts[host.index()].group.index()]
    }

    /// The WINS servers, in order: hosts that run one, and for each cluster that has one its first node,
    /// whichever node runs it. Wherever a plan names a server, it names it so.
    pub fn wins_servers(&self) -> impl Iterator<Item = HostRef> + '_ {
        (0..self.hosts.len() as u32).map(HostRef).filter(|&h| self.wins_of(h).is_some())
    }

    /// How a server is set up; `None` for a host that stands for none.
    pub fn wins_of(&self, server: HostRef) -> Option<&WinsPlan> {
        let clustered = self.wins_cluster(server).filter(|c| c.hosts.first() == Some(&server));
        clustered.and_then(|c| c.wins.as_ref()).or(self.group_of(server).wins.as_ref())
    }

    /// The cluster with a WINS server that a host is a node of.
    pub fn wins_cluster(&self, node: HostRef) -> Option<&ClusterPlan> {
        self.clusters.iter().find(|c| c.wins.is_some() && c.hosts.contains(&node))
    }

    /// The server that a host runs, now or at another time.
    pub fn server_on(&self, host: HostRef) -> Option<HostRef> {
        let clustered = self.wins_cluster(host).and_then(|c| c.hosts.first().copied());
        clustered.or_else(|| self.group_of(host).wins.is_some().then_some(host))
    }

    /// Where a server answers: its host's address, or a cluster's virtual one.
    pub fn server_address(&self, server: HostRef) -> Ipv4Addr {
        let own = self.hosts[server.index()].address;
        self.wins_cluster(server).and_then(ClusterPlan::wins_address).unwrap_or(own)
    }

    /// The server that answers at an address.
    pub fn server_at(&self, address: Ipv4Addr) -> Option<HostRef> {
        self.wins_servers().find(|&server| self.server_address(server) == address)
    }

    /// What a server is called: as its host, or as the network name of its resource.
    pub fn server_name(&self, server: HostRef) -> String {
        let clustered = self.wins_cluster(server).map(ClusterPlan::wins_name);
        clustered.unwrap_or_else(|| self.hosts[server.index()].name.clone())
    }
}

impl SubnetPlan {
    /// The netmask as a number.
    pub const fn mask(&self) -> u32 {
        if self.prefix == 0 { 0 } else { u32::MAX << (32 - self.prefix as u32) }
    }
    /// The broadcast address.
    pub const fn broadcast(&self) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.network.to_bits() | !self.mask())
    }
    /// Whether an address belongs to it, network and broadcast address included.
    pub const fn contains(&self, address: Ipv4Addr) -> bool {
        address.to_bits() & self.mask() == self.network.to_bits()
    }
}

impl DurationRange {
    /// A fixed duration.
    pub const fn fixed(d: SimDuration) -> DurationRange {
        DurationRange { low: d, high: d }
    }
    /// Whether it is always the same.
    pub const fn is_fixed(self) -> bool {
        self.low.0 == self.high.0
    }
}
