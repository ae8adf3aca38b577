//! The two manifests of a profile: JSON as `nix profile` writes it, and the Nix expression that `nix-env` writes.
//!
//! Knows nothing of files and of what a store path means. Of the expression it knows only what that program prints: a
//! list of sets whose values are strings, lists and sets.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

/// One store path that a profile makes available.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Found {
    pub(super) store_path: String,
    /// The platform, such as `x86_64-linux`; empty where it is not told.
    pub(super) system: String,
}

/// Far more than a person installs.
const FOUND_LIMIT: usize = 10_000;

/// What a manifest lists.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(super) found: Vec<Found>,
    /// Elements that cannot be used.
    pub(super) bad: usize,
}

#[derive(Deserialize)]
struct Manifest<'a> {
    #[serde(borrow)]
    elements: &'a RawValue,
}

#[derive(Deserialize)]
struct Element {
    #[serde(default = "is_active")]
    active: bool,
    #[serde(default, rename = "attrPath")]
    attribute_path: Option<String>,
    #[serde(default, rename = "storePaths")]
    store_paths: Vec<String>,
}

/// Elements were always active before they could be switched off.
fn is_active() -> bool {
    true
}

/// Reads `manifest.json`; its elements are a list up to version 2 and named since.
pub(crate) fn json(bytes: &[u8]) -> Result<Listed, String> {
    let error = |error: serde_json::Error| format!("not a manifest of nix profile: {error}");
    let manifest: Manifest<'_> = serde_json::from_slice(bytes).map_err(error)?;
    let elements: Vec<&RawValue> = if manifest.elements.get().starts_with('[') {
        serde_json::from_str(manifest.elements.get()).map_err(error)?
    } else {
        let named: BTreeMap<String, &RawValue> =
            serde_json::from_str(manifest.elements.get()).map_err(error)?;
        named.into_values().collect()
    };
    let mut listed = Listed::default();
    for element in elements {
        match serde_json::from_str(element.get()) {
            Ok(Element { active: false, .. }) => {}
            Ok(Element { active: true, attribute_path, store_paths }) => {
                // `legacyPackages.x86_64-linux.hello` names the platform in the middle.
                let system = attribute_path.as_deref().and_then(|path| path.split('.').nth(1));
                let system = system.filter(|system| system.contains('-')).unwrap_or_default();
                let found = |store_path| Found { store_path, system: system.to_owned() };
                listed.found.extend(store_paths.into_iter().map(found));
            }
            Err(_) => listed.bad += 1,
        }
        if listed.found.len() > FOUND_LIMIT {
            return Err(format!("more than {FOUND_LIMIT} packages"));
        }
    }
    Ok(listed)
}

/// Reads `manifest.nix`: in each set of the outermost list, the strings `outPath` and `system`.
pub(crate) fn expression(bytes: &[u8]) -> Result<Listed, String> {
    let mut listed = Listed::default();
    let mut element = Found::default();
    let mut depth = 0_usize;
    let mut word: &[u8] = b"";
    let mut at = 0;
    while let Some(first) = bytes.get(at) {
        at += 1;
        match first {
            b'[' | b'{' => depth += 1,
            b']' | b'}' => {
                depth = depth.checked_sub(1).ok_or("a bracket closes that nothing opened")?;
                // The list is the first level, a set in it the second.
                if depth == 1 && std::mem::take(&mut word) != b"" {
                    let element = std::mem::take(&mut element);
                    if element.store_path.is_empty() {
                        listed.bad += 1;
                    } else {
                        listed.found.push(element);
                    }
                }
                if listed.found.len() > FOUND_LIMIT {
                    return Err(format!("more than {FOUND_LIMIT} packages"));
                }
            }
            b'"' => {
                let rest = bytes.get(at..).unwrap_or_default();
                let (value, length) = quoted(rest).ok_or("a string does not end")?;
                at += length;
                match word {
                    b"outPath" if depth == 2 => element.store_path = value,
                    // nix-env says so of what was installed by its path alone.
                    b"system" if depth == 2 && value != "unknown" => element.system = value,
                    _ => {}
                }
            }
            letter if is_word(*letter) => {
                let rest = bytes.get(at..).unwrap_or_default();
                let length = rest.iter().position(|byte| !is_word(*byte)).unwrap_or(rest.len());
                word = bytes.get(at - 1..at + length).unwrap_or_default();
                at += length;
            }
            _ => {}
        }
    }
    if depth == 0 { Ok(listed) } else { Err("the expression does not end".to_owned()) }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'\'')
}

/// A string up to its closing quote, escapes taken away, and how long it is with that quote.
fn quoted(bytes: &[u8]) -> Option<(String, usize)> {
    let mut value = Vec::new();
    let mut at = 0;
    loop {
        let byte = *bytes.get(at)?;
        at += 1;
        match byte {
            b'"' => return Some((String::from_utf8_lossy(&value).into_owned(), at)),
            b'\\' => {
                value.push(*bytes.get(at)?);
                at += 1;
            }
            other => value.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(paths: &[(&str, &str)], bad: usize) -> Listed {
        let found = |(path, system): &(&str, &str)| Found {
            store_path: (*path).to_owned(),
            system: (*system).to_owned(),
        };
        Listed { found: paths.iter().map(found).collect(), bad }
    }

    #[test]
    fn json_of_all_versions() {
        let list = r#"{"version": 2, "elements": [
            {"active": true, "attrPath": "legacyPackages.x86_64-linux.jq", "storePaths": ["/a", "/b"], "priority": 5},
            {"active": false, "storePaths": ["/c"]}, {"storePaths": ["/d"]}, 1, {"active": 2}]}"#;
        let expected = listed(&[("/a", "x86_64-linux"), ("/b", "x86_64-linux"), ("/d", "")], 2);
        assert_eq!(json(list.as_bytes()), Ok(expected));
        let named = r#"{"version": 3, "elements": {"jq": {"attrPath": null, "storePaths": ["/a"]}}}"#;
        assert_eq!(json(named.as_bytes()), Ok(listed(&[("/a", "")], 0)));
        for bad in ["", "[]", "{}", r#"{"elements": 1}"#, r#"{"elements": [1}"#] {
            assert!(json(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn expressions_of_nix_env() {
        let two = r#"[ { meta = { description = "a } \" tool"; outPath = "/no"; }; name = "jq-1.7"; out = { outPath =
            "/no"; }; outPath = "/a"; outputs = [ "out" ]; system = "x86_64-linux"; type = "derivation"; }
            { outPath = "/b"; system = "unknown"; } { name = "c"; } ]"#;
        assert_eq!(expression(two.as_bytes()), Ok(listed(&[("/a", "x86_64-linux"), ("/b", "")], 1)));
        assert_eq!(expression(b"[ ]"), Ok(Listed::default()));
        for (bad, reason) in [
            ("[ { outPath = \"/a", "a string does not end"),
            ("[ { outPath = \"/a\"; ", "the expression does not end"),
            ("] [", "a bracket closes that nothing opened"),
            ("\"\\", "a string does not end"),
        ] {
            assert_eq!(expression(bad.as_bytes()), Err(reason.to_owned()), "{bad}");
        }
        assert_eq!(expression(&b"[".repeat(1_000_000)), Err("the expression does not end".to_owned()));
    }
}
