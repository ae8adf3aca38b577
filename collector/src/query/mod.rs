//! All reads.
