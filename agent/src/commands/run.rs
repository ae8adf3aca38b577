//! `muster-agent run`: the service.

use std::{io, path::PathBuf};

use anyhow::Context;
use clap::Args;
use muster_config::LogLevel;
use tracing_subscriber::{filter::Targets, layer::SubscriberExt, util::SubscriberInitExt};

use crate::{config, supervisor};

/// Arguments of `run`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The configuration; drop-ins lie in the folder beside it, agent.d for agent.toml
    #[arg(long, value_name = "FILE", default_value = config::DEFAULT_PATH)]
    config: PathBuf,
}

/// Runs until the service is stopped.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let settings = config::read(&arguments.config)?;
    log_to_standard_error(settings.log)?;
    Ok(supervisor::run(settings)?)
}

/// Standard error goes to the journal, or wherever the service manager puts it.
fn log_to_standard_error(level: LogLevel) -> anyhow::Result<()> {
    let filter = match level {
        LogLevel::Error | LogLevel::Warn | LogLevel::Info | LogLevel::Debug => {
            // Libraries say nothing that concerns an operator below a warning.
            let own = level.name();
            let others = level.min(LogLevel::Warn).name();
            format!("{others},muster_agent={own},muster_proto={own}")
        }
        LogLevel::Trace => "trace".to_owned(),
    };
    let filter: Targets = filter.parse().context("the log's level can't be set")?;
    let is_terminal = io::IsTerminal::is_terminal(&io::stderr());
    tracing_subscriber::fmt()
        // What passes is the filter's to say.
        .with_max_level(tracing::Level::TRACE)
        .with_writer(io::stderr)
        .with_ansi(is_terminal)
        .with_target(false)
        .finish()
        .with(filter)
        .try_init()
        .map_err(|error| anyhow::anyhow!("the log can't be set up: {error}"))
}
