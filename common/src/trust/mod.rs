//! Names of peers, and the string that lets a new agent in.
//!
//! Pure text and bytes: knows nothing of certificates, keys or sockets, since this crate has no crypto provider.
//! What a name may do is the collector's registry's to say.

pub mod name;
pub mod token;
