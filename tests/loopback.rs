//! The server as people run it: the program itself, real datagrams and connections on loopback.
//!
//! Every test has loopback addresses of its own and ports above 1023, so that no privilege is needed and
//! tests do not meet, not even those of another run on the same machine. Waits end when what is waited for
//! has happened; none is judged by its length.

mod loopback_support;

use loopback_support::{Client, Folder, Server, address, expect_exit, program};
use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use winstorm::wire::name_service::Rcode;

#[test]
fn names_are_registered_answered_and_given_up() {
    let folder = Folder::new();
    let server = Server::start(address(1), &folder, &["--name", "OURSRV"]);
    let client = Client::new(address(2), &server);
    assert_eq!(client.register("FILES1", 0x20), Rcode::Ok);
    assert_eq!(client.query("FILES1", 0x20), Some(vec![client.address()]));
    let other = Client::new(address(3), &server);
    other.release("FILES1", 0x20);
    assert!(client.query("FILES1", 0x20).is_some(), "only the holder gives a name up");
    assert_eq!(client.release("FILES1", 0x20), Rcode::Ok);
    assert_eq!(client.query("FILES1", 0x20), None);
}

#[test]
fn the_host_answers_for_its_own_names_and_defends_them() {
    let folder = Folder::new();
    let server = Server::start(address(4), &folder, &["--name", "OURSRV", "--workgroup", "HOME"]);
    let client = Client::new(address(5), &server);
    assert_eq!(client.query("OURSRV", 0x20), Some(vec![server.address]));
    assert_eq!(client.register("OURSRV", 0x20), Rcode::Active);
    assert_eq!(client.refresh("OURSRV", 0x20), Rcode::Active);
    assert_eq!(client.release("OURSRV", 0x20), Rcode::Active);
    assert_eq!(client.query("OURSRV", 0x20), Some(vec![server.address]));
    let names = client.node_status();
    for own in ["OURSRV<00>", "OURSRV<20>", "HOME<00>"] {
        assert!(names.iter().any(|name| name == own), "{own} is missing: {names:?}");
    }
}

// rule: challenge/source-port
#[test]
fn a_holder_is_challenged_where_names_are_served() {
    let folder = Folder::new();
    let server = Server::start(address(6), &folder, &[]);
    let holder = Client::at_name_port(address(7), &server);
    assert_eq!(holder.register("PRINTER", 0x20), Rcode::Ok);
    let claimant = Client::new(address(8), &server);
    let answer = claimant.register_against("PRINTER", 0x20, &holder, true);
    assert_eq!(answer, Rcode::Active, "the holder said that it holds the name");
    let answer = claimant.register_against("PRINTER", 0x20, &holder, false);
    assert_eq!(answer, Rcode::Ok, "the holder said that it does not");
    assert_eq!(claimant.query("PRINTER", 0x20), Some(vec![claimant.address()]));
}

#[test]
fn a_restart_keeps_every_name_whatever_ended_the_run() {
    for commit in ["strict", "lazy"] {
        let folder = Folder::new();
        let server = Server::start(address(9), &folder, &["--commit", commit]);
        let client = Client::new(address(10), &server);
        for n in 0..300 {
            assert_eq!(client.register(&format!("HOST-{n}"), 0x20), Rcode::Ok);
        }
        assert_eq!(server.stop("TERM"), Some(0));
        let server = Server::start(address(9), &folder, &["--commit", commit]);
        for n in 0..300 {
            assert!(client.query(&format!("HOST-{n}"), 0x20).is_some(), "HOST-{n}, {commit}");
        }
        assert_eq!(server.stop("INT"), Some(0));
    }
}

#[test]
fn what_a_strict_server_answered_survives_its_violent_end() {
    let folder = Folder::new();
    let server = Server::start(address(11), &folder, &[]);
    let client = Client::new(address(12), &server);
    for n in 0..50 {
        assert_eq!(client.register(&format!("HOST-{n}"), 0x20), Rcode::Ok);
    }
    assert_eq!(server.stop("KILL"), None);
    let _server = Server::start(address(11), &folder, &[]);
    for n in 0..50 {
        assert!(client.query(&format!("HOST-{n}"), 0x20).is_some(), "HOST-{n}");
    }
}

#[test]
fn a_second_server_on_one_store_and_one_on_a_taken_port_refuse() {
    let folder = Folder::new();
    let server = Server::start(address(13), &folder, &[]);
    let store = folder.store();
    let said = expect_exit(4, &Server::arguments(address(14), &store, &[]));
    assert!(said.contains("open in another program"), "{said}");
    let other = folder.path().join("other.db");
    let said = expect_exit(4, &Server::arguments(address(13), &other, &[]));
    assert!(said.contains("is in use") && said.contains("--name-port"), "{said}");
    let client = Client::new(address(14), &server);
    assert_eq!(client.register("STILL-THERE", 0), Rcode::Ok);
}

#[test]
fn mistakes_are_refused_before_anything_is_opened() {
    let folder = Folder::new();
    let own = address(15);
    let text = own.to_string();
    let cases: &[(&[&str], &str)] = &[
        (&["--partner", &text], "is this server itself"),
        (&["--renewal", "0s"], "renewal_interval is 0s"),
        (&["--pull-interval", "0s"], "pull_interval is 0s"),
        (&["--push-after", "0"], "push_after is 0"),
        (&["--extinction", "1min"], "extinction_interval is 1min"),
        (&["--renewal", "10"], "did you mean `10s`?"),
        (&["--profile", "nt5"], "`nt5` is no version"),
        (&["--name", "A-NAME-OF-SIXTEEN"], "at most 15"),
        (&["--partner", "255.255.255.255"], "is no host's address"),
        (&["--static", "no-such-file"], "no-such-file"),
        (&["--listen", "0.0.0.0"], "give one address of this machine"),
    ];
    for (options, expected) in cases {
        let said = expect_exit(2, &Server::arguments(own, &folder.store(), options));
        assert!(said.contains(expected), "{options:?}: {said}");
    }
    assert!(!folder.store().exists(), "nothing was made");
}

#[test]
fn a_bad_file_of_static_mappings_is_named_with_its_line() {
    let folder = Folder::new();
    let file = folder.path().join("lmhosts");
    fs::write(&file, "10.0.0.1 GOOD\n10.0.0.2 BAD what is this\n").expect("written");
    let file = file.display().to_string();
    let said =
        expect_exit(2, &Server::arguments(address(16), &folder.store(), &["--static", &file]));
    assert!(said.contains("line 2"), "{said}");
    fs::write(&file, "10.0.0.1 GOOD\n").expect("written");
    let server = Server::start(address(16), &folder, &["--static", &file]);
    let client = Client::new(address(17), &server);
    assert_eq!(client.query("GOOD", 0x20), Some(vec!["10.0.0.1".parse().expect("an address")]));
}

#[test]
fn floods_and_rubbish_from_one_address_leave_the_others_alone() {
    let folder = Folder::new();
    let server = Server::start(address(18), &folder, &["--flood-limit", "50", "--log", "json"]);
    let flooder = Client::new(address(19), &server);
    for n in 0..2000u32 {
        let mut rubbish = vec![n as u8; (n % 1400) as usize];
        rubbish.extend_from_slice(&n.to_le_bytes());
        flooder.send(&rubbish);
    }
    flooder.send(&[]);
    flooder.send(&[0xFF; 9000]);
    let client = Client::new(address(20), &server);
    assert_eq!(client.register("CALM", 0x20), Rcode::Ok);
    let counters = server.counters();
    assert!(counters["flood_drops"].as_u64() > Some(0), "{counters}");
    assert!(counters["malformed"].as_u64() > Some(0), "{counters}");
    let lines = server.log().iter().filter(|line| line.contains("too many requests")).count();
    assert!((1..100).contains(&lines), "{lines} lines about two thousand datagrams");
}

// rule: assoc/limit
#[test]
fn peers_that_lie_or_stall_are_dropped_and_the_server_goes_on() {
    let folder = Folder::new();
    let server = Server::start(address(21), &folder, &[]);
    let connect = || TcpStream::connect(server.replication()).expect("a connection");
    // A message of four gigabytes, and one too short for its header.
    for length in [u32::MAX, 3] {
        let mut liar = connect();
        liar.write_all(&length.to_be_bytes()).expect("sent");
        liar.write_all(&[7; 64]).expect("sent");
        assert_eq!(liar.read(&mut [0; 16]).unwrap_or(0), 0, "length {length}: closed");
    }
    // Rubbish of the right length.
    let mut rubbish = connect();
    rubbish.write_all(&[0, 0, 0, 40]).expect("sent");
    rubbish.write_all(&[0xA5; 40]).expect("sent");
    // Half a message, and then silence or the end.
    let mut half = connect();
    half.write_all(&[0, 0, 0, 40, 1, 2, 3]).expect("sent");
    let mut ended = connect();
    ended.write_all(&[0, 0]).expect("sent");
    ended.shutdown(Shutdown::Both).expect("ended");
    // More connections than one peer gets.
    let many: Vec<_> = (0..80).map(|_| connect()).collect();
    let client = Client::new(address(22), &server);
    assert_eq!(client.register("CALM", 0x20), Rcode::Ok);
    let counters = server.counters();
    assert!(counters["streams_turned_away"].as_u64() > Some(0), "{counters}");
    drop((many, half, rubbish));
}

// rule: peer/stranger-pull
#[test]
fn strangers_may_not_pull() {
    let folder = Folder::new();
    let server = Server::start(address(23), &folder, &[]);
    let mut command = program(&["pull", "--server", &server.address.to_string(), "--port"]);
    command.arg(server.replication().port().to_string());
    let output = command.output().expect("it starts");
    assert!(!output.status.success(), "a stranger got records");
    let refused = || server.log().iter().any(|line| line.contains("PullRefused"));
    loopback_support::wait_for("the refusal in the log", refused);
}

// rule: partner/port
#[test]
fn two_servers_replicate() {
    let folders = [Folder::new(), Folder::new()];
    let (a, b) = (address(24), address(25));
    let options =
        |partner: String| ["--push-after", "20", "--partner", &partner].map(String::from).to_vec();
    let first_server = Server::start_with(a, &folders[0], &options(b.to_string()));
    let second_server = Server::start_with(b, &folders[1], &options(a.to_string()));
    let client = Client::new(address(26), &first_server);
    assert_eq!(client.register("TRAVELLER", 0x20), Rcode::Ok);
    // Partners hear of it after twenty changes, the least this version can be set to.
    for n in 0..25 {
        assert_eq!(client.register(&format!("HOST-{n}"), 0x20), Rcode::Ok);
    }
    let elsewhere = Client::new(address(26), &second_server);
    let arrived = || elsewhere.query("TRAVELLER", 0x20) == Some(vec![client.address()]);
    loopback_support::wait_for("the record at the partner", arrived);
}

#[test]
fn a_program_hears_of_every_change() {
    let folder = Folder::new();
    let heard = folder.path().join("heard");
    let script = folder.script(&format!("echo \"$@\" >> {}", heard.display()));
    let server = Server::start(address(27), &folder, &["--name", "OURSRV", "--on-change", &script]);
    let client = Client::new(address(28), &server);
    assert_eq!(client.register("FILES-1", 0x20), Rcode::Ok);
    assert_eq!(client.register("$(BAD)", 0x20), Rcode::Ok);
    assert_eq!(client.refresh("FILES-1", 0x20), Rcode::Ok);
    assert_eq!(client.release("FILES-1", 0x20), Rcode::Ok);
    let lines = || fs::read_to_string(&heard).unwrap_or_default();
    loopback_support::wait_for("the last change", || lines().contains("delete FILES-1 20 0"));
    let address = client.address();
    assert!(lines().contains(&format!("add FILES-1 20 518400 {address}")), "{}", lines());
    assert!(!lines().contains("BAD"), "{}", lines());
}

#[test]
fn a_recording_replays_to_the_same_answers_and_the_same_database() {
    let folder = Folder::new();
    let recording = folder.path().join("recording");
    let shown = recording.display().to_string();
    let lmhosts = folder.path().join("lmhosts");
    fs::write(&lmhosts, "10.0.0.1 GOOD\n10.0.0.2 BETTER #DOM:CORP\n").expect("written");
    let statics = lmhosts.display().to_string();
    // The first run fills the store, so that the recording does not begin with an empty one.
    for turn in 0..2 {
        let options = ["--record", &shown, "--static", &statics];
        let server = Server::start(address(29), &folder, &options);
        let client = Client::new(address(30), &server);
        let holder = Client::at_name_port(address(31), &server);
        for n in 0..40 {
            assert_eq!(client.register(&format!("HOST-{turn}-{n}"), 0x20), Rcode::Ok);
        }
        assert_eq!(client.query("GOOD", 0x20).map(|found| found.len()), Some(1));
        holder.register("PRINTER", 0x20);
        client.register_against("PRINTER", 0x20, &holder, true);
        client.send(b"rubbish");
        let mut peer = TcpStream::connect(server.replication()).expect("a connection");
        peer.write_all(&[0, 0, 0, 40, 1, 2, 3]).expect("sent");
        assert_eq!(client.query("NOBODY", 0x20), None);
        assert_eq!(server.stop("TERM"), Some(0));
    }
    let again = folder.path().join("again.db").display().to_string();
    let output = program(&["replay", &shown, "--store", &again]).output().expect("it starts");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("the same answers and the same database"), "{said}");
    assert_eq!(fs::read(&again).expect("replayed"), fs::read(folder.store()).expect("recorded"));
    planted_changes_are_noticed(&folder, &fs::read(&recording).expect("the recording"));
}

/// Changes one byte here and there.
fn planted_changes_are_noticed(folder: &Folder, recording: &[u8]) {
    let path = folder.path().join("changed");
    let shown = path.display().to_string();
    for part in 1..20 {
        let mut changed = recording.to_vec();
        let at = recording.len() / 20 * part;
        changed[at] ^= 0x10;
        fs::write(&path, changed).expect("written");
        let output = program(&["replay", &shown]).output().expect("it starts");
        assert!(!output.status.success(), "byte {at} of {} went unnoticed", recording.len());
    }
    // What is cut off ends early, and that is said.
    fs::write(&path, &recording[..recording.len() - 60]).expect("written");
    let output = program(&["replay", &shown]).output().expect("it starts");
    assert!(String::from_utf8_lossy(&output.stdout).contains("has no end"));
}

// rule: start/database
#[test]
fn a_damaged_store_is_left_alone_and_can_be_salvaged() {
    let folder = Folder::new();
    let server = Server::start(address(32), &folder, &[]);
    let client = Client::new(address(33), &server);
    for n in 0..200 {
        assert_eq!(client.register(&format!("HOST-{n}"), 0x20), Rcode::Ok);
    }
    assert_eq!(server.stop("TERM"), Some(0));
    let mut bytes = fs::read(folder.store()).expect("the store");
    // Somewhere in a record of the tree.
    let at = bytes.windows(6).position(|window| window == b"HOST-7").expect("a record") + 30;
    bytes[at] ^= 0xFF;
    fs::write(folder.store(), &bytes).expect("damaged");
    let said = expect_exit(4, &Server::arguments(address(32), &folder.store(), &[]));
    assert!(said.contains("damaged") && said.contains("--salvage"), "{said}");
    assert_eq!(fs::read(folder.store()).expect("the store"), bytes, "left as it was");
    let new = folder.path().join("new.db");
    let salvage = ["--salvage", &new.display().to_string()];
    let said = expect_exit(0, &Server::arguments(address(32), &folder.store(), &salvage));
    assert!(said.contains("records are in"), "{said}");
    let other = Folder::with_store(&new);
    let server = Server::start(address(32), &other, &[]);
    let client = Client::new(address(33), &server);
    let found = (0..200).filter(|n| client.query(&format!("HOST-{n}"), 0x20).is_some()).count();
    assert!(found >= 190, "{found} of 200 names were saved");
}

#[test]
fn a_foreign_file_is_no_store() {
    let folder = Folder::new();
    fs::write(folder.store(), "just some text, longer than a header would be").expect("written");
    let said = expect_exit(4, &Server::arguments(address(34), &folder.store(), &[]));
    assert!(said.contains("no WINS database"), "{said}");
    let text = fs::read_to_string(folder.store()).expect("still there");
    assert!(text.starts_with("just some text"));
}

// rule: backup/auto-restore
#[test]
fn a_damaged_database_gives_way_to_its_backup_at_start() {
    let folder = Folder::new();
    let copy = folder.path().join("copy.db");
    let backup = ["--backup", &copy.display().to_string()];
    let server = Server::start(address(37), &folder, &backup);
    let client = Client::new(address(38), &server);
    for n in 0..50 {
        assert_eq!(client.register(&format!("HOST-{n}"), 0x20), Rcode::Ok);
    }
    assert_eq!(server.stop("TERM"), Some(0));
    let mut bytes = fs::read(folder.store()).expect("the store");
    let at = bytes.windows(6).position(|window| window == b"HOST-7").expect("a record") + 30;
    bytes[at] ^= 0xFF;
    fs::write(folder.store(), &bytes).expect("damaged");
    let server = Server::start(address(37), &folder, &backup);
    assert!(server.log().iter().any(|line| line.contains("takes its place")));
    let client = Client::new(address(38), &server);
    let found = (0..50).filter(|n| client.query(&format!("HOST-{n}"), 0x20).is_some()).count();
    assert_eq!(found, 50);
    let mut kept = folder.store().into_os_string();
    kept.push(".damaged");
    assert_eq!(fs::read(kept).expect("the damaged file"), bytes, "kept as it was");
}

// rule: backup/at-stop, backup/manual-restore
#[test]
fn a_backup_is_made_at_the_end_and_can_be_restored() {
    let folder = Folder::new();
    let copy = folder.path().join("copy.db");
    let shown = copy.display().to_string();
    let server = Server::start(address(35), &folder, &["--backup", &shown]);
    let client = Client::new(address(36), &server);
    assert_eq!(client.register("FILES1", 0x20), Rcode::Ok);
    assert_eq!(server.stop("TERM"), Some(0));
    let restored = Folder::with_store(&copy);
    let server = Server::start(address(35), &restored, &["--restored"]);
    let client = Client::new(address(36), &server);
    assert_eq!(client.query("FILES1", 0x20), Some(vec![client.address()]));
}
