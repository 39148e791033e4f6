//! Queries: what a name resolves to.
//!
//! Normal groups answer 255.255.255.255 in every state. A 1C list starts with the holder of the 1B name,
//! then the members registered here in the order of their registration, then the others (Q167365, Q140064,
//! Q135922). The asker's subnet does not matter: the client picks (Q231305).

use super::io::{Observation, RequestKind, WinsOutput};
use super::record::{NameKind, NameRecord, RecordState};
use super::registration::GROUP_ADDRESS;
use super::server::WinsServer;
use crate::base::{Now, Outbox};
use crate::wire::name_service::compose::Responder;
use crate::wire::name_service::{
    NamePacket, NbEntry, NbFlags, NodeType, Question, Rcode, TYPE_NB, compose,
};
use crate::wire::{ScopeId, Suffix};
use std::net::{Ipv4Addr, SocketAddrV4};

/// Addresses in an answer: 25, the 1B holder included (Q140064).
const ANSWER_MAX: usize = super::MEMBERS_MAX;

/// The addresses of an answer, on the stack.
struct Answer {
    entries: [NbEntry; ANSWER_MAX],
    len: usize,
    flags: NbFlags,
}

impl Answer {
    fn new(group: bool) -> Answer {
        // The node type is stored but answered as 0 (Q189101).
        let flags = NbFlags::new(group, NodeType::B);
        let empty = NbEntry { flags, address: Ipv4Addr::UNSPECIFIED };
        Answer { entries: [empty; ANSWER_MAX], len: 0, flags }
    }

    fn as_slice(&self) -> &[NbEntry] {
        &self.entries[..self.len]
    }

    /// Adds the address unless it is there already or the answer is full.
    fn add(&mut self, address: Ipv4Addr) {
        let known = self.as_slice().iter().any(|entry| entry.address == address);
        if !known && self.len < ANSWER_MAX {
            self.entries[self.len] = NbEntry { flags: self.flags, address };
            self.len += 1;
        }
    }
}

impl WinsServer {
    /// A name query. Node status is the host's to answer, not the database's (Q164176).
    pub(super) fn query(
        &mut self,
        packet: &NamePacket<'_>,
        question: &Question,
        from: SocketAddrV4,
        now: Now,
        out: &mut Outbox<WinsOutput>,
    ) {
        if question.rr_type != TYPE_NB {
            return;
        }
        let Question { name, scope, .. } = question;
        let answer = self.resolve(question, now);
        let (id, responder) = (packet.id, Responder::Server);
        let bytes = out.write(|buf| match &answer {
            Some(answer) => {
                let (ttl, entries) = (self.core.profile.query_ttl, answer.as_slice());
                compose::positive_query_response(id, responder, name, scope, ttl, entries, buf);
            }
            None => {
                let (code, flags) = (Rcode::NameError, packet.flags);
                compose::negative_query_response(id, responder, code, name, scope, flags, buf);
            }
        });
        out.push(WinsOutput::Send { to: from, bytes, after_commit: false });
        let (request, positive) = (RequestKind::Query, answer.is_some());
        let group = answer.is_some_and(|answer| answer.flags.is_group());
        self.core.counters.answered(request, group, positive);
        self.core.observe(Observation::Answered { request, name: *name, positive }, out);
    }

    fn resolve(&mut self, question: &Question, now: Now) -> Option<Answer> {
        if question.name.suffix() == Suffix::LOCAL_MASTER {
            return None;
        }
        let own = self.core.own;
        let stored = self.core.names.get(&question.name, &question.scope)?;
        let mut answer = Answer::new(stored.kind.is_group());
        if stored.kind == NameKind::Group {
            answer.add(GROUP_ADDRESS);
            return Some(answer);
        }
        if stored.effective_state(own, now.wall) != RecordState::Active {
            return None;
        }
        match stored.kind {
            NameKind::InternetGroup => {
                let is_1c = question.name.suffix() == Suffix::DOMAIN_CONTROLLERS;
                let primary = is_1c.then(|| self.domain_master(question, now)).flatten();
                if let Some(primary) = primary.filter(|_| self.core.profile.prepend_1b) {
                    answer.add(primary);
                }
                let list = self.ordered_members(stored, primary, now);
                let turn = if is_1c && self.core.profile.randomize_1c {
                    self.chance.below(list.len() as u64) as usize
                } else {
                    0
                };
                list.iter().cycle().skip(turn).take(list.len()).for_each(|&a| answer.add(a));
            }
            _ => {
                let live = stored.live_members(own, now.wall);
                live.for_each(|member| answer.add(member.address));
            }
        }
        (answer.len > 0).then_some(answer)
    }

    /// The holder of the domain's 1B name, if it is active.
    fn domain_master(&self, question: &Question, now: Now) -> Option<Ipv4Addr> {
        let name = question.name.with_suffix(Suffix::DOMAIN_MASTER);
        let scope: &ScopeId = &question.scope;
        let record = self.core.names.get(&name, scope)?;
        let own = self.core.own;
        let held =
            record.kind.is_held() && record.effective_state(own, now.wall) == RecordState::Active;
        let member = held.then(|| record.live_members(own, now.wall).next()).flatten()?;
        Some(member.address)
    }

    /// The live members of a list: of ours first the one that is the domain master, then the others by
    /// registration (Q167365); then those of preferred partners, then the rest (Q135922).
    fn ordered_members(
        &self,
        stored: &NameRecord,
        primary: Option<Ipv4Addr>,
        now: Now,
    ) -> Vec<Ipv4Addr> {
        let own = self.core.own;
        let mut ranked: Vec<(u8, Ipv4Addr)> = stored
            .live_members(own, now.wall)
            .map(|member| {
                let rank = if member.owner == own {
                    u8::from(primary != Some(member.address))
                } else if self.replication.members_first(member.owner.address()) {
                    2
                } else {
                    3
                };
                (rank, member.address)
            })
            .collect();
        ranked.sort_by_key(|&(rank, _)| rank);
        ranked.into_iter().map(|(_, address)| address).collect()
    }
}
