//! The spool's epoch and its next sequence, on disk before they are used.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use prost::Message;
use ring::rand::{SecureRandom, SystemRandom};

use crate::state_file::{self, Form, StateFileError};

/// The name of the file in the state folder.
const FILE: &str = "spool-sequence";
/// The same for reports that are carried: a count of its own, since the service has the spool's in memory.
const EXPORTS_FILE: &str = "export-sequence";
const FORM: Form = Form { mark: *b"MSEQ", version: 1, limit: 1024 };
/// A collector that claims a sequence from here on is wrong: no agent gets there.
const EXHAUSTED: u64 = 1 << 62;

/// Names one count of sequences: 16 random bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SpoolEpoch([u8; 16]);

/// Where the count of sequences stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sequence {
    /// The epoch within which sequences count.
    pub epoch: SpoolEpoch,
    /// The next sequence; the first is 1.
    pub next: u64,
}

/// Why a new epoch can't be begun.
#[derive(Debug, thiserror::Error)]
pub enum EpochError {
    /// The system gives no random bytes.
    #[error("the system gives no random bytes")]
    Random,
    /// It can't be written down.
    #[error(transparent)]
    File(#[from] StateFileError),
}

impl SpoolEpoch {
    /// Takes bytes that were drawn elsewhere.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Debug for SpoolEpoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0[..4].iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Sequence {
    /// Reads where the count stands; `None` when there is no file yet.
    pub fn load(folder: &Path) -> Result<Option<Self>, StateFileError> {
        Self::load_from(folder.join(FILE))
    }

    fn load_from(path: PathBuf) -> Result<Option<Self>, StateFileError> {
        let Some(body) = state_file::read(&path, FORM)? else { return Ok(None) };
        let damaged = || StateFileError::Damaged { path: path.clone() };
        let StoredSequence { epoch, next } =
            StoredSequence::decode(body.as_slice()).map_err(|_| damaged())?;
        let epoch = epoch.try_into().map(SpoolEpoch).map_err(|_| damaged())?;
        if next == 0 || next >= EXHAUSTED {
            return Err(damaged());
        }
        Ok(Some(Self { epoch, next }))
    }

    /// Begins a new epoch and writes it down.
    pub fn begin(folder: &Path) -> Result<Self, EpochError> {
        let sequence = Self::first()?;
        sequence.save(folder)?;
        Ok(sequence)
    }

    /// Takes the next number for a report that is carried; it is used up when this returns. A count that can't be read
    /// begins anew.
    pub fn take_export(folder: &Path) -> Result<Self, EpochError> {
        let path = folder.join(EXPORTS_FILE);
        let known = Self::load_from(path.clone()).unwrap_or_default();
        let taken = known.map_or_else(Self::first, Ok)?;
        Self { next: taken.next + 1, ..taken }.save_to(&path)?;
        Ok(taken)
    }

    fn first() -> Result<Self, EpochError> {
        let mut epoch = [0; 16];
        SystemRandom::new().fill(&mut epoch).map_err(|_| EpochError::Random)?;
        Ok(Self { epoch: SpoolEpoch(epoch), next: 1 })
    }

    /// Writes it down, atomically and durably.
    pub fn save(&self, folder: &Path) -> Result<(), StateFileError> {
        self.save_to(&folder.join(FILE))
    }

    fn save_to(&self, path: &Path) -> Result<(), StateFileError> {
        let stored = StoredSequence { epoch: self.epoch.0.to_vec(), next: self.next };
        state_file::write(path, FORM, &stored.encode_to_vec())
    }

    /// The next sequence, never one that the collector already has; `None` when it claims to have an absurd one, and
    /// a new epoch has to be begun.
    pub fn beyond(self, durable: u64) -> Option<Self> {
        let next = self.next.max(durable.checked_add(1)?);
        (next < EXHAUSTED).then_some(Self { next, ..self })
    }
}

#[derive(Clone, PartialEq, Message)]
struct StoredSequence {
    #[prost(bytes = "vec", tag = "1")]
    epoch: Vec<u8>,
    #[prost(uint64, tag = "2")]
    next: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_goes_on_after_a_restart_and_begins_anew_after_damage() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Sequence::load(folder.path()).unwrap(), None);
        let first = Sequence::begin(folder.path()).unwrap();
        let later = Sequence { next: 8, ..first };
        later.save(folder.path()).unwrap();
        assert_eq!(Sequence::load(folder.path()).unwrap(), Some(later));
        std::fs::write(folder.path().join(FILE), b"MSEQ").unwrap();
        assert!(Sequence::load(folder.path()).is_err());
        assert_ne!(Sequence::begin(folder.path()).unwrap().epoch, first.epoch);
    }

    #[test]
    fn a_number_of_an_export_is_used_once() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Sequence::begin(folder.path()).unwrap();
        let numbers = [(); 3].map(|()| Sequence::take_export(folder.path()).unwrap());
        assert_eq!(numbers.map(|number| number.next), [1, 2, 3]);
        assert!(numbers.iter().all(|number| number.epoch == numbers[0].epoch && number.epoch != spool.epoch));
        assert_eq!(Sequence::load(folder.path()).unwrap(), Some(spool), "the spool's count is another one");
        std::fs::write(folder.path().join(EXPORTS_FILE), b"MSEQ").unwrap();
        let anew = Sequence::take_export(folder.path()).unwrap();
        assert!(anew.next == 1 && anew.epoch != numbers[0].epoch);
    }

    #[test]
    fn it_never_falls_behind_the_collector() {
        let at = |next| Sequence { epoch: SpoolEpoch([7; 16]), next };
        let cases =
            [(0, Some(5)), (4, Some(5)), (5, Some(6)), (900, Some(901)), (EXHAUSTED, None), (u64::MAX, None)];
        for (durable, expected) in cases {
            assert_eq!(at(5).beyond(durable).map(|sequence| sequence.next), expected, "durable {durable}");
        }
    }
}
