//! What differs between versions of the cluster service, as values: timers, limits, switches, and the
//! documented faults ("quirks") under their article's number.
//!
//! A profile starts as the row of a version and service pack; every field can then be set alone. Where the
//! sources disagree, or the value is not published, the field says which value was taken.

use crate::base::SimDuration;

/// A release of the cluster service.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum ClusterVersion {
    /// MSCS 1.0 on Windows NT 4.0 Enterprise Edition.
    Nt40,
    /// Windows 2000 Advanced and Datacenter Server.
    W2k,
    /// Windows Server 2003.
    W2k3,
}

/// What happens at start when the quorum log is missing or damaged.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum BadLog {
    /// It is rebuilt from the node's own copy without a word (NT 4.0).
    Rebuild,
    /// The service does not start: events 1019 and 1148 (Windows 2000, KB 257905).
    Refuse,
}

/// What lets a partition live when members were lost (for clusters with a quorum resource).
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Survival {
    /// The one whose node wins the quorum (KB 309186): what was sold.
    QuorumOwner,
    /// The majority of the previous members; the quorum decides only between two (FTCS-28 1998): for studies
    /// of larger clusters.
    PreviousMajority,
}

/// Values of one version.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClusterProfile {
    /// The version.
    pub version: ClusterVersion,
    /// Its service pack.
    pub service_pack: u8,
    /// Nodes it supports; larger clusters are studies.
    pub nodes_max: u8,

    /// Time between two heartbeats of an interface (KB 892422).
    pub heartbeat: SimDuration,
    /// Heartbeats missed until an interface is suspect: event 1123.
    pub interface_lost_after: u32,
    /// Heartbeats missed on every interface until a node counts as dead.
    pub node_lost_after: u32,
    /// The clock tick of the regroup (FTCS-28 1998; 300 ms not published for these versions).
    pub regroup_tick: SimDuration,
    /// Longest stay in the opening stages of a regroup. Published for 2008: 5 s.
    pub regroup_stage_timeout: SimDuration,

    /// A node that says nothing for so long during a regroup makes it begin again. Not published.
    pub regroup_silence: SimDuration,
    /// Which partition survives.
    pub survival: Survival,

    /// A joiner asks all nodes for a cluster this often. Not published.
    pub join_probe: SimDuration,
    /// If none has answered after this time there is no cluster to join. Not published.
    pub join_wait: SimDuration,
    /// Longest stay in one step of a join, and longest wait for a cluster that is busy. Not published.
    pub join_timeout: SimDuration,
    /// Attempts to join before the service gives up. Not published.
    pub join_tries: u32,
    /// Whether a sponsor compares the joiner's account token with the one of its own start (Q317232).
    pub sponsor_keeps_token: bool,
    /// Quirk Q238009: after a join through a node has failed, that node takes the joiner never again, until
    /// its own service is restarted.
    pub stale_sponsor: bool,

    /// A reliable message between nodes is sent again after this time, which doubles. Not published.
    pub rpc_retransmit: SimDuration,
    /// Longest time until it is sent again.
    pub rpc_retransmit_max: SimDuration,
    /// An acknowledgement waits so long for a message to ride on.
    pub rpc_ack_delay: SimDuration,

    /// How often a service tries to join, and then to form, before it gives up with event 1009. That a
    /// node which loses the arbitration while it starts tries to join the winner is not published.
    pub start_tries: u32,

    /// How often the owner of a disk renews its reservation (KB 309186).
    pub reservation_renewal: SimDuration,
    /// A challenger waits so long between its bus reset and its reservation (KB 309186).
    pub challenge_wait: SimDuration,
    /// Shortest time that an arbitration takes for every node, the quorum's owner included, so that all
    /// have decided before anyone takes data disks. Zero is the unsafe way of NT 4.0 (Q289863).
    pub arbitration_min: SimDuration,
    /// Longest time of an arbitration.
    pub arbitration_max: SimDuration,
    /// A challenger whose wait was disturbed by another challenger's bus reset waits anew: that reset took
    /// the reservation of an owner that may live. Not published; with two nodes it cannot come about.
    pub challenger_minds_resets: bool,
    /// Whoever takes over a data disk waits so long between breaking a dead owner's reservation and making
    /// its own; longer than a renewal, a live owner keeps the disk. Not published. NT 4.0 takes it at once.
    pub data_disk_wait: SimDuration,
    /// A node that meets another's reservation on a data disk it thinks its own breaks it and goes on
    /// (Q289863).
    pub loser_breaks_reservation: bool,
    /// A node that forms takes the quorum without waiting for a defender: with a dead interconnect it takes
    /// it from a running cluster (Q248663, mended after service pack 6).
    pub booting_node_takes_quorum: bool,
    /// A node that could not renew for as long as a challenger waits gives up the disk even if it is free
    /// again: somebody may have had it meanwhile. Events say that an owner paused so long loses (Windows
    /// 2000 event help); how it learns that is not published.
    pub late_renewal_is_loss: bool,
    /// One bus reset for each disk to take over, instead of one for all (Q234544, before SP5).
    pub reset_for_each_disk: bool,
    /// The owner of the quorum does not wait for a challenge by a node that announced its shutdown
    /// (KB 309186).
    pub trusts_announced_shutdown: bool,
    /// An owner of the quorum none of whose networks for clients works yields to a challenger (KB 286342;
    /// details not published: it leaves the reservation alone for the longest arbitration, and takes it back
    /// if nobody wanted it). It learns that somebody did when it next would renew: so long at most, less the
    /// winner's regroup, both may run what needs no disk.
    pub isolated_owner_yields: bool,

    /// Size of the quorum log from which on it is reset (Q225081).
    pub quorum_log_max: u32,
    /// Time between two checkpoints of the cluster hive; zero for none (NT 4.0 before SP5).
    pub hive_checkpoint_interval: SimDuration,
    /// Whether the log holds a checksum of its checkpoint, and checks it.
    pub checkpoint_checksum: bool,
    /// A missing or damaged quorum log.
    pub bad_log: BadLog,
    /// A missing or damaged checkpoint of the hive, where it is checked.
    pub bad_checkpoint: BadLog,
    /// A quorum resource with no file of the cluster at all is a new one: the node's own copy is used
    /// (Q217147, Q243195). Otherwise its log is missing.
    pub empty_quorum_is_new: bool,
    /// Checkpoint and log replace the node's own copy even where that is newer (Q216064). Otherwise the newer
    /// one is used: no version did that.
    pub log_always_wins: bool,
    /// Whether log and checkpoint are replaced as a whole; otherwise they are overwritten in place, and a
    /// power cut can tear them.
    pub quorum_files_atomic: bool,
    /// A checkpoint whenever a node goes down. Otherwise only when that turns logging on: the duplicate
    /// numbers of US6449734 cannot come about with the first.
    pub checkpoint_at_every_node_down: bool,
    /// A checkpoint when the service stops on the node that holds the quorum (Q238173; for versions after
    /// NT 4.0 not published).
    pub checkpoint_at_shutdown: bool,
    /// That checkpoint ignores errors of the registry and leaves a damaged file (Q238173, before SP6).
    pub shutdown_checkpoint_unchecked: bool,
    /// When the log is full, the change that did not fit is not in the new one (Q225081, Q257897: what is
    /// lost was not published; the articles name Windows 2000 too).
    pub full_log_drops_change: bool,
    /// The periodic checkpoint reports a missing one each time, event 1015 (Q233349, SP5).
    pub false_checkpoint_report: bool,

    /// From a change of the database to its writing into the node's own copy, CLUSDB: a background thread
    /// flushes it (Q262832 shows the thread; its period is not published).
    pub database_flush: SimDuration,
    /// Whether CLUSDB is replaced as a whole; otherwise a power cut can tear it (Q216064).
    pub database_atomic: bool,

    /// Time between two cheap polls of a resource.
    pub looks_alive: SimDuration,
    /// Time between two thorough polls.
    pub is_alive: SimDuration,
    /// Longest silence of a resource that goes online or offline.
    pub pending_timeout: SimDuration,
    /// Restarts tolerated within the period; the next failure affects the group.
    pub restart_threshold: u32,
    /// That period.
    pub restart_period: SimDuration,
    /// Pause before a restart.
    pub restart_delay: SimDuration,
    /// A failed resource is tried again after this time; zero for never.
    pub retry_period: SimDuration,
    /// Time all resources get at an orderly shutdown (Q252974).
    pub shutdown_budget: SimDuration,
    /// A generic service that does not stop within this time while the system shuts down is killed; zero for
    /// never (Q252974, fixed builds).
    pub service_kill: SimDuration,
    /// Resources a node can monitor.
    pub resources_max: u32,
    /// More are refused (error 5076). Otherwise they flap (Q277550).
    pub resources_max_enforced: bool,
    /// The restart threshold counts failures, the last of which leads to the failover (Q260527). Otherwise it
    /// counts the restarts that are tolerated (SDK).
    pub threshold_counts_failures: bool,
    /// When a group has failed over too often all of it goes offline, not only the resource that failed (2003
    /// only; only an excerpt of the page could be read).
    pub failover_threshold_takes_group_offline: bool,
    /// A failed resource's group goes from the last node of its list to the first. Stated for groups without
    /// preferred owners only (KB 299631).
    pub preferred_list_wraps: bool,
    /// When a node dies its groups without preferred owners go to random nodes (KB 299631, 2003; switched
    /// off by DisableGroupPreferredOwnerRandomization). Here: by a hash of cluster, group and its moves.
    pub random_owner_on_node_failure: bool,
    /// The Windows error of requests about a group that is moving.
    pub moving_error: u32,
    /// A monitor that dies leaves no entry in the event log (Q242386, before SP6).
    pub monitor_death_silent: bool,

    /// From the change of a checkpointed key to the beginning of its save. Not published.
    pub checkpoint_save_delay: SimDuration,
    /// Whether a checkpoint file is replaced as a whole; otherwise it is overwritten in place, and a power
    /// cut can tear it (NT 4.0: not published, see Q216064 for the hive's own files).
    pub checkpoint_atomic: bool,
    /// Whether a checkpoint file whose checksum is wrong is refused. NT 4.0 loads what it can read of it.
    pub checkpoint_checked: bool,
    /// Whether the keys of a resource that failed or was terminated are saved too. Not documented; the
    /// pessimistic reading, no, matches a crash.
    pub checkpoint_save_on_failure: bool,

    /// Whether WINS and DHCP are resource types (Q174956).
    pub clusters_wins_and_dhcp: bool,
    /// Whether a failed link fails an adapter's IP Address resources (Q257925).
    pub detects_link_failure: bool,

    /// Mistakes to plant, so that the invariants can be seen to catch them.
    pub planted: Planted,
}

/// Mistakes that no version made. Each is caught by an invariant; a sweep measures how soon.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub struct Planted {
    /// The watcher is armed again only after the save is done: changes in between are missed.
    pub late_rearm: bool,
    /// Keys are restored after the resource has been started.
    pub restore_after_online: bool,
    /// Of two log records with one sequence number, replay keeps the earlier.
    pub keeps_earlier_record: bool,
    /// A challenger waits less than the defender's renewal.
    pub hasty_challenger: bool,
    /// When the locker dies, the next locker does not finish its update.
    pub no_locker_succession: bool,
}

impl ClusterProfile {
    /// Windows NT 4.0 Enterprise Edition with this service pack, 3 to 6.
    pub fn nt40(service_pack: u8) -> ClusterProfile {
        ClusterProfile {
            version: ClusterVersion::Nt40,
            service_pack,
            nodes_max: 2,
            interface_lost_after: 2,
            // One silent check interval of 2.4 s: found after 2.4 to 3.6 s. Remembered, not published.
            node_lost_after: 2,
            stale_sponsor: service_pack <= 5,
            challenge_wait: SimDuration::from_secs(7),
            arbitration_min: SimDuration::ZERO,
            hive_checkpoint_interval: match service_pack {
                0..=4 => SimDuration::ZERO,
                _ => SimDuration::from_hours(4),
            },
            checkpoint_checksum: service_pack >= 5,
            bad_log: BadLog::Rebuild,
            bad_checkpoint: BadLog::Rebuild,
            challenger_minds_resets: false,
            data_disk_wait: SimDuration::ZERO,
            loser_breaks_reservation: true,
            booting_node_takes_quorum: true,
            late_renewal_is_loss: false,
            reset_for_each_disk: service_pack < 5,
            quorum_files_atomic: false,
            shutdown_checkpoint_unchecked: service_pack < 6,
            full_log_drops_change: true,
            false_checkpoint_report: service_pack == 5,
            shutdown_budget: SimDuration::from_secs(9),
            service_kill: SimDuration::ZERO,
            resources_max: if service_pack < 4 { 930 } else { 1674 },
            database_atomic: false,
            resources_max_enforced: false,
            monitor_death_silent: service_pack < 6,
            checkpoint_atomic: false,
            checkpoint_checked: false,
            clusters_wins_and_dhcp: false,
            detects_link_failure: false,
            ..ClusterProfile::w2k(0)
        }
    }

    /// Windows 2000 Advanced and Datacenter Server with this service pack.
    pub fn w2k(service_pack: u8) -> ClusterProfile {
        ClusterProfile {
            version: ClusterVersion::W2k,
            service_pack,
            nodes_max: 4,
            heartbeat: SimDuration::from_millis(1200),
            interface_lost_after: 2,
            node_lost_after: 6,
            regroup_tick: SimDuration::from_millis(300),
            regroup_stage_timeout: SimDuration::from_secs(5),
            regroup_silence: SimDuration::from_secs(3),
            survival: Survival::QuorumOwner,
            join_probe: SimDuration::from_secs(1),
            join_wait: SimDuration::from_secs(6),
            join_timeout: SimDuration::from_secs(30),
            join_tries: 5,
            sponsor_keeps_token: true,
            stale_sponsor: false,
            rpc_retransmit: SimDuration::from_millis(250),
            rpc_retransmit_max: SimDuration::from_secs(2),
            rpc_ack_delay: SimDuration::from_millis(20),
            start_tries: 3,
            reservation_renewal: SimDuration::from_secs(3),
            challenge_wait: SimDuration::from_secs(7),
            arbitration_min: SimDuration::from_secs(if service_pack == 0 { 0 } else { 7 }),
            arbitration_max: SimDuration::from_secs(20),
            challenger_minds_resets: true,
            data_disk_wait: SimDuration::from_secs(4),
            loser_breaks_reservation: false,
            booting_node_takes_quorum: false,
            late_renewal_is_loss: true,
            reset_for_each_disk: false,
            trusts_announced_shutdown: false,
            isolated_owner_yields: false,
            quorum_log_max: 64 * 1024,
            hive_checkpoint_interval: SimDuration::from_hours(4),
            checkpoint_checksum: true,
            bad_log: BadLog::Refuse,
            bad_checkpoint: BadLog::Refuse,
            empty_quorum_is_new: true,
            log_always_wins: true,
            quorum_files_atomic: true,
            checkpoint_at_every_node_down: false,
            checkpoint_at_shutdown: true,
            shutdown_checkpoint_unchecked: false,
            full_log_drops_change: false,
            false_checkpoint_report: false,
            database_flush: SimDuration::from_secs(5),
            database_atomic: true,
            looks_alive: SimDuration::from_secs(5),
            is_alive: SimDuration::from_secs(60),
            pending_timeout: SimDuration::from_secs(180),
            restart_threshold: 3,
            restart_period: SimDuration::from_secs(900),
            restart_delay: SimDuration::from_millis(500),
            retry_period: SimDuration::from_hours(1),
            shutdown_budget: SimDuration::from_secs(if service_pack < 2 { 9 } else { 15 }),
            service_kill: SimDuration::from_secs(if service_pack < 2 { 0 } else { 3 }),
            resources_max: 1674,
            resources_max_enforced: true,
            threshold_counts_failures: false,
            failover_threshold_takes_group_offline: false,
            preferred_list_wraps: true,
            random_owner_on_node_failure: false,
            moving_error: 5012,
            monitor_death_silent: false,
            checkpoint_save_delay: SimDuration::from_millis(500),
            checkpoint_atomic: true,
            checkpoint_checked: true,
            checkpoint_save_on_failure: false,
            clusters_wins_and_dhcp: true,
            detects_link_failure: true,
            planted: Planted::default(),
        }
    }

    /// Windows Server 2003 with this service pack.
    pub fn w2k3(service_pack: u8) -> ClusterProfile {
        ClusterProfile {
            version: ClusterVersion::W2k3,
            service_pack,
            nodes_max: 8,
            // KB 258078: later builds make a new log by themselves; the checkpoint must exist before SP1.
            bad_log: BadLog::Rebuild,
            bad_checkpoint: if service_pack == 0 { BadLog::Refuse } else { BadLog::Rebuild },
            trusts_announced_shutdown: true,
            isolated_owner_yields: true,
            sponsor_keeps_token: false,
            failover_threshold_takes_group_offline: true,
            random_owner_on_node_failure: true,
            moving_error: 5908,
            shutdown_budget: SimDuration::from_secs(15),
            arbitration_min: SimDuration::from_secs(7),
            ..ClusterProfile::w2k(4)
        }
    }
}
