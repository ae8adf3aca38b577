//! The command line of `muster-collector`.
//!
//! Knows names, arguments and help texts; what a command does stands in its file under `commands`.

use clap::{Parser, Subcommand};

use crate::commands::{check_config, init, operator, serve, token};

/// Receives, reconciles, keeps and answers for the inventory.
#[derive(Debug, Parser)]
#[command(name = "muster-collector", version, propagate_version = true, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make the authority, the configuration and the first operator
    Init(init::Arguments),
    /// Run the collector until SIGTERM or Ctrl-C, then drain
    Serve(serve::Arguments),
    /// Make enrolment tokens on this machine
    Token(token::Arguments),
    /// Make or renew the identity of a person who uses the command line
    Operator(operator::Arguments),
    /// Check the configuration and print what is in force
    CheckConfig(check_config::Arguments),
}

/// Does what the command line says.
///
/// # Errors
/// What went wrong, for people, with its cause.
pub async fn run() -> anyhow::Result<()> {
    match Arguments::parse().command {
        Command::Init(arguments) => init::run(arguments).await,
        Command::Serve(arguments) => serve::run(arguments).await,
        Command::Token(arguments) => token::run(arguments).await,
        Command::Operator(arguments) => operator::run(arguments).await,
        Command::CheckConfig(arguments) => check_config::run(&arguments),
    }
}

/// The number with which the process ends after an error: 78 (EX_CONFIG) for a wrong configuration, which a service
/// manager need not try again, else 1.
pub fn exit_code(error: &anyhow::Error) -> u8 {
    if error.is::<muster_config::Problems>() { 78 } else { 1 }
}

/// Says what went wrong, with its causes.
#[expect(clippy::print_stderr, reason = "the last word of a program that failed")]
pub fn complain(error: &anyhow::Error) {
    // Each problem of a configuration begins with its file, as compilers have it.
    match error.downcast_ref::<muster_config::Problems>() {
        Some(problems) => eprintln!("{problems}"),
        None => eprintln!("muster-collector: {error:#}"),
    }
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
