//! Files, caches, crashes, leases, and the invariant of two writers.

use super::*;
use redb::{ReadableDatabase, StorageBackend};
use std::collections::BTreeSet;

fn content(bus: &mut SharedBus, node: Initiator, file: &str, now: SimTime) -> Option<Vec<u8>> {
    match bus.read(node, Q, file, now).result {
        Ok(bytes) => Some(bytes),
        Err(FileError::NotFound) => None,
        Err(why) => panic!("{file}: {why}"),
    }
}

/// B breaks what is left of A's reservation and mounts the disk.
fn taken_by_b(bus: &mut SharedBus, now: SimTime) -> SimTime {
    let _ = bus.reset(B, ResetScope::Bus, now);
    online(bus, B, Q, now + SimDuration::from_secs(7))
}

#[test]
fn files_are_written_read_listed_and_deleted() {
    let mut bus = bus();
    let now = online(&mut bus, A, Q, t(0));
    assert_eq!(content(&mut bus, A, "MSCS\\chk1.tmp", now), None);
    let replaced = bus.replace(A, Q, "MSCS\\chk1.tmp", &[1; 5000], now);
    assert_eq!(replaced.result, Ok(()));
    assert!(replaced.at > now + SimDuration::from_millis(10), "a sync takes time");
    let appended = bus.append(A, Q, "MSCS\\quolog.log", b"one", Flush::Through, now);
    assert!(appended.at > replaced.at, "the disk does one thing after the other");
    let _ = bus.append(A, Q, "MSCS\\quolog.log", b" two", Flush::Through, now);
    let _ = bus.write_at(A, Q, "MSCS\\quolog.log", (1, b"NE"), Flush::Through, now);
    assert_eq!(content(&mut bus, A, "MSCS\\quolog.log", now), Some(b"oNE two".to_vec()));
    let _ = bus.overwrite(A, Q, "MSCS\\chk1.tmp", b"short", now);
    assert_eq!(content(&mut bus, A, "MSCS\\chk1.tmp", now), Some(b"short".to_vec()));
    let _ = bus.replace(A, Q, "wins.mdb", b"x", now);
    let names = bus.list(A, Q, "MSCS\\", now).result.expect("it lists");
    assert_eq!(names, ["MSCS\\chk1.tmp", "MSCS\\quolog.log"]);
    assert_eq!(bus.delete(A, Q, "MSCS\\chk1.tmp", now).result, Ok(()));
    assert_eq!(bus.delete(A, Q, "MSCS\\chk1.tmp", now).result, Err(FileError::NotFound));
    assert_eq!(bus.list(A, Q, "", now).result.expect("it lists").len(), 2);
    let _ = bus.dismount(A, Q, now);
    assert_eq!(bus.read(A, Q, "wins.mdb", t(9000)).result, Err(FileError::NotMounted));
}

#[test]
fn what_a_power_cut_leaves_of_each_kind_of_write() {
    let (old, new) = (vec![b'o'; 4096], vec![b'n'; 6000]);
    let mut replaced = BTreeSet::new();
    let (mut overwritten, mut appended) = (BTreeSet::new(), BTreeSet::new());
    for seed in 0..120 {
        let mut bus = bus();
        let now = online(&mut bus, A, Q, t(0));
        for file in ["r", "o", "a"] {
            let _ = bus.replace(A, Q, file, &old, now);
        }
        let now = t(2000);
        let _ = bus.replace(A, Q, "r", &new, now);
        let _ = bus.overwrite(A, Q, "o", &new, now);
        let last = bus.append(A, Q, "a", &new, Flush::Through, now);
        let when = Streams::new(seed).stream("when").between(now.nanos(), last.at.nanos());
        bus.stop(A, NodeStop::PowerCut, SimTime(when), &mut chance(seed));
        let now = taken_by_b(&mut bus, t(10_000));
        replaced.insert(content(&mut bus, B, "r", now));
        overwritten.insert(content(&mut bus, B, "o", now).expect("it was there"));
        let bytes = content(&mut bus, B, "a", now).expect("it was there");
        assert_eq!(bytes[..4096], old, "what was there is not touched");
        appended.insert(bytes);
    }
    assert_eq!(replaced, BTreeSet::from([Some(old.clone()), Some(new.clone())]));
    let whole = [old.clone(), new.clone()];
    assert!(overwritten.iter().any(|bytes| !whole.contains(bytes)), "a mixture");
    assert!(whole.iter().all(|bytes| overwritten.contains(bytes)), "none, and all");
    assert!(appended.contains(&old) && appended.contains(&[old, new].concat()));
    assert!(appended.len() > 4, "parts: {}", appended.len());
}

#[test]
fn what_was_answered_before_a_power_cut_is_there() {
    for seed in 0..50 {
        let mut bus = bus();
        let now = online(&mut bus, A, Q, t(0));
        let first = bus.append(A, Q, "log", b"first", Flush::Through, now);
        let _ = bus.append(A, Q, "log", &[9; 900], Flush::Through, first.at);
        bus.stop(A, NodeStop::PowerCut, first.at, &mut chance(seed));
        let now = taken_by_b(&mut bus, t(10_000));
        let bytes = content(&mut bus, B, "log", now).expect("it was answered");
        assert_eq!(&bytes[..5], b"first");
    }
}

#[test]
fn the_cache_writes_by_itself_in_order_and_dies_with_its_node() {
    let mut bus = bus();
    let now = online(&mut bus, A, Q, t(0));
    let behind = bus.append(A, Q, "log", b"ab", Flush::Behind, now);
    assert_eq!(behind, Answer { at: now, result: Ok(()) });
    let _ = bus.append(A, Q, "log", b"cd", Flush::Behind, now);
    let _ = bus.write_at(A, Q, "log", (1, b"BC"), Flush::Behind, now);
    assert_eq!(content(&mut bus, A, "log", now), Some(b"aBCd".to_vec()), "its programs see it");
    assert_eq!(bus.list(A, Q, "", now).result, Ok(vec!["log".to_owned()]));
    let due = now + bus.params().lazy_write;
    assert_eq!(bus.next_deadline(), Some(due));
    let mut early = bus.look(due);
    bus.on_deadline(due);
    assert_eq!(bus.next_deadline(), None);
    early.disks[0].unwritten.clear();
    early.disks[0].files = bus.look(due).disks[0].files.clone();
    assert_eq!(early, bus.look(due), "nothing else changed");
    let later = due + SimDuration::from_secs(1);
    let _ = bus.append(A, Q, "log", b"ef", Flush::Behind, later);
    bus.stop(A, NodeStop::Crash, later, &mut chance(1));
    let now = taken_by_b(&mut bus, t(10_000));
    assert_eq!(content(&mut bus, B, "log", now), Some(b"aBCd".to_vec()), "the rest was in memory");
    assert_eq!(happened(&mut bus).len(), 2, "a reset and a check");
}

#[test]
fn a_flush_and_a_full_cache_write_at_once() {
    let mut bus = bus();
    let now = online(&mut bus, A, Q, t(0));
    let _ = bus.append(A, Q, "a", b"a", Flush::Behind, now);
    let flushed = bus.flush(A, Q, now);
    assert!(flushed.at > now && bus.next_deadline().is_none());
    let big = vec![1; CACHE_BYTES_MAX];
    assert_eq!(bus.append(A, Q, "big", &big, Flush::Behind, flushed.at).at, flushed.at);
    let over = bus.append(A, Q, "big", b"1", Flush::Behind, flushed.at);
    assert!(over.at > flushed.at + SimDuration::from_secs(1), "it waits for four megabytes");
    assert!(bus.next_deadline().is_none());
}

#[test]
fn a_node_that_loses_the_disk_loses_what_it_had_not_written() {
    let mut bus = bus();
    let now = online(&mut bus, A, Q, t(0));
    let _ = bus.append(A, Q, "log", b"kept", Flush::Through, now);
    let now = now + SimDuration::from_secs(1);
    let _ = bus.append(A, Q, "log", b" lost", Flush::Behind, now);
    bus.pause(A, now);
    let now = taken_by_b(&mut bus, now);
    bus.resume(A, now);
    assert_eq!(bus.next_deadline(), Some(now), "its cache is overdue");
    bus.on_deadline(now);
    assert!(happened(&mut bus).contains(&lost(A, "log", 5)), "event 26");
    assert_eq!(bus.phase(A, Q, now), Phase::Offline);
    assert_eq!(bus.read(A, Q, "log", now).result, Err(FileError::NotMounted));
    assert_eq!(content(&mut bus, B, "log", now), Some(b"kept".to_vec()));
    // The same found by an access, and by a renewal.
    for access in [true, false] {
        let mut bus = super::bus();
        let now = online(&mut bus, A, Q, t(0));
        bus.pause(A, now);
        let now = taken_by_b(&mut bus, now);
        bus.resume(A, now);
        let conflict = ScsiError::Conflict;
        if access {
            let read = bus.read(A, Q, "log", now);
            assert_eq!(read.result, Err(FileError::Lost(conflict)));
        } else {
            assert_eq!(bus.reserve(A, Q, now).result, Err(conflict));
        }
        assert_eq!(bus.phase(A, Q, now), Phase::Offline);
    }
}

#[test]
fn a_disk_that_cannot_be_reached_ends_the_mount() {
    let faults = [
        (BusFault::NodeCable { node: A, out: true }, ScsiError::BusDown),
        (BusFault::DiskCable { disk: Q, out: true }, ScsiError::NoSuchDisk),
        (BusFault::DiskFailed { disk: Q, failed: true }, ScsiError::Failed),
    ];
    for (fault, why) in faults {
        let mut bus = bus();
        let now = online(&mut bus, A, Q, t(0));
        let lease = bus.lease(A, Q, now).expect("it is online");
        let file = lease.open("wins.mdb");
        file.write(0, b"x").expect("it works");
        let _ = bus.append(A, Q, "log", b"lost", Flush::Behind, now);
        bus.fault(&fault, now).expect("it is there");
        assert!(file.write(0, b"y").is_err(), "{fault:?}");
        assert!(lease.is_valid(), "nobody has noticed");
        bus.on_deadline(now + bus.params().lazy_write);
        let events = happened(&mut bus);
        assert_eq!(events[0], lost(A, "log", 4), "{fault:?}");
        assert!(!lease.is_valid());
        let written = bus.replace(A, Q, "f", b"1", t(9000)).result;
        assert_eq!(written, Err(FileError::NotMounted), "{why}");
    }
}

#[test]
fn a_full_disk_is_an_error_value_and_a_slow_one_is_slow() {
    let mut bus = bus();
    let now = online(&mut bus, A, Q, t(0));
    let first = bus.replace(A, Q, "a", &[1; 100], now);
    let _ = bus.append(A, Q, "a", &[2; 10], Flush::Behind, first.at);
    bus.fault(&BusFault::DiskFull { disk: Q, full: true }, first.at).expect("it is there");
    let now = first.at;
    for answer in [
        bus.append(A, Q, "a", b"3", Flush::Behind, now),
        bus.append(A, Q, "a", b"3", Flush::Through, now),
        bus.replace(A, Q, "b", b"3", now),
        bus.overwrite(A, Q, "b", b"3", now),
    ] {
        assert_eq!(answer.result, Err(FileError::Full));
    }
    assert_eq!(FileError::Full.code(), 112);
    assert!(happened(&mut bus).contains(&lost(A, "a", 10)), "promised, and then no room");
    assert_eq!(bus.write_at(A, Q, "a", (0, b"4"), Flush::Through, now).result, Ok(()));
    assert_eq!(bus.phase(A, Q, now), Phase::Online);
    bus.fault(&BusFault::DiskFull { disk: Q, full: false }, now).expect("it is there");
    bus.fault(&BusFault::DiskSlow { disk: Q, factor: 50 }, now).expect("it is there");
    let slow = bus.append(A, Q, "a", b"5", Flush::Through, t(5000));
    assert!(slow.at > t(5500), "{:?}", slow.at);
}

#[test]
fn a_changed_sector_is_read_without_a_word() {
    let mut bus = bus();
    let now = online(&mut bus, A, Q, t(0));
    let _ = bus.replace(A, Q, "MSCS\\chk1.tmp", &[0; 2000], now);
    let error = MediaError::Changed { file: "MSCS\\chk1.tmp".to_owned(), offset: 700 };
    bus.fault(&BusFault::Media { disk: Q, error }, t(3000)).expect("it is there");
    let mut expected = vec![0; 2000];
    expected[512..1024].fill(255);
    assert_eq!(content(&mut bus, A, "MSCS\\chk1.tmp", t(3000)), Some(expected));
}

#[test]
fn a_database_on_a_shared_disk_moves_with_it() {
    const TABLE: redb::TableDefinition<u32, u32> = redb::TableDefinition::new("t");
    let mut bus = bus();
    let now = online(&mut bus, A, Q, t(0));
    let lease = bus.lease(A, Q, now).expect("it is online");
    let put = |database: &redb::Database, key: u32| {
        let write = database.begin_write().expect("it begins");
        write.open_table(TABLE).expect("a table").insert(key, key * 2).expect("room");
        write.commit()
    };
    let get = |database: &redb::Database, key: u32| {
        let read = database.begin_read().expect("it begins");
        let table = read.open_table(TABLE).expect("a table");
        table.get(key).expect("it reads").map(|value| value.value())
    };
    let open = |lease: &DiskLease| {
        redb::Builder::new().create_with_backend(lease.open("wins\\wins.mdb")).expect("it opens")
    };
    let database = open(&lease);
    put(&database, 1).expect("it commits");
    let done = lease.submit(now).expect("there was something to do");
    bus.pause(A, done);
    let now = taken_by_b(&mut bus, done);
    assert!(!lease.is_valid() && !lease.exists("wins\\wins.mdb"));
    assert!(put(&database, 2).is_err(), "it writes through the old lease");
    assert!(lease.submit(now).is_none());
    let lease = bus.lease(B, Q, now).expect("it is online");
    let moved = open(&lease);
    assert_eq!((get(&moved, 1), get(&moved, 2)), (Some(2), None));
    put(&moved, 3).expect("it commits");
    drop(database);
    assert_eq!(get(&moved, 3), Some(6), "the old node's closing touches nothing");
    lease.give_up();
    assert!(put(&moved, 4).is_err());
    assert!(bus.lease(A, Q, now).is_err());
}

#[test]
fn a_database_that_was_not_written_yet_is_lost_with_the_disk() {
    let mut bus = bus();
    let now = online(&mut bus, A, Q, t(0));
    let lease = bus.lease(A, Q, now).expect("it is online");
    let file = lease.open("wins.mdb");
    file.write(0, b"old").expect("it works");
    file.sync_data().expect("it works");
    lease.submit(now);
    file.write(0, b"new").expect("it works");
    bus.pause(A, now);
    let now = taken_by_b(&mut bus, now);
    assert!(happened(&mut bus).contains(&lost(A, "", 3)));
    assert_eq!(content(&mut bus, B, "wins.mdb", now), Some(b"old".to_vec()));
}

#[test]
fn a_dismount_writes_what_a_database_had_not() {
    let mut bus = bus();
    let now = online(&mut bus, A, Q, t(0));
    let lease = bus.lease(A, Q, now).expect("it is online");
    lease.open("wins.mdb").write(0, b"new").expect("it works");
    let dismount = bus.dismount(A, Q, now);
    assert!(!lease.is_valid() && happened(&mut bus).is_empty());
    let _ = bus.release(A, Q, dismount.at);
    let now = online(&mut bus, B, Q, dismount.at);
    assert_eq!(content(&mut bus, B, "wins.mdb", now), Some(b"new".to_vec()));
}

#[test]
fn a_reset_makes_files_wait() {
    let mut bus = bus_with(|params| params.reset = SimDuration::from_secs(4));
    let now = online(&mut bus, A, Q, t(0));
    let normal = bus.append(A, Q, "f", b"1", Flush::Through, now).at.since(now);
    for scope in [ResetScope::Target(Q), ResetScope::Bus] {
        let now = now + SimDuration::from_mins(1) * (1 + u64::from(scope == ResetScope::Bus));
        let end = bus.reset(B, scope, now).at;
        let append = bus.append(A, Q, "f", b"1", Flush::Through, now);
        assert_eq!((append.result, append.at), (Ok(()), end + normal), "{scope:?}");
    }
}

/// A is paused with a write in its cache, B takes the disk over, a third reset drops B's reservation, and A
/// wakes before B's renewal.
fn stale_writer(quirks: BusQuirks, third_reset: bool) -> (SharedBus, SimTime) {
    let mut bus = bus_with(|params| params.quirks = quirks);
    let now = online(&mut bus, A, Q, t(0));
    let _ = bus.replace(A, Q, "data", &[b'a'; 2000], now);
    let now = now + SimDuration::from_secs(1);
    let _ = bus.write_at(A, Q, "data", (100, b"stale"), Flush::Behind, now);
    bus.pause(A, now);
    let now = taken_by_b(&mut bus, now);
    bus.keep(B, Q, now).expect("it holds it");
    let written = bus.replace(B, Q, "data", &[b'b'; 2000], now);
    if third_reset {
        let _ = bus.reset(B, ResetScope::Bus, written.at);
    }
    bus.resume(A, written.at);
    bus.on_deadline(written.at);
    (bus, written.at)
}

#[test]
fn two_writers_are_found_at_the_write_and_only_under_the_quirks() {
    let breaks = BusQuirks { loser_breaks_reservation: true, ..BusQuirks::default() };
    let goes_on = BusQuirks { stale_mounts_go_on: true, ..BusQuirks::default() };
    let none = BusQuirks::default();
    let table = [
        (none.clone(), false, false),
        (none, true, false),
        (goes_on.clone(), false, false),
        (goes_on, true, true),
        (breaks.clone(), false, true),
        (breaks, true, true),
    ];
    for (quirks, third_reset, violated) in table {
        let case = format!("{quirks:?} {third_reset}");
        let (mut bus, now) = stale_writer(quirks, third_reset);
        let events = happened(&mut bus);
        let violation = Violation::TwoWriters { disk: Q, nodes: [B, A] };
        assert_eq!(events.contains(&BusHappening::Violated(violation)), violated, "{case}");
        assert_eq!(events.contains(&lost(A, "data", 5)), !violated, "{case}: or event 26");
        assert!(bus.needs_check(Q, now), "{case}: it is mounted");
        // B goes on: its renewal finds the disk free, or its own.
        bus.on_deadline(now + SimDuration::from_secs(3));
        let mut expected = vec![b'b'; 2000];
        if violated {
            expected[100..105].copy_from_slice(b"stale");
        }
        assert_eq!(content(&mut bus, B, "data", t(20_000)), Some(expected), "{case}");
        let dismount = bus.dismount(B, Q, t(20_000));
        assert_eq!(bus.needs_check(Q, dismount.at), violated, "{case}: the volume is hurt");
    }
}

#[test]
fn a_node_that_dies_takes_only_its_own_writes_along() {
    for seed in 0..20 {
        let mut bus = bus();
        let now = online(&mut bus, A, Q, t(0));
        bus.pause(A, now);
        let now = taken_by_b(&mut bus, now);
        let lease = bus.lease(B, Q, now).expect("it is online");
        let written = bus.overwrite(B, Q, "f", &[5; 4000], now);
        assert_eq!(bus.stop(A, NodeStop::PowerCut, now, &mut chance(seed)), []);
        assert!(lease.is_valid() && lease.open("f").len().is_ok());
        assert_eq!(content(&mut bus, B, "f", now), Some(vec![5; 4000]));
        assert!(written.at > now);
        let reports = bus.stop(B, NodeStop::PowerCut, now, &mut chance(seed));
        assert_eq!((reports.len(), reports[0].0), (1, Q), "B's were in flight");
        assert!(lease.open("f").len().is_err());
    }
}

#[test]
fn an_enclosure_that_loses_power_forgets_its_reservations() {
    let mut bus = bus();
    let now = online(&mut bus, A, Q, t(0));
    let written = bus.replace(A, Q, "f", b"1", now);
    let lease = bus.lease(A, Q, now).expect("it is online");
    bus.enclosure_power_cut(written.at, &mut chance(1));
    assert_eq!((bus.holder(Q), lease.is_valid()), (None, false));
    assert_eq!(bus.phase(A, Q, written.at), Phase::Offline);
    assert!(bus.needs_check(Q, written.at));
    let now = online(&mut bus, B, Q, t(5000));
    assert_eq!(content(&mut bus, B, "f", now), Some(b"1".to_vec()));
}

#[test]
fn events_that_nobody_takes_are_counted_not_kept() {
    let mut bus = bus();
    for reset in 0..EVENTS_MAX as u64 + 10 {
        let _ = bus.reset(A, ResetScope::Target(Q), t(reset));
    }
    assert_eq!((bus.take_events().len(), bus.events_missed()), (EVENTS_MAX, 10));
}
