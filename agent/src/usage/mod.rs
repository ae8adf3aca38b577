//! Which applications run, watched from time to time, so that software that nobody uses can be found.
//!
//! A sampler looks which processes there are, asks which packages they belong to, and keeps for each package on which
//! days it ran: no times, no people, no arguments, no files. What is not installed for everybody is never written down.
//! Knows nothing of who allows it; the supervisor runs it only where charter and machine both do, and deletes the file
//! otherwise.

mod days;
mod file;
mod sampler;

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use muster_common::{inventory::Usage, time::EndpointTime};

pub(crate) use days::Ledger;
pub(crate) use file::{delete, load, save};
pub(crate) use sampler::Sampler;

/// What the sampler has found so far, for whoever reads the machine.
#[derive(Debug, Clone, Default)]
pub(crate) struct Told(Arc<Mutex<Option<Arc<[Usage]>>>>);

impl Told {
    /// The newest findings; `None` while nothing is watched.
    pub(crate) fn get(&self) -> Option<Arc<[Usage]>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Replaces them.
    pub(crate) fn set(&self, uses: Option<Arc<[Usage]>>) {
        // One assignment, so it is whole even after a panic elsewhere.
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = uses;
    }
}

/// What the service has found on this machine, for a person who looks at it there; `None` where nothing is kept or may
/// be read.
pub(crate) fn kept(folder: &Path) -> Option<Arc<[Usage]>> {
    load(folder).ok().flatten().map(|ledger| ledger.uses())
}

/// The number of a day since the epoch, in UTC.
fn day(now: EndpointTime) -> i64 {
    now.as_millis().div_euclid(DAY_MS)
}

/// Milliseconds of a day.
const DAY_MS: i64 = 24 * 60 * 60 * 1000;
