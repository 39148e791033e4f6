//! `winstorm release`: give a name up at a WINS server.

use super::asking::{Transport, in_words, object, waits};
use super::exit::Exit;
use crate::serve::ask::Request;
use crate::wire::NetbiosName;
use crate::wire::name_service::{NbFlags, NodeType, Rcode};
use clap::Args;
use std::net::Ipv4Addr;

#[derive(Args, Debug)]
#[command(
    after_help = "A WINS server goes by the address that a release is sent from, and says yes also when it \
                  ignores it:\nuse --from with the address registered, and `winstorm query` to see what \
                  became of the name.\n\
                  Exit codes: 0 a positive answer, 1 a negative one, 2 a mistake in usage, 4 no answer."
)]
pub(super) struct ReleaseArguments {
    /// The name: FILES1 (suffix 20), or with a suffix in hexadecimal: CORP#1C.
    #[arg(value_name = "NAME[#SUFFIX]")]
    name: NetbiosName,
    /// The WINS server.
    #[arg(long, value_name = "IP")]
    server: Ipv4Addr,
    /// The address in the request; the one it is sent from unless given.
    #[arg(long, value_name = "IP")]
    address: Option<Ipv4Addr>,
    /// A group name.
    #[arg(long)]
    group: bool,
    #[command(flatten)]
    transport: Transport,
}

pub(super) fn main(arguments: &ReleaseArguments) -> Exit {
    let ReleaseArguments { name, server, transport, .. } = arguments;
    let flags = NbFlags::new(arguments.group, NodeType::H);
    let request = Request::Release { address: arguments.address, flags };
    let reply = match transport.ask(*server, &request, name) {
        Ok(reply) => reply,
        Err(exit) => return exit,
    };
    let (positive, local) = (reply.rcode == Rcode::Ok, reply.local);
    let result = match positive {
        true => format!("released for {}", arguments.address.unwrap_or(local)),
        false => in_words(reply.rcode),
    };
    let text = format!("{name}  {result}{}\n", waits(&reply));
    let mut object = object(name, *server, &reply);
    object["from"] = serde_json::json!(local.to_string());
    transport.show(positive, &text, &object)
}
