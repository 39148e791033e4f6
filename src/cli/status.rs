//! `winstorm status`: the name table of a machine, as nbtstat -A shows it (RFC 1002 4.2.18).

use super::asking::{Transport, in_words, object};
use super::exit::Exit;
use crate::serve::ask::{Reply, Request, Status, node_letter};
use crate::wire::name_service::{NameFlags, NodeStatusName};
use crate::wire::{NetbiosName, Suffix};
use clap::Args;
use serde_json::{Value, json};
use std::fmt::Write;
use std::net::Ipv4Addr;

#[derive(Args, Debug)]
#[command(
    after_help = "Exit codes: 0 a name table, 1 a negative answer, 2 a mistake in usage, 4 no answer."
)]
pub(super) struct StatusArguments {
    /// The machine.
    #[arg(value_name = "IP")]
    machine: Ipv4Addr,
    /// Ask for this name instead of `*`, which every machine knows.
    #[arg(long, value_name = "NAME[#SUFFIX]")]
    name: Option<NetbiosName>,
    #[command(flatten)]
    transport: Transport,
}

pub(super) fn main(arguments: &StatusArguments) -> Exit {
    let StatusArguments { machine, transport, .. } = arguments;
    let name = arguments.name.unwrap_or(NetbiosName::ANY);
    let reply = match transport.ask(*machine, &Request::Status, &name) {
        Ok(reply) => reply,
        Err(exit) => return exit,
    };
    let Some(status) = &reply.status else {
        let text = format!("{machine}  {}\n", in_words(reply.rcode));
        return transport.show(false, &text, &object(&name, *machine, &reply));
    };
    transport.show(true, &table(*machine, status), &as_json(&name, *machine, &reply, status))
}

fn table(machine: Ipv4Addr, status: &Status) -> String {
    let mut text = format!("names of {machine}\n");
    for entry in &status.names {
        let what = words(entry.flags).join(", ");
        let node = node_letter(entry.flags.node_type());
        // The suffix in its own column, so that names line up.
        let shown = entry.name.to_string();
        let base = &shown[..shown.len() - 4];
        let Suffix(suffix) = entry.name.suffix();
        let _ =
            writeln!(text, "  {base:<15} <{suffix:02X}>  {:<6}  {node} node  {what}", kind(entry));
    }
    match &status.statistics {
        Some(statistics) => {
            let _ = writeln!(text, "MAC address {}", mac(&statistics.unit_id));
        }
        None => text.push_str("no MAC address: the answer is cut short\n"),
    }
    text
}

fn kind(entry: &NodeStatusName) -> &'static str {
    if entry.flags.is_group() { "group" } else { "unique" }
}

/// What nbtstat calls a name's status, and the flags beside it.
fn words(flags: NameFlags) -> Vec<&'static str> {
    let mut words = Vec::new();
    let all = [
        (flags.is_conflict(), "conflict"),
        (flags.is_deregistering(), "being released"),
        (flags.is_active() && !flags.is_conflict(), "registered"),
        (!flags.is_active(), "not active"),
        (flags.is_permanent(), "permanent"),
    ];
    words.extend(all.iter().filter(|(holds, _)| *holds).map(|(_, word)| *word));
    words
}

fn mac(unit_id: &[u8; 6]) -> String {
    unit_id.map(|byte| format!("{byte:02X}")).join("-")
}

fn as_json(name: &NetbiosName, machine: Ipv4Addr, reply: &Reply, status: &Status) -> Value {
    let names = status.names.iter().map(|entry| {
        json!({
            "name": entry.name.to_string(),
            "group": entry.flags.is_group(),
            "node_type": node_letter(entry.flags.node_type()).to_string(),
            "active": entry.flags.is_active(),
            "conflict": entry.flags.is_conflict(),
            "deregistering": entry.flags.is_deregistering(),
            "permanent": entry.flags.is_permanent(),
        })
    });
    let mut object = object(name, machine, reply);
    object["names"] = names.collect();
    object["mac"] = json!(status.statistics.as_ref().map(|it| mac(&it.unit_id)));
    object
}
