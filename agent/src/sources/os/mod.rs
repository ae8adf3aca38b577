//! The operating system.

mod details;
pub(super) mod release;
