//! The programs whose owners are wanted, and the best owner of each that was offered so far.
//!
//! Knows nothing of managers. A manager offers each of its files; nearly all have a name that nobody asked for, so that
//! is looked at first. An owner of a program's place counts more than one of a file of that name in a folder of
//! libraries; where two of those differ nobody can tell, and neither is taken.

use std::collections::HashMap;

use super::{Clue, NAME_BYTES, Owner, place::Places};
use crate::host::{FileKind, Host};

/// How good an offer is: the number of the place, or this for a file of the same name elsewhere.
const ELSEWHERE: usize = usize::MAX;
/// Where programs lie that are started by others: below these, and not among their documents.
const FOLDERS: [&[u8]; 4] = [b"usr/lib", b"usr/libexec/", b"opt/", b"lib"];
const DOCUMENTS: [&[u8]; 2] = [b"/share/", b"/dist-packages/"];

/// What is asked for.
pub(super) struct Wanted<'a> {
    host: &'a dyn Host,
    /// Which clues have a place of this name, cut off as the kernel does.
    by_name: HashMap<Vec<u8>, Vec<usize>>,
    clues: Vec<Answer<'a>>,
}

struct Answer<'a> {
    /// The program's places, the best one first.
    places: Vec<&'a str>,
    /// Whether a file of that name elsewhere may be it.
    is_loose: bool,
    best: Option<(usize, Owner)>,
    /// Two that are as good as each other differ.
    is_ambiguous: bool,
}

impl<'a> Wanted<'a> {
    /// Nothing is offered yet.
    pub(super) fn new(host: &'a dyn Host, clues: &'a [Clue], places: &'a [Places]) -> Self {
        let mut by_name: HashMap<Vec<u8>, Vec<usize>> = HashMap::new();
        let mut answers = Vec::with_capacity(clues.len());
        for (number, (clue, places)) in clues.iter().zip(places).enumerate() {
            let Places { paths, is_ambiguous } = places;
            let places: Vec<&str> =
                if *is_ambiguous { Vec::new() } else { paths.iter().map(|path| merged(path)).collect() };
            let is_loose = match clue {
                Clue::Name(name) if paths.is_empty() => {
                    by_name.entry(cut(name.as_bytes()).to_vec()).or_default().push(number);
                    true
                }
                Clue::Name(_) | Clue::Path(_) => false,
            };
            for place in &places {
                let numbers = by_name.entry(cut(name_of(place.as_bytes())).to_vec()).or_default();
                if numbers.last() != Some(&number) {
                    numbers.push(number);
                }
            }
            answers.push(Answer { places, is_loose, best: None, is_ambiguous: false });
        }
        Self { host, by_name, clues: answers }
    }

    /// Whether no offer can change anything any more.
    pub(super) fn is_settled(&self) -> bool {
        self.clues.iter().all(|answer| {
            let best = answer.best.as_ref().map(|(rank, _)| *rank);
            best == Some(0) || (answer.places.is_empty() && !answer.is_loose)
        })
    }

    /// Whether anybody asks for a file of this name.
    pub(super) fn wants(&self, name: &[u8]) -> bool {
        self.by_name.contains_key(cut(name))
    }

    /// Whether a package is likely to have something that is asked for, by its name.
    pub(super) fn is_likely(&self, package: &str) -> bool {
        self.by_name.keys().any(|name| {
            let name = std::str::from_utf8(name).unwrap_or_default();
            // A service is often called after what it serves, with one letter more.
            let stem = name.strip_suffix('d').filter(|stem| stem.len() > 2).unwrap_or(name);
            package.contains(stem) || name.contains(package)
        })
    }

    /// Offers a file, without a leading slash, of a package.
    pub(super) fn offer(&mut self, path: &[u8], owner: impl Fn() -> Option<Owner>) {
        let Some(numbers) = self.by_name.get(cut(name_of(path))) else { return };
        for number in numbers {
            let Some(answer) = self.clues.get_mut(*number) else { continue };
            let Some(rank) = answer.rank(self.host, path) else { continue };
            if answer.best.as_ref().is_some_and(|(best, _)| *best < rank) {
                continue;
            }
            let Some(owner) = owner() else { continue };
            answer.is_ambiguous = answer
                .best
                .as_ref()
                .is_some_and(|(best, other)| *best == rank && (answer.is_ambiguous || *other != owner));
            answer.best = Some((rank, owner));
        }
    }

    /// The owners, each in its clue's place.
    pub(super) fn into_owners(self) -> Vec<Option<Owner>> {
        let owner = |answer: Answer<'_>| match answer.best {
            // Diverted and replaced files are listed by several packages; one of them has it for sure.
            Some((rank, owner)) if rank != ELSEWHERE || !answer.is_ambiguous => Some(owner),
            Some(_) | None => None,
        };
        self.clues.into_iter().map(owner).collect()
    }
}

impl Answer<'_> {
    fn rank(&self, host: &dyn Host, path: &[u8]) -> Option<usize> {
        let path = std::str::from_utf8(path).ok()?;
        let found = self.places.iter().position(|place| *place == merged(path));
        let is_file = || host.metadata(path).is_ok_and(|found| found.kind == FileKind::File);
        found.or_else(|| (self.is_loose && may_be_program(path.as_bytes()) && is_file()).then_some(ELSEWHERE))
    }
}

fn may_be_program(path: &[u8]) -> bool {
    let stands_in = |part: &[u8]| memchr::memmem::find(path, part).is_some();
    FOLDERS.iter().any(|folder| path.starts_with(folder)) && !DOCUMENTS.iter().any(|part| stands_in(part))
}

/// A path where `bin`, `sbin` and `lib` are links into `usr`, as managers' lists have it either way.
fn merged(path: &str) -> &str {
    let inside = path.strip_prefix("usr/").unwrap_or(path);
    let is_merged = ["bin/", "sbin/", "lib"].iter().any(|folder| inside.starts_with(folder));
    if is_merged { inside } else { path }
}

fn name_of(path: &[u8]) -> &[u8] {
    memchr::memrchr(b'/', path).and_then(|slash| path.get(slash + 1..)).unwrap_or(path)
}

fn cut(name: &[u8]) -> &[u8] {
    name.get(..NAME_BYTES).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::MemoryHost;

    fn check(clue: Clue, places: &[&str], offers: &[(&str, &str)], expected: Option<&str>) {
        let files = offers.iter().map(|(path, _)| ((*path).to_owned(), Vec::new())).collect();
        let host = MemoryHost { files, ..MemoryHost::default() };
        let paths = places.iter().map(|place| (*place).to_owned()).collect();
        let places = [Places { paths, is_ambiguous: false }];
        let clues = [clue];
        let mut wanted = Wanted::new(&host, &clues, &places);
        for (path, package) in offers {
            wanted.offer(path.as_bytes(), || Some(Owner::new("deb", *package)));
        }
        let owner = wanted.into_owners().remove(0).map(|owner| owner.name);
        assert_eq!(owner.as_deref(), expected, "{clues:?} {offers:?}");
    }

    #[test]
    fn the_place_counts_before_a_name_elsewhere() {
        let name = |name: &str| Clue::Name(name.to_owned());
        let path = |path: &str| Clue::Path(path.to_owned());
        check(path("usr/bin/bash"), &["usr/bin/bash"], &[("bin/bash", "bash")], Some("bash"));
        check(path("bin/bash"), &["bin/bash"], &[("usr/bin/bash", "bash")], Some("bash"));
        check(path("usr/bin/bash"), &["usr/bin/bash"], &[("usr/lib/bash", "other")], None);
        check(
            name("bash"),
            &["usr/bin/bash"],
            &[("usr/lib/x/bash", "other"), ("usr/bin/bash", "bash")],
            Some("bash"),
        );
        // An alternative: the link's owner, if it has one, and else that of what it leads to.
        let vi = ["usr/bin/vi", "usr/bin/vim.basic"];
        check(name("vi"), &vi, &[("usr/bin/vim.basic", "vim")], Some("vim"));
        check(name("vi"), &vi, &[("usr/bin/vim.basic", "vim"), ("usr/bin/vi", "vi")], Some("vi"));
        check(name("vi"), &vi, &[("usr/bin/vi", "vi"), ("usr/bin/vim.basic", "vim")], Some("vi"));
    }

    #[test]
    fn a_name_elsewhere_counts_where_it_is_the_only_one() {
        let name = |name: &str| Clue::Name(name.to_owned());
        let office = ("usr/lib/libreoffice/program/soffice.bin", "libreoffice-core");
        check(name("soffice.bin"), &[], &[office], Some("libreoffice-core"));
        check(name("soffice.bin"), &[], &[office, ("opt/other/soffice.bin", "other")], None);
        check(name("soffice.bin"), &[], &[office, office], Some("libreoffice-core"));
        check(name("soffice.bin"), &[], &[("usr/share/doc/soffice.bin", "docs")], None);
        let journal = ("usr/lib/systemd/systemd-journald", "systemd");
        check(name("systemd-journal"), &[], &[journal], Some("systemd"));
        check(name("systemd-journa"), &[], &[journal], None);
    }
}
