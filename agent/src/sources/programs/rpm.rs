//! The files of rpm's packages, from the headers in its database.

use super::{Owner, wanted::Wanted};
use crate::{host::Host, sources::software::rpm};

/// Offers the files of all packages.
pub(super) fn offer_files(host: &dyn Host, wanted: &mut Wanted<'_>) {
    rpm::each_file(host, &mut |package, folder, name| {
        // Nearly all names are nobody's question, and putting paths together is what costs.
        if wanted.wants(name) {
            let path = [folder.strip_prefix(b"/").unwrap_or(folder), name].concat();
            wanted.offer(&path, || Some(Owner::new("rpm", package)));
        }
    });
}
