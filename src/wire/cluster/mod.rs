//! Messages between nodes of a cluster, on UDP port 3343. Their layout was never published: this is our own.

/// Which part of the service a reliable message is for.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum RpcKind {
    /// Global updates.
    GlobalUpdate = 1,
    /// Groups and resources.
    Failover = 2,
    /// Files of the quorum resource.
    QuorumFile = 3,
    /// Requests that another node is to carry out.
    Control = 4,
}
