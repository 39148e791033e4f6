//! What differs between versions of NetBT, as values: timers, tries, limits, switches.
//!
//! Every field can be set on its own; the functions give the documented defaults. Numbers without an
//! article are named as chosen in the field's comment.

use crate::base::SimDuration;

/// How a client finds back to its configured primary server after it has moved to another one.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum ReturnRule {
    /// It stays until the server in use fails.
    Never,
    /// The configured primary is asked every `interval`, `tries` times; then not before a refresh is
    /// due (Q247559).
    Probe {
        /// Time between two probes.
        interval: SimDuration,
        /// Probes before the client waits for its next refresh.
        tries: u8,
    },
    /// A refresh asks one server only: the configured primary, when silent every `interval` for `tries`
    /// times in all, then the next server as often, and so on until the time to live ends
    /// (Windows 2000 Resource Kit).
    Cycle {
        /// Time between two attempts.
        interval: SimDuration,
        /// Attempts at one server before the next one's turn.
        tries: u8,
    },
}

/// The behaviour of one version of NetBT.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NbtProfile {
    /// The version, as scenario files write it.
    pub label: &'static str,
    /// Wait for an answer of a name server (NameSrvQueryTimeout).
    pub server_timeout: SimDuration,
    /// Requests sent to one server before it counts as silent (NameSrvQueryCount).
    pub server_tries: u8,
    /// Wait after a broadcast (BcastQueryTimeout).
    pub broadcast_timeout: SimDuration,
    /// Broadcasts of one request (BcastNameQueryCount).
    pub broadcast_tries: u8,
    /// Life of a cached answer (CacheTimeout; NT 4.0 adds 60 s, Q236901).
    pub cache_life: SimDuration,
    /// Names the cache holds at most; the one that would expire first makes room. Chosen: a client
    /// talks to fewer hosts than this within ten minutes.
    pub cache_capacity: u16,
    /// Refresh timeout until a server has granted one (InitialRefreshT.O.); a name that no server has
    /// accepted is tried again after an eighth of it (Q154409).
    pub initial_refresh: SimDuration,
    /// The refresh sweep: names due within it go together, and what failed is tried again after it
    /// (Q164308).
    pub sweep: SimDuration,
    /// Refresh after this long whatever the server has granted; `None` refreshes at half the time to live.
    /// Windows for Workgroups does so every 16 minutes (Q153713).
    pub refresh_every: Option<SimDuration>,
    /// While any name has failed, all of them are refreshed at each sweep (Q164308). The article names no
    /// service pack; SP3 is taken, as for its neighbour.
    pub failure_refreshes_all: bool,
    /// A normal refresh goes to the other server, which thereby becomes the one in use (Q164309, until
    /// 4.0 SP3).
    pub swaps_at_refresh: bool,
    /// The Server service, started again, does not register the computer's 20 name (Q139932, 3.51).
    pub forgets_server_name: bool,
    /// The smallest time to live accepted from a server (MS-NBTE 3.1.4.1).
    pub ttl_min: SimDuration,
    /// No server is asked for this long after all were silent (WinsDownTimeout).
    pub wins_down: SimDuration,
    /// The longest wait a WACK can ask for. Chosen: far above what servers ask, so that a bad packet
    /// cannot stop a name for ever.
    pub wack_max: SimDuration,
    /// Between the starts of two services at boot. Not established; chosen as 1 s.
    pub service_spacing: SimDuration,
    /// Whether three unanswered broadcast claims are followed by one overwrite demand. RFC 1001 15.2.1
    /// says so; not established for NetBT.
    pub overwrite_demand: bool,
    /// Whether a name held by broadcast only is claimed by broadcast again each time the servers are
    /// found silent again.
    pub repeats_broadcast_claim: bool,
    /// Whether a server's "no such name" sends the query on to the next server (Q137780, Q222840).
    pub asks_next_on_negative: bool,
    /// Wait after a server's "no such name" before the query goes on (Q219357, Q222840).
    pub negative_wait: SimDuration,
    /// Servers of the list that are used at all (Q870623).
    pub servers_max: u8,
    /// The way back to the configured primary.
    pub return_rule: ReturnRule,
    /// Whether all names are refreshed at the configured primary once a probe has found it, instead of
    /// each at its time. Not established; chosen.
    pub refreshes_all_on_return: bool,
    /// Whether names not refreshed within their time to live are claimed afresh (Windows 2000).
    pub reclaims_after_ttl: bool,
    /// Whether shutting down releases suffixes 00, 03 and 1C as well (Q140419).
    pub releases_all_at_shutdown: bool,
    /// How often `nbtstat -RR` is accepted, `None` where it does not exist (Q188598).
    pub release_refresh: Option<SimDuration>,
    /// Refresh with opcode 9 instead of 8 (RefreshOpCode).
    pub refresh_opcode_9: bool,
    /// Whether an address change sends releases for the old address before the names are claimed again
    /// (MS-NBTE 3.1.7).
    pub releases_on_address_change: bool,
    /// Ignore release and conflict demands that come from anyone but a configured server
    /// (NoNameReleaseOnDemand, Q269239).
    pub ignores_foreign_demands: bool,
    /// A client with one server that has been silent in a claim never asks it again (Q155501,
    /// "sometimes": the world draws, then sets this).
    pub single_server_stays_b: bool,
}

impl NbtProfile {
    /// Windows NT 3.5.
    pub fn nt35() -> NbtProfile {
        NbtProfile {
            label: "nt35",
            asks_next_on_negative: false,
            return_rule: ReturnRule::Never,
            releases_all_at_shutdown: true,
            failure_refreshes_all: false,
            swaps_at_refresh: false,
            forgets_server_name: false,
            ..NbtProfile::nt351()
        }
    }

    /// Windows NT 3.51.
    pub fn nt351() -> NbtProfile {
        NbtProfile {
            label: "nt351",
            cache_life: SimDuration::from_secs(600),
            releases_all_at_shutdown: false,
            failure_refreshes_all: true,
            swaps_at_refresh: true,
            forgets_server_name: true,
            ..NbtProfile::nt40(4)
        }
        .without_negative_wait()
    }

    /// Windows NT 4.0 with this service pack (0 for none).
    ///
    /// Service pack 3 brings the second server after a negative answer (Q222840), refreshes that stay with
    /// their server (Q164309) and, as chosen here, the release of all names at shutdown (Q140419 names no
    /// pack) and retries of failed names alone (Q164308); 4 brings `nbtstat -RR`; 5 drops the
    /// wait of 1500 ms after each negative answer (Q219357).
    pub fn nt40(service_pack: u8) -> NbtProfile {
        NbtProfile {
            label: "nt40",
            server_timeout: SimDuration::from_millis(1500),
            server_tries: 3,
            broadcast_timeout: SimDuration::from_millis(750),
            broadcast_tries: 3,
            cache_life: SimDuration::from_secs(660),
            cache_capacity: 256,
            initial_refresh: SimDuration::from_secs(960),
            sweep: SimDuration::from_mins(10),
            refresh_every: None,
            failure_refreshes_all: service_pack < 3,
            swaps_at_refresh: service_pack < 3,
            forgets_server_name: false,
            ttl_min: SimDuration::from_mins(5),
            wins_down: SimDuration::from_secs(15),
            wack_max: SimDuration::from_mins(5),
            service_spacing: SimDuration::from_secs(1),
            overwrite_demand: true,
            repeats_broadcast_claim: true,
            asks_next_on_negative: service_pack >= 3,
            negative_wait: if service_pack >= 5 {
                SimDuration::ZERO
            } else {
                SimDuration::from_millis(1500)
            },
            servers_max: 2,
            return_rule: ReturnRule::Probe { interval: SimDuration::from_mins(10), tries: 6 },
            refreshes_all_on_return: true,
            reclaims_after_ttl: false,
            releases_all_at_shutdown: service_pack >= 3,
            release_refresh: (service_pack >= 4).then_some(SimDuration::from_mins(2)),
            refresh_opcode_9: false,
            releases_on_address_change: true,
            ignores_foreign_demands: false,
            single_server_stays_b: false,
        }
    }

    /// Windows 95.
    pub fn w95() -> NbtProfile {
        NbtProfile {
            label: "w95",
            return_rule: ReturnRule::Never,
            releases_all_at_shutdown: true,
            failure_refreshes_all: false,
            swaps_at_refresh: false,
            forgets_server_name: false,
            ..NbtProfile::nt351()
        }
    }

    /// Windows 2000.
    pub fn w2k() -> NbtProfile {
        NbtProfile {
            label: "w2k",
            cache_life: SimDuration::from_secs(600),
            servers_max: 12,
            return_rule: ReturnRule::Cycle { interval: SimDuration::from_mins(10), tries: 6 },
            reclaims_after_ttl: true,
            ..NbtProfile::nt40(6)
        }
    }

    /// Windows Server 2003: as Windows 2000.
    pub fn w2k3() -> NbtProfile {
        NbtProfile { label: "w2k3", ..NbtProfile::w2k() }
    }

    /// The profile with this label: `nt35`, `nt351`, `nt40` (service pack 6), `nt40-spN`, `w95`, `w2k`,
    /// `w2k3`.
    pub fn named(label: &str) -> Option<NbtProfile> {
        Some(match label {
            "nt35" => NbtProfile::nt35(),
            "nt351" => NbtProfile::nt351(),
            "nt40" => NbtProfile::nt40(6),
            "w95" => NbtProfile::w95(),
            "w2k" => NbtProfile::w2k(),
            "w2k3" => NbtProfile::w2k3(),
            _ => match label.strip_prefix("nt40-sp")?.parse() {
                Ok(pack @ 0..=6) => NbtProfile::nt40(pack),
                _ => return None,
            },
        })
    }

    /// How long a name that no server has accepted waits for its next try: an eighth of the initial
    /// refresh timeout until some server has granted a time to live, the sweep afterwards.
    pub fn retry_wait(&self, granted: bool) -> SimDuration {
        if granted { self.sweep } else { self.initial_refresh / 8 }
    }

    fn without_negative_wait(self) -> NbtProfile {
        NbtProfile {
            negative_wait: SimDuration::ZERO,
            asks_next_on_negative: true,
            release_refresh: None,
            ..self
        }
    }
}
