//! `muster-bench`: proofs and benchmarks over fleets that don't exist.
#![expect(clippy::print_stdout, reason = "what it prints is what it is for")]

use std::process::ExitCode;

use clap::Parser;
use muster_bench::simulation::{self, Settings};
use muster_collector::testing::MemoryRoad;
use muster_common::governance::Charter;

/// Proofs and benchmarks over fleets that don't exist.
#[derive(Parser)]
#[command(version)]
enum Command {
    /// Simulates a fleet whose machines are known, and counts what identity gets wrong
    Identity {
        /// Machines at the beginning
        #[arg(long, default_value_t = 10_000)]
        machines: usize,
        /// Simulated days
        #[arg(long, default_value_t = 730)]
        days: u32,
        /// The same seed is the same history
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
}

fn main() -> ExitCode {
    match Command::parse() {
        Command::Identity { machines, days, seed } => {
            let mut road = MemoryRoad::new(Charter::default());
            let summary = simulation::run(&Settings { machines, days, seed }, &mut road);
            print!("{summary}");
            if summary.holds() {
                println!("as it should be: no false merge, at most 0.1 % false splits");
                ExitCode::SUCCESS
            } else {
                println!("wrong: expected no false merge and at most 0.1 % false splits");
                ExitCode::FAILURE
            }
        }
    }
}
