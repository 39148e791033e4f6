//! The pages of a `redb` file (format 3), read without `redb`: for files it refuses.
//!
//! The layout is that of redb's `docs/design.md`. Nothing read here is believed: offsets, lengths and page
//! numbers of a damaged file may be anything, and what a page says counts only when its records fit their
//! own checksums.

use super::error::{StoreError, from_io};
use super::tables::unseal;
use redb::StorageBackend;
use std::collections::BTreeMap;
use std::ops::Range;

/// Size of a page, and where pages begin.
pub(super) const PAGE: u64 = 4096;
/// What is read of a page at most: leaves are one page long unless a single record needs more.
const WINDOW: u64 = 8 * PAGE;
const LEAF: u8 = 1;
const BRANCH: u8 = 2;
/// Bytes of a checksum and of a page number in a branch page.
const CHECKSUM: usize = 16;
const NUMBER: usize = 8;
/// No tree of a billion records is deeper.
const DEPTH_MAX: u32 = 24;

/// The stretches of the two commit slots, and what the header says of regions.
const SLOTS: [usize; 2] = [64, 192];
const HEADER: usize = 320;

/// A range of keys, above the first and up to the second; `None` is unbounded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct KeyRange {
    pub above: Option<Vec<u8>>,
    pub upto: Option<Vec<u8>>,
}

/// What a walk through a tree finds.
pub(super) trait Visitor {
    /// A page of entries. Returns whether they are all right; if not, its range counts as missing.
    fn leaf(&mut self, entries: &[(&[u8], &[u8])], whole: bool) -> bool;
    /// Keys of this range should be there, but their page is damaged.
    fn missing(&mut self, range: KeyRange);
}

/// Widths of keys and values where they are fixed.
#[derive(Copy, Clone, Debug)]
pub(super) struct Widths {
    pub key: Option<usize>,
    pub value: Option<usize>,
}

/// A table's tree.
#[derive(Copy, Clone, Debug)]
pub(super) struct Root {
    page: Option<u64>,
    /// Entries it should hold.
    pub entries: u64,
}

/// A file seen as pages.
#[derive(Debug)]
pub(super) struct Pages<'a, B> {
    file: &'a B,
    len: u64,
    header: Vec<u8>,
}

impl<'a, B: StorageBackend> Pages<'a, B> {
    pub(super) fn new(file: &'a B) -> Result<Pages<'a, B>, StoreError> {
        let len = file.len().map_err(from_io)?;
        let mut header = vec![0; HEADER];
        let readable = len.min(HEADER as u64) as usize;
        file.read(0, &mut header[..readable]).map_err(from_io)?;
        Ok(Pages { file, len, header })
    }

    /// Places of all pages that may hold records.
    pub(super) fn all(&self) -> impl Iterator<Item = u64> + use<B> {
        (1..self.len.div_ceil(PAGE)).map(|page| page * PAGE)
    }

    /// The bytes from there on, as many as a page can have.
    pub(super) fn read(&self, at: u64) -> Result<Vec<u8>, StoreError> {
        let mut bytes = vec![0; self.len.saturating_sub(at).min(WINDOW) as usize];
        self.file.read(at, &mut bytes).map_err(from_io)?;
        Ok(bytes)
    }

    /// The tables by name, as each of the two commit slots tells, the current one first.
    pub(super) fn tables(&self) -> Vec<BTreeMap<String, Root>> {
        let current = usize::from(self.header[9] & 1);
        let slots = [SLOTS[current], SLOTS[1 - current]];
        slots.iter().filter_map(|&slot| self.tables_of(slot)).collect()
    }

    fn tables_of(&self, slot: usize) -> Option<BTreeMap<String, Root>> {
        struct Tables(BTreeMap<String, Root>);
        impl Visitor for Tables {
            fn leaf(&mut self, entries: &[(&[u8], &[u8])], whole: bool) -> bool {
                for (name, definition) in entries {
                    let root = root_of(definition);
                    if let (Ok(name), Some(root)) = (std::str::from_utf8(name), root) {
                        self.0.insert(name.to_owned(), root);
                    }
                }
                whole
            }
            fn missing(&mut self, _: KeyRange) {}
        }
        let slot = &self.header[slot..];
        let page = u64::from_le_bytes(*slot[8..].first_chunk()?);
        let root = Root { page: (slot[1] != 0).then_some(page), entries: 0 };
        let mut tables = Tables(BTreeMap::new());
        self.walk(root, Widths { key: None, value: None }, &mut tables).ok()?;
        (!tables.0.is_empty()).then_some(tables.0)
    }

    /// Goes through a tree in the order of its keys.
    ///
    /// # Errors
    /// The file cannot be read. Damage is no error: the visitor is told.
    pub(super) fn walk(
        &self,
        root: Root,
        widths: Widths,
        visitor: &mut dyn Visitor,
    ) -> Result<(), StoreError> {
        let everything = KeyRange { above: None, upto: None };
        match root.page {
            None => Ok(()),
            Some(page) => self.walk_page(page, everything, widths, 0, visitor),
        }
    }

    fn walk_page(
        &self,
        number: u64,
        range: KeyRange,
        widths: Widths,
        depth: u32,
        visitor: &mut dyn Visitor,
    ) -> Result<(), StoreError> {
        let Some(place) = self.place(number).filter(|_| depth < DEPTH_MAX) else {
            visitor.missing(range);
            return Ok(());
        };
        let bytes = self.read(place.start)?;
        let bytes = &bytes[..(place.end - place.start).min(bytes.len() as u64) as usize];
        if bytes.first() == Some(&BRANCH)
            && let Some(children) = branch(bytes, &range, widths.key)
        {
            for (child, range) in children {
                self.walk_page(child, range, widths, depth + 1, visitor)?;
            }
            return Ok(());
        }
        let (entries, whole) = leaf(bytes, widths);
        let within = entries.iter().all(|(key, _)| range.contains(key));
        if !within || !visitor.leaf(&entries, whole) {
            visitor.missing(range);
        }
        Ok(())
    }

    /// Where the page with this number lies: 20 bits of index, 20 of region, and the 5 highest bits are the
    /// exponent of its size.
    fn place(&self, number: u64) -> Option<Range<u64>> {
        let field = |at: usize| self.header[at..].first_chunk().map(|b| u32::from_le_bytes(*b));
        let (header_pages, data_pages) = (u64::from(field(16)?), u64::from(field(20)?));
        let order = (number >> 59) as u32;
        let index = number & (0xF_FFFF_u64 >> order.min(20));
        let region = (number >> 20) & 0xF_FFFF;
        if order > 20 {
            return None;
        }
        let size = PAGE << order;
        let start = PAGE
            .checked_add(region.checked_mul((header_pages + data_pages).checked_mul(PAGE)?)?)?
            .checked_add(header_pages * PAGE)?
            .checked_add(index.checked_mul(size)?)?;
        let end = start.checked_add(size)?;
        (end <= self.len).then_some(start..end)
    }
}

impl KeyRange {
    pub(super) fn contains(&self, key: &[u8]) -> bool {
        self.above.as_deref().is_none_or(|above| key > above)
            && self.upto.as_deref().is_none_or(|upto| key <= upto)
    }
}

/// Whether any page holds a record, current or old.
pub(super) fn holds_records(file: &impl StorageBackend) -> Result<bool, StoreError> {
    let pages = Pages::new(file)?;
    for at in pages.all() {
        let bytes = pages.read(at)?;
        let (entries, _) = leaf(&bytes, Widths { key: None, value: None });
        if entries.iter().any(|(key, sealed)| unseal(key, sealed).is_some()) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The root in a table's definition: kind, entries, whether there is a root, its page.
fn root_of(definition: &[u8]) -> Option<Root> {
    let entries = u64::from_le_bytes(*definition.get(1..)?.first_chunk()?);
    let page = u64::from_le_bytes(*definition.get(10..)?.first_chunk()?);
    Some(Root { page: (*definition.get(9)? != 0).then_some(page), entries })
}

/// A key and its value.
pub(super) type Entry<'a> = (&'a [u8], &'a [u8]);

/// The entries of a leaf page that are in bounds, and whether these are all it says it has.
pub(super) fn leaf(bytes: &[u8], widths: Widths) -> (Vec<Entry<'_>>, bool) {
    let mut entries = Vec::new();
    if bytes.len() < 4 || bytes[0] != LEAF {
        return (entries, false);
    }
    let count = usize::from(u16::from_le_bytes([bytes[2], bytes[3]]));
    let key_ends = if widths.key.is_none() { 4 * count } else { 0 };
    let value_ends = if widths.value.is_none() { 4 * count } else { 0 };
    let keys = 4 + key_ends + value_ends;
    let end = |from: usize, fixed: Option<usize>, table: usize, n: usize| match fixed {
        Some(width) => Some(from + width * (n + 1)),
        None => word(bytes, table + 4 * n),
    };
    let key_end = |n: usize| end(keys, widths.key, 4, n);
    let Some(values) = count.checked_sub(1).and_then(key_end) else { return (entries, false) };
    let value_end = |n: usize| end(values, widths.value, 4 + key_ends, n);
    let start = |first: usize, n: usize, end: &dyn Fn(usize) -> Option<usize>| match n {
        0 => Some(first),
        n => end(n - 1),
    };
    for n in 0..count {
        let key = start(keys, n, &key_end).zip(key_end(n));
        let value = start(values, n, &value_end).zip(value_end(n));
        let within = |(start, end): (usize, usize)| bytes.get(start..end);
        if let (Some(key), Some(value)) = (key.and_then(within), value.and_then(within)) {
            entries.push((key, value));
        }
    }
    let whole = entries.len() == count && entries.is_sorted_by(|a, b| a.0 < b.0);
    (entries, whole)
}

/// The children of a branch page with the keys below each, if the page makes sense.
fn branch(
    bytes: &[u8],
    range: &KeyRange,
    fixed_key: Option<usize>,
) -> Option<Vec<(u64, KeyRange)>> {
    let count = usize::from(u16::from_le_bytes(*bytes.get(2..)?.first_chunk()?));
    let numbers = 8 + CHECKSUM * (count + 1);
    let ends = numbers + NUMBER * (count + 1);
    let keys = ends + if fixed_key.is_none() { 4 * count } else { 0 };
    let key_end = |n: usize| match fixed_key {
        Some(width) => Some(keys + width * (n + 1)),
        None => word(bytes, ends + 4 * n),
    };
    let mut children = Vec::new();
    let (mut above, mut start) = (range.above.clone(), keys);
    for n in 0..=count {
        let number = u64::from_le_bytes(*bytes.get(numbers + NUMBER * n..)?.first_chunk()?);
        let upto = match n == count {
            true => range.upto.clone(),
            false => {
                let end = key_end(n)?;
                let key = bytes.get(start..end)?;
                start = end;
                Some(key.to_vec())
            }
        };
        // Separators ascend within the page's own range.
        let ordered = above.is_none() || upto.is_none() || above < upto;
        if !ordered {
            return None;
        }
        children.push((number, KeyRange { above: above.clone(), upto: upto.clone() }));
        above = upto;
    }
    (count > 0).then_some(children)
}

fn word(bytes: &[u8], at: usize) -> Option<usize> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?) as usize)
}
