//! Writes a recording as one file: tar, compressed with zstd where the name says so.
//!
//! Knows nothing of what is in it. The file is new, for its owner alone, and goes again when it can't be finished.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use crate::host::{FORMAT, MANIFEST, Manifest, Outcome, Recording};

/// Makes one of a few megabytes in a second.
const ZSTD_LEVEL: i32 = 9;

/// Why a bundle can't be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WriteError {
    /// Something is there already.
    #[error("{path} is there already; name another file with --output, or move it away")]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The system refused.
    #[error("cannot write {path}")]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's word.
        #[source]
        source: io::Error,
    },
}

/// Writes; tells the size in bytes.
pub(crate) fn write(recording: Recording, path: &Path) -> Result<u64, WriteError> {
    let failed = |source: io::Error| WriteError::Write { path: path.to_owned(), source };
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path).map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists => WriteError::Exists { path: path.to_owned() },
        _ => failed(source),
    })?;
    let is_compressed = path.extension().is_some_and(|ending| ending == "zst");
    let written =
        if is_compressed { compressed(recording, &file) } else { packed(recording, &file).map(drop) };
    let done = written.and_then(|()| file.sync_all()).and_then(|()| file.metadata());
    done.map(|metadata| metadata.len()).map_err(|source| {
        // Half a bundle is of no use; that it can't be removed either changes nothing.
        let _ = fs::remove_file(path);
        failed(source)
    })
}

fn compressed(recording: Recording, file: &File) -> io::Result<()> {
    let encoder = zstd::stream::write::Encoder::new(BufWriter::new(file), ZSTD_LEVEL)?;
    packed(recording, encoder)?.finish()?.flush()
}

fn packed<W: Write>(recording: Recording, out: W) -> io::Result<W> {
    let mut archive = tar::Builder::new(out);
    let manifest =
        Manifest { format: FORMAT, agent_version: env!("CARGO_PKG_VERSION").to_owned(), recording };
    add(&mut archive, MANIFEST, &serde_json::to_vec_pretty(&manifest)?)?;
    for (path, entry) in &manifest.recording.entries {
        if let Some(Outcome::Found(body)) = &entry.content
            && !body.bytes.is_empty()
        {
            add(&mut archive, path, &body.bytes)?;
        }
    }
    archive.into_inner()
}

fn add(archive: &mut tar::Builder<impl Write>, path: &str, bytes: &[u8]) -> io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_size(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
    header.set_mode(0o600);
    archive.append_data(&mut header, path, bytes)
}
