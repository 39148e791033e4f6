//! WINS replication messages (MS-WINSRA 2.2), TCP port 42.
//!
//! Every message is a length that does not count itself, a reserved word, the receiver's association
//! handle, a message type and a body. All numbers are big-endian.
//!
//! Promised: decoding never panics, and what decodes encodes to the same bytes; reserved fields with
//! unusual content are kept beside the values. Not done: the "raise your version" request of NT 3.5
//! (opcodes 6 and 7), whose layout is not public; unknown messages are kept as bytes.

mod codec;
mod frame;
mod record;

pub use frame::{FrameError, FrameReader};
pub use record::{Member, ReplicaAddresses, ReplicaRecord, ReplicaState, ReservedBytes};

use std::net::Ipv4Addr;
use thiserror::Error;

/// TCP port of replication.
pub const PORT: u16 = 42;
/// The reserved word of every header. Bits 11 to 14 tell WINS messages from name service ones; Windows
/// checks the association handle only when they are set.
pub const HEADER_RESERVED: u32 = 0x7800;
/// The longest packet length accepted: the fixed fields and about 349,000 plain records. More than any
/// WINS server holds, and small enough that a lying peer costs little memory.
pub const PACKET_LEN_MAX: u32 = 16 << 20;

/// The only major version of the protocol.
pub const VERSION_MAJOR: u16 = 2;
/// Minor version of NT 4.0: no persistent associations, no opcodes 8 and 9.
pub const VERSION_MINOR_NT4: u16 = 1;
/// Minor version of Windows 2000 and later.
pub const VERSION_MINOR_W2K: u16 = 5;

/// A message of an association.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Message {
    /// The header's reserved word: see [`HEADER_RESERVED`].
    pub reserved: u32,
    /// The receiver's handle, 0 in a start request.
    pub handle: u32,
    /// What it says.
    pub body: Body,
    /// Bytes after the body's last field: 21 in start messages, 24 in stops, none in others.
    pub padding: Vec<u8>,
}

/// What a message says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Body {
    /// Message type 0: opens an association.
    StartRequest(Start),
    /// Message type 1: accepts it.
    StartResponse(Start),
    /// Message type 2: ends it.
    Stop(StopReason),
    /// Type 3, opcode 0: which owners, which versions?
    MapRequest,
    /// Type 3, opcode 1: the owner-version map.
    MapResponse {
        /// One record an owner.
        owners: Vec<OwnerRecord>,
        /// Zero.
        reserved: u32,
    },
    /// Type 3, opcode 2: send me the records of this owner within these versions.
    RecordsRequest(OwnerRecord),
    /// Type 3, opcode 3: the records.
    RecordsResponse(Vec<ReplicaRecord>),
    /// Type 3, opcodes 4, 5, 8 and 9: something is new.
    Notification(Notification),
    /// Type 3 with another opcode.
    UnknownOpcode {
        /// The opcode with the three reserved bytes above it.
        opcode: u32,
        /// Everything after it.
        bytes: Vec<u8>,
    },
    /// Another message type.
    UnknownType {
        /// The message type.
        message_type: u32,
        /// Everything after it.
        bytes: Vec<u8>,
    },
}

/// A start request or response.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Start {
    /// The sender's own handle, which the receiver must send from now on.
    pub sender_handle: u32,
    /// 2.
    pub major: u16,
    /// 1 or 5.
    pub minor: u16,
}

/// Why an association ends.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum StopReason {
    /// 0: all done.
    Normal,
    /// 4: something went wrong.
    Error,
    /// Anything else.
    Unknown(u32),
}

/// An owner and its versions, 24 bytes.
///
/// In a map `max` is the highest version known; in a records request `min` to `max` is what is wanted.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct OwnerRecord {
    /// The owner's address.
    pub owner: Ipv4Addr,
    /// The highest version.
    pub version_max: u64,
    /// The lowest version.
    pub version_min: u64,
    /// 1 on the wire.
    pub reserved: u32,
}

/// An update notification.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Notification {
    /// Opcodes 5 and 9: the receiver shall notify its own partners in turn.
    pub propagate: bool,
    /// Opcodes 8 and 9: the receiver shall pull on a persistent association of its own.
    pub persistent: bool,
    /// The sender's owner-version map.
    pub owners: Vec<OwnerRecord>,
    /// The server where the chain of notifications began.
    pub initiator: Ipv4Addr,
}

/// Why bytes are no replication message. Offsets count from the start of the message.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Error)]
pub enum ReplicationError {
    /// The message ends inside a field.
    #[error("the message ends at byte {0}, inside a field")]
    Truncated(usize),
    /// The length field disagrees with the bytes there.
    #[error("the length field says {claimed} bytes, {actual} are there")]
    Length {
        /// What it says.
        claimed: u32,
        /// Bytes after it.
        actual: usize,
    },
    /// A name shorter than 17 bytes, without its final zero, or with an impossible scope.
    #[error("bad name at byte {0}")]
    BadName(usize),
}

impl Message {
    /// A start request: `sender_handle` is the handle the peer shall use.
    pub fn start_request(sender_handle: u32, minor: u16) -> Message {
        let start = Start { sender_handle, major: VERSION_MAJOR, minor };
        Message::padded(0, Body::StartRequest(start), codec::START_PADDING)
    }

    /// The answer to a start request that carried `handle`.
    pub fn start_response(handle: u32, sender_handle: u32, minor: u16) -> Message {
        let start = Start { sender_handle, major: VERSION_MAJOR, minor };
        Message::padded(handle, Body::StartResponse(start), codec::START_PADDING)
    }

    /// The end of an association.
    pub fn stop(handle: u32, reason: StopReason) -> Message {
        Message::padded(handle, Body::Stop(reason), codec::STOP_PADDING)
    }

    /// An owner-version map request.
    pub fn map_request(handle: u32) -> Message {
        Message::padded(handle, Body::MapRequest, 0)
    }

    /// An owner-version map.
    pub fn map_response(handle: u32, owners: Vec<OwnerRecord>) -> Message {
        Message::padded(handle, Body::MapResponse { owners, reserved: 0 }, 0)
    }

    /// A request for the records of one owner with versions `wanted.version_min` to
    /// `wanted.version_max`.
    pub fn records_request(handle: u32, wanted: OwnerRecord) -> Message {
        Message::padded(handle, Body::RecordsRequest(wanted), 0)
    }

    /// Records, as asked for.
    pub fn records_response(handle: u32, records: Vec<ReplicaRecord>) -> Message {
        Message::padded(handle, Body::RecordsResponse(records), 0)
    }

    /// An update notification.
    pub fn notification(handle: u32, notification: Notification) -> Message {
        Message::padded(handle, Body::Notification(notification), 0)
    }

    /// Whether bits 11 to 14 of the reserved word are set, as in every WINS message.
    pub fn is_wins(&self) -> bool {
        self.reserved & HEADER_RESERVED == HEADER_RESERVED
    }

    fn padded(handle: u32, body: Body, padding: usize) -> Message {
        Message { reserved: HEADER_RESERVED, handle, body, padding: vec![0; padding] }
    }
}

impl StopReason {
    /// The reason with this number.
    pub const fn from_code(code: u32) -> StopReason {
        match code {
            0 => StopReason::Normal,
            4 => StopReason::Error,
            other => StopReason::Unknown(other),
        }
    }

    /// Its number.
    pub const fn code(self) -> u32 {
        match self {
            StopReason::Normal => 0,
            StopReason::Error => 4,
            StopReason::Unknown(other) => other,
        }
    }
}

impl OwnerRecord {
    /// Bytes on the wire.
    pub const LEN: usize = 24;

    /// An owner with its lowest and highest version.
    pub const fn new(owner: Ipv4Addr, version_min: u64, version_max: u64) -> OwnerRecord {
        OwnerRecord { owner, version_max, version_min, reserved: 1 }
    }
}
