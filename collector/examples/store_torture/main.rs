//! A store under load that tells each acknowledgement at once, for a prover that kills it and looks what is left.
//!
//! ```text
//! store_torture run FOLDER TASKS SECONDS     commits for so long, or until it is killed; prints `ready` and `ack` lines
//! store_torture dump FOLDER                  prints every change and every record, and whether the chain is whole
//! store_torture measure FOLDER               prints a table of rates
//! ```
//! It takes fail points from the environment variable FAILPOINTS.

#![expect(clippy::print_stdout, reason = "its output is what it is for")]

mod dump;
mod measure;
mod work;

use std::{path::Path, time::Duration};

use anyhow::{Context, bail};

fn main() -> anyhow::Result<()> {
    let _points = fail::FailScenario::setup();
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let runtime = tokio::runtime::Runtime::new().context("failed to start the runtime")?;
    match words[..] {
        ["run", folder, tasks, seconds] => {
            let seconds = Duration::from_secs(seconds.parse().context("SECONDS is not a number")?);
            let tasks = tasks.parse().context("TASKS is not a number")?;
            runtime.block_on(work::run(Path::new(folder), tasks, seconds))
        }
        ["dump", folder] => runtime.block_on(dump::run(Path::new(folder))),
        ["measure", folder] => runtime.block_on(measure::run(Path::new(folder))),
        _ => bail!("usage: store_torture run FOLDER TASKS SECONDS | dump FOLDER | measure FOLDER"),
    }
}
