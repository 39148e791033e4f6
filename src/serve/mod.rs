//! The machines on real sockets, and the clients that ask them.
//!
//! | file | does |
//! | --- | --- |
//! | `ask` | queries, registrations, releases and node status over UDP, one at a time |
//! | `partner` | reads a WINS server's database by replication over TCP |
//!
//! Below this module nothing knows of sockets, clocks, threads or files.

pub mod ask;
pub mod partner;
