//! Another agent's things beside our items, thing by thing and field by field.
//!
//! Knows nothing of any agent: `table` says which things are the same, `fields` what becomes of a field.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::fields::{Fields, Rule, rule};
use super::read::Thing;

/// One kind of thing of a peer, and ours.
pub(super) struct Items {
    /// In a word, for people.
    pub(super) what: &'static str,
    /// The peer's section; empty for any.
    pub(super) section: &'static str,
    /// The fields that name a thing there.
    pub(super) key: &'static [&'static str],
    /// Only things whose first such field starts so.
    pub(super) only: &'static str,
    /// Our messages, any of which may have it, and the fields that name ours.
    pub(super) kinds: &'static [(&'static str, &'static [&'static str])],
}

/// What is no item with us, and why.
const EXCUSED: &[(&str, &str)] = &[
    ("lo", "every machine has it"),
    ("127.0.0.1", "every machine has it"),
    ("::1", "every machine has it"),
    ("loop", "no hardware"),
    ("ram", "no hardware"),
    ("zram", "no hardware"),
];

/// Numbers that our JSON leaves out when they are 0.
const ZEROES: &[(&str, &str)] = &[("account", "uid"), ("group", "gid")];

/// One line of the comparison of things.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Compared {
    pub(super) what: &'static str,
    pub(super) theirs: usize,
    pub(super) ours: usize,
    pub(super) missing: Vec<String>,
    pub(super) excused: Vec<String>,
}

/// What became of a peer's fields.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct FieldsFound {
    pub(super) same: usize,
    pub(super) told: usize,
    /// By reason.
    pub(super) left: BTreeMap<&'static str, BTreeSet<String>>,
    /// We should have it and have not, or not with this value.
    pub(super) lacking: Vec<String>,
    /// Nobody has thought of it.
    pub(super) unknown: Vec<String>,
}

/// Our items: the message and its fields.
pub(super) struct Ours(Vec<(String, Value)>);

impl Ours {
    /// Of an inventory in JSON.
    pub(super) fn new(inventory: &Value) -> Self {
        let list = |value: &Value, name: &str| value[name].as_array().cloned().unwrap_or_default();
        let items = list(inventory, "sections").into_iter().flat_map(|section| list(&section, "items"));
        let messages = |item: Value| match item {
            Value::Object(fields) => fields.into_iter().collect::<Vec<_>>(),
            _ => Vec::new(),
        };
        Self(items.flat_map(messages).collect())
    }

    /// The values that fields have together; a list gives one key for each of its values.
    fn keys(&self, kind: &str, fields: &[&str]) -> BTreeSet<String> {
        let of = |(its, item): &(String, Value)| {
            let mut keys = vec![String::new()];
            for field in fields.iter().filter(|_| its == kind) {
                let mut values = values(&item[*field]);
                if values.is_empty() && ZEROES.contains(&(kind, *field)) {
                    values.push("0".to_owned());
                }
                keys = keys
                    .iter()
                    .flat_map(|key| {
                        values.iter().map(move |value| format!("{key} {value}").trim().to_owned())
                    })
                    .collect();
            }
            if its == kind { keys } else { Vec::new() }
        };
        self.0.iter().flat_map(of).filter(|key| !key.is_empty()).collect()
    }
}

fn values(value: &Value) -> Vec<String> {
    match value {
        Value::Array(values) => values.iter().flat_map(self::values).collect(),
        Value::String(text) => vec![normal(text)],
        Value::Bool(_) | Value::Number(_) => vec![value.to_string()],
        Value::Null | Value::Object(_) => Vec::new(),
    }
}

/// What differs in writing only: case, the folder of devices, the first part of a bus address, the link of an address.
fn normal(value: &str) -> String {
    let value = value.trim().to_lowercase();
    let value = value.strip_prefix("/dev/").or_else(|| value.strip_prefix("pci@")).unwrap_or(&value);
    let value = value.split_once('%').map_or(value, |(address, _)| address);
    let bytes = value.as_bytes();
    let is_short_address = bytes.len() == 7 && bytes[2] == b':' && bytes[5] == b'.';
    if is_short_address { format!("0000:{value}") } else { value.to_owned() }
}

/// Thing by thing.
pub(super) fn things(theirs: &[Thing], ours: &Ours, items: &[Items]) -> Vec<Compared> {
    let compare = |items: &Items| {
        let is_it = |thing: &&Thing| items.section.is_empty() || thing.section == items.section;
        let mut keys = BTreeSet::new();
        for thing in
            theirs.iter().filter(is_it).filter(|thing| thing.value(items.key[0]).starts_with(items.only))
        {
            let key: Vec<String> = items.key.iter().map(|field| normal(thing.value(field))).collect();
            keys.insert(key.join(" ").trim().to_owned());
        }
        keys.remove("");
        let found: BTreeSet<String> =
            items.kinds.iter().flat_map(|(kind, fields)| ours.keys(kind, fields)).collect();
        let (mut missing, mut excused) = (Vec::new(), Vec::new());
        for key in keys.difference(&found) {
            match excuse(key) {
                Some(why) => excused.push(format!("{key} ({why})")),
                None => missing.push(key.clone()),
            }
        }
        Compared { what: items.what, theirs: keys.len(), ours: found.len(), missing, excused }
    };
    items.iter().map(compare).filter(|compared| compared.theirs > 0).collect()
}

fn excuse(key: &str) -> Option<&'static str> {
    let numbered = |name: &str| {
        key.strip_prefix(name).is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit()))
    };
    EXCUSED.iter().find(|(name, _)| numbered(name)).map(|(_, why)| *why)
}

/// Field by field.
pub(super) fn fields(theirs: &[Thing], ours: &Ours, rules: &[Fields]) -> FieldsFound {
    let mut all: BTreeMap<(&str, &str), BTreeSet<&str>> = BTreeMap::new();
    for thing in theirs {
        for (field, value) in &thing.fields {
            all.entry((&thing.section, field)).or_default().insert(value);
        }
    }
    let mut found = FieldsFound::default();
    for ((section, field), values) in all {
        let name = format!("{section}/{field}").trim_end_matches('/').to_owned();
        match rule(rules, section, field) {
            None => found.unknown.push(name),
            Some(Rule::Left(why)) => {
                found.left.entry(why).or_default().insert(name);
            }
            Some(Rule::Told(kind, our_field)) => {
                found.told += 1;
                if ours.keys(kind, &[our_field]).is_empty() {
                    found.lacking.push(format!("{name} (ours would be {kind}.{our_field})"));
                }
            }
            Some(Rule::Same(kind, our_field)) => {
                found.same += 1;
                let ours = ours.keys(kind, &[our_field]);
                let other = values.into_iter().find(|value| !ours.contains(&normal(value)));
                found
                    .lacking
                    .extend(other.map(|value| format!("{name} = {value:?} (not in {kind}.{our_field})")));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn thing(section: &str, fields: &[(&str, &str)]) -> Thing {
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Thing { section: section.to_owned(), fields }
    }

    fn ours() -> Ours {
        Ours::new(&json!({ "sections": [{ "items": [
            { "group": { "name": "root" } },
            { "networkAdapter": { "name": "eth0", "addresses": ["192.0.2.2", "FE80::1"] } },
            { "pciDevice": { "address": "0000:00:01.0", "vendorId": 5 } },
            { "package": { "name": "a", "version": "1" }, "installation": {} },
        ] }] }))
    }

    #[test]
    fn what_is_missing_is_named() {
        let theirs = [
            thing("NET", &[("NAME", "eth0"), ("IP", "fe80::1")]),
            thing("NET", &[("NAME", "lo"), ("IP", "::1")]),
            thing("NET", &[("NAME", "eth1")]),
            thing("NET", &[("IP", "fe80::1%eth0")]),
            thing("GROUP", &[("NAME", "root"), ("ID", "0")]),
            thing("PCI", &[("SLOT", "00:01.0")]),
            thing("SW", &[("NAME", "a"), ("VERSION", "1")]),
            thing("SW", &[("NAME", "a"), ("VERSION", "2")]),
        ];
        let items = |what, section, key, kinds| Items { what, section, key, only: "", kinds };
        let found = things(
            &theirs,
            &ours(),
            &[
                items("adapters", "NET", &["NAME"], &[("networkAdapter", &["name"])]),
                items("addresses", "NET", &["IP"], &[("networkAdapter", &["addresses"])]),
                items("PCI", "PCI", &["SLOT"], &[("pciDevice", &["address"])]),
                items("software", "SW", &["NAME", "VERSION"], &[("package", &["name", "version"])]),
                items("groups", "GROUP", &["NAME", "ID"], &[("group", &["name", "gid"])]),
                items("none", "NONE", &["NAME"], &[]),
            ],
        );
        let told: Vec<_> =
            found.iter().map(|it| (it.what, it.theirs, it.ours, it.missing.join(","))).collect();
        let row = |what, theirs, ours, missing: &str| (what, theirs, ours, missing.to_owned());
        assert_eq!(
            told,
            [
                row("adapters", 3, 1, "eth1"),
                row("addresses", 2, 2, ""),
                row("PCI", 1, 1, ""),
                row("software", 2, 1, "a 2"),
                row("groups", 1, 1, ""),
            ]
        );
        assert_eq!(found[0].excused, ["lo (every machine has it)"]);
    }

    #[test]
    fn what_becomes_of_fields_is_told() {
        let rules: Fields = &[
            ("PCI/SLOT", Rule::Same("pciDevice", "address")),
            ("PCI/VENDOR", Rule::Told("pciDevice", "vendorId")),
            ("PCI/DRIVER", Rule::Told("pciDevice", "driver")),
            ("PCI/IRQ", Rule::Left("of the moment")),
        ];
        let fields_of = |slot| {
            [thing("PCI", &[("SLOT", slot), ("VENDOR", "0x5"), ("DRIVER", "x"), ("IRQ", "5"), ("NEW", "7")])]
        };
        let found = fields(&fields_of("00:01.0"), &ours(), &[rules]);
        assert_eq!((found.same, found.told, found.unknown), (1, 2, vec!["PCI/NEW".to_owned()]));
        assert_eq!(found.lacking, ["PCI/DRIVER (ours would be pciDevice.driver)"]);
        assert_eq!(found.left["of the moment"].len(), 1);
        let found = fields(&fields_of("00:02.0"), &ours(), &[rules]);
        assert_eq!(found.lacking[1], "PCI/SLOT = \"00:02.0\" (not in pciDevice.address)");
    }
}
