//! Parameters of services, read and written.

use super::*;
use crate::registry::services::wins::{
    ConsistencyCheck, PullPartner, PullRules, PushPartner, WinsParameters, WinsSettings,
};
use crate::registry::services::{ServiceEntry, StartType, TimeOfDay, dhcp, service_key, wins};
use std::net::Ipv4Addr;

const WINS_TEXT: &str = r#"Windows Registry Editor Version 5.00

[HKEY_LOCAL_MACHINE\System\CurrentControlSet\Services\Wins\Parameters]
"RefreshInterval"=dword:0007e900
"tombstoneinterval"=dword:0007e900
"VerifyInterval"="soon"
"DbFileNm"="f:\\wins\\wins.mdb"
"DoBackupOnTerm"=dword:00000001
"BurstQueSize"=dword:000001f4
"UseRplPnrs"=dword:00000001
"SomethingElse"=dword:00000007

[HKEY_LOCAL_MACHINE\System\CurrentControlSet\Services\Wins\Parameters\ConsistencyCheck]
"TimeInterval"=dword:00015180
"SpTime"="02:00:00"

[HKEY_LOCAL_MACHINE\System\CurrentControlSet\Services\Wins\Parameters\Datafiles]
"DFile1"="c:\\one"
"DFile2"=hex(2):25,00,41,00,25,00,00,00

[HKEY_LOCAL_MACHINE\System\CurrentControlSet\Services\Wins\Partners]
"PersonaNonGrata"=hex(7):31,00,00,00,00,00

[HKEY_LOCAL_MACHINE\System\CurrentControlSet\Services\Wins\Partners\Pull]
"InitTimeReplication"=dword:00000001

[HKEY_LOCAL_MACHINE\System\CurrentControlSet\Services\Wins\Partners\Pull\10.1.0.2]
"TimeInterval"=dword:00000708
"SpTime"="25:00:00"

[HKEY_LOCAL_MACHINE\System\CurrentControlSet\Services\Wins\Partners\Pull\wins-2]

[HKEY_LOCAL_MACHINE\System\CurrentControlSet\Services\Wins\Partners\Push\10.1.0.2]
"UpdateCount"=dword:00000014
"OnlyDynRecs"=dword:00000001
"#;

fn address(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 1, 0, last)
}

#[test]
fn wins_reads_what_an_administrator_wrote() {
    let mut registry = Registry::with_hives();
    registry.import(WINS_TEXT).expect("import");
    let reading = WinsSettings::read(&registry);
    let is = reading.is;
    let parameters = WinsParameters {
        refresh_interval: Some(518_400),
        tombstone_interval: Some(518_400),
        db_file: Some(r"f:\wins\wins.mdb".into()),
        backup_on_termination: Some(true),
        burst_queue_size: Some(500),
        ..WinsParameters::default()
    };
    assert_eq!(is.parameters, parameters);
    let check = ConsistencyCheck {
        time_interval: Some(86_400),
        start_time: TimeOfDay::from_seconds(7_200),
        records_max: None,
        use_partners: Some(true),
    };
    assert_eq!(is.consistency_check, Some(check));
    assert_eq!(is.datafiles, [r"c:\one", "%A%"]);
    assert_eq!(is.partners.persona_non_grata, Some(vec!["1".to_string()]));
    let pull = PullRules { init_time_replication: Some(true), ..PullRules::default() };
    assert_eq!(is.pull, pull);
    let partner = PullPartner { time_interval: Some(1_800), ..PullPartner::default() };
    assert_eq!(is.pull_from.into_iter().collect::<Vec<_>>(), [(address(2), partner)]);
    let partner = PushPartner {
        update_count: Some(20),
        only_dynamic_records: Some(true),
        ..PushPartner::default()
    };
    assert_eq!(is.push_to.into_iter().collect::<Vec<_>>(), [(address(2), partner)]);
    let mistakes: Vec<String> = reading.mistakes.iter().map(|m| m.to_string()).collect();
    let key = r"System\CurrentControlSet\Services\Wins";
    assert_eq!(
        mistakes,
        [
            format!(
                "`VerifyInterval` of key `{key}\\Parameters` is the text `soon`, where a REG_DWORD is \
             expected"
            ),
            format!(
                "`SpTime` of key `{key}\\Partners\\Pull\\10.1.0.2` is the text `25:00:00`, where a time of \
             day such as 02:00:00 is expected"
            ),
            format!(
                "`wins-2` of key `{key}\\Partners\\Pull` is no address, where a key named after an \
             address is expected"
            ),
        ]
    );
}

#[test]
fn what_wins_writes_it_reads_again() {
    let mut registry = Registry::with_hives();
    registry.import(WINS_TEXT).expect("import");
    let mut settings = WinsSettings::read(&registry).is;
    settings.parameters.verify_interval = Some(2_073_600);
    settings.parameters.backup_path = Some(r"%SystemRoot%\wins\backup".into());
    settings.parameters.backup_on_termination = None;
    settings.pull_from.clear();
    settings.pull_from.insert(address(3), PullPartner::default());
    settings.datafiles = vec!["b".into(), "a".into()];
    settings.write(&mut registry).expect("write");
    let reading = WinsSettings::read(&registry);
    assert_eq!(reading.is, settings);
    // What it does not know stays.
    let key = path(wins::PARAMETERS);
    assert_eq!(registry.dword(&key, "SomethingElse"), Ok(Some(7)));
    assert!(registry.exists(&path(wins::PARTNERS).join(r"Pull\wins-2").expect("a path")));
    assert!(!registry.exists(&path(wins::PARTNERS).join(r"Pull\10.1.0.2").expect("a path")));
    let backup = registry.get(&key, "BackupDirPath");
    assert_eq!(backup, Some(&Value::expand_sz(r"%SystemRoot%\wins\backup")));
    // Writing it again is no change: nobody is told.
    let watches = wins::CHECKPOINT_KEYS
        .map(|key| registry.watch(&path(key), true, WatchFilter::ALL).expect("watch"));
    settings.write(&mut registry).expect("write");
    assert_eq!(registry.take_signals(), []);
    settings.consistency_check = None;
    settings.write(&mut registry).expect("write");
    assert_eq!(registry.take_signals(), [watches[0]]);
    // The registry still has `UseRplPnrs` in `Parameters`; without the other key it says nothing.
    assert_eq!(WinsSettings::read(&registry).is, settings);
}

#[test]
fn an_empty_registry_says_nothing() {
    let registry = Registry::new();
    let reading = WinsSettings::read(&registry);
    assert_eq!(reading.is, WinsSettings::default());
    assert_eq!(reading.mistakes, []);
    let reading = dhcp::DhcpParameters::read(&registry, &path(dhcp::PARAMETERS));
    assert_eq!(reading.is, dhcp::DhcpParameters::default());
}

#[test]
fn a_service_has_a_start_type_and_a_program() {
    let mut registry = Registry::with_hives();
    let key = service_key("DHCPServer").expect("a path");
    assert!(path(dhcp::PARAMETERS).is_within(&key));
    let entry = ServiceEntry {
        start: Some(StartType::Manual),
        image_path: Some(r"%SystemRoot%\System32\tcpsvcs.exe".into()),
        depend_on_service: Some(vec!["Tcpip".into(), "Afd".into()]),
        ..ServiceEntry::default()
    };
    entry.write(&mut registry, &key).expect("write");
    assert_eq!(registry.dword(&key, "Start"), Ok(Some(3)));
    assert_eq!(ServiceEntry::read(&registry, &key).is, entry);
    registry.set(&key, ServiceEntry::START, Value::Dword(9)).expect("set");
    let reading = ServiceEntry::read(&registry, &key);
    assert_eq!(reading.is.start, None);
    assert_eq!(reading.mistakes[0].expected, "a REG_DWORD from 0 to 4");
    assert!(service_key("").is_err());
    assert!(service_key(r"\x").is_err());
}

#[test]
fn a_time_of_day_is_written_as_it_is_read() {
    for (text, seconds) in [("00:00:00", 0), ("2:5:09", 7_509), ("23:59:59", 86_399)] {
        let time: TimeOfDay = text.parse().expect(text);
        assert_eq!(time.seconds(), seconds);
        assert_eq!(time.to_string().parse(), Ok(time));
    }
    for text in ["", "1:2", "24:00:00", "1:60:00", "1:2:3:4", "+1:2:3", "001:2:3", "a:b:c"] {
        assert!(text.parse::<TimeOfDay>().is_err(), "{text}");
    }
    assert_eq!(TimeOfDay::from_seconds(86_400), None);
}
