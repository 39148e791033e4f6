//! Further adapters of hosts, such as those on the interconnect of a cluster.

use super::Build;
use crate::scenario::diagnose::Mistake;
use crate::scenario::document::{Node, Span, Value};
use crate::scenario::plan::{InterfacePlan, SubnetRef};
use crate::scenario::values;
use std::net::Ipv4Addr;

/// Adapters one host may have beside its first: more than any machine of the time had slots for.
const INTERFACES_MAX: usize = 16;

impl Build<'_> {
    /// Addresses that the file gives: of a template, each host has the next one.
    pub(super) fn given_interfaces(&mut self) {
        self.interfaces(true);
    }

    /// Adapters whose addresses the file leaves open: the next free ones.
    pub(super) fn other_interfaces(&mut self) {
        self.interfaces(false);
    }

    fn interfaces(&mut self, given: bool) {
        let mut next = 0;
        for entry in self.named("host") {
            let hosts = self.next_hosts(&mut next, &entry.key);
            let Some(node) = entry.node.table().and_then(|t| t.get("also_on")) else { continue };
            let wanted: Vec<(&str, Span, Option<&Node>)> = match &node.value {
                Value::Table(table) => table
                    .entries
                    .iter()
                    .map(|e| (e.key.as_str(), e.key_span, Some(&e.node)))
                    .collect(),
                _ => node.items().iter().filter_map(|n| Some((n.text()?, n.span, None))).collect(),
            };
            if wanted.len() > INTERFACES_MAX {
                let message = format!("{} adapters are too many", wanted.len() + 1);
                let mistake = Mistake::new(node.span, message);
                self.out.add(mistake.hint(format!("{INTERFACES_MAX} more at most")));
                continue;
            }
            for (name, span, address) in wanted {
                if address.is_some() == given {
                    self.interface(hosts.clone(), name, span, address);
                }
            }
        }
    }

    fn interface(
        &mut self,
        hosts: std::ops::Range<usize>,
        name: &str,
        span: Span,
        address: Option<&Node>,
    ) {
        let node = super::names::text_node(name, span);
        let Some(subnet) = self.subnet(&node) else { return };
        let start = address.and_then(|n| values::address(n.text()?).ok());
        for (n, host) in hosts.enumerate() {
            let plan = &self.plan.hosts[host];
            let there = plan.subnet == subnet || plan.interfaces.iter().any(|i| i.subnet == subnet);
            if there {
                let message = format!("host `{}` is on subnet `{name}` already", plan.name);
                self.mistake(span, message);
                return;
            }
            let owner = format!("host `{}`", plan.name);
            let found = match (address, start) {
                (Some(node), Some(start)) => {
                    let address = Ipv4Addr::from_bits(start.to_bits().saturating_add(n as u32));
                    self.take_address(subnet, address, &owner, node.span).then_some(address)
                }
                (Some(_), None) => None, // which has been reported
                (None, _) => self.free_interface(subnet, &owner, span),
            };
            let Some(address) = found else { return };
            self.plan.hosts[host].interfaces.push(InterfacePlan { subnet, address });
        }
    }

    fn free_interface(&mut self, subnet: SubnetRef, owner: &str, span: Span) -> Option<Ipv4Addr> {
        let found = self.free_address(subnet, owner);
        if found.is_none() {
            let name = self.plan.subnets[subnet.index()].name.clone();
            self.mistake(span, format!("subnet `{name}` is full"));
        }
        found
    }
}
