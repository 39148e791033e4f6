//! What operators and users do.

use super::Build;
use super::expects::record_state;
use super::services::static_kind;
use crate::scenario::diagnose::Mistake;
use crate::scenario::document::{Node, Span, Table};
use crate::scenario::language::CLUSTER_STEPS;
use crate::scenario::plan::{HostRef, OwnName, StaticKind};
use crate::scenario::story::{
    ClaimKind, RecordPlan, ReplicateDirection, StepKind, StepPlan, StepRef,
};
use crate::scenario::values;
use crate::wins::MEMBERS_MAX;
use crate::wire::{NetbiosName, Suffix};

impl Build<'_> {
    pub(super) fn steps(&mut self) {
        for (node, table) in self.listed("step") {
            let at = self.time(table, "at");
            let skip = ["label", "at"];
            let action = table.entries.iter().find(|e| !skip.contains(&e.key.as_str()));
            let Some(action) = action else { continue };
            let kind = self.step_kind(&action.key, &action.node, action.key_span);
            let made = format!("{} at {}", action.key, table.text("at").unwrap_or_default());
            let label = table.text("label").map_or(made, str::to_string);
            let taken =
                self.step_labels.contains_key(&label) || self.fault_labels.contains_key(&label);
            if taken && let Some(node) = table.get("label") {
                self.mistake(node.span, format!("something else is labelled `{label}` already"));
            }
            let _ = node;
            let (Some(at), Some(kind)) = (at, kind) else {
                self.step_labels.entry(label).or_insert(StepRef(u32::MAX));
                continue;
            };
            let mut unique = label.clone();
            let mut n = 2;
            while self.step_labels.contains_key(&unique) {
                unique = format!("{label} ({n})");
                n += 1;
            }
            self.step_labels.insert(unique.clone(), StepRef(self.plan.steps.len() as u32));
            self.plan.steps.push(StepPlan { label: unique, at, kind });
        }
    }

    fn step_kind(&mut self, key: &str, node: &Node, span: Span) -> Option<StepKind> {
        match key {
            "shut_down" => return Some(StepKind::ShutDown(self.host_set(node))),
            "boot" => return Some(StepKind::Boot(self.host_set(node))),
            "stop_wins" => return Some(StepKind::StopWins(self.wins_services(node))),
            "start_wins" => return Some(StepKind::StartWins(self.wins_services(node))),
            "release_refresh" => return Some(StepKind::ReleaseRefresh(self.netbt_hosts(node))),
            _ if CLUSTER_STEPS.iter().any(|k| k.name == key) => {
                return self.cluster_step(key, node, span);
            }
            _ => {}
        }
        let table = node.table()?;
        match key {
            "roam" => return self.roam(table),
            "claim" => return self.claim_step(table),
            "register" | "release" | "log_on" => return self.name_step(key, table),
            "malformed_packet" => {
                let host = table.get("host").and_then(|n| self.host(n));
                let to = table.get("to").and_then(|n| self.address_of(n));
                return Some(StepKind::MalformedPacket { host: host?, to: to?.0 });
            }
            "lookup" => {
                let hosts = self.host_set(table.get("host")?);
                let target = table.get("name").and_then(|n| self.lookup_target(n));
                return Some(StepKind::Lookup { hosts, target: target? });
            }
            _ => {}
        }
        let server = self.wins_host(table.get("server")?);
        let name = || table.text("name").and_then(|text| text.parse::<NetbiosName>().ok());
        Some(match key {
            "delete_record" => StepKind::DeleteRecord { server: server?, name: name()? },
            "tombstone_record" => StepKind::TombstoneRecord { server: server?, name: name()? },
            "delete_owner" => {
                let (owner, _) = self.address_of(table.get("owner")?)?;
                StepKind::DeleteOwner { server: server?, owner }
            }
            "check_consistency" => StepKind::CheckConsistency { server: server? },
            "put_record" => {
                let record = self.record(table, server);
                StepKind::PutRecord { server: server?, record: record? }
            }
            "add_static" => {
                let mapping = self.static_mapping(table, node.span);
                StepKind::AddStatic { server: server?, mapping: mapping? }
            }
            "import_lmhosts" => {
                let file = table.get("file").and_then(|n| self.lmhosts(n));
                StepKind::ImportLmhosts { server: server?, file: file? }
            }
            "replicate" => {
                let partner_node = table.get("partner");
                let partner = partner_node.and_then(|n| self.wins_host(n));
                if let (Some(node), Some(_)) =
                    (partner_node, server.filter(|s| partner == Some(*s)))
                {
                    self.mistake(node.span, "a server does not replicate with itself");
                }
                let direction = match table.text("direction") {
                    Some("push") => ReplicateDirection::Push,
                    _ => ReplicateDirection::Pull,
                };
                let propagate = table.switch("propagate").unwrap_or(false);
                if propagate && direction == ReplicateDirection::Pull {
                    let span = table.get("propagate").map(|n| n.span).unwrap_or_default();
                    let mistake = Mistake::new(span, "a pull is not propagated");
                    self.out.add(mistake.hint("add direction = \"push\""));
                }
                StepKind::Replicate { server: server?, direction, partner, propagate }
            }
            "set_partners" => {
                let server = server?;
                let (pull_from, push_to) = self.partners(server, table);
                StepKind::SetPartners { server, pull_from, push_to }
            }
            "scavenge" => StepKind::Scavenge {
                server: server?,
                force: table.switch("force").unwrap_or(false),
            },
            _ => return None,
        })
    }

    /// Hosts, all of which have a NetBT client.
    fn netbt_hosts(&mut self, node: &Node) -> Vec<HostRef> {
        let hosts = self.host_set(node);
        for &host in &hosts {
            self.needs_netbt(host, node);
        }
        hosts
    }

    fn needs_netbt(&mut self, host: HostRef, node: &Node) {
        if self.plan.group_of(host).nbt.is_none() {
            let name = self.plan.hosts[host.index()].name.clone();
            self.mistake(node.span, format!("host `{name}` has no NetBIOS over TCP/IP"));
        }
    }

    /// A record that is put into a database.
    fn record(&mut self, table: &Table, server: Option<HostRef>) -> Option<RecordPlan> {
        let own = server.map(|server| self.plan.hosts[server.index()].address);
        let address = |build: &mut Self, key| match table.get(key) {
            Some(node) => build.address_of(node).map(|(address, _)| Some(address)),
            None => Some(None),
        };
        let (owner, member_owner) = (address(self, "owner"), address(self, "member_owner"));
        let addresses = self.addresses_of(table.items("addresses"));
        let kind = static_kind(table.text("kind").unwrap_or("unique"));
        let foreign = owner.flatten().is_some_and(|owner| Some(owner) != own);
        if foreign && table.get("version").is_none() {
            let span = table.get("owner").map(|n| n.span).unwrap_or_default();
            self.mistake(span, "a record of another owner needs its `version`");
        }
        let held = matches!(kind, StaticKind::Unique | StaticKind::Group);
        if addresses.len() > MEMBERS_MAX || held && addresses.len() != 1 {
            let span = table.get("addresses").map(|n| n.span);
            let span = span.or_else(|| table.get("name").map(|n| n.span)).unwrap_or_default();
            let message = format!("{} addresses for such a record", addresses.len());
            let most = if held { "it has one".into() } else { format!("{MEMBERS_MAX} at most") };
            self.out.add(Mistake::new(span, message).hint(most));
        }
        Some(RecordPlan {
            name: table.text("name")?.parse().ok()?,
            kind,
            state: table.text("state").map(record_state),
            is_static: table.switch("static").unwrap_or(false),
            owner: owner?,
            version: table.count("version"),
            addresses,
            member_owner: member_owner?,
        })
    }

    /// A bare registration or release.
    fn claim_step(&mut self, table: &Table) -> Option<StepKind> {
        let host = table.get("host").and_then(|n| self.host(n));
        let server = table.get("server").and_then(|n| self.address_of(n));
        let address = match table.get("address") {
            Some(node) => self.address_of(node).map(|(address, _)| address),
            None => host.map(|host| self.plan.hosts[host.index()].address),
        };
        Some(StepKind::Claim {
            host: host?,
            server: server?.0,
            name: table.text("name")?.parse().ok()?,
            kind: match table.text("kind") {
                Some("group") => ClaimKind::Group,
                Some("multihomed") => ClaimKind::Multihomed,
                _ => ClaimKind::Unique,
            },
            address: address?,
            release: table.switch("release").unwrap_or(false),
        })
    }

    fn roam(&mut self, table: &Table) -> Option<StepKind> {
        let node = table.get("host")?;
        let hosts = self.host_set(node);
        let to_node = table.get("to")?;
        let to = self.subnet(to_node)?;
        let mut addresses = Vec::new();
        if let Some(node) = table.get("address") {
            let address = node.text().and_then(|t| values::address(t).ok())?;
            if hosts.len() > 1 {
                self.mistake(node.span, "one address is not enough for several hosts");
            }
            if let Some(host) = hosts.first() {
                let owner = format!("host `{}`, moved", self.plan.hosts[host.index()].name);
                self.take_address(to, address, &owner, node.span);
            }
            addresses.push(address);
            return Some(StepKind::Roam { hosts, to, addresses });
        }
        for host in &hosts {
            let owner = format!("host `{}`, moved", self.plan.hosts[host.index()].name);
            match self.free_address(to, &owner) {
                Some(address) => addresses.push(address),
                None => {
                    let name = self.plan.subnets[to.index()].name.clone();
                    self.mistake(to_node.span, format!("subnet `{name}` is full"));
                    break;
                }
            }
        }
        Some(StepKind::Roam { hosts, to, addresses })
    }

    fn name_step(&mut self, key: &str, table: &Table) -> Option<StepKind> {
        let node = table.get("host")?;
        let host = self.host(node);
        let host = host?;
        self.needs_netbt(host, node);
        if key == "log_on" {
            let user = NetbiosName::new(table.text("user")?, Suffix::MESSENGER).ok()?;
            return Some(StepKind::LogOn { host, user });
        }
        let name: NetbiosName = table.text("name")?.parse().ok()?;
        if key == "release" {
            return Some(StepKind::Release { host, name });
        }
        let group = table.switch("group").unwrap_or(false);
        Some(StepKind::Register { host, name: OwnName { name, group } })
    }
}
