//! A majority node set: votes, and replicas of which any majority is enough.

use super::lab::*;
use super::power::{Cluster, SWITCHES};
use crate::base::{SimDuration, Streams};
use crate::cluster::config::QuorumKind;
use crate::cluster::ids::*;
use crate::cluster::io::{HaltReason, StartSwitches};
use crate::cluster::profile::ClusterProfile;
use crate::cluster::step::Notice;
use std::sync::Arc;

fn cluster(nodes: u8, seed: u64) -> Cluster {
    let mut profile = ClusterProfile::w2k3(1);
    profile.quorum_log_max = 800;
    let mut cluster = Cluster::new(nodes, profile.clone(), Streams::new(seed).stream("majority"));
    let mut setup = config(nodes, profile);
    setup.quorum = QuorumKind::MajorityNodeSet;
    cluster.lab.config = Arc::new(setup);
    cluster
}

#[test]
fn half_of_the_nodes_form_nothing_unless_they_are_forced_to() {
    let mut four = cluster(4, 1);
    four.lab.unreachable = vec![2, 3];
    assert_eq!(four.form(0, SWITCHES), Err(0), "two of four are no majority");
    four.lab.blackout();
    let force_quorum = Some([NodeId(1), NodeId(2)].into_iter().collect());
    assert_eq!(four.form(0, StartSwitches { force_quorum, ..SWITCHES }), Ok(()));
    four.lab.blackout();
    four.lab.unreachable = vec![3];
    assert_eq!(four.form(0, SWITCHES), Ok(()), "three are");
    // While that cluster runs nobody else can form one.
    assert_eq!(four.lab.form(1, SWITCHES), Err(0));
    assert!(four.lab.nodes[0].up);
    // Its coordinator gone, somebody can.
    four.lab.crash(0);
    assert_eq!(four.lab.form(1, SWITCHES), Ok(()));
}

/// The folder of another host is enough to form, so that without it another node can: no regroup tells.
#[test]
fn who_formed_with_folders_alone_stops_when_it_reaches_too_few() {
    let mut three = cluster(3, 1);
    three.lab.unreachable = vec![1];
    assert_eq!(three.form(0, SWITCHES), Ok(()));
    three.lab.run(SimDuration::from_secs(90));
    let halted = |three: &Cluster| {
        let lost = Notice::Halt(HaltReason::LostQuorum);
        three.lab.nodes[0].notices.iter().any(|(_, notice)| *notice == lost)
    };
    assert!(!halted(&three), "two of three are enough");
    three.lab.unreachable = vec![1, 2];
    three.lab.run(SimDuration::from_secs(90));
    assert!(halted(&three));

    // A change that cannot be written tells at once, before another node can have won.
    let mut three = cluster(3, 2);
    three.lab.unreachable = vec![1];
    assert_eq!(three.form(0, SWITCHES), Ok(()));
    three.lab.run(SimDuration::from_secs(31));
    three.lab.unreachable = vec![1, 2];
    assert!(three.commit(20).is_err());
    three.lab.run(SimDuration::from_secs(2));
    assert!(halted(&three), "not only after the next round");
}

#[test]
fn of_two_that_form_at_once_one_wins_at_most() {
    let mut won = 0;
    for seed in 0..200 {
        let mut five = cluster(5, seed);
        let mut chance = Streams::new(seed).stream("two");
        five.lab.unreachable = (0..5).filter(|_| chance.below(5) == 0).collect();
        for node in 0..3 {
            five.lab.boot(node, SWITCHES);
            let members = NodeSet::only(NodeId(node as u8 + 1));
            five.lab.act(node, |it, step| it.quorum.arbitrate((members, 0), &mut it.disks, step));
            five.lab.run(chance.duration(SimDuration::ZERO, SimDuration::from_millis(4)));
        }
        five.lab.run(SimDuration::from_secs(60));
        let winners = five.lab.nodes.iter().filter(|node| {
            node.notices.iter().any(|(_, n)| *n == Notice::Arbitrated { won: true })
        });
        let winners = winners.count();
        assert!(winners <= 1, "seed {seed}");
        won += winners;
    }
    assert!(won > 20, "{won}");
}

/// Three nodes; power fails at each write, a replica's own included. Afterwards any two hosts are enough.
#[test]
fn any_majority_of_replicas_tells_everything_that_was_logged() {
    let story = |cluster: &mut Cluster| {
        cluster.form(0, SWITCHES).ok()?;
        for _ in 0..3 {
            cluster.commit(20).ok()?;
        }
        cluster.join(1).then_some(())?;
        for _ in 0..8 {
            cluster.commit(100).ok()?;
        }
        cluster.lose(1).then_some(())?;
        cluster.commit(20).ok()
    };
    let mut whole = cluster(3, 1);
    assert_eq!(story(&mut whole), Some(()));
    let writes = whole.lab.writes;
    assert!(writes > 50, "{writes}");
    for write in 1..=writes {
        for (tear, away) in [(Tear::Nothing, 0), (Tear::Whole, 1), (Tear::Whole, 2)] {
            let mut cut = cluster(3, 1);
            cut.lab.cut = Some((write, tear));
            let _ = story(&mut cut);
            cut.lab.blackout();
            let must = cut.must;
            for (former, away) in [((away + 1) % 3, away), (away, (away + 2) % 3)] {
                cut.lab.unreachable = vec![away];
                let when = format!("write {write}, {tear:?}, {former} without {away}");
                assert_eq!(cut.form(former, SWITCHES), Ok(()), "{when}");
                let state = cut.state(former);
                assert!(state.is_some_and(|state| state >= must), "{state:?} of {must}: {when}");
                cut.lab.blackout();
            }
        }
    }
}

/// The coordinator dies; the next one goes on with the replicas.
#[test]
fn another_coordinator_goes_on() {
    let mut three = cluster(3, 1);
    assert_eq!(three.form(0, SWITCHES), Ok(()));
    assert!(three.join(1) && three.join(2));
    three.commit(20).expect("it is not logged");
    three.lab.crash(0);
    let left: NodeSet = [NodeId(2), NodeId(3)].into_iter().collect();
    for node in 1..3 {
        three.lab.act(node, |it, step| {
            it.quorum.set_owner(Some(NodeId(2)), step);
            it.quorum.members_changed((left, 1), &it.database, step);
        });
    }
    three.lab.run(SimDuration::from_secs(1));
    three.lab.blackout();
    assert_eq!(three.form(0, SWITCHES), Ok(()));
    assert_eq!(three.state(0), Some(1), "the checkpoint of the new coordinator");
}

/// Another host is away each time: the newest of a majority is read, whatever the others kept.
#[test]
fn hosts_come_and_go_and_the_newest_replica_is_read() {
    let mut three = cluster(3, 1);
    for round in 0..9 {
        let (former, away) = ([0, 1, 2][round % 3], [2, 0, 1][round % 3]);
        three.lab.unreachable = vec![away];
        assert_eq!(three.form(former, SWITCHES), Ok(()), "round {round}");
        assert_eq!(three.state(former), Some(three.must), "round {round}");
        // The first coordinator writes far more than those after it.
        for _ in 0..if round == 0 { 30 } else { 2 } {
            three.commit(20).expect("two of three are there");
        }
        three.lab.blackout();
    }
}
