//! Datagrams: which request an answer belongs to, and what is no answer at all.
//!
//! An answer counts only if its transaction id, its name and its sender are those of an outstanding
//! request. Everything else is counted and forgotten.

use super::client::NbtClient;
use super::name_table::Phase;
use super::resolve::QueryPhase;
use super::types::NbtOutput;
use crate::base::{Outbox, SimTime};
use crate::wire::NetbiosName;
use crate::wire::name_service::{NamePacket, Opcode, Rcode, TYPE_NB};
use std::net::Ipv4Addr;

impl NbtClient {
    /// Takes a datagram.
    pub(super) fn receive(
        &mut self,
        from: Ipv4Addr,
        broadcast: bool,
        bytes: &[u8],
        now: SimTime,
        out: &mut Outbox<NbtOutput>,
    ) {
        if !self.is_up() {
            return;
        }
        let Ok(packet) = NamePacket::decode(bytes) else {
            self.counters.malformed += 1;
            return;
        };
        if self.has_address(from) {
            // Its own broadcast comes back to it and means nothing. The answer of a name server on the same
            // host does.
            if !broadcast
                && packet.flags.is_response()
                && let Some((&name, _)) = packet.name()
            {
                self.receive_answer(&packet, &name, from, now, out);
            }
            return;
        }
        let Some((&name, scope)) = packet.name() else {
            // Also a broadcast: nobody could tell whom it concerns.
            self.counters.malformed += 1;
            return;
        };
        if *scope != self.config.scope || (broadcast && !self.wants_broadcast_for(&name)) {
            return;
        }
        if !packet.flags.is_response() {
            self.receive_request(&packet, &name, from, broadcast, out);
        } else if broadcast {
            self.receive_demand(&packet, &name, from, out);
        } else if !self.receive_answer(&packet, &name, from, now, out)
            && !self.receive_demand(&packet, &name, from, out)
        {
            self.counters.stray += 1;
        }
    }

    /// Gives an answer to the request it belongs to; false if there is none.
    fn receive_answer(
        &mut self,
        packet: &NamePacket<'_>,
        name: &NetbiosName,
        from: Ipv4Addr,
        now: SimTime,
        out: &mut Outbox<NbtOutput>,
    ) -> bool {
        match packet.flags.opcode() {
            Opcode::Query => self.receive_query_answer(packet, name, from, now, out),
            Opcode::Wack => self.receive_wack(packet, name, from, now),
            Opcode::Registration
            | Opcode::MultihomedRegistration
            | Opcode::Refresh
            | Opcode::RefreshAlternate
            | Opcode::Release => self.receive_name_answer(packet, name, from, now, out),
            Opcode::Unknown(_) => false,
        }
    }

    fn receive_name_answer(
        &mut self,
        packet: &NamePacket<'_>,
        name: &NetbiosName,
        from: Ipv4Addr,
        now: SimTime,
        out: &mut Outbox<NbtOutput>,
    ) -> bool {
        let Some(index) = self.outstanding_name(packet.id, name, from) else { return false };
        let rcode = packet.flags.rcode();
        let releases = self.names[index].phase == Phase::Release;
        if releases != (packet.flags.opcode() == Opcode::Release) {
            return false;
        }
        let accepted = rcode == Rcode::Ok;
        if releases {
            self.release_answered(index, accepted, now, out);
        } else if !accepted {
            self.was_refused(index, rcode, from, now, out);
        } else if self.names[index].phase == Phase::ClaimBroadcast {
            return false; // nobody on the subnet grants names
        } else {
            let ttl = packet.answer.as_ref().map_or(0, |record| record.ttl);
            self.was_granted(index, ttl, now, out);
        }
        true
    }

    /// The name whose outstanding request has this id and may be answered by `from`.
    fn outstanding_name(&self, id: u16, name: &NetbiosName, from: Ipv4Addr) -> Option<usize> {
        let index = self.find(name)?;
        let held = &self.names[index];
        let may_answer = if held.asks_server() {
            self.server_list()[usize::from(held.server)] == from
        } else {
            held.phase == Phase::ClaimBroadcast
        };
        (held.id == id && may_answer).then_some(index)
    }

    /// The query whose outstanding request has this id and may be answered by `from`.
    fn outstanding_query(&self, id: u16, name: &NetbiosName, from: Ipv4Addr) -> Option<usize> {
        self.queries.iter().position(|query| {
            let may_answer = match query.phase {
                QueryPhase::Ask => self.server_list()[usize::from(query.server)] == from,
                QueryPhase::Broadcast => true,
                QueryPhase::Wait | QueryPhase::Follow => false,
            };
            query.id == id && query.name == *name && may_answer
        })
    }

    fn receive_query_answer(
        &mut self,
        packet: &NamePacket<'_>,
        name: &NetbiosName,
        from: Ipv4Addr,
        now: SimTime,
        out: &mut Outbox<NbtOutput>,
    ) -> bool {
        let Some(index) = self.outstanding_query(packet.id, name, from) else { return false };
        let by_server = self.queries[index].phase == QueryPhase::Ask;
        match (packet.flags.rcode(), &packet.answer) {
            (Rcode::Ok, Some(record)) if record.rr_type == TYPE_NB => {
                self.query_positive(index, record, from, now, out);
            }
            (Rcode::Ok, _) => return false,
            // On the subnet only a holder of the name answers, and always with yes.
            _ if !by_server => return false,
            _ => self.query_negative(index, now, out),
        }
        true
    }

    fn receive_wack(
        &mut self,
        packet: &NamePacket<'_>,
        name: &NetbiosName,
        from: Ipv4Addr,
        now: SimTime,
    ) -> bool {
        let until = now + self.wack_wait(packet.answer.as_ref().map_or(0, |record| record.ttl));
        if let Some(index) = self.outstanding_name(packet.id, name, from)
            && self.names[index].asks_server()
        {
            self.names[index].timer = until;
            return true;
        }
        if let Some(index) = self.outstanding_query(packet.id, name, from)
            && self.queries[index].phase == QueryPhase::Ask
        {
            self.queries[index].timer = until;
            return true;
        }
        false
    }
}
