//! Persons' facts at rest and back.

use muster_common::{id::PersonId, person::PersonFacts, time::Timestamp};
use muster_proto::store::v1 as stored;

/// An id from bytes; none for anything but sixteen.
pub(super) fn id_of(bytes: &[u8]) -> Option<PersonId> {
    bytes.try_into().ok().map(PersonId::from_bytes)
}

pub(super) fn facts_of(stored: &stored::PersonFacts) -> PersonFacts {
    let stored::PersonFacts { department, location, cost_center, manager, starts_ms, ends_ms } = stored;
    let text = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
    PersonFacts {
        department: text(department),
        location: text(location),
        cost_center: text(cost_center),
        manager: id_of(manager),
        starts: starts_ms.map(Timestamp::from_millis),
        ends: ends_ms.map(Timestamp::from_millis),
    }
}

pub(super) fn facts_to_stored(facts: &PersonFacts) -> stored::PersonFacts {
    let PersonFacts { department, location, cost_center, manager, starts, ends } = facts;
    stored::PersonFacts {
        department: department.clone().unwrap_or_default(),
        location: location.clone().unwrap_or_default(),
        cost_center: cost_center.clone().unwrap_or_default(),
        manager: manager.map(|id| id.as_bytes().to_vec()).unwrap_or_default(),
        starts_ms: starts.map(Timestamp::as_millis),
        ends_ms: ends.map(Timestamp::as_millis),
    }
}
