//! Doubles for tests, simulations and benchmarks: machines that don't exist, and the pipeline as a road.
//!
//! Ordinary public types beside the real ones; no product code uses them.

pub mod machine;
pub mod pipeline_road;
pub mod road;

pub use machine::Machine;
pub use pipeline_road::PipelineRoad;
pub use road::{Observation, Placed, Road};
