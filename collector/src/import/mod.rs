//! Files of other sources become records: each row either a record that says what it is about, or the reason why not.
//!
//! Knows nothing of devices: which machine a record means, and whether it changes anything, is decided in the
//! pipeline, and a dry run differs from an import only there. Everything in a file is hostile: the file, its rows,
//! columns and cells are bounded, and one bad row never keeps the others out.
//!
//! In reading order: bytes become text (`text`), text becomes a `table`, headings become a `layout`, whole columns tell how
//! `dates` and prices are written, and each row becomes a record. What isn't detected is chosen in [`options`].
//!
//! **To add a format**: one file with a function of type [`Reader`], and one entry in `formats`. A list of devices is a
//! `profile` for `device_list` and little else; other lists read a `table`, cells by `cells` and `dates`, identifiers by
//! `keys`, so that a serial number is the same serial number in every format.

pub mod carried;
pub mod door;
pub mod service;
pub mod watch;

mod text;

mod json;
mod table;

mod columns;
mod layout;
pub mod options;
mod profile;

mod cells;
mod dates;
mod keys;
mod money;

mod device_list;
mod device_row;
mod identifiers;

mod named;

mod cloud;
mod leases;
mod nmap;
mod seats;
mod staff;

mod formats;
mod recognise;

mod audit_scan;
mod dell;
mod generic;
mod glpi;
mod intune;
mod jamf;
mod lenovo;
mod purchase_csv;
mod snipe_it;

use std::fmt;

use muster_common::{inventory::MacAddress, observation::Record};
use muster_proto::limits::IMPORT_FILE_BYTES;

use self::options::Options;

pub use self::{
    formats::{Format, all as formats},
    recognise::{Recognised, recognise},
};

/// The most rows in a file.
pub const MAX_ROWS: usize = 200_000;
/// The most columns in a file.
pub const MAX_COLUMNS: usize = 200;
/// The longest cell, in bytes.
pub const MAX_CELL_BYTES: usize = 1024;
/// How much of a row is kept for correction, in bytes.
pub const MAX_ORIGINAL_BYTES: usize = 16 * 1024;

/// Reads the content of a file.
pub type Reader = fn(&[u8], &Options, &Placeholders) -> Result<ImportedFile, ImportError>;

/// The name under which the format is asked for that is told by the file itself.
pub const AUTO: &str = "auto";

/// Reads a file of at most [`IMPORT_FILE_BYTES`] in one of the formats, and says which; [`AUTO`] is whichever the file
/// looks most like.
///
/// # Errors
/// When the file can't be used as a whole; rows that can't be used are no error.
pub fn read(
    format: &str,
    content: &[u8],
    options: &Options,
    placeholders: &Placeholders,
) -> Result<(&'static Format, ImportedFile), ImportError> {
    if content.len() > IMPORT_FILE_BYTES {
        return Err(ImportError::TooLong { bytes: content.len() });
    }
    if format == AUTO {
        let found = recognise(content);
        let Some(best) = found.first() else {
            // What keeps it from being any list at all says more than that it is none of the formats.
            let general = generic::read_csv(content, options, placeholders);
            return Err(general.err().unwrap_or(ImportError::NotRecognised));
        };
        let found = formats::find(best.format).ok_or(ImportError::NotRecognised)?;
        let mut file = found.read(content, options, placeholders)?;
        file.remarks.insert(0, format!("the file was taken for {}: {}", best.format, best.why));
        return Ok((found, file));
    }
    let Some(found) = formats::find(format) else {
        return Err(ImportError::UnknownFormat { format: format.chars().take(64).collect() });
    };
    Ok((found, found.read(content, options, placeholders)?))
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
    #[error("there is no import format {format:?} (use auto, or one of: {})", formats::names())]
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
    #[error("the file is empty (expected a heading row and one row for each record)")]
    Empty,
    /// Not in the encoding that was chosen.
    #[error("the file is not {encoding}, which was chosen (choose another with encoding=NAME, or none)")]
    Encoding {
        /// As encodings are named on the web.
        encoding: &'static str,
    },
    /// None of the formats.
    #[error("the file looks like none of the formats (name one of: {})", formats::names())]
    NotRecognised,
    /// Not JSON.
    #[error("line {line} is no JSON: {what}")]
    NotJson {
        /// Counted from 1.
        line: usize,
        /// What is wrong, as the parser says.
        what: String,
    },
    /// Not XML.
    #[error("the file is no XML: {what}")]
    NotXml {
        /// What is wrong, as the parser says.
        what: String,
    },
    /// Dates that can be read in two ways.
    #[error(
        "every date in {column:?} that is written like {example:?} can be read day first or month first (choose with dates=day-first or dates=month-first)"
    )]
    AmbiguousDates {
        /// The column's heading.
        column: String,
        /// One of them.
        example: String,
    },
    /// A column was chosen that isn't there.
    #[error("there is no column {heading:?}, which was chosen; found: {found}")]
    NoSuchColumn {
        /// Its heading, without spaces and marks.
        heading: String,
        /// The headings that are there, shortened.
        found: String,
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
    #[error(
        "the columns {first:?} and {second:?} both mean {column} (choose with columns.HEADING=ignore, or remove one)"
    )]
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
