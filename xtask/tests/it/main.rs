//! What the repository promises about itself, one binary.

mod durability;
mod generated;
mod units;
