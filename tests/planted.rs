//! A mistake that is planted into the cluster service is found, by the rule that is there for it; the same
//! history without it breaks nothing. How many seeds a sweep takes to find each is in `results/`.

use std::path::Path;
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
