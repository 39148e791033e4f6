//! Bringing what is intact in a damaged database to safety, record by record.
//!
//! The tree is followed from its root as far as it holds; every record on the way must fit its own
//! checksum. Where a page is damaged, the whole file is searched for copies of the records that belong
//! there: pages that the tree gave up are not erased at once, below a damaged branch the leaves are still
//! what they were, and the journal keeps commits until their space is needed. Of several copies the newest
//! counts. Such a copy may be older than what was lost. Then the journal follows.
//!
//! Promised: only records that were stored are returned, and all that stand in undamaged pages. The version
//! counter starts above everything that can have been given out. Of other servers' records everything is
//! asked for again: what was lost comes back with the next pull.

use super::backup::Writer;
use super::changes::Changes;
use super::error::StoreError;
use super::journal::Found;
use super::pages::{self, KeyRange, Pages, Root, Visitor, Widths};
use super::tables::{CHECK_KEY, FORMAT_KEY, META, Meta, RECORDS, unseal};
use super::{FORMAT, VERSION_JUMP};
use crate::wins::record::{NameRecord, Owner, VersionId};
use redb::{StorageBackend, TableHandle};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

/// What a salvage found.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub struct Salvaged {
    /// Records in the new database.
    pub recovered: u64,
    /// How many of them are copies from pages or journal frames that may no longer be in use, and so older
    /// than what was lost.
    pub from_old_pages: u64,
    /// Records that were in the database and are lost, as far as it can be known.
    pub lost: u64,
    /// Commits that are missing in the journal.
    pub lost_commits: u64,
    /// Damaged pages, or parts of the tree, found on the way.
    pub damaged_pages: u64,
    /// The version counter could not be read and was raised far above everything seen.
    pub counter_jumped: bool,
}

/// Records by key, with the sequence that wrote them.
type Records = BTreeMap<Vec<u8>, (u64, Vec<u8>)>;

/// Copies everything intact in a damaged database and its journal into `target`, an empty file; both
/// originals stay as they are.
///
/// # Errors
/// A file cannot be read or written, or there is nothing of ours in it.
pub fn salvage(
    file: &impl StorageBackend,
    journal: &impl StorageBackend,
    target: impl StorageBackend,
    address: Option<Ipv4Addr>,
) -> Result<Salvaged, StoreError> {
    let pages = Pages::new(file)?;
    let found = Found::read(journal)?;
    let mut walk = Walk::default();
    let tables = choose(pages.tables());
    let meta = read_meta(&pages, tables.get(META.name()))?;
    let records = tables.get(RECORDS.name());
    match records {
        Some(&root) => pages.walk(root, UNFIXED, &mut walk)?,
        None => walk.missing.push(KeyRange { above: None, upto: None }),
    }
    let expected = records.map_or(0, |root| root.entries);
    let mut salvaged = Salvaged { damaged_pages: walk.missing.len() as u64, ..Salvaged::default() };
    let newest = walk.records.values().map(|&(sequence, _)| sequence).max().unwrap_or(0);
    let base = meta.map_or(newest, |meta| meta.sequence);
    salvaged.from_old_pages = search(&pages, &found, base, &mut walk)?;
    let in_tables = walk.records.len() as u64;
    salvaged.lost = expected.saturating_sub(in_tables);
    let (newer, lost_commits) = found.salvage(base);
    follow(newer, &mut walk.records);
    salvaged.lost_commits = lost_commits;
    if meta.is_none() && in_tables == 0 && found.last().is_none() {
        return Err(StoreError::Foreign);
    }
    let newest = walk.records.values().map(|&(sequence, _)| sequence).max().unwrap_or(0);
    let last = found.last().unwrap_or(0).max(meta.map_or(newest, |meta| meta.sequence));
    let journal_lost = meta.is_some_and(|meta| meta.journal)
        && found.last().is_none_or(|last| last < base || lost_commits > 0);
    write(target, &walk.records, |highest| {
        salvaged.counter_jumped = meta.is_none() || journal_lost;
        let known = meta.map_or(VersionId::ZERO, |meta| meta.reserved);
        let known = known.max(found.reserved());
        let jump = if salvaged.counter_jumped { VERSION_JUMP } else { 0 };
        let reserved = VersionId(known.max(highest).0.saturating_add(jump));
        let address = address.or(meta.and_then(|meta| meta.address));
        Meta { reserved, address, sequence: last, journal: false }
    })
    .map(|recovered| Salvaged { recovered, ..salvaged })
}

const UNFIXED: Widths = Widths { key: None, value: None };

#[derive(Debug, Default)]
struct Walk {
    records: Records,
    missing: Vec<KeyRange>,
}

impl Visitor for Walk {
    fn leaf(&mut self, entries: &[(&[u8], &[u8])], whole: bool) -> bool {
        let mut good = whole;
        for (key, sealed) in entries {
            match believe(key, sealed) {
                Some((sequence, body)) => {
                    self.records.insert(key.to_vec(), (sequence, body.to_vec()));
                }
                None => good = false,
            }
        }
        good
    }
    fn missing(&mut self, range: KeyRange) {
        self.missing.push(range);
    }
}

/// A stored record that fits its checksum and makes sense.
fn believe<'a>(key: &[u8], sealed: &'a [u8]) -> Option<(u64, &'a [u8])> {
    let (sequence, body) = unseal(key, sealed)?;
    NameRecord::decode(&[key, body].concat()).ok()?;
    Some((sequence, body))
}

/// The tables of the current commit, or of the one before if the current one leads nowhere.
fn choose(mut slots: Vec<BTreeMap<String, Root>>) -> BTreeMap<String, Root> {
    let good = slots.iter().position(|tables| tables.contains_key(RECORDS.name()));
    good.map_or_else(BTreeMap::new, |slot| slots.swap_remove(slot))
}

fn read_meta(
    pages: &Pages<'_, impl StorageBackend>,
    root: Option<&Root>,
) -> Result<Option<Meta>, StoreError> {
    #[derive(Default)]
    struct Numbers(BTreeMap<String, u64>);
    impl Visitor for Numbers {
        fn leaf(&mut self, entries: &[(&[u8], &[u8])], whole: bool) -> bool {
            for (key, number) in entries {
                if let (Ok(key), Some(number)) = (std::str::from_utf8(key), number.first_chunk()) {
                    self.0.insert(key.to_owned(), u64::from_le_bytes(*number));
                }
            }
            whole
        }
        fn missing(&mut self, _: KeyRange) {}
    }
    let Some(&root) = root else { return Ok(None) };
    let mut numbers = Numbers::default();
    pages.walk(root, Widths { key: None, value: Some(8) }, &mut numbers)?;
    let meta = Meta::from_numbers(&numbers.0);
    // A whole table of another format is no damage.
    match numbers.0.get(FORMAT_KEY) {
        Some(&found) if found != FORMAT && !numbers.0.contains_key(CHECK_KEY) => {
            Err(StoreError::OtherFormat { found })
        }
        _ => Ok(meta),
    }
}

/// Looks through every page, and the older part of the journal, for copies of what is missing. Returns how
/// many were found.
fn search(
    pages: &Pages<'_, impl StorageBackend>,
    found: &Found,
    base: u64,
    walk: &mut Walk,
) -> Result<u64, StoreError> {
    if walk.missing.is_empty() {
        return Ok(0);
    }
    let mut copies = Records::new();
    for at in pages.all() {
        let bytes = pages.read(at)?;
        let (entries, _) = pages::leaf(&bytes, UNFIXED);
        for (key, sealed) in entries {
            if walk.records.contains_key(key)
                || !walk.missing.iter().any(|range| range.contains(key))
            {
                continue;
            }
            let Some((sequence, body)) = believe(key, sealed) else { continue };
            if copies.get(key).is_none_or(|&(older, _)| older < sequence) {
                copies.insert(key.to_vec(), (sequence, body.to_vec()));
            }
        }
    }
    for (sequence, changes) in found.upto(base) {
        for (key, body) in &changes.records {
            let wanted = !walk.records.contains_key(&**key)
                && walk.missing.iter().any(|range| range.contains(key))
                && copies.get(&**key).is_none_or(|&(older, _)| older < sequence);
            match body {
                Some(body) if wanted => {
                    copies.insert(key.to_vec(), (sequence, body.to_vec()));
                }
                None if wanted => drop(copies.remove(&**key)),
                _ => {}
            }
        }
    }
    let copied = copies.len() as u64;
    walk.records.append(&mut copies);
    Ok(copied)
}

/// Lets commits follow what is in `records`. Each is compared with what is there: where nobody knows how far
/// the tables had come, they may be further than a commit that still stands in the journal.
fn follow(commits: Vec<(u64, Changes)>, records: &mut Records) {
    for (sequence, changes) in commits {
        for (key, body) in changes.records {
            if records.get(&*key).is_some_and(|&(stored, _)| stored >= sequence) {
                continue;
            }
            match body {
                Some(body) => drop(records.insert(key.into(), (sequence, body.into()))),
                None => drop(records.remove(&*key)),
            }
        }
    }
}

/// Writes the new database; `meta` is told the highest version of any record. Returns how many records.
fn write(
    target: impl StorageBackend,
    records: &Records,
    meta: impl FnOnce(VersionId) -> Meta,
) -> Result<u64, StoreError> {
    let (mut highest, mut owners) = (VersionId::ZERO, BTreeMap::new());
    for (key, (_, body)) in records {
        if let Ok(record) = NameRecord::decode(&[&**key, &**body].concat()) {
            highest = highest.max(record.version);
            // From zero on: whatever was lost is pulled again.
            owners.insert(record.owner, VersionId::ZERO);
        }
    }
    let meta = meta(highest);
    owners.remove(&Owner(meta.address.unwrap_or(Ipv4Addr::UNSPECIFIED)));
    let mut writer = Writer::create(target)?;
    writer.records(&mut |put| {
        let mut each = records.iter();
        each.try_for_each(|(key, (sequence, body))| put(key, (*sequence).min(meta.sequence), body))
    })?;
    writer.finish(&owners, &meta)?;
    Ok(records.len() as u64)
}
