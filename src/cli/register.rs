//! `winstorm register`: claim a name at a WINS server, or refresh it.

use super::asking::{Transport, in_words, object, waits};
use super::exit::Exit;
use crate::serve::ask::{RegisterKind, Request};
use crate::wire::NetbiosName;
use crate::wire::name_service::{NbFlags, NodeType, Rcode};
use clap::{Args, ValueEnum};
use serde_json::json;
use std::fmt::Write;
use std::net::Ipv4Addr;

/// Seconds a claim offers: three days, as Microsoft's clients do. The server answers with its own.
const TTL_S: u32 = 300_000;

#[derive(Args, Debug)]
#[command(
    after_help = "Several addresses are claimed one after the other, as multihomed hosts do.\n\
                  Exit codes: 0 registered, 1 a negative answer, 2 a mistake in usage, 4 no answer."
)]
pub(super) struct RegisterArguments {
    /// The name: FILES1 (suffix 20), or with a suffix in hexadecimal: CORP#1C.
    #[arg(value_name = "NAME[#SUFFIX]")]
    name: NetbiosName,
    /// The addresses to register.
    #[arg(value_name = "ADDRESS", required = true)]
    addresses: Vec<Ipv4Addr>,
    /// The WINS server.
    #[arg(long, value_name = "IP")]
    server: Ipv4Addr,
    /// A group name; suffix 1C makes it an internet group.
    #[arg(long)]
    group: bool,
    /// With the opcode of multihomed hosts; so, too, whenever several addresses of a unique name are given.
    #[arg(long, conflicts_with = "refresh")]
    multihomed: bool,
    /// Refresh instead of register.
    #[arg(long)]
    refresh: bool,
    /// The node type to claim.
    #[arg(long, value_enum, default_value_t = Node::H)]
    node: Node,
    #[command(flatten)]
    transport: Transport,
}

/// A node type on the command line.
#[derive(Copy, Clone, PartialEq, Eq, Debug, ValueEnum)]
pub(super) enum Node {
    /// Broadcast.
    B,
    /// Name server only.
    P,
    /// Broadcast, then name server.
    M,
    /// Name server, then broadcast.
    H,
}

impl From<Node> for NodeType {
    fn from(node: Node) -> NodeType {
        match node {
            Node::B => NodeType::B,
            Node::P => NodeType::P,
            Node::M => NodeType::M,
            Node::H => NodeType::H,
        }
    }
}

pub(super) fn main(arguments: &RegisterArguments) -> Exit {
    let RegisterArguments { name, server, transport, .. } = arguments;
    let several = arguments.addresses.len() > 1 && !arguments.group;
    let kind = match (arguments.refresh, arguments.multihomed || several) {
        (true, _) => RegisterKind::Refresh,
        (false, true) => RegisterKind::Multihomed,
        (false, false) => RegisterKind::Plain,
    };
    let flags = NbFlags::new(arguments.group, arguments.node.into());
    let (mut text, mut objects, mut positive) = (String::new(), Vec::new(), true);
    for &address in &arguments.addresses {
        let request = Request::Register { address, flags, kind, ttl: TTL_S };
        let reply = match transport.ask(*server, &request, name) {
            Ok(reply) => reply,
            Err(exit) => {
                // What was answered before is not kept back.
                let _ = transport.show(false, &text, &json!({ "claims": objects }));
                return exit;
            }
        };
        let waits = waits(&reply);
        if reply.rcode == Rcode::Ok {
            let done = if arguments.refresh { "refreshed" } else { "registered" };
            let _ = write!(text, "{name}  {address:<15}  {done}, {}", lifetime(reply.ttl));
        } else {
            positive = false;
            let _ = write!(text, "{name}  {address:<15}  {}", in_words(reply.rcode));
        }
        let _ = writeln!(text, "{waits}");
        let mut object = object(name, *server, &reply);
        object["address"] = json!(address.to_string());
        objects.push(object);
    }
    transport.show(positive, &text, &json!({ "claims": objects }))
}

/// The client must refresh within the TTL; 0 is for ever (RFC 1002 6).
fn lifetime(ttl: u32) -> String {
    match ttl {
        0 => "for ever (TTL 0)".to_string(),
        ttl => format!("TTL {ttl} s"),
    }
}
