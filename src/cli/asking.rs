//! What the commands that ask a real server have in common: where, from where, how long, and how to answer.

use super::exit::{Exit, fault, print};
use crate::base::SimDuration;
use crate::scenario::parse_interval;
use crate::serve::ask::{AskError, Asking, Reply, Request, ask, node_letter};
use crate::serve::ask::{rcode_meaning, rcode_name};
use crate::wire::name_service::Rcode;
use crate::wire::{NetbiosName, ScopeId, name_service};
use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use std::net::{Ipv4Addr, SocketAddrV4};

/// How a name service request travels, and how its answer is shown.
#[derive(Args, Debug)]
pub(super) struct Transport {
    /// UDP port to ask.
    #[arg(long, value_name = "PORT", default_value_t = name_service::PORT)]
    port: u16,
    /// Local address to ask from, with a port if need be: `10.0.0.5` or `10.0.0.5:137`.
    #[arg(long, value_name = "ADDR", value_parser = parse_from)]
    from: Option<SocketAddrV4>,
    /// How long each try waits.
    #[arg(long, value_name = "TIME", default_value = "1.5s", value_parser = parse_interval)]
    timeout: SimDuration,
    /// How often to ask before giving up.
    #[arg(long, value_name = "N", default_value_t = 3,
          value_parser = clap::value_parser!(u32).range(1..=100))]
    tries: u32,
    /// NetBIOS scope, as a rule none.
    #[arg(long, value_name = "SCOPE", value_parser = parse_scope)]
    scope: Option<ScopeId>,
    /// What to print.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,
}

/// What to print.
#[derive(Copy, Clone, PartialEq, Eq, Debug, ValueEnum)]
pub(super) enum Format {
    /// Lines for people.
    Text,
    /// One JSON object.
    Json,
}

/// An address, or an address and a port.
pub(super) fn parse_from(text: &str) -> Result<SocketAddrV4, String> {
    let address = text.parse::<Ipv4Addr>().map(|address| SocketAddrV4::new(address, 0));
    address.or_else(|_| text.parse::<SocketAddrV4>()).map_err(|_| {
        "write an IPv4 address, 10.0.0.5, or one with a port, 10.0.0.5:137".to_string()
    })
}

fn parse_scope(text: &str) -> Result<ScopeId, String> {
    ScopeId::new(text.as_bytes()).map_err(|error| error.to_string())
}

/// The local end: any address and port unless given.
pub(super) fn local_end(from: Option<SocketAddrV4>) -> SocketAddrV4 {
    from.unwrap_or(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0))
}

impl Transport {
    /// Asks, and says so on standard error when there is no answer.
    pub(super) fn ask(
        &self,
        server: Ipv4Addr,
        request: &Request,
        name: &NetbiosName,
    ) -> Result<Reply, Exit> {
        let asking = Asking {
            server: SocketAddrV4::new(server, self.port),
            from: local_end(self.from),
            timeout: self.timeout,
            tries: self.tries,
        };
        ask(&asking, request, name, &self.scope()).map_err(|error| match error {
            // A local address that is none of ours is a mistake in what was typed.
            AskError::Bind { .. } => {
                eprintln!("error: {error}");
                Exit::Mistake
            }
            error => fault(&error),
        })
    }

    /// The scope wanted.
    pub(super) fn scope(&self) -> ScopeId {
        self.scope.clone().unwrap_or_default()
    }

    /// Prints the lines, or the object, and gives the exit code that the answer stands for.
    pub(super) fn show(&self, positive: bool, text: &str, object: &Value) -> Exit {
        let printed = match self.format {
            Format::Text => print(text),
            Format::Json => print(&format!("{object}\n")),
        };
        match (printed, positive) {
            (Err(exit), _) => exit,
            (Ok(()), true) => Exit::Success,
            (Ok(()), false) => Exit::Failed,
        }
    }
}

/// `ACT_ERR (6): another node owns the name`.
pub(super) fn in_words(rcode: Rcode) -> String {
    format!("{} ({}): {}", rcode_name(rcode), rcode.code(), rcode_meaning(rcode))
}

/// ` after a wait of 9 s`, when the server asked to wait.
pub(super) fn waits(reply: &Reply) -> String {
    let waits: Vec<String> = reply.wacks.iter().map(|seconds| format!("{seconds} s")).collect();
    if waits.is_empty() {
        return String::new();
    }
    format!(", after it asked for time (WACK, {})", waits.join(", "))
}

/// A reply as JSON, with `about` in front of what every reply has.
pub(super) fn object(name: &NetbiosName, server: Ipv4Addr, reply: &Reply) -> Value {
    let entry = |entry: &name_service::NbEntry| {
        json!({
            "address": entry.address.to_string(),
            "group": entry.flags.is_group(),
            "node_type": node_letter(entry.flags.node_type()).to_string(),
        })
    };
    json!({
        "name": name.to_string(),
        "server": server.to_string(),
        "answer": if reply.rcode == Rcode::Ok { "positive" } else { "negative" },
        "rcode": reply.rcode.code(),
        "rcode_name": rcode_name(reply.rcode),
        "meaning": rcode_meaning(reply.rcode),
        "ttl_s": reply.ttl,
        "addresses": reply.entries.iter().map(entry).collect::<Vec<_>>(),
        "wacks_s": reply.wacks,
        "tries": reply.tries,
        "elapsed_ms": reply.elapsed.nanos() as f64 / 1e6,
    })
}
