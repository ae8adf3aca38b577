//! What changed in a section, told by digests alone.
//!
//! The agent encodes each item once and both ends hash those bytes; neither ever encodes an item again in order to
//! compare it. The law that everything rests on: `apply(a, diff(a, b)) == b`.

mod digest;

use std::collections::BTreeMap;

pub use digest::{ItemDigest, KeyDigest, SectionDigest};

use crate::inventory::SectionName;

/// The pairs of key digest and item digest of a section, in the order of the keys.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Manifest(BTreeMap<KeyDigest, ItemDigest>);

/// What leads from one manifest to another.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Delta {
    /// Items that are new or changed, in the order of their keys.
    pub upserts: Vec<(KeyDigest, ItemDigest)>,
    /// Keys that are gone, in order.
    pub removed: Vec<KeyDigest>,
}

impl Manifest {
    /// The digest of the section as a whole.
    pub fn digest(&self, section: &SectionName) -> SectionDigest {
        SectionDigest::of(section, self.0.iter().map(|(key, item)| (*key, *item)))
    }

    /// How many items there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The pairs in the order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = (KeyDigest, ItemDigest)> + '_ {
        self.0.iter().map(|(key, item)| (*key, *item))
    }

    /// The manifest with a delta carried out.
    pub fn apply(mut self, delta: &Delta) -> Self {
        for key in &delta.removed {
            self.0.remove(key);
        }
        self.0.extend(delta.upserts.iter().copied());
        self
    }
}

impl FromIterator<(KeyDigest, ItemDigest)> for Manifest {
    fn from_iter<I: IntoIterator<Item = (KeyDigest, ItemDigest)>>(pairs: I) -> Self {
        Self(pairs.into_iter().collect())
    }
}

impl Delta {
    /// What leads from `base` to `next`.
    pub fn between(base: &Manifest, next: &Manifest) -> Self {
        Self {
            upserts: next.iter().filter(|(key, item)| base.0.get(key) != Some(item)).collect(),
            removed: base.0.keys().filter(|key| !next.0.contains_key(key)).copied().collect(),
        }
    }

    /// The same without its removals: what a source that could only read a part may say.
    pub fn without_removals(self) -> Self {
        Self { upserts: self.upserts, removed: Vec::new() }
    }

    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        self.upserts.is_empty() && self.removed.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop, proptest};

    use super::*;

    fn manifest(pairs: &BTreeMap<u8, u8>) -> Manifest {
        pairs
            .iter()
            .map(|(key, item)| (KeyDigest::of(&key.to_string()), ItemDigest::of(&[*item], &[])))
            .collect()
    }

    proptest! {
        #[test]
        fn applying_the_difference_leads_there(
            a in prop::collection::btree_map(any::<u8>(), any::<u8>(), 0..40),
            b in prop::collection::btree_map(any::<u8>(), any::<u8>(), 0..40),
        ) {
            let (a, b) = (manifest(&a), manifest(&b));
            let delta = Delta::between(&a, &b);
            assert_eq!(delta.is_empty(), a == b);
            assert_eq!(a.apply(&delta), b);
        }

        #[test]
        fn digests_tell_manifests_apart(
            a in prop::collection::btree_map(any::<u8>(), any::<u8>(), 0..40),
            b in prop::collection::btree_map(any::<u8>(), any::<u8>(), 0..40),
        ) {
            let section = SectionName::known(SectionName::HARDWARE);
            let (a, b) = (manifest(&a), manifest(&b));
            assert_eq!(a.digest(&section) == b.digest(&section), a == b);
        }
    }

    #[test]
    fn a_partial_reading_removes_nothing() {
        let base = manifest(&BTreeMap::from([(1, 1), (2, 2)]));
        let part = manifest(&BTreeMap::from([(2, 3)]));
        let delta = Delta::between(&base, &part).without_removals();
        assert_eq!(base.apply(&delta), manifest(&BTreeMap::from([(1, 1), (2, 3)])));
    }
}
