//! The live loop: one thread waits for every socket, hands what comes to the node, and lets the database's
//! thread write in groups.
//!
//! A turn of the loop: what the disk has done, a batch of datagrams, streams, deadlines, and then one
//! commit for everything the turn has changed, unless one is still being written; what gathers
//! meanwhile goes with the next. Answers of a strict server wait in the node for their commit.

use super::clock::Clock;
use super::commit::Committer;
use super::counters::{Counters, Standing};
use super::flood::FloodGate;
use super::hook::Hook;
use super::log::{self, EventLog, Limited};
use super::node::{Node, NodeInput};
use super::outside::Outside;
use super::record::Recorder;
use super::settings::{Settings, SettingsError};
use super::sockets::{self, SocketError};
use super::store_file::{StoreFile, file_digest};
use super::streams::{ReadOutcome, StreamNews, StreamTable};
use crate::base::{Now, SimDuration, SimTime};
use crate::sim::LAZY_COMMIT_INTERVAL;
use crate::wins::{
    CommitMode, StoreError, VERSION_RESERVE, WinsConfig, WinsEvent, WinsStore, parse_lmhosts,
};
use mio::net::{TcpListener, UdpSocket, UnixStream};
use mio::{Events, Interest, Poll, Token, Waker};
use signal_hook::consts::{SIGINT, SIGTERM, SIGUSR1};
use std::io::{self, ErrorKind, Read};
use std::net::{SocketAddr, SocketAddrV4};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use thiserror::Error;

const NAMES: Token = Token(0);
const REPLICATION: Token = Token(1);
const DISK: Token = Token(2);
const SIGNALS: Token = Token(3);
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

/// What a live server needs beside its settings.
#[derive(Clone, Debug)]
pub struct LiveOptions {
    /// How the machines behave.
    pub settings: Settings,
    /// The database's file.
    pub store: PathBuf,
    /// LMHOSTS files with static mappings.
    pub statics: Vec<PathBuf>,
    /// Time between lines of counters; `None` shows them on SIGUSR1 only.
    pub counters_every: Option<SimDuration>,
    /// A program run for every name added, refreshed or deleted.
    pub on_change: Option<PathBuf>,
    /// A file for every input.
    pub record: Option<PathBuf>,
    /// Requests a second from one address; `None` is the usual limit, which spares this machine's programs.
    pub flood_limit: Option<u32>,
}

/// Why a server did not start, or had to stop.
#[derive(Debug, Error)]
pub enum ServeError {
    /// The settings do not hold together.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\nerror: "))]
    Settings(Vec<SettingsError>),
    /// A file of static mappings cannot be imported.
    #[error("--static {file}: {why}", file = .0.display(), why = .1)]
    Statics(PathBuf, String),
    /// A socket.
    #[error(transparent)]
    Socket(#[from] SocketError),
    /// The database.
    #[error("--store {file}: {error}", file = .0.display(), error = .1)]
    Store(PathBuf, StoreError),
    /// The program to be run for changes.
    #[error("--on-change {file}: {error}", file = .0.display(), error = .1)]
    Hook(PathBuf, io::Error),
    /// The recording.
    #[error("--record {file}: {error}", file = .0.display(), error = .1)]
    Record(PathBuf, io::Error),
    /// Anything else the machine refuses.
    #[error("{0}: {1}")]
    Machine(&'static str, io::Error),
}

impl ServeError {
    /// Whether the user, not the machine, has to change something.
    pub fn is_mistake(&self) -> bool {
        matches!(self, ServeError::Settings(_) | ServeError::Statics(..))
    }
}

/// Serves until SIGINT or SIGTERM, then stops cleanly with everything durable.
///
/// # Errors
/// See [`ServeError`]. A database that cannot be written ends the service (Q134958).
pub fn serve(options: &LiveOptions) -> Result<(), ServeError> {
    let mut live = Live::start(options)?;
    let outcome = live.run();
    live.finish(outcome)
}

/// What signals asked for.
#[derive(Debug)]
struct Asked {
    stop: Arc<AtomicBool>,
    counters: Arc<AtomicBool>,
    wakes: UnixStream,
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
                    return;
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

    fn committed(&mut self, outcome: Result<(), StoreError>) -> Result<(), ServeError> {
        match outcome {
            Ok(()) => {
                self.outside.counters.commits += 1;
                self.input(NodeInput::Durable);
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
        if !self.strict && !short {
            let due = *self.lazy_due.get_or_insert(self.outside.now.time + LAZY_COMMIT_INTERVAL);
            if self.outside.now.time < due {
                return;
            }
        }
        self.lazy_due = None;
        self.commit();
    }

    fn commit(&mut self) {
        self.input(NodeInput::Commit);
        self.outside.committer.begin();
    }

    fn commit_and_wait(&mut self) -> Result<(), ServeError> {
        if self.node.is_committing() {
            let outcome = self.outside.committer.wait();
            self.committed(outcome)?;
        }
        while self.node.is_dirty() {
            self.commit();
            let outcome = self.outside.committer.wait();
            self.committed(outcome)?;
        }
        Ok(())
    }

    /// Ends the service: what it holds in memory reaches the disk, streams are closed.
    fn finish(mut self, outcome: Result<(), ServeError>) -> Result<(), ServeError> {
        let outcome = outcome.and_then(|()| {
            tracing::info!("stopping");
            self.input(NodeInput::Stop);
            self.stream_news();
            self.commit_and_wait()
        });
        self.say_goodbye();
        self.show_counters();
        if let Some(hook) = self.outside.hook.take() {
            hook.finish();
        }
        self.outside.committer.close();
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

impl Asked {
    /// Catches SIGINT, SIGTERM and SIGUSR1. A second SIGINT ends the program at once.
    fn new() -> io::Result<Asked> {
        let (wakes, sender) = std::os::unix::net::UnixStream::pair()?;
        wakes.set_nonblocking(true)?;
        let stop = Arc::new(AtomicBool::new(false));
        let counters = Arc::new(AtomicBool::new(false));
        signal_hook::flag::register_conditional_shutdown(SIGINT, 4, stop.clone())?;
        for signal in [SIGINT, SIGTERM] {
            signal_hook::flag::register(signal, stop.clone())?;
        }
        signal_hook::flag::register(SIGUSR1, counters.clone())?;
        for signal in [SIGINT, SIGTERM, SIGUSR1] {
            signal_hook::low_level::pipe::register(signal, sender.try_clone()?)?;
        }
        Ok(Asked { stop, counters, wakes: UnixStream::from_std(wakes) })
    }

    fn clear(&mut self) {
        let mut bytes = [0; 64];
        while self.wakes.read(&mut bytes).is_ok_and(|count| count > 0) {}
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

/// The database, and a recording that begins with it.
#[allow(clippy::type_complexity)]
fn open_store(
    options: &LiveOptions,
    config: &WinsConfig,
) -> Result<(WinsStore, Option<(PathBuf, Recorder)>), ServeError> {
    let store_error = |error| ServeError::Store(options.store.clone(), error);
    let file = StoreFile::open(&options.store).map_err(store_error)?;
    let record = |path: &PathBuf| {
        Recorder::create(path, &options.settings, config, &file)
            .map(|recorder| (path.clone(), recorder))
            .map_err(|error| ServeError::Record(path.clone(), error))
    };
    let recorder = options.record.as_ref().map(record).transpose()?;
    Ok((WinsStore::open(file).map_err(store_error)?, recorder))
}

/// Ends a recording with the digest of the closed database.
fn finish_recording(recorder: Option<(PathBuf, Recorder)>, digest: u64, store: &Path) {
    let Some((path, recorder)) = recorder else { return };
    let finished =
        file_digest(store).and_then(|(length, stored)| recorder.finish(digest, length, stored));
    match finished {
        Ok(inputs) => tracing::info!(inputs, "recorded in {}", path.display()),
        Err(error) => tracing::error!("--record {}: {error}", path.display()),
    }
}

/// An event queue with both sockets and the signals.
fn wait_for(names: &mut UdpSocket, replication: &mut TcpListener) -> io::Result<(Poll, Asked)> {
    let poll = Poll::new()?;
    let mut asked = Asked::new()?;
    let registry = poll.registry();
    registry.register(names, NAMES, Interest::READABLE)?;
    registry.register(replication, REPLICATION, Interest::READABLE)?;
    registry.register(&mut asked.wakes, SIGNALS, Interest::READABLE)?;
    Ok((poll, asked))
}

/// The texts of the files of static mappings, each checked.
fn read_statics(files: &[PathBuf]) -> Result<Vec<Vec<u8>>, ServeError> {
    let read = |file: &PathBuf| {
        let wrong = |why: String| ServeError::Statics(file.clone(), why);
        let text = std::fs::read(file).map_err(|error| wrong(error.to_string()))?;
        parse_lmhosts(&text).map_err(|error| wrong(error.to_string()))?;
        Ok(text)
    };
    files.iter().map(read).collect()
}
