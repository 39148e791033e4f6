//! A mistake that is planted into the cluster service is found, by the rule that is there for it; the same
//! history without it breaks nothing. How many seeds a sweep takes to find each is in `results/`.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use winstorm::explore::{RunOptions, run};
use winstorm::measure::Verdict;
use winstorm::scenario::load_file;

const SCENARIO: &str = "scenarios/cluster/planted-bugs.toml";

/// What a run with this mistake found: nothing, or the rule that was broken first.
fn finds(planted: &str, seed: u64) -> Option<String> {
    let overrides = [format!("vary.planted={planted}")];
    let plan = load_file(Path::new(SCENARIO), &overrides).expect("the scenario is sound");
    let options = RunOptions { seed: Some(seed), ..RunOptions::default() };
    let result = run(SCENARIO, &Arc::new(plan), options).expect("the plan makes a world");
    let failed = result.expectations.iter().find(|e| e.verdict == Verdict::Fail)?;
    Some(failed.detail.split(' ').next().unwrap_or_default().to_owned())
}

/// Found at this seed by this rule, and nothing at this seed without it.
fn is_found(planted: &str, seed: u64, rule: &str) {
    assert_eq!(finds("nothing", seed), None, "{planted}: seed {seed} without it");
    assert_eq!(finds(planted, seed).as_deref(), Some(rule), "{planted}: seed {seed}");
}

#[test]
fn a_watch_that_is_armed_after_the_save_loses_changes() {
    is_found("late-rearm", 1, "changes-are-saved");
}

#[test]
fn keys_restored_after_the_start_come_too_late() {
    is_found("restore-after-online", 1, "restored-before-start");
}

#[test]
fn a_replay_that_keeps_the_earlier_of_two_records_loses_what_was_confirmed() {
    is_found("keeps-earlier-record", 4, "nothing-committed-lost");
}

#[test]
fn a_challenger_that_does_not_wait_takes_the_quorum_from_a_live_owner() {
    is_found("hasty-challenger", 1, "one-holder");
}

#[test]
fn survivors_part_when_nobody_finishes_what_the_locker_began() {
    is_found("no-locker-succession", 2, "update-order");
}

/// The text of the scenario without what it expects.
fn expecting_nothing() -> String {
    let text = std::fs::read_to_string(SCENARIO).expect("the scenario is there");
    let expected = "[[expect]]\nalways = \"no rule of a cluster is broken\"\nno_violation = true\n";
    assert_eq!(text.matches("[[expect]]").count(), 1, "it expects one thing");
    let without = text.replace(expected, "");
    assert!(!without.contains("violation") && !without.contains("[[expect]]"), "{without}");
    without
}

/// Whoever writes a scenario need not know the rules: one that is broken fails it, asked for or not.
#[test]
fn a_broken_rule_fails_a_scenario_that_expects_nothing() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("expects-nothing.toml");
    std::fs::write(&file, expecting_nothing()).expect("a new file");
    for (planted, code) in [("nothing", 0), ("late-rearm", 1)] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_winstorm"));
        command.arg("run").arg(&file).args(["--seed", "1", "--set"]);
        let output =
            command.arg(format!("vary.planted={planted}")).output().expect("the program starts");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(code), "{planted}:\n{said}");
        let named = said.contains("FAIL  mars: changes-are-saved");
        assert_eq!(named, code == 1, "{planted}: the rule is named if it is broken:\n{said}");
    }
}
