//! What reads an inventory, one file a source.
