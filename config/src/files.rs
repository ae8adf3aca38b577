//! Configuration files on disk: the main one and the drop-ins beside it, bounded.
//!
//! Knows nothing of what stands in them.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

/// A configuration file larger than this is a mistake.
const MAX_FILE_BYTES: u64 = 1 << 20;
/// Drop-ins past this number are a mistake.
const MAX_DROP_INS: usize = 256;

/// A file's text; the error is fit to follow its path.
pub(crate) fn read_bounded(path: &Path) -> Result<String, String> {
    let unreadable = |error: std::io::Error| format!("cannot be read: {error}");
    let file = fs::File::open(path).map_err(unreadable)?;
    let mut text = String::new();
    file.take(MAX_FILE_BYTES + 1).read_to_string(&mut text).map_err(unreadable)?;
    if text.len() as u64 > MAX_FILE_BYTES {
        return Err(format!("is larger than {MAX_FILE_BYTES} bytes, which no configuration needs"));
    }
    Ok(text)
}

/// The drop-ins of a folder in the order of their names; none when there is no such folder.
pub(crate) fn drop_ins(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(format!("cannot be listed: {error}")),
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| format!("cannot be listed: {error}"))?.path();
        let is_hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if path.extension().is_some_and(|extension| extension == "toml") && !is_hidden {
            files.push(path);
        }
        if files.len() > MAX_DROP_INS {
            return Err(format!("holds more than {MAX_DROP_INS} files"));
        }
    }
    files.sort();
    Ok(files)
}
