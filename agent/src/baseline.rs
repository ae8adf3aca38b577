//! What the collector has acknowledged, section by section, kept on disk as digests alone.
//!
//! A baseline that can't be read is no baseline: the next session reports everything in full. It moves only when a
//! report is acknowledged; it is forgotten for a section when the collector asks for that section in full.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use muster_common::{
    delta::{ItemDigest, KeyDigest, Manifest},
    inventory::SectionName,
};
use muster_proto::{limits, v1};
use prost::Message;

use crate::{
    report::{HeadDigest, Held},
    state_file::{self, Form, StateFileError},
};

/// The name of the file in the state folder.
pub const FILE: &str = "baseline";

const FORM: Form = Form { mark: *b"MBAS", version: 1, limit: 64 * 1024 * 1024 };
/// A key digest and an item digest.
const PAIR_BYTES: usize = 32;

/// What the collector is believed to hold of each section.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Baseline(BTreeMap<SectionName, Held>);

impl Baseline {
    /// Reads the file of a state folder; without one nothing is held.
    pub fn load(folder: &Path) -> Result<Self, StateFileError> {
        let path = folder.join(FILE);
        let Some(body) = state_file::read(&path, FORM)? else { return Ok(Self::default()) };
        let stored = StoredBaseline::decode(body.as_slice()).ok();
        stored.and_then(Self::from_stored).ok_or(StateFileError::Damaged { path })
    }

    /// Writes the file, atomically and durably.
    pub fn save(&self, folder: &Path) -> Result<(), StateFileError> {
        let sections = self.0.iter().map(|(name, held)| StoredHeld::new(name, held)).collect();
        state_file::write(&folder.join(FILE), FORM, &StoredBaseline { sections }.encode_to_vec())
    }

    /// What is held of a section.
    pub fn held(&self, section: &SectionName) -> Held {
        self.0.get(section).cloned().unwrap_or_default()
    }

    /// Moves a section's baseline; at most [`limits::SECTIONS`] sections are kept.
    pub fn set(&mut self, section: &SectionName, held: Held) {
        if self.0.len() < limits::SECTIONS || self.0.contains_key(section) {
            self.0.insert(section.clone(), held);
        }
    }

    /// Forgets sections that are not named when there are too many, such as those of an older agent's sources.
    pub fn make_room_for<'a>(&mut self, names: impl Iterator<Item = &'a SectionName>) {
        let names: BTreeSet<&SectionName> = names.collect();
        let new = names.iter().filter(|name| !self.0.contains_key(**name)).count();
        if self.0.len() + new > limits::SECTIONS {
            self.0.retain(|name, _| names.contains(name));
        }
    }

    /// Forgets a section, so that its next report is full.
    pub fn forget(&mut self, section: &SectionName) {
        self.0.remove(section);
    }

    /// What Hello claims: the digests of the sections whose items both ends know.
    pub fn digests(&self) -> Vec<v1::SectionDigest> {
        self.0
            .iter()
            .filter_map(|(name, held)| {
                let digest = held.manifest.as_ref().filter(|_| !held.merged)?.digest(name);
                Some(v1::SectionDigest {
                    section: name.as_str().to_owned(),
                    digest: digest.as_bytes().to_vec(),
                })
            })
            .collect()
    }

    fn from_stored(stored: StoredBaseline) -> Option<Self> {
        if stored.sections.len() > limits::SECTIONS {
            return None;
        }
        stored.sections.into_iter().map(StoredHeld::read).collect::<Option<_>>().map(Self)
    }
}

#[derive(Clone, PartialEq, Message)]
struct StoredBaseline {
    #[prost(message, repeated, tag = "1")]
    sections: Vec<StoredHeld>,
}

#[derive(Clone, PartialEq, Message)]
struct StoredHeld {
    #[prost(string, tag = "1")]
    name: String,
    /// Pairs of key digest and item digest, in order; absent when nothing is known.
    #[prost(bytes = "vec", optional, tag = "2")]
    pairs: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "3")]
    head: Option<Vec<u8>>,
    #[prost(bool, tag = "4")]
    merged: bool,
}

impl StoredHeld {
    fn new(name: &SectionName, held: &Held) -> Self {
        let pairs = |manifest: &Manifest| {
            let mut bytes = Vec::with_capacity(manifest.len() * PAIR_BYTES);
            for (key, item) in manifest.iter() {
                bytes.extend_from_slice(key.as_bytes());
                bytes.extend_from_slice(item.as_bytes());
            }
            bytes
        };
        Self {
            name: name.as_str().to_owned(),
            pairs: held.manifest.as_ref().map(pairs),
            head: held.head.map(|head| head.as_bytes().to_vec()),
            merged: held.merged,
        }
    }

    fn read(self) -> Option<(SectionName, Held)> {
        let Self { name, pairs, head, merged } = self;
        let manifest = match pairs {
            Some(pairs) if pairs.len() % PAIR_BYTES == 0 => Some(
                pairs
                    .chunks_exact(PAIR_BYTES)
                    .map(|pair| {
                        let (key, item) = pair.split_at(limits::KEY_DIGEST_BYTES);
                        Some((KeyDigest::from_slice(key)?, ItemDigest::from_slice(item)?))
                    })
                    .collect::<Option<Manifest>>()?,
            ),
            Some(_) => return None,
            None => None,
        };
        let head = match head {
            Some(head) => Some(HeadDigest::from_slice(&head)?),
            None => None,
        };
        Some((SectionName::new(name).ok()?, Held { manifest, merged, head }))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn held(items: u8) -> Held {
        let pair = |n: u8| (KeyDigest::of(&n.to_string()), ItemDigest::of(&[n], &[]));
        Held {
            manifest: Some((0..items).map(pair).collect()),
            merged: false,
            head: HeadDigest::from_slice(&[items; 16]),
        }
    }

    fn sample() -> Baseline {
        let mut baseline = Baseline::default();
        baseline.set(&SectionName::known(SectionName::HARDWARE), held(3));
        baseline.set(&SectionName::known(SectionName::OS), held(0));
        baseline.set(
            &SectionName::known(SectionName::STORAGE),
            Held { manifest: None, merged: false, head: HeadDigest::from_slice(&[9; 16]) },
        );
        baseline.set(&SectionName::known(SectionName::NETWORK), Held { merged: true, ..held(2) });
        baseline
    }

    #[test]
    fn it_comes_back_from_disk_and_claims_what_is_known() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Baseline::load(folder.path()).unwrap(), Baseline::default());
        let baseline = sample();
        baseline.save(folder.path()).unwrap();
        let read = Baseline::load(folder.path()).unwrap();
        assert_eq!(read, baseline);
        let claimed: Vec<String> = read.digests().into_iter().map(|digest| digest.section).collect();
        assert_eq!(claimed, ["hardware", "os"], "what is not known is not claimed");
    }

    #[test]
    fn damage_is_an_error_and_no_crash() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        fs::write(&path, b"nonsense").unwrap();
        assert!(matches!(Baseline::load(folder.path()), Err(StateFileError::Damaged { .. })));
        // Whole on disk, but not what a baseline looks like.
        let odd = StoredHeld { name: "os".to_owned(), pairs: Some(vec![0; 33]), head: None, merged: false };
        let body = StoredBaseline { sections: vec![odd] }.encode_to_vec();
        state_file::write(&path, FORM, &body).unwrap();
        assert!(matches!(Baseline::load(folder.path()), Err(StateFileError::Damaged { .. })));
    }

    #[test]
    fn the_number_of_sections_is_bounded() {
        let mut baseline = Baseline::default();
        for n in 0..limits::SECTIONS + 10 {
            baseline.set(&SectionName::new(format!("s{n}")).unwrap(), held(0));
        }
        assert_eq!(baseline.digests().len(), limits::SECTIONS);
    }
}
