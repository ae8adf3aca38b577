//! The collector's integration tests, one binary.
