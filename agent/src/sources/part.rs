//! What one source found, and what it could not read, bounded from the start.
//!
//! Knows nothing of sections; a hostile database with a million bad entries must not cost a million error texts.

use muster_common::inventory::{ErrorKind, Item, SourceError};
use muster_proto::limits;

use crate::{host::HostError, sources::text};

/// The most items that a section may have.
pub const ITEMS_LIMIT: usize = limits::SECTION_ITEMS;

/// How many problems are kept as text; the rest is counted.
const PROBLEMS_LIMIT: usize = limits::SECTION_ERRORS;
/// Longest message or subject in bytes.
const MESSAGE_LIMIT: usize = 300;

/// What only a running machine tells.
pub(crate) const NOT_RECORDED: &str = "not available from a recording";

/// Items of one source with its problems.
#[derive(Debug, Clone, Default)]
pub struct SectionPart {
    /// What was found.
    pub items: Vec<Item>,
    /// What could not be read.
    pub problems: Problems,
}

/// What could not be read: the first entries, and how many more there were.
#[derive(Debug, Clone, Default)]
pub struct Problems {
    entries: Vec<SourceError>,
    dropped: u64,
    anything_missing: bool,
}

impl Problems {
    /// Notes a problem.
    pub fn add(&mut self, subject: &str, kind: ErrorKind, message: impl AsRef<str>) {
        self.anything_missing |= !matches!(kind, ErrorKind::NotAvailable | ErrorKind::Absent);
        if self.entries.len() == PROBLEMS_LIMIT {
            self.dropped += 1;
            return;
        }
        self.entries.push(SourceError {
            subject: text::bounded(subject, MESSAGE_LIMIT),
            kind,
            message: text::bounded(message.as_ref(), MESSAGE_LIMIT),
        });
    }

    /// Notes that this machine doesn't have `what`, which is as it should be: the collector is told, people aren't.
    pub(crate) fn absent(&mut self, path: &str, what: &str) {
        self.add(path, ErrorKind::Absent, format!("this system has no {what}"));
    }

    /// Notes that nobody asked for it on this machine, and how one would: the collector is told, people aren't.
    pub(crate) fn off(&mut self, subject: &str, how: &str) {
        self.add(subject, ErrorKind::Absent, format!("off: {how}"));
    }

    /// Notes that a path could not be read.
    pub fn add_error(&mut self, error: HostError) {
        self.add_entry(error.into());
    }

    /// Notes a problem that is an entry already.
    pub fn add_entry(&mut self, entry: SourceError) {
        self.add(&entry.subject, entry.kind, &entry.message);
    }

    /// Notes a problem unless there is one with its subject.
    pub fn add_unless_told(&mut self, entry: SourceError) {
        if !self.entries.iter().any(|told| told.subject == entry.subject) {
            self.add_entry(entry);
        }
    }

    /// Takes over another source's problems. What both met, such as homes that are hidden, is one.
    pub fn append(&mut self, other: Self) {
        let Self { entries, dropped, anything_missing } = other;
        for entry in entries {
            if !self.entries.contains(&entry) {
                self.add_entry(entry);
            }
        }
        self.dropped += dropped;
        self.anything_missing |= anything_missing;
    }

    /// Whether nothing went wrong.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many there are, those that were dropped included.
    pub fn count(&self) -> usize {
        self.entries.len().saturating_add(usize::try_from(self.dropped).unwrap_or(usize::MAX))
    }

    /// Whether something that should be readable was not, as opposed to what this machine does not have.
    pub fn anything_missing(&self) -> bool {
        self.anything_missing
    }

    /// The entries, at most 64; the last one says how many were dropped.
    pub fn into_entries(mut self) -> Vec<SourceError> {
        if self.dropped > 0 {
            let cut = self.entries.len().saturating_sub(PROBLEMS_LIMIT - 1);
            self.entries.truncate(PROBLEMS_LIMIT - 1);
            let dropped = self.dropped + u64::try_from(cut).unwrap_or(0);
            self.entries.push(SourceError {
                subject: "errors".to_owned(),
                kind: ErrorKind::TooLarge,
                message: format!("{dropped} more errors were dropped"),
            });
        }
        self.entries
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_counted() {
        let mut first = Problems::default();
        first.add("a", ErrorKind::NotAvailable, "x");
        assert!(!first.anything_missing());
        let mut second = Problems::default();
        for number in 0..1000 {
            second.add("b", ErrorKind::Malformed, format!("{number} {}", "y".repeat(10_000)));
        }
        first.append(second);
        assert!(first.anything_missing());
        let entries = first.into_entries();
        assert_eq!(entries.len(), PROBLEMS_LIMIT);
        assert_eq!(entries[PROBLEMS_LIMIT - 1].message, "938 more errors were dropped");
        assert!(entries[5].message.len() <= MESSAGE_LIMIT);
        let mut absent = Problems::default();
        absent.absent("c", "rpm database");
        absent.off("certificates", "no folder is named");
        assert!(!absent.anything_missing());
        assert!(absent.into_entries().iter().all(|entry| entry.kind == ErrorKind::Absent));
    }

    #[test]
    fn what_two_sources_of_a_section_met_is_one_problem() {
        let hidden = || {
            let mut problems = Problems::default();
            problems.add("home", ErrorKind::NotPermitted, "homes are hidden");
            problems
        };
        let mut both = hidden();
        both.append(hidden());
        both.add("home", ErrorKind::NotPermitted, "another word");
        assert_eq!(both.into_entries().len(), 2);
    }
}
