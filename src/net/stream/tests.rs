//! Two stacks and a pipe between them, stepped by hand.

use super::*;
use crate::base::{Odds, Stream, Streams, WallTime};
use proptest::prelude::*;

const SERVER: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 2), 42);
const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);

/// A pipe that delays, loses, doubles and shuffles segments.
struct Pair {
    /// Client, server; none while it is off.
    stacks: [Option<TcpStack>; 2],
    now: SimTime,
    wire: BTreeMap<(SimTime, u64), (usize, PacketHeader, Vec<u8>)>,
    sent: u64,
    events: [Vec<(SimTime, StreamEvent)>; 2],
    received: [Vec<u8>; 2],
    /// Times at which each side sent a segment.
    sends: [Vec<(SimTime, u8)>; 2],
    chance: Stream,
    loss: Odds,
    duplicate: Odds,
    reorder: Odds,
    /// Loses everything.
    cut: bool,
}

const DELAY: SimDuration = SimDuration::from_millis(20);

impl Pair {
    fn new(seed: u64) -> Pair {
        let mut server = TcpStack::new(TcpConfig::NT40);
        server.listen(42);
        Pair {
            stacks: [Some(TcpStack::new(TcpConfig::NT40)), Some(server)],
            now: SimTime(1_000_000_000),
            wire: BTreeMap::new(),
            sent: 0,
            events: Default::default(),
            received: Default::default(),
            sends: Default::default(),
            chance: Streams::new(seed).stream("pipe"),
            loss: Odds::NEVER,
            duplicate: Odds::NEVER,
            reorder: Odds::NEVER,
            cut: false,
        }
    }

    /// Lets one side act and carries out what it asks for.
    fn act<R>(
        &mut self,
        side: usize,
        act: impl FnOnce(&mut TcpStack, SimTime, &mut Outbox<StreamOutput>) -> R,
    ) -> R {
        let mut out = Outbox::default();
        let stack = self.stacks[side].as_mut().expect("the host is on");
        let result = act(stack, self.now, &mut out);
        for item in &out.items {
            match *item {
                StreamOutput::Segment { header, payload } => {
                    self.put(side, header, out.bytes(payload));
                }
                StreamOutput::Event(event) => {
                    if let StreamEvent::Data { bytes, .. } = event {
                        self.received[side].extend_from_slice(out.bytes(bytes));
                    } else {
                        self.events[side].push((self.now, event));
                    }
                }
            }
        }
        result
    }

    fn put(&mut self, side: usize, header: PacketHeader, payload: &[u8]) {
        let Transport::Tcp(segment) = header.transport else { panic!("no segment") };
        self.sends[side].push((self.now, segment.flags));
        for _ in 0..1 + u32::from(self.chance.chance(self.duplicate)) {
            let late = u64::from(self.chance.chance(self.reorder)) * 3;
            if self.cut || self.chance.chance(self.loss) {
                continue;
            }
            self.sent += 1;
            let at = self.now + DELAY + DELAY * late;
            self.wire.insert((at, self.sent), (1 - side, header, payload.to_vec()));
        }
    }

    /// The next thing that happens, if anything does before `end`.
    fn step(&mut self, end: SimTime) -> bool {
        let deadline = |s: &Option<TcpStack>| s.as_ref().and_then(TcpStack::next_deadline);
        let timers = [deadline(&self.stacks[0]), deadline(&self.stacks[1])];
        let due = timers.into_iter().flatten().min();
        let arrival = self.wire.first_key_value().map(|(key, _)| key.0);
        let Some(next) = due.into_iter().chain(arrival).min().filter(|&at| at <= end) else {
            return false;
        };
        self.now = next;
        if arrival == Some(next) {
            let (_, (side, header, payload)) = self.wire.pop_first().expect("an arrival");
            if self.stacks[side].is_some() {
                self.act(side, |s, now, out| s.handle_segment(&header, &payload, now, out));
            }
        } else {
            let side = usize::from(timers[0] != Some(next));
            self.act(side, |s, time, out| {
                s.on_deadline(Now { time, wall: WallTime::default() }, out)
            });
        }
        true
    }

    fn run(&mut self, length: SimDuration) {
        let end = self.now + length;
        while self.step(end) {}
        self.now = end;
    }

    fn connect(&mut self) -> StreamId {
        self.act(0, |s, now, out| s.connect(CLIENT, SERVER, now, out)).unwrap()
    }

    /// Connects and returns both ends.
    fn open(&mut self) -> (StreamId, StreamId) {
        let ours = self.connect();
        self.run(SimDuration::from_secs(1));
        let Some((_, StreamEvent::Opened { stream, port: 42, .. })) = self.events[1].pop() else {
            panic!("not opened: {:?}", self.events)
        };
        let connected = self.events[0].pop().map(|e| e.1);
        assert_eq!(connected, Some(StreamEvent::Connected { stream: ours }));
        (ours, stream)
    }

    fn send(&mut self, side: usize, stream: StreamId, bytes: &[u8]) -> Result<(), StreamError> {
        self.act(side, |s, now, out| s.send(stream, bytes, now, out))
    }

    fn close(&mut self, side: usize, stream: StreamId) {
        self.act(side, |s, now, out| s.close(stream, now, out));
    }

    /// Seconds from `begin` at which a side sent segments with these flags.
    fn seconds(&self, side: usize, flags: u8, begin: SimTime) -> Vec<u64> {
        let sends = self.sends[side].iter().filter(|s| s.1 == flags);
        sends.map(|s| s.0.since(begin).secs()).collect()
    }
}

fn text(length: usize) -> Vec<u8> {
    (0..length).map(|i| (i * 31 % 251) as u8).collect()
}

#[test]
fn bytes_go_both_ways_and_both_sides_close() {
    let mut pair = Pair::new(1);
    let (ours, theirs) = pair.open();
    pair.send(0, ours, &text(10_000)).unwrap();
    pair.run(SimDuration::from_secs(2));
    pair.send(1, theirs, &text(333)).unwrap();
    pair.run(SimDuration::from_secs(2));
    assert_eq!((&pair.received[1], &pair.received[0]), (&text(10_000), &text(333)));
    pair.close(0, ours);
    pair.run(SimDuration::from_secs(1));
    assert_eq!(pair.events[1], [(pair.events[1][0].0, StreamEvent::Closed { stream: theirs })]);
    assert!(pair.events[0].is_empty(), "who closes is told nothing more");
    assert_eq!(pair.send(0, ours, b"x"), Err(StreamError::NotOpen(ours.0)));
    assert_eq!(pair.send(1, theirs, b"x"), Err(StreamError::NotOpen(theirs.0)));
    let held = |pair: &Pair| pair.stacks.each_ref().map(|s| s.as_ref().unwrap().streams());
    assert_eq!(held(&pair), [1, 0], "who closed first waits");
    pair.run(TcpConfig::NT40.time_wait);
    assert_eq!(held(&pair), [0, 0]);
}

#[test]
fn nothing_is_told_after_a_close() {
    let mut pair = Pair::new(1);
    let (ours, theirs) = pair.open();
    pair.close(0, ours);
    pair.run(DELAY);
    pair.cut = true;
    pair.stacks[0] = None;
    pair.close(1, theirs);
    pair.run(SimDuration::from_secs(600));
    let told: Vec<_> = pair.events[1].iter().map(|e| e.1).collect();
    assert_eq!(told, [StreamEvent::Closed { stream: theirs }]);
    assert_eq!(pair.stacks[1].as_ref().unwrap().streams(), 0);
}

#[test]
fn what_is_buffered_goes_out_before_a_close() {
    let mut pair = Pair::new(1);
    let (ours, _) = pair.open();
    pair.send(0, ours, &text(50_000)).unwrap();
    pair.close(0, ours);
    pair.run(SimDuration::from_secs(5));
    assert_eq!(pair.received[1], text(50_000));
}

#[test]
fn bytes_sent_before_the_stream_is_open_wait() {
    let mut pair = Pair::new(1);
    let ours = pair.connect();
    pair.send(0, ours, b"early").unwrap();
    pair.run(SimDuration::from_secs(1));
    assert_eq!(pair.received[1], b"early");
}

#[test]
fn a_window_of_segments_is_in_flight() {
    let mut pair = Pair::new(1);
    let (ours, _) = pair.open();
    pair.sends[0].clear();
    pair.send(0, ours, &text(100_000)).unwrap();
    assert_eq!(pair.sends[0].len(), 6, "8,760 bytes are six segments");
}

#[test]
fn an_acknowledgement_waits_for_data_to_ride_on() {
    let mut pair = Pair::new(1);
    let (ours, theirs) = pair.open();
    pair.sends[1].clear();
    pair.send(0, ours, b"one").unwrap();
    pair.run(SimDuration::from_millis(100));
    assert!(pair.sends[1].is_empty());
    pair.send(1, theirs, b"answer").unwrap();
    pair.run(SimDuration::from_millis(100));
    assert_eq!(pair.sends[1].len(), 1);
    pair.run(SimDuration::from_secs(10));
    assert_eq!(pair.sends[1].len(), 1, "nothing is repeated");
    assert_eq!(pair.received[0], b"answer");
}

#[test]
fn a_connect_to_nobody_gives_up_as_nt_did() {
    for (config, repeats, gives_up) in
        [(TcpConfig::NT40, vec![0, 3, 9, 21], 45), (TcpConfig::W2K, vec![0, 3, 9], 21)]
    {
        let mut pair = Pair::new(1);
        pair.stacks = [Some(TcpStack::new(config)), None];
        let begin = pair.now;
        let stream = pair.connect();
        pair.run(SimDuration::from_secs(100));
        assert_eq!(pair.seconds(0, TcpSegment::SYN, begin), repeats);
        let at = begin + SimDuration::from_secs(gives_up);
        assert_eq!(pair.events[0], [(at, StreamEvent::TimedOut { stream })]);
        assert_eq!(pair.stacks[0].as_ref().unwrap().streams(), 0);
    }
}

#[test]
fn a_connect_to_a_closed_port_is_refused_after_four_tries() {
    let mut pair = Pair::new(1);
    pair.stacks[1] = Some(TcpStack::new(TcpConfig::NT40));
    let begin = pair.now;
    let stream = pair.connect();
    pair.run(SimDuration::from_secs(10));
    // Three waits of 500 ms, four round trips of 40 ms.
    let at = begin + SimDuration::from_millis(3 * 500 + 4 * 40);
    assert_eq!(pair.events[0], [(at, StreamEvent::Refused { stream })]);
    assert_eq!(pair.seconds(0, TcpSegment::SYN, begin).len(), 4);
}

#[test]
fn a_port_that_opens_between_the_tries_is_reached() {
    let mut pair = Pair::new(1);
    pair.stacks[1] = Some(TcpStack::new(TcpConfig::NT40));
    let stream = pair.connect();
    pair.run(SimDuration::from_millis(700));
    pair.act(1, |s, _, _| s.listen(42));
    pair.run(SimDuration::from_secs(10));
    assert_eq!(pair.events[0].len(), 1);
    assert_eq!(pair.events[0][0].1, StreamEvent::Connected { stream });
}

#[test]
fn data_without_answer_are_given_up_after_five_repeats() {
    let mut pair = Pair::new(1);
    let (ours, _) = pair.open();
    pair.cut = true;
    let begin = pair.now;
    pair.send(0, ours, b"lost").unwrap();
    pair.run(SimDuration::from_secs(100));
    // The first timeout is the least one, 300 ms: 0.3 + 0.6 + 1.2 + 2.4 + 4.8 + 9.6 s.
    let at = begin + SimDuration::from_millis(18_900);
    assert_eq!(pair.events[0], [(at, StreamEvent::TimedOut { stream: ours })]);
    let data = pair.seconds(0, TcpSegment::PSH | TcpSegment::ACK, begin);
    assert_eq!(data, [0, 0, 0, 2, 4, 9]);
}

#[test]
fn a_restarted_peer_resets_the_stream() {
    let mut pair = Pair::new(1);
    let (ours, _) = pair.open();
    pair.stacks[1] = Some(TcpStack::new(TcpConfig::NT40));
    pair.run(SimDuration::from_secs(3600));
    assert!(pair.events[0].is_empty(), "no keep-alive: an idle stream stays half open");
    pair.send(0, ours, b"are you there").unwrap();
    pair.run(SimDuration::from_secs(1));
    assert_eq!(pair.events[0].pop().unwrap().1, StreamEvent::Reset { stream: ours });
}

#[test]
fn a_restarted_client_takes_the_same_ports_again() {
    let mut pair = Pair::new(1);
    let (_, old) = pair.open();
    pair.stacks[0] = Some(TcpStack::new(TcpConfig::NT40)); // Port 1025 once more.
    let new = pair.connect();
    pair.run(SimDuration::from_secs(10));
    assert_eq!(pair.events[0].pop().unwrap().1, StreamEvent::Connected { stream: new });
    let told: Vec<_> = pair.events[1].iter().map(|e| e.1).collect();
    assert_eq!(told[0], StreamEvent::Reset { stream: old });
    assert!(matches!(told[1], StreamEvent::Opened { .. }));
}

#[test]
fn an_abort_resets_the_peer() {
    let mut pair = Pair::new(1);
    let (ours, theirs) = pair.open();
    pair.act(0, |s, _, out| s.abort(ours, out));
    pair.run(SimDuration::from_secs(1));
    assert_eq!(pair.events[1][0].1, StreamEvent::Reset { stream: theirs });
    assert_eq!(pair.stacks[0].as_ref().unwrap().streams(), 0);
}

#[test]
fn limits_are_errors() {
    let mut pair = Pair::new(1);
    let config = TcpConfig { streams_max: 1, send_buffer_max: 100, ..TcpConfig::NT40 };
    pair.stacks[0] = Some(TcpStack::new(config));
    let stream = pair.connect();
    let error = pair.act(0, |s, now, out| s.connect(CLIENT, SERVER, now, out));
    assert_eq!(error, Err(StreamError::TooManyStreams(1)));
    let error = pair.send(0, stream, &[0; 101]);
    assert_eq!(error, Err(StreamError::BufferFull { wanted: 101, limit: 100 }));
}

#[test]
fn resets_are_not_answered_and_strangers_are_refused() {
    let mut pair = Pair::new(1);
    let client = SocketAddrV4::new(CLIENT, 1025);
    let mut segment =
        TcpSegment { sequence: 7, acknowledgement: 9, flags: TcpSegment::ACK, window: 1 };
    let header = PacketHeader::tcp(client, SERVER, segment);
    pair.act(1, |s, now, out| s.handle_segment(&header, b"abc", now, out));
    let answer = pair.wire.pop_first().unwrap().1.1;
    let Transport::Tcp(reset) = answer.transport else { panic!("no segment") };
    assert_eq!((reset.flags, reset.sequence), (TcpSegment::RST, 9));
    segment.flags = TcpSegment::RST;
    assert_eq!(refuse(&PacketHeader::tcp(client, SERVER, segment), 0), None);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Whatever the pipe does short of cutting, both directions come whole and in order.
    #[test]
    fn bytes_come_whole_through_a_bad_pipe(
        seed in 0u64..1_000_000,
        (loss, duplicate, reorder) in (0u32..20, 0u32..20, 0u32..30),
        pieces in proptest::collection::vec((0usize..2, 1usize..20_000, 0u64..2_000), 1..12),
    ) {
        let mut pair = Pair::new(seed);
        // A stack that gives up rightly would end the test, so it may try longer here.
        let config = TcpConfig {
            data_retransmissions: 40,
            connect_retransmissions: 40,
            rto_max: SimDuration::from_secs(10),
            ..TcpConfig::NT40
        };
        let mut server = TcpStack::new(config);
        server.listen(42);
        pair.stacks = [Some(TcpStack::new(config)), Some(server)];
        let (ours, theirs) = pair.open();
        let percent = |n| Odds { numerator: n, denominator: 100 };
        (pair.loss, pair.duplicate, pair.reorder) = (percent(loss), percent(duplicate), percent(reorder));
        let mut wanted = [Vec::new(), Vec::new()];
        for (side, length, pause) in pieces {
            let bytes = text(length);
            pair.send(side, [ours, theirs][side], &bytes).unwrap();
            wanted[1 - side].extend(bytes);
            pair.run(SimDuration::from_millis(pause));
        }
        pair.run(SimDuration::from_secs(2_000));
        prop_assert!(pair.received == wanted, "{:?}", pair.events);
        pair.close(0, ours);
        pair.run(SimDuration::from_secs(4_000));
        prop_assert_eq!(pair.events[1].len(), 1);
        prop_assert_eq!(pair.events[1][0].1, StreamEvent::Closed { stream: theirs });
        for stack in &pair.stacks {
            prop_assert_eq!(stack.as_ref().unwrap().streams(), 0);
        }
    }
}
