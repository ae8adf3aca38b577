//! The agent's integration tests, one binary.
