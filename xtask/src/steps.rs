//! Runs an action's steps one after another and tells how each went.
//!
//! Knows nothing of what a step is for. A failed step doesn't end the run: one run shows everything there is to
//! repair, and the summary at the end decides the exit code.

use std::env;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::root;

/// How a step ended when it didn't fail.
pub(crate) enum Outcome {
    Done,
    /// Not run, and why; the summary repeats it so that a gap is never silent.
    Skipped(String),
}

/// The record of a run.
#[derive(Default)]
pub(crate) struct Steps {
    passed: usize,
    skipped: Vec<String>,
    failed: Vec<String>,
    seconds: f64,
    /// Steps whose title doesn't contain this are left out.
    only: String,
}

impl Steps {
    /// A run of those steps alone whose title contains the text; of all when it is empty.
    pub(crate) fn only(text: &str) -> Self {
        Self { only: text.to_owned(), ..Self::default() }
    }

    /// Runs one step, printing its title before and its result with the duration after.
    pub(crate) fn step(&mut self, title: &str, work: impl FnOnce() -> Result<Outcome>) {
        if !title.contains(&self.only) {
            return;
        }
        println!("── {title}");
        let start = Instant::now();
        let result = work();
        let seconds = start.elapsed().as_secs_f64();
        self.seconds += seconds;
        match result {
            Ok(Outcome::Done) => {
                println!("   ok: {title}, {seconds:.1} s");
                self.passed += 1;
            }
            Ok(Outcome::Skipped(reason)) => {
                println!("   skipped: {title}: {reason}");
                self.skipped.push(format!("{title}: {reason}"));
            }
            Err(error) => {
                println!("   FAILED: {title}, {seconds:.1} s: {error:#}");
                self.failed.push(title.to_owned());
            }
        }
    }

    /// Prints the summary line; an error when any step failed.
    pub(crate) fn finish(self) -> Result<()> {
        for skipped in &self.skipped {
            println!("skipped: {skipped}");
        }
        println!(
            "summary: {} passed, {} failed, {} skipped, {:.0} s",
            self.passed,
            self.failed.len(),
            self.skipped.len(),
            self.seconds
        );
        if self.passed + self.failed.len() + self.skipped.len() == 0 {
            bail!("no step's title contains {:?}", self.only);
        }
        if self.failed.is_empty() {
            return Ok(());
        }
        bail!("failed: {}", self.failed.join("; "))
    }
}

/// A cargo command in the workspace, as if typed by hand.
///
/// `cargo run` leaves variables about the package that it runs in the environment; build scripts watch some of them
/// (ring's does), so passing them on would rebuild half of the tree at each change between xtask and a shell.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(root()).stdin(Stdio::null());
    for (name, _) in env::vars_os() {
        let name = name.to_string_lossy();
        let of_package = name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
        if of_package || name == "CARGO_BIN_NAME" || name == "CARGO_CRATE_NAME" {
            command.env_remove(&*name);
        }
    }
    if env::var_os("CI").is_some_and(|value| value == "true") {
        command.env("CARGO_TERM_COLOR", "never").env("NO_COLOR", "1");
    }
    command
}

/// Runs a command with its output shown; an error unless it exits with 0.
pub(crate) fn shown(command: &mut Command) -> Result<()> {
    let text = text_of(command);
    println!("   $ {text}");
    let status = command.status().with_context(|| format!("cannot start `{text}`"))?;
    if status.success() {
        return Ok(());
    }
    bail!("`{text}` ended with {status}")
}

/// Runs a command and returns what it prints on standard output; its messages are part of the error when it fails.
pub(crate) fn output_of(command: &mut Command) -> Result<String> {
    let text = text_of(command);
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot start `{text}`"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    bail!("`{text}` ended with {}:\n{}", output.status, String::from_utf8_lossy(&output.stderr).trim_end())
}

/// Whether a command can be started and exits with 0; its output is thrown away.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

fn text_of(command: &Command) -> String {
    let program = command.get_program().to_string_lossy();
    let name = program.rsplit('/').next().unwrap_or(&program).to_owned();
    let words = command.get_args().map(|word| word.to_string_lossy().into_owned());
    std::iter::once(name).chain(words).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_failed_step_fails_the_run_and_the_others_still_run() {
        let mut steps = Steps::default();
        steps.step("first", || bail!("broken"));
        steps.step("second", || Ok(Outcome::Done));
        steps.step("third", || Ok(Outcome::Skipped("not here".to_owned())));
        assert_eq!((steps.passed, steps.skipped.len()), (1, 1));
        assert_eq!(steps.finish().unwrap_err().to_string(), "failed: first");
    }

    #[test]
    fn only_some_steps_can_be_run_and_none_is_an_error() {
        let mut steps = Steps::only("form");
        steps.step("formatting", || Ok(Outcome::Done));
        steps.step("lints", || bail!("never run"));
        assert!(steps.finish().is_ok());
        let mut steps = Steps::only("wishes");
        steps.step("lints", || Ok(Outcome::Done));
        assert!(steps.finish().unwrap_err().to_string().contains("wishes"));
    }

    #[test]
    fn a_command_that_exits_non_zero_is_an_error_that_names_it() {
        let error = shown(Command::new("/bin/sh").args(["-c", "exit 3"])).unwrap_err().to_string();
        assert!(error.contains("sh -c exit 3"), "{error}");
        assert!(!succeeds(&mut Command::new("/nonexistent/program")));
    }
}
