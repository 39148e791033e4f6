//! Mutations of inputs: bytes flipped, cut, spliced, repeated, lengths that lie, words of the protocols.

use super::server::steps;
use winstorm::base::Stream;

/// Longest input: a few dozen datagrams, or one long message.
const LEN_MAX: usize = 8 * 1024;

/// Words that open doors: flags, types, marks, keywords and the ends of ranges.
const WORDS: [&[u8]; 30] = [
    &[0x29, 0x00],
    &[0x79, 0x00],
    &[0x41, 0x00],
    &[0x49, 0x00],
    &[0x30, 0x00],
    &[0x01, 0x00],
    &[0x85, 0x80],
    &[0x85, 0x83],
    &[0xB4, 0x00],
    &[0xC0, 0x0C],
    &[0xC0, 0x0D],
    &[0x00, 0x20],
    &[0x00, 0x21],
    &[0x00, 0x00, 0x78, 0x00],
    &[0xFF, 0xFF, 0xFF, 0xFF],
    &[0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF],
    &[0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF],
    &[0, 0, 0, 0],
    &[0, 0, 0, 1],
    &[0x20],
    &[0x3F],
    &[0x40],
    b" #PRE #DOM:CORP\n",
    b" #SG:FARM\n",
    b"#MH\n",
    b"\"NAME           \\0x1C\"\n",
    b"#INCLUDE x\n",
    b"10.0.0.1 A\n",
    &[10, 0, 0, 1],
    &[255, 255, 255, 255],
];

/// A changed copy of `input`; `other` lends its parts.
pub fn mutate(input: &[u8], other: &[u8], script: bool, chance: &mut Stream) -> Vec<u8> {
    let mut data = input.to_vec();
    for _ in 0..chance.between(1, 4) {
        if script && chance.below(2) == 0 {
            data = mutate_steps(&data, other, chance);
        } else {
            mutate_bytes(&mut data, other, chance);
        }
    }
    data.truncate(LEN_MAX);
    data
}

/// A place in `data`, its end included.
fn place(data: &[u8], chance: &mut Stream) -> usize {
    chance.between(0, data.len() as u64) as usize
}

/// A stretch of `data`, mostly short.
fn stretch(data: &[u8], chance: &mut Stream) -> std::ops::Range<usize> {
    let start = place(data, chance);
    let most = [4, 16, 64, 4096][chance.below(4) as usize];
    let len = chance.between(0, most).min((data.len() - start) as u64) as usize;
    start..start + len
}

fn mutate_bytes(data: &mut Vec<u8>, other: &[u8], chance: &mut Stream) {
    match chance.below(9) {
        0 => {
            let at = place(data, chance);
            if let Some(byte) = data.get_mut(at) {
                *byte ^= 1 << chance.below(8);
            }
        }
        1 => {
            let at = place(data, chance);
            if let Some(byte) = data.get_mut(at) {
                *byte = chance.next_u64() as u8;
            }
        }
        2 => data.truncate(place(data, chance)),
        3 => drop(data.drain(stretch(data, chance))),
        4 => {
            // Repeat a stretch, up to 40 times: lists beyond their limits.
            let part = data[stretch(data, chance)].to_vec();
            let at = place(data, chance);
            let times = chance.between(1, 40) as usize;
            data.splice(at..at, part.repeat(times.min(LEN_MAX / part.len().max(1))));
        }
        5 => {
            let part = other[stretch(other, chance)].to_vec();
            let range = stretch(data, chance);
            data.splice(range, part);
        }
        6 => {
            let word = WORDS[chance.below(WORDS.len() as u64) as usize];
            let at = place(data, chance);
            let end = if chance.below(2) == 0 { at } else { (at + word.len()).min(data.len()) };
            data.splice(at..end, word.iter().copied());
        }
        7 => lie_about_length(data, chance),
        _ => {
            let at = place(data, chance);
            if let Some(byte) = data.get_mut(at) {
                *byte = byte.wrapping_add([1, 255, 2, 128][chance.below(4) as usize]);
            }
        }
    }
}

/// Two or four bytes become a number near the length of what follows, or near the end of their range.
fn lie_about_length(data: &mut [u8], chance: &mut Stream) {
    let at = place(data, chance);
    let left = data.len().saturating_sub(at) as u64;
    let near = left.wrapping_add(chance.below(9)).wrapping_sub(4);
    let number = [near, 0, 1, u64::MAX, near << 8, 1 << 24][chance.below(6) as usize];
    let width = [1, 2, 4][chance.below(3) as usize];
    let bytes = number.to_be_bytes();
    for (to, from) in data[at..].iter_mut().take(width).zip(&bytes[8 - width..]) {
        *to = *from;
    }
}

/// Steps of a script dropped, repeated, exchanged, borrowed.
fn mutate_steps(data: &[u8], other: &[u8], chance: &mut Stream) -> Vec<u8> {
    let mut list: Vec<&[u8]> = steps(data).map(|range| &data[range]).collect();
    let lent: Vec<&[u8]> = steps(other).map(|range| &other[range]).collect();
    let at = chance.between(0, list.len() as u64) as usize;
    match chance.below(4) {
        0 if !list.is_empty() => drop(list.remove(at.min(list.len() - 1))),
        1 if !list.is_empty() => {
            let again = list[chance.below(list.len() as u64) as usize];
            let times = chance.between(1, 12) as usize;
            list.splice(at..at, std::iter::repeat_n(again, times));
        }
        2 if list.len() > 1 => {
            let from = chance.below(list.len() as u64) as usize;
            let to = at.min(list.len() - 1);
            list.swap(from, to);
        }
        _ if !lent.is_empty() => {
            let from = chance.below(lent.len() as u64) as usize;
            let count = chance.between(1, 8) as usize;
            list.splice(at..at, lent[from..].iter().take(count).copied());
        }
        _ => {}
    }
    list.concat()
}
