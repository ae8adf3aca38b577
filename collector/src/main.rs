//! `muster-collector`: see the library for what it does.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    match muster_collector::cli::run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            muster_collector::cli::complain(&error);
            ExitCode::FAILURE
        }
    }
}
