//! The agent's integration tests, one binary.
#![expect(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

mod bundle;
mod dmidecode;
mod dpkg;
mod fence;
mod fixtures;
mod flatpak;
mod fuzz_seeds;
mod hostile;
mod languages;
mod listeners;
mod networks;
mod package_managers;
mod printed;
mod rescan;
mod rpm;
mod sandbox;
mod service;
mod session;
mod smbios;
mod smbios_parts;
mod this_machine;
mod tls;
mod usage;
