//! What all sources of language packages share: where their tools put things, for the system and in home folders.
//!
//! Knows nothing of any ecosystem's format. A language states folders as patterns and a function that reads one of
//! them; every folder is an environment of its own, so that two versions in two environments are two items. What root
//! installed in its home belongs to the machine and is read with the system; people's homes are another source, which
//! can be switched off.

use std::{
    collections::{HashMap, HashSet},
    rc::Rc,
};

use muster_common::{
    inventory::{ErrorKind, Installation, Item, ItemKind, Package, SectionName},
    time::EndpointTime,
};
use muster_proto::limits;

use crate::{
    host::{FileKind, Host, HostError},
    sources::{
        Personal, Source, Stamp, homes,
        part::{ITEMS_LIMIT, Problems, SectionPart},
        read, text,
    },
};

/// Environments of one language; more are cut with a problem.
const PLACES_LIMIT: usize = 1000;
/// Folders that are looked at for environments; a hostile tree has more.
const TRIES_LIMIT: usize = 20_000;
/// /usr/lib holds every library on some distributions.
const FOLDER_LIMIT: usize = 20_000;
/// The home of the system's own account.
const ROOT: &str = "root";

/// A language's packages: where they lie and how one folder of them is read.
#[derive(Debug)]
pub(crate) struct Language {
    /// Name of the source that reads them for the system.
    pub(super) name: &'static str,
    /// Name of the source that reads them in people's homes.
    pub(super) people_name: &'static str,
    /// The section of both.
    pub(super) section: &'static str,
    /// Where to look.
    pub(super) layout: Layout,
    /// How to notice that nothing was installed, upgraded or removed.
    pub(super) stamp: Stamp,
    /// Further folders that a home names, such as in a tool's own register.
    pub(super) named_by_home: Option<Named>,
    /// Reads one folder.
    pub(super) read: fn(&dyn Host, &Place, &mut SectionPart),
}

/// Finds the folders that a home names, by the home's path.
pub(super) type Named = fn(&dyn Host, &str) -> Vec<String>;

/// Folders as patterns, in which a `*` stands for any part of one name; made by [`layout!`].
#[derive(Debug)]
pub(crate) struct Layout {
    /// Relative to the machine's root, those in root's home included.
    pub(super) system: &'static [&'static str],
    /// Relative to a home, which is written as `~`.
    pub(super) people: &'static [&'static str],
    /// The first of them for people, root's home in a word.
    pub(super) reads: &'static [&'static str],
}

/// Makes a [`Layout`] of folders for the system and of folders in a home.
macro_rules! layout {
    (system: [$($system:literal),* $(,)?], home: [$($home:literal),* $(,)?] $(,)?) => {
        $crate::sources::software::language::Layout {
            system: &[$($system,)* $(concat!("root/", $home)),*],
            people: &[$(concat!("~/", $home)),*],
            reads: &[$($system,)* "root, as in other homes"],
        }
    };
}
pub(super) use layout;

/// Whose packages a source reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// The machine's and root's.
    System,
    /// Those that people have in their homes.
    People,
}

/// Packages of one language.
#[derive(Debug)]
pub(crate) struct LanguageSource {
    /// The language.
    pub(super) language: &'static Language,
    /// Whose.
    pub(super) scope: Scope,
}

/// A folder with packages: an environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// Relative to the machine's root.
    pub(super) path: String,
    /// Whose it is; empty for the whole system.
    pub(super) user: String,
}

impl Source for LanguageSource {
    fn name(&self) -> &'static str {
        match self.scope {
            Scope::System => self.language.name,
            Scope::People => self.language.people_name,
        }
    }

    fn section(&self) -> SectionName {
        SectionName::known(self.language.section)
    }

    fn reads(&self) -> &'static [&'static str] {
        match self.scope {
            Scope::System => self.language.layout.reads,
            Scope::People => self.language.layout.people,
        }
    }

    fn personal(&self) -> Option<Personal> {
        match self.scope {
            Scope::System => None,
            Scope::People => Some(Personal::PerUser),
        }
    }

    fn stamp(&self) -> Stamp {
        self.language.stamp
    }

    fn collect(&self, host: &dyn Host) -> SectionPart {
        let mut part = SectionPart::default();
        for place in self.places(host, &mut part.problems) {
            // What is no good costs as much as what is.
            if part.items.len() + part.problems.count() >= ITEMS_LIMIT {
                let message = format!("more than {ITEMS_LIMIT} packages: the rest is not read");
                part.problems.add(&place.path, ErrorKind::TooLarge, message);
                break;
            }
            (self.language.read)(host, &place, &mut part);
        }
        part
    }
}

impl LanguageSource {
    /// The environments that are there, each folder once.
    fn places(&self, host: &dyn Host, problems: &mut Problems) -> Vec<Place> {
        let Layout { system, people, reads: _ } = &self.language.layout;
        let mut finder = Finder::new(host);
        match self.scope {
            Scope::System => {
                for pattern in *system {
                    let of_root = pattern.starts_with("root/");
                    // A folder of everybody's in /home is on a network where the homes are.
                    let reachable = !pattern.starts_with("home/") || !homes::is_on_network(host, pattern);
                    finder.home = if of_root { Some(ROOT.to_owned()) } else { None };
                    if reachable {
                        finder.expand(String::new(), pattern, if of_root { ROOT } else { "" }, problems);
                    }
                }
                self.named(host, ROOT, ROOT, &mut finder, problems);
            }
            Scope::People => {
                for home in homes::homes(host, problems) {
                    if home.path == ROOT {
                        continue;
                    }
                    finder.home = Some(home.path.clone());
                    for pattern in *people {
                        let pattern = pattern.strip_prefix("~/").unwrap_or(pattern);
                        // Homebrew's own account has a home that everybody shares.
                        if !system.contains(&join(&home.path, pattern).as_str()) {
                            finder.expand(home.path.clone(), pattern, &home.user, problems);
                        }
                    }
                    self.named(host, &home.path, &home.user, &mut finder, problems);
                }
            }
        }
        finder.places
    }

    fn named(
        &self,
        host: &dyn Host,
        home: &str,
        user: &str,
        finder: &mut Finder<'_>,
        problems: &mut Problems,
    ) {
        let Some(named_by_home) = self.language.named_by_home else { return };
        for path in named_by_home(host, home) {
            finder.take(path, user, problems);
        }
    }
}

impl Place {
    /// An item of this environment, its texts made harmless; `None` without a name or version.
    pub(super) fn item(&self, package: Package, installed: Option<EndpointTime>) -> Option<Item> {
        let Package { purl_type, namespace, name, version, architecture, vendor, .. } = package;
        let package = Package {
            purl_type,
            namespace: text::clean(namespace.as_bytes()).unwrap_or_default(),
            name: text::clean(name.as_bytes())?,
            version: text::clean(version.as_bytes())?,
            architecture: text::clean(architecture.as_bytes()).unwrap_or_default(),
            vendor: vendor.and_then(|vendor| text::clean(vendor.as_bytes())),
            ..Package::default()
        };
        let installation = Installation {
            path: text::bounded(&format!("/{}", self.path), limits::TEXT_BYTES),
            user: self.user.clone(),
            installed,
            ..Installation::default()
        };
        Some(Item { kind: ItemKind::Package(package), installation: Some(installation) })
    }

    /// The path of something in this folder.
    pub(super) fn at(&self, name: &str) -> String {
        join(&self.path, name)
    }

    /// The names in this folder, or in one below it; none where it is missing.
    pub(super) fn names(&self, host: &dyn Host, below: &str, problems: &mut Problems) -> Vec<String> {
        let path = if below.is_empty() { self.path.clone() } else { self.at(below) };
        read::names(host, &path, FOLDER_LIMIT, problems).unwrap_or_default()
    }
}

/// What a path is and when it changed last; `None` where it cannot be told.
pub(super) fn kind_and_time(host: &dyn Host, path: &str) -> Option<(FileKind, EndpointTime)> {
    let found = host.metadata(path).ok()?;
    let ms = i64::try_from(found.modified_ns / 1_000_000).ok()?;
    Some((found.kind, EndpointTime::from_millis(ms)))
}

/// When a path changed last.
pub(super) fn time(host: &dyn Host, path: &str) -> Option<EndpointTime> {
    kind_and_time(host, path).map(|(_, time)| time)
}

/// The name in `Name <address> (page)`; an address alone names nobody that an inventory needs to know.
pub(super) fn person(text: &str) -> Option<String> {
    let name = text.split(['<', '(']).next()?.trim().trim_matches('"').trim();
    (!name.is_empty() && !name.contains('@')).then(|| name.to_owned())
}

pub(super) fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

/// Expands patterns; every folder is listed once, whichever patterns lead to it.
struct Finder<'a> {
    host: &'a dyn Host,
    listings: HashMap<String, Rc<[String]>>,
    /// Inode and time of the folders found: links lead to one folder by several names.
    seen: HashSet<(u64, i128)>,
    places: Vec<Place>,
    tries: usize,
    /// The home that is looked into.
    home: Option<String>,
    /// Homes that may not be entered: one problem each says enough.
    closed: HashSet<String>,
}

impl<'a> Finder<'a> {
    fn new(host: &'a dyn Host) -> Self {
        Self {
            host,
            listings: HashMap::new(),
            seen: HashSet::new(),
            places: Vec::new(),
            tries: 0,
            home: None,
            closed: HashSet::new(),
        }
    }

    fn expand(&mut self, folder: String, pattern: &str, user: &str, problems: &mut Problems) {
        let Some(star) = pattern.find('*') else {
            self.take(join(&folder, pattern), user, problems);
            return;
        };
        let start = pattern[..star].rfind('/').map_or(0, |slash| slash + 1);
        let end = pattern[star..].find('/').map_or(pattern.len(), |slash| star + slash);
        let (before, after) = (&pattern[start..star], &pattern[star + 1..end]);
        let rest = pattern[end..].trim_start_matches('/');
        let above = pattern[..start].trim_end_matches('/');
        let folder = if above.is_empty() { folder } else { join(&folder, above) };
        for name in self.names(&folder, problems).iter() {
            let matches = name.len() >= before.len() + after.len()
                && name.starts_with(before)
                && name.ends_with(after)
                && !(before.is_empty() && name.starts_with('.'));
            if !matches {
                continue;
            }
            let path = join(&folder, name);
            if rest.is_empty() {
                self.take(path, user, problems);
            } else {
                self.expand(path, rest, user, problems);
            }
        }
    }

    fn names(&mut self, folder: &str, problems: &mut Problems) -> Rc<[String]> {
        if let Some(names) = self.listings.get(folder) {
            return Rc::clone(names);
        }
        let names: Rc<[String]> = if self.may_try(folder, problems) {
            match self.host.list(folder, FOLDER_LIMIT) {
                Ok(listing) => {
                    if listing.more {
                        let path = folder.to_owned();
                        problems.add_error(HostError::TooMany { path, limit: FOLDER_LIMIT });
                    }
                    listing.names.into()
                }
                Err(error) => {
                    self.refused(error, problems);
                    Rc::from([])
                }
            }
        } else {
            Rc::from([])
        };
        self.listings.insert(folder.to_owned(), Rc::clone(&names));
        names
    }

    /// Keeps a folder that is there and was not found by another name.
    fn take(&mut self, path: String, user: &str, problems: &mut Problems) {
        if !self.may_try(&path, problems) {
            return;
        }
        match self.host.metadata(&path) {
            Ok(found) if found.kind != FileKind::Folder => {}
            Ok(found) if !self.seen.insert((found.inode, found.modified_ns)) => {}
            Ok(_) if self.places.len() == PLACES_LIMIT => {
                problems.add(&path, ErrorKind::TooLarge, format!("more than {PLACES_LIMIT} environments"));
                self.tries = TRIES_LIMIT;
            }
            Ok(_) => self.places.push(Place { path, user: user.to_owned() }),
            Err(error) => self.refused(error, problems),
        }
    }

    /// A file where a folder could be is no environment either.
    fn refused(&mut self, error: HostError, problems: &mut Problems) {
        let error = match (error, &self.home) {
            (HostError::Missing { .. } | HostError::WrongKind { .. }, _) => return,
            // Asked only now: a home's own times change all day, and would tell of changes where none are.
            (error @ HostError::NotPermitted { .. }, Some(home)) => {
                match self.host.metadata(&format!("{home}/.")) {
                    Ok(_) => error,
                    Err(closed) => {
                        self.closed.insert(home.clone());
                        closed
                    }
                }
            }
            (error, _) => error,
        };
        problems.add_error(error);
    }

    fn may_try(&mut self, path: &str, problems: &mut Problems) -> bool {
        if self.home.as_ref().is_some_and(|home| self.closed.contains(home)) {
            return false;
        }
        self.tries += 1;
        if self.tries == TRIES_LIMIT {
            let message = format!("more than {TRIES_LIMIT} folders to look at: the rest is not read");
            problems.add(path, ErrorKind::TooLarge, message);
        }
        self.tries < TRIES_LIMIT
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink, path::Path};

    use rustix::fs::{CWD, FileType, Mode, mknodat};
    use tempfile::TempDir;

    use super::*;
    use crate::{host::RecordedHost, sources::testing::recorded};

    const LANGUAGE: Language = Language {
        name: "x",
        people_name: "x-people",
        section: SectionName::SOFTWARE_NPM,
        layout: layout! { system: ["usr/lib/x*/a-*-z", "home/shared/x", "opt/*/x"], home: ["x", "envs/*/x"] },
        stamp: Stamp::Folders,
        named_by_home: Some(|_, home| vec![format!("{home}/named")]),
        read: |_, _, _| {},
    };

    fn found(scope: Scope, folder: &Path) -> (Vec<String>, Vec<String>) {
        let mut problems = Problems::default();
        let source = LanguageSource { language: &LANGUAGE, scope };
        let places = source.places(&RecordedHost::open(folder).unwrap(), &mut problems);
        (
            places
                .into_iter()
                .map(|Place { path, user }| format!("{path} {user}").trim_end().to_owned())
                .collect(),
            problems.into_entries().into_iter().map(|entry| entry.message).collect(),
        )
    }

    /// A machine with these folders.
    fn machine(folders: &[&str]) -> TempDir {
        let (root, _) = recorded(&[]);
        folders.iter().for_each(|folder| fs::create_dir_all(root.path().join(folder)).unwrap());
        root
    }

    #[test]
    fn patterns_name_folders() {
        let root = machine(&[
            "usr/lib/x1/a-1-z",
            "usr/lib/x1/a-z",
            "usr/lib/x1/a-1-y",
            "usr/lib/x/a--z",
            "usr/lib/y/a-1-z",
            "home/shared/x",
            "opt/.hidden/x",
            "opt/tool/x",
            "root/envs/one/x",
            "root/named",
            "home/ann/x",
            "home/ann/named/deeper",
        ]);
        fs::write(root.path().join("opt/file"), "").unwrap();
        fs::write(root.path().join("root/x"), "").unwrap();
        let system = [
            "usr/lib/x/a--z",
            "usr/lib/x1/a-1-z",
            "home/shared/x",
            "opt/tool/x",
            "root/envs/one/x root",
            "root/named root",
        ];
        assert_eq!(found(Scope::System, root.path()), (system.map(str::to_owned).to_vec(), Vec::new()));
        let people = ["home/ann/x ann", "home/ann/named ann"];
        assert_eq!(found(Scope::People, root.path()), (people.map(str::to_owned).to_vec(), Vec::new()));

        // Homes on a network are not woken for what everybody shares either.
        fs::create_dir_all(root.path().join("proc")).unwrap();
        fs::write(root.path().join("proc/mounts"), "filer:/home /home nfs4 rw 0 0\n").unwrap();
        let (system, problems) = found(Scope::System, root.path());
        assert_eq!((system.len(), problems.len()), (5, 0));
        assert!(!system.contains(&"home/shared/x".to_owned()));
        assert_eq!(found(Scope::People, root.path()).0, [] as [&str; 0]);
    }

    #[test]
    fn a_folder_counts_once_and_links_lead_nowhere_else() {
        let outside = machine(&["x"]);
        let root = machine(&["opt/real/x", "opt/loop", "opt/pipe"]);
        let at = |path: &str| root.path().join(path);
        symlink("real", at("opt/alias")).unwrap();
        symlink("x", at("opt/loop/x")).unwrap();
        symlink(outside.path(), at("opt/out")).unwrap();
        symlink("/opt", at("opt/real/x/opt")).unwrap();
        mknodat(CWD, at("opt/pipe/x"), FileType::Fifo, Mode::RUSR, 0).unwrap();
        let (places, problems) = found(Scope::System, root.path());
        assert_eq!(places, ["opt/alias/x"]);
        assert_eq!(problems.len(), 1, "a loop is a problem: {problems:?}");
    }

    #[test]
    fn a_crowd_is_cut() {
        let root = machine(&[]);
        for number in 0..PLACES_LIMIT + 10 {
            fs::create_dir_all(root.path().join(format!("opt/{number}/x"))).unwrap();
        }
        let (places, problems) = found(Scope::System, root.path());
        assert_eq!((places.len(), problems), (PLACES_LIMIT, vec!["more than 1000 environments".to_owned()]));
    }

    #[test]
    fn people_are_named_without_their_addresses() {
        for (text, expected) in [
            ("Ann Lee <ann@example.org> (https://example.org)", Some("Ann Lee")),
            ("\"Ann\" <a@b>", Some("Ann")),
            ("ann@example.org", None),
            ("<ann@example.org>", None),
            ("", None),
        ] {
            assert_eq!(person(text).as_deref(), expected, "{text}");
        }
    }
}
