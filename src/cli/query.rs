//! `winstorm query`: who holds a name?

use super::asking::{Transport, in_words, object, waits};
use super::exit::Exit;
use crate::serve::ask::{Request, node_letter};
use crate::wire::NetbiosName;
use crate::wire::name_service::Rcode;
use clap::Args;
use std::fmt::Write;
use std::net::Ipv4Addr;

#[derive(Args, Debug)]
#[command(
    after_help = "Exit codes: 0 found, 1 a negative answer, 2 a mistake in usage, 4 no answer."
)]
pub(super) struct QueryArguments {
    /// The name: FILES1 (suffix 20), or with a suffix in hexadecimal: CORP#1C.
    #[arg(value_name = "NAME[#SUFFIX]")]
    name: NetbiosName,
    /// The WINS server.
    #[arg(long, value_name = "IP")]
    server: Ipv4Addr,
    #[command(flatten)]
    transport: Transport,
}

pub(super) fn main(arguments: &QueryArguments) -> Exit {
    let QueryArguments { name, server, transport } = arguments;
    let reply = match transport.ask(*server, &Request::Query, name) {
        Ok(reply) => reply,
        Err(exit) => return exit,
    };
    let positive = reply.rcode == Rcode::Ok;
    let mut text = String::new();
    if !positive {
        let _ = writeln!(text, "{name}  {}{}", in_words(reply.rcode), waits(&reply));
    }
    for entry in &reply.entries {
        let kind = if entry.flags.is_group() { "group" } else { "unique" };
        let node = node_letter(entry.flags.node_type());
        let _ = writeln!(text, "{name}  {:<15}  {kind}, {node} node", entry.address);
    }
    transport.show(positive, &text, &object(name, *server, &reply))
}
