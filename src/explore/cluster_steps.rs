//! What administrators do to clusters, and people to registries.

use super::director::Director;
use super::faults::draw;
use crate::base::{ActorId, Scheduler};
use crate::cluster::{ClusterNode, Control, DbChange, DbData};
use crate::registry::{KeyPath, Registry, RegistryError, Rights, Security};
use crate::scenario::{
    ClusterAction, ClusterFile, ClusterObject, ClusterRef, FileChange, HostRef, HostTarget,
    PropertyValue, RegistryEdit,
};
use crate::sim::shared::{SharedBus, SharedDiskSpec, Signature};
use crate::sim::{ClusterSite, HostId, Life, World};

/// Another number for a disk that was replaced.
const NEW_DISK: u32 = 0x5A5A_0000;
/// Properties of the common kind; all others are a type's own (SDK: resource common properties).
const COMMON: [&str; 12] = [
    "Name",
    "Description",
    "DebugPrefix",
    "SeparateMonitor",
    "PersistentState",
    "LooksAlivePollInterval",
    "IsAlivePollInterval",
    "RestartAction",
    "RestartThreshold",
    "RestartPeriod",
    "RetryPeriodOnFailure",
    "PendingTimeout",
];

impl Director {
    /// The hosts of a step.
    fn step_targets(&self, index: usize, target: &HostTarget, world: &World) -> Vec<HostRef> {
        let mut chance = self.streams.stream(&format!("step/{index}/target"));
        let drawn = super::faults::choose(target, &mut chance);
        super::cluster_faults::targets(target, &drawn, world)
    }

    /// Somebody edits registries.
    pub(super) fn edit_registries<S: Scheduler>(
        &mut self,
        index: usize,
        (hosts, edit): (&HostTarget, &RegistryEdit),
        world: &mut World,
        sched: &mut S,
    ) {
        for host in self.step_targets(index, hosts, world) {
            let change = |registry: &mut Registry| {
                // What cannot be edited is left as it is, as by a person who shrugs.
                let _ = edit_registry(registry, edit);
            };
            world.edit_registry(HostId(host.0), change, sched);
        }
    }

    /// An administrator does something to a cluster.
    pub(super) fn act_on_cluster<S: Scheduler>(
        &mut self,
        index: usize,
        (cluster, action): (ClusterRef, &ClusterAction),
        world: &mut World,
        sched: &mut S,
    ) {
        let site = cluster.index();
        match action {
            ClusterAction::Ask { through, control } => {
                let host = match through {
                    Some(node) => world.clusters()[site].host(*node),
                    None => member(&world.clusters()[site], world),
                };
                self.ask(host, control, world, sched);
            }
            ClusterAction::CreateResources(resources) => {
                let host = member(&world.clusters()[site], world);
                let service = host.and_then(|host| service(host, world));
                let created = service.and_then(|service| {
                    let database = service.database();
                    let mut created =
                        database.create_resources(resources, service.config()).ok()?;
                    for (id, changes) in &mut created {
                        // The wish comes with the resource: whoever owns the group starts it as soon as
                        // it knows of it.
                        let online = DbData::Number(1);
                        changes.push(database.set_resource(*id, "PersistentState", online));
                    }
                    Some(created)
                });
                for (_, changes) in created.unwrap_or_default() {
                    self.ask(host, &Control::CreateResource(changes), world, sched);
                }
            }
            ClusterAction::SetProperty { object, property, value } => {
                let host = member(&world.clusters()[site], world);
                if let Some(service) = host.and_then(|host| service(host, world)) {
                    let change = property_change(service, *object, property, value);
                    let control = Control::ChangeDatabase(vec![change]);
                    self.ask(host, &control, world, sched);
                }
            }
            ClusterAction::StopService(nodes) => {
                for host in self.step_targets(index, nodes, world) {
                    world.stop_cluster_service(HostId(host.0), sched);
                }
            }
            ClusterAction::StartService { nodes, switches } => {
                for host in self.step_targets(index, nodes, world) {
                    world.start_cluster_service(HostId(host.0), *switches, sched);
                }
            }
            ClusterAction::KillService(nodes) => {
                for host in self.step_targets(index, nodes, world) {
                    world.kill_cluster_service(HostId(host.0), sched);
                }
            }
            ClusterAction::HangService { nodes, lasts } => {
                for host in self.step_targets(index, nodes, world) {
                    world.hang_cluster_service(HostId(host.0), true, sched);
                    if let Some(range) = lasts {
                        let mut chance = self.streams.stream(&format!("step/{index}/lasts"));
                        let at = sched.now() + draw(*range, &mut chance);
                        sched.schedule(at, ActorId(host.0), super::director::kind::UNHANG);
                    }
                }
            }
            ClusterAction::File { file, change } => {
                self.change_file(index, site, file, *change, world, sched);
            }
            ClusterAction::ChangePassword => world.change_password(site),
            ClusterAction::ReplaceDisk(disk) => {
                let place = usize::from(disk.0);
                let spec = world.clusters()[site].spec().disks.get(place).copied();
                let replace = |bus: &mut SharedBus, now| {
                    let old = bus.signatures().nth(place);
                    if let (Some(old), Some(spec)) = (old, spec) {
                        let signature = Signature(old.0 ^ NEW_DISK);
                        let new = SharedDiskSpec { signature, ..spec };
                        let _ = bus.replace_disk(old, new, now);
                    }
                };
                world.with_bus(site, replace, sched);
            }
            ClusterAction::SetSignature { disk, signature } => {
                let sign = |bus: &mut SharedBus, now| {
                    let old = bus.signatures().nth(usize::from(disk.0));
                    if let Some(old) = old {
                        let _ = bus.sign(old, Signature(*signature), now);
                    }
                };
                world.with_bus(site, sign, sched);
            }
        }
    }

    fn ask<S: Scheduler>(
        &mut self,
        host: Option<HostId>,
        control: &Control,
        world: &mut World,
        sched: &mut S,
    ) {
        let request = self.next_request;
        self.next_request = self.next_request.wrapping_add(1);
        if let Some(host) = host {
            world.ask_cluster(host, request, control, sched);
        }
    }

    fn change_file<S: Scheduler>(
        &mut self,
        index: usize,
        site: usize,
        file: &ClusterFile,
        change: FileChange,
        world: &mut World,
        sched: &mut S,
    ) {
        let edit = |bytes: Vec<u8>| edit_bytes(bytes, change);
        if let ClusterFile::Clusdb(nodes) = file {
            for host in self.step_targets(index, nodes, world) {
                world.rewrite_clusdb(HostId(host.0), edit, sched);
            }
            return;
        }
        let cluster = &world.clusters()[site];
        let (place, paths): (usize, Vec<String>) = match file {
            ClusterFile::OnDisk { disk, path } => (usize::from(disk.0), vec![path.clone()]),
            _ => match quorum_place(cluster) {
                Some(place) => (place, quorum_files(cluster, place, file, world)),
                None => return,
            },
        };
        let rewrite = |bus: &mut SharedBus, _| {
            let Some(disk) = bus.signatures().nth(place) else { return };
            for path in paths {
                bus.tamper(disk, &path, edit);
            }
        };
        world.with_bus(site, rewrite, sched);
    }
}

/// A node whose service is a member.
fn member(site: &ClusterSite, world: &World) -> Option<HostId> {
    let is_member = |host: &HostId| {
        world.host(*host).life() == Life::On
            && service(*host, world).is_some_and(ClusterNode::is_member)
    };
    site.spec().hosts.iter().copied().find(is_member)
}

fn service(host: HostId, world: &World) -> Option<&ClusterNode> {
    world.host(host).cluster()?.service()
}

fn edit_registry(registry: &mut Registry, edit: &RegistryEdit) -> Result<(), RegistryError> {
    match edit {
        RegistryEdit::Set { key, value, data } => registry.set(key, value, data.clone()),
        RegistryEdit::DeleteValue { key, value } => registry.delete_value(key, value).map(|_| ()),
        RegistryEdit::Protect { key, accounts } => {
            let grants = accounts.iter().map(|account| (account.as_str(), Rights::FULL));
            registry.set_security(key, Some(Security::of(grants)))
        }
        RegistryEdit::DeleteKey { key } => registry.delete_tree(key),
        RegistryEdit::Import(file) => {
            // Checked when the scenario was loaded.
            let _ = registry.import(&file.text);
            Ok(())
        }
    }
}

fn property_change(
    service: &ClusterNode,
    object: ClusterObject,
    property: &str,
    value: &PropertyValue,
) -> DbChange {
    let data = match value {
        PropertyValue::Number(number) => DbData::Number(*number),
        PropertyValue::Text(text) => DbData::Text(text.clone()),
        PropertyValue::Texts(texts) => DbData::Texts(texts.clone()),
    };
    let database = service.database();
    match object {
        ClusterObject::Group(group) => database.set_group(group, property, data),
        ClusterObject::Resource(resource) => {
            match COMMON.iter().any(|common| common.eq_ignore_ascii_case(property)) {
                true => database.set_resource(resource, property, data),
                false => database.set_parameter(resource, property, data),
            }
        }
    }
}

fn edit_bytes(mut bytes: Vec<u8>, change: FileChange) -> Option<Vec<u8>> {
    let middle = bytes.len() / 2;
    match change {
        FileChange::Delete | FileChange::Empty => return None,
        FileChange::Truncate => bytes.truncate(middle),
        FileChange::Damage => {
            let end = (middle + 16).min(bytes.len());
            bytes[middle..end].iter_mut().for_each(|byte| *byte = !*byte);
        }
    }
    Some(bytes)
}

/// Where the quorum disk stands on the bus.
fn quorum_place(site: &ClusterSite) -> Option<usize> {
    site.spec().config.quorum_disk().map(|disk| usize::from(disk.0))
}

/// The paths of a cluster's own files on its quorum disk.
fn quorum_files(
    site: &ClusterSite,
    place: usize,
    file: &ClusterFile,
    world: &World,
) -> Vec<String> {
    let bus = site.bus();
    let Some(disk) = bus.signatures().nth(place) else { return Vec::new() };
    match file {
        ClusterFile::QuorumLog => vec!["MSCS\\quolog.log".into()],
        ClusterFile::HiveCheckpoint => {
            let mut names = bus.file_names(disk, "MSCS\\chk");
            names.sort();
            names.pop().into_iter().collect()
        }
        ClusterFile::Checkpoint { resource, key } => {
            // Any database will do: numbers and names of checkpoints are the same in all.
            let database = site.spec().hosts.iter().find_map(|&host| service(host, world));
            let Some(database) = database.map(ClusterNode::database) else { return Vec::new() };
            let wanted = key.as_ref().and_then(|key| KeyPath::parse(key).ok());
            let all = database.checkpoints(*resource).into_iter();
            all.filter(|(_, key)| wanted.as_ref().is_none_or(|wanted| wanted == key))
                .map(|(number, _)| database.checkpoint_file(*resource, number))
                .collect()
        }
        ClusterFile::Clusdb(_) | ClusterFile::OnDisk { .. } => Vec::new(),
    }
}
