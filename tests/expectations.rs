//! Every kind of expectation and every condition, once holding and once not: an expectation that cannot
//! fail is worth nothing.
//!
//! Each expectation's name begins with how it must come out.

mod lab;

use lab::{SITES, run, words_of_the_language};
use winstorm::measure::Verdict;

/// At 1 h wins-a is gone for half an hour; at 2 h the file server moves to the south, and a reader goes on
/// believing its cache.
const STORY: &str = r#"
[[fault]]
label = "outage"
at = "1h"
lasts = "30min"
power_cut = "wins-a"
[[step]]
label = "move"
at = "2h"
roam = { host = "files", to = "south", address = "10.2.0.99" }
[[step]]
label = "claim"
at = "20min"
register = { host = "desk-n1", name = "KIOSK#20" }
[[step]]
label = "ask"
at = "30min"
lookup = { host = "desk-n*", name = "KIOSK#20" }
[[fault]]
label = "alone"
at = "2h 20min"
partition = { from = "wins-b", to = "hosts-north" }
[host.reader]
on = "north"
boot = "1min"
nbt = { servers = ["wins-a", "wins-b"] }
[workload.reading.lookups]
hosts = "reader"
names = ["files"]
every = "1min"
law = "fixed"
from = "10min"
[[step]]
label = "ask for nobody"
at = "35min"
lookup = { host = "desk-n2", name = "NOBODY#20" }
"#;

/// Expectations, one a line: how it must come out, when it must hold, what must hold.
const EXPECTATIONS: &[(Verdict, &str, &str)] = {
    use Verdict::{Fail, NotJudged, Pass};
    &[
        // When: levels.
        (
            Pass,
            "always|from = \"1h 40min\"",
            "server_knows = { server = \"wins-a\", name = \"files\" }",
        ),
        (
            Fail,
            "always|from = \"50min\"",
            "server_knows = { server = \"wins-a\", name = \"files\" }",
        ),
        (Pass, "never|from = \"outage\"\nuntil = \"heal of outage\"", KNOWN_A),
        (Fail, "never|from = \"outage\"\nuntil = \"1h 40min\"", KNOWN_A),
        (Pass, "reach|from = \"outage\"", KNOWN_A),
        (Fail, "reach|from = \"outage\"\nuntil = \"heal of outage\"", KNOWN_A),
        (Pass, "goal|after = \"outage\"\nwithin = \"40min\"", KNOWN_A),
        (Fail, "goal|after = \"outage\"\nwithin = \"20min\"", KNOWN_A),
        (Pass, "goal|after = \"heal\"\nwithin = \"5min\"\nstays = \"30min\"", KNOWN_A),
        (Fail, "goal|after = \"10min\"\nwithin = \"30min\"\nstays = \"1h\"", KNOWN_A),
        // When: look-ups.
        (Pass, "always|from = \"20min\"\nuntil = \"1h\"", HOME),
        (Fail, "always|from = \"20min\"\nuntil = \"2h 15min\"", HOME),
        (Pass, "never|from = \"20min\"\nuntil = \"2h\"", AWAY),
        (Fail, "never|from = \"20min\"\nuntil = \"2h 15min\"", AWAY),
        (Pass, "reach|from = \"move\"", AWAY),
        (Fail, "reach|until = \"move\"", AWAY),
        (Pass, "goal|after = \"move\"\nwithin = \"15min\"", AWAY),
        (Fail, "goal|after = \"1h\"\nwithin = \"30min\"", AWAY),
        (Pass, "goal|after = \"20min\"\nwithin = \"30min\"\nstays = \"1h\"", HOME),
        (Fail, "goal|after = \"1h\"\nwithin = \"30min\"\nstays = \"1h\"", HOME),
        (NotJudged, "always|until = \"5min\"", HOME),
        // Databases.
        (Pass, "reach", "record_count = { server = \"wins-a\", owner = \"wins-a\", at_least = 6 }"),
        (
            Fail,
            "reach",
            "record_count = { server = \"wins-a\", owner = \"wins-b\", at_least = 99 }",
        ),
        (
            Fail,
            "reach",
            "record_count = { server = \"wins-b\", state = \"tombstone\", at_least = 90 }",
        ),
        (
            Pass,
            "goal|after = \"10min\"\nwithin = \"30min\"",
            "owner_known = { server = \"wins-b\", owner = \"wins-a\", at_least = 6 }",
        ),
        (Fail, "always", "owner_known = { server = \"wins-b\", owner = \"wins-a\", at_most = 0 }"),
        (Pass, "goal|after = \"10min\"\nwithin = \"30min\"", "databases_agree = true"),
        (Fail, "always|from = \"1min\"", "databases_agree = [\"wins-a\", \"wins-b\"]"),
        (
            Pass,
            "reach",
            "server_knows = { server = \"wins-b\", name = \"files\", owner = \"wins-a\" }",
        ),
        (
            Fail,
            "reach|until = \"1h\"",
            "server_knows = { server = \"wins-b\", name = \"files\", owner = \"wins-b\" }",
        ),
        (Pass, "reach", "server_knows = { server = \"wins-a\", name = \"files\", static = false }"),
        (Fail, "reach", "server_knows = { server = \"wins-a\", name = \"files\", static = true }"),
        (
            Pass,
            "reach",
            "server_knows = { server = \"wins-a\", name = \"files\", kind = \"unique\" }",
        ),
        (
            Fail,
            "reach",
            "server_knows = { server = \"wins-a\", name = \"files\", kind = \"group\" }",
        ),
        (
            Pass,
            "reach",
            "server_knows = { server = \"wins-a\", name = \"files\", addresses = [\"10.2.0.99\"] }",
        ),
        (
            Fail,
            "reach",
            "server_knows = { server = \"wins-a\", name = \"files\", addresses = [\"10.2.0.98\"] }",
        ),
        (
            Fail,
            "reach",
            "server_knows = { server = \"wins-a\", name = \"files\", state = \"tombstone\" }",
        ),
        (
            Pass,
            "reach|until = \"1min\"",
            "server_lacks = { server = \"wins-servers\", name = \"files\" }",
        ),
        (Fail, "always", "server_lacks = { server = \"wins-servers\", name = \"files\" }"),
        // Look-ups.
        (
            Pass,
            "always|from = \"20min\"\nuntil = \"1h\"",
            "lookup_success = { at_least = \"100%\" }",
        ),
        (Fail, "always|from = \"2h\"", "lookup_success = { at_least = \"100%\" }"),
        (Pass, "always|from = \"20min\"", "lookup_success = { at_least = \"90%\" }"),
        (
            Fail,
            "always|from = \"20min\"",
            "lookup_success = { at_least = \"90%\", window = \"1min\" }",
        ),
        (Pass, "always|until = \"2h\"", "stale_answers = { at_most = 0 }"),
        (Fail, "always", "stale_answers = { at_most = 0 }"),
        (Pass, "always", "stale_answers = { at_most = \"50%\" }"),
        (
            Pass,
            "always|from = \"5min\"\nuntil = \"19min\"",
            "lookup_time = { name = \"files\", at_most = \"1s\" }",
        ),
        (Fail, "always", "lookup_time = { at_most = \"1s\" }"),
        (Fail, "reach", "lookup_time = { hosts = \"desk-*\", at_least = \"1h\" }"),
        (Pass, "always", "wrong_answers = { at_most = 0 }"),
        (Pass, "always", "answer = { name = \"NOBODY#20\", count = 0 }"),
        (Fail, "always", "answer = { name = \"NOBODY#20\", count = 1 }"),
        (
            Pass,
            "always",
            "answer = { name = \"KIOSK#20\", contains = [\"desk-n1\"], hosts = \"desk-n2\" }",
        ),
        (
            Fail,
            "always",
            "answer = { name = \"KIOSK#20\", lacks = [\"desk-n1\"], hosts = \"desk-n2\" }",
        ),
        (
            Fail,
            "always",
            "answer = { name = \"KIOSK#20\", starts_with = [\"desk-n2\"], hosts = \"desk-n2\" }",
        ),
        (
            Pass,
            "always|until = \"move\"",
            "hosts_resolve = { name = \"files\", hosts = \"desk-n*\" }",
        ),
        (Fail, "always", "hosts_resolve = { name = \"files\" }"),
        (Pass, "reach", "hosts_resolve = { name = \"files\", address = \"10.2.0.99\" }"),
        (Fail, "reach", "hosts_resolve = { name = \"files\", address = \"10.2.0.98\" }"),
        // Clients.
        (
            Pass,
            "reach|from = \"outage\"",
            "current_server = { hosts = \"desk-*\", server = \"wins-b\" }",
        ),
        (
            Fail,
            "reach|until = \"outage\"",
            "current_server = { hosts = \"desk-*\", server = \"wins-b\" }",
        ),
        (Pass, "always|from = \"5min\"\nuntil = \"19min\"", "registered = { hosts = \"desk-*\" }"),
        (Fail, "always", "registered = { hosts = \"desk-*\" }"),
        (Pass, "always|until = \"2h\"", "one_holder = true"),
        (Pass, "always", "one_holder = \"KIOSK#20\""),
        // Figures.
        (
            Pass,
            "always",
            "measure = { name = \"lookup.time\", at_least = \"4s\", at_most = \"20s\" }",
        ),
        (Fail, "always", "measure = { name = \"lookup.time\", at_most = \"4s\" }"),
        (
            Pass,
            "always",
            "measure = { name = \"lookup.time\", figure = \"p50\", at_most = \"100ms\" }",
        ),
        (Fail, "always", "measure = { name = \"lookup.time\", figure = \"count\", at_most = 10 }"),
        (Pass, "never", "measure = { name = \"lookup.success\", at_least = \"100%\" }"),
        (NotJudged, "always", "measure = { name = \"no.such.measure\", at_least = 1 }"),
    ]
};

const KNOWN_A: &str = "server_knows = { server = \"wins-a\", name = \"files\" }";
const HOME: &str = "answer = { name = \"files\", contains = [\"10.1.0.50\"], hosts = \"desk-n*\" }";
const AWAY: &str = "answer = { name = \"files\", contains = [\"10.2.0.99\"], hosts = \"desk-n*\" }";

/// The text of an expectation of this name.
fn expectation(name: &str, when: &str, condition: &str) -> String {
    let (kind, period) = when.split_once('|').unwrap_or((when, ""));
    format!("[[expect]]\n{kind} = \"{name}\"\n{period}\n{condition}\n")
}

fn check(base: &str, cases: &[(Verdict, &str, &str)]) {
    let mut text = base.to_string();
    for (n, (_, when, condition)) in cases.iter().enumerate() {
        text += &expectation(&n.to_string(), when, condition);
    }
    let result = run(&text);
    assert_eq!(result.expectations.len(), cases.len());
    let mut wrong = Vec::new();
    for (judged, (wanted, when, condition)) in result.expectations.iter().zip(cases) {
        if judged.verdict != *wanted {
            let (verdict, detail) = (judged.verdict, &judged.detail);
            wrong.push(format!(
                "{wanted:?} expected, {verdict:?} found ({detail})\n    {when}\n    {condition}"
            ));
        }
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[test]
fn every_condition_is_judged_as_it_was() {
    let story = STORY.replace("\"hosts-north\"", "\"north\"");
    check(&format!("{SITES}\n{story}"), EXPECTATIONS);
}

/// Both sides of a split claim one name: two holders, until they hear of each other.
const CLAIMED_TWICE: &str = r#"
[[fault]]
label = "split"
at = "1h"
lasts = "30min"
partition = ["north", "south"]
[[step]]
at = "1h 5min"
register = { host = "desk-n1", name = "KIOSK#20" }
[[step]]
at = "1h 10min"
register = { host = "desk-s1", name = "KIOSK#20" }
"#;

#[test]
fn two_holders_and_their_end_are_seen() {
    use Verdict::{Fail, Pass};
    check(
        &format!("{SITES}\n{CLAIMED_TWICE}"),
        &[
            (Pass, "always|until = \"1h\"", "one_holder = true"),
            (Fail, "always", "one_holder = true"),
            (Pass, "always|until = \"1h\"", "one_holder = \"KIOSK#20\""),
            (Fail, "always", "one_holder = \"KIOSK#20\""),
            (
                Pass,
                "goal|after = \"heal\"\nwithin = \"30min\"\nstays = \"30min\"",
                "one_holder = true",
            ),
            (Fail, "goal|after = \"1h 20min\"\nwithin = \"5min\"", "one_holder = true"),
            (Pass, "reach|from = \"1h 30min\"", "event_logged = { id = 4319 }"),
            (Fail, "reach|until = \"1h 30min\"", "event_logged = { id = 4319 }"),
            (Fail, "reach", "event_logged = { id = 4319, hosts = \"files\" }"),
        ],
    );
}

/// A name whose holder the server does not know: somebody typed in a wrong address.
const MISTYPED: &str = r#"
[[step]]
at = "10s"
add_static = { server = "wins-a", name = "FILES#20", addresses = ["10.1.0.200"] }
"#;

#[test]
fn answers_that_never_were_right_are_wrong() {
    use Verdict::{Fail, Pass};
    let sites = SITES.replace("[host.wins-a]\n", "[host.wins-a]\nboot_takes = \"1s\"\n");
    check(
        &format!("{sites}\n{MISTYPED}"),
        &[
            (Fail, "always", "wrong_answers = { at_most = 0 }"),
            (Fail, "always", "wrong_answers = { at_most = \"10%\" }"),
            (Pass, "never", "wrong_answers = { at_most = 0 }"),
            (Pass, "always", "stale_answers = { at_most = 0 }"),
        ],
    );
}

#[test]
fn every_condition_has_both_verdicts_here() {
    let source = include_str!("expectations.rs");
    let conditions = words_of_the_language("CONDITIONS");
    assert!(conditions.len() >= 13, "{conditions:?}");
    // A case reaches from its verdict to the next one, however it is laid out.
    for condition in conditions {
        for (verdict, other) in [("Pass,", "Fail,"), ("Fail,", "Pass,")] {
            let mut cases =
                source.split(verdict).skip(1).filter_map(|case| case.split(other).next());
            let found = cases.any(|case| case.contains(&format!("\"{condition} = ")));
            assert!(found, "no {verdict} of `{condition}` in this file");
        }
    }
}
