//! A virtual machine that is given tables, whose own kernel shows them: Debian's cloud kernel under qemu's emulator, with
//! nothing but the agent, dmidecode and what these need.
//!
//! Knows nothing of numbers. Takes about a minute; kernel and busybox are fetched once as Debian packages.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::steps::{Outcome, output_of, succeeds};

use super::{agent, judge};

const BEGIN: &str = "== dmidecode";
const BETWEEN: &str = "== agent";
const END: &str = "== done";
const INIT: &str = "#!/bin/sh
mount -t proc none /proc
mount -t sysfs none /sys
mount -t devtmpfs none /dev
echo '== dmidecode'
/bin/dmidecode
echo '== agent'
/bin/muster-agent collect --output json
echo '== done'
poweroff -f
";
const APPLETS: [&str; 4] = ["sh", "mount", "echo", "poweroff"];

/// What the virtual machine is told that it is.
const SMBIOS: [&str; 9] = [
    "type=0,vendor=Peer Firmware,version=1.27,date=03/14/2025,release=1.27",
    "type=1,manufacturer=Peer Computers,product=Model 7440,version=A07,serial=SN-5QDRMS2,\
     uuid=4c4c4544-0035-4410-8052-b7c04f4d5332,sku=0A1B,family=Peer family",
    "type=2,manufacturer=Peer Computers,product=0HX555,version=A02,serial=BSN-1,asset=ASSET-B7,location=Slot0",
    "type=3,manufacturer=Peer Computers,version=1.0,serial=CH-5QDRMS2,asset=ASSET-000777,sku=SKU-CH",
    "type=4,sock_pfx=CPU,manufacturer=Peer,version=Peer CPU,serial=CPUSN-1,asset=CA-1,part=PN-1",
    "type=11,value=INV-TAG: 4711",
    "type=17,loc_pfx=DIMM,bank=B0,manufacturer=Hynix,serial=2F3C1A00,asset=DA-0,part=HMA82GS6,speed=3200",
    "type=8,internal_reference=J1,external_reference=USB,connector_type=0x12,port_type=0x10",
    "type=41,designation=LAN,kind=ethernet,instance=1",
];

/// Boots it and compares.
pub(super) fn run(folder: &Path) -> Result<Outcome> {
    for (program, argument) in [
        ("qemu-system-x86_64", "--version"),
        ("cpio", "--version"),
        ("apt-get", "--version"),
        ("ldd", "--version"),
    ] {
        if !succeeds(Command::new(program).arg(argument)) {
            return Ok(Outcome::Skipped(format!("needs {program}")));
        }
    }
    let fetched = folder.join("fetched");
    if !fetched.join("boot").is_dir() && fetch(&fetched).is_err() {
        return Ok(Outcome::Skipped("Debian's kernel package can't be fetched here".to_owned()));
    }
    let disk = disk(folder, &fetched)?;
    let kernel = fs::read_dir(fetched.join("boot"))?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .find(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("vmlinuz")))
        .context("the kernel's package has no kernel")?;
    let mut qemu = Command::new("timeout");
    qemu.args([
        "300",
        "qemu-system-x86_64",
        "-M",
        "q35",
        "-accel",
        "tcg",
        "-cpu",
        "max",
        "-smp",
        "1",
        "-m",
        "512",
    ]);
    qemu.args(["-nographic", "-no-reboot", "-net", "none", "-append", "console=ttyS0 quiet panic=-1"]);
    qemu.arg("-kernel").arg(kernel).arg("-initrd").arg(disk);
    for smbios in SMBIOS {
        qemu.args(["-smbios", smbios]);
    }
    let said = output_of(&mut qemu)?.replace('\r', "");
    let between = |from: &str, to: &str| Some(said.split_once(from)?.1.split_once(to)?.0.trim().to_owned());
    let printed = between(BEGIN, BETWEEN).with_context(|| format!("it said:\n{said}"))?;
    let collected = between(BETWEEN, END).with_context(|| format!("it said:\n{said}"))?;
    ensure!(printed.contains("SN-5QDRMS2"), "its own kernel does not show its tables:\n{printed}");
    judge("booted", &printed, &collected)?;
    Ok(Outcome::Done)
}

/// The kernel and a busybox of this Debian.
fn fetch(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let depends = output_of(Command::new("apt-cache").args(["depends", "linux-image-cloud-amd64"]))?;
    let kernel = depends
        .lines()
        .find_map(|line| line.trim().strip_prefix("Depends: "))
        .context("there is no package linux-image-cloud-amd64")?;
    output_of(
        Command::new("apt-get").args(["-qq", "download", kernel, "busybox-static"]).current_dir(folder),
    )?;
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "deb") {
            output_of(Command::new("dpkg-deb").arg("-x").arg(&path).arg(folder))?;
        }
    }
    Ok(())
}

/// The first disk: a folder packed as the kernel unpacks it.
fn disk(folder: &Path, fetched: &Path) -> Result<PathBuf> {
    let root = folder.join("booted");
    if root.exists() {
        fs::remove_dir_all(&root)?;
    }
    for name in ["bin", "proc", "sys", "dev", "etc"] {
        fs::create_dir_all(root.join(name))?;
    }
    fs::copy(fetched.join("bin/busybox"), root.join("bin/busybox"))
        .context("busybox-static has no busybox")?;
    for applet in APPLETS {
        symlink("busybox", root.join("bin").join(applet))?;
    }
    let dmidecode = output_of(Command::new("sh").args(["-c", "command -v dmidecode"]))?;
    for (program, name) in [(PathBuf::from(dmidecode.trim()), "dmidecode"), (agent()?, "muster-agent")] {
        fs::copy(&program, root.join("bin").join(name))?;
        let needs = output_of(Command::new("ldd").arg(&program))?;
        for library in needs.split_whitespace().filter(|word| word.starts_with('/')) {
            let place = root.join(library.trim_start_matches('/'));
            if let Some(parent) = place.parent() {
                fs::create_dir_all(parent)?;
            }
            fs::copy(library, place)?;
        }
    }
    fs::write(root.join("init"), INIT)?;
    output_of(Command::new("chmod").arg("+x").arg(root.join("init")))?;
    let disk = folder.join("booted.cpio");
    let pack = format!("find . | cpio -o -H newc --quiet > '{}'", disk.display());
    output_of(Command::new("sh").args(["-c", &pack]).current_dir(&root))?;
    Ok(disk)
}
