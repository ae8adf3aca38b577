//! What starts by itself.

pub(super) mod listener;
mod served;
pub(crate) mod unit;
