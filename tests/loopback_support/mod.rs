//! Servers to be started and stopped, clients that ask them, addresses nobody else has.

use serde_json::Value;
use std::cell::Cell;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use winstorm::wire::name_service::compose::{self, Claim, Responder};
use winstorm::wire::name_service::{NamePacket, NbEntry, NbFlags, NodeType, Opcode, Rcode};
use winstorm::wire::{NetbiosName, ScopeId, Suffix};

/// Names and replication are served here, on addresses nobody else has.
const NAME_PORT: u16 = 21_137;
const REPLICATION_PORT: u16 = 21_042;
/// Looks until something has happened, ten milliseconds apart: a minute on a busy machine.
const LOOKS_MAX: u32 = 6000;
const LOOK: Duration = Duration::from_millis(10);
/// A client repeats a request this often, a second apart.
const TRIES: u32 = 20;

/// A loopback address of this run.
pub fn address(n: u8) -> Ipv4Addr {
    let run = std::process::id();
    Ipv4Addr::new(127, 20 + (run / 250 % 200) as u8, 1 + (run % 250) as u8, n)
}

/// The program.
pub fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_winstorm"));
    command.args(arguments).stdin(Stdio::null());
    command
}

/// Runs the program to its end and returns what it said.
pub fn expect_exit(code: i32, arguments: &[String]) -> String {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let output = program(&arguments).output().expect("the program starts");
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
    assert!(!said.contains("panicked"), "{said}");
    said
}

/// Waits until something has happened.
pub fn wait_for(what: &str, mut happened: impl FnMut() -> bool) {
    for _ in 0..LOOKS_MAX {
        if happened() {
            return;
        }
        std::thread::sleep(LOOK);
    }
    panic!("waited in vain for {what}");
}

/// A folder for one store.
pub struct Folder {
    folder: tempfile::TempDir,
    store: PathBuf,
}

impl Folder {
    pub fn new() -> Folder {
        let folder = tempfile::tempdir().expect("a folder");
        let store = folder.path().join("wins.db");
        Folder { folder, store }
    }
    pub fn with_store(store: &Path) -> Folder {
        Folder { store: store.to_owned(), ..Folder::new() }
    }
    pub fn path(&self) -> &Path {
        self.folder.path()
    }
    pub fn store(&self) -> PathBuf {
        self.store.clone()
    }
    /// A program that does this.
    pub fn script(&self, text: &str) -> String {
        use std::os::unix::fs::PermissionsExt;
        let path = self.path().join("script.sh");
        fs::write(&path, format!("#!/bin/sh\n{text}\n")).expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("executable");
        path.display().to_string()
    }
}

/// A running server.
pub struct Server {
    pub address: Ipv4Addr,
    child: Child,
    log: Arc<Mutex<Vec<String>>>,
}

impl Server {
    pub fn arguments(address: Ipv4Addr, store: &Path, options: &[&str]) -> Vec<String> {
        let mut all: Vec<String> = ["serve", "wins", "--store"].map(String::from).to_vec();
        all.push(store.display().to_string());
        if !options.contains(&"--listen") {
            all.extend(["--listen".to_string(), address.to_string()]);
        }
        all.extend(["--name-port".to_string(), NAME_PORT.to_string()]);
        all.extend(["--replication-port".to_string(), REPLICATION_PORT.to_string()]);
        all.extend(options.iter().map(ToString::to_string));
        all
    }

    pub fn start(address: Ipv4Addr, folder: &Folder, options: &[&str]) -> Server {
        let options: Vec<String> = options.iter().map(ToString::to_string).collect();
        Server::start_with(address, folder, &options)
    }

    /// Starts a server and waits until it serves.
    pub fn start_with(address: Ipv4Addr, folder: &Folder, options: &[String]) -> Server {
        let options: Vec<&str> = options.iter().map(String::as_str).collect();
        let arguments = Server::arguments(address, &folder.store(), &options);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let mut command = program(&arguments);
        let mut child = command
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let log = Arc::new(Mutex::new(Vec::new()));
        let (stderr, lines) = (child.stderr.take().expect("a pipe"), log.clone());
        #[allow(clippy::disallowed_methods)] // the log is read while the server runs
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                lines.lock().expect("nobody panics").push(line);
            }
        });
        let mut server = Server { address, child, log };
        wait_for("the server", || {
            let ended = server.child.try_wait().expect("a child").is_some();
            assert!(!ended, "it ended: {:?}", server.log());
            server.log().iter().any(|line| line.contains("serving as"))
        });
        server
    }

    pub fn names(&self) -> SocketAddrV4 {
        SocketAddrV4::new(self.address, NAME_PORT)
    }

    pub fn replication(&self) -> SocketAddrV4 {
        SocketAddrV4::new(self.address, REPLICATION_PORT)
    }

    pub fn log(&self) -> Vec<String> {
        self.log.lock().expect("nobody panics").clone()
    }

    fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        let killed = Command::new("kill").args(["-s", signal, &id]).status().expect("kill");
        assert!(killed.success());
    }

    /// Ends it with a signal; its exit code, if it had the chance to give one.
    pub fn stop(mut self, signal: &str) -> Option<i32> {
        self.signal(signal);
        let code = self.child.wait().expect("a child").code();
        assert!(!self.log().iter().any(|line| line.contains("panicked")), "{:?}", self.log());
        code
    }

    /// The counters it shows when asked (the log must be JSON), or an object without any.
    pub fn counters(&self) -> Value {
        let shown = |log: &[String]| log.iter().filter(|line| line.contains("uptime_s")).count();
        let before = shown(&self.log());
        self.signal("USR1");
        wait_for("the counters", || shown(&self.log()) > before);
        let line = self.log().into_iter().rfind(|line| line.contains("uptime_s"));
        let line = line.unwrap_or_default();
        serde_json::from_str(&line).unwrap_or_else(|_| {
            let fields = line.split_whitespace().filter_map(|word| word.split_once('='));
            fields
                .map(|(name, value)| {
                    let value = value.parse::<u64>().map_or_else(|_| value.into(), Value::from);
                    (name.to_string(), value)
                })
                .collect::<serde_json::Map<_, _>>()
                .into()
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A client of one server.
pub struct Client {
    socket: UdpSocket,
    server: SocketAddrV4,
    id: Cell<u16>,
}

impl Client {
    pub fn new(address: Ipv4Addr, server: &Server) -> Client {
        Client::bound(SocketAddrV4::new(address, 0), server)
    }

    /// A client that can be challenged.
    pub fn at_name_port(address: Ipv4Addr, server: &Server) -> Client {
        Client::bound(SocketAddrV4::new(address, NAME_PORT), server)
    }

    fn bound(at: SocketAddrV4, server: &Server) -> Client {
        let socket = UdpSocket::bind(at).expect("a loopback address");
        socket.set_read_timeout(Some(Duration::from_secs(1))).expect("a time");
        Client { socket, server: server.names(), id: Cell::new(1) }
    }

    pub fn address(&self) -> Ipv4Addr {
        match self.socket.local_addr().expect("bound") {
            SocketAddr::V4(at) => *at.ip(),
            SocketAddr::V6(_) => unreachable!("bound to an IPv4 address"),
        }
    }

    pub fn send(&self, bytes: &[u8]) {
        // A full buffer is the sender's problem.
        let _ = self.socket.send_to(bytes, self.server);
    }

    fn new_id(&self) -> u16 {
        self.id.set(self.id.get().wrapping_add(1));
        self.id.get()
    }

    /// Asks until an answer with this id comes; WACKs are waited out.
    fn ask<T>(&self, id: u16, request: &[u8], read: impl Fn(&NamePacket<'_>) -> T) -> T {
        let mut buffer = [0; 2048];
        for _ in 0..TRIES {
            self.send(request);
            while let Ok((length, from)) = self.socket.recv_from(&mut buffer) {
                assert_eq!(from, SocketAddr::V4(self.server), "answers come from where was asked");
                let Ok(packet) = NamePacket::decode(&buffer[..length]) else { continue };
                let waits = packet.opcode() == Opcode::Wack;
                if packet.flags.is_response() && packet.id == id && !waits {
                    return read(&packet);
                }
            }
        }
        panic!("{} does not answer", self.server);
    }

    fn claim(
        &self,
        base: &str,
        suffix: u8,
        compose: impl Fn(&Claim<'_>, &mut Vec<u8>),
    ) -> (u16, Vec<u8>) {
        let (name, scope, id) = (name(base, suffix), ScopeId::none(), self.new_id());
        let nb_flags = NbFlags::new(false, NodeType::H);
        let address = self.address();
        let claim = Claim {
            id,
            name: &name,
            scope: &scope,
            nb_flags,
            address,
            ttl: 300_000,
            broadcast: false,
        };
        let mut bytes = Vec::new();
        compose(&claim, &mut bytes);
        (id, bytes)
    }

    pub fn register(&self, base: &str, suffix: u8) -> Rcode {
        let (id, request) = self.claim(base, suffix, compose::registration);
        self.ask(id, &request, |packet| packet.flags.rcode())
    }

    pub fn refresh(&self, base: &str, suffix: u8) -> Rcode {
        let (id, request) = self.claim(base, suffix, compose::refresh);
        self.ask(id, &request, |packet| packet.flags.rcode())
    }

    pub fn release(&self, base: &str, suffix: u8) -> Rcode {
        let (id, request) = self.claim(base, suffix, compose::release);
        self.ask(id, &request, |packet| packet.flags.rcode())
    }

    /// Registers a name that `holder` holds, who is challenged and says so, or says no.
    pub fn register_against(&self, base: &str, suffix: u8, holder: &Client, holds: bool) -> Rcode {
        let (id, request) = self.claim(base, suffix, compose::registration);
        self.send(&request);
        let mut buffer = [0; 2048];
        let challenge = (0..TRIES).find_map(|_| {
            let (length, _) = holder.socket.recv_from(&mut buffer).ok()?;
            let packet = NamePacket::decode(&buffer[..length]).ok()?;
            let is_challenge = !packet.flags.is_response() && packet.opcode() == Opcode::Query;
            is_challenge.then_some((packet.id, packet.flags))
        });
        let (challenge, flags) = challenge.expect("a challenge");
        let (name, scope, mut answer) = (name(base, suffix), ScopeId::none(), Vec::new());
        let entry = NbEntry { flags: NbFlags::new(false, NodeType::H), address: holder.address() };
        let (who, code) = (Responder::EndNode, Rcode::NameError);
        match holds {
            true => compose::positive_query_response(
                challenge,
                who,
                &name,
                &scope,
                0,
                &[entry],
                &mut answer,
            ),
            false => compose::negative_query_response(
                challenge,
                who,
                code,
                &name,
                &scope,
                flags,
                &mut answer,
            ),
        }
        holder.send(&answer);
        loop {
            let (length, _) = self.socket.recv_from(&mut buffer).expect("an answer");
            let packet = NamePacket::decode(&buffer[..length]).expect("a packet");
            if packet.id == id && packet.opcode() != Opcode::Wack {
                return packet.flags.rcode();
            }
        }
    }

    /// The addresses of a name.
    pub fn query(&self, base: &str, suffix: u8) -> Option<Vec<Ipv4Addr>> {
        let (name, scope, id) = (name(base, suffix), ScopeId::none(), self.new_id());
        let mut request = Vec::new();
        compose::query(id, &name, &scope, false, &mut request);
        self.ask(id, &request, |packet| {
            let answer = packet.answer.as_ref().filter(|_| packet.flags.rcode() == Rcode::Ok)?;
            Some(answer.entries().map(|entry| entry.address).collect())
        })
    }

    /// The names of the server's host, as `NAME<XX>`.
    pub fn node_status(&self) -> Vec<String> {
        let (id, mut request) = (self.new_id(), Vec::new());
        let (any, scope) = (NetbiosName::ANY, ScopeId::none());
        compose::node_status_request(id, &any, &scope, false, &mut request);
        self.ask(id, &request, |packet| {
            let rdata = packet.answer.as_ref().map_or(&[][..], |answer| answer.rdata);
            let names = rdata.get(1..).unwrap_or_default().chunks_exact(18);
            let count = rdata.first().copied().unwrap_or(0);
            names.take(count.into()).filter_map(|name| shown(name.first_chunk()?)).collect()
        })
    }
}

fn name(base: &str, suffix: u8) -> NetbiosName {
    NetbiosName::new(base, Suffix(suffix)).expect("a name")
}

fn shown(raw: &[u8; 16]) -> Option<String> {
    let name = NetbiosName::from_bytes(*raw);
    Some(format!("{}<{:02X}>", std::str::from_utf8(name.base()).ok()?, name.suffix().0))
}
