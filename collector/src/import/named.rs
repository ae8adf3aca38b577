//! Lists that are no lists of devices: each column has one name here and the headings under which systems write it.
//!
//! Staff, seats and resources are read through this; CSV and JSON alike. Says of every column what it was taken for.
//! Knows nothing of what a row becomes.

use std::collections::BTreeMap;

use muster_common::time::Timestamp;

use super::{
    ImportError, cells,
    columns::plain,
    dates::Dates,
    json,
    layout::{named, short},
    options::Options,
    recognise::Head,
    table::{Table, TableRow},
    text::Decoded,
};

/// A column that a list may have.
#[derive(Debug, Clone, Copy)]
pub(super) struct NamedColumn {
    /// What rows ask for.
    pub(super) name: &'static str,
    /// Headings, as [`plain`] leaves them, the most telling first.
    pub(super) headings: &'static [&'static str],
    /// Whether its cells are dates.
    pub(super) is_date: bool,
}

/// A column of text.
pub(super) const fn column(name: &'static str, headings: &'static [&'static str]) -> NamedColumn {
    NamedColumn { name, headings, is_date: false }
}

/// A column of dates.
pub(super) const fn date(name: &'static str, headings: &'static [&'static str]) -> NamedColumn {
    NamedColumn { name, headings, is_date: true }
}

/// The heading under which the beginning of a file has a column, in any of its first lines or in its first object.
pub(super) fn heading_in(head: &Head, columns: &[NamedColumn], name: &str) -> Option<&'static str> {
    let column = columns.iter().find(|column| column.name == name)?;
    column.headings.iter().copied().find(|heading| {
        head.names.iter().any(|own| plain(own) == *heading)
            || head.lines.iter().any(|line| line.iter().any(|cell| cell == heading))
    })
}

/// A list whose columns are known.
#[derive(Debug)]
pub(super) struct NamedList<'a> {
    table: Table<'a>,
    places: BTreeMap<&'static str, usize>,
    dates: BTreeMap<&'static str, Dates>,
    /// How it was understood.
    pub(super) remarks: Vec<String>,
}

impl<'a> NamedList<'a> {
    /// Reads a file's text; each of `needs` must be there, or for a group one of its names.
    ///
    /// # Errors
    /// When a column is missing, or the file is no such list.
    pub(super) fn read(
        decoded: &'a Decoded<'_>,
        options: &Options,
        columns: &[NamedColumn],
        needs: &[&[&'static str]],
    ) -> Result<Self, ImportError> {
        let knows = |heading: &str| {
            let heading = plain(heading);
            columns.iter().any(|column| column.headings.contains(&heading.as_str()))
        };
        let table = if decoded.text.trim_start().starts_with(['[', '{']) {
            json::table(&decoded.text)?
        } else {
            Table::csv(&decoded.text, options, &knows)?
        };
        let headings: Vec<String> = table.headings.iter().map(|heading| plain(heading)).collect();
        let mut places = BTreeMap::new();
        for column in columns {
            let found = column.headings.iter().find_map(|known| headings.iter().position(|own| own == known));
            places.extend(found.map(|place| (column.name, place)));
        }
        for group in needs {
            if !group.iter().any(|name| places.contains_key(name)) {
                return Err(ImportError::NoSuchColumn {
                    heading: group.join(" or "),
                    found: named(&table.headings.iter().map(|heading| short(heading)).collect::<Vec<_>>()),
                });
            }
        }
        let mut dates = BTreeMap::new();
        for column in columns.iter().filter(|column| column.is_date) {
            if let Some(place) = places.get(column.name) {
                let cells = table.column(*place).map(|(_, cell)| cell);
                dates.insert(column.name, Dates::of_column(&table.headings[*place], cells, options)?);
            }
        }
        let mut remarks = decoded.remarks.clone();
        remarks.extend(table.remarks.iter().cloned());
        let mut taken: Vec<(usize, &str)> = places.iter().map(|(name, place)| (*place, *name)).collect();
        taken.sort_unstable();
        let words: Vec<String> = taken
            .iter()
            .map(|(place, name)| format!("{} as {name}", short(&table.headings[*place])))
            .collect();
        remarks.push(format!("columns taken: {}", named(&words)));
        for (name, dates) in &dates {
            remarks.extend(places.get(name).and_then(|place| dates.remark(&table.headings[*place])));
        }
        Ok(Self { table, places, dates, remarks })
    }

    /// Names the columns that nothing was taken from, but for those that `is_taken` takes by their heading.
    pub(super) fn note_ignored(&mut self, is_taken: impl Fn(&str) -> bool) {
        let ignored: Vec<String> = self
            .table
            .headings
            .iter()
            .enumerate()
            .filter(|(place, heading)| {
                !heading.trim().is_empty()
                    && !self.places.values().any(|taken| taken == place)
                    && !is_taken(heading)
            })
            .map(|(_, heading)| short(heading))
            .collect();
        if !ignored.is_empty() {
            self.remarks.push(format!("ignored columns: {}", named(&ignored)));
        }
    }

    /// Its rows, in order.
    pub(super) fn rows(&self) -> impl Iterator<Item = TableRow<'_, 'a>> {
        self.table.rows()
    }

    /// The headings as they stand in the file.
    pub(super) fn headings(&self) -> &[String] {
        &self.table.headings
    }

    /// The text of a cell; none when the column isn't there or the cell has no value.
    pub(super) fn text(&self, row: TableRow<'_, 'a>, name: &'static str) -> Option<String> {
        self.places.get(name).and_then(|place| cells::text(row.cell(*place)))
    }

    /// The date of a cell; none when the column isn't there or the cell has none.
    pub(super) fn date(
        &self,
        row: TableRow<'_, 'a>,
        name: &'static str,
    ) -> Result<Option<Timestamp>, String> {
        let Some(text) = self.text(row, name) else { return Ok(None) };
        self.dates.get(name).map_or(Ok(None), |dates| dates.moment(&text))
    }
}
