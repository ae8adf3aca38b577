//! A section's content: software as numbers of the catalogue, anything else as the items came.
//!
//! Knows nothing of what the items mean. The pairs of key digest and item digest are kept or can be looked up, so that
//! no item is ever encoded again.

use bytes::Bytes;
use muster_common::delta::{ItemDigest, KeyDigest, Manifest};
use muster_proto::store::v1 as stored;

use super::{Malformed, Record};
use crate::store::CatalogueId;

/// An item as an agent sent it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawItem {
    /// Names it within the section.
    pub key: KeyDigest,
    /// Of body and installation.
    pub digest: ItemDigest,
    /// An encoded `muster.v1.Item` without its installation: a part of the message that it came in.
    pub body: Bytes,
    /// An encoded `muster.v1.Installation`, or empty.
    pub installation: Bytes,
}

/// A software row: a title of the catalogue, and what differs here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SoftwareRow {
    /// The title.
    pub title: CatalogueId,
    /// What differs here; `None` where the catalogue's entry says it all.
    pub own: Option<OwnRow>,
}

/// What differs from the catalogue's entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnRow {
    /// Names it within the section.
    pub key: KeyDigest,
    /// Of body and installation.
    pub digest: ItemDigest,
    /// An encoded `muster.v1.Installation`.
    pub installation: Bytes,
}

/// A section's content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Rows in the order of their titles.
    Software(Vec<SoftwareRow>),
    /// Items in the order of their keys.
    Items(Vec<RawItem>),
}

impl Content {
    /// The manifest; `title` looks up the pair of a catalogue entry without installation.
    pub fn manifest(&self, title: impl Fn(CatalogueId) -> Option<(KeyDigest, ItemDigest)>) -> Manifest {
        match self {
            Self::Items(items) => items.iter().map(|item| (item.key, item.digest)).collect(),
            Self::Software(rows) => rows
                .iter()
                .filter_map(|row| match &row.own {
                    Some(own) => Some((own.key, own.digest)),
                    None => title(row.title),
                })
                .collect(),
        }
    }

    /// How many items there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Software(rows) => rows.len(),
            Self::Items(items) => items.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Record for Content {
    type Stored = stored::SectionContent;

    fn to_stored(&self) -> stored::SectionContent {
        let mut stored = stored::SectionContent::default();
        match self {
            Self::Software(rows) => {
                let mut before = 0;
                for (place, row) in (0u32..).zip(rows) {
                    stored.catalogue_id_steps.push(row.title.number() - before);
                    before = row.title.number();
                    if let Some(own) = &row.own {
                        stored.own_rows.push(stored::OwnRow {
                            place,
                            key_digest: own.key.as_bytes().to_vec(),
                            item_digest: own.digest.as_bytes().to_vec(),
                            installation: own.installation.to_vec(),
                        });
                    }
                }
            }
            Self::Items(items) => {
                stored.items = items
                    .iter()
                    .map(|item| stored::StoredItem {
                        key_digest: item.key.as_bytes().to_vec(),
                        body: item.body.to_vec(),
                        installation: item.installation.to_vec(),
                    })
                    .collect();
            }
        }
        stored
    }

    fn from_stored(stored: stored::SectionContent) -> Result<Self, Malformed> {
        let stored::SectionContent { catalogue_id_steps, own_rows, items } = stored;
        if !items.is_empty() {
            return items.into_iter().map(item_from_stored).collect::<Result<_, _>>().map(Self::Items);
        }
        let mut title = 0u32;
        let mut rows = Vec::with_capacity(catalogue_id_steps.len());
        for step in catalogue_id_steps {
            title = title.checked_add(step).ok_or_else(|| Malformed("catalogue ids overflow".to_owned()))?;
            rows.push(SoftwareRow { title: CatalogueId::from_number(title), own: None });
        }
        for stored::OwnRow { place, key_digest, item_digest, installation } in own_rows {
            let key = KeyDigest::from_slice(&key_digest)
                .ok_or_else(|| Malformed("a key digest has a wrong length".to_owned()))?;
            let digest = ItemDigest::from_slice(&item_digest)
                .ok_or_else(|| Malformed("an item digest has a wrong length".to_owned()))?;
            let row = rows
                .get_mut(place as usize)
                .ok_or_else(|| Malformed(format!("there is no software row {place}")))?;
            row.own = Some(OwnRow { key, digest, installation: installation.into() });
        }
        Ok(Self::Software(rows))
    }
}

fn item_from_stored(stored: stored::StoredItem) -> Result<RawItem, Malformed> {
    let stored::StoredItem { key_digest, body, installation } = stored;
    let key = KeyDigest::from_slice(&key_digest)
        .ok_or_else(|| Malformed("a key digest has a wrong length".to_owned()))?;
    Ok(RawItem {
        key,
        digest: ItemDigest::of(&body, &installation),
        body: body.into(),
        installation: installation.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(content: &Content) {
        assert_eq!(&Content::from_stored(content.to_stored()).unwrap(), content);
    }

    #[test]
    fn contents_come_back_from_their_form_at_rest() {
        let key = KeyDigest::of("package\0deb\0debian\0openssl");
        let own = OwnRow {
            key,
            digest: ItemDigest::of(b"body", b"held"),
            installation: Bytes::from_static(b"held"),
        };
        let row = |number, own| SoftwareRow { title: CatalogueId::from_number(number), own };
        check(&Content::Software(vec![row(3, None), row(3, Some(own)), row(70_000, None)]));
        check(&Content::Software(Vec::new()));
        let (body, installation) = (Bytes::from_static(b"body"), Bytes::new());
        check(&Content::Items(vec![RawItem { key, digest: ItemDigest::of(&body, &[]), body, installation }]));
    }

    #[test]
    fn damage_is_an_error() {
        let steps = stored::SectionContent { catalogue_id_steps: vec![u32::MAX, 1], ..Default::default() };
        assert!(Content::from_stored(steps).is_err());
        let row = stored::OwnRow {
            place: 4,
            key_digest: vec![0; 16],
            item_digest: vec![0; 16],
            ..Default::default()
        };
        assert!(
            Content::from_stored(stored::SectionContent { own_rows: vec![row], ..Default::default() })
                .is_err()
        );
    }
}
