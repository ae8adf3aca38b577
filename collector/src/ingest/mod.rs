//! Sessions with agents: envelopes in, acknowledgements out.
//!
//! Who speaks comes from the certificate; what is said is bounded and scanned before it is decoded, and a report that
//! can't be used is refused by its number while the session goes on. Knows nothing of what is decided about a device.

pub mod decode;

mod session;

pub mod service;
