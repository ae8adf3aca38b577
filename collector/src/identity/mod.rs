//! Which device is this? A pure function from evidence and candidates to a decision.
