//! The operating systems of the fleet, and how each writes a version.

use super::draw::{mix, weighted};

/// A release of a distribution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Distribution {
    Debian12,
    Ubuntu2404,
    Ubuntu2204,
    Debian13,
}

/// What os-release says.
#[derive(Debug, Clone, Copy)]
pub(super) struct OsRelease {
    pub(super) id: &'static str,
    pub(super) name: &'static str,
    pub(super) version: &'static str,
    pub(super) version_id: &'static str,
    pub(super) codename: &'static str,
    pub(super) pretty_name: &'static str,
    pub(super) kernel: &'static str,
}

const SHARES: [(u64, Distribution); 4] = [
    (40, Distribution::Debian12),
    (35, Distribution::Ubuntu2404),
    (15, Distribution::Ubuntu2204),
    (10, Distribution::Debian13),
];

impl Distribution {
    /// How many there are.
    pub(super) const COUNT: u32 = SHARES.len() as u32;

    /// The one with a number, counted round.
    pub(super) fn by_number(number: u32) -> Self {
        SHARES[(number % Self::COUNT) as usize].1
    }

    /// The one of a device.
    pub(super) fn of(seed: u64, device: u64) -> Self {
        *weighted(&SHARES, mix(seed, device, 0x05))
    }

    /// From 0.
    pub(super) fn number(self) -> u32 {
        match self {
            Self::Debian12 => 0,
            Self::Ubuntu2404 => 1,
            Self::Ubuntu2204 => 2,
            Self::Debian13 => 3,
        }
    }

    pub(super) fn os_release(self) -> OsRelease {
        match self {
            Self::Debian12 => OsRelease {
                id: "debian",
                name: "Debian GNU/Linux",
                version: "12.11",
                version_id: "12",
                codename: "bookworm",
                pretty_name: "Debian GNU/Linux 12 (bookworm)",
                kernel: "6.1.0-37-amd64",
            },
            Self::Ubuntu2404 => OsRelease {
                id: "ubuntu",
                name: "Ubuntu",
                version: "24.04.2",
                version_id: "24.04",
                codename: "noble",
                pretty_name: "Ubuntu 24.04.2 LTS",
                kernel: "6.8.0-63-generic",
            },
            Self::Ubuntu2204 => OsRelease {
                id: "ubuntu",
                name: "Ubuntu",
                version: "22.04.5",
                version_id: "22.04",
                codename: "jammy",
                pretty_name: "Ubuntu 22.04.5 LTS",
                kernel: "5.15.0-143-generic",
            },
            Self::Debian13 => OsRelease {
                id: "debian",
                name: "Debian GNU/Linux",
                version: "13.0",
                version_id: "13",
                codename: "trixie",
                pretty_name: "Debian GNU/Linux 13 (trixie)",
                kernel: "6.12.33+deb13-amd64",
            },
        }
    }

    /// The version of a package after so many updates within the release.
    pub(super) fn version(self, upstream: &str, revision: u64, level: u32) -> String {
        match (self, level) {
            (Self::Debian12 | Self::Debian13, 0) => format!("{upstream}-{revision}"),
            (Self::Debian12, level) => format!("{upstream}-{revision}+deb12u{level}"),
            (Self::Debian13, level) => format!("{upstream}-{revision}+deb13u{level}"),
            (Self::Ubuntu2404 | Self::Ubuntu2204, 0) => format!("{upstream}-{revision}build1"),
            (Self::Ubuntu2404, level) => format!("{upstream}-{revision}ubuntu0.24.04.{level}"),
            (Self::Ubuntu2204, level) => format!("{upstream}-{revision}ubuntu0.22.04.{level}"),
        }
    }
}
