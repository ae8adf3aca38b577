//! Who the organisation is, which words its records may use, and the fields that it adds.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use muster_common::governance::{CustomField, CustomKind, NodePath, Organisation, Tree};
use muster_config::Input;

use crate::names::Word;

/// Nodes of one tree.
const MAX_NODES: usize = 5_000;
/// Legal entities, and tags.
const MAX_WORDS: usize = 500;
/// Custom fields.
const MAX_CUSTOM: usize = 100;
/// The longest name in characters.
const MAX_NAME: usize = 128;

/// A name for people.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Name(pub(crate) String);

impl FromStr for Name {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.chars().count() > MAX_NAME || text.contains(char::is_control) || text.trim() != text {
            return Err(format!(
                "is no name: at most {MAX_NAME} letters, on one line, without spaces around it"
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Name {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// Three letters of ISO 4217, or none.
#[derive(Debug, Clone, PartialEq, Default)]
struct Currency(String);

impl FromStr for Currency {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_code = text.len() == 3 && text.bytes().all(|letter| letter.is_ascii_uppercase());
        if text.is_empty() || is_code {
            return Ok(Self(text.to_owned()));
        }
        Err("is not a currency (three letters of ISO 4217, such as EUR)".to_owned())
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

pub(crate) fn organisation(input: &mut Input) -> Organisation {
    let name = input.parsed("organisation.name", Name::default()).0;
    let currency = input.parsed("organisation.currency", Currency::default()).0;
    let mut names = |key: &str| -> Vec<String> {
        input.list::<Name>(key, Vec::new(), MAX_WORDS).into_iter().map(|name| name.0).collect()
    };
    let legal_entities = names("organisation.legal_entities");
    let tags = names("organisation.tags");
    let mut tree = |key: &str| Tree::new(input.list::<NodePath>(key, Vec::new(), MAX_NODES));
    let locations = tree("organisation.locations");
    let departments = tree("organisation.departments");
    Organisation { name, legal_entities, currency, locations, departments, tags }
}

pub(crate) fn custom_fields(input: &mut Input, kinds: &[String]) -> BTreeMap<String, CustomField> {
    let mut fields = BTreeMap::new();
    for Word(name) in input.tables::<Word>("custom") {
        let key = |part: &str| format!("custom.{name}.{part}");
        let kind = input.parsed(&key("kind"), CustomKind::default());
        let label = input.parsed(&key("label"), Name::default()).0;
        let choices: Vec<String> = input
            .list::<Name>(&key("choices"), Vec::new(), MAX_WORDS)
            .into_iter()
            .map(|choice| choice.0)
            .collect();
        let of: Vec<String> =
            input.list::<Word>(&key("of"), Vec::new(), MAX_WORDS).into_iter().map(|word| word.0).collect();
        if (kind == CustomKind::Choice) == choices.is_empty() {
            input.refuse(&key("choices"), "goes with kind = \"choice\" and with no other; add or remove it");
        }
        if let Some(stranger) = of.iter().find(|word| !kinds.contains(word)) {
            let message =
                crate::names::unknown("class or category", stranger, kinds.iter().map(String::as_str));
            input.refuse(&key("of"), message);
        }
        fields.insert(name, CustomField { kind, label, choices, of });
    }
    if fields.len() > MAX_CUSTOM {
        input.refuse("custom", format!("has {} fields, at most {MAX_CUSTOM} are allowed", fields.len()));
    }
    fields
}
