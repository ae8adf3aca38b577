//! The agent's configuration: files become [`Settings`] that are trusted after start.
//!
//! Knows nothing of what the settings are used for. Reading, merging of drop-ins and the form of problems come from
//! `muster_config`; which keys there are, with defaults and bounds, stands in [`settings`]; the same with comments for
//! people is `deploy/config/agent.toml`, which a test holds to it.

mod proxy;
mod settings;

use std::path::Path;

use muster_config::{Input, Listing, Problems};

pub use proxy::Proxying;
pub use settings::{Collector, Schedule, Settings};

/// Where the packages put the configuration.
pub const DEFAULT_PATH: &str = "/etc/muster/agent.toml";
/// Where its state is unless it is configured otherwise.
pub const DEFAULT_STATE: &str = "/var/lib/muster-agent";

/// What the names of variables begin with that win over every file.
const ENVIRONMENT: &str = "MUSTER_AGENT__";

/// Reads the file, its drop-ins and the environment.
///
/// # Errors
/// Every problem at once, each with file, line, key and what to do.
pub fn read(path: &Path) -> Result<Settings, Problems> {
    settings::from_input(input(path)?, &variable).map(|(settings, _)| settings)
}

/// The settings in force and where each came from, for `muster-agent check-config`.
///
/// # Errors
/// As [`read`].
pub fn check(path: &Path) -> Result<Listing, Problems> {
    settings::from_input(input(path)?, &variable).map(|(_, listing)| listing)
}

fn input(path: &Path) -> Result<Input, Problems> {
    Ok(Input::read(path)?.with_environment(ENVIRONMENT, std::env::vars_os()))
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
