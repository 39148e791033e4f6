//! The name table: records by name, by (owner, version) and by stamp, and the owner-version map.
//!
//! There is no change log: what a partner lacks is a range of (owner, version), and what has expired is a
//! range of stamps, so both cost what they return (MS-WINSRA 3.3.5.2). Records live in numbered slots;
//! the three indexes hold slot numbers.
//!
//! Promised: the indexes always agree with the records; an owner's maximum never falls because records
//! were deleted.

use super::record::{NameRecord, Owner, VersionId};
use crate::base::WallTime;
use crate::wire::{NetbiosName, ScopeId};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Bound, RangeInclusive};

/// Every record a WINS server knows.
#[derive(Clone, Debug, Default)]
pub struct NameTable {
    slots: Vec<Option<NameRecord>>,
    free: Vec<u32>,
    by_name: BTreeMap<(NetbiosName, ScopeId), u32>,
    by_version: BTreeSet<(Owner, VersionId, u32)>,
    /// Records that can expire; static ones are absent.
    by_stamp: BTreeSet<(WallTime, u32)>,
    maxima: BTreeMap<Owner, VersionId>,
}

impl NameTable {
    /// An empty table.
    pub fn new() -> NameTable {
        NameTable::default()
    }

    /// How many records.
    pub fn len(&self) -> usize {
        self.by_name.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// The record of this name.
    pub fn get(&self, name: &NetbiosName, scope: &ScopeId) -> Option<&NameRecord> {
        let slot = *self.by_name.get(&(*name, scope.clone()))?;
        Some(self.record(slot))
    }

    /// Stores the record under its name and returns the one it replaced. Raises its owner's maximum.
    pub fn put(&mut self, record: NameRecord) -> Option<NameRecord> {
        let maximum = self.maxima.entry(record.owner).or_default();
        *maximum = record.version.max(*maximum);
        let key = (record.name, record.scope.clone());
        match self.by_name.get(&key) {
            Some(&slot) => {
                let old = self.slots[slot as usize].take().expect("an indexed slot is filled");
                self.reindex(slot, Some(&old), Some(&record));
                self.slots[slot as usize] = Some(record);
                Some(old)
            }
            None => {
                let slot = self.free.pop().unwrap_or_else(|| {
                    self.slots.push(None);
                    (self.slots.len() - 1) as u32
                });
                self.by_name.insert(key, slot);
                self.reindex(slot, None, Some(&record));
                self.slots[slot as usize] = Some(record);
                None
            }
        }
    }

    /// Takes the record of this name out. Its owner's maximum stays.
    pub fn remove(&mut self, name: &NetbiosName, scope: &ScopeId) -> Option<NameRecord> {
        let slot = self.by_name.remove(&(*name, scope.clone()))?;
        let old = self.slots[slot as usize].take().expect("an indexed slot is filled");
        self.reindex(slot, Some(&old), None);
        self.free.push(slot);
        Some(old)
    }

    /// All records in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = &NameRecord> + '_ {
        self.by_name.values().map(|&slot| self.record(slot))
    }

    /// The records of this owner with versions in the range, ascending, all states included.
    pub fn of_owner(
        &self,
        owner: Owner,
        versions: RangeInclusive<VersionId>,
    ) -> impl DoubleEndedIterator<Item = &NameRecord> + '_ {
        let (low, high) = (*versions.start(), *versions.end());
        let bounds = if low <= high {
            (Bound::Included((owner, low, 0)), Bound::Included((owner, high, u32::MAX)))
        } else {
            (Bound::Included((owner, low, 0)), Bound::Excluded((owner, low, 0)))
        };
        self.by_version.range(bounds).map(|&(_, _, slot)| self.record(slot))
    }

    /// The records whose stamp has come at `wall`, oldest stamp first, beginning after `cursor` (the
    /// stamp and slot that an earlier call returned with its last record).
    pub fn expired(
        &self,
        cursor: Option<(WallTime, u32)>,
        wall: WallTime,
    ) -> impl Iterator<Item = ((WallTime, u32), &NameRecord)> + '_ {
        let low = cursor.map_or(Bound::Unbounded, Bound::Excluded);
        let high = (wall, u32::MAX);
        let bounds = match cursor {
            Some(cursor) if cursor >= high => (Bound::Included(high), Bound::Excluded(high)),
            _ => (low, Bound::Included(high)),
        };
        self.by_stamp.range(bounds).map(|&entry| (entry, self.record(entry.1)))
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
        self.slots[slot as usize].as_ref().expect("an indexed slot is filled")
    }

    /// Moves the slot's index entries from the old record's place to the new one's.
    fn reindex(&mut self, slot: u32, old: Option<&NameRecord>, new: Option<&NameRecord>) {
        let version = |record: &NameRecord| (record.owner, record.version, slot);
        let stamp =
            |record: &NameRecord| (record.stamp != WallTime::NEVER).then_some((record.stamp, slot));
        let (old_version, new_version) = (old.map(version), new.map(version));
        if old_version != new_version {
            old_version.map(|entry| self.by_version.remove(&entry));
            new_version.map(|entry| self.by_version.insert(entry));
        }
        let (old_stamp, new_stamp) = (old.and_then(stamp), new.and_then(stamp));
        if old_stamp != new_stamp {
            old_stamp.map(|entry| self.by_stamp.remove(&entry));
            new_stamp.map(|entry| self.by_stamp.insert(entry));
        }
    }
}
