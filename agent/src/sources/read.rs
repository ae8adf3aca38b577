//! Reads small attribute files, as /sys and /etc have them.
//!
//! Knows nothing of their meaning. A file that is not there is no problem: most attributes are optional.

use std::str::FromStr;

use crate::{
    host::{Host, HostError, Listing},
    sources::{part::Problems, text},
};

/// Attribute files are one page at most.
const ATTRIBUTE_LIMIT: usize = 4096;

/// The value of an attribute file.
pub(crate) fn value(host: &dyn Host, path: &str, problems: &mut Problems) -> Option<String> {
    text::clean(&bytes(host, path, ATTRIBUTE_LIMIT, problems)?)
}

/// The number in an attribute file; anything else in it is `None`.
pub(crate) fn number<T: FromStr>(host: &dyn Host, path: &str, problems: &mut Problems) -> Option<T> {
    value(host, path, problems)?.parse().ok()
}

/// The content of a file that may be missing.
pub(crate) fn bytes(host: &dyn Host, path: &str, limit: usize, problems: &mut Problems) -> Option<Vec<u8>> {
    optional(host.read(path, limit), problems)
}

/// The content of a file whose place is a guess: that something else is there is no problem either.
pub(crate) fn guessed(host: &dyn Host, path: &str, limit: usize, problems: &mut Problems) -> Option<Vec<u8>> {
    match host.read(path, limit) {
        Err(HostError::WrongKind { .. }) => None,
        result => optional(result, problems),
    }
}

/// The names in a folder that may be missing; a folder with more than `limit` is cut with a problem.
pub(crate) fn names(
    host: &dyn Host,
    path: &str,
    limit: usize,
    problems: &mut Problems,
) -> Option<Vec<String>> {
    let Listing { names, more } = optional(host.list(path, limit), problems)?;
    if more {
        problems.add_error(HostError::TooMany { path: path.to_owned(), limit });
    }
    Some(names)
}

/// The last part of where a link points, such as a driver's name.
pub(crate) fn link_name(host: &dyn Host, path: &str) -> Option<String> {
    let target = host.link(path).ok()?;
    text::clean(target.rsplit('/').next()?.as_bytes())
}

fn optional<T>(result: Result<T, HostError>, problems: &mut Problems) -> Option<T> {
    match result {
        Ok(found) => Some(found),
        Err(error) if error.is_missing() => None,
        Err(error) => {
            problems.add_error(error);
            None
        }
    }
}
