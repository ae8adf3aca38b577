//! `cargo xtask proto`: generates the Rust of proto/schema again.
//!
//! Knows nothing of the generator: the test that compares the checked-in code with the schema writes it when told to,
//! so that what is generated and what is compared can't differ.

use anyhow::Result;

use crate::steps::{cargo, shown};

pub(crate) fn run() -> Result<()> {
    let test = ["test", "--quiet", "--package", "xtask", "--test", "it", "generated_code_is_current"];
    shown(cargo(&test).env("MUSTER_UPDATE", "1"))
}
