//! The event loop, and the hosts it runs: clock, processor, disk, life and death.

pub mod clock;
pub mod cpu;
pub mod disk;
pub mod kernel;
pub mod queue;
pub mod trace;
