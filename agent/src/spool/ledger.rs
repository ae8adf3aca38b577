//! What we have and what the collector has, and so what to say next.
//!
//! Pure: no file, no clock, no socket. A report that is refused never comes back unchanged, however often one
//! reconnects within a process: first its sections are tried one by one, then the guilty one in full, then that
//! content is let go until it changes.

use std::{collections::BTreeMap, sync::Arc};

use muster_common::{
    delta::SectionDigest,
    inventory::{Section, SectionName, SectionStatus},
    time::EndpointTime,
};
use muster_proto::{convert, v1};
use prost::Message;

use super::pending::{CHANGE_TIMES, Pending, PendingSection};
use crate::{
    baseline::Baseline,
    report::{EncodedInventory, EncodedSection, HeadDigest, REPORT_BYTES, Step, differs, step},
};

/// How often a section is sent in full because the collector asked, while neither it nor the collector moves on.
const WANTS_IN_A_ROW: u8 = 3;

/// The newest content of each section beside what is acknowledged.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    baseline: Baseline,
    entries: BTreeMap<SectionName, Entry>,
    observed: Option<EndpointTime>,
}

/// One report that could be sent now.
#[derive(Debug, Clone, PartialEq)]
pub struct Planned {
    /// When the content was collected.
    pub observed: Option<EndpointTime>,
    /// The sections with what is held once they are acknowledged.
    pub sections: Vec<(SectionName, Step)>,
}

/// What becomes of a refused report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// Its sections are tried one by one.
    Split,
    /// The section is tried in full.
    InFull(SectionName),
    /// The section's content is let go until it changes.
    LetGo(SectionName),
}

/// What tells two contents of a section apart.
type Fingerprint = (SectionDigest, HeadDigest);

#[derive(Debug, Clone)]
struct Entry {
    newest: Arc<EncodedSection>,
    changes: Vec<EndpointTime>,
    manner: Manner,
    refused: Option<Fingerprint>,
    compare: bool,
    wants: u8,
}

/// How a section may be sent, from the usual to the careful.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Manner {
    Together,
    Alone,
    AloneInFull,
}

impl Ledger {
    /// From what the state folder holds.
    pub fn new(baseline: Baseline, pending: Pending) -> Self {
        let Pending { observed, sections } = pending;
        let entries = sections.into_iter().map(|PendingSection { section, changes }| {
            (section.name().clone(), Entry { changes, ..Entry::new(Arc::new(section)) })
        });
        Self { baseline, entries: entries.collect(), observed }
    }

    /// What is acknowledged.
    pub fn baseline(&self) -> &Baseline {
        &self.baseline
    }

    /// Takes a new inventory; says whether what is pending changed.
    pub fn collected(&mut self, inventory: &EncodedInventory) -> bool {
        let EncodedInventory { observed, sections, evidence: _, permissions: _, withheld } = inventory;
        let (observed, mut sections) = (*observed, sections.clone());
        for name in withheld {
            // Complete and empty, so that the collector lets go of what it was told.
            if self.was_told(name) {
                let empty = Section {
                    name: name.clone(),
                    status: SectionStatus::Complete,
                    items: Vec::new(),
                    errors: Vec::new(),
                };
                sections.entry(name.clone()).or_insert_with(|| Arc::new(EncodedSection::new(&empty)));
            }
        }
        let before = self.entries.len();
        self.entries.retain(|name, _| sections.contains_key(name));
        let mut changed = self.entries.len() != before;
        self.observed = observed;
        for (name, section) in sections {
            let held = self.baseline.held(&name);
            let entry = match self.entries.get_mut(&name) {
                Some(entry) if Arc::ptr_eq(&entry.newest, &section) || entry.newest == section => continue,
                Some(entry) => {
                    entry.newest = section;
                    entry.wants = 0;
                    entry
                }
                None => self.entries.entry(name).or_insert_with(|| Entry::new(section)),
            };
            if differs(&entry.newest, &held) {
                entry.note_change(observed);
                changed = true;
            } else {
                // It went back to what the collector holds.
                changed |= !entry.changes.is_empty();
                entry.changes.clear();
            }
        }
        self.baseline.make_room_for(self.entries.keys());
        changed
    }

    /// Whether the collector has items of a section, or may have them by a report that is on its way.
    fn was_told(&self, name: &SectionName) -> bool {
        let held = self.baseline.held(name);
        self.entries.contains_key(name) || held.manifest.is_some_and(|manifest| !manifest.is_empty())
    }

    /// What a new session begins with: what was let go may be tried once more, since the collector may be a new one.
    pub fn begin_session(&mut self) {
        for entry in self.entries.values_mut() {
            entry.refused = None;
            entry.wants = 0;
        }
    }

    /// The next report; `None` when there is nothing to say. Sections for which `in_flight` holds are left out.
    pub fn plan(&self, in_flight: impl Fn(&SectionName) -> bool) -> Option<Planned> {
        let mut planned = Planned { observed: self.observed, sections: Vec::new() };
        let mut used = 0;
        for manner in [Manner::Together, Manner::Alone, Manner::AloneInFull] {
            for (name, entry) in &self.entries {
                if entry.manner != manner || entry.is_refused() || in_flight(name) {
                    continue;
                }
                let Some(mut step) = step(&entry.newest, &self.baseline.held(name), entry.compare) else {
                    continue;
                };
                // A single change is told by the time at which it was observed.
                if entry.changes.len() > 1 {
                    let times = entry.changes.iter().copied();
                    step.report.changed_times = times.map(convert::to_timestamp_endpoint).collect();
                }
                used += step.report.encoded_len();
                if used > REPORT_BYTES && !planned.sections.is_empty() {
                    return Some(planned);
                }
                planned.sections.push((name.clone(), step));
                if manner != Manner::Together {
                    return Some(planned);
                }
            }
            if !planned.sections.is_empty() {
                return Some(planned);
            }
        }
        None
    }

    /// A report is durable at the collector: the baseline moves.
    pub fn acknowledge(&mut self, sections: &[(SectionName, Step)]) {
        for (name, step) in sections {
            self.baseline.set(name, step.reached.clone());
            let held = self.baseline.held(name);
            if let Some(entry) = self.entries.get_mut(name) {
                entry.manner = Manner::Together;
                entry.compare = false;
                if !step.is_full() {
                    entry.wants = 0;
                }
                if !differs(&entry.newest, &held) {
                    entry.changes.clear();
                }
            }
        }
    }

    /// A report can't be used.
    pub fn refuse(&mut self, sections: &[(SectionName, Step)]) -> Refusal {
        if let [(name, step)] = sections {
            let Some(entry) = self.entries.get_mut(name) else { return Refusal::LetGo(name.clone()) };
            entry.manner = Manner::AloneInFull;
            entry.compare = false;
            if step.report.base_digest.is_some() {
                self.baseline.forget(name);
                return Refusal::InFull(name.clone());
            }
            entry.refused = Some(entry.fingerprint());
            entry.changes.clear();
            return Refusal::LetGo(name.clone());
        }
        for (name, _) in sections {
            if let Some(entry) = self.entries.get_mut(name) {
                entry.manner = entry.manner.max(Manner::Alone);
            }
        }
        Refusal::Split
    }

    /// The collector wants a section in full; says whether it will get it, which ends when asking again and again
    /// changes nothing.
    pub fn want(&mut self, name: &SectionName) -> bool {
        if let Some(entry) = self.entries.get_mut(name) {
            if entry.wants >= WANTS_IN_A_ROW {
                return false;
            }
            entry.wants += 1;
            entry.compare = false;
        }
        self.baseline.forget(name);
        true
    }

    /// Lets the collector compare a section that it asked for before it knew that a report had become durable.
    pub fn compare(&mut self, name: &SectionName) {
        if let Some(entry) = self.entries.get_mut(name) {
            entry.compare = true;
        }
    }

    /// What the collector doesn't have yet, to be kept on disk.
    pub fn pending(&self) -> Pending {
        let pending = |(name, entry): (&SectionName, &Entry)| {
            let waits = !entry.is_refused() && differs(&entry.newest, &self.baseline.held(name));
            waits.then(|| PendingSection {
                section: EncodedSection::clone(&entry.newest),
                changes: entry.changes.clone(),
            })
        };
        Pending { observed: self.observed, sections: self.entries.iter().filter_map(pending).collect() }
    }

    /// The digests that Hello claims.
    pub fn digests(&self) -> Vec<v1::SectionDigest> {
        self.baseline.digests()
    }
}

impl Entry {
    fn new(newest: Arc<EncodedSection>) -> Self {
        Self {
            newest,
            changes: Vec::new(),
            manner: Manner::Together,
            refused: None,
            compare: false,
            wants: 0,
        }
    }

    fn fingerprint(&self) -> Fingerprint {
        (self.newest.manifest().digest(self.newest.name()), self.newest.head())
    }

    fn is_refused(&self) -> bool {
        self.refused.is_some_and(|refused| refused == self.fingerprint())
    }

    fn note_change(&mut self, observed: Option<EndpointTime>) {
        self.changes.extend(observed);
        if self.changes.len() > CHANGE_TIMES {
            self.changes.remove(CHANGE_TIMES / 2);
        }
    }
}

#[cfg(test)]
mod tests {
    use muster_common::inventory::{Inventory, Item, ItemKind, Package};

    use super::*;
    use crate::permissions::Permissions;

    /// An inventory of two sections whose contents are named by numbers.
    fn inventory(at_ms: i64, hardware: u64, software: u64) -> EncodedInventory {
        let section = |name: &str, content: u64| Section {
            name: SectionName::new(name).unwrap(),
            status: SectionStatus::Complete,
            items: vec![Item::new(ItemKind::Package(Package {
                name: "p".to_owned(),
                size_bytes: Some(content),
                ..Package::default()
            }))],
            errors: Vec::new(),
        };
        EncodedInventory::new(&Inventory {
            collected: Some(EndpointTime::from_millis(at_ms)),
            agent_version: String::new(),
            sections: vec![section("hardware", hardware), section("software.dpkg", software)],
        })
    }

    fn ledger() -> Ledger {
        let mut ledger = Ledger::default();
        assert!(ledger.collected(&inventory(1, 1, 1)));
        ledger
    }

    #[test]
    fn a_section_that_is_withheld_is_taken_back_if_it_was_told() {
        let withheld = |at_ms| {
            let mut inventory = inventory(at_ms, 1, 1);
            let software = SectionName::new("software.dpkg").unwrap();
            inventory.sections.remove(&software);
            inventory.read_under(Permissions::default(), vec![software])
        };
        // Told and acknowledged.
        let mut ledger = ledger();
        let planned = ledger.plan(|_| false).unwrap();
        ledger.acknowledge(&planned.sections);
        assert!(ledger.collected(&withheld(2)));
        let taken_back = ledger.plan(|_| false).unwrap();
        let [(name, step)] = &taken_back.sections[..] else { panic!("{taken_back:?}") };
        assert_eq!((name.as_str(), step.report.removed_keys.len()), ("software.dpkg", 1));
        ledger.acknowledge(&taken_back.sections);
        assert!(!ledger.collected(&withheld(3)) && ledger.plan(|_| false).is_none(), "once is enough");
        // Never told: there is nothing to take back.
        let mut ledger = Ledger::default();
        assert!(ledger.collected(&withheld(1)));
        assert_eq!(next(&ledger), ["hardware*"]);
        // Told, and the acknowledgement comes after it was withheld.
        let mut ledger = Ledger::default();
        ledger.collected(&inventory(1, 1, 1));
        let planned = ledger.plan(|_| false).unwrap();
        ledger.collected(&withheld(2));
        ledger.acknowledge(&planned.sections);
        assert_eq!(next(&ledger), ["software.dpkg"]);
    }

    /// The names in the next report, with `*` after those in full.
    fn next(ledger: &Ledger) -> Vec<String> {
        let planned = ledger.plan(|_| false).map_or_else(Vec::new, |planned| planned.sections);
        planned
            .iter()
            .map(|(name, step)| format!("{name}{}", if step.is_full() { "*" } else { "" }))
            .collect()
    }

    fn acknowledge_next(ledger: &mut Ledger) {
        let planned = ledger.plan(|_| false).unwrap();
        ledger.acknowledge(&planned.sections);
    }

    fn refuse_next(ledger: &mut Ledger) -> Refusal {
        let planned = ledger.plan(|_| false).unwrap();
        ledger.refuse(&planned.sections)
    }

    fn name(text: &'static str) -> SectionName {
        SectionName::known(text)
    }

    #[test]
    fn the_newest_state_wins_and_the_times_between_stay() {
        let mut ledger = ledger();
        acknowledge_next(&mut ledger);
        assert!(next(&ledger).is_empty() && ledger.pending().sections.is_empty());
        for (at, content) in [(2, 2), (3, 2), (4, 3)] {
            ledger.collected(&inventory(at, 1, content));
        }
        let pending = ledger.pending();
        assert_eq!(pending.sections.len(), 1);
        assert_eq!(pending.sections[0].changes, [2, 4].map(EndpointTime::from_millis));
        assert_eq!(next(&ledger), ["software.dpkg"]);
        let planned = ledger.plan(|_| false).unwrap();
        assert_eq!(planned.sections[0].1.report.changed_times.len(), 2);
        // Back to what is acknowledged: nothing is pending any more.
        assert!(ledger.collected(&inventory(5, 1, 1)));
        assert!(next(&ledger).is_empty() && ledger.pending().sections.is_empty());
    }

    #[test]
    fn change_times_are_bounded_and_keep_the_first_and_the_last() {
        let mut ledger = ledger();
        for at in 2..500 {
            ledger.collected(&inventory(at, 1, u64::try_from(at).unwrap()));
        }
        let pending = ledger.pending();
        let changes = &pending.sections[1].changes;
        assert_eq!(changes.len(), CHANGE_TIMES);
        assert_eq!((changes[0].as_millis(), changes[CHANGE_TIMES - 1].as_millis()), (1, 499));
    }

    #[test]
    fn a_refused_report_is_split_then_tried_in_full_then_let_go() {
        let mut ledger = ledger();
        acknowledge_next(&mut ledger);
        ledger.collected(&inventory(2, 2, 2));
        assert_eq!(next(&ledger), ["hardware", "software.dpkg"]);
        assert_eq!(refuse_next(&mut ledger), Refusal::Split);
        assert_eq!(next(&ledger), ["hardware"]);
        acknowledge_next(&mut ledger);
        assert_eq!(refuse_next(&mut ledger), Refusal::InFull(name("software.dpkg")));
        assert_eq!(next(&ledger), ["software.dpkg*"]);
        assert_eq!(refuse_next(&mut ledger), Refusal::LetGo(name("software.dpkg")));
        assert!(next(&ledger).is_empty() && ledger.pending().sections.is_empty());
        // The same again is still let go; another content is tried, carefully; so is the same in a new session.
        ledger.collected(&inventory(3, 2, 2));
        assert!(next(&ledger).is_empty());
        let mut later = ledger.clone();
        later.begin_session();
        assert_eq!(next(&later), ["software.dpkg*"]);
        ledger.collected(&inventory(4, 3, 3));
        assert_eq!(next(&ledger), ["hardware"]);
        acknowledge_next(&mut ledger);
        assert_eq!(next(&ledger), ["software.dpkg*"]);
        acknowledge_next(&mut ledger);
        ledger.collected(&inventory(5, 4, 4));
        assert_eq!(next(&ledger), ["hardware", "software.dpkg"], "after an acknowledgement all is as usual");
    }

    #[test]
    fn wanting_the_same_for_ever_ends() {
        let mut ledger = ledger();
        let software = name("software.dpkg");
        acknowledge_next(&mut ledger);
        for _ in 0..WANTS_IN_A_ROW {
            assert!(ledger.want(&software));
            assert_eq!(next(&ledger), ["software.dpkg*"]);
            acknowledge_next(&mut ledger);
        }
        assert!(!ledger.want(&software));
        assert!(next(&ledger).is_empty());
        ledger.collected(&inventory(2, 1, 2));
        assert!(ledger.want(&software), "new content may be wanted again");
    }

    #[test]
    fn a_section_that_only_has_to_be_compared_is_an_empty_delta() {
        let mut ledger = ledger();
        acknowledge_next(&mut ledger);
        ledger.compare(&name("hardware"));
        let planned = ledger.plan(|_| false).unwrap();
        assert_eq!(next(&ledger), ["hardware"]);
        assert!(planned.sections[0].1.report.upserts.is_empty());
        ledger.acknowledge(&planned.sections);
        assert!(next(&ledger).is_empty());
    }

    #[test]
    fn what_was_pending_at_a_stop_is_pending_at_the_start() {
        let mut ledger = ledger();
        ledger.collected(&inventory(2, 1, 2));
        let mut restarted = Ledger::new(ledger.baseline().clone(), ledger.pending());
        assert_eq!(restarted.pending(), ledger.pending());
        assert_eq!(next(&restarted), next(&ledger));
        assert!(!restarted.collected(&inventory(3, 1, 2)), "the same content is no change");
    }
}
