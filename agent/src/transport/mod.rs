//! The session with the collector.

pub mod advice;
pub mod tls;
