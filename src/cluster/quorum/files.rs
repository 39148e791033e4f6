//! Files of the quorum resource, for the parts of the service on every node.
//!
//! Registry checkpoints are kept on the quorum. A node that has it mounted does what is asked at once; any
//! other asks the owner by a message, and asks again when the quorum has gone to another node. (How the
//! product reaches the files from another node was not published.) Operations can be repeated without harm.

use super::volume::{Outcome, Work};
use crate::base::{SimDuration, SimTime};
use crate::cluster::ids::NodeId;
use crate::cluster::io::Ticket;
use crate::cluster::step::{Notice, QuorumFileOperation, QuorumFileResult, Step};
use crate::cluster::update::Reader;
use crate::wire::cluster::RpcKind;
use std::collections::BTreeMap;

/// Requests of this node that may be open, and requests of others that may wait here. A node has a few
/// checkpoints per resource; more is refused as if the quorum could not be reached.
const REQUESTS_MAX: usize = 4096;

/// How long a request waits for somebody to hold the quorum. Arbitration, mount and check are over by then,
/// or the cluster has stopped.
const PATIENCE: SimDuration = SimDuration::from_mins(10);

/// How long a request waits after it met a node that does not hold the quorum any more.
const RETRY: SimDuration = SimDuration::from_secs(1);

/// Requests for files of the quorum.
#[derive(Debug, Default)]
pub(super) struct Files {
    /// Requests of this node, by a number that other nodes see.
    mine: BTreeMap<u32, Request>,
    /// Requests of others that wait until the files can be reached, with the number they gave.
    theirs: Vec<(NodeId, u32, String, QuorumFileOperation)>,
    count: u32,
}

#[derive(Debug)]
struct Request {
    ticket: Ticket,
    path: String,
    operation: QuorumFileOperation,
    until: SimTime,
    /// It is not sent again before then.
    rest: Option<SimTime>,
    /// The node that was asked, or this one.
    asked: Option<NodeId>,
}

/// For whom an operation on the files is done.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) enum For {
    /// A request of this node.
    Me(u32),
    /// A request of another.
    Other(NodeId, u32),
}

/// Something to do with the files.
pub(super) struct Task {
    pub purpose: For,
    pub path: String,
    pub work: Work,
}

impl Files {
    /// A part of the service on this node asks.
    pub fn ask(
        &mut self,
        ticket: Ticket,
        path: String,
        operation: QuorumFileOperation,
        step: &mut Step<'_>,
    ) {
        if self.mine.len() >= REQUESTS_MAX {
            let result = QuorumFileResult::Failed;
            return step.notice(Notice::QuorumFileDone { ticket, result });
        }
        self.count = self.count.wrapping_add(1);
        let until = step.now.time + PATIENCE;
        let request = Request { ticket, path, operation, until, rest: None, asked: None };
        self.mine.insert(self.count, request);
    }

    /// Sends what waits to where the files are: to this node itself (`is_here`), or to their owner.
    pub fn send(&mut self, is_here: bool, owner: Option<NodeId>, step: &mut Step<'_>) -> Vec<Task> {
        let mut tasks = Vec::new();
        let to = if is_here { Some(step.me) } else { owner.filter(|node| *node != step.me) };
        let Some(to) = to else { return tasks };
        let now = step.now.time;
        let is_due = |r: &Request| r.asked != Some(to) && r.rest.is_none_or(|at| at <= now);
        for (number, request) in self.mine.iter_mut().filter(|(_, r)| is_due(r)) {
            (request.asked, request.rest) = (Some(to), None);
            if is_here {
                let work = work(&request.operation);
                tasks.push(Task { purpose: For::Me(*number), path: request.path.clone(), work });
            } else {
                let body = encode_request(*number, &request.path, &request.operation);
                step.notice(Notice::Rpc { to, kind: RpcKind::QuorumFile, body });
            }
        }
        if is_here {
            for (node, number, path, operation) in std::mem::take(&mut self.theirs) {
                let work = work(&operation);
                tasks.push(Task { purpose: For::Other(node, number), path, work });
            }
        }
        tasks
    }

    /// The node that held the quorum has left, or the files are here no more: what was asked of it is to be
    /// asked again.
    pub fn owner_gone(&mut self, node: NodeId) {
        for request in self.mine.values_mut().filter(|r| r.asked == Some(node)) {
            request.asked = None;
        }
    }

    /// Nodes that left wait for nothing.
    pub fn forget_node(&mut self, node: NodeId) {
        self.theirs.retain(|(from, ..)| *from != node);
    }

    /// A message of another node.
    pub fn rpc(&mut self, from: NodeId, body: &[u8], step: &mut Step<'_>) {
        match decode(body) {
            Some(Message::Request(number, path, operation)) => {
                if self.theirs.len() < REQUESTS_MAX {
                    self.theirs.push((from, number, path, operation));
                } else {
                    answer(from, number, &QuorumFileResult::Failed, step);
                }
            }
            Some(Message::NotHere(number)) => {
                // The owner moved on; whoever has it now tells by becoming owner.
                if let Some(request) = self.mine.get_mut(&number)
                    && request.asked == Some(from)
                {
                    (request.asked, request.rest) = (None, Some(step.now.time + RETRY));
                }
            }
            Some(Message::Answer(number, result))
                if self.mine.get(&number).is_some_and(|r| r.asked == Some(from)) =>
            {
                self.finish(number, result, step);
            }
            Some(Message::Answer(..)) | None => {}
        }
    }

    /// Requests that came although this node does not hold the quorum are sent back.
    pub fn send_back(&mut self, step: &mut Step<'_>) {
        for (node, number, ..) in std::mem::take(&mut self.theirs) {
            let mut body = vec![2];
            body.extend_from_slice(&number.to_le_bytes());
            step.notice(Notice::Rpc { to: node, kind: RpcKind::QuorumFile, body });
        }
    }

    /// An operation has ended here. Something that failed on a volume that is about to go is asked again of
    /// the next owner, if `again`.
    pub fn ended(&mut self, purpose: For, outcome: Outcome, again: bool, step: &mut Step<'_>) {
        let result = match outcome {
            Outcome::Done => QuorumFileResult::Done,
            Outcome::Content(bytes) => QuorumFileResult::Content(bytes),
            Outcome::Full => QuorumFileResult::Full,
            Outcome::Failed | Outcome::Names(_) => QuorumFileResult::Failed,
        };
        match purpose {
            For::Me(number) if again && result == QuorumFileResult::Failed => {
                if let Some(request) = self.mine.get_mut(&number) {
                    (request.asked, request.rest) = (None, Some(step.now.time + RETRY));
                }
            }
            For::Me(number) => self.finish(number, result, step),
            For::Other(node, number) => answer(node, number, &result, step),
        }
    }

    /// Requests nobody could serve for too long end; those that rested may be sent again.
    pub fn on_deadline(&mut self, step: &mut Step<'_>) {
        let now = step.now.time;
        while let Some((number, request)) = self.mine.first_key_value() {
            if request.until > now {
                break;
            }
            self.finish(*number, QuorumFileResult::Failed, step);
        }
        for request in self.mine.values_mut().filter(|r| r.rest.is_some_and(|at| at <= now)) {
            request.rest = None;
        }
    }

    /// When the oldest request loses its patience, or one is sent again.
    pub fn next_deadline(&self) -> Option<SimTime> {
        let oldest = self.mine.first_key_value().map(|(_, request)| request.until);
        self.mine.values().filter_map(|request| request.rest).chain(oldest).min()
    }

    fn finish(&mut self, number: u32, result: QuorumFileResult, step: &mut Step<'_>) {
        if let Some(request) = self.mine.remove(&number) {
            step.notice(Notice::QuorumFileDone { ticket: request.ticket, result });
        }
    }
}

/// What is to be done with the file. Whatever the request says, the bytes replace the file as a whole unless
/// it asks for less.
fn work(operation: &QuorumFileOperation) -> Work {
    match operation {
        QuorumFileOperation::Read => Work::Read,
        QuorumFileOperation::Replace(bytes) => Work::Put { bytes: bytes.clone(), atomic: true },
        QuorumFileOperation::Overwrite(bytes) => Work::Put { bytes: bytes.clone(), atomic: false },
        QuorumFileOperation::Delete => Work::Delete,
        QuorumFileOperation::DeleteTree => Work::DeleteTree,
    }
}

enum Message {
    Request(u32, String, QuorumFileOperation),
    NotHere(u32),
    Answer(u32, QuorumFileResult),
}

fn put(bytes: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
    out.extend_from_slice(bytes);
}

fn encode_request(number: u32, path: &str, operation: &QuorumFileOperation) -> Vec<u8> {
    let mut out = vec![1];
    out.extend_from_slice(&number.to_le_bytes());
    put(path.as_bytes(), &mut out);
    let (code, bytes): (u8, &[u8]) = match operation {
        QuorumFileOperation::Read => (1, &[]),
        QuorumFileOperation::Replace(bytes) => (2, bytes),
        QuorumFileOperation::Overwrite(bytes) => (3, bytes),
        QuorumFileOperation::Delete => (4, &[]),
        QuorumFileOperation::DeleteTree => (5, &[]),
    };
    out.push(code);
    out.extend_from_slice(bytes);
    out
}

fn answer(to: NodeId, number: u32, result: &QuorumFileResult, step: &mut Step<'_>) {
    let mut body = vec![3];
    body.extend_from_slice(&number.to_le_bytes());
    let (code, bytes): (u8, &[u8]) = match result {
        QuorumFileResult::Done => (1, &[]),
        QuorumFileResult::Content(None) => (2, &[]),
        QuorumFileResult::Content(Some(bytes)) => (3, bytes),
        QuorumFileResult::Full => (4, &[]),
        QuorumFileResult::Failed => (5, &[]),
    };
    body.push(code);
    body.extend_from_slice(bytes);
    step.notice(Notice::Rpc { to, kind: RpcKind::QuorumFile, body });
}

fn decode(body: &[u8]) -> Option<Message> {
    let mut reader = Reader::new(body);
    let kind = reader.u8().ok()?;
    let number = reader.u32().ok()?;
    match kind {
        1 => {
            let path = std::str::from_utf8(reader.bytes().ok()?).ok()?.to_owned();
            let code = reader.u8().ok()?;
            let bytes = reader.rest().to_vec();
            let operation = match code {
                1 => QuorumFileOperation::Read,
                2 => QuorumFileOperation::Replace(bytes),
                3 => QuorumFileOperation::Overwrite(bytes),
                4 => QuorumFileOperation::Delete,
                5 => QuorumFileOperation::DeleteTree,
                _ => return None,
            };
            Some(Message::Request(number, path, operation))
        }
        2 => Some(Message::NotHere(number)),
        3 => {
            let code = reader.u8().ok()?;
            let bytes = reader.rest();
            let result = match code {
                1 => QuorumFileResult::Done,
                2 => QuorumFileResult::Content(None),
                3 => QuorumFileResult::Content(Some(bytes.to_vec())),
                4 => QuorumFileResult::Full,
                5 => QuorumFileResult::Failed,
                _ => return None,
            };
            Some(Message::Answer(number, result))
        }
        _ => None,
    }
}
