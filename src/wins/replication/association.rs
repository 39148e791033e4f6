//! One association with a partner: start, handles, frames, stop (MS-WINSRA 3.1.5).
//!
//! ```text
//! opened by us                                     accepted
//! CONNECTING --connected--> send start --> STARTING   ACCEPTED --start, major 2--> answer --> OPEN
//! STARTING --start response--> OPEN                   OPEN --start again--> the same answer
//! ```
//! An association in OPEN carries messages both ways; which ones are served or expected is `serve` and
//! `pull`'s business. Messages with a wrong handle are ignored, as are start messages of another major
//! version. An unknown minor version counts as the nearest lower one.

use crate::base::SimTime;
use crate::wins::io::StreamId;
use crate::wire::replication::{
    Body, FrameReader, Message, Start, VERSION_MAJOR, VERSION_MINOR_NT4, VERSION_MINOR_W2K,
};
use std::net::Ipv4Addr;

/// Where an association is.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) enum AssociationState {
    /// We asked for the connection.
    Connecting,
    /// We sent the start request.
    Starting,
    /// The peer connected and has not sent a start request.
    Accepted,
    /// Messages flow.
    Open,
}

/// What an association is for.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) enum Purpose {
    /// Opened by us: our pulls, and notifications 8 and 9.
    Pull,
    /// Opened by us for one notification 4 or 5, after which the peer pulls on it.
    Notify,
    /// Opened by us for a verification, never kept (MS-WINSRA 3.2.5.3).
    Verify,
    /// Opened by the peer.
    Serve,
}

/// A stream with its protocol state.
#[derive(Clone, Debug)]
pub(super) struct Association {
    pub(super) stream: StreamId,
    pub(super) peer: Ipv4Addr,
    pub(super) purpose: Purpose,
    pub(super) state: AssociationState,
    /// Ours; the peer sends it.
    pub(super) handle: u32,
    /// The peer's; we send it.
    pub(super) peer_handle: u32,
    pub(super) peer_minor: u16,
    pub(super) reader: FrameReader,
    /// When we give up waiting for the peer.
    pub(super) deadline: Option<SimTime>,
    /// Whether a request was ever answered on it: if so, its loss may only mean that the peer restarted.
    pub(super) proven: bool,
}

/// What a start message did.
pub(super) enum Started {
    /// Not a start message, or one to be ignored.
    No,
    /// A start request: send this answer.
    Answer(Message),
    /// Our start request was accepted.
    Open,
}

impl Association {
    pub(super) fn new(
        stream: StreamId,
        peer: Ipv4Addr,
        purpose: Purpose,
        handle: u32,
        deadline: SimTime,
    ) -> Association {
        let state = match purpose {
            Purpose::Serve => AssociationState::Accepted,
            _ => AssociationState::Connecting,
        };
        Association {
            stream,
            peer,
            purpose,
            state,
            handle,
            peer_handle: 0,
            peer_minor: VERSION_MINOR_NT4,
            reader: FrameReader::default(),
            deadline: Some(deadline),
            proven: false,
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.state == AssociationState::Open
    }

    /// Whether notifications 8 and 9 can be sent on it.
    pub(super) fn is_persistent(&self) -> bool {
        self.peer_minor >= VERSION_MINOR_W2K
    }

    /// Takes a start message; `minor` is our own minor version.
    pub(super) fn start(&mut self, message: &Message, minor: u16) -> Started {
        match (&message.body, self.state) {
            (Body::StartRequest(start), AssociationState::Accepted | AssociationState::Open)
                if self.purpose == Purpose::Serve && start.major == VERSION_MAJOR =>
            {
                self.open(start);
                Started::Answer(Message::start_response(self.peer_handle, self.handle, minor))
            }
            (Body::StartResponse(start), AssociationState::Starting)
                if start.major == VERSION_MAJOR && message.handle == self.handle =>
            {
                self.open(start);
                Started::Open
            }
            _ => Started::No,
        }
    }

    fn open(&mut self, start: &Start) {
        self.peer_handle = start.sender_handle;
        self.peer_minor = match start.minor {
            VERSION_MINOR_W2K.. => VERSION_MINOR_W2K,
            _ => VERSION_MINOR_NT4,
        };
        self.state = AssociationState::Open;
        self.deadline = None;
    }

    /// Whether a message that is no start message may be looked at: the association is open and the handle
    /// is ours.
    pub(super) fn accepts(&self, message: &Message) -> bool {
        self.is_open() && message.handle == self.handle
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::replication::StopReason;

    const PEER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);

    fn association(purpose: Purpose) -> Association {
        Association::new(StreamId(1), PEER, purpose, 77, SimTime(9))
    }

    // rule: assoc/handle, assoc/major, assoc/wrong-handle
    #[test]
    fn an_accepted_association_answers_every_start_with_the_same_handle() {
        let mut served = association(Purpose::Serve);
        assert!(!served.accepts(&Message::map_request(77)), "nothing before the start");
        let mut strange = Message::start_request(5, VERSION_MINOR_W2K);
        strange.body =
            Body::StartRequest(Start { sender_handle: 5, major: 5, minor: VERSION_MINOR_W2K });
        assert!(matches!(served.start(&strange, 5), Started::No), "another major is dropped");
        for sender in [5, 6] {
            let request = Message::start_request(sender, VERSION_MINOR_W2K);
            let Started::Answer(answer) = served.start(&request, 1) else { panic!("no answer") };
            assert_eq!(answer, Message::start_response(sender, 77, 1));
        }
        assert!(served.is_open() && served.is_persistent());
        assert!(served.accepts(&Message::map_request(77)));
        assert!(!served.accepts(&Message::map_request(78)), "a wrong handle is ignored");
        assert!(!served.accepts(&Message::stop(0, StopReason::Normal)));
    }

    // rule: assoc/minor
    #[test]
    fn minor_versions_count_as_the_nearest_lower_one() {
        for (minor, taken) in [(0, 1), (1, 1), (4, 1), (5, 5), (9, 5)] {
            let mut served = association(Purpose::Serve);
            served.start(&Message::start_request(5, minor), 5);
            assert_eq!(served.peer_minor, taken, "minor {minor}");
        }
    }

    // rule: assoc/initiator
    #[test]
    fn only_the_start_response_to_our_handle_opens_what_we_started() {
        let mut ours = association(Purpose::Pull);
        assert!(matches!(ours.start(&Message::start_response(77, 3, 5), 5), Started::No));
        ours.state = AssociationState::Starting;
        assert!(matches!(ours.start(&Message::start_request(3, 5), 5), Started::No));
        assert!(matches!(ours.start(&Message::start_response(1, 3, 5), 5), Started::No));
        assert!(matches!(ours.start(&Message::start_response(77, 3, 5), 5), Started::Open));
        assert_eq!((ours.peer_handle, ours.deadline), (3, None));
    }
}
