//! `cargo xtask test`: the gate that every change passes, here and in continuous integration.
//!
//! Knows nothing of the tests themselves. It never asks a question and works without network once the crates are
//! fetched; what a machine can't do is printed as skipped.

use anyhow::{Result, bail};

use crate::steps::{Outcome, Steps, cargo, shown, succeeds};
use crate::{documents, needs, tidy};

/// Options of the gate.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Install nothing, even where it would be allowed
    #[arg(long)]
    no_install: bool,
    /// Only the steps whose title contains this, such as lints or documents
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    only: String,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let mut steps = Steps::only(&arguments.only);
    steps.step("tools that the tests need", || match arguments.no_install {
        true => Ok(Outcome::Skipped("--no-install was given".to_owned())),
        false => needs::install(),
    });
    steps.step("formatting", || {
        component("fmt", "rustfmt")?;
        cargo_step(&["fmt", "--all", "--check"])
    });
    steps.step("the repository's own rules", || tidy::run().map(|()| Outcome::Done));
    steps.step("lints", || {
        component("clippy", "clippy")?;
        cargo_step(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])
    });
    steps.step("binaries", || cargo_step(&["build", "--workspace", "--bins"]));
    steps.step("tests", tests);
    steps.step("tests in documentation", || cargo_step(&["test", "--workspace", "--doc", "--quiet"]));
    steps.step("reference documentation", || {
        let mut command = cargo(&["doc", "--workspace", "--no-deps", "--document-private-items"]);
        // Private items are documented too, so that links to them lead somewhere.
        shown(command.env("RUSTDOCFLAGS", "-D warnings -A rustdoc::private_intra_doc_links"))
            .map(|()| Outcome::Done)
    });
    steps.step("commands named in the documents", documents::check);
    steps.step("licences, bans and sources", || {
        if !succeeds(&mut cargo(&["deny", "--version"])) {
            return Ok(Outcome::Skipped("cargo-deny is not installed".to_owned()));
        }
        cargo_step(&["deny", "check", "licenses", "bans", "sources"])
    });
    steps.finish()
}

fn tests() -> Result<Outcome> {
    if !succeeds(&mut cargo(&["nextest", "--version"])) {
        println!("   cargo-nextest is not installed: running with cargo test");
        return cargo_step(&["test", "--workspace", "--lib", "--bins", "--tests", "--no-fail-fast"]);
    }
    let profile = if std::env::var_os("CI").is_some() { "ci" } else { "default" };
    cargo_step(&["nextest", "run", "--workspace", "--profile", profile])
}

/// rustup installs the components that rust-toolchain.toml names; a toolchain from elsewhere may lack them.
fn component(subcommand: &str, name: &str) -> Result<()> {
    if succeeds(&mut cargo(&[subcommand, "--version"])) {
        return Ok(());
    }
    bail!("cargo {subcommand} is missing; run: rustup component add {name}")
}

fn cargo_step(arguments: &[&str]) -> Result<Outcome> {
    shown(&mut cargo(arguments)).map(|()| Outcome::Done)
}
