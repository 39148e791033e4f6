//! Damage at every page of a database: nothing panics, nothing wrong is believed, what is intact comes back.

use super::journal_tests::{Pair, options, records};
use super::pages::{Pages, Widths, leaf};
use super::tables::unseal;
use super::tests::{Memory, put, record};
use super::*;
use crate::base::{Stream, Streams};
use crate::wins::NameRecord;
use std::collections::{BTreeMap, BTreeSet};

const RECORDS: u32 = 2000;
const PAGE: usize = 4096;

/// A used database of 2,000 records, everything that was ever stored in it, and its last content.
struct Used {
    pair: Pair,
    stored: BTreeSet<Vec<u8>>,
    content: Vec<NameRecord>,
}

fn bytes(record: &NameRecord) -> Vec<u8> {
    let mut bytes = Vec::new();
    record.encode(&mut bytes);
    bytes
}

fn used(close: bool) -> Used {
    let pair = Pair::default();
    let mut store = pair.open().unwrap();
    let mut stored = BTreeSet::new();
    let mut chance = Streams::new(7).stream("use");
    let mut add = |store: &mut WinsStore, record: NameRecord| {
        stored.insert(bytes(&record));
        put(store, &record);
    };
    (0..RECORDS).for_each(|n| add(&mut store, record(n, 1)));
    for round in 2..8 {
        store.commit().unwrap();
        store.checkpoint_now().unwrap();
        for _ in 0..60 {
            add(&mut store, record(chance.below(u64::from(RECORDS)) as u32, round));
        }
    }
    store.commit().unwrap();
    let content = records(&store);
    assert_eq!(content.len(), RECORDS as usize);
    let pair = match close {
        true => {
            store.close().unwrap();
            pair
        }
        // As if it had been killed.
        false => pair.image(),
    };
    Used { pair, stored, content }
}

/// For each record the pages in which its last form stands.
fn places(used: &Used) -> BTreeMap<Vec<u8>, BTreeSet<usize>> {
    let mut places: BTreeMap<Vec<u8>, BTreeSet<usize>> = BTreeMap::new();
    let pages = Pages::new(&used.pair.file).unwrap();
    for at in pages.all() {
        let page = pages.read(at).unwrap();
        for (key, sealed) in leaf(&page, Widths { key: None, value: None }).0 {
            if let Some((_, body)) = unseal(key, sealed) {
                let page = (at as usize) / PAGE;
                places.entry([key, body].concat()).or_default().insert(page);
            }
        }
    }
    places
}

#[derive(Copy, Clone, PartialEq, Debug)]
enum Damage {
    Flip,
    Zero,
    Random,
    Truncate,
}

fn harm(image: &mut Vec<u8>, page: usize, damage: Damage, chance: &mut Stream) {
    let range = page * PAGE..((page + 1) * PAGE).min(image.len());
    match damage {
        Damage::Flip => {
            // Where something is written, if there is anything.
            let used: Vec<usize> = range.clone().filter(|&at| image[at] != 0).collect();
            let at = match used.len() {
                0 => range.start,
                count => used[chance.below(count as u64) as usize],
            };
            image[at] ^= 1 << chance.below(8);
        }
        Damage::Zero => image[range].fill(0),
        Damage::Random => image[range].fill_with(|| chance.below(256) as u8),
        Damage::Truncate => image.truncate(range.start + chance.below(PAGE as u64) as usize),
    }
}

/// Opens and salvages the damaged files. Returns whether the damage was noticed.
fn judge(used: &Used, damaged: &Pair, lost: &BTreeSet<Vec<u8>>, what: &str) -> bool {
    let before = (damaged.file.bytes(), damaged.journal.bytes());
    let target = Memory::default();
    let salvaged = salvage(&damaged.file, &damaged.journal, target.clone(), options().address);
    match salvaged {
        Ok(found) => {
            let store = WinsStore::open_journaled(target, Memory::default(), &options()).unwrap();
            let salvaged: BTreeSet<_> = records(&store).iter().map(bytes).collect();
            assert_eq!(found.recovered, salvaged.len() as u64, "{what}");
            assert!(salvaged.is_subset(&used.stored), "{what}: made up");
            for record in used.content.iter().map(bytes) {
                assert!(salvaged.contains(&record) || lost.contains(&record), "{what}: {found:?}");
            }
            assert!(store.load().unwrap().reserve >= VersionId(7), "{what}: counter");
        }
        Err(error) => assert!(lost.len() == used.content.len(), "{what}: {error}"),
    }
    assert_eq!((damaged.file.bytes(), damaged.journal.bytes()), before, "{what}: salvage wrote");
    match damaged.open() {
        Ok(store) => {
            assert!(records(&store) == used.content, "{what}: opened with other content");
            false
        }
        Err(StoreError::Damaged(_) | StoreError::Foreign) => {
            let after = (damaged.file.bytes(), damaged.journal.bytes());
            assert!(after == before, "{what}: the original was touched");
            true
        }
        Err(error) => panic!("{what}: {error}"),
    }
}

#[test]
fn every_page_damaged_in_every_way() {
    let mut noticed = BTreeMap::new();
    for close in [true, false] {
        let used = used(close);
        let places = places(&used);
        let image = used.pair.file.bytes();
        let mut chance = Streams::new(3).stream("damage");
        let mut journaled = Changes::default();
        for (_, mut changes) in Found::read(&used.pair.journal).unwrap().salvage(0).0 {
            journaled.append(&mut changes);
        }
        for page in 0..image.len() / PAGE {
            let blank = image[page * PAGE..(page + 1) * PAGE].iter().all(|&byte| byte == 0);
            let ways = [Damage::Flip, Damage::Zero, Damage::Random, Damage::Truncate];
            for damage in ways.into_iter().filter(|way| !blank || *way == Damage::Truncate) {
                // Blank pages at the end are all alike.
                if blank && page % 16 != 0 {
                    continue;
                }
                let mut harmed = image.clone();
                harm(&mut harmed, page, damage, &mut chance);
                let hit = |at: usize| at == page || (damage == Damage::Truncate && at > page);
                let lost = used.content.iter().map(bytes).filter(|record| {
                    let (key, body) = record.split_at(NameRecord::key_len(record).unwrap());
                    let body: Option<Box<[u8]>> = Some(body.into());
                    journaled.records.get(key) != Some(&body)
                        && places.get(record).is_none_or(|pages| pages.iter().all(|&at| hit(at)))
                });
                let damaged = used.pair.image();
                *damaged.file.0.lock().unwrap() = harmed;
                let what = format!("closed {close}, page {page}, {damage:?}");
                let lost = lost.collect();
                *noticed.entry(damage as u8).or_insert(0) +=
                    u32::from(judge(&used, &damaged, &lost, &what));
            }
        }
    }
    assert!(noticed.values().all(|&count| count > 40), "damage was noticed: {noticed:?}");
}

#[test]
fn a_lost_header_loses_no_records_and_raises_the_counter() {
    let used = used(true);
    let damaged = used.pair.image();
    damaged.file.0.lock().unwrap()[..PAGE].fill(0);
    assert!(matches!(damaged.open(), Err(StoreError::Damaged(_))));
    let target = Memory::default();
    let found = salvage(&damaged.file, &damaged.journal, target.clone(), None).unwrap();
    assert!(found.counter_jumped && found.recovered == u64::from(RECORDS), "{found:?}");
    let store = WinsStore::open_journaled(target, Memory::default(), &options()).unwrap();
    assert_eq!(records(&store), used.content);
    assert!(store.load().unwrap().reserve > VersionId(VERSION_JUMP));
}

#[test]
fn replicas_are_asked_for_again_after_a_salvage() {
    let used = used(true);
    let target = Memory::default();
    let other = Some(Ipv4Addr::new(10, 1, 1, 1));
    let found = salvage(&used.pair.file, &used.pair.journal, target.clone(), other).unwrap();
    assert_eq!((found.recovered, found.lost, found.damaged_pages), (u64::from(RECORDS), 0, 0));
    let loaded = WinsStore::open(target).unwrap().load().unwrap();
    assert_eq!(loaded.maxima, [(record(0, 0).owner, VersionId::ZERO)]);
    let config = crate::wins::WinsConfig {
        address: Ipv4Addr::new(10, 1, 1, 1),
        profile: crate::wins::WinsProfile::default(),
        partners: Vec::new(),
    };
    let chance = Streams::new(1).stream("wins");
    let mut server = crate::wins::WinsServer::new(config, chance);
    server.load(loaded);
    assert_eq!(server.core().names.maximum(record(0, 0).owner), VersionId::ZERO);
}
