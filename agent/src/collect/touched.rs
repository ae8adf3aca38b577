//! What a source touched and how it looked: enough to tell cheaply whether it would find the same again.
//!
//! Knows nothing of items. It errs on one side: whatever can't be told is taken for a change. A file that changed within
//! two seconds before it was looked at may change again without a later time, as clocks of file systems are coarse, so
//! it counts as changed the next time too.

use std::{
    cell::{OnceCell, RefCell},
    collections::{HashMap, HashSet},
};

use crate::{
    host::{FileKind, Host, HostError, LiveFacts, Metadata},
    sources::Stamp,
};

/// A source that touches more is read each time.
const PATHS_LIMIT: usize = 4096;
/// Files that changed this short a time before they were looked at may change again unnoticed.
const RACY_NS: i128 = 2_000_000_000;
const UEVENTS: &str = "sys/kernel/uevent_seqnum";
const BOOT_ID: &str = "proc/sys/kernel/random/boot_id";
/// A folder of homes: that it lists the same says nothing of what stands in a home.
const HOMES: &str = "home";

/// How a path looked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Look {
    Missing,
    Denied,
    There(Metadata),
    /// It can't be told, and so it never looks as before.
    Unknown,
}

impl Look {
    fn of(found: &Result<Metadata, HostError>) -> Self {
        match found {
            Ok(metadata) => Self::There(*metadata),
            // Where a part of the path is a file nothing is there either.
            Err(HostError::Missing { .. } | HostError::WrongKind { .. }) => Self::Missing,
            Err(HostError::NotPermitted { .. }) => Self::Denied,
            Err(
                HostError::NotRecorded { .. }
                | HostError::LeftOut { .. }
                | HostError::TooLarge { .. }
                | HostError::TooMany { .. }
                | HostError::TimedOut { .. }
                | HostError::Exhausted { .. }
                | HostError::Io { .. },
            ) => Self::Unknown,
        }
    }
}

/// What is compared by content, since no time tells: files of the kernel, and where links point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Content {
    Bytes { limit: usize },
    Names { limit: usize },
    Target,
    Kind,
}

/// The digest of a content; `None` where there was none.
type Digest = Option<[u8; 16]>;

/// What a source touched.
#[derive(Debug)]
pub(super) struct Touched {
    stamp: Stamp,
    boot: Option<Vec<u8>>,
    uevents: Option<Vec<u8>>,
    looks: Vec<(String, Look)>,
    contents: Vec<(String, Content, Digest)>,
    live: Option<LiveFacts>,
}

/// Takes down what a source touches while it runs.
#[derive(Debug)]
pub(super) struct Notes {
    touched: Touched,
    now_ns: i128,
    seen: HashSet<String>,
    listed: HashSet<String>,
    spoiled: bool,
}

impl Notes {
    /// For a source with this stamp that starts now; `None` for one that is read each time.
    pub(super) fn new(stamp: Stamp, round: &Round<'_>, now_ns: i128) -> Option<Self> {
        let (boot, uevents) = match stamp {
            Stamp::Always => return None,
            Stamp::Touched | Stamp::TouchedExcept(_) | Stamp::Folders => (None, None),
            Stamp::Boot => (Some(round.boot()?), None),
            Stamp::Uevents => (Some(round.boot()?), Some(round.uevents()?)),
        };
        let touched = Touched { stamp, boot, uevents, looks: Vec::new(), contents: Vec::new(), live: None };
        Some(Self { touched, now_ns, seen: HashSet::new(), listed: HashSet::new(), spoiled: false })
    }

    pub(super) fn before_reading(&mut self, host: &dyn Host, path: &str) {
        if self.counts(path) && !is_kernels(path) {
            self.look(path, || Look::of(&host.metadata(path)));
        }
    }

    pub(super) fn before_listing(&mut self, host: &dyn Host, path: &str) {
        if self.touched.stamp == Stamp::Folders && self.listed.len() < PATHS_LIMIT {
            self.listed.insert(path.to_owned());
        }
        self.before_reading(host, path);
    }

    pub(super) fn read(&mut self, path: &str, limit: usize, bytes: Option<&[u8]>) {
        if self.counts(path) && is_kernels(path) {
            self.content(path, Content::Bytes { limit }, bytes.map(digest));
        }
    }

    pub(super) fn listed(&mut self, path: &str, limit: usize, names: Option<&[String]>) {
        if self.counts(path) && is_kernels(path) {
            self.content(path, Content::Names { limit }, names.map(digest_of_names));
        }
    }

    /// A file of the kernel that is read here and there can't be read again as a whole.
    pub(super) fn opened(&mut self, path: &str) {
        self.spoiled |= self.counts(path) && is_kernels(path);
    }

    pub(super) fn link(&mut self, path: &str, target: Option<&str>) {
        if self.counts(path) {
            self.content(path, Content::Target, target.map(|target| digest(target.as_bytes())));
        }
    }

    /// What is missing counts even in a listed folder: it may come without a change of that folder's names.
    pub(super) fn missing(&mut self, path: &str) {
        if self.touched.stamp == Stamp::Folders && !is_kernels(path) {
            self.look(path, || Look::Missing);
        }
    }

    pub(super) fn looked_at(&mut self, path: &str, found: &Result<Metadata, HostError>) {
        if matches!(found, Err(HostError::Missing { .. })) {
            self.missing(path);
        }
        if !self.counts(path) {
            return;
        }
        if is_kernels(path) {
            self.content(path, Content::Kind, found.as_ref().ok().map(|found| kind(found.kind)));
        } else {
            self.look(path, || Look::of(found));
        }
    }

    pub(super) fn live(&mut self, facts: Option<&LiveFacts>) {
        if self.touched.live.is_none() {
            self.touched.live = facts.cloned();
        }
    }

    /// Something was not answered that may be answered the next time.
    pub(super) fn spoil(&mut self) {
        self.spoiled = true;
    }

    /// `None` when it would tell nothing.
    pub(super) fn finish(self) -> Option<Touched> {
        (!self.spoiled).then_some(self.touched)
    }

    /// Whether the stamp asks for a path.
    fn counts(&self, path: &str) -> bool {
        match self.touched.stamp {
            Stamp::Always | Stamp::Boot => false,
            Stamp::Touched => true,
            Stamp::TouchedExcept(folder) => {
                path.strip_prefix(folder).is_none_or(|below| !below.starts_with('/'))
            }
            Stamp::Uevents => !is_kernels(path),
            Stamp::Folders => self.listed.contains(path) || !self.stands_in_listed(path),
        }
    }

    /// Whether a path is an entry of a listed folder, or stands in one.
    fn stands_in_listed(&self, path: &str) -> bool {
        let listed = |folder: &str| folder != HOMES && self.listed.contains(folder);
        let Some((parent, _)) = path.rsplit_once('/') else { return false };
        listed(parent) || parent.rsplit_once('/').is_some_and(|(above, _)| listed(above))
    }

    fn look(&mut self, path: &str, look: impl FnOnce() -> Look) {
        if self.spoiled || self.seen.contains(path) {
            return;
        }
        let look = look();
        let is_racy = matches!(look, Look::There(found)
            if found.modified_ns.max(found.changed_ns) >= self.now_ns.saturating_sub(RACY_NS));
        self.spoiled |= is_racy || look == Look::Unknown || self.is_full();
        self.seen.insert(path.to_owned());
        self.touched.looks.push((path.to_owned(), look));
    }

    fn content(&mut self, path: &str, content: Content, digest: Digest) {
        let is_noted = |noted: &(String, Content, Digest)| noted.0 == path && noted.1 == content;
        if self.spoiled {
            return;
        }
        // The same file read twice looked alike both times, or it changes all the time.
        match self.touched.contents.iter().find(|noted| is_noted(noted)) {
            Some((_, _, before)) => self.spoiled |= *before != digest,
            None => {
                self.spoiled |= self.is_full();
                self.touched.contents.push((path.to_owned(), content, digest));
            }
        }
    }

    fn is_full(&self) -> bool {
        self.touched.looks.len() >= PATHS_LIMIT || self.touched.contents.len() >= PATHS_LIMIT / 8
    }
}

impl Touched {
    /// Whether everything is as it was.
    pub(super) fn is_unchanged<'a>(&'a self, round: &Round<'a>) -> bool {
        let same_kernel = || self.boot.as_ref().is_none_or(|boot| round.boot().as_ref() == Some(boot));
        let same_devices =
            || self.uevents.as_ref().is_none_or(|uevents| round.uevents().as_ref() == Some(uevents));
        let same_files = || self.looks.iter().all(|(path, look)| round.look(path) == *look);
        let same_contents =
            || self.contents.iter().all(|(path, content, digest)| round.content(path, *content) == *digest);
        let same_facts = || self.live.as_ref().is_none_or(|facts| round.host.live() == Some(facts));
        same_kernel() && same_devices() && same_files() && same_contents() && same_facts()
    }
}

/// One pass over everything that was touched: what several sources touched is looked at once.
pub(super) struct Round<'a> {
    host: &'a dyn Host,
    looks: RefCell<HashMap<&'a str, Look>>,
    contents: RefCell<HashMap<(&'a str, Content), Digest>>,
    boot: OnceCell<Option<Vec<u8>>>,
    uevents: OnceCell<Option<Vec<u8>>>,
}

impl<'a> Round<'a> {
    pub(super) fn new(host: &'a dyn Host) -> Self {
        Self {
            host,
            looks: RefCell::default(),
            contents: RefCell::default(),
            boot: OnceCell::new(),
            uevents: OnceCell::new(),
        }
    }

    fn boot(&self) -> Option<Vec<u8>> {
        self.boot.get_or_init(|| self.line(BOOT_ID)).clone()
    }

    fn uevents(&self) -> Option<Vec<u8>> {
        self.uevents.get_or_init(|| self.line(UEVENTS)).clone()
    }

    /// The beginning alone, since files of /sys state a size that is not theirs.
    fn line(&self, path: &str) -> Option<Vec<u8>> {
        self.host.prefix(path, 64).ok().map(|content| content.bytes)
    }

    fn look(&self, path: &'a str) -> Look {
        *self.looks.borrow_mut().entry(path).or_insert_with(|| Look::of(&self.host.metadata(path)))
    }

    fn content(&self, path: &'a str, content: Content) -> Digest {
        let now = || match content {
            Content::Bytes { limit } => {
                self.host.prefix(path, limit).ok().map(|content| digest(&content.bytes))
            }
            Content::Names { limit } => {
                self.host.list(path, limit).ok().map(|listing| digest_of_names(&listing.names))
            }
            Content::Target => self.host.link(path).ok().map(|target| digest(target.as_bytes())),
            Content::Kind => self.host.metadata(path).ok().map(|found| kind(found.kind)),
        };
        *self.contents.borrow_mut().entry((path, content)).or_insert_with(now)
    }
}

/// Files of the kernel have no times that tell anything.
fn is_kernels(path: &str) -> bool {
    ["proc/", "sys/", "dev/"].iter().any(|folder| path.starts_with(folder))
}

fn digest(bytes: &[u8]) -> [u8; 16] {
    short(&blake3::hash(bytes))
}

fn digest_of_names(names: &[String]) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new();
    for name in names {
        hasher.update(name.as_bytes());
        // No name holds a zero byte.
        hasher.update(&[0]);
    }
    short(&hasher.finalize())
}

fn kind(kind: FileKind) -> [u8; 16] {
    [match kind {
        FileKind::File => 0,
        FileKind::Folder => 1,
        FileKind::Special => 2,
    }; 16]
}

fn short(hash: &blake3::Hash) -> [u8; 16] {
    let mut short = [0; 16];
    short.copy_from_slice(&hash.as_bytes()[..16]);
    short
}
