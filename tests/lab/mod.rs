//! A laboratory for tests of whole runs: small scenarios from their text, and what came of them.

#![allow(dead_code, reason = "each test program uses its part")]

pub mod digests;

use std::sync::Arc;
use winstorm::explore::{self, RunOptions, TraceLine};
use winstorm::measure::{RunResult, Verdict};
use winstorm::scenario::{Plan, load};

/// Two sites, each with a router and a WINS server, the servers partners of each other. Six desks and a
/// file server use wins-a first and wins-b second; the desks look the file server up every minute, without
/// their caches.
pub const SITES: &str = r#"
title = "two sites"
duration = "3h"
[subnet]
north = "10.1.0.0/24"
south = "10.2.0.0/24"
[router]
gate-n = { on = "north" }
gate-s = { on = "south" }
[link.wan]
joins = ["gate-n", "gate-s"]
delay = "10ms"
[host.wins-a]
on = "north"
wins = { partners = ["wins-b"], pull_interval = "10min" }
[host.wins-b]
on = "south"
wins = { partners = ["wins-a"], pull_interval = "10min" }
[host.files]
on = "north"
address = "10.1.0.50"
boot = "1min"
nbt = { servers = ["wins-a", "wins-b"] }
[host."desk-n{1..3}"]
on = "north"
boot = "1min"
nbt = { servers = ["wins-a", "wins-b"] }
[host."desk-s{1..3}"]
on = "south"
boot = "1min"
nbt = { servers = ["wins-a", "wins-b"] }
[workload.day.lookups]
hosts = "desk-*"
names = ["files"]
every = "1min"
law = "fixed"
from = "10min"
cache = false
"#;

/// One server on one wire, with a host that will not be there for long.
pub const ONE_SERVER: &str = r#"
title = "one server"
duration = "3h"
subnet.office = "10.1.0.0/24"
host.wins = { on = "office", wins = { renewal_interval = "2h" } }
host.desk = { on = "office", boot = "1min", nbt = { servers = ["wins"] } }
host.ghost = { on = "office", boot = "1min", nbt = { servers = ["wins"] } }
"#;

/// The file that every scenario of the laboratory finds beside it.
pub const LMHOSTS: &str = "10.1.0.77 PRINTER\n10.1.0.78 SCANNER\n";

/// The plan of a scenario text, which must be without mistakes.
pub fn plan(text: &str) -> Arc<Plan> {
    let read = |file: &str| match file {
        "lmhosts" => Ok(LMHOSTS.to_string()),
        other => Err(format!("no file {other} in the laboratory")),
    };
    let plan = load("laboratory", text, &[], &read);
    Arc::new(plan.unwrap_or_else(|mistakes| panic!("\n{text}\n{mistakes}\n")))
}

/// Runs a scenario text with its own seed.
pub fn run(text: &str) -> RunResult {
    run_seed(text, 1)
}

/// Runs a scenario text with this seed.
pub fn run_seed(text: &str, seed: u64) -> RunResult {
    let options = RunOptions { seed: Some(seed), ..RunOptions::default() };
    explore::run("laboratory", &plan(text), options).expect("a world")
}

/// One dispatched event in words.
#[derive(Clone, PartialEq, Debug)]
pub struct Seen {
    /// Seconds since the start.
    pub at: f64,
    /// Whose event.
    pub on: String,
    /// Its kind.
    pub kind: &'static str,
}

/// Runs a scenario text and keeps its events of these kinds.
pub fn events(text: &str, seed: u64, kinds: &[&str]) -> Vec<Seen> {
    let mut seen = Vec::new();
    let mut keep = |line: &TraceLine<'_>| {
        let event = line.dispatched.event;
        let (kind, _) = explore::kind_of(event.payload);
        if kinds.contains(&kind) {
            seen.push(Seen { at: event.time.as_secs_f64(), on: line.target.to_string(), kind });
        }
    };
    let options = RunOptions { seed: Some(seed), trace: Some(&mut keep), ..RunOptions::default() };
    explore::run("laboratory", &plan(text), options).expect("a world");
    seen
}

/// The largest value of a measure; 0 if nothing was measured.
pub fn figure(result: &RunResult, name: &str) -> f64 {
    result.measures.iter().find(|m| m.name == name).map_or(0.0, |m| m.max)
}

/// How many values a measure has.
pub fn count(result: &RunResult, name: &str) -> u64 {
    result.measures.iter().find(|m| m.name == name).map_or(0, |m| m.n)
}

/// The verdict on an expectation.
pub fn verdict(result: &RunResult, name: &str) -> Verdict {
    let found = result.expectations.iter().find(|e| e.name == name);
    found.unwrap_or_else(|| panic!("no expectation `{name}`")).verdict
}

/// Whether an expectation holds; it must have been judged.
pub fn holds(result: &RunResult, name: &str) -> bool {
    let expectation = result.expectations.iter().find(|e| e.name == name);
    let expectation = expectation.unwrap_or_else(|| panic!("no expectation `{name}`"));
    match expectation.verdict {
        Verdict::Pass => true,
        Verdict::Fail => false,
        Verdict::NotJudged => panic!("`{name}` was not judged: {}", expectation.detail),
    }
}

/// The keys of one list in the table that the scenario language is made from.
pub fn words_of_the_language(list: &str) -> Vec<String> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/scenario/language");
    let files = std::fs::read_dir(folder).expect("the language's sources");
    let texts = files.map(|file| std::fs::read_to_string(file.expect("a file").path()));
    let head = format!("const {list}: &[Key] = &[");
    let source = texts.map(|text| text.expect("text")).find(|text| text.contains(&head));
    let source = source.unwrap_or_else(|| panic!("no list {list} in {folder}"));
    let begin = source.find(&head).expect("it is there");
    let body = &source[begin..];
    let body = &body[..body.find("];").expect("its end")];
    let words = body.split("key(").skip(1).filter_map(|rest| rest.split('"').nth(1));
    words.map(str::to_string).collect()
}
