//! What a source other than an agent says of one machine, before anyone has decided which machine that is.
//!
//! Stands here and not with the formats, since those who read a file and those who decide about it must not know
//! each other. Knows nothing of files, of rows and of how a person's name is kept.

use std::{collections::BTreeMap, fmt, net::IpAddr};

use crate::{
    asset::Category,
    device::{Field, Value},
    inventory::MacAddress,
    time::Timestamp,
};

/// One record of another source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// Of a device or another asset.
    Asset(AssetRecord),
    /// Of a person: who works here, and until when.
    Person(PersonRecord),
    /// Something on a network was seen.
    Sighting(Sighting),
}

/// What a source says of one asset: which one is meant, and what is so of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssetRecord {
    /// The record's own name within its source, the same whenever the same file is read again. Never personal: see
    /// [`Self::of_person`].
    pub row_key: String,
    /// What kind of asset it is.
    pub category: Category,
    /// The person without whom `row_key` and `identifiers.asset_key` would not be unique: whose seat it is. The person's
    /// id joins both before anything is kept.
    pub of_person: Option<PersonName>,
    /// By which it can be told which asset is meant; at least one.
    pub identifiers: RecordIdentifiers,
    /// What it says.
    pub fields: BTreeMap<Field, RecordValue>,
    /// Whether it is authoritative, as a purchase is: it vouches that the asset is ours. A management system's list or
    /// a scan only sees it.
    pub vouches: bool,
    /// When the source last saw it, by the source's clock; the moment of the import when the source doesn't say.
    pub seen: Option<Timestamp>,
    /// What was left out of it, and why; for the person who imports.
    pub notes: Vec<String>,
}

/// What a staff list says of one person. `Debug` shows nothing that is personal.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct PersonRecord {
    /// Name and address.
    pub name: PersonName,
    /// Number in the staff list.
    pub employee_number: Option<String>,
    /// Where the person works, as a path from the root: `Sales/EMEA`.
    pub department: Option<String>,
    /// Where the person sits.
    pub location: Option<String>,
    /// Who pays.
    pub cost_center: Option<String>,
    /// Whom the person reports to.
    pub manager: Option<PersonName>,
    /// First day.
    pub starts: Option<Timestamp>,
    /// Last day; somebody whose last day is over is a leaver.
    pub ends: Option<Timestamp>,
    /// What was left out of it, and why; for the person who imports.
    pub notes: Vec<String>,
}

/// An endpoint on a network, as a lease or a scan shows it. It never makes, merges or changes a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighting {
    /// By which it is told; a sighting without one says nothing of any device.
    pub mac: MacAddress,
    /// The address that it had.
    pub ip: Option<IpAddr>,
    /// The name that it gave itself.
    pub hostname: Option<String>,
    /// When it was there, by the source's clock; the moment of the import when the source doesn't say.
    pub seen: Option<Timestamp>,
    /// What was left out of it, and why; for the person who imports.
    pub notes: Vec<String>,
}

impl fmt::Debug for PersonRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PersonRecord(…)")
    }
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
    /// Cloud instance: `provider/account/instance`.
    pub instance: Option<String>,
    /// Of an asset that is no device: what tells it from others of its category, such as `m365/e3`.
    pub asset_key: Option<String>,
}

impl RecordIdentifiers {
    /// Whether nothing tells which machine is meant.
    pub fn is_empty(&self) -> bool {
        let Self { serial, asset_tag, uuid, machine_id, macs, instance, asset_key } = self;
        [serial, asset_tag, uuid, machine_id, instance, asset_key].into_iter().all(Option::is_none)
            && macs.is_empty()
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
