//! Name service packets to values and back.
//!
//! The layout is RFC 1002 4.2.1: header of 12 bytes, question, answer, authority, additional. Counts say
//! which of the four are there; a count above one is refused.

use super::{DecodeError, Flags, NamePacket, Question, Record};
use crate::wire::name::{NetbiosName, ScopeId, first_level};

/// Bytes of the header.
pub(super) const HEADER_LEN: usize = 12;
/// The pointer to the name right after the header.
pub(super) const FIRST_NAME: u16 = 0xC000 | HEADER_LEN as u16;

/// The transaction id and flags of a packet, without a look at the rest; `None` if it is shorter than a
/// header.
pub fn peek(bytes: &[u8]) -> Option<(u16, Flags)> {
    let header = bytes.get(..HEADER_LEN)?;
    let word = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
    Some((word(0), Flags(word(2))))
}

impl<'a> NamePacket<'a> {
    /// Reads a packet. Bytes after the last record are kept in `trailing`.
    pub fn decode(bytes: &'a [u8]) -> Result<NamePacket<'a>, DecodeError> {
        let mut reader = Reader { bytes, at: 0 };
        let [i0, i1, f0, f1, counts @ ..] = *reader.array::<HEADER_LEN>()?;
        let counts = counts.as_chunks().0;
        let count = |i: usize| u16::from_be_bytes(counts[i]);
        if counts.iter().any(|&count| u16::from_be_bytes(count) > 1) {
            return Err(DecodeError::Counts(count(0), count(1), count(2), count(3)));
        }
        Ok(NamePacket {
            id: u16::from_be_bytes([i0, i1]),
            flags: Flags(u16::from_be_bytes([f0, f1])),
            question: if count(0) == 1 { Some(reader.question()?) } else { None },
            answer: if count(1) == 1 { Some(reader.record()?) } else { None },
            authority: if count(2) == 1 { Some(reader.record()?) } else { None },
            additional: if count(3) == 1 { Some(reader.record()?) } else { None },
            trailing: &bytes[reader.at..],
        })
    }

    /// Appends the packet's bytes. Record data beyond 65,535 bytes are cut off.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let counts = [
            self.question.is_some(),
            self.answer.is_some(),
            self.authority.is_some(),
            self.additional.is_some(),
        ];
        push_header(self.id, self.flags, counts, out);
        if let Some(question) = &self.question {
            first_level::encode(&question.name, &question.scope, out);
            out.extend_from_slice(&question.rr_type.to_be_bytes());
            out.extend_from_slice(&question.class.to_be_bytes());
        }
        for record in [&self.answer, &self.authority, &self.additional].into_iter().flatten() {
            match &record.name {
                None => out.extend_from_slice(&FIRST_NAME.to_be_bytes()),
                Some((name, scope)) => first_level::encode(name, scope, out),
            }
            let rdlength = record.rdata.len().min(u16::MAX as usize);
            push_record_head(record.rr_type, record.class, record.ttl, rdlength as u16, out);
            out.extend_from_slice(&record.rdata[..rdlength]);
        }
        out.extend_from_slice(self.trailing);
    }
}

/// Appends the header; `counts` says which sections follow.
#[inline]
pub(super) fn push_header(id: u16, flags: Flags, counts: [bool; 4], out: &mut Vec<u8>) {
    let ([i0, i1], [f0, f1]) = (id.to_be_bytes(), flags.0.to_be_bytes());
    let [questions, answers, authority, additional] = counts.map(u8::from);
    let header = [i0, i1, f0, f1, 0, questions, 0, answers, 0, authority, 0, additional];
    out.extend_from_slice(&header);
}

/// Appends what stands between a record's name and its data.
#[inline]
pub(super) fn push_record_head(
    rr_type: u16,
    class: u16,
    ttl: u32,
    rdlength: u16,
    out: &mut Vec<u8>,
) {
    let mut head = [0; 10];
    head[0..2].copy_from_slice(&rr_type.to_be_bytes());
    head[2..4].copy_from_slice(&class.to_be_bytes());
    head[4..8].copy_from_slice(&ttl.to_be_bytes());
    head[8..10].copy_from_slice(&rdlength.to_be_bytes());
    out.extend_from_slice(&head);
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    #[inline(always)]
    fn take(&mut self, len: usize) -> Result<&'a [u8], DecodeError> {
        let end = self.at + len;
        let taken = self.bytes.get(self.at..end).ok_or(DecodeError::Truncated(self.bytes.len()))?;
        self.at = end;
        Ok(taken)
    }

    /// The next `LEN` bytes.
    #[inline(always)]
    fn array<const LEN: usize>(&mut self) -> Result<&'a [u8; LEN], DecodeError> {
        let rest = &self.bytes[self.at..];
        let taken = rest.first_chunk().ok_or(DecodeError::Truncated(self.bytes.len()))?;
        self.at += LEN;
        Ok(taken)
    }

    #[inline(always)]
    fn name(&mut self) -> Result<(NetbiosName, ScopeId), DecodeError> {
        match first_level::decode(&self.bytes[self.at..]) {
            Ok((name, scope, len)) => {
                self.at += len;
                Ok((name, scope))
            }
            Err(first_level::Flaw::Short) => Err(DecodeError::Truncated(self.bytes.len())),
            Err(first_level::Flaw::Bad) => Err(DecodeError::BadName(self.at)),
            Err(first_level::Flaw::Pointer) => Err(DecodeError::BadPointer(self.at)),
        }
    }

    #[inline(always)]
    fn question(&mut self) -> Result<Question, DecodeError> {
        let (name, scope) = self.name()?;
        let [t0, t1, c0, c1] = *self.array()?;
        let (rr_type, class) = (u16::from_be_bytes([t0, t1]), u16::from_be_bytes([c0, c1]));
        Ok(Question { name, scope, rr_type, class })
    }

    /// A record's name is given in full, or as the pointer to a first name that stands before it.
    #[inline]
    fn record(&mut self) -> Result<Record<'a>, DecodeError> {
        let points = self.bytes.get(self.at..self.at + 2) == Some(&FIRST_NAME.to_be_bytes());
        let name = if points && self.at > HEADER_LEN {
            self.at += 2;
            None
        } else {
            Some(self.name()?)
        };
        let [t0, t1, c0, c1, l0, l1, l2, l3, r0, r1] = *self.array()?;
        Ok(Record {
            name,
            rr_type: u16::from_be_bytes([t0, t1]),
            class: u16::from_be_bytes([c0, c1]),
            ttl: u32::from_be_bytes([l0, l1, l2, l3]),
            rdata: self.take(usize::from(u16::from_be_bytes([r0, r1])))?,
        })
    }
}
