//! The name record of replication (MS-WINSRA 2.2.10).

use super::ReplicationError;
use super::codec::Reader;
use crate::wire::name::{NetbiosName, ScopeId, Suffix};
use crate::wire::name_service::NodeType;
use std::net::Ipv4Addr;

/// A name as one WINS server tells it to another.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReplicaRecord {
    /// The name.
    ///
    /// On the wire the first and last byte of a name with suffix 1B are exchanged, and exchanged back
    /// when the first byte is 1B; so a name that begins with byte 1B and has another suffix arrives with
    /// the two exchanged.
    pub name: NetbiosName,
    /// Its scope.
    pub scope: ScopeId,
    /// Whether an administrator entered it.
    pub is_static: bool,
    /// The holder's node type.
    pub node_type: NodeType,
    /// The L bit. Senders disagree on its sense: ignore it, the request says who owns the record.
    pub replica: bool,
    /// Its state.
    pub state: ReplicaState,
    /// The owner's version id.
    pub version: u64,
    /// Type and addresses.
    pub addresses: ReplicaAddresses,
    /// Reserved bytes of a received record, where they are not as usual; `None` in new records.
    pub unusual: Option<Box<ReservedBytes>>,
}

/// State of a record, bits 3 and 2 of its flags.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum ReplicaState {
    /// 0: in use.
    Active,
    /// 1: released; not sent by Windows.
    Released,
    /// 2: to be forgotten everywhere.
    Tombstone,
    /// 3: not defined.
    Reserved,
}

/// Type of a record, bits 1 and 0 of its flags, and the addresses that type has.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ReplicaAddresses {
    /// 0: one holder.
    Unique(Ipv4Addr),
    /// 1: normal group; the address means nothing.
    NormalGroup(Ipv4Addr),
    /// 2: special group: up to 25 members. At most 255 are written.
    SpecialGroup(Vec<Member>),
    /// 3: one holder with up to 25 addresses. At most 255 are written.
    Multihomed(Vec<Member>),
}

/// A member of a special group, or an address of a multihomed host.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Member {
    /// The WINS server that took the registration.
    pub owner: Ipv4Addr,
    /// The member's address.
    pub address: Ipv4Addr,
}

/// What stands in the places of a record that carry no value.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct ReservedBytes {
    /// Bytes after the name; as many count as the name's length asks for.
    padding: [u8; 4],
    before_flags: [u8; 3],
    group: [u8; 4],
    after_count: [u8; 3],
    trailer: [u8; 4],
    /// Suffix 1B without the exchange of bytes.
    not_exchanged: bool,
}

impl ReplicaRecord {
    /// Bytes of a record without scope and with one address.
    pub const LEN_MIN: usize = 48;

    /// An active dynamic record of a B node.
    pub fn new(
        name: NetbiosName,
        scope: ScopeId,
        version: u64,
        addresses: ReplicaAddresses,
    ) -> ReplicaRecord {
        ReplicaRecord {
            name,
            scope,
            is_static: false,
            node_type: NodeType::B,
            replica: false,
            state: ReplicaState::Active,
            version,
            addresses,
            unusual: None,
        }
    }

    /// Length of the name field: 17 without scope. NT 4.0 takes more than 255, later systems throw a
    /// response with such a record away (MS-WINSRA 2.2.10).
    pub fn name_len(&self) -> usize {
        16 + self.scope.as_bytes().len() + 1
    }

    /// The flags byte.
    pub fn flags(&self) -> u8 {
        u8::from(self.is_static) << 7
            | self.node_type.bits() << 5
            | u8::from(self.replica) << 4
            | self.state.bits() << 2
            | self.addresses.type_bits()
    }

    /// Appends the record's bytes.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let usual = ReservedBytes::usual(&self.addresses);
        let reserved = self.unusual.as_deref().unwrap_or(&usual);
        let mut raw = *self.name.as_bytes();
        if self.name.suffix() == Suffix::DOMAIN_MASTER && !reserved.not_exchanged {
            raw.swap(0, 15);
        }
        let name_len = self.name_len();
        out.extend_from_slice(&(name_len as u32).to_be_bytes());
        out.extend_from_slice(&raw);
        out.extend_from_slice(self.scope.as_bytes());
        out.push(0);
        out.extend_from_slice(&reserved.padding[..padding_len(name_len)]);
        out.extend_from_slice(&reserved.before_flags);
        out.push(self.flags());
        out.extend_from_slice(&reserved.group);
        out.extend_from_slice(&self.version.to_be_bytes());
        match &self.addresses {
            ReplicaAddresses::Unique(address) | ReplicaAddresses::NormalGroup(address) => {
                out.extend_from_slice(&address.octets());
            }
            ReplicaAddresses::SpecialGroup(members) | ReplicaAddresses::Multihomed(members) => {
                let members = &members[..members.len().min(u8::MAX as usize)];
                out.push(members.len() as u8);
                out.extend_from_slice(&reserved.after_count);
                for member in members {
                    out.extend_from_slice(&member.owner.octets());
                    out.extend_from_slice(&member.address.octets());
                }
            }
        }
        out.extend_from_slice(&reserved.trailer);
    }

    /// Reads a record.
    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<ReplicaRecord, ReplicationError> {
        let start = reader.at();
        let name_len = reader.u32()? as usize;
        let (name, scope, not_exchanged) = decode_name(reader, name_len, start)?;
        let mut padding = [0; 4];
        let used = padding_len(name_len);
        padding[..used].copy_from_slice(reader.take(used)?);
        let before_flags = reader.array()?;
        let [flags] = reader.array()?;
        let group = reader.array()?;
        let version = reader.u64()?;
        let (addresses, after_count) = decode_addresses(reader, flags)?;
        let trailer = reader.array()?;
        let reserved =
            ReservedBytes { padding, before_flags, group, after_count, trailer, not_exchanged };
        let usual = reserved == ReservedBytes::usual(&addresses);
        Ok(ReplicaRecord {
            name,
            scope,
            is_static: flags & 0x80 != 0,
            node_type: NodeType::from_bits(flags >> 5),
            replica: flags & 0x10 != 0,
            state: ReplicaState::from_bits(flags >> 2),
            version,
            addresses,
            unusual: if usual { None } else { Some(Box::new(reserved)) },
        })
    }
}

/// The padding goes to a multiple of 4, and is 4 where the name is aligned already.
const fn padding_len(name_len: usize) -> usize {
    4 - name_len % 4
}

fn decode_name(
    reader: &mut Reader<'_>,
    name_len: usize,
    start: usize,
) -> Result<(NetbiosName, ScopeId, bool), ReplicationError> {
    let bad = ReplicationError::BadName(start);
    if !(17..=16 + ScopeId::LEN_MAX + 1).contains(&name_len) {
        return Err(bad);
    }
    let mut raw: [u8; 16] = reader.array()?;
    let text = reader.take(name_len - 17)?;
    if reader.array()? != [0] {
        return Err(bad);
    }
    let not_exchanged = raw[15] == Suffix::DOMAIN_MASTER.0 && raw[0] != raw[15];
    if raw[0] == Suffix::DOMAIN_MASTER.0 {
        raw.swap(0, 15);
    }
    let scope = ScopeId::replicated(text).map_err(|_| bad)?;
    Ok((NetbiosName::from_bytes(raw), scope, not_exchanged))
}

fn decode_addresses(
    reader: &mut Reader<'_>,
    flags: u8,
) -> Result<(ReplicaAddresses, [u8; 3]), ReplicationError> {
    let kind = flags & 3;
    if kind < 2 {
        let address = reader.ipv4()?;
        let addresses = match kind {
            0 => ReplicaAddresses::Unique(address),
            _ => ReplicaAddresses::NormalGroup(address),
        };
        return Ok((addresses, [0; 3]));
    }
    let [count] = reader.array()?;
    let after_count = reader.array()?;
    let members = (0..count)
        .map(|_| Ok(Member { owner: reader.ipv4()?, address: reader.ipv4()? }))
        .collect::<Result<Vec<Member>, ReplicationError>>()?;
    let addresses = match kind {
        2 => ReplicaAddresses::SpecialGroup(members),
        _ => ReplicaAddresses::Multihomed(members),
    };
    Ok((addresses, after_count))
}

impl ReplicaState {
    /// The state with these two bits; only the low two bits count.
    pub const fn from_bits(bits: u8) -> ReplicaState {
        match bits & 3 {
            0 => ReplicaState::Active,
            1 => ReplicaState::Released,
            2 => ReplicaState::Tombstone,
            _ => ReplicaState::Reserved,
        }
    }

    /// Its two bits.
    pub const fn bits(self) -> u8 {
        match self {
            ReplicaState::Active => 0,
            ReplicaState::Released => 1,
            ReplicaState::Tombstone => 2,
            ReplicaState::Reserved => 3,
        }
    }
}

impl ReplicaAddresses {
    /// The record type's two bits.
    pub const fn type_bits(&self) -> u8 {
        match self {
            ReplicaAddresses::Unique(_) => 0,
            ReplicaAddresses::NormalGroup(_) => 1,
            ReplicaAddresses::SpecialGroup(_) => 2,
            ReplicaAddresses::Multihomed(_) => 3,
        }
    }
}

impl ReservedBytes {
    fn usual(addresses: &ReplicaAddresses) -> ReservedBytes {
        let is_group = matches!(addresses.type_bits(), 1 | 2);
        ReservedBytes {
            padding: [0; 4],
            before_flags: [0; 3],
            group: [u8::from(is_group), 0, 0, 0],
            after_count: [0; 3],
            trailer: [0xFF; 4],
            not_exchanged: false,
        }
    }
}
