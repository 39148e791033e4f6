//! A WINS server on a cluster as others see it: a partner and a client's server like any other, measured and
//! judged like any other. What fails over with it is in scenarios/cluster/wins-on-a-cluster.toml.

mod lab;

use std::net::Ipv4Addr;
use winstorm::measure::{RunResult, Verdict};
use winstorm::scenario::{Plan, load};

/// A clustered server, a plain one whose partner is `PARTNER`, and two desks across a router, one of which
/// asks `SERVER`.
const BASE: &str = r#"
title = "a clustered WINS server"
duration = "40min"
[subnet]
room = "10.1.0.0/24"
heart = "10.9.0.0/24"
north = "10.2.0.0/24"
south = "10.3.0.0/24"
[router.core]
on = ["room", "north", "south"]
[host."node-{1..2}"]
on = "room"
also_on = { heart = "10.9.0.1" }
profile = "w2k"
boot = "00:00..00:00:20"
nbt = { servers = ["far"] }
[host.far]
on = "south"
profile = "nt40"
wins = { pull_from = [{ host = "PARTNER", interval = "2min" }] }
[host.desk]
on = "north"
boot = "00:05"
nbt = { servers = ["SERVER"] }
[host.other]
on = "south"
boot = "00:25"
nbt = { servers = ["PARTNER"] }
[cluster.mars]
nodes = ["node-1", "node-2"]
networks = { room = "all", heart = "internal" }
quorum = "quorum"
disk.quorum = { letter = "Q" }
disk.data = { letter = "W" }
[cluster.mars.group.naming.resource]
disk = { type = "physical-disk", disk = "data" }
ip = { type = "ip-address", address = "10.1.0.50" }
name = { type = "network-name", name = "NAMES", depends_on = ["ip"] }
service = { type = "wins", depends_on = ["disk", "ip", "name"], database_path = 'W:\wins\', server = {} }
"#;

const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 50);

fn read(text: &str) -> Result<Plan, String> {
    let no_files = |_: &str| Err("there are no files here".to_string());
    load("case.toml", text, &[], &no_files).map_err(|mistakes| mistakes.to_string())
}

fn story(server: &str, added: &str) -> String {
    asking(server, server, added)
}

fn asking(server: &str, partner: &str, added: &str) -> String {
    BASE.replace("SERVER", server).replace("PARTNER", partner) + added
}

#[track_caller]
fn passes(result: &RunResult) {
    for e in &result.expectations {
        assert_eq!(e.verdict, Verdict::Pass, "{}: {}", e.name, e.detail);
    }
}

fn measure(result: &RunResult, name: &str) -> Option<f64> {
    result.measures.iter().find(|m| m.name == name).map(|m| m.max)
}

#[test]
fn it_is_named_by_address_network_name_group_and_resource() {
    for name in
        ["10.1.0.50", "NAMES", "names", "naming", "service", "naming/service", "mars/naming"]
    {
        let plan = read(&story(name, "")).unwrap_or_else(|m| panic!("{name}: {m}"));
        let far = plan.host("far").expect("it is in the file");
        let partner = plan.wins_of(far).expect("it runs WINS").pull_from[0].host;
        assert_eq!(plan.server_address(partner), ADDRESS, "{name}");
        assert_eq!(plan.server_name(partner), "names", "{name}");
        let desk = plan.group_of(plan.host("desk").expect("it is in the file"));
        assert_eq!(desk.nbt.as_ref().expect("it has NetBT").server_addresses, [ADDRESS], "{name}");
    }
    let mistakes = read(&story("naminq", "")).expect_err("nobody is called that");
    assert!(mistakes.contains("unknown host `naminq`"), "{mistakes}");
}

#[test]
fn it_is_no_partner_of_itself_and_its_nodes_run_no_other() {
    let own = story("names", "").replace("server = {}", "server = { partners = [\"naming\"] }");
    let mistakes = read(&own).expect_err("a server is its own partner");
    assert!(mistakes.contains("`names` cannot be its own partner"), "{mistakes}");
    let second = story("names", "").replace("nbt = { servers = [\"far\"] }", "wins = true");
    let mistakes = read(&second).expect_err("a machine runs one WINS server");
    assert!(mistakes.contains("node `node-1` runs a WINS server of its own"), "{mistakes}");
}

/// Partners are in the registry, below a key that is checkpointed: what is set on one node counts on the
/// other.
#[test]
fn partners_that_an_administrator_sets_survive_a_failover() {
    let added = r#"
[[step]]
at = "00:15"
set_partners = { server = "naming", pull_from = [{ host = "far", interval = "2min" }] }
[[step]]
at = "00:28"
register = { host = "far", name = "LATE#20" }
[[fault]]
label = "power cut"
at = "00:20"
lasts = "20min"
power_cut = "owner-of naming"
[[expect]]
goal = "the other node pulls from the new partner"
server_knows = { server = "naming", name = "LATE#20", owner = "far" }
after = "00:28"
within = "5min"
[[expect]]
goal = "the old partner goes on pulling, from the same owner"
server_knows = { server = "far", name = "other", owner = "NAMES" }
after = "00:25"
within = "5min"
"#;
    let seen = lab::run(&story("10.1.0.50", added));
    passes(&seen);
    assert!(measure(&seen, "server.names.pulls").is_some_and(|pulls| pulls > 0.0));
}

/// A network name is looked up as any: right while its resource is online, a failure if nobody answers then,
/// rightly absent while it is offline.
#[test]
fn look_ups_of_network_names_are_judged() {
    let added = r#"
[workload.asking.lookups]
hosts = "desk"
names = ["NAMES"]
every = "10s"
law = "fixed"
cache = false
from = "00:10"
[[step]]
at = "00:20"
offline_group = "naming"
"#;
    let whole = lab::run(&asking("far", "names", added));
    assert!(measure(&whole, "lookup.success").is_some_and(|share| share == 100.0));
    assert_eq!(measure(&whole, "loss.unresolved_time"), Some(0.0));
    // A desk that asks nobody but its own subnet fails as long as the name is there.
    let asked = "nbt = { servers = [\"far\"] }\n[host.other]";
    let deaf =
        asking("far", "names", added).replace(asked, "nbt = { node_type = \"B\" }\n[host.other]");
    let failing = lab::run(&deaf);
    assert_eq!(measure(&failing, "lookup.success"), Some(0.0));
    let unresolved = measure(&failing, "loss.unresolved_time").expect("look-ups were made");
    assert!((590.0..1810.0).contains(&unresolved), "{unresolved} s");
}

#[test]
fn its_service_is_started_and_stopped_by_its_cluster() {
    let step = "[[step]]\nat = \"10min\"\nstop_wins = \"NAMES\"\n";
    let said = read(&story("10.1.0.50", step)).map(|_| ()).expect_err("refused");
    assert!(said.contains("the WINS server `names` is a resource of a cluster"), "{said}");
    assert!(said.contains("offline_resource"), "{said}");
    let step = "[[step]]\nat = \"10min\"\nstop_wins = \"far\"\n";
    assert!(read(&story("10.1.0.50", step)).is_ok());
}
