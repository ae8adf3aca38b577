//! The whole file, table by table, in the order in which `deploy/examples/charter.toml` has them.

use std::collections::BTreeMap;
use std::time::Duration;

use muster_common::asset::Category;
use muster_common::device::Field;
use muster_common::flag::{FlagCode, Severity};
use muster_common::governance::{AgentExpectation, Charter, ExpectationByClass, Windows};
use muster_config::{Input, Period};

use crate::names::{Believed, FieldName, Flag, Word, unknown};
use crate::{accounts, organisation, process, thresholds};

/// Classes of devices.
const MAX_CLASSES: usize = 100;
/// Windows before one end.
const MAX_WINDOWS: usize = 10;
/// Sources that a field's precedence names.
const MAX_BELIEVED: usize = 50;

/// Reads every key that a charter has.
pub(crate) fn charter(input: &mut Input) -> Charter {
    let usual = Charter::default();
    let organisation = organisation::organisation(input);
    let phase = process::phase(input);
    let agent_by_class = expectations(input, &usual.agent_by_class);
    let classes: Vec<String> = agent_by_class.keys().cloned().collect();
    let mut kinds = classes.clone();
    let others = Category::ALL.iter().filter(|category| **category != Category::Device);
    kinds.extend(others.map(|category| category.name().to_owned()));

    let charter = thresholds::read(input, "", usual, &classes);
    let required_by = required_by(input, &kinds);
    let disposal = Period::from_secs(charter.disposal_within.as_secs());
    let bounds = Period::from_days(1)..=Period::from_days(3650);
    let disposal_within = input.bounded("deadlines.disposal_proof", disposal, bounds).duration();
    let warranty = windows(input, "deadlines.warranty", &charter.warranty);
    let renewal = windows(input, "deadlines.renewal", &charter.renewal);
    let precedence = precedence(input);
    let (switched_off, severities) = flags(input);
    let grants = accounts::grants(input, &organisation);
    let approvals = accounts::approvals(input, &organisation);
    let exceptions = process::exceptions(input);
    let reviews = process::reviews(input);
    let escalation = process::escalation(input, phase);
    let custom_fields = organisation::custom_fields(input, &kinds);
    Charter {
        organisation,
        phase,
        agent_by_class,
        required_by,
        disposal_within,
        warranty,
        renewal,
        precedence,
        severities,
        switched_off,
        grants,
        approvals,
        exceptions,
        reviews,
        escalation,
        custom_fields,
        ..charter
    }
}

/// Every class that there is: the usual ones, and those that a list here adds or moves.
fn expectations(input: &mut Input, usual: &ExpectationByClass) -> ExpectationByClass {
    let mut all = usual.clone();
    let mut said: BTreeMap<String, AgentExpectation> = BTreeMap::new();
    for (name, expectation) in [
        ("expected", AgentExpectation::Expected),
        ("optional", AgentExpectation::Optional),
        ("impossible", AgentExpectation::Impossible),
    ] {
        let key = format!("agents.classes.{name}");
        let default = usual.iter().filter(|(_, of)| **of == expectation);
        let default = default.map(|(class, _)| Word(class.clone())).collect();
        let is_set = input.is_set(&key);
        for Word(class) in input.list::<Word>(&key, default, MAX_CLASSES) {
            if is_set && said.insert(class.clone(), expectation).is_some() {
                input.refuse(
                    &key,
                    format!("{class} stands in another list too; an agent is expected or it isn't"),
                );
            }
        }
    }
    all.extend(said);
    all
}

fn required_by(input: &mut Input, kinds: &[String]) -> BTreeMap<String, Vec<Field>> {
    let mut required = BTreeMap::new();
    for Word(kind) in input.names::<Word>("required") {
        let key = format!("required.{kind}");
        let fields = input.list::<FieldName>(&key, Vec::new(), Field::ALL.len());
        if !kinds.contains(&kind) {
            input.refuse(&key, unknown("class or category", &kind, kinds.iter().map(String::as_str)));
        }
        required.insert(kind, fields.into_iter().map(|field| field.0).collect());
    }
    required
}

fn windows(input: &mut Input, key: &str, usual: &Windows) -> Windows {
    let usual: Vec<Period> = usual.0.iter().map(|window| Period::from_secs(window.as_secs())).collect();
    let found: Vec<Duration> =
        input.list::<Period>(key, usual, MAX_WINDOWS).into_iter().map(Period::duration).collect();
    if found.is_empty() || found.windows(2).any(|pair| pair[0] <= pair[1]) {
        input
            .refuse(key, "needs at least one period, the longest first, such as [\"90d\", \"60d\", \"30d\"]");
    }
    Windows(found)
}

fn precedence(input: &mut Input) -> BTreeMap<Field, Vec<String>> {
    let mut orders = BTreeMap::new();
    for FieldName(field) in input.names::<FieldName>("precedence") {
        let order = input.list::<Believed>(&format!("precedence.{field}"), Vec::new(), MAX_BELIEVED);
        orders.insert(field, order.into_iter().map(|believed| believed.0).collect());
    }
    orders
}

fn flags(input: &mut Input) -> (Vec<FlagCode>, BTreeMap<FlagCode, Severity>) {
    let switched_off: Vec<FlagCode> = input
        .list::<Flag>("flags.off", Vec::new(), FlagCode::ALL.len())
        .into_iter()
        .map(|flag| flag.0)
        .collect();
    let mut severities = BTreeMap::new();
    for Flag(code) in input.names::<Flag>("flags.severity") {
        let key = format!("flags.severity.{code}");
        let severity = input.parsed(&key, code.severity());
        if switched_off.contains(&code) {
            input.refuse(&key, "is switched off by flags.off; remove it in one of the two places");
        }
        severities.insert(code, severity);
    }
    (switched_off, severities)
}
