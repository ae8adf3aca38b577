//! What the view says of itself: how far it has applied the journal, and what must be in it then.
//!
//! Written in the same batch as the records, so it always speaks of exactly what lies beside it. A damaged database
//! can open with records silently missing or old ones back; counting and digesting what is there against this tells.

use std::collections::BTreeMap;

use crate::store::sled::record::Head;

const FORMAT: u8 = 1;

/// The view's own state.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Summary {
    /// The journal that it was made from.
    pub(super) store: [u8; 16],
    /// The last entry of the journal that is in it.
    pub(super) applied: u64,
    /// The records whose key begins with a byte.
    ranges: BTreeMap<u8, Tally>,
    /// The catalogue items; their numbers are 1 to `count`.
    pub(super) catalogue: Tally,
}

/// How many there are and the sum of their digests, which doesn't depend on the order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// How many.
    pub(super) count: u64,
    digest: u128,
}

impl Tally {
    fn add(&mut self, digest: u128) {
        self.count += 1;
        self.digest = self.digest.wrapping_add(digest);
    }

    fn remove(&mut self, digest: u128) {
        self.count = self.count.saturating_sub(1);
        self.digest = self.digest.wrapping_sub(digest);
    }
}

impl Summary {
    /// An empty view of a journal.
    pub(super) fn new(store: [u8; 16]) -> Self {
        Self { store, ..Self::default() }
    }

    /// Counts a record in.
    pub(super) fn add(&mut self, key: &[u8], head: &Head) {
        self.ranges.entry(range(key)).or_default().add(record_digest(key, head));
    }

    /// Counts a record out.
    pub(super) fn remove(&mut self, key: &[u8], head: &Head) {
        let tally = self.ranges.entry(range(key)).or_default();
        tally.remove(record_digest(key, head));
        if *tally == Tally::default() {
            self.ranges.remove(&range(key));
        }
    }

    /// Counts a catalogue item in.
    pub(super) fn add_catalogue(&mut self, id: u32, item: &[u8]) {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&id.to_be_bytes()).update(item);
        self.catalogue.add(half(&hasher));
    }

    /// What differs from what was found, in words.
    pub(super) fn difference(&self, found: &Self) -> Option<String> {
        for key in self.ranges.keys().chain(found.ranges.keys()) {
            let (kept, found) = (self.range(*key), found.range(*key));
            if kept != found {
                return Some(format!(
                    "{} records whose key begins with '{}' where {} were written{}",
                    found.count,
                    key.escape_ascii(),
                    kept.count,
                    if found.count == kept.count { ", and not the same ones" } else { "" }
                ));
            }
        }
        (self.catalogue != found.catalogue).then(|| "other catalogue items than were written".to_owned())
    }

    fn range(&self, key: u8) -> Tally {
        self.ranges.get(&key).copied().unwrap_or_default()
    }

    /// The bytes that are kept.
    pub(super) fn encode(&self) -> Vec<u8> {
        let Self { store, applied, ranges, catalogue } = self;
        let mut bytes = vec![FORMAT];
        bytes.extend_from_slice(store);
        bytes.extend_from_slice(&applied.to_be_bytes());
        let mut push = |tally: &Tally| {
            bytes.extend_from_slice(&tally.count.to_be_bytes());
            bytes.extend_from_slice(&tally.digest.to_be_bytes());
        };
        push(catalogue);
        for (key, tally) in ranges {
            bytes.push(*key);
            bytes.extend_from_slice(&tally.count.to_be_bytes());
            bytes.extend_from_slice(&tally.digest.to_be_bytes());
        }
        let checksum = crc32c::crc32c(&bytes);
        bytes.extend_from_slice(&checksum.to_be_bytes());
        bytes
    }

    /// Reads what [`Self::encode`] wrote.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        fn tally(bytes: &[u8]) -> Option<Tally> {
            let (count, digest) = bytes.split_first_chunk()?;
            let digest = u128::from_be_bytes(digest.try_into().ok()?);
            Some(Tally { count: u64::from_be_bytes(*count), digest })
        }
        let (bytes, checksum) = bytes.split_last_chunk()?;
        if crc32c::crc32c(bytes).to_be_bytes() != *checksum {
            return None;
        }
        let (fixed, ranges) = bytes.split_first_chunk::<49>()?;
        if fixed[0] != FORMAT || ranges.len() % 25 != 0 {
            return None;
        }
        Some(Self {
            store: fixed[1..17].try_into().ok()?,
            applied: u64::from_be_bytes(fixed[17..25].try_into().ok()?),
            catalogue: tally(&fixed[25..])?,
            ranges: ranges
                .chunks_exact(25)
                .map(|range| Some((range[0], tally(&range[1..])?)))
                .collect::<Option<_>>()?,
        })
    }
}

fn range(key: &[u8]) -> u8 {
    key.first().copied().unwrap_or(0)
}

fn record_digest(key: &[u8], head: &Head) -> u128 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&head.revision.to_be_bytes());
    hasher.update(&(head.length as u64).to_be_bytes());
    hasher.update(&head.checksum.to_be_bytes());
    hasher.update(key);
    half(&hasher)
}

fn half(hasher: &blake3::Hasher) -> u128 {
    let digest = hasher.finalize();
    let (half, _) = digest.as_bytes().split_first_chunk::<16>().expect("a digest has 32 bytes");
    u128::from_be_bytes(*half)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_writes_does_not_matter_and_every_difference_does() {
        let (a, b) = (Head::of(b"a", 1, b"x"), Head::of(b"b", 1, b"y"));
        let mut one = Summary { applied: 9, ..Summary::default() };
        one.add(b"a", &a);
        one.add(b"b", &b);
        one.add_catalogue(1, b"item");
        let mut other = Summary { applied: 9, ..Summary::default() };
        other.add(b"b", &b);
        other.add(b"c", &b);
        other.add_catalogue(1, b"item");
        other.add(b"a", &a);
        assert!(one.difference(&other).is_some());
        other.remove(b"c", &b);
        assert_eq!(one, other);
        other.remove(b"a", &a);
        other.add(b"a", &Head::of(b"a", 2, b"x"));
        assert!(one.difference(&other).unwrap().contains("not the same ones"));
    }

    #[test]
    fn bytes_read_back_and_every_flipped_bit_is_noticed() {
        let mut summary = Summary { store: [3; 16], applied: 9, ..Summary::default() };
        summary.add(b"a", &Head::of(b"a", 1, b"x"));
        summary.add_catalogue(1, b"item");
        let bytes = summary.encode();
        assert_eq!(Summary::decode(&bytes), Some(summary));
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Summary::decode(&flipped), None, "bit {bit}");
        }
    }
}
