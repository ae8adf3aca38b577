//! What one source says of one endpoint, and the device that it is attached to: the stored truth.

use std::collections::BTreeMap;

use muster_common::{
    delta::SectionDigest,
    device::{Field, Value},
    id::DeviceId,
    inventory::{SectionName, SectionStatus, SourceError},
    source::{Source, SubjectKey},
    time::Timestamp,
};
use muster_proto::{
    convert::{error_kind_from_wire, status_from_wire},
    store::v1 as stored,
    v1,
};

use super::{
    Malformed, Record,
    device::{device_id, value_from_stored, value_to_stored},
};

/// One endpoint as one source sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct Subject {
    /// Its key.
    pub key: SubjectKey,
    /// Who speaks.
    pub source: Source,
    /// The device that it is attached to.
    pub device: DeviceId,
    /// Version of the agent; empty for others.
    pub agent_version: String,
    /// When it was first heard of.
    pub first: Timestamp,
    /// When it last changed or confirmed its word.
    pub last: Timestamp,
    /// What it claims, and since when.
    pub fields: BTreeMap<Field, (Value, Timestamp)>,
    /// Its sections.
    pub sections: BTreeMap<SectionName, SectionHead>,
    /// The items that tell which device it is, each an encoded `muster.v1.Item`.
    pub evidence: Vec<Vec<u8>>,
    /// The identifier rows that lead to it: kind and value.
    pub identifiers: Vec<(String, String)>,
    /// Whether it is an authoritative record, such as a purchase.
    pub vouches: bool,
    /// The spool that its last report came from.
    pub spool_epoch: Vec<u8>,
    /// The last sequence of that spool that is durable.
    pub durable_sequence: u64,
    /// Why it is attached to that device.
    pub explanation: String,
    /// Its identity waits for an operator.
    pub in_conflict: bool,
    /// When decisive hardware last changed while the machine stayed the same.
    pub hardware_changed: Option<Timestamp>,
    /// Its agent has since reported from other hardware.
    pub superseded: bool,
    /// What it says came another way than by its stream since that last spoke.
    pub resync: bool,
}

/// What is known of a section without reading it.
#[derive(Debug, Clone, PartialEq)]
pub struct SectionHead {
    /// Of the content as the source has it; `None` when only a part is here.
    pub digest: Option<SectionDigest>,
    /// How far the source could read it, the last time.
    pub status: SectionStatus,
    /// What the source could not read, the last time.
    pub errors: Vec<SourceError>,
    /// When it last changed.
    pub observed: Timestamp,
    /// How many items there are.
    pub items: u32,
}

impl Record for Subject {
    type Stored = stored::Subject;

    fn to_stored(&self) -> stored::Subject {
        stored::Subject {
            key: self.key.as_str().to_owned(),
            source: self.source.to_string(),
            device_id: self.device.as_bytes().to_vec(),
            agent_version: self.agent_version.clone(),
            first_ms: self.first.as_millis(),
            last_ms: self.last.as_millis(),
            fields: self
                .fields
                .iter()
                .map(|(field, (value, observed))| stored::ClaimedField {
                    name: field.name().to_owned(),
                    value: Some(value_to_stored(value)),
                    observed_ms: observed.as_millis(),
                })
                .collect(),
            sections: self.sections.iter().map(|(name, head)| head_to_stored(name, head)).collect(),
            evidence: self.evidence.clone(),
            identifiers: self
                .identifiers
                .iter()
                .map(|(kind, value)| stored::Identifier { kind: kind.clone(), value: value.clone() })
                .collect(),
            vouches: self.vouches,
            spool_epoch: self.spool_epoch.clone(),
            durable_sequence: self.durable_sequence,
            explanation: self.explanation.clone(),
            in_conflict: self.in_conflict,
            hardware_changed_ms: self.hardware_changed.map_or(0, Timestamp::as_millis),
            superseded: self.superseded,
            resync: self.resync,
        }
    }

    fn from_stored(stored: stored::Subject) -> Result<Self, Malformed> {
        let mut fields = BTreeMap::new();
        for field in stored.fields {
            // A field that a newer version wrote is passed over: its subject is written again by the next report.
            let Ok(name) = field.name.parse::<Field>() else { continue };
            let value = value_from_stored(field.value)?;
            fields.insert(name, (value, Timestamp::from_millis(field.observed_ms)));
        }
        let sections = stored.sections.into_iter().map(head_from_stored).collect::<Result<_, _>>()?;
        Ok(Self {
            key: SubjectKey::stored(stored.key),
            source: stored.source.parse().map_err(|error| Malformed(format!("{error}")))?,
            device: device_id(&stored.device_id)?,
            agent_version: stored.agent_version,
            first: Timestamp::from_millis(stored.first_ms),
            last: Timestamp::from_millis(stored.last_ms),
            fields,
            sections,
            evidence: stored.evidence,
            identifiers: stored.identifiers.into_iter().map(|row| (row.kind, row.value)).collect(),
            vouches: stored.vouches,
            spool_epoch: stored.spool_epoch,
            durable_sequence: stored.durable_sequence,
            explanation: stored.explanation,
            in_conflict: stored.in_conflict,
            hardware_changed: (stored.hardware_changed_ms > 0)
                .then(|| Timestamp::from_millis(stored.hardware_changed_ms)),
            superseded: stored.superseded,
            resync: stored.resync,
        })
    }
}

fn head_to_stored(name: &SectionName, head: &SectionHead) -> stored::SectionHead {
    stored::SectionHead {
        name: name.as_str().to_owned(),
        digest: head.digest.map_or_else(Vec::new, |digest| digest.as_bytes().to_vec()),
        status: v1::SectionStatus::from(head.status).into(),
        errors: head
            .errors
            .iter()
            .map(|error| {
                let v1::SourceError { subject, kind, message } = error.into();
                stored::SourceError { subject, kind, message }
            })
            .collect(),
        observed_ms: head.observed.as_millis(),
        items: head.items,
    }
}

fn head_from_stored(stored: stored::SectionHead) -> Result<(SectionName, SectionHead), Malformed> {
    let name = SectionName::new(stored.name).map_err(|error| Malformed(error.to_string()))?;
    let digest = match stored.digest.as_slice() {
        [] => None,
        bytes => Some(
            SectionDigest::from_slice(bytes)
                .ok_or_else(|| Malformed(format!("the digest of section {name} has a wrong length")))?,
        ),
    };
    let errors = stored
        .errors
        .into_iter()
        .map(|stored::SourceError { subject, kind, message }| SourceError {
            subject,
            kind: error_kind_from_wire(kind),
            message,
        })
        .collect();
    let head = SectionHead {
        digest,
        status: status_from_wire(stored.status),
        errors,
        observed: Timestamp::from_millis(stored.observed_ms),
        items: stored.items,
    };
    Ok((name, head))
}
