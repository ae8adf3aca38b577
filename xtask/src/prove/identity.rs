//! The proof that identity holds: a fleet whose truth is known, simulated over two years.
//!
//! Knows nothing of the simulation, which stands in `bench/src/simulation` and prints its own table. `--machines`,
//! `--days` and `--seed` are handed on.

use anyhow::Result;

use crate::steps::{cargo, shown};

pub(super) fn run(words: &[String]) -> Result<()> {
    let mut command = cargo(&["run", "--release", "--quiet", "--package", "muster-bench", "--", "identity"]);
    shown(command.args(words))
}
