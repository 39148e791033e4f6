//! Form, join, heartbeats and the plain regroup of two nodes.

use super::lab::*;
use crate::cluster::ClusterEvent;
use crate::cluster::ids::{NetworkId, NodeId};
use crate::cluster::io::HaltReason;
use crate::cluster::profile::ClusterProfile;

fn two() -> Lab {
    Lab::new(2, 2, ClusterProfile::w2k(3), 1).assembled()
}

#[test]
fn a_node_forms_when_nobody_answers_and_the_next_joins() {
    let mut lab = two();
    assert_eq!(lab.holder, Some(NodeId(1)));
    lab.run(secs(3600));
    assert_eq!(lab.regroups, 0);
    assert_eq!((lab.members(1), lab.members(2)), (set(&[1, 2]), set(&[1, 2])));
    let events: Vec<_> = lab.nodes.iter().map(|node| node.events.len()).collect();
    assert!(events.iter().all(|&n| n <= 2), "only heard again at the join: {events:?}");
}

#[test]
fn a_dead_node_is_found_in_time_and_the_survivor_arbitrates() {
    for offset in 0..24 {
        let mut lab = two();
        lab.run(secs(10) + millis(offset * 50));
        let died = lab.now;
        lab.crash(1);
        assert!(lab.run_until(secs(20), |lab| lab.regroups > 0));
        let found = lab.now.since(died);
        // Six missed of 1.2 s each, counted from the last one heard.
        assert!(found >= millis(6000) && found <= millis(8401), "{found}");
        assert!(lab.run_until(secs(30), |lab| lab.members(2) == set(&[2])));
        lab.run(secs(1));
        let events = lab.node(2).events.clone();
        let removed = events.iter().filter(|(_, event)| event.id() == 1135).count();
        let unreachable = events.iter().filter(|(_, event)| event.id() == 1126).count();
        let lost = events.iter().filter(|(_, event)| event.id() == 1123).count();
        assert_eq!((lost, unreachable, removed), (2, 2, 1));
        assert_eq!(lab.holder, Some(NodeId(2)));
        assert_eq!(lab.node(2).noticed.last().map(|n| n.2), Some(set(&[2])));
    }
}

#[test]
fn one_network_lost_is_no_node_lost() {
    let mut lab = two();
    lab.run(secs(10));
    lab.cut(0, 1, 2);
    lab.cut(0, 2, 1);
    let began = lab.now;
    lab.run(secs(60));
    assert_eq!(lab.regroups, 0);
    let (at, event) = lab.node(2).events.last().cloned().expect("an event");
    assert_eq!(event, ClusterEvent::InterfaceLost { node: NodeId(1), network: NetworkId(0) });
    let after = at.since(began);
    assert!(after >= millis(1200) && after <= millis(3601), "{after}");
    // Messages take the other network.
    lab.send(1, 2, b"hello".to_vec());
    lab.run(secs(1));
    assert_eq!(lab.node(2).got.len(), 1);
    lab.cuts.clear();
    lab.run(secs(2));
    let event = lab.node(2).events.last().map(|(_, event)| event.clone());
    assert_eq!(
        event,
        Some(ClusterEvent::InterfaceHeard { node: NodeId(1), network: NetworkId(0) })
    );
}

#[test]
fn a_leave_is_no_death() {
    let mut lab = two();
    lab.run(secs(10));
    lab.act(NodeId(2), |membership, step| membership.leave(step));
    assert!(lab.run_until(secs(2), |lab| lab.members(1) == set(&[1])), "{:?}", lab.members(1));
    assert_eq!(lab.node(1).events.iter().filter(|(_, e)| e.id() == 1126).count(), 0);
    lab.run(secs(60));
    assert_eq!(lab.members(1), set(&[1]));
    assert_eq!(lab.node(1).membership.next_deadline(), None, "a node alone has nothing to do");
}

#[test]
fn of_two_that_cannot_talk_the_holder_lives() {
    let mut lab = two();
    lab.run(secs(10));
    lab.split(&[1], &[2]);
    lab.run(secs(60));
    assert_eq!(lab.members(1), set(&[1]));
    assert_eq!(lab.node(2).halted, Some(HaltReason::LostArbitration));
    lab.cuts.clear();
    lab.start(2);
    assert!(lab.run_until(secs(20), |lab| lab.members(2) == set(&[1, 2])));
}

/// A cluster of these nodes, of which the last ones are not started.
fn partly(nodes: u8, started: u8, seed: u64, profile: ClusterProfile) -> Lab {
    let mut lab = Lab::new(nodes, 2, profile, seed);
    for n in 1..=started {
        lab.start(n);
        assert!(lab.run_until(secs(60), |lab| lab.members(n).len() == n as usize));
    }
    lab.run(secs(3));
    lab
}

#[test]
fn a_join_gets_through_a_bad_network() {
    for seed in 0..60 {
        let mut lab = partly(4, 3, seed, ClusterProfile::w2k(3));
        lab.loss = 100;
        lab.duplicates = 50;
        lab.start(4);
        let all = set(&[1, 2, 3, 4]);
        assert!(lab.run_until(secs(60), |lab| (1..=4).all(|n| lab.members(n) == all)), "{seed}");
        assert_eq!((lab.node(4).alone, lab.node(4).refused), (0, None), "seed {seed}");
    }
}

#[test]
fn a_joiner_whose_sponsor_dies_finds_another() {
    let mut moments = 0;
    for delay in 0..40 {
        let mut lab = partly(4, 3, delay, ClusterProfile::w2k(3));
        lab.holder = Some(NodeId(3));
        for n in 1..=3 {
            lab.act(NodeId(n), |membership, _| membership.quorum_owner(Some(NodeId(3))));
        }
        lab.delay = (millis(5), millis(20));
        lab.start(4);
        lab.run(millis(delay * 10));
        let Some(sponsor) =
            [1u8, 2, 3].into_iter().find(|&n| lab.node(n).membership.sponsoring.is_some())
        else {
            continue;
        };
        moments += 1;
        lab.crash(sponsor);
        let joined = |lab: &Lab| lab.members(4).len() == 3 && lab.members(4) == lab.alive();
        assert!(lab.run_until(secs(120), joined), "{delay}: {:?}", lab.members(4));
        assert_eq!(lab.node(4).alone, 0);
    }
    assert!(moments > 10, "{moments} of the crashes came while it joined");
}

#[test]
fn joiners_come_one_after_the_other() {
    for seed in 0..30 {
        let mut lab = partly(4, 2, seed, ClusterProfile::w2k(3));
        lab.start(3);
        lab.start(4);
        let all = set(&[1, 2, 3, 4]);
        assert!(lab.run_until(secs(60), |lab| (1..=4).all(|n| lab.members(n) == all)), "{seed}");
        assert_eq!(lab.regroups, 0);
    }
}

#[test]
fn a_node_that_is_back_before_it_is_missed_is_let_in_again() {
    let mut lab = partly(3, 3, 1, ClusterProfile::w2k(3));
    lab.crash(3);
    lab.run(secs(1));
    lab.start(3);
    // Its own probe tells that it was gone: one regroup without waiting for the silence, with the
    // arbitration, then the join.
    assert!(lab.run_until(secs(14), |lab| lab.members(1) == set(&[1, 2])));
    assert!(lab.run_until(secs(20), |lab| lab.members(3) == set(&[1, 2, 3])));
    assert_eq!((lab.node(3).alone, lab.node(3).refused), (0, None));
}

#[test]
fn a_paused_or_unreachable_cluster_does_not_hold_up_a_node_for_ever() {
    let mut lab = partly(2, 1, 1, ClusterProfile::w2k(3));
    lab.pause(1, true);
    lab.start(2);
    assert!(lab.run_until(secs(7), |lab| lab.nodes[1].alone == 1));
    // One that always answers and never takes it neither.
    let mut lab = partly(2, 1, 1, ClusterProfile::w2k(3));
    let now = lab.now;
    lab.act(NodeId(1), |membership, step| membership.start_regroup(5, step));
    lab.node(1).membership.regroup.as_mut().expect("it runs").next_tick = now + secs(10_000);
    lab.start(2);
    assert!(lab.run_until(secs(400), |lab| lab.nodes[1].refused == Some(5041)));
}

#[test]
fn who_is_refused_for_good_is_told_why() {
    let refused = |lab: &mut Lab| {
        lab.start(2);
        lab.run(secs(20));
        lab.node(2).refused
    };
    // Evicted (Q171451).
    let mut lab = partly(2, 1, 1, ClusterProfile::w2k(3));
    lab.node(1).membership.evict(NodeId(2));
    assert_eq!(refused(&mut lab), Some(5042));
    // Another version, another cluster.
    let mut lab = partly(2, 1, 1, ClusterProfile::nt40(6));
    let mut other = (*lab.config).clone();
    other.profile = ClusterProfile::w2k3(0);
    lab.others.insert(NodeId(2), other.clone().into());
    assert_eq!(refused(&mut lab), Some(5075));
    other.profile = ClusterProfile::w2k(4);
    lab.others.insert(NodeId(2), other.clone().into());
    assert_eq!(refused(&mut lab), None);
    assert_eq!(lab.members(2), set(&[1, 2]), "a rolling upgrade");
    let mut lab = partly(2, 1, 1, ClusterProfile::nt40(6));
    other.name = "other".into();
    lab.others.insert(NodeId(2), other.into());
    assert_eq!(refused(&mut lab), Some(5893));
}

#[test]
fn a_changed_password_shuts_nodes_out_until_the_sponsor_restarts() {
    let mut lab = partly(2, 1, 1, ClusterProfile::w2k(3));
    lab.node(2).account = 1;
    lab.start(2);
    lab.run(secs(20));
    assert_eq!(lab.node(2).refused, Some(5));
    let ids: Vec<u16> = lab.node(2).events.iter().map(|(_, event)| event.id()).collect();
    assert_eq!(ids, [1107, 1107, 1079], "Q317232");
    // Only the sponsor's own restart helps.
    lab.node(1).account = 1;
    lab.end_service(1, HaltReason::Inconsistent);
    lab.start(1);
    lab.run(secs(20));
    lab.start(2);
    assert!(lab.run_until(secs(20), |lab| lab.members(2) == set(&[1, 2])));
    // Under Windows Server 2003 the token is not compared.
    let mut lab = partly(2, 1, 1, ClusterProfile::w2k3(0));
    lab.node(2).account = 1;
    lab.start(2);
    assert!(lab.run_until(secs(20), |lab| lab.members(2) == set(&[1, 2])));
}

#[test]
fn a_join_that_fails_is_tried_some_times() {
    let mut lab = partly(3, 2, 1, ClusterProfile::w2k(3));
    lab.failing = Some((2, 5083));
    lab.start(3);
    assert!(lab.run_until(secs(60), |lab| lab.members(3) == set(&[1, 2, 3])));
    lab.run(secs(10));
    assert_eq!(lab.members(1), set(&[1, 2, 3]));
    let mut lab = partly(3, 2, 1, ClusterProfile::w2k(3));
    lab.failing = Some((100, 5083));
    lab.start(3);
    assert!(lab.run_until(secs(120), |lab| lab.nodes[2].refused == Some(5083)));
}

#[test]
fn under_nt_one_failed_join_spoils_the_sponsor() {
    let fail_once = |service_pack| {
        let mut lab = partly(2, 1, 1, ClusterProfile::nt40(service_pack));
        lab.failing = Some((1, 5083));
        lab.start(2);
        lab.run(secs(60));
        lab
    };
    let mut lab = fail_once(5);
    assert_eq!(lab.node(2).refused, Some(1726), "no join gets through any more (Q238009)");
    assert_eq!((lab.node(2).alone, lab.members(1)), (0, set(&[1])));
    lab.end_service(1, HaltReason::Inconsistent);
    lab.start(1);
    lab.run(secs(30));
    lab.start(2);
    lab.run(secs(60));
    assert_eq!(lab.members(1), set(&[1, 2]), "the sponsor's restart cures it");
    assert_eq!(fail_once(6).members(1), set(&[1, 2]));
}

#[test]
fn a_joiner_that_dies_and_comes_back_is_taken_at_once() {
    for delay in [1, 3, 5, 8, 12, 20, 30, 45] {
        let mut lab = partly(3, 2, delay, ClusterProfile::w2k(3));
        lab.delay = (millis(1), millis(4));
        lab.start(3);
        lab.run(millis(delay));
        lab.crash(3);
        lab.run(millis(100));
        lab.start(3);
        let all = set(&[1, 2, 3]);
        let joined = |lab: &Lab| (1..=3).all(|n| lab.members(n) == all);
        // At once, or after the regroup that removes its former life.
        assert!(lab.run_until(secs(25), joined), "{delay}: {:?}", lab.members(3));
        assert_eq!((lab.node(3).alone, lab.node(3).refused), (0, None), "{delay}");
    }
}
