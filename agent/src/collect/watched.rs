//! A machine as one source sees it: every operation is charged to the source's budget and, where that is wanted,
//! noted, so that one can tell later whether the source would find the same again.
//!
//! Knows nothing of what a source makes of it.

use std::{cell::RefCell, rc::Rc};

use muster_common::{
    governance::NeighbourNetwork,
    inventory::{SourceError, Usage},
};

use super::{
    budget::Budget,
    touched::{Notes, Touched},
};
use crate::host::{
    Content, HeardOf, Host, HostError, Listing, LiveFacts, Metadata, MetadataRequest, RandomRead, Socket,
};

/// The decorator; for one run of one source.
pub(super) struct Watched<'a> {
    host: &'a dyn Host,
    budget: Rc<Budget>,
    notes: Option<RefCell<Notes>>,
}

impl<'a> Watched<'a> {
    /// Charges, and notes what is touched if `notes` is given.
    pub(super) fn new(host: &'a dyn Host, budget: Rc<Budget>, notes: Option<Notes>) -> Self {
        Self { host, budget, notes: notes.map(RefCell::new) }
    }

    /// What was noted; `None` when nothing is, or when it would tell nothing.
    pub(super) fn into_touched(self) -> Option<Touched> {
        self.notes?.into_inner().finish()
    }

    fn note(&self, note: impl FnOnce(&mut Notes)) {
        if let Some(notes) = &self.notes {
            note(&mut notes.borrow_mut());
        }
    }

    fn note_missing(&self, path: &str, error: Option<&HostError>) {
        if error.is_some_and(HostError::is_missing) {
            self.note(|notes| notes.missing(path));
        }
    }
}

impl Host for Watched<'_> {
    fn read(&self, path: &str, limit: usize) -> Result<Vec<u8>, HostError> {
        self.budget.operation(path)?;
        self.note(|notes| notes.before_reading(self.host, path));
        let bytes = self.host.read(path, limit);
        self.budget.read(bytes.as_ref().map_or(0, Vec::len));
        self.note(|notes| notes.read(path, limit, bytes.as_deref().ok()));
        self.note_missing(path, bytes.as_ref().err());
        bytes
    }

    fn prefix(&self, path: &str, limit: usize) -> Result<Content, HostError> {
        self.budget.operation(path)?;
        self.note(|notes| notes.before_reading(self.host, path));
        let content = self.host.prefix(path, limit);
        let bytes = content.as_ref().ok().map(|content| content.bytes.as_slice());
        self.budget.read(bytes.map_or(0, <[u8]>::len));
        self.note(|notes| notes.read(path, limit, bytes));
        self.note_missing(path, content.as_ref().err());
        content
    }

    fn list(&self, path: &str, limit: usize) -> Result<Listing, HostError> {
        self.budget.operation(path)?;
        self.note(|notes| notes.before_listing(self.host, path));
        let listing = self.host.list(path, limit);
        let names = listing.as_ref().ok().map(|listing| listing.names.as_slice());
        self.budget.read(names.unwrap_or_default().iter().map(String::len).sum());
        self.note(|notes| notes.listed(path, limit, names));
        listing
    }

    fn link(&self, path: &str) -> Result<String, HostError> {
        self.budget.operation(path)?;
        let target = self.host.link(path);
        self.note(|notes| notes.link(path, target.as_deref().ok()));
        target
    }

    fn metadata(&self, path: &str) -> Result<Metadata, HostError> {
        self.budget.operation(path)?;
        let found = self.host.metadata(path);
        self.note(|notes| notes.looked_at(path, &found));
        found
    }

    fn random(&self, path: &str) -> Result<Box<dyn RandomRead>, HostError> {
        self.budget.operation(path)?;
        self.note(|notes| notes.before_reading(self.host, path));
        self.note(|notes| notes.opened(path));
        let file = self.host.random(path).inspect_err(|error| self.note_missing(path, Some(error)))?;
        Ok(Box::new(Charged { file, path: path.to_owned(), budget: self.budget.clone() }))
    }

    fn sockets(&self) -> Result<Vec<Socket>, HostError> {
        self.host.sockets()
    }

    fn neighbours(&self) -> Result<Vec<HeardOf>, HostError> {
        self.host.neighbours()
    }

    fn named_networks(&self) -> &[NeighbourNetwork] {
        self.host.named_networks()
    }

    fn uses(&self) -> Option<&[Usage]> {
        self.host.uses()
    }

    fn free_bytes(&self, path: &str) -> Result<u64, HostError> {
        self.budget.operation(path)?;
        self.host.free_bytes(path)
    }

    fn certificate_folders(&self) -> &[String] {
        self.host.certificate_folders()
    }

    fn obstacles(&self) -> Vec<SourceError> {
        self.host.obstacles()
    }

    fn live(&self) -> Option<&LiveFacts> {
        let facts = self.host.live();
        self.note(|notes| notes.live(facts));
        facts
    }

    fn metadata_service(&self, request: &MetadataRequest<'_>) -> Result<Vec<u8>, HostError> {
        self.budget.operation(request.path)?;
        let answer = self.host.metadata_service(request);
        self.budget.read(answer.as_ref().map_or(0, Vec::len));
        // A network that was not up yet says nothing of the time to the next boot.
        if answer.as_ref().is_err_and(|error| !error.is_missing()) {
            self.note(Notes::spoil);
        }
        answer
    }
}

/// A file that is read here and there, on the source's account.
#[derive(Debug)]
struct Charged {
    file: Box<dyn RandomRead>,
    path: String,
    budget: Rc<Budget>,
}

impl RandomRead for Charged {
    fn size_bytes(&self) -> u64 {
        self.file.size_bytes()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize, HostError> {
        self.budget.operation(&self.path)?;
        let count = self.file.read_at(offset, buffer)?;
        self.budget.read(count);
        Ok(count)
    }
}
