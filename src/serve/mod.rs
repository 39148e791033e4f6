//! The WINS server on real sockets: the machines of the simulation, a live loop around them, recordings
//! and their replay.
//!
//! | file | does |
//! | --- | --- |
//! | `settings` | how one server shall behave, checked |
//! | `node` | the server with its host's names as one deterministic object |
//! | `host_names` | which requests are for the host itself |
//! | `live` | the loop: one thread waits for every socket |
//! | `options`, `opening` | what it is started with, and what it stands on |
//! | `outside` | what the node asks of the world, done for real |
//! | `commit`, `store_file` | the database's thread and its locked file |
//! | `sockets`, `streams`, `flood` | UDP 137, TCP 42, and their limits |
//! | `clock` | the machine's clocks as the machines' time |
//! | `hook` | the program run for every change |
//! | `record`, `replay` | every input in a file, and the same again from it |
//! | `restore` | a backup in the place of a damaged database |
//! | `ask` | queries, registrations, releases and node status over UDP, one at a time |
//! | `partner` | reads a WINS server's database by replication over TCP |
//! | `counters`, `log` | what is counted and logged |
//!
//! Only here and in `cli` are sockets, threads, clocks and files touched. Promised: an answer of a strict
//! server leaves after its record is durable; after SIGTERM everything is; no input stops the loop.

pub mod ask;
mod clock;
mod commit;
mod counters;
mod flood;
mod hook;
mod host_names;
mod live;
mod log;
mod node;
mod opening;
mod options;
mod outside;
pub mod partner;
mod record;
mod replay;
mod restore;
mod settings;
mod sockets;
mod store_file;
mod streams;

pub use counters::{Counters, Requests, Standing};
pub use flood::RATE as FLOOD_RATE;
pub use live::serve;
pub use log::{LogFormat, LogLevel, start as start_log};
pub use node::{Effects, Node, NodeInput, Turned};
pub use options::{LiveOptions, ServeError};
pub use record::{End, Entry, Header, Recorder, Recording, RecordingError, config_digest};
pub use replay::{Difference, ReplayError, ReplayVerdict, Replayed, replay};
pub use restore::{restore, sync_names};
pub use settings::{
    BURST_QUEUE, PULL_INTERVAL, PUSH_AFTER, Settings, SettingsError, version_named,
};
pub use sockets::SocketError;
pub use store_file::{StoreFile, journal_path};
