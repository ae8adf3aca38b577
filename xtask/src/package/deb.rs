//! A Debian package from a staged tree.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use super::{Package, description, out, script};
use crate::steps::output_of;

pub(super) fn make(package: &Package) -> Result<PathBuf> {
    let Package { content, version, tree, glibc, libgcc, time } = package;
    let architecture = output_of(Command::new("dpkg").arg("--print-architecture"))?;
    let architecture = architecture.trim();
    let control = tree.join("DEBIAN");
    fs::create_dir_all(&control).with_context(|| format!("cannot make {}", control.display()))?;
    for name in ["postinst", "prerm", "postrm"] {
        if let Some(text) = script(&format!("{}.{name}", content.short))? {
            let path = control.join(name);
            fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
        }
    }
    let mut depends = vec![format!("libc6 (>= {glibc})")];
    if *libgcc {
        depends.push("libgcc-s1 | libgcc1".to_owned());
    }
    if content.makes_user {
        depends.push("passwd".to_owned());
    }
    fs::write(
        control.join("control"),
        format!(
            "Package: {name}\nVersion: {version}\nArchitecture: {architecture}\n\
             Maintainer: Muster <packages@muster.example.org>\nSection: admin\nPriority: optional\n\
             Depends: {depends}\nHomepage: https://github.com/muster-inventory/muster\nDescription: {description}",
            name = content.name,
            depends = depends.join(", "),
            description = description(content)?,
        ),
    )?;
    let configuration: String = content
        .files
        .iter()
        .filter(|file| file.is_configuration)
        .map(|file| format!("/{}\n", file.to))
        .collect();
    if !configuration.is_empty() {
        fs::write(control.join("conffiles"), configuration)?;
    }
    let path = out().join(format!("{}_{version}_{architecture}.deb", content.name));
    output_of(
        Command::new("dpkg-deb")
            .args(["--root-owner-group", "--build"])
            .args([tree, &path])
            .env("SOURCE_DATE_EPOCH", time),
    )
    .context("cannot make the Debian package")?;
    Ok(path)
}
