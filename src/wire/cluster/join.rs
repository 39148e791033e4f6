//! Reliable messages by which the membership takes a node in: bodies of messages of [`super::KIND_JOIN`].
//!
//! | code, the first byte | then |
//! | --- | --- |
//! | 1 snapshot | epoch 8, number of the last update 8, count 1, for each member: node 1, incarnation 8; the rest is the snapshot |
//! | 2 loaded | number of the last update 8 |
//! | 3 announcement | joiner 1, its incarnation 8 |
//! | 4 answer to it | joiner 1, its incarnation 8, Windows error 4 (zero: welcome) |
//! | 5 end of the join | joiner 1, its incarnation 8 |

use super::{ClusterWireError, Reader};

/// What members, sponsor and joiner tell each other.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum JoinMessage<'a> {
    /// Sponsor to joiner: the database and what the parts of the service remember.
    Snapshot {
        /// The sponsor's epoch.
        epoch: u64,
        /// The number of the last update in it.
        sequence: u64,
        /// The members and their incarnations.
        members: Vec<(u8, u64)>,
        /// The snapshot.
        bytes: &'a [u8],
    },
    /// Joiner to sponsor: it is loaded.
    Loaded {
        /// The number of the last update in it.
        sequence: u64,
    },
    /// Sponsor to members: this node is about to join.
    Announcement {
        /// The node.
        joiner: u8,
        /// Its incarnation.
        incarnation: u64,
    },
    /// Member to sponsor.
    Answer {
        /// The node.
        joiner: u8,
        /// Its incarnation.
        incarnation: u64,
        /// Zero, or why not: 5041 if another join is in progress.
        error: u32,
    },
    /// Sponsor to members: that join has ended without success.
    End {
        /// The node.
        joiner: u8,
        /// Its incarnation.
        incarnation: u64,
    },
    /// Something else.
    Unknown {
        /// Its code.
        code: u8,
        /// What follows.
        bytes: &'a [u8],
    },
}

impl<'a> JoinMessage<'a> {
    /// Reads a message.
    ///
    /// # Errors
    /// [`ClusterWireError`] for bytes that are none.
    pub fn decode(bytes: &'a [u8]) -> Result<JoinMessage<'a>, ClusterWireError> {
        let mut reader = Reader::new(bytes);
        let message = match reader.u8()? {
            1 => {
                let (epoch, sequence, count) = (reader.u64()?, reader.u64()?, reader.u8()?);
                let member = |_| Ok::<_, ClusterWireError>((reader.u8()?, reader.u64()?));
                let members = (0..count).map(member).collect::<Result<_, _>>()?;
                JoinMessage::Snapshot { epoch, sequence, members, bytes: reader.rest() }
            }
            2 => JoinMessage::Loaded { sequence: reader.u64()? },
            3 => JoinMessage::Announcement { joiner: reader.u8()?, incarnation: reader.u64()? },
            4 => JoinMessage::Answer {
                joiner: reader.u8()?,
                incarnation: reader.u64()?,
                error: reader.u32()?,
            },
            5 => JoinMessage::End { joiner: reader.u8()?, incarnation: reader.u64()? },
            code => JoinMessage::Unknown { code, bytes: reader.rest() },
        };
        reader.end()?;
        Ok(message)
    }

    /// Appends the message's bytes.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            JoinMessage::Snapshot { epoch, sequence, members, bytes } => {
                assert!(members.len() <= usize::from(u8::MAX), "{} members", members.len());
                out.push(1);
                out.extend_from_slice(&epoch.to_le_bytes());
                out.extend_from_slice(&sequence.to_le_bytes());
                out.push(members.len() as u8);
                for (node, incarnation) in members {
                    out.push(*node);
                    out.extend_from_slice(&incarnation.to_le_bytes());
                }
                out.extend_from_slice(bytes);
            }
            JoinMessage::Loaded { sequence } => {
                out.push(2);
                out.extend_from_slice(&sequence.to_le_bytes());
            }
            JoinMessage::Announcement { joiner, incarnation } => {
                out.extend_from_slice(&[3, *joiner]);
                out.extend_from_slice(&incarnation.to_le_bytes());
            }
            JoinMessage::Answer { joiner, incarnation, error } => {
                out.extend_from_slice(&[4, *joiner]);
                out.extend_from_slice(&incarnation.to_le_bytes());
                out.extend_from_slice(&error.to_le_bytes());
            }
            JoinMessage::End { joiner, incarnation } => {
                out.extend_from_slice(&[5, *joiner]);
                out.extend_from_slice(&incarnation.to_le_bytes());
            }
            JoinMessage::Unknown { code, bytes } => {
                out.push(*code);
                out.extend_from_slice(bytes);
            }
        }
    }
}
