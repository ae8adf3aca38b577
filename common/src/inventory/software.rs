//! Installed software: what is the same everywhere ([`Package`]) apart from what differs per install.

use crate::time::EndpointTime;

/// A package as its ecosystem names it, with the parts of a package URL (purl, ECMA-427).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Package {
    /// purl type: `deb`, `rpm`, `apk`, `pypi`, …
    pub purl_type: String,
    /// purl namespace: for `deb` the distribution's os-release `ID`.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Version exactly as the ecosystem writes it.
    pub version: String,
    /// Architecture as the ecosystem writes it; empty where it has none.
    pub architecture: String,
    /// Maintainer, publisher or vendor.
    pub vendor: Option<String>,
    /// Name of the source package, where it is not this one's.
    pub source_name: Option<String>,
    /// Version of the source package, where it is not this one's.
    pub source_version: Option<String>,
    /// Installed size in bytes as the package declares it.
    pub size_bytes: Option<u64>,
    /// Its name for people, where `name` is an identifier that tells them nothing.
    pub display_name: Option<String>,
}

/// Whether a package is whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum InstallState {
    /// Installed and configured.
    #[default]
    Installed,
    /// Unpacked or half configured: its files are there.
    Incomplete,
    /// Removed, its configuration files left behind.
    ConfigFiles,
    /// Installed and configured, and marked to be removed by the package manager's next run.
    RemovalPending,
}

/// What differs from machine to machine for the same package.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Installation {
    /// Whether it is whole.
    pub state: InstallState,
    /// Kept from being upgraded.
    pub held: bool,
    /// Installed but switched off, as browsers do with extensions.
    pub disabled: bool,
    /// Where it is installed, when that tells something; empty otherwise.
    pub path: String,
    /// The account that it is installed for; empty for the whole system.
    pub user: String,
    /// When it was installed, by the endpoint's clock.
    pub installed: Option<EndpointTime>,
    /// Which of a package's lines of versions it follows: a snap's channel such as `latest/stable`, a flatpak's branch,
    /// Portage's slot such as `0/3`; empty where the ecosystem has none.
    pub channel: String,
}
