//! Groups: the one setup makes, those of the file, and where each goes.

use super::{CLUSTER_GROUP, Draft, DraftGroup, DraftResource};
use crate::cluster::{Failback, GroupConfig, GroupId, ResourceId};
use crate::scenario::diagnose::{Mistake, nearest};
use crate::scenario::document::{Entry, Node, Table};
use crate::scenario::lower::Build;
use crate::scenario::values;

/// Groups and resources one cluster may have here: far beyond every product, well within their numbers.
const THINGS_MAX: usize = 20_000;
/// Resources setup makes in the Cluster Group, by key.
pub(super) const CLUSTER_IP: &str = "cluster-ip";
pub(super) const CLUSTER_NAME: &str = "cluster-name";

impl Build<'_> {
    /// The names of all groups and resources, and what is said about the groups.
    pub(super) fn cluster_groups(&mut self, draft: &mut Draft<'_>) {
        let empty: &[_] = &[];
        let entries = draft.table.get("group").and_then(Node::table);
        let entries = entries.map_or(empty, |t| t.entries.as_slice());
        let own = entries.iter().find(|e| e.key == CLUSTER_GROUP.0);
        let table = own.and_then(|e| e.node.table());
        draft.groups.push(DraftGroup { key: CLUSTER_GROUP.0.to_string(), table });
        for entry in entries.iter().filter(|e| e.key != CLUSTER_GROUP.0) {
            if draft.groups.len() >= THINGS_MAX {
                self.mistake(entry.key_span, format!("a cluster has {THINGS_MAX} groups at most"));
                break;
            }
            let table = entry.node.table();
            draft.groups.push(DraftGroup { key: entry.key.clone(), table });
        }
        made_by_setup(draft);
        for place in 0..draft.groups.len() {
            let (group, table) = (GroupId(place as u16), draft.groups[place].table);
            let entries = table.and_then(|t| t.get("resource")).and_then(Node::table);
            for entry in entries.map_or(empty, |t| t.entries.as_slice()) {
                self.add_resource(draft, group, entry);
            }
            let config = self.group_config(draft, place);
            draft.plan.config.groups.push(config);
        }
    }

    fn add_resource<'d>(&mut self, draft: &mut Draft<'d>, group: GroupId, entry: &'d Entry) {
        let Some(table) = entry.node.table() else { return };
        if draft.resources.len() >= THINGS_MAX {
            self.mistake(entry.key_span, format!("a cluster has {THINGS_MAX} resources at most"));
        } else if entry.key.contains(['{', '}']) {
            let message = "only hosts are made from a template with braces".to_string();
            let mistake = Mistake::new(entry.key_span, message);
            self.out.add(
                mistake.hint("give each resource its own name").note(
                    "many shares at once: a step with create_shares = { group, count, path }",
                ),
            );
        } else if draft.resources.iter().any(|r| r.group == group && r.key == entry.key) {
            let message = format!("`{}` is a resource that setup makes", entry.key);
            self.out.add(Mistake::new(entry.key_span, message).hint("choose another name"));
        } else {
            let (key, span) = (entry.key.clone(), entry.key_span);
            draft.resources.push(DraftResource {
                key,
                group,
                span,
                table: Some(table),
                known: true,
            });
        }
    }

    fn group_config(&mut self, draft: &Draft<'_>, place: usize) -> GroupConfig {
        let group = &draft.groups[place];
        let name = match group.key.as_str() {
            key if key == CLUSTER_GROUP.0 => CLUSTER_GROUP.1.to_string(),
            key => key.to_string(),
        };
        let empty = Table::default();
        let table = group.table.unwrap_or(&empty);
        let preferred = table.get("preferred").map(|n| self.node_list(&draft.plan, n));
        let preferred_owners = preferred.unwrap_or_default();
        let failback = table.get("failback").map(|n| self.failback(n)).unwrap_or(Failback::Prevent);
        if let (Some(node), Failback::Immediate | Failback::Window { .. }, true) =
            (table.get("failback"), failback, preferred_owners.is_empty())
        {
            let mistake = Mistake::new(node.span, format!("group `{name}` prefers no node"));
            self.out.add(mistake.hint("add `preferred`: it goes back to the first of them"));
        }
        let threshold = table.count("failover_threshold").and_then(|n| u32::try_from(n).ok());
        let period = table.parse("failover_period", values::interval);
        let usual = GroupConfig::new(name);
        GroupConfig {
            preferred_owners,
            failover_threshold: threshold.or(usual.failover_threshold),
            failover_period: period.unwrap_or(usual.failover_period),
            failback,
            online_at_start: table.switch("online_at_start").unwrap_or(usual.online_at_start),
            ..usual
        }
    }

    /// `never`, `immediate`, or two full hours.
    fn failback(&mut self, node: &Node) -> Failback {
        let text = node.text().unwrap_or_default().trim();
        let hour = |text: &str| {
            let at = values::time_of_day(text).ok()?;
            (at.0 % 3_600_000_000_000 == 0).then_some((at.0 / 3_600_000_000_000) as u8)
        };
        let hours = text.split_once('-').and_then(|(a, b)| Some((hour(a)?, hour(b)?)));
        match (text, hours) {
            ("never", _) => return Failback::Prevent,
            ("immediate", _) => return Failback::Immediate,
            (_, Some((start, end))) if start != end => return Failback::Window { start, end },
            _ => {}
        }
        if !text.is_empty() {
            let mistake = Mistake::new(node.span, format!("`{text}` is no time to go back"));
            let near = nearest(text, ["never", "immediate"].into_iter());
            let mistake = mistake.suggest(near);
            self.out.add(mistake.note(
                "write \"never\", \"immediate\", or two different full hours: \"22:00-06:00\"",
            ));
        }
        Failback::Prevent
    }
}

/// What setup puts into the Cluster Group: the quorum disk unless a group has it, address and name.
fn made_by_setup(draft: &mut Draft<'_>) {
    let quorum = draft.table.text("quorum").unwrap_or_default();
    let disk = draft.disk(quorum);
    let resources = draft.groups.iter().filter_map(|g| g.table?.get("resource")?.table());
    let mut resources = resources.flat_map(|t| &t.entries);
    let has_it = resources.any(|entry| {
        let Some(table) = entry.node.table() else { return false };
        let disk = table.text("disk").unwrap_or(&entry.key);
        table.text("type") == Some("physical-disk") && disk == quorum
    });
    let mut keys = Vec::new();
    if disk.is_some() && !has_it {
        keys.push(quorum);
    }
    if draft.table.get("address").is_some() {
        keys.extend([CLUSTER_IP, CLUSTER_NAME]);
    }
    for key in keys {
        let (key, span) = (key.to_string(), draft.span);
        draft.resources.push(DraftResource {
            key,
            group: GroupId(0),
            span,
            table: None,
            known: true,
        });
    }
}

impl Draft<'_> {
    /// What a resource is called: its key, with its group's where several groups have that key.
    pub(super) fn full_name(&self, id: ResourceId) -> String {
        let own = &self.resources[usize::from(id.0)];
        let shared = self.resources.iter().filter(|r| r.key == own.key).count() > 1;
        match shared {
            true => format!("{}/{}", self.groups[usize::from(own.group.0)].key, own.key),
            false => own.key.clone(),
        }
    }
}
