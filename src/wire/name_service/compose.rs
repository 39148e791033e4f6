//! Whole messages, appended to a buffer without other allocation.
//!
//! Each function writes one message as RFC 1002 4.2 draws it, with the flags word that Microsoft's
//! systems put on the wire where they differ.

use super::codec::{FIRST_NAME, push_header, push_record_head};
use super::{
    CLASS_IN, Flags, NbEntry, NbFlags, NodeStatistics, NodeStatusName, Opcode, Rcode, TYPE_A,
    TYPE_NB, TYPE_NBSTAT, TYPE_NS, TYPE_NULL,
};
use crate::wire::name::{NetbiosName, ScopeId, first_level};
use std::net::Ipv4Addr;

/// What a registration, refresh or release says.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Claim<'a> {
    /// Transaction id.
    pub id: u16,
    /// The name claimed, kept or given up.
    pub name: &'a NetbiosName,
    /// Its scope.
    pub scope: &'a ScopeId,
    /// Group bit and node type.
    pub nb_flags: NbFlags,
    /// The claimant's address.
    pub address: Ipv4Addr,
    /// Seconds; 0 in releases.
    pub ttl: u32,
    /// Whether the packet is broadcast.
    pub broadcast: bool,
}

/// Who answers a query.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Responder {
    /// A name server: RA is set.
    Server,
    /// The holder of the name: RA is clear.
    EndNode,
}

/// Name registration request, RFC 1002 4.2.2: 0x2900, broadcast 0x2910.
pub fn registration(claim: &Claim<'_>, out: &mut Vec<u8>) {
    push_claim(Flags::request(Opcode::Registration).with_recursion_desired(true), claim, out);
}

/// Multihomed name registration request, MS-NBTE 2.2.2: 0x7900.
pub fn multihomed_registration(claim: &Claim<'_>, out: &mut Vec<u8>) {
    let flags = Flags::request(Opcode::MultihomedRegistration);
    push_claim(flags.with_recursion_desired(true), claim, out);
}

/// Name overwrite request (unicast) or demand (broadcast), RFC 1002 4.2.3: 0x2800, 0x2810.
pub fn overwrite(claim: &Claim<'_>, out: &mut Vec<u8>) {
    push_claim(Flags::request(Opcode::Registration), claim, out);
}

/// Name refresh request, RFC 1002 4.2.4: 0x4100 as Microsoft's clients send it.
pub fn refresh(claim: &Claim<'_>, out: &mut Vec<u8>) {
    push_claim(Flags::request(Opcode::Refresh).with_recursion_desired(true), claim, out);
}

/// Name refresh request with the opcode that RFC 1002 4.2.4 draws: 0x4900.
pub fn refresh_alternate(claim: &Claim<'_>, out: &mut Vec<u8>) {
    push_claim(Flags::request(Opcode::RefreshAlternate).with_recursion_desired(true), claim, out);
}

/// Name release request (unicast) or demand (broadcast), RFC 1002 4.2.9: 0x3000, 0x3010.
pub fn release(claim: &Claim<'_>, out: &mut Vec<u8>) {
    push_claim(Flags::request(Opcode::Release), claim, out);
}

/// Name query request, RFC 1002 4.2.12: 0x0100, broadcast 0x0110.
pub fn query(id: u16, name: &NetbiosName, scope: &ScopeId, broadcast: bool, out: &mut Vec<u8>) {
    let flags = Flags::request(Opcode::Query).with_recursion_desired(true);
    push_question(id, flags.with_broadcast(broadcast), name, scope, TYPE_NB, out);
}

/// Node status request, RFC 1002 4.2.17: 0x0000, broadcast 0x0010.
pub fn node_status_request(
    id: u16,
    name: &NetbiosName,
    scope: &ScopeId,
    broadcast: bool,
    out: &mut Vec<u8>,
) {
    let flags = Flags::request(Opcode::Query).with_broadcast(broadcast);
    push_question(id, flags, name, scope, TYPE_NBSTAT, out);
}

/// Positive or negative registration response, RFC 1002 4.2.5 and 4.2.6: 0xAD80 and the code. Refreshes
/// are answered with it too. `entry` repeats what the request claimed.
pub fn registration_response(
    id: u16,
    rcode: Rcode,
    name: &NetbiosName,
    scope: &ScopeId,
    ttl: u32,
    entry: NbEntry,
    out: &mut Vec<u8>,
) {
    let flags = registration_answer(rcode).with_recursion_available(true);
    push_nb_answer(id, flags, name, scope, ttl, &[entry], out);
}

/// End-node challenge registration response, RFC 1002 4.2.7: 0xAD00. The claimant must challenge the
/// holder in `entry` itself.
pub fn end_node_challenge(
    id: u16,
    name: &NetbiosName,
    scope: &ScopeId,
    ttl: u32,
    entry: NbEntry,
    out: &mut Vec<u8>,
) {
    push_nb_answer(id, registration_answer(Rcode::Ok), name, scope, ttl, &[entry], out);
}

/// Name conflict demand, RFC 1002 4.2.8: 0xAD87, no TTL, no address.
pub fn conflict_demand(
    id: u16,
    name: &NetbiosName,
    scope: &ScopeId,
    nb_flags: NbFlags,
    out: &mut Vec<u8>,
) {
    let entry = NbEntry { flags: nb_flags, address: Ipv4Addr::UNSPECIFIED };
    registration_response(id, Rcode::Conflict, name, scope, 0, entry, out);
}

/// Positive or negative release response, RFC 1002 4.2.10 and 4.2.11: 0xB400 and the code.
pub fn release_response(
    id: u16,
    rcode: Rcode,
    name: &NetbiosName,
    scope: &ScopeId,
    entry: NbEntry,
    out: &mut Vec<u8>,
) {
    let flags = Flags::response(Opcode::Release, rcode).with_authoritative(true);
    push_nb_answer(id, flags, name, scope, 0, &[entry], out);
}

/// Wait for acknowledgement, RFC 1002 4.2.16: 0xBC00. `seconds` is how long to wait, `request` the flags
/// word of the request that has to wait. The record type is 0x0020, which RFC 1002 draws as NULL here.
pub fn wack(
    id: u16,
    name: &NetbiosName,
    scope: &ScopeId,
    seconds: u32,
    request: Flags,
    out: &mut Vec<u8>,
) {
    let flags = Flags::response(Opcode::Wack, Rcode::Ok).with_authoritative(true);
    let head = AnswerHead { id, flags, name, scope, rr_type: TYPE_NB, ttl: seconds };
    head.push(2, out);
    out.extend_from_slice(&request.0.to_be_bytes());
}

/// Positive query response, RFC 1002 4.2.13: 0x8580 from a server, 0x8500 from the holder.
pub fn positive_query_response(
    id: u16,
    responder: Responder,
    name: &NetbiosName,
    scope: &ScopeId,
    ttl: u32,
    entries: &[NbEntry],
    out: &mut Vec<u8>,
) {
    let flags = Flags::response(Opcode::Query, Rcode::Ok)
        .with_authoritative(true)
        .with_recursion_desired(true)
        .with_recursion_available(responder == Responder::Server);
    push_nb_answer(id, flags, name, scope, ttl, entries, out);
}

/// Negative query response, RFC 1002 4.2.14: 0x8400 and the code, RD as in the `request`, RA from a
/// server; 0x8583 for a plain query at a WINS server.
pub fn negative_query_response(
    id: u16,
    responder: Responder,
    rcode: Rcode,
    name: &NetbiosName,
    scope: &ScopeId,
    request: Flags,
    out: &mut Vec<u8>,
) {
    let flags = Flags::response(Opcode::Query, rcode)
        .with_authoritative(true)
        .with_recursion_desired(request.recursion_desired())
        .with_recursion_available(responder == Responder::Server);
    AnswerHead { id, flags, name, scope, rr_type: TYPE_NULL, ttl: 0 }.push(0, out);
}

/// Redirect, RFC 1002 4.2.15: 0x8100. WINS never sends it; `server` and `address` name the server to ask
/// instead.
pub fn redirect(
    id: u16,
    name: &NetbiosName,
    scope: &ScopeId,
    ttl: u32,
    server: &NetbiosName,
    address: Ipv4Addr,
    out: &mut Vec<u8>,
) {
    let flags = Flags::response(Opcode::Query, Rcode::Ok).with_recursion_desired(true);
    push_header(id, flags, [false, false, true, true], out);
    first_level::encode(name, scope, out);
    let length_at = out.len() + 8;
    push_record_head(TYPE_NS, CLASS_IN, ttl, 0, out);
    let data_at = out.len();
    first_level::encode(server, scope, out);
    let rdlength = (out.len() - data_at) as u16;
    out[length_at..length_at + 2].copy_from_slice(&rdlength.to_be_bytes());
    first_level::encode(server, scope, out);
    push_record_head(TYPE_A, CLASS_IN, ttl, 4, out);
    out.extend_from_slice(&address.octets());
}

/// Node status response, RFC 1002 4.2.18: 0x8400. At most 255 names are written.
pub fn node_status_response(
    id: u16,
    name: &NetbiosName,
    scope: &ScopeId,
    names: &[NodeStatusName],
    statistics: &NodeStatistics,
    out: &mut Vec<u8>,
) {
    let flags = Flags::response(Opcode::Query, Rcode::Ok).with_authoritative(true);
    let names = &names[..names.len().min(u8::MAX as usize)];
    let rdlength = 1 + names.len() * NodeStatusName::LEN + NodeStatistics::LEN;
    AnswerHead { id, flags, name, scope, rr_type: TYPE_NBSTAT, ttl: 0 }.push(rdlength as u16, out);
    out.push(names.len() as u8);
    for entry in names {
        out.extend_from_slice(entry.name.as_bytes());
        out.extend_from_slice(&entry.flags.0.to_be_bytes());
    }
    out.extend_from_slice(&statistics.to_bytes());
}

const fn registration_answer(rcode: Rcode) -> Flags {
    Flags::response(Opcode::Registration, rcode)
        .with_authoritative(true)
        .with_recursion_desired(true)
}

/// Appends a request with a question and an additional record that points at it.
fn push_claim(flags: Flags, claim: &Claim<'_>, out: &mut Vec<u8>) {
    let flags = flags.with_broadcast(claim.broadcast);
    push_header(claim.id, flags, [true, false, false, true], out);
    first_level::encode(claim.name, claim.scope, out);
    push_type_and_class(TYPE_NB, out);
    out.extend_from_slice(&FIRST_NAME.to_be_bytes());
    push_record_head(TYPE_NB, CLASS_IN, claim.ttl, NbEntry::LEN as u16, out);
    let entry = NbEntry { flags: claim.nb_flags, address: claim.address };
    out.extend_from_slice(&entry.to_bytes());
}

fn push_question(
    id: u16,
    flags: Flags,
    name: &NetbiosName,
    scope: &ScopeId,
    rr_type: u16,
    out: &mut Vec<u8>,
) {
    push_header(id, flags, [true, false, false, false], out);
    first_level::encode(name, scope, out);
    push_type_and_class(rr_type, out);
}

fn push_type_and_class(rr_type: u16, out: &mut Vec<u8>) {
    let ([t0, t1], [c0, c1]) = (rr_type.to_be_bytes(), CLASS_IN.to_be_bytes());
    out.extend_from_slice(&[t0, t1, c0, c1]);
}

fn push_nb_answer(
    id: u16,
    flags: Flags,
    name: &NetbiosName,
    scope: &ScopeId,
    ttl: u32,
    entries: &[NbEntry],
    out: &mut Vec<u8>,
) {
    // RDLENGTH has 16 bits: 10,922 entries, far beyond the 25 that WINS holds for a name.
    let entries = &entries[..entries.len().min(u16::MAX as usize / NbEntry::LEN)];
    let head = AnswerHead { id, flags, name, scope, rr_type: TYPE_NB, ttl };
    head.push((entries.len() * NbEntry::LEN) as u16, out);
    for entry in entries {
        out.extend_from_slice(&entry.to_bytes());
    }
}

/// Everything of a response with one answer, up to the record's data.
struct AnswerHead<'a> {
    id: u16,
    flags: Flags,
    name: &'a NetbiosName,
    scope: &'a ScopeId,
    rr_type: u16,
    ttl: u32,
}

impl AnswerHead<'_> {
    fn push(&self, rdlength: u16, out: &mut Vec<u8>) {
        push_header(self.id, self.flags, [false, true, false, false], out);
        first_level::encode(self.name, self.scope, out);
        push_record_head(self.rr_type, CLASS_IN, self.ttl, rdlength, out);
    }
}
