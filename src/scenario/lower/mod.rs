//! From a checked document to a plan: names become indices, templates hosts, defaults are filled in.
//!
//! Works through the file in an order in which everything is known before it is used, and goes on after
//! a mistake, so that all of them come out in one pass. What the shape check has already reported reads
//! as absent here and is not reported again.

mod cluster;
mod expects;
mod faults;
mod hosts;
mod interfaces;
mod names;
mod network;
mod programs;
mod services;
mod steps;
mod workloads;

pub use hosts::{BOOT_TAKES, default_cpu};

use super::diagnose::{Mistake, Mistakes};
use super::document::{Node, Span, Table};
use super::kb::{KbPlan, is_article};
use super::plan::{HostRef, Plan, SubnetRef};
use super::values::{self, Unfit};
use super::vary::{Axis, axes};
use super::{FaultRef, StepRef};
use crate::base::{SimDuration, SimTime};
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

/// Reads a file named by a scenario: its text, or why not.
pub type ReadFile<'a> = dyn Fn(&str) -> Result<String, String> + 'a;

/// Calendar time of the first day unless the file says otherwise: Monday, 2 March 1998.
const EPOCH_UNIX_S: u64 = 888_796_800;

/// What is known so far.
pub struct Build<'a> {
    root: &'a Table,
    out: &'a mut Mistakes,
    read_file: &'a ReadFile<'a>,
    plan: Plan,
    /// Names of subnets, routers, links and hosts, which share one space, and what each is.
    things: BTreeMap<String, &'static str>,
    hosts_by_name: BTreeMap<String, HostRef>,
    hosts_by_computer: BTreeMap<String, HostRef>,
    /// Who has an address.
    addresses: BTreeMap<Ipv4Addr, String>,
    /// Addresses of clusters: no host without an address of its own gets one of them.
    reserved: BTreeSet<Ipv4Addr>,
    /// From where the search for a free address goes on, by subnet.
    next_address: Vec<u32>,
    /// Component of the network each subnet belongs to, once links are known.
    islands: Vec<usize>,
    /// Which host entry of the file each group comes from.
    group_entries: Vec<usize>,
    fault_labels: BTreeMap<String, FaultRef>,
    step_labels: BTreeMap<String, StepRef>,
}

/// Turns a document into a plan. Complete only if no mistake was added.
pub fn lower(
    root: &Table,
    story: Vec<String>,
    out: &mut Mistakes,
    read_file: &ReadFile<'_>,
) -> Plan {
    let text = |key| root.get(key).and_then(Node::text);
    let duration = text("duration").and_then(|t| values::interval(t).ok());
    let plan = Plan {
        title: text("title").unwrap_or_default().to_string(),
        story,
        // With a bad duration nothing is late: that mistake has been reported.
        duration: duration.unwrap_or(SimDuration::MAX),
        seed: root.count("seed").unwrap_or(1),
        epoch_unix_s: root.parse("epoch", values::calendar).unwrap_or(EPOCH_UNIX_S),
        ..Plan::default()
    };
    let mut build = Build {
        root,
        out,
        read_file,
        plan,
        things: BTreeMap::new(),
        hosts_by_name: BTreeMap::new(),
        hosts_by_computer: BTreeMap::new(),
        addresses: BTreeMap::new(),
        reserved: BTreeSet::new(),
        next_address: Vec::new(),
        islands: Vec::new(),
        group_entries: Vec::new(),
        fault_labels: BTreeMap::new(),
        step_labels: BTreeMap::new(),
    };
    build.subnets();
    build.routers();
    build.links();
    build.domains();
    build.hosts();
    build.assign_addresses();
    build.programs_of_hosts();
    build.clusters();
    // A client's server and a server's partner may be a cluster's.
    build.services();
    build.workloads();
    build.faults();
    build.steps();
    build.probes();
    build.expects();
    build.vary();
    build.kb();
    build.plan
}

impl<'a> Build<'a> {
    /// Entries of a table of named things at the top of the file.
    fn named(&self, key: &str) -> &'a [super::document::Entry] {
        self.root.get(key).and_then(Node::table).map_or(&[], |t| t.entries.as_slice())
    }

    /// Entries of a list of tables at the top of the file, those that are tables.
    fn listed(&self, key: &str) -> Vec<(&'a Node, &'a Table)> {
        let items = self.root.get(key).map_or(&[] as &[Node], Node::items);
        items.iter().filter_map(|n| n.table().map(|t| (n, t))).collect()
    }

    fn mistake(&mut self, span: Span, message: impl Into<String>) {
        self.out.add(Mistake::new(span, message));
    }

    /// Takes a name for a thing; names are shared by subnets, routers, links and hosts.
    fn claim(&mut self, name: &str, what: &'static str, span: Span) -> bool {
        if let Some(other) = self.things.get(name) {
            let message = format!("the name `{name}` is already that of a {other}");
            let mistake = Mistake::new(span, message).hint("choose another");
            self.out.add(mistake.note("subnets, routers, links and hosts share one set of names"));
            return false;
        }
        self.things.insert(name.to_string(), what);
        true
    }

    /// A moment that must lie within the run.
    fn time(&mut self, table: &Table, key: &str) -> Option<SimTime> {
        let node = table.get(key)?;
        let time = values::time(node.text()?).ok()?;
        self.in_run(time, node.span);
        Some(time)
    }

    /// Complains about a moment after the end of the run.
    fn in_run(&mut self, time: SimTime, span: Span) {
        let end = SimTime::ZERO + self.plan.duration;
        if time > end {
            let mistake = Mistake::new(span, format!("{time} is after the end of the run"));
            self.out.add(mistake.hint(format!("the run ends at {end}")));
        }
    }

    /// `from` and `until`, the whole run by default.
    fn window(&mut self, table: &Table) -> (SimTime, SimTime) {
        let from = self.time(table, "from").unwrap_or(SimTime::ZERO);
        let until = self.time(table, "until").unwrap_or(SimTime::ZERO + self.plan.duration);
        if let Some(node) = table.get("until")
            && until <= from
        {
            let mistake = Mistake::new(node.span, "it ends before it begins");
            self.out.add(mistake.hint(format!("it begins at {from}")));
        }
        (from, until)
    }

    fn vary(&mut self) {
        self.plan.vary = axes(self.root, self.out).iter().map(Axis::plan).collect();
    }

    /// The failure that the scenario reproduces. What its overrides do is checked by `check_kb`.
    fn kb(&mut self) {
        let Some(table) = self.root.get("kb").and_then(Node::table) else { return };
        let text = |key| table.text(key).unwrap_or_default().to_string();
        let list = |key| -> Vec<String> {
            table.items(key).iter().filter_map(Node::text).map(str::to_string).collect()
        };
        let also = table.items("also").iter();
        for node in table.get("article").into_iter().chain(also) {
            let Some(article) = node.text().filter(|text| !is_article(text)) else { continue };
            let mistake = Mistake::new(node.span, format!("`{article}` is no article"));
            self.out.add(mistake.hint("write Q and five or six digits"));
        }
        self.plan.kb = Some(KbPlan {
            article: text("article"),
            also: list("also"),
            affected: text("affected"),
            cured: text("cured"),
            symptom: text("symptom"),
            cure: list("cure"),
            harm: list("harm"),
        });
    }
}

impl Table {
    /// A text turned into a value; absent if it is not there or not valid.
    fn parse<T>(&self, key: &str, read: impl Fn(&str) -> Result<T, Unfit>) -> Option<T> {
        read(self.get(key)?.text()?).ok()
    }
    /// A whole number.
    fn count(&self, key: &str) -> Option<u64> {
        match self.get(key)?.value {
            super::document::Value::Integer(Some(n)) => u64::try_from(n).ok(),
            _ => None,
        }
    }
    /// A switch.
    fn switch(&self, key: &str) -> Option<bool> {
        match self.get(key)?.value {
            super::document::Value::Switch(on) => Some(on),
            _ => None,
        }
    }
    /// A text.
    fn text(&self, key: &str) -> Option<&str> {
        self.get(key)?.text()
    }
    /// The items of a list, or the one value; nothing if it is not there.
    fn items(&self, key: &str) -> &[Node] {
        self.get(key).map_or(&[], Node::items)
    }
}

impl SubnetRef {
    fn of(index: usize) -> SubnetRef {
        SubnetRef(index as u32)
    }
}
