//! The little file that says how far the view was on disk at the last checkpoint.
//!
//! Knows nothing of the view. It is a second witness of what was acknowledged: a journal that ends before it has lost
//! something. A damaged one says nothing, and is written anew.
//!
//! ```text
//! "MUSTERC1" store:16 sequence:u64 crc32c:u32                             36 bytes, little-endian
//! ```

use std::{fs, io, path::Path};

use crate::store::{StoreError, files};

const MAGIC: &[u8; 8] = b"MUSTERC1";

/// What the file says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Checkpoint {
    /// The journal that it speaks of.
    pub(super) store: [u8; 16],
    /// The last entry that the view had on disk.
    pub(super) sequence: u64,
}

impl Checkpoint {
    /// Reads the file, if there is one that is whole.
    pub(super) fn read(path: &Path) -> Result<Option<Self>, StoreError> {
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(StoreError::io("read", path)(error)),
        };
        let checkpoint = Self::decode(&bytes);
        if checkpoint.is_none() {
            tracing::warn!(file = %path.display(), "the record of the last checkpoint is damaged; it is written anew");
        }
        Ok(checkpoint)
    }

    /// Replaces the file.
    pub(super) fn write(&self, path: &Path) -> Result<(), StoreError> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&self.store);
        bytes.extend_from_slice(&self.sequence.to_le_bytes());
        let checksum = crc32c::crc32c(&bytes);
        bytes.extend_from_slice(&checksum.to_le_bytes());
        files::replace_file(path, &bytes)
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (bytes, checksum) = bytes.split_last_chunk()?;
        let bytes: &[u8; 32] = bytes.try_into().ok()?;
        let whole = bytes.starts_with(MAGIC) && crc32c::crc32c(bytes).to_le_bytes() == *checksum;
        whole.then_some(())?;
        Some(Self {
            store: bytes[8..24].try_into().ok()?,
            sequence: u64::from_le_bytes(bytes[24..].try_into().ok()?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_reads_back_and_a_flipped_bit_makes_it_silent() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("checkpoint");
        assert_eq!(Checkpoint::read(&path).unwrap(), None);
        let checkpoint = Checkpoint { store: [7; 16], sequence: 9 };
        checkpoint.write(&path).unwrap();
        assert_eq!(Checkpoint::read(&path).unwrap(), Some(checkpoint));
        let whole = fs::read(&path).unwrap();
        for bit in 0..whole.len() * 8 {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Checkpoint::decode(&flipped), None, "bit {bit}");
        }
    }
}
