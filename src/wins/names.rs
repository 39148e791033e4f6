//! The name table: records by name, by (owner, version) and by stamp, and the owner-version map.
//!
//! There is no change log: what a partner lacks is a range of (owner, version), and what has expired is a
//! range of stamps, so both cost what they return (MS-WINSRA 3.3.5.2). Records live in numbered slots;
//! the three indexes hold slot numbers. A record with one address costs 80 bytes in its slot and 40 to 50 in
//! the indexes; `tests/wins_memory.rs` holds that.
//!
//! Promised: the indexes always agree with the records; an owner's maximum never falls because records
//! were deleted.

mod hashed;
mod sorted;

use self::hashed::HashIndex;
use self::sorted::SortedIndex;
use super::record::{NameRecord, Owner, VersionId};
use crate::base::WallTime;
use crate::wire::{NetbiosName, ScopeId};
use std::collections::BTreeMap;
use std::ops::RangeInclusive;

/// Slots that are allocated together: the table grows by 80 KB at a time and never moves a million records.
const SLOTS: usize = 1024;

/// Every record a WINS server knows.
#[derive(Clone, Debug, Default)]
pub struct NameTable {
    slots: Vec<Vec<Option<NameRecord>>>,
    free: Vec<u32>,
    by_name: HashIndex,
    by_version: SortedIndex<VersionKey>,
    /// Records that can expire; static ones are absent.
    by_stamp: SortedIndex<StampKey>,
    maxima: BTreeMap<Owner, VersionId>,
}

/// Owner, version and slot in 16 bytes; they sort in this order.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct VersionKey {
    owner: Owner,
    version: [u32; 2],
    slot: u32,
}

/// Stamp and slot in 12 bytes; they sort in this order.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct StampKey {
    stamp: [u32; 2],
    slot: u32,
}

/// A number in two halves that sort as it does and need no alignment to eight bytes.
const fn halves(n: u64) -> [u32; 2] {
    [(n >> 32) as u32, n as u32]
}

impl VersionKey {
    fn new(owner: Owner, version: VersionId, slot: u32) -> VersionKey {
        VersionKey { owner, version: halves(version.0), slot }
    }
}

impl StampKey {
    fn new(stamp: WallTime, slot: u32) -> StampKey {
        StampKey { stamp: halves(stamp.0), slot }
    }

    fn parts(self) -> (WallTime, u32) {
        let [high, low] = self.stamp.map(u64::from);
        (WallTime(high << 32 | low), self.slot)
    }
}

impl NameTable {
    /// An empty table.
    pub fn new() -> NameTable {
        NameTable::default()
    }

    /// An empty table whose search for names is keyed, so that clients cannot choose names that collide. What
    /// the table does is the same for every key.
    pub fn keyed(key: u64) -> NameTable {
        NameTable { by_name: HashIndex::keyed(key), ..NameTable::default() }
    }

    /// How many records.
    pub fn len(&self) -> usize {
        self.by_name.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The record of this name.
    pub fn get(&self, name: &NetbiosName, scope: &ScopeId) -> Option<&NameRecord> {
        let hash = self.by_name.hash(name, scope);
        self.by_name.find(hash, |slot| self.is_named(slot, name, scope)).map(|s| self.record(s))
    }

    /// Stores the record under its name and returns the one it replaced. Raises its owner's maximum.
    pub fn put(&mut self, record: NameRecord) -> Option<NameRecord> {
        let maximum = self.maxima.entry(record.owner).or_default();
        *maximum = record.version.max(*maximum);
        let hash = self.by_name.hash(&record.name, &record.scope);
        let found = self.by_name.find(hash, |s| self.is_named(s, &record.name, &record.scope));
        let slot = found.unwrap_or_else(|| {
            let slot = self.free.pop().unwrap_or_else(|| self.new_slot());
            self.by_name.insert(hash, slot);
            slot
        });
        let place = &mut self.slots[slot as usize / SLOTS][slot as usize % SLOTS];
        let (version, stamp) = keys(slot, &record);
        let old = place.replace(record);
        self.reindex(old.as_ref().map(|old| keys(slot, old)), Some((version, stamp)));
        old
    }

    /// Takes the record of this name out. Its owner's maximum stays.
    pub fn remove(&mut self, name: &NetbiosName, scope: &ScopeId) -> Option<NameRecord> {
        let hash = self.by_name.hash(name, scope);
        let slots = &self.slots;
        let slot = self.by_name.remove(hash, |slot| is_named(slots, slot, name, scope))?;
        let old = self.slots[slot as usize / SLOTS][slot as usize % SLOTS].take();
        let old = old.expect("an indexed slot is filled");
        self.reindex(Some(keys(slot, &old)), None);
        self.free.push(slot);
        Some(old)
    }

    /// All records in the order of their names. They are sorted for it: not for every request.
    pub fn iter(&self) -> impl Iterator<Item = &NameRecord> + '_ {
        let mut all: Vec<u32> = self.by_name.slots().collect();
        let key = |slot: u32| {
            let record = self.record(slot);
            (&record.name, &record.scope)
        };
        all.sort_unstable_by(|&a, &b| key(a).cmp(&key(b)));
        all.into_iter().map(|slot| self.record(slot))
    }

    /// The records of this owner with versions in the range, ascending, all states included.
    pub fn of_owner(
        &self,
        owner: Owner,
        versions: RangeInclusive<VersionId>,
    ) -> impl DoubleEndedIterator<Item = &NameRecord> + '_ {
        let low = VersionKey::new(owner, *versions.start(), 0);
        let high = VersionKey::new(owner, *versions.end(), u32::MAX);
        self.by_version.range(low, high).map(|key| self.record(key.slot))
    }

    /// The records whose stamp has come at `wall`, oldest stamp first, beginning after `cursor` (the
    /// stamp and slot that an earlier call returned with its last record).
    pub fn expired(
        &self,
        cursor: Option<(WallTime, u32)>,
        wall: WallTime,
    ) -> impl Iterator<Item = ((WallTime, u32), &NameRecord)> + '_ {
        let (stamp, slot) = cursor.map_or((WallTime(0), 0), |(stamp, slot)| (stamp, slot + 1));
        let range = self.by_stamp.range(StampKey::new(stamp, slot), StampKey::new(wall, u32::MAX));
        range.map(|key| (key.parts(), self.record(key.slot)))
    }

    /// The highest version seen of this owner, zero for an unknown owner.
    pub fn maximum(&self, owner: Owner) -> VersionId {
        self.maxima.get(&owner).copied().unwrap_or_default()
    }

    /// Raises the highest version seen of this owner. Returns whether that was news.
    pub fn raise_maximum(&mut self, owner: Owner, version: VersionId) -> bool {
        let maximum = self.maxima.entry(owner).or_default();
        let news = version > *maximum;
        *maximum = version.max(*maximum);
        news
    }

    /// Replaces the maxima of all owners but `own`; an owner that is not listed has none.
    pub fn set_maxima(&mut self, own: Owner, maxima: &[(Owner, VersionId)]) {
        for (&owner, maximum) in &mut self.maxima {
            if owner != own {
                *maximum = VersionId::ZERO;
            }
        }
        for &(owner, version) in maxima.iter().filter(|&&(owner, _)| owner != own) {
            self.maxima.insert(owner, version);
        }
    }

    /// The owner-version map: every owner ever heard of with its maximum, in the order of addresses.
    pub fn owners(&self) -> impl Iterator<Item = (Owner, VersionId)> + '_ {
        self.maxima.iter().map(|(&owner, &version)| (owner, version))
    }

    /// Drops an owner from the map, if it has no records left. Returns whether it was dropped.
    pub fn forget_owner(&mut self, owner: Owner) -> bool {
        let used = self.of_owner(owner, VersionId::ZERO..=VersionId(u64::MAX)).next().is_some();
        !used && self.maxima.remove(&owner).is_some()
    }

    fn record(&self, slot: u32) -> &NameRecord {
        record_at(&self.slots, slot)
    }

    fn is_named(&self, slot: u32, name: &NetbiosName, scope: &ScopeId) -> bool {
        is_named(&self.slots, slot, name, scope)
    }

    /// A further empty slot.
    fn new_slot(&mut self) -> u32 {
        let full = self.slots.last().is_none_or(|last| last.len() == SLOTS);
        if full {
            // The first ones grow as needed: most servers of a simulation know few names.
            let room = if self.slots.is_empty() { 0 } else { SLOTS };
            self.slots.push(Vec::with_capacity(room));
        }
        let before = (self.slots.len() - 1) * SLOTS;
        let last = self.slots.last_mut().expect("one was pushed if there was none");
        last.push(None);
        (before + last.len() - 1) as u32
    }

    /// Moves a slot's index entries from the old record's place to the new one's.
    fn reindex(
        &mut self,
        old: Option<(VersionKey, Option<StampKey>)>,
        new: Option<(VersionKey, Option<StampKey>)>,
    ) {
        let (old_version, new_version) = (old.map(|old| old.0), new.map(|new| new.0));
        if old_version != new_version {
            if let Some(key) = old_version {
                self.by_version.remove(&key);
            }
            if let Some(key) = new_version {
                self.by_version.insert(key);
            }
        }
        let (old_stamp, new_stamp) = (old.and_then(|old| old.1), new.and_then(|new| new.1));
        if old_stamp != new_stamp {
            if let Some(key) = old_stamp {
                self.by_stamp.remove(&key);
            }
            if let Some(key) = new_stamp {
                self.by_stamp.insert(key);
            }
        }
    }
}

fn record_at(slots: &[Vec<Option<NameRecord>>], slot: u32) -> &NameRecord {
    let record = slots[slot as usize / SLOTS][slot as usize % SLOTS].as_ref();
    record.expect("an indexed slot is filled")
}

fn is_named(
    slots: &[Vec<Option<NameRecord>>],
    slot: u32,
    name: &NetbiosName,
    scope: &ScopeId,
) -> bool {
    let record = record_at(slots, slot);
    record.name == *name && record.scope == *scope
}

/// Where a record stands in the indexes: by version, and by stamp if it can expire.
fn keys(slot: u32, record: &NameRecord) -> (VersionKey, Option<StampKey>) {
    let stamp = (record.stamp != WallTime::NEVER).then(|| StampKey::new(record.stamp, slot));
    (VersionKey::new(record.owner, record.version, slot), stamp)
}
