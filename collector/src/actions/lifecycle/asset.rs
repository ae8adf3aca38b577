//! What is known of one asset, as the policy wants it.

use std::collections::BTreeSet;

use muster_common::{
    asset::Category,
    device::{Device, Field, Value},
    governance::{EvidenceKind, State},
    id::DeviceId,
    source::Source,
    time::Timestamp,
};
use muster_proto::store::v1 as stored;

use super::{By, Lifecycle, LifecycleError, office};
use crate::{
    governance::lifecycle::{Acknowledgement, Facts, Life, Order, Purchase},
    privacy::evidence::FileHash,
    records::{Read, Subject, key},
};

/// How far an asset that was merged away is followed.
const MOST_MERGES: usize = 32;

/// An asset, as it was read.
pub(super) struct Asset {
    pub(super) read: Read<Device>,
    pub(super) device: Device,
    pub(super) subjects: Vec<Subject>,
    /// Files that are attached to it, by their hash.
    pub(super) notes: Vec<stored::EvidenceNote>,
}

impl Lifecycle {
    /// Reads an asset, if who asks may know of it.
    pub(super) async fn asset(&self, id: DeviceId, by: &By) -> Result<Asset, LifecycleError> {
        let mut named = id;
        for _ in 0..MOST_MERGES {
            let read: Read<Device> = self.pipeline.records().get(key::device(named)).await?;
            let Some(device) = read.record.clone() else { break };
            if let Some(next) = device.merged_into {
                named = next;
                continue;
            }
            if !by.sight.sees(device.text(Field::Department)) {
                break;
            }
            let keys = device.subjects.iter().map(key::subject).collect();
            let subjects: Vec<Read<Subject>> = self.pipeline.records().get_all(keys).await?;
            let subjects = subjects.into_iter().filter_map(|read| read.record).collect();
            let notes = self.notes_of(&device).await?;
            return Ok(Asset { read, device, subjects, notes });
        }
        Err(LifecycleError::NoAsset { device: id })
    }
}

impl Asset {
    /// Which table of steps it goes by.
    pub(super) fn life(&self) -> Life {
        let category = self.device.text(Field::Category).and_then(|name| name.parse().ok());
        let in_cloud = self.device.value(Field::Instance).is_some();
        Life::of(category.unwrap_or(Category::Device), in_cloud)
    }

    /// Its facts for a step to `to`, as its record has them.
    pub(super) fn facts(&self, by: &By, to: State) -> Facts {
        let device = &self.device;
        let text = |field| device.text(field).map(str::to_owned);
        let state = device.fields.get(&Field::State).and_then(|known| known.claims.first());
        // A list that says `in-stock` does not say who received it against which order.
        let state =
            state.filter(|claim| to != State::Received || matches!(claim.source, Source::Operator(_)));
        let acknowledged = self.acknowledged();
        let person = |field| match device.value(field) {
            Some(Value::Person(person)) => Some(*person),
            Some(_) | None => None,
        };
        let owner = acknowledged
            .map(|it| it.person)
            .or_else(|| person(Field::AssignedTo))
            .or_else(|| person(Field::Owner));
        let has_storage = matches!(device.value(Field::Disk), Some(Value::Number(bytes)) if *bytes > 0)
            || device.value(Field::DiskSerials).is_some();
        Facts {
            present: state.and_then(|claim| claim.value.to_string().parse().ok()),
            since: state.map(|claim| claim.observed),
            actor: by.name.clone(),
            roles: by.roles.clone(),
            order: None,
            serial: text(Field::Serial),
            purchases: self.purchases(),
            owner,
            acknowledged,
            has_storage,
            leased: device.text(Field::Ownership) == Some("leased") || device.value(Field::Lessor).is_some(),
            evidence: self.kinds(to, state.map(|claim| claim.observed)),
            ..Facts::nothing(self.life())
        }
    }

    /// The kinds of files that are attached. A wipe is proven by what was added since it was retired: what was wiped,
    /// given out again and retired again has to be wiped again.
    fn kinds(&self, to: State, since: Option<Timestamp>) -> BTreeSet<EvidenceKind> {
        let is_old = |note: &&stored::EvidenceNote| {
            to == State::Wiped && since.is_some_and(|since| note.time_ms < since.as_millis())
        };
        self.notes.iter().filter(|note| !is_old(note)).filter_map(|note| note.kind.parse().ok()).collect()
    }

    /// The latest file of a kind.
    pub(super) fn latest(&self, kind: EvidenceKind) -> Option<FileHash> {
        let of_kind = self.notes.iter().filter(|note| note.kind == kind.name());
        let note = of_kind.max_by_key(|note| note.time_ms)?;
        <[u8; 32]>::try_from(note.sha256.as_slice()).ok().map(FileHash::from_bytes)
    }

    /// Imported records that vouch for it; that somebody adopted it is no purchase.
    fn purchases(&self) -> Vec<Purchase> {
        let vouching = self.subjects.iter().filter(|subject| {
            subject.vouches
                && matches!(subject.source, Source::Import(_))
                && !subject.key.is_stated()
                && !subject.in_conflict
        });
        let text = |subject: &Subject, field| match subject.fields.get(&field) {
            Some((Value::Text(text), _)) => Some(text.clone()),
            Some(_) | None => None,
        };
        vouching
            .map(|subject| Purchase {
                order: text(subject, Field::OrderNumber).map(Order),
                serial: text(subject, Field::Serial),
            })
            .collect()
    }

    /// The hand-over that stands.
    fn acknowledged(&self) -> Option<Acknowledgement> {
        let decided =
            self.subjects.iter().filter(|subject| subject.key.is_stated() && subject.source == office());
        decided
            .filter_map(|subject| {
                let Some((Value::Time(at), _)) = subject.fields.get(&Field::Acknowledged) else {
                    return None;
                };
                let Some((Value::Person(person), _)) = subject.fields.get(&Field::AssignedTo) else {
                    return None;
                };
                Some(Acknowledgement { person: *person, at: *at })
            })
            .max_by_key(|it| it.at)
    }
}
