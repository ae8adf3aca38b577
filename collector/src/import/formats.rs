//! The formats: one entry each, with how a file of it is read and by what it is recognised.
//!
//! **To add one**: its file, `mod` in `import`, and an entry here; more telling formats stand before general ones.

use super::{
    Reader, generic, purchase_csv,
    recognise::{Head, Score},
};

/// A format that can be imported.
#[derive(Debug, Clone, Copy)]
pub struct Format {
    /// The name under which it is asked for.
    pub name: &'static str,
    /// What it is, for people.
    pub about: &'static str,
    /// What the import is called when nobody says otherwise. Its first word says whose records they are, and so how far
    /// they are believed.
    pub source: &'static str,
    /// Reads a file.
    pub reader: Reader,
    /// How much the beginning of a file looks like it; none when it isn't.
    pub(super) recognises: fn(&Head) -> Option<Score>,
}

/// The formats.
const FORMATS: &[Format] = &[
    Format {
        name: "purchase-csv",
        about: "a purchase list, one row for each machine of an order",
        source: "purchase",
        reader: purchase_csv::read,
        recognises: purchase_csv::recognises,
    },
    Format {
        name: "csv",
        about: "any list of devices as CSV, with a mapping where headings are your own",
        source: "list",
        reader: generic::read_csv,
        recognises: generic::recognises_csv,
    },
    Format {
        name: "json",
        about: "any list of devices as JSON: an array, one object a line, or an object that holds a list",
        source: "list",
        reader: generic::read_json,
        recognises: generic::recognises_json,
    },
];

/// Every format.
pub fn all() -> impl Iterator<Item = &'static Format> {
    FORMATS.iter()
}

/// The format of this name.
pub(super) fn find(name: &str) -> Option<&'static Format> {
    FORMATS.iter().find(|format| format.name == name)
}

/// All names, for messages.
pub(super) fn names() -> String {
    FORMATS.iter().map(|format| format.name).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use muster_common::source::ImportName;

    use super::*;

    #[test]
    fn names_are_unique_and_every_source_can_be_one() {
        let names: BTreeSet<&str> = all().map(|format| format.name).collect();
        assert_eq!(names.len(), FORMATS.len());
        for format in all() {
            assert!(ImportName::new(format.source).is_ok(), "{}", format.name);
            assert!(find(format.name).is_some_and(|found| found.name == format.name));
        }
    }
}
