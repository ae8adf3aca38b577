//! One file of the journal: its name, its header, and how it comes to be.
//!
//! Knows nothing of frames. A segment appears under its name only once its header is on disk, so a header that can't
//! be read is damage and never an unfinished start.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use fail::fail_point;

use crate::store::{
    StoreError, files,
    journal::{
        AppendError,
        frame::{Chain, Salt},
    },
};

/// The bytes before the first frame.
pub(super) const HEADER_BYTES: usize = 92;
/// The layout's name and version.
const MAGIC: [u8; 8] = *b"MUSTERJ1";
const EXTENSION: &str = "segment";

/// What stands before the first frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SegmentHeader {
    /// Enters every checksum of this segment.
    pub(super) salt: Salt,
    /// Drawn once for the whole journal, so that a view of another journal is never taken for this one's.
    pub(super) store: [u8; 16],
    /// The sequence of the first frame.
    pub(super) first: u64,
    /// `first` of the segment before, 0 in the very first: a segment that is missing is noticed.
    pub(super) previous_first: u64,
    /// The chain up to the frame before the first.
    pub(super) chain: Chain,
}

impl SegmentHeader {
    fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..24].copy_from_slice(&self.salt);
        bytes[24..40].copy_from_slice(&self.store);
        bytes[40..48].copy_from_slice(&self.first.to_le_bytes());
        bytes[48..56].copy_from_slice(&self.previous_first.to_le_bytes());
        bytes[56..88].copy_from_slice(&self.chain);
        let checksum = crc32c::crc32c(&bytes[..88]);
        bytes[88..].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    fn decode(bytes: &[u8; HEADER_BYTES]) -> Option<Self> {
        fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
            bytes.try_into().expect("the caller cuts as many bytes as the field has")
        }
        let whole = bytes[..8] == MAGIC && crc32c::crc32c(&bytes[..88]).to_le_bytes() == bytes[88..];
        whole.then(|| Self {
            salt: array(&bytes[8..24]),
            store: array(&bytes[24..40]),
            first: u64::from_le_bytes(array(&bytes[40..48])),
            previous_first: u64::from_le_bytes(array(&bytes[48..56])),
            chain: array(&bytes[56..88]),
        })
    }
}

/// Where the segment that begins with this sequence lies.
pub(super) fn path(folder: &Path, first: u64) -> PathBuf {
    folder.join(format!("{first:020}.{EXTENSION}"))
}

/// The first sequences of all segments, in order; removes what an unfinished start left behind.
pub(super) fn list(folder: &Path) -> Result<Vec<u64>, StoreError> {
    let mut firsts = Vec::new();
    for entry in fs::read_dir(folder).map_err(StoreError::io("list", folder))? {
        let path = entry.map_err(StoreError::io("list", folder))?.path();
        let extension = path.extension().and_then(|extension| extension.to_str());
        match extension {
            Some(EXTENSION) => {
                let first =
                    path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse().ok());
                firsts.push(first.ok_or_else(|| {
                    StoreError::damaged(
                        &path,
                        "its name is not that of a segment: move it out of this folder",
                    )
                })?);
            }
            Some("new") => fs::remove_file(&path).map_err(StoreError::io("remove", &path))?,
            Some(_) | None => {}
        }
    }
    firsts.sort_unstable();
    Ok(firsts)
}

/// Reads the header of the segment that begins with this sequence.
pub(super) fn read_header(folder: &Path, first: u64) -> Result<SegmentHeader, StoreError> {
    let path = path(folder, first);
    let mut bytes = [0; HEADER_BYTES];
    let read = File::open(&path).and_then(|mut file| file.read_exact(&mut bytes));
    match read {
        Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => {
            Err(StoreError::io("read", path)(error))
        }
        Ok(()) | Err(_) => match SegmentHeader::decode(&bytes) {
            Some(header) if header.first == first => Ok(header),
            Some(_) | None => Err(StoreError::damaged(path, "its header is not whole: restore a backup")),
        },
    }
}

/// Makes the segment, durable under its name, and returns it open for writing at the end.
pub(super) fn create(folder: &Path, header: &SegmentHeader) -> Result<File, AppendError> {
    let path = path(folder, header.first);
    let temporary = path.with_extension("new");
    let written = || -> io::Result<File> {
        fail_point!("journal-segment-write", |_| Err(io::Error::from(io::ErrorKind::StorageFull)));
        let mut file = files::create_private(&temporary)?;
        file.write_all(&header.encode())?;
        Ok(file)
    };
    let file = written().map_err(|error| {
        // Nothing refers to it, and the next start removes it if this doesn't.
        let _ = fs::remove_file(&temporary);
        AppendError::from_write(error)
    })?;
    let kept = || -> io::Result<()> {
        fail_point!("journal-segment-sync", |_| Err(io::Error::other("fail point")));
        file.sync_all()?;
        fail_point!("journal-segment-rename", |_| Err(io::Error::other("fail point")));
        fs::rename(&temporary, &path)?;
        fail_point!("journal-folder-sync", |_| Err(io::Error::other("fail point")));
        File::open(folder)?.sync_all()
    };
    kept().map_err(AppendError::Failed)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_reads_back_and_every_flipped_bit_is_noticed() {
        let header =
            SegmentHeader { salt: [1; 16], store: [2; 16], first: 9, previous_first: 3, chain: [4; 32] };
        let bytes = header.encode();
        assert_eq!(SegmentHeader::decode(&bytes), Some(header));
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(SegmentHeader::decode(&flipped), None, "bit {bit}");
        }
    }
}
