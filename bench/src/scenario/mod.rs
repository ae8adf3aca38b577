//! What is measured, and how it is shown.
//!
//! To add a scenario: a file with its arguments and a `run` function, a module here, and an arm in [`crate::cli`].

pub mod collector;
pub mod durability;
pub mod import;
pub mod index;
pub mod ingest;
pub mod meter;
pub mod plan;
mod prepare;
pub mod results;
mod table;
