//! A sorted set of small keys in two levels: chunks of a few hundred keys, and the first key of each.
//!
//! A million keys cost their own size and little more: a chunk that is filled at its end, as versions and
//! stamps fill it, is left full. Insertion moves at most one chunk's keys, and now and then the list of
//! chunks.

/// Keys of a chunk: enough that the list of chunks stays short (4,000 for a million keys), few enough that
/// moving half of them costs less than the cache misses of the search.
const CHUNK_KEYS: usize = 256;
/// A chunk that falls below this many is joined with the next one, if together they fill half a chunk.
const CHUNK_KEYS_MIN: usize = CHUNK_KEYS / 4;

/// The set.
#[derive(Clone, Debug)]
pub(super) struct SortedIndex<K> {
    /// Beside `chunks`: the first key of each.
    firsts: Vec<K>,
    /// In order, each sorted and none empty.
    chunks: Vec<Vec<K>>,
}

impl<K> Default for SortedIndex<K> {
    fn default() -> Self {
        SortedIndex { firsts: Vec::new(), chunks: Vec::new() }
    }
}

impl<K: Copy + Ord> SortedIndex<K> {
    /// The chunk that holds `key`, if any does.
    fn chunk_of(&self, key: &K) -> usize {
        self.firsts.partition_point(|first| first <= key).saturating_sub(1)
    }

    /// Adds a key. Nothing if it is there.
    pub(super) fn insert(&mut self, key: K) {
        if self.chunks.is_empty() {
            return self.add_chunk(0, vec![key]);
        }
        let index = self.chunk_of(&key);
        let chunk = &mut self.chunks[index];
        let Err(at) = chunk.binary_search(&key) else { return };
        if chunk.len() < CHUNK_KEYS {
            chunk.insert(at, key);
            self.firsts[index] = chunk[0];
            return;
        }
        if at == CHUNK_KEYS {
            // Keys that come in their order leave full chunks behind.
            return self.add_chunk(index + 1, vec![key]);
        }
        let mut upper = chunk.split_off(CHUNK_KEYS / 2);
        match at.checked_sub(CHUNK_KEYS / 2) {
            Some(at) if at > 0 => upper.insert(at, key),
            _ => chunk.insert(at, key),
        }
        self.firsts[index] = chunk[0];
        self.add_chunk(index + 1, upper);
    }

    fn add_chunk(&mut self, index: usize, keys: Vec<K>) {
        self.firsts.insert(index, keys[0]);
        self.chunks.insert(index, keys);
    }

    /// Takes a key out. Nothing if it is not there.
    pub(super) fn remove(&mut self, key: &K) {
        let index = self.chunk_of(key);
        let Some(chunk) = self.chunks.get_mut(index) else { return };
        let Ok(at) = chunk.binary_search(key) else { return };
        chunk.remove(at);
        match chunk.first() {
            Some(&first) => self.firsts[index] = first,
            None => {
                self.firsts.remove(index);
                self.chunks.remove(index);
                return;
            }
        }
        let (len, next) = (chunk.len(), self.chunks.get(index + 1).map_or(CHUNK_KEYS, Vec::len));
        if len < CHUNK_KEYS_MIN && len + next <= CHUNK_KEYS / 2 {
            let next = self.chunks.remove(index + 1);
            self.firsts.remove(index + 1);
            self.chunks[index].extend_from_slice(&next);
        }
    }

    /// The keys from `low` to `high`, both included, ascending.
    pub(super) fn range(&self, low: K, high: K) -> impl DoubleEndedIterator<Item = K> + '_ {
        let first = self.chunk_of(&low);
        let last = if low <= high { self.chunk_of(&high) + 1 } else { first };
        let chunks = self.chunks.get(first..last.min(self.chunks.len())).unwrap_or_default();
        chunks.iter().flat_map(move |chunk| {
            let begin = chunk.partition_point(|key| *key < low);
            let end = chunk.partition_point(|key| *key <= high);
            chunk[begin..end].iter().copied()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn check(index: &SortedIndex<u32>, model: &BTreeSet<u32>) {
        assert!(index.range(0, u32::MAX).eq(model.iter().copied()));
        assert!(index.chunks.iter().all(|chunk| !chunk.is_empty() && chunk.len() <= CHUNK_KEYS));
        assert!(index.firsts.iter().eq(index.chunks.iter().map(|chunk| &chunk[0])));
    }

    proptest! {
        #[test]
        fn behaves_as_a_sorted_set(
            runs in prop::collection::vec((any::<bool>(), 0..3000u32, 1..700u32, 1..4u32), 1..20),
            low in 0..4000u32,
            span in 0..4000u32,
        ) {
            let (mut index, mut model) = (SortedIndex::default(), BTreeSet::new());
            for (add, from, count, step) in runs {
                // Runs in order, against the order, and scattered.
                for n in 0..count {
                    let key = match step {
                        1 => from + n,
                        2 => from + count - n,
                        _ => (from + n * 769) % 4000,
                    };
                    if add {
                        index.insert(key);
                        model.insert(key);
                    } else {
                        index.remove(&key);
                        model.remove(&key);
                    }
                }
                check(&index, &model);
            }
            let high = low + span;
            prop_assert!(index.range(low, high).eq(model.range(low..=high).copied()));
            prop_assert!(index.range(low, high).rev().eq(model.range(low..=high).rev().copied()));
        }
    }

    #[test]
    fn keys_in_order_leave_full_chunks() {
        let mut index = SortedIndex::default();
        (0..100_000u32).for_each(|key| index.insert(key));
        assert_eq!(index.chunks.len(), 100_000usize.div_ceil(CHUNK_KEYS));
        assert_eq!(index.range(5, 4).count(), 0);
    }

    #[test]
    fn a_set_that_empties_gives_its_chunks_back() {
        let mut index = SortedIndex::default();
        (0..100_000u32).for_each(|key| index.insert(key.wrapping_mul(0x9E37_79B1)));
        (0..99_900u32).for_each(|key| index.remove(&key.wrapping_mul(0x9E37_79B1)));
        assert!(index.chunks.len() <= 20, "{} chunks for 100 keys", index.chunks.len());
    }
}
