//! The WINS servers of clusters: how they are set up, and how a file names them.

use super::refs::group_key;
use crate::cluster::ResourceKind;
use crate::scenario::diagnose::Mistake;
use crate::scenario::document::{Node, Table};
use crate::scenario::lower::Build;
use crate::scenario::plan::HostRef;
use std::net::Ipv4Addr;

impl<'a> Build<'a> {
    /// Partners, parameters and mappings of each cluster's WINS server.
    pub(in crate::scenario::lower) fn clustered_servers(&mut self) {
        for (place, table) in self.wins_tables() {
            let cluster = &self.plan.clusters[place];
            let nodes = cluster.hosts.clone();
            let own = nodes.iter().find(|h| self.plan.group_of(**h).wins.is_some());
            if let Some((host, node)) = own.copied().zip(table.get("type")) {
                let name = &self.plan.hosts[host.index()].name;
                let message = format!("node `{name}` runs a WINS server of its own");
                let mistake = Mistake::new(node.span, message);
                self.out.add(mistake.hint("a machine runs one: that of the cluster, or its own"));
                continue;
            }
            let server = table.get("server").and_then(Node::table);
            if let (Some(mut wins), Some(server), Some(&first)) =
                (cluster.wins.clone(), server, nodes.first())
            {
                self.server(first, &mut wins, server);
                self.plan.clusters[place].wins = Some(wins);
            }
        }
    }

    /// The tables of WINS resources, each with the place of its cluster.
    fn wins_tables(&self) -> Vec<(usize, &'a Table)> {
        let clusters = self.named("cluster").iter().filter_map(|entry| entry.node.table());
        let mut found = Vec::new();
        for (place, cluster) in clusters.enumerate() {
            let groups = cluster.get("group").and_then(Node::table);
            let groups = groups.map_or(&[] as &[_], |table| table.entries.as_slice());
            let lists = groups.iter().filter_map(|g| g.node.table()?.get("resource")?.table());
            let resources = lists.flat_map(|list| &list.entries).filter_map(|r| r.node.table());
            let wins = resources.filter(|table| table.text("type") == Some("wins"));
            found.extend(wins.map(|table| (place, table)));
        }
        // A second one in a cluster has been reported, and a refused one is no server.
        found.dedup_by_key(|(place, _)| *place);
        found.retain(|(place, _)| self.plan.clusters.get(*place).is_some_and(|c| c.wins.is_some()));
        found
    }

    /// The clustered WINS server that a text names: by its address, a network name of its group, its group
    /// or its resource, the latter two with the cluster in front if need be.
    pub(in crate::scenario::lower) fn clustered_server(&self, text: &str) -> Option<HostRef> {
        let text = text.trim();
        let address = text.parse::<Ipv4Addr>().ok();
        let all = self.plan.clusters.iter().filter(|cluster| cluster.wins.is_some());
        let mut fitting = all.filter(|cluster| {
            let Some(id) = cluster.wins_resource() else { return false };
            let resources = &cluster.config.resources;
            let own = &resources[usize::from(id.0)];
            if address.is_some() {
                return address == cluster.wins_address();
            }
            let is_name = resources.iter().filter(|r| r.group == own.group).any(|r| {
                matches!(&r.kind, ResourceKind::NetworkName { name } if name.eq_ignore_ascii_case(text))
            });
            let group = group_key(&cluster.config.groups[usize::from(own.group.0)].name);
            let key = own.name.rsplit('/').next().unwrap_or_default();
            let rest = text.strip_prefix(&cluster.name).and_then(|rest| rest.strip_prefix('/'));
            let rest = rest.unwrap_or(text);
            is_name || rest == group || rest == key || rest == format!("{group}/{key}")
        });
        let found = fitting.next()?.hosts.first().copied();
        // A word that two clusters use names neither: it needs the cluster in front.
        fitting.next().is_none().then_some(found).flatten()
    }
}
