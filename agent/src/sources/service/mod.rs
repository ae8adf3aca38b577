//! What starts by itself.

pub(super) mod unit;
