//! Orderly stops, shutdowns that take too long, and halts.

use super::lab::Lab;
use super::setup::{A, B, C, G, MIDDLE, TOP, config};
use crate::base::SimDuration;
use crate::cluster::{ClusterProfile, Control, GroupId, NodeId, ResourceCall, ResourceState};

fn cluster(nodes: u8) -> Lab {
    Lab::new(config(nodes, ClusterProfile::w2k(2)))
}

fn secs(seconds: u64) -> SimDuration {
    SimDuration::from_secs(seconds)
}

#[test]
fn groups_of_a_node_that_stops_move_first_and_the_quorum_last() {
    let mut lab = cluster(2);
    lab.offline_takes.insert(TOP, secs(60));
    lab.notes.clear();
    lab.stop(A, false);
    lab.run(secs(59));
    assert_eq!(lab.owner(GroupId(0)), Some(A), "the quorum waits for the others");
    assert!(!lab.nodes[&A].stopped);
    lab.run(secs(3));
    assert!(lab.nodes[&A].stopped && lab.all_online());
    assert_eq!((lab.owner(GroupId(0)), lab.owner(G)), (Some(B), Some(B)));
    let given: Vec<&str> =
        lab.notes.iter().map(|n| n.1.as_str()).filter(|n| n.starts_with("give")).collect();
    assert_eq!(given, ["give 1 true", "give 0 true"]);
    // It comes back, and everything stays where it is.
    lab.start(A);
    lab.run(secs(10));
    assert_eq!(lab.owner(G), Some(B));
    assert!(lab.all_online());
}

#[test]
fn the_last_node_takes_everything_offline_but_the_quorum() {
    let mut lab = cluster(1);
    lab.notes.clear();
    lab.stop(A, false);
    lab.run(secs(1));
    assert!(lab.nodes[&A].stopped);
    let notes: Vec<&str> = lab.notes.iter().map(|n| n.1.as_str()).collect();
    // The quorum's disk is the node's to give, after the last checkpoint of the database.
    assert!(notes.contains(&"give 1 true") && !notes.iter().any(|n| n.starts_with("give 0")));
    assert!(notes.contains(&"save 1"));
    lab.start(A);
    lab.run(secs(10));
    assert!(lab.all_online());
}

#[test]
fn two_nodes_that_stop_at_once_do_not_hand_groups_to_each_other() {
    let mut lab = cluster(3);
    lab.stop(A, false);
    lab.stop(B, false);
    lab.run(secs(5));
    assert!(lab.nodes[&A].stopped && lab.nodes[&B].stopped);
    assert_eq!(lab.owner(G), Some(C));
    assert!(lab.all_online());
    // And all of them.
    let mut lab = cluster(3);
    for node in [A, B, C] {
        lab.stop(node, true);
    }
    let before = lab.updates;
    lab.run(secs(60));
    assert!(lab.nodes.values().all(|node| !node.up));
    assert!(lab.updates - before <= 4, "{} changes of owners", lab.updates - before);
}

#[test]
fn past_its_time_a_shutdown_cuts_everything_off() {
    let mut profile = ClusterProfile::w2k(0);
    for (budget, service_pack) in [(9, 0), (15, 2)] {
        profile.shutdown_budget = ClusterProfile::w2k(service_pack).shutdown_budget;
        assert_eq!(profile.shutdown_budget, secs(budget));
        let mut lab = Lab::new(config(2, profile.clone()));
        lab.offline_takes.insert(TOP, secs(60));
        lab.notes.clear();
        lab.stop(A, true);
        lab.run(secs(budget) - SimDuration::from_millis(10));
        assert!(!lab.nodes[&A].stopped);
        lab.run(SimDuration::from_millis(20));
        assert!(lab.nodes[&A].stopped);
        // Writes may have been under way (event 26).
        assert!(lab.notes.iter().any(|n| n.1 == "give 1 false"));
        lab.run(secs(20));
        assert_eq!(lab.owner(G), Some(B));
        assert!(lab.all_online());
    }
}

#[test]
fn fixed_builds_kill_a_service_after_three_seconds() {
    for (service_pack, ends) in [(0, false), (2, true)] {
        let mut lab = Lab::new(config(2, ClusterProfile::w2k(service_pack)));
        lab.offline_takes.insert(TOP, secs(60));
        lab.calls.clear();
        lab.stop(A, true);
        lab.run(secs(4));
        let killed = lab.calls.iter().any(|c| c.2 == TOP && c.3 == ResourceCall::Terminate);
        assert_eq!(killed, ends);
        assert_eq!(lab.nodes[&A].stopped, ends);
        // Its keys are saved as after an orderly end.
        assert_eq!(lab.notes.iter().any(|n| n.1 == "save 4"), ends || killed);
    }
    // Not when only the service of the cluster is stopped.
    let mut lab = cluster(2);
    lab.offline_takes.insert(TOP, secs(60));
    lab.stop(A, false);
    lab.run(secs(20));
    assert!(!lab.nodes[&A].stopped);
}

#[test]
fn a_node_that_stops_refuses_requests_and_gets_no_groups() {
    let mut lab = cluster(3);
    assert_eq!(lab.ask(A, Control::MoveGroup { group: G, to: Some(B) }), Ok(()));
    lab.run(secs(1));
    lab.offline_takes.insert(MIDDLE, secs(30));
    lab.stop(B, false);
    lab.run(secs(1));
    assert_eq!(lab.ask(A, Control::OfflineGroup(G)), Err(5073));
    let to = Some(B);
    assert_eq!(lab.ask(A, Control::MoveGroup { group: GroupId(0), to }), Err(5073));
    lab.run(secs(40));
    assert!(lab.nodes[&B].stopped);
    assert_eq!(lab.owner(G), Some(C));
}

#[test]
fn a_halted_node_terminates_everything_and_remembers_nothing() {
    let mut lab = cluster(2);
    lab.calls.clear();
    lab.halt(A);
    let ended: Vec<_> = lab.calls.iter().map(|c| c.3).collect();
    assert_eq!(ended, [ResourceCall::Terminate; 3]);
    assert_eq!(lab.owner(G), None);
    let failover = &lab.nodes[&A].failover;
    assert!(failover.groups.is_empty() && failover.next_deadline().is_none());
    assert_eq!(failover.state(TOP), None);
    assert_eq!(lab.nodes[&B].failover.state(TOP), Some(ResourceState::Offline));
    assert_eq!(lab.nodes[&B].failover.owner_of_resource(TOP), Some(NodeId(1)));
}
