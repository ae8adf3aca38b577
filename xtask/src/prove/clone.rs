//! The proof that a clean clone needs no manual step: quickstart and the gate, each first once.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::root;
use crate::steps::{cargo, shown};

pub(super) fn run(words: &[String]) -> Result<()> {
    if !words.is_empty() {
        bail!("the proof takes no options");
    }
    let folder = env::temp_dir().join(format!("muster-clone-{}", std::process::id()));
    let result = both_orders(&folder);
    fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    result
}

fn both_orders(folder: &Path) -> Result<()> {
    let quickstart: &[&str] = &["xtask", "quickstart", "--once"];
    let gate: &[&str] = &["xtask", "test"];
    for (name, order) in [("quickstart-first", [quickstart, gate]), ("gate-first", [gate, quickstart])] {
        let clone = clone_into(&folder.join(name))?;
        for action in order {
            shown(&mut in_clone(&clone, action))?;
        }
        // The data of the first run is found again.
        shown(&mut in_clone(&clone, quickstart))?;
    }
    Ok(())
}

fn clone_into(folder: &Path) -> Result<PathBuf> {
    shown(Command::new("git").args(["clone", "--quiet", "--no-hardlinks"]).arg(root()).arg(folder))?;
    Ok(folder.to_owned())
}

/// A cargo command in the clone with a target folder of its own, so that nothing built here is found there.
fn in_clone(clone: &Path, arguments: &[&str]) -> Command {
    let mut command = cargo(arguments);
    command.current_dir(clone).env_remove("CARGO_TARGET_DIR");
    command
}
