//! The seam to the machine.
