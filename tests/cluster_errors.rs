//! What people read when a cluster in a scenario file is wrong: the exact text for every kind of mistake.
//!
//! A companion of `tests/scenario_errors.rs`. What a version of the product refused is refused here when the
//! file is checked, with the number of the error or of the article where there is one.

use winstorm::scenario::load;

/// A sound cluster that the cases change or add something to. What is added first is one more resource.
const BASE: &str = r#"title = "a cluster"
duration = "10h"
subnet.office = "10.1.0.0/24"
subnet.heart = "10.9.0.0/24"
host."node-{1..3}" = { on = "office", also_on = "heart", profile = "w2k", service.Inventory = {} }
[cluster.mars]
nodes = ["node-1", "node-2"]
networks = { office = "all", heart = "internal" }
quorum = "quorum"
disk.quorum = { letter = "Q" }
disk.data = { letter = "F" }
[cluster.mars.group.files.resource]
data = { type = "physical-disk" }
ip = { type = "ip-address", address = "10.1.0.50" }
name = { type = "network-name", name = "FILES", depends_on = ["ip"] }
"#;

/// A `.reg` text with three mistakes.
const BAD_REG: &str = r#"Windows Registry Editor Version 5.00

[HKEY_LOCAL_MACHINE\Software\Inventory]
"Stock"=dword:zz
"Limit=1
[HKEY_CURRENT_USER\Software]
"#;

fn read_file(name: &str) -> Result<String, String> {
    match name {
        "bad.reg" => Ok(BAD_REG.to_string()),
        _ => Err("No such file or directory (os error 2)".to_string()),
    }
}

/// Changes pieces of the sound cluster, adds something, and compares the mistakes with those expected.
#[track_caller]
fn expect_changed(changes: &[(&str, &str)], added: &str, expected: &str) {
    let mut text = BASE.to_string();
    for (from, to) in changes {
        assert!(text.contains(from), "the sound cluster has no `{from}`");
        text = text.replace(from, to);
    }
    text.push_str(added);
    let found = match load("case.toml", &text, &[], &read_file) {
        Ok(_) => "no mistake".to_string(),
        Err(mistakes) => mistakes.to_string(),
    };
    assert!(found.trim() == expected.trim(), "found:\n{found}\nexpected:\n{expected}");
}

#[track_caller]
fn expect_added(added: &str, expected: &str) {
    expect_changed(&[], added, expected);
}

#[test]
fn the_base_is_sound() {
    expect_added("", "no mistake");
}

#[test]
fn wins_under_nt40() {
    expect_changed(
        &[(r#"profile = "w2k""#, r#"profile = "nt40""#)],
        r#"wins = { type = "wins", database_path = 'F:\wins\', depends_on = ["data", "ip"] }
"#,
        r#"
error: WINS is no resource of an NT 4.0 cluster
  case.toml:16:17
   16 | wins = { type = "wins", database_path = 'F:\wins\', depends_on = ["data", "ip"] }
      |                 ^^^^^^
  Cluster Server 1.0 does not support WINS, DHCP or DNS (Q174956): their
  databases and bindings belong to one node and do not fail over with a group
  instead: two WINS servers as push and pull partners, and clients with both,
  primary and secondary; for DHCP, a scope split between two servers
1 mistake in 1 file
"#,
    );
}

#[test]
fn dhcp_under_nt40() {
    expect_changed(
        &[(r#"profile = "w2k""#, r#"profile = "nt40""#)],
        r#"dhcp = { type = "dhcp", database_path = 'F:\dhcp\', depends_on = ["data", "ip"] }
"#,
        r#"
error: DHCP is no resource of an NT 4.0 cluster
  case.toml:16:17
   16 | dhcp = { type = "dhcp", database_path = 'F:\dhcp\', depends_on = ["data", "ip"] }
      |                 ^^^^^^
  Cluster Server 1.0 does not support WINS, DHCP or DNS (Q174956): their
  databases and bindings belong to one node and do not fail over with a group
  instead: two WINS servers as push and pull partners, and clients with both,
  primary and secondary; for DHCP, a scope split between two servers
1 mistake in 1 file
"#,
    );
}

#[test]
fn dns_under_nt40() {
    expect_changed(
        &[(r#"profile = "w2k""#, r#"profile = "nt40""#)],
        r#"dns = { type = "dns" }
"#,
        r#"
error: DNS is no resource of an NT 4.0 cluster
  case.toml:16:16
   16 | dns = { type = "dns" }
      |                ^^^^^
  Cluster Server 1.0 does not support WINS, DHCP or DNS (Q174956): their
  databases and bindings belong to one node and do not fail over with a group
  instead: a secondary DNS server for each zone, and clients that know both
1 mistake in 1 file
"#,
    );
}

#[test]
fn dns_under_any_version() {
    expect_changed(
        &[(r#"profile = "w2k""#, r#"profile = "w2k3""#)],
        r#"dns = { type = "dns" }
"#,
        r#"
error: DNS is no resource of a Server 2003 cluster
  case.toml:16:16
   16 | dns = { type = "dns" }
      |                ^^^^^
  no version has a resource type for DNS: the service keeps its own copies of a zone,
  on a secondary server or in the directory, and needs no failover
  instead: two DNS servers for each zone; or, without support, a generic-service
1 mistake in 1 file
"#,
    );
}

#[test]
fn wins_where_the_profile_has_it_not() {
    expect_changed(
        &[(
            r#"quorum = "quorum""#,
            r#"quorum = "quorum"
clusters_wins_and_dhcp = false"#,
        )],
        r#"wins = { type = "wins", database_path = 'F:\wins\', depends_on = ["data", "ip"] }
"#,
        r#"
error: WINS is no resource here
  case.toml:17:17
   17 | wins = { type = "wins", database_path = 'F:\wins\', depends_on = ["data", "ip"] }
      |                 ^^^^^^ the profile has clusters_wins_and_dhcp = false
1 mistake in 1 file
"#,
    );
}

#[test]
fn time_service_after_nt40() {
    expect_added(
        r#"time = { type = "time-service" }
"#,
        r#"
error: a Windows 2000 SP4 cluster has no Time Service
  case.toml:16:17
   16 | time = { type = "time-service" }
      |                 ^^^^^^^^^^^^^^ the system keeps the clocks of its nodes itself
1 mistake in 1 file
"#,
    );
}

#[test]
fn nine_nodes_of_server_2003() {
    expect_changed(
        &[
            (r#"node-{1..3}"#, r#"node-{1..9}"#),
            (r#"profile = "w2k""#, r#"profile = "w2k3""#),
            (r#"nodes = ["node-1", "node-2"]"#, r#"nodes = "node-*""#),
        ],
        r#""#,
        r#"
error: 9 nodes are more than Server 2003 SP2 supports
  case.toml:7:9
    7 | nodes = "node-*"
      |         ^^^^^^^^ 8 at most
  for a study of larger clusters, add study = true
1 mistake in 1 file
"#,
    );
}

#[test]
fn more_nodes_than_the_version_has() {
    expect_changed(
        &[
            (r#"profile = "w2k""#, r#"profile = "nt40""#),
            (r#"nodes = ["node-1", "node-2"]"#, r#"nodes = "node-*""#),
        ],
        r#""#,
        r#"
error: 3 nodes are more than NT 4.0 SP6 supports
  case.toml:7:9
    7 | nodes = "node-*"
      |         ^^^^^^^^ 2 at most
  for a study of larger clusters, add study = true
1 mistake in 1 file
"#,
    );
}

#[test]
fn nodes_that_are_none() {
    expect_changed(
        &[(r#"nodes = ["node-1", "node-2"]"#, r#"nodes = ["node-1", "node-1", "nod-2"]"#)],
        r#""#,
        r#"
error: node `node-1` is listed twice
  case.toml:7:20
    7 | nodes = ["node-1", "node-1", "nod-2"]
      |                    ^^^^^^^^
error: unknown host `nod-2`
  case.toml:7:30
    7 | nodes = ["node-1", "node-1", "nod-2"]
      |                              ^^^^^^^ did you mean `node-2`?
  hosts: node-{1..3}
  or a set: hosts, clients, wins-servers, subnet NAME, domain NAME, a pattern with *
2 mistakes in 1 file
"#,
    );
}

#[test]
fn no_node_at_all() {
    expect_changed(
        &[(r#"nodes = ["node-1", "node-2"]"#, r#"nodes = []"#)],
        r#""#,
        r#"
error: a cluster needs a node
  case.toml:7:9
    7 | nodes = []
      |         ^^
1 mistake in 1 file
"#,
    );
}

#[test]
fn a_system_without_cluster_service() {
    expect_changed(
        &[(r#"profile = "w2k""#, r#"profile = "nt40-sp2""#)],
        r#""#,
        r#"
error: `node-1` cannot be a node
  case.toml:7:9
    7 | nodes = ["node-1", "node-2"]
      |         ^^^^^^^^^^^^^^^^^^^^ Cluster Server needs service pack 3
error: `node-2` cannot be a node
  case.toml:7:9
    7 | nodes = ["node-1", "node-2"]
      |         ^^^^^^^^^^^^^^^^^^^^ Cluster Server needs service pack 3
2 mistakes in 1 file
"#,
    );
}

#[test]
fn hosts_of_two_versions() {
    expect_changed(
        &[
            (
                r#"[cluster.mars]"#,
                r#"host.old = { on = "office", also_on = "heart", profile = "nt40", service.Inventory = {} }
[cluster.mars]"#,
            ),
            (r#""node-2"]"#, r#""old"]"#),
        ],
        r#""#,
        r#"
error: `old` is NT 4.0, the first node Windows 2000
  case.toml:8:9
    8 | nodes = ["node-1", "old"]
      |         ^^^^^^^^^^^^^^^^^ give the cluster its `profile`
1 mistake in 1 file
"#,
    );
}

#[test]
fn a_host_in_two_clusters() {
    expect_added(
        r#"[cluster.venus]
nodes = ["node-2"]
networks = { office = "all" }
quorum = "local"
"#,
        r#"
error: host `node-2` is a node of cluster `mars`
  case.toml:17:10
   17 | nodes = ["node-2"]
      |          ^^^^^^^^ a host is in one cluster
1 mistake in 1 file
"#,
    );
}

#[test]
fn no_network_joins_the_nodes() {
    expect_changed(
        &[(r#", also_on = "heart""#, r#""#), (r#"office = "all""#, r#"office = "client""#)],
        r#""#,
        r#"
error: no network between nodes joins `node-1` and `node-2` (event 1079)
  case.toml:8:12
    8 | networks = { office = "client", heart = "internal" }
      |            ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
  give a host a second adapter with `also_on`
1 mistake in 1 file
"#,
    );
}

#[test]
fn no_network_for_nodes() {
    expect_changed(
        &[
            (r#"heart = "internal""#, r#"heart = "none""#),
            (r#"office = "all""#, r#"office = "client""#),
        ],
        r#""#,
        r#"
error: no network carries traffic between nodes
  case.toml:8:12
    8 | networks = { office = "client", heart = "none" }
      |            ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ make one "internal" or "all"
1 mistake in 1 file
"#,
    );
}

#[test]
fn an_unknown_network_and_role() {
    expect_changed(
        &[(
            r#"networks = { office = "all", heart = "internal" }"#,
            r#"networks = { offices = "all", heart = "intern" }"#,
        )],
        r#""#,
        r#"
error: unknown subnet `offices`
  case.toml:8:14
    8 | networks = { offices = "all", heart = "intern" }
      |              ^^^^^^^ did you mean `office`?
  subnets: office, heart
error: bad value `intern` for `heart`
  case.toml:8:39
    8 | networks = { offices = "all", heart = "intern" }
      |                                       ^^^^^^^^ no such word; did you mean `internal`?
  write one of: internal, client, all, none
error: 10.1.0.50 fits no network of the cluster
  case.toml:14:39
   14 | ip = { type = "ip-address", address = "10.1.0.50" }
      |                                       ^^^^^^^^^^^
  networks: heart
3 mistakes in 1 file
"#,
    );
}

#[test]
fn a_quorum_that_is_no_disk() {
    expect_changed(
        &[(r#"quorum = "quorum""#, r#"quorum = "ip""#)],
        r#""#,
        r#"
error: the quorum `ip` is no disk
  case.toml:9:10
    9 | quorum = "ip"
      |          ^^^^
  a Physical Disk is the only built-in resource that can arbitrate; or write "local" or "majority-node-set"
  disks: quorum, data
1 mistake in 1 file
"#,
    );
}

#[test]
fn an_unknown_quorum() {
    expect_changed(
        &[(r#"quorum = "quorum""#, r#"quorum = "quorumm""#)],
        r#""#,
        r#"
error: no shared disk is called `quorumm`
  case.toml:9:10
    9 | quorum = "quorumm"
      |          ^^^^^^^^^ did you mean `quorum`?
  a Physical Disk is the only built-in resource that can arbitrate; or write "local" or "majority-node-set"
  disks: quorum, data
1 mistake in 1 file
"#,
    );
}

#[test]
fn a_quorum_that_depends_on_something() {
    expect_added(
        r#"quorum = { type = "physical-disk", depends_on = ["data"] }
"#,
        r#"
error: the quorum resource `quorum` depends on something
  case.toml:16:49
   16 | quorum = { type = "physical-disk", depends_on = ["data"] }
      |                                                 ^^^^^^^^ remove it
  it is the first to go online: error 5069 (Q175664)
1 mistake in 1 file
"#,
    );
}

#[test]
fn majority_node_set_before_server_2003() {
    expect_changed(
        &[(r#"quorum = "quorum""#, r#"quorum = "majority-node-set""#)],
        r#""#,
        r#"
error: Windows 2000 SP4 has no majority node set
  case.toml:9:10
    9 | quorum = "majority-node-set"
      |          ^^^^^^^^^^^^^^^^^^^ name a disk
  it came with Server 2003: profile = "w2k3"
1 mistake in 1 file
"#,
    );
}

#[test]
fn local_quorum_of_two_nodes() {
    expect_changed(
        &[(r#"quorum = "quorum""#, r#"quorum = "local""#)],
        r#""#,
        r#"
error: a local quorum is for one node, not for 2
  case.toml:9:10
    9 | quorum = "local"
      |          ^^^^^^^ name a disk
  it serves development on a single node and cannot grow (Q245626)
1 mistake in 1 file
"#,
    );
}

#[test]
fn a_cycle_of_dependencies() {
    expect_changed(
        &[(r#"address = "10.1.0.50" }"#, r#"address = "10.1.0.50", depends_on = ["service"] }"#)],
        r#"service = { type = "generic-service", service = "Inventory", depends_on = ["name", "data"] }
"#,
        r#"
error: these resources depend on each other: ip -> service -> name -> ip
  case.toml:15:62
   15 | name = { type = "network-name", name = "FILES", depends_on = ["ip"] }
      |                                                              ^^^^^^ none of them could go online first
1 mistake in 1 file
"#,
    );
}

#[test]
fn a_resource_that_depends_on_itself() {
    expect_changed(
        &[(r#"type = "physical-disk" }"#, r#"type = "physical-disk", depends_on = ["data"] }"#)],
        r#""#,
        r#"
error: `data` cannot depend on itself
  case.toml:13:48
   13 | data = { type = "physical-disk", depends_on = ["data"] }
      |                                                ^^^^^^
1 mistake in 1 file
"#,
    );
}

#[test]
fn a_dependency_that_is_missing() {
    expect_added(
        r#"service = { type = "generic-service", service = "Inventory", depends_on = ["nane", "data"] }
"#,
        r#"
error: group `files` has no resource `nane`
  case.toml:16:76
   16 | service = { type = "generic-service", service = "Inventory", depends_on = ["nane", "data"] }
      |                                                                            ^^^^^^ did you mean `name`?
  resources there: data, ip, name
1 mistake in 1 file
"#,
    );
}

#[test]
fn a_dependency_in_another_group() {
    expect_added(
        r#"[cluster.mars.group.print.resource]
service = { type = "generic-service", service = "Inventory", depends_on = ["name"] }
"#,
        r#"
error: `name` is in group `files`, not in `print`
  case.toml:17:76
   17 | service = { type = "generic-service", service = "Inventory", depends_on = ["name"] }
      |                                                                            ^^^^^^ dependencies stay within a group (Q171791)
1 mistake in 1 file
"#,
    );
}

#[test]
fn keys_that_cannot_be_checkpointed() {
    expect_added(
        r#"service = { type = "generic-service", service = "Inventory", checkpoints = ['\Software\Inventory', 'HKLM\Software\Inventory', 'HKCU\Software', 'Software\Inventory\'] }
"#,
        r#"
error: `\Software\Inventory` begins with a backslash; a path is relative to HKEY_LOCAL_MACHINE
  case.toml:16:77
   16 | service = { type = "generic-service", service = "Inventory", checkpoints = ['\Software\Inventory', 'HKLM\Software\Inventory', 'HKCU\Software', 'Software\Invento
      |                                                                             ^^^^^^^^^^^^^^^^^^^^^ write 'Software\Inventory'
error: `HKLM\Software\Inventory` names its root; leave it out, a path is relative to HKEY_LOCAL_MACHINE
  case.toml:16:100
   16 | service = { type = "generic-service", service = "Inventory", checkpoints = ['\Software\Inventory', 'HKLM\Software\Inventory', 'HKCU\Software', 'Software\Invento
      |                                                                                                    ^^^^^^^^^^^^^^^^^^^^^^^^^ write 'Software\Inventory'
error: `HKCU\Software` is below HKCU; only keys below HKEY_LOCAL_MACHINE can be named
  case.toml:16:127
   16 | service = { type = "generic-service", service = "Inventory", checkpoints = ['\Software\Inventory', 'HKLM\Software\Inventory', 'HKCU\Software', 'Software\Invento
      |                                                                                                                               ^^^^^^^^^^^^^^^
error: `Software\Inventory\` ends with a backslash
  case.toml:16:144
   16 | , 'HKCU\Software', 'Software\Inventory\'] }
      |                    ^^^^^^^^^^^^^^^^^^^^^ write 'Software\Inventory'
4 mistakes in 1 file
"#,
    );
}

#[test]
fn a_key_twice_for_a_resource() {
    expect_added(
        r#"service = { type = "generic-service", service = "Inventory", checkpoints = ['Software\Inventory', 'SOFTWARE\inventory'] }
"#,
        r#"
error: `SOFTWARE\inventory` is checkpointed twice for this resource
  case.toml:16:99
   16 | service = { type = "generic-service", service = "Inventory", checkpoints = ['Software\Inventory', 'SOFTWARE\inventory'] }
      |                                                                                                   ^^^^^^^^^^^^^^^^^^^^ the second is refused: error 183, already there
1 mistake in 1 file
"#,
    );
}

#[test]
fn a_database_on_the_system_disk() {
    expect_added(
        r#"wins = { type = "wins", database_path = '%SystemRoot%\wins\', backup_path = 'systemroot\b\', depends_on = ["data", "ip"] }
"#,
        r#"
error: `database_path` is on each node's own disk
  case.toml:16:41
   16 | wins = { type = "wins", database_path = '%SystemRoot%\wins\', backup_path = 'systemroot\b\', depends_on = ["data", "ip"] }
      |                                         ^^^^^^^^^^^^^^^^^^^^ it begins with systemroot
  such a path ends with a backslash and lies on a disk the resource depends on
error: `backup_path` is on each node's own disk
  case.toml:16:77
   16 | wins = { type = "wins", database_path = '%SystemRoot%\wins\', backup_path = 'systemroot\b\', depends_on = ["data", "ip"] }
      |                                                                             ^^^^^^^^^^^^^^^ it begins with systemroot
  such a path ends with a backslash and lies on a disk the resource depends on
2 mistakes in 1 file
"#,
    );
}

#[test]
fn a_database_path_without_backslash() {
    expect_added(
        r#"dhcp = { type = "dhcp", database_path = 'F:\dhcp', depends_on = ["data", "name"] }
"#,
        r#"
error: `database_path` does not end with a backslash
  case.toml:16:41
   16 | dhcp = { type = "dhcp", database_path = 'F:\dhcp', depends_on = ["data", "name"] }
      |                                         ^^^^^^^^^ write F:\dhcp\
  such a path ends with a backslash and lies on a disk the resource depends on
1 mistake in 1 file
"#,
    );
}

#[test]
fn a_database_on_a_foreign_disk() {
    expect_added(
        r#"wins = { type = "wins", database_path = 'Q:\wins\', depends_on = ["data", "ip"] }
"#,
        r#"
error: the resource does not depend on disk Q:
  case.toml:16:41
   16 | wins = { type = "wins", database_path = 'Q:\wins\', depends_on = ["data", "ip"] }
      |                                         ^^^^^^^^^^ it depends on F:
  such a path ends with a backslash and lies on a disk the resource depends on
1 mistake in 1 file
"#,
    );
}

#[test]
fn wins_without_disk_and_address() {
    expect_added(
        r#"wins = { type = "wins", database_path = 'F:\wins\' }
"#,
        r#"
error: the WINS resource `wins` depends on no Physical Disk
  case.toml:16:1
   16 | wins = { type = "wins", database_path = 'F:\wins\' }
      | ^^^^ add one of its group to `depends_on`
error: the WINS resource `wins` depends on no IP Address
  case.toml:16:1
   16 | wins = { type = "wins", database_path = 'F:\wins\' }
      | ^^^^ add one of its group to `depends_on`
2 mistakes in 1 file
"#,
    );
}

#[test]
fn possible_owners_that_are_empty() {
    expect_added(
        r#"service = { type = "generic-service", service = "Inventory", possible_owners = [] }
"#,
        r#"
error: this resource has no possible owner
  case.toml:16:80
   16 | service = { type = "generic-service", service = "Inventory", possible_owners = [] }
      |                                                                                ^^ leave the key out: then every node can run it
  a group goes only where all of its resources can (Q224967): error 5071
1 mistake in 1 file
"#,
    );
}

#[test]
fn possible_owners_that_are_no_nodes() {
    expect_added(
        r#"service = { type = "generic-service", service = "Inventory", possible_owners = ["node-3", "node-1"] }
"#,
        r#"
error: host `node-3` is no node of cluster `mars`
  case.toml:16:81
   16 | service = { type = "generic-service", service = "Inventory", possible_owners = ["node-3", "node-1"] }
      |                                                                                 ^^^^^^^^
  nodes: node-1, node-2
1 mistake in 1 file
"#,
    );
}

#[test]
fn a_group_that_no_node_can_run() {
    expect_changed(
        &[(r#"name = "FILES","#, r#"name = "FILES", possible_owners = ["node-1"],"#)],
        r#"service = { type = "generic-service", service = "Inventory", possible_owners = ["node-2"] }
"#,
        r#"
error: no node can run all of group `files`
  case.toml:16:80
   16 | service = { type = "generic-service", service = "Inventory", possible_owners = ["node-2"] }
      |                                                                                ^^^^^^^^^^ the other resources have other possible owners
  a group goes only where all of its resources can (Q224967)
1 mistake in 1 file
"#,
    );
}

#[test]
fn a_preferred_owner_that_cannot() {
    expect_changed(
        &[(r#"name = "FILES","#, r#"name = "FILES", possible_owners = ["node-1"],"#)],
        r#"[cluster.mars.group.files]
preferred = ["node-2", "node-1"]
"#,
        r#"
error: `node-2` cannot run group `files`
  case.toml:17:13
   17 | preferred = ["node-2", "node-1"]
      |             ^^^^^^^^^^^^^^^^^^^^ it is no possible owner of all its resources: error 5071
1 mistake in 1 file
"#,
    );
}

#[test]
fn an_address_outside_its_network() {
    expect_changed(
        &[
            (r#"address = "10.1.0.50""#, r#"address = "10.1.0.50", network = "heart""#),
            (r#"heart = "internal""#, r#"heart = "all""#),
        ],
        r#""#,
        r#"
error: 10.1.0.50 is no address of network `heart` (10.9.0.0/24)
  case.toml:14:39
   14 | ip = { type = "ip-address", address = "10.1.0.50", network = "heart" }
      |                                       ^^^^^^^^^^^ it fits `office`
  it could not go online on any adapter there (event 1045)
1 mistake in 1 file
"#,
    );
}

#[test]
fn an_address_that_fits_no_network() {
    expect_changed(
        &[(r#"address = "10.1.0.50""#, r#"address = "10.3.0.50""#)],
        r#""#,
        r#"
error: 10.3.0.50 fits no network of the cluster
  case.toml:14:39
   14 | ip = { type = "ip-address", address = "10.3.0.50" }
      |                                       ^^^^^^^^^^^
  networks: office, heart
1 mistake in 1 file
"#,
    );
}

#[test]
fn an_address_on_a_network_without_clients() {
    expect_changed(
        &[(r#"address = "10.1.0.50""#, r#"address = "10.9.0.50""#)],
        r#""#,
        r#"
error: network `heart` is not for clients
  case.toml:14:39
   14 | ip = { type = "ip-address", address = "10.9.0.50" }
      |                                       ^^^^^^^^^^^ make it "all" or "client", or take another network
1 mistake in 1 file
"#,
    );
}

#[test]
fn an_address_twice() {
    expect_added(
        r#"ip2 = { type = "ip-address", address = "10.1.0.50" }
"#,
        r#"
error: 10.1.0.50 already belongs to resource `ip` of cluster `mars`
  case.toml:16:40
   16 | ip2 = { type = "ip-address", address = "10.1.0.50" }
      |                                        ^^^^^^^^^^^ choose another, or leave it out
1 mistake in 1 file
"#,
    );
}

#[test]
fn an_owner_without_adapter() {
    expect_changed(
        &[
            (
                r#"[cluster.mars]"#,
                r#"host.old = { on = "heart", profile = "w2k" }
[cluster.mars]"#,
            ),
            (r#""node-2"]"#, r#""node-2", "old"]"#),
        ],
        r#""#,
        r#"
error: `old` has no adapter on network `office`
  case.toml:15:1
   15 | ip = { type = "ip-address", address = "10.1.0.50" }
      | ^^ leave it out of `possible_owners`, or give it one with `also_on`
1 mistake in 1 file
"#,
    );
}

#[test]
fn a_network_name_without_address() {
    expect_changed(
        &[(r#", depends_on = ["ip"]"#, r#", depends_on = ["data"]"#)],
        r#""#,
        r#"
error: the network name `name` depends on no IP Address
  case.toml:15:62
   15 | name = { type = "network-name", name = "FILES", depends_on = ["data"] }
      |                                                              ^^^^^^^^ add one of its group to `depends_on`
1 mistake in 1 file
"#,
    );
}

#[test]
fn a_network_name_without_netbios() {
    expect_changed(
        &[(r#"address = "10.1.0.50""#, r#"address = "10.1.0.50", netbios = false"#)],
        r#""#,
        r#"
error: the network name `name` has no address that NetBT uses
  case.toml:15:62
   15 | name = { type = "network-name", name = "FILES", depends_on = ["ip"] }
      |                                                              ^^^^^^ its IP Address has netbios = false
  such a name goes from node to node and ends offline (Q217057)
1 mistake in 1 file
"#,
    );
}

#[test]
fn two_of_a_type_of_which_there_is_one() {
    expect_changed(
        &[(r#"profile = "w2k""#, r#"profile = "nt40""#)],
        r#"time = { type = "time-service" }
[cluster.mars.group.other.resource]
time = { type = "time-service" }
"#,
        r#"
error: a cluster has one Time Service, and `files/time` is it
  case.toml:18:17
   18 | time = { type = "time-service" }
      |                 ^^^^^^^^^^^^^^ error 5017
1 mistake in 1 file
"#,
    );
}

#[test]
fn use_network_name_without_a_direct_one() {
    expect_added(
        r#"share = { type = "file-share", share = "docs", path = 'F:\docs', depends_on = ["name"] }
service = { type = "generic-service", service = "Inventory", use_network_name = true, depends_on = ["share"] }
"#,
        r#"
error: `service` depends on no network name
  case.toml:17:81
   17 | service = { type = "generic-service", service = "Inventory", use_network_name = true, depends_on = ["share"] }
      |                                                                                 ^^^^ use_network_name needs exactly one, directly
  a name further down the chain gives "dependency cannot be found" (Q182193)
1 mistake in 1 file
"#,
    );
}

#[test]
fn a_share_without_name_under_nt40() {
    expect_changed(
        &[(r#"profile = "w2k""#, r#"profile = "nt40""#)],
        r#"share = { type = "file-share", share = "docs", path = 'F:\docs', depends_on = ["data"] }
"#,
        r#"
error: the file share `share` depends on no network name
  case.toml:16:79
   16 | share = { type = "file-share", share = "docs", path = 'F:\docs', depends_on = ["data"] }
      |                                                                               ^^^^^^^^ NT 4.0 demands one (Q171791)
1 mistake in 1 file
"#,
    );
}

#[test]
fn a_service_no_node_has() {
    expect_added(
        r#"service = { type = "generic-service", service = "Inventry" }
"#,
        r#"
error: host `node-1` has no service `Inventry`
  case.toml:16:49
   16 | service = { type = "generic-service", service = "Inventry" }
      |                                                 ^^^^^^^^^^ did you mean `Inventory`?
  services there: Inventory
1 mistake in 1 file
"#,
    );
}

#[test]
fn a_disk_of_two_resources() {
    expect_added(
        r#"data2 = { type = "physical-disk", disk = "data" }
"#,
        r#"
error: disk `data` is already that of resource `data`
  case.toml:16:42
   16 | data2 = { type = "physical-disk", disk = "data" }
      |                                          ^^^^^^ a disk is one resource
1 mistake in 1 file
"#,
    );
}

#[test]
fn a_disk_that_is_none() {
    expect_added(
        r#"disk2 = { type = "physical-disk" }
share = { type = "physical-disk", disk = "dta" }
"#,
        r#"
error: no shared disk is called `disk2`
  case.toml:16:1
   16 | disk2 = { type = "physical-disk" }
      | ^^^^^ say which with `disk`
  disks: quorum, data
error: no shared disk is called `dta`
  case.toml:17:42
   17 | share = { type = "physical-disk", disk = "dta" }
      |                                          ^^^^^ did you mean `data`?
  disks: quorum, data
2 mistakes in 1 file
"#,
    );
}

#[test]
fn letters_and_signatures() {
    expect_changed(
        &[
            (r#"letter = "Q""#, r#"letter = "C""#),
            (
                r#"letter = "F" }"#,
                r#"letter = "FF" }
disk.more = { letter = "G", signature = "XYZ" }
disk.last = { letter = "G", signature = "57430001" }"#,
            ),
        ],
        r#""#,
        r#"
error: letter C is each node's own
  case.toml:10:26
   10 | disk.quorum = { letter = "C" }
      |                          ^^^ shared disks have D to Z
error: `FF` is no drive letter
  case.toml:11:24
   11 | disk.data = { letter = "FF" }
      |                        ^^^^ write one letter, D to Z
error: `XYZ` is no signature
  case.toml:12:41
   12 | disk.more = { letter = "G", signature = "XYZ" }
      |                                         ^^^^^ write eight hexadecimal digits: "1A2B3C4D"
error: disk `last` has the letter of disk `more`
  case.toml:13:24
   13 | disk.last = { letter = "G", signature = "57430001" }
      |                        ^^^ choose another
error: disk `quorum` has this signature already
  case.toml:13:41
   13 | disk.last = { letter = "G", signature = "57430001" }
      |                                         ^^^^^^^^^^
  disks are known by their signatures alone (Q243195)
5 mistakes in 1 file
"#,
    );
}

#[test]
fn properties_of_another_type() {
    expect_changed(
        &[
            (r#"type = "physical-disk" }"#, r#"type = "physical-disk", share = "x" }"#),
            (r#"address = "10.1.0.50""#, r#"command = "x""#),
        ],
        r#""#,
        r#"
error: a physical-disk has no `share`
  case.toml:13:34
   13 | data = { type = "physical-disk", share = "x" }
      |                                  ^^^^^ that belongs to file-share
error: an ip-address needs the key `address`
  case.toml:14:1
   14 | ip = { type = "ip-address", command = "x" }
      | ^^
  `address`: The address of an ip-address.
error: an ip-address has no `command`
  case.toml:14:29
   14 | ip = { type = "ip-address", command = "x" }
      |                             ^^^^^^^ that belongs to generic-application
3 mistakes in 1 file
"#,
    );
}

#[test]
fn failback_that_says_nothing() {
    expect_added(
        r#"[cluster.mars.group.files]
failback = "immediatly"
"#,
        r#"
error: `immediatly` is no time to go back
  case.toml:17:12
   17 | failback = "immediatly"
      |            ^^^^^^^^^^^^ did you mean `immediate`?
  write "never", "immediate", or two different full hours: "22:00-06:00"
1 mistake in 1 file
"#,
    );
}

#[test]
fn failback_without_a_preferred_node() {
    expect_added(
        r#"[cluster.mars.group.files]
failback = "22:00-06:00"
"#,
        r#"
error: group `files` prefers no node
  case.toml:17:12
   17 | failback = "22:00-06:00"
      |            ^^^^^^^^^^^^^ add `preferred`: it goes back to the first of them
1 mistake in 1 file
"#,
    );
}

#[test]
fn a_name_of_setup() {
    expect_changed(
        &[(
            r#"quorum = "quorum""#,
            r#"quorum = "quorum"
address = "10.1.0.40""#,
        )],
        r#"[cluster.mars.group.cluster-group.resource]
cluster-ip = { type = "ip-address", address = "10.1.0.41" }
"#,
        r#"
error: `cluster-ip` is a resource that setup makes
  case.toml:18:1
   18 | cluster-ip = { type = "ip-address", address = "10.1.0.41" }
      | ^^^^^^^^^^ choose another name
1 mistake in 1 file
"#,
    );
}

#[test]
fn a_network_name_of_a_host() {
    expect_changed(
        &[
            (r#"[cluster.mars]"#, r#"[cluster.node-1]"#),
            (r#"[cluster.mars."#, r#"[cluster.node-1."#),
        ],
        r#""#,
        r#"
error: network name NODE-1 is already that of host `node-1`
  case.toml:6:10
    6 | [cluster.node-1]
      |          ^^^^^^ set `computer` to another
1 mistake in 1 file
"#,
    );
}

#[test]
fn parameters_that_do_not_fit() {
    expect_changed(
        &[(
            r#"quorum = "quorum""#,
            r#"quorum = "quorum"
heartbeet = "1s"
arbitration_min = "30s"
node_lost_after = 1"#,
        )],
        r#""#,
        r#"
error: unknown key `heartbeet`
  case.toml:10:1
   10 | heartbeet = "1s"
      | ^^^^^^^^^ did you mean `heartbeat`?
  a cluster takes: detects_link_failure, disk, empty_quorum_is_new, failover_threshold_takes_group_offline, false_checkpoint_report, force_quorum, full_log_drops_change, group, heartbeat, hive_checkpoint_interval, interface_lost_after, is_alive, isolated_owner_yields, join_probe, join_timeout, join_tries, ...
error: the shortest arbitration is longer than the longest
  case.toml:11:19
   11 | arbitration_min = "30s"
      |                   ^^^^^ 30s and 20s
error: a node would count as dead before its interfaces are lost
  case.toml:12:19
   12 | node_lost_after = 1
      |                   ^ heartbeats missed: 1 and 2
3 mistakes in 1 file
"#,
    );
}

#[test]
fn a_reg_text_with_mistakes() {
    expect_changed(
        &[(r#"service.Inventory = {} }"#, r#"service.Inventory = {}, registry = "bad.reg" }"#)],
        r#""#,
        r#"
error: `bad.reg` cannot be imported
  case.toml:5:110
    5 | host."node-{1..3}" = { on = "office", also_on = "heart", profile = "w2k", service.Inventory = {}, registry = "bad.reg" }
      |                                                                                                              ^^^^^^^^^ line 4: 1 to 8 hexadecimal digits are expected after `dword:`, not `zz`
error: `bad.reg` cannot be imported
  case.toml:5:110
    5 | host."node-{1..3}" = { on = "office", also_on = "heart", profile = "w2k", service.Inventory = {}, registry = "bad.reg" }
      |                                                                                                              ^^^^^^^^^ line 5: `"` is expected at the end of a text
error: `bad.reg` cannot be imported
  case.toml:5:110
    5 | host."node-{1..3}" = { on = "office", also_on = "heart", profile = "w2k", service.Inventory = {}, registry = "bad.reg" }
      |                                                                                                              ^^^^^^^^^ line 6: `HKEY_CURRENT_USER\Software` is below HKEY_CURRENT_USER; only keys below HKEY_LOCAL_MACHINE can be named
3 mistakes in 1 file
"#,
    );
}

#[test]
fn services_that_contradict_themselves() {
    expect_changed(
        &[(
            r#"service.Inventory = {} }"#,
            r#"service.Inventory = { leaks_handles = true, writes = { key = '\Software', every = "0s" }, needs = { key = 'Software\X', data = [1] } }, service.INVENTORY = {} }"#,
        )],
        r#""#,
        r#"
error: this service keeps no key open
  case.toml:5:113
    5 | host."node-{1..3}" = { on = "office", also_on = "heart", profile = "w2k", service.Inventory = { leaks_handles = true, writes = { key = '\Software', every = "0s"
      |                                                                                                                 ^^^^ add `keeps_open`
error: `\Software` begins with a backslash; a path is relative to HKEY_LOCAL_MACHINE
  case.toml:5:136
    5 | host."node-{1..3}" = { on = "office", also_on = "heart", profile = "w2k", service.Inventory = { leaks_handles = true, writes = { key = '\Software', every = "0s"
      |                                                                                                                                        ^^^^^^^^^^^ write 'Software'
error: the gap must be longer than 0
  case.toml:5:157
    5 | Software', every = "0s" }, needs = { key = 'Software\X', data = [1] } }, service.INVENTORY = {} }
      |                    ^^^^
error: this is no data of a registry value
  case.toml:5:202
    5 | oftware\X', data = [1] } }, service.INVENTORY = {} }
      |                    ^^^
  write 7 for a REG_DWORD, "text" for a REG_SZ, ["a", "b"] for a REG_MULTI_SZ, { hex = "0a ff" } or { expand = "%windir%" }
error: `Inventory` and `INVENTORY` are one service
  case.toml:5:219
    5 | = [1] } }, service.INVENTORY = {} }
      |                    ^^^^^^^^^
5 mistakes in 1 file
"#,
    );
}

#[test]
fn adapters_that_do_not_fit() {
    expect_changed(
        &[
            (r#"also_on = "heart""#, r#"also_on = { office = "10.1.0.9", hart = "10.9.0.1" }"#),
            (r#"heart = "internal""#, r#"heart = "none""#),
        ],
        r#""#,
        r#"
error: host `node-1` is on subnet `office` already
  case.toml:5:51
    5 | host."node-{1..3}" = { on = "office", also_on = { office = "10.1.0.9", hart = "10.9.0.1" }, profile = "w2k", service.Inventory = {} }
      |                                                   ^^^^^^
error: unknown subnet `hart`
  case.toml:5:72
    5 | host."node-{1..3}" = { on = "office", also_on = { office = "10.1.0.9", hart = "10.9.0.1" }, profile = "w2k", service.Inventory = {} }
      |                                                                        ^^^^ did you mean `heart`?
  subnets: office, heart
2 mistakes in 1 file
"#,
    );
}

#[test]
fn steps_on_things_that_are_none() {
    expect_added(
        r#"
[[step]]
at = "1h"
move_group = { group = "fils", to = "node-2" }

[[step]]
at = "1h"
move_group = { group = "files", to = "node-3" }

[[step]]
at = "1h"
offline_resource = "nam"

[[step]]
at = "1h"
pause_node = "node-3"

[[step]]
at = "1h"
replace_disk = "dta"

[[step]]
at = "1h"
recover_checkpoints = "venus"
"#,
        r#"
error: unknown group `fils`
  case.toml:19:24
   19 | move_group = { group = "fils", to = "node-2" }
      |                        ^^^^^^ did you mean `files`?
  groups: cluster-group, files
error: host `node-3` is no node of cluster `mars`
  case.toml:23:38
   23 | move_group = { group = "files", to = "node-3" }
      |                                      ^^^^^^^^
  nodes: node-1, node-2
error: unknown resource `nam`
  case.toml:27:20
   27 | offline_resource = "nam"
      |                    ^^^^^ did you mean `name`?
  resources: quorum, data, ip, name
error: host `node-3` is a node of no cluster
  case.toml:31:14
   31 | pause_node = "node-3"
      |              ^^^^^^^^
error: unknown disk `dta`
  case.toml:35:16
   35 | replace_disk = "dta"
      |                ^^^^^ did you mean `data`?
  disks: quorum, data
error: unknown cluster `venus`
  case.toml:39:23
   39 | recover_checkpoints = "venus"
      |                       ^^^^^^^
  clusters: mars
6 mistakes in 1 file
"#,
    );
}

#[test]
fn steps_on_the_quorum() {
    expect_added(
        r#"
[[step]]
at = "1h"
offline_resource = "quorum"

[[step]]
at = "1h"
delete_resource = "quorum"
"#,
        r#"
error: the quorum resource cannot be taken offline
  case.toml:19:20
   19 | offline_resource = "quorum"
      |                    ^^^^^^^^ error 5020 (Q186548)
error: the quorum resource cannot be deleted
  case.toml:23:19
   23 | delete_resource = "quorum"
      |                   ^^^^^^^^ error 5068 (Q186548)
2 mistakes in 1 file
"#,
    );
}

#[test]
fn steps_on_registries() {
    expect_added(
        r#"
[[step]]
at = "1h"
set_registry = { on = "owner-of file", key = 'Software\X', data = 1 }

[[step]]
at = "1h"
set_registry = { on = "one of node-*", key = 'Software\X', data = 1 }

[[step]]
at = "1h"
set_registry = { on = "node-1", key = 'Software\X' }

[[step]]
at = "1h"
set_registry = { on = "node-1", key = 'Software\X', data = 5000000000 }

[[step]]
at = "1h"
import_reg = { on = "both-nodes", file = "bad.reg" }
"#,
        r#"
error: unknown group `file`
  case.toml:19:23
   19 | set_registry = { on = "owner-of file", key = 'Software\X', data = 1 }
      |                       ^^^^^^^^^^^^^^^ did you mean `files`?
  groups: cluster-group, files
error: only faults are drawn from a set
  case.toml:23:23
   23 | set_registry = { on = "one of node-*", key = 'Software\X', data = 1 }
      |                       ^^^^^^^^^^^^^^^ name the hosts, or say who owns what
error: nothing is said about the data
  case.toml:27:39
   27 | set_registry = { on = "node-1", key = 'Software\X' }
      |                                       ^^^^^^^^^^^^ add data = 1, or data = "text"
error: this is no data of a registry value
  case.toml:31:60
   31 | set_registry = { on = "node-1", key = 'Software\X', data = 5000000000 }
      |                                                            ^^^^^^^^^^
  write 7 for a REG_DWORD, "text" for a REG_SZ, ["a", "b"] for a REG_MULTI_SZ, { hex = "0a ff" } or { expand = "%windir%" }
error: `bad.reg` cannot be imported
  case.toml:35:42
   35 | import_reg = { on = "both-nodes", file = "bad.reg" }
      |                                          ^^^^^^^^^ line 4: 1 to 8 hexadecimal digits are expected after `dword:`, not `zz`
error: `bad.reg` cannot be imported
  case.toml:35:42
   35 | import_reg = { on = "both-nodes", file = "bad.reg" }
      |                                          ^^^^^^^^^ line 5: `"` is expected at the end of a text
error: `bad.reg` cannot be imported
  case.toml:35:42
   35 | import_reg = { on = "both-nodes", file = "bad.reg" }
      |                                          ^^^^^^^^^ line 6: `HKEY_CURRENT_USER\Software` is below HKEY_CURRENT_USER; only keys below HKEY_LOCAL_MACHINE can be named
7 mistakes in 1 file
"#,
    );
}

#[test]
fn steps_on_files() {
    expect_added(
        r#"
[[step]]
at = "1h"
damage_file = { file = "quorum-logg" }

[[step]]
at = "1h"
delete_file = { file = "checkpoint" }

[[step]]
at = "1h"
delete_file = { file = "checkpoint", resource = "name", key = 'Software\X' }

[[step]]
at = "1h"
damage_file = { file = 'Z:\x' }
"#,
        r#"
error: `quorum-logg` is no file of the cluster
  case.toml:19:24
   19 | damage_file = { file = "quorum-logg" }
      |                        ^^^^^^^^^^^^^ did you mean `quorum-log`?
  write quorum-log, hive-checkpoint, checkpoint, clusdb, or a path on a shared disk such as Q:\MSCS\quolog.log
error: whose checkpoint?
  case.toml:23:24
   23 | delete_file = { file = "checkpoint" }
      |                        ^^^^^^^^^^^^ add `resource`
error: `Software\X` is not checkpointed
  case.toml:27:63
   27 | delete_file = { file = "checkpoint", resource = "name", key = 'Software\X' }
      |                                                               ^^^^^^^^^^^^
  resource `name` has no `checkpoints`
error: `Z:\x` is no file of the cluster
  case.toml:31:24
   31 | damage_file = { file = 'Z:\x' }
      |                        ^^^^^^
  write quorum-log, hive-checkpoint, checkpoint, clusdb, or a path on a shared disk such as Q:\MSCS\quolog.log
4 mistakes in 1 file
"#,
    );
}

#[test]
fn steps_on_properties() {
    expect_added(
        r#"
[[step]]
at = "1h"
set_property = { resource = "ip", property = "RestartTreshold", value = 1 }

[[step]]
at = "1h"
set_property = { property = "RestartThreshold", value = 1 }

[[step]]
at = "1h"
create_shares = { group = "files", count = 5, path = 'F:\x', share = "all", depends_on = ["name"] }

[[step]]
at = "1h"
create_resource = { group = "files", resource = "ip", type = "file-share", share = "x" }
"#,
        r#"
error: a resource has no property `RestartTreshold`
  case.toml:19:46
   19 | set_property = { resource = "ip", property = "RestartTreshold", value = 1 }
      |                                              ^^^^^^^^^^^^^^^^^ did you mean `RestartThreshold`?
  properties: LooksAlivePollInterval, IsAlivePollInterval, PendingTimeout, RestartAction, RestartThreshold, RestartPeriod, RestartDelay, RetryPeriodOnFailure, SeparateMonitor, PersistentState, EnableNetBIOS
error: a property belongs to one thing
  case.toml:23:1
   23 | set_property = { property = "RestartThreshold", value = 1 }
      | ^^^^^^^^^^^^ write `resource` or `group`
error: 5 shares would be called `all`
  case.toml:27:70
   27 | create_shares = { group = "files", count = 5, path = 'F:\x', share = "all", depends_on = ["name"] }
      |                                                                      ^^^^^ use {n} in it
error: a file-share needs the key `path`
  case.toml:31:1
   31 | create_resource = { group = "files", resource = "ip", type = "file-share", share = "x" }
      | ^^^^^^^^^^^^^^^
4 mistakes in 1 file
"#,
    );
}

#[test]
fn faults_on_things_that_are_none() {
    expect_added(
        r#"
[[fault]]
at = "1h"
cut_network = "hart"

[[fault]]
at = "1h"
cut_network = { network = "heart", nodes = "node-3" }

[[fault]]
at = "1h"
disk_full = ["data", "dat"]

[[fault]]
at = "1h"
service_crash = { on = "owner-of files", service = "Inventry" }

[[fault]]
at = "1h"
power_cut = "quorum-owner of venus"

[[fault]]
at = "1h"
power_cut = ["node-1", "owner-of files"]

[[fault]]
at = "1h"
bus_reset = "venus"
"#,
        r#"
error: unknown network `hart`
  case.toml:19:15
   19 | cut_network = "hart"
      |               ^^^^^^ did you mean `heart`?
  networks: office, heart
error: host `node-3` is a node of no cluster
  case.toml:23:44
   23 | cut_network = { network = "heart", nodes = "node-3" }
      |                                            ^^^^^^^^
error: unknown disk `dat`
  case.toml:27:22
   27 | disk_full = ["data", "dat"]
      |                      ^^^^^ did you mean `data`?
  disks: quorum, data
error: host `node-1` has no service `Inventry`
  case.toml:31:52
   31 | service_crash = { on = "owner-of files", service = "Inventry" }
      |                                                    ^^^^^^^^^^ did you mean `Inventory`?
  services there: Inventory
error: unknown cluster `venus`
  case.toml:35:13
   35 | power_cut = "quorum-owner of venus"
      |             ^^^^^^^^^^^^^^^^^^^^^^^
  clusters: mars
error: a word for nodes cannot be one of several in a list
  case.toml:39:24
   39 | power_cut = ["node-1", "owner-of files"]
      |                        ^^^^^^^^^^^^^^^^
error: unknown cluster `venus`
  case.toml:43:13
   43 | bus_reset = "venus"
      |             ^^^^^^^
  clusters: mars
7 mistakes in 1 file
"#,
    );
}

#[test]
fn conditions_on_things_that_are_none() {
    expect_added(
        r#"
[[expect]]
always = "x"
group_online = "fils"

[[expect]]
always = "x"
group_owner = { group = "files", node = "node-3" }

[[expect]]
always = "x"
nodes_up = {}

[[expect]]
always = "x"
downtime = { group = "files" }

[[expect]]
always = "x"
violation_only = ["the split"]

[[expect]]
always = "x"
registry_value = { on = "node-1", key = 'Software\X', data = 1, absent = true }

[[expect]]
always = "x"
checkpoint_equals = { resource = "name", key = 'Software\X' }

[[expect]]
always = "x"
service_runs = { on = "node-1", service = "Stock" }
"#,
        r#"
error: unknown group `fils`
  case.toml:19:16
   19 | group_online = "fils"
      |                ^^^^^^ did you mean `files`?
  groups: cluster-group, files
error: host `node-3` is no node of cluster `mars`
  case.toml:23:41
   23 | group_owner = { group = "files", node = "node-3" }
      |                                         ^^^^^^^^
  nodes: node-1, node-2
error: nothing is said about the nodes
  case.toml:27:1
   27 | nodes_up = {}
      | ^^^^^^^^ add nodes, at_least or at_most
error: a downtime needs a limit
  case.toml:31:22
   31 | downtime = { group = "files" }
      |                      ^^^^^^^ add at_most or at_least
error: `the split` is no documented fault
  case.toml:35:19
   35 | violation_only = ["the split"]
      |                   ^^^^^^^^^^^ write the number of its article: "Q289863"
error: what is not there has no data
  case.toml:39:62
   39 | registry_value = { on = "node-1", key = 'Software\X', data = 1, absent = true }
      |                                                              ^ leave out `data` or `absent`
error: `Software\X` is not checkpointed
  case.toml:43:48
   43 | checkpoint_equals = { resource = "name", key = 'Software\X' }
      |                                                ^^^^^^^^^^^^
  resource `name` has no `checkpoints`
error: host `node-1` has no service `Stock`
  case.toml:47:43
   47 | service_runs = { on = "node-1", service = "Stock" }
      |                                           ^^^^^^^
  services there: Inventory
8 mistakes in 1 file
"#,
    );
}

#[test]
fn many_mistakes_in_one_pass() {
    expect_changed(
        &[
            (r#"profile = "w2k""#, r#"profile = "nt40""#),
            (r#"quorum = "quorum""#, r#"quorum = "quorun""#),
            (r#""node-2"]"#, r#""node-22"]"#),
            (r#"depends_on = ["ip"]"#, r#"depends_on = ["ipp"]"#),
        ],
        r#"wins = { type = "wins", database_path = 'F:\wins' }
service = { type = "generic-service", service = "Inventory", checkpoints = ['\Software'] }
"#,
        r#"
error: unknown host `node-22`
  case.toml:7:20
    7 | nodes = ["node-1", "node-22"]
      |                    ^^^^^^^^^ did you mean `node-2`?
  hosts: node-{1..3}
  or a set: hosts, clients, wins-servers, subnet NAME, domain NAME, a pattern with *
error: no shared disk is called `quorun`
  case.toml:9:10
    9 | quorum = "quorun"
      |          ^^^^^^^^ did you mean `quorum`?
  a Physical Disk is the only built-in resource that can arbitrate; or write "local" or "majority-node-set"
  disks: quorum, data
error: group `files` has no resource `ipp`
  case.toml:15:63
   15 | name = { type = "network-name", name = "FILES", depends_on = ["ipp"] }
      |                                                               ^^^^^ did you mean `ip`?
  resources there: data, ip, wins, service
error: WINS is no resource of an NT 4.0 cluster
  case.toml:16:17
   16 | wins = { type = "wins", database_path = 'F:\wins' }
      |                 ^^^^^^
  Cluster Server 1.0 does not support WINS, DHCP or DNS (Q174956): their
  databases and bindings belong to one node and do not fail over with a group
  instead: two WINS servers as push and pull partners, and clients with both,
  primary and secondary; for DHCP, a scope split between two servers
error: `\Software` begins with a backslash; a path is relative to HKEY_LOCAL_MACHINE
  case.toml:17:77
   17 | service = { type = "generic-service", service = "Inventory", checkpoints = ['\Software'] }
      |                                                                             ^^^^^^^^^^^ write 'Software'
5 mistakes in 1 file
"#,
    );
}

#[test]
fn dhcp_without_a_name() {
    expect_added(
        r#"dhcp = { type = "dhcp", database_path = 'F:\dhcp\', depends_on = ["data", "ip"] }
"#,
        r#"
error: the DHCP resource `dhcp` depends on no Network Name
  case.toml:16:66
   16 | dhcp = { type = "dhcp", database_path = 'F:\dhcp\', depends_on = ["data", "ip"] }
      |                                                                  ^^^^^^^^^^^^^^ add one of its group to `depends_on`
1 mistake in 1 file
"#,
    );
}

#[test]
fn braces_in_the_name_of_a_resource() {
    expect_added(
        r#""share-{1..935}" = { type = "file-share", share = "s", path = 'F:\s', depends_on = ["name"] }
"#,
        r#"
error: only hosts are made from a template with braces
  case.toml:16:1
   16 | "share-{1..935}" = { type = "file-share", share = "s", path = 'F:\s', depends_on = ["name"] }
      | ^^^^^^^^^^^^^^^^ give each resource its own name
  many shares at once: a step with create_shares = { group, count, path }
1 mistake in 1 file
"#,
    );
}

#[test]
fn shares_made_under_nt40_without_a_name() {
    expect_changed(
        &[(r#"profile = "w2k""#, r#"profile = "nt40""#)],
        r#"[[step]]
at = "00:05"
create_shares = { group = "files", count = 2, path = 'F:\s{n}', depends_on = ["data"] }
"#,
        r#"
error: a file share depends on no network name
  case.toml:18:78
   18 | create_shares = { group = "files", count = 2, path = 'F:\s{n}', depends_on = ["data"] }
      |                                                                              ^^^^^^^^ NT 4.0 demands one (Q171791): add it to `depends_on`
1 mistake in 1 file
"#,
    );
}
