//! The agent: gathers a machine's inventory and streams it to a collector.
//!
//! Modules stand in the order in which a fact meets them.

pub mod host;

pub mod sources;

#[doc(hidden)]
pub mod parsers;

pub mod permissions;

pub mod collect;

mod bundle;

pub mod report;

pub mod state_file;

mod usage;

pub mod baseline;
pub mod spool;

pub mod asked;

pub mod credentials;
pub mod transport;

pub mod enroll;

pub mod status;

pub mod config;

pub mod sandbox;

pub mod supervisor;

pub mod export;
pub mod owner;

pub mod cli;
mod commands;
