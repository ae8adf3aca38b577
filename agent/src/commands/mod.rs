//! What `muster-agent` does when it is called, one file a command.
//!
//! A command takes its arguments and writes to `out`; it never ends the process.

pub(crate) mod bundle;
pub(crate) mod check_config;
pub(crate) mod collect;
pub(crate) mod enroll;
pub(crate) mod export;
pub(crate) mod run;
pub(crate) mod sources;
pub(crate) mod status;

mod leaves;
mod peripherals;
mod summary;
mod table;

use std::path::Path;

use anyhow::Context;

use crate::host::{BundleHost, Host, RecordedHost};

/// A recorded machine: the root of a file system, whose certificates in these folders may be told, or a bundle, packed or
/// not, which has none.
fn recorded(path: &Path, certificate_folders: Vec<String>) -> anyhow::Result<Box<dyn Host>> {
    let is_bundle = path.is_file() || BundleHost::is_unpacked(path);
    let host: anyhow::Result<Box<dyn Host>> = if is_bundle {
        BundleHost::open(path).map(|host| Box::new(host) as Box<dyn Host>).map_err(Into::into)
    } else {
        RecordedHost::open(path)
            .map(|host| Box::new(host.with_certificate_folders(certificate_folders)) as Box<dyn Host>)
            .map_err(Into::into)
    };
    host.with_context(|| format!("cannot use {} as the root of a machine", path.display()))
}
