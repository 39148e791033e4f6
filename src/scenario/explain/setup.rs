//! Clusters as they are set up, in words: nodes, networks, disks, then group by group what is in it.

use super::Row;
use super::cluster::start_switches;
use super::hosts::changes;
use super::words::{Words, drawn, plural, size, time};
use crate::cluster::{
    ClusterConfig, ClusterVersion, Failback, GroupId, NetworkRole, NodeId, QuorumKind,
    ResourceConfig, ResourceKind, RestartAction,
};
use crate::cluster::{FAILOVER_PERIOD, FAILOVER_THRESHOLD};
use crate::scenario::cluster::ClusterPlan;
use crate::scenario::program::{ProgramPlan, WriteData};

/// One row for each cluster.
pub(super) fn clusters(words: &Words<'_>) -> Vec<Row> {
    let rows = words.plan.clusters.iter();
    rows.map(|cluster| {
        let config = &cluster.config;
        let mut lines = vec![format!("{}, called {}", version(config), config.name)];
        let nodes: Vec<&str> = cluster.hosts.iter().map(|h| words.host(*h)).collect();
        lines.push(format!("nodes {}", nodes.join(", ")));
        let networks: Vec<String> =
            config.networks.iter().map(|n| format!("{} {}", n.name, role(n.role))).collect();
        lines.push(format!("networks {}", networks.join(", ")));
        lines.extend(disks(cluster));
        lines.push(match config.quorum {
            QuorumKind::Disk(id) => {
                format!("quorum: resource {}", config.resources[usize::from(id.0)].name)
            }
            QuorumKind::Local => "quorum: local".to_string(),
            QuorumKind::MajorityNodeSet => "quorum: majority node set".to_string(),
        });
        let switches = start_switches(&cluster.switches);
        let with = if switches.is_empty() { switches } else { format!(" with {switches}") };
        lines.push(format!("service starts {} after boot{with}", drawn(cluster.starts_after)));
        lines.extend(changes("it has", &cluster.changed));
        vec![cluster.name.clone(), lines.join("\n")]
    })
    .collect()
}

/// One row for each group.
pub(super) fn groups(words: &Words<'_>) -> Vec<Row> {
    let mut rows = Vec::new();
    for cluster in &words.plan.clusters {
        let config = &cluster.config;
        for (place, group) in config.groups.iter().enumerate() {
            let id = GroupId(place as u16);
            let own: Vec<&ResourceConfig> =
                config.resources.iter().filter(|r| r.group == id).collect();
            let mut policy = Vec::new();
            if !group.preferred_owners.is_empty() {
                policy.push(format!("prefers {}", nodes(words, cluster, &group.preferred_owners)));
            }
            policy.push(match group.failback {
                Failback::Prevent => "never goes back".to_string(),
                Failback::Immediate => "goes back at once".to_string(),
                Failback::Window { start, end } => {
                    format!("goes back from {start:02}:00 to {end:02}:00")
                }
            });
            if let Some(threshold) = group.failover_threshold
                && (threshold, group.failover_period) != (FAILOVER_THRESHOLD, FAILOVER_PERIOD)
            {
                let period = time(group.failover_period);
                policy.push(format!(
                    "{} in {period} at most",
                    plural(threshold as usize, "failover")
                ));
            }
            if !group.online_at_start {
                policy.push("offline at the start".to_string());
            }
            let mut lines = vec![policy.join(", ")];
            lines.extend(own.iter().map(|resource| one_resource(words, cluster, resource)));
            let name = match words.plan.clusters.len() {
                1 => group.name.clone(),
                _ => format!("{}/{}", cluster.name, group.name),
            };
            rows.push(vec![name, lines.join("\n")]);
        }
    }
    rows
}

/// One row for each invented service.
pub(super) fn services(words: &Words<'_>) -> Vec<Row> {
    let mut rows = Vec::new();
    for group in &words.plan.groups {
        for program in &group.programs {
            rows.push(vec![program.name.clone(), group.template.clone(), behaviour(program)]);
        }
    }
    rows.dedup();
    rows
}

fn behaviour(program: &ProgramPlan) -> String {
    let start = if program.automatic { "starts with its host" } else { "starts when told" };
    let mut lines = vec![format!(
        "{start}, in {}; stops in {}",
        drawn(program.starts_in),
        drawn(program.stops_in)
    )];
    if !program.start_fails.is_never() {
        lines.push(format!("{} of its starts fail", super::words::odds(program.start_fails)));
    }
    if let Some(every) = program.crashes_every {
        lines.push(format!("crashes after {} on average", time(every)));
    }
    for need in &program.needs {
        let data = need.data.as_ref();
        let data = data.map_or(String::new(), |d| format!(" = {}", super::cluster::data_of(d)));
        lines.push(format!("needs {}\\{}{data}", need.key, need.value));
    }
    let place = if program.cluster_aware { "the cluster registry" } else { "the registry" };
    for write in &program.writes {
        let data = match &write.data {
            WriteData::Fixed(data) => super::cluster::data_of(data),
            WriteData::Count => "one more".to_string(),
        };
        let every = drawn(write.every);
        lines.push(format!(
            "writes {}\\{} = {data} to {place} every {every}",
            write.key, write.value
        ));
    }
    for file in &program.files {
        lines.push(format!("writes the file {} every {}", file.path, drawn(file.every)));
    }
    if !program.keeps_open.is_empty() {
        let keys: Vec<String> = program.keeps_open.iter().map(|k| k.to_string()).collect();
        let leaks = if program.leaks_handles { ", also when stopped" } else { "" };
        lines.push(format!("keeps open {}{leaks}", keys.join(", ")));
    }
    lines.join("\n")
}

fn version(config: &ClusterConfig) -> String {
    let word = match config.profile.version {
        ClusterVersion::Nt40 => "NT 4.0",
        ClusterVersion::W2k => "Windows 2000",
        ClusterVersion::W2k3 => "Server 2003",
    };
    match config.profile.service_pack {
        0 => word.to_string(),
        sp => format!("{word} SP{sp}"),
    }
}

fn role(role: NetworkRole) -> &'static str {
    match role {
        NetworkRole::None => "unused",
        NetworkRole::Internal => "between nodes",
        NetworkRole::Client => "for clients",
        NetworkRole::All => "for all",
    }
}

fn disks(cluster: &ClusterPlan) -> Option<String> {
    let disks = cluster.config.disks.iter().zip(&cluster.disks);
    let texts: Vec<String> = disks
        .map(|(disk, plan)| {
            let dirty = if plan.dirty { ", dirty" } else { "" };
            let check = plan.chkdsk.map_or(String::new(), |c| format!(", checked in {}", time(c)));
            let size = size(plan.platter.capacity);
            format!(
                "{} ({}:, {size}, signature {:08X}{check}{dirty})",
                disk.name, disk.letter, disk.signature
            )
        })
        .collect();
    (!texts.is_empty()).then(|| format!("disks {}", texts.join(", ")))
}

fn nodes(words: &Words<'_>, cluster: &ClusterPlan, ids: &[NodeId]) -> String {
    let name = |id: &NodeId| words.node(cluster, *id);
    ids.iter().map(name).collect::<Vec<_>>().join(", ")
}

fn one_resource(words: &Words<'_>, cluster: &ClusterPlan, resource: &ResourceConfig) -> String {
    let config = &cluster.config;
    let mut text = format!("{}: {}", resource.name, kind(config, &resource.kind));
    let name = |r: &crate::cluster::ResourceId| config.resources[usize::from(r.0)].name.as_str();
    if !resource.depends_on.is_empty() {
        let names: Vec<&str> = resource.depends_on.iter().map(name).collect();
        text.push_str(&format!("; after {}", names.join(", ")));
    }
    if !resource.possible_owners.is_empty() {
        text.push_str(&format!("; only on {}", nodes(words, cluster, &resource.possible_owners)));
    }
    let profile = &config.profile;
    let threshold = resource.restart_threshold.unwrap_or(profile.restart_threshold);
    let period = time(resource.restart_period.unwrap_or(profile.restart_period));
    match resource.restart_action {
        RestartAction::None => text.push_str("; never restarted"),
        RestartAction::Restart => text.push_str("; restarted alone"),
        RestartAction::AffectGroup if resource.restart_threshold.is_some() => {
            text.push_str(&format!("; {} in {period}", plural(threshold as usize, "restart")));
        }
        RestartAction::AffectGroup => {}
    }
    if let (ResourceKind::Wins { .. }, Some(wins)) = (&resource.kind, &cluster.wins) {
        let mut lines = Vec::new();
        super::hosts::service(words, wins, &mut lines);
        lines.iter().for_each(|line| text.push_str(&format!("; {line}")));
    }
    if resource.separate_monitor {
        text.push_str("; a monitor of its own");
    }
    if !resource.checkpoints.is_empty() {
        text.push_str(&format!("; checkpoints {}", resource.checkpoints.join(", ")));
    }
    text
}

fn kind(config: &ClusterConfig, kind: &ResourceKind) -> String {
    let virtual_name = |on: bool| if on { ", sees the virtual name" } else { "" };
    match kind {
        ResourceKind::PhysicalDisk { disk, skip_chkdsk, conditional_mount } => {
            let disk = &config.disks[usize::from(disk.0)];
            let skip = if *skip_chkdsk { ", never checked" } else { "" };
            let only = if *conditional_mount { ", mounted only when clean" } else { "" };
            format!("Physical Disk {} ({}:){skip}{only}", disk.name, disk.letter)
        }
        ResourceKind::IpAddress { address, network, netbios } => {
            let network = &config.networks[usize::from(network.0)].name;
            let netbios = if *netbios { "" } else { ", without NetBIOS" };
            format!("IP Address {address} on {network}{netbios}")
        }
        ResourceKind::NetworkName { name } => format!("Network Name {name}"),
        ResourceKind::GenericService { service, use_network_name } => {
            format!("Generic Service {service}{}", virtual_name(*use_network_name))
        }
        ResourceKind::GenericApplication { command_line, use_network_name } => {
            format!("Generic Application {command_line}{}", virtual_name(*use_network_name))
        }
        ResourceKind::FileShare { share, path } => format!("File Share {share} of {path}"),
        ResourceKind::TimeService => "Time Service".to_string(),
        ResourceKind::Wins { database_path, backup_path } => {
            format!("WINS, database in {database_path}, backups in {backup_path}")
        }
        ResourceKind::Dhcp { database_path, backup_path } => {
            format!("DHCP, database in {database_path}, backups in {backup_path}")
        }
    }
}
