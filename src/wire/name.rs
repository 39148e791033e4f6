//! NetBIOS names: 15 bytes and a suffix, within a scope (RFC 1001 14, Q194203).

use std::fmt;
use std::str::FromStr;
use thiserror::Error;

/// The 16th byte of a name: which service stands behind it.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Suffix(pub u8);

/// A NetBIOS name: 16 raw bytes compared exactly, the last of them the suffix.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NetbiosName([u8; 16]);

/// A NetBIOS scope: dot-separated labels as text, empty for no scope.
///
/// Names in different scopes never meet. Not to be confused with a DHCP scope.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ScopeId(Box<[u8]>);

/// Why a text is no NetBIOS name.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum NameError {
    /// More than 15 bytes before the suffix.
    #[error("`{0}` has {1} characters, a NetBIOS name has at most 15")]
    TooLong(String, usize),
    /// The part after `#` is no hexadecimal byte.
    #[error("`{0}` is no suffix: write two hexadecimal digits, such as 20 or 1C")]
    BadSuffix(String),
    /// Nothing before the suffix.
    #[error("the name is empty")]
    Empty,
}

impl Suffix {
    /// Workstation service of a computer, or (as a group) a domain or workgroup.
    pub const WORKSTATION: Suffix = Suffix(0x00);
    /// Master browsers of all domains (`\x01\x02__MSBROWSE__\x02`).
    pub const MSBROWSE: Suffix = Suffix(0x01);
    /// Messenger service: computer or logged-on user.
    pub const MESSENGER: Suffix = Suffix(0x03);
    /// Domain master browser: the primary domain controller.
    pub const DOMAIN_MASTER: Suffix = Suffix(0x1B);
    /// Domain controllers (internet group).
    pub const DOMAIN_CONTROLLERS: Suffix = Suffix(0x1C);
    /// Master browser of a subnet.
    pub const LOCAL_MASTER: Suffix = Suffix(0x1D);
    /// Browser elections (normal group).
    pub const BROWSER_ELECTIONS: Suffix = Suffix(0x1E);
    /// Server service.
    pub const SERVER: Suffix = Suffix(0x20);
}

impl NetbiosName {
    /// The name every host accepts in node status requests: `*` and fifteen zero bytes (RFC 1002 4.2.17).
    pub const ANY: NetbiosName = NetbiosName([b'*', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);

    /// The name with `base` in capitals, padded with spaces, and this suffix.
    pub fn new(base: &str, suffix: Suffix) -> Result<NetbiosName, NameError> {
        let bytes = base.as_bytes();
        if bytes.is_empty() {
            return Err(NameError::Empty);
        }
        if bytes.len() > 15 {
            return Err(NameError::TooLong(base.to_string(), bytes.len()));
        }
        let mut raw = [b' '; 16];
        for (to, from) in raw.iter_mut().zip(bytes) {
            *to = from.to_ascii_uppercase();
        }
        raw[15] = suffix.0;
        Ok(NetbiosName(raw))
    }

    /// The name with exactly these bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> NetbiosName {
        NetbiosName(bytes)
    }

    /// All 16 bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// The 16th byte.
    pub const fn suffix(&self) -> Suffix {
        Suffix(self.0[15])
    }

    /// The same name with another suffix.
    pub const fn with_suffix(mut self, suffix: Suffix) -> NetbiosName {
        self.0[15] = suffix.0;
        self
    }

    /// The first 15 bytes without padding.
    pub fn base(&self) -> &[u8] {
        let end = self.0[..15].iter().rposition(|&b| b != b' ' && b != 0).map_or(0, |i| i + 1);
        &self.0[..end]
    }
}

impl ScopeId {
    /// No scope.
    pub fn none() -> ScopeId {
        ScopeId::default()
    }
    /// A scope from its text, such as `sales.example`.
    pub fn new(text: &[u8]) -> ScopeId {
        ScopeId(text.into())
    }
    /// The text, without a leading dot.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
    /// Whether there is none.
    pub fn is_none(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromStr for NetbiosName {
    type Err = NameError;

    /// `FILES1` (suffix 20), or `CORP#1C`.
    fn from_str(text: &str) -> Result<NetbiosName, NameError> {
        let (base, suffix) = match text.rsplit_once('#') {
            None => (text, Suffix::SERVER),
            Some((base, hex)) => match u8::from_str_radix(hex, 16) {
                Ok(byte) if hex.len() == 2 => (base, Suffix(byte)),
                _ => return Err(NameError::BadSuffix(hex.to_string())),
            },
        };
        NetbiosName::new(base, suffix)
    }
}

impl fmt::Display for NetbiosName {
    /// As nbtstat prints it: `FILES1<20>`; bytes that do not print appear as `\x01`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for &byte in self.base() {
            if (0x20..0x7F).contains(&byte) {
                write!(f, "{}", byte as char)?;
            } else {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        write!(f, "<{:02X}>", self.0[15])
    }
}
impl fmt::Debug for NetbiosName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}
impl fmt::Debug for Suffix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{:02X}>", self.0)
    }
}
impl fmt::Debug for ScopeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", String::from_utf8_lossy(&self.0))
    }
}
