//! `conflict`: sources that know a fact equally well contradict each other, or records contradict on which device it is.
//!
//! Other differences are for reconciliation and no finding: that procurement writes the model otherwise than the
//! firmware does says nothing.

use std::collections::BTreeSet;

use muster_common::{
    device::{Claimed, Field, Value},
    flag::FlagCode,
    governance::Charter,
    source::Source,
};

use super::{DeviceView, Rule, never};
use crate::{
    identity::{maker, normalise},
    merge::precedence::standing,
};

pub(super) const RULE: Rule = Rule { code: FlagCode::Conflict, judge, flips: never, tells_anew: false };

/// Fields on which every difference matters, whoever speaks.
const IDENTITY: &[Field] = &[Field::Serial, Field::Uuid];

fn judge(view: &DeviceView<'_>, charter: &Charter) -> Option<String> {
    let fields: Vec<&str> = Field::ALL
        .iter()
        .filter(|field| is_disputed(view, charter, **field))
        .map(|field| field.name())
        .collect();
    match (view.open_reviews, fields.is_empty()) {
        (0, true) => None,
        (0, false) => Some(format!("sources contradict each other on {}", fields.join(", "))),
        (_, true) => Some("another observation may be of this device and waits for a review".to_owned()),
        (_, false) => Some(format!(
            "another observation waits for a review, and sources contradict each other on {}",
            fields.join(", ")
        )),
    }
}

fn is_disputed(view: &DeviceView<'_>, charter: &Charter, field: Field) -> bool {
    let Some(known) = view.device.fields.get(&field) else { return false };
    let claims = present(view, &known.claims);
    let Some(winner) = claims.first() else { return false };
    let best = standing(charter, &winner.source, field);
    let family = view.device.text(Field::Manufacturer).and_then(maker::family);
    claims[1..].iter().any(|claim| {
        let counts = IDENTITY.contains(&field) || standing(charter, &claim.source, field) == best;
        counts
            && claim.source != winner.source
            && compared(field, &claim.value, family.as_deref())
                != compared(field, &winner.value, family.as_deref())
    })
}

/// What each source says now: its first claim, of agents only those that report from the machine as it is, and of
/// operators the latest word, since it was said knowing the others.
fn present<'a>(view: &DeviceView<'_>, claims: &'a [Claimed]) -> Vec<&'a Claimed> {
    let mut met = BTreeSet::new();
    let mut operator_spoke = false;
    let is_present = |claim: &&Claimed| match claim.source {
        Source::Agent(agent) => {
            view.device.agents.iter().any(|binding| binding.agent == agent && binding.current)
        }
        Source::Import(_) | Source::Operator(_) | Source::Neighbour => true,
    };
    let mut is_latest = |claim: &&Claimed| {
        !matches!(claim.source, Source::Operator(_)) || !std::mem::replace(&mut operator_spoke, true)
    };
    let claims = claims.iter().filter(|claim| is_latest(claim));
    claims.filter(is_present).filter(|claim| met.insert(&claim.source)).collect()
}

/// The form in which two claims are compared.
fn compared(field: Field, value: &Value, maker: Option<&str>) -> Option<String> {
    let Value::Text(text) = value else { return Some(value.to_string()) };
    match field {
        Field::Serial => normalise::imported_serial(text, maker).unwrap_or(None),
        Field::Uuid => normalise::uuid(text),
        _ => Some(normalise::visible(text).to_lowercase()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::Sample;
    use super::*;

    fn disputed(field: Field, claims: &[(&str, &str)]) -> bool {
        let mut sample = Sample::laptop();
        for (source, text) in claims {
            sample.also(field, source, text);
        }
        sample.has(FlagCode::Conflict)
    }

    #[test]
    fn equals_that_differ_are_a_conflict() {
        assert!(disputed(Field::Location, &[("import:left", "Berlin"), ("import:right", "Paris")]));
        assert!(!disputed(Field::Location, &[("import:left", "Berlin"), ("import:right", " berlin ")]));
        assert!(!disputed(Field::Location, &[("import:audit", "Berlin"), ("import:other", "Paris")]));
    }

    #[test]
    fn on_identity_every_difference_counts() {
        assert!(disputed(Field::Serial, &[("import:mdm", "PF0AAAAA"), ("import:purchase", "PF0BBBBB")]));
        assert!(!disputed(Field::Serial, &[("import:mdm", "PF0AAAAA"), ("import:purchase", "pf0aaaaa ")]));
        assert!(!disputed(Field::Model, &[("import:mdm", "20L8"), ("import:purchase", "ThinkPad T480s")]));
    }

    #[test]
    fn what_a_replaced_agent_said_is_history() {
        let agent = "agent:6f1c0d52-8a6e-4b0e-9a44-0d6f9e5f2c11";
        assert!(!disputed(Field::Serial, &[("import:mdm", "PF0AAAAA"), (agent, "PF0BBBBB")]));
    }

    #[test]
    fn an_open_review_is_a_conflict() {
        let mut sample = Sample::laptop();
        sample.open_reviews = 1;
        assert!(sample.has(FlagCode::Conflict));
    }
}
