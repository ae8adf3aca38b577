//! The fold: from everything that is attached to a device to its one record.
//!
//! A pure function of the set of subjects. What the previous record adds is only what claims can't tell: its flags, its
//! aliases, and the count of its versions.

use std::{cmp::Reverse, collections::BTreeMap, time::Duration};

use muster_common::{
    device::{AgentBinding, Claimed, Device, Field, FieldGroup, Provenanced, Value},
    governance::Charter,
    id::DeviceId,
    source::Source,
    time::Timestamp,
};

use super::{SubjectClaims, precedence::standing};

/// How many claims of one field are shown; the store keeps all.
const MAX_CLAIMS: usize = 16;

/// How many agents a record lists; a laboratory machine that is re-imaged every night has hundreds.
const MAX_AGENTS: usize = 16;

/// After this much silence the first of several agents that report in turn is no longer the machine's own.
const COEXISTENCE: Duration = Duration::from_secs(7 * 24 * 3600);

/// Facts that stay true of the machine when the agent that reported them is gone.
const LASTING: &[Field] = &[
    Field::Serial,
    Field::Uuid,
    Field::BoardSerial,
    Field::ChassisSerial,
    Field::Manufacturer,
    Field::Model,
    Field::ModelName,
    Field::FirmwareAssetTag,
    Field::Class,
    Field::Virtual,
];

/// Which device, and why what is attached to it was attached.
#[derive(Debug, Clone, Copy)]
pub struct Identity<'a> {
    /// Which device.
    pub id: DeviceId,
    /// Of the last decision; empty keeps what the previous record says.
    pub explanation: &'a str,
}

/// Folds all subjects of a device into its record; `previous` is the record as it stands, if there is one.
///
/// Flags are taken over as they were: they are judged on the result. The version rises by one if a fact changed.
pub fn fold(
    identity: Identity<'_>,
    previous: Option<&Device>,
    subjects: &[SubjectClaims],
    _charter: &Charter,
) -> Device {
    let current = current_agent(subjects);
    let mut sorted: Vec<&SubjectClaims> = subjects.iter().collect();
    // The latest first, so that of equal claims the latest is met first.
    sorted.sort_by(|a, b| (Reverse(a.last), &a.key).cmp(&(Reverse(b.last), &b.key)));
    let explanation = match (identity.explanation, previous) {
        ("", Some(previous)) => previous.identity_explanation.clone(),
        (explanation, _) => explanation.to_owned(),
    };
    let mut seen_by: BTreeMap<String, Timestamp> = BTreeMap::new();
    for subject in &sorted {
        let seen = seen_by.entry(subject.source.kind().to_owned()).or_insert(subject.last);
        *seen = (*seen).max(subject.last);
    }
    let first_seen = subjects
        .iter()
        .map(|subject| subject.first)
        .chain(previous.map(|previous| previous.first_seen))
        .min()
        .unwrap_or_default();
    let mut keys: Vec<_> = subjects.iter().map(|subject| subject.key.clone()).collect();
    keys.sort();
    keys.dedup();
    let mut device = Device {
        id: identity.id,
        version: previous.map_or(1, |previous| previous.version),
        fields: fold_fields(&sorted, current),
        flags: previous.map(|previous| previous.flags.clone()).unwrap_or_default(),
        agents: bindings(&sorted, current),
        seen_by,
        first_seen,
        software_count: current.map_or(0, |subject| subject.software_count),
        subjects: keys,
        aliases: previous.map(|previous| previous.aliases.clone()).unwrap_or_default(),
        merged_into: previous.and_then(|previous| previous.merged_into),
        identity_explanation: explanation,
    };
    if previous.is_some_and(|previous| !same_facts(previous, &device)) {
        device.version = device.version.saturating_add(1);
    }
    device
}

/// The agent subject that machine facts come from.
///
/// The latest, when the one before it never spoke again: a re-imaged machine. Where two go on reporting in turn, as with
/// a second operating system or a container, the first stays the machine's own until it falls silent.
pub fn current_agent(subjects: &[SubjectClaims]) -> Option<&SubjectClaims> {
    let is_agent = |subject: &&SubjectClaims| matches!(subject.source, Source::Agent(_));
    let mut agents: Vec<&SubjectClaims> =
        subjects.iter().filter(is_agent).filter(|subject| !subject.superseded).collect();
    if agents.is_empty() {
        // Every agent has gone elsewhere; what they said last still describes the machine.
        return subjects.iter().filter(is_agent).max_by_key(|subject| (subject.last, Reverse(&subject.key)));
    }
    agents.sort_by_key(|subject| (subject.first, &subject.key));
    agents.into_iter().reduce(|current, next| {
        let is_gone = current.last < next.first || next.last.since(current.last) > COEXISTENCE;
        if is_gone { next } else { current }
    })
}

/// Whether two records state the same facts: when a source last confirmed them doesn't count.
pub fn same_facts(left: &Device, right: &Device) -> bool {
    let agents = |device: &Device| {
        let plain =
            |agent: &AgentBinding| AgentBinding { last_report: Timestamp::default(), ..agent.clone() };
        device.agents.iter().map(plain).collect::<Vec<_>>()
    };
    left.fields == right.fields
        && left.subjects == right.subjects
        && left.aliases == right.aliases
        && left.merged_into == right.merged_into
        && left.software_count == right.software_count
        && agents(left) == agents(right)
}

fn fold_fields(sorted: &[&SubjectClaims], current: Option<&SubjectClaims>) -> BTreeMap<Field, Provenanced> {
    let mut fields = BTreeMap::new();
    for field in Field::ALL {
        let mut claims = claims_of(*field, sorted, current);
        claims.truncate(MAX_CLAIMS);
        if !claims.is_empty() {
            fields.insert(*field, Provenanced { claims });
        }
    }
    fields
}

/// The claims of one field, the winner first.
fn claims_of(field: Field, sorted: &[&SubjectClaims], current: Option<&SubjectClaims>) -> Vec<Claimed> {
    let mut ranked: Vec<(Place, Claimed)> = Vec::new();
    let mut earlier: Vec<&Value> = Vec::new();
    for subject in sorted {
        let Some((value, observed)) = subject.fields.get(&field) else { continue };
        let is_agent = matches!(subject.source, Source::Agent(_));
        let is_current = current.is_some_and(|current| current.key == subject.key);
        let is_former = is_agent && !is_current && field.group() == FieldGroup::Machine;
        if is_former {
            let known = current.and_then(|current| current.fields.get(&field)).map(|(value, _)| value);
            if !LASTING.contains(&field) || known == Some(value) || earlier.contains(&value) {
                continue;
            }
            earlier.push(value);
        }
        let place = Place {
            standing: standing(&subject.source, field),
            is_former,
            observed: Reverse(*observed),
            source: subject.source.clone(),
            value: value.clone(),
        };
        let claim = Claimed { value: value.clone(), source: subject.source.clone(), observed: *observed };
        ranked.push((place, claim));
    }
    ranked.sort_by(|(left, _), (right, _)| left.cmp(right));
    ranked.dedup_by(|(_, later), (_, kept)| later.source == kept.source && later.value == kept.value);
    ranked.into_iter().map(|(_, claim)| claim).collect()
}

/// Where a claim stands among those of its field.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    standing: u8,
    is_former: bool,
    observed: Reverse<Timestamp>,
    source: Source,
    value: Value,
}

fn bindings(sorted: &[&SubjectClaims], current: Option<&SubjectClaims>) -> Vec<AgentBinding> {
    let mut bindings: Vec<AgentBinding> = sorted
        .iter()
        .filter_map(|subject| {
            let Source::Agent(agent) = subject.source else { return None };
            Some(AgentBinding {
                agent,
                version: subject.agent_version.clone(),
                subject: subject.key.clone(),
                bound: subject.first,
                last_report: subject.last,
                current: current.is_some_and(|current| current.key == subject.key),
            })
        })
        .collect();
    bindings.sort_by_key(|binding| !binding.current);
    bindings.truncate(MAX_AGENTS);
    bindings
}
