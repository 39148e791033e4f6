//! What texts refer to in clusters: groups, resources, disks, nodes, and whoever owns something.
//!
//! A name that only one cluster, or one group, has stands alone; otherwise its cluster or group comes in
//! front: `files/disk`, `mars/files/disk`.

use super::CLUSTER_GROUP;
use crate::cluster::{DiskId, GroupId, NetworkId, NodeId, ResourceId};
use crate::scenario::cluster::{ClusterPlan, ClusterRef};
use crate::scenario::diagnose::{Mistake, nearest};
use crate::scenario::document::{Node, Span};
use crate::scenario::lower::Build;
use crate::scenario::plan::HostRef;
use crate::scenario::story::{Choose, HostTarget};
use crate::wire::{NetbiosName, Suffix};
use std::net::Ipv4Addr;

/// Names listed in a message; of more, only as many as these are shown.
const LISTED: usize = 24;

/// Things with the names by which a text may call them.
type Named<T> = Vec<(T, Vec<String>)>;

impl Build<'_> {
    /// The cluster a value names; `true`, or nothing, stands for the only one.
    pub(in crate::scenario::lower) fn cluster_named(
        &mut self,
        node: Option<&Node>,
        span: Span,
    ) -> Option<ClusterRef> {
        let names: Vec<&str> = self.plan.clusters.iter().map(|c| c.name.as_str()).collect();
        let Some((text, span)) = node.and_then(|n| Some((n.text()?, n.span))) else {
            if names.len() == 1 {
                return Some(ClusterRef(0));
            }
            let mistake = match names.is_empty() {
                true => Mistake::new(span, "the scenario has no cluster"),
                false => Mistake::new(span, "which cluster is meant?").hint("name it"),
            };
            self.out.add(mistake.note(format!("clusters: {}", names.join(", "))));
            return None;
        };
        let found = names.iter().position(|n| *n == text);
        if found.is_none() {
            let mistake = Mistake::new(span, format!("unknown cluster `{text}`"));
            let mistake = mistake.suggest(nearest(text, names.iter().copied()));
            self.out.add(match names.is_empty() {
                true => mistake.note("the scenario has none: write [cluster.NAME]"),
                false => mistake.note(format!("clusters: {}", names.join(", "))),
            });
        }
        found.map(|i| ClusterRef(i as u32))
    }

    /// The one thing of a sort that a text names, in any cluster.
    fn cluster_thing<T: Copy>(
        &mut self,
        what: &str,
        text: &str,
        span: Span,
        list: fn(&ClusterPlan) -> Named<T>,
    ) -> Option<(ClusterRef, T)> {
        let text = text.trim();
        let mut found = Vec::new();
        let mut known = Vec::new();
        for (place, cluster) in self.plan.clusters.iter().enumerate() {
            let inside = text.strip_prefix(cluster.name.as_str());
            let inside = inside.and_then(|rest| rest.strip_prefix('/'));
            for (id, names) in list(cluster) {
                if names.iter().any(|n| n == text || Some(n.as_str()) == inside) {
                    found.push((ClusterRef(place as u32), id));
                }
                known.extend(names.into_iter().next());
            }
        }
        if found.len() == 1 {
            return found.pop();
        }
        let mistake = match found.is_empty() {
            true => Mistake::new(span, format!("unknown {what} `{text}`"))
                .suggest(nearest(text, known.iter().map(String::as_str))),
            false => Mistake::new(span, format!("`{text}` is a {what} of {} places", found.len()))
                .hint("write what it belongs to in front: NAME/NAME"),
        };
        let shown: Vec<&str> = known.iter().take(LISTED).map(String::as_str).collect();
        let more = if known.len() > LISTED { ", ..." } else { "" };
        self.out.add(match known.is_empty() {
            true => mistake.note(format!("no cluster of the scenario has a {what}")),
            false => mistake.note(format!("{what}s: {}{more}", shown.join(", "))),
        });
        None
    }

    pub(in crate::scenario::lower) fn group_named(
        &mut self,
        text: &str,
        span: Span,
    ) -> Option<(ClusterRef, GroupId)> {
        self.cluster_thing("group", text, span, |cluster| {
            let groups = (0u16..).map(GroupId).zip(&cluster.config.groups);
            groups
                .map(|(id, g)| (id, vec![group_key(&g.name).to_string(), g.name.clone()]))
                .collect()
        })
    }

    pub(in crate::scenario::lower) fn resource_named(
        &mut self,
        text: &str,
        span: Span,
    ) -> Option<(ClusterRef, ResourceId)> {
        self.cluster_thing("resource", text, span, |cluster| {
            let resources = (0u16..).map(ResourceId).zip(&cluster.config.resources);
            let names = resources.map(|(id, r)| {
                let group = &cluster.config.groups[usize::from(r.group.0)].name;
                let key = r.name.rsplit('/').next().unwrap_or_default();
                (id, vec![r.name.clone(), format!("{}/{key}", group_key(group))])
            });
            names.collect()
        })
    }

    pub(in crate::scenario::lower) fn disk_named(
        &mut self,
        text: &str,
        span: Span,
    ) -> Option<(ClusterRef, DiskId)> {
        self.cluster_thing("disk", text, span, |cluster| {
            let disks = (0u16..).map(DiskId).zip(&cluster.config.disks);
            disks.map(|(id, d)| (id, vec![d.name.clone()])).collect()
        })
    }

    pub(in crate::scenario::lower) fn network_named(
        &mut self,
        text: &str,
        span: Span,
    ) -> Option<(ClusterRef, NetworkId)> {
        self.cluster_thing("network", text, span, |cluster| {
            let networks = (0u8..).map(NetworkId).zip(&cluster.config.networks);
            networks.map(|(id, n)| (id, vec![n.name.clone()])).collect()
        })
    }

    /// A host that is a node of some cluster.
    pub(in crate::scenario::lower) fn node_named(
        &mut self,
        node: &Node,
    ) -> Option<(ClusterRef, NodeId)> {
        let host = self.host(node)?;
        self.node_anywhere(host, node.span)
    }

    pub(in crate::scenario::lower) fn node_anywhere(
        &mut self,
        host: HostRef,
        span: Span,
    ) -> Option<(ClusterRef, NodeId)> {
        for (place, cluster) in self.plan.clusters.iter().enumerate() {
            if let Some(at) = cluster.hosts.iter().position(|h| *h == host) {
                return Some((ClusterRef(place as u32), NodeId(at as u8 + 1)));
            }
        }
        let name = self.plan.hosts[host.index()].name.clone();
        self.mistake(span, format!("host `{name}` is a node of no cluster"));
        None
    }

    /// Nodes of one cluster, by names or in words.
    pub(super) fn node_target(&mut self, node: &Node) -> Option<(ClusterRef, HostTarget)> {
        let target = self.target(node)?;
        let cluster = self.one_cluster(&target, node.span)?;
        Some((cluster, target))
    }

    /// The cluster all of these hosts are nodes of.
    pub(super) fn one_cluster(&mut self, target: &HostTarget, span: Span) -> Option<ClusterRef> {
        let mut cluster = None;
        for &host in &target.hosts {
            let (own, _) = self.node_anywhere(host, span)?;
            if cluster.is_some_and(|other| other != own) {
                self.mistake(span, "these are nodes of more than one cluster");
                return None;
            }
            cluster = Some(own);
        }
        cluster
    }

    /// The name of a Network Name resource that a text gives without its suffix.
    pub(in crate::scenario::lower) fn virtual_name(&self, text: &str) -> Option<NetbiosName> {
        let name = NetbiosName::new(&text.to_uppercase(), Suffix::SERVER).ok()?;
        self.virtual_address_of(&name).map(|_| name)
    }

    /// The address that goes with a virtual name: that of the first IP Address its resource depends on.
    pub(in crate::scenario::lower) fn virtual_address_of(
        &self,
        name: &NetbiosName,
    ) -> Option<Ipv4Addr> {
        let clusters = &self.plan.clusters;
        let mut names = clusters.iter().flat_map(|cluster| cluster.network_names());
        names.find(|(own, ..)| own.base() == name.base()).map(|(.., address)| address)
    }

    /// The Network Name resource with this name.
    pub(in crate::scenario::lower) fn network_name(
        &self,
        name: &NetbiosName,
    ) -> Option<(ClusterRef, ResourceId)> {
        (0u32..).map(ClusterRef).zip(&self.plan.clusters).find_map(|(cluster, plan)| {
            let mut names = plan.network_names();
            let found = names.find(|(own, ..)| own.base() == name.base());
            found.map(|(_, resource, _)| (cluster, resource))
        })
    }

    /// Whoever owns something at that moment: `quorum-owner`, `owner-of files`, `both-nodes`, and with
    /// `all but` in front, the others. `None` if the text is not one of these words.
    pub(in crate::scenario::lower) fn in_words(
        &mut self,
        text: &str,
        span: Span,
    ) -> Option<Option<HostTarget>> {
        let text = text.trim();
        let (others, word) = match text.strip_prefix("all but ") {
            Some(rest) => (true, rest.trim()),
            None => (false, text),
        };
        let of = |rest: &str| {
            let rest = rest.trim();
            rest.strip_prefix("of ").map(|name| super::super::names::text_node(name.trim(), span))
        };
        let (cluster, choose) = if let Some(rest) = word.strip_prefix("quorum-owner") {
            let named = of(rest);
            if named.is_none() && !rest.is_empty() {
                return None;
            }
            let Some(cluster) = self.cluster_named(named.as_ref(), span) else { return Some(None) };
            let choose = match others {
                true => Choose::NotQuorumOwner(cluster),
                false => Choose::QuorumOwner(cluster),
            };
            (cluster, choose)
        } else if let Some(rest) =
            word.strip_prefix("owner-of ").or_else(|| word.strip_prefix("owner of "))
        {
            let Some((cluster, group)) = self.group_named(rest, span) else { return Some(None) };
            let choose = match others {
                true => Choose::NotGroupOwner(cluster, group),
                false => Choose::GroupOwner(cluster, group),
            };
            (cluster, choose)
        } else {
            let rest = ["both-nodes", "all-nodes"].iter().find_map(|w| text.strip_prefix(w))?;
            let named = of(rest);
            if named.is_none() && !rest.is_empty() {
                return None;
            }
            let Some(cluster) = self.cluster_named(named.as_ref(), span) else { return Some(None) };
            (cluster, Choose::All)
        };
        let hosts = self.plan.clusters[cluster.index()].hosts.clone();
        Some((!hosts.is_empty()).then_some(HostTarget { hosts, choose }))
    }
}

/// What a file calls a group.
pub(super) fn group_key(name: &str) -> &str {
    if name == CLUSTER_GROUP.1 { CLUSTER_GROUP.0 } else { name }
}
