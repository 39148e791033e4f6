//! A piece of a reliable message between two nodes, with an acknowledgement on its back.
//!
//! | offset in the body | size | field |
//! | --- | --- | --- |
//! | 0 | 8 | number of the segment, from 1; zero for an acknowledgement alone |
//! | 8 | 8 | the sender has all segments of the receiver up to this one |
//! | 16 | 8 | bit i: and also the one with this number plus 2 + i |
//! | 24 | 1 | kind of the message: an [`super::RpcKind`] or [`super::KIND_JOIN`] |
//! | 25 | 1 | bit 0: the message ends here; other bits are kept |
//! | 26 | 2 | bytes that follow |
//! | 28 | | the piece |

use super::{ClusterWireError, Reader};

/// Bytes of a message in one segment: with all headers less than an Ethernet frame.
pub const FRAGMENT_MAX: usize = 1400;

/// A piece of a reliable message.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Segment<'a> {
    /// Its number, from 1; zero for an acknowledgement alone.
    pub sequence: u64,
    /// The sender has everything up to this one.
    pub ack: u64,
    /// Bit i: and also `ack + 2 + i`.
    pub also: u64,
    /// The kind of the message.
    pub kind: u8,
    /// Bit 0: the message ends with this segment.
    pub flags: u8,
    /// The piece, at most 65535 bytes.
    pub bytes: &'a [u8],
}

impl<'a> Segment<'a> {
    /// Whether the message ends with this segment.
    pub fn is_last(&self) -> bool {
        self.flags & 1 != 0
    }

    pub(super) fn decode(reader: &mut Reader<'a>) -> Result<Segment<'a>, ClusterWireError> {
        let (sequence, ack, also) = (reader.u64()?, reader.u64()?, reader.u64()?);
        let (kind, flags, len) = (reader.u8()?, reader.u8()?, reader.u16()?);
        let bytes = reader.bytes(usize::from(len))?;
        Ok(Segment { sequence, ack, also, kind, flags, bytes })
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        assert!(self.bytes.len() <= usize::from(u16::MAX), "a segment of {}", self.bytes.len());
        for word in [self.sequence, self.ack, self.also] {
            out.extend_from_slice(&word.to_le_bytes());
        }
        out.extend_from_slice(&[self.kind, self.flags]);
        out.extend_from_slice(&(self.bytes.len() as u16).to_le_bytes());
        out.extend_from_slice(self.bytes);
    }
}
