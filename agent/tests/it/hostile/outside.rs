//! What lies outside of a recorded machine: nobody may open it, and whoever does is seen by the kernel.
//!
//! Knows nothing of what could lead there.

use std::{fs, mem::MaybeUninit, os::fd::OwnedFd, path::Path};

use rustix::{
    fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags},
    io::Errno,
};
use tempfile::TempDir;

/// Stands in everything that lies outside.
pub(super) const MARK: &str = "outside-7d20";

/// A folder that is watched.
pub(super) struct Outside {
    folder: TempDir,
    watch: OwnedFd,
}

impl Outside {
    /// Looks like whatever a source could look for: a release file, a database, a list, a folder.
    pub(super) fn new(folder: TempDir) -> Self {
        let at = |path: &str| folder.path().join(path);
        let text =
            format!("ID={MARK}\nName: {MARK}\nVersion: 1\n\nPackage: {MARK}\nStatus: install ok installed\n");
        fs::create_dir_all(at("folder").join(MARK)).unwrap();
        fs::write(at("file"), &text).unwrap();
        fs::write(at("folder/file"), &text).unwrap();
        fs::write(at("folder").join(MARK).join("METADATA"), &text).unwrap();
        let watch = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).unwrap();
        for folder in [at(""), at("folder"), at("folder").join(MARK)] {
            inotify::add_watch(&watch, &folder, WatchFlags::OPEN | WatchFlags::ACCESS).unwrap();
        }
        Self { folder, watch }
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// How often anything here was opened or read since the last question.
    pub(super) fn accesses(&self) -> usize {
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut reader = Reader::new(&self.watch, &mut buffer);
        let mut count = 0;
        loop {
            match reader.next() {
                Ok(event) => count += usize::from(!event.events().contains(ReadFlags::IGNORED)),
                Err(Errno::AGAIN) => return count,
                Err(errno) => panic!("the watch failed: {errno}"),
            }
        }
    }
}

#[test]
fn whoever_reads_outside_is_seen() {
    let outside = Outside::new(tempfile::tempdir().unwrap());
    assert_eq!(outside.accesses(), 0);
    assert!(fs::metadata(outside.path().join("file")).is_ok());
    assert_eq!(outside.accesses(), 0, "looking is not opening");
    for read in ["file", "folder/file"] {
        fs::read(outside.path().join(read)).unwrap();
        assert!(outside.accesses() >= 2, "{read}");
    }
    fs::read_dir(outside.path().join("folder")).unwrap().for_each(drop);
    assert!(outside.accesses() >= 1);
}
