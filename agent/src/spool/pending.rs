//! The sections that the collector doesn't have yet, as a file.

use std::path::Path;

use muster_common::time::EndpointTime;
use muster_proto::{limits, v1};
use prost::Message;

use crate::{
    report::EncodedSection,
    state_file::{self, Form, StateFileError},
};

/// How many times of changes are kept for a section; the oldest and the newest ones matter, so the middle goes.
pub const CHANGE_TIMES: usize = limits::SECTION_CHANGED_TIMES;
/// The file's bound unless one is configured, in bytes.
pub const DEFAULT_LIMIT_BYTES: usize = 16 * 1024 * 1024;

/// The name of the file in the state folder.
const FILE: &str = "spool-pending";
/// No configuration allows more than this, in bytes.
const MAX_LIMIT_BYTES: usize = 1024 * 1024 * 1024;
const FORM: Form = Form { mark: *b"MPEN", version: 1, limit: MAX_LIMIT_BYTES };

/// What is pending.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pending {
    /// When the newest content was collected, by the endpoint's clock.
    pub observed: Option<EndpointTime>,
    /// The sections that differ from the baseline.
    pub sections: Vec<PendingSection>,
}

/// One section that the collector doesn't have yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingSection {
    /// Its newest content.
    pub section: EncodedSection,
    /// When it changed since the baseline, oldest first, at most [`CHANGE_TIMES`].
    pub changes: Vec<EndpointTime>,
}

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Saved {
    /// The file's content in bytes.
    pub bytes: usize,
    /// Sections that did not fit and are in memory alone.
    pub left_out: usize,
}

impl Pending {
    /// Reads the file of a state folder; without one nothing is pending.
    pub fn load(folder: &Path) -> Result<Self, StateFileError> {
        let path = folder.join(FILE);
        let Some(body) = state_file::read(&path, FORM)? else { return Ok(Self::default()) };
        let stored = StoredPending::decode(body.as_slice()).ok();
        stored.and_then(Self::from_stored).ok_or(StateFileError::Damaged { path })
    }

    /// Writes the file, atomically and durably, with the smallest sections first as long as they fit into `limit`
    /// bytes.
    pub fn save(&self, folder: &Path, limit: usize) -> Result<Saved, StateFileError> {
        let mut by_size: Vec<&PendingSection> = self.sections.iter().collect();
        by_size.sort_by_key(|pending| pending.section.item_bytes());
        let mut stored = StoredPending {
            observed_ms: self.observed.map(EndpointTime::as_millis),
            sections: Vec::with_capacity(by_size.len()),
        };
        let mut saved = Saved::default();
        let mut used = 64;
        for pending in by_size {
            let section = StoredSection {
                full: Some(pending.section.to_full()),
                changes_ms: pending.changes.iter().map(|time| time.as_millis()).collect(),
            };
            let length = section.encoded_len() + 8;
            if used + length <= limit.min(MAX_LIMIT_BYTES) {
                used += length;
                stored.sections.push(section);
            } else {
                saved.left_out += 1;
            }
        }
        let body = stored.encode_to_vec();
        saved.bytes = body.len();
        state_file::write(&folder.join(FILE), FORM, &body)?;
        Ok(saved)
    }

    fn from_stored(stored: StoredPending) -> Option<Self> {
        let StoredPending { observed_ms, sections } = stored;
        if sections.len() > limits::SECTIONS {
            return None;
        }
        let sections = sections.into_iter().map(|StoredSection { full, changes_ms }| {
            let section = EncodedSection::from_full(full?)?;
            let changes = changes_ms.into_iter().take(CHANGE_TIMES).map(EndpointTime::from_millis).collect();
            Some(PendingSection { section, changes })
        });
        Some(Self {
            observed: observed_ms.map(EndpointTime::from_millis),
            sections: sections.collect::<Option<_>>()?,
        })
    }
}

#[derive(Clone, PartialEq, Message)]
struct StoredPending {
    #[prost(int64, optional, tag = "1")]
    observed_ms: Option<i64>,
    #[prost(message, repeated, tag = "2")]
    sections: Vec<StoredSection>,
}

#[derive(Clone, PartialEq, Message)]
struct StoredSection {
    #[prost(message, optional, tag = "1")]
    full: Option<v1::SectionReport>,
    #[prost(int64, repeated, tag = "2")]
    changes_ms: Vec<i64>,
}

#[cfg(test)]
mod tests {
    use muster_common::inventory::{Item, ItemKind, Package, Section, SectionName, SectionStatus};

    use super::*;

    fn pending(name: &str, items: usize) -> PendingSection {
        let package = |n: usize| {
            Item::new(ItemKind::Package(Package { name: format!("package-{n}"), ..Package::default() }))
        };
        let section = EncodedSection::new(&Section {
            name: SectionName::new(name).unwrap(),
            status: SectionStatus::Complete,
            items: (0..items).map(package).collect(),
            errors: Vec::new(),
        });
        PendingSection { section, changes: vec![EndpointTime::from_millis(5), EndpointTime::from_millis(9)] }
    }

    fn sample() -> Pending {
        Pending {
            observed: Some(EndpointTime::from_millis(9)),
            sections: vec![pending("hardware", 3), pending("software.dpkg", 1000)],
        }
    }

    #[test]
    fn it_comes_back_from_disk() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Pending::load(folder.path()).unwrap(), Pending::default());
        let saved = sample().save(folder.path(), DEFAULT_LIMIT_BYTES).unwrap();
        assert_eq!(saved.left_out, 0);
        assert_eq!(Pending::load(folder.path()).unwrap(), sample());
        Pending::default().save(folder.path(), DEFAULT_LIMIT_BYTES).unwrap();
        assert_eq!(Pending::load(folder.path()).unwrap(), Pending::default());
    }

    #[test]
    fn what_does_not_fit_is_left_out_and_counted() {
        let folder = tempfile::tempdir().unwrap();
        let saved = sample().save(folder.path(), 4096).unwrap();
        assert_eq!(saved.left_out, 1);
        assert!(saved.bytes <= 4096, "{saved:?}");
        let read = Pending::load(folder.path()).unwrap();
        assert_eq!(read.sections, [pending("hardware", 3)]);
    }

    #[test]
    fn damage_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let stored = StoredPending {
            observed_ms: None,
            sections: vec![StoredSection { full: None, changes_ms: Vec::new() }],
        };
        state_file::write(&folder.path().join(FILE), FORM, &stored.encode_to_vec()).unwrap();
        assert!(matches!(Pending::load(folder.path()), Err(StateFileError::Damaged { .. })));
    }
}
