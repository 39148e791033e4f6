//! The keys of clusters: nodes, networks, disks, groups, resources, and what their version does.

use super::Kind::*;
use super::hosts::WINS;
use super::{Key, Kind, Spec, key, must, spec};

/// Versions a cluster can behave like.
pub const CLUSTER_PROFILES: &[&str] = &[
    "nt40", "nt40-sp3", "nt40-sp4", "nt40-sp5", "nt40-sp6", "w2k", "w2k-sp0", "w2k-sp1", "w2k-sp2",
    "w2k-sp3", "w2k-sp4", "w2k3", "w2k3-sp0", "w2k3-sp1", "w2k3-sp2",
];
const ROLES: &[&str] = &["internal", "client", "all", "none"];
/// Switches of the cluster service that stand alone (KB 258078).
pub(super) const SWITCHES: &[&str] = &["fixquorum", "noquorumlogging", "resetquorumlog"];
/// Mistakes that can be planted.
const PLANTED: &[&str] = &[
    "late-rearm",
    "restore-after-online",
    "keeps-earlier-record",
    "hasty-challenger",
    "no-locker-succession",
];
/// What a resource can be. `dns` is known so that it can be refused with its reason.
const TYPES: &[&str] = &[
    "physical-disk",
    "ip-address",
    "network-name",
    "generic-service",
    "generic-application",
    "file-share",
    "time-service",
    "wins",
    "dhcp",
    "dns",
];

pub(super) static CLUSTER: Spec = Spec {
    what: "a cluster",
    keys: &[
        must("nodes", Hosts, "The hosts that are its nodes, in order: the first is node 1."),
        must("networks", Named("network", &Word(ROLES)), "Subnets, and what each may carry."),
        must(
            "quorum",
            Text,
            "What decides who is the cluster: a disk, \"local\" or \"majority-node-set\".",
        ),
        key(
            "profile",
            Word(CLUSTER_PROFILES),
            "The version it behaves like. Default: that of its hosts, with the last service pack.",
        ),
        key("computer", Text, "Its network name. Default: its name in capitals."),
        key("address", Address, "The address of the Cluster Group. Default: none."),
        key("disk", Named("disk", &Table(&DISK)), "Disks on the bus that joins its nodes."),
        key("group", Named("group", &Table(&GROUP)), "Groups; cluster-group is the Cluster Group."),
        key("starts_after", Range, "From boot to the start of the service. Default 5s."),
        key("switches", List(&Word(SWITCHES)), "What the service is started with. Default none."),
        key("force_quorum", Hosts, "Nodes of a forced majority node set. Default none."),
        key("study", Switch, "Whether it may have more nodes than its version. Default false."),
        key("planted", List(&Word(PLANTED)), "Mistakes no version made, for invariants to find."),
    ],
    more: CLUSTER_PARAMETERS,
    choices: &[],
};

/// Parameters of the cluster profile that can be set one by one.
pub const CLUSTER_PARAMETERS: &[Key] = &[
    key("nodes_max", Number(1, 64), "Nodes it supports."),
    key("heartbeat", Interval, "Between two heartbeats of an interface (KB 892422)."),
    key("interface_lost_after", Number(1, 1000), "Heartbeats missed until event 1123."),
    key("node_lost_after", Number(1, 1000), "Heartbeats missed until a node counts as dead."),
    key("regroup_tick", Interval, "The clock tick of the regroup."),
    key("regroup_stage_timeout", Interval, "Longest stay in its opening stages."),
    key("reservation_renewal", Interval, "Between two renewals of a reservation (KB 309186)."),
    key("challenge_wait", Interval, "From a challenger's bus reset to its reservation."),
    key("arbitration_min", Duration, "Shortest arbitration; 0s is that of NT 4.0 (Q289863)."),
    key("arbitration_max", Interval, "Longest arbitration."),
    key("quorum_log_max", Size, "Size from which the quorum log is reset (Q225081)."),
    key("hive_checkpoint_interval", Duration, "Between two hive checkpoints; 0s for none."),
    key("checkpoint_checksum", Switch, "Whether the log has a checksum of its checkpoint."),
    key("bad_log", Word(&["rebuild", "refuse"]), "What a damaged quorum log leads to."),
    key("looks_alive", Interval, "Between two cheap polls of a resource."),
    key("is_alive", Interval, "Between two thorough polls."),
    key("pending_timeout", Interval, "Longest silence on the way online or offline."),
    key("restart_threshold", Number(0, 1_000_000), "Restarts tolerated within the period."),
    key("restart_period", Duration, "That period."),
    key("restart_delay", Duration, "Pause before a restart."),
    key("retry_period", Duration, "After which a failed resource is tried again; 0s for never."),
    key("shutdown_budget", Duration, "What all resources get at a shutdown (Q252974)."),
    key("resources_max", Number(1, 65_535), "Resources a node can monitor (Q185212)."),
    key("checkpoint_save_delay", Duration, "From a change of a key to the begin of its save."),
    key("checkpoint_atomic", Switch, "Whether a checkpoint file is replaced as a whole."),
    key("checkpoint_save_on_failure", Switch, "Whether keys of what failed are saved too."),
    key("clusters_wins_and_dhcp", Switch, "Whether WINS and DHCP are resource types (Q174956)."),
    key("detects_link_failure", Switch, "Whether a dead link fails IP Addresses (Q257925)."),
    key("regroup_silence", Interval, "Silence in a regroup that begins it again."),
    key(
        "survival",
        Word(&["quorum-owner", "previous-majority"]),
        "Which part of a split survives. Default quorum-owner.",
    ),
    key("start_tries", Number(1, 1000), "Attempts to join or form until event 1009."),
    key("join_probe", Interval, "Between two calls of a joiner."),
    key("join_wait", Interval, "Silence after which there is no cluster to join."),
    key("join_timeout", Interval, "Longest stay in one step of a join."),
    key("join_tries", Number(1, 1000), "Attempts to join."),
    key("sponsor_keeps_token", Switch, "Q317232."),
    key("stale_sponsor", Switch, "Q238009."),
    key("rpc_retransmit", Interval, "Until a message between nodes is sent again."),
    key("rpc_retransmit_max", Interval, "The longest such time."),
    key("rpc_ack_delay", Duration, "How long an acknowledgement waits to be carried."),
    key("challenger_minds_resets", Switch, "Whether another's bus reset begins a challenge anew."),
    key("data_disk_wait", Duration, "From a dead owner's reservation to the own one."),
    key("loser_breaks_reservation", Switch, "Q289863."),
    key("booting_node_takes_quorum", Switch, "Q248663."),
    key("late_renewal_is_loss", Switch, "Whether a late renewal gives up the disk."),
    key("reset_for_each_disk", Switch, "Q234544."),
    key(
        "trusts_announced_shutdown",
        Switch,
        "No challenge is awaited from who leaves (KB 309186).",
    ),
    key("isolated_owner_yields", Switch, "KB 286342."),
    key("bad_checkpoint", Word(&["rebuild", "refuse"]), "What a damaged hive checkpoint leads to."),
    key("empty_quorum_is_new", Switch, "Q217147: an empty quorum disk is a new one."),
    key("log_always_wins", Switch, "Q216064: an older log replaces a newer CLUSDB."),
    key("quorum_files_atomic", Switch, "Whether log and hive checkpoint are replaced as a whole."),
    key("checkpoint_at_every_node_down", Switch, "Whether each node that goes down makes one."),
    key("checkpoint_at_shutdown", Switch, "Whether a stop of the service makes one (Q238173)."),
    key("shutdown_checkpoint_unchecked", Switch, "Q238173."),
    key("full_log_drops_change", Switch, "Q225081, Q257897."),
    key("false_checkpoint_report", Switch, "Q233349."),
    key("database_flush", Duration, "From a change to its writing into CLUSDB."),
    key("database_atomic", Switch, "Whether CLUSDB is replaced as a whole (Q216064)."),
    key(
        "service_kill",
        Duration,
        "After which a slow service is killed at shutdown; 0s for never.",
    ),
    key("resources_max_enforced", Switch, "Whether more are refused (error 5076, Q277550)."),
    key("threshold_counts_failures", Switch, "Q260527."),
    key(
        "failover_threshold_takes_group_offline",
        Switch,
        "Whether all of a group then goes offline.",
    ),
    key(
        "preferred_list_wraps",
        Switch,
        "Whether the last node is followed by the first (KB 299631).",
    ),
    key("random_owner_on_node_failure", Switch, "KB 299631."),
    key("moving_error", Number(1, 65_535), "The error for requests about a moving group."),
    key("monitor_death_silent", Switch, "Q242386."),
    key("checkpoint_checked", Switch, "Whether a damaged checkpoint file is refused."),
];

static DISK: Spec = spec(
    "a shared disk",
    &[
        must("letter", Text, "The drive letter of its volume."),
        key("signature", Text, "Its signature, eight hexadecimal digits. Default: one is made."),
        key("capacity", Size, "Its size. Default 2GB."),
        key("chkdsk", Duration, "How long a check takes. Default: by its size."),
        key("dirty", Switch, "Whether its volume is dirty at the start. Default false."),
        key("write", Duration, "Time of a write. Default 1ms."),
        key("read", Duration, "Time of a read. Default 200us."),
        key("per_page", Duration, "Time per 4096 bytes. Default 1ms."),
        key("sync", Duration, "Time of a flush. Default 10ms."),
    ],
);

static GROUP: Spec = spec(
    "a cluster group",
    &[
        key("preferred", Hosts, "Nodes it prefers, the best first. Default none."),
        key(
            "failback",
            Text,
            "When it goes back: \"never\", \"immediate\" or hours such as \"22:00-06:00\". Default never.",
        ),
        key("failover_threshold", Number(0, 1_000_000), "Failovers in a period. Default 10."),
        key("failover_period", Interval, "That period. Default 6h."),
        key("online_at_start", Switch, "Whether it goes online at once. Default true."),
        key("resource", Named("resource", &Table(&RESOURCE)), "Its resources."),
    ],
);

/// Keys that every resource takes.
pub const RESOURCE_KEYS: &[Key] = &[
    must("type", Word(TYPES), "What it is."),
    key("depends_on", List(&Ref("resource")), "Resources of its group that come before it."),
    key("possible_owners", Hosts, "Nodes that can run it. Default: all."),
    key("looks_alive", Interval, "Between two cheap polls. Default: the cluster's."),
    key("is_alive", Interval, "Between two thorough polls. Default: the cluster's."),
    key("pending_timeout", Interval, "Longest silence on its way. Default: the cluster's."),
    key(
        "restart",
        Word(&["never", "alone", "affect-group"]),
        "What follows when it fails. Default affect-group.",
    ),
    key("restart_threshold", Number(0, 1_000_000), "Restarts in a period. Default: the cluster's."),
    key("restart_period", Duration, "That period. Default: the cluster's."),
    key("separate_monitor", Switch, "Whether it has a resource monitor of its own. Default false."),
    key("checkpoints", List(&Text), "Registry keys that follow it, relative to HKLM (Q174070)."),
];

/// Keys that only some types take.
pub const RESOURCE_PROPERTIES: &[Key] = &[
    key("disk", Ref("disk"), "The disk of a physical-disk."),
    key("skip_chkdsk", Switch, "Whether a dirty volume is not checked. Default false."),
    key("conditional_mount", Switch, "Whether only a clean volume is mounted. Default false."),
    key("address", Address, "The address of an ip-address."),
    key("network", Ref("network"), "The network of an ip-address. Default: the one it fits."),
    key("netbios", Switch, "Whether NetBT uses an ip-address (EnableNetBIOS). Default true."),
    key("name", BareName, "The name of a network-name."),
    key("service", Text, "The service of a generic-service, as its hosts name it."),
    key("command", Text, "What a generic-application starts."),
    key("use_network_name", Switch, "Whether a program sees the virtual name. Default false."),
    key("share", Text, "The name of a file-share."),
    key("path", Text, "The folder of a file-share."),
    key("database_path", Text, "Where wins or dhcp keep their database, such as F:\\wins\\."),
    key("backup_path", Text, "Where their backups go, such as F:\\wins\\backup\\."),
    key("server", Table(&WINS), "How the server of a wins resource is set up."),
];

pub(super) static RESOURCE: Spec =
    Spec { what: "a resource", keys: RESOURCE_KEYS, more: RESOURCE_PROPERTIES, choices: &[] };

/// What a value of the registry can be written as, in words.
pub const DATA: &str = "7 for a REG_DWORD, \"text\" for a REG_SZ, [\"a\", \"b\"] for a REG_MULTI_SZ, { hex = \"0a ff\" }";

/// A key that takes the data of a registry value.
pub(super) const fn data(name: &'static str, doc: &'static str) -> Key {
    Key { name, kind: Kind::Any, required: false, doc }
}
