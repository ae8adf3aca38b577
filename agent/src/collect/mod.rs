//! Runs the sources over a host and makes one inventory of what they found.
//!
//! Knows nothing of what a source reads and of what becomes of the inventory. A source that fails, even by a panic,
//! is an entry in its section's errors; the others go on, and so they do when one has used the time or the amount that
//! a source has. [`Rescan`] does the same again and again, and runs those sources alone that may find something else.

mod budget;
mod rescan;
mod touched;
mod watched;

use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    rc::Rc,
    time::{Duration, Instant},
};

use muster_common::{
    inventory::{ErrorKind, Inventory, Item, Section, SectionName, SectionStatus},
    time::EndpointTime,
};

use crate::{
    host::Host,
    sources::{ITEMS_LIMIT, Problems, SectionPart, Source, Stamp},
};
use budget::Budget;
use touched::{Notes, Touched};
use watched::Watched;

pub use budget::Limits;
pub use rescan::{Rescan, Rescanned, SourceCost};

/// Reads everything that `sources` can tell of `host`.
///
/// `now` is the endpoint's time, `None` for a recording. Sections come in the order of their names, items in the order
/// of their keys, each key once; a section has at most [`ITEMS_LIMIT`] items and 64 errors.
pub fn collect(host: &dyn Host, sources: &[&dyn Source], now: Option<EndpointTime>) -> Inventory {
    collect_within(Limits::default(), host, sources, now)
}

/// The same within other limits.
pub fn collect_within(
    limits: Limits,
    host: &dyn Host,
    sources: &[&dyn Source],
    now: Option<EndpointTime>,
) -> Inventory {
    let begun = Instant::now();
    let mut parts: BTreeMap<SectionName, SectionPart> = BTreeMap::new();
    for source in sources {
        let SectionPart { items, problems } = run(*source, host, Budget::new(limits, begun), None).part;
        let part = parts.entry(source.section()).or_default();
        part.items.extend(items);
        part.problems.append(problems);
        host.obstacles().into_iter().for_each(|obstacle| part.problems.add_unless_told(obstacle));
    }
    Inventory {
        collected: now,
        agent_version: env!("CARGO_PKG_VERSION").to_owned(),
        sections: parts.into_iter().map(|(name, part)| section(name, part)).collect(),
    }
}

/// What one source costs and brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Measured {
    /// Processor time.
    pub took: Duration,
    /// Items and errors, without the word that a machine has none of what it need not have.
    pub found: usize,
}

/// What each source costs and brings on a machine, one after another.
pub fn measure(host: &dyn Host, sources: &[&dyn Source]) -> Vec<Measured> {
    let budget = || Budget::new(Limits::default(), Instant::now());
    let measured = |run: Run| {
        let SectionPart { items, problems } = run.part;
        let errors = problems.into_entries().into_iter().filter(|error| error.kind != ErrorKind::Absent);
        Measured { took: run.took, found: items.len() + errors.count() }
    };
    sources.iter().map(|source| measured(run(*source, host, budget(), None))).collect()
}

/// The processor time that this thread has used.
pub fn processor_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// One run of one source.
struct Run {
    part: SectionPart,
    /// What it touched; `None` where that tells nothing.
    touched: Option<Touched>,
    /// Processor time.
    took: Duration,
}

/// Runs one source; a panic in it becomes a problem.
fn run(source: &dyn Source, host: &dyn Host, budget: Budget, notes: Option<Notes>) -> Run {
    let begun = processor_time();
    let budget = Rc::new(budget);
    let watched = Watched::new(host, budget.clone(), notes);
    // A source only reads, so nothing is left half changed when it is unwound.
    let result = catch_unwind(AssertUnwindSafe(|| source.collect(&watched)));
    let has_ended_well = result.is_ok() && !budget.is_used_up();
    let mut part = result.unwrap_or_else(|panic| {
        let text = panic
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| panic.downcast_ref::<String>().cloned())
            .unwrap_or_default();
        let mut problems = Problems::default();
        let message = format!("a fault in the agent stopped this source, please report it: {text}");
        problems.add(source.name(), ErrorKind::Io, message);
        SectionPart { items: Vec::new(), problems }
    });
    budget.tell(source.name(), &mut part.problems);
    // A name can't tell of an entry that could not be read the last time.
    let tells = has_ended_well && (source.stamp() != Stamp::Folders || !part.problems.anything_missing());
    let touched = if tells { watched.into_touched() } else { None };
    Run { part, touched, took: processor_time().saturating_sub(begun) }
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
    use crate::{
        host::{Content, HostError, Listing, LiveFacts, Metadata, RandomRead},
        sources::testing::recorded,
    };

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

    /// A tree without end on a slow disk: every path is a folder with folders.
    #[derive(Debug)]
    struct Endless;

    impl Host for Endless {
        fn prefix(&self, path: &str, _limit: usize) -> Result<Content, HostError> {
            Err(HostError::Missing { path: path.to_owned() })
        }

        fn list(&self, _path: &str, limit: usize) -> Result<Listing, HostError> {
            std::thread::sleep(Duration::from_millis(1));
            let names = (0..limit.min(100)).map(|number| number.to_string()).collect();
            Ok(Listing { names, more: true })
        }

        fn link(&self, path: &str) -> Result<String, HostError> {
            Err(HostError::Missing { path: path.to_owned() })
        }

        fn metadata(&self, path: &str) -> Result<Metadata, HostError> {
            Err(HostError::Missing { path: path.to_owned() })
        }

        fn random(&self, path: &str) -> Result<Box<dyn RandomRead>, HostError> {
            Err(HostError::Missing { path: path.to_owned() })
        }

        fn live(&self) -> Option<&LiveFacts> {
            None
        }
    }

    /// Goes down a tree for ever, and takes what it can't list for empty.
    #[derive(Debug)]
    struct Diver;

    impl Source for Diver {
        fn name(&self) -> &'static str {
            "diver"
        }

        fn section(&self) -> SectionName {
            SectionName::known("deep")
        }

        fn reads(&self) -> &'static [&'static str] {
            &[]
        }

        fn collect(&self, host: &dyn Host) -> SectionPart {
            let mut folders = vec!["a".to_owned()];
            while let Some(folder) = folders.pop() {
                let names = host.list(&folder, 100).map(|listing| listing.names).unwrap_or_default();
                folders.extend(names.iter().map(|name| format!("a/{name}")));
            }
            SectionPart { items: vec![package("found")], problems: Problems::default() }
        }
    }

    #[test]
    fn what_never_ends_is_an_error_and_the_others_go_on() {
        let quick = Fixed("quick", || SectionPart { items: vec![package("a")], ..SectionPart::default() });
        let long = Duration::from_secs(3600);
        let all = Limits { source: long, collection: long, operations: u64::MAX, bytes: u64::MAX };
        for (limits, kind) in [
            (Limits { source: Duration::from_millis(50), ..all }, ErrorKind::TimedOut),
            (Limits { collection: Duration::from_millis(50), ..all }, ErrorKind::TimedOut),
            (Limits { operations: 50, ..all }, ErrorKind::TooLarge),
            (Limits { bytes: 1000, ..all }, ErrorKind::TooLarge),
        ] {
            let inventory = collect_within(limits, &Endless, &[&Diver, &quick], None);
            let [deep, quick] = &inventory.sections[..] else { panic!("two sections") };
            assert_eq!((deep.status, deep.items.len()), (SectionStatus::Partial, 1), "{limits:?}");
            assert_eq!((deep.errors.len(), deep.errors[0].kind), (1, kind), "{limits:?}");
            assert_eq!(quick.status, SectionStatus::Complete);
        }
    }
}
