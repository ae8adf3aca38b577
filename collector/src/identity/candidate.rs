//! One known device, and how its evidence stands to new evidence, identifier by identifier.
//!
//! Compares only; what a likeness or a difference means is said in `judge`.

use std::collections::BTreeSet;

use muster_common::{
    id::{AgentId, DeviceId},
    inventory::MacAddress,
    time::Timestamp,
};

use super::evidence::{Evidence, Origin};

/// A device that shares an identifier with the evidence.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// Which device.
    pub device: DeviceId,
    /// What is attached to it, in any order.
    pub subjects: Vec<CandidateSubject>,
    /// Recorded as disposed, sold or returned.
    pub disposed: bool,
    /// It stands alone only until a person has reviewed which device it is: what is settled goes before it.
    pub in_review: bool,
}

/// One subject that is attached to a candidate.
#[derive(Debug, Clone)]
pub struct CandidateSubject {
    /// What it says.
    pub evidence: Evidence,
    /// A stream of it is open at this moment, and it isn't the stream that is being decided.
    pub live: bool,
    /// When it last said something.
    pub last: Timestamp,
}

/// How one identifier of the evidence stands to the candidate's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Relation {
    /// The candidate has it.
    Same,
    /// The candidate had it, and has another now.
    Former,
    /// The candidate has another.
    Differs,
    /// One of the two has none.
    Unknown,
}

/// How two sets of serial numbers stand to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Overlap {
    /// At least half of the larger set is in both.
    Unchanged,
    /// Something is in both.
    Partly,
    /// Nothing is in both.
    Changed,
    /// One of the two is empty.
    Unknown,
}

impl Candidate {
    /// The agent's subject that spoke last: what the machine is now, as far as anybody knows.
    pub(super) fn present(&self) -> Option<&CandidateSubject> {
        let agents = self.subjects.iter().filter(|subject| subject.evidence.is_from_agent());
        agents.max_by_key(|subject| (subject.last, subject.evidence.fingerprint()))
    }

    /// The subjects that tell of the machine as it is (records, and agents on the hardware that it has now), and those
    /// that tell of it as it was.
    fn current_and_former(&self) -> (Vec<&CandidateSubject>, Vec<&CandidateSubject>) {
        let hardware = self.present().map(|subject| subject.evidence.fingerprint());
        self.subjects.iter().partition(|subject| {
            !subject.evidence.is_from_agent() || Some(subject.evidence.fingerprint()) == hardware
        })
    }

    /// How a text of the evidence stands to the same of this device.
    pub(super) fn relate(&self, of: &Evidence, part: impl Fn(&Evidence) -> Option<&String>) -> Relation {
        let Some(mine) = part(of) else { return Relation::Unknown };
        let (current, former) = self.current_and_former();
        let has = |subjects: &[&CandidateSubject]| -> bool {
            subjects.iter().any(|subject| part(&subject.evidence) == Some(mine))
        };
        let knows = |subjects: &[&CandidateSubject]| -> bool {
            subjects.iter().any(|subject| part(&subject.evidence).is_some())
        };
        let present = self.present().and_then(|subject| part(&subject.evidence));
        // What the machine itself says now outranks what a record says that was bought.
        let contradicts = of.is_from_agent() && present.is_some_and(|present| present != mine);
        if has(&current) || (!knows(&current) && has(&former)) {
            return if contradicts { Relation::Former } else { Relation::Same };
        }
        if has(&former) {
            Relation::Former
        } else if knows(&current) || knows(&former) {
            Relation::Differs
        } else {
            Relation::Unknown
        }
    }

    /// Whether any subject names another maker's family.
    pub(super) fn has_other_maker(&self, of: &Evidence) -> bool {
        self.relate(of, |evidence| evidence.maker.as_ref()) == Relation::Differs
    }

    /// Built-in addresses of the present machine and of its records.
    pub(super) fn macs(&self) -> BTreeSet<MacAddress> {
        self.current_and_former()
            .0
            .into_iter()
            .flat_map(|subject| subject.evidence.macs.iter().copied())
            .collect()
    }

    /// The agent's own subjects here, the latest first.
    pub(super) fn of_agent(&self, agent: AgentId) -> Vec<&CandidateSubject> {
        let mut own: Vec<_> =
            self.subjects.iter().filter(|subject| subject.evidence.agent == Some(agent)).collect();
        own.sort_by_key(|subject| std::cmp::Reverse(subject.last));
        own
    }

    /// Whether the stream of another agent on this device is open now.
    pub(super) fn is_live_without(&self, agent: Option<AgentId>) -> bool {
        self.subjects.iter().any(|subject| subject.live && subject.evidence.agent != agent)
    }

    /// Whether a row of this import is attached.
    pub(super) fn has_row_of(&self, origin: &Origin) -> bool {
        self.subjects.iter().any(|subject| subject.evidence.origin == *origin)
    }

    /// Whether it runs as a virtual machine, as far as its present agent tells.
    pub(super) fn is_virtual(&self) -> bool {
        self.present().is_some_and(|subject| subject.evidence.is_virtual)
    }
}

/// How two sets of serial numbers stand to each other.
pub(super) fn overlap<T: Ord>(mine: &BTreeSet<T>, theirs: &BTreeSet<T>) -> Overlap {
    if mine.is_empty() || theirs.is_empty() {
        return Overlap::Unknown;
    }
    match mine.intersection(theirs).count() {
        0 => Overlap::Changed,
        shared if shared * 2 >= mine.len().max(theirs.len()) => Overlap::Unchanged,
        _ => Overlap::Partly,
    }
}
