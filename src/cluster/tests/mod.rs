//! Whole clusters in a laboratory: join, form, move, failover, and what may never be.

mod lab;

use super::*;
use crate::base::SimDuration;
use lab::{Lab, config, key_of};

fn secs(seconds: u64) -> SimDuration {
    SimDuration::from_secs(seconds)
}

fn running(nodes: usize, groups: usize, profile: ClusterProfile, seed: u64) -> Lab {
    let mut lab = Lab::new(config(nodes, groups, profile), seed);
    (0..nodes).for_each(|node| lab.boot(node));
    lab.run_for(secs(120));
    lab
}

#[test]
fn a_cluster_forms_and_the_others_join() {
    for nodes in 1..=4 {
        let lab = running(nodes, 2, ClusterProfile::w2k(4), nodes as u64);
        assert_eq!(lab.is_whole(), Ok(()), "{nodes} nodes");
    }
}

#[test]
fn a_key_follows_its_resource_in_a_move_and_in_a_crash() {
    let mut lab = running(2, 1, ClusterProfile::w2k(4), 1);
    lab.writes = false;
    let owner = lab.online_at(3)[0];
    lab.set(owner, &key_of(1), 777);
    lab.run_for(secs(2));
    lab.control(owner, Control::MoveGroup { group: GroupId(1), to: None });
    lab.run_for(secs(30));
    assert_eq!((lab.online_at(3), lab.get(1 - owner, &key_of(1))), (vec![1 - owner], Some(777)));
    lab.set(1 - owner, &key_of(1), 888);
    lab.run_for(secs(2));
    lab.crash(1 - owner);
    lab.run_for(secs(60));
    assert_eq!((lab.online_at(3), lab.get(owner, &key_of(1))), (vec![owner], Some(888)));
}

#[test]
fn a_crash_moves_every_group_to_a_survivor() {
    for nodes in 2..=4 {
        for victim in 0..nodes {
            let mut lab = running(nodes, 2, ClusterProfile::w2k(4), victim as u64);
            lab.crash(victim);
            lab.run_for(secs(60));
            assert_eq!(lab.is_whole(), Ok(()), "node {victim} of {nodes}");
            lab.boot(victim);
            lab.run_for(secs(60));
            assert_eq!(lab.is_whole(), Ok(()), "node {victim} of {nodes} is back");
            assert_eq!(lab.violations, Vec::<String>::new());
        }
    }
}

#[test]
fn an_orderly_stop_moves_every_group_to_a_survivor() {
    for nodes in 2..=4 {
        for victim in 0..nodes {
            let mut lab = running(nodes, 2, ClusterProfile::w2k(4), victim as u64);
            lab.stop_service(victim, false);
            lab.run_for(secs(60));
            assert!(!lab.hosts[victim].node.runs(), "node {victim} of {nodes}");
            lab.start_service(victim);
            lab.run_for(secs(60));
            assert_eq!(lab.is_whole(), Ok(()), "node {victim} of {nodes} is back");
            assert_eq!(lab.violations, Vec::<String>::new());
        }
    }
}

#[test]
fn the_owner_of_the_quorum_does_not_wait_for_a_node_that_announced_its_shutdown() {
    let alone_after = |profile: ClusterProfile| {
        let mut lab = running(2, 1, profile, 1);
        let quorum_owner = lab.hosts[0].node.quorum_owner().expect("all are up");
        let owner = usize::from(quorum_owner.0) - 1;
        let to = Some(NodeId(2 - owner as u8));
        lab.control(owner, Control::MoveGroup { group: GroupId(1), to });
        lab.run_for(secs(30));
        // It loses its power in the middle of its shutdown, and cannot say that it leaves.
        lab.stop_service(1 - owner, true);
        lab.run_for(SimDuration::from_millis(20));
        lab.crash(1 - owner);
        let alone = |lab: &Lab| lab.hosts[owner].node.members() == NodeSet::only(quorum_owner);
        (0..60).find(|_| {
            lab.run_for(secs(1));
            alone(&lab)
        })
    };
    let trusts = ClusterProfile::w2k3(1);
    let waits = ClusterProfile { trusts_announced_shutdown: false, ..trusts.clone() };
    let (soon, late) = (alone_after(trusts), alone_after(waits));
    assert!(soon.is_some_and(|soon| late.is_some_and(|late| soon + 4 < late)), "{soon:?} {late:?}");
}

/// Faults at random, then peace: everything is online once, and nothing was ever online twice.
fn storm(nodes: usize, seed: u64, profile: ClusterProfile) -> Result<(), String> {
    let mut lab = Lab::new(config(nodes, 2, profile), seed);
    (0..nodes).for_each(|node| lab.boot(node));
    for _ in 0..12 {
        let wait = lab.chance.between(1, 60_000);
        lab.run_for(SimDuration::from_millis(wait));
        let node = lab.chance.below(nodes as u64) as usize;
        match lab.chance.below(9) {
            0 | 1 => lab.crash(node),
            2 => lab.boot(node),
            3 => {
                lab.pause(node);
                let wait = lab.chance.between(1, 30_000);
                lab.run_for(SimDuration::from_millis(wait));
                lab.resume(node);
            }
            4 => {
                let other = lab.chance.below(nodes as u64) as usize;
                let network = NetworkId(lab.chance.below(2) as u8);
                lab.cut.insert((network, node, other));
            }
            5 => lab.cut.clear(),
            6 => lab.bus_reset(),
            7 => {
                let group = GroupId(lab.chance.below(3) as u16);
                if lab.hosts[node].node.is_member() && !lab.hosts[node].paused {
                    lab.control(node, Control::MoveGroup { group, to: None });
                }
            }
            _ => {
                if lab.hosts[node].up && !lab.hosts[node].paused {
                    lab.stop_service(node, false);
                    let wait = lab.chance.between(1, 30_000);
                    lab.run_for(SimDuration::from_millis(wait));
                    lab.start_service(node);
                }
            }
        }
    }
    lab.cut.clear();
    (0..nodes).for_each(|node| lab.resume(node));
    (0..nodes).for_each(|node| lab.boot(node));
    lab.run_for(secs(600));
    if let Some(violation) = lab.violations.first() {
        return Err(violation.clone());
    }
    lab.is_whole()
}

#[test]
fn storms_end_well() {
    let mut failed = Vec::new();
    for seed in 0..60 {
        let nodes = 2 + (seed % 3) as usize;
        if let Err(error) = storm(nodes, seed, ClusterProfile::w2k(4)) {
            failed.push((seed, error));
        }
    }
    assert_eq!(failed, Vec::new());
}
