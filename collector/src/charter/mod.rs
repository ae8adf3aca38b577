//! The door to the organisation's policy: charters, adoption, exceptions, and what there is to do.
//!
//! Reads and bounds what comes in, and puts answers on the wire; what happens is `actions`' to do and policy's to decide.

mod convert;
mod service;

pub use service::CharterService;
