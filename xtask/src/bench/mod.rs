//! `cargo xtask bench`: builds collector and load generator for speed and runs the load generator.
//!
//! `agent` measures the agent itself, in its own file. Knows nothing of the scenarios: every other word is passed on to the load generator, which also prints the table and
//! writes the JSON. It starts the collector that lies beside it, which is why both are built first.

mod agent;
mod idle;
mod peers;

use std::process::{Command, Stdio};

use anyhow::Result;
use clap::Parser;

use crate::root;
use crate::steps::{cargo, shown};

/// What is passed on.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// `agent` for what the agent costs; or scenario and options of the load generator: `cargo xtask bench -- --help` lists them
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    if arguments.words.first().is_some_and(|word| word == "agent") {
        return agent::run(&agent::Arguments::parse_from(&arguments.words));
    }
    let packages = ["--package", "muster-collector", "--package", "muster-bench"];
    shown(cargo(&["build", "--release"]).args(packages))?;
    let mut command = Command::new(root().join("target/release/muster-bench"));
    shown(command.args(&arguments.words).current_dir(root()).stdin(Stdio::inherit()))
}
