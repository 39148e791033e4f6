//! Whole clusters in a laboratory: join, form, move, failover, and what may never be.

mod lab;

use super::*;
use crate::base::SimDuration;
use lab::{Lab, config};

fn secs(seconds: u64) -> SimDuration {
    SimDuration::from_secs(seconds)
}

fn running(nodes: usize, groups: usize, profile: ClusterProfile, seed: u64) -> Lab {
    let mut lab = Lab::new(config(nodes, groups, profile), seed);
    lab.verbose = std::env::var("LAB").is_ok();
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
