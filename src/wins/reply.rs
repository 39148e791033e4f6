//! Requests as values, and the answers to them.

use super::io::{Observation, RequestKind, WinsOutput};
use super::profile::{CommitMode, WinsProfile};
use super::record::NameKind;
use super::server::WinsServer;
use crate::base::Outbox;
use crate::wire::name_service::{
    CLASS_IN, Flags, NamePacket, NbEntry, NbFlags, Opcode, Rcode, TYPE_NB, compose,
};
use crate::wire::{NetbiosName, ScopeId, Suffix};
use std::net::{Ipv4Addr, SocketAddrV4};

/// Addresses a registration may carry before it counts as malformed (event 4141 of 3.5, Q123170).
const REQUEST_ADDRESSES_MAX: usize = 25;

/// A registration, refresh or release as it came.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Request {
    pub(super) from: SocketAddrV4,
    pub(super) id: u16,
    pub(super) flags: Flags,
    pub(super) what: RequestKind,
    pub(super) name: NetbiosName,
    pub(super) scope: ScopeId,
    pub(super) nb_flags: NbFlags,
    pub(super) address: Ipv4Addr,
}

/// Whether a registration carries more addresses than a name can hold.
pub(super) fn too_many_addresses(packet: &NamePacket<'_>) -> bool {
    packet.additional.as_ref().is_some_and(|record| record.entries().len() > REQUEST_ADDRESSES_MAX)
}

impl Request {
    /// The request in a decoded packet, `None` if it lacks the parts that RFC 1002 4.2.2 gives it.
    pub(super) fn from_packet(packet: &NamePacket<'_>, from: SocketAddrV4) -> Option<Request> {
        let what = match packet.flags.opcode() {
            Opcode::Registration | Opcode::MultihomedRegistration => RequestKind::Registration,
            Opcode::Refresh | Opcode::RefreshAlternate => RequestKind::Refresh,
            Opcode::Release => RequestKind::Release,
            _ => return None,
        };
        let question = packet.question.as_ref()?;
        let record = packet.additional.as_ref()?;
        if let Some((name, scope)) = &record.name
            && (name, scope) != (&question.name, &question.scope)
        {
            return None;
        }
        if question.rr_type != TYPE_NB || record.rr_type != TYPE_NB || record.class != CLASS_IN {
            return None;
        }
        // Microsoft's clients claim one address a packet, also multihomed ones (Q150144).
        let mut entries = record.entries();
        if entries.len() > REQUEST_ADDRESSES_MAX {
            return None;
        }
        let entry = entries.next()?;
        Some(Request {
            from,
            id: packet.id,
            flags: packet.flags,
            what,
            name: question.name,
            scope: question.scope.clone(),
            nb_flags: entry.flags,
            address: entry.address,
        })
    }

    /// Which type of record the request wants; the first condition that holds decides.
    pub(super) fn kind(&self, profile: &WinsProfile) -> NameKind {
        let masked = || {
            let name = self.name.as_bytes();
            profile.special_group_masks.iter().any(|mask| mask.matches(name))
        };
        let listed = self.name.suffix() == Suffix::DOMAIN_CONTROLLERS;
        if listed || self.nb_flags.is_group() && masked() {
            NameKind::InternetGroup
        } else if self.nb_flags.is_group() {
            NameKind::Group
        } else if self.flags.opcode() == Opcode::MultihomedRegistration {
            NameKind::Multihomed
        } else {
            NameKind::Unique
        }
    }

    fn entry(&self) -> NbEntry {
        NbEntry { flags: self.nb_flags, address: self.address }
    }
}

impl WinsServer {
    /// Answers a registration, refresh or release. A positive answer tells when to refresh (Q154409).
    pub(super) fn answer(&mut self, request: &Request, code: Rcode, out: &mut Outbox<WinsOutput>) {
        let renewal = self.core.profile.renewal_interval.secs();
        let ttl = if code == Rcode::Ok { renewal.min(u64::from(u32::MAX)) as u32 } else { 0 };
        self.answer_with_ttl(request, code, ttl, out);
    }

    /// The same with another TTL.
    pub(super) fn answer_with_ttl(
        &mut self,
        request: &Request,
        code: Rcode,
        ttl: u32,
        out: &mut Outbox<WinsOutput>,
    ) {
        let Request { id, name, scope, .. } = request;
        let bytes = out.write(|buf| match request.what {
            RequestKind::Release => {
                compose::release_response(*id, code, name, scope, request.entry(), buf);
            }
            // Refreshes are answered as registrations: RFC 1002 4.2.4 has no answer of its own.
            _ => compose::registration_response(*id, code, name, scope, ttl, request.entry(), buf),
        });
        let positive = code == Rcode::Ok;
        let after_commit = positive && self.core.profile.commit == CommitMode::Strict;
        out.push(WinsOutput::Send { to: request.from, bytes, after_commit });
        let group = request.nb_flags.is_group();
        self.core.counters.answered(request.what, group, positive);
        let (request, name) = (request.what, request.name);
        self.core.observe(Observation::Answered { request, name, positive }, out);
    }

    /// Tells the client to wait while `addresses` stored addresses are asked (RFC 1002 4.2.16).
    pub(super) fn answer_wack(
        &self,
        request: &Request,
        addresses: usize,
        out: &mut Outbox<WinsOutput>,
    ) {
        let profile = &self.core.profile;
        let per_address = profile.wack_ttl_per_address.saturating_mul(addresses as u32);
        let seconds = profile.wack_ttl.saturating_add(per_address);
        let Request { id, name, scope, flags, .. } = request;
        let bytes = out.write(|buf| compose::wack(*id, name, scope, seconds, *flags, buf));
        out.push(WinsOutput::Send { to: request.from, bytes, after_commit: false });
    }

    /// Lets a request fall; the client repeats it.
    pub(super) fn drop_request(&mut self, request: &Request, out: &mut Outbox<WinsOutput>) {
        self.core.counters.dropped += 1;
        let (request, name) = (request.what, request.name);
        self.core.observe(Observation::Dropped { request, name }, out);
    }
}
