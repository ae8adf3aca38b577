//! A Debian package from a staged tree.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use super::{CONTENT, Package, out, put, script};
use crate::root;
use crate::steps::output_of;

pub(super) fn make(package: &Package) -> Result<PathBuf> {
    let Package { version, tree, glibc, time } = package;
    let architecture = output_of(Command::new("dpkg").arg("--print-architecture"))?;
    let architecture = architecture.trim();
    let control = tree.join("DEBIAN");
    for name in ["postinst", "prerm", "postrm"] {
        put(&root().join("deploy/package").join(format!("agent.{name}")), &control.join(name), 0o755)?;
    }
    let description = script("agent.description")?;
    fs::write(
        control.join("control"),
        format!(
            "Package: muster-agent\nVersion: {version}\nArchitecture: {architecture}\n\
             Maintainer: Muster <packages@muster.example.org>\nSection: admin\nPriority: optional\n\
             Depends: libc6 (>= {glibc}), libgcc-s1 | libgcc1, passwd\n\
             Homepage: https://github.com/muster-inventory/muster\nDescription: {description}"
        ),
    )?;
    let configuration = CONTENT.iter().filter(|file| file.is_configuration);
    fs::write(
        control.join("conffiles"),
        configuration.map(|file| format!("/{}\n", file.to)).collect::<String>(),
    )?;
    let path = out().join(format!("muster-agent_{version}_{architecture}.deb"));
    output_of(
        Command::new("dpkg-deb")
            .args(["--root-owner-group", "--build"])
            .args([tree, &path])
            .env("SOURCE_DATE_EPOCH", time),
    )
    .context("cannot make the Debian package")?;
    Ok(path)
}
