//! A grid as CSV that is safe to open in a spreadsheet.
//!
//! Spreadsheets run what begins like a formula, so such a cell gets an apostrophe in front, which they show as text
//! and the import takes off again.

use csv::{QuoteStyle, Terminator, WriterBuilder};

use super::{Grid, escape::is_hidden};

/// The grid with a heading row.
pub(super) fn text(grid: &Grid) -> String {
    let mut writer = WriterBuilder::new()
        .quote_style(QuoteStyle::Necessary)
        .terminator(Terminator::Any(b'\n'))
        .from_writer(Vec::new());
    let heading = grid.columns.iter().map(|column| column.name.to_owned());
    let rows = grid.rows.iter().map(|cells| cells.iter().map(|cell| neutral(&cell.exact)).collect());
    for row in std::iter::once(heading.collect::<Vec<_>>()).chain(rows) {
        writer.write_record(&row).expect("every row has as many cells as the heading, and memory takes them");
    }
    let bytes = writer.into_inner().expect("memory takes what is left");
    String::from_utf8(bytes).expect("the cells are text")
}

/// A cell that no spreadsheet runs and no terminal obeys; line ends stay, inside quotes.
fn neutral(cell: &str) -> String {
    let mut text = String::with_capacity(cell.len() + 1);
    // ＝ ＋ － ＠ are taken for the narrow ones by some.
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}']) {
        text.push('\'');
    }
    for letter in cell.chars() {
        if is_hidden(letter) && !matches!(letter, '\n' | '\r' | '\t') {
            text.extend(letter.escape_unicode());
        } else {
            text.push(letter);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Cell, Column},
        *,
    };

    #[test]
    fn no_cell_is_a_formula() {
        for (cell, expected) in [
            ("web-03", "web-03"),
            ("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\tx", "'\tx"),
            ("\rx", "'\rx"),
            ("＝1", "'＝1"),
            ("＋1", "'＋1"),
            ("－1", "'－1"),
            ("＠x", "'＠x"),
            ("a=b", "a=b"),
            ("\u{1b}[2J", "\\u{1b}[2J"),
        ] {
            assert_eq!(neutral(cell), expected, "{cell:?}");
        }
    }

    #[test]
    fn cells_are_quoted_where_they_must_be() {
        let mut grid = Grid::new(&[Column::new("name"), Column::number("software_count")]);
        grid.rows.push(vec![Cell::pair("x", "a, \"b\"\nc"), Cell::text("7")]);
        grid.rows.push(vec![Cell::default(), Cell::default()]);
        assert_eq!(text(&grid), "name,software_count\n\"a, \"\"b\"\"\nc\",7\n,\n");
    }
}
