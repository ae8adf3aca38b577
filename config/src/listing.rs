//! The settings in force with where each came from, for `check-config` and for a program's first log line.

use std::fmt;
use std::path::PathBuf;

/// Where a setting's value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Nobody names it.
    Default,
    /// The last fragment that names it, and the line.
    File(PathBuf, usize),
    /// A variable of the environment, by its name.
    Environment(String),
}

/// One setting in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The dotted key.
    pub key: String,
    /// The value as TOML; none for a setting without a default that nobody set.
    pub value: Option<String>,
    /// Who says so.
    pub origin: Origin,
}

/// Every setting that the program knows, in the order in which it reads them. Holds no secret: secrets are named by
/// the path of their file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing(pub(crate) Vec<Row>);

impl Listing {
    /// The settings.
    pub fn rows(&self) -> &[Row] {
        &self.0
    }

    /// The keys that no file names: what a sample that claims to show every setting has left out.
    pub fn defaulted(&self) -> Vec<&str> {
        self.0.iter().filter(|row| row.origin == Origin::Default).map(|row| row.key.as_str()).collect()
    }
}

impl fmt::Display for Listing {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |row: &Row| match &row.value {
            Some(value) => format!("{} = {value}", row.key),
            None => format!("{} is not set", row.key),
        };
        let width = self.0.iter().map(|row| text(row).chars().count()).max().unwrap_or(0);
        for row in &self.0 {
            match &row.origin {
                Origin::Default => writeln!(out, "{:width$}  # default", text(row))?,
                Origin::File(file, line) => {
                    writeln!(out, "{:width$}  # {}:{line}", text(row), file.display())?
                }
                Origin::Environment(name) => writeln!(out, "{:width$}  # ${name}", text(row))?,
            }
        }
        Ok(())
    }
}
