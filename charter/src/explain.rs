//! A charter in plain words, for people who will never read its file.

use std::time::Duration;

use muster_common::flag::FlagCode;
use muster_common::governance::{AgentExpectation, ApprovalLimit, Charter, Grant, Phase, Windows};
use muster_common::time::Timestamp;
use muster_config::Period;

/// One subject of the charter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paragraph {
    /// What it is about.
    pub heading: &'static str,
    /// Sentences, one a line.
    pub lines: Vec<String>,
}

/// What a charter says; `now` decides which phase it is in and which roles have ended.
pub fn explain(charter: &Charter, now: Timestamp) -> Vec<Paragraph> {
    let mut paragraphs = vec![
        Paragraph { heading: "Organisation", lines: organisation(charter) },
        Paragraph { heading: "Phase", lines: vec![phase(charter.phase, now)] },
        Paragraph { heading: "Silence", lines: silence(charter) },
        Paragraph { heading: "Records", lines: records(charter) },
        Paragraph { heading: "Deadlines", lines: deadlines(charter) },
        Paragraph { heading: "Flags", lines: flags(charter) },
        Paragraph { heading: "Who may do what", lines: rights(charter, now) },
        Paragraph { heading: "Approvals", lines: approvals(charter) },
        Paragraph { heading: "Exceptions", lines: exceptions(charter) },
        Paragraph { heading: "Reviews and escalation", lines: process(charter) },
        Paragraph { heading: "Privacy and agents", lines: privacy(charter) },
    ];
    paragraphs.retain(|paragraph| !paragraph.lines.is_empty());
    paragraphs
}

fn organisation(charter: &Charter) -> Vec<String> {
    let of = &charter.organisation;
    let mut lines = Vec::new();
    if !of.name.is_empty() {
        lines.push(format!("This is the charter of {}.", of.name));
    }
    if !of.legal_entities.is_empty() {
        lines.push(format!("Its legal entities are {}.", listed(&of.legal_entities)));
    }
    for (what, tree) in [("locations", &of.locations), ("departments", &of.departments)] {
        let count = tree.paths().count();
        if count > 0 {
            lines.push(format!("It has {count} {what}: {}.", few(tree.paths())));
        }
    }
    if !of.tags.is_empty() {
        lines.push(format!("Tags are {} and no other.", listed(&of.tags)));
    }
    for (name, field) in &charter.custom_fields {
        let label = if field.label.is_empty() { name } else { &field.label };
        let whose = if field.of.is_empty() { "every asset".to_owned() } else { listed(&field.of) };
        let what = if field.choices.is_empty() {
            field.kind.to_string()
        } else {
            format!("one of {}", listed(&field.choices))
        };
        lines.push(format!("Of {whose} it keeps {label} ({name}): {what}."));
    }
    lines
}

fn phase(phase: Phase, now: Timestamp) -> String {
    match phase {
        Phase::Baseline => "Baseline: findings are counted and nobody is told of them.".to_owned(),
        Phase::Enforce { from } if phase.is_enforced_at(now) => {
            format!("Enforced since {}: people are told of findings.", day(from))
        }
        Phase::Enforce { from } => {
            format!(
                "Baseline until {}: findings are counted and nobody is told; from then on they are.",
                day(from)
            )
        }
    }
}

fn silence(charter: &Charter) -> Vec<String> {
    let sentence = |who: &str, stale: Duration, missing: Duration| {
        format!("{who} is stale after {} of silence and missing after {}.", span(stale), span(missing))
    };
    let mut lines: Vec<String> = charter
        .silence
        .iter()
        .map(|(class, limits)| sentence(&format!("A {class}"), limits.stale, limits.missing))
        .collect();
    let otherwise = charter.silence_otherwise;
    lines.push(sentence("Any other device", otherwise.stale, otherwise.missing));
    for (expectation, says) in [
        (AgentExpectation::Impossible, "No agent is possible on"),
        (AgentExpectation::Optional, "An agent is optional on"),
    ] {
        let classes: Vec<&str> = charter
            .agent_by_class
            .iter()
            .filter(|(_, of)| **of == expectation)
            .map(|(class, _)| class.as_str())
            .collect();
        if !classes.is_empty() {
            lines.push(format!("{says} {}.", listed(&classes)));
        }
    }
    lines.push("On everything else an agent is expected.".to_owned());
    lines
}

fn records(charter: &Charter) -> Vec<String> {
    let mut lines = Vec::new();
    if !charter.required_fields.is_empty() {
        lines.push(format!("Every device must have {}.", listed(&charter.required_fields)));
    }
    for (kind, fields) in &charter.required_by {
        if !fields.is_empty() {
            lines.push(format!("Every {kind} must have {}.", listed(fields)));
        }
    }
    for (field, order) in &charter.precedence {
        lines.push(format!(
            "About {field} the word of {} counts, in this order, before any other.",
            listed(order)
        ));
    }
    lines.push(format!(
        "An identifier that more than {} devices claim no longer decides which device it is.",
        charter.devices_per_identifier
    ));
    lines
}

fn deadlines(charter: &Charter) -> Vec<String> {
    let windows =
        |windows: &Windows| listed(&windows.0.iter().map(|window| span(*window)).collect::<Vec<_>>());
    vec![
        format!("A device must report within {} of its purchase.", span(charter.first_report_within)),
        format!(
            "A retired device must have its proof of wiping and disposal within {}.",
            span(charter.disposal_within)
        ),
        format!("The end of a warranty is announced {} before.", windows(&charter.warranty)),
        format!(
            "Renewals and ends of contracts and leases are announced {} before.",
            windows(&charter.renewal)
        ),
    ]
}

fn flags(charter: &Charter) -> Vec<String> {
    let mut lines = Vec::new();
    if !charter.switched_off.is_empty() {
        lines.push(format!("Never raised: {}.", listed(&charter.switched_off)));
    }
    let differ =
        charter.severities.iter().filter(|(code, severity)| FlagCode::severity(**code) != **severity);
    for (code, severity) in differ {
        lines.push(format!("{code} is {severity} (usually {}).", code.severity()));
    }
    if lines.is_empty() {
        lines.push("All flags are raised with their usual severity.".to_owned());
    }
    lines
}

/// What a grant gives, such as `custodian of Sales alone until 2027-01-31`.
pub fn describe(grant: &Grant, now: Timestamp) -> String {
    let mut text = listed(&grant.roles);
    if !grant.departments.is_empty() {
        text.push_str(&format!(" of {} alone", listed(&grant.departments)));
    }
    match grant.until {
        None => {}
        Some(until) if grant.is_good_at(now) => text.push_str(&format!(" until {}", day(until))),
        Some(until) => text.push_str(&format!(", which ended {}", day(until))),
    }
    text
}

fn rights(charter: &Charter, now: Timestamp) -> Vec<String> {
    let sentence = |(account, grant): (&String, &Grant)| format!("{account} is {}.", describe(grant, now));
    let mut lines: Vec<String> = charter.grants.iter().map(sentence).collect();
    lines.push(
        "Accounts that are not named here keep the roles that the collector was given for them.".to_owned(),
    );
    lines
}

fn approvals(charter: &Charter) -> Vec<String> {
    if charter.approvals.is_empty() {
        return vec!["No role may approve a purchase: set limits under [approvals].".to_owned()];
    }
    let sentence = |(role, limit): (&muster_common::governance::Role, &ApprovalLimit)| match limit {
        ApprovalLimit::UpTo(money) => format!("The role {role} approves up to {money}."),
        ApprovalLimit::Unlimited => format!("The role {role} approves any cost."),
    };
    let mut lines: Vec<String> = charter.approvals.iter().map(sentence).collect();
    lines.push("Nobody approves their own request.".to_owned());
    lines
}

fn exceptions(charter: &Charter) -> Vec<String> {
    let policy = &charter.exceptions;
    let who = if policy.approvers.is_empty() {
        "admin alone".to_owned()
    } else {
        format!(
            "{} or admin",
            policy.approvers.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ")
        )
    };
    let own = if policy.self_approval {
        "A requester may approve the own exception; it is marked as such wherever it is shown."
    } else {
        "Nobody approves their own exception."
    };
    vec![
        format!("An exception lasts at most {}; then its flag stands again.", span(policy.longest)),
        format!("It is approved by {who}."),
        own.to_owned(),
    ]
}

fn process(charter: &Charter) -> Vec<String> {
    let mut lines: Vec<String> = charter
        .reviews
        .iter()
        .map(|(name, review)| {
            let by = if review.by.is_empty() { String::new() } else { format!(" by {}", listed(&review.by)) };
            format!("Review of {name}: {}{by}.", review.every)
        })
        .collect();
    let escalation = &charter.escalation;
    if escalation.path.is_empty() {
        lines.push("Nobody is named to be told of findings.".to_owned());
    } else {
        let steps = escalation.path.join(", then ");
        lines.push(format!(
            "A finding goes to {steps}, one step for each {} that it stays.",
            span(escalation.after)
        ));
    }
    for (account, deputy) in &escalation.deputies {
        lines.push(format!("{deputy} stands in for {account}."));
    }
    lines
}

fn privacy(charter: &Charter) -> Vec<String> {
    let granted = charter.agents.privacy;
    let kinds: Vec<&str> = [
        (granted.usage, "when applications last ran"),
        (granted.logins, "who last logged in"),
        (granted.per_user, "what is installed for one user alone"),
        (granted.neighbours, "other machines on named networks"),
    ]
    .into_iter()
    .filter_map(|(is_granted, what)| is_granted.then_some(what))
    .collect();
    let mut lines = vec![if kinds.is_empty() {
        "Agents are asked for nothing that is personal.".to_owned()
    } else {
        format!("Where the machine allows it too, agents tell {}.", listed(&kinds))
    }];
    if let Some(interval) = charter.agents.interval {
        lines.push(format!("Agents look every {}.", span(interval)));
    }
    lines
}

fn day(time: Timestamp) -> String {
    time.to_string().chars().take(10).collect()
}

fn span(duration: Duration) -> String {
    let text = Period::from_secs(duration.as_secs()).to_string();
    let (number, unit) = text.split_at(text.len() - 1);
    let unit = match unit {
        "d" => "day",
        "h" => "hour",
        "m" => "minute",
        _ => "second",
    };
    format!("{number} {unit}{}", if number == "1" { "" } else { "s" })
}

fn listed<T: ToString>(items: &[T]) -> String {
    let items: Vec<String> = items.iter().map(ToString::to_string).collect();
    match items.as_slice() {
        [] => String::new(),
        [one] => one.clone(),
        [rest @ .., last] => format!("{} and {last}", rest.join(", ")),
    }
}

fn few<'a>(items: impl Iterator<Item = &'a str>) -> String {
    let mut items: Vec<&str> = items.collect();
    let more = items.len().saturating_sub(5);
    items.truncate(5);
    let text = items.join(", ");
    if more > 0 { format!("{text} and {more} more") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_said_in_sentences() {
        let paragraphs = explain(&Charter::default(), Timestamp::default());
        let all: Vec<&str> =
            paragraphs.iter().flat_map(|paragraph| &paragraph.lines).map(String::as_str).collect();
        for expected in [
            "A server is stale after 1 day of silence and missing after 7 days.",
            "The end of a warranty is announced 90 days, 60 days and 30 days before.",
            "Baseline: findings are counted and nobody is told of them.",
            "An exception lasts at most 180 days; then its flag stands again.",
        ] {
            assert!(all.contains(&expected), "{expected:?} is not in {all:#?}");
        }
    }
}
