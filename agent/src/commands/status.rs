//! `muster-agent status`: how the service on this machine is doing.

use std::{fs, io, io::Write, path::Path, path::PathBuf};

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use muster_common::governance::{AgentSettings, Privacy};
use muster_proto::client::proxy::Way;

use crate::{
    asked,
    commands::{leaves, table::aligned},
    config::{self, Schedule, Settings},
    status::{self, ConnectionState, Status},
};

/// Arguments of `status`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The configuration, for its state_dir
    #[arg(long, value_name = "FILE", default_value = config::DEFAULT_PATH)]
    config: PathBuf,
    /// How to print: text for people, or json
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
    /// Print the last events, oldest first
    #[arg(long)]
    events: bool,
    /// List every field that leaves this machine, which of them now, and why the others don't
    #[arg(long, conflicts_with = "events")]
    leaves: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Output {
    Text,
    Json,
}

/// Prints the status, or the events.
pub(crate) fn run(arguments: &Arguments, out: &mut dyn Write) -> anyhow::Result<()> {
    let settings = config::read(&arguments.config)?;
    if arguments.leaves {
        match arguments.output {
            Output::Text => leaves::print(&settings, out),
            Output::Json => leaves::print_json(&settings, out),
        }
    } else if arguments.events {
        events(&settings.state_dir, arguments.output, out)
    } else {
        status(&settings, arguments.output, out)
    }
}

fn events(folder: &Path, output: Output, out: &mut dyn Write) -> anyhow::Result<()> {
    let events = status::read_events(folder)
        .with_context(|| format!("cannot read the events in {}", folder.display()))?;
    for event in events {
        match output {
            Output::Json => writeln!(out, "{}", serde_json::to_string(&event)?)?,
            Output::Text => {
                let kind = serde_json::to_value(event.kind)?;
                writeln!(out, "{}  {:10}  {}", event.time, kind.as_str().unwrap_or_default(), event.message)?;
            }
        }
    }
    Ok(())
}

fn status(settings: &Settings, output: Output, out: &mut dyn Write) -> anyhow::Result<()> {
    let path = settings.state_dir.join(status::FILE);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            bail!("the service has not run yet: there is no {}", path.display())
        }
        Err(error) => {
            return Err(error).with_context(|| {
                format!("cannot read {}: run this as root or as the service's user", path.display())
            });
        }
    };
    match output {
        Output::Json => out.write_all(text.as_bytes())?,
        Output::Text => {
            let status: Status = serde_json::from_str(&text)
                .with_context(|| format!("{} is damaged; it is written anew soon", path.display()))?;
            let running = is_running(status.process_id);
            // Until a collector has said something, and where its words can't be read, the own configuration holds.
            let asked = asked::load(&settings.state_dir).unwrap_or_default();
            out.write_all(for_people(&status, settings, &asked, running).as_bytes())?;
        }
    }
    Ok(())
}

/// Whether the process that wrote the status is there; `None` where that can't be told.
fn is_running(process_id: u32) -> Option<bool> {
    let processes = Path::new("/proc/self/comm");
    let own = fs::read_to_string(processes).ok()?;
    Some(fs::read_to_string(format!("/proc/{process_id}/comm")).is_ok_and(|name| name == own))
}

fn for_people(status: &Status, settings: &Settings, asked: &AgentSettings, running: Option<bool>) -> String {
    let connection = match (status.connection.state, running) {
        (ConnectionState::Stopped, _) | (_, Some(false)) => "not running".to_owned(),
        (ConnectionState::Enrolling, _) => "running, not enrolled yet".to_owned(),
        (ConnectionState::Connecting, _) => "running, connecting".to_owned(),
        (ConnectionState::Connected, _) => format!("connected since {}", status.connection.since),
        (ConnectionState::Waiting, _) => match &status.connection.retry {
            Some(retry) => format!("running, not connected; next try at {retry}"),
            None => "running, not connected".to_owned(),
        },
    };
    let mut rows = vec![
        row("service", format!("{connection} (version {})", status.agent_version)),
        row("collector", format!("{}{}", status.collector, by_proxy(settings))),
    ];
    match &status.identity {
        Some(identity) => {
            rows.push(row("device", identity.device_id.clone()));
            rows.push(row("agent", identity.agent_id.clone()));
            rows.push(row("certificate", format!("until {}", identity.certificate_end)));
        }
        None => rows.push(row("device", "this machine is not enrolled".to_owned())),
    }
    if let Some(acknowledged) = &status.acknowledged {
        let text = format!("report {} at {}", acknowledged.sequence, acknowledged.time);
        rows.push(row("confirmed", text));
    }
    rows.push(row("pending", pending(&status.pending)));
    rows.push(row("interval", interval(&settings.schedule, asked)));
    rows.push(row("personal", personal(settings.privacy, asked)));
    if let Some(sandbox) = &status.sandbox {
        rows.push(row("sandbox", sandbox.files.clone()));
        rows.push(row("", sandbox.calls.clone()));
    }
    let mut text = aligned("", &rows);
    if let Some(collection) = &status.collection {
        text.push_str(&format!(
            "\nLast collection at {} in {} ms, the next about {}\n",
            collection.finished, collection.duration_ms, collection.next
        ));
        let sections: Vec<Vec<String>> = collection
            .sections
            .iter()
            .filter(|section| section.items > 0 || section.errors > 0)
            .map(|section| {
                let errors =
                    if section.errors == 0 { String::new() } else { plural(section.errors, "error") };
                vec![section.name.clone(), section.status.clone(), plural(section.items, "item"), errors]
            })
            .collect();
        text.push_str(&aligned("  ", &sections));
    }
    let errors: Vec<Vec<String>> = status
        .source_errors
        .iter()
        .map(|error| vec![error.section.clone(), error.subject.clone(), error.message.clone()])
        .collect();
    if !errors.is_empty() {
        text.push_str("\nNot read\n");
        text.push_str(&aligned("  ", &errors));
    }
    if let Some(problem) = &status.problem {
        text.push_str(&format!("\nProblem since {}\n  {}\n", problem.time, problem.message));
    }
    // What sources and the collector wrote must not move a terminal's cursor.
    text.chars().map(|c| if c.is_control() && c != '\n' { ' ' } else { c }).collect()
}

fn plural(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

fn row(name: &str, text: String) -> Vec<String> {
    vec![name.to_owned(), text]
}

/// The proxy that stands between, if one does.
fn by_proxy(settings: &Settings) -> String {
    match settings.proxying.way_to(&settings.collector.session) {
        Way::Direct => String::new(),
        Way::Proxy(proxy) => format!(" by the proxy {}", proxy.address),
    }
}

/// How often this machine is read, and who says so.
fn interval(own: &Schedule, asked: &AgentSettings) -> String {
    let schedule = asked::schedule(own, asked);
    let text = |schedule: &Schedule| {
        format!("{} ± {} %", asked::in_units(schedule.interval), schedule.jitter_percent)
    };
    if schedule == *own {
        text(own)
    } else {
        format!("{}, pushed by the collector; your file says {}", text(&schedule), text(own))
    }
}

/// What is told of people.
fn personal(ceiling: Privacy, asked: &AgentSettings) -> String {
    let told = AgentSettings { privacy: ceiling.and(asked.privacy), ..AgentSettings::default() };
    format!("{}; muster-agent status --leaves lists every field", asked::in_words(&told))
}

fn pending(pending: &status::Pending) -> String {
    match pending.sections {
        0 => "nothing".to_owned(),
        count => {
            let memory = match pending.in_memory_alone {
                0 => String::new(),
                alone => format!(", {alone} of them in memory alone: raise spool.limit"),
            };
            format!("{}, {} bytes{memory}", plural(count, "section"), pending.bytes)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(name: &str, status: &str, items: usize, errors: usize) -> status::Section {
        status::Section { name: name.to_owned(), status: status.to_owned(), items, errors }
    }

    fn error(section: &str, subject: &str, message: &str) -> status::SourceError {
        let [section, subject, message] = [section, subject, message].map(str::to_owned);
        status::SourceError { section, subject, message }
    }

    fn sample() -> Status {
        Status {
            agent_version: "0.1.0".to_owned(),
            collector: "collector.example.org:7443".to_owned(),
            connection: status::Connection {
                state: ConnectionState::Waiting,
                since: "2026-11-01T10:00:00Z".to_owned(),
                retry: Some("2026-11-01T10:05:00Z".to_owned()),
            },
            collection: Some(status::Collection {
                finished: "2026-11-01T09:59:00Z".to_owned(),
                duration_ms: 48,
                sections: vec![
                    section("software.dpkg", "partial", 2212, 1),
                    section("software.java", "complete", 0, 0),
                    section("software.rpm", "not available", 0, 0),
                ],
                sources: Vec::new(),
                next: "2026-11-01T11:00:00Z".to_owned(),
            }),
            source_errors: vec![error("software.dpkg", "var/lib/dpkg/status", "\u{1b}[2Jred")],
            pending: status::Pending { sections: 1, bytes: 90_210, in_memory_alone: 0 },
            problem: Some(status::Problem {
                time: "2026-11-01T10:00:00Z".to_owned(),
                message: "the collector can't be reached: Connection refused".to_owned(),
            }),
            ..Status::default()
        }
    }

    fn settings(state_dir: &Path) -> Settings {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("agent.toml");
        fs::write(&path, format!("collector.session = \"a:1\"\nstate_dir = {state_dir:?}\n")).unwrap();
        config::read(&path).unwrap()
    }

    #[test]
    fn people_see_what_matters() {
        let expected = "\
service    running, not connected; next try at 2026-11-01T10:05:00Z (version 0.1.0)
collector  collector.example.org:7443
device     this machine is not enrolled
pending    1 section, 90210 bytes
interval   30m ± 10 %, pushed by the collector; your file says 1h ± 10 %
personal   nothing personal; muster-agent status --leaves lists every field

Last collection at 2026-11-01T09:59:00Z in 48 ms, the next about 2026-11-01T11:00:00Z
  software.dpkg  partial  2212 items  1 error

Not read
  software.dpkg  var/lib/dpkg/status   [2Jred

Problem since 2026-11-01T10:00:00Z
  the collector can't be reached: Connection refused
";
        let settings = settings(Path::new("/var/lib/muster-agent"));
        let asked = AgentSettings {
            interval: Some(std::time::Duration::from_secs(1800)),
            privacy: Privacy { usage: true, ..Privacy::NONE },
            ..AgentSettings::default()
        };
        let shown = |running| for_people(&sample(), &settings, &asked, Some(running));
        assert_eq!(shown(true), expected);
        assert!(shown(false).starts_with("service    not running (version 0.1.0)\n"));
    }

    #[test]
    fn a_folder_without_a_status_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let error = status(&settings(folder.path()), Output::Text, &mut Vec::new()).unwrap_err();
        assert!(error.to_string().starts_with("the service has not run yet"), "{error}");
        events(folder.path(), Output::Json, &mut Vec::new()).unwrap();
    }
}
