//! The index: columns and bitmaps in memory, from which every list, count, facet and page is answered.
//!
//! Knows nothing of the store's records, of who asks and of how answers are sent. It is derived from the store's
//! change log and may be thrown away at any time; row numbers never leave it.
//!
//! The shape: every field of a device is a column ([`schema`](device_fields) derives them from the fields of a
//! device). A text is interned once per column with the bitmap of its rows and has a rank, so that filters are
//! bitmap algebra and sorting compares numbers; numbers and times are plain arrays; packages are a second table,
//! joined by a bitmap of devices for each.
//!
//! **Concurrency**: one lock. A report is a write of some tens of microseconds, a question a read of milliseconds;
//! a filter and its page, or several facets, are asked under one [`Index::read`] and so see one moment. Neither may
//! be held across an `await`. Batches of reports should share one [`Index::write`].
//!
//! What filters mean here, beside the language itself: texts are equal in either case; `field:text` finds a part of
//! a text, and in lists (flags, addresses, sources) a whole member; `!=` is a value that is another one; a date is
//! its whole day, `-30d` is a distance from now, `8GiB` a size, `"1200 EUR"` an amount; versions of packages compare
//! in their own ecosystem's order and not at all where that isn't known.

mod catalogue;
mod column;
mod dictionary;
mod error;
mod evaluate;
mod facet;
mod fleet;
mod list;
mod number;
mod operand;
mod order;
mod packed;
mod people;
mod postings;
mod ranks;
mod schema;
mod software;
mod text;

use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

pub use error::QueryError;
pub use facet::Facets;
pub use fleet::{Fleet, MacHolder};
pub use list::{DevicePage, ListRequest};
pub use schema::{device_field, device_fields};
pub use software::{SoftwareBy, SoftwarePage, SoftwareRequest, SoftwareRow};

/// The index of this process.
#[derive(Debug, Default)]
pub struct Index {
    fleet: RwLock<Fleet>,
}

impl Index {
    /// An empty index.
    pub fn new() -> Self {
        Self::default()
    }

    /// The fleet as it is now; it doesn't change while the guard lives.
    pub fn read(&self) -> RwLockReadGuard<'_, Fleet> {
        // A writer that panicked leaves at worst one row half written, and the next report of that device mends it.
        self.fleet.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The fleet, to change it.
    pub fn write(&self) -> RwLockWriteGuard<'_, Fleet> {
        self.fleet.write().unwrap_or_else(PoisonError::into_inner)
    }
}
