//! Watching packets. A capture sees every frame at the moment it is put on a subnet or link and can
//! change nothing; off, it costs one branch.

use super::counters::DropCause;
use super::packet::PacketHeader;
use super::topology::{LinkId, SubnetId};
use crate::base::SimTime;

/// Where a frame was seen.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Place {
    /// On a subnet.
    Subnet(SubnetId),
    /// On a link, from its first end to its second (`forward`) or back.
    Link {
        /// The link.
        link: LinkId,
        /// From the first router named to the second.
        forward: bool,
    },
}

/// A frame being sent.
#[derive(Copy, Clone, Debug)]
pub struct Frame<'a> {
    /// When.
    pub time: SimTime,
    /// Where.
    pub place: Place,
    /// IPv4 and transport header.
    pub header: PacketHeader,
    /// The bytes above UDP or TCP.
    pub payload: &'a [u8],
    /// Why it will not arrive, when that is already known.
    pub dropped: Option<DropCause>,
}

/// Something that watches frames.
pub trait Capture {
    /// Called for each frame, in the order of sending.
    fn frame(&mut self, frame: &Frame<'_>);
}
