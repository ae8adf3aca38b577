//! Runs the sources and keeps what failed.
