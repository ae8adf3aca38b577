//! `muster-collector`: see the library for what it does.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    // Fail points are named by an environment variable, and only where they were compiled in.
    #[cfg(feature = "failpoints")]
    let _scenario = fail::FailScenario::setup();
    match muster_collector::cli::run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            muster_collector::cli::complain(&error);
            ExitCode::from(muster_collector::cli::exit_code(&error))
        }
    }
}
