//! What every store must do, whatever it is made of: one list of cases, run over each backend.
//!
//! To add a backend: one `suite!` line at the foot. What outlives a restart is tested beside the backend that claims it.

use std::sync::Arc;

use muster_collector::store::{
    CatalogueId, CatalogueItem, Commit, CommitError, Key, Position, Presence, Revision, Store, StoreError,
    Unavailable, Write, audit, bounds,
    embedded::{EmbeddedOptions, EmbeddedStore},
    memory::MemoryStore,
};
use muster_common::{
    audit::{Entry, Linked, Walk},
    time::Timestamp,
};
use muster_proto::store::v1 as stored;
use prost::Message;
use tempfile::TempDir;

pub(crate) fn key(text: &str) -> Key {
    Key::new(text.as_bytes()).unwrap()
}

/// A commit that writes (key, value) pairs, an empty value deleting, and expects (key, revision) pairs.
pub(crate) fn commit(expected: &[(&str, u64)], writes: &[(&str, &str)]) -> Commit {
    Commit {
        kind: "test".into(),
        time: Timestamp::from_millis(1_700_000_000_000),
        actor: "conformance".into(),
        expected: expected.iter().map(|(k, r)| (key(k), Revision::from_number(*r))).collect(),
        writes: writes
            .iter()
            .map(|(k, v)| Write { key: key(k), value: (!v.is_empty()).then(|| v.as_bytes().to_vec()) })
            .collect(),
        audit: None,
    }
}

async fn one(store: &dyn Store, commit: Commit) -> Result<u64, CommitError> {
    let mut results = store.commit(vec![commit]).await;
    assert_eq!(results.len(), 1);
    results.remove(0).map(Position::number)
}

/// The value as text with its revision.
pub(crate) async fn get(store: &dyn Store, k: &str) -> Option<(String, u64)> {
    let mut found = store.get(&[key(k)]).await.unwrap();
    assert_eq!(found.len(), 1);
    found.remove(0).map(|record| (String::from_utf8(record.value).unwrap(), record.revision.number()))
}

fn some(value: &str, revision: u64) -> Option<(String, u64)> {
    Some((value.to_owned(), revision))
}

async fn a_new_store_is_empty(store: Arc<dyn Store>) {
    assert_eq!(store.position().await, Position::START);
    assert_eq!(get(&*store, "a").await, None);
    assert_eq!(store.scan(b"", None, 10).await.unwrap(), vec![]);
    assert_eq!(store.changes(Position::START, 10).await.unwrap(), vec![]);
    assert_eq!(store.presence().await.unwrap(), vec![]);
    assert_eq!(store.catalogue(&[CatalogueId::from_number(1)]).await.unwrap(), vec![None]);
    assert!(store.commit(Vec::new()).await.is_empty());
}

async fn a_write_is_read_back_and_raises_the_revision(store: Arc<dyn Store>) {
    assert_eq!(one(&*store, commit(&[], &[("other", "x")])).await, Ok(1));
    assert_eq!(one(&*store, commit(&[], &[("a", "first")])).await, Ok(2));
    assert_eq!(get(&*store, "a").await, some("first", 2));
    assert_eq!(one(&*store, commit(&[("a", 2)], &[("a", "second")])).await, Ok(3));
    assert_eq!(get(&*store, "a").await, some("second", 3));
    assert_eq!(get(&*store, "other").await, some("x", 1));
    assert_eq!(store.position().await.number(), 3);
}

async fn an_old_revision_is_a_conflict_and_changes_nothing(store: Arc<dyn Store>) {
    one(&*store, commit(&[], &[("a", "1"), ("b", "1")])).await.unwrap();
    let stale = commit(&[("a", 1), ("b", 9)], &[("a", "2"), ("c", "2")]);
    let conflict = CommitError::Conflict {
        key: key("b"),
        expected: Revision::from_number(9),
        found: Revision::from_number(1),
    };
    assert_eq!(one(&*store, stale).await, Err(conflict));
    assert!(one(&*store, commit(&[("a", 0)], &[("a", "2")])).await.is_err(), "it is not absent");
    assert_eq!(get(&*store, "a").await, some("1", 1));
    assert_eq!(get(&*store, "c").await, None);
    assert_eq!(store.position().await.number(), 1);
    assert_eq!(store.changes(Position::START, 10).await.unwrap().len(), 1);
}

async fn one_call_sees_its_own_earlier_commits(store: Arc<dyn Store>) {
    let results = store
        .commit(vec![
            commit(&[("a", 0)], &[("a", "1")]),
            commit(&[("a", 0)], &[("a", "lost")]),
            commit(&[("a", 1)], &[("a", "2")]),
            commit(&[], &[("a", "")]),
            commit(&[("a", 0)], &[("a", "3")]),
        ])
        .await;
    assert_eq!(results.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true, true, true]);
    assert_eq!(get(&*store, "a").await, some("3", 4));
}

async fn a_key_created_again_never_has_an_old_revision(store: Arc<dyn Store>) {
    one(&*store, commit(&[], &[("a", "1")])).await.unwrap();
    one(&*store, commit(&[], &[("a", "2")])).await.unwrap();
    one(&*store, commit(&[("a", 2)], &[("a", "")])).await.unwrap();
    assert_eq!(get(&*store, "a").await, None);
    one(&*store, commit(&[("a", 0)], &[("a", "other")])).await.unwrap();
    assert_eq!(get(&*store, "a").await, some("other", 4));
    assert!(one(&*store, commit(&[("a", 2)], &[("a", "late")])).await.is_err());
}

async fn what_breaks_a_bound_is_refused_alone(store: Arc<dyn Store>) {
    let mut large = commit(&[], &[("large", "x")]);
    large.writes[0].value = Some(vec![7; bounds::MAX_VALUE_BYTES + 1]);
    let mut kind = commit(&[], &[]);
    kind.kind = "k".repeat(129);
    let results = store
        .commit(vec![large, commit(&[], &[("a", "1"), ("a", "2")]), kind, commit(&[], &[("b", "1")])])
        .await;
    assert!(matches!(results[0], Err(CommitError::TooLarge { .. })), "{results:?}");
    assert_eq!(results[1], Err(CommitError::DuplicateKey { key: key("a") }));
    assert!(matches!(results[2], Err(CommitError::TooLarge { .. })), "{results:?}");
    assert_eq!(results[3], Ok(Position::from_number(1)));
}

async fn values_of_every_size_come_back_whole(store: Arc<dyn Store>) {
    let sizes = [0, 1, 4000, 4095, 4096, 4097, 8192, 100_000, 1 << 20, bounds::MAX_VALUE_BYTES];
    let value =
        |size: usize, salt: usize| (0..size).map(|i| ((i * 31 + salt) % 251) as u8).collect::<Vec<_>>();
    // Over each other, so that a short value replaces a long one and the other way round.
    for (salt, sizes) in [sizes.to_vec(), sizes.iter().rev().copied().collect()].iter().enumerate() {
        for (place, size) in sizes.iter().enumerate() {
            let mut write = commit(&[], &[(&format!("v{place}"), "x")]);
            write.writes[0].value = Some(value(*size, salt));
            one(&*store, write).await.unwrap();
        }
        let records = store.scan(b"v", None, 100).await.unwrap();
        assert_eq!(records.len(), sizes.len());
        for ((key, record), size) in records.iter().zip(sizes) {
            assert!(record.value == value(*size, salt), "{key} of {size} bytes");
        }
    }
}

async fn scans_go_by_prefix_in_pages(store: Arc<dyn Store>) {
    let names = ["a", "b", "b/1", "b/2", "b/\u{7f}", "b0", "c"];
    for name in names {
        one(&*store, commit(&[], &[(name, name)])).await.unwrap();
    }
    one(&*store, commit(&[], &[("b/2", "")])).await.unwrap();
    let mut seen = Vec::new();
    let mut after: Option<Key> = None;
    loop {
        let page = store.scan(b"b", after.as_ref(), 2).await.unwrap();
        let Some((last, _)) = page.last() else { break };
        assert!(page.len() <= 2);
        after = Some(last.clone());
        seen.extend(page.into_iter().map(|(key, _)| key.to_string()));
    }
    assert_eq!(seen, ["b", "b/1", "b/\\x7f", "b0"]);
    let from_before = store.scan(b"b/", Some(&key("a")), 100).await.unwrap();
    assert_eq!(from_before.len(), 2);
    let from_behind = store.scan(b"b/", Some(&key("c")), 100).await.unwrap();
    assert_eq!(from_behind, vec![]);
}

async fn the_log_tells_each_commit_in_order(store: Arc<dyn Store>) {
    let mut first = commit(&[], &[("b", "2"), ("a", "1")]);
    first.audit = Some(b"who and why".to_vec());
    one(&*store, first).await.unwrap();
    one(&*store, commit(&[], &[("a", ""), ("never", "")])).await.unwrap();
    one(&*store, commit(&[], &[])).await.unwrap();
    let changes = store.changes(Position::START, 10).await.unwrap();
    assert_eq!(changes.iter().map(|c| c.position.number()).collect::<Vec<_>>(), [1, 2, 3]);
    let change = &changes[0];
    assert_eq!((change.kind.as_str(), change.actor.as_str()), ("test", "conformance"));
    assert_eq!(change.time, Timestamp::from_millis(1_700_000_000_000));
    assert_eq!(change.audit.as_deref(), Some(b"who and why".as_slice()));
    let written: Vec<_> = changes
        .iter()
        .flat_map(|c| &c.writes)
        .map(|w| (w.key.to_string(), w.value.clone(), w.revision.number()))
        .collect();
    let expected = [("b", Some("2"), 1), ("a", Some("1"), 1), ("a", None, 2), ("never", None, 0)]
        .map(|(k, v, r)| (k.to_owned(), v.map(|v| v.as_bytes().to_vec()), r));
    assert_eq!(written, expected);
    let page = store.changes(Position::from_number(1), 1).await.unwrap();
    assert_eq!(page.iter().map(|c| c.position.number()).collect::<Vec<_>>(), [2]);
    assert_eq!(store.changes(Position::from_number(3), 1).await.unwrap(), vec![]);
    let beyond = store.changes(Position::from_number(4), 1).await;
    assert!(matches!(beyond, Err(StoreError::OutOfRange { .. })), "{beyond:?}");
}

/// Walks the audit log from its first entry against the change log, and returns the entries.
pub(crate) async fn walked(store: &dyn Store) -> Vec<Linked> {
    let entries = audit::entries(store, 0, usize::MAX).await.unwrap();
    let mut changes = store.changes(Position::START, usize::MAX).await.unwrap().into_iter();
    let mut walk = Walk::begin();
    for linked in &entries {
        walk.step(linked).unwrap();
        for digest in &linked.entry.folded {
            assert_eq!(audit::folded_of(&changes.next().unwrap()).digest(), *digest);
        }
        let change = changes.next().unwrap();
        let Entry { position, time, actor, kind, writes, .. } = &linked.entry;
        assert_eq!(*position, change.position.number());
        assert_eq!((*time, actor, kind), (change.time, &change.actor, &change.kind));
        assert_eq!(*writes, audit::digest_of_change(&change));
    }
    assert_eq!(audit::last_number(store).await.unwrap(), walk.number());
    assert_eq!(walk.position(), entries.last().map_or(0, |linked| linked.entry.position));
    entries
}

/// A commit with a note of the audit log.
pub(crate) fn noted(writes: &[(&str, &str)], action: &str) -> Commit {
    let note = stored::Audit { action: action.into(), target: "target".into(), detail: "detail".into() };
    Commit { audit: Some(note.encode_to_vec()), ..commit(&[], writes) }
}

async fn every_commit_enters_the_audit_log(store: Arc<dyn Store>) {
    let by = |actor: &str, commit: Commit| Commit { actor: actor.into(), ..commit };
    let results = store
        .commit(vec![
            by("operator/alice", noted(&[("a", "1")], "first")),
            by("agent:1", commit(&[], &[("b", "1")])),
            by("agent:1", commit(&[("b", 77)], &[("b", "refused")])),
            by("agent:2", commit(&[], &[("b", "2"), ("a", "")])),
            by("operator/bob", commit(&[], &[])),
        ])
        .await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 4);
    let entries = walked(&*store).await;
    let told: Vec<_> = entries.iter().map(|it| &it.entry).collect();
    assert_eq!(told.iter().map(|it| it.action.as_str()).collect::<Vec<_>>(), ["first", "test"]);
    assert_eq!((told[0].target.as_str(), told[0].detail.as_str()), ("target", "detail"));
    assert_eq!((told[1].first, told[1].position, told[1].folded.len()), (2, 4, 2));
    // A crowd of machines is folded, and never more than so many at once.
    for round in 0..3 {
        let machines = (0..200).map(|n| by("agent:1", commit(&[], &[("c", &format!("{round} {n}"))])));
        assert!(store.commit(machines.collect()).await.iter().all(Result::is_ok));
    }
    let entries = walked(&*store).await;
    assert_eq!(entries.iter().map(|it| it.entry.position).collect::<Vec<_>>(), [1, 4, 260, 516]);
}

async fn nobody_but_the_store_writes_the_audit_log(store: Arc<dyn Store>) {
    one(&*store, noted(&[("a", "1")], "first")).await.unwrap();
    let (entry, record) = store.scan(audit::PREFIX, None, 1).await.unwrap().remove(0);
    for value in [None, Some(record.value.clone())] {
        let mut forged = commit(&[], &[("b", "1")]);
        forged.writes.push(Write { key: entry.clone(), value });
        let refused = one(&*store, forged).await;
        assert_eq!(refused, Err(CommitError::Reserved { key: entry.clone() }));
    }
    assert_eq!(store.scan(audit::PREFIX, None, 9).await.unwrap(), [(entry, record)]);
    assert_eq!(get(&*store, "b").await, None);
}

async fn waiting_on_the_position_sees_each_commit(store: Arc<dyn Store>) {
    let mut positions = store.watch_position();
    assert_eq!(*positions.borrow_and_update(), Position::START);
    let writer = Arc::clone(&store);
    let task = tokio::spawn(async move { one(&*writer, commit(&[], &[("a", "1")])).await });
    positions.changed().await.unwrap();
    assert_eq!(positions.borrow().number(), 1);
    assert_eq!(get(&*store, "a").await, some("1", 1));
    task.await.unwrap().unwrap();
}

async fn racing_commits_lose_no_update(store: Arc<dyn Store>) {
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                for _ in 0..25 {
                    loop {
                        let (value, revision) = get(&*store, "n").await.unwrap_or(("0".into(), 0));
                        let next = (value.parse::<u64>().unwrap() + 1).to_string();
                        if one(&*store, commit(&[("n", revision)], &[("n", &next)])).await.is_ok() {
                            break;
                        }
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(get(&*store, "n").await, some("200", 200));
}

fn item(n: u8) -> CatalogueItem {
    CatalogueItem { digest: [n; 16], value: vec![n; usize::from(n)] }
}

async fn catalogue_numbers_are_dense_and_stay(store: Arc<dyn Store>) {
    let numbers = |ids: Vec<CatalogueId>| ids.into_iter().map(CatalogueId::number).collect::<Vec<_>>();
    assert_eq!(numbers(store.intern(vec![item(5), item(6), item(5)]).await.unwrap()), [1, 2, 1]);
    one(&*store, commit(&[], &[("a", "1")])).await.unwrap();
    assert_eq!(numbers(store.intern(vec![item(7), item(6)]).await.unwrap()), [3, 2]);
    let ids = [3, 1, 0, 4, 2].map(CatalogueId::from_number);
    let values = store.catalogue(&ids).await.unwrap();
    assert_eq!(values, [Some(vec![7; 7]), Some(vec![5; 5]), None, None, Some(vec![6; 6])]);
    let large = CatalogueItem { digest: [9; 16], value: vec![0; bounds::MAX_CATALOGUE_VALUE_BYTES + 1] };
    assert!(store.intern(vec![item(8), large]).await.is_err());
    assert_eq!(store.position().await.number(), 1, "the catalogue takes no position of its own");
}

async fn presence_is_apart_from_records(store: Arc<dyn Store>) {
    let presence =
        |k: &str, v: &str| Presence { key: key(k), value: (!v.is_empty()).then(|| v.as_bytes().to_vec()) };
    store.put_presence(vec![presence("b", "1"), presence("a", "1"), presence("c", "1")]).await.unwrap();
    store.put_presence(vec![presence("b", "2"), presence("c", "")]).await.unwrap();
    let kept = store.presence().await.unwrap();
    assert_eq!(kept, [(key("a"), b"1".to_vec()), (key("b"), b"2".to_vec())]);
    assert_eq!(get(&*store, "a").await, None);
    assert_eq!(store.position().await, Position::START);
    let large = Presence { key: key("a"), value: Some(vec![0; bounds::MAX_PRESENCE_BYTES + 1]) };
    assert!(store.put_presence(vec![large]).await.is_err());
}

async fn a_closed_store_answers_so(store: Arc<dyn Store>) {
    one(&*store, commit(&[], &[("a", "1")])).await.unwrap();
    store.close().await.unwrap();
    store.close().await.unwrap();
    let closed = CommitError::Unavailable(Unavailable::Closed);
    assert_eq!(one(&*store, commit(&[], &[("a", "2")])).await, Err(closed));
    let read = store.get(&[key("a")]).await;
    assert!(matches!(read, Err(StoreError::Unavailable(Unavailable::Closed))), "{read:?}");
    assert_eq!(store.position().await.number(), 1);
}

/// Runs every case over a fresh store of `$open`.
macro_rules! suite {
    ($backend:ident, $open:ident) => {
        suite!($backend, $open,
            a_new_store_is_empty
            a_write_is_read_back_and_raises_the_revision
            an_old_revision_is_a_conflict_and_changes_nothing
            one_call_sees_its_own_earlier_commits
            a_key_created_again_never_has_an_old_revision
            what_breaks_a_bound_is_refused_alone
            values_of_every_size_come_back_whole
            scans_go_by_prefix_in_pages
            the_log_tells_each_commit_in_order
            every_commit_enters_the_audit_log
            nobody_but_the_store_writes_the_audit_log
            waiting_on_the_position_sees_each_commit
            racing_commits_lose_no_update
            catalogue_numbers_are_dense_and_stay
            presence_is_apart_from_records
            a_closed_store_answers_so
        );
    };
    ($backend:ident, $open:ident, $($case:ident)*) => {
        mod $backend {
            use super::*;

            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $case() {
                    let (store, folder) = $open().await;
                    super::$case(store).await;
                    drop(folder);
                }
            )*
        }
    };
}

/// A fresh store and the folder that it lies in, if any.
type Opened = (Arc<dyn Store>, Option<TempDir>);

async fn open_memory() -> Opened {
    (Arc::new(MemoryStore::new()), None)
}

async fn open_embedded() -> Opened {
    let folder = TempDir::new().unwrap();
    let store = EmbeddedStore::open(EmbeddedOptions::new(folder.path())).await.unwrap();
    (Arc::new(store), Some(folder))
}

suite!(memory, open_memory);
suite!(embedded, open_embedded);
