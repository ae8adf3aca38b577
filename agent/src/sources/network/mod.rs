//! How the machine is connected: adapters and their addresses, for now.

pub(super) mod adapter;
pub(super) mod neighbour;
