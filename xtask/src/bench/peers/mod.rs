//! `cargo xtask bench agent --peers`: the agent beside the others that are installed here, in one run: what each finds, what
//! each costs, and what we lack, by name.
//!
//! Knows nothing of how agents work. What others print is taken apart by `read`, compared by `compare`, and what is to be
//! found where stands in `table` and `fields`. An agent that is not installed is skipped and named. It ends with an error
//! when another agent has an item that we lack, or a field that nobody has thought of.

mod compare;
mod fields;
mod read;
mod table;

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use super::agent::{measured, median};
use super::idle::{CHILDRENS_TIME, seconds_from};
use crate::root;
use crate::steps::{output_of, succeeds};

use compare::{Compared, FieldsFound, Ours};
use table::{OSQUERY, OSQUERY_START, PEERS, Peer};

/// Missing things that an error names.
const NAMED: usize = 10;
/// Where programs may lie that are on nobody's path, such as an osqueryi of one's own.
const FOLDER: &str = "MUSTER_PEERS";

/// What one program used, in milliseconds, and what it started.
struct Cost {
    name: String,
    milliseconds: f64,
    peak_kib: u64,
    started: Option<Started>,
}

/// Programs and processes that a program started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Started {
    programs: usize,
    processes: usize,
}

/// Runs everything; the text for docs/performance.md, and what is wrong.
pub(super) fn run(agent: &Path, runs: u16) -> Result<(String, Vec<String>)> {
    let folder = root().join("target/bench/peers");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let agent = agent.display().to_string();
    let json = [agent.as_str(), "collect", "--output", "json"];
    let inventory: Value = serde_json::from_str(&output_of(Command::new(json[0]).args(&json[1..]))?)?;
    let ours = Ours::new(&inventory);
    let mut wrong = Vec::new();
    let (mut costs, mut skipped, mut found, mut field_lines) =
        (Vec::new(), Vec::new(), String::new(), String::new());
    for peer in PEERS {
        let Some(program) = program(peer.words[0]) else {
            skipped.push(peer.name);
            continue;
        };
        println!("   {}", peer.name);
        let (output, cost) = cost(peer, &program, runs, &folder)?;
        costs.push(cost);
        let Some(read) = peer.read else { continue };
        let things = read(&output).with_context(|| format!("cannot read the output of {}", peer.name))?;
        for compared in compare::things(&things, &ours, peer.items) {
            wrong.extend(
                compared
                    .missing
                    .iter()
                    .take(NAMED)
                    .map(|it| format!("{} has {} {it}", peer.name, compared.what)),
            );
            found.push_str(&line(peer.name, &compared));
        }
        let fields = compare::fields(&things, &ours, peer.fields);
        wrong.extend(
            fields.unknown.iter().map(|it| format!("{}: nobody has considered its field {it}", peer.name)),
        );
        field_lines.push_str(&told(peer.name, &fields));
    }
    let mine = own_costs(&json, runs, &folder)?;
    if let Some(started) = mine[0].started.filter(|started| started.programs + started.processes > 0) {
        wrong.push(format!(
            "the agent started {} programs and {} processes",
            started.programs, started.processes
        ));
    }
    let mut text = format!("{runs} runs; beside the agent in the same run\n\n");
    writeln!(
        text,
        "{:<36}{:>12}{:>12}{:>14}{:>12}",
        "what it costs", "CPU ms", "peak MiB", "programs run", "times ours"
    )?;
    let unit = mine[0].milliseconds;
    for cost in mine.iter().chain(&costs) {
        text.push_str(&cost_line(cost, unit));
    }
    text.push_str(&half_of_osquery(&costs, unit)?);
    writeln!(text, "\n{:<22}{:<20}{:>9}{:>9}   missing", "what is found", "", "theirs", "ours")?;
    text.push_str(&found);
    writeln!(text, "\nfields that have a value")?;
    text.push_str(&field_lines);
    for name in skipped {
        writeln!(text, "skipped: {name} is not installed")?;
    }
    Ok((text, wrong))
}

/// Where a program is.
fn program(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let more = env::var_os(FOLDER).map(PathBuf::from);
    env::split_paths(&path)
        .chain(more)
        .chain(["/usr/sbin", "/sbin"].map(PathBuf::from))
        .map(|folder| folder.join(name))
        .find(|program| program.is_file())
}

fn command(program: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(program);
    command
        .args(words)
        .env("LC_ALL", "C.UTF-8")
        .env("NO_COLOR", "1")
        .stdin(Stdio::null())
        .stderr(Stdio::null());
    command
}

/// Output and mean cost of a peer with all that it starts; some end with an error and have told everything.
fn cost(peer: &Peer, program: &Path, runs: u16, folder: &Path) -> Result<(String, Cost)> {
    let once =
        || command(program, &peer.words[1..]).output().with_context(|| format!("cannot start {}", peer.name));
    let output = String::from_utf8_lossy(&once()?.stdout).into_owned();
    let before = seconds_of_children()?;
    for _ in 0..runs {
        once()?;
    }
    let milliseconds = (seconds_of_children()? - before) * 1000.0 / f64::from(runs);
    let words: Vec<&str> = std::iter::once(program.to_str().unwrap_or_default())
        .chain(peer.words[1..].iter().copied())
        .collect();
    let peak_kib = measured(&words).map_or(0, |used| used.peak_kib);
    Ok((
        output,
        Cost { name: peer.name.to_owned(), milliseconds, peak_kib, started: started(&words, folder) },
    ))
}

/// Ours and the reference, to the nanosecond: they are one process with one thread each.
fn own_costs(json: &[&str], runs: u16, folder: &Path) -> Result<Vec<Cost>> {
    let kinds: [(&str, &[&str]); 3] = [
        ("muster-agent collect", &json[..2]),
        ("muster-agent collect --output json", json),
        ("dpkg-query -W", &["dpkg-query", "-W"]),
    ];
    let mut costs = Vec::new();
    for (name, words) in kinds {
        let used: Vec<_> = (0..runs).map_while(|_| measured(words).ok()).collect();
        if used.is_empty() {
            ensure!(words[0] != json[0], "`{name}` can't be run");
            continue;
        }
        let peak_kib = used.iter().map(|used| used.peak_kib).max().unwrap_or(0);
        let milliseconds = median(used.into_iter().map(|used| used.milliseconds).collect());
        costs.push(Cost { name: name.to_owned(), milliseconds, peak_kib, started: started(words, folder) });
    }
    Ok(costs)
}

/// Processor time of all children that have ended, and of theirs.
fn seconds_of_children() -> Result<f64> {
    let stat = fs::read_to_string("/proc/self/stat").context("cannot read /proc/self/stat")?;
    seconds_from(&stat, CHILDRENS_TIME)
}

/// What a program starts, by strace; `None` where that is not installed.
fn started(words: &[&str], folder: &Path) -> Option<Started> {
    let file = folder.join("strace");
    let calls = "trace=execve,execveat,fork,vfork,clone,clone3";
    let mut strace =
        command(Path::new("strace"), &["-f", "-q", "-e", calls, "-e", "status=successful", "-o"]);
    strace.arg(&file).args(words).stdout(Stdio::null());
    if !succeeds(Command::new("strace").arg("-V")) || strace.status().is_err() {
        return None;
    }
    Some(counted(&fs::read_to_string(&file).ok()?))
}

/// The first program is the one that was asked for; threads are no processes.
fn counted(calls: &str) -> Started {
    let finished = || calls.lines().filter(|line| !line.contains("<unfinished"));
    let programs = finished().filter(|line| line.contains("execve")).count().saturating_sub(1);
    let is_fork = |line: &&str| {
        ["fork(", "clone(", "clone3(", "fork resumed", "clone resumed", "clone3 resumed"]
            .iter()
            .any(|call| line.contains(call))
            && !line.contains("CLONE_THREAD")
    };
    Started { programs, processes: finished().filter(is_fork).count() }
}

fn cost_line(cost: &Cost, unit: f64) -> String {
    let Cost { name, milliseconds, peak_kib, started } = cost;
    let started = started.map_or_else(|| "-".to_owned(), |started| started.programs.to_string());
    // Who ends with an error is not watched, nor is who lives in a process of its own making.
    let peak = if *peak_kib < 100 { "-".to_owned() } else { format!("{:.1}", *peak_kib as f64 / 1024.0) };
    let times = milliseconds / unit;
    format!("{name:<36}{milliseconds:>12.1}{peak:>12}{started:>14}{times:>12.1}\n")
}

/// The aim: the whole below half of what osquery's tables cost beyond its start.
fn half_of_osquery(costs: &[Cost], ours: f64) -> Result<String> {
    let of = |name: &str| costs.iter().find(|cost| cost.name == name).map(|cost| cost.milliseconds);
    let Some((start, tables)) = of(OSQUERY_START).zip(of(OSQUERY)) else { return Ok(String::new()) };
    let marginal = tables - start;
    if marginal <= 0.0 {
        bail!("osquery's start cost more than its tables with it; use more --runs");
    }
    let judged = if ours <= marginal / 2.0 { "within" } else { "OVER" };
    Ok(format!(
        "osquery's tables without its start: {marginal:.1} ms; half of it: {:.1} ms; ours: {judged}\n",
        marginal / 2.0
    ))
}

fn line(peer: &str, compared: &Compared) -> String {
    let Compared { what, theirs, ours, missing, excused } = compared;
    let mut notes = if missing.is_empty() { "-".to_owned() } else { few(missing) };
    if !excused.is_empty() {
        notes.push_str(&format!("; left out: {}", few(excused)));
    }
    format!("{peer:<22}{what:<20}{theirs:>9}{ours:>9}   {notes}\n")
}

fn told(peer: &str, fields: &FieldsFound) -> String {
    let FieldsFound { same, told, left, lacking, unknown } = fields;
    let left_out: usize = left.values().map(|names| names.len()).sum();
    let mut text = format!("{peer}: {same} in the same words, {told} in others, {left_out} left out\n");
    let mut add = |title: &str, names: Vec<String>| {
        if !names.is_empty() {
            text.push_str(&format!("    {title}:\n"));
            text.push_str(&wrapped(&names));
        }
    };
    add("without a value of ours here", lacking.clone());
    add("not considered", unknown.clone());
    for (why, names) in left {
        add(why, names.iter().cloned().collect());
    }
    text
}

/// The first of many.
fn few(names: &[String]) -> String {
    match names {
        [first, second, third, _, ..] => format!("{first}, {second}, {third} and {} more", names.len() - 3),
        names => names.join(", "),
    }
}

/// Names in lines of a page's width.
fn wrapped(names: &[String]) -> String {
    const WIDTH: usize = 116;
    let mut lines = vec!["       ".to_owned()];
    for (index, name) in names.iter().enumerate() {
        let end = if index + 1 < names.len() { "," } else { "" };
        if lines.last().is_some_and(|line| line.len() + name.len() + 2 > WIDTH) {
            lines.push("       ".to_owned());
        }
        if let Some(line) = lines.last_mut() {
            line.push_str(&format!(" {name}{end}"));
        }
    }
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_are_no_processes() {
        let calls = "1 execve(\"/bin/a\") = 0\n1 clone3({flags=CLONE_VM|CLONE_THREAD|SIGCHLD}) = 2\n1 clone(child_stack=NULL <unfinished ...>\n\
            1 <... clone resumed>, flags=SIGCHLD) = 3\n3 execve(\"/bin/b\") = 0\n1 vfork( <unfinished ...>\n1 <... vfork resumed>) = 4\n";
        assert_eq!(counted(calls), Started { programs: 1, processes: 2 });
    }

    #[test]
    fn names_fit_a_page() {
        let names: Vec<String> = (0..40).map(|number| format!("name {number}")).collect();
        assert_eq!(few(&names[..3]), "name 0, name 1, name 2");
        assert_eq!(few(&names), "name 0, name 1, name 2 and 37 more");
        let text = wrapped(&names);
        assert!(text.lines().all(|line| line.len() <= 117) && text.lines().count() > 2, "{text}");
        assert!(text.ends_with(" name 39\n"));
    }

    #[test]
    fn children_are_counted_when_they_have_ended() {
        let before = seconds_of_children().unwrap();
        assert!(
            Command::new("dd")
                .args(["if=/dev/zero", "of=/dev/null", "bs=1M", "count=5000"])
                .stderr(Stdio::null())
                .status()
                .unwrap()
                .success()
        );
        assert!(seconds_of_children().unwrap() > before);
    }
}
