//! The collector's integration tests, one binary.
#![expect(clippy::unwrap_used, reason = "a test that can't go on says where by panicking")]

mod admin;
mod audit;
mod carried;
mod charter;
mod formats;
mod identity_cases;
mod import;
mod import_others;
mod index;
mod lifecycle;
mod peripherals;
mod pipeline;
mod query;
mod records;
mod rights;
mod store_conformance;
mod store_embedded;
mod store_faults;
mod store_kill;
mod trust;
mod world;
