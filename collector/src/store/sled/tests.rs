//! The view against every way in which a damaged database was seen to open: records missing, old, or cut.

use std::path::Path;

use tempfile::TempDir;

use super::*;
use crate::store::journal::entry::{Catalogued, Effect};

const STORE: [u8; 16] = [5; 16];

fn entry(key: &str, revision: u64, size: usize) -> Entry {
    let value = Some(vec![revision as u8; size]);
    let item = Catalogued { id: revision as u32, digest: vec![revision as u8; 16], value: vec![1] };
    Entry {
        payload_version: 1,
        effects: vec![Effect { key: key.as_bytes().to_vec(), revision, value }],
        catalogue: vec![item],
        ..Entry::default()
    }
}

/// A view of three records, changed by `damage` behind its back, as opening it again finds it.
fn opened_after(damage: impl FnOnce(&Db)) -> Result<Probed, String> {
    let folder = TempDir::new().unwrap();
    let probed = open_new(folder.path());
    let entries = [entry("a", 1, 10), entry("b", 2, 10_000), entry("c", 3, 10), entry("a", 4, 20)];
    probed.view.apply(1, &entries).unwrap();
    damage(&probed.view.db);
    probed.view.checkpoint().unwrap();
    drop(probed);
    open(folder.path(), STORE, 1 << 20).unwrap()
}

fn open_new(folder: &Path) -> Probed {
    open(folder, STORE, 1 << 20).unwrap().unwrap()
}

#[test]
fn a_view_that_is_as_it_was_opens() {
    let probed = opened_after(|_| {}).unwrap();
    assert_eq!(probed.view.applied(), 4);
    assert_eq!(probed.catalogue, [[1; 16], [2; 16], [3; 16], [4; 16]]);
}

#[test]
fn every_difference_from_what_was_written_is_noticed() {
    let old_a = Head::of(b"a", 1, &[1; 10]).first_piece(&[1; 10]);
    type Case<'a> = (&'a str, &'a dyn Fn(&Db));
    let cases: [Case<'_>; 9] = [
        ("has 0 records whose key begins with 'c'", &|db| drop(db.remove(b"rc").unwrap())),
        ("not the same ones", &|db| drop(db.insert(b"ra", old_a.as_slice()).unwrap())),
        ("record of key b is not", &|db| drop(db.remove(b"xb\0\x01").unwrap())),
        ("record of key b is not", &|db| drop(db.insert(b"xb\0\x01", vec![9; 4096]).unwrap())),
        ("pieces of long values", &|db| drop(db.insert(b"xz\0\x01", vec![9; 10]).unwrap())),
        ("catalogue item 2 is missing", &|db| drop(db.remove(record::catalogue_key(2)).unwrap())),
        ("other catalogue items", &|db| drop(db.remove(record::catalogue_key(4)).unwrap())),
        ("records but no state", &|db| drop(db.remove(record::STATE).unwrap())),
        ("an unknown key", &|db| drop(db.insert(b"?", b"").unwrap())),
    ];
    for (expected, damage) in cases {
        match opened_after(damage) {
            Ok(_) => panic!("{expected}: nothing was noticed"),
            Err(why) => assert!(why.contains(expected), "{expected}: {why}"),
        }
    }
}

#[test]
fn a_view_of_another_journal_is_not_used() {
    let folder = TempDir::new().unwrap();
    open_new(folder.path()).view.apply(1, &[entry("a", 1, 1)]).unwrap();
    let opened = open(folder.path(), [6; 16], 1 << 20).unwrap();
    assert_eq!(opened.map(|_| ()), Err("it was made from another journal".to_owned()));
}

#[test]
fn entries_that_are_in_already_change_nothing_and_a_gap_is_an_error() {
    let folder = TempDir::new().unwrap();
    let view = open_new(folder.path()).view;
    let entries = [entry("a", 1, 10), entry("a", 2, 9000)];
    view.apply(1, &entries).unwrap();
    let before = view.summary.read().unwrap().clone();
    view.apply(1, &entries).unwrap();
    view.apply(2, &entries[1..]).unwrap();
    assert_eq!(*view.summary.read().unwrap(), before);
    assert!(view.apply(4, &entries[..1]).is_err());
}
