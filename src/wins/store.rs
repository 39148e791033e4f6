//! The WINS database: name records, owners' maxima and the reserved version counter in a `redb` file.
//!
//! | table | key | value |
//! | --- | --- | --- |
//! | `meta` | text | `winstorm-wins-format` = 1; `reserved-version`: no version above it was ever given out |
//! | `records` | the record's key | the rest of the record, as `record_bytes` lays it out |
//! | `owners` | owner's address as a number | highest version ever seen of it |
//!
//! Changes gather in memory and reach the file in one transaction per [`WinsStore::commit`], durable when it
//! returns (in simulation: when the simulated disk says so). A change made twice between two commits is
//! written once. What is not committed is what a power cut may take: that is the lazy commit of the
//! documentation. Versions are reserved ahead by the server, so that even an uncommitted version is never
//! given out twice.
//!
//! Promised: whatever bytes a file holds, opening it gives a database or an error. Not done: compaction
//! (space of deleted records is reused), backup, repair of damaged files beyond what `redb` does itself.

use super::io::{StoreOp, WinsOutput};
use super::record::{NameRecord, Owner, VersionId};
use super::server::Loaded;
use crate::base::Outbox;
use redb::{Builder, Database, ReadableDatabase, ReadableTable, StorageBackend, TableDefinition};
use std::collections::BTreeMap;
use std::io;
use std::net::Ipv4Addr;
use thiserror::Error;

/// The format this program writes; a file of another one is refused.
pub const FORMAT: u64 = 1;

/// Memory for pages of one database. The server holds every record itself and reads the file only at start,
/// so a few pages of the tree's upper levels suffice.
const CACHE_BYTES: usize = 64 * 1024;

const META: TableDefinition<&str, u64> = TableDefinition::new("meta");
const RECORDS: TableDefinition<&[u8], &[u8]> = TableDefinition::new("records");
const OWNERS: TableDefinition<u32, u64> = TableDefinition::new("owners");
const FORMAT_KEY: &str = "winstorm-wins-format";
const RESERVED_KEY: &str = "reserved-version";

/// What a finished `redb` file begins with; zeros instead mean that its creation was cut off.
const MAGIC_BYTES: usize = 9;

/// Why the database cannot be used.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The file is something else.
    #[error("this file is no WINS database of winstorm")]
    Foreign,
    /// The file is from another version of this program.
    #[error("the database has format {found}, this program reads format {FORMAT}")]
    OtherFormat {
        /// The file's format.
        found: u64,
    },
    /// The file was one of ours, but is damaged.
    #[error("the database is damaged: {0}")]
    Damaged(String),
    /// No room on the disk.
    #[error("the disk is full")]
    Full,
    /// The disk or the file system failed.
    #[error("the database cannot be read or written: {0}")]
    Io(String),
    /// Another program has it open.
    #[error("the database is open in another program")]
    InUse,
}

/// What one commit wrote.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub struct Committed {
    /// The last change it made durable, for [`super::WinsInput::Durable`].
    pub ticket: u64,
    /// Records stored or removed.
    pub records: usize,
    /// Owners whose maximum was written.
    pub owners: usize,
    /// The reserved version written, if it was.
    pub reserved: Option<VersionId>,
}

/// An open WINS database.
#[derive(Debug)]
pub struct WinsStore {
    database: Database,
    records: BTreeMap<Box<[u8]>, Option<Box<[u8]>>>,
    owners: BTreeMap<Owner, Option<VersionId>>,
    reserved: Option<VersionId>,
    applied: u64,
}

impl WinsStore {
    /// Opens the database, or makes an empty one if the file is empty or its creation was once cut off.
    ///
    /// # Errors
    /// See [`StoreError`]; the file is left as it was, except for what `redb` repairs.
    pub fn open(backend: impl StorageBackend) -> Result<WinsStore, StoreError> {
        start_over_if_unfinished(&backend).map_err(from_io)?;
        let database = Builder::new()
            .set_cache_size(CACHE_BYTES)
            .set_check_integrity_on_open(true)
            .create_with_backend(backend)
            .map_err(|error| from_redb(error.into()))?;
        check_format(&database)?;
        Ok(WinsStore {
            database,
            records: BTreeMap::new(),
            owners: BTreeMap::new(),
            reserved: None,
            applied: 0,
        })
    }

    /// Gathers one change for the next commit; its bytes are in `out`. Returns its ticket: changes are
    /// counted from 1 since the database was opened.
    pub fn apply(&mut self, op: &StoreOp, out: &Outbox<WinsOutput>) -> u64 {
        self.applied += 1;
        match *op {
            StoreOp::Put { record } => {
                let bytes = out.bytes(record);
                let key_len = NameRecord::key_len(bytes);
                let key_len = key_len.expect("a record to be stored begins with its key");
                let (key, value) = bytes.split_at(key_len);
                self.records.insert(key.into(), Some(value.into()));
            }
            StoreOp::Delete { key } => {
                self.records.insert(out.bytes(key).into(), None);
            }
            StoreOp::OwnerMaximum { owner, version } => {
                self.owners.insert(owner, Some(version));
            }
            StoreOp::ForgetOwner { owner } => {
                self.owners.insert(owner, None);
            }
            StoreOp::ReserveVersions { upto } => self.reserved = Some(upto),
        }
        self.applied
    }

    /// Gathers every change among the outputs of a server.
    pub fn apply_all(&mut self, out: &Outbox<WinsOutput>) {
        for item in &out.items {
            if let WinsOutput::Store(op) = item {
                self.apply(op, out);
            }
        }
    }

    /// Whether there is nothing to commit.
    pub fn is_clean(&self) -> bool {
        self.records.is_empty() && self.owners.is_empty() && self.reserved.is_none()
    }

    /// Changes gathered since the last commit.
    pub fn pending(&self) -> usize {
        self.records.len() + self.owners.len() + usize::from(self.reserved.is_some())
    }

    /// Writes everything gathered in one transaction, all of it or nothing. Does nothing if nothing changed.
    ///
    /// # Errors
    /// The disk is full or failed. The changes stay gathered, so that a commit on a reopened database is
    /// the caller's choice; this one refuses further writes after a failed one.
    pub fn commit(&mut self) -> Result<Committed, StoreError> {
        if self.is_clean() {
            return Ok(Committed { ticket: self.applied, ..Committed::default() });
        }
        let committed = self.write().map_err(from_redb)?;
        self.records.clear();
        self.owners.clear();
        self.reserved = None;
        Ok(committed)
    }

    fn write(&self) -> Result<Committed, redb::Error> {
        let transaction = self.database.begin_write()?;
        {
            let mut records = transaction.open_table(RECORDS)?;
            for (key, value) in &self.records {
                match value {
                    Some(value) => drop(records.insert(&**key, &**value)?),
                    None => drop(records.remove(&**key)?),
                }
            }
            let mut owners = transaction.open_table(OWNERS)?;
            for (owner, maximum) in &self.owners {
                match maximum {
                    Some(maximum) => drop(owners.insert(owner.0.to_bits(), maximum.0)?),
                    None => drop(owners.remove(owner.0.to_bits())?),
                }
            }
            if let Some(reserved) = self.reserved {
                transaction.open_table(META)?.insert(RESERVED_KEY, reserved.0)?;
            }
        }
        transaction.commit()?;
        Ok(Committed {
            ticket: self.applied,
            records: self.records.len(),
            owners: self.owners.len(),
            reserved: self.reserved,
        })
    }

    /// Reads everything. What is gathered but not committed is not in it.
    ///
    /// # Errors
    /// The disk failed, or a record does not decode.
    pub fn load(&self) -> Result<Loaded, StoreError> {
        let (raw, maxima, reserve) = self.read().map_err(from_redb)?;
        let decoded = raw.iter().map(|bytes| {
            NameRecord::decode(bytes).map_err(|what| StoreError::Damaged(what.to_string()))
        });
        let records = decoded.collect::<Result<_, _>>()?;
        Ok(Loaded { records, maxima, reserve })
    }

    /// Records as bytes, owners' maxima, reserved version.
    #[allow(clippy::type_complexity)]
    fn read(&self) -> Result<(Vec<Vec<u8>>, Vec<(Owner, VersionId)>, VersionId), redb::Error> {
        let transaction = self.database.begin_read()?;
        let mut records = Vec::new();
        for entry in transaction.open_table(RECORDS)?.iter()? {
            let (key, value) = entry?;
            records.push([key.value(), value.value()].concat());
        }
        let mut owners = Vec::new();
        for entry in transaction.open_table(OWNERS)?.iter()? {
            let (owner, maximum) = entry?;
            owners.push((Owner(Ipv4Addr::from_bits(owner.value())), VersionId(maximum.value())));
        }
        let reserved = transaction.open_table(META)?.get(RESERVED_KEY)?;
        Ok((records, owners, VersionId(reserved.map_or(0, |value| value.value()))))
    }
}

/// Empties a file in which `redb` had not yet finished its header: it writes its mark last.
fn start_over_if_unfinished(backend: &impl StorageBackend) -> io::Result<()> {
    let len = backend.len()?;
    let mut magic = [0; MAGIC_BYTES];
    let readable = len.min(MAGIC_BYTES as u64) as usize;
    backend.read(0, &mut magic[..readable])?;
    if len > 0 && magic == [0; MAGIC_BYTES] {
        backend.set_len(0)?;
        backend.sync_data()?;
    }
    Ok(())
}

/// Writes the format into a new database, or checks it in an old one.
fn check_format(database: &Database) -> Result<(), StoreError> {
    let found = || -> Result<Option<u64>, redb::Error> {
        let transaction = database.begin_read()?;
        if transaction.list_tables()?.next().is_none() {
            return Ok(None);
        }
        match transaction.open_table(META) {
            Ok(meta) => Ok(Some(meta.get(FORMAT_KEY)?.map_or(0, |value| value.value()))),
            Err(redb::TableError::Storage(error)) => Err(error.into()),
            Err(_) => Ok(Some(0)),
        }
    };
    match found().map_err(from_redb)? {
        Some(FORMAT) => Ok(()),
        Some(0) => Err(StoreError::Foreign),
        Some(found) => Err(StoreError::OtherFormat { found }),
        None => create_tables(database).map_err(from_redb),
    }
}

fn create_tables(database: &Database) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    transaction.open_table(META)?.insert(FORMAT_KEY, FORMAT)?;
    transaction.open_table(RECORDS)?;
    transaction.open_table(OWNERS)?;
    transaction.commit()?;
    Ok(())
}

fn from_io(error: io::Error) -> StoreError {
    match error.kind() {
        io::ErrorKind::StorageFull => StoreError::Full,
        io::ErrorKind::InvalidData => StoreError::Foreign,
        _ => StoreError::Io(error.to_string()),
    }
}

fn from_redb(error: redb::Error) -> StoreError {
    match error {
        redb::Error::Io(error) => from_io(error),
        redb::Error::Corrupted(what) => StoreError::Damaged(what),
        redb::Error::UpgradeRequired(_) => StoreError::Foreign,
        redb::Error::DatabaseAlreadyOpen => StoreError::InUse,
        redb::Error::RepairAborted => StoreError::Damaged("its repair was broken off".into()),
        redb::Error::TableDoesNotExist(_) | redb::Error::TableTypeMismatch { .. } => {
            StoreError::Foreign
        }
        error => StoreError::Io(error.to_string()),
    }
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
