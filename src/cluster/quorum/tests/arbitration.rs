//! Challenge and defence with random phases, pauses and resets.

use super::lab::*;
use crate::base::{SimDuration, SimTime, Streams};
use crate::cluster::ids::*;
use crate::cluster::io::*;
use crate::cluster::profile::ClusterProfile;
use crate::cluster::step::Notice;

/// How one game between a defender (node 1) and challengers ended.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Ended {
    /// Who said they won, and when.
    winners: Vec<(usize, SimTime)>,
    /// Who was told to halt because the quorum is lost.
    halted: Vec<(usize, SimTime)>,
    reserved: Option<usize>,
}

/// A defender that holds the quorum, mounted; challengers begin at random times, and everyone may arbitrate.
/// `pause` is how long the defender sleeps, from shortly before the first challenge.
fn play(seed: u64, profile: ClusterProfile, challengers: usize, pause: SimDuration) -> Ended {
    let mut chance = Streams::new(seed).stream("arbitration");
    let phases: Vec<SimDuration> =
        (0..8).map(|_| chance.duration(SimDuration::ZERO, SimDuration::from_secs(8))).collect();
    let mut lab = Lab::new(config(4, profile), chance);
    assert_eq!(lab.form(0, StartSwitches::default()), Ok(()));
    (1..=challengers).for_each(|node| lab.boot(node, StartSwitches::default()));
    for node in 0..=challengers {
        let all: NodeSet = (1..=challengers as u8 + 1).map(NodeId).collect();
        lab.act(node, |it, step| it.quorum.members_changed((all, 1), &it.database, step));
    }
    lab.run(SimDuration::from_secs(10) + SimDuration(phases[7].0 % 3_000_000_000));
    lab.nodes.iter_mut().for_each(|node| node.notices.clear());
    if !pause.is_zero() {
        lab.pause(0, pause);
        // A renewal on its way to the bus when the owner fell asleep is to arrive before the first reset.
        lab.run(SimDuration::from_millis(10));
    }
    let start = lab.now;
    // The first challenger begins at once; others, and the defender, follow when they notice.
    let mut begins: Vec<(SimTime, usize)> = vec![(start + phases[0], 0), (start, 1)];
    begins.extend((2..=challengers).map(|node| (start + phases[node], node)));
    begins.sort();
    for (at, node) in begins {
        lab.run(at.since(lab.now));
        let members = NodeSet::only(NodeId(node as u8 + 1));
        if !lab.is_paused(node) {
            lab.act(node, |it, step| it.quorum.arbitrate((members, 0), &mut it.disks, step));
        }
    }
    lab.run(SimDuration::from_secs(90));
    let mut ended = Ended { reserved: lab.reserved.get(&0).copied(), ..Ended::default() };
    for (number, node) in lab.nodes.iter().enumerate() {
        for (at, notice) in &node.notices {
            match notice {
                Notice::Arbitrated { won: true } => ended.winners.push((number, *at)),
                Notice::Halt(HaltReason::LostQuorum) => ended.halted.push((number, *at)),
                _ => {}
            }
        }
    }
    ended
}

#[test]
fn an_owner_that_lives_always_wins_and_nobody_else_does() {
    for seed in 0..500 {
        for (profile, challengers) in [
            (ClusterProfile::w2k(1), 1),
            (ClusterProfile::w2k(1), 2),
            (ClusterProfile::w2k3(1), 3),
            (ClusterProfile::nt40(6), 1),
        ] {
            let version = profile.version;
            let ended = play(seed, profile, challengers, SimDuration::ZERO);
            let winners: Vec<usize> = ended.winners.iter().map(|w| w.0).collect();
            assert_eq!(winners, [0], "seed {seed}, {version:?}, {challengers}: {ended:?}");
            assert_eq!(ended.halted, [], "seed {seed}, {version:?}");
            assert_eq!(ended.reserved, Some(0), "seed {seed}, {version:?}");
        }
    }
}

#[test]
fn an_owner_paused_longer_than_the_window_loses_to_one_winner() {
    for seed in 0..400 {
        for challengers in 1..=3 {
            let pause = SimDuration::from_secs(40);
            let ended = play(seed, ClusterProfile::w2k(1), challengers, pause);
            let winners: Vec<usize> = ended.winners.iter().map(|w| w.0).collect();
            assert_eq!(winners.len(), 1, "seed {seed}: {ended:?}");
            assert_ne!(winners, [0], "seed {seed}: {ended:?}");
            let halted: Vec<usize> = ended.halted.iter().map(|h| h.0).collect();
            assert_eq!(halted, [0], "seed {seed}: the owner learns it when it wakes");
        }
    }
}

/// Pauses of any length: whoever wins, there is never a second winner whose reservation stands.
#[test]
fn two_never_hold_the_quorum_whatever_the_pause() {
    for seed in 0..400 {
        let pause = SimDuration::from_millis(seed * 17 % 12_000);
        for challengers in 1..=2 {
            let ended = play(seed, ClusterProfile::w2k(4), challengers, pause);
            let held: Vec<usize> = ended
                .winners
                .iter()
                .map(|w| w.0)
                .filter(|w| ended.halted.iter().all(|h| h.0 != *w))
                .collect();
            assert!(held.len() <= 1, "seed {seed}: {ended:?}");
        }
    }
}

#[test]
fn a_hasty_challenger_is_caught() {
    let mut profile = ClusterProfile::w2k(1);
    profile.planted.hasty_challenger = true;
    let two = (0..200).filter(|seed| {
        let ended = play(*seed, profile.clone(), 1, SimDuration::ZERO);
        ended.halted.iter().any(|h| h.0 == 0)
    });
    assert!(two.count() > 50, "a live owner loses its quorum");
}

/// Without minding other resets, a second challenger's reset at the wrong time robs an owner that lives.
#[test]
fn two_challengers_need_to_mind_each_others_resets() {
    let mut profile = ClusterProfile::w2k(1);
    profile.challenger_minds_resets = false;
    let robbed = (0..500).filter(|seed| {
        play(*seed, profile.clone(), 2, SimDuration::ZERO).halted.iter().any(|h| h.0 == 0)
    });
    assert!(robbed.count() > 0);
}

#[test]
fn the_owner_decides_at_once_on_nt40_and_after_the_shortest_time_on_w2k() {
    let decides = |profile: ClusterProfile| {
        let mut lab = Lab::new(config(2, profile), Streams::new(1).stream("decides"));
        assert_eq!(lab.form(0, StartSwitches::default()), Ok(()));
        lab.run(SimDuration::from_secs(20));
        let start = lab.now;
        let members = NodeSet::only(NodeId(1));
        lab.act(0, |it, step| it.quorum.arbitrate((members, 0), &mut it.disks, step));
        let won =
            lab.wait(0, SimDuration::from_secs(30), |n| matches!(n, Notice::Arbitrated { .. }));
        assert_eq!(won, Some(Notice::Arbitrated { won: true }));
        lab.now.since(start)
    };
    assert!(decides(ClusterProfile::nt40(6)) < SimDuration::from_millis(20));
    assert!(decides(ClusterProfile::w2k(0)) < SimDuration::from_millis(20));
    let w2k = decides(ClusterProfile::w2k(1));
    assert!(w2k >= SimDuration::from_secs(7) && w2k < SimDuration::from_secs(8), "{w2k}");
}

/// Q289863: on NT 4.0 the owner of the quorum takes the other's data disk while that still thinks it its own,
/// and the other takes it back by force.
#[test]
fn the_window_of_nt40_is_open_and_that_of_w2k_is_closed() {
    let fight = |profile: ClusterProfile| {
        let mut lab = Lab::new(config(2, profile), Streams::new(5).stream("fight"));
        assert_eq!(lab.form(0, StartSwitches::default()), Ok(()));
        lab.boot(1, StartSwitches::default());
        let both: NodeSet = [NodeId(1), NodeId(2)].into_iter().collect();
        for node in 0..2 {
            lab.act(node, |it, step| it.quorum.members_changed((both, 1), &it.database, step));
        }
        lab.act(1, |it, step| it.disks.take(DATA_DISK, false, true, step));
        lab.run(SimDuration::from_secs(20));
        assert!(lab.nodes[1].disks.is_mounted(DATA_DISK));
        // The nodes do not hear each other any more; both arbitrate.
        for node in 0..2 {
            let members = NodeSet::only(NodeId(node as u8 + 1));
            lab.act(node, |it, step| it.quorum.arbitrate((members, 0), &mut it.disks, step));
        }
        let decided = |n: &Notice| matches!(n, Notice::Arbitrated { won: true });
        assert!(lab.wait(0, SimDuration::from_secs(30), decided).is_some());
        lab.act(0, |it, step| it.disks.take(DATA_DISK, false, true, step));
        // The loser halts when it has lost; until then it goes on.
        let mut both_think = SimDuration::ZERO;
        for _ in 0..400 {
            let (before, lost) = (lab.now, |n: &Notice| matches!(n, Notice::Arbitrated { .. }));
            if lab.nodes[1].notices.iter().any(|(_, n)| lost(n)) && lab.nodes[1].up {
                lab.act(1, |_, step| step.notice(Notice::Halt(HaltReason::LostArbitration)));
            }
            lab.run(SimDuration::from_millis(50));
            if (0..2).all(|node| lab.nodes[node].disks.is_mounted(DATA_DISK)) {
                both_think += lab.now.since(before);
            }
        }
        (both_think, lab.nodes[0].disks.is_mounted(DATA_DISK))
    };
    let (nt40, _) = fight(ClusterProfile::nt40(6));
    assert!(nt40 > SimDuration::from_secs(1), "the unsafe window: {nt40}");
    assert_eq!(fight(ClusterProfile::w2k(1)), (SimDuration::ZERO, true));
}

/// Q248663: a node that boots with a dead interconnect takes the quorum from a running one.
#[test]
fn a_booting_node_takes_the_quorum_on_nt40_only() {
    let boot = |profile: ClusterProfile| {
        let mut lab = Lab::new(config(2, profile), Streams::new(3).stream("boot"));
        assert_eq!(lab.form(0, StartSwitches::default()), Ok(()));
        lab.run(SimDuration::from_secs(30));
        let formed = lab.form(1, StartSwitches::default()).is_ok();
        lab.run(SimDuration::from_secs(5));
        (formed, lab.nodes[0].up)
    };
    assert_eq!(boot(ClusterProfile::nt40(6)), (true, false));
    assert_eq!(boot(ClusterProfile::w2k(0)), (false, true));
}

#[test]
fn an_isolated_owner_of_w2k3_yields_and_one_of_w2k_does_not() {
    let isolated = |profile: ClusterProfile, challenged: bool| {
        let mut setup = config(2, profile);
        setup.networks = vec![crate::cluster::NetworkConfig {
            name: "Public".into(),
            role: crate::cluster::NetworkRole::All,
        }];
        let address = Some(std::net::Ipv4Addr::new(10, 0, 0, 1));
        setup.nodes.iter_mut().for_each(|node| node.addresses = vec![address]);
        let mut lab = Lab::new(setup, Streams::new(9).stream("isolated"));
        assert_eq!(lab.form(0, StartSwitches::default()), Ok(()));
        lab.boot(1, StartSwitches::default());
        let both: NodeSet = [NodeId(1), NodeId(2)].into_iter().collect();
        for node in 0..2 {
            lab.act(node, |it, step| it.quorum.members_changed((both, 1), &it.database, step));
        }
        lab.nodes[0].quorum.interface(NetworkId(0), false);
        for node in 0..1 + usize::from(challenged) {
            let members = NodeSet::only(NodeId(node as u8 + 1));
            lab.act(node, |it, step| it.quorum.arbitrate((members, 0), &mut it.disks, step));
        }
        lab.run(SimDuration::from_secs(60));
        lab.reserved.get(&0).copied()
    };
    assert_eq!(isolated(ClusterProfile::w2k(4), true), Some(0));
    assert_eq!(isolated(ClusterProfile::w2k3(1), true), Some(1));
    assert_eq!(isolated(ClusterProfile::w2k3(1), false), Some(0), "nobody wanted it");
}

#[test]
fn nobody_waits_for_a_node_that_announced_its_shutdown() {
    let mut lab = Lab::new(config(2, ClusterProfile::w2k3(1)), Streams::new(4).stream("announced"));
    assert_eq!(lab.form(0, StartSwitches::default()), Ok(()));
    let both: NodeSet = [NodeId(1), NodeId(2)].into_iter().collect();
    lab.act(0, |it, step| it.quorum.members_changed((both, 1), &it.database, step));
    lab.nodes[0].quorum.announced_shutdown(NodeId(2));
    let start = lab.now;
    let alone = NodeSet::only(NodeId(1));
    lab.act(0, |it, step| it.quorum.arbitrate((alone, 0), &mut it.disks, step));
    let won = lab.wait(0, SimDuration::from_secs(30), |n| matches!(n, Notice::Arbitrated { .. }));
    assert_eq!(won, Some(Notice::Arbitrated { won: true }));
    assert!(lab.now.since(start) < SimDuration::from_millis(20));
}

#[test]
fn a_survivor_takes_the_data_disks_of_a_dead_node_with_one_reset() {
    let resets = |profile: ClusterProfile| {
        let mut lab = Lab::new(config(2, profile), Streams::new(2).stream("survivor"));
        lab.boot(0, StartSwitches::default());
        lab.boot(1, StartSwitches::default());
        for disk in [QUORUM_DISK, DATA_DISK] {
            lab.act(0, |it, step| it.disks.take(disk, false, true, step));
        }
        lab.run(SimDuration::from_secs(10));
        lab.crash(0);
        for disk in [QUORUM_DISK, DATA_DISK] {
            lab.act(1, |it, step| it.disks.take(disk, false, true, step));
        }
        lab.run(SimDuration::from_secs(15));
        assert!(lab.nodes[1].disks.is_mounted(QUORUM_DISK));
        assert!(lab.nodes[1].disks.is_mounted(DATA_DISK));
        lab.resets()
    };
    assert_eq!(resets(ClusterProfile::w2k(4)), 1);
    assert_eq!(resets(ClusterProfile::nt40(4)), 2, "Q234544");
}

#[test]
fn a_disk_of_a_live_owner_is_not_to_be_had() {
    let mut lab = Lab::new(config(2, ClusterProfile::w2k(4)), Streams::new(2).stream("live"));
    for node in 0..2 {
        lab.boot(node, StartSwitches::default());
        lab.act(node, |it, step| it.disks.take(DATA_DISK, false, true, step));
        lab.run(SimDuration::from_secs(30));
    }
    assert!(lab.nodes[0].disks.is_mounted(DATA_DISK));
    let refused = Notice::DiskOnline { disk: DATA_DISK, ok: false };
    assert!(lab.nodes[1].notices.iter().any(|(_, n)| *n == refused));
    // Given back in order, it is.
    lab.act(0, |_, step| step.notice(Notice::GiveDisk { disk: DATA_DISK, orderly: true }));
    lab.run(SimDuration::from_secs(1));
    lab.act(1, |it, step| it.disks.take(DATA_DISK, false, true, step));
    lab.run(SimDuration::from_secs(1));
    assert!(lab.nodes[1].disks.is_mounted(DATA_DISK) && !lab.nodes[0].disks.is_held(DATA_DISK));
}

#[test]
fn a_bus_that_fails_ends_the_service_of_the_owner() {
    let mut lab = Lab::new(config(2, ClusterProfile::w2k(4)), Streams::new(2).stream("bus"));
    assert_eq!(lab.form(0, StartSwitches::default()), Ok(()));
    lab.run(SimDuration::from_secs(10));
    lab.broken = true;
    lab.run(SimDuration::from_secs(4));
    assert!(!lab.nodes[0].up);
    assert!(lab.events(0).contains(&1036));
}
