//! Why a question can't be answered: always something that the asker can put right.

use muster_common::page::InvalidPageToken;

/// How many near misses are named.
const MAX_NEAR: usize = 3;

/// A question that can't be answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// A field that doesn't exist.
    #[error("there is no field {field:?}{} (fields of {list}: {})", hint(.near), .known.join(", "))]
    UnknownField {
        /// As it was asked for.
        field: String,
        /// Of what list: `devices`, `software`.
        list: &'static str,
        /// What is written alike.
        near: Vec<&'static str>,
        /// Every field.
        known: Vec<&'static str>,
    },
    /// A value that the field can't have.
    #[error("{value:?} is not a value of {field} (expected {expected}){}", hint(.near))]
    BadValue {
        /// The field.
        field: String,
        /// As it was asked for.
        value: String,
        /// What the field holds.
        expected: &'static str,
        /// What is written alike.
        near: Vec<&'static str>,
    },
    /// A comparison that makes no sense for the field.
    #[error("{field} can't be compared by {operator} (only by =, != and :)")]
    NoOrder {
        /// The field.
        field: String,
        /// As it was asked for.
        operator: &'static str,
    },
    /// A field that can't be counted by value or sorted by.
    #[error("{field} can't be sorted or counted by")]
    NotCountable {
        /// The field.
        field: String,
    },
    /// A page token of another list.
    #[error(transparent)]
    Token(#[from] InvalidPageToken),
}

fn hint(near: &[&str]) -> String {
    match near {
        [] => String::new(),
        near => format!(", did you mean {}?", near.join(" or ")),
    }
}

impl QueryError {
    /// A field that isn't among `known`.
    pub(super) fn unknown_field(field: &str, list: &'static str, known: Vec<&'static str>) -> Self {
        Self::UnknownField { field: field.to_owned(), list, near: near(field, &known), known }
    }

    /// A value that isn't `expected`.
    pub(super) fn bad_value(field: &str, value: &str, expected: &'static str) -> Self {
        let value = value.chars().take(64).collect();
        Self::BadValue { field: field.to_owned(), value, expected, near: Vec::new() }
    }
}

/// Those of `known` that are written like `word`, or whose last part is.
pub(super) fn near(word: &str, known: &[&'static str]) -> Vec<&'static str> {
    let word: String = word.to_ascii_lowercase().replace('-', "_").chars().take(64).collect();
    let distance = |name: &'static str| {
        let plain = name.replace('-', "_");
        let last = plain.rsplit('.').next().unwrap_or(&plain);
        let whole = strsim::damerau_levenshtein(&word, &plain);
        // A part costs one, so that the whole name comes first.
        whole.min(strsim::damerau_levenshtein(&word, last) + 1)
    };
    let mut scored: Vec<_> = known.iter().map(|name| (distance(name), *name)).collect();
    scored.retain(|(distance, _)| *distance <= 1 + word.len() / 4);
    scored.sort_unstable();
    scored.into_iter().map(|(_, name)| name).take(MAX_NEAR).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_near_misses() {
        let known = ["os.name", "owner", "serial", "board_serial", "never-seen"];
        assert_eq!(near("onwer", &known), ["owner"]);
        assert_eq!(near("Serial", &known), ["serial"]);
        assert_eq!(near("never_seen", &known), ["never-seen"]);
        assert_eq!(near("name", &known), ["os.name"]);
        assert!(near("colour", &known).is_empty());
        let error = QueryError::unknown_field("onwer", "devices", known.to_vec());
        assert_eq!(
            error.to_string(),
            "there is no field \"onwer\", did you mean owner? (fields of devices: os.name, owner, serial, \
             board_serial, never-seen)"
        );
    }
}
