//! A power cut at every single disk write and sync of a short registration run. After each one the database
//! opens, holds exactly what some prefix of the commits wrote, and no version id comes twice.

use std::net::{Ipv4Addr, SocketAddrV4};
use winstorm::base::{Machine, Now, Outbox, SimTime, Streams, WallTime};
use winstorm::sim::disk::{Disk, DiskLoss, DiskParams};
use winstorm::wins::{
    CommitMode, Member, Members, NameKind, NameRecord, Origin, Owner, RecordState, StoreOp,
    VersionId, WinsConfig, WinsInput, WinsOutput, WinsProfile, WinsServer, WinsStore,
};
use winstorm::wire::name_service::compose::{self, Claim};
use winstorm::wire::name_service::{NamePacket, NbFlags, NodeType, Rcode};
use winstorm::wire::{NetbiosName, ScopeId, Suffix};

const FILE: &str = "wins.db";
const TEAR_SEEDS: u64 = 4;

fn record(n: u32, version: u64) -> NameRecord {
    let owner = Owner(Ipv4Addr::new(10, 0, 0, 1));
    let address = Ipv4Addr::from_bits(0x0A01_0000 + n);
    NameRecord {
        name: NetbiosName::new(&format!("HOST-{n}"), Suffix::SERVER).unwrap(),
        scope: ScopeId::none(),
        kind: NameKind::Unique,
        state: RecordState::Active,
        origin: Origin::Dynamic,
        node_type: NodeType::H,
        owner,
        version: VersionId(version),
        stamp: WallTime(version),
        members: Members::one(Member { address, owner, stamp: WallTime(version) }),
    }
}

/// What the database must hold after so many commits: the model.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Model {
    records: Vec<NameRecord>,
    reserve: VersionId,
}

/// Commit number `i` of the script: two new names, one renewed, one deleted, now and then a reserve.
fn commit(i: u32, model: &mut Model, out: &mut Outbox<WinsOutput>) {
    let mut put = |record: NameRecord, model: &mut Model| {
        let bytes = out.write(|buf| record.encode(buf));
        out.push(WinsOutput::Store(StoreOp::Put { record: bytes }));
        model.records.retain(|old| old.name != record.name);
        model.records.push(record);
    };
    let version = u64::from(i) * 3;
    put(record(i * 2, version + 1), model);
    put(record(i * 2 + 1, version + 2), model);
    put(record(i / 2, version + 3), model);
    if i % 3 == 2 {
        let gone = record(i - 1, 0);
        let key = out.write(|buf| NameRecord::encode_key(&gone.name, &gone.scope, buf));
        out.push(WinsOutput::Store(StoreOp::Delete { key }));
        model.records.retain(|old| old.name != gone.name);
    }
    if i.is_multiple_of(2) {
        let upto = VersionId(version + 64);
        out.push(WinsOutput::Store(StoreOp::ReserveVersions { upto }));
        model.reserve = upto;
    }
    model.records.sort_by_key(|record| record.name);
}

/// Runs the script until the disk stops. Returns the models after each commit begun, and how many of them
/// were acknowledged, and when the last of these was durable.
fn run(disk: &Disk, commits: u32) -> (Vec<Model>, usize, SimTime) {
    let mut models = vec![Model::default()];
    let mut now = SimTime::ZERO;
    let Ok(mut store) = WinsStore::open(disk.open(FILE)) else { return (models, 0, now) };
    now = disk.submit(now).unwrap_or(now);
    for i in 0..commits {
        let mut out = Outbox::default();
        let mut model = models.last().unwrap().clone();
        commit(i, &mut model, &mut out);
        models.push(model);
        store.apply_all(&out);
        if store.commit().is_err() {
            return (models, i as usize, now);
        }
        now = disk.submit(now).expect("a commit writes");
    }
    (models, commits as usize, now)
}

#[test]
fn every_write_and_sync_of_a_scripted_run() {
    const COMMITS: u32 = 8;
    let disk = Disk::new(DiskParams::default());
    run(&disk, COMMITS);
    let counters = disk.counters();
    let operations = counters.writes + counters.syncs;
    assert!(operations > 50, "{counters:?}");
    let (mut ahead, mut torn) = (0, 0);
    for stop in 0..=operations {
        for (seed, how) in (0..TEAR_SEEDS)
            .map(|seed| (seed, DiskLoss::PowerCut))
            .chain([(9, DiskLoss::Crash), (10, DiskLoss::Crash)])
        {
            let disk = Disk::new(DiskParams::default());
            disk.stop_after(stop);
            let (models, acknowledged, now) = run(&disk, COMMITS);
            let mut chance = Streams::new(seed).stream(&format!("cut/{stop}"));
            let report = disk.lose(how, now, &mut chance);
            torn += report.torn;
            let store = WinsStore::open(disk.open(FILE)).unwrap_or_else(|error| {
                panic!("stopped after {stop}, seed {seed}, {report:?}: {error}")
            });
            let loaded = store.load().expect("what opens can be read");
            let held = Model { records: loaded.records, reserve: loaded.reserve };
            let found = models.iter().rposition(|model| *model == held);
            let found = found.unwrap_or_else(|| panic!("{stop}/{seed}: a mixture of two commits"));
            assert!(found >= acknowledged, "{stop}/{seed}: commit {acknowledged} was lost");
            ahead += usize::from(found > acknowledged);
        }
    }
    assert!(ahead > 0, "an unacknowledged commit sometimes survives");
    assert!(torn > 100, "writes were torn: {torn}");
}

#[test]
fn a_cut_during_recovery_is_recovered_too() {
    let disk = Disk::new(DiskParams::default());
    disk.stop_after(40);
    let (models, acknowledged, now) = run(&disk, 6);
    disk.lose(DiskLoss::PowerCut, now, &mut Streams::new(1).stream("first"));
    for stop in 0..12 {
        disk.stop_after(stop);
        drop(WinsStore::open(disk.open(FILE)));
        disk.lose(DiskLoss::PowerCut, now, &mut Streams::new(stop).stream("again"));
    }
    let loaded = WinsStore::open(disk.open(FILE)).unwrap().load().unwrap();
    let held = Model { records: loaded.records, reserve: loaded.reserve };
    assert!(models[acknowledged..].contains(&held));
}

// rule: database/full-disk
#[test]
fn a_full_disk_is_an_error_value_and_the_database_survives_it() {
    let disk = Disk::new(DiskParams::default());
    let mut store = WinsStore::open(disk.open(FILE)).unwrap();
    let mut model = Model::default();
    let mut failed = false;
    disk.set_full(true);
    for i in 0..4000 {
        let mut out = Outbox::default();
        commit(i, &mut model, &mut out);
        store.apply_all(&out);
        if i % 100 == 0
            && let Err(error) = store.commit()
        {
            assert_eq!(error.to_string(), "the disk is full");
            failed = true;
            break;
        }
    }
    assert!(failed, "the file had to grow");
    drop(store);
    disk.set_full(false);
    WinsStore::open(disk.open(FILE)).unwrap().load().unwrap();
}

#[test]
fn a_commit_costs_disk_time_and_a_database_little_memory() {
    let disk = Disk::new(DiskParams::default());
    let mut store = WinsStore::open(disk.open(FILE)).unwrap();
    let mut now = disk.submit(SimTime::ZERO).unwrap();
    assert_eq!(disk.pending(now), 0);
    assert!(disk.memory() < 64 << 10, "{} bytes for an empty database", disk.memory());
    for i in 0..200 {
        let mut out = Outbox::default();
        commit(i, &mut Model::default(), &mut out);
        store.apply_all(&out);
        store.commit().unwrap();
        let done = disk.submit(now).expect("a commit costs something");
        let cost = done.since(now).nanos() / 1_000_000;
        assert!((10..60).contains(&cost), "{cost} ms a commit");
        now = done;
    }
    assert_eq!(disk.pending(now), 0, "the journal does not grow");
    assert!(disk.memory() < 512 << 10, "{} bytes for 400 records", disk.memory());
}

/// A server on its disk, its clients being this test.
struct Host {
    disk: Disk,
    store: WinsStore,
    server: WinsServer,
    now: SimTime,
    /// Answers held until what they promise is durable.
    held: Vec<NetbiosName>,
    /// Names whose registration was answered positively.
    answered: Vec<NetbiosName>,
}

fn configured(commit: CommitMode) -> WinsServer {
    let address = Ipv4Addr::new(10, 0, 0, 1);
    let profile = WinsProfile { commit, ..WinsProfile::default() };
    let config = WinsConfig { address, profile, partners: Vec::new() };
    WinsServer::new(config, Streams::new(1).stream("host/wins/wins"))
}

impl Host {
    /// Opens the database and starts the service. `None` when the disk stops before that.
    fn boot(disk: &Disk, commit: CommitMode, now: SimTime) -> Option<Host> {
        let store = WinsStore::open(disk.open(FILE)).ok()?;
        let loaded = store.load().expect("a database that opens can be read");
        let now = disk.submit(now).unwrap_or(now);
        let mut server = configured(commit);
        server.load(loaded);
        let (held, answered) = (Vec::new(), Vec::new());
        let mut host = Host { disk: disk.clone(), store, server, now, held, answered };
        host.input(WinsInput::Start);
        host.commit()?;
        Some(host)
    }

    fn input(&mut self, input: WinsInput<'_>) {
        let mut out = Outbox::default();
        let now = Now { time: self.now, wall: WallTime(self.now.0) };
        self.server.handle(input, now, &mut out);
        self.store.apply_all(&out);
        for item in &out.items {
            let WinsOutput::Send { bytes, after_commit, .. } = *item else { continue };
            let packet = NamePacket::decode(out.bytes(bytes)).expect("a server sends packets");
            assert_eq!(packet.flags.rcode(), Rcode::Ok);
            let (name, _) = packet.answer.and_then(|answer| answer.name).expect("about a name");
            match after_commit {
                true => self.held.push(name),
                false => self.answered.push(name),
            }
        }
    }

    /// Commits what was gathered; answers held for it leave when the disk is done.
    fn commit(&mut self) -> Option<()> {
        let committed = self.store.commit().ok()?;
        self.now = self.disk.submit(self.now).unwrap_or(self.now);
        self.answered.append(&mut self.held);
        self.input(WinsInput::Durable { ticket: committed.ticket });
        Some(())
    }

    fn register(&mut self, n: u8) {
        let name = NetbiosName::new(&format!("PC-{n}"), Suffix::SERVER).unwrap();
        let claim = Claim {
            id: u16::from(n),
            name: &name,
            scope: &ScopeId::none(),
            nb_flags: NbFlags::new(false, NodeType::H),
            address: Ipv4Addr::new(10, 2, 0, n),
            ttl: 0,
            broadcast: false,
        };
        let mut bytes = Vec::new();
        compose::registration(&claim, &mut bytes);
        let from = SocketAddrV4::new(claim.address, 137);
        self.input(WinsInput::Datagram { from, bytes: &bytes });
    }
}

/// Registers names in groups of three until the disk stops. Returns the names answered, the highest
/// version given out, and the time.
fn serve(disk: &Disk, commit: CommitMode) -> (Vec<NetbiosName>, VersionId, SimTime) {
    let Some(mut host) = Host::boot(disk, commit, SimTime::ZERO) else {
        return (Vec::new(), VersionId::ZERO, SimTime::ZERO);
    };
    for n in 0..15 {
        host.register(n);
        if n % 3 == 2 && host.commit().is_none() {
            break;
        }
    }
    (host.answered, host.server.core().own_maximum(), host.now)
}

// rule: database/commit
#[test]
fn every_write_and_sync_of_a_real_server() {
    for mode in [CommitMode::Strict, CommitMode::Lazy] {
        let disk = Disk::new(DiskParams::default());
        let (answered, last, _) = serve(&disk, mode);
        assert_eq!((answered.len(), last), (15, VersionId(15)), "{mode:?} without a fault");
        let operations = disk.counters().writes + disk.counters().syncs;
        let mut lost = 0;
        for stop in 0..=operations {
            for seed in 0..TEAR_SEEDS {
                let disk = Disk::new(DiskParams::default());
                disk.stop_after(stop);
                let (answered, last, now) = serve(&disk, mode);
                let mut chance = Streams::new(seed).stream(&format!("cut/{stop}"));
                disk.lose(DiskLoss::PowerCut, now, &mut chance);
                let mut host = Host::boot(&disk, mode, now).expect("the database opens");
                let names = &host.server.core().names;
                let missing = answered
                    .iter()
                    .filter(|name| names.get(name, &ScopeId::none()).is_none())
                    .count();
                assert!(mode == CommitMode::Lazy || missing == 0, "{stop}/{seed}: broken promise");
                assert!(missing <= 3, "{stop}/{seed}: more lost than one lazy commit");
                lost += missing;
                assert!(names.iter().all(|record| record.version <= last));
                assert!(host.server.core().own_maximum() >= last, "{stop}/{seed}: went back");
                host.register(99);
                let fresh = NetbiosName::new("PC-99", Suffix::SERVER).unwrap();
                let record = host.server.core().names.get(&fresh, &ScopeId::none()).unwrap();
                assert!(record.version > last, "{stop}/{seed}: {} used again", record.version);
            }
        }
        assert_eq!(lost > 0, mode == CommitMode::Lazy, "lazy commits lose something, strict never");
    }
}
