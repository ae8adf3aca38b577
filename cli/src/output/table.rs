//! A grid as a table that fits the terminal: columns that can be spared go first, then texts are cut.
//!
//! Knows nothing of what stands in it. Without a terminal nothing is cut, so that `grep` finds what is there.

use comfy_table::{Attribute, CellAlignment, Color, ContentArrangement, Row, Table, presets};

use super::{Grid, Screen, Tone, visible};

/// The longest text of one cell, in characters.
const MAX_CELL: usize = 400;
/// Sentences get this much room before other columns are left out for them.
const SENTENCE_WIDTH: u16 = 48;
/// Spaces between two columns.
const GAP: u16 = 2;

/// The table, one line for each row, with a line end; empty without rows.
pub(super) fn text(grid: &Grid, shown_rows: Option<usize>, screen: &Screen) -> String {
    if grid.rows.is_empty() {
        return String::new();
    }
    let mut kept: Vec<usize> = (0..grid.columns.len()).collect();
    let shown_rows = shown_rows.unwrap_or(usize::MAX);
    let mut table = build(grid, &kept, shown_rows, screen);
    if let Some(width) = screen.width {
        while natural_width(&table, grid, &kept) > u32::from(width) {
            let spare = kept.iter().copied().filter(|at| grid.columns[*at].spare > 0);
            let Some(least) = spare.max_by_key(|at| grid.columns[*at].spare) else { break };
            kept.retain(|at| *at != least);
            table = build(grid, &kept, shown_rows, screen);
        }
    }
    let lines: Vec<String> = table.lines().map(|line| line.trim_end().to_owned()).collect();
    lines.join("\n") + "\n"
}

fn build(grid: &Grid, kept: &[usize], shown_rows: usize, screen: &Screen) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).force_no_tty();
    if screen.colour {
        table.enforce_styling();
    }
    match screen.width {
        // One more, since the last column's gap may hang over the edge.
        Some(width) => table.set_width(width + GAP).set_content_arrangement(ContentArrangement::Dynamic),
        None => table.set_content_arrangement(ContentArrangement::Disabled),
    };
    let headings = kept.iter().map(|at| {
        comfy_table::Cell::new(grid.columns[*at].name.replace('_', " ").to_uppercase())
            .add_attribute(Attribute::Bold)
    });
    table.set_header(headings.collect::<Vec<_>>());
    let one_line = kept.iter().all(|at| !grid.columns[*at].wraps);
    for cells in grid.rows.iter().take(shown_rows) {
        let cells = kept.iter().filter_map(|at| cells.get(*at)).map(|cell| {
            let shown = comfy_table::Cell::new(visible(&cell.shown, MAX_CELL));
            match cell.tone {
                Tone::Plain => shown,
                Tone::Quiet => shown.add_attribute(Attribute::Dim),
                Tone::Good => shown.fg(Color::Green),
                Tone::Warning => shown.fg(Color::Yellow),
                Tone::Critical => shown.fg(Color::Red).add_attribute(Attribute::Bold),
            }
        });
        let mut row = Row::from(cells.collect::<Vec<_>>());
        if one_line {
            row.max_height(1);
        }
        table.add_row(row);
    }
    for (place, at) in kept.iter().enumerate() {
        if let Some(column) = table.column_mut(place) {
            column.set_padding((0, GAP));
            if grid.columns[*at].is_number {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
    }
    table
}

/// How wide the table is when only sentences are wrapped.
fn natural_width(table: &Table, grid: &Grid, kept: &[usize]) -> u32 {
    let widths = table.column_max_content_widths();
    let gaps = u32::from(GAP) * u32::try_from(widths.len().saturating_sub(1)).unwrap_or(0);
    let columns = widths.iter().zip(kept).map(|(width, at)| {
        let most = if grid.columns[*at].wraps { SENTENCE_WIDTH } else { u16::MAX };
        u32::from((*width).min(most))
    });
    columns.sum::<u32>() + gaps
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Cell, Column},
        *,
    };

    fn grid() -> Grid {
        let columns = [
            Column::new("name"),
            Column::number("software_count"),
            Column::new("model").spare(1),
            Column::new("id").spare(2),
        ];
        let mut grid = Grid::new(&columns);
        grid.rows.push(vec![
            Cell::text("web-03"),
            Cell::text("512"),
            Cell::text("LENOVO ThinkPad T480s"),
            Cell::text("6f1c0d52-8a6e-4b0e-9a44-0d6f9e5f2c11"),
        ]);
        grid.rows.push(vec![
            Cell::text("\u{1b}[31mred"),
            Cell::text("3").in_tone(Tone::Critical),
            Cell::text(""),
            Cell::text("x"),
        ]);
        grid
    }

    fn shown(width: Option<u16>, colour: bool) -> String {
        text(&grid(), None, &Screen { width, colour, now: Default::default() })
    }

    #[test]
    fn what_can_be_spared_goes_when_there_is_no_room() {
        assert_eq!(
            shown(Some(60), false),
            "NAME           SOFTWARE COUNT  MODEL\n\
             web-03                    512  LENOVO ThinkPad T480s\n\
             \\u{1b}[31mred               3\n"
        );
        assert!(shown(None, false).contains("6f1c0d52-8a6e-4b0e-9a44-0d6f9e5f2c11"));
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        for width in [12, 20, 40, 80, 200] {
            for line in shown(Some(width), false).lines() {
                assert!(line.chars().count() <= usize::from(width), "{width}: {line}");
            }
        }
    }

    #[test]
    fn colours_are_ours_alone() {
        assert!(!shown(Some(80), false).contains('\u{1b}'));
        let coloured = shown(Some(80), true);
        assert!(coloured.contains("\u{1b}[") && !coloured.contains("\u{1b}[31mred"), "{coloured:?}");
    }
}
