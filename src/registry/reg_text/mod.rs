//! `.reg` texts, as the registry editors write and read them.
//!
//! ```text
//! Windows Registry Editor Version 5.00
//!
//! ; whole lines, or what follows a value
//! [HKEY_LOCAL_MACHINE\System\CurrentControlSet\Services\Wins\Parameters]
//! @="the default value"
//! "RefreshInterval"=dword:0007e900
//! "DbFileNm"=hex(2):25,00,57,00,49,00,4e,00,44,00,49,00,52,00,25,00,\
//!   00,00
//! "LogFilePath"=-
//!
//! [-HKEY_LOCAL_MACHINE\Software\Gone]
//! ```
//! `REGEDIT4` of NT 4.0 differs in one thing: the file is in the ANSI code page (1252 here), and so are the
//! bytes of the string kinds hex(1), hex(2) and hex(7), which are UTF-16 in version 5.00.
//!
//! A text with mistakes changes nothing, and every mistake is told with its line. What is exported gives the
//! same keys and values when it is imported; descriptors are not part of these texts.

mod ansi;
mod export;
mod import;

pub use export::ExportError;
pub use import::{MISTAKES_MAX, REG_LINES_MAX, RegFile, RegMistake, RegMistakeKind};

/// The first line of a text, and with it how string kinds are written in hexadecimal.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum RegDialect {
    /// NT 4.0.
    Regedit4,
    /// Windows 2000 and later.
    Version5,
}

impl RegDialect {
    /// The first line.
    pub fn header(self) -> &'static str {
        match self {
            RegDialect::Regedit4 => "REGEDIT4",
            RegDialect::Version5 => "Windows Registry Editor Version 5.00",
        }
    }

    /// The bytes of a file with this text: UTF-16 with a byte order mark, or the ANSI code page, where what
    /// has no place becomes `?`.
    pub fn file_bytes(self, text: &str) -> Vec<u8> {
        match self {
            RegDialect::Regedit4 => {
                text.encode_utf16().map(|unit| ansi::byte_of(unit).unwrap_or(b'?')).collect()
            }
            RegDialect::Version5 => {
                let units = std::iter::once(0xFEFF).chain(text.encode_utf16());
                units.flat_map(u16::to_le_bytes).collect()
            }
        }
    }
}

/// The text of a file: UTF-16 or UTF-8 by its byte order mark, else UTF-8 if it is that, else the ANSI code
/// page. Every file has one; what is broken shows up as a mistake in its line.
pub fn reg_file_text(bytes: &[u8]) -> String {
    if let Some(units) = bytes.strip_prefix(b"\xFF\xFE") {
        let pairs = units.chunks(2).map(|pair| [pair[0], pair.get(1).copied().unwrap_or(0)]);
        let units: Vec<u16> = pairs.map(u16::from_le_bytes).collect();
        return String::from_utf16_lossy(&units);
    }
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_string(),
        Err(_) => {
            let units: Vec<u16> = bytes.iter().map(|byte| ansi::unit_of(*byte)).collect();
            String::from_utf16_lossy(&units)
        }
    }
}
