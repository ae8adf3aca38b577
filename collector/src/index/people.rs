//! What staff lists say of the persons who hold things, as columns of what they hold: so that a filter finds what
//! leavers still have.
//!
//! Knows nothing of names. Only what a column shows is kept of a person.

use std::collections::{BTreeSet, HashMap};

use muster_common::{
    device::{Device, Field, Value as Fact},
    id::PersonId,
    person::PersonFacts,
    time::Timestamp,
};

use super::{column::Column, schema};

/// The fields whose persons hold an asset or answer for it.
const HOLDERS: [Field; 2] = [Field::AssignedTo, Field::Owner];

/// The persons that staff lists know, and who holds which row.
#[derive(Debug, Default)]
pub(super) struct People {
    known: HashMap<PersonId, Shown>,
    rows: HashMap<PersonId, BTreeSet<u32>>,
    holders: HashMap<u32, Vec<PersonId>>,
}

/// What columns show of a person.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Shown {
    last_day: Option<Timestamp>,
    department: Option<Box<str>>,
}

impl People {
    /// Notes what is so of a person, and in every row that they hold.
    pub(super) fn set(&mut self, id: PersonId, facts: &PersonFacts, columns: &mut [Column]) {
        let shown = Shown { last_day: facts.ends, department: facts.department.as_deref().map(Box::from) };
        if self.known.insert(id, shown.clone()) == Some(shown) {
            return;
        }
        for row in self.rows.get(&id).into_iter().flatten() {
            self.fill(*row, columns);
        }
    }

    /// Notes who holds a row, and fills its columns.
    pub(super) fn show(&mut self, row: u32, device: &Device, columns: &mut [Column]) {
        let mut holders: Vec<PersonId> = HOLDERS
            .iter()
            .filter_map(|field| match device.value(*field) {
                Some(Fact::Person(person)) => Some(*person),
                Some(_) | None => None,
            })
            .collect();
        holders.sort_unstable();
        holders.dedup();
        if self.holders.get(&row).map_or(&[][..], Vec::as_slice) != holders {
            self.forget(row);
            for person in &holders {
                self.rows.entry(*person).or_default().insert(row);
            }
            if !holders.is_empty() {
                self.holders.insert(row, holders);
            }
            self.fill(row, columns);
        }
    }

    /// Forgets who holds a row.
    pub(super) fn forget(&mut self, row: u32) {
        for person in self.holders.remove(&row).unwrap_or_default() {
            if let Some(rows) = self.rows.get_mut(&person) {
                rows.remove(&row);
                if rows.is_empty() {
                    self.rows.remove(&person);
                }
            }
        }
    }

    fn fill(&self, row: u32, columns: &mut [Column]) {
        let holders = self.holders.get(&row).into_iter().flatten();
        let known: Vec<&Shown> = holders.filter_map(|person| self.known.get(person)).collect();
        let last_day = known.iter().filter_map(|person| person.last_day).min().map(Fact::Time);
        columns[schema::PERSON_LAST_DAY].set(row, last_day.as_ref());
        let departments = known.iter().filter_map(|person| person.department.as_deref());
        columns[schema::PERSON_DEPARTMENT].set_texts(row, departments);
    }
}
