//! Every kind of fault does what only it can do: each is run beside the same scenario without it.

mod lab;

use lab::{ONE_SERVER, SITES, count, figure, holds, run, run_seed, words_of_the_language};
use winstorm::measure::RunResult;

/// A scenario without and with a fault.
fn without_and_with(base: &str, fault: &str) -> (RunResult, RunResult) {
    (run(base), run(&format!("{base}\n[[fault]]\nlabel = \"f\"\n{fault}\n")))
}

fn expecting(base: &str, expects: &str) -> String {
    format!("{base}\n{expects}\n")
}

/// What happens to south desks that lose the north for a while.
const SOUTH_ALONE: &str = r#"
[[expect]]
reach = "the south uses its own server"
current_server = { hosts = "desk-s*", server = "wins-b" }
[[expect]]
always = "the north stays"
current_server = { hosts = "desk-n*", server = "wins-a" }
from = "5min"
"#;

fn south_is_alone_only_with(fault: &str) {
    let (calm, hit) = without_and_with(&expecting(SITES, SOUTH_ALONE), fault);
    assert!(!holds(&calm, "the south uses its own server"));
    assert!(holds(&hit, "the south uses its own server"));
    for result in [&calm, &hit] {
        assert!(holds(result, "the north stays"));
    }
    assert_eq!(figure(&calm, "lookup.slow"), 0.0);
    assert!(figure(&hit, "lookup.slow") >= 3.0, "each south desk waits once");
}

#[test]
fn every_kind_of_fault_is_tested_here() {
    let kinds = words_of_the_language("FAULT_KINDS");
    assert!(kinds.len() >= 15, "{kinds:?}");
    let source = include_str!("faults_bite.rs");
    for kind in kinds {
        assert!(source.contains(&format!("{kind} = ")), "no fault `{kind}` in this file");
    }
}

#[test]
fn crash_leaves_a_record_of_somebody_who_is_gone() {
    let (calm, hit) = without_and_with(SITES, "at = \"1h\"\ncrash = \"files\"");
    assert_eq!(figure(&calm, "lookup.ghost"), 0.0);
    assert!(figure(&hit, "lookup.ghost") > 500.0, "two hours of six desks");
}

#[test]
fn a_reboot_gives_names_up_and_a_crash_does_not() {
    let expects = r#"
[[expect]]
reach = "the record is released"
server_knows = { server = "wins-a", name = "files", state = "released" }
"#;
    let base = expecting(SITES, expects);
    let (calm, reboot) = without_and_with(&base, "at = \"1h\"\nreboot = \"files\"");
    let (_, crash) = without_and_with(&base, "at = \"1h\"\nlasts = \"1min\"\ncrash = \"files\"");
    assert!(!holds(&calm, "the record is released"));
    assert!(holds(&reboot, "the record is released"));
    assert!(!holds(&crash, "the record is released"));
    let names = |result| figure(result, "client.names_registered");
    assert!(names(&reboot) > names(&calm), "the names are claimed again");
    assert_eq!(names(&reboot), names(&crash));
}

#[test]
fn power_cut_sends_clients_to_their_second_server() {
    let (calm, hit) =
        without_and_with(SITES, "at = \"1h\"\nlasts = \"30min\"\npower_cut = \"wins-a\"");
    assert_eq!(figure(&calm, "client.server_switches"), 0.0);
    assert!(figure(&hit, "client.server_switches") >= 6.0, "all six desks");
    assert!(count(&hit, "fault.f.detect_time") >= 6);
    // Three tries of 1.5 s.
    assert!(figure(&hit, "lookup.time") >= 4.5, "{}", figure(&hit, "lookup.time"));
    assert!(figure(&calm, "lookup.time") < 0.5);
}

/// A registration on a slow disk: half a second later the lazy commit begins, which takes five more. Who
/// claimed the name is gone by then, so nobody claims it again.
const UNFINISHED_COMMIT: &str = r#"
title = "a commit under way"
duration = "40min"
subnet.office = "10.1.0.0/24"
[host.wins]
on = "office"
disk = { sync = "5s" }
wins = true
[host.brief]
on = "office"
boot = "20min"
boot_takes = "1s"
nbt = { servers = ["wins"] }
[[fault]]
label = "end of brief"
at = "20min 1s 400ms"
crash = "brief"
[[expect]]
goal = "the name is known before"
server_knows = { server = "wins", name = "BRIEF#00" }
after = "20min"
within = "2s"
[[expect]]
goal = "the name is known afterwards"
server_knows = { server = "wins", name = "BRIEF#00" }
after = "heal of f"
within = "2min"
"#;

#[test]
fn crash_and_power_cut_lose_what_is_not_yet_on_the_disk_and_a_reboot_waits_for_it() {
    let kept = |kind: &str, at: &str, seed| {
        let fault = format!("at = \"{at}\"\nlasts = \"1min\"\n{kind} = \"wins\"");
        let text = format!("{UNFINISHED_COMMIT}\n[[fault]]\nlabel = \"f\"\n{fault}\n");
        let result = run_seed(&text, seed);
        assert!(holds(&result, "the name is known before"), "{kind}, seed {seed}");
        holds(&result, "the name is known afterwards")
    };
    for kind in ["crash", "power_cut"] {
        assert!((0..12).any(|seed| !kept(kind, "20min 3s", seed)), "{kind} while it is written");
        assert!((0..4).all(|seed| kept(kind, "21min", seed)), "{kind} once it is durable");
    }
    assert!((0..4).all(|seed| kept("reboot", "20min 3s", seed)), "a reboot loses nothing");
}

#[test]
fn wipe_forgets_everything_and_a_power_cut_does_not() {
    let expects = r#"
[[fault]]
label = "end of ghost"
at = "10min"
crash = "ghost"
[[expect]]
goal = "the ghost is known afterwards"
server_knows = { server = "wins", name = "ghost" }
after = "31min"
within = "2min"
"#;
    let base = expecting(ONE_SERVER, expects);
    let (calm, wipe) = without_and_with(&base, "at = \"30min\"\nlasts = \"1min\"\nwipe = \"wins\"");
    let (_, cut) =
        without_and_with(&base, "at = \"30min\"\nlasts = \"1min\"\npower_cut = \"wins\"");
    assert!(holds(&calm, "the ghost is known afterwards"));
    assert!(holds(&cut, "the ghost is known afterwards"));
    assert!(!holds(&wipe, "the ghost is known afterwards"));
}

#[test]
fn pause_is_silence_without_forgetting() {
    let expects = r#"
[[expect]]
always = "wins-a has its database open"
server_knows = { server = "wins-a", name = "files" }
from = "10min"
"#;
    let base = expecting(SITES, expects);
    let (calm, paused) =
        without_and_with(&base, "at = \"1h\"\nlasts = \"10min\"\npause = \"wins-a\"");
    let (_, cut) =
        without_and_with(&base, "at = \"1h\"\nlasts = \"10min\"\npower_cut = \"wins-a\"");
    assert_eq!(figure(&calm, "client.server_switches"), 0.0);
    assert!(figure(&paused, "client.server_switches") >= 6.0);
    assert!(holds(&calm, "wins-a has its database open"));
    assert!(holds(&paused, "wins-a has its database open"));
    assert!(!holds(&cut, "wins-a has its database open"));
}

#[test]
fn link_down_parts_two_sites() {
    south_is_alone_only_with("at = \"1h\"\nlasts = \"20min\"\nlink_down = \"wan\"");
}

#[test]
fn router_down_parts_two_sites() {
    south_is_alone_only_with("at = \"1h\"\nlasts = \"20min\"\nrouter_down = \"gate-n\"");
}

#[test]
fn a_partition_parts_two_sites() {
    south_is_alone_only_with("at = \"1h\"\nlasts = \"20min\"\npartition = [\"north\", \"south\"]");
}

#[test]
fn a_one_way_partition_lets_requests_pass_and_no_answers() {
    let story = r#"
[[step]]
label = "claim"
at = "1h 1s"
register = { host = "desk-s1", name = "NEW#20" }
[[expect]]
reach = "wins-a has the claim"
server_knows = { server = "wins-a", name = "NEW#20", owner = "wins-a" }
[[expect]]
reach = "the south uses its own server"
current_server = { hosts = "desk-s*", server = "wins-b" }
"#;
    let base = expecting(SITES, story);
    let one_way = "at = \"1h\"\npartition = { from = \"north\", to = \"south\", one_way = true }";
    let both = "at = \"1h\"\npartition = { from = \"north\", to = \"south\" }";
    let (calm, one_way) = without_and_with(&base, one_way);
    let (_, both) = without_and_with(&base, both);
    let came_out = [&calm, &one_way, &both].map(|result| {
        (holds(result, "wins-a has the claim"), holds(result, "the south uses its own server"))
    });
    assert_eq!(came_out, [(true, false), (true, true), (false, true)]);
}

#[test]
fn loss_takes_datagrams_where_it_is_said() {
    let (calm, hit) =
        without_and_with(SITES, "at = \"1h\"\nloss = { on = \"wan\", odds = \"1/3\" }");
    assert_eq!(figure(&calm, "net.dropped"), 0.0);
    assert!(figure(&hit, "net.dropped") > 200.0, "a third of 720 requests and answers");
    assert!(figure(&hit, "lookup.slow") > 50.0, "each lost one costs 1.5 s");

    let expects = r#"
[[expect]]
always = "the others find the file server"
lookup_success = { at_least = "100%", hosts = ["desk-n2", "desk-n3", "desk-s*"] }
[[expect]]
always = "desk-n1 finds it too"
lookup_success = { at_least = "100%", hosts = "desk-n1" }
"#;
    let base = expecting(SITES, expects);
    let (calm, hit) =
        without_and_with(&base, "at = \"1h\"\nloss = { on = \"desk-n1\", odds = \"100%\" }");
    assert!(holds(&calm, "desk-n1 finds it too"));
    assert!(!holds(&hit, "desk-n1 finds it too"));
    assert!(holds(&hit, "the others find the file server"));
}

#[test]
fn delay_makes_answers_late() {
    let fault = "at = \"1h\"\nlasts = \"1h\"\ndelay = { on = \"wan\", by = \"600ms..700ms\" }";
    let (calm, hit) = without_and_with(SITES, fault);
    assert!(figure(&calm, "lookup.time") < 0.1);
    let longest = figure(&hit, "lookup.time");
    assert!((1.2..1.5).contains(&longest), "there and back: {longest}");
    assert_eq!(figure(&hit, "lookup.failed"), 0.0);
}

#[test]
fn duplicate_makes_servers_answer_twice() {
    let fault = "at = \"1h\"\nduplicate = { on = \"wan\", odds = \"100%\" }";
    let (calm, hit) = without_and_with(SITES, fault);
    let answered = |result| figure(result, "wins.answered_yes");
    let more = answered(&hit) - answered(&calm);
    // Three desks, two hours, a look-up a minute.
    assert!((340.0..=440.0).contains(&more), "{} and {}", answered(&calm), answered(&hit));
    assert_eq!(figure(&hit, "lookup.failed"), 0.0);
}

/// A scavenging pass when the ghost's record is 1 h 44 min old, of the 2 h that it holds.
const SCAVENGED: &str = r#"
[[fault]]
label = "end of ghost"
at = "10min"
crash = "ghost"
[[step]]
at = "1h 50min"
scavenge = { server = "wins", force = true }
[[expect]]
always = "the ghost's record is active"
server_knows = { server = "wins", name = "ghost" }
from = "10min"
until = "2h"
"#;

#[test]
fn clock_jump_makes_records_old() {
    let base = expecting(ONE_SERVER, SCAVENGED);
    let jump = |by| {
        let fault = format!("at = \"1h\"\nclock_jump = {{ hosts = \"wins\", by = \"{by}\" }}");
        without_and_with(&base, &fault)
    };
    let (calm, ahead) = jump("+30min");
    let (_, behind) = jump("-30min");
    assert!(holds(&calm, "the ghost's record is active"));
    assert!(!holds(&ahead, "the ghost's record is active"));
    assert!(holds(&behind, "the ghost's record is active"));
}

#[test]
fn clock_drift_makes_records_old() {
    let base = expecting(ONE_SERVER, &SCAVENGED.replace("1h 50min", "1h 55min"));
    let drift = |by| {
        let fault = format!("at = \"2min\"\nclock_drift = {{ hosts = \"wins\", by = \"{by}\" }}");
        without_and_with(&base, &fault)
    };
    let (calm, fast) = drift("+100000ppm");
    let (_, slow) = drift("-100000ppm");
    assert!(holds(&calm, "the ghost's record is active"));
    assert!(!holds(&fast, "the ghost's record is active"), "it gained ten minutes and more");
    assert!(holds(&slow, "the ghost's record is active"));
}

#[test]
fn slow_disk_delays_answers_that_wait_for_it() {
    let story = r#"
[[step]]
label = "claim"
at = "40min"
register = { host = "desk", name = "NEW#20" }
[[expect]]
goal = "the claim is granted at once"
registered = { hosts = "desk" }
after = "claim"
within = "1s"
[[expect]]
goal = "the claim is granted"
registered = { hosts = "desk" }
after = "claim"
within = "2min"
"#;
    let fault = "at = \"30min\"\nlasts = \"1h\"\nslow_disk = { hosts = \"wins\", factor = 200 }";
    let lazy = expecting(ONE_SERVER, story);
    let strict = lazy.replace("renewal_interval", "commit = \"strict\", renewal_interval");
    let (calm, hit) = without_and_with(&strict, fault);
    assert!(holds(&calm, "the claim is granted at once"));
    assert!(!holds(&hit, "the claim is granted at once"));
    assert!(holds(&hit, "the claim is granted"));
    let (_, hit) = without_and_with(&lazy, fault);
    assert!(holds(&hit, "the claim is granted at once"), "a lazy commit keeps nobody waiting");
}

/// A full disk refuses what needs more room: rewriting what is there goes on. So it bites when the database
/// has to grow, and for that many new names must come.
// rule: database/full-disk
#[test]
fn full_disk_stops_the_service_until_there_is_room() {
    let story = r#"
[host."late-{1..1500}"]
on = "north"
boot = "1h 5min..1h 10min"
nbt = { servers = ["wins-a", "wins-b"] }
[[expect]]
never = "wins-a is without its database"
server_lacks = { server = "wins-a", name = "files" }
from = "5min"
[[expect]]
reach = "the service logs why it stops"
event_logged = { id = 4224, hosts = "wins-a" }
[[expect]]
goal = "wins-a serves again"
server_knows = { server = "wins-a", name = "files" }
after = "1h 30min"
within = "5min"
"#;
    let base = expecting(SITES, story).replace("10.1.0.0/24", "10.1.0.0/20");
    let base = base.replace("10.2.0.0/24", "10.2.16.0/24").replace("address = \"10.1.0.50\"", "");
    let fault = "at = \"1h\"\nlasts = \"30min\"\nfull_disk = \"wins-a\"";
    let (calm, hit) = without_and_with(&base, fault);
    assert!(holds(&calm, "wins-a is without its database"));
    assert!(!holds(&hit, "wins-a is without its database"));
    assert!(holds(&hit, "wins-a serves again"));
    let granted = |result| figure(result, "client.names_registered");
    assert!(granted(&hit) >= granted(&calm), "the other server takes what wins-a cannot");
    assert!(!holds(&calm, "the service logs why it stops"));
    assert!(holds(&hit, "the service logs why it stops"));
}

fn begins(text: &str, seed: u64) -> Vec<f64> {
    run_seed(text, seed).faults.iter().map(|span| span.from).collect()
}

#[test]
fn at_happens_once_and_lasts_as_drawn() {
    let fault = "at = \"1h\"\nlasts = \"5min..10min\"\nlink_down = \"wan\"";
    let text = format!("{SITES}\n[[fault]]\n{fault}\n");
    let lengths: Vec<f64> = (0..10)
        .map(|seed| {
            let spans = run_seed(&text, seed).faults;
            assert_eq!((spans.len(), spans[0].from), (1, 3600.0));
            spans[0].until - spans[0].from
        })
        .collect();
    assert!(lengths.iter().all(|l| (300.0..=600.0).contains(l)), "{lengths:?}");
    assert!(lengths.iter().any(|l| *l != lengths[0]), "each seed draws its own");
}

#[test]
fn every_happens_again_until_its_end() {
    let every = |more: &str| {
        let fault = format!("every = \"20min\"\nlasts = \"1min\"\nlink_down = \"wan\"\n{more}");
        begins(&format!("{SITES}\n[[fault]]\n{fault}\n"), 1)
    };
    assert_eq!(every("at = \"1h\"\nuntil = \"2h\""), [3600.0, 4800.0, 6000.0]);
    let all_day: Vec<f64> = (1..9).map(|n| f64::from(n) * 1200.0).collect();
    assert_eq!(every(""), all_day, "the first after one gap, none at the end of the run");
}

#[test]
fn between_is_drawn_from_its_window() {
    let fault = "between = \"01:00..02:00\"\nlasts = \"1min\"\nlink_down = \"wan\"";
    let text = format!("{SITES}\n[[fault]]\n{fault}\n");
    let drawn: Vec<f64> = (0..20).flat_map(|seed| begins(&text, seed)).collect();
    assert_eq!(drawn.len(), 20);
    assert!(drawn.iter().all(|at| (3600.0..=7200.0).contains(at)), "{drawn:?}");
    assert!(drawn.iter().any(|at| *at < 5400.0) && drawn.iter().any(|at| *at > 5400.0));
    assert_eq!(begins(&text, 7), begins(&text, 7), "a seed draws the same again");
}

#[test]
fn one_half_and_some_of_a_set_are_hit() {
    for (who, left) in [("one of desk-*", 5), ("half of desk-*", 3), ("2 of desk-*", 4)] {
        let share = |hosts: u32| {
            format!(
                "[[expect]]\nalways = \"{hosts} are left\"\nfrom = \"1h\"\n\
                 registered = {{ hosts = \"desk-*\", at_least = \"{hosts}/6\" }}\n"
            )
        };
        let text = expecting(SITES, &(share(left) + &share(left + 1)));
        let (calm, hit) = without_and_with(&text, &format!("at = \"1h\"\ncrash = \"{who}\""));
        assert!(holds(&calm, &format!("{} are left", left + 1)), "{who}");
        assert!(holds(&hit, &format!("{left} are left")), "{who}");
        assert!(!holds(&hit, &format!("{} are left", left + 1)), "{who}");
    }
}

#[test]
fn a_fault_leaves_the_chances_of_others_as_they_were() {
    let first = "[[fault]]\nlabel = \"a\"\nbetween = \"01:00..02:00\"\ncrash = \"one of desk-*\"\n";
    let second =
        "[[fault]]\nlabel = \"b\"\nbetween = \"01:00..02:00\"\npause = \"one of desk-*\"\n";
    let when = |text: String| {
        let faults = run(&text).faults;
        faults.iter().find(|f| f.name == "a").expect("it happens").from
    };
    assert_eq!(when(format!("{SITES}\n{first}")), when(format!("{SITES}\n{second}\n{first}")));
}
