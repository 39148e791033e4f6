//! Tests of the store: what a reopened database holds, and what it refuses to open.

use super::super::{Member, Members, NameKind, NameRecord, Origin, RecordState, WinsServer};
use super::tables::{FORMAT_KEY, META};
use super::*;
use crate::base::WallTime;
use crate::wins::{Owner, VersionId};
use crate::wire::name_service::NodeType;
use crate::wire::{NetbiosName, ScopeId, Suffix};
use redb::TableDefinition;
use redb::backends::InMemoryBackend;
use std::sync::{Arc, Mutex};

/// A file in memory that outlives the database on it.
#[derive(Clone, Debug, Default)]
pub(super) struct Memory(pub(super) Arc<Mutex<Vec<u8>>>);

impl Memory {
    pub(super) fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap().clone()
    }
}

impl StorageBackend for Memory {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.lock().unwrap().len() as u64)
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let bytes = self.0.lock().unwrap();
        let range = offset as usize..offset as usize + out.len();
        let found = bytes.get(range).ok_or(io::Error::from(io::ErrorKind::UnexpectedEof))?;
        out.copy_from_slice(found);
        Ok(())
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.lock().unwrap().resize(len as usize, 0);
        Ok(())
    }
    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut bytes = self.0.lock().unwrap();
        bytes[offset as usize..offset as usize + data.len()].copy_from_slice(data);
        Ok(())
    }
}

pub(super) fn record(n: u32, version: u64) -> NameRecord {
    let owner = Owner(Ipv4Addr::new(10, 9, 9, 9));
    let address = Ipv4Addr::from_bits(0x0A00_0000 + n);
    NameRecord {
        name: NetbiosName::new(&format!("HOST-{n}"), Suffix::SERVER).unwrap(),
        scope: ScopeId::none(),
        kind: NameKind::Unique,
        state: RecordState::Active,
        origin: Origin::Dynamic,
        node_type: NodeType::H,
        owner,
        version: VersionId(version),
        stamp: WallTime(7),
        members: Members::one(Member { address, owner, stamp: WallTime(7) }),
    }
}

pub(super) fn put(store: &mut WinsStore, record: &NameRecord) {
    let mut out = Outbox::default();
    let bytes = out.write(|buf| record.encode(buf));
    store.apply(&StoreOp::Put { record: bytes }, &out);
}

#[test]
fn what_was_committed_is_loaded_and_nothing_else() {
    let memory = Memory::default();
    let mut store = WinsStore::open(memory.clone()).unwrap();
    assert_eq!(store.load().unwrap(), Loaded::default());
    assert_eq!(store.commit().unwrap(), Committed::default());
    put(&mut store, &record(1, 1));
    put(&mut store, &record(2, 2));
    let mut out = Outbox::default();
    let partner = Owner(Ipv4Addr::new(10, 1, 1, 1));
    let key = out.write(|buf| NameRecord::encode_key(&record(1, 0).name, &ScopeId::none(), buf));
    for op in [
        StoreOp::OwnerMaximum { owner: partner, version: VersionId(9) },
        StoreOp::ReserveVersions { upto: VersionId(1024) },
        StoreOp::Delete { key },
    ] {
        out.push(WinsOutput::Store(op));
    }
    store.apply_all(&out);
    assert_eq!(store.pending(), 5);
    let committed = store.commit().unwrap();
    assert_eq!((committed.ticket, committed.records, committed.owners), (5, 2, 1));
    put(&mut store, &record(3, 3));
    drop(store);
    let loaded = WinsStore::open(memory).unwrap().load().unwrap();
    let expected = Loaded {
        records: vec![record(2, 2)],
        maxima: vec![(partner, VersionId(9))],
        reserve: VersionId(1024),
    };
    assert_eq!(loaded, expected);
}

// rule: database/format
#[test]
fn foreign_and_other_files_are_refused_by_name() {
    let text = Memory(Arc::new(Mutex::new(b"[subnet]\nnorth = ...".to_vec())));
    assert!(matches!(WinsStore::open(text), Err(StoreError::Foreign)));

    let other = Memory::default();
    let database = Builder::new().create_with_backend(other.clone()).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(TableDefinition::<u8, u8>::new("sheep")).unwrap();
    transaction.commit().unwrap();
    drop(database);
    assert!(matches!(WinsStore::open(other), Err(StoreError::Foreign)));

    let newer = Memory::default();
    let store = WinsStore::open(newer.clone()).unwrap();
    let transaction = store.database.begin_write().unwrap();
    transaction.open_table(META).unwrap().insert(FORMAT_KEY, 7).unwrap();
    transaction.commit().unwrap();
    drop(store);
    let error = WinsStore::open(newer).unwrap_err();
    assert_eq!(error.to_string(), "the database has format 7, this program reads format 2");
}

#[test]
fn flipped_bytes_are_an_error_or_harmless_but_never_a_panic() {
    let memory = Memory::default();
    let mut store = WinsStore::open(memory.clone()).unwrap();
    (0..300).for_each(|n| put(&mut store, &record(n, u64::from(n))));
    store.commit().unwrap();
    let whole = store.load().unwrap();
    drop(store);
    let image = memory.0.lock().unwrap().clone();
    let mut chance = crate::base::Streams::new(1).stream("flips");
    let written: Vec<usize> = (0..image.len()).filter(|&at| image[at] != 0).collect();
    let mut refused = 0;
    for round in 0..150 {
        let mut bytes = image.clone();
        // Half of the flips in the header, where they hurt most.
        let at = match round % 2 {
            0 => chance.below(400) as usize,
            _ => written[chance.below(written.len() as u64) as usize],
        };
        bytes[at] ^= 1 << chance.below(8);
        match WinsStore::open(Memory(Arc::new(Mutex::new(bytes)))) {
            Ok(store) => match store.load() {
                Ok(loaded) => assert!(loaded.records.len() <= whole.records.len()),
                Err(_) => refused += 1,
            },
            Err(_) => refused += 1,
        }
    }
    assert!(refused > 20, "only {refused} of 150 damaged files were noticed");
}

#[test]
fn a_loaded_server_continues_after_the_reserve() {
    let mut store = WinsStore::open(InMemoryBackend::new()).unwrap();
    let mut out = Outbox::default();
    out.push(WinsOutput::Store(StoreOp::ReserveVersions { upto: VersionId(2048) }));
    store.apply_all(&out);
    store.commit().unwrap();
    let config = crate::wins::WinsConfig {
        address: Ipv4Addr::new(10, 9, 9, 9),
        profile: crate::wins::WinsProfile::default(),
        partners: Vec::new(),
    };
    let mut server = WinsServer::new(config, crate::base::Streams::new(1).stream("wins"));
    server.load(store.load().unwrap());
    assert_eq!(server.core().own_maximum(), VersionId(2048));
}
