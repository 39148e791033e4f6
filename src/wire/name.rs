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
pub struct ScopeId(Option<Box<ScopeText>>);

/// The text of a scope, never empty. Behind a pointer, because almost no name has one and every message and
/// record carries room for it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct ScopeText(Box<[u8]>);

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
    /// A scope with an empty label, a label over 63 bytes, or more than [`ScopeId::LEN_MAX`] bytes.
    #[error("`{0}` is no scope: labels of 1 to 63 bytes joined by dots, {max} bytes at most", max = ScopeId::LEN_MAX)]
    BadScope(String),
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
    /// The longest scope text a packet may carry.
    ///
    /// RFC 1002 4.1 ends a whole encoded name at 255 bytes, which leaves 220 for the text; WINS stores
    /// up to [`ScopeId::STORED_MAX`] and answers SRV_ERR beyond that, so longer ones must be readable.
    pub const LEN_MAX: usize = 255;
    /// The longest scope text a WINS server stores.
    pub const STORED_MAX: usize = 237;
    /// The longest label (RFC 1002 4.1: the two high bits of the length byte are zero).
    pub const LABEL_MAX: usize = 63;

    /// A scope from its text, such as `sales.example`; the empty text is no scope.
    pub fn new(text: &[u8]) -> Result<ScopeId, NameError> {
        let fits = |label: &[u8]| (1..=ScopeId::LABEL_MAX).contains(&label.len());
        let good = text.len() <= ScopeId::LEN_MAX && text.split(|&b| b == b'.').all(fits);
        if !good && !text.is_empty() {
            return Err(NameError::BadScope(String::from_utf8_lossy(text).into_owned()));
        }
        Ok(ScopeId::of_text(text.into()))
    }
    /// A scope as a partner replicates it: any text, since replication carries it whole and Windows takes
    /// labels
    /// there that no name packet could hold.
    pub fn replicated(text: &[u8]) -> Result<ScopeId, NameError> {
        if text.len() > ScopeId::LEN_MAX {
            return Err(NameError::BadScope(String::from_utf8_lossy(text).into_owned()));
        }
        Ok(ScopeId::of_text(text.into()))
    }
    /// The text, without a leading dot.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_ref().map_or(&[], |text| &text.0)
    }
    /// Whether there is none.
    #[inline]
    pub fn is_none(&self) -> bool {
        self.0.is_none()
    }

    fn of_text(text: Box<[u8]>) -> ScopeId {
        ScopeId((!text.is_empty()).then(|| Box::new(ScopeText(text))))
    }
}

/// First-level encoding of names in packets (RFC 1001 14.1, RFC 1002 4.1).
pub(super) mod first_level {
    use super::{NetbiosName, ScopeId};

    /// The encoded name without scope: length byte, 32 letters, root.
    const PLAIN_LEN: usize = 34;
    /// The length byte of the first label.
    const LETTERS: usize = 32;

    /// Appends the encoded name.
    pub(in crate::wire) fn encode(name: &NetbiosName, scope: &ScopeId, out: &mut Vec<u8>) {
        let mut plain = [0; PLAIN_LEN];
        plain[0] = LETTERS as u8;
        let letters = plain[1..=LETTERS].as_chunks_mut().0;
        for (letters, quad) in letters.iter_mut().zip(name.as_bytes().as_chunks().0) {
            *letters = spread(*quad);
        }
        if scope.is_none() {
            out.extend_from_slice(&plain);
            return;
        }
        out.extend_from_slice(&plain[..=LETTERS]);
        for label in scope.as_bytes().split(|&b| b == b'.') {
            // A replicated label that is too long is cut in pieces: no client holds such a name anyway.
            for label in label.chunks(ScopeId::LABEL_MAX) {
                out.push(label.len() as u8);
                out.extend_from_slice(label);
            }
        }
        out.push(0);
    }

    /// The same byte in all eight places.
    const fn eight(byte: u8) -> u64 {
        u64::from_be_bytes([byte; 8])
    }

    /// Four bytes as eight letters, all at once: every datagram carries a name.
    fn spread(quad: [u8; 4]) -> [u8; 8] {
        let x = u64::from(u32::from_be_bytes(quad));
        let x = (x | x << 16) & 0x0000_FFFF_0000_FFFF;
        let x = (x | x << 8) & 0x00FF_00FF_00FF_00FF;
        let x = (x | x << 4) & eight(0x0F);
        (x + eight(b'A')).to_be_bytes()
    }

    /// Eight letters as four bytes, and whether all are A to P.
    fn pack(letters: [u8; 8]) -> ([u8; 4], bool) {
        let letters = u64::from_be_bytes(letters);
        // With its high bit set no byte borrows from the next; a letter A to P leaves 0x80 to 0x8F.
        let nibbles = (letters | eight(0x80)) - eight(b'A');
        let good = letters & eight(0x80) == 0 && nibbles & eight(0xF0) == eight(0x80);
        let x = nibbles & eight(0x0F);
        let x = (x | x >> 4) & 0x00FF_00FF_00FF_00FF;
        let x = (x | x >> 8) & 0x0000_FFFF_0000_FFFF;
        let x = (x | x >> 16) as u32;
        (x.to_be_bytes(), good)
    }

    /// Why a name could not be read.
    pub(in crate::wire) enum Flaw {
        /// The bytes end inside it.
        Short,
        /// No name: see `DecodeError::BadName`.
        Bad,
        /// It goes on elsewhere in the packet.
        Pointer,
    }

    /// Reads a name at the start of `bytes`: the name, its scope and its encoded length.
    #[inline(always)]
    pub(in crate::wire) fn decode(bytes: &[u8]) -> Result<(NetbiosName, ScopeId, usize), Flaw> {
        let Some(plain) = bytes.first_chunk::<PLAIN_LEN>().filter(|p| p[0] == LETTERS as u8) else {
            return Err(flaw_of_start(bytes));
        };
        let letters = &plain[1..=LETTERS];
        let mut raw = [0; 16];
        let mut all_good = true;
        for (quad, letters) in raw.as_chunks_mut().0.iter_mut().zip(letters.as_chunks().0) {
            let (bytes, good) = pack(*letters);
            *quad = bytes;
            all_good &= good;
        }
        if !all_good {
            return Err(Flaw::Bad);
        }
        let name = NetbiosName::from_bytes(raw);
        if plain[LETTERS + 1] == 0 {
            return Ok((name, ScopeId::none(), PLAIN_LEN));
        }
        let (scope, len) = decode_scope(&bytes[LETTERS + 1..])?;
        Ok((name, scope, LETTERS + 1 + len))
    }

    /// What is wrong with bytes that are too short for a name, or begin with no length of one.
    #[cold]
    fn flaw_of_start(bytes: &[u8]) -> Flaw {
        match bytes.first() {
            None => Flaw::Short,
            Some(&len) if len as usize != LETTERS => flaw_of_label(len as usize, bytes),
            Some(_) => {
                let letters = bytes.get(1..=LETTERS).unwrap_or_default();
                let is_good = |letter: &u8| (b'A'..=b'P').contains(letter);
                if letters.iter().all(is_good) { Flaw::Short } else { Flaw::Bad }
            }
        }
    }

    /// What a length byte that is none says: the two high bits begin a pointer of two bytes.
    fn flaw_of_label(len: usize, bytes: &[u8]) -> Flaw {
        match (len >= 0xC0, bytes.len()) {
            (false, _) => Flaw::Bad,
            (true, 1) => Flaw::Short,
            (true, _) => Flaw::Pointer,
        }
    }

    /// Reads scope labels and their root byte. A dot inside a label could not be told from a border
    /// between labels in the text, so it is refused rather than lost.
    fn decode_scope(bytes: &[u8]) -> Result<(ScopeId, usize), Flaw> {
        let mut end = 0;
        loop {
            let len = *bytes.get(end).ok_or(Flaw::Short)? as usize;
            if len == 0 {
                break;
            }
            if len > ScopeId::LABEL_MAX {
                return Err(flaw_of_label(len, &bytes[end..]));
            }
            if end + len > ScopeId::LEN_MAX {
                return Err(Flaw::Bad);
            }
            let label = bytes.get(end + 1..end + 1 + len).ok_or(Flaw::Short)?;
            if label.contains(&b'.') {
                return Err(Flaw::Bad);
            }
            end += 1 + len;
        }
        // The length byte of every label but the first becomes the dot before it.
        let mut text: Box<[u8]> = bytes[1..end].into();
        let mut at = bytes[0] as usize;
        while at < text.len() {
            let len = text[at] as usize;
            text[at] = b'.';
            at += 1 + len;
        }
        Ok((ScopeId::of_text(text), end + 1))
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
        write!(f, "{:?}", String::from_utf8_lossy(self.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_of_letters_is_read_alone() {
        let (name, scope) = (NetbiosName::ANY, ScopeId::none());
        let mut plain = Vec::new();
        first_level::encode(&name, &scope, &mut plain);
        for place in 0..16 {
            for pair in 0..=u16::MAX {
                let mut bytes = plain.clone();
                bytes[1 + 2 * place..3 + 2 * place].copy_from_slice(&pair.to_be_bytes());
                let [high, low] = pair.to_be_bytes().map(|c| c.wrapping_sub(b'A'));
                let mut expected = *name.as_bytes();
                expected[place] = high << 4 | low & 0x0F;
                let expected = (high < 16 && low < 16).then_some(expected);
                let read = first_level::decode(&bytes).ok().map(|(name, _, _)| *name.as_bytes());
                assert_eq!(read, expected, "{pair:04x} at {place}");
            }
        }
    }

    #[test]
    fn a_scope_has_good_labels() {
        for good in ["", "a", "sales.example", &"x".repeat(63)] {
            assert_eq!(ScopeId::new(good.as_bytes()).expect(good).as_bytes(), good.as_bytes());
        }
        for bad in [".", ".a", "a.", "a..b", &"x".repeat(64), &["x"; 200].join(".")] {
            assert_eq!(ScopeId::new(bad.as_bytes()), Err(NameError::BadScope(bad.to_string())));
        }
    }
}
