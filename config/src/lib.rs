//! Configuration files of Muster's programs: fragments become one input, and the input is read key by key.
//!
//! A *fragment* is one TOML file: the main one, or a drop-in `*.toml` of the folder beside it (`agent.toml` has
//! `agent.d/`). Fragments are merged in the order of their names, the later one wins key by key, and the environment wins
//! over all of them. The program then asks
//! the [`Input`] for each setting it knows, with its default and bounds; what nobody asked for is an unknown key.
//! Problems are collected, so that a person repairs a file in one round: each names file, line, key and what to do.
//!
//! Knows nothing of what any setting means: each program's `config` module says that. It doesn't use serde, because
//! a derived reader stops at the first problem and forgets on which line a value stood.

mod environment;
mod files;
mod fragment;
mod input;
mod listing;
mod log;
mod problem;
mod sample;
mod units;

pub use fragment::Value;
pub use input::Input;
pub use listing::{Listing, Origin, Row};
pub use log::{InvalidLogLevel, LogLevel};
pub use problem::{Problem, Problems};
pub use sample::uncommented;
pub use units::{InvalidUnit, Period, Size};
