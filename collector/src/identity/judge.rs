//! What the comparison of evidence with one candidate means: the same machine, another, or something for people.
//!
//! The ranks are tried from the strongest on. A number that decides is still asked whether anything else agrees:
//! makers ship one serial number or UUID on hundreds of boards, and only the rest of the machine tells them apart.

use std::collections::BTreeSet;

use super::{
    candidate::{Candidate, CandidateSubject, Overlap, Relation, overlap},
    decide::Rank,
    evidence::Evidence,
};

/// What one candidate is to the evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The same machine.
    Same {
        /// By what.
        rank: Rank,
    },
    /// It may be the same machine: a person must say.
    Unclear {
        /// By what.
        rank: Rank,
        /// Why it isn't clear.
        why: &'static str,
    },
    /// Another machine, though it shares an identifier.
    Other {
        /// Why.
        why: &'static str,
    },
    /// Nothing that counts is shared.
    Unrelated,
}

/// The identifiers of ranks 1 to 4, compared.
struct Comparison {
    serial: Relation,
    uuid: Relation,
    board: Relation,
    instance: Relation,
    other_maker: bool,
    is_virtual: bool,
}

impl Comparison {
    fn new(evidence: &Evidence, candidate: &Candidate) -> Self {
        Self {
            serial: candidate.relate(evidence, |it| it.serial.as_ref()),
            uuid: candidate.relate(evidence, |it| it.uuid.as_ref()),
            board: candidate.relate(evidence, |it| it.board_serial.as_ref()),
            instance: candidate.relate(evidence, |it| it.instance.as_ref()),
            other_maker: candidate.has_other_maker(evidence),
            is_virtual: evidence.is_virtual || candidate.is_virtual(),
        }
    }

    /// Whether hardware that both sides know contradicts a weaker match.
    fn contradicts(&self) -> bool {
        let differs = |relation| matches!(relation, Relation::Differs | Relation::Former);
        self.other_maker
            || differs(self.serial)
            || differs(self.uuid)
            || differs(self.board)
            || differs(self.instance)
    }
}

/// Judges one candidate.
pub(super) fn judge(evidence: &Evidence, candidate: &Candidate) -> Verdict {
    if !evidence.asset_keys.is_empty() {
        return restrict(by_asset_keys(evidence, candidate), evidence, candidate);
    }
    let comparison = Comparison::new(evidence, candidate);
    let verdict = by_hardware(evidence, candidate, &comparison)
        .or_else(|| by_agent(evidence, candidate, &comparison))
        .or_else(|| by_addresses(evidence, candidate, &comparison))
        .or_else(|| by_names(evidence, candidate, &comparison))
        .unwrap_or(Verdict::Unrelated);
    restrict(verdict, evidence, candidate)
}

/// What holds whatever decided.
fn restrict(verdict: Verdict, evidence: &Evidence, candidate: &Candidate) -> Verdict {
    let Verdict::Same { rank } = verdict else { return verdict };
    if candidate.disposed && rank >= Rank::Uuid {
        return Verdict::Unclear { rank, why: "the device is recorded as disposed of" };
    }
    if !candidate.disposed && !evidence.is_from_agent() && candidate.has_row_of(&evidence.origin) {
        return Verdict::Unclear { rank, why: "another row of the same import already describes the device" };
    }
    verdict
}

/// An asset that is no device has one number, tag or key that decides; where two serial numbers differ it is another.
fn by_asset_keys(evidence: &Evidence, candidate: &Candidate) -> Verdict {
    let known = || candidate.subjects.iter().flat_map(|subject| &subject.evidence.asset_keys);
    if !known().any(|key| evidence.asset_keys.contains(key)) {
        return Verdict::Unrelated;
    }
    let is_serial = |key: &&String| key.split('/').nth(1) == Some("serial");
    let theirs: BTreeSet<&String> = known().filter(is_serial).collect();
    let mine: BTreeSet<&String> = evidence.asset_keys.iter().filter(is_serial).collect();
    if !mine.is_empty() && !theirs.is_empty() && mine.is_disjoint(&theirs) {
        let why = "its tag or key agrees and its serial number differs";
        return Verdict::Unclear { rank: Rank::AssetKey, why };
    }
    same(Rank::AssetKey)
}

/// Ranks 1 to 4.
fn by_hardware(evidence: &Evidence, candidate: &Candidate, comparison: &Comparison) -> Option<Verdict> {
    match comparison.instance {
        Relation::Same => return Some(same(Rank::Instance)),
        Relation::Differs | Relation::Former => {
            return Some(Verdict::Other { why: "it is another cloud instance" });
        }
        Relation::Unknown => {}
    }
    // A number means something within one maker's numbers only.
    if comparison.other_maker {
        return None;
    }
    let rank = match (comparison.serial, comparison.uuid) {
        (Relation::Same, Relation::Same) => Rank::SerialAndUuid,
        (Relation::Same, _) if !comparison.is_virtual => Rank::Serial,
        (Relation::Unknown, Relation::Same) => Rank::Uuid,
        (Relation::Unknown, Relation::Unknown)
            if comparison.board == Relation::Same && !comparison.is_virtual =>
        {
            Rank::BoardSerial
        }
        (Relation::Former, _) if evidence.is_from_agent() => {
            if has_old_board_back(evidence, candidate) {
                return Some(same(Rank::Serial));
            }
            return Some(Verdict::Unclear {
                rank: Rank::Serial,
                why: "the device had this serial number before and has another now",
            });
        }
        (Relation::Former, _) => return Some(same(Rank::Serial)),
        (Relation::Unknown, Relation::Former) if !evidence.is_from_agent() => {
            return Some(same(Rank::Uuid));
        }
        _ => return None,
    };
    Some(if comparison.is_virtual {
        confirm_virtual(rank, evidence, candidate)
    } else {
        confirm_physical(rank, evidence, candidate)
    })
}

/// Copies of a virtual machine share every number; that two of them run at once tells them apart.
fn confirm_virtual(rank: Rank, evidence: &Evidence, candidate: &Candidate) -> Verdict {
    if evidence.is_from_agent() && candidate.is_live_without(evidence.agent) {
        return Verdict::Other { why: "a virtual machine with the same UUID is running at the same time" };
    }
    same(rank)
}

/// Asks the rest of a physical machine whether it agrees with the number that it shares.
fn confirm_physical(rank: Rank, evidence: &Evidence, candidate: &Candidate) -> Verdict {
    let Some(known) = candidate.present().map(|subject| &subject.evidence) else { return same(rank) };
    if !evidence.is_from_agent() {
        return same(rank);
    }
    let votes = Votes::new(evidence, known);
    // An agent lives on its disk: the same agent on another disk is a copy and vouches for nothing.
    let is_copy = overlap(&evidence.disk_serials, &known.disk_serials) == Overlap::Changed;
    let knows_agent = evidence
        .agent
        .is_some_and(|agent| candidate.of_agent(agent).first().is_some_and(|subject| !subject.live));
    if votes.agree > 0 || (knows_agent && !is_copy) || votes.differ == 0 {
        return same(rank);
    }
    let is_elsewhere = candidate.subjects.iter().any(|subject| subject.live);
    let shared = Verdict::Other { why: "everything but the shared number differs" };
    match rank {
        Rank::SerialAndUuid if votes.differ < 3 && !is_elsewhere => same(rank),
        Rank::SerialAndUuid if !is_elsewhere => {
            Verdict::Unclear { rank, why: "serial number and UUID agree and every other part differs" }
        }
        _ if is_elsewhere || votes.differ >= 2 => shared,
        Rank::Serial => same(rank),
        Rank::SerialAndUuid
        | Rank::Instance
        | Rank::AssetKey
        | Rank::Uuid
        | Rank::BoardSerial
        | Rank::Agent
        | Rank::MacAddresses
        | Rank::MachineId
        | Rank::AssetTag => Verdict::Unclear { rank, why: "one number agrees and another part differs" },
    }
}

/// Whether a number that the machine had before came back to the rest of it: the same agent, on the same other parts.
fn has_old_board_back(evidence: &Evidence, candidate: &Candidate) -> bool {
    let knows_agent = evidence.agent.is_some_and(|agent| !candidate.of_agent(agent).is_empty());
    let present = candidate.present().filter(|subject| !subject.live);
    knows_agent && present.is_some_and(|subject| Votes::new(evidence, &subject.evidence).agree > 0)
}

/// How the parts of two machines vote: numbers that belong to one part alone.
///
/// The enclosure has no vote, since blades and twin nodes share it; nor has the machine id, which images share.
struct Votes {
    agree: usize,
    differ: usize,
}

impl Votes {
    fn new(evidence: &Evidence, known: &Evidence) -> Self {
        let text = |mine: &Option<String>, theirs: &Option<String>| match (mine, theirs) {
            (Some(mine), Some(theirs)) if mine == theirs => Overlap::Unchanged,
            (Some(_), Some(_)) => Overlap::Changed,
            _ => Overlap::Unknown,
        };
        let parts = [
            text(&evidence.uuid, &known.uuid),
            text(&evidence.board_serial, &known.board_serial),
            overlap(&evidence.macs, &known.macs),
            overlap(&evidence.memory_serials, &known.memory_serials),
            overlap(&evidence.disk_serials, &known.disk_serials),
        ];
        // The UUID has no vote on itself: where it decided, it is the shared number.
        let shared_uuid = usize::from(parts[0] == Overlap::Unchanged);
        let shared_board =
            usize::from(parts[1] == Overlap::Unchanged && evidence.serial.is_none() && shared_uuid == 0);
        let count = |kinds: &[Overlap]| parts.iter().filter(|part| kinds.contains(part)).count();
        Self {
            agree: count(&[Overlap::Unchanged, Overlap::Partly]) - shared_uuid - shared_board,
            differ: count(&[Overlap::Changed]),
        }
    }
}

/// Rank 5: the agent id, which a moved disk carries into another machine and a copied image into many.
fn by_agent(evidence: &Evidence, candidate: &Candidate, comparison: &Comparison) -> Option<Verdict> {
    let own = candidate.of_agent(evidence.agent?);
    let known = *own.first()?;
    if !comparison.contradicts() {
        let differs = overlap(&evidence.macs, &known.evidence.macs) == Overlap::Changed;
        if known.live && differs && !comparison.is_virtual {
            return Some(Verdict::Other { why: "the agent reports from another machine at the same time" });
        }
        return Some(same(Rank::Agent));
    }
    if own.iter().any(|subject| subject.live) {
        return Some(Verdict::Other { why: "the agent reports from another machine at the same time" });
    }
    Some(by_witnesses(evidence, known, comparison))
}

/// The agent is the same and the numbers are not: was the main board replaced, the disk moved, or an image copied?
fn by_witnesses(evidence: &Evidence, known: &CandidateSubject, comparison: &Comparison) -> Verdict {
    let known = &known.evidence;
    let equal = |mine: &Option<String>, theirs: &Option<String>| match (mine, theirs) {
        (Some(mine), Some(theirs)) if mine == theirs => Overlap::Unchanged,
        (Some(_), Some(_)) => Overlap::Changed,
        _ => Overlap::Unknown,
    };
    let chassis = equal(&evidence.chassis_serial, &known.chassis_serial);
    let memory = overlap(&evidence.memory_serials, &known.memory_serials);
    // A virtual machine's model is that of its hypervisor, and so no witness.
    let model = if comparison.is_virtual { Overlap::Unknown } else { equal(&evidence.model, &known.model) };
    let witnesses = [
        chassis,
        memory,
        model,
        overlap(&evidence.batteries, &known.batteries),
        overlap(&evidence.panels, &known.panels),
        overlap(&evidence.supply_serials, &known.supply_serials),
    ];
    let unchanged = witnesses.iter().filter(|it| **it == Overlap::Unchanged).count();
    if unchanged >= 2 && !comparison.other_maker {
        return same(Rank::Agent);
    }
    // Neither a new board nor a moved disk changes the disk's own number: this is a copy.
    let disks = overlap(&evidence.disk_serials, &known.disk_serials);
    if disks == Overlap::Changed && unchanged < 2 {
        return Verdict::Other { why: "the agent was copied to another disk in another machine" };
    }
    // The same model is no surprise in a fleet, so it is outvoted by modules that were all exchanged. The enclosure's
    // number can't outvote it: it is often written into the main board, and goes with it.
    let only_model = model == Overlap::Unchanged && unchanged == 1;
    if only_model && memory == Overlap::Changed {
        return Verdict::Other { why: "only the model is the same: the disk was moved into another machine" };
    }
    let nothing_told = witnesses.iter().all(|it| *it == Overlap::Unknown);
    if unchanged == 0 && memory != Overlap::Partly && (comparison.is_virtual || !nothing_told) {
        return Verdict::Other { why: "nothing but the agent is the same: its disk was moved or copied" };
    }
    Verdict::Unclear {
        rank: Rank::Agent,
        why: "the agent is the same and too little tells if the machine is",
    }
}

/// Rank 6: burnt-in addresses. Those of virtual machines are given by software.
fn by_addresses(evidence: &Evidence, candidate: &Candidate, comparison: &Comparison) -> Option<Verdict> {
    if comparison.contradicts() || comparison.is_virtual {
        return None;
    }
    let rank = Rank::MacAddresses;
    let theirs = candidate.macs();
    if !evidence.is_from_agent() && theirs.is_disjoint(&evidence.macs) {
        // A record may name an address that went with the old main board.
        let had = candidate.subjects.iter().any(|subject| !subject.evidence.macs.is_disjoint(&evidence.macs));
        return had.then_some(same(rank));
    }
    match evidence.macs.intersection(&theirs).count() {
        0 => None,
        1 => {
            let holder = |subject: &&CandidateSubject| !subject.evidence.macs.is_disjoint(&evidence.macs);
            let from_record = !evidence.is_from_agent()
                || candidate.subjects.iter().filter(holder).all(|subject| !subject.evidence.is_from_agent());
            if from_record {
                // A purchase record names a machine by one of its addresses; there is no second one to ask for.
                return Some(same(rank));
            }
            let names_agree = candidate.relate(evidence, |it| it.machine_id.as_ref()) == Relation::Same;
            if names_agree {
                return None;
            }
            Some(Verdict::Unclear { rank, why: "one network address alone is the same" })
        }
        shared => {
            let both_have_more = shared < evidence.macs.len() && shared < theirs.len();
            let is_minority = shared * 2 <= evidence.macs.len().max(theirs.len());
            Some(if both_have_more && is_minority {
                Verdict::Unclear { rank, why: "some network addresses are the same and more are not" }
            } else {
                same(rank)
            })
        }
    }
}

/// Rank 7: the operating system's machine id, and the asset tag within its scheme.
fn by_names(evidence: &Evidence, candidate: &Candidate, comparison: &Comparison) -> Option<Verdict> {
    if comparison.contradicts() {
        return None;
    }
    if candidate.relate(evidence, |it| it.machine_id.as_ref()) == Relation::Same {
        let differs = overlap(&evidence.macs, &candidate.macs()) == Overlap::Changed;
        if differs && !comparison.is_virtual {
            return Some(Verdict::Other {
                why: "the machine id is the same and every network address differs",
            });
        }
        if evidence.is_from_agent() && candidate.is_live_without(evidence.agent) {
            return Some(Verdict::Other {
                why: "a machine with the same machine id is running at the same time",
            });
        }
        return Some(same(Rank::MachineId));
    }
    let tag = candidate.relate(evidence, |it| it.asset_tag.as_ref());
    (tag == Relation::Same).then(|| same(Rank::AssetTag))
}

const fn same(rank: Rank) -> Verdict {
    Verdict::Same { rank }
}
