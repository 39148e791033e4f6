//! The life cycle with its exact times, chunks, and what a pass leaves alone.

use super::*;
use NameKind::*;
use Origin::*;
use RecordState::*;

const HOUR: SimDuration = SimDuration::from_hours(1);

fn state(bench: &Bench, text: &str) -> Option<RecordState> {
    bench.get(text).map(|record| record.state)
}

// rule: scavenge/own-active, scavenge/own-released, scavenge/own-tombstone, life/tombstone
// rule: life/delete, version/new/tombstone, state/released, state/tombstone
#[test]
fn life_cycle_of_a_silent_name_with_nt40_defaults() {
    let mut bench = Bench::new(nt40());
    bench.register(1, "A", Unique);
    let version = bench.get("A").unwrap().version;
    // Passes come every 72 h; the stamp has come at the pass of hour 144.
    let mut changes = Vec::new();
    let mut last = state(&bench, "A");
    for hour in 1..=600 {
        bench.wait(HOUR);
        if state(&bench, "A") != last {
            last = state(&bench, "A");
            changes.push((hour, last));
        }
        if hour == 200 {
            assert_eq!(bench.get("A").unwrap().version, version, "released keeps its version");
        }
        if hour == 300 {
            assert!(bench.get("A").unwrap().version > version, "a tombstone has a new one");
        }
    }
    assert_eq!(changes, [(144, Some(Released)), (288, Some(Tombstone)), (432, None)]);
    assert!(bench.saw(WinsEvent::OwnScavenged));
}

// rule: timer/scavenge/period, life/worst-case
#[test]
fn a_stamp_just_after_a_pass_waits_for_the_next_one() {
    let mut bench = Bench::new(nt40());
    bench.wait(SimDuration::from_secs(1));
    bench.register(1, "A", Unique);
    bench.wait(HOUR * 215);
    assert_eq!(state(&bench, "A"), Some(Active));
    bench.wait(HOUR);
    assert_eq!(state(&bench, "A"), Some(Released));
}

// rule: life/refresh, state/active
#[test]
fn a_refreshed_name_never_ages_and_keeps_its_version() {
    let mut bench = Bench::new(nt40());
    bench.register(1, "A", Unique);
    for _ in 0..20 {
        bench.wait(HOUR * 72);
        bench.refresh(1, "A", Unique);
    }
    assert_eq!(state(&bench, "A"), Some(Active));
    assert_eq!(bench.get("A").unwrap().version, VersionId(1));
}

// rule: life/return
#[test]
fn a_released_or_tombstone_name_comes_back_with_a_new_version() {
    for hours in [150, 290] {
        let mut bench = Bench::new(nt40());
        bench.register(1, "A", Unique);
        bench.wait(HOUR * hours);
        let before = bench.own_maximum();
        bench.refresh(1, "A", Unique);
        assert_eq!(bench.describe("A", before), "Unique Active own new renewed [1]");
    }
}

// rule: scavenge/static, static/no-ageing
#[test]
fn statics_never_age() {
    let mut bench = Bench::new(nt40());
    bench.seed("A", (Unique, Active, Static), OWN, &[host(1)]);
    bench.wait(HOUR * 5000);
    assert_eq!(bench.describe("A", VersionId(1)), "static Unique Active own kept [1]");
}

// rule: scavenge/replica-active, replica/verified, replica/never-changed
#[test]
fn active_replicas_are_handed_to_verification_and_otherwise_left() {
    let mut bench = Bench::new(nt40());
    bench.seed("A", (Unique, Active, Dynamic), OTHER, &[host(1)]);
    bench.wait(HOUR * 72);
    assert_eq!(bench.describe("A", VersionId::ZERO), "Unique Active other kept [1]");
    let verified = bench.seen.iter().any(|seen| {
        matches!(seen, Observation::Scavenged { verified: 1, released: 0, deleted: 0, .. })
    });
    assert!(verified);
}

#[test]
fn replicas_to_verify_get_a_version_of_ours_before_nt40_sp4() {
    for (service_pack, version) in [(3, 1), (4, 7)] {
        let mut bench = Bench::new(WinsProfile::new(WinsVersion::Nt40, service_pack));
        bench.seed("A", (Unique, Active, Dynamic), OTHER, &[host(1)]);
        bench.wait(HOUR * 72);
        let record = bench.get("A").unwrap();
        assert_eq!((record.owner, record.version), (Owner(OTHER), VersionId(version)), "Q187555");
    }
}

// rule: scavenge/replica-tombstone, start/replica-tombstones, replica/tombstone-end
#[test]
fn replica_tombstones_wait_for_three_days_of_uptime_from_w2k_on() {
    for (version, deleted_at) in [(WinsVersion::Nt40, 10), (WinsVersion::W2k, 80)] {
        let profile = WinsProfile { scavenge_every: Some(HOUR), ..WinsProfile::new(version, 6) };
        let mut bench = Bench::new(profile);
        bench.seed("A", (Unique, Tombstone, Dynamic), OTHER, &[host(1)]);
        let mut gone = None;
        for hour in 1..=100 {
            bench.wait(HOUR);
            gone = gone.or((bench.get("A").is_none()).then_some(hour));
        }
        let expected = if deleted_at == 10 { 10 } else { 72 };
        assert_eq!(gone, Some(expected), "{version:?}");
        assert!(bench.saw(WinsEvent::TombstonesScavenged));
    }
}

// rule: scavenge/forced
#[test]
fn an_administrator_can_force_replica_tombstones_out() {
    let mut bench = Bench::new(WinsProfile::new(WinsVersion::W2k3, 0));
    bench.seed("A", (Unique, Tombstone, Dynamic), OTHER, &[host(1)]);
    bench.wait(HOUR * 11);
    bench.give(WinsInput::Operator(OperatorAction::Scavenge { force: false }));
    assert!(bench.get("A").is_some());
    bench.give(WinsInput::Operator(OperatorAction::Scavenge { force: true }));
    assert!(bench.get("A").is_none());
    assert!(bench.saw(WinsEvent::TombstonesForced));
}

// rule: scavenge/own-tombstones-wait
#[test]
fn own_tombstones_are_not_held_back_unless_the_switch_says_so() {
    let base = WinsProfile { scavenge_every: Some(HOUR), ..WinsProfile::new(WinsVersion::W2k3, 0) };
    for (wait, expected) in [(false, true), (true, false)] {
        let mut bench = Bench::new(WinsProfile { own_tombstones_wait: wait, ..base.clone() });
        bench.seed("A", (Unique, Tombstone, Dynamic), OWN, &[host(1)]);
        bench.wait(HOUR * 11);
        assert_eq!(bench.get("A").is_none(), expected);
    }
}

#[test]
fn a_pass_works_in_chunks_and_lets_requests_in_between() {
    let profile = WinsProfile { scavenge_chunk: 10, ..nt40() };
    let mut bench = Bench::new(profile);
    for n in 0..35 {
        bench.register(1, &format!("N{n}"), Unique);
    }
    bench.wait(HOUR * 144);
    let released =
        |bench: &Bench| bench.server.core().names.iter().filter(|r| r.state == Released).count();
    assert_eq!(released(&bench), 10);
    bench.refresh(1, "N34", Unique);
    bench.wait(SimDuration::from_secs(1));
    assert_eq!(released(&bench), 34, "the one refreshed in between was spared");
    assert_eq!(bench.server.next_deadline(), Some(SimTime::ZERO + HOUR * 216));
}

#[test]
fn a_pass_waits_for_versions_and_loses_nothing() {
    let mut bench = Bench::new(nt40());
    for n in 0..3 {
        bench.register(1, &format!("N{n}"), Unique);
    }
    bench.wait(HOUR * 200);
    // The disk stops; versions run out; the pass stands still until the disk works again.
    bench.disk_works = false;
    while bench.server.core().versions_available() > 1 {
        bench.server.core.assign_version(name("X"), &mut Outbox::default());
    }
    bench.wait(HOUR * 100);
    let entombed =
        |bench: &Bench| bench.server.core().names.iter().filter(|r| r.state == Tombstone).count();
    assert_eq!(entombed(&bench), 1);
    bench.disk_works = true;
    bench.durable();
    bench.wait(SimDuration::from_secs(1));
    assert_eq!(entombed(&bench), 3);
    let mut versions: Vec<_> = bench.server.core().names.iter().map(|r| r.version).collect();
    versions.dedup();
    assert_eq!(versions.len(), 3);
}

// rule: replica/clock-step
#[test]
fn a_clock_step_moves_every_expiry() {
    // Q246568: stamps are absolute.
    let mut bench = Bench::new(nt40());
    bench.register(1, "A", Unique);
    bench.wait(HOUR);
    bench.now.wall = bench.now.wall + HOUR * 1000;
    bench.wait(HOUR * 71);
    assert_eq!(state(&bench, "A"), Some(Released));
}

// rule: scavenge/version-order, scavenge/progress, scavenge/events
#[test]
fn a_pass_goes_through_own_records_by_ascending_version() {
    let mut bench = Bench::new(WinsProfile { scavenge_chunk: 2, ..nt40() });
    for text in ["E", "D", "C", "B", "A"] {
        bench.register(1, text, Unique);
    }
    // The first one is refreshed: its stamp is the latest, its version the lowest.
    bench.wait(SimDuration::from_secs(1));
    bench.refresh(1, "E", Unique);
    bench.seen.clear();
    bench.wait(HOUR * 288);
    let released: Vec<String> = bench
        .seen
        .iter()
        .filter_map(|seen| match seen {
            Observation::State { name, after: Some(Released), .. } => Some(name.to_string()),
            _ => None,
        })
        .collect();
    assert_eq!(released, ["D<20>", "C<20>", "B<20>", "A<20>", "E<20>"]);
    let ranges: Vec<(u64, u64)> = bench
        .seen
        .iter()
        .filter_map(|seen| match seen {
            Observation::RangeScavenged { first, last } => Some((first.0, last.0)),
            _ => None,
        })
        .collect();
    assert_eq!(ranges[..2], [(2, 3), (4, 5)]);
    // What became a tombstone got its versions in the same order.
    let version = |text: &str| bench.get(text).unwrap().version;
    assert!(
        version("D") < version("C") && version("B") < version("D"),
        "B and A come with the next pass"
    );
    for event in [
        WinsEvent::ScavengeStarted,
        WinsEvent::RangeToScavenge,
        WinsEvent::RangeScavenged,
        WinsEvent::ScavengeOwnProgress,
        WinsEvent::OwnScavenged,
    ] {
        assert!(bench.saw(event), "{event:?}");
    }
    assert!(!bench.saw(WinsEvent::ScavengeReplicaProgress));
    bench.seed("R", (Unique, Tombstone, Dynamic), OTHER, &[host(1)]);
    bench.wait(HOUR * 144);
    assert!(
        bench.saw(WinsEvent::ScavengeReplicaProgress) && bench.saw(WinsEvent::TombstonesScavenged)
    );
}

// rule: scavenge/special-group
#[test]
fn an_own_special_group_past_its_stamp_is_released() {
    let mut bench = Bench::new(nt40());
    bench.register(1, "D#1C", InternetGroup);
    bench.wait(HOUR * 143);
    assert_eq!(state(&bench, "D#1C"), Some(Active));
    bench.wait(HOUR);
    assert_eq!(state(&bench, "D#1C"), Some(Released));
}

// rule: scavenge/manual
#[test]
fn what_an_administrator_asks_for_during_a_pass_waits_for_its_end() {
    let profile = WinsProfile { scavenge_chunk: 2, ..WinsProfile::new(WinsVersion::W2k, 4) };
    let mut bench = Bench::new(profile);
    for n in 0..6 {
        bench.seed(&format!("N{n}"), (Unique, Active, Dynamic), OWN, &[host(1)]);
    }
    bench.seed("R", (Unique, Active, Dynamic), OTHER, &[host(2)]);
    bench.seed("T", (Unique, Tombstone, Dynamic), OTHER, &[host(3)]);
    bench.wait(HOUR * 11);
    let passes = |bench: &Bench| {
        bench.seen.iter().filter(|seen| matches!(seen, Observation::Scavenged { .. })).count()
    };
    // Verification only: nothing else is touched.
    bench.give(WinsInput::Operator(OperatorAction::VerifyNow));
    bench.wait(SimDuration::from_secs(1));
    assert_eq!((passes(&bench), state(&bench, "N0")), (1, Some(Active)));
    let verified = Observation::Scavenged { released: 0, tombstoned: 0, deleted: 0, verified: 1 };
    assert!(bench.seen.contains(&verified));
    // A pass, and a forced one asked for before it has ended.
    bench.give(WinsInput::Operator(OperatorAction::Scavenge { force: false }));
    bench.give(WinsInput::Operator(OperatorAction::Scavenge { force: true }));
    assert_eq!((state(&bench, "N0"), state(&bench, "N5")), (Some(Released), Some(Active)));
    bench.wait(SimDuration::from_secs(1));
    assert_eq!(passes(&bench), 3);
    assert_eq!((state(&bench, "N5"), state(&bench, "T")), (Some(Released), None));
    assert!(bench.saw(WinsEvent::TombstonesForced));
}
