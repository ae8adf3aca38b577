//! The file of keys: fixed-size records that are appended once and overwritten once, each on disk before it counts.
//!
//! Knows nothing of what the keys open.
//!
//! The file begins with a heading of [`RECORD_BYTES`] bytes; then record follows record, each of as many bytes:
//!
//! | bytes | content |
//! |---|---|
//! | 16 | person id |
//! | 32 | key; all zero: erased |
//! | 12 | zero |
//! | 4 | CRC-32C of the 60 bytes before, little endian |
//!
//! 64 divides every sector size, so a record lies in one sector and a power cut leaves it old or new. What a cut can
//! leave is a tail that was never flushed: shorter than a record, or zeros. Nothing refers to such a record yet, since
//! a key counts only after its flush, so the tail is cut off. A broken record anywhere else is damage: it is reported
//! and skipped, and never overwritten, since the rest of the file is good.

use std::{
    fs::{File, TryLockError},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use muster_common::id::PersonId;
use muster_proto::private_file::{self, PrivateFileError};
use zeroize::Zeroizing;

use super::SecretKey;

/// Heading and records have this length.
const RECORD_BYTES: usize = 64;
const RECORD_LENGTH: u64 = RECORD_BYTES as u64;
const HEADING: &[u8; RECORD_BYTES] = b"muster vault: keys of persons, version 1, never copy this file \n";
/// How many records are read at once.
const RECORDS_AT_ONCE: usize = 1024;

/// Why the file of keys can't be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// It is missing, unsafe or unreadable.
    #[error(transparent)]
    File(#[from] PrivateFileError),
    /// Another process has it open.
    #[error("{path} is in use by another process (is a second collector running on this folder?)")]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// It begins with something else.
    #[error("{path} is not a file of keys of this version (restore the vault from a backup)")]
    Heading {
        /// The file.
        path: PathBuf,
    },
    /// The system refused.
    #[error("{action} {path} failed")]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// A flush failed before, and what is on disk is not known any more.
    #[error(
        "{path} could not be flushed earlier, so it is not written to any more (repair the disk and restart)"
    )]
    Stopped {
        /// The file.
        path: PathBuf,
    },
}

/// A record as it was read.
pub(super) struct Record {
    pub(super) person: PersonId,
    /// Counted from 0.
    pub(super) place: u64,
    /// None: erased.
    pub(super) key: Option<SecretKey>,
}

/// The open, locked file.
pub(super) struct KeyFile {
    file: File,
    path: PathBuf,
    /// How many records are on disk.
    count: u64,
    stopped: bool,
}

impl KeyFile {
    /// Opens or makes the file, and reads every record.
    pub(super) fn open(path: &Path) -> Result<(Self, Vec<Record>), KeyFileError> {
        if matches!(path.symlink_metadata(), Err(error) if error.kind() == io::ErrorKind::NotFound) {
            private_file::write(path, HEADING)?;
        }
        let file = private_file::open_for_update(path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(KeyFileError::InUse { path: path.to_owned() }),
            Err(TryLockError::Error(source)) => return Err(io_error("locking", path, source)),
        }
        let mut this = Self { file, path: path.to_owned(), count: 0, stopped: false };
        let records = this.read()?;
        Ok((this, records))
    }

    fn read(&mut self) -> Result<Vec<Record>, KeyFileError> {
        let failed = |source| io_error("reading", &self.path, source);
        let length = self.file.metadata().map_err(failed)?.len();
        let mut heading = [0u8; RECORD_BYTES];
        let read = (&self.file).take(RECORD_LENGTH).read(&mut heading).map_err(failed)?;
        if read != RECORD_BYTES || &heading != HEADING {
            return Err(KeyFileError::Heading { path: self.path.clone() });
        }
        let whole = length.saturating_sub(RECORD_LENGTH) / RECORD_LENGTH;
        let mut records = Vec::new();
        let mut damaged: Vec<u64> = Vec::new();
        // Records up to here were flushed at some time.
        let mut flushed = 0;
        let mut buffer = Zeroizing::new(vec![0u8; RECORDS_AT_ONCE * RECORD_BYTES]);
        let mut place = 0;
        while place < whole {
            let wanted = usize::try_from(whole - place).unwrap_or(RECORDS_AT_ONCE).min(RECORDS_AT_ONCE);
            let bytes = &mut buffer[..wanted * RECORD_BYTES];
            (&self.file).read_exact(bytes).map_err(failed)?;
            for bytes in bytes.chunks_exact(RECORD_BYTES) {
                match parse(bytes) {
                    Some((person, key)) => records.push(Record { person, place, key }),
                    None if bytes.iter().all(|byte| *byte == 0) => {
                        place += 1;
                        continue;
                    }
                    None => damaged.push(place),
                }
                place += 1;
                flushed = place;
            }
        }
        if !damaged.is_empty() {
            tracing::error!(
                file.path = %self.path.display(),
                vault.damaged = damaged.len(),
                "keys of persons in the vault are damaged and their values can't be read; restore the vault from a backup"
            );
        }
        if length != (flushed + 1) * RECORD_LENGTH {
            self.set_length(flushed)?;
        }
        self.count = flushed;
        Ok(records)
    }

    /// Appends a record for each person; on disk when this returns. Answers the first record's place.
    pub(super) fn append<'a>(
        &mut self,
        keys: impl Iterator<Item = (&'a PersonId, &'a SecretKey)>,
    ) -> Result<u64, KeyFileError> {
        self.check_running()?;
        let mut bytes = Zeroizing::new(Vec::new());
        for (person, key) in keys {
            bytes.extend_from_slice(record(*person, key).as_slice());
        }
        let first = self.count;
        if let Err(source) = self.write_at(first, &bytes) {
            // A disk that is full leaves half a record; it must not stand between good ones.
            self.set_length(first)?;
            return Err(io_error("writing", &self.path, source));
        }
        self.flush()?;
        self.count += (bytes.len() / RECORD_BYTES) as u64;
        Ok(first)
    }

    /// Overwrites a record's key with zeros; on disk when this returns.
    pub(super) fn erase(&mut self, place: u64, person: PersonId) -> Result<(), KeyFileError> {
        self.check_running()?;
        self.write_at(place, record(person, &SecretKey::default()).as_slice())
            .map_err(|source| io_error("writing", &self.path, source))?;
        self.flush()
    }

    fn write_at(&mut self, place: u64, bytes: &[u8]) -> io::Result<()> {
        fail::fail_point!("vault-write", |_| Err(io::Error::other("fail point")));
        self.file.seek(SeekFrom::Start((place + 1) * RECORD_LENGTH))?;
        self.file.write_all(bytes)
    }

    /// After a failed flush the system may have dropped the pages and call the file clean, so nothing more is written.
    fn flush(&mut self) -> Result<(), KeyFileError> {
        let flushed = self.sync();
        flushed.map_err(|source| {
            self.stopped = true;
            io_error("flushing", &self.path, source)
        })
    }

    fn sync(&self) -> io::Result<()> {
        fail::fail_point!("vault-flush", |_| Err(io::Error::other("fail point")));
        self.file.sync_data()
    }

    fn set_length(&mut self, count: u64) -> Result<(), KeyFileError> {
        let cut = self.file.set_len((count + 1) * RECORD_LENGTH).and_then(|()| self.file.sync_all());
        cut.map_err(|source| {
            self.stopped = true;
            io_error("shortening", &self.path, source)
        })
    }

    fn check_running(&self) -> Result<(), KeyFileError> {
        if self.stopped { Err(KeyFileError::Stopped { path: self.path.clone() }) } else { Ok(()) }
    }
}

fn record(person: PersonId, key: &SecretKey) -> Zeroizing<[u8; RECORD_BYTES]> {
    let mut bytes = Zeroizing::new([0u8; RECORD_BYTES]);
    bytes[..16].copy_from_slice(person.as_bytes());
    bytes[16..48].copy_from_slice(key.as_slice());
    let checksum = crc32c::crc32c(&bytes[..60]);
    bytes[60..].copy_from_slice(&checksum.to_le_bytes());
    bytes
}

fn parse(bytes: &[u8]) -> Option<(PersonId, Option<SecretKey>)> {
    let checksum = u32::from_le_bytes(bytes.get(60..RECORD_BYTES)?.try_into().ok()?);
    if crc32c::crc32c(&bytes[..60]) != checksum {
        return None;
    }
    let person = PersonId::from_bytes(bytes[..16].try_into().ok()?);
    let mut key = SecretKey::default();
    key.copy_from_slice(&bytes[16..48]);
    let is_erased = key.iter().all(|byte| *byte == 0);
    Some((person, (!is_erased).then_some(key)))
}

fn io_error(action: &'static str, path: &Path, source: io::Error) -> KeyFileError {
    KeyFileError::Io { action, path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn key(number: u8) -> SecretKey {
        Zeroizing::new([number; 32])
    }

    fn person(number: u8) -> PersonId {
        PersonId::from_bytes([number; 16])
    }

    /// Which persons a file of these bytes holds, with the first byte of their keys, after it was opened twice.
    fn read_back(bytes: &[u8]) -> Vec<(u8, Option<u8>)> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        private_file::write(&path, bytes).unwrap();
        let list = || {
            let (_, records) = KeyFile::open(&path).unwrap();
            records
                .iter()
                .map(|record| (record.person.as_bytes()[0], record.key.as_ref().map(|key| key[0])))
                .collect::<Vec<_>>()
        };
        let first = list();
        assert_eq!(list(), first);
        first
    }

    /// The bytes of a file with persons 1, 2 and 3, of whom 2 was erased.
    fn sample() -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        let (mut file, _) = KeyFile::open(&path).unwrap();
        let keys = [(person(1), key(11)), (person(2), key(12))];
        assert_eq!(file.append(keys.iter().map(|(person, key)| (person, key))).unwrap(), 0);
        assert_eq!(file.append([(&person(3), &key(13))].into_iter()).unwrap(), 2);
        file.erase(1, person(2)).unwrap();
        fs::read(&path).unwrap()
    }

    #[test]
    fn a_cut_at_any_byte_keeps_every_whole_record() {
        let bytes = sample();
        let all = [(1, Some(11)), (2, None), (3, Some(13))];
        for length in RECORD_BYTES..=bytes.len() {
            let whole = length / RECORD_BYTES - 1;
            assert_eq!(read_back(&bytes[..length]), all[..whole], "cut at {length}");
        }
    }

    #[test]
    fn a_tail_of_zeros_is_cut_off_and_written_over() {
        let mut bytes = sample();
        bytes.extend_from_slice(&[0; 2 * RECORD_BYTES + 7]);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        private_file::write(&path, &bytes).unwrap();
        let (mut file, records) = KeyFile::open(&path).unwrap();
        assert_eq!(records.len(), 3);
        assert_eq!(file.append([(&person(4), &key(14))].into_iter()).unwrap(), 3);
        assert_eq!(fs::metadata(&path).unwrap().len(), 5 * RECORD_LENGTH);
    }

    #[test]
    fn damage_loses_its_own_record_alone() {
        for at in 0..RECORD_BYTES {
            let mut bytes = sample();
            bytes[RECORD_BYTES + at] ^= 0x40;
            assert_eq!(read_back(&bytes), [(2, None), (3, Some(13))], "byte {at}");
        }
    }

    #[test]
    fn other_files_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        for bytes in [b"".as_slice(), b"short", &[7; 128]] {
            private_file::write(&path, bytes).unwrap();
            assert!(matches!(KeyFile::open(&path), Err(KeyFileError::Heading { .. })));
        }
    }
}
