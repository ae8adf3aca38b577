//! The proof that nobody changes the audit log unseen: the real programs, a syslog server, an auditor with a pack and a
//! Python, and somebody who changes the pack in every way and puts an older copy of the data folder back.
//!
//! Knows nothing of hashes: it uses `muster audit verify` and `deploy/audit/verify.py` as anybody would, and says what
//! they must find.

use std::env;
use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::prove::Skipped;
use crate::quickstart::{self, Running};
use crate::root;
use crate::steps::{shown, succeeds};

/// What is done to a pack's lines.
type Change = fn(&mut Vec<Value>);

/// Each changes the line of an entry in full, at this place.
const AT: usize = 1;

const CHANGES: &[(&str, Change)] = &[
    ("actor changed", |it| it[AT]["entry"]["entry"]["actor"] = "operator/mallory".into()),
    ("time changed", |it| it[AT]["entry"]["entry"]["time"] = "2020-01-01T00:00:00Z".into()),
    ("target changed", |it| it[AT]["entry"]["entry"]["target"] = "elsewhere".into()),
    ("detail changed", |it| it[AT]["entry"]["entry"]["detail"] = "nothing to see".into()),
    ("a record's value changed", |it| {
        if let Some(value) = it.iter_mut().filter_map(value_of).next() {
            *value = "bm90aGluZyB0byBzZWU=".into();
        }
    }),
    ("entry removed", |it| drop(it.remove(AT + 1))),
    ("entry inserted", |it| it.insert(AT + 1, it[AT].clone())),
    ("entries swapped", |it| it.swap(AT, AT + 1)),
    ("end cut off", |it| drop(it.pop())),
    ("end cut off, header too", |it| {
        it.pop();
        let last = it[0]["header"]["lastNumber"].as_str().and_then(|last| last.parse::<u64>().ok());
        it[0]["header"]["lastNumber"] = last.map(|last| (last - 1).to_string()).into();
    }),
];

/// The first value of a record that a line shows.
fn value_of(line: &mut Value) -> Option<&mut Value> {
    let folded = line.get_mut("entry")?.get_mut("folded")?.as_array_mut()?;
    let writes = folded.iter_mut().filter_map(|change| change.get_mut("writes")?.as_array_mut()).flatten();
    writes.filter_map(|write| write.get_mut("value")).next()
}

pub(super) fn run(words: &[String]) -> Result<()> {
    if !words.is_empty() {
        bail!("the proof takes no options");
    }
    if !succeeds(Command::new("python3").arg("--version")) {
        return Err(Skipped::because("there is no python3"));
    }
    quickstart::build()?;
    let folder = env::temp_dir().join(format!("muster-audit-{}", std::process::id()));
    fs::create_dir_all(folder.join("collector.d"))?;
    let outcome = tried(&folder);
    fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    outcome
}

fn tried(folder: &Path) -> Result<()> {
    let stop = quickstart::stop_signal()?;
    let (heads, socket) = (folder.join("heads"), folder.join("log"));
    let syslog = UnixDatagram::bind(&socket).context("cannot listen as a syslog server")?;
    let kept = folder.join("syslog");
    let writing = kept.clone();
    // It ends with this process.
    thread::spawn(move || {
        let mut buffer = [0; 8192];
        let mut all = String::new();
        while let Ok(count) = syslog.recv(&mut buffer) {
            all.push_str(&String::from_utf8_lossy(&buffer[..count]));
            all.push('\n');
            // Whoever reads the file misses what couldn't be written.
            let _ = fs::write(&writing, &all);
        }
    });
    let settings = format!(
        "[audit]\nheads_file = {:?}\nsyslog = {:?}\nheads_every = \"10s\"\n",
        heads.display().to_string(),
        socket.display().to_string()
    );
    fs::write(folder.join("collector.d/audit.toml"), settings)?;

    let running = Running::start(folder, &stop)?;
    let muster = Muster { config: running.operator_folder().join("config.toml"), folder };
    for _ in 0..5 {
        muster.good(&["token", "create", "--one-time"])?;
    }
    let device = running.device().id().to_owned();
    let (pack, period) = (folder.join("pack.jsonl"), folder.join("period.jsonl"));
    muster.good(&["audit", "export", &device, "--out", &text(&pack)])?;
    muster.good(&["audit", "export", "--since", "2026-01-01", "--out", &text(&period)])?;
    running.drain()?;
    let key = key_of(&heads)?;
    for given in [&heads, &kept] {
        ensure!(count_heads(given)? > 0, "{} holds no head", given.display());
    }
    let auditor = Auditor { folder, key: &key, heads: &heads };
    for pack in [&pack, &period] {
        let said = auditor.check(pack)?;
        ensure!(said.0, "an honest pack is refused:\n{}", said.1);
    }
    for (name, change) in CHANGES {
        auditor.finds(&pack, name, *change)?;
    }

    // An older copy of the whole data folder, while the heads outside stay.
    let data = folder.join("collector");
    let older = folder.join("older");
    shown(Command::new("cp").arg("-a").arg(&data).arg(&older))?;
    let running = Running::start(folder, &stop)?;
    for _ in 0..3 {
        muster.good(&["token", "create", "--one-time"])?;
    }
    let verify = ["audit", "verify", "--key", &key, "--heads", &text(&heads), "--heads", &text(&kept)];
    let whole = muster.good(&verify)?;
    println!("{}", whole.trim_end());
    running.drain()?;

    fs::remove_dir_all(&data)?;
    shown(Command::new("cp").arg("-a").arg(&older).arg(&data))?;
    let running = Running::start(folder, &stop)?;
    let log = fs::read_to_string(folder.join("collector.log"))?;
    ensure!(
        log.contains("the audit log is not the one whose head was kept"),
        "its start says nothing:\n{log}"
    );
    println!("an older copy put back: said at the start");
    let (fine, said) = muster.run(&verify)?;
    ensure!(
        !fine && (said.contains("cut off") || said.contains("made anew")),
        "verify finds nothing:\n{said}"
    );
    println!("an older copy put back: found by muster audit verify");
    let blind = muster.good(&["audit", "verify", "--key", &key])?;
    ensure!(blind.contains("the audit log is whole"), "without heads it must look whole:\n{blind}");
    println!("the same without heads: not found, as it must be");
    for _ in 0..9 {
        muster.good(&["token", "create", "--one-time"])?;
    }
    let (fine, said) = muster.run(&verify)?;
    ensure!(!fine && said.contains("made anew"), "verify finds nothing:\n{said}");
    println!("and gone on from there: found by muster audit verify");
    let later = folder.join("later.jsonl");
    muster.good(&["audit", "export", &device, "--out", &text(&later)])?;
    running.drain()?;
    let (fine, said) = auditor.check(&later)?;
    ensure!(!fine && said.contains("made anew"), "the script finds nothing:\n{said}");
    println!("and gone on from there: found by verify.py in a pack");
    Ok(())
}

/// The command line of the first operator.
struct Muster<'a> {
    config: PathBuf,
    folder: &'a Path,
}

impl Muster<'_> {
    fn run(&self, words: &[&str]) -> Result<(bool, String)> {
        let program = env::current_exe()?.with_file_name("muster");
        let mut command = Command::new(program);
        let output =
            command.current_dir(self.folder).arg("--config").arg(&self.config).args(words).output()?;
        let said = [output.stdout, output.stderr].concat();
        Ok((output.status.success(), String::from_utf8_lossy(&said).into_owned()))
    }

    fn good(&self, words: &[&str]) -> Result<String> {
        let (fine, said) = self.run(words)?;
        ensure!(fine, "muster {} failed:\n{said}", words.join(" "));
        Ok(said)
    }
}

/// Somebody with Python, the key on paper and heads from elsewhere.
struct Auditor<'a> {
    folder: &'a Path,
    key: &'a str,
    heads: &'a Path,
}

impl Auditor<'_> {
    fn check(&self, pack: &Path) -> Result<(bool, String)> {
        let script = root().join("deploy/audit/verify.py");
        let mut command = Command::new("python3");
        command.arg("-I").arg(script).arg(pack).args(["--key", self.key, "--heads"]).arg(self.heads);
        let output = command.output()?;
        Ok((output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned()))
    }

    fn finds(&self, pack: &Path, name: &str, change: Change) -> Result<()> {
        let honest = fs::read_to_string(pack)?;
        let mut lines: Vec<Value> = honest
            .lines()
            .map(serde_json::from_str)
            .collect::<Result<_, _>>()
            .context("a pack is JSON lines")?;
        ensure!(lines.len() > AT + 2, "the pack has only {} lines", lines.len());
        let before = lines.clone();
        change(&mut lines);
        ensure!(lines != before, "{name}: nothing was changed");
        let forged = self.folder.join("forged.jsonl");
        fs::write(&forged, lines.iter().map(|line| format!("{line}\n")).collect::<String>())?;
        let (fine, said) = self.check(&forged)?;
        ensure!(!fine, "{name}: not found");
        println!("{name}: {}", said.lines().next().unwrap_or_default());
        Ok(())
    }
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

fn count_heads(path: &Path) -> Result<usize> {
    Ok(fs::read_to_string(path)?.matches("muster-audit-head 1 ").count())
}

/// The key that signed the first head of a file, as somebody noted it then.
fn key_of(heads: &Path) -> Result<String> {
    let lines = fs::read_to_string(heads)?;
    lines.split_whitespace().nth(6).map(str::to_owned).context("the file of heads is empty")
}
