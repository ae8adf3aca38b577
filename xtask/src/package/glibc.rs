//! The oldest glibc that a program runs on, and a build for an old one.
//!
//! Knows nothing of packages. What a program needs is read from its own table of versions, by objdump.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::{Content, out, target};
use crate::root;
use crate::steps::{output_of, shown, succeeds};

/// Builds a package's program for this version of glibc or newer, with zig as linker from a Python environment of its
/// own, and prints which versions it needs of which library; an error if one of them is newer.
pub(crate) fn build(content: &Content, version: &str, debug: bool) -> Result<PathBuf> {
    let tools = out().join("zigbuild");
    let zigbuild = tools.join("bin/cargo-zigbuild");
    if !succeeds(Command::new(&zigbuild).arg("--version")) {
        shown(Command::new("python3").args(["-m", "venv"]).arg(&tools))?;
        shown(Command::new(tools.join("bin/pip")).args(["install", "--quiet", "ziglang", "cargo-zigbuild"]))
            .context("no build for an old glibc without zig and cargo-zigbuild")?;
    }
    let triple = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = Command::new(&zigbuild);
    let (options, folder) = content.build(debug);
    command.args(["zigbuild", "--target", &format!("{triple}.{version}")]).args(options);
    shown(command.env("PATH", format!("{}:{path}", tools.join("bin").display())).current_dir(root()))?;
    let program = target().join(triple).join(folder).join(content.name);
    for (library, versions) in needs(&program)? {
        println!("   {} needs of {library}: {}", content.name, versions.join(", "));
    }
    let needed = oldest(&program)?;
    if numbers(&needed) > numbers(version) {
        bail!("the program needs glibc {needed}, newer than {version}");
    }
    println!("   {} runs on glibc {needed} and newer", content.name);
    Ok(program)
}

/// The newest version of glibc whose symbols the program needs, which is the oldest that it runs on.
pub(super) fn oldest(program: &Path) -> Result<String> {
    let needs = needs(program)?;
    let versions = needs.iter().flat_map(|(_, versions)| versions).filter_map(|it| it.strip_prefix("GLIBC_"));
    let newest = versions.max_by_key(|version| numbers(version)).map(str::to_owned);
    newest.with_context(|| format!("{} needs no glibc at all", program.display()))
}

/// The versions that the program needs of each library, oldest first.
fn needs(program: &Path) -> Result<Vec<(String, Vec<String>)>> {
    Ok(references(&headers(program)?))
}

/// The libraries that have to be there when it starts.
pub(super) fn libraries(program: &Path) -> Result<Vec<String>> {
    let text = headers(program)?;
    let needed = text.lines().filter_map(|line| line.trim().strip_prefix("NEEDED"));
    Ok(needed.map(|name| name.trim().to_owned()).collect())
}

fn headers(program: &Path) -> Result<String> {
    output_of(Command::new("objdump").arg("-p").arg(program).env("LC_ALL", "C"))
        .context("objdump tells which glibc the program needs; run: sudo apt-get install binutils")
}

/// The part `Version References` of what objdump prints: a line `required from LIBRARY:` and one for each version,
/// whose last word it is.
fn references(text: &str) -> Vec<(String, Vec<String>)> {
    let mut found: Vec<(String, Vec<String>)> = Vec::new();
    for line in text.lines().skip_while(|line| !line.starts_with("Version References:")).skip(1) {
        if let Some(library) = line.trim().strip_prefix("required from ") {
            found.push((library.trim_end_matches(':').to_owned(), Vec::new()));
        } else if let (Some(version), Some((_, versions))) =
            (line.split_whitespace().last(), found.last_mut())
        {
            versions.push(version.to_owned());
        }
    }
    for (_, versions) in &mut found {
        versions.sort_by_key(|version| numbers(version.strip_prefix("GLIBC_").unwrap_or(version)));
    }
    found
}

fn numbers(version: &str) -> Vec<u32> {
    version.split('.').filter_map(|part| part.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADERS: &str = "Dynamic Section:\n  NEEDED               libm.so.6\n  NEEDED               libc.so.6\n\n\
        Version References:\n  required from libm.so.6:\n    0x09691a75 0x00 06 GLIBC_2.2.5\n  \
        required from libc.so.6:\n    0x06969197 0x00 11 GLIBC_2.17\n    0x0d696919 0x00 10 GLIBC_2.9\n    \
        0x06969194 0x00 03 GLIBC_PRIVATE\n\n";

    #[test]
    fn versions_are_told_by_library_and_count_by_their_numbers() {
        let found = references(HEADERS);
        assert_eq!(found[0], ("libm.so.6".to_owned(), vec!["GLIBC_2.2.5".to_owned()]));
        assert_eq!(found[1].1, ["GLIBC_PRIVATE", "GLIBC_2.9", "GLIBC_2.17"]);
        assert!(references("Dynamic Section:\n  NEEDED  x\n").is_empty());
        assert!(numbers("2.34") > numbers("2.17"));
    }

    #[test]
    fn this_program_needs_a_c_library() {
        if !succeeds(Command::new("objdump").arg("--version")) {
            println!("skipped: there is no objdump");
            return;
        }
        let program = std::env::current_exe().unwrap();
        assert!(numbers(&oldest(&program).unwrap()) >= numbers("2.2"));
        assert!(libraries(&program).unwrap().iter().any(|name| name == "libc.so.6"));
    }
}
