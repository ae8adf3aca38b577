//! The commands against a real collector: started by its own program, asked by ours, over mutual TLS.
//!
//! Skips itself, saying so, where `muster-collector` is not built beside `muster`.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
};

use tempfile::TempDir;

use crate::program::{Outcome, run};

/// A collector in a folder of its own; stopped when dropped.
struct Collector {
    folder: TempDir,
    /// The line that it prints when it is ready.
    ready: String,
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

/// A program that is built beside ours.
fn program(name: &str) -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_BIN_EXE_muster")).with_file_name(name);
    if !beside.exists() {
        eprintln!("skipped: {name} is not built; run cargo build --package {name}");
        return None;
    }
    Some(beside)
}

impl Collector {
    /// Starts one, or says why not.
    fn start() -> Option<Self> {
        let program = program("muster-collector")?;
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
        let collector = Self { folder, ready, child, _output: output };
        let port = collector.port("api");
        let config = format!(
            "address = \"localhost:{port}\"\nkey = \"data/operator/key.pem\"\ncertificate = \"data/operator/certificate.pem\"\nroots = \"data/operator/roots.pem\"\n"
        );
        fs::write(collector.folder.path().join("muster.toml"), config).unwrap();
        Some(collector)
    }

    /// The port of a listener: `ready: agents ADDRESS, enroll ADDRESS, api ADDRESS`.
    fn port(&self, listener: &str) -> u16 {
        let listed = self.ready.trim().trim_start_matches("ready: ").split(", ");
        let address = listed.filter_map(|part| part.split_once(' ')).find(|(name, _)| *name == listener);
        let Some((_, address)) = address else { panic!("the collector did not start: {:?}", self.ready) };
        address.rsplit(':').next().unwrap().parse().unwrap()
    }

    /// Enrols this machine with a string, as its administrator would.
    fn enroll(&self, agent: &Path, string: &str) {
        let (agents, enroll) = (self.port("agents"), self.port("enroll"));
        let config = format!(
            "state_dir = \"agent\"\n[collector]\nsession = \"localhost:{agents}\"\nenroll = \"localhost:{enroll}\"\n"
        );
        fs::write(self.folder.path().join("agent.toml"), config).unwrap();
        let mut command = Command::new(agent);
        command
            .args(["enroll", "--config", "agent.toml", "--token-file", "-"])
            .current_dir(self.folder.path());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(string.as_bytes()).unwrap();
        assert!(child.wait().unwrap().success());
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
    assert!(dry.contains("Dry run: 2 new, 1 refused. Nothing was changed."), "{dry}");
    assert!(
        dry.contains(
            "To take them in: muster import list.csv --format purchase-csv --source purchase --apply"
        ),
        "{dry}"
    );
    assert!(collector.done(&["devices"]).contains("no device matches"), "a dry run changed something");
    // What needs a person comes first, with its row in the file and what to do.
    let bad = dry.lines().nth(1).unwrap();
    assert!(bad.trim_start().starts_with("4  refused") && bad.contains("1.23E+11"), "{dry}");
    assert!(dry.contains("format the column as text"), "{dry}");

    let real = collector.done(&["import", "list.csv", "--apply"]);
    assert!(real.contains("Done: 2 new, 1 refused."), "{real}");
    assert!(collector.done(&["import", "list.csv", "--apply"]).contains("Done: 2 unchanged, 1 refused."));

    let devices = collector.done(&["devices"]);
    assert!(devices.contains("PF1ABCDE") && devices.contains("2 devices"), "{devices}");
    let found =
        collector.done(&["devices", "--filter", "manufacturer = \"Lenovo\" AND asset_tag = \"Acme/001234\""]);
    assert!(found.contains("PF1ABCDE") && found.contains("1 device\n"), "{found}");
    let csv = collector.done(&["devices", "--output", "csv"]);
    assert!(!csv.lines().any(|line| line.starts_with('=') || line.contains(",=")), "{csv}");
    let json: serde_json::Value = serde_json::from_str(&collector.done(&["devices", "-o", "json"])).unwrap();
    assert_eq!(json["devices"].as_array().map(Vec::len), Some(2));

    let page = collector.done(&["device", "PF1ABCDE"]);
    assert!(page.contains("Jo Doe") && page.contains("Acme/001234") && page.contains("T480s"), "{page}");
    assert!(collector.done(&["device", "PF1ABCDE", "--provenance"]).contains("import:purchase"));
    let lookup = collector.done(&["lookup", "pf1abcde"]);
    assert!(
        lookup.contains("serial") && lookup.contains("Jo Doe") && lookup.contains("still so"),
        "{lookup}"
    );
    let history = collector.done(&["device", "PF1ABCDE", "--history"]);
    assert!(history.contains("import:purchase"), "{history}");
    let flags = collector.done(&["flags"]);
    print!("{page}\n{history}\n{flags}\n{}", collector.done(&["software"]));
    assert!(!flags.contains("unknown on"), "the purchase vouches for both: {flags}");
}

#[test]
fn tokens_are_made_listed_and_revoked() {
    let Some(collector) = Collector::start() else { return };
    let made = collector.done(&["token", "create", "--serial", "PF1ABCDE"]);
    let id = made.split('.').nth(1).unwrap().to_owned();
    assert!(made.starts_with("mst1.") && made.contains("For one machine, serial PF1ABCDE"), "{made}");
    let list = collector.done(&["token", "list"]);
    assert!(list.contains(&id) && list.contains("0 of 1") && list.contains("good"), "{list}");
    assert_eq!(collector.done(&["token", "revoke", &id]), format!("token {id} lets nobody in any more\n"));
    assert!(collector.done(&["token", "list"]).contains("revoked"));
    assert!(collector.done(&["agents"]).contains("no agent has enrolled yet"));
    collector.muster(&["token", "revoke", "0000000000000000"]).check_failed(3, &["there is no token"]);
}

#[test]
fn a_machine_that_enrols_is_a_device_until_its_agent_is_revoked() {
    let (Some(agent), Some(collector)) = (program("muster-agent"), Collector::start()) else { return };
    let made = collector.done(&["token", "create", "--bulk", "5"]);
    collector.enroll(&agent, made.lines().next().unwrap());
    assert!(collector.done(&["token", "list"]).contains("1 of 5"));

    let json: serde_json::Value = serde_json::from_str(&collector.done(&["devices", "-o", "json"])).unwrap();
    assert_eq!(json["devices"].as_array().map(Vec::len), Some(1));
    let id = json["devices"][0]["name"].as_str().unwrap().trim_start_matches("devices/").to_owned();
    let page = collector.done(&["device", &id]);
    assert!(page.contains("unknown") && page.contains("no purchase record"), "{page}");
    let flags = collector.done(&["flags", "--code", "unknown"]);
    assert!(flags.contains("unknown on 1 device"), "{flags}");

    let agents: serde_json::Value = serde_json::from_str(&collector.done(&["agents", "-o", "json"])).unwrap();
    assert_eq!(agents["agents"][0]["device"], format!("devices/{id}"));
    let agent_id = agents["agents"][0]["agentId"].as_str().unwrap();
    assert!(collector.done(&["agents"]).contains("away"));
    let revoked = collector.done(&["agents", "revoke", agent_id, "--reason", "sold"]);
    assert!(
        revoked.starts_with(&format!("agent {agent_id} is revoked and its connection cut\n")),
        "{revoked}"
    );
    assert!(collector.done(&["agents"]).contains("revoked"));
}

#[test]
fn a_report_that_is_carried_is_taken_in_once() {
    let (Some(agent), Some(collector)) = (program("muster-agent"), Collector::start()) else { return };
    let folder = collector.folder.path();
    let made = collector.done(&["token", "create"]);
    collector.enroll(&agent, made.lines().next().unwrap());
    let export = |to: &str| {
        let mut command = Command::new(&agent);
        command.args(["export", "--config", "agent.toml", "--to", to]).current_dir(folder).output().unwrap()
    };
    let written = export("report-1");
    let text = String::from_utf8(written.stdout).unwrap();
    if String::from_utf8_lossy(&written.stderr).contains("as root") {
        eprintln!("skipped: this machine's serial numbers are for root alone");
        return;
    }
    assert!(written.status.success(), "{}", String::from_utf8_lossy(&written.stderr));
    assert!(text.starts_with("Wrote report-1: ") && text.contains("muster import agent"), "{text}");
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &fs::metadata(folder.join("report-1")).unwrap().permissions(),
    );
    assert_eq!(mode & 0o777, 0o600);
    let again = export("report-1");
    assert!(!again.status.success(), "it was written over");
    assert!(String::from_utf8_lossy(&again.stderr).contains("give another name"));
    assert!(export("report-2").status.success());

    let dry = collector.done(&["import", "agent", "report-1", "--dry-run"]);
    assert!(dry.contains("good") && dry.contains("nothing was changed"), "{dry}");
    let first = collector.done(&["import", "agent", "report-1"]);
    assert!(first.contains("accepted"), "{first}");
    assert!(collector.done(&["import", "agent", "report-1"]).contains("already known"));
    let items: serde_json::Value =
        serde_json::from_str(&collector.done(&["import", "agent", "report-2", "-o", "json"])).unwrap();
    let report = &items[0]["report"];
    assert_eq!(
        (report["outcome"].as_str(), report["sequence"].as_str()),
        (Some("REPORT_OUTCOME_ACCEPTED"), Some("2"))
    );
    let device = report["device"].as_str().unwrap().trim_start_matches("devices/");
    let page = collector.done(&["device", device]);
    assert!(page.contains("packages") || page.contains("software"), "{page}");
    print!("{text}{dry}{first}{page}");

    // Everything that is no report, told file by file, and the good one among them is taken in.
    assert!(export("report-3").status.success());
    let mut damaged = fs::read(folder.join("report-3")).unwrap();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 4;
    fs::write(folder.join("damaged"), &damaged).unwrap();
    fs::write(folder.join("short"), &damaged[..middle]).unwrap();
    fs::File::create(folder.join("large")).unwrap().set_len(1 << 30).unwrap();
    fs::write(folder.join("long"), &damaged[..100]).unwrap();
    fs::File::options().write(true).open(folder.join("long")).unwrap().set_len(1 << 30).unwrap();
    fs::write(folder.join("list.csv"), LIST).unwrap();
    let files = ["damaged", "short", "large", "long", "list.csv", "none", "report-1", "report-3"];
    let outcome = collector.muster(&[&["import", "agent", "-o", "csv"], files.as_slice()].concat());
    assert_eq!(outcome.code, Some(1));
    assert!(outcome.errors.contains("7 of 8 files were refused"), "{}", outcome.errors);
    for (file, word) in [
        ("damaged", "signature does not fit"),
        ("short", "cut short"),
        ("large", "no report"),
        ("long", "longer than the 16 MiB"),
        ("list.csv", "no report"),
        ("none", "can't be read"),
        ("report-1", "number 2 was taken in"),
        ("report-3", "accepted"),
    ] {
        let row = outcome.output.lines().find(|row| row.starts_with(&format!("{file},"))).unwrap();
        assert!(row.contains(word), "{row}");
    }
    collector
        .muster(&["import", "agent", "none"])
        .check_failed_beside_answer(1, &["none was refused", "   do: "]);
    collector.muster(&["import", "agent"]).check_failed(2, &["FILE"]);
}

#[test]
fn what_is_not_there_or_not_right_says_so() {
    let Some(collector) = Collector::start() else { return };
    collector.muster(&["device", "nothing"]).check_failed(3, &["no device has", "muster devices"]);
    collector.muster(&["lookup", "192.0.2.1"]).check_failed(3, &["no device has", "--at"]);
    // The caret stands under what is wrong.
    collector
        .muster(&["devices", "--filter", "name = )"])
        .check_failed(2, &["column 8", "\n  name = )\n         ^", "   do: "]);
    collector.muster(&["devices", "--filter", "serail = \"x\""]).check_failed(2, &["serail", "   do: "]);
    fs::write(collector.folder.path().join("bad.csv"), b"PK\x03\x04\x00\x00\x08").unwrap();
    collector.muster(&["import", "bad.csv"]).check_failed(2, &["is this a spreadsheet"]);
    fs::write(collector.folder.path().join("bad.csv"), "colour,location\nred,Bonn\n").unwrap();
    collector.muster(&["import", "bad.csv"]).check_failed(2, &["serial", "colour"]);
}
