//! Personal values under a key for each person.
