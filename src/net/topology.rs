//! The parts of a network: identities, settings and the mistakes a description can contain.

use super::address::{AddressTable, Prefix};
use crate::base::{ActorId, Odds, SimDuration};
use std::net::Ipv4Addr;
use thiserror::Error;

/// A subnet: a broadcast domain with its own range of addresses.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SubnetId(pub u32);

/// A router.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RouterId(pub u32);

/// A point-to-point link between two routers.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct LinkId(pub u32);

/// A host's place on a subnet. Keeps its number when it moves.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct InterfaceId(pub u32);

/// How a subnet, or each direction of a link, carries packets.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct MediumConfig {
    /// Delay of each packet: drawn anew between these two, so packets may overtake each other when they
    /// differ.
    pub delay: (SimDuration, SimDuration),
    /// Added delay between zero and this, without overtaking: a queue somewhere we do not model.
    pub jitter: SimDuration,
    /// Odds that a packet is lost.
    pub loss: Odds,
    /// Odds that a packet arrives twice.
    pub duplicate: Odds,
    /// Odds that a packet is held back by `reorder_extra`.
    pub reorder: Odds,
    /// How long a packet is held back.
    pub reorder_extra: SimDuration,
    /// Bits a second; none means that sending takes no time.
    pub bandwidth_bits_per_s: Option<u64>,
    /// Bytes that may wait for a slow medium, the packet being sent included; more are dropped.
    pub queue_bytes_max: u64,
}

/// A router's settings.
#[derive(Copy, Clone, PartialEq, Eq, Default, Debug)]
pub struct RouterConfig {
    /// Whether UDP broadcasts are put on the router's other subnets, and on those of neighbouring routers
    /// that forward too. A broadcast is forwarded once, so that rings do not echo.
    pub forward_broadcasts: bool,
    /// Whether packets to another subnet's broadcast address become broadcasts there.
    pub directed_broadcasts: bool,
}

/// What is wrong with a network's description.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum TopologyError {
    /// Two subnets share addresses.
    #[error("subnet {0} overlaps {1}")]
    Overlap(Prefix, Prefix),
    /// An address that is not one of the subnet's hosts.
    #[error("address {address} is no host address in {subnet}")]
    OutsideSubnet {
        /// The address.
        address: Ipv4Addr,
        /// The subnet.
        subnet: Prefix,
    },
    /// An address that somebody has already.
    #[error("address {0} is already taken")]
    AddressTaken(Ipv4Addr),
    /// A link from a router to itself.
    #[error("link {0} joins a router to itself")]
    LinkToItself(String),
    /// A router that is attached twice to one subnet.
    #[error("router {router} is attached twice to {subnet}")]
    AttachedTwice {
        /// The router.
        router: String,
        /// The subnet.
        subnet: Prefix,
    },
    /// A range whose low end is above its high end.
    #[error("{name}: the delay's low end {low} is above its high end {high}")]
    DelayRange {
        /// Subnet or link.
        name: String,
        /// Low end.
        low: SimDuration,
        /// High end.
        high: SimDuration,
    },
    /// A bandwidth of zero bits a second.
    #[error("{0}: nothing crosses a bandwidth of 0 bit/s; take the link down instead")]
    NoBandwidth(String),
}

/// The queue of a slow link when nothing else is said: 40 full packets, as routers of the time held.
const QUEUE_BYTES_DEFAULT: u64 = 60_000;

impl Default for MediumConfig {
    /// A quiet local net: 200 us, nothing lost, no limit.
    fn default() -> Self {
        MediumConfig::fixed(SimDuration::from_micros(200))
    }
}

impl MediumConfig {
    /// A fixed delay and nothing else.
    pub const fn fixed(delay: SimDuration) -> MediumConfig {
        MediumConfig {
            delay: (delay, delay),
            jitter: SimDuration::ZERO,
            loss: Odds::NEVER,
            duplicate: Odds::NEVER,
            reorder: Odds::NEVER,
            reorder_extra: SimDuration::ZERO,
            bandwidth_bits_per_s: None,
            queue_bytes_max: QUEUE_BYTES_DEFAULT,
        }
    }

    pub(super) fn check(&self, name: &str) -> Result<(), TopologyError> {
        let (low, high) = self.delay;
        if low > high {
            return Err(TopologyError::DelayRange { name: name.to_owned(), low, high });
        }
        if self.bandwidth_bits_per_s == Some(0) {
            return Err(TopologyError::NoBandwidth(name.to_owned()));
        }
        Ok(())
    }
}

/// A subnet.
#[derive(Clone, Debug)]
pub(super) struct Subnet {
    pub(super) prefix: Prefix,
    pub(super) actor: ActorId,
    pub(super) medium: u32,
    /// Routers attached, in order of attachment.
    pub(super) routers: Vec<RouterId>,
    /// Whether any of them forwards broadcasts.
    pub(super) relayed: bool,
    /// Hosts: interface indices. Routers: [`ROUTER_BIT`] and router index.
    pub(super) addresses: AddressTable,
    pub(super) name: String,
}

/// Marks a router's entry in a subnet's table of addresses.
pub(super) const ROUTER_BIT: u32 = 1 << 30;

/// A router.
#[derive(Clone, Debug)]
pub(super) struct Router {
    pub(super) actor: ActorId,
    pub(super) up: bool,
    pub(super) config: RouterConfig,
    pub(super) attached: Vec<(SubnetId, Ipv4Addr)>,
    pub(super) links: Vec<LinkId>,
    pub(super) name: String,
}

/// A link: two media, one a direction.
#[derive(Clone, Debug)]
pub(super) struct Link {
    pub(super) ends: [RouterId; 2],
    /// Carries packets from `ends[0]`, and from `ends[1]`.
    pub(super) media: [u32; 2],
    pub(super) name: String,
}

/// A host's interface.
#[derive(Copy, Clone, Debug)]
pub(super) struct Interface {
    pub(super) subnet: SubnetId,
    pub(super) address: u32,
    pub(super) host: ActorId,
    pub(super) up: bool,
    pub(super) attached: bool,
}

impl Interface {
    pub(super) fn is_live(&self) -> bool {
        self.up && self.attached
    }
}

impl Subnet {
    /// Who has the address: an interface's index, or a router's with [`ROUTER_BIT`].
    #[inline]
    pub(super) fn holder(&self, address: u32) -> Option<u32> {
        self.addresses.get(address & !self.prefix.mask())
    }

    pub(super) fn set_holder(&mut self, address: Ipv4Addr, holder: Option<u32>) {
        self.addresses.set(u32::from(address) & !self.prefix.mask(), holder);
    }

    pub(super) fn check_free(&self, address: Ipv4Addr) -> Result<(), TopologyError> {
        if !self.prefix.is_host(address) {
            return Err(TopologyError::OutsideSubnet { address, subnet: self.prefix });
        }
        if self.holder(u32::from(address)).is_some() {
            return Err(TopologyError::AddressTaken(address));
        }
        Ok(())
    }
}
