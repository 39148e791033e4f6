//! The WINS service's configuration in the registry (Q135922): written when a host is set up, read at every
//! start of the service. Only what was changed there since counts: the rest is as installed.

use crate::base::SimDuration;
use crate::registry::services::TimeOfDay;
use crate::registry::services::wins::{PullPartner, PushPartner, WinsSettings};
use crate::wins::{
    Partner, PullPartner as Pull, PushPartner as Push, ReplicationScope, WinsConfig,
};
use std::net::Ipv4Addr;

/// What the registry of a host with this configuration says.
pub(super) fn settings_of(config: &WinsConfig) -> WinsSettings {
    let profile = &config.profile;
    let seconds = |d: SimDuration| u32::try_from(d.secs()).ok();
    let mut settings = WinsSettings::default();
    let parameters = &mut settings.parameters;
    parameters.refresh_interval = seconds(profile.renewal_interval);
    parameters.tombstone_interval = seconds(profile.extinction_interval);
    parameters.tombstone_timeout = seconds(profile.extinction_timeout);
    parameters.verify_interval = seconds(profile.verification_interval);
    parameters.migrate_on = Some(profile.migrate_on);
    parameters.log_detailed_events = Some(profile.detailed_events);
    parameters.only_configured_partners = Some(profile.only_configured_partners);
    for partner in &config.partners {
        if let Some(pull) = &partner.pull {
            let values = PullPartner {
                time_interval: pull.interval.and_then(seconds),
                start_time: pull.first_at.and_then(seconds).and_then(TimeOfDay::from_seconds),
                init_time_replication: Some(pull.at_start),
                member_precedence: Some(u32::from(pull.members_first)),
                ..PullPartner::default()
            };
            settings.pull_from.insert(partner.address, values);
        }
        if let Some(push) = &partner.push {
            let values = PushPartner {
                update_count: push.update_count,
                init_time_replication: Some(push.at_start),
                only_dynamic_records: Some(push.only_dynamic),
                ..PushPartner::default()
            };
            settings.push_to.insert(partner.address, values);
        }
    }
    settings
}

/// Takes over what the registry says now, where that is not what was installed.
pub(super) fn take_over(config: &mut WinsConfig, now: &WinsSettings) {
    let installed = settings_of(config);
    let (was, is) = (&installed.parameters, &now.parameters);
    let profile = &mut config.profile;
    for (was, is, into) in [
        (was.refresh_interval, is.refresh_interval, &mut profile.renewal_interval),
        (was.tombstone_interval, is.tombstone_interval, &mut profile.extinction_interval),
        (was.tombstone_timeout, is.tombstone_timeout, &mut profile.extinction_timeout),
        (was.verify_interval, is.verify_interval, &mut profile.verification_interval),
    ] {
        if let Some(seconds) = is.filter(|_| is != was) {
            *into = SimDuration::from_secs(seconds.into());
        }
    }
    for (was, is, into) in [
        (was.migrate_on, is.migrate_on, &mut profile.migrate_on),
        (was.log_detailed_events, is.log_detailed_events, &mut profile.detailed_events),
        (
            was.only_configured_partners,
            is.only_configured_partners,
            &mut profile.only_configured_partners,
        ),
    ] {
        if let Some(yes) = is.filter(|_| is != was) {
            *into = yes;
        }
    }
    if installed.pull_from != now.pull_from || installed.push_to != now.push_to {
        config.partners = partners(now);
    }
}

fn partners(settings: &WinsSettings) -> Vec<Partner> {
    let mut all: Vec<Ipv4Addr> =
        settings.pull_from.keys().chain(settings.push_to.keys()).copied().collect();
    all.sort_unstable();
    all.dedup();
    let time = |seconds: u32| SimDuration::from_secs(seconds.into());
    let partner = |address: Ipv4Addr| Partner {
        address,
        pull: settings.pull_from.get(&address).map(|pull| Pull {
            interval: pull.time_interval.filter(|&seconds| seconds > 0).map(time),
            first_at: pull.start_time.map(|at| time(at.seconds())),
            at_start: pull.init_time_replication.unwrap_or(true),
            members_first: pull.member_precedence == Some(1),
        }),
        push: settings.push_to.get(&address).map(|push| Push {
            update_count: push.update_count,
            at_start: push.init_time_replication.unwrap_or(false),
            on_address_change: settings.push.on_address_change.unwrap_or(false),
            only_dynamic: push.only_dynamic_records.unwrap_or(false),
        }),
        persistent: true,
        replicates: ReplicationScope::All,
    };
    all.into_iter().map(partner).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::Registry;
    use crate::wins::{WinsProfile, WinsVersion};

    fn config() -> WinsConfig {
        let mut both = Partner::both_ways(Ipv4Addr::new(10, 0, 0, 9), SimDuration::from_mins(30));
        both.replicates = ReplicationScope::DomainNames;
        WinsConfig {
            address: Ipv4Addr::new(10, 0, 0, 1),
            profile: WinsProfile::new(WinsVersion::W2k, 4),
            partners: vec![both],
        }
    }

    #[test]
    fn what_nobody_changed_is_as_installed_and_what_was_changed_counts() {
        let (mut registry, installed) = (Registry::with_hives(), config());
        let mut settings = settings_of(&installed);
        settings.write(&mut registry).expect("room for it");
        let mut read = config();
        take_over(&mut read, &WinsSettings::read(&registry).is);
        assert_eq!(read, installed);
        settings.parameters.refresh_interval = Some(3600);
        settings.pull_from.clear();
        settings.write(&mut registry).expect("room for it");
        take_over(&mut read, &WinsSettings::read(&registry).is);
        assert_eq!(read.profile.renewal_interval, SimDuration::from_hours(1));
        assert_eq!(read.profile.extinction_interval, installed.profile.extinction_interval);
        assert!(read.partners[0].pull.is_none() && read.partners[0].push.is_some());
    }
}
