//! The numbers that identify a machine's parts, as dmidecode prints them and as the agent's JSON has them.
//!
//! Knows nothing of tables. Both are brought into the same words: structure type, what dmidecode calls the number, the
//! structure's handle where the agent keeps it, the number itself.

use std::collections::BTreeMap;

use serde_json::Value;

/// Type, name of the number, handle, number; and how often.
pub(super) type Numbers = BTreeMap<(u64, &'static str, Option<u64>, String), usize>;

/// A number: its structure's type, what dmidecode calls it, our item and field, and whether the item has a handle.
const KINDS: &[(u64, &str, &str, &str, bool)] = &[
    (1, "Serial Number", "system", "serial", false),
    (1, "UUID", "system", "uuid", false),
    (1, "SKU Number", "system", "sku", false),
    (2, "Serial Number", "baseboard", "serial", true),
    (2, "Asset Tag", "baseboard", "assetTag", true),
    (3, "Serial Number", "chassis", "serial", true),
    (3, "Asset Tag", "chassis", "assetTag", true),
    (3, "SKU Number", "chassis", "sku", true),
    (4, "Serial Number", "processor", "serial", false),
    (4, "Asset Tag", "processor", "assetTag", false),
    (4, "Part Number", "processor", "partNumber", false),
    (17, "Serial Number", "memoryModule", "serial", true),
    (17, "Asset Tag", "memoryModule", "assetTag", true),
    (17, "Part Number", "memoryModule", "partNumber", true),
    (22, "Serial Number", "battery", "serial", false),
    (22, "SBDS Serial Number", "battery", "serial", false),
    (39, "Serial Number", "powerSupply", "serial", true),
    (39, "Asset Tag", "powerSupply", "assetTag", true),
    (39, "Model Part Number", "powerSupply", "model", true),
];

/// All numbers of dmidecode's text. A place with nothing in it has none.
pub(super) fn printed(text: &str) -> Numbers {
    let mut numbers = Numbers::new();
    for block in text.split("\n\n") {
        let mut lines = block.lines().skip_while(|line| !line.starts_with("Handle 0x"));
        let Some((handle, kind)) = lines.next().and_then(head) else { continue };
        let fields: Vec<(&str, &str)> = lines
            .filter_map(|line| {
                line.strip_prefix('\t').filter(|line| !line.starts_with('\t'))?.split_once(':')
            })
            .map(|(name, value)| (name, value.trim()))
            .collect();
        let is = |name: &str, value: &str| fields.contains(&(name, value));
        if is("Size", "No Module Installed") || is("Status", "Unpopulated") {
            continue;
        }
        for (_, label, _, _, has_handle) in KINDS.iter().filter(|(its, ..)| *its == kind) {
            let value = fields.iter().find(|(name, _)| name == label).map(|(_, value)| *value);
            if let Some(value) = value.filter(|value| !is_nothing(label, value)) {
                let handle = has_handle.then_some(handle);
                *numbers.entry((kind, name(label), handle, value.to_owned())).or_default() += 1;
            }
        }
    }
    numbers
}

/// What dmidecode says in place of a number; of a text, only that there is none.
fn is_nothing(label: &str, value: &str) -> bool {
    match label {
        "UUID" => value.starts_with("Not "),
        "SBDS Serial Number" => value == "0000",
        _ => value.is_empty() || value == "Not Specified",
    }
}

/// A battery has one serial number, wherever it stands.
fn name(label: &'static str) -> &'static str {
    label.strip_prefix("SBDS ").unwrap_or(label)
}

/// Handle and type of `Handle 0x0011, DMI type 17, 84 bytes`.
fn head(line: &str) -> Option<(u64, u64)> {
    let (handle, rest) = line.strip_prefix("Handle 0x")?.split_once(", DMI type ")?;
    let (kind, _) = rest.split_once(',')?;
    Some((u64::from_str_radix(handle, 16).ok()?, kind.parse().ok()?))
}

/// All numbers of an inventory.
pub(super) fn collected(inventory: &Value) -> Numbers {
    let list = |value: &Value, name: &str| value[name].as_array().cloned().unwrap_or_default();
    let items = list(inventory, "sections").into_iter().flat_map(|section| list(&section, "items"));
    let mut numbers = Numbers::new();
    for item in items {
        for (kind, label, message, field, has_handle) in KINDS {
            // A battery's field is named twice.
            if label.starts_with("SBDS ") {
                continue;
            }
            if let Some(value) = item[*message][*field].as_str() {
                let handle = has_handle.then(|| item[*message]["handle"].as_u64().unwrap_or(0));
                *numbers.entry((*kind, *label, handle, dotted(value))).or_default() += 1;
            }
        }
    }
    numbers
}

/// Each byte beyond ASCII as a dot, as dmidecode prints it; the agent keeps what is UTF-8.
fn dotted(value: &str) -> String {
    value.bytes().map(|byte| if byte.is_ascii() { char::from(byte) } else { '.' }).collect()
}

/// What is in `left` and not, or not as often, in `right`; a line each.
pub(super) fn missing(left: &Numbers, right: &Numbers) -> Vec<String> {
    left.iter()
        .filter(|(number, count)| right.get(number).is_none_or(|there| there < count))
        .map(|((kind, label, handle, value), _)| {
            let place = handle.map_or_else(String::new, |handle| format!(" handle {handle:#06x}"));
            format!("type {kind}{place} {label}: {value:?}")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const TEXT: &str = "# dmidecode 3.4\n\nHandle 0x0001, DMI type 1, 27 bytes\nSystem Information\n\tSerial Number: SN 1\n\
        \tUUID: Not Settable\n\nHandle 0x0011, DMI type 17, 40 bytes\nMemory Device\n\tSize: 16 GB\n\tSerial Number: None\n\
        \nHandle 0x0012, DMI type 17, 40 bytes\nMemory Device\n\tSize: No Module Installed\n\tSerial Number: Empty\n\
        \nHandle 0x0013, DMI type 22, 26 bytes\nPortable Battery\n\tSBDS Serial Number: 070B\n";

    fn inventory(serial: &str) -> Value {
        json!({ "sections": [{ "items": [
            { "system": { "serial": serial } },
            { "memoryModule": { "handle": 17, "serial": "None" } },
            { "battery": { "name": "bay", "serial": "070B" } },
        ] }] })
    }

    #[test]
    fn both_are_in_the_same_words() {
        let printed = printed(TEXT);
        assert_eq!(printed.len(), 3);
        assert_eq!(missing(&printed, &collected(&inventory("SN 1"))), [] as [&str; 0]);
        assert_eq!(missing(&printed, &collected(&inventory("SN"))), ["type 1 Serial Number: \"SN 1\""]);
        assert_eq!(dotted("S\u{e9}rie"), "S..rie");
        assert_eq!(missing(&collected(&inventory("SN")), &printed), ["type 1 Serial Number: \"SN\""]);
    }
}
