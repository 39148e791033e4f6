//! Golden bytes: every message of the name service and of replication, written out by hand from the
//! layouts of RFC 1002 4.2 and MS-WINSRA 2.2.

#[path = "wire_golden/samples.rs"]
mod samples;

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use winstorm::wire::name_service::{
    self, Flags, NamePacket, NbEntry, NbFlags, NodeType, Opcode, Rcode,
};
use winstorm::wire::replication::{
    FrameError, FrameReader, Member, Message, PACKET_LEN_MAX, ReplicaAddresses, ReplicaRecord,
    ReplicationError,
};
use winstorm::wire::{NetbiosName, ScopeId};

/// Bytes of Ethernet, IPv4 and UDP headers.
const FRAME_HEADERS: usize = 14 + 20 + 8;

fn encoded(packet: &NamePacket<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    packet.encode(&mut bytes);
    bytes
}

fn encoded_message(message: &Message) -> Vec<u8> {
    let mut bytes = Vec::new();
    message.encode(&mut bytes);
    bytes
}

fn name_service_bytes(file: &str) -> Vec<u8> {
    let found = samples::name_service().into_iter().find(|(name, _)| *name == file);
    found.unwrap_or_else(|| panic!("no sample {file}")).1
}

// rule: wire/encoded-name, wire/nb-entry, wire/rr-types
#[test]
fn name_service_messages_are_the_golden_bytes() {
    for (file, bytes) in samples::name_service() {
        let golden = samples::golden(file);
        assert_eq!(bytes, golden, "{file}");
        let packet = NamePacket::decode(&golden).unwrap_or_else(|e| panic!("{file}: {e}"));
        assert_eq!(encoded(&packet), golden, "{file}");
        assert!(packet.trailing.is_empty(), "{file}");
    }
}

// rule: repl-wire/header, repl-wire/reserved-bits, repl-wire/replication
// rule: repl-wire/notification-propagate, repl-wire/notification-persistent
// rule: repl-wire/notification-persistent-propagate, repl-wire/owner-record, repl-wire/name
// rule: repl-wire/padding, repl-wire/flags, repl-wire/group, repl-wire/version
// rule: repl-wire/one-address, repl-wire/member-list, repl-wire/trailer, repl-wire/1b-exchange
#[test]
fn replication_messages_are_the_golden_bytes() {
    for (file, message) in samples::replication() {
        let golden = samples::golden(file);
        assert_eq!(encoded_message(&message), golden, "{file}");
        assert_eq!(Message::decode(&golden).as_ref(), Ok(&message), "{file}");
        assert!(message.is_wins(), "{file}");
    }
}

#[test]
fn every_golden_file_is_used() {
    let known: BTreeSet<String> = samples::name_service()
        .into_iter()
        .map(|(file, _)| file)
        .chain(samples::replication().into_iter().map(|(file, _)| file))
        .map(|file| format!("{file}.hex"))
        .collect();
    let there: BTreeSet<String> = std::fs::read_dir(samples::folder())
        .expect("the folder of golden bytes")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("plain names"))
        .filter(|file| file.ends_with(".hex"))
        .collect();
    assert_eq!(known, there);
}

// rule: wire/message/*
#[test]
fn flags_words_and_frame_sizes_are_those_on_the_wire() {
    let expected: [(&str, u16, usize); 24] = [
        ("registration_request", 0x2900, 110),
        ("registration_request_broadcast", 0x2910, 110),
        ("multihomed_registration_request", 0x7900, 110),
        ("overwrite_request", 0x2800, 110),
        ("overwrite_demand", 0x2810, 110),
        ("refresh_request", 0x4100, 110),
        ("refresh_request_alternate", 0x4900, 110),
        ("release_request", 0x3000, 110),
        ("release_demand", 0x3010, 110),
        ("query_request", 0x0100, 92),
        ("query_request_broadcast", 0x0110, 92),
        ("node_status_request", 0x0000, 92),
        ("positive_registration_response", 0xAD80, 104),
        ("negative_registration_response", 0xAD86, 104),
        ("end_node_challenge", 0xAD00, 104),
        ("conflict_demand", 0xAD87, 104),
        ("positive_release_response", 0xB400, 104),
        ("negative_release_response", 0xB406, 104),
        ("wack", 0xBC00, 100),
        ("positive_query_response", 0x8580, 104),
        ("positive_query_response_group", 0x8580, 248),
        ("negative_query_response", 0x8583, 98),
        ("negative_query_response_plain", 0x8403, 98),
        ("node_status_response", 0x8400, 145 + 18 * 3),
    ];
    for (file, flags, frame) in expected {
        let bytes = name_service_bytes(file);
        assert_eq!(name_service::peek(&bytes), Some((0x1234, Flags(flags))), "{file}");
        assert_eq!(bytes.len() + FRAME_HEADERS, frame, "{file}");
    }
}

#[test]
fn a_decoded_registration_says_what_was_written() {
    let bytes = samples::golden("group_registration_request");
    let packet = NamePacket::decode(&bytes).expect("a good packet");
    assert_eq!(packet.id, 0x1234);
    assert_eq!(packet.opcode(), Opcode::Registration);
    assert!(packet.flags.recursion_desired() && !packet.flags.is_response());
    let name: NetbiosName = "CORP#1C".parse().expect("a good name");
    assert_eq!(packet.name(), Some((&name, &ScopeId::none())));
    let record = packet.additional.expect("an additional record");
    assert_eq!((record.name.as_ref(), record.ttl), (None, 300_000));
    let entries: Vec<NbEntry> = record.entries().collect();
    let flags = NbFlags::new(true, NodeType::P);
    assert_eq!(entries, [NbEntry { flags, address: Ipv4Addr::new(10, 1, 0, 7) }]);
}

#[test]
fn a_decoded_group_answer_has_its_25_addresses_in_order() {
    let bytes = samples::golden("positive_query_response_group");
    let packet = NamePacket::decode(&bytes).expect("a good packet");
    assert_eq!(packet.flags.rcode(), Rcode::Ok);
    let record = packet.answer.expect("an answer");
    let hosts: Vec<u8> = record.entries().map(|entry| entry.address.octets()[3]).collect();
    assert_eq!(hosts, (1..=25).collect::<Vec<u8>>());
}

#[test]
fn a_decoded_node_status_has_names_and_statistics() {
    let bytes = samples::golden("node_status_response");
    let packet = NamePacket::decode(&bytes).expect("a good packet");
    let status = packet.answer.expect("an answer").node_status().expect("a node status");
    let names: Vec<String> =
        status.names().map(|entry| format!("{} {}", entry.name, entry.flags.is_group())).collect();
    assert_eq!(names, ["FILES1<20> false", "FILES1<00> false", "CORP<00> true"]);
    assert_eq!(status.statistics().expect("statistics").unit_id, [2, 10, 1, 0, 7, 0]);
}

/// A registration whose question has this encoded name.
fn registration_with_name(encoded: &[u8]) -> Vec<u8> {
    let golden = samples::golden("registration_request");
    [&golden[..12], encoded, &golden[46..]].concat()
}

fn letters() -> Vec<u8> {
    samples::golden("registration_request")[12..45].to_vec()
}

#[test]
fn a_name_given_in_full_stays_in_full() {
    let golden = samples::golden("registration_request");
    let full = [&golden[..50], &golden[12..46], &golden[52..]].concat();
    let packet = NamePacket::decode(&full).expect("a good packet");
    assert!(packet.additional.as_ref().is_some_and(|record| record.name.is_some()));
    assert_eq!(encoded(&packet), full);
}

// rule: repl-wire/raise-version
#[test]
fn trailing_bytes_reserved_bits_and_unknown_codes_are_kept() {
    let mut bytes = samples::golden("positive_query_response");
    bytes[2..4].copy_from_slice(&0xE26F_u16.to_be_bytes());
    bytes.extend_from_slice(b"\x00trailing");
    let packet = NamePacket::decode(&bytes).expect("a good packet");
    assert_eq!(packet.opcode(), Opcode::Unknown(12));
    assert_eq!(packet.flags.rcode(), Rcode::Unknown(15));
    assert_eq!(packet.trailing, b"\x00trailing");
    assert_eq!(encoded(&packet), bytes);
}

#[test]
fn a_scope_beyond_what_wins_stores_can_still_be_read() {
    for len in [1, 63, 220, 237, 238, 255] {
        let label = [b'x'; 63];
        let text: Vec<u8> = label.iter().chain(b".").cycle().take(len).copied().collect();
        let scope = ScopeId::new(&text).expect("a good scope");
        let mut name = letters();
        for label in text.split(|&b| b == b'.') {
            name.push(label.len() as u8);
            name.extend_from_slice(label);
        }
        name.push(0);
        let bytes = registration_with_name(&name);
        let packet = NamePacket::decode(&bytes).unwrap_or_else(|e| panic!("{len}: {e}"));
        assert_eq!(packet.question.as_ref().map(|q| &q.scope), Some(&scope), "{len}");
        assert_eq!(encoded(&packet), bytes, "{len}");
    }
}

#[test]
fn bad_names_are_refused_with_their_place() {
    let error = |name: &[u8]| {
        let bytes = registration_with_name(name);
        NamePacket::decode(&bytes).expect_err("a bad name").to_string()
    };
    let with = |tail: &[u8]| [&letters()[..], tail].concat();
    let mut lower = with(b"\0");
    lower[5] = b'q';
    assert_eq!(error(&lower), "bad encoded name at byte 12");
    assert_eq!(error(b"\x05FILES\0"), "bad encoded name at byte 12");
    assert_eq!(error(&with(b"\x03a.b\0")), "bad encoded name at byte 12");
    assert_eq!(error(&with(&[0x40; 80])), "bad encoded name at byte 12");
    let pointer = "name pointer at byte 12 does not point at the packet's first name";
    assert_eq!(error(&with(b"\xC0\x0C")), pointer);
    assert_eq!(error(b"\xC0\x0C"), pointer);
    let long = [[63u8; 64]; 5].concat();
    assert_eq!(error(&with(&[&long[..], b"\0"].concat())), "bad encoded name at byte 12");
}

#[test]
fn more_records_than_any_message_has_are_refused() {
    let mut bytes = samples::golden("registration_request");
    bytes[7] = 2;
    let error = NamePacket::decode(&bytes).expect_err("two answers").to_string();
    assert_eq!(error, "1 questions, 2 answers, 0 authority and 1 additional records");
}

#[test]
fn every_truncation_of_a_name_service_packet_is_an_error() {
    for (file, bytes) in samples::name_service() {
        for len in 0..bytes.len() {
            let result = NamePacket::decode(&bytes[..len]);
            assert_eq!(result, Err(name_service::DecodeError::Truncated(len)), "{file}: {len}");
        }
    }
}

fn plain_record(version: u64, addresses: ReplicaAddresses) -> ReplicaRecord {
    let name = "FILES1".parse().expect("a good name");
    ReplicaRecord::new(name, ScopeId::none(), version, addresses)
}

fn response_len(records: Vec<ReplicaRecord>) -> usize {
    encoded_message(&Message::records_response(1, records)).len()
}

// rule: repl-wire/record-sizes
#[test]
fn record_sizes_are_48_bytes_and_8_more_a_member() {
    let empty = response_len(Vec::new());
    assert_eq!(empty, 20 + 4);
    let address = Ipv4Addr::new(10, 1, 0, 7);
    let unique = plain_record(1, ReplicaAddresses::Unique(address));
    let group = plain_record(1, ReplicaAddresses::NormalGroup(address));
    assert_eq!(response_len(vec![unique.clone()]) - empty, 48);
    assert_eq!(response_len(vec![group]) - empty, 48);
    for n in 0..=25 {
        let members = vec![Member { owner: address, address }; n];
        let special = plain_record(1, ReplicaAddresses::SpecialGroup(members.clone()));
        let multihomed = plain_record(1, ReplicaAddresses::Multihomed(members));
        assert_eq!(response_len(vec![special]) - empty, 48 + 8 * n);
        assert_eq!(response_len(vec![multihomed]) - empty, 48 + 8 * n);
    }
    assert_eq!(response_len(vec![unique; 1000]), 48_020 + 4);
}

// rule: repl-wire/start, repl-wire/stop, repl-wire/map-request, repl-wire/map-response
// rule: repl-wire/records-request, repl-wire/records-response, repl-wire/notification
#[test]
fn packet_lengths_are_those_of_the_specification() {
    let expected = [
        ("winsrepl_start_request", 41),
        ("winsrepl_start_response", 41),
        ("winsrepl_stop", 40),
        ("winsrepl_map_request", 16),
        ("winsrepl_map_response", 24 + 24 * 2),
        ("winsrepl_records_request", 40),
        ("winsrepl_notification_4", 24 + 24 * 2),
        ("winsrepl_notification_9", 24 + 24 * 2),
    ];
    for (file, len) in expected {
        let golden = samples::golden(file);
        assert_eq!(golden[..4], u32::to_be_bytes(len), "{file}");
        assert_eq!(golden.len(), len as usize + 4, "{file}");
    }
}

#[test]
fn unusual_reserved_bytes_of_a_record_are_kept() {
    let golden = samples::golden("winsrepl_records_response");
    let regular = Message::decode(&golden).expect("a good message");
    // Padding, reserved, group and trailer of the first record; the bytes of its name stay.
    for at in [45, 46, 47, 48, 50, 52, 53, 55, 68, 71] {
        let mut odd = golden.clone();
        odd[at] ^= 0x5A;
        let message = Message::decode(&odd).unwrap_or_else(|e| panic!("{at}: {e}"));
        assert_eq!(encoded_message(&message), odd, "{at}");
        assert_ne!(message, regular, "{at}");
    }
}

#[test]
fn a_domain_master_name_that_was_not_exchanged_is_kept_so() {
    let mut bytes = samples::golden("winsrepl_records_response");
    let at = bytes.iter().position(|&b| b == 0x1B).expect("the record with suffix 1B");
    bytes.swap(at, at + 15);
    let message = Message::decode(&bytes).expect("a good message");
    assert_eq!(encoded_message(&message), bytes);
}

#[test]
fn bad_replication_messages_are_refused() {
    let golden = samples::golden("winsrepl_records_response");
    let error = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = golden.clone();
        change(&mut bytes);
        Message::decode(&bytes).expect_err("a bad message")
    };
    let (len, first_name) = (golden.len(), 24);
    let claimed = len as u32 - 4;
    assert_eq!(
        error(&|b| b.truncate(len - 1)),
        ReplicationError::Length { claimed, actual: len - 5 }
    );
    assert_eq!(error(&|b| b[23] = 8), ReplicationError::Truncated(len));
    assert_eq!(error(&|b| b[20..24].fill(0xFF)), ReplicationError::Truncated(len));
    assert_eq!(error(&|b| b[27] = 16), ReplicationError::BadName(first_name));
    assert_eq!(error(&|b| b[24..28].fill(0xFF)), ReplicationError::BadName(first_name));
    assert_eq!(error(&|b| b[44] = b'x'), ReplicationError::BadName(first_name));
}

#[test]
fn a_reader_cuts_messages_out_of_pieces_of_any_size() {
    let messages: Vec<Vec<u8>> =
        samples::replication().iter().map(|(_, message)| encoded_message(message)).collect();
    let stream = messages.concat();
    for size in [1, 2, 3, 7, 64, 200, stream.len()] {
        let mut reader = FrameReader::default();
        let mut frames = Vec::new();
        for piece in stream.chunks(size) {
            reader.feed(piece);
            while let Some(frame) = reader.next_frame().expect("good frames") {
                frames.push(frame.to_vec());
            }
        }
        assert_eq!(frames, messages, "pieces of {size}");
        assert_eq!(reader.pending_len(), 0);
    }
}

// rule: assoc/too-long
#[test]
fn a_reader_refuses_impossible_lengths_at_once() {
    let claim = |claimed: u32| {
        let mut reader = FrameReader::default();
        reader.feed(&claimed.to_be_bytes());
        let result = reader.next_frame().map(|frame| frame.is_some());
        assert_eq!(reader.next_frame().map(|frame| frame.is_some()), result, "errors stay");
        result
    };
    let limit = PACKET_LEN_MAX;
    assert_eq!(claim(limit), Ok(false));
    assert_eq!(claim(limit + 1), Err(FrameError::TooLong { claimed: limit + 1, limit }));
    assert_eq!(claim(u32::MAX), Err(FrameError::TooLong { claimed: u32::MAX, limit }));
    assert_eq!(claim(12), Ok(false));
    assert_eq!(claim(11), Err(FrameError::TooShort { claimed: 11 }));
    assert_eq!(claim(0), Err(FrameError::TooShort { claimed: 0 }));
}

// rule: wire/header/response, wire/header/opcode, wire/header/authoritative, wire/header/truncated
// rule: wire/header/recursion-desired, wire/header/recursion-available, wire/header/broadcast
// rule: wire/header/rcode
#[test]
fn every_bit_of_the_flags_word_has_its_meaning() {
    let word = Flags;
    assert!(word(0x8000).is_response() && !word(0x7FFF).is_response());
    let opcodes = [
        (0, Opcode::Query),
        (5, Opcode::Registration),
        (6, Opcode::Release),
        (7, Opcode::Wack),
        (8, Opcode::Refresh),
        (9, Opcode::RefreshAlternate),
        (15, Opcode::MultihomedRegistration),
    ];
    for (code, opcode) in opcodes {
        assert_eq!(word(code << 11).opcode(), opcode);
        assert_eq!(word(code << 11 | 0x87FF).opcode(), opcode, "the other bits do not matter");
    }
    assert!(word(0x0010).broadcast() && !word(0xFFEF).broadcast());
    assert_eq!(word(0xFFF6).rcode(), Rcode::Active);
    // The words of the messages on the wire, bit by bit: response, authoritative, truncated, recursion
    // desired and available, broadcast.
    let bits = |file: &str| {
        let (_, flags) = name_service::peek(&name_service_bytes(file)).unwrap();
        [0x8000, 0x0400, 0x0200, 0x0100, 0x0080, 0x0010].map(|bit| flags.0 & bit != 0)
    };
    assert_eq!(bits("registration_request"), [false, false, false, true, false, false]);
    assert_eq!(bits("registration_request_broadcast"), [false, false, false, true, false, true]);
    assert_eq!(bits("positive_registration_response"), [true, true, false, true, true, false]);
    assert_eq!(bits("wack"), [true, true, false, false, false, false]);
    assert_eq!(bits("end_node_challenge"), [true, true, false, true, false, false]);
}

// rule: wire/rcode/fmt-err, wire/rcode/imp-err, wire/rcode/cft-err
#[test]
fn result_codes_are_those_of_the_rfc() {
    let codes = [
        (0, Rcode::Ok),
        (1, Rcode::FormatError),
        (2, Rcode::ServerFailure),
        (3, Rcode::NameError),
        (4, Rcode::Unsupported),
        (5, Rcode::Refused),
        (6, Rcode::Active),
        (7, Rcode::Conflict),
    ];
    for (code, name) in codes {
        assert_eq!((Rcode::from_code(code), name.code()), (name, code));
    }
    let (_, demand) = name_service::peek(&name_service_bytes("conflict_demand")).unwrap();
    assert_eq!(demand.rcode(), Rcode::Conflict, "only the conflict demand carries it");
}

// rule: wire/nb-flags
#[test]
fn nb_flags_hold_the_group_bit_and_the_node_type() {
    for (bits, node) in
        [(0x0000, NodeType::B), (0x2000, NodeType::P), (0x4000, NodeType::M), (0x6000, NodeType::H)]
    {
        assert_eq!(NbFlags::new(false, node).0, bits);
        assert_eq!(NbFlags::new(true, node).0, bits | 0x8000);
        assert_eq!((NbFlags(bits | 0x1FFF).node_type(), NbFlags(bits).is_group()), (node, false));
    }
}

// rule: wire/udp-137
#[test]
fn names_are_served_on_port_137() {
    assert_eq!(name_service::PORT, 137);
}
