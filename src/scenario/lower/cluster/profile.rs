//! Which version a cluster behaves like, and what of it the file changes.

use super::Draft;
use crate::base::SimDuration;
use crate::cluster::{BadLog, ClusterProfile, ClusterVersion, Survival};
use crate::scenario::diagnose::Mistake;
use crate::scenario::document::{Node, Value};
use crate::scenario::language::CLUSTER_PARAMETERS;
use crate::scenario::lower::Build;
use crate::scenario::lower::services::changed;
use crate::scenario::plan::HostProfile;
use crate::scenario::values;

impl Build<'_> {
    pub(super) fn cluster_profile(&mut self, draft: &mut Draft<'_>) {
        let said = draft.table.get("profile").and_then(|n| Some((n.span, named(n.text()?)?)));
        let mut own: Option<ClusterProfile> = None;
        for &host in &draft.plan.hosts {
            let version = self.plan.group_of(host).profile;
            let name = self.plan.hosts[host.index()].name.clone();
            let span = draft.table.get("nodes").map_or(draft.span, |n| n.span);
            let profile = match of_host(version) {
                Ok(profile) => profile,
                Err(why) => {
                    if said.is_none() {
                        let mistake = Mistake::new(span, format!("`{name}` cannot be a node"));
                        self.out.add(mistake.hint(why));
                    }
                    continue;
                }
            };
            if let Some(first) = &own
                && said.is_none()
                && first.version != profile.version
            {
                let message = format!(
                    "`{name}` is {}, the first node {}",
                    version_word(profile.version),
                    version_word(first.version)
                );
                let mistake = Mistake::new(span, message);
                self.out.add(mistake.hint("give the cluster its `profile`"));
            }
            own.get_or_insert(profile);
        }
        let (_, profile) = match (said, own) {
            (Some(said), _) => said,
            (None, Some(own)) => (draft.span, own),
            (None, None) => (draft.span, ClusterProfile::nt40(6)),
        };
        draft.plan.config.profile = profile;
        self.cluster_parameters(draft);
    }

    fn cluster_parameters(&mut self, draft: &mut Draft<'_>) {
        for entry in &draft.table.entries {
            let profile = &mut draft.plan.config.profile;
            let before = profile.clone();
            let known = CLUSTER_PARAMETERS.iter().any(|k| k.name == entry.key);
            if known && set(profile, &entry.key, &entry.node) && *profile != before {
                draft.plan.changed.push(changed(&entry.key, &entry.node));
            }
        }
        let profile = &mut draft.plan.config.profile;
        for node in draft.table.items("planted") {
            let planted = &mut profile.planted;
            match node.text() {
                Some("late-rearm") => planted.late_rearm = true,
                Some("restore-after-online") => planted.restore_after_online = true,
                Some("keeps-earlier-record") => planted.keeps_earlier_record = true,
                Some("hasty-challenger") => planted.hasty_challenger = true,
                Some("no-locker-succession") => planted.no_locker_succession = true,
                _ => {}
            }
        }
        if !draft.table.items("planted").is_empty()
            && let Some(node) = draft.table.get("planted")
        {
            draft.plan.changed.push(changed("planted", node));
        }
        let profile = &draft.plan.config.profile;
        if profile.arbitration_min > profile.arbitration_max {
            let node = draft.table.get("arbitration_min").or(draft.table.get("arbitration_max"));
            let span = node.map_or(draft.span, |n| n.span);
            let message = "the shortest arbitration is longer than the longest";
            let hint = format!("{} and {}", profile.arbitration_min, profile.arbitration_max);
            self.out.add(Mistake::new(span, message).hint(hint));
        }
        if profile.node_lost_after < profile.interface_lost_after {
            let node =
                draft.table.get("node_lost_after").or(draft.table.get("interface_lost_after"));
            let span = node.map_or(draft.span, |n| n.span);
            let message = "a node would count as dead before its interfaces are lost";
            let hint = format!(
                "heartbeats missed: {} and {}",
                profile.node_lost_after, profile.interface_lost_after
            );
            self.out.add(Mistake::new(span, message).hint(hint));
        }
    }
}

/// The profile a word names.
fn named(word: &str) -> Option<ClusterProfile> {
    let (release, sp) = match word.split_once("-sp") {
        Some((release, sp)) => (release, sp.parse().ok()),
        None => (word, None),
    };
    Some(match release {
        "nt40" => ClusterProfile::nt40(sp.unwrap_or(6)),
        "w2k" => ClusterProfile::w2k(sp.unwrap_or(4)),
        "w2k3" => ClusterProfile::w2k3(sp.unwrap_or(2)),
        _ => return None,
    })
}

/// The cluster service that a host's system has, or why it has none.
fn of_host(profile: HostProfile) -> Result<ClusterProfile, &'static str> {
    match profile {
        HostProfile::Nt40 { sp: 0..=2 } => Err("Cluster Server needs service pack 3"),
        HostProfile::Nt40 { sp } => Ok(ClusterProfile::nt40(sp)),
        HostProfile::W2k => Ok(ClusterProfile::w2k(4)),
        HostProfile::W2k3 => Ok(ClusterProfile::w2k3(2)),
        HostProfile::Nt35 { .. } | HostProfile::Nt351 { .. } => Err("Cluster Server needs NT 4.0"),
        HostProfile::W95 => Err("Windows 95 has no cluster service"),
    }
}

/// A version and its service pack: `NT 4.0 SP6`.
pub(super) fn in_words(profile: &ClusterProfile) -> String {
    let version = version_word(profile.version);
    match profile.service_pack {
        0 => version.to_string(),
        sp => format!("{version} SP{sp}"),
    }
}

/// A version: `NT 4.0`.
pub(super) fn version_word(version: ClusterVersion) -> &'static str {
    match version {
        ClusterVersion::Nt40 => "NT 4.0",
        ClusterVersion::W2k => "Windows 2000",
        ClusterVersion::W2k3 => "Server 2003",
    }
}

fn set(profile: &mut ClusterProfile, key: &str, node: &Node) -> bool {
    let text = node.text();
    let time = text.and_then(|t| values::duration(t).ok()).unwrap_or(SimDuration::ZERO);
    let (mut count, mut on) = (0, false);
    match &node.value {
        Value::Switch(value) => on = *value,
        Value::Integer(Some(n)) => count = u32::try_from(*n).unwrap_or_default(),
        Value::Text(_) => {}
        _ => return false,
    }
    match key {
        "nodes_max" => profile.nodes_max = count.min(64) as u8,
        "heartbeat" => profile.heartbeat = time,
        "interface_lost_after" => profile.interface_lost_after = count,
        "node_lost_after" => profile.node_lost_after = count,
        "regroup_tick" => profile.regroup_tick = time,
        "regroup_stage_timeout" => profile.regroup_stage_timeout = time,
        "reservation_renewal" => profile.reservation_renewal = time,
        "challenge_wait" => profile.challenge_wait = time,
        "arbitration_min" => profile.arbitration_min = time,
        "arbitration_max" => profile.arbitration_max = time,
        "quorum_log_max" => {
            let Some(bytes) = text.and_then(|t| values::size(t).ok()) else { return false };
            profile.quorum_log_max = u32::try_from(bytes).unwrap_or(u32::MAX);
        }
        "hive_checkpoint_interval" => profile.hive_checkpoint_interval = time,
        "checkpoint_checksum" => profile.checkpoint_checksum = on,
        "bad_log" => profile.bad_log = bad_log(text),
        "bad_checkpoint" => profile.bad_checkpoint = bad_log(text),
        "survival" => {
            profile.survival = match text {
                Some("previous-majority") => Survival::PreviousMajority,
                _ => Survival::QuorumOwner,
            }
        }
        "looks_alive" => profile.looks_alive = time,
        "is_alive" => profile.is_alive = time,
        "pending_timeout" => profile.pending_timeout = time,
        "restart_threshold" => profile.restart_threshold = count,
        "restart_period" => profile.restart_period = time,
        "restart_delay" => profile.restart_delay = time,
        "retry_period" => profile.retry_period = time,
        "shutdown_budget" => profile.shutdown_budget = time,
        "resources_max" => profile.resources_max = count,
        "checkpoint_save_delay" => profile.checkpoint_save_delay = time,
        "checkpoint_atomic" => profile.checkpoint_atomic = on,
        "checkpoint_save_on_failure" => profile.checkpoint_save_on_failure = on,
        "clusters_wins_and_dhcp" => profile.clusters_wins_and_dhcp = on,
        "detects_link_failure" => profile.detects_link_failure = on,
        "regroup_silence" => profile.regroup_silence = time,
        "join_probe" => profile.join_probe = time,
        "join_wait" => profile.join_wait = time,
        "join_timeout" => profile.join_timeout = time,
        "join_tries" => profile.join_tries = count,
        "start_tries" => profile.start_tries = count,
        "sponsor_keeps_token" => profile.sponsor_keeps_token = on,
        "stale_sponsor" => profile.stale_sponsor = on,
        "rpc_retransmit" => profile.rpc_retransmit = time,
        "rpc_retransmit_max" => profile.rpc_retransmit_max = time,
        "rpc_ack_delay" => profile.rpc_ack_delay = time,
        "challenger_minds_resets" => profile.challenger_minds_resets = on,
        "data_disk_wait" => profile.data_disk_wait = time,
        "loser_breaks_reservation" => profile.loser_breaks_reservation = on,
        "booting_node_takes_quorum" => profile.booting_node_takes_quorum = on,
        "late_renewal_is_loss" => profile.late_renewal_is_loss = on,
        "reset_for_each_disk" => profile.reset_for_each_disk = on,
        "trusts_announced_shutdown" => profile.trusts_announced_shutdown = on,
        "isolated_owner_yields" => profile.isolated_owner_yields = on,
        "empty_quorum_is_new" => profile.empty_quorum_is_new = on,
        "log_always_wins" => profile.log_always_wins = on,
        "quorum_files_atomic" => profile.quorum_files_atomic = on,
        "checkpoint_at_every_node_down" => profile.checkpoint_at_every_node_down = on,
        "checkpoint_at_shutdown" => profile.checkpoint_at_shutdown = on,
        "shutdown_checkpoint_unchecked" => profile.shutdown_checkpoint_unchecked = on,
        "full_log_drops_change" => profile.full_log_drops_change = on,
        "false_checkpoint_report" => profile.false_checkpoint_report = on,
        "database_flush" => profile.database_flush = time,
        "database_atomic" => profile.database_atomic = on,
        "service_kill" => profile.service_kill = time,
        "resources_max_enforced" => profile.resources_max_enforced = on,
        "threshold_counts_failures" => profile.threshold_counts_failures = on,
        "failover_threshold_takes_group_offline" => {
            profile.failover_threshold_takes_group_offline = on
        }
        "preferred_list_wraps" => profile.preferred_list_wraps = on,
        "random_owner_on_node_failure" => profile.random_owner_on_node_failure = on,
        "moving_error" => profile.moving_error = count,
        "monitor_death_silent" => profile.monitor_death_silent = on,
        "checkpoint_checked" => profile.checkpoint_checked = on,
        _ => return false,
    }
    true
}

/// What a damaged file leads to.
fn bad_log(text: Option<&str>) -> BadLog {
    if text == Some("refuse") { BadLog::Refuse } else { BadLog::Rebuild }
}
