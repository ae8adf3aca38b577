//! `cargo xtask bench agent`: what the agent costs the machine that it runs on, beside `dpkg-query -W` in the same run.
//!
//! Knows the agent's command line and nothing of its insides: whole commands are measured as the kernel accounts for
//! their processes, single sources by the agent itself (`muster-agent sources --measure`).

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use clap::Parser;
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
use serde_json::Value;

use super::{idle, peers};
use crate::package;
use crate::root;
use crate::steps::output_of;

/// What stands around the tables in docs/performance.md.
const MARKERS: [&str; 2] =
    ["<!-- cargo xtask bench agent: begin -->", "<!-- cargo xtask bench agent: end -->"];
const PEERS_MARKERS: [&str; 2] =
    ["<!-- cargo xtask bench agent --peers: begin -->", "<!-- cargo xtask bench agent --peers: end -->"];
/// Hardware, operating system and the packages of the system's own managers: what `dpkg-query` is compared with.
const TOGETHER: [&str; 8] = [
    "hardware",
    "network",
    "os",
    "storage",
    "software.apk",
    "software.dpkg",
    "software.pacman",
    "software.rpm",
];

/// Options of the agent's measurement.
#[derive(Parser)]
#[command(name = "cargo xtask bench agent")]
pub(super) struct Arguments {
    /// So many runs of everything; the table has the medians
    #[arg(long, default_value_t = 21, value_parser = clap::value_parser!(u16).range(1..=1000))]
    runs: u16,
    /// Also watch the service idle for so many minutes, with a collector beside it
    #[arg(long, value_name = "MINUTES")]
    idle: Option<u64>,
    /// Instead, compare with the other agents that are installed here: what each finds and costs
    #[arg(long, conflicts_with = "idle")]
    peers: bool,
    /// Print only, and leave docs/performance.md as it is
    #[arg(long)]
    dry_run: bool,
}

struct Row {
    what: String,
    value: f64,
    unit: &'static str,
    aim: Option<f64>,
}

impl Row {
    fn new(what: &str, value: f64, unit: &'static str, aim: Option<f64>) -> Self {
        Self { what: what.to_owned(), value, unit, aim }
    }
}

pub(super) fn run(arguments: &Arguments) -> Result<()> {
    let agent = package::build(package::AGENT, false)?;
    if arguments.peers {
        let (found, wrong) = peers::run(&agent, arguments.runs)?;
        let text = format!("{}{found}", machine(arguments.runs)?);
        println!("{text}");
        if !arguments.dry_run {
            write_down(&text, PEERS_MARKERS)?;
        }
        ensure!(wrong.is_empty(), "{} things are amiss:\n     {}", wrong.len(), wrong.join("\n     "));
        return Ok(());
    }
    let mut rows = commands(&agent, arguments.runs)?;
    rows.extend(in_process(&agent, arguments.runs, &rows)?);
    if let Some(minutes) = arguments.idle {
        rows.extend(
            idle::rows(&agent, minutes)?
                .into_iter()
                .map(|(what, value, unit, aim)| Row::new(&what, value, unit, aim)),
        );
    }
    let table = table(&rows, arguments.runs)?;
    println!("{table}");
    if arguments.dry_run { Ok(()) } else { write_down(&table, MARKERS) }
}

/// Whole processes, one after another in each round, so that a busy moment of the machine hits all of them.
fn commands(agent: &Path, runs: u16) -> Result<Vec<Row>> {
    let agent = agent.display().to_string();
    let kinds: [(&str, Vec<&str>); 4] = [
        ("muster-agent collect", vec![&agent, "collect"]),
        ("muster-agent collect --output json", vec![&agent, "collect", "--output", "json"]),
        ("muster-agent --version", vec![&agent, "--version"]),
        ("dpkg-query -W", vec!["dpkg-query", "-W"]),
    ];
    let mut times = vec![Vec::new(); kinds.len()];
    let mut peak = 0;
    for _ in 0..runs {
        for ((name, words), times) in kinds.iter().zip(&mut times) {
            // A machine without dpkg has nothing to compare with.
            let Ok(used) = measured(words) else {
                if words[0] == agent {
                    bail!("`{name}` can't be run");
                }
                continue;
            };
            times.push(used.milliseconds);
            if words[0] == agent {
                peak = peak.max(used.peak_kib);
            }
        }
    }
    let mut rows = Vec::new();
    for ((name, _), times) in kinds.iter().zip(times) {
        if !times.is_empty() {
            rows.push(Row::new(&format!("CPU of `{name}`"), median(times), "ms", None));
        }
    }
    rows.push(Row::new("peak memory of `muster-agent collect`", peak as f64 / 1024.0, "MiB", Some(15.0)));
    Ok(rows)
}

/// What one process used.
pub(super) struct Used {
    pub(super) milliseconds: f64,
    pub(super) peak_kib: u64,
}

/// Runs a program to its end. Its output goes through a pipe that is emptied slowly enough to look at the process between
/// two pieces: the kernel forgets a process's memory when it ends, but not its processor time before it is reaped.
pub(super) fn measured(words: &[&str]) -> Result<Used> {
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().with_context(|| format!("cannot start {}", words[0]))?;
    let process = format!("/proc/{}", child.id());
    let mut output = child.stdout.take().context("the output is a pipe")?;
    let mut peak_kib = 0;
    let mut piece = vec![0; 1 << 16];
    loop {
        let status = fs::read_to_string(format!("{process}/status")).unwrap_or_default();
        peak_kib = peak_kib.max(idle::kibibytes(&status, "VmHWM:").unwrap_or(0));
        if output.read(&mut piece)? == 0 {
            break;
        }
    }
    let id = i32::try_from(child.id()).ok().and_then(Pid::from_raw).context("a process has an id")?;
    waitid(WaitId::Pid(id), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT)?;
    let spent = fs::read_to_string(format!("{process}/schedstat"))?;
    let nanoseconds: f64 = spent.split(' ').next().unwrap_or_default().parse()?;
    let status = child.wait()?;
    if !status.success() {
        bail!("`{}` ended with {status}", words.join(" "));
    }
    Ok(Used { milliseconds: nanoseconds / 1e6, peak_kib })
}

/// What the agent measures of itself.
fn in_process(agent: &Path, runs: u16, commands: &[Row]) -> Result<Vec<Row>> {
    let words = ["sources", "--measure", &runs.to_string(), "--output", "json"];
    let measured: Value = serde_json::from_str(&output_of(Command::new(agent).args(words))?)?;
    let sources = measured["sources"].as_array().context("the agent lists its sources")?;
    let milliseconds = |value: &Value| value.as_f64().unwrap_or(0.0) / 1000.0;
    let is_together =
        |source: &&Value| source["section"].as_str().is_some_and(|section| TOGETHER.contains(&section));
    let together: f64 =
        sources.iter().filter(is_together).map(|source| milliseconds(&source["micros"])).sum();
    let reference = commands.iter().find(|row| row.what.contains("dpkg-query")).map(|row| row.value);
    let totals = &measured["totals"];
    let mut rows = vec![
        Row::new("hardware, OS, system packages together", together, "ms", reference),
        Row::new("all sources, encoded to be sent", milliseconds(&totals["full_micros"]), "ms", None),
        Row::new("re-scan with nothing changed", milliseconds(&totals["rescan_micros"]), "ms", Some(1.0)),
    ];
    let mut others: Vec<&Value> = sources.iter().filter(|source| !is_together(source)).collect();
    others.sort_by(|left, right| milliseconds(&right["micros"]).total_cmp(&milliseconds(&left["micros"])));
    rows.extend(others.into_iter().map(|source| {
        let name = format!("source {}", source["name"].as_str().unwrap_or_default());
        Row::new(&name, milliseconds(&source["micros"]), "ms", None)
    }));
    Ok(rows)
}

pub(super) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn table(rows: &[Row], runs: u16) -> Result<String> {
    let mut text = machine(runs)?;
    for Row { what, value, unit, aim } in rows {
        let aim = aim.map_or_else(String::new, |aim| {
            format!("   {} {aim:.3} {unit}", if *value <= aim { "within" } else { "OVER" })
        });
        text.push_str(&format!("{what:<58}{value:>10.3} {unit:<3}{aim}\n"));
    }
    Ok(text)
}

/// Where and of what a table was made.
fn machine(runs: u16) -> Result<String> {
    let commit =
        output_of(Command::new("git").args(["rev-parse", "--short=12", "HEAD"]).current_dir(root()))?;
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let processors = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = processors.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    Ok(format!(
        "{} of {}, Linux {}, commit {}, {runs} runs, medians\n\n",
        processors.lines().filter(|line| line.starts_with("processor")).count(),
        model.trim_start_matches([' ', '\t', ':']),
        kernel.trim(),
        commit.trim()
    ))
}

/// Between the markers of docs/performance.md.
fn write_down(table: &str, markers: [&str; 2]) -> Result<()> {
    let path: PathBuf = root().join("docs/performance.md");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    fs::write(&path, replaced(&text, table, markers)?)
        .with_context(|| format!("cannot write {}", path.display()))
}

fn replaced(text: &str, table: &str, [begin, end]: [&str; 2]) -> Result<String> {
    let (before, rest) = text.split_once(begin).context("the page has no marker for the agent's table")?;
    let (_, after) = rest.split_once(end).context("the page has no second marker for the agent's table")?;
    Ok(format!("{before}{begin}\n```text\n{}\n```\n{end}{after}", table.trim_end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_replaces_the_one_before() {
        let [begin, end] = PEERS_MARKERS;
        let page = format!("# A\n{begin}\nold\n{end}\nrest\n");
        let once = replaced(&page, "new\n", PEERS_MARKERS).unwrap();
        assert_eq!(once, format!("# A\n{begin}\n```text\nnew\n```\n{end}\nrest\n"));
        assert_eq!(replaced(&once, "new\n", PEERS_MARKERS).unwrap(), once);
        assert!(replaced("# A\n", "new", PEERS_MARKERS).is_err());
        assert!(replaced(&page, "new", MARKERS).is_err());
    }

    #[test]
    fn a_process_is_measured() {
        let used = measured(&["dd", "if=/dev/zero", "bs=1M", "count=64"]).unwrap();
        assert!(used.milliseconds > 0.1 && used.peak_kib > 1024, "{} {}", used.milliseconds, used.peak_kib);
        assert!(measured(&["false"]).is_err());
    }
}
