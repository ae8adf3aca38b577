//! A recorded machine for a bug report: what the sources read of it, without what tells whose it is.
//!
//! Recorded once over the live machine or a recording, redacted by rules that leave out what they don't know, searched
//! once more, and written as one file that `collect --root` reads. Nothing is ever written that has not gone this way.

mod pack;
mod patterns;
mod pseudonym;
mod recorder;
mod redact;
mod secrets;

use std::{io, path::Path};

use muster_proto::private_file::{self, PrivateFileError};

use crate::{collect, host::Host, sources::Source};
use pseudonym::{Kind, NoRandomness, Pseudonyms};
use recorder::{Limits, Recorder};
use redact::{Leak, Redacted};

/// What a bundle holds, for the person who sends it.
#[derive(Debug)]
pub(crate) struct Summary {
    /// Files whose content is in it.
    pub(crate) files: usize,
    /// Bytes of those.
    pub(crate) content_bytes: usize,
    /// Size of the bundle in bytes.
    pub(crate) bundle_bytes: usize,
    /// What was replaced, and how often.
    pub(crate) replaced: Vec<(&'static str, usize)>,
    /// Files that were read and are not in it.
    pub(crate) left_out: Vec<String>,
    /// Paths that were over the most that a bundle has.
    pub(crate) dropped: usize,
}

/// Why there is no bundle.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BundlingError {
    /// No key for the pseudonyms.
    #[error(transparent)]
    Random(#[from] NoRandomness),
    /// The last look found something.
    #[error(transparent)]
    Leak(#[from] Leak),
    /// The recording can't be packed.
    #[error("the bundle can't be packed")]
    Pack(#[source] io::Error),
    /// The file.
    #[error(transparent)]
    Write(#[from] PrivateFileError),
}

/// Records a machine, redacts the recording and writes it.
pub(crate) fn bundle(
    host: &dyn Host,
    sources: &[&dyn Source],
    path: &Path,
) -> Result<Summary, BundlingError> {
    // Before the machine is read, which takes a moment.
    private_file::check_free(path)?;
    let (redacted, dropped) = redacted(host, sources)?;
    let Redacted { recording, tally, left_out } = redacted;
    let bodies = recording.entries.values().filter_map(|entry| entry.content.as_ref()?.found());
    let (mut files, mut content_bytes) = (0, 0);
    bodies.for_each(|body| (files, content_bytes) = (files + 1, content_bytes + body.bytes.len()));
    let is_compressed = path.extension().is_some_and(|ending| ending == "zst");
    let packed = pack::pack(recording, is_compressed).map_err(BundlingError::Pack)?;
    private_file::create(path, &packed)?;
    let words = |(kind, count): (Kind, usize)| (kind.in_words(), count);
    Ok(Summary {
        files,
        content_bytes,
        bundle_bytes: packed.len(),
        replaced: tally.by_kind.into_iter().map(words).collect(),
        left_out,
        dropped,
    })
}

fn redacted(host: &dyn Host, sources: &[&dyn Source]) -> Result<(Redacted, usize), BundlingError> {
    let pseudonyms = Pseudonyms::random()?;
    let recorder = Recorder::new(host, Limits::default());
    // What it finds is of no interest, only where it looked.
    collect::collect(&recorder, sources, None);
    let recorder::Recorded { recording, dropped } = recorder.finish();
    Ok((redact::redact(recording, host, &pseudonyms)?, dropped))
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, fs, path::Path};

    use muster_common::inventory::Inventory;

    use super::*;
    use crate::{host::BundleHost, parsers::TARGETS};

    /// Kinds of items by section, and how many there are.
    fn counts(inventory: &Inventory) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for section in &inventory.sections {
            for item in &section.items {
                let kind = format!("{:?}", item.kind);
                let kind = kind.split('(').next().unwrap_or_default();
                *counts.entry(format!("{} {kind}", section.name)).or_default() += 1;
            }
        }
        counts
    }

    #[test]
    fn every_format_tells_as_much_as_before() {
        // What may hold anything, or whose machine it is and nothing else, is left out; sockets are a running machine's.
        let left_out = ["containerd", "cloud", "logins", "certificates", "listeners"];
        let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds");
        let mut compared = 0;
        let mut differences = Vec::new();
        for target in TARGETS {
            let sources: Vec<_> = target.sources().collect();
            if sources.iter().any(|source| left_out.contains(&source.name())) {
                continue;
            }
            for seed in fs::read_dir(seeds.join(target.name)).unwrap() {
                let seed = seed.unwrap().path();
                let machine = target.machine(&fs::read(&seed).unwrap());
                let before = collect::collect(&machine, &sources, None);
                let (Redacted { recording, .. }, _) = redacted(&machine, &sources).unwrap();
                let after = collect::collect(&BundleHost::new(recording), &sources, None);
                compared += before.sections.iter().map(|section| section.items.len()).sum::<usize>();
                if counts(&before) != counts(&after) {
                    differences.push(format!(
                        "{}: {:?} became {:?}",
                        seed.display(),
                        counts(&before),
                        counts(&after)
                    ));
                }
            }
        }
        assert!(differences.is_empty(), "{}", differences.join("\n"));
        assert!(compared > 60, "{compared} items");
    }
}
