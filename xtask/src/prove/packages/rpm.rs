//! rpm: packages made by rpmbuild and installed by rpm into the database of its default format.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

use super::{Made, Manager, lines, text};
use crate::steps::output_of;

pub(super) const MANAGER: Manager = Manager {
    section: "software.rpm",
    tools: &[["rpm", "--version"], ["rpmbuild", "--version"]],
    make,
    line,
};

/// One specification makes them all, as subpackages.
const PACKAGES: usize = 120;

fn make(folder: &Path) -> Result<Made> {
    let root = folder.join("root");
    fs::create_dir_all(root.join("var/lib/rpm"))?;
    let mut specification =
        "Name: test\nEpoch: 2\nVersion: 1.0~rc1\nRelease: 3.el9\nSummary: x\nLicense: MIT\nVendor: \
        Example, Inc.\n%description\nx\n%files\n"
            .to_owned();
    for number in 0..PACKAGES {
        let architecture = if number % 2 == 0 { "BuildArch: noarch\n" } else { "" };
        specification.push_str(&format!(
            "%package -n lib{number}+x\nVersion: {number}.1^git\nSummary: x\n{architecture}%description -n \
             lib{number}+x\nx\n%files -n lib{number}+x\n"
        ));
    }
    let path = folder.join("test.spec");
    fs::write(&path, specification)?;
    let define = format!("_topdir {}", folder.join("build").display());
    output_of(Command::new("rpmbuild").args(["--quiet", "--define", &define, "-bb"]).arg(&path))?;
    let mut packages = Vec::new();
    for architecture in fs::read_dir(folder.join("build/RPMS"))? {
        for package in fs::read_dir(architecture?.path())? {
            packages.push(package?.path());
        }
    }
    let database = "/var/lib/rpm";
    let rpm = || {
        let mut command = Command::new("rpm");
        command.arg("--root").arg(&root).arg("--dbpath").arg(database);
        command
    };
    output_of(rpm().args(["--nodeps", "--noscripts", "-i"]).args(&packages))
        .context("rpm installs nothing")?;
    // Without an epoch of its own a package says "(none)".
    let format = "%{NAME} %|EPOCH?{%{EPOCH}:}:{}|%{VERSION}-%{RELEASE} %{ARCH} %{VENDOR} %{INSTALLTIME}\n";
    Ok(Made { listing: lines(&output_of(rpm().args(["-qa", "--qf", format]))?), at_least: PACKAGES })
}

fn line(item: &Value) -> Option<String> {
    let parts = ["/package/name", "/package/version", "/package/architecture", "/package/vendor"];
    let installed = text(item, "/installation/installTime");
    Some(format!("{} {}", parts.map(|part| text(item, part)).join(" "), seconds(installed)?))
}

/// Seconds since the epoch of `2026-11-24T12:02:09Z`, by the system's own `date`.
fn seconds(moment: &str) -> Option<String> {
    let printed = output_of(Command::new("date").args(["-u", "+%s", "-d", moment])).ok()?;
    Some(printed.trim().to_owned())
}
