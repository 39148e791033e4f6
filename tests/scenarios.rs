//! Every shipped scenario runs to its end, every expectation of it holds, it runs the same way twice, and
//! on every build the way that `tests/digests.txt` says.
//!
//! Two threads share the scenarios. What fails is listed with its reason, all of it, at the end.

mod lab;

use lab::digests::{Outcome, Run, compare, on_two_threads};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use winstorm::explore::{RunOptions, run};
use winstorm::measure::{RunResult, Verdict};
use winstorm::scenario::{Plan, load_file};

/// Scenarios with more hosts run a second time only in an optimized build: the storm of 5,000 would take
/// a minute here.
const HOSTS_TWICE_MAX: usize = 2_000;

/// What a line of `tests/digests.txt` about a whole run says instead of a time.
const END: &str = "end";

/// A scenario that must be refused: `tests/scenario_files.rs` looks at how.
const REFUSED: &str = "scenarios/cluster/nt40-refuses-wins.toml";

fn shipped() -> Vec<PathBuf> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).expect("scenarios/ is there") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|e| e == "toml") {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(Path::new("scenarios"), &mut found);
    found.retain(|path| path != Path::new(REFUSED));
    found.sort();
    found
}

fn once(name: &str, plan: &Arc<Plan>) -> RunResult {
    run(name, plan, RunOptions::default()).expect("a plan without mistakes makes a world")
}

/// What is wrong with a scenario, in words, and how its run came out.
fn examine(path: &Path) -> (Vec<String>, Option<(Run, Outcome)>) {
    let name = path.display().to_string();
    let plan = match load_file(path, &[]) {
        Ok(plan) => Arc::new(plan),
        Err(mistakes) => return (vec![format!("{name}:\n{mistakes}")], None),
    };
    let result = once(&name, &plan);
    let mut wrong = Vec::new();
    for expectation in result.expectations.iter().filter(|e| e.verdict != Verdict::Pass) {
        let (verdict, detail) = (expectation.verdict, &expectation.detail);
        wrong.push(format!("{name}: \"{}\": {verdict:?}: {detail}", expectation.name));
    }
    if result.expectations.is_empty() {
        wrong.push(format!("{name} expects nothing"));
    }
    if plan.hosts.len() <= HOSTS_TWICE_MAX || !cfg!(debug_assertions) {
        let again = once(&name, &plan);
        if again.digest != result.digest || again.host_digests != result.host_digests {
            let digests = [result.digest, again.digest];
            wrong.push(format!("{name} ran differently the second time: {digests:016x?}"));
        }
        if again.measures != result.measures || again.expectations != result.expectations {
            wrong.push(format!("{name} was measured differently the second time"));
        }
    }
    let run = (name, END.to_string(), result.seed);
    (wrong, Some((run, (result.events, result.digest))))
}

#[test]
fn every_shipped_scenario_holds_and_is_reproducible() {
    let files = shipped();
    assert!(files.len() >= 9, "only {} scenarios found", files.len());
    let (mut wrong, mut outcomes) = (Vec::new(), BTreeMap::new());
    for (complaints, outcome) in on_two_threads(&files, |path| examine(path)) {
        wrong.extend(complaints);
        outcomes.extend(outcome);
    }
    wrong.extend(compare(&outcomes, |(_, until, _)| until == END));
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}
