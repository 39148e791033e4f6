//! Packets: a slab of 128-byte slots, reused last in, first out.
//!
//! A slot holds headers, place and the first bytes of the payload; a name service message fits whole. A
//! longer payload lies in a spill buffer, reused the same way. In steady state nothing is allocated.

use super::stream::TcpSegment;
use super::topology::InterfaceId;
use crate::base::{hash_bytes, prefetch};
use std::net::{Ipv4Addr, SocketAddrV4};

/// The longest payload: what an Ethernet frame holds besides IPv4 and UDP headers. Fragments are not
/// simulated; no NetBIOS name service message needs them (RFC 1002 4.2.1.1 stops at 576 bytes).
pub const PAYLOAD_MAX: usize = 1472;

/// The time to live NT 4.0 and later put in a packet (`DefaultTTL`; NT 3.5x used 32).
pub const TTL_DEFAULT: u8 = 128;

/// Payload bytes a slot holds itself: enough for a 68-byte registration.
pub(super) const INLINE: usize = 72;

/// A packet inside the network. Valid until released.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct PacketHandle(pub u32);

/// What is above IPv4.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Transport {
    /// A datagram.
    Udp,
    /// A segment of a stream.
    Tcp(TcpSegment),
}

/// IPv4 and transport header as values.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct PacketHeader {
    /// From.
    pub source: SocketAddrV4,
    /// To. 255.255.255.255 and the subnet's own broadcast address reach all of the sender's subnet.
    pub destination: SocketAddrV4,
    /// Routers it may still pass.
    pub ttl: u8,
    /// Datagram or segment.
    pub transport: Transport,
}

/// A packet as the world sees it.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct PacketView<'a> {
    /// Its headers.
    pub header: PacketHeader,
    /// Its bytes above UDP or TCP.
    pub payload: &'a [u8],
    /// The interface that sent it.
    pub from: InterfaceId,
}

impl PacketHeader {
    /// A datagram's header.
    pub const fn udp(source: SocketAddrV4, destination: SocketAddrV4) -> PacketHeader {
        PacketHeader { source, destination, ttl: TTL_DEFAULT, transport: Transport::Udp }
    }

    /// A segment's header.
    pub const fn tcp(
        source: SocketAddrV4,
        destination: SocketAddrV4,
        segment: TcpSegment,
    ) -> PacketHeader {
        PacketHeader { source, destination, ttl: TTL_DEFAULT, transport: Transport::Tcp(segment) }
    }

    /// Bytes of IPv4 and UDP or TCP headers, without options.
    pub const fn header_bytes(&self) -> usize {
        match self.transport {
            Transport::Udp => 28,
            Transport::Tcp(_) => 40,
        }
    }
}

/// Where a packet on a medium is going.
pub(super) mod to {
    pub(in super::super) const FREE: u8 = 0;
    /// To an interface, `target` its index.
    pub(in super::super) const INTERFACE: u8 = 1;
    /// To a router, `target` its index.
    pub(in super::super) const ROUTER: u8 = 2;
    /// To all of a subnet, `target` its index.
    pub(in super::super) const SUBNET: u8 = 3;
    /// The same, already forwarded by a router.
    pub(in super::super) const SUBNET_RELAYED: u8 = 4;
    /// A broadcast a router shall forward, `target` its index.
    pub(in super::super) const RELAY: u8 = 5;
}

/// One slot. The first cache line holds all that forwarding needs.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
pub(super) struct Slot {
    pub(super) source: u32,
    pub(super) destination: u32,
    source_port: u16,
    destination_port: u16,
    pub(super) length: u16,
    pub(super) ttl: u8,
    /// One of [`to`].
    pub(super) going: u8,
    /// Index of what it is going to.
    pub(super) target: u32,
    /// The medium it is on, and that medium's epoch when it was sent.
    pub(super) medium: u32,
    pub(super) epoch: u32,
    /// The subnet of the destination.
    pub(super) subnet: u32,
    pub(super) from: InterfaceId,
    /// Spill buffer plus one, zero for none.
    spill: u32,
    sequence: u32,
    acknowledgement: u32,
    window: u16,
    flags: u8,
    is_tcp: bool,
    inline: [u8; INLINE],
}

const _: () = assert!(size_of::<Slot>() == 128);

impl Slot {
    /// Words that name the headers, for the digest.
    #[inline]
    fn header_words(&self) -> [u64; 3] {
        let s = self;
        let ports = u64::from(s.source_port) << 48 | u64::from(s.destination_port) << 32;
        let rest = u64::from(s.is_tcp) << 31 | u64::from(s.ttl) << 16 | u64::from(s.length);
        let tcp = u64::from(s.sequence) << 32 | u64::from(s.acknowledgement);
        let more = tcp ^ (u64::from(s.window) << 8 | u64::from(s.flags)).rotate_left(40);
        [u64::from(s.source) << 32 | u64::from(s.destination), ports | rest, more]
    }
}

/// Copies a payload into a slot. Most are 32 to 72 bytes long: three moves of fixed size, overlapping,
/// instead of a call.
#[inline]
fn copy_short(into: &mut [u8; INLINE], payload: &[u8]) {
    const PART: usize = 32;
    let length = payload.len();
    match (payload.first_chunk::<PART>(), payload.last_chunk::<PART>()) {
        (Some(first), Some(last)) => {
            if let Some(middle) = payload[PART..].first_chunk::<PART>() {
                into[PART..2 * PART].copy_from_slice(middle);
            }
            into[..PART].copy_from_slice(first);
            into[length - PART..length].copy_from_slice(last);
        }
        _ => into[..length].copy_from_slice(payload),
    }
}

/// A hash of the first `length` bytes of a slot's payload. Each 16 bytes are multiplied with keys of
/// their place, and no product waits for another.
#[inline]
fn hash_short(payload: &[u8; INLINE], length: usize) -> u64 {
    const STEP: u64 = 0x9E37_79B9_7F4A_7C15;
    let word = |at: usize| match payload[at..].first_chunk() {
        _ if at >= length => 0,
        Some(&word) if length - at >= 8 => u64::from_le_bytes(word),
        Some(&word) => u64::from_le_bytes(word) & !(u64::MAX << (8 * (length - at))),
        None => 0,
    };
    let mut sum = (length as u64 + 1).wrapping_mul(STEP);
    let mut key = 0xA076_1D64_78BD_642F_u64;
    let mut at = 0;
    while at < length {
        let second = if at + 8 < length { word(at + 8) } else { 0 };
        let product = u128::from(word(at) ^ key) * u128::from(second ^ key.rotate_left(32) ^ STEP);
        sum = sum.wrapping_add(product as u64 ^ ((product >> 64) as u64).rotate_left(17));
        key = key.wrapping_add(STEP);
        at += 16;
    }
    sum
}

/// All packets.
#[derive(Clone, Default, Debug)]
pub(super) struct Packets {
    slots: Vec<Slot>,
    free: Vec<u32>,
    #[allow(clippy::vec_box, reason = "growing must not copy every buffer")]
    spills: Vec<Box<[u8; PAYLOAD_MAX]>>,
    free_spills: Vec<u32>,
}

impl Packets {
    /// Stores a packet; the payload is at most [`PAYLOAD_MAX`] long.
    #[inline]
    pub(super) fn insert(
        &mut self,
        header: &PacketHeader,
        payload: &[u8],
        from: InterfaceId,
    ) -> u32 {
        let index = match self.free.pop() {
            Some(index) => index,
            None => self.grow(),
        };
        let spill = if payload.len() > INLINE { self.spill(payload) } else { 0 };
        let slot = &mut self.slots[index as usize];
        slot.source = u32::from(*header.source.ip());
        slot.destination = u32::from(*header.destination.ip());
        slot.source_port = header.source.port();
        slot.destination_port = header.destination.port();
        slot.length = payload.len() as u16;
        slot.ttl = header.ttl;
        slot.from = from;
        slot.spill = spill;
        match header.transport {
            Transport::Udp => {
                slot.is_tcp = false;
                (slot.sequence, slot.acknowledgement, slot.window, slot.flags) = (0, 0, 0, 0);
            }
            Transport::Tcp(s) => {
                slot.is_tcp = true;
                slot.sequence = s.sequence;
                slot.acknowledgement = s.acknowledgement;
                slot.window = s.window;
                slot.flags = s.flags;
            }
        }
        if spill == 0 {
            copy_short(&mut slot.inline, payload);
        }
        index
    }

    /// A second packet just like this one.
    pub(super) fn duplicate(&mut self, index: u32) -> u32 {
        let copy = match self.free.pop() {
            Some(copy) => copy,
            None => self.grow(),
        };
        let mut slot = self.slots[index as usize].clone();
        if slot.spill != 0 {
            let bytes = *self.spills[slot.spill as usize - 1];
            slot.spill = self.spill(&bytes[..usize::from(slot.length)]);
        }
        self.slots[copy as usize] = slot;
        copy
    }

    /// Gives the slot back.
    #[inline]
    pub(super) fn remove(&mut self, index: u32) {
        let slot = &mut self.slots[index as usize];
        assert!(slot.going != to::FREE, "packet {index} released twice");
        slot.going = to::FREE;
        if slot.spill != 0 {
            self.free_spills.push(slot.spill - 1);
        }
        self.free.push(index);
    }

    /// Touches both cache lines of a slot.
    #[inline(always)]
    pub(super) fn prefetch(&self, index: u32) {
        if let Some(slot) = self.slots.get(index as usize) {
            prefetch(slot);
            prefetch(&slot.inline[INLINE - 1]);
        }
    }

    #[inline]
    pub(super) fn slot(&self, index: u32) -> &Slot {
        &self.slots[index as usize]
    }

    #[inline]
    pub(super) fn slot_mut(&mut self, index: u32) -> &mut Slot {
        &mut self.slots[index as usize]
    }

    #[inline]
    pub(super) fn header(&self, index: u32) -> PacketHeader {
        let slot = &self.slots[index as usize];
        let transport = if slot.is_tcp {
            Transport::Tcp(TcpSegment {
                sequence: slot.sequence,
                acknowledgement: slot.acknowledgement,
                flags: slot.flags,
                window: slot.window,
            })
        } else {
            Transport::Udp
        };
        PacketHeader {
            source: SocketAddrV4::new(Ipv4Addr::from(slot.source), slot.source_port),
            destination: SocketAddrV4::new(Ipv4Addr::from(slot.destination), slot.destination_port),
            ttl: slot.ttl,
            transport,
        }
    }

    #[inline]
    pub(super) fn payload(&self, index: u32) -> &[u8] {
        let slot = &self.slots[index as usize];
        let length = usize::from(slot.length);
        match slot.spill {
            0 => &slot.inline[..length],
            spill => &self.spills[spill as usize - 1][..length],
        }
    }

    /// A hash of headers and payload, for the digest.
    #[inline]
    pub(super) fn content(&self, index: u32) -> u64 {
        let slot = &self.slots[index as usize];
        // The headers' products do not wait for each other.
        let [a, b, c] = slot.header_words();
        let headers = a.wrapping_mul(0xA076_1D64_78BD_642F)
            ^ b.wrapping_mul(0xE703_7ED1_A0B4_28DB).rotate_left(21)
            ^ c.wrapping_mul(0x8EBC_6AF0_9C88_C6E3).rotate_left(42);
        let length = usize::from(slot.length);
        headers.wrapping_add(match slot.spill {
            0 => hash_short(&slot.inline, length),
            spill => hash_bytes(&self.spills[spill as usize - 1][..length]),
        })
    }

    /// IPv4 length of the packet in bytes.
    #[inline]
    pub(super) fn wire_bytes(&self, index: u32) -> u32 {
        let slot = &self.slots[index as usize];
        u32::from(slot.length) + if slot.is_tcp { 40 } else { 28 }
    }

    /// Packets in the network now.
    pub(super) fn live(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Bytes all slots and spill buffers occupy.
    pub(super) fn bytes(&self) -> usize {
        self.slots.capacity() * size_of::<Slot>()
            + (self.free.capacity() + self.free_spills.capacity()) * size_of::<u32>()
            + self.spills.len() * PAYLOAD_MAX
    }

    #[cold]
    fn grow(&mut self) -> u32 {
        let index = self.slots.len() as u32;
        assert!(index < 1 << 30, "more than 2^30 packets in flight");
        self.slots.push(Slot {
            source: 0,
            destination: 0,
            source_port: 0,
            destination_port: 0,
            length: 0,
            ttl: 0,
            going: to::FREE,
            target: 0,
            medium: 0,
            epoch: 0,
            subnet: 0,
            from: InterfaceId(0),
            spill: 0,
            sequence: 0,
            acknowledgement: 0,
            window: 0,
            flags: 0,
            is_tcp: false,
            inline: [0; INLINE],
        });
        index
    }

    fn spill(&mut self, payload: &[u8]) -> u32 {
        let index = self.free_spills.pop().unwrap_or_else(|| {
            self.spills.push(Box::new([0; PAYLOAD_MAX]));
            self.spills.len() as u32 - 1
        });
        self.spills[index as usize][..payload.len()].copy_from_slice(payload);
        index + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> PacketHeader {
        let at = |port| SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, port as u8), port);
        let segment = TcpSegment { sequence: 1, acknowledgement: 2, flags: 3, window: 4 };
        PacketHeader::tcp(at(1), at(2), segment)
    }

    #[test]
    fn headers_and_payloads_of_every_length_come_back() {
        let mut packets = Packets::default();
        for length in [0, 1, INLINE, INLINE + 1, 576, PAYLOAD_MAX] {
            let payload: Vec<u8> = (0..length).map(|i| i as u8).collect();
            let index = packets.insert(&header(), &payload, InterfaceId(9));
            packets.slot_mut(index).going = to::INTERFACE;
            let copy = packets.duplicate(index);
            packets.remove(index);
            assert_eq!(packets.payload(copy), payload);
            assert_eq!(packets.header(copy), header());
            packets.remove(copy);
        }
        assert_eq!(packets.live(), 0);
        assert_eq!((packets.slots.len(), packets.spills.len()), (2, 2), "slots are reused");
    }

    #[test]
    #[should_panic(expected = "released twice")]
    fn a_packet_is_released_once() {
        let mut packets = Packets::default();
        let index = packets.insert(&header(), b"x", InterfaceId(0));
        packets.slot_mut(index).going = to::INTERFACE;
        packets.remove(index);
        packets.remove(index);
    }
}
