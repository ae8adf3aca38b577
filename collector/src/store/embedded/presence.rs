//! When endpoints were last seen, in one small file that is replaced whole.
//!
//! Knows nothing of records: what is here changes every minute for every endpoint, and would swell journal and view
//! for nothing. Losing it makes endpoints look unseen until they call again, so damage is a warning and not an error.
//!
//! ```text
//! "MUSTERP1" (key_length:u8 key value_length:u16 value)* crc32c:u32       little-endian; the checksum covers all before it
//! ```

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use crate::store::{Key, Presence, StoreError, files};

const MAGIC: &[u8; 8] = b"MUSTERP1";

/// The file and what is in it.
#[derive(Debug)]
pub(super) struct PresenceFile {
    path: PathBuf,
    values: BTreeMap<Key, Vec<u8>>,
}

impl PresenceFile {
    /// Reads the file, or begins anew if there is none.
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(StoreError::io("read", path)(error)),
        };
        let values = if bytes.is_empty() { Some(BTreeMap::new()) } else { decode(&bytes) };
        let values = values.unwrap_or_else(|| {
            tracing::warn!(file = %path.display(), "what was last seen when is damaged; it fills again as endpoints call");
            BTreeMap::new()
        });
        Ok(Self { path: path.to_owned(), values })
    }

    /// Takes new values and writes the file.
    pub(super) fn put(&mut self, presences: Vec<Presence>) -> Result<(), StoreError> {
        for Presence { key, value } in presences {
            match value {
                Some(value) => self.values.insert(key, value),
                None => self.values.remove(&key),
            };
        }
        files::replace_file(&self.path, &encode(&self.values))
    }

    /// Everything, in the order of the keys.
    pub(super) fn all(&self) -> Vec<(Key, Vec<u8>)> {
        self.values.iter().map(|(key, value)| (key.clone(), value.clone())).collect()
    }
}

fn encode(values: &BTreeMap<Key, Vec<u8>>) -> Vec<u8> {
    let size: usize = values.iter().map(|(key, value)| key.as_bytes().len() + value.len() + 3).sum();
    let mut bytes = Vec::with_capacity(size + 12);
    bytes.extend_from_slice(MAGIC);
    for (key, value) in values {
        bytes.push(u8::try_from(key.as_bytes().len()).expect("keys have at most 128 bytes"));
        bytes.extend_from_slice(key.as_bytes());
        let length = u16::try_from(value.len()).expect("presences have at most 4 KiB");
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes.extend_from_slice(value);
    }
    let checksum = crc32c::crc32c(&bytes);
    bytes.extend_from_slice(&checksum.to_le_bytes());
    bytes
}

fn decode(bytes: &[u8]) -> Option<BTreeMap<Key, Vec<u8>>> {
    let (bytes, checksum) = bytes.split_last_chunk()?;
    if crc32c::crc32c(bytes).to_le_bytes() != *checksum {
        return None;
    }
    let mut rest = bytes.strip_prefix(MAGIC)?;
    let mut values = BTreeMap::new();
    while let Some((length, after)) = rest.split_first() {
        let (key, after) = after.split_at_checked(usize::from(*length))?;
        let (length, after) = after.split_first_chunk()?;
        let (value, after) = after.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
        values.insert(Key::new(key).ok()?, value.to_vec());
        rest = after;
    }
    Some(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_outlive_opening_again_and_damage_is_an_empty_start() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("presence");
        let key = Key::new(*b"a").unwrap();
        let mut file = PresenceFile::open(&path).unwrap();
        file.put(vec![Presence { key: key.clone(), value: Some(b"now".to_vec()) }]).unwrap();
        assert_eq!(PresenceFile::open(&path).unwrap().all(), [(key, b"now".to_vec())]);
        let whole = fs::read(&path).unwrap();
        for bit in 0..whole.len() * 8 {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            fs::write(&path, flipped).unwrap();
            assert_eq!(PresenceFile::open(&path).unwrap().all(), [], "bit {bit}");
        }
    }
}
