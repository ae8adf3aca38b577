//! A table of SQLite: a tree of pages with the rows in its leaves, and the columns of a row.
//!
//! Knows nothing of which table it is. A page that cannot be used is one problem, and the others are read.

use crate::sources::software::rpm::{
    chain::Chained,
    record::{
        Fault, Found, Next, Record as _, Visited,
        number::{u16_be, u32_be},
    },
    sqlite::{Database, HEADER, length},
};

const LEAF: u8 = 13;
const INNER: u8 = 5;
/// Deeper than any tree of 2^32 pages.
const DEPTH_LIMIT: u32 = 20;
/// The longest form of a number with its own length.
const NUMBER: usize = 9;
/// More columns than any table that is read here.
const ROW_HEADER_LIMIT: usize = 64;

/// The rows of a table.
pub(super) struct Rows;

impl Rows {
    /// Visits all rows of the table whose first page is `root`, in their order.
    pub(super) fn walk(
        database: &Database<'_>,
        root: u32,
        found: &mut Found<'_>,
        visit: &mut dyn FnMut(&mut Row<'_>, &mut Found<'_>) -> Next,
    ) -> Result<(), Fault> {
        // Pages are numbered from 1.
        let mut visited = Visited::new(database.page_count() + 1);
        let mut page = vec![0; database.page_bytes];
        let mut waiting = vec![(root, 0)];
        while let Some((number, depth)) = waiting.pop() {
            let loaded = visited.enter(number).and_then(|()| Page::load(database, number, &mut page));
            let loaded = match loaded {
                Ok(loaded) => loaded,
                Err(fault) => {
                    found.fault(fault, || format!("page {number}"));
                    continue;
                }
            };
            if !loaded.is_leaf && depth == DEPTH_LIMIT {
                found.fault(Fault::Malformed("its tree of pages is too deep"), || format!("page {number}"));
                continue;
            }
            if !loaded.is_leaf {
                waiting.push((loaded.last_child, depth + 1));
            }
            for index in 0..loaded.cells {
                // The stack gives back last what was put there first.
                let index = if loaded.is_leaf { index } else { loaded.cells - 1 - index };
                let next = match loaded.cell(index) {
                    Ok(cell) if loaded.is_leaf => match Row::of(database, cell) {
                        Ok(mut row) => visit(&mut row, found),
                        Err(fault) => {
                            found.fault(fault, || format!("cell {index} of page {number}"));
                            Next::GoOn
                        }
                    },
                    Ok(cell) => {
                        waiting.push((u32_be(cell, 0), depth + 1));
                        Next::GoOn
                    }
                    Err(fault) => {
                        found.fault(fault, || format!("cell {index} of page {number}"));
                        Next::GoOn
                    }
                };
                if next == Next::Stop {
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

/// One page of the tree.
struct Page<'p> {
    bytes: &'p [u8],
    is_leaf: bool,
    cells: usize,
    /// The child behind all others, of an inner page.
    last_child: u32,
    /// Where the places of the cells stand.
    places: usize,
}

impl<'p> Page<'p> {
    fn load(database: &Database<'_>, number: u32, page: &'p mut [u8]) -> Result<Self, Fault> {
        database.read_at(number, 0, page)?;
        let bytes = page.get(..database.usable).ok_or(Fault::Malformed("a page is too short"))?;
        let start = if number == 1 { HEADER } else { 0 };
        let is_leaf = match bytes.get(start) {
            Some(&LEAF) => true,
            Some(&INNER) => false,
            Some(_) | None => return Err(Fault::Malformed("a page of a table is of another type")),
        };
        let cells = usize::from(u16_be(bytes, start + 3));
        let last_child = u32_be(bytes, start + 8);
        let places = start + if is_leaf { 8 } else { 12 };
        if places + 2 * cells > bytes.len() {
            return Err(Fault::Malformed("a page has more cells than fit there"));
        }
        Ok(Self { bytes, is_leaf, cells, last_child, places })
    }

    /// A cell and what follows it on the page.
    fn cell(&self, index: usize) -> Result<&'p [u8], Fault> {
        let start = usize::from(u16_be(self.bytes, self.places + 2 * index));
        if start < self.places + 2 * self.cells {
            return Err(Fault::Malformed("a cell lies over its page's own header"));
        }
        self.bytes
            .get(start..)
            .filter(|cell| cell.len() >= 4)
            .ok_or(Fault::Malformed("a cell lies outside of its page"))
    }
}

/// A row of a table.
pub(crate) struct Row<'a> {
    /// Its number.
    pub(crate) number: i64,
    payload: Chained<'a>,
    /// The start of the row, with the types of its columns.
    header: [u8; ROW_HEADER_LIMIT],
    /// As many of them as the row has.
    header_bytes: usize,
}

impl<'a> Row<'a> {
    fn of(database: &'a Database<'_>, cell: &'a [u8]) -> Result<Self, Fault> {
        let cut = Fault::Malformed("a row is cut off");
        let Some((bytes, rest)) = number(cell) else { return Err(cut) };
        let Some((row, rest)) = number(rest) else { return Err(cut) };
        let total = u64::try_from(bytes).map_err(|_| Fault::Malformed("a row has a negative length"))?;
        let local = local_bytes(total, database.usable);
        let Some((local, after)) = rest.split_at_checked(local) else { return Err(cut) };
        let first = if length(local.len()) < total {
            after.first_chunk().map(|page| u32::from_be_bytes(*page)).ok_or(cut)?
        } else {
            0
        };
        let mut payload = Chained::new(local, first, total, database);
        let mut header = [0; ROW_HEADER_LIMIT];
        let header_bytes = usize::try_from(total).unwrap_or(usize::MAX).min(ROW_HEADER_LIMIT);
        payload.read_at(0, &mut header[..header_bytes])?;
        Ok(Self { number: row, payload, header, header_bytes })
    }

    /// Whether a column is this text.
    pub(super) fn equals(&mut self, column: usize, text: &[u8]) -> Result<bool, Fault> {
        const LONGEST: usize = 16;
        let Column { kind, start } = self.column(column)?;
        let mut buffer = [0; LONGEST];
        match buffer.get_mut(..text.len()) {
            Some(buffer) if kind == 13 + 2 * length(text.len()) => {
                self.payload.read_at(start, buffer)?;
                Ok(buffer == text)
            }
            Some(_) | None => Ok(false),
        }
    }

    /// A column that is an integer.
    pub(crate) fn integer(&mut self, column: usize) -> Result<i64, Fault> {
        let Column { kind, start } = self.column(column)?;
        let bytes = match kind {
            1..=6 => column_bytes(kind),
            8 | 9 => return Ok(i64::from(kind == 9)),
            _ => return Err(Fault::Malformed("a column is no number")),
        };
        let mut buffer = [0; 8];
        let used = usize::try_from(bytes).unwrap_or(buffer.len()).min(buffer.len());
        self.payload.read_at(start, &mut buffer[..used])?;
        // The bytes stand at the front, with the sign in the first of them.
        Ok(i64::from_be_bytes(buffer) >> (8 * (buffer.len() - used)))
    }

    /// The first bytes of a column that is text, at most `limit`; none for a column that is NULL.
    pub(crate) fn text(&mut self, column: usize, limit: usize) -> Result<Vec<u8>, Fault> {
        let Column { kind, start } = self.column(column)?;
        if kind != 0 && (kind < 13 || kind % 2 == 0) {
            return Err(Fault::Malformed("a column is no text"));
        }
        let mut bytes = vec![0; usize::try_from(column_bytes(kind)).unwrap_or(limit).min(limit)];
        self.payload.read_at(start, &mut bytes)?;
        Ok(bytes)
    }

    /// A column that is a blob. The row is of no use for other columns afterwards.
    pub(super) fn blob(&mut self, column: usize) -> Result<&mut Chained<'a>, Fault> {
        let Column { kind, start } = self.column(column)?;
        if kind < 12 || kind % 2 != 0 {
            return Err(Fault::Malformed("a package is no blob"));
        }
        let bytes = column_bytes(kind);
        if start.checked_add(bytes).is_none_or(|end| end > self.payload.length()) {
            return Err(Fault::Malformed("a package is longer than its row"));
        }
        self.payload.narrow(start, bytes);
        Ok(&mut self.payload)
    }

    fn column(&self, wanted: usize) -> Result<Column, Fault> {
        let cut = || Fault::Malformed("a row has too few columns");
        let header = self.header.get(..self.header_bytes).ok_or_else(cut)?;
        let (header_bytes, rest) = number(header).ok_or_else(cut)?;
        let end = usize::try_from(header_bytes).map_err(|_| cut())?;
        // What lies behind the row's header is no type of a column.
        let mut types = header.get(header.len() - rest.len()..end).ok_or_else(cut)?;
        let mut start = length(end);
        for column in 0.. {
            let (kind, rest) = number(types).ok_or_else(cut)?;
            let kind = u64::try_from(kind).map_err(|_| cut())?;
            if column == wanted {
                return Ok(Column { kind, start });
            }
            start = start.checked_add(column_bytes(kind)).ok_or_else(cut)?;
            types = rest;
        }
        Err(cut())
    }
}

/// A column of a row: its type as SQLite numbers them, and where it starts.
struct Column {
    kind: u64,
    start: u64,
}

/// How many bytes a column of this type has.
fn column_bytes(kind: u64) -> u64 {
    match kind {
        1..=4 => kind,
        5 => 6,
        6 | 7 => 8,
        0 | 8..=11 => 0,
        blob_or_text => (blob_or_text - 12) / 2,
    }
}

/// How many bytes of a row lie on its leaf; the rest is in overflow pages.
fn local_bytes(total: u64, usable: usize) -> usize {
    let most = usable - 35;
    let least = (usable - 12) * 32 / 255 - 23;
    let fitting = usize::try_from(total).ok().filter(|total| *total <= most);
    fitting.unwrap_or_else(|| {
        let beyond = total.saturating_sub(length(least)) % length(usable - 4);
        let preferred = least + usize::try_from(beyond).unwrap_or(usable);
        if preferred <= most { preferred } else { least }
    })
}

/// SQLite's numbers of one to nine bytes, and what follows.
fn number(bytes: &[u8]) -> Option<(i64, &[u8])> {
    let mut value = 0;
    for (index, byte) in bytes.iter().enumerate().take(NUMBER) {
        if index == NUMBER - 1 {
            return Some(((value << 8) | i64::from(*byte), &bytes[NUMBER..]));
        }
        value = (value << 7) | i64::from(*byte & 0x7f);
        if *byte < 0x80 {
            return Some((value, &bytes[index + 1..]));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_one_to_nine_bytes() {
        for (bytes, expected) in [
            (&[0x05, 7][..], Some((5, 1))),
            (&[0x81, 0x00], Some((128, 0))),
            (&[0xff, 0x7f, 1, 2], Some((16_383, 2))),
            (&[0xff; 9], Some((-1, 0))),
            (&[0xff; 8], None),
            (&[], None),
        ] {
            assert_eq!(number(bytes).map(|(value, rest)| (value, rest.len())), expected, "{bytes:?}");
        }
    }

    #[test]
    fn rows_spill_as_the_format_says() {
        // With pages of 4,096 bytes all of 4,061 fits; of more, what full overflow pages of
        // 4,092 leave over where that is 489 to 4,061, else 489.
        for (total, expected) in [
            (0, 0),
            (4061, 4061),
            (4062, 489),
            (5000, 5000 - 4092),
            (8153, 4061),
            (8154, 489),
            (8672, 489),
            (60_000, 60_000 - 14 * 4092),
        ] {
            assert_eq!(local_bytes(total, 4096), expected, "{total}");
        }
    }
}
