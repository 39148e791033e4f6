//! The live loop: one thread waits for every socket, hands what comes to the node, and lets the database's
//! thread write in groups.
//!
//! A turn of the loop: what the disk has done, a batch of datagrams, streams, deadlines, and then one
//! commit for everything the turn has changed, unless one is still being written; what gathers
//! meanwhile goes with the next. Answers of a strict server wait in the node for their commit.

use super::clock::Clock;
use super::commit::{Committer, Outcome};
use super::counters::{Counters, Standing};
use super::flood::FloodGate;
use super::hook::Hook;
use super::log::{self, EventLog, Limited};
use super::node::{Node, NodeInput};
use super::opening::{Asked, finish_recording, is_imported, open_store, read_statics, wait_for};
use super::options::{LiveOptions, ServeError};
use super::outside::Outside;
use super::record::Recorder;
use super::settings::{Settings, SettingsError};
use super::sockets;
use super::streams::{ReadOutcome, StreamNews, StreamTable};
use crate::base::{Now, SimDuration, SimTime};
use crate::sim::LAZY_COMMIT_INTERVAL;
use crate::wins::{CommitMode, VERSION_RESERVE, WinsEvent};
use mio::net::TcpListener;
use mio::{Events, Poll, Token, Waker};
use std::io::ErrorKind;
use std::net::{SocketAddr, SocketAddrV4};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

pub(super) const NAMES: Token = Token(0);
pub(super) const REPLICATION: Token = Token(1);
const DISK: Token = Token(2);
pub(super) const SIGNALS: Token = Token(3);
const FIRST_STREAM: usize = 4;

/// Datagrams taken in one turn before the disk and the streams have theirs.
const BATCH: usize = 128;
/// The longest datagram the name service may carry and then some; longer ones are cut, and malformed.
const DATAGRAM_BYTES: usize = 2048;
/// Bytes read from a stream at once, and reads of one stream in a turn.
const STREAM_BYTES: usize = 64 << 10;
const STREAM_READS: usize = 16;
/// Streams and counters are looked after this often.
const HOUSEKEEPING: SimDuration = SimDuration::from_secs(1);
/// Turns that a clean stop gives to streams with bytes to send.
const GOODBYE: Duration = Duration::from_millis(200);

/// Serves until SIGINT or SIGTERM, then stops cleanly with everything durable.
///
/// # Errors
/// See [`ServeError`]. A database that cannot be written ends the service (Q134958).
pub fn serve(options: &LiveOptions) -> Result<(), ServeError> {
    let mut live = Live::start(options)?;
    let outcome = live.run();
    live.finish(outcome)
}

#[derive(Debug)]
struct Live {
    node: Node,
    outside: Outside,
    clock: Clock,
    poll: Poll,
    listener: TcpListener,
    asked: Asked,
    gate: FloodGate,
    flood_log: Limited,
    stream_log: Limited,
    store: PathBuf,
    recorder: Option<(PathBuf, Recorder)>,
    recording_failed: bool,
    backup: Option<PathBuf>,
    strict: bool,
    counters_every: Option<SimDuration>,
    next_counters: SimTime,
    next_housekeeping: SimTime,
    /// When a lazy commit is due.
    lazy_due: Option<SimTime>,
    /// Whether the socket may have more datagrams, the listener more connections, and these streams more
    /// bytes.
    more_datagrams: bool,
    more_connections: bool,
    ready: Vec<usize>,
    datagram: Box<[u8]>,
    chunk: Box<[u8]>,
}

/// Everything checked and opened before the node starts.
impl Live {
    fn start(options: &LiveOptions) -> Result<Live, ServeError> {
        let settings = &options.settings;
        let config = settings.config().map_err(ServeError::Settings)?;
        let statics = read_statics(&options.statics)?;
        let mut socket =
            sockets::name_socket(SocketAddrV4::new(settings.listen, settings.name_port))?;
        let at = SocketAddrV4::new(settings.listen, settings.replication_port);
        let mut listener = sockets::replication_socket(at)?;
        let hook = options.on_change.as_deref().map(Hook::start).transpose().map_err(|error| {
            ServeError::Hook(options.on_change.clone().unwrap_or_default(), error)
        })?;
        let (store, recorder) = open_store(options, &config)?;
        let loaded =
            store.load().map_err(|error| ServeError::Store(options.store.clone(), error))?;
        let profile = &config.profile;
        let (version, strict) = (profile.version, profile.commit == CommitMode::Strict);
        let node = Node::new(settings, config, loaded).map_err(|source| {
            ServeError::Settings(vec![SettingsError::Name { option: "--name", source }])
        })?;
        let machine = |what| move |error| ServeError::Machine(what, error);
        let (poll, asked) = wait_for(&mut socket, &mut listener)
            .map_err(machine("the machine gives no event queue"))?;
        let registry = poll.registry().try_clone().map_err(machine("no event queue"))?;
        let waker = Waker::new(poll.registry(), DISK).map_err(machine("no event queue"))?;
        let committer = Committer::start(store, Arc::new(waker))
            .map_err(machine("no thread for the database"))?;
        let mut clock = Clock::start();
        let now = clock.now();
        let outside = Outside {
            socket,
            address: settings.listen,
            streams: StreamTable::new(registry, FIRST_STREAM),
            committer,
            counters: Counters::default(),
            events: EventLog::new(version),
            backup_due: false,
            hook,
            hook_log: Limited::default(),
            now,
            peer: None,
        };
        let limit = options.flood_limit;
        let mut live = Live {
            node,
            outside,
            clock,
            poll,
            listener,
            asked,
            gate: FloodGate::new(limit.unwrap_or(super::flood::RATE), limit.is_some()),
            flood_log: Limited::default(),
            stream_log: Limited::default(),
            store: options.store.clone(),
            recorder,
            recording_failed: false,
            backup: options.backup.clone(),
            strict,
            counters_every: options.counters_every,
            next_counters: now.time + options.counters_every.unwrap_or(SimDuration::MAX),
            next_housekeeping: now.time + HOUSEKEEPING,
            lazy_due: None,
            more_datagrams: true,
            more_connections: true,
            ready: Vec::new(),
            datagram: vec![0; DATAGRAM_BYTES].into(),
            chunk: vec![0; STREAM_BYTES].into(),
        };
        if live.recorder.is_some() {
            live.node.keep_digest();
        }
        live.begin(settings, statics)?;
        Ok(live)
    }

    /// Starts the service: the first reserve of versions and the static mappings are durable before the
    /// first request is looked at.
    fn begin(&mut self, settings: &Settings, statics: Vec<Vec<u8>>) -> Result<(), ServeError> {
        self.input(NodeInput::Start);
        self.commit_and_wait()?;
        for text in statics {
            if is_imported(&text, self.node.wins().core()) {
                continue;
            }
            self.input(NodeInput::Statics { text: &text });
        }
        self.commit_and_wait()?;
        let (name, listen) = (&settings.name, settings.listen);
        let (names, replication) = (settings.name_port, settings.replication_port);
        tracing::info!(
            records = self.node.wins().core().names.len(),
            profile = settings.profile,
            commit = if self.strict { "strict" } else { "lazy" },
            "serving as {name} at {listen}, UDP port {names} and TCP port {replication}"
        );
        let least = self.node.wins().core().profile.update_count_min;
        if let Some(count) = settings.push_after.filter(|&count| count < least) {
            tracing::warn!("--push-after {count} counts as {least}, the least of this version");
        }
        if !listen.is_loopback() {
            tracing::warn!(
                "{listen} is reachable from outside this machine: whoever reaches it can register names, \
                 and WINS knows no passwords"
            );
        }
        Ok(())
    }
}

/// The loop.
impl Live {
    fn run(&mut self) -> Result<(), ServeError> {
        let mut events = Events::with_capacity(256);
        while !self.asked.stop.load(Ordering::Relaxed) {
            let timeout = self.timeout();
            match self.poll.poll(&mut events, timeout) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(ServeError::Machine("waiting for sockets", error)),
            }
            self.tick();
            for event in &events {
                match event.token() {
                    NAMES => self.more_datagrams = true,
                    REPLICATION => self.more_connections = true,
                    DISK => {}
                    SIGNALS => self.asked.clear(),
                    token => {
                        let Some(slot) = self.outside.streams.slot_of(token) else { continue };
                        if event.is_writable() {
                            self.outside.streams.writable(slot, self.outside.now.time);
                        }
                        if !self.ready.contains(&slot) {
                            self.ready.push(slot);
                        }
                    }
                }
            }
            self.turn()?;
        }
        Ok(())
    }

    fn turn(&mut self) -> Result<(), ServeError> {
        self.disk()?;
        self.datagrams();
        self.stream_news();
        self.connections();
        self.read_streams();
        if self.node.next_deadline().is_some_and(|at| at <= self.outside.now.time) {
            self.input(NodeInput::Deadline);
        }
        self.stream_news();
        if self.outside.now.time >= self.next_housekeeping {
            self.housekeeping();
        }
        self.disk()?;
        self.commit_soon();
        self.back_up(false);
        if self.asked.counters.swap(false, Ordering::Relaxed) {
            self.show_counters();
        }
        Ok(())
    }

    fn tick(&mut self) -> Now {
        let now = self.clock.now();
        self.outside.now = now;
        now
    }

    fn input(&mut self, input: NodeInput<'_>) {
        let now = self.tick();
        feed(&mut self.node, &mut self.outside, &mut self.recorder, input, now);
    }

    /// How long to wait when nothing comes.
    fn timeout(&mut self) -> Option<Duration> {
        if self.more_datagrams || self.more_connections || !self.ready.is_empty() {
            return Some(Duration::ZERO);
        }
        let mut at = self.next_housekeeping;
        for deadline in [self.node.next_deadline(), self.lazy_due].into_iter().flatten() {
            at = at.min(deadline);
        }
        Some(Duration::from_nanos(at.since(self.tick().time).0))
    }

    fn datagrams(&mut self) {
        if !self.more_datagrams {
            return;
        }
        let now = self.tick();
        for _ in 0..BATCH {
            let (length, from) = match self.outside.socket.recv_from(&mut self.datagram) {
                Ok((length, SocketAddr::V4(from))) => (length, from),
                Ok(_) => continue,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.more_datagrams = false;
                    break;
                }
                Err(_) => continue,
            };
            self.outside.counters.received += 1;
            if !self.gate.admits(*from.ip(), now.time) {
                self.flooded(from, now.time);
                continue;
            }
            self.outside.peer = Some(*from.ip());
            let input = NodeInput::Datagram { from, bytes: &self.datagram[..length] };
            feed(&mut self.node, &mut self.outside, &mut self.recorder, input, now);
        }
        self.outside.peer = None;
    }

    fn flooded(&mut self, from: SocketAddrV4, now: SimTime) {
        self.outside.counters.flood_drops += 1;
        if let Some(left_out) = self.flood_log.line(now) {
            tracing::warn!(peer = %from.ip(), left_out, "too many requests from one address: dropped");
        }
    }

    fn connections(&mut self) {
        if !self.more_connections {
            return;
        }
        self.more_connections = false;
        loop {
            let partners = self.node.wins().replication().partners();
            let is_partner = |peer| partners.iter().any(|partner| partner.address == peer);
            let now = self.outside.now.time;
            let accepted = self.outside.streams.accept(&self.listener, is_partner, now);
            match accepted {
                None => return,
                Some((peer, Ok(stream))) => {
                    self.outside.counters.accepted += 1;
                    self.outside.peer = Some(peer);
                    self.input(NodeInput::StreamOpened { stream, peer });
                    self.outside.peer = None;
                }
                Some((peer, Err(turned))) => {
                    self.outside.counters.turned_away += 1;
                    if let Some(left_out) = self.stream_log.line(now) {
                        tracing::warn!(%peer, left_out, ?turned, "a connection was turned away");
                    }
                }
            }
        }
    }

    fn read_streams(&mut self) {
        for slot in std::mem::take(&mut self.ready) {
            let mut reads = 0;
            loop {
                if reads == STREAM_READS {
                    self.ready.push(slot);
                    break;
                }
                reads += 1;
                let now = self.tick();
                match self.outside.streams.read(slot, &mut self.chunk, now.time) {
                    ReadOutcome::Nothing => break,
                    ReadOutcome::Bytes(stream, length) => {
                        self.outside.peer = self.outside.streams.peer(slot);
                        let input = NodeInput::StreamData { stream, bytes: &self.chunk[..length] };
                        feed(&mut self.node, &mut self.outside, &mut self.recorder, input, now);
                        self.outside.peer = None;
                    }
                }
            }
        }
        self.stream_news();
    }

    /// Tells the node what became of its streams. What it does about it may be news again.
    fn stream_news(&mut self) {
        while !self.outside.streams.news.is_empty() {
            for news in std::mem::take(&mut self.outside.streams.news) {
                self.input(match news {
                    StreamNews::Connected(stream) => NodeInput::StreamConnected { stream },
                    StreamNews::Refused(stream) => NodeInput::StreamRefused { stream },
                    StreamNews::Closed(stream) => NodeInput::StreamClosed { stream },
                });
            }
        }
    }

    fn housekeeping(&mut self) {
        let now = self.outside.now.time;
        self.next_housekeeping = now + HOUSEKEEPING;
        // A listener that could not accept for want of file handles gets another chance.
        self.more_connections = true;
        for (peer, why) in self.outside.streams.give_up_on_stalled(now) {
            self.outside.counters.stalled += 1;
            if let Some(left_out) = self.stream_log.line(now) {
                tracing::warn!(%peer, left_out, "a peer {why}: its connection is closed");
            }
        }
        self.stream_news();
        self.look_after_recording();
        if let Some(every) = self.counters_every
            && now >= self.next_counters
        {
            self.next_counters = now + every;
            self.show_counters();
        }
    }

    /// A recording that cannot be written ends; the service goes on.
    fn look_after_recording(&mut self) {
        if let Some((path, recorder)) = &self.recorder
            && let Some(error) = recorder.error()
            && !self.recording_failed
        {
            self.recording_failed = true;
            tracing::error!("--record {}: {error}; the recording ends here", path.display());
        }
    }

    fn show_counters(&self) {
        let wins = self.node.wins();
        let standing = Standing {
            now: self.outside.now.time,
            records: wins.core().names.len(),
            streams: self.outside.streams.len(),
            associations: wins.replication().associations(),
            challenging: wins.challenges_under_way(),
            waiting: self.node.answers_waiting(),
        };
        log::counters(&self.outside.counters, &standing);
    }
}

/// The database.
impl Live {
    /// Takes note of a commit that is done.
    fn disk(&mut self) -> Result<(), ServeError> {
        if !self.node.is_committing() {
            return Ok(());
        }
        match self.outside.committer.finished() {
            None => Ok(()),
            Some(outcome) => self.committed(outcome),
        }
    }

    fn committed(&mut self, outcome: Outcome) -> Result<(), ServeError> {
        match outcome {
            Ok(checkpoint) => {
                self.outside.counters.commits += 1;
                // The disk writes what has gathered while the answers leave.
                let next = self.strict && self.node.is_dirty();
                if next {
                    self.outside.committer.begin();
                }
                self.input(NodeInput::Durable { checkpoint, next });
                Ok(())
            }
            Err(error) => {
                let now = self.outside.now.time;
                self.outside.events.write(WinsEvent::DatabaseError, None, now);
                Err(ServeError::Store(self.store.clone(), error))
            }
        }
    }

    /// Begins a commit where one is due: at once when strict, or when versions run short; otherwise when
    /// changes have gathered for a while.
    fn commit_soon(&mut self) {
        if !self.node.is_dirty() || self.node.is_committing() {
            return;
        }
        let short = self.node.wins().core().versions_available() <= VERSION_RESERVE / 2;
        if !self.strict && !short && !self.outside.backup_due {
            let due = *self.lazy_due.get_or_insert(self.outside.now.time + LAZY_COMMIT_INTERVAL);
            if self.outside.now.time < due {
                return;
            }
        }
        self.lazy_due = None;
        self.commit();
    }

    /// Begins a backup that is due, once nothing waits to be committed; takes note of one that has ended.
    fn back_up(&mut self, wait: bool) {
        let durable = !self.node.is_dirty() && !self.node.is_committing();
        let begins = self.outside.backup_due && durable;
        if begins && let Some(path) = &self.backup {
            self.outside.backup_due = !self.outside.committer.back_up(path.clone());
        }
        let Some(path) = &self.backup else { return };
        if let Some(made) = self.outside.committer.backed_up(wait && begins) {
            match &made {
                Ok(records) => tracing::info!(records, "backup in {}", path.display()),
                Err(why) => tracing::error!("--backup {}: {why}", path.display()),
            }
            self.input(NodeInput::BackupDone { ok: made.is_ok() });
        }
    }

    fn commit(&mut self) {
        self.input(NodeInput::Commit);
        self.outside.committer.begin();
    }

    fn commit_and_wait(&mut self) -> Result<(), ServeError> {
        loop {
            if self.node.is_committing() {
                let outcome = self.outside.committer.wait();
                self.committed(outcome)?;
            } else if self.node.is_dirty() {
                self.commit();
            } else {
                return Ok(());
            }
        }
    }

    /// Ends the service: what it holds in memory reaches the disk, streams are closed.
    fn finish(mut self, outcome: Result<(), ServeError>) -> Result<(), ServeError> {
        let outcome = outcome.and_then(|()| {
            tracing::info!("stopping");
            self.input(NodeInput::Stop);
            self.stream_news();
            self.commit_and_wait()?;
            self.back_up(true);
            Ok(())
        });
        self.say_goodbye();
        self.show_counters();
        if let Some(hook) = self.outside.hook.take() {
            hook.finish();
        }
        let closed = self.outside.committer.close();
        let outcome =
            outcome.and(closed.map_err(|error| ServeError::Store(self.store.clone(), error)));
        if outcome.is_ok() {
            finish_recording(self.recorder, self.node.digest(), &self.store);
        }
        match &outcome {
            Ok(()) => tracing::info!("stopped: everything is durable"),
            Err(error) => tracing::error!("stopped: {error}"),
        }
        outcome
    }

    /// Lets closed streams send what is left.
    fn say_goodbye(&mut self) {
        let mut events = Events::with_capacity(64);
        for _ in 0..5 {
            if self.outside.streams.is_empty() {
                return;
            }
            let _ = self.poll.poll(&mut events, Some(GOODBYE / 5));
            self.tick();
            for event in &events {
                if let Some(slot) = self.outside.streams.slot_of(event.token()) {
                    self.outside.streams.writable(slot, self.outside.now.time);
                }
            }
        }
    }
}

/// Gives an input to the node and, if there is one, to the recording.
fn feed(
    node: &mut Node,
    outside: &mut Outside,
    recorder: &mut Option<(PathBuf, Recorder)>,
    input: NodeInput<'_>,
    now: Now,
) {
    match recorder {
        None => node.handle(input, now, outside),
        Some((_, recorder)) => {
            recorder.input(&input, now);
            node.handle(input, now, outside);
            recorder.done(node.digest());
        }
    }
}
