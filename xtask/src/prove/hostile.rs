//! The proof that a hostile recorded machine does no harm: every path that a source looks at, replaced in turn by every
//! hostile thing, and the sources that notice run over it.
//!
//! Knows nothing of what is hostile, which stands in `agent/tests/it/hostile` and prints its own table. Words name
//! things of that table when not all are wanted.

use anyhow::{Result, ensure};

use crate::steps::{cargo, shown};

/// Which thing is wanted alone.
const ONLY: &str = "MUSTER_PROVE_THING";

pub(super) fn run(words: &[String]) -> Result<()> {
    ensure!(
        words.iter().all(|word| !word.starts_with('-')),
        "there are no options, only names of things, such as: pipe, \"unreadable\""
    );
    let told = [
        "test",
        "--quiet",
        "--package",
        "muster-agent",
        "--test",
        "it",
        "--",
        "--nocapture",
        "--include-ignored",
        "hostile::",
    ];
    if words.is_empty() {
        return shown(cargo(&told).env_remove(ONLY));
    }
    words.iter().try_for_each(|thing| shown(cargo(&told).env(ONLY, thing)))
}
