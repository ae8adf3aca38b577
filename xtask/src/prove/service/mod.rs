//! The proof that the agent is a service to install and forget, under a systemd of its own in a namespace.
//!
//! A small Debian is made once and kept as an archive; each run unpacks it, puts the programs and two versions of the
//! package into it and boots it. What happens inside stands in story.sh; what the inventories say is compared in
//! [`compare`]. Needs root and namespaces.

mod compare;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use super::Skipped;
use crate::needs;
use crate::package;
use crate::steps::{Outcome, cargo, output_of, shown};

const STORY: &str = include_str!("story.sh");
const UNIT: &str = "[Unit]\nDescription=The story\nAfter=multi-user.target\n\n[Service]\nType=simple\n\
                    ExecStart=/root/story.sh\n";
/// A boot takes two seconds; the story one or two minutes on a busy machine.
const WITHIN_SECONDS: &str = "300";

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
    let inventory = |name| fs::read(root.join("root").join(name));
    compare::equal(&inventory("service.json")?, &inventory("root.json")?)?;
    fs::remove_dir_all(&root).context("cannot remove the machine")
}

/// Unpacks the small Debian, after making it the first time.
fn unpack(folder: &Path, root: &Path) -> Result<()> {
    let archive = folder.join("bookworm.tar");
    if root.exists() {
        fs::remove_dir_all(root).with_context(|| format!("cannot remove {}", root.display()))?;
    }
    if !archive.exists() {
        let include = "--include=systemd,systemd-sysv,dbus,ca-certificates";
        let mut make = Command::new("debootstrap");
        make.args(["--variant=minbase", include, "bookworm"]).arg(root).stdout(Stdio::null());
        shown(&mut make).map_err(|error| Skipped::because(format!("no Debian can be fetched: {error:#}")))?;
        let unfinished = folder.join("bookworm.tar.new");
        output_of(Command::new("tar").arg("-C").arg(root).arg("-cf").arg(&unfinished).arg("."))?;
        fs::rename(unfinished, archive)?;
        return Ok(());
    }
    fs::create_dir_all(root)?;
    output_of(Command::new("tar").arg("-C").arg(root).arg("-xf").arg(archive))?;
    Ok(())
}

/// Puts programs, packages and the story into the machine.
fn fill(root: &Path) -> Result<()> {
    let agent = package::build(package::AGENT, true)?;
    shown(&mut cargo(&["build", "--package", "muster-collector", "--package", "muster"]))?;
    for name in ["muster-collector", "muster"] {
        fs::copy(agent.with_file_name(name), root.join("usr/local/bin").join(name))?;
    }
    let version = env!("CARGO_PKG_VERSION");
    for (name, version) in
        [("first.deb", format!("{version}~proof1")), ("second.deb", format!("{version}~proof2"))]
    {
        fs::copy(package::make_deb(package::AGENT, &agent, &version)?, root.join("root").join(name))?;
    }
    // A minimal Debian has none, and so would not know its own name.
    fs::write(root.join("etc/hosts"), "127.0.0.1 localhost\n")?;
    let story = root.join("root/story.sh");
    fs::write(&story, STORY)?;
    fs::set_permissions(&story, fs::Permissions::from_mode(0o755))?;
    let units = root.join("etc/systemd/system");
    fs::write(units.join("story.service"), UNIT)?;
    let wants = units.join("default.target.wants");
    fs::create_dir_all(&wants)?;
    symlink("../story.service", wants.join("story.service"))?;
    Ok(())
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
