//! Databases of all formats as they should be, cut off anywhere, and with bytes changed at random.
//!
//! Made here rather than recorded, so that every page size and byte order is there.

use std::cell::Cell;

use muster_common::inventory::{ErrorKind, SourceError};

use super::{
    Format,
    header::Header,
    packages,
    record::{Fault, Storage},
    testing::{Builder, bdb, header, ndb, samples, sqlite},
};
use crate::sources::part::Problems;

/// A file that counts how much is read from it.
struct Counting<'a> {
    bytes: &'a [u8],
    reads: Cell<u64>,
}

impl Storage for Counting<'_> {
    fn length(&self) -> u64 {
        self.bytes.length()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), Fault> {
        self.reads.set(self.reads.get() + 1);
        self.bytes.read_at(offset, buffer)
    }
}

struct Outcome {
    packages: Vec<Header>,
    problems: Vec<SourceError>,
    reads: u64,
}

fn read(format: Format, bytes: &[u8]) -> Outcome {
    let file = Counting { bytes, reads: Cell::new(0) };
    let mut problems = Problems::default();
    let packages = packages(format, "db", &file, None, &mut problems);
    Outcome { packages, problems: problems.into_entries(), reads: file.reads.get() }
}

const COUNT: usize = 60;

fn headers() -> Vec<Vec<u8>> {
    samples(COUNT).iter().map(header).collect()
}

/// Databases with the same packages in every format, page size and byte order.
fn databases() -> Vec<(String, Format, Vec<u8>)> {
    let headers = headers();
    let mut databases = vec![("ndb".to_owned(), Format::Ndb, ndb(&headers))];
    for page_bytes in [512, 1024, 4096, 8192, 65_536] {
        for reserved in [0, 32] {
            let bytes = sqlite(&headers, page_bytes, reserved);
            databases.push((format!("sqlite {page_bytes} {reserved}"), Format::Sqlite, bytes));
        }
        for big_endian in [false, true] {
            let bytes = bdb(&headers, page_bytes, big_endian);
            databases.push((format!("bdb {page_bytes} {big_endian}"), Format::BerkeleyDb, bytes));
        }
    }
    databases
}

#[test]
fn every_format_page_size_and_byte_order_tells_the_same() {
    for (name, format, bytes) in databases() {
        let Outcome { mut packages, problems, .. } = read(format, &bytes);
        assert_eq!(problems, [], "{name}");
        packages.sort_by(|left, right| left.name.cmp(&right.name));
        assert_eq!(packages.len(), COUNT, "{name}");
        for (sample, package) in samples(COUNT).iter().zip(packages) {
            let expected = Header {
                name: sample.name.clone(),
                epoch: sample.epoch.map(u64::from),
                version: "1.2".to_owned(),
                release: "3.fc40".to_owned(),
                architecture: Some("x86_64".to_owned()),
                vendor: Some("Muster Works".to_owned()),
                source_file: Some(format!("{}-1.2-3.fc40.src.rpm", sample.name)),
                installed: Some(1_700_000_000),
                size_bytes: Some(4096),
            };
            assert_eq!(package, expected, "{name}");
        }
    }
}

/// Far more reads than a sound database of this size needs, far fewer than one that is read in a circle.
fn check_bounded(name: &str, bytes: &[u8], outcome: &Outcome) {
    let bound = 1000 + 4 * u64::try_from(bytes.len() / 512 + 30 * COUNT).unwrap();
    assert!(outcome.reads <= bound, "{name}: {} reads, {bound} at most", outcome.reads);
    assert!(outcome.problems.len() <= 64, "{name}");
}

#[test]
fn a_cut_database_is_read_as_far_as_it_goes() {
    for (name, format, bytes) in databases() {
        let mut kept = 0;
        for length in (0..bytes.len()).step_by(bytes.len() / 200) {
            let outcome = read(format, &bytes[..length]);
            check_bounded(&name, &bytes, &outcome);
            assert!(!outcome.problems.is_empty() || outcome.packages.len() == COUNT, "{name} {length}");
            kept = kept.max(outcome.packages.len());
        }
        // The trees of these SQLite databases have their roots at the end.
        assert!(kept > COUNT / 2 || format == Format::Sqlite, "{name}: {kept} packages of the longest part");
    }
}

#[test]
fn changed_bytes_lose_only_what_they_touch() {
    const ROUNDS: u32 = 200;
    let mut seed = 5_u64;
    let mut random = |bound: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(seed >> 33).unwrap() % bound
    };
    for (name, format, bytes) in databases() {
        let mut bytes = bytes;
        let mut kept = 0;
        for round in 0..ROUNDS {
            // Every fourth round spoils the first pages, where all structure is.
            let reach = if round % 4 == 0 { bytes.len().min(4096) } else { bytes.len() };
            let changes: Vec<(usize, u8)> =
                (0..1 + random(8)).map(|_| (random(reach), u8::try_from(random(256)).unwrap())).collect();
            let before: Vec<u8> = changes.iter().map(|(at, _)| bytes[*at]).collect();
            changes.iter().for_each(|(at, value)| bytes[*at] = *value);
            let outcome = read(format, &bytes);
            check_bounded(&name, &bytes, &outcome);
            assert!(outcome.packages.len() <= 2 * COUNT, "{name} round {round}");
            kept += outcome.packages.len();
            changes.iter().zip(before).rev().for_each(|((at, _), value)| bytes[*at] = value);
        }
        let mean = kept / usize::try_from(ROUNDS).unwrap();
        assert!(mean > COUNT * 3 / 4, "{name}: {mean} of {COUNT} packages on average");
    }
}

#[test]
fn a_spoilt_package_is_named_and_the_others_are_listed() {
    let mut headers = headers();
    headers[7].truncate(100);
    // The type of the name's tag, which is the second.
    headers[9][8 + 16 + 4] = 0xff;
    let mut key = Builder::default();
    ["gpg-pubkey", "1", "2"].into_iter().zip(1000..).for_each(|(text, tag)| key.text(tag, text));
    headers[11] = key.bytes();
    let bytes = [
        (Format::Ndb, ndb(&headers), ["package 8", "package 10"]),
        (Format::Sqlite, sqlite(&headers, 4096, 0), ["package 8", "package 10"]),
    ];
    for (format, bytes, places) in bytes {
        let outcome = read(format, &bytes);
        assert_eq!(outcome.packages.len(), COUNT - 3);
        let subjects: Vec<_> = outcome.problems.iter().map(|problem| problem.subject.as_str()).collect();
        assert_eq!(subjects, places.map(|place| format!("db {place}")));
    }
}

#[test]
fn what_is_no_database_is_said_once() {
    for format in [Format::Sqlite, Format::Ndb, Format::BerkeleyDb] {
        for bytes in [&b""[..], b"x", &[0; 5000], &[0xff; 5000]] {
            let outcome = read(format, bytes);
            assert_eq!(outcome.packages, []);
            assert_eq!(outcome.problems.len(), 1, "{format:?}");
            assert_eq!(outcome.problems[0].kind, ErrorKind::Malformed);
        }
    }
}
