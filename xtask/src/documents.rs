//! Checks that the commands which the documents tell people to type exist with the options shown.
//!
//! Knows nothing of what the commands do: each is run with `--help` after its own words, which makes the parser see
//! every word before it and execute none of them.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::root;
use crate::steps::Outcome;

/// Programs of this repository, longest name first so that a prefix never wins.
const PROGRAMS: &[&str] = &["muster-collector", "muster-agent", "muster"];

/// Tries every command of this repository that README and docs name.
pub(crate) fn check() -> Result<Outcome> {
    // By name: the build of the whole workspace has replaced the file that this process was started from.
    let here = env::current_exe()?.with_file_name("xtask");
    let mut wrong = Vec::new();
    let mut tried = BTreeSet::new();
    for path in documents(&root())? {
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        for words in commands(&text) {
            if let Some(problem) = refused(&words, &here)? {
                wrong.push(format!("{}: `{}`: {problem}", path.display(), words.join(" ")));
            }
            tried.insert(words);
        }
    }
    println!("   {} commands tried", tried.len());
    if wrong.is_empty() {
        return Ok(Outcome::Done);
    }
    bail!("{} commands do not exist as written:\n{}", wrong.len(), wrong.join("\n"))
}

/// README.md and its neighbours, and everything under docs/, in a fixed order.
fn documents(root: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![root.join("docs")];
    for name in ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md"] {
        let path = root.join(name);
        if path.is_file() {
            found.push(path);
        }
    }
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for entry in entries {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// The commands of ours in a document's fenced `console` and `sh` blocks and in its code spans, split into words.
fn commands(text: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    let mut fence: Option<String> = None;
    let mut continued = String::new();
    for line in text.lines() {
        let trimmed = line.trim_start();
        if let Some(language) = trimmed.strip_prefix("```") {
            fence = if fence.is_some() { None } else { Some(language.trim().to_owned()) };
            continue;
        }
        match fence.as_deref() {
            Some("console" | "sh") => {
                let command = continued.clone() + trimmed.strip_prefix("$ ").unwrap_or(trimmed);
                match command.strip_suffix('\\') {
                    Some(part) => continued = part.to_owned(),
                    None => {
                        continued.clear();
                        found.extend(ours(&command));
                    }
                }
            }
            Some(_) => {}
            // Every second piece between backticks is a code span.
            None => found.extend(line.split('`').skip(1).step_by(2).filter_map(ours)),
        }
    }
    found
}

/// The words of a command that starts one of our programs, up to a shell operator or a placeholder in capitals.
fn ours(command: &str) -> Option<Vec<String>> {
    let mut words: Vec<&str> = command.split_whitespace().collect();
    if words.first() == Some(&"sudo") {
        // As whom it runs changes nothing of what it is told.
        words.drain(..if words.get(1) == Some(&"-u") { 3.min(words.len()) } else { 1 });
    }
    let is_program = PROGRAMS.contains(words.first()?);
    if !is_program && !words.starts_with(&["cargo", "xtask"]) {
        return None;
    }
    let is_end = |word: &&str| {
        let is_operator = word.starts_with(['|', '>', '<', '&', ';', '#']) || *word == "…" || *word == "--";
        let is_placeholder =
            word.len() > 1 && word.chars().all(|letter| letter.is_ascii_uppercase() || letter == '_');
        is_operator || is_placeholder
    };
    let end = words.iter().position(is_end).unwrap_or(words.len());
    words.truncate(end);
    // An option whose value was the placeholder would swallow `--help`.
    while words.last().is_some_and(|word| word.starts_with('-')) {
        words.pop();
    }
    Some(words.into_iter().map(|word| word.trim_matches(['"', '\'']).to_owned()).collect())
}

/// Why the program refuses these words, or nothing when it knows them. `here` is this program; the others lie beside it.
fn refused(words: &[String], here: &Path) -> Result<Option<String>> {
    let (program, arguments) = match words {
        [cargo, _, arguments @ ..] if cargo == "cargo" => (here.to_owned(), arguments),
        [program, arguments @ ..] => (here.with_file_name(program), arguments),
        [] => return Ok(None),
    };
    let mut command = Command::new(&program);
    let output = command
        .args(arguments)
        .arg("--help")
        .current_dir(root())
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot start {}", program.display()))?;
    if output.status.success() {
        return Ok(None);
    }
    let error = String::from_utf8_lossy(&output.stderr);
    Ok(Some(error.lines().next().unwrap_or("no reason given").to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[&str]) {
        let found: Vec<String> = commands(text).iter().map(|words| words.join(" ")).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn commands_are_found_in_blocks_and_spans() {
        check("```console\n$ cargo xtask test\nall is well\n```", &["cargo xtask test"]);
        check(
            "```sh\nsudo muster-agent enroll \\\n  --config a.toml < token\n```",
            &["muster-agent enroll --config a.toml"],
        );
        check(
            "Type `muster devices --output json` or `muster device ID`.",
            &["muster devices --output json", "muster device"],
        );
        check("`muster token create --purpose TEXT`", &["muster token create"]);
        check("`sudo -u someone muster devices --output json`, `sudo -u`", &["muster devices --output json"]);
    }

    #[test]
    fn other_programs_other_blocks_and_names_are_left_alone() {
        check("```rust\nmuster devices\n```\n`muster.v1` and `apt-get install muster`", &[]);
        check("```text\nmuster-agent ── session\n```", &[]);
    }

    #[test]
    fn a_command_that_does_not_exist_is_refused() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        // The test's own executable stands in for xtask: it knows --help and refuses an unknown option.
        let here = env::current_exe().unwrap();
        assert!(refused(&words("cargo xtask --no-such-option"), &here).unwrap().is_some());
        assert!(refused(&words("cargo xtask --list"), &here).unwrap().is_none());
    }
}
