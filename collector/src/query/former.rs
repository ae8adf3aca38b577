//! Which devices once had an identifier that they have no more: memory, derived from the histories.
//!
//! Built when somebody first asks for a past moment, then fed by the change log; so a collector that is never asked
//! pays nothing. It only says where to look: the device's history tells whether it had it at that moment.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
};

use muster_common::{device::Field, id::DeviceId};
use muster_proto::store::v1 as stored;
use tokio::sync::Mutex;

use super::{QueryFailure, history::winner, lookup::keys_of};
use crate::{
    records::{Malformed, Records, key},
    store::{Key, Position, StoreError},
};

/// Entries and changes that are read in one go.
const PAGE: usize = 1_000;
/// Values that are remembered: past this the oldest stay and new ones are found by their present owner alone.
const MOST_VALUES: usize = 4_000_000;

/// What devices had.
#[derive(Debug, Default)]
pub(super) struct Former {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    read_to: Option<Position>,
    /// By a hash of field and value; two values that share one cost a look into a history.
    devices: HashMap<u64, Vec<DeviceId>>,
    values: usize,
}

impl Former {
    /// The devices that may once have had it.
    pub(super) async fn devices(
        &self,
        records: &Records,
        field: Field,
        value: &str,
    ) -> Result<Vec<DeviceId>, QueryFailure> {
        let mut inner = self.inner.lock().await;
        inner.catch_up(records).await?;
        Ok(inner.devices.get(&hash(field, value)).cloned().unwrap_or_default())
    }
}

impl Inner {
    async fn catch_up(&mut self, records: &Records) -> Result<(), QueryFailure> {
        let mut read_to = match self.read_to {
            Some(position) => position,
            None => self.read_all(records).await?,
        };
        loop {
            let changes = match records.store().changes(read_to, PAGE).await {
                Ok(changes) => changes,
                Err(StoreError::OutOfRange { .. }) => {
                    *self = Self::default();
                    read_to = self.read_all(records).await?;
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            let Some(last) = changes.last() else { break };
            read_to = last.position;
            for write in changes.iter().flat_map(|change| &change.writes) {
                let Some(device) = key::device_of_history(&write.key) else { continue };
                let Some(value) = &write.value else { continue };
                let entry = crate::records::decode(&write.key, value)?;
                self.take(device, &entry)?;
            }
            self.read_to = Some(read_to);
        }
        self.read_to = Some(read_to);
        Ok(())
    }

    async fn read_all(&mut self, records: &Records) -> Result<Position, QueryFailure> {
        let position = records.store().position().await;
        let mut after: Option<Key> = None;
        loop {
            let page: Vec<(Key, stored::HistoryEntry)> =
                records.scan(key::HISTORIES, after.as_ref(), PAGE).await?;
            let Some((last, _)) = page.last() else { break };
            after = Some(last.clone());
            for (place, entry) in &page {
                if let Some(device) = key::device_of_history(place) {
                    self.take(device, entry)?;
                }
            }
        }
        Ok(position)
    }

    /// Remembers what an entry says is gone.
    fn take(&mut self, device: DeviceId, entry: &stored::HistoryEntry) -> Result<(), Malformed> {
        for change in &entry.changes {
            let Ok(field) = change.name.parse::<Field>() else { continue };
            let Some(before) = winner(&change.before)? else { continue };
            for value in keys_of(field, &before) {
                if self.values >= MOST_VALUES {
                    return Ok(());
                }
                let devices = self.devices.entry(hash(field, &value)).or_default();
                if !devices.contains(&device) {
                    devices.push(device);
                    self.values += 1;
                }
            }
        }
        Ok(())
    }
}

fn hash(field: Field, value: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    field.hash(&mut hasher);
    value.hash(&mut hasher);
    hasher.finish()
}
