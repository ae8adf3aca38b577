//! A disk whose power can be cut: an ext4 file system on a loop device, shut down without flushing anything.
//!
//! Knows nothing of what is written to it. A kill leaves the page cache, so it proves nothing about `fsync`; this
//! throws away whatever the file system hadn't got on its device. Needs root, loop devices, mkfs.ext4 and python3 (the
//! ioctl has no command of its own).

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::steps::succeeds;

/// `EXT4_IOC_SHUTDOWN` is `_IOR('X', 125, __u32)`; flag 2 is "no log flush". It waits for a word, so that the moment
/// of the cut isn't that of an interpreter's start.
const SHUTDOWN: &str = "
import fcntl, os, struct, sys
disk = os.open(sys.argv[1], os.O_RDONLY)
print('ready', flush=True)
sys.stdin.readline()
fcntl.ioctl(disk, 0x8004587D, struct.pack('I', 2))
";

/// A mounted loop device; unmounted and removed when dropped.
#[derive(Debug)]
pub(super) struct Disk {
    folder: PathBuf,
    device: String,
}

impl Disk {
    /// Why this machine can't do it, if it can't.
    pub(super) fn missing() -> Option<String> {
        if !rustix::process::geteuid().is_root() {
            return Some("needs root for a loop device".to_owned());
        }
        for (program, argument) in [("losetup", "--version"), ("mkfs.ext4", "-V"), ("python3", "--version")] {
            if !succeeds(Command::new(program).arg(argument)) {
                return Some(format!("needs {program}"));
            }
        }
        let find = Command::new("losetup").arg("--find").output();
        match find {
            Ok(output) if output.status.success() => None,
            Ok(_) | Err(_) => Some("there are no loop devices here".to_owned()),
        }
    }

    /// Makes and mounts a disk of this size under `folder`.
    pub(super) fn new(folder: &Path, mib: u64) -> Result<Self> {
        fs::create_dir_all(folder.join("mounted"))?;
        let image = folder.join("image");
        File::create(&image)?
            .set_len(mib << 20)
            .with_context(|| format!("cannot make {}", image.display()))?;
        run(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(&image))?;
        let device = run(Command::new("losetup").args(["--find", "--show"]).arg(&image))?;
        let disk = Self { folder: folder.to_owned(), device: device.trim().to_owned() };
        disk.mount()?;
        Ok(disk)
    }

    /// Where it is mounted.
    pub(super) fn path(&self) -> PathBuf {
        self.folder.join("mounted")
    }

    /// Cuts the power: nothing is written from here on, and what wasn't on the device is gone.
    ///
    /// `just_before` is called in the last moment in which all is well.
    pub(super) fn cut_power(&self, just_before: impl FnOnce()) -> Result<()> {
        let mut cutter = Command::new("python3");
        cutter.args(["-c", SHUTDOWN]).arg(self.path()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut cutter = cutter.spawn().context("cannot start python3")?;
        let (mut word, answer) = cutter.stdin.take().zip(cutter.stdout.take()).context("it has no pipes")?;
        BufReader::new(answer).read_line(&mut String::new())?;
        just_before();
        word.write_all(b"now\n")?;
        drop(word);
        let status = cutter.wait()?;
        if !status.success() {
            bail!("the file system did not shut down ({status})");
        }
        Ok(())
    }

    /// Unmounts it, once nothing uses it any more, and mounts it as after a start of the machine.
    pub(super) fn restart(&self) -> Result<()> {
        self.unmount()?;
        self.mount()
    }

    fn mount(&self) -> Result<()> {
        run(Command::new("mount").args(["-t", "ext4", &self.device]).arg(self.path())).map(drop)
    }

    fn unmount(&self) -> Result<()> {
        let mut tries = 0;
        loop {
            match run(Command::new("umount").arg(self.path())) {
                Ok(_) => return Ok(()),
                // A process that was killed lets go of its files a moment later.
                Err(_) if tries < 100 => tries += 1,
                Err(error) => return Err(error),
            }
            thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let gone = self.unmount().and_then(|()| run(Command::new("losetup").args(["-d", &self.device])));
        if let Err(error) = gone.and_then(|_| Ok(fs::remove_file(self.folder.join("image"))?)) {
            eprintln!("could not remove the disk under {}: {error:#}", self.folder.display());
        }
    }
}

/// Runs a command and returns what it printed; an error with its own words unless it exits with 0.
fn run(command: &mut Command) -> Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot start {name}"))?;
    if !output.status.success() {
        bail!("{name} failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
