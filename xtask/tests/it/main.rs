//! What the repository promises about itself, one binary.

mod generated;
mod units;
