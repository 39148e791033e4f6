//! What goes into a cluster service and comes out of it: datagrams, answers, outputs, adapters.

use super::cluster_part::Reply;
use super::cluster_world::{OWN_REQUEST, key_number};
use super::happening::{KeyEvent, What};
use super::host::HostId;
use super::waiting::{FileOutcome, Waiting};
use super::world::World;
use crate::base::{Machine, Outbox, Scheduler};
use crate::cluster::{
    ClusterEvent, ClusterInput, ClusterOutput, FileResult, NetworkId, Observation, PORT, Place,
    RegistryReply, ResourceCall, ResourceId, ResourceState,
};
use crate::net::{PacketHandle, PacketHeader, Transport};
use crate::registry::KeyPath;
use std::net::SocketAddrV4;

/// Answers in a row without time passing; more is a machine that asks for ever.
const REPLIES_MAX: u32 = 1_000_000;

/// Inputs and outputs.
impl World {
    /// A datagram for the service. Whether it was one.
    pub(super) fn cluster_receives<S: Scheduler>(
        &mut self,
        h: usize,
        packet: PacketHandle,
        sched: &mut S,
    ) -> bool {
        let now = self.now(h, sched);
        let view = self.net.packet(packet);
        let header = view.header;
        if header.transport != Transport::Udp || header.destination.port() != PORT {
            return false;
        }
        let Some(part) = &mut self.hosts[h].cluster else { return false };
        if let Some(network) = part.network_of(*header.destination.ip())
            && let Some(machine) = &mut part.service.machine
        {
            let from = *header.source.ip();
            let mut out = std::mem::take(&mut self.cluster_out);
            let input = ClusterInput::Datagram { network, from, bytes: view.payload };
            machine.handle(input, now, &mut out);
            self.cluster_outputs(h, out, sched);
            self.cluster_drain(h, sched);
        }
        true
    }

    pub(super) fn cluster_input<S: Scheduler>(
        &mut self,
        h: usize,
        input: ClusterInput<'_>,
        sched: &mut S,
    ) {
        let now = self.now(h, sched);
        let Some(part) = &mut self.hosts[h].cluster else { return };
        let Some(machine) = &mut part.service.machine else { return };
        let mut out = std::mem::take(&mut self.cluster_out);
        machine.handle(input, now, &mut out);
        self.cluster_outputs(h, out, sched);
    }

    pub(super) fn cluster_outputs<S: Scheduler>(
        &mut self,
        h: usize,
        mut out: Outbox<ClusterOutput>,
        sched: &mut S,
    ) {
        let mut end = None;
        let mut items = std::mem::take(&mut out.items);
        for item in items.drain(..) {
            match item {
                ClusterOutput::Send { network, to, bytes } => {
                    let Some(part) = &self.hosts[h].cluster else { continue };
                    let adapter = part.adapters.get(usize::from(network.0)).copied().flatten();
                    if let Some((interface, _)) = adapter {
                        // An adapter that was given another address speaks as a stranger.
                        let source = SocketAddrV4::new(self.net.interface(interface).1, PORT);
                        let header = PacketHeader::udp(source, SocketAddrV4::new(to, PORT));
                        self.send(interface, &header, out.bytes(bytes), sched);
                    }
                }
                ClusterOutput::Scsi { ticket, disk, command } => {
                    self.scsi_command(h, ticket, disk, command, sched);
                }
                ClusterOutput::File { ticket, place, path, operation } => match place {
                    Place::Own => self.own_file(h, ticket, &path, operation, &out, sched),
                    Place::Replica(node) => {
                        self.replica_file(h, ticket, node, &path, operation, &out, sched);
                    }
                    Place::Disk(disk) => {
                        self.shared_file(h, ticket, disk, &path, operation, &out, sched);
                    }
                },
                ClusterOutput::Registry { ticket, action } => {
                    self.registry_action(h, ticket, action, &out, sched);
                }
                ClusterOutput::Resource { resource, call } => {
                    self.call_resource(h, resource, call, sched);
                }
                ClusterOutput::Log(event) => {
                    let name = match event {
                        ClusterEvent::NetworkNameFailed { resource } => {
                            self.names_of(h, resource).first().copied()
                        }
                        _ => None,
                    };
                    self.tell(h, What::Logged { id: event.id(), name }, sched);
                }
                ClusterOutput::Answer { request, result } => {
                    let error = result.err().map(|error| error.0);
                    if request != OWN_REQUEST {
                        self.tell(h, What::ClusterAnswer { request, error }, sched);
                    }
                }
                ClusterOutput::Halted(why) => end = Some(Some(why)),
                ClusterOutput::Stopped => end = Some(None),
                ClusterOutput::Observe(observation) => self.observed(h, observation, sched),
            }
        }
        out.items = items;
        out.clear();
        self.cluster_out = out;
        match end {
            None => {}
            Some(None) => self.service_stopped(h, sched),
            Some(Some(why)) => {
                self.service_ended(h, Some(why), sched);
                let Some(part) = &mut self.hosts[h].cluster else { return };
                if part.service.stop_by.take().is_some() {
                    self.shut_down_net_bt(h, sched);
                } else {
                    self.restart_later(h, sched);
                }
            }
        }
    }

    pub(super) fn observed<S: Scheduler>(
        &mut self,
        h: usize,
        observation: Observation,
        sched: &mut S,
    ) {
        let Some(part) = &mut self.hosts[h].cluster else { return };
        let owners = &mut self.clusters[part.site].owners;
        match observation {
            Observation::GroupTaken(group) => {
                if let Some(owns) = part.owns.get_mut(usize::from(group.0)) {
                    *owns = true;
                    owners[usize::from(group.0)] = Some(part.node);
                }
            }
            Observation::GroupGiven(group) => {
                if let Some(owns) = part.owns.get_mut(usize::from(group.0)) {
                    *owns = false;
                    let owner = &mut owners[usize::from(group.0)];
                    *owner = owner.filter(|&owner| owner != part.node);
                }
            }
            Observation::Resource { resource, state } => {
                let place = usize::from(resource.0);
                if place >= part.states.len() {
                    part.states.resize(place + 1, ResourceState::Offline);
                }
                part.states[place] = state;
            }
            Observation::Applied { digest, .. } => sched.fold(digest),
            _ => {}
        }
        self.tell(h, What::Cluster(observation), sched);
    }

    /// Passes on what the service waits for, until there is nothing more.
    pub(super) fn cluster_drain<S: Scheduler>(&mut self, h: usize, sched: &mut S) {
        let Some(part) = &mut self.hosts[h].cluster else { return };
        if std::mem::replace(&mut part.draining, true) {
            return;
        }
        for _ in 0..REPLIES_MAX {
            let Some(part) = &mut self.hosts[h].cluster else { return };
            let reply = match part.service.hung {
                false => part.replies.pop_front(),
                true => part
                    .replies
                    .iter()
                    .position(Reply::is_for_a_driver)
                    .and_then(|place| part.replies.remove(place)),
            };
            let Some(reply) = reply else { break };
            self.pass_on(h, reply, sched);
        }
        if let Some(part) = &mut self.hosts[h].cluster {
            part.draining = false;
        }
    }

    pub(super) fn pass_on<S: Scheduler>(&mut self, h: usize, reply: Reply, sched: &mut S) {
        let input = match &reply {
            Reply::Scsi(ticket, result) => ClusterInput::Scsi { ticket: *ticket, result: *result },
            Reply::File(ticket, outcome) => {
                let result = match outcome {
                    FileOutcome::Done => FileResult::Done,
                    FileOutcome::Content(content) => FileResult::Content(content.as_deref()),
                    FileOutcome::Names(names) => FileResult::Names(names),
                    FileOutcome::Locked => FileResult::Locked,
                    FileOutcome::Full => FileResult::Full,
                    FileOutcome::Failed => FileResult::Failed,
                };
                ClusterInput::File { ticket: *ticket, result }
            }
            Reply::Saved(ticket, saved) => {
                let saved = saved.as_ref().map(Vec::as_slice).map_err(Clone::clone);
                ClusterInput::Registry { ticket: *ticket, reply: RegistryReply::Saved(saved) }
            }
            Reply::Restored(ticket, restored) => {
                let reply = RegistryReply::Restored(restored.clone());
                ClusterInput::Registry { ticket: *ticket, reply }
            }
            Reply::Changed(ticket) => {
                ClusterInput::Registry { ticket: *ticket, reply: RegistryReply::Changed }
            }
            Reply::Resource(resource, event) => {
                ClusterInput::Resource { resource: *resource, event: *event }
            }
            Reply::Interface(network, works) => {
                ClusterInput::Interface { network: *network, works: *works }
            }
        };
        self.cluster_input(h, input, sched);
    }

    /// Something a node waited for has come.
    pub(super) fn cluster_waiting<S: Scheduler>(&mut self, h: usize, what: Waiting, sched: &mut S) {
        let Some(part) = &mut self.hosts[h].cluster else { return };
        match what {
            Waiting::Resource { resource, call, step } => {
                self.resource_step(h, resource, call, step, sched);
            }
            Waiting::Scsi { ticket, life, result } if life == part.service.life => {
                let result = match result {
                    Ok(result) => result,
                    Err(disk) => self.mounted(h, disk, sched),
                };
                if let Some(part) = &mut self.hosts[h].cluster {
                    part.replies.push_back(Reply::Scsi(ticket, result));
                }
            }
            Waiting::File { ticket, life, result } if life == part.service.life => {
                part.replies.push_back(Reply::File(ticket, result));
            }
            _ => {}
        }
    }

    /// The adapter of a node on a network fails, or works again.
    pub fn set_adapter<S: Scheduler>(
        &mut self,
        id: HostId,
        network: NetworkId,
        works: bool,
        sched: &mut S,
    ) {
        let h = id.0 as usize;
        let on = self.hosts[h].is_up();
        let Some(part) = &mut self.hosts[h].cluster else { return };
        let adapter = part.adapters.get(usize::from(network.0)).copied().flatten();
        let Some((interface, _)) = adapter else { return };
        part.dead_cards.retain(|dead| *dead != interface);
        if !works {
            part.dead_cards.push(interface);
        }
        self.net.set_interface_up(interface, works && on);
        if part.config.profile.detects_link_failure && on {
            part.replies.push_back(Reply::Interface(network, works));
        }
        self.addresses_follow_adapter(h, network, works);
        self.cluster_drain(h, sched);
        self.rearm(h, sched);
    }

    /// Tells what became of the keys the service watches: of those that hold `key`, or of all.
    pub(super) fn tell_watched_keys<S: Scheduler>(
        &mut self,
        h: usize,
        key: Option<&KeyPath>,
        event: KeyEvent,
        sched: &S,
    ) {
        let host = &self.hosts[h];
        let (Some(part), Some(system)) = (&host.cluster, &host.system) else { return };
        let concerned = part.watches.values().filter(|watched| match key {
            Some(key) => key.is_within(&watched.key),
            None => true,
        });
        let mut keys: Vec<&KeyPath> = concerned.map(|watched| &watched.key).collect();
        keys.sort_unstable();
        keys.dedup();
        let registry = &system.hives.registry;
        let told: Vec<What> = keys
            .into_iter()
            .map(|key| What::Key { key: key_number(key), event, digest: registry.digest(key) })
            .collect();
        told.into_iter().for_each(|what| self.tell(h, what, sched));
    }

    pub(super) fn end_all_resources<S: Scheduler>(&mut self, h: usize, sched: &mut S) {
        let Some(part) = &self.hosts[h].cluster else { return };
        // Addresses first: a node that is no member any more releases no names.
        let addresses: Vec<ResourceId> = part.attached().map(|(r, _, _)| r).collect();
        let all = (0..part.dlls.len() as u16).rev().map(ResourceId);
        for resource in addresses.into_iter().chain(all) {
            self.call_resource(h, resource, ResourceCall::Terminate, sched);
        }
    }
}
