//! The session with the collector: one long-lived stream, decided by a pure state machine.

pub mod advice;
pub mod tls;

mod bounds;

pub mod event;
pub mod state;
