//! The machine as hardware: what its maker wrote into it, its processors, memory, batteries and security modules.
//!
//! `smbios` reads the tables and knows their format only; the sources beside it turn them, `/proc` and `/sys` into
//! items. Each source reads the tables for itself: they are a few kilobytes, and no source depends on another.

pub(super) mod battery;
mod container;
mod device_tree;
mod dmi_id;
mod hypervisor;
mod ibm_z;
pub(super) mod memory;
pub(super) mod processor;
pub(super) mod product;
mod smbios;
pub(super) mod tpm;
