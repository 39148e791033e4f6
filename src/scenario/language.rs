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
    pub fn all_keys(&self) -> impl Iterator<Item = &Key> {
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

use Kind::*;

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
        key("cluster", Any, "Clusters come in a later version."),
        key("workload", Named("workload", &Table(&WORKLOAD)), "What clients do."),
        key("fault", List(&Table(&FAULT)), "What breaks."),
        key("step", List(&Table(&STEP)), "What operators and users do."),
        key("probe", List(&Table(&PROBE)), "What is measured beyond the standard measures."),
        key("expect", List(&Table(&EXPECT)), "What must hold."),
        key("vary", Any, "Values a sweep tries: a table of paths and lists."),
    ],
);

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

/// Versions a host can behave like.
pub const PROFILES: &[&str] = &[
    "nt35", "nt351", "nt40", "nt40-sp0", "nt40-sp1", "nt40-sp2", "nt40-sp3", "nt40-sp4",
    "nt40-sp5", "nt40-sp6", "w2k", "w2k3", "w95",
];

static HOST: Spec = spec(
    "a host",
    &[
        must("on", Ref("subnet"), "The subnet it stands on."),
        key("address", Address, "Its address; of a template, the first. Default: the next free."),
        key("boot", Either(&[TimeRange, Word(&["off"])]), "When it is switched on. Default 00:00."),
        key("boot_takes", Range, "From power-on to the first packet. Default 30s."),
        key(
            "profile",
            Word(PROFILES),
            "The version it behaves like. Default nt40 (service pack 6).",
        ),
        key("computer", Text, "Its NetBIOS name. Default: its name in capitals."),
        key("user", Text, "Who logs on at boot; {n} stands for the host's number."),
        key("names", List(&Text), "Unique names it registers too, such as SQL{n}#20."),
        key("group_names", List(&Text), "Group names it registers too."),
        key("clock", Table(&CLOCK), "Its clock."),
        key("cpu", Table(&CPU), "Its processor."),
        key("disk", Table(&DISK), "Its disk."),
        key("nbt", Either(&[Switch, Table(&NBT)]), "NetBIOS over TCP/IP. Default: on."),
        key("wins", Either(&[Switch, Table(&WINS)]), "The WINS service. Default: none."),
    ],
);

static CLOCK: Spec = spec(
    "a clock",
    &[
        key("offset", SignedRange, "How far ahead it is. Default 0s."),
        key("drift", Drift, "How much it gains, such as +50ppm. Default 0ppm."),
    ],
);

static CPU: Spec = spec(
    "a processor",
    &[
        key("registration", Duration, "Time of a registration or refresh. Default 1ms."),
        key("release", Duration, "Time of a release. Default 1ms."),
        key("query", Duration, "Time of a query. Default 300us."),
        key("replication", Duration, "Time of a replication segment. Default 500us."),
        key(
            "name_changes_max",
            Number(1, 1_000_000),
            "Name changes waiting. Default 25000 (Q154410).",
        ),
        key("queries_max", Number(1, 1_000_000), "Queries waiting. Default 25000."),
    ],
);

static DISK: Spec = spec(
    "a disk",
    &[
        key("write", Duration, "Time of a write. Default 1ms."),
        key("read", Duration, "Time of a read. Default 200us."),
        key("per_page", Duration, "Time per 4096 bytes. Default 1ms."),
        key("sync", Duration, "Time of a flush. Default 10ms."),
        key("capacity", Size, "Its size. Default 2GB."),
    ],
);

static NBT: Spec = Spec {
    what: "a NetBT client",
    keys: &[
        key("node_type", Word(&["B", "P", "M", "H"]), "Default H with a WINS server, else B."),
        key("servers", List(&HostOrAddress), "WINS servers, the primary first."),
        key("domain", Ref("domain"), "Its domain or workgroup."),
        key("role", Word(&["workstation", "server", "bdc", "pdc"]), "Default workstation."),
        key("local_master", Switch, "Whether it is its subnet's master browser. Default false."),
    ],
    more: NBT_PARAMETERS,
    choices: &[],
};

/// Parameters of the client profile that can be set one by one.
pub const NBT_PARAMETERS: &[Key] = &[
    key("server_timeout", Interval, "Wait for a server (NameSrvQueryTimeout)."),
    key("server_tries", Number(1, 255), "Requests before a server is silent (NameSrvQueryCount)."),
    key("broadcast_timeout", Interval, "Wait after a broadcast (BcastQueryTimeout)."),
    key("broadcast_tries", Number(1, 255), "Broadcasts of one request (BcastNameQueryCount)."),
    key("cache_life", Duration, "Life of a cached answer (CacheTimeout)."),
    key("cache_capacity", Number(0, 65_535), "Names in the cache."),
    key("initial_refresh", Interval, "Refresh timeout before a server has granted one."),
    key("sweep", Interval, "Period of the refresh sweep."),
    key("ttl_min", Duration, "Smallest time to live accepted."),
    key("wins_down", Duration, "Pause after all servers were silent (WinsDownTimeout)."),
    key("wack_max", Duration, "Longest wait a WACK can ask for."),
    key("service_spacing", Duration, "Between the starts of two services at boot."),
    key("overwrite_demand", Switch, "Whether a broadcast claim ends with an overwrite demand."),
    key("repeats_broadcast_claim", Switch, "Whether a broadcast claim is repeated."),
    key("asks_next_on_negative", Switch, "Whether the next server is asked after a no (Q137780)."),
    key("negative_wait", Duration, "Wait after a no (Q219357)."),
    key("servers_max", Number(1, 12), "Servers of the list that are used (Q870623)."),
    key("refreshes_all_on_return", Switch, "Whether all names are refreshed at a found primary."),
    key("reclaims_after_ttl", Switch, "Whether expired names are claimed afresh."),
    key("releases_all_at_shutdown", Switch, "Whether 00, 03, 1C are released too (Q140419)."),
    key("refresh_opcode_9", Switch, "Refresh with opcode 9 (RefreshOpCode)."),
    key("releases_on_address_change", Switch, "Whether names are released before a move."),
    key("ignores_foreign_demands", Switch, "Ignore demands of strangers (Q269239)."),
    key("single_server_stays_b", Switch, "Never ask a single silent server again (Q155501)."),
];

/// A server to pull from.
pub static PULL: Spec = spec(
    "a pull partner entry",
    &[
        must("host", Ref("WINS server"), "The other server."),
        key("interval", Interval, "Time between pulls. Default: the server's pull_interval."),
        key("at", TimeOfDay, "Time of day of the first pull (SpTime)."),
        key("on_start", Switch, "Whether it pulls at service start. Default true."),
        key("high_precedence", Switch, "MemberPrec of 1C members from there. Default false."),
    ],
);

/// A server to notify.
pub static PUSH: Spec = spec(
    "a push partner entry",
    &[
        must("host", Ref("WINS server"), "The other server."),
        key("after_changes", Number(0, 1_000_000), "Changes before a notification; at least 20."),
        key("on_start", Switch, "Whether it notifies at service start. Default false."),
        key("on_address_change", Switch, "RplOnAddressChg. Default false."),
        key("only_dynamic", Switch, "OnlyDynRecs. Default false."),
    ],
);

const PULLS: &[Kind] = &[Ref("WINS server"), Table(&PULL)];
const PUSHES: &[Kind] = &[Ref("WINS server"), Table(&PUSH)];

static WINS: Spec = Spec {
    what: "a WINS server",
    keys: &[
        key("partners", Refs("WINS server"), "Servers it pulls from and notifies."),
        key("pull_from", List(&Either(PULLS)), "Servers it pulls from."),
        key("push_to", List(&Either(PUSHES)), "Servers it notifies."),
        key(
            "pull_interval",
            Interval,
            "Time between pulls where nothing else is said. Default 30min.",
        ),
        key("push_after_changes", Number(0, 1_000_000), "UpdateCount (at least 20). Default 20."),
        key("statics", List(&Table(&STATIC)), "Static mappings from the start."),
        key("lmhosts", Either(&[Text, List(&Text)]), "LMHOSTS files imported at service start."),
    ],
    more: WINS_PARAMETERS,
    choices: &[],
};

/// Parameters of the server profile that can be set one by one.
pub const WINS_PARAMETERS: &[Key] = &[
    key("renewal_interval", Interval, "How long a registration holds (RefreshInterval)."),
    key("extinction_interval", Interval, "From released to tombstone (TombStoneInterval)."),
    key("extinction_timeout", Interval, "From tombstone to gone (TombStoneTimeOut)."),
    key("verification_interval", Interval, "After which a replica is verified (VerifyInterval)."),
    key("scavenge_every", Interval, "Default: half the renewal interval (Q138272)."),
    key("replica_tombstones_wait", Duration, "Uptime before replica tombstones are deleted."),
    key("own_tombstones_wait", Switch, "Whether own tombstones wait as long."),
    key("tombstone_replicas_stay_long", Switch, "Q162766."),
    key("challenge_tries", Number(1, 255), "Queries in a challenge (ChlMaxNoOfRetries)."),
    key("challenge_interval", Interval, "Wait after the first (InitChlRetryInterval)."),
    key("challenge_doubles", Switch, "Whether each further wait doubles (Q173519)."),
    key("challenge_joins", Switch, "Whether a shared answer makes a multihomed record."),
    key("challenges_max", Number(1, 65_535), "Challenges under way."),
    key("wack_ttl", Number(0, 3600), "Seconds in a WACK..."),
    key("wack_ttl_per_address", Number(0, 3600), "...and per stored address."),
    key("query_ttl", Number(0, 1_000_000), "Seconds in positive query answers."),
    key("prepend_1b", Switch, "Prepend1BTo1CQueries."),
    key("randomize_1c", Switch, "Randomize1cList (Q231305)."),
    key("members_max", Number(1, 25), "Addresses in a group or multihomed record."),
    key("migrate_on", Switch, "MigrateOn: statics give way like dynamics. Default false."),
    key("migrate_on_1c", Switch, "Whether that reaches 1C (Q171794)."),
    key("group_overruns_static", Switch, "Q161432."),
    key("burst_handling", Switch, "BurstHandling (Q184693)."),
    key("burst_queue_size", Number(50, 5000), "BurstQueSize."),
    key("registration_queue_max", Number(1, 1_000_000), "Beyond it requests are dropped."),
    key("burst_answers_in_full", Switch, "Q154410."),
    key("commit", Word(&["lazy", "strict"]), "When answers leave. Default lazy."),
    key("version_start", Number(0, 0x7FFF_FFFF), "VersCounterStartVal (Q135405)."),
    key("only_configured_partners", Switch, "RplOnlyWCnfPnrs. Default true."),
    key("statics_to_strangers", Switch, "Whether unlisted pullers get statics."),
    key("persistent_associations", Switch, "Whether associations stay open."),
    key("replica_beats_own", Switch, "Q136571."),
    key("merge_takes_ownership", Switch, "Q168076."),
    key("push_on_1c_tombstone", Switch, "Q216585."),
    key("pull_retries", Number(0, 1000), "CommRetryCount."),
    key("consistency_check", Interval, "Time between consistency checks (Q154410)."),
    key("verify_records_max", Number(1, 1_000_000), "Records verified in one run."),
    key("verify_with_partners", Switch, "UseRplPnrs."),
    key("pause_until_replicated", Switch, "InitTimePause (Q193887)."),
];

/// What a static mapping can be.
pub const STATIC_KINDS: &[&str] =
    &["unique", "group", "domain-name", "internet-group", "multihomed"];

/// A static mapping.
pub static STATIC: Spec = spec(
    "a static mapping",
    &[
        must("name", Name, "The name; with a suffix, only that record is made."),
        key("kind", Word(STATIC_KINDS), "Default unique."),
        key("addresses", List(&HostOrAddress), "1 to 25 addresses; one for a unique mapping."),
    ],
);

static WORKLOAD: Spec = Spec {
    what: "a workload",
    keys: &[],
    more: &[],
    choices: &[Choice {
        decides: "what clients do",
        keys: &[
            key("boot_storm", Table(&BOOT_STORM), "Many hosts are switched on at once."),
            key("lookups", Table(&LOOKUPS), "Hosts look names up."),
            key("churn", Table(&CHURN), "Hosts are switched off and on."),
            key("roaming", Table(&ROAMING), "Hosts move between subnets."),
        ],
    }],
};

static BOOT_STORM: Spec = spec(
    "a boot storm",
    &[
        must("hosts", Hosts, "Which hosts."),
        must("at", Time, "When the first may start."),
        must("within", Duration, "In how much time all have started."),
        key("law", Word(&["uniform", "exponential", "burst-front"]), "Default uniform."),
    ],
);

static LOOKUPS: Spec = spec(
    "a look-up workload",
    &[
        must("hosts", Hosts, "Who asks."),
        must("names", Hosts, "Hosts to look up, or NetBIOS names with their suffix (CORP#1C)."),
        must("every", Interval, "Mean time between two look-ups of one host."),
        key("law", Word(&["exponential", "uniform", "fixed"]), "Default exponential."),
        key("from", Time, "When it begins. Default 00:00."),
        key("until", Time, "When it ends. Default: the end of the run."),
        key("cache", Switch, "Whether the client's name cache may answer. Default true."),
    ],
);

static CHURN: Spec = spec(
    "a churn workload",
    &[
        must("hosts", Hosts, "Which hosts."),
        must("every", Interval, "Mean time a host is on."),
        must("off_for", Range, "How long it is off."),
        key("clean", Switch, "Whether it shuts down cleanly. Default true."),
        key("from", Time, "When it begins. Default 00:00."),
        key("until", Time, "When it ends. Default: the end of the run."),
    ],
);

static ROAMING: Spec = spec(
    "a roaming workload",
    &[
        must("hosts", Hosts, "Which hosts."),
        must("to", Refs("subnet"), "Where to."),
        must("every", Interval, "Mean time in one place."),
        key("from", Time, "When it begins. Default 00:00."),
        key("until", Time, "When it ends. Default: the end of the run."),
    ],
);

static FAULT: Spec = Spec {
    what: "a fault",
    keys: &[
        key("label", Text, "What `after` and charts call it."),
        key("at", Time, "When; with `every`, the first time."),
        key("between", TimeRange, "Instead of `at`: a window from which the moment is drawn."),
        key("every", Range, "Again and again, from start to start."),
        key("until", Time, "With `every`: nothing starts at or after this."),
        key("lasts", Range, "How long. Default: for the rest of the run."),
    ],
    more: &[],
    choices: &[Choice { decides: "what breaks", keys: FAULT_KINDS }],
};

const SIDES: &[Kind] = &[List(&Hosts), Table(&PARTITION)];

const FAULT_KINDS: &[Key] = &[
    key("crash", Hosts, "The system stops; the disk keeps what it was given."),
    key("power_cut", Hosts, "Power goes; unflushed writes are lost, kept or torn."),
    key("pause", Hosts, "The host stands still."),
    key("reboot", Hosts, "A clean restart."),
    key("wipe", Hosts, "A power cut that leaves an empty disk."),
    key("link_down", Refs("link"), "Links carry nothing."),
    key("router_down", Refs("router"), "Routers forward nothing."),
    key("partition", Either(SIDES), "Two sides cannot talk."),
    key("loss", Table(&LOSS), "Datagrams are lost."),
    key("delay", Table(&DELAY), "Datagrams take longer."),
    key("duplicate", Table(&LOSS), "Datagrams arrive twice."),
    key("clock_jump", Table(&CLOCK_JUMP), "Clocks jump."),
    key("clock_drift", Table(&CLOCK_DRIFT), "Clocks run fast or slow."),
    key("slow_disk", Table(&SLOW_DISK), "Disk operations take longer."),
    key("full_disk", Hosts, "Disks accept no further write."),
];

static PARTITION: Spec = spec(
    "a partition",
    &[
        must("from", Hosts, "One side: subnets or hosts."),
        must("to", Hosts, "The other side."),
        key("one_way", Switch, "Whether only that direction is cut. Default false."),
    ],
);
static LOSS: Spec = spec(
    "a loss window",
    &[must("on", Hosts, "Links, subnets or hosts."), must("odds", Odds, "How often.")],
);
static DELAY: Spec = spec(
    "a delay window",
    &[must("on", Hosts, "Links, subnets or hosts."), must("by", Range, "By how much.")],
);
static CLOCK_JUMP: Spec = spec(
    "a clock jump",
    &[must("hosts", Hosts, "Whose clocks."), must("by", Signed, "How far: +2h, -30min.")],
);
static CLOCK_DRIFT: Spec = spec(
    "a clock drift",
    &[must("hosts", Hosts, "Whose clocks."), must("by", Drift, "How much they gain: +200ppm.")],
);
static SLOW_DISK: Spec = spec(
    "a slow disk",
    &[
        must("hosts", Hosts, "Whose disks."),
        must("factor", Number(2, 100_000), "How many times as long."),
    ],
);

static STEP: Spec = Spec {
    what: "a step",
    keys: &[key("label", Text, "What `after` calls it."), must("at", Time, "When.")],
    more: &[],
    choices: &[Choice { decides: "what is done", keys: STEP_KINDS }],
};

const STEP_KINDS: &[Key] = &[
    key("add_static", Table(&ADD_STATIC), "Types a static mapping in."),
    key("import_lmhosts", Table(&IMPORT), "Imports an LMHOSTS file."),
    key("replicate", Table(&REPLICATE), "Forces replication."),
    key("set_partners", Table(&SET_PARTNERS), "Replaces a server's partners."),
    key("scavenge", Table(&SCAVENGE), "Starts a scavenging pass."),
    key("roam", Table(&ROAM), "Moves hosts to another subnet."),
    key("shut_down", Hosts, "Shuts hosts down cleanly."),
    key("boot", Hosts, "Switches hosts on."),
    key("register", Table(&REGISTER), "A service registers a name."),
    key("release", Table(&RELEASE), "A service gives a name up."),
    key("log_on", Table(&LOG_ON), "A user logs on."),
    key("lookup", Table(&LOOKUP), "Hosts look a name up."),
];

static ADD_STATIC: Spec = Spec {
    what: "an added static mapping",
    keys: &[must("server", Ref("WINS server"), "Where it is typed in.")],
    more: STATIC.keys,
    choices: &[],
};
static IMPORT: Spec = spec(
    "an LMHOSTS import",
    &[
        must("server", Ref("WINS server"), "Where."),
        must("file", Text, "The file, beside the scenario."),
    ],
);
static REPLICATE: Spec = spec(
    "a forced replication",
    &[
        must("server", Ref("WINS server"), "Where."),
        key("direction", Word(&["pull", "push"]), "Default pull."),
        key("partner", Ref("WINS server"), "With this partner only. Default: all."),
        key("propagate", Switch, "Whether those notified go on. Default false."),
    ],
);
static SET_PARTNERS: Spec = Spec {
    what: "a change of partners",
    keys: &[must("server", Ref("WINS server"), "Whose partners.")],
    more: &[
        key("partners", Refs("WINS server"), "Servers it pulls from and notifies."),
        key("pull_from", List(&Either(PULLS)), "Servers it pulls from."),
        key("push_to", List(&Either(PUSHES)), "Servers it notifies."),
        key("pull_interval", Interval, "Time between pulls. Default 30min."),
        key("push_after_changes", Number(0, 1_000_000), "UpdateCount. Default 20."),
    ],
    choices: &[],
};
static SCAVENGE: Spec = spec(
    "a scavenging pass",
    &[
        must("server", Ref("WINS server"), "Where."),
        key("verify", Switch, "Whether replicas are verified whatever their age. Default false."),
        key("force", Switch, "Whether the uptime rule is waived. Default false."),
    ],
);
static ROAM: Spec = spec(
    "a move",
    &[
        must("host", Hosts, "Which hosts."),
        must("to", Ref("subnet"), "Where to."),
        key("address", Address, "The address there, of one host. Default: the next free."),
    ],
);
static REGISTER: Spec = spec(
    "a registration",
    &[
        must("host", Ref("host"), "Where."),
        must("name", Name, "The name."),
        key("group", Switch, "Whether it is a group name. Default false."),
    ],
);
static RELEASE: Spec =
    spec("a release", &[must("host", Ref("host"), "Where."), must("name", Name, "The name.")]);
static LOG_ON: Spec =
    spec("a logon", &[must("host", Ref("host"), "Where."), must("user", BareName, "Who.")]);
/// One look-up.
pub static LOOKUP: Spec = spec(
    "a look-up",
    &[
        must("host", Hosts, "Who asks."),
        must("name", Text, "A host, or a NetBIOS name with its suffix."),
    ],
);

static PROBE: Spec = Spec {
    what: "a probe",
    keys: &[must("name", Text, "The line in the chart."), must("every", Interval, "How often.")],
    more: &[],
    choices: &[Choice {
        decides: "what is measured",
        keys: &[
            key("records", Hosts, "Active records in these servers' databases."),
            key("queue", Hosts, "Work waiting at these hosts."),
            key("success", Hosts, "Share of successful look-ups by these hosts."),
            key("registered", Hosts, "Share of these hosts with all names registered."),
            key("lookup", Table(&LOOKUP), "The time one look-up takes."),
        ],
    }],
};

static EXPECT: Spec = Spec {
    what: "an expectation",
    keys: &[
        key("from", Moment, "When the period begins. Default 00:00."),
        key("until", Moment, "When the period ends. Default: the end of the run."),
        key("after", Moment, "Of a goal: from when its deadline runs."),
        key("within", Duration, "Of a goal: its deadline."),
        key("stays", Duration, "Of a goal: how long it must then hold."),
    ],
    more: &[],
    choices: &[
        Choice {
            decides: "when it must hold",
            keys: &[
                key("never", Text, "The condition holds at no moment of the period."),
                key("always", Text, "The condition holds throughout the period."),
                key("goal", Text, "The condition holds by a deadline."),
                key("reach", Text, "The condition holds at least once in the period."),
            ],
        },
        Choice { decides: "what must hold", keys: CONDITIONS },
    ],
};

const CONDITIONS: &[Key] = &[
    key("databases_agree", Either(&[Switch, Hosts]), "Active records of servers are the same."),
    key("server_knows", Table(&SERVER_KNOWS), "Servers have such a record."),
    key("server_lacks", Table(&SERVER_LACKS), "Servers would not answer for the name."),
    key("hosts_resolve", Table(&HOSTS_RESOLVE), "Every look-up of a name gives the right address."),
    key("lookup_success", Table(&LOOKUP_SUCCESS), "Share of look-ups that succeed."),
    key("stale_answers", Table(&ANSWERS), "Answers with an address no longer held."),
    key("wrong_answers", Table(&ANSWERS), "Answers with an address never right."),
    key("one_holder", Either(&[Switch, Text]), "No two live hosts hold a unique name."),
    key("current_server", Table(&CURRENT_SERVER), "The server hosts use."),
    key("registered", Table(&REGISTERED), "Share of hosts with all names registered."),
    key("answer", Table(&ANSWER), "What look-ups of a name are answered."),
    key("measure", Table(&MEASURE), "A measure at the end of the run."),
    key("event_logged", Table(&EVENT), "A host has logged an event."),
];

static SERVER_KNOWS: Spec = spec(
    "a record to be known",
    &[
        must("server", Hosts, "WINS servers."),
        must("name", Text, "A host, or a NetBIOS name with its suffix."),
        key("addresses", List(&HostOrAddress), "Exactly these addresses."),
        key("owner", Ref("WINS server"), "The server that owns it."),
        key("state", Word(&["active", "released", "tombstone"]), "Default active."),
        key("kind", Word(STATIC_KINDS), "Its kind."),
        key("static", Switch, "Whether it is static."),
    ],
);
static SERVER_LACKS: Spec = spec(
    "a record to be unknown",
    &[
        must("server", Hosts, "WINS servers."),
        must("name", Text, "A host, or a NetBIOS name with its suffix."),
    ],
);
static HOSTS_RESOLVE: Spec = spec(
    "a resolution",
    &[
        must("name", Text, "A host, or a NetBIOS name with its suffix."),
        key("hosts", Hosts, "Who asks. Default: every client."),
        key("address", HostOrAddress, "Default: the address its holder has at that moment."),
    ],
);
static LOOKUP_SUCCESS: Spec = spec(
    "a success rate",
    &[
        must("at_least", Odds, "The share."),
        key("window", Interval, "In each window of this length. Default: the whole period."),
        key("hosts", Hosts, "Who asks. Default: every client."),
    ],
);
static ANSWERS: Spec = spec(
    "a limit on answers",
    &[
        must("at_most", Amount, "How many, or which share of all look-ups."),
        key("hosts", Hosts, "Who asks. Default: every client."),
    ],
);
static CURRENT_SERVER: Spec = spec(
    "a server in use",
    &[must("hosts", Hosts, "Which hosts."), must("server", Ref("WINS server"), "The server.")],
);
static REGISTERED: Spec = spec(
    "a share of hosts",
    &[
        key("at_least", Odds, "The share. Default 100%."),
        key("hosts", Hosts, "Which hosts. Default: every client."),
    ],
);
static ANSWER: Spec = spec(
    "an answer",
    &[
        must("name", Text, "A host, or a NetBIOS name with its suffix."),
        key("hosts", Hosts, "Who asks. Default: every client."),
        key("contains", List(&HostOrAddress), "Among the answer."),
        key("lacks", List(&HostOrAddress), "Not in the answer."),
        key("starts_with", List(&HostOrAddress), "The answer begins so."),
        key("count", Number(0, 25), "How many addresses."),
    ],
);
static MEASURE: Spec = spec(
    "a measure",
    &[
        must("name", Text, "Its dotted name: replication.lag."),
        key("figure", Word(&["count", "min", "p50", "p90", "p99", "max"]), "Default max."),
        key("at_least", Limit, "Not below."),
        key("at_most", Limit, "Not above."),
    ],
);
static EVENT: Spec = spec(
    "a logged event",
    &[
        must("id", Number(1, 65_535), "Its number: 4319."),
        key("hosts", Hosts, "On one of these. Default: any host."),
    ],
);
