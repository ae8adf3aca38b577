//! The days on disk, in the state folder: readable by the agent alone, whole at every moment, gone when they may not be
//! kept.

use std::{io, path::Path};

use prost::Message;

use super::days::{Days, Ledger, OWNERS_LIMIT};
use crate::{
    sources::programs::Owner,
    state_file::{self, Form, StateFileError},
};

/// The name of the file in the state folder.
const FILE: &str = "usage";
const FORM: Form = Form { mark: *b"MUSE", version: 1, limit: 1024 * 1024 };
/// The longest name that is taken, in bytes.
const NAME_LIMIT: usize = 256;

/// Reads what was kept; `None` where nothing is.
pub(crate) fn load(folder: &Path) -> Result<Option<Ledger>, StateFileError> {
    let path = folder.join(FILE);
    let Some(body) = state_file::read(&path, FORM)? else { return Ok(None) };
    let stored = StoredLedger::decode(body.as_slice()).ok();
    stored.and_then(Ledger::from_stored).map(Some).ok_or(StateFileError::Damaged { path })
}

/// Keeps it, atomically and durably.
pub(crate) fn save(folder: &Path, ledger: &Ledger) -> Result<(), StateFileError> {
    state_file::write(&folder.join(FILE), FORM, &StoredLedger::of(ledger).encode_to_vec())
}

/// Deletes it; whether there was one.
pub(crate) fn delete(folder: &Path) -> io::Result<bool> {
    match std::fs::remove_file(folder.join(FILE)) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[derive(Clone, PartialEq, Message)]
struct StoredLedger {
    #[prost(sint64, tag = "1")]
    day: i64,
    /// 128 bits, the lowest ones first.
    #[prost(fixed64, repeated, tag = "2")]
    watched: Vec<u64>,
    #[prost(message, repeated, tag = "3")]
    owners: Vec<StoredDays>,
}

#[derive(Clone, PartialEq, Message)]
struct StoredDays {
    #[prost(string, tag = "1")]
    purl_type: String,
    #[prost(string, tag = "2")]
    name: String,
    #[prost(fixed64, repeated, tag = "3")]
    seen: Vec<u64>,
    #[prost(sint64, tag = "4")]
    last: i64,
    #[prost(bool, tag = "5")]
    by_path: bool,
}

impl StoredLedger {
    fn of(ledger: &Ledger) -> Self {
        let Ledger { day, watched, owners } = ledger;
        let mut owners: Vec<StoredDays> = owners
            .iter()
            .map(|(Owner { purl_type, name }, Days { seen, last, by_path })| StoredDays {
                purl_type: purl_type.clone(),
                name: name.clone(),
                seen: halves(*seen),
                last: *last,
                by_path: *by_path,
            })
            .collect();
        owners.sort_unstable_by(|left, right| {
            (&left.purl_type, &left.name).cmp(&(&right.purl_type, &right.name))
        });
        Self { day: *day, watched: halves(*watched), owners }
    }
}

impl Ledger {
    fn from_stored(stored: StoredLedger) -> Option<Self> {
        let StoredLedger { day, watched, owners } = stored;
        if owners.len() > OWNERS_LIMIT {
            return None;
        }
        let owners = owners.into_iter().map(|StoredDays { purl_type, name, seen, last, by_path }| {
            let is_fine = !name.is_empty() && name.len() <= NAME_LIMIT && purl_type.len() <= NAME_LIMIT;
            is_fine.then_some(())?;
            Some((Owner { purl_type, name }, Days { seen: whole(&seen)?, last, by_path }))
        });
        Some(Self { day, watched: whole(&watched)?, owners: owners.collect::<Option<_>>()? })
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the halves are taken one by one")]
fn halves(days: u128) -> Vec<u64> {
    vec![days as u64, (days >> 64) as u64]
}

fn whole(halves: &[u64]) -> Option<u128> {
    match halves {
        [low, high] => Some(u128::from(*high) << 64 | u128::from(*low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn sample() -> Ledger {
        let mut ledger = Ledger::default();
        for day in [19_930, 20_000, 20_001] {
            ledger.look(day);
            ledger.note(&Owner::new("deb", "bash"), true, day);
        }
        ledger.note(&Owner::new("", "deploy"), false, 20_001);
        ledger
    }

    #[test]
    fn it_comes_back_from_disk_and_goes() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(load(folder.path()).unwrap(), None);
        assert!(!delete(folder.path()).unwrap());
        save(folder.path(), &sample()).unwrap();
        assert_eq!(load(folder.path()).unwrap(), Some(sample()));
        assert!(delete(folder.path()).unwrap());
        assert_eq!(load(folder.path()).unwrap(), None);
    }

    #[test]
    fn damage_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        fs::write(&path, b"nonsense").unwrap();
        assert!(matches!(load(folder.path()), Err(StateFileError::Damaged { .. })));
        let check = |stored: &StoredLedger| {
            state_file::write(&path, FORM, &stored.encode_to_vec()).unwrap();
            assert!(matches!(load(folder.path()), Err(StateFileError::Damaged { .. })), "{stored:?}");
        };
        let good = StoredLedger::of(&sample());
        check(&StoredLedger { watched: vec![1], ..good.clone() });
        check(&StoredLedger { owners: vec![StoredDays::default()], ..good.clone() });
        let days = good.owners[0].clone();
        check(&StoredLedger { owners: vec![days; OWNERS_LIMIT + 1], ..good });
    }
}
