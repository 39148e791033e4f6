//! What administrators ask for, and what the database changes meanwhile.

use super::lab::Lab;
use super::setup::{A, B, C, DISK, G, MIDDLE, TOP, config, resource};
use crate::base::SimDuration;
use crate::cluster::{
    ClusterProfile, Control, DbData, GroupConfig, GroupId, NodeId, ResourceCall, ResourceEvent,
    ResourceId, ResourceState, Update,
};

const SECOND: SimDuration = SimDuration::from_secs(1);
const CLUSTER_GROUP: GroupId = GroupId(0);

fn cluster(nodes: u8) -> Lab {
    Lab::new(config(nodes, ClusterProfile::w2k(2)))
}

fn to(node: u8) -> Control {
    Control::MoveGroup { group: G, to: Some(NodeId(node)) }
}

#[test]
fn refusals_have_their_windows_numbers() {
    let mut lab = cluster(3);
    assert_eq!(lab.ask(A, Control::PauseNode(B)), Ok(()));
    lab.crash(C);
    lab.run(SimDuration::from_secs(10));
    let (nothing, no_group) = (ResourceId(99), GroupId(99));
    let quorum = ResourceId(0);
    let asked = [
        (Control::OnlineResource(nothing), 5007),
        (Control::OnlineGroup(no_group), 5013),
        (Control::OfflineResource(quorum), 5068),
        (Control::OfflineGroup(CLUSTER_GROUP), 5068),
        (Control::FailResource(quorum), 5068),
        (to(9), 5042),
        (to(3), 5050),
        (to(2), 5070),
        (Control::MoveGroup { group: G, to: None }, 5071),
        (Control::PauseNode(C), 5050),
        (Control::ResumeNode(NodeId(9)), 5042),
    ];
    for (control, error) in asked {
        // The answer is the same wherever one asks.
        for node in [A, B] {
            assert_eq!(lab.ask(node, control.clone()), Err(error), "{control:?} at {node:?}");
        }
    }
    assert_eq!(lab.ask(A, Control::PauseNode(B)), Ok(()), "it is paused already");
    assert_eq!(lab.ask(B, Control::OfflineResource(TOP)), Ok(()));
    lab.run(SECOND);
    assert_eq!(lab.ask(B, Control::FailResource(TOP)), Err(5004));
    assert!(lab.nodes.values().all(|node| node.failover.forwarded.is_empty()));
}

#[test]
fn while_a_group_moves_it_is_not_available() {
    for (profile, error) in [(ClusterProfile::w2k(2), 5012), (ClusterProfile::w2k3(0), 5908)] {
        let mut lab = Lab::new(config(2, profile));
        lab.offline_takes.insert(TOP, SimDuration::from_secs(30));
        let owner = lab.owner(G).unwrap();
        let other = if owner == A { 2 } else { 1 };
        assert_eq!(lab.ask(A, to(other)), Ok(()));
        assert_eq!(lab.ask(A, Control::OfflineGroup(G)), Err(error));
        assert_eq!(lab.ask(B, to(other)), Err(error));
        lab.run(SimDuration::from_secs(40));
        assert_eq!(lab.owner(G), Some(NodeId(other)));
        // Not while something is on its way, either.
        lab.silent.push(TOP);
        lab.event(NodeId(other), TOP, ResourceEvent::Failed);
        lab.run(SECOND);
        assert_eq!(lab.ask(A, to(owner.0)), Err(5023));
    }
}

#[test]
fn wishes_take_dependencies_and_dependents_along_and_outlive_their_node() {
    let mut lab = cluster(2);
    assert_eq!(lab.ask(B, Control::OfflineResource(MIDDLE)), Ok(()));
    lab.run(SECOND);
    let states = |lab: &Lab| [DISK, MIDDLE, TOP].map(|id| lab.state(id));
    let (on, off) = (ResourceState::Online, ResourceState::Offline);
    assert_eq!(states(&lab), [on, off, off]);
    lab.crash(A);
    lab.run(SimDuration::from_secs(10));
    assert_eq!((lab.owner(G), states(&lab)), (Some(B), [on, off, off]));
    assert_eq!(lab.ask(B, Control::OfflineGroup(G)), Ok(()));
    lab.run(SECOND);
    assert_eq!(states(&lab), [off, off, off]);
    // One resource: with what it needs, without what needs it.
    assert_eq!(lab.ask(B, Control::OnlineResource(MIDDLE)), Ok(()));
    lab.run(SECOND);
    assert_eq!(states(&lab), [on, on, off]);
    let updates = lab.updates;
    assert_eq!(lab.ask(B, Control::OnlineResource(MIDDLE)), Ok(()));
    assert_eq!(lab.updates, updates, "what is wished already is no update");
    assert_eq!(lab.ask(B, Control::OnlineGroup(G)), Ok(()));
    lab.run(SECOND);
    assert_eq!(states(&lab), [on, on, on]);
}

#[test]
fn an_administrator_fails_a_resource_and_brings_a_failed_one_back() {
    let mut lab = cluster(1);
    lab.fail_online.insert(TOP, 2);
    assert_eq!(lab.ask(A, Control::FailResource(TOP)), Ok(()));
    lab.run(SimDuration::from_secs(5));
    assert_eq!(lab.state(TOP), ResourceState::Online, "the third restart");
    assert_eq!(lab.ask(A, Control::FailResource(TOP)), Ok(()));
    lab.run(SimDuration::from_secs(5));
    assert_eq!(lab.state(TOP), ResourceState::Failed, "nowhere to go");
    assert_eq!(lab.ask(A, Control::OnlineResource(TOP)), Ok(()));
    lab.run(SECOND);
    assert_eq!(lab.state(TOP), ResourceState::Online);
}

#[test]
fn a_threshold_of_zero_and_initiate_failure_move_a_group_at_once() {
    let mut config = config(2, ClusterProfile::w2k(2));
    config.resources[4].restart_threshold = Some(0);
    let mut lab = Lab::new(config);
    assert_eq!(lab.ask(A, Control::FailResource(TOP)), Ok(()));
    lab.run(SECOND);
    assert_eq!(lab.owner(G), Some(B));
}

#[test]
fn one_resource_pins_its_group() {
    let mut config = config(2, ClusterProfile::w2k(2));
    config.resources[4].possible_owners = vec![A];
    let mut lab = Lab::new(config);
    assert_eq!(lab.ask(A, to(2)), Err(5071));
    lab.crash(A);
    lab.run(SimDuration::from_secs(10));
    // Somebody has to know it; nobody there can run it (KB 313882).
    assert_eq!((lab.owner(G), lab.state(DISK)), (Some(B), ResourceState::Offline));
    assert_eq!(lab.ask(B, Control::OnlineGroup(G)), Err(5071));
    assert_eq!(lab.ask(B, Control::OnlineResource(TOP)), Err(5015));
    assert_eq!(lab.ask(B, Control::OnlineResource(MIDDLE)), Err(5071));
    lab.start(A);
    lab.run(SimDuration::from_secs(3));
    assert_eq!(lab.owner(G), Some(A));
    assert!(lab.all_online());
    // A node added to the list can have it.
    let owners = DbData::Texts(vec!["1".into(), "2".into()]);
    let change = lab.nodes[&A].database.set_resource(TOP, "PossibleOwners", owners);
    lab.propose(A, Update::Database(vec![change]));
    lab.run(SECOND);
    assert_eq!(lab.ask(A, to(2)), Ok(()));
    lab.run(SECOND);
    assert_eq!(lab.owner(G), Some(B));
}

#[test]
fn a_paused_node_takes_no_groups_and_keeps_its_own() {
    let mut lab = cluster(3);
    assert_eq!(lab.ask(C, Control::PauseNode(B)), Ok(()));
    assert_eq!(lab.ask(C, Control::PauseNode(A)), Ok(()));
    lab.run(SECOND);
    assert_eq!(lab.owner(G), Some(A));
    lab.crash(A);
    lab.run(SimDuration::from_secs(10));
    assert_eq!(lab.owner(G), Some(C));
    lab.crash(C);
    lab.run(SimDuration::from_secs(10));
    assert_eq!(lab.owner(G), Some(B), "nobody else is there");
    assert!(lab.all_online());
    // The pause ends with the node's own end.
    lab.start(A);
    lab.run(SECOND);
    assert_eq!(lab.ask(B, to(1)), Ok(()));
    lab.run(SECOND);
    assert_eq!(lab.owner(G), Some(A));
    assert_eq!(lab.ask(A, to(2)), Err(5070));
    assert_eq!(lab.ask(A, Control::ResumeNode(B)), Ok(()));
    assert_eq!(lab.ask(A, to(2)), Ok(()));
}

#[test]
fn new_resources_appear_offline_and_deleted_ones_vanish() {
    let mut lab = cluster(2);
    let new = resource("new", 1, &[2]);
    let (id, changes) = lab.nodes[&A].database.create_resource(&new, &lab.config).unwrap();
    lab.propose(B, Update::Database(changes));
    lab.run(SECOND);
    lab.config.resources.push(new);
    assert_eq!(lab.state(id), ResourceState::Offline);
    assert_eq!(lab.ask(B, Control::OnlineResource(id)), Ok(()));
    lab.run(SECOND);
    assert_eq!(lab.state(id), ResourceState::Online);
    // Dependencies set later count from then on.
    lab.calls.clear();
    let changes = lab.nodes[&A].database.delete_resource(id).unwrap();
    lab.propose(B, Update::Database(changes));
    lab.run(SECOND);
    lab.config.resources.pop();
    assert_eq!(
        lab.calls.iter().map(|c| (c.2, c.3)).collect::<Vec<_>>(),
        [(id, ResourceCall::Terminate)]
    );
    assert_eq!(lab.ask(B, Control::OnlineResource(id)), Err(5007));
    assert!(lab.all_online());
}

#[test]
fn a_new_group_is_claimed_by_one_node() {
    let mut lab = cluster(3);
    let mut new = GroupConfig::new("new");
    new.preferred_owners = vec![C];
    let (id, changes) = lab.nodes[&A].database.create_group(&new);
    lab.config.groups.push(new);
    let before = lab.updates;
    lab.propose(A, Update::Database(changes));
    lab.run(SimDuration::from_mins(1));
    assert_eq!((lab.owner(id), lab.updates - before), (Some(C), 2));
}

#[test]
fn a_request_sent_to_a_node_that_dies_is_answered() {
    let mut lab = cluster(2);
    let request = lab.control(B, Control::OfflineGroup(G));
    lab.crash(A);
    lab.run(SimDuration::from_secs(10));
    assert_eq!(lab.answers[&request].map_err(|error| error.0), Err(5050));
    let request = lab.control(B, Control::OfflineGroup(G));
    lab.halt(B);
    assert_eq!(lab.answers[&request].map_err(|error| error.0), Err(1722));
}
