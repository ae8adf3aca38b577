//! What the tests need from the operating system, and how to get it.
//!
//! Knows nothing of what the tests do with it: a test that misses its tool says so and skips itself, so a need that
//! can't be met never hides a failure, it only narrows what was tried.
//!
//! To add a need, add one line to [`NEEDS`].

use std::process::Command;

use anyhow::{Result, bail};

use crate::steps::{Outcome, shown, succeeds};

/// A tool, the Debian package that brings it, and the reason that it is wanted.
struct Need {
    /// Exits with 0 when the tool is there.
    probe: &'static [&'static str],
    package: &'static str,
    why: &'static str,
}

/// Everything that any test calls beyond Rust and a C compiler.
const NEEDS: &[Need] = &[
    Need {
        probe: &["/usr/sbin/dmidecode", "--version"],
        package: "dmidecode",
        why: "the SMBIOS decoder is compared with it",
    },
    Need {
        probe: &["python3", "--version"],
        package: "python3",
        why: "a client in another language lists devices",
    },
    Need {
        probe: &["python3", "-c", "import ensurepip"],
        package: "python3-venv",
        why: "that client's gRPC library",
    },
    Need {
        probe: &["pacman", "--version"],
        package: "pacman-package-manager",
        why: "what it installs and lists is compared with what the agent finds",
    },
    Need {
        probe: &["flatpak", "--version"],
        package: "flatpak",
        why: "what it installs and lists is compared with what the agent finds",
    },
    Need {
        probe: &["gem", "--version"],
        package: "ruby",
        why: "the gems that it installs and lists are compared with what the agent finds",
    },
    Need {
        probe: &["rpmbuild", "--version"],
        package: "rpm",
        why: "what it installs and lists is compared with what the agent finds",
    },
    Need {
        probe: &["db5.3_load", "-V"],
        package: "db5.3-util",
        why: "it makes the Berkeley DB databases that rpm had before",
    },
];

/// What the proof of the service calls beside, which is too much for the gate.
const SERVICE_NEEDS: &[Need] = &[
    Need { probe: &["debootstrap", "--version"], package: "debootstrap", why: "makes a small Debian" },
    Need {
        probe: &["systemd-nspawn", "--version"],
        package: "systemd-container",
        why: "boots it in a namespace",
    },
    Need { probe: &["objdump", "--version"], package: "binutils", why: "tells which glibc a program needs" },
    Need { probe: &["rpmbuild", "--version"], package: "rpm", why: "makes and installs the agent's .rpm" },
];

/// Installs what the tests miss where that is allowed; else says which command would.
pub(crate) fn install() -> Result<Outcome> {
    install_of(NEEDS)
}

/// The same for the proof of the service.
pub(crate) fn install_for_service() -> Result<Outcome> {
    install_of(SERVICE_NEEDS)
}

fn install_of(needs: &'static [Need]) -> Result<Outcome> {
    let missing: Vec<&Need> = needs.iter().filter(|need| !is_met(need)).collect();
    if missing.is_empty() {
        return Ok(Outcome::Done);
    }
    for need in &missing {
        println!("   missing: {} ({})", need.package, need.why);
    }
    let packages: Vec<&str> = missing.iter().map(|need| need.package).collect();
    let by_hand = format!("sudo apt-get install {}", packages.join(" "));
    if !succeeds(Command::new("apt-get").arg("--version")) {
        return Ok(Outcome::Skipped(format!(
            "not a Debian system; install yourself: {}",
            packages.join(", ")
        )));
    }
    let Some(prefix) = privilege() else {
        return Ok(Outcome::Skipped(format!("no right to install; run: {by_hand}")));
    };
    let install = || {
        let arguments = ["install", "-y", "--no-install-recommends"];
        shown(apt_get(prefix).args(arguments).args(&packages))
    };
    // The package lists of a fresh image are empty or old, so the first failure is followed by one update.
    if install().is_err() {
        shown(apt_get(prefix).arg("update"))?;
        install()?;
    }
    match missing.iter().find(|need| !is_met(need)) {
        Some(need) => bail!("{} is installed and `{}` still fails", need.package, need.probe.join(" ")),
        None => Ok(Outcome::Done),
    }
}

fn is_met(need: &Need) -> bool {
    match need.probe {
        [program, arguments @ ..] => succeeds(Command::new(program).args(arguments)),
        [] => true,
    }
}

/// The words that give a command the right to install: none for root, sudo where it asks no password, else no way.
fn privilege() -> Option<&'static [&'static str]> {
    let is_root =
        Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.trim_ascii() == b"0");
    if is_root {
        return Some(&[]);
    }
    succeeds(Command::new("sudo").args(["-n", "true"])).then_some(&["sudo", "-n"])
}

fn apt_get(prefix: &[&str]) -> Command {
    let words = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"];
    let mut words = prefix.iter().chain(&words);
    let mut command = Command::new(words.next().copied().unwrap_or("env"));
    command.args(words).stdin(std::process::Stdio::null());
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probe_that_cannot_start_is_an_unmet_need() {
        let need = |probe| Need { probe, package: "x", why: "y" };
        assert!(is_met(&need(&["/bin/sh", "-c", "exit 0"])));
        assert!(!is_met(&need(&["/bin/sh", "-c", "exit 1"])));
        assert!(!is_met(&need(&["/nonexistent/tool"])));
    }
}
