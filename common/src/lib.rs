//! Muster's nouns, and the algorithms that both ends must compute alike.
//!
//! Knows nothing of IO, of async, of logging and of how anything is written to a wire or a disk; `now` is an
//! argument. The modules stand in the order in which a record meets them.

pub mod chain;
pub mod id;
pub mod time;

pub mod inventory;

pub mod delta;

pub mod source;

pub mod asset;
pub mod device;
pub mod flag;

pub mod observation;
pub mod person;
pub mod scanner;

pub mod governance;

pub mod audit;

pub mod trust;

pub mod filter;
pub mod page;

pub mod version;
