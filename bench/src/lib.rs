//! A synthetic fleet, a load generator that speaks the real protocol, and what they measure.
//!
//! Knows the agent's and the collector's libraries and is used by neither. Modules stand in the order in which a
//! measurement meets them: devices, the agents that report them, what they ask of a collector.

pub mod files;
pub mod fleet;
pub mod load;
pub mod scenario;

pub mod simulation;

pub mod cli;
