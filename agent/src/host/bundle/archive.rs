//! A bundle as a file (tar, mostly compressed with zstd) or as the folder into which somebody unpacked it.
//!
//! The manifest comes first; each file of the machine is a file at its path. Knows nothing of what the answers mean.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, BufReader, Read},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::host::{
    Host, RecordedHost,
    bundle::{Body, Entry, Outcome, Recording},
};

/// The name of the manifest.
pub(crate) const MANIFEST: &str = "muster-bundle.json";
/// The format that this version writes, and the only one that it reads.
pub(crate) const FORMAT: u32 = 1;

/// Longest manifest in bytes.
const MANIFEST_LIMIT: usize = 128 << 20;
/// Longest bundle, unpacked, in bytes.
const BUNDLE_LIMIT: u64 = 1 << 30;
/// How a zstd stream begins.
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// What stands beside the contents.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Manifest {
    /// See [`FORMAT`].
    pub(crate) format: u32,
    /// The version of the agent that wrote it.
    pub(crate) agent_version: String,
    /// The answers.
    pub(crate) recording: Recording,
}

/// Why a bundle can't be read.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// The system refused to read it, or what is packed in it is damaged.
    #[error("cannot read the bundle {path}")]
    Read {
        /// The bundle.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// There is no manifest.
    #[error("{path} is no bundle: it has no {MANIFEST}")]
    NoManifest {
        /// The bundle.
        path: PathBuf,
    },
    /// The manifest is not what it should be.
    #[error("the manifest of {path} can't be read")]
    Manifest {
        /// The bundle.
        path: PathBuf,
        /// Where and why.
        #[source]
        source: serde_json::Error,
    },
    /// Another version wrote it.
    #[error(
        "{path} is a bundle of format {found}, and this version reads format {FORMAT}; use the agent that wrote it"
    )]
    Format {
        /// The bundle.
        path: PathBuf,
        /// Its format.
        found: u32,
    },
    /// A file is not as long as the manifest says.
    #[error("{path} is damaged: {file} is not as long as its manifest says")]
    Damaged {
        /// The bundle.
        path: PathBuf,
        /// The file in it.
        file: String,
    },
}

/// Reads a bundle.
pub(super) fn read(path: &Path) -> Result<Recording, BundleError> {
    let failed = |source| BundleError::Read { path: path.to_owned(), source };
    if path.is_dir() {
        return unpacked(path);
    }
    let mut file = BufReader::new(File::open(path).map_err(failed)?);
    let mut start = [0; 4];
    let count = file.read(&mut start).map_err(failed)?;
    let whole = start.get(..count).unwrap_or_default().chain(file);
    let stream: Box<dyn Read> = if start == ZSTD {
        Box::new(zstd::stream::read::Decoder::new(whole).map_err(failed)?)
    } else {
        Box::new(whole)
    };
    packed(path, stream.take(BUNDLE_LIMIT))
}

fn packed(path: &Path, stream: impl Read) -> Result<Recording, BundleError> {
    let failed = |source| BundleError::Read { path: path.to_owned(), source };
    let mut archive = tar::Archive::new(stream);
    let mut files: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for entry in archive.entries().map_err(failed)? {
        let mut entry = entry.map_err(failed)?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).map_err(failed)?;
        files.insert(name, bytes);
    }
    let manifest = files.remove(MANIFEST).ok_or_else(|| BundleError::NoManifest { path: path.to_owned() })?;
    filled(path, &manifest, |file, _| files.remove(file))
}

fn unpacked(folder: &Path) -> Result<Recording, BundleError> {
    let failed = |error: crate::host::HostError| BundleError::Read {
        path: folder.to_owned(),
        source: io::Error::other(error),
    };
    let host = RecordedHost::open(folder).map_err(failed)?;
    let manifest = host.read(MANIFEST, MANIFEST_LIMIT).map_err(failed)?;
    filled(folder, &manifest, |file, limit| host.read(file, limit).ok())
}

/// The recording with the contents in place.
fn filled(
    path: &Path,
    manifest: &[u8],
    mut content: impl FnMut(&str, usize) -> Option<Vec<u8>>,
) -> Result<Recording, BundleError> {
    let invalid = |source| BundleError::Manifest { path: path.to_owned(), source };
    /// What must be known before anything else is looked at.
    #[derive(Deserialize)]
    struct Version {
        format: u32,
    }
    let Version { format } = serde_json::from_slice(manifest).map_err(invalid)?;
    if format != FORMAT {
        return Err(BundleError::Format { path: path.to_owned(), found: format });
    }
    let Manifest { format: _, agent_version: _, mut recording } =
        serde_json::from_slice(manifest).map_err(invalid)?;
    for (file, Entry { content: answer, .. }) in &mut recording.entries {
        let Some(Outcome::Found(body)) = answer else { continue };
        let length = body.pieces.iter().fold(0_usize, |sum, (_, length)| sum.saturating_add(*length));
        let bytes = if length == 0 { Some(Vec::new()) } else { content(file, length) };
        *body = bytes
            .filter(|bytes| bytes.len() == length)
            .map(|bytes| Body { bytes, ..std::mem::take(body) })
            .ok_or_else(|| BundleError::Damaged { path: path.to_owned(), file: file.clone() })?;
    }
    Ok(recording)
}
