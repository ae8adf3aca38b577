//! Who is connected and who was last seen when: memory, not facts.
//!
//! Flushed to the store in batches, outside revisions and history, so that a million heartbeats write nothing.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use muster_common::{id::DeviceId, source::SubjectKey, time::Timestamp};

use crate::store::{Key, Presence as StoredPresence, Store, StoreError};

/// What is known of one device's presence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Seen {
    /// When an agent of it was last heard.
    pub last: Timestamp,
    /// Whether a stream of it is open.
    pub connected: bool,
}

/// The presence of every device.
#[derive(Debug, Default)]
pub struct Presence {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    devices: HashMap<DeviceId, Entry>,
    streams: HashMap<SubjectKey, u32>,
}

#[derive(Debug, Default)]
struct Entry {
    last: Timestamp,
    streams: u32,
    unflushed: bool,
}

impl Presence {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads what was flushed before the last stop.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn load(&self, store: &dyn Store) -> Result<(), StoreError> {
        let kept = store.presence().await?;
        let mut inner = self.inner();
        for (key, value) in kept {
            let (Ok(id), Ok(ms)) =
                (<[u8; 16]>::try_from(key.as_bytes()), <[u8; 8]>::try_from(value.as_slice()))
            else {
                continue;
            };
            let last = Timestamp::from_millis(i64::from_le_bytes(ms));
            inner.devices.insert(DeviceId::from_bytes(id), Entry { last, ..Entry::default() });
        }
        Ok(())
    }

    /// Notes that a device was heard; returns what is known of it now.
    pub fn heard(&self, device: DeviceId, now: Timestamp) -> Seen {
        let mut inner = self.inner();
        let entry = inner.devices.entry(device).or_default();
        entry.last = entry.last.max(now);
        entry.unflushed = true;
        Seen { last: entry.last, connected: entry.streams > 0 }
    }

    /// Notes that a stream was opened.
    pub fn connect(&self, device: DeviceId, subject: &SubjectKey, now: Timestamp) -> Seen {
        {
            let mut inner = self.inner();
            *inner.streams.entry(subject.clone()).or_default() += 1;
            inner.devices.entry(device).or_default().streams += 1;
        }
        self.heard(device, now)
    }

    /// Notes that a stream was closed.
    pub fn disconnect(&self, device: DeviceId, subject: &SubjectKey) -> Seen {
        let mut inner = self.inner();
        if let Some(streams) = inner.streams.get_mut(subject) {
            *streams -= 1;
            if *streams == 0 {
                inner.streams.remove(subject);
            }
        }
        let entry = inner.devices.entry(device).or_default();
        entry.streams = entry.streams.saturating_sub(1);
        Seen { last: entry.last, connected: entry.streams > 0 }
    }

    /// Whether a stream of the subject is open.
    pub fn is_connected(&self, subject: &SubjectKey) -> bool {
        self.inner().streams.contains_key(subject)
    }

    /// What is known of a device.
    pub fn of(&self, device: DeviceId) -> Option<Seen> {
        let inner = self.inner();
        let entry = inner.devices.get(&device)?;
        (entry.last > Timestamp::default()).then_some(Seen { last: entry.last, connected: entry.streams > 0 })
    }

    /// What is known of every device that was ever heard.
    pub fn all(&self) -> Vec<(DeviceId, Seen)> {
        let seen = |entry: &Entry| Seen { last: entry.last, connected: entry.streams > 0 };
        self.inner().devices.iter().map(|(id, entry)| (*id, seen(entry))).collect()
    }

    /// Keeps what changed since the last flush.
    ///
    /// # Errors
    /// When the store can't be written; what was not kept is kept by the next flush.
    pub async fn flush(&self, store: &dyn Store) -> Result<usize, StoreError> {
        let changed: Vec<(DeviceId, Timestamp)> = self
            .inner()
            .devices
            .iter()
            .filter(|(_, entry)| entry.unflushed)
            .map(|(id, entry)| (*id, entry.last))
            .collect();
        if changed.is_empty() {
            return Ok(0);
        }
        let batch = changed
            .iter()
            .map(|(id, last)| StoredPresence {
                key: Key::new(*id.as_bytes()).expect("16 bytes are a key"),
                value: Some(last.as_millis().to_le_bytes().to_vec()),
            })
            .collect();
        store.put_presence(batch).await?;
        let mut inner = self.inner();
        for (id, last) in &changed {
            if let Some(entry) = inner.devices.get_mut(id) {
                entry.unflushed = entry.last > *last;
            }
        }
        Ok(changed.len())
    }
}

#[cfg(test)]
mod tests {
    use muster_common::id::AgentId;

    use super::*;
    use crate::store::memory::MemoryStore;

    #[tokio::test]
    async fn what_was_flushed_is_there_after_a_restart() {
        let store = MemoryStore::default();
        let (device, subject) = (DeviceId::random(), SubjectKey::agent(AgentId::random(), "none"));
        let presence = Presence::default();
        assert_eq!(presence.of(device), None);
        presence.connect(device, &subject, Timestamp::from_millis(5_000));
        assert!(presence.is_connected(&subject));
        assert_eq!(presence.flush(&store).await.unwrap(), 1);
        assert_eq!(presence.flush(&store).await.unwrap(), 0, "nothing changed");
        presence.disconnect(device, &subject);
        assert!(!presence.is_connected(&subject));

        let after = Presence::default();
        after.load(&store).await.unwrap();
        assert_eq!(after.of(device), Some(Seen { last: Timestamp::from_millis(5_000), connected: false }));
    }
}
