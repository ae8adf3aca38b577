//! What starts by itself.

pub(super) mod listener;
pub(crate) mod unit;
