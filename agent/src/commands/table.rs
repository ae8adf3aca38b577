//! Columns of text, aligned; knows nothing of what stands in them.

/// One line a row, two blanks between columns, no blanks at line ends; a column that is empty in all rows vanishes.
pub(super) fn aligned(indent: &str, rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = indent.to_owned();
        for (cell, width) in row.iter().zip(&widths).filter(|(_, width)| **width > 0) {
            line.push_str(cell);
            line.extend(std::iter::repeat_n(' ', width - cell.chars().count() + 2));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        let text =
            aligned("  ", &[row(["a", "", "c"]), row(["\u{e9}\u{e9}\u{e9}", "", "d"]), row(["x", "", ""])]);
        assert_eq!(text, "  a    c\n  \u{e9}\u{e9}\u{e9}  d\n  x\n");
    }
}
