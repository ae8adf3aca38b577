//! The proof that the agent lists what each package manager lists, item by item: every manager that this machine can
//! run makes a root of its own, lists what it holds, and `muster-agent collect --root` reads the same root.
//!
//! Knows nothing of how the agent reads. Each manager has a file that makes its root and puts its own listing and our
//! items into the same words; comparing them is done here. A manager that isn't installed, or whose packages can't be
//! fetched, is skipped with its reason.
//!
//! To add a manager: a file here with a [`Manager`] constant, and its line in [`MANAGERS`].

mod dpkg;
mod flatpak;
mod nix;
mod pacman;
mod rpm;

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::steps::{Outcome, Steps, cargo, output_of, shown, succeeds};

/// One package manager.
struct Manager {
    /// The section that its packages come in.
    section: &'static str,
    /// Programs that must start, each with a harmless argument.
    tools: &'static [[&'static str; 2]],
    /// Makes a root below this folder and returns what the manager itself lists there.
    make: fn(&Path) -> Result<Made>,
    /// One of our items in the words of that listing; `None` for what the manager does not list.
    line: fn(&Value) -> Option<String>,
}

/// Lines of a difference that are printed.
const SHOWN: usize = 20;

/// A root, and what its manager lists.
struct Made {
    listing: BTreeSet<String>,
    /// The fewest lines that this proof is worth anything with.
    at_least: usize,
}

const MANAGERS: &[Manager] = &[dpkg::MANAGER, rpm::MANAGER, pacman::MANAGER, flatpak::MANAGER, nix::MANAGER];

/// `words` may name sections: only these are tried.
pub(super) fn run(words: &[String]) -> Result<()> {
    shown(&mut cargo(&["build", "--package", "muster-agent"]))?;
    let mut steps = Steps::default();
    for manager in MANAGERS {
        if words.is_empty() || words.iter().any(|word| word == manager.section) {
            steps.step(manager.section, || prove(manager));
        }
    }
    steps.finish()
}

fn prove(manager: &Manager) -> Result<Outcome> {
    if !rustix::process::geteuid().is_root() {
        return Ok(Outcome::Skipped("needs root to install packages into a folder".to_owned()));
    }
    for [program, argument] in manager.tools {
        if !succeeds(Command::new(program).arg(argument)) {
            return Ok(Outcome::Skipped(format!("needs {program}")));
        }
    }
    let folder = env::temp_dir().join(format!("muster-{}-{}", manager.section, std::process::id()));
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let result = compare(manager, &folder);
    let removed = fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()));
    result.and_then(|()| removed.map(|()| Outcome::Done))
}

fn compare(manager: &Manager, folder: &Path) -> Result<()> {
    let Made { listing, at_least } = (manager.make)(folder)?;
    let (collected, errors) = collected(manager, &folder.join("root"))?;
    let only = |left: &BTreeSet<String>, right: &BTreeSet<String>| {
        left.difference(right).take(SHOWN).map(|line| format!("\n     {line}")).collect::<String>()
    };
    let (missing, extra) = (only(&listing, &collected), only(&collected, &listing));
    println!("   {} of its own listing, {} of ours", listing.len(), collected.len());
    ensure!(errors.is_empty(), "the agent could not read all:\n{}", errors.join("\n"));
    ensure!(missing.is_empty(), "not found by the agent:{missing}\n   and found instead:{extra}");
    ensure!(extra.is_empty(), "found by the agent alone:{extra}");
    ensure!(listing.len() >= at_least, "only {} packages were made", listing.len());
    Ok(())
}

/// What the agent finds below a root, in the manager's words, and what it could not read.
fn collected(manager: &Manager, root: &Path) -> Result<(BTreeSet<String>, Vec<String>)> {
    let agent = env::current_exe()?.with_file_name("muster-agent");
    let mut command = Command::new(agent);
    command.args(["collect", "--personal", "--output", "json", "--root"]).arg(root);
    let inventory: Value = serde_json::from_str(&output_of(&mut command)?)?;
    let sections = inventory.get("sections").and_then(Value::as_array).context("it has no sections")?;
    let section = sections
        .iter()
        .find(|section| text(section, "/name") == manager.section)
        .with_context(|| format!("the agent has no section {}", manager.section))?;
    let list = |name: &str| section.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    let items = list("items");
    let lines: Vec<String> = items.iter().filter_map(manager.line).collect();
    let count = lines.len();
    let lines: BTreeSet<String> = lines.into_iter().collect();
    ensure!(lines.len() == count, "two of our items say the same: {} of {count} differ", lines.len());
    Ok((lines, list("errors").iter().map(|error| text(error, "/message").to_owned()).collect()))
}

/// A text in an item; empty where there is none.
fn text<'a>(item: &'a Value, pointer: &str) -> &'a str {
    item.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// A listing's lines.
fn lines(listing: &str) -> BTreeSet<String> {
    listing.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect()
}
