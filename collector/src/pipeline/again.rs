//! Everything folded and judged again, as a new charter asks for; and what a person says of one finding.

use std::time::Duration;

use muster_common::{
    device::Device,
    flag::{FlagCode, Standing},
    id::DeviceId,
    time::Timestamp,
};
use muster_proto::store::v1 as stored;

use super::{ObserveError, Pipeline};
use crate::{
    records::{Read, flag_to_stored, key, put},
    store::{Commit, CommitError, Key, Position},
};

/// Devices that are read in one go.
const PAGE: usize = 500;
/// When whoever asked goes away, the clock does the rest after so long.
const REST_AFTER: Duration = Duration::from_secs(120);

/// What judging everything again came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct JudgedAgain {
    /// How many records there are.
    pub judged: u64,
    /// How many of them changed.
    pub changed: u64,
}

impl Pipeline {
    /// Folds and judges every device by the charter in force, on somebody's behalf.
    ///
    /// # Errors
    /// When the store can't be used; the clock does the rest.
    pub async fn judge_all(&self, actor: &str) -> Result<JudgedAgain, ObserveError> {
        let now = self.now();
        let mut all = Vec::new();
        let mut after: Option<Key> = None;
        loop {
            let page: Vec<(Key, Device)> = self.records.scan(key::DEVICES, after.as_ref(), PAGE).await?;
            let Some((last, _)) = page.last() else { break };
            after = Some(last.clone());
            all.extend(page.iter().map(|(_, device)| device.id));
        }
        for id in &all {
            self.due.set(*id, Some(now.after(REST_AFTER)));
        }
        let mut outcome = JudgedAgain { judged: all.len() as u64, changed: 0 };
        for id in all {
            outcome.changed += u64::from(self.judge_again(id, actor, now).await?);
        }
        Ok(outcome)
    }

    /// Notes that an account has seen a device's finding and works on it; `None` when it has no such open finding.
    ///
    /// # Errors
    /// When the store can't be used.
    pub async fn acknowledge(
        &self,
        id: DeviceId,
        code: FlagCode,
        actor: &str,
        audit: Vec<u8>,
        now: Timestamp,
    ) -> Result<Option<Position>, ObserveError> {
        loop {
            let read: Read<Device> = self.records.get(key::device(id)).await?;
            let Some(mut device) = read.record.clone() else { return Ok(None) };
            let Some(flag) = device.flags.iter_mut().find(|flag| flag.code == code && flag.is_open()) else {
                return Ok(None);
            };
            let before = Some(flag_to_stored(flag));
            flag.standing = Standing::Acknowledged { by: actor.to_owned(), at: now };
            let change = stored::FlagChange { flag: Some(flag_to_stored(flag)), raised: false, before };
            device.version = device.version.saturating_add(1);
            let entry = stored::HistoryEntry {
                version: device.version,
                time_ms: now.as_millis(),
                actor: actor.to_owned(),
                flag_changes: vec![change],
                ..stored::HistoryEntry::default()
            };
            let commit = Commit {
                kind: "flag.acknowledge".to_owned(),
                time: now,
                actor: actor.to_owned(),
                expected: vec![read.expectation()],
                writes: vec![put(key::device(id), &device), put(key::history(id, device.version), &entry)],
                audit: Some(audit.clone()),
            };
            match self.records.commit(commit).await {
                Ok(position) => {
                    self.index.write().update(&device);
                    return Ok(Some(position));
                }
                Err(CommitError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}
