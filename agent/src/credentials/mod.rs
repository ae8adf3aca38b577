//! The agent's key and certificate, and their files.
//!
//! They lie in one folder, `identity/` under the state folder: `pending.toml` while enrolling, `identity.toml` after,
//! `next.toml` while renewing. Each is written whole or not at all, so a crash at any step leaves a working identity.
//! Knows nothing of connections; unsafe files are refused, never repaired.

pub mod clock;
pub mod files;
pub mod identity;
pub mod pending;
pub mod renewal;
