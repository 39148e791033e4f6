//! What a registry promises, rule by rule, and against a small model.

mod damage;
mod hives;
mod model;
mod reg_texts;
mod saving;
mod services;
mod watches;

use super::*;

fn path(text: &str) -> KeyPath {
    KeyPath::parse(text).expect("a path")
}

const CLUSTER: Caller<'static> = Caller { process: "ClusSvc", account: r"CORP\cluster" };

/// A service's key with something of every kind.
fn sample() -> Registry {
    let mut registry = Registry::new();
    let key = path(r"Software\App");
    let values = [
        ("", Value::sz("default")),
        ("Text", Value::sz(r#"C:\dir\"a" ; b"#)),
        ("Lines", Value::sz("one\r\ntwo")),
        ("Expand", Value::expand_sz("%SystemRoot%\\äöü")),
        ("Bytes", Value::binary(&(0..100).collect::<Vec<u8>>())),
        ("None", Value::None([1, 2].into())),
        ("Number", Value::Dword(0xDEAD_BEEF)),
        ("List", Value::multi_sz(["one", "two"])),
        ("Empty list", Value::MultiSz(Vec::new())),
        ("Quad", Value::from_raw(REG_QWORD, &[1, 0, 0, 0, 0, 0, 0, 0x80])),
        ("Cut text", Value::from_raw(REG_SZ, b"a\0b\0")),
        ("Odd kind", Value::from_raw(0x8000_0001, b"xyz")),
        ("A [name] = \"x\"", Value::Dword(1)),
    ];
    for (name, value) in values {
        registry.set(&key, name, value).expect("set");
    }
    registry.set(&path(r"Software\App\Sub [1]\Deep"), "x", Value::Dword(1)).expect("set");
    registry.create(&path(r"Software\App\Empty")).expect("create");
    let security = Security::of([(r"CORP\cluster", Rights::FULL), (EVERYONE, Rights::READ)]);
    registry.set_security(&path(r"Software\App\Empty"), Some(security)).expect("set");
    registry
}

#[test]
fn keys_and_values_are_found_in_any_case() {
    let mut registry = Registry::new();
    assert_eq!(registry.create(&path(r"System\Select")), Ok(true));
    assert_eq!(registry.create(&path(r"SYSTEM\select")), Ok(false));
    registry.set(&path(r"system\SELECT"), "Current", Value::Dword(1)).expect("set");
    assert_eq!(registry.get(&path(r"System\Select"), "cURRENT"), Some(&Value::Dword(1)));
    let (name, _) = registry.key(&path("system")).and_then(|k| k.keys().next()).expect("a key");
    assert_eq!(name, "Select");
    assert_eq!(registry.dword(&path(r"System\Select"), "Current"), Ok(Some(1)));
    assert_eq!(registry.dword(&path(r"System\Select"), "Default"), Ok(None));
    let wrong = registry.text(&path(r"System\Select"), "Current");
    let error = "value `Current` of key `System\\Select` is of kind 4, not of kind 1";
    assert_eq!(wrong.expect_err("a number").to_string(), error);
    assert_eq!(registry.list(&path("Nowhere"), "x"), Ok(None));
}

#[test]
fn what_is_not_there_cannot_be_deleted() {
    let mut registry = Registry::new();
    let key = path(r"Software\App");
    assert_eq!(registry.delete_tree(&key), Err(RegistryError::KeyNotFound(key.clone())));
    assert!(matches!(registry.delete_value(&key, "x"), Err(RegistryError::KeyNotFound(_))));
    registry.set(&key, "x", Value::Dword(1)).expect("set");
    assert!(matches!(registry.delete_value(&key, "y"), Err(RegistryError::ValueNotFound { .. })));
    assert_eq!(registry.delete_value(&key, "X"), Ok(Value::Dword(1)));
    let above = path("Software");
    assert_eq!(registry.delete_key(&above), Err(RegistryError::HasSubkeys(above.clone())));
    assert_eq!(registry.delete_key(&key), Ok(()));
    assert_eq!(registry.delete_key(&above), Ok(()));
    assert_eq!(registry, Registry::new());
}

#[test]
fn the_root_is_fixed_and_limits_hold() {
    let mut registry = sample();
    let before = registry.clone();
    let root = KeyPath::root();
    assert_eq!(registry.set(&root, "x", Value::Dword(1)), Err(RegistryError::RootIsFixed));
    assert_eq!(registry.delete_tree(&root), Err(RegistryError::RootIsFixed));
    assert_eq!(registry.delete_key(&root), Err(RegistryError::RootIsFixed));
    assert_eq!(registry.set_security(&root, None), Err(RegistryError::RootIsFixed));
    assert_eq!(registry.save(&root, CLUSTER), Err(RegistryError::RootIsFixed));
    let restored = registry.restore(&root, &[], &Restore::by(CLUSTER));
    assert_eq!(restored, Err(RegistryError::RootIsFixed));
    assert!(registry.key(&root).is_some());
    let key = path(r"Software\New");
    let bad = registry.set(&key, "x", Value::multi_sz([""]));
    assert!(matches!(bad, Err(RegistryError::Value { mistake: ValueError::BadListString, .. })));
    let bad = registry.set(&key, "a\nb", Value::Dword(1));
    assert!(matches!(bad, Err(RegistryError::Value { mistake: ValueError::ControlInName, .. })));
    let many: Vec<String> = (0..=GRANTS_MAX).map(|n| format!("account {n}")).collect();
    let many = Security::of(many.iter().map(|account| (&**account, Rights::READ)));
    let bad = registry.set_security(&path("Software"), Some(many));
    assert!(matches!(bad, Err(RegistryError::BadSecurity(_))));
    assert_eq!(registry, before);
}

#[test]
fn a_descriptor_counts_for_what_is_below() {
    let mut registry = sample();
    let (above, below) = (path("Software"), path(r"Software\App\Sub [1]"));
    assert!(registry.allows(&below, "anybody", Rights::FULL));
    let only = Security::of([("owner", Rights::FULL)]);
    registry.set_security(&above, Some(only.clone())).expect("set");
    assert!(!registry.allows(&below, "anybody", Rights::READ));
    assert!(registry.allows(&below, "Owner", Rights::FULL));
    assert!(!registry.allows(&path(r"Software\Not there"), "anybody", Rights::READ));
    assert!(registry.allows(&path("System"), "anybody", Rights::FULL));
    assert_eq!(registry.security(&below), Some(&only));
    assert!(registry.allows(&path(r"Software\App\Empty"), "anybody", Rights::READ));
    registry.set_security(&above, None).expect("set");
    assert!(registry.allows(&below, "anybody", Rights::FULL));
}

#[test]
fn a_handle_lasts_until_it_is_closed() {
    let mut registry = sample();
    let key = path(r"Software\App\Empty");
    let first = registry.open(&key, "app").expect("open");
    let second = registry.open(&key, "app").expect("open");
    let other = registry.open(&path("Software"), "other").expect("open");
    assert_eq!(registry.opened(first), Ok(&key));
    assert_eq!(registry.close(first), Ok(()));
    assert_eq!(registry.close(first), Err(RegistryError::NoSuchHandle(first)));
    registry.delete_tree(&path(r"Software\App")).expect("delete");
    assert_eq!(registry.opened(second), Err(RegistryError::KeyDeleted(key.clone())));
    assert!(registry.opened(other).is_ok());
    assert_eq!(registry.close_all("app"), 1);
    assert_eq!(registry.open_count(), 1);
    assert_eq!(registry.open(&key, "app"), Err(RegistryError::KeyNotFound(key.clone())));
}

#[test]
fn handles_have_a_limit() {
    let mut registry = sample();
    let key = path("Software");
    let opened = (0..=HANDLES_MAX).map(|_| registry.open(&key, "leak"));
    let refused = opened.filter(|id| *id == Err(RegistryError::TooManyHandles(HANDLES_MAX)));
    assert_eq!(refused.count(), 1);
}
