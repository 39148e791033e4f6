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
