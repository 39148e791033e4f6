//! One message of every kind, shared by the tests of the wire formats and of captures.

// Each test program uses its own part of this.
#![allow(dead_code)]

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use winstorm::wire::name_service::compose::{self, Claim, Responder};
use winstorm::wire::name_service::{
    Flags, NameFlags, NbEntry, NbFlags, NodeStatistics, NodeStatusName, NodeType, Rcode,
};
use winstorm::wire::replication::{
    Member, Message, Notification, OwnerRecord, ReplicaAddresses, ReplicaRecord, ReplicaState,
    StopReason, VERSION_MINOR_NT4, VERSION_MINOR_W2K,
};
use winstorm::wire::{NetbiosName, ScopeId, Suffix};

const ID: u16 = 0x1234;
const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 7);
/// 300,000 seconds.
const TTL: u32 = 300_000;

/// The folder of golden bytes.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wire_golden")
}

/// The bytes a golden file spells: hexadecimal digits, blanks, and comments from `#` to the line's end.
pub fn golden(file: &str) -> Vec<u8> {
    let path = folder().join(file).with_extension("hex");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let digits: Vec<u8> = text
        .lines()
        .flat_map(|line| line.split('#').next().unwrap_or("").chars())
        .filter(|c| !c.is_whitespace())
        .map(|c| c.to_digit(16).unwrap_or_else(|| panic!("{file}: `{c}` is no digit")) as u8)
        .collect();
    assert!(digits.len().is_multiple_of(2), "{file}: half a byte");
    digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

fn name(text: &str) -> NetbiosName {
    text.parse().expect("a good name")
}

fn composed(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut bytes = Vec::new();
    write(&mut bytes);
    bytes
}

/// Every name service message with the name of its golden file.
pub fn name_service() -> Vec<(&'static str, Vec<u8>)> {
    let mut messages = claims();
    messages.extend(queries());
    messages.extend(answers());
    messages
}

fn claims() -> Vec<(&'static str, Vec<u8>)> {
    let (files, corp) = (name("FILES1"), name("CORP#1C"));
    let (none, sales) = (ScopeId::none(), ScopeId::new(b"sales.example").expect("a good scope"));
    let unicast = Claim {
        id: ID,
        name: &files,
        scope: &none,
        nb_flags: NbFlags::new(false, NodeType::H),
        address: ADDRESS,
        ttl: TTL,
        broadcast: false,
    };
    let broadcast = Claim { broadcast: true, ..unicast };
    let b_node = Claim { nb_flags: NbFlags::new(false, NodeType::B), ttl: 0, ..broadcast };
    let group = Claim { name: &corp, nb_flags: NbFlags::new(true, NodeType::P), ..unicast };
    let scoped = Claim { scope: &sales, ..unicast };
    let ending = Claim { ttl: 0, ..unicast };
    let ending_broadcast = Claim { ttl: 0, ..broadcast };
    vec![
        ("registration_request", composed(|out| compose::registration(&unicast, out))),
        ("registration_request_broadcast", composed(|out| compose::registration(&b_node, out))),
        ("group_registration_request", composed(|out| compose::registration(&group, out))),
        ("scoped_registration_request", composed(|out| compose::registration(&scoped, out))),
        (
            "multihomed_registration_request",
            composed(|out| compose::multihomed_registration(&unicast, out)),
        ),
        ("overwrite_request", composed(|out| compose::overwrite(&unicast, out))),
        ("overwrite_demand", composed(|out| compose::overwrite(&broadcast, out))),
        ("refresh_request", composed(|out| compose::refresh(&unicast, out))),
        ("refresh_request_alternate", composed(|out| compose::refresh_alternate(&unicast, out))),
        ("release_request", composed(|out| compose::release(&ending, out))),
        ("release_demand", composed(|out| compose::release(&ending_broadcast, out))),
    ]
}

fn queries() -> Vec<(&'static str, Vec<u8>)> {
    let (files, none) = (name("FILES1"), ScopeId::none());
    vec![
        ("query_request", composed(|out| compose::query(ID, &files, &none, false, out))),
        ("query_request_broadcast", composed(|out| compose::query(ID, &files, &none, true, out))),
        (
            "node_status_request",
            composed(|out| {
                compose::node_status_request(ID, &NetbiosName::ANY, &none, false, out);
            }),
        ),
    ]
}

fn answers() -> Vec<(&'static str, Vec<u8>)> {
    use Rcode::{Active, NameError, Ok};
    use Responder::{EndNode, Server};
    let (n, corp, s) = (&name("FILES1"), &name("CORP#1C"), &ScopeId::none());
    let h_node = NbFlags::new(false, NodeType::H);
    let e = NbEntry { flags: h_node, address: ADDRESS };
    let six_days = 6 * 86_400;
    let group: Vec<NbEntry> = (1..=25)
        .map(|i| NbEntry {
            flags: NbFlags::new(true, NodeType::B),
            address: Ipv4Addr::new(10, 1, 0, i),
        })
        .collect();
    let query = Flags(0x0100);
    let registration = Flags(0x2900);
    let server = &name("WINS2");
    let other_server = Ipv4Addr::new(10, 2, 0, 2);
    let registered =
        |rcode, ttl| composed(|out| compose::registration_response(ID, rcode, n, s, ttl, e, out));
    let released = |rcode| composed(|out| compose::release_response(ID, rcode, n, s, e, out));
    let found = |responder, name, ttl, entries: &[NbEntry]| {
        composed(|out| {
            compose::positive_query_response(ID, responder, name, s, ttl, entries, out);
        })
    };
    let missing = |responder, request| {
        composed(|out| {
            compose::negative_query_response(ID, responder, NameError, n, s, request, out);
        })
    };
    vec![
        ("positive_registration_response", registered(Ok, six_days)),
        ("negative_registration_response", registered(Active, 0)),
        ("end_node_challenge", composed(|out| compose::end_node_challenge(ID, n, s, 0, e, out))),
        ("conflict_demand", composed(|out| compose::conflict_demand(ID, n, s, h_node, out))),
        ("positive_release_response", released(Ok)),
        ("negative_release_response", released(Active)),
        ("wack", composed(|out| compose::wack(ID, n, s, 9, registration, out))),
        ("positive_query_response", found(Server, n, 0, &[e])),
        ("positive_query_response_end_node", found(EndNode, n, TTL, &[e])),
        ("positive_query_response_group", found(Server, corp, 0, &group)),
        ("negative_query_response", missing(Server, query)),
        ("negative_query_response_plain", missing(EndNode, Flags(0))),
        ("redirect", composed(|out| compose::redirect(ID, n, s, 60, server, other_server, out))),
        ("node_status_response", node_status_response()),
    ]
}

fn node_status_response() -> Vec<u8> {
    let entry = |text, is_group| NodeStatusName {
        name: name(text),
        flags: NameFlags::active(is_group, NodeType::H),
    };
    let names = [entry("FILES1", false), entry("FILES1#00", false), entry("CORP#00", true)];
    let statistics = NodeStatistics::new([2, 10, 1, 0, 7, 0]);
    composed(|out| {
        let (name, scope) = (&NetbiosName::ANY, &ScopeId::none());
        compose::node_status_response(ID, name, scope, &names, &statistics, out);
    })
}

/// Every replication message with the name of its golden file.
pub fn replication() -> Vec<(&'static str, Message)> {
    const NORTH: u32 = 0x0A01;
    const SOUTH: u32 = 0x0B02;
    let owners = [
        OwnerRecord::new(Ipv4Addr::new(10, 1, 0, 2), 1, 0x123),
        OwnerRecord::new(Ipv4Addr::new(10, 2, 0, 2), 1, 0x5_0000_0007),
    ];
    let wanted = OwnerRecord::new(Ipv4Addr::new(10, 1, 0, 2), 0x101, 0x123);
    let notification = |persistent, propagate| {
        let initiator = Ipv4Addr::new(10, 1, 0, 2);
        let owners = owners.to_vec();
        Message::notification(SOUTH, Notification { propagate, persistent, owners, initiator })
    };
    vec![
        ("winsrepl_start_request", Message::start_request(NORTH, VERSION_MINOR_W2K)),
        ("winsrepl_start_response", Message::start_response(NORTH, SOUTH, VERSION_MINOR_NT4)),
        ("winsrepl_stop", Message::stop(SOUTH, StopReason::Normal)),
        ("winsrepl_stop_error", Message::stop(SOUTH, StopReason::Error)),
        ("winsrepl_map_request", Message::map_request(SOUTH)),
        ("winsrepl_map_response", Message::map_response(NORTH, owners.to_vec())),
        ("winsrepl_records_request", Message::records_request(SOUTH, wanted)),
        ("winsrepl_records_response", Message::records_response(NORTH, records())),
        ("winsrepl_notification_4", notification(false, false)),
        ("winsrepl_notification_5", notification(false, true)),
        ("winsrepl_notification_8", notification(true, false)),
        ("winsrepl_notification_9", notification(true, true)),
    ]
}

/// One record of every type, and every quirk of the layout.
pub fn records() -> Vec<ReplicaRecord> {
    let ip = |text: &str| text.parse::<Ipv4Addr>().expect("a good address");
    let member = |owner, address| Member { owner: ip(owner), address: ip(address) };
    let record = |text: &str, version, addresses| {
        ReplicaRecord::new(name(text), ScopeId::none(), version, addresses)
    };
    let unique = |text: &str| ReplicaAddresses::Unique(ip(text));
    let dcs = vec![member("10.1.0.2", "10.1.0.11"), member("10.2.0.2", "10.2.0.11")];
    let sides = vec![member("10.1.0.2", "10.1.0.1"), member("10.1.0.2", "10.2.0.1")];
    vec![
        ReplicaRecord { node_type: NodeType::M, ..record("FILES1", 0x101, unique("10.1.0.7")) },
        record("CORP#00", 0x102, ReplicaAddresses::NormalGroup(Ipv4Addr::BROADCAST)),
        ReplicaRecord {
            is_static: true,
            ..record("CORP#1C", 0x103, ReplicaAddresses::SpecialGroup(dcs))
        },
        ReplicaRecord {
            node_type: NodeType::H,
            ..record("ROUTER", 0x104, ReplicaAddresses::Multihomed(sides))
        },
        ReplicaRecord::new(
            NetbiosName::new("CORP", Suffix::DOMAIN_MASTER).expect("a good name"),
            ScopeId::none(),
            0x105,
            unique("10.1.0.10"),
        ),
        ReplicaRecord {
            state: ReplicaState::Tombstone,
            replica: true,
            ..record("OLD#00", 0x106, unique("10.1.0.9"))
        },
        ReplicaRecord {
            scope: ScopeId::new(b"abc").expect("a good scope"),
            ..record("FILES1", 0x107, unique("10.1.0.8"))
        },
    ]
}
