//! A power cut at every write and sync of a served database's day: registrations, releases, refreshes, a
//! static import, replication both ways, scavenging down to deletion, checkpoints and a backup.
//!
//! After each cut the database opens; nothing that was promised is missing; no version id is used twice; the
//! server and a partner that replicated before the cut converge; the backup is absent or complete. What a
//! record may be afterwards is told by its history: any state it had since the last one that was promised.
//!
//! The same judge is shown two planted faults, an answer that leaves before its commit and a reserve of
//! versions that is believed durable but never written, and must find both.

use std::collections::{BTreeMap, VecDeque};
use std::net::{Ipv4Addr, SocketAddrV4};
use winstorm::base::{Machine, Now, Outbox, SimDuration, SimTime, Streams, WallTime};
use winstorm::sim::disk::{Disk, DiskFile, DiskLoss, DiskParams};
use winstorm::wins::{
    CommitMode, Loaded, NameRecord, OperatorAction, Partner, PullPartner, PushPartner, RecordState,
    StoreError, StoreOp, StoreOptions, StreamId, VersionId, WinsConfig, WinsInput, WinsOutput,
    WinsProfile, WinsServer, WinsStore,
};
use winstorm::wire::name_service::compose::{self, Claim};
use winstorm::wire::name_service::{NamePacket, NbFlags, NodeType, Opcode, Rcode};
use winstorm::wire::{NetbiosName, ScopeId, Suffix};

const SUBJECT: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const PARTNER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
const STATICS: &[u8] = b"10.3.0.1 FIXED-1\n10.3.0.2 FIXED-2\n10.3.0.3 FIXED-3 #DOM:LAB\n";

/// What is wrong with the server under test.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
enum Planted {
    Nothing,
    /// Answers do not wait for their commit.
    AnswerFirst,
    /// Reserves of versions are not written, and said to be durable.
    ReserveForgotten,
}

/// How a run is set up.
#[derive(Copy, Clone, Debug)]
struct Setup {
    commit: CommitMode,
    /// With a journal, as a served database, or as one simulated file.
    journaled: bool,
    planted: Planted,
}

/// The states a name had here, oldest first, and which of them are promised.
#[derive(Clone, Debug, Default)]
struct History {
    states: Vec<Option<NameRecord>>,
    /// The oldest state that may be found after a power cut.
    promised: usize,
}

/// A positive answer that waits for its commit: the name, and its state when it was answered.
type Held = (NetbiosName, usize);

struct World {
    setup: Setup,
    disk: Disk,
    store: WinsStore,
    /// The server on the disk and its partner, which never fails.
    servers: [WinsServer; 2],
    now: SimTime,
    partner_tickets: u64,
    /// Bytes and ends of streams on their way: to which server, what.
    carried: VecDeque<(usize, Carried)>,
    ends: BTreeMap<(usize, StreamId), (usize, StreamId)>,
    accepted: u32,
    histories: BTreeMap<NetbiosName, History>,
    held: Vec<Held>,
    /// The highest version given out.
    given_out: VersionId,
    backups: usize,
}

enum Carried {
    Opened(StreamId, Ipv4Addr),
    Connected(StreamId),
    Data(StreamId, Vec<u8>),
    Closed(StreamId),
}

fn config(address: Ipv4Addr, commit: CommitMode) -> WinsConfig {
    let other = if address == SUBJECT { PARTNER } else { SUBJECT };
    let pull =
        PullPartner { interval: None, first_at: None, at_start: false, members_first: false };
    let push = PushPartner {
        update_count: None,
        at_start: false,
        on_address_change: false,
        only_dynamic: false,
    };
    let usual = Partner::both_ways(other, SimDuration::from_hours(1));
    let partner = Partner { pull: Some(pull), push: Some(push), ..usual };
    let profile = WinsProfile {
        commit,
        // Only on demand: the script says when.
        scavenge_every: Some(SimDuration::from_days(400)),
        verification_interval: SimDuration::from_days(300),
        ..WinsProfile::default()
    };
    WinsConfig { address, profile, partners: vec![partner] }
}

fn open(disk: &Disk, journaled: bool) -> Result<WinsStore, StoreError> {
    if !journaled {
        return WinsStore::open(disk.open("wins.db"));
    }
    let options =
        StoreOptions { address: Some(SUBJECT), cache_bytes: 1 << 16, ..StoreOptions::default() };
    WinsStore::open_journaled(disk.open("wins.db"), disk.open("wins.db.journal"), &options)
}

fn name(text: &str) -> NetbiosName {
    NetbiosName::new(text, Suffix::SERVER).unwrap()
}

impl World {
    fn new(setup: Setup, disk: &Disk) -> Option<World> {
        let partner = WinsServer::new(config(PARTNER, setup.commit), chance(PARTNER));
        let mut world = World {
            setup,
            disk: disk.clone(),
            store: open(disk, setup.journaled).ok()?,
            servers: [WinsServer::new(config(SUBJECT, setup.commit), chance(SUBJECT)), partner],
            now: SimTime::ZERO + SimDuration::from_secs(1),
            partner_tickets: 0,
            carried: VecDeque::new(),
            ends: BTreeMap::new(),
            accepted: 0,
            histories: BTreeMap::new(),
            held: Vec::new(),
            given_out: VersionId::ZERO,
            backups: 0,
        };
        world.input(1, WinsInput::Start);
        world.start_subject()?;
        Some(world)
    }

    /// Loads what the store holds into the subject and starts it.
    fn start_subject(&mut self) -> Option<()> {
        let loaded = self.store.load().expect("a database that opens can be read");
        self.submit();
        self.servers[0] = WinsServer::new(config(SUBJECT, self.setup.commit), chance(SUBJECT));
        self.servers[0].load(loaded);
        self.input(0, WinsInput::Start);
        self.commit()
    }

    fn submit(&mut self) {
        self.now = self.disk.submit(self.now).unwrap_or(self.now);
    }

    fn clock(&self) -> Now {
        Now { time: self.now, wall: WallTime(self.now.0) }
    }

    fn input(&mut self, server: usize, input: WinsInput<'_>) {
        let mut out = Outbox::default();
        let now = self.clock();
        self.servers[server].handle(input, now, &mut out);
        self.outputs(server, out);
    }

    fn deadlines(&mut self) {
        let now = self.clock();
        for server in 0..2 {
            let mut out = Outbox::default();
            self.servers[server].on_deadline(now, &mut out);
            self.outputs(server, out);
        }
    }

    fn outputs(&mut self, server: usize, out: Outbox<WinsOutput>) {
        if server == 0 {
            self.remember();
        }
        let mut stored = 0;
        for item in &out.items {
            match *item {
                WinsOutput::Store(op) if server == 0 => {
                    let reserve = matches!(op, StoreOp::ReserveVersions { .. });
                    if !(reserve && self.setup.planted == Planted::ReserveForgotten) {
                        self.store.apply(&op, &out);
                    }
                    stored += 1;
                }
                WinsOutput::Store(_) => stored += 1,
                WinsOutput::Send { bytes, after_commit, .. } if server == 0 => {
                    self.answer(out.bytes(bytes), after_commit);
                }
                WinsOutput::Send { .. }
                | WinsOutput::Multicast { .. }
                | WinsOutput::Backup(_)
                | WinsOutput::Failed
                | WinsOutput::Observe(_) => {}
                WinsOutput::Connect { stream, .. } => {
                    self.accepted += 1;
                    let (peer, end) = (1 - server, StreamId(self.accepted));
                    self.ends.insert((server, stream), (peer, end));
                    self.ends.insert((peer, end), (server, stream));
                    let from = if server == 0 { SUBJECT } else { PARTNER };
                    self.carried.push_back((peer, Carried::Opened(end, from)));
                    self.carried.push_back((server, Carried::Connected(stream)));
                }
                WinsOutput::StreamSend { stream, bytes } => {
                    if let Some(&(peer, end)) = self.ends.get(&(server, stream)) {
                        let bytes = out.bytes(bytes).to_vec();
                        self.carried.push_back((peer, Carried::Data(end, bytes)));
                    }
                }
                WinsOutput::StreamClose { stream } => {
                    if let Some((peer, end)) = self.ends.remove(&(server, stream)) {
                        self.ends.remove(&(peer, end));
                        self.carried.push_back((peer, Carried::Closed(end)));
                    }
                }
            }
        }
        if server == 1 && stored > 0 {
            self.partner_tickets += stored;
            let ticket = self.partner_tickets;
            self.input(1, WinsInput::Durable { ticket });
        }
        if server == 0 && stored > 0 && self.setup.planted == Planted::ReserveForgotten {
            self.input(0, WinsInput::Durable { ticket: u64::MAX });
        }
    }

    /// Adds the subject's records to their histories where they changed.
    fn remember(&mut self) {
        self.given_out = self.given_out.max(self.servers[0].core().own_maximum());
        let table = &self.servers[0].core().names;
        for record in table.iter() {
            self.histories
                .entry(record.name)
                .or_insert_with(|| History { states: vec![None], promised: 0 });
        }
        for (name, history) in &mut self.histories {
            let state = table.get(name, &ScopeId::none()).map(|record| record.to_owned());
            if history.states.last() != Some(&state) {
                history.states.push(state);
            }
        }
    }

    fn answer(&mut self, bytes: &[u8], after_commit: bool) {
        let Ok(packet) = NamePacket::decode(bytes) else { return };
        if !packet.flags.is_response() || packet.flags.rcode() != Rcode::Ok {
            return;
        }
        if !matches!(
            packet.flags.opcode(),
            Opcode::Registration | Opcode::Refresh | Opcode::Release
        ) {
            return;
        }
        let Some((name, _)) = packet.answer.and_then(|answer| answer.name) else { return };
        let state = self.histories.get(&name).map_or(0, |history| history.states.len() - 1);
        let strict = self.setup.commit == CommitMode::Strict;
        if after_commit && self.setup.planted != Planted::AnswerFirst {
            self.held.push((name, state));
        } else if strict {
            self.promise(name, state);
        }
    }

    fn promise(&mut self, name: NetbiosName, state: usize) {
        let history = self.histories.entry(name).or_default();
        history.promised = history.promised.max(state);
    }

    /// Commits what was gathered: from then on all of it is promised in either mode.
    fn commit(&mut self) -> Option<()> {
        let committed = self.store.commit().ok()?;
        self.submit();
        for (name, state) in std::mem::take(&mut self.held) {
            self.promise(name, state);
        }
        for history in self.histories.values_mut() {
            history.promised = history.states.len() - 1;
        }
        self.input(0, WinsInput::Durable { ticket: committed.ticket });
        Some(())
    }

    fn checkpoint(&mut self) -> Option<()> {
        if let Some(checkpoint) = self.store.begin_checkpoint() {
            checkpoint.run().ok()?;
            self.store.end_checkpoint(checkpoint);
            self.submit();
        }
        Some(())
    }

    /// Brings everything under way to its end, with a commit after every `each` deliveries.
    fn settle(&mut self, each: usize) -> Option<()> {
        for round in 0.. {
            let Some((server, what)) = self.carried.pop_front() else { break };
            match what {
                Carried::Opened(stream, peer) => {
                    self.input(server, WinsInput::StreamOpened { stream, peer });
                }
                Carried::Connected(stream) => {
                    self.input(server, WinsInput::StreamConnected { stream });
                }
                Carried::Data(stream, bytes) => {
                    self.input(server, WinsInput::StreamData { stream, bytes: &bytes });
                }
                Carried::Closed(stream) => self.input(server, WinsInput::StreamClosed { stream }),
            }
            if round % each == 0 {
                self.commit()?;
            }
            assert!(round < 10_000, "replication does not end");
        }
        self.commit()
    }

    fn request(&mut self, server: usize, what: Opcode, text: &str, address: Ipv4Addr) {
        let name = name(text);
        let claim = Claim {
            id: 7,
            name: &name,
            scope: &ScopeId::none(),
            nb_flags: NbFlags::new(false, NodeType::H),
            address,
            ttl: 0,
            broadcast: false,
        };
        let mut bytes = Vec::new();
        match what {
            Opcode::Release => compose::release(&claim, &mut bytes),
            Opcode::Refresh => compose::refresh(&claim, &mut bytes),
            _ => compose::registration(&claim, &mut bytes),
        };
        let from = SocketAddrV4::new(address, 137);
        self.input(server, WinsInput::Datagram { from, bytes: &bytes });
    }

    fn register(&mut self, server: usize, n: u8) {
        let text = format!("PC-{server}-{n}");
        let address = Ipv4Addr::new(10, 2 + server as u8, 0, n + 1);
        self.request(server, Opcode::Registration, &text, address);
    }

    fn pull(&mut self, server: usize) {
        self.input(server, WinsInput::Operator(OperatorAction::PullNow { partner: None }));
    }

    fn scavenge(&mut self, after: SimDuration) -> Option<()> {
        self.now += after;
        self.input(0, WinsInput::Operator(OperatorAction::Scavenge { force: true }));
        for _ in 0..4 {
            self.now += SimDuration::from_secs(1);
            self.deadlines();
        }
        self.settle(1)
    }

    /// Copies the database under another name, then gives the copy its own.
    fn back_up(&mut self) -> Option<()> {
        self.disk.remove_file("backup.part");
        let part: DiskFile = self.disk.open("backup.part");
        self.store.begin_backup().ok()?.write(part).ok()?;
        self.submit();
        self.disk.rename_file("backup.part", "backup").ok()?;
        self.submit();
        self.backups += 1;
        Some(())
    }

    /// The day. `None` when the disk stopped.
    fn day(&mut self) -> Option<()> {
        let text = STATICS.to_vec();
        self.input(0, WinsInput::Operator(OperatorAction::ImportLmhosts { text }));
        self.commit()?;
        for n in 0..9 {
            self.register(0, n);
            if n % 3 == 2 {
                self.commit()?;
            }
        }
        (0..5).for_each(|n| self.register(1, n));
        self.pull(0);
        self.settle(2)?;
        self.checkpoint()?;
        self.request(0, Opcode::Release, "PC-0-1", Ipv4Addr::new(10, 2, 0, 2));
        self.request(0, Opcode::Refresh, "PC-0-2", Ipv4Addr::new(10, 2, 0, 3));
        self.commit()?;
        self.pull(1);
        self.settle(3)?;
        self.back_up()?;
        (9..12).for_each(|n| self.register(0, n));
        (5..8).for_each(|n| self.register(1, n));
        self.pull(0);
        self.settle(1)?;
        // Moves an address: a new version.
        self.request(0, Opcode::Release, "PC-0-3", Ipv4Addr::new(10, 2, 0, 4));
        self.request(0, Opcode::Registration, "PC-0-3", Ipv4Addr::new(10, 2, 9, 9));
        self.commit()?;
        for _ in 0..3 {
            self.scavenge(SimDuration::from_hours(145))?;
        }
        self.checkpoint()?;
        (12..14).for_each(|n| self.register(0, n));
        self.commit()?;
        self.back_up()?;
        self.pull(1);
        self.settle(1)
    }
}

fn chance(address: Ipv4Addr) -> winstorm::base::Stream {
    Streams::new(1).stream(&format!("host/{address}/wins"))
}

/// What a run left: enough to go on with after the cut.
struct Left {
    histories: BTreeMap<NetbiosName, History>,
    given_out: VersionId,
    backups: usize,
    now: SimTime,
    partner: WinsServer,
    partner_tickets: u64,
}

/// Runs the day on a disk that stops after so many operations, and cuts the power.
fn run(setup: Setup, disk: &Disk) -> Option<(Left, bool)> {
    let mut world = World::new(setup, disk)?;
    let whole = world.day().is_some();
    let World { histories, given_out, backups, now, partner_tickets, .. } = world;
    let [_, partner] = world.servers;
    Some((Left { histories, given_out, backups, now, partner, partner_tickets }, whole))
}

/// Cuts the power after `stop` operations and judges what is left. Returns how many promises of the lazy
/// kind were not kept.
fn judge(setup: Setup, stop: u64, seed: u64) -> Result<(), String> {
    let disk = Disk::new(DiskParams::default());
    disk.stop_after(stop);
    let left = run(setup, &disk);
    let now = left.as_ref().map_or(SimTime::ZERO + SimDuration::from_secs(1), |(left, _)| left.now);
    let mut chance = Streams::new(seed).stream(&format!("cut/{stop}"));
    disk.lose(DiskLoss::PowerCut, now, &mut chance);
    let store = open(&disk, setup.journaled).map_err(|error| format!("does not open: {error}"))?;
    let loaded = store.load().map_err(|error| format!("cannot be read: {error}"))?;
    let Some((left, _)) = left else { return Ok(()) };
    nothing_promised_is_missing(&left, &loaded)?;
    backup_is_absent_or_complete(&disk, &left)?;
    restarted(setup, &disk, store, left)
}

fn nothing_promised_is_missing(left: &Left, loaded: &Loaded) -> Result<(), String> {
    let held: BTreeMap<_, _> = loaded.records.iter().map(|record| (record.name, record)).collect();
    for (name, history) in &left.histories {
        let found = held.get(name).map(|&record| record.clone());
        if !history.states[history.promised..].contains(&found) {
            let promised = &history.states[history.promised];
            return Err(format!("{name} was promised as {promised:?} and is {found:?}"));
        }
    }
    match held.keys().find(|name| !left.histories.contains_key(name)) {
        Some(name) => Err(format!("{name} was never registered")),
        None => Ok(()),
    }
}

fn backup_is_absent_or_complete(disk: &Disk, left: &Left) -> Result<(), String> {
    if !disk.exists("backup") {
        return match left.backups {
            0 => Ok(()),
            taken => Err(format!("{taken} backups were taken, none is there")),
        };
    }
    let backup = WinsStore::open(disk.open("backup")).map_err(|error| error.to_string())?;
    let records = backup.load().map_err(|error| error.to_string())?.records;
    match records.len() {
        0..12 => Err(format!("the backup has only {} records", records.len())),
        _ => Ok(()),
    }
}

/// Starts the server again, lets both replicate, and compares.
fn restarted(setup: Setup, disk: &Disk, store: WinsStore, left: Left) -> Result<(), String> {
    let setup = Setup { planted: Planted::Nothing, ..setup };
    let blank = WinsServer::new(config(SUBJECT, setup.commit), chance(SUBJECT));
    let mut world = World {
        setup,
        disk: disk.clone(),
        store,
        servers: [blank, left.partner],
        now: left.now + SimDuration::from_secs(60),
        partner_tickets: left.partner_tickets,
        carried: VecDeque::new(),
        ends: BTreeMap::new(),
        accepted: 1000,
        histories: BTreeMap::new(),
        held: Vec::new(),
        given_out: VersionId::ZERO,
        backups: 0,
    };
    // The partner notices the broken connections, and the minutes of a restart pass.
    (1..1000).for_each(|n| {
        world.input(1, WinsInput::StreamClosed { stream: StreamId(n) });
        world.input(1, WinsInput::StreamClosed { stream: StreamId(StreamId::OUTGOING.0 + n) });
    });
    world.carried.clear();
    world.ends.clear();
    world.start_subject().ok_or("the disk works again")?;
    world.register(0, 99);
    let table = &world.servers[0].core().names;
    let fresh = table.get(&name("PC-0-99"), &ScopeId::none()).ok_or("nothing is registered")?;
    if fresh.version <= left.given_out {
        return Err(format!("version {} is used again", fresh.version));
    }
    world.register(1, 99);
    for _ in 0..4 {
        for server in 0..2 {
            world.now += SimDuration::from_mins(10);
            world.deadlines();
            world.settle(1).ok_or("the disk works again")?;
            world.pull(server);
            world.settle(1).ok_or("the disk works again")?;
        }
    }
    for (owner, from, at) in [(SUBJECT, 0, 1), (PARTNER, 1, 0)] {
        let there = &world.servers[at].core().names;
        for record in world.servers[from].core().names.iter() {
            let record = record.to_owned();
            if record.owner.address() != owner || record.state == RecordState::Released {
                continue;
            }
            let copy = there.get(&record.name, &ScopeId::none()).map(|copy| copy.to_owned());
            let same = copy.as_ref().is_some_and(|copy| {
                (copy.owner, copy.version, copy.state)
                    == (record.owner, record.version, record.state)
            });
            if !same {
                return Err(format!("{} of {owner} is missed: {copy:?}", record.name));
            }
        }
    }
    Ok(())
}

fn operations(setup: Setup) -> u64 {
    let disk = Disk::new(DiskParams::default());
    let (left, whole) = run(setup, &disk).expect("the disk never stops");
    assert!(whole && left.backups == 2 && left.histories.len() > 25, "the day is whole");
    let states = left.histories.values().flat_map(|history| &history.states).flatten();
    let tombstones = states.filter(|record| record.state == RecordState::Tombstone).count();
    let deleted = left.histories.values().filter(|history| history.states.last() == Some(&None));
    assert!(tombstones > 5 && deleted.count() > 5, "scavenging went down to deletion");
    let counters = disk.counters();
    counters.writes + counters.syncs
}

fn every_cut(setup: Setup, seeds: std::ops::Range<u64>) {
    let operations = operations(setup);
    assert!(operations > 150, "{operations}");
    for stop in 0..=operations {
        for seed in seeds.clone() {
            let verdict = judge(setup, stop, seed);
            assert_eq!(verdict, Ok(()), "{setup:?}, stopped after {stop}, seed {seed}");
        }
    }
}

#[test]
fn every_write_and_sync_of_a_strict_day() {
    let setup = Setup { commit: CommitMode::Strict, journaled: true, planted: Planted::Nothing };
    every_cut(setup, 0..3);
}

#[test]
fn every_write_and_sync_of_a_lazy_day() {
    let setup = Setup { commit: CommitMode::Lazy, journaled: true, planted: Planted::Nothing };
    every_cut(setup, 3..5);
}

#[test]
fn every_write_and_sync_of_a_simulated_servers_day() {
    let setup = Setup { commit: CommitMode::Strict, journaled: false, planted: Planted::Nothing };
    every_cut(setup, 5..6);
}

#[test]
fn planted_faults_are_found() {
    for (planted, complaint) in
        [(Planted::AnswerFirst, "was promised as"), (Planted::ReserveForgotten, "is used again")]
    {
        let setup = Setup { commit: CommitMode::Strict, journaled: true, planted };
        let found = (0..operations(setup)).step_by(3).find_map(|stop| judge(setup, stop, 1).err());
        let found = found.unwrap_or_default();
        assert!(found.contains(complaint), "{planted:?}: {found:?}");
    }
}
