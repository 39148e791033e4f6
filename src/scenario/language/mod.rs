//! The language as one table of keys: what each table takes, of which kind, and what it means.
//!
//! Unknown keys, missing keys, wrong types and bad units are found from this table, the messages list
//! what is allowed from it, and the JSON schema is written from it. A key that is not here does not exist.

/// What a value must be.
#[derive(Copy, Clone)]
pub enum Kind {
    /// Any text.
    Text,
    /// true or false.
    Switch,
    /// A whole number between two bounds.
    Number(u64, u64),
    /// A length of time.
    Duration,
    /// A length of time that is not zero.
    Interval,
    /// A length of time or a range of them.
    Range,
    /// A length of time forwards or backwards.
    Signed,
    /// The same, or a range.
    SignedRange,
    /// How much a clock gains, in ppm, or a range.
    Drift,
    /// A moment of the run.
    Time,
    /// A moment or a range.
    TimeRange,
    /// A time of day.
    TimeOfDay,
    /// A calendar time.
    Calendar,
    /// A probability or share.
    Odds,
    /// A number or a share.
    Amount,
    /// A number, a share or a length of time.
    Limit,
    /// Bits a second.
    Bandwidth,
    /// Bytes.
    Size,
    /// One of these words.
    Word(&'static [&'static str]),
    /// An IPv4 address.
    Address,
    /// A network address with its prefix.
    Cidr,
    /// A NetBIOS name, with or without suffix.
    Name,
    /// A NetBIOS name without suffix.
    BareName,
    /// The name of something in this file; the word says of what.
    Ref(&'static str),
    /// A host, or an address.
    HostOrAddress,
    /// A set of hosts: a text or a list of texts.
    Hosts,
    /// One name or several, of links, routers, subnets: the word says of what.
    Refs(&'static str),
    /// A moment: a time, a fault, a step, `heal`.
    Moment,
    /// A list.
    List(&'static Kind),
    /// A table.
    Table(&'static Spec),
    /// A table of things the file names; the word says of what.
    Named(&'static str, &'static Kind),
    /// One of these.
    Either(&'static [Kind]),
    /// Anything.
    Any,
    /// What a sweep varies.
    Vary,
}

/// One key of a table.
#[derive(Copy, Clone)]
pub struct Key {
    /// Its name.
    pub name: &'static str,
    /// What its value must be.
    pub kind: Kind,
    /// Whether it must be there.
    pub required: bool,
    /// What it means, with its default.
    pub doc: &'static str,
}

/// One of several keys must be there, and no two of them.
#[derive(Copy, Clone)]
pub struct Choice {
    /// What they decide: `what breaks`.
    pub decides: &'static str,
    /// The keys.
    pub keys: &'static [Key],
}

/// A table: what it is and what it takes.
pub struct Spec {
    /// `a WINS server`.
    pub what: &'static str,
    /// Its keys.
    pub keys: &'static [Key],
    /// More keys, kept apart: single parameters of a profile, or those every medium takes.
    pub more: &'static [Key],
    /// Keys of which exactly one must be there.
    pub choices: &'static [Choice],
}

impl Spec {
    /// Every key, those of choices included.
    pub fn all_keys(&self) -> impl Iterator<Item = &Key> + use<'_> {
        let chosen = self.choices.iter().flat_map(|c| c.keys);
        chosen.chain(self.keys).chain(self.more)
    }
    /// The key of this name.
    pub fn find(&self, name: &str) -> Option<&Key> {
        self.all_keys().find(|k| k.name == name)
    }
}

const fn key(name: &'static str, kind: Kind, doc: &'static str) -> Key {
    Key { name, kind, required: false, doc }
}
const fn must(name: &'static str, kind: Kind, doc: &'static str) -> Key {
    Key { name, kind, required: true, doc }
}
const fn spec(what: &'static str, keys: &'static [Key]) -> Spec {
    Spec { what, keys, more: &[], choices: &[] }
}

/// Two lists as one. `N` is the length of both.
const fn joined<const N: usize>(a: &[Key], b: &[Key]) -> [Key; N] {
    assert!(a.len() + b.len() == N);
    let mut all = [a[0]; N];
    let mut i = 0;
    while i < N {
        all[i] = if i < a.len() { a[i] } else { b[i - a.len()] };
        i += 1;
    }
    all
}

mod cluster;
mod cluster_story;
mod expects;
mod hosts;
mod kb;
mod story;

pub use cluster::{CLUSTER_PARAMETERS, DATA, RESOURCE_PROPERTIES};
pub use cluster_story::{CLUSTER_CONDITIONS, CLUSTER_FAULTS, CLUSTER_STEPS};
pub use hosts::{NBT_PARAMETERS, WINS_PARAMETERS};

use Kind::*;
use cluster::CLUSTER;
use expects::EXPECT;
use hosts::HOST;
use kb::KB;
use story::{FAULT, PROBE, STEP, WORKLOAD};

/// The whole file.
pub static SCENARIO: Spec = spec(
    "a scenario",
    &[
        must("title", Text, "What the scenario is about, in one line."),
        must("duration", Interval, "How much simulated time the run takes."),
        key(
            "seed",
            Number(0, i64::MAX as u64),
            "The seed when the command line names none. Default 1.",
        ),
        key("epoch", Calendar, "Calendar time of 00:00 of the first day. Default 1998-03-02."),
        key("subnet", Named("subnet", &Either(&[Cidr, Table(&SUBNET)])), "Broadcast domains."),
        key("router", Named("router", &Table(&ROUTER)), "Routers."),
        key("link", Named("link", &Table(&LINK)), "Point-to-point links."),
        key(
            "domain",
            Named("domain", &Either(&[BareName, Table(&DOMAIN)])),
            "Domains, workgroups.",
        ),
        key("host", Named("host", &Table(&HOST)), "Hosts; desk-{1..200} makes two hundred."),
        key("cluster", Named("cluster", &Table(&CLUSTER)), "Clusters."),
        key("workload", Named("workload", &Table(&WORKLOAD)), "What clients do."),
        key("fault", List(&Table(&FAULT)), "What breaks."),
        key("step", List(&Table(&STEP)), "What operators and users do."),
        key("probe", List(&Table(&PROBE)), "What is measured beyond the standard measures."),
        key("expect", List(&Table(&EXPECT)), "What must hold."),
        key("kb", Table(&KB), "The documented failure that the scenario reproduces."),
        key("vary", Vary, VARY_DOC),
    ],
);

const VARY_DOC: &str = "What a sweep tries: a path in quotes with a list of values, or a name with a table \
     of alternatives, each a table of paths and values, in which `remove` lists paths taken out.";

const MEDIUM: &[Key] = &[
    key("delay", Range, "Delay of each datagram. Default 100us in a subnet, 5ms on a link."),
    key("jitter", Duration, "Added on top, from zero to this. Default 0s."),
    key("loss", Odds, "How often a datagram is lost. Default never."),
    key("duplicate", Odds, "How often one arrives twice. Default never."),
    key("reorder", Odds, "How often one is held back. Default never."),
    key("reorder_by", Duration, "How long it is held back. Default 10ms."),
    key("bandwidth", Bandwidth, "Bits a second, such as 64kbit/s. Default no limit."),
    key("queue", Size, "What may wait for a slow line. Default 64KB."),
];

static SUBNET: Spec = Spec {
    what: "a subnet",
    keys: &[must("network", Cidr, "Network address and prefix: 10.1.0.0/24.")],
    more: MEDIUM,
    choices: &[],
};

static ROUTER: Spec = spec(
    "a router",
    &[
        must("on", Refs("subnet"), "The subnets it stands on."),
        key(
            "addresses",
            Named("subnet", &Address),
            "Its address on a subnet. Default: the lowest free.",
        ),
        key("forward_broadcasts", Switch, "Whether broadcasts pass. Default false."),
        key("directed_broadcasts", Switch, "Whether directed broadcasts pass. Default false."),
    ],
);

static LINK: Spec = Spec {
    what: "a link",
    keys: &[must(
        "joins",
        List(&Ref("subnet or router")),
        "Two routers or subnets; a subnet without a router gets one.",
    )],
    more: MEDIUM,
    choices: &[],
};

static DOMAIN: Spec = spec(
    "a domain",
    &[
        must("name", BareName, "Its NetBIOS name."),
        key("workgroup", Switch, "Whether it is a workgroup. Default false."),
    ],
);
