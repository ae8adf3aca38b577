//! One configuration file as dotted keys with the line that each stands on.
//!
//! Knows nothing of defaults or of other files. A syntax error doesn't hide what the rest of the file says.

use std::path::Path;

use toml::de::{DeTable, DeValue};

use crate::problem::Problem;

/// A value as the file gives it, before anyone says what it should be.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A string.
    Text(String),
    /// A whole number that fits 64 bits.
    Integer(i64),
    /// `true` or `false`.
    Boolean(bool),
    /// An array.
    List(Vec<Self>),
    /// Something that no setting takes, by its TOML name: a float, a date, a number past 64 bits.
    Other(&'static str),
}

impl Value {
    /// The TOML name of the value's type, for messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "string",
            Self::Integer(_) => "integer",
            Self::Boolean(_) => "boolean",
            Self::List(_) => "array",
            Self::Other(kind) => kind,
        }
    }
}

/// One `key = value` of a file.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) value: Value,
    pub(crate) line: usize,
}

/// Reads a file's text; what can't be read is added to `problems`.
pub(crate) fn parse(file: &Path, text: &str, problems: &mut Vec<Problem>) -> Vec<Entry> {
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        problems.push(Problem {
            file: file.to_path_buf(),
            line: error.span().map(|span| line_at(text, span.start)),
            key: String::new(),
            message: format!("not TOML: {}", error.message()),
        });
    }
    let mut entries = Vec::new();
    flatten("", table.get_ref(), text, &mut entries);
    entries
}

/// What a text means as one TOML value; `None` when it is none.
pub(crate) fn value(text: &str) -> Option<Value> {
    // A line end would let a value bring further keys along.
    let text = text.trim();
    if text.contains(['\n', '\r']) {
        return None;
    }
    let whole = format!("value = {text}");
    let table = DeTable::parse(&whole).ok()?;
    let (_, value) = table.get_ref().iter().next()?;
    Some(value_of(value.get_ref()))
}

fn flatten(prefix: &str, table: &DeTable<'_>, text: &str, entries: &mut Vec<Entry>) {
    for (name, value) in table {
        let key = match prefix {
            "" => name.get_ref().to_string(),
            prefix => format!("{prefix}.{}", name.get_ref()),
        };
        match value.get_ref() {
            DeValue::Table(table) => flatten(&key, table, text, entries),
            other => {
                entries.push(Entry { key, value: value_of(other), line: line_at(text, name.span().start) })
            }
        }
    }
}

fn value_of(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map_or(Value::Other("integer past 64 bits"), Value::Integer),
        DeValue::Boolean(value) => Value::Boolean(*value),
        DeValue::Array(values) => Value::List(values.iter().map(|value| value_of(value.get_ref())).collect()),
        DeValue::Float(_) => Value::Other("float"),
        DeValue::Datetime(_) => Value::Other("date"),
        DeValue::Table(_) => Value::Other("table"),
    }
}

/// The line, counted from 1, that holds this byte.
fn line_at(text: &str, byte: usize) -> usize {
    text.as_bytes()[..byte.min(text.len())].iter().filter(|byte| **byte == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[&str]) {
        let mut problems = Vec::new();
        let entries = parse(Path::new("a.toml"), text, &mut problems);
        let mut found: Vec<String> =
            entries.iter().map(|entry| format!("{} {} {:?}", entry.line, entry.key, entry.value)).collect();
        found.extend(problems.iter().map(Problem::to_string));
        assert_eq!(found, expected);
    }

    #[test]
    fn keys_are_dotted_and_carry_their_line() {
        check(
            "a = 1\n[b]\nc = \"x\"\n[b.d]\ne = [true]\n",
            &["1 a Integer(1)", "3 b.c Text(\"x\")", "5 b.d.e List([Boolean(true)])"],
        );
        check("\n\na.b = 1.5\n", &["3 a.b Other(\"float\")"]);
        check("a = 99999999999999999999", &["1 a Other(\"integer past 64 bits\")"]);
    }

    #[test]
    fn a_syntax_error_names_its_line_and_hides_nothing_else() {
        let mut problems = Vec::new();
        let entries = parse(Path::new("a.toml"), "a = 1\nb = \nc = 3\n", &mut problems);
        assert_eq!(problems.first().and_then(|problem| problem.line), Some(2), "{problems:?}");
        assert!(entries.iter().any(|entry| entry.key == "c"), "{entries:?}");
    }
}
