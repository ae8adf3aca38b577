//! Debian's stanza format (deb822), as far as the package database needs it.
//!
//! Knows nothing of files and of inventories. Nothing is copied: an entry borrows the file's bytes, since a database
//! has megabytes of descriptions and dependencies that nobody asks for.

use muster_common::inventory::{ErrorKind, InstallState};

use crate::sources::{
    part::{ITEMS_LIMIT, Problems},
    text,
};

/// One package as the database states it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry<'a> {
    pub(super) name: &'a [u8],
    pub(super) version: &'a [u8],
    /// Empty where none is stated.
    pub(super) architecture: &'a [u8],
    pub(super) maintainer: Option<&'a [u8]>,
    /// `name` or `name (version)`.
    pub(super) source: Option<&'a [u8]>,
    pub(super) installed_kibibytes: Option<u64>,
    /// Whether it can be installed for several architectures at once, which shows in the names of its files.
    pub(super) multi_arch: bool,
    pub(super) state: State,
}

/// What `Status` says: the third word, and whether the first one is `hold`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct State {
    /// `None` when the package is not there at all.
    pub(super) install: Option<InstallState>,
    pub(super) held: bool,
}

impl State {
    /// Wholly installed.
    pub(super) const INSTALLED: Self = Self { install: Some(InstallState::Installed), held: false };
}

/// The fields of one stanza, as they stand there.
#[derive(Debug, Default)]
struct Fields<'a> {
    package: Option<&'a [u8]>,
    status: Option<&'a [u8]>,
    version: Option<&'a [u8]>,
    architecture: Option<&'a [u8]>,
    maintainer: Option<&'a [u8]>,
    source: Option<&'a [u8]>,
    installed_size: Option<&'a [u8]>,
    multi_arch: bool,
    /// The number of its first line; 0 before there is one.
    line: usize,
}

/// All packages of a file, with a problem for every stanza that cannot be used.
///
/// `stateless` is the state of a stanza without `Status`; `None` makes that a problem.
pub(super) fn entries<'a>(
    bytes: &'a [u8],
    path: &str,
    stateless: Option<State>,
    problems: &mut Problems,
) -> Vec<Entry<'a>> {
    let mut entries = Vec::new();
    let mut fields = Fields::default();
    let mut rest = bytes;
    let mut number = 0;
    while !rest.is_empty() {
        number += 1;
        let (line, after) = match memchr::memchr(b'\n', rest) {
            Some(end) => (&rest[..end], &rest[end + 1..]),
            None => (rest, &[][..]),
        };
        rest = after;
        if !line.trim_ascii_end().is_empty() {
            if fields.line == 0 {
                fields.line = number;
            }
            fields.take(line);
            if !rest.is_empty() {
                continue;
            }
        }
        let finished = std::mem::take(&mut fields);
        if finished.line == 0 {
            continue;
        }
        let subject_line = finished.line;
        match finished.into_entry(stateless) {
            Ok(entry) => entries.push(entry),
            Err(reason) => {
                problems.add(&format!("{path} line {subject_line}"), ErrorKind::Malformed, reason);
            }
        }
        if entries.len() > ITEMS_LIMIT {
            problems.add(path, ErrorKind::TooLarge, format!("more than {ITEMS_LIMIT} packages"));
            break;
        }
    }
    entries
}

impl<'a> Fields<'a> {
    /// Takes a line; continuations of a field and fields that nobody asks for are passed over.
    fn take(&mut self, line: &'a [u8]) {
        // Most lines are decided by their first byte.
        if !matches!(
            line.first(),
            Some(b'P' | b'S' | b'V' | b'A' | b'M' | b'I' | b'p' | b's' | b'v' | b'a' | b'm' | b'i')
        ) {
            return;
        }
        let Some(colon) = memchr::memchr(b':', line) else { return };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        let is = |wanted: &[u8]| name.eq_ignore_ascii_case(wanted);
        if is(b"Package") {
            self.package = Some(value);
        } else if is(b"Status") {
            self.status = Some(value);
        } else if is(b"Version") {
            self.version = Some(value);
        } else if is(b"Architecture") {
            self.architecture = Some(value);
        } else if is(b"Maintainer") {
            self.maintainer = Some(value);
        } else if is(b"Source") {
            self.source = Some(value);
        } else if is(b"Installed-Size") {
            self.installed_size = Some(value);
        } else if is(b"Multi-Arch") {
            self.multi_arch = value.eq_ignore_ascii_case(b"same");
        }
    }

    fn into_entry(self, stateless: Option<State>) -> Result<Entry<'a>, String> {
        let Some(name) = self.package.filter(|name| !name.is_empty()) else {
            return Err("a stanza names no package".to_owned());
        };
        if !is_name(name) {
            return Err(format!("{:?} is no package name", text::shown(name)));
        }
        let state = match self.status {
            Some(status) => state(status).ok_or_else(|| {
                format!("package {} has an unknown status {:?}", text::shown(name), text::shown(status))
            })?,
            None => stateless.ok_or_else(|| format!("package {} has no status", text::shown(name)))?,
        };
        let version = self.version.unwrap_or_default();
        // Only a package that is gone may have none.
        if state.install.is_some() && version.is_empty() {
            return Err(format!("package {} has no version", text::shown(name)));
        }
        if version.iter().any(|byte| byte.is_ascii_whitespace() || byte.is_ascii_control()) {
            return Err(format!(
                "package {} has a malformed version {:?}",
                text::shown(name),
                text::shown(version)
            ));
        }
        Ok(Entry {
            name,
            version,
            architecture: self.architecture.unwrap_or_default(),
            maintainer: self.maintainer,
            source: self.source,
            installed_kibibytes: self
                .installed_size
                .and_then(|size| std::str::from_utf8(size).ok())
                .and_then(|size| size.parse().ok()),
            multi_arch: self.multi_arch,
            state,
        })
    }
}

/// Letters, digits and what Debian policy allows between them; so are names of architectures.
pub(super) fn is_name(name: &[u8]) -> bool {
    name.first().is_some_and(u8::is_ascii_alphanumeric)
        && name.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.' | b'_'))
}

/// Three words: what is wanted, whether a reinstallation is needed, what is there.
fn state(status: &[u8]) -> Option<State> {
    let mut words = status.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let (wanted, _flag, present) = (words.next()?, words.next()?, words.next()?);
    let install = match present {
        b"installed" if matches!(wanted, b"deinstall" | b"purge") => Some(InstallState::RemovalPending),
        b"installed" => Some(InstallState::Installed),
        b"unpacked" | b"half-installed" | b"half-configured" | b"triggers-awaited" | b"triggers-pending" => {
            Some(InstallState::Incomplete)
        }
        b"config-files" => Some(InstallState::ConfigFiles),
        b"not-installed" => None,
        _ => return None,
    };
    words.next().is_none().then_some(State { install, held: wanted == b"hold" })
}
