//! Captures: simulated packets as a pcapng file that Wireshark opens.
//!
//! The simulator moves datagrams and stream bytes; this module puts the Ethernet, IPv4, UDP and TCP
//! headers around them that a real network would show, with right checksums. Hardware addresses are made
//! from IPv4 addresses, so a packet shows its final receiver's and not the next router's. The bytes depend
//! on nothing but the packets: equal runs give equal files on every machine.

use crate::base::SimTime;
use pcap_file::pcapng::PcapNgWriter;
use pcap_file::pcapng::blocks::enhanced_packet::EnhancedPacketBlock;
use pcap_file::pcapng::blocks::interface_description::{
    InterfaceDescriptionBlock, InterfaceDescriptionOption,
};
use pcap_file::pcapng::{Block, PcapNgBlock};
use pcap_file::{DataLink, Endianness, PcapError};
use std::borrow::Cow;
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;
use thiserror::Error;

/// What the clock says at the start of a run: 1999-03-01 00:00:00 UTC, in seconds since 1970.
pub const EPOCH_SECS: u64 = 920_246_400;
/// The longest piece of a stream in one segment, as on Ethernet. Longer ones are cut.
pub const SEGMENT_LEN_MAX: usize = 1460;
/// The longest UDP payload IPv4 can carry.
pub const DATAGRAM_LEN_MAX: usize = 65_535 - IP_LEN - UDP_LEN;

const ETHERNET_LEN: usize = 14;
const IP_LEN: usize = 20;
const UDP_LEN: usize = 8;
const TCP_LEN: usize = 20;
const PROTOCOL_TCP: u8 = 6;
const PROTOCOL_UDP: u8 = 17;
const DONT_FRAGMENT: u16 = 0x4000;

/// Writes a capture. Give it a buffered writer: every packet is several small writes.
pub struct CaptureWriter<W: Write> {
    writer: PcapNgWriter<W>,
    interfaces: u32,
    /// The frame being built; kept for its memory.
    frame: Vec<u8>,
}

/// A subnet or link of the capture.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct InterfaceId(u32);

/// A packet as it passed a subnet or link.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct CapturedPacket<'a> {
    /// Sender.
    pub source: SocketAddrV4,
    /// Receiver.
    pub destination: SocketAddrV4,
    /// Whether every host of the subnet gets it; 255.255.255.255 always is such a broadcast.
    pub broadcast: bool,
    /// Hops left.
    pub ttl: u8,
    /// Identification of the IPv4 header.
    pub ip_id: u16,
    /// UDP or TCP.
    pub transport: Transport,
    /// What it carries.
    pub payload: &'a [u8],
}

/// What stands between IPv4 and the payload.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Transport {
    /// A datagram.
    Udp,
    /// A segment. A payload over [`SEGMENT_LEN_MAX`] becomes several, all at the same time.
    Tcp {
        /// Sequence number of the first byte.
        sequence: u32,
        /// The next byte expected from the other side.
        acknowledgment: u32,
        /// Flags.
        flags: TcpFlags,
        /// Receive window.
        window: u16,
    },
}

/// Flags of a TCP segment.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub struct TcpFlags(pub u8);

/// Why a packet was not written.
#[derive(Debug, Error)]
pub enum CaptureError {
    /// The file could not be written.
    #[error("cannot write the capture: {0}")]
    Write(#[from] io::Error),
    /// A datagram that fits in no IPv4 packet.
    #[error("a datagram of {len} bytes, IPv4 carries at most {DATAGRAM_LEN_MAX}")]
    TooLong {
        /// Its payload.
        len: usize,
    },
    /// An interface of another capture.
    #[error("interface {0} was never added to this capture")]
    UnknownInterface(u32),
}

impl TcpFlags {
    /// No more data.
    pub const FIN: TcpFlags = TcpFlags(0x01);
    /// Opens a connection.
    pub const SYN: TcpFlags = TcpFlags(0x02);
    /// Refuses or aborts it.
    pub const RST: TcpFlags = TcpFlags(0x04);
    /// Hand the data over now.
    pub const PSH: TcpFlags = TcpFlags(0x08);
    /// The acknowledgment counts.
    pub const ACK: TcpFlags = TcpFlags(0x10);

    /// Both sets of flags.
    pub const fn and(self, other: TcpFlags) -> TcpFlags {
        TcpFlags(self.0 | other.0)
    }

    const fn without(self, other: TcpFlags) -> TcpFlags {
        TcpFlags(self.0 & !other.0)
    }
}

impl<W: Write> CaptureWriter<W> {
    /// Begins a capture.
    pub fn new(out: W) -> Result<CaptureWriter<W>, CaptureError> {
        let writer = PcapNgWriter::with_endianness(out, Endianness::Little).map_err(write_error)?;
        Ok(CaptureWriter { writer, interfaces: 0, frame: Vec::new() })
    }

    /// Adds a subnet or link under its name. Times have nanoseconds.
    pub fn interface(&mut self, name: &str) -> Result<InterfaceId, CaptureError> {
        let options = vec![
            InterfaceDescriptionOption::IfName(Cow::Borrowed(name)),
            InterfaceDescriptionOption::IfTsResol(9),
        ];
        let block = InterfaceDescriptionBlock { linktype: DataLink::ETHERNET, snaplen: 0, options };
        self.write_block(&block.into_block())?;
        let id = InterfaceId(self.interfaces);
        self.interfaces += 1;
        Ok(id)
    }

    /// Writes a packet seen at `time`.
    pub fn frame(
        &mut self,
        interface: InterfaceId,
        time: SimTime,
        packet: &CapturedPacket<'_>,
    ) -> Result<(), CaptureError> {
        if interface.0 >= self.interfaces {
            return Err(CaptureError::UnknownInterface(interface.0));
        }
        match packet.transport {
            Transport::Udp => {
                let len = packet.payload.len();
                if len > DATAGRAM_LEN_MAX {
                    return Err(CaptureError::TooLong { len });
                }
                self.packet(interface, time, packet)
            }
            Transport::Tcp { .. } => {
                segments(packet).try_for_each(|segment| self.packet(interface, time, &segment))
            }
        }
    }

    /// Flushes the writer and gives it back.
    pub fn finish(self) -> Result<W, CaptureError> {
        let mut out = self.writer.into_inner();
        out.flush()?;
        Ok(out)
    }

    fn packet(
        &mut self,
        interface: InterfaceId,
        time: SimTime,
        packet: &CapturedPacket<'_>,
    ) -> Result<(), CaptureError> {
        let mut frame = std::mem::take(&mut self.frame);
        frame.clear();
        push_frame(packet, &mut frame);
        let block = EnhancedPacketBlock {
            interface_id: interface.0,
            timestamp: Duration::from_secs(EPOCH_SECS) + Duration::from_nanos(time.nanos()),
            original_len: frame.len() as u32,
            data: Cow::Borrowed(&frame),
            options: Vec::new(),
        };
        let result = self.write_block(&block.into_block());
        self.frame = frame;
        result
    }

    fn write_block(&mut self, block: &Block<'_>) -> Result<(), CaptureError> {
        self.writer.write_block(block).map(|_| ()).map_err(write_error)
    }
}

fn write_error(error: PcapError) -> CaptureError {
    CaptureError::Write(match error {
        PcapError::IoError(error) => error,
        other => io::Error::other(other),
    })
}

/// The hardware address that goes with an IPv4 address: locally administered, or the group address of a
/// broadcast or multicast (RFC 1112 6.4).
fn hardware_address(address: Ipv4Addr, broadcast: bool) -> [u8; 6] {
    let [a, b, c, d] = address.octets();
    if broadcast || address.is_broadcast() {
        [0xFF; 6]
    } else if address.is_multicast() {
        [0x01, 0x00, 0x5E, b & 0x7F, c, d]
    } else {
        [0x02, 0x00, a, b, c, d]
    }
}

/// Cuts a segment into pieces that fit Ethernet. SYN goes with the first piece, PSH and FIN with the last.
fn segments<'a>(packet: &CapturedPacket<'a>) -> impl Iterator<Item = CapturedPacket<'a>> + use<'a> {
    let packet = *packet;
    let count = packet.payload.len().div_ceil(SEGMENT_LEN_MAX).max(1);
    (0..count).map(move |i| {
        let start = i * SEGMENT_LEN_MAX;
        let end = packet.payload.len().min(start + SEGMENT_LEN_MAX);
        let mut piece = CapturedPacket { payload: &packet.payload[start..end], ..packet };
        piece.ip_id = packet.ip_id.wrapping_add(i as u16);
        if let Transport::Tcp { sequence, flags, .. } = &mut piece.transport {
            *sequence = sequence.wrapping_add(start as u32);
            if i > 0 {
                *flags = flags.without(TcpFlags::SYN);
            }
            if i + 1 < count {
                *flags = flags.without(TcpFlags::PSH.and(TcpFlags::FIN));
            }
        }
        piece
    })
}

fn push_frame(packet: &CapturedPacket<'_>, out: &mut Vec<u8>) {
    let (from, to) = (packet.source, packet.destination);
    out.extend_from_slice(&hardware_address(*to.ip(), packet.broadcast));
    out.extend_from_slice(&hardware_address(*from.ip(), false));
    out.extend_from_slice(&0x0800_u16.to_be_bytes());
    let (protocol, header_len, fragment) = match packet.transport {
        Transport::Udp => (PROTOCOL_UDP, UDP_LEN, 0),
        Transport::Tcp { .. } => (PROTOCOL_TCP, TCP_LEN, DONT_FRAGMENT),
    };
    let transport_len = header_len + packet.payload.len();
    push_ip_header(packet, protocol, transport_len, fragment, out);
    push_transport(packet, transport_len as u16, out);
    out.extend_from_slice(packet.payload);

    // Both checksums cover a pseudo header and the whole datagram or segment (RFC 768, RFC 9293 3.1).
    let at = ETHERNET_LEN + IP_LEN;
    let mut sum = Sum::default();
    sum.add(&from.ip().octets());
    sum.add(&to.ip().octets());
    sum.add(&[0, protocol]);
    sum.add(&(transport_len as u16).to_be_bytes());
    sum.add(&out[at..]);
    let (checksum_at, checksum) = match (packet.transport, sum.checksum()) {
        // In UDP zero means that there is none.
        (Transport::Udp, 0) => (at + 6, 0xFFFF),
        (Transport::Udp, checksum) => (at + 6, checksum),
        (Transport::Tcp { .. }, checksum) => (at + 16, checksum),
    };
    out[checksum_at..checksum_at + 2].copy_from_slice(&checksum.to_be_bytes());
}

/// RFC 791 3.1.
fn push_ip_header(
    packet: &CapturedPacket<'_>,
    protocol: u8,
    transport_len: usize,
    fragment: u16,
    out: &mut Vec<u8>,
) {
    let mut header = [0; IP_LEN];
    header[0] = 0x45;
    header[2..4].copy_from_slice(&((IP_LEN + transport_len) as u16).to_be_bytes());
    header[4..6].copy_from_slice(&packet.ip_id.to_be_bytes());
    header[6..8].copy_from_slice(&fragment.to_be_bytes());
    header[8] = packet.ttl;
    header[9] = protocol;
    header[12..16].copy_from_slice(&packet.source.ip().octets());
    header[16..20].copy_from_slice(&packet.destination.ip().octets());
    let mut sum = Sum::default();
    sum.add(&header);
    header[10..12].copy_from_slice(&sum.checksum().to_be_bytes());
    out.extend_from_slice(&header);
}

/// Appends the transport header with a checksum of zero.
fn push_transport(packet: &CapturedPacket<'_>, transport_len: u16, out: &mut Vec<u8>) {
    out.extend_from_slice(&packet.source.port().to_be_bytes());
    out.extend_from_slice(&packet.destination.port().to_be_bytes());
    match packet.transport {
        Transport::Udp => {
            out.extend_from_slice(&transport_len.to_be_bytes());
            out.extend_from_slice(&[0, 0]);
        }
        Transport::Tcp { sequence, acknowledgment, flags, window } => {
            out.extend_from_slice(&sequence.to_be_bytes());
            out.extend_from_slice(&acknowledgment.to_be_bytes());
            out.extend_from_slice(&[(TCP_LEN as u8 / 4) << 4, flags.0]);
            out.extend_from_slice(&window.to_be_bytes());
            out.extend_from_slice(&[0, 0, 0, 0]);
        }
    }
}

/// The Internet checksum (RFC 1071): pieces are added in order, all but the last of even length.
#[derive(Default)]
struct Sum(u64);

impl Sum {
    fn add(&mut self, bytes: &[u8]) {
        let (words, odd) = bytes.as_chunks::<2>();
        for word in words {
            self.0 += u64::from(u16::from_be_bytes(*word));
        }
        if let [last] = odd {
            self.0 += u64::from(*last) << 8;
        }
    }

    fn checksum(&self) -> u16 {
        let mut sum = self.0;
        while sum > 0xFFFF {
            sum = (sum & 0xFFFF) + (sum >> 16);
        }
        !(sum as u16)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn datagram(payload: &[u8]) -> CapturedPacket<'_> {
        CapturedPacket {
            source: SocketAddrV4::new(Ipv4Addr::new(10, 1, 0, 7), 137),
            destination: SocketAddrV4::new(Ipv4Addr::new(10, 1, 0, 2), 137),
            broadcast: false,
            ttl: 128,
            ip_id: 1,
            transport: Transport::Udp,
            payload,
        }
    }

    fn segment(payload: &[u8]) -> CapturedPacket<'_> {
        let flags = TcpFlags::SYN.and(TcpFlags::PSH).and(TcpFlags::FIN);
        let transport = Transport::Tcp { sequence: u32::MAX, acknowledgment: 9, flags, window: 17 };
        CapturedPacket { transport, ip_id: u16::MAX, ..datagram(payload) }
    }

    #[test]
    fn the_checksum_of_a_known_header_is_right() {
        // 192.168.0.1 to 192.168.0.199, UDP, 115 bytes: the checksum is B861.
        let header = [
            0x45, 0x00, 0x00, 0x73, 0x00, 0x00, 0x40, 0x00, 0x40, 0x11, 0x00, 0x00, 0xC0, 0xA8,
            0x00, 0x01, 0xC0, 0xA8, 0x00, 0xC7,
        ];
        let mut sum = Sum::default();
        sum.add(&header);
        assert_eq!(sum.checksum(), 0xB861);
    }

    #[test]
    fn hardware_addresses_follow_from_the_network_address() {
        let host = Ipv4Addr::new(10, 1, 0, 7);
        assert_eq!(hardware_address(host, false), [2, 0, 10, 1, 0, 7]);
        assert_eq!(hardware_address(Ipv4Addr::new(10, 1, 0, 255), true), [0xFF; 6]);
        assert_eq!(hardware_address(Ipv4Addr::BROADCAST, false), [0xFF; 6]);
        let wins_group = Ipv4Addr::new(224, 0, 1, 24);
        assert_eq!(hardware_address(wins_group, false), [1, 0, 0x5E, 0, 1, 24]);
    }

    #[test]
    fn a_long_segment_is_cut_and_keeps_its_flags_at_the_ends() {
        let payload = vec![7; 2 * SEGMENT_LEN_MAX + 1];
        let pieces: Vec<(u32, u8, u16, usize)> = segments(&segment(&payload))
            .map(|piece| match piece.transport {
                Transport::Tcp { sequence, flags, .. } => {
                    (sequence, flags.0, piece.ip_id, piece.payload.len())
                }
                Transport::Udp => unreachable!("a segment stays one"),
            })
            .collect();
        assert_eq!(
            pieces,
            [(u32::MAX, 0x02, u16::MAX, 1460), (1459, 0, 0, 1460), (2919, 0x09, 1, 1)]
        );
        assert_eq!(segments(&segment(&[])).collect::<Vec<_>>(), [segment(&[])]);
    }

    #[test]
    fn what_cannot_be_written_is_an_error() {
        let mut capture = CaptureWriter::new(Vec::new()).expect("memory takes everything");
        let stranger = InterfaceId(0);
        let error =
            capture.frame(stranger, SimTime::ZERO, &datagram(b"x")).expect_err("no interface");
        assert_eq!(error.to_string(), "interface 0 was never added to this capture");
        let lan = capture.interface("lan").expect("memory takes everything");
        let long = vec![0; DATAGRAM_LEN_MAX + 1];
        let error = capture.frame(lan, SimTime::ZERO, &datagram(&long)).expect_err("too long");
        assert_eq!(error.to_string(), "a datagram of 65508 bytes, IPv4 carries at most 65507");
        assert!(capture.frame(lan, SimTime::ZERO, &datagram(&long[1..])).is_ok());
    }

    #[test]
    fn a_full_disk_is_an_error() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::StorageFull.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let error = CaptureWriter::new(Full).err().expect("nothing fits");
        assert!(matches!(error, CaptureError::Write(e) if e.kind() == io::ErrorKind::StorageFull));
    }
}
