//! `winstorm pull`: a WINS server's owner-version map and records, read by replication.

#![allow(clippy::disallowed_types)] // Records that are kept get the time of day.

use super::asking::{Format, local_end, parse_from};
use super::exit::{Exit, fault, print};
use crate::base::{Outbox, SimDuration, WallTime};
use crate::scenario::parse_interval;
use crate::serve::ask::node_letter;
use crate::serve::partner::{PullError, Pulling, RECORDS_MAX, pull};
use crate::wins::replication::from_wire;
use crate::wins::{Owner, StoreOp, VersionId, WinsProfile, WinsStore, WinsVersion};
use crate::wire::replication::{self, OwnerRecord, ReplicaAddresses, ReplicaRecord, ReplicaState};
use clap::Args;
use redb::backends::FileBackend;
use serde_json::{Value, json};
use std::fmt::Write;
use std::fs::{self, OpenOptions};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// Changes between two commits of the store.
const COMMIT_EVERY: usize = 20_000;

#[derive(Args, Debug)]
#[command(
    after_help = "The server must count this machine among its replication partners. Nothing changes there.\n\
                  Exit codes: 0 done, 1 the owner is unknown there, 2 a mistake in usage, 4 no answer, or \
                  one that\ncannot be believed."
)]
pub(super) struct PullArguments {
    /// The WINS server.
    #[arg(long, value_name = "IP")]
    server: Ipv4Addr,
    /// Records of this owner only.
    #[arg(long, value_name = "IP")]
    owner: Option<Ipv4Addr>,
    /// Keep map and records in a new database instead of printing them; `winstorm serve wins` can use it.
    #[arg(long, value_name = "FILE")]
    store: Option<PathBuf>,
    /// TCP port of replication.
    #[arg(long, value_name = "PORT", default_value_t = replication::PORT)]
    port: u16,
    /// Local address to connect from: the one that the server knows as its partner.
    #[arg(long, value_name = "ADDR", value_parser = parse_from)]
    from: Option<SocketAddrV4>,
    /// How long connecting, and each message, may take.
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = parse_interval)]
    timeout: SimDuration,
    /// Records to take at most.
    #[arg(long, value_name = "N", default_value_t = RECORDS_MAX)]
    limit: u64,
    /// What to print.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

pub(super) fn main(arguments: &PullArguments) -> Exit {
    let pulling = Pulling {
        server: SocketAddrV4::new(arguments.server, arguments.port),
        from: local_end(arguments.from),
        timeout: arguments.timeout,
        owner: arguments.owner,
        records_max: arguments.limit,
    };
    let done = match &arguments.store {
        Some(path) => keep(pulling, path, arguments.format),
        None => show(pulling, arguments.format),
    };
    done.unwrap_or_else(|exit| exit)
}

fn failed(error: PullError) -> Exit {
    match error {
        PullError::NoSuchOwner { .. } => {
            eprintln!("{error}");
            Exit::Failed
        }
        PullError::Bind { .. } => {
            eprintln!("error: {error}");
            Exit::Mistake
        }
        error => fault(&error),
    }
}

/// Prints map and records.
fn show(pulling: Pulling, format: Format) -> Result<Exit, Exit> {
    let mut all: Vec<(Ipv4Addr, Vec<ReplicaRecord>)> = Vec::new();
    let mut sink = |owner, records| {
        all.push((owner, records));
        Ok(())
    };
    let map = pull(pulling, &mut sink).map_err(failed)?;
    match format {
        Format::Text => print(&tables(pulling.server, &map, &all))?,
        Format::Json => {
            let records = all.iter().flat_map(|(owner, records)| {
                records.iter().map(move |record| record_json(*owner, record))
            });
            let object = json!({
                "server": pulling.server.to_string(),
                "owners": map.iter().map(owner_json).collect::<Vec<_>>(),
                "records": records.collect::<Vec<_>>(),
            });
            print(&format!("{object}\n"))?;
        }
    }
    Ok(Exit::Success)
}

fn tables(
    server: SocketAddrV4,
    map: &[OwnerRecord],
    all: &[(Ipv4Addr, Vec<ReplicaRecord>)],
) -> String {
    let mut text = format!("owners at {server}: {}\n", map.len());
    for owner in map {
        let _ = writeln!(text, "  {:<15}  highest version {}", owner.owner, owner.version_max);
    }
    let count: usize = all.iter().map(|(_, records)| records.len()).sum();
    let _ = writeln!(text, "records: {count}");
    for (owner, records) in all {
        for record in records {
            let _ = writeln!(text, "{}", line(*owner, record));
        }
    }
    text
}

/// One record: name, kind, state, origin, owner and version, addresses.
fn line(owner: Ipv4Addr, record: &ReplicaRecord) -> String {
    let origin = if record.is_static { "static" } else { "dynamic" };
    let scope = match record.scope.is_none() {
        true => String::new(),
        false => format!(".{}", record.scope.as_bytes().escape_ascii()),
    };
    let addresses: Vec<String> = addresses(owner, &record.addresses)
        .iter()
        .map(|(by, address)| match *by == owner {
            true => address.to_string(),
            false => format!("{address} (by {by})"),
        })
        .collect();
    format!(
        "  {:<19}  {:<14}  {:<9}  {origin:<7}  {owner:<15}  {:>8}  {}",
        format!("{}{scope}", record.name),
        kind_word(&record.addresses),
        state_word(record.state),
        record.version,
        addresses.join(" "),
    )
}

/// Who took each registration, and the address.
fn addresses(owner: Ipv4Addr, addresses: &ReplicaAddresses) -> Vec<(Ipv4Addr, Ipv4Addr)> {
    match addresses {
        ReplicaAddresses::Unique(address) | ReplicaAddresses::NormalGroup(address) => {
            vec![(owner, *address)]
        }
        ReplicaAddresses::SpecialGroup(members) | ReplicaAddresses::Multihomed(members) => {
            members.iter().map(|member| (member.owner, member.address)).collect()
        }
    }
}

fn kind_word(addresses: &ReplicaAddresses) -> &'static str {
    match addresses {
        ReplicaAddresses::Unique(_) => "unique",
        ReplicaAddresses::NormalGroup(_) => "group",
        ReplicaAddresses::SpecialGroup(_) => "internet group",
        ReplicaAddresses::Multihomed(_) => "multihomed",
    }
}

fn state_word(state: ReplicaState) -> &'static str {
    match state {
        ReplicaState::Active => "active",
        ReplicaState::Released => "released",
        ReplicaState::Tombstone => "tombstone",
        ReplicaState::Reserved => "reserved",
    }
}

fn owner_json(owner: &OwnerRecord) -> Value {
    json!({
        "owner": owner.owner.to_string(),
        "version_max": owner.version_max,
        "version_min": owner.version_min,
    })
}

fn record_json(owner: Ipv4Addr, record: &ReplicaRecord) -> Value {
    let members = addresses(owner, &record.addresses);
    let member = |(by, address): &(Ipv4Addr, Ipv4Addr)| json!({ "address": address.to_string(), "owner": by.to_string() });
    json!({
        "name": record.name.to_string(),
        "scope": String::from_utf8_lossy(record.scope.as_bytes()),
        "kind": kind_word(&record.addresses),
        "state": state_word(record.state),
        "static": record.is_static,
        "node_type": node_letter(record.node_type).to_string(),
        "owner": owner.to_string(),
        "version": record.version,
        "addresses": members.iter().map(member).collect::<Vec<_>>(),
    })
}

/// Writes map and records into a new database. What cannot be completed is taken away again.
fn keep(pulling: Pulling, path: &Path, format: Format) -> Result<Exit, Exit> {
    let created = OpenOptions::new().read(true).write(true).create_new(true).open(path);
    let file = created.map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => {
            eprintln!("error: {} exists already: give the name of a new file", path.display());
            Exit::Mistake
        }
        _ => fault(&format_args!("cannot create {}: {error}", path.display())),
    })?;
    let kept = FileBackend::new(file)
        .map_err(|error| fault(&format_args!("cannot use {}: {error}", path.display())))
        .and_then(|backend| keep_in(pulling, backend, path));
    let (map, count) = match kept {
        Ok(kept) => kept,
        Err(exit) => {
            let _ = fs::remove_file(path);
            return Err(exit);
        }
    };
    match format {
        Format::Text => {
            print(&format!("{count} records of {} owners kept in {}\n", map.len(), path.display()))?
        }
        Format::Json => {
            let object = json!({
                "server": pulling.server.to_string(),
                "owners": map.iter().map(owner_json).collect::<Vec<_>>(),
                "records": count,
                "store": path.display().to_string(),
            });
            print(&format!("{object}\n"))?;
        }
    }
    Ok(Exit::Success)
}

fn keep_in(
    pulling: Pulling,
    backend: FileBackend,
    path: &Path,
) -> Result<(Vec<OwnerRecord>, u64), Exit> {
    let bad = |error: &dyn std::fmt::Display| format!("cannot write {}: {error}", path.display());
    let mut store = WinsStore::open(backend).map_err(|error| fault(&bad(&error)))?;
    let profile = WinsProfile::new(WinsVersion::W2k3, 0);
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let wall = WallTime(since_epoch.as_nanos() as u64);
    let mut out = Outbox::default();
    let mut count = 0;
    let mut sink = |owner, records: Vec<ReplicaRecord>| {
        for record in &records {
            let Some(record) = from_wire(record, Owner(owner), &profile, wall) else { continue };
            out.clear();
            let bytes = out.write(|bytes| record.encode(bytes));
            store.apply(&StoreOp::Put { record: bytes }, &out);
            count += 1;
            if store.pending() >= COMMIT_EVERY {
                store.commit().map_err(|error| bad(&error))?;
            }
        }
        Ok(())
    };
    let map = pull(pulling, &mut sink).map_err(failed)?;
    for record in &map {
        let (owner, version) = (Owner(record.owner), VersionId(record.version_max));
        store.apply(&StoreOp::OwnerMaximum { owner, version }, &out);
        // A server that takes the place of the one pulled from must not give a version out again.
        if record.owner == *pulling.server.ip() {
            store.apply(&StoreOp::ReserveVersions { upto: version }, &out);
        }
    }
    store.commit().map_err(|error| fault(&bad(&error)))?;
    Ok((map, count))
}
