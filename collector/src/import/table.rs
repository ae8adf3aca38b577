//! A file as a table: headings, and rows of cells that are counted as a spreadsheet counts them.
//!
//! All cells lie in one text, so that a file of a million cells is a few allocations. Knows nothing of what headings
//! mean; `json` makes the same table of objects.

use csv::{ReaderBuilder, StringRecord};

use super::{
    ImportError, MAX_COLUMNS, MAX_ORIGINAL_BYTES, MAX_ROWS,
    options::Options,
    text::{Separated, separate},
};

/// How many lines may stand before the heading, such as a report's title.
pub(super) const MAX_PREAMBLE: usize = 10;

/// A table whose rows' originals are parts of the file's text.
#[derive(Debug)]
pub(super) struct Table<'a> {
    /// As they stand in the file.
    pub(super) headings: Vec<String>,
    /// How it was understood.
    pub(super) remarks: Vec<String>,
    rows: Vec<RowAt<'a>>,
    /// The text of all cells, one after the other.
    text: String,
    /// Where each cell ends; a file of 64 MiB makes no longer text.
    ends: Vec<u32>,
}

#[derive(Debug)]
struct RowAt<'a> {
    number: u32,
    first_cell: usize,
    original: &'a str,
}

/// A row of a table.
#[derive(Debug, Clone, Copy)]
pub(super) struct TableRow<'t, 'a> {
    table: &'t Table<'a>,
    /// Its place among the rows.
    index: usize,
    /// As a spreadsheet counts, from 1.
    pub(super) number: u32,
}

impl<'a> Table<'a> {
    /// Without rows.
    pub(super) fn new(headings: Vec<String>) -> Self {
        Self { headings, remarks: Vec::new(), rows: Vec::new(), text: String::new(), ends: Vec::new() }
    }

    /// Splits text into rows; `knows` says of a heading whether it means something.
    pub(super) fn csv(
        text: &'a str,
        options: &Options,
        knows: &dyn Fn(&str) -> bool,
    ) -> Result<Self, ImportError> {
        let Separated { text, delimiter, name, skipped_rows } = separate(text, options, knows)?;
        let mut lines = Lines::new(text, delimiter, skipped_rows);
        let mut first = Vec::new();
        while first.len() < MAX_PREAMBLE
            && let Some((number, original)) = lines.next_row()
        {
            first.push((number, original, lines.cells.clone()));
        }
        if first.is_empty() {
            return Err(ImportError::Empty);
        }
        let known = |cells: &StringRecord| cells.iter().filter(|cell| knows(cell.trim())).count();
        let at = match known(&first[0].2) {
            0 => first.iter().position(|(_, _, cells)| known(cells) >= 2).unwrap_or(0),
            1.. => 0,
        };
        let (number, _, heading) = &first[at];
        if heading.len() > MAX_COLUMNS {
            return Err(ImportError::TooManyColumns { line: usize::try_from(*number).unwrap_or(usize::MAX) });
        }
        let mut table = Self::new(heading.iter().map(str::to_owned).collect());
        table.remarks.push(format!("cells are separated by a {name}"));
        if at > 0 {
            table.remarks.push(format!("the heading is row {number}; what stands above it was left out"));
        }
        for (number, original, cells) in &first[at + 1..] {
            table.push(*number, original, cells.iter())?;
        }
        while let Some((number, original)) = lines.next_row() {
            table.push(number, original, lines.cells.iter())?;
        }
        Ok(table)
    }

    /// Appends a row.
    pub(super) fn push<'c>(
        &mut self,
        number: u32,
        original: &'a str,
        cells: impl Iterator<Item = &'c str>,
    ) -> Result<(), ImportError> {
        if self.rows.len() >= MAX_ROWS {
            return Err(ImportError::TooManyRows);
        }
        self.rows.push(RowAt { number, first_cell: self.ends.len(), original });
        let (first, mut used) = (self.ends.len(), self.ends.len());
        for cell in cells {
            self.text.push_str(cell);
            let end = u32::try_from(self.text.len()).map_err(|_| ImportError::TooManyRows)?;
            self.ends.push(end);
            if !cell.is_empty() {
                used = self.ends.len();
            }
        }
        self.ends.truncate(used.max(first));
        Ok(())
    }

    /// Its rows, in order.
    pub(super) fn rows(&self) -> impl ExactSizeIterator<Item = TableRow<'_, 'a>> {
        self.rows.iter().enumerate().map(|(index, row)| TableRow { table: self, index, number: row.number })
    }

    /// Every cell of a column, with its row's number; an empty text where a row ends before it.
    pub(super) fn column(&self, column: usize) -> impl Iterator<Item = (u32, &str)> {
        self.rows().map(move |row| (row.number, row.cell(column)))
    }
}

impl<'t, 'a> TableRow<'t, 'a> {
    /// How many cells it has, up to the last that isn't empty.
    pub(super) fn len(self) -> usize {
        let (start, end) = self.bounds();
        end - start
    }

    /// A cell, empty when the row ends before it.
    pub(super) fn cell(self, column: usize) -> &'t str {
        let (start, end) = self.bounds();
        let at = start + column;
        if at >= end {
            return "";
        }
        let ends = &self.table.ends;
        let from = if at == 0 { 0 } else { ends[at - 1] };
        &self.table.text[from as usize..ends[at] as usize]
    }

    /// As it stands in the file, at most [`MAX_ORIGINAL_BYTES`].
    pub(super) fn original(self) -> &'a str {
        self.table.rows[self.index].original
    }

    fn bounds(self) -> (usize, usize) {
        let rows = &self.table.rows;
        let end = rows.get(self.index + 1).map_or(self.table.ends.len(), |next| next.first_cell);
        (rows[self.index].first_cell, end)
    }
}

/// Splits text into rows and counts them as a spreadsheet does: empty rows count, line ends inside quotes don't.
struct Lines<'a> {
    text: &'a str,
    reader: csv::Reader<&'a [u8]>,
    cells: StringRecord,
    number: u32,
    after_return: bool,
}

impl<'a> Lines<'a> {
    fn new(text: &'a str, delimiter: u8, skipped_rows: u32) -> Self {
        let reader = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(delimiter)
            .from_reader(text.as_bytes());
        Self { text, reader, cells: StringRecord::new(), number: skipped_rows, after_return: false }
    }

    /// Reads the next row that has a cell with something in it; its cells stand in `cells`.
    fn next_row(&mut self) -> Option<(u32, &'a str)> {
        loop {
            let start = self.reader.position().byte();
            // The text is UTF-8 and rows may differ in length, so nothing is left that could be an error.
            if !self.reader.read_record(&mut self.cells).unwrap_or(false) {
                return None;
            }
            let end = self.reader.position().byte();
            let at = |byte: u64| usize::try_from(byte).unwrap_or(usize::MAX).min(self.text.len());
            let raw = self.text.get(at(start)..at(end)).unwrap_or_default();
            self.number = self.number.saturating_add(self.leading_empty_rows(raw)).saturating_add(1);
            self.after_return = raw.ends_with('\r');
            if self.cells.iter().all(|cell| cell.trim().is_empty()) {
                continue;
            }
            return Some((self.number, cut(raw.trim_matches(['\r', '\n']))));
        }
    }

    /// How many empty rows the reader passed over before this one.
    fn leading_empty_rows(&self, raw: &str) -> u32 {
        let mut previous_was_return = self.after_return;
        let mut count = 0u32;
        for byte in raw.bytes() {
            match byte {
                // The second half of a line end.
                b'\n' if previous_was_return => previous_was_return = false,
                b'\n' => count = count.saturating_add(1),
                b'\r' => {
                    count = count.saturating_add(1);
                    previous_was_return = true;
                }
                _ => break,
            }
        }
        count
    }
}

/// At most as much as is kept for correction.
pub(super) fn cut(text: &str) -> &str {
    let mut end = text.len().min(MAX_ORIGINAL_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> Table<'_> {
        Table::csv(text, &Options::default(), &|heading| ["serial", "location"].contains(&heading)).unwrap()
    }

    #[test]
    fn rows_are_counted_as_a_spreadsheet_counts_them() {
        for end in ["\n", "\r\n"] {
            let text =
                ["sep=,", "serial,location", "", "A1,\"two\nlines\"", ",", "A2,x", "", "", "A3,"].join(end);
            let table = table(&text);
            let rows: Vec<(u32, &str)> = table.rows().map(|row| (row.number, row.cell(0))).collect();
            assert_eq!(rows, [(4, "A1"), (6, "A2"), (9, "A3")], "{end:?}");
        }
        let table = table("serial\n\"A1\"\nA2,x,y");
        let rows: Vec<_> =
            table.rows().map(|row| (row.original(), row.len(), row.cell(2), row.cell(7))).collect();
        assert_eq!(rows, [("\"A1\"", 1, "", ""), ("A2,x,y", 3, "y", "")]);
        assert_eq!(table.column(0).map(|(_, cell)| cell).collect::<Vec<_>>(), ["A1", "A2"]);
    }

    #[test]
    fn a_title_above_the_heading_is_passed_over() {
        let text = "Devices of 2026\n\nserial,location\nA1,x\n";
        let table = table(text);
        assert_eq!(table.headings, ["serial", "location"]);
        assert_eq!(table.rows().map(|row| row.number).collect::<Vec<_>>(), [4]);
        assert!(table.remarks[1].contains("row 3"), "{:?}", table.remarks);
    }

    #[test]
    fn what_is_kept_of_a_row_is_bounded() {
        let text = format!("serial,location\nA1,\"open\n{}", "A3,y\n".repeat(5000));
        let table = table(&text);
        let lengths: Vec<usize> = table.rows().map(|row| row.original().len()).collect();
        assert_eq!(lengths, [MAX_ORIGINAL_BYTES]);
    }
}
