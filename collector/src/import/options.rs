//! What the person who imports has chosen about a file; what isn't chosen is detected and shown.
//!
//! A set of choices can be kept under a name, as TOML, and is then called a mapping. Knows nothing of any file: whether
//! a column that is named here is there, is told by the format that reads it.

use std::{collections::BTreeMap, fmt::Write as _};

use encoding_rs::Encoding;
use muster_common::{asset::Category, time::Timestamp};

use super::columns::{Column, plain};

/// The longest mapping, in bytes.
pub const MAX_MAPPING_BYTES: usize = 64 * 1024;
/// The most columns that a mapping names.
const MAX_MAPPED: usize = 400;

/// How a date with two small numbers is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DateOrder {
    /// `03/04/2026` is the third of April.
    DayFirst,
    /// `03/04/2026` is the fourth of March.
    MonthFirst,
}

/// What stands before the fraction of an amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecimalMark {
    /// `1.234,56`.
    Comma,
    /// `1,234.56`.
    Point,
}

/// What makes a row the same row when a file is imported again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowKey {
    /// The serial number.
    Serial,
    /// The asset tag within its scheme.
    AssetTag,
    /// The cloud's name for a machine.
    Instance,
    /// The MAC addresses.
    Mac,
    /// The address of the person that it is assigned to.
    Email,
}

impl RowKey {
    /// All of them, by the words for them.
    pub(super) const NAMES: &[(&str, Self)] = &[
        ("serial", Self::Serial),
        ("asset_tag", Self::AssetTag),
        ("cloud.instance", Self::Instance),
        ("mac", Self::Mac),
        ("e-mail", Self::Email),
    ];

    /// The word for it.
    pub(super) fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, key)| *key == self).map_or("", |(name, _)| name)
    }
}

/// What a column was chosen to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Chosen {
    /// This.
    Column(Column),
    /// Nothing: it is left out without a word.
    Ignore,
}

/// The choices; the default chooses nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// How the bytes are text.
    pub encoding: Option<&'static Encoding>,
    /// What stands between two cells.
    pub delimiter: Option<u8>,
    /// How dates with two small numbers are read.
    pub dates: Option<DateOrder>,
    /// What stands before the fraction of an amount.
    pub decimal: Option<DecimalMark>,
    /// The currency of amounts that name none.
    pub currency: Option<String>,
    /// Whose asset tags they are, where no column says so.
    pub company: Option<String>,
    /// The day on which the list was made, `2026-11-20`.
    pub date: Option<String>,
    /// What kind of asset every row is.
    pub category: Option<Category>,
    /// What makes a row the same row.
    pub key: Option<RowKey>,
    /// Whether the file is an authoritative record of what is ours.
    pub vouches: Option<bool>,
    /// What columns are, by heading as [`plain`] leaves it.
    columns: BTreeMap<String, Chosen>,
    /// The same choices as they were written.
    written: BTreeMap<String, String>,
}

/// Choices that can't be understood; all that is wrong with them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .problems.join("; "))]
pub struct InvalidOptions {
    /// A sentence each.
    pub problems: Vec<String>,
}

impl Options {
    /// Reads a mapping: TOML with the keys of [`Self::set`], columns in a table `[columns]`.
    ///
    /// # Errors
    /// Names everything that is wrong with it.
    pub fn from_toml(text: &str) -> Result<Self, InvalidOptions> {
        let one = |problem: String| InvalidOptions { problems: vec![problem] };
        if text.len() > MAX_MAPPING_BYTES {
            return Err(one(format!("the mapping is longer than {MAX_MAPPING_BYTES} bytes")));
        }
        let table: toml::Table =
            text.parse().map_err(|error: toml::de::Error| one(format!("the mapping is no TOML: {error}")))?;
        let mut options = Self::default();
        let mut problems = Vec::new();
        for (key, value) in &table {
            let set = |options: &mut Self, key: &str, value: &toml::Value| match value {
                toml::Value::String(text) => options.set(key, text),
                toml::Value::Boolean(yes) => options.set(key, if *yes { "yes" } else { "no" }),
                toml::Value::Integer(_)
                | toml::Value::Float(_)
                | toml::Value::Datetime(_)
                | toml::Value::Array(_)
                | toml::Value::Table(_) => Err(format!("{key} must be a text in quotes")),
            };
            match value {
                toml::Value::Table(columns) if key == "columns" => {
                    for (heading, value) in columns {
                        problems.extend(set(&mut options, &format!("columns.{heading}"), value).err());
                    }
                }
                other => problems.extend(set(&mut options, key, other).err()),
            }
        }
        if problems.is_empty() { Ok(options) } else { Err(InvalidOptions { problems }) }
    }

    /// Takes settings as a command line has them: `key=value` each, over what is chosen already.
    ///
    /// # Errors
    /// Names everything that is wrong with them.
    pub fn set_all<'a>(&mut self, settings: impl IntoIterator<Item = &'a str>) -> Result<(), InvalidOptions> {
        let mut problems = Vec::new();
        for setting in settings {
            // A heading may contain the sign, a value never does.
            let outcome = match setting.rsplit_once('=') {
                Some((key, value)) => self.set(key.trim(), value.trim()),
                None => Err(format!("{setting:?} is no setting (write KEY=VALUE)")),
            };
            problems.extend(outcome.err());
        }
        if problems.is_empty() { Ok(()) } else { Err(InvalidOptions { problems }) }
    }

    /// Chooses one thing: `encoding`, `delimiter`, `dates`, `decimal`, `currency`, `company`, `date`, `category`, `key`,
    /// `vouches` or `columns.HEADING`, whose value is a field or `ignore`.
    ///
    /// # Errors
    /// When there is no such key, or it can't have this value; says what it can have.
    pub fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        let wrong = |use_one: &str| Err(format!("{key} can't be {value:?} (use {use_one})"));
        match key {
            "encoding" => match Encoding::for_label(value.as_bytes()) {
                Some(encoding) => self.encoding = Some(encoding),
                None => return wrong("a name such as utf-8, utf-16le, windows-1252, macintosh"),
            },
            "delimiter" => match value {
                "comma" | "," => self.delimiter = Some(b','),
                "semicolon" | ";" => self.delimiter = Some(b';'),
                "tab" | "\t" => self.delimiter = Some(b'\t'),
                "bar" | "|" => self.delimiter = Some(b'|'),
                _ => return wrong("comma, semicolon, tab or bar"),
            },
            "dates" => match value {
                "day-first" => self.dates = Some(DateOrder::DayFirst),
                "month-first" => self.dates = Some(DateOrder::MonthFirst),
                _ => return wrong("day-first or month-first"),
            },
            "decimal" => match value {
                "comma" | "," => self.decimal = Some(DecimalMark::Comma),
                "point" | "." => self.decimal = Some(DecimalMark::Point),
                _ => return wrong("comma or point"),
            },
            "currency" => {
                if value.len() != 3 || !value.bytes().all(|byte| byte.is_ascii_alphabetic()) {
                    return wrong("the three letters of ISO 4217, such as EUR");
                }
                self.currency = Some(value.to_ascii_uppercase());
            }
            "company" => {
                if value.is_empty() || value.len() > 64 || value.chars().any(char::is_control) {
                    return wrong("a name of at most 64 bytes");
                }
                self.company = Some(value.to_owned());
            }
            "date" => {
                if value.len() != 10 || value.parse::<Timestamp>().is_err() {
                    return wrong("a day such as 2026-11-20");
                }
                self.date = Some(value.to_owned());
            }
            "category" => match value.parse() {
                Ok(category) => self.category = Some(category),
                Err(error) => return Err(format!("{key}: {error}")),
            },
            "key" => match RowKey::NAMES.iter().find(|(name, _)| *name == value) {
                Some((_, chosen)) => self.key = Some(*chosen),
                None => return wrong("serial, asset_tag, cloud.instance, mac or e-mail"),
            },
            "vouches" => match value {
                "yes" | "true" => self.vouches = Some(true),
                "no" | "false" => self.vouches = Some(false),
                _ => return wrong("yes or no"),
            },
            _ => return self.set_column(key, value),
        }
        self.written.insert(key.to_owned(), value.to_owned());
        Ok(())
    }

    fn set_column(&mut self, key: &str, value: &str) -> Result<(), String> {
        let Some(heading) = key.strip_prefix("columns.") else {
            let key: String = key.chars().take(64).collect();
            return Err(format!(
                "there is no setting {key:?} (use encoding, delimiter, dates, decimal, currency, company, date, category, key, vouches or columns.HEADING)"
            ));
        };
        let name = plain(heading);
        if name.is_empty() || heading.len() > 256 {
            return Err("a column is named by its heading, of at most 256 bytes".to_owned());
        }
        let chosen = match value {
            "ignore" => Chosen::Ignore,
            field => Chosen::Column(Column::named(field).ok_or_else(|| {
                let field: String = field.chars().take(64).collect();
                format!(
                    "the column {heading:?} can't be {field:?} (use a field that imports may state, such as serial, or ignore)"
                )
            })?),
        };
        if self.columns.len() >= MAX_MAPPED && !self.columns.contains_key(&name) {
            return Err(format!("a mapping names at most {MAX_MAPPED} columns"));
        }
        self.columns.insert(name, chosen);
        self.written.insert(key.to_owned(), value.to_owned());
        Ok(())
    }

    /// What a column was chosen to be, by its heading.
    pub(super) fn column(&self, heading: &str) -> Option<Chosen> {
        if self.columns.is_empty() { None } else { self.columns.get(&plain(heading)).copied() }
    }

    /// The headings that were chosen, as [`plain`] leaves them.
    pub(super) fn chosen_headings(&self) -> impl Iterator<Item = &str> {
        self.columns.keys().map(String::as_str)
    }

    /// The choices as TOML, so that [`Self::from_toml`] reads the same.
    pub fn to_toml(&self) -> String {
        let mut text = String::new();
        let quoted = |value: &str| toml::Value::String(value.to_owned());
        let is_column = |key: &str| key.starts_with("columns.");
        for (key, value) in self.written.iter().filter(|(key, _)| !is_column(key)) {
            // Writing to a string can't fail.
            let _ = writeln!(text, "{key} = {}", quoted(value));
        }
        let mut is_first = true;
        for (key, value) in &self.written {
            let Some(heading) = key.strip_prefix("columns.") else { continue };
            if is_first {
                text.push_str(if text.is_empty() { "[columns]\n" } else { "\n[columns]\n" });
                is_first = false;
            }
            let _ = writeln!(text, "{} = {}", quoted(heading), quoted(value));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use muster_common::device::Field;

    use super::*;

    #[test]
    fn a_mapping_is_read_and_written_back() {
        let text = "company = \"Nordlicht GmbH\"\ndates = \"month-first\"\nvouches = false\n\n[columns]\n\"Geräte = Nr.\" = \"serial\"\nColour = \"ignore\"\n";
        let options = Options::from_toml(text).unwrap();
        assert_eq!(options.dates, Some(DateOrder::MonthFirst));
        assert_eq!(options.vouches, Some(false));
        assert_eq!(options.column("geräte-nr"), Some(Chosen::Column(Column::Field(Field::Serial))));
        assert_eq!(options.column("COLOUR"), Some(Chosen::Ignore));
        assert_eq!(options.column("serial"), None);
        assert_eq!(Options::from_toml(&options.to_toml()).unwrap(), options);
    }

    #[test]
    fn settings_of_a_command_line_go_over_a_mapping() {
        let mut options = Options::from_toml("decimal = \"comma\"").unwrap();
        options.set_all(["decimal=point", "columns.a=b=asset_tag", "delimiter=tab"]).unwrap();
        assert_eq!((options.decimal, options.delimiter), (Some(DecimalMark::Point), Some(b'\t')));
        assert_eq!(options.column("a=b"), Some(Chosen::Column(Column::Field(Field::AssetTag))));
    }

    #[test]
    fn all_that_is_wrong_is_told_at_once() {
        let error = Options::from_toml(
            "dates = \"iso\"\ncolour = \"red\"\n[columns]\nA = \"wipe_evidence\"\nB = 1\n",
        )
        .unwrap_err();
        assert_eq!(error.problems.len(), 4, "{error}");
        assert!(error.to_string().contains("day-first or month-first"), "{error}");
        assert!(Options::from_toml("a = [").unwrap_err().to_string().contains("TOML"));
        assert!(Options::default().set_all(["dates"]).unwrap_err().to_string().contains("KEY=VALUE"));
    }
}
