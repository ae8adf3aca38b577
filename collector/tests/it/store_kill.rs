//! A small sample of the proof of durability: a process with the store is killed a few times, and nothing that it had
//! acknowledged is gone. `cargo xtask prove store-durability` does it often, and with the power cut.

#[path = "../../examples/store_torture/work.rs"]
mod work;

use std::{
    collections::HashMap,
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use muster_collector::store::{
    Position, Store,
    embedded::{EmbeddedOptions, EmbeddedStore},
};
use tempfile::TempDir;

/// Set for the process that is killed: the folder of its store.
const FOLDER: &str = "MUSTER_STORE_KILL_FOLDER";

/// Does nothing unless it is the process to be killed, which this test program starts of itself.
#[test]
fn torture() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(work::run(Path::new(&folder), 8, Duration::from_secs(60))).unwrap();
}

/// Kills the process after so many acknowledgements and returns all that it had printed.
fn killed_after(folder: &Path, acknowledgements: usize) -> Vec<String> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["store_kill::torture", "--exact", "--nocapture"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = Vec::new();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while out.read_line(&mut line).unwrap() > 0 {
        // The last line may be cut, and the test program says things of its own.
        if line.ends_with('\n') && line.starts_with("ack ") {
            lines.push(line.trim_end().to_owned());
        }
        line.clear();
        if lines.len() == acknowledgements {
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    lines
}

#[tokio::test]
async fn what_was_acknowledged_before_a_kill_is_there() {
    let folder = TempDir::new().unwrap();
    let mut acknowledged: HashMap<u64, String> = HashMap::new();
    for acknowledgements in [1, 40, 333, 200] {
        let lines = killed_after(folder.path(), acknowledgements);
        assert!(lines.len() >= acknowledgements, "it ended by itself after {} lines", lines.len());
        for line in lines {
            let mut words = line.splitn(3, ' ').skip(1);
            let position = words.next().unwrap().parse().unwrap();
            assert_eq!(acknowledged.insert(position, words.next().unwrap().to_owned()), None, "{line}");
        }
        let store = EmbeddedStore::open(EmbeddedOptions::new(folder.path())).await.unwrap();
        let changes = store.changes(Position::START, usize::MAX).await.unwrap();
        assert_eq!(store.verify().await.unwrap(), changes.len() as u64);
        let mut kept = HashMap::new();
        for change in changes {
            let writes: Vec<String> = change.writes.iter().map(work::shown_written).collect();
            kept.insert(change.position.number(), writes.join(" "));
        }
        for (position, writes) in &acknowledged {
            assert_eq!(kept.get(position), Some(writes), "position {position}");
        }
        store.close().await.unwrap();
    }
    assert!(acknowledged.len() >= 574);
}
