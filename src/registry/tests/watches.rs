//! RegNotifyChangeKeyValue, rule by rule.

use super::*;

fn watched(subtree: bool, filter: WatchFilter) -> (Registry, WatchId) {
    let mut registry = sample();
    let id = registry.watch(&path(r"Software\App"), subtree, filter).expect("watch");
    (registry, id)
}

#[test]
fn a_watch_tells_once() {
    let (mut registry, id) = watched(true, WatchFilter::ALL);
    let key = path(r"software\APP");
    assert!(registry.is_armed(id));
    assert!(!registry.has_signals());
    registry.set(&key, "x", Value::Dword(1)).expect("set");
    assert!(registry.has_signals());
    registry.set(&key, "x", Value::Dword(2)).expect("set");
    assert_eq!(registry.take_signals(), [id]);
    assert!(!registry.is_armed(id));
    registry.set(&key, "x", Value::Dword(3)).expect("set");
    assert_eq!(registry.take_signals(), []);
    // What changed before it was armed again stays untold.
    registry.rearm(id).expect("arm");
    assert_eq!(registry.take_signals(), []);
    registry.set(&key, "x", Value::Dword(4)).expect("set");
    assert_eq!(registry.take_signals(), [id]);
}

#[test]
fn a_signal_nobody_took_is_not_doubled() {
    let (mut registry, id) = watched(true, WatchFilter::ALL);
    for n in 0..3 {
        registry.set(&path(r"Software\App"), "x", Value::Dword(n)).expect("set");
        registry.rearm(id).expect("arm");
    }
    assert_eq!(registry.take_signals(), [id]);
    assert!(registry.is_armed(id));
}

#[test]
fn a_value_set_to_what_it_was_is_told() {
    let (mut registry, id) = watched(false, WatchFilter::VALUE);
    registry.set(&path(r"Software\App"), "Number", Value::Dword(0xDEAD_BEEF)).expect("set");
    assert_eq!(registry.take_signals(), [id]);
}

/// A change below the sample's key, with what it is.
type Change = fn(&mut Registry);

#[test]
fn filter_and_subtree_decide() {
    let changes: [(&str, bool, WatchFilter, Change); 8] = [
        ("a value here", true, WatchFilter::VALUE, |r| {
            r.set(&path(r"Software\App"), "x", Value::Dword(1)).expect("set");
        }),
        ("a value gone here", true, WatchFilter::VALUE, |r| {
            r.delete_value(&path(r"Software\App"), "Text").expect("delete");
        }),
        ("a value below", false, WatchFilter::VALUE, |r| {
            r.set(&path(r"Software\App\Empty"), "x", Value::Dword(1)).expect("set");
        }),
        ("a key made here", true, WatchFilter::NAME, |r| {
            r.create(&path(r"Software\App\New")).expect("create");
        }),
        ("a key made below", false, WatchFilter::NAME, |r| {
            r.create(&path(r"Software\App\Empty\New")).expect("create");
        }),
        ("a key gone here", true, WatchFilter::NAME, |r| {
            r.delete_tree(&path(r"Software\App\Sub [1]")).expect("delete");
        }),
        ("a descriptor here", true, WatchFilter::SECURITY | WatchFilter::ATTRIBUTES, |r| {
            r.set_security(&path(r"Software\App"), Some(Security::default())).expect("set");
        }),
        ("a descriptor below", false, WatchFilter::SECURITY | WatchFilter::ATTRIBUTES, |r| {
            r.set_security(&path(r"Software\App\Empty"), None).expect("set");
        }),
    ];
    let filters =
        [WatchFilter::NAME, WatchFilter::ATTRIBUTES, WatchFilter::VALUE, WatchFilter::SECURITY];
    for (what, is_here, kinds, change) in changes {
        for filter in filters {
            for subtree in [false, true] {
                let (mut registry, id) = watched(subtree, filter);
                change(&mut registry);
                let told = registry.take_signals() == [id];
                let expected = filter.passes(kinds) && (is_here || subtree);
                assert_eq!(told, expected, "{what}, {filter:?}, subtree {subtree}");
            }
        }
    }
}

#[test]
fn a_deep_key_made_at_once_is_told_where_it_begins() {
    let (mut registry, id) = watched(false, WatchFilter::NAME);
    registry.create(&path(r"Software\App\a\b\c")).expect("create");
    assert_eq!(registry.take_signals(), [id]);
    // Making what is there changes nothing.
    registry.rearm(id).expect("arm");
    registry.create(&path(r"Software\App\a\b\c")).expect("create");
    assert_eq!(registry.take_signals(), []);
    // A new key is a change of the key above it, not of the one above that.
    registry.create(&path(r"Software\App\a\x")).expect("create");
    assert_eq!(registry.take_signals(), []);
}

#[test]
fn changes_beside_and_above_are_not_told() {
    let (mut registry, _) = watched(true, WatchFilter::ALL);
    registry.set(&path("Software"), "x", Value::Dword(1)).expect("set");
    registry.set(&path(r"Software\Apple"), "x", Value::Dword(1)).expect("set");
    registry.set(&path(r"Software\App!"), "x", Value::Dword(1)).expect("set");
    assert_eq!(registry.take_signals(), []);
}

#[test]
fn a_deleted_key_tells_its_watches() {
    let (mut registry, id) = watched(false, WatchFilter::SECURITY);
    let inside = path(r"Software\App\Sub [1]\Deep");
    let below = registry.watch(&inside, false, WatchFilter::VALUE).expect("watch");
    registry.create(&path(r"Software\Apple")).expect("create");
    let beside = registry.watch(&path(r"Software\Apple"), true, WatchFilter::ALL).expect("watch");
    registry.delete_tree(&path(r"Software\App")).expect("delete");
    assert_eq!(registry.take_signals(), [id, below]);
    assert!(registry.is_armed(beside));
    assert!(matches!(registry.rearm(id), Err(RegistryError::KeyNotFound(_))));
    registry.create(&path(r"Software\App")).expect("create");
    registry.rearm(id).expect("arm");
    assert!(registry.is_armed(id));
}

#[test]
fn a_restore_is_not_told_and_the_watch_stays_armed() {
    let (mut registry, id) = watched(true, WatchFilter::ALL);
    let key = path(r"Software\App");
    let saved = registry.save(&key, CLUSTER).expect("save");
    registry.set(&key, "Text", Value::sz("changed")).expect("set");
    assert_eq!(registry.take_signals(), [id]);
    registry.rearm(id).expect("arm");
    registry.restore(&key, &saved, &Restore::by(CLUSTER)).expect("restore");
    assert_eq!(registry.take_signals(), []);
    assert!(registry.is_armed(id));
    registry.set(&key, "Text", Value::sz("changed")).expect("set");
    assert_eq!(registry.take_signals(), [id]);
}

#[test]
fn a_dropped_watch_says_nothing() {
    let (mut registry, id) = watched(true, WatchFilter::ALL);
    registry.set(&path(r"Software\App"), "x", Value::Dword(1)).expect("set");
    assert_eq!(registry.watched(id), Ok(&path(r"Software\App")));
    assert_eq!(registry.unwatch(id), Ok(()));
    assert_eq!(registry.take_signals(), []);
    assert_eq!(registry.unwatch(id), Err(RegistryError::NoSuchWatch(id)));
    assert_eq!(registry.rearm(id), Err(RegistryError::NoSuchWatch(id)));
    let missing = path("Nowhere");
    let refused = registry.watch(&missing, true, WatchFilter::ALL);
    assert_eq!(refused, Err(RegistryError::KeyNotFound(missing)));
}

#[test]
fn several_watches_of_one_key_are_told_apart() {
    let (mut registry, first) = watched(true, WatchFilter::ALL);
    let key = path(r"Software\App");
    let second = registry.watch(&key, true, WatchFilter::VALUE).expect("watch");
    let above = registry.watch(&path("Software"), true, WatchFilter::VALUE).expect("watch");
    registry.set(&key, "x", Value::Dword(1)).expect("set");
    assert_eq!(registry.take_signals(), [above, first, second]);
    registry.rearm(second).expect("arm");
    registry.set(&key, "x", Value::Dword(2)).expect("set");
    assert_eq!(registry.take_signals(), [second]);
}

#[test]
fn watches_have_a_limit() {
    let mut registry = sample();
    let key = path("Software");
    let watches = (0..=WATCHES_MAX).map(|_| registry.watch(&key, true, WatchFilter::ALL));
    let refused = watches.filter(|id| *id == Err(RegistryError::TooManyWatches(WATCHES_MAX)));
    assert_eq!(refused.count(), 1);
}
