//! The decision: which of the candidates the evidence belongs to, if any.
//!
//! Knows nothing of how a decision is carried out. Explanations are sentences for people and hold no value of an
//! identifier, so that they may stand in records, logs and exports.

use std::collections::BTreeMap;

use muster_common::{governance::Charter, id::DeviceId};

use super::{
    candidate::{Candidate, Relation},
    evidence::Evidence,
    identifier::Identifier,
    judge::{Verdict, judge},
};

/// By what a device was recognised, the strongest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rank {
    /// System serial number and system UUID.
    SerialAndUuid,
    /// System serial number within the maker's family.
    Serial,
    /// Cloud instance within its account.
    Instance,
    /// Of an asset that is no device: its serial number, tag or own key within its category.
    AssetKey,
    /// System UUID alone.
    Uuid,
    /// Main board's serial number.
    BoardSerial,
    /// Agent's identity.
    Agent,
    /// Burnt-in addresses of built-in adapters.
    MacAddresses,
    /// Operating system's machine id.
    MachineId,
    /// Asset tag within its scheme.
    AssetTag,
}

/// How many devices claim each identifier now; one that isn't there is claimed by nobody.
#[derive(Debug, Clone, Default)]
pub struct ClaimCounts(BTreeMap<Identifier, u32>);

/// What was decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// It is this device.
    Matched {
        /// Which device.
        device: DeviceId,
        /// By what.
        rank: Rank,
        /// Why, in one sentence for people.
        explanation: String,
        /// Decisive hardware is another than before: the flag `hardware-changed` is due.
        hardware_changed: bool,
        /// Other devices to which the same agent is bound.
        agent_elsewhere: Vec<DeviceId>,
    },
    /// It is a device that wasn't known.
    New {
        /// Why, in one sentence for people.
        explanation: String,
        /// Devices to which the same agent is bound: its disk was moved from there, or its image copied.
        agent_elsewhere: Vec<DeviceId>,
    },
    /// People must say which: the observation is kept and waits for a review.
    Conflict {
        /// The devices in question, sorted; never empty.
        candidates: Vec<DeviceId>,
        /// Why, in one sentence for people.
        explanation: String,
    },
}

impl ClaimCounts {
    /// Sets how many devices claim an identifier.
    pub fn set(&mut self, identifier: Identifier, devices: u32) {
        self.0.insert(identifier, devices);
    }

    /// How many devices claim it.
    pub fn of(&self, identifier: &Identifier) -> u32 {
        self.0.get(identifier).copied().unwrap_or(0)
    }
}

impl FromIterator<(Identifier, u32)> for ClaimCounts {
    fn from_iter<T: IntoIterator<Item = (Identifier, u32)>>(counts: T) -> Self {
        Self(counts.into_iter().collect())
    }
}

impl Rank {
    /// The rank's number, 1 to 7.
    pub const fn number(self) -> u8 {
        match self {
            Self::SerialAndUuid => 1,
            Self::Serial | Self::Instance | Self::AssetKey => 2,
            Self::Uuid => 3,
            Self::BoardSerial => 4,
            Self::Agent => 5,
            Self::MacAddresses => 6,
            Self::MachineId | Self::AssetTag => 7,
        }
    }

    /// For people.
    pub const fn words(self) -> &'static str {
        match self {
            Self::SerialAndUuid => "serial number and system UUID",
            Self::Serial => "serial number and maker",
            Self::Instance => "cloud instance",
            Self::AssetKey => "its key within its category",
            Self::Uuid => "system UUID",
            Self::BoardSerial => "main board's serial number",
            Self::Agent => "the agent's identity",
            Self::MacAddresses => "burnt-in network addresses",
            Self::MachineId => "the operating system's machine id",
            Self::AssetTag => "asset tag",
        }
    }
}

/// Decides to which of `candidates` the evidence belongs; the answer doesn't depend on their order.
///
/// `claims` counts, for each identifier of the evidence, the devices that claim it now, this evidence not included.
pub fn decide(
    evidence: &Evidence,
    candidates: &[Candidate],
    claims: &ClaimCounts,
    charter: &Charter,
) -> Decision {
    let decides = |identifier: &Identifier| claims.of(identifier) <= charter.devices_per_identifier;
    let trusted = evidence.only(decides);
    let mut judged: Vec<(&Candidate, Verdict)> =
        candidates.iter().map(|candidate| (candidate, judge(&trusted, candidate))).collect();
    judged.sort_by_key(|(candidate, _)| candidate.device);
    let note = match evidence.identifiers().iter().find(|identifier| !decides(identifier)) {
        Some(shared) => format!("; its {} is claimed by too many devices to decide", shared.kind.words()),
        None => String::new(),
    };
    choose(evidence, &judged, &note)
}

fn choose(evidence: &Evidence, judged: &[(&Candidate, Verdict)], note: &str) -> Decision {
    let best = judged
        .iter()
        .filter_map(|(_, verdict)| match verdict {
            Verdict::Same { rank } => Some(rank.number()),
            Verdict::Unclear { .. } | Verdict::Other { .. } | Verdict::Unrelated => None,
        })
        .min();
    let unclear = judged
        .iter()
        .filter_map(|(candidate, verdict)| match verdict {
            Verdict::Unclear { rank, why } => Some((rank.number(), *why, candidate.device)),
            Verdict::Same { .. } | Verdict::Other { .. } | Verdict::Unrelated => None,
        })
        .min();
    match (best, unclear) {
        (None, None) => new(evidence, judged, note),
        (Some(rank), None) => settle(evidence, judged, rank, note),
        (Some(rank), Some((unclear_rank, ..))) if rank <= unclear_rank => {
            settle(evidence, judged, rank, note)
        }
        (_, Some((_, why, _))) => {
            let explanation = format!("it may be a known device, but {why}{note}");
            Decision::Conflict { candidates: standing(judged), explanation }
        }
    }
}

/// Takes the one candidate at the deciding strength; several are a conflict unless the model tells them apart.
fn settle(evidence: &Evidence, judged: &[(&Candidate, Verdict)], best: u8, note: &str) -> Decision {
    let mut at_best: Vec<(&Candidate, Rank)> = judged
        .iter()
        .filter_map(|(candidate, verdict)| match verdict {
            Verdict::Same { rank } if rank.number() == best => Some((*candidate, *rank)),
            Verdict::Same { .. } | Verdict::Unclear { .. } | Verdict::Other { .. } | Verdict::Unrelated => {
                None
            }
        })
        .collect();
    let settled: Vec<_> = at_best.iter().copied().filter(|(it, _)| !it.in_review).collect();
    if !settled.is_empty() {
        at_best = settled;
    }
    if at_best.len() > 1 && best == Rank::Serial.number() {
        let has_model =
            |candidate: &Candidate| candidate.relate(evidence, |it| it.model.as_ref()) == Relation::Same;
        let of_model: Vec<_> = at_best.iter().copied().filter(|(it, _)| has_model(it)).collect();
        if of_model.len() == 1 {
            at_best = of_model;
        }
    }
    let [(candidate, rank)] = at_best[..] else {
        let explanation =
            format!("{} devices match equally well by {}{note}", at_best.len(), at_best[0].1.words());
        let candidates = at_best.iter().map(|(candidate, _)| candidate.device).collect();
        return Decision::Conflict { candidates, explanation };
    };
    let hardware_changed = evidence.is_from_agent() && has_changed(evidence, candidate);
    let changed = if hardware_changed { "; decisive hardware has changed" } else { "" };
    Decision::Matched {
        device: candidate.device,
        rank,
        explanation: format!("recognised by {}{changed}{note}", rank.words()),
        hardware_changed,
        agent_elsewhere: elsewhere(evidence, judged, Some(candidate.device)),
    }
}

fn new(evidence: &Evidence, judged: &[(&Candidate, Verdict)], note: &str) -> Decision {
    let other = judged.iter().find_map(|(_, verdict)| match verdict {
        Verdict::Other { why } => Some(*why),
        Verdict::Same { .. } | Verdict::Unclear { .. } | Verdict::Unrelated => None,
    });
    let explanation = match other {
        Some(why) => format!("not the device that it resembles: {why}{note}"),
        None if evidence.identifiers().is_empty() => {
            format!("nothing identifies it, so it stands alone{note}")
        }
        None => format!("no known device shares an identifier that decides{note}"),
    };
    Decision::New { explanation, agent_elsewhere: elsewhere(evidence, judged, None) }
}

/// Whether a number that both sides have differs from what the machine said before.
fn has_changed(evidence: &Evidence, candidate: &Candidate) -> bool {
    let Some(known) = candidate.present().map(|subject| &subject.evidence) else { return false };
    [
        (&evidence.serial, &known.serial),
        (&evidence.uuid, &known.uuid),
        (&evidence.board_serial, &known.board_serial),
    ]
    .into_iter()
    .any(|pair| matches!(pair, (Some(mine), Some(theirs)) if mine != theirs))
}

/// The candidates that are, or may be, the same machine.
fn standing(judged: &[(&Candidate, Verdict)]) -> Vec<DeviceId> {
    judged
        .iter()
        .filter(|(_, verdict)| matches!(verdict, Verdict::Same { .. } | Verdict::Unclear { .. }))
        .map(|(candidate, _)| candidate.device)
        .collect()
}

fn elsewhere(evidence: &Evidence, judged: &[(&Candidate, Verdict)], here: Option<DeviceId>) -> Vec<DeviceId> {
    let Some(agent) = evidence.agent else { return Vec::new() };
    judged
        .iter()
        .filter(|(candidate, _)| Some(candidate.device) != here && !candidate.of_agent(agent).is_empty())
        .map(|(candidate, _)| candidate.device)
        .collect()
}
