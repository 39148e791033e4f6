//! The keys of what happens: workloads, faults, steps, probes.

use super::Kind::*;
use super::cluster_story::{CLUSTER_FAULTS, CLUSTER_STEPS};
use super::hosts::{PULLS, PUSHES, RECORD_KINDS, RECORD_STATES, STATIC};
use super::{Choice, Key, Kind, Spec, joined, key, must, spec};

pub(super) static WORKLOAD: Spec = Spec {
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

pub(super) static FAULT: Spec = Spec {
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
    choices: &[Choice { decides: "what breaks", keys: ALL_FAULTS }],
};

const ALL_FAULTS: &[Key] =
    &joined::<{ FAULT_KINDS.len() + CLUSTER_FAULTS.len() }>(FAULT_KINDS, CLUSTER_FAULTS);

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

pub(super) static STEP: Spec = Spec {
    what: "a step",
    keys: &[key("label", Text, "What `after` calls it."), must("at", Time, "When.")],
    more: &[],
    choices: &[Choice { decides: "what is done", keys: ALL_STEPS }],
};

const ALL_STEPS: &[Key] =
    &joined::<{ STEP_KINDS.len() + CLUSTER_STEPS.len() }>(STEP_KINDS, CLUSTER_STEPS);

const STEP_KINDS: &[Key] = &[
    key("add_static", Table(&ADD_STATIC), "Types a static mapping in."),
    key("import_lmhosts", Table(&IMPORT), "Imports an LMHOSTS file."),
    key("replicate", Table(&REPLICATE), "Forces replication."),
    key("set_partners", Table(&SET_PARTNERS), "Replaces a server's partners."),
    key("scavenge", Table(&SCAVENGE), "Starts a scavenging pass."),
    key("delete_record", Table(&RECORD), "Deletes a record on one server; nothing replicates."),
    key("tombstone_record", Table(&RECORD), "Makes a record a tombstone, for every partner."),
    key("delete_owner", Table(&OWNER), "Deletes an owner and all its records on one server."),
    key("put_record", Table(&PUT_RECORD), "Puts a record into a database, as repair tools do."),
    key("check_consistency", Table(&CHECK), "Starts a consistency check (Q154410)."),
    key("stop_wins", Hosts, "Stops the WINS service; the host stays on."),
    key("start_wins", Hosts, "Starts the WINS service."),
    key("malformed_packet", Table(&MALFORMED), "Sends what is no packet to port 137."),
    key("roam", Table(&ROAM), "Moves hosts to another subnet."),
    key("shut_down", Hosts, "Shuts hosts down cleanly."),
    key("boot", Hosts, "Switches hosts on."),
    key("register", Table(&REGISTER), "A service registers a name."),
    key("release", Table(&RELEASE), "A service gives a name up."),
    key("claim", Table(&CLAIM), "Sends a bare registration or release, as other software does."),
    key("release_refresh", Hosts, "nbtstat -RR: all names are released and registered again."),
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
        key("force", Switch, "Whether the uptime rule is waived. Default false."),
    ],
);
static RECORD: Spec = spec(
    "a record to be changed",
    &[must("server", Ref("WINS server"), "Where."), must("name", Name, "The name.")],
);
static OWNER: Spec = spec(
    "an owner to be deleted",
    &[must("server", Ref("WINS server"), "Where."), must("owner", HostOrAddress, "Whose records.")],
);
static PUT_RECORD: Spec = spec(
    "a record to be put",
    &[
        must("server", Ref("WINS server"), "Where."),
        must("name", Name, "The name."),
        key("kind", Word(RECORD_KINDS), "Default unique."),
        key("state", Word(RECORD_STATES), "Default active."),
        key("static", Switch, "Whether it is static. Default false."),
        key("owner", HostOrAddress, "Who owns it. Default: the server itself."),
        key("version", Number(1, i64::MAX as u64), "Default: the next one of the server."),
        key("addresses", List(&HostOrAddress), "Its members, none to 25."),
        key("member_owner", HostOrAddress, "Who registered them. Default: the owner."),
    ],
);
static CHECK: Spec = spec("a consistency check", &[must("server", Ref("WINS server"), "Where.")]);
static MALFORMED: Spec = spec(
    "a malformed packet",
    &[must("host", Ref("host"), "Who sends it."), must("to", HostOrAddress, "To whom.")],
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
static CLAIM: Spec = spec(
    "a bare claim",
    &[
        must("host", Ref("host"), "Who sends it."),
        must("server", HostOrAddress, "Whom to."),
        must("name", Name, "The name."),
        key("kind", Word(&["unique", "group", "multihomed"]), "Default unique."),
        key("address", HostOrAddress, "The address claimed. Default: the sender's."),
        key("release", Switch, "Whether the name is given up instead. Default false."),
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

pub(super) static PROBE: Spec = Spec {
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
