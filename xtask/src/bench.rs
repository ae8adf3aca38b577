//! `cargo xtask bench`: builds the load generator for speed and runs it.
//!
//! Knows nothing of the scenarios: words behind `--` go to the load generator, which also prints the table and writes
//! the JSON.

use std::process::Stdio;

use anyhow::Result;

use crate::steps::{cargo, shown};

/// What is passed on.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Scenario and options of the load generator; `cargo xtask bench -- --help` lists them
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let mut command = cargo(&["run", "--release", "--package", "muster-bench", "--"]);
    shown(command.args(&arguments.words).stdin(Stdio::inherit()))
}
