//! Beside dmidecode on one machine with rich tables: every number that it prints, the agent tells.
//!
//! The machine is made by a script that lies beside the repository; it mounts tables over `/sys` in a namespace of its
//! own, which takes root. Where that can't be done the test says so and does nothing.

use std::{collections::BTreeSet, path::Path, process::Command};

use serde_json::Value;

use crate::{fixtures, printed::printed};

/// What a program writes in the namespace.
fn within(script: &Path, modules: &str, program: &[&str]) -> Option<String> {
    let output = Command::new(script).env("DIMMS", modules).args(program).output().ok()?;
    output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
}

/// All texts under `serial` and `assetTag`, wherever they stand.
fn numbers<'a>(value: &'a Value, into: &mut BTreeSet<&'a str>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::String(text) if ["serial", "assetTag"].contains(&name.as_str()) => {
                        into.insert(text);
                    }
                    _ => numbers(value, into),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| numbers(value, into)),
        _ => {}
    }
}

#[test]
fn every_number_that_dmidecode_prints_is_told() {
    let Some(fixtures) = fixtures::folder("smbios") else { return };
    let script = fixtures.join("../../peers/with-dmi.sh");
    for modules in ["4", "24"] {
        let Some(text) = within(&script, modules, &["dmidecode"]) else {
            eprintln!("skipped: {} needs root, unshare, python3 and dmidecode", script.display());
            return;
        };
        let agent = [env!("CARGO_BIN_EXE_muster-agent"), "collect", "--output", "json"];
        let told = within(&script, modules, &agent).expect("the agent collects");
        let told: Value = serde_json::from_str(&told).unwrap();
        let mut found = BTreeSet::new();
        numbers(&told, &mut found);
        let expected: BTreeSet<String> = printed(&text)
            .iter()
            .filter(|structure| !structure.is_empty())
            .flat_map(|structure| structure.numbers().collect::<Vec<_>>())
            .collect();
        assert!(expected.len() >= 9, "dmidecode prints only {expected:?}");
        for number in &expected {
            assert!(found.contains(number.as_str()), "{number} is missing from {found:?}");
        }
        eprintln!("{modules} slots: all {} serial numbers and asset tags", expected.len());
    }
}
