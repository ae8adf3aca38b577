//! The embedded store when writes, syncs and renames fail: what it says, what it keeps, and when it recovers.

use std::{
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use fail::FailScenario;
use muster_collector::store::{
    CatalogueItem, CommitError, Presence, Store, Unavailable,
    embedded::{EmbeddedOptions, EmbeddedStore},
};
use tempfile::TempDir;

use crate::store_conformance::{commit, get, key};

async fn open(folder: &Path) -> EmbeddedStore {
    let options = EmbeddedOptions { segment_bytes: 400, ..EmbeddedOptions::new(folder) };
    EmbeddedStore::open(options).await.unwrap()
}

async fn write(store: &EmbeddedStore, value: &str) -> Result<(), CommitError> {
    store.commit(vec![commit(&[], &[("a", value)])]).await.remove(0).map(drop)
}

fn is_full(result: &Result<(), CommitError>) -> bool {
    matches!(result, Err(CommitError::Unavailable(Unavailable::NoSpace { .. })))
}

#[tokio::test]
async fn a_full_disk_stops_acknowledging_and_is_over_when_there_is_space() {
    let scenario = FailScenario::setup();
    for point in ["journal-write-full", "journal-segment-write", "store-free-mib"] {
        let folder = TempDir::new().unwrap();
        let store = open(folder.path()).await;
        for _ in 0..5 {
            write(&store, "before").await.unwrap();
        }
        fail::cfg(point, "return(1)").unwrap();
        let id =
            store.intern(vec![CatalogueItem { digest: [1; 16], value: b"item".to_vec() }]).await.unwrap();
        // A segment takes a few entries, so within as many tries a new one is wanted.
        let mut refused = 0;
        for _ in 0..4 {
            let result = write(&store, "while full").await;
            assert!(result.is_ok() || is_full(&result), "{point}: {result:?}");
            refused += u32::from(is_full(&result));
        }
        assert!(refused > 0, "{point} did nothing");
        assert!(get(&store, "a").await.is_some(), "{point}: reads go on");
        fail::remove(point);
        write(&store, "after").await.unwrap();
        let all = store.position().await.number();
        assert_eq!(all, 10 - u64::from(refused), "{point}: what was refused isn't there");
        store.close().await.unwrap();
        let store = open(folder.path()).await;
        assert_eq!(store.position().await.number(), all);
        assert_eq!(get(&store, "a").await.unwrap().0, "after");
        assert_eq!(store.catalogue(&id).await.unwrap(), [Some(b"item".to_vec())], "{point}");
        assert_eq!(store.verify().await.unwrap(), all);
        store.close().await.unwrap();
    }
    scenario.teardown();
}

#[tokio::test]
async fn after_a_failed_sync_nothing_is_acknowledged_until_it_is_opened_again() {
    let scenario = FailScenario::setup();
    let points = [
        "journal-write",
        "journal-sync",
        "journal-segment-sync",
        "journal-segment-rename",
        "journal-folder-sync",
        "view-apply",
    ];
    for point in points {
        let folder = TempDir::new().unwrap();
        let store = open(folder.path()).await;
        write(&store, "before").await.unwrap();
        fail::cfg(point, "return").unwrap();
        let mut acknowledged = 1;
        let failed = loop {
            match write(&store, "while broken").await {
                Ok(()) => acknowledged += 1,
                Err(error) => break error,
            }
            assert!(acknowledged < 20, "{point} did nothing");
        };
        let disk_failed = Unavailable::DiskFailed;
        assert_eq!(failed, CommitError::Unavailable(disk_failed.clone()), "{point}");
        fail::remove(point);
        let again = write(&store, "after").await;
        assert_eq!(again, Err(CommitError::Unavailable(disk_failed.clone())), "{point}: it stays so");
        assert_eq!(store.health(), Err(disk_failed), "{point}");
        assert!(get(&store, "a").await.is_some(), "{point}: reads go on");
        // The last checkpoint of a view that failed can't be relied on either.
        store.close().await.unwrap();
        let store = open(folder.path()).await;
        let found = store.position().await.number();
        assert!(found == acknowledged || found == acknowledged + 1, "{point}: {found} of {acknowledged}");
        assert_eq!(store.verify().await.unwrap(), found);
        write(&store, "recovered").await.unwrap();
        store.close().await.unwrap();
    }
    scenario.teardown();
}

#[tokio::test]
async fn a_slow_sync_is_shared_by_all_who_wait_meanwhile() {
    let scenario = FailScenario::setup();
    let folder = TempDir::new().unwrap();
    let store = Arc::new(open(folder.path()).await);
    fail::cfg("journal-sync", "sleep(100)").unwrap();
    let started = Instant::now();
    let waiting: Vec<_> = (0..200)
        .map(|n| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { store.commit(vec![commit(&[], &[(&format!("{n}"), "x")])]).await })
        })
        .collect();
    // Reads don't wait for the disk.
    get(&*store, "a").await;
    assert!(started.elapsed() < Duration::from_millis(100), "a read took {:?}", started.elapsed());
    for commit in waiting {
        commit.await.unwrap()[0].as_ref().unwrap();
    }
    let took = started.elapsed();
    // One by one it would be twenty seconds.
    assert!((Duration::from_millis(100)..Duration::from_secs(5)).contains(&took), "{took:?}");
    fail::remove("journal-sync");
    store.close().await.unwrap();
    scenario.teardown();
}

#[tokio::test]
async fn a_checkpoint_that_fails_stops_acknowledging_unless_only_space_was_missing() {
    let scenario = FailScenario::setup();
    for (point, stays) in [
        ("view-flush", false),
        ("view-sync", false),
        ("store-replace-sync", false),
        ("store-replace-write", true),
    ] {
        let folder = TempDir::new().unwrap();
        let options = EmbeddedOptions {
            checkpoint_every: Duration::from_millis(5),
            ..EmbeddedOptions::new(folder.path())
        };
        let store = EmbeddedStore::open(options).await.unwrap();
        fail::cfg(point, "return").unwrap();
        let mut positions = 0;
        while store.health().is_ok() && positions < 200 {
            positions += u64::from(write(&store, "x").await.is_ok());
        }
        assert_eq!(store.health().is_ok(), stays, "{point} after {positions} commits");
        fail::remove(point);
        store.close().await.unwrap();
        let store = open(folder.path()).await;
        assert!(store.position().await.number() >= positions, "{point}");
        store.close().await.unwrap();
    }
    scenario.teardown();
}

#[tokio::test]
async fn presence_that_cannot_be_written_leaves_the_old() {
    let scenario = FailScenario::setup();
    for point in ["store-replace-write", "store-replace-sync", "store-replace-rename", "store-folder-sync"] {
        let folder = TempDir::new().unwrap();
        let store = open(folder.path()).await;
        let presence = |value: &str| vec![Presence { key: key("a"), value: Some(value.as_bytes().to_vec()) }];
        store.put_presence(presence("old")).await.unwrap();
        fail::cfg(point, "return").unwrap();
        assert!(store.put_presence(presence("new")).await.is_err(), "{point}");
        fail::remove(point);
        store.close().await.unwrap();
        let store = open(folder.path()).await;
        let kept = store.presence().await.unwrap().remove(0).1;
        assert!(kept == b"old" || kept == b"new", "{point}");
        write(&store, "x").await.unwrap();
        store.close().await.unwrap();
    }
    scenario.teardown();
}

/// A file system of four MiB; unmounted when dropped.
struct SmallDisk(TempDir);

impl SmallDisk {
    fn new() -> Option<Self> {
        let folder = TempDir::new().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=4m", "tmpfs"])
            .arg(folder.path())
            .stderr(Stdio::null())
            .status();
        mounted.is_ok_and(|status| status.success()).then_some(Self(folder))
    }

    /// Leaves so many bytes free.
    fn fill_but(&self, bytes: u64) {
        let status = rustix::fs::statvfs(self.0.path()).unwrap();
        let free = status.f_bavail * status.f_frsize;
        std::fs::write(self.0.path().join("filler"), vec![1; (free - bytes) as usize]).unwrap();
    }

    fn empty(&self) {
        std::fs::remove_file(self.0.path().join("filler")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[tokio::test]
async fn a_disk_that_is_really_full_refuses_and_recovers() {
    let Some(disk) = SmallDisk::new() else {
        println!("skipped: mounting a small file system needs root");
        return;
    };
    for (low_water_mib, left) in [(1, 900 << 10), (0, 100 << 10)] {
        let options = EmbeddedOptions { low_water_mib, ..EmbeddedOptions::new(disk.0.path().join("store")) };
        let store = EmbeddedStore::open(options.clone()).await.unwrap();
        write(&store, "before").await.unwrap();
        let large = "x".repeat(300 << 10);
        disk.fill_but(left);
        for _ in 0..3 {
            let refused = write(&store, &large).await;
            assert!(is_full(&refused), "{refused:?}");
        }
        assert_eq!(get(&store, "a").await.unwrap().0, "before");
        disk.empty();
        write(&store, &large).await.unwrap();
        store.close().await.unwrap();
        let store = EmbeddedStore::open(options).await.unwrap();
        assert_eq!(get(&store, "a").await.unwrap().0, large);
        store.close().await.unwrap();
    }
}
