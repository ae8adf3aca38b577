//! The log under the hands of somebody who can write to the data folder: the journal is written anew as they please, with
//! right checksums and chain, the view is made from it, and the log is checked as `muster audit verify` does.

use std::path::Path;

use muster_common::{
    audit::{Linked, SignedHead, Walk},
    time::ManualClock,
};
use muster_proto::convert::audit_entry_from_wire;

use super::*;
use crate::store::{
    Key, Write,
    embedded::{EmbeddedOptions, EmbeddedStore},
    journal::{Journal, SEGMENT_BYTES, entry::Entry},
};

/// A log over the store in a folder; the key lies beside it.
async fn open(folder: &Path) -> AuditLog {
    let store = EmbeddedStore::open(EmbeddedOptions::new(folder.join("store"))).await.unwrap();
    let clock = Arc::new(ManualClock::at("2026-11-01".parse().unwrap()));
    AuditLog::new(Arc::new(store), signer(folder), clock)
}

fn signer(folder: &Path) -> Signer {
    let keys = folder.join("keys");
    muster_proto::private_file::make_folder(&keys).unwrap();
    Signer::open(&keys, "muster.example.org".parse().unwrap()).unwrap()
}

fn commits() -> Vec<Commit> {
    (1..=12_u8)
        .map(|n| Commit {
            kind: "test".into(),
            time: Timestamp::from_millis(1_700_000_000_000 + i64::from(n)),
            actor: if n.is_multiple_of(3) { "agent:1".into() } else { format!("operator/{n}") },
            expected: Vec::new(),
            writes: vec![Write { key: Key::new(vec![b'd', b'/', n % 5]).unwrap(), value: Some(vec![n; 9]) }],
            audit: None,
        })
        .collect()
}

/// Fills a store with these commits, and returns a head after each.
async fn filled(folder: &Path, commits: Vec<Commit>) -> Vec<SignedHead> {
    let log = open(folder).await;
    let mut heads = Vec::new();
    for commit in commits {
        log.store.commit(vec![commit]).await[0].as_ref().unwrap();
        let last = log.last().await.unwrap();
        heads.extend(last.map(|last| log.signed(&last)));
    }
    log.store.close().await.unwrap();
    heads
}

/// What checking the whole log finds, as the command line does it.
async fn findings(log: &AuditLog, heads: &[SignedHead]) -> Vec<String> {
    let mut found = Vec::new();
    let mut walk = Walk::begin();
    let mut entries: Vec<Linked> = Vec::new();
    loop {
        let after = entries.last().map_or(0, |linked| linked.entry.number);
        let page = log.walk(after).await.unwrap();
        found.extend(page.problems);
        if page.entries.is_empty() {
            break;
        }
        for entry in page.entries {
            let linked = audit_entry_from_wire(entry).unwrap();
            if let Err(broken) = walk.step(&linked) {
                found.push(broken.to_string());
                walk = Walk::behind(linked.entry.number, linked.entry.position, linked.hash);
            }
            entries.push(linked);
        }
    }
    for head in heads {
        head.verify().unwrap();
        let entry = entries.iter().find(|linked| linked.entry.number == head.head.number);
        match entry {
            Some(linked) if linked.hash == head.head.hash => {}
            Some(_) => found.push(format!("made anew: entry {}", head.head.number)),
            None => found.push(format!("cut off: entry {}", head.head.number)),
        }
    }
    found
}

/// The journal of one folder, changed, as the journal of another.
fn forge(from: &Path, to: &Path, change: impl Fn(&mut Vec<Entry>)) {
    let journal = Journal::open(&from.join("store/journal"), SEGMENT_BYTES, 0).unwrap();
    let read = journal.reader().read(0, journal.last(), usize::MAX).unwrap();
    let mut entries: Vec<Entry> = read.into_iter().map(|(_, entry)| entry).collect();
    change(&mut entries);
    crate::store::files::make_folder(&to.join("store")).unwrap();
    Journal::open(&to.join("store/journal"), SEGMENT_BYTES, 0).unwrap().append(&entries).unwrap();
}

/// The journal's entries that have a record of the log.
fn logged(entries: &[Entry]) -> Vec<usize> {
    (0..entries.len()).filter(|place| entries[*place].logged.is_some()).collect()
}

/// Changes the record of the log at a place.
fn change(entries: &mut [Entry], place: usize, change: impl Fn(Linked) -> Linked) {
    let effect = entries[logged(entries)[place]].logged.as_mut().unwrap();
    let linked = change(audit::read(effect.value.as_ref().unwrap()).unwrap());
    effect.key = audit::key(linked.entry.number).as_bytes().to_vec();
    effect.value = Some(audit::write(linked));
}

fn by_mallory(linked: Linked) -> Linked {
    let Linked { mut entry, previous, hash } = linked;
    entry.actor = "operator/mallory".into();
    Linked { entry, previous, hash }
}

type Forgery = (&'static str, &'static str, fn(&mut Vec<Entry>));

const FORGERIES: &[Forgery] = &[
    ("an entry changed", "it was changed", |it| change(it, 3, by_mallory)),
    ("an entry changed and hashed anew", "does not follow", |it| {
        change(it, 3, |linked| {
            let Linked { entry, previous, .. } = by_mallory(linked);
            entry.after(previous)
        });
    }),
    ("an entry removed", "removed, inserted or moved", |it| {
        let place = logged(it)[3];
        it[place].logged = None;
    }),
    ("an entry removed, the others renumbered", "it was changed", |it| {
        let places = logged(it);
        for place in 4..places.len() {
            change(it, place, |linked| {
                let Linked { mut entry, previous, hash } = linked;
                entry.number -= 1;
                Linked { entry, previous, hash }
            });
        }
        it[places[3]].logged = None;
    }),
    ("an entry inserted, the others renumbered", "it was changed", |it| {
        let inserted = it[logged(it)[2]].clone();
        for place in 3..logged(it).len() {
            change(it, place, |linked| {
                let Linked { mut entry, previous, hash } = linked;
                entry.number += 1;
                Linked { entry, previous, hash }
            });
        }
        it.push(inserted);
        let last = logged(it).len() - 1;
        change(it, last, |linked| {
            let Linked { mut entry, hash, .. } = linked;
            entry.number += 1;
            entry.after(hash)
        });
    }),
    ("two entries swapped", "removed, inserted or moved", |it| {
        let places = logged(it);
        let (one, other) = (it[places[3]].logged.clone(), it[places[4]].logged.clone());
        let key =
            |effect: &Option<crate::store::journal::entry::Effect>| effect.as_ref().unwrap().key.clone();
        let (key_one, key_other) = (key(&one), key(&other));
        it[places[3]].logged = other;
        it[places[4]].logged = one;
        // Each under the other's key, or the view would put them in order again.
        it[places[3]].logged.as_mut().unwrap().key = key_one;
        it[places[4]].logged.as_mut().unwrap().key = key_other;
    }),
    ("what a person wrote changed", "is not the one that entry", |it| {
        it[3].effects[0].value = Some(b"another value".to_vec());
    }),
    ("what a machine wrote changed", "is not the one that entry", |it| {
        it[2].effects[0].value = Some(b"another value".to_vec());
    }),
    ("who made a change changed", "is not the one that entry", |it| it[2].actor = "agent:2".into()),
    ("when it was made changed", "is not the one that entry", |it| it[3].time_ms += 1),
    ("a change removed, with its entry", "removed, inserted or moved", |it| drop(it.remove(3))),
    ("a machine's change removed", "is not the one that entry", |it| drop(it.remove(2))),
    ("two changes swapped", "is not the one that entry", |it| {
        let (one, other) = (it[3].effects.clone(), it[4].effects.clone());
        it[3].effects = other;
        it[4].effects = one;
    }),
];

#[tokio::test]
async fn whatever_is_done_to_the_store_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let heads = filled(folder.path(), commits()).await;
    let log = open(folder.path()).await;
    assert_eq!(findings(&log, &heads).await, [""; 0]);
    log.store.close().await.unwrap();

    let untouched = tempfile::tempdir().unwrap();
    forge(folder.path(), untouched.path(), |_| {});
    assert_eq!(
        findings(&open(untouched.path()).await, &heads).await,
        [""; 0],
        "forging itself shows nothing"
    );

    for (forgery, expected, change) in FORGERIES {
        let forged = tempfile::tempdir().unwrap();
        forge(folder.path(), forged.path(), change);
        // Without heads: the chain and the changes beside it are enough.
        let found = findings(&open(forged.path()).await, &[]).await;
        assert!(found.iter().any(|finding| finding.contains(expected)), "{forgery}: {found:?}");
        println!("{forgery}: {}", found[0]);
    }
    println!("{} forgeries of the store, each found", FORGERIES.len());
}

#[tokio::test]
async fn a_log_cut_off_or_made_anew_is_whole_in_itself_and_found_by_the_heads_alone() {
    let folder = tempfile::tempdir().unwrap();
    let heads = filled(folder.path(), commits()).await;

    let cut = tempfile::tempdir().unwrap();
    forge(folder.path(), cut.path(), |it| it.truncate(7));
    let log = open(cut.path()).await;
    assert_eq!(findings(&log, &[]).await, [""; 0], "nothing in the log says that it was longer");
    let found = findings(&log, &heads).await;
    assert!(found.iter().any(|finding| finding.starts_with("cut off")), "{found:?}");
    // It goes on as if nothing were: then its entries are others.
    for n in 0..9 {
        log.note(&format!("operator/{n}"), "later", "", "").await.unwrap();
    }
    assert_eq!(findings(&log, &[]).await, [""; 0]);
    let found = findings(&log, &heads).await;
    assert!(found.iter().any(|finding| finding.starts_with("made anew")), "{found:?}");

    // An insider with the collector's own program, who plays everything again with one change.
    let anew = tempfile::tempdir().unwrap();
    let mut others = commits();
    others[3].actor = "operator/mallory".into();
    filled(anew.path(), others).await;
    let log = open(anew.path()).await;
    assert_eq!(findings(&log, &[]).await, [""; 0]);
    let found = findings(&log, &heads).await;
    assert!(found.iter().all(|finding| finding.starts_with("made anew")) && found.len() > 5, "{found:?}");
    println!("cut off: found; cut off and gone on: found; made anew: found ({} heads disagree)", found.len());
}

#[tokio::test]
async fn heads_go_to_the_file_and_the_next_start_holds_the_log_against_them() {
    use super::heads::{Found, Heads, HeadsSettings};

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("heads");
    let socket = std::os::unix::net::UnixDatagram::bind(folder.path().join("log")).unwrap();
    let settings = HeadsSettings {
        file: Some(file.clone()),
        syslog: Some(syslog::Target::Socket(folder.path().join("log"))),
        syslog_roots: None,
        every: std::time::Duration::from_secs(60),
    };
    let log = Arc::new(open(folder.path()).await);
    let heads = Heads::open(log.clone(), settings.clone()).unwrap();
    assert_eq!(heads.check().await.unwrap(), Found::Nothing);
    assert!(!heads.send().await.unwrap(), "there is nothing to sign");
    for commit in commits() {
        log.store.commit(vec![commit]).await[0].as_ref().unwrap();
    }
    assert!(heads.send().await.unwrap());
    assert!(!heads.send().await.unwrap(), "nothing was changed since");
    log.note("operator/1", "one more", "", "").await.unwrap();
    assert!(heads.send().await.unwrap());
    let lines = std::fs::read_to_string(&file).unwrap();
    let sent: Vec<SignedHead> = lines.lines().filter_map(SignedHead::parse).collect();
    assert_eq!(sent.len(), 2);
    let mut datagram = [0; 2048];
    for head in &sent {
        head.verify().unwrap();
        let count = socket.recv(&mut datagram).unwrap();
        assert_eq!(SignedHead::parse(&String::from_utf8_lossy(&datagram[..count])).as_ref(), Some(head));
    }
    assert_eq!(findings(&log, &sent).await, [""; 0]);
    assert_eq!(heads.check().await.unwrap(), Found::Agrees);
    log.store.close().await.unwrap();

    // The same file beside a log that lost its end, and beside one that was made anew.
    let cut = tempfile::tempdir().unwrap();
    forge(folder.path(), cut.path(), |it| it.truncate(5));
    let anew = tempfile::tempdir().unwrap();
    forge(folder.path(), anew.path(), |it| {
        let last = logged(it).len() - 1;
        change(it, last, |linked| {
            let Linked { entry, previous, .. } = by_mallory(linked);
            entry.after(previous)
        });
    });
    for (forged, expected) in [(cut, "cut off"), (anew, "made anew")] {
        let store = EmbeddedStore::open(EmbeddedOptions::new(forged.path().join("store"))).await.unwrap();
        let clock = Arc::new(ManualClock::at("2026-11-01".parse().unwrap()));
        let log = Arc::new(AuditLog::new(Arc::new(store), signer(folder.path()), clock));
        let found = Heads::open(log, settings.clone()).unwrap().check().await.unwrap();
        assert!(matches!(&found, Found::Contradicts(what) if what.contains(expected)), "{found:?}");
    }
    assert!(Heads::open(log, HeadsSettings { file: Some("/nowhere/heads".into()), ..settings }).is_err());
}
