//! The data of a node status response (RFC 1002 4.2.18): a count, names of 18 bytes, statistics.

use super::NodeType;
use crate::wire::name::NetbiosName;

/// NAME_FLAGS of a node's name table. Every bit is kept.
#[derive(Copy, Clone, PartialEq, Eq, Default, Debug)]
pub struct NameFlags(pub u16);

/// A name of a node's table.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct NodeStatusName {
    /// The name; no scope is given.
    pub name: NetbiosName,
    /// Its state.
    pub flags: NameFlags,
}

/// The statistics at the end: the adapter's address and 40 bytes of counters, which Microsoft's systems
/// leave zero.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct NodeStatistics {
    /// UNIT_ID: the hardware address.
    pub unit_id: [u8; 6],
    /// JUMPERS to SESSION_DATA_PACKET_SIZE as they come.
    pub counters: [u8; 40],
}

/// A node status response's data, read in place.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct NodeStatus<'a> {
    names: &'a [u8],
    statistics: &'a [u8],
}

impl NameFlags {
    const GROUP: u16 = 0x8000;
    const DEREGISTERING: u16 = 0x1000;
    const CONFLICT: u16 = 0x0800;
    const ACTIVE: u16 = 0x0400;
    const PERMANENT: u16 = 0x0200;

    /// An active name with this group bit and node type.
    pub const fn active(is_group: bool, node_type: NodeType) -> NameFlags {
        let group = if is_group { NameFlags::GROUP } else { 0 };
        NameFlags(group | (node_type.bits() as u16) << 13 | NameFlags::ACTIVE)
    }

    /// The same with CNF set or clear.
    pub const fn with_conflict(self, on: bool) -> NameFlags {
        self.with(NameFlags::CONFLICT, on)
    }

    /// The same with DRG set or clear.
    pub const fn with_deregistering(self, on: bool) -> NameFlags {
        self.with(NameFlags::DEREGISTERING, on)
    }

    /// The same with PRM set or clear.
    pub const fn with_permanent(self, on: bool) -> NameFlags {
        self.with(NameFlags::PERMANENT, on)
    }

    /// G: a group name.
    pub const fn is_group(self) -> bool {
        self.0 & NameFlags::GROUP != 0
    }

    /// ONT: the node's type.
    pub const fn node_type(self) -> NodeType {
        NodeType::from_bits((self.0 >> 13) as u8)
    }

    /// DRG: being released.
    pub const fn is_deregistering(self) -> bool {
        self.0 & NameFlags::DEREGISTERING != 0
    }

    /// CNF: in conflict.
    pub const fn is_conflict(self) -> bool {
        self.0 & NameFlags::CONFLICT != 0
    }

    /// ACT: active.
    pub const fn is_active(self) -> bool {
        self.0 & NameFlags::ACTIVE != 0
    }

    /// PRM: the permanent node name.
    pub const fn is_permanent(self) -> bool {
        self.0 & NameFlags::PERMANENT != 0
    }

    const fn with(self, bit: u16, on: bool) -> NameFlags {
        NameFlags(if on { self.0 | bit } else { self.0 & !bit })
    }
}

impl NodeStatusName {
    /// Bytes of an entry.
    pub const LEN: usize = 18;
}

impl NodeStatistics {
    /// Bytes of the block.
    pub const LEN: usize = 46;

    /// The address alone, all counters zero.
    pub const fn new(unit_id: [u8; 6]) -> NodeStatistics {
        NodeStatistics { unit_id, counters: [0; 40] }
    }

    /// The block's bytes.
    pub fn to_bytes(&self) -> [u8; NodeStatistics::LEN] {
        let mut bytes = [0; NodeStatistics::LEN];
        bytes[..6].copy_from_slice(&self.unit_id);
        bytes[6..].copy_from_slice(&self.counters);
        bytes
    }
}

impl<'a> NodeStatus<'a> {
    pub(super) fn new(rdata: &'a [u8]) -> Option<NodeStatus<'a>> {
        let (&count, rest) = rdata.split_first()?;
        let (names, statistics) = rest.split_at_checked(count as usize * NodeStatusName::LEN)?;
        Some(NodeStatus { names, statistics })
    }

    /// The node's names in order.
    pub fn names(&self) -> impl ExactSizeIterator<Item = NodeStatusName> + Clone + use<'a> {
        self.names.chunks_exact(NodeStatusName::LEN).map(|chunk| {
            let mut raw = [0; 16];
            raw.copy_from_slice(&chunk[..16]);
            NodeStatusName {
                name: NetbiosName::from_bytes(raw),
                flags: NameFlags(u16::from_be_bytes([chunk[16], chunk[17]])),
            }
        })
    }

    /// The statistics, `None` if they are cut short.
    pub fn statistics(&self) -> Option<NodeStatistics> {
        let block: &[u8; NodeStatistics::LEN] = self.statistics.first_chunk()?;
        let mut statistics = NodeStatistics::new([0; 6]);
        statistics.unit_id.copy_from_slice(&block[..6]);
        statistics.counters.copy_from_slice(&block[6..]);
        Some(statistics)
    }
}
