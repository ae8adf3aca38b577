//! A column of whole numbers: counts, sizes, times in milliseconds, amounts.
//!
//! Knows nothing of units. A comparison is one pass over a plain array, about a millisecond for a million rows.

use muster_common::filter::Operator;
use roaring::RoaringBitmap;

use super::postings::Bits;

/// A column of numbers.
#[derive(Debug, Default)]
pub(super) struct NumberColumn {
    values: Vec<i64>,
    present: RoaringBitmap,
}

/// What a column is compared with: all from `low` to `high`, since a date means its whole day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Interval {
    /// The least.
    pub(super) low: i64,
    /// The greatest.
    pub(super) high: i64,
}

impl NumberColumn {
    /// Gives a row this number, or none.
    pub(super) fn set(&mut self, row: u32, value: Option<i64>) {
        let Some(value) = value else {
            self.present.remove(row);
            return;
        };
        if row as usize >= self.values.len() {
            self.values.resize(row as usize + 1, 0);
        }
        self.values[row as usize] = value;
        self.present.insert(row);
    }

    /// A row's number.
    pub(super) fn get(&self, row: u32) -> Option<i64> {
        self.values.get(row as usize).copied().filter(|_| self.present.contains(row))
    }

    /// The rows that have a number.
    pub(super) fn present(&self) -> &RoaringBitmap {
        &self.present
    }

    /// The rows that compare so with all numbers of the interval, or for `=` with any.
    pub(super) fn compare(&self, operator: Operator, Interval { low, high }: Interval) -> RoaringBitmap {
        match operator {
            Operator::Equal | Operator::Has => self.range(low, high),
            Operator::NotEqual => &self.present - self.range(low, high),
            Operator::Less => {
                low.checked_sub(1).map_or_else(RoaringBitmap::new, |end| self.range(i64::MIN, end))
            }
            Operator::LessOrEqual => self.range(i64::MIN, high),
            Operator::Greater => {
                high.checked_add(1).map_or_else(RoaringBitmap::new, |start| self.range(start, i64::MAX))
            }
            Operator::GreaterOrEqual => self.range(low, i64::MAX),
        }
    }

    fn range(&self, low: i64, high: i64) -> RoaringBitmap {
        let bytes = self.values.chunks(8).map(|values| {
            values
                .iter()
                .enumerate()
                .fold(0u8, |byte, (bit, value)| byte | (u8::from(low <= *value && *value <= high) << bit))
        });
        Bits::from_bytes(bytes.collect()).into_bitmap() & &self.present
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compares_with_intervals() {
        let mut column = NumberColumn::default();
        for row in 0..20 {
            column.set(row * 1000, Some(i64::from(row)));
        }
        column.set(4000, None);
        let check = |operator, low, high, expected: &[u32]| {
            let rows: Vec<u32> = column.compare(operator, Interval { low, high }).iter().collect();
            assert_eq!(rows, expected.iter().map(|row| row * 1000).collect::<Vec<_>>(), "{operator:?}");
        };
        check(Operator::Equal, 3, 5, &[3, 5]);
        check(Operator::Less, 2, 9, &[0, 1]);
        check(Operator::LessOrEqual, 0, 5, &[0, 1, 2, 3, 5]);
        check(Operator::Greater, 0, 17, &[18, 19]);
        check(Operator::GreaterOrEqual, 18, 19, &[18, 19]);
        check(Operator::NotEqual, 2, 18, &[0, 1, 19]);
        check(Operator::Less, i64::MIN, 0, &[]);
        check(Operator::Greater, 0, i64::MAX, &[]);
        assert_eq!((column.get(4000), column.get(5000), column.get(5001)), (None, Some(5), None));
    }
}
