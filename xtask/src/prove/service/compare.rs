//! Two inventories of one machine: what the collector holds of the service must be what root sees, item by item and
//! field by field.
//!
//! A difference is excused by nothing but an error entry of the kind "not permitted" that the service itself reported
//! in the same section, and only for an item that lies at or below the path that it names. Fields of an item that both see
//! must agree. Knows nothing of sandboxes.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// Sections that two readers of one machine can't have alike, and why.
const APART: &[(&str, &str)] = &[("usage", "the service watches for days and root looks once")];

/// What tells an item from others of its kind, where it has it.
const IDENTIFYING: &[&str] = &[
    "purlType",
    "namespace",
    "name",
    "version",
    "architecture",
    "device",
    "mountPoint",
    "protocol",
    "address",
    "port",
    "fingerprint",
    "handle",
    "user",
    "socket",
    "place",
    "connector",
    "network",
    "mac",
];

const NOT_PERMITTED: &str = "ERROR_KIND_NOT_PERMITTED";

/// What agreed and what was excused.
#[derive(Debug, Default)]
pub(super) struct Agreement {
    /// Items of root's, by section.
    pub(super) items: BTreeMap<String, usize>,
    /// Each with the entry that names it.
    pub(super) excused: Vec<String>,
}

/// What both see; an error that lists every difference that no entry names.
pub(super) fn agreement(service: &[u8], root: &[u8]) -> Result<Agreement> {
    let (service, root) = (sections(service)?, sections(root)?);
    let names: BTreeSet<&String> = service.keys().chain(root.keys()).collect();
    let mut agreement = Agreement::default();
    let mut wrong = Vec::new();
    for name in names {
        if let Some((_, why)) = APART.iter().find(|(apart, _)| apart == name) {
            println!("   not compared: {name}: {why}");
            continue;
        }
        let (Some(service), Some(root)) = (service.get(name), root.get(name)) else {
            let who = if service.contains_key(name) { "the service" } else { "root" };
            wrong.push(format!("{name}: {who} alone has this section"));
            continue;
        };
        agreement.items.insert(name.clone(), items(root).len());
        section(name, service, root, &mut agreement.excused, &mut wrong);
    }
    if agreement.items.values().sum::<usize>() == 0 {
        bail!("root's inventory has no item");
    }
    if !wrong.is_empty() {
        bail!("the service does not see what root sees:\n{}", wrong.join("\n"));
    }
    Ok(agreement)
}

fn section(name: &str, service: &Value, root: &Value, excused: &mut Vec<String>, wrong: &mut Vec<String>) {
    let denied = denied(service);
    for (key, all) in items(root) {
        let path = all.pointer("/installation/path").and_then(Value::as_str).unwrap_or_default();
        let Some(seen) = items(service).get(&key).cloned() else {
            match denied.iter().find(|subject| holds(subject, path)) {
                Some(subject) => excused.push(format!("{name}: {key} (not permitted: {subject})")),
                None => wrong.push(format!("{name}: root alone sees {key}")),
            }
            continue;
        };
        let (seen, all) = (fields(&seen), fields(&all));
        let names: BTreeSet<&String> = seen.keys().chain(all.keys()).collect();
        for field in names.into_iter().filter(|field| seen.get(*field) != all.get(*field)) {
            wrong.push(format!(
                "{name}: {key}: {field} is {} for the service and {} for root",
                seen.get(field).map_or("absent".to_owned(), Value::to_string),
                all.get(field).map_or("absent".to_owned(), Value::to_string),
            ));
        }
    }
    let known = items(root);
    for key in items(service).keys().filter(|key| !known.contains_key(*key)) {
        wrong.push(format!("{name}: the service alone sees {key}"));
    }
    let roots: BTreeSet<String> = errors(root).map(Value::to_string).collect();
    for error in errors(service).filter(|error| !roots.contains(&error.to_string())) {
        if error.get("kind").and_then(Value::as_str) != Some(NOT_PERMITTED) {
            wrong.push(format!("{name}: the service alone has the error {error}"));
        }
    }
}

/// Paths that the service was not permitted to read.
fn denied(section: &Value) -> Vec<String> {
    errors(section)
        .filter(|error| error.get("kind").and_then(Value::as_str) == Some(NOT_PERMITTED))
        .filter_map(|error| error.get("subject").and_then(Value::as_str).map(str::to_owned))
        .collect()
}

/// Whether what was denied is the path of an item or above it; entries name paths without the first slash.
fn holds(subject: &str, path: &str) -> bool {
    let (subject, path) = (subject.trim_matches('/'), path.trim_matches('/'));
    !subject.is_empty()
        && path.strip_prefix(subject).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn sections(text: &[u8]) -> Result<BTreeMap<String, Value>> {
    let inventory: Value = serde_json::from_slice(text).context("an inventory is no JSON")?;
    let sections = inventory.get("sections").and_then(Value::as_array).context("there are no sections")?;
    let named = |section: &Value| {
        section.get("name").and_then(Value::as_str).map(|name| (name.to_owned(), section.clone()))
    };
    Ok(sections.iter().filter_map(named).collect())
}

/// Items by what tells them apart.
fn items(section: &Value) -> BTreeMap<String, Value> {
    let items = section.get("items").and_then(Value::as_array).into_iter().flatten();
    items.map(|item| (key(item), item.clone())).collect()
}

fn key(item: &Value) -> String {
    let Some((kind, body)) =
        item.as_object().and_then(|parts| parts.iter().find(|(name, _)| *name != "installation"))
    else {
        return item.to_string();
    };
    let told = IDENTIFYING.iter().filter_map(|field| body.get(field)).map(|value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    });
    let path = item.pointer("/installation/path").and_then(Value::as_str).map(|path| format!("at {path}"));
    std::iter::once(kind.clone()).chain(told).chain(path).collect::<Vec<_>>().join(" ")
}

/// Every value of an item by its pointer, `/package/version`; lists are one value. That something is installed is left
/// out: the collector keeps no row for an installation of which there is nothing else to tell.
fn fields(item: &Value) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    for (part, body) in item.as_object().into_iter().flatten() {
        match body.as_object() {
            Some(body) => {
                found.extend(body.iter().map(|(name, value)| (format!("/{part}/{name}"), value.clone())));
            }
            None => {
                found.insert(format!("/{part}"), body.clone());
            }
        }
    }
    found.retain(|field, value| field != "/installation/state" || value != "INSTALL_STATE_INSTALLED");
    found
}

fn errors(section: &Value) -> impl Iterator<Item = &Value> {
    section.get("errors").and_then(Value::as_array).into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inventory(section: &str) -> String {
        format!("{{\"sections\": [{section}]}}")
    }

    /// How many differences are excused; `None` where one is not.
    fn check(service: &str, root: &str, expected: Option<usize>) {
        let result = agreement(inventory(service).as_bytes(), inventory(root).as_bytes());
        let found = result.as_ref().ok().map(|agreement| agreement.excused.len());
        assert_eq!(found, expected, "{service} and {root}: {result:?}");
    }

    const BOTH: &str = r#"{"name": "a", "items": [{"package": {"name": "x", "size": 1}}, {"package": {"name": "y"},
        "installation": {"path": "/home/ann/lib", "user": "ann"}}]}"#;

    #[test]
    fn the_same_agrees_and_nothing_at_all_does_not() {
        check(BOTH, BOTH, Some(0));
        check(r#"{"name": "b", "items": []}"#, BOTH, None);
        check(r#"{"name": "a", "items": []}"#, r#"{"name": "a", "items": []}"#, None);
    }

    #[test]
    fn installed_is_what_goes_without_saying() {
        let item = |state: &str| {
            format!(
                r#"{{"name": "a", "items": [{{"package": {{"name": "x"}}, "installation": {{"state": "{state}"}}}}]}}"#
            )
        };
        let without = r#"{"name": "a", "items": [{"package": {"name": "x"}}]}"#;
        check(without, &item("INSTALL_STATE_INSTALLED"), Some(0));
        check(without, &item("INSTALL_STATE_HELD"), None);
    }

    #[test]
    fn an_item_is_excused_by_an_entry_that_names_its_place_and_by_no_other() {
        let without = |errors: &str| {
            format!(
                r#"{{"name": "a", "items": [{{"package": {{"name": "x", "size": 1}}}}], "errors": [{errors}]}}"#
            )
        };
        let error = |subject: &str, kind: &str| format!(r#"{{"subject": "{subject}", "kind": "{kind}"}}"#);
        check(&without(""), BOTH, None);
        check(&without(&error("home", NOT_PERMITTED)), BOTH, Some(1));
        check(&without(&error("home/ann/lib", NOT_PERMITTED)), BOTH, Some(1));
        check(&without(&error("hom", NOT_PERMITTED)), BOTH, None);
        check(&without(&error("home/bob", NOT_PERMITTED)), BOTH, None);
        check(&without(&error("home", "ERROR_KIND_NOT_AVAILABLE")), BOTH, None);
    }

    #[test]
    fn a_field_that_differs_and_an_item_too_many_are_not_excused() {
        let with = |size: u8, more: &str| {
            format!(
                r#"{{"name": "a", "items": [{{"package": {{"name": "x", "size": {size}}}}}{more}], "errors":
                [{{"subject": "home", "kind": "{NOT_PERMITTED}"}}]}}"#
            )
        };
        check(&with(1, ""), BOTH, Some(1));
        check(&with(2, ""), BOTH, None);
        check(&with(1, r#", {"package": {"name": "z"}, "installation": {"path": "/home/ann"}}"#), BOTH, None);
    }
}
