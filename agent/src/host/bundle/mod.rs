//! A bundle: a machine as `muster-agent bundle` wrote it down, answer by answer.
//!
//! Every question that a source asks is looked up by its path, so that the answers are those of the machine, with its
//! refusals, links and times; what nobody asked there is missing here. Knows nothing of how a bundle is made and of what
//! was replaced in it. A bundle came by mail: it is bounded, and nothing outside of it is read.

mod archive;
mod recording;

use std::path::Path;

use crate::host::{Content, Host, HostError, Listing, LiveFacts, Metadata, RandomRead, Socket};

pub use archive::BundleError;
pub(crate) use archive::{FORMAT, MANIFEST, Manifest};
pub(crate) use recording::{Body, Entry, Facts, Outcome, Recording, Refusal};

/// A bundle as a machine.
#[derive(Debug)]
pub struct BundleHost {
    recording: Recording,
    live: Option<LiveFacts>,
    sockets: Option<Vec<Socket>>,
}

impl BundleHost {
    /// Reads a bundle: the file that was written, or the folder into which it was unpacked.
    ///
    /// # Errors
    /// It is no bundle, of a format that this version does not know, cut short or over the bounds.
    pub fn open(path: &Path) -> Result<Self, BundleError> {
        archive::read(path).map(Self::new)
    }

    /// Whether a folder is an unpacked bundle.
    pub fn is_unpacked(folder: &Path) -> bool {
        folder.join(MANIFEST).is_file()
    }

    /// Answers from memory.
    pub(crate) fn new(recording: Recording) -> Self {
        let live = recording.facts.as_ref().map(Facts::live);
        let sockets = recording.facts.as_ref().and_then(Facts::sockets);
        Self { recording, live, sockets }
    }

    /// An answer of one kind; a question that nobody asked finds nothing.
    fn answer<'a, T>(
        &'a self,
        path: &str,
        kind: impl FnOnce(&'a Entry) -> Option<&'a Outcome<T>>,
    ) -> Result<&'a T, HostError> {
        match self.recording.entries.get(path).and_then(kind) {
            Some(Outcome::Found(found)) => Ok(found),
            Some(Outcome::Refused(refusal)) => Err(refusal.error(path)),
            None => Err(HostError::Missing { path: path.to_owned() }),
        }
    }

    fn body(&self, path: &str) -> Result<&Body, HostError> {
        self.answer(path, |entry| entry.content.as_ref())
    }
}

impl Host for BundleHost {
    fn prefix(&self, path: &str, limit: usize) -> Result<Content, HostError> {
        let body = self.body(path)?;
        let start = body.start();
        Ok(Content {
            bytes: start.get(..limit).unwrap_or(start).to_vec(),
            more: body.more || start.len() > limit,
        })
    }

    fn list(&self, path: &str, limit: usize) -> Result<Listing, HostError> {
        let found = self.answer(path, |entry| entry.folder.as_ref())?;
        let names: Vec<String> = found.names.iter().take(limit).cloned().collect();
        Ok(Listing { more: found.more || found.names.len() > names.len(), names })
    }

    fn link(&self, path: &str) -> Result<String, HostError> {
        self.answer(path, |entry| entry.target.as_ref()).cloned()
    }

    fn metadata(&self, path: &str) -> Result<Metadata, HostError> {
        self.answer(path, |entry| entry.metadata.as_ref()).map(recording::Looked::metadata)
    }

    fn random(&self, path: &str) -> Result<Box<dyn RandomRead>, HostError> {
        Ok(Box::new(self.body(path)?.clone()))
    }

    fn sockets(&self) -> Result<Vec<Socket>, HostError> {
        self.sockets.clone().ok_or(HostError::NotRecorded { what: "listening sockets" })
    }

    fn live(&self) -> Option<&LiveFacts> {
        self.live.as_ref()
    }
}
