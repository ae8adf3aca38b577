//! `muster-collector check-config`: every problem at once, or what is in force and where each setting came from.

use super::{ConfigArgument, say};
use crate::config;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    config: ConfigArgument,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    say(config::check(&arguments.config.config)?);
    Ok(())
}
