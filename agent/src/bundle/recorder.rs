//! A machine that remembers every answer that it gave.
//!
//! Knows nothing of sources and of what is secret. What was never asked is not remembered, so that a recording holds
//! what an inventory needs and no more; what is too large is remembered as left out.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use crate::host::{
    Body, Content, Entry, Facts, Host, HostError, Listing, LiveFacts, Metadata, Outcome, RandomRead,
    Recording, Refusal, Socket,
};

/// How much is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Of one file, in bytes.
    pub(crate) file_bytes: usize,
    /// Of all files together, in bytes.
    pub(crate) bytes: usize,
    /// Paths.
    pub(crate) paths: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { file_bytes: 64 << 20, bytes: 256 << 20, paths: 500_000 }
    }
}

/// The decorator, for one collection.
pub(crate) struct Recorder<'a> {
    host: &'a dyn Host,
    memory: Rc<RefCell<Memory>>,
}

/// What was answered so far.
#[derive(Debug)]
struct Memory {
    limits: Limits,
    bytes: usize,
    entries: BTreeMap<String, Remembered>,
    sockets: Option<Vec<Socket>>,
    dropped: usize,
}

#[derive(Debug, Default)]
struct Remembered {
    entry: Entry,
    /// What was read here and there; it becomes the content when all is read.
    pieces: Pieces,
}

#[derive(Debug, Default)]
struct Pieces {
    by_offset: BTreeMap<u64, Vec<u8>>,
    size_bytes: Option<u64>,
}

/// A recording, and how many paths it could not take.
#[derive(Debug)]
pub(crate) struct Recorded {
    /// The answers.
    pub(crate) recording: Recording,
    /// Paths that came after the most that are remembered.
    pub(crate) dropped: usize,
}

impl<'a> Recorder<'a> {
    /// Remembers what `host` answers.
    pub(crate) fn new(host: &'a dyn Host, limits: Limits) -> Self {
        let memory = Memory { limits, bytes: 0, entries: BTreeMap::new(), sockets: None, dropped: 0 };
        Self { host, memory: Rc::new(RefCell::new(memory)) }
    }

    /// What was answered.
    pub(crate) fn finish(self) -> Recorded {
        let mut memory = self.memory.borrow_mut();
        let facts = self.host.live().map(|facts| Facts::new(facts, memory.sockets.as_deref()));
        let entries = std::mem::take(&mut memory.entries);
        let entries = entries.into_iter().map(|(path, remembered)| (path, remembered.entry())).collect();
        Recorded { recording: Recording { entries, facts }, dropped: memory.dropped }
    }

    fn content(&self, path: &str, answer: Result<(&[u8], bool), &HostError>) {
        self.memory.borrow_mut().content(path, answer);
    }
}

/// An answer as it is remembered; that nothing is there needs no word.
fn outcome<T, R>(answer: &Result<T, HostError>, found: impl FnOnce(&T) -> R) -> Option<Outcome<R>> {
    match answer {
        Ok(answer) => Some(Outcome::Found(found(answer))),
        Err(error) => Refusal::of(error).map(Outcome::Refused),
    }
}

impl Memory {
    fn entry(&mut self, path: &str) -> Option<&mut Remembered> {
        if !self.entries.contains_key(path) && self.entries.len() == self.limits.paths {
            self.dropped += 1;
            return None;
        }
        Some(self.entries.entry(path.to_owned()).or_default())
    }

    /// Whether so many more bytes of a file may be kept, and takes them off the account.
    fn takes(&mut self, file_bytes: usize, more: usize) -> bool {
        let fits =
            file_bytes <= self.limits.file_bytes && self.bytes.saturating_add(more) <= self.limits.bytes;
        self.bytes += if fits { more } else { 0 };
        fits
    }

    fn content(&mut self, path: &str, answer: Result<(&[u8], bool), &HostError>) {
        let known = self.entries.get(path).and_then(|known| known.entry.content.as_ref());
        let known = known.and_then(Outcome::found).map(|body| body.bytes.len());
        let content = match answer {
            // The longest answer has the others in it.
            Ok((bytes, _)) if known.is_some_and(|known| known >= bytes.len()) => return,
            Ok((bytes, more)) => {
                let length = bytes.len();
                if self.takes(length, length - known.unwrap_or(0)) {
                    let pieces = vec![(0, length)];
                    Outcome::Found(Body { pieces, size_bytes: None, more, bytes: bytes.to_vec() })
                } else {
                    Outcome::Refused(Refusal::LeftOut)
                }
            }
            // Too large as a whole, and yet its beginning is known.
            Err(_) if known.is_some() => return,
            Err(error) => match Refusal::of(error) {
                Some(refusal) => Outcome::Refused(refusal),
                None => return,
            },
        };
        if let Some(remembered) = self.entry(path) {
            remembered.entry.content = Some(content);
        }
    }

    fn piece(&mut self, path: &str, offset: u64, bytes: &[u8]) {
        if bytes.is_empty() || !self.takes(bytes.len(), bytes.len()) {
            return;
        }
        let Some(remembered) = self.entry(path) else { return };
        let known = remembered.pieces.by_offset.entry(offset).or_default();
        if known.len() < bytes.len() {
            *known = bytes.to_vec();
        }
    }
}

impl Remembered {
    fn entry(self) -> Entry {
        let Self { mut entry, pieces: Pieces { by_offset, size_bytes } } = self;
        let Some(size_bytes) = size_bytes else { return entry };
        let mut body = Body { size_bytes: Some(size_bytes), ..Body::default() };
        for (offset, bytes) in by_offset {
            let end = body.pieces.last().map_or(0, |(offset, length)| offset + length_of(*length));
            match body.pieces.last_mut() {
                // What overlaps or touches becomes one piece, so that no value is cut in two.
                Some((_, length)) if offset <= end => {
                    let known = usize::try_from(end - offset).unwrap_or(usize::MAX);
                    let new = bytes.get(known..).unwrap_or_default();
                    *length += new.len();
                    body.bytes.extend_from_slice(new);
                }
                Some(_) | None => {
                    body.pieces.push((offset, bytes.len()));
                    body.bytes.extend_from_slice(&bytes);
                }
            }
        }
        // A file that was read whole as well has all of it already.
        if entry.content.as_ref().and_then(Outcome::found).is_none() {
            entry.content = Some(Outcome::Found(body));
        }
        entry
    }
}

fn length_of(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

impl Host for Recorder<'_> {
    fn read(&self, path: &str, limit: usize) -> Result<Vec<u8>, HostError> {
        let answer = self.host.read(path, limit);
        self.content(path, answer.as_ref().map(|bytes| (bytes.as_slice(), false)));
        answer
    }

    fn prefix(&self, path: &str, limit: usize) -> Result<Content, HostError> {
        let answer = self.host.prefix(path, limit);
        self.content(path, answer.as_ref().map(|content| (content.bytes.as_slice(), content.more)));
        answer
    }

    fn list(&self, path: &str, limit: usize) -> Result<Listing, HostError> {
        let answer = self.host.list(path, limit);
        if let Some(answer) = outcome(&answer, |listing| listing.into())
            && let Some(remembered) = self.memory.borrow_mut().entry(path)
        {
            remembered.entry.folder = Some(answer);
        }
        answer
    }

    fn link(&self, path: &str) -> Result<String, HostError> {
        let answer = self.host.link(path);
        if let Some(answer) = outcome(&answer, String::clone)
            && let Some(remembered) = self.memory.borrow_mut().entry(path)
        {
            remembered.entry.target = Some(answer);
        }
        answer
    }

    fn metadata(&self, path: &str) -> Result<Metadata, HostError> {
        let answer = self.host.metadata(path);
        if let Some(answer) = outcome(&answer, |metadata| metadata.into())
            && let Some(remembered) = self.memory.borrow_mut().entry(path)
        {
            remembered.entry.metadata = Some(answer);
        }
        answer
    }

    fn random(&self, path: &str) -> Result<Box<dyn RandomRead>, HostError> {
        let file = match self.host.random(path) {
            Ok(file) => file,
            Err(error) => {
                self.content(path, Err(&error));
                return Err(error);
            }
        };
        if let Some(remembered) = self.memory.borrow_mut().entry(path) {
            remembered.pieces.size_bytes = Some(file.size_bytes());
        }
        Ok(Box::new(Taped { file, path: path.to_owned(), memory: self.memory.clone() }))
    }

    fn sockets(&self) -> Result<Vec<Socket>, HostError> {
        let answer = self.host.sockets();
        self.memory.borrow_mut().sockets = answer.as_ref().ok().cloned();
        answer
    }

    fn live(&self) -> Option<&LiveFacts> {
        self.host.live()
    }
}

/// A file that is read here and there, every piece remembered.
#[derive(Debug)]
struct Taped {
    file: Box<dyn RandomRead>,
    path: String,
    memory: Rc<RefCell<Memory>>,
}

impl RandomRead for Taped {
    fn size_bytes(&self) -> u64 {
        self.file.size_bytes()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize, HostError> {
        let count = self.file.read_at(offset, buffer)?;
        self.memory.borrow_mut().piece(&self.path, offset, buffer.get(..count).unwrap_or_default());
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        collect::collect,
        host::{BundleHost, LiveHost, MemoryHost},
        sources::SOURCES,
    };

    fn host(files: &[(&str, &str)]) -> MemoryHost {
        let files = files.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec()));
        MemoryHost { files: files.collect(), ..MemoryHost::default() }
    }

    #[test]
    fn answers_are_given_again() {
        let mut machine = host(&[("a/b", "0123456789"), ("a/c", "abc"), ("d", "x"), ("big", "0123456789")]);
        machine.forbidden.insert("a/c".to_owned());
        let recorder = Recorder::new(&machine, Limits::default());
        let ask = |host: &dyn Host| {
            let mut buffer = [0; 4];
            let random = host.random("big").unwrap();
            let counts: Vec<_> =
                [0, 2, 8, 99].iter().map(|at| random.read_at(*at, &mut buffer).unwrap()).collect();
            format!(
                "{:?}",
                (
                    host.prefix("a/b", 4),
                    host.read("a/b", 9).is_err(),
                    host.read("a/b", 10),
                    host.read("a/c", 10).map_err(|error| error.to_string()),
                    host.read("a", 10).map_err(|error| error.to_string()),
                    host.read("gone", 10).map_err(|error| error.to_string()),
                    (host.list("a", 1), host.list("a", 10)),
                    host.metadata("d"),
                    (random.size_bytes(), counts, buffer),
                )
            )
        };
        let expected = ask(&recorder);
        let Recorded { recording, dropped } = recorder.finish();
        assert_eq!(dropped, 0);
        let Some(Outcome::Found(big)) = &recording.entries["big"].content else { panic!("a content") };
        assert_eq!((&big.pieces, &big.bytes[..]), (&vec![(0, 6), (8, 2)], &b"01234589"[..]));
        assert_eq!(ask(&BundleHost::new(recording)), expected);
    }

    #[test]
    fn what_is_too_much_is_left_out() {
        let machine = host(&[("a", "0123456789"), ("b", "0123"), ("c", "0123456"), ("d", "0")]);
        let recorder = Recorder::new(&machine, Limits { file_bytes: 8, bytes: 10, paths: 3 });
        for path in ["a", "b", "c", "d"] {
            recorder.read(path, 99).unwrap();
        }
        let Recorded { recording, dropped } = recorder.finish();
        let kept: Vec<_> = recording
            .entries
            .values()
            .map(|entry| entry.content.as_ref().unwrap().found().is_some())
            .collect();
        assert_eq!((kept, dropped), (vec![false, true, false], 1));
        let replayed = BundleHost::new(recording);
        assert!(matches!(replayed.read("a", 99), Err(HostError::LeftOut { .. })));
    }

    #[test]
    fn this_machine_is_the_same_again() {
        let live = LiveHost::open().unwrap();
        let recorder = Recorder::new(&live, Limits::default());
        let told = collect(&recorder, SOURCES, None);
        let replayed = collect(&BundleHost::new(recorder.finish().recording), SOURCES, None);
        for (told, again) in told.sections.iter().zip(&replayed.sections) {
            assert_eq!(told, again, "{}", told.name);
        }
        assert_eq!(told, replayed);
    }
}
