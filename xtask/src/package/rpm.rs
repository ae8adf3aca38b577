//! An RPM package from a staged tree.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use super::{CONTENT, PROGRAM, Package, out, script};
use crate::steps::output_of;

pub(super) fn make(package: &Package) -> Result<PathBuf> {
    let Package { version, tree, glibc, time } = package;
    let top = out().join("rpm");
    let description = script("agent.description")?;
    let summary = description.lines().next().unwrap_or_default();
    let files: String = CONTENT
        .iter()
        .map(|file| {
            let kind = if file.is_configuration { "%config(noreplace) " } else { "" };
            format!("{kind}/{}\n", file.to)
        })
        .collect();
    // Nothing is compiled or stripped here: the tree is packed as it is.
    let spec = format!(
        "%global debug_package %{{nil}}\n%global __os_install_post %{{nil}}\n\
         %global use_source_date_epoch_as_buildtime 1\n%global clamp_mtime_to_source_date_epoch 1\n\
         %global _buildhost muster\n%global _build_id_links none\n\n\
         Name: muster-agent\nVersion: {version}\nRelease: 1\nSummary: {summary}\nLicense: Apache-2.0\n\
         URL: https://github.com/muster-inventory/muster\nAutoReqProv: no\nRequires: glibc >= {glibc}\n\
         Requires: libgcc\nRequires: shadow-utils\n\n\
         %description\n{description}\n\
         %install\nmkdir -p %{{buildroot}}\ncp -a {tree}/. %{{buildroot}}/\n\n\
         %post\n{post}\n%preun\n{preun}\n%postun\n\
         if [ -d /run/systemd/system ]; then systemctl daemon-reload || :; fi\n\n\
         %files\n%defattr(-,root,root)\n/{PROGRAM}\n{files}",
        tree = tree.display(),
        post = script("agent.post.rpm")?,
        preun = script("agent.preun.rpm")?,
    );
    let path = top.join("muster-agent.spec");
    fs::write(&path, spec)?;
    let made = top.join("made");
    output_of(
        Command::new("rpmbuild")
            .arg("-bb")
            .args(["--define", &format!("_topdir {}", top.join("build").display())])
            .args(["--define", &format!("_rpmdir {}", made.display())])
            .args(["--define", "_rpmfilename %{NAME}-%{VERSION}-%{RELEASE}.%{ARCH}.rpm"])
            .arg(&path)
            .env("SOURCE_DATE_EPOCH", time),
    )
    .context("cannot make the RPM package")?;
    let name = format!("muster-agent-{version}-1.{}.rpm", std::env::consts::ARCH);
    let to = out().join(&name);
    fs::copy(made.join(&name), &to).with_context(|| format!("rpmbuild made no {name}"))?;
    Ok(to)
}
