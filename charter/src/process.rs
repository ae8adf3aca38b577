//! Who is asked and told when: phase, exceptions, reviews, escalation.

use std::collections::BTreeMap;

use muster_common::governance::{
    Cadence, Escalation, ExceptionPolicy, Phase, PhaseName, REVIEWS, Review, Role,
};
use muster_common::time::Timestamp;
use muster_config::{Input, Period};

use crate::names::{Account, RoleName};

/// Steps of a path, and people of a review.
const MAX_STEPS: usize = 20;

pub(crate) fn phase(input: &mut Input) -> Phase {
    let name = input.parsed("phase.name", PhaseName::default());
    let from = input.optional::<Timestamp>("phase.enforce_from");
    match (name, from) {
        (PhaseName::Baseline, None) => Phase::Baseline,
        (PhaseName::Baseline, Some(_)) => {
            input.refuse("phase.enforce_from", "goes with name = \"enforce\"; set that, or remove the date");
            Phase::Baseline
        }
        (PhaseName::Enforce, Some(from)) => Phase::Enforce { from },
        (PhaseName::Enforce, None) => {
            let message =
                "is required with name = \"enforce\"; add it, for example enforce_from = \"2027-03-01\"";
            input.refuse("phase.enforce_from", message);
            Phase::Baseline
        }
    }
}

pub(crate) fn exceptions(input: &mut Input) -> ExceptionPolicy {
    let ExceptionPolicy { longest, approvers, self_approval } = ExceptionPolicy::default();
    let longest = Period::from_secs(longest.as_secs());
    let bounds = Period::from_days(1)..=Period::from_days(730);
    let usual = approvers.into_iter().map(RoleName).collect();
    let longest = input.bounded("exceptions.longest", longest, bounds).duration();
    let approvers: Vec<Role> = input
        .list::<RoleName>("exceptions.approvers", usual, Role::ALL.len())
        .into_iter()
        .map(|role| role.0)
        .collect();
    let self_approval = input.flag("exceptions.self_approval", self_approval);
    ExceptionPolicy { longest, approvers, self_approval }
}

pub(crate) fn reviews(input: &mut Input) -> BTreeMap<String, Review> {
    let mut reviews = BTreeMap::new();
    for (name, usual) in REVIEWS {
        let every: Cadence = input.parsed(&format!("reviews.{name}.every"), *usual);
        let by = accounts(input, &format!("reviews.{name}.by"));
        reviews.insert((*name).to_owned(), Review { every, by });
    }
    reviews
}

pub(crate) fn escalation(input: &mut Input, phase: Phase) -> Escalation {
    let Escalation { after, .. } = Escalation::default();
    let after = Period::from_secs(after.as_secs());
    let after =
        input.bounded("escalation.after", after, Period::from_days(1)..=Period::from_days(366)).duration();
    let path = accounts(input, "escalation.path");
    let mut deputies = BTreeMap::new();
    for account in input.names::<Account>("escalation.deputies") {
        for spelling in account.spellings() {
            let key = format!("escalation.deputies.{spelling}");
            if !input.is_set(&key) {
                continue;
            }
            let Some(Account(deputy)) = input.optional::<Account>(&key) else { continue };
            if deputy == account.0 {
                input.refuse(&key, "stands in for itself; name somebody else");
            }
            deputies.insert(account.0.clone(), deputy);
        }
    }
    if phase != Phase::Baseline && path.is_empty() {
        let message =
            "is required in the phase enforce; name who is told first, for example path = [\"alice\"]";
        input.refuse("escalation.path", message);
    }
    Escalation { after, path, deputies }
}

fn accounts(input: &mut Input, key: &str) -> Vec<String> {
    input.list::<Account>(key, Vec::new(), MAX_STEPS).into_iter().map(|account| account.0).collect()
}
