//! What a subject says, brought up to date by an observation: pure, and before anything is decided.
//!
//! Knows nothing of devices and stores. That a source says the same again is presence and no change.

use std::collections::BTreeMap;

use muster_common::{
    device::{Field, Value},
    id::DeviceId,
    inventory::{Item, ItemKind, SectionName, SectionStatus},
};
use muster_proto::{
    convert::{item_from_body, item_to_wire},
    limits,
};
use prost::Message;

use super::{Observation, ObserveError, Speaker, attach::items_of};
use crate::{
    identity::Identifier,
    merge,
    records::{Subject, content::Content},
};

/// Identifiers that a subject keeps, the new ones first.
const IDENTIFIERS_PER_SUBJECT: usize = 128;

pub(super) fn is_replay(subject: &Subject, observation: &Observation) -> bool {
    observation.sequence.as_ref().is_some_and(|sequence| {
        sequence.epoch == subject.spool_epoch && sequence.sequence <= subject.durable_sequence
    })
}

pub(super) fn new_subject(observation: &Observation) -> Subject {
    let Observation { subject, speaker, observed, .. } = observation;
    Subject {
        key: subject.clone(),
        source: speaker.source(),
        device: DeviceId::from_bytes([0; 16]),
        agent_version: String::new(),
        first: *observed,
        last: *observed,
        fields: BTreeMap::new(),
        sections: BTreeMap::new(),
        evidence: Vec::new(),
        identifiers: Vec::new(),
        vouches: false,
        spool_epoch: Vec::new(),
        durable_sequence: 0,
        explanation: String::new(),
        in_conflict: false,
        hardware_changed: None,
        superseded: false,
        resync: false,
    }
}

/// Takes over what the speaker says besides its sections; whether what tells which device it is has changed.
pub(super) fn take_speaker(
    subject: &mut Subject,
    observation: &Observation,
    changed_sections: &BTreeMap<SectionName, Vec<Item>>,
) -> Result<bool, ObserveError> {
    if observation.carrier.is_some() {
        subject.resync = true;
    }
    if let Some(sequence) = &observation.sequence {
        subject.resync = false;
        subject.spool_epoch.clone_from(&sequence.epoch);
        subject.durable_sequence = sequence.sequence;
    }
    match &observation.speaker {
        Speaker::Agent { agent: _, version, evidence } => {
            let upgraded = subject.agent_version != *version;
            subject.agent_version.clone_from(version);
            if evidence.is_empty() && changed_sections.is_empty() && !upgraded {
                return Ok(false);
            }
            let mut items = if evidence.is_empty() { items_of(subject) } else { evidence.clone() };
            for (name, changed) in changed_sections {
                items.retain(|item| section_of(&item.kind) != Some(name.as_str()));
                items.extend(changed.iter().filter(|item| section_of(&item.kind).is_some()).cloned());
            }
            if items.len() > limits::EVIDENCE_ITEMS {
                return Err(ObserveError::TooMuchEvidence);
            }
            // In an order of their own, for a session's first words and a section name them in different ones.
            let mut encoded: Vec<Vec<u8>> =
                items.iter().map(|item| item_to_wire(item).encode_to_vec()).collect();
            encoded.sort_unstable();
            if encoded == subject.evidence && !upgraded {
                return Ok(false);
            }
            let statuses: BTreeMap<SectionName, SectionStatus> =
                subject.sections.iter().map(|(name, head)| (name.clone(), head.status)).collect();
            let mut fields = merge::fields_from_items(&items);
            if !version.is_empty() {
                fields.insert(Field::AgentVersion, Value::Text(version.clone()));
            }
            subject.fields = merge::update(&subject.fields, fields, &statuses, observation.observed);
            subject.evidence = encoded;
            Ok(true)
        }
        Speaker::Found { fields, .. } => {
            subject.source = observation.speaker.source();
            let is_same = |field: &Field| {
                // It hangs there since now, and not since it did so before it hung elsewhere.
                *field != Field::AttachedTo
                    && subject.fields.get(field).is_some_and(|known| fields.get(field) == Some(&known.0))
            };
            let now = observation.observed;
            subject.fields = fields
                .iter()
                .map(|(field, value)| match subject.fields.get(field) {
                    Some(known) if is_same(field) => (*field, known.clone()),
                    Some(_) | None => (*field, (value.clone(), now)),
                })
                .collect();
            Ok(true)
        }
        Speaker::Row { fields, vouches, .. } => {
            subject.vouches = *vouches;
            let before = subject.fields.len();
            let same = fields.len() == before
                && fields
                    .iter()
                    .all(|(field, value)| subject.fields.get(field).is_some_and(|known| known.0 == *value));
            if same {
                return Ok(false);
            }
            subject.fields =
                merge::update(&subject.fields, fields.clone(), &BTreeMap::new(), observation.observed)
                    .into_iter()
                    .filter(|(field, _)| fields.contains_key(field))
                    .collect();
            Ok(true)
        }
        Speaker::Stated { fields, vouches, by, .. } => {
            subject.vouches = vouches.unwrap_or(subject.vouches);
            for (field, value) in fields {
                match value {
                    None => drop(subject.fields.remove(field)),
                    Some(value)
                        if by.is_none()
                            && subject.fields.get(field).is_some_and(|known| known.0 == *value) => {}
                    Some(value) => {
                        subject.fields.insert(*field, (value.clone(), observation.observed));
                    }
                }
            }
            Ok(false)
        }
    }
}

/// The section that an item of evidence belongs to.
fn section_of(kind: &ItemKind) -> Option<&'static str> {
    match kind {
        ItemKind::System(_)
        | ItemKind::Baseboard(_)
        | ItemKind::Chassis(_)
        | ItemKind::Firmware(_)
        | ItemKind::Processor(_)
        | ItemKind::Memory(_)
        | ItemKind::Battery(_)
        | ItemKind::PowerSupply(_)
        | ItemKind::MemoryModule(_) => Some(SectionName::HARDWARE),
        ItemKind::Disk(_) => Some(SectionName::STORAGE),
        ItemKind::NetworkAdapter(_) => Some(SectionName::NETWORK),
        ItemKind::OperatingSystem(_) => Some(SectionName::OS),
        // What is built in belongs to the machine; what stands beside it doesn't.
        ItemKind::CloudInstance(_) => Some(SectionName::CLOUD),
        ItemKind::Monitor(monitor) => (monitor.built_in == Some(true)).then_some(SectionName::MONITORS),
        // None of these is evidence of identity.
        ItemKind::Account(_)
        | ItemKind::Certificate(_)
        | ItemKind::Group(_)
        | ItemKind::Listener(_)
        | ItemKind::Login(_)
        | ItemKind::Neighbour(_)
        | ItemKind::NetworkNeighbours(_)
        | ItemKind::PciDevice(_)
        | ItemKind::Protection(_)
        | ItemKind::Security(_)
        | ItemKind::Service(_)
        | ItemKind::Usage(_)
        | ItemKind::UsbDevice(_)
        | ItemKind::Volume(_)
        | ItemKind::Cache(_)
        | ItemKind::OnboardDevice(_)
        | ItemKind::Port(_)
        | ItemKind::Slot(_)
        | ItemKind::Tpm(_)
        | ItemKind::Package(_) => None,
    }
}

pub(super) fn items_in(content: &Content) -> Result<Vec<Item>, ObserveError> {
    let Content::Items(items) = content else { return Ok(Vec::new()) };
    let mut decoded = Vec::with_capacity(items.len());
    for item in items {
        decoded.extend(item_from_body(&item.body, &item.installation).map_err(ObserveError::unusable)?);
    }
    Ok(decoded)
}

pub(super) fn remember_identifiers(subject: &mut Subject, identifiers: &[Identifier]) {
    let mut all: Vec<(String, String)> = identifiers
        .iter()
        .map(|identifier| (identifier.kind.name().to_owned(), identifier.value.clone()))
        .collect();
    let former = std::mem::take(&mut subject.identifiers);
    all.extend(former.into_iter().filter(|known| {
        !identifiers.iter().any(|identifier| identifier.kind.name() == known.0 && identifier.value == known.1)
    }));
    all.truncate(IDENTIFIERS_PER_SUBJECT);
    subject.identifiers = all;
}

/// Whether a subject says the same as before; that it said so again is presence, not a fact.
pub(super) fn same_word(before: &Subject, after: &Subject) -> bool {
    let plain = |subject: &Subject| Subject {
        last: before.last,
        spool_epoch: Vec::new(),
        durable_sequence: 0,
        ..subject.clone()
    };
    plain(before) == plain(after)
}
