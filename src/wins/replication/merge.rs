//! Joining two active special groups of different owners (Q168076, Q190506, MS-WINSRA figure 7).

use crate::wins::members::{MEMBERS_MAX, Members};
use crate::wins::record::{NameRecord, Owner};

/// What joining comes to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Merge {
    /// The stored record says it all already.
    Keep,
    /// The incoming record takes its place.
    Replace,
    /// The members of both.
    Joined {
        /// The list; empty when everybody dropped out.
        members: Members,
        /// Under whose name the record goes on.
        under: MergedOwner,
    },
}

/// Who owns a merged record.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum MergedOwner {
    /// This server, with a new version.
    Own,
    /// The incoming record's owner, with its version.
    Incoming,
    /// The stored record's owner, with its version.
    Stored,
}

/// Joins the incoming special group to the stored one of another owner.
///
/// Members that the incoming owner vouched for and no longer lists drop out; for an address in both lists
/// the incoming member's owner wins. `takes_over` says whether this server may become the owner of a
/// replica it added to (4.0 SP4 on).
pub fn merge(takes_over: bool, own: Owner, stored: &NameRecord, incoming: &NameRecord) -> Merge {
    let (ours, theirs) = (stored.members.as_slice(), incoming.members.as_slice());
    let is_own = stored.owner == own;
    let leaves = |member: &crate::wins::record::Member| {
        member.owner == incoming.owner && !incoming.has_address(member.address)
    };
    let nobody_leaves = !ours.iter().any(leaves);
    let contained = theirs
        .iter()
        .all(|new| stored.members.find(new.address).is_some_and(|old| old.owner == new.owner));
    if contained && nobody_leaves {
        return Merge::Keep;
    }
    let same_addresses = ours.len() == theirs.len()
        && ours.iter().all(|member| incoming.has_address(member.address));
    if !is_own && same_addresses {
        return Merge::Replace;
    }
    let mut members = Members::none();
    let (mut changed, mut added) = (!nobody_leaves, false);
    for member in ours.iter().filter(|member| !leaves(member)) {
        match incoming.members.find(member.address) {
            Some(new) if new.owner != member.owner => {
                changed = true;
                members.push(*new);
            }
            _ => members.push(*member),
        }
    }
    for new in theirs.iter().filter(|new| !stored.has_address(new.address)) {
        if members.len() < MEMBERS_MAX {
            added = true;
            members.push(*new);
        }
    }
    if !changed && !added {
        return Merge::Keep;
    }
    let under = if is_own || (members.is_empty() && takes_over) {
        MergedOwner::Own
    } else if changed {
        MergedOwner::Incoming
    } else if takes_over {
        MergedOwner::Own
    } else {
        MergedOwner::Stored
    };
    Merge::Joined { members, under }
}
