//! pacman: packages made by hand, installed and listed by pacman itself.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;
use serde_json::Value;

use super::{Made, Manager, lines, text};
use crate::steps::output_of;

pub(super) const MANAGER: Manager = Manager {
    section: "software.pacman",
    tools: &[["pacman", "--version"], ["tar", "--version"]],
    make,
    line,
};

/// Arch's own image has some 150.
const PACKAGES: usize = 150;
const VERSIONS: [&str; 5] = ["1.0-1", "1:2.0.r31.g0a1b2c3-1", "20241101-2.1", "3.4_rc1+5-1", "0~beta-9"];
const ARCHITECTURES: [&str; 2] = ["x86_64", "any"];

fn make(folder: &Path) -> Result<Made> {
    let root = folder.join("root");
    let (database, settings) = (root.join("var/lib/pacman"), folder.join("pacman.conf"));
    fs::create_dir_all(&database)?;
    fs::write(&settings, "[options]\nSigLevel = Never\nArchitecture = x86_64\n")?;
    let pacman = |arguments: &[PathBuf]| {
        let mut command = Command::new("pacman");
        command.env("LC_ALL", "C").arg("--noconfirm").arg("--config").arg(&settings);
        command.arg("-r").arg(&root).arg("-b").arg(&database).args(arguments);
        output_of(&mut command)
    };
    let mut arguments = vec![PathBuf::from("-U")];
    for (number, (version, architecture)) in
        VERSIONS.iter().cycle().zip(ARCHITECTURES.iter().cycle()).enumerate().take(PACKAGES)
    {
        arguments.push(package(folder, number, version, architecture)?);
    }
    pacman(&arguments)?;
    // Every field stands in a line of its own, by its name.
    let details = pacman(&[PathBuf::from("-Qi")])?;
    let mut listing = Vec::new();
    let mut words: Vec<&str> = Vec::new();
    for line in details.lines() {
        match line.split_once(':').map(|(field, value)| (field.trim(), value.trim())) {
            Some(("Name", value)) => words = vec![value],
            Some(("Version" | "Architecture" | "Packager", value)) => words.push(value),
            _ if line.is_empty() && !words.is_empty() => listing.push(std::mem::take(&mut words).join(" ")),
            _ => {}
        }
    }
    Ok(Made { listing: lines(&listing.join("\n")), at_least: PACKAGES })
}

fn package(folder: &Path, number: usize, version: &str, architecture: &str) -> Result<PathBuf> {
    let name = format!("test-lib{number}+x");
    let content = folder.join(&name);
    fs::create_dir_all(content.join("usr/share"))?;
    fs::write(content.join("usr/share").join(&name), &name)?;
    let description = format!(
        "pkgname = {name}\npkgver = {version}\npkgdesc = A test\nbuilddate = 1700000000\npackager = Ann \
         <ann@example.org>\nsize = {number}\narch = {architecture}\n"
    );
    fs::write(content.join(".PKGINFO"), description)?;
    let archive = folder.join(format!("{name}.pkg.tar.gz"));
    output_of(
        Command::new("tar").arg("czf").arg(&archive).arg("-C").arg(&content).args([".PKGINFO", "usr"]),
    )?;
    Ok(archive)
}

fn line(item: &Value) -> Option<String> {
    let parts = ["/package/name", "/package/version", "/package/architecture", "/package/vendor"];
    Some(parts.map(|part| text(item, part)).join(" "))
}
