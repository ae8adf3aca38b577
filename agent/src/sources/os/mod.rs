//! The operating system.

pub(super) mod release;
