//! The store in memory: the reference of what every backend does, and the double for tests of all that stands above.
//!
//! Knows no disk: "durable" means done. Everything is under one lock, so it is plainly right rather than quick.

use std::{
    collections::{BTreeMap, HashMap},
    ops::Bound,
    sync::{Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use tokio::sync::watch;

use crate::store::{
    CatalogueId, CatalogueItem, Change, Commit, CommitError, Key, Position, Presence, Revision, Store,
    StoreError, Unavailable, Versioned, Written,
    audit::{self, Chain, Told},
    bounds::{check_bounds, check_catalogue_item, check_presence, within_page},
};

/// A store that forgets everything when it is dropped.
#[derive(Debug)]
pub struct MemoryStore {
    state: Mutex<State>,
    position: watch::Sender<Position>,
}

#[derive(Debug)]
struct State {
    chain: Chain,
    records: BTreeMap<Key, Versioned>,
    changes: Vec<Change>,
    catalogue: Vec<Vec<u8>>,
    catalogue_ids: HashMap<[u8; 16], CatalogueId>,
    presence: BTreeMap<Key, Vec<u8>>,
    closed: bool,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self { state: Mutex::new(State::new()), position: watch::Sender::new(Position::START) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic under the lock can only come from running out of memory, which leaves nothing half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open_state(&self) -> Result<MutexGuard<'_, State>, Unavailable> {
        let state = self.state();
        if state.closed { Err(Unavailable::Closed) } else { Ok(state) }
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl State {
    fn new() -> Self {
        Self {
            chain: Chain::begin(),
            records: BTreeMap::new(),
            changes: Vec::new(),
            catalogue: Vec::new(),
            catalogue_ids: HashMap::new(),
            presence: BTreeMap::new(),
            closed: false,
        }
    }

    fn position(&self) -> Position {
        Position::from_number(self.changes.len() as u64)
    }

    fn revision(&self, key: &Key) -> Revision {
        self.records.get(key).map_or(Revision::ABSENT, |record| record.revision)
    }

    fn commit(&mut self, commit: Commit) -> Result<Position, CommitError> {
        check_bounds(&commit)?;
        for (key, expected) in &commit.expected {
            let found = self.revision(key);
            if found != *expected {
                return Err(CommitError::Conflict { key: key.clone(), expected: *expected, found });
            }
        }
        let position = self.position().next();
        let digest = audit::digest_of_commit(&commit);
        let mut writes = Vec::with_capacity(commit.writes.len());
        let Commit { kind, time, actor, expected: _, writes: wanted, audit: note } = commit;
        for write in wanted {
            let before = self.revision(&write.key);
            let revision = match &write.value {
                None if before == Revision::ABSENT => Revision::ABSENT,
                None | Some(_) => before.next(position),
            };
            match write.value.clone() {
                Some(value) => self.records.insert(write.key.clone(), Versioned { value, revision }),
                None => self.records.remove(&write.key),
            };
            writes.push(Written { key: write.key, value: write.value, revision });
        }
        let told = Told { position, time, actor: &actor, kind: &kind, note: note.as_deref(), writes: digest };
        if let Some((key, value)) = self.chain.add(told) {
            self.records.insert(key, Versioned { value, revision: Revision::ABSENT.next(position) });
        }
        self.changes.push(Change { position, kind, time, actor, writes, audit: note });
        Ok(position)
    }

    fn intern(&mut self, item: CatalogueItem) -> CatalogueId {
        let next = u32::try_from(self.catalogue.len() + 1).expect("fewer items than fit into memory");
        let id = *self.catalogue_ids.entry(item.digest).or_insert(CatalogueId::from_number(next));
        if id.number() == next {
            self.catalogue.push(item.value);
        }
        id
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn commit(&self, commits: Vec<Commit>) -> Vec<Result<Position, CommitError>> {
        let mut state = match self.open_state() {
            Ok(state) => state,
            Err(unavailable) => return commits.iter().map(|_| Err(unavailable.clone().into())).collect(),
        };
        let results = commits.into_iter().map(|commit| state.commit(commit)).collect();
        self.position.send_replace(state.position());
        results
    }

    async fn get(&self, keys: &[Key]) -> Result<Vec<Option<Versioned>>, StoreError> {
        let state = self.open_state()?;
        Ok(keys.iter().map(|key| state.records.get(key).cloned()).collect())
    }

    async fn scan(
        &self,
        prefix: &[u8],
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Vec<(Key, Versioned)>, StoreError> {
        let state = self.open_state()?;
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut bytes = 0;
        Ok(state
            .records
            .range::<Key, _>((from, Bound::Unbounded))
            .skip_while(|(key, _)| key.as_bytes() < prefix)
            .take_while(|(key, _)| key.as_bytes().starts_with(prefix))
            .take(limit.max(1))
            .take_while(|(_, record)| within_page(&mut bytes, record.value.len()))
            .map(|(key, record)| (key.clone(), record.clone()))
            .collect())
    }

    async fn changes(&self, after: Position, limit: usize) -> Result<Vec<Change>, StoreError> {
        let state = self.open_state()?;
        let newest = state.position();
        if after > newest {
            return Err(StoreError::OutOfRange { after, oldest: Position::START, newest });
        }
        let from = usize::try_from(after.number()).expect("a position that was reached fits into memory");
        let mut bytes = 0;
        Ok(state
            .changes
            .iter()
            .skip(from)
            .take(limit.max(1))
            .take_while(|change| within_page(&mut bytes, change.value_bytes()))
            .cloned()
            .collect())
    }

    async fn intern(&self, items: Vec<CatalogueItem>) -> Result<Vec<CatalogueId>, StoreError> {
        let mut state = self.open_state()?;
        items.iter().try_for_each(check_catalogue_item)?;
        Ok(items.into_iter().map(|item| state.intern(item)).collect())
    }

    async fn catalogue(&self, ids: &[CatalogueId]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        let state = self.open_state()?;
        let place = |id: &CatalogueId| usize::try_from(id.number()).ok()?.checked_sub(1);
        Ok(ids.iter().map(|id| state.catalogue.get(place(id)?).cloned()).collect())
    }

    async fn put_presence(&self, presences: Vec<Presence>) -> Result<(), StoreError> {
        let mut state = self.open_state()?;
        presences.iter().try_for_each(check_presence)?;
        for Presence { key, value } in presences {
            match value {
                Some(value) => state.presence.insert(key, value),
                None => state.presence.remove(&key),
            };
        }
        Ok(())
    }

    async fn presence(&self) -> Result<Vec<(Key, Vec<u8>)>, StoreError> {
        let state = self.open_state()?;
        Ok(state.presence.iter().map(|(key, value)| (key.clone(), value.clone())).collect())
    }

    async fn position(&self) -> Position {
        self.state().position()
    }

    fn watch_position(&self) -> watch::Receiver<Position> {
        self.position.subscribe()
    }

    fn health(&self) -> Result<(), Unavailable> {
        self.open_state().map(drop)
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.state().closed = true;
        Ok(())
    }
}
