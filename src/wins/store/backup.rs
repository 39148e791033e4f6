//! A consistent copy of a database that goes on being used (Q142273: a file copy of an open database is no
//! copy).

use super::changes::Changes;
use super::error::{StoreError, damaged, from_io, from_redb};
use super::tables::{self, Meta, OWNERS, RECORDS};
use super::{SERVED_CACHE_BYTES, tables::unseal};
use crate::wins::record::{Owner, VersionId};
use redb::{Builder, Database, ReadTransaction, ReadableDatabase, StorageBackend};
use std::collections::BTreeMap;

/// A copy under way: what was committed when it began. It may run on another thread.
pub struct Backup {
    snapshot: ReadTransaction,
    newer: Vec<Changes>,
    meta: Meta,
}

impl Backup {
    pub(super) fn begin(
        database: &Database,
        newer: Vec<Changes>,
        meta: Meta,
    ) -> Result<Backup, StoreError> {
        let snapshot = database.begin_read().map_err(|error| from_redb(error.into()))?;
        Ok(Backup { snapshot, newer, meta })
    }

    /// Writes the copy to an empty file, durable when it returns. The caller writes under another name and
    /// renames it then: a backup that exists is complete. Returns how many records it holds.
    ///
    /// # Errors
    /// Either disk is full or failed.
    pub fn write(self, target: impl StorageBackend) -> Result<usize, StoreError> {
        let mut records = BTreeMap::new();
        for changes in &self.newer {
            records.extend(changes.records.iter().map(|(key, body)| (&**key, body.as_deref())));
        }
        let mut owners = tables::read_owners(&self.snapshot).map_err(from_redb)?;
        for (&owner, &maximum) in self.newer.iter().flat_map(|changes| &changes.owners) {
            match maximum {
                Some(maximum) => owners.insert(owner, maximum),
                None => owners.remove(&owner),
            };
        }
        let mut writer = Writer::create(target)?;
        let mut copied = 0;
        let sequence = self.meta.sequence;
        writer.records(&mut |put| {
            tables::each_record(&self.snapshot, &mut |key, sealed| {
                if records.contains_key(key) {
                    return Ok(());
                }
                let body = unseal(key, sealed);
                let (sequence, body) =
                    body.ok_or_else(|| damaged("a record does not fit its checksum"))?;
                copied += 1;
                put(key, sequence, body)
            })?;
            for (key, body) in &records {
                if let Some(body) = body {
                    copied += 1;
                    put(key, sequence, body)?;
                }
            }
            Ok(())
        })?;
        writer.finish(&owners, &Meta { journal: false, ..self.meta })?;
        Ok(copied)
    }
}

impl std::fmt::Debug for Backup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Backup({:?})", self.meta)
    }
}

/// Fills a new database file.
#[derive(Debug)]
pub(super) struct Writer {
    database: Database,
}

/// Stores a record: key, sequence, body.
pub(super) type Put<'a> = dyn FnMut(&[u8], u64, &[u8]) -> Result<(), StoreError> + 'a;

impl Writer {
    pub(super) fn create(target: impl StorageBackend) -> Result<Writer, StoreError> {
        if target.len().map_err(from_io)? > 0 {
            return Err(StoreError::Io("the file to write is not empty".into()));
        }
        let database = Builder::new()
            .set_cache_size(SERVED_CACHE_BYTES)
            .create_with_backend(target)
            .map_err(|error| from_redb(error.into()))?;
        Ok(Writer { database })
    }

    /// Stores every record that `fill` gives to the function it is given.
    pub(super) fn records(
        &mut self,
        fill: &mut dyn FnMut(&mut Put<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let transaction = self.database.begin_write().map_err(|error| from_redb(error.into()))?;
        {
            let table = transaction.open_table(RECORDS);
            let mut table = table.map_err(|error| from_redb(error.into()))?;
            let mut buf = Vec::new();
            fill(&mut |key, sequence, body| {
                tables::seal(key, sequence, body, &mut buf);
                let stored = table.insert(key, &*buf).map(drop);
                stored.map_err(|error| from_redb(error.into()))
            })?;
        }
        transaction.commit().map_err(|error| from_redb(error.into()))
    }

    /// Adds owners and numbers: only now the file is a database.
    pub(super) fn finish(
        self,
        owners: &BTreeMap<Owner, VersionId>,
        meta: &Meta,
    ) -> Result<(), StoreError> {
        let changes = Changes {
            owners: owners.iter().map(|(&owner, &maximum)| (owner, Some(maximum))).collect(),
            ..Changes::default()
        };
        let transaction = || -> Result<(), redb::Error> {
            let transaction = self.database.begin_write()?;
            transaction.open_table(OWNERS)?;
            transaction.commit()?;
            tables::write(&self.database, &changes, Some(meta), meta.sequence)?;
            Ok(())
        };
        transaction().map_err(from_redb)
    }
}
