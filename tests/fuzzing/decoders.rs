//! Decoders: whatever the bytes, a value or an error, and what decodes encodes to the same bytes.

use super::Features;
use winstorm::wins::{MEMBERS_MAX, NameRecord, parse_lmhosts};
use winstorm::wire::discovery::{ADDRESSES_MAX, Announcement};
use winstorm::wire::name_service::{NamePacket, peek};
use winstorm::wire::replication::{FrameReader, Message, PACKET_LEN_MAX};

/// A datagram of the name service.
pub fn name_service(data: &[u8], features: &mut Features) {
    let decoded = NamePacket::decode(data);
    assert_eq!(peek(data).is_some(), data.len() >= 12);
    let packet = match decoded {
        Ok(packet) => packet,
        Err(error) => return features.shape(1, &error),
    };
    let mut again = Vec::new();
    packet.encode(&mut again);
    assert_eq!(again, data, "what decodes encodes to the same bytes");
    assert_eq!(peek(data), Some((packet.id, packet.flags)));
    features.reach(2, u64::from(packet.flags.0) >> 11);
    let records = [&packet.answer, &packet.authority, &packet.additional];
    for (i, record) in records.into_iter().enumerate() {
        let Some(record) = record else { continue };
        assert!(record.entries().count() * 6 <= record.rdata.len());
        features.reach(3, i as u64 * 4 + u64::from(record.name.is_some()));
        if let Some(status) = record.node_status() {
            let names = status.names().count();
            assert!(names * 18 <= record.rdata.len());
            features.size(4, names);
        }
    }
    features.reach(5, u64::from(packet.name().is_some_and(|(_, scope)| !scope.is_none())));
    features.reach(6, u64::from(packet.trailing.is_empty()));
}

/// A stream of replication messages: the first byte says where it is cut, the rest are its bytes.
pub fn replication(data: &[u8], features: &mut Features) {
    let Some((&cut, stream)) = data.split_first() else { return };
    let whole = frames(stream, stream.len().max(1), features);
    let pieces = frames(stream, usize::from(cut) + 1, features);
    assert_eq!(whole, pieces, "where a stream is cut does not matter");
    for frame in &whole.0 {
        let message = match Message::decode(frame) {
            Ok(message) => message,
            Err(error) => {
                features.shape(12, &error);
                continue;
            }
        };
        let mut again = Vec::new();
        message.encode(&mut again);
        assert_eq!(&again, frame, "what decodes encodes to the same bytes");
        features.shape(13, &message.body);
        let held = format!("{message:?}").len();
        assert!(held <= 2_000 + 120 * frame.len(), "{held} characters from {} bytes", frame.len());
    }
    // A message without its frame.
    if let Ok(message) = Message::decode(stream) {
        let mut again = Vec::new();
        message.encode(&mut again);
        assert_eq!(again, stream);
    }
}

/// The frames of a stream fed in pieces, and whether it ended in an error.
fn frames(stream: &[u8], piece: usize, features: &mut Features) -> (Vec<Vec<u8>>, bool) {
    let mut reader = FrameReader::new(PACKET_LEN_MAX);
    let (mut frames, mut fed, mut taken) = (Vec::new(), 0, 0);
    for piece in stream.chunks(piece) {
        reader.feed(piece);
        fed += piece.len();
        loop {
            match reader.next_frame() {
                Ok(Some(frame)) => {
                    taken += frame.len();
                    frames.push(frame.to_vec());
                }
                Ok(None) => break,
                Err(error) => {
                    features.shape(11, &error);
                    return (frames, true);
                }
            }
        }
        assert_eq!(reader.pending_len(), fed - taken, "it keeps what it was fed and no more");
    }
    (frames, false)
}

/// An LMHOSTS file.
pub fn lmhosts(data: &[u8], features: &mut Features) {
    let lines = data.split(|&b| b == b'\n').count() as u32;
    match parse_lmhosts(data) {
        Ok((entries, skips)) => {
            // The computer, its domain and its group.
            assert!(entries.len() as u32 <= 3 * lines && skips.len() as u32 <= lines);
            assert!(entries.iter().all(|entry| (1..=lines).contains(&entry.line)));
            assert!(entries.is_sorted_by_key(|entry| entry.line));
            assert!(skips.iter().all(|skip| (1..=lines).contains(&skip.line())));
            entries.iter().for_each(|entry| features.shape(21, &entry.kind));
            skips.iter().for_each(|skip| features.shape(22, &skip.event()));
        }
        Err(error) => {
            assert!((1..=lines).contains(&error.line));
            features.variant(23, &error.mistake);
        }
    }
}

/// A record as the database stores it.
pub fn stored_record(data: &[u8], features: &mut Features) {
    let key = NameRecord::key_len(data);
    assert!(key.is_none_or(|key| key <= data.len()));
    let record = match NameRecord::decode(data) {
        Ok(record) => record,
        Err(error) => return features.shape(31, &error),
    };
    assert!(key.is_some() && record.members.len() <= MEMBERS_MAX);
    let mut again = Vec::new();
    record.encode(&mut again);
    assert_eq!(NameRecord::decode(&again).as_ref(), Ok(&record));
    assert!(again.len() <= data.len());
    features.reach(32, record.members.len().min(3) as u64);
    features.shape(33, &(record.kind, record.state, record.origin));
}

/// An announcement of another server.
pub fn discovery(data: &[u8], features: &mut Features) {
    match Announcement::decode(data) {
        Ok(announcement) => {
            assert!(announcement.addresses.len() <= ADDRESSES_MAX);
            let mut again = Vec::new();
            announcement.encode(&mut again);
            assert_eq!(Announcement::decode(&again).as_ref(), Ok(&announcement));
            features.size(41, announcement.addresses.len());
        }
        Err(error) => features.shape(42, &error),
    }
}
