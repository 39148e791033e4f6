//! The keys of what happens to registries, services and clusters, and of what must hold of them.

use super::Kind::*;
use super::cluster::{SWITCHES, data};
use super::{Key, Kind, Spec, key, must, spec};

/// Nodes: hosts, or whoever owns something at that moment.
const NODES: &str =
    "Which nodes: names, quorum-owner, owner-of GROUP, both-nodes, all but owner-of GROUP.";

/// Faults of services and clusters.
pub(super) static PROGRAM_CRASH: Spec = spec(
    "a crash of a service",
    &[must("on", Hosts, NODES), must("service", Text, "The service or program.")],
);
pub(super) static CUT_NETWORK: Spec = spec(
    "a cut network",
    &[
        must("network", Ref("network"), "The network."),
        key("nodes", Hosts, "Whose adapters. Default: those of every node."),
        key("way", Word(&["both", "out", "in"]), "Which way is silent. Default both."),
    ],
);
pub(super) static DISK_SLOW: Spec = spec(
    "a slow shared disk",
    &[
        must("disk", Refs("disk"), "Which disks."),
        must("factor", Number(2, 100_000), "How many times as long."),
    ],
);

/// Steps on registries.
pub(super) static SET_REGISTRY: Spec = spec(
    "a registry edit",
    &[
        must("on", Hosts, NODES),
        must("key", Text, "The key, relative to HKLM."),
        key("value", Text, "The value's name. Default: the key's default value."),
        data("data", "The data: 7, \"text\", [\"a\", \"b\"], { hex = \"0a ff\" }."),
    ],
);
pub(super) static DELETE_REGISTRY: Spec = spec(
    "a registry deletion",
    &[
        must("on", Hosts, NODES),
        must("key", Text, "The key, relative to HKLM."),
        key("value", Text, "The value's name. Default: the key itself, with all below it."),
    ],
);
pub(super) static PROTECT: Spec = spec(
    "a change of a key's rights",
    &[
        must("on", Hosts, NODES),
        must("key", Text, "The key, relative to HKLM."),
        must(
            "accounts",
            List(&Text),
            "Who has all rights on it; nobody else has any. The service is \"Cluster Service\".",
        ),
    ],
);
pub(super) static IMPORT_REG: Spec = spec(
    "a registry import",
    &[must("on", Hosts, NODES), must("file", Text, "A `.reg` file, or a text of several lines.")],
);

/// Steps on clusters.
pub(super) static MOVE_GROUP: Spec = spec(
    "a move of a group",
    &[
        must("group", Ref("group"), "The group."),
        key("to", Ref("host"), "Where to. Default: the best other node."),
        key("through", Ref("host"), "The node that is asked. Default: the first that is up."),
    ],
);
pub(super) static START_SERVICE: Spec = spec(
    "a start of the cluster service",
    &[
        must("on", Hosts, NODES),
        key("switches", List(&Word(SWITCHES)), "What it is started with. Default none."),
        key("force_quorum", Hosts, "Nodes of a forced majority node set."),
    ],
);
pub(super) static HANG_SERVICE: Spec = spec(
    "a hung cluster service",
    &[must("on", Hosts, NODES), key("lasts", Range, "How long. Default: until it is killed.")],
);
pub(super) static CHECKPOINT: Spec = spec(
    "a registry checkpoint",
    &[
        must("resource", Ref("resource"), "The resource."),
        must("key", Text, "The key, relative to HKLM."),
        key("through", Ref("host"), "The node that is asked. Default: the first that is up."),
    ],
);
pub(super) static SET_PROPERTY: Spec = spec(
    "a change of a property",
    &[
        key("resource", Ref("resource"), "Of a resource."),
        key("group", Ref("group"), "Of a group."),
        must("property", Text, "Its name, such as RestartThreshold."),
        data("value", "A number, a text, or a list of texts."),
    ],
);
pub(super) static CREATE_RESOURCE: Spec = Spec {
    what: "a created resource",
    keys: &[
        must("group", Ref("group"), "Its group."),
        must("resource", Text, "What it is called."),
        key("through", Ref("host"), "The node that is asked. Default: the first that is up."),
    ],
    more: CREATED_KEYS,
    choices: &[],
};
pub(super) static CREATE_SHARES: Spec = spec(
    "created file shares",
    &[
        must("group", Ref("group"), "Their group."),
        must("count", Number(1, 5000), "How many."),
        must("path", Text, "The folder; {n} stands for the share's number."),
        key("share", Text, "Their names. Default share-{n}."),
        key("depends_on", List(&Ref("resource")), "Resources of the group that come before them."),
    ],
);
const CREATED_KEYS: &[Key] = &[
    must("type", Word(&["file-share", "generic-service", "generic-application"]), "What it is."),
    key("depends_on", List(&Ref("resource")), "Resources of its group that come before it."),
    key("service", Text, "The service of a generic-service."),
    key("command", Text, "What a generic-application starts."),
    key("share", Text, "The name of a file-share."),
    key("path", Text, "The folder of a file-share."),
];
pub(super) static CLUSTER_REGISTRY: Spec = spec(
    "a change of the cluster registry",
    &[
        key("cluster", Ref("cluster"), "Which cluster. Default: the only one."),
        must("key", Text, "The key, relative to HKLM\\Cluster."),
        key("value", Text, "The value's name. Default: the key's default value."),
        data("data", "The data. Default: the value is deleted."),
        key("through", Ref("host"), "The node that is asked. Default: the first that is up."),
    ],
);
pub(super) static QUORUM_LOG: Spec = spec(
    "a size of the quorum log",
    &[
        key("cluster", Ref("cluster"), "Which cluster. Default: the only one."),
        must("size", Size, "The size from which it is reset, such as 4096KB."),
    ],
);
pub(super) static CLUSTER_FILE: Spec = spec(
    "a file of a cluster",
    &[
        must(
            "file",
            Text,
            "quorum-log, hive-checkpoint, checkpoint, clusdb, or a path such as Q:\\MSCS\\x.",
        ),
        key("cluster", Ref("cluster"), "Which cluster. Default: the only one."),
        key("resource", Ref("resource"), "Of a checkpoint: whose."),
        key("key", Text, "Of a checkpoint: which key. Default: all of the resource's."),
        key("on", Hosts, "Of clusdb: on which nodes. Default: all."),
        key("how", Word(&["damage", "truncate", "empty"]), "What is done. Default damage."),
    ],
);
pub(super) static SIGNATURE: Spec = spec(
    "a change of a signature",
    &[
        must("disk", Ref("disk"), "Which disk."),
        must("signature", Text, "Eight hexadecimal digits."),
    ],
);

/// Conditions on registries and services.
pub(super) static REGISTRY_VALUE: Spec = spec(
    "a registry value",
    &[
        must("on", Hosts, NODES),
        must("key", Text, "The key, relative to HKLM."),
        key("value", Text, "The value's name. Default: the key itself."),
        data("data", "What it is. Default: anything."),
        key("absent", Switch, "Whether it is not there. Default false."),
    ],
);
pub(super) static SERVICE_RUNS: Spec = spec(
    "a running service",
    &[must("on", Hosts, NODES), must("service", Text, "The service or program.")],
);

/// Conditions on clusters.
pub(super) static GROUP_ONLINE: Spec = spec(
    "a group online",
    &[
        must("group", Refs("group"), "Which groups."),
        key("on", Ref("host"), "On which node. Default: any."),
    ],
);
pub(super) static GROUP_OWNER: Spec = spec(
    "an owner of a group",
    &[must("group", Ref("group"), "The group."), must("node", Ref("host"), "The node.")],
);
pub(super) static RESOURCE_STATE: Spec = spec(
    "a state of a resource",
    &[
        must("resource", Ref("resource"), "The resource."),
        must(
            "state",
            Word(&["online", "offline", "failed", "online-pending", "offline-pending"]),
            "The state.",
        ),
    ],
);
pub(super) static RESOURCES_ONLINE: Spec = spec(
    "a number of resources online",
    &[
        must("group", Ref("group"), "The group; resources made while the cluster runs count too."),
        key("at_least", Number(0, 65_535), "Not fewer."),
        key("at_most", Number(0, 65_535), "Not more."),
    ],
);
pub(super) static NODES_UP: Spec = spec(
    "nodes that are up",
    &[
        key("cluster", Ref("cluster"), "Which cluster. Default: the only one."),
        key("nodes", Hosts, "These at least."),
        key("at_least", Number(0, 64), "Not fewer."),
        key("at_most", Number(0, 64), "Not more."),
    ],
);
pub(super) static CHECKPOINT_EQUALS: Spec = spec(
    "a checkpoint that is current",
    &[
        must("resource", Ref("resource"), "The resource."),
        key("key", Text, "The key. Default: every key of the resource."),
    ],
);
pub(super) static LOST_CHANGES: Spec = spec(
    "lost changes",
    &[
        key("resource", Ref("resource"), "Of this resource's keys. Default: of all."),
        key("cluster", Ref("cluster"), "Which cluster. Default: the only one."),
        key("at_least", Number(0, 1_000_000_000), "Not fewer."),
        key("at_most", Number(0, 1_000_000_000), "Not more."),
    ],
);
pub(super) static DOWNTIME: Spec = spec(
    "a time without a group",
    &[
        must("group", Ref("group"), "The group."),
        key("at_least", Duration, "Not less than this."),
        key("at_most", Duration, "Not more."),
    ],
);
pub(super) static VIOLATIONS: Spec = spec(
    "rules that hold",
    &[
        key("cluster", Ref("cluster"), "Which cluster. Default: the only one."),
        must("only", List(&Text), "Documented faults that may break them, such as Q289863."),
    ],
);
pub(super) static VIOLATION: Spec = spec(
    "a rule that was broken",
    &[
        key("cluster", Ref("cluster"), "Which cluster. Default: the only one."),
        must("by", Text, "The documented fault that broke it, such as Q289863."),
    ],
);
/// The clusters a switch or a name stands for.
pub(super) const CLUSTER_OR_ALL: &[Kind] = &[Switch, Ref("cluster")];
/// A table, or a name alone.
pub(super) const ONLINE: &[Kind] = &[Table(&GROUP_ONLINE), Refs("group")];
pub(super) const CUT: &[Kind] = &[Table(&CUT_NETWORK), Ref("network")];
pub(super) const START: &[Kind] = &[Table(&START_SERVICE), Hosts];
pub(super) const HANG: &[Kind] = &[Table(&HANG_SERVICE), Hosts];

/// What breaks in services and clusters.
pub const CLUSTER_FAULTS: &[Key] = &[
    key("service_crash", Table(&PROGRAM_CRASH), "A service ends without a word."),
    key("cut_network", Either(CUT), "Adapters of nodes on a cluster network carry nothing."),
    key("bus_reset", Either(CLUSTER_OR_ALL), "Every reservation on the shared bus is broken."),
    key("cable_pulled", Hosts, "Nodes are cut off from the shared disks."),
    key("disk_failed", Refs("disk"), "Shared disks answer nobody."),
    key("disk_full", Refs("disk"), "Shared disks accept no further write."),
    key("disk_slow", Table(&DISK_SLOW), "Operations on shared disks take longer."),
    key("dirty_volume", Refs("disk"), "Volumes are marked dirty: the next mount checks them."),
    key("monitor_dies", Ref("resource"), "The resource monitor of a resource dies."),
];

/// What is done to registries and clusters.
pub const CLUSTER_STEPS: &[Key] = &[
    key("set_registry", Table(&SET_REGISTRY), "Sets a registry value."),
    key("delete_registry", Table(&DELETE_REGISTRY), "Deletes a registry value or key."),
    key("protect_registry", Table(&PROTECT), "Gives a registry key a descriptor of its own."),
    key("import_reg", Table(&IMPORT_REG), "Imports a `.reg` file."),
    key("move_group", Table(&MOVE_GROUP), "Moves a group to another node."),
    key("online_group", Ref("group"), "Brings a group online."),
    key("offline_group", Ref("group"), "Takes a group offline."),
    key("online_resource", Ref("resource"), "Brings a resource online."),
    key("offline_resource", Ref("resource"), "Takes a resource offline."),
    key("fail_resource", Ref("resource"), "Initiates a failure of a resource."),
    key("create_resource", Table(&CREATE_RESOURCE), "Creates a resource."),
    key("create_shares", Table(&CREATE_SHARES), "Creates many file shares."),
    key("delete_resource", Ref("resource"), "Deletes a resource."),
    key("add_checkpoint", Table(&CHECKPOINT), "Adds a registry key to those of a resource."),
    key("remove_checkpoint", Table(&CHECKPOINT), "Removes one."),
    key("recover_checkpoints", Either(CLUSTER_OR_ALL), "Makes every checkpoint anew."),
    key("set_property", Table(&SET_PROPERTY), "Sets a property of a group or resource."),
    key("cluster_registry", Table(&CLUSTER_REGISTRY), "Changes the cluster registry."),
    key("pause_node", Ref("host"), "Pauses a node: it takes no groups."),
    key("resume_node", Ref("host"), "Resumes it."),
    key("evict_node", Ref("host"), "Evicts a node."),
    key("stop_cluster_service", Hosts, "Stops the cluster service."),
    key("start_cluster_service", Either(START), "Starts the cluster service."),
    key("kill_cluster_service", Hosts, "Ends the process of the cluster service."),
    key("hang_cluster_service", Either(HANG), "The cluster service stands still."),
    key("change_password", Either(CLUSTER_OR_ALL), "The services' account gets a new password."),
    key("set_quorum_log_max", Table(&QUORUM_LOG), "Sets the size of the quorum log."),
    key("delete_file", Table(&CLUSTER_FILE), "Deletes a file of a cluster."),
    key("damage_file", Table(&CLUSTER_FILE), "Damages a file of a cluster."),
    key("replace_disk", Ref("disk"), "Puts a new, empty disk in the place of a shared one."),
    key("set_signature", Table(&SIGNATURE), "Changes the signature of a shared disk."),
];

/// What must hold of registries, services and clusters.
pub const CLUSTER_CONDITIONS: &[Key] = &[
    key("registry_value", Table(&REGISTRY_VALUE), "A value in the registry of hosts."),
    key("service_runs", Table(&SERVICE_RUNS), "A service runs on hosts."),
    key("group_online", Either(ONLINE), "Groups are online."),
    key("group_owner", Table(&GROUP_OWNER), "A node owns a group."),
    key("resource_state", Table(&RESOURCE_STATE), "A resource is in a state."),
    key("resources_online", Table(&RESOURCES_ONLINE), "So many resources of a group are online."),
    key("one_owner", Either(CLUSTER_OR_ALL), "No group has two owners."),
    key("cluster_formed", Either(CLUSTER_OR_ALL), "A node has formed the cluster."),
    key("nodes_up", Table(&NODES_UP), "Nodes are up in a cluster."),
    key("checkpoint_equals", Table(&CHECKPOINT_EQUALS), "Checkpoints are as their owner has them."),
    key("lost_changes", Table(&LOST_CHANGES), "Changes of checkpointed keys that are lost."),
    key("downtime", Table(&DOWNTIME), "The longest time without a group."),
    key("no_violation", Either(CLUSTER_OR_ALL), "No rule of a cluster is broken."),
    key("violation_only", Either(VIOLATION_ONLY), "None but by these documented faults."),
    key("violation_seen", Either(SEEN), "A documented fault, such as Q289863, has broken a rule."),
];
/// A list of articles, or a table with the cluster too.
const VIOLATION_ONLY: &[Kind] = &[List(&Text), Table(&VIOLATIONS)];
/// An article, or a table with the cluster too.
const SEEN: &[Kind] = &[Text, Table(&VIOLATION)];
