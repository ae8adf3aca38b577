//! The proof that identity holds: a fleet whose truth is known, simulated over two years, and the identity table told
//! by machines that enrol and report over TCP, five hundred clones of one image among them.
//!
//! Knows nothing of the simulation, which stands in `bench/src/simulation` and prints its own table, and of the stories,
//! which stand in `bench/tests/it/identity_table`. `--machines`, `--days` and `--seed` are handed on to the simulation.

use anyhow::Result;

use crate::steps::{cargo, shown};

/// The test with the table's own numbers, which does nothing without the variable.
const TABLE: &str = "identity_table::the_tables_own_numbers_come_out_right";

pub(super) fn run(words: &[String]) -> Result<()> {
    let mut command = cargo(&["run", "--release", "--quiet", "--package", "muster-bench", "--", "identity"]);
    shown(command.args(words))?;
    let told = [
        "test",
        "--release",
        "--quiet",
        "--package",
        "muster-bench",
        "--test",
        "it",
        "--",
        "--nocapture",
        TABLE,
    ];
    shown(cargo(&told).env("MUSTER_PROVE_CLONES", "500"))
}
