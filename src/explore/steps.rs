//! What operators and users do: each step of a plan becomes an action at a host or a server.

use super::director::Director;
use crate::base::Scheduler;
use crate::nbt::{NameKind, NbtInput};
use crate::scenario::{ClaimKind, HostRef, Plan, ReplicateDirection, StepKind};
use crate::sim::{HostId, World};
use crate::wins::OperatorAction;
use crate::wire::name_service::compose::{self, Claim};
use crate::wire::name_service::{NbFlags, NodeType};
use crate::wire::{NetbiosName, ScopeId};
use std::net::Ipv4Addr;

/// A header that promises a question, and nothing behind it.
const MALFORMED: &[u8] = &[0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];

impl Director {
    pub(super) fn step<S: Scheduler>(&mut self, index: usize, world: &mut World, sched: &mut S) {
        let plan = self.plan.clone();
        let kind = &plan.steps[index].kind;
        if let Some((server, action)) = operator_action(kind, &plan) {
            return world.operate(serving(server, &plan, world), action, sched);
        }
        match kind {
            StepKind::StopWins(hosts) => {
                hosts.iter().for_each(|h| world.stop_service(HostId(h.0), sched));
            }
            StepKind::StartWins(hosts) => {
                hosts.iter().for_each(|h| world.start_service(HostId(h.0), sched));
            }
            StepKind::Claim { host, server, name, kind, address, release } => {
                let bytes = claim_bytes(index, name, *kind, *address, *release);
                world.send_name_service(HostId(host.0), *server, &bytes, sched);
            }
            StepKind::ReleaseRefresh(hosts) => {
                for host in hosts {
                    world.ask(HostId(host.0), NbtInput::ReleaseRefresh, sched);
                }
            }
            StepKind::Roam { hosts, to, addresses } => {
                let subnet = self.places.subnets[to.index()];
                for (host, &address) in hosts.iter().zip(addresses) {
                    // An address that somebody took meanwhile leaves the host where it is.
                    let _ = world.roam(HostId(host.0), subnet, address, sched);
                }
            }
            StepKind::ShutDown(hosts) => {
                hosts.iter().for_each(|h| world.shut_down(HostId(h.0), sched));
            }
            StepKind::Boot(hosts) => hosts.iter().for_each(|&h| self.boot(h, world, sched)),
            StepKind::Register { host, name } => {
                let kind = if name.group { NameKind::Group } else { NameKind::Unique };
                let input = NbtInput::AddName { name: name.name, kind };
                world.ask(HostId(host.0), input, sched);
            }
            StepKind::Release { host, name } => {
                world.ask(HostId(host.0), NbtInput::RemoveName { name: *name }, sched);
            }
            StepKind::LogOn { host, user } => {
                world.ask(HostId(host.0), NbtInput::LogOn { user: *user }, sched);
            }
            StepKind::MalformedPacket { host, to } => {
                world.send_name_service(HostId(host.0), *to, MALFORMED, sched);
            }
            StepKind::Lookup { hosts, target } => {
                for &host in hosts {
                    self.look_up(host, *target, true, world, sched);
                }
            }
            // An administrator's, done above.
            StepKind::AddStatic { .. }
            | StepKind::ImportLmhosts { .. }
            | StepKind::Replicate { .. }
            | StepKind::SetPartners { .. }
            | StepKind::Scavenge { .. }
            | StepKind::DeleteRecord { .. }
            | StepKind::TombstoneRecord { .. }
            | StepKind::DeleteOwner { .. }
            | StepKind::PutRecord { .. }
            | StepKind::CheckConsistency { .. } => {}
            StepKind::Registry { hosts, edit } => {
                self.edit_registries(index, (hosts, edit), world, sched);
            }
            StepKind::Cluster { cluster, action } => {
                self.act_on_cluster(index, (*cluster, action), world, sched);
            }
        }
    }
}

/// The host that runs a server now: of a cluster's, the node that does, or else its first.
pub(super) fn serving(server: HostRef, plan: &Plan, world: &World) -> HostId {
    let own = HostId(server.0);
    let nodes = plan.wins_cluster(server).map_or(&[][..], |cluster| &cluster.hosts);
    let runs = |host: &HostId| world.host(*host).server().is_some_and(|s| s.wins().is_some());
    nodes.iter().map(|node| HostId(node.0)).find(runs).unwrap_or(own)
}

/// What an administrator does at a WINS server, and at which; `None` for steps of other people.
fn operator_action(kind: &StepKind, plan: &Plan) -> Option<(HostRef, OperatorAction)> {
    let scope = ScopeId::none();
    Some(match kind {
        StepKind::AddStatic { server, mapping } => {
            (*server, OperatorAction::AddStatic(super::build::static_mapping(mapping)))
        }
        StepKind::ImportLmhosts { server, file } => {
            let text = file.text.clone().into_bytes();
            (*server, OperatorAction::ImportLmhosts { text })
        }
        StepKind::Replicate { server, direction, partner, propagate } => {
            let partner = partner.map(|server| plan.server_address(server));
            let action = match direction {
                ReplicateDirection::Pull => OperatorAction::PullNow { partner },
                ReplicateDirection::Push => {
                    OperatorAction::PushNow { partner, propagate: *propagate }
                }
            };
            (*server, action)
        }
        StepKind::SetPartners { server, pull_from, push_to } => {
            let partners = super::build::partners(plan, pull_from, push_to);
            (*server, OperatorAction::SetPartners(partners))
        }
        StepKind::Scavenge { server, force } => {
            (*server, OperatorAction::Scavenge { force: *force })
        }
        StepKind::DeleteRecord { server, name } => {
            (*server, OperatorAction::DeleteRecord { name: *name, scope })
        }
        StepKind::TombstoneRecord { server, name } => {
            (*server, OperatorAction::TombstoneRecord { name: *name, scope })
        }
        StepKind::DeleteOwner { server, owner } => {
            (*server, OperatorAction::DeleteOwner { owner: *owner })
        }
        StepKind::PutRecord { server, record } => {
            (*server, OperatorAction::PutRecord(super::build::put_record(record)))
        }
        StepKind::CheckConsistency { server } => (*server, OperatorAction::CheckConsistency),
        _ => return None,
    })
}

/// A bare registration or release as a packet. The step's number is its transaction id.
fn claim_bytes(
    step: usize,
    name: &NetbiosName,
    kind: ClaimKind,
    address: Ipv4Addr,
    release: bool,
) -> Vec<u8> {
    let claim = Claim {
        id: step as u16,
        name,
        scope: &ScopeId::none(),
        nb_flags: NbFlags::new(kind == ClaimKind::Group, NodeType::P),
        address,
        ttl: 0,
        broadcast: false,
    };
    let mut bytes = Vec::new();
    match kind {
        _ if release => compose::release(&claim, &mut bytes),
        ClaimKind::Multihomed => compose::multihomed_registration(&claim, &mut bytes),
        ClaimKind::Unique | ClaimKind::Group => compose::registration(&claim, &mut bytes),
    }
    bytes
}
