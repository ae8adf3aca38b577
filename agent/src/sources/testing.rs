//! Recorded machines for the tests of the sources.

use std::fs;

use tempfile::TempDir;

use crate::host::RecordedHost;

/// A machine that has these files; it lives as long as the folder.
pub(crate) fn recorded(files: &[(&str, &str)]) -> (TempDir, RecordedHost) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (path, content) in files {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().expect("a file has a folder")).expect("a folder in it");
        fs::write(path, content).expect("a file in it");
    }
    let host = RecordedHost::open(folder.path()).expect("the folder is there");
    (folder, host)
}
