//! A name record: what a WINS database holds about one name (MS-WINSRA 2.2.10.1, Q140064).
//!
//! Kept small because a million of them must fit: 80 bytes for a record with one address.

use super::members::Members;
use crate::base::WallTime;
use crate::wire::name_service::NodeType;
use crate::wire::{NetbiosName, ScopeId};
use std::fmt;
use std::net::Ipv4Addr;

/// The WINS server that assigned a record's version id.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Owner(pub Ipv4Addr);

/// A number from an owner's one global counter: what is new is what has a higher version (MS-WINSRA 3.1.1).
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct VersionId(pub u64);

/// The four types of record, with their code on the wire (MS-WINSRA 2.2.10.1).
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum NameKind {
    /// 0: one holder, one address.
    Unique,
    /// 1: a normal group; answered with 255.255.255.255, members are not recorded.
    Group,
    /// 2: an internet (special) group: a list of up to 25 members.
    InternetGroup,
    /// 3: one holder, up to 25 addresses.
    Multihomed,
}

/// Where a record is in its life.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum RecordState {
    /// 0: held.
    Active,
    /// 1: given up; known to its owner only, never replicated.
    Released,
    /// 2: extinct; replicated so that every server forgets it.
    Tombstone,
}

/// Where a record came from.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Origin {
    /// A client registered it.
    Dynamic,
    /// An administrator entered it: it does not age.
    Static,
}

/// One address of a record: who vouches for it, until when.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Member {
    /// The address.
    pub address: Ipv4Addr,
    /// The WINS server at which the address was registered.
    pub owner: Owner,
    /// When the entry lapses unless renewed; [`WallTime::NEVER`] for static ones.
    pub stamp: WallTime,
}

/// A name with everything known about it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NameRecord {
    /// The name, compared byte by byte.
    pub name: NetbiosName,
    /// Its scope, usually none.
    pub scope: ScopeId,
    /// Unique, group, internet group or multihomed.
    pub kind: NameKind,
    /// Active, released or tombstone.
    pub state: RecordState,
    /// Registered or entered.
    pub origin: Origin,
    /// As the client said; stored, but answered as 0 (Q189101).
    pub node_type: NodeType,
    /// Which server's version id this is.
    pub owner: Owner,
    /// Its place in that server's history.
    pub version: VersionId,
    /// When the current state ends; [`WallTime::NEVER`] for static records.
    pub stamp: WallTime,
    /// The addresses. A unique record has one, a normal group one without meaning.
    pub members: Members,
}

impl Owner {
    /// The owner as an address.
    pub const fn address(self) -> Ipv4Addr {
        self.0
    }
}

impl VersionId {
    /// Before the first version.
    pub const ZERO: VersionId = VersionId(0);
    /// The first one in use: requests for everything start here (MS-WINSRA 3.2.5.3).
    pub const FIRST: VersionId = VersionId(1);

    /// The following one. Saturates at the far end.
    pub const fn next(self) -> VersionId {
        VersionId(self.0.saturating_add(1))
    }
}

impl NameKind {
    /// The code on the replication wire and in the store.
    pub const fn code(self) -> u8 {
        self as u8
    }
    /// The kind with this code (the low two bits count).
    pub const fn from_code(code: u8) -> NameKind {
        match code & 3 {
            0 => NameKind::Unique,
            1 => NameKind::Group,
            2 => NameKind::InternetGroup,
            _ => NameKind::Multihomed,
        }
    }
    /// Whether requests and answers about it carry the group bit.
    pub const fn is_group(self) -> bool {
        matches!(self, NameKind::Group | NameKind::InternetGroup)
    }
    /// Whether it belongs to one holder: unique or multihomed.
    pub const fn is_held(self) -> bool {
        matches!(self, NameKind::Unique | NameKind::Multihomed)
    }
}

impl RecordState {
    /// The code on the replication wire and in the store.
    pub const fn code(self) -> u8 {
        self as u8
    }
    /// The state with this code, `None` for 3, which is reserved.
    pub const fn from_code(code: u8) -> Option<RecordState> {
        match code & 3 {
            0 => Some(RecordState::Active),
            1 => Some(RecordState::Released),
            2 => Some(RecordState::Tombstone),
            _ => None,
        }
    }
}

impl NameRecord {
    /// Whether it is held now.
    pub fn is_active(&self) -> bool {
        self.state == RecordState::Active
    }
    /// Whether it is an active special group that nobody is left in: it behaves as released, so it is not
    /// answered, not sent to partners, and gives way to any replica (seen of Windows Server 2003).
    pub fn is_deserted(&self) -> bool {
        self.kind == NameKind::InternetGroup && self.is_active() && self.members.is_empty()
    }
    /// Whether an administrator entered it.
    pub fn is_static(&self) -> bool {
        self.origin == Origin::Static
    }
    /// The addresses in stored order.
    pub fn addresses(&self) -> impl Iterator<Item = Ipv4Addr> + '_ {
        self.members.as_slice().iter().map(|member| member.address)
    }
    /// Whether this address is among them.
    pub fn has_address(&self, address: Ipv4Addr) -> bool {
        self.members.find(address).is_some()
    }
    /// Whether this member counts at `wall` for the server `own`.
    ///
    /// Members of a list that are owned here and past their stamp are hidden (static ones never are);
    /// lapsed members of other owners still count, because a refresh is not replicated. A record of one
    /// holder and one address ages as a whole, when it is scavenged.
    pub fn is_live(&self, member: &Member, own: Owner, wall: WallTime) -> bool {
        let listed = matches!(self.kind, NameKind::InternetGroup | NameKind::Multihomed);
        !listed || !self.is_active() || member.owner != own || member.stamp > wall
    }
    /// The state that requests see: a record whose last member is hidden behaves as released.
    pub fn effective_state(&self, own: Owner, wall: WallTime) -> RecordState {
        let hidden = self.is_active()
            && !self.members.is_empty()
            && self.live_members(own, wall).next().is_none();
        if hidden { RecordState::Released } else { self.state }
    }
    /// The members that count at `wall` for the server `own`; see [`NameRecord::is_live`].
    pub fn live_members(&self, own: Owner, wall: WallTime) -> impl Iterator<Item = &Member> + '_ {
        self.members.as_slice().iter().filter(move |member| self.is_live(member, own, wall))
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}
impl fmt::Debug for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}
impl fmt::Display for VersionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}
impl fmt::Debug for VersionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_with_one_address_is_small() {
        assert!(size_of::<NameRecord>() <= 80, "{} bytes", size_of::<NameRecord>());
    }

    #[test]
    fn codes_come_back() {
        for code in 0..4 {
            assert_eq!(NameKind::from_code(code).code(), code);
            assert_eq!(
                RecordState::from_code(code).map(RecordState::code),
                (code < 3).then_some(code)
            );
        }
    }
}
