//! dpkg: a Debian made by debootstrap, with packages in every state that dpkg knows.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Result, ensure};
use serde_json::Value;

use super::{Made, Manager, lines, text};
use crate::steps::{output_of, shown};

pub(super) const MANAGER: Manager = Manager {
    section: "software.dpkg",
    tools: &[["debootstrap", "--version"], ["dpkg-query", "--version"], ["dpkg-deb", "--version"]],
    make,
    line,
};

const STATES: [(&str, &str); 5] = [
    ("installed", "INSTALL_STATE_INSTALLED"),
    ("unpacked", "INSTALL_STATE_INCOMPLETE"),
    ("half-configured", "INSTALL_STATE_INCOMPLETE"),
    ("half-installed", "INSTALL_STATE_INCOMPLETE"),
    ("config-files", "INSTALL_STATE_CONFIG_FILES"),
];

fn make(folder: &Path) -> Result<Made> {
    let root = folder.join("root");
    shown(
        Command::new("debootstrap").args(["--variant=minbase", "bookworm"]).arg(&root).stdout(Stdio::null()),
    )?;
    let kept = package(folder, "muster-kept", "1:1.0~rc1-1+b2", "exit 0")?;
    let failing = package(folder, "muster-failing", "2.0-1", "exit 1")?;
    let unpacked = package(folder, "muster-unpacked", "3.0", "exit 0")?;
    let dpkg = |arguments: &[&str], file: &Path| {
        let mut root_option = std::ffi::OsString::from("--root=");
        root_option.push(&root);
        let mut command = Command::new("dpkg");
        command.arg(root_option).arg("--force-depends").args(arguments).arg(file);
        command
    };
    output_of(&mut dpkg(&["--install"], &kept))?;
    output_of(&mut dpkg(&["--remove"], Path::new("muster-kept")))?;
    output_of(&mut dpkg(&["--unpack"], &unpacked))?;
    ensure!(output_of(&mut dpkg(&["--install"], &failing)).is_err(), "a script that fails was configured");
    let hold =
        "echo base-files hold | dpkg --set-selections && echo tzdata deinstall | dpkg --set-selections";
    output_of(Command::new("chroot").arg(&root).args(["/bin/sh", "-c", hold]))?;

    let format = "${Package} ${Version} ${Architecture} ${db:Status-Want} ${db:Status-Status}\n";
    let mut query = Command::new("dpkg-query");
    query.arg("--admindir").arg(root.join("var/lib/dpkg")).args(["-W", "-f", format]);
    let listing = lines(&output_of(&mut query)?);
    for (state, _) in STATES.iter().filter(|(state, _)| *state != "half-installed") {
        ensure!(listing.iter().any(|line| line.ends_with(&format!(" {state}"))), "nothing is {state}");
    }
    let in_our_words = listing.iter().filter_map(|line| {
        let (package, state) = line.rsplit_once(' ')?;
        let (package, wanted) = package.rsplit_once(' ')?;
        let (_, state) = STATES.iter().find(|(name, _)| *name == state)?;
        let is_unwanted = matches!(wanted, "deinstall" | "purge") && *state == "INSTALL_STATE_INSTALLED";
        let state = if is_unwanted { "INSTALL_STATE_REMOVAL_PENDING" } else { state };
        Some(format!("{package} {state} {}", wanted == "hold"))
    });
    Ok(Made { listing: in_our_words.collect(), at_least: 80 })
}

/// Builds a package with a configuration file, and a script that ends so.
fn package(folder: &Path, name: &str, version: &str, script: &str) -> Result<std::path::PathBuf> {
    let content = folder.join(name);
    fs::create_dir_all(content.join("DEBIAN"))?;
    fs::create_dir_all(content.join("etc"))?;
    fs::write(content.join("etc").join(name), "x\n")?;
    let control = format!(
        "Package: {name}\nVersion: {version}\nArchitecture: all\nMaintainer: Ann <ann@example.org>\nDescription: x\n"
    );
    fs::write(content.join("DEBIAN/control"), control)?;
    fs::write(content.join("DEBIAN/conffiles"), format!("/etc/{name}\n"))?;
    let path = content.join("DEBIAN/postinst");
    fs::write(&path, format!("#!/bin/sh\n{script}\n"))?;
    output_of(Command::new("chmod").arg("755").arg(&path))?;
    let archive = folder.join(format!("{name}.deb"));
    output_of(Command::new("dpkg-deb").arg("--build").arg(&content).arg(&archive))?;
    Ok(archive)
}

fn line(item: &Value) -> Option<String> {
    let held = item.pointer("/installation/held").and_then(Value::as_bool).unwrap_or_default();
    Some(format!(
        "{} {} {} {} {held}",
        text(item, "/package/name"),
        text(item, "/package/version"),
        text(item, "/package/architecture"),
        text(item, "/installation/state"),
    ))
}
