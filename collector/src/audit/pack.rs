//! Evidence packs: the part of the log that concerns one asset or one period, whole enough to be checked without us.
//!
//! A pack holds every entry from the first that matters to the log's end: those that matter in full, the others by the
//! hash of what they say, so that the chain can be walked to the signed head and nothing about other assets is told.
//! Knows nothing of files and of JSON; docs/audit.md describes the form.

use std::collections::BTreeSet;

use muster_common::{audit::Linked, id::DeviceId, time::Timestamp};
use muster_proto::{
    convert::{audit_entry_to_wire, to_timestamp},
    json,
    store::v1 as stored,
    v1::{self, audit_pack_line::Line},
};
use tokio::sync::mpsc;

use super::{AuditFailed, AuditLog, wire};
use crate::{
    records::{self, key},
    store::{Change, Key, Position, StoreError, audit},
};

/// What is read at once.
const PAGE: usize = 200;

/// What a pack is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Whatever changed one device's record.
    Asset(DeviceId),
    /// Every entry of a time.
    Period {
        /// Not before.
        start: Timestamp,
        /// Before.
        end: Timestamp,
    },
}

/// A scope with what the store says of it.
struct Chosen {
    scope: Scope,
    /// In the log's words, as a target holds it.
    id: String,
    /// Where the asset's record was changed.
    positions: BTreeSet<u64>,
    last: u64,
}

impl std::fmt::Display for Scope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Asset(id) => write!(f, "devices/{id}"),
            Self::Period { start, end } => write!(f, "{start} to {end}"),
        }
    }
}

impl AuditLog {
    /// Sends a pack's lines; that it was exported is its last entry.
    ///
    /// # Errors
    /// When there is no such asset, or the store can't answer. When nobody receives any more it just ends.
    pub async fn export(
        &self,
        scope: Scope,
        actor: &str,
        lines: &mpsc::Sender<v1::AuditPackLine>,
    ) -> Result<(), AuditFailed> {
        let positions = match scope {
            Scope::Asset(device) => self.positions_of(device).await?,
            Scope::Period { .. } => BTreeSet::new(),
        };
        self.note(actor, "audit.export", &scope.to_string(), "").await?;
        let last = self.last().await?.ok_or(AuditFailed::Empty)?;
        let id = match scope {
            Scope::Asset(device) => device.to_string(),
            Scope::Period { .. } => String::new(),
        };
        let chosen = Chosen { scope, id, positions, last: last.entry.number };
        let mut after = 0;
        let mut begun = false;
        while after < chosen.last {
            let read = audit::entries(self.store.as_ref(), after, PAGE).await?;
            if read.is_empty() {
                return Err(AuditFailed::Missing { number: after + 1 });
            }
            for linked in read {
                after = linked.entry.number;
                if after > chosen.last {
                    break;
                }
                let matters = chosen.matters(&linked);
                if !begun && !matters {
                    continue;
                }
                if !begun {
                    begun = true;
                    let header = self.header(&chosen, &linked, &last, actor);
                    if !send(lines, Line::Header(header)).await {
                        return Ok(());
                    }
                }
                let line = if matters {
                    Line::Entry(self.full(&chosen, &linked).await?)
                } else {
                    let body_sha256 = linked.entry.body().to_string();
                    Line::Skipped(v1::AuditPackSkipped { number: linked.entry.number, body_sha256 })
                };
                if !send(lines, line).await {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn header(&self, chosen: &Chosen, first: &Linked, last: &Linked, actor: &str) -> v1::AuditPackHeader {
        let head = self.signed(last);
        v1::AuditPackHeader {
            format: "muster-audit-pack".to_owned(),
            version: 1,
            trust_domain: head.head.trust_domain.to_string(),
            scope: chosen.scope.to_string(),
            export_time: Some(to_timestamp(head.head.time)),
            exported_by: actor.to_owned(),
            first_number: first.entry.number,
            last_number: last.entry.number,
            previous_sha256: first.previous.to_string(),
            head: head.line(),
        }
    }

    /// An entry with its own change, and with those folded in that matter.
    async fn full(&self, chosen: &Chosen, linked: &Linked) -> Result<v1::AuditPackEntry, AuditFailed> {
        let entry = &linked.entry;
        let own = self.change(entry.position).await?;
        let mut folded = Vec::new();
        for position in chosen.positions.range(entry.first..entry.position) {
            folded.extend(self.change(*position).await?);
        }
        let shown = |change| wire::change(change, |key, value| chosen.shown(key, value));
        Ok(v1::AuditPackEntry {
            entry: Some(audit_entry_to_wire(linked)),
            change: own.map(shown),
            folded: folded.into_iter().map(shown).collect(),
        })
    }

    /// The change at a position, if it is kept.
    async fn change(&self, position: u64) -> Result<Option<Change>, AuditFailed> {
        match self.store.changes(Position::from_number(position - 1), 1).await {
            Ok(mut read) => Ok(read.pop()),
            Err(StoreError::OutOfRange { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Where a device's record was changed: each version's history is written once, so that its revision is the position.
    async fn positions_of(&self, device: DeviceId) -> Result<BTreeSet<u64>, AuditFailed> {
        let prefix = key::history_of(device);
        let mut positions = BTreeSet::new();
        let mut after: Option<Key> = None;
        loop {
            let read = self.store.scan(&prefix, after.as_ref(), 1000).await?;
            let Some((last, _)) = read.last() else { break };
            after = Some(last.clone());
            positions.extend(read.iter().map(|(_, record)| record.revision.number()));
        }
        if positions.is_empty() {
            return Err(AuditFailed::NoSuchAsset { asset: format!("devices/{device}") });
        }
        Ok(positions)
    }
}

impl Chosen {
    fn matters(&self, linked: &Linked) -> bool {
        let entry = &linked.entry;
        // The pack tells of its own making.
        if entry.number == self.last {
            return true;
        }
        match self.scope {
            Scope::Asset(_) => {
                let range = entry.first.min(entry.position)..=entry.position;
                entry.target.contains(&self.id) || self.positions.range(range).next().is_some()
            }
            Scope::Period { start, end } => entry.time >= start && entry.time < end,
        }
    }

    /// Whether a value goes into the pack, and what it says.
    fn shown(&self, key: &Key, value: Option<&[u8]>) -> Option<String> {
        let Scope::Asset(device) = self.scope else { return None };
        if *key == key::device(device) {
            return Some(String::new());
        }
        if key::device_of_history(key) != Some(device) {
            return None;
        }
        let entry = records::decode::<stored::HistoryEntry>(key, value?).ok();
        Some(entry.map(|entry| json::to_value(&entry).to_string()).unwrap_or_default())
    }
}

/// Whether somebody still receives.
async fn send(lines: &mpsc::Sender<v1::AuditPackLine>, line: Line) -> bool {
    lines.send(v1::AuditPackLine { line: Some(line) }).await.is_ok()
}
