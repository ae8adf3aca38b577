//! A device as it was: the record of now with later changes undone, newest first.
//!
//! Exact for fields and flags. The number of software items is exact unless one change brought or took more titles
//! than an entry names; agents, `seen_by` and the explanation are those that can have been there, since their past is
//! not kept entry by entry.

use std::mem;

use muster_common::{
    device::{Device, Field, Provenanced},
    id::DeviceId,
    time::Timestamp,
};
use muster_proto::store::v1 as stored;

use super::{Query, QueryFailure};
use crate::{
    records::{Malformed, claim_from_stored, flag_from_stored, key},
    store::Key,
};

/// Entries that are read in one go.
const PAGE: usize = 200;

/// A device on its way back.
pub(super) struct Rewound<'a> {
    device: &'a mut Device,
}

impl<'a> Rewound<'a> {
    /// Starts at the device as it is.
    pub(super) fn new(device: &'a mut Device) -> Self {
        Self { device }
    }

    /// Undoes one change.
    pub(super) fn undo(&mut self, entry: &stored::HistoryEntry) -> Result<(), Malformed> {
        let stored::HistoryEntry {
            version,
            time_ms: _,
            actor: _,
            changes,
            software_added,
            software_removed,
            flag_changes,
        } = entry;
        self.device.version = version.saturating_sub(1);
        for change in changes {
            // A field that a newer version wrote is passed over, as in the record itself.
            let Ok(field) = change.name.parse::<Field>() else { continue };
            let claims: Vec<_> =
                change.before.iter().cloned().map(claim_from_stored).collect::<Result<_, _>>()?;
            if claims.is_empty() {
                self.device.fields.remove(&field);
            } else {
                self.device.fields.insert(field, Provenanced { claims });
            }
        }
        let (added, removed) = (software_added.len() as u32, software_removed.len() as u32);
        self.device.software_count = self.device.software_count.saturating_add(removed).saturating_sub(added);
        for stored::FlagChange { flag, raised, before } in flag_changes {
            let Some(flag) = flag.clone().and_then(flag_from_stored) else { continue };
            self.device.flags.retain(|standing| standing.code != flag.code);
            match before.clone().and_then(flag_from_stored) {
                Some(before) => self.device.flags.push(before),
                None if !raised => self.device.flags.push(flag),
                None => {}
            }
        }
        self.device.flags.sort_by_key(|flag| flag.code);
        Ok(())
    }

    /// Notes the last change that stands.
    pub(super) fn stop_at(&mut self, entry: &stored::HistoryEntry) {
        self.device.version = entry.version;
    }

    /// Leaves out what can't have been there yet.
    pub(super) fn finish(self, at: Timestamp) {
        self.device.agents.retain(|binding| binding.bound <= at);
        let seen_by = mem::take(&mut self.device.seen_by);
        self.device.seen_by = seen_by.into_iter().filter(|(_, last)| *last <= at).collect();
    }
}

impl Query {
    /// Shows a device's history to `each`, newest first, until it answers false.
    pub(super) async fn walk_back(
        &self,
        device: DeviceId,
        mut each: impl FnMut(&stored::HistoryEntry) -> Result<bool, Malformed> + Send,
    ) -> Result<(), QueryFailure> {
        let prefix = key::history_of(device);
        let mut after: Option<Key> = None;
        loop {
            let page: Vec<(Key, stored::HistoryEntry)> =
                self.records().scan(&prefix, after.as_ref(), PAGE).await?;
            let Some((last, _)) = page.last() else { return Ok(()) };
            after = Some(last.clone());
            for (_, entry) in &page {
                if !each(entry)? {
                    return Ok(());
                }
            }
        }
    }
}
