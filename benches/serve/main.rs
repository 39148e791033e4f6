//! Throughput of a WINS server on real sockets: requests a second, latency, and whether the answers are
//! right.
//!
//! `cargo bench --bench serve` starts `winstorm serve wins` itself, strict and lazy, and measures every mix
//! with 64 and 1,000 requests outstanding. `cargo bench --bench serve -- --server IP[:PORT] --mix mixed
//! --outstanding 64 --seconds 3` measures any server that is running already, and prints one line. Without
//! `--bench` (as `cargo test --bench serve` runs it) a few thousand requests must be answered rightly.
//!
//! Compare only what was measured one right after the other on the same machine.

#![allow(clippy::disallowed_types)] // a benchmark measures real time

mod load;

use load::{Load, Mix, Outcome, Plan};
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};
use winstorm::wire::name_service::PORT;

const ALL: [Mix; 3] = [Mix::Mixed, Mix::Queries, Mix::Registrations];
const HEAD: &str = "what                                ops/s    p50 us    p99 us    max us   retries failures wrong bursts";

struct Options {
    server: Option<SocketAddrV4>,
    from: Ipv4Addr,
    mixes: Vec<Mix>,
    outstanding: Vec<usize>,
    names: usize,
    first: u64,
    seconds: f64,
    label: String,
    full: bool,
}

fn usage(what: &str) -> ExitCode {
    eprintln!(
        "{what}\nserve [--server IP[:PORT]] [--from IP] [--mix mixed|queries|registrations] \
         [--outstanding N] [--names N] [--first N] [--seconds S] [--label TEXT]"
    );
    ExitCode::from(2)
}

fn options(arguments: &[String]) -> Option<Options> {
    let mut options = Options {
        server: None,
        from: Ipv4Addr::LOCALHOST,
        mixes: Vec::new(),
        outstanding: Vec::new(),
        names: 10_000,
        first: 0,
        seconds: 2.0,
        label: String::new(),
        full: false,
    };
    let mut rest = arguments.iter();
    while let Some(option) = rest.next() {
        if option == "--bench" {
            options.full = true;
            continue;
        }
        let value = rest.next()?;
        match option.as_str() {
            "--server" => {
                let alone = value.parse().map(|ip| SocketAddrV4::new(ip, PORT));
                options.server = Some(alone.or_else(|_| value.parse()).ok()?);
            }
            "--from" => options.from = value.parse().ok()?,
            "--mix" => options.mixes.push(Mix::named(value)?),
            "--outstanding" => options.outstanding.push(value.parse().ok()?),
            "--names" => options.names = value.parse().ok()?,
            "--first" => options.first = value.parse().ok()?,
            "--seconds" => options.seconds = value.parse().ok()?,
            "--label" => options.label = value.clone(),
            _ => return None,
        }
    }
    if options.mixes.is_empty() {
        options.mixes = ALL.to_vec();
    }
    if options.outstanding.is_empty() {
        options.outstanding = vec![64, 1000];
    }
    Some(options)
}

fn line(label: &str, outcome: &Outcome) -> String {
    format!(
        "{label:<32} {:>8.0} {:>9.1} {:>9.1} {:>9.0} {:>9} {:>8} {:>5} {:>6}",
        outcome.rate(),
        outcome.micros(0.5),
        outcome.micros(0.99),
        outcome.micros(1.0),
        outcome.retries,
        outcome.failures,
        outcome.wrong,
        outcome.bursts,
    )
}

/// Every mix with every number outstanding, one line each; whether all was answered rightly.
fn measure(options: &Options, server: SocketAddrV4, label: &str, operations_max: u64) -> bool {
    let mut good = true;
    let mut first = options.first;
    for &mix in &options.mixes {
        for &outstanding in &options.outstanding {
            let plan = Plan {
                server,
                from: options.from,
                outstanding,
                mix,
                names: options.names.max(2 * outstanding),
                first,
                lasts: Duration::from_secs_f64(options.seconds),
                operations_max,
            };
            // Names of the next measurement are not those of this one.
            first += 50_000_000;
            let what = format!("{label} {} {outstanding}", format!("{mix:?}").to_lowercase());
            match Load::new(plan).and_then(Load::run) {
                Ok(outcome) => {
                    println!("{}", line(what.trim(), &outcome));
                    good &= outcome.failures == 0 && outcome.wrong == 0 && outcome.operations > 0;
                }
                Err(error) => {
                    println!("{what}: {error}");
                    good = false;
                }
            }
        }
    }
    good
}

/// The program, serving; ends with the value.
struct Server(Child);

impl Server {
    fn start(at: SocketAddrV4, store: &Path, commit: &str) -> Server {
        let free = std::net::TcpListener::bind((*at.ip(), 0)).expect("a port");
        let replication = free.local_addr().expect("an address").port().to_string();
        drop(free);
        let (ip, port) = (at.ip().to_string(), at.port().to_string());
        let child = Command::new(env!("CARGO_BIN_EXE_winstorm"))
            .args(["serve", "wins", "--listen", &ip, "--name-port", &port, "--commit", commit])
            .args(["--replication-port", &replication, "--quiet", "--store"])
            .arg(store)
            .stdin(Stdio::null())
            .spawn()
            .expect("the program starts");
        Server(child)
    }

    /// Asks for a name until there is an answer.
    fn wait_until_up(&self, at: SocketAddrV4) {
        let probe = UdpSocket::bind((*at.ip(), 0)).expect("a port");
        probe.connect(at).expect("connected");
        probe.set_read_timeout(Some(Duration::from_millis(50))).expect("a time-out");
        let mut query = Vec::new();
        let name = "UP".parse().expect("a name");
        let scope = winstorm::wire::ScopeId::none();
        winstorm::wire::name_service::compose::query(1, &name, &scope, false, &mut query);
        let end = Instant::now() + Duration::from_secs(60);
        while Instant::now() < end {
            if probe.send(&query).is_ok() && probe.recv(&mut [0; 1024]).is_ok() {
                return;
            }
            // A refusal comes at once: the socket is not bound yet.
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("the server does not answer");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn measure_our_own(options: &Options) -> bool {
    let operations_max = if options.full { u64::MAX } else { 3000 };
    let mut good = true;
    for commit in ["strict", "lazy"] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let free = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let at = SocketAddrV4::new(Ipv4Addr::LOCALHOST, free.local_addr().expect("one").port());
        drop(free);
        let server = Server::start(at, &folder.path().join("wins.redb"), commit);
        server.wait_until_up(at);
        good &= measure(options, at, commit, operations_max);
    }
    good
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some(options) = options(&arguments) else { return usage("what is that?") };
    let good = match options.server {
        // One line a measurement, for scripts.
        Some(server) => measure(&options, server, &options.label, u64::MAX),
        None => {
            println!("{HEAD}");
            measure_our_own(&options)
        }
    };
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
