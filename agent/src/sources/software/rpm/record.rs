//! The seams between the three database formats and what they hold: bytes at any place, and one record of them.
//!
//! Knows nothing of a format and of a header. Databases have hundreds of megabytes and the agent may use fifteen, so
//! nothing here is ever read whole; and since each byte of a sound file belongs to one record at most, the lengths of
//! all records together are bounded by the file's, which bounds the time that a hostile one can take.

use muster_common::inventory::{ErrorKind, SourceError};

use crate::{
    host::HostError,
    sources::{
        part::{ITEMS_LIMIT, Problems},
        software::rpm::{
            files,
            header::{self, Header},
        },
    },
};

/// Bytes at any place of a file.
pub(crate) trait Storage {
    /// Its length in bytes when it was opened.
    fn length(&self) -> u64;

    /// Fills the buffer from `offset` on; a file that ends before is a fault.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), Fault>;
}

/// One record of a database: a package's header, wherever its bytes lie.
pub(crate) trait Record {
    /// Its length in bytes.
    fn length(&self) -> u64;

    /// Fills the buffer from `offset` of the record on; cheap when places ascend.
    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> Result<(), Fault>;
}

/// Why a record or a whole database could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// It is not what the format demands.
    #[error("{0}")]
    Malformed(&'static str),
    /// The file ends before the bytes that its own structure names.
    #[error("the file has {length} bytes and something is expected at {offset}")]
    Short {
        /// Where something is expected.
        offset: u64,
        /// The length of the file.
        length: u64,
    },
    /// More than the agent reads.
    #[error("{0}")]
    TooLarge(&'static str),
    /// The file itself could not be read.
    #[error(transparent)]
    Host(#[from] HostError),
}

impl Fault {
    /// As an entry about `subject`.
    pub(crate) fn about(self, subject: String) -> SourceError {
        let message = self.to_string();
        let kind = match self {
            Self::Malformed(_) | Self::Short { .. } => ErrorKind::Malformed,
            Self::TooLarge(_) => ErrorKind::TooLarge,
            Self::Host(error) => return SourceError { subject, ..error.into() },
        };
        SourceError { subject, kind, message }
    }
}

impl Storage for [u8] {
    fn length(&self) -> u64 {
        u64::try_from(self.len()).unwrap_or(u64::MAX)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), Fault> {
        let short = Fault::Short { offset, length: self.length() };
        let Ok(start) = usize::try_from(offset) else { return Err(short) };
        match start.checked_add(buffer.len()).and_then(|end| self.get(start..end)) {
            Some(bytes) => {
                buffer.copy_from_slice(bytes);
                Ok(())
            }
            None => Err(short),
        }
    }
}

impl<T: Storage + ?Sized> Storage for &T {
    fn length(&self) -> u64 {
        (**self).length()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), Fault> {
        (**self).read_at(offset, buffer)
    }
}

impl Record for &[u8] {
    fn length(&self) -> u64 {
        Storage::length(*self)
    }

    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> Result<(), Fault> {
        Storage::read_at(*self, offset, buffer)
    }
}

/// Takes the name of a package, a folder with its closing slash, and a name in it.
pub(crate) type Each<'a> = dyn FnMut(&str, &[u8], &[u8]) + 'a;

/// Where the packages of a database go, with what was wrong.
pub(crate) struct Found<'a> {
    path: &'a str,
    /// Bytes that records may still have together.
    budget: u64,
    /// The packages.
    pub(crate) packages: Vec<Header>,
    /// Who wants the packages' files.
    files: Option<&'a mut Each<'a>>,
    problems: &'a mut Problems,
}

/// Which pages of a file were read already, so that pages which name each other in a circle end.
pub(crate) struct Visited {
    words: Vec<u64>,
    pages: u64,
}

impl Visited {
    /// For a file of `pages` pages, numbered from 0.
    pub(crate) fn new(pages: u64) -> Self {
        Self { words: vec![0; usize::try_from(pages.div_ceil(64)).unwrap_or(0)], pages }
    }

    /// Marks a page; a fault when it is none of the file's or was marked before.
    pub(crate) fn enter(&mut self, page: u32) -> Result<(), Fault> {
        let word = usize::try_from(page / 64).ok().and_then(|word| self.words.get_mut(word));
        match word.filter(|_| u64::from(page) < self.pages) {
            None => Err(Fault::Malformed("a page is named that the file does not have")),
            Some(word) if *word & (1 << (page % 64)) != 0 => Err(Fault::Malformed("a page is named twice")),
            Some(word) => {
                *word |= 1 << (page % 64);
                Ok(())
            }
        }
    }
}

/// Whether reading goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// There is room for more.
    GoOn,
    /// A bound is reached, which is a problem already.
    Stop,
}

impl<'a> Found<'a> {
    /// For the database at `path`, whose files have `bytes` bytes together.
    pub(crate) fn new(path: &'a str, bytes: u64, problems: &'a mut Problems) -> Self {
        Self { path, budget: bytes, packages: Vec::new(), files: None, problems }
    }

    /// Also hands each file over.
    pub(crate) fn with_files(self, files: &'a mut Each<'a>) -> Self {
        Self { files: Some(files), ..self }
    }

    /// Takes a record; `place` says where it is, such as `record 7`.
    pub(crate) fn take(&mut self, record: &mut dyn Record, place: impl FnOnce() -> String) -> Next {
        if self.packages.len() >= ITEMS_LIMIT {
            self.fault(Fault::TooLarge("more packages than the agent lists"), place);
            return Next::Stop;
        }
        match header::parse(record, &mut self.budget) {
            Ok(header) if header.is_public_key() => {}
            Ok(header) => {
                if let Some(each) = &mut self.files
                    && let Err(fault) = files::each(record, |folder, name| each(&header.name, folder, name))
                {
                    self.fault(fault, place);
                }
                self.packages.push(header);
            }
            Err(fault) => self.fault(fault, place),
        }
        Next::GoOn
    }

    /// Notes what is wrong with `place`.
    pub(crate) fn fault(&mut self, fault: Fault, place: impl FnOnce() -> String) {
        self.problems.add_entry(fault.about(format!("{} {}", self.path, place())));
    }

    /// Notes what is wrong with the database as a whole.
    pub(crate) fn fault_of_file(&mut self, fault: Fault) {
        self.problems.add_entry(fault.about(self.path.to_owned()));
    }
}

/// Numbers at fixed places; a place outside of the bytes reads as zero, which every caller refuses or bounds.
pub(super) mod number {
    fn array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
        bytes.get(at..).and_then(|rest| rest.first_chunk()).copied().unwrap_or([0; N])
    }

    pub(in crate::sources::software::rpm) fn u16_be(bytes: &[u8], at: usize) -> u16 {
        u16::from_be_bytes(array(bytes, at))
    }

    pub(in crate::sources::software::rpm) fn u32_be(bytes: &[u8], at: usize) -> u32 {
        u32::from_be_bytes(array(bytes, at))
    }

    pub(in crate::sources::software::rpm) fn u32_le(bytes: &[u8], at: usize) -> u32 {
        u32::from_le_bytes(array(bytes, at))
    }

    pub(in crate::sources::software::rpm) fn u64_be(bytes: &[u8], at: usize) -> u64 {
        u64::from_be_bytes(array(bytes, at))
    }
}
