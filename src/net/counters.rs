//! What is counted on every subnet and link, and why packets are dropped.

use std::fmt;

/// Why a packet went no further.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum DropCause {
    /// The odds of the subnet or link.
    Loss,
    /// A loss rule.
    RuleLoss,
    /// A corruption rule: the receiver's checksum does not match.
    Corrupted,
    /// A partition rule.
    Partition,
    /// The queue in front of a slow link was full.
    QueueFull,
    /// The link or subnet is down, or went down while the packet was on it.
    MediumDown,
    /// The router is down.
    RouterDown,
    /// The sending or receiving interface is down or has left.
    InterfaceDown,
    /// No router knows a way to the destination.
    NoRoute,
    /// Nobody has the destination address.
    NoHost,
    /// The time to live ran out.
    TtlExpired,
    /// A broadcast for another subnet, which the router does not forward.
    BroadcastRefused,
}

/// What happened on one subnet, or on one direction of a link.
#[derive(Copy, Clone, PartialEq, Eq, Default, Debug)]
#[repr(C)]
pub struct MediumCounters {
    /// Packets handed to it.
    pub sent: u64,
    /// Packets that reached the host or router at its other end.
    pub delivered: u64,
    /// Bytes handed to it: IPv4 and UDP or TCP headers included.
    pub bytes: u64,
    /// Packets duplicated.
    pub duplicated: u64,
    /// Packets sent out of order.
    pub reordered: u64,
    /// The fullest its queue was, in bytes.
    pub queue_bytes_peak: u64,
    drops: [u64; DropCause::ALL.len()],
}

impl DropCause {
    /// All causes.
    pub const ALL: [DropCause; 12] = [
        DropCause::Loss,
        DropCause::RuleLoss,
        DropCause::Corrupted,
        DropCause::Partition,
        DropCause::QueueFull,
        DropCause::MediumDown,
        DropCause::RouterDown,
        DropCause::InterfaceDown,
        DropCause::NoRoute,
        DropCause::NoHost,
        DropCause::TtlExpired,
        DropCause::BroadcastRefused,
    ];
}

impl fmt::Display for DropCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DropCause::Loss => "lost",
            DropCause::RuleLoss => "lost by a fault",
            DropCause::Corrupted => "corrupted",
            DropCause::Partition => "partition",
            DropCause::QueueFull => "queue full",
            DropCause::MediumDown => "link down",
            DropCause::RouterDown => "router down",
            DropCause::InterfaceDown => "interface down",
            DropCause::NoRoute => "no route",
            DropCause::NoHost => "no such host",
            DropCause::TtlExpired => "time to live expired",
            DropCause::BroadcastRefused => "broadcast not forwarded",
        })
    }
}

impl MediumCounters {
    /// Packets dropped for this cause.
    pub fn dropped(&self, cause: DropCause) -> u64 {
        self.drops[cause as usize]
    }

    /// Packets dropped for any cause.
    pub fn dropped_total(&self) -> u64 {
        self.drops.iter().sum()
    }

    /// Adds another's counts; the peak is the higher one.
    pub fn add(&mut self, other: &MediumCounters) {
        self.sent += other.sent;
        self.delivered += other.delivered;
        self.bytes += other.bytes;
        self.duplicated += other.duplicated;
        self.reordered += other.reordered;
        self.queue_bytes_peak = self.queue_bytes_peak.max(other.queue_bytes_peak);
        for (mine, theirs) in self.drops.iter_mut().zip(other.drops) {
            *mine += theirs;
        }
    }

    pub(super) fn drop_one(&mut self, cause: DropCause) {
        self.drops[cause as usize] += 1;
    }
}
