//! Whole messages out of a stream of bytes.

use super::PACKET_LEN_MAX;
use super::codec::{HEADER_LEN, LENGTH_LEN};
use thiserror::Error;

/// Collects the bytes of one direction of a connection and cuts messages out of them.
///
/// After an error the stream has no known message borders left: the connection must be closed. Memory is
/// bounded by the longest message plus the longest piece fed, as long as the caller takes every complete
/// message before it feeds on.
#[derive(Clone, Debug)]
pub struct FrameReader {
    buffer: Vec<u8>,
    /// Where the next message begins.
    at: usize,
    packet_len_max: u32,
}

/// Why a stream cannot be cut into messages.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Error)]
pub enum FrameError {
    /// A length beyond the limit.
    #[error("a message claims {claimed} bytes, at most {limit} are taken")]
    TooLong {
        /// What the length field says.
        claimed: u32,
        /// The reader's limit.
        limit: u32,
    },
    /// A length that leaves no room for the header.
    #[error("a message claims {claimed} bytes, its header alone has {HEADER_LEN}")]
    TooShort {
        /// What the length field says.
        claimed: u32,
    },
}

impl Default for FrameReader {
    fn default() -> FrameReader {
        FrameReader::new(PACKET_LEN_MAX)
    }
}

impl FrameReader {
    /// A reader that takes packet lengths up to `packet_len_max`. It owns no memory until it is fed.
    pub const fn new(packet_len_max: u32) -> FrameReader {
        FrameReader { buffer: Vec::new(), at: 0, packet_len_max }
    }

    /// Adds bytes as they arrive.
    pub fn feed(&mut self, bytes: &[u8]) {
        if self.at > 0 {
            self.buffer.drain(..self.at);
            self.at = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The next complete message with its length field, `None` until more bytes come.
    pub fn next_frame(&mut self) -> Result<Option<&[u8]>, FrameError> {
        let Some(length) = self.buffer[self.at..].first_chunk::<LENGTH_LEN>() else {
            return Ok(None);
        };
        let claimed = u32::from_be_bytes(*length);
        if claimed > self.packet_len_max {
            return Err(FrameError::TooLong { claimed, limit: self.packet_len_max });
        }
        if (claimed as usize) < HEADER_LEN {
            return Err(FrameError::TooShort { claimed });
        }
        let end = self.at + LENGTH_LEN + claimed as usize;
        if self.buffer.len() < end {
            return Ok(None);
        }
        let start = std::mem::replace(&mut self.at, end);
        Ok(Some(&self.buffer[start..end]))
    }

    /// Bytes fed and not yet cut out.
    pub fn pending_len(&self) -> usize {
        self.buffer.len() - self.at
    }
}
