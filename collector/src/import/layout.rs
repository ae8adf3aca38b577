//! Which column of a list of devices means what: chosen, known of the format, or told by its heading, in this order.
//!
//! Says of every column what it was taken for, or that it was not taken. Knows nothing of rows.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    ImportError, MAX_COLUMNS,
    columns::{Column, plain},
    options::{Chosen, Options},
    profile::Profile,
    table::Table,
};

/// How many headings a message names.
const MAX_NAMED_HEADINGS: usize = 30;
/// The standing of a heading that the format doesn't name.
const GENERAL: usize = usize::MAX;

/// Where each meaning stands.
#[derive(Debug, Default)]
pub(super) struct Layout {
    places: BTreeMap<Column, usize>,
    /// The number of headings.
    pub(super) width: usize,
    /// What was taken for what, and what was not taken.
    pub(super) remarks: Vec<String>,
}

impl Layout {
    /// Understands the headings of a table.
    pub(super) fn read(table: &Table<'_>, options: &Options, profile: &Profile) -> Result<Self, ImportError> {
        let headings = &table.headings;
        if headings.len() > MAX_COLUMNS {
            return Err(ImportError::TooManyColumns { line: 1 });
        }
        let mut found: BTreeMap<Column, (usize, usize)> = BTreeMap::new();
        let (mut unknown, mut left_out, mut present) = (Vec::new(), Vec::new(), BTreeSet::new());
        for (place, heading) in headings.iter().enumerate() {
            let name = plain(heading);
            if name.is_empty() {
                continue;
            }
            present.insert(name.clone());
            let (column, standing) = match (options.column(heading), profile.alias(&name)) {
                (Some(Chosen::Ignore), _) => continue,
                (Some(Chosen::Column(column)), _) => (column, 0),
                (None, Some((at, column))) => (column, 1 + at),
                (None, None) => {
                    if let Some(why) = profile.why_ignored(&name) {
                        left_out.push(format!("{} ({why})", short(heading)));
                        continue;
                    }
                    match Column::from_heading(heading) {
                        Some(column) => (column, GENERAL),
                        None => {
                            unknown.push(short(heading));
                            continue;
                        }
                    }
                }
            };
            let Some((earlier, known)) = found.get(&column).copied() else {
                found.insert(column, (place, standing));
                continue;
            };
            let passed_over = match known.cmp(&standing) {
                // A format that is known has one meaning for each of its own headings; others can't be told apart.
                std::cmp::Ordering::Equal if profile.aliases.is_empty() || standing == 0 => {
                    return Err(ImportError::DoubleColumn {
                        column: column.name(),
                        first: short(&headings[earlier]),
                        second: short(heading),
                    });
                }
                std::cmp::Ordering::Less | std::cmp::Ordering::Equal => place,
                std::cmp::Ordering::Greater => {
                    found.insert(column, (place, standing));
                    earlier
                }
            };
            let taken = found.get(&column).map_or(place, |(place, _)| *place);
            left_out.push(format!(
                "{} ({} was taken)",
                short(&headings[passed_over]),
                short(&headings[taken])
            ));
        }
        if let Some(missing) = options.chosen_headings().find(|name| !present.contains(*name)) {
            return Err(ImportError::NoSuchColumn {
                heading: missing.to_owned(),
                found: named(&headings.iter().map(|heading| short(heading)).collect::<Vec<_>>()),
            });
        }
        if !found.keys().any(|column| column.is_identifying()) {
            let all: Vec<String> = headings.iter().map(|heading| short(heading)).collect();
            return Err(ImportError::NoIdentifier { found: named(&all) });
        }
        let mut taken: Vec<(usize, Column)> =
            found.iter().map(|(column, (place, _))| (*place, *column)).collect();
        taken.sort_unstable();
        let taken: Vec<String> = taken
            .into_iter()
            .map(|(place, column)| format!("{} as {}", short(&headings[place]), column.name()))
            .collect();
        let mut remarks = vec![format!("columns taken: {}", named(&taken))];
        if !left_out.is_empty() {
            remarks.push(format!("columns left out: {}", named(&left_out)));
        }
        if !unknown.is_empty() {
            remarks.push(format!("ignored columns: {}", named(&unknown)));
        }
        let places = found.into_iter().map(|(column, (place, _))| (column, place)).collect();
        Ok(Self { places, width: headings.len(), remarks })
    }

    /// Where a meaning stands.
    pub(super) fn place(&self, column: Column) -> Option<usize> {
        self.places.get(&column).copied()
    }

    /// Every meaning and where it stands.
    pub(super) fn places(&self) -> impl Iterator<Item = (Column, usize)> {
        self.places.iter().map(|(column, place)| (*column, *place))
    }
}

/// A heading in a message.
pub(super) fn short(heading: &str) -> String {
    let mut short: String = heading.trim().chars().filter(|letter| !letter.is_control()).take(40).collect();
    if short.len() < heading.trim().len() {
        short.push('…');
    }
    short
}

/// Several of them.
pub(super) fn named(headings: &[String]) -> String {
    let mut text = headings.iter().take(MAX_NAMED_HEADINGS).cloned().collect::<Vec<_>>().join(", ");
    if headings.len() > MAX_NAMED_HEADINGS {
        text.push_str(&format!(" and {} more", headings.len() - MAX_NAMED_HEADINGS));
    }
    text
}

#[cfg(test)]
mod tests {
    use muster_common::device::Field;

    use super::*;

    const PROFILE: Profile = Profile {
        aliases: &[
            ("principal", Column::AssignedToEmail),
            ("mailbox", Column::AssignedToEmail),
            ("name", Column::Field(Field::Hostname)),
        ],
        ignored: &[("compliance", "judged here")],
        ..Profile::PLAIN
    };

    fn read(headings: &[&str], settings: &[&str], profile: &Profile) -> Result<Layout, ImportError> {
        let mut options = Options::default();
        options.set_all(settings.iter().copied()).unwrap();
        let table = Table::new(headings.iter().map(|heading| (*heading).to_owned()).collect());
        Layout::read(&table, &options, profile)
    }

    #[test]
    fn every_column_is_accounted_for() {
        let headings =
            ["Serial", "Mailbox", "Name", "Compliance", "Colour", "Principal", "", "Site", "Building"];
        let layout = read(&headings, &[], &PROFILE).unwrap();
        assert_eq!(layout.place(Column::AssignedToEmail), Some(5));
        assert_eq!(layout.place(Column::Field(Field::Location)), Some(7));
        assert_eq!(
            layout.remarks,
            [
                "columns taken: Serial as serial, Name as hostname, Principal as assigned_to_email, Site as location",
                "columns left out: Compliance (judged here), Mailbox (Principal was taken), Building (Site was taken)",
                "ignored columns: Colour",
            ]
        );
    }

    #[test]
    fn what_is_chosen_goes_before_what_is_known() {
        let chosen = ["columns.Colour=location", "columns.Name=ignore"];
        let layout = read(&["Serial", "Name", "Colour", "Site"], &chosen, &PROFILE).unwrap();
        assert_eq!(layout.place(Column::Field(Field::Location)), Some(2));
        assert_eq!(layout.place(Column::Field(Field::Hostname)), None);
        let missing = read(&["Serial"], &["columns.Colour=location"], &PROFILE).unwrap_err();
        assert!(missing.to_string().contains("colour"), "{missing}");
    }

    #[test]
    fn two_columns_that_nothing_tells_apart_are_refused() {
        let refused = read(&["serial", "S/N"], &[], &Profile::PLAIN).unwrap_err();
        assert!(matches!(refused, ImportError::DoubleColumn { column: "serial", .. }));
        assert!(read(&["serial", "S/N"], &["columns.S/N=ignore"], &Profile::PLAIN).is_ok());
        let refused = read(&["model", "price"], &[], &Profile::PLAIN).unwrap_err();
        assert!(matches!(refused, ImportError::NoIdentifier { found } if found == "model, price"));
    }
}
