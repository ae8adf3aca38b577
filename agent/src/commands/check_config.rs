//! `muster-agent check-config`: is the configuration right, and what does it say?

use std::{io::Write, path::PathBuf};

use clap::Args;

use crate::config;

/// Arguments of `check-config`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The configuration; drop-ins lie in the folder beside it, agent.d for agent.toml
    #[arg(long, value_name = "FILE", default_value = config::DEFAULT_PATH)]
    config: PathBuf,
}

/// Prints every setting in force with where it came from; every problem is the error.
pub(crate) fn run(arguments: &Arguments, out: &mut dyn Write) -> anyhow::Result<()> {
    let listing = config::check(&arguments.config)?;
    write!(out, "{listing}")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_sample_is_right() {
        let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/config/agent.toml");
        let mut out = Vec::new();
        run(&Arguments { config: PathBuf::from(sample) }, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.contains("schedule.interval = \"1h\" "), "{text}");
        assert!(text.contains("agent.toml:"), "{text}");
    }
}
