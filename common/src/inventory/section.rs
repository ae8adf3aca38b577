//! A named part of an inventory, with what went wrong while it was read.

use std::fmt;

use super::Item;

/// The name of a section: dotted lower-case words such as `hardware` or `software.dpkg`, at most 64 bytes.
///
/// An open vocabulary: a newer agent may send a section that this collector does not know.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SectionName(String);

/// A text that is not a section name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a section name (lower-case letters, digits, dots and hyphens, at most 64)")]
pub struct InvalidSectionName(String);

impl SectionName {
    /// System, board, chassis, firmware, processors and memory.
    pub const HARDWARE: &str = "hardware";
    /// Disks.
    pub const STORAGE: &str = "storage";
    /// Network adapters and their addresses.
    pub const NETWORK: &str = "network";
    /// The operating system.
    pub const OS: &str = "os";
    /// PCI devices.
    pub const PCI: &str = "devices.pci";
    /// USB devices.
    pub const USB: &str = "devices.usb";
    /// Monitors.
    pub const MONITORS: &str = "devices.monitors";
    /// What the cloud says of the instance.
    pub const CLOUD: &str = "cloud";
    /// Volumes and their encryption.
    pub const VOLUMES: &str = "posture.volumes";
    /// Boot, firewall, access control.
    pub const SECURITY: &str = "posture.security";
    /// Endpoint protection programs.
    pub const PROTECTION: &str = "posture.protection";
    /// Certificates.
    pub const CERTIFICATES: &str = "posture.certificates";
    /// Local accounts and privileged groups.
    pub const ACCOUNTS: &str = "accounts";
    /// Last logins.
    pub const LOGINS: &str = "accounts.logins";
    /// Units that start by themselves.
    pub const SERVICES: &str = "services";
    /// Listening sockets.
    pub const LISTENERS: &str = "services.listeners";
    /// When software was last used.
    pub const USAGE: &str = "usage";
    /// Other machines on the same network.
    pub const NEIGHBOURS: &str = "neighbours";
    /// Packages of dpkg.
    pub const SOFTWARE_DPKG: &str = "software.dpkg";
    /// Packages of rpm.
    pub const SOFTWARE_RPM: &str = "software.rpm";
    /// Extensions of browsers.
    pub const SOFTWARE_BROWSER: &str = "software.browser";
    /// Extensions of editors.
    pub const SOFTWARE_EDITOR: &str = "software.editor";
    /// Container images.
    pub const SOFTWARE_CONTAINER: &str = "software.container";
    /// Java runtimes.
    pub const SOFTWARE_JAVA: &str = "software.java";
    /// Oracle's products.
    pub const SOFTWARE_ORACLE: &str = "software.oracle";
    /// Software identification tags.
    pub const SOFTWARE_SWID: &str = "software.swid";
    /// Versioned trees under /opt.
    pub const SOFTWARE_OPT: &str = "software.opt";
    /// Packages of apk.
    pub const SOFTWARE_APK: &str = "software.apk";
    /// Packages of pacman.
    pub const SOFTWARE_PACMAN: &str = "software.pacman";
    /// Packages of Portage.
    pub const SOFTWARE_PORTAGE: &str = "software.portage";
    /// What Nix profiles hold.
    pub const SOFTWARE_NIX: &str = "software.nix";
    /// Snaps.
    pub const SOFTWARE_SNAP: &str = "software.snap";
    /// Flatpak applications and runtimes.
    pub const SOFTWARE_FLATPAK: &str = "software.flatpak";
    /// AppImages.
    pub const SOFTWARE_APPIMAGE: &str = "software.appimage";
    /// Python packages.
    pub const SOFTWARE_PYTHON: &str = "software.python";
    /// Node packages that npm installed for everybody or for a user.
    pub const SOFTWARE_NPM: &str = "software.npm";
    /// Ruby gems.
    pub const SOFTWARE_GEM: &str = "software.gem";
    /// Rust programs that cargo installed.
    pub const SOFTWARE_CARGO: &str = "software.cargo";
    /// Formulae and casks of Homebrew.
    pub const SOFTWARE_HOMEBREW: &str = "software.homebrew";
    /// Packages of conda.
    pub const SOFTWARE_CONDA: &str = "software.conda";

    /// Checks and takes a name.
    pub fn new(name: impl Into<String>) -> Result<Self, InvalidSectionName> {
        let name = name.into();
        let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'.' || b == b'-';
        if name.is_empty() || name.len() > 64 || !name.bytes().all(good) {
            return Err(InvalidSectionName(name.chars().take(64).collect()));
        }
        Ok(Self(name))
    }

    /// One of the constants above.
    pub fn known(name: &'static str) -> Self {
        Self(name.to_owned())
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the section's items are software, kept once in the catalogue.
    pub fn is_software(&self) -> bool {
        self.0 == "software" || self.0.starts_with("software.")
    }
}

impl fmt::Display for SectionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How far a section could be read. "None installed" is `Complete` without items; the others are kinds of unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SectionStatus {
    /// All that there is.
    Complete,
    /// Some of it: what is missing from the items may still be there.
    Partial,
    /// It should be readable and was not.
    Failed,
    /// This platform or recording cannot tell.
    NotAvailable,
}

/// A part of an inventory.
#[derive(Debug, Clone, PartialEq)]
pub struct Section {
    /// Its name.
    pub name: SectionName,
    /// How far it could be read.
    pub status: SectionStatus,
    /// What was found, at most 100,000 items.
    pub items: Vec<Item>,
    /// What could not be read, at most 64 entries.
    pub errors: Vec<SourceError>,
}

/// One thing that a source could not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceError {
    /// What was being read: a path, a table, a field.
    pub subject: String,
    /// The kind of failure.
    pub kind: ErrorKind,
    /// For people: what happened.
    pub message: String,
}

/// Why something could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The agent may not read it.
    NotPermitted,
    /// The platform, or a recording of a machine, does not have it.
    NotAvailable,
    /// The machine has none and need not have any, such as another distribution's package manager, or nobody has asked
    /// for it: no news for people.
    Absent,
    /// It does not follow its format.
    Malformed,
    /// It is over a bound; what was read up to there is kept.
    TooLarge,
    /// It took too long.
    TimedOut,
    /// Reading failed.
    Io,
}
