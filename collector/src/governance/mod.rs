//! Who decides what? Exceptions, approvals, the steps of an asset's life, and what there is to do, as the charter has it.
//!
//! Pure functions of what is known, the charter and the time, tested by tables of cases. Knows nothing of how anything is
//! kept or who is told.

pub mod exceptions;
pub mod lifecycle;
pub mod work;
