//! Answers as text: a table for people, JSON for programs, CSV for spreadsheets.
//!
//! Knows nothing of commands and collectors. A command makes one [`Answer`] and never asks in which form it will be
//! printed, so the three forms can't differ in what they say. What came from an endpoint is escaped in each of them.

mod csv;
mod escape;
mod grid;
mod json;
mod sheet;
mod table;
mod when;

use std::{env, io::IsTerminal};

use muster_common::time::Timestamp;

pub(crate) use escape::visible;
pub(crate) use grid::{Cell, Column, Grid, Tone};
pub(crate) use json::Document;
pub(crate) use sheet::Sheet;
pub(crate) use when::{ago, moment, short_date};

use crate::arguments::{Colour, Format};

/// The answer to a command, in all its forms.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The document for programs.
    pub(crate) json: Document,
    /// The rows for spreadsheets, and for people unless there is a sheet.
    pub(crate) grid: Grid,
    /// Text for people instead of the table.
    pub(crate) sheet: Option<String>,
    /// Sentences below the table, for people alone.
    pub(crate) notes: Vec<String>,
    /// How many rows people get to see; none: all.
    pub(crate) shown_rows: Option<usize>,
}

impl Answer {
    /// The answer in one form, with its line end.
    pub(crate) fn render(&self, format: Format, screen: &Screen) -> String {
        match format {
            Format::Json => self.json.text(),
            Format::Csv => csv::text(&self.grid),
            Format::Table => {
                let mut text =
                    self.sheet.clone().unwrap_or_else(|| table::text(&self.grid, self.shown_rows, screen));
                if !self.notes.is_empty() {
                    if !text.is_empty() {
                        text.push('\n');
                    }
                    text.push_str(&self.notes.join("\n"));
                    text.push('\n');
                }
                text
            }
        }
    }
}

/// What the text is printed on, and when.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Screen {
    /// Columns of the terminal; none when it isn't one, and then nothing is cut or wrapped.
    pub(crate) width: Option<u16>,
    /// Whether there are colours.
    pub(crate) colour: bool,
    /// The present moment.
    pub(crate) now: Timestamp,
}

impl Screen {
    /// As standard output is.
    pub(crate) fn of_terminal(colour: Colour) -> Self {
        let is_terminal = std::io::stdout().is_terminal();
        let colour = match colour {
            Colour::Always => true,
            Colour::Never => false,
            Colour::Auto => is_terminal && env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
        };
        let width = if is_terminal { comfy_table::Table::new().width() } else { None };
        let now = muster_common::time::Clock::now(&muster_common::time::SystemClock);
        Self { width, colour, now }
    }
}

#[cfg(test)]
pub(crate) mod testing {
    //! What the tests of the commands share.

    use super::{Answer, Screen};
    use crate::arguments::Format;

    /// 100 columns, no colours, at 2026-11-24T12:00:00Z.
    pub(crate) fn screen() -> Screen {
        Screen { width: Some(100), colour: false, now: "2026-11-24T12:00:00Z".parse().expect("a time") }
    }

    /// Compares the table with the lines expected; trailing spaces don't count.
    pub(crate) fn check_table(answer: &Answer, expected: &str) {
        let text = answer.render(Format::Table, &screen());
        let trim = |text: &str| text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
        assert_eq!(trim(&text), trim(expected.trim_matches('\n')), "\n{text}");
    }

    /// Compares the CSV with the lines expected.
    pub(crate) fn check_csv(answer: &Answer, expected: &[&str]) {
        let text = answer.render(Format::Csv, &screen());
        assert_eq!(text.lines().collect::<Vec<_>>(), expected);
    }
}
