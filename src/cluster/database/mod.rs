//! The cluster database: the hive behind `HKLM\Cluster`, and its typed view.
//!
//! Every member has a whole copy; it changes only by global updates, each applied all or not at all. The
//! bytes of a copy are those of a saved registry key, so a node's registry can load them as they are; equal
//! copies have equal bytes.
//!
//! | key | values |
//! | --- | --- |
//! | (the hive) | ClusterName, ClusterInstanceID, Sequence |
//! | `Nodes\<number>` | NodeName |
//! | `Networks\<GUID>` | Name, Role |
//! | `NetworkInterfaces\<GUID>` | Node, Network, Address |
//! | `Groups\<GUID>` | Name, Contains, PersistentState, PreferredOwners, failover and failback properties |
//! | `Resources\<GUID>` | Name, Type, Dependencies, PossibleOwners, PersistentState, SeparateMonitor, timers |
//! | `Resources\<GUID>\Parameters` | private properties |
//! | `Resources\<GUID>\RegSync` | checkpointed keys: eight digits, path below HKLM |
//! | `ResourceTypes\<type>` | DllName, poll intervals |
//! | `Quorum` | Type, Resource, Path, MaxQuorumLogSize |
//!
//! Sources: Q243195, Q184880, KB 299631 and the SDK's pages of common properties for names; GUIDs are made
//! from the cluster's first name and a number, so that the same scenario has the same keys.

mod change;
mod guid;
mod layout;
mod read;
#[cfg(test)]
mod tests;

use super::config::ClusterConfig;
use super::update::{DbChange, DbData};
use crate::registry::{Caller, Checks, Key, KeyPath, Registry, RegistryError, Restore, Value};
pub(super) use layout::is_about_setup;

/// The service's own process and account, by which it saves and loads hives.
const CALLER: Caller<'static> = Caller { process: "clussvc.exe", account: "SYSTEM" };
/// Where the hive is mounted.
const HIVE: &str = "Cluster";
/// The value that keeps the number of the last update in saved bytes.
const SEQUENCE: &str = "Sequence";

/// A node's copy of the cluster database.
#[derive(Clone, PartialEq, Debug)]
pub struct Database {
    /// The number of the last global update applied to it.
    pub sequence: u64,
    hive: Registry,
}

impl Default for Database {
    fn default() -> Database {
        let mut hive = Registry::new();
        hive.create(&hive_path()).expect("the path of the hive is a good one");
        Database { sequence: 0, hive }
    }
}

impl Database {
    /// As setup left it.
    pub fn initial(config: &ClusterConfig) -> Database {
        let mut database = Database::default();
        let changes = layout::initial(config);
        database.apply(&changes).expect("setup makes keys and sets values that a registry takes");
        database
    }

    /// Reads a hive: CLUSDB, a checkpoint of it, or a sponsor's copy.
    ///
    /// # Errors
    /// The bytes are no cluster hive, or a damaged one.
    pub fn load(bytes: &[u8]) -> Result<Database, RegistryError> {
        Database::load_with(bytes, Checks::All)
    }

    /// Reads a hive as a version does that insists on less: torn bytes give what came before the tear
    /// (Q216064).
    ///
    /// # Errors
    /// The bytes are no cluster hive, or a damaged one.
    pub fn load_with(bytes: &[u8], checks: Checks) -> Result<Database, RegistryError> {
        let mut database = Database { sequence: 0, hive: Registry::new() };
        let how = Restore { checks, ..Restore::by(CALLER) };
        database.hive.restore(&hive_path(), bytes, &how)?;
        if let Some(Value::Binary(number)) = database.root().value(SEQUENCE)
            && let Ok(number) = <[u8; 8]>::try_from(&number[..])
        {
            database.sequence = u64::from_le_bytes(number);
            database.hive.delete_value(&hive_path(), SEQUENCE)?;
        }
        Ok(database)
    }

    /// The hive's bytes.
    pub fn save(&self) -> Vec<u8> {
        let mut hive = self.hive.clone();
        let number = Value::binary(&self.sequence.to_le_bytes());
        hive.set(&hive_path(), SEQUENCE, number).expect("a value of eight bytes");
        hive.save(&hive_path(), CALLER).expect("the hive is there and below 4 GB")
    }

    /// A digest of all keys and values; the number of the last update is not in it.
    pub fn digest(&self) -> u64 {
        self.root().digest()
    }

    /// Applies the changes of one update, all or none.
    ///
    /// # Errors
    /// A key or value to remove does not exist, or a path, a name or data are none that a registry takes.
    pub fn apply(&mut self, changes: &[DbChange]) -> Result<(), RegistryError> {
        let mut undo = Vec::new();
        let result = self.apply_each(changes, &mut undo);
        if result.is_err() {
            self.take_back_all(undo);
        }
        result
    }

    /// Whether [`Database::apply`] would take these changes; the database is left as it was.
    ///
    /// # Errors
    /// The same as those of [`Database::apply`].
    pub fn accepts(&mut self, changes: &[DbChange]) -> Result<(), RegistryError> {
        let mut undo = Vec::new();
        let result = self.apply_each(changes, &mut undo);
        self.take_back_all(undo);
        result
    }

    fn apply_each(
        &mut self,
        changes: &[DbChange],
        undo: &mut Vec<Undo>,
    ) -> Result<(), RegistryError> {
        changes.iter().try_for_each(|change| self.apply_one(change, undo))
    }

    fn take_back_all(&mut self, undo: Vec<Undo>) {
        for step in undo.into_iter().rev() {
            self.take_back(step).expect("what was done a moment ago can be undone");
        }
    }

    fn apply_one(&mut self, change: &DbChange, undo: &mut Vec<Undo>) -> Result<(), RegistryError> {
        match change {
            DbChange::CreateKey(key) => {
                let path = below_hive(key)?;
                let highest = self.highest_missing(&path);
                self.hive.create(&path)?;
                undo.extend(highest.map(Undo::Created));
            }
            DbChange::DeleteKey(key) => {
                let path = self.as_written(&hive_path().join(key)?);
                let gone = self.hive.key(&path).cloned();
                self.hive.delete_tree(&path)?;
                undo.extend(gone.map(|gone| Undo::Deleted(path, Box::new(gone))));
            }
            DbChange::SetValue { key, name, data } => {
                let path = below_hive(key)?;
                let highest = self.highest_missing(&path);
                let before = self.hive.get(&path, name).cloned();
                self.hive.set(&path, name, value_of(data))?;
                undo.push(match (highest, before) {
                    (Some(highest), _) => Undo::Created(highest),
                    (None, Some(before)) => Undo::Changed(path, name.clone(), before),
                    (None, None) => Undo::Set(path, name.clone()),
                });
            }
            DbChange::DeleteValue { key, name } => {
                let path = below_hive(key)?;
                let name = self.name_as_written(&path, name);
                let before = self.hive.delete_value(&path, &name)?;
                undo.push(Undo::Changed(path, name, before));
            }
        }
        Ok(())
    }

    /// The key nearest to the root that making this one would make.
    fn highest_missing(&self, path: &KeyPath) -> Option<KeyPath> {
        let mut missing = None;
        let mut key = Some(path.clone());
        while let Some(path) = key.filter(|key| !self.hive.exists(key)) {
            key = path.parent();
            missing = Some(path);
        }
        missing
    }

    /// The path in the case its keys were made with: what is put back must look as it did.
    fn as_written(&self, path: &KeyPath) -> KeyPath {
        let mut above = KeyPath::root();
        for name in path.names() {
            let found = above.join(name).ok().and_then(|below| self.hive.key(&below));
            let siblings = self.hive.key(&above).into_iter().flat_map(Key::keys);
            let mut same = siblings.filter(|(_, key)| found.is_some_and(|f| std::ptr::eq(f, *key)));
            let written = same.next().and_then(|(written, _)| above.join(written).ok());
            let Some(written) = written else { return path.clone() };
            above = written;
        }
        above
    }

    fn name_as_written(&self, path: &KeyPath, name: &str) -> String {
        let found = self.hive.get(path, name);
        let siblings = self.hive.key(path).into_iter().flat_map(Key::values);
        let mut same = siblings.filter(|(_, value)| found.is_some_and(|f| std::ptr::eq(f, *value)));
        same.next().map_or(name, |(written, _)| written).to_string()
    }

    fn take_back(&mut self, step: Undo) -> Result<(), RegistryError> {
        match step {
            Undo::Created(path) => self.hive.delete_tree(&path),
            Undo::Deleted(path, key) => self.put_back(&path, &key),
            Undo::Set(path, name) => self.hive.delete_value(&path, &name).map(drop),
            Undo::Changed(path, name, value) => self.hive.set(&path, &name, value),
        }
    }

    fn put_back(&mut self, path: &KeyPath, key: &Key) -> Result<(), RegistryError> {
        self.hive.create(path)?;
        self.hive.set_security(path, key.security().cloned())?;
        for (name, value) in key.values() {
            self.hive.set(path, name, value.clone())?;
        }
        for (name, below) in key.keys() {
            self.put_back(&path.join(name)?, below)?;
        }
        Ok(())
    }

    /// The hive's own key.
    fn root(&self) -> &Key {
        self.hive.key(&hive_path()).expect("the hive is never without its key")
    }

    /// A key of the hive.
    fn key(&self, path: &str) -> Option<&Key> {
        path.split('\\').try_fold(self.root(), |key, name| key.key(name))
    }
}

/// What undoes a change.
enum Undo {
    Created(KeyPath),
    Deleted(KeyPath, Box<Key>),
    Set(KeyPath, String),
    Changed(KeyPath, String, Value),
}

fn hive_path() -> KeyPath {
    KeyPath::parse(HIVE).expect("a good path")
}

/// A path of the hive; the empty one is the hive's own key.
fn below_hive(path: &str) -> Result<KeyPath, RegistryError> {
    match path {
        "" => Ok(hive_path()),
        _ => Ok(hive_path().join(path)?),
    }
}

fn value_of(data: &DbData) -> Value {
    match data {
        DbData::Text(text) => Value::sz(text),
        DbData::Number(number) => Value::Dword(*number),
        DbData::Texts(texts) => Value::multi_sz(texts),
        DbData::Bytes(bytes) => Value::binary(bytes),
    }
}
