//! One key with everything below it.
//!
//! Values and subkeys stand in vectors sorted by name: two keys with the same content are equal, a walk meets
//! names in order, and a key without anything costs no allocation. A key does not know its own name: the key
//! above does.

use super::path::{KeyPath, cmp_names};
use super::security::Security;
use super::value::Value;
use crate::base::Digest;

/// A key: its values, its subkeys, and its descriptor if it has one of its own. Equal is what has the same
/// content in the same writing: names that differ in case are different here.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Key {
    values: Vec<(Box<str>, Value)>,
    keys: Vec<(Box<str>, Key)>,
    security: Option<Box<Security>>,
}

impl Key {
    pub(super) const EMPTY: Key = Key { values: Vec::new(), keys: Vec::new(), security: None };

    /// The values, sorted by name.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = (&str, &Value)> + ExactSizeIterator {
        self.values.iter().map(|(name, value)| (&**name, value))
    }

    /// The subkeys, sorted by name.
    pub fn keys(&self) -> impl DoubleEndedIterator<Item = (&str, &Key)> + ExactSizeIterator {
        self.keys.iter().map(|(name, key)| (&**name, key))
    }

    /// The value of this name; the empty name is the default value.
    pub fn value(&self, name: &str) -> Option<&Value> {
        self.value_place(name).ok().map(|at| &self.values[at].1)
    }

    /// The subkey of this name.
    pub fn key(&self, name: &str) -> Option<&Key> {
        self.key_place(name).ok().map(|at| &self.keys[at].1)
    }

    /// The key at this path below this one.
    pub fn descend(&self, path: &KeyPath) -> Option<&Key> {
        path.names().try_fold(self, |key, name| key.key(name))
    }

    /// The descriptor of its own.
    pub fn security(&self) -> Option<&Security> {
        self.security.as_deref()
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty() && self.keys.is_empty() && self.security.is_none()
    }

    /// How many keys there are: this one and all below it.
    pub fn count(&self) -> usize {
        1 + self.keys.iter().map(|(_, key)| key.count()).sum::<usize>()
    }

    /// How many names deep the deepest key below this one is.
    pub(super) fn depth_below(&self) -> usize {
        self.keys.iter().map(|(_, key)| 1 + key.depth_below()).max().unwrap_or(0)
    }

    /// A digest of everything in it, writing included: equal keys have equal digests.
    pub fn digest(&self) -> u64 {
        let mut digest = Digest::default();
        self.fold_into(&mut digest);
        digest.value()
    }

    fn fold_into(&self, digest: &mut Digest) {
        digest
            .fold(self.security.as_ref().map_or(0, |security| 1 + security.grants().len() as u64));
        for (account, rights) in self.security.iter().flat_map(|security| security.grants()) {
            digest.fold_bytes(account.as_bytes());
            digest.fold(u64::from(rights.bits()));
        }
        digest.fold(self.values.len() as u64);
        for (name, value) in &self.values {
            digest.fold_bytes(name.as_bytes());
            digest.fold(u64::from(value.kind()));
            digest.fold_bytes(&value.data());
        }
        digest.fold(self.keys.len() as u64);
        for (name, key) in &self.keys {
            digest.fold_bytes(name.as_bytes());
            key.fold_into(digest);
        }
    }

    fn value_place(&self, name: &str) -> Result<usize, usize> {
        self.values.binary_search_by(|(other, _)| cmp_names(other, name))
    }

    fn key_place(&self, name: &str) -> Result<usize, usize> {
        self.keys.binary_search_by(|(other, _)| cmp_names(other, name))
    }

    pub(super) fn descend_mut(&mut self, path: &KeyPath) -> Option<&mut Key> {
        path.names().try_fold(self, |key, name| {
            let at = key.key_place(name).ok()?;
            Some(&mut key.keys[at].1)
        })
    }

    /// The subkey of this name, made if it is not there: with whether it was.
    pub(super) fn key_or_new(&mut self, name: &str) -> (&mut Key, bool) {
        let place = self.key_place(name);
        let at = place.unwrap_or_else(|at| {
            self.keys.insert(at, (name.into(), Key::default()));
            at
        });
        (&mut self.keys[at].1, place.is_ok())
    }

    /// Puts a subkey in place of the one of this name, if there is one, whose writing is kept.
    pub(super) fn put_key(&mut self, name: &str, key: Key) {
        *self.key_or_new(name).0 = key;
    }

    pub(super) fn take_key(&mut self, name: &str) -> Option<Key> {
        self.key_place(name).ok().map(|at| self.keys.remove(at).1)
    }

    /// Sets a value; whether that changed anything. The writing of a name that is there is kept.
    pub(super) fn put_value(&mut self, name: &str, value: Value) -> bool {
        match self.value_place(name) {
            Ok(at) if self.values[at].1 == value => return false,
            Ok(at) => self.values[at].1 = value,
            Err(at) => self.values.insert(at, (name.into(), value)),
        }
        true
    }

    pub(super) fn take_value(&mut self, name: &str) -> Option<Value> {
        self.value_place(name).ok().map(|at| self.values.remove(at).1)
    }

    pub(super) fn set_security(&mut self, security: Option<Security>) {
        self.security = security.map(Box::new);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::Rights;

    #[test]
    fn the_digest_sees_everything() {
        let mut key = Key::default();
        let mut seen = vec![key.digest()];
        key.put_value("A", Value::Dword(1));
        seen.push(key.digest());
        key.put_value("A", Value::binary(&[1, 0, 0, 0]));
        seen.push(key.digest());
        key.key_or_new("B");
        seen.push(key.digest());
        key.set_security(Some(Security::default()));
        seen.push(key.digest());
        key.set_security(Some(Security::of([("x", Rights::READ)])));
        seen.push(key.digest());
        key.key_or_new("B").0.key_or_new("C");
        seen.push(key.digest());
        // The same names, another shape.
        key.take_key("B");
        key.key_or_new("B");
        key.key_or_new("C");
        seen.push(key.digest());
        let mut distinct = seen.clone();
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!(distinct.len(), seen.len());
        assert_eq!(key.clone().digest(), key.digest());
    }

    #[test]
    fn writing_over_keeps_the_first_case() {
        let mut key = Key::default();
        assert!(key.put_value("DbFileNm", Value::sz("a")));
        assert!(key.put_value("DBFILENM", Value::sz("b")));
        assert!(!key.put_value("dbfilenm", Value::sz("b")));
        assert_eq!(key.values().map(|(name, _)| name).collect::<Vec<_>>(), ["DbFileNm"]);
        assert_eq!(key.value("dbFileNm"), Some(&Value::sz("b")));
    }
}
