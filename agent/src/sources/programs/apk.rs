//! The files of apk's packages: in its one database, behind each package's own lines.

use super::{Owner, wanted::Wanted};
use crate::{host::Host, sources::text};

const INSTALLED: [&str; 2] = ["lib/apk/db/installed", "usr/lib/apk/db/installed"];
const INSTALLED_LIMIT: usize = 64 << 20;

/// Offers the files of all packages.
pub(super) fn offer_files(host: &dyn Host, wanted: &mut Wanted<'_>) {
    let database = INSTALLED.into_iter().find_map(|path| host.read(path, INSTALLED_LIMIT).ok());
    let (mut package, mut folder): (&[u8], &[u8]) = (b"", b"");
    for line in database.unwrap_or_default().split(|byte| *byte == b'\n') {
        match line {
            [b'P', b':', name @ ..] => (package, folder) = (name, b""),
            [b'F', b':', path @ ..] => folder = path,
            [b'R', b':', name @ ..] if wanted.wants(name) => {
                let path = [folder, b"/", name].concat();
                wanted.offer(&path, || Some(Owner::new("apk", text::clean(package)?)));
            }
            _ => {}
        }
    }
}
