//! The world's half of what the cluster service does with its node's registry: save, restore, watch, and
//! the cluster hive for those who look at it there.

use super::cluster_part::{Reply, Watched};
use super::cluster_world::key_number;
use super::happening::{KeyEvent, What};
use super::world::World;
use crate::base::{Outbox, Scheduler};
use crate::cluster::{ClusterOutput, Database, DbChange, DbData, NodeId, RegistryAction, Ticket};
use crate::registry::{
    Caller, Checks, KeyPath, Registry, RegistryError, Restore, STORAGE_LOST_MAX, Value, WatchFilter,
};

/// The key of the cluster database.
const CLUSTER_KEY: &str = "Cluster";
/// The cluster service, as it opens keys and as it is granted rights.
pub(super) const CALLER: Caller<'static> =
    Caller { process: "clussvc.exe", account: "Cluster Service" };

impl World {
    /// Keys that were listed before the run begins were saved when they were listed (Q174070: a key is
    /// checkpointed at once when it is added), as they are on the node where the administrator did it: the
    /// first that the group prefers, else the first of all.
    pub(super) fn first_checkpoints<S: Scheduler>(&mut self, site: usize, sched: &mut S) {
        let cluster = &self.clusters[site];
        let config = cluster.spec.config.clone();
        // Without a disk the quorum is each node's own: there is nothing that all of them have.
        let Some(disk) = config.quorum_disk() else { return };
        let Some(signature) = cluster.signature(disk) else { return };
        let database = Database::initial(&config);
        for (resource, number, key) in database.all_checkpoints() {
            let group = config.resources[usize::from(resource.0)].group;
            let preferred = config.groups[usize::from(group.0)].preferred_owners.first();
            let node = preferred.copied().unwrap_or(NodeId(1));
            let Some(host) = self.clusters[site].host(node).map(|host| host.0 as usize) else {
                continue;
            };
            let Some(system) = &self.hosts[host].system else { continue };
            let registry = &system.hives.registry;
            let (saved, digest) = (registry.save(&key, CALLER), registry.digest(&key));
            // A key that is not there, or closed to the service, could not be added at all.
            let Ok(bytes) = saved else { continue };
            let path = database.checkpoint_file(resource, number);
            self.clusters[site].bus.tamper(signature, &path, |_| Some(bytes));
            let what = What::Key { key: key_number(&key), event: KeyEvent::Saved, digest };
            self.tell(host, what, sched);
        }
    }

    pub(super) fn registry_action<S: Scheduler>(
        &mut self,
        h: usize,
        ticket: Ticket,
        action: RegistryAction,
        out: &Outbox<ClusterOutput>,
        sched: &mut S,
    ) {
        let host = &mut self.hosts[h];
        let (Some(part), Some(system)) = (&mut host.cluster, &mut host.system) else { return };
        let registry = &mut system.hives.registry;
        match action {
            RegistryAction::Save(key) => {
                let saved = registry.save(&key, CALLER);
                let digest = registry.digest(&key);
                let well = saved.is_ok();
                part.replies.push_back(Reply::Saved(ticket, saved));
                if well {
                    let event = KeyEvent::Saved;
                    self.tell(h, What::Key { key: key_number(&key), event, digest }, sched);
                }
            }
            RegistryAction::Restore { key, bytes, checked } => {
                // The leak over names of another length was mended with service pack 4 (Q189061).
                let profile = &part.config.profile;
                let leaks = profile.version == crate::cluster::ClusterVersion::Nt40
                    && profile.service_pack < 4;
                let how = Restore {
                    caller: CALLER,
                    checks: if checked { Checks::All } else { Checks::None },
                    storage_lost_max: leaks.then_some(STORAGE_LOST_MAX),
                };
                let before = registry.digest(&key);
                let restored = registry.restore(&key, out.bytes(bytes), &how).map(|_| ());
                let digest = registry.digest(&key);
                let event = match restored {
                    Ok(()) => KeyEvent::Restored,
                    Err(_) if digest == before => KeyEvent::NotRestored,
                    Err(_) => KeyEvent::Spoilt,
                };
                part.replies.push_back(Reply::Restored(ticket, restored));
                system.hives.changed(sched.now());
                self.tell(h, What::Registry, sched);
                self.tell(h, What::Key { key: key_number(&key), event, digest }, sched);
            }
            RegistryAction::Watch(key) => {
                if let Some(old) = part.watches.remove(&ticket) {
                    let _ = registry.unwatch(old.watch);
                }
                // A key that is not there yet is watched from above: its birth is a change too.
                let mut there = key.clone();
                while !registry.exists(&there)
                    && let Some(above) = there.parent()
                {
                    there = above;
                }
                let event = KeyEvent::Watched;
                let digest = registry.digest(&key);
                if let Ok(watch) = registry.watch(&there, true, WatchFilter::ALL) {
                    let number = key_number(&key);
                    part.watches.insert(ticket, Watched { watch, key });
                    self.tell(h, What::Key { key: number, event, digest }, sched);
                }
            }
            RegistryAction::Unwatch => {
                if let Some(old) = part.watches.remove(&ticket) {
                    let _ = registry.unwatch(old.watch);
                    let digest = registry.digest(&old.key);
                    let (key, event) = (key_number(&old.key), KeyEvent::Unwatched);
                    self.tell(h, What::Key { key, event, digest }, sched);
                }
            }
            RegistryAction::ClusterHive(changes) => {
                for change in changes {
                    // A change the database took cannot be refused here; if it is, the view lags behind.
                    let _ = apply(registry, change);
                }
                system.hives.changed(sched.now());
                self.tell(h, What::Registry, sched);
                self.cluster_signals(h);
            }
            RegistryAction::LoadClusterHive(bytes) => {
                let id = registry.hive(CLUSTER_KEY);
                if let Some(id) = id.or_else(|| registry.mount(CLUSTER_KEY).ok()) {
                    let _ = registry.load(id, out.bytes(bytes), Checks::None);
                }
                registry.take_dirtied();
                self.tell(h, What::Registry, sched);
            }
        }
    }

    /// Passes signals of watches on to the service.
    pub(super) fn cluster_signals(&mut self, h: usize) {
        let host = &mut self.hosts[h];
        let Some(system) = &mut host.system else { return };
        if !system.hives.registry.has_signals() {
            return;
        }
        let signals = system.hives.registry.take_signals();
        let Some(part) = &mut host.cluster else { return };
        for signal in signals {
            let ticket = part.watches.iter().find(|(_, watched)| watched.watch == signal);
            if let Some((&ticket, _)) = ticket {
                part.replies.push_back(Reply::Changed(ticket));
            }
        }
    }
}

fn apply(registry: &mut Registry, change: DbChange) -> Result<(), RegistryError> {
    let path = |key: &str| -> Result<KeyPath, RegistryError> {
        let cluster = KeyPath::parse(CLUSTER_KEY)?;
        Ok(if key.is_empty() { cluster } else { cluster.join(key)? })
    };
    match change {
        DbChange::CreateKey(key) => registry.create(&path(&key)?).map(|_| ()),
        DbChange::DeleteKey(key) => registry.delete_tree(&path(&key)?),
        DbChange::SetValue { key, name, data } => {
            let data = match data {
                DbData::Text(text) => Value::sz(&text),
                DbData::Number(number) => Value::Dword(number),
                DbData::Texts(texts) => Value::multi_sz(texts),
                DbData::Bytes(bytes) => Value::binary(&bytes),
            };
            registry.set(&path(&key)?, &name, data)
        }
        DbChange::DeleteValue { key, name } => {
            registry.delete_value(&path(&key)?, &name).map(|_| ())
        }
    }
}
