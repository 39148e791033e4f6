//! The membership of whole clusters in memory: see [`lab`].

mod joins;
mod lab;
mod messages;
mod regroups;
mod sweeps;
