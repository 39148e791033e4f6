//! Routes follow what is up, broadcasts stay home, and nobody's presence or absence changes a digest.

mod net_support;

use net_support::{Counter, Lab, TwoSites, at_ms, datagram, ms};
use std::net::Ipv4Addr;
use winstorm::base::{ActorId, Odds, SimTime};
use winstorm::net::{
    DropCause, InterfaceId, LinkId, MediumConfig, Network, PAYLOAD_MAX, PacketHeader, Prefix,
    RouterConfig, SubnetId, TopologyError,
};

/// Three sites in a triangle; the way round is longer than the straight one.
fn triangle() -> (Lab, Vec<SubnetId>, Vec<LinkId>, Vec<InterfaceId>) {
    let mut lab = Lab::new(1);
    let subnets: Vec<_> = (1..4u8)
        .map(|i| lab.subnet(&format!("s{i}"), [10, i, 0, 0], MediumConfig::fixed(ms(1))))
        .collect();
    let routers: Vec<_> = (0..3u8)
        .map(|i| lab.router(&format!("r{i}"), &[(subnets[i as usize], [10, i + 1, 0, 1])]))
        .collect();
    let link = |lab: &mut Lab, name: &str, a: usize, b: usize, delay| {
        lab.link(name, routers[a], routers[b], MediumConfig::fixed(ms(delay)))
    };
    let links = vec![
        link(&mut lab, "ab", 0, 1, 10),
        link(&mut lab, "bc", 1, 2, 15),
        link(&mut lab, "ac", 0, 2, 20),
    ];
    let hosts = (0..3u8).map(|i| lab.host(subnets[i as usize], [10, i + 1, 0, 9])).collect();
    lab.start();
    (lab, subnets, links, hosts)
}

#[test]
fn routes_follow_the_links_that_are_up() {
    let (mut lab, subnets, links, hosts) = triangle();
    let to = lab.world.network.interface(hosts[2]).1;
    lab.send(at_ms(0), hosts[0], to, 1);
    let ac = links[2];
    lab.at(at_ms(100), move |network, _| network.set_link_up(ac, false, at_ms(100)));
    lab.send(at_ms(100), hosts[0], to, 2);
    let (bc, ends) = (links[1], (subnets[0], subnets[2]));
    lab.at(at_ms(200), move |network, _| {
        network.set_link_up(bc, false, at_ms(200));
        assert!(!network.is_reachable(ends.0, ends.1));
    });
    lab.send(at_ms(200), hosts[0], to, 3);
    lab.at(at_ms(300), move |network, _| network.set_link_up(ac, true, at_ms(300)));
    lab.send(at_ms(300), hosts[0], to, 4);
    lab.run();
    let times: Vec<_> = lab.world.heard.iter().map(|h| (h.2, h.0)).collect();
    assert_eq!(times, [(1, at_ms(22)), (2, at_ms(127)), (4, at_ms(322))]);
    assert_eq!(lab.world.network.totals().dropped(DropCause::NoRoute), 1);
}

#[test]
fn a_subnet_with_two_routers_is_a_way_through() {
    let mut lab = Lab::new(1);
    let nets: Vec<_> = (1..4u8)
        .map(|i| lab.subnet(&format!("s{i}"), [10, i, 0, 0], MediumConfig::fixed(ms(1))))
        .collect();
    lab.router("r1", &[(nets[0], [10, 1, 0, 1]), (nets[1], [10, 2, 0, 1])]);
    lab.router("r2", &[(nets[1], [10, 2, 0, 2]), (nets[2], [10, 3, 0, 1])]);
    let hosts: Vec<_> = (0..3u8).map(|i| lab.host(nets[i as usize], [10, i + 1, 0, 9])).collect();
    lab.start();
    lab.stream(at_ms(0), ms(1), hosts[0], hosts[2], 1);
    lab.stream(at_ms(10), ms(1), hosts[1], hosts[0], 1);
    lab.stream(at_ms(20), ms(1), hosts[1], hosts[2], 1);
    lab.run();
    let times: Vec<_> = lab.world.heard.iter().map(|h| h.0).collect();
    assert_eq!(times, [at_ms(3), at_ms(12), at_ms(22)]);
}

#[test]
fn broadcasts_stay_in_their_subnet() {
    let mut net = TwoSites::new(1, MediumConfig::fixed(ms(20)));
    net.lab.send(at_ms(0), net.hosts[0], Ipv4Addr::BROADCAST, 1);
    net.lab.send(at_ms(1), net.hosts[1], [10, 1, 0, 255].into(), 2);
    // Another subnet's broadcast address: the last router refuses.
    net.lab.send(at_ms(2), net.hosts[1], [10, 2, 0, 255].into(), 3);
    net.lab.run();
    let heard: Vec<_> = net.hosts.iter().map(|&h| net.lab.numbers(h)).collect();
    assert_eq!(heard, [vec![2], vec![1], vec![1, 2], vec![], vec![]], "all but the sender");
    assert_eq!(net.dropped(DropCause::BroadcastRefused), 1);
}

#[test]
fn routers_forward_broadcasts_when_told_to() {
    let router = RouterConfig { forward_broadcasts: true, directed_broadcasts: true };
    let wan = MediumConfig::fixed(ms(20));
    let mut net = TwoSites::with(1, wan, MediumConfig::fixed(ms(1)), router);
    net.lab.send(at_ms(0), net.hosts[0], Ipv4Addr::BROADCAST, 1);
    net.lab.send(at_ms(50), net.hosts[0], [10, 2, 0, 255].into(), 2);
    net.lab.run();
    let heard: Vec<_> = net.hosts.iter().map(|&h| net.lab.numbers(h)).collect();
    assert_eq!(heard, [vec![], vec![1], vec![1], vec![1, 2], vec![1, 2]]);
}

#[test]
fn the_time_to_live_runs_out() {
    let mut net = TwoSites::new(1, MediumConfig::fixed(ms(20)));
    let (from, to) = (net.hosts[0], net.lab.world.network.interface(net.hosts[3]).1);
    for ttl in 1..4 {
        net.lab.at(at_ms(0), move |network, kernel| {
            let source = std::net::SocketAddrV4::new(network.interface(from).1, 137);
            let destination = std::net::SocketAddrV4::new(to, 137);
            let header = PacketHeader { ttl, ..PacketHeader::udp(source, destination) };
            network.send(from, &header, &u32::from(ttl).to_be_bytes(), kernel).unwrap();
        });
    }
    net.lab.run();
    assert_eq!(net.lab.numbers(net.hosts[3]), [3], "two routers need three");
    assert_eq!(net.dropped(DropCause::TtlExpired), 2);
}

#[test]
fn packets_to_nobody_are_counted() {
    let mut net = TwoSites::new(1, MediumConfig::fixed(ms(20)));
    for (n, to) in
        [[10, 1, 0, 77], [10, 2, 0, 77], [10, 2, 0, 1], [10, 9, 0, 1]].into_iter().enumerate()
    {
        net.lab.send(at_ms(0), net.hosts[0], to.into(), n as u32);
    }
    net.lab.run();
    assert!(net.lab.world.heard.is_empty());
    assert_eq!((net.dropped(DropCause::NoHost), net.dropped(DropCause::NoRoute)), (3, 1));
}

#[test]
fn a_host_hears_itself_without_the_network() {
    let mut net = TwoSites::new(1, MediumConfig::fixed(ms(20)));
    let subnet = net.subnets[0];
    net.lab.world.network.set_subnet_up(subnet, false, SimTime::ZERO);
    let own = net.lab.world.network.interface(net.hosts[0]).1;
    net.lab.send(at_ms(0), net.hosts[0], own, 5);
    net.lab.run();
    assert_eq!(net.lab.world.heard.len(), 1);
    assert_eq!(net.lab.world.heard[0].0, at_ms(0));
}

#[test]
fn a_host_with_two_interfaces_reaches_its_own_other_address() {
    let mut net = TwoSites::new(1, MediumConfig::fixed(ms(20)));
    let host = net.lab.world.network.interface(net.hosts[0]).2;
    let network = &mut net.lab.world.network;
    let second = network.attach_host(net.subnets[1], [10, 2, 0, 50].into(), host).unwrap();
    net.lab.send(at_ms(0), net.hosts[0], [10, 2, 0, 50].into(), 5);
    net.lab.send(at_ms(1), net.hosts[3], [10, 2, 0, 50].into(), 6);
    net.lab.run();
    assert_eq!(net.lab.numbers(second), [5, 6]);
    assert_eq!(net.lab.world.heard[0].0, at_ms(0));
}

#[test]
fn an_interface_roams() {
    let mut net = TwoSites::new(1, MediumConfig::fixed(ms(20)));
    let (roamer, other) = (net.hosts[0], net.hosts[3]);
    let old = net.lab.world.network.interface(roamer).1;
    let south = net.subnets[1];
    net.lab.send(at_ms(0), other, old, 1);
    net.lab.send(at_ms(90), other, old, 2); // Still on its way when the host leaves.
    net.lab.at(at_ms(100), move |network, _| {
        let taken = network.move_interface(roamer, south, [10, 2, 0, 10].into());
        assert_eq!(taken, Err(TopologyError::AddressTaken([10, 2, 0, 10].into())));
        network.move_interface(roamer, south, [10, 2, 0, 99].into()).unwrap();
        assert_eq!(network.interface_at([10, 2, 0, 99].into()), Some(roamer));
        assert_eq!(network.interface_at(old), None);
    });
    net.lab.send(at_ms(200), other, old, 3);
    net.lab.send(at_ms(200), other, [10, 2, 0, 99].into(), 4);
    net.lab.at(at_ms(300), move |network, _| network.detach(roamer));
    net.lab.send(at_ms(301), other, [10, 2, 0, 99].into(), 5);
    net.lab.run();
    assert_eq!(net.lab.numbers(roamer), [1, 4]);
}

#[test]
fn mistakes_in_a_description_are_values() {
    let mut network = Network::new(winstorm::base::Streams::new(1));
    let prefix = |a: [u8; 4], bits| Prefix::new(a.into(), bits).unwrap();
    let config = MediumConfig::default();
    let a = network.add_subnet("a", ActorId(0), prefix([10, 1, 0, 0], 24), config).unwrap();
    let error = network.add_subnet("b", ActorId(1), prefix([10, 0, 0, 0], 8), config).unwrap_err();
    assert_eq!(error.to_string(), "subnet 10.0.0.0/8 overlaps 10.1.0.0/24");
    let backwards = MediumConfig { delay: (ms(2), ms(1)), ..config };
    let error = network.add_subnet("c", ActorId(1), prefix([10, 2, 0, 0], 24), backwards);
    assert!(matches!(error, Err(TopologyError::DelayRange { .. })));
    network.attach_host(a, [10, 1, 0, 5].into(), ActorId(2)).unwrap();
    let taken = network.attach_host(a, [10, 1, 0, 5].into(), ActorId(3));
    assert_eq!(taken, Err(TopologyError::AddressTaken([10, 1, 0, 5].into())));
    for outside in [[10, 2, 0, 5], [10, 1, 0, 0], [10, 1, 0, 255]] {
        let error = network.attach_host(a, outside.into(), ActorId(3));
        assert!(matches!(error, Err(TopologyError::OutsideSubnet { .. })));
    }
    let twice = [(a, [10, 1, 0, 1].into()), (a, [10, 1, 0, 2].into())];
    let error = network.add_router("r", ActorId(3), &twice, RouterConfig::default());
    assert!(matches!(error, Err(TopologyError::AttachedTwice { .. })));
    let r = network.add_router("r", ActorId(3), &twice[..1], RouterConfig::default()).unwrap();
    assert_eq!(
        network.add_link("l", r, r, config),
        Err(TopologyError::LinkToItself("l".to_owned()))
    );
    let stuck = MediumConfig { bandwidth_bits_per_s: Some(0), ..config };
    assert!(matches!(network.add_link("l", r, r, stuck), Err(TopologyError::NoBandwidth(_))));
}

#[test]
fn long_payloads_cross_and_too_long_ones_are_refused() {
    let mut net = TwoSites::new(1, MediumConfig::fixed(ms(20)));
    let (from, to) = (net.hosts[0], net.lab.world.network.interface(net.hosts[3]).1);
    net.lab.at(at_ms(0), move |network, kernel| {
        datagram(network, kernel, from, to, 1, PAYLOAD_MAX);
        let at = std::net::SocketAddrV4::new(to, 137);
        let error = network.send(from, &PacketHeader::udp(at, at), &[0; PAYLOAD_MAX + 1], kernel);
        assert_eq!(error.unwrap_err().to_string(), "a payload of 1473 bytes is longer than 1472");
    });
    net.lab.run();
    assert_eq!(net.lab.numbers(net.hosts[3]), [1]);
}

/// A run with a bit of everything; its digest, and what a capture saw.
fn busy(seed: u64, watched: bool, word: u32) -> (u64, (u64, u64)) {
    let odds = |n| Odds { numerator: 1, denominator: n };
    let wan = MediumConfig {
        delay: (ms(10), ms(30)),
        jitter: ms(2),
        loss: odds(10),
        duplicate: odds(20),
        reorder: odds(15),
        reorder_extra: ms(4),
        bandwidth_bits_per_s: Some(1_000_000),
        ..MediumConfig::default()
    };
    let mut net = TwoSites::new(seed, wan);
    let counter = Counter::default();
    if watched {
        net.lab.world.network.set_capture(Some(Box::new(counter.clone())));
    }
    net.hundred();
    let (to, back) = (net.lab.world.network.interface(net.hosts[0]).1, net.hosts[4]);
    net.lab.send(at_ms(3), back, to, word);
    net.lab.send(at_ms(4), back, Ipv4Addr::BROADCAST, 1);
    net.lab.run();
    let seen = *counter.0.borrow();
    let sum = net.lab.world.network.totals();
    assert!(!watched || seen == (sum.sent, sum.bytes), "a capture sees every frame");
    (net.lab.kernel.digest(), seen)
}

#[test]
fn digests_know_seeds_and_bytes_and_no_watcher() {
    let (digest, _) = busy(1, false, 1);
    assert_eq!(busy(1, false, 1).0, digest);
    let (watched, seen) = busy(1, true, 1);
    assert_eq!(watched, digest);
    assert!(seen.0 > 200);
    assert_ne!(busy(2, false, 1).0, digest, "another seed");
    assert_ne!(busy(1, false, 2).0, digest, "another byte in one packet");
}
