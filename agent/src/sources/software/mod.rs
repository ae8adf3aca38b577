//! Installed software: one file a package manager, read from its own database, and one for each kind of software that
//! no package manager knows but auditors ask for.

pub(crate) mod apk;
pub(crate) mod appimage;
pub(crate) mod browser;
pub(crate) mod cargo;
pub(crate) mod conda;
pub(crate) mod container;
pub(super) mod dpkg;
pub(crate) mod editor;
pub(crate) mod flatpak;
pub(crate) mod gem;
pub(crate) mod homebrew;
pub(crate) mod java;
mod language;
pub(crate) mod nix;
pub(crate) mod npm;
pub(crate) mod opt;
pub(crate) mod oracle;
pub(crate) mod pacman;
pub(crate) mod portage;
pub(crate) mod python;
pub(crate) mod rpm;
pub(crate) mod snap;
pub(crate) mod swid;
#[cfg(test)]
mod testing;
