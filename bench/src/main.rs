//! The program of proofs and benchmarks; `cargo xtask bench` builds and runs it.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    match muster_bench::cli::run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
