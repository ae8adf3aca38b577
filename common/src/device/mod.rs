//! The reconciled record of one machine: a fold of what every source claims, with the provenance of each value.

mod field;
mod value;

use std::collections::BTreeMap;

pub use field::{Field, FieldGroup, FieldKind};
pub use value::{InvalidMoney, Money, Value, minor_digits};

use crate::{
    flag::Flag,
    id::{AgentId, DeviceId},
    source::{Source, SubjectKey},
    time::Timestamp,
};

/// The reconciled record.
#[derive(Debug, Clone, PartialEq)]
pub struct Device {
    /// Never changes and is never reused.
    pub id: DeviceId,
    /// Counts the record's changes of fact, from 1.
    pub version: u64,
    /// What is known, by field; a field that nobody reported is not there.
    pub fields: BTreeMap<Field, Provenanced>,
    /// What is wrong, in the order of the codes, each code once.
    pub flags: Vec<Flag>,
    /// Agents that report, or reported, from this machine; the current one first.
    pub agents: Vec<AgentBinding>,
    /// When each kind of source last changed or confirmed something; an agent's presence is kept apart.
    pub seen_by: BTreeMap<String, Timestamp>,
    /// When anything was first heard of it.
    pub first_seen: Timestamp,
    /// How many software items the current agent reports.
    pub software_count: u32,
    /// What is attached to it.
    pub subjects: Vec<SubjectKey>,
    /// Devices that were merged into this one.
    pub aliases: Vec<DeviceId>,
    /// The device that this one was merged into.
    pub merged_into: Option<DeviceId>,
    /// Why the last decision attached what it attached.
    pub identity_explanation: String,
}

/// What is known of one field: every source's claim, the winner by precedence first. Never empty.
#[derive(Debug, Clone, PartialEq)]
pub struct Provenanced {
    /// The claims; the first is the value.
    pub claims: Vec<Claimed>,
}

/// One source's word on one field.
#[derive(Debug, Clone, PartialEq)]
pub struct Claimed {
    /// What it says.
    pub value: Value,
    /// Who says so.
    pub source: Source,
    /// When it last changed its word, by the collector's clock.
    pub observed: Timestamp,
}

/// An agent on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentBinding {
    /// Which agent.
    pub agent: AgentId,
    /// Its version.
    pub version: String,
    /// As which subject.
    pub subject: SubjectKey,
    /// When it was attached.
    pub bound: Timestamp,
    /// When it last reported a change.
    pub last_report: Timestamp,
    /// Whether machine facts come from it.
    pub current: bool,
}

impl Device {
    /// The winning value of a field.
    pub fn value(&self, field: Field) -> Option<&Value> {
        self.fields.get(&field).and_then(|known| known.claims.first()).map(|claim| &claim.value)
    }

    /// The winning value of a field that holds text.
    pub fn text(&self, field: Field) -> Option<&str> {
        match self.value(field) {
            Some(Value::Text(text)) => Some(text),
            Some(_) | None => None,
        }
    }

    /// For people: host name or title, else maker, model and serial, else asset tag, else the id.
    pub fn display_name(&self) -> String {
        if let Some(name) = self.text(Field::Hostname).or_else(|| self.text(Field::Title)) {
            return name.to_owned();
        }
        let parts: Vec<&str> = [Field::Manufacturer, Field::Model, Field::Serial]
            .into_iter()
            .filter_map(|field| self.text(field))
            .collect();
        if !parts.is_empty() {
            return parts.join(" ");
        }
        self.text(Field::AssetTag).map_or_else(|| self.id.to_string(), str::to_owned)
    }
}
