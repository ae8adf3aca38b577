//! A device's record after something attached to it changed: fold, flags, history, as writes of one commit.
//!
//! Knows nothing of how the change came about.

use muster_common::{device::Device, flag::Flag, governance::Charter, id::DeviceId, time::Timestamp};
use muster_proto::store::v1 as stored;

use super::{ObserveError, Pipeline, judge::Surroundings};
use crate::{
    flags,
    merge::{self, SubjectClaims},
    records::{Read, Subject, claim_to_stored, flag_to_stored, key, put},
    store::{CatalogueId, Write},
};

/// Titles that a history entry names.
const TITLES_IN_HISTORY: usize = 1_000;

/// What a refold starts from.
#[derive(Debug)]
pub(super) struct Refold<'a> {
    pub(super) id: DeviceId,
    pub(super) before: Option<&'a Device>,
    /// Everything that is attached now.
    pub(super) subjects: &'a [Subject],
    /// Of a decision that was just made; empty for none.
    pub(super) explanation: &'a str,
    pub(super) actor: &'a str,
    pub(super) now: Timestamp,
    /// Titles that came and went.
    pub(super) software: (Vec<CatalogueId>, Vec<CatalogueId>),
    /// None where nothing that they depend on has changed: the findings about them stand.
    pub(super) surroundings: Option<Surroundings>,
}

/// A device as it is now, with the writes that keep it.
#[derive(Debug)]
pub(super) struct Refolded {
    pub(super) device: Device,
    /// None when nothing changed.
    pub(super) writes: Vec<Write>,
    /// When time alone may change its flags.
    pub(super) next_change: Option<Timestamp>,
}

impl Pipeline {
    /// A device's record and everything that is attached to it; `None` when there is no such device.
    pub(super) async fn device_with_subjects(
        &self,
        id: DeviceId,
    ) -> Result<Option<(Device, Vec<Subject>)>, ObserveError> {
        let read: Read<Device> = self.records.get(key::device(id)).await?;
        let Some(device) = read.record else { return Ok(None) };
        let subjects = self.subjects_of(&device).await?;
        Ok(Some((device, subjects)))
    }

    /// Everything that is attached to a device.
    pub(super) async fn subjects_of(&self, device: &Device) -> Result<Vec<Subject>, ObserveError> {
        let keys = device.subjects.iter().map(key::subject).collect();
        let read: Vec<Read<Subject>> = self.records.get_all(keys).await?;
        Ok(read
            .into_iter()
            .filter_map(|read| read.record)
            .filter(|subject| subject.device == device.id)
            .collect())
    }

    /// Folds a device again by the charter in force; no writes when nothing changed.
    pub(super) fn refold(&self, refold: Refold<'_>) -> Refolded {
        self.refold_by(&self.charter.load(), refold)
    }

    /// The same by another charter, which decides without being in force.
    pub(super) fn refold_by(&self, charter: &Charter, refold: Refold<'_>) -> Refolded {
        let Refold { id, before, subjects, explanation, actor, now, software, surroundings } = refold;
        let claims: Vec<SubjectClaims> = subjects.iter().map(claims_of).collect();
        let mut device = merge::fold(merge::Identity { id, explanation }, before, &claims, charter);
        let (added, removed) = software;
        if let Some(before) = before
            && device.version == before.version
            && !(added.is_empty() && removed.is_empty())
        {
            device.version += 1;
        }
        let (flags, next_change) = self.judge(charter, &device, subjects, surroundings.as_ref(), now);
        device.flags = flags;
        let flag_changes = flag_changes(before, &device);
        if let Some(before) = before
            && device.version == before.version
            && !flag_changes.is_empty()
        {
            device.version += 1;
        }
        if before.is_some_and(|before| before.version == device.version) {
            // When a source only confirmed what it said, the record stays as it is; presence tells when it was heard.
            let device = before.cloned().unwrap_or(device);
            return Refolded { device, writes: Vec::new(), next_change };
        }
        let entry = stored::HistoryEntry {
            version: device.version,
            time_ms: now.as_millis(),
            actor: actor.to_owned(),
            changes: field_changes(before, &device),
            software_added: numbers(&added),
            software_removed: numbers(&removed),
            flag_changes,
        };
        let writes = vec![put(key::device(id), &device), put(key::history(id, device.version), &entry)];
        Refolded { device, writes, next_change }
    }
}

fn claims_of(subject: &Subject) -> SubjectClaims {
    SubjectClaims {
        key: subject.key.clone(),
        source: subject.source.clone(),
        agent_version: subject.agent_version.clone(),
        fields: subject.fields.clone(),
        first: subject.first,
        last: subject.last,
        superseded: subject.superseded,
        software_count: subject
            .sections
            .iter()
            .filter(|(name, _)| name.is_software())
            .map(|(_, head)| head.items)
            .fold(0, u32::saturating_add),
        vouches: subject.vouches,
    }
}

fn numbers(titles: &[CatalogueId]) -> Vec<u32> {
    titles.iter().take(TITLES_IN_HISTORY).map(|id| id.number()).collect()
}

fn field_changes(before: Option<&Device>, after: &Device) -> Vec<stored::FieldChange> {
    merge::changes(before, after)
        .into_iter()
        .map(|change| stored::FieldChange {
            name: change.field.name().to_owned(),
            before: change.before.iter().map(claim_to_stored).collect(),
            after: change.after.iter().map(claim_to_stored).collect(),
        })
        .collect()
}

fn flag_changes(before: Option<&Device>, after: &Device) -> Vec<stored::FlagChange> {
    let old = before.map_or(&[][..], |before| &before.flags);
    let of = |flags: &[Flag], code| flags.iter().find(|flag| flag.code == code).cloned();
    let mut changes = Vec::new();
    for flag in &after.flags {
        let before = of(old, flag.code);
        if before.as_ref().is_some_and(|before| !differs(before, flag)) {
            continue;
        }
        let before = before.as_ref().map(flag_to_stored);
        let raised = before.is_none();
        changes.push(stored::FlagChange { flag: Some(flag_to_stored(flag)), raised, before });
    }
    let cleared = old.iter().filter(|flag| of(&after.flags, flag.code).is_none());
    changes.extend(cleared.map(|flag| stored::FlagChange {
        flag: Some(flag_to_stored(flag)),
        raised: false,
        before: None,
    }));
    changes
}

/// Whether something happened to a finding that stays. New words of most rules are none: they come with every report.
fn differs(before: &Flag, after: &Flag) -> bool {
    before.severity != after.severity
        || before.standing != after.standing
        || flags::tells_anew(after.code) && before.evidence != after.evidence
}
