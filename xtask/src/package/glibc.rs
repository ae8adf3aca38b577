//! The oldest glibc that a program runs on, and a build for an old one.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::{out, target};
use crate::root;
use crate::steps::{output_of, shown, succeeds};

/// Builds the agent for this version of glibc or newer, with zig as linker from a Python environment of its own.
pub(super) fn build(version: &str) -> Result<PathBuf> {
    let tools = out().join("zigbuild");
    let zigbuild = tools.join("bin/cargo-zigbuild");
    if !succeeds(Command::new(&zigbuild).arg("--version")) {
        shown(Command::new("python3").args(["-m", "venv"]).arg(&tools))?;
        shown(Command::new(tools.join("bin/pip")).args(["install", "--quiet", "ziglang", "cargo-zigbuild"]))
            .context("skipped: no build for an old glibc without zig and cargo-zigbuild")?;
    }
    let triple = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let path = std::env::var("PATH").unwrap_or_default();
    shown(
        Command::new(&zigbuild)
            .args(["zigbuild", "--release", "--package", "muster-agent"])
            .args(["--target", &format!("{triple}.{version}")])
            .env("PATH", format!("{}:{path}", tools.join("bin").display()))
            .current_dir(root()),
    )?;
    let program = target().join(triple).join("release/muster-agent");
    let needed = oldest(&program)?;
    if numbers(&needed) > numbers(version) {
        bail!("the program needs glibc {needed}, newer than {version}");
    }
    println!("   needs glibc {needed} or newer");
    Ok(program)
}

/// The newest version of glibc whose symbols the program needs, which is the oldest that it runs on.
pub(super) fn oldest(program: &Path) -> Result<String> {
    let table = output_of(Command::new("objdump").arg("-T").arg(program))
        .context("objdump tells which glibc the program needs; run: sudo apt-get install binutils")?;
    newest(&table).with_context(|| format!("{} needs no glibc at all", program.display()))
}

fn newest(table: &str) -> Option<String> {
    let versions = table.split("GLIBC_").skip(1).filter_map(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        rest.get(..end).filter(|version| !version.is_empty())
    });
    versions.max_by_key(|version| numbers(version)).map(str::to_owned)
}

fn numbers(version: &str) -> Vec<u32> {
    version.split('.').filter_map(|part| part.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_needed_version_counts_by_its_numbers() {
        let table = "0 DF *UND* 0 (GLIBC_2.2.5) read\n0 DF *UND* 0 (GLIBC_2.17) clock\n0 (GLIBC_2.9) x\n\
                     0 GLIBC_PRIVATE y\n";
        assert_eq!(newest(table).as_deref(), Some("2.17"));
        assert_eq!(newest("nothing"), None);
        assert!(numbers("2.34") > numbers("2.17"));
    }
}
