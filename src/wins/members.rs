//! The addresses of a record: one inline, a boxed list when there are more.

use super::record::{Member, Owner};
use std::net::Ipv4Addr;

/// Addresses a group or multihomed record holds at most (NBTE 3.2.1, Q140064).
pub const MEMBERS_MAX: usize = 25;

/// The members of a record, in stored order.
#[derive(Clone, Debug, Default)]
pub struct Members(Repr);

#[derive(Clone, Debug, Default)]
enum Repr {
    #[default]
    None,
    One(Member),
    // Boxed twice so that the common case, one member, stays at 24 bytes.
    #[allow(clippy::box_collection)]
    Many(Box<Vec<Member>>),
}

impl Members {
    /// Nobody: a tombstoned group.
    pub const fn none() -> Members {
        Members(Repr::None)
    }

    /// One member.
    pub const fn one(member: Member) -> Members {
        Members(Repr::One(member))
    }

    /// All of them in order.
    pub fn as_slice(&self) -> &[Member] {
        match &self.0 {
            Repr::None => &[],
            Repr::One(member) => std::slice::from_ref(member),
            Repr::Many(list) => list,
        }
    }

    /// All of them in order, to be changed in place.
    pub fn as_mut_slice(&mut self) -> &mut [Member] {
        match &mut self.0 {
            Repr::None => &mut [],
            Repr::One(member) => std::slice::from_mut(member),
            Repr::Many(list) => list,
        }
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.as_slice().len()
    }

    /// Whether there is nobody.
    pub fn is_empty(&self) -> bool {
        matches!(self.0, Repr::None)
    }

    /// The one with this address.
    pub fn find(&self, address: Ipv4Addr) -> Option<&Member> {
        self.as_slice().iter().find(|member| member.address == address)
    }

    /// The one with this address, to be changed.
    pub fn find_mut(&mut self, address: Ipv4Addr) -> Option<&mut Member> {
        self.as_mut_slice().iter_mut().find(|member| member.address == address)
    }

    /// Adds at the end. The caller keeps to [`MEMBERS_MAX`].
    pub fn push(&mut self, member: Member) {
        self.0 = match std::mem::take(&mut self.0) {
            Repr::None => Repr::One(member),
            Repr::One(first) => Repr::Many(Box::new(vec![first, member])),
            Repr::Many(mut list) => {
                list.push(member);
                Repr::Many(list)
            }
        };
    }

    /// Keeps those for which `keep` says so.
    pub fn retain(&mut self, mut keep: impl FnMut(&Member) -> bool) {
        self.0 = match std::mem::take(&mut self.0) {
            Repr::None => Repr::None,
            Repr::One(member) if keep(&member) => Repr::One(member),
            Repr::One(_) => Repr::None,
            Repr::Many(mut list) => {
                list.retain(keep);
                match list.len() {
                    0 => Repr::None,
                    1 => Repr::One(list[0]),
                    _ => Repr::Many(list),
                }
            }
        };
    }

    /// Takes the one with this address out.
    pub fn remove(&mut self, address: Ipv4Addr) {
        self.retain(|member| member.address != address);
    }

    /// Makes room for one more of a full list, as a registration at `own` does: a member registered
    /// elsewhere goes first, the oldest of them; if there is none, the oldest of ours (Q140064).
    /// Entries never displaced (`keep`, the static ones) stay. Returns who had to go.
    pub fn evict_for_local(
        &mut self,
        own: Owner,
        keep: impl Fn(&Member) -> bool,
    ) -> Option<Member> {
        let victim = self
            .as_slice()
            .iter()
            .enumerate()
            .filter(|(_, member)| !keep(member))
            .min_by_key(|(index, member)| (member.owner == own, member.stamp, *index))
            .map(|(_, member)| *member)?;
        self.remove(victim.address);
        Some(victim)
    }
}

impl PartialEq for Members {
    fn eq(&self, other: &Members) -> bool {
        self.as_slice() == other.as_slice()
    }
}
impl Eq for Members {}

impl FromIterator<Member> for Members {
    fn from_iter<I: IntoIterator<Item = Member>>(members: I) -> Members {
        let mut list = Members::none();
        members.into_iter().for_each(|member| list.push(member));
        list
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::WallTime;

    fn member(n: u8, owner: u8, stamp: u64) -> Member {
        Member {
            address: Ipv4Addr::new(10, 0, 0, n),
            owner: Owner(Ipv4Addr::new(10, 9, 9, owner)),
            stamp: WallTime(stamp),
        }
    }

    #[test]
    fn one_member_needs_no_allocation() {
        assert!(size_of::<Members>() <= 24);
    }

    #[test]
    fn pushes_and_removals_keep_the_order() {
        let mut members: Members = (1..=4).map(|n| member(n, 1, 0)).collect();
        members.remove(Ipv4Addr::new(10, 0, 0, 2));
        let left: Vec<u8> = members.as_slice().iter().map(|m| m.address.octets()[3]).collect();
        assert_eq!(left, [1, 3, 4]);
        members.retain(|m| m.address.octets()[3] == 4);
        assert_eq!(members, Members::one(member(4, 1, 0)));
        members.remove(Ipv4Addr::new(10, 0, 0, 4));
        assert!(members.is_empty());
    }

    #[test]
    fn eviction_takes_the_oldest_replica_then_the_oldest_local() {
        let own = member(0, 1, 0).owner;
        let mut members: Members =
            [member(1, 1, 5), member(2, 2, 90), member(3, 2, 80)].into_iter().collect();
        let gone = |members: &mut Members| {
            members.evict_for_local(own, |_| false).map(|m| m.address.octets()[3])
        };
        assert_eq!(gone(&mut members), Some(3));
        assert_eq!(gone(&mut members), Some(2));
        assert_eq!(gone(&mut members), Some(1));
        assert_eq!(gone(&mut members), None);
    }
}
