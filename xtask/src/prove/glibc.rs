//! The proof that one build of the agent runs on old distributions.
//!
//! It reads the program's own table of versions, and runs it where an old C library can be had: on the oldest Debian
//! that the package mirror still has, made with debootstrap and kept, where a program that is built the ordinary way
//! doesn't start. Knows nothing of packages.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use clap::Parser;

use super::Skipped;
use crate::needs;
use crate::package;
use crate::steps::{Outcome, output_of, shown};

const VERSION: &str = "2.17";
/// The oldest Debian of the usual mirror; its glibc is 2.31.
const OLD_DEBIAN: &str = "bullseye";

/// Options of the proof.
#[derive(Debug, Parser)]
#[command(name = "glibc", no_binary_name = true)]
struct Options {
    /// Build as for a release
    #[arg(long)]
    release: bool,
}

pub(super) fn run(words: &[String]) -> Result<()> {
    let options = Options::try_parse_from(words)?;
    if let Outcome::Skipped(why) = needs::install_for_service()? {
        return Err(Skipped::because(why));
    }
    let program = package::build_for_glibc(package::AGENT, VERSION, !options.release)?;
    if !rustix::process::geteuid().is_root() {
        println!("   skipped: running it on an older system needs root");
        return Ok(());
    }
    let folder = package::target().join("prove/glibc");
    let old = folder.join(OLD_DEBIAN);
    if let Err(error) = debian(&folder, &old) {
        println!("   skipped: running it on an older system: {error:#}");
        return Ok(());
    }
    let runs = |program: &Path, name: &str| {
        fs::copy(program, old.join(name)).with_context(|| format!("cannot copy {}", program.display()))?;
        let mut command = Command::new("chroot");
        command.arg(&old).arg(format!("/{name}")).args(["collect", "--output", "json"]);
        output_of(&mut command)
    };
    let libc = output_of(Command::new("chroot").arg(&old).args(["ldd", "--version"]))?;
    println!("   on {OLD_DEBIAN}: {}", libc.lines().next().unwrap_or_default());
    let inventory = runs(&program, "muster-agent-old")?;
    let listed = output_of(Command::new("chroot").arg(&old).args(["dpkg-query", "-W"]))?.lines().count();
    let inventory: serde_json::Value =
        serde_json::from_str(&inventory).context("its inventory is no JSON")?;
    let found = packages(&inventory);
    println!("   it runs there and finds {found} packages; dpkg-query lists {listed}");
    if found != listed || listed == 0 {
        bail!("on {OLD_DEBIAN} it does not find what dpkg-query lists");
    }
    // The ordinary build shows that the old system tells the two apart; where it is as old itself, it may run.
    let ordinary = package::build(package::AGENT, true)?;
    match runs(&ordinary, "muster-agent-new") {
        Ok(_) => println!("   the ordinary build runs there too"),
        Err(error) => {
            let text = format!("{error:#}");
            println!("   the ordinary build does not: {}", text.lines().last().unwrap_or_default());
        }
    }
    Ok(())
}

fn debian(folder: &Path, old: &Path) -> Result<()> {
    if old.exists() {
        return Ok(());
    }
    fs::create_dir_all(folder)?;
    let unfinished = folder.join("unfinished");
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished).with_context(|| format!("cannot remove {}", unfinished.display()))?;
    }
    let mut make = Command::new("debootstrap");
    make.args(["--variant=minbase", OLD_DEBIAN]).arg(&unfinished).stdout(Stdio::null());
    shown(&mut make).context("no Debian can be fetched")?;
    fs::rename(unfinished, old)?;
    Ok(())
}

/// How many items of the section of dpkg there are.
fn packages(inventory: &serde_json::Value) -> usize {
    let sections = inventory["sections"].as_array();
    let dpkg = sections.and_then(|all| all.iter().find(|section| section["name"] == "software.dpkg"));
    dpkg.and_then(|section| section["items"].as_array()).map_or(0, Vec::len)
}
