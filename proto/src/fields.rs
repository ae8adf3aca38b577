//! Which fields messages have, by the schema's own descriptors, so that nobody keeps a list that could be forgotten.
//!
//! Knows nothing of what a field means and of who sends it.

use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};

use crate::json::POOL;

/// A schema whose messages hold each other would never end.
const DEPTH: usize = 8;

/// The full names of the messages that a service takes, such as `muster.v1.EnrollRequest`; none when there is no such
/// service.
pub fn taken_by(service: &str) -> Vec<String> {
    POOL.services()
        .filter(|found| found.full_name() == service)
        .flat_map(|found| {
            found.methods().map(|method| method.input().full_name().to_owned()).collect::<Vec<_>>()
        })
        .collect()
}

/// The fields of a message that are one of a choice, with the message that each holds, such as `system` and
/// `muster.v1.System`.
pub fn choices(message: &str) -> Vec<(String, String)> {
    let Some(message) = POOL.get_message_by_name(message) else { return Vec::new() };
    let chosen = message.oneofs().filter(|choice| !is_presence(choice)).flat_map(|choice| {
        choice.fields().map(|field| (field.name().to_owned(), of_message(&field))).collect::<Vec<_>>()
    });
    chosen.filter_map(|(name, held)| Some((name, held?.full_name().to_owned()))).collect()
}

/// The dotted names of all fields below a message, in the order of the schema. Messages of `google.protobuf`, which
/// are values, and those named in `stop` are not gone into.
pub fn below(message: &str, stop: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    if let Some(message) = POOL.get_message_by_name(message) {
        walk(&message, "", stop, DEPTH, &mut found);
    }
    found
}

fn walk(message: &MessageDescriptor, prefix: &str, stop: &[&str], depth: usize, found: &mut Vec<String>) {
    for field in message.fields() {
        let path = format!("{prefix}{}", field.name());
        match of_message(&field) {
            Some(inner)
                if depth > 0
                    && inner.package_name() != "google.protobuf"
                    && inner.fields().next().is_some()
                    && !stop.contains(&inner.full_name()) =>
            {
                walk(&inner, &format!("{path}."), stop, depth - 1, found);
            }
            _ => found.push(path),
        }
    }
}

fn of_message(field: &FieldDescriptor) -> Option<MessageDescriptor> {
    match field.kind() {
        Kind::Message(message) => Some(message),
        _ => None,
    }
}

/// Whether a choice is only how proto3 says that one field may be absent.
fn is_presence(choice: &prost_reflect::OneofDescriptor) -> bool {
    choice.is_synthetic()
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
