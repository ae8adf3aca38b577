//! flatpak: a repository of our own, from which one application is installed for everybody and one for a user.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Result;
use serde_json::Value;

use super::{Made, Manager, lines, text};
use crate::steps::output_of;

pub(super) const MANAGER: Manager =
    Manager { section: "software.flatpak", tools: &[["flatpak", "--version"]], make, line };

const PLATFORM: &str = "org.example.Platform/x86_64/23.08";

fn make(folder: &Path) -> Result<Made> {
    let root = folder.join("root");
    let home = root.join("home/ann");
    fs::create_dir_all(&home)?;
    let flatpak = |arguments: &[&str]| {
        let mut command = Command::new("flatpak");
        command.current_dir(folder).args(arguments).env("LC_ALL", "C.UTF-8").env("HOME", &home);
        command.env_remove("XDG_DATA_HOME").env("FLATPAK_SYSTEM_DIR", root.join("var/lib/flatpak"));
        command.env("FLATPAK_SYSTEM_CACHE_DIR", folder.join("cache"));
        output_of(&mut command)
    };
    let write = |path: &str, content: &str| -> Result<()> {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap_or(folder))?;
        Ok(fs::write(path, content)?)
    };
    write(
        "runtime/metadata",
        &format!("[Runtime]\nname=org.example.Platform\nruntime={PLATFORM}\nsdk={PLATFORM}\n"),
    )?;
    write("runtime/usr/lib/library", "code")?;
    write("runtime/files/lib/library", "code")?;
    flatpak(&["build-export", "--disable-sandbox", "--runtime", "repository", "runtime", "23.08"])?;
    for (name, version) in [("Hello", "46.1"), ("World", "2024.11~beta")] {
        let id = format!("org.example.{name}");
        let metadata =
            format!("[Application]\nname={id}\nruntime={PLATFORM}\nsdk={PLATFORM}\ncommand=hello\n");
        write(&format!("{name}/metadata"), &metadata)?;
        write(&format!("{name}/files/bin/hello"), "code")?;
        write(&format!("{name}/export/share/empty"), "")?;
        let component = format!(
            "<?xml version=\"1.0\"?><components version=\"0.8\"><component type=\"desktop\"><id>{id}</id><name>{name}\
             </name><summary>x</summary><releases><release version=\"{version}\" timestamp=\"1715000000\"/></releases>\
             </component></components>"
        );
        let information = format!("{name}/files/share/app-info/xmls/{id}.xml");
        write(&information, &component)?;
        output_of(Command::new("gzip").arg(folder.join(&information)))?;
        flatpak(&["build-export", "--disable-sandbox", "repository", name, "stable"])?;
    }
    let mut listing = String::new();
    for (place, user, name) in [("--system", "", "org.example.Hello"), ("--user", "ann", "org.example.World")]
    {
        flatpak(&[place, "remote-add", "--no-gpg-verify", "example", "repository"])?;
        flatpak(&[place, "install", "-y", "--noninteractive", "example", name])?;
        let columns = "--columns=origin,application,version,branch,arch";
        for line in flatpak(&[place, "list", "--all", columns])?.lines() {
            let mut words: Vec<&str> = line.split('\t').collect();
            // What has no version of its own is known by its branch.
            if let [_, _, version, branch, _] = &mut words[..] {
                *version = if version.is_empty() { branch } else { version };
            }
            listing.push_str(&format!("{} {user}\n", words.join(" ")));
        }
    }
    Ok(Made { listing: lines(&listing), at_least: 3 })
}

fn line(item: &Value) -> Option<String> {
    let branch = text(item, "/installation/path").rsplit('/').next()?;
    let package = ["/package/namespace", "/package/name", "/package/version"].map(|part| text(item, part));
    let architecture = text(item, "/package/architecture");
    Some(format!("{} {branch} {architecture} {}", package.join(" "), text(item, "/installation/user")))
}
