//! How many datagrams a second the simulated network delivers, codec and all, on one core.
//!
//! Hosts on ten subnets, a router each, routers joined by links. Each host asks another, chosen at random,
//! for its name: the query is encoded, sent hop by hop, decoded, answered with an encoded response, which
//! is decoded and checked; then the host asks the next one. Nine in ten datagrams cross two routers and
//! cost three events. Every delivered byte is folded into the digest.
//!
//! `cargo bench --bench net` measures; `cargo test --bench net` runs it small, twice, and compares digests.
//! `cargo bench --bench net -- --hosts 1000 --datagrams 20000000` chooses the size.

#![allow(clippy::disallowed_types, reason = "a benchmark measures wall time")]

mod clock;

use clock::{median, seconds};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Instant;
use winstorm::base::{ActorId, Event, Scheduler, SimDuration, SimTime, Streams, prefetch};
use winstorm::net::{
    Delivery, InterfaceId, MediumConfig, NETWORK_EVENT, Network, PacketHeader, Prefix, RouterConfig,
};
use winstorm::sim::kernel::{Kernel, World};
use winstorm::wire::name_service::{
    NamePacket, NbEntry, NbFlags, NodeType, PORT,
    compose::{self, Responder},
};
use winstorm::wire::{NetbiosName, ScopeId};

const SUBNETS: usize = 10;
/// Routers and subnets are the first actors.
const HOSTS_FROM: u32 = 2 * SUBNETS as u32;

/// A host: enough to ask and to answer.
struct Host {
    chance: u64,
    address: Ipv4Addr,
    interface: InterfaceId,
    asked: u32,
    id: u16,
}

struct Bench {
    network: Network,
    hosts: Vec<Host>,
    delivered: u64,
    answers: u64,
    /// After so many deliveries nobody asks any more.
    enough: u64,
    bytes: Vec<u8>,
}

impl World for Bench {
    #[inline]
    fn dispatch(&mut self, event: Event, kernel: &mut Kernel) {
        if event.payload & NETWORK_EVENT == 0 {
            return self.ask(event.target.0 - HOSTS_FROM, kernel);
        }
        let Some(Delivery::Unicast { host, packet, .. }) = self.network.on_event(&event, kernel)
        else {
            return;
        };
        self.delivered += 1;
        let host = host.0 - HOSTS_FROM;
        let view = self.network.packet(packet);
        let source = view.header.source;
        let message = NamePacket::decode(view.payload).expect("what we encoded");
        if message.flags.is_response() {
            let asker = &self.hosts[host as usize];
            let answer = message.answer.as_ref().expect("a positive response");
            let entry = answer.entries().next().expect("one address");
            let asked = &self.hosts[asker.asked as usize];
            assert!(message.id == asker.id && entry.address == asked.address);
            self.answers += 1;
            self.network.release(packet);
            if self.delivered < self.enough {
                self.ask(host, kernel);
            }
        } else {
            let question = message.question.as_ref().expect("a query");
            assert!(question.name == name_of(host), "asked the wrong host");
            let me = &self.hosts[host as usize];
            let entry = NbEntry { flags: NbFlags::new(false, NodeType::H), address: me.address };
            self.bytes.clear();
            compose::positive_query_response(
                message.id,
                Responder::Server,
                &question.name,
                &question.scope,
                300_000,
                &[entry],
                &mut self.bytes,
            );
            let header = PacketHeader::udp(SocketAddrV4::new(me.address, PORT), source);
            let interface = me.interface;
            self.network.release(packet);
            self.network.send(interface, &header, &self.bytes, kernel).expect("a short answer");
        }
    }

    #[inline]
    fn prefetch(&self, upcoming: &Event) {
        if upcoming.payload & NETWORK_EVENT != 0 {
            self.network.prefetch(upcoming.payload);
        }
        if let Some(host) = self.hosts.get(upcoming.target.0.wrapping_sub(HOSTS_FROM) as usize) {
            prefetch(host);
        }
    }
}

impl Bench {
    #[inline]
    fn ask(&mut self, index: u32, kernel: &mut Kernel) {
        let count = self.hosts.len() as u64;
        let host = &mut self.hosts[index as usize];
        // SplitMix64, so that the model costs little.
        host.chance = host.chance.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = host.chance;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        let peer = (((z ^ (z >> 31)) >> 32) * (count - 1)) >> 32;
        let peer = (u64::from(index) + 1 + peer) % count; // Anybody else.
        host.asked = peer as u32;
        host.id = host.id.wrapping_add(1);
        let (interface, address, id) = (host.interface, host.address, host.id);
        self.bytes.clear();
        compose::query(id, &name_of(peer as u32), &ScopeId::none(), false, &mut self.bytes);
        let to = address_of(peer as usize, self.hosts.len());
        let header =
            PacketHeader::udp(SocketAddrV4::new(address, PORT), SocketAddrV4::new(to, PORT));
        self.network.send(interface, &header, &self.bytes, kernel).expect("a short query");
    }
}

/// The name of a host: its number.
fn name_of(host: u32) -> NetbiosName {
    let mut name = *b"HOST00000000   \0";
    for (i, byte) in name[4..12].iter_mut().enumerate() {
        *byte = b"0123456789ABCDEF"[(host >> (28 - 4 * i)) as usize & 15];
    }
    NetbiosName::from_bytes(name)
}

/// The address of a host: subnets are /16, hosts are dealt out in blocks.
fn address_of(host: usize, count: usize) -> Ipv4Addr {
    let block = count.div_ceil(SUBNETS);
    let offset = 256 + host % block;
    Ipv4Addr::new(10, (host / block) as u8, (offset / 256) as u8, offset as u8)
}

fn build(hosts: usize, enough: u64, kernel: &mut Kernel) -> Bench {
    let mut network = Network::new(Streams::new(1));
    let lan = MediumConfig::fixed(SimDuration::from_micros(200));
    let wan = MediumConfig::fixed(SimDuration::from_millis(5));
    let subnets: Vec<_> = (0..SUBNETS)
        .map(|i| {
            let prefix = Prefix::new(Ipv4Addr::new(10, i as u8, 0, 0), 16).expect("a /16");
            let actor = kernel.add_actor();
            network.add_subnet(&format!("subnet-{i}"), actor, prefix, lan).expect("no overlap")
        })
        .collect();
    let routers: Vec<_> = subnets
        .iter()
        .enumerate()
        .map(|(i, &subnet)| {
            let at = [(subnet, Ipv4Addr::new(10, i as u8, 0, 1))];
            let actor = kernel.add_actor();
            network
                .add_router(&format!("router-{i}"), actor, &at, RouterConfig::default())
                .expect("a free address")
        })
        .collect();
    for (i, &a) in routers.iter().enumerate() {
        for (j, &b) in routers.iter().enumerate().skip(i + 1) {
            network.add_link(&format!("link-{i}-{j}"), a, b, wan).expect("two routers");
        }
    }
    let mut all = Vec::with_capacity(hosts);
    for host in 0..hosts {
        let actor = kernel.add_actor();
        assert_eq!(actor, ActorId(HOSTS_FROM + host as u32));
        let address = address_of(host, hosts);
        let subnet = subnets[host / hosts.div_ceil(SUBNETS)];
        let interface = network.attach_host(subnet, address, actor).expect("a free address");
        let chance = (host as u64) << 32;
        all.push(Host { chance, address, interface, asked: 0, id: 0 });
        // Starts are spread over 10 ms, without a common divisor with the delays.
        let start = SimTime((host as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) % 10_000_019);
        kernel.schedule(start, actor, 0);
    }
    network.start(kernel);
    Bench { network, hosts: all, delivered: 0, answers: 0, enough, bytes: Vec::new() }
}

/// One run: digest and datagrams a second.
fn run(hosts: usize, datagrams: u64, say: bool) -> (u64, f64) {
    let mut kernel = Kernel::new();
    let mut bench = build(hosts, datagrams, &mut kernel);
    let (begin, cpu_begin) = (Instant::now(), seconds());
    kernel.run_until(SimTime::MAX, &mut bench);
    let wall = begin.elapsed().as_secs_f64();
    // On a shared machine only the time on the processor is ours.
    let seconds = seconds() - cpu_begin;
    let sum = bench.network.totals();
    assert_eq!(bench.answers * 2, bench.delivered, "every query is answered");
    assert_eq!((sum.dropped_total(), bench.network.packets_live()), (0, 0));
    let rate = bench.delivered as f64 / seconds;
    if say {
        let events = kernel.events_dispatched();
        let memory = kernel.memory();
        println!(
            "{hosts:>7} hosts  {:>9} datagrams  {events:>9} events  {seconds:6.2} s on the processor ({wall:.2} s in all)  \
             {:5.2} M datagrams/s  {:5.2} M events/s",
            bench.delivered,
            rate / 1e6,
            events as f64 / seconds / 1e6,
        );
        println!(
            "        bytes a host: network {}, with its packet; event loop's actor {}; \
             digest {:016x}",
            bench.network.bytes() / hosts,
            memory.actor_bytes / memory.actors.max(1),
            kernel.digest(),
        );
    }
    (kernel.digest(), rate)
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let number = |key: &str| {
        let at = args.iter().position(|a| a == key)?;
        args.get(at + 1)?.parse::<u64>().ok()
    };
    if !args.iter().any(|a| a == "--bench") {
        let (first, _) = run(100, 20_000, false);
        assert_eq!(run(100, 20_000, false).0, first, "two runs, one digest");
        println!("net: 100 hosts, 20000 datagrams, digest {first:016x}");
        return;
    }
    let datagrams = number("--datagrams");
    if let Some(hosts) = number("--hosts") {
        run(hosts as usize, datagrams.unwrap_or(10_000_000), true);
        return;
    }
    for (hosts, count) in [(1_000, 20_000_000), (100_000, 10_000_000)] {
        let rates = (0..3).map(|_| run(hosts, datagrams.unwrap_or(count), true).1);
        println!("        median {:.2} M datagrams/s\n", median(rates) / 1e6);
    }
}
