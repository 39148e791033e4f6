//! The registry beside a model so small that it can be seen to be right: one map from whole paths.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// Names that meet: two writings of one name, one that continues another, one outside ASCII.
const NAMES: [&str; 6] = ["a", "A", "ab", "ä", "Ä", "b c"];

/// A key of the model: how its last name is written, and its values by their upper-case names.
#[derive(Clone, Default, PartialEq, Debug)]
struct ModelKey {
    writing: String,
    values: BTreeMap<String, (String, Value)>,
}

#[derive(Clone, PartialEq, Debug)]
struct ModelWatch {
    path: Vec<String>,
    subtree: bool,
    filter: WatchFilter,
    armed: bool,
    told: bool,
}

#[derive(Clone, Default, Debug)]
struct Model {
    keys: BTreeMap<Vec<String>, ModelKey>,
    watches: Vec<ModelWatch>,
}

fn upper(names: &[String]) -> Vec<String> {
    names.iter().map(|name| name.to_uppercase()).collect()
}

impl Model {
    fn change(&mut self, at: &[String], kind: WatchFilter) {
        for watch in &mut self.watches {
            let inside = at.starts_with(&watch.path) && (watch.subtree || at == watch.path);
            if watch.armed && inside && watch.filter.passes(kind) {
                watch.armed = false;
                watch.told = true;
            }
        }
    }

    fn create(&mut self, names: &[String]) {
        for end in 1..=names.len() {
            let path = upper(&names[..end]);
            if !self.keys.contains_key(&path) {
                let writing = names[end - 1].clone();
                self.keys.insert(path.clone(), ModelKey { writing, values: BTreeMap::new() });
                self.change(&path[..end - 1], WatchFilter::NAME);
            }
        }
    }

    fn set(&mut self, names: &[String], name: &str, value: &Value) {
        self.create(names);
        let key = self.keys.get_mut(&upper(names)).expect("just made");
        let place = key.values.entry(name.to_uppercase());
        place.or_insert_with(|| (name.to_string(), value.clone())).1 = value.clone();
        self.change(&upper(names), WatchFilter::VALUE);
    }

    fn delete_value(&mut self, names: &[String], name: &str) -> bool {
        let path = upper(names);
        let key = self.keys.get_mut(&path);
        let gone = key.and_then(|key| key.values.remove(&name.to_uppercase())).is_some();
        if gone {
            self.change(&path, WatchFilter::VALUE);
        }
        gone
    }

    fn delete_tree(&mut self, names: &[String]) -> bool {
        let path = upper(names);
        if !self.keys.contains_key(&path) {
            return false;
        }
        self.keys.retain(|other, _| !other.starts_with(&path));
        for watch in self.watches.iter_mut().filter(|watch| watch.path.starts_with(&path)) {
            watch.told |= watch.armed;
            watch.armed = false;
        }
        self.change(&path[..path.len() - 1], WatchFilter::NAME);
        true
    }

    /// Puts what is below one key in the place of what is below another.
    fn copy(&mut self, from: &[String], to: &[String]) {
        let (from, target) = (upper(from), upper(to));
        let source = self.keys.iter().filter(|(path, _)| path.starts_with(&from));
        let source: Vec<_> = source.map(|(path, key)| (path.clone(), key.clone())).collect();
        let armed: Vec<_> = self.watches.clone();
        self.create(to);
        let writing = self.keys[&target].writing.clone();
        self.keys.retain(|path, _| !path.starts_with(&target));
        for (path, key) in source {
            self.keys.insert([&target[..], &path[from.len()..]].concat(), key);
        }
        self.keys.get_mut(&target).expect("just copied").writing = writing;
        self.watches = armed;
    }
}

/// Everything there is, as the model has it.
fn flat(key: &Key, path: &[String], out: &mut BTreeMap<Vec<String>, ModelKey>) {
    for (name, key) in key.keys() {
        let path = [path, &[name.to_uppercase()]].concat();
        let values = key
            .values()
            .map(|(name, value)| (name.to_uppercase(), (name.to_string(), value.clone())));
        let model = ModelKey { writing: name.to_string(), values: values.collect() };
        let twice = out.insert(path.clone(), model);
        assert_eq!(twice, None, "two keys of one name");
        flat(key, &path, out);
    }
}

#[derive(Clone, Debug)]
enum Op {
    Create(Vec<String>),
    Set(Vec<String>, String, Value),
    DeleteValue(Vec<String>, String),
    DeleteTree(Vec<String>),
    Copy(Vec<String>, Vec<String>),
    Watch(Vec<String>, bool, u8),
    Rearm(usize),
    Take,
    ThroughBytes,
    ThroughText,
}

fn names() -> impl Strategy<Value = Vec<String>> {
    proptest::collection::vec(proptest::sample::select(&NAMES[..]).prop_map(String::from), 1..4)
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<u32>().prop_map(Value::Dword),
        "[a\"\\\\ä\n]{0,3}".prop_map(|text| Value::sz(&text)),
        proptest::collection::vec("[a-c]{1,2}", 0..3).prop_map(Value::multi_sz),
        (0u32..12, proptest::collection::vec(0u8..3, 0..6))
            .prop_map(|(kind, data)| Value::from_raw(kind, &data)),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    let name = || proptest::sample::select(&["", "x", "X", "y"][..]).prop_map(String::from);
    prop_oneof![
        3 => names().prop_map(Op::Create),
        6 => (names(), name(), value()).prop_map(|(key, name, value)| Op::Set(key, name, value)),
        2 => (names(), name()).prop_map(|(key, name)| Op::DeleteValue(key, name)),
        2 => names().prop_map(Op::DeleteTree),
        1 => (names(), names()).prop_map(|(from, to)| Op::Copy(from, to)),
        3 => (names(), any::<bool>(), 1u8..16).prop_map(|(key, all, bits)| Op::Watch(key, all, bits)),
        3 => (0usize..8).prop_map(Op::Rearm),
        1 => Just(Op::Take),
        1 => Just(Op::ThroughBytes),
        1 => Just(Op::ThroughText),
    ]
}

fn filter(bits: u8) -> WatchFilter {
    let all =
        [WatchFilter::NAME, WatchFilter::ATTRIBUTES, WatchFilter::VALUE, WatchFilter::SECURITY];
    let chosen = all.into_iter().enumerate().filter(|(n, _)| bits >> n & 1 == 1);
    chosen.map(|(_, filter)| filter).reduce(|a, b| a | b).expect("one bit at least")
}

struct Pair {
    registry: Registry,
    model: Model,
    ids: Vec<WatchId>,
}

impl Pair {
    fn step(&mut self, op: Op) {
        let at = |names: &[String]| path(&names.join("\\"));
        let (registry, model) = (&mut self.registry, &mut self.model);
        match op {
            Op::Create(key) => {
                registry.create(&at(&key)).expect("create");
                model.create(&key);
            }
            Op::Set(key, name, value) => {
                registry.set(&at(&key), &name, value.clone()).expect("set");
                model.set(&key, &name, &value);
            }
            Op::DeleteValue(key, name) => {
                let gone = registry.delete_value(&at(&key), &name).is_ok();
                assert_eq!(gone, model.delete_value(&key, &name));
            }
            Op::DeleteTree(key) => {
                assert_eq!(registry.delete_tree(&at(&key)).is_ok(), model.delete_tree(&key));
            }
            Op::Copy(from, to) => {
                let Ok(bytes) = registry.save(&at(&from), CLUSTER) else {
                    assert!(!model.keys.contains_key(&upper(&from)));
                    return;
                };
                registry.restore(&at(&to), &bytes, &Restore::by(CLUSTER)).expect("restore");
                model.copy(&from, &to);
            }
            Op::Watch(key, subtree, bits) => {
                let Ok(id) = registry.watch(&at(&key), subtree, filter(bits)) else {
                    assert!(!model.keys.contains_key(&upper(&key)));
                    return;
                };
                self.ids.push(id);
                let (path, filter) = (upper(&key), filter(bits));
                let watch = ModelWatch { path, subtree, filter, armed: true, told: false };
                model.watches.push(watch);
            }
            Op::Rearm(n) if n < self.ids.len() => {
                let watch = &mut model.watches[n];
                watch.armed |= model.keys.contains_key(&watch.path);
                let armed = registry.rearm(self.ids[n]).is_ok();
                assert_eq!(armed, model.keys.contains_key(&watch.path));
            }
            Op::Rearm(_) => {}
            Op::Take => self.take(),
            Op::ThroughBytes => through_bytes(registry),
            Op::ThroughText => through_text(registry),
        }
        self.compare();
    }

    fn take(&mut self) {
        let mut signals = self.registry.take_signals();
        signals.sort();
        let told = self.ids.iter().zip(&self.model.watches).filter(|(_, watch)| watch.told);
        assert_eq!(signals, told.map(|(id, _)| *id).collect::<Vec<_>>());
        self.model.watches.iter_mut().for_each(|watch| watch.told = false);
    }

    fn compare(&self) {
        let mut found = BTreeMap::new();
        let root = self.registry.key(&KeyPath::root()).expect("the root");
        flat(root, &[], &mut found);
        assert_eq!(found, self.model.keys);
        assert_eq!(root.count(), found.len() + 1);
        for (id, watch) in self.ids.iter().zip(&self.model.watches) {
            assert_eq!(self.registry.is_armed(*id), watch.armed, "{watch:?}");
        }
    }
}

/// Every tree below the root can be saved, and comes back on another host.
fn through_bytes(registry: &Registry) {
    let mut other = Registry::new();
    let root = KeyPath::root();
    for (name, key) in registry.key(&root).expect("the root").keys() {
        let bytes = registry.save(&path(name), CLUSTER).expect("save");
        other.restore(&path(name), &bytes, &Restore::by(CLUSTER)).expect("restore");
        assert_eq!(other.key(&path(name)), Some(key));
    }
    assert_eq!(registry.digest(&root), other.digest(&root));
}

fn through_text(registry: &Registry) {
    let root = KeyPath::root();
    let mut other = Registry::new();
    let text = registry.export(&root, RegDialect::Version5).expect("export");
    other.import(&text).expect("import");
    assert_eq!(registry.key(&root), other.key(&root));
    if let Ok(text) = registry.export(&root, RegDialect::Regedit4) {
        let mut other = Registry::new();
        let file = RegDialect::Regedit4.file_bytes(&text);
        other.import(&reg_file_text(&file)).expect("import");
        assert_eq!(registry.key(&root), other.key(&root));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn the_registry_does_as_the_model(ops in proptest::collection::vec(op(), 1..40)) {
        let mut pair =
            Pair { registry: Registry::new(), model: Model::default(), ids: Vec::new() };
        ops.into_iter().for_each(|op| pair.step(op));
        pair.step(Op::Take);
        pair.step(Op::ThroughBytes);
        pair.step(Op::ThroughText);
    }
}
