//! Tests of the journaled store: what survives, what is refused, and that what is refused stays as it was.

use super::tests::{Memory, put, record};
use super::*;
use crate::base::Streams;
use crate::wins::NameRecord;

const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 9, 9, 9);

/// A database of two files.
#[derive(Clone, Default)]
pub(super) struct Pair {
    pub file: Memory,
    pub journal: Memory,
}

pub(super) fn options() -> StoreOptions {
    StoreOptions { address: Some(ADDRESS), cache_bytes: 1 << 20, ..StoreOptions::default() }
}

impl Pair {
    pub(super) fn open(&self) -> Result<WinsStore, StoreError> {
        WinsStore::open_journaled(self.file.clone(), self.journal.clone(), &options())
    }

    /// The same bytes in other files: what a program that is killed now would leave.
    pub(super) fn image(&self) -> Pair {
        let copy = |memory: &Memory| Memory(Arc::new(std::sync::Mutex::new(memory.bytes())));
        Pair { file: copy(&self.file), journal: copy(&self.journal) }
    }

    fn digest(&self) -> (Vec<u8>, Vec<u8>) {
        (self.file.bytes(), self.journal.bytes())
    }
}

pub(super) fn records(store: &WinsStore) -> Vec<NameRecord> {
    let mut records = store.load().unwrap().records;
    records.sort_by_key(|record| record.name);
    records
}

fn reserve(store: &mut WinsStore, upto: u64) {
    let mut out = Outbox::default();
    out.push(WinsOutput::Store(StoreOp::ReserveVersions { upto: VersionId(upto) }));
    store.apply_all(&out);
}

fn delete(store: &mut WinsStore, n: u32) {
    let mut out = Outbox::default();
    let gone = record(n, 0);
    let key = out.write(|buf| NameRecord::encode_key(&gone.name, &gone.scope, buf));
    out.push(WinsOutput::Store(StoreOp::Delete { key }));
    store.apply_all(&out);
}

#[test]
fn a_killed_server_loses_nothing_that_was_committed() {
    let mut pair = Pair::default();
    let mut store = pair.open().unwrap();
    let mut chance = Streams::new(1).stream("commits");
    let mut model = std::collections::BTreeMap::new();
    for commit in 0..120 {
        for _ in 0..chance.between(1, 30) {
            let n = chance.below(200) as u32;
            match chance.below(5) {
                0 => {
                    delete(&mut store, n);
                    model.remove(&n);
                }
                _ => {
                    put(&mut store, &record(n, commit));
                    model.insert(n, record(n, commit));
                }
            }
        }
        reserve(&mut store, 1000 + commit);
        store.commit().unwrap();
        match chance.below(6) {
            0 => store.checkpoint_now().unwrap(),
            1 => {
                // Killed in the middle of a checkpoint: before it, or between its two halves.
                let checkpoint = store.begin_checkpoint().unwrap();
                put(&mut store, &record(500, commit));
                model.insert(500, record(500, commit));
                store.commit().unwrap();
                if chance.below(2) == 0 {
                    checkpoint.run().unwrap();
                }
                let image = pair.image();
                drop((checkpoint, store));
                pair = image;
                store = pair.open().unwrap();
            }
            _ => {}
        }
        let image = pair.image().open().unwrap();
        let mut expected: Vec<_> = model.values().cloned().collect();
        expected.sort_by_key(|record| record.name);
        assert_eq!(records(&image), expected, "commit {commit}");
        assert_eq!(records(&store), expected, "commit {commit}, the running one");
        assert_eq!(image.load().unwrap().reserve, VersionId(1000 + commit));
    }
    assert!(pair.journal.bytes().len() < 4 << 20, "the journal's space is used again");
}

#[test]
fn a_closed_database_is_complete_without_its_journal() {
    let pair = Pair::default();
    let mut store = pair.open().unwrap();
    (0..50).for_each(|n| put(&mut store, &record(n, u64::from(n))));
    store.commit().unwrap();
    put(&mut store, &record(77, 77));
    store.close().unwrap();
    assert_eq!(pair.journal.bytes().len(), 0);
    let alone = WinsStore::open(pair.image().file).unwrap();
    assert_eq!(alone.load().unwrap().records.len(), 51);
    assert_eq!(records(&pair.open().unwrap()).len(), 51);
}

#[test]
fn a_database_without_its_journal_or_with_a_hole_in_it_is_damaged_and_left_alone() {
    let pair = Pair::default();
    let mut store = pair.open().unwrap();
    for n in 0..6 {
        put(&mut store, &record(n, u64::from(n)));
        store.commit().unwrap();
    }
    let whole = pair.image();
    assert_eq!(records(&whole.image().open().unwrap()).len(), 6);
    let without = Pair { file: whole.image().file, journal: Memory::default() };
    let older = whole.image();
    // The third commit's frame: one sector each, after the empty first one.
    older.journal.0.lock().unwrap()[3 * 512 + 40] ^= 1;
    for (damaged, what) in [(without, "journal is missing"), (older, "lacks commits 4 to 4")] {
        let before = damaged.digest();
        let error = damaged.open().unwrap_err();
        assert!(matches!(&error, StoreError::Damaged(text) if text.contains(what)), "{error}");
        assert_eq!(damaged.digest(), before);
    }
    // A torn last frame is what a power cut leaves of a commit that nobody was told of.
    let torn = whole.image();
    torn.journal.0.lock().unwrap()[6 * 512 + 40] ^= 1;
    assert_eq!(records(&torn.open().unwrap()).len(), 5);
}

// rule: backup/foreign
#[test]
fn the_database_of_another_server_is_refused_unless_it_is_adopted() {
    let pair = Pair::default();
    let mut store = pair.open().unwrap();
    put(&mut store, &record(1, 1));
    store.close().unwrap();
    let before = pair.digest();
    let other = StoreOptions { address: Some(Ipv4Addr::new(10, 1, 1, 1)), ..options() };
    let open = |options: &StoreOptions| {
        WinsStore::open_journaled(pair.file.clone(), pair.journal.clone(), options)
    };
    let error = open(&other).unwrap_err().to_string();
    assert_eq!(error, "the database belongs to the WINS server 10.9.9.9, this server is 10.1.1.1");
    assert_eq!(pair.digest(), before);
    let adopted = open(&StoreOptions { adopt: true, ..other }).unwrap();
    assert_eq!(adopted.address(), other.address);
    adopted.close().unwrap();
    assert!(matches!(pair.open(), Err(StoreError::OtherServer { .. })));
}

// rule: backup/open-copy
#[test]
fn a_backup_holds_what_was_committed_when_it_began_and_a_restored_counter_jumps() {
    let pair = Pair::default();
    let mut store = pair.open().unwrap();
    (0..300).for_each(|n| put(&mut store, &record(n, 1)));
    reserve(&mut store, 4000);
    store.commit().unwrap();
    store.checkpoint_now().unwrap();
    (100..200).for_each(|n| put(&mut store, &record(n, 2)));
    (0..10).for_each(|n| delete(&mut store, n));
    store.commit().unwrap();
    let expected = records(&store);
    put(&mut store, &record(900, 3));
    let backup = store.begin_backup().unwrap();
    store.commit().unwrap();
    store.checkpoint_now().unwrap();
    let copy = Pair::default();
    assert_eq!(backup.write(copy.file.clone()).unwrap(), 290);
    let restored = StoreOptions { restored: true, ..options() };
    let store = WinsStore::open_journaled(copy.file, copy.journal, &restored).unwrap();
    assert_eq!(records(&store), expected);
    assert_eq!(store.load().unwrap().reserve, VersionId(4000 + VERSION_JUMP));
    assert_eq!(store.address(), Some(ADDRESS));
}

#[test]
fn foreign_files_and_other_formats_stay_as_they_are() {
    let text = Pair::default();
    *text.file.0.lock().unwrap() = b"[subnet]\nnorth = ...".repeat(400);
    assert!(matches!(text.open(), Err(StoreError::Foreign)));
    assert_eq!(text.file.bytes(), b"[subnet]\nnorth = ...".repeat(400));

    let older = Pair::default();
    {
        let database = Builder::new().create_with_backend(older.file.clone()).unwrap();
        let transaction = database.begin_write().unwrap();
        transaction.open_table(tables::META).unwrap().insert(tables::FORMAT_KEY, 1).unwrap();
        transaction.commit().unwrap();
    }
    let before = older.digest();
    let error = older.open().unwrap_err().to_string();
    assert_eq!(error, "the database has format 1, this program reads format 2");
    assert_eq!(older.digest(), before);
}
