//! The journal: every commit's effects in order, on disk before anybody is told so. It is the truth of the embedded
//! store; the view and the index can be made again from it.
//!
//! Knows nothing of the view, of revisions being right and of who waits. One writer owns it; readers run beside.
//!
//! # On disk
//! A folder of segments, `FIRST.segment`, where FIRST is the sequence of its first frame in 20 digits. Nothing that was
//! written is ever written again; a new segment begins past 64 MiB. All numbers are little-endian.
//!
//! ```text
//! segment  = header frame*
//! header   = "MUSTERJ1" salt:16 store:16 first:u64 previous_first:u64 chain:32 crc32c:u32          92 bytes
//! frame    = "MJf1" length:u32 sequence:u64 durable:u64 chain:32 crc32c:u32 payload:length         60 bytes and payload
//! ```
//! - `crc32c` of a header covers the bytes before it; of a frame the segment's salt, the frame's bytes from `length` to
//!   `chain`, and the payload. The salt is random, so that no value that was sent in can pass for a frame.
//! - `sequence` rises by one from frame to frame over all segments, from 1.
//! - `chain` = BLAKE3(chain of the frame before ‖ sequence ‖ payload); before the first frame it is 32 random bytes.
//!   A segment's header repeats the chain with which the segment before ended.
//! - `durable` is the last sequence that was known to be on disk when the frame was written. It tells a torn tail,
//!   which is cut at the next start, from damage, which is an error: see `recover`.
//! - `payload` is an `Entry` of `entry`, protobuf.
//!
//! # When it is durable
//! A group of frames is one write and one `fdatasync`; a new segment is synced, renamed into place, and its folder
//! synced. After an error of a sync nothing is known about what is on disk, so nothing is acknowledged any more until
//! the process starts again and reads it.

pub(crate) mod entry;
mod frame;
mod reader;
mod recover;
mod segment;

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::FileExt,
    path::Path,
    sync::{Arc, PoisonError, RwLock},
};

use fail::fail_point;
use prost::Message;
use uuid::Uuid;

use crate::store::{StoreError, files};

use entry::Entry;
use frame::{Chain, Salt};
pub(crate) use reader::JournalReader;
use reader::{Segment, Shared};
use segment::SegmentHeader;

/// Past this length a segment is followed by a new one.
pub(crate) const SEGMENT_BYTES: u64 = 64 << 20;
/// How far places that are remembered lie apart.
const MARK_BYTES: u64 = 64 << 10;
/// A buffer larger than this isn't kept for the next group.
const KEPT_BUFFER_BYTES: usize = 1 << 20;

/// Where a frame begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Mark {
    sequence: u64,
    offset: u64,
}

/// Keeps a mark if it lies far enough behind the last.
fn push_mark(marks: &mut Vec<Mark>, mark: Mark) {
    if marks.last().is_none_or(|last| mark.offset >= last.offset + MARK_BYTES) {
        marks.push(mark);
    }
}

/// Why a group of entries wasn't appended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AppendError {
    /// Nothing of it was kept; it may be tried again.
    #[error("no space left")]
    NoSpace,
    /// Whether it was kept is unknown, and nothing more can be appended.
    #[error("failed to write the journal")]
    Failed(#[source] io::Error),
}

impl AppendError {
    fn from_write(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::NoSpace,
            _ => Self::Failed(error),
        }
    }
}

/// The writer's side of the journal.
#[derive(Debug)]
pub(crate) struct Journal {
    shared: Arc<Shared>,
    segment_bytes: u64,
    store: [u8; 16],
    active: File,
    salt: Salt,
    first: u64,
    /// Where the next frame goes.
    offset: u64,
    /// The last sequence that is on disk.
    last: u64,
    chain: Chain,
    buffer: Vec<u8>,
    failed: bool,
}

impl Journal {
    /// Opens the journal in `folder` or begins one, and cuts a torn tail.
    ///
    /// An error if it doesn't reach `known_durable`, the last sequence that somebody saw acknowledged.
    pub(crate) fn open(folder: &Path, segment_bytes: u64, known_durable: u64) -> Result<Self, StoreError> {
        files::make_folder(folder)?;
        let mut headers = Vec::new();
        for first in segment::list(folder)? {
            headers.push(segment::read_header(folder, first)?);
        }
        for pair in headers.windows(2) {
            if pair[1].previous_first != pair[0].first || pair[1].store != pair[0].store {
                return Err(StoreError::damaged(
                    segment::path(folder, pair[1].first),
                    format!("it does not follow the segment {:020}: restore a backup", pair[0].first),
                ));
            }
        }
        let Some(newest) = headers.last().cloned() else {
            return Self::begin(folder, segment_bytes, known_durable);
        };
        let path = segment::path(folder, newest.first);
        let recovered = recover::recover(&path, &newest, known_durable)?;
        let active = OpenOptions::new().write(true).open(&path).map_err(StoreError::io("open", &path))?;
        if recovered.torn_bytes > 0 {
            tracing::warn!(
                journal.sequence = recovered.sequence,
                journal.torn_bytes = recovered.torn_bytes,
                "cut an unfinished write off the end of the journal; nothing in it was acknowledged"
            );
            active.set_len(recovered.end).map_err(StoreError::io("cut", &path))?;
        }
        // After a kill the last frames may be in the page cache only; from here on they count as durable.
        sync(&active).map_err(StoreError::io("sync", &path))?;
        let mut segments: Vec<Segment> =
            headers.into_iter().map(|header| Segment { header, marks: Vec::new() }).collect();
        if let Some(segment) = segments.last_mut() {
            segment.marks = recovered.marks;
        }
        Ok(Self {
            shared: Arc::new(Shared { folder: folder.to_owned(), segments: RwLock::new(segments) }),
            segment_bytes,
            store: newest.store,
            active,
            salt: newest.salt,
            first: newest.first,
            offset: recovered.end,
            last: recovered.sequence,
            chain: recovered.chain,
            buffer: Vec::new(),
            failed: false,
        })
    }

    /// Which journal lies in `folder`, if one does.
    pub(crate) fn identify(folder: &Path) -> Result<Option<[u8; 16]>, StoreError> {
        if !folder.is_dir() {
            return Ok(None);
        }
        let newest = segment::list(folder)?.pop();
        newest.map(|first| Ok(segment::read_header(folder, first)?.store)).transpose()
    }

    fn begin(folder: &Path, segment_bytes: u64, known_durable: u64) -> Result<Self, StoreError> {
        if known_durable > 0 {
            return Err(StoreError::damaged(
                folder,
                format!("it is empty, though entry {known_durable} was acknowledged: restore a backup"),
            ));
        }
        let random = || *Uuid::new_v4().as_bytes();
        let mut chain = [0; 32];
        chain[..16].copy_from_slice(&random());
        chain[16..].copy_from_slice(&random());
        let header = SegmentHeader { salt: random(), store: random(), first: 1, previous_first: 0, chain };
        let active = segment::create(folder, &header).map_err(|error| {
            let source = match error {
                AppendError::NoSpace => io::Error::from(io::ErrorKind::StorageFull),
                AppendError::Failed(source) => source,
            };
            StoreError::io("begin the journal in", folder)(source)
        })?;
        let SegmentHeader { salt, store, first, .. } = header;
        let segments = RwLock::new(vec![Segment { header, marks: Vec::new() }]);
        Ok(Self {
            shared: Arc::new(Shared { folder: folder.to_owned(), segments }),
            segment_bytes,
            store,
            active,
            salt,
            first,
            offset: segment::HEADER_BYTES as u64,
            last: 0,
            chain,
            buffer: Vec::new(),
            failed: false,
        })
    }

    /// Drawn when this journal was begun.
    pub(crate) fn store(&self) -> [u8; 16] {
        self.store
    }

    /// The sequence of the last entry; everything up to it is on disk.
    pub(crate) fn last(&self) -> u64 {
        self.last
    }

    /// Reads what stands in it.
    pub(crate) fn reader(&self) -> JournalReader {
        JournalReader { shared: Arc::clone(&self.shared) }
    }

    /// Appends the entries under the next sequences and returns once they are on disk.
    pub(crate) fn append(&mut self, entries: &[Entry]) -> Result<(), AppendError> {
        if self.failed {
            return Err(AppendError::Failed(io::Error::other("an earlier write failed")));
        }
        let appended = self.try_append(entries);
        if matches!(appended, Err(AppendError::Failed(_))) {
            self.failed = true;
        }
        if self.buffer.capacity() > KEPT_BUFFER_BYTES {
            self.buffer = Vec::new();
        }
        appended
    }

    fn try_append(&mut self, entries: &[Entry]) -> Result<(), AppendError> {
        if self.offset >= self.segment_bytes {
            self.begin_segment()?;
        }
        self.buffer.clear();
        let mut marks = Vec::new();
        let mut chain = self.chain;
        let mut sequence = self.last;
        for entry in entries {
            sequence += 1;
            let start = frame::begin(&mut self.buffer);
            push_mark(&mut marks, Mark { sequence, offset: self.offset + start as u64 });
            entry.encode(&mut self.buffer).expect("a vector grows as needed");
            chain = frame::finish(&mut self.buffer, start, &self.salt, sequence, self.last, &chain);
        }
        if let Err(error) = self.write() {
            let error = AppendError::from_write(error);
            // What a failed write left behind must not come back as an entry after a power cut: it was refused.
            self.active
                .set_len(self.offset)
                .and_then(|()| self.active.sync_all())
                .map_err(AppendError::Failed)?;
            return Err(error);
        }
        fail_point!("journal-written");
        sync(&self.active).map_err(AppendError::Failed)?;
        fail_point!("journal-synced");
        self.offset += self.buffer.len() as u64;
        self.last = sequence;
        self.chain = chain;
        let mut segments = self.shared.segments.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(segment) = segments.last_mut() {
            for mark in marks {
                push_mark(&mut segment.marks, mark);
            }
        }
        Ok(())
    }

    fn write(&mut self) -> io::Result<()> {
        fail_point!("journal-write-full", |_| {
            // Half of it is there already, as on a disk that fills up meanwhile.
            let half = self.buffer.len() / 2;
            self.active.write_all_at(&self.buffer[..half], self.offset)?;
            Err(io::Error::from(io::ErrorKind::StorageFull))
        });
        fail_point!("journal-write", |_| Err(io::Error::other("fail point")));
        self.active.write_all_at(&self.buffer, self.offset)
    }

    /// Everything in the segment so far is on disk; the next frame opens a new one.
    fn begin_segment(&mut self) -> Result<(), AppendError> {
        let header = SegmentHeader {
            salt: *Uuid::new_v4().as_bytes(),
            store: self.store,
            first: self.last + 1,
            previous_first: self.first,
            chain: self.chain,
        };
        self.active = segment::create(&self.shared.folder, &header)?;
        self.salt = header.salt;
        self.first = header.first;
        self.offset = segment::HEADER_BYTES as u64;
        let mut segments = self.shared.segments.write().unwrap_or_else(PoisonError::into_inner);
        segments.push(Segment { header, marks: Vec::new() });
        Ok(())
    }
}

/// The one call on which every acknowledgement rests.
fn sync(file: &File) -> io::Result<()> {
    // With this the power-loss proof must fail; it shows that the proof can see a loss.
    fail_point!("journal-skip-sync", |_| Ok(()));
    fail_point!("journal-sync", |_| Err(io::Error::other("fail point")));
    file.sync_data()
}

#[cfg(test)]
mod tests;
