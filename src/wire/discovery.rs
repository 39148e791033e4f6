//! Announcements by which WINS servers find each other (MS-WINSRA 2.2.1): UDP port 42, multicast.
//!
//! | offset | size | field |
//! | --- | --- | --- |
//! | 0 | 4 | signature, little-endian: 0000ABCD, accepted up to 0000ABCF |
//! | 4 | 4 | opcode, little-endian: 0 the server is up, anything else it goes down |
//! | 8 | 4n | its addresses, big-endian, ended by 0.0.0.0 |
//!
//! The addresses alone are big-endian. What follows the end mark, and a last entry cut short, is ignored,
//! so decoding and encoding again may give fewer bytes.

use std::net::Ipv4Addr;
use thiserror::Error;

/// The multicast group.
pub const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 1, 24);
/// UDP port.
pub const PORT: u16 = 42;
/// What is sent as a signature.
pub const SIGNATURE: u32 = 0xABCD;
/// The last signature that is accepted.
pub const SIGNATURE_MAX: u32 = 0xABCF;
/// Addresses of one server that are taken: more than any host has adapters.
pub const ADDRESSES_MAX: usize = 25;

/// A server says that it is there, or that it goes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Announcement {
    /// Whether it comes up; else it goes down.
    pub up: bool,
    /// Its addresses, at most [`ADDRESSES_MAX`].
    pub addresses: Vec<Ipv4Addr>,
}

/// Why bytes are no announcement.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Error)]
pub enum DiscoveryError {
    /// Shorter than signature and opcode.
    #[error("{0} bytes are too few for an announcement, it has 8 at least")]
    Truncated(usize),
    /// Another signature.
    #[error("signature {0:#010x} is not that of an announcement")]
    Signature(u32),
}

impl Announcement {
    /// Reads an announcement.
    pub fn decode(bytes: &[u8]) -> Result<Announcement, DiscoveryError> {
        let truncated = DiscoveryError::Truncated(bytes.len());
        let (signature, rest) = bytes.split_first_chunk::<4>().ok_or(truncated)?;
        let (opcode, rest) = rest.split_first_chunk::<4>().ok_or(truncated)?;
        let signature = u32::from_le_bytes(*signature);
        if !(SIGNATURE..=SIGNATURE_MAX).contains(&signature) {
            return Err(DiscoveryError::Signature(signature));
        }
        let addresses = rest
            .as_chunks::<4>()
            .0
            .iter()
            .map(|&octets| Ipv4Addr::from(octets))
            .take_while(|address| !address.is_unspecified())
            .take(ADDRESSES_MAX)
            .collect();
        Ok(Announcement { up: u32::from_le_bytes(*opcode) == 0, addresses })
    }

    /// Appends the announcement's bytes.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&SIGNATURE.to_le_bytes());
        out.extend_from_slice(&u32::from(!self.up).to_le_bytes());
        for address in self.addresses.iter().take(ADDRESSES_MAX) {
            out.extend_from_slice(&address.octets());
        }
        out.extend_from_slice(&Ipv4Addr::UNSPECIFIED.octets());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // rule: repl-wire/discovery-signature, repl-wire/discovery-opcode, repl-wire/discovery-list
    #[test]
    fn announcements_are_little_endian_but_for_their_addresses() {
        let announcement = Announcement {
            up: false,
            addresses: vec![Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 1, 2, 3)],
        };
        let mut bytes = Vec::new();
        announcement.encode(&mut bytes);
        let golden = [0xCD, 0xAB, 0, 0, 1, 0, 0, 0, 10, 0, 0, 1, 10, 1, 2, 3, 0, 0, 0, 0];
        assert_eq!(bytes, golden);
        assert_eq!(Announcement::decode(&bytes), Ok(announcement));
    }

    // rule: repl-wire/discovery-signature, repl-wire/discovery-opcode, repl-wire/discovery-list
    #[test]
    fn odd_announcements_are_taken_as_windows_takes_them() {
        let base = [0xCD, 0xAB, 0, 0, 0, 0, 0, 0, 10, 0, 0, 1];
        let of = |bytes: &[u8]| Announcement::decode(bytes);
        let one = |up| Ok(Announcement { up, addresses: vec![Ipv4Addr::new(10, 0, 0, 1)] });
        assert_eq!(of(&base), one(true), "no end mark");
        for signature in 0xCD..=0xCF {
            let mut bytes = base;
            bytes[0] = signature;
            assert_eq!(of(&bytes), one(true));
        }
        for wrong in [0xCC, 0xD0] {
            let mut bytes = base;
            bytes[0] = wrong;
            let signature = u32::from_le_bytes([wrong, 0xAB, 0, 0]);
            assert_eq!(of(&bytes), Err(DiscoveryError::Signature(signature)));
        }
        let mut down = base;
        down[7] = 0x80;
        assert_eq!(of(&down), one(false), "any opcode but 0 is down");
        let trailing = [&base[..], &[0, 0, 0, 0, 10, 0, 0, 9]].concat();
        assert_eq!(of(&trailing), one(true), "what follows the end mark is ignored");
        assert_eq!(of(&[&base[..], &[10, 0, 0]].concat()), one(true), "a partial entry too");
        for len in 0..8 {
            assert_eq!(of(&base[..len]), Err(DiscoveryError::Truncated(len)));
        }
        let many = [&base[..], &[9; 4 * 100]].concat();
        assert_eq!(of(&many).unwrap().addresses.len(), ADDRESSES_MAX);
    }
}
