//! The command line of `muster-agent`.
//!
//! Knows names, arguments and help texts; what a command does stands in its file under `commands`.

use std::io::{self, Write};

use clap::{Parser, Subcommand};
use muster_config::Problems;

use crate::commands::{bundle, check_config, collect, enroll, export, run, sources, status};

/// Gathers this machine's inventory and streams it to a Muster collector.
#[derive(Debug, Parser)]
#[command(name = "muster-agent", version, propagate_version = true, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run as the service: collect, and keep a session with the collector
    Run(run::Arguments),
    /// Get this machine's certificate from a collector
    Enroll(enroll::Arguments),
    /// Print the inventory of this machine, or of a recorded one, without a collector
    Collect(collect::Arguments),
    /// Write a signed report that is carried to a collector where no network leads: muster import agent FILE
    Export(export::Arguments),
    /// Say how the service on this machine is doing
    Status(status::Arguments),
    /// List what is read for an inventory, from where, how a change is noticed and what it costs
    Sources(sources::Arguments),
    /// Write a recording of this machine for a bug report, without what tells whose it is
    Bundle(bundle::Arguments),
    /// Check the configuration and print what is in force
    CheckConfig(check_config::Arguments),
}

/// Does what the command line says.
///
/// # Errors
/// What went wrong, for people, with its cause.
pub fn run() -> anyhow::Result<()> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    let result = match Arguments::parse().command {
        Command::Run(arguments) => run::run(&arguments),
        Command::Enroll(arguments) => enroll::run(&arguments, &mut out),
        Command::Collect(arguments) => collect::run(&arguments, &mut out),
        Command::Export(arguments) => export::run(&arguments, &mut out),
        Command::Status(arguments) => status::run(&arguments, &mut out),
        Command::Sources(arguments) => sources::run(&arguments, &mut out),
        Command::Bundle(arguments) => bundle::run(&arguments, &mut out),
        Command::CheckConfig(arguments) => check_config::run(&arguments, &mut out),
    };
    match result.and_then(|()| Ok(out.flush()?)) {
        Err(error) if is_broken_pipe(&error) => Ok(()),
        result => result,
    }
}

/// The number with which the process ends after an error: 78 (EX_CONFIG) for a wrong configuration, which a service
/// manager need not try again, 75 (EX_TEMPFAIL) when an operator has to approve first, else 1.
pub fn exit_code(error: &anyhow::Error) -> u8 {
    if error.is::<Problems>() {
        78
    } else if error.is::<enroll::NotApproved>() {
        75
    } else {
        1
    }
}

/// Whether the reader of the output went away, as `head` does; that is no failure.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }
}
