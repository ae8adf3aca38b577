//! A record that goes on from page to page, each naming the next: SQLite's and Berkeley DB's overflow pages alike.
//!
//! Knows nothing of how a page says so; that is [`Pages`]. The pages on the way are remembered, so that each is asked
//! for its successor once. A chain that runs in a circle ends with the record's length.

use crate::sources::software::rpm::record::{Fault, Record};

/// How a format lays out the pages of a chain.
pub(crate) trait Pages {
    /// Bytes of content in every page but the last.
    fn capacity(&self) -> u64;

    /// The page after `page`, which is not the last one.
    fn next(&self, page: u32) -> Result<u32, Fault>;

    /// Fills the buffer from place `at` of a page's content; what is asked for lies within the page.
    fn content(&self, page: u32, at: u64, buffer: &mut [u8]) -> Result<(), Fault>;
}

/// A record whose start lies at hand and whose rest, if there is one, in a chain.
pub(crate) struct Chained<'a> {
    local: &'a [u8],
    pages: &'a dyn Pages,
    /// The pages so far.
    chain: Vec<u32>,
    /// Where the record starts, counted from the start of `local`.
    skip: u64,
    length: u64,
}

impl<'a> Chained<'a> {
    /// `length` bytes: first `local`, then the chain that starts at page `first`.
    pub(crate) fn new(local: &'a [u8], first: u32, length: u64, pages: &'a dyn Pages) -> Self {
        Self { local, pages, chain: vec![first], skip: 0, length }
    }

    /// Makes the record the `length` bytes from `start` on; whoever calls has seen that there are so many.
    pub(crate) fn narrow(&mut self, start: u64, length: u64) {
        self.skip += start;
        self.length = length;
    }

    /// The page with this number in the chain.
    fn page(&mut self, index: u64) -> Result<u32, Fault> {
        let index = usize::try_from(index).map_err(|_| Fault::TooLarge("a record has too many pages"))?;
        loop {
            match (self.chain.get(index), self.chain.last()) {
                (Some(page), _) => return Ok(*page),
                (None, Some(last)) => self.chain.push(self.pages.next(*last)?),
                (None, None) => return Err(Fault::Malformed("a record has no page")),
            }
        }
    }
}

impl Record for Chained<'_> {
    fn length(&self) -> u64 {
        self.length
    }

    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> Result<(), Fault> {
        let wanted = u64::try_from(buffer.len()).unwrap_or(u64::MAX);
        if offset.checked_add(wanted).is_none_or(|end| end > self.length) {
            return Err(Fault::Malformed("a record ends before its content does"));
        }
        let mut at = offset + self.skip;
        let mut rest = buffer;
        let local = usize::try_from(at).ok().and_then(|at| self.local.get(at..)).unwrap_or_default();
        if !local.is_empty() {
            let count = local.len().min(rest.len());
            let (filled, after) = rest.split_at_mut(count);
            filled.copy_from_slice(&local[..count]);
            at += u64::try_from(count).unwrap_or(u64::MAX);
            rest = after;
        }
        let capacity = self.pages.capacity().max(1);
        while !rest.is_empty() {
            let place = at.saturating_sub(u64::try_from(self.local.len()).unwrap_or(u64::MAX));
            let (index, inside) = (place / capacity, place % capacity);
            let page = self.page(index)?;
            let count = usize::try_from(capacity - inside).unwrap_or(usize::MAX).min(rest.len());
            let (filled, after) = rest.split_at_mut(count);
            self.pages.content(page, inside, filled)?;
            at += u64::try_from(count).unwrap_or(u64::MAX);
            rest = after;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Page n is followed by n + 2 and holds ten bytes of value n.
    struct Counting;

    impl Pages for Counting {
        fn capacity(&self) -> u64 {
            10
        }

        fn next(&self, page: u32) -> Result<u32, Fault> {
            Ok(page + 2)
        }

        fn content(&self, page: u32, at: u64, buffer: &mut [u8]) -> Result<(), Fault> {
            assert!(at + buffer.len() as u64 <= 10);
            buffer.fill(u8::try_from(page).unwrap());
            Ok(())
        }
    }

    #[test]
    fn content_is_joined_across_pages() {
        let mut record = Chained::new(b"abc", 1, 30, &Counting);
        let mut read = |offset, count| {
            let mut buffer = vec![0; count];
            record.read_at(offset, &mut buffer).map(|()| buffer).ok()
        };
        assert_eq!(read(0, 3).unwrap(), b"abc");
        assert_eq!(read(2, 12).unwrap(), b"c\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x03");
        assert_eq!(read(29, 1).unwrap(), [5]);
        assert_eq!(read(12, 2).unwrap(), [1, 3]);
        assert_eq!(read(29, 2), None);
        assert_eq!(read(u64::MAX, 2), None);
        record.narrow(2, 5);
        let mut buffer = [0; 5];
        record.read_at(0, &mut buffer).unwrap();
        assert_eq!(&buffer, b"c\x01\x01\x01\x01");
    }
}
