//! When software was last used: what the service found by looking which programs run.
//!
//! Read only where charter and machine both allow it. Knows nothing of how it was found; see `usage`, which keeps a day
//! and no time, a package and no person.

use muster_common::inventory::{ErrorKind, Item, ItemKind, SectionName};

use crate::{
    host::Host,
    sources::{
        Personal, Source, Stamp,
        part::{ITEMS_LIMIT, SectionPart},
    },
};

/// Use of software.
#[derive(Debug)]
pub(crate) struct UsageSource;

impl Source for UsageSource {
    fn name(&self) -> &'static str {
        "usage"
    }

    fn section(&self) -> SectionName {
        SectionName::known(SectionName::USAGE)
    }

    fn reads(&self) -> &'static [&'static str] {
        &["proc/*/stat", "proc/*/cgroup", "proc/*/exe", "the package managers' lists of files"]
    }

    fn personal(&self) -> Option<Personal> {
        Some(Personal::Usage)
    }

    fn stamp(&self) -> Stamp {
        Stamp::Always
    }

    fn collect(&self, host: &dyn Host) -> SectionPart {
        let mut part = SectionPart::default();
        match host.uses() {
            Some(uses) => {
                part.items =
                    uses.iter().take(ITEMS_LIMIT).cloned().map(ItemKind::Usage).map(Item::new).collect();
            }
            None => {
                let message =
                    "the service has not watched which programs run, or what it found may not be read";
                part.problems.add("usage", ErrorKind::NotAvailable, message);
            }
        }
        part
    }
}
