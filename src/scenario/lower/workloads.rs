//! What clients do: storms, look-ups, churn, roaming; and probes.

use super::Build;
use crate::base::{SimDuration, SimTime};
use crate::scenario::diagnose::Mistake;
use crate::scenario::document::{Node, Table};
use crate::scenario::plan::{Boot, HostRef};
use crate::scenario::story::{
    ArrivalLaw, GapLaw, LookupsPlan, ProbeKind, ProbePlan, WorkloadKind, WorkloadPlan, WorkloadRef,
};
use crate::scenario::values;

impl Build<'_> {
    pub(super) fn workloads(&mut self) {
        for entry in self.named("workload") {
            let Some(table) = entry.node.table() else { continue };
            let inner = |key| table.get(key).and_then(Node::table);
            let kind = if let Some(table) = inner("boot_storm") {
                self.boot_storm(table)
            } else if let Some(table) = inner("lookups") {
                self.lookups(table)
            } else if let Some(table) = inner("churn") {
                self.churn(table)
            } else if let Some(table) = inner("roaming") {
                self.roaming(table)
            } else {
                None
            };
            if let Some(kind) = kind {
                self.plan.workloads.push(WorkloadPlan { name: entry.key.clone(), kind });
            }
        }
    }

    /// The hosts of a workload, which all need a NetBT client.
    fn clients_in(&mut self, table: &Table) -> Option<Vec<HostRef>> {
        let node = table.get("hosts")?;
        let hosts = self.host_set(node);
        if let Some(&mute) = hosts.iter().find(|&&h| self.plan.group_of(h).nbt.is_none()) {
            let name = self.plan.hosts[mute.index()].name.clone();
            self.mistake(node.span, format!("host `{name}` has no NetBIOS over TCP/IP"));
        }
        (!hosts.is_empty()).then_some(hosts)
    }

    fn boot_storm(&mut self, table: &Table) -> Option<WorkloadKind> {
        let at = self.time(table, "at");
        let within = table.parse("within", values::duration);
        if let (Some(at), Some(within), Some(node)) = (at, within, table.get("within"))
            && at <= SimTime::ZERO + self.plan.duration
        {
            self.in_run(at + within, node.span);
        }
        let hosts = self.clients_in(table)?;
        let workload = WorkloadRef(self.plan.workloads.len() as u32);
        for &host in &hosts {
            let plan = &mut self.plan.hosts[host.index()];
            if let Boot::ByWorkload(_) = plan.boot {
                let message = format!("`{}` is in a boot storm already", plan.name);
                let span = table.get("hosts").map(|n| n.span).unwrap_or_default();
                self.mistake(span, message);
                break;
            }
            plan.boot = Boot::ByWorkload(workload);
        }
        let law = match table.text("law") {
            Some("exponential") => ArrivalLaw::Exponential,
            Some("burst-front") => ArrivalLaw::BurstFront,
            _ => ArrivalLaw::Uniform,
        };
        Some(WorkloadKind::BootStorm { hosts, at: at?, within: within?, law })
    }

    fn lookups(&mut self, table: &Table) -> Option<WorkloadKind> {
        let (from, until) = self.window(table);
        let hosts = self.clients_in(table);
        let mut targets = Vec::new();
        for node in table.items("names") {
            if let Some(text) = node.text() {
                targets.extend(self.lookup_targets(text, node.span));
            }
        }
        if table.get("names").is_some_and(|n| n.items().is_empty()) {
            let span = table.get("names").map(|n| n.span).unwrap_or_default();
            self.mistake(span, "the look-ups have nothing to look up");
        }
        targets.dedup();
        let law = match table.text("law") {
            Some("uniform") => GapLaw::Uniform,
            Some("fixed") => GapLaw::Fixed,
            _ => GapLaw::Exponential,
        };
        let every = table.parse("every", values::interval)?;
        let use_cache = table.switch("cache").unwrap_or(true);
        let hosts = hosts?;
        Some(WorkloadKind::Lookups(LookupsPlan {
            hosts,
            targets,
            every,
            law,
            from,
            until,
            use_cache,
        }))
    }

    fn churn(&mut self, table: &Table) -> Option<WorkloadKind> {
        let (from, until) = self.window(table);
        let hosts = self.clients_in(table)?;
        let every = table.parse("every", values::interval)?;
        let off_for = table.parse("off_for", values::range)?;
        let clean = table.switch("clean").unwrap_or(true);
        Some(WorkloadKind::Churn { hosts, every, off_for, clean, from, until })
    }

    fn roaming(&mut self, table: &Table) -> Option<WorkloadKind> {
        let (from, until) = self.window(table);
        let hosts = self.clients_in(table);
        let to: Vec<_> = table.items("to").iter().filter_map(|n| self.subnet(n)).collect();
        let every = table.parse("every", values::interval)?;
        let hosts = hosts?;
        let stuck = hosts.iter().find(|h| to == [self.plan.hosts[h.index()].subnet]);
        if let (Some(host), Some(node)) = (stuck, table.get("to")) {
            let name = &self.plan.hosts[host.index()].name;
            let mistake = Mistake::new(node.span, format!("`{name}` is there already"));
            self.out.add(mistake.hint("name another subnet too"));
        }
        Some(WorkloadKind::Roaming { hosts, to, every, from, until })
    }

    pub(super) fn probes(&mut self) {
        for (_, table) in self.listed("probe") {
            let kind = if let Some(node) = table.get("records") {
                Some(ProbeKind::Records(self.wins_hosts(node)))
            } else if let Some(node) = table.get("queue") {
                Some(ProbeKind::Queue(self.host_set(node)))
            } else if let Some(node) = table.get("success") {
                Some(ProbeKind::Success(self.host_set(node)))
            } else if let Some(node) = table.get("registered") {
                Some(ProbeKind::Registered(self.host_set(node)))
            } else {
                table.get("lookup").and_then(Node::table).and_then(|t| self.lookup_probe(t))
            };
            let every = table.parse("every", values::interval);
            if let (Some(kind), Some(every)) = (kind, every) {
                let name = table.text("name").unwrap_or_default().to_string();
                self.plan.probes.push(ProbePlan { name, every, kind });
            }
        }
    }

    fn lookup_probe(&mut self, table: &Table) -> Option<ProbeKind> {
        let node = table.get("host")?;
        let hosts = self.host_set(node);
        if hosts.len() > 1 {
            self.mistake(node.span, "one host probes, not several");
        }
        let target = table.get("name").and_then(|n| self.lookup_target(n));
        Some(ProbeKind::Lookup { host: *hosts.first()?, target: target? })
    }

    /// A duration that must not be longer than the run.
    pub(super) fn within_run(&mut self, d: SimDuration, node: &Node) {
        if d > self.plan.duration {
            let end = self.plan.duration;
            let mistake = Mistake::new(node.span, format!("{d} is longer than the run"));
            self.out.add(mistake.hint(format!("the run takes {end}")));
        }
    }
}
