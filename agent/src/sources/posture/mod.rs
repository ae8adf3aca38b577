//! How well the machine is protected: encryption of what it stores, boot, firewall, protection programs, certificates.

pub(crate) mod certificate;
pub(super) mod protection;
pub(super) mod security;
mod unit;
pub(super) mod volume;
mod x509;
