//! The session with the collector.
