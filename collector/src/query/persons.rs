//! Persons in answers and in filters: ids become names for people who may see them, names become ids for the index.
//!
//! Names are opened for one answer and dropped with it. A filter finds a person by the whole name or address alone,
//! through the blind index, since nothing else of it is readable.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use muster_common::{
    device::{Device, FieldKind, Value as Fact},
    filter::{Comparison, Filter, Operator, Value},
    id::PersonId,
};

use super::{Query, QueryFailure};
use crate::index::device_field;

/// The names of some persons.
#[derive(Debug, Default)]
pub(super) struct Names(BTreeMap<PersonId, String>);

impl Names {
    /// A value as people read it.
    pub(super) fn show(&self, value: &Fact) -> String {
        match value {
            Fact::Person(person) => self.person(*person),
            Fact::Text(_)
            | Fact::Number(_)
            | Fact::Boolean(_)
            | Fact::Time(_)
            | Fact::Money(_)
            | Fact::List(_) => value.to_string(),
        }
    }

    /// A person's name; the id when none is known.
    pub(super) fn person(&self, person: PersonId) -> String {
        self.0.get(&person).cloned().unwrap_or_else(|| person.to_string())
    }
}

/// The persons that a device's claims name.
pub(super) fn of_device(device: &Device) -> impl Iterator<Item = PersonId> + '_ {
    device.fields.values().flat_map(|known| &known.claims).filter_map(|claim| match &claim.value {
        Fact::Person(person) => Some(*person),
        Fact::Text(_)
        | Fact::Number(_)
        | Fact::Boolean(_)
        | Fact::Time(_)
        | Fact::Money(_)
        | Fact::List(_) => None,
    })
}

impl Query {
    /// Opens the names of persons.
    pub(super) async fn names(
        &self,
        persons: impl IntoIterator<Item = PersonId>,
    ) -> Result<Names, QueryFailure> {
        let persons: BTreeSet<PersonId> = persons.into_iter().collect();
        if persons.is_empty() {
            return Ok(Names::default());
        }
        Ok(Names(self.persons.shown(&persons).await?))
    }

    /// The same filter with the ids of the persons that it names.
    pub(super) async fn with_persons(&self, filter: Filter) -> Result<Filter, QueryFailure> {
        let mut named = Vec::new();
        collect(&filter, &mut named)?;
        let mut ids = HashMap::new();
        for name in named {
            // Nobody has the id of zeros, so that a name that nobody has matches nothing.
            let nobody = PersonId::from_bytes([0; 16]);
            let id = match name.parse::<PersonId>() {
                Ok(id) => id,
                Err(_) => self.persons.find(&name).await?.unwrap_or(nobody),
            };
            let mut all = vec![id];
            if let Some(person) = self.persons.get(id).await? {
                all.extend(person.aliases);
            }
            ids.insert(name, all);
        }
        Ok(replace(filter, &ids))
    }
}

fn is_person(comparison: &Comparison) -> bool {
    device_field(comparison.field.as_str()).is_some_and(|field| field.kind() == FieldKind::Person)
}

fn collect(filter: &Filter, named: &mut Vec<String>) -> Result<(), QueryFailure> {
    match filter {
        Filter::All | Filter::Search(_) | Filter::Software(_) => Ok(()),
        Filter::And(parts) | Filter::Or(parts) => parts.iter().try_for_each(|part| collect(part, named)),
        Filter::Not(inner) => collect(inner, named),
        Filter::Comparison(comparison) if is_person(comparison) => match &comparison.value {
            Value::Any => Ok(()),
            Value::Exact(text) => {
                named.push(text.clone());
                Ok(())
            }
            Value::Prefix(_) | Value::Suffix(_) | Value::Contains(_) => {
                Err(QueryFailure::PartOfName { field: comparison.field.to_string() })
            }
        },
        Filter::Comparison(_) => Ok(()),
    }
}

fn replace(filter: Filter, ids: &HashMap<String, Vec<PersonId>>) -> Filter {
    let all = |parts: Vec<Filter>| parts.into_iter().map(|part| replace(part, ids)).collect();
    match filter {
        Filter::All | Filter::Search(_) | Filter::Software(_) => filter,
        Filter::And(parts) => Filter::And(all(parts)),
        Filter::Or(parts) => Filter::Or(all(parts)),
        Filter::Not(inner) => Filter::Not(Box::new(replace(*inner, ids))),
        Filter::Comparison(comparison) if is_person(&comparison) => {
            let known = match &comparison.value {
                Value::Exact(text) => ids.get(text).map_or(&[][..], Vec::as_slice),
                Value::Any | Value::Prefix(_) | Value::Suffix(_) | Value::Contains(_) => &[],
            };
            let by_id = |id: &PersonId| {
                let value = Value::Exact(id.to_string());
                Filter::Comparison(Comparison { value, ..comparison.clone() })
            };
            match known {
                [] => Filter::Comparison(comparison),
                [one] => by_id(one),
                // Another one than this person is another one than each of the ids.
                several if comparison.operator == Operator::NotEqual => {
                    Filter::And(several.iter().map(by_id).collect())
                }
                several => Filter::Or(several.iter().map(by_id).collect()),
            }
        }
        Filter::Comparison(_) => filter,
    }
}
