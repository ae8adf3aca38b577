//! What the embedded store keeps beyond the common cases: everything, over restarts and over the loss of its view.

use std::{fs, path::Path, sync::Arc};

use muster_collector::store::{
    CatalogueItem, Change, Commit, CommitError, Key, Position, Presence, Revision, Store, StoreError,
    Versioned, Write,
    embedded::{EmbeddedOptions, EmbeddedStore, Start, ViewAtStart},
    memory::MemoryStore,
};
use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop_oneof, proptest};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tempfile::TempDir;

use crate::store_conformance::{commit, get, key, noted, walked};

async fn open(folder: &Path) -> EmbeddedStore {
    // Small segments, so that there are many.
    let options = EmbeddedOptions { segment_bytes: 20_000, ..EmbeddedOptions::new(folder) };
    EmbeddedStore::open(options).await.unwrap()
}

/// Everything that can be read.
#[derive(Debug, PartialEq)]
struct Contents {
    records: Vec<(Key, Versioned)>,
    changes: Vec<Change>,
    position: Position,
    presence: Vec<(Key, Vec<u8>)>,
    catalogue: Vec<Option<Vec<u8>>>,
}

async fn contents(store: &dyn Store) -> Contents {
    let ids: Vec<_> = (0..40).map(muster_collector::store::CatalogueId::from_number).collect();
    Contents {
        records: store.scan(b"", None, usize::MAX).await.unwrap(),
        changes: store.changes(Position::START, usize::MAX).await.unwrap(),
        position: store.position().await,
        presence: store.presence().await.unwrap(),
        catalogue: store.catalogue(&ids).await.unwrap(),
    }
}

/// A store of a few hundred records of many sizes, closed.
async fn filled(folder: &Path, seed: u64, rounds: u32) -> Contents {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let store = open(folder).await;
    for round in 0..rounds {
        let round = (round % 30) as u8;
        let items = vec![CatalogueItem { digest: [round; 16], value: vec![round; 10] }];
        store.intern(items).await.unwrap();
        let commits = (0..random.random_range(1..20))
            .map(|_| {
                let mut commit = commit(&[], &[(&format!("{}", random.random_range(0..300)), "x")]);
                let size = if random.random_ratio(1, 10) { 20_000 } else { 300 };
                let deletes = random.random_ratio(1, 8);
                commit.writes[0].value = (!deletes).then(|| vec![round; random.random_range(0..size)]);
                commit
            })
            .collect();
        assert!(store.commit(commits).await.iter().all(Result::is_ok));
    }
    store.put_presence(vec![Presence { key: key("a"), value: Some(b"now".to_vec()) }]).await.unwrap();
    let all = contents(&store).await;
    store.close().await.unwrap();
    all
}

#[tokio::test]
async fn opening_again_finds_the_same() {
    let folder = TempDir::new().unwrap();
    let before = filled(folder.path(), 1, 30).await;
    let store = open(folder.path()).await;
    assert!(contents(&store).await == before);
    let next = store.commit(vec![commit(&[], &[("a", "1")])]).await;
    assert_eq!(next, [Ok(before.position.next())]);
    assert_eq!(store.verify().await.unwrap(), before.position.number() + 1);
}

#[tokio::test]
async fn a_deleted_view_is_made_again() {
    let folder = TempDir::new().unwrap();
    let before = filled(folder.path(), 2, 30).await;
    fs::remove_dir_all(folder.path().join("view")).unwrap();
    let store = open(folder.path()).await;
    assert!(contents(&store).await == before);
    assert_eq!(store.start().view, ViewAtStart::Missing);
    assert_eq!(store.start().replayed, before.position.number());
    let ids = store.intern(vec![CatalogueItem { digest: [29; 16], value: Vec::new() }]).await.unwrap();
    assert_eq!(ids[0].number(), 30, "numbers are as they were");
}

#[tokio::test]
async fn the_audit_log_goes_on_after_a_restart_and_is_the_same_in_a_view_made_again() {
    let folder = TempDir::new().unwrap();
    let mut positions = Vec::new();
    for round in 0..4 {
        let store = open(folder.path()).await;
        // 100 commits wait to be folded in when the store is closed, and the next round's come on top.
        for n in 0..100 {
            let machine = commit(&[], &[("a", &format!("{round} {n}"))]);
            store.commit(vec![machine]).await[0].as_ref().unwrap();
        }
        if round == 1 {
            store.commit(vec![noted(&[("b", "1")], "by hand")]).await[0].as_ref().unwrap();
        }
        positions = walked(&store).await.into_iter().map(|it| it.entry.position).collect();
        store.close().await.unwrap();
        if round % 2 == 0 {
            fs::remove_dir_all(folder.path().join("view")).unwrap();
        }
    }
    assert_eq!(positions, [201]);
    let store = open(folder.path()).await;
    let machines = (0..100).map(|n| commit(&[], &[("a", &n.to_string())])).collect();
    assert!(store.commit(machines).await.iter().all(Result::is_ok));
    let log = walked(&store).await;
    assert_eq!(log.iter().map(|it| it.entry.position).collect::<Vec<_>>(), [201, 457]);
    store.close().await.unwrap();
    fs::remove_dir_all(folder.path().join("view")).unwrap();
    assert_eq!(walked(&open(folder.path()).await).await, log);
}

#[tokio::test]
async fn a_damaged_view_is_noticed_and_made_again() {
    let (mut damaged, mut went_back, mut current) = (0, 0, 0);
    let origin = TempDir::new().unwrap();
    let before = filled(origin.path(), 3, 200).await;
    for seed in 0..12 {
        let folder = TempDir::new().unwrap();
        copy(origin.path(), folder.path());
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let database = folder.path().join("view/db");
        let mut bytes = fs::read(&database).unwrap();
        let used = bytes.iter().rposition(|byte| *byte != 0).unwrap();
        for _ in 0..[1, 16, 256][seed as usize % 3] {
            let at = random.random_range(0..used);
            bytes[at] ^= 1 << random.random_range(0..8);
        }
        fs::write(&database, bytes).unwrap();
        let store = open(folder.path()).await;
        assert!(contents(&store).await == before, "seed {seed}");
        store.close().await.unwrap();
        match store.start().view {
            ViewAtStart::Damaged(_) => damaged += 1,
            ViewAtStart::WentBack => went_back += 1,
            ViewAtStart::Current => current += 1,
            ViewAtStart::Missing => panic!("seed {seed}: it is there"),
        }
        // The next start finds nothing wrong.
        let store = open(folder.path()).await;
        assert!(contents(&store).await == before, "seed {seed}");
    }
    println!("of 12 views {damaged} were damaged, {went_back} older and {current} as before");
    assert!(damaged + went_back > 0, "no flip did any damage: the test tests nothing");
}

#[tokio::test]
async fn a_view_that_went_back_in_time_is_brought_up_again() {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path()).await;
    store.commit(vec![commit(&[], &[("a", "1")])]).await[0].as_ref().unwrap();
    store.close().await.unwrap();
    let older = TempDir::new().unwrap();
    copy(&folder.path().join("view"), older.path());
    let store = open(folder.path()).await;
    store.commit(vec![commit(&[], &[("a", "2"), ("b", "2")])]).await[0].as_ref().unwrap();
    store.close().await.unwrap();
    fs::remove_dir_all(folder.path().join("view")).unwrap();
    copy(older.path(), &folder.path().join("view"));
    let store = open(folder.path()).await;
    assert_eq!(get(&store, "a").await, Some(("2".into(), 2)));
    assert_eq!(get(&store, "b").await, Some(("2".into(), 2)));
    assert_eq!(store.start(), &Start { view: ViewAtStart::WentBack, replayed: 1 });
}

#[tokio::test]
async fn a_journal_that_lost_what_was_acknowledged_is_refused() {
    let folder = TempDir::new().unwrap();
    filled(folder.path(), 4, 30).await;
    let journal = folder.path().join("journal");
    let newest = fs::read_dir(&journal).unwrap().map(|entry| entry.unwrap().path()).max().unwrap();
    let bytes = fs::read(&newest).unwrap();
    // Without the view too: the checkpoint alone is witness enough.
    for keeps_view in [true, false] {
        fs::write(&newest, &bytes[..bytes.len() - 1]).unwrap();
        if !keeps_view {
            fs::remove_dir_all(folder.path().join("view")).unwrap();
        }
        let opened = EmbeddedStore::open(EmbeddedOptions::new(folder.path())).await;
        let error = opened.err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains("was acknowledged: restore a backup"), "{error:?}");
        assert_eq!(fs::read(&newest).unwrap().len(), bytes.len() - 1, "nothing was cut");
    }
    fs::remove_dir_all(&journal).unwrap();
    let opened = EmbeddedStore::open(EmbeddedOptions::new(folder.path())).await;
    assert!(matches!(opened, Err(StoreError::Damaged { .. })), "{opened:?}");
}

#[tokio::test]
async fn a_second_collector_is_refused_with_a_clear_error() {
    let folder = TempDir::new().unwrap();
    let first = open(folder.path()).await;
    let second = EmbeddedStore::open(EmbeddedOptions::new(folder.path())).await;
    let error = second.unwrap_err();
    assert!(matches!(error, StoreError::Locked { .. }));
    assert!(
        error.to_string().ends_with("/lock is in use by another collector: stop that one first"),
        "{error}"
    );
    first.close().await.unwrap();
    open(folder.path()).await;
}

#[tokio::test]
async fn an_unfinished_snapshot_of_the_view_is_removed() {
    let folder = TempDir::new().unwrap();
    let before = filled(folder.path(), 5, 30).await;
    let unfinished = folder.path().join("view/snap.0000000000000000.generating");
    fs::write(&unfinished, b"half").unwrap();
    let store = open(folder.path()).await;
    assert!(contents(&store).await == before);
    assert!(!unfinished.exists());
    assert_eq!(store.start(), &Start { view: ViewAtStart::Current, replayed: 0 });
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to.join(entry.file_name()));
        } else {
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

/// One step of the comparison with the store in memory.
#[derive(Debug, Clone)]
enum Step {
    /// Commits of a few keys each, with what they expect: nothing, the truth, or something old.
    Commit(Vec<Vec<(u8, Option<u16>, Expect)>>),
    Intern(Vec<u8>),
    Presence(u8, bool),
    Restart,
    LoseView,
}

#[derive(Debug, Clone, Copy)]
enum Expect {
    Nothing,
    Current,
    Absent,
}

fn step() -> impl Strategy<Value = Step> {
    let expect =
        prop_oneof![3 => Just(Expect::Nothing), 2 => Just(Expect::Current), 1 => Just(Expect::Absent)];
    let size = prop_oneof![1 => Just(None), 3 => (0..200_u16).prop_map(Some), 1 => (3900..12_500_u16).prop_map(Some)];
    let one = proptest::collection::vec((0..12_u8, size, expect), 0..4);
    prop_oneof![
        8 => proptest::collection::vec(one, 1..6).prop_map(Step::Commit),
        2 => proptest::collection::vec(0..20_u8, 1..4).prop_map(Step::Intern),
        1 => (0..4_u8, any::<bool>()).prop_map(|(who, is_there)| Step::Presence(who, is_there)),
        1 => Just(Step::Restart),
        1 => Just(Step::LoseView),
    ]
}

/// The commits of a step; the expected revisions are those of before the step.
async fn commits(store: &dyn Store, salt: usize, wanted: &[Vec<(u8, Option<u16>, Expect)>]) -> Vec<Commit> {
    let mut commits = Vec::new();
    for writes in wanted {
        let mut made = commit(&[], &[]);
        for (name, size, expect) in writes {
            let key = key(&name.to_string());
            let current = store.get(std::slice::from_ref(&key)).await.unwrap().remove(0);
            let current = current.map_or(Revision::ABSENT, |record| record.revision);
            match expect {
                Expect::Nothing => {}
                Expect::Current => made.expected.push((key.clone(), current)),
                Expect::Absent => made.expected.push((key.clone(), Revision::ABSENT)),
            }
            let value = size.map(|size| (0..usize::from(size)).map(|i| ((i + salt) % 251) as u8).collect());
            made.writes.push(Write { key, value });
        }
        commits.push(made);
    }
    commits
}

async fn compare(steps: Vec<Step>) {
    let folder = TempDir::new().unwrap();
    let model: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let mut store = open(folder.path()).await;
    for (salt, step) in steps.into_iter().enumerate() {
        match step {
            Step::Commit(wanted) => {
                let commits = commits(&*model, salt, &wanted).await;
                let expected: Vec<Result<Position, CommitError>> = model.commit(commits.clone()).await;
                assert_eq!(store.commit(commits).await, expected);
            }
            Step::Intern(items) => {
                let items: Vec<_> =
                    items.iter().map(|n| CatalogueItem { digest: [*n; 16], value: vec![*n; 9] }).collect();
                assert_eq!(store.intern(items.clone()).await.unwrap(), model.intern(items).await.unwrap());
                // A number outlives a restart once a commit was begun after it.
                let mark = vec![commit(&[], &[])];
                assert_eq!(store.commit(mark.clone()).await, model.commit(mark).await);
            }
            Step::Presence(who, is_there) => {
                let presence =
                    vec![Presence { key: key(&who.to_string()), value: is_there.then(|| vec![salt as u8]) }];
                store.put_presence(presence.clone()).await.unwrap();
                model.put_presence(presence).await.unwrap();
            }
            Step::Restart => {
                store.close().await.unwrap();
                store = open(folder.path()).await;
            }
            Step::LoseView => {
                store.close().await.unwrap();
                fs::remove_dir_all(folder.path().join("view")).unwrap();
                store = open(folder.path()).await;
            }
        }
    }
    assert_eq!(contents(&store).await, contents(&*model).await);
    store.close().await.unwrap();
    let store = open(folder.path()).await;
    assert_eq!(contents(&store).await, contents(&*model).await);
    store.close().await.unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, max_shrink_iters: 50, ..ProptestConfig::default() })]

    #[test]
    fn any_steps_leave_what_they_leave_in_memory(steps in proptest::collection::vec(step(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        runtime.block_on(compare(steps));
    }
}
