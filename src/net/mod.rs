//! The simulated network: subnets as broadcast domains, routers, links, datagrams, streams, and faults on
//! packets.
//!
//! [`Network`] is a passive part of a world. It never runs by itself: the world hands it what hosts send
//! ([`Network::send`]) and the events it asked for ([`Network::on_event`]), and gets deliveries back. It
//! schedules through [`crate::base::Scheduler`] and draws from its own streams, `link/wan/loss` and alike,
//! and only where the odds are not zero.
//!
//! A packet costs one event a hop: each subnet or link it crosses. Crossing one of fixed delay goes through
//! a channel of the event loop instead of its queue. A broadcast is one event, however many hosts listen.
//! Nothing here grows with pairs of hosts: routes are kept per (router, subnet), and the host's subnet
//! follows from its address.
//!
//! Events of the network carry [`NETWORK_EVENT`] in their payload; the rest of the payload is the packet.

mod address;
mod capture;
mod counters;
mod medium;
mod network;
mod packet;
mod routes;
mod rules;
mod stream;
mod topology;

pub use address::Prefix;
pub use capture::{Capture, Frame, Place};
pub use counters::{DropCause, MediumCounters};
pub use network::{Delivery, NETWORK_EVENT, Network, SendError};
pub use packet::{PAYLOAD_MAX, PacketHandle, PacketHeader, PacketView, TTL_DEFAULT, Transport};
pub use rules::{Impairment, Members, Rule, RuleCounters, RuleEffect, RuleId, RuleScope};
pub use stream::{
    StreamError, StreamEvent, StreamId, StreamOutput, TcpConfig, TcpSegment, TcpStack, refuse,
};
pub use topology::{
    InterfaceId, LinkId, MediumConfig, RouterConfig, RouterId, SubnetId, TopologyError,
};
