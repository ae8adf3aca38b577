//! How many lines of each parser the corpora reach: the targets once more, built to count the lines that ran.
//!
//! Knows nothing of which parser belongs to which target: a file of the agent's sources counts when any target runs a
//! line of it. Needs the nightly compiler's own `llvm-profdata` and `llvm-cov`, which rustup brings.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use super::{FLAGS, build, corpora, nightly};
use crate::root;
use crate::steps::{output_of, shown};

/// At least so many of a hundred lines of a parser must be reached.
const WANTED: u64 = 80;
/// Where parsers are.
const PARSERS: &str = "agent/src/sources/";

/// Lines of a file, and those that ran.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Lines {
    count: u64,
    covered: u64,
}

impl Lines {
    fn percent(self) -> u64 {
        (self.covered * 100).checked_div(self.count).unwrap_or(100)
    }
}

/// Runs every target over what it starts from, and tells each parser's lines.
pub(super) fn run(targets: &[String]) -> Result<()> {
    let folder = root().join("target/fuzz/lines");
    let programs = build(&folder, &format!("{FLAGS} -Cinstrument-coverage"))?;
    let mut profiles = Vec::new();
    for name in targets {
        let profile = folder.join(format!("{name}.profraw"));
        let mut command = Command::new(programs.join(name));
        command.arg("-runs=0").args(corpora(name).iter().filter(|folder| folder.is_dir()));
        command.env("LLVM_PROFILE_FILE", &profile).stdout(Stdio::null()).stderr(Stdio::null());
        shown(&mut command)?;
        profiles.push(profile);
    }
    let tools = tools()?;
    let merged = folder.join("merged.profdata");
    shown(
        Command::new(tools.join("llvm-profdata")).args(["merge", "--output"]).arg(&merged).args(&profiles),
    )?;
    let mut command = Command::new(tools.join("llvm-cov"));
    command.args(["export", "--summary-only", "--instr-profile"]).arg(&merged);
    for name in targets {
        command.arg("--object").arg(programs.join(name));
    }
    let told = output_of(&mut command)?;
    tell(&parsers(&told, &root())?)
}

/// The folder of the nightly compiler's own tools.
fn tools() -> Result<PathBuf> {
    let place = output_of(Command::new("rustc").args(["+nightly", "--print", "sysroot"]))?;
    let folder = Path::new(place.trim()).join("lib/rustlib").join(nightly("host")?).join("bin");
    ensure!(
        fs::exists(folder.join("llvm-cov")).is_ok_and(|there| there),
        "counting lines needs llvm-cov: rustup component add llvm-tools --toolchain nightly"
    );
    Ok(folder)
}

/// The lines of each parser, by its path below [`PARSERS`].
fn parsers(told: &str, root: &Path) -> Result<BTreeMap<String, Lines>> {
    let told: Value = serde_json::from_str(told).context("cannot read what llvm-cov tells")?;
    let files = told["data"].as_array().into_iter().flatten();
    let mut parsers = BTreeMap::new();
    for file in files.filter_map(|part| part["files"].as_array()).flatten() {
        let path = Path::new(file["filename"].as_str().context("llvm-cov tells a file without a name")?);
        let Ok(path) = path.strip_prefix(root.join(PARSERS)) else { continue };
        let number = |name: &str| file["summary"]["lines"][name].as_u64();
        let (Some(count), Some(covered)) = (number("count"), number("covered")) else {
            bail!("llvm-cov tells no lines of {}", path.display());
        };
        let lines = Lines { count, covered };
        let path = path.display().to_string();
        if lines.covered > 0 {
            parsers.insert(path, lines);
        }
    }
    Ok(parsers)
}

/// Prints the lines of each, and fails when they are too few.
fn tell(parsers: &BTreeMap<String, Lines>) -> Result<()> {
    let mut all = Lines::default();
    let mut short = Vec::new();
    println!("{:40} {:>6} {:>8} {:>4}", "parser", "lines", "reached", "%");
    for (path, lines) in parsers {
        println!("{path:40} {:>6} {:>8} {:>4}", lines.count, lines.covered, lines.percent());
        all.count += lines.count;
        all.covered += lines.covered;
        if lines.percent() < WANTED {
            short.push(path.as_str());
        }
    }
    println!("{:40} {:>6} {:>8} {:>4}", "all", all.count, all.covered, all.percent());
    ensure!(all.count > 0, "no parser ran");
    ensure!(short.is_empty(), "less than {WANTED} % of their lines are reached: {}", short.join(", "));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parser_that_is_reached_too_little_fails() {
        let told = r#"{"data": [{"files": [
            {"filename": "/m/agent/src/sources/xml.rs", "summary": {"lines": {"count": 10, "covered": 8}}},
            {"filename": "/m/agent/src/sources/part.rs", "summary": {"lines": {"count": 9, "covered": 0}}},
            {"filename": "/m/agent/src/host/mod.rs", "summary": {"lines": {"count": 9, "covered": 1}}}
        ], "totals": {}}], "type": "llvm.coverage.json.export"}"#;
        let mut parsers = parsers(told, Path::new("/m")).unwrap();
        assert_eq!(parsers, BTreeMap::from([("xml.rs".to_owned(), Lines { count: 10, covered: 8 })]));
        tell(&parsers).unwrap();
        parsers.insert("json.rs".to_owned(), Lines { count: 100, covered: 79 });
        assert!(tell(&parsers).unwrap_err().to_string().ends_with(": json.rs"));
        assert!(tell(&BTreeMap::new()).is_err());
    }
}
