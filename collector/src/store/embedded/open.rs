//! From whatever is on disk to a store that can be used: lock, view, journal, and the view brought up to the journal.
//!
//! Knows nothing of commits. The order matters: what the view and the last checkpoint say was acknowledged is known
//! before the journal is opened, so that a journal that lost something is never taken for one with a torn tail.

use std::{
    fs::{self, File, TryLockError},
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

use muster_common::audit::Walk;

use crate::store::sled::{Probed, View, open as open_probed};
use crate::store::{
    Position, Revision, StoreError,
    audit::{self, Chain},
    embedded::{EmbeddedOptions, catalogue::Catalogue, checkpoint::Checkpoint, presence::PresenceFile},
    files,
    journal::{Journal, JournalReader},
};

/// How many entries are put into the view at once while it is brought up to date.
const REPLAY_ENTRIES: usize = 1024;

/// A store as it is found, or made, on disk.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) lock: File,
    pub(super) journal: Journal,
    pub(super) view: View,
    pub(super) catalogue: Catalogue,
    pub(super) presence: PresenceFile,
    pub(super) chain: Chain,
    pub(super) start: Start,
}

/// What the start found and did, for the log and for `status`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// How the view was.
    pub view: ViewAtStart,
    /// How many entries of the journal were put into the view.
    pub replayed: u64,
}

/// How the view was at the start. However it was, it is right now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ViewAtStart {
    /// As it was at the last checkpoint, or later.
    Current,
    /// Whole, but older than the last checkpoint.
    WentBack,
    /// Not there.
    Missing,
    /// Damaged in this way, and moved to `view.damaged`.
    Damaged(String),
}

/// Where the parts lie.
#[derive(Debug)]
pub(super) struct Places {
    lock: PathBuf,
    journal: PathBuf,
    view: PathBuf,
    damaged_view: PathBuf,
    presence: PathBuf,
    pub(super) checkpoint: PathBuf,
}

impl Places {
    pub(super) fn under(folder: &Path) -> Self {
        Self {
            lock: folder.join("lock"),
            journal: folder.join("journal"),
            view: folder.join("view"),
            damaged_view: folder.join("view.damaged"),
            presence: folder.join("presence"),
            checkpoint: folder.join("checkpoint"),
        }
    }
}

/// Opens everything; takes as long as reading the whole view does.
pub(super) fn open(options: &EmbeddedOptions) -> Result<Opened, StoreError> {
    files::make_folder(&options.folder)?;
    let places = Places::under(&options.folder);
    let lock = lock(&places.lock)?;
    let checkpoint = Checkpoint::read(&places.checkpoint)?;
    let Some(store) = Journal::identify(&places.journal)? else {
        return begin(options, &places, lock, checkpoint);
    };
    let (probed, mut was) = open_view(&places, store, options.cache_bytes)?;
    let checkpoint = checkpoint.filter(|checkpoint| checkpoint.store == store);
    let checkpoint = checkpoint.map_or(0, |checkpoint| checkpoint.sequence);
    let applied = probed.view.applied();
    if was == ViewAtStart::Current && applied < checkpoint {
        tracing::warn!(
            view.applied = applied,
            view.checkpoint = checkpoint,
            "the view is older than it was at the last checkpoint; it is brought up again, and nothing is lost"
        );
        was = ViewAtStart::WentBack;
    }
    let journal = Journal::open(&places.journal, options.segment_bytes, checkpoint.max(applied))?;
    finish(&places, lock, journal, probed, was)
}

/// A store where there was none.
fn begin(
    options: &EmbeddedOptions,
    places: &Places,
    lock: File,
    checkpoint: Option<Checkpoint>,
) -> Result<Opened, StoreError> {
    if places.view.exists() || checkpoint.is_some() {
        return Err(StoreError::damaged(
            &places.journal,
            "it is missing, though there is a view that was made from it: restore a backup, or move the whole folder \
             away to begin anew",
        ));
    }
    let journal = Journal::open(&places.journal, options.segment_bytes, 0)?;
    files::sync_folder(&options.folder)?;
    let (probed, _) = open_view(places, journal.store(), options.cache_bytes)?;
    files::sync_folder(&options.folder)?;
    finish(places, lock, journal, probed, ViewAtStart::Current)
}

fn finish(
    places: &Places,
    lock: File,
    journal: Journal,
    probed: Probed,
    was: ViewAtStart,
) -> Result<Opened, StoreError> {
    let Probed { view, catalogue } = probed;
    let mut catalogue = Catalogue::from_digests(catalogue);
    let replayed = replay(&journal.reader(), journal.last(), &view, &mut catalogue)?;
    // What was replayed is on disk from the start, and the next start knows it.
    let sequence = view.checkpoint()?;
    Checkpoint { store: journal.store(), sequence }.write(&places.checkpoint)?;
    let presence = PresenceFile::open(&places.presence)?;
    let chain = chain_of(&view, &journal)?;
    Ok(Opened { lock, journal, view, catalogue, presence, chain, start: Start { view: was, replayed } })
}

fn lock(path: &Path) -> Result<File, StoreError> {
    let file = files::create_private(path).map_err(StoreError::io("open", path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::Locked { path: path.to_owned() }),
        Err(TryLockError::Error(error)) => Err(StoreError::io("lock", path)(error)),
    }
}

/// The view as it is, or an empty one if it isn't usable, and how it was.
fn open_view(
    places: &Places,
    store: [u8; 16],
    cache_bytes: u64,
) -> Result<(Probed, ViewAtStart), StoreError> {
    let was = if places.view.exists() { ViewAtStart::Current } else { ViewAtStart::Missing };
    let why = match open_probed(&places.view, store, cache_bytes)? {
        Ok(probed) => return Ok((probed, was)),
        Err(why) => why,
    };
    tracing::error!(
        view.folder = %places.view.display(),
        view.moved_to = %places.damaged_view.display(),
        view.damage = %why,
        "the view is damaged; it is made again from the journal, and nothing is lost"
    );
    if places.damaged_view.exists() {
        fs::remove_dir_all(&places.damaged_view).map_err(StoreError::io("remove", &places.damaged_view))?;
    }
    fs::rename(&places.view, &places.damaged_view).map_err(StoreError::io("move away", &places.view))?;
    match open_probed(&places.view, store, cache_bytes)? {
        Ok(probed) => Ok((probed, ViewAtStart::Damaged(why))),
        Err(again) => Err(StoreError::damaged(&places.view, format!("{again}, although it is new"))),
    }
}

/// Applies what the view hasn't got yet, and returns how many entries that were.
fn replay(
    reader: &JournalReader,
    last: u64,
    view: &View,
    catalogue: &mut Catalogue,
) -> Result<u64, StoreError> {
    let from = view.applied();
    if from == last {
        return Ok(0);
    }
    tracing::info!(journal.entries = last - from, "bringing the view up to the journal");
    let started = Instant::now();
    while view.applied() < last {
        let entries = reader.read(view.applied(), last, REPLAY_ENTRIES)?;
        let Some((first, _)) = entries.first() else { break };
        let first = *first;
        let entries: Vec<_> = entries.into_iter().map(|(_, entry)| entry).collect();
        view.apply(first, &entries)?;
        entries.iter().for_each(|entry| catalogue.learn(&entry.catalogue));
    }
    tracing::info!(
        journal.entries = last - from,
        duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        "brought the view up to the journal"
    );
    Ok(last - from)
}

/// Where the audit log goes on: behind its last entry, with what was committed after that waiting to be folded in.
fn chain_of(view: &View, journal: &Journal) -> Result<Chain, StoreError> {
    let has = |number| Ok::<_, StoreError>(view.revision(&audit::key(number))? != Revision::ABSENT);
    let last = audit::last_dense(has)?;
    let reader = journal.reader();
    let (walk, accounted) = match last {
        // A store that is older than its audit log: what was before is not accounted for, and the first entry says so.
        0 if reader.oldest() > 0 || journal.last() > audit::FOLDED_AT_MOST as u64 => {
            (Walk::begin(), journal.last())
        }
        0 => (Walk::begin(), 0),
        number => {
            let record = view.get(&[audit::key(number)])?.pop().flatten();
            let linked = record.and_then(|record| audit::read(&record.value)).ok_or_else(|| {
                let what = format!("entry {number} of the audit log is none: restore a backup");
                StoreError::damaged(audit::key(number).to_string(), what)
            })?;
            let position = linked.entry.position;
            (Walk::behind(number, position, linked.hash), position)
        }
    };
    let mut chain = Chain::behind(walk, accounted + 1);
    let mut read_to = accounted;
    while read_to < journal.last() {
        let entries = reader.read(read_to, journal.last(), REPLAY_ENTRIES)?;
        for (sequence, entry) in entries {
            let change = entry
                .into_change(Position::from_number(sequence))
                .map_err(|error| StoreError::View(Arc::new(error)))?;
            chain.recall(&change);
            read_to = sequence;
        }
    }
    Ok(chain)
}
