//! An RPM package from a staged tree.
//!
//! What the program needs of the C library is read from it by rpmbuild itself, so that it is named alike on every
//! distribution; what the scripts call is named by path for the same reason.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use super::{Package, description, out, script};
use crate::steps::output_of;

pub(super) fn make(package: &Package) -> Result<PathBuf> {
    let Package { content, version, tree, glibc: _, libgcc: _, time } = package;
    let top = out().join("rpm");
    let name = content.name;
    let described = description(content)?;
    let (summary, paragraph) = described.split_once('\n').unwrap_or((&described, ""));
    let paragraph: String = paragraph.lines().map(|line| format!("{}\n", line.trim_start())).collect();
    let files: String = content
        .files
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
         Name: {name}\nVersion: {version}\nRelease: 1\nSummary: {summary}\nLicense: Apache-2.0\n\
         URL: https://github.com/muster-inventory/muster\nAutoProv: no\n{requires}\n\
         %description\n{paragraph}\n\
         %install\nmkdir -p %{{buildroot}}\ncp -a {tree}/. %{{buildroot}}/\n\n\
         {scripts}%files\n%defattr(-,root,root)\n/{program}\n{files}",
        requires = if content.makes_user { "Requires(post): /usr/sbin/useradd\n" } else { "" },
        tree = tree.display(),
        scripts = scripts(content.short)?,
        program = content.program(),
    );
    fs::create_dir_all(&top).with_context(|| format!("cannot make {}", top.display()))?;
    let path = top.join(format!("{name}.spec"));
    fs::write(&path, spec)?;
    let made = top.join("made");
    output_of(
        Command::new("rpmbuild")
            .arg("-bb")
            .args(["--define", &format!("_topdir {}", top.join("build").join(name).display())])
            .args(["--define", &format!("_rpmdir {}", made.display())])
            .args(["--define", "_rpmfilename %{NAME}-%{VERSION}-%{RELEASE}.%{ARCH}.rpm"])
            .arg(&path)
            .env("SOURCE_DATE_EPOCH", time),
    )
    .context("cannot make the RPM package")?;
    let file = format!("{name}-{version}-1.{}.rpm", std::env::consts::ARCH);
    let to = out().join(&file);
    fs::copy(made.join(&file), &to).with_context(|| format!("rpmbuild made no {file}"))?;
    Ok(to)
}

/// The sections of the maintainer scripts that there are.
fn scripts(short: &str) -> Result<String> {
    let mut sections = String::new();
    for (section, name) in [("%post", "post"), ("%preun", "preun"), ("%postun", "postun")] {
        if let Some(text) = script(&format!("{short}.{name}.rpm"))? {
            sections.push_str(&format!("{section}\n{text}\n"));
        }
    }
    Ok(sections)
}
