//! One WINS server on the bench and partners played by hand: every message in and out is a value.

use std::net::{Ipv4Addr, SocketAddrV4};
use winstorm::base::{Machine, Now, Outbox, SimDuration, SimTime, Streams, WallTime};
use winstorm::wins::{
    Loaded, NameRecord, Observation, OperatorAction, Owner, Partner, StoreOp, StreamId, VersionId,
    WinsConfig, WinsEvent, WinsInput, WinsOutput, WinsProfile, WinsServer, WinsVersion,
};
use winstorm::wire::name_service::compose::{self, Claim};
use winstorm::wire::name_service::{NbFlags, NodeType};
use winstorm::wire::replication::{
    Body, Message, OwnerRecord, ReplicaAddresses, ReplicaRecord, ReplicaState, StopReason,
    VERSION_MINOR_W2K,
};
use winstorm::wire::{NetbiosName, ScopeId};

/// The server on the bench.
pub const OWN: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
/// Its partners.
pub const A: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
pub const B: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 3);
/// Nobody's partner.
pub const STRANGER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 9);
pub const INTERVAL: SimDuration = SimDuration::from_mins(30);
/// The handle that hand-played peers give out.
pub const PEER_HANDLE: u32 = 0x77;

pub fn profile(version: WinsVersion, sp: u8) -> WinsProfile {
    WinsProfile::new(version, sp)
}

pub fn w2k3() -> WinsProfile {
    profile(WinsVersion::W2k3, 0)
}

pub fn nt40() -> WinsProfile {
    profile(WinsVersion::Nt40, 6)
}

pub fn name(text: &str) -> NetbiosName {
    text.parse().unwrap()
}

pub fn host(n: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 1, 1, n)
}

/// A partner both ways that is not asked before its interval.
pub fn partner(address: Ipv4Addr) -> Partner {
    let mut partner = Partner::both_ways(address, INTERVAL);
    partner.pull.as_mut().unwrap().at_start = false;
    partner
}

/// An active unique record of one host.
pub fn unique(text: &str, version: u64, n: u8) -> ReplicaRecord {
    let address = ReplicaAddresses::Unique(host(n));
    ReplicaRecord::new(name(text), ScopeId::none(), version, address)
}

pub fn tombstone(text: &str, version: u64, n: u8) -> ReplicaRecord {
    ReplicaRecord { state: ReplicaState::Tombstone, ..unique(text, version, n) }
}

/// An owner with its highest version, as in a map.
pub fn up_to(owner: Ipv4Addr, version: u64) -> OwnerRecord {
    OwnerRecord::new(owner, 0, version)
}

/// One connection as the peer sees it: the stream and the handle to send.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Conn {
    pub stream: StreamId,
    pub handle: u32,
}

pub struct Bench {
    pub server: WinsServer,
    pub now: Now,
    out: Outbox<WinsOutput>,
    tickets: u64,
    accepted: u32,
    /// Connections asked for and not yet taken by a test.
    pub connects: Vec<(StreamId, Ipv4Addr)>,
    /// Messages sent and not yet taken.
    pub sent: Vec<(StreamId, Message)>,
    pub closed: Vec<StreamId>,
    pub logged: Vec<WinsEvent>,
    pub multicast: Vec<(SimTime, u8, Vec<u8>)>,
    pub datagrams: Vec<(SocketAddrV4, Vec<u8>)>,
    pub forgotten: Vec<Owner>,
    /// Connections the server opened, with the handles it gave out on them.
    opened: Vec<Conn>,
}

impl Bench {
    pub fn new(profile: WinsProfile, partners: Vec<Partner>) -> Bench {
        Bench::at(profile, partners, SimDuration::from_hours(10), Vec::new())
    }

    /// Started at this time of day with these records.
    pub fn at(
        profile: WinsProfile,
        partners: Vec<Partner>,
        time_of_day: SimDuration,
        records: Vec<NameRecord>,
    ) -> Bench {
        let config = WinsConfig { address: OWN, profile, partners };
        let mut server = WinsServer::new(config, Streams::new(1).stream("host/own/wins"));
        server.load(Loaded { records, ..Loaded::default() });
        let mut bench = Bench {
            server,
            now: Now { time: SimTime(0), wall: WallTime(86_400_000_000_000 * 100) + time_of_day },
            out: Outbox::default(),
            tickets: 0,
            accepted: 0,
            connects: Vec::new(),
            sent: Vec::new(),
            closed: Vec::new(),
            logged: Vec::new(),
            multicast: Vec::new(),
            datagrams: Vec::new(),
            forgotten: Vec::new(),
            opened: Vec::new(),
        };
        bench.give(WinsInput::Start);
        bench
    }

    pub fn give(&mut self, input: WinsInput<'_>) {
        self.server.handle(input, self.now, &mut self.out);
        self.collect();
    }

    pub fn operate(&mut self, action: OperatorAction) {
        self.give(WinsInput::Operator(action));
    }

    fn collect(&mut self) {
        let mut out = std::mem::take(&mut self.out);
        let before = self.tickets;
        for item in out.items.drain(..).collect::<Vec<_>>() {
            match item {
                WinsOutput::Send { to, bytes, .. } => {
                    self.datagrams.push((to, out.bytes(bytes).to_vec()));
                }
                WinsOutput::Connect { stream, to } => self.connects.push((stream, *to.ip())),
                WinsOutput::StreamSend { stream, bytes } => {
                    let message = Message::decode(out.bytes(bytes)).unwrap();
                    self.sent.push((stream, message));
                }
                WinsOutput::StreamClose { stream } => self.closed.push(stream),
                WinsOutput::Multicast { ttl, bytes, .. } => {
                    self.multicast.push((self.now.time, ttl, out.bytes(bytes).to_vec()));
                }
                WinsOutput::Store(op) => {
                    self.tickets += 1;
                    if let StoreOp::ForgetOwner { owner } = op {
                        self.forgotten.push(owner);
                    }
                }
                WinsOutput::Observe(Observation::Logged(event)) => self.logged.push(event),
                WinsOutput::Observe(_) | WinsOutput::Backup(_) | WinsOutput::Failed => {}
            }
        }
        out.clear();
        self.out = out;
        if self.tickets > before {
            let ticket = self.tickets;
            self.give(WinsInput::Durable { ticket });
        }
    }

    /// Lets time pass, with every deadline on its way.
    pub fn wait(&mut self, duration: SimDuration) {
        let end = self.now.time + duration;
        while let Some(at) = self.server.next_deadline().filter(|&at| at <= end) {
            self.step(at);
            self.server.on_deadline(self.now, &mut self.out);
            self.collect();
        }
        self.step(end);
    }

    fn step(&mut self, to: SimTime) {
        let step = to.since(self.now.time);
        self.now = Now { time: self.now.time + step, wall: self.now.wall + step };
    }

    /// How long until the server does something by itself that opens a connection.
    pub fn wait_for_connect(&mut self, limit: SimDuration) -> Option<SimDuration> {
        let start = self.now.time;
        let end = start + limit;
        while self.connects.is_empty() {
            let at = self.server.next_deadline().filter(|&at| at <= end)?;
            self.step(at);
            self.server.on_deadline(self.now, &mut self.out);
            self.collect();
        }
        Some(self.now.time.since(start))
    }

    pub fn say(&mut self, stream: StreamId, message: &Message) {
        let mut bytes = Vec::new();
        message.encode(&mut bytes);
        self.give(WinsInput::StreamData { stream, bytes: &bytes });
    }

    /// What was sent on this stream since last asked, in order.
    pub fn heard(&mut self, stream: StreamId) -> Vec<Message> {
        let (mine, others) = self.sent.drain(..).partition(|(on, _)| *on == stream);
        self.sent = others;
        let mine: Vec<(StreamId, Message)> = mine;
        mine.into_iter().map(|(_, message)| message).collect()
    }

    pub fn heard_one(&mut self, stream: StreamId) -> Message {
        let mut all = self.heard(stream);
        assert_eq!(all.len(), 1, "{all:?}");
        all.remove(0)
    }

    /// A peer connects, without a start request.
    pub fn connect_from(&mut self, peer: Ipv4Addr) -> StreamId {
        self.accepted += 1;
        let stream = StreamId(self.accepted);
        self.give(WinsInput::StreamOpened { stream, peer });
        stream
    }

    /// A peer connects and starts an association.
    pub fn associate(&mut self, peer: Ipv4Addr, minor: u16) -> Conn {
        let stream = self.connect_from(peer);
        self.say(stream, &Message::start_request(PEER_HANDLE, minor));
        let answer = self.heard_one(stream);
        let Body::StartResponse(start) = answer.body else { panic!("{answer:?}") };
        assert_eq!(answer.handle, PEER_HANDLE);
        Conn { stream, handle: start.sender_handle }
    }

    /// The connection the server asked for comes about, and the peer answers its start.
    pub fn take_connect(&mut self, peer: Ipv4Addr, minor: u16) -> Conn {
        let at = self.connects.iter().position(|(_, to)| *to == peer);
        let (stream, _) = self.connects.remove(at.expect("the server connects to this peer"));
        self.give(WinsInput::StreamConnected { stream });
        let request = self.heard_one(stream);
        let Body::StartRequest(start) = request.body else { panic!("{request:?}") };
        assert_eq!(request.handle, 0);
        let handle = start.sender_handle;
        let conn = Conn { stream, handle };
        self.opened.push(conn);
        self.say(stream, &Message::start_response(handle, PEER_HANDLE, minor));
        conn
    }

    /// The server pulls: gets this map, and these records for whatever it asks. Returns what it asked for.
    pub fn pulled(
        &mut self,
        peer: Ipv4Addr,
        map: &[OwnerRecord],
        records: &[ReplicaRecord],
    ) -> Vec<OwnerRecord> {
        let conn = self.take_connect(peer, VERSION_MINOR_W2K);
        self.pulled_on(conn, map, records)
    }

    /// The same on an open connection, whose map request is waiting.
    pub fn pulled_on(
        &mut self,
        conn: Conn,
        map: &[OwnerRecord],
        records: &[ReplicaRecord],
    ) -> Vec<OwnerRecord> {
        let mut asked = Vec::new();
        while let Some(at) = self.sent.iter().position(|(on, _)| *on == conn.stream) {
            let (_, message) = self.sent.remove(at);
            assert_eq!(message.handle, PEER_HANDLE);
            match message.body {
                Body::MapRequest => {
                    self.say(conn.stream, &Message::map_response(conn.handle, map.to_vec()));
                }
                Body::RecordsRequest(wanted) => {
                    asked.push(wanted);
                    let fitting = records
                        .iter()
                        .filter(|r| (wanted.version_min..=wanted.version_max).contains(&r.version));
                    let records = fitting.cloned().collect();
                    self.say(conn.stream, &Message::records_response(conn.handle, records));
                }
                Body::Stop(StopReason::Normal) => break,
                other => panic!("{other:?}"),
            }
        }
        asked
    }

    /// The server pulls now, and gets these records of this owner from `peer`.
    pub fn feed(&mut self, peer: Ipv4Addr, owner: Ipv4Addr, records: &[ReplicaRecord]) {
        let top = records.iter().map(|record| record.version).max().unwrap_or(0);
        self.operate(OperatorAction::PullNow { partner: Some(peer) });
        let map = [up_to(owner, top)];
        let open = self.sent.iter().find(|(_, m)| m.body == Body::MapRequest).map(|(on, _)| *on);
        match self.opened.iter().find(|conn| Some(conn.stream) == open).copied() {
            Some(conn) => self.pulled_on(conn, &map, records),
            None => self.pulled(peer, &map, records),
        };
    }

    pub fn register(&mut self, text: &str, n: u8, group: bool) {
        let (scope, name) = (ScopeId::none(), name(text));
        let nb_flags = NbFlags::new(group, NodeType::H);
        let mut bytes = Vec::new();
        let address = host(n);
        let claim = Claim {
            id: 1,
            name: &name,
            scope: &scope,
            nb_flags,
            address,
            ttl: 0,
            broadcast: false,
        };
        compose::registration(&claim, &mut bytes);
        let from = SocketAddrV4::new(address, 137);
        self.give(WinsInput::Datagram { from, bytes: &bytes });
    }

    pub fn record(&self, text: &str) -> Option<&NameRecord> {
        self.server.core().names.get(&name(text), &ScopeId::none())
    }

    pub fn maximum(&self, owner: Ipv4Addr) -> u64 {
        self.server.core().names.maximum(Owner(owner)).0
    }

    pub fn own_maximum(&self) -> VersionId {
        self.server.core().own_maximum()
    }

    pub fn saw(&self, event: WinsEvent) -> bool {
        self.logged.contains(&event)
    }
}
