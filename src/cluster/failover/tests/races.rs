//! Who owns a group when things happen at the same time.

use super::lab::Lab;
use super::setup::{A, B, C, DISK, G, TOP, config};
use crate::base::SimDuration;
use crate::cluster::{
    ClusterProfile, Control, GroupId, NodeId, NodeSet, OwnerChange, ResourceState, Update,
};

fn cluster(nodes: u8) -> Lab {
    Lab::new(config(nodes, ClusterProfile::w2k(2)))
}

fn secs(seconds: u64) -> SimDuration {
    SimDuration::from_secs(seconds)
}

fn owner_update(lab: &Lab, node: u8, back: u32) -> Update {
    let generation = lab.nodes[&B].failover.groups[&G].generation - back;
    let node = NodeId(node);
    Update::GroupOwner { group: G, node, generation, reason: OwnerChange::Claimed }
}

#[test]
fn of_two_claims_the_first_counts() {
    let mut lab = cluster(3);
    lab.crash(A);
    lab.run(SimDuration::from_millis(5001));
    // B's own claim is under way when C's comes through.
    let claim = owner_update(&lab, 3, 0);
    lab.propose(C, claim);
    lab.run(secs(10));
    assert_eq!(lab.owner(G), Some(C));
    assert!(lab.all_online());
    // An old one does nothing.
    let old = owner_update(&lab, 2, 1);
    lab.propose(B, old);
    lab.run(secs(1));
    assert_eq!(lab.owner(G), Some(C));
}

#[test]
fn an_owner_that_comes_back_before_anyone_claimed_owns_nothing() {
    let mut lab = cluster(3);
    lab.refuse = 6;
    lab.crash(A);
    lab.run(SimDuration::from_millis(5100));
    assert_eq!(lab.owner(G), None);
    lab.start(A);
    lab.run(SimDuration::from_millis(5));
    assert!(lab.nodes[&A].failover.groups[&G].vacant);
    assert_eq!(lab.owner(G), None, "the table still names it, but it takes nothing by itself");
    lab.run(secs(10));
    assert_eq!(lab.owner(G), Some(B));
    assert!(lab.all_online());
    let tables: Vec<Vec<u8>> = lab.nodes.values().map(|n| n.failover.snapshot()).collect();
    assert!(tables.windows(2).all(|pair| pair[0] == pair[1]));
}

#[test]
fn a_target_that_dies_in_the_middle_of_a_move_is_replaced() {
    // Before everything is offline: the group stays.
    let mut lab = cluster(3);
    lab.offline_takes.insert(TOP, secs(20));
    assert_eq!(lab.ask(A, Control::MoveGroup { group: G, to: Some(B) }), Ok(()));
    lab.crash(B);
    lab.run(secs(30));
    assert_eq!(lab.owner(G), Some(A));
    assert!(lab.all_online());
    // While the update is under way: it is applied, and the group is nobody's.
    let mut lab = cluster(3);
    lab.control(A, Control::MoveGroup { group: G, to: Some(B) });
    while lab.owner(G).is_some() {
        lab.run(SimDuration::from_millis(1));
    }
    lab.crash(B);
    lab.run(secs(15));
    assert_eq!(lab.owner(G), Some(C), "the next after B");
    assert!(lab.all_online());
}

#[test]
fn an_owner_that_dies_after_its_last_update_has_given_the_group_away() {
    let mut lab = cluster(3);
    lab.control(A, Control::MoveGroup { group: G, to: Some(C) });
    while lab.owner(G).is_some() {
        lab.run(SimDuration::from_millis(1));
    }
    lab.run(SimDuration::from_millis(1));
    lab.crash(A);
    lab.run(secs(15));
    assert_eq!(lab.owner(G), Some(C));
    assert!(lab.all_online());
}

#[test]
fn a_move_that_is_refused_brings_the_group_back_online_where_it_was() {
    let mut lab = cluster(2);
    lab.refuse = 1;
    assert_eq!(lab.ask(A, Control::MoveGroup { group: G, to: Some(B) }), Ok(()));
    lab.run(secs(1));
    assert_eq!(lab.owner(G), Some(A));
    assert!(lab.all_online());
    // A node that stops tries again.
    lab.refuse = 3;
    lab.stop(A, false);
    lab.run(secs(10));
    assert!(lab.nodes[&A].stopped);
    assert_eq!(lab.owner(G), Some(B));
}

#[test]
fn when_the_first_heir_cannot_act_the_second_does() {
    let mut lab = cluster(3);
    lab.crash(A);
    // B is not told, so it claims nothing.
    let members: NodeSet = [B, C].into_iter().collect();
    lab.act(C, |failover, _, step| {
        failover.members_changed(members, NodeSet::only(A), Some(C), step);
    });
    lab.run(SimDuration::from_millis(4900));
    assert_eq!(lab.owner(G), None);
    lab.run(secs(10));
    assert!(lab.owner(G).is_some());
    assert!(lab.all_online());
}

#[test]
fn the_cluster_group_follows_the_quorum() {
    let mut lab = cluster(3);
    lab.crash(A);
    lab.quorum_owner = Some(C);
    lab.run(secs(10));
    let cluster_group = GroupId(0);
    assert_eq!((lab.owner(cluster_group), lab.owner(G)), (Some(C), Some(B)));
    assert!(lab.all_online());
}

#[test]
fn in_2003_groups_without_preferred_owners_are_scattered_but_alike_everywhere() {
    let mut profile = ClusterProfile::w2k3(0);
    let mut seen = std::collections::BTreeSet::new();
    for random in [true, false] {
        profile.random_owner_on_node_failure = random;
        for name in ["a", "b", "c", "d", "e", "f"] {
            let mut config = config(4, profile.clone());
            config.name = name.into();
            let mut lab = Lab::new(config.clone());
            let updates = lab.updates;
            lab.crash(A);
            lab.run(secs(20));
            assert_eq!(lab.updates - updates, 2, "every node has named the same heir");
            let owner = lab.owner(G).unwrap();
            seen.insert((random, owner));
            let mut again = Lab::new(config);
            again.crash(A);
            again.run(secs(20));
            assert_eq!(again.owner(G), Some(owner));
        }
    }
    let of = |random| seen.iter().filter(move |(r, _)| *r == random).count();
    assert!(of(true) > 1 && of(false) == 1, "{seen:?}");
}

#[test]
fn a_damaged_snapshot_or_message_is_no_panic() {
    let mut lab = cluster(2);
    let snapshot = lab.nodes[&A].failover.snapshot();
    for cut in 0..snapshot.len() {
        let mut other = cluster(1);
        other.act(A, |failover, _, step| failover.joined(&snapshot[..cut], step));
    }
    for body in [&[][..], &[9], &[1, 1], &[1, 1, 0, 0, 0, 77, 0, 0, 0], &[2, 0, 0], &[3, 3]] {
        lab.act(A, |failover, _, step| failover.rpc(B, body, step));
    }
    assert!(lab.all_online() && lab.state(DISK) == ResourceState::Online);
}
