//! What a server is started with: checked before anything is opened, kept in recordings.
//!
//! Everything that decides how the machines behave is here and nothing else; files, logs and limits of the
//! live loop are not. A recording carries the settings as JSON, and a replay builds the same machines from
//! them.

use crate::base::SimDuration;
use crate::wins::{
    BackupSettings, CommitMode, Partner, PullPartner, PushPartner, StoreOptions, WinsConfig,
    WinsProfile, WinsVersion,
};
use crate::wire::{NameError, NetbiosName, Suffix};
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;
use thiserror::Error;

/// How one server shall behave. Durations are nanoseconds where they are written to a recording.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Settings {
    /// The address served, and this server's identity as an owner of records.
    pub listen: Ipv4Addr,
    /// The host's own NetBIOS name.
    pub name: String,
    /// Its workgroup or domain.
    pub workgroup: String,
    /// The version: `nt35`, `nt351`, `nt40`, `nt40-sp4`, `w2k`, `w2k3`.
    pub profile: String,
    /// Replication partners, push and pull.
    pub partners: Vec<Ipv4Addr>,
    /// Whether an answer waits until its record is durable.
    pub strict: bool,
    /// UDP port of the name service, here and at those who are challenged.
    pub name_port: u16,
    /// TCP port of replication, here and at partners.
    pub replication_port: u16,
    /// Own changes until partners are notified; `None` never notifies.
    pub push_after: Option<u32>,
    /// Time between two pulls from a partner, nanoseconds.
    pub pull_interval_ns: u64,
    /// Registrations waiting from which on answers come early, with a short time to live.
    pub burst_queue: u32,
    /// Whether static records give way to dynamic ones.
    pub migrate_on: bool,
    /// Whether peers that are no partners may pull too.
    pub any_partner: bool,
    /// `RefreshInterval`, nanoseconds; the profile's if not given.
    pub renewal_ns: Option<u64>,
    /// `TombStoneInterval`, nanoseconds.
    pub extinction_ns: Option<u64>,
    /// `TombStoneTimeOut`, nanoseconds.
    pub extinction_timeout_ns: Option<u64>,
    /// `VerifyInterval`, nanoseconds.
    pub verification_ns: Option<u64>,
    /// Time to live in query answers, seconds.
    pub query_ttl: Option<u32>,
    /// Time between backups of the database, nanoseconds, when any are made; one more is made at stop.
    pub backup_every_ns: Option<u64>,
    /// The seed of the server's chance.
    pub seed: u64,
    /// Take over the database of a server with another address.
    pub adopt: bool,
    /// The database is a backup: versions given out since are unknown.
    pub restored: bool,
}

/// Push notifications go out after this many changes (Q147356).
pub const PUSH_AFTER: u32 = 20;
/// Time between two pulls. The administration tools propose 30 minutes.
pub const PULL_INTERVAL: SimDuration = SimDuration::from_mins(30);
/// Answers that wait for a commit before later ones come early: the most that `BurstQueSize` can be set to
/// (Q184693). A group commit empties the queue many times a second, so that only a real storm reaches it.
pub const BURST_QUEUE: u32 = 5000;

/// Why a server cannot be started so.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum SettingsError {
    /// No such version.
    #[error(
        "`{0}` is no version: nt35, nt351, nt40 (service pack 6), nt40-sp0 to nt40-sp6, w2k, w2k3"
    )]
    Profile(String),
    /// The name or the workgroup is none.
    #[error("{option} {source}")]
    Name {
        /// Which option.
        option: &'static str,
        /// What is wrong.
        source: NameError,
    },
    /// The address cannot be a server's.
    #[error(
        "--listen {0}: give one address of this machine; it is also the owner of what is registered here"
    )]
    Listen(Ipv4Addr),
    /// The partner is this server.
    #[error("--partner {0} is this server itself")]
    SelfPartner(Ipv4Addr),
    /// The partner's address is nobody's.
    #[error("--partner {0} is no host's address")]
    PartnerAddress(Ipv4Addr),
    /// The partner is listed twice.
    #[error("--partner {0} is listed twice")]
    PartnerTwice(Ipv4Addr),
    /// A timer or limit outside its documented range.
    #[error("{0}")]
    Range(String),
}

impl Settings {
    /// A server of this address with everything as documented.
    pub fn new(listen: Ipv4Addr, name: &str) -> Settings {
        Settings {
            listen,
            name: name.to_string(),
            workgroup: "WORKGROUP".to_string(),
            profile: "w2k3".to_string(),
            partners: Vec::new(),
            strict: true,
            name_port: crate::wire::name_service::PORT,
            replication_port: crate::wire::replication::PORT,
            push_after: Some(PUSH_AFTER),
            pull_interval_ns: PULL_INTERVAL.0,
            burst_queue: BURST_QUEUE,
            migrate_on: false,
            any_partner: false,
            renewal_ns: None,
            extinction_ns: None,
            extinction_timeout_ns: None,
            verification_ns: None,
            query_ttl: None,
            backup_every_ns: None,
            seed: 1,
            adopt: false,
            restored: false,
        }
    }

    /// The server's configuration, checked.
    ///
    /// # Errors
    /// Every mistake found, in the order of the options.
    pub fn config(&self) -> Result<WinsConfig, Vec<SettingsError>> {
        let mut errors = self.mistakes();
        let Some(profile) = self.profile() else {
            errors.push(SettingsError::Profile(self.profile.clone()));
            return Err(errors);
        };
        if let Err(out_of_range) = profile.validate() {
            errors.extend(out_of_range.iter().map(|e| SettingsError::Range(e.to_string())));
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        let partners = self.partners.iter().map(|&address| self.partner(address)).collect();
        Ok(WinsConfig { address: self.listen, profile, partners })
    }

    /// How the database is opened.
    pub fn store_options(&self) -> StoreOptions {
        StoreOptions {
            address: Some(self.listen),
            adopt: self.adopt,
            restored: self.restored,
            ..StoreOptions::default()
        }
    }

    /// Mistakes that do not concern the profile.
    fn mistakes(&self) -> Vec<SettingsError> {
        let mut errors = Vec::new();
        if self.listen.is_unspecified() || !is_a_host(self.listen) {
            errors.push(SettingsError::Listen(self.listen));
        }
        for (option, text) in [("--name", &self.name), ("--workgroup", &self.workgroup)] {
            if let Err(source) = NetbiosName::new(text, Suffix::WORKSTATION) {
                errors.push(SettingsError::Name { option, source });
            }
        }
        for (at, &partner) in self.partners.iter().enumerate() {
            if partner == self.listen {
                errors.push(SettingsError::SelfPartner(partner));
            } else if !is_a_host(partner) {
                errors.push(SettingsError::PartnerAddress(partner));
            } else if self.partners[..at].contains(&partner) {
                errors.push(SettingsError::PartnerTwice(partner));
            }
        }
        let second = SimDuration::from_secs(1);
        if SimDuration(self.pull_interval_ns) < second {
            let value = SimDuration(self.pull_interval_ns);
            let text = format!("pull_interval is {value}, below its minimum of {second}");
            errors.push(SettingsError::Range(text));
        }
        if self.push_after == Some(0) {
            let text = "push_after is 0: give the number of changes, or `never`".to_string();
            errors.push(SettingsError::Range(text));
        }
        errors
    }

    /// The version's row with what was set.
    fn profile(&self) -> Option<WinsProfile> {
        let (version, pack) = version_named(&self.profile)?;
        let mut profile = WinsProfile::new(version, pack);
        let set = |field: &mut SimDuration, value: Option<u64>| {
            if let Some(nanos) = value {
                *field = SimDuration(nanos);
            }
        };
        set(&mut profile.renewal_interval, self.renewal_ns);
        set(&mut profile.extinction_interval, self.extinction_ns);
        set(&mut profile.extinction_timeout, self.extinction_timeout_ns);
        set(&mut profile.verification_interval, self.verification_ns);
        profile.commit = if self.strict { CommitMode::Strict } else { CommitMode::Lazy };
        profile.burst_queue_size = self.burst_queue;
        profile.migrate_on = self.migrate_on;
        profile.backup = self
            .backup_every_ns
            .map(|every| BackupSettings { every: SimDuration(every), at_stop: true });
        // The fault Q155701 would only make an end of it: nobody starts the service again.
        profile.malformed_stops = false;
        profile.only_configured_partners = !self.any_partner;
        if let Some(ttl) = self.query_ttl {
            profile.query_ttl = ttl;
        }
        Some(profile)
    }

    /// A partner both ways, with the intervals of all.
    fn partner(&self, address: Ipv4Addr) -> Partner {
        let both = Partner::both_ways(address, SimDuration(self.pull_interval_ns));
        let push = both.push.map(|push| PushPartner { update_count: self.push_after, ..push });
        let pull = both.pull.map(|pull| PullPartner { at_start: true, ..pull });
        Partner { push, pull, ..both }
    }
}

/// The version and service pack behind a label.
pub fn version_named(label: &str) -> Option<(WinsVersion, u8)> {
    Some(match label {
        "nt35" => (WinsVersion::Nt35, 0),
        "nt351" => (WinsVersion::Nt351, 5),
        "nt40" => (WinsVersion::Nt40, 6),
        "w2k" => (WinsVersion::W2k, 0),
        "w2k3" => (WinsVersion::W2k3, 0),
        _ => match label.strip_prefix("nt40-sp")?.parse() {
            Ok(pack @ 0..=6) => (WinsVersion::Nt40, pack),
            _ => return None,
        },
    })
}

/// Whether an address can be that of one host.
fn is_a_host(address: Ipv4Addr) -> bool {
    !address.is_unspecified() && !address.is_broadcast() && !address.is_multicast()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        Settings::new(Ipv4Addr::new(10, 0, 0, 5), "WINS-1")
    }

    fn mistakes(settings: &Settings) -> String {
        let errors = settings.config().expect_err("mistakes");
        errors.iter().map(|e| e.to_string()).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn what_cannot_be_served_is_refused_with_its_reason() {
        assert!(settings().config().is_ok());
        let own = Settings { partners: vec![settings().listen], ..settings() };
        assert!(mistakes(&own).contains("10.0.0.5 is this server itself"));
        let twice = Settings { partners: vec![Ipv4Addr::new(10, 0, 0, 6); 2], ..settings() };
        assert!(mistakes(&twice).contains("10.0.0.6 is listed twice"));
        let zero = Settings { renewal_ns: Some(0), pull_interval_ns: 0, ..settings() };
        assert!(mistakes(&zero).contains("renewal_interval is 0s, below its minimum of 40min"));
        assert!(mistakes(&zero).contains("pull_interval is 0s"));
        let any = Settings { listen: Ipv4Addr::UNSPECIFIED, ..settings() };
        assert!(mistakes(&any).contains("give one address of this machine"));
        let name = Settings { name: "A-NAME-OF-SIXTEEN".into(), ..settings() };
        assert!(mistakes(&name).contains("at most 15"));
        let version = Settings { profile: "nt50".into(), ..settings() };
        assert!(mistakes(&version).contains("`nt50` is no version"));
    }

    #[test]
    fn settings_survive_a_recording() {
        let settings = Settings { partners: vec![Ipv4Addr::new(10, 0, 0, 6)], ..settings() };
        let text = serde_json::to_string(&settings).expect("plain values");
        assert_eq!(serde_json::from_str::<Settings>(&text).expect("the same"), settings);
    }
}
