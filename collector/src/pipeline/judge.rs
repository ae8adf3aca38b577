//! What the flags' rules need to see of a device, gathered around it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use muster_common::{
    device::{Device, Field},
    flag::{Flag, FlagCode},
    governance::Charter,
    id::DeviceId,
    source::{Source, SubjectKey},
    time::Timestamp,
};
use muster_proto::store::v1 as stored;

use super::{
    ObserveError, Pipeline,
    attach::{SUBJECTS_PER_ROW, evidence_of},
};
use crate::{
    flags::{self, DeviceView},
    governance::exceptions,
    identity::{Identifier, IdentifierKind},
    records::{self, Read, Subject, key},
    store::{Key, Write},
};

/// Clones that a finding names; further ones are counted.
const CLONE_PEERS: usize = 8;

/// Reviews that are counted; more change nothing.
const MOST_REVIEWS: usize = 16;

/// What rules can't see in the device itself.
#[derive(Debug, Clone, Default)]
pub(super) struct Surroundings {
    /// How many devices claim each of its identifiers.
    pub(super) counts: Vec<(Identifier, u32)>,
    /// Other devices from which the same agent's identity reports.
    pub(super) clones: BTreeSet<DeviceId>,
    /// How many reviews name it as a candidate.
    pub(super) reviews: usize,
}

impl Pipeline {
    /// Gathers what rules need around a device; `writes` are the rows that the commit at hand is about to change.
    pub(super) async fn surroundings(
        &self,
        device: DeviceId,
        subjects: &[Subject],
        writes: &[Write],
    ) -> Result<Surroundings, ObserveError> {
        let identifiers: BTreeSet<Identifier> =
            subjects.iter().flat_map(|subject| evidence_of(subject).identifiers()).collect();
        let mut rows: BTreeMap<Key, (Identifier, Option<stored::IdentifierClaims>)> = BTreeMap::new();
        let mut unread = Vec::new();
        for identifier in identifiers {
            let Ok(key) = key::identifier(identifier.kind.name(), &identifier.value) else { continue };
            let pending = writes.iter().find(|write| write.key == key).and_then(|write| write.value.as_ref());
            match pending {
                Some(bytes) => {
                    let row = records::decode(&key, bytes)?;
                    rows.insert(key, (identifier, Some(row)));
                }
                None => {
                    unread.push(key.clone());
                    rows.insert(key, (identifier, None));
                }
            }
        }
        for read in self.records.get_all::<stored::IdentifierClaims>(unread).await? {
            if let Some((_, row)) = rows.get_mut(&read.key) {
                *row = read.record;
            }
        }
        let prefix = key::reviews_naming(device);
        let pending = writes.iter().filter(|write| write.key.as_bytes().starts_with(&prefix)).count();
        let open: Vec<(Key, stored::Review)> = self.records.scan(&prefix, None, MOST_REVIEWS).await?;
        let mut surroundings = Surroundings { reviews: pending + open.len(), ..Surroundings::default() };
        for (identifier, row) in rows.into_values() {
            let row = row.unwrap_or_default();
            if row.subjects.len() < 2 {
                surroundings.counts.push((identifier, row.device_count.min(1)));
                continue;
            }
            let counted = row.device_count;
            let is_full = row.subjects.len() >= SUBJECTS_PER_ROW;
            let mut devices: BTreeSet<DeviceId> = self
                .others(subjects, row.subjects, writes)
                .await?
                .into_iter()
                .map(|other| other.device)
                .collect();
            let says = |subject: &Subject| {
                !subject.superseded && evidence_of(subject).identifiers().contains(&identifier)
            };
            let own = subjects.iter().any(says);
            devices.remove(&device);
            let others = u32::try_from(devices.len()).unwrap_or(u32::MAX);
            if identifier.kind == IdentifierKind::Agent && own {
                surroundings.clones.extend(devices);
            }
            surroundings.counts.push((identifier, if is_full { counted } else { others + u32::from(own) }));
        }
        Ok(surroundings)
    }

    /// Devices from which the agent of a subject reports too.
    pub(super) async fn clones_of(&self, subject: &Subject) -> Result<Vec<DeviceId>, ObserveError> {
        let agent =
            evidence_of(subject).identifiers().into_iter().find(|it| it.kind == IdentifierKind::Agent);
        let Some(Ok(key)) = agent.map(|agent| key::identifier(agent.kind.name(), &agent.value)) else {
            return Ok(Vec::new());
        };
        let row: Read<stored::IdentifierClaims> = self.records.get(key).await?;
        let listed = row.record.map(|row| row.subjects).unwrap_or_default();
        let others = self.others(std::slice::from_ref(subject), listed, &[]).await?;
        Ok(others.into_iter().map(|other| other.device).filter(|device| *device != subject.device).collect())
    }

    /// The subjects of a row besides a device's own, but for those that were left behind; `writes` is what the commit at
    /// hand is about to change.
    async fn others(
        &self,
        own: &[Subject],
        listed: Vec<String>,
        writes: &[Write],
    ) -> Result<Vec<Subject>, ObserveError> {
        let mut others: Vec<Subject> = Vec::new();
        let mut unread = Vec::new();
        for subject in listed.into_iter().map(SubjectKey::stored) {
            if own.iter().any(|known| known.key == subject) {
                continue;
            }
            let key = key::subject(&subject);
            match writes.iter().find(|write| write.key == key).and_then(|write| write.value.as_ref()) {
                Some(bytes) => others.push(records::decode(&key, bytes)?),
                None => unread.push(key),
            }
        }
        let read: Vec<Read<Subject>> = self.records.get_all(unread).await?;
        others.extend(read.into_iter().filter_map(|read| read.record));
        others.retain(|subject| !subject.superseded);
        Ok(others)
    }

    /// What is wrong with a device by a charter, and when time alone may change that.
    pub(super) fn judge(
        &self,
        charter: &Charter,
        device: &Device,
        subjects: &[Subject],
        surroundings: Option<&Surroundings>,
        now: Timestamp,
    ) -> (Vec<Flag>, Option<Timestamp>) {
        let known = surroundings.is_some();
        let nothing = Surroundings::default();
        let surroundings = surroundings.unwrap_or(&nothing);
        let seen = self.presence.of(device.id);
        let is_agent =
            |subject: &&Subject| matches!(subject.source, Source::Agent(_)) && !subject.key.is_found();
        let reported = subjects.iter().filter(is_agent).map(|subject| subject.last).max();
        let clone_peers: Vec<DeviceId> = surroundings.clones.iter().take(CLONE_PEERS).copied().collect();
        let claims: Vec<(IdentifierKind, u32)> =
            surroundings.counts.iter().map(|(identifier, count)| (identifier.kind, *count)).collect();
        let view = DeviceView {
            device,
            agent_seen: reported.max(seen.map(|seen| seen.last)),
            connected: seen.is_some_and(|seen| seen.connected),
            others_seen: subjects
                .iter()
                .filter(|subject| sees(subject))
                .map(|subject| subject.last)
                .chain(self.sightings.last_of(device.id))
                .max(),
            vouched: subjects.iter().any(|subject| subject.vouches),
            open_reviews: u32::try_from(
                surroundings.reviews + subjects.iter().filter(|subject| subject.in_conflict).count(),
            )
            .unwrap_or(u32::MAX),
            claims: &claims,
            clone_peers: &clone_peers,
            clone_peer_count: u32::try_from(surroundings.clones.len()).unwrap_or(u32::MAX),
            hardware_changed: subjects.iter().filter_map(|subject| subject.hardware_changed).max(),
            agent: charter.agent_for(device.text(Field::Category), device.text(Field::Class)),
            collector_downtime: self.downtime.since(seen.map(|seen| seen.last), now),
            now,
        };
        let mut flags = flags::evaluate(&view, charter, &device.flags);
        if !known {
            flags.retain(|flag| !is_of_surroundings(flag.code));
            flags.extend(device.flags.iter().filter(|flag| is_of_surroundings(flag.code)).cloned());
            flags.sort_by_key(|flag| flag.code);
        }
        let covering = self.exceptions.of(device.id);
        let ends = exceptions::mark(&mut flags, covering.iter().map(Arc::as_ref), now);
        let changes = flags::next_change(&view, charter);
        (flags, ends.into_iter().chain(changes).min())
    }
}

/// Whether what a subject says means that its source saw the machine: a purchase record or a person's word does not.
fn sees(subject: &Subject) -> bool {
    match subject.source {
        Source::Import(_) => !subject.vouches && !subject.key.is_stated(),
        Source::Neighbour => true,
        Source::Agent(_) => subject.key.is_found(),
        Source::Operator(_) => false,
    }
}

/// Whether a finding rests on what lies around a device: who else claims its identifiers, and which reviews name it.
fn is_of_surroundings(code: FlagCode) -> bool {
    match code {
        FlagCode::Conflict | FlagCode::DuplicateIdentifier | FlagCode::ClonedIdentity => true,
        FlagCode::Unknown
        | FlagCode::NeverSeen
        | FlagCode::Stale
        | FlagCode::Missing
        | FlagCode::RetiredActive
        | FlagCode::HardwareChanged
        | FlagCode::Unassigned
        | FlagCode::Incomplete
        | FlagCode::Unmanaged
        | FlagCode::AgentSilent
        | FlagCode::WarrantyEnding
        | FlagCode::RenewalDue
        | FlagCode::DisposalUnproven => false,
    }
}
