//! Captures, read by an independent dissector: tshark must decode every name service and replication
//! message, find nothing malformed and agree with every checksum. Without tshark these tests say so and
//! check nothing.

#[path = "wire_golden/samples.rs"]
mod samples;

use std::io::BufWriter;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use winstorm::base::{SimDuration, SimTime};
use winstorm::report::pcapng::{
    CaptureWriter, CapturedPacket, InterfaceId, SEGMENT_LEN_MAX, TcpFlags, Transport,
};
use winstorm::wire::name_service::peek;
use winstorm::wire::replication::{Message, ReplicaAddresses, ReplicaRecord};
use winstorm::wire::{ScopeId, name_service, replication};

const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 7);
const SERVER: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 2);
const PARTNER: Ipv4Addr = Ipv4Addr::new(10, 2, 0, 2);
const SUBNET_BROADCAST: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 255);

/// A capture under construction: packets a millisecond apart.
struct Capture {
    _folder: tempfile::TempDir,
    path: PathBuf,
    writer: CaptureWriter<BufWriter<std::fs::File>>,
    lan: InterfaceId,
    time: SimTime,
    packets: u16,
}

impl Capture {
    fn new() -> Capture {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("packets.pcapng");
        let file = std::fs::File::create(&path).expect("a new file");
        let mut writer = CaptureWriter::new(BufWriter::new(file)).expect("a capture");
        let lan = writer.interface("north").expect("an interface");
        Capture { _folder: folder, path, writer, lan, time: SimTime::ZERO, packets: 0 }
    }

    fn packet(&mut self, packet: &CapturedPacket<'_>) {
        self.time += SimDuration::from_millis(1);
        self.packets += 1;
        let packet = CapturedPacket { ip_id: self.packets, ..*packet };
        self.writer.frame(self.lan, self.time, &packet).expect("a written packet");
    }

    fn datagram(&mut self, from: Ipv4Addr, to: Ipv4Addr, payload: &[u8]) {
        self.packet(&CapturedPacket {
            source: SocketAddrV4::new(from, name_service::PORT),
            destination: SocketAddrV4::new(to, name_service::PORT),
            broadcast: to == SUBNET_BROADCAST,
            ttl: 128,
            ip_id: 0,
            transport: Transport::Udp,
            payload,
        });
    }

    /// Closes the file and has tshark print these fields, one packet a line.
    fn dissect(self, tshark: &Path, fields: &[&str]) -> Vec<Vec<String>> {
        self.writer.finish().expect("a finished capture");
        let mut command = Command::new(tshark);
        command.arg("-r").arg(&self.path).args(["-n", "-T", "fields", "-E", "separator=|"]);
        for check in ["ip.check_checksum", "udp.check_checksum", "tcp.check_checksum"] {
            command.args(["-o", &format!("{check}:TRUE")]);
        }
        for field in fields {
            command.args(["-e", field]);
        }
        let output = command.stderr(Stdio::inherit()).output().expect("tshark runs");
        assert!(output.status.success(), "tshark failed: {}", output.status);
        let text = String::from_utf8(output.stdout).expect("tshark prints text");
        text.lines().map(|line| line.split('|').map(str::to_string).collect()).collect()
    }
}

/// One direction after the other of a TCP connection between two servers.
struct Connection {
    client: SocketAddrV4,
    server: SocketAddrV4,
    /// Next sequence numbers of client and server.
    next: [u32; 2],
}

impl Connection {
    fn open(capture: &mut Capture) -> Connection {
        let client = SocketAddrV4::new(PARTNER, 1029);
        let server = SocketAddrV4::new(SERVER, replication::PORT);
        let mut connection = Connection { client, server, next: [1000, 9000] };
        connection.send(capture, true, TcpFlags::SYN, &[]);
        connection.send(capture, false, TcpFlags::SYN.and(TcpFlags::ACK), &[]);
        connection.send(capture, true, TcpFlags::ACK, &[]);
        connection
    }

    fn data(&mut self, capture: &mut Capture, from_client: bool, payload: &[u8]) {
        self.send(capture, from_client, TcpFlags::ACK.and(TcpFlags::PSH), payload);
        self.send(capture, !from_client, TcpFlags::ACK, &[]);
    }

    fn close(&mut self, capture: &mut Capture) {
        self.send(capture, true, TcpFlags::FIN.and(TcpFlags::ACK), &[]);
        self.send(capture, false, TcpFlags::FIN.and(TcpFlags::ACK), &[]);
        self.send(capture, true, TcpFlags::ACK, &[]);
    }

    fn send(&mut self, capture: &mut Capture, from_client: bool, flags: TcpFlags, payload: &[u8]) {
        let (from, to) = if from_client { (0, 1) } else { (1, 0) };
        let ends = [self.client, self.server];
        let has_ack = flags.0 & TcpFlags::ACK.0 != 0;
        let acknowledgment = if has_ack { self.next[to] } else { 0 };
        capture.packet(&CapturedPacket {
            source: ends[from],
            destination: ends[to],
            broadcast: false,
            ttl: 128,
            ip_id: 0,
            transport: Transport::Tcp {
                sequence: self.next[from],
                acknowledgment,
                flags,
                window: 65_535,
            },
            payload,
        });
        let counted = flags.0 & (TcpFlags::SYN.0 | TcpFlags::FIN.0) != 0;
        self.next[from] = self.next[from].wrapping_add(payload.len() as u32 + u32::from(counted));
    }
}

/// tshark, if it is there.
fn tshark() -> Option<PathBuf> {
    let path = PathBuf::from("tshark");
    let version = Command::new(&path).arg("--version").stderr(Stdio::null()).output();
    let found = version.is_ok_and(|output| output.status.success());
    if !found {
        eprintln!("SKIPPED: tshark is not installed, the capture was not checked");
    }
    found.then_some(path)
}

fn encoded(message: &Message) -> Vec<u8> {
    let mut bytes = Vec::new();
    message.encode(&mut bytes);
    bytes
}

/// What every packet must show; the first fields asked for.
const CHECKS: [&str; 7] = [
    "frame.protocols",
    "_ws.malformed",
    "_ws.expert.severity",
    "_ws.expert.message",
    "ip.checksum.status",
    "udp.checksum.status",
    "tcp.checksum.status",
];

fn with_checks(fields: &[&'static str]) -> Vec<&'static str> {
    CHECKS.iter().chain(fields).copied().collect()
}

/// Checks the common fields and returns the others.
fn assert_sound<'a>(what: &str, line: &'a [String], protocols: &str) -> &'a [String] {
    let (checks, rest) = line.split_at(CHECKS.len());
    assert_eq!(checks[0], protocols, "{what}: {line:?}");
    assert_eq!(checks[1], "", "{what} is malformed: {line:?}");
    // 0x00800000 and above are errors, 0x00600000 warnings.
    for severity in checks[2].split(',').filter(|s| !s.is_empty()) {
        let severity: u32 = severity.parse().expect("a number");
        assert!(severity < 0x0060_0000, "{what}: {line:?}");
    }
    let transport = if protocols.contains("tcp") { ["", "1"] } else { ["1", ""] };
    assert_eq!(checks[4], "1", "{what}: IPv4 checksum");
    assert_eq!(checks[5..], transport, "{what}: transport checksum");
    rest
}

#[test]
fn tshark_decodes_every_name_service_message() {
    let Some(tshark) = tshark() else { return };
    let samples = samples::name_service();
    let mut capture = Capture::new();
    for (_, bytes) in &samples {
        let (_, flags) = peek(bytes).expect("a header");
        match (flags.broadcast(), flags.is_response()) {
            (true, _) => capture.datagram(CLIENT, SUBNET_BROADCAST, bytes),
            (_, true) => capture.datagram(SERVER, CLIENT, bytes),
            (_, false) => capture.datagram(CLIENT, SERVER, bytes),
        }
    }
    let fields =
        with_checks(&["nbns.flags", "nbns.id", "nbns.addr", "eth.dst", "frame.time_epoch"]);
    let lines = capture.dissect(&tshark, &fields);
    assert_eq!(lines.len(), samples.len());
    for (i, ((file, bytes), line)) in samples.iter().zip(&lines).enumerate() {
        let rest = assert_sound(file, line, "eth:ethertype:ip:udp:nbns");
        let (id, flags) = peek(bytes).expect("a header");
        // The data of a WACK are the flags of the request that must wait.
        let waiting = if *file == "wack" { ",0x2900" } else { "" };
        assert_eq!(rest[0], format!("0x{:04x}{waiting}", flags.0), "{file}");
        assert_eq!(rest[1], format!("0x{id:04x}"), "{file}");
        let packet = name_service::NamePacket::decode(bytes).expect("a good packet");
        let record = packet.answer.or(packet.additional);
        let record = record.filter(|record| record.rr_type == name_service::TYPE_NB);
        let addresses: Vec<String> = record
            .map(|record| record.entries().map(|entry| entry.address.to_string()).collect())
            .unwrap_or_default();
        if *file != "redirect" {
            assert_eq!(rest[2], addresses.join(","), "{file}");
        }
        let receiver = match flags.broadcast() {
            true => "ff:ff:ff:ff:ff:ff",
            false if flags.is_response() => "02:00:0a:01:00:07",
            false => "02:00:0a:01:00:02",
        };
        assert_eq!(rest[3], receiver, "{file}");
        assert_eq!(rest[4], format!("920246400.{:09}", (i + 1) * 1_000_000), "{file}");
    }
}

#[test]
fn tshark_decodes_every_replication_message() {
    let Some(tshark) = tshark() else { return };
    let samples = samples::replication();
    let mut capture = Capture::new();
    let mut connection = Connection::open(&mut capture);
    for (i, (_, message)) in samples.iter().enumerate() {
        connection.data(&mut capture, i % 2 == 0, &encoded(message));
    }
    connection.close(&mut capture);
    let fields = with_checks(&[
        "winsrepl.size",
        "winsrepl.message_type",
        "winsrepl.assoc_ctx",
        "winsrepl.repl_cmd",
        "winsrepl.max_version",
        "winsrepl.owner_address",
        "winsrepl.name_flags",
        "winsrepl.name_version_id",
    ]);
    let lines = capture.dissect(&tshark, &fields);
    assert_eq!(lines.len(), 3 + 2 * samples.len() + 3);
    for line in &lines[..3] {
        assert_sound("handshake", line, "eth:ethertype:ip:tcp");
    }
    for ((file, message), line) in samples.iter().zip(lines[3..].iter().step_by(2)) {
        let bytes = encoded(message);
        let rest = assert_sound(file, line, "eth:ethertype:ip:tcp:winsrepl");
        assert_eq!(rest[0], (bytes.len() - 4).to_string(), "{file}");
        let message_type = u32::from_be_bytes([bytes[12], bytes[13], bytes[14], bytes[15]]);
        assert_eq!(rest[1], message_type.to_string(), "{file}");
        assert!(rest[2].starts_with(&format!("0x{:08x}", message.handle)), "{file}");
        let opcode = u32::from_be_bytes([bytes[16], bytes[17], bytes[18], bytes[19]]);
        let opcode = if message_type == 3 { format!("0x{opcode:08x}") } else { String::new() };
        assert_eq!(rest[3], opcode, "{file}");
        match *file {
            "winsrepl_records_response" => {
                let flags = samples::records().into_iter().map(|r| format!("0x{:08x}", r.flags()));
                assert_eq!(rest[6], flags.collect::<Vec<_>>().join(","), "{file}");
                assert_eq!(rest[7], "257,258,259,260,261,262,263", "{file}");
            }
            "winsrepl_map_response" | "winsrepl_notification_9" => {
                assert_eq!(rest[4], "291,21474836487", "{file}");
                assert_eq!(rest[5], "10.1.0.2,10.2.0.2", "{file}");
            }
            _ => {}
        }
    }
}

#[test]
fn tshark_puts_a_thousand_records_together_again() {
    let Some(tshark) = tshark() else { return };
    let records: Vec<ReplicaRecord> = (0..1000)
        .map(|i: u32| {
            let name = format!("DESK-{i}").parse().expect("a good name");
            let address = Ipv4Addr::from(0x0A01_0000 + i);
            let addresses = ReplicaAddresses::Unique(address);
            ReplicaRecord::new(name, ScopeId::none(), u64::from(i), addresses)
        })
        .collect();
    let mut capture = Capture::new();
    let mut connection = Connection::open(&mut capture);
    let response = encoded(&Message::records_response(1, records));
    connection.data(&mut capture, false, &response);
    let lines = capture.dissect(&tshark, &with_checks(&["winsrepl.size", "winsrepl.num_names"]));
    assert_eq!(lines.len(), 3 + response.len().div_ceil(SEGMENT_LEN_MAX) + 1);
    let last = &lines[lines.len() - 2];
    let rest = assert_sound("the response", last, "eth:ethertype:ip:tcp:winsrepl");
    assert_eq!(rest, ["48020", "1000"]);
}
