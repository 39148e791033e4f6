//! Messages between nodes of a cluster, on UDP port 3343. Their layout was never published: this is our own.
//!
//! Every datagram opens with the same header; integers are little-endian, sets of nodes are 64 bits with
//! node 1 in the lowest.
//!
//! | offset | size | field |
//! | --- | --- | --- |
//! | 0 | 4 | `WSMC` |
//! | 4 | 1 | version of the layout: 1 |
//! | 5 | 1 | type: 1 heartbeat, 2 regroup, 3 poison, 4 leave, 5 probe, 6 offer, 7 join, 8 refusal, 9 segment |
//! | 6 | 1 | the node that sends |
//! | 7 | 1 | the node it is for |
//! | 8 | 4 | the cluster's instance: datagrams of another cluster are no concern of this one |
//! | 12 | 8 | incarnation of the sender: another one at each start of its service |
//! | 20 | 8 | incarnation of the receiver, as far as the sender knows it; zero if it does not |
//! | 28 | | the body |
//!
//! | type | body |
//! | --- | --- |
//! | heartbeat | epoch 8, members 8, zeros up to a datagram of 134 bytes with its IPv4 and UDP headers |
//! | regroup | see [`Regroup`] |
//! | poison | epoch 8, members 8 |
//! | leave | epoch 8 |
//! | probe, join | highest version 4, lowest version 4, account token 4 |
//! | offer | state 1 (1 ready, 2 busy), members 8 |
//! | refusal | Windows error 4 |
//! | segment | see [`Segment`] |
//!
//! A datagram with bytes too few or too many is an error; a type that is not known is kept as it is.

mod join;
mod regroup;
mod segment;
#[cfg(test)]
mod tests;

pub use join::JoinMessage;
pub use regroup::{Proposal, Regroup, Stage};
pub use segment::{FRAGMENT_MAX, Segment};

use thiserror::Error;

/// What every datagram begins with.
pub const MAGIC: [u8; 4] = *b"WSMC";
/// The layout described here.
pub const VERSION: u8 = 1;
/// Bytes before the body.
pub const HEADER_LEN: usize = 28;
/// Bytes of a heartbeat: with 28 of IPv4 and UDP a datagram of 134, as heartbeats were seen on the wire.
pub const HEARTBEAT_LEN: usize = 106;
/// An offer's state: the sponsor can take the joiner.
pub const OFFER_READY: u8 = 1;
/// An offer's state: there is a cluster, but it is busy; ask again.
pub const OFFER_BUSY: u8 = 2;
/// The kind of reliable messages by which the membership talks with itself: a [`JoinMessage`].
pub const KIND_JOIN: u8 = 128;

/// Which part of the service a reliable message is for.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum RpcKind {
    /// Global updates.
    GlobalUpdate = 1,
    /// Groups and resources.
    Failover = 2,
    /// Files of the quorum resource.
    QuorumFile = 3,
    /// Requests that another node is to carry out.
    Control = 4,
    /// Keys of checkpoints that another node has to save.
    Checkpoint = 5,
}

impl RpcKind {
    /// The kind with this code.
    pub fn from_code(code: u8) -> Option<RpcKind> {
        let all = [
            RpcKind::GlobalUpdate,
            RpcKind::Failover,
            RpcKind::QuorumFile,
            RpcKind::Control,
            RpcKind::Checkpoint,
        ];
        all.into_iter().find(|&kind| kind as u8 == code)
    }
}

/// Who sends a datagram, and for whom.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Header {
    /// The node that sends.
    pub from: u8,
    /// The node it is for.
    pub to: u8,
    /// The cluster's instance.
    pub instance: u32,
    /// The sender's incarnation.
    pub incarnation: u64,
    /// The receiver's incarnation; zero if the sender does not know it.
    pub to_incarnation: u64,
}

/// A datagram.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Packet<'a> {
    /// Who sends it, and for whom.
    pub header: Header,
    /// What it says.
    pub body: Body<'a>,
}

/// What a node that wants to join tells of itself.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Applicant {
    /// The highest version of the cluster it can be in.
    pub version_highest: u32,
    /// The lowest.
    pub version_lowest: u32,
    /// Stands for the token of its service account (Q317232).
    pub account: u32,
}

/// What a datagram says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Body<'a> {
    /// The sender is alive.
    Heartbeat {
        /// The last regroup that it has been through.
        epoch: u64,
        /// The members as it sees them.
        members: u64,
    },
    /// The sender's part in a regroup.
    Regroup(Regroup),
    /// The receiver is no member: it must stop (error 5907).
    Poison {
        /// The last regroup that the sender has been through.
        epoch: u64,
        /// The members as it sees them.
        members: u64,
    },
    /// The sender leaves, and waits for no answer.
    Leave {
        /// The last regroup that it has been through.
        epoch: u64,
    },
    /// The sender's system shuts down: it sends no more heartbeats, and will defend nothing.
    ShutsDown {
        /// The last regroup that it has been through.
        epoch: u64,
    },
    /// Is the receiver in a cluster that the sender could join?
    Probe(Applicant),
    /// It is.
    Offer {
        /// [`OFFER_READY`] or [`OFFER_BUSY`].
        state: u8,
        /// The members.
        members: u64,
    },
    /// The sender wants to join through the receiver.
    Join(Applicant),
    /// It cannot, or its join has failed.
    Refusal {
        /// The Windows error.
        error: u32,
    },
    /// A piece of a reliable message, or an acknowledgement.
    Segment(Segment<'a>),
    /// Something else.
    Unknown {
        /// Its type.
        code: u8,
        /// Its body.
        bytes: &'a [u8],
    },
}

/// Why bytes are no datagram between nodes.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Error)]
pub enum ClusterWireError {
    /// Too short for what it says to be.
    #[error("{0} bytes are too few for what the datagram says to be")]
    Truncated(usize),
    /// Bytes behind its end.
    #[error("{0} bytes too many")]
    TooLong(usize),
    /// It begins with something else.
    #[error("it does not begin with the mark of a cluster's datagram")]
    Magic,
    /// Another layout.
    #[error("layout {0} is not known")]
    Version(u8),
    /// Padding that is not zero.
    #[error("the padding of a heartbeat is not zero")]
    Padding,
}

impl<'a> Packet<'a> {
    /// Reads a datagram.
    ///
    /// # Errors
    /// [`ClusterWireError`] for bytes that are none.
    pub fn decode(bytes: &'a [u8]) -> Result<Packet<'a>, ClusterWireError> {
        let mut reader = Reader::new(bytes);
        if reader.take::<4>()? != MAGIC {
            return Err(ClusterWireError::Magic);
        }
        let version = reader.u8()?;
        if version != VERSION {
            return Err(ClusterWireError::Version(version));
        }
        let code = reader.u8()?;
        let header = Header {
            from: reader.u8()?,
            to: reader.u8()?,
            instance: reader.u32()?,
            incarnation: reader.u64()?,
            to_incarnation: reader.u64()?,
        };
        let body = match code {
            1 => heartbeat(&mut reader)?,
            2 => Body::Regroup(Regroup::decode(&mut reader)?),
            3 => Body::Poison { epoch: reader.u64()?, members: reader.u64()? },
            4 => Body::Leave { epoch: reader.u64()? },
            5 => Body::Probe(applicant(&mut reader)?),
            6 => Body::Offer { state: reader.u8()?, members: reader.u64()? },
            7 => Body::Join(applicant(&mut reader)?),
            8 => Body::Refusal { error: reader.u32()? },
            9 => Body::Segment(Segment::decode(&mut reader)?),
            10 => Body::ShutsDown { epoch: reader.u64()? },
            code => Body::Unknown { code, bytes: reader.rest() },
        };
        reader.end()?;
        Ok(Packet { header, body })
    }

    /// Appends the datagram's bytes.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let start = out.len();
        let h = &self.header;
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&[VERSION, self.body.code(), h.from, h.to]);
        out.extend_from_slice(&h.instance.to_le_bytes());
        out.extend_from_slice(&h.incarnation.to_le_bytes());
        out.extend_from_slice(&h.to_incarnation.to_le_bytes());
        match &self.body {
            Body::Heartbeat { epoch, members } => {
                out.extend_from_slice(&epoch.to_le_bytes());
                out.extend_from_slice(&members.to_le_bytes());
                out.resize(start + HEARTBEAT_LEN, 0);
            }
            Body::Poison { epoch, members } => {
                out.extend_from_slice(&epoch.to_le_bytes());
                out.extend_from_slice(&members.to_le_bytes());
            }
            Body::Regroup(regroup) => regroup.encode(out),
            Body::Leave { epoch } | Body::ShutsDown { epoch } => {
                out.extend_from_slice(&epoch.to_le_bytes())
            }
            Body::Probe(a) | Body::Join(a) => {
                for word in [a.version_highest, a.version_lowest, a.account] {
                    out.extend_from_slice(&word.to_le_bytes());
                }
            }
            Body::Offer { state, members } => {
                out.push(*state);
                out.extend_from_slice(&members.to_le_bytes());
            }
            Body::Refusal { error } => out.extend_from_slice(&error.to_le_bytes()),
            Body::Segment(segment) => segment.encode(out),
            Body::Unknown { bytes, .. } => out.extend_from_slice(bytes),
        }
    }
}

impl Body<'_> {
    fn code(&self) -> u8 {
        match self {
            Body::Heartbeat { .. } => 1,
            Body::Regroup(_) => 2,
            Body::Poison { .. } => 3,
            Body::Leave { .. } => 4,
            Body::Probe(_) => 5,
            Body::Offer { .. } => 6,
            Body::Join(_) => 7,
            Body::Refusal { .. } => 8,
            Body::Segment(_) => 9,
            Body::ShutsDown { .. } => 10,
            Body::Unknown { code, .. } => *code,
        }
    }
}

fn heartbeat<'a>(reader: &mut Reader<'a>) -> Result<Body<'a>, ClusterWireError> {
    let (epoch, members) = (reader.u64()?, reader.u64()?);
    let padding = reader.take::<{ HEARTBEAT_LEN - HEADER_LEN - 16 }>()?;
    if padding.iter().any(|&byte| byte != 0) {
        return Err(ClusterWireError::Padding);
    }
    Ok(Body::Heartbeat { epoch, members })
}

fn applicant(reader: &mut Reader<'_>) -> Result<Applicant, ClusterWireError> {
    Ok(Applicant {
        version_highest: reader.u32()?,
        version_lowest: reader.u32()?,
        account: reader.u32()?,
    })
}

/// Bytes not read yet.
struct Reader<'a> {
    left: &'a [u8],
    len: usize,
}

impl<'a> Reader<'a> {
    fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { left: bytes, len: bytes.len() }
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], ClusterWireError> {
        let truncated = ClusterWireError::Truncated(self.len);
        let (taken, left) = self.left.split_first_chunk::<N>().ok_or(truncated)?;
        self.left = left;
        Ok(*taken)
    }

    fn bytes(&mut self, len: usize) -> Result<&'a [u8], ClusterWireError> {
        let truncated = ClusterWireError::Truncated(self.len);
        let (taken, left) = self.left.split_at_checked(len).ok_or(truncated)?;
        self.left = left;
        Ok(taken)
    }

    fn u8(&mut self) -> Result<u8, ClusterWireError> {
        self.take::<1>().map(|[byte]| byte)
    }

    fn u16(&mut self) -> Result<u16, ClusterWireError> {
        self.take().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Result<u32, ClusterWireError> {
        self.take().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64, ClusterWireError> {
        self.take().map(u64::from_le_bytes)
    }

    fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.left)
    }

    fn end(&self) -> Result<(), ClusterWireError> {
        match self.left.len() {
            0 => Ok(()),
            more => Err(ClusterWireError::TooLong(more)),
        }
    }
}
