//! The keys of expectations: when something must hold, and what.

use super::Kind::*;
use super::cluster_story::CLUSTER_CONDITIONS;
use super::hosts::{RECORD_STATES, STATIC_KINDS};
use super::{Choice, Key, Spec, joined, key, must, spec};

pub(super) static EXPECT: Spec = Spec {
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
        Choice { decides: "what must hold", keys: ALL_CONDITIONS },
    ],
};

const ALL_CONDITIONS: &[Key] =
    &joined::<{ CONDITIONS.len() + CLUSTER_CONDITIONS.len() }>(CONDITIONS, CLUSTER_CONDITIONS);

const CONDITIONS: &[Key] = &[
    key("databases_agree", Either(&[Switch, Hosts]), "Active records of servers are the same."),
    key("server_knows", Table(&SERVER_KNOWS), "Servers have such a record."),
    key("server_lacks", Table(&SERVER_LACKS), "Servers would not answer for the name."),
    key("record_count", Table(&RECORD_COUNT), "How many records servers have."),
    key("owner_known", Table(&OWNER_KNOWN), "The version up to which servers know an owner."),
    key("hosts_resolve", Table(&HOSTS_RESOLVE), "Every look-up of a name gives the right address."),
    key("lookup_success", Table(&LOOKUP_SUCCESS), "Share of look-ups that succeed."),
    key("lookup_time", Table(&LOOKUP_TIME), "How long look-ups take, whatever they come to."),
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
        key("version_min", Number(0, i64::MAX as u64), "The least its version may be."),
        key("version_max", Number(0, i64::MAX as u64), "The most its version may be."),
        key("state", Word(RECORD_STATES), "Default active."),
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
static RECORD_COUNT: Spec = spec(
    "a number of records",
    &[
        must("server", Hosts, "WINS servers, each of them."),
        key("owner", HostOrAddress, "Only records of this owner."),
        key("state", Word(RECORD_STATES), "Only in this state."),
        key("at_least", Number(0, 100_000_000), "Not fewer."),
        key("at_most", Number(0, 100_000_000), "Not more."),
    ],
);
static OWNER_KNOWN: Spec = spec(
    "an owner to be known",
    &[
        must("server", Hosts, "WINS servers, each of them."),
        must("owner", HostOrAddress, "The owner; 0 is the version of an unknown one."),
        key("at_least", Number(0, i64::MAX as u64), "Not below this version."),
        key("at_most", Number(0, i64::MAX as u64), "Not above."),
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
static LOOKUP_TIME: Spec = spec(
    "a time of look-ups",
    &[
        key("at_most", Duration, "Not more than this."),
        key("at_least", Duration, "Not less."),
        key("name", Text, "A host, or a NetBIOS name with its suffix. Default: any."),
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
