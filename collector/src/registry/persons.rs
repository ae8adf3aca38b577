//! Persons: an id for each name or address, whose values lie sealed in the store and whose key lies in the vault.
//!
//! Everything else knows a person by the id alone. A name is found again by its blind reference, so that the same
//! address in the next file is the same person. Knows nothing of what a person has to do with a device.
//!
//! **Erasing** leaves a record without values in the store, as a mark, and then destroys the key in the vault; the
//! marks are gone through at each start, so that a crash in between, or a vault that was restored from a backup,
//! doesn't bring anybody back.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use muster_common::{id::PersonId, observation::PersonName, time::Timestamp};
use muster_proto::store::v1 as stored;
use prost::Message;

use crate::{
    privacy::{Sealed, Vault, VaultError},
    records::{Read, RecordError, Records, delete, key, put},
    store::{Commit, CommitError, Key, Store},
};

/// How many persons are made in one commit.
const AT_ONCE: usize = 500;
/// How often a commit is decided again when others were faster.
const MOST_TRIES: usize = 16;
/// What stands for a person whose values were destroyed.
const ERASED: &str = "erased person";
/// How many records are read in one go at the start.
const PAGE: usize = 1_000;

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
    #[error("a person needs a name or an address")]
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

impl Persons {
    /// Over a store and the vault that belongs to it.
    pub fn new(store: Arc<dyn Store>, vault: Arc<Vault>) -> Self {
        Self { records: Records::new(store), vault }
    }

    /// The vault, for what belongs to no one person.
    pub fn vault(&self) -> &Arc<Vault> {
        &self.vault
    }

    /// Destroys again the keys of those who were erased; to be called before anything is served.
    ///
    /// # Errors
    /// When store or vault can't be used.
    pub async fn load(&self) -> Result<(), PersonsError> {
        let mut after: Option<Key> = None;
        loop {
            let page: Vec<(Key, stored::Person)> =
                self.records.scan(key::PERSONS, after.as_ref(), PAGE).await?;
            let Some((last, _)) = page.last() else { return Ok(()) };
            after = Some(last.clone());
            for person in page.iter().filter(|(_, person)| person.sealed_values.is_empty()) {
                if let Some(id) = id_of(&person.1.id) {
                    self.destroy_key(id).await?;
                }
            }
        }
    }

    /// The person behind a name or an address, if there is one.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn find(&self, text: &str) -> Result<Option<PersonId>, PersonsError> {
        let reference: Read<stored::PersonReference> =
            self.records.get(key::person_reference(&self.vault.blind(text))).await?;
        Ok(reference.record.and_then(|reference| id_of(&reference.person_id)))
    }

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
        let all: Vec<(String, &PersonName)> = by_key.into_iter().collect();
        let mut found = BTreeMap::new();
        for part in all.chunks(AT_ONCE) {
            found.extend(self.resolve_part(part, actor, now).await?);
        }
        Ok(found)
    }

    async fn resolve_part(
        &self,
        names: &[(String, &PersonName)],
        actor: &str,
        now: Timestamp,
    ) -> Result<Vec<(String, PersonId)>, PersonsError> {
        for _ in 0..MOST_TRIES {
            let keys = names.iter().map(|(text, _)| key::person_reference(&self.vault.blind(text))).collect();
            let references: Vec<Read<stored::PersonReference>> = self.records.get_all(keys).await?;
            let mut found = Vec::with_capacity(names.len());
            let mut new = Vec::new();
            for ((text, name), reference) in names.iter().zip(references) {
                let known = reference.record.as_ref().and_then(|reference| id_of(&reference.person_id));
                let id = known.unwrap_or_else(PersonId::random);
                found.push((text.clone(), id));
                if known.is_none() {
                    new.push((id, *name, reference));
                }
            }
            if new.is_empty() {
                return Ok(found);
            }
            match self.make(new, actor, now).await {
                Ok(()) => return Ok(found),
                // Somebody made one of them meanwhile; our keys stay in the vault and open nothing.
                Err(PersonsError::Commit(CommitError::Conflict { .. })) => {}
                Err(error) => return Err(error),
            }
        }
        Err(PersonsError::Contended)
    }

    /// Makes persons: first their keys, on disk, then the commit that refers to them.
    async fn make(
        &self,
        new: Vec<(PersonId, &PersonName, Read<stored::PersonReference>)>,
        actor: &str,
        now: Timestamp,
    ) -> Result<(), PersonsError> {
        let ids: Vec<PersonId> = new.iter().map(|(id, _, _)| *id).collect();
        let vault = Arc::clone(&self.vault);
        tokio::task::spawn_blocking(move || vault.create(&ids)).await??;
        let mut expected = Vec::with_capacity(new.len());
        let mut writes = Vec::with_capacity(2 * new.len());
        let count = new.len();
        for (id, name, reference) in new {
            let PersonName { display, email } = name;
            let values = stored::PersonValues {
                display_name: display.clone().unwrap_or_default(),
                email: email.clone().unwrap_or_default(),
            };
            let Sealed { nonce, bytes } = self.vault.seal(id, &values)?;
            let person = stored::Person { id: id.as_bytes().to_vec(), sealed_values: bytes, nonce };
            expected.push(reference.expectation());
            writes.push(put(key::person(id), &person));
            writes.push(put(reference.key, &stored::PersonReference { person_id: id.as_bytes().to_vec() }));
        }
        let audit = stored::Audit {
            action: "person.create".to_owned(),
            target: format!("{count} persons"),
            detail: String::new(),
        };
        let kind = "person.create".to_owned();
        let audit = Some(audit.encode_to_vec());
        self.records
            .commit(Commit { kind, time: now, actor: actor.to_owned(), expected, writes, audit })
            .await?;
        Ok(())
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
        let keys = persons.iter().map(|id| key::person(*id)).collect();
        let records: Vec<Read<stored::Person>> = self.records.get_all(keys).await?;
        let mut shown = BTreeMap::new();
        for (id, read) in persons.iter().zip(records) {
            let Some(person) = read.record else { continue };
            let text = match self.values(*id, person) {
                Ok(Some(values)) if values.display_name.is_empty() => values.email,
                Ok(Some(values)) => values.display_name,
                Ok(None) => ERASED.to_owned(),
                Err(PersonsError::Vault(VaultError::NoKey { .. })) => continue,
                Err(error) => return Err(error),
            };
            shown.insert(*id, text);
        }
        Ok(shown)
    }

    fn values(
        &self,
        id: PersonId,
        person: stored::Person,
    ) -> Result<Option<stored::PersonValues>, PersonsError> {
        if person.sealed_values.is_empty() {
            return Ok(None);
        }
        let sealed = Sealed { nonce: person.nonce, bytes: person.sealed_values };
        Ok(self.vault.open_values(id, &sealed)?)
    }

    /// Destroys a person's values for ever; false when there are none, now or any more.
    ///
    /// # Errors
    /// When store or vault can't be used; then it may be half done, and is to be called again.
    pub async fn erase(&self, id: PersonId, actor: &str, now: Timestamp) -> Result<bool, PersonsError> {
        let read: Read<stored::Person> = self.records.get(key::person(id)).await?;
        let Some(person) = read.record.clone() else { return Ok(false) };
        if let Some(values) = self.values(id, person)? {
            let mark = stored::Person { id: id.as_bytes().to_vec(), ..stored::Person::default() };
            let mut writes = vec![put(read.key.clone(), &mark)];
            let stored::PersonValues { display_name, email } = values;
            let name =
                PersonName { display: Some(display_name), email: Some(email).filter(|it| !it.is_empty()) };
            if let Some(text) = name.key() {
                writes.push(delete(key::person_reference(&self.vault.blind(&text))));
            }
            let audit = stored::Audit {
                action: "person.erase".to_owned(),
                target: id.to_string(),
                detail: String::new(),
            };
            let commit = Commit {
                kind: "person.erase".to_owned(),
                time: now,
                actor: actor.to_owned(),
                expected: vec![read.expectation()],
                writes,
                audit: Some(audit.encode_to_vec()),
            };
            self.records.commit(commit).await?;
        }
        self.destroy_key(id).await
    }

    async fn destroy_key(&self, id: PersonId) -> Result<bool, PersonsError> {
        let vault = Arc::clone(&self.vault);
        Ok(tokio::task::spawn_blocking(move || vault.erase(id)).await??)
    }
}

fn id_of(bytes: &[u8]) -> Option<PersonId> {
    bytes.try_into().ok().map(PersonId::from_bytes)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

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
        let names: Vec<PersonName> =
            (0..AT_ONCE + 7).map(|number| person(&format!("P{number}"), "")).collect();
        let found = persons.resolve(&names, "operator:test", NOW).await.unwrap();
        assert_eq!(found.values().collect::<BTreeSet<_>>().len(), AT_ONCE + 7);
        assert!(matches!(persons.resolve(&[person(" ", "")], "x", NOW).await, Err(PersonsError::Nameless)));
    }

    #[tokio::test]
    async fn who_is_erased_is_gone_and_comes_back_as_another() {
        let store = Arc::new(MemoryStore::new());
        let folder = tempfile::tempdir().unwrap();
        let persons = open(&store, &folder.path().join("vault"));
        let names = [person("Jo Doe", "jo@example.org")];
        let id = persons.resolve(&names, "x", NOW).await.unwrap()["jo@example.org"];
        assert!(persons.erase(id, "operator:test", NOW).await.unwrap());
        assert_eq!(shown(&persons, id).await.as_deref(), Some(ERASED));
        assert_eq!(shown(&persons, PersonId::random()).await, None);
        assert_eq!(persons.find("jo@example.org").await.unwrap(), None);
        assert!(!persons.erase(id, "operator:test", NOW).await.unwrap());
        let again = persons.resolve(&names, "x", NOW).await.unwrap()["jo@example.org"];
        assert_ne!(again, id);
        assert_eq!(shown(&persons, again).await.as_deref(), Some("Jo Doe"));
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
