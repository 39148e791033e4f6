//! The keys of hosts: clock, processor, disk, client, WINS server and its partners.

use super::Kind::*;
use super::cluster::data;
use super::{Key, Kind, Spec, key, must, spec};

/// Versions a host can behave like.
pub const PROFILES: &[&str] = &[
    "nt35",
    "nt35-sp0",
    "nt35-sp1",
    "nt35-sp2",
    "nt35-sp3",
    "nt351",
    "nt351-sp0",
    "nt351-sp1",
    "nt351-sp2",
    "nt351-sp3",
    "nt351-sp4",
    "nt351-sp5",
    "nt40",
    "nt40-sp0",
    "nt40-sp1",
    "nt40-sp2",
    "nt40-sp3",
    "nt40-sp4",
    "nt40-sp5",
    "nt40-sp6",
    "w2k",
    "w2k3",
    "w95",
];

pub(super) static HOST: Spec = spec(
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
        key(
            "also_on",
            Either(&[Named("subnet", &Address), Refs("subnet")]),
            "Its other adapters: subnets, or subnets and its address there; of a template, the first.",
        ),
        key("registry", Either(&[Text, List(&Text)]), "`.reg` files, or texts of several lines."),
        key("service", Named("service", &Table(&PROGRAM)), "Services the scenario invents."),
    ],
);

/// A service or program that only the scenario knows.
static PROGRAM: Spec = spec(
    "a service",
    &[
        key("automatic", Switch, "Whether it starts with its host. Default false."),
        key("starts_in", Range, "How long its start takes. Default 1s."),
        key("stops_in", Range, "How long its stop takes. Default 1s."),
        key("start_fails", Odds, "How often a start fails. Default never."),
        key("crashes_every", Interval, "Mean time it runs until it crashes. Default: never."),
        key("needs", Either(&[Table(&NEED), List(&Table(&NEED))]), "Without it, no start."),
        key("writes", Either(&[Table(&WRITE), List(&Table(&WRITE))]), "What it writes as it runs."),
        key("keeps_open", List(&Text), "Registry keys it has open while it runs."),
        key("leaks_handles", Switch, "Whether they stay open at its stop (Q316772)."),
        key(
            "cluster_aware",
            Switch,
            "Whether its keys are in the cluster registry. Default false.",
        ),
    ],
);

static NEED: Spec = spec(
    "a needed value",
    &[
        must("key", Text, "The registry key, relative to HKLM."),
        key("value", Text, "The value's name. Default: the key's default value."),
        data("data", "What it must be. Default: anything."),
    ],
);

static WRITE: Spec = spec(
    "a written value",
    &[
        key("key", Text, "The registry key, relative to HKLM."),
        key("delayed", Switch, "Whether a file's writes wait in the node's cache. Default false."),
        key("file", Text, "Instead of a key: a file on a disk of the cluster, with its path."),
        key("value", Text, "The value's name. Default: the key's default value."),
        data("data", "What is written. Default: a number, one more each time."),
        must("every", Range, "From one write to the next."),
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
    key("refresh_every", Interval, "Refresh so often whatever is granted (Q153713)."),
    key("failure_refreshes_all", Switch, "One failed name has all refreshed (Q164308)."),
    key("swaps_at_refresh", Switch, "A refresh goes to the other server (Q164309)."),
    key("forgets_server_name", Switch, "20 is not claimed again after a stop (Q139932)."),
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
        key(
            "interval",
            Either(&[Interval, Word(&["none"])]),
            "Time between pulls; none: left blank (Q147356). Default: the server's pull_interval.",
        ),
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

pub(super) const PULLS: &[Kind] = &[Ref("WINS server"), Table(&PULL)];
pub(super) const PUSHES: &[Kind] = &[Ref("WINS server"), Table(&PUSH)];

pub(super) static WINS: Spec = Spec {
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
        key("starts_after", Duration, "How long after its host's other services. Default 0s."),
        key("statics", List(&Table(&STATIC)), "Static mappings from the start."),
        key(
            "persona_non_grata",
            List(&HostOrAddress),
            "Owners whose records are never pulled (PersonaNonGrata). Default none.",
        ),
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
    key("scavenger_starts_wrong", Switch, "Q149318."),
    key("scavenge_drops_statics", Switch, "Q164631."),
    key("statics_dropped_above", Number(0, 1_000_000), "Static replicas that survive it."),
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
    key("group_overwrites_static", Switch, "Q166502."),
    key("static_members_stay", Switch, "Q150731."),
    key("malformed_stops", Switch, "Q155701."),
    key("special_group_masks", List(&Text), "SPEC_GRP_MASKS: 32 hexadecimal digits each."),
    key("burst_handling", Switch, "BurstHandling (Q184693)."),
    key("burst_queue_size", Number(50, 5000), "BurstQueSize."),
    key("registration_queue_max", Number(1, 1_000_000), "Beyond it requests are dropped."),
    key("burst_answers_in_full", Switch, "Q154410."),
    key("burst_enters_later", Switch, "Whether an early answered request stays queued."),
    key("commit", Word(&["lazy", "strict"]), "When answers leave. Default lazy."),
    key("version_start", Number(0, 0x7FFF_FFFF), "VersCounterStartVal (Q135405)."),
    key("only_configured_partners", Switch, "RplOnlyWCnfPnrs. Default true."),
    key("statics_to_strangers", Switch, "Whether unlisted pullers get statics."),
    key("persistent_associations", Switch, "Whether associations stay open."),
    key("replica_beats_own", Switch, "Q136571."),
    key("merge_takes_ownership", Switch, "Q168076."),
    key("push_on_1c_tombstone", Switch, "Q216585."),
    key("merge_keeps_version", Switch, "Q140978."),
    key("merge_always_takes_ownership", Switch, "Q190506, before the fix of the fix."),
    key("merged_groups_never_age", Switch, "Q190506."),
    key("bad_replica_stops_pull", Switch, "Q190506."),
    key("scavenge_raises_replicas", Switch, "Q187555."),
    key("static_1c_merges", Switch, "Q219295."),
    key("multihomed_replicas_stick", Switch, "Q135277."),
    key("partners_max", Number(1, 1_000_000), "Partners that replicate (Q191428)."),
    key("owners_max", Number(1, 1_000_000), "Owners that are known (Q139411, Q219315)."),
    key("update_count_ignored", Switch, "Q126132."),
    key("propagation_circulates", Switch, "Q129816."),
    key("past_start_time_ignored", Switch, "Q171997."),
    key("pulls_drift", Switch, "Q196209."),
    key("blank_start_time_is_error", Switch, "Q194339."),
    key("persona_unsorted", Switch, "Q281445."),
    key("persona_members_pass", Switch, "Q312141."),
    key("persona_max", Number(1, 1_000_000), "Entries of PersonaNonGrata (Q191775)."),
    key("empty_range_is_error", Switch, "Q129113."),
    key("release_1d_reaches_netbt", Switch, "Q162696."),
    key("pull_retries", Number(0, 1000), "CommRetryCount."),
    key("detailed_events", Switch, "LogDetailedEvents (Q176498). Default false."),
    key("checks_drift", Switch, "Q159599."),
    key("consistency_check", Interval, "Time between consistency checks (Q154410)."),
    key("verify_records_max", Number(1, 1_000_000), "Records verified in one run."),
    key("verify_with_partners", Switch, "UseRplPnrs."),
    key("backup_every", Interval, "Backups; none unless set (Q160471)."),
    key("backup_at_stop", Switch, "DoBackupOnTerm."),
    key("logging", Switch, "LoggingOn. Default true."),
    key("pause_until_replicated", Switch, "InitTimePause (Q193887)."),
];

/// What a record in a database can be.
pub(super) const RECORD_KINDS: &[&str] = &["unique", "group", "internet-group", "multihomed"];
/// The states of a record.
pub(super) const RECORD_STATES: &[&str] = &["active", "released", "tombstone"];

/// What a static mapping can be.
pub(super) const STATIC_KINDS: &[&str] =
    &["unique", "group", "domain-name", "internet-group", "multihomed"];

/// A static mapping.
pub(super) static STATIC: Spec = spec(
    "a static mapping",
    &[
        must("name", Name, "The name; with a suffix, only that record is made."),
        key("kind", Word(STATIC_KINDS), "Default unique."),
        key("addresses", List(&HostOrAddress), "1 to 25 addresses; one for a unique mapping."),
    ],
);
