//! The row of the agent: the real service on this machine is killed while it enrols, collects and reports.
//!
//! Knows its command line and its configuration. Between the kills a source is switched off and on, so that every life
//! has something to report; at last all are on, and an operator must see one device with one agent and every package
//! that `collect` prints.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::super::victim::Victim;
use super::Random;
use super::client::Client;
use super::ledger::Verdict;
use super::place::{Collector, Place, Programs};
use super::table::Row;
use crate::steps::output_of;

/// How long the last life may take until everything is there.
const COMPLETE_WITHIN: Duration = Duration::from_secs(60);

/// Kills the agent so many times and lets it end its work.
pub(super) fn row(
    programs: &Programs,
    folder: &Path,
    kills: u64,
    client: &mut Client,
    random: &mut Random,
) -> Result<Row> {
    let place = Place::init(folder, programs)?;
    let home = folder.join("agent");
    fs::create_dir_all(&home)?;
    let config = home.join("agent.toml");
    let token = home.join("token");
    write_private(&token, &place.token(1)?)?;
    let collector = place.serve("")?;
    let run = || {
        let mut command = programs.command("muster-agent");
        command.args(["run", "--config"]).arg(&config);
        Victim::start(&mut command)
    };
    let expected = packages(&mut programs.command("muster-agent"))?;
    let mut row = Row::default();
    for kill in 0..kills {
        fs::write(&config, settings(&collector, kill % 2 == 1))?;
        let agent = run()?;
        // From its first steps to the time at which it has nothing left to do.
        thread::sleep(Duration::from_millis(10 + 40 * kill + random.below(200)));
        agent.kill()?;
        row.rounds += 1;
    }
    fs::write(&config, settings(&collector, false))?;
    let agent = run()?;
    let begun = Instant::now();
    loop {
        let listed = client.list(&collector.api, &place.operator())?;
        let agents: u64 = listed.iter().map(|device| device.agents).sum();
        row.verdict = Verdict {
            lost: expected.saturating_sub(listed.first().map_or(0, |device| device.software)),
            duplicated: (listed.len() as u64).saturating_sub(1) + agents.saturating_sub(1),
        };
        if (listed.len() == 1 && row.verdict.is_clean()) || begun.elapsed() > COMPLETE_WITHIN {
            break;
        }
        thread::sleep(Duration::from_millis(50));
    }
    let (_, complaint) = agent.kill()?;
    if !row.verdict.is_clean() {
        println!("   the agent says: {}", complaint.trim());
    }
    collector.kill()?;
    Ok(row)
}

/// One source less makes a change that has to be reported.
fn settings(collector: &Collector, without_packages: bool) -> String {
    let port = |address: &str| address.rsplit(':').next().unwrap_or_default().to_owned();
    let disabled = if without_packages { "\"dpkg\"" } else { "" };
    format!(
        "state_dir = \"state\"\ntoken_file = \"token\"\nlog = \"warn\"\n\n[collector]\n\
         session = \"localhost:{}\"\nenroll = \"localhost:{}\"\n\n[sources]\ndisabled = [{disabled}]\n",
        port(&collector.agents),
        port(&collector.enroll)
    )
}

/// How many packages this machine has, as the agent itself reads them.
fn packages(agent: &mut Command) -> Result<u64> {
    let printed = output_of(agent.args(["collect", "--output", "json"]))?;
    let inventory: serde_json::Value = serde_json::from_str(&printed).context("collect printed no JSON")?;
    let sections = inventory["sections"].as_array().context("the inventory has no sections")?;
    let items = sections.iter().filter_map(|section| section["items"].as_array()).flatten();
    Ok(items.filter(|item| item.get("package").is_some()).count() as u64)
}

/// A token is nobody else's business, and the agent insists.
fn write_private(path: &Path, text: &str) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::write(path, text)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))
        .with_context(|| format!("cannot protect {}", path.display()))
}
