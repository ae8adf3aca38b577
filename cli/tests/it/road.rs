//! The commands against a real collector: started by its own program, asked by ours, over mutual TLS.
//!
//! Skips itself, saying so, where `muster-collector` is not built beside `muster`, or has no API to ask.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
};

use tempfile::TempDir;

use crate::program::{Outcome, run};

/// A collector in a folder of its own; stopped when dropped.
struct Collector {
    folder: TempDir,
    child: Child,
    // Kept open, since a closed pipe would be an error for whoever prints.
    _output: BufReader<ChildStdout>,
}

impl Drop for Collector {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn program() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_BIN_EXE_muster")).with_file_name("muster-collector");
    beside.exists().then_some(beside)
}

impl Collector {
    /// Starts one, or says why not.
    fn start() -> Option<Self> {
        let Some(program) = program() else {
            eprintln!("skipped: muster-collector is not built; run cargo build --package muster-collector");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).display().to_string();
        fs::create_dir(at("collector.d")).unwrap();
        let any_port = "agents = \"127.0.0.1:0\"\nenroll = \"127.0.0.1:0\"\napi = \"127.0.0.1:0\"\n";
        fs::write(at("collector.d/ports.toml"), format!("[listen]\n{any_port}")).unwrap();
        let made = Command::new(&program)
            .args(["init", "--name", "localhost", "--trust-domain", "test.muster.internal"])
            .args(["--data", &at("data"), "--config", &at("collector.toml")])
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let mut child = Command::new(&program)
            .args(["serve", "--config", &at("collector.toml")])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut ready = String::new();
        output.read_line(&mut ready).unwrap();
        let collector = Self { folder, child, _output: output };
        let port = ready.rsplit(':').next().unwrap().trim().to_owned();
        assert!(port.parse::<u16>().is_ok(), "the collector did not start: {ready:?}");
        let config = format!(
            "address = \"localhost:{port}\"\nkey = \"data/operator/key.pem\"\ncertificate = \"data/operator/certificate.pem\"\nroots = \"data/operator/roots.pem\"\n"
        );
        fs::write(collector.folder.path().join("muster.toml"), config).unwrap();
        if collector.muster(&["devices"]).errors.contains("doesn't know this request") {
            eprintln!("skipped: this collector has no API yet");
            return None;
        }
        Some(collector)
    }

    fn muster(&self, words: &[&str]) -> Outcome {
        let config = self.folder.path().join("muster.toml").display().to_string();
        run(self.folder.path(), &[&["--config", &config], words].concat())
    }

    #[track_caller]
    fn done(&self, words: &[&str]) -> String {
        let outcome = self.muster(words);
        assert_eq!((outcome.code, outcome.errors.as_str()), (Some(0), ""), "{words:?}: {}", outcome.output);
        outcome.output
    }
}

const LIST: &str = "Serial Number;Maker;Model;Company;Asset Tag;Owner;Order\n\
    PF1ABCDE;Lenovo;ThinkPad T480s;Acme;001234;Jo Doe;PO-1\n\
    =cmd|' /C calc'!A0;Evil;X;Acme;;;PO-1\n\
    1.23E+11;Lenovo;;Acme;;;PO-1\n";

#[test]
fn a_purchase_list_becomes_devices_that_every_command_shows() {
    let Some(collector) = Collector::start() else { return };
    fs::write(collector.folder.path().join("list.csv"), LIST).unwrap();
    assert!(collector.done(&["devices"]).contains("no device matches"));

    let dry = collector.done(&["import", "list.csv"]);
    assert!(dry.contains("Dry run: 2 new, 1 refused") && dry.contains("as text"), "{dry}");
    assert!(collector.done(&["devices"]).contains("no device matches"), "a dry run changed something");
    let real = collector.done(&["import", "list.csv", "--apply"]);
    assert!(real.contains("Done: 2 new, 1 refused."), "{real}");
    assert!(collector.done(&["import", "list.csv", "--apply"]).contains("Done: 2 unchanged, 1 refused."));

    let devices = collector.done(&["devices"]);
    assert!(devices.contains("PF1ABCDE") && devices.contains("2 devices"), "{devices}");
    let csv = collector.done(&["devices", "--output", "csv"]);
    assert!(!csv.lines().any(|line| line.starts_with('=') || line.contains(",=")), "{csv}");
    let json: serde_json::Value = serde_json::from_str(&collector.done(&["devices", "-o", "json"])).unwrap();
    assert_eq!(json["devices"].as_array().map(Vec::len), Some(2));

    let page = collector.done(&["device", "PF1ABCDE"]);
    assert!(page.contains("Jo Doe") && page.contains("Acme/001234"), "{page}");
    assert!(collector.done(&["device", "PF1ABCDE", "--provenance"]).contains("import:purchase"));
    assert!(collector.done(&["lookup", "PF1ABCDE"]).contains("serial"));
    collector.done(&["device", "PF1ABCDE", "--history"]);
    collector.done(&["flags"]);
    collector.done(&["software"]);
}

#[test]
fn tokens_are_made_listed_and_revoked() {
    let Some(collector) = Collector::start() else { return };
    let made = collector.done(&["token", "create", "--serial", "PF1ABCDE"]);
    let id = made.split('.').nth(1).unwrap().to_owned();
    assert!(made.starts_with("mst1.") && made.contains("For one machine, serial PF1ABCDE"), "{made}");
    let list = collector.done(&["token", "list"]);
    assert!(list.contains(&id) && list.contains("0 of 1") && list.contains("good"), "{list}");
    collector.done(&["token", "revoke", &id]);
    assert!(collector.done(&["token", "list"]).contains("revoked"));
    assert!(collector.done(&["agents"]).contains("no agent has enrolled yet"));
}

#[test]
fn what_is_not_there_or_not_right_says_so() {
    let Some(collector) = Collector::start() else { return };
    collector.muster(&["device", "nothing"]).check_failed(3, &["no device has", "muster devices"]);
    collector.muster(&["lookup", "192.0.2.1"]).check_failed(3, &["no device has"]);
    collector.muster(&["devices", "--filter", "name = )"]).check_failed(2, &["column 8", "name = )", "^"]);
    fs::write(collector.folder.path().join("bad.csv"), b"serial,location\nA,M\xfcnchen\n").unwrap();
    collector.muster(&["import", "bad.csv"]).check_failed(2, &["iconv"]);
}
