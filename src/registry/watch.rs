//! Change notification with the meaning of RegNotifyChangeKeyValue (Windows SDK).
//!
//! A watch tells once that something changed, never what. Until it is armed again it tells nothing, and what
//! changes meanwhile is not told later: who reads a key and arms the watch afterwards misses a change in
//! between. Changes made by restoring a key are not told at all (the same page).

use super::error::RegistryError;
use super::path::KeyPath;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::{BitOr, Bound};

/// Watches of one host: every checkpoint of the largest cluster (1,674 resources) with room for services.
pub const WATCHES_MAX: usize = 8_192;

/// A watch. Numbers are not used again.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct WatchId(u64);

impl fmt::Display for WatchId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Which changes are told.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct WatchFilter(u8);

impl WatchFilter {
    /// A subkey is created or deleted (REG_NOTIFY_CHANGE_NAME).
    pub const NAME: WatchFilter = WatchFilter(1);
    /// An attribute of a key changes (REG_NOTIFY_CHANGE_ATTRIBUTES): its descriptor is one.
    pub const ATTRIBUTES: WatchFilter = WatchFilter(2);
    /// A value is set or deleted (REG_NOTIFY_CHANGE_LAST_SET).
    pub const VALUE: WatchFilter = WatchFilter(4);
    /// A descriptor changes (REG_NOTIFY_CHANGE_SECURITY).
    pub const SECURITY: WatchFilter = WatchFilter(8);
    /// All of them.
    pub const ALL: WatchFilter = WatchFilter(15);

    /// Whether a change of one of these kinds passes.
    pub fn passes(self, changes: WatchFilter) -> bool {
        self.0 & changes.0 != 0
    }
}

impl BitOr for WatchFilter {
    type Output = WatchFilter;
    fn bitor(self, other: WatchFilter) -> WatchFilter {
        WatchFilter(self.0 | other.0)
    }
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Watch {
    path: KeyPath,
    subtree: bool,
    filter: WatchFilter,
    armed: bool,
    /// Whether it waits in the queue of signals.
    signalled: bool,
}

/// The watches of one registry, and the signals nobody has taken yet. The queue is bounded: a watch stands
/// in it once at most.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Watches {
    all: BTreeMap<WatchId, Watch>,
    /// The armed ones by the compared form of their path.
    armed: BTreeMap<Box<str>, Vec<WatchId>>,
    signals: Vec<WatchId>,
    last: u64,
}

impl Watches {
    pub(super) fn add(
        &mut self,
        path: &KeyPath,
        subtree: bool,
        filter: WatchFilter,
    ) -> Result<WatchId, RegistryError> {
        if self.all.len() >= WATCHES_MAX {
            return Err(RegistryError::TooManyWatches(WATCHES_MAX));
        }
        self.last += 1;
        let id = WatchId(self.last);
        let watch = Watch { path: path.clone(), subtree, filter, armed: true, signalled: false };
        self.all.insert(id, watch);
        self.armed.entry(path.folded().into()).or_default().push(id);
        Ok(id)
    }

    pub(super) fn path(&self, id: WatchId) -> Result<&KeyPath, RegistryError> {
        self.all.get(&id).map(|watch| &watch.path).ok_or(RegistryError::NoSuchWatch(id))
    }

    /// Arms it again; one that is armed stays so.
    pub(super) fn rearm(&mut self, id: WatchId) -> Result<(), RegistryError> {
        let watch = self.all.get_mut(&id).ok_or(RegistryError::NoSuchWatch(id))?;
        if !watch.armed {
            watch.armed = true;
            self.armed.entry(watch.path.folded().into()).or_default().push(id);
        }
        Ok(())
    }

    pub(super) fn remove(&mut self, id: WatchId) -> Result<(), RegistryError> {
        let watch = self.all.remove(&id).ok_or(RegistryError::NoSuchWatch(id))?;
        if let Some(at) = self.armed.get_mut(watch.path.folded()) {
            at.retain(|other| *other != id);
            if at.is_empty() {
                self.armed.remove(watch.path.folded());
            }
        }
        self.signals.retain(|other| *other != id);
        Ok(())
    }

    pub(super) fn is_armed(&self, id: WatchId) -> bool {
        self.all.get(&id).is_some_and(|watch| watch.armed)
    }

    pub(super) fn has_signals(&self) -> bool {
        !self.signals.is_empty()
    }

    pub(super) fn take_signals(&mut self) -> Vec<WatchId> {
        let signals = std::mem::take(&mut self.signals);
        for id in &signals {
            if let Some(watch) = self.all.get_mut(id) {
                watch.signalled = false;
            }
        }
        signals
    }

    /// Something of these kinds changed at this key.
    #[inline]
    pub(super) fn changed(&mut self, path: &KeyPath, changes: WatchFilter) {
        if !self.armed.is_empty() {
            self.tell(path, changes);
        }
    }

    fn tell(&mut self, path: &KeyPath, changes: WatchFilter) {
        for above in path.folded_way() {
            let Some(ids) = self.armed.get_mut(above) else { continue };
            let here = above.len() == path.folded().len();
            let all = &mut self.all;
            let signals = &mut self.signals;
            ids.retain(|id| {
                let Some(watch) = all.get_mut(id) else { return false };
                let hit = watch.filter.passes(changes) && (here || watch.subtree);
                if hit {
                    fire(watch, *id, signals);
                }
                !hit
            });
            if ids.is_empty() {
                self.armed.remove(above);
            }
        }
    }

    /// This key and everything below it was deleted: their watches are told, whatever they filter.
    pub(super) fn deleted(&mut self, path: &KeyPath) {
        if self.armed.is_empty() {
            return;
        }
        let from = self.armed.range::<str, _>((Bound::Included(path.folded()), Bound::Unbounded));
        let inside = |folded: &str| is_within_folded(folded, path.folded());
        let gone: Vec<Box<str>> =
            from.map(|(folded, _)| folded.clone()).take_while(|folded| inside(folded)).collect();
        for folded in gone {
            for id in self.armed.remove(&folded).unwrap_or_default() {
                if let Some(watch) = self.all.get_mut(&id) {
                    fire(watch, id, &mut self.signals);
                }
            }
        }
    }
}

fn fire(watch: &mut Watch, id: WatchId, signals: &mut Vec<WatchId>) {
    watch.armed = false;
    if !watch.signalled {
        watch.signalled = true;
        signals.push(id);
    }
}

/// Whether one compared form is another or stands below it. Forms sort as a walk meets them, so those below
/// a key follow it without a gap.
fn is_within_folded(folded: &str, above: &str) -> bool {
    let rest = folded.strip_prefix(above);
    rest.is_some_and(|rest| above.is_empty() || rest.is_empty() || rest.starts_with('\0'))
}
