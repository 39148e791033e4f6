//! A closed loop of name service requests: so many are outstanding at all times, and each answer brings the
//! next request.
//!
//! One thread, one socket. A request without an answer is repeated after `RETRY`, as clients do, and given up
//! after `TRIES`. Each name has at most one request under way, so that every answer can be held against
//! what the server said before: a wrong one is a failure of the server, not of the measurement.

use hdrhistogram::Histogram;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::time::{Duration, Instant};
use winstorm::base::{Stream, Streams};
use winstorm::wire::name_service::{
    NbFlags, NodeType, Opcode, Rcode,
    compose::{self, Claim},
    peek,
};
use winstorm::wire::{NetbiosName, ScopeId};

/// Silence after which a request is repeated.
const RETRY: Duration = Duration::from_millis(1500);
/// Sendings of one request.
const TRIES: u8 = 3;
/// Slots that a transaction id can name; its other bits tell one use of a slot from the next.
const SLOTS_MAX: usize = 1 << SLOT_BITS;
const SLOT_BITS: u32 = 12;
/// Answers between two looks at the clock for repetitions.
const CHECK_EVERY: u32 = 1024;
/// The server's renewal interval is days; a time to live below this was given in a burst, unstored.
const BURST_TTL_S: u32 = 2400;
/// How long the names of a set may take to be there; a slow server is asked for those that are.
const FILL_MAX: Duration = Duration::from_secs(5);
/// Room for the answers to everything outstanding.
const BUFFER_BYTES: usize = 8 << 20;
/// Where the pieces of a request without scope are, so that one is made by patching bytes.
const LETTERS_AT: usize = 13;
const BASE_LETTERS: usize = 16;

/// What is asked.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Mix {
    /// Registrations, refreshes, releases and queries of a set of names.
    Mixed,
    /// Queries for names that are there.
    Queries,
    /// Registrations, each of a name never seen before.
    Registrations,
}

impl Mix {
    /// The mix with this name.
    pub fn named(text: &str) -> Option<Mix> {
        match text {
            "mixed" => Some(Mix::Mixed),
            "queries" => Some(Mix::Queries),
            "registrations" => Some(Mix::Registrations),
            _ => None,
        }
    }
}

/// What to do.
#[derive(Copy, Clone, Debug)]
pub struct Plan {
    /// Whom to ask.
    pub server: SocketAddrV4,
    /// The address that registers; names are released from it.
    pub from: Ipv4Addr,
    /// Requests under way at a time.
    pub outstanding: usize,
    /// What is asked.
    pub mix: Mix,
    /// Names of the mixes that use a set of them.
    pub names: usize,
    /// The first name's number, so that runs do not meet.
    pub first: u64,
    /// How long; the names of a set are registered before.
    pub lasts: Duration,
    /// The end, whatever the time: for tests.
    pub operations_max: u64,
}

/// What came of it.
#[derive(Debug)]
pub struct Outcome {
    /// Answered requests.
    pub operations: u64,
    /// How long they took.
    pub took: Duration,
    /// From the first sending to the answer, nanoseconds.
    pub latency: Histogram<u64>,
    /// Requests repeated.
    pub retries: u64,
    /// Requests given up.
    pub failures: u64,
    /// Answers that contradict what was answered before, or refuse what must not be refused.
    pub wrong: u64,
    /// Claims acknowledged for a short time: the server was in burst mode.
    pub bursts: u64,
}

/// A request under way.
#[derive(Copy, Clone, Debug)]
struct Slot {
    name: u64,
    what: What,
    sent: Instant,
    /// When it is repeated.
    due: Instant,
    tries: u8,
    /// Tells an answer to an earlier use of the slot.
    turn: u8,
    busy: bool,
}

#[derive(Copy, Clone, PartialEq, Eq, Debug)]
enum What {
    Register,
    Refresh,
    Release,
    Query,
}

/// A name of the set.
#[derive(Copy, Clone, Default, Debug)]
struct Name {
    held: bool,
    busy: bool,
    /// An answer is not to be trusted: an earlier request was given up, or acknowledged unstored.
    unsure: bool,
}

/// The generator at work.
pub struct Load {
    plan: Plan,
    socket: UdpSocket,
    /// One message of each kind, to be patched.
    templates: [Vec<u8>; 4],
    slots: Vec<Slot>,
    names: Vec<Name>,
    chance: Stream,
    next_fresh: u64,
    /// Names of the set that are registered when the measurement begins.
    filled: usize,
    outcome: Outcome,
}

impl Load {
    /// Opens the socket.
    ///
    /// # Errors
    /// The system refuses.
    pub fn new(plan: Plan) -> io::Result<Load> {
        assert!((1..=SLOTS_MAX).contains(&plan.outstanding), "1 to {SLOTS_MAX} outstanding");
        assert!(plan.names > plan.outstanding, "more names than requests under way");
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
        let _ = socket.set_recv_buffer_size(BUFFER_BYTES);
        let _ = socket.set_send_buffer_size(BUFFER_BYTES);
        socket.bind(&SockAddr::from(SocketAddrV4::new(plan.from, 0)))?;
        socket.connect(&SockAddr::from(plan.server))?;
        let socket: UdpSocket = socket.into();
        // Long enough not to matter, short enough that lost requests are repeated in time.
        socket.set_read_timeout(Some(Duration::from_millis(20)))?;
        let now = Instant::now();
        let idle = Slot {
            name: 0,
            what: What::Query,
            sent: now,
            due: now,
            tries: 0,
            turn: 0,
            busy: false,
        };
        Ok(Load {
            plan,
            socket,
            templates: templates(plan.from),
            slots: vec![idle; plan.outstanding],
            names: vec![Name::default(); plan.names],
            chance: Streams::new(1).stream("load"),
            next_fresh: plan.first + plan.names as u64,
            filled: 0,
            outcome: Outcome::new(),
        })
    }

    /// Registers the set of names, then measures.
    ///
    /// # Errors
    /// The system refuses to send or receive: as a rule, nobody listens.
    pub fn run(mut self) -> io::Result<Outcome> {
        if self.plan.mix != Mix::Registrations {
            self.fill()?;
            self.filled = self.names.iter().filter(|name| name.held).count();
        }
        self.outcome = Outcome::new();
        let start = Instant::now();
        let end = start + self.plan.lasts;
        for slot in 0..self.plan.outstanding {
            self.start(slot)?;
        }
        let mut countdown = CHECK_EVERY;
        while self.outcome.operations + self.outcome.failures < self.plan.operations_max {
            let answered = self.receive()?;
            if let Some(slot) = answered {
                self.start(slot)?;
            }
            countdown -= 1;
            if answered.is_none() || countdown == 0 {
                countdown = CHECK_EVERY;
                let now = Instant::now();
                if now >= end {
                    break;
                }
                for slot in self.repeat(now)? {
                    self.start(slot)?;
                }
            }
        }
        self.outcome.took = start.elapsed();
        Ok(self.outcome)
    }

    /// Registers every name of the set once, or as many as there is time for.
    fn fill(&mut self) -> io::Result<()> {
        let end = Instant::now() + FILL_MAX;
        let mut todo = 0..self.plan.names;
        let mut under_way = 0;
        let mut free: Vec<usize> = (0..self.plan.outstanding).collect();
        loop {
            while let Some(slot) = free.pop() {
                let Some(index) = todo.next() else { break };
                self.send_new(slot, self.plan.first + index as u64, What::Register)?;
                under_way += 1;
            }
            if under_way == 0 {
                return Ok(());
            }
            let mut done: Vec<usize> = self.receive()?.into_iter().collect();
            if done.is_empty() {
                done = self.repeat(Instant::now())?;
            }
            under_way -= done.len();
            free.extend(done);
            if Instant::now() >= end {
                todo = 0..0;
            }
        }
    }

    /// Begins the next request in this slot.
    fn start(&mut self, slot: usize) -> io::Result<()> {
        if self.plan.mix == Mix::Registrations {
            let name = self.next_fresh;
            self.next_fresh += 1;
            return self.send_new(slot, name, What::Register);
        }
        // More names than requests: a name that is free comes soon.
        let wanted = |name: &Name| match self.plan.mix {
            // Queries change nothing: a name may be asked for twice at a time.
            Mix::Queries => name.held || self.filled == 0,
            _ => !name.busy,
        };
        let index = loop {
            let index = self.chance.below(self.names.len() as u64) as usize;
            if wanted(&self.names[index]) {
                break index;
            }
        };
        let what = match self.plan.mix {
            Mix::Queries => What::Query,
            _ if !self.names[index].held => What::Register,
            _ => match self.chance.below(5) {
                0 => What::Release,
                1 | 2 => What::Refresh,
                _ => What::Query,
            },
        };
        self.send_new(slot, self.plan.first + index as u64, what)
    }

    fn send_new(&mut self, slot: usize, name: u64, what: What) -> io::Result<()> {
        if let Some(known) = self.name_mut(name) {
            known.busy = true;
        }
        let now = Instant::now();
        let turn = self.slots[slot].turn.wrapping_add(1);
        self.slots[slot] =
            Slot { name, what, sent: now, due: now + RETRY, tries: 1, turn, busy: true };
        self.send(slot)
    }

    fn send(&mut self, index: usize) -> io::Result<()> {
        let slot = self.slots[index];
        let template = &mut self.templates[slot.what as usize];
        template[..2].copy_from_slice(&transaction(index, slot.turn).to_be_bytes());
        write_name(slot.name, &mut template[LETTERS_AT..LETTERS_AT + BASE_LETTERS]);
        match self.socket.send(template) {
            // A full queue is a loss like any other.
            Err(error) if error.kind() != ErrorKind::WouldBlock => Err(error),
            _ => Ok(()),
        }
    }

    fn name_mut(&mut self, name: u64) -> Option<&mut Name> {
        let index = name.checked_sub(self.plan.first)?;
        self.names.get_mut(index as usize)
    }

    /// Takes one datagram; the slot it sets free. `None` when nothing came in a while.
    fn receive(&mut self) -> io::Result<Option<usize>> {
        let mut buffer = [0; 1024];
        loop {
            let len = match self.socket.recv(&mut buffer) {
                Ok(len) => len,
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock | ErrorKind::TimedOut => return Ok(None),
                    ErrorKind::Interrupted => continue,
                    _ => return Err(error),
                },
            };
            if let Some(slot) = self.answered(&buffer[..len]) {
                return Ok(Some(slot));
            }
        }
    }

    /// Holds an answer against its request. `None` for one that is late, or asks to wait.
    fn answered(&mut self, bytes: &[u8]) -> Option<usize> {
        let (id, flags) = peek(bytes)?;
        let index = usize::from(id) & (SLOTS_MAX - 1);
        let slot = *self.slots.get(index)?;
        if !slot.busy || transaction(index, slot.turn) != id || flags.opcode() == Opcode::Wack {
            return None;
        }
        let now = Instant::now();
        let positive = flags.rcode() == Rcode::Ok;
        let ttl_at = bytes.len().checked_sub(12)?;
        let burst = matches!(slot.what, What::Register | What::Refresh)
            && positive
            && u32::from_be_bytes(*bytes[ttl_at..].first_chunk()?) < BURST_TTL_S;
        let mut right = positive;
        if let Some(name) = self.name_mut(slot.name) {
            match slot.what {
                What::Query => right = positive == name.held,
                What::Release => name.held = false,
                What::Register | What::Refresh => name.held = positive,
            }
            right |= name.unsure;
            name.unsure = burst || (name.unsure && slot.what == What::Query);
            name.busy = false;
        }
        self.slots[index].busy = false;
        let outcome = &mut self.outcome;
        outcome.operations += 1;
        outcome.bursts += u64::from(burst);
        outcome.wrong += u64::from(!right);
        outcome.latency.saturating_record(now.duration_since(slot.sent).as_nanos() as u64);
        Some(index)
    }

    /// Sends again what is overdue, gives up what was sent often enough; the slots that are free now.
    fn repeat(&mut self, now: Instant) -> io::Result<Vec<usize>> {
        let mut free = Vec::new();
        for index in 0..self.slots.len() {
            let slot = &mut self.slots[index];
            if !slot.busy || slot.due > now {
                continue;
            }
            if slot.tries < TRIES {
                slot.tries += 1;
                slot.due = now + RETRY;
                self.outcome.retries += 1;
                self.send(index)?;
                continue;
            }
            slot.busy = false;
            let name = slot.name;
            self.outcome.failures += 1;
            if let Some(name) = self.name_mut(name) {
                (name.busy, name.unsure) = (false, true);
            }
            free.push(index);
        }
        Ok(free)
    }
}

impl Outcome {
    fn new() -> Outcome {
        let latency = Histogram::new_with_bounds(100, 60_000_000_000, 3).expect("good bounds");
        Outcome {
            operations: 0,
            took: Duration::ZERO,
            latency,
            retries: 0,
            failures: 0,
            wrong: 0,
            bursts: 0,
        }
    }

    /// Answered requests a second.
    pub fn rate(&self) -> f64 {
        self.operations as f64 / self.took.as_secs_f64().max(1e-9)
    }

    /// Microseconds that this share of answers took at most.
    pub fn micros(&self, quantile: f64) -> f64 {
        self.latency.value_at_quantile(quantile) as f64 / 1e3
    }
}

/// The id of this use of a slot.
fn transaction(slot: usize, turn: u8) -> u16 {
    slot as u16 | u16::from(turn) << SLOT_BITS
}

/// One message of each kind, in the order of [`What`].
fn templates(from: Ipv4Addr) -> [Vec<u8>; 4] {
    let name = NetbiosName::from_bytes(*b"LOAD           \x20");
    let scope = ScopeId::none();
    let claim = Claim {
        id: 0,
        name: &name,
        scope: &scope,
        nb_flags: NbFlags::new(false, NodeType::H),
        address: from,
        ttl: 300_000,
        broadcast: false,
    };
    let mut out: [Vec<u8>; 4] = Default::default();
    compose::registration(&claim, &mut out[What::Register as usize]);
    compose::refresh(&claim, &mut out[What::Refresh as usize]);
    compose::release(&Claim { ttl: 0, ..claim }, &mut out[What::Release as usize]);
    compose::query(0, &name, &scope, false, &mut out[What::Query as usize]);
    out
}

/// The first eight bytes of a name, as sixteen letters A to P: its number in base 16, as letters A to P
/// themselves. Encoded, each of those is an E or an F and a letter (RFC 1001 14.1).
fn write_name(mut number: u64, letters: &mut [u8]) {
    for pair in letters.as_chunks_mut::<2>().0.iter_mut().rev() {
        let byte = b'A' + (number & 15) as u8;
        number >>= 4;
        *pair = [b'A' + (byte >> 4), b'A' + (byte & 15)];
    }
}
