//! Doubles for tests, simulations and benchmarks: machines that don't exist, and a pipeline without a store.
//!
//! Ordinary public types beside the real ones; no product code uses them.

pub mod machine;
pub mod road;

pub use machine::Machine;
pub use road::{MemoryRoad, Observation, Placed, Road};
