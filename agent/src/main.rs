//! `muster-agent`, the service and its commands.

use std::process::ExitCode;

fn main() -> ExitCode {
    match muster_agent::cli::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("muster-agent: {error:#}");
            ExitCode::FAILURE
        }
    }
}
