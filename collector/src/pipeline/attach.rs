//! Which device a new subject belongs to: candidates found by identifier rows, the decision, and the rows as they are
//! after it.
//!
//! The decision itself is `identity`'s and pure; here is what it needs read and what it leads to written. Every row that
//! was read is expected unchanged by the commit, so that two first reports at once never make two devices.

use std::collections::{BTreeMap, BTreeSet};

use muster_common::{
    device::{AgentBinding, Device, Field, Value},
    id::DeviceId,
    inventory::Item,
    source::{Source, SubjectKey},
};
use muster_proto::{convert::item_from_wire, store::v1 as stored, v1};
use prost::Message;

use super::{Attachment, ObserveError, Pipeline};
use crate::{
    identity::{Candidate, CandidateSubject, ClaimCounts, Decision, Evidence, Identifier, decide},
    records::{Read, Subject, key, put},
    store::{Key, Revision, Write},
};

/// Subjects that a row lists; further ones are only counted.
pub(super) const SUBJECTS_PER_ROW: usize = 64;
/// Where counting ends: past this a row is as useless as it can be, and writing it for every claim would hold up all.
const MOST_COUNTED: u32 = 1_000;
/// How far a merged device is followed.
const MOST_MERGES: usize = 32;

/// What was decided for a new subject.
#[derive(Debug)]
pub(super) struct Attached {
    pub(super) device: DeviceId,
    pub(super) attachment: Attachment,
    pub(super) explanation: String,
    pub(super) hardware_changed: bool,
    /// Devices in question, for the review.
    pub(super) candidates: Vec<DeviceId>,
    /// Subjects of the same agent on other devices, as they were read.
    pub(super) elsewhere: Vec<Read<Subject>>,
    pub(super) rows: Rows,
}

/// How a subject stands to its device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// No other agent speaks of the device.
    Alone,
    /// Others do, so it matters who spoke last.
    InTurn,
    /// The machine has gone on with other numbers since: if these come back, it may be on another machine, and it is to
    /// be decided again.
    Abandoned,
}

/// Identifier rows as a subject leaves them.
#[derive(Debug, Default)]
pub(super) struct Rows {
    pub(super) expected: Vec<(Key, Revision)>,
    pub(super) writes: Vec<Write>,
    /// Devices that claim an identifier which just became one of too many.
    pub(super) crowded: BTreeSet<DeviceId>,
}

impl Pipeline {
    /// How a known subject stands to its device, when it says again who it is.
    pub(super) async fn standing(&self, subject: &Subject) -> Result<Standing, ObserveError> {
        let read: Read<Device> = self.records.get(key::device(subject.device)).await?;
        let agents = read.record.map(|device| device.agents).unwrap_or_default();
        let later = |binding: &AgentBinding| {
            binding.last_report > subject.last && binding.subject.fingerprint() != subject.key.fingerprint()
        };
        Ok(if agents.iter().any(later) {
            Standing::Abandoned
        } else if agents.len() > 1 {
            Standing::InTurn
        } else {
            Standing::Alone
        })
    }

    /// Decides for a subject that is not attached yet, or has to be again.
    pub(super) async fn attach(
        &self,
        subject: &Subject,
        evidence: &Evidence,
    ) -> Result<Attached, ObserveError> {
        let identifiers = evidence.identifiers();
        let rows = self.rows(&identifiers).await?;
        let known = self.claimants(rows.values(), &subject.key).await?;
        let mut counts = ClaimCounts::default();
        for (identifier, row) in &rows {
            counts.set(identifier.clone(), claimed_by(row, &known));
        }
        let candidates = self.candidates(&known).await?;
        let charter = self.charter.load();
        let decision = decide(evidence, &candidates, &counts, &charter);
        // The same agent on other hardware, wherever that is attached.
        let elsewhere: Vec<Read<Subject>> = known
            .iter()
            .filter(|_| !subject.key.is_found())
            .filter(|read| read.record.as_ref().is_some_and(|known| known.source == subject.source))
            .cloned()
            .collect();
        let mut attached = match decision {
            Decision::Matched { device, explanation, hardware_changed, agent_elsewhere: _, rank: _ } => {
                Attached {
                    device,
                    attachment: Attachment::Matched,
                    explanation,
                    hardware_changed,
                    candidates: Vec::new(),
                    elsewhere,
                    rows: Rows::default(),
                }
            }
            Decision::New { explanation, agent_elsewhere: _ } => Attached {
                device: DeviceId::random(),
                attachment: Attachment::New,
                explanation,
                hardware_changed: false,
                candidates: Vec::new(),
                elsewhere,
                rows: Rows::default(),
            },
            Decision::Conflict { candidates, explanation } => Attached {
                device: DeviceId::random(),
                attachment: Attachment::Conflict,
                explanation,
                hardware_changed: false,
                candidates,
                elsewhere,
                rows: Rows::default(),
            },
        };
        let devices: BTreeMap<&SubjectKey, DeviceId> = known
            .iter()
            .filter_map(|read| read.record.as_ref().map(|subject| (&subject.key, subject.device)))
            .collect();
        for row in rows.into_values() {
            attached.rows.claim(row, &subject.key, attached.device, &devices, charter.devices_per_identifier);
        }
        Ok(attached)
    }

    /// Attaches what somebody states to the device that they name.
    ///
    /// # Errors
    /// [`ObserveError::NoSuchDevice`].
    pub(super) async fn attach_stated(
        &self,
        device: DeviceId,
        subject: &Subject,
    ) -> Result<Attached, ObserveError> {
        let mut named = device;
        // A device that was merged away leads on; a chain longer than this is a mistake and no history.
        for _ in 0..MOST_MERGES {
            let read: Read<Device> = self.records.get(key::device(named)).await?;
            let known = read.record.ok_or(ObserveError::NoSuchDevice { device })?;
            match known.merged_into {
                Some(next) => named = next,
                None => {
                    return Ok(Attached {
                        device: named,
                        attachment: Attachment::Matched,
                        explanation: format!("named by {}", subject.source.kind()),
                        hardware_changed: false,
                        candidates: Vec::new(),
                        elsewhere: Vec::new(),
                        rows: Rows::default(),
                    });
                }
            }
        }
        Err(ObserveError::NoSuchDevice { device })
    }

    /// The rows of identifiers that a known subject has now and had not before.
    pub(super) async fn claim_more(
        &self,
        subject: &Subject,
        identifiers: &[Identifier],
    ) -> Result<Rows, ObserveError> {
        let has = |identifier: &Identifier| {
            subject
                .identifiers
                .iter()
                .any(|(kind, value)| kind == identifier.kind.name() && *value == identifier.value)
        };
        let new: Vec<Identifier> =
            identifiers.iter().filter(|identifier| !has(identifier)).cloned().collect();
        let mut rows = Rows::default();
        if new.is_empty() {
            return Ok(rows);
        }
        let read = self.rows(&new).await?;
        let known = self.claimants(read.values(), &subject.key).await?;
        let devices = known
            .iter()
            .filter_map(|read| read.record.as_ref().map(|subject| (&subject.key, subject.device)))
            .collect();
        for row in read.into_values() {
            rows.claim(
                row,
                &subject.key,
                subject.device,
                &devices,
                self.charter.load().devices_per_identifier,
            );
        }
        Ok(rows)
    }

    async fn rows(
        &self,
        identifiers: &[Identifier],
    ) -> Result<BTreeMap<Identifier, Read<stored::IdentifierClaims>>, ObserveError> {
        let mut keys = Vec::with_capacity(identifiers.len());
        let mut kept = Vec::with_capacity(identifiers.len());
        for identifier in identifiers {
            // `Identifier` bounds its value so that it fits a key; one that does not can't lead anywhere.
            if let Ok(key) = key::identifier(identifier.kind.name(), &identifier.value) {
                keys.push(key);
                kept.push(identifier.clone());
            }
        }
        let rows = self.records.get_all(keys).await?;
        Ok(kept.into_iter().zip(rows).collect())
    }

    /// The subjects that rows list, but for the one that is being decided.
    async fn claimants(
        &self,
        rows: impl Iterator<Item = &Read<stored::IdentifierClaims>>,
        but: &SubjectKey,
    ) -> Result<Vec<Read<Subject>>, ObserveError> {
        let keys: BTreeSet<&str> = rows
            .filter_map(|row| row.record.as_ref())
            .flat_map(|row| row.subjects.iter().map(String::as_str))
            .filter(|subject| *subject != but.as_str())
            .collect();
        let keys = keys.into_iter().map(|text| key::subject(&SubjectKey::stored(text.to_owned()))).collect();
        let read: Vec<Read<Subject>> = self.records.get_all(keys).await?;
        Ok(read.into_iter().filter(|read| read.record.is_some()).collect())
    }

    /// The devices of these subjects, each with everything that is attached to it.
    async fn candidates(&self, claimants: &[Read<Subject>]) -> Result<Vec<Candidate>, ObserveError> {
        let ids: BTreeSet<DeviceId> =
            claimants.iter().filter_map(|read| read.record.as_ref()).map(|subject| subject.device).collect();
        let mut candidates = Vec::with_capacity(ids.len());
        for id in ids {
            let Some((device, subjects)) = self.device_with_subjects(id).await? else { continue };
            candidates.push(Candidate {
                device: id,
                disposed: crate::flags::is_retired(&device),
                in_review: subjects.iter().any(|subject| subject.in_conflict),
                subjects: subjects
                    .iter()
                    .map(|subject| CandidateSubject {
                        evidence: evidence_of(subject),
                        live: self.presence.is_connected(&subject.key),
                        last: subject.last,
                    })
                    .collect(),
            });
        }
        Ok(candidates)
    }
}

impl Rows {
    /// Adds a subject to a row.
    fn claim(
        &mut self,
        read: Read<stored::IdentifierClaims>,
        subject: &SubjectKey,
        device: DeviceId,
        devices: &BTreeMap<&SubjectKey, DeviceId>,
        limit: u32,
    ) {
        self.expected.push(read.expectation());
        let mut row = read.record.unwrap_or_default();
        if row.subjects.iter().any(|known| known == subject.as_str()) || row.device_count >= MOST_COUNTED {
            return;
        }
        let listed: BTreeSet<DeviceId> = row
            .subjects
            .iter()
            .filter_map(|text| devices.get(&SubjectKey::stored(text.clone())).copied())
            .collect();
        let before = row.device_count;
        if !listed.contains(&device) {
            row.device_count += 1;
        }
        if row.subjects.len() < SUBJECTS_PER_ROW {
            row.subjects.push(subject.as_str().to_owned());
        }
        // Of some identifiers two claims are one too many; past the limit the others carry the finding already.
        if row.device_count > before && row.device_count <= limit.saturating_add(1) {
            self.crowded.extend(listed);
        }
        self.writes.push(put(read.key, &row));
    }
}

/// How many devices claim an identifier; past what a row lists, how many have been counted.
fn claimed_by(row: &Read<stored::IdentifierClaims>, known: &[Read<Subject>]) -> u32 {
    let Some(row) = &row.record else { return 0 };
    if row.subjects.len() >= SUBJECTS_PER_ROW {
        return row.device_count;
    }
    let devices: BTreeSet<DeviceId> = known
        .iter()
        .filter_map(|read| read.record.as_ref())
        .filter(|subject| !subject.superseded && row.subjects.iter().any(|key| key == subject.key.as_str()))
        .map(|subject| subject.device)
        .collect();
    u32::try_from(devices.len()).unwrap_or(u32::MAX)
}

/// What a stored subject says about which machine it means.
pub(super) fn evidence_of(subject: &Subject) -> Evidence {
    if subject.key.is_stated() {
        return Evidence::named();
    }
    match &subject.source {
        Source::Agent(_) if subject.key.is_found() => Evidence::from_found(&values_of(subject)),
        Source::Agent(agent) => Evidence::from_items(&items_of(subject), Some(*agent)),
        Source::Import(import) => Evidence::from_fields(import.clone(), &values_of(subject)),
        Source::Operator(_) | Source::Neighbour => Evidence::named(),
    }
}

fn values_of(subject: &Subject) -> BTreeMap<Field, Value> {
    subject.fields.iter().map(|(field, (value, _))| (*field, value.clone())).collect()
}

/// The items that a stored subject's evidence holds; what can't be read any more is left out.
pub(super) fn items_of(subject: &Subject) -> Vec<Item> {
    subject
        .evidence
        .iter()
        .filter_map(|bytes| v1::Item::decode(bytes.as_slice()).ok())
        .filter_map(|wire| item_from_wire(wire).ok().flatten())
        .collect()
}
