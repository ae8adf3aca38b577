//! Files of other sources become records: each row either a record that says what it is about, or the reason why not.
//!
//! Knows nothing of devices: which machine a record means, and whether it changes anything, is decided in the
//! pipeline, and a dry run differs from an import only there. Everything in a file is hostile: the file, its rows,
//! columns and cells are bounded, and one bad row never keeps the others out.
//!
//! **To add a format**: one file with a function of type [`Reader`], and one line in [`FORMATS`]. Cells are read by
//! `cells`, identifiers by `keys`, so that a serial number is the same serial number in every format.

pub mod carried;
mod cells;
mod columns;
pub mod door;
mod keys;
mod money;
mod purchase_csv;
pub mod service;
mod text;

use std::fmt;

use muster_common::{inventory::MacAddress, observation::Record};
use muster_proto::limits::IMPORT_FILE_BYTES;

/// The most rows in a file.
pub const MAX_ROWS: usize = 200_000;
/// The most columns in a file.
pub const MAX_COLUMNS: usize = 200;
/// The longest cell, in bytes.
pub const MAX_CELL_BYTES: usize = 1024;
/// How much of a row is kept for correction, in bytes.
pub const MAX_ORIGINAL_BYTES: usize = 16 * 1024;

/// Reads the content of a file.
pub type Reader = fn(&[u8], &Placeholders) -> Result<ImportedFile, ImportError>;

/// The formats, by the name under which they are asked for.
const FORMATS: &[(&str, Reader)] = &[("purchase-csv", purchase_csv::read)];

/// Reads a file of at most [`IMPORT_FILE_BYTES`] in one of the formats.
pub fn read(format: &str, content: &[u8], placeholders: &Placeholders) -> Result<ImportedFile, ImportError> {
    let Some((_, reader)) = FORMATS.iter().find(|(name, _)| *name == format) else {
        return Err(ImportError::UnknownFormat { format: format.chars().take(64).collect() });
    };
    if content.len() > IMPORT_FILE_BYTES {
        return Err(ImportError::TooLong { bytes: content.len() });
    }
    reader(content, placeholders)
}

/// The names of the formats.
pub fn formats() -> impl Iterator<Item = &'static str> {
    FORMATS.iter().map(|(name, _)| *name)
}

/// What stands where an identifier should and is none, such as `To be filled by O.E.M.`; the identity rules know.
#[derive(Debug, Clone, Copy)]
pub struct Placeholders {
    /// Whether a serial number or asset tag is one.
    pub text: fn(&str) -> bool,
    /// Whether a UUID is one (lower case, with hyphens).
    pub uuid: fn(&str) -> bool,
    /// Whether a MAC address is one.
    pub mac: fn(MacAddress) -> bool,
}

/// A file that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportedFile {
    /// How it was understood, for the person who imports: one sentence each.
    pub remarks: Vec<String>,
    /// Its rows in order, without empty ones.
    pub rows: Vec<Row>,
}

/// One row. `Debug` doesn't show its text, which may hold personal values.
#[derive(Clone, PartialEq, Eq)]
pub struct Row {
    /// As a spreadsheet counts, from 1; the heading is usually row 1.
    pub number: u32,
    /// What it says, or why it can't be used.
    pub outcome: Result<Record, RowRefused>,
    /// As it stands in the file, at most [`MAX_ORIGINAL_BYTES`].
    pub original: String,
}

impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Row")
            .field("number", &self.number)
            .field("outcome", &self.outcome)
            .finish_non_exhaustive()
    }
}

/// Why a row can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct RowRefused {
    /// What is wrong with it and what to do about it.
    pub reason: String,
}

impl RowRefused {
    fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into() }
    }
}

/// Why a file can't be used at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// No such format.
    #[error("there is no import format {format:?} (use purchase-csv)")]
    UnknownFormat {
        /// As asked for.
        format: String,
    },
    /// Too long.
    #[error("the file has {bytes} bytes, the most is {IMPORT_FILE_BYTES} (split it into several files)")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// Nothing in it.
    #[error("the file is empty (expected a heading row and one row for each purchase)")]
    Empty,
    /// Not UTF-8.
    #[error(
        "the file is {encoding} and not UTF-8 (save it as \"CSV UTF-8\", or run: iconv -f {encoding} -t UTF-8 FILE)"
    )]
    Encoding {
        /// What it seems to be, as iconv names it.
        encoding: &'static str,
    },
    /// Not text.
    #[error("line {line} holds bytes that no text has (is this a spreadsheet? save it as \"CSV UTF-8\")")]
    NotText {
        /// Counted from 1.
        line: usize,
    },
    /// Too many cells in a line.
    #[error("line {line} has more than {MAX_COLUMNS} cells (leave out the columns that are not needed)")]
    TooManyColumns {
        /// Counted from 1.
        line: usize,
    },
    /// Too many rows.
    #[error("the file has more than {MAX_ROWS} rows (split it into several files)")]
    TooManyRows,
    /// Two columns with one meaning.
    #[error("the columns {first:?} and {second:?} both mean {column} (rename or remove one)")]
    DoubleColumn {
        /// Their meaning.
        column: &'static str,
        /// The first heading.
        first: String,
        /// The second heading.
        second: String,
    },
    /// No column tells which machine a row is about.
    #[error(
        "the heading names no serial, asset_tag, mac, machine_id or uuid, so no row says which machine it is about; found: {found}"
    )]
    NoIdentifier {
        /// The headings, shortened.
        found: String,
    },
}
