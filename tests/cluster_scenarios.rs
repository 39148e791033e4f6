//! Clusters in scenarios: a file with a cluster runs, is judged, and runs the same way twice.

use std::path::Path;
use std::sync::Arc;
use winstorm::base::{SimDuration, SimTime};
use winstorm::explore::{RunOptions, run};
use winstorm::measure::{RunResult, Verdict};
use winstorm::scenario::{load, load_file};

fn run_file(overrides: &[String]) -> RunResult {
    let plan = load_file(Path::new("scenarios/cluster/failover.toml"), overrides)
        .unwrap_or_else(|mistakes| panic!("{mistakes}"));
    run("failover.toml", &Arc::new(plan), RunOptions::default()).expect("it holds together")
}

#[test]
fn a_cluster_survives_a_power_cut_and_is_measured() {
    let result = run_file(&[]);
    let story = result.notable.iter().map(|n| format!("{} {} {}\n", n.at, n.who, n.what));
    let story: String = story.collect();
    for expectation in &result.expectations {
        assert_eq!(expectation.verdict, Verdict::Pass, "{expectation:?}\n{story}");
    }
    let measure = |name: &str| {
        let found = result.measures.iter().find(|m| m.name == name);
        found.unwrap_or_else(|| panic!("{name} is not measured")).clone()
    };
    assert!(measure("cluster.downtime").n >= 2, "{story}");
    assert!(measure("cluster.detect").max > 5.0);
    assert!(measure("cluster.checkpoint_saves").max > 100.0);
    assert_eq!(measure("cluster.breaches").max, 0.0);
    assert!(result.series.iter().any(|series| series.chart == "owners-mars"));
}

#[test]
fn the_same_seed_gives_the_same_cluster_twice() {
    assert_eq!(run_file(&[]).digest, run_file(&[]).digest);
}

/// Node 2 moves the quorum away in the middle of a regroup that rests on its having won it: with the disk
/// given back at once, the other half of the cut cluster wins it too.
#[test]
fn a_quorum_that_is_moved_in_the_middle_of_a_regroup_has_one_owner() {
    let file = Path::new("scenarios/cluster/swarm-four-nodes.toml");
    let plan = load_file(file, &[]).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    let until = Some(SimTime::ZERO + SimDuration::from_mins(16));
    let options = RunOptions { seed: Some(5), until, ..RunOptions::default() };
    let result = run("swarm-four-nodes.toml", &Arc::new(plan), options).expect("it holds together");
    let broken = result.measures.iter().find(|m| m.name == "cluster.breaches");
    assert_eq!(broken.map(|m| m.max), Some(0.0));
}

/// A sweep can be tabulated by what was broken, and by which documented fault explains it.
#[test]
fn broken_rules_and_documented_faults_are_counted_one_by_one() {
    let file = Path::new("scenarios/cluster/split-brain-nt40.toml");
    let plan = load_file(file, &[]).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    let options = RunOptions { seed: Some(1), ..RunOptions::default() };
    let result = run("split-brain-nt40.toml", &Arc::new(plan), options).expect("it runs");
    let counted = |prefix: &str| -> Vec<(String, f64)> {
        let those = result.measures.iter().filter(|m| m.name.starts_with(prefix));
        those.map(|m| (m.name.clone(), m.max)).collect()
    };
    let all = counted("cluster.breaches")[0].1;
    let (broken, quirks) = (counted("cluster.broken."), counted("cluster.quirk."));
    assert!(all > 0.0);
    assert_eq!(broken.iter().map(|(_, n)| n).sum::<f64>(), all, "{broken:?}");
    assert!(broken.iter().any(|(name, _)| name == "cluster.broken.one-writer"), "{broken:?}");
    assert_eq!(quirks, [("cluster.quirk.Q289863".to_string(), all)]);

    let measures = run_file(&[]).measures;
    let named = |part: &str| measures.iter().any(|m| m.name.contains(part));
    assert!(!named(".broken.") && !named(".quirk."), "what never happened is not measured");
}

/// All nodes boot at once; whoever owns the quorum loses power, and comes back.
const MANY: &str = r#"title = "many nodes"
duration = "5min"
subnet = { office = "10.1.0.0/24", heart = "10.9.0.0/24" }
[host."node-{1..NODES}"]
on = "office"
also_on = { heart = "10.9.0.1" }
profile = "w2k3"
boot = "00:00"
service.Inventory.starts_in = "2s"
[cluster.mars]
nodes = "node-*"
STUDY
networks = { office = "all", heart = "internal" }
quorum = "quorum"
address = "10.1.0.140"
disk.quorum = { letter = "Q" }
group.stock.resource.inventory = { type = "generic-service", service = "Inventory" }
[[fault]]
label = "power"
at = "00:02"
lasts = "1min"
power_cut = "quorum-owner"
[[expect]]
goal = "all form one cluster"
nodes_up.at_least = NODES
within = "90s"
[[expect]]
goal = "those that are left take over"
group_online = ["stock", "cluster-group"]
after = "power"
within = "30s"
[[expect]]
goal = "the one that was away joins them"
nodes_up.at_least = NODES
after = "heal of power"
within = "1min"
[[expect]]
always = "no rule of a cluster is broken"
no_violation = true
"#;

#[test]
fn eight_nodes_and_in_a_study_twelve_form_and_survive_the_loss_of_one() {
    for (nodes, study) in [("8", ""), ("12", "study = true")] {
        let text = MANY.replace("NODES", nodes).replace("STUDY", study);
        let none = |file: &str| Err(format!("{file} is no part of this test"));
        let plan = load("many.toml", &text, &[], &none).unwrap_or_else(|why| panic!("{why}"));
        let result = run("many.toml", &Arc::new(plan), RunOptions::default()).expect("it runs");
        for expectation in &result.expectations {
            assert_eq!(expectation.verdict, Verdict::Pass, "{nodes} nodes: {expectation:?}");
        }
        let all: f64 = nodes.parse().expect("a number");
        let count = |name: &str| result.measures.iter().find(|m| m.name == name).map(|m| m.max);
        assert_eq!(count("cluster.formed"), Some(1.0), "one of {nodes} nodes forms");
        assert_eq!(
            count("cluster.joined"),
            Some(all),
            "the others join, and the one that was away"
        );
    }
}
