//! `muster-agent`, the service and its commands.

use std::process::ExitCode;

fn main() -> ExitCode {
    match muster_agent::cli::run() {
        Ok(()) => ExitCode::SUCCESS,
        // The number is sysexits' EX_CONFIG, on which the service manager doesn't start the agent again.
        Err(error) if error.is::<muster_config::Problems>() => {
            eprintln!("{error}");
            ExitCode::from(78)
        }
        Err(error) => {
            eprintln!("muster-agent: {error:#}");
            ExitCode::from(muster_agent::cli::exit_code(&error))
        }
    }
}
