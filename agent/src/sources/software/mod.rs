//! Installed software: one file a package manager, read from its own database, and one for each kind of software that
//! no package manager knows but auditors ask for.

pub(crate) mod browser;
pub(super) mod cargo;
pub(super) mod conda;
pub(super) mod dpkg;
pub(crate) mod editor;
pub(super) mod gem;
pub(super) mod homebrew;
pub(crate) mod java;
mod language;
pub(super) mod npm;
pub(crate) mod oracle;
pub(super) mod python;
pub(crate) mod swid;
#[cfg(test)]
mod testing;
