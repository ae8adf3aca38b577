//! Watches an enrolled agent that has nothing to do: its memory and processor time, from `/proc`. It runs with what its
//! unit puts into its environment.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::quickstart::{Running, build, stop_signal};
use crate::root;

/// The unit of processor times in `/proc`, whatever the kernel's own clock.
const TICKS_PER_SECOND: f64 = 100.0;
/// The field of a process's own user time, and that of its ended children's, counted from 1 as proc(5) does.
const OWN_TIME: usize = 14;
pub(super) const CHILDRENS_TIME: usize = 16;
/// From the first report to rest.
const SETTLE: Duration = Duration::from_secs(30);

/// What is measured, its value, its unit, and what it should be at most.
pub(super) type Measured = (String, f64, &'static str, Option<f64>);

/// Runs the service with a collector beside it and watches for so many minutes. The collector is not measured, so its
/// build need not be fast.
pub(super) fn rows(agent: &Path, minutes: u64) -> Result<Vec<Measured>> {
    build()?;
    let folder = root().join("target/bench/idle");
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    let stop = stop_signal()?;
    let unit = root().join("deploy/systemd/muster-agent.service");
    let unit = fs::read_to_string(&unit).with_context(|| format!("cannot read {}", unit.display()))?;
    let mut command = Command::new(agent);
    command.envs(environment(&unit));
    let running = Running::start_with(&folder, &stop, Some(command))?;
    let process = running.agent_id();
    let spent_at_start = processor_seconds(process)?;
    thread::sleep(SETTLE);
    let spent = processor_seconds(process)?;
    println!("   watching process {process} for {minutes} minutes");
    let watched = Duration::from_secs(60 * minutes);
    thread::sleep(watched);
    let idle = processor_seconds(process)? - spent;
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let mapped = fs::read_to_string(format!("/proc/{process}/smaps_rollup")).unwrap_or_default();
    let mebibytes = |text: &str, key: &str| kibibytes(text, key).map_or(0.0, |kib| kib as f64 / 1024.0);
    let rows = vec![
        (format!("idle for {minutes} min: resident"), mebibytes(&status, "VmRSS:"), "MiB", Some(10.0)),
        (format!("idle for {minutes} min: of it not in files"), mebibytes(&status, "RssAnon:"), "MiB", None),
        (format!("idle for {minutes} min: proportional share"), mebibytes(&mapped, "Pss:"), "MiB", None),
        (format!("idle for {minutes} min: one core"), idle / watched.as_secs_f64() * 100.0, "%", Some(0.05)),
        ("CPU from the start to the first report".to_owned(), spent_at_start * 1000.0, "ms", None),
    ];
    running.drain()?;
    Ok(rows)
}

/// What a unit puts into the environment of its service.
fn environment(unit: &str) -> impl Iterator<Item = (&str, &str)> {
    let lines = unit.lines().filter_map(|line| line.strip_prefix("Environment="));
    lines.flat_map(str::split_whitespace).filter_map(|variable| variable.split_once('='))
}

/// User and kernel time of all its threads, those that ended included.
fn processor_seconds(process: u32) -> Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).context("the agent has ended")?;
    seconds_from(&stat, OWN_TIME)
}

/// User and kernel time in the line of `/proc/PID/stat`, which stand one behind the other from a field on.
pub(super) fn seconds_from(stat: &str, field: usize) -> Result<f64> {
    // The name in parentheses, the second field, may hold anything.
    let rest = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let mut fields = rest.split_whitespace().skip(field - 3).map_while(|field| field.parse::<u64>().ok());
    let (user, system) = fields.next().zip(fields.next()).context("stat has no processor times")?;
    Ok((user + system) as f64 / TICKS_PER_SECOND)
}

/// The number behind a key of `status` or `smaps_rollup`.
pub(super) fn kibibytes(text: &str, key: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(key))?.trim().trim_end_matches("kB").trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_stand_behind_any_name() {
        let stat = "7 (a) 1 (b) S 1 7 7 0 -1 4194560 1 2 3 4 150 50 7 3 20 0 1 0 8231 225280";
        assert_eq!(seconds_from(stat, OWN_TIME).unwrap(), 2.0);
        assert_eq!(seconds_from(stat, CHILDRENS_TIME).unwrap(), 0.1);
        assert!(seconds_from("7 (a) S 1 7", OWN_TIME).is_err());
    }

    #[test]
    fn the_environment_of_a_unit() {
        let unit =
            "[Service]\n# Environment=NO=1\nEnvironment=A=1 B_=2=3\nExecStart=/a b=c\nEnvironment=C=\n";
        assert_eq!(environment(unit).collect::<Vec<_>>(), [("A", "1"), ("B_", "2=3"), ("C", "")]);
    }
}
