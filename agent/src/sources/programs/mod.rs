//! Which package a program belongs to.
//!
//! A program is known by its path, or by no more than the name that the kernel has for a process: fifteen bytes. Package
//! managers keep lists of files and no index of them, so that all questions at hand are answered by one pass over the
//! lists, a file at a time; whoever asks remembers the answers as long as [`stamp`] stays. Knows nothing of processes
//! and of who wants to know.
//!
//! To add a manager: a file here with a function that offers each of its files to [`Wanted`], a line in [`PASSES`] and
//! what moves with its database in [`DATABASES`].

mod apk;
mod dpkg;
pub(crate) mod group;
mod pacman;
mod place;
pub(crate) mod process;
mod rpm;
mod tree;
mod wanted;

use crate::{
    host::{Host, Metadata},
    sources::programs::{place::Places, wanted::Wanted},
};

/// The longest name that the kernel has for a process, in bytes.
pub(crate) const NAME_BYTES: usize = 15;
/// Questions that are answered at once; more are cut off.
pub(crate) const CLUES_LIMIT: usize = 1024;

/// Goes through a manager's lists of files.
type Pass = fn(&dyn Host, &mut Wanted<'_>);

/// All that have lists of files.
const PASSES: &[Pass] = &[dpkg::offer_files, rpm::offer_files, apk::offer_files, pacman::offer_files];
/// Files and folders of which one moves when packages come or go.
const DATABASES: [&str; 9] = [
    "var/lib/dpkg/status",
    "usr/lib/sysimage/rpm/rpmdb.sqlite",
    "usr/lib/sysimage/rpm/Packages.db",
    "var/lib/rpm/rpmdb.sqlite",
    "var/lib/rpm/Packages.db",
    "var/lib/rpm/Packages",
    "lib/apk/db/installed",
    "var/lib/pacman/local",
    "opt",
];

/// What is known of a program.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Clue {
    /// Where it lies, without a leading slash.
    Path(String),
    /// What the kernel calls its process, cut off after [`NAME_BYTES`].
    Name(String),
}

/// What a program belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Owner {
    /// purl type of the package; empty where no package is known.
    pub(crate) purl_type: String,
    /// The package's name, or the program's own where no package is known.
    pub(crate) name: String,
}

impl Owner {
    pub(crate) fn new(purl_type: &str, name: impl Into<String>) -> Self {
        Self { purl_type: purl_type.to_owned(), name: name.into() }
    }
}

/// The owners of programs, each in its clue's place; none for a program that is not installed for everybody.
pub(crate) fn owners(host: &dyn Host, clues: &[Clue]) -> Vec<Option<Owner>> {
    let clues = clues.get(..CLUES_LIMIT).unwrap_or(clues);
    let mut shelves = place::Shelves::default();
    let places: Vec<Places> = clues.iter().map(|clue| shelves.places(host, clue)).collect();
    let mut wanted = Wanted::new(host, clues, &places);
    for offer_files in PASSES {
        if wanted.is_settled() {
            break;
        }
        offer_files(host, &mut wanted);
    }
    let owned = wanted.into_owners().into_iter().zip(clues).zip(&places);
    owned.map(|((owner, clue), places)| owner.or_else(|| tree::owner(host, clue, places))).collect()
}

/// How the databases look; what was found holds as long as this stays.
pub(crate) fn stamp(host: &dyn Host) -> [Option<Metadata>; DATABASES.len()] {
    DATABASES.map(|path| host.metadata(path).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::MemoryHost;

    fn check(files: &[(&str, &str)], clue: Clue, expected: Option<(&str, &str)>) {
        let files = files.iter().map(|(path, content)| ((*path).to_owned(), content.as_bytes().to_vec()));
        let host = MemoryHost { files: files.collect(), ..MemoryHost::default() };
        let found = owners(&host, &[Clue::Name("nobody".to_owned()), clue.clone()]);
        let owner = expected.map(|(kind, name)| Owner::new(kind, name));
        assert_eq!(found, [None, owner], "{clue:?}");
    }

    #[test]
    fn every_manager_is_asked() {
        let vim = || Clue::Name("vim".to_owned());
        let program = ("usr/bin/vim", "");
        let dpkg = ("var/lib/dpkg/info/vim:amd64.list", "/.\n/usr\n/usr/bin\n/usr/bin/vim\n");
        check(&[program, dpkg], vim(), Some(("deb", "vim")));
        let apk = "P:busybox\nF:bin\nR:sh\n\nP:vim\nV:9\nF:usr/share/vim\nR:vim\nF:usr/bin\nR:vi\nR:vim\nZ:Q1\n\nP:x\nF:usr\n";
        check(&[program, ("lib/apk/db/installed", apk)], vim(), Some(("apk", "vim")));
        let pacman = "%FILES%\nusr/\nusr/bin/vim\n\n%BACKUP%\nusr/bin/other\n";
        check(&[program, ("var/lib/pacman/local/vim-9.1-1/files", pacman)], vim(), Some(("alpm", "vim")));
        check(&[program], vim(), Some(("", "vim")));
        check(&[dpkg], vim(), None);
        check(&[program, dpkg], Clue::Path("usr/bin/vim".to_owned()), Some(("deb", "vim")));
        check(&[program, dpkg], Clue::Path("home/anna/vim".to_owned()), None);
    }
}
