//! Tests of conflicts between replicas: every cell of the tables, and what a challenge decides.

use super::*;
use crate::base::WallTime;
use crate::wins::members::Members;
use crate::wins::profile::WinsVersion;
use crate::wins::record::{Member, VersionId};
use crate::wins::replication::merge::{Merge, MergedOwner, merge};
use crate::wire::name_service::NodeType;
use crate::wire::{NetbiosName, ScopeId};

const A: Owner = Owner(Ipv4Addr::new(10, 0, 0, 1));
const B: Owner = Owner(Ipv4Addr::new(10, 0, 0, 2));
const X: Owner = Owner(Ipv4Addr::new(10, 0, 0, 9));
/// This server.
const OWN: Owner = Owner(Ipv4Addr::new(10, 0, 0, 5));

/// Kinds and states in the order of the tables below, typed independently of the tables in the code.
const STATES: [&str; 12] = ["UA", "UR", "UT", "GA", "GR", "GT", "SA", "SR", "ST", "MA", "MR", "MT"];

/// One string a column: the result for each stored state in the order of `STATES`.
type Columns = [(&'static str, &'static str); 8];

#[rustfmt::skip]
const REPLICA_W2K3: Columns = [
    ("UA", "RRR KKK KRR RRR"), ("UT", "KRR KKK KRR KRR"),
    ("GA", "RRR KRR KRR RRR"), ("GT", "KRR KRR KRR KRR"),
    ("SA", "KRR KKR mRR KRR"), ("ST", "KRR KKR RRR KRR"),
    ("MA", "RRR KKR KRR RRR"), ("MT", "KRR KKR KRR KRR"),
];

#[rustfmt::skip]
const OWN_W2K3: Columns = [
    ("UA", "CRR KKK KRR CRR"), ("UT", "VRR KKK KRR VRR"),
    ("GA", "DRR RRR KRR DRR"), ("GT", "KRR KRR KRR KRR"),
    ("SA", "DRR KKR mRR DRR"), ("ST", "KRR KKR PRR KRR"),
    ("MA", "CRR KKR KRR CRR"), ("MT", "VRR KKR KRR VRR"),
];

/// Q136571: tombstones and released records always give way, active ones as its rows say.
#[rustfmt::skip]
const REPLICA_351: Columns = [
    ("UA", "RRR KRR KRR RRR"), ("UT", "KRR KRR KRR KRR"),
    ("GA", "RRR RRR RRR RRR"), ("GT", "KRR KRR KRR KRR"),
    ("SA", "RRR RRR mRR RRR"), ("ST", "KRR KRR KRR KRR"),
    ("MA", "RRR KRR KRR RRR"), ("MT", "KRR KRR KRR KRR"),
];

#[rustfmt::skip]
const OWN_351: Columns = [
    ("UA", "DRR KRR KRR DRR"), ("UT", "KRR KRR KRR KRR"),
    ("GA", "DRR RRR RRR DRR"), ("GT", "KRR KRR KRR KRR"),
    ("SA", "DRR RRR mRR DRR"), ("ST", "KRR KRR KRR KRR"),
    ("MA", "DRR KRR KRR DRR"), ("MT", "KRR KRR KRR KRR"),
];

fn members(list: &[(u8, Owner)]) -> Members {
    let member = |&(host, owner)| Member {
        address: Ipv4Addr::new(10, 1, 1, host),
        owner,
        stamp: WallTime(5),
    };
    list.iter().map(member).collect()
}

fn record(code: &str, owner: Owner, list: &[(u8, Owner)]) -> NameRecord {
    let kind = match &code[..1] {
        "U" => NameKind::Unique,
        "G" => NameKind::Group,
        "S" => NameKind::InternetGroup,
        _ => NameKind::Multihomed,
    };
    let state = match &code[1..] {
        "A" => RecordState::Active,
        "R" => RecordState::Released,
        _ => RecordState::Tombstone,
    };
    NameRecord {
        name: NetbiosName::new("NAME", Suffix::DOMAIN_CONTROLLERS).unwrap(),
        scope: ScopeId::none(),
        kind,
        state,
        origin: Origin::Dynamic,
        node_type: NodeType::H,
        owner,
        version: VersionId(1),
        stamp: WallTime(5),
        members: members(list),
    }
}

fn expected(letter: char) -> Decision {
    match letter {
        'R' => Decision::Replace,
        'K' => Decision::Keep,
        'V' => Decision::KeepNewVersion,
        'P' => Decision::KeepNewVersionPush,
        'D' => Decision::ReplaceDemandRelease,
        'C' => Decision::Challenge,
        'm' => Decision::Merge,
        other => panic!("{other} is no decision"),
    }
}

fn check(version: WinsVersion, pack: u8, owner: Owner, columns: &Columns) {
    let rules = ConflictRules::of(&WinsProfile::new(version, pack));
    for (column, results) in columns {
        let results: Vec<char> = results.chars().filter(|c| *c != ' ').collect();
        assert_eq!(results.len(), STATES.len());
        for (row, letter) in STATES.iter().zip(results) {
            let stored = record(row, owner, &[(1, owner)]);
            let incoming = record(column, B, &[(2, B)]);
            let decision = decide(&rules, false, OWN, Some(&stored), &incoming);
            assert_eq!(
                decision,
                expected(letter),
                "{version:?} SP{pack}: {row} of {owner} meets {column}"
            );
        }
    }
}

// rule: conflict/replica/*
// rule: conflict/nt35/replica-t, conflict/nt35/replica-a-t, conflict/nt35/replica-a-a
// rule: conflict/nt35/special-inactive, conflict/nt35/special-a-t, conflict/nt35/special-a-a
// rule: conflict/nt35/multihomed-inactive, conflict/nt35/multihomed-tombstone
// rule: conflict/challenge/replica-tombstone, conflict/no-challenge-between-replicas
// rule: conflict/nt35/group-unique
#[test]
fn every_cell_against_a_replica() {
    check(WinsVersion::W2k3, 0, A, &REPLICA_W2K3);
    check(WinsVersion::Nt40, 4, A, &REPLICA_W2K3);
    check(WinsVersion::Nt351, 2, A, &REPLICA_351);
}

// rule: conflict/own/*
// rule: conflict/nt35/own-inactive, conflict/nt35/own-a-t, conflict/nt35/group-unique
#[test]
fn every_cell_against_our_own_record() {
    check(WinsVersion::W2k3, 0, OWN, &OWN_W2K3);
    check(WinsVersion::Nt40, 5, OWN, &OWN_W2K3);
    check(WinsVersion::Nt351, 2, OWN, &OWN_351);
}

// rule: conflict/nt35/multihomed-sticks, conflict/merge/sp5, trigger/1c-tombstone
#[test]
fn faults_of_old_versions_differ_in_exactly_their_cells() {
    let decision = |version, pack, stored: &NameRecord, code| {
        let rules = ConflictRules::of(&WinsProfile::new(version, pack));
        decide(&rules, false, OWN, Some(stored), &record(code, B, &[(2, B)]))
    };
    let multihomed = record("MA", A, &[(1, A)]);
    assert_eq!(decision(WinsVersion::Nt35, 0, &multihomed, "MA"), Decision::Keep);
    assert_eq!(decision(WinsVersion::Nt35, 0, &multihomed, "UA"), Decision::Keep);
    assert_eq!(decision(WinsVersion::Nt351, 2, &multihomed, "MA"), Decision::Replace);
    let group = record("SA", OWN, &[(1, OWN)]);
    assert_eq!(decision(WinsVersion::Nt40, 4, &group, "ST"), Decision::Keep);
    assert_eq!(decision(WinsVersion::Nt40, 5, &group, "ST"), Decision::KeepNewVersionPush);
}

// rule: conflict/order/same-owner, conflict/order/never-own, conflict/order/new
#[test]
fn the_same_owner_always_replaces_and_ourselves_never() {
    let rules = ConflictRules::of(&WinsProfile::default());
    for row in STATES {
        for column in STATES {
            let (stored, incoming) = (record(row, B, &[(1, B)]), record(column, B, &[(2, B)]));
            let decision = decide(&rules, false, OWN, Some(&stored), &incoming);
            assert_eq!(decision, Decision::Replace, "{row} meets {column}");
            let ours = record(column, OWN, &[(2, OWN)]);
            assert_eq!(decide(&rules, false, OWN, Some(&stored), &ours), Decision::Refuse);
        }
    }
    let released = record("UR", B, &[(2, B)]);
    let stored = record("UA", A, &[(1, A)]);
    assert_eq!(decide(&rules, false, OWN, Some(&stored), &released), Decision::Refuse);
    assert_eq!(decide(&rules, false, OWN, None, &released), Decision::Refuse);
    assert_eq!(decide(&rules, false, OWN, None, &record("UT", B, &[])), Decision::Replace);
}

// rule: conflict/static/group-unique, conflict/static/held-unique, conflict/static/dynamic-static
// rule: conflict/static/both, conflict/static/multihomed, conflict/static/group
// rule: conflict/static/user-group, conflict/static/1c-merges-35, conflict/static/1c-bug-sp4
#[test]
fn statics() {
    let rules = ConflictRules::of(&WinsProfile::default());
    let fixed = |mut record: NameRecord| {
        record.origin = Origin::Static;
        record
    };
    let name = |mut record: NameRecord, suffix| {
        record.name = record.name.with_suffix(Suffix(suffix));
        record
    };
    let case = |stored: &NameRecord, incoming: &NameRecord, migrate| {
        decide(&rules, migrate, OWN, Some(stored), incoming)
    };
    let dynamic = |code: &str| record(code, B, &[(2, B)]);
    for code in ["GA", "SA"] {
        assert_eq!(case(&fixed(record(code, A, &[])), &dynamic("UA"), true), Decision::KeepStatic);
    }
    let unique = fixed(record("UA", A, &[(1, A)]));
    assert_eq!(case(&unique, &dynamic("UA"), false), Decision::KeepStatic);
    assert_eq!(case(&unique, &dynamic("UA"), true), Decision::Replace);
    let multihomed = fixed(record("MA", A, &[(1, A)]));
    assert_eq!(case(&multihomed, &dynamic("MA"), true), Decision::Replace);
    assert_eq!(case(&multihomed, &dynamic("MA"), false), Decision::KeepStatic);
    assert_eq!(case(&unique, &dynamic("MA"), true), Decision::KeepStatic);
    for code in ["GA", "SA"] {
        assert_eq!(case(&unique, &dynamic(code), true), Decision::KeepStatic);
    }
    assert_eq!(
        case(&record("UA", OWN, &[(1, OWN)]), &fixed(dynamic("UA")), false),
        Decision::Replace
    );
    assert_eq!(case(&unique, &fixed(dynamic("UA")), true), Decision::KeepStatic);
    let user_group = |record| name(record, 0x20);
    let stored = user_group(fixed(record("SA", A, &[(1, A)])));
    assert_eq!(case(&stored, &user_group(dynamic("SA")), false), Decision::Merge);
    assert_eq!(case(&fixed(record("SA", A, &[])), &dynamic("SA"), false), Decision::KeepStatic);
    for (version, pack, decision) in [
        (WinsVersion::Nt351, 5, Decision::Merge),
        (WinsVersion::Nt40, 4, Decision::Merge),
        (WinsVersion::Nt40, 5, Decision::KeepStatic),
    ] {
        let rules = ConflictRules::of(&WinsProfile::new(version, pack));
        let stored = fixed(record("SA", A, &[(1, A)]));
        assert_eq!(decide(&rules, false, OWN, Some(&stored), &dynamic("SA")), decision);
    }
}

// rule: conflict/challenge/c3, conflict/challenge/c5-multihomed
#[test]
fn only_members_that_the_replica_does_not_account_for_are_challenged() {
    let host = |n| Ipv4Addr::new(10, 1, 1, n);
    let winsra = ConflictRules::of(&WinsProfile::new(WinsVersion::W2k, 0));
    let asked =
        |stored: &NameRecord, incoming: &NameRecord| challenge_targets(&winsra, stored, incoming);
    let own = record("UA", OWN, &[(1, OWN)]);
    assert!(asked(&own, &record("UA", B, &[(1, B)])).is_empty());
    assert_eq!(asked(&own, &record("UA", B, &[(2, B)])), [host(1)]);
    assert!(asked(&own, &record("MA", B, &[(1, B), (2, B)])).is_empty());
    let several = record("MA", OWN, &[(1, OWN), (2, B), (3, X)]);
    assert_eq!(asked(&several, &record("UA", B, &[(1, B)])), [host(3)]);
    assert_eq!(asked(&several, &record("MA", X, &[(9, X)])), [host(1), host(2)]);
}

// rule: conflict/challenge/silent, conflict/challenge/lacks-incoming, conflict/challenge/both
// rule: conflict/challenge/not-ours
#[test]
fn answers_to_a_challenge() {
    let rules = |version| ConflictRules::of(&WinsProfile::new(version, 0));
    let (stored, incoming) = (record("UA", OWN, &[(1, OWN)]), record("UA", B, &[(2, B)]));
    let host = |n| Ipv4Addr::new(10, 1, 1, n);
    let verdict = |version, answer: Option<&[Ipv4Addr]>| {
        after_challenge(&rules(version), &stored, &incoming, answer)
    };
    use ChallengeVerdict::{Join, Keep, Replace};
    use WinsVersion::{W2k, W2k3};
    assert_eq!(verdict(W2k3, None), Replace { demand: false });
    assert_eq!(verdict(W2k, None), Replace { demand: true });
    assert_eq!(verdict(W2k3, Some(&[host(1)])), Keep { demand: false });
    assert_eq!(verdict(W2k3, Some(&[host(1), host(2)])), Join);
    assert_eq!(verdict(W2k3, Some(&[host(2)])), Keep { demand: true });
}

// rule: conflict/merge/contained, conflict/merge/empty-with-members
// rule: conflict/merge/empty-without-members, conflict/merge/other-owners, conflict/merge/union
// rule: conflict/merge/only-additions, conflict/merge/changed, conflict/merge/ours-or-empty
// rule: conflict/merge/before-sp4, conflict/merge/example-disjoint, conflict/merge/example-moved
// rule: conflict/merge/example-left, conflict/merge/example-nothing
#[test]
fn special_groups_merge_as_the_table_says() {
    let (b3, b4, a3, a4) = ((13, B), (14, B), (3, A), (4, A));
    let (x3, x4) = ((23, X), (24, X));
    let case = |stored: &[(u8, Owner)], incoming: &[(u8, Owner)]| {
        merge(true, OWN, &record("SA", A, stored), &record("SA", B, incoming))
    };
    fn joined(list: &[(u8, Owner)], under: MergedOwner) -> Merge {
        Merge::Joined { members: members(list), under }
    }
    assert_eq!(case(&[a3, a4], &[b3, b4]), joined(&[a3, a4, b3, b4], MergedOwner::Own));
    let b_drops = case(&[b3, b4, x3, x4], &[a3, a4]);
    assert_eq!(b_drops, joined(&[x3, x4, a3, a4], MergedOwner::Incoming));
    assert_eq!(case(&[b3, b4, x3, x4], &[]), joined(&[x3, x4], MergedOwner::Incoming));
    assert_eq!(case(&[a3, a4], &[]), Merge::Keep);
    assert_eq!(case(&[a3, b3], &[b3]), Merge::Keep);
    assert_eq!(case(&[(3, A)], &[(3, B)]), Merge::Replace);
    // Ours stays ours, with a new version.
    let own = merge(true, OWN, &record("SA", OWN, &[(1, OWN)]), &record("SA", B, &[b3]));
    assert_eq!(own, joined(&[(1, OWN), b3], MergedOwner::Own));
    // Before 4.0 SP4 a third server does not take the merged record over.
    let early = merge(false, OWN, &record("SA", A, &[a3]), &record("SA", B, &[b3]));
    assert_eq!(early, joined(&[a3, b3], MergedOwner::Stored));
}

// rule: list-1c/full-replica
#[test]
fn a_full_list_takes_no_further_members() {
    let many: Vec<_> = (1..=25).map(|n| (n, A)).collect();
    let stored = record("SA", A, &many);
    assert_eq!(merge(true, OWN, &stored, &record("SA", B, &[(99, B)])), Merge::Keep);
}
