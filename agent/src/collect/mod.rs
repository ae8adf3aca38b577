//! Runs the sources over a host and makes one inventory of what they found.
//!
//! Knows nothing of what a source reads and of what becomes of the inventory. A source that fails, even by a panic,
//! is an entry in its section's errors; the others go on.

use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
};

use muster_common::{
    inventory::{ErrorKind, Inventory, Item, Section, SectionName, SectionStatus},
    time::EndpointTime,
};

use crate::{
    host::Host,
    sources::{ITEMS_LIMIT, Problems, SectionPart, Source},
};

/// Reads everything that `sources` can tell of `host`.
///
/// `now` is the endpoint's time, `None` for a recording. Sections come in the order of their names, items in the order
/// of their keys, each key once; a section has at most [`ITEMS_LIMIT`] items and 64 errors.
pub fn collect(host: &dyn Host, sources: &[&dyn Source], now: Option<EndpointTime>) -> Inventory {
    let mut parts: BTreeMap<SectionName, SectionPart> = BTreeMap::new();
    for source in sources {
        let SectionPart { items, problems } = run(*source, host);
        let part = parts.entry(source.section()).or_default();
        part.items.extend(items);
        part.problems.append(problems);
    }
    Inventory {
        collected: now,
        agent_version: env!("CARGO_PKG_VERSION").to_owned(),
        sections: parts.into_iter().map(|(name, part)| section(name, part)).collect(),
    }
}

/// Runs one source; a panic in it becomes a problem.
fn run(source: &dyn Source, host: &dyn Host) -> SectionPart {
    // A source only reads, so nothing is left half changed when it is unwound.
    catch_unwind(AssertUnwindSafe(|| source.collect(host))).unwrap_or_else(|panic| {
        let text = panic
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| panic.downcast_ref::<String>().cloned())
            .unwrap_or_default();
        let mut problems = Problems::default();
        let message = format!("a fault in the agent stopped this source, please report it: {text}");
        problems.add(source.name(), ErrorKind::Io, message);
        SectionPart { items: Vec::new(), problems }
    })
}

fn section(name: SectionName, part: SectionPart) -> Section {
    let SectionPart { items, mut problems } = part;
    let mut keyed: Vec<(String, Item)> = items.into_iter().map(|item| (item.key(), item)).collect();
    keyed.sort_by(|(left, _), (right, _)| left.cmp(right));
    keyed.dedup_by(|(later, _), (earlier, _)| later == earlier);
    if keyed.len() > ITEMS_LIMIT {
        let message = format!("{} items are over the bound of {ITEMS_LIMIT}", keyed.len());
        problems.add(name.as_str(), ErrorKind::TooLarge, message);
        keyed.truncate(ITEMS_LIMIT);
    }
    let items: Vec<Item> = keyed.into_iter().map(|(_, item)| item).collect();
    let status = match (problems.anything_missing(), items.is_empty()) {
        (true, true) => SectionStatus::Failed,
        (true, false) => SectionStatus::Partial,
        (false, true) if !problems.is_empty() => SectionStatus::NotAvailable,
        (false, _) => SectionStatus::Complete,
    };
    Section { name, status, items, errors: problems.into_entries() }
}

#[cfg(test)]
mod tests {
    use muster_common::inventory::{ItemKind, Package};

    use super::*;
    use crate::sources::testing::recorded;

    #[derive(Debug)]
    struct Fixed(&'static str, fn() -> SectionPart);

    impl Source for Fixed {
        fn name(&self) -> &'static str {
            "fixed"
        }

        fn section(&self) -> SectionName {
            SectionName::known(self.0)
        }

        fn reads(&self) -> &'static [&'static str] {
            &[]
        }

        fn collect(&self, _host: &dyn Host) -> SectionPart {
            (self.1)()
        }
    }

    fn package(name: &str) -> Item {
        Item::new(ItemKind::Package(Package { name: name.to_owned(), ..Package::default() }))
    }

    fn with_problem(kind: ErrorKind, items: Vec<Item>) -> SectionPart {
        let mut problems = Problems::default();
        problems.add("x", kind, "y");
        SectionPart { items, problems }
    }

    fn collected(sources: &[&dyn Source]) -> Inventory {
        let (_folder, host) = recorded(&[]);
        collect(&host, sources, None)
    }

    #[test]
    fn sections_and_items_are_sorted_and_unique() {
        let inventory = collected(&[
            &Fixed("z", || SectionPart { items: vec![package("b"), package("a")], ..SectionPart::default() }),
            &Fixed("a", SectionPart::default),
            &Fixed("z", || SectionPart { items: vec![package("c"), package("a")], ..SectionPart::default() }),
        ]);
        let names: Vec<_> = inventory.sections.iter().map(|section| section.name.as_str()).collect();
        assert_eq!(names, ["a", "z"]);
        assert_eq!(inventory.sections[1].items, [package("a"), package("b"), package("c")]);
        assert!(inventory.sections.iter().all(|section| section.status == SectionStatus::Complete));
    }

    #[test]
    fn a_panic_is_an_error_and_the_others_go_on() {
        let inventory = collected(&[
            &Fixed("a", || panic!("boom")),
            &Fixed("a", || SectionPart { items: vec![package("a")], ..SectionPart::default() }),
            &Fixed("b", || panic!("boom")),
        ]);
        let [a, b] = &inventory.sections[..] else { panic!("two sections") };
        assert_eq!((a.status, a.items.len(), a.errors.len()), (SectionStatus::Partial, 1, 1));
        assert!(a.errors[0].message.ends_with("boom"), "{}", a.errors[0].message);
        assert_eq!((b.status, b.items.len(), b.errors.len()), (SectionStatus::Failed, 0, 1));
    }

    #[test]
    fn what_a_machine_lacks_makes_nothing_partial() {
        let inventory = collected(&[
            &Fixed("a", || with_problem(ErrorKind::NotAvailable, vec![package("a")])),
            &Fixed("b", || with_problem(ErrorKind::NotAvailable, Vec::new())),
            &Fixed("c", || with_problem(ErrorKind::NotPermitted, Vec::new())),
        ]);
        let statuses: Vec<_> = inventory.sections.iter().map(|section| section.status).collect();
        assert_eq!(statuses, [SectionStatus::Complete, SectionStatus::NotAvailable, SectionStatus::Failed]);
    }

    #[test]
    fn sections_are_bounded() {
        let flood = || SectionPart {
            items: (0..=ITEMS_LIMIT).map(|number| package(&number.to_string())).collect(),
            ..SectionPart::default()
        };
        let section = collected(&[&Fixed("a", flood)]).sections.remove(0);
        assert_eq!((section.items.len(), section.errors[0].kind), (ITEMS_LIMIT, ErrorKind::TooLarge));
        assert_eq!(section.status, SectionStatus::Partial);
    }
}
