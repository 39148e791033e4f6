//! Save and restore, with everything that refuses them.

use super::*;

const APP: &str = r"Software\App";

#[test]
fn a_restore_replaces_everything() {
    let mut registry = sample();
    let key = path(APP);
    let before = registry.clone();
    let saved = registry.save(&key, CLUSTER).expect("save");
    registry.set(&key, "Restore in Progress", Value::Dword(1)).expect("set");
    registry.set(&path(r"Software\App\Restore in Progress"), "x", Value::Dword(1)).expect("set");
    registry.delete_tree(&path(r"Software\App\Sub [1]")).expect("delete");
    registry.set_security(&path(r"Software\App\Empty"), None).expect("set");
    registry.set_security(&key, Some(Security::of([(EVERYONE, Rights::FULL)]))).expect("set");
    assert_ne!(registry.digest(&key), before.digest(&key));
    let restored = registry.restore(&key, &saved, &Restore::by(CLUSTER));
    assert_eq!(restored, Ok(Restored { complete: true }));
    assert_eq!(registry, before);
    assert_eq!(registry.save(&key, CLUSTER), Ok(saved));
}

#[test]
fn a_subtree_goes_to_another_host() {
    let (one, mut two) = (sample(), Registry::with_hives());
    let key = path(APP);
    let saved = one.save(&key, CLUSTER).expect("save");
    two.restore(&key, &saved, &Restore::by(CLUSTER)).expect("restore");
    assert_eq!(one.key(&key), two.key(&key));
    assert_eq!(one.digest(&key), two.digest(&key));
    assert_eq!(two.take_dirtied(), [two.hive("software").expect("a hive")]);
    // Equal trees give equal bytes, however they came to be.
    assert_eq!(two.save(&key, CLUSTER), Ok(saved));
}

#[test]
fn the_order_of_writing_is_not_saved() {
    let (mut one, mut two) = (Registry::new(), Registry::new());
    let key = path(APP);
    for name in ["b", "a", "ä", "C"] {
        one.set(&key, name, Value::sz(name)).expect("set");
        one.create(&key.join(name).expect("a path")).expect("create");
    }
    for name in ["C", "ä", "a", "b"] {
        two.create(&key.join(name).expect("a path")).expect("create");
        two.set(&key, name, Value::sz("x")).expect("set");
        two.set(&key, name, Value::sz(name)).expect("set");
    }
    assert_eq!(one.save(&key, CLUSTER), two.save(&key, CLUSTER));
    // Case is content.
    two.delete_value(&key, "C").expect("delete");
    two.set(&key, "c", Value::sz("C")).expect("set");
    assert_ne!(one.save(&key, CLUSTER), two.save(&key, CLUSTER));
}

#[test]
fn an_open_handle_of_somebody_else_blocks_a_restore() {
    let mut registry = sample();
    let key = path(APP);
    let deep = path(r"Software\App\Sub [1]\Deep");
    let saved = registry.save(&key, CLUSTER).expect("save");
    registry.set(&key, "Text", Value::sz("local")).expect("set");
    let above = registry.open(&path("Software"), "Winlogon").expect("open");
    let own = registry.open(&key, "ClusSvc").expect("open");
    let leak = registry.open(&deep, "Winlogon").expect("open");
    let before = registry.clone();
    let refused = registry.restore(&key, &saved, &Restore::by(CLUSTER));
    let error = RegistryError::HandleOpen { path: deep.clone(), process: "Winlogon".into() };
    assert_eq!(refused, Err(error));
    // The old local content stays (Q316772); saving is not hindered.
    assert_eq!(registry, before);
    assert!(registry.save(&key, CLUSTER).is_ok());
    registry.close(leak).expect("close");
    assert!(registry.restore(&key, &saved, &Restore::by(CLUSTER)).is_ok());
    assert!(registry.opened(own).is_ok() && registry.opened(above).is_ok());
}

#[test]
fn a_handle_to_a_deleted_key_blocks_nothing() {
    let mut registry = sample();
    let key = path(APP);
    let saved = registry.save(&key, CLUSTER).expect("save");
    let handle = registry.open(&path(r"Software\App\Empty"), "app").expect("open");
    registry.delete_tree(&path(r"Software\App\Empty")).expect("delete");
    registry.restore(&key, &saved, &Restore::by(CLUSTER)).expect("restore");
    // The key is back; the handle is not.
    assert!(matches!(registry.opened(handle), Err(RegistryError::KeyDeleted(_))));
}

#[test]
fn an_account_without_rights_neither_saves_nor_restores() {
    let mut registry = sample();
    let key = path(APP);
    let saved = registry.save(&key, CLUSTER).expect("save");
    let inner = path(r"Software\App\Sub [1]\Deep");
    for (place, rights, may_save) in [
        (&key, Rights::NONE, false),
        (&key, Rights::READ, true),
        (&inner, Rights::NONE, false),
        (&inner, Rights::READ, true),
        (&path("Software"), Rights::READ, true),
    ] {
        let mut registry = registry.clone();
        let security = Security::of([("SYSTEM", Rights::FULL), (CLUSTER.account, rights)]);
        registry.set_security(place, Some(security)).expect("set");
        let before = registry.clone();
        let denied = RegistryError::AccessDenied {
            // A descriptor above is felt at the key itself.
            path: if key.is_within(place) { key.clone() } else { place.clone() },
            account: CLUSTER.account.into(),
        };
        match registry.save(&key, CLUSTER) {
            Ok(_) => assert!(may_save),
            Err(error) => assert!(!may_save && error == denied, "{error}"),
        }
        let refused = registry.restore(&key, &saved, &Restore::by(CLUSTER));
        assert_eq!(refused, Err(denied));
        assert_eq!(registry, before);
    }
    // A key that is not there yet is refused by the one above it.
    registry.set_security(&path("Software"), Some(Security::default())).expect("set");
    let refused = registry.restore(&path(r"Software\New"), &saved, &Restore::by(CLUSTER));
    assert!(matches!(refused, Err(RegistryError::AccessDenied { .. })));
    assert!(!registry.exists(&path(r"Software\New")));
}

#[test]
fn a_saved_subtree_carries_the_descriptor_that_locks_it() {
    // Q192493: saved while the account had rights by the key above, refused on the node where it has none.
    let (mut one, mut two) = (sample(), sample());
    let key = path(APP);
    let only_system = Security::of([("SYSTEM", Rights::FULL)]);
    one.set_security(&key, Some(only_system.clone())).expect("set");
    let system = Caller { process: "services", account: "SYSTEM" };
    let saved = one.save(&key, system).expect("save");
    two.restore(&key, &saved, &Restore::by(CLUSTER)).expect("nothing locks it yet");
    assert_eq!(two.security(&key), Some(&only_system));
    let again = two.restore(&key, &saved, &Restore::by(CLUSTER));
    assert!(matches!(again, Err(RegistryError::AccessDenied { .. })));
}

#[test]
fn storage_lost_by_restores_corrupts_the_hive() {
    // Q189061, NT 4.0 before SP4.
    let mut registry = Registry::with_hives();
    let hive = registry.hive("Software").expect("a hive");
    let (long, short) = (path(r"Software\A long name"), path(r"Software\Short"));
    registry.set(&long, "x", Value::binary(&[0; 1000])).expect("set");
    let saved = registry.save(&long, CLUSTER).expect("save");
    let trap = Restore { storage_lost_max: Some(10_000), ..Restore::by(CLUSTER) };
    for _ in 0..100 {
        registry.restore(&long, &saved, &trap).expect("the same name loses nothing");
        registry.restore(&short, &saved, &Restore::by(CLUSTER)).expect("mended from SP4 on");
    }
    let survived = (0..100).take_while(|_| registry.restore(&short, &saved, &trap).is_ok()).count();
    assert_eq!(survived, 9);
    let corrupt = RegistryError::HiveCorrupt("Software".into());
    assert_eq!(registry.save(&long, CLUSTER), Err(corrupt.clone()));
    assert_eq!(registry.restore(&long, &saved, &trap), Err(corrupt.clone()));
    // A host that starts with this hive does not get it.
    let image = registry.flush(hive).expect("flush");
    let mut next = Registry::with_hives();
    let before = next.clone();
    assert_eq!(next.load(hive, &image, Checks::All), Err(corrupt));
    assert_eq!(next, before);
}

#[test]
fn what_was_lost_is_remembered_by_the_hive() {
    let mut registry = Registry::with_hives();
    let hive = registry.hive("Software").expect("a hive");
    let saved = sample().save(&path(APP), CLUSTER).expect("save");
    let trap = Restore { storage_lost_max: Some(u64::MAX), ..Restore::by(CLUSTER) };
    registry.restore(&path(r"Software\Longer"), &saved, &trap).expect("restore");
    let image = registry.flush(hive).expect("flush");
    let mut next = Registry::with_hives();
    next.load(hive, &image, Checks::All).expect("load");
    assert_eq!(next.image(hive), Ok(image));
    let over = Restore { storage_lost_max: Some(saved.len() as u64), ..trap };
    let refused = next.restore(&path(r"Software\Longer"), &saved, &over);
    assert_eq!(refused, Err(RegistryError::HiveCorrupt("Software".into())));
}

#[test]
fn a_tree_too_deep_for_its_new_place_is_refused() {
    let mut registry = Registry::new();
    let deep = vec!["a"; DEPTH_MAX].join("\\");
    registry.create(&path(&deep)).expect("create");
    let saved = registry.save(&path("a"), CLUSTER).expect("save");
    let same = registry.restore(&path("b"), &saved, &Restore::by(CLUSTER));
    assert!(same.is_ok());
    let refused = registry.restore(&path(r"b\c"), &saved, &Restore::by(CLUSTER));
    let error = PathError::TooDeep { actual: DEPTH_MAX + 1 };
    assert_eq!(refused, Err(RegistryError::Path(error)));
    assert!(!registry.exists(&path(r"b\c")));
}
