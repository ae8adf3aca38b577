//! Two inventories of one machine: what the service sees must be what root sees, but for what it is told apart.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// Words of an error entry that name a right which the service doesn't have.
const NOT_PERMITTED: &str = "permi";

/// Fails with every item that one of them has alone, outside sections that say what was not permitted.
pub(super) fn equal(service: &[u8], root: &[u8]) -> Result<()> {
    let (service, root) = (sections(service)?, sections(root)?);
    let names: BTreeSet<&String> = service.keys().chain(root.keys()).collect();
    let mut wrong = Vec::new();
    let mut items = 0;
    for name in names {
        let (Some(service), Some(root)) = (service.get(name), root.get(name)) else {
            wrong.push(format!("only one of them has the section {name}"));
            continue;
        };
        let (seen, all) = (entries(service), entries(root));
        items += all.len();
        let errors = service.get("errors").map(Value::to_string).unwrap_or_default().to_lowercase();
        for item in all.symmetric_difference(&seen) {
            if errors.contains(NOT_PERMITTED) {
                println!("   not permitted, in {name}: {item}");
            } else {
                let who = if all.contains(item) { "root" } else { "the service" };
                wrong.push(format!("{name}: {who} alone sees {item}"));
            }
        }
    }
    if items == 0 {
        bail!("root's inventory has no item");
    }
    if wrong.is_empty() {
        println!("   the service sees all {items} items that root sees");
        return Ok(());
    }
    bail!("the service does not see what root sees:\n{}", wrong.join("\n"))
}

fn sections(text: &[u8]) -> Result<BTreeMap<String, Value>> {
    let inventory: Value = serde_json::from_slice(text).context("an inventory is no JSON")?;
    let sections = inventory.get("sections").and_then(Value::as_array).context("there are no sections")?;
    let named = |section: &Value| {
        section.get("name").and_then(Value::as_str).map(|name| (name.to_owned(), section.clone()))
    };
    Ok(sections.iter().filter_map(named).collect())
}

fn entries(section: &Value) -> BTreeSet<String> {
    section.get("items").and_then(Value::as_array).into_iter().flatten().map(Value::to_string).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(service: &str, root: &str, expected: bool) {
        let inventory = |section: &str| format!("{{\"sections\": [{section}]}}");
        let result = equal(inventory(service).as_bytes(), inventory(root).as_bytes());
        assert_eq!(result.is_ok(), expected, "{service} and {root}: {result:?}");
    }

    #[test]
    fn what_the_service_lacks_has_to_be_explained() {
        let root = r#"{"name": "a", "items": [{"n": 1}, {"n": 2}]}"#;
        check(root, root, true);
        check(r#"{"name": "a", "items": [{"n": 1}]}"#, root, false);
        check(r#"{"name": "a", "items": [{"n": 1}], "errors": [{"kind": "not-permitted"}]}"#, root, true);
        check(r#"{"name": "b", "items": []}"#, root, false);
        check(r#"{"name": "a", "items": []}"#, r#"{"name": "a", "items": []}"#, false);
    }
}
