//! Every shipped scenario runs to its end, every expectation of it holds, and it runs the same way twice.
//!
//! Two threads share the scenarios. What fails is listed with its reason, all of it, at the end.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use winstorm::explore::{RunOptions, run};
use winstorm::measure::{RunResult, Verdict};
use winstorm::scenario::{Plan, load_file};

/// Scenarios with so many hosts that a second run would cost an unoptimized build too much.
const HOSTS_TWICE_MAX: usize = 2_000;

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
    found.sort();
    found
}

fn once(name: &str, plan: &Arc<Plan>) -> RunResult {
    run(name, plan, RunOptions::default()).expect("a plan without mistakes makes a world")
}

/// What is wrong with a scenario, in words.
fn complaints(path: &Path) -> Vec<String> {
    let name = path.display().to_string();
    let plan = match load_file(path, &[]) {
        Ok(plan) => Arc::new(plan),
        Err(mistakes) => return vec![format!("{name}:\n{mistakes}")],
    };
    let result = once(&name, &plan);
    let mut out = Vec::new();
    for expectation in result.expectations.iter().filter(|e| e.verdict != Verdict::Pass) {
        let (verdict, detail) = (expectation.verdict, &expectation.detail);
        out.push(format!("{name}: \"{}\": {verdict:?}: {detail}", expectation.name));
    }
    if result.expectations.is_empty() {
        out.push(format!("{name} expects nothing"));
    }
    if plan.hosts.len() <= HOSTS_TWICE_MAX || !cfg!(debug_assertions) {
        let again = once(&name, &plan);
        if again.digest != result.digest || again.host_digests != result.host_digests {
            out.push(format!(
                "{name} ran differently the second time: {:016x}, then {:016x}",
                result.digest, again.digest
            ));
        }
        if again.measures != result.measures || again.expectations != result.expectations {
            out.push(format!("{name} was measured differently the second time"));
        }
    }
    out
}

#[test]
fn every_shipped_scenario_holds_and_is_reproducible() {
    let files = shipped();
    assert!(files.len() >= 9, "only {} scenarios found", files.len());
    let next = AtomicUsize::new(0);
    let work = || {
        let mut found = Vec::new();
        while let Some(path) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
            found.extend(complaints(path));
        }
        found
    };
    let mut all = std::thread::scope(|scope| {
        let threads = [scope.spawn(work), scope.spawn(work)];
        threads.map(|thread| thread.join().expect("no panic in a run")).concat()
    });
    all.sort();
    assert!(all.is_empty(), "\n{}\n", all.join("\n"));
}
