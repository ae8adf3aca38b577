//! The catalogue of software in memory: which number a title has, and what a number stands for.
//!
//! Each distinct body is decoded once, when the first device brings it, and is the same for every device after that.
//! Knows nothing of devices.

use std::{
    collections::HashMap,
    sync::{RwLock, RwLockReadGuard},
};

use muster_common::{
    delta::{ItemDigest, KeyDigest},
    inventory::{ItemKind, Package},
};
use muster_proto::{convert::item_from_body, store::v1 as stored};
use prost::Message;

use super::ObserveError;
use crate::{
    records::content::RawItem,
    store::{CatalogueId, CatalogueItem, Store, StoreError},
};

/// Titles that are read from the store in one go at the start.
const PAGE: u32 = 10_000;

/// The catalogue as it is known here.
#[derive(Debug, Default)]
pub(super) struct Catalogue {
    inner: RwLock<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    numbers: HashMap<ItemDigest, CatalogueId>,
    /// By number, from 1; `None` for a number that this process has not met.
    pairs: Vec<Option<(KeyDigest, ItemDigest)>>,
}

/// A title that became known.
#[derive(Debug, Clone)]
pub(super) struct NewTitle {
    /// Its number.
    pub(super) id: CatalogueId,
    /// What it is; `None` for an item of a kind that this version does not know.
    pub(super) package: Option<Package>,
}

/// The catalogue, while it is looked at.
pub(super) struct View<'a>(RwLockReadGuard<'a, Inner>);

impl View<'_> {
    /// The pair of a title without installation.
    pub(super) fn pair(&self, id: CatalogueId) -> Option<(KeyDigest, ItemDigest)> {
        self.0.pairs.get(id.number() as usize).copied().flatten()
    }
}

impl Catalogue {
    /// Reads every title from the store; returns them for the index.
    ///
    /// # Errors
    /// When the store can't be read.
    pub(super) async fn load(&self, store: &dyn Store) -> Result<Vec<NewTitle>, StoreError> {
        let mut titles = Vec::new();
        let mut first = 1;
        loop {
            let ids: Vec<_> = (first..first + PAGE).map(CatalogueId::from_number).collect();
            let values = store.catalogue(&ids).await?;
            let before = titles.len();
            for (id, value) in ids.into_iter().zip(values) {
                if let Some(title) = value.and_then(|value| self.take_stored(id, &value)) {
                    titles.push(title);
                }
            }
            if titles.len() == before {
                return Ok(titles);
            }
            first += PAGE;
        }
    }

    fn take_stored(&self, id: CatalogueId, value: &[u8]) -> Option<NewTitle> {
        let entry = stored::CatalogueEntry::decode(value).ok()?;
        let key = KeyDigest::from_slice(&entry.key_digest)?;
        self.remember(id, key, ItemDigest::of(&entry.body, &[]));
        let package = item_from_body(&entry.body, &[]).ok().flatten().and_then(|item| package_of(item.kind));
        Some(NewTitle { id, package })
    }

    fn remember(&self, id: CatalogueId, key: KeyDigest, digest: ItemDigest) {
        let mut inner = self.inner.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        let place = id.number() as usize;
        if inner.pairs.len() <= place {
            inner.pairs.resize(place + 1, None);
        }
        inner.pairs[place] = Some((key, digest));
        inner.numbers.insert(digest, id);
    }

    /// Looks many titles up by one lock; not to be held across an await.
    pub(super) fn view(&self) -> View<'_> {
        View(self.inner.read().unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    /// The numbers of the items' bodies, in their order; titles that nobody had before are given one.
    ///
    /// # Errors
    /// [`ObserveError::Unusable`] when a new body can't be decoded, else what the store says.
    pub(super) async fn titles(
        &self,
        store: &dyn Store,
        items: &[RawItem],
    ) -> Result<(Vec<CatalogueId>, Vec<NewTitle>), ObserveError> {
        let digests: Vec<ItemDigest> = items
            .iter()
            .map(
                |item| {
                    if item.installation.is_empty() { item.digest } else { ItemDigest::of(&item.body, &[]) }
                },
            )
            .collect();
        let mut known: Vec<Option<CatalogueId>> = {
            let inner = self.inner.read().unwrap_or_else(std::sync::PoisonError::into_inner);
            digests.iter().map(|digest| inner.numbers.get(digest).copied()).collect()
        };
        let missing: Vec<usize> = (0..items.len()).filter(|place| known[*place].is_none()).collect();
        let mut new_titles = Vec::new();
        if !missing.is_empty() {
            let mut packages = Vec::with_capacity(missing.len());
            let mut entries = Vec::with_capacity(missing.len());
            for place in &missing {
                let item = &items[*place];
                let decoded = item_from_body(&item.body, &[]).map_err(ObserveError::unusable)?;
                packages.push(decoded.and_then(|item| package_of(item.kind)));
                let entry = stored::CatalogueEntry {
                    key_digest: item.key.as_bytes().to_vec(),
                    body: item.body.to_vec(),
                };
                entries.push(CatalogueItem {
                    digest: *digests[*place].as_bytes(),
                    value: entry.encode_to_vec(),
                });
            }
            let ids = store.intern(entries).await?;
            for ((place, id), package) in missing.iter().zip(&ids).zip(packages) {
                self.remember(*id, items[*place].key, digests[*place]);
                known[*place] = Some(*id);
                new_titles.push(NewTitle { id: *id, package });
            }
        }
        Ok((known.into_iter().flatten().collect(), new_titles))
    }
}

fn package_of(kind: ItemKind) -> Option<Package> {
    if let ItemKind::Package(package) = kind { Some(package) } else { None }
}
