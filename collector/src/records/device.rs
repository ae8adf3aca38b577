//! A device's form at rest.

use std::collections::BTreeMap;

use muster_common::{
    device::{AgentBinding, Claimed, Device, Field, Money, Provenanced, Value},
    flag::{Flag, FlagCode, Severity, Standing},
    id::{AgentId, DeviceId, ExceptionId, PersonId},
    source::SubjectKey,
    time::Timestamp,
};
use muster_proto::store::v1 as stored;

use super::{Malformed, Record};

impl Record for Device {
    type Stored = stored::Device;

    fn to_stored(&self) -> stored::Device {
        let Self {
            id,
            version,
            fields,
            flags,
            agents,
            seen_by,
            first_seen,
            software_count,
            subjects,
            aliases,
            merged_into,
            identity_explanation,
        } = self;
        stored::Device {
            id: id.as_bytes().to_vec(),
            version: *version,
            fields: fields
                .iter()
                .map(|(field, known)| stored::Field {
                    name: field.name().to_owned(),
                    claims: known.claims.iter().map(claim_to_stored).collect(),
                })
                .collect(),
            flags: flags.iter().map(flag_to_stored).collect(),
            agents: agents.iter().map(binding_to_stored).collect(),
            seen_by: seen_by
                .iter()
                .map(|(source, last)| stored::Seen { source: source.clone(), last_ms: last.as_millis() })
                .collect(),
            first_seen_ms: first_seen.as_millis(),
            software_count: *software_count,
            subjects: subjects.iter().map(|key| key.as_str().to_owned()).collect(),
            aliases: aliases.iter().map(|id| id.as_bytes().to_vec()).collect(),
            merged_into: merged_into.map_or_else(Vec::new, |id| id.as_bytes().to_vec()),
            identity_explanation: identity_explanation.clone(),
        }
    }

    fn from_stored(stored: stored::Device) -> Result<Self, Malformed> {
        let mut fields = BTreeMap::new();
        for stored::Field { name, claims } in stored.fields {
            // A field that a newer version wrote is passed over: the record is folded again from its claims.
            let Ok(field) = name.parse::<Field>() else { continue };
            let claims: Vec<Claimed> = claims.into_iter().map(claim_from_stored).collect::<Result<_, _>>()?;
            if !claims.is_empty() {
                fields.insert(field, Provenanced { claims });
            }
        }
        let merged_into = match stored.merged_into.as_slice() {
            [] => None,
            bytes => Some(device_id(bytes)?),
        };
        Ok(Self {
            id: device_id(&stored.id)?,
            version: stored.version,
            fields,
            flags: stored.flags.into_iter().filter_map(flag_from_stored).collect(),
            agents: stored.agents.into_iter().map(binding_from_stored).collect::<Result<_, _>>()?,
            seen_by: stored
                .seen_by
                .into_iter()
                .map(|seen| (seen.source, Timestamp::from_millis(seen.last_ms)))
                .collect(),
            first_seen: Timestamp::from_millis(stored.first_seen_ms),
            software_count: stored.software_count,
            subjects: stored.subjects.into_iter().map(SubjectKey::stored).collect(),
            aliases: stored.aliases.iter().map(|id| device_id(id)).collect::<Result<_, _>>()?,
            merged_into,
            identity_explanation: stored.identity_explanation,
        })
    }
}

fn sixteen(what: &str, bytes: &[u8]) -> Result<[u8; 16], Malformed> {
    bytes.try_into().map_err(|_| Malformed(format!("{what} has {} bytes, not 16", bytes.len())))
}

/// A device id from its bytes.
pub(super) fn device_id(bytes: &[u8]) -> Result<DeviceId, Malformed> {
    sixteen("a device id", bytes).map(DeviceId::from_bytes)
}

/// A claim's form at rest; history entries use it too.
pub(crate) fn claim_to_stored(claim: &Claimed) -> stored::ClaimedValue {
    stored::ClaimedValue {
        value: Some(value_to_stored(&claim.value)),
        source: claim.source.to_string(),
        observed_ms: claim.observed.as_millis(),
    }
}

/// A claim from its form at rest.
pub(crate) fn claim_from_stored(stored: stored::ClaimedValue) -> Result<Claimed, Malformed> {
    Ok(Claimed {
        value: value_from_stored(stored.value)?,
        source: stored.source.parse().map_err(|error| Malformed(format!("{error}")))?,
        observed: Timestamp::from_millis(stored.observed_ms),
    })
}

/// A value's form at rest.
pub(super) fn value_to_stored(value: &Value) -> stored::Value {
    use stored::value::Value as Kind;

    let kind = match value {
        Value::Text(text) => Kind::Text(text.clone()),
        Value::Number(number) => Kind::Number(*number),
        Value::Boolean(yes) => Kind::Boolean(*yes),
        Value::Time(time) => Kind::TimeMs(time.as_millis()),
        Value::Money(Money { minor_units, currency }) => {
            Kind::Money(stored::Money { minor_units: *minor_units, currency: currency.clone() })
        }
        Value::Person(person) => Kind::Person(person.as_bytes().to_vec()),
        Value::List(items) => Kind::List(stored::TextList { items: items.clone() }),
    };
    stored::Value { value: Some(kind) }
}

/// A value from its form at rest.
pub(super) fn value_from_stored(stored: Option<stored::Value>) -> Result<Value, Malformed> {
    use stored::value::Value as Kind;

    let kind =
        stored.and_then(|value| value.value).ok_or_else(|| Malformed("a value is missing".to_owned()))?;
    Ok(match kind {
        Kind::Text(text) => Value::Text(text),
        Kind::Number(number) => Value::Number(number),
        Kind::Boolean(yes) => Value::Boolean(yes),
        Kind::TimeMs(ms) => Value::Time(Timestamp::from_millis(ms)),
        Kind::Money(stored::Money { minor_units, currency }) => Value::Money(Money { minor_units, currency }),
        Kind::Person(bytes) => Value::Person(PersonId::from_bytes(sixteen("a person id", &bytes)?)),
        Kind::List(stored::TextList { items }) => Value::List(items),
    })
}

/// A flag's form at rest.
pub(crate) fn flag_to_stored(flag: &Flag) -> stored::Flag {
    stored::Flag {
        code: flag.code.name().to_owned(),
        severity: flag.severity as i32,
        evidence: flag.evidence.clone(),
        since_ms: flag.since.as_millis(),
        ..standing_to_stored(&flag.standing)
    }
}

/// The fields of a flag's form at rest that tell where it stands.
fn standing_to_stored(standing: &Standing) -> stored::Flag {
    match standing {
        Standing::Open => stored::Flag::default(),
        Standing::Acknowledged { by, at } => stored::Flag {
            acknowledged_by: by.clone(),
            acknowledged_ms: at.as_millis(),
            ..stored::Flag::default()
        },
        Standing::Excepted { exception, until, self_approved } => stored::Flag {
            exception: exception.as_bytes().to_vec(),
            excepted_until_ms: until.as_millis(),
            self_approved: *self_approved,
            ..stored::Flag::default()
        },
    }
}

fn standing_from_stored(stored: &stored::Flag) -> Standing {
    if let Ok(exception) = <[u8; 16]>::try_from(stored.exception.as_slice()) {
        return Standing::Excepted {
            exception: ExceptionId::from_bytes(exception),
            until: Timestamp::from_millis(stored.excepted_until_ms),
            self_approved: stored.self_approved,
        };
    }
    if stored.acknowledged_by.is_empty() {
        return Standing::Open;
    }
    Standing::Acknowledged {
        by: stored.acknowledged_by.clone(),
        at: Timestamp::from_millis(stored.acknowledged_ms),
    }
}

/// A flag from its form at rest; one that this version does not know is raised again by the version that does.
pub(crate) fn flag_from_stored(stored: stored::Flag) -> Option<Flag> {
    let code: FlagCode = stored.code.parse().ok()?;
    let severity = [Severity::Info, Severity::Warning, Severity::Critical]
        .into_iter()
        .find(|severity| *severity as i32 == stored.severity);
    Some(Flag {
        code,
        severity: severity.unwrap_or_else(|| code.severity()),
        standing: standing_from_stored(&stored),
        evidence: stored.evidence,
        since: Timestamp::from_millis(stored.since_ms),
    })
}

fn binding_to_stored(binding: &AgentBinding) -> stored::AgentBinding {
    let AgentBinding { agent, version, subject, bound, last_report, current } = binding;
    stored::AgentBinding {
        agent_id: agent.as_bytes().to_vec(),
        agent_version: version.clone(),
        bound_ms: bound.as_millis(),
        last_report_ms: last_report.as_millis(),
        current: *current,
        subject: subject.as_str().to_owned(),
    }
}

fn binding_from_stored(stored: stored::AgentBinding) -> Result<AgentBinding, Malformed> {
    Ok(AgentBinding {
        agent: AgentId::from_bytes(sixteen("an agent id", &stored.agent_id)?),
        version: stored.agent_version,
        subject: SubjectKey::stored(stored.subject),
        bound: Timestamp::from_millis(stored.bound_ms),
        last_report: Timestamp::from_millis(stored.last_report_ms),
        current: stored.current,
    })
}
