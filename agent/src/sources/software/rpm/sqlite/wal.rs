//! SQLite's write-ahead log: pages that are committed and not yet in the database's own file.
//!
//! Knows nothing of what the pages hold. A frame counts when it has the log's salts, its checksum continues that of
//! the frame before, and a commit follows; what lies behind the last such commit was never finished or is the rest of
//! an older log.

use crate::sources::software::rpm::record::{Fault, Storage, number::u32_be};

/// Ends with the byte order in which checksums are made.
const MAGIC_LITTLE: u32 = 0x377f_0682;
const MAGIC_BIG: u32 = 0x377f_0683;
const VERSION: u32 = 3_007_000;

const HEADER: usize = 32;
const FRAME_HEADER: usize = 24;
/// Where the second of the two salts ends that a frame repeats from the header.
const FRAME_SALTS: std::ops::Range<usize> = 8..16;
const HEADER_SALTS: std::ops::Range<usize> = 16..24;
/// What a checksum covers of a header before its own place, and of a frame's.
const HEADER_SUMMED: usize = 24;
const FRAME_SUMMED: usize = 8;

/// A gigabyte of usual pages; SQLite writes a log back when it has a thousand.
const FRAMES_LIMIT: usize = 262_144;

/// The newest committed frame of each page.
pub(super) struct Wal<'a> {
    file: &'a dyn Storage,
    page_bytes: usize,
    /// Page and frame, sorted by page, each page once.
    frames: Vec<(u32, u32)>,
    /// How many pages the database has after the last commit.
    pub(super) pages: u32,
}

impl<'a> Wal<'a> {
    /// Reads a log; `None` when nothing in it counts.
    pub(super) fn open(file: &'a dyn Storage, page_bytes: usize) -> Result<Option<Self>, Fault> {
        if file.length() < length(HEADER + FRAME_HEADER) {
            return Ok(None);
        }
        let mut header = [0; HEADER];
        file.read_at(0, &mut header)?;
        let big_endian = match u32_be(&header, 0) {
            MAGIC_LITTLE => false,
            MAGIC_BIG => true,
            _ => return Ok(None),
        };
        let mut sum = Checksum { big_endian, low: 0, high: 0 };
        sum.add(&header[..HEADER_SUMMED]);
        // SQLite too takes a log with a torn header for an empty one.
        if !sum.equals(&header[HEADER_SUMMED..]) || u32_be(&header, 4) != VERSION {
            return Ok(None);
        }
        if usize::try_from(u32_be(&header, 8)).ok() != Some(page_bytes) {
            return Err(Fault::Malformed("its pages are not as long as those of the database"));
        }
        let mut wal = Self { file, page_bytes, frames: Vec::new(), pages: 0 };
        wal.read_frames(&header[HEADER_SALTS], sum)?;
        Ok((wal.pages > 0).then_some(wal))
    }

    fn read_frames(&mut self, salts: &[u8], mut sum: Checksum) -> Result<(), Fault> {
        let mut bytes = vec![0; FRAME_HEADER + self.page_bytes];
        let frame_bytes = length(bytes.len());
        let count = self.file.length().saturating_sub(length(HEADER)) / frame_bytes;
        let mut committed = 0;
        for frame in 0..u32::try_from(count).unwrap_or(u32::MAX) {
            if self.frames.len() == FRAMES_LIMIT {
                return Err(Fault::TooLarge("its write-ahead log has more frames than the agent reads"));
            }
            self.file.read_at(length(HEADER) + u64::from(frame) * frame_bytes, &mut bytes)?;
            let (header, page) = bytes.split_at(FRAME_HEADER);
            let number = u32_be(header, 0);
            if &header[FRAME_SALTS] != salts || number == 0 {
                break;
            }
            sum.add(&header[..FRAME_SUMMED]);
            sum.add(page);
            if !sum.equals(&header[FRAME_SALTS.end..]) {
                break;
            }
            self.frames.push((number, frame));
            let pages = u32_be(header, 4);
            if pages != 0 {
                self.pages = pages;
                committed = self.frames.len();
            }
        }
        self.frames.truncate(committed);
        self.frames.sort_unstable_by_key(|(page, frame)| (*page, std::cmp::Reverse(*frame)));
        self.frames.dedup_by_key(|(page, _)| *page);
        Ok(())
    }

    /// Where in the log the newest content of a page starts.
    pub(super) fn place(&self, page: u32) -> Option<u64> {
        let index = self.frames.binary_search_by_key(&page, |(page, _)| *page).ok()?;
        let (_, frame) = self.frames.get(index)?;
        let frame_bytes = length(FRAME_HEADER + self.page_bytes);
        Some(length(HEADER + FRAME_HEADER) + u64::from(*frame) * frame_bytes)
    }

    /// How many pages the log has the content of.
    pub(super) fn page_count(&self) -> u64 {
        length(self.frames.len())
    }

    /// The log's file.
    pub(super) fn file(&self) -> &'a dyn Storage {
        self.file
    }
}

fn length(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

/// SQLite's sum over pairs of words.
struct Checksum {
    big_endian: bool,
    low: u32,
    high: u32,
}

impl Checksum {
    /// Adds bytes, a multiple of eight.
    fn add(&mut self, bytes: &[u8]) {
        let word = if self.big_endian { u32::from_be_bytes } else { u32::from_le_bytes };
        for &[a, b, c, d, e, f, g, h] in bytes.as_chunks::<8>().0 {
            self.low = self.low.wrapping_add(word([a, b, c, d])).wrapping_add(self.high);
            self.high = self.high.wrapping_add(word([e, f, g, h])).wrapping_add(self.low);
        }
    }

    /// Whether this is what stands at the start of `bytes`.
    fn equals(&self, bytes: &[u8]) -> bool {
        u32_be(bytes, 0) == self.low && u32_be(bytes, 4) == self.high
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: usize = 512;

    /// A log whose frames each fill their page with one value.
    struct Log {
        bytes: Vec<u8>,
        salts: [u8; 8],
        sum: Checksum,
    }

    impl Log {
        fn new(big_endian: bool) -> Self {
            let magic = if big_endian { MAGIC_BIG } else { MAGIC_LITTLE };
            let salts = [1, 2, 3, 4, 5, 6, 7, 8];
            let page_bytes = u32::try_from(PAGE).unwrap();
            let mut bytes: Vec<u8> =
                [magic, VERSION, page_bytes, 0].iter().flat_map(|n| n.to_be_bytes()).collect();
            bytes.extend(salts);
            let mut sum = Checksum { big_endian, low: 0, high: 0 };
            sum.add(&bytes);
            bytes.extend([sum.low, sum.high].iter().flat_map(|n| n.to_be_bytes()));
            Self { bytes, salts, sum }
        }

        /// Adds a frame; `commit` is how many pages the database has then, 0 where nothing is committed.
        fn frame(mut self, page: u32, value: u8, commit: u32) -> Self {
            let head: Vec<u8> = [page, commit].iter().flat_map(|n| n.to_be_bytes()).collect();
            let content = [value; PAGE];
            self.sum.add(&head);
            self.sum.add(&content);
            self.bytes.extend(head);
            self.bytes.extend(self.salts);
            self.bytes.extend([self.sum.low, self.sum.high].iter().flat_map(|n| n.to_be_bytes()));
            self.bytes.extend(content);
            self
        }

        /// What the frames that count hold for the pages 1 to 4; 0 for a page that has none.
        fn values(&self) -> [u8; 4] {
            let bytes = self.bytes.as_slice();
            let Some(wal) = Wal::open(&bytes, PAGE).unwrap() else { return [0; 4] };
            [1, 2, 3, 4].map(|page| {
                let mut value = [0];
                if let Some(place) = wal.place(page) {
                    wal.file().read_at(place, &mut value).unwrap();
                }
                value[0]
            })
        }
    }

    #[test]
    fn the_newest_committed_content_of_a_page_counts() {
        for big_endian in [false, true] {
            let log = Log::new(big_endian);
            assert_eq!(log.values(), [0; 4]);
            let log = log.frame(1, 11, 0).frame(2, 12, 3).frame(2, 22, 0).frame(1, 21, 3).frame(3, 33, 0);
            assert_eq!(log.values(), [21, 22, 0, 0], "big endian: {big_endian}");
        }
    }

    #[test]
    fn what_an_older_log_left_behind_does_not_count() {
        let mut log = Log::new(false).frame(1, 11, 2);
        log.salts[0] ^= 1;
        let log = log.frame(2, 12, 2);
        assert_eq!(log.values(), [11, 0, 0, 0]);
    }

    #[test]
    fn a_torn_frame_ends_the_log() {
        let log = Log::new(false).frame(1, 11, 2).frame(2, 12, 2).frame(3, 13, 3);
        let frame = FRAME_HEADER + PAGE;
        for (at, expected) in [
            (0, [0; 4]),
            (HEADER_SALTS.start, [0; 4]),
            (HEADER + 3, [0; 4]),
            (HEADER + frame + FRAME_HEADER + 7, [11, 0, 0, 0]),
            (HEADER + 2 * frame + FRAME_SALTS.end, [11, 12, 0, 0]),
        ] {
            let mut torn = Log { bytes: log.bytes.clone(), salts: log.salts, sum: Log::new(false).sum };
            torn.bytes[at] ^= 1;
            assert_eq!(torn.values(), expected, "byte {at}");
            torn.bytes = log.bytes[..log.bytes.len() - 1].to_vec();
            assert_eq!(torn.values(), [11, 12, 0, 0]);
        }
        let bytes = log.bytes.as_slice();
        assert!(Wal::open(&bytes, 2 * PAGE).is_err());
    }
}
