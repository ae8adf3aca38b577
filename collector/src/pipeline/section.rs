//! A section's update carried out on what is known: the collector's half of the delta.
//!
//! Pure: knows nothing of stores and streams. The digest at the end decides, so that both ends can never drift apart.

use std::collections::{BTreeMap, HashSet};

use muster_common::{
    delta::{ItemDigest, KeyDigest, SectionDigest},
    inventory::{SectionName, SectionStatus},
    time::Timestamp,
};

use super::observation::SectionUpdate;
use crate::{
    records::{
        SectionHead,
        content::{Content, OwnRow, RawItem, SoftwareRow},
    },
    store::CatalogueId,
};

/// What an update led to.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Applied {
    /// The section as it is now; no content when only its head changed.
    Changed(SectionHead, Option<Content>),
    /// Nothing changed.
    Unchanged,
    /// The base is not what is here, or the result is not what it should be: the source must send all of it.
    Wanted,
    /// The whole section does not have the digest that came with it: asking again would not help.
    Broken,
}

/// The section that an update meets.
#[derive(Debug, Clone)]
pub(super) struct Present {
    pub(super) head: SectionHead,
    /// Present unless the update stands by itself.
    pub(super) content: Option<Content>,
}

/// Whether the content that is here has a say in the outcome.
pub(super) fn needs_content(update: &SectionUpdate) -> bool {
    update.base.is_some() || update.status == SectionStatus::Partial
}

/// Carries out an update.
///
/// `titles` are the catalogue numbers of the upserts when the section is software, in their order; `pair` looks up a
/// catalogue entry.
pub(super) fn apply(
    present: Option<&Present>,
    update: &SectionUpdate,
    titles: &[CatalogueId],
    pair: impl Fn(CatalogueId) -> Option<(KeyDigest, ItemDigest)>,
    now: Timestamp,
) -> Applied {
    if matches!(update.status, SectionStatus::Failed | SectionStatus::NotAvailable) {
        return without_content(present, update, now);
    }
    let base = match (update.base, present) {
        (None, _) if update.status == SectionStatus::Complete => None,
        (None, present) => present.and_then(|present| present.content.as_ref()),
        (Some(base), Some(present)) if present.head.digest == Some(base) => match &present.content {
            Some(content) => Some(content),
            None => return Applied::Wanted,
        },
        (Some(_), _) => return Applied::Wanted,
    };
    let (content, digest) = if update.name.is_software() {
        merge_software(base, update, titles, pair)
    } else {
        merge_items(base, update)
    };
    let digest_known = update.base.is_some() || update.status == SectionStatus::Complete;
    if digest_known && digest != update.result {
        return if update.base.is_some() { Applied::Wanted } else { Applied::Broken };
    }
    let head = SectionHead {
        digest: digest_known.then_some(digest),
        status: update.status,
        errors: update.errors.clone(),
        observed: now,
        items: u32::try_from(content.len()).unwrap_or(u32::MAX),
    };
    match present {
        Some(present) if same_but_time(&present.head, &head) && head.digest.is_some() => Applied::Unchanged,
        Some(_) | None => Applied::Changed(head, Some(content)),
    }
}

/// A source that could not read anything: its word of before stands, with the errors of now.
fn without_content(present: Option<&Present>, update: &SectionUpdate, now: Timestamp) -> Applied {
    let head = match present {
        Some(present) => SectionHead {
            status: update.status,
            errors: update.errors.clone(),
            observed: now,
            ..present.head.clone()
        },
        None => SectionHead {
            digest: Some(SectionDigest::of(&update.name, [])),
            status: update.status,
            errors: update.errors.clone(),
            observed: now,
            items: 0,
        },
    };
    match present {
        Some(present) if same_but_time(&present.head, &head) => Applied::Unchanged,
        Some(_) | None => Applied::Changed(head, None),
    }
}

fn same_but_time(a: &SectionHead, b: &SectionHead) -> bool {
    a.digest == b.digest && a.status == b.status && a.errors == b.errors && a.items == b.items
}

fn merge_items(base: Option<&Content>, update: &SectionUpdate) -> (Content, SectionDigest) {
    let mut items: BTreeMap<KeyDigest, RawItem> = match base {
        Some(Content::Items(items)) => items.iter().map(|item| (item.key, item.clone())).collect(),
        Some(Content::Software(_)) | None => BTreeMap::new(),
    };
    for key in &update.removed {
        items.remove(key);
    }
    items.extend(update.upserts.iter().map(|item| (item.key, item.clone())));
    let digest = SectionDigest::of(&update.name, items.iter().map(|(key, item)| (*key, item.digest)));
    (Content::Items(items.into_values().collect()), digest)
}

/// A row with its pair, while rows are merged by key.
struct Keyed {
    key: KeyDigest,
    digest: ItemDigest,
    row: SoftwareRow,
}

fn merge_software(
    base: Option<&Content>,
    update: &SectionUpdate,
    titles: &[CatalogueId],
    pair: impl Fn(CatalogueId) -> Option<(KeyDigest, ItemDigest)>,
) -> (Content, SectionDigest) {
    let removed: HashSet<KeyDigest> = update.removed.iter().copied().collect();
    let mut rows: Vec<Keyed> = match base {
        Some(Content::Software(rows)) => rows
            .iter()
            .filter_map(|row| {
                let (key, digest) = match &row.own {
                    Some(own) => (own.key, own.digest),
                    None => pair(row.title)?,
                };
                (!removed.contains(&key)).then(|| Keyed { key, digest, row: row.clone() })
            })
            .collect(),
        Some(Content::Items(_)) | None => Vec::new(),
    };
    rows.reserve(update.upserts.len());
    for (item, title) in update.upserts.iter().zip(titles) {
        let own = (pair(*title) != Some((item.key, item.digest))).then(|| OwnRow {
            key: item.key,
            digest: item.digest,
            installation: item.installation.clone(),
        });
        rows.push(Keyed { key: item.key, digest: item.digest, row: SoftwareRow { title: *title, own } });
    }
    // The sort is stable, so that an upsert stands behind the row that it replaces.
    rows.sort_by_key(|row| row.key);
    let mut merged: Vec<Keyed> = Vec::with_capacity(rows.len());
    for row in rows {
        match merged.last_mut() {
            Some(last) if last.key == row.key => *last = row,
            Some(_) | None => merged.push(row),
        }
    }
    let digest = SectionDigest::of(&update.name, merged.iter().map(|row| (row.key, row.digest)));
    let mut rows: Vec<SoftwareRow> = merged.into_iter().map(|keyed| keyed.row).collect();
    rows.sort_by_key(|row| row.title);
    (Content::Software(rows), digest)
}

/// The titles that came and went, each in ascending order and once for each row.
pub(super) fn titles_changed(
    before: &[CatalogueId],
    after: &[CatalogueId],
) -> (Vec<CatalogueId>, Vec<CatalogueId>) {
    let (mut added, mut removed) = (Vec::new(), Vec::new());
    let (mut old, mut new) = (before.iter().peekable(), after.iter().peekable());
    loop {
        match (old.peek(), new.peek()) {
            (Some(a), Some(b)) if a == b => {
                old.next();
                new.next();
            }
            (Some(a), Some(b)) if a < b => removed.extend(old.next()),
            (Some(_), None) => removed.extend(old.next()),
            (Some(_) | None, Some(_)) => added.extend(new.next()),
            (None, None) => return (added, removed),
        }
    }
}

/// The titles of a section's content.
pub(super) fn titles_of(content: Option<&Content>) -> Vec<CatalogueId> {
    match content {
        Some(Content::Software(rows)) => rows.iter().map(|row| row.title).collect(),
        Some(Content::Items(_)) | None => Vec::new(),
    }
}

/// Whether a section's items tell which device it is and what it is: all that is no software.
pub(super) fn is_evidence(name: &SectionName) -> bool {
    matches!(
        name.as_str(),
        SectionName::HARDWARE
            | SectionName::STORAGE
            | SectionName::NETWORK
            | SectionName::OS
            | SectionName::MONITORS
            | SectionName::CLOUD
    )
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use bytes::Bytes;
    use muster_common::{
        delta::{Delta, Manifest},
        inventory::SourceError,
    };
    use proptest::prelude::{any, prop, proptest};

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_000);

    fn item(key: u8, body: u8) -> RawItem {
        let body = Bytes::from(vec![key, body]);
        let digest = ItemDigest::of(&body, &[]);
        RawItem { key: KeyDigest::of(&key.to_string()), digest, body, installation: Bytes::new() }
    }

    fn items(from: &BTreeMap<u8, u8>) -> Vec<RawItem> {
        from.iter().map(|(key, body)| item(*key, *body)).collect()
    }

    fn manifest(items: &[RawItem]) -> Manifest {
        items.iter().map(|item| (item.key, item.digest)).collect()
    }

    /// A catalogue that numbers bodies as they come.
    #[derive(Default)]
    struct Titles(Vec<(KeyDigest, ItemDigest)>, HashMap<ItemDigest, u32>);

    impl Titles {
        fn number(&mut self, items: &[RawItem]) -> Vec<CatalogueId> {
            items
                .iter()
                .map(|item| {
                    let next = self.0.len() as u32 + 1;
                    let number = *self.1.entry(item.digest).or_insert(next);
                    if number == next {
                        self.0.push((item.key, item.digest));
                    }
                    CatalogueId::from_number(number)
                })
                .collect()
        }

        fn pair(&self, id: CatalogueId) -> Option<(KeyDigest, ItemDigest)> {
            self.0.get(id.number() as usize - 1).copied()
        }
    }

    fn full(name: &'static str, items: Vec<RawItem>) -> SectionUpdate {
        let name = SectionName::known(name);
        SectionUpdate {
            result: manifest(&items).digest(&name),
            name,
            status: SectionStatus::Complete,
            base: None,
            upserts: items,
            removed: Vec::new(),
            errors: Vec::new(),
        }
    }

    fn taken(applied: Applied) -> Present {
        match applied {
            Applied::Changed(head, content) => Present { head, content },
            other => panic!("expected a change, not {other:?}"),
        }
    }

    proptest! {
        #[test]
        fn a_delta_leads_where_the_source_is(
            a in prop::collection::btree_map(any::<u8>(), 0u8..4, 0..30),
            b in prop::collection::btree_map(any::<u8>(), 0u8..4, 0..30),
            software in any::<bool>(),
        ) {
            let name = if software { SectionName::SOFTWARE_DPKG } else { SectionName::HARDWARE };
            let (before, after) = (items(&a), items(&b));
            let mut titles = Titles::default();
            let numbers = titles.number(&before);
            let present = taken(apply(None, &full(name, before.clone()), &numbers, |id| titles.pair(id), NOW));

            let delta = Delta::between(&manifest(&before), &manifest(&after));
            let upserts: Vec<RawItem> =
                after.iter().filter(|item| delta.upserts.iter().any(|(key, _)| *key == item.key)).cloned().collect();
            let name = SectionName::known(name);
            let update = SectionUpdate {
                base: Some(manifest(&before).digest(&name)),
                result: manifest(&after).digest(&name),
                name: name.clone(),
                status: SectionStatus::Complete,
                upserts,
                removed: delta.removed.clone(),
                errors: Vec::new(),
            };
            let numbers = titles.number(&update.upserts);
            let applied = apply(Some(&present), &update, &numbers, |id| titles.pair(id), NOW);
            if a == b {
                assert_eq!(applied, Applied::Unchanged);
            } else {
                let content = taken(applied).content.unwrap();
                assert_eq!(content.manifest(|id| titles.pair(id)), manifest(&after));
            }
        }
    }

    #[test]
    fn what_does_not_fit_is_asked_for_again() {
        let present = taken(apply(None, &full(SectionName::OS, vec![item(1, 1)]), &[], |_| None, NOW));
        let mut update = full(SectionName::OS, vec![item(2, 2)]);
        update.base = Some(manifest(&[item(9, 9)]).digest(&update.name));
        assert_eq!(apply(Some(&present), &update, &[], |_| None, NOW), Applied::Wanted, "unknown base");
        update.base = present.head.digest;
        assert_eq!(apply(Some(&present), &update, &[], |_| None, NOW), Applied::Wanted, "wrong result");
        assert_eq!(apply(None, &update, &[], |_| None, NOW), Applied::Wanted, "no base");
        update.base = None;
        update.result = manifest(&[]).digest(&update.name);
        assert_eq!(apply(Some(&present), &update, &[], |_| None, NOW), Applied::Broken);
    }

    #[test]
    fn a_failed_or_partial_reading_removes_nothing() {
        let present = taken(apply(None, &full(SectionName::OS, vec![item(1, 1)]), &[], |_| None, NOW));
        let mut update = full(SectionName::OS, Vec::new());
        update.status = SectionStatus::Failed;
        update.errors = vec![SourceError {
            subject: "etc/os-release".to_owned(),
            kind: muster_common::inventory::ErrorKind::NotPermitted,
            message: "permission denied".to_owned(),
        }];
        match apply(Some(&present), &update, &[], |_| None, NOW) {
            Applied::Changed(head, None) => {
                assert_eq!((head.items, head.digest), (1, present.head.digest));
                assert_eq!(head.errors.len(), 1);
            }
            other => panic!("{other:?}"),
        }
        let mut update = full(SectionName::OS, vec![item(2, 2)]);
        update.status = SectionStatus::Partial;
        let content = taken(apply(Some(&present), &update, &[], |_| None, NOW)).content.unwrap();
        assert_eq!(content.manifest(|_| None), manifest(&[item(1, 1), item(2, 2)]));
    }
}
