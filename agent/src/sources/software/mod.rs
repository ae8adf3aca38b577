//! Installed software: one file a package manager, read from its own database, and one for each kind of software that
//! no package manager knows but auditors ask for.

pub(super) mod dpkg;
pub(crate) mod editor;
pub(crate) mod java;
pub(crate) mod oracle;
pub(crate) mod swid;
