//! What failover managers tell each other, and the table of owners for a node that joins, as bytes.
//!
//! | message | bytes |
//! | --- | --- |
//! | request | 1, number u32, kind u8, id u16, node u8 |
//! | answer | 2, number u32, Windows error u32 (0: done) |
//! | stopping | 3 |
//!
//! | table | bytes |
//! | --- | --- |
//! | head | members u64, paused u64, stopping u64, groups u32 |
//! | group | number u16, owner u8 (0: none), generation u32, vacant u8, failovers u32, their times u64 |
//!
//! Numbers are little-endian.

use super::super::ids::{GroupId, NodeId, NodeSet, ResourceId};
use super::super::io::{ClusterError, Control};
use super::super::update::{Reader, UpdateError};
use super::Failover;
use super::group::Group;
use crate::base::SimTime;
use std::collections::VecDeque;

/// A message to another node's failover manager.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Message {
    Request { request: u32, control: Control },
    Answer { request: u32, result: Result<(), ClusterError> },
    Stopping,
}

impl Message {
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(9);
        match self {
            Message::Request { request, control } => {
                let (kind, id, node) = match control {
                    Control::OnlineResource(id) => (1, id.0, 0),
                    Control::OfflineResource(id) => (2, id.0, 0),
                    Control::FailResource(id) => (3, id.0, 0),
                    Control::OnlineGroup(id) => (4, id.0, 0),
                    Control::OfflineGroup(id) => (5, id.0, 0),
                    Control::MoveGroup { group, to } => (6, group.0, to.map_or(0, |to| to.0)),
                    // Everything else is done where it is asked for.
                    _ => (0, 0, 0),
                };
                out.push(1);
                out.extend_from_slice(&request.to_le_bytes());
                out.push(kind);
                out.extend_from_slice(&id.to_le_bytes());
                out.push(node);
            }
            Message::Answer { request, result } => {
                out.push(2);
                out.extend_from_slice(&request.to_le_bytes());
                out.extend_from_slice(&result.err().map_or(0, |error| error.0).to_le_bytes());
            }
            Message::Stopping => out.push(3),
        }
        out
    }

    pub fn decode(bytes: &[u8]) -> Result<Message, UpdateError> {
        let mut reader = Reader::new(bytes);
        let message = match reader.u8()? {
            1 => {
                let request = reader.u32()?;
                let (kind, id, node) = (reader.u8()?, reader.u16()?, reader.u8()?);
                let control = match kind {
                    1 => Control::OnlineResource(ResourceId(id)),
                    2 => Control::OfflineResource(ResourceId(id)),
                    3 => Control::FailResource(ResourceId(id)),
                    4 => Control::OnlineGroup(GroupId(id)),
                    5 => Control::OfflineGroup(GroupId(id)),
                    6 => Control::MoveGroup {
                        group: GroupId(id),
                        to: (node != 0).then_some(NodeId(node)),
                    },
                    other => return Err(UpdateError::Unknown(other)),
                };
                Message::Request { request, control }
            }
            2 => {
                let request = reader.u32()?;
                let result = match reader.u32()? {
                    0 => Ok(()),
                    error => Err(ClusterError(error)),
                };
                Message::Answer { request, result }
            }
            3 => Message::Stopping,
            other => return Err(UpdateError::Unknown(other)),
        };
        reader.end()?;
        Ok(message)
    }
}

/// The table of owners.
pub(super) fn encode_table(failover: &Failover) -> Vec<u8> {
    let mut out = Vec::new();
    for set in [failover.members, failover.paused, failover.stopping] {
        out.extend_from_slice(&set.bits().to_le_bytes());
    }
    out.extend_from_slice(&(failover.groups.len() as u32).to_le_bytes());
    for (id, group) in &failover.groups {
        out.extend_from_slice(&id.0.to_le_bytes());
        out.push(group.owner.map_or(0, |owner| owner.0));
        out.extend_from_slice(&group.generation.to_le_bytes());
        out.push(u8::from(group.vacant));
        out.extend_from_slice(&(group.failovers.len() as u32).to_le_bytes());
        for time in &group.failovers {
            out.extend_from_slice(&time.nanos().to_le_bytes());
        }
    }
    out
}

/// Takes over a table, for the groups that are in the database. Nothing is taken over if it makes no sense.
pub(super) fn decode_table(bytes: &[u8], failover: &mut Failover) -> Result<(), UpdateError> {
    let mut reader = Reader::new(bytes);
    let mut sets = [NodeSet::EMPTY; 3];
    for set in &mut sets {
        *set = NodeSet::from_bits(reader.u64()?);
    }
    let count = reader.count()?;
    let mut rows = Vec::new();
    for _ in 0..count {
        let id = GroupId(reader.u16()?);
        let owner = Some(NodeId(reader.u8()?)).filter(|owner| owner.0 != 0);
        let (generation, vacant) = (reader.u32()?, reader.u8()? != 0);
        let times = reader.count()?;
        let failovers: Result<VecDeque<SimTime>, UpdateError> =
            (0..times).map(|_| reader.u64().map(SimTime)).collect();
        rows.push((id, owner, generation, vacant, failovers?));
    }
    reader.end()?;
    [failover.members, failover.paused, failover.stopping] = sets;
    for (id, owner, generation, vacant, failovers) in rows {
        if let Some(group) = failover.groups.get_mut(&id) {
            let old = std::mem::replace(group, Group::new(group.config.clone()));
            *group =
                Group { owner, generation, vacant, failovers, activity: Default::default(), ..old };
        }
    }
    Ok(())
}
