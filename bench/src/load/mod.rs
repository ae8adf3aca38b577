//! Load: agents of the synthetic fleet that enrol, connect and report over the real protocol with real certificates.
//!
//! They use the agent's own encoder, TLS and identity, so that what is measured is what agents send. They keep no
//! spool and no baseline on disk: a device's baseline is made again from the fleet when it is needed. Knows nothing of
//! what is measured and of how the collector was started.

pub mod agent;
pub mod door;
pub mod drive;
pub mod latency;
pub mod reports;
pub mod restless;
pub mod wire;
