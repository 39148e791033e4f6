//! What a node that joins gets from its sponsor: the database, and what the parts remember beside it.

use super::super::update::{Reader, UpdateError};
use super::{NodeId, Parts};

/// A sponsor's knowledge.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Snapshot {
    pub hive: Vec<u8>,
    pub updates: Vec<u8>,
    pub failover: Vec<u8>,
    pub quorum_owner: Option<NodeId>,
}

impl Snapshot {
    pub fn of(parts: &Parts) -> Snapshot {
        Snapshot {
            hive: parts.database.save(),
            updates: parts.updates.snapshot(),
            failover: parts.failover.snapshot(),
            quorum_owner: parts.quorum.owner(),
        }
    }

    /// Three texts with their lengths, and the number of the node that holds the quorum (0 for none).
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for part in [&self.hive, &self.updates, &self.failover] {
            bytes.extend_from_slice(&(part.len() as u32).to_le_bytes());
            bytes.extend_from_slice(part);
        }
        bytes.push(self.quorum_owner.map_or(0, |node| node.0));
        bytes
    }

    pub fn decode(bytes: &[u8]) -> Option<Snapshot> {
        let read = || -> Result<Snapshot, UpdateError> {
            let mut reader = Reader::new(bytes);
            let mut part = || reader.bytes().map(<[u8]>::to_vec);
            let (hive, updates, failover) = (part()?, part()?, part()?);
            let owner = reader.u8()?;
            reader.end()?;
            let quorum_owner = (owner != 0).then_some(NodeId(owner));
            Ok(Snapshot { hive, updates, failover, quorum_owner })
        };
        read().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_comes_back_and_a_cut_one_does_not() {
        let snapshot = Snapshot {
            hive: vec![1, 2, 3],
            updates: Vec::new(),
            failover: vec![9],
            quorum_owner: Some(NodeId(2)),
        };
        let bytes = snapshot.encode();
        assert_eq!(Snapshot::decode(&bytes), Some(snapshot));
        assert!((0..bytes.len()).all(|cut| Snapshot::decode(&bytes[..cut]).is_none()));
    }
}
