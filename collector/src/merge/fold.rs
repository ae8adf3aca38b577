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
    charter: &Charter,
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
        fields: fold_fields(&sorted, current, charter),
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
    if agents.iter().all(|subject| subject.key.is_found()) {
        // What hangs on machines has no agent of its own: whose machine met it last knows where it is.
        return agents.into_iter().max_by_key(|subject| (subject.last, Reverse(&subject.key)));
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

fn fold_fields(
    sorted: &[&SubjectClaims],
    current: Option<&SubjectClaims>,
    charter: &Charter,
) -> BTreeMap<Field, Provenanced> {
    let mut fields = BTreeMap::new();
    for field in Field::ALL {
        let mut claims = claims_of(*field, sorted, current, charter);
        claims.truncate(MAX_CLAIMS);
        if !claims.is_empty() {
            fields.insert(*field, Provenanced { claims });
        }
    }
    fields
}

/// The claims of one field, the winner first.
fn claims_of(
    field: Field,
    sorted: &[&SubjectClaims],
    current: Option<&SubjectClaims>,
    charter: &Charter,
) -> Vec<Claimed> {
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
            standing: standing(charter, &subject.source, field),
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
            if subject.key.is_found() {
                return None;
            }
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

#[cfg(test)]
mod tests {
    use muster_common::{
        id::AgentId,
        source::{ImportName, SubjectKey},
    };
    use proptest::{collection::vec, prelude::*};

    use super::*;
    use crate::merge::changes;

    fn time(ms: i64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    fn agent(number: u8, fingerprint: &str, first: i64, last: i64) -> SubjectClaims {
        let agent = AgentId::from_bytes([number; 16]);
        SubjectClaims {
            key: SubjectKey::agent(agent, fingerprint),
            source: Source::Agent(agent),
            agent_version: "1.0".to_owned(),
            fields: BTreeMap::new(),
            first: time(first),
            last: time(last),
            superseded: false,
            software_count: u32::from(number),
            vouches: false,
        }
    }

    fn row(name: &str, key: &str, at: i64) -> SubjectClaims {
        let name = ImportName::new(name).unwrap();
        SubjectClaims {
            key: SubjectKey::import(&name, key),
            source: Source::Import(name),
            vouches: true,
            ..agent(0, "none", at, at)
        }
    }

    fn says(mut subject: SubjectClaims, field: Field, text: &str) -> SubjectClaims {
        subject.fields.insert(field, (Value::Text(text.to_owned()), subject.first));
        subject
    }

    fn folded(subjects: &[SubjectClaims]) -> Device {
        let identity = Identity { id: DeviceId::from_bytes([1; 16]), explanation: "why" };
        fold(identity, None, subjects, &Charter::default())
    }

    #[test]
    fn the_machine_knows_itself_and_the_record_keeps_who_else_spoke() {
        let device = folded(&[
            says(row("purchase", "1", 1), Field::Model, "ThinkPad T480s"),
            says(agent(1, "a", 5, 9), Field::Model, "20L8S07A14"),
            says(row("mdm", "1", 3), Field::Model, "T480s"),
        ]);
        let known = &device.fields[&Field::Model];
        let sources: Vec<&str> = known.claims.iter().map(|claim| claim.source.kind()).collect();
        assert_eq!(sources, ["agent", "mdm", "purchase"]);
    }

    #[test]
    fn facts_of_a_replaced_agent_do_not_mix_in_but_the_serial_stays() {
        let old = says(says(agent(1, "a", 1, 5), Field::OsName, "windows"), Field::Serial, "PF0ABCDE");
        let new = says(agent(2, "b", 6, 9), Field::Kernel, "6.1");
        let device = folded(&[old, new]);
        assert_eq!(device.text(Field::OsName), None);
        assert_eq!(device.text(Field::Serial), Some("PF0ABCDE"));
        assert_eq!(device.software_count, 2);
        assert!(device.agents[0].current && !device.agents[1].current);
    }

    #[test]
    fn a_second_system_takes_over_only_when_the_first_is_silent() {
        let day = 24 * 3600 * 1000;
        let current = |subjects: &[SubjectClaims]| current_agent(subjects).unwrap().software_count;
        assert_eq!(current(&[agent(1, "a", 0, 5), agent(2, "a", 3, 9)]), 1);
        assert_eq!(current(&[agent(1, "a", 0, 5), agent(2, "a", 3, 9 * day)]), 2);
        let gone = SubjectClaims { superseded: true, ..agent(1, "a", 0, 5) };
        assert_eq!(current(&[gone, agent(2, "a", 3, 9)]), 2);
    }

    fn subject() -> impl Strategy<Value = SubjectClaims> {
        let fields = vec((0..Field::ALL.len(), "[ab]", 0i64..5), 0..6);
        (0u8..6, 0i64..5, 0i64..5, any::<bool>(), fields).prop_map(
            |(kind, first, more, superseded, fields)| {
                let mut subject = match kind {
                    0..=2 => agent(kind, "a", first, first + more),
                    3 => agent(1, "b", first, first + more),
                    4 => row("purchase", "1", first),
                    _ => row("left", "2", first),
                };
                subject.superseded = superseded && kind < 4;
                for (field, text, at) in fields {
                    subject.fields.insert(Field::ALL[field], (Value::Text(text), time(at)));
                }
                subject
            },
        )
    }

    /// Subjects with a key each, as the store has them, and the same in another order.
    fn orders() -> impl Strategy<Value = (Vec<SubjectClaims>, Vec<SubjectClaims>)> {
        vec(subject(), 1..7).prop_flat_map(|subjects| {
            let unique: BTreeMap<_, _> =
                subjects.into_iter().map(|subject| (subject.key.clone(), subject)).collect();
            let sorted: Vec<SubjectClaims> = unique.into_values().collect();
            (Just(sorted.clone()), Just(sorted).prop_shuffle())
        })
    }

    proptest! {
        #[test]
        fn order_does_not_matter((subjects, shuffled) in orders()) {
            prop_assert_eq!(folded(&subjects), folded(&shuffled));
        }

        #[test]
        fn order_does_not_matter_under_any_precedence((subjects, shuffled) in orders(), words in vec("agent|left|purchase|procurement", 0..4)) {
            let precedence = Field::ALL.iter().map(|field| (*field, words.clone())).collect();
            let charter = Charter { precedence, ..Charter::default() };
            let identity = Identity { id: DeviceId::from_bytes([1; 16]), explanation: "why" };
            let one = fold(identity, None, &subjects, &charter);
            prop_assert_eq!(&one, &fold(identity, None, &shuffled, &charter));
            // Another precedence is another order and loses no claim; taken back, the very record is there again.
            let usual = folded(&subjects);
            let count = |device: &Device| device.fields.values().map(|known| known.claims.len()).sum::<usize>();
            prop_assert_eq!(count(&one), count(&usual));
            let back = fold(identity, Some(&one), &shuffled, &Charter::default());
            prop_assert_eq!(back.fields, usual.fields);
        }

        #[test]
        fn folding_again_changes_nothing((subjects, shuffled) in orders()) {
            let once = folded(&subjects);
            let identity = Identity { id: once.id, explanation: "" };
            let twice = fold(identity, Some(&once), &shuffled, &Charter::default());
            prop_assert!(changes(Some(&once), &twice).is_empty());
            prop_assert_eq!(once, twice);
        }

        #[test]
        fn no_value_of_a_present_source_is_lost((subjects, _) in orders()) {
            let device = folded(&subjects);
            for subject in subjects.iter().filter(|subject| subject.vouches) {
                for (field, (value, _)) in &subject.fields {
                    let known = &device.fields[field];
                    prop_assert!(known.claims.iter().any(|it| it.value == *value && it.source == subject.source));
                }
            }
        }

        #[test]
        fn a_change_is_a_new_version((subjects, _) in orders(), text in "[cd]") {
            let before = folded(&subjects);
            let mut changed = subjects;
            changed[0].fields.insert(Field::Location, (Value::Text(text), time(9)));
            let identity = Identity { id: before.id, explanation: "" };
            let after = fold(identity, Some(&before), &changed, &Charter::default());
            let is_shown = !changes(Some(&before), &after).is_empty();
            prop_assert_eq!(after.version, before.version + u64::from(is_shown));
        }
    }
}
