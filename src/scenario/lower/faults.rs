//! What breaks, when, and for how long.

use super::Build;
use crate::base::SimTime;
use crate::scenario::diagnose::{Mistake, nearest};
use crate::scenario::document::{Node, Table, Value};
use crate::scenario::language::CLUSTER_FAULTS;
use crate::scenario::plan::{LinkRef, RouterRef};
use crate::scenario::story::{FaultKind, FaultPlan, FaultRef, FaultSchedule, PacketScope, Side};
use crate::scenario::values;

impl Build<'_> {
    pub(super) fn faults(&mut self) {
        for (node, table) in self.listed("fault") {
            let kind = self.fault_kind(table);
            let schedule = self.schedule(node, table);
            let lasts = table.parse("lasts", values::range);
            if let (Some(lasts), Some(node)) = (lasts, table.get("lasts")) {
                if lasts.high.is_zero() {
                    self.mistake(node.span, "a fault lasts longer than 0");
                }
                self.within_run(lasts.low, node);
            }
            let made = made_label(table);
            let label = table.text("label").map(str::to_string).unwrap_or(made);
            let (Some(kind), Some(schedule)) = (kind, schedule) else {
                // Its label stays known, so that `after` does not complain too.
                self.fault_labels.entry(label).or_insert(FaultRef(u32::MAX));
                continue;
            };
            let label = self.free_label(label, table);
            self.fault_labels.insert(label.clone(), FaultRef(self.plan.faults.len() as u32));
            self.plan.faults.push(FaultPlan { label, kind, schedule, lasts });
        }
    }

    /// Labels are unique; one made from the fault gets a number, one given twice is a mistake.
    fn free_label(&mut self, label: String, table: &Table) -> String {
        if !self.fault_labels.contains_key(&label) {
            return label;
        }
        if let Some(node) = table.get("label") {
            let mistake =
                Mistake::new(node.span, format!("another fault is labelled `{label}` already"));
            self.out.add(mistake.hint("choose another label"));
        }
        let numbered = (2u32..).map(|n| format!("{label} ({n})"));
        numbered.into_iter().find(|l| !self.fault_labels.contains_key(l)).unwrap_or(label)
    }

    fn schedule(&mut self, node: &Node, table: &Table) -> Option<FaultSchedule> {
        let at = self.time(table, "at");
        let between = table.get("between").and_then(|n| {
            let range = n.text().and_then(|t| values::time_range(t).ok())?;
            self.in_run(range.1, n.span);
            Some(range)
        });
        let every = table.parse("every", values::range);
        let until = self.time(table, "until");
        if let (Some(first), Some(second)) = (table.get("at"), table.get("between")) {
            let span = first.span.max(second.span);
            self.mistake(span, "a fault takes only one of `at` and `between`");
        }
        if let (Some(until_node), None) = (table.get("until"), table.get("every")) {
            self.out.add(
                Mistake::new(until_node.span, "`until` belongs to `every`")
                    .hint("use `lasts` instead"),
            );
        }
        if let (Some(node), Some(every)) = (table.get("every"), every) {
            if every.low.is_zero() {
                self.mistake(node.span, "the gap must be longer than 0");
            }
            let first = at.unwrap_or(SimTime::ZERO + every.low);
            let until = until.unwrap_or(SimTime::ZERO + self.plan.duration);
            if until <= first {
                let span = table.get("until").unwrap_or(node).span;
                let mistake = Mistake::new(span, "it ends before it begins");
                self.out.add(mistake.hint(format!("the first is at {first}")));
            }
            return Some(FaultSchedule::Every { first, every, until });
        }
        if let Some((low, high)) = between {
            return Some(FaultSchedule::Between(low, high));
        }
        if !["at", "between", "every"].iter().any(|key| table.get(key).is_some()) {
            let mistake = Mistake::new(self.label_span(node, table), "this fault has no time");
            self.out.add(
                mistake.note("write at = \"09:00\", between = \"09:00..17:00\" or every = \"2h\""),
            );
        }
        Some(FaultSchedule::At(at?))
    }

    /// Where to point when a whole entry is meant: at its first key.
    pub(super) fn label_span(&self, node: &Node, table: &Table) -> crate::scenario::document::Span {
        table.entries.first().map_or(node.span, |e| e.key_span)
    }

    fn fault_kind(&mut self, table: &Table) -> Option<FaultKind> {
        let inner = |key| table.get(key).and_then(Node::table);
        for entry in &table.entries {
            let node = &entry.node;
            return match entry.key.as_str() {
                "crash" => self.target(node).map(FaultKind::Crash),
                "power_cut" => self.target(node).map(FaultKind::PowerCut),
                "pause" => self.target(node).map(FaultKind::Pause),
                "reboot" => self.target(node).map(FaultKind::Reboot),
                "wipe" => self.target(node).map(FaultKind::Wipe),
                "full_disk" => self.target(node).map(FaultKind::FullDisk),
                "link_down" => Some(FaultKind::LinkDown(self.link_refs(node))),
                "router_down" => Some(FaultKind::RouterDown(self.router_refs(node))),
                "partition" => self.partition(node),
                "loss" | "duplicate" => {
                    let inner = inner(&entry.key)?;
                    let on = self.scope(inner.get("on")?);
                    let (on, odds) = (on?, inner.parse("odds", values::odds)?);
                    Some(match entry.key.as_str() {
                        "loss" => FaultKind::Loss { on, odds },
                        _ => FaultKind::Duplicate { on, odds },
                    })
                }
                "delay" => {
                    let inner = inner("delay")?;
                    let on = self.scope(inner.get("on")?);
                    Some(FaultKind::Delay { on: on?, by: inner.parse("by", values::range)? })
                }
                "clock_jump" => {
                    let inner = inner("clock_jump")?;
                    let hosts = self.target(inner.get("hosts")?);
                    let by_ns = inner.parse("by", values::signed)?;
                    Some(FaultKind::ClockJump { hosts: hosts?, by_ns })
                }
                "clock_drift" => {
                    let inner = inner("clock_drift")?;
                    let hosts = self.target(inner.get("hosts")?);
                    let (low, high) = inner.parse("by", values::drift_range)?;
                    if low != high {
                        let span = inner.get("by").map(|n| n.span).unwrap_or_default();
                        self.mistake(span, "a fault's drift is one value, not a range");
                    }
                    Some(FaultKind::ClockDrift { hosts: hosts?, ppb: low })
                }
                "slow_disk" => {
                    let inner = inner("slow_disk")?;
                    let hosts = self.target(inner.get("hosts")?);
                    let factor = u32::try_from(inner.count("factor")?).ok()?;
                    Some(FaultKind::SlowDisk { hosts: hosts?, factor })
                }
                key if CLUSTER_FAULTS.iter().any(|k| k.name == key) => {
                    self.cluster_fault(key, node, entry.key_span)
                }
                _ => continue,
            };
        }
        None
    }

    fn link_refs(&mut self, node: &Node) -> Vec<LinkRef> {
        let names: Vec<String> = self.plan.links.iter().map(|l| l.name.clone()).collect();
        self.refs(node, "link", &names).into_iter().map(LinkRef).collect()
    }

    fn router_refs(&mut self, node: &Node) -> Vec<RouterRef> {
        let names: Vec<String> = self.plan.routers.iter().map(|r| r.name.clone()).collect();
        self.refs(node, "router", &names).into_iter().map(RouterRef).collect()
    }

    fn refs(&mut self, node: &Node, what: &str, names: &[String]) -> Vec<u32> {
        let mut found = Vec::new();
        if node.items().is_empty() {
            self.mistake(node.span, format!("this names no {what}"));
        }
        for item in node.items() {
            let Some(text) = item.text() else { continue };
            match names.iter().position(|n| n == text) {
                Some(i) => found.push(i as u32),
                None => {
                    let mistake = Mistake::new(item.span, format!("unknown {what} `{text}`"));
                    let near = nearest(text, names.iter().map(String::as_str));
                    let known = match names.is_empty() {
                        true => format!("the scenario has no {what}"),
                        false => format!("{what}s: {}", names.join(", ")),
                    };
                    self.out.add(mistake.suggest(near).note(known));
                }
            }
        }
        found
    }

    fn partition(&mut self, node: &Node) -> Option<FaultKind> {
        let (from, to, one_way) = match &node.value {
            Value::List(items) => {
                let [from, to] = items.as_slice() else {
                    self.mistake(node.span, "a partition has two sides");
                    return None;
                };
                (from, to, false)
            }
            Value::Table(table) => {
                let one_way = table.switch("one_way").unwrap_or(false);
                (table.get("from")?, table.get("to")?, one_way)
            }
            _ => return None,
        };
        let (from_side, to_side) = (self.side(from), self.side(to));
        let both = |h: &_| self.in_side(&from_side, *h) && self.in_side(&to_side, *h);
        let hosts = (0..self.plan.hosts.len() as u32).map(crate::scenario::HostRef);
        if let Some(host) = hosts.into_iter().find(both) {
            let name = self.plan.hosts[host.index()].name.clone();
            self.mistake(to.span, format!("host `{name}` is on both sides"));
        }
        Some(FaultKind::Partition { from: from_side, to: to_side, one_way })
    }

    fn in_side(&self, side: &Side, host: crate::scenario::HostRef) -> bool {
        let subnet = self.plan.hosts[host.index()].subnet;
        side.hosts.contains(&host) || side.subnets.contains(&subnet)
    }

    fn side(&mut self, node: &Node) -> Side {
        let mut side = Side::default();
        for item in node.items() {
            let Some(text) = item.text() else { continue };
            match self.subnet_named(text.trim_start_matches("subnet ")) {
                Some(subnet) => side.subnets.push(subnet),
                None => side.hosts.extend(self.select(text, item.span).unwrap_or_default()),
            }
        }
        side.hosts.sort();
        side.hosts.dedup();
        side
    }

    /// Links, subnets or hosts; all of one sort.
    fn scope(&mut self, node: &Node) -> Option<PacketScope> {
        let names: Vec<&str> = node.items().iter().filter_map(Node::text).collect();
        let link = |n: &&str| self.plan.links.iter().any(|l| l.name == **n);
        if !names.is_empty() && names.iter().all(link) {
            return Some(PacketScope::Links(self.link_refs(node)));
        }
        let subnets: Vec<_> = names.iter().filter_map(|n| self.subnet_named(n)).collect();
        if !names.is_empty() && subnets.len() == names.len() {
            return Some(PacketScope::Subnets(subnets));
        }
        if let Some(text) = names.iter().find(|n| link(n) || self.subnet_named(n).is_some()) {
            let mistake =
                Mistake::new(node.span, format!("`{text}` and the others are not of one sort"));
            self.out.add(mistake.hint("write one fault each"));
            return None;
        }
        // A word that is nothing at all: hosts, links and subnets are all worth suggesting.
        let known = |n: &str| self.hosts_by_name.contains_key(n) || n.contains(['*', '{', ' ']);
        let unknown =
            names.iter().find(|n| !known(n) && !["hosts", "clients", "wins-servers"].contains(n));
        if let Some(text) = unknown {
            let things = self.things.keys().map(String::as_str);
            let mistake = Mistake::new(node.span, format!("unknown link, subnet or host `{text}`"));
            let mistake = mistake.suggest(nearest(text, things));
            self.out.add(mistake);
            return None;
        }
        let hosts = self.host_set(node);
        (!hosts.is_empty()).then_some(PacketScope::Hosts(hosts))
    }
}

/// A label made from what a fault does: `power_cut wins-a`.
fn made_label(table: &Table) -> String {
    let skip = ["label", "at", "between", "every", "until", "lasts"];
    let Some(entry) = table.entries.iter().find(|e| !skip.contains(&e.key.as_str())) else {
        return "fault".to_string();
    };
    let texts = |node: &Node| -> String {
        let texts = node.items().iter().map(|n| match &n.value {
            Value::List(items) => items.iter().filter_map(Node::text).collect::<Vec<_>>().join("+"),
            _ => n.text().unwrap_or_default().to_string(),
        });
        texts.collect::<Vec<_>>().join(" ")
    };
    let target = match entry.node.table() {
        None => texts(&entry.node),
        Some(inner) => {
            let keys = ["hosts", "on", "from", "to", "network", "nodes", "disk", "service"];
            let there = keys.iter().filter_map(|key| inner.get(key));
            there.map(texts).collect::<Vec<_>>().join(" ")
        }
    };
    format!("{} {target}", entry.key).trim().to_string()
}
