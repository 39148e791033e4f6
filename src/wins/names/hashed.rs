//! From a name's hash to its slot: open addressing, eight bytes an entry.
//!
//! An entry is 32 bits of the hash and the slot's number plus one; zero is an empty place. Entries of one
//! home stand behind it without a gap, so a search ends at the first empty place and a removal closes its
//! gap: no tombstones. The hash is keyed, so that whoever chooses names cannot choose collisions.
//!
//! Promised: nothing here depends on the key but time. The order of entries is never shown.

use crate::wire::{NetbiosName, ScopeId};

/// Entries of the smallest table.
const PLACES_MIN: usize = 8;

/// The table.
#[derive(Clone, Debug, Default)]
pub(super) struct HashIndex {
    places: Vec<u64>,
    len: usize,
    key: u64,
}

/// A name's hash; equal names have equal ones.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) struct NameHash(u32);

const MULTIPLIER: u64 = 0x9E37_79B9_7F4A_7C15;

fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

impl HashIndex {
    /// An empty table with this key.
    pub(super) fn keyed(key: u64) -> HashIndex {
        HashIndex { key, ..HashIndex::default() }
    }

    /// How many entries.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The hash of a name.
    pub(super) fn hash(&self, name: &NetbiosName, scope: &ScopeId) -> NameHash {
        let [low, high] = *name.as_bytes().as_chunks::<8>().0 else { return NameHash(0) };
        let mixed = fold(u64::from_le_bytes(low) ^ self.key, u64::from_le_bytes(high) ^ MULTIPLIER);
        let mut mixed = fold(mixed ^ self.key.rotate_left(32), MULTIPLIER);
        for &byte in scope.as_bytes() {
            mixed = fold(mixed ^ u64::from(byte), MULTIPLIER);
        }
        NameHash((mixed >> 32) as u32)
    }

    /// Where an entry of this hash would like to be.
    fn home(&self, hash: u32) -> usize {
        // The high bits: `places.len()` is a power of two up to 2^32.
        ((u64::from(hash) * self.places.len() as u64) >> 32) as usize
    }

    /// The place of the entry with this hash for whose slot `is_it` says so.
    fn place(&self, hash: NameHash, mut is_it: impl FnMut(u32) -> bool) -> Option<usize> {
        if self.places.is_empty() {
            return None;
        }
        let mask = self.places.len() - 1;
        let mut at = self.home(hash.0);
        loop {
            let entry = self.places[at];
            if entry == 0 {
                return None;
            }
            if (entry >> 32) as u32 == hash.0 && is_it(entry as u32 - 1) {
                return Some(at);
            }
            at = (at + 1) & mask;
        }
    }

    /// The slot with this hash for which `is_it` says so.
    pub(super) fn find(&self, hash: NameHash, is_it: impl FnMut(u32) -> bool) -> Option<u32> {
        self.place(hash, is_it).map(|at| self.places[at] as u32 - 1)
    }

    /// Adds a slot that is not there yet.
    pub(super) fn insert(&mut self, hash: NameHash, slot: u32) {
        // At most three quarters full: searches stay within a cache line or two.
        if (self.len + 1) * 4 > self.places.len() * 3 {
            self.grow();
        }
        self.len += 1;
        self.settle(u64::from(hash.0) << 32 | (u64::from(slot) + 1));
    }

    /// Puts an entry at the first empty place from its home on.
    fn settle(&mut self, entry: u64) {
        let mask = self.places.len() - 1;
        let mut at = self.home((entry >> 32) as u32);
        while self.places[at] != 0 {
            at = (at + 1) & mask;
        }
        self.places[at] = entry;
    }

    fn grow(&mut self) {
        let places = (self.places.len() * 2).max(PLACES_MIN);
        let old = std::mem::replace(&mut self.places, vec![0; places]);
        old.into_iter().filter(|&entry| entry != 0).for_each(|entry| self.settle(entry));
    }

    /// Takes a slot out and returns it.
    pub(super) fn remove(&mut self, hash: NameHash, is_it: impl FnMut(u32) -> bool) -> Option<u32> {
        let mut gap = self.place(hash, is_it)?;
        let slot = self.places[gap] as u32 - 1;
        self.len -= 1;
        let mask = self.places.len() - 1;
        let mut at = gap;
        loop {
            at = (at + 1) & mask;
            let entry = self.places[at];
            if entry == 0 {
                break;
            }
            // An entry moves into the gap if the gap lies between its home and its place.
            let home = self.home((entry >> 32) as u32);
            if (at.wrapping_sub(home) & mask) >= (at.wrapping_sub(gap) & mask) {
                self.places[gap] = entry;
                gap = at;
            }
        }
        self.places[gap] = 0;
        Some(slot)
    }

    /// All slots, in no order.
    pub(super) fn slots(&self) -> impl Iterator<Item = u32> + '_ {
        self.places.iter().filter(|&&entry| entry != 0).map(|&entry| entry as u32 - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        /// Few hashes for many slots: long runs of one home, and runs around the table's end.
        #[test]
        fn behaves_as_a_map(steps in prop::collection::vec((any::<bool>(), 0..60u32), 1..400)) {
            let mut index = HashIndex::default();
            let mut model = BTreeMap::new();
            let hash = |slot: u32| NameHash(match slot % 3 {
                0 => u32::MAX,
                1 => u32::MAX - slot,
                _ => slot.wrapping_mul(0x9E37_79B9),
            });
            for (add, slot) in steps {
                if add && model.insert(slot, hash(slot)).is_none() {
                    index.insert(hash(slot), slot);
                } else if !add {
                    let removed = index.remove(hash(slot), |s| s == slot);
                    prop_assert_eq!(removed, model.remove(&slot).map(|_| slot));
                }
                prop_assert_eq!(index.len(), model.len());
                for slot in 0..60 {
                    let found = index.find(hash(slot), |s| s == slot);
                    prop_assert_eq!(found, model.contains_key(&slot).then_some(slot));
                }
                let mut slots: Vec<u32> = index.slots().collect();
                slots.sort_unstable();
                prop_assert!(slots.iter().eq(model.keys()));
            }
        }
    }

    #[test]
    fn names_spread_evenly_and_the_key_matters() {
        let (mut a, b) = (HashIndex::keyed(1), HashIndex::keyed(2));
        let scope = ScopeId::none();
        let mut longest = 0;
        for n in 0..100_000u32 {
            let name: NetbiosName = format!("DESK-{n}").parse().unwrap();
            a.insert(a.hash(&name, &scope), n);
            assert_ne!((n, a.hash(&name, &scope)), (n, b.hash(&name, &scope)));
        }
        let mut run = 0;
        for &entry in &a.places {
            run = if entry == 0 { 0 } else { run + 1 };
            longest = longest.max(run);
        }
        assert!(longest < 200, "a run of {longest} entries");
    }
}
