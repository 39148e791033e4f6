//! A node's part in a regroup, sent to every candidate at every tick of the regroup's clock.
//!
//! | offset in the body | size | field |
//! | --- | --- | --- |
//! | 0 | 8 | epoch of the regroup |
//! | 8 | 1 | stage of the sender: 1 activate, 2 closing, 3 pruning, 4 and 5 clean-up, 6 stabilized |
//! | 9 | 8 | members before this regroup, as all whom the sender heard know them |
//! | 17 | 8 | nodes that announced their leave |
//! | 25 | 8 | nodes that hold the quorum |
//! | 33 | 8 | nodes whose rows will not change any more |
//! | 41 | 8 | nodes that have won the arbitration |
//! | 49 | 1 | who proposes the new membership, the tie-breaker; zero for no proposal yet |
//! | 50 | 1 | who must win the arbitration before; zero if nobody needs to |
//! | 51 | 1 | who holds the quorum then; zero for nobody |
//! | 52 | 8 | the proposed membership; none if the partition does not survive |
//! | 60 | 8 | nodes whose rows follow |
//! | 68 | 8n | their rows: whom each of them hears |

use super::{ClusterWireError, Reader};

/// A stage of the regroup.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Stage {
    /// Who is there?
    Activate,
    /// Does this partition survive?
    Closing,
    /// Those who stay agree on who stays.
    Pruning,
    /// The new membership is installed.
    Cleanup1,
    /// Everyone has installed it.
    Cleanup2,
    /// Done.
    Stabilized,
    /// A stage that is not known.
    Unknown(u8),
}

/// A proposal of the tie-breaker.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub struct Proposal {
    /// Who proposes.
    pub by: u8,
    /// Who must win the arbitration first; zero if nobody needs to.
    pub arbiter: u8,
    /// Who holds the quorum then; zero for nobody.
    pub owner: u8,
    /// The new membership; none if the partition does not survive.
    pub set: u64,
}

/// The body of a regroup datagram.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Regroup {
    /// Number of the regroup: a higher one overrules all lower.
    pub epoch: u64,
    /// Where the sender is.
    pub stage: Stage,
    /// Members before.
    pub members: u64,
    /// Nodes that announced their leave.
    pub left: u64,
    /// Nodes that hold the quorum.
    pub owners: u64,
    /// Nodes whose rows are final.
    pub frozen: u64,
    /// Nodes that have won the arbitration.
    pub won: u64,
    /// The proposal that the sender has heard of.
    pub proposal: Proposal,
    /// Nodes whose rows are told.
    pub row_nodes: u64,
    /// Their rows, one for each bit of `row_nodes`.
    pub rows: Vec<u64>,
}

impl Stage {
    pub(super) fn from_code(code: u8) -> Stage {
        match code {
            1 => Stage::Activate,
            2 => Stage::Closing,
            3 => Stage::Pruning,
            4 => Stage::Cleanup1,
            5 => Stage::Cleanup2,
            6 => Stage::Stabilized,
            code => Stage::Unknown(code),
        }
    }

    fn code(self) -> u8 {
        match self {
            Stage::Activate => 1,
            Stage::Closing => 2,
            Stage::Pruning => 3,
            Stage::Cleanup1 => 4,
            Stage::Cleanup2 => 5,
            Stage::Stabilized => 6,
            Stage::Unknown(code) => code,
        }
    }
}

impl Regroup {
    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Regroup, ClusterWireError> {
        let mut regroup = Regroup {
            epoch: reader.u64()?,
            stage: Stage::from_code(reader.u8()?),
            members: reader.u64()?,
            left: reader.u64()?,
            owners: reader.u64()?,
            frozen: reader.u64()?,
            won: reader.u64()?,
            proposal: Proposal {
                by: reader.u8()?,
                arbiter: reader.u8()?,
                owner: reader.u8()?,
                set: reader.u64()?,
            },
            row_nodes: reader.u64()?,
            rows: Vec::new(),
        };
        regroup.rows.reserve_exact(regroup.row_nodes.count_ones() as usize);
        for _ in 0..regroup.row_nodes.count_ones() {
            regroup.rows.push(reader.u64()?);
        }
        Ok(regroup)
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.epoch.to_le_bytes());
        out.push(self.stage.code());
        for set in [self.members, self.left, self.owners, self.frozen, self.won] {
            out.extend_from_slice(&set.to_le_bytes());
        }
        let Proposal { by, arbiter, owner, set } = self.proposal;
        out.extend_from_slice(&[by, arbiter, owner]);
        out.extend_from_slice(&set.to_le_bytes());
        out.extend_from_slice(&self.row_nodes.to_le_bytes());
        for row in &self.rows {
            out.extend_from_slice(&row.to_le_bytes());
        }
    }
}
