//! One WINS server as one deterministic object: the name server, the host's own NetBIOS name, and the
//! answers that wait for the disk.
//!
//! Every input goes in with a time, everything the server does comes out through [`Effects`], in order.
//! The live loop and a replay drive exactly this object, so a recording of its inputs reproduces its
//! answers and its database.
//!
//! The host's own NetBT asks its own server: what the two say to each other never reaches a socket. A
//! claim to a name this host holds is refused at once; a challenge would only ask the host itself.
//!
//! Promised: an answer marked `after_commit` leaves after the commit that holds its record. Not done:
//! broadcasts, which a server bound to one address does not get.

use super::host_names::{HostNames, Reader};
use super::settings::Settings;
use crate::base::{ByteRange, Digest, Machine, Now, Outbox, SimTime, Streams};
use crate::nbt::{Identity, NbtClient, NbtConfig, NbtInput, NbtOutput, NbtProfile, Role};
use crate::wins::{
    Admission, BackupReason, BurstGate, Loaded, Observation, OperatorAction, RecordState, StoreOp,
    StreamId, WinsConfig, WinsInput, WinsOutput, WinsServer,
};
use crate::wire::name_service::{NodeType, Opcode, PORT};
use crate::wire::{NameError, ScopeId};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;

/// Names this host's server to its own NetBT, which ignores what comes from the host's own address.
const OWN_SERVER: Ipv4Addr = Ipv4Addr::UNSPECIFIED;
/// Names whoever sent the datagram at hand to the host's own NetBT, which answers to port 137 only.
const REQUESTER: Ipv4Addr = Ipv4Addr::BROADCAST;
/// The source port of what the host says to its own server; no datagram from outside has it.
const INSIDE_PORT: u16 = 0;

/// What can happen to a node.
#[derive(Debug)]
pub enum NodeInput<'a> {
    /// The service starts.
    Start,
    /// The service stops in an orderly way.
    Stop,
    /// A datagram came to the name service's port.
    Datagram {
        /// Its source.
        from: SocketAddrV4,
        /// Its payload.
        bytes: &'a [u8],
    },
    /// A peer connected to the replication port.
    StreamOpened {
        /// The new stream.
        stream: StreamId,
        /// The peer's address.
        peer: Ipv4Addr,
    },
    /// A stream the node opened is connected.
    StreamConnected {
        /// Which.
        stream: StreamId,
    },
    /// A stream the node opened could not be connected.
    StreamRefused {
        /// Which.
        stream: StreamId,
    },
    /// Bytes arrived on a stream.
    StreamData {
        /// Which.
        stream: StreamId,
        /// The bytes.
        bytes: &'a [u8],
    },
    /// A stream ended.
    StreamClosed {
        /// Which.
        stream: StreamId,
    },
    /// A deadline may have come.
    Deadline,
    /// A commit begins: it takes every store operation so far.
    Commit,
    /// The commit under way is durable.
    Durable {
        /// Whether the store then began to move its journal into the database. Only the file's bytes depend
        /// on it, not what the node does.
        checkpoint: bool,
        /// Whether the next commit has begun already: it takes everything stored before this input, and is
        /// under way while the answers leave.
        next: bool,
    },
    /// The backup that was asked for is made, or could not be.
    BackupDone {
        /// Whether it is complete.
        ok: bool,
    },
    /// Static mappings are to be imported.
    Statics {
        /// The text of an LMHOSTS file.
        text: &'a [u8],
    },
}

/// What a node does to the world. Calls come in the order of what they mean.
pub trait Effects {
    /// A datagram leaves from the name service's port.
    fn send(&mut self, to: SocketAddrV4, bytes: &[u8]);
    /// A stream is to be opened.
    fn connect(&mut self, stream: StreamId, to: SocketAddrV4);
    /// Bytes go out on a stream.
    fn stream_send(&mut self, stream: StreamId, bytes: &[u8]);
    /// A stream is closed.
    fn stream_close(&mut self, stream: StreamId);
    /// The database changes with the next commit. `turned` is the change of the record's state, if any.
    fn store(&mut self, op: &StoreOp, out: &Outbox<WinsOutput>, turned: Option<Turned>);
    /// Something worth counting or logging happened.
    fn observe(&mut self, observation: &Observation);
    /// A copy of the database is due, with everything stored so far.
    fn backup(&mut self, _reason: BackupReason) {}
    /// The host answered a request about its own names.
    fn host_answered(&mut self) {}
    /// A request claimed one of the host's own names and was refused.
    fn host_defended(&mut self) {}
}

/// How a record's state changed: before and after, `None` for no record.
pub type Turned = (Option<RecordState>, Option<RecordState>);

/// Answers that wait for one commit.
#[derive(Debug, Default)]
struct Held {
    answers: Vec<(SocketAddrV4, usize)>,
    bytes: Vec<u8>,
}

/// A WINS server with its host's names.
#[derive(Debug)]
pub struct Node {
    wins: WinsServer,
    host: NbtClient,
    names: HostNames,
    address: Ipv4Addr,
    name_port: u16,
    replication_port: u16,
    booted: bool,
    running: bool,
    /// Store operations handed over since the start, and how many are durable.
    handed: u64,
    durable: u64,
    /// The commit under way makes everything up to here durable.
    in_flight: Option<u64>,
    /// Answers that wait for the commit under way, and for the one after it.
    waiting: Held,
    gathering: Held,
    /// Empty, kept for its memory.
    spare: Held,
    /// What the host and its server say to each other.
    inside: Vec<Inside>,
    gate: BurstGate,
    /// Whether answers wait for commits at all.
    waits: bool,
    wins_out: Outbox<WinsOutput>,
    nbt_out: Outbox<NbtOutput>,
    digest: Option<Digest>,
}

#[derive(Debug)]
enum Inside {
    ToServer(Vec<u8>),
    ToHost(Vec<u8>),
}

impl Node {
    /// A node that has not started, with what its database held.
    ///
    /// # Errors
    /// A name in the settings is none; [`Settings::config`] says so before.
    pub fn new(settings: &Settings, config: WinsConfig, loaded: Loaded) -> Result<Node, NameError> {
        let streams = Streams::new(settings.seed);
        let mut wins = WinsServer::new(config, streams.stream("serve/wins"));
        wins.load(loaded);
        let identity = Identity::new(&settings.name, &settings.workgroup, Role::Server)?;
        let mut profile = NbtProfile::named(&settings.profile).unwrap_or_else(NbtProfile::w2k3);
        // Services of a program start together.
        profile.service_spacing = crate::base::SimDuration::ZERO;
        let node_type = Some(NodeType::P);
        let host_config = NbtConfig { profile, node_type, scope: ScopeId::none() };
        let first_id = streams.stream("serve/host").next_u64() as u16;
        let servers: Arc<[Ipv4Addr]> = Arc::new([OWN_SERVER]);
        let address = settings.listen;
        let host = NbtClient::new(Arc::new(host_config), &identity, &[address], servers, first_id);
        Ok(Node {
            names: HostNames::new(&host),
            wins,
            host,
            address,
            name_port: settings.name_port,
            replication_port: settings.replication_port,
            booted: false,
            running: false,
            handed: 0,
            durable: 0,
            in_flight: None,
            waiting: Held::default(),
            gathering: Held::default(),
            spare: Held::default(),
            inside: Vec::new(),
            gate: BurstGate::new(),
            waits: true,
            wins_out: Outbox::default(),
            nbt_out: Outbox::default(),
            digest: None,
        })
    }

    /// From now on everything the node does is folded into a digest.
    pub fn keep_digest(&mut self) {
        self.digest.get_or_insert_default();
    }

    /// The digest of everything the node did since [`Node::keep_digest`].
    pub fn digest(&self) -> u64 {
        self.digest.map_or(0, Digest::value)
    }

    /// The name server, for those who watch.
    pub fn wins(&self) -> &WinsServer {
        &self.wins
    }

    /// The host's own names, for those who watch.
    pub fn host(&self) -> &NbtClient {
        &self.host
    }

    /// Whether operations were handed over that no commit has taken.
    pub fn is_dirty(&self) -> bool {
        self.handed > self.in_flight.unwrap_or(self.durable)
    }

    /// Whether a commit is under way.
    pub fn is_committing(&self) -> bool {
        self.in_flight.is_some()
    }

    /// Answers that wait for a commit.
    pub fn answers_waiting(&self) -> usize {
        self.waiting.answers.len() + self.gathering.answers.len()
    }

    /// The earliest deadline, if any.
    pub fn next_deadline(&self) -> Option<SimTime> {
        if !self.running {
            return None;
        }
        self.wins.next_deadline().into_iter().chain(self.host.next_deadline()).min()
    }

    /// Takes one input.
    pub fn handle(&mut self, input: NodeInput<'_>, now: Now, fx: &mut impl Effects) {
        match input {
            NodeInput::Datagram { from, bytes } => self.datagram(from, bytes, now, fx),
            NodeInput::Start => {
                self.running = true;
                (self.handed, self.durable, self.in_flight) = (0, 0, None);
                self.tell_wins(WinsInput::Start, now, fx);
            }
            NodeInput::Stop => {
                self.tell_wins(WinsInput::Stop, now, fx);
                self.running = false;
            }
            NodeInput::StreamOpened { stream, peer } => {
                self.tell_wins(WinsInput::StreamOpened { stream, peer }, now, fx);
            }
            NodeInput::StreamConnected { stream } => {
                self.tell_wins(WinsInput::StreamConnected { stream }, now, fx);
            }
            NodeInput::StreamRefused { stream } => {
                self.tell_wins(WinsInput::StreamRefused { stream }, now, fx);
            }
            NodeInput::StreamData { stream, bytes } => {
                self.tell_wins(WinsInput::StreamData { stream, bytes }, now, fx);
            }
            NodeInput::StreamClosed { stream } => {
                self.tell_wins(WinsInput::StreamClosed { stream }, now, fx);
            }
            NodeInput::Deadline => self.deadline(now, fx),
            NodeInput::Commit => self.commit(),
            NodeInput::Durable { next, .. } => self.made_durable(next, now, fx),
            NodeInput::BackupDone { ok } => {
                self.tell_wins(WinsInput::BackupDone { ok }, now, fx);
            }
            NodeInput::Statics { text } => {
                let action = OperatorAction::ImportLmhosts { text: text.to_vec() };
                self.tell_wins(WinsInput::Operator(action), now, fx);
            }
        }
        self.talk_inside(now, fx);
    }

    fn deadline(&mut self, now: Now, fx: &mut impl Effects) {
        let due = |at: Option<SimTime>| at.is_some_and(|at| at <= now.time);
        if due(self.wins.next_deadline()) {
            let mut out = std::mem::take(&mut self.wins_out);
            self.wins.on_deadline(now, &mut out);
            self.wins_outputs(out, fx);
        }
        if due(self.host.next_deadline()) {
            let mut out = std::mem::take(&mut self.nbt_out);
            self.host.on_deadline(now, &mut out);
            self.host_outputs(out, None, fx);
        }
    }

    /// Everything handed over so far goes with this commit, and so do the answers that wait for it.
    fn commit(&mut self) {
        if self.in_flight.is_none() {
            self.in_flight = Some(self.handed);
            std::mem::swap(&mut self.waiting, &mut self.gathering);
        }
    }

    fn made_durable(&mut self, next: bool, now: Now, fx: &mut impl Effects) {
        let Some(ticket) = self.in_flight.take() else { return };
        self.durable = ticket;
        let mut held = std::mem::take(&mut self.waiting);
        std::mem::swap(&mut self.waiting, &mut self.spare);
        if next {
            self.commit();
        }
        self.tell_wins(WinsInput::Durable { ticket }, now, fx);
        let mut start = 0;
        for &(to, end) in &held.answers {
            self.deliver(to, &held.bytes[start..end], fx);
            start = end;
        }
        held.answers.clear();
        held.bytes.clear();
        self.spare = held;
        if self.running && !self.booted {
            // Before the first reserve of versions is durable nothing can be registered.
            self.booted = true;
            self.tell_host(NbtInput::Boot, None, now, fx);
        }
    }

    fn datagram(&mut self, from: SocketAddrV4, bytes: &[u8], now: Now, fx: &mut impl Effects) {
        match self.names.reader_of(bytes) {
            Reader::Server if enters_a_name(bytes) => self.registration(from, bytes, now, fx),
            Reader::Server => self.tell_wins(WinsInput::Datagram { from, bytes }, now, fx),
            Reader::Host => {
                fx.host_answered();
                let datagram = NbtInput::Datagram {
                    from: SocketAddrV4::new(REQUESTER, from.port()),
                    broadcast: false,
                    bytes,
                };
                self.tell_host(datagram, Some(from), now, fx);
            }
            Reader::Claim => {
                let mut out = std::mem::take(&mut self.nbt_out);
                match self.names.refusal(bytes, self.address, &mut out) {
                    Some(refusal) => {
                        fx.host_defended();
                        self.leave(from, out.bytes(refusal), fx);
                        out.clear();
                        self.nbt_out = out;
                    }
                    None => {
                        self.nbt_out = out;
                        self.tell_wins(WinsInput::Datagram { from, bytes }, now, fx);
                    }
                }
            }
        }
    }

    /// A registration or refresh. What waits here are answers that wait for the disk.
    fn registration(&mut self, from: SocketAddrV4, bytes: &[u8], now: Now, fx: &mut impl Effects) {
        let waiting = self.answers_waiting() as u32;
        let profile = &self.wins.core().profile;
        let queue_max = profile.registration_queue_max;
        let (early, enters) = match self.gate.admit(profile, waiting) {
            Admission::Queue => (None, true),
            Admission::Early { queued, keep } => (Some(queued), keep),
            Admission::Drop => (Some(queue_max), false),
        };
        if let Some(queued) = early {
            // Nothing is stored for such an answer, so it has nothing to wait for.
            self.waits = false;
            self.tell_wins(WinsInput::Overflow { from, bytes, queued }, now, fx);
            self.waits = true;
        }
        if enters {
            self.tell_wins(WinsInput::Datagram { from, bytes }, now, fx);
        }
    }

    fn tell_wins(&mut self, input: WinsInput<'_>, now: Now, fx: &mut impl Effects) {
        let mut out = std::mem::take(&mut self.wins_out);
        self.wins.handle(input, now, &mut out);
        self.wins_outputs(out, fx);
    }

    fn wins_outputs(&mut self, mut out: Outbox<WinsOutput>, fx: &mut impl Effects) {
        for (i, item) in out.items.iter().enumerate() {
            match *item {
                WinsOutput::Send { to, bytes, after_commit } => {
                    let bytes = out.bytes(bytes);
                    if after_commit && self.waits && self.handed > self.durable {
                        self.hold(to, bytes);
                    } else {
                        self.deliver(to, bytes, fx);
                    }
                }
                // Partners are given by name here: nobody is searched for.
                WinsOutput::Multicast { .. } => {}
                WinsOutput::Backup(reason) => fx.backup(reason),
                // The service outlives what it cannot read.
                WinsOutput::Failed => {}
                WinsOutput::Store(ref op) => {
                    self.handed += 1;
                    self.fold_store(op, &out);
                    let turned = match out.items.get(i + 1) {
                        Some(WinsOutput::Observe(Observation::State { before, after, .. })) => {
                            Some((*before, *after))
                        }
                        _ => None,
                    };
                    fx.store(op, &out, turned);
                }
                WinsOutput::Observe(ref observation) => fx.observe(observation),
                WinsOutput::Connect { stream, to } => {
                    let to = SocketAddrV4::new(*to.ip(), self.replication_port);
                    self.fold(1, u64::from(stream.0), to, &[]);
                    fx.connect(stream, to);
                }
                WinsOutput::StreamSend { stream, bytes } => {
                    let bytes = out.bytes(bytes);
                    self.fold(2, u64::from(stream.0), NOBODY, bytes);
                    fx.stream_send(stream, bytes);
                }
                WinsOutput::StreamClose { stream } => {
                    self.fold(3, u64::from(stream.0), NOBODY, &[]);
                    fx.stream_close(stream);
                }
            }
        }
        out.clear();
        self.wins_out = out;
    }

    /// Keeps an answer until the commit that holds everything handed over so far is durable.
    fn hold(&mut self, to: SocketAddrV4, bytes: &[u8]) {
        let taken = self.in_flight.is_some_and(|ticket| self.handed <= ticket);
        let held = if taken { &mut self.waiting } else { &mut self.gathering };
        held.bytes.extend_from_slice(bytes);
        held.answers.push((to, held.bytes.len()));
    }

    /// A datagram of the server: to the host itself, or out.
    fn deliver(&mut self, to: SocketAddrV4, bytes: &[u8], fx: &mut impl Effects) {
        let request = is_request(bytes);
        if *to.ip() == self.address && (to.port() == INSIDE_PORT || request) {
            return self.inside.push(Inside::ToHost(bytes.to_vec()));
        }
        // Requests of the server go to where names are served; answers to where they were asked for.
        let port = if request && to.port() == PORT { self.name_port } else { to.port() };
        self.leave(SocketAddrV4::new(*to.ip(), port), bytes, fx);
    }

    fn leave(&mut self, to: SocketAddrV4, bytes: &[u8], fx: &mut impl Effects) {
        self.fold(0, 0, to, bytes);
        fx.send(to, bytes);
    }

    fn tell_host(
        &mut self,
        input: NbtInput<'_>,
        requester: Option<SocketAddrV4>,
        now: Now,
        fx: &mut impl Effects,
    ) {
        let mut out = std::mem::take(&mut self.nbt_out);
        self.host.handle(input, now, &mut out);
        self.host_outputs(out, requester, fx);
    }

    fn host_outputs(
        &mut self,
        mut out: Outbox<NbtOutput>,
        requester: Option<SocketAddrV4>,
        fx: &mut impl Effects,
    ) {
        for item in &out.items {
            match *item {
                NbtOutput::Send { to, bytes } if *to.ip() == OWN_SERVER => {
                    self.inside.push(Inside::ToServer(out.bytes(bytes).to_vec()));
                }
                NbtOutput::Send { bytes, .. } => {
                    if let Some(to) = requester {
                        self.leave(to, out.bytes(bytes), fx);
                    }
                }
                NbtOutput::NameState { .. } => self.names.read(&self.host),
                NbtOutput::Broadcast { .. }
                | NbtOutput::Resolved { .. }
                | NbtOutput::ServerSwitched { .. }
                | NbtOutput::Event { .. }
                | NbtOutput::Stopped => {}
            }
        }
        out.clear();
        self.nbt_out = out;
    }

    /// Hands over what the host and its server have to say to each other, until both are silent.
    fn talk_inside(&mut self, now: Now, fx: &mut impl Effects) {
        while !self.inside.is_empty() {
            for said in std::mem::take(&mut self.inside) {
                match said {
                    Inside::ToServer(bytes) => {
                        let from = SocketAddrV4::new(self.address, INSIDE_PORT);
                        self.tell_wins(WinsInput::Datagram { from, bytes: &bytes }, now, fx);
                    }
                    Inside::ToHost(bytes) => {
                        let from = SocketAddrV4::new(OWN_SERVER, PORT);
                        let said = NbtInput::Datagram { from, broadcast: false, bytes: &bytes };
                        self.tell_host(said, None, now, fx);
                    }
                }
            }
        }
    }

    fn fold(&mut self, what: u64, number: u64, to: SocketAddrV4, bytes: &[u8]) {
        if let Some(digest) = &mut self.digest {
            digest.fold(what << 32 | number);
            digest.fold(u64::from(to.ip().to_bits()) << 16 | u64::from(to.port()));
            digest.fold_bytes(bytes);
        }
    }

    fn fold_store(&mut self, op: &StoreOp, out: &Outbox<WinsOutput>) {
        if self.digest.is_none() {
            return;
        }
        let bytes = |range: ByteRange| out.bytes(range);
        match *op {
            StoreOp::Put { record } => self.fold(4, 0, NOBODY, bytes(record)),
            StoreOp::Delete { key } => self.fold(5, 0, NOBODY, bytes(key)),
            StoreOp::OwnerMaximum { owner, version } => {
                self.fold(6, u64::from(owner.0.to_bits()), NOBODY, &version.0.to_be_bytes());
            }
            StoreOp::ForgetOwner { owner } => {
                self.fold(7, u64::from(owner.0.to_bits()), NOBODY, &[]);
            }
            StoreOp::ReserveVersions { upto } => {
                self.fold(8, 0, NOBODY, &upto.0.to_be_bytes());
            }
            #[allow(unreachable_patterns, reason = "operations that a later store may know")]
            _ => self.fold(9, 0, NOBODY, &[]),
        }
    }
}

const NOBODY: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0);

/// Whether a packet asks for a name to be entered or refreshed.
fn enters_a_name(bytes: &[u8]) -> bool {
    bytes.get(2).is_some_and(|flags| {
        let opcode = Opcode::from_code(flags >> 3);
        let enters = matches!(
            opcode,
            Opcode::Registration
                | Opcode::MultihomedRegistration
                | Opcode::Refresh
                | Opcode::RefreshAlternate
        );
        enters && flags & 0x80 == 0
    })
}

/// Whether a packet the node composed is a request.
fn is_request(bytes: &[u8]) -> bool {
    bytes.get(2).is_some_and(|flags| flags & 0x80 == 0)
}

#[cfg(test)]
#[path = "node_tests.rs"]
mod tests;
