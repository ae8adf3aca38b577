//! Which person is meant, decided over what is known of a few hundred of them: pure, and changes its own copy alone.
//!
//! A person is told by the address, else by the number in the staff list, else by the name. A name decides only while
//! one person has it: as soon as a second one does, whoever is known by that name alone is a third. Who was known by one
//! of the three and turns out to be somebody who is known by another becomes an alias of them, so that what a purchase
//! list said of a name and a staff list of an address is said of one person. Knows nothing of store and vault.

use std::collections::{BTreeSet, HashMap, HashSet};

use muster_common::{id::PersonId, observation::PersonName, person::PersonFacts, time::Timestamp};
use muster_proto::store::v1 as stored;

use super::convert::{facts_of, facts_to_stored, id_of};
use crate::records::Read;

/// A blind reference.
pub(super) type Blind = [u8; 16];
/// How far an alias is followed.
const MOST_ALIASES: usize = 8;

/// What a file says of one person.
#[derive(Debug, Clone)]
pub(super) struct Entry<'a> {
    /// Name and address.
    pub(super) name: &'a PersonName,
    /// Number in the staff list.
    pub(super) number: Option<&'a str>,
    /// Of a staff list, which knows best; `None` for a name that another file mentions. The manager stands apart.
    pub(super) facts: Option<PersonFacts>,
    /// Whom the person reports to; `None` leaves it.
    pub(super) manager: Option<Option<PersonId>>,
    /// The blind references of address, number and name.
    pub(super) keys: Keys,
}

/// By what a person is found.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Keys {
    pub(super) address: Option<Blind>,
    pub(super) number: Option<Blind>,
    pub(super) name: Option<Blind>,
}

impl Keys {
    /// All that there are.
    pub(super) fn all(&self) -> impl Iterator<Item = Blind> {
        [self.address, self.number, self.name].into_iter().flatten()
    }
}

/// What became of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PersonOutcome {
    /// Nobody knew the person.
    New,
    /// Something else was known.
    Update,
    /// The same was known.
    Unchanged,
    /// The address is one person's and the number another's.
    Contradiction,
    /// The person was erased and stays so.
    Erased,
}

/// A reference as it was read and as it is to be.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) read: Read<stored::PersonReference>,
    pub(super) now: Option<stored::PersonReference>,
    pub(super) changed: bool,
}

/// A person as they were read and as they are to be.
#[derive(Debug)]
pub(super) struct Held {
    /// None for a new one.
    pub(super) read: Option<Read<stored::Person>>,
    pub(super) now: stored::Person,
    /// The opened values; none when they can't be opened, and then they stay as they are.
    pub(super) values: Option<stored::PersonValues>,
    pub(super) reseal: bool,
    pub(super) changed: bool,
}

impl Held {
    fn is_erased(&self) -> bool {
        self.read.is_some() && self.now.sealed_values.is_empty()
    }

    fn is_bare(&self) -> bool {
        self.now.by_address.is_empty() && self.now.by_employee_number.is_empty()
    }
}

/// What was read for some entries, and what they make of it.
#[derive(Debug, Default)]
pub(super) struct Desk {
    pub(super) slots: HashMap<Blind, Slot>,
    pub(super) people: HashMap<PersonId, Held>,
    /// Names that stand for several persons in this file.
    pub(super) namesakes: HashSet<Blind>,
    /// The import that lists staff; empty for other files.
    pub(super) listed_by: String,
}

impl Desk {
    /// Decides for one entry and notes what it adds.
    pub(super) fn settle(&mut self, entry: &Entry<'_>) -> (PersonId, PersonOutcome) {
        let Keys { address, number, name } = entry.keys;
        let by_address = address.and_then(|blind| self.found(&blind));
        let by_number = number.and_then(|blind| self.found(&blind));
        let is_shared = name.is_some_and(|blind| self.is_shared(&blind));
        let is_bare_name = address.is_none() && number.is_none();
        let by_name = name.filter(|_| !is_shared || is_bare_name).and_then(|blind| self.found(&blind));
        let mut absorbed = BTreeSet::new();
        let known = match (by_address, by_number) {
            (Some(left), Some(right)) if left == right => Some(left),
            // Nothing but the address was known of one of them.
            (Some(left), Some(right)) if self.people[&left].now.by_employee_number.is_empty() => {
                absorbed.insert(left);
                Some(right)
            }
            (Some(left), Some(_)) => return (left, PersonOutcome::Contradiction),
            (Some(one), None) | (None, Some(one)) => Some(one),
            (None, None) => by_name.filter(|id| is_bare_name || self.fits(*id, entry)),
        };
        let known = match known {
            Some(id) if self.people[&id].is_erased() => {
                let erased = Timestamp::from_millis(self.people[&id].now.erased_ms);
                let first_day = entry.facts.as_ref().and_then(|facts| facts.starts);
                // Somebody who was erased and begins again is somebody new.
                if first_day.is_none_or(|starts| starts <= erased) {
                    return (id, PersonOutcome::Erased);
                }
                None
            }
            known => known,
        };
        let (id, is_new) = match known {
            Some(id) => (id, false),
            None => (self.make(), true),
        };
        if let Some(other) = by_name.filter(|other| *other != id && !is_shared) {
            let held = &self.people[&other];
            if held.is_bare() && !held.is_erased() {
                absorbed.insert(other);
            }
        }
        let mut changed = is_new;
        for other in absorbed {
            changed |= self.absorb(id, other);
        }
        changed |= self.learn(id, entry);
        let outcome = match (is_new, changed) {
            (true, _) => PersonOutcome::New,
            (false, true) => PersonOutcome::Update,
            (false, false) => PersonOutcome::Unchanged,
        };
        (id, outcome)
    }

    /// The person behind a reference.
    fn found(&self, blind: &Blind) -> Option<PersonId> {
        let reference = self.slots.get(blind)?.now.as_ref()?;
        self.canonical(id_of(&reference.person_id)?)
    }

    /// Whom an alias means; none when they were not read, which is a damaged reference.
    pub(super) fn canonical(&self, id: PersonId) -> Option<PersonId> {
        let mut id = id;
        for _ in 0..MOST_ALIASES {
            match id_of(&self.people.get(&id)?.now.same_as) {
                Some(next) => id = next,
                None => return Some(id),
            }
        }
        None
    }

    fn is_shared(&self, name: &Blind) -> bool {
        let slot = self.slots.get(name).and_then(|slot| slot.now.as_ref());
        self.namesakes.contains(name) || slot.is_some_and(|slot| slot.shared)
    }

    /// Whether somebody who has the name may be the one with this address and number.
    fn fits(&self, id: PersonId, entry: &Entry<'_>) -> bool {
        let known = &self.people[&id].now;
        (entry.keys.address.is_none() || known.by_address.is_empty())
            && (entry.keys.number.is_none() || known.by_employee_number.is_empty())
    }

    fn make(&mut self) -> PersonId {
        let id = PersonId::random();
        let now = stored::Person { id: id.as_bytes().to_vec(), ..stored::Person::default() };
        let values = Some(stored::PersonValues::default());
        self.people.insert(id, Held { read: None, now, values, reseal: true, changed: true });
        id
    }

    fn absorb(&mut self, id: PersonId, other: PersonId) -> bool {
        let Some(held) = self.people.get_mut(&other) else { return false };
        held.now.same_as = id.as_bytes().to_vec();
        held.changed = true;
        let mut moved = std::mem::take(&mut held.now.also);
        moved.push(other.as_bytes().to_vec());
        if let Some(held) = self.people.get_mut(&id) {
            held.now.also.append(&mut moved);
            held.changed = true;
        }
        true
    }

    /// Notes what the entry says; whether any of it is new.
    fn learn(&mut self, id: PersonId, entry: &Entry<'_>) -> bool {
        let Entry { name, number, facts, manager, keys } = entry;
        let mut changed = false;
        for blind in [keys.address, keys.number].into_iter().flatten() {
            changed |= self.point(&blind, Some(id), false);
        }
        if let Some(blind) = keys.name {
            changed |= self.name(&blind, id, keys.address.is_none() && keys.number.is_none());
        }
        let is_listed = facts.is_some();
        let listed_by = self.listed_by.clone();
        let Some(held) = self.people.get_mut(&id) else { return changed };
        let mut differs = false;
        for (known, said) in [
            (&mut held.now.by_address, keys.address),
            (&mut held.now.by_employee_number, keys.number),
            (&mut held.now.by_name, keys.name),
        ] {
            let said = said.filter(|said| (is_listed || known.is_empty()) && known.as_slice() != said);
            if let Some(said) = said {
                *known = said.to_vec();
                differs = true;
            }
        }
        if let Some(values) = &mut held.values {
            for (known, said) in [
                (&mut values.display_name, name.display.as_deref()),
                (&mut values.email, name.email.as_deref()),
                (&mut values.employee_number, *number),
            ] {
                let said = said.map(str::trim).filter(|said| !said.is_empty());
                if let Some(said) = said.filter(|said| (is_listed || known.is_empty()) && *known != *said) {
                    said.clone_into(known);
                    held.reseal = true;
                    differs = true;
                }
            }
        }
        if let Some(facts) = facts {
            let before = held.now.facts.as_ref().map(facts_of).unwrap_or_default();
            let manager = manager.unwrap_or(before.manager);
            let after = PersonFacts { manager, ..facts.clone() };
            if held.now.facts.is_none() || before != after {
                held.now.facts = Some(facts_to_stored(&after));
                differs = true;
            }
            if held.now.listed_by != listed_by {
                held.now.listed_by = listed_by;
                differs = true;
            }
        }
        held.changed |= differs;
        changed | differs
    }

    fn point(&mut self, blind: &Blind, id: Option<PersonId>, shared: bool) -> bool {
        let aimed = stored::PersonReference {
            person_id: id.map(|id| id.as_bytes().to_vec()).unwrap_or_default(),
            shared,
        };
        // A reference to an alias leads to the same person.
        let is_same = id.is_some() && self.found(blind) == id;
        let Some(slot) = self.slots.get_mut(blind) else { return false };
        let means_it = is_same && slot.now.as_ref().is_some_and(|now| now.shared == shared);
        if means_it || slot.now.as_ref() == Some(&aimed) {
            return false;
        }
        slot.now = Some(aimed);
        slot.changed = true;
        true
    }

    /// Notes who has a name.
    fn name(&mut self, blind: &Blind, id: PersonId, is_bare_name: bool) -> bool {
        let is_shared = self.is_shared(blind);
        let holder = self.found(blind);
        if is_shared {
            // Who is known by the name alone; of the others none.
            let holder = if is_bare_name { Some(id) } else { holder.filter(|it| self.people[it].is_bare()) };
            return self.point(blind, holder, true);
        }
        match holder {
            Some(other) if other != id && !self.people[&other].is_erased() => {
                let holder = Some(other).filter(|it| self.people[it].is_bare());
                self.point(blind, holder, true)
            }
            Some(_) | None => self.point(blind, Some(id), false),
        }
    }
}
