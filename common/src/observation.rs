//! What a source other than an agent says of one machine, before anyone has decided which machine that is.
//!
//! Stands here and not with the formats, since those who read a file and those who decide about it must not know
//! each other. Knows nothing of files, of rows and of how a person's name is kept.

use std::{collections::BTreeMap, fmt};

use crate::{
    device::{Field, Value},
    inventory::MacAddress,
};

/// One record of an import: who it is about, and what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PurchaseRecord {
    /// The record's own name within its source, the same whenever the same file is read again.
    pub row_key: String,
    /// By which it can be told which machine is meant; at least one.
    pub identifiers: RecordIdentifiers,
    /// What it says.
    pub fields: BTreeMap<Field, RecordValue>,
    /// What was left out of it, and why; for the person who imports.
    pub notes: Vec<String>,
}

/// The identifiers of a record, normalised: never a placeholder.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RecordIdentifiers {
    /// System serial number, upper case, without a scanner's prefix.
    pub serial: Option<String>,
    /// `SCHEME/TAG`, upper case.
    pub asset_tag: Option<String>,
    /// System UUID, lower case with hyphens.
    pub uuid: Option<String>,
    /// The operating system's machine id, 32 lower-case hexadecimal digits.
    pub machine_id: Option<String>,
    /// MAC addresses, sorted, each once.
    pub macs: Vec<MacAddress>,
}

impl RecordIdentifiers {
    /// Whether nothing tells which machine is meant.
    pub fn is_empty(&self) -> bool {
        let Self { serial, asset_tag, uuid, machine_id, macs } = self;
        serial.is_none() && asset_tag.is_none() && uuid.is_none() && machine_id.is_none() && macs.is_empty()
    }
}

/// A value as a record says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordValue {
    /// Anything but a person.
    Plain(Value),
    /// A person by name or address, who gets an id before anything is kept.
    Person(PersonName),
}

/// A person as people write one; `Debug` shows neither name nor address.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct PersonName {
    /// Name for people.
    pub display: Option<String>,
    /// E-mail address, as written.
    pub email: Option<String>,
}

impl PersonName {
    /// What tells one person from another: the address in lower case, else the name in lower case with single spaces.
    pub fn key(&self) -> Option<String> {
        let Self { display, email } = self;
        let text = email.as_deref().or(display.as_deref())?;
        let key = text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
        (!key.is_empty()).then_some(key)
    }
}

impl fmt::Debug for PersonName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PersonName(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_is_known_by_the_address_and_shown_by_nobody() {
        let person = |display: Option<&str>, email: Option<&str>| PersonName {
            display: display.map(str::to_owned),
            email: email.map(str::to_owned),
        };
        assert_eq!(person(Some("Jo Doe"), Some("Jo@Example.org")).key().as_deref(), Some("jo@example.org"));
        assert_eq!(person(Some(" Jo   Doe "), None).key().as_deref(), Some("jo doe"));
        assert_eq!(person(None, Some(" ")).key(), None);
        assert_eq!(format!("{:?}", person(Some("Jo"), Some("jo@example.org"))), "PersonName(…)");
    }
}
