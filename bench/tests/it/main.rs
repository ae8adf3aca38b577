//! The benchmarks' own tests, one binary.

mod simulation;
