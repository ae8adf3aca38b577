//! The benchmarks' own tests, one binary.
#![expect(clippy::print_stdout, reason = "a test's figures are shown with --nocapture")]
#![expect(clippy::unwrap_used, reason = "a test that can't go on says where by panicking")]

mod bad_input;
mod carried;
mod identity_table;
mod index;
mod ingest;
mod privacy;
mod simulation;
mod world;
