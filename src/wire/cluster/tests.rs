//! Golden bytes of one datagram of every type, and properties: values survive the way to bytes and back,
//! and no bytes make a decoder panic or lose anything.

use super::*;
use proptest::collection::vec;
use proptest::prelude::*;

const HEADER: Header = Header {
    from: 2,
    to: 3,
    instance: 0x0403_0201,
    incarnation: 0x11,
    to_incarnation: 0x2200_0000_0000_0000,
};

/// The header's bytes of a datagram of this type.
fn golden(code: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = b"WSMC\x01".to_vec();
    bytes.extend_from_slice(&[code, 2, 3, 1, 2, 3, 4, 0x11, 0, 0, 0, 0, 0, 0, 0]);
    bytes.extend_from_slice(&[0, 0, 0, 0, 0, 0, 0, 0x22]);
    bytes.extend_from_slice(body);
    bytes
}

fn encoded(packet: &Packet<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    packet.encode(&mut bytes);
    bytes
}

fn is_golden(body: Body<'_>, code: u8, bytes: &[u8]) {
    let packet = Packet { header: HEADER, body };
    let golden = golden(code, bytes);
    assert_eq!(encoded(&packet), golden);
    assert_eq!(Packet::decode(&golden), Ok(packet));
}

#[test]
fn datagrams_are_the_golden_bytes() {
    let mut heartbeat = vec![5, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0];
    is_golden(Body::Poison { epoch: 5, members: 7 }, 3, &heartbeat);
    heartbeat.resize(HEARTBEAT_LEN - HEADER_LEN, 0);
    is_golden(Body::Heartbeat { epoch: 5, members: 7 }, 1, &heartbeat);
    is_golden(Body::Leave { epoch: 5 }, 4, &[5, 0, 0, 0, 0, 0, 0, 0]);
    is_golden(Body::ShutsDown { epoch: 5 }, 10, &[5, 0, 0, 0, 0, 0, 0, 0]);
    let applicant = Applicant { version_highest: 3, version_lowest: 2, account: 0x0100 };
    let bytes = [3, 0, 0, 0, 2, 0, 0, 0, 0, 1, 0, 0];
    is_golden(Body::Probe(applicant), 5, &bytes);
    is_golden(Body::Join(applicant), 7, &bytes);
    let offer = [1, 6, 0, 0, 0, 0, 0, 0, 0];
    is_golden(Body::Offer { state: OFFER_READY, members: 6 }, 6, &offer);
    is_golden(Body::Refusal { error: 5083 }, 8, &[0xDB, 0x13, 0, 0]);
    is_golden(Body::Unknown { code: 77, bytes: b"later" }, 77, b"later");
}

#[test]
fn a_regroup_is_the_golden_bytes() {
    let regroup = Regroup {
        epoch: 9,
        stage: Stage::Pruning,
        members: 7,
        left: 0,
        owners: 2,
        frozen: 3,
        won: 2,
        proposal: Proposal { by: 1, arbiter: 2, owner: 4, set: 3 },
        row_nodes: 5,
        rows: vec![1, 6],
    };
    let word = |n: u8| [n, 0, 0, 0, 0, 0, 0, 0];
    let sets = [7, 0, 2, 3, 2].map(word).concat();
    let proposal = [&[1, 2, 4][..], &word(3)].concat();
    let rows = [5, 1, 6].map(word).concat();
    let bytes = [&word(9)[..], &[3], &sets, &proposal, &rows].concat();
    is_golden(Body::Regroup(regroup), 2, &bytes);
}

#[test]
fn a_segment_is_the_golden_bytes() {
    let segment = Segment { sequence: 4, ack: 3, also: 2, kind: 1, flags: 1, bytes: b"abc" };
    assert!(segment.is_last());
    let word = |n: u8| [n, 0, 0, 0, 0, 0, 0, 0];
    let bytes = [&[4, 3, 2].map(word).concat()[..], &[1, 1, 3, 0], b"abc"].concat();
    is_golden(Body::Segment(segment), 9, &bytes);
}

#[test]
fn messages_of_a_join_are_the_golden_bytes() {
    let check = |message: JoinMessage<'_>, golden: &[u8]| {
        let mut bytes = Vec::new();
        message.encode(&mut bytes);
        assert_eq!(bytes, golden);
        assert_eq!(JoinMessage::decode(golden), Ok(message));
    };
    let word = |n: u8| [n, 0, 0, 0, 0, 0, 0, 0];
    let snapshot =
        JoinMessage::Snapshot { epoch: 2, sequence: 8, members: vec![(1, 4)], bytes: b"db" };
    check(snapshot, &[&[1][..], &word(2), &word(8), &[1, 1], &word(4), b"db"].concat());
    check(JoinMessage::Loaded { sequence: 8 }, &[&[2][..], &word(8)].concat());
    let (joiner, incarnation) = (3, 6);
    let named = [&[3, 3][..], &word(6)].concat();
    check(JoinMessage::Announcement { joiner, incarnation }, &named);
    let answer = [&[4, 3][..], &word(6), &[0xB1, 0x13, 0, 0]].concat();
    check(JoinMessage::Answer { joiner, incarnation, error: 5041 }, &answer);
    check(JoinMessage::End { joiner, incarnation }, &[&[5, 3][..], &word(6)].concat());
    check(JoinMessage::Unknown { code: 9, bytes: &[1] }, &[9, 1]);
}

#[test]
fn what_is_no_datagram_is_refused() {
    let good = golden(8, &[1, 0, 0, 0]);
    for len in 0..good.len() {
        assert_eq!(Packet::decode(&good[..len]), Err(ClusterWireError::Truncated(len)));
    }
    let long = golden(8, &[1, 0, 0, 0, 0]);
    assert_eq!(Packet::decode(&long), Err(ClusterWireError::TooLong(1)));
    let mut other = good.clone();
    other[4] = 2;
    assert_eq!(Packet::decode(&other), Err(ClusterWireError::Version(2)));
    other[0] = b'X';
    assert_eq!(Packet::decode(&other), Err(ClusterWireError::Magic));
    let mut heartbeat = golden(1, &[0; HEARTBEAT_LEN - HEADER_LEN]);
    heartbeat[HEARTBEAT_LEN - 1] = 1;
    assert_eq!(Packet::decode(&heartbeat), Err(ClusterWireError::Padding));
}

fn header() -> impl Strategy<Value = Header> {
    (any::<u8>(), any::<u8>(), any::<u32>(), any::<u64>(), any::<u64>()).prop_map(
        |(from, to, instance, incarnation, to_incarnation)| Header {
            from,
            to,
            instance,
            incarnation,
            to_incarnation,
        },
    )
}

fn regroup() -> impl Strategy<Value = Regroup> {
    let stage = any::<u8>().prop_map(Stage::from_code);
    let proposal = (any::<[u8; 3]>(), any::<u64>())
        .prop_map(|([by, arbiter, owner], set)| Proposal { by, arbiter, owner, set });
    let sets = any::<[u64; 6]>();
    let rows = vec(any::<u64>(), 0..=64usize);
    (stage, proposal, sets, rows).prop_map(|(stage, proposal, sets, rows)| {
        let [epoch, members, left, owners, frozen, won] = sets;
        let row_nodes = u64::MAX.checked_shr(64 - rows.len() as u32).unwrap_or(0);
        Regroup { epoch, stage, members, left, owners, frozen, won, proposal, row_nodes, rows }
    })
}

/// A body of any type, with its bytes kept outside.
fn with_body(choice: u8, words: [u64; 3], regroup: Regroup, bytes: &[u8]) -> Body<'_> {
    let [a, b, c] = words;
    let applicant =
        Applicant { version_highest: a as u32, version_lowest: b as u32, account: c as u32 };
    match choice % 11 {
        0 => Body::Heartbeat { epoch: a, members: b },
        1 => Body::Regroup(regroup),
        2 => Body::Poison { epoch: a, members: b },
        3 => Body::Leave { epoch: a },
        4 => Body::Probe(applicant),
        5 => Body::Offer { state: a as u8, members: b },
        6 => Body::Join(applicant),
        7 => Body::Refusal { error: a as u32 },
        8 => {
            let (kind, flags) = (a as u8, b as u8);
            Body::Segment(Segment { sequence: a, ack: b, also: c, kind, flags, bytes })
        }
        9 => Body::ShutsDown { epoch: a },
        _ => Body::Unknown { code: 11 + choice % 200, bytes },
    }
}

proptest! {
    #[test]
    fn datagrams_survive(
        header in header(),
        choice in any::<u8>(),
        words in any::<[u64; 3]>(),
        regroup in regroup(),
        bytes in vec(any::<u8>(), 0..1500),
    ) {
        let packet = Packet { header, body: with_body(choice, words, regroup, &bytes) };
        let there = encoded(&packet);
        prop_assert_eq!(Packet::decode(&there), Ok(packet.clone()));
    }

    #[test]
    fn no_bytes_make_the_decoder_panic_or_lose_anything(
        code in 0u8..12,
        body in vec(any::<u8>(), 0..200),
        flip in any::<prop::sample::Index>(),
        plain in any::<bool>(),
    ) {
        let mut bytes = golden(code, &body);
        if !plain {
            let at = flip.index(bytes.len());
            bytes[at] ^= 1 << (at % 8);
        }
        if let Ok(packet) = Packet::decode(&bytes) {
            prop_assert_eq!(encoded(&packet), bytes);
        }
        if let Ok(message) = JoinMessage::decode(&body) {
            let mut again = Vec::new();
            message.encode(&mut again);
            prop_assert_eq!(again, body);
        }
    }
}
