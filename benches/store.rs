//! What a commit costs on a real file: one `redb` transaction, and one frame in the journal beside it.
//!
//! Groups of 1, 16, 64 and 256 changes to records anywhere in the alphabet, with 1,000, 100,000 and
//! 1,000,000 records in the file. The two ways take turns in the same folder, so that a busy disk disturbs
//! both; beside them stands a bare write and sync of as many bytes at the end of a file, which is what no
//! store can beat. Checkpoints run on a thread of their own meanwhile, as in a server.
//!
//! `cargo bench --bench store [-- --folder DIR]` measures; without `--bench` (as `cargo test --benches` runs
//! it) the file is small and only the content is checked.

#![allow(clippy::disallowed_types)] // a benchmark measures real time; no run sees it

use redb::StorageBackend;
use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use winstorm::base::{Outbox, WallTime};
use winstorm::serve::StoreFile;
use winstorm::wins::{
    Checkpoint, Member, Members, NameKind, NameRecord, Origin, Owner, RecordState, StoreError,
    StoreOp, StoreOptions, VersionId, WinsOutput, WinsStore,
};
use winstorm::wire::name_service::NodeType;
use winstorm::wire::{NetbiosName, ScopeId, Suffix};

/// A file that counts its syncs and the bytes written to it.
#[derive(Clone, Debug)]
struct Counted {
    file: StoreFile,
    counts: Arc<[AtomicU64; 2]>,
}

impl Counted {
    fn open(path: &Path, counts: &Arc<[AtomicU64; 2]>) -> Counted {
        let file = StoreFile::open(path).expect("the bench's own file");
        Counted { file, counts: counts.clone() }
    }
}

impl StorageBackend for Counted {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }
    fn sync_data(&self) -> io::Result<()> {
        self.counts[0].fetch_add(1, Ordering::Relaxed);
        self.file.sync_data()
    }
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.counts[1].fetch_add(data.len() as u64, Ordering::Relaxed);
        self.file.write(offset, data)
    }
}

fn record(n: u64, version: u64) -> NameRecord {
    let owner = Owner(Ipv4Addr::new(10, 9, 9, 9));
    let address = Ipv4Addr::from_bits(0x0A00_0000 + n as u32);
    let stamp = WallTime(version);
    NameRecord {
        name: NetbiosName::new(&format!("HOST-{n}"), Suffix::SERVER).expect("a name"),
        scope: ScopeId::none(),
        kind: NameKind::Unique,
        state: RecordState::Active,
        origin: Origin::Dynamic,
        node_type: NodeType::H,
        owner,
        version: VersionId(version),
        stamp,
        members: Members::one(Member { address, owner, stamp }),
    }
}

/// A store, with its checkpoint under way.
struct Store {
    store: WinsStore,
    running: Option<JoinHandle<(Checkpoint, Result<(), StoreError>)>>,
    checkpoints: u32,
    out: Outbox<WinsOutput>,
    random: u64,
    version: u64,
    counts: Arc<[AtomicU64; 2]>,
}

impl Store {
    fn open(path: &Path, journaled: bool) -> Store {
        let counts = Arc::new([AtomicU64::new(0), AtomicU64::new(0)]);
        let file = Counted::open(path, &counts);
        let store = match journaled {
            false => WinsStore::open(file),
            true => {
                let journal = Counted::open(&path.with_extension("journal"), &counts);
                WinsStore::open_journaled(file, journal, &StoreOptions::default())
            }
        };
        let store = store.expect("the bench's own database");
        let (out, random) = (Outbox::default(), 0x9E37_79B9_7F4A_7C15);
        Store { store, running: None, checkpoints: 0, out, random, version: 0, counts }
    }

    fn next(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
    }

    fn put(&mut self, n: u64) {
        self.version += 1;
        let record = record(n, self.version);
        let bytes = self.out.write(|buf| record.encode(buf));
        self.store.apply(&StoreOp::Put { record: bytes }, &self.out);
        self.out.clear();
    }

    fn commit(&mut self) {
        self.store.commit().expect("the disk works");
        if self.running.as_ref().is_some_and(|thread| thread.is_finished()) {
            self.join();
        }
        if self.store.checkpoint_due()
            && let Some(checkpoint) = self.store.begin_checkpoint()
        {
            self.checkpoints += 1;
            #[allow(clippy::disallowed_methods)] // as the server does it
            let thread = std::thread::spawn(move || {
                let outcome = checkpoint.run();
                (checkpoint, outcome)
            });
            self.running = Some(thread);
        }
    }

    fn join(&mut self) {
        if let Some(thread) = self.running.take() {
            let (checkpoint, outcome) = thread.join().expect("no panic");
            outcome.expect("the disk works");
            self.store.end_checkpoint(checkpoint);
        }
    }

    fn counted(&self) -> (u64, u64) {
        (self.counts[0].load(Ordering::Relaxed), self.counts[1].load(Ordering::Relaxed))
    }
}

/// One line of the table.
fn line(what: &str, group: u64, mut times: Vec<Duration>, syncs: f64, bytes: f64) {
    times.sort_unstable();
    let total: Duration = times.iter().sum();
    let (median, worst) = (times[times.len() / 2], times[times.len() - 1]);
    println!(
        "  {what:<8} group {group:>3}: median {median:>10.1?} worst {worst:>10.1?}  {:>8.0} records/s  \
         {syncs:.2} syncs/commit  {bytes:>8.0} bytes/record",
        group as f64 * times.len() as f64 / total.as_secs_f64(),
    );
}

fn measure(what: &str, store: &mut Store, group: u64, records: u64, commits: usize) {
    let (syncs, bytes) = store.counted();
    let times = (0..commits).map(|_| {
        for _ in 0..group {
            let n = store.next() % records;
            store.put(n);
        }
        let begin = Instant::now();
        store.commit();
        begin.elapsed()
    });
    let times: Vec<Duration> = times.collect();
    let (syncs, bytes) = (store.counted().0 - syncs, store.counted().1 - bytes);
    let per_commit = syncs as f64 / commits as f64;
    line(what, group, times, per_commit, bytes as f64 / (commits as u64 * group) as f64);
}

/// Writes and syncs as many bytes as a group of records has, again and again over the same file.
fn bare(folder: &Path, group: u64, commits: usize) {
    let file = StoreFile::open(&folder.join("bare")).expect("the bench's own file");
    let bytes = vec![1; (28 + group as usize * 65).next_multiple_of(512)];
    file.write(0, &vec![0; bytes.len() * commits]).expect("the disk works");
    file.sync_data().expect("the disk works");
    let times = (0..commits).map(|n| {
        let begin = Instant::now();
        file.write((n * bytes.len()) as u64, &bytes).expect("the disk works");
        file.sync_data().expect("the disk works");
        begin.elapsed()
    });
    line("bare", group, times.collect(), 1.0, bytes.len() as f64 / group as f64);
}

fn compare(folder: &Path, records: u64, commits: usize) {
    let path = folder.join(format!("{records}.db"));
    let mut filled = Store::open(&path, true);
    let begin = Instant::now();
    for n in 0..records {
        // Names in no order, each once.
        filled.put(n.wrapping_mul(0x9E37_79B1) % records.next_power_of_two());
        if n % 10_000 == 9_999 {
            filled.commit();
        }
    }
    filled.commit();
    filled.join();
    filled.store.close().expect("the disk works");
    let bytes = std::fs::metadata(&path).expect("it is there").len();
    println!(
        "{records} records filled in {:.1?}, {} bytes a record",
        begin.elapsed(),
        bytes / records
    );
    let other = folder.join(format!("{records}.plain.db"));
    std::fs::copy(&path, &other).expect("room for a copy");
    let begin = Instant::now();
    let mut journaled = Store::open(&path, true);
    let found = journaled.store.load().expect("it is whole").records.len() as u64;
    println!("  opened, checked and loaded in {:.1?}", begin.elapsed());
    assert_eq!(found, records);
    let mut plain = Store::open(&other, false);
    for group in [1, 16, 64, 256] {
        bare(folder, group, commits);
        measure("redb", &mut plain, group, records, commits);
        measure("journal", &mut journaled, group, records, commits);
    }
    // Long enough that checkpoints run beside it.
    let many = commits * 20;
    measure("journal", &mut journaled, 64, records, many);
    println!("  ({} checkpoints under way meanwhile)", journaled.checkpoints);
    journaled.join();
    let begin = Instant::now();
    let backup = journaled.store.begin_backup().expect("the disk works");
    let copied = backup.write(StoreFile::open(&folder.join("backup")).expect("its own file"));
    println!("  backup of {} records in {:.1?}", copied.expect("the disk works"), begin.elapsed());
    let bytes = std::fs::metadata(folder.join("backup")).expect("it is there").len();
    println!("  {} bytes a record in the backup", bytes / records);
    journaled.store.close().expect("the disk works");
    for name in ["backup", "bare"] {
        std::fs::remove_file(folder.join(name)).expect("it was there");
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let folder = arguments.iter().position(|argument| argument == "--folder");
    let parent = folder.and_then(|at| arguments.get(at + 1)).map(PathBuf::from);
    let parent = parent.unwrap_or_else(std::env::temp_dir);
    let folder = tempfile::tempdir_in(parent).expect("a folder for the files");
    let sizes: &[(u64, usize)] = match arguments.iter().any(|argument| argument == "--bench") {
        true => &[(1 << 10, 300), (1 << 17, 300), (1 << 20, 300)],
        false => &[(1 << 10, 5)],
    };
    for &(records, commits) in sizes {
        compare(folder.path(), records, commits);
    }
}
