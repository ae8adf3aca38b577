//! What `muster-agent` does when it is called, one file a command.
//!
//! A command takes its arguments and writes to `out`; it never ends the process.

pub(crate) mod check_config;
pub(crate) mod collect;
pub(crate) mod enroll;
pub(crate) mod export;
pub(crate) mod run;
pub(crate) mod sources;
pub(crate) mod status;

mod leaves;
mod peripherals;
mod summary;
mod table;
