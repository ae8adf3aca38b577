//! Rules about single files: their head, their length, their words.

use super::{Source, Violation};
use crate::root;

/// Lines above the tests past which a file says why it is long.
const LONG_LINES: usize = 450;

/// Words that mark unfinished work, written in two parts so that this file doesn't contain them.
const UNFINISHED: &[&str] =
    &[concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X:"), concat!("HA", "CK:")];

/// Every Rust file begins with its `//!` paragraph.
pub(super) fn heads(sources: &[Source]) -> Vec<Violation> {
    let has_no_head = |source: &&Source| source.is_rust() && !source.text.starts_with("//! ");
    let message = "begin the file with `//!`: what it does, what it knows nothing about, why so";
    sources.iter().filter(has_no_head).map(|source| Violation::new(&source.path, 1, message)).collect()
}

/// No file past the limit without its reason.
pub(super) fn lengths(sources: &[Source]) -> Vec<Violation> {
    let mut found = Vec::new();
    for source in sources.iter().filter(|source| source.is_rust()) {
        let is_test = source.path.split('/').nth(1) == Some("tests");
        let lines = if is_test { 0 } else { source.product().lines().count() };
        let says_why = source.text.lines().any(|line| line.starts_with("//! Long because: "));
        if lines > LONG_LINES && !says_why {
            let message = format!(
                "{lines} lines above the tests: it usually holds two ideas; split it, or say `//! Long because: …`"
            );
            found.push(Violation::new(&source.path, 0, message));
        }
    }
    found
}

/// Integration tests link once for each crate: one `tests/it/main.rs` with a module for each topic.
pub(super) fn integration_binaries(sources: &[Source]) -> Vec<Violation> {
    let mut found = Vec::new();
    for source in sources.iter().filter(|source| source.is_rust()) {
        let parts: Vec<&str> = source.path.split('/').collect();
        let is_binary = matches!(parts[..], [_, "tests", _])
            || matches!(parts[..], [_, "tests", folder, "main.rs"] if folder != "it");
        if is_binary {
            let message = "a second integration binary: make it a module of tests/it/main.rs";
            found.push(Violation::new(&source.path, 0, message));
        }
    }
    found
}

/// No mark of unfinished work, and no path of the machine that the file was written on.
pub(super) fn words(sources: &[Source]) -> Vec<Violation> {
    let here = root().to_string_lossy().into_owned();
    words_with(sources, &here)
}

fn words_with(sources: &[Source], here: &str) -> Vec<Violation> {
    let mut found = Vec::new();
    for source in sources {
        for (index, line) in source.text.lines().enumerate() {
            if UNFINISHED.iter().any(|word| contains_word(line, word)) {
                found.push(Violation::new(&source.path, index + 1, "finish it, or file an issue"));
            }
            // A short path such as `/src` would be found everywhere.
            if here.matches('/').count() > 1 && line.contains(here) {
                found.push(Violation::new(&source.path, index + 1, "names a folder of one machine"));
            }
        }
    }
    found
}

/// Whether the word stands in the line on its own and not inside a longer one.
fn contains_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        let is_letter = |letter: Option<char>| letter.is_some_and(char::is_alphanumeric);
        !is_letter(before) && (word.ends_with(':') || !is_letter(after))
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check, source};
    use super::*;

    #[test]
    fn a_file_without_its_paragraph_is_found() {
        check(
            heads,
            &[("a.rs", "//! Does a thing.\n"), ("b.rs", "use std::fs;\n"), ("c.md", "# c")],
            &["b.rs:1"],
        );
    }

    #[test]
    fn a_long_file_needs_its_reason_and_tests_do_not_count() {
        let long = "//! Much.\n".to_owned() + &"fn a() {}\n".repeat(450);
        let excused = "//! Much.\n//! Long because: one table.\n".to_owned() + &long;
        let tested =
            "//! Little.\n#[cfg(test)]\nmod tests {\n".to_owned() + &"fn a() {}\n".repeat(900) + "}\n";
        let files =
            [("a.rs", &*long), ("b.rs", &*excused), ("c.rs", &*tested), ("cli/tests/it/d.rs", &*long)];
        check(lengths, &files, &["a.rs:0"]);
    }

    #[test]
    fn a_second_integration_binary_is_found() {
        let files = [
            "agent/tests/it/main.rs",
            "agent/tests/it/road.rs",
            "agent/tests/road.rs",
            "cli/tests/b/main.rs",
        ];
        let files: Vec<(&str, &str)> = files.iter().map(|path| (*path, "//! A.\n")).collect();
        check(integration_binaries, &files, &["agent/tests/road.rs:0", "cli/tests/b/main.rs:0"]);
    }

    #[test]
    fn unfinished_work_and_foreign_paths_are_found() {
        let marked = format!("one\n// {}: later\n", UNFINISHED[0]);
        let sources =
            [source("a.rs", &marked), source("b.md", "see /home/me/muster/x"), source("c.md", "TODOS")];
        let found: Vec<String> = words_with(&sources, "/home/me/muster")
            .iter()
            .map(|it| format!("{}:{}", it.path, it.line))
            .collect();
        assert_eq!(found, ["a.rs:2", "b.md:1"]);
    }
}
