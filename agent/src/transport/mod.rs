//! The session with the collector: one long-lived stream, decided by a pure state machine.
//!
//! In reading order: [`link`] stays connected, [`dial`] opens a stream, [`session`] is the loop over it, [`state`]
//! decides, [`disk`] writes down. `tls` and `advice` say how to reach the collector and what a refusal means.

pub mod link;

pub mod dial;

pub mod session;

pub mod event;
pub mod state;

pub mod disk;

pub mod advice;
pub mod backoff;
pub(crate) mod bounds;
pub mod resigned;
pub mod tls;
