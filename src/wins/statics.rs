//! Static mappings: what an administrator enters by hand or imports, and what they tombstone.
//!
//! A mapping creates one record per suffix of its type, each with a version of its own, and replicates
//! like any other. It is entered whole or refused whole. Mappings wait in order while no version can be
//! given.

use super::io::{Observation, WinsOutput};
use super::lmhosts::{LmhostsEntry, LmhostsSkip, parse_lmhosts};
use super::members::Members;
use super::profile::WinsVersion;
use super::record::{Member, NameKind, NameRecord, Origin, RecordState, VersionId};
use super::registration::{GROUP_ADDRESS, drop_lapsed, list_full};
use super::server::WinsServer;
use crate::base::{Now, Outbox, WallTime};
use crate::wire::name_service::NodeType;
use crate::wire::{NetbiosName, ScopeId, Suffix};
use std::net::Ipv4Addr;
use thiserror::Error;

/// The types of the user interface; each creates several records.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum StaticType {
    /// One host: names 00, 03 and 20 (Q172734).
    Unique,
    /// A normal group: name 1E (NBTE <3>).
    Group,
    /// A domain: name 1C with a list. Called internet group in 3.5 and 3.51 (Q140064).
    DomainName,
    /// A user-defined internet group, 4.0 on: names 00, 03 and 20 with a list. Before, the same as a
    /// domain name.
    InternetGroup,
    /// One host with several addresses: names 00, 03 and 20 (Q249866).
    Multihomed,
}

/// A static mapping to be entered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StaticMapping {
    /// The name. Its own suffix counts only when `exact` is set.
    pub name: NetbiosName,
    /// Its scope. WINS Manager cannot give one (Q145659), a file cannot either.
    pub scope: ScopeId,
    /// What it is.
    pub kind: StaticType,
    /// Whether to create this one name instead of the type's suffixes: quoted names in LMHOSTS.
    pub exact: bool,
    /// Its addresses, 1 to 25; a normal group needs none.
    pub addresses: Vec<Ipv4Addr>,
}

/// Why a static mapping was refused.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Error)]
pub enum StaticError {
    /// A record of another type has the name (Q146053).
    #[error("{name} exists as {stored:?}, which a static {wanted:?} cannot replace")]
    TypeConflict {
        /// The name.
        name: NetbiosName,
        /// What is stored.
        stored: NameKind,
        /// What was to be entered.
        wanted: NameKind,
    },
    /// No address, several for a unique name, or more than a record holds.
    #[error("{name} was given {count} addresses, allowed are {low} to {high}")]
    AddressCount {
        /// The name.
        name: NetbiosName,
        /// How many it was given.
        count: u16,
        /// The least.
        low: u8,
        /// The most.
        high: u8,
    },
    /// There is no static record of this name with this address.
    #[error("{name} has no static address {address} here")]
    NoSuchMember {
        /// The name.
        name: NetbiosName,
        /// The address.
        address: Ipv4Addr,
    },
    /// One address of a static multihomed record cannot be deleted (Q150731): delete the mapping and enter
    /// it again.
    #[error("{name} is multihomed: its addresses cannot be deleted one by one")]
    NotOneByOne {
        /// The name.
        name: NetbiosName,
    },
}

/// Suffixes of the names that stand for a computer (Q172734).
const COMPUTER: &[Suffix] = &[Suffix::WORKSTATION, Suffix::MESSENGER, Suffix::SERVER];

impl StaticType {
    /// The kind of record it creates.
    pub const fn kind(self) -> NameKind {
        match self {
            StaticType::Unique => NameKind::Unique,
            StaticType::Group => NameKind::Group,
            StaticType::DomainName | StaticType::InternetGroup => NameKind::InternetGroup,
            StaticType::Multihomed => NameKind::Multihomed,
        }
    }

    /// The suffixes of the names it creates in this version.
    pub fn suffixes(self, version: WinsVersion) -> &'static [Suffix] {
        match self {
            StaticType::Unique | StaticType::Multihomed => COMPUTER,
            StaticType::Group => &[Suffix::BROWSER_ELECTIONS],
            StaticType::DomainName => &[Suffix::DOMAIN_CONTROLLERS],
            StaticType::InternetGroup if version < WinsVersion::Nt40 => {
                &[Suffix::DOMAIN_CONTROLLERS]
            }
            StaticType::InternetGroup => COMPUTER,
        }
    }

    /// Least and most addresses it takes.
    const fn address_count(self) -> (u8, u8) {
        match self {
            StaticType::Unique => (1, 1),
            StaticType::Group => (0, super::MEMBERS_MAX as u8),
            _ => (1, super::MEMBERS_MAX as u8),
        }
    }
}

impl StaticMapping {
    /// A mapping of these addresses, without scope, with the suffixes of its type.
    pub fn new(name: NetbiosName, kind: StaticType, addresses: Vec<Ipv4Addr>) -> StaticMapping {
        StaticMapping { name, scope: ScopeId::none(), kind, exact: false, addresses }
    }

    /// The names it creates in this version.
    pub fn names(&self, version: WinsVersion) -> impl Iterator<Item = NetbiosName> + use<> {
        let suffixes = if self.exact { &[] } else { self.kind.suffixes(version) };
        let (name, exact) = (self.name, self.exact);
        let several = suffixes.iter().map(move |&suffix| name.with_suffix(suffix));
        exact.then_some(name).into_iter().chain(several)
    }
}

impl WinsServer {
    /// Enters the mappings that wait, as far as there are versions.
    pub(super) fn enter_statics(&mut self, now: Now, out: &mut Outbox<WinsOutput>) {
        while let Some(mapping) = self.statics.front() {
            let names = mapping.names(self.core.profile.version).count() as u64;
            if self.core.versions_available() < names {
                return;
            }
            let Some(mapping) = self.statics.pop_front() else { return };
            if let Err(error) = self.enter_static(&mapping, now, out) {
                self.core.observe(Observation::StaticRefused { error }, out);
            }
            self.core.reserve_versions(out);
        }
    }

    /// Enters one mapping: all its names, or none.
    fn enter_static(
        &mut self,
        mapping: &StaticMapping,
        now: Now,
        out: &mut Outbox<WinsOutput>,
    ) -> Result<(), StaticError> {
        let (low, high) = mapping.kind.address_count();
        let count = mapping.addresses.len().min(usize::from(u16::MAX)) as u16;
        if !(u16::from(low)..=u16::from(high)).contains(&count) {
            return Err(StaticError::AddressCount { name: mapping.name, count, low, high });
        }
        let wanted = mapping.kind.kind();
        let version = self.core.profile.version;
        for name in mapping.names(version) {
            // A record of another type makes the entry fail (Q146053); what nobody holds does not.
            if let Some(stored) = self.core.names.get(&name, &mapping.scope)
                && stored.effective_state(self.core.own, now.wall) == RecordState::Active
                && stored.kind != wanted
            {
                let stored = stored.kind;
                return Err(StaticError::TypeConflict { name, stored, wanted });
            }
        }
        for name in mapping.names(version) {
            let Some(version) = self.core.assign_version(name, out) else { return Ok(()) };
            let record = self.static_record(name, mapping, version, now, out);
            self.core.put(record, out);
        }
        Ok(())
    }

    /// The record of one name of the mapping, joined with what the name holds already where the type
    /// has a list.
    fn static_record(
        &self,
        name: NetbiosName,
        mapping: &StaticMapping,
        version: VersionId,
        now: Now,
        out: &mut Outbox<WinsOutput>,
    ) -> NameRecord {
        let own = self.core.own;
        let kind = mapping.kind.kind();
        let stored = self.core.names.get(&name, &mapping.scope);
        let listed = matches!(kind, NameKind::InternetGroup | NameKind::Multihomed);
        let mut members = Members::none();
        if let Some(stored) = stored
            && listed
            && stored.effective_state(own, now.wall) == RecordState::Active
        {
            let mut stored = stored.clone();
            drop_lapsed(&mut stored, own, now.wall);
            members = stored.members;
            // One static member makes the whole 1C or multihomed list static (Q146052); the dynamic
            // members of a user-defined group go on ageing.
            if kind == NameKind::Multihomed || name.suffix() == Suffix::DOMAIN_CONTROLLERS {
                members.as_mut_slice().iter_mut().for_each(|m| m.stamp = WallTime::NEVER);
            }
        }
        let group = [GROUP_ADDRESS];
        let addresses = if kind == NameKind::Group { &group[..] } else { &mapping.addresses };
        for &address in addresses {
            members.remove(address);
            while members.len() >= self.core.profile.members_max.max(1) {
                self.core.log(list_full(kind), out);
                members.evict_for_local(own, |_| false);
            }
            members.push(Member { address, owner: own, stamp: WallTime::NEVER });
        }
        NameRecord {
            name,
            scope: mapping.scope.clone(),
            kind,
            state: RecordState::Active,
            origin: Origin::Static,
            node_type: NodeType::B,
            owner: own,
            version,
            stamp: WallTime::NEVER,
            members,
        }
    }

    /// The static records entered here: what the list of static mappings shows (Q139541). Those of other
    /// owners are only in the database.
    pub fn static_records(&self) -> impl Iterator<Item = &NameRecord> + '_ {
        let own = self.core.own;
        let ours = move |record: &&NameRecord| record.owner == own && record.is_static();
        self.core.names.iter().filter(ours)
    }

    /// Takes one address out of a static list. The record stays static for the others (Q146052); without any
    /// left it is deleted.
    pub(super) fn delete_static_member(
        &mut self,
        name: &NetbiosName,
        scope: &ScopeId,
        address: Ipv4Addr,
        out: &mut Outbox<WinsOutput>,
    ) -> Result<(), StaticError> {
        let stored = self.core.names.get(name, scope);
        let found = stored.filter(|record| record.is_static() && record.has_address(address));
        let name = *name;
        let Some(mut record) = found.cloned() else {
            return Err(StaticError::NoSuchMember { name, address });
        };
        if record.kind == NameKind::Multihomed && self.core.profile.static_members_stay {
            return Err(StaticError::NotOneByOne { name });
        }
        if record.members.len() <= 1 {
            self.core.delete(&name, scope, out);
            return Ok(());
        }
        let Some(version) = self.core.assign_version(name, out) else { return Ok(()) };
        record.members.remove(address);
        (record.owner, record.version) = (self.core.own, version);
        self.core.put(record, out);
        Ok(())
    }

    /// Makes a record a tombstone owned here, with a new version, so that all partners forget it
    /// (Q184693). Without a version to give nothing happens.
    pub(super) fn tombstone(
        &mut self,
        name: &NetbiosName,
        scope: &ScopeId,
        now: Now,
        out: &mut Outbox<WinsOutput>,
    ) {
        let Some(mut record) = self.core.names.get(name, scope).cloned() else { return };
        let Some(version) = self.core.assign_version(*name, out) else { return };
        record.state = RecordState::Tombstone;
        record.origin = Origin::Dynamic;
        record.owner = self.core.own;
        record.version = version;
        record.stamp = now.wall + self.core.profile.extinction_timeout;
        self.core.put(record, out);
    }

    /// Reads an LMHOSTS file and queues its mappings. A syntax error gives the whole import up; names
    /// and addresses that WINS skips are logged and the rest is imported.
    pub(super) fn import_lmhosts(&mut self, text: &[u8], out: &mut Outbox<WinsOutput>) {
        let skipped = |server: &WinsServer, skip: &LmhostsSkip, out: &mut Outbox<WinsOutput>| {
            server.core.log(skip.event(), out);
            let line = skip.line();
            server.core.observe(Observation::LmhostsLine { line, fatal: false }, out);
        };
        match parse_lmhosts(text) {
            Err(error) => {
                let line = error.line;
                self.core.observe(Observation::LmhostsLine { line, fatal: true }, out);
            }
            Ok((entries, skips)) => {
                skips.iter().for_each(|skip| skipped(self, skip, out));
                self.statics.extend(mappings(&entries));
            }
        }
    }
}

/// The mappings of the entries: the lines of one multihomed host or of one group become one mapping.
fn mappings(entries: &[LmhostsEntry]) -> Vec<StaticMapping> {
    let mut list: Vec<StaticMapping> = Vec::new();
    for entry in entries {
        let joins = matches!(
            entry.kind,
            StaticType::Multihomed | StaticType::DomainName | StaticType::InternetGroup
        );
        let same = |known: &&mut StaticMapping| {
            known.name == entry.name && known.kind == entry.kind && known.exact == entry.exact
        };
        match list.iter_mut().find(same) {
            Some(known) if joins => known.addresses.push(entry.address),
            // The same name twice: the last line wins (Q142061).
            Some(known) => known.addresses = vec![entry.address],
            None => list.push(StaticMapping {
                exact: entry.exact,
                ..StaticMapping::new(entry.name, entry.kind, vec![entry.address])
            }),
        }
    }
    list
}
