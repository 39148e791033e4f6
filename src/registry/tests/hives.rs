//! Hives: what is dirty, what reaches the disk, what a crash leaves.

use super::*;

#[test]
fn the_first_change_makes_a_hive_dirty() {
    let mut registry = Registry::with_hives();
    let (system, software) =
        (registry.hive("system").expect("mounted"), registry.hive("Software").expect("mounted"));
    assert_eq!(registry.mounted().collect::<Vec<_>>(), [system, software]);
    assert!(!registry.has_dirtied());
    let key = path(r"System\CurrentControlSet\Services\Wins");
    registry.set(&key, "Start", Value::Dword(2)).expect("set");
    registry.set(&key, "Start", Value::Dword(3)).expect("set");
    assert!(registry.is_dirty(system) && !registry.is_dirty(software));
    assert_eq!(registry.take_dirtied(), [system]);
    registry.set(&key, "Start", Value::Dword(4)).expect("set");
    // The write that is due takes this change too.
    assert_eq!(registry.take_dirtied(), []);
    registry.flush(system).expect("flush");
    assert!(!registry.is_dirty(system));
    // What is as it was is not written again.
    registry.set(&key, "Start", Value::Dword(4)).expect("set");
    registry.create(&key).expect("create");
    assert!(!registry.is_dirty(system));
    registry.delete_value(&key, "Start").expect("delete");
    assert_eq!(registry.take_dirtied(), [system]);
    registry.flush(system).expect("flush");
    registry.soil(system).expect("the disk did not take it");
    assert_eq!(registry.take_dirtied(), [system]);
}

#[test]
fn every_kind_of_change_makes_a_hive_dirty() {
    let saved = sample().save(&path(r"Software\App"), CLUSTER).expect("save");
    let changes: [fn(&mut Registry, &[u8]); 7] = [
        |r, _| assert_eq!(r.create(&path(r"Software\New")), Ok(true)),
        |r, _| assert_eq!(r.set(&path(r"Software\App"), "x", Value::Dword(1)), Ok(())),
        |r, _| assert!(r.delete_value(&path(r"Software\App"), "Text").is_ok()),
        |r, _| assert_eq!(r.delete_key(&path(r"Software\App\Empty")), Ok(())),
        |r, _| assert_eq!(r.delete_tree(&path(r"Software\App")), Ok(())),
        |r, _| assert_eq!(r.set_security(&path(r"Software\App\Empty"), None), Ok(())),
        |r, s| assert!(r.restore(&path(r"Software\B"), s, &Restore::by(CLUSTER)).is_ok()),
    ];
    for (n, change) in changes.iter().enumerate() {
        let mut registry = Registry::with_hives();
        registry.restore(&path(r"Software\App"), &saved, &Restore::by(CLUSTER)).expect("restore");
        let hive = registry.hive("Software").expect("mounted");
        registry.flush(hive).expect("flush");
        change(&mut registry, &saved);
        assert_eq!(registry.take_dirtied(), [hive], "change {n}");
    }
}

#[test]
fn a_crash_loses_what_was_not_flushed() {
    let mut registry = Registry::with_hives();
    let system = registry.hive("System").expect("mounted");
    let key = path(r"System\Select");
    registry.set(&key, "Current", Value::Dword(1)).expect("set");
    registry.set(&path(r"Hardware\Devices"), "x", Value::Dword(1)).expect("set");
    let on_disk = registry.flush(system).expect("flush");
    registry.set(&key, "Current", Value::Dword(2)).expect("set");
    let handle = registry.open(&key, "services").expect("open");
    drop(registry);
    let mut next = Registry::with_hives();
    assert_eq!(next.load(system, &on_disk, Checks::All), Ok(Loaded { complete: true }));
    assert_eq!(next.dword(&key, "Current"), Ok(Some(1)));
    assert!(!next.exists(&path("Hardware")));
    assert!(!next.is_dirty(system) && !next.has_dirtied());
    assert_eq!(next.opened(handle), Err(RegistryError::NoSuchHandle(handle)));
    assert_eq!(next.image(system), Ok(on_disk));
}

#[test]
fn a_hive_comes_and_goes() {
    let mut registry = Registry::with_hives();
    let cluster = registry.mount("Cluster").expect("mount");
    let twice = registry.mount("CLUSTER");
    assert_eq!(twice, Err(RegistryError::CannotMount("CLUSTER".into())));
    assert!(matches!(registry.mount(r"a\b"), Err(RegistryError::CannotMount(_))));
    assert!(matches!(registry.mount(""), Err(RegistryError::Path(PathError::Empty))));
    assert_eq!(registry.mount_point(cluster), Ok(&path("Cluster")));
    registry.set(&path(r"Cluster\Nodes\1"), "NodeName", Value::sz("A")).expect("set");
    let image = registry.flush(cluster).expect("flush");
    let handle = registry.open(&path(r"Cluster\Nodes"), "ClusSvc").expect("open");
    assert!(matches!(registry.unload(cluster), Err(RegistryError::HandleOpen { .. })));
    let load = registry.load(cluster, &image, Checks::All);
    assert!(matches!(load, Err(RegistryError::HandleOpen { .. })));
    registry.close(handle).expect("close");
    registry.unload(cluster).expect("unload");
    assert!(!registry.exists(&path("Cluster")));
    assert_eq!(registry.hive("Cluster"), None);
    assert!(matches!(registry.flush(cluster), Err(RegistryError::NoSuchHive(_))));
    // What is written there meanwhile belongs to no hive.
    registry.set(&path("Cluster"), "x", Value::Dword(1)).expect("set");
    assert!(!registry.has_dirtied());
    registry.delete_tree(&path("Cluster")).expect("delete");
    assert_eq!(registry.mount("Cluster"), Ok(cluster));
    registry.load(cluster, &image, Checks::All).expect("load");
    assert_eq!(registry.text(&path(r"Cluster\Nodes\1"), "NodeName"), Ok(Some("A")));
}

#[test]
fn keys_that_are_there_belong_to_the_hive_mounted_over_them() {
    let mut registry = sample();
    let hive = registry.mount("Software").expect("mount");
    assert_eq!(registry.take_dirtied(), [hive]);
    let image = registry.flush(hive).expect("flush");
    let mut next = Registry::new();
    let hive = next.mount("Software").expect("mount");
    next.load(hive, &image, Checks::All).expect("load");
    assert_eq!(next.key(&KeyPath::root()), sample().key(&KeyPath::root()));
}

#[test]
fn a_copy_of_a_hive_is_a_saved_key_and_the_other_way_round() {
    // A checkpoint of the cluster hive can be copied over CLUSDB (Q224999).
    let mut registry = sample();
    let saved = registry.save(&path("Software"), CLUSTER).expect("save");
    let hive = registry.mount("Software").expect("mount");
    assert_eq!(registry.flush(hive).as_deref(), Ok(&*saved));
    registry.delete_tree(&path(r"Software\App")).expect("delete");
    registry.load(hive, &saved, Checks::All).expect("load");
    assert_eq!(registry.key(&KeyPath::root()), sample().key(&KeyPath::root()));
}

#[test]
fn a_hive_whose_key_was_deleted_is_empty() {
    let mut registry = Registry::with_hives();
    let hive = registry.hive("System").expect("mounted");
    registry.set(&path("System"), "x", Value::Dword(1)).expect("set");
    registry.flush(hive).expect("flush");
    registry.delete_tree(&path("System")).expect("delete");
    assert_eq!(registry.take_dirtied(), [hive]);
    let image = registry.flush(hive).expect("flush");
    assert_eq!(Ok(image), Registry::with_hives().image(hive));
}
