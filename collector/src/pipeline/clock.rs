//! Flags that time alone raises: a device is judged again when its silence becomes a finding, and not before.
//!
//! The moments are memory: at the start every device is judged once, which fills them.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::{Mutex, PoisonError},
};

use muster_common::{device::Device, flag::FlagCode, id::DeviceId, time::Timestamp};

use super::{ObserveError, Pipeline, refold::Refold};
use crate::{
    records::{Read, key},
    store::{Commit, CommitError},
};

/// When each device is due.
#[derive(Debug, Default)]
pub(super) struct Due {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    by_time: BTreeSet<(Timestamp, DeviceId)>,
    of_device: HashMap<DeviceId, Timestamp>,
    /// Devices whose record says that they are silent.
    silent: HashSet<DeviceId>,
}

impl Due {
    /// Notes whether a device's record says that it is silent.
    pub(super) fn note_silence(&self, device: &Device) {
        let says_so = device.flags.iter().any(|flag| match flag.code {
            FlagCode::Stale
            | FlagCode::Missing
            | FlagCode::NeverSeen
            | FlagCode::AgentSilent
            | FlagCode::Unmanaged => true,
            FlagCode::Unknown
            | FlagCode::RetiredActive
            | FlagCode::Conflict
            | FlagCode::DuplicateIdentifier
            | FlagCode::ClonedIdentity
            | FlagCode::HardwareChanged
            | FlagCode::Unassigned
            | FlagCode::Incomplete
            | FlagCode::WarrantyEnding
            | FlagCode::RenewalDue
            | FlagCode::DisposalUnproven => false,
        });
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if says_so {
            inner.silent.insert(device.id);
        } else {
            inner.silent.remove(&device.id);
        }
    }

    /// Whether a device's record says that it is silent.
    pub(super) fn was_silent(&self, device: DeviceId) -> bool {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).silent.contains(&device)
    }

    /// Sets when a device is due; `None` for never.
    pub(super) fn set(&self, device: DeviceId, at: Option<Timestamp>) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = inner.of_device.remove(&device) {
            inner.by_time.remove(&(before, device));
        }
        if let Some(at) = at {
            inner.of_device.insert(device, at);
            inner.by_time.insert((at, device));
        }
    }

    /// The devices that are due, at most `limit`; each stays so until it was judged.
    fn first(&self, now: Timestamp, limit: usize) -> Vec<DeviceId> {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.by_time.iter().take_while(|(at, _)| *at <= now).take(limit).map(|(_, device)| *device).collect()
    }
}

impl Pipeline {
    /// Judges the devices that are due, at most `limit`; returns how many records changed.
    ///
    /// # Errors
    /// When the store can't be used; the device that it failed at is due again at once.
    pub async fn judge_due(&self, limit: usize) -> Result<usize, ObserveError> {
        let now = self.now();
        let mut changed = 0;
        for id in self.due.first(now, limit) {
            match self.judge_again(id, "clock", now).await {
                Ok(did) => changed += usize::from(did),
                Err(error) => return Err(error),
            }
        }
        Ok(changed)
    }

    /// Judges a device again on somebody's behalf; whether its record changed.
    pub(super) async fn judge_again(
        &self,
        id: DeviceId,
        actor: &str,
        now: Timestamp,
    ) -> Result<bool, ObserveError> {
        loop {
            let read: Read<Device> = self.records.get(key::device(id)).await?;
            let Some(before) = &read.record else {
                self.due.set(id, None);
                return Ok(false);
            };
            let subjects = self.subjects_of(before).await?;
            let surroundings = self.surroundings(id, &subjects, &[]).await?;
            let refolded = self.refold(Refold {
                id,
                before: Some(before),
                subjects: &subjects,
                explanation: "",
                actor,
                now,
                software: (Vec::new(), Vec::new()),
                surroundings: Some(surroundings),
            });
            if refolded.writes.is_empty() {
                self.due.set(id, refolded.next_change);
                self.due.note_silence(before);
                return Ok(false);
            }
            let commit = Commit {
                kind: "flags".to_owned(),
                time: now,
                actor: actor.to_owned(),
                expected: vec![read.expectation()],
                writes: refolded.writes.clone(),
                audit: None,
            };
            match self.records.commit(commit).await {
                Ok(_) => {}
                Err(CommitError::Conflict { .. }) => continue,
                Err(error) => return Err(error.into()),
            }
            self.publish(&[refolded], id, &[], false).await?;
            return Ok(true);
        }
    }
}
