//! The database's files on a real disk: locks, journals, backups, restores, salvage.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use winstorm::base::{Outbox, WallTime};
use winstorm::serve::{StoreFile, journal_path, restore};
use winstorm::wins::{
    Member, Members, NameKind, NameRecord, Origin, Owner, RecordState, Salvaged, StoreError,
    StoreOp, StoreOptions, VERSION_JUMP, VersionId, WinsOutput, WinsStore, salvage,
};
use winstorm::wire::name_service::NodeType;
use winstorm::wire::{NetbiosName, ScopeId, Suffix};

const ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 1);

fn record(n: u32) -> NameRecord {
    let owner = Owner(ADDRESS);
    let (address, stamp) = (Ipv4Addr::from_bits(0x0A00_0000 + n), WallTime(7));
    NameRecord {
        name: NetbiosName::new(&format!("HOST-{n}"), Suffix::SERVER).unwrap(),
        scope: ScopeId::none(),
        kind: NameKind::Unique,
        state: RecordState::Active,
        origin: Origin::Dynamic,
        node_type: NodeType::H,
        owner,
        version: VersionId(u64::from(n)),
        stamp,
        members: Members::one(Member { address, owner, stamp }),
    }
}

fn fill(store: &mut WinsStore, records: std::ops::Range<u32>) {
    let mut out = Outbox::default();
    for n in records {
        let bytes = out.write(|buf| record(n).encode(buf));
        out.push(WinsOutput::Store(StoreOp::Put { record: bytes }));
    }
    store.apply_all(&out);
    store.commit().unwrap();
}

fn options() -> StoreOptions {
    StoreOptions { address: Some(ADDRESS), ..StoreOptions::default() }
}

fn open_with(path: &Path, options: &StoreOptions) -> Result<WinsStore, StoreError> {
    let file = StoreFile::open(path)?;
    let journal = StoreFile::open(&journal_path(path))?;
    WinsStore::open_journaled(file, journal, options)
}

fn open(path: &Path) -> Result<WinsStore, StoreError> {
    open_with(path, &options())
}

fn rescue(path: &Path, target: &Path) -> Salvaged {
    let file = StoreFile::open_existing(path).unwrap();
    let journal = StoreFile::read_or_empty(&journal_path(path)).unwrap();
    salvage(&file, &journal, StoreFile::create_new(target).unwrap(), Some(ADDRESS)).unwrap()
}

fn count(store: &WinsStore) -> usize {
    store.load().unwrap().records.len()
}

/// A database of 500 records, closed, with a backup of its first 300.
fn made(folder: &Path) -> (PathBuf, PathBuf) {
    let (path, backup) = (folder.join("wins.db"), folder.join("wins.bak"));
    let mut store = open(&path).unwrap();
    fill(&mut store, 0..300);
    let begun = store.begin_backup().unwrap();
    fill(&mut store, 300..500);
    assert_eq!(begun.write(StoreFile::create_new(&backup).unwrap()).unwrap(), 300);
    store.close().unwrap();
    (path, backup)
}

fn damage(path: &Path) -> Vec<u8> {
    let mut bytes = fs::read(path).unwrap();
    let page = (1..bytes.len() / 4096)
        .filter(|page| bytes[page * 4096..].starts_with(&[1, 0]))
        .max_by_key(|page| u16::from_le_bytes([bytes[page * 4096 + 2], bytes[page * 4096 + 3]]));
    let at = page.unwrap() * 4096 + 1000;
    bytes[at..at + 500].fill(0xEE);
    fs::write(path, &bytes).unwrap();
    bytes
}

#[test]
fn a_second_server_on_one_store_refuses() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wins.db");
    let mut first = open(&path).unwrap();
    fill(&mut first, 0..3);
    assert!(matches!(open(&path), Err(StoreError::InUse)));
    assert!(StoreFile::open_existing(&path).is_err(), "nor is it salvaged meanwhile");
    first.close().unwrap();
    assert_eq!(count(&open(&path).unwrap()), 3);
}

#[test]
fn after_an_orderly_stop_the_file_is_complete_and_after_a_kill_the_journal_is_replayed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wins.db");
    let mut store = open(&path).unwrap();
    fill(&mut store, 0..20);
    // Dropped without `close`, as by a kill: the journal stays.
    drop(store);
    let mut store = open(&path).unwrap();
    assert_eq!(count(&store), 20);
    fill(&mut store, 20..30);
    store.close().unwrap();
    assert_eq!(fs::metadata(journal_path(&path)).unwrap().len(), 0);
    fs::remove_file(journal_path(&path)).unwrap();
    assert_eq!(count(&open(&path).unwrap()), 30);
}

#[test]
fn a_damaged_store_is_refused_untouched_and_salvaged_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let (path, _) = made(folder.path());
    let bytes = damage(&path);
    assert!(matches!(open(&path), Err(StoreError::Damaged(_))));
    let beside = folder.path().join("salvaged.db");
    let salvaged = rescue(&path, &beside);
    assert_eq!(fs::read(&path).unwrap(), bytes, "the original is kept");
    assert!(salvaged.damaged_pages == 1 && salvaged.recovered > 300, "{salvaged:?}");
    assert_eq!(salvaged.recovered + salvaged.lost, 500, "{salvaged:?}");
    assert_eq!(count(&open(&beside).unwrap()) as u64, salvaged.recovered);
}

#[test]
fn a_damaged_store_is_replaced_by_its_backup_and_the_counter_jumps() {
    let folder = tempfile::tempdir().unwrap();
    let (path, backup) = made(folder.path());
    let bytes = damage(&path);
    restore(&path, &backup).unwrap();
    let store = open_with(&path, &StoreOptions { restored: true, ..options() }).unwrap();
    assert_eq!(count(&store), 300);
    assert!(store.load().unwrap().reserve >= VersionId(VERSION_JUMP));
    assert_eq!(fs::read(folder.path().join("wins.db.damaged")).unwrap(), bytes);
    store.close().unwrap();
    assert_eq!(count(&open(&path).unwrap()), 300);
}

#[test]
fn foreign_truncated_and_borrowed_files_are_refused_untouched() {
    let folder = tempfile::tempdir().unwrap();
    let (path, _) = made(folder.path());
    let whole = fs::read(&path).unwrap();
    for (bytes, what) in [
        (b"[subnet]\n".repeat(2000), "no WINS database"),
        (whole[..whole.len() / 2].to_vec(), "damaged"),
        (whole[..700].to_vec(), ""),
    ] {
        fs::write(&path, &bytes).unwrap();
        let error = open(&path).unwrap_err().to_string();
        assert!(error.contains(what), "{error}");
        assert_eq!(fs::read(&path).unwrap(), bytes);
    }
    fs::write(&path, &whole).unwrap();
    let other = StoreOptions { address: Some(Ipv4Addr::new(10, 0, 0, 1)), ..options() };
    let error = open_with(&path, &other).unwrap_err().to_string();
    assert!(error.contains("belongs to the WINS server 127.0.0.1"), "{error}");
    assert_eq!(fs::read(&path).unwrap(), whole);
}
