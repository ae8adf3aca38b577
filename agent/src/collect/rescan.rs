//! Collects a machine again and again: sources that would find the same are not run, sections that have the same are
//! not encoded, and an inventory that is the same is the one from before.
//!
//! Knows nothing of when that is done. Once a day everything is read whatever the stamps say, so that what a stamp
//! overlooks is not overlooked for ever.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::{Duration, Instant},
};

use muster_common::{
    inventory::{Section, SectionName},
    time::EndpointTime,
};

use super::{Budget, Limits, Notes, Run, Touched, run, section, touched::Round};
use crate::{
    host::Host,
    permissions::Permissions,
    report::{EncodedInventory, EncodedSection, evidence_of, is_evidence},
    sources::{SectionPart, Source},
};

/// Of a section that several sources feed, the items of each are kept up to so many; a source with more runs again when
/// another one changes.
const KEPT_ITEMS: usize = 1000;

/// What is known of a machine from earlier collections.
#[derive(Debug)]
pub struct Rescan {
    limits: Limits,
    full_every: Duration,
    full: Option<EndpointTime>,
    sources: HashMap<&'static str, Known>,
    sections: BTreeMap<SectionName, Kept>,
    last: Option<Arc<EncodedInventory>>,
}

/// What one source found.
#[derive(Debug)]
struct Known {
    /// `None` when nothing tells whether it would find the same.
    touched: Option<Touched>,
    /// `None` when it stands in its section alone.
    part: Option<SectionPart>,
    micros: u64,
}

/// What one section has.
#[derive(Debug)]
struct Kept {
    sources: Vec<&'static str>,
    encoded: Arc<EncodedSection>,
    /// The section itself where it tells which device this is.
    evidence: Option<Section>,
}

/// One collection.
#[derive(Debug)]
pub struct Rescanned {
    /// The inventory; the same allocation as the time before when nothing changed.
    pub inventory: Arc<EncodedInventory>,
    /// What each source cost, in the order of the sources.
    pub costs: Vec<SourceCost>,
}

/// What one source cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceCost {
    /// The source.
    pub name: &'static str,
    /// How long it took when it ran last, in µs.
    pub micros: u64,
    /// Whether it ran this time.
    pub ran: bool,
}

impl Rescan {
    /// Knows nothing yet; reads everything anew after `full_every` by the machine's clock.
    pub fn new(limits: Limits, full_every: Duration) -> Self {
        Self {
            limits,
            full_every,
            full: None,
            sources: HashMap::new(),
            sections: BTreeMap::new(),
            last: None,
        }
    }

    /// Collects at `now` by the clock that the machine's file systems have. What came of the call before is kept only
    /// for the sources that are given this time.
    pub fn collect(
        &mut self,
        host: &dyn Host,
        sources: &[&'static dyn Source],
        permissions: Permissions,
        withheld: Vec<SectionName>,
        now: EndpointTime,
    ) -> Rescanned {
        self.forget_in_time(now);
        let begun = Instant::now();
        let unchanged: Vec<bool> = {
            let round = Round::new(host);
            let touched = |name| self.sources.get(name).and_then(|known| known.touched.as_ref());
            sources
                .iter()
                .map(|source| touched(source.name()).is_some_and(|touched| touched.is_unchanged(&round)))
                .collect()
        };

        let names: Vec<SectionName> = sources.iter().map(|source| source.section()).collect();
        let mut by_section: BTreeMap<&SectionName, Vec<(&'static dyn Source, bool)>> = BTreeMap::new();
        for ((source, unchanged), name) in sources.iter().zip(&unchanged).zip(&names) {
            by_section.entry(name).or_default().push((*source, *unchanged));
        }

        let mut scan =
            Scan { host, round: Round::new(host), limits: self.limits, begun, now, ran: Vec::new() };
        let mut same = self.sections.len() == by_section.len();
        for (name, feeding) in by_section {
            same &= self.section(&mut scan, name, &feeding);
        }
        let ran = scan.ran;
        self.sections.retain(|name, _| names.contains(name));
        self.sources.retain(|name, _| sources.iter().any(|source| source.name() == *name));

        let cost = |source: &&'static dyn Source| SourceCost {
            name: source.name(),
            micros: self.sources.get(source.name()).map_or(0, |known| known.micros),
            ran: ran.contains(&source.name()),
        };
        let costs = sources.iter().map(cost).collect();
        let before = self
            .last
            .take()
            .filter(|last| same && last.permissions == permissions && last.withheld == withheld);
        let inventory = before.unwrap_or_else(|| Arc::new(self.inventory(permissions, withheld, now)));
        self.last = Some(inventory.clone());
        Rescanned { inventory, costs }
    }

    /// Brings a section up to date; says whether it has what it had.
    fn section(
        &mut self,
        scan: &mut Scan<'_>,
        name: &SectionName,
        feeding: &[(&'static dyn Source, bool)],
    ) -> bool {
        let names = || feeding.iter().map(|(source, _)| source.name());
        let is_known = self.sections.get(name).is_some_and(|kept| kept.sources.iter().copied().eq(names()));
        if is_known && feeding.iter().all(|(_, unchanged)| *unchanged) {
            return true;
        }
        let is_shared = feeding.len() > 1;
        let mut joined = SectionPart::default();
        for (source, unchanged) in feeding {
            let known = self.sources.get(source.name()).filter(|_| *unchanged);
            let part = match known.and_then(|known| known.part.clone()) {
                Some(part) => part,
                None => {
                    let Run { part, touched, took } = scan.run(*source);
                    let keeps = is_shared && touched.is_some() && part.items.len() <= KEPT_ITEMS;
                    let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
                    let known = Known { touched, part: keeps.then(|| part.clone()), micros };
                    self.sources.insert(source.name(), known);
                    part
                }
            };
            joined.items.extend(part.items);
            joined.problems.append(part.problems);
        }
        let section = section(name.clone(), joined);
        let encoded = EncodedSection::new(&section);
        let before =
            self.sections.get(name).map(|kept| kept.encoded.clone()).filter(|before| **before == encoded);
        let same = before.is_some();
        let kept = Kept {
            sources: names().collect(),
            encoded: before.unwrap_or_else(|| Arc::new(encoded)),
            evidence: is_evidence(name).then_some(section),
        };
        self.sections.insert(name.clone(), kept);
        same
    }

    fn inventory(
        &self,
        permissions: Permissions,
        withheld: Vec<SectionName>,
        now: EndpointTime,
    ) -> EncodedInventory {
        let evidence: Vec<&Section> =
            self.sections.values().filter_map(|kept| kept.evidence.as_ref()).collect();
        EncodedInventory {
            observed: Some(now),
            sections: self.sections.iter().map(|(name, kept)| (name.clone(), kept.encoded.clone())).collect(),
            evidence: evidence_of(&evidence),
            permissions,
            withheld,
        }
    }

    /// After a day, or when the clock went back, what is known of the sources counts for nothing.
    fn forget_in_time(&mut self, now: EndpointTime) {
        let every = i64::try_from(self.full_every.as_millis()).unwrap_or(i64::MAX);
        let is_due =
            |full: EndpointTime| !(0..every).contains(&now.as_millis().saturating_sub(full.as_millis()));
        if self.full.is_none_or(is_due) {
            self.sources.clear();
            self.full = Some(now);
        }
    }
}

/// The runs of one collection.
struct Scan<'a> {
    host: &'a dyn Host,
    /// Read before the first source runs, so that what changes meanwhile is a change the next time.
    round: Round<'a>,
    limits: Limits,
    begun: Instant,
    now: EndpointTime,
    ran: Vec<&'static str>,
}

impl Scan<'_> {
    fn run(&mut self, source: &'static dyn Source) -> Run {
        self.ran.push(source.name());
        let now_ns = i128::from(self.now.as_millis()) * 1_000_000;
        let notes = Notes::new(source.stamp(), &self.round, now_ns);
        run(source, self.host, Budget::new(self.limits, self.begun), notes)
    }
}
