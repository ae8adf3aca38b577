//! Gives numbers to catalogue items before they are on disk, and sees to it that they get there with the next commit.
//!
//! Knows nothing of the journal and the view. An item is *pending* until the writer takes it for an entry, and *fresh*
//! until the view has it.

use std::collections::HashMap;

use crate::store::{CatalogueId, CatalogueItem, journal::entry::Catalogued};

/// The numbers that were given out.
#[derive(Debug, Default)]
pub(super) struct Catalogue {
    ids: HashMap<[u8; 16], u32>,
    pending: Vec<Catalogued>,
    pending_bytes: usize,
    fresh: HashMap<u32, Vec<u8>>,
}

impl Catalogue {
    /// The catalogue whose items from number 1 have these digests.
    pub(super) fn from_digests(digests: Vec<[u8; 16]>) -> Self {
        Self { ids: digests.into_iter().zip(1..).collect(), ..Self::default() }
    }

    /// Learns numbers that stand in an entry of the journal.
    pub(super) fn learn(&mut self, items: &[Catalogued]) {
        for item in items {
            if let Ok(digest) = item.digest.as_slice().try_into() {
                self.ids.insert(digest, item.id);
            }
        }
    }

    /// The number of an item, the next one if it is new.
    pub(super) fn intern(&mut self, item: CatalogueItem) -> CatalogueId {
        if let Some(id) = self.ids.get(&item.digest) {
            return CatalogueId::from_number(*id);
        }
        let id =
            u32::try_from(self.ids.len() + 1).expect("four thousand million items don't fit into memory");
        self.ids.insert(item.digest, id);
        self.pending_bytes += item.value.len() + 32;
        self.fresh.insert(id, item.value.clone());
        self.pending.push(Catalogued { id, digest: item.digest.to_vec(), value: item.value });
        CatalogueId::from_number(id)
    }

    /// About how many bytes wait for the next commit.
    pub(super) fn pending_bytes(&self) -> usize {
        self.pending_bytes
    }

    /// Hands over what is pending, for an entry.
    pub(super) fn take(&mut self) -> Vec<Catalogued> {
        self.pending_bytes = 0;
        std::mem::take(&mut self.pending)
    }

    /// Takes back what couldn't be written, before what came meanwhile.
    pub(super) fn put_back(&mut self, mut items: Vec<Catalogued>) {
        self.pending_bytes += items.iter().map(|item| item.value.len() + 32).sum::<usize>();
        items.append(&mut self.pending);
        self.pending = items;
    }

    /// Forgets the values of what the view has now.
    pub(super) fn settle(&mut self, items: &[Catalogued]) {
        for item in items {
            self.fresh.remove(&item.id);
        }
    }

    /// The value of an item that the view may not have yet.
    pub(super) fn fresh(&self, id: CatalogueId) -> Option<Vec<u8>> {
        self.fresh.get(&id.number()).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(n: u8) -> CatalogueItem {
        CatalogueItem { digest: [n; 16], value: vec![n] }
    }

    #[test]
    fn what_could_not_be_written_goes_first_the_next_time() {
        let mut catalogue = Catalogue::from_digests(vec![[1; 16]]);
        assert_eq!(catalogue.intern(item(1)).number(), 1);
        assert_eq!(catalogue.intern(item(2)).number(), 2);
        let taken = catalogue.take();
        assert_eq!(catalogue.intern(item(3)).number(), 3);
        catalogue.put_back(taken);
        let taken = catalogue.take();
        assert_eq!(taken.iter().map(|item| item.id).collect::<Vec<_>>(), [2, 3]);
        assert_eq!(catalogue.fresh(CatalogueId::from_number(3)), Some(vec![3]));
        catalogue.settle(&taken);
        assert_eq!(catalogue.fresh(CatalogueId::from_number(3)), None);
        assert_eq!(catalogue.intern(item(2)).number(), 2);
        assert_eq!(catalogue.pending_bytes(), 0);
    }
}
