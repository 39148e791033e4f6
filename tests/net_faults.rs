//! Every fault on packets bites, and bites only what and when it should.

mod net_support;

use net_support::{TwoSites, at_ms, ms};
use winstorm::base::{Odds, SimTime};
use winstorm::net::{
    DropCause, Impairment, MediumConfig, Members, RouterConfig, Rule, RuleEffect, RuleId, RuleScope,
};

const HALF: Odds = Odds { numerator: 1, denominator: 2 };
const ALWAYS: Odds = Odds { numerator: 1, denominator: 1 };

fn wan() -> MediumConfig {
    MediumConfig::fixed(ms(20))
}

/// Runs the hundred datagrams with one rule alive from 20 to 70 ms.
fn with_rule(effect: RuleEffect) -> (TwoSites, RuleId) {
    let mut net = TwoSites::new(1, wan());
    let (begin, end) = (at_ms(20), at_ms(70));
    let rule = net.lab.world.network.add_rule(Rule { name: "rule".into(), begin, end, effect });
    net.hundred();
    net.lab.run();
    (net, rule)
}

fn impair(scope: RuleScope, how: Impairment) -> (TwoSites, RuleId) {
    with_rule(RuleEffect::Impair { scope, how })
}

fn acted(net: &TwoSites, rule: RuleId) -> u64 {
    let counters = net.lab.world.network.rule(rule).1;
    if let (Some(first), Some(last)) = (counters.first, counters.last) {
        assert!(first >= at_ms(20) && last < at_ms(70), "outside its time: {first} {last}");
    }
    counters.acted
}

#[test]
fn nothing_breaks_without_faults() {
    let mut net = TwoSites::new(1, wan());
    net.hundred();
    net.lab.run();
    assert_eq!(net.lab.numbers(net.hosts[3]), (0..100).collect::<Vec<_>>());
    assert_eq!(net.lab.world.heard[0].0, at_ms(20) + ms(2) / 5, "two subnets and the link");
    assert_eq!(net.lab.world.network.totals().dropped_total(), 0);
}

#[test]
fn loss_on_a_link() {
    let (net, rule) = impair(RuleScope::Link(net_link()), Impairment::Loss(HALF));
    let lost = acted(&net, rule);
    assert!((10..40).contains(&lost), "half of fifty: {lost}");
    assert_eq!(net.lab.count(net.hosts[3]) as u64, 100 - lost);
    assert_eq!(net.forward().dropped(DropCause::RuleLoss), lost);
    assert_eq!(net.lab.numbers(net.hosts[3])[..19], (0..19).collect::<Vec<_>>());
}

#[test]
fn loss_on_a_subnet_and_on_everything() {
    let (net, rule) = impair(RuleScope::Subnet(north()), Impairment::Loss(ALWAYS));
    assert_eq!((acted(&net, rule), net.lab.count(net.hosts[3])), (50, 50));
    let (net, rule) = impair(RuleScope::Everything, Impairment::Loss(ALWAYS));
    // Twenty packets were already past the first subnet, but not past the link.
    assert!(acted(&net, rule) > 50);
    assert_eq!(net.lab.count(net.hosts[3]) as u64, 100 - acted(&net, rule));
}

#[test]
fn loss_on_one_host_spares_the_others() {
    let mut net = TwoSites::new(1, wan());
    let host = net.lab.world.network.interface(net.hosts[3]).2;
    let effect = RuleEffect::Impair { scope: RuleScope::Host(host), how: Impairment::Loss(ALWAYS) };
    let (begin, end) = (SimTime::ZERO, SimTime::MAX);
    net.lab.world.network.add_rule(Rule { name: "deaf".into(), begin, end, effect });
    net.hundred();
    let (from, to) = (net.hosts[0], net.hosts[4]);
    net.lab.stream(SimTime::ZERO, ms(1), from, to, 10);
    net.lab.run();
    assert_eq!((net.lab.count(net.hosts[3]), net.lab.count(net.hosts[4])), (0, 10));
}

#[test]
fn delay() {
    let (net, rule) = impair(RuleScope::Link(net_link()), Impairment::Delay(ms(500), ms(600)));
    assert_eq!(acted(&net, rule), 50);
    let late: Vec<_> = net.lab.world.heard.iter().filter(|h| h.0 >= at_ms(520)).collect();
    assert_eq!(late.len(), 50);
    assert!(late.iter().all(|h| (20..70).contains(&h.2)));
}

#[test]
fn duplication() {
    let (net, rule) = impair(RuleScope::Link(net_link()), Impairment::Duplicate(ALWAYS));
    assert_eq!((acted(&net, rule), net.lab.count(net.hosts[3])), (100, 150));
    assert_eq!(net.forward().duplicated, 50);
}

#[test]
fn reordering() {
    let (net, rule) = impair(RuleScope::Link(net_link()), Impairment::Reorder(HALF, ms(3)));
    let numbers = net.lab.numbers(net.hosts[3]);
    let overtaken = numbers.windows(2).filter(|w| w[0] > w[1]).count();
    assert!(overtaken > 5 && acted(&net, rule) > 10, "{overtaken}");
    assert_eq!(numbers.len(), 100, "held back, not lost");
}

#[test]
fn corruption() {
    let (net, rule) = impair(RuleScope::Link(net_link()), Impairment::Corrupt(HALF));
    assert_eq!(net.forward().dropped(DropCause::Corrupted), acted(&net, rule));
    assert!((10..40).contains(&acted(&net, rule)));
}

#[test]
fn a_partition_of_subnets_both_ways() {
    let sides = |both_ways| RuleEffect::Partition {
        from: Members::subnet(south()),
        to: Members::subnet(north()),
        both_ways,
    };
    let (net, rule) = with_rule(sides(true));
    let lost = acted(&net, rule);
    assert!(lost > 50, "those on the way are cut off too: {lost}");
    assert_eq!(net.lab.count(net.hosts[3]) as u64, 100 - lost);
    let (net, rule) = with_rule(sides(false));
    assert_eq!((acted(&net, rule), net.lab.count(net.hosts[3])), (0, 100), "the other way only");
}

#[test]
fn a_partition_of_hosts_cuts_unicast_and_broadcast() {
    let mut net = TwoSites::new(1, wan());
    let host = |net: &TwoSites, i: usize| net.lab.world.network.interface(net.hosts[i]).2;
    let from = Members::host(host(&net, 0));
    let to = Members { subnets: vec![], hosts: vec![host(&net, 1), host(&net, 3)] };
    let effect = RuleEffect::Partition { from, to, both_ways: false };
    let (begin, end) = (SimTime::ZERO, SimTime::MAX);
    let id = net.lab.world.network.add_rule(Rule { name: "cut".into(), begin, end, effect });
    let address = |net: &TwoSites, i: usize| net.lab.world.network.interface(net.hosts[i]).1;
    for (n, (from, to)) in [(0, 1), (0, 2), (0, 3), (1, 0), (3, 0)].into_iter().enumerate() {
        let (from, to) = (net.hosts[from], address(&net, to));
        net.lab.send(at_ms(1), from, to, n as u32);
    }
    net.lab.send(at_ms(2), net.hosts[0], [255; 4].into(), 9);
    net.lab.run();
    let heard: Vec<_> = (0..4).map(|i| net.lab.numbers(net.hosts[i])).collect();
    assert_eq!(heard, [vec![3, 4], vec![], vec![1, 9], vec![]]);
    assert_eq!(net.lab.world.network.rule(id).1.acted, 3);
}

#[test]
fn a_rule_can_be_ended_early() {
    let mut net = TwoSites::new(1, wan());
    let effect = RuleEffect::Impair { scope: RuleScope::Everything, how: Impairment::Loss(ALWAYS) };
    let (begin, end) = (SimTime::ZERO, SimTime::MAX);
    let id = net.lab.world.network.add_rule(Rule { name: "rule".into(), begin, end, effect });
    net.lab.at(at_ms(50), move |network, _| network.end_rule(id, at_ms(50)));
    net.hundred();
    net.lab.run();
    assert_eq!(net.lab.count(net.hosts[3]), 50);
}

#[test]
fn a_link_that_goes_down_loses_what_is_on_it() {
    let mut net = TwoSites::new(1, wan());
    let wan = net.wan;
    net.lab.at(at_ms(50), move |network, _| network.set_link_up(wan, false, at_ms(50)));
    net.lab.at(at_ms(60), move |network, _| network.set_link_up(wan, true, at_ms(60)));
    net.hundred();
    net.lab.run();
    let lost: Vec<u32> = (0..100).filter(|n| !net.lab.numbers(net.hosts[3]).contains(n)).collect();
    // 20 ms on the link before it broke; then ten that find no route.
    assert_eq!(lost, (30..60).collect::<Vec<_>>());
    assert_eq!(net.forward().dropped(DropCause::MediumDown), 20);
    assert_eq!(net.dropped(DropCause::NoRoute), 10);
}

#[test]
fn a_router_that_goes_down_stops_its_traffic() {
    let mut net = TwoSites::new(1, wan());
    net.hundred();
    let router = net.routers[1];
    net.lab.at(at_ms(50), move |network, _| network.set_router_up(router, false));
    net.lab.run();
    assert_eq!(net.lab.count(net.hosts[3]), 30);
    assert_eq!(net.dropped(DropCause::RouterDown), 20);
    assert_eq!(net.dropped(DropCause::NoRoute), 50);
}

#[test]
fn a_subnet_that_goes_down_is_silent() {
    let mut net = TwoSites::new(1, wan());
    let (from, to, subnet) = (net.hosts[0], net.hosts[1], net.subnets[0]);
    net.lab.stream(SimTime::ZERO, ms(1), from, to, 10);
    net.lab.at(at_ms(5), move |network, _| network.set_subnet_up(subnet, false, at_ms(5)));
    net.lab.run();
    assert_eq!((net.lab.count(to), net.dropped(DropCause::MediumDown)), (5, 5));
}

#[test]
fn an_interface_that_goes_down_neither_sends_nor_hears() {
    let mut net = TwoSites::new(1, wan());
    let (near, far) = (net.hosts[0], net.hosts[3]);
    net.lab.at(at_ms(50), move |network, _| network.set_interface_up(near, false));
    net.lab.at(at_ms(40), move |network, _| network.set_interface_up(far, false));
    net.lab.at(at_ms(45), move |network, _| network.set_interface_up(far, true));
    net.hundred();
    net.lab.run();
    assert_eq!(net.lab.count(far), 45);
    assert_eq!(net.dropped(DropCause::InterfaceDown), 55);
}

#[test]
fn the_odds_of_a_link_bite() {
    let mut net = TwoSites::new(1, MediumConfig { loss: HALF, ..wan() });
    net.hundred();
    net.lab.run();
    assert!((30..70).contains(&net.forward().dropped(DropCause::Loss)));
    let mut net = TwoSites::new(1, MediumConfig { duplicate: ALWAYS, ..wan() });
    net.hundred();
    net.lab.run();
    assert_eq!(net.lab.count(net.hosts[3]), 200);
    let config = MediumConfig { reorder: HALF, reorder_extra: ms(5), ..wan() };
    let mut net = TwoSites::new(1, config);
    net.hundred();
    net.lab.run();
    assert!(net.forward().reordered > 20 && !net.lab.numbers(net.hosts[3]).is_sorted());
}

#[test]
fn a_range_of_delays_reorders_and_jitter_does_not() {
    let mut net = TwoSites::new(1, MediumConfig { delay: (ms(20), ms(40)), ..wan() });
    net.hundred();
    net.lab.run();
    assert!(!net.lab.numbers(net.hosts[3]).is_sorted());
    let mut net = TwoSites::new(1, MediumConfig { jitter: ms(20), ..wan() });
    net.hundred();
    net.lab.run();
    assert!(net.lab.numbers(net.hosts[3]).is_sorted());
    let spread = net.lab.world.heard.iter().filter(|h| h.0 > at_ms(30) + ms(u64::from(h.2)));
    assert!(spread.count() > 30);
}

#[test]
fn a_slow_link_queues_and_drops_the_tail() {
    // 78 bytes on the wire take 10 ms at 62,400 bit/s; ten fit the queue, and one comes each ms.
    let slow = MediumConfig { bandwidth_bits_per_s: Some(62_400), queue_bytes_max: 780, ..wan() };
    let mut net = TwoSites::new(1, slow);
    net.hundred();
    net.lab.run();
    let dropped = net.forward().dropped(DropCause::QueueFull);
    assert_eq!(net.lab.count(net.hosts[3]) as u64, 100 - dropped);
    assert!((79..=81).contains(&dropped), "{dropped}");
    assert!(net.forward().queue_bytes_peak <= 780 && net.forward().queue_bytes_peak > 700);
    let times: Vec<_> = net.lab.world.heard.iter().map(|h| h.0).collect();
    assert!(times.windows(2).all(|w| w[1].since(w[0]) >= ms(10)), "one each 10 ms");
}

#[test]
fn a_fault_leaves_the_chance_of_others_alone() {
    let lossy = MediumConfig { loss: HALF, ..wan() };
    let run = |with_rule: bool| {
        let mut net = TwoSites::with(7, lossy, MediumConfig::default(), RouterConfig::default());
        if with_rule {
            let how = Impairment::Duplicate(HALF);
            let effect = RuleEffect::Impair { scope: RuleScope::Subnet(south()), how };
            let (begin, end) = (SimTime::ZERO, SimTime::MAX);
            net.lab.world.network.add_rule(Rule { name: "echo".into(), begin, end, effect });
        }
        net.hundred();
        net.lab.run();
        let mut numbers = net.lab.numbers(net.hosts[3]);
        numbers.dedup();
        numbers
    };
    assert_eq!(run(false), run(true));
}

fn net_link() -> winstorm::net::LinkId {
    winstorm::net::LinkId(0)
}

fn north() -> winstorm::net::SubnetId {
    winstorm::net::SubnetId(0)
}

fn south() -> winstorm::net::SubnetId {
    winstorm::net::SubnetId(1)
}
