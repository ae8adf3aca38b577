//! Sections with every item encoded once.
//!
//! The bytes made here are the ones that both ends hash, send and keep; nothing encodes an item a second time. An
//! item that the collector would have to refuse is left out with an error entry, so that it can't spoil a report.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use muster_common::{
    delta::{ItemDigest, KeyDigest, Manifest},
    inventory::{ErrorKind, Installation, Inventory, Item, Section, SectionName, SectionStatus, SourceError},
    time::EndpointTime,
};
use muster_proto::{convert, limits, v1};
use prost::Message;

use super::evidence;
use crate::permissions::Permissions;

/// The encoded items of one section, together, in bytes; what is beyond is left out and the section is partial.
pub const SECTION_BYTES: usize = 16 * 1024 * 1024;

/// An inventory that is ready to be compared and sent.
#[derive(Debug, Clone)]
pub struct EncodedInventory {
    /// When it was collected, by the endpoint's clock.
    pub observed: Option<EndpointTime>,
    /// By name, at most [`limits::SECTIONS`].
    pub sections: BTreeMap<SectionName, Arc<EncodedSection>>,
    /// What tells which device this is; see [`super::evidence()`].
    pub evidence: Vec<v1::Item>,
    /// What of people was allowed to be read for it.
    pub permissions: Permissions,
    /// Sections that were not read because nothing of them is allowed: what was told of them before is taken back.
    pub withheld: Vec<SectionName>,
}

/// A section whose items are encoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodedSection {
    name: SectionName,
    status: SectionStatus,
    items: BTreeMap<KeyDigest, v1::EncodedItem>,
    errors: Vec<v1::SourceError>,
    manifest: Manifest,
    item_bytes: usize,
}

/// Tells apart two states of a section's status and errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct HeadDigest([u8; 16]);

impl HeadDigest {
    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// From bytes that were stored; `None` when their number is wrong.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }
}

impl EncodedInventory {
    /// Encodes every item of an inventory once.
    pub fn new(inventory: &Inventory) -> Self {
        let sections = inventory.sections.iter().take(limits::SECTIONS);
        Self {
            observed: inventory.collected,
            sections: sections
                .map(|section| (section.name.clone(), Arc::new(EncodedSection::new(section))))
                .collect(),
            evidence: evidence(inventory),
            permissions: Permissions::default(),
            withheld: Vec::new(),
        }
    }

    /// The same inventory, read under these permissions, which left these sections out.
    #[must_use]
    pub fn read_under(self, permissions: Permissions, withheld: Vec<SectionName>) -> Self {
        Self { permissions, withheld, ..self }
    }
}

impl EncodedSection {
    /// Encodes every item of a section once. Sections that were not read have no items, whatever they hold.
    pub fn new(section: &Section) -> Self {
        let mut encoded = Self::empty(section.name.clone(), section.status);
        let mut left_out = LeftOut::default();
        if encoded.has_content() {
            for item in &section.items {
                encoded.encode(item, &mut left_out);
            }
            encoded.count();
        }
        if left_out.is_incomplete() && encoded.status == SectionStatus::Complete {
            encoded.status = SectionStatus::Partial;
        }
        let errors = section.errors.iter().cloned();
        encoded.errors = errors
            .chain(left_out.errors(&section.name))
            .take(limits::SECTION_ERRORS)
            .map(|error| v1::SourceError::from(&bounded(error)))
            .collect();
        encoded
    }

    /// Takes a section back from the full form that [`to_full`](Self::to_full) made; `None` if it can't be one.
    pub fn from_full(full: v1::SectionReport) -> Option<Self> {
        let v1::SectionReport {
            section,
            status,
            base_digest,
            result_digest: _,
            upserts,
            removed_keys,
            errors,
            changed_times: _,
        } = full;
        let mut encoded = Self::empty(SectionName::new(section).ok()?, convert::status_from_wire(status));
        if base_digest.is_some() || !removed_keys.is_empty() {
            return None;
        }
        for item in upserts {
            let key = KeyDigest::from_slice(&item.key_digest)?;
            encoded.item_bytes += item.encoded_len();
            encoded.items.insert(key, item);
        }
        encoded.errors = errors;
        encoded.count();
        Some(encoded)
    }

    /// The whole section as a report, without digests: the form in which it is kept on disk.
    pub fn to_full(&self) -> v1::SectionReport {
        v1::SectionReport {
            section: self.name.as_str().to_owned(),
            status: v1::SectionStatus::from(self.status).into(),
            base_digest: None,
            result_digest: Vec::new(),
            upserts: self.items.values().cloned().collect(),
            removed_keys: Vec::new(),
            errors: self.errors.clone(),
            changed_times: Vec::new(),
        }
    }

    /// The section's name.
    pub fn name(&self) -> &SectionName {
        &self.name
    }

    /// How far it could be read.
    pub fn status(&self) -> SectionStatus {
        self.status
    }

    /// Whether there is anything to compare: a section that was not read says nothing about its items.
    pub fn has_content(&self) -> bool {
        match self.status {
            SectionStatus::Complete | SectionStatus::Partial => true,
            SectionStatus::Failed | SectionStatus::NotAvailable => false,
        }
    }

    /// What could not be read, at most [`limits::SECTION_ERRORS`].
    pub fn errors(&self) -> &[v1::SourceError] {
        &self.errors
    }

    /// The digests of its items.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// An item as it was encoded.
    pub fn item(&self, key: &KeyDigest) -> Option<&v1::EncodedItem> {
        self.items.get(key)
    }

    /// All items in the order of their key digests.
    pub fn items(&self) -> impl Iterator<Item = &v1::EncodedItem> {
        self.items.values()
    }

    /// The encoded items' size in bytes.
    pub fn item_bytes(&self) -> usize {
        self.item_bytes
    }

    /// The digest of status and errors.
    pub fn head(&self) -> HeadDigest {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&i32::from(v1::SectionStatus::from(self.status)).to_le_bytes());
        for error in &self.errors {
            hasher.update(&error.encode_length_delimited_to_vec());
        }
        let mut short = [0; 16];
        short.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        HeadDigest(short)
    }

    fn empty(name: SectionName, status: SectionStatus) -> Self {
        Self {
            name,
            status,
            items: BTreeMap::new(),
            errors: Vec::new(),
            manifest: Manifest::default(),
            item_bytes: 0,
        }
    }

    fn encode(&mut self, item: &Item, left_out: &mut LeftOut) {
        let mut wire = convert::item_to_wire(item);
        // Nearly every package is simply installed: said by silence, it is the catalogue's entry and nothing more.
        let said = item.installation.as_ref().is_some_and(|place| *place != Installation::default());
        let installation = wire.installation.take().filter(|_| said);
        let installation = installation.map_or_else(Bytes::new, |place| place.encode_to_vec().into());
        let body: Bytes = wire.encode_to_vec().into();
        if let Err(invalid) = convert::item_from_body(&body, &installation) {
            left_out.refused += 1;
            left_out.reason.get_or_insert_with(|| invalid.to_string());
            return;
        }
        let key = KeyDigest::of(&item.key());
        let encoded =
            v1::EncodedItem { key_digest: Bytes::copy_from_slice(key.as_bytes()), body, installation };
        let length = encoded.encoded_len();
        if self.items.len() >= limits::SECTION_ITEMS || self.item_bytes + length > SECTION_BYTES {
            left_out.beyond += 1;
        } else if self.items.contains_key(&key) {
            left_out.repeated += 1;
        } else {
            self.item_bytes += length;
            self.items.insert(key, encoded);
        }
    }

    fn count(&mut self) {
        self.manifest = self
            .items
            .iter()
            .map(|(key, item)| (*key, ItemDigest::of(&item.body, &item.installation)))
            .collect();
    }
}

/// Items that a section had and that could not be taken.
#[derive(Debug, Default)]
struct LeftOut {
    refused: usize,
    reason: Option<String>,
    beyond: usize,
    repeated: usize,
}

impl LeftOut {
    /// Whether something is missing; a repeated key is not, since its first item stands for it.
    fn is_incomplete(&self) -> bool {
        self.refused + self.beyond > 0
    }

    fn errors(self, section: &SectionName) -> impl Iterator<Item = SourceError> {
        let Self { refused, reason, beyond, repeated } = self;
        let subject = section.as_str().to_owned();
        let entry = move |count: usize, kind, message: String| {
            (count > 0).then(|| SourceError { subject: subject.clone(), kind, message })
        };
        [
            entry(
                refused,
                ErrorKind::Malformed,
                format!("{refused} items can't be sent, the first because {}", reason.unwrap_or_default()),
            ),
            entry(beyond, ErrorKind::TooLarge, format!("{beyond} items are beyond the bounds of a section")),
            entry(
                repeated,
                ErrorKind::Malformed,
                format!("{repeated} items have the key of another and were left out"),
            ),
        ]
        .into_iter()
        .flatten()
    }
}

/// An error entry within the bounds of the wire.
fn bounded(error: SourceError) -> SourceError {
    let SourceError { subject, kind, message } = error;
    SourceError { subject: cut(subject), kind, message: cut(message) }
}

fn cut(mut text: String) -> String {
    if text.contains('\0') {
        text = text.replace('\0', " ");
    }
    let mut end = text.len().min(limits::TEXT_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    text
}

#[cfg(test)]
mod tests {
    use muster_common::inventory::{ItemKind, Package};

    use super::*;

    fn package(name: &str, version: &str) -> Item {
        Item::new(ItemKind::Package(Package {
            purl_type: "deb".to_owned(),
            namespace: "debian".to_owned(),
            name: name.to_owned(),
            version: version.to_owned(),
            architecture: "amd64".to_owned(),
            ..Package::default()
        }))
    }

    fn section(status: SectionStatus, items: Vec<Item>) -> Section {
        Section { name: SectionName::known(SectionName::SOFTWARE_DPKG), status, items, errors: Vec::new() }
    }

    #[test]
    fn items_come_back_from_their_bytes_and_order_does_not_matter() {
        let items = vec![package("bash", "5.2"), package("zlib1g", "1.3")];
        let forward = EncodedSection::new(&section(SectionStatus::Complete, items.clone()));
        let backward =
            EncodedSection::new(&section(SectionStatus::Complete, items.iter().rev().cloned().collect()));
        assert_eq!(forward, backward);
        for item in &items {
            let encoded = forward.item(&KeyDigest::of(&item.key())).unwrap();
            let read = convert::item_from_body(&encoded.body, &encoded.installation).unwrap();
            assert_eq!(read.as_ref(), Some(item));
        }
    }

    #[test]
    fn only_an_installation_that_says_something_is_sent() {
        for (held, expected_empty) in [(false, true), (true, false)] {
            let installation = Some(Installation { held, ..Installation::default() });
            let items = vec![Item { installation, ..package("bash", "5.2") }];
            let encoded = EncodedSection::new(&section(SectionStatus::Complete, items));
            let sent = encoded.items().next().unwrap();
            assert_eq!(sent.installation.is_empty(), expected_empty, "held: {held}");
        }
    }

    #[test]
    fn the_full_form_round_trips() {
        let encoded = EncodedSection::new(&section(SectionStatus::Complete, vec![package("bash", "5.2")]));
        assert_eq!(EncodedSection::from_full(encoded.to_full()), Some(encoded.clone()));
        let delta = v1::SectionReport { base_digest: Some(Vec::new()), ..encoded.to_full() };
        assert_eq!(EncodedSection::from_full(delta), None);
    }

    #[test]
    fn what_the_collector_would_refuse_is_left_out_and_said() {
        let long = "x".repeat(limits::TEXT_BYTES + 1);
        let items =
            vec![package("good", "1"), package(&long, "1"), package("nul\0", "1"), package("good", "1")];
        let encoded = EncodedSection::new(&section(SectionStatus::Complete, items));
        assert_eq!(encoded.manifest().len(), 1);
        assert_eq!(encoded.status(), SectionStatus::Partial);
        let messages: Vec<&str> = encoded.errors().iter().map(|error| error.message.as_str()).collect();
        assert_eq!(messages.len(), 2, "{messages:?}");
        assert!(messages[0].starts_with("2 items can't be sent, the first because name has 1025"));
        assert!(messages[1].starts_with("1 items have the key of another"));
    }

    #[test]
    fn a_section_that_was_not_read_has_no_content() {
        for status in [SectionStatus::Failed, SectionStatus::NotAvailable] {
            let encoded = EncodedSection::new(&section(status, vec![package("bash", "5.2")]));
            assert!(encoded.manifest().is_empty() && !encoded.has_content());
        }
    }

    #[test]
    fn errors_are_bounded_and_are_part_of_the_head() {
        let mut failing = section(SectionStatus::Partial, Vec::new());
        let before = EncodedSection::new(&failing).head();
        failing.errors = vec![
            SourceError {
                subject: "é".repeat(limits::TEXT_BYTES),
                kind: ErrorKind::Io,
                message: "a\0b".to_owned()
            };
            limits::SECTION_ERRORS + 5
        ];
        let encoded = EncodedSection::new(&failing);
        assert_ne!(encoded.head(), before);
        assert!(convert::section_errors_from_wire(encoded.errors().to_vec()).is_ok());
    }
}
