//! Titles: a name, a maintainer, a source and the versions of each, all from the title's number.

use muster_common::inventory::Package;

use super::{
    distribution::Distribution,
    draw::{mix, weighted},
};

const CONSONANTS: &[u8; 16] = b"bcdfghklmnprstvz";
const VOWELS: &[u8; 5] = b"aeiou";
const SYLLABLES: u64 = 80;
/// Names of three syllables that there are.
const NAMES: u64 = SYLLABLES * SYLLABLES * SYLLABLES;

/// How a name is dressed; `_` stands for it.
const DRESSES: [(u64, &str); 12] = [
    (30, "lib_"),
    (22, "_"),
    (10, "lib_-dev"),
    (8, "_-common"),
    (8, "python3-_"),
    (6, "lib_-perl"),
    (4, "_-data"),
    (3, "golang-_-dev"),
    (3, "fonts-_"),
    (2, "gir1.2-_-1.0"),
    (2, "_-utils"),
    (2, "linux-_-modules"),
];

const TEAMS: [&str; 10] = [
    "Python Team",
    "Perl Group",
    "GNOME Maintainers",
    "Qt/KDE Maintainers",
    "GNU Libc Maintainers",
    "Multimedia Maintainers",
    "Science Maintainers",
    "Go Packaging Team",
    "Security Tools",
    "QA Group",
];

const ARCHITECTURES: [(u64, &str); 2] = [(72, "amd64"), (28, "all")];

/// Three syllables that no other title has.
fn root(title: u32) -> String {
    // The factor shares none with the number of names, so that neighbours look unlike.
    let mut number = (u64::from(title) * 317_811) % NAMES;
    let mut name = String::with_capacity(8);
    for _ in 0..3 {
        let syllable = (number % SYLLABLES) as usize;
        name.push(char::from(CONSONANTS[syllable / VOWELS.len()]));
        name.push(char::from(VOWELS[syllable % VOWELS.len()]));
        number /= SYLLABLES;
    }
    name
}

/// How often a distribution has updated a title so far.
pub(super) fn level(seed: u64, distribution: Distribution, title: u32) -> u32 {
    (mix(seed, u64::from(title), 0x1e0 + u64::from(distribution.number())) % 4) as u32
}

/// What the package manager says of a title.
pub(super) fn package(seed: u64, distribution: Distribution, title: u32, level: u32) -> Package {
    let chance = |use_of: u64| mix(seed, u64::from(title), use_of);
    let root = root(title);
    let name = weighted(&DRESSES, chance(1)).replace('_', &root);
    // Each distribution took another upstream version.
    let age = u64::from(distribution.number());
    let upstream = format!("{}.{}.{}", chance(2) % 9, chance(3) % 30 + age, chance(4) % 12);
    let version = distribution.version(&upstream, chance(5) % 9 + 1, level);
    let is_part = chance(6) % 100 < 55;
    let release = distribution.os_release();
    let team = TEAMS[(chance(7) % 10) as usize];
    let vendor = format!("{} {team} <{}@lists.{}.example>", release.name, root_of(team), release.id);
    Package {
        purl_type: "deb".to_owned(),
        namespace: release.id.to_owned(),
        source_name: (is_part && name != root).then(|| root.clone()),
        source_version: None,
        architecture: (*weighted(&ARCHITECTURES, chance(8))).to_owned(),
        vendor: Some(vendor),
        size_bytes: Some((chance(9) % 8_000 + 12) * 1024),
        display_name: None,
        name,
        version,
    }
}

/// The part of an address that stands for a team.
fn root_of(team: &str) -> String {
    team.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}
