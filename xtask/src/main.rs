//! The developer's actions, as `cargo xtask NAME`.
//!
//! Everything that one does to this repository is a subcommand here, so that nobody has to know a shell script. It
//! stands apart from the product: it uses none of Muster's crates and runs the binaries as a user would, and it keeps
//! to few dependencies so that it compiles in seconds.
//!
//! To add an action, write one file with a `run` function and one arm in [`main`].

#![expect(clippy::print_stdout, reason = "an action talks to the person who started it")]

mod bench;
mod documents;
mod needs;
mod package;
mod proto;
mod prove;
mod quickstart;
mod steps;
mod test;
mod tidy;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Developer actions of the Muster repository.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// A collector, this machine's own agent, and what they know
    Quickstart(quickstart::Arguments),
    /// The whole gate: formatting, lints, architecture, every test, documentation
    Test(test::Arguments),
    /// Only the rules of the repository's own shape, in under a second
    Tidy,
    /// A proof that takes too long for the gate; without a name all of them are listed
    Prove(prove::Arguments),
    /// Generate the Rust of proto/schema again
    Proto,
    /// The agent as .deb and .rpm under target/package
    Package(package::Arguments),
    /// Measure with a synthetic fleet; words behind `--` go to the load generator
    Bench(bench::Arguments),
}

fn main() -> ExitCode {
    match run(Arguments::parse().action) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(action: Action) -> Result<()> {
    match action {
        Action::Quickstart(arguments) => quickstart::run(&arguments),
        Action::Test(arguments) => test::run(&arguments),
        Action::Tidy => tidy::run(),
        Action::Prove(arguments) => prove::run(&arguments),
        Action::Proto => proto::run(),
        Action::Package(arguments) => package::run(&arguments),
        Action::Bench(arguments) => bench::run(&arguments),
    }
}

/// The folder that holds the workspace, wherever the action was started from.
fn root() -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.parent().map(PathBuf::from).unwrap_or(here)
}
