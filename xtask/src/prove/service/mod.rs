//! The proof that the agent is a service to install and forget, under a systemd of its own in a namespace.
//!
//! A small Debian is made once and kept as an archive; each run unpacks it, makes it rich ([`rich`]), puts packages of
//! everything and two versions of the agent's into it, and boots it. What happens inside stands in the chapters beside
//! this file; what the inventories say is compared in [`compare`]: the collector's record of the running service
//! against root's own `collect`, once with homes hidden and once with the drop-in that shows them. Needs root and
//! namespaces.

mod compare;
mod rich;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use super::Skipped;
use crate::needs;
use crate::package;
use crate::steps::{Outcome, output_of, shown};

/// In this order, as one script.
const CHAPTERS: &[&str] = &[
    include_str!("common.sh"),
    include_str!("first.sh"),
    include_str!("deb.sh"),
    include_str!("rpm.sh"),
    include_str!("last.sh"),
];
const UNIT: &str = "[Unit]\nDescription=The story\nAfter=multi-user.target\n\n[Service]\nType=simple\n\
                    ExecStart=/root/story.sh\n";
/// A boot takes two seconds; the story two or three minutes on a busy machine.
const WITHIN_SECONDS: &str = "600";

pub(super) fn run(words: &[String]) -> Result<()> {
    if !words.is_empty() {
        bail!("the proof takes no options");
    }
    if !rustix::process::geteuid().is_root() {
        return Err(Skipped::because("booting a system in a namespace needs root"));
    }
    if let Outcome::Skipped(why) = needs::install_for_service()? {
        return Err(Skipped::because(why));
    }
    let folder = package::target().join("prove/service");
    fs::create_dir_all(&folder)?;
    let root = folder.join("root");
    unpack(&folder, &root)?;
    fill(&root)?;
    boot(&root)?;
    let result = fs::read_to_string(root.join("root/result")).unwrap_or_default();
    for line in result.lines() {
        println!("   {line}");
    }
    if result.lines().last() != Some("done") {
        let text = |name: &str| fs::read_to_string(root.join("root").join(name)).unwrap_or_default();
        bail!("the story did not end well:\n{}\n{}", text("story.log"), text("journal"));
    }
    compared(&root)?;
    fs::remove_dir_all(&root).context("cannot remove the machine")
}

/// Compares what the collector holds of the service with what root saw, both times.
fn compared(root: &Path) -> Result<()> {
    for (name, what, may_hide) in
        [("hidden", "as installed", true), ("shown", "with the drop-in for homes", false)]
    {
        let inventory = |who: &str| {
            let path = root.join(format!("root/{name}.{who}.json"));
            fs::read(&path).with_context(|| format!("cannot read {}", path.display()))
        };
        let agreement = compare::agreement(&inventory("service")?, &inventory("root")?)
            .with_context(|| format!("{what}, the inventories differ"))?;
        let compare::Agreement { items, excused } = agreement;
        let empty: Vec<&&str> = rich::FILLED
            .iter()
            .filter(|section| items.get(**section).is_none_or(|count| *count == 0))
            .collect();
        if !empty.is_empty() {
            bail!("root finds nothing in {empty:?}, so that the comparison says nothing of them");
        }
        let (all, sections) = (items.values().sum::<usize>(), items.values().filter(|it| **it > 0).count());
        println!(
            "   {what}: root sees {all} items in {sections} sections, the collector has {} of them from the service",
            all - excused.len()
        );
        for line in &excused {
            println!("     {line}");
        }
        if may_hide == excused.is_empty() {
            bail!("{what}, {} items were not permitted", excused.len());
        }
    }
    Ok(())
}

/// Unpacks the small Debian, after making it the first time.
fn unpack(folder: &Path, root: &Path) -> Result<()> {
    let archive = folder.join("bookworm-2.tar");
    if root.exists() {
        fs::remove_dir_all(root).with_context(|| format!("cannot remove {}", root.display()))?;
    }
    if !archive.exists() {
        let include = "--include=systemd,systemd-sysv,dbus,ca-certificates,rpm";
        let mut make = Command::new("debootstrap");
        make.args(["--variant=minbase", include, "bookworm"]).arg(root).stdout(Stdio::null());
        shown(&mut make).map_err(|error| Skipped::because(format!("no Debian can be fetched: {error:#}")))?;
        let unfinished = folder.join("unfinished.tar");
        output_of(Command::new("tar").arg("-C").arg(root).arg("-cf").arg(&unfinished).arg("."))?;
        fs::rename(unfinished, archive)?;
        return Ok(());
    }
    fs::create_dir_all(root)?;
    output_of(Command::new("tar").arg("-C").arg(root).arg("-xf").arg(archive))?;
    Ok(())
}

/// Puts packages, the riches and the story into the machine.
fn fill(root: &Path) -> Result<()> {
    let version = env!("CARGO_PKG_VERSION");
    let to = |name: &str| root.join("root").join(name);
    for content in package::CONTENTS.iter().copied() {
        let program = stripped(&package::build(content, true)?)?;
        if content.name != package::AGENT.name {
            fs::copy(package::make_deb(content, &program, version)?, to(&format!("{}.deb", content.name)))?;
            continue;
        }
        for (name, version) in
            [("first", format!("{version}~proof1")), ("second", format!("{version}~proof2"))]
        {
            fs::copy(package::make_deb(content, &program, &version)?, to(&format!("{name}.deb")))?;
            fs::copy(package::make_rpm(content, &program, &version)?, to(&format!("{name}.rpm")))?;
        }
    }
    rich::fill(root)?;
    // A minimal Debian has none, and so would not know its own name.
    fs::write(root.join("etc/hosts"), "127.0.0.1 localhost\n")?;
    let story = root.join("root/story.sh");
    fs::write(&story, CHAPTERS.concat())?;
    fs::set_permissions(&story, fs::Permissions::from_mode(0o755))?;
    let units = root.join("etc/systemd/system");
    fs::write(units.join("story.service"), UNIT)?;
    let wants = units.join("default.target.wants");
    fs::create_dir_all(&wants)?;
    symlink("../story.service", wants.join("story.service"))?;
    Ok(())
}

/// A copy without what only a debugger reads: it is packed in a tenth of the time.
fn stripped(program: &Path) -> Result<PathBuf> {
    let folder = package::out().join("stripped");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let copy = folder.join(program.file_name().unwrap_or_default());
    output_of(Command::new("strip").arg("-o").arg(&copy).arg(program))?;
    Ok(copy)
}

/// Boots the machine and waits until it has powered itself off.
fn boot(root: &Path) -> Result<()> {
    let mut command = Command::new("timeout");
    command.args(["--kill-after=10", WITHIN_SECONDS, "systemd-nspawn", "--quiet", "--boot"]);
    command.args(["--register=no", "--keep-unit", "--private-network", "--directory"]).arg(root);
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    if !root.join("root/result").exists() {
        return Err(Skipped::because(format!(
            "no system boots in a namespace here (systemd-nspawn: {status})"
        )));
    }
    Ok(())
}
