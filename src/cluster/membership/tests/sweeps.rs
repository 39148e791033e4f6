//! Thousands of seeds: whatever fails, the survivors agree, hear each other, and are one cluster.

use super::lab::*;
use crate::base::SimDuration;
use crate::cluster::ids::{NodeId, NodeSet};
use crate::cluster::profile::ClusterProfile;

fn profile(nodes: u8) -> ClusterProfile {
    if nodes > 4 { ClusterProfile::w2k3(1) } else { ClusterProfile::w2k(3) }
}

fn assembled(seed: u64, nodes_max: u64) -> Lab {
    let mut shape = crate::base::Streams::new(seed).stream("shape");
    let nodes = shape.between(2, nodes_max) as u8;
    let networks = shape.between(1, 2) as u8;
    let mut lab = Lab::new(nodes, networks, profile(nodes), seed);
    lab.snapshot = 3000;
    let mut lab = lab.assembled();
    lab.loss = [0, 0, 10, 50, 100][shape.below(5) as usize];
    lab.duplicates = lab.loss;
    lab.run(SimDuration(shape.below(5_000_000_000)));
    lab
}

/// A random pair of nodes that are not one.
fn pair(lab: &mut Lab) -> (u8, u8) {
    let nodes = lab.nodes.len() as u64;
    let a = lab.chance.between(1, nodes) as u8;
    let b = lab.chance.between(1, nodes - 1) as u8;
    (a, if b >= a { b + 1 } else { b })
}

/// One random fault.
fn fault(lab: &mut Lab) {
    let (a, b) = pair(lab);
    let up = lab.node(a).up;
    match lab.chance.below(9) {
        0 if up => lab.crash(a),
        1 | 2 if !up => lab.start(a),
        1 if lab.node(a).paused => lab.pause(a, false),
        1 if up => lab.pause(a, true),
        2 | 3 => {
            for network in 0..lab.config.networks.len() as u8 {
                lab.cut(network, a, b);
            }
        }
        4 => {
            let network = lab.chance.below(lab.config.networks.len() as u64) as u8;
            lab.cut(network, a, b);
            lab.cut(network, b, a);
        }
        5 => {
            let nodes = lab.nodes.len() as u8;
            let side: Vec<u8> = (1..=nodes).filter(|_| lab.chance.below(2) == 0).collect();
            let other: Vec<u8> = (1..=nodes).filter(|n| !side.contains(n)).collect();
            lab.split(&side, &other);
        }
        6 => lab.cuts.clear(),
        7 if up && !lab.node(a).paused => {
            lab.act(NodeId(a), |membership, step| membership.leave(step));
            lab.again(NodeId(a));
        }
        _ => {}
    }
}

/// Every member of what a node believes in believes in the same, and no two believe in different clusters.
fn agree(lab: &Lab) -> bool {
    let alive = lab.alive();
    alive.iter().all(|node| lab.members(node.0) == alive)
}

#[test]
fn after_any_faults_all_come_together_again() {
    for seed in 0..600 {
        let mut lab = assembled(seed, 5);
        lab.restart = Some(secs(3));
        for _ in 0..lab.chance.between(1, 8) {
            fault(&mut lab);
            let span = lab.chance.duration(millis(1), secs(12));
            lab.run(span);
        }
        lab.cuts.clear();
        lab.loss = lab.loss.min(50);
        for n in 1..=lab.nodes.len() as u8 {
            if !lab.node(n).up {
                lab.start(n);
            } else if lab.node(n).paused {
                lab.pause(n, false);
            }
        }
        let all: NodeSet = lab.config.node_ids().collect();
        let together = |lab: &Lab| lab.alive() == all && agree(lab);
        let came = lab.run_until(secs(300), together);
        let seen: Vec<_> = lab.nodes.iter().map(|n| (n.membership.members(), n.halted)).collect();
        assert!(came, "seed {seed}: {seen:?}");
        lab.loss = 0;
        lab.run(secs(30));
        assert!(together(&lab), "seed {seed}: apart again");
    }
}

#[test]
fn survivors_of_lasting_faults_are_one_clique() {
    let mut ends = [0; 6];
    for seed in 0..600 {
        let mut lab = assembled(seed, 5);
        lab.loss = lab.loss.min(10);
        for _ in 0..lab.chance.between(1, 3) {
            let (a, _) = pair(&mut lab);
            if lab.chance.below(4) == 0 {
                lab.crash(a);
            } else if lab.chance.below(5) > 0 {
                let (a, b) = pair(&mut lab);
                let both = lab.chance.below(2) == 0;
                for network in 0..lab.config.networks.len() as u8 {
                    lab.cut(network, a, b);
                    if both {
                        lab.cut(network, b, a);
                    }
                }
            } else {
                let nodes = lab.nodes.len() as u8;
                let side: Vec<u8> = (1..=nodes).filter(|_| lab.chance.below(2) == 0).collect();
                let other: Vec<u8> = (1..=nodes).filter(|n| !side.contains(n)).collect();
                lab.split(&side, &other);
            }
            let span = lab.chance.duration(millis(1), secs(9));
            lab.run(span);
        }
        lab.run(secs(120));
        let alive = lab.alive();
        assert!(agree(&lab), "seed {seed}: {alive:?}");
        for (a, b) in alive.iter().flat_map(|a| alive.iter().map(move |b| (a, b))) {
            assert!(a == b || lab.can_talk(a, b), "seed {seed}: {a:?} and {b:?} cannot talk");
        }
        let up: NodeSet =
            lab.config.node_ids().filter(|n| lab.nodes[n.0 as usize - 1].up).collect();
        assert!(up.is_empty() || !alive.is_empty(), "seed {seed}: nobody survives of {up:?}");
        ends[alive.len()] += 1;
    }
    assert!(ends[1..5].iter().all(|&n| n > 50), "clusters of all sizes survive: {ends:?}");
}
