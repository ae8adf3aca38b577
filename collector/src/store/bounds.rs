//! How large things may be, for every backend alike, and the checks of it.
//!
//! Knows nothing of what is stored. A bound is checked before anything is copied or written.

use std::collections::HashSet;

use crate::store::{CatalogueItem, Commit, CommitError, Presence, StoreError, audit};

/// The longest key in bytes: sled keeps keys in its inner nodes and slows down beyond this.
pub const MAX_KEY_BYTES: usize = 128;
/// The longest value in bytes.
pub const MAX_VALUE_BYTES: usize = 8 << 20;
/// The largest commit in bytes: keys, values, audit and texts together.
pub const MAX_COMMIT_BYTES: usize = 16 << 20;
/// The most keys that one commit may write, and the most that it may expect.
pub const MAX_COMMIT_KEYS: usize = 65_536;
/// The longest value of a catalogue item in bytes: it lies in one piece in the view, whose pieces are small.
pub const MAX_CATALOGUE_VALUE_BYTES: usize = 4000;
/// About how many bytes one answer of [`scan`](crate::store::Store::scan) or [`changes`](crate::store::Store::changes) holds before it ends early.
pub const MAX_PAGE_BYTES: usize = 32 << 20;
/// The longest value of a presence in bytes.
pub const MAX_PRESENCE_BYTES: usize = 4096;

/// Refuses a commit that breaks a bound; every backend asks this first.
pub(crate) fn check_bounds(commit: &Commit) -> Result<(), CommitError> {
    let too_large = |what: &'static str, size: usize, most: usize| {
        if size > most { Err(CommitError::TooLarge { what, size, most }) } else { Ok(()) }
    };
    too_large("written keys", commit.writes.len(), MAX_COMMIT_KEYS)?;
    too_large("expected keys", commit.expected.len(), MAX_COMMIT_KEYS)?;
    too_large("bytes of the kind", commit.kind.len(), 128)?;
    too_large("bytes of the actor", commit.actor.len(), 256)?;
    let mut bytes = commit.audit.as_ref().map_or(0, Vec::len);
    for write in &commit.writes {
        if write.key.as_bytes().starts_with(audit::PREFIX) {
            return Err(CommitError::Reserved { key: write.key.clone() });
        }
        let value_bytes = write.value.as_ref().map_or(0, Vec::len);
        too_large("bytes of a value", value_bytes, MAX_VALUE_BYTES)?;
        // 64 bytes stand for the numbers and lengths around each write.
        bytes += write.key.as_bytes().len() + value_bytes + 64;
    }
    too_large("bytes of the commit", bytes, MAX_COMMIT_BYTES)?;
    // Few keys are the rule, and then comparing each with each is quicker than hashing.
    if commit.writes.len() <= 8 {
        for (index, write) in commit.writes.iter().enumerate() {
            if commit.writes.iter().skip(index + 1).any(|other| other.key == write.key) {
                return Err(CommitError::DuplicateKey { key: write.key.clone() });
            }
        }
    } else {
        let mut seen = HashSet::with_capacity(commit.writes.len());
        for write in &commit.writes {
            if !seen.insert(&write.key) {
                return Err(CommitError::DuplicateKey { key: write.key.clone() });
            }
        }
    }
    Ok(())
}

/// Refuses a catalogue item that breaks a bound.
pub(crate) fn check_catalogue_item(item: &CatalogueItem) -> Result<(), StoreError> {
    if item.value.len() > MAX_CATALOGUE_VALUE_BYTES {
        return Err(StoreError::TooLarge {
            what: "bytes of a catalogue item",
            size: item.value.len(),
            most: MAX_CATALOGUE_VALUE_BYTES,
        });
    }
    Ok(())
}

/// Refuses a presence that breaks a bound.
pub(crate) fn check_presence(presence: &Presence) -> Result<(), StoreError> {
    let size = presence.value.as_ref().map_or(0, Vec::len);
    if size > MAX_PRESENCE_BYTES {
        return Err(StoreError::TooLarge { what: "bytes of a presence", size, most: MAX_PRESENCE_BYTES });
    }
    Ok(())
}

/// Whether an item still belongs to the page that holds `bytes` so far; the first always does.
pub(crate) fn within_page(bytes: &mut usize, item_bytes: usize) -> bool {
    let first = *bytes == 0;
    *bytes += item_bytes + 1;
    first || *bytes <= MAX_PAGE_BYTES
}
