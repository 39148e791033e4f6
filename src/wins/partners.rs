//! Replication partners as configured: the values below `Wins\Partners` (Q135922).

use super::profile::WinsProfile;
use super::record::Owner;
use crate::base::SimDuration;
use std::net::Ipv4Addr;

/// Entries for which the buffer of the list was made (Q191775).
const PERSONA_BUFFER: usize = 99;

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

/// Whether records of this owner are pulled, by `PersonaNonGrata` and `PersonaGrata` (Q135922, Q312964).
pub(super) fn owner_wanted(profile: &WinsProfile, owner: Owner) -> bool {
    match &profile.persona_grata {
        Some(only) => is_listed(only, owner.address(), profile.persona_unsorted),
        None => !is_listed(&profile.persona_non_grata, owner.address(), profile.persona_unsorted),
    }
}

/// Whether the list keeps the service from starting (Q191775): too many entries, or, later, too many of which
/// two are the same.
pub(super) fn list_prevents_start(profile: &WinsProfile) -> bool {
    let list = &profile.persona_non_grata;
    let twice = || {
        let distinct: std::collections::BTreeSet<_> = list.iter().collect();
        distinct.len() < list.len()
    };
    list.len() > profile.persona_max
        || (profile.persona_twice_fails && list.len() > PERSONA_BUFFER && twice())
}

/// Q281445: a search by halves in a list that is not in order misses entries.
fn is_listed(list: &[Ipv4Addr], address: Ipv4Addr, by_halves: bool) -> bool {
    if !by_halves {
        return list.contains(&address);
    }
    let mut rest = list;
    while !rest.is_empty() {
        let middle = rest.len() / 2;
        match rest[middle].cmp(&address) {
            std::cmp::Ordering::Equal => return true,
            std::cmp::Ordering::Less => rest = &rest[middle + 1..],
            std::cmp::Ordering::Greater => rest = &rest[..middle],
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wins::profile::WinsVersion;

    fn ip(n: u8) -> Ipv4Addr {
        Ipv4Addr::new(10, 0, 0, n)
    }

    fn with(version: WinsVersion, sp: u8, list: &[u8]) -> WinsProfile {
        let persona_non_grata = list.iter().map(|&n| ip(n)).collect();
        WinsProfile { persona_non_grata, ..WinsProfile::new(version, sp) }
    }

    // rule: partner/persona-non-grata
    // rule: partner/persona-grata
    #[test]
    fn banned_owners_are_not_wanted_and_a_list_of_wanted_ones_bans_the_others() {
        let mut profile = with(WinsVersion::W2k3, 0, &[7, 3, 5]);
        let wanted = |profile: &WinsProfile, n| owner_wanted(profile, Owner(ip(n)));
        assert_eq!([3, 4, 5, 7].map(|n| wanted(&profile, n)), [false, true, false, false]);
        profile.persona_grata = Some(vec![ip(3)]);
        assert_eq!([3, 4].map(|n| wanted(&profile, n)), [true, false], "the other list is off");
    }

    // rule: partner/persona-non-grata
    #[test]
    fn the_fault_of_the_unsorted_list_lets_banned_owners_through() {
        let wanted = |list: &[u8], n| owner_wanted(&with(WinsVersion::Nt40, 6, list), Owner(ip(n)));
        assert!(!wanted(&[7], 7), "a single entry is always found");
        assert!([3, 5, 7].iter().all(|&n| !wanted(&[3, 5, 7], n)), "and entries in order");
        assert!(wanted(&[7, 5, 3], 7) && wanted(&[7, 5, 3], 3));
        let fixed =
            WinsProfile { persona_unsorted: false, ..with(WinsVersion::Nt40, 6, &[7, 5, 3]) };
        assert!(!owner_wanted(&fixed, Owner(ip(7))));
    }

    // rule: partner/persona-non-grata
    #[test]
    fn a_long_list_keeps_old_servers_from_starting() {
        let many: Vec<u8> = (1..=100).collect();
        assert!(list_prevents_start(&with(WinsVersion::Nt40, 3, &many)));
        assert!(!list_prevents_start(&with(WinsVersion::Nt40, 3, &many[1..])));
        assert!(!list_prevents_start(&with(WinsVersion::Nt40, 4, &many)));
        let twice: Vec<u8> = many.iter().copied().chain([5]).collect();
        assert!(list_prevents_start(&with(WinsVersion::Nt40, 6, &twice)));
        assert!(!list_prevents_start(&with(WinsVersion::W2k, 0, &twice)));
    }
}
