//! Release, row by row.

use super::*;
use NameKind::*;
use Origin::*;
use RecordState::*;

fn seeded(
    text: &str,
    stored: (NameKind, RecordState, Origin),
    owner: Ipv4Addr,
    hosts: &[u8],
) -> (Bench, VersionId) {
    let mut bench = Bench::new(nt40());
    let addresses: Vec<Ipv4Addr> = hosts.iter().map(|&n| host(n)).collect();
    bench.seed(text, stored, owner, &addresses);
    let before = bench.own_maximum();
    (bench, before)
}

fn stamp_in(bench: &Bench, text: &str) -> u64 {
    (bench.get(text).unwrap().stamp.0 - bench.now.wall.0) / 3_600_000_000_000
}

// rule: release/absent, suffix/1d/release
#[test]
fn absent_inactive_or_1d_is_positive_and_changes_nothing() {
    let (mut bench, before) = seeded("A", (Unique, Released, Dynamic), OWN, &[1]);
    assert_eq!(bench.release(1, "B", false), Reply::Positive);
    assert_eq!(bench.release(1, "A", false), Reply::Positive);
    assert_eq!(bench.release(1, "A#1D", false), Reply::Positive);
    assert_eq!(bench.describe("A", before), "Unique Released own kept [1]");
}

// rule: release/type-mismatch
#[test]
fn type_mismatch_is_ignored_and_logged() {
    let (mut bench, before) = seeded("A", (Unique, Active, Dynamic), OWN, &[1]);
    assert_eq!(bench.release(1, "A", true), Reply::Positive);
    assert_eq!(bench.describe("A", before), "Unique Active own kept [1]");
    assert!(bench.saw(WinsEvent::ReleaseTypeMismatch));
}

// rule: release/address-mismatch, release/source-address
#[test]
fn a_stranger_is_ignored_by_its_source_address() {
    let (mut bench, before) = seeded("A", (Unique, Active, Dynamic), OWN, &[1]);
    assert_eq!(bench.release(2, "A", false), Reply::Positive);
    assert!(bench.saw(WinsEvent::ReleaseAddressMismatch));
    // The packet says 10.0.0.1, the datagram came from 10.0.0.3.
    let (id, name, scope) = (77, name("A"), ScopeId::none());
    let nb_flags = NbFlags::new(false, NodeType::H);
    let (address, broadcast) = (host(1), false);
    let mut bytes = Vec::new();
    let claim = Claim { id, name: &name, scope: &scope, nb_flags, address, ttl: 0, broadcast };
    compose::release(&claim, &mut bytes);
    assert_eq!(bench.request(host(3), &bytes), Reply::Positive);
    assert_eq!(bench.describe("A", before), "Unique Active own kept [1]");
}

// rule: release/static-unique, release/static-group
#[test]
fn static_holders_stay_and_static_groups_refuse() {
    for kind in [Unique, Multihomed] {
        let (mut bench, before) = seeded("A", (kind, Active, Static), OWN, &[1]);
        assert_eq!(bench.release(1, "A", false), Reply::Positive);
        assert_eq!(bench.describe("A", before), format!("static {kind:?} Active own kept [1]"));
    }
    for kind in [Group, InternetGroup] {
        let (mut bench, before) = seeded("A", (kind, Active, Static), OWN, &[1]);
        assert_eq!(bench.release(1, "A", true), Reply::Negative(Rcode::Active));
        assert_eq!(bench.describe("A", before), format!("static {kind:?} Active own kept [1]"));
    }
}

// rule: release/own, life/release, version/same/released, suffix/1b/release
#[test]
fn own_unique_and_group_are_released_under_the_same_version() {
    for (kind, group) in [(Unique, false), (Group, true)] {
        let (mut bench, before) = seeded("A", (kind, Active, Dynamic), OWN, &[1]);
        assert_eq!(bench.release(1, "A", group), Reply::Positive);
        let state = bench.get("A").unwrap().state;
        assert_eq!((state, bench.own_maximum()), (Released, before));
        assert_eq!(stamp_in(&bench, "A"), 144, "extinction interval");
    }
}

// rule: release/replica-tombstone, version/new/release-of-replica
#[test]
fn a_replica_is_taken_over_as_a_tombstone() {
    for (kind, group) in [(Unique, false), (Group, true), (InternetGroup, true)] {
        let (mut bench, before) = seeded("A", (kind, Active, Dynamic), OTHER, &[1]);
        assert_eq!(bench.release(1, "A", group), Reply::Positive);
        assert_eq!(bench.describe("A", before), format!("{kind:?} Tombstone own new [1]"));
        assert_eq!(stamp_in(&bench, "A"), 288, "extinction interval and timeout");
    }
}

// rule: release/own-member, release/last-member, version/same/member-removed, suffix/1c/release
#[test]
fn one_of_several_addresses_goes_under_the_same_version() {
    for (kind, group) in [(Multihomed, false), (InternetGroup, true)] {
        let (mut bench, before) = seeded("A", (kind, Active, Dynamic), OWN, &[1, 2]);
        assert_eq!(bench.release(1, "A", group), Reply::Positive);
        assert_eq!(bench.describe("A", before), format!("{kind:?} Active own kept renewed [2]"));
        // The last one: as a unique record.
        assert_eq!(bench.release(2, "A", group), Reply::Positive);
        assert_eq!(bench.describe("A", before), format!("{kind:?} Released own kept renewed [2]"));
    }
}

// rule: release/replica-member
#[test]
fn one_of_several_addresses_of_a_replica_is_a_take_over() {
    let (mut bench, before) = seeded("A", (Multihomed, Active, Dynamic), OTHER, &[1, 2]);
    assert_eq!(bench.release(1, "A", false), Reply::Positive);
    assert_eq!(bench.describe("A", before), "Multihomed Active own new renewed [2]");
}
