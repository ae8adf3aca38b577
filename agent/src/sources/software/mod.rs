//! Installed software: one file a package manager, read from its own database.

pub(super) mod dpkg;
