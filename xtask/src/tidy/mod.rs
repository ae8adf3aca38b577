//! The rules of the repository's own shape, checked on its text.
//!
//! Knows nothing of how Rust is parsed: every rule is a pure function over [`Source`]s, cheap enough to run at every
//! save, and proves in its own tests that it can fail. What the compiler or clippy can check is left to them.
//!
//! To add a rule, write a `fn(&[Source]) -> Vec<Violation>` in the file whose subject it shares (or a new one), with a
//! small bad input as its test, and add one line to [`RULES`].

mod crates;
mod directions;
mod failpoints;
mod files;
mod paths;
mod references;

use std::fmt;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::root;

/// One file of the repository.
pub(crate) struct Source {
    /// Relative to the root, with `/` between its parts.
    pub(crate) path: String,
    pub(crate) text: String,
}

impl Source {
    /// The lines that the product consists of: everything before the unit tests.
    pub(crate) fn product(&self) -> &str {
        // Files of this name are declared under `#[cfg(test)]`: doubles and samples for the tests beside them.
        if self.path.ends_with("/testing.rs") {
            return "";
        }
        let mut marks =
            self.text.match_indices("\n#[cfg(test)]\n").map(|(at, mark)| (at + 1, at + mark.len()));
        let start_of_tests = marks.find(|(_, end)| {
            let item = self.text[*end..].lines().find(|line| !line.starts_with("#[")).unwrap_or_default();
            item.contains("mod ") && item.ends_with('{')
        });
        &self.text[..start_of_tests.map_or(self.text.len(), |(start, _)| start)]
    }

    pub(crate) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Whether the file lies in this folder, or is the module of that name written as one file.
    pub(crate) fn is_in(&self, folder: &str) -> bool {
        self.path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/') || rest == ".rs")
    }
}

/// A place that breaks a rule, and what to do about it.
#[derive(Debug, PartialEq)]
pub(crate) struct Violation {
    path: String,
    /// Counted from 1; 0 when the whole file is meant.
    line: usize,
    message: String,
}

impl Violation {
    pub(crate) fn new(path: &str, line: usize, message: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, message: message.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}: {}", self.path, self.line.max(1), self.message)
    }
}

/// A rule and the words by which it is known.
type Rule = (&'static str, fn(&[Source]) -> Vec<Violation>);

const RULES: &[Rule] = &[
    ("crates depend in one direction", crates::directions),
    ("each dependency stands once, with its reason", crates::reasons),
    ("members take their dependencies from the workspace", crates::members),
    ("modules call in one direction", directions::modules),
    ("what belongs to one place is named there only", directions::places),
    ("every file says what it is", files::heads),
    ("no file holds two ideas", files::lengths),
    ("one integration binary for each crate", files::integration_binaries),
    ("nothing is left for later, nothing names one machine", files::words),
    ("every fail point has its own name", failpoints::unique),
    ("what documents name is there", references::exist),
];

/// Checks the whole repository; an error that lists every violation.
pub(crate) fn run() -> Result<()> {
    let sources = read(&root())?;
    let mut violations = Vec::new();
    for (name, rule) in RULES {
        for violation in rule(&sources) {
            violations.push(format!("{violation} ({name})"));
        }
    }
    println!("   {} rules over {} files", RULES.len(), sources.len());
    if violations.is_empty() {
        return Ok(());
    }
    bail!("{} violations:\n{}", violations.len(), violations.join("\n"))
}

/// Every text file that is written by hand, in a fixed order.
fn read(root: &Path) -> Result<Vec<Source>> {
    let mut sources = Vec::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))? {
            let path = entry?.path();
            let relative = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned();
            let is_link = path.symlink_metadata().is_ok_and(|metadata| metadata.is_symlink());
            if is_link || ["target", ".git", ".muster", "proto/src/gen"].contains(&relative.as_str()) {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            // What isn't UTF-8 is a recorded fixture, not something written here.
            if let Ok(text) = fs::read_to_string(&path) {
                sources.push(Source { path: relative, text });
            }
        }
    }
    sources.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(sources)
}

#[cfg(test)]
pub(crate) mod testing {
    //! What the tests of all rules share.

    use super::{Source, Violation};

    pub(crate) fn source(path: &str, text: &str) -> Source {
        Source { path: path.to_owned(), text: text.to_owned() }
    }

    /// Runs a rule over (path, text) pairs and compares the places that it names, as `path:line`.
    pub(crate) fn check(rule: fn(&[Source]) -> Vec<Violation>, files: &[(&str, &str)], expected: &[&str]) {
        let sources: Vec<Source> = files.iter().map(|(path, text)| source(path, text)).collect();
        let found = rule(&sources);
        let places: Vec<String> = found.iter().map(|it| format!("{}:{}", it.path, it.line)).collect();
        assert_eq!(places, expected, "{found:#?}");
    }
}

#[cfg(test)]
mod tests {
    use super::testing::source;
    use super::*;

    #[test]
    fn this_repository_keeps_its_rules() {
        if let Err(error) = run() {
            panic!("{error:#}");
        }
    }

    #[test]
    fn what_stands_before_the_tests_is_the_product() {
        let check = |text: &str, expected: &str| assert_eq!(source("a/src/b.rs", text).product(), expected);
        check("a\n#[cfg(test)]\nmod tests {\n", "a\n");
        check("a\n#[cfg(test)]\n#[expect(x, reason = \"y\")]\npub(crate) mod tests {\n", "a\n");
        check(
            "a\n#[cfg(test)]\nmod sample;\nb\n#[cfg(test)]\nmod tests {\n",
            "a\n#[cfg(test)]\nmod sample;\nb\n",
        );
        check("a\n#[cfg(test)]\nfn double() {}\nb\n", "a\n#[cfg(test)]\nfn double() {}\nb\n");
    }

    #[test]
    fn a_file_belongs_to_its_folder_and_not_to_one_that_starts_alike() {
        assert!(source("collector/src/store/mod.rs", "").is_in("collector/src/store"));
        assert!(source("collector/src/store.rs", "").is_in("collector/src/store"));
        assert!(!source("collector/src/storekeeper.rs", "").is_in("collector/src/store"));
    }
}
