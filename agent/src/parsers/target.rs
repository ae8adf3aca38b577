//! One kind of bytes, the machine that is made of them, and the sources that read it.
//!
//! Knows nothing of what the bytes mean. Where they stand, and what stands beside them, says the table of targets.

use std::collections::BTreeMap;

use muster_common::time::EndpointTime;
use muster_proto::limits;

use super::machine;
use crate::{
    host::MemoryHost,
    sources::{ITEMS_LIMIT, SOURCES, SectionPart, Source},
    usage::{Ledger, Sampler},
};

/// Who lives on the machine of every target whose bytes are single files.
const PEOPLE: (&str, &str) = ("etc/passwd", "anna:x:1000:1000::/home/anna:/bin/sh\n");
/// The folders whose certificates may be told.
const CERTIFICATE_FOLDER: &str = "etc/nginx";
/// Where the bytes are put into a path: their first line, when it can be a name.
const NAME: &str = "{name}";
/// A longer name is none.
pub(super) const NAME_LIMIT: usize = 255;

/// One kind of bytes, and who reads them.
#[derive(Debug)]
pub struct Target {
    /// Its name, unique.
    pub name: &'static str,
    /// The sources that run.
    pub(super) sources: &'static [&'static str],
    /// What the bytes are on the machine.
    pub(super) bytes: Bytes,
    /// Whether it is also looked at which programs run.
    pub(super) processes: bool,
    /// What the bytes are put into.
    pub(super) container: fn(&[u8]) -> Vec<u8>,
}

/// What the bytes of a target are on its machine.
#[derive(Debug)]
pub(super) enum Bytes {
    /// The content of some files.
    Content {
        /// Their paths.
        paths: &'static [&'static str],
        /// Files with a content of their own, without which a source would not look.
        beside: &'static [(&'static str, &'static str)],
    },
    /// All of its files, as [`machine`] describes them.
    Machine,
}

impl Target {
    /// A target whose bytes are the content of files.
    pub(super) const fn of(
        name: &'static str,
        sources: &'static [&'static str],
        paths: &'static [&'static str],
        beside: &'static [(&'static str, &'static str)],
    ) -> Self {
        let bytes = Bytes::Content { paths, beside };
        Self { name, sources, bytes, processes: false, container: <[u8]>::to_vec }
    }

    /// A target whose bytes describe a whole machine: what is reached is also how folders are walked.
    pub(super) const fn whole(name: &'static str, sources: &'static [&'static str]) -> Self {
        Self { name, sources, bytes: Bytes::Machine, processes: false, container: <[u8]>::to_vec }
    }

    /// Runs the sources over a machine that has these bytes; how many items they find.
    pub fn feed(&self, bytes: &[u8]) -> usize {
        let host = self.machine(bytes);
        let items: usize = self
            .sources()
            .map(|source| {
                let SectionPart { items, problems } = source.collect(&host);
                debug_assert!(items.len() <= ITEMS_LIMIT, "{} has too many items", source.name());
                debug_assert!(problems.into_entries().len() <= limits::SECTION_ERRORS, "too many problems");
                items.len()
            })
            .sum();
        // What watches processes is no source, and reads as much of strangers.
        let uses = self.processes.then(|| {
            let mut sampler = Sampler::new(Ledger::default());
            sampler.sample(&host, EndpointTime::from_millis(0));
            sampler.ledger().uses().len()
        });
        items + uses.unwrap_or(0)
    }

    /// The sources that run.
    pub(crate) fn sources(&self) -> impl Iterator<Item = &'static dyn Source> {
        SOURCES.iter().copied().filter(|source| self.sources.contains(&source.name()))
    }

    /// A machine that has these bytes.
    pub(crate) fn machine(&self, bytes: &[u8]) -> MemoryHost {
        let host = match &self.bytes {
            Bytes::Machine => machine::described(bytes),
            Bytes::Content { paths, beside } => MemoryHost {
                files: self.files(bytes, paths, beside),
                // Whoever asks a metadata service gets the bytes from it too.
                metadata_service: (self.container)(bytes),
                ..MemoryHost::default()
            },
        };
        MemoryHost { certificate_folders: vec![CERTIFICATE_FOLDER.to_owned()], ..host }
    }

    fn files(&self, bytes: &[u8], paths: &[&str], beside: &[(&str, &str)]) -> BTreeMap<String, Vec<u8>> {
        let beside = beside.iter().chain([&PEOPLE]);
        let mut files: BTreeMap<String, Vec<u8>> =
            beside.map(|(path, content)| ((*path).to_owned(), content.as_bytes().to_vec())).collect();
        let name = first_line(bytes);
        for path in paths {
            match name {
                Some(name) => files.insert(path.replace(NAME, name), (self.container)(bytes)),
                None if path.contains(NAME) => None,
                None => files.insert((*path).to_owned(), (self.container)(bytes)),
            };
        }
        files
    }
}

/// The first line as a name of a file.
fn first_line(bytes: &[u8]) -> Option<&str> {
    let line = std::str::from_utf8(bytes.split(|byte| *byte == b'\n').next()?).ok()?;
    let is_name = !line.is_empty() && line.len() <= NAME_LIMIT && !line.contains(['/', '\0']);
    (is_name && line != "." && line != "..").then_some(line)
}
