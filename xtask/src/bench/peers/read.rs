//! What other agents print, taken apart: things, each in a section, with named fields.
//!
//! Knows the shape of each output and the meaning of none. An output that is not of its shape has no things.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use quick_xml::Reader;
use quick_xml::events::Event;
use serde_json::Value;

/// One thing that an agent tells of: its section there, and those of its fields that have a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Thing {
    pub(super) section: String,
    pub(super) fields: Vec<(String, String)>,
}

impl Thing {
    fn new(section: impl Into<String>) -> Self {
        Self { section: section.into(), fields: Vec::new() }
    }

    fn add(&mut self, field: impl Into<String>, value: &str) {
        let value = value.trim();
        if !value.is_empty() {
            self.fields.push((field.into(), value.to_owned()));
        }
    }

    /// The first value of a field; empty where there is none.
    pub(super) fn value(&self, field: &str) -> &str {
        self.fields.iter().find(|(name, _)| name == field).map_or("", |(_, value)| value.as_str())
    }
}

/// OCS's and FusionInventory's XML: each element below `CONTENT` is a thing, each below that a field.
pub(super) fn xml(text: &str) -> Result<Vec<Thing>> {
    const FIRST: usize = 2;
    let mut reader = Reader::from_str(text);
    let mut things: Vec<Thing> = Vec::new();
    let mut path: Vec<String> = Vec::new();
    let mut value = String::new();
    loop {
        match reader.read_event().context("the output is no XML")? {
            Event::Start(element) => {
                path.push(element.name().as_ref().to_owned());
                value.clear();
                if path.len() == FIRST + 1 {
                    things.push(Thing::new(path[FIRST].clone()));
                }
            }
            Event::Text(piece) => value.push_str(&piece),
            Event::GeneralRef(name) => value.push_str(match &*name {
                "lt" => "<",
                "gt" => ">",
                "quot" => "\"",
                "apos" => "'",
                _ => "&",
            }),
            Event::End(_) => {
                if let (Some(thing), true) = (things.last_mut(), path.len() > FIRST + 1) {
                    thing.add(path[FIRST + 1..].join("/"), &value);
                }
                value.clear();
                path.pop();
            }
            Event::Eof => return Ok(things),
            _ => {}
        }
    }
}

/// The same of OCS, which writes the architecture behind some names.
pub(super) fn ocs(text: &str) -> Result<Vec<Thing>> {
    let mut things = xml(text)?;
    let software = things.iter_mut().filter(|thing| thing.section == "SOFTWARES");
    for (_, name) in software.flat_map(|thing| &mut thing.fields).filter(|(field, _)| field == "NAME") {
        if let Some((plain, _)) = name.split_once(':') {
            *name = plain.to_owned();
        }
    }
    Ok(things)
}

/// osquery's rows of many queries in one list, told apart by a column that only one of the tables has.
pub(super) fn osquery(text: &str) -> Result<Vec<Thing>> {
    const TABLES: [(&str, &str); 17] = [
        ("cpu_brand", "system_info"),
        ("platform_like", "os_version"),
        ("arguments", "kernel_info"),
        ("firmware_type", "platform_info"),
        ("socket_designation", "cpu_info"),
        ("form_factor", "memory_devices"),
        ("max_capacity", "memory_arrays"),
        ("mtu", "interface_details"),
        ("broadcast", "interface_addresses"),
        ("block_size", "block_devices"),
        ("blocks_free", "mounts"),
        ("pci_slot", "pci_devices"),
        ("usb_address", "usb_devices"),
        ("shell", "users"),
        ("groupname", "groups"),
        ("tty", "logged_in_users"),
        ("cmdline", "processes"),
    ];
    let rows: Vec<BTreeMap<String, Value>> =
        serde_json::from_str(text).context("the output is no list of rows")?;
    let thing = |row: BTreeMap<String, Value>| {
        let table = TABLES
            .iter()
            .find(|(column, _)| row.contains_key(*column))
            .map_or("deb_packages", |(_, name)| name);
        let mut thing = Thing::new(table);
        for (column, value) in row {
            // What a table doesn't know is -1; a number is not a maker's name.
            let is_told =
                |value: &&str| *value != "-1" && !(table == "block_devices" && value.starts_with("0x"));
            if let Some(value) = value.as_str().filter(is_told) {
                thing.add(column, value);
            }
        }
        thing
    };
    Ok(rows.into_iter().map(thing).collect())
}

/// facter's tree of facts: the first name is the section, what is named after a device or an adapter is one thing each.
pub(super) fn facter(text: &str) -> Result<Vec<Thing>> {
    const NAMED: [&str; 5] = ["disks", "partitions", "mountpoints", "interfaces", "hypervisors"];
    let facts: BTreeMap<String, Value> = serde_json::from_str(text).context("the output is no JSON")?;
    let mut things = Vec::new();
    for (name, value) in facts {
        let mut thing = Thing::new(name.clone());
        match (&value, NAMED.contains(&name.as_str())) {
            (Value::Object(named), true) => {
                things.extend(named.iter().map(|(its, value)| named_thing(&name, its, value)))
            }
            _ => flatten("", &value, &mut |path, value| match path.split_once("interfaces.") {
                Some(("", rest)) => {
                    let (its, field) = rest.split_once('.').unwrap_or((rest, ""));
                    let is_it =
                        |thing: &&mut Thing| thing.section == "interfaces" && thing.value("name") == its;
                    match things.iter_mut().find(is_it) {
                        Some(thing) => thing.add(field, value),
                        None => {
                            let mut thing = Thing::new("interfaces");
                            thing.add("name", its);
                            thing.add(field, value);
                            things.push(thing);
                        }
                    }
                }
                _ => thing.add(path, value),
            }),
        }
        if !thing.fields.is_empty() {
            things.push(thing);
        }
    }
    Ok(things)
}

fn named_thing(section: &str, name: &str, value: &Value) -> Thing {
    let mut thing = Thing::new(section);
    thing.add("name", name);
    flatten("", value, &mut |path, value| thing.add(path, value));
    thing
}

/// Calls with the path of each plain value; places in a list have no name.
fn flatten(path: &str, value: &Value, each: &mut dyn FnMut(&str, &str)) {
    let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, value)| flatten(&below(name), value, each)),
        Value::Array(values) => values.iter().for_each(|value| flatten(path, value, each)),
        Value::String(text) => each(path, text),
        Value::Bool(_) | Value::Number(_) => each(path, &value.to_string()),
        Value::Null => {}
    }
}

/// lshw's tree of nodes, each of a class.
pub(super) fn lshw(text: &str) -> Result<Vec<Thing>> {
    let root: Value = serde_json::from_str(text).context("the output is no JSON")?;
    let mut things = Vec::new();
    let mut waiting: Vec<&Value> = match &root {
        Value::Array(roots) => roots.iter().collect(),
        other => vec![other],
    };
    while let Some(node) = waiting.pop() {
        let mut thing = Thing::new(node["class"].as_str().unwrap_or_default());
        for (name, value) in node.as_object().into_iter().flatten() {
            match name.as_str() {
                "class" => {}
                "children" => waiting.extend(value.as_array().into_iter().flatten()),
                // What an instruction set is called is a long story of its own.
                "capabilities" => thing.add("capabilities", "listed"),
                _ => flatten(name, value, &mut |path, value| thing.add(path, value)),
            }
        }
        things.push(thing);
    }
    Ok(things)
}

/// hwinfo's paragraphs, each of a hardware class.
pub(super) fn hwinfo(text: &str) -> Result<Vec<Thing>> {
    let mut things = Vec::new();
    for paragraph in text.split("\n\n") {
        let fields = || {
            paragraph.lines().filter_map(|line| {
                line.strip_prefix("  ").filter(|line| !line.starts_with(' '))?.split_once(':')
            })
        };
        let Some((_, class)) = fields().find(|(name, _)| *name == "Hardware Class") else { continue };
        let mut thing = Thing::new(class.trim());
        for (name, value) in fields() {
            thing.add(
                name.trim_end_matches(|end: char| end == '#' || end == ' ' || end.is_ascii_digit()),
                value.trim().trim_matches('"'),
            );
        }
        things.push(thing);
    }
    Ok(things)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(found: Result<Vec<Thing>>, expected: &[(&str, &[(&str, &str)])]) {
        let expected: Vec<Thing> = expected
            .iter()
            .map(|(section, fields)| Thing {
                section: (*section).to_owned(),
                fields: fields
                    .iter()
                    .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                    .collect(),
            })
            .collect();
        assert_eq!(found.unwrap(), expected);
    }

    #[test]
    fn every_shape_is_taken_apart() {
        check(
            xml(
                "<REQUEST><CONTENT><OS><TIME><NAME>UTC</NAME></TIME><A>a &amp; b</A></OS><BIOS>\n</BIOS></CONTENT><Q>x</Q></REQUEST>",
            ),
            &[("OS", &[("TIME/NAME", "UTC"), ("A", "a & b")]), ("BIOS", &[])],
        );
        check(
            osquery(r#"[{"uid":"0","shell":"/bin/sh","gid":"-1"},{"name":"bash","version":"5"}]"#),
            &[
                ("users", &[("shell", "/bin/sh"), ("uid", "0")]),
                ("deb_packages", &[("name", "bash"), ("version", "5")]),
            ],
        );
        check(
            facter(
                r#"{"disks":{"vda":{"size":1}},"kernel":"Linux","net":{"interfaces":{"lo":{"mtu":9,"ip":"::1"}},"ip":"x"}}"#,
            ),
            &[
                ("disks", &[("name", "vda"), ("size", "1")]),
                ("kernel", &[("", "Linux")]),
                ("interfaces", &[("name", "lo"), ("ip", "::1"), ("mtu", "9")]),
                ("net", &[("ip", "x")]),
            ],
        );
        check(
            lshw(
                r#"{"class":"system","id":"vm","children":[{"class":"disk","size":5,"capabilities":{"a":true}}]}"#,
            ),
            &[("system", &[("id", "vm")]), ("disk", &[("capabilities", "listed"), ("size", "5")])],
        );
        check(
            hwinfo(
                "01: None\n  [Created at x]\n  Hardware Class: bios\n  Vendor: pci 0x1 \"A\"\n    x: y\n\n02: None\n",
            ),
            &[("bios", &[("Hardware Class", "bios"), ("Vendor", "pci 0x1 \"A")])],
        );
    }
}
