//! What starts by itself.

pub(super) mod listener;
pub(super) mod unit;
