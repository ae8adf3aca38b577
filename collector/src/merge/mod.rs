//! What is known of a device? A deterministic fold of claims.
