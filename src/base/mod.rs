//! What every other module stands on: time, chance, digests, identities and the shape of a machine.
//!
//! Nothing here knows a protocol, a socket or the simulator.

mod digest;
mod machine;
mod prefetch;
mod rng;
mod schedule;
mod time;

pub use digest::{Digest, hash_bytes, hash_path};
pub use machine::{ByteRange, Machine, Now, Outbox};
pub use prefetch::prefetch;
pub use rng::{Odds, RestingStream, Stream, Streams};
pub use schedule::{ActorId, ChannelId, Event, EventId, Scheduler, TimerId};
pub use time::{SimDuration, SimTime, WallTime};
