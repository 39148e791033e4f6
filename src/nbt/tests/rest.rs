//! A client at rest: small, quiet, and unmoved by noise.

use super::*;
use proptest::prelude::*;

fn resting() -> Rig {
    let servers = [(PRIMARY, Does::Grants(DAYS_6)), (SECONDARY, Does::Grants(DAYS_6))];
    let mut identity = workstation();
    identity.user = Some(name("ANN"));
    let mut rig = Rig::with(&identity, &[ME], NbtProfile::nt40(6), NodeType::H, &servers);
    rig.input(NbtInput::Boot);
    rig.run(at(60_000));
    rig
}

#[test]
fn it_is_small_and_has_one_deadline() {
    let rig = resting();
    assert_eq!(rig.client.owned_names().count(), 6);
    assert!(rig.client.memory_bytes() < 1000, "{} bytes", rig.client.memory_bytes());
    assert!(size_of::<NbtOutput>() <= 56, "{}", size_of::<NbtOutput>());
    let timers =
        rig.client.names.iter().filter(|held| Some(held.timer) == rig.client.next_deadline());
    assert_eq!(timers.count(), 2, "the two names of the first service are refreshed first");
    let before = rig.client.clone();
    let mut rig = rig;
    rig.run(at(86_400_000));
    assert_eq!(rig.client, before, "a day of rest changes nothing");
}

/// A packet about one of a few names, perhaps damaged.
fn packet() -> impl Strategy<Value = Vec<u8>> {
    let names = prop::sample::select(vec!["DESK-1", "CORP#1E", "STRANGER", "CORP#00"]);
    let damage = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3);
    (names, 0u8..7, 0u16..16, any::<bool>(), damage).prop_map(|(text, kind, id, group, damage)| {
        let (about, scope, out) = (name(text), ScopeId::none(), &mut Vec::new());
        let flags = NbFlags::new(group, NodeType::H);
        let entry = NbEntry { flags, address: OTHER };
        let claim = compose::Claim {
            id,
            name: &about,
            scope: &scope,
            nb_flags: flags,
            address: OTHER,
            ttl: 0,
            broadcast: true,
        };
        match kind {
            0 => compose::registration(&claim, out),
            1 => compose::release(&claim, out),
            2 => compose::query(id, &about, &scope, true, out),
            3 => compose::conflict_demand(id, &about, &scope, flags, out),
            4 => compose::registration_response(id, Rcode::Active, &about, &scope, 9, entry, out),
            5 => compose::wack(id, &about, &scope, 4, Flags(0x2900), out),
            _ => {
                let who = Responder::EndNode;
                compose::positive_query_response(id, who, &about, &scope, 0, &[entry], out);
            }
        }
        for (index, byte) in damage {
            let index = index.index(out.len());
            out[index] = byte;
        }
        std::mem::take(out)
    })
}

proptest! {
    #[test]
    fn noise_neither_panics_nor_wakes_an_idle_client(
        noise in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..120), 1..20),
    ) {
        let mut rig = resting();
        let before = rig.client.next_deadline();
        for bytes in noise {
            rig.datagram(OTHER, bytes.len() % 2 == 0, |out| out.extend(bytes));
        }
        prop_assert_eq!(rig.client.next_deadline(), before);
    }

    #[test]
    fn broadcasts_for_other_names_leave_it_untouched(
        packets in prop::collection::vec((packet(), any::<bool>(), any::<bool>()), 1..30),
    ) {
        let mut rig = resting();
        rig.set(PRIMARY, Does::Nothing);
        for (bytes, broadcast, from_server) in packets {
            rig.input(NbtInput::Resolve { request: 1, name: name("STRANGER") });
            let about = NamePacket::decode(&bytes).ok().and_then(|p| p.name().map(|n| *n.0));
            let unwanted = about.is_some_and(|about| !rig.client.wants_broadcast_for(&about));
            let (before, sent) = (rig.client.clone(), rig.sent.len());
            let from = if from_server { PRIMARY } else { OTHER };
            rig.datagram(from, broadcast, |out| out.extend(bytes));
            if broadcast && unwanted {
                prop_assert_eq!(&rig.client, &before);
                prop_assert_eq!(rig.sent.len(), sent);
            }
            let next = rig.client.next_deadline().unwrap_or(rig.now);
            rig.run(next.min(rig.now + ms(1000)).max(rig.now));
        }
    }
}
