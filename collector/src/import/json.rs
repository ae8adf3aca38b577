//! JSON files as tables: an array of objects, one object a line, or an object that holds such an array.
//!
//! What lies deeper becomes a column of its own with a dotted path, `hardware.serial`; a list of words becomes one cell,
//! a list of objects is left out and named. Bounded before anything is kept: rows, columns, depth. Knows nothing of what
//! a path means.

use std::{collections::HashMap, fmt};

use serde::de::{Deserialize, Deserializer, SeqAccess, Visitor};
use serde_json::{Map, Value, value::RawValue};

use super::{
    ImportError, MAX_COLUMNS, MAX_ROWS,
    layout::{named, short},
    table::{Table, cut},
};

/// How deep a path goes.
const MAX_DEPTH: usize = 6;
/// The most words of a list in one cell.
const MAX_WORDS: usize = 64;

/// Reads objects as a table; rows are counted as objects, from 1.
pub(super) fn table(text: &str) -> Result<Table<'_>, ImportError> {
    let objects = objects(text)?;
    let mut columns = Columns::default();
    let mut parsed = Vec::with_capacity(objects.len());
    for (index, object) in objects.iter().enumerate() {
        let number = u32::try_from(index + 1).unwrap_or(u32::MAX);
        // What is no object, or too deep, stays a row without cells, which then says that nothing tells what it is.
        let object: Map<String, Value> = serde_json::from_str(object.get()).unwrap_or_default();
        let mut cells = Vec::new();
        columns.flatten(&object, "", 0, &mut cells);
        parsed.push((number, cells));
    }
    if columns.names.is_empty() {
        return Err(ImportError::Empty);
    }
    let mut table = Table::new(columns.names.clone());
    table.remarks.push(format!("{} objects of JSON", objects.len()));
    if !columns.left_out.is_empty() {
        table.remarks.push(format!("ignored lists of objects: {}", named(&columns.left_out)));
    }
    if columns.too_many {
        table.remarks.push(format!("only the first {MAX_COLUMNS} names were looked at"));
    }
    let mut row = vec![String::new(); columns.names.len()];
    for ((number, cells), object) in parsed.into_iter().zip(&objects) {
        row.iter_mut().for_each(String::clear);
        for (place, cell) in cells {
            row[place] = cell;
        }
        let used = row.iter().rposition(|cell| !cell.is_empty()).map_or(0, |last| last + 1);
        table.push(number, cut(object.get()), row[..used].iter().map(String::as_str))?;
    }
    Ok(table)
}

/// The names that were met, in order.
#[derive(Debug, Default)]
struct Columns {
    names: Vec<String>,
    places: HashMap<String, usize>,
    left_out: Vec<String>,
    too_many: bool,
}

impl Columns {
    fn flatten(
        &mut self,
        object: &Map<String, Value>,
        path: &str,
        depth: usize,
        cells: &mut Vec<(usize, String)>,
    ) {
        for (name, value) in object {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            let cell = match value {
                Value::Null => continue,
                Value::Object(inner) => {
                    if depth < MAX_DEPTH {
                        self.flatten(inner, &path, depth + 1, cells);
                    }
                    continue;
                }
                Value::Array(items) => {
                    let words: Vec<String> = items.iter().take(MAX_WORDS).filter_map(scalar).collect();
                    if words.is_empty() && !items.is_empty() {
                        let path = short(&path);
                        if self.left_out.len() < MAX_COLUMNS && !self.left_out.contains(&path) {
                            self.left_out.push(path);
                        }
                        continue;
                    }
                    words.join(", ")
                }
                Value::Bool(_) | Value::Number(_) | Value::String(_) => scalar(value).unwrap_or_default(),
            };
            if let Some(place) = self.place(&path) {
                cells.push((place, cell));
            }
        }
    }

    fn place(&mut self, path: &str) -> Option<usize> {
        if let Some(place) = self.places.get(path) {
            return Some(*place);
        }
        if self.names.len() >= MAX_COLUMNS {
            self.too_many = true;
            return None;
        }
        self.names.push(path.to_owned());
        self.places.insert(path.to_owned(), self.names.len() - 1);
        Some(self.names.len() - 1)
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::Bool(yes) => Some(yes.to_string()),
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) => Some(text.clone()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// The objects of a file, each as it stands there.
pub(super) fn objects(text: &str) -> Result<Vec<&RawValue>, ImportError> {
    let wrong = |error: &serde_json::Error| ImportError::NotJson {
        line: error.line(),
        what: error.to_string().chars().take(120).collect(),
    };
    let text = text.trim();
    if text.starts_with('[') {
        let Items(items) = serde_json::from_str(text).map_err(|error| wrong(&error))?;
        return bounded(items);
    }
    let mut items = Vec::new();
    for item in serde_json::Deserializer::from_str(text).into_iter::<&RawValue>() {
        items.push(item.map_err(|error| wrong(&error))?);
        if items.len() > MAX_ROWS {
            return Err(ImportError::TooManyRows);
        }
    }
    match items.as_slice() {
        [only] => Ok(inner(only).map_or_else(|| bounded(items.clone()), bounded)?),
        _ => Ok(items),
    }
}

fn bounded(items: Vec<&RawValue>) -> Result<Vec<&RawValue>, ImportError> {
    if items.len() > MAX_ROWS { Err(ImportError::TooManyRows) } else { Ok(items) }
}

/// The names under which interfaces hand out their lists.
const LISTS: &[&str] =
    &["value", "rows", "results", "items", "devices", "computers", "data", "assets", "records"];

/// The list in an object that holds one.
fn inner(object: &RawValue) -> Option<Vec<&RawValue>> {
    let parts: HashMap<String, &RawValue> = serde_json::from_str(object.get()).ok()?;
    let list = LISTS.iter().find_map(|name| parts.get(*name).filter(|part| part.get().starts_with('[')))?;
    let Items(items) = serde_json::from_str(list.get()).ok()?;
    Some(items)
}

/// The items of an array: at most one more than may be.
struct Items<'a>(Vec<&'a RawValue>);

impl<'de: 'a, 'a> Deserialize<'de> for Items<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(ItemsVisitor).map(Items)
    }
}

struct ItemsVisitor;

impl<'de> Visitor<'de> for ItemsVisitor {
    type Value = Vec<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of objects")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element::<&RawValue>()? {
            if items.len() <= MAX_ROWS {
                items.push(item);
            }
        }
        Ok(items)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Headings, then each row's cells.
    fn check(text: &str, headings: &[&str], expected: &[&[&str]]) {
        let table = table(text).unwrap();
        assert_eq!(table.headings, headings);
        let rows: Vec<Vec<&str>> =
            table.rows().map(|row| (0..headings.len()).map(|place| row.cell(place)).collect()).collect();
        assert_eq!(rows, expected);
    }

    #[test]
    fn objects_become_rows_however_they_are_wrapped() {
        let (one, two) = (r#"{"b":"x","hw":{"serial":"A1"}}"#, r#"{"b":null,"tags":["p","q"],"n":5}"#);
        let headings = ["b", "hw.serial", "n", "tags"];
        let rows: [&[&str]; 2] = [&["x", "A1", "", ""], &["", "", "5", "p, q"]];
        for text in [
            format!("[{one},\n{two}]"),
            format!("{one}\n{two}\n"),
            format!("{{\"total\":2,\"rows\":[{one},{two}]}}"),
        ] {
            check(&text, &headings, &rows);
        }
        check(one, &["b", "hw.serial"], &[&["x", "A1"]]);
    }

    #[test]
    fn what_can_not_be_a_cell_is_named() {
        let table = table(r#"[{"a":"1","disks":[{"s":1}]}, 7, "x"]"#).unwrap();
        assert_eq!(table.remarks, ["3 objects of JSON", "ignored lists of objects: disks"]);
        assert_eq!(table.rows().map(|row| row.len()).collect::<Vec<_>>(), [1, 0, 0]);
    }

    #[test]
    fn hostile_files_are_refused() {
        assert!(matches!(table("[{\"a\":1},"), Err(ImportError::NotJson { .. })));
        assert!(matches!(table("[]"), Err(ImportError::Empty)));
        let many = format!("[{}1]", "1,".repeat(MAX_ROWS + 5));
        assert!(matches!(table(&many), Err(ImportError::TooManyRows)));
        let deep = format!("[{{\"a\":1}},{}1{}]", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(table(&deep).unwrap().rows().len(), 2);
        let wide: String = (0..1000).map(|n| format!("\"k{n}\":1,")).collect();
        assert_eq!(table(&format!("{{{wide}\"z\":1}}")).unwrap().headings.len(), MAX_COLUMNS);
    }
}
