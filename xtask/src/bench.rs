//! `cargo xtask bench`: builds collector and load generator for speed and runs the load generator.
//!
//! Knows nothing of the scenarios: every word is passed on to the load generator, which also prints the table and
//! writes the JSON. It starts the collector that lies beside it, which is why both are built first.

use std::process::{Command, Stdio};

use anyhow::Result;

use crate::root;
use crate::steps::{cargo, shown};

/// What is passed on.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Scenario and options of the load generator; `cargo xtask bench -- --help` lists them
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let packages = ["--package", "muster-collector", "--package", "muster-bench"];
    shown(cargo(&["build", "--release"]).args(packages))?;
    let mut command = Command::new(root().join("target/release/muster-bench"));
    shown(command.args(&arguments.words).current_dir(root()).stdin(Stdio::inherit()))
}
