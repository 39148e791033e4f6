//! What operators and users do.

use super::Build;
use crate::scenario::diagnose::Mistake;
use crate::scenario::document::{Node, Table};
use crate::scenario::plan::OwnName;
use crate::scenario::story::{ReplicateDirection, StepKind, StepPlan, StepRef};
use crate::scenario::values;
use crate::wire::{NetbiosName, Suffix};

impl Build<'_> {
    pub(super) fn steps(&mut self) {
        for (node, table) in self.listed("step") {
            let at = self.time(table, "at");
            let skip = ["label", "at"];
            let action = table.entries.iter().find(|e| !skip.contains(&e.key.as_str()));
            let Some(action) = action else { continue };
            let kind = self.step_kind(&action.key, &action.node);
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

    fn step_kind(&mut self, key: &str, node: &Node) -> Option<StepKind> {
        match key {
            "shut_down" => return Some(StepKind::ShutDown(self.host_set(node))),
            "boot" => return Some(StepKind::Boot(self.host_set(node))),
            _ => {}
        }
        let table = node.table()?;
        match key {
            "roam" => return self.roam(table),
            "register" | "release" | "log_on" => return self.name_step(key, table),
            "lookup" => {
                let hosts = self.host_set(table.get("host")?);
                let target = table.get("name").and_then(|n| self.lookup_target(n));
                return Some(StepKind::Lookup { hosts, target: target? });
            }
            _ => {}
        }
        let server = self.wins_host(table.get("server")?);
        Some(match key {
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
        if let Some(host) = host
            && self.plan.group_of(host).nbt.is_none()
        {
            let name = self.plan.hosts[host.index()].name.clone();
            self.mistake(node.span, format!("host `{name}` has no NetBIOS over TCP/IP"));
        }
        let host = host?;
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
