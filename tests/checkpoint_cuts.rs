//! Power fails while the file of a registry checkpoint is written, before and after, in two saves that follow
//! one another; another node takes over. It restores the state before or the state after, and the judge finds
//! nothing; on NT 4.0, which writes in place and checks nothing, also a mixture, and the judge says so.

mod lab;

use lab::{holds, run_seed};
use std::collections::BTreeMap;

/// The key's values A and Z have one number, first 1, then 2, then 3, with sectors between them. The saves
/// begin half a second after the change, and take some 10 ms, or 20 where a new file is put in the place of
/// the old one.
const STORY: &str = r#"
title = "power fails while a checkpoint is saved"
duration = "8min"
[subnet]
office = "10.1.0.0/24"
heart = "10.9.0.0/24"
[host."node-{1..2}"]
on = "office"
also_on = { heart = "10.9.0.1" }
profile = "HOST"
boot = "00:00"
[host."node-{1..2}".service.Stock]
starts_in = "1s"
[cluster.mars]
nodes = ["node-1", "node-2"]
networks = { office = "all", heart = "internal" }
quorum = "quorum"
profile = "CLUSTER"
disk.quorum = { letter = "Q" }
checkpoint_save_delay = "500ms"
[cluster.mars.group.stock.resource]
stock = { type = "generic-service", service = "Stock", checkpoints = ['Software\Stock'] }
[[fault]]
label = "power"
at = "6min AT"
power_cut = "owner-of stock"
[[expect]]
goal = "the other node takes over"
group_online = "stock"
after = "power"
within = "1min"
[[expect]]
always = "nothing is broken"
no_violation = true
[[expect]]
always = "nothing is broken that NT 4.0 does not break"
violation_only = ["Q216064"]
"#;

/// When power fails, in milliseconds after the change to 2, the state before, and with how many seeds: they
/// say what is torn, and most of what is cut is not. The change to 3 comes two seconds later.
const CUTS: [(u32, u32, u64); 8] = [
    (490, 1, 1),
    (506, 1, 30),
    (515, 1, 10),
    (540, 1, 1),
    (2490, 2, 1),
    (2506, 2, 30),
    (2515, 2, 10),
    (2540, 2, 1),
];

/// The story with power failing so many milliseconds after 00:06.
fn story(host: &str, cluster: &str, at: u32) -> String {
    let at = format!("{}s {}ms", at / 1000, at % 1000);
    let mut text = STORY.replace("HOST", host).replace("CLUSTER", cluster).replace("AT", &at);
    for (when, number) in [("5min", 1), ("6min", 2), ("6min 2s", 3)] {
        let filler = "x".repeat(600);
        text += &format!(
            r#"
[[step]]
at = "{when}"
import_reg = {{ on = "owner-of stock", file = '''
Windows Registry Editor Version 5.00

[HKEY_LOCAL_MACHINE\Software\Stock]
"A"=dword:{number}
"Filler"="{filler}"
"Z"=dword:{number}
''' }}
"#
        );
        for value in ["A", "Z"] {
            text += &format!(
                r#"
[[expect]]
goal = "{value} is {number}"
after = "7min 30s"
within = "1s"
[expect.registry_value]
on = "owner-of stock"
key = 'Software\Stock'
value = "{value}"
data = {number}
"#
            );
        }
    }
    text
}

/// What came of every cut: how often, by the values that were restored less the number of the state before,
/// and whether the judge found it broken.
fn sweep(host: &str, cluster: &str) -> BTreeMap<(u32, u32, bool), u32> {
    let mut seen = BTreeMap::new();
    for (at, before, seeds) in CUTS {
        let text = story(host, cluster, at);
        for seed in 1..=seeds {
            let when = format!("{cluster}, {at} ms, seed {seed}");
            let result = run_seed(&text, seed);
            assert!(holds(&result, "the other node takes over"), "{when}");
            assert!(holds(&result, "nothing is broken that NT 4.0 does not break"), "{when}");
            let number = |value: &str| {
                let found = (1..=3).find(|n| holds(&result, &format!("{value} is {n}")));
                found.unwrap_or_else(|| panic!("{value} is no number: {when}"))
            };
            let broken = !holds(&result, "nothing is broken");
            let what = (number("A") - before, number("Z") - before, broken);
            *seen.entry(what).or_default() += 1;
        }
    }
    seen
}

#[test]
fn a_power_cut_at_any_save_restores_the_old_state_or_the_new() {
    for (host, cluster) in [("w2k", "w2k-sp4"), ("w2k3", "w2k3-sp0")] {
        let seen = sweep(host, cluster);
        let kinds: Vec<_> = seen.keys().copied().collect();
        assert_eq!(kinds, [(0, 0, false), (1, 1, false)], "{cluster}: {seen:?}");
        assert!(seen.values().all(|times| *times >= 20), "{cluster}: {seen:?}");
    }
}

#[test]
fn a_power_cut_on_nt40_restores_a_mixture_and_the_judge_knows_why() {
    let seen = sweep("nt40", "nt40-sp6");
    let kinds: Vec<_> = seen.keys().copied().collect();
    assert_eq!(kinds, [(0, 0, false), (0, 1, true), (1, 0, true), (1, 1, false)], "{seen:?}");
}
