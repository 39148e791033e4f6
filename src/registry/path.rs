//! Paths of keys, and how names compare.
//!
//! A path is relative to HKEY_LOCAL_MACHINE and written as the cluster's control codes want it:
//! `System\CurrentControlSet\Services\Wins\Parameters`, without a leading backslash and without the name of a
//! root. Names compare without regard to case, character by character in upper case; the case they were
//! written in is kept. The limits are those of the Windows SDK, "Registry Element Size Limits".

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;
use std::sync::Arc;
use thiserror::Error;

/// Longest name of a key, in characters (Windows SDK, Registry Element Size Limits).
pub const KEY_NAME_MAX: usize = 255;
/// Deepest path, in names (the same page). It also bounds every recursion over a tree.
pub const DEPTH_MAX: usize = 512;

/// The root every path is relative to, as `.reg` files write it.
pub const HKEY_LOCAL_MACHINE: &str = "HKEY_LOCAL_MACHINE";
const HKLM: &str = "HKLM";
/// Other roots: a path cannot begin with one.
const OTHER_ROOTS: [&str; 11] = [
    "HKEY_CLASSES_ROOT",
    "HKEY_CURRENT_USER",
    "HKEY_USERS",
    "HKEY_CURRENT_CONFIG",
    "HKEY_PERFORMANCE_DATA",
    "HKEY_DYN_DATA",
    "HKCR",
    "HKCU",
    "HKU",
    "HKCC",
    "HKPD",
];

/// What stands between two names in the folded form: less than every character a name may have, so that
/// paths sort as a walk over the tree meets them.
const SEPARATOR: char = '\0';

/// A parsed path below HKEY_LOCAL_MACHINE. Two that differ only in case are equal. A clone costs a count.
#[derive(Clone)]
pub struct KeyPath(Arc<PathText>);

struct PathText {
    text: Box<str>,
    /// The same in upper case with [`SEPARATOR`] between the names: what is compared.
    folded: Box<str>,
}

/// Why a text is no path.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum PathError {
    /// Nothing written.
    #[error("the path of a key is empty")]
    Empty,
    /// A backslash in front.
    #[error("`{0}` begins with a backslash; a path is relative to HKEY_LOCAL_MACHINE")]
    LeadingBackslash(String),
    /// A backslash at the end.
    #[error("`{0}` ends with a backslash")]
    TrailingBackslash(String),
    /// Two backslashes in a row.
    #[error("`{0}` has an empty name between two backslashes")]
    EmptyName(String),
    /// The root is written where the path is already relative to it.
    #[error("`{0}` names its root; leave it out, a path is relative to HKEY_LOCAL_MACHINE")]
    RootNamed(String),
    /// Another root than HKEY_LOCAL_MACHINE.
    #[error("`{path}` is below {root}; only keys below HKEY_LOCAL_MACHINE can be named")]
    OtherRoot {
        /// The path as written.
        path: String,
        /// Its root.
        root: String,
    },
    /// A path that should begin with HKEY_LOCAL_MACHINE and does not.
    #[error("`{0}` does not begin with HKEY_LOCAL_MACHINE")]
    NoRoot(String),
    /// A name of more than [`KEY_NAME_MAX`] characters.
    #[error("a key's name has {actual} characters; {KEY_NAME_MAX} are allowed")]
    NameTooLong {
        /// How many it has.
        actual: usize,
    },
    /// More than [`DEPTH_MAX`] names.
    #[error("the path has {actual} names; {DEPTH_MAX} are allowed")]
    TooDeep {
        /// How many it has.
        actual: usize,
    },
    /// A NUL or a line break in a name.
    #[error("`{0}` has a control character in it")]
    ControlCharacter(String),
}

impl KeyPath {
    /// HKEY_LOCAL_MACHINE itself: it can be read and walked, but holds no values.
    pub fn root() -> KeyPath {
        KeyPath::from_checked(String::new())
    }

    /// Parses a path relative to HKEY_LOCAL_MACHINE.
    pub fn parse(text: &str) -> Result<KeyPath, PathError> {
        let Some(first) = text.split('\\').next().filter(|_| !text.is_empty()) else {
            return Err(PathError::Empty);
        };
        if first.is_empty() {
            return Err(PathError::LeadingBackslash(text.to_string()));
        }
        if is_name(first, HKEY_LOCAL_MACHINE) || is_name(first, HKLM) {
            return Err(PathError::RootNamed(text.to_string()));
        }
        other_root(text, first)?;
        if text.ends_with('\\') {
            return Err(PathError::TrailingBackslash(text.to_string()));
        }
        let mut depth = 0;
        for name in text.split('\\') {
            depth += 1;
            if name.is_empty() {
                return Err(PathError::EmptyName(text.to_string()));
            }
            check_key_name(name)?;
        }
        if depth > DEPTH_MAX {
            return Err(PathError::TooDeep { actual: depth });
        }
        Ok(KeyPath::from_checked(text.to_string()))
    }

    /// Parses a path that begins with `HKEY_LOCAL_MACHINE` or `HKLM`, as `.reg` files have them.
    pub fn parse_rooted(text: &str) -> Result<KeyPath, PathError> {
        let (first, rest) = text.split_once('\\').map_or((text, None), |(a, b)| (a, Some(b)));
        if !is_name(first, HKEY_LOCAL_MACHINE) && !is_name(first, HKLM) {
            other_root(text, first)?;
            return Err(PathError::NoRoot(text.to_string()));
        }
        match rest {
            None => Ok(KeyPath::root()),
            Some("") => Err(PathError::TrailingBackslash(text.to_string())),
            Some(rest) => KeyPath::parse(rest),
        }
    }

    fn from_checked(text: String) -> KeyPath {
        let fold = |c| if c == '\\' { SEPARATOR } else { fold_char(c) };
        let folded: String = text.chars().map(fold).collect();
        KeyPath(Arc::new(PathText { text: text.into(), folded: folded.into() }))
    }

    /// The path of a key below this one: `tail` may have several names.
    pub fn join(&self, tail: &str) -> Result<KeyPath, PathError> {
        if self.is_root() || tail.is_empty() || tail.starts_with('\\') {
            return KeyPath::parse(tail);
        }
        KeyPath::parse(&format!("{}\\{tail}", self.0.text))
    }

    /// The path of a child by a name that is already in a tree, and so known to be good.
    pub(super) fn child(&self, name: &str) -> KeyPath {
        if self.is_root() {
            return KeyPath::from_checked(name.to_string());
        }
        KeyPath::from_checked(format!("{}\\{name}", self.0.text))
    }

    /// The key above; none for the root.
    pub fn parent(&self) -> Option<KeyPath> {
        if self.is_root() {
            return None;
        }
        let parent = self.0.text.rsplit_once('\\').map_or("", |(parent, _)| parent);
        Some(KeyPath::from_checked(parent.to_string()))
    }

    /// The last name; empty for the root.
    pub fn name(&self) -> &str {
        self.0.text.rsplit('\\').next().unwrap_or("")
    }

    /// The names from the top, in the case they were written in.
    pub fn names(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.text.split('\\').filter(|name| !name.is_empty())
    }

    /// How many names the path has; the root has none.
    pub fn depth(&self) -> usize {
        self.names().count()
    }

    /// The path as written, relative to HKEY_LOCAL_MACHINE.
    pub fn as_str(&self) -> &str {
        &self.0.text
    }

    /// Whether this is HKEY_LOCAL_MACHINE itself.
    pub fn is_root(&self) -> bool {
        self.0.text.is_empty()
    }

    /// Whether this key is `above`, or stands somewhere below it.
    pub fn is_within(&self, above: &KeyPath) -> bool {
        let Some(rest) = self.0.folded.strip_prefix(&*above.0.folded) else { return false };
        above.is_root() || rest.is_empty() || rest.starts_with(SEPARATOR)
    }

    /// The compared form: paths of one key give one text.
    pub(super) fn folded(&self) -> &str {
        &self.0.folded
    }

    /// The compared forms of the root, of every key on the way down, and of this key.
    pub(super) fn folded_way(&self) -> impl Iterator<Item = &str> {
        let folded = self.folded();
        let inner = folded.match_indices(SEPARATOR).map(|(at, _)| &folded[..at]);
        let last = (!folded.is_empty()).then_some(folded);
        std::iter::once("").chain(inner).chain(last)
    }
}

impl FromStr for KeyPath {
    type Err = PathError;
    fn from_str(text: &str) -> Result<KeyPath, PathError> {
        KeyPath::parse(text)
    }
}

impl fmt::Display for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_root() { HKEY_LOCAL_MACHINE } else { &self.0.text })
    }
}

impl fmt::Debug for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyPath({self})")
    }
}

impl PartialEq for KeyPath {
    fn eq(&self, other: &KeyPath) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.folded == other.0.folded
    }
}

impl Eq for KeyPath {}

impl PartialOrd for KeyPath {
    fn partial_cmp(&self, other: &KeyPath) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for KeyPath {
    fn cmp(&self, other: &KeyPath) -> Ordering {
        self.0.folded.cmp(&other.0.folded)
    }
}

impl Hash for KeyPath {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.folded.hash(state);
    }
}

fn other_root(text: &str, first: &str) -> Result<(), PathError> {
    match OTHER_ROOTS.iter().find(|root| is_name(first, root)) {
        Some(root) => {
            Err(PathError::OtherRoot { path: text.to_string(), root: (*root).to_string() })
        }
        None => Ok(()),
    }
}

/// Whether this can be the name of a key: a name of its own, not a path.
pub(super) fn check_key_name(name: &str) -> Result<(), PathError> {
    if name.is_empty() || name.contains('\\') {
        return Err(PathError::EmptyName(name.to_string()));
    }
    let actual = name.chars().count();
    if actual > KEY_NAME_MAX {
        return Err(PathError::NameTooLong { actual });
    }
    if name.chars().any(char::is_control) {
        return Err(PathError::ControlCharacter(name.escape_default().to_string()));
    }
    Ok(())
}

/// A character as it is compared: its upper case where that is one character, as a table of single code
/// units has it. None outside ASCII becomes one in it, so that plain names only equal plain names.
fn fold_char(c: char) -> char {
    if c.is_ascii() {
        return c.to_ascii_uppercase();
    }
    let mut upper = c.to_uppercase();
    match (upper.next(), upper.next()) {
        (Some(one), None) if !one.is_ascii() => one,
        _ => c,
    }
}

/// A name in the form that is compared.
#[cfg(test)]
fn fold(name: &str) -> String {
    name.chars().map(fold_char).collect()
}

/// The order of names: without regard to case, the same as that of [`fold`]ed texts.
pub(super) fn cmp_names(a: &str, b: &str) -> Ordering {
    let pairs = a.bytes().zip(b.bytes());
    let mut ascii = 0;
    for (x, y) in pairs {
        if !x.is_ascii() && !y.is_ascii() {
            // Everything before was ASCII, so this is where a character begins in both. Where only one is
            // ASCII the bytes themselves have the right order.
            let (a, b) = (&a[ascii..], &b[ascii..]);
            return a.chars().map(fold_char).cmp(b.chars().map(fold_char));
        }
        match x.to_ascii_uppercase().cmp(&y.to_ascii_uppercase()) {
            Ordering::Equal => ascii += 1,
            unequal => return unequal,
        }
    }
    a.len().cmp(&b.len())
}

/// Whether two names are the same name to a registry: case does not count.
pub fn is_name(a: &str, b: &str) -> bool {
    cmp_names(a, b) == Ordering::Equal
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn path(text: &str) -> KeyPath {
        KeyPath::parse(text).expect("a path")
    }

    #[test]
    fn case_is_kept_and_does_not_count() {
        let a = path(r"System\CurrentControlSet\Services\Wins");
        let b = path(r"SYSTEM\currentcontrolset\services\WINS");
        assert_eq!(a, b);
        assert_eq!(a.to_string(), r"System\CurrentControlSet\Services\Wins");
        assert_eq!(path("Größe"), path("GRÖßE"));
        assert_ne!(path("Größe"), path("GROSSE"));
        assert_ne!(path("ſ"), path("s"));
        assert_eq!(a.name(), "Wins");
        assert_eq!(a.depth(), 4);
        assert_eq!(a.parent(), Some(path(r"system\CurrentControlSet\Services")));
        assert_eq!(path("System").parent(), Some(KeyPath::root()));
        assert_eq!(KeyPath::root().parent(), None);
        assert_eq!(a.join(r"Partners\Pull").map(|p| p.depth()), Ok(6));
        assert_eq!(KeyPath::root().join("System"), Ok(path("System")));
    }

    #[test]
    fn mistakes_have_names() {
        let error = |text: &str| KeyPath::parse(text).expect_err(text);
        assert_eq!(error(""), PathError::Empty);
        assert!(matches!(error(r"\System"), PathError::LeadingBackslash(_)));
        assert!(matches!(error(r"\"), PathError::LeadingBackslash(_)));
        assert!(matches!(error(r"System\"), PathError::TrailingBackslash(_)));
        assert!(matches!(error(r"System\\Select"), PathError::EmptyName(_)));
        assert!(matches!(error(r"hklm\System"), PathError::RootNamed(_)));
        assert!(matches!(error(r"HKEY_LOCAL_MACHINE\System"), PathError::RootNamed(_)));
        let other = PathError::OtherRoot { path: r"hkcu\X".into(), root: "HKCU".into() };
        assert_eq!(error(r"hkcu\X"), other);
        assert!(matches!(error(r"HKEY_USERS\S-1"), PathError::OtherRoot { .. }));
        assert!(matches!(error("A\0B"), PathError::ControlCharacter(_)));
        assert_eq!(error(&"x".repeat(256)), PathError::NameTooLong { actual: 256 });
        assert!(KeyPath::parse(&"ä".repeat(255)).is_ok());
        let deep = vec!["a"; 513].join("\\");
        assert_eq!(error(&deep), PathError::TooDeep { actual: 513 });
        assert!(KeyPath::parse(&deep[2..]).is_ok());
    }

    #[test]
    fn a_rooted_path_needs_its_root() {
        assert_eq!(KeyPath::parse_rooted(r"HKEY_LOCAL_MACHINE\System"), Ok(path("System")));
        assert_eq!(KeyPath::parse_rooted("hklm"), Ok(KeyPath::root()));
        assert!(matches!(KeyPath::parse_rooted("System"), Err(PathError::NoRoot(_))));
        assert!(matches!(KeyPath::parse_rooted(r"HKCR\.txt"), Err(PathError::OtherRoot { .. })));
        assert!(matches!(KeyPath::parse_rooted(r"HKLM\"), Err(PathError::TrailingBackslash(_))));
    }

    #[test]
    fn within_is_by_names_not_by_letters() {
        let key = path(r"System\Wins");
        assert!(path(r"SYSTEM\WINS\Parameters").is_within(&key));
        assert!(key.is_within(&key));
        assert!(key.is_within(&KeyPath::root()));
        assert!(!path(r"System\WinsX").is_within(&key));
        assert!(!path("System").is_within(&key));
        let way = path(r"a\b");
        assert_eq!(way.folded_way().collect::<Vec<_>>(), ["", "A", "A\0B"]);
        assert_eq!(KeyPath::root().folded_way().collect::<Vec<_>>(), [""]);
        // In the order of a walk: the children of a key before its next sibling.
        assert!(path(r"a\z") < path("a b"));
    }

    proptest! {
        #[test]
        fn names_compare_as_their_folded_forms(a in "[aAsSäÄßſıŸÿ ]{0,5}", b in "[aAsSäÄßſıŸÿ ]{0,5}") {
            prop_assert_eq!(cmp_names(&a, &b), fold(&a).cmp(&fold(&b)));
            prop_assert_eq!(fold(&fold(&a)), fold(&a));
        }

        #[test]
        fn any_text_is_a_path_or_an_error(text in ".{0,40}") {
            if let Ok(path) = KeyPath::parse(&text) {
                prop_assert_eq!(path.as_str(), &*text);
                prop_assert!(path.parent().is_some_and(|parent| path.is_within(&parent)));
            }
        }
    }
}
