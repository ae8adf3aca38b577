//! What has to be said about one section, given what the collector is believed to hold of it.

use muster_common::{
    delta::{Delta, Manifest},
    inventory::SectionStatus,
};
use muster_proto::{convert, v1};

use super::{EncodedSection, HeadDigest};

/// What the collector is believed to hold of a section.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Held {
    /// The digests of the items; `None` when nothing is known, so that the next report has to be full.
    pub manifest: Option<Manifest>,
    /// Whether this is only what was sent: a full report of a partial section is merged into whatever the collector
    /// held before, so that nobody knows the digest of the result. Such a section is reported in full when it changes.
    pub merged: bool,
    /// The digest of status and errors; `None` when nothing is known.
    pub head: Option<HeadDigest>,
}

/// One section of a report, and what the collector holds once it is acknowledged.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// What is said.
    pub report: v1::SectionReport,
    /// What is then held.
    pub reached: Held,
}

impl Step {
    /// Whether the section is sent whole.
    pub fn is_full(&self) -> bool {
        let read = convert::status_from_wire(self.report.status);
        self.report.base_digest.is_none() && matches!(read, SectionStatus::Complete | SectionStatus::Partial)
    }
}

/// What has to be said; `None` when the collector holds it all. `anyway` says it even then, with an empty delta, so
/// that the collector compares.
pub fn step(section: &EncodedSection, held: &Held, anyway: bool) -> Option<Step> {
    let reached = reach(section, held);
    if reached == *held && !anyway {
        return None;
    }
    let mut report = v1::SectionReport {
        section: section.name().as_str().to_owned(),
        status: v1::SectionStatus::from(section.status()).into(),
        base_digest: None,
        result_digest: Vec::new(),
        upserts: Vec::new(),
        removed_keys: Vec::new(),
        errors: section.errors().to_vec(),
        changed_times: Vec::new(),
    };
    // What was not read leaves what is held: its digest is there for the form's sake and nobody compares it.
    let digest = |manifest: &Manifest| manifest.digest(section.name()).as_bytes().to_vec();
    let next = reached.manifest.clone().unwrap_or_default();
    report.result_digest = digest(&next);
    if section.has_content() {
        // Against nothing a delta is as long as the whole, which needs no agreement about the base.
        let all = |base: &&Manifest| section.status() == SectionStatus::Complete && base.is_empty();
        match base(held).filter(|base| !all(base)) {
            None => report.upserts = section.items().cloned().collect(),
            Some(base) => {
                let Delta { upserts, removed } = Delta::between(base, &next);
                report.base_digest = Some(digest(base));
                report.upserts = upserts.iter().filter_map(|(key, _)| section.item(key)).cloned().collect();
                report.removed_keys = removed.iter().map(|key| key.as_bytes().to_vec()).collect();
            }
        }
    }
    Some(Step { report, reached })
}

/// Whether there is anything to say about a section.
pub fn differs(section: &EncodedSection, held: &Held) -> bool {
    reach(section, held) != *held
}

/// What a delta can be told against.
fn base(held: &Held) -> Option<&Manifest> {
    held.manifest.as_ref().filter(|_| !held.merged)
}

/// What the collector holds once the section is reported.
fn reach(section: &EncodedSection, held: &Held) -> Held {
    let head = Some(section.head());
    let own = || Some(section.manifest().clone());
    match (section.status(), base(held)) {
        (SectionStatus::Complete, _) => Held { manifest: own(), merged: false, head },
        (SectionStatus::Partial, None) => Held { manifest: own(), merged: true, head },
        (SectionStatus::Partial, Some(base)) => {
            let delta = Delta::between(base, section.manifest()).without_removals();
            Held { manifest: Some(base.clone().apply(&delta)), merged: false, head }
        }
        // Whoever never heard of the section's items holds none.
        (SectionStatus::Failed | SectionStatus::NotAvailable, _) => {
            Held { manifest: Some(held.manifest.clone().unwrap_or_default()), head, merged: held.merged }
        }
    }
}

#[cfg(test)]
mod tests {
    use muster_common::inventory::{ErrorKind, Item, ItemKind, Package, Section, SectionName, SourceError};

    use super::*;

    fn section(status: SectionStatus, packages: &[(&str, u64)]) -> EncodedSection {
        let items = packages.iter().map(|(name, size)| {
            Item::new(ItemKind::Package(Package {
                name: (*name).to_owned(),
                size_bytes: Some(*size),
                ..Package::default()
            }))
        });
        EncodedSection::new(&Section {
            name: SectionName::known(SectionName::SOFTWARE_DPKG),
            status,
            items: items.collect(),
            errors: Vec::new(),
        })
    }

    /// Upserts, removals, whether a base is named, items then held.
    fn shape(step: &Step) -> (usize, usize, bool, Option<usize>) {
        (
            step.report.upserts.len(),
            step.report.removed_keys.len(),
            step.report.base_digest.is_some(),
            step.reached.manifest.as_ref().map(Manifest::len),
        )
    }

    #[test]
    fn each_status_on_each_base() {
        use SectionStatus::{Complete, Failed, NotAvailable, Partial};
        let base = step(&section(Complete, &[("a", 1), ("b", 1)]), &Held::default(), false).unwrap().reached;
        let nothing = step(&section(NotAvailable, &[]), &Held::default(), false).unwrap().reached;
        let next: &[(&str, u64)] = &[("b", 2), ("c", 1)];
        let cases = [
            (Complete, &Held::default(), (2, 0, false, Some(2))),
            (Partial, &Held::default(), (2, 0, false, Some(2))),
            (Failed, &Held::default(), (0, 0, false, Some(0))),
            (NotAvailable, &Held::default(), (0, 0, false, Some(0))),
            (Complete, &nothing, (2, 0, false, Some(2))),
            (Partial, &nothing, (2, 0, true, Some(2))),
            (Complete, &base, (2, 1, true, Some(2))),
            (Partial, &base, (2, 0, true, Some(3))),
            (Failed, &base, (0, 0, false, Some(2))),
            (NotAvailable, &base, (0, 0, false, Some(2))),
        ];
        for (status, held, expected) in cases {
            let section = section(status, next);
            let step = step(&section, held, false).unwrap();
            assert_eq!(shape(&step), expected, "{status:?} on {held:?}");
            assert_eq!(super::step(&section, &step.reached, false), None, "{status:?} was said twice");
        }
    }

    #[test]
    fn a_partial_section_without_a_known_base_goes_in_full_until_it_is_complete() {
        let mut held = Held::default();
        for (status, packages, expected) in [
            (SectionStatus::Partial, vec![("a", 1)], (1, 0, false, Some(1))),
            (SectionStatus::Partial, vec![("a", 1), ("b", 1)], (2, 0, false, Some(2))),
            (SectionStatus::Complete, vec![("a", 1), ("b", 2)], (2, 0, false, Some(2))),
            (SectionStatus::Partial, vec![("a", 2)], (1, 0, true, Some(2))),
        ] {
            let step = step(&section(status, &packages), &held, false).unwrap();
            assert_eq!(shape(&step), expected, "{status:?} {packages:?}");
            held = step.reached;
        }
    }

    #[test]
    fn only_errors_changed() {
        let quiet = section(SectionStatus::Complete, &[("a", 1)]);
        let held = step(&quiet, &Held::default(), false).unwrap().reached;
        let mut full = quiet.to_full();
        full.errors.push(v1::SourceError::from(&SourceError {
            subject: "x".to_owned(),
            kind: ErrorKind::Io,
            message: "y".to_owned(),
        }));
        let step = step(&EncodedSection::from_full(full).unwrap(), &held, false).unwrap();
        assert_eq!(shape(&step), (0, 0, true, Some(1)));
        assert_eq!(step.report.base_digest.as_ref(), Some(&step.report.result_digest));
        assert_eq!(step.report.errors.len(), 1);
    }

    #[test]
    fn asking_to_compare_sends_an_empty_delta() {
        let section = section(SectionStatus::Complete, &[("a", 1)]);
        let held = step(&section, &Held::default(), false).unwrap().reached;
        assert_eq!(step(&section, &held, false), None);
        assert_eq!(shape(&step(&section, &held, true).unwrap()), (0, 0, true, Some(1)));
    }
}
