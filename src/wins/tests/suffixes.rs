//! Every documented suffix: what WINS stores for it, and what it answers.

use super::*;
use std::collections::BTreeSet;

/// What is registered: the rule, the name, its last byte, and whether as a unique name, as a group.
struct Plain {
    rule: &'static str,
    base: &'static [u8],
    suffix: u8,
    unique: bool,
    group: bool,
}

const fn unique(rule: &'static str, base: &'static [u8], suffix: u8) -> Plain {
    Plain { rule, base, suffix, unique: true, group: false }
}

const fn group(rule: &'static str, base: &'static [u8], suffix: u8) -> Plain {
    Plain { rule, base, suffix, unique: false, group: true }
}

/// Sources disagree about the type, or software uses both.
const fn either(rule: &'static str, base: &'static [u8], suffix: u8) -> Plain {
    Plain { rule, base, suffix, unique: true, group: true }
}

const PLAIN: [Plain; 33] = [
    unique("00-computer", b"DESK1", 0x00),
    group("00-domain", b"CORP", 0x00),
    unique("00-iis", b"IS~WEB1", 0x00),
    unique("01-messenger", b"DESK1", 0x01),
    group("01-msbrowse", b"\x01\x02__MSBROWSE__\x02", 0x01),
    unique("02-mixed-case", b"Desk1", 0x02),
    unique("03-computer", b"DESK1", 0x03),
    unique("03-user", b"ANNA", 0x03),
    unique("06-ras-server", b"DESK1", 0x06),
    unique("1f-netdde", b"DESK1", 0x1F),
    unique("20-server", b"DESK1", 0x20),
    either("20-irmalan", b"FORTE_$ND800ZA", 0x20),
    unique("21-ras-client", b"DESK1", 0x21),
    unique("22-exchange-interchange", b"MAIL1", 0x22),
    unique("23-exchange-store", b"MAIL1", 0x23),
    unique("24-exchange-directory", b"MAIL1", 0x24),
    unique("2b-lotus-server", b"NOTES1", 0x2B),
    group("2f-lotus-multicast", b"IRISMULTICAST", 0x2F),
    unique("30-modem-server", b"MODEM1", 0x30),
    unique("31-modem-client", b"MODEM1", 0x31),
    group("33-lotus-names", b"IRISNAMESERVER", 0x33),
    unique("42-antivirus", b"DESK1", 0x42),
    unique("43-sms-client", b"DESK1", 0x43),
    unique("44-sms-admin", b"DESK1", 0x44),
    unique("45-sms-chat", b"DESK1", 0x45),
    unique("46-sms-transfer", b"DESK1", 0x46),
    unique("4c-pathworks", b"VAX1", 0x4C),
    unique("52-pathworks", b"VAX1", 0x52),
    unique("6a-exchange-imc", b"MAIL1", 0x6A),
    unique("87-exchange-mta", b"MAIL1", 0x87),
    unique("be-netmon-agent", b"DESK1++++++++++", 0xBE),
    either("bf-netmon", b"DESK1++++++++++", 0xBF),
    // Entered by an administrator: see the test.
    group("20-internet-group", b"FARM", 0x20),
];

fn raw(base: &[u8], suffix: u8) -> NetbiosName {
    let mut bytes = [b' '; 16];
    bytes[..base.len()].copy_from_slice(base);
    bytes[15] = suffix;
    NetbiosName::from_bytes(bytes)
}

fn ask(bench: &mut Bench, name: &NetbiosName) -> Option<Vec<Ipv4Addr>> {
    let mut bytes = Vec::new();
    compose::query(bench.next_id(), name, &ScopeId::none(), false, &mut bytes);
    let before = bench.sent.len();
    let reply = bench.request(host(200), &bytes);
    let packet = NamePacket::decode(&bench.sent[before].bytes).unwrap();
    let answer = packet.answer.unwrap();
    assert_eq!(answer.name.as_ref().map(|(found, _)| found), Some(name), "the name as it was sent");
    (reply == Reply::Positive).then(|| answer.entries().map(|entry| entry.address).collect())
}

fn claim_raw(bench: &mut Bench, from: u8, name: &NetbiosName, group: bool) -> Reply {
    let kind = if group { NameKind::Group } else { NameKind::Unique };
    let bytes = bench.claim(from, name, kind, false);
    bench.request(host(from), &bytes)
}

// rule: suffix/plain/*
#[test]
fn suffixes_without_treatment_are_stored_as_their_group_bit_says() {
    let rules = include_str!("../../../tests/wins_rules.txt");
    let documented: BTreeSet<&str> = rules
        .lines()
        .filter_map(|line| line.strip_prefix("suffix/plain/")?.split(' ').next())
        .collect();
    let shown: BTreeSet<&str> = PLAIN.iter().map(|plain| plain.rule).collect();
    assert_eq!(shown, documented);
    for Plain { rule, base, suffix, unique, group } in &PLAIN {
        let name = raw(base, *suffix);
        if *unique {
            let mut bench = Bench::new(nt40());
            assert_eq!(claim_raw(&mut bench, 1, &name, false), Reply::Positive, "{rule}");
            assert_eq!(ask(&mut bench, &name), Some(vec![host(1)]), "{rule}");
            // Another machine's claim is a conflict: the first one keeps it.
            assert_eq!(claim_raw(&mut bench, 2, &name, false), Reply::Wack, "{rule}");
        }
        if *group && *rule != "20-internet-group" {
            let mut bench = Bench::new(nt40());
            for member in [1, 2] {
                assert_eq!(claim_raw(&mut bench, member, &name, true), Reply::Positive, "{rule}");
            }
            assert_eq!(ask(&mut bench, &name), Some(vec![Ipv4Addr::BROADCAST]), "{rule}");
        }
        if *rule == "20-internet-group" {
            let mut bench = Bench::new(nt40());
            let kind = StaticType::InternetGroup;
            let mapping = StaticMapping::new(name, kind, vec![host(1), host(2)]);
            bench.give(WinsInput::Operator(OperatorAction::AddStatic(mapping)));
            assert_eq!(ask(&mut bench, &name), Some(vec![host(1), host(2)]), "{rule}");
        }
    }
    // Mixed case beside upper case: two names.
    let mut bench = Bench::new(nt40());
    claim_raw(&mut bench, 1, &raw(b"Desk1", 2), false);
    assert_eq!(claim_raw(&mut bench, 2, &raw(b"DESK1", 2), false), Reply::Positive);
    assert_eq!(bench.server.core().names.len(), 2);
}

// rule: suffix/byte-exact
#[test]
fn names_are_compared_byte_by_byte() {
    let mut bench = Bench::new(nt40());
    let spellings: [&[u8]; 3] = [b"name", b"Name", b"NAME"];
    for (n, base) in (1..).zip(spellings) {
        assert_eq!(claim_raw(&mut bench, n, &raw(base, 0x20), false), Reply::Positive);
    }
    for (n, base) in (1..).zip(spellings) {
        assert_eq!(ask(&mut bench, &raw(base, 0x20)), Some(vec![host(n)]));
    }
    assert_eq!(ask(&mut bench, &raw(b"nAME", 0x20)), None);
}

// rule: suffix/odd-names
#[test]
fn names_of_any_bytes_are_taken() {
    let odd: [&[u8]; 6] =
        [b"", b".", b"...............", b"\xC4\xD6\xDC\xFF", b"\0\0\0", b"A B*C?"];
    for base in odd {
        let mut bench = Bench::new(nt40());
        let name = raw(base, 0x20);
        assert_eq!(claim_raw(&mut bench, 1, &name, false), Reply::Positive, "{name}");
        assert_eq!(ask(&mut bench, &name), Some(vec![host(1)]), "{name}");
        let stored = bench.server.core().names.get(&name, &ScopeId::none()).unwrap();
        assert_eq!(stored.name.as_bytes(), name.as_bytes());
    }
}

// rule: suffix/minimum-three
#[test]
fn a_client_of_a_domain_with_a_user_needs_six_records() {
    let mut bench = Bench::new(nt40());
    for text in ["PC#00", "PC#03", "PC#20"] {
        assert_eq!(bench.register(1, text, NameKind::Unique), Reply::Positive);
    }
    assert_eq!(bench.server.core().names.len(), 3);
    assert_eq!(bench.register(1, "ANNA#03", NameKind::Unique), Reply::Positive);
    for text in ["CORP#00", "CORP#1E"] {
        assert_eq!(bench.register(1, text, NameKind::Group), Reply::Positive);
    }
    assert_eq!(bench.server.core().names.len(), 6);
}

// rule: type/select/mask
#[test]
fn a_mask_of_the_administrator_makes_special_groups() {
    let mask = GroupMask::parse("4641524D000000000000000000000000").unwrap();
    let mut bench = Bench::new(WinsProfile { special_group_masks: vec![mask], ..nt40() });
    bench.register(1, "FARM7", NameKind::Group);
    bench.register(2, "FARM7", NameKind::Group);
    assert_eq!(bench.query("FARM7"), Some((true, vec![host(1), host(2)])));
    bench.register(1, "BARN7", NameKind::Group);
    assert_eq!(bench.query("BARN7"), Some((true, vec![Ipv4Addr::BROADCAST])));
    // Only group names: a unique name of that form stays unique.
    bench.register(1, "FARM8", NameKind::Unique);
    assert_eq!(bench.get("FARM8").unwrap().kind, NameKind::Unique);
    for wrong in
        ["", "4641", "4641524D0000000000000000000000000", "zz41524D000000000000000000000000"]
    {
        assert_eq!(GroupMask::parse(wrong), None, "{wrong}");
    }
}

// rule: type/limit-25
#[test]
fn a_registration_with_more_than_25_addresses_is_not_taken() {
    let mut bench = Bench::new(WinsProfile::new(WinsVersion::Nt35, 0));
    for (count, expected) in [(25, Reply::Positive), (26, Reply::Silence)] {
        let mut bytes = bench.claim(1, &name("A"), NameKind::Multihomed, false);
        let entry = bytes[62..68].to_vec();
        for n in 1..count {
            bytes.extend_from_slice(&entry[..5]);
            bytes.push(n as u8 + 1);
        }
        bytes[60..62].copy_from_slice(&(6 * count as u16).to_be_bytes());
        assert_eq!(bench.request(host(1), &bytes), expected, "{count} addresses");
    }
    assert!(bench.saw(WinsEvent::TooManyAddresses) && !bench.saw(WinsEvent::MalformedPacket));
    assert_eq!(WinsEvent::TooManyAddresses.number(WinsVersion::Nt35), Some(4141));
}

// rule: register/four-opcodes, wire/refresh-8-and-9, wire/answer-repeats
// rule: wire/refresh-answered-as-registration, wire/rcode/0
#[test]
fn registration_and_refresh_run_the_same_procedure_under_four_opcodes() {
    for flags in [0x2900_u16, 0x4100, 0x4900, 0x7900] {
        let mut bench = Bench::new(nt40());
        let mut bytes = bench.claim(1, &name("A"), NameKind::Unique, false);
        bytes[2..4].copy_from_slice(&flags.to_be_bytes());
        bytes[0..2].copy_from_slice(&[0xAB, 0xCD]);
        assert_eq!(bench.request(host(1), &bytes), Reply::Positive, "{flags:04X}");
        let stored = bench.describe("A", VersionId::ZERO);
        let kind = if flags == 0x7900 { "Multihomed" } else { "Unique" };
        assert_eq!(stored, format!("{kind} Active own new renewed [1]"), "{flags:04X}");
        let answer = NamePacket::decode(&bench.sent[0].bytes).unwrap();
        assert_eq!((answer.id, answer.flags.0), (0xABCD, 0xAD80), "{flags:04X}");
        let record = answer.answer.unwrap();
        assert_eq!(record.name, Some((name("A"), ScopeId::none())));
        assert_eq!(record.entries().next().unwrap().address, host(1));
    }
}

// rule: wire/node-type, ttl/query
#[test]
fn the_node_type_is_not_answered_and_the_ttl_of_queries_is_a_parameter() {
    for ttl in [0, 77] {
        let mut bench = Bench::new(WinsProfile { query_ttl: ttl, ..nt40() });
        bench.register(1, "A", NameKind::Unique);
        assert_eq!(bench.get("A").unwrap().node_type, NodeType::H);
        let before = bench.sent.len();
        bench.query("A");
        let packet = NamePacket::decode(&bench.sent[before].bytes).unwrap();
        let record = packet.answer.unwrap();
        assert_eq!(record.ttl, ttl);
        assert_eq!(record.entries().next().unwrap().flags.node_type(), NodeType::B);
    }
}

// rule: register/screen/malformed-stops
#[test]
fn a_malformed_packet_ends_the_service_before_sp4() {
    let mut bench = Bench::new(WinsProfile::new(WinsVersion::Nt40, 3));
    bench.register(1, "A", NameKind::Unique);
    bench.request(host(9), &[0; 7]);
    assert!(bench.saw(WinsEvent::MalformedPacket) && !bench.server.is_running());
    assert_eq!(bench.register(1, "A", NameKind::Unique), Reply::Silence);
    assert_eq!(bench.server.next_deadline(), None);
    let mut bench = Bench::new(WinsProfile::new(WinsVersion::Nt40, 4));
    bench.request(host(9), &[0; 7]);
    assert_eq!(bench.register(1, "A", NameKind::Unique), Reply::Positive);
}
