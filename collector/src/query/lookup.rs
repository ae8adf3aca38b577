//! Who had an identifier at a moment: an address, a name, a serial number, a person.
//!
//! What an identifier may be is tried in every form that fits, since people paste what they have. Candidates are the
//! devices that have it now (by the index) and those that had it once (by [`super::former`]); whether one had it at
//! that moment, since when and until when, its history tells.

use std::{collections::BTreeSet, net::IpAddr};

use muster_common::{
    device::{Device, Field, FieldKind, Value as Fact},
    filter::{Comparison, FieldPath, Filter, Operator, Value},
    id::DeviceId,
    inventory::MacAddress,
    page::OrderBy,
    time::Timestamp,
};
use muster_proto::{
    convert::{from_timestamp, to_timestamp},
    limits, v1,
};

use super::{Query, QueryFailure, View, convert, history::winner, past::Rewound};
use crate::{identity::normalise, index::ListRequest};

/// Devices that are looked at for each form of the identifier.
const MOST_DEVICES: u32 = 100;

/// A form of the identifier.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Wanted {
    /// What answers call it.
    kind: &'static str,
    field: Field,
    /// As [`keys_of`] makes it of a value.
    key: String,
    /// What the index is asked for.
    values: Vec<Value>,
}

/// When a device had it.
struct Held {
    from: Timestamp,
    to: Option<Timestamp>,
}

impl View<'_> {
    /// Every device that had the identifier at a moment.
    ///
    /// # Errors
    /// When the identifier can't be one, or the store can't answer.
    pub async fn lookup(&self, request: &v1::LookupRequest) -> Result<v1::LookupResponse, QueryFailure> {
        let v1::LookupRequest { identifier, at } = request;
        let identifier = identifier.trim();
        if identifier.is_empty() || identifier.len() > limits::TEXT_BYTES {
            return Err(QueryFailure::Identifier);
        }
        let now = self.now();
        let past = at.as_ref().map(from_timestamp).filter(|at| *at < now);
        let mut forms = forms_of(identifier);
        if let Some(person) = self.persons.find(identifier).await? {
            forms.extend([Field::AssignedTo, Field::Owner].map(|field| Wanted {
                kind: "user",
                field,
                key: person.to_string(),
                values: vec![Value::Exact(person.to_string())],
            }));
        }
        let mut matches = Vec::new();
        let mut devices = BTreeSet::new();
        for wanted in &forms {
            let mut candidates = self.present(wanted, now)?;
            if past.is_some() {
                candidates.extend(self.former.devices(self.records(), wanted.field, &wanted.key).await?);
            }
            for candidate in candidates {
                if let Some(found) = self.match_of(candidate, wanted, past.unwrap_or(now)).await? {
                    devices.insert(found.device.clone());
                    // A person may both own a device and have it.
                    if !matches.iter().any(|known: &v1::LookupMatch| {
                        known.device == found.device && known.kind == found.kind
                    }) {
                        matches.push(found);
                    }
                }
            }
        }
        Ok(v1::LookupResponse { matches, ambiguous: devices.len() > 1 })
    }

    /// The devices that have it now.
    fn present(&self, wanted: &Wanted, now: Timestamp) -> Result<BTreeSet<DeviceId>, QueryFailure> {
        let operator = match wanted.field.kind() {
            FieldKind::List => Operator::Has,
            FieldKind::Text
            | FieldKind::Version
            | FieldKind::Boolean
            | FieldKind::Number
            | FieldKind::Time
            | FieldKind::Money
            | FieldKind::Person => Operator::Equal,
        };
        let order = OrderBy::default();
        let mut found = BTreeSet::new();
        for value in &wanted.values {
            let field = FieldPath::new(wanted.field.name()).expect("the name of a field is a path");
            let filter =
                self.narrowed(Filter::Comparison(Comparison { field, operator, value: value.clone() }));
            let request =
                ListRequest { filter: &filter, order: &order, token: None, size: MOST_DEVICES, now };
            found.extend(self.index.read().list(&request)?.devices);
        }
        Ok(found)
    }

    /// What a device had to do with it at a moment; `None` when nothing.
    async fn match_of(
        &self,
        id: DeviceId,
        wanted: &Wanted,
        at: Timestamp,
    ) -> Result<Option<v1::LookupMatch>, QueryFailure> {
        let resolved = self.index.read().resolve(id);
        let Some(id) = resolved else { return Ok(None) };
        let mut device = self.record_of(id).await?;
        if device.first_seen > at || !self.sees(&device) {
            return Ok(None);
        }
        let Some(Held { from, to }) = self.held(&mut device, wanted, at).await? else { return Ok(None) };
        // As it was then: what another department did with it is that department's.
        if !self.sees(&device) {
            return Ok(None);
        }
        let person =
            [Field::AssignedTo, Field::Owner].into_iter().find_map(|field| match device.value(field) {
                Some(Fact::Person(person)) => Some(*person),
                Some(_) | None => None,
            });
        let names = self.names(person).await?;
        let claim = device.fields.get(&wanted.field).and_then(|known| known.claims.first());
        Ok(Some(v1::LookupMatch {
            device: convert::name(id),
            display_name: device.display_name(),
            kind: wanted.kind.to_owned(),
            assigned_person: person.map(|person| names.person(person)).unwrap_or_default(),
            from_time: Some(to_timestamp(from)),
            to_time: to.map(to_timestamp),
            source: claim.map(|claim| claim.source.to_string()).unwrap_or_default(),
        }))
    }
}

impl Query {
    /// Takes the device back to the moment; since when and until when it had the identifier, if it had it then.
    async fn held(
        &self,
        device: &mut Device,
        wanted: &Wanted,
        at: Timestamp,
    ) -> Result<Option<Held>, QueryFailure> {
        let (id, first_seen) = (device.id, device.first_seen);
        let has = |claims: &[_]| {
            Ok::<_, crate::records::Malformed>(
                winner(claims)?.is_some_and(|value| keys_of(wanted.field, &value).contains(&wanted.key)),
            )
        };
        let mut back = Rewound::new(device);
        let (mut from, mut to) = (None, None);
        self.walk_back(id, |entry| {
            let time = Timestamp::from_millis(entry.time_ms);
            let change = entry.changes.iter().find(|change| change.name == wanted.field.name());
            let (gained, lost) = match change {
                None => (false, false),
                Some(change) => {
                    let (before, after) = (has(&change.before)?, has(&change.after)?);
                    (after && !before, before && !after)
                }
            };
            if time > at {
                if lost {
                    to = Some(time);
                } else if gained {
                    // That is a later time of having it.
                    to = None;
                }
                back.undo(entry)?;
                return Ok(true);
            }
            if gained {
                from = Some(time);
            }
            // Before it lost it for the last time lies another story.
            Ok(!(gained || lost))
        })
        .await?;
        back.finish(at);
        let has_it = device
            .value(wanted.field)
            .is_some_and(|value| keys_of(wanted.field, value).contains(&wanted.key));
        Ok(has_it.then(|| Held { from: from.unwrap_or(first_seen), to }))
    }
}

/// What a value can be looked up by; nothing for fields that nobody looks up.
pub(super) fn keys_of(field: Field, value: &Fact) -> Vec<String> {
    match (field, value) {
        (Field::Ip | Field::Mac, Fact::List(items)) => items.iter().map(|item| item.to_lowercase()).collect(),
        (Field::AssignedTo | Field::Owner, Fact::Person(person)) => vec![person.to_string()],
        (Field::Uuid, Fact::Text(text)) => normalise::uuid(text).into_iter().collect(),
        (Field::AssetTag, Fact::Text(text)) => {
            let text = text.to_lowercase();
            // People read the tag off the machine and leave the scheme out.
            let tag = text.rsplit_once('/').map(|(_, tag)| tag.to_owned());
            std::iter::once(text).chain(tag).collect()
        }
        (Field::Hostname | Field::Serial | Field::MachineId, Fact::Text(text)) => vec![text.to_lowercase()],
        _ => Vec::new(),
    }
}

/// What an identifier may be.
fn forms_of(identifier: &str) -> Vec<Wanted> {
    let plain =
        |kind, field, key: String| Wanted { kind, field, values: vec![Value::Exact(key.clone())], key };
    if let Ok(ip) = identifier.parse::<IpAddr>() {
        return vec![plain("ip", Field::Ip, ip.to_string())];
    }
    let mut forms = Vec::new();
    if let Ok(mac) = identifier.parse::<MacAddress>() {
        forms.push(plain("mac", Field::Mac, mac.to_string()));
    }
    if let (Some(key), Some(shown)) = (normalise::uuid(identifier), normalise::shown_uuid(identifier)) {
        let orders = [flipped(&shown), shown].map(Value::Exact).to_vec();
        forms.push(Wanted { kind: "uuid", field: Field::Uuid, key, values: orders });
    }
    if let Some(id) = normalise::machine_id(identifier) {
        forms.push(plain("machine_id", Field::MachineId, id));
    }
    let text = normalise::visible(identifier);
    forms.push(plain("hostname", Field::Hostname, text.to_lowercase()));
    forms.push(plain("serial", Field::Serial, text.to_lowercase()));
    let mut tag = plain("asset_tag", Field::AssetTag, text.to_lowercase());
    if !text.contains('/') {
        tag.values = vec![Value::Suffix(format!("/{text}"))];
    }
    forms.push(tag);
    forms
}

/// A UUID with the bytes of its first three groups the other way round.
fn flipped(uuid: &str) -> String {
    let mut groups: Vec<String> = uuid.split('-').map(str::to_owned).collect();
    for group in groups.iter_mut().take(3) {
        let digits: Vec<char> = group.chars().collect();
        *group = digits.chunks(2).rev().flatten().collect();
    }
    groups.join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_tried_in_every_form_that_fits() {
        for (identifier, expected) in [
            ("192.0.2.7", &["ip"][..]),
            ("2001:DB8::7", &["ip"]),
            ("00-1B-21-3A-4F-5E", &["mac", "hostname", "serial", "asset_tag"]),
            (
                "4c4c4544-0035-3010-8051-b4c04f4a4d31",
                &["uuid", "machine_id", "hostname", "serial", "asset_tag"],
            ),
            ("web-03", &["hostname", "serial", "asset_tag"]),
            ("ACME/001234", &["hostname", "serial", "asset_tag"]),
        ] {
            let kinds: Vec<_> = forms_of(identifier).iter().map(|wanted| wanted.kind).collect();
            assert_eq!(kinds, expected, "{identifier}");
        }
        assert_eq!(forms_of("2001:DB8:0:0::7")[0].key, "2001:db8::7");
    }

    #[test]
    fn both_byte_orders_of_a_uuid_are_one() {
        let shown = "4c4c4544-0035-3010-8051-b4c04f4a4d31";
        assert_eq!(flipped(shown), "44454c4c-3500-1030-8051-b4c04f4a4d31");
        let keys = |text: &str| keys_of(Field::Uuid, &Fact::Text(text.to_owned()));
        assert_eq!(keys(shown), keys(&flipped(shown)));
    }

    #[test]
    fn an_asset_tag_is_known_without_its_scheme() {
        let keys = keys_of(Field::AssetTag, &Fact::Text("Acme/001234".to_owned()));
        assert_eq!(keys, ["acme/001234", "001234"]);
    }
}
