//! Installed software: one file a package manager, read from its own database, and one for each kind of software that
//! no package manager knows but auditors ask for.

pub(crate) mod apk;
pub(crate) mod appimage;
pub(super) mod dpkg;
pub(crate) mod editor;
pub(crate) mod flatpak;
pub(crate) mod java;
pub(crate) mod nix;
pub(crate) mod oracle;
pub(crate) mod pacman;
pub(crate) mod portage;
pub(crate) mod snap;
pub(crate) mod swid;
