//! The command line of proofs and benchmarks.

#![expect(clippy::print_stdout, reason = "what it prints is what it is for")]

use anyhow::{Result, bail};
use clap::{Parser, Subcommand};
use muster_collector::testing::PipelineRoad;
use muster_common::governance::Charter;

use crate::{
    scenario::{durability, import, index, ingest},
    simulation::{self, Settings},
};

/// Proofs and benchmarks over fleets that don't exist.
#[derive(Debug, Parser)]
#[command(name = "muster-bench", version, args_conflicts_with_subcommands = true)]
struct CommandLine {
    #[command(subcommand)]
    scenario: Option<Scenario>,
    #[command(flatten)]
    ingest: ingest::Arguments,
}

#[derive(Debug, Subcommand)]
enum Scenario {
    /// Agents that enrol, connect and report; the scenario unless another is named
    Ingest(ingest::Arguments),
    /// Questions to the index of a large fleet
    Index(index::Arguments),
    /// Files of other systems taken in, format by format
    Import(import::Arguments),
    /// The load of `cargo xtask prove durability`, told what to do on standard input
    DurabilityLoad(durability::Arguments),
    /// Simulates a fleet whose machines are known, and counts what identity gets wrong
    Identity(Identity),
}

#[derive(Debug, clap::Args)]
struct Identity {
    /// Machines at the beginning
    #[arg(long, default_value_t = 10_000)]
    machines: usize,
    /// Simulated days
    #[arg(long, default_value_t = 730)]
    days: u32,
    /// The same seed is the same history
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Does what the command line says.
pub async fn run() -> Result<()> {
    let CommandLine { scenario, ingest } = CommandLine::parse();
    match scenario.unwrap_or(Scenario::Ingest(ingest)) {
        Scenario::Ingest(arguments) => ingest::run(arguments).await,
        Scenario::Index(arguments) => index::run(&arguments),
        Scenario::Import(arguments) => import::run(&arguments).await,
        Scenario::DurabilityLoad(arguments) => durability::run(&arguments).await,
        // The pipeline gets a runtime of its own there, which this one does not allow within its own tasks.
        Scenario::Identity(arguments) => tokio::task::spawn_blocking(move || identity(&arguments)).await?,
    }
}

fn identity(arguments: &Identity) -> Result<()> {
    let Identity { machines, days, seed } = *arguments;
    let mut road = PipelineRoad::new(Charter::default())?;
    let summary = simulation::run(&Settings { machines, days, seed }, &mut road);
    print!("{summary}");
    if !summary.holds() {
        bail!("wrong: expected no false merge and at most 0.1 % false splits");
    }
    println!("as it should be: no false merge, at most 0.1 % false splits");
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        CommandLine::command().debug_assert();
    }
}
