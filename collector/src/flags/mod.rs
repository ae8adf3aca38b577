//! What is wrong with a device? Each rule is a pure function of what is known of it, the charter and the time.
//!
//! Knows nothing of where the facts come from: the pipeline fills a [`DeviceView`] at a report, a clock task fills the
//! same one when [`next_change`] says that silence alone will change the answer.
//!
//! **To add a rule**: a file with `RULE`, and one line in [`RULES`]; its code stands in `muster_common::flag`. The
//! evidence is a sentence's part that stays the same while the finding does, since every new text is written down: say
//! "silent since", not "silent for". It holds no personal value.

mod agent_silent;
mod cloned_identity;
mod conflict;
mod disposal_unproven;
mod duplicate_identifier;
mod hardware_changed;
mod incomplete;
mod missing;
mod never_seen;
mod renewal_due;
mod retired_active;
mod silence;
mod stale;
mod unassigned;
mod unknown;
mod unmanaged;
mod warranty_ending;

#[cfg(test)]
mod sample;

use std::time::Duration;

use muster_common::{
    device::{Device, Field, Value},
    flag::{Flag, FlagCode, Standing},
    governance::{AgentExpectation, Charter, State},
    id::DeviceId,
    time::Timestamp,
};

use crate::identity::IdentifierKind;

/// What the rules are judged on.
#[derive(Debug, Clone)]
pub struct DeviceView<'a> {
    /// The record, folded anew.
    pub device: &'a Device,
    /// When an agent on it was last heard of, by the collector's clock: reports and heartbeats. None if never.
    pub agent_seen: Option<Timestamp>,
    /// A stream of one of its agents is open.
    pub connected: bool,
    /// When another source last saw it in use (management, directory, neighbour); a purchase record sees nothing.
    pub others_seen: Option<Timestamp>,
    /// A purchase record or an operator's approval is attached.
    pub vouched: bool,
    /// How many identity decisions that name it wait for a person.
    pub open_reviews: u32,
    /// How many devices claim each of its identifiers, itself included.
    pub claims: &'a [(IdentifierKind, u32)],
    /// Other devices from which the same agent reports at the same time, at most a few.
    pub clone_peers: &'a [DeviceId],
    /// How many there are.
    pub clone_peer_count: u32,
    /// When decisive hardware was last found changed.
    pub hardware_changed: Option<Timestamp>,
    /// Whether an agent should report from it.
    pub agent: AgentExpectation,
    /// How long the collector itself was deaf since the agent was last heard of.
    pub collector_downtime: Duration,
    /// The present moment, by the collector's clock.
    pub now: Timestamp,
}

/// One rule.
struct Rule {
    code: FlagCode,
    /// What is found, if anything.
    judge: fn(&DeviceView<'_>, &Charter) -> Option<String>,
    /// When time alone will change the answer, if it will.
    flips: fn(&DeviceView<'_>, &Charter) -> Option<Timestamp>,
    /// See [`tells_anew()`].
    tells_anew: bool,
}

/// Every rule.
const RULES: &[Rule] = &[
    unknown::RULE,
    never_seen::RULE,
    stale::RULE,
    missing::RULE,
    retired_active::RULE,
    conflict::RULE,
    duplicate_identifier::RULE,
    cloned_identity::RULE,
    hardware_changed::RULE,
    unassigned::RULE,
    incomplete::RULE,
    unmanaged::RULE,
    agent_silent::RULE,
    warranty_ending::RULE,
    renewal_due::RULE,
    disposal_unproven::RULE,
];

/// Judges all rules; in the order of the codes. A flag that stood in `previous` keeps the moment
/// when it was raised, and where it stands: who covers it is not asked here.
pub fn evaluate(view: &DeviceView<'_>, charter: &Charter, previous: &[Flag]) -> Vec<Flag> {
    // A record that lives on as part of another has no findings of its own.
    if view.device.merged_into.is_some() {
        return Vec::new();
    }
    let mut flags: Vec<Flag> = RULES
        .iter()
        .filter(|rule| charter.raises(rule.code))
        .filter_map(|rule| {
            let evidence = (rule.judge)(view, charter)?;
            let before = previous.iter().find(|flag| flag.code == rule.code);
            Some(Flag {
                code: rule.code,
                severity: charter.severity(rule.code),
                evidence,
                since: before.map_or(view.now, |flag| flag.since),
                standing: before.map_or(Standing::Open, |flag| flag.standing.clone()),
            })
        })
        .collect();
    flags.sort_by_key(|flag| flag.code);
    flags
}

/// The next moment at which time alone may change what [`evaluate`] answers; later than now.
pub fn next_change(view: &DeviceView<'_>, charter: &Charter) -> Option<Timestamp> {
    if view.device.merged_into.is_some() {
        return None;
    }
    RULES.iter().filter_map(|rule| (rule.flips)(view, charter)).filter(|moment| *moment > view.now).min()
}

/// Whether new words of a finding are worth an entry in the history: each step towards an end is.
pub fn tells_anew(code: FlagCode) -> bool {
    RULES.iter().any(|rule| rule.code == code && rule.tells_anew)
}

/// A field that holds a moment or a date.
fn moment(device: &Device, field: Field) -> Option<Timestamp> {
    match device.value(field)? {
        Value::Time(moment) => Some(*moment),
        Value::Text(text) => text.parse().ok(),
        Value::Number(_) | Value::Boolean(_) | Value::Money(_) | Value::Person(_) | Value::List(_) => None,
    }
}

/// The day of a moment, for evidence.
fn day(moment: Timestamp) -> String {
    moment.to_string().chars().take(10).collect()
}

/// For rules that time alone doesn't change.
fn never(_: &DeviceView<'_>, _: &Charter) -> Option<Timestamp> {
    None
}

/// The state that the record says; none when it says none, or one that nobody knows.
fn state(device: &Device) -> Option<State> {
    device.text(Field::State).and_then(|text| text.parse().ok())
}

/// Whether the record says that the device has left the organisation.
pub fn is_disposed(device: &Device) -> bool {
    state(device).is_some_and(State::has_left)
}

/// Where in its life the record says that the device is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// In use, or nobody says otherwise.
    InUse,
    /// Not in use, and may come back: in stock, in repair, spare, on its way.
    Aside,
    /// Gone for good.
    Retired,
}

fn stage(device: &Device) -> Stage {
    let Some(state) = state(device) else {
        // Nobody says otherwise; a word that nobody knows says at least that.
        return if device.text(Field::State).is_none() { Stage::InUse } else { Stage::Aside };
    };
    if state.is_in_use() {
        Stage::InUse
    } else if state.has_ended() {
        Stage::Retired
    } else {
        Stage::Aside
    }
}

/// Whether the record says that the device is gone for good: disposed, sold, returned or about to be.
pub fn is_retired(device: &Device) -> bool {
    stage(device) == Stage::Retired
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{sample::Sample, *};

    #[test]
    fn every_code_has_one_rule() {
        let codes: BTreeSet<FlagCode> = RULES.iter().map(|rule| rule.code).collect();
        assert_eq!(codes.len(), RULES.len());
        assert_eq!(codes, FlagCode::ALL.iter().copied().collect());
    }

    #[test]
    fn a_flag_keeps_its_moment_while_it_stands() {
        let mut sample = Sample::laptop();
        sample.vouched = false;
        let first = sample.evaluate(&[]);
        let raised = first.iter().find(|flag| flag.code == FlagCode::Unknown).unwrap().since;
        sample.days_pass(3);
        let second = sample.evaluate(&first);
        assert_eq!(second.iter().find(|flag| flag.code == FlagCode::Unknown).unwrap().since, raised);
    }

    #[test]
    fn evidence_does_not_change_with_time_alone() {
        let mut sample = Sample::laptop();
        sample.vouched = false;
        sample.silent_days(40);
        let first = sample.evaluate(&[]);
        sample.days_pass(5);
        assert_eq!(sample.evaluate(&first), first);
    }

    #[test]
    fn next_change_is_where_the_answer_changes() {
        let mut sample = Sample::laptop();
        sample.silent_days(10);
        let mut before = sample.codes();
        for _ in 0..2 {
            let next = sample.next_change().expect("silence will be noticed");
            sample.now = next.before(Duration::from_millis(1));
            assert_eq!(sample.codes(), before, "nothing changes before {next}");
            sample.now = next;
            assert_ne!(sample.codes(), before, "something changes at {next}");
            before = sample.codes();
        }
        assert_eq!(sample.next_change(), None);
    }

    #[test]
    fn a_merged_record_has_no_findings() {
        let mut sample = Sample::laptop();
        sample.vouched = false;
        sample.device.merged_into = Some(DeviceId::from_bytes([9; 16]));
        assert_eq!(sample.evaluate(&[]), []);
    }
}
