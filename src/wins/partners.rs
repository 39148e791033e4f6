//! Replication partners as configured: the values below `Wins\Partners` (Q135922).

use crate::base::SimDuration;
use std::net::Ipv4Addr;

/// One configured partner. Primary and backup should be both push and pull partners of each other.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Partner {
    /// Its address; a partner is recognised by the source address of its connections (Q139380).
    pub address: Ipv4Addr,
    /// Set when we pull from it (it is our push partner).
    pub pull: Option<PullPartner>,
    /// Set when it pulls from us and we notify it (it is our pull partner).
    pub push: Option<PushPartner>,
    /// Whether the association stays open between exchanges, where the version knows how (W2K on).
    pub persistent: bool,
    /// Which records travel.
    pub replicates: ReplicationScope,
}

/// How we pull from a partner: the values under `Pull\<ip>`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PullPartner {
    /// `TimeInterval`; `None` pulls only at start.
    pub interval: Option<SimDuration>,
    /// `SpTime`: time of day of the first pull.
    pub first_at: Option<SimDuration>,
    /// `InitTimeReplication`: pull at start.
    pub at_start: bool,
    /// `MemberPrec` 1: 1C members pulled from this partner go before those of others.
    pub members_first: bool,
}

/// How we notify a partner: the values under `Push\<ip>`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PushPartner {
    /// `UpdateCount`: own version increments between notifications; `None` never notifies by count.
    pub update_count: Option<u32>,
    /// `InitTimeReplication`: notify at start.
    pub at_start: bool,
    /// `RplOnAddressChg`: notify when an owned name changes its address.
    pub on_address_change: bool,
    /// `OnlyDynRecs`: static records stay here.
    pub only_dynamic: bool,
}

/// `ReplicationType` (4.0 on): which records travel.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub enum ReplicationScope {
    /// 0: all of them.
    #[default]
    All,
    /// 1: only 1B names and special groups (Q251221).
    DomainNames,
}

impl Partner {
    /// A push and pull partner with usual values: pull at start and every `interval`, notify after 20
    /// changes (Q147356), keep the association open.
    pub fn both_ways(address: Ipv4Addr, interval: SimDuration) -> Partner {
        Partner {
            address,
            pull: Some(PullPartner {
                interval: Some(interval),
                first_at: None,
                at_start: true,
                members_first: false,
            }),
            push: Some(PushPartner {
                update_count: Some(20),
                at_start: false,
                on_address_change: false,
                only_dynamic: false,
            }),
            persistent: true,
            replicates: ReplicationScope::All,
        }
    }
}
