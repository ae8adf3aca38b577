//! Sets of row numbers: the rows of one term, and the union of many.
//!
//! Knows nothing of terms and of devices. Most terms of a large fleet (serials, host names, addresses) have one
//! row, so that one row is kept without any allocation.

use roaring::{MultiOps, RoaringBitmap};

/// The rows that have one term.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) enum Postings {
    /// None.
    #[default]
    None,
    /// One.
    One(u32),
    /// Two or more.
    Many(Box<RoaringBitmap>),
}

impl Postings {
    /// Adds a row.
    pub(super) fn insert(&mut self, row: u32) {
        match self {
            Self::None => *self = Self::One(row),
            Self::One(only) if *only == row => {}
            Self::One(only) => *self = Self::Many(Box::new(RoaringBitmap::from_iter([*only, row]))),
            Self::Many(rows) => {
                rows.insert(row);
            }
        }
    }

    /// Takes a row out.
    pub(super) fn remove(&mut self, row: u32) {
        match self {
            Self::None => {}
            Self::One(only) => {
                if *only == row {
                    *self = Self::None;
                }
            }
            Self::Many(rows) => {
                rows.remove(row);
                if rows.len() == 1
                    && let Some(only) = rows.min()
                {
                    *self = Self::One(only);
                }
            }
        }
    }

    /// How many rows.
    pub(super) fn len(&self) -> u64 {
        match self {
            Self::None => 0,
            Self::One(_) => 1,
            Self::Many(rows) => rows.len(),
        }
    }

    /// Whether there is no row.
    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Self::None)
    }

    /// How many of its rows are in `rows`.
    pub(super) fn count_in(&self, rows: &RoaringBitmap) -> u64 {
        match self {
            Self::None => 0,
            Self::One(only) => u64::from(rows.contains(*only)),
            Self::Many(own) => own.intersection_len(rows),
        }
    }
}

/// The rows that are in any of these sets.
pub(super) fn union<'a>(sets: impl Iterator<Item = &'a Postings>) -> RoaringBitmap {
    let mut single = Bits::default();
    let mut many: Vec<&RoaringBitmap> = Vec::new();
    for set in sets {
        match set {
            Postings::None => {}
            Postings::One(row) => single.insert(*row),
            Postings::Many(rows) => many.push(rows),
        }
    }
    let mut all = many.union();
    all |= single.into_bitmap();
    all
}

/// A plain bit set, for rows that come in no order: far cheaper to fill than a roaring bitmap.
#[derive(Debug, Default)]
pub(super) struct Bits(Vec<u8>);

impl Bits {
    /// Takes the bits as they are: the lowest bit of the first byte is row 0.
    pub(super) fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// Adds a row.
    pub(super) fn insert(&mut self, row: u32) {
        let byte = row as usize / 8;
        if byte >= self.0.len() {
            self.0.resize((byte + 1).next_multiple_of(1024), 0);
        }
        self.0[byte] |= 1 << (row % 8);
    }

    /// As a roaring bitmap.
    pub(super) fn into_bitmap(self) -> RoaringBitmap {
        RoaringBitmap::from_lsb0_bytes(0, &self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_and_go() {
        let mut rows = Postings::None;
        for row in [5, 5, 70_000, 3] {
            rows.insert(row);
        }
        assert_eq!(rows.len(), 3);
        assert_eq!(rows.count_in(&RoaringBitmap::from_iter([3, 4, 5])), 2);
        rows.remove(4);
        rows.remove(5);
        rows.remove(3);
        assert_eq!(rows, Postings::One(70_000));
        rows.remove(3);
        rows.remove(70_000);
        assert!(rows.is_empty());
    }

    #[test]
    fn a_union_has_every_row_once() {
        let many = |rows: &[u32]| Postings::Many(Box::new(rows.iter().copied().collect()));
        let sets = [Postings::None, Postings::One(9), many(&[1, 2]), Postings::One(1), many(&[2, 900_000])];
        assert_eq!(union(sets.iter()).iter().collect::<Vec<_>>(), [1, 2, 9, 900_000]);
    }
}
