//! The files of pacman's packages: one list a package, `local/NAME-VERSION-RELEASE/files`.

use super::{Owner, wanted::Wanted};
use crate::{host::Host, sources::text};

const LOCAL: &str = "var/lib/pacman/local";
const PACKAGES_LIMIT: usize = 20_000;
const LIST_LIMIT: usize = 8 << 20;

/// Offers the files of all packages.
pub(super) fn offer_files(host: &dyn Host, wanted: &mut Wanted<'_>) {
    let Ok(listing) = host.list(LOCAL, PACKAGES_LIMIT) else { return };
    for folder in &listing.names {
        let Ok(list) = host.read(&format!("{LOCAL}/{folder}/files"), LIST_LIMIT) else { continue };
        let owner = || {
            let (name, _release) = folder.rsplit_once('-')?;
            let (name, _version) = name.rsplit_once('-')?;
            Some(Owner::new("alpm", text::clean(name.as_bytes())?))
        };
        let lines = list.split(|byte| *byte == b'\n').skip_while(|line| *line != b"%FILES%").skip(1);
        for line in lines.take_while(|line| !line.is_empty()) {
            wanted.offer(line, owner);
        }
    }
}
