//! First inputs: the golden bytes, and conversations made up of them.

use super::server::{OPERATIONS, Op, push_step};
use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;
use winstorm::base::{Streams, WallTime};
use winstorm::wins::{Member, NameKind, NameRecord, Origin, Owner, RecordState, VersionId};
use winstorm::wire::ScopeId;
use winstorm::wire::discovery::Announcement;
use winstorm::wire::name_service::NodeType;

/// The golden bytes of the files whose names begin, or do not begin, with `winsrepl`.
fn golden(replication: bool) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wire_golden");
    // The programs in fuzz/ stand one folder deeper.
    let folder = if folder.is_dir() {
        folder
    } else {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/wire_golden")
    };
    let mut paths: Vec<_> = fs::read_dir(folder)
        .expect("the golden bytes are there")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "hex"))
        .filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with("winsrepl") == replication
        })
        .collect();
    paths.sort();
    paths.iter().map(|path| bytes_of(&fs::read_to_string(path).expect("text"))).collect()
}

/// Hexadecimal digits without blanks and comments.
pub fn bytes_of(text: &str) -> Vec<u8> {
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or(line));
    let digits: Vec<u8> = lines
        .flat_map(|line| line.chars().filter(|c| !c.is_whitespace()))
        .map(|c| c.to_digit(16).expect("a hexadecimal digit") as u8)
        .collect();
    digits.as_chunks::<2>().0.iter().map(|[high, low]| high << 4 | low).collect()
}

pub fn datagrams() -> Vec<Vec<u8>> {
    golden(false)
}

/// Each message cut in two ways, and all of them one after another.
pub fn streams() -> Vec<Vec<u8>> {
    let messages = golden(true);
    let mut seeds: Vec<Vec<u8>> = messages.iter().map(|m| [&[0], &m[..]].concat()).collect();
    seeds.push([&[6], &messages.concat()[..]].concat());
    seeds
}

pub fn lmhosts() -> Vec<Vec<u8>> {
    let all = "# a comment\n10.1.0.5 FILES1\n10.1.0.6 DC1 #PRE #DOM:CORP\n10.1.0.7 GATE #MH\n\
        10.1.0.8 FARM1 #SG:FARM\n10.1.0.9 \"APP            \\0x14\"\n\n\t10.1.0.10\tX #pre\r\n\
        10.1.0.11 ANAMETHATISFARTOOLONG\n300.1.1.1 BAD\n";
    let lines = all.lines().map(|line| line.as_bytes().to_vec());
    let wrong =
        ["10.1.0.5", "10.1.0.5 \"OPEN", "#INCLUDE \\\\a\\b", "1.2.3.4 A B", "1.2.3.4 A #DOM:"];
    let wrong = wrong.iter().map(|line| line.as_bytes().to_vec());
    [all.as_bytes().to_vec()].into_iter().chain(lines).chain(wrong).collect()
}

pub fn stored_records() -> Vec<Vec<u8>> {
    let owner = Owner(Ipv4Addr::new(10, 0, 0, 1));
    let mut seeds = Vec::new();
    for (members, kind) in
        [(0, NameKind::InternetGroup), (1, NameKind::Unique), (25, NameKind::Multihomed)]
    {
        for scope in ["", "sales.example"] {
            let member = |n| Member {
                address: Ipv4Addr::new(10, 1, 0, n),
                owner,
                stamp: WallTime(u64::from(n) * 77),
            };
            let record = NameRecord {
                name: "FILES1".parse().expect("a name"),
                scope: ScopeId::new(scope.as_bytes()).expect("a scope"),
                kind,
                state: RecordState::Active,
                origin: Origin::Dynamic,
                node_type: NodeType::H,
                owner,
                version: VersionId(70_000),
                stamp: WallTime(1_700_000_000_000_000_000),
                members: (0..members).map(member).collect(),
            };
            let mut bytes = Vec::new();
            record.encode(&mut bytes);
            seeds.push(bytes);
        }
    }
    seeds
}

pub fn announcements() -> Vec<Vec<u8>> {
    let addresses = |n: u8| (1..=n).map(|n| Ipv4Addr::new(10, 0, 0, n)).collect();
    [(true, 1), (false, 3), (true, 25)]
        .into_iter()
        .map(|(up, count)| {
            let mut bytes = Vec::new();
            Announcement { up, addresses: addresses(count) }.encode(&mut bytes);
            bytes
        })
        .collect()
}

/// Scripts of the server: every golden message once, and conversations at random.
pub fn scripts() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    let mut all = vec![0];
    for bytes in golden(false) {
        push_step(Op::Datagram, &[&[3], &bytes[..]].concat(), &mut all);
    }
    seeds.push(all);
    let mut all = vec![1];
    for bytes in golden(true) {
        push_step(Op::Opened, &[0], &mut all);
        push_step(Op::Data, &[&[0], &bytes[..]].concat(), &mut all);
    }
    seeds.push(all);
    let mut chance = Streams::new(3).stream("fuzz/scripts");
    for n in 0..24u8 {
        let mut script = vec![n];
        push_step(Op::Durable, &[], &mut script);
        for _ in 0..60 {
            // Mostly requests and replication; life and time in between.
            let op = match chance.below(20) {
                0..8 => Op::Request,
                8 => Op::AnswerChallenge,
                9 => Op::Connected,
                10 => Op::Opened,
                11..15 => Op::Reply,
                15 => Op::Advance,
                16 => Op::Operator,
                17 => Op::Durable,
                18 => Op::Discovery,
                _ => Op::Advance,
            };
            let len = if op == Op::Reply { 40 } else { 8 };
            let payload: Vec<u8> = (0..len).map(|_| chance.next_u64() as u8).collect();
            push_step(op, &payload, &mut script);
        }
        seeds.push(script);
    }
    assert_eq!(Op::PowerCut as u8 + 1, OPERATIONS);
    seeds
}
