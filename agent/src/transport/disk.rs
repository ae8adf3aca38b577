//! What a session writes down, off the async thread.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    baseline::Baseline,
    spool::{EpochError, Ledger, Pending, Saved, Sequence},
    state_file::StateFileError,
};

/// The state folder, as sessions use it.
#[derive(Debug, Clone)]
pub struct Disk {
    folder: Arc<Path>,
    spool_limit: usize,
}

/// What could not be read at the start, and that the agent goes on without.
pub type Lost = Vec<StateFileError>;

impl Disk {
    /// In a folder that is there already; `spool_limit` bounds what is pending, in bytes.
    pub fn new(folder: PathBuf, spool_limit: usize) -> Self {
        Self { folder: folder.into(), spool_limit }
    }

    /// Reads where the last process left off. What can't be read begins anew.
    pub async fn load(&self) -> Result<(Ledger, Sequence, Lost), EpochError> {
        self.blocking(|folder, _| {
            let mut lost = Lost::new();
            let baseline = Baseline::load(folder).unwrap_or_else(|error| {
                lost.push(error);
                Baseline::default()
            });
            let pending = Pending::load(folder).unwrap_or_else(|error| {
                lost.push(error);
                Pending::default()
            });
            let sequence = match Sequence::load(folder) {
                Ok(Some(sequence)) => sequence,
                Ok(None) => Sequence::begin(folder)?,
                Err(error) => {
                    lost.push(error);
                    Sequence::begin(folder)?
                }
            };
            Ok((Ledger::new(baseline, pending), sequence, lost))
        })
        .await
    }

    /// Writes the baseline down.
    pub async fn save_baseline(&self, baseline: Baseline) -> Result<(), StateFileError> {
        self.blocking(move |folder, _| baseline.save(folder)).await
    }

    /// Writes down what is pending.
    pub async fn save_pending(&self, pending: Pending) -> Result<Saved, StateFileError> {
        self.blocking(move |folder, limit| pending.save(folder, limit)).await
    }

    /// Writes the sequence down.
    pub async fn save_sequence(&self, sequence: Sequence) -> Result<(), StateFileError> {
        self.blocking(move |folder, _| sequence.save(folder)).await
    }

    /// Begins a new epoch.
    pub async fn begin_epoch(&self) -> Result<Sequence, EpochError> {
        self.blocking(|folder, _| Sequence::begin(folder)).await
    }

    async fn blocking<T: Send + 'static>(&self, work: impl FnOnce(&Path, usize) -> T + Send + 'static) -> T {
        let Self { folder, spool_limit } = self.clone();
        off_thread(move || work(&folder, spool_limit)).await
    }
}

/// Runs work that can block, such as that with files, off the async thread.
pub(crate) async fn off_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // Only a runtime that is being torn down cancels what has not begun; nobody polls us then.
            Err(_) => std::future::pending().await,
        },
    }
}
