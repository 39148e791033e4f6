//! Hives: the parts of a registry that have a file each.
//!
//! A hive is a key right below HKEY_LOCAL_MACHINE (`System`, `Software`, `Cluster`) with everything in it. A
//! change makes it dirty; the world writes the bytes [`Registry::flush`] gives some time after the first
//! change and gives a starting host the bytes its disk has. What was not flushed is lost in a crash. Keys
//! outside every hive are never written.

use super::error::RegistryError;
use super::format::{self, Checks, HiveState};
use super::key::Key;
use super::path::{KeyPath, is_name};
use super::saved::check_depth;
use super::tree::Registry;
use crate::base::SimDuration;

/// How long after the first change Windows writes a dirty hive by itself.
pub const LAZY_FLUSH: SimDuration = SimDuration::from_secs(5);
/// Hives of one registry: more than any host of the time had.
const HIVES_MAX: usize = 32;

/// A mounted hive.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct HiveId(u8);

/// What loading a hive gave.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Loaded {
    /// Whether the bytes were whole; without checks torn bytes give what came before the tear.
    pub complete: bool,
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Hive {
    path: KeyPath,
    mounted: bool,
    dirty: bool,
    state: HiveState,
}

/// The hives of one registry. One that is unloaded keeps its place for when it is mounted again.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Hives {
    all: Vec<Hive>,
    /// Those that became dirty and were not asked for yet.
    dirtied: Vec<HiveId>,
}

impl Hives {
    fn at(&self, path: &KeyPath) -> Option<usize> {
        let first = path.names().next()?;
        self.all.iter().position(|hive| hive.mounted && is_name(hive.path.as_str(), first))
    }

    /// Something in this key changed.
    pub(super) fn touch(&mut self, path: &KeyPath) {
        if let Some(at) = self.at(path) {
            self.soil(at);
        }
    }

    fn soil(&mut self, at: usize) {
        if !self.all[at].dirty {
            self.all[at].dirty = true;
            self.dirtied.retain(|id| usize::from(id.0) != at);
            self.dirtied.push(HiveId(at as u8));
        }
    }

    fn get(&self, id: HiveId) -> Result<&Hive, RegistryError> {
        let hive = self.all.get(usize::from(id.0)).filter(|hive| hive.mounted);
        hive.ok_or_else(|| RegistryError::NoSuchHive(format!("#{}", id.0)))
    }

    /// An error if this key is in a hive that was judged corrupt.
    pub(super) fn check_sound(&self, path: &KeyPath) -> Result<(), RegistryError> {
        match self.at(path).map(|at| &self.all[at]) {
            Some(hive) if hive.state.corrupt => {
                Err(RegistryError::HiveCorrupt(hive.path.to_string()))
            }
            _ => Ok(()),
        }
    }

    /// A restore lost storage (Q189061); above the limit the hive is corrupt, now and when it is loaded
    /// again.
    pub(super) fn lose_storage(
        &mut self,
        path: &KeyPath,
        bytes: u64,
        max: u64,
    ) -> Result<(), RegistryError> {
        let Some(at) = self.at(path) else { return Ok(()) };
        self.soil(at);
        let hive = &mut self.all[at];
        hive.state.lost = hive.state.lost.saturating_add(bytes);
        hive.state.corrupt |= hive.state.lost > max;
        self.check_sound(path)
    }
}

impl Registry {
    /// A registry with the hives `System` and `Software`, both empty and clean.
    pub fn with_hives() -> Registry {
        let mut registry = Registry::new();
        for name in ["System", "Software"] {
            registry.mount(name).expect("two names that differ, and nothing is mounted");
        }
        registry
    }

    /// Mounts a hive under this name. Keys that are there already belong to it from now on, and make it
    /// dirty.
    pub fn mount(&mut self, name: &str) -> Result<HiveId, RegistryError> {
        let path = KeyPath::parse(name)?;
        let refused = || Err(RegistryError::CannotMount(name.to_string()));
        if path.depth() != 1 || self.hive(name).is_some() {
            return refused();
        }
        let known = self.hives.all.iter().position(|hive| hive.path == path);
        let at = known.unwrap_or(self.hives.all.len());
        if at >= HIVES_MAX {
            return refused();
        }
        let is_new = self.make(&path) > 0;
        let hive = Hive { path, mounted: true, dirty: false, state: HiveState::default() };
        match self.hives.all.get_mut(at) {
            Some(place) => *place = hive,
            None => self.hives.all.push(hive),
        }
        if !is_new {
            self.hives.soil(at);
        }
        Ok(HiveId(at as u8))
    }

    /// The hive mounted under this name.
    pub fn hive(&self, name: &str) -> Option<HiveId> {
        let is_it = |hive: &Hive| hive.mounted && is_name(hive.path.as_str(), name);
        self.hives.all.iter().position(is_it).map(|at| HiveId(at as u8))
    }

    /// The mounted hives, in the order they were first mounted in.
    pub fn mounted(&self) -> impl Iterator<Item = HiveId> {
        let all = self.hives.all.iter().enumerate();
        all.filter(|(_, hive)| hive.mounted).map(|(at, _)| HiveId(at as u8))
    }

    /// Where a hive is mounted.
    pub fn mount_point(&self, id: HiveId) -> Result<&KeyPath, RegistryError> {
        self.hives.get(id).map(|hive| &hive.path)
    }

    /// Whether a hive has changes that were not flushed.
    pub fn is_dirty(&self, id: HiveId) -> bool {
        self.hives.get(id).is_ok_and(|hive| hive.dirty)
    }

    /// The hives that became dirty since this was last asked: for each a write is due, [`LAZY_FLUSH`] from
    /// now.
    pub fn take_dirtied(&mut self) -> Vec<HiveId> {
        std::mem::take(&mut self.hives.dirtied)
    }

    /// Whether [`Registry::take_dirtied`] has something.
    pub fn has_dirtied(&self) -> bool {
        !self.hives.dirtied.is_empty()
    }

    /// The bytes for a hive's file, and the hive is clean.
    pub fn flush(&mut self, id: HiveId) -> Result<Vec<u8>, RegistryError> {
        let bytes = self.image(id)?;
        self.hives.all[usize::from(id.0)].dirty = false;
        self.hives.dirtied.retain(|other| *other != id);
        Ok(bytes)
    }

    /// The bytes for a hive's file; the hive stays dirty if it was.
    pub fn image(&self, id: HiveId) -> Result<Vec<u8>, RegistryError> {
        let hive = self.hives.get(id)?;
        let key = self.existing(&hive.path).unwrap_or(const { &Key::EMPTY });
        Ok(format::encode(hive.path.as_str(), key, hive.state)?)
    }

    /// Makes a hive dirty again, because its bytes did not reach the disk.
    pub fn soil(&mut self, id: HiveId) -> Result<(), RegistryError> {
        self.hives.get(id)?;
        self.hives.soil(usize::from(id.0));
        Ok(())
    }

    /// Replaces a hive by the bytes of its file; it is clean then. Watches are not told. With a handle open
    /// inside it is refused, whoever has it.
    pub fn load(
        &mut self,
        id: HiveId,
        bytes: &[u8],
        checks: Checks,
    ) -> Result<Loaded, RegistryError> {
        let path = self.hives.get(id)?.path.clone();
        self.check_unheld(&path, None)?;
        let image = format::decode(bytes, checks)?;
        if image.hive.corrupt {
            return Err(RegistryError::HiveCorrupt(path.to_string()));
        }
        check_depth(&path, &image.key)?;
        self.root.put_key(path.as_str(), image.key);
        let hive = &mut self.hives.all[usize::from(id.0)];
        hive.state = image.hive;
        hive.dirty = false;
        self.hives.dirtied.retain(|other| *other != id);
        Ok(Loaded { complete: image.complete })
    }

    /// Takes a hive out of the registry, with its keys; what was not flushed is lost. With a handle open
    /// inside it is refused, whoever has it.
    pub fn unload(&mut self, id: HiveId) -> Result<(), RegistryError> {
        let path = self.hives.get(id)?.path.clone();
        self.check_unheld(&path, None)?;
        self.root.take_key(path.as_str());
        let hive = &mut self.hives.all[usize::from(id.0)];
        hive.mounted = false;
        hive.dirty = false;
        self.hives.dirtied.retain(|other| *other != id);
        self.forget_handles(&path);
        Ok(())
    }
}
