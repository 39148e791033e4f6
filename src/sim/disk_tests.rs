//! Tests of the disk: what is durable when, what each fault leaves, and what operations cost.

use super::*;
use crate::base::Streams;
use redb::StorageBackend;

const T: fn(u64) -> SimTime = |millis| SimTime::ZERO + SimDuration::from_millis(millis);

fn content(disk: &Disk, name: &str) -> Vec<u8> {
    disk.read_file(name).expect("disk works").unwrap_or_default()
}

#[test]
fn a_write_is_durable_when_its_sync_is_done() {
    let disk = Disk::new(DiskParams::default());
    let file = disk.open("a");
    file.write(0, b"old").unwrap();
    file.sync_data().unwrap();
    let done = disk.submit(T(0)).unwrap();
    assert!(done > T(10) && done < T(20), "{done}");
    assert_eq!(disk.pending(done), 0);
    assert_eq!(disk.submit(done), None);
    file.write(0, b"new").unwrap();
    assert_eq!(content(&disk, "a"), b"new", "programs read what they wrote");
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..20 {
        let disk = Disk::new(DiskParams::default());
        let file = disk.open("a");
        file.write(0, b"old").unwrap();
        file.sync_data().unwrap();
        disk.submit(T(0));
        file.write(0, b"new").unwrap();
        disk.submit(T(50));
        disk.lose(DiskLoss::PowerCut, T(60), &mut Streams::new(seed).stream("disk"));
        seen.insert(content(&disk, "a"));
        assert!(file.write(0, b"x").is_err(), "the handle is dead");
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), [b"new".to_vec(), b"old".to_vec()]);
}

/// Writes of whole pages of one letter: a then sync, b, c, sync, d.
fn abcd(disk: &Disk) {
    let file = disk.open("f");
    let page = |letter: u8| vec![letter; PAGE_BYTES];
    file.set_len(4 * PAGE_BYTES as u64).unwrap();
    file.write(0, &page(b'a')).unwrap();
    file.sync_data().unwrap();
    file.write(PAGE_BYTES as u64, &page(b'b')).unwrap();
    file.write(2 * PAGE_BYTES as u64, &page(b'c')).unwrap();
    file.sync_data().unwrap();
    file.write(3 * PAGE_BYTES as u64, &page(b'd')).unwrap();
}

fn survived(bytes: &[u8], page: usize) -> usize {
    bytes.chunks(PAGE_BYTES).nth(page).unwrap_or(&[]).iter().filter(|&&b| b != 0).count()
}

#[test]
fn a_power_cut_drops_keeps_and_tears_but_never_passes_a_barrier() {
    let (mut torn, mut dropped_before_kept, mut all) = (0, 0, 0);
    for seed in 0..300 {
        let disk = Disk::new(DiskParams::default());
        abcd(&disk);
        disk.lose(DiskLoss::PowerCut, T(0), &mut Streams::new(seed).stream("disk"));
        let bytes = content(&disk, "f");
        let [a, b, c, d] = [0, 1, 2, 3].map(|page| survived(&bytes, page));
        for n in [a, b, c, d] {
            assert_eq!(n % SECTOR_BYTES, 0, "torn inside a sector");
            torn += u32::from(n > 0 && n < PAGE_BYTES);
        }
        assert!(b + c == 0 || a == PAGE_BYTES, "passed the first barrier");
        assert!(d == 0 || b + c == 2 * PAGE_BYTES, "passed the second barrier");
        dropped_before_kept += u32::from(b == 0 && c > 0);
        all += u32::from(d == PAGE_BYTES);
    }
    assert!(torn > 20 && dropped_before_kept > 10 && all > 5, "each fate must occur");
}

#[test]
fn a_crash_keeps_or_drops_whole_writes() {
    let mut fates = [0; 2];
    for seed in 0..100 {
        let disk = Disk::new(DiskParams::default());
        abcd(&disk);
        disk.lose(DiskLoss::Crash, T(0), &mut Streams::new(seed).stream("disk"));
        let bytes = content(&disk, "f");
        for page in 0..4 {
            match survived(&bytes, page) {
                0 => fates[0] += 1,
                PAGE_BYTES => fates[1] += 1,
                n => panic!("{n} bytes of a page survived a crash"),
            }
        }
    }
    assert!(fates[0] > 50 && fates[1] > 50, "{fates:?}");
}

#[test]
fn what_the_device_had_not_begun_is_never_kept() {
    for seed in 0..50 {
        let disk = Disk::new(DiskParams::default());
        abcd(&disk);
        disk.submit(T(0));
        // 1 ms for the length, 2 ms for page a, 10 ms for the first sync.
        disk.lose(DiskLoss::PowerCut, T(5), &mut Streams::new(seed).stream("disk"));
        let bytes = content(&disk, "f");
        assert_eq!([1, 2, 3].map(|page| survived(&bytes, page)), [0; 3]);
        let disk = Disk::new(DiskParams::default());
        abcd(&disk);
        let done = disk.submit(T(0)).unwrap();
        disk.lose(DiskLoss::PowerCut, done, &mut Streams::new(seed).stream("disk"));
        let bytes = content(&disk, "f");
        assert_eq!([0, 1, 2].map(|page| survived(&bytes, page)), [PAGE_BYTES; 3]);
    }
}

#[test]
fn losing_nothing_restores_exactly_the_durable_bytes() {
    let disk = Disk::new(DiskParams::default());
    abcd(&disk);
    disk.open("f").sync_data().unwrap();
    let done = disk.submit(T(0)).unwrap();
    assert_eq!(disk.pending(done), 0);
    let before = content(&disk, "f");
    let file = disk.open("f");
    // A shorter, then a longer file, with writes in between: all of it pending.
    file.set_len(PAGE_BYTES as u64 + 7).unwrap();
    file.write(3, b"xyz").unwrap();
    file.set_len(9 * PAGE_BYTES as u64).unwrap();
    file.write(5 * PAGE_BYTES as u64, b"far").unwrap();
    let mut restored = 0;
    for seed in 0..400 {
        let mut chance = Streams::new(seed).stream("disk");
        // Every fate of four operations occurs; among them: all dropped.
        let report = disk.state().take_back_copy(done, &mut chance);
        restored += u32::from(report.0.dropped == 4 && report.1 == before);
        assert!(report.0.dropped != 4 || report.1 == before);
    }
    assert!(restored > 0);
}

impl State {
    /// What a power cut would leave of file 0, on a copy.
    fn take_back_copy(&mut self, now: SimTime, chance: &mut Stream) -> (DiskLossReport, Vec<u8>) {
        let journal = self
            .journal
            .iter()
            .map(|op| Operation {
                file: op.file,
                cost: op.cost,
                times: op.times,
                change: match &op.change {
                    Change::Write { offset, old, new } => {
                        Change::Write { offset: *offset, old: old.clone(), new: new.clone() }
                    }
                    Change::SetLen { old, new, cut } => {
                        Change::SetLen { old: *old, new: *new, cut: cut.clone() }
                    }
                    Change::Replace { old, new } => {
                        Change::Replace { old: old.clone(), new: new.clone() }
                    }
                    Change::Rename { from, old } => {
                        Change::Rename { from: *from, old: old.clone() }
                    }
                    Change::Sync => Change::Sync,
                },
            })
            .collect();
        let files = self.files.clone();
        let kept = std::mem::replace(&mut self.journal, journal);
        let report = self.take_back(DiskLoss::PowerCut, now, chance);
        let mut bytes = vec![0; self.files[0].len as usize];
        self.files[0].read(0, &mut bytes);
        self.files = files;
        self.journal = kept;
        (report, bytes)
    }
}

#[test]
fn a_replaced_file_is_the_old_one_or_the_new_one() {
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..40 {
        let disk = Disk::new(DiskParams::default());
        let (old, new) = (vec![b'o'; 3000], vec![b'n'; 5000]);
        disk.replace_file("cfg", &old).unwrap();
        let done = disk.submit(T(0)).unwrap();
        disk.replace_file("cfg", &new).unwrap();
        disk.submit(done);
        disk.lose(DiskLoss::PowerCut, done, &mut Streams::new(seed).stream("disk"));
        let now = content(&disk, "cfg");
        assert!(now == old || now == new);
        seen.insert(now.len());
    }
    assert_eq!(seen.len(), 2);
}

#[test]
fn full_failed_and_slow_bite() {
    let disk = Disk::new(DiskParams::default());
    let file = disk.open("a");
    file.write(0, b"12345678").unwrap();
    file.sync_data().unwrap();
    let normal = disk.submit(T(0)).unwrap().since(T(0));
    disk.set_full(true);
    let error = file.write(8, b"9").unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    assert!(file.set_len(100).is_err() && disk.replace_file("b", b"1").is_err());
    file.write(0, b"same").unwrap();
    disk.set_full(false);
    file.write(8, b"9").unwrap();
    disk.set_slow(8);
    let start = T(1000);
    disk.submit(start);
    file.write(0, b"12345678").unwrap();
    file.sync_data().unwrap();
    let begin = start + SimDuration::from_secs(10);
    let slow = disk.submit(begin).unwrap().since(begin);
    assert!(slow >= normal * 7, "{slow} against {normal}");
    disk.set_failed(true);
    assert!(file.write(0, b"x").is_err() && file.sync_data().is_err());
    assert!(disk.read_file("a").is_err());
}

#[test]
fn the_machine_stops_after_exactly_n_operations_and_a_wipe_leaves_nothing() {
    let disk = Disk::new(DiskParams::default());
    let file = disk.open("a");
    disk.stop_after(2);
    file.set_len(10).unwrap();
    file.write(0, b"x").unwrap();
    assert!(file.sync_data().is_err() && file.write(0, b"y").is_err());
    disk.lose(DiskLoss::Wipe, T(0), &mut Streams::new(1).stream("disk"));
    assert!(!disk.exists("a"));
    disk.open("a").write(0, b"again").unwrap();
    assert_eq!(content(&disk, "a"), b"again");
}
