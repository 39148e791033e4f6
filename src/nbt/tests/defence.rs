//! Every row of the table in `defend.rs`, and demands.

use super::*;

fn rig(profile: NbtProfile) -> Rig {
    let mut rig = Rig::new(profile, NodeType::H, &[(PRIMARY, Does::Grants(DAYS_6))]);
    rig.input(NbtInput::Boot);
    rig.run(at(10_000));
    rig.sent.clear();
    rig.told.clear();
    rig
}

/// The flags words of what the client sends when `text` is claimed, asked for by broadcast, and asked
/// for by unicast.
fn reactions(rig: &mut Rig, text: &str, group: bool) -> [Option<u16>; 3] {
    let (about, scope) = (name(text), ScopeId::none());
    let mut react = |broadcast: bool, write: &dyn Fn(&mut Vec<u8>)| {
        rig.sent.clear();
        rig.datagram(OTHER, broadcast, write);
        assert!(rig.sent.len() <= 1);
        rig.sent.first().map(|sent| {
            assert_eq!((sent.to, sent.id), (Some(OTHER), 77));
            sent.flags.0
        })
    };
    let nb_flags = NbFlags::new(group, NodeType::H);
    let claim = compose::Claim {
        id: 77,
        name: &about,
        scope: &scope,
        nb_flags,
        address: OTHER,
        ttl: 0,
        broadcast: true,
    };
    [
        react(true, &|out| compose::registration(&claim, out)),
        react(true, &|out| compose::query(77, &about, &scope, true, out)),
        react(false, &|out| compose::query(77, &about, &scope, false, out)),
    ]
}

const REFUSED: Option<u16> = Some(0xAD86);
const YES: Option<u16> = Some(0x8500);
const NO: Option<u16> = Some(0x8503);

#[test]
fn each_state_answers_as_the_table_says() {
    let mut rig = rig(NbtProfile::nt40(6));
    assert_eq!(reactions(&mut rig, "DESK-1", false), [REFUSED, YES, YES]);
    assert_eq!(reactions(&mut rig, "DESK-1", true), [REFUSED, YES, YES]);
    assert_eq!(reactions(&mut rig, "CORP#1E", false), [REFUSED, YES, YES]);
    assert_eq!(reactions(&mut rig, "CORP#1E", true), [None, YES, YES]);
    assert_eq!(reactions(&mut rig, "NOBODY", false), [None, None, NO]);
    rig.input(NbtInput::AddName { name: name("*STAR"), kind: NameKind::Unique });
    assert_eq!(reactions(&mut rig, "*STAR", false), [None, YES, YES]);
    let index = rig.client.find(&name("DESK-1")).unwrap();
    rig.client.lose_name(index, 4319, OTHER, &mut Outbox::default());
    assert_eq!(reactions(&mut rig, "DESK-1", false), [None, None, NO]);
    rig.set(PRIMARY, Does::Nothing);
    rig.input(NbtInput::AddName { name: name("NEW"), kind: NameKind::Unique });
    assert_eq!(reactions(&mut rig, "NEW", false), [None, None, NO]);
}

fn demands(rig: &mut Rig, from: Ipv4Addr, about: NetbiosName, release: bool, broadcast: bool) {
    let scope = ScopeId::none();
    rig.datagram(from, broadcast, |out| {
        let nb_flags = NbFlags::new(false, NodeType::H);
        if release {
            let claim = compose::Claim {
                id: 9,
                name: &about,
                scope: &scope,
                nb_flags,
                address: from,
                ttl: 0,
                broadcast,
            };
            compose::release(&claim, out);
        } else {
            compose::conflict_demand(9, &about, &scope, nb_flags, out);
        }
    });
}

// rule: challenge/demand-effect, client/conflict
#[test]
fn demands_take_a_name_away() {
    for (release, broadcast) in [(true, true), (true, false), (false, true), (false, false)] {
        let mut rig = rig(NbtProfile::nt40(6));
        demands(&mut rig, OTHER, name("DESK-1"), release, broadcast);
        assert_eq!(rig.state(name("DESK-1")), Some(NameState::Conflict));
        assert_eq!(rig.events(), [(4320, name("DESK-1"))]);
    }
}

#[test]
fn a_group_survives_the_release_of_a_member_and_the_switch_stops_strangers() {
    let mut rig1 = rig(NbtProfile::nt40(6));
    demands(&mut rig1, OTHER, name("CORP#1E"), true, true);
    assert!(rig1.told.is_empty());
    let mut rig2 = rig(NbtProfile { ignores_foreign_demands: true, ..NbtProfile::w2k() });
    demands(&mut rig2, OTHER, name("DESK-1"), false, false); // Q269239
    assert!(rig2.told.is_empty());
    demands(&mut rig2, PRIMARY, name("DESK-1"), false, false);
    assert_eq!(rig2.state(name("DESK-1")), Some(NameState::Conflict));
}

#[test]
fn node_status_lists_the_names() {
    let mut rig = rig(NbtProfile::nt40(6));
    let mut request = Vec::new();
    compose::node_status_request(3, &NetbiosName::ANY, &ScopeId::none(), false, &mut request);
    let mut out = Outbox::default();
    let from = SocketAddrV4::new(OTHER, 137);
    let input = NbtInput::Datagram { from, broadcast: false, bytes: &request };
    rig.client.handle(input, Now { time: rig.now, wall: WallTime::default() }, &mut out);
    let NbtOutput::Send { bytes, .. } = out.items[0] else { panic!("no answer") };
    let bytes = out.bytes(bytes);
    assert_eq!(bytes.len(), 145 - 42 + 18 * 5);
    let packet = NamePacket::decode(bytes).unwrap();
    let status = packet.answer.as_ref().and_then(|record| record.node_status()).unwrap();
    assert_eq!(status.names().next().unwrap().name, name("DESK-1#00"));
}
