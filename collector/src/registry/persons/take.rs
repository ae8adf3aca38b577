//! Persons taken in from files: read what is known, decide on the desk, keep what changed, a few hundred at a time.
//!
//! Each part is one commit that expects everything it was decided on, and is decided again when others were faster.
//! Keys of new persons are on disk before the commit that refers to them.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::Arc,
};

use muster_common::{
    id::PersonId,
    observation::{PersonName, PersonRecord},
    person::PersonFacts,
    source::ImportName,
    time::Timestamp,
};
use muster_proto::store::v1 as stored;
use prost::Message;

use super::{
    Persons, PersonsError,
    convert::id_of,
    desk::{Desk, Entry, Held, Keys, PersonOutcome, Slot},
};
use crate::{
    privacy::{Sealed, VaultError},
    records::{Read, key, put},
    store::{Commit, CommitError},
};

/// How many persons are kept in one commit.
const AT_ONCE: usize = 500;
/// How often a commit is decided again when others were faster.
const MOST_TRIES: usize = 16;
/// How far an alias is followed.
const MOST_ALIASES: usize = 8;

/// Who was taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TakenPerson {
    /// The person.
    pub id: PersonId,
    /// What became of the record.
    pub outcome: PersonOutcome,
}

/// Whose doing a commit is.
#[derive(Clone, Copy)]
struct Doing<'a> {
    kind: &'a str,
    actor: &'a str,
    now: Timestamp,
    listed_by: &'a str,
    apply: bool,
}

impl Persons {
    /// The persons behind these names, by [`PersonName::key`]; those whom nobody knew are made.
    ///
    /// # Errors
    /// When a name is empty, or store or vault can't be used.
    pub async fn resolve(
        &self,
        names: impl IntoIterator<Item = &PersonName>,
        actor: &str,
        now: Timestamp,
    ) -> Result<BTreeMap<String, PersonId>, PersonsError> {
        let mut by_key: BTreeMap<String, &PersonName> = BTreeMap::new();
        for name in names {
            by_key.entry(name.key().ok_or(PersonsError::Nameless)?).or_insert(name);
        }
        let entries: Vec<Entry<'_>> = by_key
            .values()
            .map(|name| Entry { name, number: None, facts: None, manager: None, keys: self.keys(name, None) })
            .collect();
        let doing = Doing { kind: "person.create", actor, now, listed_by: "", apply: true };
        let taken = self.take(&entries, doing).await?;
        Ok(by_key.into_keys().zip(taken.into_iter().map(|person| person.id)).collect())
    }

    /// Takes a staff list in, or says what it would do; one answer for each record, in their order. Managers whom the
    /// list doesn't have are made, with their names alone.
    ///
    /// # Errors
    /// When somebody has neither address, number nor name, or store or vault can't be used.
    pub async fn enrol(
        &self,
        import: &ImportName,
        records: &[&PersonRecord],
        actor: &str,
        now: Timestamp,
        apply: bool,
    ) -> Result<Vec<TakenPerson>, PersonsError> {
        let mut entries = Vec::with_capacity(records.len());
        for record in records {
            let PersonRecord { name, employee_number, department, location, cost_center, .. } = record;
            let number = employee_number.as_deref().filter(|number| !number.trim().is_empty());
            let keys = self.keys(name, number);
            if keys.all().next().is_none() {
                return Err(PersonsError::Nameless);
            }
            let facts = PersonFacts {
                department: department.clone(),
                location: location.clone(),
                cost_center: cost_center.clone(),
                manager: None,
                starts: record.starts,
                ends: record.ends,
            };
            entries.push(Entry { name, number, facts: Some(facts), manager: None, keys });
        }
        let doing = Doing { kind: "person.import", actor, now, listed_by: import.as_str(), apply };
        let mut taken = self.take(&entries, doing).await?;
        self.managers(records, &mut entries, &mut taken, doing).await?;
        Ok(taken)
    }

    /// Notes who reports to whom, once everybody is there.
    async fn managers(
        &self,
        records: &[&PersonRecord],
        entries: &mut [Entry<'_>],
        taken: &mut [TakenPerson],
        doing: Doing<'_>,
    ) -> Result<(), PersonsError> {
        let named = |record: &&PersonRecord| record.manager.as_ref().and_then(PersonName::key);
        let names = records.iter().filter_map(|record| record.manager.as_ref());
        let names: Vec<&PersonName> = names.filter(|name| name.key().is_some()).collect();
        let ids = if doing.apply {
            self.resolve(names, doing.actor, doing.now).await?
        } else {
            let mut ids = BTreeMap::new();
            for name in names.iter().filter_map(|name| name.key()) {
                if let Some(id) = self.find(&name).await? {
                    ids.insert(name, id);
                }
            }
            ids
        };
        let persons: BTreeSet<PersonId> = taken.iter().map(|person| person.id).collect();
        let known = self.facts(&persons).await?;
        let mut again = Vec::new();
        let mut places = Vec::new();
        for (place, record) in records.iter().enumerate() {
            let manager = named(record).and_then(|name| ids.get(&name).copied());
            let present = known.get(&taken[place].id).and_then(|facts| facts.manager);
            let is_kept =
                matches!(taken[place].outcome, PersonOutcome::Contradiction | PersonOutcome::Erased);
            if manager != present && !is_kept && (doing.apply || known.contains_key(&taken[place].id)) {
                entries[place].manager = Some(manager);
                again.push(entries[place].clone());
                places.push(place);
            }
        }
        for (place, person) in places.into_iter().zip(self.take(&again, doing).await?) {
            if taken[place].outcome == PersonOutcome::Unchanged {
                taken[place].outcome = person.outcome;
            }
        }
        Ok(())
    }

    /// By what a person is found.
    fn keys(&self, name: &PersonName, number: Option<&str>) -> Keys {
        let text = |text: &Option<String>| text.clone().filter(|text| !text.trim().is_empty());
        Keys {
            address: text(&name.email).map(|text| self.vault.blind(&text)),
            number: number.map(|number| self.vault.blind(&numbered(number))),
            name: text(&name.display).map(|text| self.vault.blind(&text)),
        }
    }

    async fn take(&self, entries: &[Entry<'_>], doing: Doing<'_>) -> Result<Vec<TakenPerson>, PersonsError> {
        let mut taken = Vec::with_capacity(entries.len());
        let namesakes = namesakes(entries);
        for part in entries.chunks(AT_ONCE) {
            let mut tries = 0;
            loop {
                tries += 1;
                match self.take_part(part, &namesakes, doing).await {
                    Ok(part) => break taken.extend(part),
                    // Somebody made one of them meanwhile; our keys stay in the vault and open nothing.
                    Err(PersonsError::Commit(CommitError::Conflict { .. })) if tries < MOST_TRIES => {}
                    Err(PersonsError::Commit(CommitError::Conflict { .. })) => {
                        return Err(PersonsError::Contended);
                    }
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(taken)
    }

    async fn take_part(
        &self,
        entries: &[Entry<'_>],
        namesakes: &HashSet<[u8; 16]>,
        doing: Doing<'_>,
    ) -> Result<Vec<TakenPerson>, PersonsError> {
        let mut desk = self.desk(entries).await?;
        desk.namesakes.clone_from(namesakes);
        doing.listed_by.clone_into(&mut desk.listed_by);
        let settle = |entry| {
            let (id, outcome) = desk.settle(entry);
            TakenPerson { id, outcome }
        };
        let taken: Vec<TakenPerson> = entries.iter().map(settle).collect();
        if doing.apply {
            self.keep(desk, doing).await?;
        }
        Ok(taken)
    }

    /// Reads what there is for some entries.
    async fn desk(&self, entries: &[Entry<'_>]) -> Result<Desk, PersonsError> {
        let blinds: BTreeSet<[u8; 16]> = entries.iter().flat_map(|entry| entry.keys.all()).collect();
        let keys = blinds.iter().map(key::person_reference).collect();
        let references: Vec<Read<stored::PersonReference>> = self.records.get_all(keys).await?;
        let mut desk = Desk::default();
        let mut wanted: BTreeSet<PersonId> = BTreeSet::new();
        for (blind, read) in blinds.into_iter().zip(references) {
            wanted.extend(read.record.as_ref().and_then(|reference| id_of(&reference.person_id)));
            let now = read.record.clone();
            desk.slots.insert(blind, Slot { read, now, changed: false });
        }
        for _ in 0..MOST_ALIASES {
            let ids: Vec<PersonId> = wanted.iter().copied().collect();
            let read: Vec<Read<stored::Person>> =
                self.records.get_all(ids.iter().map(|id| key::person(*id)).collect()).await?;
            wanted.clear();
            for (id, read) in ids.into_iter().zip(read) {
                let Some(now) = read.record.clone() else { continue };
                wanted.extend(id_of(&now.same_as).filter(|next| !desk.people.contains_key(next)));
                let values = match self.values(id, &now) {
                    Ok(values) => values,
                    Err(PersonsError::Vault(VaultError::NoKey { .. })) => None,
                    Err(error) => return Err(error),
                };
                let held = Held { read: Some(read), now, values, reseal: false, changed: false };
                desk.people.insert(id, held);
            }
            if wanted.is_empty() {
                break;
            }
        }
        Ok(desk)
    }

    async fn keep(&self, desk: Desk, doing: Doing<'_>) -> Result<(), PersonsError> {
        let Desk { slots, people, .. } = desk;
        let new: Vec<PersonId> =
            people.iter().filter(|(_, held)| held.read.is_none()).map(|(id, _)| *id).collect();
        let mut expected = Vec::new();
        let mut writes = Vec::new();
        for slot in slots.into_values() {
            expected.push(slot.read.expectation());
            if let Some(now) = slot.now.filter(|_| slot.changed) {
                writes.push(put(slot.read.key, &now));
            }
        }
        let count = people.values().filter(|held| held.changed).count();
        if count == 0 && writes.is_empty() {
            return Ok(());
        }
        if !new.is_empty() {
            let vault = Arc::clone(&self.vault);
            tokio::task::spawn_blocking(move || vault.create(&new)).await??;
        }
        for (id, mut held) in people {
            expected.extend(held.read.as_ref().map(Read::expectation));
            if let Some(values) = held.values.filter(|_| held.reseal) {
                let Sealed { nonce, bytes } = self.vault.seal(id, &values)?;
                (held.now.sealed_values, held.now.nonce) = (bytes, nonce);
            }
            if held.changed {
                writes.push(put(key::person(id), &held.now));
            }
        }
        let Doing { kind, actor, now, listed_by, apply: _ } = doing;
        let audit = stored::Audit {
            action: kind.to_owned(),
            target: format!("{count} persons"),
            detail: if listed_by.is_empty() { String::new() } else { format!("import:{listed_by}") },
        };
        let audit = Some(audit.encode_to_vec());
        let (kind, actor) = (kind.to_owned(), actor.to_owned());
        self.records.commit(Commit { kind, time: now, actor, expected, writes, audit }).await?;
        Ok(())
    }
}

/// The text under which a number is found: apart from names, which may be numbers too.
pub(super) fn numbered(number: &str) -> String {
    format!("number\u{1f}{}", number.trim())
}

/// Names that several persons of a file have.
fn namesakes(entries: &[Entry<'_>]) -> HashSet<[u8; 16]> {
    let mut holders: BTreeMap<[u8; 16], Option<[u8; 16]>> = BTreeMap::new();
    let mut namesakes = HashSet::new();
    for entry in entries {
        let Some(name) = entry.keys.name else { continue };
        let person = entry.keys.number.or(entry.keys.address);
        let Some(person) = person else { continue };
        if holders.insert(name, Some(person)).is_some_and(|before| before != Some(person)) {
            namesakes.insert(name);
        }
    }
    namesakes
}
