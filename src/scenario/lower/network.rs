//! Subnets, routers, links, and which address belongs to whom.

use super::{Build, SubnetRef};
use crate::base::{Odds, SimDuration};
use crate::scenario::diagnose::{Mistake, nearest};
use crate::scenario::document::{Node, Span, Table};
use crate::scenario::plan::{
    DurationRange, LinkPlan, MediumPlan, RouterPlan, RouterRef, SubnetPlan,
};
use crate::scenario::values;
use std::net::Ipv4Addr;

/// What may wait for a slow line, in bytes, unless the file says otherwise.
const QUEUE_BYTES: u64 = 64 << 10;
/// Hosts of a large subnet start here, so that the addresses below are free for routers.
const FIRST_HOST: u32 = 10;

impl Build<'_> {
    pub(super) fn subnets(&mut self) {
        for entry in self.named("subnet") {
            if !self.claim(&entry.key, "subnet", entry.key_span) {
                continue;
            }
            let table = entry.node.table();
            let node = table.map_or(Some(&entry.node), |t| t.get("network"));
            let cidr = node.and_then(Node::text).and_then(|t| values::cidr(t).ok());
            // A placeholder keeps the name known; its mistake has been reported.
            let (network, prefix) = cidr.unwrap_or((Ipv4Addr::UNSPECIFIED, 30));
            let fallback = DurationRange::fixed(SimDuration::from_micros(100));
            let medium = medium(table.unwrap_or(&Table::default()), fallback);
            let subnet = SubnetPlan { name: entry.key.clone(), network, prefix, medium };
            let overlap = self.plan.subnets.iter().find(|other| {
                cidr.is_some() && (other.contains(network) || subnet.contains(other.network))
            });
            if let (Some(other), Some(node)) = (overlap, node) {
                let text = format!("{}/{}", other.network, other.prefix);
                let message =
                    format!("{network}/{prefix} overlaps with subnet `{}` ({text})", other.name);
                self.mistake(node.span, message);
            }
            self.next_address.push(0);
            self.plan.subnets.push(subnet);
        }
        if self.plan.subnets.is_empty() && self.root.get("host").is_some() {
            let span = self.root.entries.iter().find(|e| e.key == "host").map(|e| e.key_span);
            let mistake = Mistake::new(span.unwrap_or_default(), "the scenario has no subnet");
            self.out.add(mistake.note("write [subnet] and below it: office = \"10.1.0.0/24\""));
        }
    }

    pub(super) fn routers(&mut self) {
        for entry in self.named("router") {
            let Some(table) = entry.node.table() else { continue };
            self.claim(&entry.key, "router", entry.key_span);
            let mut router = RouterPlan {
                name: entry.key.clone(),
                attached: Vec::new(),
                forward_broadcasts: table.switch("forward_broadcasts").unwrap_or(false),
                directed_broadcasts: table.switch("directed_broadcasts").unwrap_or(false),
                implied: false,
            };
            for node in table.items("on") {
                let Some(subnet) = self.subnet(node) else { continue };
                if router.attached.iter().any(|(s, _)| *s == subnet) {
                    self.mistake(node.span, "the router stands on this subnet already");
                    continue;
                }
                router.attached.push((subnet, Ipv4Addr::UNSPECIFIED));
            }
            let addresses = table.get("addresses").and_then(Node::table);
            for entry in addresses.map_or(&[] as &[_], |t| t.entries.as_slice()) {
                let subnet = self.plan.subnets.iter().position(|s| s.name == entry.key);
                let subnet = subnet.map(SubnetRef::of);
                let place = router.attached.iter_mut().find(|(s, _)| Some(*s) == subnet);
                let Some((subnet, place)) = place else {
                    let message = format!("the router does not stand on `{}`", entry.key);
                    self.mistake(entry.key_span, message);
                    continue;
                };
                if let Some(address) = entry.node.text().and_then(|t| values::address(t).ok()) {
                    *place = address;
                    let owner = format!("router `{}`", router.name);
                    self.take_address(*subnet, address, &owner, entry.node.span);
                }
            }
            self.plan.routers.push(router);
        }
    }

    pub(super) fn links(&mut self) {
        for entry in self.named("link") {
            let Some(table) = entry.node.table() else { continue };
            self.claim(&entry.key, "link", entry.key_span);
            let Some(joins) = table.get("joins") else { continue };
            let ends: Vec<RouterRef> =
                joins.items().iter().filter_map(|node| self.link_end(node)).collect();
            if joins.items().len() != 2 {
                self.mistake(joins.span, "a link joins two routers or subnets");
            }
            let &[a, b] = ends.as_slice() else { continue };
            if a == b {
                self.mistake(joins.span, "both ends of the link are the same router");
            }
            let fallback = DurationRange::fixed(SimDuration::from_millis(5));
            self.plan.links.push(LinkPlan {
                name: entry.key.clone(),
                ends: [a, b],
                medium: medium(table, fallback),
            });
        }
        self.find_islands();
    }

    /// The router a link ends at: the one named, or the only one of a subnet, made if there is none.
    fn link_end(&mut self, node: &Node) -> Option<RouterRef> {
        let name = node.text()?;
        if let Some(i) = self.plan.routers.iter().position(|r| r.name == name) {
            return Some(RouterRef(i as u32));
        }
        let Some(i) = self.plan.subnets.iter().position(|s| s.name == name) else {
            let known = self.plan.subnets.iter().map(|s| s.name.as_str());
            let known = known.chain(self.plan.routers.iter().map(|r| r.name.as_str()));
            let known: Vec<&str> = known.collect();
            let mistake = Mistake::new(node.span, format!("unknown subnet or router `{name}`"));
            let mistake = mistake.suggest(nearest(name, known.iter().copied()));
            let mistake = mistake.note(format!("there is: {}", known.join(", ")));
            self.out.add(mistake);
            return None;
        };
        let subnet = SubnetRef::of(i);
        let stands_on = |r: &RouterPlan| r.attached.iter().any(|(s, _)| *s == subnet);
        let there: Vec<usize> =
            (0..self.plan.routers.len()).filter(|&r| stands_on(&self.plan.routers[r])).collect();
        match there.as_slice() {
            [one] => Some(RouterRef(*one as u32)),
            [] => {
                let router = RouterPlan {
                    name: format!("{name}-router"),
                    attached: vec![(subnet, Ipv4Addr::UNSPECIFIED)],
                    forward_broadcasts: false,
                    directed_broadcasts: false,
                    implied: true,
                };
                self.claim(&router.name, "router", node.span);
                self.plan.routers.push(router);
                Some(RouterRef(self.plan.routers.len() as u32 - 1))
            }
            several => {
                let names: Vec<&str> =
                    several.iter().map(|&r| self.plan.routers[r].name.as_str()).collect();
                let message = format!("`{name}` has several routers");
                let hint = format!("name one of them: {}", names.join(", "));
                self.out.add(Mistake::new(node.span, message).hint(hint));
                None
            }
        }
    }

    /// Which subnets can reach each other at all: components over routers and links.
    fn find_islands(&mut self) {
        let subnets = self.plan.subnets.len();
        let mut parent: Vec<usize> = (0..subnets + self.plan.routers.len()).collect();
        fn root(parent: &[usize], mut at: usize) -> usize {
            while parent[at] != at {
                at = parent[at];
            }
            at
        }
        let mut pairs = Vec::new();
        for (r, router) in self.plan.routers.iter().enumerate() {
            pairs.extend(router.attached.iter().map(|(s, _)| (subnets + r, s.index())));
        }
        for link in &self.plan.links {
            pairs.push((subnets + link.ends[0].index(), subnets + link.ends[1].index()));
        }
        for (a, b) in pairs {
            let (a, b) = (root(&parent, a), root(&parent, b));
            parent[a.max(b)] = a.min(b);
        }
        self.islands = (0..subnets).map(|s| root(&parent, s)).collect();
    }

    /// Whether packets can pass from one subnet to another.
    pub(super) fn reachable(&self, a: SubnetRef, b: SubnetRef) -> bool {
        self.islands[a.index()] == self.islands[b.index()]
    }

    /// The subnet a value names.
    pub(super) fn subnet(&mut self, node: &Node) -> Option<SubnetRef> {
        let name = node.text()?;
        let found = self.plan.subnets.iter().position(|s| s.name == name).map(SubnetRef::of);
        if found.is_none() {
            let known: Vec<&str> = self.plan.subnets.iter().map(|s| s.name.as_str()).collect();
            let mistake = Mistake::new(node.span, format!("unknown subnet `{name}`"));
            let mistake = mistake.suggest(nearest(name, known.iter().copied()));
            let mistake = mistake.note(format!("subnets: {}", known.join(", ")));
            self.out.add(mistake);
        }
        found
    }

    /// Reserves an address somebody asked for by name; complains if it cannot be.
    pub(super) fn take_address(
        &mut self,
        subnet: SubnetRef,
        address: Ipv4Addr,
        owner: &str,
        span: Span,
    ) -> bool {
        let plan = &self.plan.subnets[subnet.index()];
        let text = format!("{}/{}", plan.network, plan.prefix);
        let message = if !plan.contains(address) {
            format!("{address} lies outside subnet `{}` ({text})", plan.name)
        } else if address == plan.network || address == plan.broadcast() {
            let which = if address == plan.network { "network" } else { "broadcast" };
            format!("{address} is the {which} address of subnet `{}` ({text})", plan.name)
        } else if let Some(other) = self.addresses.get(&address) {
            format!("{address} already belongs to {other}")
        } else {
            self.addresses.insert(address, owner.to_string());
            return true;
        };
        let first = Ipv4Addr::from_bits(plan.network.to_bits() + 1);
        let last = Ipv4Addr::from_bits(plan.broadcast().to_bits() - 1);
        let hint = match self.addresses.contains_key(&address) {
            true => "choose another, or leave it out".to_string(),
            false => format!("hosts there have {first} to {last}"),
        };
        self.out.add(Mistake::new(span, message).hint(hint));
        false
    }

    /// The next free address of a subnet.
    pub(super) fn free_address(&mut self, subnet: SubnetRef, owner: &str) -> Option<Ipv4Addr> {
        let plan = &self.plan.subnets[subnet.index()];
        let size = 1u32 << (32 - plan.prefix);
        let first = if size >= 256 { FIRST_HOST } else { 1 };
        let start = self.next_address[subnet.index()].max(first);
        let candidates = (start..size - 1).chain(1..start.min(size - 1));
        for offset in candidates {
            let address = Ipv4Addr::from_bits(plan.network.to_bits() + offset);
            if !self.addresses.contains_key(&address) && !self.reserved.contains(&address) {
                self.next_address[subnet.index()] = offset + 1;
                self.addresses.insert(address, owner.to_string());
                return Some(address);
            }
        }
        None
    }

    /// Gives routers without an address the lowest free one.
    pub(super) fn address_routers(&mut self) {
        for r in 0..self.plan.routers.len() {
            for a in 0..self.plan.routers[r].attached.len() {
                let (subnet, address) = self.plan.routers[r].attached[a];
                if !address.is_unspecified() {
                    continue;
                }
                let plan = &self.plan.subnets[subnet.index()];
                let (network, last) = (plan.network.to_bits(), plan.broadcast().to_bits());
                let free = (network + 1..last).map(Ipv4Addr::from_bits);
                if let Some(address) = free
                    .into_iter()
                    .find(|a| !self.addresses.contains_key(a) && !self.reserved.contains(a))
                {
                    let owner = format!("router `{}`", self.plan.routers[r].name);
                    self.addresses.insert(address, owner);
                    self.plan.routers[r].attached[a].1 = address;
                }
            }
        }
    }
}

fn medium(table: &Table, delay: DurationRange) -> MediumPlan {
    let odds = |key| table.parse(key, values::odds).unwrap_or(Odds::NEVER);
    let reorder_by = table.parse("reorder_by", values::duration);
    MediumPlan {
        delay: table.parse("delay", values::range).unwrap_or(delay),
        jitter: table.parse("jitter", values::duration).unwrap_or(SimDuration::ZERO),
        loss: odds("loss"),
        duplicate: odds("duplicate"),
        reorder: odds("reorder"),
        reorder_by: reorder_by.unwrap_or(SimDuration::from_millis(10)),
        bandwidth_bits: table.parse("bandwidth", values::bandwidth),
        queue_bytes: table.parse("queue", values::size).unwrap_or(QUEUE_BYTES),
    }
}
