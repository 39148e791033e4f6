//! What must hold, and when: the expectations of a plan.
//!
//! Conditions are plain data; what judges them reads them while the run goes on.

use super::cluster::{ClusterCondition, ClusterRef};
use super::plan::{HostRef, StaticKind};
use super::story::{FaultRef, HostTarget, LookupTarget, StepRef};
use crate::base::{Odds, SimDuration, SimTime};
use crate::registry::{KeyPath, Value as RegistryValue};
use crate::wire::NetbiosName;
use std::net::Ipv4Addr;

/// An expectation.
#[derive(Clone, PartialEq, Debug)]
pub struct ExpectPlan {
    /// The sentence it is stated in.
    pub name: String,
    /// When it must hold.
    pub kind: ExpectKind,
    /// What must hold.
    pub condition: Condition,
}

/// When a condition must hold.
#[derive(Clone, PartialEq, Debug)]
pub enum ExpectKind {
    /// At no moment of the period.
    Never(Period),
    /// At every moment of the period.
    Always(Period),
    /// By a deadline; not judged if `after` never comes, or the run ends before the deadline.
    Goal {
        /// From when the clock runs.
        after: Moment,
        /// How long.
        within: SimDuration,
        /// How long it must then hold without a break; `None` for no longer than a moment.
        stays: Option<SimDuration>,
    },
    /// At one moment of the period at least.
    Reach(Period),
}

/// A stretch of the run.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Period {
    /// Its beginning.
    pub from: Moment,
    /// Its end; the end of the run if that moment never comes.
    pub until: Moment,
}

/// A moment of the run.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Moment {
    /// This time.
    At(SimTime),
    /// The beginning of a fault; of each occurrence, for one that repeats.
    FaultBegins(FaultRef),
    /// Its end; of each occurrence, for one that repeats.
    FaultHeals(FaultRef),
    /// The last end of any fault of the run.
    LastHeal,
    /// A step.
    Step(StepRef),
}

/// What must hold, or must not. Conditions about look-ups judge those that finish within the period.
#[derive(Clone, PartialEq, Debug)]
pub enum Condition {
    /// The active records in the databases of these servers are the same (two servers at least).
    DatabasesAgree {
        /// Which servers.
        servers: Vec<HostRef>,
    },
    /// Each of these servers has an active record of the name (or one as described).
    ServerKnows {
        /// Which servers.
        servers: Vec<HostRef>,
        /// The record.
        record: RecordMatch,
    },
    /// None of these servers would answer a query for the name.
    ServerLacks {
        /// Which servers.
        servers: Vec<HostRef>,
        /// The name.
        name: NetbiosName,
    },
    /// Each of these servers has a number of records (of an owner, in a state) within the limits. A server
    /// that does not run has none.
    RecordCount {
        /// Which servers.
        servers: Vec<HostRef>,
        /// Only records of this owner.
        owner: Option<Ipv4Addr>,
        /// Only in this state.
        state: Option<RecordStateWord>,
        /// Not fewer, not more.
        within: CountRange,
    },
    /// Each of these servers knows versions of the owner up to one within the limits; an owner it does not
    /// know counts as 0.
    OwnerKnown {
        /// Which servers.
        servers: Vec<HostRef>,
        /// The owner.
        owner: Ipv4Addr,
        /// Not below, not above.
        within: CountRange,
    },
    /// Every look-up of the name by a live host gives the right address.
    HostsResolve {
        /// Who asks.
        hosts: Vec<HostRef>,
        /// What for.
        target: LookupTarget,
        /// The right address; `None` for the one its holder has at that moment.
        address: Option<Ipv4Addr>,
    },
    /// At least this share of look-ups succeeds with a right answer.
    LookupSuccess {
        /// By these hosts.
        hosts: Vec<HostRef>,
        /// The share.
        at_least: Odds,
        /// In each window of this length; `None` for the whole period.
        window: Option<SimDuration>,
    },
    /// At most so many answers give an address the holder no longer has.
    StaleAnswers {
        /// To these hosts.
        hosts: Vec<HostRef>,
        /// How many, or which share of all look-ups.
        at_most: Amount,
    },
    /// At most so many answers give an address that never was right.
    WrongAnswers {
        /// To these hosts.
        hosts: Vec<HostRef>,
        /// How many, or which share of all look-ups.
        at_most: Amount,
    },
    /// No two live hosts hold the unique name as registered.
    OneHolder {
        /// The name; `None` for every unique name.
        name: Option<NetbiosName>,
    },
    /// The name server these hosts use at present is this one.
    CurrentServer {
        /// Which hosts.
        hosts: Vec<HostRef>,
        /// The server.
        server: HostRef,
    },
    /// At least this share of these hosts is on and has all its names registered.
    Registered {
        /// Which hosts.
        hosts: Vec<HostRef>,
        /// The share; all of them for 1/1.
        at_least: Odds,
    },
    /// The answer to look-ups of a name: judged on look-ups by these hosts.
    Answer {
        /// Who asks.
        hosts: Vec<HostRef>,
        /// What for.
        name: NetbiosName,
        /// Addresses that must be among the answer.
        contains: Vec<Ipv4Addr>,
        /// Addresses that must not be.
        lacks: Vec<Ipv4Addr>,
        /// Addresses it must begin with, in this order.
        starts_with: Vec<Ipv4Addr>,
        /// How many addresses it must have.
        count: Option<u32>,
    },
    /// Look-ups take so long, whatever they come to.
    LookupTime {
        /// By these hosts.
        hosts: Vec<HostRef>,
        /// Of this name; `None` for any.
        name: Option<NetbiosName>,
        /// Not less than this.
        at_least: Option<SimDuration>,
        /// Not more.
        at_most: Option<SimDuration>,
    },
    /// A measure, at the end of the run.
    Measure {
        /// Its dotted name: `replication.lag`.
        name: String,
        /// Which figure of its distribution.
        figure: Figure,
        /// Its limit.
        limit: Limit,
    },
    /// One of these hosts has logged this event.
    EventLogged {
        /// Which hosts.
        hosts: Vec<HostRef>,
        /// The event's number.
        id: u32,
    },
    /// A value in the registry of each of these hosts.
    RegistryValue {
        /// Which hosts; one that is off has no registry.
        hosts: HostTarget,
        /// The key.
        key: KeyPath,
        /// The value's name; empty for the key's default value, `None` for the key itself.
        value: Option<String>,
        /// Its data; `None` if it must not be there.
        data: Option<RegistryData>,
    },
    /// A service or program runs on each of these hosts.
    ProgramRuns {
        /// Which hosts.
        hosts: HostTarget,
        /// The program.
        program: String,
    },
    /// Something of a cluster.
    Cluster {
        /// Which.
        cluster: ClusterRef,
        /// What.
        condition: ClusterCondition,
    },
}

/// What a value of the registry must be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RegistryData {
    /// Anything.
    Present,
    /// This.
    Equals(RegistryValue),
}

/// What a record must look like; what is `None` may be anything.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RecordMatch {
    /// The name.
    pub name: NetbiosName,
    /// Exactly these addresses, in any order.
    pub addresses: Option<Vec<Ipv4Addr>>,
    /// The server that owns it.
    pub owner: Option<HostRef>,
    /// Its version.
    pub version: CountRange,
    /// Its state; active if `None`.
    pub state: Option<RecordStateWord>,
    /// Its kind.
    pub kind: Option<StaticKind>,
    /// Whether it is static.
    pub is_static: Option<bool>,
}

/// A number between two others, each of them included; any if `None`.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub struct CountRange {
    /// Not below this.
    pub at_least: Option<u64>,
    /// Not above this.
    pub at_most: Option<u64>,
}

impl CountRange {
    /// Whether it is within.
    pub fn holds(&self, n: u64) -> bool {
        self.at_least.is_none_or(|low| n >= low) && self.at_most.is_none_or(|high| n <= high)
    }

    /// Whether any number is.
    pub fn is_open(&self) -> bool {
        *self == CountRange::default()
    }
}

/// The state of a record, as scenario files name it.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum RecordStateWord {
    /// Active.
    Active,
    /// Released.
    Released,
    /// Tombstone.
    Tombstone,
}

/// A number, or a share of all.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Amount {
    /// This many.
    Count(u64),
    /// This share.
    Share(Odds),
}

/// A figure of a distribution.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub enum Figure {
    /// How many values there are.
    Count,
    /// The smallest.
    Min,
    /// The median.
    P50,
    /// The 90th percentile.
    P90,
    /// The 99th percentile.
    P99,
    /// The largest.
    #[default]
    Max,
}

/// A limit, or a pair of them. Times are compared in the measure's own unit.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub struct Limit {
    /// Not below this.
    pub at_least: Option<Value>,
    /// Not above this.
    pub at_most: Option<Value>,
}

/// A value a measure is compared with.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Value {
    /// A length of time.
    Duration(SimDuration),
    /// A number.
    Count(u64),
    /// A percentage.
    Share(Odds),
}
