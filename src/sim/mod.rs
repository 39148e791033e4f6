//! The event loop, and the hosts it runs: clock, processor, disk, life and death.

pub mod clock;
pub mod cpu;
pub mod disk;
pub mod kernel;
pub mod queue;
pub mod shared;
pub mod trace;

mod cluster_io;
mod cluster_part;
mod cluster_registry;
mod cluster_storage;
mod cluster_world;
mod happening;
mod host;
mod resources;
mod server_life;
mod server_world;
mod service;
mod system;
mod system_world;
mod waiting;
mod wins_keys;
mod world;
mod world_life;

pub use cluster_part::{ClusterPart, ClusterSite, ClusterSpec};
pub use cluster_world::key_number;
pub use happening::{Happening, KeyEvent, LookedUp, RecordLook, What};
pub use host::{BootTime, Death, Host, HostId, Life, NbtInstall, PARKED_MAX};
pub use service::{DATABASE_FILE, LAZY_COMMIT_INTERVAL, ServerPart, ServiceStop, WinsInstall};
pub use system::{
    Hives, ProgramFile, ProgramSpec, ProgramState, ProgramWrite, SystemPart, SystemSpec,
};
pub use world::{DIRECTOR_EVENT, HostSpec, World};
