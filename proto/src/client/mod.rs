//! How to open a channel to a collector: the client's half of TLS, shared by the agent and the command line.
//!
//! It stands in this crate, beside the generated clients that run over the channel, since this is the last place that
//! agent and command line have in common and neither should see the other. It knows nothing of enrolment, of renewal
//! and of what to do when it is refused: it says precisely why, and the caller decides.

pub mod address;
pub mod channel;
pub mod files;
pub mod proxy;
mod tcp;
pub mod tls;
