//! Whether the disk has room for more, asked before each group of commits.
//!
//! Knows nothing of what is written. Below the mark nothing is acknowledged, so that the view, the log and the people who
//! clean up still have room; it recovers by itself, a little above the mark so that it doesn't flutter.

use std::{
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};

use fail::fail_point;

use crate::store::Unavailable;

/// Watches one file system.
#[derive(Debug)]
pub(super) struct Space {
    folder: PathBuf,
    low_water_mib: u64,
    low: AtomicBool,
}

impl Space {
    /// Watches the file system of `folder`.
    pub(super) fn new(folder: &Path, low_water_mib: u64) -> Self {
        Self { folder: folder.to_owned(), low_water_mib, low: AtomicBool::new(false) }
    }

    /// An error while there is too little.
    pub(super) fn check(&self) -> Result<(), Unavailable> {
        let was_low = self.low.load(Ordering::Relaxed);
        let needed_mib =
            if was_low { self.low_water_mib + self.low_water_mib / 8 } else { self.low_water_mib };
        // When the file system doesn't tell, its own "no space left" has to do.
        let Some(free_mib) = self.free_mib() else { return Ok(()) };
        let is_low = free_mib < needed_mib;
        if is_low != was_low {
            self.low.store(is_low, Ordering::Relaxed);
            if is_low {
                tracing::error!(
                    disk.free_mib = free_mib,
                    "the disk is nearly full; nothing is acknowledged until there is space"
                );
            } else {
                tracing::info!(disk.free_mib = free_mib, "the disk has space again");
            }
        }
        if is_low { Err(Unavailable::NoSpace { free_mib, needed_mib }) } else { Ok(()) }
    }

    /// What to say when a write found the disk full although the mark wasn't reached.
    pub(super) fn full(&self) -> Unavailable {
        let free_mib = self.free_mib().unwrap_or(0);
        Unavailable::NoSpace { free_mib, needed_mib: self.low_water_mib.max(free_mib + 1) }
    }

    fn free_mib(&self) -> Option<u64> {
        fail_point!("store-free-mib", |mib| mib.and_then(|mib| mib.parse().ok()));
        let status = rustix::fs::statvfs(&self.folder).ok()?;
        Some(status.f_bavail.saturating_mul(status.f_frsize) >> 20)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_above_what_there_is_stops_and_one_below_does_not() {
        let folder = std::env::temp_dir();
        assert_eq!(Space::new(&folder, 0).check(), Ok(()));
        let stopped = Space::new(&folder, u64::MAX / 2).check();
        assert!(matches!(stopped, Err(Unavailable::NoSpace { .. })), "{stopped:?}");
    }
}
