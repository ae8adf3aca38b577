//! What stands in a recorded machine where a path should lead: a link that leads nowhere or in a circle, a pipe, a
//! device.
//!
//! Knows nothing of sources. Most of them take a path that they can't follow for one that isn't there, which is right
//! on a running machine and hides an attack, or an incomplete copy, in a recorded one. So the recording itself notes
//! what was in the way, each path once, and whoever collects asks for it.

use std::{cell::RefCell, collections::HashSet};

use muster_common::inventory::{ErrorKind, SourceError};
use rustix::io::Errno;

use crate::host::{FileKind, HostError, Metadata, root::Root};

/// More are not noted: a source reports no more problems either.
const OBSTACLES_LIMIT: usize = 64;
const NOT_PERMITTED: &str = "it may not be read: run this as root";
/// systemd's way to say that a unit must not start.
const NOWHERE: &str = "/dev/null";

/// What was in the way.
#[derive(Debug, Default)]
pub(super) struct Obstacles {
    seen: RefCell<HashSet<String>>,
    noted: RefCell<Vec<SourceError>>,
}

impl Obstacles {
    /// Looks at what became of a path, and passes it on.
    pub(super) fn look<T>(
        &self,
        root: &Root,
        path: &str,
        result: Result<T, HostError>,
    ) -> Result<T, HostError> {
        match &result {
            Ok(_) | Err(HostError::LeftOut { .. }) => {}
            Err(HostError::TooLarge { limit, .. }) => {
                self.note(path, ErrorKind::TooLarge, format!("it is larger than {limit} bytes"));
            }
            Err(HostError::NotPermitted { .. }) => {
                if !self.search(root, path) {
                    self.note(path, ErrorKind::NotPermitted, NOT_PERMITTED.to_owned());
                }
            }
            Err(
                HostError::Missing { .. }
                | HostError::WrongKind { .. }
                | HostError::TooMany { .. }
                | HostError::TimedOut { .. }
                | HostError::Exhausted { .. }
                | HostError::NotRecorded { .. }
                | HostError::Io { .. },
            ) => {
                self.search(root, path);
            }
        }
        result
    }

    /// The same for a path that was only looked at.
    pub(super) fn look_at(
        &self,
        root: &Root,
        path: &str,
        found: Result<Metadata, HostError>,
    ) -> Result<Metadata, HostError> {
        if matches!(&found, Ok(Metadata { kind: FileKind::Special, .. })) {
            self.search(root, path);
        }
        self.look(root, path, found)
    }

    /// What was noted since the last question.
    pub(super) fn take(&self) -> Vec<SourceError> {
        self.seen.take();
        self.noted.take()
    }

    /// Goes down a path to the first part of it that leads nowhere; tells whether there was one to tell of.
    fn search(&self, root: &Root, path: &str) -> bool {
        if self.noted.borrow().len() >= OBSTACLES_LIMIT {
            return false;
        }
        let ends = path.match_indices('/').map(|(end, _)| end).chain([path.len()]);
        for part in ends.filter_map(|end| path.get(..end)).filter(|part| !part.is_empty()) {
            match obstacle(root, part) {
                Way::On => {}
                Way::Nothing => return false,
                Way::Blocked(kind, message) => {
                    self.note(part, kind, message);
                    return true;
                }
            }
        }
        false
    }

    fn note(&self, path: &str, kind: ErrorKind, message: String) {
        let mut noted = self.noted.borrow_mut();
        if noted.len() < OBSTACLES_LIMIT && self.seen.borrow_mut().insert(path.to_owned()) {
            noted.push(SourceError { subject: path.to_owned(), kind, message });
        }
    }
}

/// Where a path leads.
enum Way {
    /// To a file or folder.
    On,
    /// Nowhere, and that says nothing.
    Nothing,
    /// Nowhere, and somebody should know.
    Blocked(ErrorKind, String),
}

/// What the last part of a path is, whose others are folders.
fn obstacle(root: &Root, path: &str) -> Way {
    let malformed = |message: &str| Way::Blocked(ErrorKind::Malformed, message.to_owned());
    match (root.kind(path), root.link(path)) {
        (Ok(FileKind::Folder | FileKind::File), _) => Way::On,
        (Ok(FileKind::Special) | Err(Errno::NOENT), Ok(target)) if target == NOWHERE => Way::Nothing,
        (Ok(FileKind::Special), _) => malformed("it is a pipe, a socket or a device, and is not read"),
        (Err(Errno::NOENT | Errno::NOTDIR), Ok(target)) => Way::Blocked(
            ErrorKind::Malformed,
            format!("it is a link to {target}, which is not in this recording"),
        ),
        (Err(Errno::LOOP), _) => malformed("it is a link that leads in a circle"),
        (Err(Errno::ACCESS | Errno::PERM), _) => {
            Way::Blocked(ErrorKind::NotPermitted, NOT_PERMITTED.to_owned())
        }
        (Err(_), _) => Way::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use crate::host::{Host, RecordedHost};

    #[test]
    fn what_is_in_the_way_is_told_once() {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().join(path);
        fs::create_dir_all(at("etc/a")).unwrap();
        fs::write(at("etc/file"), "0123456789").unwrap();
        mknodat(CWD, at("etc/pipe"), FileType::Fifo, Mode::RUSR, 0).unwrap();
        for (link, target) in
            [("loop", "loop"), ("out", "/nowhere/else"), ("masked", "/dev/null"), ("in", "/etc/file")]
        {
            symlink(target, at("etc").join(link)).unwrap();
        }
        let host = RecordedHost::open(folder.path()).unwrap();
        let told = |path: &str| -> Vec<String> {
            // However it is asked.
            drop((host.read(path, 5), host.list(path, 5), host.metadata(path), host.random(path)));
            host.obstacles().into_iter().map(|it| format!("{}: {}", it.subject, it.message)).collect()
        };
        for (path, expected) in [
            ("etc/missing/x", None),
            ("etc/file/x", None),
            ("etc/masked", None),
            ("etc/file", Some("etc/file: it is larger than 5 bytes")),
            ("etc/in", Some("etc/in: it is larger than 5 bytes")),
            ("etc/pipe", Some("etc/pipe: it is a pipe, a socket or a device, and is not read")),
            ("etc/pipe/x/y", Some("etc/pipe: it is a pipe, a socket or a device, and is not read")),
            ("etc/loop/x", Some("etc/loop: it is a link that leads in a circle")),
            ("etc/out", Some("etc/out: it is a link to /nowhere/else, which is not in this recording")),
            ("etc/out/x", Some("etc/out: it is a link to /nowhere/else, which is not in this recording")),
        ] {
            assert_eq!(told(path), expected.into_iter().collect::<Vec<_>>(), "{path}");
        }
        assert_eq!(told("etc/loop").len(), 1, "each question is answered anew");
    }
}
