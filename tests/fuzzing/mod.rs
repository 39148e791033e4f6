//! Fuzz targets: what must hold for any bytes at all. `tests/fuzz.rs` runs them with a fuzzer of its own, the
//! programs in `fuzz/` hand them to cargo-fuzz.
//!
//! A target takes bytes, panics when something does not hold, and tells which of its features the bytes
//! reached: small numbers that stand for an error, an answer, an event. Bytes that reach a new feature are
//! worth keeping; that is all the coverage feedback the fuzzer of our own has.

#![allow(dead_code, reason = "each program uses its part")]

pub mod corpus;
pub mod decoders;
pub mod mutate;
pub mod server;

use std::collections::BTreeSet;

/// What bytes reached.
#[derive(Default, Debug)]
pub struct Features(pub BTreeSet<u64>);

impl Features {
    /// Notes that the feature `number` of a kind was reached.
    pub fn reach(&mut self, kind: u8, number: u64) {
        self.0.insert(u64::from(kind) << 56 | (number & ((1 << 56) - 1)));
    }

    /// Notes how large something is, by its number of bits.
    pub fn size(&mut self, kind: u8, size: usize) {
        self.reach(kind, u64::from(usize::BITS - size.leading_zeros()));
    }

    /// Notes a value by its first words alone: `Refused { name: FILES1 }` and `Refused { name: FILES2 }` are
    /// one.
    pub fn shape(&mut self, kind: u8, value: &dyn std::fmt::Debug) {
        self.reach(kind, shape_of(value, 3));
    }

    /// Notes which variant an error is.
    pub fn variant(&mut self, kind: u8, value: &dyn std::fmt::Debug) {
        self.reach(kind, shape_of(value, 1));
    }
}

/// A number for the first words of a value as it prints.
pub fn shape_of(value: &dyn std::fmt::Debug, words: usize) -> u64 {
    let text = format!("{value:?}");
    let long = text.split(|c: char| !c.is_alphabetic()).filter(|word| word.len() > 3);
    let sum = long.take(words).fold(0xCBF2_9CE4_8422_2325u64, |sum, word| {
        word.bytes().fold(sum, |sum, b| (sum ^ u64::from(b)).wrapping_mul(0x100_0000_01B3))
    });
    sum >> 8
}

/// A target: its name, what it does with bytes, and its first inputs.
#[derive(Copy, Clone)]
pub struct Target {
    pub name: &'static str,
    pub run: fn(&[u8], &mut Features),
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// Whether the input is a script of [`server`], which is cut at its steps.
    pub script: bool,
}

/// All targets.
pub const TARGETS: [Target; 7] = [
    Target {
        name: "name_service",
        run: decoders::name_service,
        seeds: corpus::datagrams,
        script: false,
    },
    Target {
        name: "replication",
        run: decoders::replication,
        seeds: corpus::streams,
        script: false,
    },
    Target { name: "lmhosts", run: decoders::lmhosts, seeds: corpus::lmhosts, script: false },
    Target {
        name: "stored_record",
        run: decoders::stored_record,
        seeds: corpus::stored_records,
        script: false,
    },
    Target {
        name: "discovery",
        run: decoders::discovery,
        seeds: corpus::announcements,
        script: false,
    },
    Target { name: "server", run: server::run, seeds: corpus::scripts, script: true },
    Target { name: "server_w2k3", run: server::run_w2k3, seeds: corpus::scripts, script: true },
];
