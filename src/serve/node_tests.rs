//! The node by itself: what it holds back, what it says to itself, and that a recording of it replays.

use super::super::record::{Recorder, Recording};
use super::super::replay::{ReplayVerdict, replay};
use super::super::store_file::StoreFile;
use super::*;
use crate::base::{SimDuration, WallTime};
use crate::wins::WinsStore;
use crate::wire::name_service::compose::{self, Claim};
use crate::wire::name_service::{NamePacket, NbFlags, Opcode, Rcode};
use crate::wire::{NetbiosName, Suffix};
use std::path::Path;

const OWN: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 5);
const CLIENT: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 9), 1500);

/// What came out: datagrams, and how many store operations.
#[derive(Debug, Default)]
struct Seen {
    sent: Vec<(SocketAddrV4, Vec<u8>)>,
    stored: usize,
    answered: usize,
    defended: usize,
}

impl Effects for Seen {
    fn send(&mut self, to: SocketAddrV4, bytes: &[u8]) {
        self.sent.push((to, bytes.to_vec()));
    }
    fn connect(&mut self, _: StreamId, _: SocketAddrV4) {}
    fn stream_send(&mut self, _: StreamId, _: &[u8]) {}
    fn stream_close(&mut self, _: StreamId) {}
    fn store(&mut self, _: &StoreOp, _: &Outbox<WinsOutput>, _: Option<Turned>) {
        self.stored += 1;
    }
    fn observe(&mut self, _: &Observation) {}
    fn host_answered(&mut self) {
        self.answered += 1;
    }
    fn host_defended(&mut self) {
        self.defended += 1;
    }
}

impl Seen {
    /// The codes of the answers to the client, in order; the others are forgotten.
    fn codes(&mut self) -> Vec<Rcode> {
        let sent = std::mem::take(&mut self.sent);
        let mine = sent.iter().filter(|(to, _)| *to == CLIENT);
        mine.map(|(_, bytes)| NamePacket::decode(bytes).expect("a packet").flags.rcode()).collect()
    }
}

/// A node with its clock.
struct Bench {
    node: Node,
    seen: Seen,
    time: SimTime,
}

fn settings(strict: bool) -> Settings {
    Settings { strict, ..Settings::new(OWN, "OURSRV") }
}

impl Bench {
    fn start(settings: &Settings) -> Bench {
        let config = settings.config().expect("good settings");
        let node = Node::new(settings, config, Loaded::default()).expect("good names");
        let mut bench = Bench { node, seen: Seen::default(), time: SimTime(1) };
        bench.input(NodeInput::Start);
        bench.commit();
        bench.commit();
        bench
    }

    fn input(&mut self, input: NodeInput<'_>) {
        self.time += SimDuration::from_millis(1);
        let now = Now { time: self.time, wall: WallTime(self.time.0) };
        self.node.handle(input, now, &mut self.seen);
    }

    fn commit(&mut self) {
        self.input(NodeInput::Commit);
        self.input(NodeInput::Durable { checkpoint: false, next: false });
    }

    fn register(&mut self, base: &str) {
        let bytes = registration(base);
        self.input(NodeInput::Datagram { from: CLIENT, bytes: &bytes });
    }
}

fn claim(base: &str, write: impl Fn(&Claim<'_>, &mut Vec<u8>)) -> Vec<u8> {
    let name = NetbiosName::new(base, Suffix::SERVER).expect("a name");
    let (scope, nb_flags) = (ScopeId::none(), NbFlags::new(false, NodeType::H));
    let address = *CLIENT.ip();
    let claim =
        Claim { id: 7, name: &name, scope: &scope, nb_flags, address, ttl: 0, broadcast: false };
    let mut bytes = Vec::new();
    write(&claim, &mut bytes);
    bytes
}

fn registration(base: &str) -> Vec<u8> {
    claim(base, compose::registration)
}

// rule: database/commit
#[test]
fn a_strict_answer_waits_for_its_own_commit_and_a_lazy_one_for_none() {
    let mut bench = Bench::start(&settings(true));
    bench.register("FIRST");
    bench.input(NodeInput::Commit);
    bench.register("SECOND");
    assert_eq!((bench.seen.codes(), bench.node.answers_waiting()), (vec![], 2));
    bench.input(NodeInput::Durable { checkpoint: false, next: false });
    assert_eq!((bench.seen.codes(), bench.node.answers_waiting()), (vec![Rcode::Ok], 1));
    bench.commit();
    assert_eq!((bench.seen.codes(), bench.node.answers_waiting()), (vec![Rcode::Ok], 0));
    let mut bench = Bench::start(&settings(false));
    bench.register("FIRST");
    assert_eq!(bench.seen.codes(), [Rcode::Ok]);
}

#[test]
fn the_next_commit_may_begin_before_the_answers_of_the_last_one_leave() {
    let mut bench = Bench::start(&settings(true));
    bench.register("FIRST");
    bench.input(NodeInput::Commit);
    bench.register("SECOND");
    bench.input(NodeInput::Durable { checkpoint: false, next: true });
    assert_eq!((bench.seen.codes(), bench.node.answers_waiting()), (vec![Rcode::Ok], 1));
    assert!(bench.node.is_committing() && !bench.node.is_dirty());
    bench.register("THIRD");
    bench.input(NodeInput::Durable { checkpoint: false, next: false });
    assert_eq!((bench.seen.codes(), bench.node.answers_waiting()), (vec![Rcode::Ok], 1));
    assert!(bench.node.is_dirty());
}

#[test]
fn an_answer_about_what_is_being_written_waits_for_that_commit_only() {
    let mut bench = Bench::start(&settings(true));
    bench.register("FIRST");
    bench.input(NodeInput::Commit);
    // The same again in the same moment: nothing new to store, but not durable either.
    let stored = bench.seen.stored;
    let query = claim("FIRST", compose::release);
    bench.input(NodeInput::Datagram { from: CLIENT, bytes: &query });
    assert!(bench.seen.stored > stored, "the release is stored");
    bench.input(NodeInput::Durable { checkpoint: false, next: false });
    assert_eq!(bench.seen.codes(), [Rcode::Ok]);
    bench.commit();
    assert_eq!(bench.seen.codes(), [Rcode::Ok]);
}

// rule: start/own-names
#[test]
fn the_host_registers_its_names_with_its_own_server_and_refuses_others() {
    let mut bench = Bench::start(&settings(true));
    assert!(bench.seen.sent.is_empty(), "nothing of it reached a socket");
    let own = NetbiosName::new("OURSRV", Suffix::SERVER).expect("a name");
    assert!(bench.node.wins().core().names.get(&own, &ScopeId::none()).is_some());
    bench.register("OURSRV");
    assert_eq!(bench.seen.codes(), [Rcode::Active]);
    for write in [compose::refresh, compose::refresh_alternate, compose::release] {
        let bytes = claim("OURSRV", write);
        bench.input(NodeInput::Datagram { from: CLIENT, bytes: &bytes });
        assert_eq!(bench.seen.codes(), [Rcode::Active]);
    }
    assert_eq!(bench.seen.defended, 4);
    let mut status = Vec::new();
    let any = NetbiosName::ANY;
    compose::node_status_request(9, &any, &ScopeId::none(), false, &mut status);
    bench.input(NodeInput::Datagram { from: CLIENT, bytes: &status });
    let (to, answer) = bench.seen.sent.pop().expect("an answer");
    assert_eq!(to, CLIENT, "to the port that asked");
    assert_eq!(NamePacket::decode(&answer).expect("a packet").opcode(), Opcode::Query);
    assert_eq!(bench.seen.answered, 1);
}

#[test]
fn a_storm_beyond_the_queue_is_answered_early() {
    let settings = Settings { burst_queue: 50, ..settings(true) };
    let mut bench = Bench::start(&settings);
    for n in 0..60 {
        bench.register(&format!("HOST-{n}"));
    }
    // Fifty wait for the disk; the others got a short time to live and are not stored.
    assert_eq!((bench.node.answers_waiting(), bench.seen.codes().len()), (50, 10));
}

/// Runs a node with a recorder beside it; returns what the recording holds.
fn record(folder: &Path, change: impl Fn(usize, &mut Vec<u8>)) -> std::path::PathBuf {
    let settings = settings(true);
    let path = folder.join("recording");
    let store = folder.join("wins.db");
    let file = StoreFile::open(&store).expect("a file");
    let journal = StoreFile::open(&super::super::store_file::journal_path(&store)).expect("a file");
    let config = settings.config().expect("good settings");
    let mut recorder =
        Recorder::create(&path, &settings, &config, &file, &journal).expect("a recording");
    let mut store = WinsStore::open_journaled(file.clone(), journal, &settings.store_options())
        .expect("a store");
    let mut node = Node::new(&settings, config, Loaded::default()).expect("good names");
    node.keep_digest();
    let mut disk = Disk(Vec::new());
    let mut inputs: Vec<(NodeInput<'_>, Vec<u8>)> = vec![(NodeInput::Start, vec![])];
    for n in 0..30 {
        inputs.push((NodeInput::Commit, vec![]));
        inputs.push((NodeInput::Durable { checkpoint: n % 10 == 5, next: false }, vec![]));
        inputs.push((NodeInput::Deadline, registration(&format!("HOST-{n}"))));
    }
    inputs.push((NodeInput::Commit, vec![]));
    inputs.push((NodeInput::Durable { checkpoint: false, next: false }, vec![]));
    for (n, (input, mut bytes)) in inputs.into_iter().enumerate() {
        let time = SimTime(1000 * n as u64);
        let now = Now { time, wall: WallTime(time.0 + 77 + n as u64 / 20) };
        let datagram = |bytes| NodeInput::Datagram { from: CLIENT, bytes };
        let written = bytes.clone();
        change(n, &mut bytes);
        let (told, done) = match bytes.is_empty() {
            true => (None, input),
            false => (Some(datagram(&written)), datagram(&bytes)),
        };
        recorder.input(told.as_ref().unwrap_or(&done), now);
        let step = (
            matches!(done, NodeInput::Commit),
            matches!(done, NodeInput::Durable { checkpoint: true, .. }),
        );
        node.handle(done, now, &mut disk);
        recorder.done(node.digest());
        if step.0 {
            std::mem::take(&mut disk.0).iter().for_each(|out| store.apply_all(out));
            store.commit().expect("a commit");
        }
        if step.1
            && let Some(checkpoint) = store.begin_checkpoint()
        {
            checkpoint.run().expect("a checkpoint");
            store.end_checkpoint(checkpoint);
        }
    }
    store.close().expect("closed");
    let (length, digest) = file.digest().expect("readable");
    recorder.finish(node.digest(), length, digest).expect("recorded");
    path
}

/// Keeps store operations until a commit.
struct Disk(Vec<Outbox<WinsOutput>>);

impl Effects for Disk {
    fn send(&mut self, _: SocketAddrV4, _: &[u8]) {}
    fn connect(&mut self, _: StreamId, _: SocketAddrV4) {}
    fn stream_send(&mut self, _: StreamId, _: &[u8]) {}
    fn stream_close(&mut self, _: StreamId) {}
    fn store(&mut self, op: &StoreOp, out: &Outbox<WinsOutput>, _: Option<Turned>) {
        let mut one = out.clone();
        one.items = vec![WinsOutput::Store(*op)];
        self.0.push(one);
    }
    fn observe(&mut self, _: &Observation) {}
}

#[test]
fn a_recording_replays_and_a_different_node_is_found_at_its_first_difference() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = record(folder.path(), |_, _| {});
    let replayed = replay(Recording::read(&path).expect("readable")).expect("replayable");
    assert_eq!(replayed.verdict, ReplayVerdict::Same);
    assert_eq!(replayed.inputs, 93);
    // A node that saw another claim than was written down: as if the program had changed.
    let folder = tempfile::tempdir().expect("a folder");
    let path = record(folder.path(), |n, bytes| {
        if n == 45 {
            bytes.clone_from(&registration("SOMEBODY-ELSE"));
        }
    });
    let replayed = replay(Recording::read(&path).expect("readable")).expect("replayable");
    let ReplayVerdict::Differs(difference) = replayed.verdict else { panic!("{replayed:?}") };
    assert_eq!((difference.input, difference.time), (46, SimTime(45_000)));
}

#[test]
fn every_changed_byte_of_a_recording_is_noticed() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = record(folder.path(), |_, _| {});
    let whole = std::fs::read(&path).expect("the recording");
    let first = whole.len() - Recording::read(&path).expect("readable").bytes_left();
    for at in (first..whole.len()).step_by(7) {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        std::fs::write(&path, &changed).expect("written");
        let replayed = Recording::read(&path).map_err(Into::into).and_then(replay);
        let same = replayed.is_ok_and(|replayed| replayed.verdict == ReplayVerdict::Same);
        assert!(!same, "byte {at} of {}", whole.len());
    }
}
