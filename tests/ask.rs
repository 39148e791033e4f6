//! The commands that ask a real server, against peers scripted here: answers, refusals, waits, silence and
//! lies. What a person reads, and the exit code a script reads.

#![allow(clippy::disallowed_methods)] // the peer runs beside the program

use serde_json::Value;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::{Command, Output, Stdio};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use winstorm::wins::{NameKind, Origin, Owner, RecordState, VersionId, WinsStore};
use winstorm::wire::name_service::{
    Flags, NamePacket, NbEntry, NbFlags, NodeStatistics, NodeStatusName, NodeType, Opcode, Rcode,
    compose,
};
use winstorm::wire::name_service::{NameFlags, TYPE_NBSTAT};
use winstorm::wire::replication::{
    Body, FrameReader, Member, Message, OwnerRecord, ReplicaAddresses, ReplicaRecord, ReplicaState,
    StopReason,
};
use winstorm::wire::{NetbiosName, ScopeId};

/// How long a peer waits for the program before the test fails.
const PATIENCE: Duration = Duration::from_secs(60);

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_winstorm"))
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("the program starts")
}

fn expect(code: i32, arguments: &[&str]) -> (String, String) {
    let output = run(arguments);
    let out = String::from_utf8(output.stdout).expect("text");
    let err = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(code), "{arguments:?}\n{out}{err}");
    assert!(!err.contains("panicked"), "{arguments:?}\n{err}");
    (out, err)
}

fn name(text: &str) -> NetbiosName {
    text.parse().expect(text)
}

fn entry(address: &str, is_group: bool) -> NbEntry {
    let flags = NbFlags::new(is_group, NodeType::H);
    NbEntry { flags, address: address.parse().expect("an address") }
}

/// A name server that answers each datagram with what `script` pushes for it.
struct Peer {
    port: String,
    thread: JoinHandle<Vec<Vec<u8>>>,
}

impl Peer {
    /// Takes `requests` datagrams.
    fn new(
        requests: usize,
        mut script: impl FnMut(&NamePacket<'_>, &mut Vec<Vec<u8>>) + Send + 'static,
    ) -> Peer {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        socket.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        let port = socket.local_addr().expect("an address").port().to_string();
        let thread = thread::spawn(move || {
            let mut seen = Vec::new();
            let mut buffer = [0; 2048];
            for _ in 0..requests {
                let (len, from) = socket.recv_from(&mut buffer).expect("a request");
                let mut answers = Vec::new();
                script(&NamePacket::decode(&buffer[..len]).expect("a message"), &mut answers);
                seen.push(buffer[..len].to_vec());
                for answer in answers {
                    socket.send_to(&answer, from).expect("sent");
                }
            }
            seen
        });
        Peer { port, thread }
    }

    fn seen(self) -> Vec<Vec<u8>> {
        self.thread.join().expect("the peer ends")
    }
}

/// The question's name and scope.
fn asked(packet: &NamePacket<'_>) -> (NetbiosName, ScopeId) {
    let question = packet.question.as_ref().expect("a question");
    (question.name, question.scope.clone())
}

fn positive(packet: &NamePacket<'_>, entries: &[NbEntry]) -> Vec<u8> {
    let (mut out, (name, scope)) = (Vec::new(), asked(packet));
    let server = compose::Responder::Server;
    compose::positive_query_response(packet.id, server, &name, &scope, 0, entries, &mut out);
    out
}

fn registered(packet: &NamePacket<'_>, rcode: Rcode, ttl: u32) -> Vec<u8> {
    let (mut out, (name, scope)) = (Vec::new(), asked(packet));
    let claimed = packet.additional.as_ref().expect("a claim").entries().next().expect("an entry");
    compose::registration_response(packet.id, rcode, &name, &scope, ttl, claimed, &mut out);
    out
}

fn wack(packet: &NamePacket<'_>, seconds: u32) -> Vec<u8> {
    let (mut out, (name, scope)) = (Vec::new(), asked(packet));
    compose::wack(packet.id, &name, &scope, seconds, packet.flags, &mut out);
    out
}

/// `--server 127.0.0.1 --port PORT` and the rest.
fn ask(code: i32, peer: &Peer, arguments: &[&str]) -> (String, String) {
    let ends = ["--server", "127.0.0.1", "--port", &peer.port];
    expect(code, &[arguments, &ends].concat())
}

#[test]
fn a_query_prints_every_address() {
    let peer = Peer::new(1, |packet, answers| {
        answers.push(positive(packet, &[entry("10.0.0.1", true), entry("10.0.0.2", true)]));
    });
    let (out, _) = ask(0, &peer, &["query", "corp#1C"]);
    assert_eq!(
        out,
        "CORP<1C>  10.0.0.1         group, H node\nCORP<1C>  10.0.0.2         group, H node\n"
    );
    let seen = peer.seen();
    let request = NamePacket::decode(&seen[0]).expect("a request");
    assert_eq!(request.flags, Flags(0x0100));
    assert_eq!(asked(&request), (name("CORP#1C"), ScopeId::none()));
}

#[test]
fn answers_to_something_else_are_passed_over() {
    let peer = Peer::new(1, |packet, answers| {
        let good = positive(packet, &[entry("10.0.0.1", false)]);
        let mut other_id = good.clone();
        other_id[0] ^= 1;
        let mut other_name = good.clone();
        other_name[13] ^= 1;
        let mut empty = Vec::new();
        let (name, scope) = asked(packet);
        let server = compose::Responder::Server;
        compose::positive_query_response(packet.id, server, &name, &scope, 0, &[], &mut empty);
        let mut request = good.clone();
        request[2] &= 0x7F;
        let registration = registered_like(packet);
        answers.extend([other_id, other_name, empty, request, registration]);
        answers.extend([good[..30].to_vec(), vec![], good]);
    });
    let (out, _) = ask(0, &peer, &["query", "FILES1"]);
    assert_eq!(out, "FILES1<20>  10.0.0.1         unique, H node\n");
}

/// A registration's answer to whatever was asked.
fn registered_like(packet: &NamePacket<'_>) -> Vec<u8> {
    let (mut out, (name, scope)) = (Vec::new(), asked(packet));
    let claimed = entry("10.9.9.9", false);
    compose::registration_response(packet.id, Rcode::Ok, &name, &scope, 1, claimed, &mut out);
    out
}

#[test]
fn every_code_is_said_in_words() {
    let codes = [
        (1, "FMT_ERR (1): the server found the request malformed"),
        (2, "SRV_ERR (2): the server failed and cannot process names"),
        (3, "NAM_ERR (3): the server knows no such name"),
        (4, "IMP_ERR (4): the server does not support this request"),
        (5, "RFS_ERR (5): the server refuses this by its policy"),
        (6, "ACT_ERR (6): another node owns the name"),
        (7, "CFT_ERR (7): the name is in conflict: more than one node holds it"),
        (9, "unknown (9): no documented meaning"),
    ];
    for (code, words) in codes {
        let peer = Peer::new(1, move |packet, answers| {
            answers.push(registered(packet, Rcode::from_code(code), 0));
        });
        let (out, _) = ask(1, &peer, &["register", "FILES1", "10.0.0.1"]);
        assert_eq!(out, format!("FILES1<20>  10.0.0.1         {words}\n"));
    }
    let peer = Peer::new(1, |packet, answers| {
        let (mut out, (name, scope)) = (Vec::new(), asked(packet));
        let server = compose::Responder::Server;
        let (rcode, flags) = (Rcode::NameError, packet.flags);
        compose::negative_query_response(packet.id, server, rcode, &name, &scope, flags, &mut out);
        answers.push(out);
    });
    let (out, _) = ask(1, &peer, &["query", "NOBODY"]);
    assert_eq!(out, "NOBODY<20>  NAM_ERR (3): the server knows no such name\n");
}

#[test]
fn requests_are_repeated_and_then_given_up() {
    let mut lost = 2;
    let peer = Peer::new(3, move |packet, answers| {
        if lost == 0 {
            answers.push(positive(packet, &[entry("10.0.0.1", false)]));
        }
        lost -= 1;
    });
    let quick = ["--timeout", "100ms", "--format", "json"];
    let (out, _) = ask(0, &peer, &[&["query", "FILES1"], &quick[..]].concat());
    let object: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!((&object["tries"], &object["rcode"]), (&Value::from(3), &Value::from(0)));
    assert_eq!(object["addresses"][0]["address"], "10.0.0.1");
    let seen = peer.seen();
    assert!(seen.iter().all(|request| *request == seen[0]), "the same bytes each time");

    let silent = Peer::new(2, |_, _| ());
    let (out, err) = ask(4, &silent, &["query", "FILES1", "--timeout", "50ms", "--tries", "2"]);
    assert_eq!(out, "");
    assert!(err.contains("no answer from 127.0.0.1:") && err.contains("2 requests"), "{err}");
    assert!(err.contains("--timeout"), "{err}");
    silent.seen();
}

#[test]
fn a_wack_stretches_the_wait() {
    let answered = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    answered.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    let port = answered.local_addr().expect("an address").port().to_string();
    let thread = thread::spawn(move || {
        let mut buffer = [0; 2048];
        let (len, from) = answered.recv_from(&mut buffer).expect("a request");
        let packet = NamePacket::decode(&buffer[..len]).expect("a message");
        answered.send_to(&wack(&packet, 50), from).expect("sent");
        // Far longer than a try: a request repeated meanwhile would come in first.
        thread::sleep(Duration::from_millis(400));
        answered.set_nonblocking(true).expect("set");
        assert!(answered.recv_from(&mut [0; 2048]).is_err(), "repeated in spite of the WACK");
        answered.send_to(&registered(&packet, Rcode::Active, 0), from).expect("sent");
    });
    let ends = ["--server", "127.0.0.1", "--port", &port, "--timeout", "100ms"];
    let (out, _) = expect(1, &[&["register", "FILES1", "10.0.0.7"], &ends[..]].concat());
    let words = "ACT_ERR (6): another node owns the name, after it asked for time (WACK, 50 s)";
    assert_eq!(out, format!("FILES1<20>  10.0.0.7         {words}\n"));
    thread.join().expect("the peer ends");

    let silent = Peer::new(2, |packet, answers| answers.push(wack(packet, 0)));
    let (_, err) = ask(4, &silent, &["query", "FILES1", "--timeout", "50ms", "--tries", "2"]);
    assert!(err.contains("asked to wait (WACK) and then fell silent"), "{err}");
}

#[test]
fn a_registration_says_what_it_claims() {
    let cases: [(&[&str], u16, u16); 6] = [
        (&["register", "FILES1", "10.0.0.7"], 0x2900, 0x6000),
        (&["register", "FILES1", "10.0.0.7", "--multihomed", "--node", "p"], 0x7900, 0x2000),
        (&["register", "FILES1", "10.0.0.7", "--refresh"], 0x4100, 0x6000),
        (&["register", "CORP#1C", "10.0.0.7", "--group"], 0x2900, 0xE000),
        (&["release", "FILES1", "--address", "10.0.0.7"], 0x3000, 0x6000),
        (&["release", "CORP#00", "--group", "--address", "10.0.0.7"], 0x3000, 0xE000),
    ];
    for (arguments, flags, nb_flags) in cases {
        let peer = Peer::new(1, |packet, answers| match packet.opcode() {
            Opcode::Release => {
                let (mut out, (name, scope)) = (Vec::new(), asked(packet));
                let claim = packet.additional.as_ref().expect("a claim");
                let claimed = claim.entries().next().expect("an entry");
                compose::release_response(packet.id, Rcode::Ok, &name, &scope, claimed, &mut out);
                answers.push(out);
            }
            _ => answers.push(registered(packet, Rcode::Ok, 518_400)),
        });
        let (out, _) = ask(0, &peer, arguments);
        let done =
            if flags == 0x4100 { "refreshed, TTL 518400 s" } else { "registered, TTL 518400 s" };
        let done = if flags == 0x3000 { "released for 10.0.0.7" } else { done };
        assert!(out.contains(done), "{arguments:?}: {out}");
        let seen = peer.seen();
        let request = NamePacket::decode(&seen[0]).expect("a request");
        assert_eq!(request.flags, Flags(flags), "{arguments:?}");
        let claim = request.additional.expect("a claim");
        let entries: Vec<NbEntry> = claim.entries().collect();
        let address = Ipv4Addr::new(10, 0, 0, 7);
        assert_eq!(entries, [NbEntry { flags: NbFlags(nb_flags), address }], "{arguments:?}");
    }
}

#[test]
fn several_addresses_are_claimed_one_by_one() {
    let mut first = true;
    let peer = Peer::new(2, move |packet, answers| {
        let rcode = if std::mem::take(&mut first) { Rcode::Ok } else { Rcode::Refused };
        answers.push(registered(packet, rcode, 300));
    });
    let (out, _) = ask(1, &peer, &["register", "FILES1", "10.0.0.1", "10.0.0.2"]);
    assert!(out.contains("10.0.0.1         registered, TTL 300 s\n"), "{out}");
    assert!(out.contains("10.0.0.2         RFS_ERR (5)"), "{out}");
    for request in peer.seen() {
        assert_eq!(NamePacket::decode(&request).expect("a request").flags, Flags(0x7900));
    }
}

#[test]
fn a_release_gives_the_address_it_is_sent_from() {
    let peer = Peer::new(1, |packet, answers| {
        let (mut out, (name, scope)) = (Vec::new(), asked(packet));
        let claim = entry("127.0.0.9", false);
        compose::release_response(packet.id, Rcode::Ok, &name, &scope, claim, &mut out);
        answers.push(out);
    });
    let (out, _) = ask(0, &peer, &["release", "FILES1", "--from", "127.0.0.9", "--scope", "a.b"]);
    assert_eq!(out, "FILES1<20>  released for 127.0.0.9\n");
    let seen = peer.seen();
    let request = NamePacket::decode(&seen[0]).expect("a request");
    assert_eq!(asked(&request).1, ScopeId::new(b"a.b").expect("a scope"));
    let claim = request.additional.expect("a claim");
    assert_eq!(claim.entries().next().expect("an entry").address, Ipv4Addr::new(127, 0, 0, 9));
}

#[test]
fn a_status_shows_names_flags_and_mac() {
    let script = |packet: &NamePacket<'_>, answers: &mut Vec<Vec<u8>>| {
        let (mut out, (asked_name, scope)) = (Vec::new(), asked(packet));
        assert_eq!(packet.question.as_ref().expect("a question").rr_type, TYPE_NBSTAT);
        let active = NameFlags::active(false, NodeType::H);
        let names = [
            NodeStatusName { name: name("FILES1#00"), flags: active.with_permanent(true) },
            NodeStatusName { name: name("CORP#00"), flags: NameFlags::active(true, NodeType::H) },
            NodeStatusName { name: name("FILES1#20"), flags: active.with_conflict(true) },
        ];
        let statistics = NodeStatistics::new([0, 0xA0, 0xC9, 0x12, 0x34, 0x56]);
        compose::node_status_response(
            packet.id,
            &asked_name,
            &scope,
            &names,
            &statistics,
            &mut out,
        );
        answers.push(out);
    };
    let peer = Peer::new(1, script);
    let (out, _) = expect(0, &["status", "127.0.0.1", "--port", &peer.port]);
    let expected = "names of 127.0.0.1\n  \
        FILES1          <00>  unique  H node  registered, permanent\n  \
        CORP            <00>  group   H node  registered\n  \
        FILES1          <20>  unique  H node  conflict\n\
        MAC address 00-A0-C9-12-34-56\n";
    assert_eq!(out, expected);
    let seen = peer.seen();
    assert_eq!(asked(&NamePacket::decode(&seen[0]).expect("a request")).0, NetbiosName::ANY);

    let peer = Peer::new(1, script);
    let (out, _) = expect(0, &["status", "127.0.0.1", "--port", &peer.port, "--format", "json"]);
    let object: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(object["names"].as_array().expect("a list").len(), 3);
    assert_eq!(object["names"][2]["conflict"], true);
    assert_eq!(object["mac"], "00-A0-C9-12-34-56");
}

#[test]
fn mistakes_say_how_to_proceed() {
    let usage: [(&[&str], &str); 7] = [
        (&["query", "A23456789012345678", "--server", "127.0.0.1"], "at most 15"),
        (&["query", "FILES1#2", "--server", "127.0.0.1"], "two hexadecimal digits"),
        (&["query", "FILES1", "--server", "files1"], "invalid IPv4 address"),
        (&["query", "FILES1"], "--server"),
        (&["query", "A", "--server", "127.0.0.1", "--timeout", "0s"], "longer than 0"),
        (&["query", "A", "--server", "127.0.0.1", "--tries", "0"], "0 is not in 1..=100"),
        (&["query", "A", "--server", "127.0.0.1", "--from", "192.0.2.1"], "of this machine"),
    ];
    for (arguments, says) in usage {
        let (out, err) = expect(2, arguments);
        assert!(err.contains(says), "{arguments:?}: {err}");
        assert_eq!(out, "");
    }
    // A port that was free a moment ago.
    let port = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port").local_addr();
    let port = port.expect("an address").port().to_string();
    let (_, err) = expect(4, &["query", "FILES1", "--server", "127.0.0.1", "--port", &port]);
    assert!(err.contains("nobody listens on UDP port"), "{err}");
}

/// What a scripted replication peer does with a connection.
type Script = Box<dyn FnOnce(&mut Line) + Send>;

/// One connection at the peer.
struct Line {
    stream: TcpStream,
    frames: FrameReader,
    /// The handle the puller wants to see.
    handle: u32,
}

impl Line {
    /// The next message, `None` at the end.
    fn receive(&mut self) -> Option<Message> {
        loop {
            if let Some(frame) = self.frames.next_frame().expect("frames") {
                return Some(Message::decode(frame).expect("a message"));
            }
            let mut piece = [0; 4096];
            match self.stream.read(&mut piece) {
                Ok(0) | Err(_) => return None,
                Ok(len) => self.frames.feed(&piece[..len]),
            }
        }
    }

    fn send(&mut self, message: &Message) {
        let mut bytes = Vec::new();
        message.encode(&mut bytes);
        // The puller may have given up already.
        let _ = self.stream.write_all(&bytes);
    }

    /// Answers the start, and the map request that follows.
    fn open(&mut self, owners: &[OwnerRecord]) {
        self.accept();
        let request = self.receive().expect("a map request");
        assert_eq!((&request.body, request.handle), (&Body::MapRequest, 77));
        self.send(&Message::map_response(self.handle, owners.to_vec()));
    }

    fn accept(&mut self) {
        let Body::StartRequest(start) = self.receive().expect("a start").body else {
            panic!("no start request")
        };
        self.handle = start.sender_handle;
        self.send(&Message::start_response(self.handle, 77, 5));
    }

    /// What is wanted next; `None` for a stop or the end.
    fn wanted(&mut self) -> Option<OwnerRecord> {
        match self.receive()?.body {
            Body::RecordsRequest(wanted) => Some(wanted),
            _ => None,
        }
    }
}

/// A peer that takes one connection.
fn partner(script: impl FnOnce(&mut Line) + Send + 'static) -> (String, JoinHandle<()>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let SocketAddr::V4(address) = listener.local_addr().expect("an address") else {
        unreachable!()
    };
    let script: Script = Box::new(script);
    let thread = thread::spawn(move || {
        let (stream, _) = listener.accept().expect("a connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        script(&mut Line { stream, frames: FrameReader::default(), handle: 0 });
    });
    (address.port().to_string(), thread)
}

fn pull(code: i32, port: &str, arguments: &[&str]) -> (String, String) {
    expect(code, &[&["pull", "--server", "127.0.0.1", "--port", port], arguments].concat())
}

const A: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const B: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);

fn unique(text: &str, version: u64, last: u8) -> ReplicaRecord {
    let address = ReplicaAddresses::Unique(Ipv4Addr::new(10, 1, 0, last));
    ReplicaRecord::new(name(text), ScopeId::none(), version, address)
}

/// Two owners, four records, the second owner's in two parts.
fn honest(line: &mut Line) {
    line.open(&[OwnerRecord::new(A, 0, 5), OwnerRecord::new(B, 0, 9)]);
    let members = vec![Member { owner: A, address: Ipv4Addr::new(10, 1, 0, 9) }];
    let group = ReplicaAddresses::SpecialGroup(members);
    let mut tombstone = unique("GONE", 8, 3);
    tombstone.state = ReplicaState::Tombstone;
    let mut fixed = unique("FIXED", 9, 4);
    fixed.is_static = true;
    let parts = [
        (OwnerRecord::new(A, 1, 5), vec![unique("FILES1", 5, 1)]),
        (
            OwnerRecord::new(B, 1, 9),
            vec![ReplicaRecord::new(name("CORP#1C"), ScopeId::none(), 7, group)],
        ),
        (OwnerRecord::new(B, 8, 9), vec![tombstone, fixed]),
    ];
    for (wanted, records) in parts {
        assert_eq!(line.wanted(), Some(wanted));
        line.send(&Message::records_response(line.handle, records));
    }
    assert_eq!(line.receive().expect("a stop").body, Body::Stop(StopReason::Normal));
}

#[test]
fn a_pull_prints_map_and_records() {
    let (port, peer) = partner(honest);
    let (out, _) = pull(0, &port, &[]);
    let owners = "  10.0.0.1         highest version 5\n  10.0.0.2         highest version 9\n";
    assert!(
        out.starts_with(&format!("owners at 127.0.0.1:{port}: 2\n{owners}records: 4\n")),
        "{out}"
    );
    let lines: Vec<Vec<&str>> =
        out.lines().skip(4).map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(
        lines[0],
        ["FILES1<20>", "unique", "active", "dynamic", "10.0.0.1", "5", "10.1.0.1"]
    );
    let group = ["CORP<1C>", "internet", "group", "active", "dynamic", "10.0.0.2", "7", "10.1.0.9"];
    assert_eq!(lines[1], [&group[..], &["(by", "10.0.0.1)"]].concat());
    assert_eq!(lines[2][..4], ["GONE<20>", "unique", "tombstone", "dynamic"]);
    assert_eq!(lines[3][..4], ["FIXED<20>", "unique", "active", "static"]);
    peer.join().expect("the peer ends");

    let (port, peer) = partner(honest);
    let (out, _) = pull(0, &port, &["--format", "json"]);
    let object: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(object["owners"][1]["version_max"], 9);
    assert_eq!(object["records"][1]["addresses"][0]["owner"], "10.0.0.1");
    peer.join().expect("the peer ends");
}

#[test]
fn a_pull_keeps_records_in_a_database() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("pulled.redb");
    let file = path.to_str().expect("a path in UTF-8");
    let (port, peer) = partner(honest);
    let (out, _) = pull(0, &port, &["--store", file]);
    assert_eq!(out, format!("4 records of 2 owners kept in {file}\n"));
    peer.join().expect("the peer ends");

    let stored = std::fs::OpenOptions::new().read(true).write(true).open(&path).expect("a file");
    let backend = redb::backends::FileBackend::new(stored).expect("a backend");
    let loaded = WinsStore::open(backend).expect("a database").load().expect("records");
    assert_eq!(loaded.maxima, [(Owner(A), VersionId(5)), (Owner(B), VersionId(9))]);
    let mut records = loaded.records;
    records.sort_by_key(|record| record.version);
    let short: Vec<_> = records.iter().map(|r| (r.owner, r.version.0, r.kind, r.state)).collect();
    let expected = [
        (Owner(A), 5, NameKind::Unique, RecordState::Active),
        (Owner(B), 7, NameKind::InternetGroup, RecordState::Active),
        (Owner(B), 8, NameKind::Unique, RecordState::Tombstone),
        (Owner(B), 9, NameKind::Unique, RecordState::Active),
    ];
    assert_eq!(short, expected);
    assert_eq!(records[3].origin, Origin::Static);
    assert_eq!(records[1].members.as_slice()[0].owner, Owner(A));

    let (_, err) = pull(2, "1", &["--store", file]);
    assert!(err.contains("exists already"), "{err}");
}

#[test]
fn one_owner_is_pulled_alone() {
    let (port, peer) = partner(|line| {
        line.open(&[OwnerRecord::new(A, 0, 5), OwnerRecord::new(B, 0, 9)]);
        assert_eq!(line.wanted(), Some(OwnerRecord::new(B, 1, 9)));
        line.send(&Message::records_response(line.handle, vec![unique("LAST", 9, 1)]));
        assert_eq!(line.receive().expect("a stop").body, Body::Stop(StopReason::Normal));
    });
    let (out, _) = pull(0, &port, &["--owner", "10.0.0.2"]);
    assert!(out.contains("records: 1\n"), "{out}");
    peer.join().expect("the peer ends");

    let (port, peer) = partner(|line| {
        line.open(&[OwnerRecord::new(A, 0, 5)]);
        assert_eq!(line.receive().expect("a stop").body, Body::Stop(StopReason::Normal));
    });
    let (_, err) = pull(1, &port, &["--owner", "10.0.0.2"]);
    assert!(err.contains("nothing of owner 10.0.0.2"), "{err}");
    peer.join().expect("the peer ends");
}

/// A peer's doing, what the puller says, and with which exit code; options beside.
fn lie(says: &str, arguments: &[&str], script: impl FnOnce(&mut Line) + Send + 'static) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("pulled.redb");
    let (port, peer) = partner(script);
    let store = ["--store", path.to_str().expect("a path in UTF-8")];
    let (out, err) = pull(4, &port, &[arguments, &store].concat());
    assert!(err.contains(says), "{err}");
    assert_eq!(out, "");
    assert!(!path.exists(), "half a database is left behind");
    peer.join().expect("the peer ends");
}

#[test]
fn a_peer_that_turns_us_away_is_understood() {
    lie("configured partners", &[], |line| {
        line.accept();
        line.receive();
        line.send(&Message::stop(line.handle, StopReason::Error));
    });
    lie("reason 4: error", &[], |line| {
        line.accept();
        line.receive();
        line.send(&Message::stop(line.handle, StopReason::Error));
    });
    lie("closed the connection without an answer", &[], |line| {
        line.receive();
    });
}

#[test]
fn a_lying_peer_costs_little() {
    lie("claims 4294967295 bytes", &[], |line| {
        line.receive();
        let _ = line.stream.write_all(&[0xFF; 64]);
        line.receive();
    });
    lie("its header alone has 12", &[], |line| {
        line.receive();
        let _ = line.stream.write_all(&[0, 0, 0, 1, 0]);
        line.receive();
    });
    lie("in the middle of a message, after 5 bytes of it", &[], |line| {
        line.accept();
        line.receive();
        let _ = line.stream.write_all(&[0, 0, 0, 40, 0]);
    });
    lie("no whole message within 300ms (5 bytes of one)", &["--timeout", "300ms"], |line| {
        line.accept();
        line.receive();
        let _ = line.stream.write_all(&[0, 0, 0, 40, 0]);
        line.receive();
    });
    lie("version 3.0", &[], |line| {
        let Body::StartRequest(start) = line.receive().expect("a start").body else { return };
        let mut answer = Message::start_response(start.sender_handle, 1, 0);
        if let Body::StartResponse(start) = &mut answer.body {
            start.major = 3;
        }
        line.send(&answer);
        line.receive();
    });
    lie("malformed message", &[], |line| {
        line.accept();
        line.receive();
        // A map that claims more owners than the message has bytes.
        let mut bytes = Vec::new();
        Message::map_response(line.handle, vec![OwnerRecord::new(A, 0, 5)]).encode(&mut bytes);
        bytes[20..24].copy_from_slice(&[0xFF; 4]);
        let _ = line.stream.write_all(&bytes);
        line.receive();
    });
}

/// A byte now and then must not keep the puller for ever.
#[test]
fn a_message_that_drips_is_given_up() {
    lie("sent no whole message within 500ms", &["--timeout", "500ms"], |line| {
        line.accept();
        line.receive();
        let mut bytes = Vec::new();
        Message::map_response(line.handle, vec![OwnerRecord::new(A, 0, 5)]).encode(&mut bytes);
        for byte in bytes {
            thread::sleep(Duration::from_millis(100));
            if line.stream.write_all(&[byte]).is_err() {
                break;
            }
        }
    });
}

#[test]
fn records_outside_what_was_asked_for_are_refused() {
    lie("outside versions 1 to 5", &[], |line| {
        line.open(&[OwnerRecord::new(A, 0, 5)]);
        line.wanted();
        line.send(&Message::records_response(line.handle, vec![unique("FILES1", 6, 1)]));
        line.receive();
    });
    lie("answers a records request with something else", &[], |line| {
        line.open(&[OwnerRecord::new(A, 0, 5)]);
        line.wanted();
        line.send(&Message::map_response(line.handle, Vec::new()));
        line.receive();
    });
}

#[test]
fn endless_records_and_messages_end() {
    lie("more than 1000 records", &["--limit", "1000"], |line| {
        line.open(&[OwnerRecord::new(A, 0, u64::MAX)]);
        while let Some(wanted) = line.wanted() {
            let more = (0..100).map(|n| unique("FILES1", wanted.version_min + n, 1)).collect();
            line.send(&Message::records_response(line.handle, more));
        }
    });
    lie("more than 64 messages nobody asked for", &[], |line| {
        line.accept();
        line.receive();
        for _ in 0..100 {
            // Another connection's handle.
            line.send(&Message::map_response(line.handle + 1, Vec::new()));
        }
        line.receive();
    });
    lie("more than 4096 owners", &[], |line| {
        let owners = (0..5000).map(|n| OwnerRecord::new(Ipv4Addr::from_bits(n), 0, 1));
        line.open(&owners.collect::<Vec<_>>());
        line.receive();
    });
}

/// `winstorm serve wins` on ports of its own; ends with the value.
struct Server {
    child: std::process::Child,
    port: String,
    replication: String,
    _folder: tempfile::TempDir,
}

impl Server {
    fn start() -> Server {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let names = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let streams = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let port = names.local_addr().expect("an address").port().to_string();
        let replication = streams.local_addr().expect("an address").port().to_string();
        drop((names, streams));
        let child = Command::new(env!("CARGO_BIN_EXE_winstorm"))
            .args(["serve", "wins", "--listen", "127.0.0.1", "--name", "ASKED", "--any-partner"])
            .args(["--name-port", &port, "--replication-port", &replication, "--quiet", "--store"])
            .arg(folder.path().join("wins.redb"))
            .stdin(Stdio::null())
            .spawn()
            .expect("the program starts");
        let server = Server { child, port, replication, _folder: folder };
        // Its own names are there when it serves.
        let up = || {
            let query = ["query", "ASKED", "--server", "127.0.0.1", "--port", &server.port];
            run(&[&query[..], &["--timeout", "100ms"]].concat()).status.success()
        };
        let tries = PATIENCE.as_millis() / 20;
        let came_up = (0..tries).any(|_| {
            up() || {
                thread::sleep(Duration::from_millis(20));
                false
            }
        });
        assert!(came_up, "the server does not answer");
        server
    }

    fn ask(&self, code: i32, arguments: &[&str]) -> String {
        let ends = ["--server", "127.0.0.1", "--port", &self.port];
        expect(code, &[arguments, &ends].concat()).0
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_name_lives_and_ends_at_the_server() {
    let server = Server::start();
    let own = ["--from", "127.0.0.1"];
    let out = server.ask(0, &[&["register", "FILES1", "127.0.0.1"], &own[..]].concat());
    assert_eq!(out, "FILES1<20>  127.0.0.1        registered, TTL 518400 s\n");
    assert!(server.ask(0, &["query", "FILES1"]).contains("127.0.0.1        unique"));
    let refresh = ["register", "FILES1", "127.0.0.1", "--refresh"];
    assert!(server.ask(0, &[&refresh[..], &own[..]].concat()).contains("refreshed"));
    assert!(server.ask(0, &[&["release", "FILES1"], &own[..]].concat()).contains("released for"));
    assert!(server.ask(1, &["query", "FILES1"]).contains("NAM_ERR (3)"));

    let group = ["register", "CORP#1C", "10.0.0.1", "10.0.0.2", "--group"];
    assert_eq!(server.ask(0, &group).lines().count(), 2);
    let members = server.ask(0, &["query", "CORP#1C"]);
    assert!(
        members.contains("10.0.0.1         group") && members.contains("10.0.0.2         group")
    );
    // The server's own name is defended.
    assert!(server.ask(1, &["register", "ASKED", "10.0.0.9"]).contains("ACT_ERR (6)"));

    let (table, _) = expect(0, &["status", "127.0.0.1", "--port", &server.port]);
    assert!(table.contains("ASKED           <20>  unique"), "{table}");

    let (pulled, _) = pull(0, &server.replication, &["--format", "json"]);
    let object: Value = serde_json::from_str(&pulled).expect("JSON");
    assert_eq!(object["owners"][0]["owner"], "127.0.0.1");
    let records = object["records"].as_array().expect("a list");
    let corp = records.iter().find(|record| record["name"] == "CORP<1C>").expect("the group");
    assert_eq!((&corp["kind"], &corp["state"]), (&"internet group".into(), &"active".into()));
    assert_eq!(corp["addresses"].as_array().expect("a list").len(), 2);
}
