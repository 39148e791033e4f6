//! The event loop, and the hosts it runs: clock, processor, disk, life and death.

pub mod clock;
pub mod cpu;
pub mod disk;
pub mod kernel;
pub mod queue;
pub mod shared;
pub mod trace;

mod happening;
mod host;
mod server_world;
mod service;
mod world;

pub use happening::{Happening, LookedUp, RecordLook, What};
pub use host::{BootTime, Death, Host, HostId, Life, NbtInstall, PARKED_MAX};
pub use service::{DATABASE_FILE, LAZY_COMMIT_INTERVAL, ServerPart, ServiceStop, WinsInstall};
pub use world::{DIRECTOR_EVENT, HostSpec, World};
