//! winstorm: a deterministic discrete-event simulator for Windows-style naming and failover.
//!
//! The protocol modules (`nbt`, `wins`) are state machines that know bytes and deadlines but neither
//! sockets nor clocks. The simulator (`sim`) joins them to simulated hosts, disks and networks and runs
//! everything in one seeded event loop; `serve` puts the same machines on real sockets. A module depends
//! only on modules before it in this order: base, wire, registry, nbt, wins, cluster, net, sim, measure,
//! scenario, explore, report, serve, cli. `nbt`, `wins` and `cluster` do not know each other.

#![forbid(unsafe_op_in_unsafe_fn)]
#![warn(missing_docs)]

// Time, chance, digests and the shape of a machine: what every other module stands on.
pub mod base;
// Microsoft Cluster Server: membership, quorum, global updates, failover, registry checkpoints.
pub mod cluster;
// The command line.
pub mod cli;
// Running scenarios: faults, workloads and operators as actors, measuring, judging, one seed or thousands.
pub mod explore;
// What is observed and judged: series, histograms, convergence, expectations.
pub mod measure;
// The NetBT client: claims, defends, refreshes, releases and resolves names.
pub mod nbt;
// The simulated network: subnets, routers, links, datagrams, streams and faults on packets.
pub mod net;
// The registry of a host: keys, values, notification, save and restore.
pub mod registry;
// What people read: summary, charts, captures, tables.
pub mod report;
// Scenario files: schema, pointed errors, expansion into a plan.
pub mod scenario;
// The WINS server on real sockets: the same machines, a live loop, recordings and their replay.
pub mod serve;
// The event loop, and the hosts it runs: clock, processor, disk, life and death.
pub mod sim;
// The WINS server: registration, query, challenge, scavenging, replication, store.
pub mod wins;
// Bytes to values and back, without state: NetBIOS names, name service, WINS replication, cluster.
pub mod wire;
