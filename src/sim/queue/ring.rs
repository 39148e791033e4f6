//! Time cut into buckets: rings of 4,096 buckets, each ring 256 times coarser than the one below.
//!
//! A bucket is a bag of events and a list of timers, neither in any order. The finest ring reaches at least
//! 3,840 buckets ahead of the one opened last; what comes later waits in a coarser ring and moves down
//! once as the finer ring's end passes it. Bit maps find the next bucket in use, so empty time costs
//! nothing, and a store with few events stays small: coarse rings are made when first needed.

use super::chunks::NONE;

/// Buckets in a ring.
pub const BUCKETS: u64 = 1 << 9;
/// How many bits coarser the next ring is.
const COARSER: u32 = 6;
const WORDS: usize = BUCKETS as usize / 64;
const MASK: usize = BUCKETS as usize - 1;
/// Rings there can be: the finest width at 2^2 ns needs eight to span 2^64 ns.
const LEVELS_MAX: usize = 10;
/// Narrowest bucket: 4 ns.
pub const SHIFT_MIN: u32 = 2;
/// Widest bucket: 4.3 s, so that a time within a bucket fits 32 bits.
pub const SHIFT_MAX: u32 = 32;

/// One ring.
#[derive(Debug)]
pub struct Level {
    bags: Box<[u32; BUCKETS as usize]>,
    lists: Box<[u32; BUCKETS as usize]>,
    words: [u64; WORDS],
    summary: u64,
    /// The first bucket number, counted from time zero, that this ring does not hold.
    end: u64,
}

/// The rings, and how far they have been opened.
#[derive(Debug)]
pub struct Rings {
    /// Width of the finest buckets: 2^shift nanoseconds.
    shift: u32,
    /// The first finest bucket not opened yet.
    next: u64,
    levels: Vec<Level>,
}

/// Which bucket of which ring.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Place {
    pub level: usize,
    pub index: usize,
}

/// The contents of a bucket: its bag and its list.
pub type Contents = (u32, u32);

impl Level {
    fn new(end: u64) -> Level {
        Level {
            bags: Box::new([0; BUCKETS as usize]),
            lists: Box::new([NONE; BUCKETS as usize]),
            words: [0; WORDS],
            summary: 0,
            end,
        }
    }

    #[inline(always)]
    fn mark(&mut self, index: usize) {
        self.words[(index >> 6) & (WORDS - 1)] |= 1 << (index & 63);
        self.summary |= 1 << (index >> 6);
    }

    fn unmark(&mut self, index: usize) {
        let word = &mut self.words[(index >> 6) & (WORDS - 1)];
        *word &= !(1 << (index & 63));
        if *word == 0 {
            self.summary &= !(1 << (index >> 6));
        }
    }

    /// The first bucket in use among those numbered from `from` up to `to`, not included. The two
    /// must lie within what the ring holds.
    fn next_used(&self, from: u64, to: u64) -> Option<u64> {
        let start = from as usize & MASK;
        let word = start >> 6;
        let first = self.words[word] & (!0 << (start & 63));
        let found = if first != 0 {
            (word << 6) + first.trailing_zeros() as usize
        } else {
            // The word itself comes last: its low bits lie almost one turn ahead.
            let above = self.summary & (!1 << word);
            let words = if above != 0 { above } else { self.summary };
            if words == 0 {
                return None;
            }
            let word = words.trailing_zeros() as usize;
            (word << 6) + self.words[word].trailing_zeros() as usize
        };
        let number = from + (found.wrapping_sub(start) & MASK) as u64;
        (number < to).then_some(number)
    }

    fn take(&mut self, index: usize) -> Contents {
        self.unmark(index);
        (std::mem::take(&mut self.bags[index]), std::mem::replace(&mut self.lists[index], NONE))
    }
}

fn end_above(next: u64) -> u64 {
    (next >> COARSER << COARSER) + BUCKETS
}

impl Rings {
    /// Empty rings with buckets of 2^shift nanoseconds, opened up to `time`.
    pub fn new(shift: u32, time: u64) -> Rings {
        let next = time >> shift;
        Rings { shift, next, levels: vec![Level::new(end_above(next))] }
    }

    /// The width's logarithm.
    pub fn shift(&self) -> u32 {
        self.shift
    }

    /// The first finest bucket not opened yet.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// The time from which on buckets have not been opened.
    pub fn opened_up_to(&self) -> u64 {
        self.next << self.shift
    }

    /// Whether this time lies in a bucket that has been opened.
    #[inline(always)]
    pub fn is_open(&self, time: u64) -> bool {
        time >> self.shift < self.next
    }

    /// The bucket of a time that is not open.
    #[inline(always)]
    pub fn place(&mut self, time: u64) -> Place {
        let number = time >> self.shift;
        if number < self.levels[0].end {
            return Place { level: 0, index: number as usize & MASK };
        }
        self.place_far(number)
    }

    fn place_far(&mut self, mut number: u64) -> Place {
        let mut level = 0;
        loop {
            if level == self.levels.len() {
                let below = self.levels[level - 1].end;
                assert!(level < LEVELS_MAX, "rings span all of time");
                self.levels.push(Level::new(end_above(below >> COARSER)));
            }
            if number < self.levels[level].end {
                return Place { level, index: number as usize & MASK };
            }
            number >>= COARSER;
            level += 1;
        }
    }

    /// The bag of a bucket, about to receive an event.
    #[inline(always)]
    pub fn bag(&mut self, place: Place) -> &mut u32 {
        let level = &mut self.levels[place.level];
        let index = place.index & MASK;
        if level.bags[index] == 0 {
            level.mark(index);
        }
        &mut level.bags[index]
    }

    /// Puts a timer first in the list of a bucket; returns the one that was first.
    #[inline(always)]
    pub fn replace_first(&mut self, place: Place, timer: u32) -> u32 {
        let level = &mut self.levels[place.level];
        level.mark(place.index);
        std::mem::replace(&mut level.lists[place.index & MASK], timer)
    }

    /// Says who is first in the list of a bucket now that the first has left.
    #[inline(always)]
    pub fn set_first(&mut self, place: Place, timer: u32) {
        let level = &mut self.levels[place.level];
        let index = place.index & MASK;
        level.lists[index] = timer;
        if timer == NONE && level.bags[index] == 0 {
            level.unmark(index);
        }
    }

    /// Opens the next bucket in use, if it begins at or before `end`. Buckets of coarser rings that
    /// come within reach are handed to `spill` once the rings stand where they have to; what is in them must
    /// then be placed anew. Returns the bucket's begin and contents.
    pub fn open_next(&mut self, end: u64, spill: &mut Vec<Contents>) -> Opened {
        let levels = &mut self.levels;
        if let Some(number) = levels[0].next_used(self.next, levels[0].end) {
            if number << self.shift > end {
                return Opened::Nothing(number << self.shift);
            }
            let contents = levels[0].take(number as usize & MASK);
            self.advance(number + 1, spill);
            return Opened::Bucket { begin: number << self.shift, contents };
        }
        for level in 1..levels.len() {
            let from = levels[level - 1].end >> COARSER;
            let Some(number) = levels[level].next_used(from, levels[level].end) else { continue };
            let number = number << (COARSER * level as u32);
            if number << self.shift > end {
                return Opened::Nothing(number << self.shift);
            }
            self.advance(number, spill);
            return Opened::Moved;
        }
        Opened::Nothing(u64::MAX)
    }

    /// The first timer of the next bucket in use, if that is one of the finest.
    pub fn next_list(&self) -> u32 {
        let finest = &self.levels[0];
        let next = finest.next_used(self.next, finest.end);
        next.map_or(NONE, |number| finest.lists[number as usize & MASK])
    }

    /// Takes the contents of every bucket.
    pub fn take_all(&mut self, spill: &mut Vec<Contents>) {
        for level in &mut self.levels {
            while level.summary != 0 {
                let word = level.summary.trailing_zeros() as usize;
                let index = (word << 6) + level.words[word].trailing_zeros() as usize;
                spill.push(level.take(index));
            }
        }
    }

    /// Changes the width and goes back (or on) to `time`. Every bucket must be empty.
    pub fn restart(&mut self, shift: u32, time: u64) {
        debug_assert!(self.levels.iter().all(|level| level.summary == 0));
        self.shift = shift;
        self.next = time >> shift;
        let mut end = end_above(self.next);
        for level in &mut self.levels {
            level.end = end;
            end = end_above(end >> COARSER);
        }
    }

    #[inline(always)]
    fn advance(&mut self, next: u64, spill: &mut Vec<Contents>) {
        let same_end = next >> COARSER == self.next >> COARSER;
        self.next = next;
        if !same_end {
            self.move_ends(spill);
        }
    }

    fn move_ends(&mut self, spill: &mut Vec<Contents>) {
        let mut end = end_above(self.next);
        // The part of a ring that the finer one has taken over: nothing, for the finest.
        let (mut from, mut to) = (0, 0);
        for level in &mut self.levels {
            let old_end = std::mem::replace(&mut level.end, end);
            to = old_end.min(to);
            while from < to {
                let Some(number) = level.next_used(from, to) else { break };
                spill.push(level.take(number as usize & MASK));
                from = number + 1;
            }
            (from, to) = (old_end >> COARSER, end >> COARSER);
            end = end_above(to);
        }
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.levels.capacity() * size_of::<Level>()
            + self.levels.len() * 2 * size_of::<[u32; BUCKETS as usize]>()
    }
}

/// What [`Rings::open_next`] did.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Opened {
    /// Nothing begins by then; the next bucket begins at this time or later.
    Nothing(u64),
    /// Coarser buckets came within reach: place what was spilled, then try again.
    Moved,
    /// A bucket, which begins then.
    Bucket {
        /// Its first nanosecond.
        begin: u64,
        /// What is in it.
        contents: Contents,
    },
}
