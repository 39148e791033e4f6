//! Who may do what with a key: as much of a security descriptor as registry checkpoints need.
//!
//! A descriptor lists accounts with their rights; an account without an entry has none. A key without a
//! descriptor of its own has that of the next key above that has one, and where none has, everybody may do
//! everything. A saved subtree carries the descriptors of its keys, so an account that means nothing on the
//! other node is carried there too (compare Q241796).

use super::path::{cmp_names, is_name};
use std::ops::BitOr;

/// The account every account belongs to.
pub const EVERYONE: &str = "Everyone";
/// Entries of one descriptor: more than any tool of the time could show, and it bounds what damaged bytes ask
/// for.
pub const GRANTS_MAX: usize = 256;
/// Longest name of an account, in characters: domain, backslash and name.
pub const ACCOUNT_MAX: usize = 255;

/// A set of rights.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub struct Rights(u8);

impl Rights {
    /// None.
    pub const NONE: Rights = Rights(0);
    /// Query values, enumerate and save.
    pub const READ: Rights = Rights(1);
    /// Set and delete values and keys, restore.
    pub const WRITE: Rights = Rights(2);
    /// Change the descriptor.
    pub const SECURITY: Rights = Rights(4);
    /// Everything: what Q192493 gives the account of the cluster service.
    pub const FULL: Rights = Rights(7);

    /// Whether all of these are among them.
    pub fn contains(self, rights: Rights) -> bool {
        self.0 & rights.0 == rights.0
    }

    pub(super) fn bits(self) -> u8 {
        self.0
    }

    pub(super) fn from_bits(bits: u8) -> Option<Rights> {
        (bits & !Rights::FULL.0 == 0).then_some(Rights(bits))
    }
}

impl BitOr for Rights {
    type Output = Rights;
    fn bitor(self, other: Rights) -> Rights {
        Rights(self.0 | other.0)
    }
}

/// The descriptor of a key: accounts and their rights, sorted by account, each once.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Security {
    grants: Vec<(Box<str>, Rights)>,
}

impl Security {
    /// A descriptor that gives these accounts these rights, and nobody else any. The last entry of an account
    /// counts.
    pub fn of<'a>(grants: impl IntoIterator<Item = (&'a str, Rights)>) -> Security {
        let mut security = Security::default();
        grants.into_iter().for_each(|(account, rights)| security.grant(account, rights));
        security
    }

    /// Gives an account these rights in place of those it had.
    pub fn grant(&mut self, account: &str, rights: Rights) {
        match self.grants.binary_search_by(|(name, _)| cmp_names(name, account)) {
            Ok(at) => self.grants[at].1 = rights,
            Err(at) => self.grants.insert(at, (account.into(), rights)),
        }
    }

    /// Takes an account's entry out.
    pub fn revoke(&mut self, account: &str) {
        self.grants.retain(|(name, _)| !is_name(name, account));
    }

    /// Whether the account has all these rights, by its own entry and that of [`EVERYONE`].
    pub fn allows(&self, account: &str, rights: Rights) -> bool {
        let of = |name: &str| {
            let at = self.grants.binary_search_by(|(other, _)| cmp_names(other, name));
            at.map_or(Rights::NONE, |at| self.grants[at].1)
        };
        (of(account) | of(EVERYONE)).contains(rights)
    }

    /// The entries, sorted by account.
    pub fn grants(&self) -> impl ExactSizeIterator<Item = (&str, Rights)> {
        self.grants.iter().map(|(account, rights)| (&**account, *rights))
    }

    /// Whether every entry is within its limits.
    pub(super) fn is_sound(&self) -> bool {
        self.grants.len() <= GRANTS_MAX && self.grants.iter().all(|(name, _)| is_account(name))
    }
}

/// Whether this can be the name of an account.
pub(super) fn is_account(name: &str) -> bool {
    let sound = !name.is_empty() && name.chars().count() <= ACCOUNT_MAX;
    sound && !name.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_is_listed_may() {
        let mut security =
            Security::of([(r"CORP\cluster", Rights::FULL), (EVERYONE, Rights::READ)]);
        assert!(security.allows(r"corp\CLUSTER", Rights::FULL));
        assert!(security.allows(r"CORP\other", Rights::READ));
        assert!(!security.allows(r"CORP\other", Rights::WRITE));
        security.revoke(r"CORP\CLUSTER");
        assert!(!security.allows(r"CORP\cluster", Rights::READ | Rights::WRITE));
        security.grant(r"CORP\cluster", Rights::WRITE);
        assert!(security.allows(r"CORP\cluster", Rights::READ | Rights::WRITE));
        assert!(!security.allows(r"CORP\cluster", Rights::FULL));
        assert!(!Security::default().allows(EVERYONE, Rights::READ));
    }

    #[test]
    fn the_order_of_writing_does_not_count() {
        let one = Security::of([("a", Rights::READ), ("b", Rights::WRITE)]);
        let two = Security::of([("b", Rights::READ), ("b", Rights::WRITE), ("a", Rights::READ)]);
        assert_eq!(one, two);
        assert_eq!(one.grants().len(), 2);
        assert!(one.is_sound());
        assert!(!Security::of([("", Rights::READ)]).is_sound());
        assert!(Rights::from_bits(8).is_none());
    }
}
