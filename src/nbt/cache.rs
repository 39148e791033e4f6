//! The cache of remote names: answers of the last ten minutes (Q236901).
//!
//! Entries leave when they are looked up too late, when room is needed, or when the cache is purged, so
//! the cache has no deadline of its own. No negative answers are kept.

use crate::base::SimTime;
use crate::wire::NetbiosName;
use std::net::Ipv4Addr;

/// A remembered answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct CacheEntry {
    pub name: NetbiosName,
    pub expires: SimTime,
    pub group: bool,
    pub first: Ipv4Addr,
    /// The addresses behind the first; most names have one.
    pub more: Option<Box<[Ipv4Addr]>>,
}

/// Remembered answers in order of their names.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Cache {
    entries: Vec<CacheEntry>,
}

impl Cache {
    /// The entry for `name`, unless it has expired.
    pub fn get(&mut self, name: &NetbiosName, now: SimTime) -> Option<&CacheEntry> {
        let index = self.entries.binary_search_by(|entry| entry.name.cmp(name)).ok()?;
        if self.entries[index].expires <= now {
            self.entries.remove(index);
            return None;
        }
        Some(&self.entries[index])
    }

    /// Remembers an answer, in place of the one that would expire first if `capacity` are there.
    pub fn put(&mut self, entry: CacheEntry, capacity: u16) {
        match self.entries.binary_search_by(|held| held.name.cmp(&entry.name)) {
            Ok(index) => self.entries[index] = entry,
            Err(_) if capacity == 0 => {}
            Err(mut index) => {
                if self.entries.len() >= usize::from(capacity) {
                    let oldest = (0..self.entries.len()).min_by_key(|&i| self.entries[i].expires);
                    let oldest = oldest.expect("a full cache is not empty");
                    self.entries.remove(oldest);
                    index -= usize::from(oldest < index);
                }
                self.entries.insert(index, entry);
            }
        }
    }

    /// Forgets everything, and gives the memory back.
    pub fn purge(&mut self) {
        self.entries = Vec::new();
    }

    /// How many entries are held, expired ones included.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Heap memory in bytes.
    pub fn heap_bytes(&self) -> usize {
        let more = |entry: &CacheEntry| entry.more.as_ref().map_or(0, |more| more.len() * 4);
        self.entries.capacity() * size_of::<CacheEntry>()
            + self.entries.iter().map(more).sum::<usize>()
    }
}
