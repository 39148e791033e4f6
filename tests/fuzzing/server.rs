//! The WINS server as a whole under a script of inputs, right and wrong ones mixed.
//!
//! A script is a list of steps, each an operation, two bytes of length (the high four bits do not count) and
//! as many bytes. Any bytes are a script. Some operations hand their bytes to the server as they are; others
//! make something valid of them: a request for one of a few names, the answer to the server's last challenge,
//! the partner's side of a replication stream.
//!
//! After every step: outputs and tables are bounded by what was fed in, limits hold, versions rise. At the
//! end and now and then between: the indexes agree with the records, the store with the table, and the events
//! told of every record that came or went.

use super::{Features, shape_of};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddrV4};
use winstorm::base::{Machine, Now, Outbox, SimDuration, SimTime, Streams, WallTime};
use winstorm::wins::replication::{ASSOCIATIONS_MAX, JOBS_MAX};
use winstorm::wins::{
    Loaded, NameRecord, Observation, OperatorAction, Owner, Partner, RecordState, StaticMapping,
    StaticType, StoreOp, StreamId, VersionId, WinsConfig, WinsInput, WinsOutput, WinsProfile,
    WinsServer, WinsVersion,
};
use winstorm::wire::name_service::compose::{self, Claim, Responder};
use winstorm::wire::name_service::{NamePacket, NbEntry, NbFlags, NodeType, Rcode};
use winstorm::wire::replication::{
    Body, FrameReader, Member, Message, OwnerRecord, ReplicaAddresses, ReplicaRecord, ReplicaState,
    Start, VERSION_MINOR_W2K,
};
use winstorm::wire::{NetbiosName, ScopeId, Suffix};

const OWN: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const PARTNERS: [Ipv4Addr; 2] = [Ipv4Addr::new(10, 0, 0, 2), Ipv4Addr::new(10, 0, 0, 3)];
/// Steps of a script that are run.
const STEPS_MAX: usize = 400;

/// The operations, by their number modulo [`OPERATIONS`].
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Op {
    Datagram,
    Overflow,
    Request,
    AnswerChallenge,
    Opened,
    Connected,
    Refused,
    Data,
    Closed,
    Reply,
    Discovery,
    Durable,
    Advance,
    Operator,
    Restart,
    PowerCut,
}

pub const OPERATIONS: u8 = 16;

const OPS: [Op; OPERATIONS as usize] = [
    Op::Datagram,
    Op::Overflow,
    Op::Request,
    Op::AnswerChallenge,
    Op::Opened,
    Op::Connected,
    Op::Refused,
    Op::Data,
    Op::Closed,
    Op::Reply,
    Op::Discovery,
    Op::Durable,
    Op::Advance,
    Op::Operator,
    Op::Restart,
    Op::PowerCut,
];

/// Where the steps of a script stand.
pub fn steps(data: &[u8]) -> impl Iterator<Item = std::ops::Range<usize>> + '_ {
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at;
        (start < data.len()).then(|| {
            let len =
                data.get(start + 1..start + 3).map_or(0, |b| u16::from_le_bytes([b[0], b[1]]));
            at = (start + 3 + usize::from(len & 0x0FFF)).min(data.len());
            start..at
        })
    })
}

/// Appends a step.
pub fn push_step(op: Op, payload: &[u8], script: &mut Vec<u8>) {
    let payload = &payload[..payload.len().min(0x0FFF)];
    script.push(op as u8);
    script.extend_from_slice(&(payload.len() as u16).to_le_bytes());
    script.extend_from_slice(payload);
}

/// What the rig knows of a stream: who is at the other end, and what the server has said on it.
struct Line {
    peer: Ipv4Addr,
    connected: bool,
    frames: FrameReader,
    /// The server's handle, which the peer must use.
    handle: u32,
    last: Option<Message>,
}

/// Records, owners' maxima and the reserve, as the last durable commit left them.
type Durable = (BTreeMap<Vec<u8>, Vec<u8>>, BTreeMap<Owner, VersionId>, VersionId);

struct Rig {
    server: WinsServer,
    version: WinsVersion,
    now: Now,
    out: Outbox<WinsOutput>,
    /// The store as the operations made it, and as it was when last durable.
    store: BTreeMap<Vec<u8>, Vec<u8>>,
    maxima: BTreeMap<Owner, VersionId>,
    reserve: VersionId,
    durable: Durable,
    handed: u64,
    /// Records by name and state, as the events tell.
    told: BTreeMap<(NetbiosName, RecordState), i64>,
    last_version: VersionId,
    lines: BTreeMap<StreamId, Line>,
    opened: u32,
    challenge: Option<(SocketAddrV4, Vec<u8>)>,
    /// Records that what was fed in can have made, and bytes fed in.
    records_max: usize,
    starts: u32,
    /// A backup was asked for and has not ended.
    backup: bool,
    /// The step under way.
    op: Op,
}

/// Runs a script on a server of a version that its first byte chooses.
pub fn run(data: &[u8], features: &mut Features) {
    let versions = [WinsVersion::Nt35, WinsVersion::Nt351, WinsVersion::Nt40, WinsVersion::W2k];
    let Some((&first, script)) = data.split_first() else { return };
    script_on(versions[usize::from(first) % versions.len()], script, features);
}

/// Runs a script on a server of Windows Server 2003.
pub fn run_w2k3(data: &[u8], features: &mut Features) {
    script_on(WinsVersion::W2k3, data.get(1..).unwrap_or_default(), features);
}

fn script_on(version: WinsVersion, script: &[u8], features: &mut Features) {
    let mut rig = Rig::new(version);
    rig.settle(0, features);
    for (i, range) in steps(script).take(STEPS_MAX).enumerate() {
        let step = &script[range];
        let op = OPS[usize::from(step[0] % OPERATIONS)];
        rig.step(op, step.get(3..).unwrap_or_default(), features);
        if i % 32 == 31 {
            rig.check_whole();
        }
    }
    rig.check_whole();
    features.size(64, rig.server.core().names.len());
    features.size(65, rig.server.replication().associations());
}

fn config(version: WinsVersion) -> WinsConfig {
    let profile = WinsProfile::new(version, 4);
    let partners = PARTNERS
        .map(|address| Partner::both_ways(address, SimDuration::from_mins(30)))
        .into_iter()
        .collect();
    WinsConfig { address: OWN, profile, partners }
}

impl Rig {
    fn new(version: WinsVersion) -> Rig {
        let now = Now { time: SimTime(1_000), wall: WallTime(1_000_000_000) };
        let server = WinsServer::new(config(version), Streams::new(1).stream("wins/1"));
        let mut rig = Rig {
            server,
            version,
            now,
            out: Outbox::default(),
            store: BTreeMap::new(),
            maxima: BTreeMap::new(),
            reserve: VersionId::ZERO,
            durable: Default::default(),
            handed: 0,
            told: BTreeMap::new(),
            last_version: VersionId::ZERO,
            lines: BTreeMap::new(),
            opened: 0,
            challenge: None,
            records_max: 16,
            starts: 1,
            backup: false,
            op: Op::Restart,
        };
        rig.server.handle(WinsInput::Start, now, &mut rig.out);
        rig
    }

    fn step(&mut self, op: Op, payload: &[u8], features: &mut Features) {
        features.reach(50, u64::from(op as u8));
        self.op = op;
        let byte = |i: usize| payload.get(i).copied().unwrap_or(0);
        let from = SocketAddrV4::new(Ipv4Addr::new(10, 1, 0, byte(0) % 8), 137);
        let rest = payload.get(1..).unwrap_or_default();
        match op {
            Op::Datagram => self.input(WinsInput::Datagram { from, bytes: rest }, features),
            Op::Overflow => {
                let queued = u32::from(byte(0)) * 200;
                self.input(WinsInput::Overflow { from, bytes: rest, queued }, features);
            }
            Op::Request => {
                let bytes = request(payload);
                self.input(WinsInput::Datagram { from, bytes: &bytes }, features);
            }
            Op::AnswerChallenge => self.answer_challenge(payload, features),
            Op::Opened => {
                // The world numbers streams below the outgoing ones.
                self.opened += 1;
                let stream = StreamId(self.opened);
                let peer = [PARTNERS[0], PARTNERS[1], Ipv4Addr::new(10, 9, 9, 9)];
                let peer = peer[usize::from(byte(0)) % 3];
                self.lines.insert(stream, Line::new(peer, true));
                self.input(WinsInput::StreamOpened { stream, peer }, features);
            }
            Op::Connected => {
                let waiting = self.lines.iter_mut().find(|(_, line)| !line.connected);
                if let Some((&stream, line)) = waiting {
                    line.connected = true;
                    self.input(WinsInput::StreamConnected { stream }, features);
                }
            }
            Op::Refused => {
                let waiting = self.lines.iter().find(|(_, line)| !line.connected);
                if let Some((&stream, _)) = waiting {
                    self.lines.remove(&stream);
                    self.input(WinsInput::StreamRefused { stream }, features);
                }
            }
            Op::Data => {
                if let Some(stream) = self.line(byte(0)) {
                    self.input(WinsInput::StreamData { stream, bytes: rest }, features);
                }
            }
            Op::Closed => {
                if let Some(stream) = self.line(byte(0)) {
                    self.lines.remove(&stream);
                    self.input(WinsInput::StreamClosed { stream }, features);
                }
            }
            Op::Reply => self.reply(byte(0), rest, features),
            Op::Discovery => {
                let from = SocketAddrV4::new(*from.ip(), 42);
                self.input(WinsInput::Discovery { from, bytes: rest }, features);
            }
            Op::Durable => {
                self.become_durable(features);
                if std::mem::take(&mut self.backup) {
                    self.input(WinsInput::BackupDone { ok: byte(0) & 1 == 0 }, features);
                }
            }
            Op::Advance => self.advance(byte(0), features),
            Op::Operator => {
                if let Some(action) = action(payload) {
                    self.input(WinsInput::Operator(action), features);
                }
            }
            Op::Restart => {
                self.input(WinsInput::Stop, features);
                self.start(features);
            }
            Op::PowerCut => {
                (self.store, self.maxima, self.reserve) = self.durable.clone();
                self.start(features);
            }
        }
    }

    fn input(&mut self, input: WinsInput<'_>, features: &mut Features) {
        let fed = match &input {
            WinsInput::Datagram { bytes, .. }
            | WinsInput::Overflow { bytes, .. }
            | WinsInput::StreamData { bytes, .. }
            | WinsInput::Discovery { bytes, .. } => bytes.len(),
            WinsInput::Operator(OperatorAction::ImportLmhosts { text }) => text.len(),
            _ => 16,
        };
        self.server.handle(input, self.now, &mut self.out);
        self.settle(fed, features);
    }

    /// The server begins anew with what the store holds.
    fn start(&mut self, features: &mut Features) {
        self.starts += 1;
        let chance = Streams::new(1).stream(&format!("wins/{}", self.starts));
        self.server = WinsServer::new(config(self.version), chance);
        let decode = |(key, body): (&Vec<u8>, &Vec<u8>)| {
            NameRecord::decode(&[&key[..], body].concat()).expect("what was stored decodes")
        };
        let records: Vec<NameRecord> = self.store.iter().map(decode).collect();
        self.told.clear();
        for record in &records {
            *self.told.entry((record.name, record.state)).or_default() += 1;
        }
        self.server.load(Loaded {
            records,
            maxima: self.maxima.iter().map(|(&owner, &version)| (owner, version)).collect(),
            reserve: self.reserve,
        });
        self.lines.clear();
        self.backup = false;
        self.challenge = None;
        self.handed = 0;
        self.server.handle(WinsInput::Start, self.now, &mut self.out);
        self.settle(16, features);
    }

    /// The chosen one of the streams that are open.
    fn line(&self, choice: u8) -> Option<StreamId> {
        let open: Vec<StreamId> =
            self.lines.iter().filter(|(_, line)| line.connected).map(|(&s, _)| s).collect();
        open.get(usize::from(choice) % open.len().max(1)).copied()
    }

    fn become_durable(&mut self, features: &mut Features) {
        self.durable = (self.store.clone(), self.maxima.clone(), self.reserve);
        let ticket = self.handed;
        self.input(WinsInput::Durable { ticket }, features);
    }

    fn advance(&mut self, how_far: u8, features: &mut Features) {
        let span = 1u64 << (20 + u32::from(how_far) % 32);
        let end = SimTime(self.now.time.0 + span);
        for _ in 0..2_000 {
            let Some(at) = self.server.next_deadline().filter(|&at| at <= end) else { break };
            self.pass_to(at.max(self.now.time));
            self.server.on_deadline(self.now, &mut self.out);
            self.settle(16, features);
            let next = self.server.next_deadline();
            let ahead = next.is_none_or(|next| next > self.now.time);
            assert!(ahead, "a deadline that was served is still due: {next:?}");
        }
        let rest = self.server.next_deadline().map_or(end, |at| at.min(end));
        self.pass_to(rest.max(self.now.time));
    }

    fn pass_to(&mut self, time: SimTime) {
        self.now.wall = WallTime(self.now.wall.0 + (time.0 - self.now.time.0));
        self.now.time = time;
    }

    /// Takes the outputs, checks them, and keeps what later steps need.
    fn settle(&mut self, fed: usize, features: &mut Features) {
        let out = std::mem::take(&mut self.out);
        // What may come in: a mapping of a line, a record of a message; several suffixes each.
        self.records_max += 8 + fed;
        let (mut sent, mut streamed) = (0, 0);
        for item in &out.items {
            match *item {
                WinsOutput::Send { to, bytes, .. } => {
                    let bytes = out.bytes(bytes);
                    sent += bytes.len();
                    assert!(bytes.len() <= 1_000, "a datagram of {} bytes", bytes.len());
                    let packet = NamePacket::decode(bytes).expect("what is sent can be read");
                    features.shape(51, &(packet.flags.rcode(), packet.flags.opcode()));
                    if !packet.flags.is_response() {
                        self.challenge = Some((to, bytes.to_vec()));
                    }
                }
                WinsOutput::Multicast { bytes, .. } => sent += out.bytes(bytes).len(),
                WinsOutput::Connect { stream, to } => {
                    assert!(self.lines.len() < 2 * ASSOCIATIONS_MAX, "streams without end");
                    let fresh = self.lines.insert(stream, Line::new(*to.ip(), false)).is_none();
                    assert!(fresh && stream.is_outgoing(), "{stream:?} is in use");
                }
                WinsOutput::StreamSend { stream, bytes } => {
                    let bytes = out.bytes(bytes);
                    streamed += bytes.len();
                    if let Some(line) = self.lines.get_mut(&stream) {
                        line.hear(bytes, features);
                    }
                }
                WinsOutput::StreamClose { stream } => drop(self.lines.remove(&stream)),
                WinsOutput::Store(op) => self.keep(op, &out, features),
                WinsOutput::Backup(_) => self.backup = true,
                // The world would start it again: the script does, or does not.
                WinsOutput::Failed => features.reach(56, 0),
                WinsOutput::Observe(seen) => self.observe(seen, features),
            }
        }
        let core = self.server.core();
        let names = core.names.len();
        assert!(names <= self.records_max, "{names} records, {} were possible", self.records_max);
        let items = out.items.len();
        let most = 400 + 20 * (names + fed);
        assert!(items <= most, "{items} outputs after {fed} bytes with {names} records");
        assert!(sent <= 400 * most, "{sent} bytes sent after {fed} bytes");
        let owners = core.owner_versions().count();
        let requests = 2 + fed / 16;
        let most = requests * (1_000 + 24 * owners + 512 * names) + ASSOCIATIONS_MAX * 100;
        assert!(streamed <= most, "{streamed} bytes streamed after {fed} bytes");
        assert!(self.server.challenges_under_way() <= core.profile.challenges_max);
        let replication = self.server.replication();
        assert!(replication.associations() <= ASSOCIATIONS_MAX);
        assert!(replication.pulls_waiting() <= JOBS_MAX + 1);
        assert!(owners <= core.profile.owners_max.saturating_add(1), "{owners} owners");
        self.out = out;
        self.out.clear();
    }

    fn keep(&mut self, op: StoreOp, out: &Outbox<WinsOutput>, features: &mut Features) {
        self.handed += 1;
        match op {
            StoreOp::Put { record } => {
                let bytes = out.bytes(record);
                let at = NameRecord::key_len(bytes).expect("a record begins with its key");
                self.store.insert(bytes[..at].to_vec(), bytes[at..].to_vec());
            }
            StoreOp::Delete { key } => {
                let held = self.store.remove(out.bytes(key));
                assert!(held.is_some(), "what is deleted was stored");
                features.reach(52, 0);
            }
            StoreOp::OwnerMaximum { owner, version } => drop(self.maxima.insert(owner, version)),
            StoreOp::ForgetOwner { owner } => drop(self.maxima.remove(&owner)),
            StoreOp::ReserveVersions { upto } => self.reserve = upto,
        }
    }

    fn observe(&mut self, seen: Observation, features: &mut Features) {
        // What follows from what: an event alone says little.
        features.reach(53, shape_of(&seen, 1) << 4 | u64::from(self.op as u8));
        match seen {
            Observation::VersionAssigned { version, .. } => {
                assert!(version > self.last_version, "{version} after {}", self.last_version);
                self.last_version = version;
                // An owner's counter that reaches its end stands still.
                if version.0 == u64::MAX {
                    self.last_version = VersionId::ZERO;
                }
            }
            Observation::State { name, kind, before, after } => {
                features.shape(54, &(kind, before, after));
                let changes = [(before, -1), (after, 1)];
                for (state, change) in changes.into_iter().filter_map(|(s, c)| Some((s?, c))) {
                    let count = self.told.entry((name, state)).or_default();
                    *count += change;
                    assert!(*count >= 0, "{name} left a state it was not in: {state:?}");
                }
            }
            _ => {}
        }
    }

    /// Everything that must agree.
    fn check_whole(&self) {
        let names = &self.server.core().names;
        let all: Vec<&NameRecord> = names.iter().collect();
        assert_eq!(all.len(), names.len());
        let sorted = all.is_sorted_by(|a, b| (a.name, &a.scope) < (b.name, &b.scope));
        assert!(sorted, "names come in their order, each once");
        let owners: BTreeSet<Owner> = all.iter().map(|record| record.owner).collect();
        let mut by_owner = 0;
        for &owner in &owners {
            let every = VersionId::ZERO..=VersionId(u64::MAX);
            let of_owner: Vec<&NameRecord> = names.of_owner(owner, every).collect();
            assert!(of_owner.iter().all(|record| record.owner == owner));
            assert!(of_owner.is_sorted_by_key(|record| record.version));
            // Of another owner a restart in the middle of a pull may know records above what it asked for
            // to the end: it asks for them again.
            let own = owner == self.server.core().own;
            let last = of_owner.last().expect("an owner of records has some");
            assert!(!own || last.version <= names.maximum(owner));
            by_owner += of_owner.len();
        }
        assert_eq!(by_owner, all.len(), "the index by version holds every record once");
        let expiring = all.iter().filter(|record| record.stamp != WallTime::NEVER).count();
        assert_eq!(names.expired(None, WallTime(u64::MAX - 1)).count(), expiring);
        let mut told = BTreeMap::new();
        let mut key = Vec::new();
        assert_eq!(self.store.len(), all.len(), "as many records are stored as there are");
        for record in &all {
            assert_eq!(names.get(&record.name, &record.scope), Some(*record));
            *told.entry((record.name, record.state)).or_insert(0i64) += 1;
            key.clear();
            NameRecord::encode_key(&record.name, &record.scope, &mut key);
            let body = self.store.get(&key).expect("a record in the table is in the store");
            let stored = NameRecord::decode(&[&key[..], body].concat());
            assert_eq!(stored.as_ref(), Ok(*record), "the store holds what the table holds");
        }
        let events = self.told.iter().filter(|&(_, &count)| count != 0);
        assert!(events.eq(told.iter()), "events tell of every record that came, changed or went");
    }

    fn answer_challenge(&mut self, payload: &[u8], features: &mut Features) {
        let Some((to, asked)) = self.challenge.clone() else { return };
        let packet = NamePacket::decode(&asked).expect("the server's own");
        let Some(question) = &packet.question else { return };
        let byte = |i: usize| payload.get(i).copied().unwrap_or(0);
        let (id, name, scope) = (packet.id, &question.name, &question.scope);
        let flags = NbFlags::new(byte(1) & 1 != 0, NodeType::H);
        let entry = |n: u8| NbEntry { flags, address: Ipv4Addr::new(10, 1, 0, n % 8) };
        let entries: Vec<NbEntry> = payload.iter().skip(2).take(30).map(|&n| entry(n)).collect();
        let mut bytes = Vec::new();
        match byte(0) % 3 {
            0 => compose::negative_query_response(
                id,
                Responder::EndNode,
                Rcode::NameError,
                name,
                scope,
                packet.flags,
                &mut bytes,
            ),
            1 => {
                let responder = Responder::EndNode;
                compose::positive_query_response(
                    id, responder, name, scope, 0, &entries, &mut bytes,
                );
            }
            _ => {
                compose::release_response(id, Rcode::Ok, name, scope, entry(byte(1)), &mut bytes);
            }
        }
        self.input(WinsInput::Datagram { from: to, bytes: &bytes }, features);
    }

    /// The peer says what would come next on the stream, made of `payload`.
    fn reply(&mut self, choice: u8, payload: &[u8], features: &mut Features) {
        let Some(stream) = self.line(choice) else { return };
        let line = &self.lines[&stream];
        let byte = |i: usize| payload.get(i).copied().unwrap_or(0);
        let body = line.last.as_ref().map(|message| &message.body);
        let message = match (byte(0) % 8, body) {
            (0..5, None) => Message::start_request(7, VERSION_MINOR_W2K),
            (0..5, Some(Body::StartRequest(Start { sender_handle, .. }))) => {
                Message::start_response(*sender_handle, 7, VERSION_MINOR_W2K)
            }
            (0..5, Some(Body::MapRequest)) => Message::map_response(line.handle, owners(payload)),
            (0..5, Some(Body::RecordsRequest(wanted))) => {
                let base = wanted.version_min.saturating_sub(u64::from(byte(1) % 2));
                Message::records_response(line.handle, replicas(base, payload))
            }
            (0..3, _) => Message::map_request(line.handle),
            (3 | 4, _) => {
                let wanted = OwnerRecord::new(OWN, u64::from(byte(1)), u64::MAX);
                Message::records_request(line.handle, wanted)
            }
            (5, _) => Message::notification(
                line.handle,
                winstorm::wire::replication::Notification {
                    propagate: byte(1) & 1 != 0,
                    persistent: byte(1) & 2 != 0,
                    owners: owners(payload),
                    initiator: Ipv4Addr::UNSPECIFIED,
                },
            ),
            (6, _) => Message::records_response(line.handle, replicas(1, payload)),
            _ => Message::stop(line.handle, winstorm::wire::replication::StopReason::Normal),
        };
        let mut bytes = Vec::new();
        message.encode(&mut bytes);
        self.input(WinsInput::StreamData { stream, bytes: &bytes }, features);
    }
}

impl Line {
    fn new(peer: Ipv4Addr, connected: bool) -> Line {
        let frames = FrameReader::default();
        Line { peer, connected, frames, handle: 0, last: None }
    }

    /// The server sent this.
    fn hear(&mut self, bytes: &[u8], features: &mut Features) {
        self.frames.feed(bytes);
        while let Some(frame) = self.frames.next_frame().expect("the server's frames are good") {
            let message = Message::decode(frame).expect("the server's messages can be read");
            features.shape(55, &message.body);
            if let Body::StartRequest(start) | Body::StartResponse(start) = &message.body {
                self.handle = start.sender_handle;
            }
            self.last = Some(message);
        }
    }
}

/// One of a few names; some with a scope.
fn name(choice: u8) -> (NetbiosName, ScopeId) {
    let suffixes = [0x20, 0x00, 0x03, 0x1B, 0x1C, 0x1D, 0x1E, 0x42];
    let base = format!("NAME{}", choice / 8 % 4);
    let name = NetbiosName::new(&base, Suffix(suffixes[usize::from(choice % 8)]));
    let scope = if choice >= 240 { &b"sales.example"[..] } else { b"" };
    (name.expect("a short name"), ScopeId::new(scope).expect("a scope"))
}

/// A valid request made of the bytes: what, which name, whose address, group or not.
fn request(payload: &[u8]) -> Vec<u8> {
    let byte = |i: usize| payload.get(i).copied().unwrap_or(0);
    let (name, scope) = name(byte(2));
    let claim = Claim {
        id: u16::from(byte(4)),
        name: &name,
        scope: &scope,
        nb_flags: NbFlags::new(byte(3) & 8 != 0, NodeType::from_bits(byte(3) >> 4)),
        address: Ipv4Addr::new(10, 1, 0, byte(3) % 8),
        ttl: 300_000,
        broadcast: false,
    };
    let mut bytes = Vec::new();
    match byte(1) % 7 {
        0 | 1 => compose::registration(&claim, &mut bytes),
        2 => compose::multihomed_registration(&claim, &mut bytes),
        3 => compose::refresh(&claim, &mut bytes),
        4 => compose::refresh_alternate(&claim, &mut bytes),
        5 => compose::release(&claim, &mut bytes),
        _ => compose::query(claim.id, &name, &scope, false, &mut bytes),
    }
    bytes
}

fn owners(payload: &[u8]) -> Vec<OwnerRecord> {
    let owner = |pair: &[u8; 2]| {
        let address = Ipv4Addr::new(10, 0, 0, 1 + pair[0] % 6);
        let version_max = if pair[1] == 255 { u64::MAX } else { u64::from(pair[1]) };
        OwnerRecord { owner: address, version_max, version_min: 0, reserved: 1 }
    };
    payload.get(1..).unwrap_or_default().as_chunks::<2>().0.iter().take(40).map(owner).collect()
}

/// Replicas with versions from `base` on: three bytes each say which name, kind, state and members.
fn replicas(base: u64, payload: &[u8]) -> Vec<ReplicaRecord> {
    let quads = payload.get(2..).unwrap_or_default().as_chunks::<3>().0;
    let mut version = base;
    let mut records = Vec::new();
    for &[which, kind, more] in quads.iter().take(120) {
        let (name, scope) = name(which);
        let address = Ipv4Addr::new(10, 1, 0, more % 8);
        let member = |n: u8| Member {
            owner: Ipv4Addr::new(10, 0, 0, 1 + n % 4),
            address: Ipv4Addr::new(10, 1, 0, n),
        };
        let members = (0..more % 30).map(member).collect();
        let addresses = match kind & 3 {
            0 => ReplicaAddresses::Unique(address),
            1 => ReplicaAddresses::NormalGroup(address),
            2 => ReplicaAddresses::SpecialGroup(members),
            _ => ReplicaAddresses::Multihomed(members),
        };
        let mut record = ReplicaRecord::new(name, scope, version, addresses);
        record.is_static = kind & 0x80 != 0;
        record.state = match kind >> 2 & 7 {
            0..5 => ReplicaState::Active,
            5 => ReplicaState::Released,
            6 => ReplicaState::Tombstone,
            _ => ReplicaState::Reserved,
        };
        records.push(record);
        version = version.saturating_add(u64::from(kind >> 5 & 1) + 1);
    }
    records
}

fn action(payload: &[u8]) -> Option<OperatorAction> {
    let byte = |i: usize| payload.get(i).copied().unwrap_or(0);
    let (name, scope) = name(byte(1));
    let partner = [None, Some(PARTNERS[0]), Some(OWN)][usize::from(byte(2)) % 3];
    let kinds = [
        StaticType::Unique,
        StaticType::Group,
        StaticType::DomainName,
        StaticType::InternetGroup,
        StaticType::Multihomed,
    ];
    Some(match byte(0) % 13 {
        0 => OperatorAction::AddStatic(StaticMapping {
            name,
            scope,
            kind: kinds[usize::from(byte(2)) % kinds.len()],
            exact: byte(3) & 1 != 0,
            addresses: payload
                .iter()
                .skip(4)
                .take(40)
                .map(|&n| Ipv4Addr::new(10, 1, 0, n))
                .collect(),
        }),
        1 => OperatorAction::DeleteRecord { name, scope },
        2 => OperatorAction::TombstoneRecord { name, scope },
        3 => OperatorAction::ImportLmhosts { text: payload[1..].to_vec() },
        4 => OperatorAction::PullNow { partner },
        5 => OperatorAction::PushNow { partner, propagate: byte(3) & 1 != 0 },
        6 => OperatorAction::Scavenge { force: byte(1) & 1 != 0 },
        7 => OperatorAction::DeleteOwner { owner: Ipv4Addr::new(10, 0, 0, 1 + byte(1) % 6) },
        8 => OperatorAction::CheckConsistency,
        9 => OperatorAction::VerifyNow,
        10 => OperatorAction::Backup,
        11 => {
            let address = Ipv4Addr::new(10, 1, 0, byte(4));
            OperatorAction::DeleteStaticMember { name, scope, address }
        }
        _ => OperatorAction::SetPartners(
            PARTNERS
                .iter()
                .take(usize::from(byte(1)) % 3)
                .map(|&address| Partner::both_ways(address, SimDuration::from_mins(30)))
                .collect(),
        ),
    })
}
