//! Packs a recording: tar, compressed with zstd where that is wanted.
//!
//! Knows nothing of what is in it and of where it goes.

use std::io::{self, Write};

use crate::host::{FORMAT, MANIFEST, Manifest, Outcome, Recording};

/// Makes one of a few megabytes in a second.
const ZSTD_LEVEL: i32 = 9;

/// The bytes of the file.
pub(crate) fn pack(recording: Recording, is_compressed: bool) -> io::Result<Vec<u8>> {
    if is_compressed {
        packed(recording, zstd::stream::write::Encoder::new(Vec::new(), ZSTD_LEVEL)?)?.finish()
    } else {
        packed(recording, Vec::new())
    }
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
