//! The proof that no bytes of a machine crash the agent, stop it or make it hoard memory: libFuzzer on every target.
//!
//! Knows nothing of the parsers: `fuzz/Cargo.toml` lists the targets and `fuzz/seeds` has what they start from, to which
//! recorded machines beside the repository are added where they are. Needs a nightly compiler, and nothing else that
//! cargo can't bring. What makes a target fail lies in `target/fuzz/found` afterwards. `--lines` tells instead how much
//! of each parser the corpora in `target/fuzz/corpus` and the seeds reach.

mod lines;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use crate::root;
use crate::steps::shown;

/// Seconds for each target, unless another number is asked for.
const SECONDS: u64 = 60;
/// Executions for each target, if they come before the seconds have gone.
const EXECUTIONS: u64 = 10_000_000;
/// What cargo-fuzz passes too, but for the address sanitizer: the agent has no unsafe code for it to watch, and without
/// it the bound of memory is the parsers' own.
const FLAGS: &str = "--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Cdebug-assertions -Coverflow-checks";
/// One input may take five seconds, one allocation 64 MiB and all together 512 MiB.
const BOUNDS: [&str; 3] = ["-timeout=5", "-malloc_limit_mb=64", "-rss_limit_mb=512"];
/// The longest input: several pages of every database.
const LENGTH: &str = "-max_len=65536";
/// Recorded machines beside the repository that are seeds too: target, and where they lie.
const RECORDED: &[(&str, &str)] = &[
    ("apk", "apk/multiple/lib/apk/db"),
    ("dpkg", "dpkg/var/lib/dpkg/status.d"),
    ("pacman", "pacman/var/lib/pacman/local/gmp-6.2.1-2"),
    ("smbios", "smbios"),
];

pub(super) fn run(words: &[String]) -> Result<()> {
    let options = Options::read(words)?;
    let only = &options.only;
    let targets: Vec<String> =
        targets()?.into_iter().filter(|name| only.is_empty() || only.contains(name)).collect();
    ensure!(!targets.is_empty(), "no target is named {}; fuzz/Cargo.toml lists them", only.join(", "));
    if options.lines {
        return lines::run(&targets);
    }
    let programs = build(&root().join("target/fuzz"), FLAGS)?;
    let mut failed = Vec::new();
    let mut total = 0;
    println!(
        "{:16} {:>11} {:>8} {:>9} {:>8}  found",
        "target", "executions", "seconds", "coverage", "memory"
    );
    for name in &targets {
        let ran = Ran::of(&programs.join(name), name, options.seconds)?;
        total += ran.executions;
        println!(
            "{name:16} {:>11} {:>8} {:>9} {:>5} MB  {}",
            ran.executions,
            ran.seconds,
            ran.coverage,
            ran.memory,
            ran.found.as_deref().unwrap_or("nothing")
        );
        if ran.found.is_some() {
            failed.push(name.as_str());
        }
    }
    println!("{} targets, {total} executions", targets.len());
    ensure!(failed.is_empty(), "broken: {}; the inputs lie in target/fuzz/found", failed.join(", "));
    Ok(())
}

/// What was asked for.
#[derive(Debug, PartialEq)]
struct Options {
    seconds: u64,
    /// Whether to tell which lines are reached, instead of looking for more.
    lines: bool,
    /// Names of targets; empty for all.
    only: Vec<String>,
}

impl Options {
    fn read(words: &[String]) -> Result<Self> {
        let mut options = Self { seconds: SECONDS, lines: false, only: Vec::new() };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            if word == "--seconds" {
                let number = words.next().context("--seconds needs a number")?;
                options.seconds =
                    number.parse().with_context(|| format!("{number:?} is no number of seconds"))?;
            } else if word == "--lines" {
                options.lines = true;
            } else if word.starts_with('-') {
                bail!("{word} is no option: there are --seconds N, --lines, and names of targets");
            } else {
                options.only.push(word.clone());
            }
        }
        Ok(options)
    }
}

fn targets() -> Result<Vec<String>> {
    let path = root().join("fuzz/Cargo.toml");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(targets_of(&text))
}

/// The names of the programs in a manifest.
fn targets_of(manifest: &str) -> Vec<String> {
    let name = |section: &str| {
        let line = section.lines().find_map(|line| line.strip_prefix("name = "))?;
        Some(line.trim_matches('"').to_owned())
    };
    manifest.split("[[bin]]").skip(1).filter_map(name).collect()
}

/// Builds all targets with the nightly compiler into a folder; where the programs are.
fn build(folder: &Path, flags: &str) -> Result<PathBuf> {
    let triple = nightly("host")?;
    // The flags must not reach build scripts, so the target is named although it is this system.
    let mut command = Command::new("cargo");
    command.args(["+nightly", "build", "--target", &triple, "--target-dir"]).arg(folder);
    // What the toolchain of this action itself sets would win over `+nightly`.
    command.env_remove("RUSTUP_TOOLCHAIN").env_remove("RUSTC").env("RUSTFLAGS", flags);
    shown(command.current_dir(root().join("fuzz")))?;
    Ok(folder.join(triple).join("debug"))
}

/// What the nightly compiler says of itself under a name.
fn nightly(name: &str) -> Result<String> {
    let version = Command::new("rustc").args(["+nightly", "-vV"]).output().context("cannot start rustc")?;
    ensure!(
        version.status.success(),
        "fuzzing needs the nightly compiler: rustup toolchain install nightly --profile minimal"
    );
    let version = String::from_utf8(version.stdout).context("rustc's version is no text")?;
    let line = version.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    line.map(str::to_owned).with_context(|| format!("rustc names no {name}"))
}

/// What a target starts from: what earlier runs found, its seeds and recorded machines.
fn corpora(name: &str) -> Vec<PathBuf> {
    let found = root().join("target/fuzz/corpus").join(name);
    [found, root().join("fuzz/seeds").join(name)].into_iter().chain(recorded(name)).collect()
}

/// How a target went.
#[derive(Debug, Default, PartialEq)]
struct Ran {
    executions: u64,
    seconds: u64,
    /// Branches that were seen.
    coverage: u64,
    /// Peak in megabytes.
    memory: u64,
    /// What broke it.
    found: Option<String>,
}

impl Ran {
    fn of(program: &Path, name: &str, seconds: u64) -> Result<Self> {
        let target = root().join("target/fuzz");
        let found = target.join("found").join(name);
        for folder in [&target.join("corpus").join(name), &found] {
            fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        }
        let mut command = Command::new("nice");
        command.arg(program).args(BOUNDS).args([LENGTH, "-print_final_stats=1", "-verbosity=1"]);
        command.args([format!("-max_total_time={seconds}"), format!("-runs={EXECUTIONS}")]);
        command.arg(format!("-artifact_prefix={}/", found.display()));
        command.args(corpora(name));
        let output = command.stdin(Stdio::null()).output().context("cannot start a fuzz target")?;
        let mut ran = Self::read(&String::from_utf8_lossy(&output.stderr));
        if !output.status.success() && ran.found.is_none() {
            ran.found = Some(output.status.to_string());
        }
        Ok(ran)
    }

    /// Reads what libFuzzer tells.
    fn read(text: &str) -> Self {
        let mut ran = Self::default();
        for line in text.lines() {
            let mut words = line.split_whitespace();
            let number = |word: Option<&str>| word.and_then(|word| word.parse().ok());
            if let Some(rest) = line.strip_prefix("Done ") {
                let mut words = rest.split_whitespace();
                ran.executions = number(words.next()).unwrap_or_default();
                ran.seconds = number(words.nth(2)).unwrap_or_default();
            } else if let Some(rest) = line.strip_prefix("stat::number_of_executed_units:") {
                ran.executions = number(Some(rest.trim())).unwrap_or_default();
            } else if let Some(rest) = line.strip_prefix("stat::peak_rss_mb:") {
                ran.memory = number(Some(rest.trim())).unwrap_or_default();
            } else if line.starts_with('#') && words.any(|word| word == "cov:") {
                ran.coverage = number(words.next()).unwrap_or(ran.coverage);
            } else if line.contains("panicked at") || line.contains("ERROR: libFuzzer") {
                ran.found.get_or_insert_with(|| line.trim().to_owned());
            }
        }
        ran
    }
}

/// Folders of recorded machines for a target.
fn recorded(name: &str) -> Vec<PathBuf> {
    let beside = root().join("../shared/fixtures");
    let fixtures = env::var_os("MUSTER_FIXTURES").map_or(beside, PathBuf::from);
    let here = RECORDED.iter().filter(|(target, _)| *target == name);
    here.map(|(_, folder)| fixtures.join(folder)).filter(|folder| folder.is_dir()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_fuzzer_tells_is_read() {
        let text = "INFO: seed corpus: files: 2\n#2\tINITED cov: 80 ft: 90 corp: 2/9b\n\
            #4096\tpulse  cov: 120 ft: 130 corp: 9/80b exec/s: 2048 rss: 40Mb\nDone 7000 runs in 31 second(s)\n\
            stat::number_of_executed_units: 7001\nstat::peak_rss_mb:              44\n";
        let expected = Ran { executions: 7001, seconds: 31, coverage: 120, memory: 44, found: None };
        assert_eq!(Ran::read(text), expected);
        let text = "#9\tNEW    cov: 7 ft: 1\nthread 'main' panicked at agent/src/a.rs:1:2:\nattempt to add with overflow\n\
            ==1== ERROR: libFuzzer: deadly signal\n";
        let found = Some("thread 'main' panicked at agent/src/a.rs:1:2:".to_owned());
        assert_eq!(Ran::read(text), Ran { coverage: 7, found, ..Ran::default() });
        let text = "==1== ERROR: libFuzzer: timeout after 6 seconds\n";
        assert_eq!(Ran::read(text).found.as_deref(), Some("==1== ERROR: libFuzzer: timeout after 6 seconds"));
    }

    #[test]
    fn options_and_targets() {
        let read =
            |text: &str| Options::read(&text.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(read("").unwrap(), Options { seconds: SECONDS, lines: false, only: Vec::new() });
        let only = vec!["edid".to_owned(), "bolt".to_owned()];
        assert_eq!(
            read("edid --seconds 600 bolt --lines").unwrap(),
            Options { seconds: 600, lines: true, only }
        );
        assert!(read("--seconds").is_err() && read("--seconds x").is_err() && read("--fast").is_err());
        let manifest =
            "[package]\nname = \"x\"\n\n[[bin]]\nname = \"a\"\npath = \"b\"\n\n[[bin]]\nname = \"c\"\n";
        assert_eq!(targets_of(manifest), ["a", "c"]);
        assert!(targets().unwrap().len() >= 30);
    }
}
