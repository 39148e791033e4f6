//! Bytes that are not what they were: an error each, or a torn tree where nobody checks. Never a panic.

use super::*;
use proptest::prelude::*;

const APP: &str = r"Software\App";

fn saved() -> Vec<u8> {
    sample().save(&path(APP), CLUSTER).expect("save")
}

fn unchecked() -> Restore<'static> {
    Restore { checks: Checks::None, ..Restore::by(CLUSTER) }
}

/// Restores over something else; whatever is refused must leave that alone.
fn restore(bytes: &[u8], how: &Restore<'_>) -> Result<(Restored, Registry), RegistryError> {
    let mut registry = Registry::with_hives();
    registry.set(&path(r"Software\App\Old"), "x", Value::Dword(1)).expect("set");
    let before = registry.clone();
    match registry.restore(&path(APP), bytes, how) {
        Ok(restored) => Ok((restored, registry)),
        Err(error) => {
            assert_eq!(registry, before);
            Err(error)
        }
    }
}

fn error(bytes: &[u8]) -> ImageError {
    match restore(bytes, &Restore::by(CLUSTER)) {
        Err(RegistryError::Image(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn kinds_of_damage_are_told_apart() {
    let whole = saved();
    let length = whole.len();
    assert_eq!(error(b"regf"), ImageError::Foreign);
    assert_eq!(error(&[0; 100]), ImageError::Foreign);
    assert_eq!(error(b""), ImageError::Cut { expected: 24, actual: 0 });
    assert_eq!(error(&whole[..23]), ImageError::Cut { expected: 24, actual: 23 });
    let cut = ImageError::Cut { expected: length, actual: length - 1 };
    assert_eq!(error(&whole[..length - 1]), cut);
    let mut long = whole.clone();
    long.push(0);
    let trailing = ImageError::Trailing { expected: length, actual: length + 1 };
    assert_eq!(error(&long), trailing);
    let mut later = whole.clone();
    later[4] = 2;
    assert_eq!(error(&later), ImageError::Version(2));
    let mut flipped = whole.clone();
    flipped[length / 2] ^= 1;
    assert!(matches!(error(&flipped), ImageError::Checksum { .. }));
}

#[test]
fn every_flipped_bit_and_every_cut_is_seen() {
    let whole = saved();
    for at in 0..whole.len() {
        for bit in 0..8 {
            let mut damaged = whole.clone();
            damaged[at] ^= 1 << bit;
            error(&damaged);
        }
        error(&whole[..at]);
    }
}

#[test]
fn without_checks_a_cut_file_gives_what_came_before_the_cut() {
    let whole = saved();
    let full = sample();
    let key = full.key(&path(APP)).expect("the key");
    let mut sizes = Vec::new();
    for cut in 24..whole.len() {
        let (restored, registry) = restore(&whole[..cut], &unchecked()).expect("restored");
        assert!(!restored.complete);
        let torn = registry.key(&path(APP)).expect("the key");
        assert!(!registry.exists(&path(r"Software\App\Old")));
        // Everything there is as it was saved.
        let values = torn.values().filter(|(name, value)| key.value(name) == Some(value)).count();
        assert_eq!(values, torn.values().len());
        sizes.push(torn.values().len() + torn.count());
    }
    assert!(sizes.is_sorted());
    assert_eq!(sizes[0], 1);
    assert_eq!(sizes[sizes.len() - 1], key.values().len() + key.count());
    let (restored, registry) = restore(&whole, &unchecked()).expect("restored");
    assert!(restored.complete);
    assert_eq!(registry.digest(&path(APP)), full.digest(&path(APP)));
}

#[test]
fn without_checks_a_torn_file_gives_a_mixture() {
    // Two states of one key, written over one another: the first half is new, the second old.
    let state = |text: &str| {
        let mut registry = Registry::new();
        for name in ["a", "b", "c", "d"] {
            registry.set(&path(APP), name, Value::sz(text)).expect("set");
        }
        registry.save(&path(APP), CLUSTER).expect("save")
    };
    let (new, old) = (state("new"), state("old"));
    let middle = new.len() / 2;
    let torn = [&new[..middle], &old[middle..]].concat();
    assert!(matches!(error(&torn), ImageError::Checksum { .. }));
    let (restored, registry) = restore(&torn, &unchecked()).expect("restored");
    assert!(restored.complete);
    assert_eq!(registry.text(&path(APP), "a"), Ok(Some("new")));
    assert_eq!(registry.text(&path(APP), "d"), Ok(Some("old")));
}

#[test]
fn a_hive_is_checked_as_a_saved_key_is() {
    let whole = sample().save(&path("Software"), CLUSTER).expect("save");
    let mut registry = Registry::with_hives();
    let hive = registry.hive("Software").expect("mounted");
    registry.set(&path("Software"), "x", Value::Dword(1)).expect("set");
    let before = registry.clone();
    for bytes in [&whole[..whole.len() - 1], b"", b"something else"] {
        let refused = registry.load(hive, bytes, Checks::All);
        assert!(matches!(refused, Err(RegistryError::Image(_))));
        assert_eq!(registry, before);
    }
    let loaded = registry.load(hive, &whole[..whole.len() - 1], Checks::None);
    assert_eq!(loaded, Ok(Loaded { complete: false }));
    assert!(registry.exists(&path(APP)));
}

/// Puts the right length and checksum into bytes.
fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
    let length = bytes.len() as u32;
    bytes[8..12].copy_from_slice(&length.to_le_bytes());
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&bytes[..12]);
    hasher.update(&bytes[16..]);
    bytes[12..16].copy_from_slice(&hasher.finalize().to_le_bytes());
    bytes
}

/// A header without flags, followed by these records, with the right length and checksum.
fn forged(records: &[&[u8]]) -> Vec<u8> {
    let mut bytes = saved()[..24].to_vec();
    records.iter().for_each(|record| bytes.extend_from_slice(record));
    sealed(bytes)
}

#[test]
fn bytes_with_the_right_checksum_must_keep_the_rules_too() {
    const ROOT: &[u8] = b"K\0\0\x01\0A";
    const ONE: &[u8] = b"E\x01\0\0\0";
    const VALUE: &[u8] = b"V\x03\0\0\0\x01\0x\0\0\0\0";
    assert!(restore(&forged(&[ROOT, VALUE, ONE]), &Restore::by(CLUSTER)).is_ok());
    let cases: [(&[&[u8]], &str); 18] = [
        (&[], "a record that goes beyond the end"),
        (&[b"x"], "no record begins so"),
        (&[b"E\0\0\0\0"], "another number of keys than there are"),
        (&[ROOT, b"E\x02\0\0\0"], "another number of keys than there are"),
        (&[ROOT, ONE, b"x"], "something after the end"),
        (&[ROOT, ROOT], "a key at an impossible depth"),
        (&[b"K\x01\0\x01\0A"], "a key at an impossible depth"),
        (&[ROOT, b"K\x02\0\x01\0A"], "a key at an impossible depth"),
        (&[b"K\0\0\0\0"], "a key with an impossible name"),
        (&[b"K\0\0\x01\0\\"], "a key with an impossible name"),
        (&[b"K\0\0\x01\0\xFF"], "a name that is not UTF-8"),
        (&[VALUE], "a value without its key"),
        (&[ROOT, VALUE, VALUE], "values out of order"),
        (&[ROOT, b"K\x01\0\x01\0b", b"K\x01\0\x01\0B"], "keys out of order"),
        (&[ROOT, VALUE, b"S\0\0"], "a descriptor without its key"),
        (&[ROOT, b"S\x01\0\x08\x01\0A"], "unknown rights"),
        (&[ROOT, b"S\x02\0\x01\x01\0A\x01\x01\0a"], "accounts out of order"),
        (&[ROOT, b"V\x03\0\0\0\x01\0x\xFF\xFF\xFF\xFF"], "a value that is too long"),
    ];
    for (records, expected) in cases {
        match error(&forged(records)) {
            ImageError::Record { why, .. } => assert_eq!(why, expected),
            other => panic!("{expected}: {other:?}"),
        }
    }
    let mut flags = saved();
    flags[6] = 2;
    let flags = error(&sealed(flags));
    assert_eq!(flags, ImageError::Record { offset: 6, why: "unknown flags" });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    /// Whatever reads with all checks is what the tree it gives would be saved as.
    #[test]
    fn what_reads_is_canonical(
        changes in proptest::collection::vec((24usize..2_000, 0u8..=255), 0..4),
    ) {
        let mut bytes = saved();
        for (at, byte) in changes {
            let at = at % bytes.len();
            bytes[at.max(24)] = byte;
        }
        let bytes = sealed(bytes);
        if let Ok((_, registry)) = restore(&bytes, &Restore::by(CLUSTER)) {
            let everybody = Caller { process: "x", account: "x" };
            let saved = registry.save(&path(APP), everybody);
            if let Ok(saved) = saved {
                // The name of the saved key itself is not kept.
                prop_assert_eq!(&saved[24..29], &bytes[24..29]);
                prop_assert_eq!(&saved[32..], &bytes[32..]);
            }
        }
    }

    #[test]
    fn any_bytes_are_taken_without_a_panic(
        start in 0usize..400,
        bytes in proptest::collection::vec(0u8..=255, 0..100),
        length in 0usize..2_000,
    ) {
        let mut damaged = saved();
        damaged.truncate(length);
        let start = start.min(damaged.len());
        let end = (start + bytes.len()).min(damaged.len());
        damaged.splice(start..end, bytes.iter().copied());
        let _ = restore(&damaged, &Restore::by(CLUSTER));
        let torn = restore(&damaged, &unchecked());
        if let Ok((restored, registry)) = torn {
            // A torn tree is a tree: it is saved and restored like any other.
            let everybody = Caller { process: "x", account: EVERYONE };
            if let Ok(again) = registry.save(&path(APP), everybody) {
                prop_assert!(restore(&again, &Restore::by(CLUSTER)).is_ok());
            }
            let _ = restored.complete;
        }
        let _ = restore(&bytes, &unchecked());
    }
}
