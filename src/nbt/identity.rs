//! Who a host is on the net, and the names it therefore claims at start-up.

use super::NameKind;
use crate::wire::{NameError, NetbiosName, Suffix};

/// What a host is in its domain or workgroup.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub enum Role {
    /// Workstation service only, nothing shared: computer 00 and 03, domain 00.
    Minimal,
    /// NT Workstation: five names before a user logs on.
    #[default]
    Workstation,
    /// Member server: names as a workstation.
    Server,
    /// Backup domain controller: adds domain 1C.
    BackupController,
    /// Primary domain controller: adds domain 1B and 1C.
    PrimaryController,
}

/// A name a host claims at start-up.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct StartupName {
    /// The name.
    pub name: NetbiosName,
    /// Unique or group.
    pub kind: NameKind,
    /// Which service, counted from 0 in order of their starts, claims it.
    pub service: u8,
    /// Whether it belongs to the user and leaves at log-off.
    pub user: bool,
}

/// Who a host is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Identity {
    /// The computer's name; its suffix does not matter.
    pub computer: NetbiosName,
    /// The domain or workgroup; its suffix does not matter.
    pub domain: NetbiosName,
    /// A user who is logged on at start-up; the suffix does not matter.
    pub user: Option<NetbiosName>,
    /// The role.
    pub role: Role,
    /// Whether it claims the names of its subnet's local master browser: domain 1D and
    /// `\x01\x02__MSBROWSE__\x02` 01.
    pub local_master: bool,
    /// Names of further services, each started as a service of its own.
    pub extra: Vec<(NetbiosName, NameKind)>,
}

/// The group of all local master browsers (Q188305).
pub const MSBROWSE: NetbiosName = NetbiosName::from_bytes(*b"\x01\x02__MSBROWSE__\x02\x01");

impl Identity {
    /// A host without user and further names.
    ///
    /// # Errors
    /// When `computer` or `domain` is no NetBIOS name.
    pub fn new(computer: &str, domain: &str, role: Role) -> Result<Identity, NameError> {
        Ok(Identity {
            computer: NetbiosName::new(computer, Suffix::WORKSTATION)?,
            domain: NetbiosName::new(domain, Suffix::WORKSTATION)?,
            user: None,
            role,
            local_master: false,
            extra: Vec::new(),
        })
    }

    /// The names claimed at start-up, in order of the services' starts (Q139608, Q137423): workstation,
    /// messenger, server, browser, Netlogon, local master, further services, the user.
    pub fn startup_names(&self) -> Vec<StartupName> {
        use NameKind::{Group, Unique};
        let mut names = Vec::with_capacity(8 + self.extra.len());
        let mut service = 0;
        let mut start = |list: &[(NetbiosName, NameKind)], user: bool| {
            names.extend(list.iter().map(|&(name, kind)| StartupName {
                name,
                kind,
                service,
                user,
            }));
            service += 1;
        };
        let computer = |suffix| (self.computer.with_suffix(suffix), Unique);
        let domain = |suffix, kind| (self.domain.with_suffix(suffix), kind);
        start(&[computer(Suffix::WORKSTATION), domain(Suffix::WORKSTATION, Group)], false);
        start(&[computer(Suffix::MESSENGER)], false);
        if self.role != Role::Minimal {
            start(&[computer(Suffix::SERVER)], false);
            start(&[domain(Suffix::BROWSER_ELECTIONS, Group)], false);
        }
        match self.role {
            Role::Minimal | Role::Workstation | Role::Server => {}
            Role::BackupController => start(&[domain(Suffix::DOMAIN_CONTROLLERS, Group)], false),
            Role::PrimaryController => start(
                &[domain(Suffix::DOMAIN_CONTROLLERS, Group), domain(Suffix::DOMAIN_MASTER, Unique)],
                false,
            ),
        }
        if self.local_master {
            start(&[domain(Suffix::LOCAL_MASTER, Unique), (MSBROWSE, Group)], false);
        }
        for &extra in &self.extra {
            start(&[extra], false);
        }
        if let Some(user) = self.user {
            start(&[(user.with_suffix(Suffix::MESSENGER), Unique)], true);
        }
        names
    }
}
