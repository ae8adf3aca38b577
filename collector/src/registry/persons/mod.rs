//! Persons: an id for each name, address or number, whose values lie sealed in the store and whose key lies in the vault.
//!
//! Everything else knows a person by the id alone. A name is found again by its blind reference, so that the same
//! address in the next file is the same person. Knows nothing of what a person has to do with a device.
//!
//! **Erasing** leaves a record without values in the store, as a mark, and then destroys the key in the vault; the
//! marks are gone through at each start, so that a crash in between, or a vault that was restored from a backup,
//! doesn't bring anybody back. The blind references go on leading to the mark: a file that still names the person is
//! about somebody who was erased, and makes nobody new. Only a staff list with a first day after the erasure does.

mod convert;
mod desk;
mod take;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use muster_common::{id::PersonId, person::PersonFacts, time::Timestamp};
use muster_proto::store::v1 as stored;
use prost::Message;

pub use desk::PersonOutcome;
pub use take::TakenPerson;

use convert::{facts_of, id_of};

use crate::{
    privacy::{Sealed, Vault, VaultError},
    records::{Read, RecordError, Records, key, put},
    store::{Commit, CommitError, Key, Store},
};

/// What stands for a person whose values were destroyed.
const ERASED: &str = "erased person";
/// How many records are read in one go at the start.
const PAGE: usize = 1_000;
/// How far an alias is followed.
const MOST_ALIASES: usize = 8;

/// Why a person can't be found, made or erased.
#[derive(Debug, thiserror::Error)]
pub enum PersonsError {
    /// The vault.
    #[error("could not use the vault of personal values")]
    Vault(#[from] VaultError),
    /// A record could not be read.
    #[error("could not read the persons")]
    Read(#[from] RecordError),
    /// The change was not taken.
    #[error("could not keep the persons")]
    Commit(#[from] CommitError),
    /// Others were faster again and again.
    #[error("too many changes to the same persons at once: try again later")]
    Contended,
    /// A name that is empty.
    #[error("a person needs a name, an address or a number")]
    Nameless,
    /// The worker that talks to the disk ended.
    #[error("the vault's worker ended early: restart the collector")]
    Worker(#[from] tokio::task::JoinError),
}

/// The persons of one collector.
#[derive(Debug, Clone)]
pub struct Persons {
    records: Records,
    vault: Arc<Vault>,
}

/// One person as they are known.
#[derive(Clone, PartialEq, Eq)]
pub struct Person {
    /// Who it is.
    pub id: PersonId,
    /// What names them; none when they were erased.
    pub values: Option<stored::PersonValues>,
    /// What a staff list says of them; none when no list did.
    pub facts: Option<PersonFacts>,
    /// The import that last listed them; empty for none.
    pub listed_by: String,
    /// When they were erased.
    pub erased: Option<Timestamp>,
    /// Ids that turned out to be the same person.
    pub aliases: Vec<PersonId>,
}

impl std::fmt::Debug for Person {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Person").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Persons {
    /// Over a store and the vault that belongs to it.
    pub fn new(store: Arc<dyn Store>, vault: Arc<Vault>) -> Self {
        Self { records: Records::new(store), vault }
    }

    /// The vault, for what belongs to no one person.
    pub fn vault(&self) -> &Arc<Vault> {
        &self.vault
    }

    /// Destroys again the keys of those who were erased; to be called before anything is served. Answers with everybody
    /// of whom a staff list says something, by each id that they go by.
    ///
    /// # Errors
    /// When store or vault can't be used.
    pub async fn load(&self) -> Result<Vec<(PersonId, PersonFacts)>, PersonsError> {
        let mut after: Option<Key> = None;
        let mut known = Vec::new();
        loop {
            let page: Vec<(Key, stored::Person)> =
                self.records.scan(key::PERSONS, after.as_ref(), PAGE).await?;
            let Some((last, _)) = page.last() else { return Ok(known) };
            after = Some(last.clone());
            for (_, person) in page {
                let Some(id) = id_of(&person.id) else { continue };
                if person.sealed_values.is_empty() {
                    self.destroy_key(id).await?;
                }
                if let Some(facts) = &person.facts {
                    let facts = facts_of(facts);
                    known.extend(person.also.iter().filter_map(|id| Some((id_of(id)?, facts.clone()))));
                    known.push((id, facts));
                }
            }
        }
    }

    /// The person behind a name, an address or a number in the staff list; none for who was erased, and for a name that
    /// several have.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn find(&self, text: &str) -> Result<Option<PersonId>, PersonsError> {
        let keys = [text.to_owned(), take::numbered(text)];
        let keys = keys.iter().map(|text| key::person_reference(&self.vault.blind(text))).collect();
        let references: Vec<Read<stored::PersonReference>> = self.records.get_all(keys).await?;
        for reference in references.into_iter().filter_map(|read| read.record) {
            let Some(id) = id_of(&reference.person_id) else { continue };
            if let Some((id, person)) = self.canonical(id).await?
                && !person.sealed_values.is_empty()
            {
                return Ok(Some(id));
            }
        }
        Ok(None)
    }

    /// A person by any of the ids that they go by.
    ///
    /// # Errors
    /// When store or vault can't be used.
    pub async fn get(&self, id: PersonId) -> Result<Option<Person>, PersonsError> {
        let Some((id, stored)) = self.canonical(id).await? else { return Ok(None) };
        self.person(id, &stored).map(Some)
    }

    /// A page of persons in the order of their ids, and where the next one begins.
    ///
    /// # Errors
    /// When store or vault can't be used.
    pub async fn list(
        &self,
        after: Option<PersonId>,
        limit: usize,
    ) -> Result<(Vec<Person>, Option<PersonId>), PersonsError> {
        let after = after.map(key::person);
        let page: Vec<(Key, stored::Person)> = self.records.scan(key::PERSONS, after.as_ref(), limit).await?;
        let next = page.last().and_then(|(_, person)| id_of(&person.id));
        let mut persons = Vec::with_capacity(page.len());
        for (_, stored) in page.iter().filter(|(_, stored)| stored.same_as.is_empty()) {
            if let Some(id) = id_of(&stored.id) {
                persons.push(self.person(id, stored)?);
            }
        }
        Ok((persons, next))
    }

    /// What staff lists say of these persons; who is in none is left out.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn facts(
        &self,
        persons: &BTreeSet<PersonId>,
    ) -> Result<BTreeMap<PersonId, PersonFacts>, PersonsError> {
        let mut known = BTreeMap::new();
        for (id, (_, person)) in self.canonical_all(persons).await? {
            known.extend(person.facts.as_ref().map(|facts| (id, facts_of(facts))));
        }
        Ok(known)
    }

    /// The other ids of these persons.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn aliases(
        &self,
        persons: &BTreeSet<PersonId>,
    ) -> Result<BTreeMap<PersonId, Vec<PersonId>>, PersonsError> {
        let all = self.canonical_all(persons).await?;
        let aliases = |person: &stored::Person| person.also.iter().filter_map(|id| id_of(id)).collect();
        Ok(all.into_iter().map(|(id, (_, person))| (id, aliases(&person))).collect())
    }

    /// What people call these persons: the name, else the address, or that they were erased. Who never was is left out,
    /// and so is who can't be opened because the vault has no key: the id still tells persons apart.
    ///
    /// # Errors
    /// When store or vault can't be used.
    pub async fn shown(
        &self,
        persons: &BTreeSet<PersonId>,
    ) -> Result<BTreeMap<PersonId, String>, PersonsError> {
        let mut shown = BTreeMap::new();
        for (asked, (id, person)) in self.canonical_all(persons).await? {
            let text = match self.values(id, &person) {
                Ok(Some(values)) => name_of(&values),
                Ok(None) => ERASED.to_owned(),
                Err(PersonsError::Vault(VaultError::NoKey { .. })) => continue,
                Err(error) => return Err(error),
            };
            shown.insert(asked, text);
        }
        Ok(shown)
    }

    fn person(&self, id: PersonId, stored: &stored::Person) -> Result<Person, PersonsError> {
        let values = match self.values(id, stored) {
            Err(PersonsError::Vault(VaultError::NoKey { .. })) => Some(stored::PersonValues::default()),
            values => values?,
        };
        Ok(Person {
            id,
            erased: values.is_none().then(|| Timestamp::from_millis(stored.erased_ms)),
            values,
            facts: stored.facts.as_ref().map(facts_of),
            listed_by: stored.listed_by.clone(),
            aliases: stored.also.iter().filter_map(|id| id_of(id)).collect(),
        })
    }

    /// The record that an id leads to.
    async fn canonical(&self, id: PersonId) -> Result<Option<(PersonId, stored::Person)>, PersonsError> {
        Ok(self.canonical_all(&BTreeSet::from([id])).await?.remove(&id))
    }

    /// The records that ids lead to, by the ids as asked.
    async fn canonical_all(
        &self,
        ids: &BTreeSet<PersonId>,
    ) -> Result<BTreeMap<PersonId, (PersonId, stored::Person)>, PersonsError> {
        let mut found = BTreeMap::new();
        // What was asked for, and where it has led so far.
        let mut open: Vec<(PersonId, PersonId)> = ids.iter().map(|id| (*id, *id)).collect();
        for _ in 0..MOST_ALIASES {
            if open.is_empty() {
                break;
            }
            let keys = open.iter().map(|(_, id)| key::person(*id)).collect();
            let read: Vec<Read<stored::Person>> = self.records.get_all(keys).await?;
            let mut further = Vec::new();
            for ((asked, id), read) in open.into_iter().zip(read) {
                let Some(person) = read.record else { continue };
                match id_of(&person.same_as) {
                    Some(next) => further.push((asked, next)),
                    None => drop(found.insert(asked, (id, person))),
                }
            }
            open = further;
        }
        Ok(found)
    }

    fn values(
        &self,
        id: PersonId,
        person: &stored::Person,
    ) -> Result<Option<stored::PersonValues>, PersonsError> {
        if person.sealed_values.is_empty() {
            return Ok(None);
        }
        let sealed = Sealed { nonce: person.nonce.clone(), bytes: person.sealed_values.clone() };
        Ok(self.vault.open_values(id, &sealed)?)
    }

    /// Destroys a person's values for ever, those of every id that they go by; false when there are none, now or any
    /// more. What a staff list says of them goes too.
    ///
    /// # Errors
    /// When store or vault can't be used; then it may be half done, and is to be called again.
    pub async fn erase(&self, id: PersonId, actor: &str, now: Timestamp) -> Result<bool, PersonsError> {
        let Some((id, person)) = self.canonical(id).await? else { return Ok(false) };
        let mut ids = vec![id];
        ids.extend(person.also.iter().filter_map(|id| id_of(id)));
        let read: Vec<Read<stored::Person>> =
            self.records.get_all(ids.iter().map(|id| key::person(*id)).collect()).await?;
        let mut expected = Vec::new();
        let mut writes = Vec::new();
        for (id, read) in ids.iter().zip(&read) {
            let Some(person) = read.record.as_ref().filter(|person| !person.sealed_values.is_empty()) else {
                continue;
            };
            let mark = stored::Person {
                id: id.as_bytes().to_vec(),
                same_as: person.same_as.clone(),
                also: person.also.clone(),
                erased_ms: now.as_millis(),
                ..stored::Person::default()
            };
            expected.push(read.expectation());
            writes.push(put(read.key.clone(), &mark));
        }
        if !writes.is_empty() {
            let audit = stored::Audit {
                action: "person.erase".to_owned(),
                target: id.to_string(),
                detail: String::new(),
            };
            let commit = Commit {
                kind: "person.erase".to_owned(),
                time: now,
                actor: actor.to_owned(),
                expected,
                writes,
                audit: Some(audit.encode_to_vec()),
            };
            self.records.commit(commit).await?;
        }
        let mut any = false;
        for id in ids {
            any |= self.destroy_key(id).await?;
        }
        Ok(any)
    }

    async fn destroy_key(&self, id: PersonId) -> Result<bool, PersonsError> {
        let vault = Arc::clone(&self.vault);
        Ok(tokio::task::spawn_blocking(move || vault.erase(id)).await??)
    }
}

/// What people call somebody: the name, else the address, else the number.
pub fn name_of(values: &stored::PersonValues) -> String {
    let stored::PersonValues { display_name, email, employee_number } = values;
    let texts = [display_name, email, employee_number];
    texts.into_iter().find(|text| !text.is_empty()).cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use muster_common::{
        observation::{PersonName, PersonRecord},
        source::ImportName,
    };

    use super::*;
    use crate::store::memory::MemoryStore;

    const NOW: Timestamp = Timestamp::from_millis(1);

    fn person(display: &str, email: &str) -> PersonName {
        let text = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        PersonName { display: text(display), email: text(email) }
    }

    fn open(store: &Arc<MemoryStore>, folder: &Path) -> Persons {
        Persons::new(store.clone(), Arc::new(Vault::open(folder).unwrap()))
    }

    async fn shown(persons: &Persons, id: PersonId) -> Option<String> {
        persons.shown(&BTreeSet::from([id])).await.unwrap().remove(&id)
    }

    #[tokio::test]
    async fn the_same_name_is_the_same_person_also_after_a_restart() {
        let store = Arc::new(MemoryStore::new());
        let folder = tempfile::tempdir().unwrap();
        let vault = folder.path().join("vault");
        let names =
            [person("Jo Doe", "Jo@Example.org"), person("Al", ""), person("J. Doe", "jo@example.org")];
        let first = open(&store, &vault).resolve(&names, "operator:test", NOW).await.unwrap();
        assert_eq!(first.keys().collect::<Vec<_>>(), ["al", "jo@example.org"]);
        let persons = open(&store, &vault);
        persons.load().await.unwrap();
        assert_eq!(persons.resolve(&names, "operator:test", NOW).await.unwrap(), first);
        assert_eq!(persons.find("JO@example.org").await.unwrap(), Some(first["jo@example.org"]));
        assert_eq!(persons.find("nobody").await.unwrap(), None);
        assert_eq!(shown(&persons, first["jo@example.org"]).await.as_deref(), Some("Jo Doe"));
        assert_eq!(shown(&persons, first["al"]).await.as_deref(), Some("Al"));
    }

    #[tokio::test]
    async fn more_persons_than_one_commit_takes_are_made() {
        let store = Arc::new(MemoryStore::new());
        let folder = tempfile::tempdir().unwrap();
        let persons = open(&store, &folder.path().join("vault"));
        let names: Vec<PersonName> = (0..507).map(|number| person(&format!("P{number}"), "")).collect();
        let found = persons.resolve(&names, "operator:test", NOW).await.unwrap();
        assert_eq!(found.values().collect::<BTreeSet<_>>().len(), 507);
        assert!(matches!(persons.resolve(&[person(" ", "")], "x", NOW).await, Err(PersonsError::Nameless)));
    }

    /// A row of a staff list.
    fn staff(name: PersonName, number: &str) -> PersonRecord {
        PersonRecord {
            name,
            employee_number: Some(number.to_owned()).filter(|number| !number.is_empty()),
            ..PersonRecord::default()
        }
    }

    async fn enrol(persons: &Persons, rows: &[PersonRecord], at: i64) -> Vec<(PersonId, PersonOutcome)> {
        let import = ImportName::new("hr").unwrap();
        let rows: Vec<&PersonRecord> = rows.iter().collect();
        let now = Timestamp::from_millis(at);
        let taken = persons.enrol(&import, &rows, "operator:test", now, true).await.unwrap();
        taken.into_iter().map(|person| (person.id, person.outcome)).collect()
    }

    #[tokio::test]
    async fn who_is_erased_stays_so_until_they_begin_again() {
        let store = Arc::new(MemoryStore::new());
        let folder = tempfile::tempdir().unwrap();
        let persons = open(&store, &folder.path().join("vault"));
        let row = staff(person("Jo Doe", "jo@example.org"), "17");
        let names = [person("Jo Doe", "jo@example.org")];
        let id = enrol(&persons, std::slice::from_ref(&row), 1).await[0].0;
        assert!(persons.erase(id, "operator:test", Timestamp::from_millis(1_000)).await.unwrap());
        assert_eq!(shown(&persons, id).await.as_deref(), Some(ERASED));
        assert_eq!(shown(&persons, PersonId::random()).await, None);
        for text in ["jo@example.org", "Jo Doe", "17"] {
            assert_eq!(persons.find(text).await.unwrap(), None, "{text}");
        }
        assert!(!persons.erase(id, "operator:test", NOW).await.unwrap());
        assert_eq!(persons.resolve(&names, "x", NOW).await.unwrap()["jo@example.org"], id);
        assert_eq!(enrol(&persons, std::slice::from_ref(&row), 2_000).await, [(id, PersonOutcome::Erased)]);
        let again = PersonRecord { starts: Some(Timestamp::from_millis(5_000)), ..row };
        let (other, outcome) = enrol(&persons, &[again], 6_000).await[0];
        assert!(other != id && outcome == PersonOutcome::New);
        assert_eq!(shown(&persons, other).await.as_deref(), Some("Jo Doe"));
        assert_eq!(shown(&persons, id).await.as_deref(), Some(ERASED));
    }

    #[tokio::test]
    async fn a_person_is_found_by_whatever_the_next_file_knows() {
        let store = Arc::new(MemoryStore::new());
        let folder = tempfile::tempdir().unwrap();
        let persons = open(&store, &folder.path().join("vault"));
        // A purchase list knew the name, a seat list the address; the staff list knows both.
        let by_name = persons.resolve(&[person("Jo Doe", "")], "x", NOW).await.unwrap()["jo doe"];
        let names = [person("", "jo@example.org")];
        let by_address = persons.resolve(&names, "x", NOW).await.unwrap()["jo@example.org"];
        assert_ne!(by_name, by_address);
        let boss = person("Al Boss", "");
        let mut row = PersonRecord {
            department: Some("Sales/EMEA".to_owned()),
            manager: Some(boss),
            ..staff(person("Jo Doe", "jo@example.org"), "17")
        };
        let rows = [row.clone()];
        assert_eq!(enrol(&persons, &rows, 1).await, [(by_address, PersonOutcome::Update)]);
        for text in ["JO@example.org", "jo  doe", "17"] {
            assert_eq!(persons.find(text).await.unwrap(), Some(by_address), "{text}");
        }
        assert_eq!(shown(&persons, by_name).await.as_deref(), Some("Jo Doe"));
        let both = BTreeSet::from([by_name, by_address]);
        let facts = persons.facts(&both).await.unwrap();
        assert_eq!(facts[&by_name], facts[&by_address]);
        assert_eq!(facts[&by_name].department.as_deref(), Some("Sales/EMEA"));
        let manager = facts[&by_name].manager.unwrap();
        assert_eq!(shown(&persons, manager).await.as_deref(), Some("Al Boss"));
        // The same list again changes nothing, and a new address is told by the number.
        let position = store.position().await;
        assert_eq!(enrol(&persons, &rows, 2).await, [(by_address, PersonOutcome::Unchanged)]);
        assert_eq!(store.position().await, position);
        row.name.email = Some("jo.roe@example.org".to_owned());
        assert_eq!(enrol(&persons, &[row], 3).await, [(by_address, PersonOutcome::Update)]);
        assert_eq!(persons.find("jo@example.org").await.unwrap(), Some(by_address));
        assert_eq!(persons.load().await.unwrap().len(), 2, "one person who goes by two ids");
    }

    #[tokio::test]
    async fn a_name_that_two_have_tells_neither() {
        let store = Arc::new(MemoryStore::new());
        let folder = tempfile::tempdir().unwrap();
        let persons = open(&store, &folder.path().join("vault"));
        let bare = [person("Jo Doe", "")];
        let first = persons.resolve(&bare, "x", NOW).await.unwrap()["jo doe"];
        let rows = [
            staff(person("Jo Doe", "jo@example.org"), "17"),
            staff(person("Jo Doe", "jo2@example.org"), "18"),
        ];
        let taken = enrol(&persons, &rows, 1).await;
        assert!(taken[0].0 != taken[1].0 && taken[0].0 != first && taken[1].0 != first, "{taken:?}");
        assert_eq!(persons.resolve(&bare, "x", NOW).await.unwrap()["jo doe"], first);
        assert!(enrol(&persons, &rows, 2).await.iter().all(|(_, it)| *it == PersonOutcome::Unchanged));
        // A namesake who comes later parts them as well.
        let later = [staff(person("Al", "al@example.org"), "1"), staff(person("Al", "al2@example.org"), "2")];
        enrol(&persons, &later[..1], 3).await;
        enrol(&persons, &later[1..], 4).await;
        assert_eq!(persons.find("Al").await.unwrap(), None);
        let third = persons.resolve(&[person("Al", "")], "x", NOW).await.unwrap()["al"];
        assert_eq!(persons.find("Al").await.unwrap(), Some(third));
    }

    #[tokio::test]
    async fn an_address_and_a_number_of_two_persons_are_a_contradiction() {
        let store = Arc::new(MemoryStore::new());
        let folder = tempfile::tempdir().unwrap();
        let persons = open(&store, &folder.path().join("vault"));
        let rows = [staff(person("A", "a@example.org"), "1"), staff(person("B", "b@example.org"), "2")];
        enrol(&persons, &rows, 1).await;
        let position = store.position().await;
        let mixed = [staff(person("A", "a@example.org"), "2")];
        assert_eq!(enrol(&persons, &mixed, 2).await[0].1, PersonOutcome::Contradiction);
        assert_eq!(store.position().await, position);
    }

    #[tokio::test]
    async fn a_restored_vault_brings_nobody_back() {
        let store = Arc::new(MemoryStore::new());
        let folder = tempfile::tempdir().unwrap();
        let vault = folder.path().join("vault");
        let persons = open(&store, &vault);
        let id = persons.resolve(&[person("Jo", "")], "x", NOW).await.unwrap()["jo"];
        let record: Read<stored::Person> = persons.records.get(key::person(id)).await.unwrap();
        let sealed =
            record.record.map(|person| Sealed { nonce: person.nonce, bytes: person.sealed_values }).unwrap();
        let backup = std::fs::read(vault.join("keys")).unwrap();
        persons.erase(id, "operator:test", NOW).await.unwrap();
        drop(persons);

        std::fs::write(vault.join("keys"), backup).unwrap();
        let persons = open(&store, &vault);
        assert!(persons.vault.open_values(id, &sealed).unwrap().is_some(), "the backup holds the key");
        persons.load().await.unwrap();
        assert_eq!(persons.vault.open_values(id, &sealed).unwrap(), None);
    }
}
