//! The rows of one page: the first few after a place, in an order of up to four keys.
//!
//! Knows nothing of columns and tokens. It walks all rows once and keeps the best, so that a page of a million rows
//! costs one pass however deep it lies, and no sort of the whole.

use std::cmp::Ordering;

use muster_common::page::MAX_ORDER_KEYS;

/// What sorts a row: smaller comes first. Fewer keys are filled up with 0.
pub(super) type Keys = [u64; MAX_ORDER_KEYS];

/// A place in the order: rows that are greater come after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    /// What sorts.
    pub(super) keys: Keys,
    /// What tells rows with the same keys apart.
    pub(super) id: [u8; 16],
}

/// A column's key in the wanted direction; what is missing comes last in both.
pub(super) fn directed(key: Option<u64>, descending: bool) -> u64 {
    const LAST: u64 = u64::MAX - 1;
    match key {
        None => u64::MAX,
        Some(key) if descending => LAST - key.min(LAST),
        Some(key) => key.min(LAST),
    }
}

/// The first `limit` of `rows` after `after`, in order.
pub(super) fn first_after(
    rows: impl Iterator<Item = u32>,
    keys: impl Fn(u32) -> Keys,
    id: impl Fn(u32) -> [u8; 16],
    after: Option<Place>,
    limit: usize,
) -> Vec<u32> {
    let compare = |a: &(Keys, u32), b: &(Keys, u32)| a.0.cmp(&b.0).then_with(|| id(a.1).cmp(&id(b.1)));
    let is_after = |candidate: &(Keys, u32), place: &Place| match candidate.0.cmp(&place.keys) {
        Ordering::Less => false,
        Ordering::Equal => id(candidate.1) > place.id,
        Ordering::Greater => true,
    };
    let room = (4 * limit).max(1024);
    let mut best: Vec<(Keys, u32)> = Vec::with_capacity(room);
    let mut worst: Option<(Keys, u32)> = None;
    for row in rows {
        let candidate = (keys(row), row);
        if worst.is_some_and(|worst| compare(&candidate, &worst) != Ordering::Less)
            || after.is_some_and(|place| !is_after(&candidate, &place))
        {
            continue;
        }
        best.push(candidate);
        if best.len() == room && limit > 0 {
            best.select_nth_unstable_by(limit - 1, compare);
            best.truncate(limit);
            worst = best.last().copied();
        }
    }
    best.sort_unstable_by(compare);
    best.truncate(limit);
    best.into_iter().map(|(_, row)| row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(row: u32) -> Keys {
        [u64::from(row * 7919 % 1000), 0, 0, 0]
    }

    fn id(row: u32) -> [u8; 16] {
        u128::from(row.reverse_bits()).to_be_bytes()
    }

    #[test]
    fn pages_laid_end_to_end_are_the_sorted_list() {
        let mut expected: Vec<u32> = (0..20_000).collect();
        expected.sort_by_key(|row| (keys(*row), id(*row)));
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let page = first_after(0..20_000, keys, id, after, 700);
            let Some(last) = page.last() else { break };
            after = Some(Place { keys: keys(*last), id: id(*last) });
            seen.extend(page);
        }
        assert_eq!(seen, expected);
    }

    #[test]
    fn missing_is_last_in_both_directions() {
        for descending in [false, true] {
            assert!(directed(None, descending) > directed(Some(0), descending));
            assert!(directed(None, descending) > directed(Some(u64::MAX), descending));
        }
        assert!(directed(Some(1), true) > directed(Some(2), true));
    }
}
