//! The journal against cuts, flipped bits, missing files and a full disk.

use std::{fs, path::PathBuf};

use tempfile::TempDir;

use super::{entry::Effect, *};

fn entry(n: u64, size: usize) -> Entry {
    Entry {
        payload_version: entry::PAYLOAD_VERSION,
        kind: "test".into(),
        effects: vec![Effect {
            key: n.to_be_bytes().to_vec(),
            revision: n,
            value: Some(vec![n as u8; size]),
        }],
        ..Entry::default()
    }
}

/// A journal of `groups` appends of `group` entries each, and every entry that it holds.
fn written(folder: &Path, segment_bytes: u64, groups: u64, group: u64) -> Vec<(u64, Entry)> {
    let mut journal = Journal::open(folder, segment_bytes, 0).unwrap();
    let mut all = Vec::new();
    for _ in 0..groups {
        let from = journal.last() + 1;
        let entries: Vec<_> = (from..from + group).map(|n| entry(n, 20 + n as usize % 7)).collect();
        journal.append(&entries).unwrap();
        all.extend((from..).zip(entries));
    }
    all
}

fn read_all(journal: &Journal) -> Vec<(u64, Entry)> {
    journal.reader().read(0, journal.last(), usize::MAX).unwrap()
}

fn newest_segment(folder: &Path) -> PathBuf {
    segment::path(folder, *segment::list(folder).unwrap().last().unwrap())
}

#[test]
fn what_was_appended_is_there_after_opening_again_over_many_segments() {
    let folder = TempDir::new().unwrap();
    let all = written(folder.path(), 2000, 40, 3);
    assert!(segment::list(folder.path()).unwrap().len() > 3);
    let mut journal = Journal::open(folder.path(), 2000, 120).unwrap();
    assert_eq!(journal.last(), 120);
    assert!(read_all(&journal) == all);
    journal.append(&[entry(121, 5)]).unwrap();
    assert_eq!(journal.reader().verify(121).unwrap(), 121);
    for after in [0, 1, 59, 60, 61, 119, 120] {
        let page = journal.reader().read(after, 121, 4).unwrap();
        let sequences: Vec<_> = page.iter().map(|(sequence, _)| *sequence).collect();
        assert_eq!(sequences, (after + 1..=121).take(4).collect::<Vec<_>>(), "after {after}");
    }
}

#[test]
fn a_cut_anywhere_in_the_last_three_frames_loses_only_what_follows_it() {
    let folder = TempDir::new().unwrap();
    let all = written(folder.path(), SEGMENT_BYTES, 4, 3);
    let path = newest_segment(folder.path());
    let whole = fs::read(&path).unwrap();
    let ends = frame_ends(&whole);
    for cut in ends[8] as usize..=whole.len() {
        fs::write(&path, &whole[..cut]).unwrap();
        let mut journal = Journal::open(folder.path(), SEGMENT_BYTES, 0).unwrap();
        let kept = ends.iter().filter(|end| **end as usize <= cut).count();
        assert_eq!(journal.last(), kept as u64, "cut at {cut}");
        assert!(read_all(&journal) == all[..kept], "cut at {cut}");
        // It goes on from there, and the next start agrees.
        journal.append(&[entry(99, 3)]).unwrap();
        drop(journal);
        let journal = Journal::open(folder.path(), SEGMENT_BYTES, kept as u64 + 1).unwrap();
        assert_eq!(journal.reader().verify(journal.last()).unwrap(), kept as u64 + 1);
    }
}

fn frame_ends(segment_bytes: &[u8]) -> Vec<u64> {
    let salt: Salt = segment_bytes[8..24].try_into().unwrap();
    let mut offset = segment::HEADER_BYTES;
    let mut ends = Vec::new();
    while let Ok((header, _)) = frame::parse(&segment_bytes[offset..], &salt) {
        offset += frame::HEADER_BYTES + header.length;
        ends.push(offset as u64);
    }
    ends
}

#[test]
fn a_flipped_bit_anywhere_is_noticed_and_nothing_acknowledged_goes_unsaid() {
    let folder = TempDir::new().unwrap();
    let all = written(folder.path(), SEGMENT_BYTES, 4, 3);
    let path = newest_segment(folder.path());
    let whole = fs::read(&path).unwrap();
    // One bit of each byte, another one each time; `frame` and `segment` try them all.
    for bit in (0..whole.len()).map(|byte| byte * 8 + byte * 5 % 8) {
        let mut flipped = whole.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        fs::write(&path, &flipped).unwrap();
        // With the checkpoint's word for all twelve entries, every flip is damage and the file stays as it is.
        let opened = Journal::open(folder.path(), SEGMENT_BYTES, 12);
        assert!(matches!(opened, Err(StoreError::Damaged { .. })), "bit {bit}: {opened:?}");
        assert!(fs::read(&path).unwrap() == flipped, "bit {bit}: the file was changed");
        // Without it, a flip before the last group is damage, and one in the last group may be a torn tail.
        match Journal::open(folder.path(), SEGMENT_BYTES, 0) {
            Err(StoreError::Damaged { .. }) => {}
            Err(other) => panic!("bit {bit}: {other:?}"),
            Ok(journal) => {
                assert!((9..12).contains(&journal.last()), "bit {bit}: {} entries", journal.last());
                assert!(read_all(&journal) == all[..journal.last() as usize], "bit {bit}");
            }
        }
    }
}

#[test]
fn a_hole_in_an_unacknowledged_group_is_a_torn_tail_although_whole_frames_follow() {
    let folder = TempDir::new().unwrap();
    written(folder.path(), SEGMENT_BYTES, 4, 3);
    let path = newest_segment(folder.path());
    let mut bytes = fs::read(&path).unwrap();
    let ends = frame_ends(&bytes);
    // The first frame of the last group never reached the disk, the two behind it did.
    bytes[ends[8] as usize..ends[9] as usize].fill(0);
    fs::write(&path, &bytes).unwrap();
    assert_eq!(Journal::open(folder.path(), SEGMENT_BYTES, 9).unwrap().last(), 9);
}

#[test]
fn a_value_that_looks_like_a_frame_does_not_turn_a_torn_tail_into_damage() {
    let folder = TempDir::new().unwrap();
    let mut journal = Journal::open(folder.path(), SEGMENT_BYTES, 0).unwrap();
    let mut fake = Vec::new();
    frame::begin(&mut fake);
    frame::finish(&mut fake, 0, &[0; 16], 3, 2, &[0; 32]);
    let mut hostile = entry(1, 0);
    hostile.effects[0].value = Some(fake);
    journal.append(&[entry(1, 5)]).unwrap();
    journal.append(&[hostile]).unwrap();
    drop(journal);
    let path = newest_segment(folder.path());
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
    assert_eq!(Journal::open(folder.path(), SEGMENT_BYTES, 0).unwrap().last(), 1);
}

#[test]
fn a_missing_segment_is_noticed() {
    let folder = TempDir::new().unwrap();
    written(folder.path(), 2000, 40, 3);
    let firsts = segment::list(folder.path()).unwrap();
    // The newest can be missed only by somebody who knows what was acknowledged, and the checkpoint does.
    for (place, first) in firsts.iter().enumerate().skip(1) {
        let path = segment::path(folder.path(), *first);
        let bytes = fs::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        let opened = Journal::open(folder.path(), 2000, 120);
        assert!(matches!(opened, Err(StoreError::Damaged { .. })), "segment {place}: {opened:?}");
        fs::write(&path, bytes).unwrap();
    }
    assert_eq!(Journal::open(folder.path(), 2000, 120).unwrap().last(), 120);
    let empty = TempDir::new().unwrap();
    assert!(matches!(Journal::open(empty.path(), 2000, 1), Err(StoreError::Damaged { .. })));
}

#[test]
fn damage_in_an_older_segment_is_noticed_when_it_is_read() {
    let folder = TempDir::new().unwrap();
    written(folder.path(), 2000, 40, 3);
    let firsts = segment::list(folder.path()).unwrap();
    let path = segment::path(folder.path(), firsts[1]);
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&path, bytes).unwrap();
    let journal = Journal::open(folder.path(), 2000, 120).unwrap();
    assert!(matches!(journal.reader().verify(120), Err(StoreError::Damaged { .. })));
    assert_eq!(journal.reader().read(firsts[2], 120, 500).unwrap().len() as u64, 120 - firsts[2]);
}

#[test]
fn an_unfinished_start_of_a_segment_is_removed() {
    let folder = TempDir::new().unwrap();
    written(folder.path(), SEGMENT_BYTES, 1, 1);
    fs::write(folder.path().join("00000000000000000002.new"), b"half a hea").unwrap();
    assert_eq!(Journal::open(folder.path(), SEGMENT_BYTES, 1).unwrap().last(), 1);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}
