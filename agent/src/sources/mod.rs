//! What reads an inventory: one file a source, one table of all.
//!
//! Knows nothing of schedules, of the network and of the machine beyond [`Host`]; no source runs a program.
//!
//! To add one: a file in the folder of its subject with a unit struct that implements [`Source`], and a line in
//! [`SOURCES`]. Text goes through `text::clean`, what cannot be read into [`Problems`]; several sources may feed one
//! section, but no two may make the same item. A new section is a wider change: CONTRIBUTING.md has its recipe.

mod account;
mod cloud;
mod devices;
mod hardware;
mod homes;
mod json;
mod network;
mod os;
mod part;
mod posture;
pub(crate) mod programs;
mod read;
pub(crate) mod service;
mod software;
mod storage;
#[cfg(test)]
pub(crate) mod testing;
mod text;
mod uevent;
mod usage;
mod xml;

use std::fmt;

use muster_common::inventory::SectionName;

use crate::host::Host;

pub(crate) use posture::certificate::USUAL as USUAL_CERTIFICATE_FOLDERS;

pub(crate) use part::NOT_RECORDED;
pub use part::{ITEMS_LIMIT, Problems, SectionPart};

/// What a source may tell of people; each kind is off unless charter and local ceiling both allow it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Personal {
    /// When applications last ran.
    Usage,
    /// Who last logged in, and when.
    Logins,
    /// What is installed for one user alone.
    PerUser,
    /// Other machines on the same network.
    Neighbours,
}

/// How to notice cheaply that a source would find the same again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stamp {
    /// Every file and folder that it looked at, there or not, is as it was: inode, size, time of change.
    Touched,
    /// As [`Self::Touched`], without what stands in this folder, which never changes without the rest.
    TouchedExcept(&'static str),
    /// The folders that it listed and the files at fixed paths are as they were; what stands in a listed folder
    /// changes its name when it changes.
    Folders,
    /// The kernel has told of no device that came, went or changed: `sys/kernel/uevent_seqnum`.
    Uevents,
    /// It can't change before the next boot.
    Boot,
    /// Nothing tells: it is read each time.
    Always,
}

impl Stamp {
    /// In a few words, for people.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Touched | Self::TouchedExcept(_) => "files looked at",
            Self::Folders => "names in folders",
            Self::Uevents => "device events",
            Self::Boot => "a boot",
            Self::Always => "read each time",
        }
    }
}

/// Reads one part of an inventory.
pub trait Source: fmt::Debug + Sync {
    /// Its name, unique, such as `dpkg`.
    fn name(&self) -> &'static str;

    /// The section that it feeds.
    fn section(&self) -> SectionName;

    /// What it reads, for people.
    fn reads(&self) -> &'static [&'static str];

    /// What it tells of people; such a source runs only where that is allowed.
    fn personal(&self) -> Option<Personal> {
        None
    }

    /// How to notice that nothing changed.
    fn stamp(&self) -> Stamp {
        Stamp::Always
    }

    /// Reads. What cannot be read is a problem beside what can.
    fn collect(&self, host: &dyn Host) -> SectionPart;
}

/// All sources.
pub const SOURCES: &[&dyn Source] = &[
    &hardware::product::ProductSource,
    &hardware::processor::ProcessorSource,
    &hardware::memory::MemorySource,
    &hardware::battery::BatterySource,
    &hardware::tpm::TpmSource,
    &devices::monitor::MonitorSource,
    &devices::pci::PciSource,
    &devices::usb::UsbSource,
    &storage::disk::DiskSource,
    &network::adapter::AdapterSource,
    &os::release::ReleaseSource,
    &cloud::CloudSource,
    &posture::volume::VolumeSource,
    &posture::security::SecuritySource,
    &posture::protection::ProtectionSource,
    &posture::certificate::CertificateSource,
    &account::local::AccountSource,
    &account::login::LoginSource,
    &service::unit::UnitSource,
    &service::listener::ListenerSource,
    &usage::UsageSource,
    &network::neighbour::NeighbourSource,
    &software::dpkg::DpkgSource,
    &software::rpm::RpmSource,
    &software::apk::ApkSource,
    &software::pacman::PacmanSource,
    &software::portage::PortageSource,
    &software::nix::NixSource,
    &software::nix::UserNixSource,
    &software::snap::SnapSource,
    &software::flatpak::FlatpakSource,
    &software::flatpak::UserFlatpakSource,
    &software::appimage::AppImageSource,
    &software::appimage::UserAppImageSource,
    &software::editor::EditorSource,
    &software::browser::chromium::ChromiumSource,
    &software::browser::firefox::FirefoxSource,
    &software::browser::system::BrowserSystemSource,
    &software::container::containerd::ContainerdSource,
    &software::container::storage::PodmanUserSource,
    &software::container::storage::PodmanSource,
    &software::container::docker::DockerSource,
    &software::oracle::OracleSource,
    &software::opt::OptSource,
    &software::swid::SwidSource,
    &software::java::JavaSource,
    &software::python::SYSTEM,
    &software::python::PEOPLE,
    &software::npm::SYSTEM,
    &software::npm::PEOPLE,
    &software::gem::SYSTEM,
    &software::gem::PEOPLE,
    &software::cargo::SYSTEM,
    &software::cargo::PEOPLE,
    &software::homebrew::SYSTEM,
    &software::homebrew::PEOPLE,
    &software::conda::SYSTEM,
    &software::conda::PEOPLE,
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_everything_is_described() {
        let names: BTreeSet<_> = SOURCES.iter().map(|source| source.name()).collect();
        assert_eq!(names.len(), SOURCES.len());
        for source in SOURCES {
            assert!(!source.reads().is_empty(), "{} reads nothing", source.name());
            assert!(source.reads().iter().all(|path| !path.starts_with('/')), "{}", source.name());
        }
    }
}
