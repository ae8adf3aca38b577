//! Which fields an agent's messages have, by the schema's own descriptors, so that nobody keeps a list that could be
//! forgotten.
//!
//! Knows nothing of what a field means and of who sends it.

use crate::schema::{AGENT, Message};

/// A schema whose messages hold each other would never end.
const DEPTH: usize = 8;

/// The full names of the messages that a service takes, such as `muster.v1.EnrollRequest`; none when agents call no such
/// service.
pub fn taken_by(service: &str) -> Vec<String> {
    AGENT.taken_by(service).to_vec()
}

/// The fields of a message that are one of a choice, with the message that each holds, such as `system` and
/// `muster.v1.System`.
pub fn choices(message: &str) -> Vec<(String, String)> {
    let fields = AGENT.message(message).map_or(&[][..], |message| &message.fields);
    let chosen = fields.iter().filter(|field| field.is_choice);
    chosen.filter_map(|field| Some((field.name.clone(), AGENT.held_by(field)?.full_name.clone()))).collect()
}

/// The dotted names of all fields below a message, in the order of the schema. Messages of `google.protobuf`, which
/// are values, and those named in `stop` are not gone into.
pub fn below(message: &str, stop: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    if let Some(message) = AGENT.message(message) {
        walk(message, "", stop, DEPTH, &mut found);
    }
    found
}

fn walk(message: &Message, prefix: &str, stop: &[&str], depth: usize, found: &mut Vec<String>) {
    for field in &message.fields {
        let path = format!("{prefix}{}", field.name);
        match AGENT.held_by(field) {
            Some(inner)
                if depth > 0
                    && !inner.full_name.starts_with("google.protobuf.")
                    && !inner.fields.is_empty()
                    && !stop.contains(&inner.full_name.as_str()) =>
            {
                walk(inner, &format!("{path}."), stop, depth - 1, found);
            }
            Some(_) | None => found.push(path),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_choices_and_fields_are_those_of_the_schema() {
        assert_eq!(taken_by("muster.v1.Ingest"), ["muster.v1.SessionRequest"]);
        assert!(taken_by("muster.v1.Nothing").is_empty());
        let kinds = choices("muster.v1.Item");
        assert!(
            kinds.contains(&("memory_module".to_owned(), "muster.v1.MemoryModule".to_owned())),
            "{kinds:?}"
        );
        assert!(choices("muster.v1.System").is_empty(), "an optional field is no choice");
        let fields = below("muster.v1.SessionRequest", &["muster.v1.Item"]);
        for expected in
            ["hello.boot_id", "hello.evidence", "hello.baseline.digest", "heartbeat.endpoint_time"]
        {
            assert!(fields.iter().any(|field| field == expected), "{expected} is not in {fields:?}");
        }
        assert!(fields.iter().all(|field| !field.starts_with("hello.evidence.")), "{fields:?}");
        assert!(below("muster.v1.Nothing", &[]).is_empty());
    }
}
