//! Running digests and pinned hashes.
//!
//! A digest folds 64-bit words in order: equal digests mean equal histories (up to a 2^-64 accident).
//! It is no cryptographic hash. Both functions are pinned by test vectors: changing either one changes
//! every digest and every random stream ever published.

/// A running digest: order matters, every word counts.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Digest(u64);

const MULTIPLIER: u64 = 0x9E37_79B9_7F4A_7C15;

impl Default for Digest {
    fn default() -> Self {
        Digest(0x5749_4E53_544F_524D) // "WINSTORM"
    }
}

impl Digest {
    /// Folds one word in: multiply and add the high half of the 128-bit product, so that every input
    /// bit reaches every output bit within two folds.
    #[inline(always)]
    pub fn fold(&mut self, word: u64) {
        let product = u128::from(self.0 ^ word) * u128::from(MULTIPLIER);
        self.0 = (product as u64).rotate_left(23) ^ (product >> 64) as u64 ^ word;
    }

    /// Folds the bytes in, with their length.
    #[inline]
    pub fn fold_bytes(&mut self, bytes: &[u8]) {
        self.fold(hash_bytes(bytes));
    }

    /// The digest so far.
    #[inline(always)]
    pub fn value(self) -> u64 {
        self.0
    }
}

/// A pinned hash of bytes, eight at a time.
#[inline]
pub fn hash_bytes(bytes: &[u8]) -> u64 {
    let mut digest = Digest(bytes.len() as u64 ^ MULTIPLIER);
    let mut chunks = bytes.chunks_exact(8);
    for chunk in &mut chunks {
        digest.fold(u64::from_le_bytes(chunk.try_into().expect("chunks of eight")));
    }
    let rest = chunks.remainder();
    if !rest.is_empty() {
        let mut last = [0u8; 8];
        last[..rest.len()].copy_from_slice(rest);
        digest.fold(u64::from_le_bytes(last));
    }
    digest.value()
}

/// The pinned hash that turns a stream's path into its number: 64-bit FNV-1a.
pub fn hash_path(path: &str) -> u64 {
    path.bytes().fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_pinned() {
        assert_eq!(hash_path(""), 0xCBF2_9CE4_8422_2325);
        assert_eq!(hash_path("a"), 0xAF63_DC4C_8601_EC8C); // published FNV-1a vector
        assert_eq!(hash_path("foobar"), 0x8594_4171_F739_67E8); // published FNV-1a vector
    }

    #[test]
    fn order_length_and_every_bit_matter() {
        let fold = |words: &[u64]| {
            let mut d = Digest::default();
            words.iter().for_each(|&w| d.fold(w));
            d.value()
        };
        assert_ne!(fold(&[1, 2]), fold(&[2, 1]));
        assert_ne!(fold(&[]), fold(&[0]));
        for bit in 0..64 {
            assert_ne!(fold(&[0, 7]), fold(&[1 << bit, 7]));
        }
        assert_ne!(hash_bytes(b"abc"), hash_bytes(b"abc\0"));
    }
}
