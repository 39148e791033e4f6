//! Which of the two machines behind one port a request is for: the name server, or the host whose own
//! names it has.
//!
//! The host answers node status (it knows its names, the database does not: Q164176) and queries for names
//! it holds. A registration or refresh of such a name by somebody else is refused at once with ACT_ERR:
//! the server would ask the holder, and the holder is this host. Releases by others are refused too.
//!
//! Only the first question is looked at, in its usual place, and nothing is decoded for the thousands of
//! requests about other names.

use crate::base::{ByteRange, Outbox};
use crate::nbt::{NameKind, NameState, NbtClient, NbtOutput};
use crate::wire::NetbiosName;
use crate::wire::name_service::{NamePacket, Opcode, Rcode, TYPE_NBSTAT, compose};
use std::net::Ipv4Addr;

/// Bytes of a header, of an encoded name without scope, and where the question's type stands.
const HEADER_LEN: usize = 12;
const NAME_LEN: usize = 34;
const TYPE_AT: usize = HEADER_LEN + NAME_LEN;

/// For whom a datagram is.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) enum Reader {
    /// The name server.
    Server,
    /// The host's own NetBT.
    Host,
    /// A claim to, or a release of, a name the host holds.
    Claim,
}

/// The host's names as they stand on the wire.
#[derive(Debug, Default)]
pub(super) struct HostNames {
    held: Vec<Encoded>,
}

#[derive(Debug)]
struct Encoded {
    bytes: [u8; NAME_LEN],
    group: bool,
    name: NetbiosName,
}

impl HostNames {
    pub(super) fn new(host: &NbtClient) -> HostNames {
        let mut names = HostNames::default();
        names.read(host);
        names
    }

    /// Reads the names the host holds.
    pub(super) fn read(&mut self, host: &NbtClient) {
        let held =
            host.owned_names().filter(|own| matches!(own.state, NameState::Registered { .. }));
        self.held = held
            .map(|own| Encoded {
                bytes: encoded(&own.name),
                group: own.kind == NameKind::Group,
                name: own.name,
            })
            .collect();
    }

    /// Whose business a datagram is.
    pub(super) fn reader_of(&self, bytes: &[u8]) -> Reader {
        let Some(question) = bytes.get(HEADER_LEN..TYPE_AT) else { return Reader::Server };
        // Responses belong to the server's challenges. Broadcast requests are a host's business as much
        // as others are; the server ignores what is left of them.
        if bytes[2] & 0x80 != 0 {
            return Reader::Server;
        }
        let opcode = Opcode::from_code(bytes[2] >> 3);
        if opcode == Opcode::Query {
            let status = bytes.get(TYPE_AT..TYPE_AT + 2) == Some(&TYPE_NBSTAT.to_be_bytes());
            return if status || self.holds(question) { Reader::Host } else { Reader::Server };
        }
        let claims = matches!(
            opcode,
            Opcode::Registration
                | Opcode::MultihomedRegistration
                | Opcode::Refresh
                | Opcode::RefreshAlternate
                | Opcode::Release
        );
        if claims && self.holds(question) { Reader::Claim } else { Reader::Server }
    }

    fn holds(&self, question: &[u8]) -> bool {
        self.held.iter().any(|own| own.bytes[..] == *question)
    }

    /// The refusal of a claim to a name the host holds; `None` when it may go to the server: another
    /// member of a group, or the host's own address.
    pub(super) fn refusal(
        &self,
        bytes: &[u8],
        own: Ipv4Addr,
        out: &mut Outbox<NbtOutput>,
    ) -> Option<ByteRange> {
        let packet = NamePacket::decode(bytes).ok()?;
        let (name, scope) = packet.name()?;
        let held = self.held.iter().find(|held| held.name == *name)?;
        let claim = packet.additional.as_ref()?.entries().next()?;
        if claim.address == own || (held.group && claim.flags.is_group()) {
            return None;
        }
        let (id, code) = (packet.id, Rcode::Active);
        Some(out.write(|buf| match packet.flags.opcode() {
            Opcode::Release => compose::release_response(id, code, name, scope, claim, buf),
            _ => compose::registration_response(id, code, name, scope, 0, claim, buf),
        }))
    }
}

/// First-level encoding (RFC 1001 14.1) of a name without scope, with its length and the root label.
fn encoded(name: &NetbiosName) -> [u8; NAME_LEN] {
    let mut bytes = [0; NAME_LEN];
    bytes[0] = 32;
    for (pair, byte) in bytes[1..33].chunks_exact_mut(2).zip(name.as_bytes()) {
        pair[0] = b'A' + (byte >> 4);
        pair[1] = b'A' + (byte & 15);
    }
    bytes
}
