//! The files of a folder, bounded: no folder below it, no link out of it, nothing that is no file.

use std::{fs, path::Path};

use muster_proto::limits::IMPORT_BYTES;

use crate::failure::{Failure, Kind};

/// The most files that are looked at.
const MOST_FILES: usize = 200;

/// A file.
pub(super) struct File {
    /// Its name in the folder.
    pub(super) name: String,
    /// What is in it; longer files are cut just past the bound, and then refused as too long.
    pub(super) content: Vec<u8>,
}

/// Reads the files of a folder in the order of their names; hidden ones are passed over.
pub(super) fn read(folder: &Path) -> Result<Vec<File>, Failure> {
    let wrong = |error: &std::io::Error| {
        Failure::new(
            Kind::Usage,
            format!("can't read the folder {}", folder.display()),
            format!("{error}: name a folder with exports of other systems"),
        )
    };
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(|error| wrong(&error))? {
        let entry = entry.map_err(|error| wrong(&error))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        // The kind of the entry itself: a link is not followed, and a pipe is never opened.
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        if is_file && !name.starts_with('.') && !name.ends_with(".html") {
            names.push((name, entry.path()));
        }
    }
    if names.is_empty() {
        let hint = "put exports of other systems there (CSV, JSON, XML), or name another folder";
        return Err(Failure::new(Kind::Usage, format!("{} holds no files", folder.display()), hint));
    }
    if names.len() > MOST_FILES {
        let what = format!("{} holds more than {MOST_FILES} files", folder.display());
        return Err(Failure::new(Kind::Usage, what, "put the exports into a folder of their own"));
    }
    names.sort();
    let read = |(name, path): (String, std::path::PathBuf)| {
        let most = u64::try_from(IMPORT_BYTES).unwrap_or(u64::MAX).saturating_add(1);
        let mut content = Vec::new();
        let file = fs::File::open(&path).map_err(|error| wrong(&error))?;
        std::io::Read::read_to_end(&mut std::io::Read::take(file, most), &mut content)
            .map_err(|error| wrong(&error))?;
        Ok(File { name, content })
    };
    names.into_iter().map(read).collect()
}
