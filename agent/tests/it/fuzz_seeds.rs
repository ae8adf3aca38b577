//! A small sample of `cargo xtask prove fuzz` for the gate: the seeds of every target, mutated thousands of times.

use std::{
    env, fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use muster_agent::parsers::{TARGETS, Target};

use crate::fixtures::Seeded;

/// Mutations of each seed; a longer run is a matter of the fuzzer.
const MUTATIONS: usize = 100;
/// What one input may take at most: many times what the slowest does in a debug build on a busy machine.
const PATIENCE: Duration = Duration::from_secs(5);

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz")
}

/// The seeds of a target; there is one at least.
fn seeds(name: &str) -> Vec<Vec<u8>> {
    let folder = folder().join("seeds").join(name);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(!paths.is_empty(), "{name} has no seed");
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

/// Changes, cuts, repeats or moves a few bytes, numbers at their bounds first of all.
fn mutate(bytes: &mut Vec<u8>, random: &mut Seeded) {
    for _ in 0..=random.below(4) {
        if bytes.is_empty() {
            bytes.push(0);
        }
        let at = random.below(bytes.len());
        let end = (at + 1 + random.below(64)).min(bytes.len());
        match random.below(7) {
            0 => bytes[at] ^= 1 << random.below(8),
            1 => bytes[at] = [0, 1, 0x7f, 0x80, 0xff, b'"', b'\n', b'{'][random.below(8)],
            2 => bytes.truncate(at),
            3 => drop(bytes.drain(at..end)),
            4 => {
                let part = bytes[at..end].to_vec();
                let place = random.below(bytes.len());
                bytes.splice(place..place, part);
            }
            5 => {
                let value = [u32::MAX, 0x7fff_ffff, 0x8000_0000, 0, 1 << 28][random.below(5)];
                let four = (at + 4).min(bytes.len());
                bytes[at..four].copy_from_slice(&value.to_be_bytes()[..four - at]);
            }
            _ => bytes[at..end].reverse(),
        }
    }
}

#[test]
fn mutated_seeds_break_no_parser() {
    let mut random = Seeded(3);
    let mut count = 0;
    for target in TARGETS {
        for seed in seeds(target.name).into_iter().chain([Vec::new()]) {
            for round in 0..MUTATIONS {
                let mut bytes = seed.clone();
                if round > 0 {
                    mutate(&mut bytes, &mut random);
                }
                let start = Instant::now();
                target.feed(&bytes);
                assert!(start.elapsed() < PATIENCE, "{}: {bytes:?}", target.name);
                count += 1;
            }
        }
    }
    assert!(count > 5000, "only {count} inputs");
}

#[test]
fn every_seed_gets_as_far_as_an_item() {
    let found = |target: &Target| seeds(target.name).iter().map(|seed| target.feed(seed)).max();
    let idle: Vec<_> =
        TARGETS.iter().filter(|target| found(target) == Some(0)).map(|target| target.name).collect();
    assert_eq!(idle, [] as [&str; 0]);
}

#[test]
fn every_target_has_its_file_and_its_section() {
    let manifest = fs::read_to_string(folder().join("Cargo.toml")).unwrap();
    for target in TARGETS {
        let file = format!("targets/{}.rs", target.name);
        let text = fs::read_to_string(folder().join(&file)).unwrap();
        assert!(text.contains(&format!("feed(\"{}\", bytes)", target.name)), "{file} feeds another target");
        assert!(manifest.contains(&format!("path = \"{file}\"")), "fuzz/Cargo.toml lacks {file}");
    }
    let files = fs::read_dir(folder().join("targets")).unwrap().count();
    assert_eq!((files, manifest.matches("[[bin]]").count()), (TARGETS.len(), TARGETS.len()));
}
