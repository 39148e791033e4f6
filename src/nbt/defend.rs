//! Holding names against others: claims refused, queries answered, demands obeyed (MS-NBTE 3.1.5.1,
//! RFC 1002 5.1.1.5, Q120752).
//!
//! | local name | claim by another | broadcast query | unicast query |
//! |---|---|---|---|
//! | registered, unique | refused | yes | yes |
//! | registered, group | unique claims refused | yes | yes |
//! | in conflict | silence | silence | no |
//! | being claimed or released, or unknown | silence | silence | no |
//! | registered, begins with `*` | silence | yes | yes |

use super::client::NbtClient;
use super::name_table::{LocalName, Phase};
use super::types::{NameState, NbtOutput};
use crate::base::Outbox;
use crate::wire::NetbiosName;
use crate::wire::name_service::compose::{self, Responder};
use crate::wire::name_service::{
    NameFlags, NamePacket, NbEntry, NbFlags, NodeStatistics, NodeStatusName, Opcode, Rcode,
    TYPE_NB, TYPE_NBSTAT,
};
use std::net::Ipv4Addr;

/// Somebody demanded that a name be given up (Q120752).
const EVENT_DEMAND: u16 = 4320;

impl NbtClient {
    /// Takes a request.
    pub(super) fn receive_request(
        &mut self,
        packet: &NamePacket<'_>,
        name: &NetbiosName,
        from: Ipv4Addr,
        broadcast: bool,
        out: &mut Outbox<NbtOutput>,
    ) {
        let Some(question) = &packet.question else {
            self.counters.malformed += 1;
            return;
        };
        match packet.flags.opcode() {
            Opcode::Query if question.rr_type == TYPE_NBSTAT => {
                self.answer_node_status(packet.id, name, from, out);
            }
            Opcode::Query if question.rr_type == TYPE_NB => {
                self.answer_query(packet, name, from, broadcast, out);
            }
            Opcode::Registration | Opcode::MultihomedRegistration => {
                self.refuse_claim(packet, name, from, out);
            }
            Opcode::Release => {
                let group = packet.additional.as_ref().and_then(|record| record.entries().next());
                let group = group.is_some_and(|entry| entry.flags.is_group());
                self.obey_release(name, group, from, out);
            }
            _ => {}
        }
    }

    /// Answers a query from the local table. A unicast query is always answered: it may be a server's
    /// challenge, or a neighbour's.
    fn answer_query(
        &mut self,
        packet: &NamePacket<'_>,
        name: &NetbiosName,
        from: Ipv4Addr,
        broadcast: bool,
        out: &mut Outbox<NbtOutput>,
    ) {
        let (id, scope) = (packet.id, &self.config.scope);
        if let Some(index) = self.find(name).filter(|&index| self.names[index].is_held()) {
            let flags = self.flags_of(index);
            let entry = |&address: &Ipv4Addr| NbEntry { flags, address };
            if self.more_addresses.is_empty() || flags.is_group() {
                let entries = [entry(&self.address)];
                self.send(from, out, |buffer| {
                    let who = Responder::EndNode;
                    compose::positive_query_response(id, who, name, scope, 0, &entries, buffer);
                });
            } else {
                let all = std::iter::once(&self.address).chain(self.more_addresses.iter());
                let entries: Vec<NbEntry> = all.map(entry).collect();
                self.send(from, out, |buffer| {
                    let who = Responder::EndNode;
                    compose::positive_query_response(id, who, name, scope, 0, &entries, buffer);
                });
            }
        } else if broadcast {
            return;
        } else {
            let (rcode, request) = (Rcode::NameError, packet.flags);
            self.send(from, out, |buffer| {
                let who = Responder::EndNode;
                compose::negative_query_response(id, who, rcode, name, scope, request, buffer);
            });
        }
        self.counters.answers_sent += 1;
    }

    /// Refuses another host's claim to a name held here.
    fn refuse_claim(
        &mut self,
        packet: &NamePacket<'_>,
        name: &NetbiosName,
        from: Ipv4Addr,
        out: &mut Outbox<NbtOutput>,
    ) {
        let Some(claimed) = packet.additional.as_ref().and_then(|record| record.entries().next())
        else {
            self.counters.malformed += 1;
            return;
        };
        let Some(index) = self.find(name).filter(|&index| self.names[index].is_held()) else {
            return;
        };
        let both_groups = claimed.flags.is_group() && self.names[index].is_group();
        if both_groups || name.as_bytes()[0] == b'*' || self.has_address(claimed.address) {
            return;
        }
        let entry = NbEntry { flags: self.flags_of(index), address: self.address };
        let (id, scope) = (packet.id, &self.config.scope);
        self.send(from, out, |buffer| {
            compose::registration_response(id, Rcode::Active, name, scope, 0, entry, buffer);
        });
        self.counters.answers_sent += 1;
    }

    /// A release demand of another host for a name held here. Members of a group come and go.
    fn obey_release(
        &mut self,
        name: &NetbiosName,
        group: bool,
        from: Ipv4Addr,
        out: &mut Outbox<NbtOutput>,
    ) {
        let Some(index) = self.find(name) else { return };
        if !group && !self.names[index].is_group() {
            self.obey_demand(index, from, out);
        }
    }

    /// Takes an unsolicited registration answer: a conflict demand (RFC 1002 4.2.8). False if it is none,
    /// or not for this host.
    pub(super) fn receive_demand(
        &mut self,
        packet: &NamePacket<'_>,
        name: &NetbiosName,
        from: Ipv4Addr,
        out: &mut Outbox<NbtOutput>,
    ) -> bool {
        let flags = packet.flags;
        if flags.opcode() != Opcode::Registration || flags.rcode() != Rcode::Conflict {
            return false;
        }
        let Some(index) = self.find(name) else { return false };
        self.obey_demand(index, from, out);
        true
    }

    fn obey_demand(&mut self, index: usize, from: Ipv4Addr, out: &mut Outbox<NbtOutput>) {
        let foreign = !self.server_list().contains(&from);
        if !self.names[index].is_held() || (foreign && self.config.profile.ignores_foreign_demands)
        {
            return;
        }
        self.lose_name(index, EVENT_DEMAND, from, out);
    }

    /// Answers a node status request with the table of local names (RFC 1002 4.2.18).
    fn answer_node_status(
        &mut self,
        id: u16,
        name: &NetbiosName,
        from: Ipv4Addr,
        out: &mut Outbox<NbtOutput>,
    ) {
        if *name != NetbiosName::ANY && self.find(name).is_none() {
            return;
        }
        let node_type = self.node_type();
        let status = |held: &LocalName| NodeStatusName {
            name: held.name,
            flags: NameFlags::active(held.is_group(), node_type)
                .with_conflict(held.state == NameState::Conflict)
                .with_deregistering(held.is_leaving()),
        };
        let shown = |held: &&LocalName| {
            held.state != NameState::Registering || held.phase == Phase::Release
        };
        let names: Vec<NodeStatusName> = self.names.iter().filter(shown).map(status).collect();
        let scope = &self.config.scope;
        let statistics = NodeStatistics::new(self.unit_id());
        self.send(from, out, |buffer| {
            compose::node_status_response(id, name, scope, &names, &statistics, buffer);
        });
        self.counters.answers_sent += 1;
    }

    /// The hardware address shown in node status answers: locally administered, made of the address.
    fn unit_id(&self) -> [u8; 6] {
        let [a, b, c, d] = self.address.octets();
        [0x02, 0x00, a, b, c, d]
    }

    fn flags_of(&self, index: usize) -> NbFlags {
        NbFlags::new(self.names[index].is_group(), self.node_type())
    }
}
