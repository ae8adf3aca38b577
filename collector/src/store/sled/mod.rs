//! The view: current records by key, in sled, made from the journal and thrown away whenever it is doubtful.
//!
//! Knows nothing of the journal's files and never decides anything: it puts an entry's after-images in place. sled is
//! named in this folder only. What was found about sled 0.34.7, and why it is used like this (one tree, small pieces,
//! a checksum on each value, our own `fdatasync` after its flush, nothing that counts by scanning), stands in the ADR.

mod probe;
mod record;
mod summary;

use std::{
    collections::HashMap,
    fs::File,
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock},
};

use fail::fail_point;
use sled::{Batch, Db, IVec};

use crate::store::{
    CatalogueId, Key, Revision, StoreError, Versioned, bounds::within_page, journal::entry::Entry,
};

pub(crate) use probe::{Probed, open};
use record::Head;
use summary::Summary;

/// The current records.
#[derive(Debug)]
pub(crate) struct View {
    db: Db,
    folder: PathBuf,
    /// Held for writing while a batch goes in, so that nobody reads half of one.
    summary: RwLock<Summary>,
}

impl View {
    /// The last entry of the journal that is in it.
    pub(crate) fn applied(&self) -> u64 {
        self.summary.read().unwrap_or_else(PoisonError::into_inner).applied
    }

    /// The revision of a key.
    pub(crate) fn revision(&self, key: &Key) -> Result<Revision, StoreError> {
        let head = self.head(key.as_bytes())?;
        Ok(head.map_or(Revision::ABSENT, |head| Revision::from_number(head.revision)))
    }

    /// The values of keys, all from between the same two batches.
    pub(crate) fn get(&self, keys: &[Key]) -> Result<Vec<Option<Versioned>>, StoreError> {
        let _between_batches = self.summary.read().unwrap_or_else(PoisonError::into_inner);
        self.get_all(keys)
    }

    /// The same at once; none while a batch is being applied, which would have to be waited for.
    pub(crate) fn get_now(&self, keys: &[Key]) -> Option<Result<Vec<Option<Versioned>>, StoreError>> {
        let _between_batches = self.summary.try_read().ok()?;
        Some(self.get_all(keys))
    }

    fn get_all(&self, keys: &[Key]) -> Result<Vec<Option<Versioned>>, StoreError> {
        keys.iter()
            .map(|key| {
                let Some(piece) = self.db.get(record::record_key(key.as_bytes())).map_err(view_error)? else {
                    return Ok(None);
                };
                self.record(key.as_bytes(), &piece).map(Some)
            })
            .collect()
    }

    /// The records with a prefix behind a key.
    pub(crate) fn scan(
        &self,
        prefix: &[u8],
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Vec<(Key, Versioned)>, StoreError> {
        let _between_batches = self.summary.read().unwrap_or_else(PoisonError::into_inner);
        let mut start = record::record_key(prefix);
        if let Some(after) = after {
            // The key itself is left out: a zero byte behind it makes the next key that is possible.
            let mut behind = record::record_key(after.as_bytes());
            behind.push(0);
            start = start.max(behind);
        }
        let mut page = Vec::new();
        let mut bytes = 0;
        for item in self.db.range(start..) {
            let (place, piece) = item.map_err(view_error)?;
            if place.first() != Some(&record::RECORDS)
                || !place[1..].starts_with(prefix)
                || page.len() >= limit
            {
                break;
            }
            let key = record::key_of(&place).ok_or_else(|| self.damaged("a key of an impossible length"))?;
            let length = Head::read(&piece).map_or(0, |(head, _)| head.length);
            if !within_page(&mut bytes, length) {
                break;
            }
            let versioned = self.record(key.as_bytes(), &piece)?;
            page.push((key, versioned));
        }
        Ok(page)
    }

    /// The value of a catalogue item.
    pub(crate) fn catalogue(&self, id: CatalogueId) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(bytes) = self.db.get(record::catalogue_key(id.number())).map_err(view_error)? else {
            return Ok(None);
        };
        let (_, value) = record::read_catalogue(id.number(), &bytes)
            .ok_or_else(|| self.damaged(&format!("catalogue item {}", id.number())))?;
        Ok(Some(value.to_vec()))
    }

    /// Puts the entries from sequence `first` in place, in one batch; those that are in already are left out.
    pub(crate) fn apply(&self, first: u64, entries: &[Entry]) -> Result<(), StoreError> {
        let mut summary = self.summary.read().unwrap_or_else(PoisonError::into_inner).clone();
        let mut batch = Batch::default();
        let mut heads: HashMap<&[u8], Option<Head>> = HashMap::new();
        for (sequence, entry) in (first..).zip(entries) {
            if sequence <= summary.applied {
                continue;
            }
            if sequence != summary.applied + 1 {
                return Err(self.damaged(&format!("entry {} is missing", summary.applied + 1)));
            }
            for item in &entry.catalogue {
                let bytes = record::write_catalogue(item.id, &item.digest, &item.value);
                summary.add_catalogue(item.id, &bytes);
                batch.insert(&record::catalogue_key(item.id), bytes);
            }
            for effect in entry.effects.iter().chain(&entry.logged) {
                let key = effect.key.as_slice();
                let before = match heads.get(key) {
                    Some(head) => *head,
                    None => self.head(key)?,
                };
                let after = effect.value.as_ref().map(|value| Head::of(key, effect.revision, value));
                put(&mut batch, key, before.as_ref(), after.as_ref().zip(effect.value.as_deref()));
                if let Some(head) = &before {
                    summary.remove(key, head);
                }
                if let Some(head) = &after {
                    summary.add(key, head);
                }
                heads.insert(key, after);
            }
            summary.applied = sequence;
        }
        batch.insert(record::STATE, summary.encode());
        let mut current = self.summary.write().unwrap_or_else(PoisonError::into_inner);
        fail_point!("view-apply", |_| Err(self.damaged("fail point")));
        self.db.apply_batch(batch).map_err(view_error)?;
        *current = summary;
        Ok(())
    }

    /// Makes everything that was applied so far outlive a power cut, and returns up to which entry that is.
    pub(crate) fn checkpoint(&self) -> Result<u64, StoreError> {
        let applied = self.applied();
        fail_point!("view-flush", |_| Err(self.damaged("fail point")));
        self.db.flush().map_err(view_error)?;
        // sled's flush starts the writes but doesn't wait for the drive; this does, on the same file.
        let path = self.folder.join("db");
        fail_point!("view-sync", |_| Err(self.damaged("fail point")));
        File::open(&path).and_then(|file| file.sync_data()).map_err(StoreError::io("sync", path))?;
        Ok(applied)
    }

    fn head(&self, key: &[u8]) -> Result<Option<Head>, StoreError> {
        match self.db.get(record::record_key(key)).map_err(view_error)? {
            None => Ok(None),
            Some(piece) => match Head::read(&piece) {
                Some((head, _)) => Ok(Some(head)),
                None => Err(self.damaged(&format!("the record of key {}", key.escape_ascii()))),
            },
        }
    }

    /// The whole record whose first piece this is.
    fn record(&self, key: &[u8], piece: &[u8]) -> Result<Versioned, StoreError> {
        read_record(&self.db, key, piece)?
            .ok_or_else(|| self.damaged(&format!("the record of key {}", key.escape_ascii())))
    }

    fn damaged(&self, what: &str) -> StoreError {
        let what =
            format!("{what} is not as it was written: restart the collector, which makes the view again");
        StoreError::damaged(&self.folder, what)
    }
}

/// Adds to `batch` what replaces the pieces of `before` by those of `after`.
fn put(batch: &mut Batch, key: &[u8], before: Option<&Head>, after: Option<(&Head, &[u8])>) {
    let kept = after.map_or(0, |(head, _)| head.further_pieces());
    for number in kept + 1..=before.map_or(0, Head::further_pieces) {
        batch.remove(record::piece_key(key, number));
    }
    match after {
        None => batch.remove(record::record_key(key)),
        Some((head, value)) => {
            batch.insert(record::record_key(key), head.first_piece(value));
            for (number, piece) in record::further_pieces(value) {
                batch.insert(record::piece_key(key, number), piece);
            }
        }
    }
}

/// The record whose first piece this is, or `None` if its bytes aren't those that were written.
fn read_record(db: &Db, key: &[u8], piece: &[u8]) -> Result<Option<Versioned>, StoreError> {
    let Some((head, first)) = Head::read(piece) else { return Ok(None) };
    let mut value = Vec::with_capacity(head.length);
    value.extend_from_slice(first);
    for number in 1..=head.further_pieces() {
        let further: Option<IVec> = db.get(record::piece_key(key, number)).map_err(view_error)?;
        match further {
            Some(further) if further.len() == head.piece_length(number) => value.extend_from_slice(&further),
            Some(_) | None => return Ok(None),
        }
    }
    let whole = Head::of(key, head.revision, &value) == head;
    Ok(whole.then(|| Versioned { value, revision: Revision::from_number(head.revision) }))
}

fn view_error(error: sled::Error) -> StoreError {
    StoreError::View(Arc::new(error))
}

#[cfg(test)]
mod tests;
