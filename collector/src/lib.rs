//! The collector: receives, reconciles, keeps and answers for the inventory.
//!
//! Modules stand in the order in which an observation meets them; `ARCHITECTURE.md` tells who may call whom.

pub mod tls;

pub mod authz;

pub mod audit;

pub mod enroll;
pub mod import;
pub mod ingest;

pub mod admin;
pub mod charter;
pub mod lifecycle;

pub mod pipeline;

pub mod actions;
pub mod registry;
pub mod status;

pub mod identity;

pub mod merge;

pub mod flags;

pub mod governance;

pub mod records;
pub mod store;

pub mod index;
pub mod query;

pub mod privacy;

pub mod config;

pub mod assess;
pub mod testing;

mod api;
pub mod app;
mod background;
pub mod server;

pub mod cli;
mod commands;
