//! The tables in the `redb` file, read and written.
//!
//! | table | key | value |
//! | --- | --- | --- |
//! | `meta` | text | numbers: see the constants; `check` is a checksum over all the others |
//! | `records` | the record's key | a sealed record: see [`seal`] |
//! | `owners` | owner's address as a number | highest version ever seen of it |

use super::super::record::{NameRecord, Owner, VersionId};
use super::super::server::Loaded;
use super::changes::Changes;
use super::error::{StoreError, damaged, from_redb};
use super::{Committed, FORMAT};
use redb::{Database, ReadableDatabase, ReadableTable, Table, TableDefinition};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

pub(super) const META: TableDefinition<&str, u64> = TableDefinition::new("meta");
pub(super) const RECORDS: TableDefinition<&[u8], &[u8]> = TableDefinition::new("records");
pub(super) const OWNERS: TableDefinition<u32, u64> = TableDefinition::new("owners");

/// The format of the file.
pub(super) const FORMAT_KEY: &str = "winstorm-wins-format";
/// No own version above it was ever given out.
pub(super) const RESERVED_KEY: &str = "reserved-version";
/// The address of the server it belongs to.
pub(super) const ADDRESS_KEY: &str = "server-address";
/// The sequence of the last commit that is in these tables.
pub(super) const SEQUENCE_KEY: &str = "sequence";
/// 1 while later commits may stand in a journal.
pub(super) const JOURNAL_KEY: &str = "journal";
/// CRC-32 over all the others.
pub(super) const CHECK_KEY: &str = "check";

/// The numbers about the database as a whole.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Meta {
    pub reserved: VersionId,
    pub address: Option<Ipv4Addr>,
    pub sequence: u64,
    pub journal: bool,
}

impl Meta {
    fn numbers(&self) -> Vec<(&'static str, u64)> {
        let mut numbers = vec![
            (FORMAT_KEY, FORMAT),
            (RESERVED_KEY, self.reserved.0),
            (SEQUENCE_KEY, self.sequence),
            (JOURNAL_KEY, u64::from(self.journal)),
        ];
        if let Some(address) = self.address {
            numbers.push((ADDRESS_KEY, u64::from(address.to_bits())));
        }
        numbers.sort_unstable();
        numbers
    }

    /// The numbers of a `meta` table, if its checksum fits.
    pub(super) fn from_numbers(numbers: &BTreeMap<String, u64>) -> Option<Meta> {
        let number = |key: &str| numbers.get(key).copied();
        let address = number(ADDRESS_KEY).map(|bits| Ipv4Addr::from_bits(bits as u32));
        let meta = Meta {
            reserved: VersionId(number(RESERVED_KEY)?),
            address,
            sequence: number(SEQUENCE_KEY)?,
            journal: number(JOURNAL_KEY)? != 0,
        };
        let whole = number(CHECK_KEY)? == checksum(&meta.numbers());
        (whole && number(FORMAT_KEY)? == FORMAT).then_some(meta)
    }

    fn write(&self, table: &mut Table<'_, &'static str, u64>) -> Result<(), redb::Error> {
        let numbers = self.numbers();
        for &(key, number) in &numbers {
            table.insert(key, number)?;
        }
        table.insert(CHECK_KEY, checksum(&numbers))?;
        Ok(())
    }
}

fn checksum(numbers: &[(&str, u64)]) -> u64 {
    let mut hasher = crc32fast::Hasher::new();
    for (key, number) in numbers {
        hasher.update(key.as_bytes());
        hasher.update(&number.to_be_bytes());
    }
    u64::from(hasher.finalize())
}

/// The stored form of what follows a record's key: 4 bytes of CRC-32 over the key and everything after
/// these four, the sequence of the commit that wrote it (7 bits a byte, the last one first bit clear), the
/// rest of the record.
///
/// So each record can be recognised and believed by itself wherever in a damaged file it is found, and an
/// older copy of it is known as older. The cost is 7 bytes a record as long as there are fewer than two
/// million commits.
pub(super) fn seal(key: &[u8], sequence: u64, body: &[u8], buf: &mut Vec<u8>) {
    buf.clear();
    buf.extend_from_slice(&[0; 4]);
    let mut rest = sequence;
    while rest >= 0x80 {
        buf.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    buf.push(rest as u8);
    buf.extend_from_slice(body);
    let crc = seal_checksum(key, &buf[4..]);
    buf[..4].copy_from_slice(&crc.to_be_bytes());
}

/// The sequence and the body of a sealed record, if it is one and whole.
pub(super) fn unseal<'a>(key: &[u8], sealed: &'a [u8]) -> Option<(u64, &'a [u8])> {
    let (crc, rest) = sealed.split_first_chunk::<4>()?;
    if u32::from_be_bytes(*crc) != seal_checksum(key, rest) {
        return None;
    }
    let (mut sequence, mut shift) = (0, 0);
    for (at, &byte) in rest.iter().enumerate().take(10) {
        sequence |= u64::from(byte & 0x7F) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            return Some((sequence, &rest[at + 1..]));
        }
    }
    None
}

fn seal_checksum(key: &[u8], rest: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(key);
    hasher.update(rest);
    hasher.finalize()
}

/// Writes a new database's tables.
pub(super) fn create(database: &Database, meta: &Meta) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    meta.write(&mut transaction.open_table(META)?)?;
    transaction.open_table(RECORDS)?;
    transaction.open_table(OWNERS)?;
    transaction.commit()?;
    Ok(())
}

/// Writes changes and, if it is given, everything in `meta`, in one transaction.
pub(super) fn write(
    database: &Database,
    changes: &Changes,
    meta: Option<&Meta>,
    sequence: u64,
) -> Result<Committed, redb::Error> {
    let transaction = database.begin_write()?;
    {
        let mut table = transaction.open_table(RECORDS)?;
        let mut sealed = Vec::new();
        for (key, body) in &changes.records {
            match body {
                Some(body) => {
                    seal(key, sequence, body, &mut sealed);
                    drop(table.insert(&**key, &*sealed)?);
                }
                None => drop(table.remove(&**key)?),
            }
        }
        if !changes.owners.is_empty() {
            write_owners(&mut transaction.open_table(OWNERS)?, &changes.owners)?;
        }
        if let Some(meta) = meta {
            meta.write(&mut transaction.open_table(META)?)?;
        }
    }
    transaction.commit()?;
    Ok(Committed {
        ticket: 0,
        records: changes.records.len(),
        owners: changes.owners.len(),
        reserved: changes.reserved,
    })
}

fn write_owners(
    table: &mut Table<'_, u32, u64>,
    owners: &BTreeMap<Owner, Option<VersionId>>,
) -> Result<(), redb::Error> {
    for (owner, maximum) in owners {
        match maximum {
            Some(maximum) => drop(table.insert(owner.0.to_bits(), maximum.0)?),
            None => drop(table.remove(owner.0.to_bits())?),
        }
    }
    Ok(())
}

/// The database's numbers, `None` if it has no tables at all.
///
/// # Errors
/// It is no database of this program, of another format, or its numbers contradict their checksum.
pub(super) fn read_meta(database: &Database) -> Result<Option<Meta>, StoreError> {
    let numbers = || -> Result<Option<BTreeMap<String, u64>>, redb::Error> {
        let transaction = database.begin_read()?;
        if transaction.list_tables()?.next().is_none() {
            return Ok(None);
        }
        let table = match transaction.open_table(META) {
            Err(redb::TableError::Storage(error)) => return Err(error.into()),
            Err(_) => return Ok(Some(BTreeMap::new())),
            Ok(table) => table,
        };
        let mut numbers = BTreeMap::new();
        for entry in table.iter()? {
            let (key, number) = entry?;
            numbers.insert(key.value().to_owned(), number.value());
        }
        Ok(Some(numbers))
    };
    let Some(numbers) = numbers().map_err(from_redb)? else { return Ok(None) };
    match numbers.get(FORMAT_KEY) {
        None => Err(StoreError::Foreign),
        Some(&FORMAT) => match Meta::from_numbers(&numbers) {
            Some(meta) => Ok(Some(meta)),
            None => Err(damaged("its numbers do not fit their checksum")),
        },
        Some(&found) => Err(StoreError::OtherFormat { found }),
    }
}

/// Everything in the tables, except records that `newer` knows better.
pub(super) fn load(database: &Database, newer: &[&Changes]) -> Result<Loaded, StoreError> {
    let mut loaded = Loaded::default();
    let transaction = database.begin_read().map_err(|error| from_redb(error.into()))?;
    let known = |key: &[u8]| newer.iter().any(|changes| changes.records.contains_key(key));
    let mut bytes = Vec::new();
    let mut take = |key: &[u8], body: &[u8]| -> Result<(), StoreError> {
        bytes.clear();
        bytes.extend_from_slice(key);
        bytes.extend_from_slice(body);
        let record = NameRecord::decode(&bytes).map_err(|what| damaged(what.to_string()))?;
        loaded.records.push(record);
        Ok(())
    };
    each_record(&transaction, &mut |key, sealed| {
        if known(key) {
            return Ok(());
        }
        match unseal(key, sealed) {
            Some((_, body)) => take(key, body),
            None => Err(damaged("a record does not fit its checksum")),
        }
    })?;
    let mut latest: BTreeMap<&[u8], Option<&[u8]>> = BTreeMap::new();
    for changes in newer {
        let records = changes.records.iter();
        latest.extend(records.map(|(key, body)| (&**key, body.as_deref())));
    }
    for (key, body) in latest {
        if let Some(body) = body {
            take(key, body)?;
        }
    }
    let mut owners = read_owners(&transaction).map_err(from_redb)?;
    for changes in newer {
        for (&owner, &maximum) in &changes.owners {
            match maximum {
                Some(maximum) => owners.insert(owner, maximum),
                None => owners.remove(&owner),
            };
        }
    }
    loaded.maxima = owners.into_iter().collect();
    Ok(loaded)
}

/// What is done with a key and its sealed record.
pub(super) type Visit<'a> = dyn FnMut(&[u8], &[u8]) -> Result<(), StoreError> + 'a;

/// Shows every record to `visit`.
pub(super) fn each_record(
    transaction: &redb::ReadTransaction,
    visit: &mut Visit<'_>,
) -> Result<(), StoreError> {
    let storage = |error: redb::StorageError| from_redb(error.into());
    let table = transaction.open_table(RECORDS).map_err(|error| from_redb(error.into()))?;
    for entry in table.iter().map_err(storage)? {
        let (key, sealed) = entry.map_err(storage)?;
        visit(key.value(), sealed.value())?;
    }
    Ok(())
}

pub(super) fn read_owners(
    transaction: &redb::ReadTransaction,
) -> Result<BTreeMap<Owner, VersionId>, redb::Error> {
    let mut owners = BTreeMap::new();
    for entry in transaction.open_table(OWNERS)?.iter()? {
        let (owner, maximum) = entry?;
        owners.insert(Owner(Ipv4Addr::from_bits(owner.value())), VersionId(maximum.value()));
    }
    Ok(owners)
}
