//! What people read when a scenario file is wrong: the exact text for every kind of mistake.
//!
//! The texts are part of the program: each says where the mistake is, what it is, and what to write
//! instead. Tools may read `file:line:column` from the second line.

use proptest::prelude::*;
use winstorm::scenario::load;

/// Files that are damaged at random.
const SHIPPED: [&str; 5] = [
    "basics/two-hosts",
    "basics/roaming",
    "wins/primary-failover",
    "wins/partition-heal",
    "wins/static-mappings",
];

/// A sound scenario that the cases add something to.
const BASE: &str = r#"title = "a small office"
duration = "10h"
subnet.office = "10.1.0.0/24"
subnet.branch = "10.2.0.0/24"
link.wan = { joins = ["office", "branch"] }
domain.corp = "CORP"
host.wins-a = { on = "office", wins = { partners = ["wins-b"] } }
host.wins-b = { on = "branch", wins = { partners = ["wins-a"] } }
host."desk-{1..9}" = { on = "office", nbt = { servers = ["wins-a", "wins-b"] } }
"#;

fn read_file(name: &str) -> Result<String, String> {
    match name {
        "bad.lmhosts" => Ok("10.1.0.200 PRINTER\n10.1.0.201\n".to_string()),
        "skips.lmhosts" => Ok("10.1.0.300 PRINTER\n10.1.0.201 GATE\n".to_string()),
        _ => Err("No such file or directory (os error 2)".to_string()),
    }
}

/// Loads a text and compares its mistakes with those expected.
#[track_caller]
fn expect(text: &str, overrides: &[&str], expected: &str) {
    let overrides: Vec<String> = overrides.iter().map(|o| (*o).to_string()).collect();
    let found = match load("case.toml", text, &overrides, &read_file) {
        Ok(_) => "no mistake".to_string(),
        Err(mistakes) => mistakes.to_string(),
    };
    assert!(found.trim() == expected.trim(), "found:\n{found}\nexpected:\n{expected}");
}

/// The same for something added to the sound scenario.
#[track_caller]
fn expect_added(added: &str, expected: &str) {
    expect(&format!("{BASE}{added}"), &[], expected);
}

#[test]
fn the_base_is_sound() {
    expect(BASE, &[], "no mistake");
}

#[test]
fn toml_syntax() {
    expect(
        r#"title = "unclosed
duration = "1h"
"#,
        &[],
        r#"
error: this is not TOML: invalid basic string, expected `"`
  case.toml:1:18
    1 | title = "unclosed
      |                  ^
1 mistake in 1 file
"#,
    );
}

#[test]
fn a_file_that_is_no_scenario() {
    expect(
        r#""#,
        &[],
        r#"
error: a scenario needs the key `title`
  case.toml:1:1
    1 | 
      | ^
  `title`: What the scenario is about, in one line.
error: a scenario needs the key `duration`
  case.toml:1:1
    1 | 
      | ^
  `duration`: How much simulated time the run takes.
2 mistakes in 1 file
"#,
    );
}

#[test]
fn unknown_key_with_suggestion() {
    expect_added(
        r#"[host.wins-c]
on = "office"
wins = { pull_from = ["wins-a"], pull_intervall = "30min" }
"#,
        r#"
error: unknown key `pull_intervall`
  case.toml:12:34
   12 | wins = { pull_from = ["wins-a"], pull_intervall = "30min" }
      |                                  ^^^^^^^^^^^^^^ did you mean `pull_interval`?
  a WINS server takes: persistent_associations, persona_max, persona_members_pass, persona_non_grata, persona_unsorted, prepend_1b, propagation_circulates, pull_from, pull_interval, pull_retries, pulls_drift, push_after_changes, push_on_1c_tombstone, push_to, query_ttl, randomize_1c, ...
1 mistake in 1 file
"#,
    );
}

#[test]
fn key_of_an_inner_table() {
    expect_added(
        r#"[host.wins-c]
on = "office"
wins = true
pull_interval = "15min"
"#,
        r#"
error: unknown key `pull_interval`
  case.toml:13:1
   13 | pull_interval = "15min"
      | ^^^^^^^^^^^^^ it belongs in `wins`
  a host takes: address, also_on, boot, boot_takes, clock, computer, cpu, disk, group_names, names, nbt, on, profile, registry, service, user, ...
1 mistake in 1 file
"#,
    );
}

#[test]
fn key_of_the_client_on_a_host() {
    expect_added(
        r#"[host.pc]
on = "office"
servers = ["wins-a"]
"#,
        r#"
error: unknown key `servers`
  case.toml:12:1
   12 | servers = ["wins-a"]
      | ^^^^^^^ it belongs in `nbt`
  a host takes: address, also_on, boot, boot_takes, clock, computer, cpu, disk, group_names, names, nbt, on, profile, registry, service, user, ...
1 mistake in 1 file
"#,
    );
}

#[test]
fn missing_key() {
    expect_added(
        r#"[host.pc]
nbt = true
"#,
        r#"
error: a host needs the key `on`
  case.toml:10:7
   10 | [host.pc]
      |       ^^
  `on`: The subnet it stands on.
1 mistake in 1 file
"#,
    );
}

#[test]
fn wrong_type() {
    expect_added(
        r#"[host.pc]
on = 7
boot = true
"#,
        r#"
error: `on` is a number, not the name of a subnet
  case.toml:11:6
   11 | on = 7
      |      ^
error: `boot` is a switch (true or false), not a time such as "09:00" or a range such as "09:00..10:00" or "off"
  case.toml:12:8
   12 | boot = true
      |        ^^^^
2 mistakes in 1 file
"#,
    );
}

#[test]
fn bare_number() {
    expect_added(
        r#"[[fault]]
at = 9
lasts = "30m"
crash = "wins-a"
"#,
        r#"
error: bad value for `at`
  case.toml:11:6
   11 | at = 9
      |      ^ a number needs a unit, in quotes; did you mean `"9s"`?
  write a time of day such as "09:00" or "2d 09:00", or a duration from the start such as "1h 5min"
error: bad value `30m` for `lasts`
  case.toml:12:9
   12 | lasts = "30m"
      |         ^^^^^ `m` is no unit of time; did you mean `30min`?
  write a duration such as "30ms" or a range such as "20ms..40ms"
2 mistakes in 1 file
"#,
    );
}

#[test]
fn bad_unit() {
    expect_added(
        r#"[subnet.lab]
network = "10.3.0.0/24"
bandwidth = "64k"
loss = 0.5
queue = "64kb"
"#,
        r#"
error: bad value `64k` for `bandwidth`
  case.toml:12:13
   12 | bandwidth = "64k"
      |             ^^^^^ `k` is no unit of bandwidth; did you mean `64kbit/s`?
  write a bandwidth such as "64kbit/s" or "10Mbit/s"
error: `loss` is a decimal number, not a ratio such as "1/200" or a percentage such as "0.5%"
  case.toml:13:8
   13 | loss = 0.5
      |        ^^^
error: bad value `64kb` for `queue`
  case.toml:14:9
   14 | queue = "64kb"
      |         ^^^^^^ `kb` is no unit of size; did you mean `64KB`?
  write a size such as "64KB" or "2GB"
3 mistakes in 1 file
"#,
    );
}

#[test]
fn unknown_host() {
    expect_added(
        r#"[[fault]]
at = "09:00"
crash = "wims-a"
"#,
        r#"
error: unknown host `wims-a`
  case.toml:12:9
   12 | crash = "wims-a"
      |         ^^^^^^^^ did you mean `wins-a`?
  hosts: wins-a, wins-b, desk-{1..9}
  or a set: hosts, clients, wins-servers, subnet NAME, domain NAME, a pattern with *
1 mistake in 1 file
"#,
    );
}

#[test]
fn pattern_without_hosts() {
    expect_added(
        r#"[[fault]]
at = "09:00"
crash = "dask-*"
"#,
        r#"
error: `dask-*` matches no host
  case.toml:12:9
   12 | crash = "dask-*"
      |         ^^^^^^^^ did you mean `desk-*`?
  hosts: wins-a, wins-b, desk-{1..9}
  or a set: hosts, clients, wins-servers, subnet NAME, domain NAME, a pattern with *
1 mistake in 1 file
"#,
    );
}

#[test]
fn unknown_subnet() {
    expect_added(
        r#"[host.pc]
on = "ofice"
"#,
        r#"
error: unknown subnet `ofice`
  case.toml:11:6
   11 | on = "ofice"
      |      ^^^^^^^ did you mean `office`?
  subnets: office, branch
1 mistake in 1 file
"#,
    );
}

#[test]
fn unknown_link() {
    expect_added(
        r#"[[fault]]
at = "09:00"
link_down = "wam"
"#,
        r#"
error: unknown link `wam`
  case.toml:12:13
   12 | link_down = "wam"
      |             ^^^^^ did you mean `wan`?
  links: wan
1 mistake in 1 file
"#,
    );
}

#[test]
fn unknown_router() {
    expect_added(
        r#"[[fault]]
at = "09:00"
router_down = "gate"
"#,
        r#"
error: unknown router `gate`
  case.toml:12:15
   12 | router_down = "gate"
      |               ^^^^^^
  routers: office-router, branch-router
1 mistake in 1 file
"#,
    );
}

#[test]
fn unknown_end_of_a_link() {
    expect_added(
        r#"[link.second]
joins = ["office", "brunch"]
"#,
        r#"
error: unknown subnet or router `brunch`
  case.toml:11:20
   11 | joins = ["office", "brunch"]
      |                    ^^^^^^^^ did you mean `branch`?
  there is: office, branch, office-router, branch-router
1 mistake in 1 file
"#,
    );
}

#[test]
fn unknown_fault() {
    expect_added(
        r#"[[expect]]
goal = "agreement"
databases_agree = true
after = "heal of outage"
within = "1h"
"#,
        r#"
error: unknown moment `outage`
  case.toml:13:9
   13 | after = "heal of outage"
      |         ^^^^^^^^^^^^^^^^
  write a time, a label, "heal" or "heal of LABEL"
  the scenario has no fault and no step
1 mistake in 1 file
"#,
    );
}

#[test]
fn heal_without_faults() {
    expect_added(
        r#"[[expect]]
goal = "agreement"
databases_agree = true
after = "heal"
within = "1h"
"#,
        r#"
error: no fault of this scenario ever heals
  case.toml:13:9
   13 | after = "heal"
      |         ^^^^^^ give one `lasts`
1 mistake in 1 file
"#,
    );
}

#[test]
fn unknown_domain() {
    expect_added(
        r#"[host.pc]
on = "office"
nbt = { domain = "crop" }
"#,
        r#"
error: unknown domain `crop`
  case.toml:12:18
   12 | nbt = { domain = "crop" }
      |                  ^^^^^^ did you mean `corp`?
  domains: corp
1 mistake in 1 file
"#,
    );
}

#[test]
fn unknown_word() {
    expect_added(
        r#"[host.pc]
on = "office"
profile = "nt4"
"#,
        r#"
error: bad value `nt4` for `profile`
  case.toml:12:11
   12 | profile = "nt4"
      |           ^^^^^ no such word; did you mean `nt40`?
  write one of: nt35, nt35-sp0, nt35-sp1, nt35-sp2, nt35-sp3, nt351, nt351-sp0, nt351-sp1, nt351-sp2, nt351-sp3, nt351-sp4, nt351-sp5, nt40, nt40-sp0, nt40-sp1, nt40-sp2, nt40-sp3, nt40-sp4, nt40-sp5, nt40-sp6, w2k, w2k3, w95
1 mistake in 1 file
"#,
    );
}

#[test]
fn duplicate_name() {
    expect_added(
        r#"[host.office]
on = "office"
"#,
        r#"
error: the name `office` is already that of a subnet
  case.toml:10:7
   10 | [host.office]
      |       ^^^^^^ choose another
  subnets, routers, links and hosts share one set of names
1 mistake in 1 file
"#,
    );
}

#[test]
fn duplicate_key() {
    expect(
        r#"title = "twice"
title = "twice"
duration = "1h"
"#,
        &[],
        r#"
error: this is given twice
  case.toml:2:1
    2 | title = "twice"
      | ^^^^^ a key and a [table] stand once in a file: put both together
1 mistake in 1 file
"#,
    );
}

#[test]
fn duplicate_computer() {
    expect_added(
        r#"[host.pc]
on = "office"
computer = "desk-1"
"#,
        r#"
error: computer name DESK-1 is already that of host `desk-1`
  case.toml:12:12
   12 | computer = "desk-1"
      |            ^^^^^^^^ choose another
1 mistake in 1 file
"#,
    );
}

#[test]
fn duplicate_label() {
    expect_added(
        r#"[[fault]]
label = "cut"
at = "09:00"
crash = "wins-a"
[[fault]]
label = "cut"
at = "09:10"
crash = "wins-b"
"#,
        r#"
error: another fault is labelled `cut` already
  case.toml:15:9
   15 | label = "cut"
      |         ^^^^^ choose another label
1 mistake in 1 file
"#,
    );
}

#[test]
fn duplicate_address() {
    expect_added(
        r#"[host.pc]
on = "office"
address = "10.1.0.20"
[host.printer]
on = "office"
address = "10.1.0.20"
"#,
        r#"
error: 10.1.0.20 already belongs to host `pc`
  case.toml:15:11
   15 | address = "10.1.0.20"
      |           ^^^^^^^^^^^ choose another, or leave it out
1 mistake in 1 file
"#,
    );
}

#[test]
fn address_outside_its_subnet() {
    expect_added(
        r#"[host.pc]
on = "office"
address = "10.9.0.20"
"#,
        r#"
error: 10.9.0.20 lies outside subnet `office` (10.1.0.0/24)
  case.toml:12:11
   12 | address = "10.9.0.20"
      |           ^^^^^^^^^^^ hosts there have 10.1.0.1 to 10.1.0.254
1 mistake in 1 file
"#,
    );
}

#[test]
fn network_and_broadcast_address() {
    expect_added(
        r#"[host.pc]
on = "office"
address = "10.1.0.0"
[host.printer]
on = "office"
address = "10.1.0.255"
"#,
        r#"
error: 10.1.0.0 is the network address of subnet `office` (10.1.0.0/24)
  case.toml:12:11
   12 | address = "10.1.0.0"
      |           ^^^^^^^^^^ hosts there have 10.1.0.1 to 10.1.0.254
error: 10.1.0.255 is the broadcast address of subnet `office` (10.1.0.0/24)
  case.toml:15:11
   15 | address = "10.1.0.255"
      |           ^^^^^^^^^^^^ hosts there have 10.1.0.1 to 10.1.0.254
2 mistakes in 1 file
"#,
    );
}

#[test]
fn no_address_at_all() {
    expect_added(
        r#"[host.pc]
on = "office"
address = "10.1.0.256"
"#,
        r#"
error: bad value `10.1.0.256` for `address`
  case.toml:12:11
   12 | address = "10.1.0.256"
      |           ^^^^^^^^^^^^ `10.1.0.256` is no IPv4 address
  write an address such as "10.1.0.7"
1 mistake in 1 file
"#,
    );
}

#[test]
fn bad_template() {
    expect_added(
        r#"[host."pc-{9..1}"]
on = "office"
[host."box-{1..9"]
on = "office"
"#,
        r#"
error: bad template `pc-{9..1}`
  case.toml:10:7
   10 | [host."pc-{9..1}"]
      |       ^^^^^^^^^^^ `{9..1}` counts backwards
error: bad template `box-{1..9`
  case.toml:12:7
   12 | [host."box-{1..9"]
      |       ^^^^^^^^^^^ `{` has no matching brace
2 mistakes in 1 file
"#,
    );
}

#[test]
fn subnet_overflow() {
    expect_added(
        r#"subnet.tiny = "10.3.0.0/29"
[host."pc-{1..7}"]
on = "tiny"
"#,
        r#"
error: subnet `tiny` (10.3.0.0/29) is full
  case.toml:11:7
   11 | [host."pc-{1..7}"]
      |       ^^^^^^^^^^^ it has 6 addresses, `pc-7` does not fit
1 mistake in 1 file
"#,
    );
}

#[test]
fn overlapping_subnets() {
    expect_added(
        r#"subnet.lab = "10.1.0.128/25"
"#,
        r#"
error: 10.1.0.128/25 overlaps with subnet `office` (10.1.0.0/24)
  case.toml:10:14
   10 | subnet.lab = "10.1.0.128/25"
      |              ^^^^^^^^^^^^^^^
1 mistake in 1 file
"#,
    );
}

#[test]
fn bits_beyond_the_prefix() {
    expect_added(
        r#"subnet.lab = "10.3.0.7/24"
"#,
        r#"
error: bad value `10.3.0.7/24` for `lab`
  case.toml:10:14
   10 | subnet.lab = "10.3.0.7/24"
      |              ^^^^^^^^^^^^^ bits are set beyond the prefix; did you mean `10.3.0.0/24`?
  write a network such as "10.1.0.0/24"
1 mistake in 1 file
"#,
    );
}

#[test]
fn fault_on_nothing() {
    expect_added(
        r#"[[fault]]
at = "09:00"
lasts = "5min"
[[fault]]
at = "09:00"
crash = []
"#,
        r#"
error: a fault must say what breaks
  case.toml:10:1
   10 | [[fault]]
      | ^^^^^^^^^
  one of: crash, power_cut, pause, reboot, wipe, link_down, router_down, partition, loss, delay, duplicate, clock_jump, clock_drift, slow_disk, full_disk, service_crash, ...
error: this names no host
  case.toml:15:9
   15 | crash = []
      |         ^^
2 mistakes in 1 file
"#,
    );
}

#[test]
fn fault_without_a_time() {
    expect_added(
        r#"[[fault]]
crash = "wins-a"
"#,
        r#"
error: this fault has no time
  case.toml:11:1
   11 | crash = "wins-a"
      | ^^^^^
  write at = "09:00", between = "09:00..17:00" or every = "2h"
1 mistake in 1 file
"#,
    );
}

#[test]
fn two_things_in_one_fault() {
    expect_added(
        r#"[[fault]]
at = "09:00"
crash = "wins-a"
pause = "wins-b"
"#,
        r#"
error: a fault takes only one of `crash` and `pause`
  case.toml:13:1
   13 | pause = "wins-b"
      | ^^^^^ put it in an entry of its own
1 mistake in 1 file
"#,
    );
}

#[test]
fn end_before_start() {
    expect_added(
        r#"[[fault]]
at = "09:00"
every = "10min"
until = "08:00"
crash = "wins-a"
[[expect]]
always = "agreement"
databases_agree = true
from = "05:00"
until = "04:00"
"#,
        r#"
error: it ends before it begins
  case.toml:13:9
   13 | until = "08:00"
      |         ^^^^^^^ the first is at 09:00:00.000
error: it ends before it begins
  case.toml:19:9
   19 | until = "04:00"
      |         ^^^^^^^
2 mistakes in 1 file
"#,
    );
}

#[test]
fn fault_after_the_end() {
    expect_added(
        r#"[[fault]]
at = "11:00"
crash = "wins-a"
"#,
        r#"
error: 11:00:00.000 is after the end of the run
  case.toml:11:6
   11 | at = "11:00"
      |      ^^^^^^^ the run ends at 10:00:00.000
1 mistake in 1 file
"#,
    );
}

#[test]
fn step_after_the_end() {
    expect_added(
        r#"[[step]]
at = "1d 09:00"
replicate = { server = "wins-a" }
"#,
        r#"
error: 1d 09:00:00.000 is after the end of the run
  case.toml:11:6
   11 | at = "1d 09:00"
      |      ^^^^^^^^^^ the run ends at 10:00:00.000
1 mistake in 1 file
"#,
    );
}

#[test]
fn deadline_after_the_end() {
    expect_added(
        r#"[[expect]]
goal = "agreement"
databases_agree = true
after = "09:00"
within = "2h"
"#,
        r#"
error: the deadline, 11:00:00.000, is after the end of the run
  case.toml:14:10
   14 | within = "2h"
      |          ^^^^ the run ends at 10:00:00.000
1 mistake in 1 file
"#,
    );
}

#[test]
fn interval_of_zero() {
    expect_added(
        r#"[host.wins-c]
on = "office"
wins = { pull_from = ["wins-a"], pull_interval = "0s" }
"#,
        r#"
error: bad value `0s` for `pull_interval`
  case.toml:12:50
   12 | wins = { pull_from = ["wins-a"], pull_interval = "0s" }
      |                                                  ^^^^ it must be longer than 0
  write a duration such as "30min", "1h 5min" or "500ms" (units: d, h, min, s, ms, us, ns)
1 mistake in 1 file
"#,
    );
}

#[test]
fn too_few_changes() {
    expect_added(
        r#"[host.wins-c]
on = "office"
wins = { push_to = [{ host = "wins-a", after_changes = 5 }] }
"#,
        r#"
error: `after_changes` is 5, the least is 20
  case.toml:12:56
   12 | wins = { push_to = [{ host = "wins-a", after_changes = 5 }] }
      |                                                        ^ write 20 or more (UpdateCount: Q135922, Q147356)
1 mistake in 1 file
"#,
    );
}

#[test]
fn bad_names() {
    expect_added(
        r#"[host.a-name-far-too-long-for-netbios]
on = "office"
[host.pc]
on = "office"
names = ["SQL#ZZ", "NAMEOFSIXTEENCHR"]
[host.pc2]
on = "office"
user = ""
"#,
        r#"
error: `A-NAME-FAR-TOO-LONG-FOR-NETBIOS` has 31 characters, a NetBIOS name has at most 15
  case.toml:10:7
   10 | [host.a-name-far-too-long-for-netbios]
      |       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ set `computer` to a shorter one
error: `ZZ` is no suffix: write two hexadecimal digits, such as 20 or 1C
  case.toml:14:10
   14 | names = ["SQL#ZZ", "NAMEOFSIXTEENCHR"]
      |          ^^^^^^^^
error: `NAMEOFSIXTEENCHR` has 16 characters, a NetBIOS name has at most 15
  case.toml:14:20
   14 | names = ["SQL#ZZ", "NAMEOFSIXTEENCHR"]
      |                    ^^^^^^^^^^^^^^^^^^
error: `user` is empty
  case.toml:17:8
   17 | user = ""
      |        ^^
4 mistakes in 1 file
"#,
    );
}

#[test]
fn more_than_25_addresses() {
    expect_added(
        r#"[[step]]
at = "01:00"
add_static = { server = "wins-a", name = "FARM", kind = "internet-group", addresses = ["desk-*", "desk-*", "desk-*"] }
"#,
        r#"
error: 27 addresses for a mapping of kind internet-group
  case.toml:12:87
   12 | add_static = { server = "wins-a", name = "FARM", kind = "internet-group", addresses = ["desk-*", "desk-*", "desk-*"] }
      |                                                                                       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ 25 at most (Q140064)
1 mistake in 1 file
"#,
    );
}

#[test]
fn two_addresses_of_a_unique_mapping() {
    expect_added(
        r#"[[step]]
at = "01:00"
add_static = { server = "wins-a", name = "FILES", addresses = ["10.1.0.201", "10.1.0.202"] }
"#,
        r#"
error: 2 addresses for a mapping of kind unique
  case.toml:12:63
   12 | add_static = { server = "wins-a", name = "FILES", addresses = ["10.1.0.201", "10.1.0.202"] }
      |                                                               ^^^^^^^^^^^^^^^^^^^^^^^^^^^^ 1 at most (Q140064)
1 mistake in 1 file
"#,
    );
}

#[test]
fn partner_is_itself() {
    expect_added(
        r#"[host.wins-c]
on = "office"
wins = { partners = ["wins-c"] }
"#,
        r#"
error: `wins-c` cannot be its own partner
  case.toml:12:22
   12 | wins = { partners = ["wins-c"] }
      |                      ^^^^^^^^ name another WINS server
1 mistake in 1 file
"#,
    );
}

#[test]
fn partner_without_wins() {
    expect_added(
        r#"[host.wins-c]
on = "office"
wins = { partners = ["desk-1"] }
"#,
        r#"
error: host `desk-1` runs no WINS
  case.toml:12:22
   12 | wins = { partners = ["desk-1"] }
      |                      ^^^^^^^^
  WINS servers: wins-a, wins-b, wins-c
1 mistake in 1 file
"#,
    );
}

#[test]
fn unreachable_server() {
    expect_added(
        r#"subnet.island = "10.3.0.0/24"
[host.pc]
on = "island"
nbt = { servers = ["wins-a"] }
"#,
        r#"
error: `pc` cannot reach `wins-a`
  case.toml:13:20
   13 | nbt = { servers = ["wins-a"] }
      |                    ^^^^^^^^ no router or link joins `island` and `office`
1 mistake in 1 file
"#,
    );
}

#[test]
fn lmhosts_missing() {
    expect_added(
        r#"[[step]]
at = "01:00"
import_lmhosts = { server = "wins-a", file = "none.lmhosts" }
"#,
        r#"
error: cannot read `none.lmhosts`
  case.toml:12:46
   12 | import_lmhosts = { server = "wins-a", file = "none.lmhosts" }
      |                                              ^^^^^^^^^^^^^^ No such file or directory (os error 2)
  files are looked for in the folder of the scenario
1 mistake in 1 file
"#,
    );
}

#[test]
fn lmhosts_bad() {
    expect_added(
        r#"[[step]]
at = "01:00"
import_lmhosts = { server = "wins-a", file = "bad.lmhosts" }
"#,
        r#"
error: `bad.lmhosts` cannot be imported
  case.toml:12:46
   12 | import_lmhosts = { server = "wins-a", file = "bad.lmhosts" }
      |                                              ^^^^^^^^^^^^^ line 2: no name follows the address
1 mistake in 1 file
"#,
    );
}

#[test]
fn lmhosts_with_lines_to_skip() {
    expect_added(
        r#"[host.wins-c]
on = "office"
wins = { lmhosts = "skips.lmhosts" }
"#,
        r#"
error: a line of `skips.lmhosts` would be skipped by the import
  case.toml:12:20
   12 | wins = { lmhosts = "skips.lmhosts" }
      |                    ^^^^^^^^^^^^^^^ line 1: `10.1.0.300` is no address
1 mistake in 1 file
"#,
    );
}

#[test]
fn bad_vary() {
    expect_added(
        r#"[vary]
"link.wan.delay" = ["5ms", "50"]
"link.wam.delay" = ["5ms"]
"host.wins-a.wins.pull_intervall" = ["5min", "10min"]
"host.wins-a.on" = ["branch", "brench"]
"#,
        r#"
error: bad value `50` for `delay`
  case.toml:11:28
   11 | "link.wan.delay" = ["5ms", "50"]
      |                            ^^^^ `50` has no unit; did you mean `50s`?
  write a duration such as "30ms" or a range such as "20ms..40ms"
error: the scenario has no `wam` to change
  case.toml:12:1
   12 | "link.wam.delay" = ["5ms"]
      | ^^^^^^^^^^^^^^^^ did you mean `wan`?
  there is: wan
error: unknown key `pull_intervall`
  case.toml:13:1
   13 | "host.wins-a.wins.pull_intervall" = ["5min", "10min"]
      | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ did you mean `pull_interval`?
  a WINS server takes: persistent_associations, persona_max, persona_members_pass, persona_non_grata, persona_unsorted, prepend_1b, propagation_circulates, pull_from, pull_interval, pull_retries, pulls_drift, push_after_changes, push_on_1c_tombstone, push_to, query_ttl, randomize_1c, ...
error: unknown subnet `brench`
  case.toml:14:31
   14 | "host.wins-a.on" = ["branch", "brench"]
      |                               ^^^^^^^^ did you mean `branch`?
  subnets: office, branch
4 mistakes in 1 file
"#,
    );
}

#[test]
fn bad_alternatives() {
    expect_added(
        r#"[vary]
link.wan.delay = ["5ms"]
empty = {}
[vary.design]
lone = { remove = ["host.wins-b"] }
typo = { remove = ["host.wins-c"], "host.wins-a.on" = "ofice" }
"a,b" = {}
unquoted = { host.wins-a.on = "branch" }
number = 3
gone = { remove = [7] }
"#,
        r#"
error: unknown host `wins-b`
  case.toml:7:53
    7 | host.wins-a = { on = "office", wins = { partners = ["wins-b"] } }
      |                                                     ^^^^^^^^ did you mean `wins-a`?
  hosts: wins-a, desk-{1..9}
  or a set: hosts, clients, wins-servers, subnet NAME, domain NAME, a pattern with *
  so it is with the alternative `lone`
error: unknown host `wins-b`
  case.toml:9:68
    9 | host."desk-{1..9}" = { on = "office", nbt = { servers = ["wins-a", "wins-b"] } }
      |                                                                    ^^^^^^^^ did you mean `wins-a`?
  hosts: wins-a, desk-{1..9}
  or a set: hosts, clients, wins-servers, subnet NAME, domain NAME, a pattern with *
  so it is with the alternative `lone`
error: `link` is a table of the scenario itself
  case.toml:11:1
   11 | link.wan.delay = ["5ms"]
      | ^^^^ put a path in quotes: "link.wan.delay" = ["5ms", "50ms"]
error: `empty` has no alternatives
  case.toml:12:9
   12 | empty = {}
      |         ^^
error: there is no `wins-c` to remove
  case.toml:15:20
   15 | typo = { remove = ["host.wins-c"], "host.wins-a.on" = "ofice" }
      |                    ^^^^^^^^^^^^^ did you mean `wins-a`?
  there is: wins-a, wins-b, desk-{1..9}
error: `a,b` is no name for an alternative
  case.toml:16:1
   16 | "a,b" = {}
      | ^^^^^ it has no comma, quote, dot or `=`
error: this would replace everything below `host`
  case.toml:17:14
   17 | unquoted = { host.wins-a.on = "branch" }
      |              ^^^^ put the path in quotes: "host.wins-a.profile" = "nt40"
error: an alternative is a table, and `number` is a number
  case.toml:18:10
   18 | number = 3
      |          ^ write { "link.wan.delay" = "5ms", remove = ["host.old"] }
error: `remove` is a list of paths
  case.toml:19:20
   19 | gone = { remove = [7] }
      |                    ^
9 mistakes in 1 file
"#,
    );
}

#[test]
fn values_that_do_not_go_together() {
    expect_added(
        r#"[vary]
"host.wins-a.on" = ["office", "branch"]
[vary.network]
one = {}
flat = { remove = ["link.wan"], "host.wins-b.on" = "office" }
"#,
        r#"
error: `wins-a` cannot reach `wins-b`
  case.toml:14:1
   14 | flat = { remove = ["link.wan"], "host.wins-b.on" = "office" }
      | ^^^^ no router or link joins `branch` and `office`
  together with host.wins-a.on branch
error: `wins-b` cannot reach `wins-a`
  case.toml:14:1
   14 | flat = { remove = ["link.wan"], "host.wins-b.on" = "office" }
      | ^^^^ no router or link joins `office` and `branch`
  together with host.wins-a.on branch
error: `desk-1` cannot reach `wins-a`
  case.toml:14:1
   14 | flat = { remove = ["link.wan"], "host.wins-b.on" = "office" }
      | ^^^^ no router or link joins `office` and `branch`
  together with host.wins-a.on branch
3 mistakes in 1 file
"#,
    );
}

#[test]
fn five_mistakes_in_one_pass() {
    expect(
        r#"title = "five"
durration = "1h"
duration = "1 hours"
subnet.office = "10.1.0.0/24"
host.a = { on = "ofice" }
host.b = { on = "office", address = "10.2.0.1" }
[[fault]]
at = "00:10"
crash = "c"
"#,
        &[],
        r#"
error: unknown key `durration`
  case.toml:2:1
    2 | durration = "1h"
      | ^^^^^^^^^ did you mean `duration`?
  a scenario takes: cluster, domain, duration, epoch, expect, fault, host, kb, link, probe, router, seed, step, subnet, title, vary, ...
error: bad value `1 hours` for `duration`
  case.toml:3:12
    3 | duration = "1 hours"
      |            ^^^^^^^^^ `hours` is no unit of time; did you mean `1h`?
  write a duration such as "30min", "1h 5min" or "500ms" (units: d, h, min, s, ms, us, ns)
error: unknown subnet `ofice`
  case.toml:5:17
    5 | host.a = { on = "ofice" }
      |                 ^^^^^^^ did you mean `office`?
  subnets: office
error: 10.2.0.1 lies outside subnet `office` (10.1.0.0/24)
  case.toml:6:37
    6 | host.b = { on = "office", address = "10.2.0.1" }
      |                                     ^^^^^^^^^^ hosts there have 10.1.0.1 to 10.1.0.254
error: unknown host `c`
  case.toml:9:9
    9 | crash = "c"
      |         ^^^ did you mean `a`?
  hosts: a, b
  or a set: hosts, clients, wins-servers, subnet NAME, domain NAME, a pattern with *
5 mistakes in 1 file
"#,
    );
}

#[test]
fn bad_set_value() {
    expect(
        BASE,
        &["link.wan.delay=5"],
        r#"
error: bad value for `delay`
  --set:1:16
    1 | link.wan.delay=5
      |                ^ a number needs a unit, in quotes; did you mean `"5s"`?
  write a duration such as "30ms" or a range such as "20ms..40ms"
1 mistake in 1 file
"#,
    );
}

#[test]
fn bad_set_path() {
    expect(
        BASE,
        &["link.wam.delay=5ms", "hots.x=1", "nonsense"],
        r#"
error: the scenario has no `wam` to change
  --set:1:6
    1 | link.wam.delay=5ms
      |      ^^^ did you mean `wan`?
  there is: wan
error: the scenario has no `hots` to change
  --set:2:1
    2 | hots.x=1
      | ^^^^ did you mean `host`?
  there is: title, duration, subnet, link, domain, host
error: an override needs a path and a value
  --set:3:1
    3 | nonsense
      | ^^^^^^^^ write path=value, such as link.wan.loss=1/100
3 mistakes in 1 file
"#,
    );
}

#[test]
fn records_put_in_and_numbers_expected() {
    expect_added(
        r#"[[step]]
at = "1h"
put_record = { server = "wins-a", name = "A#20", owner = "wins-b" }
[[expect]]
always = "few"
record_count = { server = "wins-a" }
[[expect]]
always = "known"
owner_known = { server = "wins-a", owner = "wins-b", at_least = 9, at_most = 3 }
"#,
        r#"
error: 0 addresses for such a record
  case.toml:12:42
   12 | put_record = { server = "wins-a", name = "A#20", owner = "wins-b" }
      |                                          ^^^^^^ it has one
error: a record of another owner needs its `version`
  case.toml:12:58
   12 | put_record = { server = "wins-a", name = "A#20", owner = "wins-b" }
      |                                                          ^^^^^^^^
error: nothing is said about the number
  case.toml:15:18
   15 | record_count = { server = "wins-a" }
      |                  ^^^^^^ add at_most or at_least
error: `at_most` is below `at_least`
  case.toml:18:78
   18 | owner_known = { server = "wins-a", owner = "wins-b", at_least = 9, at_most = 3 }
      |                                                                              ^
4 mistakes in 1 file
"#,
    );
}

#[test]
fn a_reproduced_failure() {
    expect_added(
        r#"[kb]
article = "KB216585"
affected = "NT 4.0 SP4"
cured = "NT 4.0 SP5"
symptom = "no logon servers"
cure = []
harm = ["host.wins-c.profile=nt40-sp4", "nothing"]
"#,
        r#"
error: `KB216585` is no article
  case.toml:11:11
   11 | article = "KB216585"
      |           ^^^^^^^^^^ write Q and five or six digits
error: `cure` sets nothing
  case.toml:15:8
   15 | cure = []
      |        ^^ write ["host.wins.profile=nt40-sp5"]
error: the scenario has no `wins-c` to change
  case.toml:16:9
   16 | harm = ["host.wins-c.profile=nt40-sp4", "nothing"]
      |         ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ did you mean `wins-a`?
  there is: wins-a, wins-b, desk-{1..9}
error: an override needs a path and a value
  case.toml:16:41
   16 | harm = ["host.wins-c.profile=nt40-sp4", "nothing"]
      |                                         ^^^^^^^^^ write path=value, such as link.wan.loss=1/100
4 mistakes in 1 file
"#,
    );
    expect_added(
        r#"[kb]
article = "Q216585"
affected = "NT 4.0 SP4"
cured = "NT 4.0 SP5"
symptom = "no logon servers"
cure = ["host.wins-a.profile=nt4"]
harm = ["host.wins-b.profile=nt40-sp4"]
"#,
        r#"
error: bad value `nt4` for `profile`
  case.toml:15:8
   15 | cure = ["host.wins-a.profile=nt4"]
      |        ^^^^^^^^^^^^^^^^^^^^^^^^^^^ no such word; did you mean `nt40`?
  write one of: nt35, nt35-sp0, nt35-sp1, nt35-sp2, nt35-sp3, nt351, nt351-sp0, nt351-sp1, nt351-sp2, nt351-sp3, nt351-sp4, nt351-sp5, nt40, nt40-sp0, nt40-sp1, nt40-sp2, nt40-sp3, nt40-sp4, nt40-sp5, nt40-sp6, w2k, w2k3, w95
1 mistake in 1 file
"#,
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// Damaged files are either still scenarios or have mistakes that can be shown; nothing panics.
    #[test]
    fn damaged_files_never_panic(
        which in any::<prop::sample::Index>(),
        damage in prop::collection::vec((0u8..4, any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let file = which.get(&SHIPPED);
        let mut bytes = std::fs::read(format!("scenarios/{file}.toml")).expect("a shipped file");
        for (what, place, value) in damage {
            let mut lines: Vec<Vec<u8>> = bytes.split(|b| *b == b'\n').map(<[u8]>::to_vec).collect();
            let line = place.index(lines.len());
            match what {
                0 => drop(lines.remove(line)),
                1 => lines.insert(line, lines[line].clone()),
                2 if !lines[line].is_empty() => {
                    let at = usize::from(value) % lines[line].len();
                    lines[line][at] ^= 1 << (value % 7);
                }
                _ => lines[line].push(value & 0x7F),
            }
            bytes = lines.join(&b'\n');
            if bytes.is_empty() {
                bytes.push(b' ');
            }
        }
        let text = String::from_utf8_lossy(&bytes);
        match load(file, &text, &[], &read_file) {
            Ok(plan) => prop_assert!(!plan.duration.is_zero()),
            Err(mistakes) => {
                prop_assert!(!mistakes.is_empty());
                prop_assert!(mistakes.to_string().starts_with("error: "));
            }
        }
    }
}
