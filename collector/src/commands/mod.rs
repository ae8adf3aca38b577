//! What `muster-collector` does when it is called, one file a command.

pub(crate) mod check_config;
pub(crate) mod init;
pub(crate) mod operator;
pub(crate) mod serve;
pub(crate) mod token;

use std::path::PathBuf;

use crate::config;

/// The configuration that a command reads.
#[derive(Debug, clap::Args)]
pub(crate) struct ConfigArgument {
    /// Configuration file; its folder's collector.d/*.toml are merged into it
    #[arg(long, value_name = "FILE", default_value = config::DEFAULT_PATH)]
    pub(crate) config: PathBuf,
}

/// Prints a line for people.
#[expect(clippy::print_stdout, reason = "commands speak to whoever called them")]
pub(crate) fn say(line: impl std::fmt::Display) {
    println!("{line}");
}
