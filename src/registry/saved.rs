//! Saving a subtree and restoring it: what registry checkpoints are made of.
//!
//! A save takes the whole subtree with its descriptors; a restore replaces everything below the key, and its
//! values and descriptor too. A restore is refused while another process has a key inside open (Q316772), and
//! both while the account lacks rights (Q192493). Watches are not told of a restore.

use super::error::RegistryError;
use super::format::{self, Checks, HiveState};
use super::key::Key;
use super::path::{DEPTH_MAX, KeyPath, PathError};
use super::security::{Rights, Security};
use super::tree::Registry;

/// Storage a hive may lose to restores over names of another length before it is judged corrupt (Q189061).
/// The article gives no figure; this one is ours.
pub const STORAGE_LOST_MAX: u64 = 1 << 20;

/// Who saves or restores.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Caller<'a> {
    /// The process: handles of its own do not stand in its way.
    pub process: &'a str,
    /// The account it runs under, whose rights count.
    pub account: &'a str,
}

/// How to restore.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Restore<'a> {
    /// Who restores.
    pub caller: Caller<'a>,
    /// What a reader insists on.
    pub checks: Checks,
    /// Q189061 (NT 4.0 before SP4): a restore over a key whose name has another length than that of the saved
    /// key loses storage, and above so many bytes the hive is judged corrupt. None where it is mended.
    pub storage_lost_max: Option<u64>,
}

impl<'a> Restore<'a> {
    /// With all checks and without the documented faults.
    pub fn by(caller: Caller<'a>) -> Restore<'a> {
        Restore { caller, checks: Checks::All, storage_lost_max: None }
    }
}

/// What a restore did.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Restored {
    /// Whether the bytes were whole; without checks torn bytes give what came before the tear.
    pub complete: bool,
}

impl Registry {
    /// The bytes of a subtree. The account needs [`Rights::READ`] on every key of it.
    pub fn save(&self, path: &KeyPath, caller: Caller<'_>) -> Result<Vec<u8>, RegistryError> {
        if path.is_root() {
            return Err(RegistryError::RootIsFixed);
        }
        let key = self.existing(path)?;
        self.check_rights(path, caller.account, Rights::READ)?;
        self.hives.check_sound(path)?;
        Ok(format::encode(path.name(), key, HiveState::default())?)
    }

    /// Replaces a subtree by saved bytes, whatever the saved key was called; makes the key if it is missing.
    /// The account needs [`Rights::WRITE`] on every key that is replaced.
    pub fn restore(
        &mut self,
        path: &KeyPath,
        bytes: &[u8],
        how: &Restore<'_>,
    ) -> Result<Restored, RegistryError> {
        if path.is_root() {
            return Err(RegistryError::RootIsFixed);
        }
        self.check_rights(path, how.caller.account, Rights::WRITE)?;
        self.check_unheld(path, Some(how.caller.process))?;
        self.hives.check_sound(path)?;
        let image = format::decode(bytes, how.checks)?;
        check_depth(path, &image.key)?;
        let other_length = image.name.chars().count() != path.name().chars().count();
        if let Some(max) = how.storage_lost_max.filter(|_| other_length) {
            let lost = (bytes.len() - format::HEADER_LEN) as u64;
            self.hives.lose_storage(path, lost, max)?;
        }
        self.replace(path, image.key);
        Ok(Restored { complete: image.complete })
    }

    /// Puts a subtree in the place of another, without telling watches.
    fn replace(&mut self, path: &KeyPath, key: Key) {
        self.make(path);
        let place = self.root.descend_mut(path).expect("it was made on the line above");
        if *place != key {
            *place = key;
            self.hives.touch(path);
        }
        self.forget_handles(path);
    }

    /// Whether an account has these rights to a key and to every key below it.
    fn check_rights(
        &self,
        path: &KeyPath,
        account: &str,
        rights: Rights,
    ) -> Result<(), RegistryError> {
        let refused = match self.key(path) {
            _ if !self.allows(path, account, rights) => Some(path.clone()),
            Some(key) => {
                let may = |security: &Security| security.allows(account, rights);
                refusing(key, path, &may)
            }
            None => None,
        };
        match refused {
            Some(path) => Err(RegistryError::AccessDenied { path, account: account.to_string() }),
            None => Ok(()),
        }
    }
}

/// The first key below this one with a descriptor of its own that does not satisfy.
fn refusing(key: &Key, path: &KeyPath, may: &impl Fn(&Security) -> bool) -> Option<KeyPath> {
    key.keys().find_map(|(name, key)| {
        if key.security().is_some_and(|security| !may(security)) {
            return Some(path.child(name));
        }
        // The path is made only where it can be needed: most keys have nothing below.
        if key.keys().len() == 0 { None } else { refusing(key, &path.child(name), may) }
    })
}

/// Whether a tree fits below a path.
pub(super) fn check_depth(path: &KeyPath, key: &Key) -> Result<(), PathError> {
    let actual = path.depth() + key.depth_below();
    if actual > DEPTH_MAX { Err(PathError::TooDeep { actual }) } else { Ok(()) }
}
