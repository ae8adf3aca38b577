//! Sorted lists of catalogue numbers in few bytes: what each device has installed.
//!
//! Knows nothing of packages. Machines of one kind share most of their software and so have long runs of
//! neighbouring numbers. A list is one variable-length number for each run: twice the gap before it, plus 1 where the
//! run's length less one follows.

use std::iter;

/// A sorted list of numbers, each once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Packed(Box<[u8]>);

impl Packed {
    /// Packs sorted numbers, each once.
    pub(super) fn new(numbers: &[u32]) -> Self {
        let mut bytes = Vec::new();
        let mut next = 0;
        for run in numbers.chunk_by(|a, b| a.checked_add(1) == Some(*b)) {
            let (start, more) = (u64::from(run[0]), run.len() as u64 - 1);
            push(&mut bytes, (start - next) << 1 | u64::from(more > 0));
            if more > 0 {
                push(&mut bytes, more);
            }
            next = start + more + 1;
        }
        Self(bytes.into())
    }

    /// The numbers, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = u32> {
        let mut bytes = self.0.iter().copied();
        let mut next = 0;
        let runs = iter::from_fn(move || {
            let head = take(&mut bytes)?;
            let start = next + (head >> 1);
            let more = if head & 1 == 1 { take(&mut bytes)? } else { 0 };
            next = start + more + 1;
            Some(start as u32..=(start + more) as u32)
        });
        runs.flatten()
    }
}

fn push(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn take(bytes: &mut impl Iterator<Item = u8>) -> Option<u64> {
    let (mut number, mut shift) = (0, 0);
    loop {
        let byte = bytes.next()?;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
        shift += 7;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn runs_take_few_bytes() {
        let numbers: Vec<u32> = (1..=1000).chain(2000..2010).collect();
        assert_eq!(Packed::new(&numbers).0.len(), 6);
        let apart: Vec<u32> = (0..100).map(|number| number * 60).collect();
        assert_eq!(Packed::new(&apart).0.len(), 100);
    }

    proptest! {
        #[test]
        fn comes_back_whole(numbers in prop::collection::btree_set(prop_oneof![0..50u32, any::<u32>(), Just(u32::MAX)], 0..60)) {
            let numbers: BTreeSet<u32> = numbers;
            let list: Vec<u32> = numbers.into_iter().collect();
            prop_assert_eq!(Packed::new(&list).iter().collect::<Vec<_>>(), list);
        }
    }
}
