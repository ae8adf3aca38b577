//! How records lie in the view: cut into small pieces, each value with a checksum of its own.
//!
//! Knows nothing of sled. Values over a few KiB make sled write files beside its own that it never syncs, so no piece
//! is larger than [`PIECE_BYTES`]. Numbers are big-endian, so that pieces stand in order.
//!
//! ```text
//! "r" key            1:u8 revision:u64 length:u32 crc32c:u32, then the value's first bytes
//! "x" key piece:u16  the bytes that follow, pieces from 1
//! "c" id:u32         crc32c:u32 digest:16 value
//! "m"                the view's own state, see `summary`
//! ```
//! A piece's number has a fixed length, so no two pairs of key and number make the same bytes.

use crate::store::{Key, bounds::MAX_VALUE_BYTES};

/// The most bytes in one of sled's values.
pub(super) const PIECE_BYTES: usize = 4096;
/// The bytes before the value in its first piece.
const HEAD_BYTES: usize = 17;
/// How much of a value stands in its first piece.
const FIRST_PIECE_BYTES: usize = PIECE_BYTES - HEAD_BYTES;
const FORMAT: u8 = 1;

/// What stands before keys of records.
pub(super) const RECORDS: u8 = b'r';
/// What stands before keys of further pieces.
pub(super) const PIECES: u8 = b'x';
/// What stands before catalogue numbers.
pub(super) const CATALOGUE: u8 = b'c';
/// Where the view's own state lies.
pub(super) const STATE: &[u8] = b"m";

/// What is known of a record before its value is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    /// Never 0.
    pub(super) revision: u64,
    /// The value's length in bytes.
    pub(super) length: usize,
    /// Over key, revision, length and value.
    pub(super) checksum: u32,
}

impl Head {
    /// The head of a record with this value.
    pub(super) fn of(key: &[u8], revision: u64, value: &[u8]) -> Self {
        let checksum = crc32c::crc32c(key);
        let checksum = crc32c::crc32c_append(checksum, &revision.to_be_bytes());
        let checksum = crc32c::crc32c_append(checksum, &(value.len() as u64).to_be_bytes());
        Self { revision, length: value.len(), checksum: crc32c::crc32c_append(checksum, value) }
    }

    /// The head, and the part of the value that stands in the first piece.
    pub(super) fn read(piece: &[u8]) -> Option<(Self, &[u8])> {
        let (head, first) = piece.split_first_chunk::<HEAD_BYTES>()?;
        let length = u32::from_be_bytes(head[9..13].try_into().ok()?) as usize;
        let whole =
            head[0] == FORMAT && length <= MAX_VALUE_BYTES && first.len() == length.min(FIRST_PIECE_BYTES);
        whole.then_some((
            Self {
                revision: u64::from_be_bytes(head[1..9].try_into().ok()?),
                length,
                checksum: u32::from_be_bytes(head[13..].try_into().ok()?),
            },
            first,
        ))
    }

    /// How many pieces follow the first.
    pub(super) fn further_pieces(&self) -> u16 {
        let further = self.length.saturating_sub(FIRST_PIECE_BYTES).div_ceil(PIECE_BYTES);
        u16::try_from(further).expect("a value of at most 8 MiB has about 2,000 pieces")
    }

    /// How many bytes stand in a further piece.
    pub(super) fn piece_length(&self, piece: u16) -> usize {
        let before = FIRST_PIECE_BYTES + (usize::from(piece) - 1) * PIECE_BYTES;
        self.length.saturating_sub(before).min(PIECE_BYTES)
    }

    /// The first piece of the record.
    pub(super) fn first_piece(&self, value: &[u8]) -> Vec<u8> {
        let first = &value[..value.len().min(FIRST_PIECE_BYTES)];
        let mut piece = Vec::with_capacity(HEAD_BYTES + first.len());
        piece.push(FORMAT);
        piece.extend_from_slice(&self.revision.to_be_bytes());
        piece.extend_from_slice(
            &u32::try_from(self.length).expect("bounded by MAX_VALUE_BYTES").to_be_bytes(),
        );
        piece.extend_from_slice(&self.checksum.to_be_bytes());
        piece.extend_from_slice(first);
        piece
    }
}

/// The pieces after the first, with their numbers.
pub(super) fn further_pieces(value: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    (1..).zip(value.get(FIRST_PIECE_BYTES..).unwrap_or_default().chunks(PIECE_BYTES))
}

/// Where a record's first piece lies.
pub(super) fn record_key(key: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(key.len() + 1);
    bytes.push(RECORDS);
    bytes.extend_from_slice(key);
    bytes
}

/// Where a further piece lies.
pub(super) fn piece_key(key: &[u8], piece: u16) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(key.len() + 3);
    bytes.push(PIECES);
    bytes.extend_from_slice(key);
    bytes.extend_from_slice(&piece.to_be_bytes());
    bytes
}

/// The key of a record from where its first piece lies.
pub(super) fn key_of(record_key: &[u8]) -> Option<Key> {
    Key::new(record_key.strip_prefix(&[RECORDS])?).ok()
}

/// Where a catalogue item lies.
pub(super) fn catalogue_key(id: u32) -> [u8; 5] {
    let [a, b, c, d] = id.to_be_bytes();
    [CATALOGUE, a, b, c, d]
}

/// A catalogue item as it is kept.
pub(super) fn write_catalogue(id: u32, digest: &[u8], value: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; 4];
    bytes.extend_from_slice(digest);
    bytes.extend_from_slice(value);
    let checksum = crc32c::crc32c_append(crc32c::crc32c(&id.to_be_bytes()), &bytes[4..]);
    bytes[..4].copy_from_slice(&checksum.to_be_bytes());
    bytes
}

/// The digest and value of a catalogue item, if they are those that were kept.
pub(super) fn read_catalogue(id: u32, bytes: &[u8]) -> Option<([u8; 16], &[u8])> {
    let (checksum, rest) = bytes.split_first_chunk::<4>()?;
    let (digest, value) = rest.split_first_chunk::<16>()?;
    let found = crc32c::crc32c_append(crc32c::crc32c(&id.to_be_bytes()), rest);
    (found.to_be_bytes() == *checksum).then_some((*digest, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_every_length_are_cut_and_put_together() {
        for length in
            [0, 1, FIRST_PIECE_BYTES - 1, FIRST_PIECE_BYTES, FIRST_PIECE_BYTES + 1, 9000, MAX_VALUE_BYTES]
        {
            let value: Vec<u8> = (0..length).map(|i| (i % 251) as u8).collect();
            let head = Head::of(b"key", 7, &value);
            let first = head.first_piece(&value);
            let (read, start) = Head::read(&first).unwrap();
            assert_eq!(read, head);
            let mut whole = start.to_vec();
            let mut count = 0;
            for (number, piece) in further_pieces(&value) {
                count += 1;
                assert_eq!((number, head.piece_length(number)), (count, piece.len()));
                whole.extend_from_slice(piece);
            }
            assert_eq!(count, head.further_pieces());
            assert!(whole == value, "{length} bytes");
        }
    }

    #[test]
    fn a_flipped_bit_in_a_catalogue_item_is_noticed() {
        let bytes = write_catalogue(5, &[1; 16], b"item");
        assert_eq!(read_catalogue(5, &bytes), Some(([1; 16], b"item".as_slice())));
        assert_eq!(read_catalogue(6, &bytes), None);
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(read_catalogue(5, &flipped), None, "bit {bit}");
        }
    }
}
