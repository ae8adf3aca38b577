//! Transport security: authority, certificates, verifiers and the accept loop.
//!
//! Here a connection gets its name, and nothing more: a certificate is good only if the registry says so now. Knows
//! nothing of what a peer may do, of devices and of the store. To add a listener: a variant in `listener::Role`, its
//! verifier in `server`.

pub mod profile;
pub mod request;

pub mod authority;
pub mod client_bundle;

pub mod peer;
pub mod server;
pub mod verifier;

pub mod admission;
pub mod connection;
pub mod listener;
pub mod refusal;
