//! How many lines of each parser the corpora reach: the targets once more, built to count the lines that ran.
//!
//! Knows nothing of which parser belongs to which target: every file of the agent's sources counts, unless
//! [`NOT_PARSERS`] says why not. Needs the nightly compiler's own `llvm-profdata` and `llvm-cov`, which rustup brings.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use super::{FLAGS, build, corpora, nightly};
use crate::root;
use crate::steps::{output_of, shown};

/// At least so many of a hundred lines of a parser must be reached.
const WANTED: u64 = 80;
/// Where parsers are.
const PARSERS: &str = "agent/src/sources/";
/// Files among them that no bytes reach, and why.
const NOT_PARSERS: &[(&str, &str)] = &[
    ("mod.rs", "the table of sources, and how people are told of them"),
    ("network/neighbour.rs", "picks among what the kernel told a running machine; no bytes come here"),
    ("posture/protection.rs", "looks whether files are there, and reads none"),
    ("usage.rs", "hands on what the service itself found"),
];
/// How the functions begin by which a source says what it is, for the table of sources: they read nothing.
const DESCRIPTIONS: [&str; 5] = [
    "    fn name(&self) -> &'static str {",
    "    fn section(&self) -> SectionName {",
    "    fn reads(&self) -> &'static [&'static str] {",
    "    fn personal(&self) -> Option<Personal> {",
    "    fn stamp(&self) -> Stamp {",
];

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
    command.args(["export", "--format=lcov", "--instr-profile"]).arg(&merged);
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
    let mut parsers = BTreeMap::new();
    for file in told.split("end_of_record") {
        let Some(path) = file.lines().find_map(|line| line.strip_prefix("SF:")) else { continue };
        let Ok(name) = Path::new(path).strip_prefix(root.join(PARSERS)) else { continue };
        let name = name.display().to_string();
        if NOT_PARSERS.iter().any(|(other, _)| *other == name) {
            continue;
        }
        let source = fs::read_to_string(path).with_context(|| format!("cannot read {path}"))?;
        let lines = lines(file, &descriptions(&source)).with_context(|| format!("llvm-cov on {name}"))?;
        if lines.count > 0 {
            parsers.insert(name, lines);
        }
    }
    Ok(parsers)
}

/// What is told of one file, but for some of its lines.
fn lines(file: &str, left_out: &BTreeSet<usize>) -> Result<Lines> {
    let mut lines = Lines::default();
    for told in file.lines().filter_map(|line| line.strip_prefix("DA:")) {
        let mut numbers = told.split(',').map(str::parse::<u64>);
        let (Some(Ok(number)), Some(Ok(times))) = (numbers.next(), numbers.next()) else {
            bail!("{told:?} is no line and no count");
        };
        if !left_out.contains(&usize::try_from(number)?) {
            lines.count += 1;
            lines.covered += u64::from(times > 0);
        }
    }
    Ok(lines)
}

/// The lines in which a source says what it is, counted from one.
fn descriptions(source: &str) -> BTreeSet<usize> {
    let mut left_out = BTreeSet::new();
    let mut inside = false;
    for (index, line) in source.lines().enumerate() {
        inside |= DESCRIPTIONS.contains(&line);
        if inside {
            left_out.insert(index + 1);
        }
        inside &= line != "    }";
    }
    left_out
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

    const SOURCE: &str = "impl Source for S {\n    fn stamp(&self) -> Stamp {\n        Stamp::Boot\n    }\n\n\
        \x20   fn collect(&self) -> Part {\n        part\n    }\n}\n";

    #[test]
    fn lines_count_but_for_what_a_source_says_of_itself() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join(PARSERS);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("xml.rs"), SOURCE).unwrap();
        let file = |name: &str, lines: &str| {
            format!("SF:{}\n{lines}LF:9\nend_of_record\n", root.path().join(name).display())
        };
        let told = [
            file("agent/src/sources/xml.rs", "DA:2,0\nDA:3,0\nDA:4,0\nDA:6,7\nDA:7,7\nDA:8,0\n"),
            file("agent/src/sources/usage.rs", "DA:1,0\n"),
            file("agent/src/host/mod.rs", "DA:1,0\n"),
        ];
        let found = parsers(&told.concat(), root.path()).unwrap();
        assert_eq!(found, BTreeMap::from([("xml.rs".to_owned(), Lines { count: 3, covered: 2 })]));
        assert!(parsers(&file("agent/src/sources/xml.rs", "DA:x,0\n"), root.path()).is_err());
    }

    #[test]
    fn a_parser_that_is_reached_too_little_fails() {
        let mut parsers = BTreeMap::from([("xml.rs".to_owned(), Lines { count: 10, covered: 8 })]);
        tell(&parsers).unwrap();
        parsers.insert("json.rs".to_owned(), Lines { count: 100, covered: 79 });
        assert!(tell(&parsers).unwrap_err().to_string().ends_with(": json.rs"));
        assert!(tell(&BTreeMap::new()).is_err());
    }

    #[test]
    fn what_is_no_parser_is_there() {
        for (name, _) in NOT_PARSERS {
            assert!(root().join(PARSERS).join(name).is_file(), "{name} is gone");
        }
    }
}
