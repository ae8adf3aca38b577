//! `muster-agent sources`: what is read for an inventory, from where, how a change is noticed and what it costs.

use std::{fs, io::Write, path::PathBuf, time::Duration};

use clap::{Args, ValueEnum};
use muster_common::time::{Clock, EndpointTime, SystemClock};
use serde::Serialize;

use crate::{
    collect::{self, Limits, Rescan, Rescanned},
    commands::table,
    config,
    host::LiveHost,
    permissions::{Permissions, permitted},
    sources::{SOURCES, Source},
    status::{self, Status},
};

/// Arguments of `sources`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The configuration, for the state_dir in which the service says what the last collection cost
    #[arg(long, value_name = "FILE", default_value = config::DEFAULT_PATH)]
    config: PathBuf,
    /// Read everything now so many times, and tell the median of the processor time; nothing leaves this machine
    #[arg(long, value_name = "RUNS", num_args = 0..=1, default_missing_value = "1", value_parser = clap::value_parser!(u16).range(1..=1000))]
    measure: Option<u16>,
    /// Measure those sources too that tell of people
    #[arg(long, requires = "measure")]
    personal: bool,
    /// How to print: text for people, or json
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Output {
    Text,
    Json,
}

#[derive(Debug, Serialize)]
struct Row {
    name: &'static str,
    section: String,
    noticed_by: &'static str,
    /// Processor time in µs; `None` where nobody has measured.
    micros: Option<u64>,
    /// Items and errors that it brought; `None` where nobody has measured.
    found: Option<usize>,
    reads: &'static [&'static str],
}

/// Processor times of whole collections, in µs.
#[derive(Debug, Serialize)]
struct Totals {
    /// Reading, encoding and comparing everything.
    full_micros: u64,
    /// The same again when nothing changed.
    rescan_micros: u64,
    /// Which sources ran all the same.
    rescan_ran: Vec<&'static str>,
}

/// Prints one line a source.
pub(crate) fn run(arguments: &Arguments, out: &mut dyn Write) -> anyhow::Result<()> {
    let permissions = if arguments.personal { Permissions::everything() } else { Permissions::default() };
    let (sources, costs, totals) = match arguments.measure {
        None => {
            let costs = last_costs(arguments).into_iter().map(|micros| (micros, None)).collect();
            (SOURCES.to_vec(), costs, None)
        }
        Some(runs) => {
            let sources = permitted(SOURCES, &permissions);
            let costs = measured(&sources, runs)?;
            let totals = totals(&sources, &permissions, runs)?;
            (sources, costs, Some(totals))
        }
    };
    let rows: Vec<Row> =
        sources.iter().zip(costs).map(|(source, (micros, found))| row(*source, micros, found)).collect();
    match arguments.output {
        Output::Json => {
            let all = serde_json::json!({ "sources": rows, "totals": totals });
            writeln!(out, "{}", serde_json::to_string_pretty(&all)?)?;
        }
        Output::Text => {
            let mut lines = vec![
                ["SOURCE", "SECTION", "CHANGES ARE NOTICED BY", "COST", "READS"].map(str::to_owned).to_vec(),
            ];
            // Of all that could be here a machine has a part, and the rest is said in one line.
            let (idle, rows): (Vec<&Row>, Vec<&Row>) = rows.iter().partition(|row| row.found == Some(0));
            lines.extend(rows.iter().map(|row| {
                let cost = row.micros.map_or_else(|| "-".to_owned(), |micros| format!("{micros} µs"));
                let words =
                    [row.name, row.section.as_str(), row.noticed_by, cost.as_str()].map(str::to_owned);
                words.into_iter().chain([row.reads.join(", ")]).collect()
            }));
            out.write_all(table::aligned("", &lines).as_bytes())?;
            if !idle.is_empty() {
                let names: Vec<&str> = idle.iter().map(|row| row.name).collect();
                let micros: u64 = idle.iter().filter_map(|row| row.micros).sum();
                writeln!(out, "\nNothing on this machine for {}: {micros} µs together", names.join(", "))?;
            }
            if let Some(Totals { full_micros, rescan_micros, rescan_ran }) = totals {
                writeln!(out, "\nAll of it, encoded:  {full_micros} µs")?;
                let ran = if rescan_ran.is_empty() { "none".to_owned() } else { rescan_ran.join(", ") };
                writeln!(out, "When nothing changed: {rescan_micros} µs; read all the same: {ran}")?;
            }
        }
    }
    Ok(())
}

fn row(source: &dyn Source, micros: Option<u64>, found: Option<usize>) -> Row {
    Row {
        name: source.name(),
        section: source.section().as_str().to_owned(),
        noticed_by: source.stamp().in_words(),
        micros,
        found,
        reads: source.reads(),
    }
}

/// What the service says of its last collection; nothing where there is no service or its word can't be read.
fn last_costs(arguments: &Arguments) -> Vec<Option<u64>> {
    let read = || {
        let settings = config::read(&arguments.config).ok()?;
        let text = fs::read(settings.state_dir.join(status::FILE)).ok()?;
        serde_json::from_slice::<Status>(&text).ok()?.collection
    };
    let told = read().map(|collection| collection.sources).unwrap_or_default();
    let cost = |name: &str| told.iter().find(|source| source.name == name).map(|source| source.micros);
    SOURCES.iter().map(|source| cost(source.name())).collect()
}

/// The median of the processor times, and what was found in the last run.
fn measured(sources: &[&'static dyn Source], runs: u16) -> anyhow::Result<Vec<(Option<u64>, Option<usize>)>> {
    let mut times = vec![Vec::new(); sources.len()];
    let mut found = vec![None; sources.len()];
    for _ in 0..runs {
        let host = LiveHost::open()?;
        let run = collect::measure(&host, sources);
        for ((times, found), measured) in times.iter_mut().zip(&mut found).zip(run) {
            times.push(measured.took);
            *found = Some(measured.found);
        }
    }
    Ok(times.into_iter().map(|times| Some(median(times))).zip(found).collect())
}

fn totals(sources: &[&'static dyn Source], permissions: &Permissions, runs: u16) -> anyhow::Result<Totals> {
    let forever = Duration::from_secs(u64::from(u32::MAX));
    let once = |rescan: &mut Rescan| -> anyhow::Result<(Duration, Rescanned)> {
        let begun = collect::processor_time();
        let host = LiveHost::open()?;
        let now = EndpointTime::from_millis(SystemClock.now().as_millis());
        let found = rescan.collect(&host, sources, permissions.clone(), Vec::new(), now);
        Ok((collect::processor_time().saturating_sub(begun), found))
    };
    let (mut full, mut again, mut ran) = (Vec::new(), Vec::new(), Vec::new());
    let mut rescan = Rescan::new(Limits::default(), forever);
    for _ in 0..runs {
        rescan = Rescan::new(Limits::default(), forever);
        full.push(once(&mut rescan)?.0);
    }
    for _ in 0..runs {
        let (took, found) = once(&mut rescan)?;
        again.push(took);
        ran = found.costs.iter().filter(|cost| cost.ran).map(|cost| cost.name).collect();
    }
    Ok(Totals { full_micros: median(full), rescan_micros: median(again), rescan_ran: ran })
}

fn median(mut times: Vec<Duration>) -> u64 {
    times.sort_unstable();
    times.get(times.len() / 2).map_or(0, |time| u64::try_from(time.as_micros()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(measure: Option<u16>) -> String {
        let config = PathBuf::from("/nonexistent/agent.toml");
        let mut out = Vec::new();
        run(&Arguments { config, measure, personal: false, output: Output::Text }, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn every_source_has_a_line() {
        let text = printed(None);
        assert_eq!(text.lines().count(), SOURCES.len() + 1);
        let line = text.lines().find(|line| line.starts_with("dpkg ")).unwrap();
        let words: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(
            words[..7],
            ["dpkg", "software.dpkg", "files", "looked", "at", "-", "var/lib/dpkg/status,"]
        );
    }

    #[test]
    fn measuring_tells_what_each_costs() {
        let text = printed(Some(1));
        let idle = text.lines().find_map(|line| line.strip_prefix("Nothing on this machine for "));
        let idle = idle.map_or(0, |names| names.matches(", ").count() + 1);
        let lines = permitted(SOURCES, &Permissions::default()).len() - idle + usize::from(idle > 0) + 2;
        assert_eq!(text.matches(" µs").count(), lines, "{text}");
        assert!(text.contains("When nothing changed: "));
    }
}
