//! Code page 1252 and UTF-16, one unit for one byte. The five bytes without a character stand for the control
//! characters of the same number, so that every byte comes back.

/// The units of the bytes 0x80 to 0x9F; all others are their own number.
const HIGH: [u16; 32] = [
    0x20AC, 0x0081, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160, 0x2039,
    0x0152, 0x008D, 0x017D, 0x008F, 0x0090, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014,
    0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0x009D, 0x017E, 0x0178,
];

/// The unit a byte stands for.
pub(super) fn unit_of(byte: u8) -> u16 {
    match byte {
        0x80..=0x9F => HIGH[usize::from(byte - 0x80)],
        _ => u16::from(byte),
    }
}

/// The byte that stands for a unit, if there is one.
pub(super) fn byte_of(unit: u16) -> Option<u8> {
    match u8::try_from(unit) {
        Ok(byte) if !(0x80..=0x9F).contains(&byte) => Some(byte),
        _ => HIGH.iter().position(|high| *high == unit).map(|at| 0x80 + at as u8),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_comes_back() {
        for byte in 0..=255 {
            assert_eq!(byte_of(unit_of(byte)), Some(byte));
        }
        let units: Vec<u16> = (0..=255).map(unit_of).collect();
        let known = (0..=u16::MAX).filter(|unit| byte_of(*unit).is_some()).count();
        assert_eq!(known, units.len());
        assert_eq!(unit_of(0x80), 0x20AC); // the euro sign
        assert_eq!(byte_of(0x0080), None);
    }
}
