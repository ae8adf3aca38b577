//! The files of dpkg's packages: `info/PACKAGE.list`, a path in each line.
//!
//! Knows of what is asked for only that a program's package often has its name. A list is some kilobytes and is read
//! whole, one after the other, until all is answered.

use super::{Owner, wanted::Wanted};
use crate::{host::Host, sources::text};

const INFO: &str = "var/lib/dpkg/info";
const ENDING: &str = ".list";

/// Each package has half a dozen files there.
const NAMES_LIMIT: usize = 200_000;
const LISTS_LIMIT: usize = 20_000;
/// The largest are those of kernels' headers.
const LIST_LIMIT: usize = 8 << 20;

/// Offers the files of all packages.
pub(super) fn offer_files(host: &dyn Host, wanted: &mut Wanted<'_>) {
    let Ok(listing) = host.list(INFO, NAMES_LIMIT) else { return };
    let lists = listing.names.iter().filter(|name| name.ends_with(ENDING)).take(LISTS_LIMIT);
    // A few questions are often answered by a few lists.
    let (mut first, mut rest) = (Vec::new(), Vec::new());
    for file in lists {
        let is_likely = wanted.is_likely(file.split([':', '.']).next().unwrap_or_default());
        if is_likely { first.push(file) } else { rest.push(file) }
    }
    for file in first.into_iter().chain(rest) {
        if wanted.is_settled() {
            return;
        }
        let Ok(list) = host.read(&format!("{INFO}/{file}"), LIST_LIMIT) else { continue };
        let owner = || {
            let package = file.strip_suffix(ENDING)?;
            // `libc6:amd64.list`
            let package = package.split(':').next().unwrap_or(package);
            Some(Owner::new("deb", text::clean(package.as_bytes())?))
        };
        for line in list.split(|byte| *byte == b'\n') {
            wanted.offer(line.strip_prefix(b"/").unwrap_or(line), owner);
        }
    }
}
