//! The store: typed records, atomic commits, an ordered change log.
