//! Every number that the cluster service can write into the event log is expected by a shipped scenario, or
//! stands here with the reason why none shows it.

use std::collections::BTreeSet;
use std::path::Path;
use winstorm::cluster::ClusterEvent;

/// Numbers that no scenario shows, and why.
const UNSEEN: [(u16, &str); 3] = [
    (1000, "fatal errors of a node whose own files are gone: tests of the quorum and of the node"),
    (1066, "a volume that the check cannot mend: tests/cluster.rs, a disk that is not mounted"),
    (1073, "a node that cannot apply an update: tests of the global updates"),
];

/// The numbers in `event_logged = { id = N, .. }` of all files below a folder.
fn expected(folder: &Path, found: &mut BTreeSet<u16>) {
    for entry in std::fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("it can be listed").path();
        if path.is_dir() {
            expected(&path, found);
        } else if path.extension().is_some_and(|end| end == "toml") {
            let text = std::fs::read_to_string(&path).expect("it can be read");
            for rest in text.split("event_logged = { id = ").skip(1) {
                let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
                found.extend(digits.parse::<u16>());
            }
        }
    }
}

#[test]
fn every_event_is_shown() {
    let mut found = BTreeSet::new();
    expected(Path::new("scenarios"), &mut found);
    let unseen = |id: &u16| UNSEEN.iter().any(|(known, _)| known == id);
    let missing: Vec<u16> =
        ClusterEvent::IDS.into_iter().filter(|id| !found.contains(id) && !unseen(id)).collect();
    assert!(missing.is_empty(), "no scenario expects {missing:?}");
    let shown: Vec<u16> =
        UNSEEN.iter().map(|(id, _)| *id).filter(|id| found.contains(id)).collect();
    assert!(shown.is_empty(), "scenarios do expect {shown:?}");
}
