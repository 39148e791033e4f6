//! tshark reads the captures of the shipped scenarios: every packet is decoded to its last layer and none is
//! malformed. Without tshark the test says so and passes.
//!
//! The long and the big scenarios are cut short, to keep the test short; what they have that others lack is
//! in what is left.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Scenarios and where their captures end.
const RUNS: [(&str, &str); 8] = [
    ("basics/two-hosts.toml", "10min"),
    ("basics/roaming.toml", "10:30"),
    // The outage, and an hour of look-ups before it; the main job of the night is registering.
    ("wins/primary-failover.toml", "09:40"),
    ("wins/partition-heal.toml", "13:00"),
    ("wins/static-mappings.toml", "02:10"),
    ("wins/topologies/chain.toml", "1h"),
    ("storms/power-return.toml", "75s"),
    // Both nodes form and join, and one loses power.
    ("cluster/failover.toml", "45min"),
];

/// What a packet may consist of. The end of a replication message may come in a later segment. Messages of
/// clusters have a layout of their own, which no dissector knows.
const PROTOCOLS: [&str; 4] = [
    "eth:ethertype:ip:udp:nbns",
    "eth:ethertype:ip:udp:data",
    "eth:ethertype:ip:tcp",
    "eth:ethertype:ip:tcp:winsrepl",
];

/// The port of clusters is also that of another protocol (MS-RCMP), of which tshark has a dissector.
const OTHER_ON_3343: [&str; 2] = ["--disable-protocol", "msrcp"];

/// Warnings and worse; notes and chats are about retransmissions and the like, which networks have.
const SEVERITY_MAX: u32 = 0x0060_0000;

/// What tshark says of the order of segments where some were lost on the way: true, and no fault.
const ORDER: [&str; 2] = ["This frame is a (suspected)", "Previous segment(s) not captured"];

fn tshark_is_there() -> bool {
    let version = Command::new("tshark").arg("--version").stderr(Stdio::null()).output();
    version.is_ok_and(|output| output.status.success())
}

/// Splits a capture by interface. A datagram on its way is seen on both subnets and on the link between them,
/// and tshark, which takes a capture for one wire, would put its streams together from all three.
fn by_interface(capture: &Path) -> Vec<PathBuf> {
    let mut command = Command::new("tshark");
    command.arg("-r").arg(capture).args(["-n", "-T", "fields", "-e", "frame.interface_id"]);
    let output = command.stderr(Stdio::null()).output().expect("tshark runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let interfaces: BTreeSet<&str> = text.lines().collect();
    let part = |interface: &&str| {
        let part = capture.with_file_name(format!("interface-{interface}.pcapng"));
        let mut command = Command::new("tshark");
        command.arg("-r").arg(capture).arg("-w").arg(&part).arg("-n");
        command.args(["-Y", &format!("frame.interface_id == {interface}")]);
        let status = command.stderr(Stdio::null()).status().expect("tshark runs");
        assert!(status.success(), "tshark failed: {status}");
        part
    };
    interfaces.iter().map(part).collect()
}

/// Packets by what they consist of, and what is wrong with some, in words.
fn dissect(capture: &Path) -> (BTreeMap<String, u64>, Vec<String>) {
    let mut command = Command::new("tshark");
    command.arg("-r").arg(capture).args(["-n", "-T", "fields", "-E", "separator=|"]);
    command.args(OTHER_ON_3343);
    for check in ["ip.check_checksum", "udp.check_checksum", "tcp.check_checksum"] {
        command.args(["-o", &format!("{check}:TRUE")]);
    }
    for field in [
        "frame.number",
        "frame.protocols",
        "_ws.malformed",
        "_ws.expert.severity",
        "_ws.expert.message",
    ] {
        command.args(["-e", field]);
    }
    let output = command.stderr(Stdio::inherit()).output().expect("tshark runs");
    assert!(output.status.success(), "tshark failed: {}", output.status);
    let (mut kinds, mut wrong) = (BTreeMap::new(), Vec::new());
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let fields: Vec<&str> = line.splitn(5, '|').collect();
        let [_, protocols, malformed, severities, message] = fields[..] else {
            panic!("tshark printed {line}");
        };
        // Several messages in one segment are dissected one after the other.
        let mut protocols = protocols.to_string();
        while let Some(shorter) = protocols.strip_suffix(":winsrepl:winsrepl") {
            protocols = format!("{shorter}:winsrepl");
        }
        let severe = severities.split(',').filter_map(|s| s.parse().ok()).max().unwrap_or(0);
        if !malformed.is_empty()
            || (severe >= SEVERITY_MAX && !ORDER.iter().any(|known| message.contains(known)))
            || !PROTOCOLS.contains(&protocols.as_str())
        {
            wrong.push(line.to_string());
        }
        *kinds.entry(protocols).or_default() += 1;
    }
    (kinds, wrong)
}

#[test]
fn tshark_finds_nothing_wrong_in_the_captures_of_the_scenarios() {
    if !tshark_is_there() {
        eprintln!("SKIPPED: tshark is not installed, no capture was checked");
        return;
    }
    let mut complaints = Vec::new();
    let mut all: BTreeMap<String, u64> = BTreeMap::new();
    for (scenario, until) in RUNS {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = format!("scenarios/{scenario}");
        let mut program = Command::new(env!("CARGO_BIN_EXE_winstorm"));
        program.current_dir(env!("CARGO_MANIFEST_DIR")).args(["run", &file, "--until", until]);
        program.arg("--pcap").arg("--out").arg(folder.path());
        let output = program.output().expect("the program starts");
        let code = output.status.code();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(matches!(code, Some(0 | 1)), "{scenario}: {code:?}\n{said}");
        for part in by_interface(&folder.path().join("packets.pcapng")) {
            let (kinds, wrong) = dissect(&part);
            assert!(!kinds.is_empty(), "{scenario}: {} is empty", part.display());
            for line in wrong.iter().take(5) {
                complaints.push(format!("{scenario}, {} packets such as: {line}", wrong.len()));
            }
            kinds.into_iter().for_each(|(kind, count)| *all.entry(kind).or_default() += count);
        }
    }
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
    for protocol in PROTOCOLS {
        assert!(all.get(protocol).is_some_and(|count| *count > 100), "{protocol} in {all:?}");
    }
}
