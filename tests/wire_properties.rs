//! Properties of the wire formats: values survive the way to bytes and back, bytes that decode survive
//! the way to values and back, and no bytes whatever make a decoder panic.

#[path = "wire_golden/samples.rs"]
mod samples;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use std::net::Ipv4Addr;
use winstorm::wire::name_service::compose::{self, Claim};
use winstorm::wire::name_service::{
    CLASS_IN, Flags, NamePacket, NbEntry, NbFlags, NodeType, Opcode, Question, Rcode, Record,
    TYPE_NB, peek,
};
use winstorm::wire::replication::{
    Body, FrameReader, Member, Message, Notification, OwnerRecord, ReplicaAddresses, ReplicaRecord,
    ReplicaState, Start, StopReason,
};
use winstorm::wire::{NetbiosName, ScopeId, Suffix};

fn name() -> impl Strategy<Value = NetbiosName> {
    any::<[u8; 16]>().prop_map(NetbiosName::from_bytes)
}

fn scope() -> impl Strategy<Value = ScopeId> {
    let byte = any::<u8>().prop_filter("dots part labels", |&b| b != b'.');
    let labels = vec(vec(byte, 1..=63), 0..5);
    labels.prop_filter_map("too long", |labels| ScopeId::new(&labels.join(&b'.')).ok())
}

fn address() -> impl Strategy<Value = Ipv4Addr> {
    any::<u32>().prop_map(Ipv4Addr::from)
}

fn entry() -> impl Strategy<Value = NbEntry> {
    (any::<u16>(), address())
        .prop_map(|(flags, address)| NbEntry { flags: NbFlags(flags), address })
}

fn question() -> impl Strategy<Value = Question> {
    (name(), scope(), any::<u16>(), any::<u16>())
        .prop_map(|(name, scope, rr_type, class)| Question { name, scope, rr_type, class })
}

/// A record with data of its own.
#[derive(Clone, Debug)]
struct OwnedRecord {
    name: Option<(NetbiosName, ScopeId)>,
    words: (u16, u16, u32),
    rdata: Vec<u8>,
}

impl OwnedRecord {
    fn borrow(&self) -> Record<'_> {
        let (rr_type, class, ttl) = self.words;
        Record { name: self.name.clone(), rr_type, class, ttl, rdata: &self.rdata }
    }
}

fn record() -> impl Strategy<Value = OwnedRecord> {
    (option::of((name(), scope())), any::<(u16, u16, u32)>(), vec(any::<u8>(), 0..200))
        .prop_map(|(name, words, rdata)| OwnedRecord { name, words, rdata })
}

/// A packet's parts: question, records, trailing bytes.
type Parts = (Option<Question>, [Option<OwnedRecord>; 3], Vec<u8>);

fn parts() -> impl Strategy<Value = Parts> {
    let records = [option::of(record()), option::of(record()), option::of(record())];
    (option::of(question()), records, vec(any::<u8>(), 0..20), name(), scope()).prop_map(
        |(question, mut records, trailing, first_name, first_scope)| {
            // The first name of a packet cannot be a pointer to itself.
            let first = records.iter_mut().flatten().next().filter(|_| question.is_none());
            if let Some(first) = first {
                first.name.get_or_insert((first_name, first_scope));
            }
            (question, records, trailing)
        },
    )
}

fn packet<'a>(id: u16, flags: u16, parts: &'a Parts) -> NamePacket<'a> {
    let [answer, authority, additional] =
        parts.1.each_ref().map(|record| record.as_ref().map(OwnedRecord::borrow));
    let flags = Flags(flags);
    NamePacket {
        id,
        flags,
        question: parts.0.clone(),
        answer,
        authority,
        additional,
        trailing: &parts.2,
    }
}

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

/// Whatever decodes as a name service packet encodes to the same bytes. Says whether it decoded.
fn name_service_keeps(bytes: &[u8]) -> bool {
    let Ok(packet) = NamePacket::decode(bytes) else { return false };
    assert_eq!(encoded(&packet), bytes);
    assert_eq!(peek(bytes), Some((packet.id, packet.flags)));
    // Reading every part must not panic either.
    for record in [&packet.answer, &packet.authority, &packet.additional].into_iter().flatten() {
        assert_eq!(record.entries().count(), record.rdata.len() / NbEntry::LEN);
        if let Some(status) = record.node_status() {
            assert!(status.names().count() <= 255);
            let _ = status.statistics();
        }
    }
    let _ = (packet.name(), packet.flags.opcode(), packet.flags.rcode());
    true
}

/// The same for replication messages.
fn replication_keeps(bytes: &[u8]) -> bool {
    let Ok(message) = Message::decode(bytes) else { return false };
    assert_eq!(encoded_message(&message), bytes);
    true
}

/// A real packet, damaged: bits flipped, then cut or lengthened.
fn damaged(originals: Vec<Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let flips = vec((any::<Index>(), 0..8_u8), 0..6);
    let overwrites = vec((any::<Index>(), any::<u8>()), 0..3);
    let end = prop_oneof![
        3 => Just(None),
        1 => any::<Index>().prop_map(|at| Some(Ok(at))),
        1 => vec(any::<u8>(), 1..40).prop_map(|more| Some(Err(more))),
    ];
    (select(originals), flips, overwrites, end).prop_map(|(mut bytes, flips, overwrites, end)| {
        for (at, bit) in flips {
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
        }
        for (at, value) in overwrites {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        match end {
            None => {}
            Some(Ok(at)) => bytes.truncate(at.index(bytes.len())),
            Some(Err(more)) => bytes.extend(more),
        }
        bytes
    })
}

fn name_service_samples() -> Vec<Vec<u8>> {
    samples::name_service().into_iter().map(|(_, bytes)| bytes).collect()
}

fn replication_samples() -> Vec<Vec<u8>> {
    samples::replication().iter().map(|(_, message)| encoded_message(message)).collect()
}

fn owner_record() -> impl Strategy<Value = OwnerRecord> {
    (address(), any::<(u64, u64, u32)>()).prop_map(
        |(owner, (version_max, version_min, reserved))| OwnerRecord {
            owner,
            version_max,
            version_min,
            reserved,
        },
    )
}

fn replica_addresses() -> impl Strategy<Value = ReplicaAddresses> {
    let members = || {
        let member = (address(), address()).prop_map(|(owner, address)| Member { owner, address });
        vec(member, 0..30)
    };
    prop_oneof![
        address().prop_map(ReplicaAddresses::Unique),
        address().prop_map(ReplicaAddresses::NormalGroup),
        members().prop_map(ReplicaAddresses::SpecialGroup),
        members().prop_map(ReplicaAddresses::Multihomed),
    ]
}

fn replica_record() -> impl Strategy<Value = ReplicaRecord> {
    let master = name().prop_map(|name| name.with_suffix(Suffix::DOMAIN_MASTER));
    // The wire cannot tell a name that begins with byte 1B from an exchanged one.
    let other = name().prop_filter("arrives exchanged", |name| name.as_bytes()[0] != 0x1B);
    let names = prop_oneof![3 => other, 1 => master];
    let bits = (any::<bool>(), 0..4_u8, any::<bool>(), 0..4_u8);
    (names, scope(), bits, any::<u64>(), replica_addresses()).prop_map(
        |(name, scope, (is_static, node, replica, state), version, addresses)| ReplicaRecord {
            is_static,
            node_type: NodeType::from_bits(node),
            replica,
            state: ReplicaState::from_bits(state),
            ..ReplicaRecord::new(name, scope, version, addresses)
        },
    )
}

fn body() -> impl Strategy<Value = Body> {
    let owners = || vec(owner_record(), 0..6);
    let start = || {
        any::<(u32, u16, u16)>().prop_map(|(sender_handle, major, minor)| Start {
            sender_handle,
            major,
            minor,
        })
    };
    prop_oneof![
        start().prop_map(Body::StartRequest),
        start().prop_map(Body::StartResponse),
        any::<u32>().prop_map(|code| Body::Stop(StopReason::from_code(code))),
        Just(Body::MapRequest),
        (owners(), any::<u32>())
            .prop_map(|(owners, reserved)| Body::MapResponse { owners, reserved }),
        owner_record().prop_map(Body::RecordsRequest),
        vec(replica_record(), 0..6).prop_map(Body::RecordsResponse),
        (any::<(bool, bool)>(), owners(), address()).prop_map(
            |((propagate, persistent), owners, initiator)| {
                Body::Notification(Notification { propagate, persistent, owners, initiator })
            }
        ),
        (10_u32.., vec(any::<u8>(), 0..40))
            .prop_map(|(opcode, bytes)| Body::UnknownOpcode { opcode, bytes }),
        (4_u32.., vec(any::<u8>(), 0..40))
            .prop_map(|(message_type, bytes)| Body::UnknownType { message_type, bytes }),
    ]
}

fn message() -> impl Strategy<Value = Message> {
    (any::<(u32, u32)>(), body(), vec(any::<u8>(), 0..30)).prop_map(
        |((reserved, handle), body, padding)| {
            // Unknown messages have no last field, so nothing comes after it.
            let unknown = matches!(body, Body::UnknownOpcode { .. } | Body::UnknownType { .. });
            let padding = if unknown { Vec::new() } else { padding };
            Message { reserved, handle, body, padding }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn name_service_values_survive(id: u16, flags: u16, parts in parts()) {
        let packet = packet(id, flags, &parts);
        let bytes = encoded(&packet);
        prop_assert_eq!(NamePacket::decode(&bytes), Ok(packet));
        prop_assert!(name_service_keeps(&bytes));
    }

    #[test]
    fn random_bytes_never_make_the_name_service_decoder_panic(bytes in vec(any::<u8>(), 0..600)) {
        name_service_keeps(&bytes);
    }

    #[test]
    fn random_bytes_after_a_header_never_make_it_panic(
        counts in [0..2_u8, 0..2_u8, 0..2_u8, 0..2_u8],
        name in name(),
        rest in vec(any::<u8>(), 0..200),
    ) {
        // Counts that a message may have and one good name lead deep into the decoder.
        let mut bytes = vec![0; 12];
        for (i, count) in counts.into_iter().enumerate() {
            bytes[5 + 2 * i] = count;
        }
        bytes.push(32);
        for byte in name.as_bytes() {
            bytes.extend([b'A' + (byte >> 4), b'A' + (byte & 15)]);
        }
        bytes.extend(rest);
        name_service_keeps(&bytes);
    }

    #[test]
    fn damaged_packets_never_panic_and_lose_nothing(bytes in damaged(name_service_samples())) {
        name_service_keeps(&bytes);
    }

    #[test]
    fn composed_claims_are_the_packets_they_should_be(
        id: u16, name in name(), scope in scope(), entry in entry(), ttl: u32, broadcast: bool,
    ) {
        let (nb_flags, address) = (entry.flags, entry.address);
        let claim =
            Claim { id, name: &name, scope: &scope, nb_flags, address, ttl, broadcast };
        let mut bytes = Vec::new();
        compose::registration(&claim, &mut bytes);
        let rdata = entry.to_bytes();
        let (rr_type, class) = (TYPE_NB, CLASS_IN);
        let expected = NamePacket {
            id,
            flags: Flags(if broadcast { 0x2910 } else { 0x2900 }),
            question: Some(Question { name, scope: scope.clone(), rr_type, class }),
            answer: None,
            authority: None,
            additional: Some(Record { name: None, rr_type, class, ttl, rdata: &rdata }),
            trailing: &[],
        };
        prop_assert_eq!(NamePacket::decode(&bytes), Ok(expected));
    }

    #[test]
    fn scopes_survive(scope in scope(), name in name()) {
        let mut bytes = Vec::new();
        compose::query(7, &name, &scope, false, &mut bytes);
        let packet = NamePacket::decode(&bytes);
        prop_assert_eq!(packet.as_ref().ok().and_then(NamePacket::name), Some((&name, &scope)));
    }

    #[test]
    fn replication_values_survive(message in message()) {
        let bytes = encoded_message(&message);
        prop_assert_eq!(Message::decode(&bytes), Ok(message));
        prop_assert!(replication_keeps(&bytes));
    }

    #[test]
    fn random_bytes_never_make_the_replication_decoder_panic(
        message_type in 0..5_u32, opcode in 0..11_u32, rest in vec(any::<u8>(), 0..400),
    ) {
        replication_keeps(&rest);
        let mut bytes = ((16 + rest.len()) as u32).to_be_bytes().to_vec();
        bytes.extend([0; 8]);
        bytes.extend(message_type.to_be_bytes());
        bytes.extend(opcode.to_be_bytes());
        bytes.extend(rest);
        replication_keeps(&bytes);
    }

    #[test]
    fn damaged_messages_never_panic_and_lose_nothing(bytes in damaged(replication_samples())) {
        replication_keeps(&bytes);
        // And once more with a length field that is right, to get behind it.
        if bytes.len() >= 4 {
            let mut bytes = bytes;
            let len = (bytes.len() - 4) as u32;
            bytes[..4].copy_from_slice(&len.to_be_bytes());
            replication_keeps(&bytes);
        }
    }

    #[test]
    fn a_reader_finds_the_same_messages_however_a_stream_is_cut(
        messages in vec(message(), 0..6), cuts in vec(any::<Index>(), 0..12),
    ) {
        let frames: Vec<Vec<u8>> = messages.iter().map(encoded_message).collect();
        let stream = frames.concat();
        let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
        ends.push(stream.len());
        ends.sort_unstable();
        let (mut reader, mut found, mut start) = (FrameReader::default(), Vec::new(), 0);
        for end in ends {
            reader.feed(&stream[start..end]);
            start = end;
            while let Some(frame) = reader.next_frame().expect("good frames") {
                found.push(frame.to_vec());
            }
        }
        prop_assert_eq!(found, frames);
    }

    #[test]
    fn any_stream_ends_in_messages_an_error_or_waiting(
        pieces in vec(vec(any::<u8>(), 0..60), 0..8), packet_len_max in 12..200_u32,
    ) {
        let mut reader = FrameReader::new(packet_len_max);
        'stream: for piece in pieces {
            reader.feed(&piece);
            loop {
                match reader.next_frame() {
                    Ok(Some(frame)) => prop_assert!(frame.len() <= packet_len_max as usize + 4),
                    Ok(None) => break,
                    Err(_) => break 'stream,
                }
            }
            // What waits is less than one message.
            prop_assert!(reader.pending_len() < packet_len_max as usize + 4);
        }
    }

    #[test]
    fn codes_survive(code in 0..16_u8) {
        prop_assert_eq!(Opcode::from_code(code).code(), code);
        prop_assert_eq!(Rcode::from_code(code).code(), code);
        prop_assert_eq!(Flags::response(Opcode::from_code(code), Rcode::Ok).opcode().code(), code);
        prop_assert_eq!(Flags(0xFFF0).with_rcode(Rcode::from_code(code)).rcode().code(), code);
    }
}

#[test]
fn every_single_bit_flip_of_every_message_is_survived() {
    let mut decoded = 0;
    for bytes in name_service_samples() {
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            decoded += usize::from(name_service_keeps(&flipped));
        }
    }
    for bytes in replication_samples() {
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            decoded += usize::from(replication_keeps(&flipped));
        }
    }
    assert!(decoded > 10_000, "only {decoded} flipped messages decoded: nothing was checked");
}
