//! The bytes of a saved subtree and of a hive's file: one format, so that a copy of a hive can be loaded.
//!
//! ```text
//!  0   4  magic "WSRG"
//!  4   2  version, 1
//!  6   2  flags: 1 the hive was judged corrupt
//!  8   4  length of everything, header included
//! 12   4  CRC-32 of everything but this field
//! 16   8  storage lost to restores over names of another length (Q189061), in bytes
//! 24      records
//!
//! key       'K'  depth u16, name u16+bytes
//! security  'S'  entries u16, each: rights u8, account u16+bytes
//! value     'V'  kind u32, name u16+bytes, data u32+bytes
//! end       'E'  keys u32
//! ```
//! Numbers are little-endian, names UTF-8, data as the registry stores them. Keys come as a walk meets them,
//! each followed by its descriptor and its values; the depth says where a key hangs, so a reader that does
//! not insist can use everything up to a tear. Equal trees under one name give equal bytes; bytes that are
//! read with all checks give the same bytes again.

use super::key::Key;
use super::path::{DEPTH_MAX, check_key_name, cmp_names};
use super::security::{GRANTS_MAX, Rights, Security, is_account};
use super::value::{VALUE_DATA_MAX, Value, check_value_name};
use std::cmp::Ordering;
use thiserror::Error;

const MAGIC: [u8; 4] = *b"WSRG";
const VERSION: u16 = 1;
/// Bytes before the first record.
pub(super) const HEADER_LEN: usize = 24;
const FLAG_CORRUPT: u16 = 1;
const LENGTH_AT: usize = 8;
const CHECKSUM_AT: usize = 12;

/// What a reader insists on.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub enum Checks {
    /// Length, checksum and every rule of the format.
    #[default]
    All,
    /// Magic and version only; the records are taken up to the first that makes no sense. So torn files were
    /// loaded before NT 4.0 SP5 (Q216064).
    None,
}

/// Why bytes are not read.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum ImageError {
    /// Something else altogether.
    #[error("these bytes are no saved registry key")]
    Foreign,
    /// Written by another version of the format.
    #[error("the saved key has version {0} of the format; {VERSION} is known")]
    Version(u16),
    /// The end is missing.
    #[error("the saved key is cut: {actual} of {expected} bytes are there")]
    Cut {
        /// How many bytes there should be.
        expected: usize,
        /// How many there are.
        actual: usize,
    },
    /// Something follows.
    #[error("the saved key ends after {expected} of {actual} bytes")]
    Trailing {
        /// How many bytes there should be.
        expected: usize,
        /// How many there are.
        actual: usize,
    },
    /// Some byte is not what it was.
    #[error(
        "the saved key is damaged: its checksum is {actual:#010x} and should be {expected:#010x}"
    )]
    Checksum {
        /// What the header says.
        expected: u32,
        /// What the bytes give.
        actual: u32,
    },
    /// The bytes are whole, but break a rule of the format.
    #[error("the saved key has a bad record at byte {offset}: {why}")]
    Record {
        /// Where the record begins.
        offset: usize,
        /// Which rule it breaks.
        why: &'static str,
    },
    /// More than the length's 32 bits can tell.
    #[error("the key is too large to be saved")]
    TooLarge,
}

/// What a file says about the hive it was, besides its keys.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct HiveState {
    /// Storage lost to restores (Q189061), in bytes.
    pub(super) lost: u64,
    /// Whether it was judged corrupt.
    pub(super) corrupt: bool,
}

/// What was read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Image {
    /// The name of the key that was saved.
    pub(super) name: Box<str>,
    pub(super) key: Key,
    pub(super) hive: HiveState,
    /// Whether every record was read up to the end.
    pub(super) complete: bool,
}

/// The bytes of a key under this name.
pub(super) fn encode(name: &str, key: &Key, hive: HiveState) -> Result<Vec<u8>, ImageError> {
    let mut out = vec![0; HEADER_LEN];
    out[..4].copy_from_slice(&MAGIC);
    out[4..6].copy_from_slice(&VERSION.to_le_bytes());
    let flags = if hive.corrupt { FLAG_CORRUPT } else { 0 };
    out[6..8].copy_from_slice(&flags.to_le_bytes());
    out[16..HEADER_LEN].copy_from_slice(&hive.lost.to_le_bytes());
    put_key(&mut out, 0, name, key);
    out.push(b'E');
    out.extend((key.count() as u32).to_le_bytes());
    let length = u32::try_from(out.len()).map_err(|_| ImageError::TooLarge)?;
    out[LENGTH_AT..CHECKSUM_AT].copy_from_slice(&length.to_le_bytes());
    let checksum = checksum(&out);
    out[CHECKSUM_AT..16].copy_from_slice(&checksum.to_le_bytes());
    Ok(out)
}

fn checksum(bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&bytes[..CHECKSUM_AT]);
    hasher.update(&bytes[CHECKSUM_AT + 4..]);
    hasher.finalize()
}

fn put_key(out: &mut Vec<u8>, depth: u16, name: &str, key: &Key) {
    out.push(b'K');
    out.extend(depth.to_le_bytes());
    put_text(out, name);
    if let Some(security) = key.security() {
        out.push(b'S');
        out.extend((security.grants().len() as u16).to_le_bytes());
        for (account, rights) in security.grants() {
            out.push(rights.bits());
            put_text(out, account);
        }
    }
    for (name, value) in key.values() {
        out.push(b'V');
        out.extend(value.kind().to_le_bytes());
        put_text(out, name);
        let start = out.len() + 4;
        out.extend([0; 4]);
        value.put_data(out);
        let length = (out.len() - start) as u32;
        out[start - 4..start].copy_from_slice(&length.to_le_bytes());
    }
    for (name, key) in key.keys() {
        put_key(out, depth + 1, name, key);
    }
}

/// A text whose length was checked when it came in: the limits of names keep it below 64 KB.
fn put_text(out: &mut Vec<u8>, text: &str) {
    let length = u16::try_from(text.len()).expect("names are limited when they are set");
    out.extend(length.to_le_bytes());
    out.extend(text.as_bytes());
}

/// Reads what [`encode`] wrote.
pub(super) fn decode(bytes: &[u8], checks: Checks) -> Result<Image, ImageError> {
    let hive = read_header(bytes, checks)?;
    let mut builder = Builder::default();
    let mut reader = Reader { bytes, at: HEADER_LEN };
    let complete = loop {
        let offset = reader.at;
        match read_record(&mut reader, &mut builder, checks) {
            Ok(false) => {}
            Ok(true) => break true,
            Err(_) if checks == Checks::None => break false,
            Err(why) => return Err(ImageError::Record { offset, why }),
        }
    };
    let (name, key) = builder.finish();
    Ok(Image { name, key, hive, complete })
}

/// Two bytes at a place that is there.
fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(std::array::from_fn(|i| bytes[at + i]))
}

fn read_header(bytes: &[u8], checks: Checks) -> Result<HiveState, ImageError> {
    let actual = bytes.len();
    let start = &bytes[..actual.min(MAGIC.len())];
    if *start != MAGIC[..start.len()] {
        return Err(ImageError::Foreign);
    }
    if actual < HEADER_LEN {
        return Err(ImageError::Cut { expected: HEADER_LEN, actual });
    }
    let version = u16_at(bytes, 4);
    if version != VERSION {
        return Err(ImageError::Version(version));
    }
    if checks == Checks::All {
        let expected = u32_at(bytes, LENGTH_AT) as usize;
        match expected.cmp(&actual) {
            Ordering::Greater => return Err(ImageError::Cut { expected, actual }),
            Ordering::Less => return Err(ImageError::Trailing { expected, actual }),
            Ordering::Equal => {}
        }
        let (expected, actual) = (u32_at(bytes, CHECKSUM_AT), checksum(bytes));
        if expected != actual {
            return Err(ImageError::Checksum { expected, actual });
        }
    }
    let flags = u16_at(bytes, 6);
    if checks == Checks::All && flags & !FLAG_CORRUPT != 0 {
        return Err(ImageError::Record { offset: 6, why: "unknown flags" });
    }
    let lost = u64::from_le_bytes(std::array::from_fn(|i| bytes[16 + i]));
    Ok(HiveState { lost, corrupt: flags & FLAG_CORRUPT != 0 })
}

/// Why a record is not taken.
type Why = &'static str;

/// Reads one record; whether it was the last.
fn read_record(reader: &mut Reader, builder: &mut Builder, checks: Checks) -> Result<bool, Why> {
    match reader.u8()? {
        b'K' => {
            let depth = usize::from(reader.u16()?);
            let name = reader.text()?;
            builder.key(depth, name, checks)?;
        }
        b'S' => {
            let security = read_security(reader)?;
            builder.security(security)?;
        }
        b'V' => {
            let kind = reader.u32()?;
            let name = reader.text()?;
            check_value_name(name).map_err(|_| "a value with an impossible name")?;
            let length = reader.u32()? as usize;
            if length > VALUE_DATA_MAX {
                return Err("a value that is too long");
            }
            let data = reader.take(length)?;
            builder.value(name, Value::from_raw(kind, data), checks)?;
        }
        b'E' => {
            if reader.u32()? as usize != builder.keys || builder.keys == 0 {
                return Err("another number of keys than there are");
            }
            if reader.at != reader.bytes.len() && checks == Checks::All {
                return Err("something after the end");
            }
            return Ok(true);
        }
        _ => return Err("no record begins so"),
    }
    Ok(false)
}

fn read_security(reader: &mut Reader) -> Result<Security, Why> {
    let mut security = Security::default();
    let count = usize::from(reader.u16()?);
    if count > GRANTS_MAX {
        return Err("a descriptor with too many entries");
    }
    let mut last = String::new();
    for _ in 0..count {
        let rights = Rights::from_bits(reader.u8()?).ok_or("unknown rights")?;
        let account = reader.text()?;
        if !is_account(account) {
            return Err("an impossible account");
        }
        if cmp_names(&last, account) != Ordering::Less {
            return Err("accounts out of order");
        }
        last = account.to_string();
        security.grant(account, rights);
    }
    Ok(security)
}

/// Hangs keys where their depth says: the way from the saved key to the one that is read now.
#[derive(Default)]
struct Builder {
    way: Vec<(Box<str>, Key)>,
    keys: usize,
    /// Whether a descriptor may still come.
    fresh: bool,
}

impl Builder {
    fn key(&mut self, depth: usize, name: &str, checks: Checks) -> Result<(), Why> {
        check_key_name(name).map_err(|_| "a key with an impossible name")?;
        let is_first = self.keys == 0;
        if depth > self.way.len() || (depth == 0) != is_first || depth >= DEPTH_MAX {
            return Err("a key at an impossible depth");
        }
        self.close(depth);
        if checks == Checks::All
            && let Some((_, above)) = self.way.last()
            && let Some((last, _)) = above.keys().next_back()
            && cmp_names(last, name) != Ordering::Less
        {
            return Err("keys out of order");
        }
        self.way.push((name.into(), Key::default()));
        self.keys += 1;
        self.fresh = true;
        Ok(())
    }

    fn security(&mut self, security: Security) -> Result<(), Why> {
        match self.way.last_mut() {
            Some((_, key)) if self.fresh => key.set_security(Some(security)),
            _ => return Err("a descriptor without its key"),
        }
        self.fresh = false;
        Ok(())
    }

    fn value(&mut self, name: &str, value: Value, checks: Checks) -> Result<(), Why> {
        self.fresh = false;
        let Some((_, key)) = self.way.last_mut() else { return Err("a value without its key") };
        if checks == Checks::All
            && let Some((last, _)) = key.values().next_back()
            && cmp_names(last, name) != Ordering::Less
        {
            return Err("values out of order");
        }
        key.put_value(name, value);
        Ok(())
    }

    /// Hangs every key that is as deep or deeper below the one above it.
    fn close(&mut self, depth: usize) {
        while self.way.len() > depth.max(1) {
            let Some((name, key)) = self.way.pop() else { break };
            if let Some((_, above)) = self.way.last_mut() {
                above.put_key(&name, key);
            }
        }
    }

    fn finish(mut self) -> (Box<str>, Key) {
        self.close(0);
        self.way.pop().unwrap_or_default()
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], Why> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let taken = rest.get(..count).ok_or("a record that goes beyond the end")?;
        self.at += count;
        Ok(taken)
    }

    fn u8(&mut self) -> Result<u8, Why> {
        self.take(1).map(|bytes| bytes[0])
    }

    fn u16(&mut self) -> Result<u16, Why> {
        self.take(2).map(|bytes| u16_at(bytes, 0))
    }

    fn u32(&mut self) -> Result<u32, Why> {
        self.take(4).map(|bytes| u32_at(bytes, 0))
    }

    fn text(&mut self) -> Result<&'a str, Why> {
        let length = usize::from(self.u16()?);
        std::str::from_utf8(self.take(length)?).map_err(|_| "a name that is not UTF-8")
    }
}
