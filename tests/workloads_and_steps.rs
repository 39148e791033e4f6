//! Every workload and every step does what it says, and nothing of the kind happens without it.

mod lab;

use lab::{
    ONE_SERVER, SITES, Seen, count, events, figure, holds, run, run_seed, words_of_the_language,
};
use std::collections::BTreeMap;
use winstorm::measure::RunResult;

/// A scenario without and with a step, judged by the same expectations.
fn without_and_with(base: &str, step: &str) -> (RunResult, RunResult) {
    (run(base), run(&format!("{base}\n[[step]]\nlabel = \"s\"\n{step}\n")))
}

/// That a step makes an expectation true that is false without it.
fn step_decides(base: &str, step: &str, expect: &str) {
    let text = format!("{base}\n[[expect]]\nreach = \"it\"\n{expect}\n");
    let (without, with) = without_and_with(&text, step);
    assert!(!holds(&without, "it"), "without the step: {expect}");
    assert!(holds(&with, "it"), "with the step: {expect}");
}

#[test]
fn every_workload_and_every_step_is_tested_here() {
    let source = include_str!("workloads_and_steps.rs");
    let steps = words_of_the_language("STEP_KINDS");
    assert!(steps.len() >= 12, "{steps:?}");
    for word in steps {
        assert!(source.contains(&format!("{word} = ")), "no step `{word}` in this file");
    }
    for workload in ["boot_storm", "lookups", "churn", "roaming"] {
        assert!(source.contains(&format!(".{workload}]")), "no workload `{workload}` in this file");
    }
}

// Workloads.

/// When the hosts of a storm of 100 s from 00:10 on are switched on, in seconds from its begin.
fn storm(law: &str) -> Vec<f64> {
    let text = format!(
        r#"
title = "a storm"
duration = "15min"
subnet.office = "10.1.0.0/20"
host.wins = {{ on = "office", wins = true }}
host."desk-{{1..1000}}" = {{ on = "office", nbt = {{ servers = ["wins"] }} }}
[workload.storm.boot_storm]
hosts = "desk-*"
at = "10min"
within = "100s"
law = "{law}"
"#
    );
    let seen = events(&text, 1, &["boot"]);
    let boots = seen.iter().filter(|seen| seen.on.starts_with("desk"));
    boots.map(|seen| seen.at - 600.0).collect()
}

#[test]
fn boot_storms_follow_their_law() {
    let early = |law: &str, until: f64| {
        let boots = storm(law);
        assert_eq!(boots.len(), 1000, "{law}: each host once");
        assert!(boots.iter().all(|at| (0.0..=100.0).contains(at)), "{law}: within its time");
        boots.iter().filter(|at| **at <= until).count()
    };
    // Three standard deviations each way: 1 in 400 seeds would fail, and the seed is fixed.
    assert!((70..=130).contains(&early("uniform", 10.0)), "{}", early("uniform", 10.0));
    assert!((455..=545).contains(&early("uniform", 50.0)));
    // A mean of a third: 26 % in the first tenth, 78 % in the first half.
    assert!((215..=305).contains(&early("exponential", 10.0)));
    assert!((735..=820).contains(&early("exponential", 50.0)));
    // Half of them in the first tenth, the others evenly in the rest.
    assert!((452..=548).contains(&early("burst-front", 10.0)));
    assert!((650..=800).contains(&early("burst-front", 50.0)));
}

/// Gaps between the look-ups of each desk, and when the first and the last were.
fn lookups(law: &str) -> (Vec<f64>, f64, f64) {
    let text = format!(
        "{ONE_SERVER}\n[workload.work.lookups]\nhosts = \"desk\"\nnames = [\"ghost\"]\n\
         every = \"10s\"\nfrom = \"1h\"\nuntil = \"2h\"\nlaw = \"{law}\"\n"
    );
    let seen = events(&text, 1, &["workload"]);
    // The last event is the one that finds the workload over.
    let times: Vec<f64> = seen.iter().map(|s| s.at).filter(|at| *at < 7200.0).collect();
    let gaps = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    (gaps, times[0], times[times.len() - 1])
}

#[test]
fn lookups_come_at_their_law_within_their_time() {
    for law in ["fixed", "uniform", "exponential"] {
        let (gaps, first, last) = lookups(law);
        assert!(first >= 3600.0 && last < 7200.0, "{law}: {first} to {last}");
        assert!((300..=420).contains(&gaps.len()), "{law}: {} in an hour", gaps.len());
        let longest = gaps.iter().copied().fold(0.0, f64::max);
        let shortest = gaps.iter().copied().fold(f64::MAX, f64::min);
        match law {
            "fixed" => assert!(longest - shortest < 1e-6, "always the same: {longest}"),
            "uniform" => assert!(longest <= 20.0 && longest > 18.0 && shortest < 2.0),
            _ => assert!(longest > 30.0 && shortest < 1.0, "{shortest} to {longest}"),
        }
    }
}

#[test]
fn lookups_ask_the_server_or_the_cache() {
    let text = |cache: &str| {
        format!(
            "{ONE_SERVER}\n[workload.work.lookups]\nhosts = \"desk\"\nnames = [\"ghost\"]\n\
             every = \"10s\"\nlaw = \"fixed\"\nfrom = \"1h\"\nuntil = \"2h\"\ncache = {cache}\n"
        )
    };
    let (cached, asked) = (run(&text("true")), run(&text("false")));
    assert_eq!(figure(&cached, "lookup.count"), figure(&asked, "lookup.count"));
    let answers = |result| figure(result, "wins.answered_yes");
    // An answer lives eleven minutes in the cache: six queries instead of 360.
    let spared = answers(&asked) - answers(&cached);
    assert!((350.0..=356.0).contains(&spared), "{spared}");
    assert_eq!(figure(&run(ONE_SERVER), "lookup.count"), 0.0);
}

#[test]
fn churn_switches_hosts_off_and_on() {
    let churn = |clean: &str| {
        format!(
            r#"{SITES}
[workload.coming-and-going.churn]
hosts = "desk-*"
every = "20min"
off_for = "2min..5min"
clean = {clean}
from = "1h"
until = "2h"
[[expect]]
always = "before, all are there"
registered = {{ hosts = "desk-*" }}
from = "30min"
until = "1h"
[[expect]]
always = "meanwhile, all are there"
registered = {{ hosts = "desk-*" }}
from = "1h"
until = "2h"
[[expect]]
goal = "afterwards, all are there"
registered = {{ hosts = "desk-*" }}
after = "2h"
within = "5min"
stays = "50min"
"#
        )
    };
    let calm = count(&run(SITES), "client.register_time");
    for clean in ["true", "false"] {
        let mut outages = 0;
        for seed in 2..7 {
            let churned = run_seed(&churn(clean), seed);
            assert!(holds(&churned, "before, all are there"));
            assert!(!holds(&churned, "meanwhile, all are there"));
            assert!(holds(&churned, "afterwards, all are there"));
            let back = events(&churn(clean), seed, &["back from outage"]).len() as u64;
            let registered = count(&churned, "client.register_time");
            // Who is switched off again before its last name is granted counts once less.
            assert!((back - 2..=back).contains(&(registered - calm)), "{registered} of {back}");
            outages += back;
        }
        // Five times six desks for an hour, on for 20 and off for 3.5 minutes on average.
        assert!((50..=100).contains(&outages), "{outages} outages");
    }
}

#[test]
fn clean_churn_releases_names_and_dirty_churn_does_not() {
    let churn = |clean: &str| {
        let text = format!(
            "{SITES}\n[workload.going.churn]\nhosts = \"desk-n1\"\nevery = \"20min\"\n\
             off_for = \"10min\"\nclean = {clean}\n\
             [[expect]]\nreach = \"a record is released\"\n\
             server_knows = {{ server = \"wins-a\", name = \"desk-n1\", state = \"released\" }}\n"
        );
        holds(&run(&text), "a record is released")
    };
    assert!(churn("true"));
    assert!(!churn("false"));
}

#[test]
fn roaming_moves_hosts_between_subnets() {
    let roaming = format!(
        "{SITES}\n[workload.on-foot.roaming]\nhosts = \"files\"\nto = [\"north\", \"south\"]\n\
         every = \"20min\"\nfrom = \"1h\"\nuntil = \"2h\"\n\
         [[expect]]\nreach = \"it is seen in the south\"\n\
         answer = {{ name = \"files\", contains = [\"10.2.0.6\"] }}\n"
    );
    let result = run(&roaming);
    let moves: Vec<&str> = result.notable.iter().map(|n| n.what.as_str()).collect();
    let moves: Vec<&str> = moves.into_iter().filter(|what| what.starts_with("moves")).collect();
    assert!((1..=9).contains(&moves.len()), "{moves:?}");
    assert!(moves[0].contains("to 10.2.0."), "{moves:?}");
    let stale_or_failed = figure(&result, "lookup.stale") + figure(&result, "lookup.failed");
    assert!(figure(&run(SITES), "lookup.stale") == 0.0 && stale_or_failed >= 0.0);
    let all = &result.notable;
    let in_time = |at: f64| (3600.0..=7200.0).contains(&at);
    assert!(
        all.iter().filter(|n| n.what.starts_with("moves")).all(|n| in_time(n.at.as_secs_f64()))
    );
}

#[test]
fn each_host_draws_from_a_stream_of_its_own() {
    let text = |names: &str| {
        format!(
            "{ONE_SERVER}\nhost.more = {{ on = \"office\", nbt = {{ servers = [\"wins\"] }} }}\n\
             [workload.work.lookups]\nhosts = {names}\nnames = [\"ghost\"]\nevery = \"5min\"\n"
        )
    };
    let by_host = |names: &str| {
        let mut by_host: BTreeMap<String, Vec<f64>> = BTreeMap::new();
        for Seen { at, on, .. } in events(&text(names), 1, &["workload"]) {
            by_host.entry(on).or_default().push(at);
        }
        by_host
    };
    let (alone, together) = (by_host("\"desk\""), by_host("[\"desk\", \"more\"]"));
    assert_eq!(alone["desk"], together["desk"], "a second host changes nothing for the first");
    assert_ne!(together["desk"], together["more"]);
}

// Steps.

#[test]
fn add_static_makes_a_static_record() {
    step_decides(
        ONE_SERVER,
        "at = \"1h\"\n[step.add_static]\nserver = \"wins\"\nname = \"ARCHIVE\"\n\
         addresses = [\"10.1.0.240\"]",
        "server_knows = { server = \"wins\", name = \"ARCHIVE#20\", static = true, \
         kind = \"unique\", addresses = [\"10.1.0.240\"] }",
    );
    let word = "add_static = { server = \"wins\", name = \"CLERKS\", kind = \"group\" }";
    step_decides(
        ONE_SERVER,
        &format!("at = \"1h\"\n{word}"),
        "server_knows = { server = \"wins\", name = \"CLERKS#1E\", static = true, kind = \"group\" }",
    );
}

#[test]
fn import_lmhosts_makes_static_records() {
    step_decides(
        ONE_SERVER,
        "at = \"1h\"\nimport_lmhosts = { server = \"wins\", file = \"lmhosts\" }",
        "server_knows = { server = \"wins\", name = \"SCANNER#20\", static = true, \
         addresses = [\"10.1.0.78\"] }",
    );
}

/// Two servers that replicate every ten hours only, and a host that comes between two pulls.
fn lazy_partners() -> String {
    let sites = SITES.replace("pull_interval = \"10min\"", "pull_interval = \"10h\"");
    format!(
        "{sites}\n[host.late]\non = \"north\"\nboot = \"30min\"\nnbt = {{ servers = [\"wins-a\"] }}\n"
    )
}

#[test]
fn replicate_pulls_and_pushes() {
    let known = "server_knows = { server = \"wins-b\", name = \"late\" }";
    let pull = "at = \"1h\"\nreplicate = { server = \"wins-b\" }";
    let push = "at = \"1h\"\nreplicate = { server = \"wins-a\", direction = \"push\" }";
    step_decides(&lazy_partners(), pull, known);
    step_decides(&lazy_partners(), push, known);
    // The wrong way round nothing comes.
    let text = format!("{}\n[[expect]]\nreach = \"it\"\n{known}\n", lazy_partners());
    let (_, wrong) = without_and_with(&text, &pull.replace("wins-b", "wins-a"));
    assert!(!holds(&wrong, "it"));
}

#[test]
fn set_partners_makes_servers_replicate() {
    let strangers = SITES
        .replace("wins = { partners = [\"wins-b\"], pull_interval = \"10min\" }", "wins = true")
        .replace(
            "wins = { partners = [\"wins-a\"], pull_interval = \"10min\" }",
            "wins = { push_to = [\"wins-a\"] }",
        );
    assert!(!strangers.contains("partners"));
    let strangers = strangers
        + "\n[[step]]\nat = \"1h\"\nset_partners = { server = \"wins-a\", \
                                 push_to = [\"wins-b\"] }\n";
    step_decides(
        &strangers,
        "at = \"61min\"\nset_partners = { server = \"wins-b\", pull_from = [\"wins-a\"], \
         pull_interval = \"10min\" }",
        "server_knows = { server = \"wins-b\", name = \"files\" }",
    );
}

#[test]
fn scavenge_releases_what_is_too_old() {
    let gone = format!("{ONE_SERVER}\n[[fault]]\nat = \"10min\"\ncrash = \"ghost\"\n");
    let gone = gone.replace("renewal_interval", "scavenge_every = \"10h\", renewal_interval");
    step_decides(
        &gone,
        "at = \"2h 30min\"\nscavenge = { server = \"wins\" }",
        "server_knows = { server = \"wins\", name = \"ghost\", state = \"released\" }",
    );
}

#[test]
fn roam_gives_a_host_another_address() {
    step_decides(
        SITES,
        "at = \"1h\"\nroam = { host = \"files\", to = \"south\", address = \"10.2.0.99\" }",
        "answer = { name = \"files\", starts_with = [\"10.2.0.99\"], count = 1 }",
    );
}

#[test]
fn shut_down_releases_and_boot_claims_again() {
    let released = "server_knows = { server = \"wins\", name = \"desk\", state = \"released\" }";
    step_decides(ONE_SERVER, "at = \"1h\"\nshut_down = \"desk\"", released);
    let off = ONE_SERVER.replace("boot = \"1min\"", "boot = \"off\"");
    let known = "server_knows = { server = \"wins\", name = \"desk\" }";
    step_decides(&off, "at = \"1h\"\nboot = \"desk\"", known);
}

#[test]
fn register_and_release_are_about_one_name() {
    let known = "server_knows = { server = \"wins\", name = \"SQL#20\", kind = \"unique\" }";
    let claim = "at = \"1h\"\nregister = { host = \"desk\", name = \"SQL#20\" }";
    step_decides(ONE_SERVER, claim, known);
    let group = "server_knows = { server = \"wins\", name = \"SQL#20\", kind = \"group\" }";
    let join = claim.replace("\" }", "\", group = true }");
    step_decides(ONE_SERVER, &join, group);
    let claimed = format!("{ONE_SERVER}\n[[step]]\n{claim}\n");
    let released = "server_knows = { server = \"wins\", name = \"SQL#20\", state = \"released\" }";
    let release = "at = \"2h\"\nrelease = { host = \"desk\", name = \"SQL#20\" }";
    step_decides(&claimed, release, released);
}

#[test]
fn log_on_claims_the_name_of_the_user() {
    step_decides(
        ONE_SERVER,
        "at = \"1h\"\nlog_on = { host = \"desk\", user = \"ALICE\" }",
        "server_knows = { server = \"wins\", name = \"ALICE#03\", addresses = [\"desk\"] }",
    );
}

#[test]
fn lookup_is_one_look_up_by_each_host() {
    let step = "at = \"1h\"\nlookup = { host = [\"desk\", \"ghost\"], name = \"desk\" }";
    let (without, with) = without_and_with(ONE_SERVER, step);
    assert_eq!(figure(&without, "lookup.count"), 0.0);
    assert_eq!(figure(&with, "lookup.count"), 2.0);
    assert_eq!(figure(&with, "lookup.success"), 100.0);
}

#[test]
fn delete_record_and_tombstone_record_end_a_record() {
    let gone = "from = \"10min\"\nserver_lacks = { server = \"wins\", name = \"desk\" }";
    let delete = "at = \"1h\"\ndelete_record = { server = \"wins\", name = \"DESK#20\" }";
    step_decides(ONE_SERVER, delete, gone);
    let dead = "server_knows = { server = \"wins\", name = \"desk\", state = \"tombstone\" }";
    let tombstone = "at = \"1h\"\ntombstone_record = { server = \"wins\", name = \"DESK#20\" }";
    step_decides(ONE_SERVER, tombstone, dead);
}

#[test]
fn delete_owner_forgets_an_owner_with_its_records() {
    step_decides(
        SITES,
        "at = \"1h\"\ndelete_owner = { server = \"wins-b\", owner = \"wins-a\" }",
        "from = \"30min\"\n\
         owner_known = { server = \"wins-b\", owner = \"wins-a\", at_most = 0 }",
    );
}

/// A replica that its owner never had.
const INVENTED: &str = "at = \"1h\"\n[step.put_record]\nserver = \"wins-b\"\nname = \"FAKE#20\"\n\
                        kind = \"multihomed\"\nowner = \"wins-a\"\nversion = 3\n\
                        addresses = [\"10.1.0.77\", \"10.1.0.78\"]\n";

#[test]
fn put_record_invents_and_check_consistency_finds_out() {
    // In one line: put_record = { server = "wins-b", ... }
    step_decides(
        SITES,
        INVENTED,
        "server_knows = { server = \"wins-b\", name = \"FAKE#20\", kind = \"multihomed\", \
         owner = \"wins-a\", version_min = 3, version_max = 3 }",
    );
    step_decides(
        &format!("{SITES}\n[[step]]\n{INVENTED}"),
        "at = \"2h\"\ncheck_consistency = { server = \"wins-b\" }",
        "from = \"1h 10min\"\nserver_lacks = { server = \"wins-b\", name = \"FAKE#20\" }",
    );
}

#[test]
fn stop_wins_and_start_wins_leave_the_host_alone() {
    let stop = "at = \"1h\"\nstop_wins = \"wins\"";
    let silent = "from = \"30min\"\nrecord_count = { server = \"wins\", at_most = 0 }";
    step_decides(ONE_SERVER, stop, silent);
    let back = "from = \"1h 10min\"\nrecord_count = { server = \"wins\", at_least = 5 }";
    let stopped = format!("{ONE_SERVER}\n[[step]]\n{stop}\n");
    step_decides(&stopped, "at = \"2h\"\nstart_wins = \"wins\"", back);
}

#[test]
fn a_claim_is_a_packet_and_nothing_else() {
    let claim = "at = \"1h\"\nclaim = { host = \"desk\", server = \"wins\", name = \"SQL#20\", \
                 kind = \"multihomed\", address = \"10.1.0.99\" }";
    step_decides(
        ONE_SERVER,
        claim,
        "server_knows = { server = \"wins\", name = \"SQL#20\", kind = \"multihomed\", \
         addresses = [\"10.1.0.99\"] }",
    );
    let claimed = format!("{ONE_SERVER}\n[[step]]\n{}\n", claim.replace("10.1.0.99", "desk"));
    step_decides(
        &claimed,
        "at = \"2h\"\nclaim = { host = \"desk\", server = \"wins\", name = \"SQL#20\", release = true }",
        "server_knows = { server = \"wins\", name = \"SQL#20\", state = \"released\" }",
    );
}

#[test]
fn release_refresh_gives_every_name_a_new_version() {
    // Eleven names are registered at first: three hosts, three names each, and two groups.
    step_decides(
        ONE_SERVER,
        "at = \"1h\"\nrelease_refresh = \"desk\"",
        "server_knows = { server = \"wins\", name = \"desk\", version_min = 12 }",
    );
}

#[test]
fn a_malformed_packet_is_logged_and_stops_what_dies_of_it() {
    let step = "at = \"1h\"\nmalformed_packet = { host = \"desk\", to = \"wins\" }";
    let logged = "event_logged = { hosts = \"wins\", id = 4119 }";
    step_decides(ONE_SERVER, step, logged);
    let sp3 = ONE_SERVER.replace("host.wins = {", "host.wins = { profile = \"nt40-sp3\",");
    step_decides(&sp3, step, logged);
    let known = "[[expect]]\nalways = \"it\"\nserver_knows = { server = \"wins\", name = \"wins\" }\n\
                 from = \"5min\"\n";
    for (text, survives) in [(ONE_SERVER, true), (sp3.as_str(), false)] {
        let (without, with) = without_and_with(&format!("{text}\n{known}"), step);
        assert!(holds(&without, "it"));
        assert_eq!(holds(&with, "it"), survives);
    }
}

#[test]
fn a_service_can_start_later_than_its_host() {
    let text = |after: &str| {
        let wins = format!("wins = {{ starts_after = \"{after}\", renewal_interval");
        let expect = "[[expect]]\ngoal = \"it\"\nserver_knows = { server = \"wins\", name = \"wins\" }\n\
                      within = \"2min\"\n";
        ONE_SERVER.replace("wins = { renewal_interval", &wins) + expect
    };
    assert!(holds(&run(&text("0s")), "it"));
    assert!(!holds(&run(&text("5min")), "it"));
    let off = "[[step]]\nat = \"2min\"\nshut_down = \"wins\"\n";
    assert!(!holds(&run(&(text("5min") + off)), "it"), "off before it came to that");
}
