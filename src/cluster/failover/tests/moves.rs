//! Groups come online, move, fail, fail over, and fail back.

use super::lab::Lab;
use super::setup::{A, B, C, DISK, G, MIDDLE, TOP, config};
use crate::base::SimDuration;
use crate::cluster::{
    ClusterProfile, Control, Failback, GroupConfig, GroupId, NodeId, ResourceCall, ResourceEvent,
    ResourceState,
};

fn two() -> Lab {
    Lab::new(config(2, ClusterProfile::w2k(2)))
}

const SECOND: SimDuration = SimDuration::from_secs(1);

fn move_to(node: NodeId) -> Control {
    Control::MoveGroup { group: G, to: Some(node) }
}

#[test]
fn everything_goes_online_in_order_with_keys_restored_first() {
    let lab = two();
    assert!(lab.all_online());
    assert_eq!((lab.owner(GroupId(0)), lab.owner(G)), (Some(A), Some(A)));
    let calls: Vec<_> = lab.calls.iter().filter(|c| c.2 >= DISK).map(|c| (c.2, c.3)).collect();
    assert_eq!(calls, [(MIDDLE, ResourceCall::Online), (TOP, ResourceCall::Online)]);
    let of = |id| lab.notes.iter().filter(move |n| n.1.ends_with(id)).map(|n| n.1.as_str());
    assert!(of(" 3").eq(["restore 3", "watch 3"]));
    // The quorum's own keys are not checkpointed.
    assert_eq!(of(" 0").count(), 0);
}

#[test]
fn a_move_takes_all_offline_then_owns_then_brings_all_online() {
    let mut lab = two();
    lab.notes.clear();
    lab.calls.clear();
    assert_eq!(lab.ask(B, move_to(B)), Ok(()));
    lab.run(SECOND);
    assert_eq!(lab.owner(G), Some(B));
    assert!(lab.all_online());
    let calls: Vec<_> = lab.calls.iter().map(|c| (c.1, c.2, c.3)).collect();
    let (on, off) = (ResourceCall::Online, ResourceCall::Offline);
    assert_eq!(calls, [(A, TOP, off), (A, MIDDLE, off), (B, MIDDLE, on), (B, TOP, on)]);
    let notes: Vec<&str> = lab.notes.iter().filter(|n| n.0 == A).map(|n| n.1.as_str()).collect();
    assert_eq!(notes, ["save 4", "save 3", "save 2", "give 1 true"]);
}

#[test]
fn the_quorum_leaves_last_and_starts_first_in_its_group() {
    let mut lab = two();
    lab.notes.clear();
    assert_eq!(lab.ask(A, Control::MoveGroup { group: GroupId(0), to: Some(B) }), Ok(()));
    lab.run(SECOND);
    assert!(lab.all_online());
    let notes: Vec<&str> = lab.notes.iter().map(|n| n.1.as_str()).collect();
    assert_eq!(notes, ["save 1", "give 0 true", "restore 1", "watch 1"]);
}

#[test]
fn groups_of_a_dead_node_are_claimed_once() {
    for nodes in 2..=4 {
        let mut lab = Lab::new(config(nodes, ClusterProfile::w2k(2)));
        lab.crash(A);
        let updates = lab.updates;
        lab.run(SimDuration::from_secs(8));
        assert!(lab.all_online(), "{nodes} nodes");
        assert_eq!(lab.owner(G), Some(B));
        assert_eq!(lab.updates - updates, 2, "one claim for each group");
    }
}

#[test]
fn a_restarted_resource_takes_its_dependents_along() {
    let mut lab = two();
    lab.calls.clear();
    lab.event(A, MIDDLE, ResourceEvent::Failed);
    assert_eq!(lab.state(MIDDLE), ResourceState::Failed);
    lab.run(SECOND);
    assert!(lab.all_online());
    let calls: Vec<_> = lab.calls.iter().map(|c| (c.2, c.3)).collect();
    let (on, off, end) = (ResourceCall::Online, ResourceCall::Offline, ResourceCall::Terminate);
    assert_eq!(calls, [(MIDDLE, end), (TOP, off), (MIDDLE, on), (TOP, on)]);
    assert_eq!((lab.events(1069), lab.events(1042)), (1, 1));
    let drops = lab.notes.iter().filter(|n| n.1 == "drop 3").count();
    assert_eq!(drops, 1, "keys of a resource that failed are not saved");
}

/// Fails the resource so often; says on which node each failure found it.
fn failures(lab: &mut Lab, count: usize) -> Vec<NodeId> {
    (0..count)
        .map(|_| {
            let owner = lab.owner(G).unwrap();
            lab.event(owner, TOP, ResourceEvent::Failed);
            lab.run(SECOND);
            owner
        })
        .collect()
}

#[test]
fn the_fourth_failure_in_a_period_moves_the_group_and_the_third_by_the_other_reading() {
    let mut lab = two();
    assert_eq!(failures(&mut lab, 5), [A, A, A, A, B]);
    let mut profile = ClusterProfile::w2k(2);
    profile.threshold_counts_failures = true;
    let mut lab = Lab::new(config(2, profile));
    assert_eq!(failures(&mut lab, 4), [A, A, A, B]);
    // Failures further apart than the period are restarts for ever.
    let mut lab = two();
    for _ in 0..10 {
        assert_eq!(failures(&mut lab, 1), [A]);
        lab.run(SimDuration::from_secs(300));
    }
    assert!(lab.all_online());
}

#[test]
fn failback_waits_for_its_window_and_for_the_group_to_be_quiet() {
    let mut config = config(2, ClusterProfile::w2k(2));
    config.groups[1] = GroupConfig::new("Files");
    config.groups[1].preferred_owners = vec![A, B];
    config.groups[1].failback = Failback::Window { start: 2, end: 4 };
    let mut lab = Lab::new(config.clone());
    lab.crash(A);
    lab.run(SimDuration::from_secs(10));
    lab.start(A);
    lab.run(SimDuration::from_mins(100));
    assert_eq!(lab.owner(G), Some(B), "it is half past one");
    lab.run(SimDuration::from_mins(20));
    assert_eq!(lab.owner(G), Some(A), "it is past two");
    assert!(lab.all_online());
    // At once, where no window is set.
    config.groups[1].failback = Failback::Immediate;
    let mut lab = Lab::new(config);
    lab.crash(A);
    lab.run(SimDuration::from_secs(10));
    assert_eq!(lab.owner(G), Some(B));
    lab.start(A);
    lab.run(SECOND);
    assert_eq!(lab.owner(G), Some(A));
    // A wish is no failover: the group stays where it was put.
    assert_eq!(lab.ask(A, move_to(B)), Ok(()));
    lab.run(SimDuration::from_hours(1));
    assert_eq!(lab.owner(G), Some(B));
}

#[test]
fn the_next_owner_stands_after_the_present_one_on_the_list() {
    let mut config = config(4, ClusterProfile::w2k(2));
    config.groups[1].preferred_owners = vec![C, A];
    let mut lab = Lab::new(config);
    assert_eq!(lab.ask(A, move_to(C)), Ok(()));
    lab.run(SECOND);
    let mut seen = Vec::new();
    for _ in 0..4 {
        let owner = lab.owner(G).unwrap();
        failures(&mut lab, 4);
        seen.push(owner);
    }
    assert_eq!(seen, [C, A, B, NodeId(4)]);
    assert_eq!(lab.owner(G), Some(C), "once around");
}
