//! What hosts run: the NetBT client's servers and domain, the WINS server's partners and statics.

use super::Build;
use crate::base::SimDuration;
use crate::nbt::NbtProfile;
use crate::scenario::diagnose::Mistake;
use crate::scenario::document::{Node, Span, Table, Value, write_value};
use crate::scenario::language::{NBT_PARAMETERS, WINS_PARAMETERS};
use crate::scenario::plan::{
    Changed, GroupPlan, HostProfile, HostRef, NbtRole, PullPlan, PushPlan, StaticFile, StaticKind,
    StaticPlan, SubnetRef, WinsPlan,
};
use crate::scenario::values;
use crate::wins::{BackupSettings, CommitMode, GroupMask, MEMBERS_MAX, WinsProfile, parse_lmhosts};
use crate::wire::name_service::NodeType;
use crate::wire::{NetbiosName, Suffix};

/// Time between pulls where nothing else is said.
const PULL_INTERVAL: SimDuration = SimDuration::from_mins(30);
/// UpdateCount where nothing else is said, and the least it may be (Q135922, Q147356).
const UPDATE_COUNT: u64 = 20;

/// Lines of an LMHOSTS file that are complained about; the others are of the same kind as a rule.
const SKIPS_SHOWN: usize = 5;

/// Partners of one server.
pub(super) type Partners = (Vec<PullPlan>, Vec<PushPlan>);

impl<'a> Build<'a> {
    /// What is in registries, and the programs a scenario invents.
    pub(super) fn programs_of_hosts(&mut self) {
        for (_, group, table) in self.first_hosts() {
            let registry = self.registry_files(table);
            let programs = self.programs(table);
            let plan = &mut self.plan.groups[group];
            (plan.registry, plan.programs) = (registry, programs);
        }
    }

    /// The first host of each entry of the file, its group, and the entry.
    fn first_hosts(&self) -> Vec<(HostRef, usize, &'a Table)> {
        let hosts = &self.plan.hosts;
        let group = |host: usize| hosts[host].group.index();
        let first = |&host: &usize| host == 0 || group(host - 1) != group(host);
        let entries = (0..hosts.len()).filter(first).filter_map(|host| {
            let entry = &self.named("host")[self.group_entries[group(host)]];
            Some((HostRef(host as u32), group(host), entry.node.table()?))
        });
        entries.collect()
    }

    pub(super) fn services(&mut self) {
        for (host, group, table) in self.first_hosts() {
            let mut plan = self.plan.groups[group].clone();
            let nbt = table.get("nbt").and_then(Node::table);
            self.client(host, &mut plan, nbt);
            if let (Some(wins), Some(table)) =
                (plan.wins.as_mut(), table.get("wins").and_then(Node::table))
            {
                self.server(host, wins, table);
            }
            self.plan.groups[group] = plan;
        }
        self.clustered_servers();
    }

    fn client(&mut self, host: HostRef, group: &mut GroupPlan, table: Option<&Table>) {
        let own = self.plan.hosts[host.index()].address;
        let runs_wins = group.wins.is_some();
        let profile = group.profile;
        let Some(nbt) = group.nbt.as_mut() else { return };
        let empty = Table::default();
        let table = table.unwrap_or(&empty);
        for node in table.items("servers") {
            let Some((address, server)) = self.address_of(node) else { continue };
            if nbt.server_addresses.contains(&address) {
                self.mistake(node.span, "this server is listed twice");
                continue;
            }
            if let Some(server) = server {
                self.check_server(host, server, node.span);
            }
            nbt.server_addresses.push(address);
            nbt.server_hosts.push(server);
        }
        let limit = match profile {
            HostProfile::W2k | HostProfile::W2k3 => 12,
            _ => 2,
        };
        if nbt.server_addresses.len() > limit
            && let Some(node) = table.get("servers")
        {
            let message = format!("{} WINS servers are too many", nbt.server_addresses.len());
            let hint = format!("this version takes {limit} (Q870623)");
            self.out.add(Mistake::new(node.span, message).hint(hint));
        }
        if runs_wins && table.get("servers").is_none() {
            nbt.server_addresses.push(own);
            nbt.server_hosts.push(Some(host));
        }
        nbt.node_type = match table.text("node_type") {
            Some("B") => NodeType::B,
            Some("P") => NodeType::P,
            Some("M") => NodeType::M,
            Some("H") => NodeType::H,
            _ if nbt.server_addresses.is_empty() => NodeType::B,
            _ => NodeType::H,
        };
        nbt.domain = table.get("domain").and_then(|node| self.domain(node));
        nbt.role = match table.text("role") {
            Some("server") => NbtRole::Server,
            Some("bdc") => NbtRole::Bdc,
            Some("pdc") => NbtRole::Pdc,
            _ => NbtRole::Workstation,
        };
        let controller = matches!(nbt.role, NbtRole::Bdc | NbtRole::Pdc);
        let in_workgroup = nbt.domain.is_some_and(|d| self.plan.domains[d.index()].workgroup);
        if let Some(node) = table.get("role").filter(|_| controller)
            && (in_workgroup || table.get("domain").is_none())
        {
            let message = "a domain controller needs a domain";
            let hint = if in_workgroup { "a workgroup has none" } else { "add `domain`" };
            self.out.add(Mistake::new(node.span, message).hint(hint));
        }
        nbt.local_master = table.switch("local_master").unwrap_or(false);
        for entry in &table.entries {
            if NBT_PARAMETERS.iter().any(|k| k.name == entry.key)
                && let before = nbt.profile.clone()
                && set_nbt(&mut nbt.profile, &entry.key, &entry.node)
                && nbt.profile != before
            {
                nbt.changed.push(changed(&entry.key, &entry.node));
            }
        }
    }

    /// A client's server must run WINS and be within reach.
    fn check_server(&mut self, client: HostRef, server: HostRef, span: Span) {
        let name = self.plan.hosts[server.index()].name.clone();
        if self.plan.wins_of(server).is_none() {
            let note = "a client's servers are hosts with `wins`, or bare addresses";
            self.out.add(Mistake::new(span, format!("host `{name}` runs no WINS")).note(note));
        }
        self.check_reach(client, server, span);
    }

    fn check_reach(&mut self, from: HostRef, to: HostRef, span: Span) {
        let [a, b] = [from, to].map(|host| self.subnet_of(host));
        if self.reachable(a, b) {
            return;
        }
        let subnet = |s: SubnetRef| self.plan.subnets[s.index()].name.as_str();
        let [own, other] = [from, to].map(|host| self.plan.server_name(host));
        let message = format!("`{own}` cannot reach `{other}`");
        let hint = format!("no router or link joins `{}` and `{}`", subnet(a), subnet(b));
        self.out.add(Mistake::new(span, message).hint(hint));
    }

    /// Where a host is; for a clustered server, where its address is.
    fn subnet_of(&self, host: HostRef) -> SubnetRef {
        let own = self.plan.hosts[host.index()].subnet;
        let address = self.plan.server_address(host);
        let virtual_one = self.plan.wins_cluster(host).and_then(|cluster| {
            cluster.subnets.iter().find(|s| self.plan.subnets[s.index()].contains(address))
        });
        virtual_one.copied().unwrap_or(own)
    }

    /// How a WINS server is set up; of a clustered one, `host` is the first node.
    pub(super) fn server(&mut self, host: HostRef, wins: &mut WinsPlan, table: &Table) {
        let (pull_from, push_to) = self.partners(host, table);
        (wins.pull_from, wins.push_to) = (pull_from, push_to);
        wins.starts_after = table.parse("starts_after", values::duration).unwrap_or_default();
        for entry in &table.entries {
            if WINS_PARAMETERS.iter().any(|k| k.name == entry.key)
                && let before = wins.profile.clone()
                && set_wins(&mut wins.profile, &entry.key, &entry.node)
                && wins.profile != before
            {
                wins.changed.push(changed(&entry.key, &entry.node));
            }
        }
        wins.profile.persona_non_grata = self.addresses_of(table.items("persona_non_grata"));
        if let Err(errors) = wins.profile.validate() {
            for error in errors {
                let text = error.to_string();
                let field = text.split(' ').next().unwrap_or_default();
                let entry = table.entries.iter().find(|e| e.key == field);
                let entry =
                    entry.or_else(|| table.entries.iter().find(|e| e.key == "renewal_interval"));
                let span = entry.map_or(Span::default(), |e| e.node.span);
                self.out.add(Mistake::new(span, text).note("limits: Q135922, Q142305, Q176505"));
            }
        }
        for node in table.items("statics") {
            if let Some(mapping) = node.table().and_then(|t| self.static_mapping(t, node.span)) {
                wins.statics.push(mapping);
            }
        }
        for node in table.items("lmhosts") {
            wins.static_files.extend(self.lmhosts(node));
        }
    }

    /// The partners a table names, with its defaults for them.
    pub(super) fn partners(&mut self, own: HostRef, table: &Table) -> Partners {
        let interval = table.parse("pull_interval", values::interval).unwrap_or(PULL_INTERVAL);
        let changes = self.update_count(table, "push_after_changes").unwrap_or(UPDATE_COUNT as u32);
        let (mut pulls, mut pushes): Partners = (Vec::new(), Vec::new());
        let pull = |host| PullPlan {
            host,
            interval: Some(interval),
            at: None,
            on_start: true,
            high_precedence: false,
        };
        let push = |host| PushPlan {
            host,
            after_changes: Some(changes),
            on_start: false,
            on_address_change: false,
            only_dynamic: false,
        };
        for node in table.items("partners") {
            for host in self.partner(own, node) {
                pulls.push(pull(host));
                pushes.push(push(host));
            }
        }
        for node in table.items("pull_from") {
            let entry = node.table();
            let Some(name) = entry.map_or(Some(node), |t| t.get("host")) else { continue };
            for host in self.partner(own, name) {
                let mut plan = pull(host);
                if let Some(entry) = entry {
                    plan.interval = match entry.text("interval") {
                        Some("none") => None,
                        _ => entry.parse("interval", values::interval).or(plan.interval),
                    };
                    plan.at = entry.parse("at", values::time_of_day);
                    plan.on_start = entry.switch("on_start").unwrap_or(true);
                    plan.high_precedence = entry.switch("high_precedence").unwrap_or(false);
                }
                if pulls.iter().any(|p| p.host == host) {
                    self.mistake(name.span, "this partner is listed twice");
                }
                pulls.push(plan);
            }
        }
        for node in table.items("push_to") {
            let entry = node.table();
            let Some(name) = entry.map_or(Some(node), |t| t.get("host")) else { continue };
            for host in self.partner(own, name) {
                let mut plan = push(host);
                if let Some(entry) = entry {
                    let count = self.update_count(entry, "after_changes");
                    plan.after_changes = count.or(plan.after_changes);
                    plan.on_start = entry.switch("on_start").unwrap_or(false);
                    plan.on_address_change = entry.switch("on_address_change").unwrap_or(false);
                    plan.only_dynamic = entry.switch("only_dynamic").unwrap_or(false);
                }
                if pushes.iter().any(|p| p.host == host) {
                    self.mistake(name.span, "this partner is listed twice");
                }
                pushes.push(plan);
            }
        }
        (pulls, pushes)
    }

    fn partner(&mut self, own: HostRef, node: &Node) -> Vec<HostRef> {
        let pattern = node.text().is_some_and(|t| t.contains(['*', '{']));
        let mut found = Vec::new();
        for host in self.wins_hosts(node) {
            if host == own {
                // A pattern may well match the server itself; a name is a slip.
                if !pattern {
                    let name = self.plan.server_name(own);
                    let mistake =
                        Mistake::new(node.span, format!("`{name}` cannot be its own partner"));
                    self.out.add(mistake.hint("name another WINS server"));
                }
                continue;
            }
            self.check_reach(own, host, node.span);
            found.push(host);
        }
        found
    }

    fn update_count(&mut self, table: &Table, key: &str) -> Option<u32> {
        let count = table.count(key)?;
        if count < UPDATE_COUNT {
            let span = table.get(key)?.span;
            let message = format!("`{key}` is {count}, the least is {UPDATE_COUNT}");
            self.out.add(
                Mistake::new(span, message)
                    .hint("write 20 or more (UpdateCount: Q135922, Q147356)"),
            );
        }
        u32::try_from(count).ok()
    }

    /// A static mapping, from a server's table or a step.
    pub(super) fn static_mapping(&mut self, table: &Table, span: Span) -> Option<StaticPlan> {
        let text = table.text("name")?;
        let kind = static_kind(table.text("kind").unwrap_or("unique"));
        let suffix_given = text.contains('#');
        let fallback = match kind {
            StaticKind::Group => Suffix::BROWSER_ELECTIONS,
            StaticKind::DomainName => Suffix::DOMAIN_CONTROLLERS,
            _ => Suffix::SERVER,
        };
        let name = match suffix_given {
            true => text.parse().ok()?,
            false => NetbiosName::new(text, fallback).ok()?,
        };
        let addresses = self.addresses_of(table.items("addresses"));
        let span = table.get("addresses").map_or(span, |n| n.span);
        let most = match kind {
            StaticKind::Unique => 1,
            _ => MEMBERS_MAX,
        };
        let kind_word = table.text("kind").unwrap_or("unique");
        if addresses.len() > most {
            let message =
                format!("{} addresses for a mapping of kind {kind_word}", addresses.len());
            let hint = format!("{most} at most (Q140064)");
            self.out.add(Mistake::new(span, message).hint(hint));
        } else if addresses.is_empty()
            && table.items("addresses").is_empty()
            && kind != StaticKind::Group
        {
            let message = format!("a mapping of kind {kind_word} needs `addresses`");
            self.mistake(span, message);
        }
        Some(StaticPlan { name, suffix_given, kind, addresses })
    }

    /// An LMHOSTS file, read and checked.
    pub(super) fn lmhosts(&mut self, node: &Node) -> Option<StaticFile> {
        let path = node.text()?;
        let text = match (self.read_file)(path) {
            Ok(text) => text,
            Err(why) => {
                let mistake = Mistake::new(node.span, format!("cannot read `{path}`"));
                let note = "files are looked for in the folder of the scenario";
                self.out.add(mistake.hint(why).note(note));
                return None;
            }
        };
        match parse_lmhosts(text.as_bytes()) {
            Err(error) => {
                let mistake = Mistake::new(node.span, format!("`{path}` cannot be imported"));
                self.out.add(mistake.hint(error.to_string()));
            }
            // A server skips such a line and logs an event; in a scenario it is a slip all the same.
            Ok((_, skips)) => {
                for skip in skips.iter().take(SKIPS_SHOWN) {
                    let message = format!("a line of `{path}` would be skipped by the import");
                    self.out.add(Mistake::new(node.span, message).hint(skip.to_string()));
                }
            }
        }
        Some(StaticFile { path: path.to_string(), text })
    }
}

/// The kind a word names.
pub(super) fn static_kind(word: &str) -> StaticKind {
    match word {
        "group" => StaticKind::Group,
        "domain-name" => StaticKind::DomainName,
        "internet-group" => StaticKind::InternetGroup,
        "multihomed" => StaticKind::Multihomed,
        _ => StaticKind::Unique,
    }
}

pub(super) fn changed(key: &str, node: &Node) -> Changed {
    let value = node.text().map_or_else(|| write_value(node), str::to_string);
    Changed { key: key.to_string(), value }
}

/// A parameter's value, as whichever of these it is.
struct Setting {
    time: SimDuration,
    count: u64,
    on: bool,
}

fn setting(node: &Node) -> Option<Setting> {
    let mut setting = Setting { time: SimDuration::ZERO, count: 0, on: false };
    match &node.value {
        Value::Switch(on) => setting.on = *on,
        Value::Integer(Some(n)) => setting.count = u64::try_from(*n).ok()?,
        Value::Text(text) => setting.time = values::duration(text).ok()?,
        _ => return None,
    }
    Some(setting)
}

fn set_nbt(profile: &mut NbtProfile, key: &str, node: &Node) -> bool {
    let Some(Setting { time, count, on }) = setting(node) else { return false };
    let small = count.min(255) as u8;
    match key {
        "server_timeout" => profile.server_timeout = time,
        "server_tries" => profile.server_tries = small,
        "broadcast_timeout" => profile.broadcast_timeout = time,
        "broadcast_tries" => profile.broadcast_tries = small,
        "cache_life" => profile.cache_life = time,
        "cache_capacity" => profile.cache_capacity = count.min(65_535) as u16,
        "initial_refresh" => profile.initial_refresh = time,
        "sweep" => profile.sweep = time,
        "refresh_every" => profile.refresh_every = Some(time),
        "failure_refreshes_all" => profile.failure_refreshes_all = on,
        "swaps_at_refresh" => profile.swaps_at_refresh = on,
        "forgets_server_name" => profile.forgets_server_name = on,
        "ttl_min" => profile.ttl_min = time,
        "wins_down" => profile.wins_down = time,
        "wack_max" => profile.wack_max = time,
        "service_spacing" => profile.service_spacing = time,
        "overwrite_demand" => profile.overwrite_demand = on,
        "repeats_broadcast_claim" => profile.repeats_broadcast_claim = on,
        "asks_next_on_negative" => profile.asks_next_on_negative = on,
        "negative_wait" => profile.negative_wait = time,
        "servers_max" => profile.servers_max = small,
        "refreshes_all_on_return" => profile.refreshes_all_on_return = on,
        "reclaims_after_ttl" => profile.reclaims_after_ttl = on,
        "releases_all_at_shutdown" => profile.releases_all_at_shutdown = on,
        "refresh_opcode_9" => profile.refresh_opcode_9 = on,
        "releases_on_address_change" => profile.releases_on_address_change = on,
        "ignores_foreign_demands" => profile.ignores_foreign_demands = on,
        "single_server_stays_b" => profile.single_server_stays_b = on,
        _ => return false,
    }
    true
}

fn set_wins(profile: &mut WinsProfile, key: &str, node: &Node) -> bool {
    if key == "commit" {
        profile.commit = match node.text() {
            Some("strict") => CommitMode::Strict,
            _ => CommitMode::Lazy,
        };
        return true;
    }
    if key == "special_group_masks" {
        let Value::List(items) = &node.value else { return false };
        let masks: Option<Vec<GroupMask>> =
            items.iter().map(|item| item.text().and_then(GroupMask::parse)).collect();
        profile.special_group_masks = masks.unwrap_or_default();
        return true;
    }
    let Some(Setting { time, count, on }) = setting(node) else { return false };
    let small = u32::try_from(count).unwrap_or(u32::MAX);
    let mut backup = profile.backup.unwrap_or_default();
    match key {
        "backup_every" => profile.backup = Some(BackupSettings { every: time, ..backup }),
        "backup_at_stop" => {
            backup.at_stop = on;
            profile.backup = Some(backup);
        }
        "logging" => profile.logging = on,
        "group_overwrites_static" => profile.group_overwrites_static = on,
        "static_members_stay" => profile.static_members_stay = on,
        "malformed_stops" => profile.malformed_stops = on,
        "burst_enters_later" => profile.burst_enters_later = on,
        "renewal_interval" => profile.renewal_interval = time,
        "extinction_interval" => profile.extinction_interval = time,
        "extinction_timeout" => profile.extinction_timeout = time,
        "verification_interval" => profile.verification_interval = time,
        "scavenge_every" => profile.scavenge_every = Some(time),
        "replica_tombstones_wait" => profile.replica_tombstones_wait = time,
        "own_tombstones_wait" => profile.own_tombstones_wait = on,
        "tombstone_replicas_stay_long" => profile.tombstone_replicas_stay_long = on,
        "scavenger_starts_wrong" => profile.scavenger_starts_wrong = on,
        "scavenge_drops_statics" => profile.scavenge_drops_statics = on,
        "statics_dropped_above" => profile.statics_dropped_above = small,
        "challenge_tries" => profile.challenge_tries = count.min(255) as u8,
        "challenge_interval" => profile.challenge_interval = time,
        "challenge_doubles" => profile.challenge_doubles = on,
        "challenge_joins" => profile.challenge_joins = on,
        "challenges_max" => profile.challenges_max = count as usize,
        "wack_ttl" => profile.wack_ttl = small,
        "wack_ttl_per_address" => profile.wack_ttl_per_address = small,
        "query_ttl" => profile.query_ttl = small,
        "prepend_1b" => profile.prepend_1b = on,
        "randomize_1c" => profile.randomize_1c = on,
        "members_max" => profile.members_max = count as usize,
        "migrate_on" => profile.migrate_on = on,
        "migrate_on_1c" => profile.migrate_on_1c = on,
        "group_overruns_static" => profile.group_overruns_static = on,
        "burst_handling" => profile.burst_handling = on,
        "burst_queue_size" => profile.burst_queue_size = small,
        "registration_queue_max" => profile.registration_queue_max = small,
        "burst_answers_in_full" => profile.burst_answers_in_full = on,
        "version_start" => profile.version_start = count,
        "only_configured_partners" => profile.only_configured_partners = on,
        "statics_to_strangers" => profile.statics_to_strangers = on,
        "persistent_associations" => profile.persistent_associations = on,
        "replica_beats_own" => profile.replica_beats_own = on,
        "merge_takes_ownership" => profile.merge_takes_ownership = on,
        "push_on_1c_tombstone" => profile.push_on_1c_tombstone = on,
        "merge_keeps_version" => profile.merge_keeps_version = on,
        "merge_always_takes_ownership" => profile.merge_always_takes_ownership = on,
        "merged_groups_never_age" => profile.merged_groups_never_age = on,
        "bad_replica_stops_pull" => profile.bad_replica_stops_pull = on,
        "scavenge_raises_replicas" => profile.scavenge_raises_replicas = on,
        "static_1c_merges" => profile.static_1c_merges = on,
        "multihomed_replicas_stick" => profile.multihomed_replicas_stick = on,
        "partners_max" => profile.partners_max = count as usize,
        "owners_max" => profile.owners_max = count as usize,
        "update_count_ignored" => profile.update_count_ignored = on,
        "propagation_circulates" => profile.propagation_circulates = on,
        "past_start_time_ignored" => profile.past_start_time_ignored = on,
        "pulls_drift" => profile.pulls_drift = on,
        "blank_start_time_is_error" => profile.blank_start_time_is_error = on,
        "persona_unsorted" => profile.persona_unsorted = on,
        "persona_members_pass" => profile.persona_members_pass = on,
        "persona_max" => profile.persona_max = count as usize,
        "empty_range_is_error" => profile.empty_range_is_error = on,
        "release_1d_reaches_netbt" => profile.release_1d_reaches_netbt = on,
        "pull_retries" => profile.pull_retries = small,
        "detailed_events" => profile.detailed_events = on,
        "checks_drift" => profile.checks_drift = on,
        "consistency_check" => profile.consistency_check = Some(time),
        "verify_records_max" => profile.verify_records_max = small,
        "verify_with_partners" => profile.verify_with_partners = on,
        "pause_until_replicated" => profile.pause_until_replicated = on,
        _ => return false,
    }
    true
}
