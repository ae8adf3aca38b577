//! Reads the journal by position, beside the writer.
//!
//! Knows nothing of the view. It opens the files anew for each read and keeps only marks, so that any number of
//! followers cost nothing while they wait.

use std::{
    fs::File,
    io::{BufReader, Seek, SeekFrom},
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock},
};

use crate::store::{
    StoreError,
    bounds::within_page,
    journal::{
        Mark,
        entry::Entry,
        frame::{self, Chain, FrameReader, Next},
        push_mark,
        recover::{describe, out_of_chain},
        segment::{self, SegmentHeader},
    },
};

/// The segments, as the writer and the readers share them.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) folder: PathBuf,
    pub(super) segments: RwLock<Vec<Segment>>,
}

/// What is known of one segment.
#[derive(Debug, Clone)]
pub(super) struct Segment {
    pub(super) header: SegmentHeader,
    /// Places of some of its frames, in order.
    pub(super) marks: Vec<Mark>,
}

/// Reads entries; cheap to copy.
#[derive(Debug, Clone)]
pub(crate) struct JournalReader {
    pub(super) shared: Arc<Shared>,
}

/// Gets each frame's sequence and payload, and says whether to go on.
type Visitor<'a> = dyn FnMut(u64, &[u8]) -> Result<bool, StoreError> + 'a;

/// How a segment was left.
enum Left {
    /// The page is full, or `up_to` was reached.
    Enough,
    /// The segment ended after this frame.
    After { sequence: u64, chain: Option<Chain> },
}

impl JournalReader {
    /// The sequence after which every entry is kept.
    pub(crate) fn oldest(&self) -> u64 {
        let segments = self.shared.segments.read().unwrap_or_else(PoisonError::into_inner);
        segments.first().map_or(0, |segment| segment.header.first - 1)
    }

    /// The entries after `after` and up to `up_to` (which must be durable), at most `limit` and about a page of bytes.
    ///
    /// Every frame is checked against its checksum and against the chain.
    pub(crate) fn read(&self, after: u64, up_to: u64, limit: usize) -> Result<Vec<(u64, Entry)>, StoreError> {
        let mut entries = Vec::new();
        let mut bytes = 0;
        self.visit(after, up_to, &mut |sequence, payload| {
            if entries.len() >= limit || !within_page(&mut bytes, payload.len()) {
                return Ok(false);
            }
            let entry = Entry::read(payload).map_err(|error| {
                StoreError::damaged(&self.shared.folder, format!("entry {sequence} can't be used: {error}"))
            })?;
            entries.push((sequence, entry));
            Ok(true)
        })?;
        Ok(entries)
    }

    /// Checks every frame that is kept up to `up_to`, and returns how many there were.
    pub(crate) fn verify(&self, up_to: u64) -> Result<u64, StoreError> {
        let mut count = 0;
        self.visit(self.oldest(), up_to, &mut |_, _| {
            count += 1;
            Ok(true)
        })?;
        Ok(count)
    }

    /// Calls `each` for the frames after `after` up to `up_to` until it returns false.
    fn visit(&self, after: u64, up_to: u64, each: &mut Visitor<'_>) -> Result<(), StoreError> {
        if after >= up_to {
            return Ok(());
        }
        let firsts: Vec<u64> = {
            let segments = self.shared.segments.read().unwrap_or_else(PoisonError::into_inner);
            let from =
                segments.partition_point(|segment| segment.header.first <= after + 1).saturating_sub(1);
            segments[from..].iter().map(|segment| segment.header.first).collect()
        };
        let mut ended = None;
        for first in firsts {
            match self.visit_segment(first, ended, after, up_to, each)? {
                Left::Enough => return Ok(()),
                Left::After { sequence, chain } => ended = Some((sequence, chain)),
            }
        }
        Err(StoreError::damaged(
            &self.shared.folder,
            format!(
                "the entries end with {}, though {up_to} was acknowledged: restore a backup",
                ended.map_or(after, |(sequence, _)| sequence)
            ),
        ))
    }

    fn visit_segment(
        &self,
        first: u64,
        ended: Option<(u64, Option<Chain>)>,
        after: u64,
        up_to: u64,
        each: &mut Visitor<'_>,
    ) -> Result<Left, StoreError> {
        let path = segment::path(&self.shared.folder, first);
        let (header, start) = self.start(first, after + 1);
        if let Some((sequence, chain)) = ended
            && (header.first != sequence + 1 || chain.is_some_and(|chain| chain != header.chain))
        {
            return Err(StoreError::damaged(
                path,
                format!(
                    "it does not follow entry {sequence}, with which the segment before ends: restore a backup"
                ),
            ));
        }
        let mut file = File::open(&path).map_err(StoreError::io("open", &path))?;
        file.seek(SeekFrom::Start(start.offset)).map_err(StoreError::io("read", &path))?;
        let mut frames =
            FrameReader::new(BufReader::with_capacity(64 << 10, file), header.salt, start.offset);
        let mut sequence = start.sequence - 1;
        let mut chain = (start.sequence == header.first).then_some(header.chain);
        let mut marks = Vec::new();
        let left = loop {
            if sequence >= up_to {
                break Left::Enough;
            }
            let offset = frames.offset();
            match frames.next().map_err(StoreError::io("read", &path))? {
                Next::End => break Left::After { sequence, chain },
                Next::Fault(fault) => {
                    return Err(StoreError::damaged(
                        path,
                        format!(
                            "entry {} at byte {offset} is {}: restore a backup",
                            sequence + 1,
                            describe(fault)
                        ),
                    ));
                }
                Next::Frame(found) => {
                    sequence += 1;
                    let follows = chain.is_none_or(|chain| {
                        found.chain == frame::next_chain(&chain, sequence, frames.payload())
                    });
                    if found.sequence != sequence || !follows {
                        return Err(out_of_chain(&path, offset, sequence));
                    }
                    chain = Some(found.chain);
                    push_mark(&mut marks, Mark { sequence, offset });
                    if sequence > after && !each(sequence, frames.payload())? {
                        break Left::Enough;
                    }
                }
            }
        };
        self.keep_marks(first, marks);
        Ok(left)
    }

    /// The header of a segment and the nearest known place at or before a frame.
    fn start(&self, first: u64, wanted: u64) -> (SegmentHeader, Mark) {
        let segments = self.shared.segments.read().unwrap_or_else(PoisonError::into_inner);
        let place = segments.partition_point(|segment| segment.header.first < first);
        let segment = &segments[place];
        let before = segment.marks.partition_point(|mark| mark.sequence <= wanted);
        let mark = before.checked_sub(1).map_or_else(
            || Mark { sequence: segment.header.first, offset: segment::HEADER_BYTES as u64 },
            |place| segment.marks[place],
        );
        (segment.header.clone(), mark)
    }

    /// Remembers places that were passed while reading, so that the next read starts nearer.
    fn keep_marks(&self, first: u64, marks: Vec<Mark>) {
        let mut segments = self.shared.segments.write().unwrap_or_else(PoisonError::into_inner);
        let place = segments.partition_point(|segment| segment.header.first < first);
        if let Some(segment) = segments.get_mut(place) {
            for mark in marks {
                push_mark(&mut segment.marks, mark);
            }
        }
    }
}
