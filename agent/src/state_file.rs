//! The files in the state folder that the agent can do without: a mark, a version, a checksum, protobuf.
//!
//! They are written whole (temporary file, fsync, rename, fsync of the folder) and read with bounds. One that can't be
//! used is an error that says why, and its owner goes on as if it weren't there: what is lost is a resend, never an
//! item. Keys are not kept this way; see `credentials`.
//!
//! ```text
//! mark, 4 bytes | version, u32 LE | CRC-32C of version and body, u32 LE | body
//! ```

use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

use muster_proto::private_file::{self, PrivateFileError};

const HEAD_BYTES: usize = 12;

/// The form of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Form {
    /// The file's first four bytes.
    pub mark: [u8; 4],
    /// The version that this program reads and writes.
    pub version: u32,
    /// The longest body, in bytes.
    pub limit: usize,
}

/// Why a state file can't be used.
#[derive(Debug, thiserror::Error)]
pub enum StateFileError {
    /// The system refused to read it.
    #[error("reading {path} failed")]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// Something else than a file stands there.
    #[error("{path} is not a regular file; move it away")]
    Kind {
        /// The file.
        path: PathBuf,
    },
    /// Longer than its bound.
    #[error("{path} is longer than {limit} bytes")]
    TooLong {
        /// The file.
        path: PathBuf,
        /// The bound.
        limit: usize,
    },
    /// Not the form, or the checksum is wrong.
    #[error("{path} is damaged")]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// Written by another version.
    #[error("{path} has version {found}, this agent reads version {expected}")]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// Ours.
        expected: u32,
    },
    /// Writing failed.
    #[error(transparent)]
    Write(#[from] PrivateFileError),
}

/// Reads a file's body; `None` when there is no such file.
pub fn read(path: &Path, form: Form) -> Result<Option<Vec<u8>>, StateFileError> {
    let failed = |source| StateFileError::Read { path: path.to_owned(), source };
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_file() => {}
        Ok(_) => return Err(StateFileError::Kind { path: path.to_owned() }),
        Err(source) if source.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(failed(source)),
    }
    let limit = form.limit + HEAD_BYTES;
    let mut bytes = Vec::new();
    let mut file = File::open(path).map_err(failed)?.take(limit as u64 + 1);
    file.read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() > limit {
        return Err(StateFileError::TooLong { path: path.to_owned(), limit });
    }
    let damaged = || StateFileError::Damaged { path: path.to_owned() };
    let (mark, rest) = bytes.split_first_chunk::<4>().ok_or_else(damaged)?;
    let (version, rest) = rest.split_first_chunk::<4>().ok_or_else(damaged)?;
    let (sum, body) = rest.split_first_chunk::<4>().ok_or_else(damaged)?;
    if *mark != form.mark || u32::from_le_bytes(*sum) != checksum(*version, body) {
        return Err(damaged());
    }
    let found = u32::from_le_bytes(*version);
    if found != form.version {
        return Err(StateFileError::Version { path: path.to_owned(), found, expected: form.version });
    }
    bytes.drain(..HEAD_BYTES);
    Ok(Some(bytes))
}

/// Writes a file, atomically and durably, readable by the agent alone.
pub fn write(path: &Path, form: Form, body: &[u8]) -> Result<(), StateFileError> {
    let version = form.version.to_le_bytes();
    let mut bytes = Vec::with_capacity(HEAD_BYTES + body.len());
    bytes.extend_from_slice(&form.mark);
    bytes.extend_from_slice(&version);
    bytes.extend_from_slice(&checksum(version, body).to_le_bytes());
    bytes.extend_from_slice(body);
    Ok(private_file::write(path, &bytes)?)
}

fn checksum(version: [u8; 4], body: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&version), body)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORM: Form = Form { mark: *b"MTST", version: 3, limit: 100 };

    #[test]
    fn every_flipped_bit_and_every_cut_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        assert!(read(&path, FORM).unwrap().is_none());
        write(&path, FORM, b"some body").unwrap();
        assert_eq!(read(&path, FORM).unwrap().unwrap(), b"some body");
        let good = fs::read(&path).unwrap();
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            fs::write(&path, &bad).unwrap();
            assert!(matches!(read(&path, FORM), Err(StateFileError::Damaged { .. })), "bit {bit}");
        }
        for length in 0..good.len() {
            fs::write(&path, &good[..length]).unwrap();
            assert!(matches!(read(&path, FORM), Err(StateFileError::Damaged { .. })), "{length} bytes");
        }
    }

    #[test]
    fn other_versions_long_files_and_folders_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        write(&path, Form { version: 4, ..FORM }, b"x").unwrap();
        assert!(matches!(read(&path, FORM), Err(StateFileError::Version { found: 4, expected: 3, .. })));
        write(&path, FORM, &[0; 101]).unwrap();
        assert!(matches!(read(&path, FORM), Err(StateFileError::TooLong { .. })));
        assert!(matches!(read(folder.path(), FORM), Err(StateFileError::Kind { .. })));
    }
}
