//! The default store: the journal is the truth, and sled its view, both in one folder of one machine.
//!
//! Knows nothing of how either lies on disk. A commit goes through the channel to the writer's thread, which journals
//! it, puts it into the view and then answers; reads go to the view (records) or the journal (changes) on threads that
//! may block. Nothing is pruned yet: the journal is kept whole until there are snapshots that stand in for its start.
//!
//! ```text
//! FOLDER/lock  journal/*.segment  view/  checkpoint  presence  [view.damaged/]
//! ```

mod catalogue;
mod checkpoint;
mod open;
mod presence;
mod space;
mod writer;

use std::{
    error::Error,
    fs::File,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc as blocking_mpsc},
    thread::{self, JoinHandle},
    time::Duration,
};

use async_trait::async_trait;
use muster_common::time::{Clock, SystemClock};
use tokio::sync::{mpsc, oneshot, watch};

use crate::store::sled::View;
use crate::store::{
    CatalogueId, CatalogueItem, Change, Commit, CommitError, Key, Position, Presence, Store, StoreError,
    Unavailable, Versioned, audit,
    bounds::{check_bounds, check_catalogue_item, check_presence},
    journal::{self, JournalReader},
};

use catalogue::Catalogue;
use checkpoint::Checkpoint;
use open::{Opened, Places};
pub use open::{Start, ViewAtStart};
use presence::PresenceFile;
use space::Space;
use writer::{Digested, Message, Writer};

/// How many calls of `commit` may wait for the writer; more wait for a place.
const WAITING_COMMITS: usize = 1024;
/// Up to so many records are read without waking another thread.
const FEW_KEYS: usize = 8;
/// Past so many bytes of new catalogue items no more are numbered until a commit took them along.
const PENDING_CATALOGUE_BYTES: usize = 8 << 20;

/// Where the store lies and how it behaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmbeddedOptions {
    /// The folder; made if it isn't there.
    pub folder: PathBuf,
    /// Past this length a segment of the journal is followed by a new one.
    pub segment_bytes: u64,
    /// How often the view is brought to disk, which bounds what the next start has to replay.
    pub checkpoint_every: Duration,
    /// With less space free than this nothing is acknowledged.
    pub low_water_mib: u64,
    /// Cache of the view, which uses several times as much memory.
    pub cache_bytes: u64,
}

impl EmbeddedOptions {
    /// The defaults for a store in `folder`.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            segment_bytes: journal::SEGMENT_BYTES,
            checkpoint_every: Duration::from_secs(10),
            low_water_mib: 256,
            cache_bytes: 64 << 20,
        }
    }
}

/// The journal and its view.
#[derive(Debug)]
pub struct EmbeddedStore {
    inner: Arc<Inner>,
    messages: mpsc::Sender<Message>,
    threads: Mutex<Option<Threads>>,
    start: Start,
}

#[derive(Debug)]
struct Threads {
    writer: JoinHandle<()>,
    checkpointer: JoinHandle<()>,
    /// Dropped to stop the checkpointer.
    stop_checkpointer: blocking_mpsc::Sender<()>,
}

/// What the callers, the writer and the checkpointer share.
#[derive(Debug)]
struct Inner {
    /// Gone once the store is closed.
    view: Mutex<Option<Arc<View>>>,
    reader: JournalReader,
    store: [u8; 16],
    catalogue: Mutex<Catalogue>,
    presence: Mutex<PresenceFile>,
    position: watch::Sender<Position>,
    space: Space,
    /// Why nothing is acknowledged any more.
    stopped: Mutex<Option<Unavailable>>,
    lock: Mutex<Option<File>>,
}

impl Inner {
    fn view(&self) -> Result<Arc<View>, Unavailable> {
        self.view.lock().unwrap_or_else(PoisonError::into_inner).clone().ok_or(Unavailable::Closed)
    }

    fn catalogue(&self) -> MutexGuard<'_, Catalogue> {
        self.catalogue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stopped(&self) -> MutexGuard<'_, Option<Unavailable>> {
        self.stopped.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a commit has a chance now.
    fn writable(&self) -> Result<(), Unavailable> {
        match self.stopped().clone() {
            Some(unavailable) => Err(unavailable),
            None => self.space.check(),
        }
    }

    /// Acknowledges nothing any more until the process starts again.
    fn fail(&self, error: &(dyn Error + 'static)) -> Unavailable {
        let mut stopped = self.stopped();
        if stopped.is_none() {
            tracing::error!(
                error,
                "the disk failed to keep what was written; nothing is acknowledged until a restart"
            );
            *stopped = Some(Unavailable::DiskFailed);
        }
        stopped.clone().unwrap_or(Unavailable::DiskFailed)
    }
}

impl EmbeddedStore {
    /// Opens the store, or makes it; reads the whole view, and makes that again from the journal if it is damaged.
    pub async fn open(options: EmbeddedOptions) -> Result<Self, StoreError> {
        tokio::task::spawn_blocking(move || Self::open_blocking(&options))
            .await
            .map_err(|error| StoreError::View(Arc::new(error)))?
    }

    fn open_blocking(options: &EmbeddedOptions) -> Result<Self, StoreError> {
        let Opened { lock, journal, view, catalogue, presence, chain, start } = open::open(options)?;
        let view = Arc::new(view);
        let inner = Arc::new(Inner {
            view: Mutex::new(Some(Arc::clone(&view))),
            reader: journal.reader(),
            store: journal.store(),
            catalogue: Mutex::new(catalogue),
            presence: Mutex::new(presence),
            position: watch::Sender::new(Position::from_number(journal.last())),
            space: Space::new(&options.folder, options.low_water_mib),
            stopped: Mutex::new(None),
            lock: Mutex::new(Some(lock)),
        });
        let (messages, receiver) = mpsc::channel(WAITING_COMMITS);
        let writer =
            Writer { journal, view: Arc::clone(&view), inner: Arc::clone(&inner), messages: receiver, chain };
        let (stop_checkpointer, stop) = blocking_mpsc::channel();
        let checkpoints = Places::under(&options.folder).checkpoint;
        let every = options.checkpoint_every;
        let of_checkpointer = Arc::clone(&inner);
        // Before the threads begin, or what the writer applies first would count as kept.
        let kept = view.applied();
        let spawn = |name: &str, work: Box<dyn FnOnce() + Send>| {
            thread::Builder::new()
                .name(name.to_owned())
                .spawn(work)
                .map_err(StoreError::io("start a thread for", &options.folder))
        };
        let threads = Threads {
            writer: spawn("store-writer", Box::new(move || run_writer(writer)))?,
            checkpointer: spawn(
                "store-checkpoint",
                Box::new(move || keep_checkpoints(&of_checkpointer, &view, kept, &checkpoints, every, &stop)),
            )?,
            stop_checkpointer,
        };
        Ok(Self { inner, messages, threads: Mutex::new(Some(threads)), start })
    }

    /// What opening it found and did.
    pub fn start(&self) -> &Start {
        &self.start
    }

    /// Checks every frame of the journal and its chain, and returns how many there are.
    pub async fn verify(&self) -> Result<u64, StoreError> {
        self.blocking(|inner, _| inner.reader.verify(inner.position.borrow().number())).await
    }

    /// Runs a read on a thread that may block.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Inner, &View) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let inner = Arc::clone(&self.inner);
        tokio::task::spawn_blocking(move || {
            let view = inner.view()?;
            work(&inner, &view)
        })
        .await
        .map_err(|error| StoreError::View(Arc::new(error)))?
    }
}

#[async_trait]
impl Store for EmbeddedStore {
    async fn commit(&self, commits: Vec<Commit>) -> Vec<Result<Position, CommitError>> {
        let mut bounded = Vec::with_capacity(commits.len());
        // What breaks a bound is answered here; the writer never sees it.
        let refused: Vec<Option<CommitError>> = commits
            .into_iter()
            .map(|commit| {
                let checked = check_bounds(&commit);
                if checked.is_ok() {
                    let writes = audit::digest_of_commit(&commit);
                    bounded.push(Digested { commit, writes });
                }
                checked.err()
            })
            .collect();
        let count = bounded.len();
        let (reply, results) = oneshot::channel();
        let done = match self.messages.send(Message::Commit { commits: bounded, reply }).await {
            Ok(()) => results.await.ok(),
            Err(_) => None,
        };
        let done = done.unwrap_or_else(|| {
            let why = self.inner.stopped().clone().unwrap_or(Unavailable::Closed);
            vec![Err(why.into()); count]
        });
        let mut done = done.into_iter();
        refused
            .into_iter()
            .map(|refused| match refused {
                Some(error) => Err(error),
                None => done.next().expect("the writer answers as many as it was asked"),
            })
            .collect()
    }

    async fn get(&self, keys: &[Key]) -> Result<Vec<Option<Versioned>>, StoreError> {
        // A few records come from the view's cache within microseconds; waking another thread for them costs several
        // times that, and an observation reads ten times. What isn't in the cache is one read of the disk.
        if keys.len() <= FEW_KEYS
            && let Some(found) = self.inner.view()?.get_now(keys)
        {
            return found;
        }
        let keys = keys.to_vec();
        self.blocking(move |_, view| view.get(&keys)).await
    }

    async fn scan(
        &self,
        prefix: &[u8],
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Vec<(Key, Versioned)>, StoreError> {
        let (prefix, after) = (prefix.to_vec(), after.cloned());
        self.blocking(move |_, view| view.scan(&prefix, after.as_ref(), limit.max(1))).await
    }

    async fn changes(&self, after: Position, limit: usize) -> Result<Vec<Change>, StoreError> {
        self.blocking(move |inner, _| {
            let newest = *inner.position.borrow();
            let oldest = Position::from_number(inner.reader.oldest());
            if after > newest || after < oldest {
                return Err(StoreError::OutOfRange { after, oldest, newest });
            }
            let entries = inner.reader.read(after.number(), newest.number(), limit.max(1))?;
            entries
                .into_iter()
                .map(|(sequence, entry)| {
                    let position = Position::from_number(sequence);
                    entry.into_change(position).map_err(|error| StoreError::View(Arc::new(error)))
                })
                .collect()
        })
        .await
    }

    async fn intern(&self, items: Vec<CatalogueItem>) -> Result<Vec<CatalogueId>, StoreError> {
        items.iter().try_for_each(check_catalogue_item)?;
        self.inner.view()?;
        let mut ids = Vec::with_capacity(items.len());
        for item in items {
            if self.inner.catalogue().pending_bytes() >= PENDING_CATALOGUE_BYTES {
                self.flush_catalogue().await?;
            }
            ids.push(self.inner.catalogue().intern(item));
        }
        Ok(ids)
    }

    async fn catalogue(&self, ids: &[CatalogueId]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        let ids = ids.to_vec();
        self.blocking(move |inner, view| {
            ids.into_iter()
                .map(|id| {
                    // Before the view: an item leaves the catalogue's memory only once the view has it.
                    let fresh = inner.catalogue().fresh(id);
                    fresh.map_or_else(|| view.catalogue(id), |value| Ok(Some(value)))
                })
                .collect()
        })
        .await
    }

    async fn put_presence(&self, presences: Vec<Presence>) -> Result<(), StoreError> {
        presences.iter().try_for_each(check_presence)?;
        self.blocking(move |inner, _| {
            inner.writable()?;
            inner.presence.lock().unwrap_or_else(PoisonError::into_inner).put(presences)
        })
        .await
    }

    async fn presence(&self) -> Result<Vec<(Key, Vec<u8>)>, StoreError> {
        self.blocking(|inner, _| Ok(inner.presence.lock().unwrap_or_else(PoisonError::into_inner).all()))
            .await
    }

    async fn position(&self) -> Position {
        *self.inner.position.borrow()
    }

    fn watch_position(&self) -> watch::Receiver<Position> {
        self.inner.position.subscribe()
    }

    fn health(&self) -> Result<(), Unavailable> {
        self.inner.writable()
    }

    async fn close(&self) -> Result<(), StoreError> {
        let threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(Threads { writer, checkpointer, stop_checkpointer }) = threads else { return Ok(()) };
        // An error means that the writer has stopped already.
        let _ = self.messages.send(Message::Close).await;
        let inner = Arc::clone(&self.inner);
        let closed = move || {
            let written = writer.join();
            // Only now, so that the last checkpoint has everything.
            drop(stop_checkpointer);
            let joined = [written, checkpointer.join()];
            inner.stopped().get_or_insert(Unavailable::Closed);
            inner.view.lock().unwrap_or_else(PoisonError::into_inner).take();
            inner.lock.lock().unwrap_or_else(PoisonError::into_inner).take();
            if joined.iter().any(Result::is_err) {
                return Err(StoreError::Unavailable(Unavailable::DiskFailed));
            }
            Ok(())
        };
        tokio::task::spawn_blocking(closed).await.map_err(|error| StoreError::View(Arc::new(error)))?
    }
}

impl EmbeddedStore {
    /// Brings the new catalogue items to disk without waiting for somebody's commit.
    async fn flush_catalogue(&self) -> Result<(), StoreError> {
        let commit = Commit {
            kind: "store.catalogue".to_owned(),
            time: SystemClock.now(),
            actor: "store".to_owned(),
            expected: Vec::new(),
            writes: Vec::new(),
            audit: None,
        };
        match self.commit(vec![commit]).await.pop() {
            Some(Err(CommitError::Unavailable(unavailable))) => Err(unavailable.into()),
            Some(Ok(_) | Err(_)) | None => Ok(()),
        }
    }
}

/// Runs the writer; a defect in it stops all acknowledging and isn't passed over.
fn run_writer(writer: Writer) {
    let inner = Arc::clone(&writer.inner);
    if catch_unwind(AssertUnwindSafe(|| writer.run())).is_err() {
        inner.fail(&io::Error::other("the writer panicked"));
    }
}

/// Brings the view to disk now and then, and once more at the end.
fn keep_checkpoints(
    inner: &Inner,
    view: &View,
    mut kept: u64,
    path: &Path,
    every: Duration,
    stop: &blocking_mpsc::Receiver<()>,
) {
    loop {
        let is_stopping = !matches!(stop.recv_timeout(every), Err(blocking_mpsc::RecvTimeoutError::Timeout));
        if view.applied() != kept {
            let checkpoint = || -> Result<u64, StoreError> {
                let sequence = view.checkpoint()?;
                Checkpoint { store: inner.store, sequence }.write(path)?;
                Ok(sequence)
            };
            match catch_unwind(AssertUnwindSafe(checkpoint)) {
                Ok(Ok(sequence)) => kept = sequence,
                // The last one still stands, and the next try may find space.
                Ok(Err(StoreError::Io { source, .. })) if source.kind() == io::ErrorKind::StorageFull => {
                    tracing::warn!(error = %source, "no space for a checkpoint of the view");
                }
                Ok(Err(error)) => {
                    inner.fail(&error);
                }
                Err(_) => {
                    inner.fail(&io::Error::other("the view's engine panicked"));
                }
            }
        }
        if is_stopping {
            return;
        }
    }
}
