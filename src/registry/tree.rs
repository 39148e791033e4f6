//! The registry itself: reading, writing, enumerating, watching, open handles.
//!
//! Every change goes through here, so that watches are told and hives become dirty. With no watch armed a
//! change costs its own work and a look at an empty table.

use super::error::RegistryError;
use super::hive::Hives;
use super::key::Key;
use super::path::KeyPath;
use super::security::{Rights, Security};
use super::value::{REG_DWORD, REG_MULTI_SZ, REG_SZ, Value, check_value_name};
use super::watch::{WatchFilter, WatchId, Watches};
use std::collections::BTreeMap;
use std::fmt;

/// Open handles of one host. A leak (Q316772) runs into it in the end, as it would into a process's quota.
pub const HANDLES_MAX: usize = 65_536;

/// An open handle. Numbers are not used again.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct HandleId(u64);

impl fmt::Display for HandleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Handle {
    path: KeyPath,
    process: Box<str>,
    /// Whether the key was deleted meanwhile: such a handle is good for nothing and blocks nothing.
    deleted: bool,
}

/// The registry of one host: what stands below HKEY_LOCAL_MACHINE, with its watches and handles.
///
/// Two are equal when everything is, watches and handles too; trees alone are compared by [`Registry::key`]
/// or [`Registry::digest`].
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Registry {
    pub(super) root: Key,
    pub(super) hives: Hives,
    watches: Watches,
    handles: BTreeMap<HandleId, Handle>,
    last_handle: u64,
}

impl Registry {
    /// An empty registry without hives: nothing of it lasts.
    pub fn new() -> Registry {
        Registry::default()
    }

    /// The key at this path with everything below it.
    pub fn key(&self, path: &KeyPath) -> Option<&Key> {
        self.root.descend(path)
    }

    /// The key, or the error that it is missing.
    pub(super) fn existing(&self, path: &KeyPath) -> Result<&Key, RegistryError> {
        self.key(path).ok_or_else(|| RegistryError::KeyNotFound(path.clone()))
    }

    /// Whether there is a key at this path.
    pub fn exists(&self, path: &KeyPath) -> bool {
        self.key(path).is_some()
    }

    /// A value; the empty name is the default value.
    pub fn get(&self, path: &KeyPath, name: &str) -> Option<&Value> {
        self.key(path)?.value(name)
    }

    /// A `REG_DWORD`; none if it is missing, an error if it is of another kind.
    pub fn dword(&self, path: &KeyPath, name: &str) -> Result<Option<u32>, RegistryError> {
        self.typed(path, name, REG_DWORD, Value::as_dword)
    }

    /// A `REG_SZ` or `REG_EXPAND_SZ`; none if it is missing, an error if it is of another kind.
    pub fn text(&self, path: &KeyPath, name: &str) -> Result<Option<&str>, RegistryError> {
        self.typed(path, name, REG_SZ, Value::as_text)
    }

    /// A `REG_MULTI_SZ`; none if it is missing, an error if it is of another kind.
    pub fn list(&self, path: &KeyPath, name: &str) -> Result<Option<&[Box<str>]>, RegistryError> {
        self.typed(path, name, REG_MULTI_SZ, Value::as_list)
    }

    fn typed<'a, T>(
        &'a self,
        path: &KeyPath,
        name: &str,
        expected: u32,
        read: impl Fn(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, RegistryError> {
        let Some(value) = self.get(path, name) else { return Ok(None) };
        let wrong = || RegistryError::WrongKind {
            path: path.clone(),
            name: name.to_string(),
            expected,
            found: value.kind(),
        };
        read(value).map(Some).ok_or_else(wrong)
    }

    /// The digest of a subtree; that of an empty key if there is none. The name of the key is not in it.
    pub fn digest(&self, path: &KeyPath) -> u64 {
        self.key(path).map_or_else(|| Key::default().digest(), Key::digest)
    }

    /// Makes a key and those above it that are missing; whether it is new.
    pub fn create(&mut self, path: &KeyPath) -> Result<bool, RegistryError> {
        let missing = self.make(path);
        if missing == 0 {
            return Ok(false);
        }
        self.hives.touch(path);
        let mut new = Some(path.clone());
        for _ in 0..missing {
            new = new.and_then(|key| key.parent());
            if let Some(above) = &new {
                self.watches.changed(above, WatchFilter::NAME);
            }
        }
        Ok(true)
    }

    /// Makes what is missing of a path; how many keys that was.
    pub(super) fn make(&mut self, path: &KeyPath) -> usize {
        let mut missing = 0;
        path.names().fold(&mut self.root, |key, name| {
            let (below, was_there) = key.key_or_new(name);
            missing += usize::from(!was_there);
            below
        });
        missing
    }

    /// Sets a value, and makes its key if it is missing: RegCreateKeyEx and RegSetValueEx in one. A watch is
    /// told even if the value is what it was; the hive becomes dirty only if something changed.
    pub fn set(&mut self, path: &KeyPath, name: &str, value: Value) -> Result<(), RegistryError> {
        if path.is_root() {
            return Err(RegistryError::RootIsFixed);
        }
        let checked = check_value_name(name).and_then(|()| value.checked());
        let value = checked.map_err(|mistake| RegistryError::Value {
            path: path.clone(),
            name: name.to_string(),
            mistake,
        })?;
        if self.root.descend(path).is_none() {
            self.create(path)?;
        }
        let changed = self.key_mut(path)?.put_value(name, value);
        if changed {
            self.hives.touch(path);
        }
        self.watches.changed(path, WatchFilter::VALUE);
        Ok(())
    }

    fn key_mut(&mut self, path: &KeyPath) -> Result<&mut Key, RegistryError> {
        self.root.descend_mut(path).ok_or_else(|| RegistryError::KeyNotFound(path.clone()))
    }

    /// Deletes a value.
    pub fn delete_value(&mut self, path: &KeyPath, name: &str) -> Result<Value, RegistryError> {
        let gone = self.key_mut(path)?.take_value(name);
        let gone = gone.ok_or_else(|| RegistryError::ValueNotFound {
            path: path.clone(),
            name: name.to_string(),
        })?;
        self.hives.touch(path);
        self.watches.changed(path, WatchFilter::VALUE);
        Ok(gone)
    }

    /// Deletes a key that has none below it, as RegDeleteKey of Windows NT does.
    pub fn delete_key(&mut self, path: &KeyPath) -> Result<(), RegistryError> {
        if self.existing(path)?.keys().len() > 0 && !path.is_root() {
            return Err(RegistryError::HasSubkeys(path.clone()));
        }
        self.delete_tree(path)
    }

    /// Deletes a key with everything below it. Open handles inside become useless; watches inside are told.
    pub fn delete_tree(&mut self, path: &KeyPath) -> Result<(), RegistryError> {
        let Some(above) = path.parent() else { return Err(RegistryError::RootIsFixed) };
        let gone = self.root.descend_mut(&above).and_then(|key| key.take_key(path.name()));
        if gone.is_none() {
            return Err(RegistryError::KeyNotFound(path.clone()));
        }
        self.hives.touch(path);
        self.forget_handles(path);
        self.watches.deleted(path);
        self.watches.changed(&above, WatchFilter::NAME);
        Ok(())
    }

    /// The descriptor that counts for a key: its own, or the next above; none where everybody may do
    /// everything. For a key that is not there yet, that of the deepest key on its way.
    pub fn security(&self, path: &KeyPath) -> Option<&Security> {
        let mut key = &self.root;
        let mut security = key.security();
        for name in path.names() {
            let Some(below) = key.key(name) else { break };
            key = below;
            security = key.security().or(security);
        }
        security
    }

    /// Gives a key a descriptor of its own, or takes it away.
    pub fn set_security(
        &mut self,
        path: &KeyPath,
        security: Option<Security>,
    ) -> Result<(), RegistryError> {
        if path.is_root() {
            return Err(RegistryError::RootIsFixed);
        }
        if security.as_ref().is_some_and(|security| !security.is_sound()) {
            return Err(RegistryError::BadSecurity(path.clone()));
        }
        let key = self.key_mut(path)?;
        if key.security() != security.as_ref() {
            key.set_security(security);
            self.hives.touch(path);
        }
        self.watches.changed(path, WatchFilter::SECURITY | WatchFilter::ATTRIBUTES);
        Ok(())
    }

    /// Whether an account has these rights to a key.
    pub fn allows(&self, path: &KeyPath, account: &str, rights: Rights) -> bool {
        self.security(path).is_none_or(|security| security.allows(account, rights))
    }

    /// Watches a key, armed at once: one signal for the first change that passes the filter, at the key, or
    /// anywhere below it with `subtree`. Without it a subkey created or deleted is still a change of the key.
    pub fn watch(
        &mut self,
        path: &KeyPath,
        subtree: bool,
        filter: WatchFilter,
    ) -> Result<WatchId, RegistryError> {
        self.existing(path)?;
        self.watches.add(path, subtree, filter)
    }

    /// Arms a watch again after its signal. What changed in between stays untold. A watch on a key that is
    /// deleted is told once more and can be armed only when there is a key again.
    pub fn rearm(&mut self, id: WatchId) -> Result<(), RegistryError> {
        let path = self.watches.path(id)?.clone();
        self.existing(&path)?;
        self.watches.rearm(id)
    }

    /// Drops a watch, with its signal if that was not taken yet.
    pub fn unwatch(&mut self, id: WatchId) -> Result<(), RegistryError> {
        self.watches.remove(id)
    }

    /// The key a watch is on.
    pub fn watched(&self, id: WatchId) -> Result<&KeyPath, RegistryError> {
        self.watches.path(id)
    }

    /// Whether a watch would tell the next change.
    pub fn is_armed(&self, id: WatchId) -> bool {
        self.watches.is_armed(id)
    }

    /// Whether there are signals to take.
    pub fn has_signals(&self) -> bool {
        self.watches.has_signals()
    }

    /// The watches that have something to tell, in the order it happened. Each is there once, however much
    /// changed.
    pub fn take_signals(&mut self) -> Vec<WatchId> {
        self.watches.take_signals()
    }

    /// Opens a key for a process, which then holds it until it closes the handle or ends.
    pub fn open(&mut self, path: &KeyPath, process: &str) -> Result<HandleId, RegistryError> {
        self.existing(path)?;
        if self.handles.len() >= HANDLES_MAX {
            return Err(RegistryError::TooManyHandles(HANDLES_MAX));
        }
        self.last_handle += 1;
        let id = HandleId(self.last_handle);
        let handle = Handle { path: path.clone(), process: process.into(), deleted: false };
        self.handles.insert(id, handle);
        Ok(id)
    }

    /// The key of a handle; an error if it was deleted since.
    pub fn opened(&self, id: HandleId) -> Result<&KeyPath, RegistryError> {
        match self.handles.get(&id) {
            None => Err(RegistryError::NoSuchHandle(id)),
            Some(handle) if handle.deleted => Err(RegistryError::KeyDeleted(handle.path.clone())),
            Some(handle) => Ok(&handle.path),
        }
    }

    /// Closes a handle.
    pub fn close(&mut self, id: HandleId) -> Result<(), RegistryError> {
        self.handles.remove(&id).map(|_| ()).ok_or(RegistryError::NoSuchHandle(id))
    }

    /// Closes every handle of a process, because it ended; how many there were.
    pub fn close_all(&mut self, process: &str) -> usize {
        let before = self.handles.len();
        self.handles.retain(|_, handle| &*handle.process != process);
        before - self.handles.len()
    }

    /// How many handles are open.
    pub fn open_count(&self) -> usize {
        self.handles.len()
    }

    /// An error if a process, other than this one if one is named, has a key of a subtree open.
    pub(super) fn check_unheld(
        &self,
        path: &KeyPath,
        but: Option<&str>,
    ) -> Result<(), RegistryError> {
        let holds = |handle: &&Handle| {
            !handle.deleted && Some(&*handle.process) != but && handle.path.is_within(path)
        };
        match self.handles.values().find(holds) {
            Some(handle) => Err(RegistryError::HandleOpen {
                path: handle.path.clone(),
                process: handle.process.to_string(),
            }),
            None => Ok(()),
        }
    }

    /// The handles inside a subtree whose key is not there any more become useless.
    pub(super) fn forget_handles(&mut self, path: &KeyPath) {
        let root = &self.root;
        for handle in self.handles.values_mut().filter(|handle| handle.path.is_within(path)) {
            handle.deleted |= root.descend(&handle.path).is_none();
        }
    }
}
