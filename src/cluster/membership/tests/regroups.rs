//! The regroup in single cases: pruning, a second failure, pauses, leaves, majorities, detection times.

use super::super::regroup::{Verdict, majority_of_previous};
use super::lab::*;
use crate::cluster::config::{NetworkRole, QuorumKind};
use crate::cluster::ids::NodeId;
use crate::cluster::io::HaltReason;
use crate::cluster::profile::{ClusterProfile, Survival};

fn four(seed: u64) -> Lab {
    let mut lab = Lab::new(4, 1, ClusterProfile::w2k(3), seed).assembled();
    lab.run(secs(5));
    lab
}

#[test]
fn a_one_way_cut_prunes_one_of_the_two() {
    let mut lab = four(1);
    lab.cut(0, 3, 4);
    lab.run(secs(60));
    assert_eq!(lab.members(1), set(&[1, 2, 3]));
    assert_eq!(lab.members(3), set(&[1, 2, 3]));
    assert_eq!(lab.node(4).halted, Some(HaltReason::Pruned));
    assert_eq!(lab.holder, Some(NodeId(1)));
}

#[test]
fn the_holder_of_the_quorum_is_never_pruned() {
    for (other, stay) in [(2, &[1, 3, 4][..]), (3, &[1, 2, 4])] {
        let mut lab = four(1);
        lab.cut(0, 1, other);
        lab.run(secs(60));
        assert_eq!(lab.members(1), set(stay));
        assert_eq!(lab.node(other).halted, Some(HaltReason::Pruned));
    }
    // Even if a larger set could go on without it.
    let mut lab = four(1);
    lab.cut(0, 1, 2);
    lab.cut(0, 3, 1);
    lab.run(secs(60));
    assert_eq!(lab.members(1), set(&[1, 4]));
}

#[test]
fn a_second_failure_makes_the_regroup_begin_again() {
    for gap in [1, 100, 5000, 7300, 9000, 12000, 15000, 19000, 20500] {
        let mut lab = four(gap);
        lab.crash(2);
        lab.run(millis(gap));
        lab.crash(3);
        lab.run(secs(90));
        assert_eq!((lab.members(1), lab.members(4)), (set(&[1, 4]), set(&[1, 4])), "{gap}");
        let last = |n: u8| lab.nodes[n as usize - 1].noticed.last().map(|n| (n.1, n.2));
        assert_eq!(last(1), last(4));
        assert_eq!(last(1).map(|n| n.1), Some(set(&[1, 4])));
    }
}

#[test]
fn when_the_arbiter_cannot_win_the_next_one_tries() {
    let mut lab = four(1);
    // Node 1 holds the quorum and is cut off with nobody; 2 arbitrates, loses and halts, then 3, then 4.
    lab.split(&[1], &[2, 3, 4]);
    lab.run(secs(120));
    assert_eq!(lab.members(1), set(&[1]));
    for n in 2..=4 {
        assert_eq!(lab.node(n).halted, Some(HaltReason::LostArbitration), "node {n}");
    }
}

#[test]
fn a_node_that_wakes_from_a_long_pause_is_poisoned() {
    let mut lab = four(1);
    lab.pause(3, true);
    lab.run(secs(60));
    assert_eq!(lab.members(1), set(&[1, 2, 4]));
    lab.pause(3, false);
    assert!(lab.run_until(secs(2), |lab| lab.nodes[2].halted.is_some()));
    assert_eq!(lab.node(3).halted, Some(HaltReason::Poisoned));
    // A short pause is none.
    lab.pause(2, true);
    lab.run(secs(5));
    lab.pause(2, false);
    lab.run(secs(60));
    assert_eq!(lab.members(2), set(&[1, 2, 4]));
}

#[test]
fn who_stops_its_heartbeats_is_removed_and_not_disturbed() {
    let mut lab = four(1);
    lab.act(NodeId(4), |membership, _| membership.stop_heartbeats());
    lab.run(secs(60));
    assert_eq!(lab.members(1), set(&[1, 2, 3]));
    assert_eq!(lab.node(4).halted, None);
    lab.act(NodeId(4), |membership, step| membership.leave(step));
    lab.run(secs(20));
    assert_eq!(lab.members(2), set(&[1, 2, 3]));
}

#[test]
fn a_leave_that_nobody_hears_is_a_death() {
    let mut lab = four(1);
    lab.loss = 1000;
    lab.act(NodeId(2), |membership, step| membership.leave(step));
    lab.loss = 0;
    lab.run(secs(60));
    assert_eq!(lab.members(1), set(&[1, 3, 4]));
}

#[test]
fn the_quorum_goes_to_another_when_its_owner_leaves() {
    let mut lab = four(1);
    lab.act(NodeId(1), |membership, step| membership.leave(step));
    lab.holder = None;
    for n in 2..=4 {
        lab.act(NodeId(n), |membership, _| membership.quorum_owner(Some(NodeId(1))));
    }
    lab.run(secs(30));
    assert_eq!(lab.holder, Some(NodeId(2)));
    for n in 2..=4 {
        let told = lab.node(n).noticed.last().map(|n| (n.2, n.3));
        assert_eq!(told, Some((set(&[2, 3, 4]), Some(NodeId(2)))), "node {n}");
    }
}

#[test]
fn a_majority_node_set_lives_with_more_than_half() {
    let mnes = |n| {
        let lab = Lab::new(n, 1, ClusterProfile::w2k3(1), 1);
        let mut lab = lab.setup(|config| config.quorum = QuorumKind::MajorityNodeSet).assembled();
        lab.run(secs(5));
        lab
    };
    let mut lab = mnes(5);
    lab.split(&[1, 2], &[3, 4, 5]);
    lab.run(secs(60));
    assert_eq!(lab.alive(), set(&[3, 4, 5]));
    assert_eq!(lab.node(1).halted, Some(HaltReason::LostRegroup));
    // Of four, two are too few, on either side.
    let mut lab = mnes(4);
    lab.split(&[1, 2], &[3, 4]);
    lab.run(secs(60));
    assert!(lab.alive().is_empty());
    // The list of forcequorum is what counts.
    let mut lab = mnes(4);
    for n in 1..=4 {
        lab.act(NodeId(n), |membership, _| membership.set_voters(Some(set(&[1, 2, 3]))));
    }
    lab.split(&[1, 2], &[3, 4]);
    lab.run(secs(60));
    assert_eq!(lab.alive(), set(&[1, 2]));
}

#[test]
fn the_rules_of_the_research_system() {
    let rule = |previous: &[u8], now: &[u8]| majority_of_previous(set(previous), set(now));
    assert_eq!(rule(&[1, 2], &[1, 2]), Verdict::Survives);
    assert_eq!(rule(&[1, 2], &[1]), Verdict::Arbitrates);
    assert_eq!(rule(&[1, 2, 3], &[2, 3]), Verdict::Survives);
    assert_eq!(rule(&[1, 2, 3], &[2]), Verdict::Halts);
    assert_eq!(rule(&[1, 2, 3, 4], &[1, 4]), Verdict::Survives);
    assert_eq!(rule(&[1, 2, 3, 4], &[2, 4]), Verdict::Halts);
    let mut lab = Lab::new(4, 1, ClusterProfile::w2k(3), 1)
        .setup(|config| config.profile.survival = Survival::PreviousMajority)
        .assembled();
    lab.split(&[1, 2, 3], &[4]);
    lab.run(secs(40));
    assert_eq!(lab.alive(), set(&[1, 2, 3]));
    assert_eq!(lab.node(4).halted, Some(HaltReason::LostRegroup));
}

#[test]
fn networks_for_clients_carry_nothing() {
    let mut lab = Lab::new(2, 2, ClusterProfile::nt40(5), 1)
        .setup(|config| config.networks[1].role = NetworkRole::Client)
        .assembled();
    lab.cut(0, 1, 2);
    lab.cut(0, 2, 1);
    lab.run(secs(60));
    assert_eq!(lab.alive(), set(&[1]), "although the other network works (Q176320)");
}

#[test]
fn nt_finds_a_death_sooner() {
    let mut found = Vec::new();
    for offset in 0..48 {
        let mut lab = Lab::new(2, 1, ClusterProfile::nt40(5), 1).assembled();
        lab.run(secs(10) + millis(offset * 25));
        let died = lab.now;
        lab.crash(1);
        assert!(lab.run_until(secs(20), |lab| lab.regroups > 0));
        found.push(lab.now.since(died));
    }
    let (first, last) = (found.iter().min().copied(), found.iter().max().copied());
    assert!(first >= Some(millis(1200)) && last <= Some(millis(3601)), "{first:?} {last:?}");
}

#[test]
fn heartbeats_are_as_many_as_pairs_and_spread_over_the_period() {
    let mut lab = Lab::new(4, 2, ClusterProfile::w2k(3), 1).assembled();
    lab.run(secs(10));
    let before = lab.datagrams;
    lab.run(secs(12));
    assert_eq!(lab.datagrams - before, 10 * 4 * 3 * 2);
}

#[test]
fn a_regroup_of_all_changes_nothing_and_is_over_in_a_few_ticks() {
    let mut lab = four(3);
    let sent = lab.node(1).membership.epoch;
    lab.act(NodeId(2), |membership, step| membership.start_regroup(sent + 1, step));
    assert!(lab.run_until(secs(4), |lab| lab.nodes.iter().all(|n| n.noticed.len() == 1)));
    lab.run(secs(10));
    for n in 1..=4 {
        assert_eq!(lab.node(n).noticed.len(), 1);
        let (_, epoch, members, owner) = lab.node(n).noticed[0];
        assert_eq!((epoch, members, owner), (sent + 1, set(&[1, 2, 3, 4]), Some(NodeId(1))));
    }
}

#[test]
fn bytes_from_strangers_are_nothing() {
    let mut lab = four(1);
    let network = crate::cluster::ids::NetworkId(0);
    let from = std::net::Ipv4Addr::new(10, 0, 0, 2);
    for seed in 0..1000u64 {
        let mut bytes = b"WSMC\x01".to_vec();
        let mut chance = crate::base::Streams::new(seed).stream("bytes");
        bytes.push(chance.below(11) as u8);
        bytes.extend([2, 1]);
        let instance = crate::base::hash_path("lab") as u32;
        bytes.extend(instance.to_le_bytes());
        let (theirs, mine) =
            (lab.node(2).membership.incarnation, lab.node(1).membership.incarnation);
        bytes.extend(theirs.to_le_bytes());
        bytes.extend(mine.to_le_bytes());
        bytes.extend((0..chance.below(120)).map(|_| (chance.next_u64() & chance.next_u64()) as u8));
        lab.act(NodeId(1), |membership, step| membership.datagram(network, from, &bytes, step));
        if lab.node(1).halted.is_some() {
            // A well-formed poison, or the like, of a member is believed.
            lab = four(seed);
        }
    }
}
